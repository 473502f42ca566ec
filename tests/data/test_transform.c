/* tests/data/test_transform.c - each step against numbers known beforehand, chains, fitting over
 * blocks, the model file. "apply FILE W C N LIST" and "fit ..." do the work for
 * tests/data/transform.py, where SciPy and scikit-learn are the oracle. */
#include "shard_help.h"

#include "core/config.h"
#include "data/half.h"
#include "data/transform.h"

#include <sys/resource.h>

static orr_schema plain(int h, int w, int c)
{
    return (orr_schema){ .x_type = ORR_X_F32, .n_dims = h > 1 ? 3 : 2, .h = h, .w = w, .c = c };
}

static orr_status chain(orr_transform **t, const orr_schema *s, const char *list)
{
    orr_config *c = NULL;
    char text[1024];
    orr_status st;

    *t = NULL;
    snprintf(text, sizeof text, "t:\n%s", list);
    assert_ok(orr_config_parse(&c, text, "job.yaml"));
    st = orr_transform_create(t, orr_node_get(orr_config_root(c), "t"), s);
    orr_config_destroy(c); /* the chain keeps nothing of the tree */
    return st;
}

static void run(const orr_schema *s, const char *list, const void *x, float *out)
{
    orr_transform *t;
    void *scratch;

    assert_ok(chain(&t, s, list));
    scratch = orr_alloc(orr_transform_scratch_bytes(t), 1);
    orr_transform_apply(t, x, out, scratch);
    orr_free(scratch);
    orr_transform_destroy(t);
}

static void assert_near(float got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance)) fail_msg("%.9g instead of %.9g", got, want);
}

/* How many numbers of a sample have a deviation of their own. */
static void test_shared_deviations(void **state)
{
    static const struct {
        const char *list;
        size_t fewest;
    } cases[] = {
        { "- asinh\n", 0 },
        { "- standardise: {per: feature}\n", 0 },
        { "- standardise: {per: train_channel}\n", 0 },
        { "- standardise\n", 12 },
        { "- standardise: {per: channel}\n", 4 },
        { "- standardise: {per: channel}\n- reshape: {shape: [12]}\n- standardise: {per: "
          "channel}\n",
          1 },
    };
    orr_schema s = plain(1, 4, 3);
    const char *name;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        orr_transform *t;
        assert_ok(chain(&t, &s, cases[i].list));
        assert_int_equal(orr_transform_fewest_shared(t, &name), cases[i].fewest);
        assert_true(cases[i].fewest ? !strcmp(name, "standardise") : !name);
        orr_transform_destroy(t);
    }
}

/* uniform_filter1d(size=200, mode=reflect) of 0..3196. */
static void test_moving_average_ramp(void **state)
{
    orr_schema s = plain(1, 3197, 1);
    float *x = orr_alloc(3197, 4), *y = orr_alloc(2 * 3197, 4);

    (void)state;
    for (int i = 0; i < 3197; i++)
        x[i] = (float)i;
    run(&s, "- moving_average: {window: 200}\n", x, y);
    assert_near(y[1], 49.5, 0);
    assert_near(y[2001], 999.5, 0);
    assert_near(y[2 * 3196 + 1], 3146.495, 1.3e-4) /* half a step of float32 */;
    for (int i = 0; i < 3197; i++)
        assert_true(y[2 * i] == x[i]);
    run(&s, "- moving_average: {window: 1}\n", x, y);
    for (int i = 0; i < 3197; i++)
        assert_true(y[2 * i + 1] == x[i]);
    orr_free(x);
    orr_free(y);
}

/* A NaN touches only the windows it lies in. */
static void test_moving_average_local(void **state)
{
    orr_schema s = plain(1, 100, 1);
    float x[100], y[200];

    (void)state;
    for (int i = 0; i < 100; i++)
        x[i] = i == 50 ? NAN : 1e6f;
    run(&s, "- moving_average: {window: 5}\n", x, y);
    for (int i = 0; i < 100; i++)
        assert_true(isnan(y[2 * i + 1]) == (abs(i - 50) <= 2));
}

static void test_numbers(void **state)
{
    orr_schema s = plain(1, 3, 2), flat = plain(1, 4, 1);
    const float x[6] = { 1, 10, 2, 20, 6, 60 }, same[4] = { 0.1f, 0.1f, 0.1f, 0.1f };
    const float roots[6] = { 3, -24, 0, 1e-20f, NAN, -INFINITY };
    const uint8_t bytes[6] = { 0, 51, 255, 1, 2, 3 };
    const uint16_t halves[6] = { 0x3c00, 0xc000, 0x0001, 0x7bff, 0, 0x8000 };
    float y[6];

    (void)state;
    run(&s, "- standardise: {per: sample}\n", x, y);
    assert_near(y[0], (1 - 16.5) / sqrt(2507.5 / 6), 1e-6);
    run(&s, "- standardise: {per: channel}\n", x, y);
    assert_near(y[0], (1 - 3) / 2.160246899469287, 1e-6);
    assert_near(y[1], (10 - 30) / 21.602468994692867, 1e-6);
    run(&flat, "- standardise\n", same, y);
    assert_true(y[0] == 0 && y[3] == 0);
    run(&s, "- affine: {scale: 2, shift: -1}\n", x, y);
    assert_near(y[5], 119, 0);
    run(&s, "- log: {floor: 2}\n", x, y);
    assert_near(y[0], 0, 0);
    assert_near(y[1], log1p(8), 1e-6);
    run(&s, "- asinh: {scale: 10}\n", x, y);
    assert_near(y[1], asinh(1), 1e-7);
    run(&s, "- sqrt\n", roots, y);
    assert_true(y[0] == 1 && y[1] == -4 && y[2] == 0 && y[3] == 0.5e-20f);
    assert_true(isnan(y[4]) && y[5] == -INFINITY);
    s.x_type = ORR_X_U8;
    run(&s, "", bytes, y);
    assert_near(y[2], 255, 0);
    run(&s, "- affine: {scale: 0.00392156862745098}\n", bytes, y);
    assert_near(y[1], 0.2, 1e-8);
    s.x_type = ORR_X_F16;
    run(&s, "", halves, y);
    assert_near(y[1], -2, 0);
    assert_near(y[2], 0x1p-24, 0);
    run(&s, "- affine\n", halves, y);
    assert_near(y[3], 65504, 0);
}

static void test_shapes(void **state)
{
    orr_schema s = plain(1, 784, 1);
    orr_sample_shape shape;
    orr_transform *t;

    (void)state;
    assert_ok(chain(
        &t, &s,
        "- reshape: {shape: [28, 28, 1]}\n- moving_average: {window: 3}\n- affine: {scale: 2}\n"));
    shape = orr_transform_shape(t);
    assert_true(shape.h == 28 && shape.w == 28 && shape.c == 2);
    orr_transform_destroy(t);
    assert_fails(chain(&t, &s, "- reshape: {shape: [28, 29]}\n"), ORR_ERR_SHAPE,
                 "job.yaml:2: reshape: a sample of");
    assert_fails(chain(&t, &s, "- reshape: {shape: [2, 2, 14, 14]}\n"), ORR_ERR_OPTION,
                 "4 numbers");
    assert_fails(chain(&t, &s, "- standardize: {per: sample}\n"), ORR_ERR_OPTION,
                 "did you mean standardise?");
    assert_fails(chain(&t, &s, "- standardise: {per: row}\n"), ORR_ERR_OPTION, "job.yaml:2");
    assert_fails(chain(&t, &s, "- moving_average: {}\n"), ORR_ERR_OPTION, "window");
    assert_fails(chain(&t, &s, "- {affine: {}, log: {}}\n"), ORR_ERR_OPTION, "is written");
    assert_fails(chain(&t, &s, "  affine: {scale: 2}\n"), ORR_ERR_OPTION, "list of steps");
    assert_fails(chain(&t, &s, "- affine: 3\n"), ORR_ERR_OPTION, "map");
    assert_null(t);
}

/* Aux numbers go through a chain as a vector of their own. */
static void test_aux(void **state)
{
    static const int columns[3] = { 4, 0, 4 };
    const float aux[5] = { 8, 1, 2, 3, -15 };
    float picked[3], y[3];
    orr_schema s;
    orr_transform *t;

    (void)state;
    memset(&s, 0xa5, sizeof s);
    orr_transform_aux_schema(&s, 3);
    assert_int_equal(s.y_type, ORR_Y_NONE);
    assert_int_equal(s.n_aux, 0);
    assert_int_equal(orr_schema_x_bytes(&s), sizeof picked);
    orr_transform_pick_aux(aux, columns, 3, picked);
    assert_true(picked[0] == -15 && picked[1] == 8 && picked[2] == -15);
    run(&s, "- sqrt\n- affine: {scale: 2}\n", picked, y);
    assert_true(y[0] == -6 && y[1] == 4 && y[2] == -6);
    assert_ok(chain(&t, &s, "- standardise: {per: feature}\n"));
    assert_int_equal(orr_transform_fit_size(t), 3);
    orr_transform_destroy(t);
}

/* Fits t to n rows of floats in blocks, summed in block order. */
static void fit(orr_transform *t, const float *x, int n, size_t numbers)
{
    void *scratch = orr_alloc(orr_transform_scratch_bytes(t), 1);

    while (orr_transform_n_fits(t) > 0) {
        size_t size = orr_transform_fit_size(t);
        double *sums = orr_alloc(size, 8), *total = orr_alloc(size, 8);

        for (int first = 0; first < n; first += ORR_FIT_BLOCK) {
            int m = n - first < ORR_FIT_BLOCK ? n - first : ORR_FIT_BLOCK;
            assert_ok(orr_transform_fit_block(t, x + (size_t)first * numbers, m, sums, scratch));
            for (size_t k = 0; k < size; k++)
                total[k] += sums[k];
        }
        assert_ok(orr_transform_fit_end(t, total, n));
        orr_free(sums);
        orr_free(total);
    }
    orr_free(scratch);
}

static void test_fit(void **state)
{
    enum { ROWS = 700, W = 4, C = 2 };
    orr_schema s = plain(1, W, C);
    float *x = orr_alloc(ROWS * W * C, 4), y[W * C];
    double sum[W * C] = { 0 }, square[W * C] = { 0 }, numbers[2 * W * C + 2 * C];
    orr_transform *t, *again;
    orr_text text = ORR_TEXT_INIT;
    void *scratch;

    (void)state;
    for (int i = 0; i < ROWS * W * C;
         i++) /* raw fluxes: large mean, small deviation; feature 5 constant */
        x[i] = i % (W * C) == 5 ? 0.1f : 1e6f + (float)((i * 7919) % 257) / 16;
    assert_ok(
        chain(&t, &s, "- standardise: {per: feature}\n- standardise: {per: train_channel}\n"));
    assert_int_equal(orr_transform_n_fits(t), 4);
    fit(t, x, ROWS, W * C);
    assert_int_equal(orr_transform_n_fits(t), 0);
    scratch = orr_alloc(orr_transform_scratch_bytes(t), 1);
    for (int r = 0; r < ROWS; r++) {
        orr_transform_apply(t, x + r * W * C, y, scratch);
        for (int k = 0; k < W * C; k++) {
            sum[k] += y[k];
            square[k] += (double)y[k] * y[k];
        }
    }
    for (int k = 0; k < W * C; k++) {
        assert_true(fabs(sum[k]) < 1e-3);
        if (k != 5) assert_true(square[k] / ROWS > 0.9 && square[k] / ROWS < 1.4);
    }
    assert_true(fabs(y[5]) < 1e-6); /* a constant feature is 0, not noise over noise */
    assert_true(fabs((square[0] + square[2] + square[4] + square[6]) / ROWS - C * 2) < 1e-4);

    orr_transform_dump(t, &text); /* through the model file */
    assert_ok(orr_text_status(&text));
    assert_int_equal(orr_transform_n_numbers(t), 2 * W * C + 2 * C);
    orr_transform_get_numbers(t, numbers);
    assert_ok(chain(&again, &s, text.s));
    assert_ok(orr_transform_set_numbers(again, numbers, 2 * W * C + 2 * C));
    assert_int_equal(orr_transform_n_fits(again), 0);
    for (int r = 0; r < ROWS; r++) {
        float z[W * C];
        orr_transform_apply(t, x + r * W * C, y, scratch);
        orr_transform_apply(again, x + r * W * C, z, scratch);
        assert_memory_equal(y, z, sizeof y);
    }
    assert_fails(orr_transform_set_numbers(again, numbers, 3), ORR_ERR_SHAPE, "3 fitted numbers");
    numbers[W * C] = 0;
    assert_fails(orr_transform_set_numbers(again, numbers, 2 * W * C + 2 * C), ORR_ERR_FORMAT,
                 "not usable");
    numbers[0] = NAN;
    assert_fails(orr_transform_fit_end(t, numbers, 5), ORR_ERR_ARG, "nothing left");
    orr_transform_destroy(again);
    assert_ok(chain(&again, &s, "- standardise: {per: feature}\n"));
    assert_fails(orr_transform_fit_end(again, numbers, 5), ORR_ERR_NUMERIC,
                 "number 0 of the training rows");
    orr_transform_destroy(again);
    orr_transform_destroy(t);
    orr_text_free(&text);
    orr_free(scratch);
    orr_free(x);
}

/* Equal numbers whose sums round (full doubles after the logarithm): still 0, not noise over noise.
 */
static void test_constant(void **state)
{
    float x[300], y[300];

    (void)state;
    for (int i = 0; i < 300; i++)
        x[i] = 0.1f;
    for (int n = 2; n <= 300; n++) {
        orr_schema s = plain(1, n, 1), one = plain(1, 1, 1);
        orr_transform *t;
        double scratch[64];

        run(&s, "- log\n- standardise: {per: sample}\n", x, y);
        for (int i = 0; i < n; i++)
            assert_true(y[i] == 0);
        assert_ok(chain(&t, &one, "- log\n- standardise: {per: feature}\n"));
        assert_true(orr_transform_scratch_bytes(t) <= sizeof scratch);
        fit(t, x, n, 1);
        orr_transform_apply(t, x, y, scratch);
        assert_true(fabsf(y[0]) < 1e-12f);
        orr_transform_destroy(t);
    }
}

static void test_dump(void **state)
{
    static const char list[] =
        "- moving_average: {window: 200}\n- standardise: {per: channel}\n- affine: {scale: 0.1, "
        "shift: 3}\n"
        "- log: {floor: -2}\n- asinh: {scale: 7}\n- sqrt\n- reshape: {shape: [4, 3]}\n";
    orr_schema s = plain(1, 6, 1);
    orr_text a = ORR_TEXT_INIT, b = ORR_TEXT_INIT;
    orr_transform *t, *u;

    (void)state;
    assert_ok(chain(&t, &s, list));
    orr_transform_dump(t, &a);
    assert_ok(chain(&u, &s, a.s));
    orr_transform_dump(u, &b);
    assert_string_equal(a.s, b.s);
    for (const char *word = "window: 200"; word; word = NULL)
        assert_non_null(strstr(a.s, word));
    assert_non_null(strstr(a.s, "scale: 0.1"));
    assert_non_null(strstr(a.s, "per: channel"));
    orr_transform_destroy(t);
    orr_transform_destroy(u);
    orr_text_free(&a);
    orr_text_free(&b);
}

/* Every row of the list: fitted, dumped as YAML and numbers, made again of those: the same bytes.
 */
static void test_rows(void **state)
{
    static const char *const needed[][2] = { { "moving_average", "{window: 3}" },
                                             { "reshape", "{shape: [8]}" },
                                             { "standardise", "{per: feature}" } };
    orr_schema s = plain(1, 4, 2);
    float x[6 * 8];
    orr_kind_help kind;
    int n = 0;

    (void)state;
    for (int i = 0; i < 48; i++)
        x[i] = (float)(i * i % 17) - 3.25f;
    for (; orr_transform_kind_help(n, &kind); n++) {
        char list[128];
        const char *options = "{}";
        float one[16] = { 0 }, two[16] = { 0 };
        double numbers[64];
        orr_text yaml = ORR_TEXT_INIT, again = ORR_TEXT_INIT;
        orr_transform *a, *b;
        void *scratch;

        for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
            if (strcmp(kind.name, needed[i][0]) == 0) options = needed[i][1];
        assert_true(strlen(kind.help) > 3);
        snprintf(list, sizeof list, "- %s: %s\n", kind.name, options);
        assert_ok(chain(&a, &s, list));
        fit(a, x, 6, 8);
        assert_int_equal(orr_transform_n_fits(a), 0);
        orr_transform_dump(a, &yaml);
        assert_ok(orr_text_status(&yaml));
        assert_ok(chain(&b, &s, yaml.s));
        assert_in_range(orr_transform_n_numbers(a), 0, 64);
        orr_transform_get_numbers(a, numbers);
        assert_ok(orr_transform_set_numbers(b, numbers, orr_transform_n_numbers(a)));
        assert_int_equal(orr_transform_n_fits(b), 0);
        orr_transform_dump(b, &again);
        assert_string_equal(yaml.s, again.s);
        scratch = orr_alloc(orr_transform_scratch_bytes(a), 1);
        orr_transform_apply(a, x, one, scratch);
        orr_transform_apply(b, x, two, scratch);
        assert_memory_equal(one, two, sizeof one);
        orr_free(scratch);
        orr_text_free(&yaml);
        orr_text_free(&again);
        orr_transform_destroy(a);
        orr_transform_destroy(b);
        snprintf(list, sizeof list, "- %s: {nonsense: 1}\n", kind.name);
        assert_int_equal(chain(&a, &s, list), ORR_ERR_OPTION);
        assert_non_null(strstr(orr_error_text(), kind.name));
        assert_null(a);
    }
    assert_in_range(n, 7, 64);
}

/* A model's file says how many channels there are, and has their statistics or not: until these are
 * there nothing is taken for them. */
static void test_many_channels(void **state)
{
    const orr_schema s = { .x_type = ORR_X_F32, .n_dims = 1, .h = 1, .w = 1, .c = INT32_MAX };
    double few[2] = { 0, 1 };
    struct rusage before, after;
    orr_transform *t;

    (void)state;
    getrusage(RUSAGE_SELF, &before);
    assert_ok(chain(&t, &s, "- standardise: {per: train_channel}\n"));
    assert_true(orr_transform_n_numbers(t) >= 2 * (size_t)INT32_MAX);
    assert_int_equal(orr_transform_set_numbers(t, few, 2), ORR_ERR_SHAPE);
    orr_transform_destroy(t);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 1 << 16); /* KiB */
}

static void test_no_memory(void **state)
{
    orr_schema s = plain(1, 6, 1);
    orr_config *c = NULL;
    orr_transform *t = NULL;
    orr_status st = ORR_ERR_NOMEM;

    (void)state;
    assert_ok(orr_config_parse(
        &c, "t: [standardise: {per: feature}, standardise: {per: train_channel}]", "job"));
    for (int n = 1; st != ORR_OK && n < 30; n++) {
        orr_alloc_fail_at(n);
        st = orr_transform_create(&t, orr_node_get(orr_config_root(c), "t"), &s);
        orr_alloc_fail_at(0);
        assert_true(st == ORR_OK || (st == ORR_ERR_NOMEM && !t));
    }
    assert_ok(st);
    orr_transform_destroy(t);
    orr_config_destroy(c);
}

/* FILE (float32, n rows of h*w*c) through the chain, fitted to all its rows, to stdout. */
static int serve(char **argv)
{
    int h = (int)strtol(argv[3], NULL, 10), w = (int)strtol(argv[4], NULL, 10),
        c = (int)strtol(argv[5], NULL, 10);
    orr_schema s = plain(h, w, c);
    orr_transform *t;
    orr_sample_shape shape;
    char *data;
    size_t bytes, numbers = (size_t)h * (size_t)w * (size_t)c, made;
    float *y;
    void *scratch;
    int n;

    assert_ok(orr_read_file(&data, &bytes, argv[2], 1 << 28));
    assert_ok(chain(&t, &s, argv[6]));
    n = (int)(bytes / 4 / numbers);
    fit(t, (float *)(void *)data, n, numbers);
    shape = orr_transform_shape(t);
    made = (size_t)shape.h * (size_t)shape.w * (size_t)shape.c;
    y = orr_alloc(made, 4);
    scratch = orr_alloc(orr_transform_scratch_bytes(t), 1);
    for (int i = 0; i < n; i++) {
        orr_transform_apply(t, data + (size_t)i * numbers * 4, y, scratch);
        fwrite(y, 4, made, stdout);
    }
    orr_free(y);
    orr_free(scratch);
    orr_free(data);
    orr_transform_destroy(t);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moving_average_ramp),
        cmocka_unit_test(test_moving_average_local),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_aux),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_shared_deviations),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_many_channels),
        cmocka_unit_test(test_no_memory),
    };

    if (argc == 7 && strcmp(argv[1], "serve") == 0) return serve(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
