/* nn/kernels/cpu/conv.c - convolution: who does it, and the sums over leaves. */
#include "core/memory.h"
#include "nn/kernels/cpu/conv_direct.h"
#include "nn/kernels/cpu/conv_outer.h"
#include "nn/kernels/cpu/cpu.h"
#include "nn/kernels/cpu/onednn.h"

#include <omp.h>
#include <string.h>

typedef struct conv_plan {
    orr_conv_shape s;
    orr_direct forward, backward; /* own loops; empty where the library does it */
    orr_dnnl_conv *library;       /* NULL: own loops */
    orr_outer *outer;             /* the weight gradient; NULL: whoever does the rest */
    float *dw;                    /* [max_leaves][weights] of own loops without outer */
    float *db;                    /* [max_leaves][k] */
} conv_plan;

/* Who is quicker, microseconds for forward, data and weight gradient on one core with AVX-512:
 *
 *                                   own loops           oneDNN
 *     2 -> 6    k3   24 x 3197      149   308   143     104   200   128
 *     6 -> 16   k3   24 x 1065      100   235   123      82   188    97
 *    16 -> 32   k3   24 x 354       115   147   144     115   135   132
 *     1 -> 32   3x3  64 x 28x28     195     -   368     257     -   250
 *    32 -> 64   3x3  64 x 26x26   14600 24200 25000    9400 10900 15400
 *   128 -> 128  3x3  16 x 16x16   16600 17200 26400    9000  9700  9200
 *
 * So the library, but for one channel in (no data gradient is wanted there, as a rule), for groups,
 * and for shapes that it has only reference loops for.  Weight gradients are made tap by tap
 * (conv_outer.h) wherever that applies, 8 leaves of 4 samples, against oneDNN leaf by leaf and the
 * sum of its leaves:
 *
 *                              taps  oneDNN                              taps oneDNN
 *    32 x 32    5 -> 64   5x5  3670    4610     8 x 8    92 -> 128  3x3  1770   2200
 *    32 x 32   64 -> 92   5x5 43500   47400     8 x 8    92 -> 128  5x5  4590   6670
 *    16 x 16   48 -> 64   3x3  1990    2300     8 x 8   240 -> 128  1x1   660    630
 *    16 x 16  340 -> 128  1x1  4730    6640     4 x 4   476 -> 128  1x1   340    450 */
static int prefer_library(const orr_conv_shape *s)
{
    return s->groups == 1 && s->c > 1;
}

static orr_status no_memory(const conv_plan *p, const orr_limits *limits)
{
    return orr_fail(ORR_ERR_NOMEM,
                    "convolution: no memory for the gradients of %d leaves, %d filters",
                    limits->max_leaves, p->s.k);
}

static orr_status plan_bias(conv_plan *p, const orr_limits *limits)
{
    p->db = orr_alloc((size_t)limits->max_leaves * (size_t)p->s.k, sizeof *p->db);
    return p->db ? ORR_OK : no_memory(p, limits);
}

static orr_status plan_own(conv_plan *p, const orr_limits *limits, int threads)
{
    const orr_conv_shape *s = &p->s;

    ORR_TRY(orr_direct_init_forward(&p->forward, s, threads));
    if (!limits->training) return ORR_OK;
    ORR_TRY(orr_direct_init_backward(&p->backward, s, threads));
    if (p->outer) return ORR_OK;
    p->dw = orr_alloc((size_t)limits->max_leaves * s->k * s->r * s->s * (s->c / s->groups),
                      sizeof *p->dw);
    return p->dw ? ORR_OK : no_memory(p, limits);
}

static orr_status plan_fp32(conv_plan *p, const orr_limits *limits, int threads)
{
    orr_status st = ORR_ERR_UNSUPPORTED;

    if (limits->training) {
        ORR_TRY(orr_outer_create(&p->outer, &p->s, limits, threads));
        ORR_TRY(plan_bias(p, limits));
    }
    if (prefer_library(&p->s))
        st = orr_dnnl_conv_create(
            &p->library, &p->s, limits,
            &(orr_dnnl_opts){ .weights = limits->training && !p->outer, .threads = threads });
    if (st == ORR_ERR_UNSUPPORTED) {
        orr_error_clear();
        st = plan_own(p, limits, threads);
    }
    return st;
}

/* All in bf16 by the library, or, where it has no kernel, all in fp32. */
static orr_status plan_bf16(conv_plan *p, const orr_limits *limits, int threads)
{
    const orr_dnnl_opts opts = { .bf16 = 1, .weights = limits->training, .threads = threads };
    orr_status st = ORR_ERR_UNSUPPORTED;

    if (prefer_library(&p->s)) st = orr_dnnl_conv_create(&p->library, &p->s, limits, &opts);
    if (st == ORR_ERR_UNSUPPORTED) {
        orr_error_clear();
        return plan_fp32(p, limits, threads);
    }
    if (st == ORR_OK && limits->training) st = plan_bias(p, limits);
    return st;
}

static void plan_destroy(conv_plan *p)
{
    if (!p) return;
    orr_direct_release(&p->forward);
    orr_direct_release(&p->backward);
    orr_dnnl_conv_destroy(p->library);
    orr_outer_destroy(p->outer);
    orr_free(p->dw);
    orr_free(p->db);
    orr_free(p);
}

static orr_status plan_create(void **plan, const orr_conv_shape *s, const orr_limits *limits,
                              orr_status (*fill)(conv_plan *, const orr_limits *, int))
{
    conv_plan *p = orr_alloc(1, sizeof *p);
    orr_status st = ORR_OK;

    *plan = NULL;
    if (!p) return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for a plan");
    p->s = *s;
    ORR_TRY_GOTO(st, done, fill(p, limits, omp_get_max_threads()));
    *plan = p;
    p = NULL;
done:
    plan_destroy(p);
    return st;
}

orr_status orr_cpu_conv_plan(orr_backend *be, void **plan, const orr_conv_shape *s,
                             const orr_limits *limits)
{
    (void)be;
    return plan_create(plan, s, limits, plan_fp32);
}

orr_status orr_cpu_conv_plan_bf16(orr_backend *be, void **plan, const orr_conv_shape *s,
                                  const orr_limits *limits)
{
    (void)be;
    return plan_create(plan, s, limits, plan_bf16);
}

void orr_cpu_conv_unplan(orr_backend *be, void *plan)
{
    (void)be;
    plan_destroy(plan);
}

void orr_cpu_conv_forward(orr_backend *be, void *plan, const orr_batch *b, const float *x,
                          const float *w, const float *bias, float *y)
{
    (void)be;
    conv_plan *p = plan;

    if (p->library) {
        orr_dnnl_conv_forward(p->library, b->n, x, w, bias, y);
        return;
    }
    orr_direct_pack(&p->forward, w, bias, 0);
    orr_direct_run(&p->forward, b->n, x, y);
}

void orr_cpu_conv_backward_data(orr_backend *be, void *plan, const orr_batch *b, const float *dy,
                                const float *w, float *dx)
{
    (void)be;
    conv_plan *p = plan;

    if (p->library) {
        orr_dnnl_conv_backward_data(p->library, b->n, dy, w, dx);
        return;
    }
    orr_direct_pack(&p->backward, w, NULL, 1);
    orr_direct_run(&p->backward, b->n, dy, dx);
}

static void backward_bias(const conv_plan *p, const orr_batch *b, const float *dy, float *const *db)
{
    const int k = p->s.k;
    const size_t rows = (size_t)p->s.ho * p->s.wo;
    float *leaf = p->db;

#pragma omp parallel for schedule(static) if (b->n_leaves > 1 && rows * b->n * k > 1 << 16)
    for (int i = 0; i < b->n_leaves; i++)
        orr_cpu_channel_sums(rows * (size_t)(b->leaf[i + 1] - b->leaf[i]), k,
                             dy + rows * (size_t)b->leaf[i] * k, leaf + (size_t)i * k);
    for (int r = 0; r < b->n_segments; r++)
        orr_leaf_sum_f32(db[r], leaf + (size_t)b->segment[r] * k, (size_t)k,
                         b->segment[r + 1] - b->segment[r], (size_t)k);
}

void orr_cpu_conv_backward_params(orr_backend *be, void *plan, const orr_batch *b, const float *x,
                                  const float *dy, float *const *dw, float *const *db)
{
    (void)be;
    conv_plan *p = plan;
    const size_t size = (size_t)p->s.k * p->s.r * p->s.s * (p->s.c / p->s.groups);

    if (p->outer)
        orr_outer_weights(p->outer, b, x, dy, dw);
    else if (p->library)
        orr_dnnl_conv_backward_weights(p->library, b, x, dy, dw);
    else
        orr_direct_weights(&p->forward, b, x, dy, p->dw);
    for (int r = 0; !p->outer && !p->library && r < b->n_segments; r++)
        orr_leaf_sum_f32(dw[r], p->dw + (size_t)b->segment[r] * size, size,
                         b->segment[r + 1] - b->segment[r], size);
    if (db) backward_bias(p, b, dy, db);
}
