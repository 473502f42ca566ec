/* nn/kernels/cpu/linear_params.c - dense layers: gradients of weights and biases.
 *
 * A tile of the gradient (6 outputs x 4 vectors of inputs) is made leaf by leaf in registers, and
 * the tree over the leaves of a segment is folded on a small stack of tiles in the first cache, so
 * the gradient is written once. */
#include "nn/isa_private.h"
#include "nn/kernels/cpu/cpu.h"
#include "nn/kernels/cpu/leaf_stack_private.h"
#include "nn/kernels/cpu/tile.h"

#include <string.h>

enum {
    TILE = ORR_TILE_ROWS * ORR_TILE_MAX_WIDE * ORR_TILE_MAX_LANES,
    CHUNK = 64,
    THREAD_WORK = 1 << 16
};

typedef struct params_args {
    const orr_tiles *t;
    const orr_batch *b;
    int in, out;
    const float *x, *dy;
} params_args;

/* dw[o .. o + rows)[k .. k + wide vectors) of leaves [first, first + m). */
static void weight_tile(const params_args *p, int first, int m, int o, int height, int k, int wide,
                        float *dw)
{
    float stack[ORR_LEAF_DEPTH * TILE] __attribute__((aligned(64)));

    p->t->outer[wide][height](&(orr_outer_args){ .m = m,
                                                 .leaf = p->b->leaf + first,
                                                 .a = p->dy + o,
                                                 .ai = 1,
                                                 .aj = (size_t)p->out,
                                                 .b = p->x + k,
                                                 .ldb = (size_t)p->in,
                                                 .stack = stack,
                                                 .c = dw + (size_t)o * p->in + k,
                                                 .ldc = (size_t)p->in });
}

static void weight_rows(const params_args *p, int first, int m, int o, int height, int rows,
                        float *dw)
{
    int lanes = p->t->lanes, strip = lanes * p->t->wide, k = 0;

    if (m == 0) {
        memset(dw + (size_t)o * p->in, 0, (size_t)rows * p->in * sizeof *dw);
        return;
    }
    for (; k + strip <= p->in; k += strip)
        weight_tile(p, first, m, o, height, k, 1, dw);
    for (; k < p->in; k += lanes) /* the last overlaps: the same bits again */
        weight_tile(p, first, m, o, height, k + lanes > p->in ? p->in - lanes : k, 0, dw);
}

ORR_INLINE void add_rows_body(int n, int width, const float *dy, size_t ld, float *sum)
{
    for (int s = 0; s < n; s++)
        for (int j = 0; j < width; j++)
            sum[j] += dy[(size_t)s * ld + j];
}
ORR_CLONES(add_rows, (int n, int width, const float *dy, size_t ld, float *sum),
           (n, width, dy, ld, sum))

/* db[o .. o + width) of one segment. */
static void bias_chunk(const params_args *p, int first, int m, int o, int width, float *db)
{
    float stack[ORR_LEAF_DEPTH + 1][CHUNK];

    memset(stack[0], 0, sizeof stack[0]);
    for (int i = 0; i < m; i++) {
        int s = p->b->leaf[first + i], top = orr_leaf_held(i);
        memset(stack[top], 0, sizeof stack[top]);
        add_rows(p->b->leaf[first + i + 1] - s, width, p->dy + (size_t)s * p->out + o,
                 (size_t)p->out, stack[top]);
        for (int a = orr_leaf_merges(i, m); a > 0; a--, top--)
            add_rows(1, width, stack[top], 0, stack[top - 1]);
    }
    memcpy(db + o, stack[0], (size_t)width * sizeof *db);
}

static void backward_weights(const params_args *p, float *const *dw)
{
    const orr_batch *b = p->b;
    int six = p->out / ORR_TILE_ROWS, units = six + (p->out % ORR_TILE_ROWS != 0);

    for (int r = 0; r < b->n_segments; r++) {
        int first = b->segment[r], m = b->segment[r + 1] - first;
        size_t work = (size_t)(b->leaf[first + m] - b->leaf[first]) * p->in * p->out;
#pragma omp parallel for schedule(static) if (work > THREAD_WORK)
        for (int u = 0; u < units; u++) {
            int o = u * ORR_TILE_ROWS, end = u < six ? o + ORR_TILE_ROWS : p->out, rows;
            for (; o < end; o += rows) {
                int height = orr_tile_pick(end - o, &rows);
                weight_rows(p, first, m, o, height, rows, dw[r]);
            }
        }
    }
}

void orr_cpu_linear_backward_params(orr_backend *be, const orr_batch *b, int in, int out,
                                    const float *x, const float *dy, float *const *dw,
                                    float *const *db)
{
    (void)be;
    const params_args p = { orr_tiles_get(), b, in, out, x, dy };

    if (in < p.t->lanes)
        orr_cpu_narrow_backward_weights(b, in, out, x, dy, dw);
    else
        backward_weights(&p, dw);
    for (int r = 0; db && r < b->n_segments; r++)
        for (int o = 0; o < out; o += CHUNK)
            bias_chunk(&p, b->segment[r], b->segment[r + 1] - b->segment[r], o,
                       out - o < CHUNK ? out - o : CHUNK, db[r]);
}
