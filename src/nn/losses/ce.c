/* nn/losses/ce.c - cross-entropy of a softmax: mean(logsumexp(x) - x[label]); with smoothing s the
 * label's share is 1 - s + s / C, and that of each other class s / C, as torch's label_smoothing.
 */
#include "nn/losses/kinds.h"

typedef struct ce_opts {
    double smoothing;
} ce_opts;

static const orr_option options[] = {
    ORR_OPTION_REAL(ce_opts, smoothing, "0", 0, 1,
                    "share of each label that is dealt evenly to all classes"),
    ORR_OPTION_END,
};

static double sample(const orr_loss *l, const orr_real *x, const orr_target *t, double n_global,
                     orr_real *dx)
{
    const ce_opts *o = (const ce_opts *)l->opts.bytes;

    return orr_cross_entropy(x, l->outputs, t->label, o->smoothing, n_global, dx);
}

const orr_loss_kind orr_loss_ce = {
    .name = "ce",
    .help = "classes from a logit each: cross-entropy of their softmax",
    .output_type = ORR_OUTPUT_CLASSES,
    .needs = ORR_NEEDS_LOGITS,
    .automatic = 1,
    .options = options,
    .opts_bytes = sizeof(ce_opts),
    .outputs = orr_loss_output_a_class,
    .sample = sample,
    .link = orr_loss_link_softmax,
};

static double binned(const orr_loss *l, const orr_real *x, const orr_target *t, double n_global,
                     orr_real *dx)
{
    double z = orr_density_target(&l->bins, t->values[0]);

    return orr_cross_entropy(x, l->outputs, orr_bin_of(&l->bins, z), 0, n_global, dx);
}

const orr_loss_kind orr_loss_binned_ce = {
    .name = "ce",
    .help = "with bins, a density of one value: cross-entropy of the bin that holds it",
    .output_type = ORR_OUTPUT_DENSITY,
    .needs = ORR_NEEDS_LOGITS,
    .automatic = 1,
    .outputs = orr_loss_output_a_bin,
    .sample = binned,
    .link = orr_loss_link_softmax,
};
