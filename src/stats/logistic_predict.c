/* stats/logistic_predict.c - probabilities of new rows, block by block. */
#include "stats/logistic.h"

#include "core/memory.h"
#include "stats/logistic_kernels.h"

#include <float.h>
#include <math.h>
#include <omp.h>

enum { ROWS = ORR_LOGIT_ROWS };

typedef struct scratch {
    double *theta; /* [vectors][d + 1] */
    double *zero;  /* [d]: nothing is centred */
    double *each;  /* [threads] of the rest */
    size_t size;
} scratch;

/* 0 when a value of the block is not finite. */
static int block(const orr_logistic *m, const orr_logit_kernels *f, const scratch *s, double *z,
                 const double *x, int n, double *p)
{
    const size_t width = (size_t)m->d + 1;
    const size_t values = (size_t)n * (size_t)m->d;
    double *eta = z + width * ROWS, *label = eta + (size_t)m->vectors * ROWS;
    int bad = 0;

    for (size_t i = 0; i < values; i++)
        bad |= !(fabs(x[i]) <= DBL_MAX);
    if (bad) return 0;
    for (int r = 0; r < ROWS; r++)
        label[r] = -1;
    f->columns(x, m->d, n, s->zero, NULL, z);
    for (int k = 0; k < m->vectors; k++)
        f->logits(z, (int)width, s->theta + (size_t)k * width, n, eta + (size_t)k * ROWS);
    if (m->vectors == 1)
        f->sigmoid(eta, n);
    else
        f->softmax(eta, m->vectors, label, n, NULL, NULL, NULL);
    for (int r = 0; r < n; r++)
        for (int c = 0; c < m->n_classes; c++)
            p[(size_t)r * (size_t)m->n_classes + (size_t)c] = m->vectors > 1
                                                                  ? eta[(size_t)c * ROWS + r]
                                                              : c ? eta[r]
                                                                  : 1 - eta[r];
    return 1;
}

static orr_status allocate(const orr_logistic *m, int threads, scratch *s)
{
    const size_t d = (size_t)m->d, v = (size_t)m->vectors;

    s->size = (d + 1 + v + 1) * ROWS;
    s->theta = orr_alloc(v * (d + 1) + d, sizeof *s->theta);
    s->each = orr_alloc((size_t)threads * s->size, sizeof *s->each);
    if (!s->theta || !s->each)
        return orr_fail(ORR_ERR_NOMEM, "logistic regression: no memory to predict from %d columns",
                        m->d);
    s->zero = s->theta + v * (d + 1);
    for (size_t k = 0; k < v; k++) {
        for (size_t j = 0; j < d; j++)
            s->theta[k * (d + 1) + j] = m->w[k * d + j];
        s->theta[k * (d + 1) + d] = m->b[k];
    }
    return ORR_OK;
}

static orr_status name_value(const double *x, int64_t n, int d)
{
    for (int64_t i = 0; i < n * d; i++)
        if (!isfinite(x[i]))
            return orr_fail(ORR_ERR_NUMERIC,
                            "logistic regression: the value of row %lld, column %lld is not finite",
                            (long long)(i / d), (long long)(i % d));
    return ORR_OK;
}

orr_status orr_logistic_predict(const orr_logistic *m, const double *x, int64_t n, int threads,
                                double *p)
{
    const orr_logit_kernels *f = orr_logit_kernels_get();
    const int64_t blocks = n > 0 ? (n + ROWS - 1) / ROWS : 0;
    orr_status st = ORR_OK;
    scratch s = { 0 };
    int good = 1;

    if (n < 0 || threads < 0)
        return orr_fail(ORR_ERR_ARG, "logistic regression: %lld rows to predict, %d threads",
                        (long long)n, threads);
    if (threads == 0) threads = omp_get_max_threads();
    if (threads > blocks) threads = blocks ? (int)blocks : 1;
    ORR_TRY_GOTO(st, done, allocate(m, threads, &s));
#pragma omp parallel for num_threads(threads) schedule(static) reduction(&& : good)
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t row = b * ROWS, left = n - row;
        good = block(m, f, &s, s.each + (size_t)omp_get_thread_num() * s.size,
                     x + (size_t)row * (size_t)m->d, (int)(left < ROWS ? left : ROWS),
                     p + (size_t)row * (size_t)m->n_classes) &&
               good;
    }
    if (!good) st = name_value(x, n, m->d);
done:
    orr_free(s.theta);
    orr_free(s.each);
    return st;
}
