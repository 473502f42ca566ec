/* nn/kernels/check_conv.c - convolution (cross-correlation, as everyone trains it) with groups,
 * dilation, stride and padding that may differ on the two sides. Source: Dumoulin & Visin 2016, "A
 * guide to convolution arithmetic for deep learning". */
#include "nn/kernels/check.h"

#include "core/memory.h"

static size_t at4(int a, int b, int nb, int c, int nc, int d, int nd)
{
    return (((size_t)a * (size_t)nb + (size_t)b) * (size_t)nc + (size_t)c) * (size_t)nd + (size_t)d;
}

/* Element (i, row, col, channel) of x, and of y; element (k, r, s, c within the group) of w. */
static size_t x_at(const orr_conv_shape *s, int i, int row, int col, int c)
{
    return at4(i, row, s->h, col, s->w, c, s->c);
}
static size_t y_at(const orr_conv_shape *s, int i, int p, int q, int k)
{
    return at4(i, p, s->ho, q, s->wo, k, s->k);
}
static size_t w_at(const orr_conv_shape *s, int k, int r, int t, int c)
{
    return at4(k, r, s->r, t, s->s, c, s->c / s->groups);
}

/* Input row that output row p sees through kernel row r; it may lie in the padding. */
static int row_seen(const orr_conv_shape *s, int p, int r)
{
    return p * s->stride_h - s->pad_top + r * s->dilation_h;
}
static int col_seen(const orr_conv_shape *s, int q, int t)
{
    return q * s->stride_w - s->pad_left + t * s->dilation_w;
}

/* One axis: does the last window fit in the padded input? */
static int fits(int in, int before, int after, int size, int stride, int dilation, int out)
{
    return in > 0 && before >= 0 && after >= 0 && size > 0 && stride > 0 && dilation > 0 &&
           out > 0 &&
           (int64_t)(out - 1) * stride + (int64_t)(size - 1) * dilation + 1 <=
               (int64_t)in + before + after;
}

orr_status orr_check_conv_plan(orr_backend *be, void **plan, const orr_conv_shape *s,
                               const orr_limits *limits)
{
    (void)be;
    (void)limits;
    *plan = NULL;
    if (s->groups < 1 || s->c < 1 || s->k < 1 || s->c % s->groups || s->k % s->groups)
        return orr_fail(ORR_ERR_SHAPE,
                        "convolution: %d groups do not divide %d input and %d output channels",
                        s->groups, s->c, s->k);
    if (!fits(s->h, s->pad_top, s->pad_bottom, s->r, s->stride_h, s->dilation_h, s->ho) ||
        !fits(s->w, s->pad_left, s->pad_right, s->s, s->stride_w, s->dilation_w, s->wo))
        return orr_fail(
            ORR_ERR_SHAPE,
            "convolution: a %d x %d kernel over %d x %d pixels gives no %d x %d outputs", s->r,
            s->s, s->h, s->w, s->ho, s->wo);
    orr_conv_shape *copy = orr_alloc(1, sizeof *copy);
    if (!copy) return orr_fail(ORR_ERR_NOMEM, "convolution plan: %zu bytes", sizeof *copy);
    *copy = *s;
    *plan = copy;
    return ORR_OK;
}

void orr_check_conv_unplan(orr_backend *be, void *plan)
{
    (void)be;
    orr_free(plan);
}

/* y[i][p][q][k] = bias[k] + sum_{r,t,c} x[i][p stride - pad + r dilation][...][group c]
 * w[k][r][t][c] */
static double output_pixel(const orr_conv_shape *s, const orr_real *x, const orr_real *w, int i,
                           int p, int q, int k)
{
    int n_c = s->c / s->groups, first_c = k / (s->k / s->groups) * n_c;
    double sum = 0;

    for (int r = 0; r < s->r; r++) {
        for (int t = 0; t < s->s; t++) {
            int row = row_seen(s, p, r), col = col_seen(s, q, t);
            if (row < 0 || row >= s->h || col < 0 || col >= s->w) continue;
            const orr_real *px = x + x_at(s, i, row, col, first_c), *pw = w + w_at(s, k, r, t, 0);
            for (int c = 0; c < n_c; c++)
                sum += (double)px[c] * (double)pw[c];
        }
    }
    return sum;
}

void orr_check_conv_forward(orr_backend *be, void *plan, const orr_batch *b, const orr_real *x,
                            const orr_real *w, const orr_real *bias, orr_real *y)
{
    (void)be;
    const orr_conv_shape *s = plan;

    for (int i = 0; i < b->n; i++) {
        for (int p = 0; p < s->ho; p++) {
            for (int q = 0; q < s->wo; q++) {
                for (int k = 0; k < s->k; k++)
                    y[y_at(s, i, p, q, k)] = (orr_real)((bias ? (double)bias[k] : 0) +
                                                        output_pixel(s, x, w, i, p, q, k));
            }
        }
    }
}

/* dx[i][row][col][c] = sum over (r,t,p,q) that see the pixel, and k of c's group, of dy[i][p][q][k]
 * w[k][r][t][c] */
static double input_gradient(const orr_conv_shape *s, const orr_real *dy, const orr_real *w, int i,
                             int row, int col, int c)
{
    int n_c = s->c / s->groups, n_k = s->k / s->groups, first_k = c / n_c * n_k;
    double sum = 0;

    for (int r = 0; r < s->r; r++) {
        for (int t = 0; t < s->s; t++) {
            int down = row + s->pad_top - r * s->dilation_h,
                right = col + s->pad_left - t * s->dilation_w;
            if (down < 0 || down % s->stride_h || right < 0 || right % s->stride_w) continue;
            int p = down / s->stride_h, q = right / s->stride_w;
            if (p >= s->ho || q >= s->wo) continue;
            for (int k = first_k; k < first_k + n_k; k++)
                sum += (double)dy[y_at(s, i, p, q, k)] * (double)w[w_at(s, k, r, t, c % n_c)];
        }
    }
    return sum;
}

void orr_check_conv_backward_data(orr_backend *be, void *plan, const orr_batch *b,
                                  const orr_real *dy, const orr_real *w, orr_real *dx)
{
    (void)be;
    const orr_conv_shape *s = plan;

    for (int i = 0; i < b->n; i++) {
        for (int row = 0; row < s->h; row++) {
            for (int col = 0; col < s->w; col++) {
                for (int c = 0; c < s->c; c++)
                    dx[x_at(s, i, row, col, c)] =
                        (orr_real)input_gradient(s, dy, w, i, row, col, c);
            }
        }
    }
}

/* Samples [begin, end): sum_{i,p,q} dy[i][p][q][k] x[i][row seen][col seen][channel c of k's group]
 */
static double weight_gradient(const orr_conv_shape *s, const orr_real *x, const orr_real *dy,
                              int begin, int end, const int krtc[4])
{
    int k = krtc[0], n_c = s->c / s->groups, c = k / (s->k / s->groups) * n_c + krtc[3];
    double sum = 0;

    for (int i = begin; i < end; i++) {
        for (int p = 0; p < s->ho; p++) {
            int row = row_seen(s, p, krtc[1]);
            if (row < 0 || row >= s->h) continue;
            for (int q = 0; q < s->wo; q++) {
                int col = col_seen(s, q, krtc[2]);
                if (col < 0 || col >= s->w) continue;
                sum += (double)dy[y_at(s, i, p, q, k)] * (double)x[x_at(s, i, row, col, c)];
            }
        }
    }
    return sum;
}

/* dw[segment][k][r][t][c]: each leaf's gradient, rounded, then the tree over the segment's leaves
 */
static void segment_weights(const orr_conv_shape *s, const orr_batch *b, int segment,
                            const orr_real *x, const orr_real *dy, orr_real *dw)
{
    orr_real leaf[ORR_MAX_LEAVES];
    int first = b->segment[segment], m = b->segment[segment + 1] - first, n_c = s->c / s->groups;
    int count = s->k * s->r * s->s * n_c;

    for (int j = 0; j < count; j++) {
        const int krtc[4] = { j / (s->r * s->s * n_c), j / (s->s * n_c) % s->r, j / n_c % s->s,
                              j % n_c };
        for (int l = 0; l < m; l++)
            leaf[l] = (orr_real)weight_gradient(s, x, dy, b->leaf[first + l],
                                                b->leaf[first + l + 1], krtc);
        orr_leaf_sum(&dw[j], leaf, 1, m, 1);
    }
}

void orr_check_conv_backward_params(orr_backend *be, void *plan, const orr_batch *b,
                                    const orr_real *x, const orr_real *dy, orr_real *const *dw,
                                    orr_real *const *db)
{
    (void)be;
    const orr_conv_shape *s = plan;

    for (int segment = 0; segment < b->n_segments; segment++)
        segment_weights(s, b, segment, x, dy, dw[segment]);
    if (db) orr_check_bias_gradient(b, (size_t)s->ho * (size_t)s->wo, s->k, dy, db);
}
