/* jobs/train/cautions.h - what is asked of a training before it starts: is there something to learn
 * from each part, and are statistics taken of more than one number?
 *
 * Two ends: a job that cannot do what it says is refused (batch norm over leaves of one value), and
 * what may be meant but seldom is, becomes a sentence (a validation split without a class).
 * Sentences are appended to a text, one a line, for the command to say as warnings (orr_cautions_
 * say) and for report.json; `cv` asks for every fold before the first one trains.
 *
 * Not collective: every rank has the labels and finds the same.  ORR_ERR_OPTION with what to do. */
#ifndef ORR_JOBS_TRAIN_CAUTIONS_H
#define ORR_JOBS_TRAIN_CAUTIONS_H

#include "jobs/model/model.h"
#include "jobs/train/splits.h"

/* Of the model alone: bounded outputs, statistics of a leaf or of one number of a sample. */
orr_status orr_cautions_model(const orr_train_job *job, const orr_model *m, orr_text *out);
/* Of the splits that it meets: samples that are not the model's (orr_model_accepts), last batches,
 * samples that do not vary, classes and targets, a metric that the validation split does not
 * define.
 */
orr_status orr_cautions_parts(const orr_train_job *job, const orr_model *m, const orr_splits *parts,
                              orr_text *out);
/* Are the classes or values of a set in order (and not all the same)? */
int orr_is_sorted(const orr_dataset *set);
/* Says each line as a warning of `component`, on rank 0. */
void orr_cautions_say(const orr_text *lines, const char *component);

#endif
