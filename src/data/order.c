/* data/order.c - epoch orders that can be asked for any place.
 * The bijection is format-preserving encryption in the sense of Black and Rogaway, "Ciphers with
 * arbitrary finite domains", CT-RSA 2002: a Feistel network over a power of four, walked along its
 * cycle until it lands below n. */
#include "data/order.h"

#include "core/memory.h"
#include "core/rng.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* Over halves of a few bits, four rounds are visibly uneven (a row's place off by a per cent); ten
 * are not. */
enum { ROUNDS = 4, ROUNDS_SMALL = 10, SMALL_HALF = 8 };

struct orr_order {
    orr_order_opts o;
    int64_t length;
    int64_t *first;      /* balanced: class k owns members [first[k], first[k+1]) ... */
    int64_t *members;    /* ... places in `rows`, by class and then as listed */
    int64_t *quota;      /* balanced: class k owns draws [quota[k], quota[k+1]) of an epoch */
    double *cumulative;  /* weighted: n_rows */
    int64_t last_weight; /* weighted: the last row with a weight */
};

/* Bits of one half: the smallest with 4^half >= n, at least 3. */
static int half_bits(uint64_t n)
{
    int bits = n <= 64 ? 6 : 64 - __builtin_clzll(n - 1);

    return (bits + 1) / 2;
}

static uint64_t feistel(uint64_t x, int half, uint64_t key)
{
    const uint32_t mask = half == 32 ? UINT32_MAX : ((uint32_t)1 << half) - 1;
    const uint32_t k[2] = { (uint32_t)key, (uint32_t)(key >> 32) };
    const uint32_t rounds = half < SMALL_HALF ? ROUNDS_SMALL : ROUNDS;
    uint32_t left = (uint32_t)(x >> half) & mask, right = (uint32_t)x & mask;

    for (uint32_t round = 0; round < rounds; round++) {
        const uint32_t counter[4] = { right, round, (uint32_t)half, 0 };
        uint32_t next = left ^ (orr_philox4x32(counter, k).v[0] & mask);
        left = right;
        right = next;
    }
    return ((uint64_t)left << half) | right;
}

uint64_t orr_shuffle(uint64_t n, uint64_t key, uint64_t i)
{
    const int half = half_bits(n);

    do
        i = feistel(i, half, key);
    while (i >= n);
    return i;
}

/* ---- balanced ---- */
typedef struct remainder_of {
    double part;
    int class;
} remainder_of;

static int by_remainder(const void *pa, const void *pb)
{
    const remainder_of *a = pa, *b = pb;

    if (a->part != b->part) return a->part > b->part ? -1 : 1;
    return a->class - b->class;
}

/* quota[k] = draws of class k in an epoch: shares of `length` by largest remainder. */
static orr_status divide(int64_t length, int n, const double *shares, int64_t *quota)
{
    double total = 0;
    int64_t given = 0;
    remainder_of *rest = orr_alloc((size_t)n, sizeof *rest);

    if (!rest) return orr_fail(ORR_ERR_NOMEM, "order: no memory for %d classes", n);
    for (int k = 0; k < n; k++)
        total += shares ? shares[k] : 1;
    for (int k = 0; k < n; k++) {
        double exact = (double)length * ((shares ? shares[k] : 1) / total);
        quota[k] = (int64_t)floor(exact);
        rest[k] = (remainder_of){ exact - floor(exact), k };
        given += quota[k];
    }
    qsort(rest, (size_t)n, sizeof *rest, by_remainder);
    for (int i = 0; given < length; i = (i + 1) % n)
        if (!shares || shares[rest[i].class] > 0) {
            quota[rest[i].class]++;
            given++;
        }
    orr_free(rest);
    return ORR_OK;
}

static orr_status check_shares(const orr_order_opts *o)
{
    double total = 0;

    if (!o->labels || o->n_classes < 1)
        return orr_fail(ORR_ERR_ARG, "order: balanced needs class labels");
    for (int k = 0; k < o->n_classes; k++) {
        double share = o->shares ? o->shares[k] : 1;
        if (!(share >= 0) || !isfinite(share))
            return orr_fail(ORR_ERR_ARG, "order: the share of class %d is %g", k, share);
        total += share;
    }
    if (!(total > 0) || !isfinite(total))
        return orr_fail(ORR_ERR_ARG, "order: the shares sum up to %g", total);
    for (int64_t i = 0; i < o->n_rows; i++)
        if (o->labels[i] < 0 || o->labels[i] >= o->n_classes)
            return orr_fail(ORR_ERR_ARG,
                            "order: row %" PRId64 " has the label %d; there are classes 0 to %d", i,
                            o->labels[i], o->n_classes - 1);
    return ORR_OK;
}

static orr_status prepare_balanced(orr_order *d)
{
    const orr_order_opts *o = &d->o;
    const int n = o->n_classes;
    int64_t *fill = NULL, sum = 0;
    orr_status st = ORR_OK;

    ORR_TRY(check_shares(o));
    d->first = orr_alloc((size_t)n + 1, sizeof *d->first);
    d->quota = orr_alloc((size_t)n + 1, sizeof *d->quota);
    d->members = orr_alloc((size_t)o->n_rows, sizeof *d->members);
    fill = orr_alloc((size_t)n, sizeof *fill);
    if (!d->first || !d->quota || !d->members || !fill) {
        st = orr_fail(ORR_ERR_NOMEM, "order: no memory for %" PRId64 " rows by class", o->n_rows);
        goto done;
    }
    for (int64_t i = 0; i < o->n_rows; i++)
        d->first[o->labels[i] + 1]++;
    for (int k = 0; k < n; k++) {
        if (d->first[k + 1] == 0 && (!o->shares || o->shares[k] > 0)) {
            st = orr_fail(ORR_ERR_ARG, "order: class %d has a share of the batch and no rows", k);
            goto done;
        }
        d->first[k + 1] += d->first[k];
        fill[k] = d->first[k];
    }
    for (int64_t i = 0; i < o->n_rows; i++)
        d->members[fill[o->labels[i]]++] = i;
    ORR_TRY_GOTO(st, done, divide(d->length, n, o->shares, d->quota));
    for (int k = 0; k <= n; k++) {
        int64_t mine = k < n ? d->quota[k] : 0;
        d->quota[k] = sum;
        sum += mine;
    }
done:
    orr_free(fill);
    return st;
}

/* Last i of [0, n) with from[i] <= x (from ascending, from[0] <= x). */
static int last_at_most(const int64_t *from, int n, int64_t x)
{
    int lo = 0, hi = n - 1;

    while (lo < hi) {
        int mid = lo + (hi - lo + 1) / 2;
        if (from[mid] <= x)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

static int64_t balanced_row(const orr_order *d, int64_t epoch, int64_t place)
{
    uint64_t seed = d->o.seed;
    uint64_t mix = orr_rng_key(seed, ORR_RNG_BALANCE, (uint64_t)epoch, 0, 0);
    int64_t draw = (int64_t)orr_shuffle((uint64_t)d->length, mix, (uint64_t)place);
    int k = last_at_most(d->quota, d->o.n_classes, draw);
    int64_t size = d->first[k + 1] - d->first[k];
    int64_t nth = epoch * (d->quota[k + 1] - d->quota[k]) +
                  (draw - d->quota[k]); /* draw of the class in the job */
    uint64_t key = orr_rng_key(seed, ORR_RNG_BALANCE, (uint64_t)(nth / size), (uint64_t)k, 1);

    return d
        ->members[d->first[k] + (int64_t)orr_shuffle((uint64_t)size, key, (uint64_t)(nth % size))];
}

/* ---- weighted ---- */
static orr_status prepare_weighted(orr_order *d)
{
    const orr_order_opts *o = &d->o;
    double sum = 0;

    if (!o->weights) return orr_fail(ORR_ERR_ARG, "order: weighted needs weights");
    if (!(d->cumulative = orr_alloc((size_t)o->n_rows, sizeof *d->cumulative)))
        return orr_fail(ORR_ERR_NOMEM, "order: no memory for %" PRId64 " weights", o->n_rows);
    for (int64_t i = 0; i < o->n_rows; i++) {
        if (!(o->weights[i] >= 0) || !isfinite(o->weights[i]))
            return orr_fail(ORR_ERR_ARG, "order: the weight of row %" PRId64 " is %g", i,
                            o->weights[i]);
        if (o->weights[i] > 0) d->last_weight = i;
        d->cumulative[i] = sum += o->weights[i];
    }
    if (!(sum > 0) || !isfinite(sum))
        return orr_fail(ORR_ERR_ARG, "order: the weights sum up to %g", sum);
    return ORR_OK;
}

static int64_t weighted_row(const orr_order *d, int64_t epoch, int64_t place)
{
    uint64_t key = orr_rng_key(d->o.seed, ORR_RNG_BALANCE, (uint64_t)epoch, 0, 2);
    orr_philox block = orr_rng_block(key, (uint64_t)place);
    uint64_t word = ((uint64_t)block.v[1] << 32) | block.v[0];
    double at = (double)(word >> 11) * 0x1p-53 * d->cumulative[d->o.n_rows - 1];
    int64_t lo = 0, hi = d->last_weight;

    while (lo < hi) { /* first row whose sum lies above */
        int64_t mid = lo + (hi - lo) / 2;
        if (d->cumulative[mid] > at)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* ---- all ---- */
orr_status orr_order_create(orr_order **out, const orr_order_opts *o)
{
    orr_status st = ORR_OK;
    orr_order *d;

    *out = NULL;
    if (o->n_rows < 1 || o->epoch_length < 0)
        return orr_fail(ORR_ERR_ARG, "order: %" PRId64 " rows and an epoch of %" PRId64 " places",
                        o->n_rows, o->epoch_length);
    if (!(d = orr_alloc(1, sizeof *d))) return orr_fail(ORR_ERR_NOMEM, "order: no memory");
    d->o = *o;
    d->length = o->epoch_length > 0 ? o->epoch_length : o->n_rows;
    if (o->kind == ORR_ORDER_BALANCED) st = prepare_balanced(d);
    if (o->kind == ORR_ORDER_WEIGHTED) st = prepare_weighted(d);
    if (st != ORR_OK) {
        orr_order_destroy(d);
        return st;
    }
    d->o.labels = NULL; /* not needed any more: borrowed for the call */
    d->o.shares = d->o.weights = NULL;
    *out = d;
    return ORR_OK;
}

void orr_order_destroy(orr_order *d)
{
    if (!d) return;
    orr_free(d->first);
    orr_free(d->members);
    orr_free(d->quota);
    orr_free(d->cumulative);
    orr_free(d);
}

int64_t orr_order_length(const orr_order *d)
{
    return d->length;
}

static int64_t shuffled_row(const orr_order *d, int64_t epoch, int64_t place)
{
    int64_t nth = epoch * d->length + place,
            n = d->o.n_rows; /* draw of the job; n of them make a pass */
    uint64_t key = orr_rng_key(d->o.seed, ORR_RNG_ORDER, (uint64_t)(nth / n), 0, 0);

    return (int64_t)orr_shuffle((uint64_t)n, key, (uint64_t)(nth % n));
}

int64_t orr_order_row(const orr_order *d, int64_t epoch, int64_t place)
{
    int64_t i = 0;

    switch (d->o.kind) {
    case ORR_ORDER_FILE:
        i = place % d->o.n_rows;
        break;
    case ORR_ORDER_SHUFFLED:
        i = shuffled_row(d, epoch, place);
        break;
    case ORR_ORDER_BALANCED:
        i = balanced_row(d, epoch, place);
        break;
    case ORR_ORDER_WEIGHTED:
        i = weighted_row(d, epoch, place);
        break;
    }
    return d->o.rows ? d->o.rows[i] : i;
}
