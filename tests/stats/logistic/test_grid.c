/* tests/stats/logistic/test_grid.c - tasks in any order on any threads, each C as a fit of its own,
 * the choice, refusals. */
#include "stats/logistic/grid.h"

#include "stats/check.h"
#include "stats/logistic/logistic.h"
#include "stats/metrics.h"

#include <math.h>

enum { N = 3001, D = 3, FOLDS = 4, N_C = 23, SCORES = N_C * FOLDS, TASKS = 3 * FOLDS };

static double x[N * D], c[N_C];
static int32_t y[N], fold[N];

static uint64_t next(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s >> 33;
}

static orr_logistic_grid_input make(int k)
{
    uint64_t s = 9;

    for (int i = 0; i < N; i++) {
        y[i] = (int32_t)(next(&s) % 7 % (uint64_t)k);
        fold[i] = (int32_t)(next(&s) % FOLDS);
        for (int j = 0; j < D; j++)
            x[i * D + j] = (double)next(&s) / 2147483648.0 + (j % k == y[i] ? 0.3 : 0);
    }
    for (int i = 0; i < N_C; i++)
        c[i] = pow(10, 2 - 4.0 * i / N_C);
    return (orr_logistic_grid_input){ .x = x,
                                      .y = y,
                                      .fold = fold,
                                      .n = N,
                                      .d = D,
                                      .n_classes = k,
                                      .n_folds = FOLDS,
                                      .c = c,
                                      .n_c = N_C };
}

typedef struct table {
    double auc[SCORES], log_loss[SCORES];
    int32_t iterations[SCORES];
} table;

/* Tasks from `from` on, `by` apart. */
static void run(const orr_logistic_grid *g, int from, int by, int threads, table *t)
{
    orr_logistic_scores s = { t->auc, t->log_loss, t->iterations };
    int tasks[TASKS], n = 0;

    assert_int_equal(orr_logistic_grid_tasks(g), TASKS);
    for (int i = TASKS - 1 - from; i >= 0; i -= by)
        tasks[n++] = i;
    assert_int_equal(orr_logistic_grid_run(g, tasks, n, threads, &s), ORR_OK);
}

static void test_who_works_leaves_the_bits(void **state)
{
    (void)state;
    for (int k = 2; k <= 4; k++) {
        orr_logistic_grid_input in = make(k);
        orr_logistic_grid *g;
        static table one, other;
        assert_int_equal(orr_logistic_grid_create(&g, &in), ORR_OK);
        memset(&one, 0, sizeof one);
        run(g, 0, 1, 1, &one);
        for (int threads = 2; threads <= 4; threads += 2) {
            memset(&other, 0, sizeof other);
            run(g, 0, 1, threads, &other);
            assert_memory_equal(&one, &other, sizeof one);
        }
        memset(&other, 0, sizeof other);
        for (int rank = 0; rank < 3; rank++)
            run(g, rank, 3, 1, &other);
        assert_memory_equal(&one, &other, sizeof one);
        orr_logistic_grid_destroy(g);
    }
}

/* Each entry is what a fit on the other folds and the folder's own metrics give. */
static void test_entries(void **state)
{
    static table t;
    static double train_x[N * D], held_x[N * D], p[N * 4];
    static int32_t train_y[N], held_y[N];

    (void)state;
    for (int k = 2; k <= 3; k++) {
        orr_logistic_grid_input in = make(k);
        orr_logistic_grid *g;
        assert_int_equal(orr_logistic_grid_create(&g, &in), ORR_OK);
        run(g, 0, 1, 1, &t);
        orr_logistic_grid_destroy(g);
        for (int at = 0; at < SCORES; at += 7) {
            int64_t train = 0, held = 0;
            for (int i = 0; i < N; i++) {
                int out = fold[i] == at % FOLDS;
                memcpy((out ? held_x : train_x) + (out ? held : train) * D, x + i * D,
                       D * sizeof *x);
                if (out)
                    held_y[held++] = y[i];
                else
                    train_y[train++] = y[i];
            }
            orr_logistic_rows rows = {
                .x = train_x, .y = train_y, .n = train, .d = D, .n_classes = k
            };
            orr_logistic_opts o = ORR_LOGISTIC_OPTS_INIT;
            orr_logistic *m;
            orr_classification *is;
            o.c = c[at / FOLDS];
            assert_int_equal(orr_logistic_fit(&m, &rows, &o), ORR_OK);
            assert_int_equal(orr_logistic_predict(m, held_x, held, 1, p), ORR_OK);
            assert_int_equal(orr_classification_create(&is, held_y, p, held, k, 0.5), ORR_OK);
            assert_true(fabs(t.auc[at] - is->auc) < 1e-9);
            assert_true(fabs(t.log_loss[at] - is->log_loss) < 1e-9);
            assert_true(t.iterations[at] >= 0 && t.iterations[at] < 10);
            orr_classification_destroy(is);
            orr_logistic_destroy(m);
        }
    }
}

/* A held-out row that is sure and wrong counts as much as the clipped probability says. */
static void test_sure_and_wrong(void **state)
{
    double far[] = { -1, 1, -1, 1, 1e6, -1e6, -1, 1 }, c_of = 100, auc[2], loss[2];
    int32_t far_y[] = { 0, 1, 0, 1, 0, 1, 0, 1 }, far_fold[] = { 0, 0, 0, 0, 1, 1, 1, 1 };
    int32_t iterations[2];
    int tasks[] = { 0, 1 };
    orr_logistic_scores s = { auc, loss, iterations };
    orr_logistic_grid_input in = { .x = far,
                                   .y = far_y,
                                   .fold = far_fold,
                                   .n = 8,
                                   .d = 1,
                                   .n_classes = 2,
                                   .n_folds = 2,
                                   .c = &c_of,
                                   .n_c = 1 };
    orr_logistic_grid *g;

    (void)state;
    assert_int_equal(orr_logistic_grid_create(&g, &in), ORR_OK);
    assert_int_equal(orr_logistic_grid_run(g, tasks, 2, 1, &s), ORR_OK);
    assert_number(auc[1], 0.25);
    assert_true(fabs(loss[1] - -log(0x1p-52) / 2) < 0.01);
    orr_logistic_grid_destroy(g);
}

static void test_choose(void **state)
{
    double auc[] = { 0.5, 0.7, NAN, 0.9, 0.8, 0.6, 0.6, 0.8, 0.7, 0.7 }, mean[5], std[5];
    double none[] = { NAN, 1, 1, NAN };
    int best;

    (void)state;
    assert_int_equal(orr_logistic_grid_choose(auc, 5, 2, &best, mean, std), ORR_OK);
    assert_int_equal(best, 2);
    assert_number(mean[0], 0.6);
    assert_number(mean[1], NAN);
    assert_near(std[0], 0.1);
    assert_number(std[4], 0);
    assert_fails(orr_logistic_grid_choose(none, 2, 2, &best, NULL, NULL), ORR_ERR_ARG, "stratify");
}

static void test_refusals(void **state)
{
    orr_logistic_grid_input in = make(2), other = in;
    orr_logistic_grid *g;
    static table t;
    orr_logistic_scores s = { t.auc, t.log_loss, t.iterations };
    int task = TASKS;

    (void)state;
    other.n_folds = 1;
    assert_fails(orr_logistic_grid_create(&g, &other), ORR_ERR_ARG, "1 folds");
    other.n_folds = 5;
    assert_fails(orr_logistic_grid_create(&g, &other), ORR_ERR_ARG, "fold 4 has no rows");
    c[3] = 0;
    assert_fails(orr_logistic_grid_create(&g, &in), ORR_ERR_ARG, "C number 3 is 0");
    in = make(2);
    fold[17] = 4;
    assert_fails(orr_logistic_grid_create(&g, &in), ORR_ERR_ARG, "fold of row 17 is 4");
    in = make(2);
    y[18] = 2;
    assert_fails(orr_logistic_grid_create(&g, &in), ORR_ERR_ARG, "label of row 18 is 2");
    in = make(2);
    x[5 * D + 2] = NAN;
    assert_fails(orr_logistic_grid_create(&g, &in), ORR_ERR_NUMERIC, "row 5, column 2");
    in = make(2);
    for (int i = 0; i < N; i++)
        y[i] = fold[i] == 2;
    assert_fails(orr_logistic_grid_create(&g, &in), ORR_ERR_ARG, "without fold 2 one class");
    assert_null(g);
    in = make(2);
    assert_int_equal(orr_logistic_grid_create(&g, &in), ORR_OK);
    assert_fails(orr_logistic_grid_run(g, &task, 1, 1, &s), ORR_ERR_ARG, "task 12");
    orr_logistic_grid_destroy(g);
    x[0] = 1e200;
    assert_fails(orr_logistic_grid_create(&g, &in), ORR_ERR_NUMERIC, "column 0 so large");
}

static void test_no_memory(void **state)
{
    orr_logistic_grid_input in = make(3);
    orr_logistic_grid *g;
    static table t;
    orr_logistic_scores s = { t.auc, t.log_loss, t.iterations };
    int tasks[] = { 3, 8 }, n = 0;
    orr_status st;

    (void)state;
    do {
        orr_alloc_fail_at(++n);
        if ((st = orr_logistic_grid_create(&g, &in)) == ORR_OK)
            st = orr_logistic_grid_run(g, tasks, 2, 2, &s);
        orr_alloc_fail_at(0);
        orr_logistic_grid_destroy(g);
        if (st != ORR_OK) assert_int_equal(st, ORR_ERR_NOMEM);
    } while (st != ORR_OK && n < 100);
    assert_true(n > 15 && n < 30);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_works_leaves_the_bits),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_sure_and_wrong),
        cmocka_unit_test(test_choose),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
