/* jobs/ensemble/cv_folds.c - who is in which fold. */
#include "core/log.h"
#include "core/memory.h"
#include "data/formats/text_value.h"
#include "jobs/ensemble/cv.h"
#include "jobs/model/side_table.h"
#include "jobs/train/cautions.h"
#include "stats/kfold.h"

#include <stdio.h>
#include <string.h>

/* ---- groups and folds from files ---- */
static orr_side_table side_table(const orr_cv_opts *o, const char *path, const char *column,
                                 const char *option)
{
    return (orr_side_table){ .path = path,
                             .id_columns = o->id_column,
                             .id_option = "cv.id_column",
                             .column = column,
                             .option = option };
}

orr_status orr_cv_read_groups(orr_cv *cv)
{
    const orr_cv_opts *o = &cv->job->cv;
    const orr_side_table t = side_table(o, o->groups, o->group_column, "cv.group_column");

    return orr_side_table_groups(&cv->groups, &t, cv->train.set);
}

static orr_status read_folds(orr_cv *cv)
{
    const orr_cv_opts *o = &cv->job->cv;
    const orr_side_table t = side_table(o, o->file, o->fold_column, "cv.fold_column");
    orr_id *text = NULL;
    int64_t *count = orr_alloc((size_t)o->folds, sizeof *count), fold;
    orr_status st = orr_side_table_read(&text, &t, cv->train.set);

    if (st == ORR_OK && !count) st = orr_fail(ORR_ERR_NOMEM, "out of memory: %d folds", o->folds);
    for (int64_t i = 0; st == ORR_OK && i < cv->n; i++) {
        if (orr_integer_parse(text[i], strlen(text[i]), &fold) || fold < 0 || fold >= o->folds) {
            st = orr_fail(ORR_ERR_FORMAT,
                          "%s: \"%s\" is not a fold; with cv.folds %d they are 0 to %d", o->file,
                          text[i], o->folds, o->folds - 1);
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
    orr_free(text);
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
        return orr_fail(ORR_ERR_OPTION,
                        "cv.kind %s needs cv.groups (a table with id and group) or data.groups",
                        want);
    if ((*kind == ORR_FOLDS_STRATIFIED || *kind == ORR_FOLDS_STRATIFIED_GROUP) && !has_labels)
        return orr_fail(ORR_ERR_OPTION, "cv.kind %s needs classes; %s has values", want,
                        orr_dataset_path(cv->train.set));
    if ((*kind == ORR_FOLDS_PLAIN || *kind == ORR_FOLDS_STRATIFIED) && cv->groups)
        return orr_fail(ORR_ERR_OPTION,
                        "samples are to stay together (cv.groups, data.groups or data.overlap: "
                        "together), but cv.kind "
                        "%s would split them",
                        want);
    return ORR_OK;
}

static orr_status deal_folds(orr_cv *cv)
{
    const orr_cv_opts *o = &cv->job->cv;
    orr_kfold_opts k = { .k = o->folds,
                         .shuffle = o->shuffle,
                         .like = !strcmp(o->sklearn, "1.2") ? ORR_SKLEARN_1_2 : ORR_SKLEARN_1_9 };
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
            st =
                orr_fail(ORR_ERR_FORMAT,
                         "%s splits a group of %s over folds %d and %d; a score would be too good",
                         cv->job->cv.file,
                         cv->job->cv.groups[0] ? cv->job->cv.groups : "data.groups or data.overlap",
                         *f - 1, cv->fold[i]);
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
    if (!cv->job->cv.file[0]) return deal_folds(cv);
    ORR_TRY(read_folds(cv));
    return cv->groups ? check_groups(cv) : ORR_OK;
}
