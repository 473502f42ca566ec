/* bench/nn/kernels.c - medians of each kernel of the cpu table at the shapes that the small nets
 * train with.
 *
 *   bench_nn_kernels [THREADS [SECONDS_A_KERNEL [dense | images] [KERNELS]]]
 *
 * Beside each median and best: the best's GFLOP/s where the kernel multiplies, GB/s of the arrays
 * it must touch once, and the share of the peak that a loop of register-only multiply-adds (or a
 * pass over 64 MiB) reaches in the same process.
 *
 * At the end, or alone with "dense": dense layers by the own tiles beside OpenBLAS, one leaf a
 * call, turn by turn; the table of nn/kernels/cpu/openblas.c comes from it.  OPENBLAS_CORETYPE
 * picks OpenBLAS's kernels where it does not know the processor. */
#include "core/leaves.h"
#include "core/memory.h"
#include "core/rng.h"
#include "nn/backend.h"
#include "nn/kernels/cpu/cpu.h"
#include "nn/kernels/cpu/openblas.h"
#include "nn/layers/kinds.h"

#include <cblas.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_REPEATS = 20001, LEAVES = 8 };

typedef struct bench {
    double seconds, peak_gflops, peak_gbs;
    orr_backend *be;
    orr_batch b;
    int leaf[LEAVES + 1], segment[2];
    orr_limits limits;
    int sizes[2];
} bench;

typedef struct arrays {
    float *x, *w, *bias, *y, *dy, *dx, *dw, *db;
    uint16_t *arg;
    double mean[1024], m2[1024];
} arrays;

typedef struct work {
    bench *f;
    arrays *a;
    int in, out;
    void *plan;
    const orr_pool_shape *pool;
    size_t n;
    int c;
} work;

static double now(void)
{
    struct timespec t;

    /* Processor time, which a busy machine disturbs least, where it is the time. */
    clock_gettime(omp_get_max_threads() == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Median seconds of one call; *best is the shortest, which other people's load disturbs least. */
static double median(double seconds, void (*call)(const work *), const work *w, double *best)
{
    static double t[MAX_REPEATS];
    double start = now();
    int n = 0;

    call(w);
    do {
        double from = now();
        call(w);
        t[n++] = now() - from;
    } while (n < MAX_REPEATS && (n < 5 || now() - start < seconds));
    qsort(t, (size_t)n, sizeof *t, by_size);
    *best = t[0];
    return t[n / 2];
}

static void report(const char *name, const work *w, void (*call)(const work *), double flop,
                   double bytes)
{
    double best, t = median(w->f->seconds, call, w, &best);

    printf("%-44s %9.2f us, best %9.2f us", name, 1e6 * t, 1e6 * best);
    t = best;
    if (flop > 0)
        printf(" %8.1f GFLOP/s %4.0f%%", 1e-9 * flop / t, 1e-7 * flop / t / w->f->peak_gflops);
    else
        printf(" %20s", "");
    printf(" %7.1f GB/s %4.0f%%\n", 1e-9 * bytes / t, 1e-7 * bytes / t / w->f->peak_gbs);
}

static void linear_forward(const work *w)
{
    w->f->be->ops->linear_forward(w->f->be, &w->f->b, w->in, w->out, w->a->x, w->a->w, w->a->bias,
                                  w->a->y);
}
static void linear_data(const work *w)
{
    w->f->be->ops->linear_backward_data(w->f->be, &w->f->b, w->in, w->out, w->a->dy, w->a->w,
                                        w->a->dx);
}
static void linear_params(const work *w)
{
    w->f->be->ops->linear_backward_params(w->f->be, &w->f->b, w->in, w->out, w->a->x, w->a->dy,
                                          &w->a->dw, &w->a->db);
}
static void conv_forward(const work *w)
{
    w->f->be->ops->conv_forward(w->f->be, w->plan, &w->f->b, w->a->x, w->a->w, w->a->bias, w->a->y);
}
static void conv_data(const work *w)
{
    w->f->be->ops->conv_backward_data(w->f->be, w->plan, &w->f->b, w->a->dy, w->a->w, w->a->dx);
}
static void conv_params(const work *w)
{
    w->f->be->ops->conv_backward_params(w->f->be, w->plan, &w->f->b, w->a->x, w->a->dy, &w->a->dw,
                                        &w->a->db);
}
static void pool_forward(const work *w)
{
    w->f->be->ops->max_pool_forward(w->f->be, w->f->b.n, w->pool, w->a->x, w->a->y, w->a->arg);
}
static void pool_backward(const work *w)
{
    w->f->be->ops->max_pool_backward(w->f->be, w->f->b.n, w->pool, w->a->dy, w->a->arg, w->a->dx);
}
static void relu_forward(const work *w)
{
    w->f->be->ops->act_forward(w->f->be, orr_kind_relu.activation, 0, w->n, w->a->x, w->a->y);
}
static void relu_backward(const work *w)
{
    w->f->be->ops->act_backward(w->f->be, orr_kind_relu.activation, 0, w->n, w->a->y, w->a->dy,
                                w->a->dx);
}
static void tanh_forward(const work *w)
{
    w->f->be->ops->act_forward(w->f->be, orr_kind_tanh.activation, 0, w->n, w->a->x, w->a->y);
}
static void norm_moments(const work *w)
{
    w->f->be->ops->norm_moments(w->f->be, w->n / w->c, w->c, w->a->x, w->a->mean, w->a->m2);
}
static void norm_forward(const work *w)
{
    w->f->be->ops->norm_forward(w->f->be, w->n / w->c, w->c, w->a->x, w->a->bias, w->a->w, w->a->w,
                                w->a->bias, w->a->y);
}
static void norm_sums(const work *w)
{
    w->f->be->ops->norm_backward_sums(w->f->be, w->n / w->c, w->c, w->a->x, w->a->bias, w->a->w,
                                      w->a->dy, w->a->mean, w->a->m2);
}
static void norm_data(const work *w)
{
    w->f->be->ops->norm_backward_data(w->f->be, w->n / w->c, w->c, w->a->x, w->a->bias, w->a->w,
                                      w->a->w, w->a->bias, w->a->bias, w->a->dy, w->a->dx);
}
static void dropout(const work *w)
{
    w->f->be->ops->dropout(w->f->be, &w->f->b, w->n / w->f->b.n, 0.5, 1, w->a->x, w->a->y);
}

static float *floats(size_t n, uint64_t seed)
{
    orr_rng r = orr_rng_stream(orr_rng_key(1, ORR_RNG_TEST, seed, 0, 0));
    float *x = orr_alloc(n + 1024, sizeof *x);

    if (!x) {
        fprintf(stderr, "no memory for %zu numbers\n", n);
        exit(1);
    }
    for (size_t i = 0; i < n + 1024; i++)
        x[i] = 2.0f * orr_rng_unit(orr_rng_u32(&r)) - 1.0f;
    return x;
}

static arrays make_arrays(size_t n_x, size_t n_y, size_t n_w, size_t n_b)
{
    return (arrays){ .x = floats(n_x, 1),
                     .w = floats(n_w, 2),
                     .bias = floats(n_b, 3),
                     .y = floats(n_y, 4),
                     .dy = floats(n_y, 5),
                     .dx = floats(n_x, 6),
                     .dw = floats(n_w, 7),
                     .db = floats(n_b, 8),
                     .arg = orr_alloc(n_y + 64, sizeof(uint16_t)) };
}

static void free_arrays(arrays *a)
{
    float *all[] = { a->x, a->w, a->bias, a->y, a->dy, a->dx, a->dw, a->db };

    for (int i = 0; i < 8; i++)
        orr_free(all[i]);
    orr_free(a->arg);
}

static void set_batch(bench *f, int n)
{
    static uint64_t keys[1024];

    for (int i = 0; i <= LEAVES; i++)
        f->leaf[i] = (int)orr_leaf_begin(n, LEAVES, i);
    f->segment[1] = LEAVES;
    f->b = (orr_batch){ .n = n,
                        .n_leaves = LEAVES,
                        .leaf = f->leaf,
                        .n_segments = 1,
                        .segment = f->segment,
                        .n_global = n,
                        .keys = keys };
    f->sizes[0] = n / LEAVES;
    f->sizes[1] = n / LEAVES + 1;
    f->limits = (orr_limits){ .max_samples = n,
                              .max_leaves = LEAVES,
                              .max_segments = 1,
                              .n_leaf_sizes = 2,
                              .leaf_sizes = f->sizes,
                              .training = 1 };
}

static void bench_linear(bench *f, int n, int in, int out)
{
    arrays a = make_arrays((size_t)n * in, (size_t)n * out, (size_t)in * out, (size_t)out);
    work w = { .f = f, .a = &a, .in = in, .out = out };
    double flop = 2.0 * n * in * out, bytes = 4.0 * ((double)in * out + (double)n * (in + out));
    char name[96];

    set_batch(f, n);
    snprintf(name, sizeof name, "linear %d -> %d, batch %d: forward", in, out, n);
    report(name, &w, linear_forward, flop, bytes);
    report("    data gradient", &w, linear_data, flop, bytes);
    report("    weight gradient", &w, linear_params, flop, bytes);
    free_arrays(&a);
}

static void bench_conv(bench *f, int n, orr_conv_shape s)
{
    s.ho = s.h - s.r + 1 + s.pad_top + s.pad_bottom;
    s.wo = s.w - s.s + 1 + s.pad_left + s.pad_right;
    size_t x = (size_t)n * s.h * s.w * s.c, y = (size_t)n * s.ho * s.wo * s.k,
           size = (size_t)s.k * s.r * s.s * (s.c / s.groups);
    arrays a = make_arrays(x, y, size, (size_t)s.k);
    work w = { .f = f, .a = &a };
    double flop = 2.0 * (double)y * s.r * s.s * (s.c / s.groups), bytes = 4.0 * (double)(x + y);
    char name[96];

    set_batch(f, n);
    if (f->be->ops->conv_plan(f->be, &w.plan, &s, &f->limits) != ORR_OK) {
        fprintf(stderr, "%s\n", orr_error_text());
        exit(1);
    }
    snprintf(name, sizeof name, "conv %dx%d %d -> %d %dx%d, batch %d: forward", s.h, s.w, s.c, s.k,
             s.r, s.s, n);
    report(name, &w, conv_forward, flop, bytes);
    report("    data gradient", &w, conv_data, flop, bytes);
    report("    parameter gradient", &w, conv_params, flop, bytes);
    f->be->ops->conv_unplan(f->be, w.plan);
    free_arrays(&a);
}

static orr_conv_shape same(int side, int c, int k, int size)
{
    const int pad = size / 2;

    return (
        orr_conv_shape){ side, side, c, k, size, size, 1, 1, 1, 1, pad, pad, pad, pad, 1, 0, 0 };
}

static void avg_forward(const work *w)
{
    w->f->be->ops->avg_pool_forward(w->f->be, w->f->b.n, w->pool, w->a->x, w->a->y);
}
static void avg_backward(const work *w)
{
    w->f->be->ops->avg_pool_backward(w->f->be, w->f->b.n, w->pool, w->a->dy, w->a->dx);
}
static void leaky_forward(const work *w)
{
    w->f->be->ops->act_forward(w->f->be, orr_kind_leaky_relu.activation, 0.3, w->n, w->a->x,
                               w->a->y);
}
static void leaky_backward(const work *w)
{
    w->f->be->ops->act_backward(w->f->be, orr_kind_leaky_relu.activation, 0.3, w->n, w->a->y,
                                w->a->dy, w->a->dy);
}

static void bench_average(bench *f, int n, orr_pool_shape s)
{
    size_t x = (size_t)n * s.h * s.w * s.c, y = (size_t)n * s.ho * s.wo * s.c;
    arrays a = make_arrays(x, x, 1, 1);
    work w = { .f = f, .a = &a, .pool = &s, .n = x };
    char name[96];

    set_batch(f, n);
    snprintf(name, sizeof name, "average %dx%dx%d %dx%d/%d, batch %d: forward", s.h, s.w, s.c, s.r,
             s.s, s.stride_h, n);
    report(name, &w, avg_forward, 0, 4.0 * (double)(x + y));
    report("    backward", &w, avg_backward, 0, 4.0 * (double)(x + y));
    report("    leaky relu on its input", &w, leaky_forward, 0, 8.0 * (double)x);
    w.n = y;
    report("    leaky relu backward on its output", &w, leaky_backward, 0, 12.0 * (double)y);
    free_arrays(&a);
}

/* The layers of the nets for redshifts (kernels of 1, 3, 5 and small images), and two that strain
 * the caches: many channels on few pixels, and one filter a channel. */
static void bench_images(bench *f)
{
    static const int convs[][4] = { { 32, 5, 64, 5 },   { 16, 64, 64, 1 },  { 16, 64, 48, 1 },
                                    { 16, 48, 64, 3 },  { 16, 48, 64, 5 },  { 8, 240, 128, 1 },
                                    { 8, 240, 92, 1 },  { 8, 92, 128, 3 },  { 8, 92, 128, 5 },
                                    { 4, 476, 128, 1 }, { 4, 476, 92, 1 },  { 4, 92, 128, 3 },
                                    { 32, 64, 92, 5 },  { 16, 340, 128, 1 } };
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++)
        bench_conv(f, 32, same(convs[i][0], convs[i][1], convs[i][2], convs[i][3]));
    bench_linear(f, 32, 5568, 100);
    bench_average(f, 32, (orr_pool_shape){ 32, 32, 64, 2, 2, 2, 2, 0, 0, 16, 16, 0 });
    bench_average(f, 32, (orr_pool_shape){ 16, 16, 48, 2, 2, 1, 1, 0, 0, 16, 16, 0 });
    bench_average(f, 32, (orr_pool_shape){ 8, 8, 476, 2, 2, 2, 2, 0, 0, 4, 4, 0 });
    bench_conv(f, 16, same(8, 512, 512, 3));
    orr_conv_shape depthwise = same(64, 144, 144, 5);
    depthwise.groups = 144;
    bench_conv(f, 8, depthwise);
}

static void bench_pool(bench *f, int n, orr_pool_shape s)
{
    size_t x = (size_t)n * s.h * s.w * s.c, y = (size_t)n * s.ho * s.wo * s.c;
    arrays a = make_arrays(x, y, 1, 1);
    work w = { .f = f, .a = &a, .pool = &s };
    char name[96];

    set_batch(f, n);
    snprintf(name, sizeof name, "max pool %dx%dx%d %dx%d, batch %d: forward", s.h, s.w, s.c, s.r,
             s.s, n);
    report(name, &w, pool_forward, 0, 4.0 * (double)x + 6.0 * (double)y);
    report("    backward", &w, pool_backward, 0, 4.0 * (double)x + 6.0 * (double)y);
    free_arrays(&a);
}

static void bench_rows(bench *f, size_t rows, int c)
{
    size_t n = rows * (size_t)c;
    arrays a = make_arrays(n, n, (size_t)c, (size_t)c);
    work w = { .f = f, .a = &a, .n = n, .c = c };
    char name[96];

    set_batch(f, 24);
    snprintf(name, sizeof name, "%zu x %d: relu", rows, c);
    report(name, &w, relu_forward, 0, 8.0 * (double)n);
    report("    relu backward", &w, relu_backward, 0, 12.0 * (double)n);
    report("    tanh", &w, tanh_forward, 0, 8.0 * (double)n);
    report("    norm moments", &w, norm_moments, 0, 4.0 * (double)n);
    report("    norm forward", &w, norm_forward, 0, 8.0 * (double)n);
    report("    norm backward sums", &w, norm_sums, 0, 8.0 * (double)n);
    report("    norm data gradient", &w, norm_data, 0, 12.0 * (double)n);
    report("    dropout", &w, dropout, 0, 8.0 * (double)n);
    free_arrays(&a);
}

/* The peak that a share is of: a dense layer that stays in the first cache, and a sum of two long
 * arrays. */
static void add_call(const work *w)
{
    w->f->be->ops->add(w->f->be, w->n, w->a->x, w->a->dx, w->a->y);
}

static void measure_peaks(bench *f)
{
    arrays a = make_arrays(1 << 22, 1 << 22, 1 << 22, 1);
    work w = { .f = f, .a = &a, .in = 256, .out = 96, .n = 1 << 22 };
    double best;

    f->seconds = 0.3;
    set_batch(f, 24 * 8);
    median(f->seconds, linear_data, &w, &best);
    f->peak_gflops = 1e-9 * 2.0 * 192 * 256 * 96 / best;
    median(f->seconds, add_call, &w, &best);
    f->peak_gbs = 1e-9 * 12.0 * (1 << 22) / best;
    printf(
        "peaks: %.0f GFLOP/s (dense layer in cache), %.0f GB/s (48 MiB in and out), %d threads\n",
        f->peak_gflops, f->peak_gbs, omp_get_max_threads());
    free_arrays(&a);
}

/* ---- dense: own tiles beside OpenBLAS ---- */
static void tiles_forward(const work *w)
{
    orr_cpu_tiles_forward(w->f->b.n, w->in, w->out, w->a->x, w->a->w, w->a->bias, w->a->y);
}
static void blas_forward(const work *w)
{
    orr_blas_forward(1, w->f->leaf, w->in, w->out, w->a->x, w->a->w, w->a->bias, w->a->y);
}
static void tiles_data(const work *w)
{
    orr_cpu_tiles_backward_data(w->f->b.n, w->in, w->out, w->a->dy, w->a->w, w->a->dx);
}
static void blas_data(const work *w)
{
    orr_blas_backward_data(1, w->f->leaf, w->in, w->out, w->a->dy, w->a->w, w->a->dx);
}
static void tiles_weights(const work *w)
{
    orr_cpu_linear_backward_params(w->f->be, &w->f->b, w->in, w->out, w->a->x, w->a->dy, &w->a->dw,
                                   NULL);
}
/* No kernel of the table: one call for the leaf, on OpenBLAS's own threads. */
static void blas_weights(const work *w)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, w->out, w->in, w->f->b.n, 1.0f, w->a->dy,
                w->out, w->a->x, w->in, 0.0f, w->a->dw, w->in);
}

/* Prints the medians of two ways, called in turn, as GFLOP/s, and how much faster the second is. */
static void compare(const work *w, const char *name, void (*const call[2])(const work *))
{
    static double t[2][MAX_REPEATS];
    const double flop = 2.0 * w->f->b.n * w->in * w->out, start = now();
    int n = 0;

    call[0](w);
    call[1](w);
    do {
        for (int i = 0; i < 2; i++) {
            double from = now();
            call[i](w);
            t[i][n] = now() - from;
        }
        n++;
    } while (n < MAX_REPEATS && (n < 5 || now() - start < w->f->seconds));
    for (int i = 0; i < 2; i++)
        qsort(t[i], (size_t)n, sizeof **t, by_size);
    printf("  %s %6.1f %6.1f x%.2f", name, 1e-9 * flop / t[0][n / 2], 1e-9 * flop / t[1][n / 2],
           t[0][n / 2] / t[1][n / 2]);
}

static void bench_dense(bench *f)
{
    static const int layers[][2] = {
        { 5664, 500 }, { 500, 64 }, { 512, 512 }, { 1024, 1024 }, { 4096, 4096 }
    };
    static const int sizes[] = { 3, 8, 16, 32, 64, 128, 256 };

    printf(
        "dense: own tiles beside OpenBLAS (%s, kernels for %s), GFLOP/s, * = the table's choice\n",
        openblas_get_config(), openblas_get_corename());
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 7; j++) {
            const int in = layers[i][0], out = layers[i][1], n = sizes[j];
            arrays a = make_arrays((size_t)n * in, (size_t)n * out, (size_t)in * out, (size_t)out);
            work w = { .f = f, .a = &a, .in = in, .out = out };
            set_batch(f, n);
            f->leaf[1] = n;
            f->segment[1] = f->b.n_leaves = 1;
            printf("%4d -> %4d, leaf %3d:", in, out, n);
            compare(&w, orr_blas_takes_forward(n, in, out) ? "forward*" : "forward ",
                    (void (*const[])(const work *)){ tiles_forward, blas_forward });
            compare(&w, orr_blas_takes_backward_data(n, in, out) ? "data*" : "data ",
                    (void (*const[])(const work *)){ tiles_data, blas_data });
            compare(&w, "weights", (void (*const[])(const work *)){ tiles_weights, blas_weights });
            printf("\n");
            free_arrays(&a);
        }
}

int main(int argc, char **argv)
{
    static bench f;

    if (argc > 1) omp_set_num_threads((int)strtol(argv[1], NULL, 10));
    if (orr_backend_create(&f.be, argc > 4 ? argv[4] : "cpu") != ORR_OK) {
        fprintf(stderr, "%s\n", orr_error_text());
        return 1;
    }
    measure_peaks(&f);
    f.seconds = argc > 2 ? strtod(argv[2], NULL) : 0.3;
    if (argc > 3 && strcmp(argv[3], "dense") == 0) {
        bench_dense(&f);
        return 0;
    }
    if (argc > 3 && strcmp(argv[3], "images") == 0) {
        bench_images(&f);
        return 0;
    }
    bench_linear(&f, 24, 5664, 500);
    bench_linear(&f, 24, 500, 64);
    bench_linear(&f, 24, 64, 1);
    bench_linear(&f, 24, 2432, 250);
    bench_linear(&f, 64, 2, 20);
    bench_linear(&f, 64, 20, 1);
    bench_linear(&f, 64, 9216, 128);
    bench_conv(&f, 24, (orr_conv_shape){ 1, 3197, 2, 6, 1, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0 });
    bench_conv(&f, 24, (orr_conv_shape){ 1, 1065, 6, 16, 1, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0 });
    bench_conv(&f, 24, (orr_conv_shape){ 1, 1065, 8, 16, 1, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0 });
    bench_conv(&f, 24, (orr_conv_shape){ 1, 354, 16, 32, 1, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0 });
    bench_conv(&f, 24, (orr_conv_shape){ 1, 117, 32, 64, 1, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0 });
    bench_conv(&f, 64, (orr_conv_shape){ 28, 28, 1, 32, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0 });
    bench_conv(&f, 64, (orr_conv_shape){ 26, 26, 32, 64, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0 });
    bench_conv(&f, 16, (orr_conv_shape){ 32, 32, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0 });
    bench_conv(&f, 16, (orr_conv_shape){ 16, 16, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0 });
    bench_pool(&f, 24, (orr_pool_shape){ 1, 3195, 6, 1, 3, 1, 3, 0, 0, 1, 1065, 0 });
    bench_pool(&f, 24, (orr_pool_shape){ 1, 1063, 16, 1, 3, 1, 3, 0, 0, 1, 354, 0 });
    bench_pool(&f, 64, (orr_pool_shape){ 24, 24, 64, 2, 2, 2, 2, 0, 0, 12, 12, 0 });
    bench_rows(&f, 24 * 3195, 6);
    bench_rows(&f, 24 * 1065, 6);
    bench_rows(&f, 24 * 354, 16);
    bench_dense(&f);
    return 0;
}
