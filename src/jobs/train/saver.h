/* jobs/train/saver.h - writes checkpoints, beside the work on request.
 *
 * A checkpoint is made in memory by the caller's thread (jobs/train/checkpoint.h); from then on the
 * state may change.  The saver syncs the tables that the checkpoint counts on, and gives the image
 * each of its names in turn (orr_store_image_write).  Asynchronous: a thread of its own does this,
 * one at a time, so that there is one image more than the state, and no other; the next save and
 * orr_saver_wait wait for it, and return its failure, in its words.  The thread takes no signals
 * and calls neither MPI nor HDF5.  A process that is killed leaves the newest checkpoint or the one
 * before it, and perhaps a .tmp.
 * One thread calls; not collective. */
#ifndef ORR_JOBS_TRAIN_SAVER_H
#define ORR_JOBS_TRAIN_SAVER_H

#include "data/storage/storage.h"

enum { ORR_SAVER_NAMES = 2, ORR_SAVER_TABLES = 2 };

/* A table that a checkpoint counts on. */
typedef struct orr_saver_table {
    const char *name; /* for messages, a literal; NULL: there is none */
    int fd;           /* stays open until the wait */
    int64_t size;     /* what is synced up to here is not synced again */
} orr_saver_table;

typedef struct orr_saver_job {
    const char *paths[ORR_SAVER_NAMES]; /* in this order; NULL: none.  Copied */
    orr_saver_table tables[ORR_SAVER_TABLES];
} orr_saver_job;

typedef struct orr_saver orr_saver;
orr_status orr_saver_create(orr_saver **out, int asynchronous);
/* Before the next image is made: waits, and lends the last one, whose memory it may be made in. */
orr_status orr_saver_ready(orr_saver *s, orr_store_image ***spare);
/* Takes the image over, also on failure.  Asynchronous: returns when the thread has begun. */
orr_status orr_saver_put(orr_saver *s, orr_store_image *image, const orr_saver_job *job);
/* Until all that was put has its names, or has failed: that failure, once. */
orr_status orr_saver_wait(orr_saver *s);
/* Waits; a failure that nobody has asked after is logged.  NULL is allowed. */
void orr_saver_destroy(orr_saver *s);

#endif
