/* core/rng.c - Philox4x32-10 and streams over it. */
#include "core/rng.h"

#include <math.h>

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
