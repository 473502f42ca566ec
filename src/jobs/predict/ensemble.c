/* jobs/predict/ensemble.c - which models stand behind a path. */
#include "jobs/predict/ensemble.h"
#include "core/memory.h"
#include "core/options.h"
#include "data/storage/storage.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_MODELS = 1000000 };

void orr_ensemble_close(orr_ensemble *e)
{
    for (int i = 0; e->runs && i < e->n_runs; i++)
        orr_oof_free(&e->runs[i].oof);
    for (int i = 0; e->parts && i < e->n_parts; i++)
        orr_free(e->parts[i].columns);
    orr_free(e->runs);
    orr_free(e->parts);
    orr_stack_model_free(&e->stack);
    *e = (orr_ensemble){ 0 };
}

/* ---- one model of a cross-validation ---- */
orr_ensemble_member orr_ensemble_member_of(const orr_ensemble *e, int i)
{
    int p = 0;

    for (;; p++) {
        int here = e->parts[p].n_columns * e->parts[p].run->oof.n_folds;
        if (i < here) break;
        i -= here;
    }
    return (orr_ensemble_member){ .part = &e->parts[p],
                                  .column = e->parts[p].columns[i / e->parts[p].run->oof.n_folds],
                                  .fold = i % e->parts[p].run->oof.n_folds };
}

orr_status orr_ensemble_member_path(const orr_ensemble *e, int i, char out[ORR_PATH_MAX])
{
    const orr_ensemble_run *run;
    const orr_oof_column *column;
    orr_ensemble_member m;
    char task[192], dir[ORR_PATH_MAX];

    if (e->kind == ORR_ENSEMBLE_ONE) return orr_path_join(out, "", e->path);
    m = orr_ensemble_member_of(e, i);
    run = m.part->run;
    column = &run->oof.columns[m.column];
    if (run->kind == ORR_SOURCE_MODEL) return orr_path_join(out, "", run->path);
    if (run->kind == ORR_SOURCE_SEEDS)
        orr_oof_seed_task(column->seed, task, sizeof task);
    else
        orr_oof_task(column, run->oof.n_repeats, m.fold, task, sizeof task);
    ORR_TRY(orr_path_join(dir, run->dir, task));
    return orr_path_join(out, dir, "model.h5");
}

/* "fold 2 of small, seed 1", or "seed 1": one of a run, which `*command` trains. */
static const char *member_name(const orr_ensemble *e, int i, const char **command, char *buf,
                               size_t bytes)
{
    orr_ensemble_member m = orr_ensemble_member_of(e, i);
    long long seed = (long long)m.part->run->oof.columns[m.column].seed;

    *command = m.part->run->kind == ORR_SOURCE_SEEDS ? "train" : "cv";
    if (m.part->run->kind == ORR_SOURCE_SEEDS)
        snprintf(buf, bytes, "seed %lld", seed);
    else
        snprintf(buf, bytes, "fold %d of %s, seed %lld", m.fold, m.part->model, seed);
    return buf;
}

static int is_single(const orr_ensemble *e, int i)
{
    return e->kind == ORR_ENSEMBLE_ONE ||
           orr_ensemble_member_of(e, i).part->run->kind == ORR_SOURCE_MODEL;
}

orr_status orr_ensemble_load(const orr_ensemble *e, int i, orr_model *m, const char *kernels)
{
    char path[ORR_PATH_MAX], name[160];
    const char *command, *who;
    orr_status st;

    ORR_TRY(orr_ensemble_member_path(e, i, path));
    st = orr_model_load_state(m, path, is_single(e, i) ? e->state : "auto", kernels);
    if ((st != ORR_ERR_IO && st != ORR_ERR_FORMAT) || is_single(e, i)) return st;
    who = member_name(e, i, &command, name, sizeof name);
    return orr_fail_more(st, "; this is the model of %s: remove it and run orrery %s JOB again",
                         who, command);
}

/* ---- from a path to the models ---- */
static void take_columns(orr_ensemble_part *p)
{
    const orr_oof *o = &p->run->oof;

    p->n_columns = 0;
    for (int c = 0; c < o->n_columns; c++)
        if (strcmp(o->columns[c].model, p->model) == 0 &&
            (p->seed == -1 || o->columns[c].seed == p->seed))
            p->columns[p->n_columns++] = c;
}

static orr_status add_part(orr_ensemble *e, const orr_ensemble_run *run, const char *model,
                           int64_t seed)
{
    orr_ensemble_part *p = &e->parts[e->n_parts++];

    *p = (orr_ensemble_part){ .run = run, .seed = seed };
    snprintf(p->model, sizeof p->model, "%s", model);
    if (!(p->columns = orr_alloc((size_t)run->oof.n_columns, sizeof *p->columns)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d models", run->oof.n_columns);
    take_columns(p);
    return ORR_OK;
}

static orr_status room_for_runs(orr_ensemble *e, int n)
{
    e->runs = orr_alloc((size_t)n, sizeof *e->runs);
    return e->runs ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %d runs", n);
}

static orr_status room_for_parts(orr_ensemble *e, int n)
{
    e->parts = orr_alloc((size_t)n, sizeof *e->parts);
    return e->parts ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %d models", n);
}

/* One model stands as one column of one fold. */
static orr_status as_column(orr_oof *o, const char *path)
{
    *o = (orr_oof){ .n_columns = 1, .n_repeats = 1, .n_folds = 1 };
    ORR_TRY(orr_model_file(o->path, path, "auto"));
    if (!(o->columns = orr_alloc(1, sizeof *o->columns)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: a model");
    snprintf(o->columns[0].model, sizeof o->columns[0].model, "model");
    return ORR_OK;
}

/* path: the folder of a run, its file of predictions, or a model. */
static orr_status add_run(orr_ensemble *e, const char *path)
{
    orr_ensemble_run *run = &e->runs[e->n_runs];

    ORR_TRY(orr_source_of(&run->kind, path));
    if (run->kind == ORR_SOURCE_STACK)
        return orr_fail(ORR_ERR_ARG,
                        "%s is a stack, which joins its models by itself; give it alone", path);
    ORR_TRY(orr_path_join(run->path, "", path));
    ORR_TRY(orr_path_is_dir(path) ? orr_path_join(run->dir, "", path)
                                  : orr_path_dir(run->dir, path));
    ORR_TRY(run->kind == ORR_SOURCE_MODEL ? as_column(&run->oof, path)
                                          : orr_oof_read_columns(&run->oof, path));
    e->n_runs++;
    return ORR_OK;
}

/* "small, wide" */
static const char *list_models(const orr_oof *o, char *buf, size_t bytes)
{
    size_t used = 0;

    buf[0] = '\0';
    for (int c = 0; c < o->n_columns && used < bytes; c++) {
        int seen = 0;
        for (int i = 0; i < c; i++)
            seen |= strcmp(o->columns[i].model, o->columns[c].model) == 0;
        if (!seen)
            used += (size_t)snprintf(buf + used, bytes - used, "%s%s", used ? ", " : "",
                                     o->columns[c].model);
    }
    return buf;
}

static orr_status no_model(const orr_ensemble_run *run, const char *model)
{
    const orr_oof *o = &run->oof;
    const char **names = orr_alloc((size_t)o->n_columns, sizeof *names), *near;
    char have[256];

    if (!names) return orr_fail(ORR_ERR_NOMEM, "out of memory: names of models");
    for (int c = 0; c < o->n_columns; c++)
        names[c] = o->columns[c].model;
    near = orr_nearest(model, names, o->n_columns);
    orr_free(names);
    return orr_fail(ORR_ERR_ARG, "%s has no model \"%s\"%s%s%s; it has %s", run->dir, model,
                    near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "",
                    list_models(o, have, sizeof have));
}

/* The configurations of a run, or the one called model. */
static orr_status add_parts(orr_ensemble *e, const orr_ensemble_run *run, const char *model)
{
    const orr_oof *o = &run->oof;
    int first = e->n_parts;

    for (int c = 0; c < o->n_columns; c++) {
        int seen = model[0] && strcmp(model, o->columns[c].model) != 0;
        for (int i = first; i < e->n_parts; i++)
            seen |= strcmp(e->parts[i].model, o->columns[c].model) == 0;
        if (!seen) ORR_TRY(add_part(e, run, o->columns[c].model, -1));
    }
    return e->n_parts > first ? ORR_OK : no_model(run, model);
}

static int same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* What is given twice would count twice. */
static orr_status check_new(const orr_ensemble *e, int i)
{
    for (int k = 0; k < i; k++)
        if (same_file(e->runs[i].oof.path, e->runs[k].oof.path))
            return orr_fail(ORR_ERR_ARG, "%s and %s are the same; each model counts once",
                            e->runs[k].path, e->runs[i].path);
    return ORR_OK;
}

static orr_status open_mean(orr_ensemble *e, const char *const *paths, int n, const char *model)
{
    size_t most = 0;

    e->kind = ORR_ENSEMBLE_MEAN;
    ORR_TRY(room_for_runs(e, n));
    for (int i = 0; i < n; i++) {
        ORR_TRY(add_run(e, paths[i]));
        ORR_TRY(check_new(e, i));
        most += (size_t)e->runs[i].oof.n_columns;
    }
    ORR_TRY(room_for_parts(e, (int)most));
    for (int i = 0; i < n; i++)
        ORR_TRY(add_parts(e, &e->runs[i], model));
    return ORR_OK;
}

static orr_status add_stack_column(orr_ensemble *e, const orr_stack_column *c)
{
    const orr_ensemble_part *p;
    char have[256];
    int r = 0;

    while (r < e->n_runs && strcmp(e->runs[r].path, c->run) != 0)
        r++;
    if (r == e->n_runs) {
        orr_status st = add_run(e, c->run);
        if (st != ORR_OK)
            return orr_fail_prefix(st,
                                   "the stack %s joins models of a cross-validation: ", e->path);
    }
    ORR_TRY(add_part(e, &e->runs[r], c->model, c->seed));
    p = &e->parts[e->n_parts - 1];
    if (p->n_columns) return ORR_OK;
    list_models(&e->runs[r].oof, have, sizeof have);
    if (c->seed == -1)
        return orr_fail(ORR_ERR_FORMAT,
                        "the stack %s takes model %s of %s, which has %s; fit the stack again "
                        "(orrery stack)",
                        e->path, c->model, c->run, have);
    return orr_fail(ORR_ERR_FORMAT,
                    "the stack %s takes model %s with seed %lld of %s, which has no such (its "
                    "models: %s); fit the stack again (orrery stack)",
                    e->path, c->model, (long long)c->seed, c->run, have);
}

static orr_status open_stack(orr_ensemble *e, const char *path)
{
    e->kind = ORR_ENSEMBLE_STACK;
    ORR_TRY(orr_stack_model_read(&e->stack, path));
    ORR_TRY(room_for_runs(e, e->stack.n_columns));
    ORR_TRY(room_for_parts(e, e->stack.n_columns));
    for (int c = 0; c < e->stack.n_columns; c++)
        ORR_TRY(add_stack_column(e, &e->stack.columns[c]));
    return ORR_OK;
}

/* Counts the models, and looks whether each has its file. */
static orr_status find_models(orr_ensemble *e)
{
    char path[ORR_PATH_MAX], name[160];
    const char *command, *who;
    int64_t n = 0;

    for (int p = 0; p < e->n_parts; p++)
        n += (int64_t)e->parts[p].n_columns * e->parts[p].run->oof.n_folds;
    if (n > MAX_MODELS)
        return orr_fail(ORR_ERR_FORMAT, "%s: %lld models make no sense", e->path, (long long)n);
    e->n_models = (int)n;
    for (int i = 0; i < e->n_models; i++) {
        ORR_TRY(orr_ensemble_member_path(e, i, path));
        if (orr_path_exists(path)) continue;
        who = member_name(e, i, &command, name, sizeof name);
        return orr_fail(ORR_ERR_IO,
                        "%s is not there, the model of %s; run orrery %s JOB again, which trains "
                        "what is missing",
                        path, who, command);
    }
    return ORR_OK;
}

static int holds(const char *dir, const char *name)
{
    char path[ORR_PATH_MAX];

    return orr_path_join(path, dir, name) == ORR_OK && orr_path_exists(path);
}

/* By the attribute format; what is none of ours is left to the reader of models, who says so. */
static orr_status source_of_file(orr_source *kind, const char *path)
{
    char format[64] = "";
    orr_store_reader *f;
    orr_oof o;

    *kind = ORR_SOURCE_MODEL;
    if (orr_store_open(&f, path, NULL) != ORR_OK ||
        orr_store_attr_text(f, "format", format, sizeof format) != ORR_OK)
        orr_error_clear();
    orr_store_close(f);
    if (strncmp(format, "orrery-stack", 12) == 0) *kind = ORR_SOURCE_STACK;
    if (strncmp(format, "orrery-oof", 10) != 0) return ORR_OK;
    ORR_TRY(orr_oof_read_columns(&o, path));
    *kind = o.n_folds == 1 ? ORR_SOURCE_SEEDS : ORR_SOURCE_FOLDS;
    orr_oof_free(&o);
    return ORR_OK;
}

orr_status orr_source_of(orr_source *kind, const char *path)
{
    *kind = ORR_SOURCE_MODEL;
    if (!orr_path_exists(path))
        return orr_fail(ORR_ERR_IO,
                        "%s: there is no such file or folder; what is needed is a model.h5, a "
                        "checkpoint, or the folder of a training run, a cross-validation or a "
                        "stack",
                        path);
    if (!orr_path_is_dir(path)) return source_of_file(kind, path);
    if (orr_model_is_there(path)) return ORR_OK;
    if (holds(path, "seeds.h5"))
        *kind = ORR_SOURCE_SEEDS;
    else if (holds(path, "oof.h5"))
        *kind = ORR_SOURCE_FOLDS;
    else if (holds(path, "stack.h5"))
        *kind = ORR_SOURCE_STACK;
    else if (holds(path, "tasks"))
        return orr_fail(ORR_ERR_IO,
                        "%s: this cross-validation (or training with seeds) has not ended; run "
                        "orrery cv JOB (or train) again, which does what is missing",
                        path);
    else
        return orr_fail(ORR_ERR_IO,
                        "%s: this folder has no model.h5 and no checkpoint (a training run), no "
                        "seeds.h5 (one with seeds), no oof.h5 (a cross-validation) and no stack.h5 "
                        "(a stack)",
                        path);
    return ORR_OK;
}

/* What the ensemble is called: "a", "a, b". */
static orr_status take_name(orr_ensemble *e, const char *const *paths, int n)
{
    size_t used = 0;

    ORR_TRY(orr_path_join(e->path, "", paths[0]));
    for (int i = 1; i < n; i++) {
        used += strlen(e->path + used);
        snprintf(e->path + used, sizeof e->path - used, ", %s", paths[i]);
    }
    return ORR_OK;
}

static orr_status open_kind(orr_ensemble *e, const char *const *paths, int n, const char *model)
{
    static const char *const what[] = { "one model", "one model with several seeds", "",
                                        "a stack" };
    orr_source kind;

    ORR_TRY(take_name(e, paths, n));
    ORR_TRY(orr_source_of(&kind, paths[0]));
    if (model[0] && n > 1)
        return orr_fail(ORR_ERR_ARG,
                        "model=%s chooses among those of a cross-validation, which then stands "
                        "alone; here are %d: %s",
                        model, n, e->path);
    if (model[0] && kind != ORR_SOURCE_FOLDS)
        return orr_fail(ORR_ERR_ARG, "model=%s chooses among those of a cross-validation; %s is %s",
                        model, e->path, what[kind]);
    e->n_models = 1;
    if (n == 1 && kind == ORR_SOURCE_MODEL) return ORR_OK;
    if (n == 1 && kind == ORR_SOURCE_STACK)
        ORR_TRY(open_stack(e, paths[0]));
    else
        ORR_TRY(open_mean(e, paths, n, model));
    return find_models(e);
}

/* A state is one of a training. */
static orr_status check_state(const orr_ensemble *e)
{
    int trainings = e->kind == ORR_ENSEMBLE_ONE;

    if (strcmp(e->state, "auto") == 0) return ORR_OK;
    for (int r = 0; r < e->n_runs; r++)
        trainings |= e->kind == ORR_ENSEMBLE_MEAN && e->runs[r].kind == ORR_SOURCE_MODEL;
    if (!trainings)
        return orr_fail(ORR_ERR_ARG,
                        "state=%s chooses in the folder of a training; %s is answered by the ends "
                        "of many: leave state out, or name one of them (tasks/NAME)",
                        e->state, e->path);
    return ORR_OK;
}

void orr_ensemble_tell_states(const orr_ensemble *e, const orr_model *first)
{
    orr_model m;

    if (e->kind == ORR_ENSEMBLE_ONE) orr_model_tell_state(first, "predict");
    for (int r = 0; e->kind == ORR_ENSEMBLE_MEAN && r < e->n_runs; r++) {
        if (e->runs[r].kind != ORR_SOURCE_MODEL) continue;
        if (orr_model_load_state(&m, e->runs[r].path, e->state, "check") == ORR_OK)
            orr_model_tell_state(&m, "predict");
        else
            orr_error_clear(); /* whoever needs it says it */
        orr_model_destroy(&m);
    }
}

orr_status orr_ensemble_open(orr_ensemble *e, const char *const *paths, int n_paths,
                             const char *model, const char *state)
{
    orr_status st;

    *e = (orr_ensemble){ 0 };
    snprintf(e->state, sizeof e->state, "%s", state);
    st = open_kind(e, paths, n_paths, model);
    if (st == ORR_OK) st = check_state(e);
    if (st != ORR_OK) orr_ensemble_close(e);
    return st;
}

/* The stack must tell the same classes apart; its names are those that are printed. */
static orr_status take_stack_classes(const orr_ensemble *e, orr_model *m)
{
    char path[ORR_PATH_MAX], name[ORR_DATA_NAME_MAX];
    int n = orr_model_n_classes(m);

    ORR_TRY(orr_ensemble_member_path(e, 0, path));
    if (n != e->stack.n_classes)
        return orr_fail(ORR_ERR_SHAPE, "the stack %s tells %d classes apart, its model %s %d%s",
                        e->path, e->stack.n_classes, path, n, n ? "" : " (it answers with values)");
    for (int i = 0; i < n; i++) {
        const char *stack = e->stack.class_names[i];
        orr_class_name(&m->schema, i, name, sizeof name);
        if (stack[0] && strcmp(stack, name) != 0)
            return orr_fail(ORR_ERR_SHAPE,
                            "class %d is \"%s\" for the stack %s, and \"%s\" for its model %s", i,
                            stack, e->path, name, path);
        if (stack[0]) memcpy(m->schema.class_names[i], stack, sizeof m->schema.class_names[i]);
    }
    m->threshold = 0.5;
    return ORR_OK;
}

orr_status orr_ensemble_first(const orr_ensemble *e, orr_model *m, const char *kernels)
{
    orr_status st;

    ORR_TRY(orr_ensemble_load(e, 0, m, kernels));
    st = e->kind == ORR_ENSEMBLE_STACK ? take_stack_classes(e, m) : ORR_OK;
    if (st != ORR_OK) orr_model_destroy(m);
    return st;
}
