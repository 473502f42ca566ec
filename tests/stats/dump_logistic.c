/* tests/stats/dump_logistic.c - runs logistic regression, its grid search and the blends over the
 * cases in a raw binary file and prints one line of numbers each, for logistic.py beside it.  A
 * case: int64 {kind, n, k}, double parameter, then what the kind needs. */
#include "stats/blend.h"
#include "stats/logistic/grid.h"
#include "stats/logistic/logistic.h"
#include "tests/stats/dump.h"

#include <inttypes.h>

enum { FIT = 0, GRID = 1, MEAN = 2, RANKS = 3, WEIGHTS = 4 };

static void print(const double *v, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        printf(" %.17g", v[i]);
}

/* parameter C; int64 d; x, y.  converged separable iterations objective max_gradient w b p */
static void fit(FILE *f, const head *h)
{
    int64_t *d = take(f, 1, sizeof *d);
    double *x = take(f, h->n * *d, sizeof *x), *p = calloc((size_t)(h->n * h->k), sizeof *p);
    int32_t *y = take(f, h->n, sizeof *y);
    orr_logistic_rows rows = { .x = x, .y = y, .n = h->n, .d = (int)*d, .n_classes = (int)h->k };
    orr_logistic_opts o = ORR_LOGISTIC_OPTS_INIT;
    orr_logistic *m;

    o.c = h->parameter;
    if (!failed(orr_logistic_fit(&m, &rows, &o))) {
        if (!failed(orr_logistic_predict(m, x, h->n, 1, p))) {
            printf("%d %d %d %.17g %.17g", m->converged, m->separable, m->iterations, m->objective,
                   m->max_gradient);
            print(m->w, (int64_t)m->vectors * m->d);
            print(m->b, m->vectors);
            print(p, h->n * h->k);
            printf("\n");
        }
        orr_logistic_destroy(m);
    }
    free(d);
    free(x);
    free(y);
    free(p);
}

/* int64 d, folds, n_c; x, y, fold, c.  best, auc[c][fold], log loss[c][fold] */
static void grid(FILE *f, const head *h)
{
    int64_t *size = take(f, 3, sizeof *size), n = size[1] * size[2];
    double *x = take(f, h->n * size[0], sizeof *x);
    int32_t *y = take(f, h->n, sizeof *y), *fold = take(f, h->n, sizeof *fold);
    double *c = take(f, size[2], sizeof *c), *scores = calloc(2 * (size_t)n, sizeof *scores);
    int32_t *iterations = calloc((size_t)n, sizeof *iterations);
    int *tasks = calloc((size_t)n, sizeof *tasks), best;
    orr_logistic_scores s = { .auc = scores, .log_loss = scores + n, .iterations = iterations };
    orr_logistic_grid_input in = { .x = x,
                                   .y = y,
                                   .fold = fold,
                                   .n = h->n,
                                   .d = (int)size[0],
                                   .n_classes = (int)h->k,
                                   .n_folds = (int)size[1],
                                   .c = c,
                                   .n_c = (int)size[2] };
    orr_logistic_grid *g;

    if (!failed(orr_logistic_grid_create(&g, &in))) {
        for (int i = 0; i < orr_logistic_grid_tasks(g); i++)
            tasks[i] = i;
        if (!failed(orr_logistic_grid_run(g, tasks, orr_logistic_grid_tasks(g), 1, &s)) &&
            !failed(orr_logistic_grid_choose(s.auc, in.n_c, in.n_folds, &best, NULL, NULL))) {
            printf("%d", best);
            print(scores, 2 * n);
            printf("\n");
        }
        orr_logistic_grid_destroy(g);
    }
    free(size);
    free(x);
    free(y);
    free(fold);
    free(c);
    free(scores);
    free(iterations);
    free(tasks);
}

/* int64 m; x[n][m][k] (and y).  out[n][k], or the loss and the weights */
static void blend(FILE *f, const head *h)
{
    int64_t *m = take(f, 1, sizeof *m);
    double *x = take(f, h->n * *m * h->k, sizeof *x);
    double *out = calloc((size_t)(h->n * h->k + *m), sizeof *out), loss = 0;
    int32_t *y = h->kind == WEIGHTS ? take(f, h->n, sizeof *y) : NULL;
    orr_status st = h->kind == MEAN ? orr_blend_mean(x, h->n, (int)*m, (int)h->k, out)
                    : h->kind == RANKS
                        ? orr_blend_ranks(x, h->n, (int)*m, (int)h->k, out)
                        : orr_blend_weights(x, y, h->n, (int)*m, (int)h->k, out, &loss);

    if (!failed(st)) {
        if (h->kind == WEIGHTS) printf("%.17g", loss);
        print(out, h->kind == WEIGHTS ? *m : h->n * h->k);
        printf("\n");
    }
    free(m);
    free(x);
    free(out);
    free(y);
}

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    head h;

    if (!f) {
        fprintf(stderr, "usage: dump_logistic CASES\n");
        return 2;
    }
    while (fread(&h, sizeof h, 1, f) == 1) {
        if (h.kind == FIT)
            fit(f, &h);
        else if (h.kind == GRID)
            grid(f, &h);
        else
            blend(f, &h);
    }
    fclose(f);
    return 0;
}
