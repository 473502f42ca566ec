/* nn/backend.h - a back end: every loop over numbers that a network needs, and where the numbers lie.
 *
 * An object: a table of operations, the same for all objects of a kind, and a state of its own
 * (device, streams, handles of libraries).  Made by name, never by falling back:
 *   cpu       oneDNN for convolutions and OpenBLAS for big leaves of big dense layers, channels
 *             last; own loops where those measured slow
 *   cpu-bf16  the same, but convolutions round their inputs to bf16 and add up in fp32: mixed
 *             precision, for processors that multiply bf16
 *   check     plain C, the oracle; its buffers come NaN-poisoned between guard bytes
 * Every operation gets its back end first.  One object serves any number of nets, from one thread at
 * a time; who made it destroys it, after all that was made with it.
 *
 * Invariance, which ordered training rests on: a sample's forward and data gradient, and a leaf's
 * parameter gradient, have the same bits whatever other samples or leaves are in the call.  A kernel
 * that computes each output element by a fixed sequence of operations may take a whole batch at once;
 * library calls whose blocking depends on the batch size are made leaf by leaf, and which leaves go
 * to a library depends on the leaf's size and the layer alone.  Threads divide outputs, never a sum.
 *
 * Shapes: n samples (batch->n), channels last.  "Overwrites" unless += is said.  Operations do not
 * fail unless they return a status: what can fail is in conv_plan.  Nothing allocates outside
 * `alloc` and `*_plan`.   Not collective. */
#ifndef ORR_NN_BACKEND_H
#define ORR_NN_BACKEND_H

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

typedef struct orr_backend orr_backend;

typedef struct orr_backend_ops {
    const char *name;
    /* ---- life; NULL slots: no state of its own ---- */
    orr_status (*create)(orr_backend *be); /* fills be->state */
    void (*destroy)(orr_backend *be);      /* copes with what a failed create left */

    /* ---- memory: zeroed (check: NaN), ORR_ALIGN; check's free and verify look at the guard bytes ---- */
    void *(*alloc)(orr_backend *be, size_t bytes);
    void (*free)(orr_backend *be, void *p);
    orr_status (*verify)(
        orr_backend *be,
        const void
            *p); /* ORR_ERR_INTERNAL when something wrote outside p; NULL slot: nothing to see */
    void (*poison)(orr_backend *be, orr_real *x,
                   size_t n); /* before a buffer is handed out for writing; NULL slot: no */

    /* ---- dense: x[n][in], w[out][in], b[out] or NULL, y[n][out] ---- */
    void (*linear_forward)(orr_backend *be, const orr_batch *b, int in, int out, const orr_real *x,
                           const orr_real *w, const orr_real *bias, orr_real *y);
    void (*linear_backward_data)(orr_backend *be, const orr_batch *b, int in, int out,
                                 const orr_real *dy, const orr_real *w, orr_real *dx);
    /* dw[segment], db[segment] (db NULL: no bias) = tree sum over the segment's leaves of each leaf's gradient */
    void (*linear_backward_params)(orr_backend *be, const orr_batch *b, int in, int out,
                                   const orr_real *x, const orr_real *dy, orr_real *const *dw,
                                   orr_real *const *db);

    /* ---- convolution: x[n][h][w][c], w[k][r][s][c/groups], y[n][ho][wo][k] ---- */
    orr_status (*conv_plan)(orr_backend *be, void **plan, const orr_conv_shape *s,
                            const orr_limits *limits);
    void (*conv_forward)(orr_backend *be, void *plan, const orr_batch *b, const orr_real *x,
                         const orr_real *w, const orr_real *bias, orr_real *y);
    void (*conv_backward_data)(orr_backend *be, void *plan, const orr_batch *b, const orr_real *dy,
                               const orr_real *w, orr_real *dx);
    void (*conv_backward_params)(orr_backend *be, void *plan, const orr_batch *b, const orr_real *x,
                                 const orr_real *dy, orr_real *const *dw, orr_real *const *db);
    void (*conv_unplan)(orr_backend *be, void *plan);

    /* ---- pooling; arg[n][ho][wo][c] = place of the maximum in its window (first one on ties; a NaN wins) ---- */
    void (*max_pool_forward)(orr_backend *be, int n, const orr_pool_shape *s, const orr_real *x,
                             orr_real *y, uint16_t *arg);
    void (*max_pool_backward)(orr_backend *be, int n, const orr_pool_shape *s, const orr_real *dy,
                              const uint16_t *arg, orr_real *dx);
    void (*avg_pool_forward)(orr_backend *be, int n, const orr_pool_shape *s, const orr_real *x,
                             orr_real *y);
    void (*avg_pool_backward)(orr_backend *be, int n, const orr_pool_shape *s, const orr_real *dy,
                              orr_real *dx);

    /* ---- element-wise; alpha = slope (leaky) or scale (elu).  y may be x, dx may be dy.  backward: relu, leaky, elu, sigmoid,
     * tanh need y alone (x may be NULL); silu needs x ---- */
    void (*act_forward)(orr_backend *be, orr_activation a, double alpha, size_t n,
                        const orr_real *x, orr_real *y);
    void (*act_backward)(orr_backend *be, orr_activation a, double alpha, size_t n,
                         const orr_real *x, const orr_real *y, const orr_real *dy, orr_real *dx);
    /* w[c] or, with shared, w[1].  rows = pixels.  dw: per leaf rows, then tree sum into dw[segment]; scratch holds
     * max_leaves * c elements */
    void (*prelu_forward)(orr_backend *be, size_t rows, int c, int shared, const orr_real *x,
                          const orr_real *w, orr_real *y);
    void (*prelu_backward)(orr_backend *be, const orr_batch *b, size_t rows_per_sample, int c,
                           int shared, const orr_real *x, const orr_real *w, const orr_real *dy,
                           orr_real *dx, orr_real *const *dw, orr_real *scratch);
    void (*softmax_forward)(orr_backend *be, size_t rows, int c, const orr_real *x, orr_real *y);
    void (*softmax_backward)(orr_backend *be, size_t rows, int c, const orr_real *y,
                             const orr_real *dy, orr_real *dx);
    /* y = x * mask / (1 - p); mask element j of sample i from orr_rng_block(orr_rng_key(keys[i], ORR_RNG_DROPOUT, layer, 0, 0),
     * j / 4).v[j % 4]: dropped when its unit uniform < p.  The same call is forward and backward.  y may be x */
    void (*dropout)(orr_backend *be, const orr_batch *b, size_t per_sample, double p, int layer,
                    const orr_real *x, orr_real *y);

    /* ---- batch norm over rows = samples * pixels of c channels ---- */
    void (*norm_moments)(orr_backend *be, size_t rows, int c, const orr_real *x, double *mean,
                         double *m2); /* m2 = sum (x - mean)^2 */
    void (*norm_forward)(orr_backend *be, size_t rows, int c, const orr_real *x,
                         const orr_real *mean, const orr_real *inv_std, const orr_real *gamma,
                         const orr_real *beta, orr_real *y);
    void (*norm_backward_sums)(orr_backend *be, size_t rows, int c, const orr_real *x,
                               const orr_real *mean, const orr_real *inv_std, const orr_real *dy,
                               double *sum_dy, double *sum_dy_xhat);
    /* dx = gamma inv_std (dy - mean_dy - xhat mean_dy_xhat) */
    void (*norm_backward_data)(orr_backend *be, size_t rows, int c, const orr_real *x,
                               const orr_real *mean, const orr_real *inv_std, const orr_real *gamma,
                               const orr_real *mean_dy, const orr_real *mean_dy_xhat,
                               const orr_real *dy, orr_real *dx);

    /* ---- moving numbers ---- */
    void (*add)(orr_backend *be, size_t n, const orr_real *a, const orr_real *b,
                orr_real *y); /* y may be a */
    void (*copy_channels)(orr_backend *be, size_t rows, int n_c, const orr_real *x, int x_stride,
                          orr_real *y, int y_stride);
    void (*transpose)(orr_backend *be, int n, int rows, int cols, const orr_real *x,
                      orr_real *y); /* x[n][rows][cols] -> y[n][cols][rows] */
} orr_backend_ops;

struct orr_backend {
    const orr_backend_ops *ops;
    void *state; /* the kind's own; NULL where it has none */
};

/* ORR_ERR_OPTION with the names there are (the f64 build has check alone), ORR_ERR_UNSUPPORTED for
 * cpu-bf16 on a processor without AVX512-BF16 or AMX, ORR_ERR_NOMEM; then *out is NULL. */
orr_status orr_backend_create(orr_backend **out, const char *name);
void orr_backend_destroy(orr_backend *be); /* NULL is fine */

/* The tables, for orr_backend_create and for tests. */
extern const orr_backend_ops orr_backend_check;
#ifndef ORR_REAL_F64
extern const orr_backend_ops orr_backend_cpu;
extern const orr_backend_ops orr_backend_cpu_bf16;
#endif

#ifdef __cplusplus
}
#endif
#endif
