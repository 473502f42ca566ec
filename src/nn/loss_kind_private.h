/* nn/loss_kind_private.h - for those who write a loss.
 *
 * A loss is one file in nn/losses/ with one static const row, a word in the list of kinds.h there;
 * names are words of job files.  Two rows may share a name when they take different targets ("ce"
 * of classes and of values cut into bins): what the data holds tells them apart.  Options of its
 * own are a struct of its own (opts, at most ORR_LOSS_OPTS_MAX bytes, plain data) with rows; in a
 * job file `loss: {NAME: {key: value}}`, in a model file the same text.  What it learns of the
 * training split (weights of rare classes) it writes into its options in `fit`, so that model files
 * keep it.
 *
 * The row is all that the program knows of a loss: what it takes and predicts, how many outputs the
 * net must end in and what they may be (a layer that squashes logits is refused), what answers are
 * made of the outputs, value and gradient of a sample.  Help, docs/job-file.md and the tests visit
 * the rows: finite differences, back ends side by side, extreme outputs, a sample alone and beside
 * others.  Value and gradient are computed in double from one sample's outputs and target, so the
 * bits depend on nothing else; the back ends whose memory the host can reach call `sample` (nn/
 * loss.c), a device has kernels of its own for the rows that it knows, found by the row, and says
 * ORR_ERR_UNSUPPORTED by name for others.   Not collective. */
#ifndef ORR_NN_LOSS_KIND_PRIVATE_H
#define ORR_NN_LOSS_KIND_PRIVATE_H

#include "core/options.h"
#include "nn/loss.h"

/* What the net's outputs may be. */
typedef enum {
    ORR_NEEDS_LOGITS,  /* any number: the loss has the sigmoid or softmax itself */
    ORR_NEEDS_VALUES,  /* any number, taken as it is */
    ORR_NEEDS_POSITIVE /* none below 0, taken as they are */
} orr_loss_needs;

/* What one sample should have been.  Another kind of target (shares of two labels) is another
 * member here. */
typedef struct orr_target {
    int32_t label;       /* classes */
    const float *values; /* values and densities: as many as orr_loss_target_width */
} orr_target;

typedef struct orr_loss_kind {
    const char *name; /* the word in job and model files */
    const char *help; /* one line */
    orr_output_type output_type;
    orr_loss_needs needs;
    int max_classes; /* of classes; 0: any number */
    int automatic;   /* `auto` may choose it: the first that takes data and outputs */
    int weighs;      /* takes train.pos_weight */
    const orr_option *options;
    size_t opts_bytes;
    /* Units that the net must end in. */
    int (*outputs)(const orr_loss_spec *s);
    /* ORR_ERR_OPTION for options that do not fit.  NULL: nothing to check. */
    orr_status (*check)(const orr_loss *l, const orr_loss_spec *s);
    /* Learns from how often each class comes in the training split: see orr_loss_fit. */
    orr_status (*fit)(orr_loss *l, const int64_t *counts);
    /* Returns the loss of a sample with outputs x[outputs]; dx (may be NULL) [outputs] = its
     * gradient / n_global.  NaN in all of them for a target out of its range. */
    double (*sample)(const orr_loss *l, const orr_real *x, const orr_target *t, double n_global,
                     orr_real *dx);
    /* x[outputs] to what people read, p[outputs]. */
    void (*link)(const orr_loss *l, const orr_real *x, double *p);
} orr_loss_kind;

/* The rows; a list of them in the order of the help. */
const orr_loss_kind *const *orr_loss_kinds(int *n);
/* orr_loss_init with a row that need not be in the list, for tests; spec->name is not read. */
orr_status orr_loss_init_kind(orr_loss *l, const orr_loss_kind *kind, const orr_loss_spec *spec);

/* ---- for rows ---- */
int orr_loss_one_output(const orr_loss_spec *s);
int orr_loss_output_a_class(const orr_loss_spec *s);
int orr_loss_output_a_target(const orr_loss_spec *s);
int orr_loss_output_a_bin(const orr_loss_spec *s);
void orr_loss_link_none(const orr_loss *l, const orr_real *x, double *p);
void orr_loss_link_sigmoid(const orr_loss *l, const orr_real *x, double *p);
void orr_loss_link_softmax(const orr_loss *l, const orr_real *x, double *p);
/* NaN, also in dx[c]: for a target out of its range. */
double orr_loss_outside(int c, orr_real *dx);
double orr_sigmoid(double x);
double orr_softplus(double x);                    /* log(1 + e^x) without overflow */
double orr_log_sum_exp(const orr_real *x, int c); /* log(sum_j e^x[j]) */
/* -sum_j y[j] log softmax(x)[j] with y = smoothing / c, and 1 - smoothing more at the label. */
double orr_cross_entropy(const orr_real *x, int c, int label, double smoothing, double n_global,
                         orr_real *dx);
void orr_softmax(const orr_real *x, int c, double *p);
/* From the derivatives by p = softmax(x) to those by x: dx[j] = p[j] (g[j] - sum_i p[i] g[i]). */
void orr_through_softmax(const double *p, const double *g, int c, double n_global, orr_real *dx);
/* The number that a density's target stands for: a float that is an edge as nearly as floats can
 * say it, is that edge. */
double orr_density_target(const orr_bins *bins, float z);

#endif
