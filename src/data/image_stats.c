/* data/image_stats.c - statistics of every number of a sample.
 * Chan, Golub, LeVeque 1983, The American Statistician 37: joining sums of squares about means.
 * A block is gone through in tiles of neighbouring numbers, so that a tile's sums stay in the
 * nearest cache while the rows pass by. */
#include "data/image_stats.h"

#include "core/memory.h"
#include "data/half.h"
#include "data/shard_private.h"
#include "data/transform.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TILE = 128, SLACK_BYTES = 1 << 18 };

/* Sums over n numbers are PARTS arrays of n: how many finite values, their mean, the sum of squares
 * about it, least and greatest.  Where the count is 0 the others mean nothing. */
enum { COUNT, MEAN, SQUARES, MIN, MAX, PARTS };

static size_t n_numbers(const orr_schema *s)
{
    return (size_t)s->h * (size_t)s->w * (size_t)s->c;
}

size_t orr_image_stats_size(const orr_schema *s)
{
    return PARTS * n_numbers(s);
}

/* ---- a block ---- */
/* n <= TILE stored numbers from number `at` on. */
static void widen(double *restrict out, orr_x_type type, const void *x, size_t at, size_t n)
{
    if (type == ORR_X_F32) {
        const float *in = (const float *)x + at;
        for (size_t i = 0; i < n; i++)
            out[i] = in[i];
    } else if (type == ORR_X_U8) {
        const uint8_t *in = (const uint8_t *)x + at;
        for (size_t i = 0; i < n; i++)
            out[i] = in[i];
    } else {
        float part[TILE];
        orr_half_to_float(part, (const uint16_t *)x + at, n);
        for (size_t i = 0; i < n; i++)
            out[i] = part[i];
    }
}

/* NaN compares with nothing, not even itself: no branch is needed to leave it out. */
static double finite_or_nan(double x)
{
    return x + (x - x);
}

/* Numbers [first, first + width) of all rows: sums, least, greatest; then squares. */
static void tile(const orr_schema *s, const void *x, int n, size_t first, size_t width,
                 double *sums)
{
    const size_t numbers = n_numbers(s);
    double *restrict count = sums + first, *restrict mean = count + MEAN * numbers;
    double *restrict squares = count + SQUARES * numbers, *restrict lo = count + MIN * numbers;
    double *restrict hi = count + MAX * numbers;
    double v[TILE];

    for (size_t i = 0; i < width; i++) {
        count[i] = mean[i] = squares[i] = 0;
        lo[i] = INFINITY;
        hi[i] = -INFINITY;
    }
    for (int row = 0; row < n; row++) {
        widen(v, s->x_type, x, (size_t)row * numbers + first, width);
        for (size_t i = 0; i < width; i++) {
            double a = finite_or_nan(v[i]);
            count[i] += a == a ? 1 : 0;
            mean[i] += a == a ? a : 0;
            lo[i] = a < lo[i] ? a : lo[i];
            hi[i] = a > hi[i] ? a : hi[i];
        }
    }
    for (size_t i = 0; i < width; i++)
        mean[i] = count[i] > 0 ? mean[i] / count[i] : 0;
    for (int row = 0; row < n; row++) {
        widen(v, s->x_type, x, (size_t)row * numbers + first, width);
        for (size_t i = 0; i < width; i++) {
            double d = finite_or_nan(v[i]) - mean[i];
            squares[i] += d == d ? d * d : 0;
        }
    }
}

orr_status orr_image_stats_block(const orr_schema *s, const void *x, int n, double *sums)
{
    const size_t numbers = n_numbers(s);

    if (n < 0 || n > ORR_FIT_BLOCK)
        return orr_fail(ORR_ERR_ARG, "statistics: a block of %d rows", n);
    for (size_t first = 0; first < numbers; first += TILE)
        tile(s, x, n, first, numbers - first < TILE ? numbers - first : TILE, sums);
    return ORR_OK;
}

/* ---- joining ---- */
/* Number i of a, sums over na, becomes that of its values and those of number j of b, sums over nb.
 */
static void join(double *a, size_t na, size_t i, const double *b, size_t nb, size_t j)
{
    double *to[PARTS], more[PARTS], n, d;

    for (size_t k = 0; k < PARTS; k++) {
        to[k] = a + k * na + i;
        more[k] = b[k * nb + j];
    }
    if (*to[COUNT] == 0) {
        for (size_t k = 0; k < PARTS; k++)
            *to[k] = more[k];
        return;
    }
    n = *to[COUNT] + more[COUNT];
    d = more[MEAN] - *to[MEAN];
    *to[MEAN] += d * (more[COUNT] / n);
    *to[SQUARES] += more[SQUARES] + d * d * (*to[COUNT] * (more[COUNT] / n));
    *to[COUNT] = n;
    *to[MIN] = fmin(*to[MIN], more[MIN]);
    *to[MAX] = fmax(*to[MAX], more[MAX]);
}

void orr_image_stats_merge(const orr_schema *s, double *total, const double *sums)
{
    const size_t n = n_numbers(s);

    for (size_t i = 0; i < n; i++)
        join(total, n, i, sums, n, i);
}

/* ---- the result ---- */
static void free_values(orr_value_stats *v)
{
    orr_free(v->mean);
    orr_free(v->variance);
    orr_free(v->min);
    orr_free(v->max);
    orr_free(v->missing);
}

void orr_image_stats_destroy(orr_image_stats *st)
{
    if (!st) return;
    free_values(&st->pixel);
    free_values(&st->channel);
    orr_free(st);
}

static int alloc_values(orr_value_stats *v, size_t n)
{
    v->mean = orr_alloc(n, sizeof *v->mean);
    v->variance = orr_alloc(n, sizeof *v->variance);
    v->min = orr_alloc(n, sizeof *v->min);
    v->max = orr_alloc(n, sizeof *v->max);
    v->missing = orr_alloc(n, sizeof *v->missing);
    return v->mean && v->variance && v->min && v->max && v->missing;
}

/* Of n numbers with `each` values. */
static void finish(orr_value_stats *v, const double *sums, size_t n, int64_t each)
{
    for (size_t i = 0; i < n; i++) {
        double count = sums[i];

        v->mean[i] = count > 0 ? sums[MEAN * n + i] : NAN;
        v->variance[i] = count > 0 ? sums[SQUARES * n + i] / count : NAN;
        v->min[i] = count > 0 ? sums[MIN * n + i] : NAN;
        v->max[i] = count > 0 ? sums[MAX * n + i] : NAN;
        v->missing[i] = each - (int64_t)count;
    }
}

/* A number has a finite value in at most all rows: anything else is a total of other rows. */
static orr_status check_total(const double *total, size_t n, int64_t rows)
{
    for (size_t i = 0; i < n; i++)
        if (!(total[i] >= 0 && total[i] <= (double)rows))
            return orr_fail(ORR_ERR_ARG, "statistics: number %zu has %g values in %lld rows", i,
                            total[i], (long long)rows);
    return ORR_OK;
}

orr_status orr_image_stats_create(orr_image_stats **out, const orr_schema *s, const double *total,
                                  int64_t rows)
{
    orr_status st;
    const size_t n = n_numbers(s), c = (size_t)s->c;
    orr_image_stats *r = orr_alloc(1, sizeof *r);
    double *sums = orr_alloc(PARTS * c, sizeof *sums);

    *out = NULL;
    if (!r || !sums || !alloc_values(&r->pixel, n) || !alloc_values(&r->channel, c)) {
        st = orr_fail(ORR_ERR_NOMEM, "statistics: no memory for %zu numbers", n);
        goto done;
    }
    ORR_TRY_GOTO(st, done, check_total(total, n, rows));
    r->h = s->h;
    r->w = s->w;
    r->c = s->c;
    r->rows = rows;
    memcpy(r->channel_names, s->channel_names, sizeof r->channel_names);
    memcpy(r->units, s->units, sizeof r->units);
    finish(&r->pixel, total, n, rows);
    for (size_t i = 0; i < n; i++)
        join(sums, c, i % c, total, n, i);
    finish(&r->channel, sums, c, rows * (int64_t)(n / c));
    *out = r;
    r = NULL; /* handed over */
done:
    orr_free(sums);
    orr_image_stats_destroy(r);
    return st;
}

/* ---- the file ---- */
/* Arrays prefix/mean, ...; of type and shape a, but for the counts. */
static orr_status put_values(orr_store_writer *w, const char *prefix, const orr_value_stats *v,
                             orr_store_array a)
{
    const char *const names[] = { "mean", "variance", "min", "max" };
    const double *const values[] = { v->mean, v->variance, v->min, v->max };
    char name[64];

    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, names[i]);
        ORR_TRY(orr_store_put(w, name, a, values[i]));
    }
    a.type = ORR_STORE_I64;
    snprintf(name, sizeof name, "%smissing", prefix);
    return orr_store_put(w, name, a, v->missing);
}

static orr_status put_file(orr_store_writer *w, const orr_image_stats *r)
{
    const orr_store_array pixels = { ORR_STORE_F64, 3, { r->h, r->w, r->c } };

    ORR_TRY(orr_store_set_text(w, "format", "orrery-statistics-1"));
    ORR_TRY(orr_store_set_int(w, "rows", r->rows));
    ORR_TRY(
        orr_names_put(w, "channel_names", r->channel_names, r->c <= ORR_MAX_CHANNELS ? r->c : 0));
    ORR_TRY(orr_store_set_text(w, "units", r->units));
    ORR_TRY(put_values(w, "", &r->pixel, pixels));
    ORR_TRY(orr_store_put_group(w, "channels"));
    return put_values(w, "channels/", &r->channel, orr_store_vector(ORR_STORE_F64, r->c));
}

orr_status orr_image_stats_save(const orr_image_stats *r, const char *path)
{
    size_t n = (size_t)r->h * (size_t)r->w * (size_t)r->c + (size_t)r->c;
    orr_store_writer *w;
    orr_status st = orr_store_begin_plain(&w, path, PARTS * n * sizeof(double) + SLACK_BYTES);

    if (st == ORR_OK) st = put_file(w, r);
    return orr_store_commit(w, st);
}
