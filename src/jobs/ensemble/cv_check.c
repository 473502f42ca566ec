/* jobs/ensemble/cv_check.c - every fold is asked before the first one trains. */
#include "core/memory.h"
#include "jobs/ensemble/cv.h"
#include "jobs/model/model.h"
#include "jobs/train/cautions.h"

#include <stdio.h>
#include <string.h>

/* Folds of a configuration that are asked: of leave-one-out with thousands, the first say it all.
 */
enum { ASKED = 200, TOLD = 20, NAMED = 8 };

/* A sentence, and which folds it is about. */
typedef struct told {
    char *line;
    orr_text folds; /* "0, 3" */
    int n;
} told;

typedef struct asked {
    const orr_cv *cv;
    told *told;
    int n;
} asked;

/* The sentence among those that were found; NULL: no memory. */
static told *find(asked *a, const char *line)
{
    told *more;

    for (int i = 0; i < a->n; i++)
        if (strcmp(a->told[i].line, line) == 0) return &a->told[i];
    if (!(more = orr_realloc(a->told, (size_t)a->n, (size_t)a->n + 1, sizeof *more))) return NULL;
    a->told = more;
    more[a->n] = (told){ .line = orr_strdup(line) };
    return more[a->n].line ? &more[a->n++] : NULL;
}

/* Does the sentence tell of the fold already, said of another configuration? */
static int names_fold(const told *t, const char *fold)
{
    size_t n = strlen(fold);

    for (const char *s = t->folds.s; s && (s = strstr(s, fold)); s += n)
        if (s[n] == '\0' || s[n] == ',') return 1;
    return 0;
}

/* Notes lines about a fold; fold "": about no fold in particular. */
static orr_status note(asked *a, const char *fold, const char *lines)
{
    char line[ORR_ERROR_MAX], last[64];
    told *t;

    snprintf(last, sizeof last, ", %s", fold);
    for (const char *s = lines; s && *s; s += strcspn(s, "\n") + 1) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(s, "\n"), s);
        if (!(t = find(a, line)))
            return orr_fail(ORR_ERR_NOMEM, "out of memory: what there is to say of folds");
        if (!*fold || names_fold(t, last)) continue;
        if (t->n++ < ASKED) orr_text_add(&t->folds, last);
    }
    return ORR_OK;
}

/* "folds 0, 3: the held-out split ..." */
static void add_sentence(const told *t, orr_text *out)
{
    const char *s = t->folds.s, *end = s;

    for (int i = 0; s && end && i < NAMED; i++)
        end = strstr(end + 1, ", ");
    if (s)
        orr_text_printf(out, "fold%s %.*s", t->n > 1 ? "s" : "",
                        (int)((end ? end : s + strlen(s)) - s) - 2, s + 2);
    if (s && end) orr_text_printf(out, " and %d more", t->n - NAMED);
    orr_text_printf(out, "%s%s\n", s ? ": " : "", t->line);
}

static void name_fold(const orr_cv *cv, int repeat, int fold, char *out, size_t bytes)
{
    if (cv->n_repeats > 1)
        snprintf(out, bytes, "%d of repeat %d", fold, repeat);
    else
        snprintf(out, bytes, "%d", fold);
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
    if (st == ORR_OK) st = note(a, name, lines.s);
    orr_text_free(&lines);
    return st == ORR_OK ? ORR_OK : orr_fail_prefix(st, "fold %s: ", name);
}

static orr_status ask_configuration(asked *a, const orr_cv_configuration *c)
{
    const orr_cv *cv = a->cv;
    orr_text lines = ORR_TEXT_INIT, named = ORR_TEXT_INIT;
    char name[80];
    orr_model m;
    orr_status st = orr_model_create(&m, &c->job, orr_dataset_schema(cv->train.set));

    snprintf(name, sizeof name, "configuration %s: ", c->name);
    if (st != ORR_OK) return orr_fail_prefix(st, "%s", name);
    ORR_TRY_GOTO(st, done, orr_cautions_model(&c->job, &m, &lines));
    for (const char *s = lines.s; s && *s; s += strcspn(s, "\n") + 1)
        orr_text_printf(&named, "%s%.*s\n", name, (int)strcspn(s, "\n"), s);
    ORR_TRY_GOTO(st, done, note(a, "", named.s));
    for (int i = 0; i < cv->n_repeats * cv->n_folds && i < ASKED; i++)
        ORR_TRY_GOTO(st, done, ask_fold(a, c, &m, i / cv->n_folds, i % cv->n_folds));
done:
    orr_text_free(&lines);
    orr_text_free(&named);
    orr_model_destroy(&m);
    return st == ORR_OK ? ORR_OK : orr_fail_prefix(st, "%s", name);
}

static void say(const asked *a)
{
    orr_text lines = ORR_TEXT_INIT;

    for (int i = 0; i < a->n && i < TOLD; i++)
        add_sentence(&a->told[i], &lines);
    if (a->n > TOLD)
        orr_text_printf(&lines, "%d more to say of folds; each one's report.json has its own\n",
                        a->n - TOLD);
    orr_cautions_say(&lines, "cv");
    orr_text_free(&lines);
}

orr_status orr_cv_check(const orr_cv *cv)
{
    asked a = { .cv = cv };
    orr_status st = ORR_OK;

    for (int i = 0; st == ORR_OK && i < cv->job->n; i++)
        st = ask_configuration(&a, &cv->job->c[i]);
    if (st == ORR_OK) say(&a);
    for (int i = 0; i < a.n; i++) {
        orr_free(a.told[i].line);
        orr_text_free(&a.told[i].folds);
    }
    orr_free(a.told);
    return st;
}
