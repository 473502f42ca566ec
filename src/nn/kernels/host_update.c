/* nn/kernels/host_update.c - the passes over slabs: steps of Adam and SGD, which read and write
 * each number once, and the gradient's norm.
 *
 * Threads divide the slab into blocks; every element's arithmetic is its own.  This file is
 * compiled without contraction of a*b + c into one rounding, so that every instruction set gives
 * the same bits (memory is the limit, not arithmetic). */
#include "nn/kernels/host.h"

#include <math.h>

/* One body, compiled for what the processor has.  Sanitizers cannot run the resolver, which comes
 * before they start. */
#if defined __x86_64__ && !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
#define EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EACH_PROCESSOR
#endif

enum { BLOCK = 16384, PARALLEL_FROM = 4 * BLOCK, LANES = 16, NORM_PARTS = 1024 };

EACH_PROCESSOR
static void adam_block(size_t n, const orr_step_numbers *k, orr_real *restrict w,
                       const orr_real *restrict g, orr_real *restrict m, orr_real *restrict v)
{
    const orr_step_numbers s = *k;

    for (size_t i = 0; i < n; i++) {
        orr_real d = s.scale * g[i] + s.l2 * w[i];
        orr_real mi = s.beta1 * m[i] + s.rest1 * d;
        orr_real vi = s.beta2 * v[i] + s.rest2 * d * d;
#ifdef ORR_REAL_F64
        orr_real below = sqrt(vi) * s.root + s.eps;
#else
        orr_real below = sqrtf(vi) * s.root + s.eps;
#endif
        w[i] = s.decay * w[i] - s.rate * mi / below;
        m[i] = mi;
        v[i] = vi;
    }
}

EACH_PROCESSOR
static void momentum_block(size_t n, const orr_step_numbers *k, orr_real *restrict w,
                           const orr_real *restrict g, orr_real *restrict b)
{
    const orr_step_numbers s = *k;
    const orr_real own = s.look > 0 ? 1 : 0, along = s.look > 0 ? s.look : 1;

    for (size_t i = 0; i < n; i++) {
        orr_real d = s.scale * g[i] + s.l2 * w[i];
        orr_real bi = s.momentum * b[i] + d;
        w[i] -= s.rate * (own * d + along * bi);
        b[i] = bi;
    }
}

EACH_PROCESSOR
static void sgd_block(size_t n, const orr_step_numbers *k, orr_real *restrict w,
                      const orr_real *restrict g)
{
    const orr_step_numbers s = *k;

    for (size_t i = 0; i < n; i++)
        w[i] -= s.rate * (s.scale * g[i] + s.l2 * w[i]);
}

static size_t block_length(size_t n, size_t at)
{
    return n - at < BLOCK ? n - at : BLOCK;
}

void orr_host_adam(orr_backend *be, size_t n, const orr_step_numbers *k, orr_real *w,
                   const orr_real *g, orr_real *m, orr_real *v)
{
    (void)be;
#pragma omp parallel for schedule(static) if (n >= PARALLEL_FROM)
    for (size_t at = 0; at < n; at += BLOCK)
        adam_block(block_length(n, at), k, w + at, g + at, m + at, v + at);
}

void orr_host_momentum(orr_backend *be, size_t n, const orr_step_numbers *k, orr_real *w,
                       const orr_real *g, orr_real *buffer)
{
    (void)be;
#pragma omp parallel for schedule(static) if (n >= PARALLEL_FROM)
    for (size_t at = 0; at < n; at += BLOCK)
        momentum_block(block_length(n, at), k, w + at, g + at, buffer + at);
}

void orr_host_sgd(orr_backend *be, size_t n, const orr_step_numbers *k, orr_real *w,
                  const orr_real *g)
{
    (void)be;
#pragma omp parallel for schedule(static) if (n >= PARALLEL_FROM)
    for (size_t at = 0; at < n; at += BLOCK)
        sgd_block(block_length(n, at), k, w + at, g + at);
}

/* Sum of squares in LANES running sums, folded in order. */
EACH_PROCESSOR
static double sum_of_squares(const orr_real *g, size_t n)
{
    double lane[LANES] = { 0 }, sum = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        for (int l = 0; l < LANES; l++)
            lane[l] += (double)g[i + (size_t)l] * (double)g[i + (size_t)l];
    }
    for (int l = 0; i < n; i++, l++)
        lane[l] += (double)g[i] * (double)g[i];
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

/* The slab in at most NORM_PARTS blocks whose borders depend on n alone. */
orr_status orr_host_norm(orr_backend *be, size_t n, const orr_real *x, double *out)
{
    const size_t least = 4096, even = (n + NORM_PARTS - 1) / NORM_PARTS;
    const size_t block = even > least ? even : least, n_blocks = (n + block - 1) / block;
    double part[NORM_PARTS], sum;

    (void)be;
#pragma omp parallel for schedule(static) if (n >= PARALLEL_FROM)
    for (size_t i = 0; i < n_blocks; i++) {
        size_t at = i * block;
        part[i] = sum_of_squares(x + at, n - at < block ? n - at : block);
    }
    orr_leaf_sum_f64(&sum, part, 1, (int)n_blocks, 1);
    *out = sqrt(sum);
    return ORR_OK;
}
