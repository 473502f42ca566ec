/* jobs/train/checkpoint.c - all state of a run, slab by slab. */
#include "jobs/train/checkpoint.h"
#include "core/memory.h"
#include "jobs/train/longer.h"

#include <string.h>

struct orr_snapshot {
    orr_train_state state;
    int64_t optimiser_steps;
    orr_real *slab; /* one behind the other: parameters, state, the optimiser's */
};

/* The state as two plain arrays, in a fixed order; the same walk fills and reads them. */
enum { N_COUNTS = 15, N_NUMBERS = 5 };
static void pack(orr_train_state *s, int64_t counts[N_COUNTS], double numbers[N_NUMBERS],
                 int restore)
{
    int64_t *c[N_COUNTS] = { &s->epoch,
                             &s->epoch_step,
                             &s->steps,
                             &s->epoch_samples,
                             &s->epoch_correct,
                             &s->epoch_skipped,
                             &s->has_best,
                             &s->best_epoch,
                             &s->bad_evaluations,
                             &s->nonfinite_in_a_row,
                             &s->finished,
                             &s->metrics_bytes,
                             &s->history_bytes,
                             &s->schedule.bad_epochs,
                             &s->schedule.has_best };
    double *d[N_NUMBERS] = { &s->epoch_loss, &s->epoch_norm, &s->best, &s->schedule.lr,
                             &s->schedule.best };

    for (int i = 0; i < N_COUNTS; i++) {
        if (restore)
            *c[i] = counts[i];
        else
            counts[i] = *c[i];
    }
    for (int i = 0; i < N_NUMBERS; i++) {
        if (restore)
            *d[i] = numbers[i];
        else
            numbers[i] = *d[i];
    }
}

/* A checkpoint's sum may be right, and its numbers another program's: with larger ones steps and
 * epochs would overflow. */
static orr_status check_counts(const int64_t counts[N_COUNTS], int64_t optimiser_steps,
                               const char *path)
{
    const int64_t most = (int64_t)1 << 40;
    int good = optimiser_steps >= 0 && optimiser_steps <= most;

    for (int i = 0; i < N_COUNTS; i++)
        good &= counts[i] >= -1 && counts[i] <= most; /* -1: no best epoch yet */
    if (good) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: its counts of epochs, steps and bytes make no sense; remove it, and start "
                    "again",
                    path);
}

/* Slabs by number: ORR_SLAB_PARAMS and ORR_SLAB_STATE are the net's, from 0 on the optimiser's. */
static size_t slab_count(const orr_checkpoint *c, int slab)
{
    return slab == ORR_SLAB_STATE ? orr_net_state_count(c->net) : orr_net_param_count(c->net);
}

static const char *slab_name(const orr_checkpoint *c, int slab)
{
    if (slab == ORR_SLAB_PARAMS) return "params";
    return slab == ORR_SLAB_STATE ? "state" : orr_optimiser_slab_name(c->optimiser, slab);
}

static orr_status read_slab(const orr_checkpoint *c, int slab, orr_real *x)
{
    size_t n = slab_count(c, slab);

    return slab < 0 ? orr_net_read(c->net, slab, 0, n, x)
                    : orr_optimiser_read(c->optimiser, slab, 0, n, x);
}

/* Where a slab lies in a snapshot. */
static size_t slab_begin(const orr_checkpoint *c, int slab)
{
    size_t n_params = orr_net_param_count(c->net);

    if (slab == ORR_SLAB_PARAMS) return 0;
    return slab == ORR_SLAB_STATE
               ? n_params
               : n_params + orr_net_state_count(c->net) + n_params * (size_t)slab;
}

static orr_status put_slab(orr_store_writer *f, const orr_checkpoint *c, int slab)
{
    size_t n = slab_count(c, slab);
    orr_store_array shape = orr_store_vector(ORR_STORE_F32, (int64_t)n);
    orr_real *x;
    orr_status st;

    if (c->kept)
        return orr_store_put(f, slab_name(c, slab), shape, c->kept->slab + slab_begin(c, slab));
    if (!(x = orr_alloc(n, sizeof *x)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: checkpoint of %zu numbers", n);
    st = read_slab(c, slab, x);
    if (st == ORR_OK) st = orr_store_put(f, slab_name(c, slab), shape, x);
    orr_free(x);
    return st;
}

/* Reads the slab; keeps it unless it is only passed over. */
static orr_status get_slab(orr_store_reader *f, const orr_checkpoint *c, int slab, int keep)
{
    size_t n = slab_count(c, slab);
    orr_real *x = orr_alloc(n, sizeof *x);
    orr_status st;

    if (!x) return orr_fail(ORR_ERR_NOMEM, "out of memory: checkpoint of %zu numbers", n);
    st = orr_store_get(f, slab_name(c, slab), ORR_STORE_F32, n, x);
    if (st == ORR_OK && keep)
        st = slab < 0 ? orr_net_write(c->net, slab, 0, n, x)
                      : orr_optimiser_write(c->optimiser, slab, 0, n, x);
    orr_free(x);
    return st;
}

/* For who reads the weights alone, and passes the others over. */
static orr_status put_slab_names(orr_store_writer *f, const orr_checkpoint *c)
{
    orr_text names = ORR_TEXT_INIT;
    orr_status st;

    for (int i = 0; i < orr_optimiser_n_slabs(c->optimiser); i++)
        orr_text_printf(&names, "%s%s", i ? " " : "", slab_name(c, i));
    st = orr_text_status(&names);
    if (st == ORR_OK) st = orr_store_put_text(f, "optimiser_slabs", names.s ? names.s : "");
    orr_text_free(&names);
    return st;
}

static orr_status save_parts(const orr_checkpoint *c, orr_store_writer *f)
{
    int64_t counts[N_COUNTS],
        steps = c->kept ? c->kept->optimiser_steps : orr_optimiser_steps(c->optimiser);
    orr_train_state state = c->kept ? c->kept->state : *c->state;
    double numbers[N_NUMBERS];
    size_t n_fitted = orr_transform_n_numbers(c->transform);
    double *fitted = orr_alloc(n_fitted + 1, sizeof *fitted);
    orr_status st;

    if (!fitted) return orr_fail(ORR_ERR_NOMEM, "out of memory: checkpoint");
    orr_transform_get_numbers(c->transform, fitted);
    pack(&state, counts, numbers, 0);
    ORR_TRY_GOTO(st, done, orr_store_put_text(f, "job", c->job));
    ORR_TRY_GOTO(st, done, orr_store_put_text(f, "data", c->data));
    ORR_TRY_GOTO(st, done, orr_model_put_parts(c->model, c->record, f));
    ORR_TRY_GOTO(st, done, put_slab_names(f, c));
    ORR_TRY_GOTO(st, done,
                 orr_store_put(f, "counts", orr_store_vector(ORR_STORE_I64, N_COUNTS), counts));
    ORR_TRY_GOTO(st, done,
                 orr_store_put(f, "numbers", orr_store_vector(ORR_STORE_F64, N_NUMBERS), numbers));
    ORR_TRY_GOTO(
        st, done,
        orr_store_put(f, "transform", orr_store_vector(ORR_STORE_F64, (int64_t)n_fitted), fitted));
    ORR_TRY_GOTO(st, done, put_slab(f, c, ORR_SLAB_PARAMS));
    ORR_TRY_GOTO(st, done, put_slab(f, c, ORR_SLAB_STATE));
    ORR_TRY_GOTO(st, done,
                 orr_store_put(f, "optimiser_steps", orr_store_vector(ORR_STORE_I64, 1), &steps));
    for (int i = 0; i < orr_optimiser_n_slabs(c->optimiser); i++)
        ORR_TRY_GOTO(st, done, put_slab(f, c, i));
done:
    orr_free(fitted);
    return st;
}

/* Room for what is large, and for all that is small beside it. */
static size_t bytes_of(const orr_checkpoint *c)
{
    size_t slabs = 1 + (size_t)orr_optimiser_n_slabs(c->optimiser);

    return (orr_net_param_count(c->net) * slabs + orr_net_state_count(c->net)) * sizeof(orr_real) +
           strlen(c->job) + orr_seen_bytes(&c->model->seen) + ((size_t)1 << 20);
}

orr_status orr_checkpoint_image(const orr_checkpoint *c, const char *path, orr_store_image **spare,
                                orr_store_image **image)
{
    orr_store_writer *f;
    orr_status st = orr_store_begin_large(&f, path, orr_checkpoint_format, bytes_of(c), spare);

    if (st == ORR_OK) st = save_parts(c, f);
    return orr_store_take(f, st, image);
}

/* Its memory, when there is none yet. */
static orr_status make_snapshot(const orr_checkpoint *c, orr_snapshot **out)
{
    size_t n = slab_begin(c, orr_optimiser_n_slabs(c->optimiser));

    if (*out) return ORR_OK;
    if ((*out = orr_alloc(1, sizeof **out)) &&
        ((*out)->slab = orr_alloc(n + 1, sizeof *(*out)->slab)))
        return ORR_OK;
    return orr_fail(ORR_ERR_NOMEM, "out of memory: a copy of the best epoch, %zu numbers", n);
}

orr_status orr_checkpoint_keep(const orr_checkpoint *c, orr_snapshot **kept)
{
    orr_snapshot *s;

    ORR_TRY(make_snapshot(c, kept));
    s = *kept;
    s->state = *c->state;
    s->optimiser_steps = orr_optimiser_steps(c->optimiser);
    ORR_TRY(read_slab(c, ORR_SLAB_PARAMS, s->slab));
    ORR_TRY(read_slab(c, ORR_SLAB_STATE, s->slab + slab_begin(c, ORR_SLAB_STATE)));
    for (int i = 0; i < orr_optimiser_n_slabs(c->optimiser); i++)
        ORR_TRY(read_slab(c, i, s->slab + slab_begin(c, i)));
    return ORR_OK;
}

const orr_train_state *orr_snapshot_state(const orr_snapshot *s)
{
    return &s->state;
}

orr_net_copy orr_snapshot_weights(const orr_checkpoint *c, const orr_snapshot *s)
{
    return (orr_net_copy){ s->slab + slab_begin(c, ORR_SLAB_PARAMS),
                           s->slab + slab_begin(c, ORR_SLAB_STATE) };
}

void orr_snapshot_free(orr_snapshot *s)
{
    if (s) orr_free(s->slab);
    orr_free(s);
}

/* Reads a text and compares it; what it is for and what to do are in the sentence. */
static orr_status expect_string(orr_store_reader *f, const char *name, const char *want,
                                const char *sentence)
{
    char *have = NULL;
    orr_status st = orr_store_get_text(f, name, &have);

    if (st == ORR_OK && strcmp(have, want) != 0)
        st = orr_fail(ORR_ERR_FORMAT, "%s: %s", orr_store_reader_path(f), sentence);
    orr_free(have);
    return st;
}

/* The job itself, or one that asked for less of the same. */
static orr_status expect_job(const orr_checkpoint *c, orr_store_reader *f)
{
    char *have = NULL;
    int goes_on = 0;
    orr_status st = orr_store_get_text(f, "job", &have);

    if (st == ORR_OK && strcmp(have, c->job) != 0) {
        st = orr_train_goes_on(c->job, have, orr_store_reader_path(f), &goes_on);
        if (st == ORR_OK && !goes_on)
            st = orr_fail(ORR_ERR_FORMAT,
                          "%s: a checkpoint of another job; give another run folder, or say "
                          "overwrite=true",
                          orr_store_reader_path(f));
    }
    if (c->longer) *c->longer = goes_on;
    orr_free(have);
    return st;
}

static orr_status load_parts(const orr_checkpoint *c, orr_store_reader *f, orr_train_state *state,
                             int weights_only)
{
    int64_t counts[N_COUNTS], steps;
    double numbers[N_NUMBERS];
    size_t n_fitted = orr_transform_n_numbers(c->transform);
    double *fitted = orr_alloc(n_fitted + 1, sizeof *fitted);
    orr_status st;

    if (!fitted) return orr_fail(ORR_ERR_NOMEM, "out of memory: checkpoint");
    ORR_TRY_GOTO(st, done, expect_job(c, f));
    ORR_TRY_GOTO(
        st, done,
        expect_string(
            f, "data", c->data,
            "the training set has changed since this checkpoint; give another run folder, or say "
            "overwrite=true"));
    ORR_TRY_GOTO(st, done, orr_model_pass_parts(f, c->begun, c->seen));
    ORR_TRY_GOTO(st, done, orr_store_pass(f, "optimiser_slabs"));
    ORR_TRY_GOTO(st, done, orr_store_get(f, "counts", ORR_STORE_I64, N_COUNTS, counts));
    ORR_TRY_GOTO(st, done, orr_store_get(f, "numbers", ORR_STORE_F64, N_NUMBERS, numbers));
    ORR_TRY_GOTO(st, done, orr_store_get(f, "transform", ORR_STORE_F64, n_fitted, fitted));
    ORR_TRY_GOTO(st, done, get_slab(f, c, ORR_SLAB_PARAMS, 1));
    ORR_TRY_GOTO(st, done, get_slab(f, c, ORR_SLAB_STATE, 1));
    ORR_TRY_GOTO(st, done, orr_store_get(f, "optimiser_steps", ORR_STORE_I64, 1, &steps));
    for (int i = 0; i < orr_optimiser_n_slabs(c->optimiser); i++)
        ORR_TRY_GOTO(st, done, get_slab(f, c, i, !weights_only));
    ORR_TRY_GOTO(st, done, check_counts(counts, steps, orr_store_reader_path(f)));
    ORR_TRY_GOTO(st, done, orr_transform_set_numbers(c->transform, fitted, n_fitted));
    if (!weights_only) orr_optimiser_set_steps(c->optimiser, steps);
    pack(state, counts, numbers, 1);
done:
    orr_free(fitted);
    return st;
}

static orr_status load(const orr_checkpoint *c, const char *path, int weights_only,
                       orr_train_state *of)
{
    orr_train_state state = *c->state;
    orr_store_reader *f;
    orr_status st = orr_store_open(&f, path, orr_checkpoint_format);

    if (st == ORR_OK) st = load_parts(c, f, &state, weights_only);
    if (st == ORR_OK) st = orr_store_verify(f);
    orr_store_close(f);
    if (st == ORR_OK) *of = state;
    return st;
}

orr_status orr_checkpoint_load(const orr_checkpoint *c, const char *path)
{
    return load(c, path, 0, c->state);
}

orr_status orr_checkpoint_load_weights(const orr_checkpoint *c, const char *path,
                                       orr_train_state *of)
{
    return load(c, path, 1, of);
}

void orr_checkpoint_is_of_other(const char *path, const char *data, int *other)
{
    orr_store_reader *f;
    char *have = NULL;
    orr_status st = orr_store_open(&f, path, orr_checkpoint_format);

    if (st == ORR_OK) st = orr_store_get_text(f, "data", &have);
    *other = st == ORR_OK && strcmp(have, data) != 0;
    if (st != ORR_OK) orr_error_clear();
    orr_store_close(f);
    orr_free(have);
}

orr_status orr_checkpoint_peek(const char *path, orr_train_state *state, char **job,
                               int64_t *n_params)
{
    int64_t counts[N_COUNTS];
    double numbers[N_NUMBERS];
    orr_store_reader *f;
    orr_status st = orr_store_open(&f, path, orr_checkpoint_format);

    *job = NULL;
    if (st == ORR_OK) st = orr_store_get_text(f, "job", job);
    if (st == ORR_OK) st = orr_store_get(f, "counts", ORR_STORE_I64, N_COUNTS, counts);
    if (st == ORR_OK) st = orr_store_get(f, "numbers", ORR_STORE_F64, N_NUMBERS, numbers);
    if (st == ORR_OK) st = check_counts(counts, 0, path);
    if (st == ORR_OK) {
        pack(state, counts, numbers, 1);
        *n_params = orr_store_count(f, "params");
    }
    orr_store_close(f);
    return st;
}
