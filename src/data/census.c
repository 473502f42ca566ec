/* data/census.c - extremes, sentinels and doubles of the rows of a set. */
#include "data/census.h"
#include "core/memory.h"
#include "data/half.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t orr_content_hash(const void *x, size_t bytes)
{
    const unsigned char *p = x;
    uint64_t h = 0x9E3779B97F4A7C15u ^ bytes, w;

    for (; bytes >= sizeof w; p += sizeof w, bytes -= sizeof w) {
        memcpy(&w, p, sizeof w);
        h = (h ^ w) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
    }
    w = 0;
    memcpy(&w, p, bytes);
    h = (h ^ w) * 0xD6E8FEB86659FD93u;
    return h ^ (h >> 29);
}

/* ---- making ---- */

static void clear_column(orr_census_column *c)
{
    *c = (orr_census_column){ 0 };
    for (int e = 0; e < 2; e++)
        for (int i = 0; i < ORR_CENSUS_ENDS; i++)
            c->end[e][i] = -INFINITY;
}

orr_status orr_census_create(orr_census **out, const orr_schema *s)
{
    orr_census *c = orr_alloc(1, sizeof *c);

    *out = NULL;
    if (!c) return orr_fail(ORR_ERR_NOMEM, "out of memory: census");
    c->schema = *s;
    c->blank.first = c->constant.first = INT64_MAX;
    if (s->x_type != ORR_X_U8)
        c->n_x = s->n_dims == 3 ? (size_t)s->c : (size_t)s->h * (size_t)s->w * (size_t)s->c;
    c->n_columns = c->n_x + (s->y_type == ORR_Y_VALUE ? (size_t)s->y_width : 0) + (size_t)s->n_aux;
    if (!(c->columns = orr_alloc(c->n_columns + 1, sizeof *c->columns))) {
        orr_census_destroy(c);
        return orr_fail(ORR_ERR_NOMEM, "out of memory: census of %zu columns", c->n_columns);
    }
    for (size_t i = 0; i < c->n_columns; i++)
        clear_column(&c->columns[i]);
    *out = c;
    return ORR_OK;
}

void orr_census_destroy(orr_census *c)
{
    if (!c) return;
    orr_free(c->columns);
    orr_free(c->samples);
    orr_free(c);
}

/* ---- counting ---- */

/* v times n at one end, whose list falls. */
static void put(float *end, int64_t *count, float v, int64_t n)
{
    int i = 0, k = ORR_CENSUS_ENDS - 1;

    while (i <= k && end[i] > v)
        i++;
    if (i > k) return;
    if (count[i] && end[i] == v) {
        count[i] += n;
        return;
    }
    for (; k > i; k--) {
        end[k] = end[k - 1];
        count[k] = count[k - 1];
    }
    end[i] = v;
    count[i] = n;
}

static void add_value(orr_census_column *c, float v)
{
    if (v != v) {
        c->none++;
        return;
    }
    if (v >= c->end[0][ORR_CENSUS_ENDS - 1]) put(c->end[0], c->n_end[0], v, 1);
    if (-v >= c->end[1][ORR_CENSUS_ENDS - 1]) put(c->end[1], c->n_end[1], -v, 1);
}

static void add_values(orr_census_column *c, size_t n_columns, const float *v, size_t n)
{
    for (size_t i = 0; i < n; i += n_columns)
        for (size_t k = 0; k < n_columns; k++)
            add_value(&c[k], v[i + k]);
}

static void add_half(orr_census_column *c, size_t n_columns, const uint16_t *v, size_t n)
{
    for (size_t i = 0, k = 0; i < n; i++, k = k + 1 == n_columns ? 0 : k + 1) {
        float f;

        orr_half_to_float(&f, &v[i], 1);
        add_value(&c[k], f);
    }
}

void orr_census_merge_columns(orr_census_column *into, const orr_census_column *from, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        into[k].none += from[k].none;
        for (int e = 0; e < 2; e++)
            for (int i = 0; i < ORR_CENSUS_ENDS && from[k].n_end[e][i]; i++)
                put(into[k].end[e], into[k].n_end[e], from[k].end[e][i], from[k].n_end[e][i]);
    }
}

/* Is a stored sample one value again and again? */
static int is_constant(const char *x, size_t bytes, size_t each)
{
    return bytes > each && memcmp(x, x + each, bytes - each) == 0;
}

/* All bits of the value but float's sign are 0, or it is a NaN. */
static int is_nothing(const char *x, orr_x_type type)
{
    uint16_t half;
    float f;

    if (type == ORR_X_U8) return *x == 0;
    if (type == ORR_X_F16) {
        memcpy(&half, x, sizeof half);
        orr_half_to_float(&f, &half, 1);
    } else {
        memcpy(&f, x, sizeof f);
    }
    return f == 0 || f != f;
}

static void count_row(orr_census_rows *r, int64_t row)
{
    r->n++;
    if (row < r->first) r->first = row;
}

static void add_sample(orr_census *c, const char *x, int64_t row)
{
    const size_t bytes = orr_schema_x_bytes(&c->schema), each = c->schema.x_type == ORR_X_U8    ? 1
                                                                : c->schema.x_type == ORR_X_F16 ? 2
                                                                                                : 4;

    c->samples[c->n_samples++] = (orr_census_sample){ orr_content_hash(x, bytes), row };
    if (is_constant(x, bytes, each))
        count_row(is_nothing(x, c->schema.x_type) ? &c->blank : &c->constant, row);
}

static orr_status make_room(orr_census *c, int64_t n)
{
    int64_t want = c->n_samples + n > 2 * c->room ? c->n_samples + n : 2 * c->room;
    orr_census_sample *more;

    if (c->n_samples + n <= c->room) return ORR_OK;
    more = orr_realloc(c->samples, (size_t)c->n_samples, (size_t)want, sizeof *more);
    if (!more)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: census of %lld rows", (long long)want);
    c->samples = more;
    c->room = want;
    return ORR_OK;
}

orr_status orr_census_add(orr_census *c, const orr_rows *rows, int64_t first)
{
    const orr_schema *s = &c->schema;
    size_t values = (size_t)s->h * (size_t)s->w * (size_t)s->c, n = (size_t)rows->n,
           width = s->y_type == ORR_Y_VALUE ? (size_t)s->y_width : 0;
    orr_census_column *at = c->columns;

    if (values > 1) {
        ORR_TRY(make_room(c, rows->n));
        for (size_t i = 0; i < n; i++)
            add_sample(c, (const char *)rows->x + i * orr_schema_x_bytes(s), first + (int64_t)i);
    }
    if (c->n_x && s->x_type == ORR_X_F32) add_values(at, c->n_x, rows->x, n * values);
    if (c->n_x && s->x_type == ORR_X_F16) add_half(at, c->n_x, rows->x, n * values);
    at += c->n_x;
    if (width) add_values(at, width, rows->y, n * width);
    if (s->n_aux) add_values(at + width, (size_t)s->n_aux, rows->aux, n * (size_t)s->n_aux);
    c->rows += rows->n;
    return ORR_OK;
}

/* ---- what it shows ---- */

int orr_census_range(const orr_census_column *c, float *least, float *greatest)
{
    if (!c->n_end[0][0]) return 0;
    *greatest = c->end[0][0];
    *least = -c->end[1][0];
    return 1;
}

/* "99", "-9999.0", "1e+20": digits that people and programs write for no value. */
static int is_usual(float v)
{
    char text[32];
    int nines = 0, others = 0;
    double power = log10(fabs((double)v));

    if (fabs((double)v) >= 1e10 && fabs(power - floor(power + 0.5)) < 1e-6) return 1;
    snprintf(text, sizeof text, "%.6g", (double)fabsf(v));
    for (const char *p = text; *p; p++) {
        nines += *p == '9';
        others += *p != '9' && *p != '.';
    }
    return nines >= 2 && others == 0;
}

/* What a column is without those that may be sentinels. */
typedef struct {
    double least, greatest;
    int has_third, small_counts; /* a third value between them; whole numbers less than ten apart */
} rest;

static int rest_of(rest *r, const orr_census_column *c, const int n[2])
{
    r->greatest = c->end[0][n[0]];
    r->least = -(double)c->end[1][n[1]];
    if (!c->n_end[0][n[0]] || !c->n_end[1][n[1]] || !(r->greatest > r->least)) return 0;
    r->has_third = 0;
    for (int i = n[0]; i < ORR_CENSUS_ENDS; i++)
        r->has_third |=
            c->n_end[0][i] && c->end[0][i] < r->greatest && (double)c->end[0][i] > r->least;
    r->small_counts = r->greatest - r->least < 10 && r->greatest == floor(r->greatest) &&
                      r->least == floor(r->least);
    return 1;
}

static int stands_out(const rest *r, double v, double gap, int64_t times)
{
    double spread = r->greatest - r->least;

    if (gap > spread && is_usual((float)v)) return 1;
    if (!r->has_third) return 0;
    return (gap > 10 * spread && times >= 2) || (gap > spread && times >= 3 && !r->small_counts);
}

/* Whether the first n[0] of the greatest and the first n[1] of the least lie far enough outside. */
static int far_outside(const orr_census_column *c, const int n[2])
{
    rest r;

    if (!rest_of(&r, c, n)) return 0;
    for (int e = 0; e < 2; e++)
        for (int i = 0; i < n[e]; i++) {
            double gap = (double)c->end[e][i] - (e ? -r.least : r.greatest);

            if (!stands_out(&r, c->end[e][i], gap, c->n_end[e][i])) return 0;
        }
    return 1;
}

int orr_census_sentinels(const orr_census_column *c, float *value, int64_t *count)
{
    int best[2] = { 0, 0 }, found = 0, n[2];

    for (n[0] = 0; n[0] < ORR_CENSUS_ENDS; n[0]++)
        for (n[1] = 0; n[1] < ORR_CENSUS_ENDS; n[1]++)
            if (n[0] + n[1] > best[0] + best[1] && far_outside(c, n)) memcpy(best, n, sizeof best);
    for (int e = 1; e >= 0; e--)
        for (int i = 0; i < best[e]; i++) {
            value[found] = e ? -c->end[e][i] : c->end[e][i];
            count[found++] = c->n_end[e][i];
        }
    return found;
}

static int by_content(const void *a, const void *b)
{
    const orr_census_sample *x = a, *y = b;

    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

int64_t orr_census_doubles(orr_census_sample *samples, int64_t n, int64_t *first, int64_t *second)
{
    int64_t doubles = 0;

    *first = *second = INT64_MAX;
    if (n) qsort(samples, (size_t)n, sizeof *samples, by_content);
    for (int64_t i = 1, start = 0; i < n; i++) {
        if (samples[i].hash != samples[start].hash) {
            start = i;
            continue;
        }
        doubles++;
        if (samples[start].row < *first) {
            *first = samples[start].row;
            *second = samples[i].row;
        }
    }
    return doubles;
}

int orr_census_describe(const orr_census_column *c, const char *name, char *buf, size_t bytes)
{
    float value[2 * ORR_CENSUS_ENDS];
    int64_t count[2 * ORR_CENSUS_ENDS];
    int found = orr_census_sentinels(c, value, count);
    size_t used = (size_t)snprintf(buf, bytes, "%s", found ? name : "");

    for (int i = 0; i < found && used < bytes; i++)
        used += (size_t)snprintf(buf + used, bytes - used, "%s %.7g %lld time%s", i ? "," : "",
                                 (double)value[i], (long long)count[i], count[i] == 1 ? "" : "s");
    return found;
}
