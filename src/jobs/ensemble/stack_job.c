/* jobs/ensemble/stack_job.c - keys of a stack, and its grid.  The defaults are the published stack
 * of the radio search (50 values of C from 100 to 0.01, 5 stratified folds shuffled by seed 1). */
#include "jobs/ensemble/stack_job.h"
#include "jobs/context/runtime.h"

#include <math.h>
#include <string.h>

const char orr_stack_job_mark[] = "# orrery stack\n";

static const orr_option grid_options[] = {
    ORR_OPTION_REAL(orr_stack_grid_opts, from, "100", 1e-12, 1e12,
                    "first C, the inverse of how "
                    "strongly weights are held"),
    ORR_OPTION_REAL(orr_stack_grid_opts, to, "0.01", 1e-12, 1e12, "last C"),
    ORR_OPTION_INT(orr_stack_grid_opts, count, "50", 1, 10000,
                   "values of C, evenly spaced in log C; 1 = from alone"),
    ORR_OPTION_END,
};

static const orr_option fold_options[] = {
    ORR_OPTION_CHOICE(orr_stack_fold_opts, kind, "stratified", "stratified|plain|own",
                      "how rows are dealt to folds, index for index as scikit-learn; own: the "
                      "folds of the first cross-validation, which keep its groups together"),
    ORR_OPTION_INT(orr_stack_fold_opts, count, "5", 2, 1000, "folds; not with own"),
    ORR_OPTION_BOOL(orr_stack_fold_opts, shuffle, "true",
                    "shuffle before dealing, by seed (random_state of scikit-learn)"),
    ORR_OPTION_INT64(orr_stack_fold_opts, seed, "1", 0, 4294967295.0, "seed of the folds"),
    ORR_OPTION_END,
};

const orr_option orr_stack_job_options[] = {
    ORR_OPTION_STRING(orr_stack_job, run, NULL, "folder of the stack"),
    ORR_OPTION_STRINGS(orr_stack_job, oof, NULL,
                       "cross-validations: their folders, or files of out-of-fold predictions; "
                       "joined by sample id"),
    ORR_OPTION_STRINGS(orr_stack_job, models, "[]",
                       "models to take: small, or koi-cv/small where several have one; [] = all"),
    ORR_OPTION_CHOICE(orr_stack_job, features, "probability", "probability|logit",
                      "what the regression is given of each prediction"),
    ORR_OPTION_CHOICE(orr_stack_job, seeds, "mean", "mean|separate",
                      "a model trained with several seeds is their mean, or one column a seed"),
    ORR_OPTION_SECTION(orr_stack_job, grid, grid_options, "values of C to try"),
    ORR_OPTION_SECTION(orr_stack_job, folds, fold_options,
                       "folds that C is chosen by and all candidates are compared on"),
    ORR_OPTION_REAL(orr_stack_job, tolerance, "1e-10", 1e-14, 1,
                    "a fit ends when its gradient, relative to that of all rows, is below this"),
    ORR_OPTION_INT(orr_stack_job, max_iterations, "0", 0, 1000000,
                   "steps of the fits outside the grid; 0 = 100 of Newton, 2000 of L-BFGS (for "
                   "many features)"),
    ORR_OPTION_BOOL(orr_stack_job, overwrite, "false",
                    "replace a stack of another job, or of other predictions, in the folder"),
    ORR_OPTION_SECTION(orr_stack_job, runtime, orr_runtime_options,
                       "this start only, not part of the stack"),
    ORR_OPTION_END,
};

orr_status orr_stack_job_read(orr_stack_job *j, const orr_config *config)
{
    *j = (orr_stack_job){ 0 };
    ORR_TRY(orr_options_read(j, orr_stack_job_options, orr_config_root(config), ""));
    if (j->run[0] == '\0') return orr_fail(ORR_ERR_OPTION, "run: give the folder of the stack");
    if (j->oof.n == 0)
        return orr_fail(ORR_ERR_OPTION,
                        "oof: give the folders of one or more cross-validations (orrery cv)");
    for (int i = 0; i < j->oof.n; i++)
        if (j->oof.v[i][0] == '\0')
            return orr_fail(ORR_ERR_OPTION, "oof: entry %d is empty", i + 1);
    return ORR_OK;
}

orr_status orr_stack_job_dump(const orr_stack_job *j, orr_text *out)
{
    static const char *const left_out[] = { "run", "overwrite", "runtime" };
    orr_option rows[16];
    int n = 0;

    orr_text_add(out, orr_stack_job_mark);
    for (const orr_option *o = orr_stack_job_options; o->type != ORR_OPT_END; o++) {
        int keep = 1;
        for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
            keep &= strcmp(o->key, left_out[i]) != 0;
        if (keep) rows[n++] = *o;
    }
    rows[n] = (orr_option)ORR_OPTION_END;
    return orr_options_dump(j, rows, out, 0);
}

double orr_stack_grid_c(const orr_stack_grid_opts *g, int k)
{
    double first = log10(g->from), step;

    if (k == 0) return g->from;
    if (k == g->count - 1) return g->to;
    step = (log10(g->to) - first) / (g->count - 1);
    return pow(10, k * step + first);
}
