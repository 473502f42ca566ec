/* nn/kernels/cpu/onednn.c - the one file that knows oneDNN's API (2.x; 3.x renames it). */
#include "nn/kernels/cpu/onednn.h"

#include "core/memory.h"

#include <dnnl.h>
#include <math.h>
#include <omp.h>
#include <string.h>

/* What one thread passes to a primitive. */
typedef struct slot {
    dnnl_memory_t x, w, y, scratch;
    void *scratch_bytes;
} slot;

/* A primitive planned for one thread, and the arguments of every thread. */
typedef struct job {
    int samples;
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t w_desc; /* weights as the primitive wants them */
    slot *slots;               /* [threads] */
} job;

/* A reorder between our weights [k][r][s][c] and a primitive's. */
typedef struct reorder {
    dnnl_primitive_t primitive;
    slot *slots; /* x: from, y: to */
} reorder;

struct orr_dnnl_conv {
    orr_conv_shape s;
    int threads, n_weights; /* leaf sizes */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_memory_desc_t plain;
    job forward, data, *weights;
    reorder pack_forward, pack_data, *unpack;
    dnnl_memory_t bias;
    float *no_bias, *packed; /* packed: one a thread, of packed_bytes */
    size_t packed_bytes;
};

#define TRY_DNNL(CALL)                                                                             \
    do {                                                                                           \
        dnnl_status_t dnnl_ = (CALL);                                                              \
        if (dnnl_ != dnnl_success)                                                                 \
            return orr_fail(dnnl_ == dnnl_out_of_memory ? ORR_ERR_NOMEM : ORR_ERR_UNSUPPORTED,     \
                            "convolution: oneDNN refused with status %d", (int)dnnl_);             \
    } while (0)

static orr_status nhwc(dnnl_memory_desc_t *md, int n, int h, int w, int c)
{
    const dnnl_dims_t dims = { n, c, h, w };

    TRY_DNNL(dnnl_memory_desc_init_by_tag(md, 4, dims, dnnl_f32, dnnl_nhwc));
    return ORR_OK;
}

static orr_status slots_create(const orr_dnnl_conv *p, slot **out, const dnnl_memory_desc_t *x,
                               const dnnl_memory_desc_t *w, const dnnl_memory_desc_t *y,
                               const dnnl_memory_desc_t *scratch)
{
    slot *s = orr_alloc((size_t)p->threads, sizeof *s);

    *out = s;
    if (!s) return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for %d threads", p->threads);
    for (int t = 0; t < p->threads; t++) {
        size_t bytes = dnnl_memory_desc_get_size(scratch);
        TRY_DNNL(dnnl_memory_create(&s[t].x, x, p->engine, DNNL_MEMORY_NONE));
        if (w) TRY_DNNL(dnnl_memory_create(&s[t].w, w, p->engine, DNNL_MEMORY_NONE));
        TRY_DNNL(dnnl_memory_create(&s[t].y, y, p->engine, DNNL_MEMORY_NONE));
        if (bytes == 0) continue;
        if (!(s[t].scratch_bytes = orr_alloc(bytes, 1)))
            return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for %zu bytes of scratch",
                            bytes);
        TRY_DNNL(dnnl_memory_create(&s[t].scratch, scratch, p->engine, s[t].scratch_bytes));
    }
    return ORR_OK;
}

static void slots_destroy(const orr_dnnl_conv *p, slot *s)
{
    for (int t = 0; s && t < p->threads; t++) {
        if (s[t].x) dnnl_memory_destroy(s[t].x);
        if (s[t].w) dnnl_memory_destroy(s[t].w);
        if (s[t].y) dnnl_memory_destroy(s[t].y);
        if (s[t].scratch) dnnl_memory_destroy(s[t].scratch);
        orr_free(s[t].scratch_bytes);
    }
    orr_free(s);
}

static orr_status primitive_attr(dnnl_primitive_attr_t *attr)
{
    TRY_DNNL(dnnl_primitive_attr_create(attr));
    TRY_DNNL(dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user));
    return ORR_OK;
}

/* The descriptor of a pass over n samples; hint as the library wants it for the gradients. */
static orr_status describe(const orr_dnnl_conv *p, dnnl_primitive_desc_t *pd, dnnl_prop_kind_t kind,
                           int n, dnnl_primitive_desc_t hint)
{
    const orr_conv_shape *s = &p->s;
    const dnnl_dims_t w_dims = { s->k, s->c, s->r, s->s }, b_dims = { s->k },
                      stride = { s->stride_h, s->stride_w },
                      dilate = { s->dilation_h - 1, s->dilation_w - 1 },
                      before = { s->pad_top, s->pad_left };
    /* What the output uses of the right and bottom padding; the library insists on the exact sum.
     */
    const dnnl_dims_t after = {
        (s->ho - 1) * s->stride_h + (s->r - 1) * s->dilation_h + 1 - s->h - s->pad_top,
        (s->wo - 1) * s->stride_w + (s->s - 1) * s->dilation_w + 1 - s->w - s->pad_left
    };
    const dnnl_alg_kind_t alg = dnnl_convolution_direct;
    dnnl_memory_desc_t x, w, b, y;
    dnnl_convolution_desc_t cd;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t st;

    ORR_TRY(nhwc(&x, n, s->h, s->w, s->c));
    ORR_TRY(nhwc(&y, n, s->ho, s->wo, s->k));
    TRY_DNNL(dnnl_memory_desc_init_by_tag(&w, 4, w_dims, dnnl_f32, dnnl_format_tag_any));
    TRY_DNNL(dnnl_memory_desc_init_by_tag(&b, 1, b_dims, dnnl_f32, dnnl_a));
    if (kind == dnnl_backward_data)
        st = dnnl_dilated_convolution_backward_data_desc_init(&cd, alg, &x, &w, &y, stride, dilate,
                                                              before, after);
    else if (kind == dnnl_backward_weights)
        st = dnnl_dilated_convolution_backward_weights_desc_init(&cd, alg, &x, &w, NULL, &y, stride,
                                                                 dilate, before, after);
    else
        st = dnnl_dilated_convolution_forward_desc_init(&cd, kind, alg, &x, &w, &b, &y, stride,
                                                        dilate, before, after);
    TRY_DNNL(st);
    ORR_TRY(primitive_attr(&attr));
    st = dnnl_primitive_desc_create(pd, &cd, attr, p->engine, hint);
    dnnl_primitive_attr_destroy(attr);
    TRY_DNNL(st);
    return ORR_OK;
}

/* The library's plain loops ("ref", and products of unfolded images) are slower than ours. */
static orr_status refuse_reference(const_dnnl_primitive_desc_t pd)
{
    const char *name = "";

    TRY_DNNL(dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name));
    if (strstr(name, "ref"))
        return orr_fail(ORR_ERR_UNSUPPORTED, "convolution: oneDNN has only %s for it", name);
    return ORR_OK;
}

static orr_status job_create(const orr_dnnl_conv *p, job *j, dnnl_prop_kind_t kind, int n,
                             dnnl_primitive_desc_t hint)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_memory_desc_t x, y;
    dnnl_status_t made = dnnl_success;
    orr_status st = ORR_OK;

    j->samples = n;
    ORR_TRY(nhwc(&x, n, p->s.h, p->s.w, p->s.c));
    ORR_TRY(nhwc(&y, n, p->s.ho, p->s.wo, p->s.k));
    ORR_TRY(describe(p, &pd, kind, n, hint));
    st = refuse_reference(pd);
    if (st == ORR_OK) made = dnnl_primitive_create(&j->primitive, pd);
    j->w_desc = *dnnl_primitive_desc_query_md(
        pd, kind == dnnl_backward_weights ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    if (st == ORR_OK && made == dnnl_success)
        st = slots_create(p, &j->slots, &x, &j->w_desc, &y,
                          dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
    dnnl_primitive_desc_destroy(pd);
    TRY_DNNL(made);
    return st;
}

static orr_status reorder_create(orr_dnnl_conv *p, reorder *r, const dnnl_memory_desc_t *from,
                                 const dnnl_memory_desc_t *to)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t made;
    orr_status st = ORR_OK;

    ORR_TRY(primitive_attr(&attr));
    made = dnnl_reorder_primitive_desc_create(&pd, from, p->engine, to, p->engine, attr);
    dnnl_primitive_attr_destroy(attr);
    TRY_DNNL(made);
    made = dnnl_primitive_create(&r->primitive, pd);
    if (made == dnnl_success)
        st = slots_create(p, &r->slots, from, NULL, to,
                          dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
    dnnl_primitive_desc_destroy(pd);
    TRY_DNNL(made);
    return st;
}

static void need_packed(orr_dnnl_conv *p, const dnnl_memory_desc_t *md)
{
    size_t bytes = dnnl_memory_desc_get_size(md);

    if (bytes > p->packed_bytes) p->packed_bytes = (bytes + ORR_ALIGN - 1) / ORR_ALIGN * ORR_ALIGN;
}

static orr_status create_gradients(orr_dnnl_conv *p, const orr_limits *limits,
                                   dnnl_primitive_desc_t hint)
{
    ORR_TRY(job_create(p, &p->data, dnnl_backward_data, 1, hint));
    ORR_TRY(reorder_create(p, &p->pack_data, &p->plain, &p->data.w_desc));
    need_packed(p, &p->data.w_desc);
    p->weights = orr_alloc((size_t)limits->n_leaf_sizes, sizeof *p->weights);
    p->unpack = orr_alloc((size_t)limits->n_leaf_sizes, sizeof *p->unpack);
    if (!p->weights || !p->unpack)
        return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for plans");
    for (int i = 0; i < limits->n_leaf_sizes; i++) {
        if (limits->leaf_sizes[i] == 0) continue;
        job *j = &p->weights[p->n_weights++];
        ORR_TRY(job_create(p, j, dnnl_backward_weights, limits->leaf_sizes[i], hint));
        ORR_TRY(reorder_create(p, &p->unpack[p->n_weights - 1], &j->w_desc, &p->plain));
        need_packed(p, &j->w_desc);
    }
    return ORR_OK;
}

static orr_status create_all(orr_dnnl_conv *p, const orr_limits *limits)
{
    const orr_conv_shape *s = &p->s;
    const dnnl_dims_t w_dims = { s->k, s->c, s->r, s->s }, b_dims = { s->k };
    const dnnl_prop_kind_t kind = limits->training ? dnnl_forward_training : dnnl_forward_inference;
    dnnl_primitive_desc_t hint = NULL;
    dnnl_memory_desc_t b;
    orr_status st = ORR_OK;

    TRY_DNNL(dnnl_engine_create(&p->engine, dnnl_cpu, 0));
    TRY_DNNL(dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags));
    TRY_DNNL(dnnl_memory_desc_init_by_tag(&p->plain, 4, w_dims, dnnl_f32, dnnl_ohwi));
    TRY_DNNL(dnnl_memory_desc_init_by_tag(&b, 1, b_dims, dnnl_f32, dnnl_a));
    TRY_DNNL(dnnl_memory_create(&p->bias, &b, p->engine, DNNL_MEMORY_NONE));
    if (!(p->no_bias = orr_alloc((size_t)s->k, sizeof *p->no_bias)))
        return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for a bias");
    ORR_TRY(job_create(p, &p->forward, kind, 1, NULL));
    ORR_TRY(reorder_create(p, &p->pack_forward, &p->plain, &p->forward.w_desc));
    need_packed(p, &p->forward.w_desc);
    if (limits->training) {
        ORR_TRY(describe(p, &hint, kind, 1, NULL));
        st = create_gradients(p, limits, hint);
        dnnl_primitive_desc_destroy(hint);
        ORR_TRY(st);
    }
    if (!(p->packed = orr_alloc((size_t)p->threads, p->packed_bytes)))
        return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for %zu bytes of weights",
                        p->packed_bytes);
    return ORR_OK;
}

orr_status orr_dnnl_conv_create(orr_dnnl_conv **out, const orr_conv_shape *s,
                                const orr_limits *limits, int threads)
{
    orr_dnnl_conv *p = orr_alloc(1, sizeof *p);
    orr_status st = ORR_OK;

    *out = NULL;
    if (!p) return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for a plan");
    p->s = *s;
    p->threads = threads;
    omp_set_num_threads(1); /* the library plans for the pool it finds */
    st = create_all(p, limits);
    omp_set_num_threads(threads);
    if (st == ORR_OK)
        *out = p;
    else
        orr_dnnl_conv_destroy(p);
    return st;
}

static void job_destroy(const orr_dnnl_conv *p, job *j)
{
    if (j->primitive) dnnl_primitive_destroy(j->primitive);
    slots_destroy(p, j->slots);
}

static void reorder_destroy(const orr_dnnl_conv *p, reorder *r)
{
    if (r->primitive) dnnl_primitive_destroy(r->primitive);
    slots_destroy(p, r->slots);
}

void orr_dnnl_conv_destroy(orr_dnnl_conv *p)
{
    if (!p) return;
    job_destroy(p, &p->forward);
    job_destroy(p, &p->data);
    reorder_destroy(p, &p->pack_forward);
    reorder_destroy(p, &p->pack_data);
    for (int i = 0; i < p->n_weights; i++) {
        job_destroy(p, &p->weights[i]);
        reorder_destroy(p, &p->unpack[i]);
    }
    if (p->bias) dnnl_memory_destroy(p->bias);
    if (p->stream) dnnl_stream_destroy(p->stream);
    if (p->engine) dnnl_engine_destroy(p->engine);
    orr_free(p->weights);
    orr_free(p->unpack);
    orr_free(p->no_bias);
    orr_free(p->packed);
    orr_free(p);
}

/* The library reads the gradients' inputs through pointers that its API does not call const. */
static void set(dnnl_memory_t m, const void *p)
{
    dnnl_memory_set_data_handle(m, (void *)(uintptr_t)p);
}

static void run_reorder(const orr_dnnl_conv *p, const reorder *r, int t, const float *from,
                        float *to)
{
    const slot *s = &r->slots[t];
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, s->x },
                                     { DNNL_ARG_TO, s->y },
                                     { DNNL_ARG_SCRATCHPAD, s->scratch } };

    set(s->x, from);
    set(s->y, to);
    dnnl_primitive_execute(r->primitive, p->stream, s->scratch ? 3 : 2, args);
}

void orr_dnnl_conv_forward(orr_dnnl_conv *p, int n, const float *x, const float *w,
                           const float *bias, float *y)
{
    const size_t in = (size_t)p->s.h * p->s.w * p->s.c, out = (size_t)p->s.ho * p->s.wo * p->s.k;

    run_reorder(p, &p->pack_forward, 0, w, p->packed);
    set(p->bias, bias ? bias : p->no_bias);
#pragma omp parallel num_threads(p->threads) if (n > 1)
    {
        const slot *s = &p->forward.slots[omp_get_thread_num()];
        const dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, s->x },
                                         { DNNL_ARG_WEIGHTS, s->w },
                                         { DNNL_ARG_BIAS, p->bias },
                                         { DNNL_ARG_DST, s->y },
                                         { DNNL_ARG_SCRATCHPAD, s->scratch } };
        omp_set_num_threads(1);
        set(s->w, p->packed);
#pragma omp for schedule(static)
        for (int i = 0; i < n; i++) {
            set(s->x, x + i * in);
            set(s->y, y + i * out);
            dnnl_primitive_execute(p->forward.primitive, p->stream, s->scratch ? 5 : 4, args);
        }
    }
}

void orr_dnnl_conv_backward_data(orr_dnnl_conv *p, int n, const float *dy, const float *w,
                                 float *dx)
{
    const size_t in = (size_t)p->s.h * p->s.w * p->s.c, out = (size_t)p->s.ho * p->s.wo * p->s.k;

    run_reorder(p, &p->pack_data, 0, w, p->packed);
#pragma omp parallel num_threads(p->threads) if (n > 1)
    {
        const slot *s = &p->data.slots[omp_get_thread_num()];
        const dnnl_exec_arg_t args[] = { { DNNL_ARG_DIFF_SRC, s->x },
                                         { DNNL_ARG_WEIGHTS, s->w },
                                         { DNNL_ARG_DIFF_DST, s->y },
                                         { DNNL_ARG_SCRATCHPAD, s->scratch } };
        omp_set_num_threads(1);
        set(s->w, p->packed);
#pragma omp for schedule(static)
        for (int i = 0; i < n; i++) {
            set(s->x, dx + i * in);
            set(s->y, dy + i * out);
            dnnl_primitive_execute(p->data.primitive, p->stream, s->scratch ? 4 : 3, args);
        }
    }
}

/* One leaf of a planned size; a size nobody planned shows as NaN rather than as a wrong sum. */
static void leaf_weights(orr_dnnl_conv *p, int t, int samples, const float *x, const float *dy,
                         float *out)
{
    const size_t size = (size_t)p->s.k * p->s.r * p->s.s * p->s.c;
    float *packed = p->packed + t * (p->packed_bytes / sizeof *packed);
    int i = 0;

    while (i < p->n_weights && p->weights[i].samples != samples)
        i++;
    if (samples == 0 || i == p->n_weights) {
        for (size_t e = 0; e < size; e++)
            out[e] = samples ? NAN : 0.0f;
        return;
    }
    const slot *s = &p->weights[i].slots[t];
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, s->x },
                                     { DNNL_ARG_DIFF_WEIGHTS, s->w },
                                     { DNNL_ARG_DIFF_DST, s->y },
                                     { DNNL_ARG_SCRATCHPAD, s->scratch } };
    set(s->x, x);
    set(s->w, packed);
    set(s->y, dy);
    dnnl_primitive_execute(p->weights[i].primitive, p->stream, s->scratch ? 4 : 3, args);
    run_reorder(p, &p->unpack[i], t, packed, out);
}

void orr_dnnl_conv_backward_weights(orr_dnnl_conv *p, const orr_batch *b, const float *x,
                                    const float *dy, float *out)
{
    const size_t in = (size_t)p->s.h * p->s.w * p->s.c, grad = (size_t)p->s.ho * p->s.wo * p->s.k;
    const size_t size = (size_t)p->s.k * p->s.r * p->s.s * p->s.c;

#pragma omp parallel num_threads(p->threads) if (b->n_leaves > 1)
    {
        omp_set_num_threads(1);
#pragma omp for schedule(dynamic)
        for (int l = 0; l < b->n_leaves; l++)
            leaf_weights(p, omp_get_thread_num(), b->leaf[l + 1] - b->leaf[l], x + b->leaf[l] * in,
                         dy + b->leaf[l] * grad, out + l * size);
    }
}
