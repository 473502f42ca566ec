/* tests/stats/dump_metric.c - all metrics that are defined for the cases in a raw binary file, for
 * metric.py beside it: a line "number-of-case name value" each.  A case: int64 {kind
 * (orr_metric_case), n, k columns}, double threshold, double ends[2] of the bins, int32 labels[n]
 * or float values[n], double p[n][k]. */
#include "stats/metric.h"

#include "tests/stats/dump.h"
#include "tests/stats/metric_input.h"

static void show(FILE *f, const head *h, int number)
{
    const int classes = h->kind == ORR_CASE_BINARY || h->kind == ORR_CASE_MULTICLASS;
    double *ends = take(f, 2, sizeof *ends);
    void *truth = take(f, h->n, 4);
    double *p = take(f, h->n * h->k, sizeof *p);
    orr_bins bins = { (int)h->k, ends[0], ends[1] };
    judged j;

    if (!failed(judge(&j, (orr_metric_case)h->kind, h->n, (int)h->k, classes ? truth : NULL,
                      classes ? NULL : truth, p, &bins, h->parameter)))
        for (int i = 0; i < orr_n_metric_rows; i++)
            if (orr_metric_rows[i].cases >> h->kind & 1)
                printf("%d %s %.17g\n", number, orr_metric_rows[i].name,
                       orr_metric_value(&orr_metric_rows[i], &j.in));
    judged_free(&j);
    free(ends);
    free(truth);
    free(p);
}

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    head h;

    if (!f) {
        fprintf(stderr, "usage: dump_metric CASES\n");
        return 2;
    }
    for (int i = 0; fread(&h, sizeof h, 1, f) == 1; i++)
        show(f, &h, i);
    fclose(f);
    return 0;
}
