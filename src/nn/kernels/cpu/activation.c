/* nn/kernels/cpu/activation.c - activations: the rows' fast loops, over threads. */
#include "nn/kernels/cpu/cpu.h"

enum { SPAN = 1 << 14 /* elements a thread takes at a time, a multiple of the loops' block */ };

void orr_cpu_act_forward(orr_backend *be, const orr_activation *a, double alpha, size_t n,
                         const float *x, float *y)
{
    (void)be;
#pragma omp parallel for schedule(static) if (n > 2 * SPAN)
    for (size_t i = 0; i < n; i += SPAN)
        a->forward((float)alpha, n - i < SPAN ? n - i : SPAN, x + i, y + i);
}

void orr_cpu_act_backward(orr_backend *be, const orr_activation *a, double alpha, size_t n,
                          const float *from, const float *dy, float *dx)
{
    (void)be;
#pragma omp parallel for schedule(static) if (n > 2 * SPAN)
    for (size_t i = 0; i < n; i += SPAN)
        a->backward((float)alpha, n - i < SPAN ? n - i : SPAN, from + i, dy + i, dx + i);
}
