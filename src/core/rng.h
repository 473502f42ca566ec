/* core/rng.h - counter-based random numbers, Philox4x32-10.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; known
 * answers from Random123's kat_vectors.  Any value is a pure function of (key, counter): nothing is
 * stored between calls, so results depend on (seed, epoch, sample) and never on who draws, in which
 * order, or on how many ranks.   Not collective. */
#ifndef ORR_CORE_RNG_H
#define ORR_CORE_RNG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_philox {
    uint32_t v[4];
} orr_philox;

#define ORR_PHILOX_ROUNDS 10
#define ORR_PHILOX_M0     0xD2511F53u /* multipliers */
#define ORR_PHILOX_M1     0xCD9E8D57u
#define ORR_PHILOX_W0     0x9E3779B9u /* Weyl increments of the key */
#define ORR_PHILOX_W1     0xBB67AE85u

/* The bijection itself: 10 rounds over a 128-bit counter with a 64-bit key. */
static inline orr_philox orr_philox4x32(const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

#pragma GCC unroll 10
    for (int i = 0; i < ORR_PHILOX_ROUNDS; i++) {
        uint64_t p0 = (uint64_t)ORR_PHILOX_M0 * c0, p1 = (uint64_t)ORR_PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += ORR_PHILOX_W0;
        k1 += ORR_PHILOX_W1;
    }
    orr_philox out;
    out.v[0] = c0;
    out.v[1] = c1;
    out.v[2] = c2;
    out.v[3] = c3;
    return out;
}

/* What a draw is for: the domains never share a number. */
typedef enum {
    ORR_RNG_INIT = 1,    /* weights: b = parameter index */
    ORR_RNG_ORDER = 2,   /* epoch order */
    ORR_RNG_SPLIT = 3,   /* train / validation */
    ORR_RNG_DROPOUT = 4, /* b = layer index */
    ORR_RNG_AUGMENT = 5, /* b = op index */
    ORR_RNG_SYNTH = 6,   /* synthetic surveys */
    ORR_RNG_BALANCE = 7, /* class-balanced plans */
    ORR_RNG_TEST = 99
} orr_rng_domain;

/* A stream of numbers for one purpose; copy it freely, it is a value. */
typedef struct orr_rng {
    uint32_t key[2];
    uint32_t counter[4]; /* counter[0..1] = block, [2..3] = fixed by the stream */
    orr_philox block;
    int left; /* words of block not yet used */
} orr_rng;

/* The 64-bit name of a stream: a hash (two Philox calls) of seed, domain and up to three numbers,
 * such as epoch, sample key and op index. */
uint64_t orr_rng_key(uint64_t seed, orr_rng_domain domain, uint64_t a, uint64_t b, uint64_t c);
orr_rng orr_rng_stream(uint64_t key);

uint32_t orr_rng_u32(orr_rng *r);
uint64_t orr_rng_u64(orr_rng *r);
double orr_rng_uniform(orr_rng *r); /* [0, 1), 53 bits */
double orr_rng_normal(orr_rng *r);  /* mean 0, variance 1: Box-Muller, two words of 53 bits each */
uint64_t orr_rng_below(orr_rng *r, uint64_t n); /* [0, n) without bias; n > 0 */

/* The four words of block i of a stream, without moving anything: for kernels that work in
 * parallel. */
static inline orr_philox orr_rng_block(uint64_t key, uint64_t i)
{
    uint32_t k[2] = { (uint32_t)key, (uint32_t)(key >> 32) };
    uint32_t counter[4] = { (uint32_t)i, (uint32_t)(i >> 32), 0, 0 };

    return orr_philox4x32(counter, k);
}
/* 24-bit uniform in [0, 1) as float from one word. */
static inline float orr_rng_unit(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

#ifdef __cplusplus
}
#endif
#endif
