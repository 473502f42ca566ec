/* tests/nn/kernel_cases.c - see kernel_cases.h. */
#include "kernel_cases.h"

#include "core/memory.h"
#include "core/rng.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

orr_backend check_backend = { .ops = &orr_backend_check };
orr_backend cpu_backend = { .ops = &orr_backend_cpu };
orr_backend bf16_backend = { .ops = &orr_backend_cpu_bf16 };

const test_batch batches[N_BATCHES] = {
    { 1, { 5 }, 1, { 0, 1 } },
    { 7, { 0, 3, 2, 0, 4, 1, 2 }, 3, { 0, 4, 6, 7 } },
    { 8, { 3, 3, 3, 3, 3, 3, 3, 3 }, 1, { 0, 8 } },
    { 11, { 1, 2, 3, 0, 1, 2, 3, 1, 2, 13, 0 }, 2, { 0, 8, 11 } },
};

static const int leaf_sizes[] = { 0, 1, 2, 3, 4, 5, 13 };
const orr_limits limits = { .max_samples = MAX_SAMPLES,
                            .max_leaves = MAX_TEST_LEAVES,
                            .max_segments = 4,
                            .n_leaf_sizes = 7,
                            .leaf_sizes = leaf_sizes,
                            .training = 1 };

const orr_batch *make_batch(batch_memory *m, const test_batch *t)
{
    m->leaf[0] = 0;
    for (int i = 0; i < t->n_leaves; i++)
        m->leaf[i + 1] = m->leaf[i] + t->sizes[i];
    for (int i = 0; i < MAX_SAMPLES; i++)
        m->keys[i] = 77u + (uint64_t)i * 1000003u;
    m->b = (orr_batch){ .n = m->leaf[t->n_leaves],
                        .n_leaves = t->n_leaves,
                        .leaf = m->leaf,
                        .n_segments = t->n_segments,
                        .segment = t->segments,
                        .n_global = m->leaf[t->n_leaves],
                        .keys = m->keys };
    return &m->b;
}

float *floats(size_t n, uint64_t seed)
{
    orr_rng r = orr_rng_stream(orr_rng_key(5, ORR_RNG_TEST, seed, 0, 0));
    float *x = orr_alloc(n + 16, sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; seed && i < n; i++)
        x[i] = 2.0f * orr_rng_unit(orr_rng_u32(&r)) - 1.0f;
    return x;
}

/* Room for a sum of `terms` products of numbers below 1: six standard errors of its rounding, and
 * the last places. */
double room(double terms)
{
    return 1.2e-7 * (8 + 0.6 * terms);
}

void near(const char *what, size_t n, const float *got, const float *want, double tol)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= tol))
            fail_msg("%s: element %zu of %zu is %.9g, the oracle says %.9g (room %.2g)", what, i, n,
                     (double)got[i], (double)want[i], tol);
}

void same(const char *what, size_t n, const float *got, const float *want)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof *got) != 0)
            fail_msg("%s: element %zu of %zu is %.9g, expected the bits of %.9g", what, i, n,
                     (double)got[i], (double)want[i]);
}

result new_result(const weighted *l)
{
    result r = { .y = floats(MAX_SAMPLES * l->n_y, 0), .dx = floats(MAX_SAMPLES * l->n_x, 0) };

    for (int i = 0; i < 4; i++) {
        r.dw[i] = floats(l->n_w, 0);
        r.db[i] = floats(l->n_b, 0);
        memset(r.dw[i], 0xff, l->n_w * sizeof(float)); /* NaN: whatever is not written shows */
        memset(r.db[i], 0xff, l->n_b * sizeof(float));
    }
    memset(r.y, 0xff, MAX_SAMPLES * l->n_y * sizeof(float));
    memset(r.dx, 0xff, MAX_SAMPLES * l->n_x * sizeof(float));
    return r;
}

void free_result(result *r)
{
    orr_free(r->y);
    orr_free(r->dx);
    for (int i = 0; i < 4; i++) {
        orr_free(r->dw[i]);
        orr_free(r->db[i]);
    }
}

void run_layer(orr_backend *be, const weighted *l, const orr_batch *b, const inputs *in,
               int with_bias, result *r)
{
    const float *bias = with_bias ? in->bias : NULL;
    float *const *db = with_bias ? r->db : NULL;
    void *plan;

    if (!l->conv) {
        be->ops->linear_forward(be, b, l->in, l->out, in->x, in->w, bias, r->y);
        be->ops->linear_backward_data(be, b, l->in, l->out, in->dy, in->w, r->dx);
        be->ops->linear_backward_params(be, b, l->in, l->out, in->x, in->dy, r->dw, db);
        return;
    }
    assert_int_equal(be->ops->conv_plan(be, &plan, l->conv, &limits), ORR_OK);
    int64_t allocations = orr_alloc_count();
    be->ops->conv_forward(be, plan, b, in->x, in->w, bias, r->y);
    be->ops->conv_backward_data(be, plan, b, in->dy, in->w, r->dx);
    be->ops->conv_backward_params(be, plan, b, in->x, in->dy, r->dw, db);
    if (be != &check_backend) assert_int_equal(orr_alloc_count(), allocations);
    be->ops->conv_unplan(be, plan);
}

/* Every leaf by itself gives the same bits, and the tree over the leaves' gradients the segment's.
 */
void check_leaves(orr_backend *be, const char *name, const weighted *l, const orr_batch *b,
                  const inputs *in, const result *all)
{
    const int one_segment[2] = { 0, 1 };
    float *dw = floats(MAX_TEST_LEAVES * l->n_w, 0), *db = floats(MAX_TEST_LEAVES * l->n_b, 0);
    result r = new_result(l);

    for (int i = 0; i < b->n_leaves; i++) {
        size_t s = (size_t)b->leaf[i];
        int n = b->leaf[i + 1] - b->leaf[i], leaf[2] = { 0, n };
        orr_batch one = { .n = n,
                          .n_leaves = 1,
                          .leaf = leaf,
                          .n_segments = 1,
                          .segment = one_segment,
                          .n_global = b->n };
        inputs part = { in->x + s * l->n_x, in->w, in->bias, in->dy + s * l->n_y };
        run_layer(be, l, &one, &part, 1, &r);
        same(name, (size_t)n * l->n_y, r.y, all->y + s * l->n_y);
        same(name, (size_t)n * l->n_x, r.dx, all->dx + s * l->n_x);
        memcpy(dw + i * l->n_w, r.dw[0], l->n_w * sizeof *dw);
        memcpy(db + i * l->n_b, r.db[0], l->n_b * sizeof *db);
    }
    for (int i = 0; i < b->n_segments; i++) {
        int m = b->segment[i + 1] - b->segment[i];
        orr_leaf_sum_f32(r.dw[0], dw + b->segment[i] * l->n_w, l->n_w, m, l->n_w);
        orr_leaf_sum_f32(r.db[0], db + b->segment[i] * l->n_b, l->n_b, m, l->n_b);
        same(name, l->n_w, all->dw[i], r.dw[0]);
        same(name, l->n_b, all->db[i], r.db[0]);
    }
    free_result(&r);
    orr_free(dw);
    orr_free(db);
}

void compare(const char *name, const weighted *l, const orr_batch *b, const result *got,
             const result *want, const double tol[3])
{
    near(name, (size_t)b->n * l->n_y, got->y, want->y, tol[0]);
    near(name, (size_t)b->n * l->n_x, got->dx, want->dx, tol[1]);
    for (int i = 0; i < b->n_segments; i++) {
        near(name, l->n_w, got->dw[i], want->dw[i], tol[2]);
        near(name, l->n_b, got->db[i], want->db[i], tol[2]);
    }
}

void identical(const char *name, const weighted *l, const orr_batch *b, const result *got,
               const result *want)
{
    same(name, (size_t)b->n * l->n_y, got->y, want->y);
    same(name, (size_t)b->n * l->n_x, got->dx, want->dx);
    for (int i = 0; i < b->n_segments; i++) {
        same(name, l->n_w, got->dw[i], want->dw[i]);
        same(name, l->n_b, got->db[i], want->db[i]);
    }
}

/* tol: forward, data gradient, parameter gradient */
void exercise(orr_backend *be, const char *name, const weighted *l, const double tol[3])
{
    inputs in = { floats(MAX_SAMPLES * l->n_x, 1), floats(l->n_w, 2), floats(l->n_b, 3),
                  floats(MAX_SAMPLES * l->n_y, 4) };

    for (int i = 0; i < N_BATCHES; i++) {
        batch_memory m;
        const orr_batch *b = make_batch(&m, &batches[i]);
        result check = new_result(l), one = new_result(l), two = new_result(l);
        omp_set_num_threads(1);
        run_layer(&check_backend, l, b, &in, 1, &check);
        run_layer(be, l, b, &in, 1, &one);
        compare(name, l, b, &one, &check, tol);
        omp_set_num_threads(2);
        run_layer(be, l, b, &in, 1, &two);
        assert_int_equal(omp_get_max_threads(), 2);
        identical(name, l, b, &two, &one);
        check_leaves(be, name, l, b, &in, &one);
        if (i == 0) { /* without a bias */
            run_layer(&check_backend, l, b, &in, 0, &check);
            run_layer(be, l, b, &in, 0, &two);
            near(name, (size_t)b->n * l->n_y, two.y, check.y, tol[0]);
        }
        free_result(&check);
        free_result(&one);
        free_result(&two);
    }
    orr_free(in.x);
    orr_free(in.w);
    orr_free(in.bias);
    orr_free(in.dy);
}

const conv_case conv_cases[] = {
    { 1, 50, 2, 6, 1, 3, 1, 1, 1, 1, { 0 }, 1 },
    { 1, 211, 6, 16, 1, 3, 1, 1, 1, 1, { 0 }, 1 },
    { 1, 1400, 2, 6, 1, 3, 1, 1, 1, 1, { 0 }, 1 },
    { 1, 37, 2, 8, 1, 3, 1, 1, 1, 1, { 0, 1, 0, 1 }, 1 },
    { 1, 40, 16, 32, 1, 3, 1, 1, 1, 1, { 0 }, 1 },
    { 1, 1, 3, 5, 1, 1, 1, 1, 1, 1, { 0 }, 1 },
    { 12, 13, 1, 32, 3, 3, 1, 1, 1, 1, { 0 }, 1 },
    { 14, 14, 1, 3, 3, 3, 1, 1, 1, 1, { 1, 1, 1, 1 }, 1 },
    { 9, 11, 3, 17, 5, 3, 2, 3, 1, 1, { 2, 0, 1, 1 }, 1 },
    { 16, 16, 17, 8, 3, 3, 1, 1, 1, 1, { 1, 1, 1, 1 }, 1 },
    { 15, 12, 8, 2, 3, 3, 1, 1, 2, 3, { 2, 3, 2, 3 }, 1 },
    { 8, 8, 6, 6, 3, 3, 2, 2, 1, 1, { 0, 0, 1, 1 }, 6 },
    { 7, 9, 12, 6, 3, 2, 1, 1, 1, 1, { 3, 2, 0, 1 }, 3 },
    { 7, 7, 34, 68, 3, 3, 1, 2, 1, 1, { 1, 1, 1, 1 }, 2 },
    { 6, 6, 3, 4, 1, 1, 1, 1, 1, 1, { 1, 1, 1, 1 }, 1 },
    { 6, 6, 64, 64, 1, 1, 2, 2, 1, 1, { 0 }, 1 },
    { 9, 9, 32, 64, 3, 3, 1, 1, 1, 1, { 0 }, 1 },
    { 8, 8, 64, 64, 3, 3, 1, 1, 1, 1, { 1, 1, 1, 1 }, 1 },
    { 9, 8, 64, 48, 3, 3, 2, 2, 1, 1, { 0, 1, 1, 0 }, 1 },
    { 8, 8, 33, 65, 3, 3, 1, 1, 2, 2, { 2, 2, 2, 2 }, 1 },
    { 5, 5, 40, 16, 3, 3, 1, 1, 1, 1, { 1, 1, 1, 1 }, 1 },
    { 35, 30, 16, 6, 3, 3, 1, 1, 1, 1, { 1, 1, 1, 1 }, 1 }, /* a sample in two blocks of rows */
    { 33, 32, 5, 9, 5, 5, 1, 1, 1, 1, { 2, 2, 2, 2 }, 1 },  /* rows of taps as channels ... */
    { 20, 21, 6, 10, 3, 4, 2, 2, 1, 1, { 1, 2, 1, 0 }, 1 }, /* ... strided */
    { 14, 9, 100, 21, 2, 3, 2, 1, 2, 1, { 1, 0, 2, 3 }, 1 },
    { 4, 4, 240, 3, 1, 1, 1, 1, 1, 1, { 0 }, 1 },
    { 9, 9, 5, 16, 5, 5, 1, 1, 1, 1, { 2, 2, 2, 2 }, 1 },
};

orr_conv_shape shape_of(const conv_case *c)
{
    orr_conv_shape s = { .h = c->h,
                         .w = c->w,
                         .c = c->c,
                         .k = c->k,
                         .r = c->r,
                         .s = c->s,
                         .stride_h = c->stride_h,
                         .stride_w = c->stride_w,
                         .dilation_h = c->dil_h,
                         .dilation_w = c->dil_w,
                         .pad_top = c->pad[0],
                         .pad_left = c->pad[1],
                         .pad_bottom = c->pad[2],
                         .pad_right = c->pad[3],
                         .groups = c->groups };

    s.ho = (s.h + s.pad_top + s.pad_bottom - (s.r - 1) * s.dilation_h - 1) / s.stride_h + 1;
    s.wo = (s.w + s.pad_left + s.pad_right - (s.s - 1) * s.dilation_w - 1) / s.stride_w + 1;
    return s;
}

int conv_case_runs(const orr_conv_shape *s)
{
#ifdef __SANITIZE_ADDRESS__
    return (double)s->ho * s->wo * s->k * s->r * s->s * s->c / s->groups < 4e5;
#else
    (void)s;
    return 1;
#endif
}

const int n_conv_cases = sizeof conv_cases / sizeof *conv_cases;

weighted weighted_of(const orr_conv_shape *s)
{
    return (weighted){ .conv = s,
                       .n_x = (size_t)s->h * s->w * s->c,
                       .n_y = (size_t)s->ho * s->wo * s->k,
                       .n_w = (size_t)s->k * s->r * s->s * (s->c / s->groups),
                       .n_b = (size_t)s->k };
}

void conv_text(const orr_conv_shape *s, char *out, size_t size)
{
    snprintf(out, size, "conv %dx%dx%d -> %dx%dx%d, %dx%d, groups %d", s->h, s->w, s->c, s->ho,
             s->wo, s->k, s->r, s->s, s->groups);
}

void conv_room(const orr_conv_shape *s, double tol[3])
{
    const double taps = (double)s->r * s->s;

    tol[0] = room(taps * s->c / s->groups);
    tol[1] = room(taps * s->k / s->groups);
    tol[2] = room(13.0 * s->ho * s->wo);
}

void conv_table(orr_backend *be)
{
    for (size_t i = 0; i < (size_t)n_conv_cases; i++) {
        orr_conv_shape s = shape_of(&conv_cases[i]);
        const weighted l = weighted_of(&s);
        char name[96];
        double tol[3];
        if (!conv_case_runs(&s)) continue;
        conv_text(&s, name, sizeof name);
        conv_room(&s, tol);
        exercise(be, name, &l, tol);
    }
}
