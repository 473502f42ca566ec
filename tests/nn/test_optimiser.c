/* tests/nn/test_optimiser.c - golden first steps, refusals, threads, the norm; 50 steps against
 * PyTorch, with groups of tensors, too, are in optimiser.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/memory.h"
#include "core/rng.h"
#include "nn/backend.h"
#include "nn/net.h"
#include "nn/optimiser_kind_private.h"

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

    assert_int_equal(orr_optimiser_step(opt, there, gradient, lr, scale), ORR_OK);
    assert_int_equal(orr_alloc_count(), before);
    be->ops->free(be, gradient);
    downloaded(there, w, n);
}

static orr_optimiser_opts defaults(const char *kind)
{
    return (orr_optimiser_opts){ kind, 0.9, 0.999, 1e-8, "torch", 0, 0, 0, NULL, NULL };
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
        { "adamm", 0.9, 0.999, 1e-8, "torch", 0, 0, 0, NULL, NULL },
        { "adam", 1, 0.999, 1e-8, "torch", 0, 0, 0, NULL, NULL },
        { "adam", 0.9, 1, 1e-8, "torch", 0, 0, 0, NULL, NULL },
        { "adam", -0.1, 0.9, 1e-8, "torch", 0, 0, 0, NULL, NULL },
        { "adam", 0.9, 0.999, -1, "torch", 0, 0, 0, NULL, NULL },
        { "adamw", 0.9, 0.999, 1e-8, "tf", 0, 0, 0, NULL, NULL },
        { "adam", 0.9, 0.999, 1e-8, "torch", -1, 0, 0, NULL, NULL },
        { "sgd", 0.9, 0.999, 1e-8, "torch", 0, 1.5, 0, NULL, NULL },
        { "sgd", 0.9, 0.999, 1e-8, "torch", 0, 0, 1, NULL, NULL },
        { "adam", NAN, 0.999, 1e-8, "torch", 0, 0, 0, NULL, NULL },
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

/* ---- groups ---- */
static const char net_text[] = "layers: [linear: {units: 5, name: fc1}, batch_norm: {name: bn}, "
                               "linear: {units: 3, name: fc2}, linear: {units: 2, name: head}]\n";

/* A net of 7 inputs; its graph is *g. */
static orr_net *small_net(orr_graph **g)
{
    orr_limits limits = { .max_samples = 1, .max_leaves = 1, .max_segments = 1, .training = 1 };
    orr_net *net;

    assert_int_equal(orr_graph_parse_text(g, (orr_shape){ 1, 1, 7 }, 0, net_text), ORR_OK);
    assert_int_equal(orr_net_create(&net, *g, be, &limits), ORR_OK);
    return net;
}

/* The optimiser of a job's text, "{kind: adam, ...}". */
static orr_status from_text(orr_optimiser **out, const char *text, const orr_net *net)
{
    orr_optimiser_opts o;
    orr_config *c;
    orr_status st;

    assert_int_equal(orr_config_parse(&c, text, "job"), ORR_OK);
    *out = NULL;
    st = orr_options_read(&o, orr_optimiser_options, orr_config_root(c), "optimiser");
    if (st == ORR_OK) st = orr_optimiser_create_for(out, &o, net);
    orr_config_destroy(c);
    return st;
}

static void test_groups_that_are_wrong(void **state)
{
    static const char *const wrong[][2] = {
        { "groups: 3", "job:1: optimiser.groups is a list: \"- {match: head.*, rate: 10}\"" },
        { "groups: [{rate: 3}]",
          "job:1: optimiser.groups.match is missing: names of tensors, such as "
          "head.* or *.bias; vectors = all of one dimension" },
        { "groups: [{match: fc1.*, rat: 3}]",
          "job:1: unknown key \"rat\" in optimiser.groups; did you mean \"rate\"?" },
        { "groups: [{match: fc1.*, rate: -1}]",
          "job:1: optimiser.groups.rate is -1; it must lie between 0 and 1000000" },
        { "groups: [{match: fc1.*, weight_decay: -0.5}]",
          "job:1: optimiser.groups: weight_decay -0.5 must not be below 0" },
        { "groups: [{match: []}]", "job:1: optimiser.groups: match names no tensor" },
        { "groups: [{match: fc1.wieght}]", "job:1: optimiser.groups: no tensor is called "
                                           "\"fc1.wieght\"; did you mean \"fc1.weight\"?" },
        { "groups: [{match: [fc1.*, conv*]}]",
          "job:1: optimiser.groups: no tensor is called \"conv*\"; they are called like "
          "\"head.weight\", and \"vectors\" is all of one dimension" },
        { "groups:\n- {match: '*'}\n- {match: head.*}",
          "job:3: optimiser.groups: the groups before have all tensors of this one" },
        { "no_decay: [vectors, {bn.*: 1}]",
          "job:1: optimiser.no_decay is a name or a list of names" },
        { "no_decay: [vectors, bnn.*]",
          "job:1: optimiser.no_decay: no tensor is called \"bnn.*\"; they are called like "
          "\"head.weight\", and \"vectors\" is all of one dimension" },
    };
    orr_graph *g;
    orr_net *net = small_net(&g);

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        orr_optimiser *opt;
        assert_int_equal(from_text(&opt, wrong[i][0], net), ORR_ERR_OPTION);
        assert_null(opt);
        assert_string_equal(orr_error_text(), wrong[i][1]);
    }
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

/* Names need a net. */
static void test_groups_without_tensors(void **state)
{
    orr_optimiser_opts o = defaults("adam");
    orr_optimiser *opt;

    (void)state;
    o.no_decay = &(const orr_node){ .type = ORR_NODE_SCALAR, .scalar = "vectors" };
    assert_int_equal(orr_optimiser_create(&opt, be, &o, 16), ORR_ERR_ARG);
    assert_null(opt);
}

/* A group that changes nothing changes no bit, and neither does a net instead of a number. */
static void test_equal_groups_give_the_same_bits(void **state)
{
    orr_graph *g;
    orr_net *net = small_net(&g);
    const size_t n = orr_net_param_count(net);
    orr_real *gradient = orr_alloc(n, sizeof *gradient), *w[3];
    orr_optimiser *opt[3];
    orr_optimiser_opts o = defaults("adamw");

    (void)state;
    o.weight_decay = 0.1;
    assert_int_equal(orr_optimiser_create(&opt[0], be, &o, n), ORR_OK);
    assert_int_equal(orr_optimiser_create_for(&opt[1], &o, net), ORR_OK);
    assert_int_equal(from_text(&opt[2],
                               "{kind: adamw, weight_decay: 0.1, groups: [{match: fc1.*}, {match: "
                               "'*.bias', weight_decay: 0.1}]}",
                               net),
                     ORR_OK);
    for (size_t i = 0; i < n; i++)
        gradient[i] = (orr_real)(0.01 * (double)i - 0.5);
    for (int k = 0; k < 3; k++) {
        w[k] = orr_alloc(n, sizeof **w);
        for (int step = 0; step < 3; step++)
            step_on_host(opt[k], n, w[k], gradient, 0.1, 1);
        assert_memory_equal(w[k], w[0], n * sizeof **w);
        orr_optimiser_destroy(opt[k]);
    }
    for (int k = 0; k < 3; k++)
        orr_free(w[k]);
    orr_free(gradient);
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

/* A kind of the test's own, which steps each tensor by its rate along gradient / norm. */
static orr_status by_norm(const orr_optimiser_range *r)
{
    double norm;
    orr_step_numbers s = { .decay = 1 };

    ORR_TRY(r->be->ops->norm(r->be, r->n, r->g, &norm));
    s.scale = 1;
    s.rate = (orr_real)(r->lr / norm);
    r->be->ops->sgd(r->be, r->n, &s, r->w, r->g);
    return ORR_OK;
}

static void test_a_kind_sees_tensors(void **state)
{
    static const orr_optimiser_kind kind = { .name = "by-norm", .by_tensor = 1, .step = by_norm };
    orr_optimiser_opts o = defaults(NULL);
    orr_graph *g;
    orr_net *net = small_net(&g);
    const size_t n = orr_net_param_count(net);
    orr_real *w = orr_alloc(n, sizeof *w), *gradient = orr_alloc(n, sizeof *gradient);
    orr_optimiser *opt;

    (void)state;
    for (size_t i = 0; i < n; i++)
        gradient[i] = (orr_real)(i + 1);
    assert_int_equal(orr_optimiser_create_kind(&opt, &kind, &o, net), ORR_OK);
    assert_int_equal(orr_optimiser_n_slabs(opt), 0);
    step_on_host(opt, n, w, gradient, 0.25, 1);
    for (int i = 0; i < orr_net_n_tensors(net); i++) {
        orr_net_tensor t;
        orr_net_tensor_info(net, i, &t);
        if (t.is_state) continue;
        assert_true(fabs(norm_of(w + t.offset, t.count) - 0.25) < 1e-6);
        if (t.count % 16) assert_true(w[t.offset + t.count] == 0); /* nothing between tensors */
    }
    orr_optimiser_destroy(opt);
    orr_free(w);
    orr_free(gradient);
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

/* Every row has what a checkpoint and a step need. */
static void test_every_row(void **state)
{
    int n;
    const orr_optimiser_kind *const *kinds = orr_optimiser_kinds(&n);
    orr_kind_help help;

    (void)state;
    for (int i = 0; i < n; i++) {
        orr_optimiser_opts o = defaults(kinds[i]->name);
        orr_optimiser *opt;
        orr_real w = 1, g = 1;
        o.momentum = 0.5;
        assert_string_equal(orr_optimiser_name(i), kinds[i]->name);
        assert_int_equal(orr_optimiser_kind_help(i, &help), 1);
        assert_string_equal(help.name, kinds[i]->name);
        assert_int_equal(orr_optimiser_create(&opt, be, &o, 1), ORR_OK);
        for (int k = 0; k < orr_optimiser_n_slabs(opt); k++)
            assert_non_null(orr_optimiser_slab_name(opt, k));
        step_on_host(opt, 1, &w, &g, 0.1, 1);
        assert_true(w < 1);
        orr_optimiser_destroy(opt);
    }
    assert_null(orr_optimiser_name(n));
    assert_int_equal(orr_optimiser_kind_help(n, &help), 0);
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
        cmocka_unit_test(test_groups_that_are_wrong),
        cmocka_unit_test(test_groups_without_tensors),
        cmocka_unit_test(test_equal_groups_give_the_same_bits),
        cmocka_unit_test(test_a_kind_sees_tensors),
        cmocka_unit_test(test_every_row),
    };
    if (orr_backend_create(&be, argc > 1 ? argv[1] : "check") != ORR_OK) return 2;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    orr_backend_destroy(be);
    return failed;
}
