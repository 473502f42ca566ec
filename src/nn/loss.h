/* nn/loss.h - losses at the end of a net, shape-checked, divided by the size of the whole batch.
 *   bce           two classes: mean(max(x,0) - x y + log1p(exp(-|x|))), output 1 x 1 x 1, labels 0
 *                 and 1; pos_weight multiplies the term of y = 1
 *   ce            classes: mean(logsumexp(x) - x[label]), output 1 x 1 x C, labels 0..C-1; with
 *                 bins: the target is one number, its bin is the label
 *   mse           values: mean over samples of the mean over outputs of (x - y)^2, targets of the
 *                 output's width
 * and on a density over bins, p = softmax(x), output 1 x 1 x bins, target one number z within the
 * bins: expected_mse (of the density's mean) and crps.  Each is a row with its own file in
 * nn/losses/ (nn/loss_kind_private.h is the manual), which says what it takes and what it predicts.
 * A target whose shape does not match is refused: nothing broadcasts.  Computed in double from the
 * outputs; finite and with finite gradients for any finite logit.  A label or target outside its
 * range gives NaN, never a read outside x. Not collective. */
#ifndef ORR_NN_LOSS_H
#define ORR_NN_LOSS_H

#include "core/bins.h"
#include "core/leaves.h"
#include "core/options.h"
#include "core/output_type.h"
#include "core/status.h"
#include "nn/real.h"
#include "nn/shape.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_MAX_BINS = 4096 /* of a density: 2 to this */, ORR_LOSS_OPTS_MAX = 1024 };

/* A value: copied as it is, owns nothing. */
typedef struct orr_loss {
    const struct orr_loss_kind *kind;
    int outputs;       /* width of the net's output */
    double pos_weight; /* of the positive class; 1 = none */
    orr_bins bins;     /* of a density */
    union {            /* the kind's option struct */
        double alignment;
        unsigned char bytes[ORR_LOSS_OPTS_MAX];
    } opts;
} orr_loss;

/* What a loss is made for. */
typedef struct orr_loss_spec {
    /* a word, or auto: bce for one output and two classes, ce for classes, ce for values with bins,
     * mse for values */
    const char *name;
    const orr_node *options; /* the kind's; NULL: none */
    orr_shape output;
    int n_classes;     /* of the data; 0 = regression */
    int width;         /* values a target has (regression) */
    double pos_weight; /* bce; 1 */
    orr_bins bins;     /* count 0 = none */
} orr_loss_spec;

/* ORR_ERR_SHAPE says what does not fit, ORR_ERR_OPTION with the nearest name.  The options may be
 * freed afterwards if they hold no texts. */
orr_status orr_loss_init(orr_loss *l, const orr_loss_spec *spec);
const char *orr_loss_name(const orr_loss *l); /* the word of the job file, never auto */
orr_output_type orr_loss_output_type(const orr_loss *l);
/* Appends its options as "{key: value}", without those that have their default: "{}". */
orr_status orr_loss_dump_options(const orr_loss *l, orr_text *out);
/* Lets it learn from the training split, once and before the first step: counts[n_classes], samples
 * of each class (NULL: values).  A loss that was read from a model file has learned. ORR_ERR_OPTION
 * when it cannot from these. */
orr_status orr_loss_fit(orr_loss *l, const int64_t *counts);
int orr_loss_n_classes(const orr_loss *l);    /* that the answer distinguishes; 0: values */
int orr_loss_target_width(const orr_loss *l); /* numbers of a target; 1 for classes, densities */

const char *orr_loss_word(int i);                  /* auto, then the names; NULL past the last */
int orr_loss_kind_help(int i, orr_kind_help *out); /* of row i for --help; 0 past the last */

/* May the net end so?  ORR_ERR_OPTION for a layer that keeps the outputs within bounds where the
 * loss wants any number (a sigmoid before bce), naming the layer and what to do.  Appends to
 * `remark` a sentence for what is allowed and seldom meant: outputs that are bounded on one side.
 */
struct orr_graph;
orr_status orr_loss_check_net(const orr_loss *l, const struct orr_graph *g, orr_text *remark);

/* labels[n] (classes), values[n][target width] (others).  leaf_sums[i] (double, local leaves) = sum
 * of the samples' losses of leaf i, not divided; per_sample (may be NULL) [n] each sample's; dx
 * (may be NULL) [n][outputs] = gradient of the loss mean over b->n_global. */
void orr_loss_eval(const orr_loss *l, const orr_batch *b, const orr_real *x, const int32_t *labels,
                   const float *values, double *leaf_sums, double *per_sample, orr_real *dx);
/* Of n samples of classes, how many have the highest output (of one output: its sign) at their
 * label. */
int orr_loss_count_correct(const orr_loss *l, int n, const orr_real *x, const int32_t *labels);
/* Outputs x[n][outputs] to what people read, p[n][outputs]: sigmoid, softmax (classes and
 * densities), or the numbers as they are. */
void orr_loss_link(const orr_loss *l, int n, const orr_real *x, double *p);

#ifdef __cplusplus
}
#endif
#endif
