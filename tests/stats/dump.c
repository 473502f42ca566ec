/* tests/stats/dump.c - runs orr_stats over the cases in a raw binary file and prints one line of
 * numbers each, for the scikit-learn oracles beside it.  A case: int64 {kind, n, k}, double
 * parameter, then what the kind needs. */
#include "stats/folds.h"
#include "stats/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROC = 0, CLASSES = 1, REGRESSION = 2, SPLIT = 3, STRATIFIED = 4 };

typedef struct head {
    int64_t kind, n, k;
    double parameter;
} head;

static void *take(FILE *f, int64_t n, size_t size)
{
    void *p = calloc(n > 0 ? (size_t)n : 1, size);

    if (!p || fread(p, size, (size_t)n, f) != (size_t)n) {
        fprintf(stderr, "the case file is cut short\n");
        exit(2);
    }
    return p;
}

static int failed(orr_status st)
{
    if (st != ORR_OK) printf("error %d %s\n", (int)st, orr_error_text());
    return st != ORR_OK;
}

static void roc(FILE *f, const head *h)
{
    int32_t *y = take(f, h->n, sizeof *y);
    double *score = take(f, h->n, sizeof *score);
    double auc, ap;

    if (!failed(orr_roc_auc(y, score, h->n, &auc)) &&
        !failed(orr_average_precision(y, score, h->n, &ap)))
        printf("%.17g %.17g\n", auc, ap);
    free(y);
    free(score);
}

static void classes(FILE *f, const head *h)
{
    int32_t *y = take(f, h->n, sizeof *y);
    double *p = take(f, h->n * h->k, sizeof *p);
    orr_classification *m;

    if (!failed(orr_classification_create(&m, y, p, h->n, (int)h->k, h->parameter))) {
        printf("%.17g %.17g %.17g %.17g %.17g %.17g %.17g", m->accuracy, m->balanced_accuracy,
               m->log_loss, m->macro_f1, m->auc, m->average_precision, m->baseline_accuracy);
        for (int64_t i = 0; i < h->k * h->k; i++)
            printf(" %" PRId64, m->confusion[i]);
        for (int64_t c = 0; c < h->k; c++) {
            orr_class_metrics *q = &m->classes[c];
            printf(" %" PRId64 " %" PRId64 " %" PRId64 " %.17g %.17g %.17g %.17g", q->support,
                   q->predicted, q->correct, q->precision, q->recall, q->f1, q->auc);
        }
        printf("\n");
        orr_classification_destroy(m);
    }
    free(y);
    free(p);
}

static void regression(FILE *f, const head *h)
{
    float *y = take(f, h->n * h->k, sizeof *y);
    double *p = take(f, h->n * h->k, sizeof *p);
    orr_regression r;

    if (!failed(orr_regression_metrics(y, p, h->n, (int)h->k, &r)))
        printf("%.17g %.17g %.17g %.17g %.17g %.17g\n", r.mse, r.rmse, r.mae, r.r2, r.bias,
               r.sigma_mad);
    free(y);
    free(p);
}

/* k is the seed. */
static void split(FILE *f, const head *h)
{
    int32_t *labels = h->kind == STRATIFIED ? take(f, h->n, sizeof *labels) : NULL;
    int64_t *train = calloc((size_t)h->n + 1, sizeof *train);
    int64_t *test = calloc((size_t)h->n + 1, sizeof *test);
    int64_t n_train, n_test;

    if (train && test &&
        !failed(orr_train_test_split(labels, h->n, h->parameter, (uint32_t)h->k, train, &n_train,
                                     test, &n_test))) {
        printf("%" PRId64 " %" PRId64, n_train, n_test);
        for (int64_t i = 0; i < n_train; i++)
            printf(" %" PRId64, train[i]);
        for (int64_t i = 0; i < n_test; i++)
            printf(" %" PRId64, test[i]);
        printf("\n");
    }
    free(labels);
    free(train);
    free(test);
}

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    head h;

    if (!f) {
        fprintf(stderr, "usage: dump_stats CASES\n");
        return 2;
    }
    while (fread(&h, sizeof h, 1, f) == 1) {
        if (h.kind == ROC) roc(f, &h);
        if (h.kind == CLASSES) classes(f, &h);
        if (h.kind == REGRESSION) regression(f, &h);
        if (h.kind == SPLIT || h.kind == STRATIFIED) split(f, &h);
    }
    fclose(f);
    return 0;
}
