/* tests/data/test_synth.c - synthetic surveys: the published rows of the moons, what a light curve
 * must be like, and files that are never replaced by accident. */
#include "reader_cases.h"

#include "core/file.h"
#include "data/synth/synth.h"

#include <math.h>

static void out_path(char *path, size_t bytes, const char *name)
{
    case_path(path, bytes, name);
}

static void test_moons(void **state)
{
    static const struct {
        float x, y;
        int32_t label;
    } want[5] = { { -0.330690f, 0.546602f, 0 },
                  { 0.732786f, -0.130526f, 1 },
                  { 0.170382f, 0.374491f, 1 },
                  { -0.209513f, 0.662376f, 0 },
                  { 0.453906f, -0.236074f, 1 } };
    char out[256];
    orr_synth_moons_opts o = {
        .out = out, .samples = 600, .noise = 0.25, .test_size = 0.25, .seed = 0, .split_seed = 1
    };
    orr_table_opts t = { .files = { 1, { "moons/train.csv" } },
                         .label = "1",
                         .shape = { 1, { 2 } } };
    int64_t ones = 0;
    case_rows r;

    (void)state;
    out_path(out, sizeof out, "moons");
    if (orr_synth_moons(&o) != ORR_OK) fail_msg("%s", orr_error_text());
    if (case_read(&r, &t, 1000, 100, 2) != ORR_OK) fail_msg("%s", orr_error_text());
    assert_int_equal(r.n, 450);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(((int32_t *)r.y)[i], want[i].label);
        assert_true(fabsf(((float *)r.x)[2 * i] - want[i].x) < 6e-7f);
        assert_true(fabsf(((float *)r.x)[2 * i + 1] - want[i].y) < 6e-7f);
    }
    case_free(&r);
    t.files.v[0] = "moons/test.csv";
    assert_int_equal(case_read(&r, &t, 1000, 100, 2), ORR_OK);
    for (int64_t i = 0; i < r.n; i++)
        ones += ((int32_t *)r.y)[i];
    assert_true(r.n == 150 && ones == 79);
    case_free(&r);
    case_expect(orr_synth_moons(&o), ORR_ERR_EXISTS,
                "@/moons/train.csv exists; set overwrite: true or choose another folder");
    o.overwrite = 1;
    assert_int_equal(orr_synth_moons(&o), ORR_OK);
}

/* A file's rows are the stars; a star does not depend on how many others there are. */
static void test_kepler(void **state)
{
    enum { N = 500 };
    char out[256], path[512];
    orr_synth_kepler_opts o = {
        .out = out, .stars = 130, .test_stars = 10, .samples = N, .positives = 0.1, .seed = 42
    };
    orr_table_opts t = { .files = { 1, { "kepler/train.csv" } },
                         .label = "LABEL",
                         .classes = { 2, { "1", "2" } } };
    int positives = 0, label;
    float flux[N];
    case_rows r;

    (void)state;
    out_path(out, sizeof out, "kepler");
    if (orr_synth_kepler(&o) != ORR_OK) fail_msg("%s", orr_error_text());
    if (case_read(&r, &t, 5000, 100, 2) != ORR_OK) fail_msg("%s", orr_error_text());
    assert_int_equal(r.n, 130);
    for (int64_t i = 0; i < r.n; i++) {
        assert_int_equal(orr_synth_kepler_star(42, i, N, 0.1, flux, &label), ORR_OK);
        assert_memory_equal(flux, (float *)r.x + i * N, sizeof flux);
        assert_int_equal(label, ((int32_t *)r.y)[i]);
        positives += label;
    }
    assert_int_equal(positives, 13);
    case_free(&r);
    snprintf(path, sizeof path, "%s/test.csv.tmp", out);
    assert_false(orr_path_exists(path));
    case_expect(orr_synth_kepler(&o), ORR_ERR_EXISTS, "@/kepler/train.csv exists");
    o.stars = 0;
    assert_int_equal(orr_synth_kepler(&o), ORR_ERR_ARG);
    o.stars = 1;
    o.out = "/proc/none";
    assert_int_equal(orr_synth_kepler(&o), ORR_ERR_IO);
}

/* Scales reach over four decades, and the same star with a planet is darker somewhere and nowhere
 * brighter. */
static void test_dips(void **state)
{
    enum { N = 3197, STARS = 60 };
    static float with[N], without[N];
    double least = INFINITY, most = 0;
    int label;

    (void)state;
    for (int64_t s = 0; s < STARS; s++) {
        double noise = 0, deepest = 0;
        int dark = 0;

        assert_int_equal(orr_synth_kepler_star(1, s, N, 1, with, &label), ORR_OK);
        assert_int_equal(label, 1);
        assert_int_equal(orr_synth_kepler_star(1, s, N, 0, without, &label), ORR_OK);
        assert_int_equal(label, 0);
        for (int i = 0; i < N; i++) {
            double d = (double)without[i] - (double)with[i];

            assert_true(d >= -0.02);
            dark += d > 0.02;
            deepest = d > deepest ? d : deepest;
            if (i) noise += fabs((double)without[i] - (double)without[i - 1]);
        }
        noise /= (N - 1) * 1.128; /* mean |difference| of two normals */
        assert_true(deepest > 2.5 * noise && deepest < 11.5 * noise);
        assert_true(dark >= 3 && dark < N / 2);
        least = noise < least ? noise : least;
        most = noise > most ? noise : most;
    }
    assert_true(most / least > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_moons), cmocka_unit_test(test_kepler),
                                        cmocka_unit_test(test_dips) };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
