/* nn/kernels/cpu/conv.c - convolution: who does it, and the sums over leaves. */
#include "core/memory.h"
#include "nn/kernels/cpu/conv_direct.h"
#include "nn/kernels/cpu/cpu.h"
#include "nn/kernels/cpu/onednn.h"

#include <omp.h>
#include <string.h>

typedef struct conv_plan {
    orr_conv_shape s;
    orr_direct forward, backward; /* own loops; empty where the library does it */
    orr_dnnl_conv *library;       /* NULL: own loops */
    float *dw;                    /* [max_leaves][weights], then [max_leaves][k] */
    int max_leaves;
} conv_plan;

/* Who is quicker, microseconds for forward, data and weight gradient on one core with AVX-512, own
 * loops against oneDNN: 2->6 k3, 24 x 3197     149 308 143   104 200 128        1->32 3x3, 64 x
 * 28x28     195  -   368   257  -   250 6->16 k3, 24 x 1065    100 235 123    82 188  97 32->64
 * 3x3, 64 x 26x26   14.6 24.2 25.0  9.4 10.9 15.4 (ms) 16->32 k3, 24 x 354    115 147 144   115 135
 * 132        128->128 3x3, 16 x 16x16 16.6 17.2 26.4  9.0  9.7  9.2 (ms) So the library, but for
 * one channel in (no data gradient is wanted there, as a rule), for groups, and for shapes that it
 * has only reference loops for. */
static int prefer_library(const orr_conv_shape *s)
{
    return s->groups == 1 && s->c > 1;
}

static orr_status plan_own(conv_plan *p, const orr_limits *limits, int threads)
{
    ORR_TRY(orr_direct_init_forward(&p->forward, &p->s, threads));
    if (limits->training) ORR_TRY(orr_direct_init_backward(&p->backward, &p->s, threads));
    return ORR_OK;
}

static orr_status plan_fill(conv_plan *p, const orr_limits *limits)
{
    const orr_conv_shape *s = &p->s;
    const int threads = omp_get_max_threads();
    size_t per_leaf = (size_t)s->k * s->r * s->s * (s->c / s->groups) + s->k;
    orr_status st = ORR_ERR_UNSUPPORTED;

    p->max_leaves = limits->max_leaves;
    if (prefer_library(s)) st = orr_dnnl_conv_create(&p->library, s, limits, threads);
    if (st == ORR_ERR_UNSUPPORTED) {
        orr_error_clear();
        st = plan_own(p, limits, threads);
    }
    ORR_TRY(st);
    if (limits->training &&
        !(p->dw = orr_alloc((size_t)limits->max_leaves * per_leaf, sizeof *p->dw)))
        return orr_fail(ORR_ERR_NOMEM,
                        "convolution: no memory for the gradients of %d leaves, %zu bytes each",
                        limits->max_leaves, per_leaf * sizeof *p->dw);
    return ORR_OK;
}

orr_status orr_cpu_conv_plan(void **plan, const orr_conv_shape *s, const orr_limits *limits)
{
    conv_plan *p = orr_alloc(1, sizeof *p);
    orr_status st = ORR_OK;

    *plan = NULL;
    if (!p) return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for a plan");
    p->s = *s;
    ORR_TRY_GOTO(st, done, plan_fill(p, limits));
    *plan = p;
    p = NULL;
done:
    orr_cpu_conv_unplan(p);
    return st;
}

void orr_cpu_conv_unplan(void *plan)
{
    conv_plan *p = plan;

    if (!p) return;
    orr_direct_release(&p->forward);
    orr_direct_release(&p->backward);
    orr_dnnl_conv_destroy(p->library);
    orr_free(p->dw);
    orr_free(p);
}

void orr_cpu_conv_forward(void *plan, const orr_batch *b, const float *x, const float *w,
                          const float *bias, float *y)
{
    conv_plan *p = plan;

    if (p->library) {
        orr_dnnl_conv_forward(p->library, b->n, x, w, bias, y);
        return;
    }
    orr_direct_pack(&p->forward, w, bias, 0);
    orr_direct_run(&p->forward, b->n, x, y);
}

void orr_cpu_conv_backward_data(void *plan, const orr_batch *b, const float *dy, const float *w,
                                float *dx)
{
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
    float *leaf = p->dw + (size_t)p->max_leaves * p->s.r * p->s.s * (p->s.c / p->s.groups) * k;

#pragma omp parallel for schedule(static) if (b->n_leaves > 1 && rows * b->n * k > 1 << 16)
    for (int i = 0; i < b->n_leaves; i++)
        orr_cpu_channel_sums(rows * (size_t)(b->leaf[i + 1] - b->leaf[i]), k,
                             dy + rows * (size_t)b->leaf[i] * k, leaf + (size_t)i * k);
    for (int r = 0; r < b->n_runs; r++)
        orr_leaf_sum_f32(db[r], leaf + (size_t)b->run[r] * k, (size_t)k, b->run[r + 1] - b->run[r],
                         (size_t)k);
}

void orr_cpu_conv_backward_params(void *plan, const orr_batch *b, const float *x, const float *dy,
                                  float *const *dw, float *const *db)
{
    conv_plan *p = plan;
    const size_t size = (size_t)p->s.k * p->s.r * p->s.s * (p->s.c / p->s.groups);

    if (p->library)
        orr_dnnl_conv_backward_weights(p->library, b, x, dy, p->dw);
    else
        orr_direct_weights(&p->forward, b, x, dy, p->dw);
    for (int r = 0; r < b->n_runs; r++)
        orr_leaf_sum_f32(dw[r], p->dw + (size_t)b->run[r] * size, size, b->run[r + 1] - b->run[r],
                         size);
    if (db) backward_bias(p, b, dy, db);
}
