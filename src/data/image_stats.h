/* data/image_stats.h - what the training samples look like: mean, population variance, least and
 * greatest value of every number of a sample (pixel and channel) and of every channel, as stored,
 * before any transform.
 *
 * Samples are taken in blocks of at most ORR_FIT_BLOCK places of the training list
 * (data/transform.h).  Ranks may share the blocks; whoever merges them does it in block order, and
 * gets the same bits for any number of ranks.  Within a block: means first, then squares about
 * them; blocks are joined by Chan, Golub and LeVeque's rule (1983), so raw fluxes keep their
 * digits.  Values that are not finite (NaN pixels) are counted and left out.
 *
 *     total = orr_alloc(orr_image_stats_size(s), sizeof(double))          zeros: no rows yet
 *     each block, in order: orr_image_stats_block, orr_image_stats_merge
 *     orr_image_stats_create, orr_image_stats_save
 *
 * Not collective. */
#ifndef ORR_DATA_IMAGE_STATS_H
#define ORR_DATA_IMAGE_STATS_H

#include "core/status.h"
#include "data/shard.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Doubles of a block's sums, and of the total: 5 h w c. */
size_t orr_image_stats_size(const orr_schema *s);
/* sums (overwritten) of n <= ORR_FIT_BLOCK stored samples x[n][x_bytes]. */
orr_status orr_image_stats_block(const orr_schema *s, const void *x, int n, double *sums);
/* total becomes that of its rows and then those of sums. */
void orr_image_stats_merge(const orr_schema *s, double *total, const double *sums);

/* NaN, and missing = rows, where no row has a finite value. */
typedef struct orr_value_stats {
    double *mean, *variance, *min, *max;
    int64_t *missing; /* values that are not finite */
} orr_value_stats;

typedef struct orr_image_stats {
    int h, w, c;
    int64_t rows;
    orr_value_stats pixel;                                   /* [h * w * c] */
    orr_value_stats channel;                                 /* [c], over pixels and rows */
    char channel_names[ORR_MAX_CHANNELS][ORR_DATA_NAME_MAX]; /* "" = its number */
    char units[ORR_DATA_NAME_MAX];
} orr_image_stats;

/* rows: training rows that total is of.  ORR_ERR_ARG when that cannot be, ORR_ERR_NOMEM. */
orr_status orr_image_stats_create(orr_image_stats **out, const orr_schema *s, const double *total,
                                  int64_t rows);
void orr_image_stats_destroy(orr_image_stats *st);

/* One HDF5 file ("orrery-statistics-1", docs/formats.md), under its name when it is whole: datasets
 * mean, variance, min, max float64 and missing int64, (h, w, c); the same five in group channels,
 * (c).  An older file gives way.  Same numbers, same bytes. */
orr_status orr_image_stats_save(const orr_image_stats *st, const char *path);

#ifdef __cplusplus
}
#endif
#endif
