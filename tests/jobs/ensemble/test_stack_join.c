/* Predictions of several cross-validations side by side: rows by id whatever order files hold them
 * in, columns by (path, model, seed), means over seeds and repeats; and what is refused by name:
 * samples that one side lacks, another truth or classes, what is no probability, folds that make no
 * sense, a model or a file that counts twice. */
#include "data/shard_help.h"
#include "jobs/ensemble/stack_join.h"

enum { N = 7, N_TEST = 3, FOLDS = 2 };
static char dir[ORR_PATH_MAX];

static const char *in(const char *name)
{
    static char paths[32][ORR_PATH_MAX];
    static int next;
    char *path = paths[next++ % 32];

    in_dir(path, dir, name);
    return path;
}

/* ---- files: a sample is known by its number, 0 to N - 1, in the order `order` ---- */
typedef struct cv {
    const char *run;                                /* its folder */
    int n, n_columns, n_classes, n_repeats, n_test; /* n: samples order[0], ... */
    orr_oof_column columns[4];
    const char *class_names[3];
    int order[N];       /* sample number of row i */
    int odd_sample;     /* whose entry below is another than the rule's; -1: none */
    int odd_label;      /* ... its class */
    double odd_p[3];    /* ... what column 0 says, when any is not 0 */
    const char *odd_id; /* ... its id */
    int32_t odd_fold;   /* ... its fold (first repeat); 0 */
    int first_test;     /* number of the first test sample */
} cv;

static cv a_cv(const char *run, const char *model)
{
    cv c = { .run = run,
             .n = N,
             .n_columns = 1,
             .n_classes = 2,
             .n_repeats = 1,
             .class_names = { "star", "planet", "binary" },
             .odd_sample = -1 };

    snprintf(c.columns[0].model, sizeof c.columns[0].model, "%s", model);
    c.columns[0].seed = 1;
    for (int i = 0; i < N; i++)
        c.order[i] = i;
    return c;
}

static void turn_round(cv *c)
{
    for (int i = 0; i < N; i++)
        c->order[i] = N - 1 - i;
}

static int label_of(const cv *c, int sample)
{
    return sample % c->n_classes;
}

/* What a column says of a sample: exact in double, rows sum to 1. */
static double said(const orr_oof_column *c, int n_classes, int sample, int k)
{
    double rest = (1 + sample + 16 * (double)c->seed + 64 * c->repeat + c->model[0]) / 1024;

    return k == 0 ? 1 - rest * (n_classes - 1) : rest;
}

static orr_status fill(void *ctx, int column, double *p, double *test_p)
{
    const cv *c = ctx;
    int wide = c->n_classes;

    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < wide; k++)
            p[i * wide + k] = said(&c->columns[column], wide, c->order[i], k);
    for (int i = 0; i < c->n_test; i++)
        for (int k = 0; k < wide; k++)
            test_p[i * wide + k] = said(&c->columns[column], wide, c->first_test + i, k);
    for (int i = 0; column == 0 && i < c->n; i++)
        if (c->order[i] == c->odd_sample && (c->odd_p[0] != 0 || c->odd_p[1] != 0))
            memcpy(p + (size_t)i * (size_t)wide, c->odd_p, (size_t)wide * sizeof *p);
    return ORR_OK;
}

static void put_rows(const cv *c, orr_oof *o)
{
    for (int i = 0; i < c->n; i++) {
        int sample = c->order[i], odd = sample == c->odd_sample;
        snprintf(o->id[i], sizeof o->id[i], "obj-%d", sample);
        if (odd && c->odd_id) snprintf(o->id[i], sizeof o->id[i], "%s", c->odd_id);
        o->labels[i] = odd ? c->odd_label : label_of(c, sample);
        for (int r = 0; r < c->n_repeats; r++)
            o->fold[r * c->n + i] = odd && r == 0 ? c->odd_fold : (sample / 2 + r) % FOLDS;
    }
    for (int i = 0; i < c->n_test; i++)
        snprintf(o->test_id[i], sizeof o->test_id[i], "test-%d", c->first_test + i);
    for (int k = 0; k < c->n_classes; k++)
        snprintf(o->class_names[k], sizeof o->class_names[k], "%s", c->class_names[k]);
}

static void write_cv(const cv *c)
{
    orr_context context = { .size = 1, .threads = 1 };
    char path[ORR_PATH_MAX];
    orr_oof o = { .n = c->n,
                  .n_columns = c->n_columns,
                  .n_repeats = c->n_repeats,
                  .n_folds = FOLDS,
                  .width = c->n_classes,
                  .n_classes = c->n_classes,
                  .n_test = c->n_test };

    o.columns = orr_alloc((size_t)c->n_columns, sizeof *o.columns);
    o.class_names = orr_alloc((size_t)c->n_classes, sizeof *o.class_names);
    o.id = orr_alloc(N, sizeof *o.id);
    o.labels = orr_alloc(N, sizeof *o.labels);
    o.fold = orr_alloc((size_t)c->n_repeats * N, sizeof *o.fold);
    o.test_id = orr_alloc((size_t)c->n_test + 1, sizeof *o.test_id);
    memcpy(o.columns, c->columns, (size_t)c->n_columns * sizeof *o.columns);
    put_rows(c, &o);
    assert_ok(orr_make_dirs(in(c->run)));
    assert_ok(orr_path_join(path, in(c->run), "oof.h5"));
    assert_ok(orr_comm_self_create(&context.world));
    assert_ok(orr_oof_write(&context, &o, path, fill, (void *)(uintptr_t)c));
    orr_comm_destroy(context.world);
    orr_oof_free(&o);
}

/* ---- a stack over folders ---- */
static orr_stack_job a_job(const char *first, const char *second)
{
    orr_stack_job j = { .features = "probability", .seeds = "mean" };

    j.oof.v[j.oof.n++] = in(first);
    if (second) j.oof.v[j.oof.n++] = in(second);
    return j;
}

static void refused(const orr_stack_job *job, orr_status code, const char *word)
{
    orr_stack_data d;

    assert_fails(orr_stack_join(&d, job), code, word);
    assert_null(d.sources); /* nothing is held */
    assert_null(d.p);
}

/* cv `second` against a plain one under "a". */
static void pair_refused(const cv *second, orr_status code, const char *word)
{
    cv first = a_cv("a", "small");
    orr_stack_job job = a_job("a", second->run);

    first.n_classes = second->n_classes;
    write_cv(&first);
    write_cv(second);
    refused(&job, code, word);
}

static double at(const orr_stack_data *d, int column, int64_t row, int k)
{
    return d->p[(column * d->n + row) * d->n_classes + k];
}

/* ---- what is joined ---- */
static void test_rows_by_id(void **state)
{
    cv a = a_cv("a", "small"), b = a_cv("b", "wide");
    orr_stack_job job = a_job("b", "a"); /* rows of the first, columns by path */
    orr_stack_data d;

    (void)state;
    turn_round(&b);
    a.n_test = b.n_test = N_TEST;
    write_cv(&a);
    write_cv(&b);
    assert_ok(orr_stack_join(&d, &job));
    assert_int_equal(d.n, N);
    assert_int_equal(d.n_test, N_TEST);
    assert_int_equal(d.n_columns, 2);
    assert_string_equal(d.names[0], "small");
    assert_string_equal(d.names[1], "wide");
    assert_string_equal(d.no_test, "");
    for (int i = 0; i < N; i++) {
        int sample = N - 1 - i;
        char id[16];
        snprintf(id, sizeof id, "obj-%d", sample);
        assert_string_equal(d.id[i], id);
        assert_int_equal(d.labels[i], label_of(&a, sample));
        assert_int_equal(d.own_fold[i], sample / 2 % FOLDS);
        for (int k = 0; k < 2; k++) {
            assert_true(at(&d, 0, i, k) == said(&a.columns[0], 2, sample, k));
            assert_true(at(&d, 1, i, k) == said(&b.columns[0], 2, sample, k));
        }
    }
    for (int i = 0; i < N_TEST; i++)
        assert_true(d.test_p[(N_TEST + i) * 2] == said(&b.columns[0], 2, i, 0));
    orr_stack_data_free(&d);
}

/* Two seeds of a model, of two repeats each, in no order. */
static cv of_seeds(void)
{
    cv c = a_cv("a", "small");

    c.n_columns = 4;
    c.n_repeats = 2;
    for (int i = 0; i < 4; i++)
        snprintf(c.columns[i].model, sizeof c.columns[i].model, "small");
    for (int i = 0; i < 4; i++) {
        c.columns[i].seed = 1 + i % 2;
        c.columns[i].repeat = i < 2;
    }
    return c;
}

static void test_means(void **state)
{
    cv a = of_seeds();
    orr_stack_job job = a_job("a", NULL);
    orr_stack_data d;
    double sum[2] = { 0 };

    (void)state;
    write_cv(&a);
    for (int i = 0; i < 4; i++)
        sum[a.columns[i].seed - 1] += said(&a.columns[i], 2, 5, 1);
    assert_ok(orr_stack_join(&d, &job));
    assert_int_equal(d.n_columns, 1);
    assert_int_equal(d.columns[0].seed, -1);
    assert_string_equal(d.names[0], "small");
    assert_true(at(&d, 0, 5, 1) == (sum[0] + sum[1]) / 4);
    orr_stack_data_free(&d);
    job.seeds = "separate";
    assert_ok(orr_stack_join(&d, &job));
    assert_int_equal(d.n_columns, 2);
    for (int c = 0; c < 2; c++) {
        assert_int_equal(d.columns[c].seed, 1 + c);
        assert_true(at(&d, c, 5, 1) == sum[c] / 2);
    }
    assert_string_equal(d.names[1], "small/seed 2");
    orr_stack_data_free(&d);
}

static void test_chosen_models(void **state)
{
    cv a = a_cv("a", "small"), b = a_cv("b", "small");
    orr_stack_job job = a_job("a", "b");
    orr_stack_data d;

    (void)state;
    b.n_columns = 2;
    snprintf(b.columns[1].model, sizeof b.columns[1].model, "wide");
    write_cv(&a);
    write_cv(&b);
    assert_ok(orr_stack_join(&d, &job));
    assert_int_equal(d.n_columns, 3);
    assert_string_equal(d.names[0], "a/small");
    assert_string_equal(d.names[1], "b/small");
    assert_string_equal(d.names[2], "wide");
    orr_stack_data_free(&d);
    job.models = (orr_strings){ 2, { "a/small", "wide" } };
    assert_ok(orr_stack_join(&d, &job));
    assert_int_equal(d.n_columns, 2);
    assert_string_equal(d.names[1], "wide");
    assert_true(at(&d, 1, 3, 1) == said(&b.columns[1], 2, 3, 1));
    orr_stack_data_free(&d);
    job.models = (orr_strings){ 1, { "wode" } };
    refused(&job, ORR_ERR_OPTION, "did you mean \"wide\"");
    job.models = (orr_strings){ 1, { "wide" } };
    refused(&job, ORR_ERR_OPTION, "models: none is of");
}

/* ---- test samples: all files have them, the same ones, or the stack has none and says why ---- */
static void test_test_samples(void **state)
{
    cv a = a_cv("a", "small"), b = a_cv("b", "wide");
    orr_stack_job job = a_job("a", "b"), back = a_job("b", "a");
    orr_stack_data d;

    (void)state;
    a.n_test = N_TEST;
    write_cv(&a);
    write_cv(&b);
    assert_ok(orr_stack_join(&d, &job));
    assert_non_null(strstr(d.no_test, "b/oof.h5 has no test predictions"));
    orr_stack_data_free(&d);
    assert_ok(orr_stack_join(&d, &back));
    assert_non_null(strstr(d.no_test, "b/oof.h5 has no test predictions"));
    orr_stack_data_free(&d);
    b.n_test = N_TEST;
    b.first_test = 1;
    write_cv(&b);
    assert_ok(orr_stack_join(&d, &job));
    assert_non_null(strstr(d.no_test, "test sets differ: model wide of"));
    assert_non_null(strstr(d.no_test, "no prediction for sample test-0"));
    assert_int_equal(d.n, N); /* the rest stands */
    orr_stack_data_free(&d);
}

/* ---- what is refused ---- */
static void test_missing_samples(void **state)
{
    cv b = a_cv("b", "wide");
    orr_stack_job back = a_job("b", "a"), alone = a_job("b", NULL);

    (void)state;
    turn_round(&b);
    b.odd_sample = 3;
    b.odd_label = 1;
    b.odd_fold = 1;
    b.odd_id = "obj-99";
    pair_refused(&b, ORR_ERR_FORMAT, "b/oof.h5 has no prediction for sample obj-3");
    refused(&back, ORR_ERR_FORMAT, "a/oof.h5 has no prediction for sample obj-99");
    b.odd_sample = -1;
    b.n = N - 2; /* of samples 6 to 0: all that it has are there */
    pair_refused(&b, ORR_ERR_FORMAT, "b/oof.h5 has no prediction for sample obj-0, and 1 more");
    refused(&back, ORR_ERR_FORMAT, "model wide of");
    b.n = N;
    b.odd_sample = 3;
    b.odd_id = "obj-4";
    pair_refused(&b, ORR_ERR_FORMAT, "id obj-4 stands twice, in rows 3 and 4");
    refused(&back, ORR_ERR_FORMAT, "id obj-4 stands twice, in rows 3 and 4");
    refused(&alone, ORR_ERR_FORMAT, "id obj-4 stands twice, in rows 3 and 4");
}

static void test_truth(void **state)
{
    cv b = a_cv("b", "wide");

    (void)state;
    turn_round(&b);
    b.odd_sample = 3;
    b.odd_fold = 1;
    b.odd_label = 0;
    pair_refused(&b, ORR_ERR_FORMAT, "sample obj-3 is of class planet in ");
    b.odd_label = 2;
    pair_refused(&b, ORR_ERR_FORMAT, "the class of sample obj-3 is 2; classes are 0 to 1");
    b.odd_label = -1;
    pair_refused(&b, ORR_ERR_FORMAT, "the class of sample obj-3 is -1");
}

static void test_classes(void **state)
{
    cv a = a_cv("a", "small"), b = a_cv("b", "wide");
    orr_stack_job job = a_job("a", "b");

    (void)state;
    write_cv(&a);
    b.n_classes = 3;
    write_cv(&b);
    refused(&job, ORR_ERR_FORMAT, "a stack needs the same");
    b.n_classes = 2;
    b.class_names[1] = "galaxy";
    write_cv(&b);
    refused(&job, ORR_ERR_FORMAT, "galaxy");
}

static void test_probabilities(void **state)
{
    static const double odd[][3] = { { 1.5, -0.5 },   { -0.25, 1.25 }, { 0.3, 0.3 },
                                     { 0.5, 0.5011 }, { 0.5, 0.4989 }, { 0, 0x1p-40 },
                                     { 1.0005, 0 } };
    static const char *const word[] = { "is no probability", "is no probability",
                                        "sum to 0.6",        "sum to 1.0011",
                                        "sum to 0.9989",     "was it predicted",
                                        "is no probability" };
    cv b = a_cv("b", "wide");
    orr_stack_job job = a_job("b", NULL);
    orr_stack_data d;

    (void)state;
    b.odd_sample = 3;
    b.odd_label = 1;
    b.odd_fold = 1;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        memcpy(b.odd_p, odd[i], sizeof b.odd_p);
        pair_refused(&b, ORR_ERR_FORMAT, word[i]);
        refused(&job, ORR_ERR_FORMAT, "sample obj-3 (fold 1)");
    }
    b.odd_p[0] = b.odd_p[1] = 0.4996; /* what float32 nets give is not to the last digit */
    write_cv(&b);
    assert_ok(orr_stack_join(&d, &job));
    assert_true(at(&d, 0, 3, 0) == 0.4996);
    orr_stack_data_free(&d);
}

static void test_folds(void **state)
{
    cv b = a_cv("b", "wide");

    (void)state;
    b.odd_sample = 3;
    b.odd_label = 1;
    b.odd_fold = FOLDS;
    pair_refused(&b, ORR_ERR_FORMAT, "sample obj-3 is in fold 2; folds are 0 to 1");
    b.odd_fold = -1;
    pair_refused(&b, ORR_ERR_FORMAT, "sample obj-3 is in fold -1");
}

static void test_counted_once(void **state)
{
    cv a = a_cv("a", "small");
    orr_stack_job twice = a_job("a", "a"), copy = a_job("a", "b");

    (void)state;
    write_cv(&a);
    refused(&twice, ORR_ERR_OPTION, "is listed twice");
    a.run = "b";
    write_cv(&a);
    refused(&copy, ORR_ERR_OPTION, "hold the same predictions");
    a.n_columns = 2;
    a.columns[1] = a.columns[0];
    write_cv(&a);
    refused(&copy, ORR_ERR_FORMAT, "stands there twice");
    assert_ok(orr_write_file(in("b/oof.h5"), "damaged", 7));
    refused(&copy, ORR_ERR_FORMAT, "b/oof.h5");
}

static int make_folder(void **state)
{
    (void)state;
    temp_dir(dir);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    remove_tree(dir);
    return 0;
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(test_rows_by_id),      in_folder(test_means),
        in_folder(test_chosen_models),   in_folder(test_test_samples),
        in_folder(test_missing_samples), in_folder(test_truth),
        in_folder(test_classes),         in_folder(test_probabilities),
        in_folder(test_folds),           in_folder(test_counted_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
