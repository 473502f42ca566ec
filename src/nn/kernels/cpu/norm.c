/* nn/kernels/cpu/norm.c - the pieces of batch normalisation.  Source: Ioffe & Szegedy 2015,
 * algorithm 1.
 *
 * Sums over rows are made in double, a few rows side by side (period.h) and then folded, in an
 * order that the shape alone gives; only wide channels are divided among threads.  A thread's share
 * of the element-wise passes is a range of rows, which changes no element. */
#include "nn/isa_private.h"
#include "nn/kernels/cpu/cpu.h"
#include "nn/kernels/cpu/period_private.h"

#include <string.h>

enum { SPAN_ELEMENTS = 1 << 15 /* of the element-wise passes, a thread at a time */ };

/* out[ch] = sum over the rows that lie side by side */
static void fold(const orr_period *p, const double *sum, double *out)
{
    for (int j = 0; j < p->channels; j++)
        out[j] = 0;
    for (int i = 0; i < p->width; i++)
        out[i % p->channels] += sum[i];
}

ORR_INLINE void add_step(int n, const float *x, double *restrict sum)
{
    for (int j = 0; j < n; j++)
        sum[j] += (double)x[j];
}

ORR_INLINE void sum_period_body(const orr_period *p, const float *x, double *sum)
{
    for (size_t i = 0; i < p->steps; i++)
        add_step(p->width, x + i * p->step, sum);
    add_step(p->tail, x + p->steps * p->step, sum);
}
ORR_CLONES(sum_period, (const orr_period *p, const float *x, double *sum), (p, x, sum))

/* A few steps in float, whose rounding does not show, halve the work. */
ORR_INLINE void float_period_body(const orr_period *p, const float *x, double *sum)
{
    enum { STEPS = 16 };
    float part[ORR_PERIOD_MAX];
    size_t i = 0;

    for (; i + STEPS <= p->steps; i += STEPS) {
        const float *from = x + i * p->step;
        for (int j = 0; j < p->width; j++)
            part[j] = from[j];
        for (int k = 1; k < STEPS; k++)
            for (int j = 0; j < p->width; j++)
                part[j] += from[k * p->step + (size_t)j];
        add_step(p->width, part, sum);
    }
    for (; i < p->steps; i++)
        add_step(p->width, x + i * p->step, sum);
    add_step(p->tail, x + p->steps * p->step, sum);
}
ORR_CLONES(float_period, (const orr_period *p, const float *x, double *sum), (p, x, sum))

ORR_INLINE void square_step(int n, const float *x, const double *mean, double *restrict sum)
{
    for (int j = 0; j < n; j++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): a tail is < width */
        double d = (double)x[j] - mean[j];
        sum[j] += d * d;
    }
}

ORR_INLINE void square_period_body(const orr_period *p, const float *x, const double *mean,
                                   double *sum)
{
    for (size_t i = 0; i < p->steps; i++)
        square_step(p->width, x + i * p->step, mean, sum);
    square_step(p->tail, x + p->steps * p->step, mean, sum);
}
ORR_CLONES(square_period, (const orr_period *p, const float *x, const double *mean, double *sum),
           (p, x, mean, sum))

void orr_cpu_norm_moments(orr_backend *be, size_t rows, int c, const float *x, double *mean,
                          double *m2)
{
    (void)be;
    double sum[ORR_PERIOD_MAX], centre[ORR_PERIOD_MAX];

    for (int first = 0, at = 0; first < c; at = first) {
        orr_period p = orr_period_next(rows, c, &first);
        memset(sum, 0, (size_t)p.width * sizeof *sum);
        sum_period(&p, x + at, sum);
        fold(&p, sum, mean + at);
        for (int j = 0; j < p.channels; j++)
            mean[at + j] = rows ? mean[at + j] / (double)rows : 0;
        for (int i = 0; i < p.width; i++)
            centre[i] = mean[at + i % p.channels];
        memset(sum, 0, (size_t)p.width * sizeof *sum);
        square_period(&p, x + at, centre, sum);
        fold(&p, sum, m2 + at);
    }
}

void orr_cpu_channel_sums(size_t rows, int c, const float *x, float *out)
{
    double sum[ORR_PERIOD_MAX], folded[ORR_PERIOD_MAX];

    for (int first = 0, at = 0; first < c; at = first) {
        orr_period p = orr_period_next(rows, c, &first);
        memset(sum, 0, (size_t)p.width * sizeof *sum);
        float_period(&p, x + at, sum);
        fold(&p, sum, folded);
        for (int j = 0; j < p.channels; j++)
            out[at + j] = (float)folded[j];
    }
}

ORR_INLINE void product_step(int n, const float *x, const float *mean, const float *inv,
                             const float *dy, double *restrict a, double *restrict b)
{
    for (int j = 0; j < n; j++) {
        a[j] += (double)dy[j];
        b[j] += (double)dy[j] * (double)((x[j] - mean[j]) * inv[j]);
    }
}

ORR_INLINE void product_period_body(const orr_period *p, const float *x, const float *mean,
                                    const float *inv, const float *dy, double *a, double *b)
{
    for (size_t i = 0; i < p->steps; i++)
        product_step(p->width, x + i * p->step, mean, inv, dy + i * p->step, a, b);
    product_step(p->tail, x + p->steps * p->step, mean, inv, dy + p->steps * p->step, a, b);
}
ORR_CLONES(product_period,
           (const orr_period *p, const float *x, const float *mean, const float *inv,
            const float *dy, double *a, double *b),
           (p, x, mean, inv, dy, a, b))

void orr_cpu_norm_backward_sums(orr_backend *be, size_t rows, int c, const float *x,
                                const float *mean, const float *inv_std, const float *dy,
                                double *sum_dy, double *sum_dy_xhat)
{
    (void)be;
    double a[ORR_PERIOD_MAX], b[ORR_PERIOD_MAX];
    float m[ORR_PERIOD_MAX], inv[ORR_PERIOD_MAX];

    for (int first = 0, at = 0; first < c; at = first) {
        orr_period p = orr_period_next(rows, c, &first);
        orr_period_fill(&p, mean + at, m);
        orr_period_fill(&p, inv_std + at, inv);
        memset(a, 0, (size_t)p.width * sizeof *a);
        memset(b, 0, (size_t)p.width * sizeof *b);
        product_period(&p, x + at, m, inv, dy + at, a, b);
        fold(&p, a, sum_dy + at);
        fold(&p, b, sum_dy_xhat + at);
    }
}

/* Rows a thread takes at a time: whole steps, about SPAN_ELEMENTS. */
static size_t rows_per_span(int c)
{
    size_t rows = SPAN_ELEMENTS / (size_t)c / 16 * 16;

    return rows ? rows : 16;
}

/* What the element-wise passes need of each channel, repeated over a step. */
typedef struct norm_factors {
    float mean[ORR_PERIOD_MAX], scale[ORR_PERIOD_MAX], shift[ORR_PERIOD_MAX], inv[ORR_PERIOD_MAX],
        slope[ORR_PERIOD_MAX];
} norm_factors;

ORR_INLINE void forward_step(int n, const norm_factors *f, const float *x, float *y)
{
    for (int j = 0; j < n; j++)
        y[j] = (x[j] - f->mean[j]) * f->scale[j] + f->shift[j];
}

ORR_INLINE void forward_period_body(const orr_period *p, const norm_factors *f, const float *x,
                                    float *y)
{
    for (size_t i = 0; i < p->steps; i++)
        forward_step(p->width, f, x + i * p->step, y + i * p->step);
    forward_step(p->tail, f, x + p->steps * p->step, y + p->steps * p->step);
}
ORR_CLONES(forward_period, (const orr_period *p, const norm_factors *f, const float *x, float *y),
           (p, f, x, y))

static void forward_rows(size_t rows, int c, const float *x, const float *mean,
                         const float *inv_std, const float *gamma, const float *beta, float *y)
{
    norm_factors f;

    for (int first = 0, at = 0; first < c; at = first) {
        orr_period p = orr_period_next(rows, c, &first);
        orr_period_fill(&p, mean + at, f.mean);
        orr_period_fill(&p, beta + at, f.shift);
        for (int i = 0; i < p.width; i++)
            f.scale[i] = gamma[at + i % p.channels] * inv_std[at + i % p.channels];
        forward_period(&p, &f, x + at, y + at);
    }
}

void orr_cpu_norm_forward(orr_backend *be, size_t rows, int c, const float *x, const float *mean,
                          const float *inv_std, const float *gamma, const float *beta, float *y)
{
    (void)be;
    const size_t span = rows_per_span(c);

#pragma omp parallel for schedule(static) if (rows > 2 * span)
    for (size_t r = 0; r < rows; r += span)
        forward_rows(rows - r < span ? rows - r : span, c, x + r * c, mean, inv_std, gamma, beta,
                     y + r * c);
}

/* dx = scale (dy - shift - (x - mean) inv slope) */
ORR_INLINE void backward_step(int n, const norm_factors *f, const float *x, const float *dy,
                              float *dx)
{
    for (int j = 0; j < n; j++)
        dx[j] =
            f->scale[j] * ((dy[j] - f->shift[j]) - (x[j] - f->mean[j]) * f->inv[j] * f->slope[j]);
}

ORR_INLINE void backward_period_body(const orr_period *p, const norm_factors *f, const float *x,
                                     const float *dy, float *dx)
{
    for (size_t i = 0; i < p->steps; i++)
        backward_step(p->width, f, x + i * p->step, dy + i * p->step, dx + i * p->step);
    backward_step(p->tail, f, x + p->steps * p->step, dy + p->steps * p->step,
                  dx + p->steps * p->step);
}
ORR_CLONES(backward_period,
           (const orr_period *p, const norm_factors *f, const float *x, const float *dy, float *dx),
           (p, f, x, dy, dx))

typedef struct backward_args {
    int c;
    const float *mean, *inv_std, *gamma, *mean_dy, *mean_dy_xhat;
} backward_args;

static void backward_rows(size_t rows, const backward_args *a, const float *x, const float *dy,
                          float *dx)
{
    norm_factors f;

    for (int first = 0, at = 0; first < a->c; at = first) {
        orr_period p = orr_period_next(rows, a->c, &first);
        orr_period_fill(&p, a->mean + at, f.mean);
        orr_period_fill(&p, a->inv_std + at, f.inv);
        orr_period_fill(&p, a->mean_dy + at, f.shift);
        orr_period_fill(&p, a->mean_dy_xhat + at, f.slope);
        for (int i = 0; i < p.width; i++)
            f.scale[i] = a->gamma[at + i % p.channels] * a->inv_std[at + i % p.channels];
        backward_period(&p, &f, x + at, dy + at, dx + at);
    }
}

void orr_cpu_norm_backward_data(orr_backend *be, size_t rows, int c, const float *x,
                                const float *mean, const float *inv_std, const float *gamma,
                                const float *mean_dy, const float *mean_dy_xhat, const float *dy,
                                float *dx)
{
    (void)be;
    const backward_args a = { c, mean, inv_std, gamma, mean_dy, mean_dy_xhat };
    const size_t span = rows_per_span(c);

#pragma omp parallel for schedule(static) if (rows > 2 * span)
    for (size_t r = 0; r < rows; r += span)
        backward_rows(rows - r < span ? rows - r : span, &a, x + r * c, dy + r * c, dx + r * c);
}
