/* tests/data/test_sky.c - systems of positions: names, FITS's keywords, and the ways between them.
 * tests/data/sky.py compares whole frames with astropy. */
#include "data/survey/sky.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <string.h>

/* In double: cmocka's own goes through float. */
static void near(double a, double b, double most)
{
    if (!(fabs(a - b) <= most)) fail_msg("%.12g, expected %.12g", a, b);
}

static const struct {
    const char *system;
    double ra, dec, lon, lat; /* lon, lat: astropy 5.2's */
} golden[] = {
    { "FK5 J2000", 150.3, 2.2, 150.300006224765, 2.199995065508 },
    { "FK5 J2000", 0, -89.9, 359.996839260862, -89.899997472070 },
    { "FK5 J1975", 150.3, 2.2, 149.977005946786, 2.320703554750 },
    { "FK5 J1975", 0, -89.9, 180.254002331867, -89.960813829964 },
    { "FK4 B1950", 150.3, 2.2, 149.653755336301, 2.441034620228 },
    { "FK4 B1950", 0, -89.9, 179.866867157285, -89.821501114552 },
    { "FK4 B1900", 150.3, 2.2, 149.007267219937, 2.680543334903 },
    { "FK4 B1900", 0, -89.9, 179.502835966493, -89.543046401978 },
    { "FK4-NO-E B1950", 150.3, 2.2, 149.653692440814, 2.441045574274 },
    { "FK4-NO-E B1950", 0, -89.9, 179.860924305079, -89.821594184223 },
    { "galactic", 150.3, 2.2, 236.970368661258, 42.265307286863 },
    { "galactic", 0, -89.9, 302.956954250897, -27.225742080181 },
    { "supergalactic", 150.3, 2.2, 99.359544290123, -40.632358528845 },
    { "supergalactic", 0, -89.9, 206.551222135927, -15.685132154960 },
    { "ecliptic J2000", 150.3, 2.2, 151.590396704530, -9.306546668053 },
    { "ecliptic J2000", 0, -89.9, 270.251384178031, -66.560517405740 },
    { "ecliptic J2015", 150.3, 2.2, 151.799641976045, -9.305773799895 },
    { "ecliptic J2015", 0, -89.9, 270.461350376060, -66.562466752870 },
};

static void test_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        orr_sky_way way;
        double lon, lat;
        orr_sky s;

        assert_int_equal(orr_sky_parse(&s, golden[i].system, "test"), ORR_OK);
        orr_sky_find_way(&way, &s);
        orr_sky_from_icrs(&way, golden[i].ra, golden[i].dec, &lon, &lat);
        near(lat, golden[i].lat, 2e-9);
        near((lon - golden[i].lon) * cos(lat * M_PI / 180), 0, 2e-9);
        orr_sky_to_icrs(&way, golden[i].lon, golden[i].lat, &lon, &lat);
        near(lat, golden[i].dec, 2e-9);
        near(remainder(lon - golden[i].ra, 360) * cos(lat * M_PI / 180), 0, 2e-9);
    }
}

/* There and back, all over the sky, in place; ICRS to the bit. */
static void test_back(void **state)
{
    static const char *const systems[] = { "FK5 J2050", "FK4 B1875",     "FK4-NO-E B1975",
                                           "galactic",  "supergalactic", "ecliptic J1900" };
    orr_sky_way way;
    orr_sky s;
    double lon = 12.3456789, lat = -89.99999;

    (void)state;
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
        assert_int_equal(orr_sky_parse(&s, systems[i], "test"), ORR_OK);
        orr_sky_find_way(&way, &s);
        for (int k = 0; k < 360; k += 7)
            for (int d = -90; d <= 90; d += 15) {
                lon = k;
                lat = d;
                orr_sky_from_icrs(&way, lon, lat, &lon, &lat);
                assert_true(lon >= 0 && lon < 360 && lat >= -90 && lat <= 90);
                orr_sky_to_icrs(&way, lon, lat, &lon, &lat);
                near(lat, d, 1e-6); /* FK4's matrices are no exact rotations */
                near(remainder(lon - k, 360) * cos(d * M_PI / 180), 0, 1e-6);
            }
        orr_sky_from_icrs(&way, NAN, 3, &lon, &lat);
        assert_true(isnan(lon) || isnan(lat));
    }
    orr_sky_find_way(&way, &(orr_sky){ .kind = ORR_SKY_ICRS });
    orr_sky_from_icrs(&way, 359.99999999999994, -12.34, &lon, &lat);
    assert_true(lon == 359.99999999999994 && lat == -12.34);
}

static void test_names(void **state)
{
    static const struct {
        const char *text, *is;
    } good[] = { { "ICRS", "ICRS" },
                 { "icrs", "ICRS" },
                 { "FK5", "FK5 J2000" },
                 { "fk5 J1975.5", "FK5 J1975.5" },
                 { "FK5 1975", "FK5 J1975" },
                 { "J2000", "FK5 J2000" },
                 { "B1950", "FK4 B1950" },
                 { "FK4", "FK4 B1950" },
                 { "FK4  b1900", "FK4 B1900" },
                 { "FK4-NO-E", "FK4-NO-E B1950" },
                 { "Galactic", "galactic" },
                 { "supergalactic", "supergalactic" },
                 { "ecliptic", "ecliptic J2000" } };
    static const char *const bad[] = { "",          "FK6",    "FK5 B1950",      "FK4 J2000",
                                       "ICRS 2000", "FK5 2k", "galactic 1",     "J",
                                       "J20000",    "FK5 -3", "ecliptic B1950", "2000",
                                       "Jupiter" };
    char text[ORR_SKY_TEXT];
    orr_sky s;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(orr_sky_parse(&s, good[i].text, "catalogue.sky"), ORR_OK);
        orr_sky_text(&s, text, sizeof text);
        assert_string_equal(text, good[i].is);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(orr_sky_parse(&s, bad[i], "catalogue.sky"), ORR_ERR_OPTION);
        assert_non_null(strstr(orr_error_text(), "catalogue.sky"));
    }
}

static void test_keywords(void **state)
{
    static const struct {
        const char *radesys;
        double equinox;
        const char *is;
    } rows[] = { { "", NAN, "ICRS" },
                 { "", 1950, "FK4 B1950" },
                 { "", 1983.9, "FK4 B1983.9" },
                 { "", 1984, "FK5 J1984" },
                 { "", 2000, "FK5 J2000" },
                 { "ICRS", 1950, "ICRS" },
                 { "FK5", NAN, "FK5 J2000" },
                 { "FK5", 1950, "FK5 J1950" },
                 { "FK4", NAN, "FK4 B1950" },
                 { "FK4", 2000, "FK4 B2000" },
                 { "FK4-NO-E", 1975, "FK4-NO-E B1975" } };
    char text[ORR_SKY_TEXT];
    orr_sky s;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(orr_sky_equatorial(&s, rows[i].radesys, rows[i].equinox), ORR_OK);
        orr_sky_text(&s, text, sizeof text);
        assert_string_equal(text, rows[i].is);
    }
    assert_int_equal(orr_sky_equatorial(&s, "GAPPT", NAN), ORR_ERR_FORMAT);
    assert_non_null(strstr(orr_error_text(), "RADESYS is 'GAPPT'"));
    assert_int_equal(orr_sky_equatorial(&s, "galactic", NAN), ORR_ERR_FORMAT);
    assert_int_equal(orr_sky_equatorial(&s, "", 0), ORR_ERR_FORMAT);
    assert_non_null(strstr(orr_error_text(), "EQUINOX is 0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_back),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_keywords),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
