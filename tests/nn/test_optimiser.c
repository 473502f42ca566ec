/* tests/nn/test_optimiser.c - golden first steps, refusals, threads, the norm; 50 steps against
 * PyTorch are in optimiser.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/memory.h"
#include "core/rng.h"
#include "nn/optimiser.h"

#include <math.h>
#include <omp.h>
#include <string.h>

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
    assert_int_equal(orr_optimiser_create(&opt, &o, 1), ORR_OK);
    orr_optimiser_step(opt, &w, &g, 1e-3, 1);
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
        assert_int_equal(orr_optimiser_create(&opt, &bad[i], 4), ORR_ERR_OPTION);
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
        assert_int_equal(orr_optimiser_create(&opt, &o, 100), ORR_ERR_NOMEM);
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
    const char *name;

    assert_int_equal(orr_optimiser_create(&opt, &o, 3), ORR_OK);
    assert_int_equal(orr_optimiser_n_slabs(opt), 2);
    assert_non_null(orr_optimiser_slab(opt, 0, &name));
    assert_string_equal(name, "exp_avg");
    assert_non_null(orr_optimiser_slab(opt, 1, &name));
    assert_string_equal(name, "exp_avg_sq");
    orr_optimiser_destroy(opt);
    o = defaults("sgd");
    assert_int_equal(orr_optimiser_create(&opt, &o, 3), ORR_OK);
    assert_int_equal(orr_optimiser_n_slabs(opt), 0);
    orr_optimiser_destroy(opt);
    o.momentum = 0.9;
    assert_int_equal(orr_optimiser_create(&opt, &o, 3), ORR_OK);
    assert_int_equal(orr_optimiser_n_slabs(opt), 1);
    assert_non_null(orr_optimiser_slab(opt, 0, &name));
    assert_string_equal(name, "momentum_buffer");
    orr_optimiser_destroy(opt);
}

enum { N = 5 * 16384 + 77 };

static void fill(orr_real *x, uint64_t key)
{
    orr_rng rng = orr_rng_stream(key);

    for (int i = 0; i < N; i++)
        x[i] = (orr_real)orr_rng_normal(&rng);
}

/* Three steps with `threads`, interrupted after the first by a copy of the state into a new
 * optimiser when `resume`. */
static void three_steps(const orr_optimiser_opts *o, int threads, int resume, orr_real *w,
                        const orr_real *g)
{
    orr_optimiser *opt, *next;

    omp_set_num_threads(threads);
    assert_int_equal(orr_optimiser_create(&opt, o, N), ORR_OK);
    for (int step = 0; step < 3; step++) {
        if (step == 1 && resume) {
            assert_int_equal(orr_optimiser_create(&next, o, N), ORR_OK);
            orr_optimiser_set_steps(next, orr_optimiser_steps(opt));
            for (int i = 0; i < orr_optimiser_n_slabs(opt); i++)
                memcpy(orr_optimiser_slab(next, i, NULL), orr_optimiser_slab(opt, i, NULL),
                       N * sizeof *w);
            orr_optimiser_destroy(opt);
            opt = next;
        }
        int64_t before = orr_alloc_count();
        orr_optimiser_step(opt, w, g, 1e-2, 0.5);
        assert_int_equal(orr_alloc_count(), before);
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
    assert_int_equal(orr_optimiser_create(&all, &o, N), ORR_OK);
    assert_int_equal(orr_optimiser_create(&part, &o, 101), ORR_OK);
    for (int step = 0; step < 3; step++) {
        orr_optimiser_step(all, w1, g, 1e-2, 1);
        orr_optimiser_step(part, w2 + 1003, g + 1003, 1e-2, 1);
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
    one = orr_grad_norm(g, N);
    omp_set_num_threads(3);
    three = orr_grad_norm(g, N);
    assert_memory_equal(&one, &three, sizeof one);
    assert_true(fabs(one - (double)sqrtl(sum)) < 1e-13 * one);
    assert_true(orr_grad_norm(small, 2) == 5);
    assert_true(orr_grad_norm(small, 0) == 0);
    g[N - 1] = (orr_real)NAN;
    assert_true(isnan(orr_grad_norm(g, N)));
    g[N - 1] = (orr_real)-INFINITY;
    assert_true(isinf(orr_grad_norm(g, N)));
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

int main(void)
{
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
    return cmocka_run_group_tests(tests, NULL, NULL);
}
