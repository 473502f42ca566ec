/* core/numpy_random.c - numpy.random.RandomState.
 * Sources: Matsumoto, Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998); numpy/random, whose order
 * of draws is kept for ever by NEP 19. */
#include "core/numpy_random.h"

#include <math.h>

enum { N = 624, M = 397 };

void orr_numpy_seed(orr_numpy_random *r, uint32_t seed)
{
    *r = (orr_numpy_random){ .pos = N };
    for (uint32_t i = 0; i < N; i++) {
        r->mt[i] = seed;
        seed = 1812433253u * (seed ^ (seed >> 30)) + i + 1;
    }
}

static uint32_t twist(uint32_t high, uint32_t low)
{
    uint32_t y = (high & 0x80000000u) | (low & 0x7FFFFFFFu);

    return (y >> 1) ^ (low & 1 ? 0x9908B0DFu : 0);
}

static void next_state(orr_numpy_random *r)
{
    uint32_t *mt = r->mt;

    for (int i = 0; i < N; i++)
        mt[i] = mt[(i + M) % N] ^ twist(mt[i], mt[(i + 1) % N]);
    r->pos = 0;
}

uint32_t orr_numpy_u32(orr_numpy_random *r)
{
    uint32_t y;

    if (r->pos >= N) next_state(r);
    y = r->mt[r->pos++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9D2C5680u;
    y ^= (y << 15) & 0xEFC60000u;
    return y ^ (y >> 18);
}

double orr_numpy_double(orr_numpy_random *r)
{
    uint32_t high = orr_numpy_u32(r) >> 5, low = orr_numpy_u32(r) >> 6;

    return (high * 67108864.0 + low) / 9007199254740992.0;
}

double orr_numpy_normal(orr_numpy_random *r)
{
    double x, y, square, f;

    if (r->has_gauss) {
        r->has_gauss = 0;
        return r->gauss;
    }
    do {
        x = 2.0 * orr_numpy_double(r) - 1.0;
        y = 2.0 * orr_numpy_double(r) - 1.0;
        square = x * x + y * y;
    } while (square >= 1.0 || square == 0.0);
    f = sqrt(-2.0 * log(square) / square);
    r->gauss = f * x;
    r->has_gauss = 1;
    return f * y;
}

uint64_t orr_numpy_interval(orr_numpy_random *r, uint64_t max)
{
    uint64_t mask, x;

    if (max == 0) return 0;
    mask = UINT64_MAX >> __builtin_clzll(max);
    do {
        x = orr_numpy_u32(r);
        if (max > UINT32_MAX) x = x << 32 | orr_numpy_u32(r);
        x &= mask;
    } while (x > max);
    return x;
}

/* Partners are drawn some ahead of the swaps, so that their cache lines are on their way: the order
 * of draws and of swaps is numpy's. */
void orr_numpy_shuffle(orr_numpy_random *r, int64_t *x, int64_t n)
{
    enum { AHEAD = 64 };
    uint64_t partner[AHEAD];

    for (int64_t i = n - 1; i > 0;) {
        int m = i < AHEAD ? (int)i : AHEAD;

        for (int b = 0; b < m; b++) {
            partner[b] = orr_numpy_interval(r, (uint64_t)(i - b));
            __builtin_prefetch(&x[partner[b]], 1);
        }
        for (int b = 0; b < m; b++, i--) {
            int64_t kept = x[i];

            x[i] = x[partner[b]];
            x[partner[b]] = kept;
        }
    }
}

void orr_numpy_permutation(orr_numpy_random *r, int64_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = i;
    orr_numpy_shuffle(r, x, n);
}
