/* jobs/ensemble/cv_check.c - every fold is asked before the first one trains. */
#include "core/memory.h"
#include "jobs/ensemble/cv.h"
#include "jobs/model/model.h"
#include "jobs/train/cautions.h"

#include <stdio.h>
#include <string.h>

/* Folds of a configuration that are asked: of leave-one-out with thousands, the first say it all.
 */
enum { ASKED = 200, TOLD = 20 };

typedef struct asked {
    const orr_cv *cv;
    orr_text told; /* what there is to say, each line once */
    int n, more;
} asked;

/* Adds lines that were not there, with "fold 2: " before them. */
static void add_lines(asked *a, const char *before, const char *lines)
{
    char line[ORR_ERROR_MAX];

    for (const char *s = lines; s && *s; s += strcspn(s, "\n") + 1) {
        snprintf(line, sizeof line, "%s%.*s\n", before, (int)strcspn(s, "\n"), s);
        if (a->told.s && strstr(a->told.s, line)) continue;
        if (a->n++ < TOLD)
            orr_text_add(&a->told, line);
        else
            a->more++;
    }
}

static void name_fold(const orr_cv *cv, int repeat, int fold, char *out, size_t bytes)
{
    if (cv->n_repeats > 1)
        snprintf(out, bytes, "repeat %d, fold %d: ", repeat, fold);
    else
        snprintf(out, bytes, "fold %d: ", fold);
}

static orr_status ask_fold(asked *a, const orr_cv_configuration *c, const orr_model *m, int repeat,
                           int fold)
{
    const orr_cv *cv = a->cv;
    orr_fold_rows rows = { .train = &cv->train,
                           .test = cv->test.set ? &cv->test : NULL,
                           .fold = cv->fold + (int64_t)repeat * cv->n,
                           .groups = cv->groups,
                           .held_out = fold,
                           .validates = strcmp(cv->job->cv.validate, "fold") == 0,
                           .identity = cv->identity };
    orr_text lines = ORR_TEXT_INIT;
    orr_splits parts;
    char name[64];
    orr_status st;

    name_fold(cv, repeat, fold, name, sizeof name);
    st = orr_splits_of_fold(&parts, &rows, &c->job.data);
    if (st == ORR_OK) {
        st = orr_cautions_parts(&c->job, m, &parts, &lines);
        orr_splits_close(&parts);
    }
    if (st == ORR_OK) add_lines(a, name, lines.s);
    orr_text_free(&lines);
    return st == ORR_OK ? ORR_OK : orr_fail_prefix(st, "%s", name);
}

static orr_status ask_configuration(asked *a, const orr_cv_configuration *c)
{
    const orr_cv *cv = a->cv;
    orr_text lines = ORR_TEXT_INIT;
    char name[80];
    orr_model m;
    orr_status st = orr_model_create(&m, &c->job, orr_dataset_schema(cv->train.set));

    snprintf(name, sizeof name, "configuration %s: ", c->name);
    if (st != ORR_OK) return orr_fail_prefix(st, "%s", name);
    ORR_TRY_GOTO(st, done, orr_cautions_model(&c->job, &m, &lines));
    add_lines(a, name, lines.s);
    for (int i = 0; i < cv->n_repeats * cv->n_folds && i < ASKED; i++)
        ORR_TRY_GOTO(st, done, ask_fold(a, c, &m, i / cv->n_folds, i % cv->n_folds));
done:
    orr_text_free(&lines);
    orr_model_destroy(&m);
    return st == ORR_OK ? ORR_OK : orr_fail_prefix(st, "%s", name);
}

orr_status orr_cv_check(const orr_cv *cv)
{
    asked a = { .cv = cv };
    orr_status st = ORR_OK;

    for (int i = 0; st == ORR_OK && i < cv->job->n; i++)
        st = ask_configuration(&a, &cv->job->c[i]);
    if (st == ORR_OK && a.more)
        orr_text_printf(&a.told, "and %d more like these; each fold's report.json has its own\n",
                        a.more);
    if (st == ORR_OK) st = orr_text_status(&a.told);
    if (st == ORR_OK) orr_cautions_say(&a.told, "cv");
    orr_text_free(&a.told);
    return st;
}
