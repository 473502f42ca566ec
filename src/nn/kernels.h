/* nn/kernels.h - every loop over numbers that a network needs, behind one table.
 *
 * Tables: "cpu" (oneDNN for convolutions and OpenBLAS for big leaves of big dense layers, channels last; own loops where
 * those measured slow), "cpu-bf16" (the same, but convolutions round their inputs to bf16 and add up
 * in fp32: mixed precision, for processors that multiply bf16), "check" (plain C, the oracle; its buffers come NaN-poisoned between guard bytes).  A table is
 * picked by name, never by falling back.
 *
 * Invariance, which ordered training rests on: a sample's forward and data gradient, and a leaf's parameter gradient, have
 * the same bits whatever other samples or leaves are in the call.  A kernel that computes each output element by a fixed
 * sequence of operations may take a whole batch at once; library calls whose blocking depends on the batch size are
 * made leaf by leaf, and which leaves go to a library depends on the leaf's size and the layer alone.  Threads divide
 * outputs, never a sum.
 *
 * Shapes: n samples (batch->n), channels last.  "Overwrites" unless += is said.  Kernels do not fail: what can fail is in
 * conv_plan.  Nothing allocates outside `alloc` and `*_plan`.   Not collective. */
#ifndef ORR_NN_KERNELS_H
#define ORR_NN_KERNELS_H

#include "core/leaves.h"
#include "core/status.h"
#include "nn/layer.h"
#include "nn/real.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_conv_shape {
    int h, w, c; /* input */
    int k;       /* output channels */
    int r, s;    /* kernel height, width */
    int stride_h, stride_w, dilation_h, dilation_w;
    int pad_top, pad_left, pad_bottom, pad_right;
    int groups; /* divides c and k */
    int ho, wo; /* output */
} orr_conv_shape;

typedef struct orr_pool_shape {
    int h, w, c, r, s, stride_h, stride_w, pad_top, pad_left, ho, wo;
    int count_padding; /* average: divide by r*s always (torch default) instead of by the pixels inside (TF SAME) */
} orr_pool_shape;

typedef enum { ORR_RELU, ORR_LEAKY_RELU, ORR_ELU, ORR_SILU, ORR_SIGMOID, ORR_TANH } orr_activation;

typedef struct orr_kernels {
    const char *name;

    /* ---- memory: zeroed (check: NaN), ORR_ALIGN; check's free and verify look at the guard bytes ---- */
    void *(*alloc)(size_t bytes);
    void (*free)(void *p);
    orr_status (*verify)(
        const void
            *p); /* ORR_ERR_INTERNAL when something wrote outside p; NULL slot: nothing to see */
    void (*poison)(orr_real *x,
                   size_t n); /* before a buffer is handed out for writing; NULL slot: no */

    /* ---- dense: x[n][in], w[out][in], b[out] or NULL, y[n][out] ---- */
    void (*linear_forward)(const orr_batch *b, int in, int out, const orr_real *x,
                           const orr_real *w, const orr_real *bias, orr_real *y);
    void (*linear_backward_data)(const orr_batch *b, int in, int out, const orr_real *dy,
                                 const orr_real *w, orr_real *dx);
    /* dw[run], db[run] (db NULL: no bias) = tree sum over the run's leaves of each leaf's gradient */
    void (*linear_backward_params)(const orr_batch *b, int in, int out, const orr_real *x,
                                   const orr_real *dy, orr_real *const *dw, orr_real *const *db);

    /* ---- convolution: x[n][h][w][c], w[k][r][s][c/groups], y[n][ho][wo][k] ---- */
    orr_status (*conv_plan)(void **plan, const orr_conv_shape *s, const orr_limits *limits);
    void (*conv_forward)(void *plan, const orr_batch *b, const orr_real *x, const orr_real *w,
                         const orr_real *bias, orr_real *y);
    void (*conv_backward_data)(void *plan, const orr_batch *b, const orr_real *dy,
                               const orr_real *w, orr_real *dx);
    void (*conv_backward_params)(void *plan, const orr_batch *b, const orr_real *x,
                                 const orr_real *dy, orr_real *const *dw, orr_real *const *db);
    void (*conv_unplan)(void *plan);

    /* ---- pooling; arg[n][ho][wo][c] = place of the maximum in its window (first one on ties; a NaN wins) ---- */
    void (*max_pool_forward)(int n, const orr_pool_shape *s, const orr_real *x, orr_real *y,
                             uint16_t *arg);
    void (*max_pool_backward)(int n, const orr_pool_shape *s, const orr_real *dy,
                              const uint16_t *arg, orr_real *dx);
    void (*avg_pool_forward)(int n, const orr_pool_shape *s, const orr_real *x, orr_real *y);
    void (*avg_pool_backward)(int n, const orr_pool_shape *s, const orr_real *dy, orr_real *dx);

    /* ---- element-wise; alpha = slope (leaky) or scale (elu).  y may be x, dx may be dy.  backward: relu, leaky, elu, sigmoid,
     * tanh need y alone (x may be NULL); silu needs x ---- */
    void (*act_forward)(orr_activation a, double alpha, size_t n, const orr_real *x, orr_real *y);
    void (*act_backward)(orr_activation a, double alpha, size_t n, const orr_real *x,
                         const orr_real *y, const orr_real *dy, orr_real *dx);
    /* w[c] or, with shared, w[1].  rows = pixels.  dw: per leaf rows, then tree sum into dw[run]; scratch holds
     * max_leaves * c elements */
    void (*prelu_forward)(size_t rows, int c, int shared, const orr_real *x, const orr_real *w,
                          orr_real *y);
    void (*prelu_backward)(const orr_batch *b, size_t rows_per_sample, int c, int shared,
                           const orr_real *x, const orr_real *w, const orr_real *dy, orr_real *dx,
                           orr_real *const *dw, orr_real *scratch);
    void (*softmax_forward)(size_t rows, int c, const orr_real *x, orr_real *y);
    void (*softmax_backward)(size_t rows, int c, const orr_real *y, const orr_real *dy,
                             orr_real *dx);
    /* y = x * mask / (1 - p); mask element j of sample i from orr_rng_block(orr_rng_key(keys[i], ORR_RNG_DROPOUT, layer, 0, 0),
     * j / 4).v[j % 4]: dropped when its unit uniform < p.  The same call is forward and backward.  y may be x */
    void (*dropout)(const orr_batch *b, size_t per_sample, double p, int layer, const orr_real *x,
                    orr_real *y);

    /* ---- batch norm over rows = samples * pixels of c channels ---- */
    void (*norm_moments)(size_t rows, int c, const orr_real *x, double *mean,
                         double *m2); /* m2 = sum (x - mean)^2 */
    void (*norm_forward)(size_t rows, int c, const orr_real *x, const orr_real *mean,
                         const orr_real *inv_std, const orr_real *gamma, const orr_real *beta,
                         orr_real *y);
    void (*norm_backward_sums)(size_t rows, int c, const orr_real *x, const orr_real *mean,
                               const orr_real *inv_std, const orr_real *dy, double *sum_dy,
                               double *sum_dy_xhat);
    /* dx = gamma inv_std (dy - mean_dy - xhat mean_dy_xhat) */
    void (*norm_backward_data)(size_t rows, int c, const orr_real *x, const orr_real *mean,
                               const orr_real *inv_std, const orr_real *gamma,
                               const orr_real *mean_dy, const orr_real *mean_dy_xhat,
                               const orr_real *dy, orr_real *dx);

    /* ---- moving numbers ---- */
    void (*add)(size_t n, const orr_real *a, const orr_real *b, orr_real *y); /* y may be a */
    void (*copy_channels)(size_t rows, int n_c, const orr_real *x, int x_stride, orr_real *y,
                          int y_stride);
    void (*transpose)(int n, int rows, int cols, const orr_real *x,
                      orr_real *y); /* x[n][rows][cols] -> y[n][cols][rows] */
} orr_kernels;

/* "cpu", "cpu-bf16" or "check"; ORR_ERR_OPTION with the names there are (the f64 build has check
 * alone), ORR_ERR_UNSUPPORTED for cpu-bf16 on a processor without AVX512-BF16 or AMX. */
orr_status orr_kernels_find(const orr_kernels **out, const char *name);
extern const orr_kernels orr_kernels_check;
#ifndef ORR_REAL_F64
extern const orr_kernels orr_kernels_cpu;
extern const orr_kernels orr_kernels_cpu_bf16;
#endif

#ifdef __cplusplus
}
#endif
#endif
