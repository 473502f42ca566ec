/* tests/stats/logistic/test_logistic.c - the same bits for any ranks and threads, what is refused,
 * and what can be worked out by hand; logistic.py compares answers with scikit-learn's. */
#include "stats/logistic/logistic.h"

#include "stats/check.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

enum { MANY = 70000, MAX_RANKS = 5 };

typedef struct data {
    double *x;
    int32_t *y;
    int64_t n;
    int d, k;
} data;

static uint64_t next(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s >> 33;
}

static double uniform(uint64_t *s)
{
    return (double)next(s) / 2147483648.0;
}

/* About normal features that know a little about the class; the classes are uneven. */
static data make(int64_t n, int d, int k, double strength)
{
    data t = { orr_alloc((size_t)n * (size_t)d, sizeof *t.x), orr_alloc((size_t)n, sizeof *t.y), n,
               d, k };
    uint64_t s = 5;

    for (int64_t i = 0; i < n; i++) {
        double u = uniform(&s);
        t.y[i] = (int32_t)(u * u * k);
        for (int j = 0; j < d; j++)
            t.x[i * d + j] = 2 * (uniform(&s) + uniform(&s) + uniform(&s) - 1.5) +
                             (j % k == t.y[i] ? strength : 0);
    }
    return t;
}

static void drop(data *t)
{
    orr_free(t->x);
    orr_free(t->y);
}

static orr_logistic_rows rows_of(const data *t)
{
    return (orr_logistic_rows){ .x = t->x, .y = t->y, .n = t->n, .d = t->d, .n_classes = t->k };
}

static orr_logistic *fit(const data *t, double c, int threads)
{
    orr_logistic_rows rows = rows_of(t);
    orr_logistic_opts o = ORR_LOGISTIC_OPTS_INIT;
    orr_logistic *m = NULL;

    o.c = c;
    o.threads = threads;
    assert_int_equal(orr_logistic_fit(&m, &rows, &o), ORR_OK);
    assert_non_null(m);
    return m;
}

static void assert_same(const orr_logistic *a, const orr_logistic *b)
{
    assert_int_equal(a->iterations, b->iterations);
    assert_memory_equal(a->w, b->w, (size_t)(a->vectors * a->d) * sizeof *a->w);
    assert_memory_equal(a->b, b->b, (size_t)a->vectors * sizeof *a->b);
    assert_number(a->objective, b->objective);
    assert_number(a->max_gradient, b->max_gradient);
    assert_int_equal(a->separable, b->separable);
}

/* x = -1, 1 with y = 0, 1: b = 0 and w = 2 C / (1 + e^w). */
static void test_by_hand(void **state)
{
    double x[] = { -1, 1 };
    int32_t y[] = { 0, 1 };
    data t = { x, y, 2, 1, 2 };
    orr_logistic *m = fit(&t, 1.5, 1);

    (void)state;
    assert_true(fabs(m->w[0] - 3 / (1 + exp(m->w[0]))) < 1e-9);
    assert_true(fabs(m->b[0]) < 1e-12);
    assert_true(fabs(m->objective - (0.5 * m->w[0] * m->w[0] + 3 * log1p(exp(-m->w[0])))) < 1e-12);
    assert_true(m->converged && m->separable && m->max_gradient <= 1e-10);
    orr_logistic_destroy(m);
}

/* Columns that say nothing: the intercept alone, from the classes' frequencies. */
static void test_constant_columns(void **state)
{
    double x[] = { 7, 0, 7, 0, 7, 0, 7, 0 };
    int32_t two[] = { 0, 1, 1, 1 }, three[] = { 0, 2, 2, 1 };
    data t = { x, two, 4, 2, 2 };
    orr_logistic *m = fit(&t, 10, 1);

    (void)state;
    assert_true(m->w[0] == 0 && m->w[1] == 0 && !m->separable);
    assert_true(fabs(m->b[0] - log(3)) < 1e-9);
    orr_logistic_destroy(m);
    t = (data){ x, three, 4, 2, 3 };
    m = fit(&t, 10, 1);
    assert_true(fabs(m->b[2] - m->b[0] - log(2)) < 1e-9 && fabs(m->b[1] - m->b[0]) < 1e-9);
    assert_true(fabs(m->b[0] + m->b[1] + m->b[2]) < 1e-15);
    orr_logistic_destroy(m);
}

static void test_balanced_noise_is_not_separable(void **state)
{
    double x[] = { 1, 1, 1, 1 };
    int32_t y[] = { 0, 1, 0, 1 };
    data t = { x, y, 4, 1, 2 };
    orr_logistic *m = fit(&t, 1, 1);

    (void)state;
    assert_true(m->w[0] == 0 && m->b[0] == 0 && !m->separable);
    orr_logistic_destroy(m);
}

static const struct {
    int64_t n;
    int d, k;
} shapes[] = { { MANY, 3, 2 }, { MANY, 4, 3 },   { 30000, 21, 2 },
               { 9001, 5, 4 }, { 8200, 501, 2 }, /* L-BFGS */ { 300, 2, 2 } };

static void test_threads_leave_the_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        data t = make(shapes[i].n, shapes[i].d, shapes[i].k, 0.3);
        orr_logistic *one = fit(&t, 0.5, 1);
        assert_true(one->converged && one->max_gradient < 1e-9);
        for (int threads = 2; threads <= 4; threads += 2) {
            orr_logistic *m = fit(&t, 0.5, threads);
            assert_same(one, m);
            orr_logistic_destroy(m);
        }
        orr_logistic_destroy(one);
        drop(&t);
    }
}

/* ---- ranks: threads that meet in the callbacks ---- */

typedef struct world {
    pthread_barrier_t meet;
    int size, n_leaves;
    double *leaves; /* of all ranks */
    size_t room;
    orr_status status[MAX_RANKS];
} world;

typedef struct rank {
    world *w;
    int number;
    orr_leaf_plan plan;
    orr_logistic_rows rows;
    double c;
    orr_logistic *answer;
    orr_status status;
    char text[ORR_ERROR_MAX];
} rank;

static orr_status reduce(void *ctx, double *in, double *out, size_t n)
{
    rank *r = ctx;
    world *w = r->w;
    double *own = malloc((size_t)w->n_leaves * n * sizeof *own);

    memcpy(w->leaves + (size_t)r->plan.first * n, in,
           (size_t)(r->plan.last - r->plan.first) * n * sizeof *in);
    pthread_barrier_wait(&w->meet);
    memcpy(own, w->leaves, (size_t)w->n_leaves * n * sizeof *own);
    pthread_barrier_wait(&w->meet);
    orr_leaf_sum_f64(out, own, n, w->n_leaves, n);
    free(own);
    return ORR_OK;
}

static orr_status agree(void *ctx, orr_status st)
{
    rank *r = ctx;
    orr_status worst = ORR_OK;

    r->w->status[r->number] = st;
    pthread_barrier_wait(&r->w->meet);
    for (int i = r->w->size - 1; i >= 0; i--)
        if (r->w->status[i] != ORR_OK) worst = r->w->status[i];
    pthread_barrier_wait(&r->w->meet);
    return worst;
}

static void *run(void *ctx)
{
    rank *r = ctx;
    orr_logistic_opts o = { .c = r->c, .tolerance = 1e-10, .threads = 1 + r->number % 2 };

    o.reduce = reduce;
    o.agree = agree;
    o.ctx = r;
    orr_error_clear();
    r->status = orr_logistic_fit(&r->answer, &r->rows, &o);
    memcpy(r->text, orr_error_text(), sizeof r->text);
    return NULL;
}

static void run_ranks(world *w, rank *r, const data *t, int size)
{
    pthread_t thread[MAX_RANKS];

    *w = (world){ .size = size, .n_leaves = orr_logistic_leaves(t->n, t->d, t->k) };
    w->leaves = malloc((size_t)64 << 20);
    assert_non_null(w->leaves);
    assert_int_equal(pthread_barrier_init(&w->meet, NULL, (unsigned)size), 0);
    for (int i = 0; i < size; i++) {
        r[i] = (rank){ .w = w, .number = i, .c = 0.5 };
        assert_int_equal(orr_leaf_plan_init(&r[i].plan, w->n_leaves, i, size), ORR_OK);
        const int64_t first = orr_leaf_begin(t->n, w->n_leaves, r[i].plan.first);
        r[i].rows = rows_of(t);
        r[i].rows.x += first * t->d;
        r[i].rows.y += first;
        r[i].rows.n = orr_leaf_begin(t->n, w->n_leaves, r[i].plan.last) - first;
        r[i].rows.plan = &r[i].plan;
        r[i].rows.n_global = t->n;
        assert_int_equal(pthread_create(&thread[i], NULL, run, &r[i]), 0);
    }
    for (int i = 0; i < size; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&w->meet);
    free(w->leaves);
}

static void test_ranks_leave_the_bits(void **state)
{
    static world w;
    static rank r[MAX_RANKS];

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        data t = make(shapes[i].n, shapes[i].d, shapes[i].k, 0.3);
        orr_logistic *one = fit(&t, 0.5, 1);
        for (int size = 1; size <= MAX_RANKS; size += size < 3 ? 1 : 2) {
            run_ranks(&w, r, &t, size);
            for (int k = 0; k < size; k++) {
                assert_int_equal(r[k].status, ORR_OK);
                assert_same(one, r[k].answer);
                orr_logistic_destroy(r[k].answer);
            }
        }
        orr_logistic_destroy(one);
        drop(&t);
    }
}

static int says(const rank *r, int size, const char *words)
{
    int times = 0;

    for (int k = 0; k < size; k++)
        times += strstr(r[k].text, words) != NULL;
    return times;
}

/* One rank's bad row is every rank's status. */
static void test_ranks_fail_together(void **state)
{
    static world w;
    static rank r[MAX_RANKS];
    data t = make(30000, 3, 2, 0.3);

    (void)state;
    t.x[25000 * 3 + 1] = NAN;
    run_ranks(&w, r, &t, 4);
    for (int k = 0; k < 4; k++) {
        assert_int_equal(r[k].status, ORR_ERR_NUMERIC);
        assert_null(r[k].answer);
    }
    assert_int_equal(says(r, 4, "row 25000, column 1"), 1);
    t.x[25000 * 3 + 1] = 0;
    t.y[29999] = 2;
    run_ranks(&w, r, &t, 3);
    for (int k = 0; k < 3; k++)
        assert_int_equal(r[k].status, ORR_ERR_ARG);
    assert_int_equal(says(r, 3, "label of row 29999 is 2"), 1);
    for (int64_t i = 0; i < t.n; i++)
        t.y[i] = 1;
    run_ranks(&w, r, &t, 2);
    assert_int_equal(says(r, 2, "one class"), 2);
    drop(&t);
}

static void test_start(void **state)
{
    data t = make(5000, 4, 3, 0.5);
    orr_logistic *cold = fit(&t, 2, 1), *warm;
    orr_logistic_rows rows = rows_of(&t);
    orr_logistic_opts o = ORR_LOGISTIC_OPTS_INIT;

    (void)state;
    assert_true(cold->iterations >= 3);
    o.c = 2;
    o.start_w = cold->w;
    o.start_b = cold->b;
    assert_int_equal(orr_logistic_fit(&warm, &rows, &o), ORR_OK);
    assert_int_equal(warm->iterations, 0);
    for (int i = 0; i < 12; i++)
        assert_true(fabs(warm->w[i] - cold->w[i]) < 1e-12);
    orr_logistic_destroy(warm);
    for (int i = 0; i < 12; i++)
        cold->w[i] = i % 2 ? 30 : -50; /* far away, saturated */
    assert_int_equal(orr_logistic_fit(&warm, &rows, &o), ORR_OK);
    orr_logistic_destroy(cold);
    cold = fit(&t, 2, 1);
    assert_true(warm->converged);
    for (int i = 0; i < 12; i++)
        assert_true(fabs(warm->w[i] - cold->w[i]) < 1e-7);
    orr_logistic_destroy(warm);
    o.start_w = o.start_b = NULL;
    o.max_iterations = 1;
    assert_int_equal(orr_logistic_fit(&warm, &rows, &o), ORR_OK);
    assert_true(!warm->converged && warm->iterations == 1 && warm->max_gradient > 1e-8);
    orr_logistic_destroy(warm);
    orr_logistic_destroy(cold);
    drop(&t);
}

static void test_separable(void **state)
{
    (void)state;
    for (int k = 2; k <= 3; k++) {
        data t = make(400, 3, k, 50);
        for (int power = -2; power <= 12; power += 7) {
            orr_logistic *m = fit(&t, pow(10, power), 1);
            assert_true(m->converged && m->separable && isfinite(m->w[0]));
            orr_logistic_destroy(m);
        }
        for (int i = 0; i < 3; i++)
            t.x[i] = t.x[(t.n - 1) * 3 + i] + 0.01; /* a row among another class's */
        t.y[0] = t.y[t.n - 1] == 0;
        orr_logistic *m = fit(&t, 1, 1);
        assert_false(m->separable);
        orr_logistic_destroy(m);
        drop(&t);
    }
}

static void test_refusals(void **state)
{
    data t = make(50, 2, 2, 0.5);
    orr_logistic_rows rows = rows_of(&t), other = rows;
    orr_logistic_opts o = ORR_LOGISTIC_OPTS_INIT, p = o;
    orr_leaf_plan plan;
    orr_logistic *m;

    (void)state;
    p.c = 0;
    assert_fails(orr_logistic_fit(&m, &rows, &p), ORR_ERR_ARG, "C is 0");
    p.c = NAN;
    assert_fails(orr_logistic_fit(&m, &rows, &p), ORR_ERR_ARG, "C is nan");
    p = o;
    p.tolerance = -1;
    assert_fails(orr_logistic_fit(&m, &rows, &p), ORR_ERR_ARG, "tolerance -1");
    p = o;
    p.start_w = t.x;
    assert_fails(orr_logistic_fit(&m, &rows, &p), ORR_ERR_ARG, "start_b");
    p.start_b = t.x;
    t.x[1] = INFINITY;
    assert_fails(orr_logistic_fit(&m, &rows, &p), ORR_ERR_NUMERIC, "start value 1 of vector 0");
    assert_fails(orr_logistic_fit(&m, &rows, &o), ORR_ERR_NUMERIC, "row 0, column 1");
    t.x[1] = 1e200;
    assert_fails(orr_logistic_fit(&m, &rows, &o), ORR_ERR_NUMERIC, "overflow");
    t.x[1] = 0;
    other.n = 0;
    assert_fails(orr_logistic_fit(&m, &other, &o), ORR_ERR_ARG, "no rows");
    other = rows;
    other.n_classes = 1;
    assert_fails(orr_logistic_fit(&m, &other, &o), ORR_ERR_ARG, "1 classes");
    other = rows;
    other.d = 0;
    assert_fails(orr_logistic_fit(&m, &other, &o), ORR_ERR_ARG, "0 columns");
    other = rows;
    assert_int_equal(orr_leaf_plan_init(&plan, 4, 1, 2), ORR_OK);
    other.plan = &plan;
    other.n_global = 50;
    assert_fails(orr_logistic_fit(&m, &other, &o), ORR_ERR_SHAPE, "leaves 2 to 4 of 4 hold 25");
    t.y[7] = -1;
    assert_fails(orr_logistic_fit(&m, &rows, &o), ORR_ERR_ARG, "label of row 7 is -1");
    for (int i = 0; i < 50; i++)
        t.y[i] = 0;
    assert_fails(orr_logistic_fit(&m, &rows, &o), ORR_ERR_ARG, "all rows are of one class");
    assert_null(m);
    drop(&t);
}

/* Too large for sums, and not among the rows that the start looks at. */
static void test_overflow_late(void **state)
{
    data t = make(MANY, 2, 2, 0.5);
    orr_logistic_rows rows = rows_of(&t);
    orr_logistic_opts o = ORR_LOGISTIC_OPTS_INIT;
    orr_logistic *m;

    (void)state;
    t.x[2 * (MANY - 1)] = 1e160;
    assert_fails(orr_logistic_fit(&m, &rows, &o), ORR_ERR_NUMERIC, "overflow");
    t.x[2 * (MANY - 1)] = -INFINITY;
    assert_fails(orr_logistic_fit(&m, &rows, &o), ORR_ERR_NUMERIC, "row 69999, column 0");
    drop(&t);
}

static void test_no_memory(void **state)
{
    data t = make(3000, 3, 3, 0.5);
    orr_logistic_rows rows = rows_of(&t);
    orr_logistic_opts o = ORR_LOGISTIC_OPTS_INIT;
    orr_logistic *m = NULL;
    int n = 0;

    (void)state;
    do {
        orr_alloc_fail_at(++n);
        orr_status st = orr_logistic_fit(&m, &rows, &o);
        orr_alloc_fail_at(0);
        if (st == ORR_OK) break;
        assert_int_equal(st, ORR_ERR_NOMEM);
        assert_null(m);
        assert_non_null(strstr(orr_error_text(), "memory"));
    } while (n < 100);
    assert_int_equal(n, 8); /* seven allocations, whatever the iterations */
    double p[9];
    for (int i = 1; i <= 2; i++) {
        orr_alloc_fail_at(i);
        assert_fails(orr_logistic_predict(m, t.x, 3, 1, p), ORR_ERR_NOMEM, "memory");
    }
    orr_alloc_fail_at(0);
    orr_logistic_destroy(m);
    drop(&t);
}

/* A logit's probability to the last digits, over all of them; and a row's bits, wherever it lies.
 */
static void test_predict(void **state)
{
    enum { N = 4001 };
    static double x[N], p[2 * N], again[2 * N], few[2];
    double w = 1, b = 0, worst = 0;
    orr_logistic m = { .d = 1, .n_classes = 2, .vectors = 1, .w = &w, .b = &b };

    (void)state;
    for (int i = 0; i < N; i++)
        x[i] = (i - 2000) * 0.35 + 1e-3 * i; /* -700 to 704 */
    assert_int_equal(orr_logistic_predict(&m, x, N, 1, p), ORR_OK);
    assert_int_equal(orr_logistic_predict(&m, x, N, 4, again), ORR_OK);
    assert_memory_equal(p, again, sizeof p);
    for (int i = 0; i < N; i++) {
        long double is = 1 / (1 + expl(-(long double)x[i]));
        worst = fmax(worst, (double)fabsl(p[2 * i + 1] / is - 1));
        assert_number(p[2 * i], 1 - p[2 * i + 1]);
        if (i % 97) continue;
        assert_int_equal(orr_logistic_predict(&m, x + i, 1, 1, few), ORR_OK);
        assert_memory_equal(few, p + 2 * i, sizeof few);
    }
    assert_true(worst < 1e-15);
    x[300] = NAN;
    assert_fails(orr_logistic_predict(&m, x, N, 2, p), ORR_ERR_NUMERIC, "row 300, column 0");
    assert_int_equal(orr_logistic_predict(&m, x, 0, 1, p), ORR_OK);
    assert_fails(orr_logistic_predict(&m, x, -1, 1, p), ORR_ERR_ARG, "-1 rows");
}

static void test_predict_classes(void **state)
{
    double w[] = { 1, 0, 0, 2, -1, 1000 }, b[] = { 0, 0.5, -1 }, p[6];
    double x[] = { 0.25, 0.001, -3, -1 };
    orr_logistic m = { .d = 2, .n_classes = 3, .vectors = 3, .w = w, .b = b };

    (void)state;
    assert_int_equal(orr_logistic_predict(&m, x, 2, 1, p), ORR_OK);
    for (int i = 0; i < 2; i++) {
        double e[3], sum = 0, most = -INFINITY;
        for (int k = 0; k < 3; k++) {
            e[k] = b[k] + w[2 * k] * x[2 * i] + w[2 * k + 1] * x[2 * i + 1];
            most = fmax(most, e[k]);
        }
        for (int k = 0; k < 3; k++)
            sum += exp(e[k] - most);
        for (int k = 0; k < 3; k++)
            assert_near(p[3 * i + k], exp(e[k] - most) / sum);
    }
}

static void test_leaves(void **state)
{
    (void)state;
    assert_int_equal(orr_logistic_leaves(1, 3, 2), 1);
    assert_int_equal(orr_logistic_leaves(60000, 3, 2), 14);
    assert_int_equal(orr_logistic_leaves(500000, 20, 2), 64);
    assert_int_equal(orr_logistic_leaves(500000, 300, 2), 16);
    assert_int_equal(orr_logistic_leaves(500000, 3000, 2), 64);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_constant_columns),
        cmocka_unit_test(test_balanced_noise_is_not_separable),
        cmocka_unit_test(test_threads_leave_the_bits),
        cmocka_unit_test(test_ranks_leave_the_bits),
        cmocka_unit_test(test_ranks_fail_together),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_separable),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_overflow_late),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_predict),
        cmocka_unit_test(test_predict_classes),
        cmocka_unit_test(test_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
