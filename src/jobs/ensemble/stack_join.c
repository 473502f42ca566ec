/* jobs/ensemble/stack_join.c - predictions of several files, joined by sample id. */
#include "jobs/ensemble/stack_join.h"
#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void orr_stack_data_free(orr_stack_data *d)
{
    for (int i = 0; i < d->n_sources; i++)
        orr_oof_free(&d->sources[i].head);
    orr_free(d->sources);
    orr_free(d->columns);
    orr_free(d->names);
    orr_free(d->class_names);
    orr_free(d->id);
    orr_free(d->test_id);
    orr_free(d->labels);
    orr_free(d->p);
    orr_free(d->test_p);
    orr_free(d->own_fold);
    *d = (orr_stack_data){ 0 };
}

const char *orr_stack_class_name(const orr_stack_data *d, int k, char *buf, size_t bytes)
{
    if (d->class_names[k][0])
        snprintf(buf, bytes, "%s", d->class_names[k]);
    else
        snprintf(buf, bytes, "%d", k);
    return buf;
}

/* ---- what one file must be ---- */
static orr_status check_folds(const orr_oof *o)
{
    int64_t *count = orr_alloc((size_t)o->n_folds, sizeof *count);
    orr_status st = count ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: folds");

    for (int r = 0; st == ORR_OK && r < o->n_repeats; r++) {
        memset(count, 0, (size_t)o->n_folds * sizeof *count);
        for (int64_t i = 0; st == ORR_OK && i < o->n; i++) {
            int32_t f = o->fold[(int64_t)r * o->n + i];
            if (f < 0 || f >= o->n_folds)
                st = orr_fail(ORR_ERR_FORMAT, "%s: sample %s is in fold %d; folds are 0 to %d",
                              o->path, o->id[i], (int)f, o->n_folds - 1);
            else
                count[f]++;
        }
        for (int f = 0; st == ORR_OK && f < o->n_folds; f++)
            if (count[f] == 0)
                st = orr_fail(ORR_ERR_FORMAT, "%s: no sample is in fold %d of 0 to %d", o->path, f,
                              o->n_folds - 1);
    }
    orr_free(count);
    return st;
}

static orr_status check_labels(const orr_oof *o)
{
    if (!o->labels) return orr_fail(ORR_ERR_FORMAT, "%s: holds no classes of its samples", o->path);
    for (int64_t i = 0; i < o->n; i++)
        if (o->labels[i] < 0 || o->labels[i] >= o->n_classes)
            return orr_fail(ORR_ERR_FORMAT, "%s: the class of sample %s is %d; classes are 0 to %d",
                            o->path, o->id[i], (int)o->labels[i], o->n_classes - 1);
    return ORR_OK;
}

/* Probabilities of one column; rows of a fold that was never predicted are zeros in most files. */
static orr_status check_column(const orr_oof *o, int c, const double *p, int64_t n,
                               char (*id)[ORR_ID_TEXT_MAX + 1], int has_folds)
{
    char name[2 * ORR_MODEL_NAME_MAX], fold[32] = "";
    int wide = o->n_classes;

    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        int outside = 0;
        for (int k = 0; k < wide; k++) {
            outside |= !(p[i * wide + k] >= 0 && p[i * wide + k] <= 1);
            sum += p[i * wide + k];
        }
        if (!outside && fabs(sum - 1) <= 1e-3) continue;
        orr_oof_column_name(o, c, name, sizeof name);
        if (has_folds)
            snprintf(fold, sizeof fold, " (fold %d)",
                     (int)o->fold[(int64_t)o->columns[c].repeat * o->n + i]);
        if (outside)
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: what model %s says of sample %s%s is no probability", o->path,
                            name, id[i], fold);
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: probabilities of model %s for sample %s%s sum to %g, not to 1; was it "
                        "predicted?",
                        o->path, name, id[i], fold, sum);
    }
    return ORR_OK;
}

static orr_status check_probabilities(const orr_oof *o)
{
    for (int c = 0; c < o->n_columns; c++) {
        if (o->columns[c].repeat < 0 || o->columns[c].repeat >= o->n_repeats)
            return orr_fail(ORR_ERR_FORMAT, "%s: model %s has repeat %d of %d", o->path,
                            o->columns[c].model, (int)o->columns[c].repeat, o->n_repeats);
        ORR_TRY(check_column(o, c, o->p + (int64_t)c * o->n * o->width, o->n, o->id, 1));
        if (o->n_test)
            ORR_TRY(check_column(o, c, o->test_p + (int64_t)c * o->n_test * o->width, o->n_test,
                                 o->test_id, 0));
    }
    return ORR_OK;
}

/* ---- rows ---- */
/* The first column of a file that the stack takes: its model speaks for the file. */
static const orr_stack_column *some_column(const orr_stack_data *d, const orr_stack_source *s)
{
    int c = 0;

    while (c + 1 < d->n_columns && strcmp(d->columns[c].run, s->run) != 0)
        c++;
    return &d->columns[c];
}

static orr_status missing(const orr_stack_data *d, int source, const char *id, int64_t more)
{
    const orr_stack_source *s = &d->sources[source];
    char rest[48] = "";

    if (more > 0) snprintf(rest, sizeof rest, ", and %lld more", (long long)more);
    return orr_fail(ORR_ERR_FORMAT, "model %s of %s has no prediction for sample %s%s",
                    some_column(d, s)->model, s->head.path, id, rest);
}

/* Ids of `a` (of source i) that `b` (of source k) lacks. */
static orr_status check_ids(const orr_stack_data *d, const orr_ids *a, const orr_ids *b, int k)
{
    int64_t first = -1, n = 0;

    for (int64_t i = 0; i < a->n; i++)
        if (orr_ids_find(b, a->id[i]) < 0 && n++ == 0) first = i;
    return n ? missing(d, k, a->id[first], n - 1) : ORR_OK;
}

/* row[i] = row of base sample i in source k. */
static orr_status match(const orr_stack_data *d, int k, const orr_id *base, int64_t n_base,
                        const orr_id *id, int64_t n, int64_t *row)
{
    orr_ids a = { 0 }, b = { 0 };
    orr_status st = ORR_OK;
    int same = n == n_base && memcmp(base, id, (size_t)n * sizeof *id) == 0;

    if (!same || k == 0) ORR_TRY(orr_ids_create(&b, id, n, d->sources[k].head.path));
    for (int64_t i = 0; same && i < n; i++)
        row[i] = i;
    if (same) goto done;
    ORR_TRY_GOTO(st, done, orr_ids_create(&a, base, n_base, d->sources[0].head.path));
    ORR_TRY_GOTO(st, done, check_ids(d, &a, &b, k));
    ORR_TRY_GOTO(st, done, check_ids(d, &b, &a, 0));
    for (int64_t i = 0; i < n_base; i++)
        row[i] = orr_ids_find(&b, base[i]);
done:
    orr_ids_free(&a);
    orr_ids_free(&b);
    return st;
}

static orr_status check_truth(const orr_stack_data *d, const orr_oof *o, const int64_t *row)
{
    char here[ORR_DATA_NAME_MAX], there[ORR_DATA_NAME_MAX], rest[48] = "";
    int64_t first = -1, n = 0;

    for (int64_t i = 0; i < d->n; i++)
        if (o->labels[row[i]] != d->labels[i] && n++ == 0) first = i;
    if (n == 0) return ORR_OK;
    if (n > 1) snprintf(rest, sizeof rest, ", and %lld more differ", (long long)n - 1);
    return orr_fail(
        ORR_ERR_FORMAT, "sample %s is of class %s in %s and of class %s in %s%s", d->id[first],
        orr_stack_class_name(d, d->labels[first], here, sizeof here), d->sources[0].head.path,
        orr_stack_class_name(d, o->labels[row[first]], there, sizeof there), o->path, rest);
}

/* ---- columns ---- */
/* Columns of the file that make up one of the stack's, by seed and repeat; returns how many. */
static int parts_of(const orr_oof *o, const orr_stack_column *c, int *part)
{
    int n = 0;

    for (int i = 0; i < o->n_columns; i++) {
        int at = n;
        if (strcmp(o->columns[i].model, c->model) != 0) continue;
        if (c->seed >= 0 && o->columns[i].seed != c->seed) continue;
        for (; at > 0; at--) {
            const orr_oof_column *x = &o->columns[part[at - 1]], *y = &o->columns[i];
            if (x->seed < y->seed || (x->seed == y->seed && x->repeat < y->repeat)) break;
            part[at] = part[at - 1];
        }
        part[at] = i;
        n++;
    }
    return n;
}

/* to[n][width] = mean of parts of from[columns][n][width], row by row. */
static void take_mean(double *to, const double *from, const int *part, int n_parts,
                      const int64_t *row, int64_t n, int width)
{
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < width; k++) {
            double sum = 0;
            for (int j = 0; j < n_parts; j++)
                sum += from[((int64_t)part[j] * n + row[i]) * width + k];
            to[i * width + k] = sum / n_parts;
        }
}

static orr_status take_columns(orr_stack_data *d, const orr_stack_source *s, const orr_oof *o,
                               const int64_t *row, const int64_t *test_row)
{
    int *part = orr_alloc((size_t)o->n_columns, sizeof *part);

    if (!part) return orr_fail(ORR_ERR_NOMEM, "out of memory: columns");
    for (int c = 0; c < d->n_columns; c++) {
        int n_parts;
        if (strcmp(d->columns[c].run, s->run) != 0) continue;
        n_parts = parts_of(o, &d->columns[c], part);
        take_mean(d->p + (int64_t)c * d->n * d->n_classes, o->p, part, n_parts, row, d->n,
                  d->n_classes);
        if (test_row)
            take_mean(d->test_p + (int64_t)c * d->n_test * d->n_classes, o->test_p, part, n_parts,
                      test_row, d->n_test, d->n_classes);
    }
    orr_free(part);
    return ORR_OK;
}

/* ---- files ---- */
/* The first file says which samples there are, in which order. */
static orr_status take_base(orr_stack_data *d, orr_oof *o)
{
    size_t one = (size_t)d->n_columns * (size_t)o->n_classes;

    d->n = o->n;
    d->n_classes = o->n_classes;
    d->id = orr_alloc((size_t)o->n + 1, sizeof *d->id);
    d->labels = orr_alloc((size_t)o->n + 1, sizeof *d->labels);
    d->own_fold = orr_alloc((size_t)o->n + 1, sizeof *d->own_fold);
    d->class_names = orr_alloc((size_t)o->n_classes, sizeof *d->class_names);
    d->p = orr_alloc((size_t)o->n * one + 1, sizeof *d->p);
    if (!d->id || !d->labels || !d->own_fold || !d->class_names || !d->p)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d columns of %lld samples", d->n_columns,
                        (long long)o->n);
    memcpy(d->id, o->id, (size_t)o->n * sizeof *d->id);
    memcpy(d->labels, o->labels, (size_t)o->n * sizeof *d->labels);
    memcpy(d->own_fold, o->fold, (size_t)o->n * sizeof *d->own_fold);
    memcpy(d->class_names, o->class_names, (size_t)o->n_classes * sizeof *d->class_names);
    d->n_own_folds = o->n_folds;
    return ORR_OK;
}

/* The first file that has test samples says which; all must, or the stack has none. */
static orr_status take_test_base(orr_stack_data *d, const orr_oof *o, int k)
{
    if (d->no_test[0]) return ORR_OK;
    if (o->n_test == 0 && k > 0 && d->n_test > 0)
        snprintf(d->no_test, sizeof d->no_test, "%.400s has no test predictions, %.400s has",
                 o->path, d->sources[0].head.path);
    if (o->n_test > 0 && k > 0 && d->n_test == 0)
        snprintf(d->no_test, sizeof d->no_test, "%.400s has no test predictions, %.400s has",
                 d->sources[0].head.path, o->path);
    if (k > 0 || o->n_test == 0) return ORR_OK;
    d->n_test = o->n_test;
    d->test_id = orr_alloc((size_t)o->n_test + 1, sizeof *d->test_id);
    d->test_p = orr_alloc((size_t)o->n_test * (size_t)d->n_columns * (size_t)d->n_classes + 1,
                          sizeof *d->test_p);
    if (!d->test_id || !d->test_p)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld test samples", (long long)o->n_test);
    memcpy(d->test_id, o->test_id, (size_t)o->n_test * sizeof *d->test_id);
    return ORR_OK;
}

static orr_status match_test(orr_stack_data *d, const orr_oof *o, int k, int64_t *row)
{
    orr_status st = match(d, k, (const orr_id *)d->test_id, d->n_test, (const orr_id *)o->test_id,
                          o->n_test, row);

    if (st != ORR_ERR_FORMAT) return st;
    snprintf(d->no_test, sizeof d->no_test, "test sets differ: %.900s", orr_error_text());
    orr_error_clear();
    return ORR_OK;
}

static orr_status join_source(orr_stack_data *d, int k, const orr_oof *o)
{
    int64_t *row = orr_alloc((size_t)d->n + 1, sizeof *row),
            *test_row = orr_alloc((size_t)d->n_test + 1, sizeof *test_row);
    int test;
    orr_status st = row && test_row ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: rows");

    ORR_TRY_GOTO(st, done, st);
    ORR_TRY_GOTO(st, done,
                 match(d, k, (const orr_id *)d->id, d->n, (const orr_id *)o->id, o->n, row));
    ORR_TRY_GOTO(st, done, check_truth(d, o, row));
    if (d->n_test && !d->no_test[0]) ORR_TRY_GOTO(st, done, match_test(d, o, k, test_row));
    test = d->n_test && !d->no_test[0];
    st = take_columns(d, &d->sources[k], o, row, test ? test_row : NULL);
done:
    orr_free(row);
    orr_free(test_row);
    return st;
}

static orr_status read_source(orr_stack_data *d, int k)
{
    orr_stack_source *s = &d->sources[k];
    orr_oof o;
    orr_status st;

    ORR_TRY(orr_oof_read(&o, s->head.path));
    if (o.n_columns != s->head.n_columns || o.n_classes != s->head.n_classes)
        ORR_TRY_GOTO(st, done,
                     orr_fail(ORR_ERR_IO, "%s changed while it was read; start again", o.path));
    ORR_TRY_GOTO(st, done, check_folds(&o));
    ORR_TRY_GOTO(st, done, check_labels(&o));
    ORR_TRY_GOTO(st, done, check_probabilities(&o));
    if (k == 0) ORR_TRY_GOTO(st, done, take_base(d, &o));
    ORR_TRY_GOTO(st, done, take_test_base(d, &o, k));
    st = join_source(d, k, &o);
done:
    orr_oof_free(&o);
    return st;
}

orr_status orr_stack_join(orr_stack_data *d, const orr_stack_job *job)
{
    orr_status st;

    *d = (orr_stack_data){ 0 };
    st = orr_stack_choose_columns(d, job);
    for (int k = 0; st == ORR_OK && k < d->n_sources; k++)
        st = read_source(d, k);
    if (st != ORR_OK) orr_stack_data_free(d);
    return st;
}
