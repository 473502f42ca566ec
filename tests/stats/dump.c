/* tests/stats/dump.c - runs orr_stats over the cases in a raw binary file and prints one line of
 * numbers each, for the oracles in Python beside it.  A case: int64 {kind, n, k}, double
 * parameter, then what the kind needs. */
#include "stats/folds.h"
#include "stats/kfold.h"
#include "stats/metrics.h"
#include "stats/redshift.h"

#include "tests/stats/dump.h"

#include <inttypes.h>

enum {
    ROC = 0,
    CLASSES = 1,
    REGRESSION = 2,
    SPLIT = 3,
    STRATIFIED = 4,
    REDSHIFT = 5,
    GROUPS = 6,
    DENSITIES = 7,
    KFOLD = 8
};

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

    if (!failed(orr_regression_metrics(y, p, h->n, (int)h->k, &r, NULL)))
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

/* k: folds; the parameter is the seed; {kind, shuffle, repeats} come first.  The folds of each
 * repeat. */
static void kfold(FILE *f, const head *h)
{
    int64_t *how = take(f, 4, sizeof *how), *groups = NULL;
    orr_kfold_opts o = { (orr_fold_kind)how[0], (int)h->k, (int)how[1], (orr_sklearn)how[3] };
    int32_t *labels = NULL, *fold = calloc((size_t)(h->n * how[2]) + 1, sizeof *fold);
    orr_numpy_random rng;
    orr_status st = ORR_OK;

    if (o.kind == ORR_FOLDS_STRATIFIED || o.kind == ORR_FOLDS_STRATIFIED_GROUP)
        labels = take(f, h->n, sizeof *labels);
    if (o.kind == ORR_FOLDS_GROUP || o.kind == ORR_FOLDS_STRATIFIED_GROUP)
        groups = take(f, h->n, sizeof *groups);
    orr_numpy_seed(&rng, (uint32_t)h->parameter);
    for (int64_t r = 0; fold && st == ORR_OK && r < how[2]; r++)
        st = orr_kfold(fold + r * h->n, h->n, labels, groups, &o, &rng);
    if (fold && !failed(st)) {
        for (int64_t i = 0; i < h->n * how[2]; i++)
            printf("%" PRId32 " ", fold[i]);
        printf("\n");
    }
    free(how);
    free(labels);
    free(groups);
    free(fold);
}

static void print_redshift(const orr_redshift *r)
{
    printf("%" PRId64 " %.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g", r->n, r->bias,
           r->sigma_mad, r->eta, r->rmse, r->mae, r->crps, r->pit_mean, r->pit_deviation,
           r->pit_chi2, r->pit_p);
    for (int k = 0; k < ORR_PIT_BINS; k++)
        printf(" %" PRId64, r->pit[k]);
}

/* k: bins of the densities, whose ends follow; the parameter is the bound of outliers. */
static void redshift(FILE *f, const head *h)
{
    double *ends = take(f, 2, sizeof *ends), *z_phot = take(f, h->n, sizeof *z_phot);
    float *z_spec = take(f, h->n, sizeof *z_spec);
    double *p = h->k > 0 ? take(f, h->n * h->k, sizeof *p) : NULL;
    orr_bins bins = { (int)h->k, ends[0], ends[1] };
    orr_redshift r;

    if (!failed(orr_redshift_metrics(z_phot, z_spec, h->n, p, &bins, h->parameter, &r))) {
        print_redshift(&r);
        printf("\n");
    }
    free(ends);
    free(z_phot);
    free(z_spec);
    free(p);
}

/* k: groups of equal numbers by a last column; densities over 10 bins of [0, 1]. */
static void groups(FILE *f, const head *h)
{
    double *z_phot = take(f, h->n, sizeof *z_phot);
    float *z_spec = take(f, h->n, sizeof *z_spec);
    double *p = take(f, h->n * 10, sizeof *p), *by = take(f, h->n, sizeof *by);
    orr_bins bins = { 10, 0, 1 };
    double *edges = calloc((size_t)h->k + 1, sizeof *edges);
    orr_redshift *r = calloc((size_t)h->k, sizeof *r);

    if (r && edges && !failed(orr_quantile_edges(by, h->n, (int)h->k, edges)) &&
        !failed(orr_redshift_by(z_phot, z_spec, h->n, p, &bins, h->parameter, by, edges, (int)h->k,
                                r))) {
        for (int64_t g = 0; g <= h->k; g++)
            printf("%.17g ", edges[g]);
        for (int64_t g = 0; g < h->k; g++) {
            print_redshift(&r[g]);
            printf(" ");
        }
        printf("\n");
    }
    free(z_phot);
    free(edges);
    free(z_spec);
    free(p);
    free(by);
    free(r);
}

/* PIT and CRPS of each row. */
static void densities(FILE *f, const head *h)
{
    double *ends = take(f, 2, sizeof *ends), *z = take(f, h->n, sizeof *z);
    double *p = take(f, h->n * h->k, sizeof *p);
    orr_bins bins = { (int)h->k, ends[0], ends[1] };

    for (int64_t i = 0; i < h->n; i++) {
        double pit, crps;
        orr_pit_crps(&bins, p + i * h->k, z[i], &pit, &crps);
        printf("%.17g %.17g ", pit, crps);
    }
    printf("\n");
    free(ends);
    free(z);
    free(p);
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
        if (h.kind == REDSHIFT) redshift(f, &h);
        if (h.kind == GROUPS) groups(f, &h);
        if (h.kind == DENSITIES) densities(f, &h);
        if (h.kind == KFOLD) kfold(f, &h);
        if (h.kind == SPLIT || h.kind == STRATIFIED) split(f, &h);
    }
    fclose(f);
    return 0;
}
