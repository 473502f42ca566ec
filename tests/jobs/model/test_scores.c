/* tests/jobs/model/test_scores.c - predictions of each output type: numbers, loss, metrics,
 * threshold, calibration, a set that does not say what is right; and what reports make of them. */
#include "jobs/model/report.h"
#include "jobs/model/scores.h"

#include "data/shard_help.h"

enum { MANY = 400, BINS = 8 };

static int64_t rows[MANY];

typedef struct fixture {
    char dir[ORR_PATH_MAX];
    orr_model model;
    orr_samples samples;
    int64_t n;
} fixture;

/* A set of n rows, labels row % 3 or values row + 0.25 k, and a model of this loss; y_name: of the
 * target. */
static void begin(fixture *f, int64_t n, orr_y_type y, const char *y_name, const char *loss,
                  int outputs, int bins)
{
    orr_schema s = series_schema(ORR_X_F32, 2, 1);
    orr_loss_spec spec = { .name = loss,
                           .output = { 1, 1, outputs },
                           .n_classes = y == ORR_Y_VALUE ? 0
                                        : outputs == 1   ? 2
                                                         : outputs,
                           .width = bins ? 1 : outputs,
                           .pos_weight = 1,
                           .bins = { bins, 0, (double)n } };

    s.y_type = y;
    s.n_classes = y == ORR_Y_CLASS ? (outputs == 1 ? 2 : outputs) : 0;
    s.y_width = y == ORR_Y_VALUE ? spec.width : 0;
    s.n_aux = 1;
    snprintf(s.aux_names[0], sizeof s.aux_names[0], "mag");
    if (y == ORR_Y_VALUE && (strcmp(y_name, "z") == 0 || strcmp(y_name, "z_spec") == 0))
        s.target_kind = ORR_TARGET_REDSHIFT;
    if (y == ORR_Y_VALUE) snprintf(s.y_names[0], sizeof s.y_names[0], "%s", y_name);
    *f = (fixture){ .n = n, .model = { .schema = s, .outputs = outputs, .threshold = 0.5 } };
    assert_ok(orr_loss_init(&f->model.loss, &spec));
    temp_dir(f->dir);
    write_set(f->dir, &s, n, n, 0);
    assert_ok(orr_dataset_open(&f->samples.set, f->dir, 0));
    for (int64_t i = 0; i < n; i++)
        rows[i] = i;
}

static void end(fixture *f, orr_scores *s)
{
    char command[ORR_PATH_MAX + 16];

    orr_scores_free(s);
    orr_dataset_close(f->samples.set);
    snprintf(command, sizeof command, "rm -r %s", f->dir);
    assert_int_equal(system(command), 0);
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-12 * fmax(1, fabs(b)))) fail_msg("%.17g, expected %.17g", a, b);
}

/* ---- several targets ---- */
static void each_target_and_their_mean(void **state)
{
    static const orr_real answers[] = {
        0, 0, 2, 2, 2, 3
    }; /* truth row + 0.25 k: 0 .25 1 1.25 2 2.25 */
    fixture f;
    orr_scores s;
    orr_text text = ORR_TEXT_INIT;
    cJSON *o, *targets;

    (void)state;
    begin(&f, 3, ORR_Y_VALUE, "u", "mse", 2, 0);
    assert_ok(orr_scores_create(&s, &f.model, &f.samples, rows, 3, answers, 0.5));
    assert_int_equal(s.n_targets, 2);
    assert_near(s.targets[0].mse, 1.0 / 3);
    assert_near(s.targets[1].mse, (0.0625 + 0.5625 + 0.5625) / 3);
    assert_near(s.regression.mse, (s.targets[0].mse + s.targets[1].mse) / 2);
    assert_near(s.regression.r2, (s.targets[0].r2 + s.targets[1].r2) / 2);
    o = orr_scores_json(&s, &f.model.schema, NULL);
    targets = cJSON_GetObjectItem(o, "targets");
    assert_int_equal(cJSON_GetArraySize(targets), 2);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(targets, 0), "name")->valuestring,
                        "u");
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(targets, 1), "name")->valuestring,
                        "1");
    assert_near(cJSON_GetObjectItem(cJSON_GetArrayItem(targets, 1), "mse")->valuedouble,
                s.targets[1].mse);
    cJSON_Delete(o);
    orr_scores_history_names(&f.model, &text);
    assert_string_equal(
        text.s,
        ",validation_rmse_u,validation_sigma_mad_u,validation_rmse_1,validation_sigma_mad_1");
    end(&f, &s);
    orr_text_free(&text);
}

/* ---- classes ---- */
static const orr_real two_logits[4] = { -2, 0.5, 1, 2 }; /* truth 0 1 0 1 */

static void one_output_is_two_classes(void **state)
{
    fixture f;
    orr_scores s;
    double loss = 0;

    (void)state;
    begin(&f, 4, ORR_Y_CLASS, "", "bce", 1, 0);
    assert_ok(orr_scores_create(&s, &f.model, &f.samples, rows, 4, two_logits, 0.5));
    assert_int_equal(s.kind, ORR_CASE_BINARY);
    assert_int_equal(s.n_columns, 2);
    for (int i = 0; i < 4; i++) {
        double p = 1 / (1 + exp(-(double)two_logits[i]));
        assert_near(s.p[2 * i + 1], p);
        assert_near(s.p[2 * i], 1 - p);
        loss -= log(i % 2 ? p : 1 - p) / 4;
    }
    assert_near(s.loss, loss);
    assert_near(orr_scores_metric(&s, "auto"), loss);
    assert_near(orr_scores_metric(&s, "accuracy"), 0.75);
    assert_near(orr_scores_metric(&s, "recall"), 1);
    assert_near(orr_scores_metric(&s, "auc"), 0.75);
    assert_true(isnan(orr_scores_metric(&s, "rmse")));
    end(&f, &s);
}

static void the_threshold_moves_what_is_named(void **state)
{
    const double p[] = { 0.3, 0.7 }, three[] = { 0.2, 0.5, 0.3 };
    fixture f;
    orr_scores s;

    (void)state;
    begin(&f, 4, ORR_Y_CLASS, "", "bce", 1, 0);
    assert_ok(orr_scores_create(&s, &f.model, &f.samples, rows, 4, two_logits, 0.8));
    assert_near(orr_scores_metric(&s, "accuracy"), 0.75); /* row 3 alone is named */
    assert_near(orr_scores_metric(&s, "recall"), 0.5);
    assert_int_equal(orr_named_class(p, 2, 0.5), 1);
    assert_int_equal(orr_named_class(p, 2, 0.7), 0);
    assert_int_equal(orr_named_class(three, 3, 0.9), 1);
    end(&f, &s);
}

static void more_outputs_are_more_classes(void **state)
{
    static const orr_real logits[6 * 3] = { 3, 0, 0, 0, 3, 0, 0, 0, 3, 3, 0, 0, 0, 3, 0, 3, 0, 0 };
    fixture f;
    orr_scores s;
    double right = exp(3) / (exp(3) + 2), wrong = 1 / (exp(3) + 2);

    (void)state;
    begin(&f, 6, ORR_Y_CLASS, "", "ce", 3, 0);
    assert_ok(orr_scores_create(&s, &f.model, &f.samples, rows, 6, logits, 0.5));
    assert_int_equal(s.kind, ORR_CASE_MULTICLASS);
    assert_near(s.p[0], right);
    assert_near(s.p[1], wrong);
    assert_near(s.loss, -(5 * log(right) + log(wrong)) / 6);
    assert_near(orr_scores_metric(&s, "accuracy"), 5.0 / 6);
    assert_near(orr_scores_metric(&s, "recall"), (1 + 1 + 0.5) / 3);
    assert_int_equal(s.classification->confusion[2 * 3 + 0], 1);
    end(&f, &s);
}

/* ---- values and densities ---- */
static void values_of_several_outputs(void **state)
{
    static const orr_real logits[3 * 2] = { 1, 0.25f, 1, 1.25f, 2, 4.25f }; /* d: 1 0 0 0 0 2 */
    fixture f;
    orr_scores s;

    (void)state;
    begin(&f, 3, ORR_Y_VALUE, "mass", "mse", 2, 0);
    assert_ok(orr_scores_create(&s, &f.model, &f.samples, rows, 3, logits, 0.5));
    assert_int_equal(s.kind, ORR_CASE_VALUES);
    assert_near(s.loss, 5.0 / 6);
    assert_near(orr_scores_metric(&s, "rmse"), (sqrt(1.0 / 3) + sqrt(4.0 / 3)) / 2);
    assert_near(orr_scores_metric(&s, "mae"), 0.5);
    assert_ptr_equal(orr_scores_point(&s), s.p);
    assert_true(isnan(orr_scores_metric(&s, "eta")) && isnan(orr_scores_metric(&s, "accuracy")));
    end(&f, &s);
}

static void a_redshift_has_dz(void **state)
{
    static const orr_real logits[2] = { 0.5f, 1 }; /* of 0 and 1: dz 0.5 and 0 */
    fixture f;
    orr_scores s;

    (void)state;
    begin(&f, 2, ORR_Y_VALUE, "z_spec", "mse", 1, 0);
    assert_ok(orr_scores_create(&s, &f.model, &f.samples, rows, 2, logits, 0.5));
    assert_int_equal(s.kind, ORR_CASE_REDSHIFTS);
    assert_near(orr_scores_metric(&s, "eta"), 0.5);
    assert_near(orr_scores_metric(&s, "sigma_mad"), 1.4826 * 0.25);
    assert_true(isnan(orr_scores_metric(&s, "crps")));
    end(&f, &s);
}

/* All densities are flat: truth 0 .. n - 1 over bins from 0 to n. */
static void flat_densities(void **state)
{
    static orr_real logits[MANY * BINS];
    fixture f;
    orr_scores s;

    (void)state;
    begin(&f, MANY, ORR_Y_VALUE, "age", "ce", BINS, BINS);
    assert_ok(orr_scores_create(&s, &f.model, &f.samples, rows, MANY, logits, 0.5));
    assert_int_equal(s.kind, ORR_CASE_DENSITIES);
    assert_near(s.p[5], 1.0 / BINS);
    assert_near(s.loss, log(BINS));
    assert_near(orr_scores_point(&s)[7], MANY / 2.0);
    assert_near(orr_scores_metric(&s, "mae"), MANY / 4.0);
    assert_near(s.redshift.pit_mean, (MANY - 1.0) / 2 / MANY);
    assert_near(orr_density_quantile(&s.bins, s.p, 0.25), MANY / 4.0);
    assert_near(orr_density_quantile(&s.bins, s.p, 0.5), MANY / 2.0);
    end(&f, &s);
}

/* Densities whose mass lies in the lower half, of truths all over: the map mends it, and is applied
 * to what a calibrated model predicts, but not to its loss. */
static void calibration_flattens(void **state)
{
    static orr_real logits[MANY * BINS];
    fixture f;
    orr_scores before, after;
    double p[BINS];

    (void)state;
    for (int i = 0; i < MANY; i++)
        for (int k = 0; k < BINS; k++)
            logits[i * BINS + k] = k < BINS / 2 ? 1 : 0;
    begin(&f, MANY, ORR_Y_VALUE, "age", "ce", BINS, BINS);
    assert_ok(orr_scores_create(&before, &f.model, &f.samples, rows, MANY, logits, 0.5));
    assert_ok(orr_scores_calibration(&before, &f.model.calibration));
    assert_true(f.model.calibration.n > 0);
    assert_ok(orr_scores_create(&after, &f.model, &f.samples, rows, MANY, logits, 0.5));
    memcpy(p, before.p, sizeof p);
    orr_calibration_apply(&f.model.calibration, p, BINS);
    for (int k = 0; k < BINS; k++)
        assert_near(after.p[k], p[k]);
    assert_true(before.redshift.pit_p < 1e-6 && after.redshift.pit_p > 0.01);
    assert_near(after.loss, before.loss);
    orr_scores_free(&before);
    end(&f, &after);
}

/* ---- no truth, no logits ---- */
static void without_truth(void **state)
{
    fixture f;
    orr_scores s;
    cJSON *o;
    orr_text table = ORR_TEXT_INIT;
    char *text;

    (void)state;
    begin(&f, 4, ORR_Y_NONE, "", "bce", 1, 0);
    assert_ok(orr_scores_create(&s, &f.model, &f.samples, rows, 4, two_logits, 0.5));
    assert_false(s.has_truth);
    assert_near(s.p[7], 1 / (1 + exp(-2.0)));
    assert_true(isnan(s.loss) && isnan(orr_scores_metric(&s, "auc")));
    o = orr_scores_json(&s, &f.model.schema, NULL);
    text = cJSON_PrintUnformatted(o);
    assert_string_equal(text, "{\"samples\":4,\"loss\":null}");
    orr_scores_table(&s, &f.model.schema, NULL, "set", &table);
    assert_string_equal(table.s, "set: 4 samples\n  no labels: nothing to compare with\n");
    orr_text_free(&table);
    cJSON_free(text);
    cJSON_Delete(o);
    end(&f, &s);
}

static void predictions_that_are_known_have_no_loss(void **state)
{
    static double p[MANY * BINS];
    fixture f;
    orr_scores s;

    (void)state;
    for (int i = 0; i < MANY; i++)
        p[i * BINS + 2] = 1;
    begin(&f, MANY, ORR_Y_VALUE, "age", "crps", BINS, BINS);
    assert_ok(orr_scores_of_predictions(&s, &f.model, &f.samples, rows, MANY, p, 0.5));
    assert_true(isnan(s.loss) && isnan(orr_scores_metric(&s, "auto")));
    assert_near(orr_scores_point(&s)[3], 2.5 * MANY / BINS);
    assert_true(isfinite(orr_scores_metric(&s, "crps")));
    end(&f, &s);
}

/* ---- reports ---- */
static void a_report_has_the_rows(void **state)
{
    const orr_metric *m[ORR_MAX_METRICS];
    fixture f;
    orr_scores s;
    cJSON *o;
    orr_text table = ORR_TEXT_INIT;
    int n = orr_metrics_in(ORR_IN_LINE, ORR_CASE_BINARY, m);

    (void)state;
    begin(&f, 4, ORR_Y_CLASS, "", "bce", 1, 0);
    assert_ok(orr_scores_create(&s, &f.model, &f.samples, rows, 4, two_logits, 0.5));
    o = orr_scores_json(&s, &f.model.schema, NULL);
    for (int i = 0; i < n; i++)
        assert_near(cJSON_GetObjectItem(o, m[i]->name)->valuedouble,
                    orr_scores_metric(&s, m[i]->name));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "confusion")), 2);
    cJSON_Delete(o);
    orr_scores_table(&s, &f.model.schema, NULL, "set", &table);
    assert_non_null(strstr(table.s, "\n  accuracy             0.75\n"));
    assert_non_null(strstr(table.s, "\n  class              support precision    recall        f1"
                                    "       auc\n"
                                    "  quiet                    2    1.0000    0.5000    0.6667"
                                    "    0.7500\n"));
    assert_non_null(strstr(table.s, "                       quiet    planet\n"
                                    "  quiet                    1         1\n"
                                    "  planet                   0         2\n"));
    orr_text_free(&table);
    end(&f, &s);
}

static void groups_of_redshifts(void **state)
{
    static orr_real logits[MANY];
    const orr_strings by = { .n = 1, .v = { "target" } }, wrong = { .n = 1, .v = { "colour" } };
    fixture f;
    orr_scores s;
    orr_groupings g;
    cJSON *o, *list, *first;

    (void)state;
    for (int i = 0; i < MANY; i++) /* those below half are right, the others 10% off */
        logits[i] = (orr_real)(i < MANY / 2 ? i : i + 0.1 * (1 + i));
    begin(&f, MANY, ORR_Y_VALUE, "z", "mse", 1, 0);
    assert_ok(orr_scores_create(&s, &f.model, &f.samples, rows, MANY, logits, 0.5));
    assert_fails(orr_groupings_create(&g, &s, &f.samples, rows, &wrong, 2, 0.05), ORR_ERR_OPTION,
                 "no aux number \"colour\"");
    assert_ok(orr_groupings_create(&g, &s, &f.samples, rows, &by, 2, 0.05));
    o = orr_scores_json(&s, &f.model.schema, &g);
    list = cJSON_GetObjectItem(cJSON_GetObjectItem(o, "by"), "target");
    assert_int_equal(cJSON_GetArraySize(list), 2);
    first = cJSON_GetArrayItem(list, 0);
    assert_int_equal(cJSON_GetObjectItem(first, "samples")->valueint, MANY / 2);
    assert_near(cJSON_GetObjectItem(first, "eta")->valuedouble, 0);
    assert_near(cJSON_GetObjectItem(cJSON_GetArrayItem(list, 1), "eta")->valuedouble, 1);
    assert_true(fabs(cJSON_GetObjectItem(cJSON_GetArrayItem(list, 1), "bias")->valuedouble - 0.1) <
                1e-6);
    assert_null(cJSON_GetObjectItem(first, "crps"));
    cJSON_Delete(o);
    orr_groupings_free(&g);
    end(&f, &s);
}

static void groups_of_what_has_none(void **state)
{
    static const orr_real logits[8] = { 0 };
    const orr_strings given = { .n = 1, .v = { "colour" } }, usual = { .n = 1, .v = { "target" } };
    fixture f;
    orr_scores s;
    orr_groupings g;

    (void)state;
    begin(&f, 8, ORR_Y_VALUE, "y", "mse", 1, 0);
    assert_ok(orr_scores_create(&s, &f.model, &f.samples, rows, 8, logits, 0.5));
    assert_int_equal(s.is_redshift, 0);
    assert_fails(orr_groupings_create(&g, &s, &f.samples, rows, &given, 2, 0.05), ORR_ERR_OPTION,
                 "by: \"colour\": redshifts and densities");
    assert_ok(orr_groupings_create(&g, &s, &f.samples, rows, &usual, 2, 0.05));
    assert_int_equal(g.n, 0);
    end(&f, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_output_is_two_classes),
        cmocka_unit_test(the_threshold_moves_what_is_named),
        cmocka_unit_test(more_outputs_are_more_classes),
        cmocka_unit_test(values_of_several_outputs),
        cmocka_unit_test(a_redshift_has_dz),
        cmocka_unit_test(flat_densities),
        cmocka_unit_test(calibration_flattens),
        cmocka_unit_test(without_truth),
        cmocka_unit_test(predictions_that_are_known_have_no_loss),
        cmocka_unit_test(a_report_has_the_rows),
        cmocka_unit_test(groups_of_redshifts),
        cmocka_unit_test(groups_of_what_has_none),
        cmocka_unit_test(each_target_and_their_mean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
