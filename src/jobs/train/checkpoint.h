/* jobs/train/checkpoint.h - the complete state of a training run in one file, "orrery-checkpoint-1"
 * (docs/formats.md). Written (jobs/train/saver.h) as .tmp, read back and compared, synced, then
 * renamed: the file of that name is always whole, and the one before it stays until then.  Slabs
 * are stored as they lie in memory, so the bytes of two runs compare. Not collective. */
#ifndef ORR_JOBS_TRAIN_CHECKPOINT_H
#define ORR_JOBS_TRAIN_CHECKPOINT_H

#include "data/storage/storage.h"
#include "data/transform.h"
#include "jobs/model/model.h"
#include "nn/net.h"
#include "nn/optimiser.h"
#include "nn/schedule.h"

/* Where a training stands.  All of it is saved. */
typedef struct orr_train_state {
    int64_t epoch, epoch_step;                           /* the next step is this one */
    int64_t steps;                                       /* done in all */
    int64_t epoch_samples, epoch_correct, epoch_skipped; /* so far in this epoch */
    double epoch_loss;                                   /* sum over samples so far in this epoch */
    double epoch_norm;                                   /* sum of gradient norms */
    int64_t has_best, best_epoch, bad_evaluations;
    double best; /* of the selecting metric */
    int64_t nonfinite_in_a_row;
    int64_t finished; /* training is over: 1 epochs, max_steps or patience; 2 it was asked to end */
    int64_t metrics_bytes, history_bytes;
    orr_schedule_state schedule;
} orr_train_state;

/* A copy of all that changes in a training, for a checkpoint that is written later, or never. */
typedef struct orr_snapshot orr_snapshot;

/* What a checkpoint is of: borrowed parts of a trainer. */
typedef struct orr_checkpoint {
    orr_net *net;
    orr_optimiser *optimiser;
    orr_transform *transform;
    orr_train_state *state;
    const orr_model *model; /* written along, so that the file can answer */
    const cJSON *record;    /* of such a model; to write */
    const char *job;        /* resolved job */
    const char *data;       /* identity of the training set: its path and index sha256 */
    cJSON **begun;          /* loading: its record, the caller's; or NULL */
    orr_seen *seen;         /* likewise */
    int *longer;            /* loading: set where it is that of a shorter job (longer.h); or NULL */
    const orr_snapshot *kept; /* an image is of what was kept; NULL: of the parts as they are */
} orr_checkpoint;

/* Copies the parts as they are into *kept, which is made when it is NULL and filled anew when not:
 * no file, no allocation but the first.  The caller's to orr_snapshot_free, also after a failure,
 * when its content is of no use. */
orr_status orr_checkpoint_keep(const orr_checkpoint *c, orr_snapshot **kept);
const orr_train_state *orr_snapshot_state(const orr_snapshot *s);
orr_net_copy orr_snapshot_weights(const orr_checkpoint *c, const orr_snapshot *s);
void orr_snapshot_free(orr_snapshot *s); /* NULL is fine */

/* The whole file in memory, for orr_store_image_write: the state may change as soon as this
 * returns. path is for messages; the memory of an earlier image is used again (*spare, taken over;
 * may be NULL).  *image is the caller's to orr_store_image_free; NULL after a failure. */
orr_status orr_checkpoint_image(const orr_checkpoint *c, const char *path, orr_store_image **spare,
                                orr_store_image **image);
/* Fills the parts.  ORR_ERR_FORMAT: not a checkpoint, damaged, of another graph, or of other data.
 */
orr_status orr_checkpoint_load(const orr_checkpoint *c, const char *path);
/* Weights and running moments alone (the best epoch's, at the end); *of: where the training stood
 * when they were saved. */
orr_status orr_checkpoint_load_weights(const orr_checkpoint *c, const char *path,
                                       orr_train_state *of);
/* Is the checkpoint of this training set?  *other = 0 where it cannot be read: whoever loads it
 * says why. */
void orr_checkpoint_is_of_other(const char *path, const char *data, int *other);
/* What a checkpoint says of itself, for people: where it stands, its job (the caller's to
 * orr_free), its parameters. */
orr_status orr_checkpoint_peek(const char *path, orr_train_state *state, char **job,
                               int64_t *n_params);

#endif
