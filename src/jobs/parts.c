/* jobs/parts.c - sets and shares. */
#include "jobs/parts.h"
#include "core/file.h"
#include "core/memory.h"
#include "stats/folds.h"

#include <stdio.h>
#include <string.h>

static const char *const names[ORR_N_PARTS] = { "train", "validation", "test" };

static orr_status open_sets(orr_parts *p, orr_app *app, const orr_data_opts *d)
{
    const char *paths[ORR_N_PARTS] = { d->train, d->validation, d->test };

    for (int i = 0; i < ORR_N_PARTS; i++) {
        p->part[i].name = names[i];
        if (paths[i][0] == '\0') continue;
        ORR_TRY(orr_samples_open(&p->sets[i], app, paths[i], d->verify));
        p->part[i].samples = &p->sets[i];
        p->part[i].n = orr_dataset_rows(p->sets[i].set);
    }
    return ORR_OK;
}

static orr_status all_rows(orr_parts *p, int i)
{
    int64_t n = p->part[i].n;

    p->rows[i] = orr_alloc((size_t)n + 1, sizeof(int64_t));
    if (!p->rows[i]) return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld rows", (long long)n);
    for (int64_t k = 0; k < n; k++)
        p->rows[i][k] = k;
    p->part[i].rows = p->rows[i];
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
static orr_status cut_off(orr_parts *p, int i, double share, int64_t seed)
{
    orr_part *train = &p->part[ORR_TRAIN];
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
        (orr_part){ .name = names[i], .samples = train->samples, .rows = other, .n = n_other };
    other = NULL;
done:
    orr_free(kept);
    orr_free(other);
    return st;
}

static orr_status make_parts(orr_parts *p, const orr_data_opts *d)
{
    for (int i = 0; i < ORR_N_PARTS; i++)
        if (p->part[i].samples) ORR_TRY(all_rows(p, i));
    if (!p->part[ORR_TEST].samples && d->test_fraction > 0)
        ORR_TRY(cut_off(p, ORR_TEST, d->test_fraction, d->split_seed));
    if (!p->part[ORR_VALIDATION].samples && d->validation_fraction > 0)
        ORR_TRY(cut_off(p, ORR_VALIDATION, d->validation_fraction, d->split_seed));
    return ORR_OK;
}

static orr_status identify(orr_parts *p, const char *path)
{
    char index[ORR_PATH_MAX], sum[ORR_SHA256_HEX];

    ORR_TRY(orr_path_join(index, orr_path_is_dir(path) ? path : "",
                          orr_path_is_dir(path) ? "index.h5" : path));
    ORR_TRY(orr_sha256_file(sum, index));
    snprintf(p->identity, sizeof p->identity, "index sha256 %s", sum);
    return ORR_OK;
}

orr_status orr_parts_open(orr_parts *p, orr_app *app, const orr_data_opts *d)
{
    orr_status st;

    ORR_TRY_GOTO(st, failed, open_sets(p, app, d));
    ORR_TRY_GOTO(st, failed, orr_app_agree(app, make_parts(p, d)));
    ORR_TRY_GOTO(st, failed, orr_app_agree(app, identify(p, d->train)));
    return ORR_OK;
failed:
    orr_parts_close(p);
    return st;
}

void orr_parts_close(orr_parts *p)
{
    for (int i = 0; i < ORR_N_PARTS; i++) {
        orr_free(p->rows[i]);
        orr_samples_close(&p->sets[i]);
    }
    memset(p, 0, sizeof *p);
}

static orr_status check_part(const orr_part *p, const orr_bins *bins)
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

orr_status orr_parts_check_targets(const orr_parts *p, const orr_bins *bins)
{
    for (int i = 0; bins->count && i < ORR_N_PARTS; i++)
        if (p->part[i].n) ORR_TRY(check_part(&p->part[i], bins));
    return ORR_OK;
}

int64_t orr_parts_most(const orr_parts *p)
{
    return p->part[ORR_VALIDATION].n > p->part[ORR_TEST].n ? p->part[ORR_VALIDATION].n
                                                           : p->part[ORR_TEST].n;
}
