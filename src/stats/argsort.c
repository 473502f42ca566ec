/* stats/argsort.c - values laid on a grid of 2^22 steps between their least and largest, sorted by
 * radix; those that share a step by the same again, within it. */
#include "stats/argsort_private.h"

#include <math.h>

enum { DIGIT = 11, BUCKETS = 1 << DIGIT, PASSES = 2, FEW = 24, STEPS = 1 << (PASSES * DIGIT) };

/* By the upper half; an even number of passes ends in keys. */
static void radix(uint64_t *keys, uint64_t *scratch, int64_t n)
{
    uint32_t count[PASSES][BUCKETS] = { { 0 } };
    uint64_t *from = keys, *to = scratch;

    for (int64_t i = 0; i < n; i++)
        for (int p = 0; p < PASSES; p++)
            count[p][keys[i] >> (32 + p * DIGIT) & (BUCKETS - 1)]++;
    for (int p = 0; p < PASSES; p++) {
        uint32_t before = 0;
        for (int b = 0; b < BUCKETS; b++) {
            uint32_t here = count[p][b];
            count[p][b] = before;
            before += here;
        }
        for (int64_t i = 0; i < n; i++)
            to[count[p][from[i] >> (32 + p * DIGIT) & (BUCKETS - 1)]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
}

static void insertion(const double *v, uint64_t *keys, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        double value = v[orr_argsort_index(key)];
        int64_t j = i;
        for (; j > 0 && v[orr_argsort_index(keys[j - 1])] > value; j--)
            keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

/* keys hold indices.  A step is 2^-22 of the range above it, so this nests 100 deep at most, and
 * that only for values spread over all of double's exponents. */
static void sort(const double *v, uint64_t *keys, uint64_t *scratch,
                 int64_t n) // NOLINT(misc-no-recursion)
{
    double least = INFINITY, most = -INFINITY;

    if (n <= FEW) {
        insertion(v, keys, n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        double x = v[orr_argsort_index(keys[i])];
        least = x < least ? x : least;
        most = x > most ? x : most;
    }
    if (!(least < most)) return;
    /* halves, so that the range is finite; large units for one below the smallest normal number */
    const double range = 0.5 * most - 0.5 * least, unit = range < 1e-280 ? 0x1p600 : 0.5;
    const double scale = (STEPS - 1) / (most * unit - least * unit);
    for (int64_t i = 0; i < n; i++) {
        uint32_t index = orr_argsort_index(keys[i]);
        double place = (v[index] * unit - least * unit) * scale;
        keys[i] = (uint64_t)(place < STEPS - 1 ? place : STEPS - 1) << 32 | index;
    }
    radix(keys, scratch, n);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && keys[end] >> 32 == keys[i] >> 32; end++)
            ;
        if (end - i > 1) sort(v, keys + i, scratch, end - i);
    }
}

void orr_argsort(const double *v, int64_t n, uint64_t *keys, uint64_t *scratch)
{
    for (int64_t i = 0; i < n; i++)
        keys[i] = (uint64_t)i;
    sort(v, keys, scratch, n);
}

double orr_auc_by_order(const double *score, const uint8_t *positive, int64_t n, uint64_t *keys,
                        uint64_t *scratch)
{
    int64_t negatives = 0, positives = 0, twice_u = 0; /* so far, from the lowest score up */

    orr_argsort(score, n, keys, scratch);
    for (int64_t i = 0, end; i < n; i = end) {
        const uint64_t step = keys[i] >> 32; /* equal scores share it, whatever its sort was */
        int64_t tied = positive[orr_argsort_index(keys[i])];
        for (end = i + 1; end < n && keys[end] >> 32 == step &&
                          score[orr_argsort_index(keys[end])] == score[orr_argsort_index(keys[i])];
             end++)
            tied += positive[orr_argsort_index(keys[end])];
        twice_u += tied * (2 * negatives + (end - i - tied));
        negatives += end - i - tied;
        positives += tied;
    }
    return positives && negatives ? (double)twice_u / (double)(2 * positives * negatives) : NAN;
}
