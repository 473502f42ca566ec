/* jobs/ensemble/stack_columns.c - which files and models a stack takes, in which order, by which
 * names. */
#include "core/memory.h"
#include "data/storage/storage.h"
#include "jobs/ensemble/stack_join.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ---- */
static orr_status resolve(orr_stack_source *s)
{
    const char *file = s->head.path;
    char dir[ORR_PATH_MAX];

    _Static_assert(ORR_PATH_MAX >= PATH_MAX, "what realpath fills");
    if (!realpath(file, s->real)) return orr_fail(ORR_ERR_IO, "%s: %s", file, strerror(errno));
    if (strcmp(orr_path_name(file), "oof.h5") != 0) return orr_path_join(s->run, "", file);
    ORR_TRY(orr_path_dir(dir, file));
    return orr_path_trim(s->run, dir);
}

static orr_status get_sum(orr_stack_source *s)
{
    orr_store_reader *f;
    orr_status st = orr_store_open(&f, s->head.path, NULL);

    if (st == ORR_OK) st = orr_store_attr_text(f, "sha256", s->sha256, sizeof s->sha256);
    orr_store_close(f);
    return st;
}

static orr_status check_new(const orr_stack_data *d, int k)
{
    const orr_stack_source *s = &d->sources[k];

    for (int i = 0; i < k; i++) {
        if (strcmp(d->sources[i].real, s->real) == 0)
            return orr_fail(ORR_ERR_OPTION, "oof: %s is listed twice; each model counts once",
                            s->head.path);
        if (strcmp(d->sources[i].sha256, s->sha256) == 0)
            return orr_fail(ORR_ERR_OPTION,
                            "oof: %s and %s hold the same predictions; each model counts once",
                            d->sources[i].head.path, s->head.path);
    }
    return ORR_OK;
}

static orr_status check_classes(const orr_stack_data *d, int k)
{
    const orr_oof *a = &d->sources[0].head, *b = &d->sources[k].head;

    if (b->bins.count > 0 || b->n_classes == 0)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s holds %s; a stack joins probabilities of classes (for those, "
                        "orrery cv already gives the mean over folds)",
                        b->path, b->bins.count > 0 ? "densities" : "values");
    if (b->n_classes < 2 || b->width != b->n_classes)
        return orr_fail(ORR_ERR_FORMAT, "%s: %d classes and %d numbers a sample make no sense",
                        b->path, b->n_classes, b->width);
    if (a->n_classes != b->n_classes)
        return orr_fail(ORR_ERR_FORMAT, "%s has %d classes, %s has %d; a stack needs the same",
                        a->path, a->n_classes, b->path, b->n_classes);
    for (int i = 0; i < a->n_classes; i++)
        if (strcmp(a->class_names[i], b->class_names[i]) != 0)
            return orr_fail(ORR_ERR_FORMAT, "class %d is \"%s\" in %s and \"%s\" in %s", i,
                            a->class_names[i], a->path, b->class_names[i], b->path);
    return ORR_OK;
}

static orr_status check_columns(const orr_oof *o)
{
    for (int i = 0; i < o->n_columns; i++)
        for (int k = 0; k < i; k++)
            if (strcmp(o->columns[i].model, o->columns[k].model) == 0 &&
                o->columns[i].seed == o->columns[k].seed &&
                o->columns[i].repeat == o->columns[k].repeat)
                return orr_fail(ORR_ERR_FORMAT,
                                "%s: model %s with seed %lld, repeat %d, stands there twice",
                                o->path, o->columns[i].model, (long long)o->columns[i].seed,
                                (int)o->columns[i].repeat);
    return ORR_OK;
}

static orr_status open_sources(orr_stack_data *d, const orr_stack_job *job)
{
    d->sources = orr_alloc((size_t)job->oof.n, sizeof *d->sources);
    if (!d->sources) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d files", job->oof.n);
    for (int i = 0; i < job->oof.n; i++) {
        orr_stack_source *s = &d->sources[i];
        ORR_TRY(orr_oof_read_columns(&s->head, job->oof.v[i]));
        d->n_sources = i + 1;
        ORR_TRY(resolve(s));
        ORR_TRY(get_sum(s));
        ORR_TRY(check_new(d, i));
        ORR_TRY(check_classes(d, i));
        ORR_TRY(check_columns(&s->head));
    }
    return ORR_OK;
}

/* ---- models ---- */
static const char *folder_name(const orr_stack_source *s)
{
    const char *dir = s->run;

    return *orr_path_name(dir) ? orr_path_name(dir) : dir;
}

/* "small", "koi-cv/small" or "runs/koi-cv/small". */
static int is_called(const orr_stack_source *s, const char *model, const char *name)
{
    const char *folder = folder_name(s), *slash = strrchr(name, '/');
    size_t n;

    if (strcmp(name, model) == 0) return 1;
    if (!slash || strcmp(slash + 1, model) != 0) return 0;
    n = (size_t)(slash - name);
    return (strlen(folder) == n && memcmp(folder, name, n) == 0) ||
           (strlen(s->run) == n && memcmp(s->run, name, n) == 0);
}

static orr_status unknown_model(const orr_stack_data *d, const char *name)
{
    const char *words[ORR_LIST_MAX], *near;
    orr_text all = { .max = 400 };
    int n = 0;

    for (int i = 0; i < d->n_sources; i++)
        for (int k = 0; k < d->sources[i].head.n_columns; k++) {
            const char *model = d->sources[i].head.columns[k].model;
            int known = n == ORR_LIST_MAX;
            for (int j = 0; j < n; j++)
                known |= strcmp(words[j], model) == 0;
            if (known) continue;
            words[n++] = model;
            orr_text_printf(&all, "%s%s", n > 1 ? ", " : "", model);
        }
    near = orr_nearest(name, words, n);
    if (near)
        orr_fail(ORR_ERR_OPTION, "models: no file of oof has a model \"%s\"; did you mean \"%s\"?",
                 name, near);
    else
        orr_fail(ORR_ERR_OPTION, "models: no file of oof has a model \"%s\"; there are %s", name,
                 all.s ? all.s : "none");
    orr_text_free(&all);
    return ORR_ERR_OPTION;
}

static int is_taken(const orr_stack_job *job, const orr_stack_source *s, const char *model)
{
    for (int i = 0; i < job->models.n; i++)
        if (is_called(s, model, job->models.v[i])) return 1;
    return job->models.n == 0;
}

static orr_status check_models(const orr_stack_data *d, const orr_stack_job *job)
{
    for (int m = 0; m < job->models.n; m++) {
        int found = 0;
        for (int i = 0; i < d->n_sources; i++)
            for (int k = 0; k < d->sources[i].head.n_columns; k++)
                found |= is_called(&d->sources[i], d->sources[i].head.columns[k].model,
                                   job->models.v[m]);
        if (!found) return unknown_model(d, job->models.v[m]);
    }
    return ORR_OK;
}

/* Number of the source that a column comes from. */
static int source_of(const orr_stack_data *d, const orr_stack_column *c)
{
    int i = 0;

    while (i + 1 < d->n_sources && strcmp(d->sources[i].run, c->run) != 0)
        i++;
    return i;
}

static int by_key(const void *a, const void *b, void *ctx)
{
    const orr_stack_data *d = ctx;
    const orr_stack_column *x = a, *y = b;
    int order = strcmp(d->sources[source_of(d, x)].real, d->sources[source_of(d, y)].real);

    if (order == 0) order = strcmp(x->model, y->model);
    return order ? order : (x->seed > y->seed) - (x->seed < y->seed);
}

/* Adds the columns of one source, each key once. */
static orr_status add_columns(orr_stack_data *d, const orr_stack_source *s,
                              const orr_stack_job *job)
{
    int separate = strcmp(job->seeds, "separate") == 0, first = d->n_columns;

    for (int k = 0; k < s->head.n_columns; k++) {
        const orr_oof_column *from = &s->head.columns[k];
        int64_t seed = separate ? from->seed : -1;
        int known = !is_taken(job, s, from->model);
        for (int i = first; i < d->n_columns; i++)
            known |= strcmp(d->columns[i].model, from->model) == 0 && d->columns[i].seed == seed;
        if (known) continue;
        orr_stack_column *to = &d->columns[d->n_columns++];
        memcpy(to->run, s->run, sizeof to->run);
        memcpy(to->model, from->model, sizeof to->model);
        to->seed = seed;
    }
    return d->n_columns > first
               ? ORR_OK
               : orr_fail(ORR_ERR_OPTION, "models: none is of %s; leave that file out of oof",
                          s->head.path);
}

/* ---- names: as much as tells columns apart ---- */
static void name_column(orr_stack_data *d, int c)
{
    const orr_stack_column *k = &d->columns[c];
    const orr_stack_source *s = &d->sources[source_of(d, k)];
    int runs = 0, folders = 0, seeds = 0;
    char *out = d->names[c];
    size_t n, room = ORR_STACK_NAME_MAX;

    for (int i = 0; i < d->n_columns; i++) {
        const orr_stack_source *t = &d->sources[source_of(d, &d->columns[i])];
        if (i == c || strcmp(d->columns[i].model, k->model) != 0) continue;
        if (s == t) {
            seeds = 1;
        } else {
            runs = 1;
            folders |= strcmp(folder_name(s), folder_name(t)) == 0;
        }
    }
    n = (size_t)snprintf(out, room, "%s%s%s",
                         folders ? s->run
                         : runs  ? folder_name(s)
                                 : "",
                         runs ? "/" : "", k->model);
    if (seeds && n < room) snprintf(out + n, room - n, "/seed %lld", (long long)k->seed);
}

orr_status orr_stack_choose_columns(orr_stack_data *d, const orr_stack_job *job)
{
    size_t most = 0;

    ORR_TRY(open_sources(d, job));
    ORR_TRY(check_models(d, job));
    for (int i = 0; i < d->n_sources; i++)
        most += (size_t)d->sources[i].head.n_columns;
    d->columns = orr_alloc(most, sizeof *d->columns);
    d->names = orr_alloc(most, sizeof *d->names);
    if (!d->columns || !d->names)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %zu columns", most);
    for (int i = 0; i < d->n_sources; i++)
        ORR_TRY(add_columns(d, &d->sources[i], job));
    qsort_r(d->columns, (size_t)d->n_columns, sizeof *d->columns, by_key, d);
    for (int c = 0; c < d->n_columns; c++)
        name_column(d, c);
    return ORR_OK;
}
