/* tests/nn/test_kernels_openblas.c - dense layers by OpenBLAS: values of the check table, and the
 * same bits for a leaf alone, among others, and on one thread or more; and the table's choice
 * between it and the own tiles. */
#include "core/memory.h"
#include "core/rng.h"
#include "nn/backend.h"
#include "nn/kernels/cpu/cpu.h"
#include "nn/kernels/cpu/openblas.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static orr_backend check_backend = { .ops = &orr_backend_check };
static orr_backend cpu_backend = { .ops = &orr_backend_cpu };

typedef struct layer {
    int in, out;
    float *x, *w, *bias, *dy;
} layer;

typedef struct result {
    float *y, *dx;
} result;

typedef void (*pass)(const layer *l, const float *bias, const orr_batch *b, int first, result *r);

static float *floats(size_t n, uint64_t seed)
{
    orr_rng r = orr_rng_stream(orr_rng_key(5, ORR_RNG_TEST, seed, 0, 0));
    float *x = orr_alloc(n, sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; seed && i < n; i++)
        x[i] = 2.0f * orr_rng_unit(orr_rng_u32(&r)) - 1.0f;
    if (!seed) memset(x, 0xff, n * sizeof *x); /* NaN: whatever is not written shows */
    return x;
}

static layer new_layer(int n, int in, int out)
{
    return (layer){ in,
                    out,
                    floats((size_t)n * in, 1),
                    floats((size_t)in * out, 2),
                    floats((size_t)out, 3),
                    floats((size_t)n * out, 4) };
}

static void free_layer(layer *l)
{
    orr_free(l->x);
    orr_free(l->w);
    orr_free(l->bias);
    orr_free(l->dy);
}

static result new_result(const layer *l, int n)
{
    return (result){ floats((size_t)n * l->out, 0), floats((size_t)n * l->in, 0) };
}

static void free_result(result *r)
{
    orr_free(r->y);
    orr_free(r->dx);
}

static void by_blas(const layer *l, const float *bias, const orr_batch *b, int first, result *r)
{
    const float *x = l->x + (size_t)first * l->in, *dy = l->dy + (size_t)first * l->out;

    orr_blas_forward(b->n_leaves, b->leaf, l->in, l->out, x, l->w, bias, r->y);
    orr_blas_backward_data(b->n_leaves, b->leaf, l->in, l->out, dy, l->w, r->dx);
}

static void by_table(const layer *l, const float *bias, const orr_batch *b, int first, result *r)
{
    const float *x = l->x + (size_t)first * l->in, *dy = l->dy + (size_t)first * l->out;

    cpu_backend.ops->linear_forward(&cpu_backend, b, l->in, l->out, x, l->w, bias, r->y);
    cpu_backend.ops->linear_backward_data(&cpu_backend, b, l->in, l->out, dy, l->w, r->dx);
}

static void by_tiles(const layer *l, const float *bias, const orr_batch *b, int first, result *r)
{
    const float *x = l->x + (size_t)first * l->in, *dy = l->dy + (size_t)first * l->out;

    orr_cpu_tiles_forward(b->n, l->in, l->out, x, l->w, bias, r->y);
    orr_cpu_tiles_backward_data(b->n, l->in, l->out, dy, l->w, r->dx);
}

static void by_check(const layer *l, const float *bias, const orr_batch *b, int first, result *r)
{
    const float *x = l->x + (size_t)first * l->in, *dy = l->dy + (size_t)first * l->out;

    check_backend.ops->linear_forward(&check_backend, b, l->in, l->out, x, l->w, bias, r->y);
    check_backend.ops->linear_backward_data(&check_backend, b, l->in, l->out, dy, l->w, r->dx);
}

static void near(const char *what, size_t n, const float *got, const float *want, int terms)
{
    const double tol = 1.2e-7 * (8 + 0.6 * terms); /* six standard errors, and the last places */

    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= tol))
            fail_msg("%s: element %zu of %zu is %.9g, the oracle says %.9g (room %.2g)", what, i, n,
                     (double)got[i], (double)want[i], tol);
}

static uint32_t bits(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static void same(const char *what, size_t n, const float *got, const float *want)
{
    for (size_t i = 0; i < n; i++)
        if (bits(got[i]) != bits(want[i]))
            fail_msg("%s: element %zu of %zu is %.9g, expected the bits of %.9g", what, i, n,
                     (double)got[i], (double)want[i]);
}

static void results_near(const layer *l, int n, const result *got, const result *want)
{
    near("forward", (size_t)n * l->out, got->y, want->y, l->in);
    near("data gradient", (size_t)n * l->in, got->dx, want->dx, l->out);
}

/* got's samples first .. first + n - 1 are all of want. */
static void results_same(const char *what, const layer *l, int first, int n, const result *got,
                         const result *want)
{
    same(what, (size_t)n * l->out, got->y + (size_t)first * l->out, want->y);
    same(what, (size_t)n * l->in, got->dx + (size_t)first * l->in, want->dx);
}

/* One thread, two and three, and each leaf alone on either: the same bits. */
static void exercise(const layer *l, const orr_batch *b, pass run, pass oracle)
{
    result all = new_result(l, b->n), other = new_result(l, b->n);

    omp_set_num_threads(1);
    oracle(l, l->bias, b, 0, &other);
    run(l, l->bias, b, 0, &all);
    results_near(l, b->n, &all, &other);
    for (int threads = 2; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        run(l, l->bias, b, 0, &other);
        assert_int_equal(omp_get_max_threads(), threads);
        results_same("more threads", l, 0, b->n, &other, &all);
    }
    for (int i = 0; i < b->n_leaves; i++) {
        const int n = b->leaf[i + 1] - b->leaf[i], ends[2] = { 0, n };
        const orr_batch one = { .n = n, .n_leaves = 1, .leaf = ends };
        omp_set_num_threads(1 + i % 3);
        run(l, l->bias, &one, b->leaf[i], &other);
        results_same("a leaf alone", l, b->leaf[i], n, &all, &other);
    }
    oracle(l, NULL, b, 0, &other);
    run(l, NULL, b, 0, &all);
    results_near(l, b->n, &all, &other);
    free_result(&all);
    free_result(&other);
}

static void test_openblas(void **state)
{
    static const int sizes[][2] = { { 1, 1 },    { 3, 65 },   { 64, 128 },   { 129, 127 },
                                    { 333, 37 }, { 65, 515 }, { 1030, 260 }, { 700, 1 } };
    static const int leaf[] = { 0, 3, 3, 4, 11, 44, 108 };
    const orr_batch b = { .n = 108, .n_leaves = 6, .leaf = leaf };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        layer l = new_layer(b.n, sizes[i][0], sizes[i][1]);
        exercise(&l, &b, by_blas, by_check);
        free_layer(&l);
    }
}

/* Leaves on both sides of every threshold in one call; those that OpenBLAS takes have its bits, the
 * others the tiles'. */
static void test_choice(void **state)
{
    static const int sizes[][2] = { { 1024, 2048 }, { 1030, 1025 }, { 1024, 1023 } };
    static const int leaf[] = { 0, 64, 64, 127, 191, 194, 259 };
    const orr_batch b = { .n = 259, .n_leaves = 6, .leaf = leaf };
    int forward = 0, data = 0;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int in = sizes[i][0], out = sizes[i][1];
        layer l = new_layer(b.n, in, out);
        result all = new_result(&l, b.n), blas = new_result(&l, b.n), tiles = new_result(&l, b.n);
        exercise(&l, &b, by_table, by_tiles);
        by_table(&l, l.bias, &b, 0, &all);
        by_blas(&l, l.bias, &b, 0, &blas);
        by_tiles(&l, l.bias, &b, 0, &tiles);
        for (int j = 0; j < b.n_leaves; j++) {
            const int n = leaf[j + 1] - leaf[j], f = orr_blas_takes_forward(n, in, out),
                      d = orr_blas_takes_backward_data(n, in, out);
            const size_t y = (size_t)leaf[j] * out, x = (size_t)leaf[j] * in;
            same("forward", (size_t)n * out, all.y + y, (f ? blas.y : tiles.y) + y);
            same("data gradient", (size_t)n * in, all.dx + x, (d ? blas.dx : tiles.dx) + x);
            assert_false((f && (n < 64 || out < 1024)) || (d && (n < 64 || in % 1024 != 0)));
            forward += f;
            data += d;
        }
        free_layer(&l);
        free_result(&all);
        free_result(&blas);
        free_result(&tiles);
    }
    /* 3 leaves of each of two layers, and of one: unless OpenBLAS has threads of its own */
    assert_int_equal(forward, openblas_get_parallel() == OPENBLAS_THREAD ? 0 : 6);
    assert_int_equal(data, openblas_get_parallel() == OPENBLAS_THREAD ? 0 : 3);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_openblas),
                                        cmocka_unit_test(test_choice) };

#ifdef __x86_64__
    /* The table chooses no kernels narrower than the tiles', which an OpenBLAS older than the
     * processor, or told so by the environment, has: once more with wide ones. */
    char again[] = "again";
    if (argc == 1 && __builtin_cpu_supports("avx512vl") &&
        strcmp(openblas_get_corename(), "SkylakeX") != 0 &&
        setenv("OPENBLAS_CORETYPE", "SkylakeX", 1) == 0)
        execv("/proc/self/exe", (char *[]){ argv[0], again, NULL });
#endif
    (void)argc;
    (void)argv;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
