/* tests/nn/kernel_cases.h - what the tests of kernel tables share: batches of several shapes, dense
 * layers and convolutions run through a table, and the comparisons.   Fails by cmocka. */
#ifndef ORR_TESTS_NN_KERNEL_CASES_H
#define ORR_TESTS_NN_KERNEL_CASES_H

#include "core/leaves.h"
#include "nn/backend.h"

#include <stddef.h>
#include <stdint.h>

enum { MAX_SAMPLES = 40, MAX_TEST_LEAVES = 16, N_BATCHES = 4 };

typedef struct test_batch {
    int n_leaves, sizes[MAX_TEST_LEAVES], n_segments, segments[4];
} test_batch;

typedef struct batch_memory {
    int leaf[MAX_TEST_LEAVES + 1];
    uint64_t keys[MAX_SAMPLES];
    orr_batch b;
} batch_memory;

/* ---- layers with weights: dense (conv NULL) and convolution ---- */
typedef struct weighted {
    int in, out; /* dense */
    const orr_conv_shape *conv;
    size_t n_x, n_y, n_w, n_b; /* elements of a sample, of the weights, of the bias */
} weighted;

typedef struct result {
    float *y, *dx, *dw[4], *db[4];
} result;

typedef struct inputs {
    float *x, *w, *bias, *dy;
} inputs;

typedef struct conv_case {
    int h, w, c, k, r, s, stride_h, stride_w, dil_h, dil_w, pad[4] /* top left bottom right */,
        groups;
} conv_case;

/* Back ends without state of their own. */
extern orr_backend check_backend, cpu_backend, bf16_backend;

extern const test_batch batches[N_BATCHES];
extern const orr_limits limits; /* that all of them keep */
extern const conv_case conv_cases[];
extern const int n_conv_cases;
/* Is the case small enough for this build?  A sanitizer's takes a hundred times as long. */
int conv_case_runs(const orr_conv_shape *s);

const orr_batch *make_batch(batch_memory *m, const test_batch *t);
float *floats(size_t n, uint64_t seed); /* in [-1, 1); zeros for seed 0 */

/* Room for a sum of `terms` products of numbers below 1: six standard errors of its rounding, and
 * the last places. */
double room(double terms);
void near(const char *what, size_t n, const float *got, const float *want, double tol);
void same(const char *what, size_t n, const float *got, const float *want);

result new_result(const weighted *l); /* NaN everywhere */
void free_result(result *r);
void run_layer(orr_backend *be, const weighted *l, const orr_batch *b, const inputs *in,
               int with_bias, result *r);
/* Every leaf by itself gives the same bits, and the tree over the leaves' gradients the segment's.
 */
void check_leaves(orr_backend *be, const char *name, const weighted *l, const orr_batch *b,
                  const inputs *in, const result *all);
/* tol: forward, data gradient, parameter gradient */
void compare(const char *name, const weighted *l, const orr_batch *b, const result *got,
             const result *want, const double tol[3]);
void identical(const char *name, const weighted *l, const orr_batch *b, const result *got,
               const result *want);
/* All of it, against check, with one thread and with two. */
void exercise(orr_backend *be, const char *name, const weighted *l, const double tol[3]);

orr_conv_shape shape_of(const conv_case *c);
weighted weighted_of(const orr_conv_shape *s); /* borrows s */
void conv_text(const orr_conv_shape *s, char *out, size_t size);
void conv_room(const orr_conv_shape *s, double tol[3]);
void conv_table(orr_backend *be); /* exercise for all of conv_cases */

#endif
