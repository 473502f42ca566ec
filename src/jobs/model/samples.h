/* jobs/model/samples.h - a shard set in memory shared by the ranks of a node, and what is computed
 * over it together. All functions are collective over the context's ranks and end with an
 * agreement. */
#ifndef ORR_JOBS_MODEL_SAMPLES_H
#define ORR_JOBS_MODEL_SAMPLES_H

#include "data/image_stats.h"
#include "data/schema_match.h"
#include "data/shard.h"
#include "data/transform.h"
#include "jobs/context/context.h"

typedef struct orr_samples {
    orr_dataset *set;
    orr_comm_window *window; /* all rows as stored: once a node */
    const void *cache;
} orr_samples;

/* What is wanted of a set that is opened (data/schema_match.h). */
typedef struct orr_samples_want {
    orr_schema_side side;
    int match;          /* the same names in another order: 1 puts the set into it, 0 refuses */
    const char *option; /* how the user says so, such as "names=match" */
} orr_samples_want;
/* want: whose names the set must have, and in whose order it then stands; what there is to say of
 * it is logged; NULL: it stays as it lies.  ORR_ERR_SHAPE when the set has other names. */
orr_status orr_samples_open(orr_samples *s, orr_context *context, const char *path, int verify,
                            const orr_samples_want *want);
/* Puts an open set into another order, in silence. */
orr_status orr_samples_arrange(orr_samples *s, orr_context *context, const orr_schema_side *want);
void orr_samples_close(orr_samples *s);
/* The stored bytes of a row. */
const void *orr_samples_row(const orr_samples *s, int64_t row);

/* The aux numbers of a row; NULL when the set has none. */
const float *orr_samples_aux(const orr_samples *s, int64_t row);

/* What a transform is fitted over: the samples of some rows, or numbers beside them. */
typedef struct orr_fit_rows {
    const orr_samples *samples;
    const int64_t *rows;
    int64_t n;
    int n_aux; /* 0: the samples; else the aux numbers in these columns */
    const int *columns;
} orr_fit_rows;
/* Fits what the transforms must learn, over those rows and no others; same bits for any number of
 * ranks. */
orr_status orr_samples_fit(orr_context *context, const orr_fit_rows *f, orr_transform *t);
/* Mean, variance, least and largest of every number of a sample over the rows, on every rank. */
orr_status orr_samples_statistics(orr_context *context, const orr_fit_rows *f,
                                  orr_image_stats **out);

/* A part of a set: which rows. */
typedef struct orr_split {
    const char *name; /* "train" */
    const orr_samples *samples;
    const int64_t *rows;
    int64_t n;
} orr_split;
/* (*twin)[row] = the lowest row of the set with the same bytes; the caller's to orr_free. */
orr_status orr_samples_twins(orr_context *context, const orr_samples *s, int64_t **twin);
/* Leaves out of each part what a part before it has, too, by id or byte for byte, and says so; n
 * and rows of the parts change, rows in place (rows[i] is what parts[i].rows points to).
 * ORR_ERR_FORMAT when that leaves nothing of a part. */
orr_status orr_splits_drop_overlap(orr_context *context, orr_split *parts, int64_t *const *rows,
                                   int n_parts);
/* Looks for ids and for identical samples that two parts share.  policy refuse (drop and together
 * are that for what is left): ORR_ERR_FORMAT naming a pair; warn: logged. */
orr_status orr_splits_check_overlap(orr_context *context, const orr_split *parts, int n_parts,
                                    const char *policy);

#endif
