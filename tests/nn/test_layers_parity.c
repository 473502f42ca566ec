/* tests/nn/test_layers_parity.c - the float tables against the double build for every case, and the
 * invariance that ordered training rests on: however the leaves of a batch are dealt to ranks, the
 * same bytes come out. */
#include "core/memory.h"
#include "nn_cases.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK(expr)                                                                                   \
    do {                                                                                           \
        if ((expr) != ORR_OK) fail_msg("%s: %s", #expr, orr_error_text());                         \
    } while (0)

/* Back ends to try, check first; an argument names another second one. */
static const char *tables[] = {
    "check",
#ifndef ORR_NO_CPU_KERNELS
    "cpu",
#else
    NULL,
#endif
};
static int first_table = 0, stride = 1; /* of those that tests begin with, and among large cases */

static int n_tables(void)
{
    return tables[1] ? 2 : 1;
}

/* ---- float against double ---- */

/* `roundings` of the part's largest number, 2^-24 each, are allowed. */
static void compare_answers(const nn_answer *a, const double *wanted, double roundings,
                            const char *table, const char *what)
{
    for (int p = 0; p < a->n_parts; p++) {
        double largest = 0;
        for (size_t i = a->begin[p]; i < a->begin[p + 1]; i++)
            largest = fmax(largest, fabs(wanted[i]));
        for (size_t i = a->begin[p]; i < a->begin[p + 1]; i++)
            if (!(fabs(a->v[i] - wanted[i]) <= roundings * 0x1p-24 * largest))
                fail_msg("%s, %s, %s[%zu]: %.9g instead of %.9g", what, table, a->name[p],
                         i - a->begin[p], a->v[i], wanted[i]);
    }
}

/* Each number a layer leaves is rounded to float once, and sums of a few dozen terms in float add
 * some more; the deepest case has 15 layers forward and back. */
static void float_tables_match_the_double_build(void **state)
{
    static nn_answer a;
    static double wanted[NN_ANSWER_MAX];
    char what[64];

    (void)state;
    for (int t = first_table; t < n_tables(); t++) {
        orr_backend *be;
        FILE *dump = popen(DUMP_LAYERS, "r");
        assert_non_null(dump);
        assert_non_null(be = nn_backend(tables[t]));
        for (int i = 0; i < n_nn_cases; i++) {
            OK(nn_case_answer(&a, &nn_cases[i], (uint64_t)i, be));
            size_t n = a.begin[a.n_parts];
            assert_int_equal(fread(wanted, sizeof *wanted, n, dump), n);
            snprintf(what, sizeof what, "case %d, %s", i, nn_cases[i].kind);
            compare_answers(&a, wanted, 64, tables[t], what);
        }
        assert_int_equal(fread(wanted, sizeof *wanted, 1, dump), 0);
        assert_int_equal(pclose(dump), 0);
    }
}

/* The longest sum here has 4000 terms; its rounding grows as the square root of that, some 64
 * times, with a margin. */
static void tables_match_each_other(void **state)
{
    static nn_answer a, b;
    orr_backend *oracle, *be;
    char what[64];

    (void)state;
    assert_non_null(oracle = nn_backend("check"));
    for (int i = 0; i < n_nn_large_cases; i += stride) {
        OK(nn_case_answer(&a, &nn_large_cases[i], (uint64_t)i, oracle));
        for (int t = 1; t < n_tables(); t++) {
            assert_non_null(be = nn_backend(tables[t]));
            OK(nn_case_answer(&b, &nn_large_cases[i], (uint64_t)i, be));
            assert_int_equal(a.n_parts, b.n_parts);
            snprintf(what, sizeof what, "large case %d, %s", i, nn_large_cases[i].kind);
            compare_answers(&b, a.v, 256, tables[t], what);
        }
    }
}

/* ---- ranks as threads ---- */

enum { MAX_RANKS = 8, MAX_SUM = 128 };

typedef struct world {
    int size, index;
    const nn_case *c;
    orr_backend *be;
    pthread_barrier_t barrier;
    double rows[NN_LEAVES * MAX_SUM]; /* of one leaf_sum, from all ranks */
} world;

typedef struct rank {
    world *w;
    int rank;
    nn_batch batch;
    orr_graph *g;
    orr_backend *be; /* its own: one serves one thread at a time */
    orr_net *net;
    orr_real *x, *dy, *y, *dx;
    orr_status st;
    char error[ORR_ERROR_MAX];
} rank;

static orr_status shared_leaf_sum(void *ctx, double *in, double *out, size_t n)
{
    rank *r = ctx;
    world *w = r->w;
    double rows[NN_LEAVES * MAX_SUM];

    if (n > MAX_SUM) return orr_fail(ORR_ERR_INTERNAL, "a leaf sum of %zu", n);
    if (r->batch.b.n_leaves)
        memcpy(w->rows + (size_t)r->batch.plan.first * n, in,
               (size_t)r->batch.b.n_leaves * n * sizeof *in);
    pthread_barrier_wait(&w->barrier);
    memcpy(rows, w->rows, NN_LEAVES * n * sizeof *rows);
    orr_leaf_sum_f64(out, rows, n, NN_LEAVES, n);
    pthread_barrier_wait(&w->barrier);
    return ORR_OK;
}

static orr_status work(rank *r)
{
    const nn_case *c = r->w->c;
    size_t n_in = orr_shape_count(c->input), n_out = orr_shape_count(orr_graph_output(r->g));
    size_t n = (size_t)r->batch.b.n, first = (size_t)r->batch.first_sample;
    const orr_real *y, *aux = nn_batch_aux(&r->batch, c->n_aux);

    ORR_TRY(orr_net_forward(r->net, &r->batch.b, r->x + first * n_in, aux, 1, &y));
    ORR_TRY(orr_net_output(r->net, r->y + first * n_out));
    ORR_TRY(nn_backward(r->net, &r->batch.b, r->dy + first * n_out, n * n_out));
    ORR_TRY(nn_download(r->be, orr_net_input_grad(r->net), r->dx + first * n_in, n * n_in));
    return orr_net_verify(r->net);
}

static void *rank_main(void *arg)
{
    rank *r = arg;

    r->st = work(r);
    snprintf(r->error, sizeof r->error, "%s", orr_error_text());
    return NULL;
}

/* The rest of the tree above the segments: node over leaves [a, b). */
static void tree_sum(rank *ranks, int size, int a, int b, orr_real *out, size_t n)
{
    for (int r = 0; r < size; r++)
        for (int i = 0; i < ranks[r].batch.plan.n_segments; i++)
            if (ranks[r].batch.plan.segment[i] == a && ranks[r].batch.plan.segment[i + 1] == b) {
                OK(orr_net_read(ranks[r].net, i, 0, n, out));
                return;
            }
    assert_true(b - a > 1);
    orr_real *right = orr_alloc(n, sizeof *right);
    tree_sum(ranks, size, a, a + orr_leaf_split(b - a), out, n);
    tree_sum(ranks, size, a + orr_leaf_split(b - a), b, right, n);
    for (size_t i = 0; i < n; i++)
        out[i] += right[i];
    orr_free(right);
}

typedef struct result {
    size_t n_y, n_x, n_slab, n_state;
    orr_real *y, *dx, *slab, *state;
} result;

static void free_result(result *r)
{
    orr_free(r->y);
    orr_free(r->dx);
    orr_free(r->slab);
    orr_free(r->state);
}

static void start_rank(rank *r, world *w, int i, result *out, orr_real *x, orr_real *dy)
{
    *r = (rank){ .w = w, .rank = i, .x = x, .dy = dy, .y = out->y, .dx = out->dx };
    OK(nn_batch_init(&r->batch, i, w->size));
    OK(nn_case_graph(&r->g, w->c));
    OK(orr_backend_create(&r->be, w->be->ops->name));
    OK(nn_case_net(&r->net, r->g, r->be, 1));
    orr_net_on_leaf_sum(r->net, shared_leaf_sum, r);
}

/* One training step of the case's net by `size` ranks. */
static void run_ranks(const nn_case *c, int index, int size, orr_backend *be, result *out)
{
    static rank ranks[MAX_RANKS];
    pthread_t threads[MAX_RANKS];
    world w = { .size = size, .index = index, .c = c, .be = be };
    size_t samples = (size_t)nn_leaf_begin[NN_LEAVES];
    orr_graph *g;
    orr_real *x, *dy, *other;

    OK(nn_case_graph(&g, c));
    out->n_x = samples * orr_shape_count(c->input);
    out->n_y = samples * orr_shape_count(orr_graph_output(g));
    orr_graph_destroy(g);
    x = orr_alloc(out->n_x, sizeof *x);
    dy = orr_alloc(out->n_y, sizeof *dy);
    out->y = orr_alloc(out->n_y, sizeof *dy);
    out->dx = orr_alloc(out->n_x, sizeof *dy);
    nn_fill(x, out->n_x, 1000 + (uint64_t)index);
    nn_fill(dy, out->n_y, 2000 + (uint64_t)index);
    pthread_barrier_init(&w.barrier, NULL, (unsigned)size);
    for (int i = 0; i < size; i++)
        start_rank(&ranks[i], &w, i, out, x, dy);
    for (int i = 0; i < size; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, rank_main, &ranks[i]), 0);
    for (int i = 0; i < size; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < size; i++)
        if (ranks[i].st != ORR_OK) fail_msg("rank %d of %d: %s", i, size, ranks[i].error);
    out->n_slab = orr_net_slab_count(ranks[0].net);
    out->n_state = orr_net_state_count(ranks[0].net);
    out->slab = orr_alloc(out->n_slab, sizeof *out->slab);
    out->state = orr_alloc(out->n_state, sizeof *out->state);
    tree_sum(ranks, size, 0, NN_LEAVES, out->slab, out->n_slab);
    OK(orr_net_write(ranks[0].net, 0, 0, out->n_slab, out->slab));
    OK(orr_net_finish_grads(ranks[0].net, orr_net_grads(ranks[0].net, 0)));
    OK(orr_net_read(ranks[0].net, 0, 0, out->n_slab, out->slab));
    other = orr_alloc(out->n_state, sizeof *other);
    for (int i = size - 1; i >= 0; i--) { /* every rank's state must be rank 0's */
        orr_real *slab = nn_upload(ranks[i].be, out->slab, out->n_slab);
        assert_non_null(slab);
        OK(orr_net_update_state(ranks[i].net, slab, NN_LEAVES - 1));
        ranks[i].be->ops->free(ranks[i].be, slab);
        OK(orr_net_read(ranks[i].net, ORR_SLAB_STATE, 0, out->n_state, other));
        if (i < size - 1) assert_memory_equal(other, out->state, out->n_state * sizeof *other);
        memcpy(out->state, other, out->n_state * sizeof *other);
    }
    orr_free(other);
    for (int i = 0; i < size; i++) {
        orr_net_destroy(ranks[i].net);
        orr_backend_destroy(ranks[i].be);
        orr_graph_destroy(ranks[i].g);
    }
    pthread_barrier_destroy(&w.barrier);
    orr_free(x);
    orr_free(dy);
}

static void same(const orr_real *a, const orr_real *b, size_t n, const char *what,
                 const char *where)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a))
            fail_msg("%s: %s[%zu] is %.9g on one rank and %.9g on several", where, what, i,
                     (double)a[i], (double)b[i]);
}

static void check_ranks(const nn_case *c, int index, orr_backend *be)
{
    static const int sizes[] = { 2, 3, 4, 8 }; /* of 8, two own no leaf */
    result one = { 0 };
    char where[96];

    run_ranks(c, index, 1, be, &one);
    for (int s = 0; s < 4; s++) {
        result many = { 0 };
        run_ranks(c, index, sizes[s], be, &many);
        snprintf(where, sizeof where, "case %d, %s, %s, %d ranks", index, c->kind, be->ops->name,
                 sizes[s]);
        same(one.y, many.y, one.n_y, "output", where);
        same(one.dx, many.dx, one.n_x, "gradient of the input", where);
        same(one.slab, many.slab, one.n_slab, "slab", where);
        same(one.state, many.state, one.n_state, "state", where);
        free_result(&many);
    }
    free_result(&one);
}

static void ranks_do_not_change_a_byte(void **state)
{
    (void)state;
    for (int t = first_table; t < n_tables(); t++) {
        orr_backend *be;
        assert_non_null(be = nn_backend(tables[t]));
        for (int i = 0; i < n_nn_cases; i++)
            check_ranks(&nn_cases[i], i, be);
        for (int i = 0; i < n_nn_large_cases; i += stride)
            check_ranks(&nn_large_cases[i], 100 + i, be);
    }
}

/* [TABLE [STRIDE]]: TABLE beside check, on every STRIDE-th large case. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float_tables_match_the_double_build),
        cmocka_unit_test(tables_match_each_other),
        cmocka_unit_test(ranks_do_not_change_a_byte),
    };

    if (argc > 1) tables[1] = argv[1], first_table = 1;
    if (argc > 2) stride = (int)strtol(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
