/* jobs/samples.h - a shard set in memory shared by the ranks of a node, and what is computed over
 * it together. All functions are collective over the app's ranks and end with an agreement. */
#ifndef ORR_JOBS_SAMPLES_H
#define ORR_JOBS_SAMPLES_H

#include "data/shard.h"
#include "data/transform.h"
#include "jobs/app.h"

typedef struct orr_samples {
    orr_dataset *set;
    orr_window *window; /* all rows as stored: once a node */
    const void *cache;
} orr_samples;

orr_status orr_samples_open(orr_samples *s, orr_app *app, const char *path, int verify);
void orr_samples_close(orr_samples *s);
/* The stored bytes of a row. */
const void *orr_samples_row(const orr_samples *s, int64_t row);

/* Fits what the transforms must learn, over the given rows and no others; same bits for any number
 * of ranks. */
orr_status orr_samples_fit(orr_app *app, const orr_samples *s, const int64_t *rows, int64_t n,
                           orr_transform *t);

/* A part of a set: which rows. */
typedef struct orr_part {
    const char *name; /* "train" */
    const orr_samples *samples;
    const int64_t *rows;
    int64_t n;
} orr_part;
/* Looks for ids and for identical samples that two parts share.  policy refuse: ORR_ERR_FORMAT
 * naming a pair; warn: logged. */
orr_status orr_parts_check_overlap(orr_app *app, const orr_part *parts, int n_parts,
                                   const char *policy);

#endif
