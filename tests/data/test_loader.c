/* tests/data/test_loader.c - batches: every place once for any number of ranks, the same content
 * however a batch is dealt, resume, last batches, plans, faults in the thread. */
#include "shard_help.h"

#include "core/config.h"
#include "core/leaves.h"
#include "data/loader.h"

enum { ROWS = 53, W = 6, C = 2, CHANNELS = 4 /* with the moving mean */ };

typedef struct fixture {
    char dir[ORR_PATH_MAX];
    orr_schema schema;
    orr_dataset *set;
    void *cache;
    orr_transform *transform, *plain, *aux; /* aux: of two numbers, fitted, to four */
    orr_augment *augment;
    orr_order *order;
    orr_config *tree;
} fixture;

static const int columns[2] = { 2, 0 };

/* The chain of two of the three aux numbers, fitted to all rows. */
static void fit_aux(fixture *f)
{
    orr_schema s;
    float picked[ROWS][2];
    double sums[2], scratch[64];

    orr_transform_aux_schema(&s, 2);
    assert_ok(orr_transform_create(&f->aux, orr_node_get(orr_config_root(f->tree), "aux"), &s));
    assert_true(orr_transform_scratch_bytes(f->aux) <= sizeof scratch);
    for (int i = 0; i < ROWS; i++)
        orr_transform_pick_aux(orr_dataset_aux(f->set) + (size_t)i * 3, columns, 2, picked[i]);
    while (orr_transform_n_fits(f->aux) > 0) {
        assert_ok(orr_transform_fit_block(f->aux, picked, ROWS, sums, scratch));
        assert_ok(orr_transform_fit_end(f->aux, sums, ROWS));
    }
}

static int set_up(void **state)
{
    static fixture f;
    orr_order_opts o = { .kind = ORR_ORDER_SHUFFLED, .seed = 11, .n_rows = ROWS };

    memset(&f, 0, sizeof f);
    temp_dir(f.dir);
    f.schema = series_schema(ORR_X_F32, W, C);
    f.schema.n_aux = 3;
    write_set(f.dir, &f.schema, ROWS, 10, 0);
    assert_ok(orr_dataset_open(&f.set, f.dir, 0));
    f.cache = orr_alloc(orr_cache_bytes(f.set), 1);
    for (int part = 0; part < 3; part++)
        assert_ok(orr_cache_fill(f.set, f.cache, part, 3));
    assert_ok(orr_config_parse(
        &f.tree,
        "t: [moving_average: {window: 3}, affine: {scale: 0.5}]\na: [roll: {}, noise: {sigma: 1}]\n"
        "aux: [standardise: {per: feature}, moving_average: {window: 2}]",
        "job"));
    assert_ok(
        orr_transform_create(&f.transform, orr_node_get(orr_config_root(f.tree), "t"), &f.schema));
    assert_ok(orr_transform_create(&f.plain, NULL, &f.schema));
    assert_ok(orr_augment_create(&f.augment, orr_node_get(orr_config_root(f.tree), "a"),
                                 orr_transform_shape(f.transform)));
    fit_aux(&f);
    assert_ok(orr_order_create(&f.order, &o));
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    orr_dataset_close(f->set);
    orr_free(f->cache);
    orr_transform_destroy(f->transform);
    orr_transform_destroy(f->plain);
    orr_transform_destroy(f->aux);
    orr_augment_destroy(f->augment);
    orr_order_destroy(f->order);
    orr_config_destroy(f->tree);
    return orr_remove_dir(f->dir);
}

static orr_loader_opts options(const fixture *f)
{
    return (orr_loader_opts){ .set = f->set,
                              .cache = f->cache,
                              .order = f->order,
                              .transform = f->transform,
                              .augment = f->augment,
                              .seed = 5,
                              .batch = 8,
                              .n_leaves = 4,
                              .last_leaf = 4,
                              .last_epoch = 3,
                              .depth = 2,
                              .threads = 1 };
}

/* What one rank (or all) saw, batch after batch. */
typedef struct log_of {
    int n_batches, n;
    int64_t epoch[64], step[64], n_global[64];
    int begin[65], leaf_total[64];
    float x[512][W * CHANNELS];
    int32_t label[512];
    uint64_t key[512];
    int64_t row[512];
} log_of;

static log_of *record(const orr_loader_opts *o)
{
    const orr_loaded *b;
    orr_loader *l = NULL;
    log_of *g = orr_alloc(1, sizeof *g);

    assert_ok(orr_loader_create(&l, o));
    for (;;) {
        int n_leaves = o->last_leaf - o->first_leaf;

        assert_ok(orr_loader_next(l, &b));
        if (!b) break;
        g->epoch[g->n_batches] = b->epoch;
        g->step[g->n_batches] = b->step;
        g->n_global[g->n_batches] = b->n_global;
        assert_int_equal(b->leaf[0], 0);
        assert_int_equal(b->leaf[n_leaves], b->n);
        for (int i = 0; i < n_leaves; i++)
            assert_int_equal(
                b->leaf[i + 1] - b->leaf[i],
                orr_joined_begin(b->n_global, o->n_leaves, o->fewest, o->first_leaf + i + 1) -
                    orr_joined_begin(b->n_global, o->n_leaves, o->fewest, o->first_leaf + i));
        if (b->n > 0) {
            memcpy(g->x[g->n], b->x, (size_t)b->n * sizeof g->x[0]);
            memcpy(&g->label[g->n], b->labels, (size_t)b->n * 4);
            memcpy(&g->key[g->n], b->keys, (size_t)b->n * 8);
            memcpy(&g->row[g->n], b->rows, (size_t)b->n * 8);
        }
        assert_null(b->values);
        assert_true((b->aux != NULL) == (o->n_aux > 0));
        g->n += b->n;
        g->begin[++g->n_batches] = g->n;
    }
    assert_ok(orr_loader_next(l, &b)); /* and stays at the end */
    assert_null(b);
    assert_true(orr_loader_waited(l) >= 0);
    orr_loader_destroy(l);
    return g;
}

static void test_content(void **state)
{
    fixture *f = *state;
    orr_loader_opts o = options(f);
    log_of *g = record(&o);
    float want[W * CHANNELS], scratch[W * CHANNELS];
    char *work = orr_alloc(orr_transform_scratch_bytes(f->transform), 1);

    assert_int_equal(orr_loader_steps_per_epoch(&o), 7);
    assert_int_equal(g->n_batches, 21);
    assert_int_equal(g->n, 3 * ROWS);
    for (int b = 0; b < 21; b++) {
        assert_int_equal(g->epoch[b], b / 7);
        assert_int_equal(g->step[b], b % 7);
        assert_int_equal(g->n_global[b], b % 7 == 6 ? 5 : 8);
    }
    for (int e = 0; e < 3; e++) {
        uint8_t seen[ROWS] = { 0 };
        for (int p = 0; p < ROWS; p++) {
            int at = e * ROWS + p;
            int64_t row = g->row[at];
            uint64_t key = orr_draw_key(5, e, (uint64_t)(1000 + 3 * row), p);

            assert_int_equal(row, orr_order_row(f->order, e, p));
            assert_int_equal(seen[row]++, 0);
            assert_int_equal(g->label[at], row % 3);
            assert_true(g->key[at] == key);
            orr_transform_apply(f->transform, (char *)f->cache + row * W * C * 4, want, work);
            orr_augment_apply(f->augment, key, want, scratch);
            assert_memory_equal(g->x[at], want, sizeof want);
        }
    }
    orr_free(work);
    orr_free(g);
}

static void test_plain_copy(void **state)
{
    fixture *f = *state;
    orr_loader_opts o = options(f);
    orr_loader *l;
    const orr_loaded *b;

    o.transform = f->plain;
    o.augment = NULL;
    assert_ok(orr_loader_create(&l, &o));
    while (orr_loader_next(l, &b) == ORR_OK && b)
        for (int i = 0; i < b->n; i++)
            for (size_t k = 0; k < W * C; k++)
                assert_true(b->x[(size_t)i * W * C + k] == cell(b->rows[i], k));
    orr_loader_destroy(l);
}

/* Ranks' shares of each batch, put together, are the batch; with any number of threads. */
static void check_ranks(orr_loader_opts o)
{
    static const int sizes[] = { 1, 2, 3, 5, 7 };
    log_of *whole;

    o.n_leaves = o.last_leaf = 6;
    whole = record(&o);
    for (int k = 0; k < 5; k++) {
        const int size = sizes[k];
        int at[64] = { 0 };

        for (int rank = 0; rank < size; rank++) {
            orr_leaf_plan p;
            log_of *g;

            assert_ok(orr_leaf_plan_init(&p, 6, rank, size));
            o.first_leaf = p.first;
            o.last_leaf = p.last;
            o.threads = 1 + rank % 3;
            o.depth = 1 + k;
            g = record(&o);
            assert_int_equal(g->n_batches, whole->n_batches);
            for (int b = 0; b < g->n_batches; b++) {
                int n = g->begin[b + 1] - g->begin[b], to = whole->begin[b] + at[b];

                assert_int_equal(g->n_global[b], whole->n_global[b]);
                assert_memory_equal(g->x[g->begin[b]], whole->x[to], (size_t)n * sizeof g->x[0]);
                assert_memory_equal(&g->row[g->begin[b]], &whole->row[to], (size_t)n * 8);
                assert_memory_equal(&g->key[g->begin[b]], &whole->key[to], (size_t)n * 8);
                assert_memory_equal(&g->label[g->begin[b]], &whole->label[to], (size_t)n * 4);
                at[b] += n;
            }
            orr_free(g);
        }
        for (int b = 0; b < whole->n_batches; b++)
            assert_int_equal(at[b], whole->begin[b + 1] - whole->begin[b]);
    }
    orr_free(whole);
}

static void test_ranks(void **state)
{
    check_ranks(options(*state));
}

/* The same where leaves of a short batch join, so that some ranks get nothing of it. */
static void test_ranks_with_joined_leaves(void **state)
{
    orr_loader_opts o = options(*state);

    for (o.fewest = 2; o.fewest < 9; o.fewest += 3)
        check_ranks(o);
}

static void test_resume(void **state)
{
    orr_loader_opts o = options(*state);
    log_of *whole = record(&o);

    for (int start = 0; start <= 21; start++) {
        log_of *g;
        int from = whole->begin[start];

        o.first_epoch = start / 7;
        o.first_step = start % 7;
        if (start == 14) { /* the end of an epoch is the beginning of the next */
            o.first_epoch = 1;
            o.first_step = 7;
        }
        g = record(&o);
        assert_int_equal(g->n_batches, 21 - start);
        assert_int_equal(g->n, whole->n - from);
        assert_memory_equal(g->x, whole->x[from], (size_t)g->n * sizeof g->x[0]);
        assert_memory_equal(g->key, &whole->key[from], (size_t)g->n * 8);
        if (start < 21) assert_int_equal(g->epoch[0], start / 7);
        orr_free(g);
    }
    orr_free(whole);
}

static void test_drop_last(void **state)
{
    orr_loader_opts o = options(*state);
    orr_loader *l;
    log_of *g;

    o.drop_last = 1;
    g = record(&o);
    assert_int_equal(orr_loader_steps_per_epoch(&o), 6);
    assert_int_equal(g->n_batches, 18);
    assert_int_equal(g->n, 18 * 8);
    assert_int_equal(g->epoch[6], 1);
    orr_free(g);
    o.batch = 64;
    assert_fails(orr_loader_create(&l, &o), ORR_ERR_ARG, "no whole batch");
    o.drop_last = 0;
    g = record(&o);
    assert_int_equal(g->n_batches, 3);
    assert_int_equal(g->n_global[0], ROWS);
    orr_free(g);
}

static void test_balanced(void **state)
{
    fixture *f = *state;
    orr_order_opts p = { .kind = ORR_ORDER_BALANCED,
                         .seed = 2,
                         .n_rows = ROWS,
                         .labels = orr_dataset_labels(f->set),
                         .n_classes = 3,
                         .shares = (double[]){ 0.5, 0.25, 0.25 },
                         .epoch_length = 40 };
    orr_loader_opts o = options(f);
    orr_order *order = NULL;
    int count[3] = { 0 };
    log_of *g;

    assert_ok(orr_order_create(&order, &p));
    o.order = order;
    g = record(&o);
    assert_int_equal(g->n, 120);
    for (int i = 0; i < 120; i++)
        count[g->label[i]]++;
    assert_int_equal(count[0], 60);
    assert_int_equal(count[1], 30);
    for (int i = 0; i < 120; i++) /* a row that comes again comes with another key */
        for (int j = 0; j < i; j++)
            assert_true(g->key[i] != g->key[j]);
    orr_free(g);
    orr_order_destroy(order);
}

static void test_values(void **state)
{
    char dir[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_U8, 4, 1);
    orr_dataset *d;
    orr_transform *t;
    orr_order *order;
    orr_loader *l;
    const orr_loaded *b;
    void *cache;

    (void)state;
    s.y_type = ORR_Y_VALUE;
    s.y_width = 2;
    temp_dir(dir);
    write_set(dir, &s, 20, 6, 3);
    assert_ok(orr_dataset_open(&d, dir, 0));
    cache = orr_alloc(orr_cache_bytes(d), 1);
    assert_ok(orr_cache_fill(d, cache, 0, 1));
    assert_ok(orr_transform_create(&t, NULL, &s));
    assert_ok(orr_order_create(&order, &(orr_order_opts){ .n_rows = 20 }));
    assert_ok(orr_loader_create(&l, &(orr_loader_opts){ .set = d,
                                                        .cache = cache,
                                                        .order = order,
                                                        .transform = t,
                                                        .batch = 20,
                                                        .n_leaves = 1,
                                                        .last_leaf = 1,
                                                        .last_epoch = 1,
                                                        .depth = 1,
                                                        .threads = 1 }));
    assert_ok(orr_loader_next(l, &b));
    assert_null(b->labels);
    for (int i = 0; i < 20; i++) {
        assert_true(b->values[2 * i] == (float)i && b->values[2 * i + 1] == (float)i + 0.25f);
        assert_true(b->x[4 * i + 3] == (float)((uint8_t)cell(i, 3)));
    }
    orr_loader_destroy(l);
    orr_order_destroy(order);
    orr_transform_destroy(t);
    orr_free(cache);
    orr_dataset_close(d);
    assert_ok(orr_remove_dir(dir));
}

/* Aux numbers of each sample, in the order of the batch, for any share of it. */
static void check_aux(const orr_loader_opts *o)
{
    const double mean = 14 + 26.0 / 64, deviation = sqrt((ROWS * ROWS - 1) / 12.0) / 64;
    orr_loader *l;
    const orr_loaded *b;
    int n = 0;

    assert_ok(orr_loader_create(&l, o));
    for (;;) {
        assert_ok(orr_loader_next(l, &b));
        if (!b) break;
        for (int i = 0; i < b->n; i++, n++) {
            float first = aux_cell(b->rows[i], 2), second = aux_cell(b->rows[i], 0);

            if (o->aux_transform) {
                double want = (second - mean) / deviation; /* both columns rise by 1/64 a row */
                for (int k = 0; k < 4; k++) /* of one place, the moving mean is the number */
                    assert_true(fabs(b->aux[4 * i + k] - want) < 1e-6);
            } else {
                assert_true(b->aux[2 * i] == first && b->aux[2 * i + 1] == second);
            }
        }
    }
    if (o->first_leaf == 0 && o->last_leaf == o->n_leaves) assert_int_equal(n, 3 * ROWS);
    orr_loader_destroy(l);
}

static void test_aux(void **state)
{
    fixture *f = *state;
    orr_loader_opts o = options(f);
    int of_caller[2] = { 2, 0 };
    orr_loader *l;
    const orr_loaded *b;
    log_of *without, *with;

    without = record(&o);
    o.n_aux = 2;
    o.aux_columns = of_caller;
    with = record(&o);
    assert_memory_equal(without, with, sizeof *with); /* aux changes nothing else */
    orr_free(without);
    orr_free(with);
    for (int k = 0; k < 2; k++) {
        o.aux_transform = k ? f->aux : NULL;
        for (o.threads = 1; o.threads <= 3; o.threads++)
            check_aux(&o);
        o.first_leaf = 1;
        o.last_leaf = 3;
        check_aux(&o);
        o.first_leaf = 0;
        o.last_leaf = 4;
    }
    assert_ok(orr_loader_create(&l, &o)); /* keeps the columns */
    of_caller[0] = of_caller[1] = 1000000;
    assert_ok(orr_loader_next(l, &b));
    orr_loader_destroy(l);
    assert_fails(orr_loader_create(&l, &o), ORR_ERR_ARG, "aux number 1000000 asked of");
    of_caller[0] = 0;
    of_caller[1] = 3;
    assert_fails(orr_loader_create(&l, &o), ORR_ERR_ARG, "which has 3");
    of_caller[1] = -1;
    assert_fails(orr_loader_create(&l, &o), ORR_ERR_ARG, "aux number -1");
    o.n_aux = 1;
    assert_fails(orr_loader_create(&l, &o), ORR_ERR_SHAPE, "transforms that takes 2");
    o.aux_columns = NULL;
    assert_fails(orr_loader_create(&l, &o), ORR_ERR_ARG, "1 aux numbers");
}

/* A fault in the thread comes out of orr_loader_next, after the batches before it, and stays. */
static void test_fault(void **state)
{
    int64_t rows[ROWS];
    orr_order_opts p = { .kind = ORR_ORDER_FILE, .n_rows = ROWS, .rows = rows };
    orr_loader_opts o = options(*state);
    orr_order *order;
    orr_loader *l;
    const orr_loaded *b;

    for (int i = 0; i < ROWS; i++)
        rows[i] = i == 20 ? 999 : i;
    assert_ok(orr_order_create(&order, &p));
    o.order = order;
    for (o.threads = 1; o.threads <= 3; o.threads++) {
        assert_ok(orr_loader_create(&l, &o));
        for (int i = 0; i < 2; i++) {
            assert_ok(orr_loader_next(l, &b));
            assert_int_equal(b->step, i);
        }
        for (int i = 0; i < 2; i++) {
            assert_fails(orr_loader_next(l, &b), ORR_ERR_ARG, "row 999 of a set of 53");
            assert_null(b);
        }
        orr_loader_destroy(l);
    }
    orr_order_destroy(order);
}

/* Destroyed while batches wait, before any was taken; and out of memory at every allocation. */
static void test_life(void **state)
{
    fixture *f = *state;
    orr_loader_opts o = options(f);
    orr_loader *l = NULL;
    orr_status st = ORR_ERR_NOMEM;
    const orr_loaded *b;
    int64_t before;

    o.threads = 3;
    o.n_aux = 2;
    o.aux_columns = columns;
    o.aux_transform = f->aux;
    for (int i = 0; i < 20; i++) {
        assert_ok(orr_loader_create(&l, &o));
        for (int k = 0; k < i % 4; k++)
            assert_ok(orr_loader_next(l, &b));
        orr_loader_destroy(l);
    }
    for (int n = 1; st != ORR_OK && n < 100; n++) {
        orr_alloc_fail_at(n);
        st = orr_loader_create(&l, &o);
        orr_alloc_fail_at(0);
        assert_true(st == ORR_OK || (st == ORR_ERR_NOMEM && !l));
    }
    assert_ok(st);
    before = orr_alloc_count();
    do
        assert_ok(orr_loader_next(l, &b));
    while (b);
    assert_int_equal(orr_alloc_count(), before); /* nothing is allocated once it runs */
    orr_loader_destroy(l);
    o.depth = 0;
    assert_fails(orr_loader_create(&l, &o), ORR_ERR_ARG, "0 ahead");
    o.depth = 1;
    o.first_leaf = 3;
    o.last_leaf = 2;
    assert_fails(orr_loader_create(&l, &o), ORR_ERR_ARG, "leaves 3 to 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_plain_copy),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_ranks_with_joined_leaves),
        cmocka_unit_test(test_drop_last),
        cmocka_unit_test(test_balanced),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_fault),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_aux),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
