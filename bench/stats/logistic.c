/* bench/stats/logistic.c - times fits and grid searches of logistic regression on data from a file,
 * on request: bench/peers/logistic.py talks to this.
 *
 *   bench_stats_logistic FILE     then, a line each on standard input:
 *     fit C TOLERANCE THREADS     answers: seconds iterations converged objective max_gradient w...
 *                                 b...
 *     grid THREADS                answers: seconds best iterations, then all [C][fold] AUC, then
 *                                 log loss
 *
 * FILE: int64 n, d, n_classes, n_folds, n_c; double x[n][d]; int32 y[n], fold[n]; double c[n_c]. */
#include "stats/logistic/logistic.h"
#include "core/memory.h"
#include "stats/logistic/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct data {
    int64_t head[5]; /* n, d, n_classes, n_folds, n_c */
    double *x, *c;
    int32_t *y, *fold;
} data;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(orr_status st)
{
    if (st == ORR_OK) return;
    fprintf(stderr, "bench_stats_logistic: %s\n", orr_error_text());
    exit(1);
}

static void *take(FILE *f, int64_t n, size_t size)
{
    void *p = orr_alloc((size_t)n, size);

    if (!p || fread(p, size, (size_t)n, f) != (size_t)n) {
        fprintf(stderr, "bench_stats_logistic: the file is cut short\n");
        exit(1);
    }
    return p;
}

static void load(data *t, const char *path)
{
    FILE *f = fopen(path, "rb");

    if (!f || fread(t->head, sizeof t->head, 1, f) != 1) {
        fprintf(stderr, "bench_stats_logistic: cannot read %s\n", path);
        exit(1);
    }
    t->x = take(f, t->head[0] * t->head[1], sizeof *t->x);
    t->y = take(f, t->head[0], sizeof *t->y);
    t->fold = take(f, t->head[0], sizeof *t->fold);
    t->c = take(f, t->head[4], sizeof *t->c);
    fclose(f);
}

static void fit(const data *t, double c, double tolerance, int threads)
{
    orr_logistic_rows rows = {
        .x = t->x, .y = t->y, .n = t->head[0], .d = (int)t->head[1], .n_classes = (int)t->head[2]
    };
    orr_logistic_opts o = ORR_LOGISTIC_OPTS_INIT;
    orr_logistic *m;

    o.c = c;
    o.threads = threads;
    if (tolerance > 0) o.tolerance = tolerance;
    double start = now();
    must(orr_logistic_fit(&m, &rows, &o));
    printf("%.9g %d %d %.17g %.3g", now() - start, m->iterations, m->converged, m->objective,
           m->max_gradient);
    for (int i = 0; i < m->vectors * m->d; i++)
        printf(" %.17g", m->w[i]);
    for (int i = 0; i < m->vectors; i++)
        printf(" %.17g", m->b[i]);
    printf("\n");
    orr_logistic_destroy(m);
}

static void grid(const data *t, int threads)
{
    const int n_c = (int)t->head[4], folds = (int)t->head[3], n = n_c * folds;
    orr_logistic_grid_input in = { .x = t->x,
                                   .y = t->y,
                                   .fold = t->fold,
                                   .n = t->head[0],
                                   .d = (int)t->head[1],
                                   .n_classes = (int)t->head[2],
                                   .n_folds = folds,
                                   .c = t->c,
                                   .n_c = n_c };
    orr_logistic_scores s = { .auc = orr_alloc((size_t)n, sizeof(double)),
                              .log_loss = orr_alloc((size_t)n, sizeof(double)),
                              .iterations = orr_alloc((size_t)n, sizeof(int32_t)) };
    int *tasks = orr_alloc((size_t)n, sizeof *tasks), best, iterations = 0;
    orr_logistic_grid *g;
    double start = now();

    must(orr_logistic_grid_create(&g, &in));
    for (int i = 0; i < orr_logistic_grid_tasks(g); i++)
        tasks[i] = i;
    must(orr_logistic_grid_run(g, tasks, orr_logistic_grid_tasks(g), threads, &s));
    must(orr_logistic_grid_choose(s.auc, n_c, folds, &best, NULL, NULL));
    orr_logistic_grid_destroy(g);
    double seconds = now() - start;
    for (int i = 0; i < n; i++)
        iterations += s.iterations[i];
    printf("%.9g %d %d", seconds, best, iterations);
    for (int i = 0; i < n; i++)
        printf(" %.17g", s.auc[i]);
    for (int i = 0; i < n; i++)
        printf(" %.17g", s.log_loss[i]);
    printf("\n");
    orr_free(s.auc);
    orr_free(s.log_loss);
    orr_free(s.iterations);
    orr_free(tasks);
}

int main(int argc, char **argv)
{
    data t;
    char line[256];

    if (argc != 2) {
        fprintf(stderr, "usage: bench_stats_logistic FILE\n");
        return 2;
    }
    load(&t, argv[1]);
    while (fgets(line, sizeof line, stdin)) {
        char *at = line + 4;
        if (strncmp(line, "fit ", 4) == 0) {
            double c = strtod(at, &at), tolerance = strtod(at, &at);
            fit(&t, c, tolerance, (int)strtol(at, NULL, 10));
        } else if (strncmp(line, "grid ", 5) == 0) {
            grid(&t, (int)strtol(at, NULL, 10));
        } else {
            fprintf(stderr, "bench_stats_logistic: what is %s", line);
        }
        fflush(stdout);
    }
    orr_free(t.x);
    orr_free(t.y);
    orr_free(t.fold);
    orr_free(t.c);
    return 0;
}
