/* jobs/model/predictor.h - a net over many samples, each exactly once, shared by the ranks.
 * Positions are cut into chunks of ORR_EVAL_CHUNK whatever the number of ranks, a rank takes a run
 * of chunks, and all ranks get all answers: the bytes do not depend on ranks. */
#ifndef ORR_JOBS_MODEL_PREDICTOR_H
#define ORR_JOBS_MODEL_PREDICTOR_H

#include "core/progress.h"
#include "jobs/model/model.h"
#include "jobs/model/samples.h"

enum { ORR_EVAL_CHUNK = 64 };

/* Leaf sizes that predicting n samples needs of orr_limits; returns how many (at most 2). */
int orr_predict_leaf_sizes(int64_t n, int sizes[2]);

typedef struct orr_predictor orr_predictor;
/* net: planned for at least ORR_EVAL_CHUNK samples and orr_predict_leaf_sizes.  Borrows all. */
orr_status orr_predictor_create(orr_predictor **out, orr_context *context, const orr_model *m,
                                orr_net *net);
void orr_predictor_destroy(orr_predictor *p);
/* Runs without a phase of their own tell this one (NULL: none), counting on from `before`. */
void orr_predictor_show(orr_predictor *p, orr_progress *progress, int64_t before);
/* From now on runs end between two chunks once a signal has come to any rank: for commands that
 * only predict (within a training they go on, its steps look for signals). */
void orr_predictor_heed_signals(orr_predictor *p);
/* ORR_ERR_INTERRUPTED once a signal has come to this rank, else ORR_OK.   Not collective. */
orr_status orr_predict_interrupted(void);
/* How many of n samples this rank predicts. */
int64_t orr_predictor_share(const orr_context *context, int64_t n);
/* logits[n][outputs] on every rank, in the order of rows; phase: what rank 0's progress line is
 * called, NULL: none.  ORR_ERR_INTERRUPTED on all of them, if signals are heeded.  Collective. */
orr_status orr_predictor_run(orr_predictor *p, const orr_samples *s, const int64_t *rows, int64_t n,
                             orr_real *logits, const char *phase);

#endif
