/* tests/nn/test_kernels_cpu.c - the cpu table against the check table, and bit for bit against
 * itself: a batch of leaves against the leaves one by one, one thread against two, a segment's
 * gradient against the tree over its leaves'. */
#include "kernel_cases.h"

#include "core/leaves.h"
#include "core/memory.h"
#include "nn/backend.h"
#include "nn/kernels/cpu/conv_direct.h"
#include "nn/kernels/cpu/cpu.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_linear(void **state)
{
    static const int sizes[][2] = { { 1, 1 },     { 2, 20 },  { 20, 1 },   { 3, 65 },  { 15, 7 },
                                    { 16, 16 },   { 17, 3 },  { 31, 13 },  { 64, 6 },  { 65, 5 },
                                    { 250, 64 },  { 64, 1 },  { 333, 37 }, { 7, 130 }, { 8, 5 },
                                    { 1000, 50 }, { 513, 66 } };
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int n_in = sizes[i][0], n_out = sizes[i][1];
        weighted l = { .in = n_in,
                       .out = n_out,
                       .n_x = (size_t)n_in,
                       .n_y = (size_t)n_out,
                       .n_w = (size_t)n_in * n_out,
                       .n_b = (size_t)n_out };
        char name[64];
        snprintf(name, sizeof name, "linear %d -> %d", n_in, n_out);
        exercise(&cpu_backend, name, &l, (const double[]){ room(n_in), room(n_out), room(24) });
    }
}

/* Our own convolution for every shape, whoever the table would give it to. */
typedef struct own_plan {
    orr_conv_shape s;
    orr_direct forward, backward;
    float *dw, *db;
} own_plan;

static orr_status own_conv_plan(orr_backend *be, void **plan, const orr_conv_shape *s,
                                const orr_limits *lim)
{
    (void)be;
    own_plan *p = orr_alloc(1, sizeof *p);

    *plan = p;
    p->s = *s;
    p->dw = floats((size_t)lim->max_leaves * s->k * s->r * s->s * (s->c / s->groups), 0);
    p->db = floats((size_t)lim->max_leaves * s->k, 0);
    assert_int_equal(orr_direct_init_forward(&p->forward, s, omp_get_max_threads()), ORR_OK);
    assert_int_equal(orr_direct_init_backward(&p->backward, s, omp_get_max_threads()), ORR_OK);
    return ORR_OK;
}

static void own_conv_forward(orr_backend *be, void *plan, const orr_batch *b, const float *x,
                             const float *w, const float *bias, float *y)
{
    (void)be;
    own_plan *p = plan;

    orr_direct_pack(&p->forward, w, bias, 0);
    orr_direct_run(&p->forward, b->n, x, y);
}

static void own_conv_backward_data(orr_backend *be, void *plan, const orr_batch *b, const float *dy,
                                   const float *w, float *dx)
{
    (void)be;
    own_plan *p = plan;

    orr_direct_pack(&p->backward, w, NULL, 1);
    orr_direct_run(&p->backward, b->n, dy, dx);
}

static void own_conv_backward_params(orr_backend *be, void *plan, const orr_batch *b,
                                     const float *x, const float *dy, float *const *dw,
                                     float *const *db)
{
    (void)be;
    own_plan *p = plan;
    size_t size = (size_t)p->s.k * p->s.r * p->s.s * (p->s.c / p->s.groups), k = (size_t)p->s.k,
           rows = (size_t)p->s.ho * p->s.wo;

    orr_direct_weights(&p->forward, b, x, dy, p->dw);
    for (int i = 0; i < b->n_leaves; i++)
        orr_cpu_channel_sums(rows * (size_t)(b->leaf[i + 1] - b->leaf[i]), p->s.k,
                             dy + rows * k * b->leaf[i], p->db + k * i);
    for (int r = 0; r < b->n_segments; r++) {
        orr_leaf_sum_f32(dw[r], p->dw + size * b->segment[r], size,
                         b->segment[r + 1] - b->segment[r], size);
        if (db)
            orr_leaf_sum_f32(db[r], p->db + k * b->segment[r], k, b->segment[r + 1] - b->segment[r],
                             k);
    }
}

static void own_conv_unplan(orr_backend *be, void *plan)
{
    (void)be;
    own_plan *p = plan;

    orr_direct_release(&p->forward);
    orr_direct_release(&p->backward);
    orr_free(p->dw);
    orr_free(p->db);
    orr_free(p);
}

static const orr_backend_ops own_ops = { .name = "own",
                                         .conv_plan = own_conv_plan,
                                         .conv_forward = own_conv_forward,
                                         .conv_backward_data = own_conv_backward_data,
                                         .conv_backward_params = own_conv_backward_params,
                                         .conv_unplan = own_conv_unplan };

static void test_conv(void **state)
{
    (void)state;
    conv_table(&cpu_backend);
}

static void test_conv_own(void **state)
{
    (void)state;
    conv_table(&(orr_backend){ .ops = &own_ops });
}

static void test_conv_plan_fails_cleanly(void **state)
{
    (void)state;
    for (size_t i = 0; i < (size_t)n_conv_cases; i += 4) {
        orr_conv_shape s = shape_of(&conv_cases[i]);
        void *plan = &s;
        int n = 1;
        for (;; n++) {
            orr_alloc_fail_at(n);
            orr_status st = cpu_backend.ops->conv_plan(&cpu_backend, &plan, &s, &limits);
            orr_alloc_fail_at(0);
            if (st == ORR_OK) break;
            assert_int_equal(st, ORR_ERR_NOMEM);
            assert_null(plan);
            assert_true(n < 500);
        }
        assert_true(n > 3);
        cpu_backend.ops->conv_unplan(&cpu_backend, plan);
    }
}

/* ---- pooling ---- */
static const orr_pool_shape pools[] = {
    { 1, 31, 6, 1, 3, 1, 3, 0, 0, 1, 10, 0 },       { 1, 1065, 16, 1, 3, 1, 3, 0, 0, 1, 355, 0 },
    { 1, 40, 8, 1, 3, 1, 3, 0, 0, 1, 13, 1 },       { 8, 9, 1, 2, 2, 2, 2, 0, 0, 4, 4, 0 },
    { 7, 7, 3, 3, 3, 2, 2, 1, 1, 4, 4, 0 },         { 7, 7, 17, 3, 3, 2, 2, 1, 1, 4, 4, 1 },
    { 12, 12, 64, 2, 2, 2, 2, 0, 0, 6, 6, 0 },      { 6, 6, 2, 3, 2, 1, 1, 0, 0, 4, 5, 0 },
    { 5, 5, 20, 5, 5, 5, 5, 0, 0, 1, 1, 1 },        { 6, 7, 10, 2, 2, 3, 3, 0, 0, 2, 2, 0 },
    { 12, 12, 300, 12, 12, 12, 12, 0, 0, 1, 1, 0 }, { 24, 24, 32, 2, 2, 2, 2, 0, 0, 12, 12, 0 },
};

typedef struct pooled {
    float *y, *dx, *avg, *avg_dx;
    uint16_t *arg;
} pooled;

static void run_pool(orr_backend *be, int n, const orr_pool_shape *s, const float *x,
                     const float *dy, pooled *r)
{
    be->ops->max_pool_forward(be, n, s, x, r->y, r->arg);
    be->ops->max_pool_backward(be, n, s, dy, r->arg, r->dx);
    be->ops->avg_pool_forward(be, n, s, x, r->avg);
    be->ops->avg_pool_backward(be, n, s, dy, r->avg_dx);
}

static pooled new_pooled(size_t in, size_t out)
{
    return (pooled){ floats(in + out, 9), floats(in + out, 9), floats(in + out, 9),
                     floats(in + out, 9), orr_alloc(out + 16, sizeof(uint16_t)) };
}

static void free_pooled(pooled *p)
{
    orr_free(p->y);
    orr_free(p->dx);
    orr_free(p->avg);
    orr_free(p->avg_dx);
    orr_free(p->arg);
}

static void test_pool(void **state)
{
    enum { N = 9 };
    (void)state;
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        const orr_pool_shape *s = &pools[i];
        size_t in = (size_t)s->h * s->w * s->c, out = (size_t)s->ho * s->wo * s->c;
        float *x = floats(N * in, 11), *dy = floats(N * out, 12);
        pooled want = new_pooled(N * in, N * out), one = new_pooled(N * in, N * out),
               two = new_pooled(N * in, N * out);
        for (size_t e = 0; e < N * in; e += 5) /* ties */
            x[e] = 0.5f;
        x[N * in / 2] = NAN;
        run_pool(&check_backend, N, s, x, dy, &want);
        omp_set_num_threads(1);
        run_pool(&cpu_backend, N, s, x, dy, &one);
        assert_memory_equal(one.arg, want.arg, N * out * sizeof *want.arg);
        assert_memory_equal(one.y, want.y, N * out * sizeof *want.y);
        near("max pool gradient", N * in, one.dx, want.dx, room(s->r * s->s));
        x[N * in / 2] = 0.0f;
        run_pool(&check_backend, N, s, x, dy, &want);
        run_pool(&cpu_backend, N, s, x, dy, &one);
        near("average pool", N * out, one.avg, want.avg, 2e-7);
        near("average pool gradient", N * in, one.avg_dx, want.avg_dx, room(s->r * s->s));
        omp_set_num_threads(2);
        run_pool(&cpu_backend, N, s, x, dy, &two);
        same("max pool", N * out, two.y, one.y);
        same("max pool gradient", N * in, two.dx, one.dx);
        same("average pool", N * out, two.avg, one.avg);
        same("average pool gradient", N * in, two.avg_dx, one.avg_dx);
        for (int n = 0; n < N; n++) {
            run_pool(&cpu_backend, 1, s, x + n * in, dy + n * out, &two);
            same("max pool of one sample", out, two.y, one.y + n * out);
            same("max pool gradient of one sample", in, two.dx, one.dx + n * in);
            same("average pool gradient of one sample", in, two.avg_dx, one.avg_dx + n * in);
        }
        free_pooled(&want);
        free_pooled(&one);
        free_pooled(&two);
        orr_free(x);
        orr_free(dy);
    }
}

/* ---- element-wise ---- */
static void test_activation(void **state)
{
    int n_kinds;
    const orr_layer_kind *const *kinds = orr_layer_kinds(&n_kinds);
    static const size_t lengths[] = { 1, 15, 64, 100, 70001 };
    enum { MANY = 70001 };
    float *x = floats(MANY, 21), *dy = floats(MANY, 22), *y = floats(MANY, 0),
          *want = floats(MANY, 0), *got = floats(MANY, 0), *dx = floats(MANY, 0);

    (void)state;
    for (size_t i = 0; i < MANY; i++)
        x[i] *= i % 7 == 0 ? 120.0f : i % 3 == 0 ? 1e-3f : 6.0f;
    x[0] = 0.0f;
    x[1] = -0.0f;
    for (int k = 0; k < n_kinds; k++)
        for (size_t i = 0; kinds[k]->activation && i < sizeof lengths / sizeof *lengths; i++) {
            const orr_activation *a = kinds[k]->activation;
            const int reads_x = a->reads == ORR_READS_X;
            const double alpha = strcmp(a->name, "elu") == 0 ? 1.25 : 0.125;
            size_t n = lengths[i];
            check_backend.ops->act_forward(&check_backend, a, alpha, n, x, want);
            omp_set_num_threads(1);
            cpu_backend.ops->act_forward(&cpu_backend, a, alpha, n, x, y);
            for (size_t e = 0; e < n; e++)
                if (!(fabsf(y[e] - want[e]) <= 1e-6f * fabsf(want[e]) + 2e-36f))
                    fail_msg("%s of %.9g is %.9g, not %.9g", a->name, (double)x[e], (double)y[e],
                             (double)want[e]);
            check_backend.ops->act_backward(&check_backend, a, alpha, n, reads_x ? x : want, dy,
                                            got);
            cpu_backend.ops->act_backward(&cpu_backend, a, alpha, n, reads_x ? x : want, dy, dx);
            near("activation gradient", n, dx, got, 3e-6);
            omp_set_num_threads(2);
            cpu_backend.ops->act_forward(&cpu_backend, a, alpha, n, x, got);
            same("activation on two threads", n, got, y);
            if (n > 90) { /* an element's bits do not depend on its place */
                cpu_backend.ops->act_forward(&cpu_backend, a, alpha, 50, x + 33, got);
                same("activation of a part", 50, got, y + 33);
                cpu_backend.ops->act_backward(&cpu_backend, a, alpha, 50, (reads_x ? x : want) + 33,
                                              dy + 33, got);
                same("activation gradient of a part", 50, got, dx + 33);
            }
            memcpy(got, x, n * sizeof *got);
            cpu_backend.ops->act_forward(&cpu_backend, a, alpha, n, got, got);
            same("activation in place", n, got, y);
        }
    x[3] = NAN;
    for (int k = 0; k < n_kinds; k++) {
        if (!kinds[k]->activation) continue;
        cpu_backend.ops->act_forward(&cpu_backend, kinds[k]->activation, 1, 5, x, y);
        assert_true(isnan(y[3]) && !isnan(y[4]));
    }
    orr_free(x);
    orr_free(dy);
    orr_free(y);
    orr_free(want);
    orr_free(got);
    orr_free(dx);
}

static void test_prelu(void **state)
{
    static const int channels[] = { 1, 3, 16, 70 };
    enum { ROWS = 300, MANY = MAX_SAMPLES * ROWS * 70 };
    float *x = floats(MANY, 31), *dy = floats(MANY, 32), *w = floats(70, 33), *y[2], *dx[2],
          *dw[2][4], *scratch;

    (void)state;
    scratch = floats(MAX_TEST_LEAVES * 70, 0);
    for (int t = 0; t < 2; t++) {
        y[t] = floats(MANY, 0);
        dx[t] = floats(MANY, 0);
        for (int r = 0; r < 4; r++)
            dw[t][r] = floats(70, 34);
    }
    for (int i = 0; i < N_BATCHES * 8; i++) {
        batch_memory m;
        const orr_batch *b = make_batch(&m, &batches[i % N_BATCHES]);
        int c = channels[i / N_BATCHES % 4], shared = i / N_BATCHES / 4;
        size_t n = (size_t)b->n * ROWS * c;
        omp_set_num_threads(1 + i % 2);
        check_backend.ops->prelu_forward(&check_backend, (size_t)b->n * ROWS, c, shared, x, w,
                                         y[0]);
        cpu_backend.ops->prelu_forward(&cpu_backend, (size_t)b->n * ROWS, c, shared, x, w, y[1]);
        same("prelu", n, y[1], y[0]);
        check_backend.ops->prelu_backward(&check_backend, b, ROWS, c, shared, x, w, dy, dx[0],
                                          dw[0], scratch);
        cpu_backend.ops->prelu_backward(&cpu_backend, b, ROWS, c, shared, x, w, dy, dx[1], dw[1],
                                        scratch);
        same("prelu gradient", n, dx[1], dx[0]);
        for (int r = 0; r < b->n_segments; r++)
            near("prelu slope", shared ? 1 : (size_t)c, dw[1][r], dw[0][r], 1e-4);
        cpu_backend.ops->prelu_backward(&cpu_backend, b, ROWS, c, shared, x, w, dy, NULL, dw[1],
                                        scratch);
    }
    for (int t = 0; t < 2; t++) {
        orr_free(y[t]);
        orr_free(dx[t]);
        for (int r = 0; r < 4; r++)
            orr_free(dw[t][r]);
    }
    orr_free(x);
    orr_free(dy);
    orr_free(w);
    orr_free(scratch);
}

static void test_softmax_dropout(void **state)
{
    static const int widths[] = { 1, 2, 10, 64, 65, 1000 };
    enum { ROWS = 70, MANY = ROWS * 1000 };
    float *x = floats(MANY, 41), *dy = floats(MANY, 42),
          *y[2] = { floats(MANY, 0), floats(MANY, 0) };

    (void)state;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        int c = widths[i];
        for (int e = 0; e < ROWS * c; e++)
            x[e] *= e % 3 ? 1.0f : 30.0f;
        check_backend.ops->softmax_forward(&check_backend, ROWS, c, x, y[0]);
        cpu_backend.ops->softmax_forward(&cpu_backend, ROWS, c, x, y[1]);
        near("softmax", (size_t)ROWS * c, y[1], y[0], 1e-6);
        check_backend.ops->softmax_backward(&check_backend, ROWS, c, y[0], dy, x);
        memcpy(y[1], x, (size_t)ROWS * c * sizeof *x);
        cpu_backend.ops->softmax_backward(&cpu_backend, ROWS, c, y[0], dy, x);
        near("softmax gradient", (size_t)ROWS * c, x, y[1], 1e-6);
    }
    for (int i = 0; i < N_BATCHES; i++) {
        static const size_t sizes[] = { 1, 7, 250, 2500 };
        batch_memory m;
        const orr_batch *b = make_batch(&m, &batches[i]);
        for (int j = 0; j < 4; j++) {
            size_t most = (size_t)(MANY / b->n), n = sizes[j] < most ? sizes[j] : most;
            check_backend.ops->dropout(&check_backend, b, n, 0.3, 4, dy, y[0]);
            cpu_backend.ops->dropout(&cpu_backend, b, n, 0.3, 4, dy, y[1]);
            near("dropout", b->n * n, y[1], y[0], 3e-7);
        }
    }
    orr_free(x);
    orr_free(dy);
    orr_free(y[0]);
    orr_free(y[1]);
}

/* ---- batch norm ---- */
enum { NORM_ROWS = 4001, NORM_MAX_C = 1100 };

typedef struct normed {
    double mean[NORM_MAX_C], m2[NORM_MAX_C], a[NORM_MAX_C], b[NORM_MAX_C];
    float *y, *dx;
} normed;

static void run_norm(orr_backend *be, size_t rows, int c, const float *x, const float *dy,
                     const float *p, normed *r)
{
    const float *mean = p, *inv = p + c, *gamma = p + 2 * c, *beta = p + 3 * c;

    be->ops->norm_moments(be, rows, c, x, r->mean, r->m2);
    be->ops->norm_forward(be, rows, c, x, mean, inv, gamma, beta, r->y);
    be->ops->norm_backward_sums(be, rows, c, x, mean, inv, dy, r->a, r->b);
    be->ops->norm_backward_data(be, rows, c, x, mean, inv, gamma, p + 4 * c, p + 5 * c, dy, r->dx);
}

static void test_norm(void **state)
{
    static const int channels[] = { 1, 2, 3, 6, 7, 16, 17, 63, 64, 65, 130, 1100 };
    enum { MANY = NORM_ROWS * 130 };
    float *x = floats(MANY, 51), *dy = floats(MANY, 52), *p = floats(6 * NORM_MAX_C, 53);
    static normed check, one, two;
    normed *all[3] = { &check, &one, &two };

    (void)state;
    for (int i = 0; i < 3; i++) {
        all[i]->y = floats(MANY, 0);
        all[i]->dx = floats(MANY, 0);
    }
    for (size_t i = 0; i < MANY; i++)
        x[i] += 3.0f;
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        int c = channels[i];
        size_t rows = c > 130 ? 100 : NORM_ROWS;
        run_norm(&check_backend, rows, c, x, dy, p, &check);
        omp_set_num_threads(1);
        run_norm(&cpu_backend, rows, c, x, dy, p, &one);
        omp_set_num_threads(2);
        run_norm(&cpu_backend, rows, c, x, dy, p, &two);
        near("norm forward", rows * c, one.y, check.y, 2e-6);
        near("norm data gradient", rows * c, one.dx, check.dx, 3e-6);
        same("norm forward on two threads", rows * c, two.y, one.y);
        same("norm data gradient on two threads", rows * c, two.dx, one.dx);
        for (int j = 0; j < c; j++) {
            assert_true(fabs(one.mean[j] - check.mean[j]) < 1e-13 &&
                        fabs(one.m2[j] - check.m2[j]) < 1e-9);
            assert_true(fabs(one.a[j] - check.a[j]) < 1e-10);
            assert_true(fabs(one.b[j] - check.b[j]) < 1e-5 * sqrt((double)rows));
            assert_true(one.mean[j] == two.mean[j] && one.m2[j] == two.m2[j] &&
                        one.b[j] == two.b[j]);
        }
        /* a row's bits do not depend on its place */
        run_norm(&cpu_backend, 5, c, x + 77 * (rows > 100) * c, dy + 77 * (rows > 100) * c, p,
                 &two);
        same("norm of some rows", 5 * (size_t)c, two.y, one.y + 77 * (rows > 100) * c);
        same("norm gradient of some rows", 5 * (size_t)c, two.dx, one.dx + 77 * (rows > 100) * c);
        run_norm(&cpu_backend, 0, c, x, dy, p, &two);
        assert_true(two.mean[0] == 0 && two.m2[0] == 0 && two.a[0] == 0 && two.b[0] == 0);
    }
    for (int i = 0; i < 3; i++) {
        orr_free(all[i]->y);
        orr_free(all[i]->dx);
    }
    orr_free(x);
    orr_free(dy);
    orr_free(p);
}

/* ---- moving ---- */
static void test_move(void **state)
{
    enum { MANY = 70001 };
    float *x = floats(MANY, 61), *z = floats(MANY, 62), *a = floats(MANY, 0), *b = floats(MANY, 0);

    (void)state;
    omp_set_num_threads(2);
    check_backend.ops->add(&check_backend, MANY, x, z, a);
    cpu_backend.ops->add(&cpu_backend, MANY, x, z, b);
    same("add", MANY, b, a);
    check_backend.ops->copy_channels(&check_backend, 1000, 6, x, 10, a, 7);
    cpu_backend.ops->copy_channels(&cpu_backend, 1000, 6, x, 10, b, 7);
    for (int r = 0; r < 1000; r++)
        same("copy_channels", 6, b + 7 * r, a + 7 * r);
    check_backend.ops->transpose(&check_backend, 3, 101, 67, x, a);
    cpu_backend.ops->transpose(&cpu_backend, 3, 101, 67, x, b);
    same("transpose", 3 * 101 * 67, b, a);
    orr_free(x);
    orr_free(z);
    orr_free(a);
    orr_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),   cmocka_unit_test(test_conv),
        cmocka_unit_test(test_conv_own), cmocka_unit_test(test_conv_plan_fails_cleanly),
        cmocka_unit_test(test_pool),     cmocka_unit_test(test_activation),
        cmocka_unit_test(test_prelu),    cmocka_unit_test(test_softmax_dropout),
        cmocka_unit_test(test_norm),     cmocka_unit_test(test_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
