/* jobs/ensemble/cv_folds.c - who is in which fold. */
#include "core/log.h"
#include "core/memory.h"
#include "data/formats/columns.h"
#include "jobs/ensemble/cv.h"
#include "jobs/model/ids.h"
#include "jobs/train/cautions.h"
#include "stats/kfold.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 4096 };

/* ---- a table of (id, text) that has a line for each sample of the training set ---- */
typedef struct id_table {
    const char *path, *id_column, *column, *option; /* "cv.groups" */
    orr_ids ids;                                    /* of the training set */
    orr_column_text *value;                         /* [n], "" where there is none yet */
} id_table;

static orr_status take_rows(id_table *t, const orr_column_text *id, const orr_column_text *value,
                            int64_t first, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t row = orr_ids_find(&t->ids, id[i]);
        if (row < 0) continue; /* the table may hold more than this set */
        if (value[i][0] == '\0')
            return orr_fail(ORR_ERR_FORMAT, "%s: row %lld, sample %s: its %s is empty", t->path,
                            (long long)(first + i + 1), id[i], t->column);
        if (t->value[row][0])
            return orr_fail(ORR_ERR_FORMAT, "%s: sample %s stands there twice", t->path, id[i]);
        memcpy(t->value[row], value[i], sizeof value[i]);
    }
    return ORR_OK;
}

static orr_status read_blocks(id_table *t, orr_columns *c)
{
    orr_column_text *id = orr_alloc(BLOCK, sizeof *id), *value = orr_alloc(BLOCK, sizeof *value);
    orr_column_request want[2] = { { .type = ORR_VALUE_ID, .values = id },
                                   { .type = ORR_VALUE_TEXT, .values = value } };
    int64_t first, n = 1;
    orr_status st = id && value ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %s", t->path);

    if (st == ORR_OK) st = orr_columns_find(c, t->id_column, "cv.id_column", &want[0].column);
    if (st == ORR_OK) st = orr_columns_find(c, t->column, t->option, &want[1].column);
    while (st == ORR_OK && n > 0) {
        st = orr_columns_next(c, want, 2, BLOCK, &first, &n);
        if (st == ORR_OK) st = take_rows(t, id, value, first, n);
    }
    orr_free(id);
    orr_free(value);
    return st;
}

/* The column's text for every sample of the set. */
static orr_status read_table(id_table *t, const orr_cv *cv)
{
    const char *set = orr_dataset_path(cv->train.set);
    orr_id *id = NULL;
    orr_columns *c = NULL;
    orr_status st;

    t->value = orr_alloc((size_t)cv->n + 1, sizeof *t->value);
    if (!t->value) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", t->path);
    ORR_TRY_GOTO(st, done, orr_ids_of_set(&id, cv->train.set));
    ORR_TRY_GOTO(st, done, orr_ids_create(&t->ids, (const orr_id *)id, cv->n, set));
    ORR_TRY_GOTO(st, done, orr_columns_open(&c, t->path, ""));
    ORR_TRY_GOTO(st, done, read_blocks(t, c));
    for (int64_t i = 0; i < cv->n; i++)
        if (t->value[i][0] == '\0') {
            st = orr_fail(ORR_ERR_FORMAT,
                          "%s: sample %s of %s is not in it; every sample needs a %s", t->path,
                          id[i], set, t->column);
            goto done;
        }
done:
    orr_columns_close(c);
    orr_ids_free(&t->ids);
    orr_free(id);
    return st;
}

/* ---- groups and folds from files ---- */
static orr_status read_groups(orr_cv *cv)
{
    const orr_cv_opts *o = &cv->job->cv;
    id_table t = { .path = o->groups,
                   .id_column = o->id_column,
                   .column = o->group_column,
                   .option = "cv.group_column" };
    orr_status st = read_table(&t, cv);

    cv->groups = orr_alloc((size_t)cv->n + 1, sizeof *cv->groups);
    if (st == ORR_OK && !cv->groups) st = orr_fail(ORR_ERR_NOMEM, "out of memory: groups");
    if (st == ORR_OK) st = orr_ids_rank((const orr_id *)t.value, cv->n, cv->groups);
    orr_free(t.value);
    return st;
}

static orr_status read_folds(orr_cv *cv)
{
    const orr_cv_opts *o = &cv->job->cv;
    id_table t = { .path = o->file,
                   .id_column = o->id_column,
                   .column = o->fold_column,
                   .option = "cv.fold_column" };
    int64_t *count = orr_alloc((size_t)o->folds, sizeof *count), fold;
    orr_status st = read_table(&t, cv);

    if (st == ORR_OK && !count) st = orr_fail(ORR_ERR_NOMEM, "out of memory: %d folds", o->folds);
    for (int64_t i = 0; st == ORR_OK && i < cv->n; i++) {
        if (orr_parse_int64(&fold, t.value[i]) != ORR_OK || fold < 0 || fold >= o->folds) {
            st = orr_fail(ORR_ERR_FORMAT,
                          "%s: \"%s\" is not a fold; with cv.folds %d they are 0 to %d", o->file,
                          t.value[i], o->folds, o->folds - 1);
            break;
        }
        cv->fold[i] = (int32_t)fold;
        count[fold]++;
    }
    for (int f = 0; st == ORR_OK && f < o->folds; f++)
        if (count[f] == 0)
            st = orr_fail(ORR_ERR_FORMAT, "%s: no sample is in fold %d of 0 to %d; set cv.folds",
                          o->file, f, o->folds - 1);
    orr_free(count);
    orr_free(t.value);
    return st;
}

/* ---- folds dealt here ---- */
static orr_status choose_kind(const orr_cv *cv, orr_fold_kind *kind)
{
    static const char *const names[] = { "plain", "stratified", "group", "stratified-group" };
    int has_labels = orr_dataset_labels(cv->train.set) != NULL;
    const char *want = cv->job->cv.kind;

    *kind = cv->groups ? (has_labels ? ORR_FOLDS_STRATIFIED_GROUP : ORR_FOLDS_GROUP)
                       : (has_labels ? ORR_FOLDS_STRATIFIED : ORR_FOLDS_PLAIN);
    for (int i = 0; i < 4; i++)
        if (strcmp(want, names[i]) == 0) *kind = (orr_fold_kind)i;
    if ((*kind == ORR_FOLDS_GROUP || *kind == ORR_FOLDS_STRATIFIED_GROUP) && !cv->groups)
        return orr_fail(ORR_ERR_OPTION, "cv.kind %s needs cv.groups: a csv with id and group",
                        want);
    if ((*kind == ORR_FOLDS_STRATIFIED || *kind == ORR_FOLDS_STRATIFIED_GROUP) && !has_labels)
        return orr_fail(ORR_ERR_OPTION, "cv.kind %s needs classes; %s has values", want,
                        orr_dataset_path(cv->train.set));
    if ((*kind == ORR_FOLDS_PLAIN || *kind == ORR_FOLDS_STRATIFIED) && cv->groups)
        return orr_fail(ORR_ERR_OPTION, "cv.groups is given, but cv.kind %s would split them",
                        want);
    return ORR_OK;
}

static orr_status deal_folds(orr_cv *cv)
{
    const orr_cv_opts *o = &cv->job->cv;
    orr_kfold_opts k = { .k = o->folds, .shuffle = o->shuffle };
    orr_numpy_random rng;

    ORR_TRY(choose_kind(cv, &k.kind));
    if (o->repeats > 1 && !o->shuffle)
        return orr_fail(ORR_ERR_OPTION,
                        "cv.repeats without cv.shuffle would deal the same folds again");
    if (k.kind == ORR_FOLDS_PLAIN && !o->shuffle && orr_is_sorted(cv->train.set))
        orr_log0(ORR_WARN, "cv",
                 "the rows of %s are sorted by %s, and plain folds without cv.shuffle are of "
                 "neighbours: each holds out what no other row is like; set cv.shuffle: true%s",
                 orr_dataset_path(cv->train.set),
                 orr_dataset_labels(cv->train.set) ? "class" : "target",
                 orr_dataset_labels(cv->train.set) ? " or cv.kind: stratified" : "");
    orr_numpy_seed(&rng, (uint32_t)o->seed);
    for (int r = 0; r < cv->n_repeats; r++) {
        orr_status st = orr_kfold(cv->fold + (int64_t)r * cv->n, cv->n,
                                  orr_dataset_labels(cv->train.set), cv->groups, &k, &rng);
        if (st == ORR_ERR_ARG) st = ORR_ERR_OPTION; /* the job's folds do not fit the data */
        if (st != ORR_OK)
            return orr_fail_prefix(st, "cv.folds of %s: ", orr_dataset_path(cv->train.set));
    }
    return ORR_OK;
}

/* Folds from a file may split groups: then scores are too good. */
static orr_status check_groups(const orr_cv *cv)
{
    int32_t *of_group;
    int64_t groups = 0;
    orr_status st = ORR_OK;

    for (int64_t i = 0; i < cv->n; i++)
        if (cv->groups[i] >= groups) groups = cv->groups[i] + 1;
    of_group = orr_alloc((size_t)groups, sizeof *of_group);
    if (!of_group) return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld groups", (long long)groups);
    for (int64_t i = 0; st == ORR_OK && i < cv->n; i++) {
        int32_t *f = &of_group[cv->groups[i]];
        if (*f && *f != cv->fold[i] + 1)
            st = orr_fail(ORR_ERR_FORMAT,
                          "%s splits a group of %s over folds %d and %d; a score would be too good",
                          cv->job->cv.file, cv->job->cv.groups, *f - 1, cv->fold[i]);
        *f = cv->fold[i] + 1;
    }
    orr_free(of_group);
    return st;
}

orr_status orr_cv_make_folds(orr_cv *cv)
{
    cv->fold = orr_alloc((size_t)cv->n_repeats * (size_t)cv->n + 1, sizeof *cv->fold);
    if (!cv->fold)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: folds of %lld rows", (long long)cv->n);
    if (cv->job->cv.groups[0]) ORR_TRY(read_groups(cv));
    if (!cv->job->cv.file[0]) return deal_folds(cv);
    ORR_TRY(read_folds(cv));
    return cv->groups ? check_groups(cv) : ORR_OK;
}
