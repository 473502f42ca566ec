/* nn/losses/bce.c - binary cross-entropy of one logit: mean(max(x, 0) - x y + log1p(exp(-|x|))).
 * With smoothing s the label y is (1 - s) y + s / 2, as torch users write it. */
#include "nn/losses/kinds.h"

#include <math.h>

typedef struct bce_opts {
    double smoothing;
} bce_opts;

static const orr_option options[] = {
    ORR_OPTION_REAL(bce_opts, smoothing, "0", 0, 1,
                    "share of each label that is dealt evenly to both classes"),
    ORR_OPTION_END,
};

static double smoothing(const orr_loss *l)
{
    return ((const bce_opts *)l->opts.bytes)->smoothing;
}

static double sample(const orr_loss *l, const orr_real *x, const orr_target *t, double n_global,
                     orr_real *dx)
{
    double v = (double)x[0], s = smoothing(l), w = l->pos_weight;
    double y = (1 - s) * t->label + s / 2;

    if (t->label != 0 && t->label != 1) return orr_loss_outside(1, dx);
    if (s == 0) {
        if (dx) *dx = (orr_real)((t->label ? -w * orr_sigmoid(-v) : orr_sigmoid(v)) / n_global);
        return t->label ? w * orr_softplus(-v) : orr_softplus(v);
    }
    if (dx) *dx = (orr_real)(((1 - y) * orr_sigmoid(v) - w * y * orr_sigmoid(-v)) / n_global);
    return w * y * orr_softplus(-v) + (1 - y) * orr_softplus(v);
}

const orr_loss_kind orr_loss_bce = {
    .name = "bce",
    .help = "two classes from one logit: cross-entropy of its sigmoid; takes pos_weight",
    .output_type = ORR_OUTPUT_CLASSES,
    .needs = ORR_NEEDS_LOGITS,
    .max_classes = 2,
    .automatic = 1,
    .weighs = 1,
    .options = options,
    .opts_bytes = sizeof(bce_opts),
    .outputs = orr_loss_one_output,
    .sample = sample,
    .link = orr_loss_link_sigmoid,
};
