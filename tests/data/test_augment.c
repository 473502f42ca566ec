/* tests/data/test_augment.c - what each augmentation may and may not do to a sample. */
#include "shard_help.h"

#include "core/config.h"
#include "data/augment.h"

static orr_status list_of(orr_augment **a, const char *list, int h, int w, int c)
{
    orr_config *tree = NULL;
    char text[512];
    orr_status st;

    snprintf(text, sizeof text, "a:\n%s", list);
    assert_ok(orr_config_parse(&tree, text, "job.yaml"));
    *a = NULL;
    st = orr_augment_create(a, orr_node_get(orr_config_root(tree), "a"),
                            (orr_sample_shape){ h, w, c });
    orr_config_destroy(tree);
    return st;
}

enum { MANY = 600, MOST = 4096 };

/* Sample number k of n numbers changed by list. */
static void draw(const char *list, int h, int w, int c, uint64_t key, float *x)
{
    orr_augment *a;
    float scratch[MOST];

    for (int i = 0; i < h * w * c; i++)
        x[i] = (float)i;
    assert_ok(list_of(&a, list, h, w, c));
    orr_augment_apply(a, key, x, scratch);
    orr_augment_destroy(a);
}

static void test_roll(void **state)
{
    int count[10] = { 0 }, few[10] = { 0 };

    (void)state;
    for (uint64_t k = 0; k < MANY; k++) {
        float x[2 * 10 * 2];
        int shift;

        draw("- roll: {max: 0}\n", 2, 10, 2, k, x);
        shift = ((20 - (int)x[0]) / 2) % 10;
        for (int r = 0; r < 2; r++)
            for (int i = 0; i < 10; i++)
                for (int c = 0; c < 2; c++)
                    assert_true(x[(r * 10 + i) * 2 + c] ==
                                (float)((r * 10 + (i + 10 - shift) % 10) * 2 + c));
        count[shift]++;
        draw("- roll: {max: 3}\n", 1, 10, 1, k, x);
        few[(10 - (int)x[0]) % 10]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(count[i], 30, 95);
    assert_int_equal(few[0] + few[1] + few[2], MANY);
    assert_true(few[0] > 150 && few[1] > 150 && few[2] > 150);
}

static void test_flip(void **state)
{
    int flipped = 0;

    (void)state;
    for (uint64_t k = 0; k < MANY; k++) {
        float x[3 * 5 * 2];

        draw("- flip: {axis: time, probability: 0.25}\n", 3, 5, 2, k, x);
        flipped += x[0] != 0;
        for (int i = 0; i < 30; i++) {
            int r = i / 10, p = i % 10 / 2, c = i % 2;
            assert_true(x[i] == (float)(x[0] == 0 ? i : r * 10 + (4 - p) * 2 + c));
        }
    }
    assert_in_range(flipped, 110, 190);
    for (uint64_t k = 0; k < 20; k++) {
        float x[30];
        draw("- flip: {axis: h, probability: 1}\n", 3, 5, 2, k, x);
        for (int i = 0; i < 30; i++)
            assert_true(x[i] == (float)((2 - i / 10) * 10 + i % 10));
    }
}

/* Quarter turns by their definition: the number at (0, 0) came from one of four corners, and so on
 * for every place. */
static void test_rotate90(void **state)
{
    int seen[4] = { 0 };

    (void)state;
    for (uint64_t k = 0; k < MANY; k++) {
        float x[4 * 4 * 3];
        int turns, corner;

        draw("- rotate90: {}\n", 4, 4, 3, k, x);
        corner = (int)x[0] / 3;
        turns = corner == 0 ? 0 : corner == 3 ? 1 : corner == 15 ? 2 : 3;
        seen[turns]++;
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++) {
                int y = i, u = j; /* turn the place back, a quarter at a time */
                for (int q = 0; q < turns; q++) {
                    int t = y;
                    y = u;
                    u = 3 - t;
                }
                for (int c = 0; c < 3; c++)
                    assert_true(x[(i * 4 + j) * 3 + c] == (float)((y * 4 + u) * 3 + c));
            }
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(seen[i], 110, 190);
}

static void moments(const char *list, double *mean, double *deviation, double *fourth)
{
    float x[MOST];
    double n = 0, sum = 0, square = 0, four = 0;

    for (uint64_t k = 0; k < 50; k++) {
        draw(list, 1, 1001, 2, k, x);
        for (int i = 0; i < 2002; i++) {
            double d = x[i] - (double)i;
            sum += d;
            square += d * d;
            four += d * d * d * d;
            n++;
        }
    }
    *mean = sum / n;
    *deviation = sqrt(square / n);
    *fourth = four / n / (square / n * square / n);
}

static void test_noise(void **state)
{
    double mean, deviation, fourth;

    (void)state;
    moments("- noise: {sigma: 2}\n", &mean, &deviation, &fourth);
    assert_true(fabs(mean) < 0.03 && fabs(deviation - 2) < 0.03 && fabs(fourth - 3) < 0.1);
    moments("- noise: {sigma: 0.1, relative: true}\n", &mean, &deviation, &fourth);
    assert_true(fabs(deviation - 0.1 * 577.93) < 0.7); /* deviation of 0..2001 */
    assert_true(fabs(fourth - 3) < 0.1);
}

static void test_scale(void **state)
{
    float low = 9, high = 0;

    (void)state;
    for (uint64_t k = 0; k < MANY; k++) {
        float x[6];
        draw("- scale: {min: 0.5, max: 1.5}\n", 1, 3, 2, k, x);
        for (int i = 0; i < 6; i++)
            assert_true(fabsf(x[i] - (float)i * x[1]) < 1e-6f);
        if (x[1] < low) low = x[1];
        if (x[1] > high) high = x[1];
    }
    assert_true(low >= 0.5f && low < 0.51f && high > 1.49f && high <= 1.5f);
}

/* The same key gives the same draw; every part of the key, and the op's place in the list, changes
 * it. */
static void test_keys(void **state)
{
    static const char list[] = "- roll: {max: 0}\n- noise: {sigma: 1}\n";
    float x[4][400], y[400];

    (void)state;
    draw(list, 1, 400, 1, orr_draw_key(1, 2, 3, 4), x[0]);
    draw(list, 1, 400, 1, orr_draw_key(1, 2, 3, 4), y);
    assert_memory_equal(x[0], y, sizeof y);
    draw(list, 1, 400, 1, orr_draw_key(2, 2, 3, 4), x[1]);
    draw(list, 1, 400, 1, orr_draw_key(1, 3, 3, 4), x[2]);
    draw(list, 1, 400, 1, orr_draw_key(1, 2, 4, 4), x[3]);
    draw(list, 1, 400, 1, orr_draw_key(1, 2, 3, 5), y);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(x[i], x[j], sizeof y);
    for (int i = 0; i < 4; i++)
        assert_memory_not_equal(x[i], y, sizeof y);
    draw("- noise: {sigma: 1}\n- noise: {sigma: 1}\n", 1, 400, 1, 5, x[0]);
    draw("- noise: {sigma: 1}\n", 1, 400, 1, 5, x[1]);
    for (int i = 0; i < 400; i++)
        assert_true(fabsf((x[0][i] - (float)i) - 2 * (x[1][i] - (float)i)) > 1e-6f);
}

/* Every row of the list: it says what it does, its defaults or an example read, what it gives
 * depends on the key alone, and a key that it does not have is refused with its name. */
static void test_rows(void **state)
{
    static const char *const needed[][2] = { { "noise", "{sigma: 0.5}" },
                                             { "scale", "{min: 0.5, max: 2}" } };
    orr_kind_help kind;
    int n = 0;

    (void)state;
    for (; orr_augment_kind_help(n, &kind); n++) {
        char list[128], bad[128];
        const char *options = "{}";
        float a[16], b[16];
        orr_augment *none;

        for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
            if (strcmp(kind.name, needed[i][0]) == 0) options = needed[i][1];
        assert_true(strlen(kind.help) > 3);
        for (int twin = n - 1; twin >= 0; twin--) {
            orr_kind_help before;
            assert_true(orr_augment_kind_help(twin, &before));
            assert_string_not_equal(before.name, kind.name);
        }
        snprintf(list, sizeof list, "- %s: %s\n", kind.name, options);
        for (uint64_t key = 0; key < 50; key++) {
            draw(list, 4, 4, 1, key, a);
            draw(list, 4, 4, 1, key, b);
            assert_memory_equal(a, b, sizeof a);
        }
        snprintf(bad, sizeof bad, "- %s: {nonsense: 1}\n", kind.name);
        assert_int_equal(list_of(&none, bad, 4, 4, 1), ORR_ERR_OPTION);
        assert_non_null(strstr(orr_error_text(), kind.name));
        assert_null(none);
    }
    assert_in_range(n, 5, 64);
    assert_false(orr_augment_kind_help(-1, &kind));
}

static void test_refused(void **state)
{
    orr_augment *a;

    (void)state;
    assert_ok(list_of(&a, "", 1, 10, 1));
    assert_int_equal(orr_augment_n_ops(a), 0);
    orr_augment_destroy(a);
    assert_ok(list_of(&a, "- roll\n- flip:\n", 1, 10, 1));
    assert_int_equal(orr_augment_n_ops(a), 2);
    orr_augment_destroy(a);
    assert_fails(list_of(&a, "- rotate90: {}\n", 3, 4, 1), ORR_ERR_SHAPE,
                 "job.yaml:2: rotate90 needs square");
    assert_fails(list_of(&a, "- roll: {max: 11}\n", 1, 10, 1), ORR_ERR_OPTION, "max 11");
    assert_fails(list_of(&a, "- scale: {min: 2, max: 1}\n", 1, 10, 1), ORR_ERR_OPTION, "above max");
    assert_fails(list_of(&a, "- noise: {}\n", 1, 10, 1), ORR_ERR_OPTION, "sigma");
    assert_fails(list_of(&a, "- rol: {}\n", 1, 10, 1), ORR_ERR_OPTION, "did you mean roll?");
    assert_fails(list_of(&a, "- flip: {axis: c}\n", 1, 10, 1), ORR_ERR_OPTION, "axis");
    assert_fails(list_of(&a, "  roll: {}\n", 1, 10, 1), ORR_ERR_OPTION, "list of steps");
    assert_null(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roll),     cmocka_unit_test(test_flip),
        cmocka_unit_test(test_rotate90), cmocka_unit_test(test_noise),
        cmocka_unit_test(test_scale),    cmocka_unit_test(test_keys),
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
