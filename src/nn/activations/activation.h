/* nn/activations/activation.h - for those who write an activation: a function of one number.
 *
 * An activation is one file here with its row and its layer kind (ORR_ACTIVATION_KIND), and a word
 * in the list of layer kinds (nn/layers/kinds.h).  The row says all there is to say of it: help and
 * options; what backward reads, which the memory plan keeps; f and its slope in double, which the
 * check and fenced back ends call and the fast loops are tested against; the fast loops
 * (nn/activations/loops_private.h).  Tests visit every kind that has a row: finite differences,
 * fast loops beside f and its slope, PyTorch's function where it has one of that name. A NaN that
 * goes in comes out.   Not collective; nothing here fails. */
#ifndef ORR_NN_ACTIVATIONS_ACTIVATION_H
#define ORR_NN_ACTIVATIONS_ACTIVATION_H

#include "core/options.h"

#include <stddef.h>

/* The one number that an activation may have: see its options. */
typedef struct orr_activation_opts {
    double alpha;
} orr_activation_opts;

typedef enum { ORR_READS_Y, ORR_READS_X } orr_activation_reads;

typedef struct orr_activation {
    const char *name, *help;
    const orr_option *options;  /* of orr_activation_opts; NULL: none, and alpha is 0 */
    orr_activation_reads reads; /* backward: its output y, or its input x */
    double (*value)(double alpha, double x);
    double (*slope)(double alpha, double from); /* dy/dx from what backward reads */
    /* y[i] = value(x[i]), dx[i] = slope(from[i]) dy[i]; y may be x, dx may be dy.  NULL in the f64
     * build, which has no fast loops. */
    void (*forward)(float alpha, size_t n, const float *x, float *y);
    void (*backward)(float alpha, size_t n, const float *from, const float *dy, float *dx);
} orr_activation;

#endif
