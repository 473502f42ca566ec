/* tests/stats/test_metric.c - every row: names, cases and places that do not collide, NaN where
 * there is no truth, the right direction, and a line in docs/metrics.md.  metric.py compares the
 * values. */
#include "stats/metric.h"

#include "stats/check.h"
#include "stats/metric_input.h"

#include <stdio.h>
#include <string.h>

enum { N = 400, BINS = 40 };

static const orr_metric *row(int i)
{
    return &orr_metric_rows[i];
}

static void names_and_places_do_not_collide(void **state)
{
    (void)state;
    for (int i = 0; i < orr_n_metric_rows; i++) {
        assert_true(row(i)->name[0] && row(i)->title[0] && row(i)->definition[0] && row(i)->cases);
        assert_true(row(i)->value || row(i)->of_class);
        assert_true(!row(i)->place[ORR_IN_CLASSES] || row(i)->of_class);
        if (row(i)->place[ORR_IN_SELECT]) {
            assert_true(row(i)->value && row(i)->better != ORR_NEITHER);
        }
        for (int j = 0; j < i; j++) {
            int same = strcmp(row(i)->name, row(j)->name) == 0;
            assert_false(same && (row(i)->cases & row(j)->cases));
            if (same) {
                assert_int_equal(row(i)->better, row(j)->better);
                assert_int_equal(row(i)->place[ORR_IN_SELECT], row(j)->place[ORR_IN_SELECT]);
                assert_int_equal(row(i)->place[ORR_IN_HISTORY], row(j)->place[ORR_IN_HISTORY]);
            }
            for (int l = 0; l < ORR_N_METRIC_LISTS; l++)
                assert_false(row(i)->place[l] && row(i)->place[l] == row(j)->place[l] &&
                             ((row(i)->cases & row(j)->cases) || !same));
        }
    }
}

static void found_by_name_case_and_list(void **state)
{
    const orr_metric *m[ORR_MAX_METRICS];
    int n = orr_metrics_in(ORR_IN_TABLE, ORR_CASE_MULTICLASS, m);

    (void)state;
    for (int i = 1; i < n; i++)
        assert_true(m[i - 1]->place[ORR_IN_TABLE] < m[i]->place[ORR_IN_TABLE]);
    assert_string_equal(orr_metric_word(0), "auto");
    for (int i = 0; orr_metric_word(i); i++)
        assert_true(orr_metric_is_known(orr_metric_word(i)));
    assert_true(orr_metric_is_loss(orr_metric_find("auto", ORR_CASE_VALUES)));
    assert_null(orr_metric_find("eta", ORR_CASE_VALUES));
    assert_non_null(orr_metric_find("eta", ORR_CASE_REDSHIFTS));
    assert_null(orr_metric_find("crps", ORR_CASE_REDSHIFTS));
    assert_null(orr_metric_find("auk", ORR_CASE_BINARY));
    assert_false(orr_metric_is_known("auk"));
    assert_true(orr_metric_larger("auc"));
    assert_false(orr_metric_larger("auto") || orr_metric_larger("eta"));
    assert_int_equal(orr_metric_case_of(ORR_OUTPUT_CLASSES, 2, 1), ORR_CASE_BINARY);
    assert_int_equal(orr_metric_case_of(ORR_OUTPUT_CLASSES, 3, 0), ORR_CASE_MULTICLASS);
    assert_int_equal(orr_metric_case_of(ORR_OUTPUT_VALUES, 0, 0), ORR_CASE_VALUES);
    assert_int_equal(orr_metric_case_of(ORR_OUTPUT_VALUES, 0, 1), ORR_CASE_REDSHIFTS);
    assert_int_equal(orr_metric_case_of(ORR_OUTPUT_DENSITY, 0, 0), ORR_CASE_DENSITIES);
    assert_int_equal(orr_metric_case_of(ORR_OUTPUT_DENSITY, 0, 1), ORR_CASE_REDSHIFT_DENSITIES);
}

static void without_truth_the_loss_alone(void **state)
{
    const orr_metric_input none = { .loss = 0.25 };

    (void)state;
    for (int i = 0; i < orr_n_metric_rows; i++) {
        double v = orr_metric_value(row(i), &none);
        assert_true(orr_metric_is_loss(row(i)) ? v == 0.25 : isnan(v));
    }
    assert_true(isnan(orr_metric_value(NULL, &none)));
}

/* A number in [0, 1) of its place (splitmix64). */
static double noise(int i)
{
    uint64_t z = ((uint64_t)i + 1) * 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* Predictions of the truth with so much noise on them. */
static void predict(orr_metric_case c, int k, double blur, int32_t *labels, float *values,
                    double *p)
{
    for (int i = 0; i < N; i++) {
        double z = 0.02 + 0.44 * noise(i), off = blur * (noise(i + 3 * N) - 0.5), sum = 0;
        labels[i] = i % k;
        values[i] = (float)z;
        if (c == ORR_CASE_VALUES || c == ORR_CASE_REDSHIFTS) p[i] = z + 0.4 * off;
        for (int j = 0; c != ORR_CASE_VALUES && c != ORR_CASE_REDSHIFTS && j < k; j++) {
            double x = (j + 0.5) * 0.5 / k - z - 0.4 * off;
            int density = c == ORR_CASE_DENSITIES || c == ORR_CASE_REDSHIFT_DENSITIES;
            p[i * k + j] = density ? exp(-x * x / (2 * 0.02 * 0.02)) + 1e-9
                                   : (j == labels[i]) + blur * noise(i * k + j + N) + 0.01;
            sum += p[i * k + j];
        }
        for (int j = 0; sum > 0 && j < k; j++)
            p[i * k + j] /= sum;
    }
}

static void a_better_prediction_has_a_better_value(void **state)
{
    static int32_t labels[N];
    static float values[N];
    static double p[2][N * BINS];
    static const int columns[] = { 2, 3, 1, BINS, 1, BINS };
    const orr_bins bins = { BINS, 0, 0.5 };
    judged j[2];

    (void)state;
    for (int c = 0; c < ORR_N_METRIC_CASES; c++) {
        int k = columns[c];
        for (int worse = 0; worse < 2; worse++) {
            predict((orr_metric_case)c, k, worse ? 3 : 1.2, labels, values, p[worse]);
            assert_int_equal(
                judge(&j[worse], (orr_metric_case)c, N, k, labels, values, p[worse], &bins, 0.5),
                ORR_OK);
            j[worse].in.loss = worse ? 2 : 1;
        }
        for (int i = 0; i < orr_n_metric_rows; i++) {
            double good, bad;
            if (!(row(i)->cases >> c & 1) || !row(i)->value || row(i)->better == ORR_NEITHER)
                continue;
            good = orr_metric_value(row(i), &j[0].in);
            bad = orr_metric_value(row(i), &j[1].in);
            if (!(row(i)->better * (good - bad) > 0))
                fail_msg("%s, case %d: %g of better predictions, %g of worse ones", row(i)->name, c,
                         good, bad);
        }
        judged_free(&j[0]);
        judged_free(&j[1]);
    }
}

static const char *cases_text(unsigned cases)
{
    static const struct {
        unsigned cases;
        const char *text;
    } known[] = {
        { 63, "all" },    { 3, "classes" },       { 1, "two classes" }, { 2, "more classes" },
        { 60, "values" }, { 12, "no redshifts" }, { 48, "redshifts" },  { 40, "densities" },
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].cases == cases) return known[i].text;
    return "?";
}

/* docs/metrics.md has the line of every row. */
static void documented(void **state)
{
    static const char *const better[] = { "smaller", "neither", "larger" };
    static char docs[1 << 16], line[512];
    FILE *f = fopen(ORRERY_SOURCE_DIR "/docs/metrics.md", "r");

    (void)state;
    assert_non_null(f);
    docs[fread(docs, 1, sizeof docs - 1, f)] = '\0';
    fclose(f);
    for (int i = 0; i < orr_n_metric_rows; i++) {
        snprintf(line, sizeof line, "\n- `%s` (%s; %s): %s\n", row(i)->name,
                 cases_text(row(i)->cases), better[row(i)->better + 1], row(i)->definition);
        assert_true(strlen(line) <= 102);
        if (!strstr(docs, line)) fail_msg("docs/metrics.md lacks the line:%s", line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_places_do_not_collide),
        cmocka_unit_test(found_by_name_case_and_list),
        cmocka_unit_test(without_truth_the_loss_alone),
        cmocka_unit_test(a_better_prediction_has_a_better_value),
        cmocka_unit_test(documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
