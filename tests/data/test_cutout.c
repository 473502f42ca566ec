/* tests/data/test_cutout.c - where stamps lie, edge and NaN rules, order, and how far frames are
 * unpacked.  tests/data/frames.py compares with Cutout2D. */
#include "data/survey/cutout.h"

#include "frame_cases.h"

enum { WIDTH = 120, HEIGHT = 401, SIZE = 8, N = 6 };

static void ok(orr_status st)
{
    if (st != ORR_OK) fail_msg("%d: %s", (int)st, orr_error_text());
}

static orr_cutout_opts opts(int size, const char *edge, const char *nan)
{
    return (orr_cutout_opts){ .size = size, .edge = edge, .fill = 9, .nan = nan };
}

typedef struct {
    double x, y;
    int size;
    const char *edge;
    int x0, y0, moved, outside; /* x0 = NONE: set aside */
    const char *reason;
} place_case;
enum { NONE = -999 };

static void test_place(void **state)
{
    static const place_case cases[] = {
        { 50, 60, 32, "clamp", 34, 44, 0, 0, "" },
        { 50.01, 59.99, 32, "clamp", 35, 44, 0, 0, "" },
        { 50, 60, 33, "clamp", 34, 44, 0, 0, "" },
        { 50.5, 60.51, 33, "clamp", 34, 45, 0, 0, "" },
        { 16, 16, 32, "drop", 0, 0, 0, 0, "" },
        { 15.99, 16, 32, "drop", 0, 0, 0, 0, "" },
        { 15, 16, 32, "drop", NONE, 0, 0, 0,
          "its stamp crosses the frame's edge: columns -1 to 30 of 200, rows 0 to 31 of 100" },
        { 184, 84, 32, "drop", 168, 68, 0, 0, "" },
        { 184.01, 84, 32, "drop", NONE, 0, 0, 0, "crosses" },
        { 15, 16, 32, "clamp", 0, 0, 1, 0, "" },
        { 199.4, 99.4, 32, "clamp", 168, 68, 1, 0, "" },
        { 199.4, 99.4, 32, "pad", 184, 84, 0, 32 * 32 - 16 * 16, "" },
        { -0.49, 50, 32, "pad", -16, 34, 0, 16 * 32, "" },
        { -0.5, 50, 32, "pad", NONE, 0, 0, 0,
          "1 pixels outside the frame: (-0.5, 50) of 200 x 100" },
        { -35.2, 50, 32, "clamp", NONE, 0, 0, 0, "35 pixels outside the frame: (-35.2, 50) of" },
        { 200, 130.5, 32, "clamp", NONE, 0, 0, 0, "31 pixels outside the frame: " },
        { 199.5, 99.5, 1, "drop", 199, 99, 0, 0, "" },
        { 0, 0, 1, "drop", 0, 0, 0, 0, "" },
        { NAN, 50, 32, "pad", NONE, 0, 0, 0, "outside the frame" },
        { 1e300, 50, 32, "pad", NONE, 0, 0, 0,
          "1e+300 pixels outside the frame: (1e+300, 50) of 200 x" },
        { 50, 50, 101, "clamp", NONE, 0, 0, 0,
          "the frame, 200 x 100, is smaller than a stamp of 101" },
        { 50, 50, 101, "pad", 0, 0, 0, 101, "" },
        { 100, 50, 100, "drop", 50, 0, 0, 0, "" },
    };
    char reason[160];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const place_case *c = &cases[i];
        orr_cutout_opts o = opts(c->size, c->edge, "drop");
        orr_place p;
        int has = orr_cutout_place(&o, 200, 100, c->x, c->y, &p, reason, sizeof reason);

        if (has != (c->x0 != NONE) || !strstr(reason, c->reason) || (has && *reason))
            fail_msg("case %zu: %d \"%s\"", i, has, reason);
        if (has &&
            (p.x0 != c->x0 || p.y0 != c->y0 || p.moved != c->moved || p.outside != c->outside))
            fail_msg("case %zu: %d %d %d %d", i, p.x0, p.y0, p.moved, p.outside);
    }
}

/* Sky position of a pixel: the frames of frame_cases.h are flat enough over so few pixels. */
static void sky(double x, double y, double *ra, double *dec)
{
    *ra = 150 - (x + 1 - WIDTH / 2.0) * 1e-4 / cos(2 * M_PI / 180);
    *dec = 2 + (y + 1 - HEIGHT / 2.0) * 1e-4;
}

static void test_band(void **state)
{
    static const double at[N][2] = { { 60.3, 300.2 }, { 1.1, 2.2 },     { 60.3, 10.4 },
                                     { -9, 50 },      { 118.2, 199.7 }, { 60.3, 300.2 } };
    static const int x0[N] = { 57, -2, 57, 0, 115, 57 }, y0[N] = { 297, -1, 7, 0, 196, 297 };
    case_bytes b = case_fits(WIDTH, HEIGHT, NULL), packed = case_bz2(b.p, b.n);
    orr_cutout_opts o = opts(SIZE, "pad", "keep");
    float *cubes = orr_alloc(N * SIZE * SIZE * 3, sizeof *cubes);
    orr_band_result results[N];
    double ra[N], dec[N];
    orr_frame *f;

    (void)state;
    for (int i = 0; i < N; i++)
        sky(at[i][0], at[i][1], &ra[i], &dec[i]);
    memset(cubes, 0x11, N * SIZE * SIZE * 3 * sizeof *cubes);
    memset(results, 0x22, sizeof results);
    ok(orr_frame_open(&f, packed.p, packed.n, NULL, "f"));
    ok(orr_cutout_band(&o, f, N, ra, dec, 1, 3, cubes, results));
    for (int i = 0; i < N; i++) {
        assert_int_equal(results[i].aside, i == 3);
        assert_int_equal(results[i].nans + results[i].moved, 0);
        assert_int_equal(results[i].reason[0] != 0, i == 3);
        for (int k = 0; k < SIZE * SIZE; k++) {
            const float *p = cubes + (i * SIZE * SIZE + k) * 3;
            int x = x0[i] + k % SIZE, y = y0[i] + k / SIZE, in = x >= 0 && y >= 0 && x < WIDTH;
            uint32_t left;

            memcpy(&left, &p[i == 3], sizeof left);
            assert_int_equal(left, 0x11111111); /* other bands, and those set aside */
            memcpy(&left, &p[2], sizeof left);
            assert_int_equal(left, 0x11111111);
            if (i != 3 && p[1] != (in ? case_pixel(x, y) : 9)) fail_msg("object %d pixel %d", i, k);
        }
    }
    orr_frame_close(f);
    orr_free(cubes);
    case_drop(&b);
    case_drop(&packed);
}

/* Only as far as the last row of the stamps; nothing when there are none. */
static void test_unpacks(void **state)
{
    case_bytes b = case_fits(WIDTH, HEIGHT, NULL), packed = { 0 };
    orr_cutout_opts o = opts(SIZE, "clamp", "drop");
    float cubes[2 * SIZE * SIZE];
    orr_band_result results[2];
    double ra[2], dec[2];
    size_t header;
    orr_frame *f;

    (void)state;
    packed = case_pieces(b, CASE_BLOCK, case_bz2);
    sky(60, 100, &ra[0], &dec[0]);
    sky(60, 1000, &ra[1], &dec[1]);
    ok(orr_frame_open(&f, packed.p, packed.n, NULL, "f"));
    header = orr_frame_unpacked(f);
    ok(orr_cutout_band(&o, f, 1, ra + 1, dec + 1, 0, 1, cubes, results));
    assert_int_equal(results[0].aside, 1);
    ok(orr_cutout_band(&o, f, 0, ra, dec, 0, 1, cubes, results));
    assert_int_equal(orr_frame_unpacked(f), header);
    ok(orr_cutout_band(&o, f, 2, ra, dec, 0, 1, cubes, results));
    assert_in_range(orr_frame_unpacked(f), CASE_BLOCK + 104 * WIDTH * 4,
                    CASE_BLOCK + 104 * WIDTH * 4 + CASE_BLOCK);
    orr_frame_close(f);
    packed.n = packed.n * 2 / 3; /* cut: the frame's fault only when the rows are wanted */
    ok(orr_frame_open(&f, packed.p, packed.n, NULL, "f"));
    ok(orr_cutout_band(&o, f, 2, ra, dec, 0, 1, cubes, results));
    sky(60, 390, &ra[1], &dec[1]);
    assert_int_equal(orr_cutout_band(&o, f, 2, ra, dec, 0, 1, cubes, results), ORR_ERR_FORMAT);
    assert_non_null(strstr(orr_error_text(), "of its 401 rows are there"));
    orr_frame_close(f);
    case_drop(&b);
    case_drop(&packed);
}

static void test_nan(void **state)
{
    static const char *const rules[] = { "drop", "zero", "keep" };
    static const uint32_t infinite = 0x000080ff; /* -inf: ff 80 00 00 */
    static const uint32_t quiet = 0x0000c07f;    /* 7fc00000, big-endian bytes 7f c0 00 00 */
    case_bytes b = case_fits(WIDTH, HEIGHT, NULL);
    float cubes[2 * SIZE * SIZE];
    orr_band_result results[2];
    double ra[2], dec[2];

    (void)state;
    for (int x = 58; x < 61; x++)
        memcpy(b.p + CASE_BLOCK + 4 * (100 * WIDTH + x), x == 59 ? &infinite : &quiet, 4);
    sky(60, 100, &ra[0], &dec[0]);
    sky(60, 120, &ra[1], &dec[1]);
    for (int r = 0; r < 3; r++) {
        orr_cutout_opts o = opts(SIZE, "clamp", rules[r]);
        int zeros = 0, nans = 0;
        orr_frame *f;

        memset(cubes, 0x11, sizeof cubes);
        ok(orr_frame_open(&f, b.p, b.n, NULL, "f"));
        ok(orr_cutout_band(&o, f, 2, ra, dec, 0, 1, cubes, results));
        orr_frame_close(f);
        for (int i = 0; i < SIZE * SIZE; i++) {
            nans += isnan(cubes[i]) != 0;
            zeros += cubes[i] == 0;
        }
        assert_int_equal(results[0].aside, r == 0);
        assert_int_equal(results[0].nans, 3);
        assert_int_equal(results[1].aside + results[1].nans, 0);
        assert_int_equal(zeros, r == 1 ? 3 : 0);
        assert_int_equal(nans, r == 2 ? 3 : 0);
        if (r == 0)
            assert_string_equal(results[0].reason, "3 pixels of its stamp are NaN or infinite");
    }
    case_drop(&b);
}

static void test_out_of_memory(void **state)
{
    case_bytes b = case_fits(WIDTH, HEIGHT, NULL);
    orr_cutout_opts o = opts(SIZE, "clamp", "drop");
    float cubes[SIZE * SIZE];
    orr_band_result result;
    double ra, dec;
    orr_frame *f;
    orr_status st;
    int n = 0;

    (void)state;
    sky(60, 100, &ra, &dec);
    ok(orr_frame_open(&f, b.p, b.n, NULL, "f"));
    do {
        orr_alloc_fail_at(++n);
        st = orr_cutout_band(&o, f, 1, &ra, &dec, 0, 1, cubes, &result);
        orr_alloc_fail_at(0);
        assert_true(st == ORR_OK || st == ORR_ERR_NOMEM);
    } while (st != ORR_OK && n < 100);
    assert_in_range(n, 2, 10);
    orr_frame_close(f);
    case_drop(&b);
}

static void test_options(void **state)
{
    orr_cutout_opts o;

    (void)state;
    ok(orr_options_read(&o, orr_cutout_options, NULL, "crop"));
    assert_int_equal(o.size, 32);
    assert_string_equal(o.edge, "clamp");
    assert_string_equal(o.nan, "drop");
    assert_true(o.fill == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place),         cmocka_unit_test(test_band),
        cmocka_unit_test(test_unpacks),       cmocka_unit_test(test_nan),
        cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
