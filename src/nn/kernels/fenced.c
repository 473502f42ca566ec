/* nn/kernels/fenced.c - the back end fenced: the check operations on memory that the host cannot
 * touch. Idea: libCEED's memcheck.
 *
 * A block lies in pages of its own, which nobody may read or write: code of the host that looks
 * into a slab or an activation dies by SIGSEGV, as it would read nonsense from a device.  Each
 * operation opens the blocks it is given, inputs for reading alone, and closes them again.  New
 * memory is NaN; bytes of a pattern stand before and behind it (verify); freed memory is gone.  An
 * operation that is given memory of the host where its own is wanted, or the other way round, does
 * nothing, and synchronise says so.  Samples of the host that a net has on loan from forward to
 * backward are compared with what was uploaded.  So what would go wrong on a GPU goes wrong on any
 * machine.
 *
 * A block: [guard][payload][pattern up to the page's end]. */
#include "nn/kernels/check.h"
#include "nn/kernels/host.h"

#include "core/memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GUARD = ORR_ALIGN, PATTERN = 0x5A, MAX_OPEN = 4 * ORR_MAX_SEGMENTS };

typedef struct block {
    struct block *next;
    unsigned char *pages;
    size_t length; /* of the pages */
    size_t bytes;  /* of the payload */
    int access;    /* at present, PROT_... */
} block;

typedef struct fence {
    block *blocks;
    block *open[MAX_OPEN]; /* by the operation at work */
    int n_open;
    int64_t n_asked;     /* operations */
    const char *misused; /* the first operation that was given foreign memory; NULL: none */
} fence;

static orr_status fenced_create(orr_backend *be)
{
    be->state = orr_alloc(1, sizeof(fence));
    return be->state ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "fenced: %zu bytes", sizeof(fence));
}

static void unmap(block *b)
{
    munmap(b->pages, b->length);
    orr_free(b);
}

static void fenced_destroy(orr_backend *be)
{
    fence *f = be->state;

    while (f && f->blocks) {
        block *b = f->blocks;
        f->blocks = b->next;
        unmap(b);
    }
    orr_free(f);
}

/* The block that holds p, or that p stands behind; NULL: none does. */
static block *find(const orr_backend *be, const void *p)
{
    const fence *f = be->state;
    const unsigned char *at = p;

    for (block *b = f->blocks; b; b = b->next)
        if (at >= b->pages && at < b->pages + b->length) return b;
    return NULL;
}

static void set_access(block *b, int access)
{
    if (b->access != access) (void)mprotect(b->pages, b->length, access);
    b->access = access;
}

/* ---- what an operation does with what it is given ---- */

static void misuse(orr_backend *be, const char *operation)
{
    fence *f = be->state;

    if (!f->misused) f->misused = operation;
}

/* Opens the block of p (NULL: nothing was given).  0 when p is not the back end's. */
static int open_block(orr_backend *be, const char *operation, const void *p, int access)
{
    fence *f = be->state;
    block *b;

    if (!p) return 1;
    if (!(b = find(be, p)) || f->n_open == MAX_OPEN) {
        misuse(be, operation);
        return 0;
    }
    if (b->access == PROT_NONE) f->open[f->n_open++] = b;
    set_access(b, b->access | access);
    return 1;
}

static int open_list(orr_backend *be, const char *operation, orr_real *const *list, int n)
{
    int ok = 1;

    for (int i = 0; list && i < n; i++)
        ok &= open_block(be, operation, list[i], PROT_READ | PROT_WRITE);
    return ok;
}

static void close_blocks(orr_backend *be)
{
    fence *f = be->state;

    while (f->n_open)
        set_access(f->open[--f->n_open], PROT_NONE);
    f->n_asked++;
}

#define IN(P)         open_block(be, __func__, P, PROT_READ)
#define OUT(P)        open_block(be, __func__, P, PROT_READ | PROT_WRITE)
#define OUTS(LIST, N) open_list(be, __func__, LIST, N)
/* Every buffer is opened or complained of; then the check operation, or a host one, is done. */
#define DO(BUFFERS, CALL)                                                                          \
    do {                                                                                           \
        if (BUFFERS) CALL;                                                                         \
        close_blocks(be);                                                                          \
    } while (0)

/* ---- memory ---- */

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void *fenced_alloc(orr_backend *be, size_t bytes)
{
    fence *f = be->state;
    size_t page = page_bytes(), length;
    block *b;

    if (__builtin_add_overflow(bytes, 2 * (size_t)GUARD + page - 1, &length)) return NULL;
    length -= length % page;
    if (!(b = orr_alloc(1, sizeof *b))) return NULL;
    b->pages = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b->pages == MAP_FAILED) {
        orr_free(b);
        return NULL;
    }
    b->length = length;
    b->bytes = bytes;
    b->access = PROT_READ | PROT_WRITE;
    memset(b->pages, PATTERN, length);
    memset(b->pages + GUARD, 0xFF, bytes);
    set_access(b, PROT_NONE);
    b->next = f->blocks;
    f->blocks = b;
    return b->pages + GUARD;
}

static void fenced_free(orr_backend *be, void *p)
{
    fence *f = be->state;
    block *b = p ? find(be, p) : NULL;

    if (p && !b) misuse(be, __func__);
    for (block **at = &f->blocks; b && *at; at = &(*at)->next)
        if (*at == b) {
            *at = b->next;
            unmap(b);
            return;
        }
}

static orr_status check_pattern(const block *b)
{
    for (size_t i = 0; i < GUARD; i++)
        if (b->pages[GUARD - 1 - i] != PATTERN)
            return orr_fail(ORR_ERR_INTERNAL,
                            "a block of %zu bytes was written %zu bytes before its start", b->bytes,
                            i + 1);
    for (size_t i = GUARD + b->bytes; i < b->length; i++)
        if (b->pages[i] != PATTERN)
            return orr_fail(ORR_ERR_INTERNAL,
                            "a block of %zu bytes was written %zu bytes past its end", b->bytes,
                            i - GUARD - b->bytes + 1);
    return ORR_OK;
}

static orr_status fenced_verify(orr_backend *be, const void *p)
{
    block *b = p ? find(be, p) : NULL;
    orr_status st;

    if (!p) return ORR_OK;
    if (!b || b->pages + GUARD != p)
        return orr_fail(ORR_ERR_INTERNAL, "not a block of the fenced back end");
    set_access(b, PROT_READ);
    st = check_pattern(b);
    set_access(b, PROT_NONE);
    return st;
}

static orr_status fenced_synchronise(orr_backend *be)
{
    fence *f = be->state;
    const char *misused = f->misused;

    f->misused = NULL;
    return misused ? orr_fail(ORR_ERR_INTERNAL,
                              "%s was given memory that it cannot read or write there", misused)
                   : ORR_OK;
}

static int is_hosts(orr_backend *be, const char *operation, const void *p)
{
    if (!find(be, p)) return 1;
    misuse(be, operation);
    return 0;
}

static orr_status fenced_verify_loan(orr_backend *be, const void *p, const void *host, size_t bytes)
{
    int differs = 0;

    DO(is_hosts(be, __func__, host) & IN(p), differs = memcmp(p, host, bytes) != 0);
    return differs ? orr_fail(ORR_ERR_INTERNAL,
                              "%zu bytes of the host were changed while they "
                              "were on loan",
                              bytes)
                   : fenced_synchronise(be);
}

static void fenced_poison(orr_backend *be, orr_real *x, size_t n)
{
    DO(OUT(x), orr_backend_check.poison(be, x, n));
}
static void fenced_clear(orr_backend *be, void *p, size_t bytes)
{
    DO(OUT(p), orr_host_clear(be, p, bytes));
}
static void fenced_copy(orr_backend *be, void *to, const void *from, size_t bytes)
{
    DO(IN(from) & OUT(to), orr_host_copy(be, to, from, bytes));
}

static void fenced_upload(orr_backend *be, void *to, const void *host, size_t bytes)
{
    DO(is_hosts(be, __func__, host) & OUT(to), orr_host_copy(be, to, host, bytes));
}
static void fenced_download(orr_backend *be, void *host, const void *from, size_t bytes)
{
    DO(is_hosts(be, __func__, host) & IN(from), orr_host_copy(be, host, from, bytes));
}

static int64_t fenced_mark(orr_backend *be)
{
    const fence *f = be->state;

    return f->n_asked;
}

/* ---- layers ---- */

static void fenced_linear_forward(orr_backend *be, const orr_batch *b, int in, int out,
                                  const orr_real *x, const orr_real *w, const orr_real *bias,
                                  orr_real *y)
{
    DO(IN(x) & IN(w) & IN(bias) & OUT(y), orr_check_linear_forward(be, b, in, out, x, w, bias, y));
}
static void fenced_linear_backward_data(orr_backend *be, const orr_batch *b, int in, int out,
                                        const orr_real *dy, const orr_real *w, orr_real *dx)
{
    DO(IN(dy) & IN(w) & OUT(dx), orr_check_linear_backward_data(be, b, in, out, dy, w, dx));
}
static void fenced_linear_backward_params(orr_backend *be, const orr_batch *b, int in, int out,
                                          const orr_real *x, const orr_real *dy,
                                          orr_real *const *dw, orr_real *const *db)
{
    DO(IN(x) & IN(dy) & OUTS(dw, b->n_segments) & OUTS(db, b->n_segments),
       orr_check_linear_backward_params(be, b, in, out, x, dy, dw, db));
}
static void fenced_conv_forward(orr_backend *be, void *plan, const orr_batch *b, const orr_real *x,
                                const orr_real *w, const orr_real *bias, orr_real *y)
{
    DO(IN(x) & IN(w) & IN(bias) & OUT(y), orr_check_conv_forward(be, plan, b, x, w, bias, y));
}
static void fenced_conv_backward_data(orr_backend *be, void *plan, const orr_batch *b,
                                      const orr_real *dy, const orr_real *w, orr_real *dx)
{
    DO(IN(dy) & IN(w) & OUT(dx), orr_check_conv_backward_data(be, plan, b, dy, w, dx));
}
static void fenced_conv_backward_params(orr_backend *be, void *plan, const orr_batch *b,
                                        const orr_real *x, const orr_real *dy, orr_real *const *dw,
                                        orr_real *const *db)
{
    DO(IN(x) & IN(dy) & OUTS(dw, b->n_segments) & OUTS(db, b->n_segments),
       orr_check_conv_backward_params(be, plan, b, x, dy, dw, db));
}
static void fenced_max_pool_forward(orr_backend *be, int n, const orr_pool_shape *s,
                                    const orr_real *x, orr_real *y, uint16_t *arg)
{
    DO(IN(x) & OUT(y) & OUT(arg), orr_check_max_pool_forward(be, n, s, x, y, arg));
}
static void fenced_max_pool_backward(orr_backend *be, int n, const orr_pool_shape *s,
                                     const orr_real *dy, const uint16_t *arg, orr_real *dx)
{
    DO(IN(dy) & IN(arg) & OUT(dx), orr_check_max_pool_backward(be, n, s, dy, arg, dx));
}
static void fenced_avg_pool_forward(orr_backend *be, int n, const orr_pool_shape *s,
                                    const orr_real *x, orr_real *y)
{
    DO(IN(x) & OUT(y), orr_check_avg_pool_forward(be, n, s, x, y));
}
static void fenced_avg_pool_backward(orr_backend *be, int n, const orr_pool_shape *s,
                                     const orr_real *dy, orr_real *dx)
{
    DO(IN(dy) & OUT(dx), orr_check_avg_pool_backward(be, n, s, dy, dx));
}
static void fenced_act_forward(orr_backend *be, const orr_activation *a, double alpha, size_t n,
                               const orr_real *x, orr_real *y)
{
    DO(IN(x) & OUT(y), orr_check_act_forward(be, a, alpha, n, x, y));
}
static void fenced_act_backward(orr_backend *be, const orr_activation *a, double alpha, size_t n,
                                const orr_real *from, const orr_real *dy, orr_real *dx)
{
    DO(IN(from) & IN(dy) & OUT(dx), orr_check_act_backward(be, a, alpha, n, from, dy, dx));
}
static void fenced_prelu_forward(orr_backend *be, size_t rows, int c, int shared, const orr_real *x,
                                 const orr_real *w, orr_real *y)
{
    DO(IN(x) & IN(w) & OUT(y), orr_check_prelu_forward(be, rows, c, shared, x, w, y));
}
static void fenced_prelu_backward(orr_backend *be, const orr_batch *b, size_t rows_per_sample,
                                  int c, int shared, const orr_real *x, const orr_real *w,
                                  const orr_real *dy, orr_real *dx, orr_real *const *dw,
                                  orr_real *scratch)
{
    DO(IN(x) & IN(w) & IN(dy) & OUT(dx) & OUTS(dw, b->n_segments) & OUT(scratch),
       orr_check_prelu_backward(be, b, rows_per_sample, c, shared, x, w, dy, dx, dw, scratch));
}
static void fenced_softmax_forward(orr_backend *be, size_t rows, int c, const orr_real *x,
                                   orr_real *y)
{
    DO(IN(x) & OUT(y), orr_check_softmax_forward(be, rows, c, x, y));
}
static void fenced_softmax_backward(orr_backend *be, size_t rows, int c, const orr_real *y,
                                    const orr_real *dy, orr_real *dx)
{
    DO(IN(y) & IN(dy) & OUT(dx), orr_check_softmax_backward(be, rows, c, y, dy, dx));
}
static void fenced_dropout(orr_backend *be, const orr_batch *b, size_t per_sample, double p,
                           int layer, const orr_real *x, orr_real *y)
{
    DO(IN(x) & OUT(y), orr_check_dropout(be, b, per_sample, p, layer, x, y));
}
static void fenced_norm_moments(orr_backend *be, size_t rows, int c, const orr_real *x,
                                double *mean, double *m2)
{
    DO(IN(x) & OUT(mean) & OUT(m2), orr_check_norm_moments(be, rows, c, x, mean, m2));
}
static void fenced_norm_forward(orr_backend *be, size_t rows, int c, const orr_real *x,
                                const orr_real *mean, const orr_real *inv_std,
                                const orr_real *gamma, const orr_real *beta, orr_real *y)
{
    DO(IN(x) & IN(mean) & IN(inv_std) & IN(gamma) & IN(beta) & OUT(y),
       orr_check_norm_forward(be, rows, c, x, mean, inv_std, gamma, beta, y));
}
static void fenced_norm_backward_sums(orr_backend *be, size_t rows, int c, const orr_real *x,
                                      const orr_real *mean, const orr_real *inv_std,
                                      const orr_real *dy, double *sum_dy, double *sum_dy_xhat)
{
    DO(IN(x) & IN(mean) & IN(inv_std) & IN(dy) & OUT(sum_dy) & OUT(sum_dy_xhat),
       orr_check_norm_backward_sums(be, rows, c, x, mean, inv_std, dy, sum_dy, sum_dy_xhat));
}
static void fenced_norm_backward_data(orr_backend *be, size_t rows, int c, const orr_real *x,
                                      const orr_real *mean, const orr_real *inv_std,
                                      const orr_real *gamma, const orr_real *mean_dy,
                                      const orr_real *mean_dy_xhat, const orr_real *dy,
                                      orr_real *dx)
{
    DO(IN(x) & IN(mean) & IN(inv_std) & IN(gamma) & IN(mean_dy) & IN(mean_dy_xhat) & IN(dy) &
           OUT(dx),
       orr_check_norm_backward_data(be, rows, c, x, mean, inv_std, gamma, mean_dy, mean_dy_xhat, dy,
                                    dx));
}
static void fenced_norm_factors(orr_backend *be, size_t rows, int c, double eps, const double *mean,
                                const double *m2, orr_real *mean_out, orr_real *inv_std,
                                orr_real *stat)
{
    DO(IN(mean) & IN(m2) & OUT(mean_out) & OUT(inv_std) & OUT(stat),
       orr_host_norm_factors(be, rows, c, eps, mean, m2, mean_out, inv_std, stat));
}
static void fenced_norm_inv_std(orr_backend *be, int c, double eps, const orr_real *var,
                                orr_real *inv_std)
{
    DO(IN(var) & OUT(inv_std), orr_host_norm_inv_std(be, c, eps, var, inv_std));
}
static void fenced_norm_means(orr_backend *be, int n, size_t rows, const double *sums,
                              orr_real *rounded, orr_real *means)
{
    DO(IN(sums) & OUT(rounded) & OUT(means),
       orr_host_norm_means(be, n, rows, sums, rounded, means));
}
static void fenced_norm_update(orr_backend *be, int c, double momentum, const orr_real *stat,
                               int n_leaves, orr_real *mean, orr_real *var)
{
    DO(IN(stat) & OUT(mean) & OUT(var),
       orr_host_norm_update(be, c, momentum, stat, n_leaves, mean, var));
}
static void fenced_add(orr_backend *be, size_t n, const orr_real *a, const orr_real *b, orr_real *y)
{
    DO(IN(a) & IN(b) & OUT(y), orr_check_add(be, n, a, b, y));
}
static void fenced_copy_channels(orr_backend *be, size_t rows, int n_c, const orr_real *x,
                                 int x_stride, orr_real *y, int y_stride)
{
    DO(IN(x) & OUT(y), orr_check_copy_channels(be, rows, n_c, x, x_stride, y, y_stride));
}
static void fenced_transpose(orr_backend *be, int n, int rows, int cols, const orr_real *x,
                             orr_real *y)
{
    DO(IN(x) & OUT(y), orr_check_transpose(be, n, rows, cols, x, y));
}
static void fenced_leaf_sum(orr_backend *be, orr_real *out, orr_real *in, size_t stride, int m,
                            size_t n)
{
    DO(OUT(out) & OUT(in), orr_host_leaf_sum(be, out, in, stride, m, n));
}

/* ---- losses and slabs ---- */

static void fenced_loss(orr_backend *be, const orr_loss *l, const orr_batch *b, const orr_real *x,
                        const int32_t *labels, const float *values, double *leaf_sums,
                        double *per_sample, orr_real *dx)
{
    DO(IN(x) & IN(labels) & IN(values) & OUT(leaf_sums) & OUT(per_sample) & OUT(dx),
       orr_host_loss(be, l, b, x, labels, values, leaf_sums, per_sample, dx));
}
static void fenced_count_correct(orr_backend *be, const orr_loss *l, const orr_batch *b,
                                 const orr_real *x, const int32_t *labels, double *right)
{
    DO(IN(x) & IN(labels) & OUT(right), orr_host_count_correct(be, l, b, x, labels, right));
}
static orr_status fenced_norm(orr_backend *be, size_t n, const orr_real *x, double *out)
{
    orr_status st = ORR_OK;

    DO(IN(x), st = orr_host_norm(be, n, x, out));
    return st == ORR_OK ? fenced_synchronise(be) : st;
}
static void fenced_adam(orr_backend *be, size_t n, const orr_step_numbers *k, orr_real *w,
                        const orr_real *g, orr_real *m, orr_real *v)
{
    DO(OUT(w) & IN(g) & OUT(m) & OUT(v), orr_host_adam(be, n, k, w, g, m, v));
}
static void fenced_momentum(orr_backend *be, size_t n, const orr_step_numbers *k, orr_real *w,
                            const orr_real *g, orr_real *buffer)
{
    DO(OUT(w) & IN(g) & OUT(buffer), orr_host_momentum(be, n, k, w, g, buffer));
}
static void fenced_sgd(orr_backend *be, size_t n, const orr_step_numbers *k, orr_real *w,
                       const orr_real *g)
{
    DO(OUT(w) & IN(g), orr_host_sgd(be, n, k, w, g));
}

const orr_backend_ops orr_backend_fenced = {
    .name = "fenced",
    .create = fenced_create,
    .destroy = fenced_destroy,
    .memory = ORR_MEM_DEVICE,
    .alloc = fenced_alloc,
    .free = fenced_free,
    .verify = fenced_verify,
    .verify_loan = fenced_verify_loan,
    .poison = fenced_poison,
    .clear = fenced_clear,
    .copy = fenced_copy,
    .upload = fenced_upload,
    .download = fenced_download,
    .mark = fenced_mark,
    .reached = orr_host_reached,
    .synchronise = fenced_synchronise,
    .linear_forward = fenced_linear_forward,
    .linear_backward_data = fenced_linear_backward_data,
    .linear_backward_params = fenced_linear_backward_params,
    .conv_plan = orr_check_conv_plan,
    .conv_forward = fenced_conv_forward,
    .conv_backward_data = fenced_conv_backward_data,
    .conv_backward_params = fenced_conv_backward_params,
    .conv_unplan = orr_check_conv_unplan,
    .max_pool_forward = fenced_max_pool_forward,
    .max_pool_backward = fenced_max_pool_backward,
    .avg_pool_forward = fenced_avg_pool_forward,
    .avg_pool_backward = fenced_avg_pool_backward,
    .act_forward = fenced_act_forward,
    .act_backward = fenced_act_backward,
    .prelu_forward = fenced_prelu_forward,
    .prelu_backward = fenced_prelu_backward,
    .softmax_forward = fenced_softmax_forward,
    .softmax_backward = fenced_softmax_backward,
    .dropout = fenced_dropout,
    .norm_moments = fenced_norm_moments,
    .norm_forward = fenced_norm_forward,
    .norm_backward_sums = fenced_norm_backward_sums,
    .norm_backward_data = fenced_norm_backward_data,
    .norm_factors = fenced_norm_factors,
    .norm_inv_std = fenced_norm_inv_std,
    .norm_means = fenced_norm_means,
    .norm_update = fenced_norm_update,
    .add = fenced_add,
    .copy_channels = fenced_copy_channels,
    .transpose = fenced_transpose,
    .leaf_sum = fenced_leaf_sum,
    .loss = fenced_loss,
    .count_correct = fenced_count_correct,
    .norm = fenced_norm,
    .adam = fenced_adam,
    .momentum = fenced_momentum,
    .sgd = fenced_sgd,
};
