/* data/census.h - what stands in the rows of a set, looked at while they are written: values that
 * are none, values that look like sentinels, samples that are constant or stand twice.
 *
 * Columns are the values of a sample of one or two axes, the channels of an image, the targets, the
 * aux numbers, in that order.  uint8 samples have no columns.
 *
 * A sentinel is a number that stands for no value (-9999, 99.99, 1e20).  A column's least or
 * greatest values look like sentinels when they lie far outside of the rest of it, whose spread is
 * greatest minus least, and not 0:
 *   - written with two or more nines alone, or a power of ten from 1e10 on, of either sign (99,
 *     -9999, 99.9, 1e20): by more than the spread of the rest, be it met once;
 *   - any other number, where the rest has three different values: by more than that spread and met
 *     three times or more (where the rest are not whole numbers less than ten apart: small counts),
 *     or by more than ten times that spread and met twice.
 * Up to ORR_CENSUS_ENDS of them are found at each end.  Rules go by counts and extremes alone, so
 * neither the order of rows nor the number of ranks matters: censuses of parts are merged.
 *
 * Samples of one value are not looked at as a whole.  That two stand for the same bytes is told by
 * 64 bits of their content.
 * Not collective.   Errors: ORR_ERR_NOMEM. */
#ifndef ORR_DATA_CENSUS_H
#define ORR_DATA_CENSUS_H

#include "data/shard.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_CENSUS_ENDS = 4 };

/* 64 bits of a sample's content. */
uint64_t orr_content_hash(const void *x, size_t bytes);

/* A column: plain data, to be sent. */
typedef struct orr_census_column {
    int64_t none; /* values that are NaN */
    /* different values from the greatest on, from the least on (negated); and how often */
    float end[2][ORR_CENSUS_ENDS];
    int64_t n_end[2][ORR_CENSUS_ENDS];
} orr_census_column;

/* Rows of one kind: how many, and the first of them (INT64_MAX: none). */
typedef struct orr_census_rows {
    int64_t n, first;
} orr_census_rows;

typedef struct orr_census_sample {
    uint64_t hash;
    int64_t row;
} orr_census_sample;

typedef struct orr_census {
    orr_schema schema;
    size_t n_x, n_columns;
    int64_t rows;
    orr_census_rows blank, constant; /* every value 0 or none; every value the same, but blank */
    orr_census_column *columns;
    orr_census_sample *samples; /* of every row, in no order */
    int64_t n_samples, room;
} orr_census;

orr_status orr_census_create(orr_census **out, const orr_schema *s);
void orr_census_destroy(orr_census *c);
/* Rows [first, first + rows->n) of the set. */
orr_status orr_census_add(orr_census *c, const orr_rows *rows, int64_t first);
/* Columns of the same set, of other rows. */
void orr_census_merge_columns(orr_census_column *into, const orr_census_column *from, size_t n);

/* What looks like sentinels in a column.  Returns how many, at most 2 ORR_CENSUS_ENDS. */
int orr_census_sentinels(const orr_census_column *c, float *value, int64_t *count);
/* "u -9999 3 times, 99 2 times" of a column called so, "" when nothing does.  Returns how many. */
int orr_census_describe(const orr_census_column *c, const char *name, char *buf, size_t bytes);
/* Smallest and greatest value; 0 when it has none. */
int orr_census_range(const orr_census_column *c, float *least, float *greatest);
/* Samples that another one before them equals: sorts samples[n], returns how many, the lowest such
 * pair of rows in *first and *second. */
int64_t orr_census_doubles(orr_census_sample *samples, int64_t n, int64_t *first, int64_t *second);

#ifdef __cplusplus
}
#endif
#endif
