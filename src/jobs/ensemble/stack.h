/* jobs/ensemble/stack.h - joins the models of cross-validations by logistic regression: reads their
 * out-of-fold predictions (stack_join.h), fits and compares (stack_fit.h), writes a run folder
 * (stack_report.h, jobs/predict/stack_model.h).  stack.h5 comes last: with it the stack is whole.
 */
#ifndef ORR_JOBS_ENSEMBLE_STACK_H
#define ORR_JOBS_ENSEMBLE_STACK_H

#include "jobs/context/context.h"
#include "jobs/ensemble/stack_job.h"

/* Errors: what the files of predictions say, ORR_ERR_EXISTS for a folder of another command,
 * ORR_ERR_OPTION for one of another stack without overwrite.  Collective; the same status on all
 * ranks. */
orr_status orr_stack(orr_context *context, const orr_stack_job *job);

#endif
