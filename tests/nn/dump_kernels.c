/* tests/nn/dump_kernels.c - runs kernels of the table named by argv[3] on the cases kernels.py
 * writes.  All results land in the table's own memory, whose guards are looked at. */
#include "cases.h"

#include "core/leaves.h"
#include "core/memory.h"
#include "nn/backend.h"
#include "nn/layers/kinds.h"

#include <math.h>

enum { MAX_LEAVES = 16 };

static size_t count4(int a, int b, int c, int d)
{
    return (size_t)a * (size_t)b * (size_t)c * (size_t)d;
}

static orr_backend *K; /* set once by main */

typedef struct batch_memory {
    orr_batch b;
    int leaf[MAX_LEAVES + 1], segment[MAX_LEAVES + 1];
} batch_memory;

/* ints: n, n_leaves, n_segments, leaf[n_leaves + 1], segment[n_segments + 1]; returns the ints
 * after them */
static const int64_t *read_batch(const int64_t *i, batch_memory *m)
{
    m->b = (orr_batch){
        .n = (int)i[0], .n_leaves = (int)i[1], .n_segments = (int)i[2], .n_global = i[0]
    };
    m->b.leaf = m->leaf;
    m->b.segment = m->segment;
    i += 3;
    for (int l = 0; l <= m->b.n_leaves; l++)
        m->leaf[l] = (int)*i++;
    for (int r = 0; r <= m->b.n_segments; r++)
        m->segment[r] = (int)*i++;
    return i;
}

/* Array j of the case as orr_real; NULL when it is empty. */
static orr_real *in(const test_case *c, int j)
{
    if (c->len[j] == 0) return NULL;
    orr_real *x = K->ops->alloc(K, (size_t)c->len[j] * sizeof *x);
    for (int64_t e = 0; x && e < c->len[j]; e++)
        x[e] = (orr_real)c->a[j][e];
    return x;
}
static orr_real *room(size_t n)
{
    return K->ops->alloc(K, n * sizeof(orr_real));
}

/* Writes x as doubles, looks at its guards, and frees it. */
static int give(FILE *out, orr_real *x, size_t n)
{
    double *d = orr_alloc(n, sizeof *d);
    int ok = d && x && (!K->ops->verify || K->ops->verify(K, x) == ORR_OK);

    for (size_t e = 0; ok && e < n; e++)
        d[e] = (double)x[e];
    ok = ok && case_write(out, d, n);
    orr_free(d);
    K->ops->free(K, x);
    return ok;
}

static int linear(const test_case *c, FILE *out)
{
    batch_memory m;
    const int64_t *i = read_batch(c->i, &m);
    int n_in = (int)i[0], n_out = (int)i[1], segments = m.b.n_segments;
    size_t n_w = count4(n_in, n_out, 1, 1);
    orr_real *x = in(c, 0), *w = in(c, 1), *bias = in(c, 2), *dy = in(c, 3), *dw[MAX_LEAVES],
             *db[MAX_LEAVES];
    orr_real *y = room(count4(m.b.n, n_out, 1, 1)), *dx = room(count4(m.b.n, n_in, 1, 1));
    int ok = 1;

    K->ops->linear_forward(K, &m.b, n_in, n_out, x, w, bias, y);
    K->ops->linear_backward_data(K, &m.b, n_in, n_out, dy, w, dx);
    for (int r = 0; r < segments; r++) {
        dw[r] = room(n_w);
        db[r] = room((size_t)n_out);
    }
    K->ops->linear_backward_params(K, &m.b, n_in, n_out, x, dy, dw, db);
    ok &= give(out, y, count4(m.b.n, n_out, 1, 1)) & give(out, dx, count4(m.b.n, n_in, 1, 1));
    for (int r = 0; r < segments; r++)
        ok &= give(out, dw[r], n_w) & give(out, db[r], (size_t)n_out);
    K->ops->free(K, x), K->ops->free(K, w), K->ops->free(K, bias), K->ops->free(K, dy);
    return ok;
}

static int conv(const test_case *c, FILE *out)
{
    batch_memory m;
    const int64_t *i = read_batch(c->i, &m);
    orr_conv_shape s = { (int)i[0],  (int)i[1],  (int)i[2],  (int)i[3],  (int)i[4],  (int)i[5],
                         (int)i[6],  (int)i[7],  (int)i[8],  (int)i[9],  (int)i[10], (int)i[11],
                         (int)i[12], (int)i[13], (int)i[14], (int)i[15], (int)i[16] };
    int leaf_sizes[MAX_LEAVES], ok = 1;
    orr_limits limits = { .max_samples = m.b.n,
                          .max_leaves = m.b.n_leaves,
                          .max_segments = m.b.n_segments,
                          .n_leaf_sizes = m.b.n_leaves,
                          .leaf_sizes = leaf_sizes,
                          .training = 1 };
    void *plan = NULL;

    for (int l = 0; l < m.b.n_leaves; l++)
        leaf_sizes[l] = m.leaf[l + 1] - m.leaf[l];
    if (K->ops->conv_plan(K, &plan, &s, &limits) != ORR_OK) return 0;
    size_t n_w = count4(s.k, s.r, s.s, s.c / s.groups);
    size_t n_x = count4(m.b.n, s.h, s.w, s.c), n_y = count4(m.b.n, s.ho, s.wo, s.k);
    orr_real *x = in(c, 0), *w = in(c, 1), *bias = in(c, 2), *dy = in(c, 3), *dw[MAX_LEAVES],
             *db[MAX_LEAVES];
    orr_real *y = room(n_y), *dx = room(n_x);
    K->ops->conv_forward(K, plan, &m.b, x, w, bias, y);
    K->ops->conv_backward_data(K, plan, &m.b, dy, w, dx);
    for (int r = 0; r < m.b.n_segments; r++) {
        dw[r] = room(n_w);
        db[r] = room((size_t)s.k);
    }
    K->ops->conv_backward_params(K, plan, &m.b, x, dy, dw, db);
    ok &= give(out, y, n_y) & give(out, dx, n_x);
    for (int r = 0; r < m.b.n_segments; r++)
        ok &= give(out, dw[r], n_w) & give(out, db[r], (size_t)s.k);
    K->ops->conv_unplan(K, plan);
    K->ops->free(K, x), K->ops->free(K, w), K->ops->free(K, bias), K->ops->free(K, dy);
    return ok;
}

static int pool(const test_case *c, FILE *out, int is_max)
{
    const int64_t *i = c->i;
    int n = (int)i[0];
    orr_pool_shape s = { (int)i[1], (int)i[2], (int)i[3], (int)i[4],  (int)i[5],  (int)i[6],
                         (int)i[7], (int)i[8], (int)i[9], (int)i[10], (int)i[11], (int)i[12] };
    size_t n_x = count4(n, s.h, s.w, s.c), n_y = count4(n, s.ho, s.wo, s.c);
    orr_real *x = in(c, 0), *dy = in(c, 1), *y = room(n_y), *dx = room(n_x);

    if (is_max) {
        uint16_t *arg = K->ops->alloc(K, n_y * sizeof *arg);
        K->ops->max_pool_forward(K, n, &s, x, y, arg);
        K->ops->max_pool_backward(K, n, &s, dy, arg, dx);
        K->ops->free(K, arg);
    } else {
        K->ops->avg_pool_forward(K, n, &s, x, y);
        K->ops->avg_pool_backward(K, n, &s, dy, dx);
    }
    K->ops->free(K, x), K->ops->free(K, dy);
    return give(out, y, n_y) & give(out, dx, n_x);
}

/* y stays in a buffer of its own; backward gets what the row says that it reads. */
static int act(const test_case *c, FILE *out)
{
    static const orr_layer_kind *const kinds[] = { &orr_kind_relu,    &orr_kind_leaky_relu,
                                                   &orr_kind_elu,     &orr_kind_silu,
                                                   &orr_kind_sigmoid, &orr_kind_tanh };
    const orr_activation *a = kinds[c->i[0]]->activation;
    size_t n = (size_t)c->len[0];
    orr_real *x = in(c, 0), *dy = in(c, 1), *y = room(n), *dx = room(n);

    K->ops->act_forward(K, a, c->r[0], n, x, y);
    K->ops->act_backward(K, a, c->r[0], n, a->reads == ORR_READS_X ? x : y, dy, dx);
    K->ops->free(K, x), K->ops->free(K, dy);
    return give(out, y, n) & give(out, dx, n);
}

static int prelu(const test_case *c, FILE *out)
{
    batch_memory m;
    const int64_t *i = read_batch(c->i, &m);
    size_t rows = (size_t)i[0], n = (size_t)m.b.n * rows * (size_t)i[1];
    int ch = (int)i[1], shared = (int)i[2], width = shared ? 1 : ch, ok;
    orr_real *x = in(c, 0), *w = in(c, 1), *dy = in(c, 2), *y = room(n), *dx = room(n),
             *dw[MAX_LEAVES];
    orr_real *scratch = room(count4(m.b.n_leaves, ch, 1, 1));

    for (int r = 0; r < m.b.n_segments; r++)
        dw[r] = room((size_t)width);
    K->ops->prelu_forward(K, (size_t)m.b.n * rows, ch, shared, x, w, y);
    K->ops->prelu_backward(K, &m.b, rows, ch, shared, x, w, dy, dx, dw, scratch);
    ok = give(out, y, n) & give(out, dx, n);
    for (int r = 0; r < m.b.n_segments; r++)
        ok &= give(out, dw[r], (size_t)width);
    K->ops->free(K, x), K->ops->free(K, w), K->ops->free(K, dy), K->ops->free(K, scratch);
    return ok;
}

static int softmax(const test_case *c, FILE *out)
{
    size_t rows = (size_t)c->i[0], n = (size_t)c->len[0];
    int ch = (int)c->i[1];
    orr_real *x = in(c, 0), *dy = in(c, 1), *y = room(n), *dx = room(n);

    K->ops->softmax_forward(K, rows, ch, x, y);
    K->ops->softmax_backward(K, rows, ch, y, dy, dx);
    K->ops->free(K, x), K->ops->free(K, dy);
    return give(out, y, n) & give(out, dx, n);
}

/* Batch norm in training mode put together from its pieces: y, dx, dgamma, dbeta, mean, variance.
 */
static int norm(const test_case *c, FILE *out)
{
    size_t rows = (size_t)c->i[0], n = (size_t)c->len[0], n_c = (size_t)c->i[1];
    int ch = (int)c->i[1], ok;
    orr_real *x = in(c, 0), *gamma = in(c, 1), *beta = in(c, 2), *dy = in(c, 3), *y = room(n),
             *dx = room(n);
    orr_real *mean = room(n_c), *inv = room(n_c), *mean_dy = room(n_c), *mean_dyx = room(n_c);
    double *m = orr_alloc(4 * n_c, sizeof *m), *m2 = m + n_c, *sum_dy = m2 + n_c,
           *sum_dyx = sum_dy + n_c;

    K->ops->norm_moments(K, rows, ch, x, m, m2);
    for (size_t j = 0; j < n_c; j++) {
        mean[j] = (orr_real)m[j];
        m2[j] /= (double)rows;
        inv[j] = (orr_real)(1 / sqrt(m2[j] + c->r[0]));
    }
    K->ops->norm_forward(K, rows, ch, x, mean, inv, gamma, beta, y);
    K->ops->norm_backward_sums(K, rows, ch, x, mean, inv, dy, sum_dy, sum_dyx);
    for (size_t j = 0; j < n_c; j++) {
        mean_dy[j] = (orr_real)(sum_dy[j] / (double)rows);
        mean_dyx[j] = (orr_real)(sum_dyx[j] / (double)rows);
    }
    K->ops->norm_backward_data(K, rows, ch, x, mean, inv, gamma, mean_dy, mean_dyx, dy, dx);
    ok = give(out, y, n) & give(out, dx, n);
    ok &= case_write(out, sum_dyx, n_c) & case_write(out, sum_dy, n_c);
    ok &= case_write(out, m, n_c) & case_write(out, m2, n_c);
    orr_free(m);
    K->ops->free(K, x), K->ops->free(K, gamma), K->ops->free(K, beta), K->ops->free(K, dy);
    K->ops->free(K, mean), K->ops->free(K, inv), K->ops->free(K, mean_dy),
        K->ops->free(K, mean_dyx);
    return ok;
}

static int answer(const test_case *c, FILE *out)
{
    switch (c->op[0]) {
    case 'l':
        return linear(c, out);
    case 'c':
        return conv(c, out);
    case 'm':
        return pool(c, out, 1);
    case 'v': /* avg_pool */
        return pool(c, out, 0);
    case 'a':
        return act(c, out);
    case 'p':
        return prelu(c, out);
    case 's':
        return softmax(c, out);
    case 'n':
        return norm(c, out);
    default:
        orr_fail(ORR_ERR_ARG, "unknown op");
        return 0;
    }
}

int main(int argc, char **argv)
{
    if (argc < 4 || orr_backend_create(&K, argv[3]) != ORR_OK) {
        fprintf(stderr, "usage: %s CASES ANSWERS TABLE: %s\n", argv[0], orr_error_text());
        return 2;
    }
    return case_main(argc, argv, answer);
}
