/* nn/kernels/cpu/activation.c - activations, in blocks of one size (see block_exp.h). */
#include "nn/kernels/cpu/block_exp.h"
#include "nn/kernels/cpu/cpu.h"

enum { SPAN = 1 << 14 /* elements a thread takes at a time, a multiple of the block */ };

#define EACH(EXPR)                                                                                 \
    for (int i = 0; i < ORR_BLOCK; i++)                                                            \
        out[i] = (EXPR);                                                                           \
    break

ORR_INLINE void forward_block(orr_activation a, float alpha, const float *x, float *y)
{
    float out[ORR_BLOCK];

    switch (a) {
    case ORR_RELU:
        EACH(x[i] <= 0.0f ? 0.0f : x[i]);
    case ORR_LEAKY_RELU:
        EACH(x[i] <= 0.0f ? alpha * x[i] : x[i]);
    case ORR_ELU:
        EACH(x[i] <= 0.0f ? alpha * orr_expm1_one(x[i]) : x[i]);
    case ORR_SILU:
        EACH(x[i] / (1.0f + orr_exp_one(-x[i])));
    case ORR_SIGMOID:
        EACH(1.0f / (1.0f + orr_exp_one(-x[i])));
    case ORR_TANH:
        EACH(orr_expm1_one(2.0f * x[i]) / (orr_expm1_one(2.0f * x[i]) + 2.0f));
    }
    memcpy(y, out, sizeof out);
}

/* d = dy/dx from y; silu's y is its x */
ORR_INLINE void backward_block(orr_activation a, float alpha, const float *y, const float *dy,
                               float *dx)
{
    float out[ORR_BLOCK];

    switch (a) {
    case ORR_RELU:
        EACH(y[i] <= 0.0f ? 0.0f * dy[i] : dy[i]);
    case ORR_LEAKY_RELU:
        EACH(y[i] <= 0.0f ? alpha * dy[i] : dy[i]);
    case ORR_ELU:
        EACH(y[i] <= 0.0f ? (y[i] + alpha) * dy[i] : dy[i]);
    case ORR_SILU:
        for (int i = 0; i < ORR_BLOCK; i++) {
            float s = 1.0f / (1.0f + orr_exp_one(-y[i]));
            out[i] = s * (1.0f + y[i] * (1.0f - s)) * dy[i];
        }
        break;
    case ORR_SIGMOID:
        EACH(y[i] * (1.0f - y[i]) * dy[i]);
    case ORR_TANH:
        EACH((1.0f - y[i] * y[i]) * dy[i]);
    }
    memcpy(dx, out, sizeof out);
}

ORR_INLINE void forward_span_body(orr_activation a, float alpha, size_t n, const float *x, float *y)
{
    float tail[ORR_BLOCK] = { 0 };
    size_t i = 0;

    for (; i + ORR_BLOCK <= n; i += ORR_BLOCK)
        forward_block(a, alpha, x + i, y + i);
    if (i == n) return;
    memcpy(tail, x + i, (n - i) * sizeof *x);
    forward_block(a, alpha, tail, tail);
    memcpy(y + i, tail, (n - i) * sizeof *y);
}
ORR_CLONES(forward_span, (orr_activation a, float alpha, size_t n, const float *x, float *y),
           (a, alpha, n, x, y))

ORR_INLINE void backward_span_body(orr_activation a, float alpha, size_t n, const float *y,
                                   const float *dy, float *dx)
{
    float tail[2][ORR_BLOCK] = { { 0 } };
    size_t i = 0;

    for (; i + ORR_BLOCK <= n; i += ORR_BLOCK)
        backward_block(a, alpha, y + i, dy + i, dx + i);
    if (i == n) return;
    memcpy(tail[0], y + i, (n - i) * sizeof *y);
    memcpy(tail[1], dy + i, (n - i) * sizeof *dy);
    backward_block(a, alpha, tail[0], tail[1], tail[1]);
    memcpy(dx + i, tail[1], (n - i) * sizeof *dx);
}
ORR_CLONES(backward_span,
           (orr_activation a, float alpha, size_t n, const float *y, const float *dy, float *dx),
           (a, alpha, n, y, dy, dx))

void orr_cpu_act_forward(orr_backend *be, orr_activation a, double alpha, size_t n, const float *x,
                         float *y)
{
    (void)be;
#pragma omp parallel for schedule(static) if (n > 2 * SPAN)
    for (size_t i = 0; i < n; i += SPAN)
        forward_span(a, (float)alpha, n - i < SPAN ? n - i : SPAN, x + i, y + i);
}

void orr_cpu_act_backward(orr_backend *be, orr_activation a, double alpha, size_t n, const float *x,
                          const float *y, const float *dy, float *dx)
{
    (void)be;
    const float *from = a == ORR_SILU ? x : y;

#pragma omp parallel for schedule(static) if (n > 2 * SPAN)
    for (size_t i = 0; i < n; i += SPAN)
        backward_span(a, (float)alpha, n - i < SPAN ? n - i : SPAN, from + i, dy + i, dx + i);
}
