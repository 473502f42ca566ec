/* core/rng.c - Philox4x32-10 and streams over it. */
#include "core/rng.h"

#include <math.h>

enum { ROUNDS = 10 };
static const uint32_t M0 = 0xD2511F53u, M1 = 0xCD9E8D57u; /* multipliers */
static const uint32_t W0 = 0x9E3779B9u, W1 = 0xBB67AE85u; /* Weyl increments of the key */

orr_philox orr_philox4x32(const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t p0 = (uint64_t)M0 * c0, p1 = (uint64_t)M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += W0;
        k1 += W1;
    }
    return (orr_philox){ { c0, c1, c2, c3 } };
}

uint64_t orr_rng_key(uint64_t seed, orr_rng_domain domain, uint64_t a, uint64_t b, uint64_t c)
{
    uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    uint32_t first[4] = { (uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b, (uint32_t)(b >> 32) };
    orr_philox h = orr_philox4x32(first, key);
    uint32_t second[4] = { h.v[0] ^ (uint32_t)c, h.v[1] ^ (uint32_t)(c >> 32), h.v[2], h.v[3] };
    uint32_t next[2] = { key[0] ^ (uint32_t)domain, ~key[1] };

    h = orr_philox4x32(second, next);
    return ((uint64_t)h.v[1] << 32) | h.v[0];
}

orr_rng orr_rng_stream(uint64_t key)
{
    return (orr_rng){ .key = { (uint32_t)key, (uint32_t)(key >> 32) } };
}

orr_philox orr_rng_block(uint64_t key, uint64_t i)
{
    uint32_t k[2] = { (uint32_t)key, (uint32_t)(key >> 32) };
    uint32_t counter[4] = { (uint32_t)i, (uint32_t)(i >> 32), 0, 0 };

    return orr_philox4x32(counter, k);
}

uint32_t orr_rng_u32(orr_rng *r)
{
    if (r->left == 0) {
        r->block = orr_philox4x32(r->counter, r->key);
        if (++r->counter[0] == 0) r->counter[1]++;
        r->left = 4;
    }
    return r->block.v[4 - r->left--];
}

uint64_t orr_rng_u64(orr_rng *r)
{
    uint64_t lo = orr_rng_u32(r);

    return ((uint64_t)orr_rng_u32(r) << 32) | lo;
}

double orr_rng_uniform(orr_rng *r)
{
    return (double)(orr_rng_u64(r) >> 11) * 0x1p-53;
}

double orr_rng_normal(orr_rng *r)
{
    double u = 1.0 - orr_rng_uniform(r), v = orr_rng_uniform(r); /* u in (0, 1] */

    return sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * v);
}

uint64_t orr_rng_below(orr_rng *r, uint64_t n)
{
    uint64_t limit = UINT64_MAX - (UINT64_MAX % n + 1) % n; /* last value of the last whole cycle */
    uint64_t x;

    do
        x = orr_rng_u64(r);
    while (x > limit);
    return x % n;
}
