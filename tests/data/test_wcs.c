/* tests/data/test_wcs.c - from sky to pixel by a header's cards: systems, seams, what has no pixel,
 * and what is refused by the keyword's name.  tests/data/sky.py compares with astropy. */
#include "data/survey/wcs.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* In double: cmocka's own goes through float. */
static void near(double a, double b, double most)
{
    if (!(fabs(a - b) <= most)) fail_msg("%.12g, expected %.12g", a, b);
}

enum { CARDS = 40 };
typedef struct {
    char text[CARDS * 80 + 1];
    int n;
} cards;

static const char *const plain[] = {
    "CTYPE1  = 'RA---TAN'", "CTYPE2  = 'DEC--TAN'", "CRVAL1  = 150.0",
    "CRVAL2  = 2.0",        "CRPIX1  = 51.0",       "CRPIX2  = 41.0",
    "CDELT1  = -0.0001",    "CDELT2  = 0.0001",     NULL
};

static void add(cards *c, const char *card)
{
    assert_true(c->n < CARDS && strlen(card) <= 80);
    memset(c->text + 80 * c->n, ' ', 80);
    memcpy(c->text + 80 * c->n++, card, strlen(card));
}

/* plain, with cards of the same keyword replaced, one with no value left out, others added. */
static cards make(const char *const *more)
{
    cards c = { 0 };

    for (int i = 0; plain[i]; i++) {
        const char *card = plain[i];

        for (int k = 0; more && more[k]; k++)
            if (memcmp(more[k], plain[i], 8) == 0) card = NULL;
        if (card) add(&c, card);
    }
    for (int k = 0; more && more[k]; k++)
        if (more[k][8] == '=') add(&c, more[k]);
    add(&c, "END");
    return c;
}

static orr_wcs *open_with(const char *const *more, const orr_sky *sky)
{
    cards c = make(more);
    orr_wcs *w;

    if (orr_wcs_open(&w, c.text, c.n, sky, "f.fits") != ORR_OK) fail_msg("%s", orr_error_text());
    return w;
}

static void test_places(void **state)
{
    /* the reference point thrice; far side, horizon, no numbers */
    const double ra[] = { 150, 510, -210, 330, 240, NAN, INFINITY, 150 },
                 dec[] = { 2, 2, 2, -2, 0, 2, 2, NAN };
    orr_wcs *w = open_with(NULL, NULL);
    double x[8], y[8];

    (void)state;
    assert_int_equal(orr_wcs_sky(w)->kind, ORR_SKY_ICRS);
    assert_int_equal(orr_wcs_to_pixel(w, 8, ra, dec, x, y), ORR_OK);
    for (int i = 0; i < 3; i++) {
        near(x[i], 50, 1e-7);
        near(y[i], 40, 1e-7);
    }
    for (int i = 3; i < 8; i++)
        assert_true(isnan(x[i]) && isnan(y[i]));
    orr_wcs_close(w);
    orr_wcs_close(NULL);
}

/* Across 0 hours, and at a pole. */
static void test_seams(void **state)
{
    static const char *const zero[] = { "CRVAL1  = 0.0", "CRVAL2  = 0.0", NULL };
    static const char *const pole[] = { "CRVAL1  = 0.0", "CRVAL2  = 90.0", NULL };
    const double ra[] = { 0.001, 359.999, 360.001, -0.001 }, dec[] = { 0, 0, 0, 0 };
    const double around[] = { 0, 90, 180, 270 }, high[] = { 89.999, 89.999, 89.999, 89.999 };
    double x[4], y[4];
    orr_wcs *w = open_with(zero, NULL);

    (void)state;
    assert_int_equal(orr_wcs_to_pixel(w, 4, ra, dec, x, y), ORR_OK);
    for (int i = 0; i < 4; i++)
        near(x[i], i % 2 ? 60 : 40, 1e-5);
    orr_wcs_close(w);
    w = open_with(pole, NULL);
    assert_int_equal(orr_wcs_to_pixel(w, 4, around, high, x, y), ORR_OK);
    for (int i = 0; i < 4; i++)
        near(hypot(x[i] - 50, y[i] - 40), 10, 1e-5);
    near(y[0], 50, 1e-5); /* LONPOLE is 0 there */
    orr_wcs_close(w);
}

/* The same numbers in another system are another place, unless the caller knows better. */
static void test_systems(void **state)
{
    static const char *const old[] = { "EQUINOX = 1950.0", NULL };
    const orr_sky icrs = { .kind = ORR_SKY_ICRS };
    orr_wcs *w = open_with(old, NULL);
    double ra = 150, dec = 2, x, y;
    char text[ORR_SKY_TEXT];

    (void)state;
    orr_sky_text(orr_wcs_sky(w), text, sizeof text);
    assert_string_equal(text, "FK4 B1950");
    assert_int_equal(orr_wcs_to_pixel(w, 1, &ra, &dec, &x, &y), ORR_OK);
    assert_true(hypot(x - 50, y - 40) > 6000); /* 0.68 degrees */
    ra = 150.645122559;                        /* what B1950's place is in ICRS, by astropy */
    dec = 1.758128779;
    assert_int_equal(orr_wcs_to_pixel(w, 1, &ra, &dec, &x, &y), ORR_OK);
    near(x, 50, 0.01);
    near(y, 40, 0.01);
    orr_wcs_close(w);
    w = open_with(old, &icrs);
    ra = 150;
    dec = 2;
    assert_int_equal(orr_wcs_to_pixel(w, 1, &ra, &dec, &x, &y), ORR_OK);
    near(x, 50, 1e-7);
    orr_wcs_close(w);
}

/* A polynomial whose way back ends nowhere has no pixel, and spoils no other position. */
static void test_polynomial(void **state)
{
    static const char *const sip[] = {
        "CTYPE1  = 'RA---TAN-SIP'", "CTYPE2  = 'DEC--TAN-SIP'", "A_ORDER = 3", "B_ORDER = 3",
        "A_3_0   = -1E-4",          "B_0_3   = -1E-4",          NULL
    };
    const double ra[] = { 150, 150.5, 150 }, dec[] = { 2, 2.5, 2.0005 };
    orr_wcs *w = open_with(sip, NULL);
    double x[3], y[3];

    (void)state;
    assert_int_equal(orr_wcs_to_pixel(w, 3, ra, dec, x, y), ORR_OK);
    near(x[0], 50, 1e-6);
    assert_true(isnan(x[1]) || fabs(x[1] - 50) > 100);
    near(y[2] - 40 - 1e-4 * pow(y[2] - 40, 3), 5, 1e-6);
    orr_wcs_close(w);
}

static void test_refused(void **state)
{
    static const struct {
        const char *more[5], *words;
    } rows[] = {
        { { "CRVAL1  ", NULL }, "f.fits: it has no CRVAL1" },
        { { "CRPIX2  ", NULL }, "f.fits: it has no CRPIX2" },
        { { "CRVAL1  = '150.0'", NULL }, "f.fits: CRVAL1 is a text" },
        { { "CRVAL1  =", NULL }, "f.fits: CRVAL1 is nothing that can be read" },
        { { "CRPIX1  = 1,5", NULL }, "f.fits: CRPIX1 is nothing that can be read" },
        { { "CRVAL1A = '150.0'", "RADESYS = 'GAPPT'", NULL }, "f.fits: RADESYS is 'GAPPT'" },
        { { "EQUINOX = 0.0", NULL }, "f.fits: EQUINOX is 0" },
        { { "CDELT1  = 0.0", NULL }, "f.fits: CDELT1 is 0" },
        { { "CDELT1  ", "CDELT2  ", NULL }, "f.fits: it has neither CDi_j nor CDELT1" },
        { { "CD1_1   = 1.0", NULL }, "f.fits: it has no CD2_j" },
        { { "CD1_1   = 1.0", "CD2_1   = 0.3", NULL }, "(CDi_j)" },
        { { "CD1_1   = 1.0", "CD2_2   = 1.0", "PC1_1   = 1.0", NULL }, "both PCi_j and CDi_j" },
        { { "CTYPE1  = 'RA---XYZ'", "CTYPE2  = 'DEC--XYZ'", NULL }, "CTYPE1" },
        { { "CTYPE1  = 'HLON-TAN'", "CTYPE2  = 'HLAT-TAN'", NULL }, "CTYPE1 is 'HLON-TAN'" },
        { { "CTYPE1  = 'LINEAR'", NULL }, "CTYPE1 is 'LINEAR' and CTYPE2 'DEC--TAN'" },
        { { "CPDIS1  = 'LOOKUP'", NULL }, "f.fits: CPDIS1 asks for a distortion by lookup table" },
        { { "D2IMDIS2= 'Lookup'", NULL }, "f.fits: D2IMDIS2 asks for" },
        { { "CTYPE1  = 'RA---SIN'", "CTYPE2  = 'DEC--SIN'", "PV1_5   = 1E-5", NULL }, "PV1_5" },
        { { "CUNIT2  = 'm/s'", NULL }, "CUNIT2" },
        { { "WCSAXES = 3", "CTYPE3  = 'FREQ'", "PC1_3   = 1E-4", NULL }, "PC1_3 ties the sky" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cards c = make(rows[i].more);
        orr_wcs *w;

        orr_error_clear();
        if (orr_wcs_open(&w, c.text, c.n, NULL, "f.fits") != ORR_ERR_FORMAT ||
            !strstr(orr_error_text(), rows[i].words))
            fail_msg("\"%s\", expected \"%s\"", orr_error_text(), rows[i].words);
        assert_null(w);
    }
}

/* A card with a line's end in it, at which WCSLIB's parsers lose count. */
static void test_line_end(void **state)
{
    cards c = make((const char *const[]){ "PV2_2   = 0.2\n", "EPOCH   = 2000.0 /\t\x7f", NULL });
    orr_wcs *w;

    (void)state;
    memset(c.text + 80 * (c.n - 1), ' ', 80); /* no END either */
    if (orr_wcs_open(&w, c.text, c.n, NULL, "f.fits") != ORR_OK) fail_msg("%s", orr_error_text());
    orr_wcs_close(w);
}

static void test_out_of_memory(void **state)
{
    cards c = make(NULL);
    orr_wcs *w;
    int n = 0;
    orr_status st;

    (void)state;
    do {
        orr_alloc_fail_at(++n);
        st = orr_wcs_open(&w, c.text, c.n, NULL, "f.fits");
        orr_alloc_fail_at(0);
        assert_true(st == ORR_OK ? w != NULL : st == ORR_ERR_NOMEM && !w);
    } while (st != ORR_OK && n < 10);
    assert_int_equal(n, 5);
    orr_wcs_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),        cmocka_unit_test(test_seams),
        cmocka_unit_test(test_systems),       cmocka_unit_test(test_polynomial),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_line_end),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
