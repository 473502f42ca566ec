/* nn/backend.h - a back end: every loop over numbers that a network needs, and where the numbers
 * lie.
 *
 * An object: a table of operations, the same for all objects of a kind, and a state of its own
 * (device, streams, handles of libraries).  Made by name, never by falling back:
 *   cpu       oneDNN for convolutions and OpenBLAS for big leaves of big dense layers, channels
 *             last; own loops where those measured slow
 *   cpu-bf16  the same, but convolutions round their inputs to bf16 and add up in fp32: mixed
 *             precision, for processors that multiply bf16
 *   check     plain C, the oracle; its buffers come NaN-poisoned between guard bytes
 *   fenced    check on memory that the host cannot touch, as if it were a device's: for tests
 * Every operation gets its back end first.  One object serves any number of nets, from one thread
 * at a time; who made it destroys it, after all that was made with it.
 *
 * Invariance, which ordered training rests on: a sample's forward and data gradient, and a leaf's
 * parameter gradient, have the same bits whatever other samples or leaves are in the call.  A
 * kernel that computes each output element by a fixed sequence of operations may take a whole batch
 * at once; library calls whose blocking depends on the batch size are made leaf by leaf, and which
 * leaves go to a library depends on the leaf's size and the layer alone.  Threads divide outputs,
 * never a sum.
 *
 * Pointers are to the back end's own memory, but for what is a small argument on the host's stack
 * or heap and is copied where a device needs it: orr_batch and its arrays, shapes, options, lists
 * of pointers; `host` and `out` in the calls that say so.
 *
 * Shapes: n samples (batch->n), channels last.  "Overwrites" unless += is said.  Operations are
 * done in the order in which they were asked for, at once or later; what goes wrong later is said
 * by synchronise.  Nothing allocates outside `alloc` and `*_plan`.   Not collective. */
#ifndef ORR_NN_BACKEND_H
#define ORR_NN_BACKEND_H

#include "core/leaves.h"
#include "core/memory_kind.h"
#include "core/status.h"
#include "nn/activations/activation.h"
#include "nn/layer.h"
#include "nn/loss.h"
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
    int count_padding; /* average: divide by r*s always (torch default) instead of by the pixels
                          inside (TF SAME) */
} orr_pool_shape;

/* What a step of an optimiser does with each number; d = scale g + l2 w.
 *   adam      m = beta1 m + rest1 d, v = beta2 v + rest2 d^2, w = decay w - rate m / (sqrt(v) root
 *             + eps)
 *   momentum  b = momentum b + d, w -= rate b, or with look > 0 (nesterov) rate (d + look b)
 *   sgd       w -= rate d */
typedef struct orr_step_numbers {
    orr_real scale, l2, decay;
    orr_real beta1, rest1, beta2, rest2; /* rest = 1 - beta */
    orr_real rate, root, eps;
    orr_real momentum, look;
} orr_step_numbers;

typedef struct orr_backend orr_backend;

typedef struct orr_backend_ops {
    const char *name;
    /* ---- life; NULL slots: no state of its own ---- */
    orr_status (*create)(orr_backend *be); /* fills be->state */
    void (*destroy)(orr_backend *be);      /* copes with what a failed create left */

    /* ---- memory, ORR_ALIGN-ed.  What alloc gives, operations alone read and write; with
     * ORR_MEM_HOST the host could, with ORR_MEM_DEVICE it cannot ---- */
    orr_memory_kind memory;
    void *(*alloc)(orr_backend *be, size_t bytes); /* unset (check: NaN); NULL: there is no more */
    void (*free)(orr_backend *be, void *p);
    /* ORR_ERR_INTERNAL when something wrote outside p; NULL slot: nothing to see */
    orr_status (*verify)(orr_backend *be, const void *p);
    /* ORR_ERR_INTERNAL when p does not hold the bytes of `host` that were uploaded to it: somebody
     * has changed what was on loan; NULL slot: nothing to compare */
    orr_status (*verify_loan)(orr_backend *be, const void *p, const void *host, size_t bytes);
    /* before a buffer is handed out for writing; NULL slot: no */
    void (*poison)(orr_backend *be, orr_real *x, size_t n);
    void (*clear)(orr_backend *be, void *p, size_t bytes); /* zeros */
    void (*copy)(orr_backend *be, void *to, const void *from, size_t bytes);
    void (*upload)(orr_backend *be, void *to, const void *host, size_t bytes);
    void (*download)(orr_backend *be, void *host, const void *from, size_t bytes);
    /* A place in what was asked so far; has it been reached (ORR_OK, ORR_PENDING, an error)? */
    int64_t (*mark)(orr_backend *be);
    orr_status (*reached)(orr_backend *be, int64_t mark);
    /* Waits for all that was asked; the first thing that went wrong since the last call. */
    orr_status (*synchronise)(orr_backend *be);

    /* ---- dense: x[n][in], w[out][in], b[out] or NULL, y[n][out] ---- */
    void (*linear_forward)(orr_backend *be, const orr_batch *b, int in, int out, const orr_real *x,
                           const orr_real *w, const orr_real *bias, orr_real *y);
    void (*linear_backward_data)(orr_backend *be, const orr_batch *b, int in, int out,
                                 const orr_real *dy, const orr_real *w, orr_real *dx);
    /* dw[segment], db[segment] (db NULL: no bias) = tree sum over the segment's leaves of each
     * leaf's gradient */
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

    /* ---- pooling; arg[n][ho][wo][c] = place of the maximum in its window (first one on ties; a
     * NaN wins) ---- */
    void (*max_pool_forward)(orr_backend *be, int n, const orr_pool_shape *s, const orr_real *x,
                             orr_real *y, uint16_t *arg);
    void (*max_pool_backward)(orr_backend *be, int n, const orr_pool_shape *s, const orr_real *dy,
                              const uint16_t *arg, orr_real *dx);
    void (*avg_pool_forward)(orr_backend *be, int n, const orr_pool_shape *s, const orr_real *x,
                             orr_real *y);
    void (*avg_pool_backward)(orr_backend *be, int n, const orr_pool_shape *s, const orr_real *dy,
                              orr_real *dx);

    /* ---- element-wise (nn/activations/activation.h); y may be x, dx may be dy.  from: x or y,
     * what the activation's backward reads ---- */
    void (*act_forward)(orr_backend *be, const orr_activation *a, double alpha, size_t n,
                        const orr_real *x, orr_real *y);
    void (*act_backward)(orr_backend *be, const orr_activation *a, double alpha, size_t n,
                         const orr_real *from, const orr_real *dy, orr_real *dx);
    /* w[c] or, with shared, w[1].  rows = pixels.  dw: per leaf rows, then tree sum into
     * dw[segment]; scratch holds max_leaves * c elements */
    void (*prelu_forward)(orr_backend *be, size_t rows, int c, int shared, const orr_real *x,
                          const orr_real *w, orr_real *y);
    void (*prelu_backward)(orr_backend *be, const orr_batch *b, size_t rows_per_sample, int c,
                           int shared, const orr_real *x, const orr_real *w, const orr_real *dy,
                           orr_real *dx, orr_real *const *dw, orr_real *scratch);
    void (*softmax_forward)(orr_backend *be, size_t rows, int c, const orr_real *x, orr_real *y);
    void (*softmax_backward)(orr_backend *be, size_t rows, int c, const orr_real *y,
                             const orr_real *dy, orr_real *dx);
    /* y = x * mask / (1 - p); mask element j of sample i from orr_rng_block(orr_rng_key(keys[i],
     * ORR_RNG_DROPOUT, layer, 0, 0), j / 4).v[j % 4]: dropped when its unit uniform < p.  The same
     * call is forward and backward.  y may be x */
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
    /* What follows from the moments of `rows` rows: mean rounded, inv_std = 1 / sqrt(m2 / rows +
     * eps); stat[2c + 1] = mean, m2 / (rows - 1), 1, the latter two 0 for a single row.  Without
     * rows stat alone is written, zeros. */
    void (*norm_factors)(orr_backend *be, size_t rows, int c, double eps, const double *mean,
                         const double *m2, orr_real *mean_out, orr_real *inv_std, orr_real *stat);
    /* inv_std = 1 / sqrt(var + eps) */
    void (*norm_inv_std)(orr_backend *be, int c, double eps, const orr_real *var,
                         orr_real *inv_std);
    /* n sums over `rows` rows: rounded, and their means (NULL: not wanted; rows > 0 then) */
    void (*norm_means)(orr_backend *be, int n, size_t rows, const double *sums, orr_real *rounded,
                       orr_real *means);
    /* Running moments move by `momentum` towards those in stat[2c + 1], sums over n_leaves leaves
     * of what norm_factors wrote. */
    void (*norm_update)(orr_backend *be, int c, double momentum, const orr_real *stat, int n_leaves,
                        orr_real *mean, orr_real *var);
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
    /* orr_leaf_sum: out[n] = tree sum of m rows of `in`, which is overwritten */
    void (*leaf_sum)(orr_backend *be, orr_real *out, orr_real *in, size_t stride, int m, size_t n);

    /* ---- losses (nn/loss.h): x[n][outputs]; labels[n] or values[n][width], as the loss wants.
     * leaf_sums[leaf], per_sample[n] (NULL: no), dx[n][outputs] (NULL: no) ---- */
    void (*loss)(orr_backend *be, const orr_loss *l, const orr_batch *b, const orr_real *x,
                 const int32_t *labels, const float *values, double *leaf_sums, double *per_sample,
                 orr_real *dx);
    /* right[leaf] = samples of the leaf whose class is the likeliest */
    void (*count_correct)(orr_backend *be, const orr_loss *l, const orr_batch *b, const orr_real *x,
                          const int32_t *labels, double *right);

    /* ---- over slabs.  The same bits for any number of threads and any vector width ---- */
    /* *out (the host's) = L2 norm in double over fixed blocks summed in a fixed order; NaN and Inf
     * come through.  Waits. */
    orr_status (*norm)(orr_backend *be, size_t n, const orr_real *x, double *out);
    void (*adam)(orr_backend *be, size_t n, const orr_step_numbers *k, orr_real *w,
                 const orr_real *g, orr_real *m, orr_real *v);
    void (*momentum)(orr_backend *be, size_t n, const orr_step_numbers *k, orr_real *w,
                     const orr_real *g, orr_real *buffer);
    void (*sgd)(orr_backend *be, size_t n, const orr_step_numbers *k, orr_real *w,
                const orr_real *g);
} orr_backend_ops;

struct orr_backend {
    const orr_backend_ops *ops;
    void *state; /* the kind's own; NULL where it has none */
};

/* ORR_ERR_OPTION with the names there are (the f64 build has check and fenced), ORR_ERR_UNSUPPORTED
 * for cpu-bf16 on a processor without AVX512-BF16 or AMX, ORR_ERR_NOMEM; then *out is NULL. */
orr_status orr_backend_create(orr_backend **out, const char *name);
void orr_backend_destroy(orr_backend *be); /* NULL is fine */
/* The name of the i-th that this build has, NULL behind the last: the choices of `kernels`. */
const char *orr_backend_name(int i);
/* Its memory, for those who know no back end (comm). */
orr_memory orr_backend_memory(orr_backend *be);

/* The tables, for orr_backend_create and for tests. */
extern const orr_backend_ops orr_backend_check;
extern const orr_backend_ops orr_backend_fenced;
#ifndef ORR_REAL_F64
extern const orr_backend_ops orr_backend_cpu;
extern const orr_backend_ops orr_backend_cpu_bf16;
#endif

#ifdef __cplusplus
}
#endif
#endif
