/* stats/logistic/sums.c - loss, gradient and Hessian: blocks of rows into lanes, lanes into leaves,
 * leaves along the tree.  Threads share out whole leaves.
 *
 * The loss of rows is sum(line) + log(product(factor)): one logarithm for many rows, whose product
 * stays below 2^768. */
#include "stats/logistic/logistic_private.h"

#include "core/leaves.h"
#include "core/memory.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { ROWS = ORR_LOGIT_ROWS, LANES = ORR_LOGIT_LANES };

static size_t triangle(int p)
{
    return (size_t)p * (size_t)(p + 1) / 2;
}

void orr_logit_shape(orr_logit_problem *q, int d, int n_classes, int newton)
{
    q->d = d;
    q->p = d + 1;
    q->n_classes = n_classes;
    q->vectors = n_classes == 2 ? 1 : n_classes;
    q->unknowns = q->vectors * q->p;
    q->pairs = newton ? q->vectors * (q->vectors + 1) / 2 : 0;
    q->n_sums = ORR_SUM_GRADIENT + (size_t)q->unknowns + (size_t)q->pairs * triangle(q->p);
    q->every = 1;
    q->kernels = orr_logit_kernels_get();
}

static size_t lanes_of(const orr_logit_problem *q)
{
    return LANES * (1 + (size_t)q->unknowns + (size_t)q->pairs * (size_t)q->p * (size_t)q->p);
}

void *orr_logit_reserve(orr_logit_problem *q)
{
    const size_t k = (size_t)q->vectors, own = q->x ? (size_t)q->p * ROWS : 0;
    const size_t each = own + (2 * k + 4) * ROWS + lanes_of(q);
    const size_t padded = (each + 7) / 8 * 8, sums = ((size_t)q->n_leaves * q->n_sums + 7) / 8 * 8;
    const size_t pointers = ((size_t)q->threads * sizeof *q->work + 63) / 64 * 8;
    double *all = orr_alloc(pointers + sums + (size_t)q->threads * padded, sizeof *all);
    double *at = all;

    if (!all) return NULL;
    q->work = (orr_logit_work *)(void *)at;
    at += pointers;
    q->sums = at;
    at += sums;
    for (int t = 0; t < q->threads; t++, at += padded) {
        orr_logit_work *w = &q->work[t];
        w->z = at;
        w->eta = w->z + own;
        w->res = w->eta + k * ROWS;
        w->weight = w->res + k * ROWS;
        w->line = w->weight + ROWS;
        w->factor = w->line + ROWS;
        w->label = w->factor + ROWS;
        w->acc = w->label + ROWS;
    }
    return all;
}

void orr_logit_block(const orr_logit_problem *q, const orr_logit_leaf *leaf, int64_t b,
                     orr_logit_work *w, const double **z, const double **label, int *n)
{
    const int64_t left = leaf->n - b * ROWS;

    *n = (int)(left < ROWS ? left : ROWS);
    if (!q->x) {
        *z = q->z + (size_t)(leaf->first + b) * (size_t)q->p * ROWS;
        *label = q->n_classes > 2 ? q->label + (size_t)(leaf->first + b) * ROWS : NULL;
        return;
    }
    const int64_t row = leaf->first + b * ROWS;
    const int two = q->n_classes == 2;
    for (int r = 0; r < *n; r++)
        w->label[r] = two ? (q->y[row + r] ? 1 : -1) : q->y[row + r];
    for (int r = *n; r < ROWS; r++)
        w->label[r] = -1;
    q->kernels->columns(q->x + (size_t)row * (size_t)q->d, q->d, *n, q->centre,
                        two ? w->label : NULL, w->z);
    *z = w->z;
    *label = w->label;
}

/* sum of log(factor); adds the line parts to their lanes. */
static double loss_of(const orr_logit_work *w, int n, int n_classes)
{
    const int whole = (n + LANES - 1) / LANES * LANES, group = n_classes <= 8 ? ROWS : 64;
    double sum = 0;

    for (int from = 0; from < whole; from += group) {
        double product[LANES] = { 1, 1, 1, 1, 1, 1, 1, 1 };
        int to = whole - from < group ? whole : from + group;
        for (int r = from; r < to; r += LANES)
            for (int l = 0; l < LANES; l++) {
                product[l] *= w->factor[r + l];
                w->acc[l] += w->line[r + l];
            }
        sum += log(((product[0] * product[4]) * (product[2] * product[6])) *
                   ((product[1] * product[5]) * (product[3] * product[7])));
    }
    return sum;
}

static double block_sums(const orr_logit_problem *q, const double *theta, int hessian,
                         orr_logit_work *w, const double *z, const double *label, int n)
{
    const orr_logit_kernels *f = q->kernels;
    double *gradient = w->acc + LANES, *gram = gradient + (size_t)q->unknowns * LANES;

    for (int k = 0; k < q->vectors; k++)
        f->logits(z, q->p, theta + (size_t)k * q->p, n, w->eta + (size_t)k * ROWS);
    if (q->n_classes == 2)
        f->binary(w->eta, n, w->res, w->weight, w->line, w->factor);
    else
        f->softmax(w->eta, q->n_classes, label, n, w->res, w->line, w->factor);
    for (int k = 0; k < q->vectors; k++)
        f->dots(z, q->p, w->res + (size_t)k * ROWS, n, gradient + (size_t)k * q->p * LANES);
    for (int a = 0; hessian && a < q->vectors; a++)
        for (int b = a; b < q->vectors; b++, gram += (size_t)q->p * q->p * LANES) {
            if (q->n_classes > 2)
                f->pair(w->eta + (size_t)a * ROWS, w->eta + (size_t)b * ROWS, a == b, label, n,
                        w->weight);
            f->gram(z, q->p, w->weight, n, gram);
        }
    return loss_of(w, n, q->n_classes);
}

static double folded(const double *l)
{
    return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

static void leaf_sums(const orr_logit_problem *q, const double *theta, int hessian,
                      const orr_logit_leaf *leaf, orr_logit_work *w, double *out)
{
    const int64_t blocks = (leaf->n + ROWS - 1) / ROWS;
    const size_t lanes = hessian ? lanes_of(q) : LANES * (1 + (size_t)q->unknowns);
    const double *acc = w->acc;
    double logs = 0;

    memset(w->acc, 0, lanes * sizeof *w->acc);
    for (int64_t b = 0; b < blocks; b += q->every) {
        const double *z, *label;
        int n;
        orr_logit_block(q, leaf, b, w, &z, &label, &n);
        logs += block_sums(q, theta, hessian, w, z, label, n);
    }
    out[ORR_SUM_LINE] = folded(acc);
    out[ORR_SUM_LOSS] = out[ORR_SUM_LINE] + logs;
    acc += LANES;
    out += ORR_SUM_GRADIENT;
    for (int u = 0; u < q->unknowns; u++, acc += LANES)
        *out++ = folded(acc);
    for (int a = 0; hessian && a < q->pairs; a++, acc += (size_t)q->p * q->p * LANES)
        for (int i = 0; i < q->p; i++)
            for (int j = i; j < q->p; j++)
                *out++ = folded(acc + ((size_t)i * q->p + j) * LANES);
}

orr_status orr_logit_reduce(const orr_logit_problem *q, double *in, double *out, size_t n)
{
    if (q->reduce) return q->reduce(q->ctx, in, out, n);
    orr_leaf_sum_f64(out, in, n, q->n_leaves, n);
    return ORR_OK;
}

orr_status orr_logit_sums(const orr_logit_problem *q, const double *theta, int hessian, double *out)
{
    const size_t n = hessian ? q->n_sums : ORR_SUM_GRADIENT + (size_t)q->unknowns;

    if (q->threads == 1) {
        for (int i = 0; i < q->n_leaves; i++)
            leaf_sums(q, theta, hessian, &q->leaves[i], &q->work[0], q->sums + (size_t)i * n);
        return orr_logit_reduce(q, q->sums, out, n);
    }
#pragma omp parallel for num_threads(q->threads) schedule(dynamic, 1)
    for (int i = 0; i < q->n_leaves; i++)
        leaf_sums(q, theta, hessian, &q->leaves[i], &q->work[omp_get_thread_num()],
                  q->sums + (size_t)i * n);
    return orr_logit_reduce(q, q->sums, out, n);
}
