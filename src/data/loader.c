/* data/loader.c - batches ahead of the step.
 * A batch is made by one thread from beginning to end; `threads` of them work on successive
 * batches.  Batch b lives in slot b % n_slots; there is one slot more than may wait ready, for the
 * batch in the consumer's hands.  One mutex guards the counters; a slot's content belongs to its
 * maker until it is marked ready and to the consumer after that. */
#include "data/loader.h"
#include "data/transform_private.h"

#include "core/leaves.h"
#include "core/memory.h"
#include "core/probe.h"
#include "core/threads.h"
#include "core/timeline.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MAX_THREADS = 256, MAX_DEPTH = 4096 };

typedef struct slot {
    orr_loaded out;
    int ready;
    orr_error error; /* of the thread that made it */
    int *leaf;
    float *x;
    int32_t *labels;
    float *values, *aux;
    uint64_t *keys;
    int64_t *rows;
} slot;

typedef struct worker {
    struct orr_loader *l;
    pthread_t thread;
    void *scratch; /* of transform and augment */
    float *picked; /* aux numbers of one sample */
} worker;

struct orr_loader {
    orr_loader_opts o;
    size_t x_bytes, numbers, y_width; /* stored sample; floats of a made one */
    int aux_columns[ORR_MAX_AUX];
    size_t aux;                      /* floats of a sample's made aux vector */
    int64_t per_epoch, first, total; /* steps; batches are counted from `first` steps of epoch 0 */
    int n_slots, n_threads;
    slot *slots;
    worker *workers;
    double waited;

    pthread_mutex_t lock;
    pthread_cond_t made, freed; /* for the consumer; for the threads */
    int has_lock;
    int stop;
    int64_t next;  /* batch that the next free thread takes */
    int64_t given; /* batches the consumer has had: the last of them is still in use */
};

int64_t orr_loader_steps_per_epoch(const orr_loader_opts *o)
{
    int64_t length = orr_order_length(o->order);

    return o->drop_last ? length / o->batch : (length + o->batch - 1) / o->batch;
}

/* Samples of this rank in a batch of n. */
static int64_t local_samples(const orr_loader_opts *o, int64_t n)
{
    return orr_joined_begin(n, o->n_leaves, o->fewest, o->last_leaf) -
           orr_joined_begin(n, o->n_leaves, o->fewest, o->first_leaf);
}

/* ---- making a batch ---- */
static orr_status find_rows(const orr_loader *l, slot *s, int64_t place)
{
    const orr_loader_opts *o = &l->o;
    const uint64_t *keys = orr_dataset_keys(o->set);
    int64_t rows = orr_dataset_rows(o->set);

    for (int i = 0; i < s->out.n; i++) {
        int64_t row = orr_order_row(o->order, s->out.epoch, place + i);
        if (row < 0 || row >= rows)
            return orr_fail(ORR_ERR_ARG,
                            "%s: the order asks for row %" PRId64 " of a set of %" PRId64,
                            orr_dataset_path(o->set), row, rows);
        s->rows[i] = row;
        s->keys[i] = orr_draw_key(o->seed, s->out.epoch, keys[row], place + i);
    }
    return ORR_OK;
}

static void copy_targets(const orr_loader *l, slot *s)
{
    const int32_t *labels = orr_dataset_labels(l->o.set);
    const float *values = orr_dataset_values(l->o.set);

    for (int i = 0; labels && i < s->out.n; i++)
        s->labels[i] = labels[s->rows[i]];
    for (int i = 0; values && i < s->out.n; i++)
        memcpy(s->values + (size_t)i * l->y_width, values + (size_t)s->rows[i] * l->y_width,
               l->y_width * sizeof *values);
}

static void copy_samples(const orr_loader *l, slot *s, void *scratch)
{
    const char *cache = l->o.cache;

    for (int i = 0; i < s->out.n; i++) {
        float *x = s->x + (size_t)i * l->numbers;
        orr_transform_apply(l->o.transform, cache + (size_t)s->rows[i] * l->x_bytes, x, scratch);
        if (l->o.augment) orr_augment_apply(l->o.augment, s->keys[i], x, scratch);
    }
}

static void copy_aux(const orr_loader *l, slot *s, const worker *w)
{
    const orr_loader_opts *o = &l->o;
    const float *aux = orr_dataset_aux(o->set);
    const size_t width = (size_t)orr_dataset_schema(o->set)->n_aux;

    for (int i = 0; i < s->out.n; i++) {
        const float *from = aux + (size_t)s->rows[i] * width;
        float *to = s->aux + (size_t)i * l->aux;

        orr_transform_pick_aux(from, l->aux_columns, o->n_aux, o->aux_transform ? w->picked : to);
        if (o->aux_transform) orr_transform_apply(o->aux_transform, w->picked, to, w->scratch);
    }
}

static orr_status make(const orr_loader *l, slot *s, int64_t batch, const worker *w)
{
    const orr_loader_opts *o = &l->o;
    int64_t step = (l->first + batch) % l->per_epoch, begin = step * o->batch;
    int64_t left = orr_order_length(o->order) - begin, n = left < o->batch ? left : o->batch;
    int64_t mine = orr_joined_begin(n, o->n_leaves, o->fewest, o->first_leaf), span;

    s->out.epoch = (l->first + batch) / l->per_epoch;
    s->out.step = step;
    s->out.number = l->first + batch;
    s->out.n_global = n;
    s->out.n = (int)local_samples(o, n);
    for (int i = o->first_leaf; i <= o->last_leaf; i++)
        s->leaf[i - o->first_leaf] = (int)(orr_joined_begin(n, o->n_leaves, o->fewest, i) - mine);
    span = orr_timeline_now();
    ORR_TRY(find_rows(l, s, begin + mine));
    copy_targets(l, s);
    orr_timeline_span("rows", span, l->first + batch);
    span = orr_timeline_now();
    copy_samples(l, s, w->scratch);
    if (o->n_aux > 0) copy_aux(l, s, w);
    orr_probe_at("batch", l->first + batch, s->x, (size_t)s->out.n * l->numbers * sizeof *s->x);
    orr_timeline_span("transform", span, l->first + batch);
    return ORR_OK;
}

/* ---- threads ---- */
/* Takes the next batch once its slot is free; -1 when there is nothing more to do.  Called with the
 * lock held. */
static int64_t take(orr_loader *l)
{
    /* The batch that was in the slot before is done with when the consumer has been given a later
     * one. */
    while (!l->stop && l->next < l->total && l->next - l->n_slots >= l->given - 1)
        pthread_cond_wait(&l->freed, &l->lock);
    return l->stop || l->next == l->total ? -1 : l->next++;
}

static void *work(void *arg)
{
    worker *w = arg;
    orr_loader *l = w->l;
    int64_t batch, unit;

    orr_timeline_thread("loader", (int)(w - l->workers));
    pthread_mutex_lock(&l->lock);
    while ((batch = take(l)) >= 0) {
        slot *s = &l->slots[batch % l->n_slots];

        pthread_mutex_unlock(&l->lock);
        unit = orr_timeline_unit(l->first + batch);
        orr_error_take(&s->error, make(l, s, batch, w));
        orr_timeline_unit_end(NULL, unit, -1);
        pthread_mutex_lock(&l->lock);
        s->ready = 1;
        pthread_cond_broadcast(&l->made);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

orr_status orr_loader_next(orr_loader *l, const orr_loaded **out)
{
    slot *s = &l->slots[l->given % l->n_slots];
    int64_t span = orr_timeline_now();
    orr_status st;

    *out = NULL;
    pthread_mutex_lock(&l->lock);
    if (l->given == l->total) {
        pthread_mutex_unlock(&l->lock);
        return ORR_OK;
    }
    if (!s->ready) {
        double begin = orr_now();
        while (!s->ready)
            pthread_cond_wait(&l->made, &l->lock);
        l->waited += orr_now() - begin;
    }
    st = s->error.code;
    if (st == ORR_OK) {
        slot *before = &l->slots[(l->given + l->n_slots - 1) % l->n_slots];
        before->ready = 0;
        l->given++;
        pthread_cond_signal(&l->freed);
        *out = &s->out;
    }
    pthread_mutex_unlock(&l->lock);
    orr_timeline_span("load", span, l->first + l->given - 1);
    return orr_error_raise(&s->error);
}

double orr_loader_waited(const orr_loader *l)
{
    return l->waited;
}

/* ---- life ---- */
static orr_status check(const orr_loader_opts *o)
{
    if (o->batch < 1 || o->batch > INT32_MAX || o->depth < 1 || o->depth > MAX_DEPTH ||
        o->threads < 1 || o->threads > MAX_THREADS)
        return orr_fail(ORR_ERR_ARG, "loader: a batch of %" PRId64 ", %d ahead, by %d threads",
                        o->batch, o->depth, o->threads);
    if (o->n_leaves < 1 || o->first_leaf < 0 || o->first_leaf > o->last_leaf ||
        o->last_leaf > o->n_leaves)
        return orr_fail(ORR_ERR_ARG, "loader: leaves %d to %d of %d", o->first_leaf, o->last_leaf,
                        o->n_leaves);
    if (orr_loader_steps_per_epoch(o) < 1)
        return orr_fail(ORR_ERR_ARG,
                        "loader: an epoch of %" PRId64 " samples has no whole batch of %" PRId64
                        ", and drop_last is set",
                        orr_order_length(o->order), o->batch);
    if (o->first_epoch < 0 || o->first_step < 0 || o->last_epoch < o->first_epoch ||
        o->first_step > orr_loader_steps_per_epoch(o))
        return orr_fail(ORR_ERR_ARG,
                        "loader: cannot go from epoch %" PRId64 ", step %" PRId64
                        " to epoch %" PRId64,
                        o->first_epoch, o->first_step, o->last_epoch);
    return ORR_OK;
}

static orr_status check_aux(const orr_loader_opts *o)
{
    const int have = orr_dataset_schema(o->set)->n_aux;

    if (o->n_aux < 0 || o->n_aux > ORR_MAX_AUX || (o->n_aux > 0 && !o->aux_columns))
        return orr_fail(ORR_ERR_ARG, "loader: %d aux numbers", o->n_aux);
    for (int i = 0; i < o->n_aux; i++)
        if (o->aux_columns[i] < 0 || o->aux_columns[i] >= have)
            return orr_fail(ORR_ERR_ARG, "loader: aux number %d asked of %s, which has %d",
                            o->aux_columns[i], orr_dataset_path(o->set), have);
    if (o->n_aux > 0 && o->aux_transform &&
        (o->aux_transform->x_type != ORR_X_F32 ||
         orr_sample_elements(o->aux_transform->in) != (size_t)o->n_aux))
        return orr_fail(ORR_ERR_SHAPE,
                        "loader: %d aux numbers for a chain of transforms that takes %zu", o->n_aux,
                        orr_sample_elements(o->aux_transform->in));
    return ORR_OK;
}

static orr_status alloc_slot(const orr_loader *l, slot *s, size_t n)
{
    const orr_schema *schema = orr_dataset_schema(l->o.set);
    int classes = schema->y_type == ORR_Y_CLASS, values = schema->y_type == ORR_Y_VALUE;

    s->leaf = orr_alloc((size_t)(l->o.last_leaf - l->o.first_leaf) + 1, sizeof *s->leaf);
    s->x = orr_alloc(n * l->numbers, sizeof *s->x);
    s->keys = orr_alloc(n, sizeof *s->keys);
    s->rows = orr_alloc(n, sizeof *s->rows);
    if (classes) s->labels = orr_alloc(n, sizeof *s->labels);
    if (values) s->values = orr_alloc(n * l->y_width, sizeof *s->values);
    if (l->aux > 0) s->aux = orr_alloc(n * l->aux, sizeof *s->aux);
    if (!s->leaf || !s->x || !s->keys || !s->rows || (classes && !s->labels) ||
        (values && !s->values) || (l->aux > 0 && !s->aux))
        return orr_fail(ORR_ERR_NOMEM, "loader: no memory for %d batches of %zu samples",
                        l->n_slots, n);
    s->out = (orr_loaded){ .leaf = s->leaf,
                           .x = s->x,
                           .labels = s->labels,
                           .values = s->values,
                           .aux = s->aux,
                           .keys = s->keys,
                           .rows = s->rows };
    return ORR_OK;
}

/* What the neediest of transform, augment and the aux numbers' transform works in. */
static size_t scratch_bytes(const orr_loader *l)
{
    size_t bytes = orr_transform_scratch_bytes(l->o.transform), other = l->numbers * sizeof(float);

    if (other > bytes) bytes = other;
    other =
        l->o.n_aux > 0 && l->o.aux_transform ? orr_transform_scratch_bytes(l->o.aux_transform) : 0;
    return other > bytes ? other : bytes;
}

static orr_status alloc_all(orr_loader *l)
{
    const orr_loader_opts *o = &l->o;
    int64_t length = orr_order_length(o->order), whole = local_samples(o, o->batch);
    int64_t rest = local_samples(o, length % o->batch); /* may exceed the whole one's by one */
    size_t scratch = scratch_bytes(l);

    l->slots = orr_alloc((size_t)l->n_slots, sizeof *l->slots);
    l->workers = orr_alloc((size_t)o->threads, sizeof *l->workers);
    if (!l->slots || !l->workers) return orr_fail(ORR_ERR_NOMEM, "loader: no memory");
    for (int i = 0; i < l->n_slots; i++)
        ORR_TRY(alloc_slot(l, &l->slots[i], (size_t)(whole > rest ? whole : rest)));
    for (int i = 0; i < o->threads; i++) {
        l->workers[i].l = l;
        l->workers[i].scratch = orr_alloc(scratch, 1);
        l->workers[i].picked = orr_alloc((size_t)o->n_aux, sizeof(float));
        if (!l->workers[i].scratch || !l->workers[i].picked)
            return orr_fail(ORR_ERR_NOMEM, "loader: no memory for scratch");
    }
    return ORR_OK;
}

static orr_status start(orr_loader *l)
{
    orr_status st = ORR_OK;

    if (pthread_mutex_init(&l->lock, NULL) != 0)
        return orr_fail(ORR_ERR_INTERNAL, "loader: no mutex");
    pthread_cond_init(&l->made, NULL);
    pthread_cond_init(&l->freed, NULL);
    l->has_lock = 1;
    for (int i = 0; st == ORR_OK && i < l->o.threads; i++) {
        int e = orr_thread_start(&l->workers[i].thread, work, &l->workers[i]);
        if (e != 0)
            st = orr_fail(ORR_ERR_IO, "loader: cannot start thread %d: %s", i, strerror(e));
        else
            l->n_threads++;
    }
    return st;
}

orr_status orr_loader_create(orr_loader **out, const orr_loader_opts *o)
{
    orr_status st;
    orr_loader *l;

    *out = NULL;
    ORR_TRY(check(o));
    ORR_TRY(check_aux(o));
    if (!(l = orr_alloc(1, sizeof *l))) return orr_fail(ORR_ERR_NOMEM, "loader: no memory");
    l->o = *o;
    l->x_bytes = orr_schema_x_bytes(orr_dataset_schema(o->set));
    l->y_width = (size_t)orr_dataset_schema(o->set)->y_width;
    l->numbers = orr_sample_elements(orr_transform_shape(o->transform));
    for (int i = 0; i < o->n_aux; i++)
        l->aux_columns[i] = o->aux_columns[i];
    if (o->n_aux > 0)
        l->aux = o->aux_transform ? orr_sample_elements(orr_transform_shape(o->aux_transform))
                                  : (size_t)o->n_aux;
    l->per_epoch = orr_loader_steps_per_epoch(o);
    l->first = o->first_epoch * l->per_epoch + o->first_step;
    l->total = o->last_epoch * l->per_epoch - l->first;
    if (l->total < 0) l->total = 0;
    l->n_slots = (o->depth > o->threads ? o->depth : o->threads) + 1;
    ORR_TRY_GOTO(st, done, alloc_all(l));
    ORR_TRY_GOTO(st, done, start(l));
    *out = l;
    l = NULL; /* handed over */
done:
    orr_loader_destroy(l);
    return st;
}

static void stop(orr_loader *l)
{
    if (!l->has_lock) return;
    pthread_mutex_lock(&l->lock);
    l->stop = 1;
    pthread_cond_broadcast(&l->freed);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_threads; i++)
        pthread_join(l->workers[i].thread, NULL);
    pthread_cond_destroy(&l->made);
    pthread_cond_destroy(&l->freed);
    pthread_mutex_destroy(&l->lock);
}

void orr_loader_destroy(orr_loader *l)
{
    if (!l) return;
    stop(l);
    for (int i = 0; l->slots && i < l->n_slots; i++) {
        slot *s = &l->slots[i];
        orr_free(s->leaf);
        orr_free(s->x);
        orr_free(s->labels);
        orr_free(s->values);
        orr_free(s->aux);
        orr_free(s->keys);
        orr_free(s->rows);
    }
    for (int i = 0; l->workers && i < l->o.threads; i++) {
        orr_free(l->workers[i].scratch);
        orr_free(l->workers[i].picked);
    }
    orr_free(l->slots);
    orr_free(l->workers);
    orr_free(l);
}
