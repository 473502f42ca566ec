/* Scores of several models: mean, deviation, least and largest of each metric. */
#include "core/core_test.h"
#include "core/json.h"
#include "core/memory.h"
#include "jobs/predict/spread.h"

#include <math.h>

static orr_scores values(double rmse, double mae)
{
    return (orr_scores){ .has_truth = 1,
                         .output_type = ORR_OUTPUT_VALUES,
                         .kind = ORR_CASE_VALUES,
                         .regression = { .n = 4, .rmse = rmse, .mae = mae, .sigma_mad = NAN } };
}

static double of(const cJSON *o, const char *metric, const char *what)
{
    return orr_json_get(
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(o, "spread"), metric),
        what, NAN);
}

static void test_two(void **state)
{
    const orr_scores a = values(1, 5), b = values(4, 5);
    orr_model_spread s = { 0 };
    orr_text text = ORR_TEXT_INIT;
    cJSON *o = cJSON_CreateObject();

    (void)state;
    assert_ok(orr_model_spread_add(&s, "one", &a));
    orr_model_spread_json(&s, o);
    orr_model_spread_table(&s, &text);
    assert_null(o->child); /* of one there is no spread */
    assert_null(text.s);
    assert_ok(orr_model_spread_add(&s, "two", &b));
    orr_model_spread_json(&s, o);
    assert_true(of(o, "rmse", "mean") == 2.5);
    assert_true(of(o, "rmse", "deviation") == 1.5);
    assert_true(of(o, "rmse", "least") == 1);
    assert_true(of(o, "rmse", "largest") == 4);
    assert_true(of(o, "mae", "deviation") == 0);
    assert_true(isnan(of(o, "sigma_mad", "mean")));
    assert_true(isnan(of(o, "sigma_mad", "least")));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(o, "models")), 2);
    orr_model_spread_table(&s, &text);
    assert_non_null(strstr(text.s, "over the 2 models"));
    assert_non_null(strstr(text.s, "2.5"));
    orr_text_free(&text);
    orr_model_spread_free(&s);
    cJSON_Delete(o);
}

static void test_no_memory(void **state)
{
    const orr_scores a = values(1, 5);

    (void)state;
    for (int at = 1; at <= 2; at++) {
        orr_model_spread s = { 0 };
        orr_alloc_fail_at(at);
        assert_int_equal(orr_model_spread_add(&s, "one", &a), ORR_ERR_NOMEM);
        orr_alloc_fail_at(0);
        orr_model_spread_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_two),
                                        cmocka_unit_test(test_no_memory) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
