/* tests/data/test_template.c - templates and the archive's names: what is filled in, what is
 * refused. */
#include "core/memory.h"
#include "data/survey/archive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void expect(orr_status st, orr_status code, const char *text)
{
    if (st != code || !strstr(orr_error_text(), text))
        fail_msg("got %d \"%s\", expected %d \"%s\"", (int)st, st ? orr_error_text() : "",
                 (int)code, text);
}

static orr_template_value text_value(const char *text)
{
    orr_template_value v = { 0 };

    snprintf(v.text, sizeof v.text, "%s", text);
    return v;
}

static orr_template_value int_value(int64_t number)
{
    return (orr_template_value){ .is_int = 1, .number = number };
}

static void test_expand(void **state)
{
    static const struct {
        const char *text, *path, *url;
    } cases[] = {
        { "frame-{t}-{n:06d}.fits", "frame-u+v%-000094.fits", "frame-u%2Bv%25-000094.fits" },
        { "{n}{n:02d}{n:03d}", "9494094", "9494094" },
        { "{{{t}}}", "{u+v%}", "{u%2Bv%25}" },
        { "}}{{", "}{", "}{" },
        { "plain", "plain", "plain" },
        { "", "", "" },
        { "{m:018d}|{m}", "-00000000000000005|-5", "-00000000000000005|-5" },
        { "{big}", "-9223372036854775808", "-9223372036854775808" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        orr_template_value values[ORR_TEMPLATE_FIELDS];
        orr_template *t;
        char buf[128];

        assert_int_equal(orr_template_create(&t, cases[i].text, "test.url"), ORR_OK);
        for (int k = 0; k < orr_template_n_fields(t); k++) {
            const char *f = orr_template_field(t, k);

            values[k] = !strcmp(f, "n")     ? int_value(94)
                        : !strcmp(f, "m")   ? int_value(-5)
                        : !strcmp(f, "big") ? int_value(INT64_MIN)
                                            : text_value("u+v%");
        }
        assert_int_equal(orr_template_expand(t, values, 0, buf, sizeof buf), ORR_OK);
        assert_string_equal(buf, cases[i].path);
        assert_int_equal(orr_template_expand(t, values, 1, buf, sizeof buf), ORR_OK);
        assert_string_equal(buf, cases[i].url);
        assert_int_equal(orr_template_expand(t, values, 1, buf, strlen(cases[i].url) + 1), ORR_OK);
        expect(orr_template_expand(t, values, 1, buf, strlen(cases[i].url)), ORR_ERR_FORMAT,
               "test.url: filled in it has");
        orr_template_destroy(t);
    }
}

static void test_fields(void **state)
{
    orr_template *t;

    (void)state;
    assert_int_equal(orr_template_create(&t, "{a}{b:04d}{a}{b}{CMODELMAG[2]}", "o"), ORR_OK);
    assert_int_equal(orr_template_n_fields(t), 3);
    assert_string_equal(orr_template_field(t, 0), "a");
    assert_string_equal(orr_template_field(t, 1), "b");
    assert_string_equal(orr_template_field(t, 2), "CMODELMAG[2]");
    assert_true(!orr_template_field_is_int(t, 0) && orr_template_field_is_int(t, 1));
    orr_template_destroy(t);
    orr_template_destroy(NULL);
}

static void test_bad_templates(void **state)
{
    static const char *const bad[][2] = {
        { "a{b", "o.x: \"{b\": the { is not closed" },
        { "a}b", "o.x: a } without a {" },
        { "{}", "a field's name has 1 to 63 bytes" },
        { "{:04d}", "a field's name has 1 to 63 bytes" },
        { "{a:4d}", "{a:4d}: the form is 0Nd" },
        { "{a:0d}", "the form is 0Nd" },
        { "{a:04x}", "the form is 0Nd" },
        { "{a:099d}", "the form is 0Nd" },
        { "{a:}", "the form is 0Nd" },
        { "{a{b}}", "is not closed" },
        { "{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}{m}{n}{o}{p}{q}", "more than 16 different fields" },
    };
    orr_template *t;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect(orr_template_create(&t, bad[i][0], "o.x"), ORR_ERR_OPTION, bad[i][1]);
        assert_null(t);
    }
}

static void test_bad_values(void **state)
{
    static const char *const bad[][2] = {
        { "", "rerun is empty" },          { "a/b", "\"a/b\" holds a slash" },
        { "..", "begins with a dot" },     { ".a", "begins with a dot" },
        { "a b", "holds a blank" },        { "a\n", "holds a blank" },
        { "\xc3\xa9", "not plain ASCII" }, { "a\x7f", "not plain ASCII" },
    };
    orr_template_value v;
    orr_template *t;
    char buf[64];

    (void)state;
    assert_int_equal(orr_template_create(&t, "x{rerun}", "o"), ORR_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        v = text_value(bad[i][0]);
        for (int url = 0; url < 2; url++)
            expect(orr_template_expand(t, &v, url, buf, sizeof buf), ORR_ERR_FORMAT, bad[i][1]);
    }
    orr_template_destroy(t);
    assert_int_equal(orr_template_create(&t, "{run:04d}", "o"), ORR_OK);
    v = text_value("94");
    expect(orr_template_expand(t, &v, 0, buf, sizeof buf), ORR_ERR_FORMAT,
           "o: {run:04d} needs a whole number, and it is \"94\"");
    orr_template_destroy(t);
}

/* ---- the archive ---- */

static orr_archive_opts defaults(void)
{
    orr_archive_opts o;

    assert_int_equal(orr_options_read(&o, orr_archive_options, NULL, "archive"), ORR_OK);
    return o;
}

static void test_sdss(void **state)
{
    orr_archive_opts o = defaults();
    orr_survey_field f = { 0 };
    char url[ORR_URL_MAX], path[ORR_PATH_MAX];
    orr_archive *a;

    (void)state;
    assert_int_equal(orr_archive_create(&a, &o), ORR_OK);
    assert_int_equal(orr_archive_n_urls(a), 1);
    assert_int_equal(orr_archive_n_fields(a), 4);
    for (int i = 0; i < 4; i++) {
        const char *name = orr_archive_fields(a)[i];
        int is_int = orr_archive_field_is_int(a)[i];

        assert_int_equal(is_int, !strcmp(name, "run") || !strcmp(name, "field"));
        f.values[i] = !strcmp(name, "run")     ? int_value(94)
                      : !strcmp(name, "field") ? int_value(12)
                      : !strcmp(name, "rerun") ? text_value("301")
                                               : text_value("1");
    }
    assert_int_equal(orr_archive_url(a, 0, &f, "g", url), ORR_OK);
    assert_string_equal(url, "https://data.sdss.org/sas/dr17/eboss/photoObj/frames/301/94/1/"
                             "frame-g-000094-1-0012.fits.bz2");
    assert_int_equal(orr_archive_path(a, &f, "g", path), ORR_OK);
    assert_string_equal(path, "frames/301/94/1/frame-g-000094-1-0012.fits.bz2");
    expect(orr_archive_url(a, 1, &f, "g", url), ORR_ERR_ARG, "url 1 of 1");
    expect(orr_archive_path(a, &f, "../g", path), ORR_ERR_FORMAT,
           "band: \"../g\" begins with a dot");
    orr_archive_destroy(a);
}

static void test_mirrors(void **state)
{
    orr_archive_opts o = defaults();
    orr_survey_field f = { 0 };
    char url[ORR_URL_MAX], path[ORR_PATH_MAX];
    orr_archive *a;

    (void)state;
    o.url = "http://h/{x}-{band}.fits";
    o.mirrors = (orr_strings){ 2, { "https://m/{y:03d}/{x}/{band}", "http://n?{x:02d}&{band}" } };
    o.folder = "/data";
    assert_int_equal(orr_archive_create(&a, &o), ORR_OK);
    assert_int_equal(orr_archive_n_fields(a), 2);
    assert_string_equal(orr_archive_fields(a)[1], "y");
    assert_true(orr_archive_field_is_int(a)[0] && orr_archive_field_is_int(a)[1]);
    f.values[0] = int_value(7);
    f.values[1] = int_value(8);
    assert_int_equal(orr_archive_url(a, 0, &f, "g", url), ORR_OK);
    assert_string_equal(url, "http://h/7-g.fits");
    assert_int_equal(orr_archive_url(a, 1, &f, "g", url), ORR_OK);
    assert_string_equal(url, "https://m/008/7/g");
    assert_int_equal(orr_archive_url(a, 2, &f, "g", url), ORR_OK);
    assert_string_equal(url, "http://n?07&g");
    assert_int_equal(orr_archive_path(a, &f, "g", path), ORR_OK);
    assert_string_equal(path, "/data/7-g.fits");
    orr_archive_destroy(a);
}

static void test_bad_archives(void **state)
{
    static const struct {
        const char *url, *mirror, *path, *text;
    } bad[] = {
        { "ftp://h/{band}", "", "", "archive.url: \"ftp://h/{band}\" does not begin with http" },
        { "http://h/{band}", "h/{band}", "", "archive.mirrors[0]: \"h/{band}\" does not begin" },
        { "http://h/{band}", "", "{x}", "archive.path: \"{x}\" has no {band}" },
        { "http://h/{band}", "", "/{band}", "is no name of a file within the folder" },
        { "http://h/{band}/", "", "", "is no name of a file within the folder" },
        { "http://{band}", "", "", "is no name of a file within the folder" },
        { "http://h/{band:02d}", "", "", "archive.url: {band} is a text" },
        { "http://h/{band}{x", "", "", "archive.url: \"{x\": the { is not closed" },
        { "http://h/{band}", "http://h/{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}{m}{n}{o}",
          "{p}{q}{band}", "archive: more than 16 different fields" },
    };
    orr_archive_opts o = defaults();
    orr_archive *a;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.url = bad[i].url;
        o.path = bad[i].path;
        o.mirrors = (orr_strings){ *bad[i].mirror != '\0', { bad[i].mirror } };
        expect(orr_archive_create(&a, &o), ORR_ERR_OPTION, bad[i].text);
        assert_null(a);
    }
    o = defaults();
    o.mirrors.n = ORR_DOWNLOAD_URLS;
    expect(orr_archive_create(&a, &o), ORR_ERR_OPTION, "archive.mirrors: 8; at most 7");
}

/* The download's keys stand beside the archive's own, each at its place in the struct. */
static void test_flat_options(void **state)
{
    orr_archive_opts o;
    orr_config *c;
    int found = 0;

    (void)state;
    assert_int_equal(orr_config_parse(&c,
                                      "{connections: 3, stall: 7.5, proof: full, retries: 2, "
                                      "url: x, user_agent: me, rate_mib: 0.5}",
                                      "t"),
                     ORR_OK);
    assert_int_equal(orr_options_read(&o, orr_archive_options, orr_config_root(c), "archive"),
                     ORR_OK);
    assert_int_equal(o.download.connections, 3);
    assert_int_equal(o.download.retries, 2);
    assert_true(o.download.stall == 7.5 && o.download.rate_mib == 0.5);
    assert_string_equal(o.download.proof, "full");
    assert_string_equal(o.download.user_agent, "me");
    orr_config_destroy(c);
    for (const orr_option *d = orr_download_options; d->type != ORR_OPT_END; d++)
        for (const orr_option *row = orr_archive_options; row->type != ORR_OPT_END; row++) {
            if (strcmp(d->key, row->key) != 0) continue;
            found++;
            assert_int_equal(row->type, d->type);
            assert_int_equal(row->offset, d->offset + offsetof(orr_archive_opts, download));
            assert_string_equal(row->fallback, d->fallback);
        }
    assert_int_equal(found, 12);
}

static void test_memory(void **state)
{
    orr_archive_opts o = defaults();
    orr_archive *a;
    int failed = 0;

    (void)state;
    for (int n = 1; n < 60; n++) {
        orr_status st;

        orr_alloc_fail_at(n);
        st = orr_archive_create(&a, &o);
        orr_alloc_fail_at(0);
        assert_true(st == ORR_OK || st == ORR_ERR_NOMEM);
        failed += st != ORR_OK;
        orr_archive_destroy(a);
    }
    assert_in_range(failed, 6, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_bad_templates), cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_sdss),          cmocka_unit_test(test_mirrors),
        cmocka_unit_test(test_bad_archives),  cmocka_unit_test(test_flat_options),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
