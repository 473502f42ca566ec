/* jobs/ensemble/stack_report.h - what a stack says: a table for people, report.json, grid.csv and
 * predictions as csv.   Not collective: rank 0's work. */
#ifndef ORR_JOBS_ENSEMBLE_STACK_REPORT_H
#define ORR_JOBS_ENSEMBLE_STACK_REPORT_H

#include "jobs/ensemble/stack_fit.h"

/* The table and the sentence under it that says whether the stack is worth having. */
orr_status orr_stack_table(const orr_stack_fit *f, const orr_stack_job *job,
                           const orr_stack_data *d, orr_text *out);
/* dir/report.json, grid.csv (C, the grid's AUC and log loss), stack-oof.csv (id, label, fold, every
 * column, the stack's out-of-fold probabilities) and, where there are test predictions, test.csv
 * (id and the stack's probabilities, by the fit on all rows; else an old one goes); each appears
 * whole. */
orr_status orr_stack_write(const orr_stack_fit *f, const orr_stack_job *job,
                           const orr_stack_data *d, const char *dir);

/* Private to stack_report.c and stack_tables.c. */
orr_status orr_stack_write_report(const orr_stack_fit *f, const orr_stack_job *job,
                                  const orr_stack_data *d, const char *dir);

#endif
