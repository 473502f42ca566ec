/* tests/data/test_frame.c - frames in every packing, whole, cut, damaged, and what is no frame.
 * tests/data/frames.py compares with astropy. */
#include "data/survey/frame.h"

#include "data/survey/unpack.h"
#include "frame_cases.h"

#include <pthread.h>
#include <sys/resource.h>

enum { WIDTH = 300, HEIGHT = 401 }; /* 481,200 bytes of pixels: five bzip2 blocks */

static void expect(orr_status st, orr_status code, const char *words)
{
    if (st != code || !strstr(orr_error_text(), words))
        fail_msg("got %d \"%s\", expected %d \"%s\"", (int)st, st ? orr_error_text() : "",
                 (int)code, words);
}

static void ok(orr_status st)
{
    if (st != ORR_OK) fail_msg("%d: %s", (int)st, orr_error_text());
}

static int same_rows(const float *p, int x0, int y0, int w, int h)
{
    for (int y = y0; y < y0 + h; y++)
        for (int x = x0; x < x0 + w; x++)
            if (*p++ != case_pixel(x, y)) return 0;
    return 1;
}

/* Rows of the frame that can be read, one after the other; each must be right. */
static int rows_there(const case_bytes *b)
{
    float row[WIDTH];
    orr_frame *f;
    orr_status st = orr_frame_open(&f, b->p, b->n, NULL, "cut");
    int y = 0;

    if (st != ORR_OK) {
        assert_null(f);
        assert_int_equal(st, ORR_ERR_FORMAT);
        return -1;
    }
    while (y < HEIGHT && (st = orr_frame_read(f, 0, y, WIDTH, 1, row)) == ORR_OK)
        assert_true(same_rows(row, 0, y++, WIDTH, 1));
    if (y < HEIGHT) {
        char words[64], first[ORR_ERROR_MAX];

        snprintf(words, sizeof words, "cut: only %d of its %d rows are there: ", y, HEIGHT);
        expect(st, ORR_ERR_FORMAT, words);
        snprintf(first, sizeof first, "%s", orr_error_text());
        expect(orr_frame_read(f, 0, HEIGHT - 1, WIDTH, 1, row), ORR_ERR_FORMAT, first);
        for (int again = y - 1; again >= 0; again -= 50) {
            ok(orr_frame_read(f, 0, again, WIDTH, 1, row));
            assert_true(same_rows(row, 0, again, WIDTH, 1));
        }
    }
    orr_frame_close(f);
    return y;
}

typedef struct {
    const char *name;
    case_bytes bytes;
} packing;

enum { PACKINGS = 7 };
static void pack_all(packing *all)
{
    case_bytes raw = case_fits(WIDTH, HEIGHT, NULL), tail;
    size_t pixels = CASE_BLOCK + WIDTH * HEIGHT * 4;

    all[0] = (packing){ "plain", raw };
    all[1] = (packing){ "bz2", case_bz2(raw.p, raw.n) };
    all[2] = (packing){ "gz", case_gz(raw.p, raw.n) };
    all[3] = (packing){ "bz2 streams", case_pieces(raw, CASE_BLOCK, case_bz2) };
    all[4] = (packing){ "gz members", case_pieces(raw, 100000, case_gz) };
    all[5] = (packing){ "bz2 without the last padding", case_bz2(raw.p, pixels) };
    all[6] = (packing){ "plain without it", case_take(pixels) };
    memcpy(all[6].bytes.p, raw.p, pixels);
    tail = case_bz2("more", 4); /* what follows the image does not matter, bzip2 or not */
    case_append(&all[1].bytes, tail.p, tail.n);
    case_append(&all[3].bytes, "<html>", 6);
    case_drop(&tail);
}

static void test_read(void **state)
{
    packing all[PACKINGS];
    float *pixels = orr_alloc(WIDTH * HEIGHT, sizeof *pixels);

    (void)state;
    pack_all(all);
    for (int i = 0; i < PACKINGS; i++) {
        orr_frame *f;
        char text[16];
        uint32_t draw = 1;

        ok(orr_frame_open(&f, all[i].bytes.p, all[i].bytes.n, NULL, all[i].name));
        assert_int_equal(orr_frame_width(f), WIDTH);
        assert_int_equal(orr_frame_height(f), HEIGHT);
        orr_frame_keyword(f, "FILTER", text, sizeof text);
        assert_string_equal(text, "r");
        orr_frame_keyword(f, "RUN", text, sizeof text);
        assert_string_equal(text, "94");
        orr_frame_keyword(f, "NONE", text, sizeof text);
        assert_string_equal(text, "");
        for (int k = 0; k < 200; k++) { /* windows all over, in no order */
            int at[4];

            for (int j = 0; j < 4; j++)
                at[j] = (int)((draw = draw * 1664525u + 1013904223u) >> 8);
            at[0] %= WIDTH;
            at[1] %= HEIGHT;
            at[2] = 1 + at[2] % (WIDTH - at[0]);
            at[3] = 1 + at[3] % (HEIGHT - at[1]);
            if (k < 40) at[1] = k * 10, at[3] = 1; /* rising rows first */
            ok(orr_frame_read(f, at[0], at[1], at[2], at[3], pixels));
            assert_true(same_rows(pixels, at[0], at[1], at[2], at[3]));
        }
        orr_frame_close(f);
        assert_int_equal(rows_there(&all[i].bytes), HEIGHT);
        case_drop(&all[i].bytes);
    }
    orr_free(pixels);
}

/* No more is unpacked than the block in which the last byte wanted lies. */
static void test_unpacks_no_more(void **state)
{
    case_bytes raw = case_fits(WIDTH, HEIGHT, NULL), b = case_bz2(raw.p, raw.n),
               s = case_pieces(raw, CASE_BLOCK, case_bz2);
    float row[WIDTH];
    orr_frame *f;

    (void)state;
    ok(orr_frame_open(&f, b.p, b.n, NULL, "b"));
    assert_in_range(orr_frame_unpacked(f), CASE_BLOCK, 105000); /* a block, runs packed before */
    for (int y = 0; y < HEIGHT; y += 20) {
        size_t end = CASE_BLOCK + (size_t)(y + 1) * WIDTH * 4;

        ok(orr_frame_read(f, 0, y, WIDTH, 1, row));
        assert_in_range(orr_frame_unpacked(f), end, end + CASE_BLOCK + 100000);
    }
    orr_frame_close(f);
    ok(orr_frame_open(&f, s.p, s.n, NULL, "s"));
    assert_int_equal(orr_frame_unpacked(f), CASE_BLOCK);
    ok(orr_frame_read(f, 0, 100, WIDTH, 1, row));
    assert_int_equal(orr_frame_unpacked(f), CASE_BLOCK * 44); /* 2880 + 121200 bytes */
    orr_frame_close(f);
    case_drop(&raw);
    case_drop(&b);
    case_drop(&s);
}

static void test_cut(void **state)
{
    packing all[PACKINGS];

    (void)state;
    pack_all(all);
    for (int i = 0; i < PACKINGS; i++) {
        size_t whole = all[i].bytes.n;
        int before = -1;

        for (size_t tenth = 0; tenth < 10; tenth++) {
            case_bytes cut = { all[i].bytes.p, whole * tenth / 10 };
            int rows = rows_there(&cut);

            if (!strncmp(all[i].name, "gz", 2)) { /* one checksum, at the end */
                assert_int_equal(rows, -1);
                continue;
            }
            assert_in_range(rows + 1, before + 1, HEIGHT);
            assert_true(rows <= (int)(HEIGHT * tenth / 10) + 25);
            before = rows;
        }
        assert_true(before >= HEIGHT / 2 || !strncmp(all[i].name, "gz", 2));
        case_drop(&all[i].bytes);
    }
}

/* Whatever bit is wrong, no wrong pixel comes out. */
static void test_damaged(void **state)
{
    case_bytes raw = case_fits(WIDTH, HEIGHT, NULL), b = case_bz2(raw.p, raw.n),
               g = case_gz(raw.p, raw.n);
    int whole = 0, none = 0, n = 0;
    orr_unpack *u;

    (void)state;
    for (size_t at = 0; at < b.n; at += b.n / 97, n++) {
        int rows;

        b.p[at] ^= (unsigned char)(1 << (at % 8));
        rows = rows_there(&b);
        whole += rows == HEIGHT;
        none += rows < 0;
        b.p[at] ^= (unsigned char)(1 << (at % 8));
    }
    assert_in_range(whole, 0, 2); /* behind the image */
    assert_in_range(none, 10, 30);
    assert_true(n - whole - none > 60);
    for (size_t at = 0; at < g.n; at += g.n / 97) { /* gzip: all of it, or nothing */
        int rows;

        g.p[at] ^= (unsigned char)(1 << (at % 8));
        rows = rows_there(&g);
        assert_true(rows < 0 || (rows == HEIGHT && at < 10));
        g.p[at] ^= (unsigned char)(1 << (at % 8));
    }
    g.p[g.n / 2] ^= 1; /* seen at the end, if not before */
    ok(orr_unpack_open(&u, g.p, g.n, SIZE_MAX, "g"));
    expect(orr_unpack_to(u, raw.n + 1), ORR_ERR_FORMAT, "g: the gzip data are damaged near packed");
    orr_unpack_close(u);
    case_drop(&raw);
    case_drop(&b);
    case_drop(&g);
}

static void refuse(const void *p, size_t n, const char *words)
{
    orr_frame *f;
    char sentence[256];

    snprintf(sentence, sizeof sentence, "bad.fits: %s", words);
    orr_error_clear();
    expect(orr_frame_open(&f, p, n, NULL, "bad.fits"), ORR_ERR_FORMAT, sentence);
    assert_null(f);
}

static void patch(case_bytes *b, const char *card)
{
    for (size_t at = 0; at < CASE_BLOCK; at += 80)
        if (memcmp(b->p + at, card, 9) == 0) {
            memset(b->p + at, ' ', 80);
            memcpy(b->p + at, card, strlen(card));
            return;
        }
    fail();
}

static void refuse_patched(const char *card, const char *words)
{
    case_bytes b = case_fits(30, 20, NULL);

    patch(&b, card);
    refuse(b.p, b.n, words);
    case_drop(&b);
}

static void test_refused(void **state)
{
    static const char html[] = "\n<!DOCTYPE html><html><body>404 Not Found</body></html>";
    case_bytes packed = case_bz2(html, sizeof html), raw = case_fits(30, 20, NULL),
               nothing = case_bz2("", 0), endless = case_take(17 << 20);

    (void)state;
    refuse("", 0, "not a FITS file: the file ends after 0 bytes");
    refuse(html, sizeof html, "not a FITS file, but an HTML page");
    refuse(packed.p, packed.n, "not a FITS file, but an HTML page");
    refuse("<?xml version='1.0'?>", 21, "not a FITS file, but an HTML or XML page");
    refuse("noise", 5, "not a FITS file, but other data");
    refuse("BZh", 3, "not a FITS file: the bzip2 data are cut short at packed byte 3");
    refuse("BZh9noise", 9, "not a FITS file: the bzip2 data are damaged from packed byte 0 on");
    refuse(nothing.p, nothing.n, "not a FITS file: the bzip2 data end at packed byte 14 of 14");
    refuse("\x1f\x8bnoise", 7, "not a FITS file: the gzip data are damaged near packed byte");
    refuse(raw.p, 2879, "its header is cut short: the file ends after 2879 bytes");
    memset(endless.p, ' ', endless.n);
    memcpy(endless.p, raw.p, 400);
    refuse(endless.p, endless.n, "its header ");
    refuse_patched("BITPIX  =                   -7", "header: ");
    refuse_patched("NAXIS1  =                   -3", "HDU 1 is an image of a size that cannot be");
    refuse_patched("NAXIS1  =                    0", "HDU 1 is an image of a size that cannot be");
    refuse_patched("NAXIS1  =           4000000000", "HDU 1 is an image of a size that cannot be");
    refuse_patched("CTYPE1  = 'LINEAR  '", "no celestial world coordinates: ");
    refuse_patched("CTYPE2  = 'RA---TAN'", "no celestial world coordinates: ");
    refuse_patched("CTYPE1  = 'RA---XYZ'", "no celestial world coordinates: ");
    case_drop(&packed);
    case_drop(&raw);
    case_drop(&nothing);
    case_drop(&endless);
}

/* A header that lies about the size costs no more memory than there are bytes. */
static void test_lying_header(void **state)
{
    case_bytes b = case_fits(30, 20, NULL), packed;
    float row[30];
    orr_frame *f;

    (void)state;
    patch(&b, "NAXIS2  =           2000000000");
    packed = case_bz2(b.p, b.n);
    for (int i = 0; i < 2; i++) {
        ok(orr_frame_open(&f, i ? packed.p : b.p, i ? packed.n : b.n, NULL, "lie"));
        ok(orr_frame_read(f, 0, 19, 30, 1, row));
        assert_true(same_rows(row, 0, 19, 30, 1));
        expect(orr_frame_read(f, 0, 1999999999, 30, 1, row), ORR_ERR_FORMAT,
               "lie: only 24 of its 2000000000 rows are there: ");
        orr_frame_close(f);
    }
    case_drop(&b);
    case_drop(&packed);
}

/* One row of 8 GiB is asked for when it is there, not when a header says so. */
static void test_lying_width(void **state)
{
    case_bytes b = case_fits(30, 20, NULL);
    struct rusage before, after;
    orr_frame *f;
    float v;

    (void)state;
    patch(&b, "NAXIS1  =           2147483647");
    patch(&b, "NAXIS2  =                    1");
    getrusage(RUSAGE_SELF, &before);
    ok(orr_frame_open(&f, b.p, b.n, NULL, "lie"));
    expect(orr_frame_read(f, 0, 0, 1, 1, &v), ORR_ERR_FORMAT,
           "lie: only 0 of its 1 rows are there: ");
    orr_frame_close(f);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 1 << 20); /* KiB */
    case_drop(&b);
}

/* What so small a file may become is bounded, whatever it says, and the user can raise it. */
static void test_max_unpacked(void **state)
{
    enum { W = 300, H = 200, BYTES = W * H * 4 };
    const orr_frame_opts less = { .max_unpacked = 100000 }, enough = { .max_unpacked = 2 * BYTES };
    case_bytes b = case_fits(W, H, NULL), packed[2];
    float v;

    (void)state;
    packed[0] = case_gz(b.p, b.n);
    packed[1] = case_bz2(b.p, b.n);
    for (int i = 0; i < 2; i++) {
        orr_frame *f = NULL;
        orr_status st = orr_frame_open(&f, packed[i].p, packed[i].n, &less, "bomb");

        if (st == ORR_OK) st = orr_frame_read(f, 0, H - 1, 1, 1, &v); /* bzip2: as far as it goes */
        expect(st, ORR_ERR_FORMAT, "bomb: ");
        assert_non_null(
            strstr(orr_error_text(),
                   "become more than the 100000 that are allowed (archive.max_unpacked)"));
        orr_frame_close(f);
        ok(orr_frame_open(&f, packed[i].p, packed[i].n, &enough, "bomb"));
        ok(orr_frame_read(f, 0, H - 1, 1, 1, &v));
        orr_frame_close(f);
        case_drop(&packed[i]);
    }
    case_drop(&b);
}

static void test_arguments(void **state)
{
    static const int bad[][4] = { { -1, 0, 1, 1 },     { 0, -1, 1, 1 }, { 0, 0, 0, 1 },
                                  { 0, 0, 1, 0 },      { 30, 0, 1, 1 }, { 0, 20, 1, 1 },
                                  { 1, 0, 30, 1 },     { 0, 0, 1, 21 }, { 0, 0, 1 << 30, 1 },
                                  { 0, 0, 1, 1 << 30 } };
    case_bytes b = case_fits(30, 20, NULL);
    float pixels[600];
    orr_frame *f;

    (void)state;
    ok(orr_frame_open(&f, b.p, b.n, NULL, "b"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect(orr_frame_read(f, bad[i][0], bad[i][1], bad[i][2], bad[i][3], pixels), ORR_ERR_ARG,
               "do not lie in 30 x 20");
    ok(orr_frame_read(f, 0, 0, 30, 20, pixels));
    orr_frame_close(f);
    orr_frame_close(NULL);
    case_drop(&b);
}

static void test_places(void **state)
{
    /* the reference point; far side, not a number, infinite; no declination; 1 degree north */
    const double ra[] = { 150, 330, NAN, INFINITY, 150, 510 }, dec[] = { 2, -2, 2, 2, 95, 3 };
    double x[6], y[6], *many = orr_alloc(4000, sizeof *many);
    case_bytes b = case_fits(30, 20, NULL);
    orr_frame *f;

    (void)state;
    ok(orr_frame_open(&f, b.p, b.n, NULL, "b"));
    ok(orr_frame_to_pixel(f, 6, ra, dec, x, y));
    assert_float_equal(x[0], 14, 1e-9);
    assert_float_equal(y[0], 9, 1e-9);
    assert_true(isnan(x[1]) && isnan(y[1]) && isnan(x[2]) && isnan(y[2]) && isnan(x[3]));
    assert_float_equal(x[5], 14, 1e-6);
    assert_float_equal(y[5], 9 + tan(M_PI / 180) * 180 / M_PI / 1e-4, 1e-6);
    for (int i = 0; i < 1000; i++) { /* more than fit at once, a bad one among them */
        many[i] = 150 + i * 1e-4;
        many[1000 + i] = i % 300 == 299 ? -90 : 2;
    }
    ok(orr_frame_to_pixel(f, 1000, many, many + 1000, many + 2000, many + 3000));
    for (int i = 0; i < 1000; i++)
        if (i % 300 == 299)
            assert_true(isnan(many[2000 + i]) || many[3000 + i] < -1e5);
        else
            assert_float_equal(many[2000 + i], 14 - i * cos(2 * M_PI / 180), 1e-2);
    orr_free(many);
    orr_frame_close(f);
    case_drop(&b);
}

static orr_status use(const case_bytes *b)
{
    float row[WIDTH];
    orr_frame *f;
    orr_status st = orr_frame_open(&f, b->p, b->n, NULL, "b");

    if (st == ORR_OK) st = orr_frame_read(f, 0, HEIGHT - 1, WIDTH, 1, row);
    if (st == ORR_OK) assert_true(same_rows(row, 0, HEIGHT - 1, WIDTH, 1));
    orr_frame_close(f);
    return st;
}

static void test_out_of_memory(void **state)
{
    packing all[PACKINGS];

    (void)state;
    pack_all(all);
    for (int i = 0; i < PACKINGS; i++) {
        int n = 0;
        orr_status st;

        if (i == 3) { /* hundreds of streams, 3 allocations each: the first are enough */
            case_drop(&all[i].bytes);
            continue;
        }
        do {
            orr_alloc_fail_at(++n);
            st = use(&all[i].bytes);
            orr_alloc_fail_at(0);
            if (st != ORR_OK) expect(st, ORR_ERR_NOMEM, "out of memory");
        } while (st != ORR_OK && n < 1000);
        assert_in_range(n, 5, 100);
        case_drop(&all[i].bytes);
    }
}

static void *use_often(void *arg)
{
    for (int i = 0; i < 20; i++)
        if (use(arg) != ORR_OK) return arg;
    return NULL;
}

static void test_threads(void **state)
{
    case_bytes raw = case_fits(WIDTH, HEIGHT, NULL), b = case_bz2(raw.p, raw.n);
    pthread_t threads[4];
    void *failed;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_often, i % 2 ? &b : &raw), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    case_drop(&raw);
    case_drop(&b);
}

/* A block of zeros unpacks to far more than it holds; what lies behind a limit is not kept. */
static void test_unpack_limit(void **state)
{
    case_bytes zeros = case_take(20 << 20), b = case_bz2(zeros.p, zeros.n);
    orr_unpack *u;

    (void)state;
    ok(orr_unpack_open(&u, b.p, b.n, SIZE_MAX, "zeros"));
    ok(orr_unpack_to(u, 10));
    assert_int_equal(orr_unpack_ready(u), orr_unpack_done(u));
    ok(orr_unpack_limit(u, 5000000));
    ok(orr_unpack_to(u, 5000000));
    assert_int_equal(orr_unpack_ready(u), 5000000);
    assert_memory_equal(orr_unpack_bytes(u), zeros.p, 5000000);
    expect(orr_unpack_to(u, 5000001), ORR_ERR_ARG, "zeros: byte 5000001 is behind the limit");
    orr_unpack_close(u);
    ok(orr_unpack_open(&u, b.p, b.n, SIZE_MAX, "zeros"));
    expect(orr_unpack_to(u, zeros.n + 1), ORR_ERR_FORMAT, "zeros: the bzip2 data end at packed");
    assert_int_equal(orr_unpack_ready(u), zeros.n);
    assert_int_equal(orr_unpack_taken(u), b.n);
    orr_unpack_close(u);
    case_drop(&zeros);
    case_drop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),          cmocka_unit_test(test_unpacks_no_more),
        cmocka_unit_test(test_cut),           cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_lying_header),
        cmocka_unit_test(test_lying_width),   cmocka_unit_test(test_max_unpacked),
        cmocka_unit_test(test_arguments),     cmocka_unit_test(test_places),
        cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_unpack_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
