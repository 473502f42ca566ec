/* jobs/ensemble/cv_job.c - configurations laid over a shared training job. */
#include "jobs/ensemble/cv_job.h"
#include "core/memory.h"
#include "jobs/context/runtime.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const orr_option cv_options[] = {
    ORR_OPTION_INT(orr_cv_opts, folds, "5", 2, 10000, "folds"),
    ORR_OPTION_CHOICE(orr_cv_opts, kind, "auto", "auto|plain|stratified|group|stratified-group",
                      "how rows are dealt to folds, index for index as scikit-learn (1.9, or what "
                      "cv.sklearn says); auto: stratified where there are classes, by groups where "
                      "groups are given"),
    ORR_OPTION_CHOICE(orr_cv_opts, sklearn, "1.9", "1.9|1.2",
                      "the scikit-learn whose folds these are: its versions deal groups of equal "
                      "size, and shuffled stratified groups, otherwise"),
    ORR_OPTION_BOOL(orr_cv_opts, shuffle, "true",
                    "shuffle before dealing, by seed (random_state of scikit-learn)"),
    ORR_OPTION_INT64(orr_cv_opts, seed, "1", 0, 4294967295.0, "seed of the folds"),
    ORR_OPTION_INT(orr_cv_opts, repeats, "1", 1, 1000, "how often the folds are dealt anew"),
    ORR_OPTION_STRING(orr_cv_opts, file, "",
                      "csv with id_column and fold_column (0, 1, ...): folds made elsewhere"),
    ORR_OPTION_STRING(orr_cv_opts, groups, "",
                      "csv with id_column and group_column: samples that must stay together"),
    ORR_OPTION_STRINGS(
        orr_cv_opts, id_column, "id",
        "name of the column of ids in those files; several make one id, as in import"),
    ORR_OPTION_STRING(orr_cv_opts, fold_column, "fold", "name of the column of folds"),
    ORR_OPTION_STRING(orr_cv_opts, group_column, "group", "name of the column of groups"),
    ORR_OPTION_REALS(
        orr_cv_opts, seeds, "[]", 0, 9e15,
        "a list, train.seed of each round of training; [] = the job's own (train.seeds, or "
        "train.seed)"),
    ORR_OPTION_CHOICE(orr_cv_opts, validate, "share", "share|fold",
                      "what chooses the best epoch: a share of the fold's training rows "
                      "(data.validation_fraction), or the held-out fold itself, whose scores are "
                      "then too good"),
    ORR_OPTION_REALS(orr_cv_opts, only, "[]", 0, 9999,
                     "this start only: just these folds, beside other starts that train the others "
                     "(array jobs); the last one gathers"),
    ORR_OPTION_INT(orr_cv_opts, ranks, "0", 0, 1 << 20,
                   "ranks that train one fold together; 0 = as many folds at once as ranks allow"),
    ORR_OPTION_END,
};

const orr_option orr_cv_job_options[] = {
    ORR_OPTION_STRING(orr_cv_job, run, NULL, "folder of the run; an existing one is resumed"),
    ORR_OPTION_BOOL(orr_cv_job, overwrite, "false",
                    "replace another cross-validation, or what was trained on other data, in the "
                    "folder, once this one is known to be valid; the same job is resumed"),
    ORR_OPTION_STRING(orr_cv_job, job, "",
                      "training job that all configurations share, a file beside this one"),
    ORR_OPTION_SECTION(orr_cv_job, cv, cv_options, "folds and seeds"),
    ORR_OPTION_NODE(orr_cv_job, configurations,
                    "name: {keys laid over the shared job}, one for each model to compare; none = "
                    "the shared job alone"),
    ORR_OPTION_NODE(orr_cv_job, data, "keys laid over the shared job's data (orrery train --help)"),
    ORR_OPTION_NODE(orr_cv_job, model, "replaces the shared job's model"),
    ORR_OPTION_NODE(orr_cv_job, train, "keys laid over the shared job's train"),
    ORR_OPTION_SECTION(orr_cv_job, runtime, orr_runtime_options,
                       "this start only, not part of the run"),
    ORR_OPTION_END,
};

/* ---- laying keys over a tree ---- */
static orr_status set(orr_config *c, const char *key, const orr_node *value)
{
    orr_text text = ORR_TEXT_INIT;
    orr_status st;

    orr_text_printf(&text, "%s=", key);
    orr_node_dump_flow(value, &text);
    st = orr_text_status(&text);
    if (st == ORR_OK) st = orr_config_set(c, text.s);
    orr_text_free(&text);
    return st;
}

/* data and train key by key; a model as a whole. */
static orr_status lay_section(orr_config *c, const char *section, const orr_node *keys)
{
    char key[256];

    if (!keys) return ORR_OK;
    if (strcmp(section, "model") == 0) return set(c, section, keys);
    for (int i = 0; i < keys->n_items; i++) {
        snprintf(key, sizeof key, "%s.%s", section, keys->items[i]->key);
        ORR_TRY(set(c, key, keys->items[i]));
    }
    return ORR_OK;
}

static orr_status lay_configuration(orr_config *c, const orr_node *keys)
{
    char where[256];

    for (int i = 0; i < keys->n_items; i++) {
        const orr_node *n = keys->items[i];
        int known = strcmp(n->key, "data") == 0 || strcmp(n->key, "model") == 0 ||
                    strcmp(n->key, "train") == 0;
        if (!known || n->type != ORR_NODE_MAP)
            return orr_fail(
                ORR_ERR_OPTION,
                "%s: configurations.%s.%s: a configuration holds data, model and train, "
                "each with keys of its own",
                orr_node_where(n, where, sizeof where), keys->key, n->key);
        ORR_TRY(lay_section(c, n->key, n));
    }
    return ORR_OK;
}

/* ---- one configuration ---- */
/* A name is part of file names. */
static orr_status take_name(orr_cv_configuration *c, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("_-+.", name[i])) n = 0;
    if (n == 0 || n >= 48 || name[0] == '.')
        return orr_fail(ORR_ERR_OPTION,
                        "configurations: \"%.60s\" is not a name for files: up to 47 letters, "
                        "digits, _, -, + and .",
                        name);
    snprintf(c->name, sizeof c->name, "%s", name);
    return ORR_OK;
}

static orr_status check_data(const orr_cv_configuration *c, const orr_cv_configuration *first)
{
    const orr_data_opts *d = &c->job.data, *f = &first->job.data;

    if (d->validation[0] || d->test_fraction > 0)
        return orr_fail(ORR_ERR_OPTION,
                        "configuration %s: data.%s has no place in a cross-validation: every row "
                        "of data.train is in a fold; leave it out (data.test may name a set that "
                        "all folds predict)",
                        c->name, d->validation[0] ? "validation" : "test_fraction");
    if (strcmp(d->train, f->train) != 0 || strcmp(d->test, f->test) != 0)
        return orr_fail(ORR_ERR_OPTION,
                        "configuration %s: its data.train or data.test is not that of %s; "
                        "predictions of one cross-validation are of the same samples",
                        c->name, first->name);
    if (strcmp(d->overlap, f->overlap) != 0 || strcmp(d->groups, f->groups) != 0)
        return orr_fail(ORR_ERR_OPTION,
                        "configuration %s: its data.overlap or data.groups is not that of %s; all "
                        "configurations have the same folds",
                        c->name, first->name);
    return ORR_OK;
}

static orr_status read_configuration(orr_cv_job *j, int i, const char *name, const char *shared,
                                     const orr_node *keys)
{
    orr_cv_configuration *c = &j->c[i];
    orr_status st;

    ORR_TRY(take_name(c, name));
    ORR_TRY(shared ? orr_config_load(&c->config, shared) : orr_config_empty(&c->config));
    orr_config_remove(c->config, "restart");
    ORR_TRY(orr_config_set(c->config, "run=cv")); /* each task gets a folder of its own */
    ORR_TRY(lay_section(c->config, "data", j->data));
    ORR_TRY(lay_section(c->config, "model", j->model));
    ORR_TRY(lay_section(c->config, "train", j->train));
    if (keys) ORR_TRY(lay_configuration(c->config, keys));
    st = orr_train_job_read(&c->job, c->config);
    if (st != ORR_OK) return orr_fail_prefix(st, "configuration %s: ", c->name);
    ORR_TRY(orr_train_seeds(&c->job.train, &c->seeds));
    if (j->cv.seeds.n == 0 && c->seeds.n != j->c[0].seeds.n)
        return orr_fail(ORR_ERR_OPTION,
                        "configuration %s: its train.seeds are %d, those of %s %d; all "
                        "configurations are trained equally often: give cv.seeds, or as many to "
                        "each",
                        c->name, c->seeds.n, j->c[0].name, j->c[0].seeds.n);
    return check_data(c, &j->c[0]);
}

static orr_status read_all(orr_cv_job *j, const char *path)
{
    const orr_node *list = j->configurations;
    char dir[ORR_PATH_MAX] = "", shared[ORR_PATH_MAX];

    if (path) ORR_TRY(orr_path_dir(dir, path));
    ORR_TRY(orr_path_join(shared, dir, j->job));
    if (list && (list->type != ORR_NODE_MAP || list->n_items == 0))
        return orr_fail(ORR_ERR_OPTION,
                        "configurations: a map of name: {keys} is needed, one for each model");
    j->n = list ? list->n_items : 1;
    if (!(j->c = orr_alloc((size_t)j->n, sizeof *j->c)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d configurations", j->n);
    for (int i = 0; i < j->n; i++)
        ORR_TRY(read_configuration(j, i, list ? list->items[i]->key : "model",
                                   j->job[0] ? shared : NULL, list ? list->items[i] : NULL));
    return ORR_OK;
}

static orr_status check_cv(const orr_cv_opts *o)
{
    for (int i = 0; i < o->only.n; i++)
        if (o->only.v[i] != (double)(int)o->only.v[i] || o->only.v[i] >= o->folds)
            return orr_fail(ORR_ERR_OPTION, "cv.only: %g is not a fold; they are 0 to %d",
                            o->only.v[i], o->folds - 1);
    for (int i = 0; i < o->seeds.n; i++) {
        if (o->seeds.v[i] != (double)(int64_t)o->seeds.v[i])
            return orr_fail(ORR_ERR_OPTION, "cv.seeds: %g is not a whole number", o->seeds.v[i]);
        for (int k = 0; k < i; k++)
            if (o->seeds.v[i] == o->seeds.v[k])
                return orr_fail(ORR_ERR_OPTION, "cv.seeds: %.0f stands there twice", o->seeds.v[i]);
    }
    if (o->file[0] && o->repeats > 1)
        return orr_fail(ORR_ERR_OPTION, "cv.repeats: folds from a file are dealt once");
    return ORR_OK;
}

orr_status orr_cv_job_read(orr_cv_job *j, const orr_config *config, const char *path)
{
    *j = (orr_cv_job){ 0 };
    ORR_TRY(orr_options_read(j, orr_cv_job_options, orr_config_root(config), ""));
    if (j->run[0] == '\0') return orr_fail(ORR_ERR_OPTION, "run: give the folder of the run");
    ORR_TRY(check_cv(&j->cv));
    return read_all(j, path);
}

void orr_cv_job_free(orr_cv_job *j)
{
    for (int i = 0; j->c && i < j->n; i++)
        orr_config_destroy(j->c[i].config);
    orr_free(j->c);
    *j = (orr_cv_job){ 0 };
}

orr_status orr_cv_job_dump(const orr_cv_job *j, orr_text *out)
{
    orr_cv_opts o = j->cv;
    orr_text text = ORR_TEXT_INIT;
    orr_status st;

    o.ranks = o.only.n = 0;
    orr_text_add(out, "cv:\n");
    ORR_TRY(orr_options_dump(&o, cv_options, out, 2));
    orr_text_add(out, "configurations:\n");
    for (int i = 0; i < j->n; i++) {
        char *line, *rest;
        orr_text_free(&text);
        st = orr_train_job_dump(&j->c[i].job, &text);
        if (st == ORR_OK) st = orr_text_status(&text);
        if (st != ORR_OK) break;
        orr_text_printf(out, "  %s:\n", j->c[i].name);
        for (line = strtok_r(text.s, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
            orr_text_printf(out, "    %s\n", line);
    }
    orr_text_free(&text);
    return orr_text_status(out);
}
