/* jobs/train/splits.c - sets and shares. */
#include "jobs/train/splits.h"
#include "core/file.h"
#include "core/memory.h"
#include "jobs/context/phase.h"
#include "jobs/train/together.h"
#include "stats/folds.h"
#include "stats/kfold.h"

#include <stdio.h>
#include <string.h>

orr_samples_want orr_data_want(const orr_data_opts *d)
{
    return (orr_samples_want){ .side.whose = d->train,
                               .match = d->names[0] == 'm',
                               .option = "data.names=match" };
}

static const char *const names[ORR_N_SPLITS] = { "train", "validation", "test", "fold" };

/* Validation and test sets are put into the order of the training set. */
static orr_status open_sets(orr_splits *p, orr_context *context, const orr_data_opts *d)
{
    const char *paths[ORR_N_SPLITS] = { d->train, d->validation, d->test, "" };
    orr_samples_want train = orr_data_want(d);

    for (int i = 0; i < ORR_N_SPLITS; i++) {
        p->part[i].name = names[i];
        if (paths[i][0] == '\0') continue;
        ORR_TRY(orr_samples_open(&p->sets[i], context, paths[i], d->verify,
                                 i == ORR_TRAIN ? NULL : &train));
        if (i == ORR_TRAIN) train.side.schema = orr_dataset_schema(p->sets[i].set);
        p->part[i].samples = &p->sets[i];
    }
    return ORR_OK;
}

static orr_status all_rows(orr_splits *p, int i)
{
    int64_t n = orr_dataset_rows(p->part[i].samples->set);

    p->rows[i] = orr_alloc((size_t)n + 1, sizeof(int64_t));
    if (!p->rows[i]) return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld rows", (long long)n);
    for (int64_t k = 0; k < n; k++)
        p->rows[i][k] = k;
    p->part[i].rows = p->rows[i];
    p->part[i].n = n;
    return ORR_OK;
}

/* Splits n places into kept and other, by label where there are labels of the rows. */
static orr_status split(const int32_t *labels, const int64_t *rows, int64_t n, double share,
                        int64_t seed, int64_t *kept, int64_t *n_kept, int64_t *other,
                        int64_t *n_other)
{
    int32_t *mine = labels ? orr_alloc((size_t)n + 1, sizeof *mine) : NULL;
    orr_status st;

    if (labels && !mine)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: labels of %lld rows", (long long)n);
    for (int64_t i = 0; labels && i < n; i++)
        mine[i] = labels[rows[i]];
    st = orr_train_test_split(mine, n, share, (uint32_t)seed, kept, n_kept, other, n_other);
    orr_free(mine);
    return st;
}

/* Moves a share of the training rows to another part. */
static orr_status cut_off(orr_splits *p, int i, double share, int64_t seed)
{
    orr_split *train = &p->part[ORR_TRAIN];
    int64_t n = train->n, n_other = 0, *all = p->rows[ORR_TRAIN];
    int64_t *kept = orr_alloc((size_t)n + 1, sizeof *kept),
            *other = orr_alloc((size_t)n + 1, sizeof *other);
    orr_status st = kept && other ? ORR_OK
                                  : orr_fail(ORR_ERR_NOMEM, "out of memory: a split of %lld rows",
                                             (long long)n);

    if (st == ORR_OK) {
        st = split(orr_dataset_labels(train->samples->set), all, n, share, seed, kept, &train->n,
                   other, &n_other);
        if (st != ORR_OK)
            orr_fail_prefix(st, "data.%s_fraction %g of %s: ", names[i], share,
                            orr_dataset_path(train->samples->set));
    }
    if (st != ORR_OK) goto done;
    for (int64_t k = 0; k < n_other; k++)
        other[k] = all[other[k]];
    for (int64_t k = 0; k < train->n; k++)
        kept[k] = all[kept[k]];
    memcpy(all, kept, (size_t)train->n * sizeof *all);
    p->rows[i] = other;
    p->part[i] =
        (orr_split){ .name = names[i], .samples = train->samples, .rows = other, .n = n_other };
    other = NULL;
done:
    orr_free(kept);
    orr_free(other);
    return st;
}

/* Moves whole groups of training rows, about `share` of the rows, to another part: the first of as
 * many folds as the share goes into one; of more than half, all but the first. */
static orr_status cut_off_groups(orr_splits *p, int part, const int64_t *group_of, double share,
                                 int64_t seed)
{
    orr_split *train = &p->part[ORR_TRAIN];
    const int32_t *labels = orr_dataset_labels(train->samples->set);
    const int most = share > 0.5;
    int64_t n = train->n, n_kept = 0, n_other = 0, *rows = p->rows[ORR_TRAIN];
    orr_kfold_opts o = { .kind = labels ? ORR_FOLDS_STRATIFIED_GROUP : ORR_FOLDS_GROUP,
                         .k = (int)(1 / (most ? 1 - share : share) + 0.5),
                         .shuffle = labels != NULL };
    int64_t *groups = orr_alloc((size_t)n + 1, sizeof *groups),
            *other = orr_alloc((size_t)n + 1, sizeof *other);
    int32_t *fold = orr_alloc((size_t)n + 1, sizeof *fold),
            *mine = orr_alloc((size_t)n + 1, sizeof *mine);
    orr_numpy_random rng;
    orr_status st =
        groups && other && fold && mine
            ? ORR_OK
            : orr_fail(ORR_ERR_NOMEM, "out of memory: a split of %lld rows", (long long)n);

    if (st != ORR_OK) goto done;
    for (int64_t k = 0; k < n; k++) {
        groups[k] = group_of[rows[k]];
        mine[k] = labels ? labels[rows[k]] : 0;
    }
    if (o.k < 2) o.k = 2;
    orr_numpy_seed(&rng, (uint32_t)seed);
    st = orr_kfold(fold, n, labels ? mine : NULL, groups, &o, &rng);
    if (st != ORR_OK) {
        orr_fail_prefix(st, "data.%s_fraction %g by groups: ", names[part], share);
        goto done;
    }
    for (int64_t k = 0; k < n; k++) {
        if ((fold[k] == 0) != most)
            other[n_other++] = rows[k];
        else
            rows[n_kept++] = rows[k];
    }
    train->n = n_kept;
    p->rows[part] = other;
    p->part[part] =
        (orr_split){ .name = names[part], .samples = train->samples, .rows = other, .n = n_other };
    other = NULL;
done:
    orr_free(groups);
    orr_free(other);
    orr_free(fold);
    orr_free(mine);
    return st;
}

static orr_status cut(orr_splits *p, int part, const int64_t *groups, double share, int64_t seed)
{
    return groups ? cut_off_groups(p, part, groups, share, seed) : cut_off(p, part, share, seed);
}

static orr_status make_parts(orr_splits *p, const orr_data_opts *d)
{
    for (int i = 0; i < ORR_N_SPLITS; i++)
        if (p->part[i].samples) ORR_TRY(all_rows(p, i));
    if (!p->part[ORR_TEST].samples && d->test_fraction > 0)
        ORR_TRY(cut(p, ORR_TEST, p->groups, d->test_fraction, d->split_seed));
    if (!p->part[ORR_VALIDATION].samples && d->validation_fraction > 0)
        ORR_TRY(cut(p, ORR_VALIDATION, p->groups, d->validation_fraction, d->split_seed));
    return ORR_OK;
}

orr_status orr_set_identity(char out[128], const char *path)
{
    char index[ORR_PATH_MAX], sum[ORR_SHA256_HEX];

    ORR_TRY(orr_path_join(index, orr_path_is_dir(path) ? path : "",
                          orr_path_is_dir(path) ? "index.h5" : path));
    ORR_TRY(orr_sha256_file(sum, index));
    snprintf(out, 128, "index sha256 %s", sum);
    return ORR_OK;
}

orr_status orr_splits_open(orr_splits *p, orr_context *context, const orr_data_opts *d)
{
    orr_status st;

    ORR_TRY_GOTO(st, failed, open_sets(p, context, d));
    if (d->test_fraction > 0 || d->validation_fraction > 0)
        ORR_TRY_GOTO(st, failed, orr_groups_make(&p->groups, context, &p->sets[ORR_TRAIN], d));
    ORR_TRY_GOTO(st, failed, orr_phase(context, NULL, make_parts(p, d)));
    ORR_TRY_GOTO(st, failed, orr_splits_drop(p, context, d));
    ORR_TRY_GOTO(st, failed, orr_phase(context, NULL, orr_set_identity(p->identity, d->train)));
    return ORR_OK;
failed:
    orr_splits_close(p);
    return st;
}

/* ---- what splits share ---- */
orr_status orr_splits_drop(orr_splits *p, orr_context *context, const orr_data_opts *d)
{
    static const int of_job[] = { ORR_TRAIN, ORR_VALIDATION, ORR_TEST, ORR_FOLD },
                     of_fold[] = { ORR_TEST, ORR_FOLD, ORR_TRAIN, ORR_VALIDATION };
    const int *order = p->part[ORR_FOLD].n ? of_fold : of_job;
    orr_split parts[ORR_N_SPLITS];
    int64_t *rows[ORR_N_SPLITS];
    int which[ORR_N_SPLITS], n = 0;
    orr_status st;

    if (strcmp(d->overlap, "drop") != 0) return ORR_OK;
    for (int i = 0; i < ORR_N_SPLITS; i++) {
        int k = order[i];

        if (p->part[k].n == 0 || p->part[k].rows != p->rows[k]) continue; /* another part's rows */
        parts[n] = p->part[k];
        rows[n] = p->rows[k];
        which[n++] = k;
    }
    st = orr_splits_drop_overlap(context, parts, rows, n);
    for (int i = 0; st == ORR_OK && i < n; i++)
        p->part[which[i]] = parts[i];
    return st;
}

/* ---- folds ---- */
/* The training set's rows that the fold holds out, or those that it does not. */
static orr_status rows_of_fold(orr_splits *p, int i, const orr_fold_rows *f, int held_out)
{
    int64_t n = orr_dataset_rows(f->train->set), count = 0;

    p->rows[i] = orr_alloc((size_t)n + 1, sizeof(int64_t));
    if (!p->rows[i]) return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld rows", (long long)n);
    for (int64_t k = 0; k < n; k++)
        if ((f->fold[k] == f->held_out) == held_out) p->rows[i][count++] = k;
    p->part[i] =
        (orr_split){ .name = names[i], .samples = f->train, .rows = p->rows[i], .n = count };
    return ORR_OK;
}

static orr_status fold_parts(orr_splits *p, const orr_fold_rows *f, const orr_data_opts *o)
{
    ORR_TRY(rows_of_fold(p, ORR_FOLD, f, 1));
    ORR_TRY(rows_of_fold(p, ORR_TRAIN, f, 0));
    if (f->test) {
        p->part[ORR_TEST] = (orr_split){ .name = names[ORR_TEST], .samples = f->test };
        ORR_TRY(all_rows(p, ORR_TEST));
    }
    if (f->validates) {
        p->part[ORR_VALIDATION] = p->part[ORR_FOLD];
        p->part[ORR_VALIDATION].name = names[ORR_VALIDATION];
    } else if (o->validation_fraction > 0) {
        ORR_TRY(cut(p, ORR_VALIDATION, f->groups, o->validation_fraction, o->split_seed));
    }
    return ORR_OK;
}

/* The set's identity and a sum over the training rows: a checkpoint of another fold, or of other
 * folds, is not this one's. */
static orr_status fold_identity(orr_splits *p, const char *set)
{
    char sum[ORR_SHA256_HEX];
    orr_sha256 *h = NULL;
    const orr_split *train = &p->part[ORR_TRAIN];

    ORR_TRY(orr_sha256_begin(&h));
    if (orr_sha256_add(h, train->rows, (size_t)train->n * sizeof *train->rows) != ORR_OK) {
        orr_sha256_destroy(h);
        return ORR_ERR_INTERNAL;
    }
    ORR_TRY(orr_sha256_end(h, sum));
    snprintf(p->identity, sizeof p->identity, "%.90s, rows %.16s", set, sum);
    return ORR_OK;
}

orr_status orr_splits_of_fold(orr_splits *p, const orr_fold_rows *f, const orr_data_opts *o)
{
    orr_status st;

    memset(p, 0, sizeof *p);
    st = fold_parts(p, f, o);
    if (st == ORR_OK) st = fold_identity(p, f->identity);
    if (st != ORR_OK) orr_splits_close(p);
    return st;
}

void orr_splits_close(orr_splits *p)
{
    orr_free(p->groups);
    for (int i = 0; i < ORR_N_SPLITS; i++) {
        orr_free(p->rows[i]);
        orr_samples_close(&p->sets[i]);
    }
    memset(p, 0, sizeof *p);
}

static orr_status check_part(const orr_split *p, const orr_bins *bins)
{
    const float *values = orr_dataset_values(p->samples->set);
    int64_t outside = 0, first = 0;
    char id[ORR_ID_TEXT_MAX + 1];

    for (int64_t i = 0; values && i < p->n; i++)
        if (!orr_bins_hold(bins, values[p->rows[i]]) && outside++ == 0) first = p->rows[i];
    if (outside == 0) return ORR_OK;
    orr_dataset_id(p->samples->set, first, id, sizeof id);
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: %lld of %lld %s targets lie outside train.bins %g to %g, such as %g of "
                    "sample %s; widen the bins, or leave those samples out",
                    orr_dataset_path(p->samples->set), (long long)outside, (long long)p->n, p->name,
                    bins->min, bins->max, (double)values[first], id);
}

orr_status orr_splits_check_targets(const orr_splits *p, const orr_bins *bins)
{
    for (int i = 0; bins->count && i < ORR_N_SPLITS; i++)
        if (p->part[i].n) ORR_TRY(check_part(&p->part[i], bins));
    return ORR_OK;
}

void orr_split_count_classes(const orr_split *p, int n_classes, int64_t *counts)
{
    const int32_t *labels = orr_dataset_labels(p->samples->set);

    for (int c = 0; c < n_classes; c++)
        counts[c] = 0;
    for (int64_t i = 0; labels && i < p->n; i++)
        if (labels[p->rows[i]] >= 0 && labels[p->rows[i]] < n_classes) counts[labels[p->rows[i]]]++;
}

int64_t orr_splits_most(const orr_splits *p)
{
    int64_t most = 0;

    for (int i = 1; i < ORR_N_SPLITS; i++)
        if (p->part[i].n > most) most = p->part[i].n;
    return most;
}
