/* nn/activations/loops_private.h - the fast loops of an activation.
 *
 * ORR_ACTIVATION_LOOPS(NAME, FORWARD, BACKWARD) makes NAME_forward and NAME_backward of two
 * expressions in float: FORWARD of v (an element of x) and alpha, BACKWARD of v (what backward
 * reads), d (dy) and alpha.  They run in blocks of one size, so that an element's bits do not
 * depend on where it lies (nn/block_exp_private.h, which has e^x for them), for three
 * instruction sets.   Not collective. */
#ifndef ORR_NN_ACTIVATIONS_LOOPS_PRIVATE_H
#define ORR_NN_ACTIVATIONS_LOOPS_PRIVATE_H

#include "nn/activations/activation.h"
#include "nn/block_exp_private.h"
#include "nn/layers/activation.h"

#ifdef ORR_REAL_F64
#define ORR_ACTIVATION_LOOPS(NAME, FORWARD, BACKWARD)
#define ORR_ACTIVATION_FAST(NAME) NULL
#else
#define ORR_ACTIVATION_FAST(NAME) NAME
#define ORR_ACTIVATION_LOOPS(NAME, FORWARD, BACKWARD)                                              \
    ORR_INLINE void NAME##_forward_block(float alpha, const float *x, float *y)                    \
    {                                                                                              \
        float out[ORR_BLOCK];                                                                      \
        (void)alpha;                                                                               \
        for (int i = 0; i < ORR_BLOCK; i++) {                                                      \
            const float v = x[i];                                                                  \
            out[i] = (FORWARD);                                                                    \
        }                                                                                          \
        memcpy(y, out, sizeof out);                                                                \
    }                                                                                              \
    ORR_INLINE void NAME##_backward_block(float alpha, const float *from, const float *dy,         \
                                          float *dx)                                               \
    {                                                                                              \
        float out[ORR_BLOCK];                                                                      \
        (void)alpha;                                                                               \
        for (int i = 0; i < ORR_BLOCK; i++) {                                                      \
            const float v = from[i], d = dy[i];                                                    \
            out[i] = (BACKWARD);                                                                   \
        }                                                                                          \
        memcpy(dx, out, sizeof out);                                                               \
    }                                                                                              \
    ORR_INLINE void NAME##_forward_body(float alpha, size_t n, const float *x, float *y)           \
    {                                                                                              \
        float tail[ORR_BLOCK] = { 0 };                                                             \
        size_t i = 0;                                                                              \
        for (; i + ORR_BLOCK <= n; i += ORR_BLOCK)                                                 \
            NAME##_forward_block(alpha, x + i, y + i);                                             \
        if (i == n) return;                                                                        \
        memcpy(tail, x + i, (n - i) * sizeof *x);                                                  \
        NAME##_forward_block(alpha, tail, tail);                                                   \
        memcpy(y + i, tail, (n - i) * sizeof *y);                                                  \
    }                                                                                              \
    ORR_CLONES(NAME##_forward, (float alpha, size_t n, const float *x, float *y),                  \
               (alpha, n, x, y))                                                                   \
    ORR_INLINE void NAME##_backward_body(float alpha, size_t n, const float *from,                 \
                                         const float *dy, float *dx)                               \
    {                                                                                              \
        float tail[2][ORR_BLOCK] = { { 0 } };                                                      \
        size_t i = 0;                                                                              \
        for (; i + ORR_BLOCK <= n; i += ORR_BLOCK)                                                 \
            NAME##_backward_block(alpha, from + i, dy + i, dx + i);                                \
        if (i == n) return;                                                                        \
        memcpy(tail[0], from + i, (n - i) * sizeof *from);                                         \
        memcpy(tail[1], dy + i, (n - i) * sizeof *dy);                                             \
        NAME##_backward_block(alpha, tail[0], tail[1], tail[1]);                                   \
        memcpy(dx + i, tail[1], (n - i) * sizeof *dx);                                             \
    }                                                                                              \
    ORR_CLONES(NAME##_backward,                                                                    \
               (float alpha, size_t n, const float *from, const float *dy, float *dx),             \
               (alpha, n, from, dy, dx))
#endif

#endif
