/* tests/nn/test_optimiser.c - golden first steps, refusals, threads, the norm; 50 steps against
 * PyTorch are in optimiser.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/memory.h"
#include "core/rng.h"
#include "nn/backend.h"
#include "nn/optimiser.h"

#include <math.h>
#include <omp.h>
#include <string.h>

static orr_backend *be; /* made once by main */

static orr_real *zeros(size_t n)
{
    orr_real *p = be->ops->alloc(be, n * sizeof *p);

    assert_non_null(p);
    be->ops->clear(be, p, n * sizeof *p);
    return p;
}

static orr_real *uploaded(const orr_real *x, size_t n)
{
    orr_real *p = zeros(n);

    be->ops->upload(be, p, x, n * sizeof *p);
    return p;
}

/* Takes p back into x. */
static void downloaded(orr_real *p, orr_real *x, size_t n)
{
    be->ops->download(be, x, p, n * sizeof *x);
    assert_int_equal(be->ops->synchronise(be), ORR_OK);
    be->ops->free(be, p);
}

static double norm_of(const orr_real *x, size_t n)
{
    orr_real *p = uploaded(x, n);
    double norm = -1;

    assert_int_equal(be->ops->norm(be, n, p, &norm), ORR_OK);
    be->ops->free(be, p);
    return norm;
}

/* A step from host to host. */
static void step_on_host(orr_optimiser *opt, size_t n, orr_real *w, const orr_real *g, double lr,
                         double scale)
{
    orr_real *there = uploaded(w, n), *gradient = uploaded(g, n);
    int64_t before = orr_alloc_count();

    orr_optimiser_step(opt, there, gradient, lr, scale);
    assert_int_equal(orr_alloc_count(), before);
    be->ops->free(be, gradient);
    downloaded(there, w, n);
}

static orr_optimiser_opts defaults(const char *kind)
{
    return (orr_optimiser_opts){ kind, 0.9, 0.999, 1e-8, "torch", 0, 0, 0 };
}

static double first_step(const char *form)
{
    orr_optimiser_opts o = defaults("adam");
    orr_optimiser *opt;
    orr_real w = 0;
    const orr_real g = (orr_real)0.1;

    o.epsilon = 1;
    o.epsilon_form = form;
    assert_int_equal(orr_optimiser_create(&opt, be, &o, 1), ORR_OK);
    step_on_host(opt, 1, &w, &g, 1e-3, 1);
    orr_optimiser_destroy(opt);
    return -(double)w;
}

static void test_golden_first_step(void **state)
{
    (void)state;
    assert_true(fabs(first_step("torch") - 9.0909e-5) < 1e-9);
    assert_true(fabs(first_step("keras") - 3.1523e-6) < 1e-10);
}

static void test_refusals(void **state)
{
    (void)state;
    const orr_optimiser_opts bad[] = {
        { "adamm", 0.9, 0.999, 1e-8, "torch", 0, 0, 0 },
        { "adam", 1, 0.999, 1e-8, "torch", 0, 0, 0 },
        { "adam", 0.9, 1, 1e-8, "torch", 0, 0, 0 },
        { "adam", -0.1, 0.9, 1e-8, "torch", 0, 0, 0 },
        { "adam", 0.9, 0.999, -1, "torch", 0, 0, 0 },
        { "adamw", 0.9, 0.999, 1e-8, "tf", 0, 0, 0 },
        { "adam", 0.9, 0.999, 1e-8, "torch", -1, 0, 0 },
        { "sgd", 0.9, 0.999, 1e-8, "torch", 0, 1.5, 0 },
        { "sgd", 0.9, 0.999, 1e-8, "torch", 0, 0, 1 },
        { "adam", NAN, 0.999, 1e-8, "torch", 0, 0, 0 },
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        orr_optimiser *opt = (orr_optimiser *)&bad;
        assert_int_equal(orr_optimiser_create(&opt, be, &bad[i], 4), ORR_ERR_OPTION);
        assert_null(opt);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    const orr_optimiser_opts o = defaults("adam");

    for (int n = 1; n <= 3; n++) {
        orr_optimiser *opt;
        orr_alloc_fail_at(n);
        assert_int_equal(orr_optimiser_create(&opt, be, &o, 100), ORR_ERR_NOMEM);
        assert_null(opt);
    }
    orr_alloc_fail_at(0);
    orr_optimiser_destroy(NULL);
}

static void test_option_table(void **state)
{
    (void)state;
    orr_optimiser_opts o;

    assert_int_equal(orr_options_read(&o, orr_optimiser_options, NULL, "optimiser"), ORR_OK);
    assert_string_equal(o.kind, "adam");
    assert_string_equal(o.epsilon_form, "torch");
    assert_true(o.beta1 == 0.9 && o.beta2 == 0.999 && o.epsilon == 1e-8);
    assert_true(o.weight_decay == 0 && o.momentum == 0 && !o.nesterov);
}

static void test_slabs(void **state)
{
    (void)state;
    orr_optimiser *opt;
    orr_optimiser_opts o = defaults("adamw");
    orr_real three[3];

    assert_int_equal(orr_optimiser_create(&opt, be, &o, 3), ORR_OK);
    assert_int_equal(orr_optimiser_n_slabs(opt), 2);
    assert_string_equal(orr_optimiser_slab_name(opt, 0), "exp_avg");
    assert_string_equal(orr_optimiser_slab_name(opt, 1), "exp_avg_sq");
    assert_int_equal(orr_optimiser_read(opt, 1, 0, 3, three), ORR_OK);
    assert_true(three[0] == 0 && three[1] == 0 && three[2] == 0);
    assert_int_equal(orr_optimiser_write(opt, 1, 1, 2, (const orr_real[]){ 5, 6 }), ORR_OK);
    assert_int_equal(orr_optimiser_read(opt, 1, 0, 3, three), ORR_OK);
    assert_true(three[0] == 0 && three[1] == 5 && three[2] == 6);
    orr_optimiser_destroy(opt);
    o = defaults("sgd");
    assert_int_equal(orr_optimiser_create(&opt, be, &o, 3), ORR_OK);
    assert_int_equal(orr_optimiser_n_slabs(opt), 0);
    orr_optimiser_destroy(opt);
    o.momentum = 0.9;
    assert_int_equal(orr_optimiser_create(&opt, be, &o, 3), ORR_OK);
    assert_int_equal(orr_optimiser_n_slabs(opt), 1);
    assert_string_equal(orr_optimiser_slab_name(opt, 0), "momentum_buffer");
    orr_optimiser_destroy(opt);
}

enum { N = 5 * 16384 + 77 };

static void fill(orr_real *x, uint64_t key)
{
    orr_rng rng = orr_rng_stream(key);

    for (int i = 0; i < N; i++)
        x[i] = (orr_real)orr_rng_normal(&rng);
}

static void move_slab(orr_optimiser *to, const orr_optimiser *from, int i)
{
    orr_real *x = orr_alloc(N, sizeof *x);

    assert_int_equal(orr_optimiser_read(from, i, 0, N, x), ORR_OK);
    assert_int_equal(orr_optimiser_write(to, i, 0, N, x), ORR_OK);
    orr_free(x);
}

/* Three steps with `threads`, interrupted after the first by a copy of the state into a new
 * optimiser when `resume`. */
static void three_steps(const orr_optimiser_opts *o, int threads, int resume, orr_real *w,
                        const orr_real *g)
{
    orr_optimiser *opt, *next;

    omp_set_num_threads(threads);
    assert_int_equal(orr_optimiser_create(&opt, be, o, N), ORR_OK);
    for (int step = 0; step < 3; step++) {
        if (step == 1 && resume) {
            assert_int_equal(orr_optimiser_create(&next, be, o, N), ORR_OK);
            orr_optimiser_set_steps(next, orr_optimiser_steps(opt));
            for (int i = 0; i < orr_optimiser_n_slabs(opt); i++)
                move_slab(next, opt, i);
            orr_optimiser_destroy(opt);
            opt = next;
        }
        step_on_host(opt, N, w, g, 1e-2, 0.5);
        assert_int_equal(orr_optimiser_steps(opt), step + 1);
    }
    orr_optimiser_destroy(opt);
}

static void test_threads_and_resume_give_the_same_bits(void **state)
{
    (void)state;
    orr_real *g = orr_alloc(N, sizeof *g), *w1 = orr_alloc(N, sizeof *g),
             *w2 = orr_alloc(N, sizeof *g);
    const char *const kinds[] = { "adam", "adamw", "sgd", "sgd" };

    fill(g, 1);
    for (int k = 0; k < 4; k++) {
        orr_optimiser_opts o = defaults(kinds[k]);
        o.weight_decay = 0.01;
        o.momentum = k == 3 ? 0.9 : 0;
        fill(w1, 2);
        fill(w2, 2);
        three_steps(&o, 1, 0, w1, g);
        assert_memory_not_equal(w1, w2, N * sizeof *g);
        three_steps(&o, 3, 1, w2, g);
        assert_memory_equal(w1, w2, N * sizeof *g);
    }
    orr_free(g);
    orr_free(w1);
    orr_free(w2);
}

/* Every element's arithmetic is its own: a step over a part gives the bits of the step over all,
 * whatever the lane. */
static void test_position_does_not_matter(void **state)
{
    (void)state;
    orr_real *g = orr_alloc(N, sizeof *g), *w1 = orr_alloc(N, sizeof *g),
             *w2 = orr_alloc(N, sizeof *g);
    orr_optimiser_opts o = defaults("adam");
    orr_optimiser *all, *part;

    fill(g, 3);
    fill(w1, 4);
    fill(w2, 4);
    assert_int_equal(orr_optimiser_create(&all, be, &o, N), ORR_OK);
    assert_int_equal(orr_optimiser_create(&part, be, &o, 101), ORR_OK);
    for (int step = 0; step < 3; step++) {
        step_on_host(all, N, w1, g, 1e-2, 1);
        step_on_host(part, 101, w2 + 1003, g + 1003, 1e-2, 1);
    }
    assert_memory_equal(w1 + 1003, w2 + 1003, 101 * sizeof *g);
    orr_optimiser_destroy(all);
    orr_optimiser_destroy(part);
    orr_free(g);
    orr_free(w1);
    orr_free(w2);
}

static void test_norm(void **state)
{
    (void)state;
    orr_real *g = orr_alloc(N, sizeof *g);
    long double sum = 0;
    double one, three;
    const orr_real small[2] = { 3, 4 };

    fill(g, 9);
    for (int i = 0; i < N; i++)
        sum += (long double)g[i] * (long double)g[i];
    omp_set_num_threads(1);
    one = norm_of(g, N);
    omp_set_num_threads(3);
    three = norm_of(g, N);
    assert_memory_equal(&one, &three, sizeof one);
    assert_true(fabs(one - (double)sqrtl(sum)) < 1e-13 * one);
    assert_true(norm_of(small, 2) == 5);
    assert_true(norm_of(small, 0) == 0);
    g[N - 1] = (orr_real)NAN;
    assert_true(isnan(norm_of(g, N)));
    g[N - 1] = (orr_real)-INFINITY;
    assert_true(isinf(norm_of(g, N)));
    orr_free(g);
}

static void test_clip(void **state)
{
    (void)state;
    assert_true(orr_clip_scale(5, 0) == 1);
    assert_true(orr_clip_scale(0.5, 1) == 1);
    assert_true(orr_clip_scale(4, 1) == 1 / (4 + 1e-6));
    assert_true(isnan(orr_clip_scale(NAN, 1)));
    assert_true(orr_clip_scale(INFINITY, 1) == 0);
}

int main(int argc, char **argv)
{
    int failed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_first_step),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_option_table),
        cmocka_unit_test(test_slabs),
        cmocka_unit_test(test_threads_and_resume_give_the_same_bits),
        cmocka_unit_test(test_position_does_not_matter),
        cmocka_unit_test(test_norm),
        cmocka_unit_test(test_clip),
    };
    if (orr_backend_create(&be, argc > 1 ? argv[1] : "check") != ORR_OK) return 2;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    orr_backend_destroy(be);
    return failed;
}
