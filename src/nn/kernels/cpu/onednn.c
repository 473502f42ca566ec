/* nn/kernels/cpu/onednn.c - the one file that knows oneDNN's API (2.x; 3.x renames it). */
#include "nn/kernels/cpu/onednn.h"

#include "core/memory.h"
#include "core/threads.h"
#include "nn/kernels/cpu/bf16.h"

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
    int bf16, threads, n_weights; /* leaf sizes */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_memory_desc_t plain;
    orr_conv_shape
        turned;      /* the data gradient as a convolution of dy; h = 0: as the library's own */
    float *reversed; /* its weights */
    job forward, data, *weights;
    reorder pack_forward, pack_data, unpack;
    dnnl_memory_t bias;
    float *no_bias;
    void *packed;        /* weights as a primitive wants them */
    size_t packed_bytes; /* of the largest */
    float *sums;         /* [max_leaves][sum_floats]: gradients as the primitive lays them out */
    size_t sum_floats;
    uint16_t *half; /* bf16: [threads][half_elements], the inputs of a sample or a leaf */
    size_t half_elements;
};

#define TRY_DNNL(CALL)                                                                             \
    do {                                                                                           \
        dnnl_status_t dnnl_ = (CALL);                                                              \
        if (dnnl_ != dnnl_success)                                                                 \
            return orr_fail(dnnl_ == dnnl_out_of_memory ? ORR_ERR_NOMEM : ORR_ERR_UNSUPPORTED,     \
                            "convolution: oneDNN refused with status %d", (int)dnnl_);             \
    } while (0)

/* A pass's input and output images; the weight gradient's inputs are both. */
static orr_status images(const orr_dnnl_conv *p, const orr_conv_shape *s, dnnl_prop_kind_t kind,
                         int n, dnnl_memory_desc_t *x, dnnl_memory_desc_t *y)
{
    const dnnl_data_type_t in = p->bf16 ? dnnl_bf16 : dnnl_f32;
    const dnnl_dims_t x_dims = { n, s->c, s->h, s->w }, y_dims = { n, s->k, s->ho, s->wo };

    TRY_DNNL(dnnl_memory_desc_init_by_tag(x, 4, x_dims, kind == dnnl_backward_data ? dnnl_f32 : in,
                                          dnnl_nhwc));
    TRY_DNNL(dnnl_memory_desc_init_by_tag(
        y, 4, y_dims, kind == dnnl_backward_data || kind == dnnl_backward_weights ? in : dnnl_f32,
        dnnl_nhwc));
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

/* The descriptor of a pass over n samples; layout of the weights, or NULL for the library's choice;
 * hint as it wants it for the gradients. */
static orr_status describe(const orr_dnnl_conv *p, const orr_conv_shape *s,
                           dnnl_primitive_desc_t *pd, dnnl_prop_kind_t kind, int n,
                           const dnnl_memory_desc_t *layout, dnnl_primitive_desc_t hint)
{
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

    ORR_TRY(images(p, s, kind, n, &x, &y));
    TRY_DNNL(dnnl_memory_desc_init_by_tag(
        &w, 4, w_dims, p->bf16 && kind != dnnl_backward_weights ? dnnl_bf16 : dnnl_f32,
        dnnl_format_tag_any));
    if (layout) w = *layout;
    TRY_DNNL(dnnl_memory_desc_init_by_tag(&b, 1, b_dims, dnnl_f32, dnnl_a));
    if (kind == dnnl_backward_data)
        st = dnnl_dilated_convolution_backward_data_desc_init(&cd, alg, &x, &w, &y, stride, dilate,
                                                              before, after);
    else if (kind == dnnl_backward_weights)
        st = dnnl_dilated_convolution_backward_weights_desc_init(&cd, alg, &x, &w, NULL, &y, stride,
                                                                 dilate, before, after);
    else
        st = dnnl_dilated_convolution_forward_desc_init(
            &cd, kind, alg, &x, &w, s == &p->turned ? NULL : &b, &y, stride, dilate, before, after);
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

static orr_status job_create(const orr_dnnl_conv *p, const orr_conv_shape *s, job *j,
                             dnnl_prop_kind_t kind, int n, const dnnl_memory_desc_t *layout,
                             dnnl_primitive_desc_t hint)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_memory_desc_t x, y;
    dnnl_status_t made = dnnl_success;
    orr_status st = ORR_OK;

    j->samples = n;
    ORR_TRY(images(p, s, kind, n, &x, &y));
    ORR_TRY(describe(p, s, &pd, kind, n, layout, hint));
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

/* The gradient of a stride of 1 is the convolution of dy with the reversed kernel, which the
 * library does quicker than its own gradient, microseconds on one core with AVX-512, turned against
 * not:
 *
 *   32 x 32    64 -> 92   5x5  42400 60200      16 x 16  64 -> 48   1x1  233 273
 *   16 x 16    48 -> 64   5x5   4740  5240       8 x 8   92 -> 128  3x3 1890 1890
 *    8 x 8     92 -> 128  5x5   4650  5330       4 x 4   92 -> 128  3x3  628  402
 *
 * the last because turning the weights takes long beside so few pixels. */
static orr_conv_shape turn(const orr_conv_shape *s)
{
    const int reach_h = (s->r - 1) * s->dilation_h, reach_w = (s->s - 1) * s->dilation_w;

    if (s->h * s->w < 64 || s->stride_h != 1 || s->stride_w != 1 || s->pad_top > reach_h ||
        s->pad_left > reach_w)
        return (orr_conv_shape){ 0 };
    return (orr_conv_shape){ .h = s->ho,
                             .w = s->wo,
                             .c = s->k,
                             .k = s->c,
                             .r = s->r,
                             .s = s->s,
                             .stride_h = 1,
                             .stride_w = 1,
                             .dilation_h = s->dilation_h,
                             .dilation_w = s->dilation_w,
                             .pad_top = reach_h - s->pad_top,
                             .pad_left = reach_w - s->pad_left,
                             .groups = 1,
                             .ho = s->h,
                             .wo = s->w };
}

static orr_status create_turned(orr_dnnl_conv *p)
{
    const orr_conv_shape *s = &p->turned;
    const dnnl_dims_t dims = { s->k, s->c, s->r, s->s };
    dnnl_memory_desc_t plain;

    ORR_TRY(job_create(p, s, &p->data, dnnl_forward_training, 1, NULL, NULL));
    TRY_DNNL(dnnl_memory_desc_init_by_tag(&plain, 4, dims, dnnl_f32, dnnl_ohwi));
    ORR_TRY(reorder_create(p, &p->pack_data, &plain, &p->data.w_desc));
    p->reversed =
        orr_alloc((size_t)s->k * (size_t)s->r * (size_t)s->s * (size_t)s->c, sizeof *p->reversed);
    if (!p->reversed) return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for weights");
    return ORR_OK;
}

static orr_status create_data(orr_dnnl_conv *p, dnnl_primitive_desc_t hint)
{
    ORR_TRY(job_create(p, &p->s, &p->data, dnnl_backward_data, 1, NULL, hint));
    return reorder_create(p, &p->pack_data, &p->plain, &p->data.w_desc);
}

/* A plan a leaf size, all with the layout of the first, so that their sums can be added. */
static orr_status create_weights(orr_dnnl_conv *p, const orr_limits *limits,
                                 dnnl_primitive_desc_t hint)
{
    p->weights = orr_alloc((size_t)limits->n_leaf_sizes, sizeof *p->weights);
    if (!p->weights) return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for plans");
    for (int i = 0; i < limits->n_leaf_sizes; i++) {
        if (limits->leaf_sizes[i] == 0) continue;
        job *j = &p->weights[p->n_weights++];
        ORR_TRY(job_create(p, &p->s, j, dnnl_backward_weights, limits->leaf_sizes[i],
                           p->n_weights > 1 ? &p->weights[0].w_desc : NULL, hint));
    }
    if (p->n_weights == 0) return ORR_OK;
    ORR_TRY(reorder_create(p, &p->unpack, &p->weights[0].w_desc, &p->plain));
    p->sum_floats = (dnnl_memory_desc_get_size(&p->weights[0].w_desc) + ORR_ALIGN - 1) / ORR_ALIGN *
                    (ORR_ALIGN / sizeof *p->sums);
    p->sums = orr_alloc((size_t)limits->max_leaves * p->sum_floats, sizeof *p->sums);
    if (!p->sums)
        return orr_fail(ORR_ERR_NOMEM,
                        "convolution: no memory for the gradients of %d leaves, %zu bytes each",
                        limits->max_leaves, p->sum_floats * sizeof *p->sums);
    return ORR_OK;
}

static orr_status create_gradients(orr_dnnl_conv *p, const orr_limits *limits, int weights,
                                   dnnl_primitive_desc_t hint)
{
    ORR_TRY(p->turned.h ? create_turned(p) : create_data(p, hint));
    need_packed(p, &p->data.w_desc);
    return weights ? create_weights(p, limits, hint) : ORR_OK;
}

/* What a thread rounds at a time: a sample of x or dy, or a leaf of both. */
static orr_status create_half(orr_dnnl_conv *p)
{
    const orr_conv_shape *s = &p->s;
    int samples = 1;

    for (int i = 0; i < p->n_weights; i++)
        if (p->weights[i].samples > samples) samples = p->weights[i].samples;
    p->half_elements = (size_t)samples * ((size_t)s->h * (size_t)s->w * (size_t)s->c +
                                          (size_t)s->ho * (size_t)s->wo * (size_t)s->k) +
                       2 * ORR_ALIGN;
    p->half_elements = p->half_elements / ORR_ALIGN * ORR_ALIGN;
    p->half = orr_alloc((size_t)p->threads * p->half_elements, sizeof *p->half);
    if (!p->half) return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for rounded inputs");
    return ORR_OK;
}

static orr_status create_all(orr_dnnl_conv *p, const orr_limits *limits, int weights)
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
    ORR_TRY(job_create(p, s, &p->forward, kind, 1, NULL, NULL));
    ORR_TRY(reorder_create(p, &p->pack_forward, &p->plain, &p->forward.w_desc));
    need_packed(p, &p->forward.w_desc);
    if (limits->training) {
        ORR_TRY(describe(p, s, &hint, kind, 1, NULL, NULL));
        st = create_gradients(p, limits, weights, hint);
        dnnl_primitive_desc_destroy(hint);
        ORR_TRY(st);
    }
    if (p->bf16) ORR_TRY(create_half(p));
    if (!(p->packed = orr_alloc(p->packed_bytes, 1)))
        return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for %zu bytes of weights",
                        p->packed_bytes);
    return ORR_OK;
}

orr_status orr_dnnl_conv_create(orr_dnnl_conv **out, const orr_conv_shape *s,
                                const orr_limits *limits, const orr_dnnl_opts *opts)
{
    orr_dnnl_conv *p = orr_alloc(1, sizeof *p);
    orr_status st = ORR_OK;

    *out = NULL;
    if (!p) return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for a plan");
    p->s = *s;
    p->threads = opts->threads;
    p->bf16 = opts->bf16;
    p->turned = turn(s);
    omp_set_num_threads(1); /* the library plans for the pool it finds */
    st = create_all(p, limits, opts->weights);
    omp_set_num_threads(opts->threads);
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
    reorder_destroy(p, &p->unpack);
    for (int i = 0; i < p->n_weights; i++)
        job_destroy(p, &p->weights[i]);
    if (p->bias) dnnl_memory_destroy(p->bias);
    if (p->stream) dnnl_stream_destroy(p->stream);
    if (p->engine) dnnl_engine_destroy(p->engine);
    orr_free(p->weights);
    orr_free(p->sums);
    orr_free(p->half);
    orr_free(p->no_bias);
    orr_free(p->reversed);
    orr_free(p->packed);
    orr_free(p);
}

/* The library reads the gradients' inputs through pointers that its API does not call const. */
static void set(dnnl_memory_t m, const void *p)
{
    dnnl_memory_set_data_handle(m, (void *)(uintptr_t)p);
}

static void run_reorder(const orr_dnnl_conv *p, const reorder *r, const float *from, void *to)
{
    const slot *s = &r->slots[0];
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, s->x },
                                     { DNNL_ARG_TO, s->y },
                                     { DNNL_ARG_SCRATCHPAD, s->scratch } };

    set(s->x, from);
    set(s->y, to);
    dnnl_primitive_execute(r->primitive, p->stream, s->scratch ? 3 : 2, args);
}

/* Sets m to x, or to its rounded copy in the thread's memory at `at`; returns the end of that. */
static size_t set_input(const orr_dnnl_conv *p, dnnl_memory_t m, size_t n, const float *x,
                        size_t at)
{
    uint16_t *to;

    if (!p->bf16) {
        set(m, x);
        return at;
    }
    to = p->half + (size_t)omp_get_thread_num() * p->half_elements + at;
    orr_bf16_round(n, x, to);
    set(m, to);
    return (at + n + ORR_ALIGN - 1) / ORR_ALIGN * ORR_ALIGN;
}

/* A convolution of n samples with the weights that lie packed. */
static void run_samples(orr_dnnl_conv *p, const job *j, int n, const float *x, size_t x_sample,
                        float *y, size_t y_sample, const float *bias)
{
    if (bias) set(p->bias, bias);
#pragma omp parallel num_threads(orr_threads_of(p->threads)) if (n > 1)
    {
        const slot *s = &j->slots[omp_get_thread_num()];
        dnnl_exec_arg_t args[5] = { { DNNL_ARG_SRC, s->x },
                                    { DNNL_ARG_WEIGHTS, s->w },
                                    { DNNL_ARG_DST, s->y } };
        int n_args = 3;
        if (bias) args[n_args++] = (dnnl_exec_arg_t){ DNNL_ARG_BIAS, p->bias };
        if (s->scratch) args[n_args++] = (dnnl_exec_arg_t){ DNNL_ARG_SCRATCHPAD, s->scratch };
        omp_set_num_threads(1);
        set(s->w, p->packed);
#pragma omp for schedule(static)
        for (int i = 0; i < n; i++) {
            set_input(p, s->x, x_sample, x + i * x_sample, 0);
            set(s->y, y + i * y_sample);
            dnnl_primitive_execute(j->primitive, p->stream, n_args, args);
        }
    }
}

void orr_dnnl_conv_forward(orr_dnnl_conv *p, int n, const float *x, const float *w,
                           const float *bias, float *y)
{
    const size_t in = (size_t)p->s.h * p->s.w * p->s.c, out = (size_t)p->s.ho * p->s.wo * p->s.k;

    run_reorder(p, &p->pack_forward, w, p->packed);
    run_samples(p, &p->forward, n, x, in, y, out, bias ? bias : p->no_bias);
}

/* [k][taps][c] to [c][taps in reverse][k], channels [c, c_end) */
static void reverse_channels(const orr_dnnl_conv *p, int c, int c_end, const float *w)
{
    enum { TILE = 16 };
    const int taps = p->s.r * p->s.s;
    const size_t from = (size_t)taps * (size_t)p->s.c, to = (size_t)taps * (size_t)p->s.k;

    for (int t = 0; t < taps; t++)
        for (int k = 0; k < p->s.k; k += TILE) {
            const int k_end = p->s.k - k < TILE ? p->s.k : k + TILE;
            const float *x = w + (size_t)t * (size_t)p->s.c;
            float *y = p->reversed + (size_t)(taps - 1 - t) * (size_t)p->s.k;
            for (int i = c; i < c_end; i++)
                for (int j = k; j < k_end; j++)
                    y[(size_t)i * to + (size_t)j] = x[(size_t)j * from + (size_t)i];
        }
}

static const float *reverse(const orr_dnnl_conv *p, const float *w)
{
    enum { CHANNELS = 16 };

#pragma omp parallel for schedule(static) num_threads(orr_threads_of(p->threads))
    for (int c = 0; c < p->s.c; c += CHANNELS)
        reverse_channels(p, c, p->s.c - c < CHANNELS ? p->s.c : c + CHANNELS, w);
    return p->reversed;
}

void orr_dnnl_conv_backward_data(orr_dnnl_conv *p, int n, const float *dy, const float *w,
                                 float *dx)
{
    const size_t in = (size_t)p->s.h * p->s.w * p->s.c, out = (size_t)p->s.ho * p->s.wo * p->s.k;

    if (p->turned.h) {
        run_reorder(p, &p->pack_data, reverse(p, w), p->packed);
        run_samples(p, &p->data, n, dy, out, dx, in, NULL);
        return;
    }
    run_reorder(p, &p->pack_data, w, p->packed);
#pragma omp parallel num_threads(orr_threads_of(p->threads)) if (n > 1)
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
            set_input(p, s->y, out, dy + i * out, 0);
            dnnl_primitive_execute(p->data.primitive, p->stream, s->scratch ? 4 : 3, args);
        }
    }
}

/* One leaf of a planned size; a size nobody planned shows as NaN rather than as a wrong sum. */
static void leaf_weights(const orr_dnnl_conv *p, int samples, const float *x, const float *dy,
                         float *out)
{
    const size_t in = (size_t)p->s.h * p->s.w * p->s.c, grad = (size_t)p->s.ho * p->s.wo * p->s.k;
    int i = 0;

    while (i < p->n_weights && p->weights[i].samples != samples)
        i++;
    if (samples == 0 || i == p->n_weights) {
        for (size_t e = 0; e < p->sum_floats; e++)
            out[e] = samples ? NAN : 0.0f;
        return;
    }
    const slot *s = &p->weights[i].slots[omp_get_thread_num()];
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, s->x },
                                     { DNNL_ARG_DIFF_WEIGHTS, s->w },
                                     { DNNL_ARG_DIFF_DST, s->y },
                                     { DNNL_ARG_SCRATCHPAD, s->scratch } };
    const size_t at = set_input(p, s->x, (size_t)samples * in, x, 0);
    set_input(p, s->y, (size_t)samples * grad, dy, at);
    set(s->w, out);
    dnnl_primitive_execute(p->weights[i].primitive, p->stream, s->scratch ? 4 : 3, args);
}

/* The tree over a segment's leaves, into the first of them. */
static void sum_leaves(const orr_dnnl_conv *p, float *sums, int m)
{
    enum { SPAN = 1 << 13 };

#pragma omp parallel for schedule(static) num_threads(orr_threads_of(p->threads))
    for (size_t i = 0; i < p->sum_floats; i += SPAN)
        orr_leaf_sum_f32(sums + i, sums + i, p->sum_floats, m,
                         p->sum_floats - i < SPAN ? p->sum_floats - i : SPAN);
}

void orr_dnnl_conv_backward_weights(orr_dnnl_conv *p, const orr_batch *b, const float *x,
                                    const float *dy, float *const *dw)
{
    const size_t in = (size_t)p->s.h * p->s.w * p->s.c, grad = (size_t)p->s.ho * p->s.wo * p->s.k;

#pragma omp parallel num_threads(orr_threads_of(p->threads)) if (b->n_leaves > 1)
    {
        omp_set_num_threads(1);
#pragma omp for schedule(dynamic)
        for (int l = 0; l < b->n_leaves; l++)
            leaf_weights(p, b->leaf[l + 1] - b->leaf[l], x + b->leaf[l] * in,
                         dy + b->leaf[l] * grad, p->sums + l * p->sum_floats);
    }
    for (int r = 0; r < b->n_segments; r++) {
        float *sums = p->sums + (size_t)b->segment[r] * p->sum_floats;
        sum_leaves(p, sums, b->segment[r + 1] - b->segment[r]);
        run_reorder(p, &p->unpack, sums, dw[r]);
    }
}
