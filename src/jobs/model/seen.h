/* jobs/model/seen.h - which samples made a model, kept in its file, so that a score on them can be
 * told from an honest one: those it was trained on, and those that chose its epoch (or calibrated
 * it).
 *
 * A sample is known by 64 bits of its id, where ids come from the survey, and by 64 bits of its
 * content: its numbers as stored, in the order of the model.  Either is enough to know it again:
 * the same object cut anew, or the same rows imported without ids.  Of more than 2^20 samples every
 * second, fourth, ... is kept, by its bits, so the count of a set's is then an estimate.
 * Errors: ORR_ERR_NOMEM, ORR_ERR_FORMAT (a model file's part of it is missing or makes no sense).
 */
#ifndef ORR_JOBS_MODEL_SEEN_H
#define ORR_JOBS_MODEL_SEEN_H

#include "data/storage/storage.h"
#include "jobs/model/samples.h"

typedef enum { ORR_SEEN_TRAINED, ORR_SEEN_CHOSE, ORR_N_SEEN } orr_seen_how;

/* Sorted. */
typedef struct orr_seen_list {
    int64_t n_ids, n_content;
    uint64_t *ids, *content;
} orr_seen_list;

typedef struct orr_seen {
    int known;    /* 0: the file is older than this */
    int thinning; /* one in 2^thinning is kept */
    orr_seen_list list[ORR_N_SEEN];
} orr_seen;

/* Of training and validation rows (n = 0: none).  Collective. */
orr_status orr_seen_make(orr_seen *s, orr_context *context, const orr_split *train,
                         const orr_split *validation);
void orr_seen_free(orr_seen *s); /* zeroed is fine */
/* Those of `more`, too, in the same lists: a model that began with another's weights has seen what
 * that one has.  Nothing where either is not known.   Not collective. */
orr_status orr_seen_add(orr_seen *s, const orr_seen *more);
size_t orr_seen_bytes(const orr_seen *s);
/* In a model file, group "seen"; reading one without leaves s zeroed.  Not collective. */
orr_status orr_seen_write(const orr_seen *s, orr_store_writer *f);
orr_status orr_seen_read(orr_seen *s, orr_store_reader *f);

/* The bits of a part's samples, in the order of its rows. */
typedef struct orr_seen_keys {
    int64_t n;
    int has_ids;
    uint64_t *ids, *content; /* [n] */
} orr_seen_keys;
/* Collective. */
orr_status orr_seen_keys_make(orr_seen_keys *k, orr_context *context, const orr_split *part);
void orr_seen_keys_free(orr_seen_keys *k);
/* Adds 1 << how to mark[n] of each sample that s knows.  Not collective. */
void orr_seen_mark(const orr_seen *s, const orr_seen_keys *k, unsigned char *mark);

#endif
