/* tests/data/test_catalogue.c - plan files: reading them, damage, memory that runs out.  What they
 * hold: tests/data/catalogue.py. */
#include "reader_cases.h"

#include "core/file.h"
#include "data/survey/archive.h"

static char csv_path[256], plan_path[256];
static const char *const fields[] = { "run", "camcol" };
static const int is_int[] = { 1, 0 };

static orr_catalogue_opts defaults(void)
{
    orr_catalogue_opts o;
    orr_config *c;

    assert_int_equal(orr_config_parse(&c, "{file: x}", "t"), ORR_OK);
    assert_int_equal(orr_options_read(&o, orr_catalogue_options, orr_config_root(c), "catalogue"),
                     ORR_OK);
    orr_config_destroy(c);
    case_path(csv_path, sizeof csv_path, "c.csv");
    case_path(plan_path, sizeof plan_path, "plan");
    o.file = csv_path;
    return o;
}

/* 200 objects in 10 fields, every fifth row twice. */
static void write_csv(void)
{
    static char text[40000];
    char *p = text + snprintf(text, sizeof text, "objid,ra,dec,run,camcol,z,g\n");

    for (int i = 0; i < 200; i++)
        for (int k = 0; k < (i % 5 ? 1 : 2); k++)
            p += snprintf(p, (size_t)(text + sizeof text - p), "%d,%d.5,%d,%d,%c,%g,%d\n", 1000 + i,
                          i, i % 90, 100 + i * 7 % 10, "ab"[i * 7 % 2], 0.25 + k * 0.008, -i);
    case_write("c.csv", text, (size_t)(p - text));
}

static orr_status build(const orr_catalogue_opts *o)
{
    return orr_catalogue_build(plan_path, o, fields, is_int, 2, 60, 3);
}

static orr_status count_aside(void *ctx, int64_t row, const char *id, const char *reason)
{
    (void)row;
    (void)id;
    ++*(int *)ctx;
    return strstr(reason, "declination") ? orr_fail(ORR_ERR_INTERRUPTED, "enough") : ORR_OK;
}

static void test_reading(void **state)
{
    orr_catalogue_opts o = defaults();
    static orr_survey_object objects[200];
    static orr_schema s;
    orr_catalogue_counts n;
    orr_survey_field f;
    orr_catalogue *c;
    int64_t first, count;
    int aside = 0;

    (void)state;
    write_csv();
    o.aux = (orr_strings){ 1, { "G" } };
    assert_int_equal(build(&o), ORR_OK);
    assert_int_equal(orr_catalogue_open(&c, plan_path), ORR_OK);
    n = orr_catalogue_count(c);
    assert_true(n.rows == 240 && n.objects == 200 && n.merged == 40 && n.aside == 0);
    assert_true(n.fields == 10 && n.parts == 4);
    orr_catalogue_schema(c, &s);
    assert_true(s.y_type == ORR_Y_VALUE && s.y_width == 1 && s.n_aux == 1 && !s.n_classes);
    assert_true(s.id_type == ORR_ID_INT && !s.id_is_row);
    assert_string_equal(s.y_names[0], "z");
    assert_string_equal(s.aux_names[0], "G");
    assert_int_equal(orr_catalogue_field(c, 3, &f), ORR_OK);
    assert_true(f.first_object == 60 && f.n_objects == 20);
    assert_true(f.values[0].is_int && f.values[0].number == 103 && !f.values[1].is_int);
    assert_string_equal(f.values[1].text, "b");
    assert_int_equal(orr_catalogue_part(c, 3, &first, &count), ORR_OK);
    assert_true(first == 9 && count == 1);
    assert_int_equal(orr_catalogue_objects(c, 0, 200, objects), ORR_OK);
    for (int i = 0; i < 200; i++) {
        int64_t k = objects[i].id - 1000;

        assert_true(objects[i].ra == (double)k + 0.5 && objects[i].aux[0] == (float)-k);
        assert_true(objects[i].y[0] == (k % 5 ? 0.25f : 0.254f)); /* the mean of 0.25 and 0.258 */
        assert_int_equal(k * 7 % 10, i / 20);
    }
    assert_int_equal(orr_catalogue_objects(c, 150, 1, objects), ORR_OK);
    assert_int_equal((objects[0].id - 1000) * 7 % 10, 7);
    case_expect(orr_catalogue_objects(c, 199, 2, objects), ORR_ERR_ARG,
                "objects 199 to 201 of 200");
    case_expect(orr_catalogue_field(c, 10, &f), ORR_ERR_ARG, "there is no field 10");
    case_expect(orr_catalogue_part(c, 4, &first, &count), ORR_ERR_ARG, "there is no part 4");
    assert_int_equal(orr_catalogue_aside(c, count_aside, &aside), ORR_OK);
    assert_int_equal(aside, 0);
    orr_catalogue_close(c);
    orr_catalogue_close(NULL);
}

static void test_aside(void **state)
{
    static const char text[] =
        "objid,ra,dec,run,camcol,z\n1,2,3,4,a,0\n2,-1,3,4,a,0\n3,2,91,4,a,0\n"
        "4,2,3,4,a/b,0\n";
    orr_catalogue_opts o = defaults();
    orr_catalogue *c;
    int aside = 0;

    (void)state;
    case_write("c.csv", text, strlen(text));
    assert_int_equal(build(&o), ORR_OK);
    assert_int_equal(orr_catalogue_open(&c, plan_path), ORR_OK);
    assert_int_equal(orr_catalogue_count(c).aside, 3);
    case_expect(orr_catalogue_aside(c, count_aside, &aside), ORR_ERR_INTERRUPTED, "enough");
    assert_int_equal(aside, 2);
    orr_catalogue_close(c);
}

static void test_damage(void **state)
{
    orr_catalogue_opts o = defaults();
    orr_catalogue *c;
    size_t n;
    char *whole;

    (void)state;
    write_csv();
    assert_int_equal(build(&o), ORR_OK);
    assert_int_equal(orr_read_file(&whole, &n, plan_path, 1 << 20), ORR_OK);
    for (size_t cut = 0; cut < n; cut += 517) { /* whatever comes, it is a sentence */
        case_write("plan", whole, cut);
        if (orr_catalogue_open(&c, plan_path) == ORR_OK) {
            static orr_survey_object objects[200];

            (void)orr_catalogue_objects(c, 0, 200, objects);
            orr_catalogue_close(c);
        }
    }
    case_write("plan", "no database at all, but long enough to be looked at", 51);
    case_expect(orr_catalogue_open(&c, plan_path), ORR_ERR_FORMAT,
                "@/plan: not a plan file, or damaged");
    case_write("plan", "", 0);
    assert_int_not_equal(orr_catalogue_open(&c, plan_path), ORR_OK);
    assert_null(c);
    assert_int_not_equal(orr_catalogue_open(&c, "no/such/plan"), ORR_OK);
    orr_free(whole);
    case_expect(orr_catalogue_build("no/such/plan", &o, fields, is_int, 2, 60, 3), ORR_ERR_IO,
                "no/such/plan");
    case_expect(orr_catalogue_build(plan_path, &o, fields, is_int, 2, 0, 3), ORR_ERR_ARG,
                "parts of 0 objects");
}

/* A plan that is there stays until the new one is whole. */
static void test_whole_or_not_at_all(void **state)
{
    orr_catalogue_opts o = defaults();
    char before[ORR_SHA256_HEX], after[ORR_SHA256_HEX], tmp[300];
    int failed = 0;

    (void)state;
    write_csv();
    assert_int_equal(build(&o), ORR_OK);
    assert_int_equal(orr_sha256_file(before, plan_path), ORR_OK);
    snprintf(tmp, sizeof tmp, "%s.tmp", plan_path);
    for (int k = 1; k < 60; k++) {
        orr_status st;

        orr_alloc_fail_at(k);
        st = build(&o);
        orr_alloc_fail_at(0);
        assert_true(st == ORR_OK || st == ORR_ERR_NOMEM);
        failed += st != ORR_OK;
        assert_int_equal(orr_sha256_file(after, plan_path), ORR_OK);
        assert_string_equal(before, after); /* also: built again, the same bytes */
        assert_false(orr_path_exists(tmp));
    }
    assert_in_range(failed, 10, 40);
    case_write("c.csv", "objid,ra\n1,2\n", 13);
    case_expect(build(&o), ORR_ERR_FORMAT, "no column \"dec\" for catalogue.dec");
    assert_int_equal(orr_sha256_file(after, plan_path), ORR_OK);
    assert_string_equal(before, after);
}

/* What the frames' path leaves out must be the same in all fields, if the URL names it. */
static void test_places(void **state)
{
    static const char one_run[] = "objid,ra,dec,run,camcol,z\n1,2,3,7,a,0\n2,2,3,7,b,0\n";
    static const struct {
        const char *url, *path, *many,
            *one; /* what is missed when runs are many; one; NULL: nothing */
    } cases[] = {
        { "http://h/{run}/{camcol}/{band}", "", NULL, NULL },
        { "http://h/{run}/{camcol}/{band}", "{camcol}-{run:04d}-{band}", NULL, NULL },
        { "http://h/{run}/{camcol}/{band}", "{camcol}-{band}", "{run}", NULL },
        { "http://h/{run}/{camcol}/{band}", "{run}-{band}", "{camcol}", "{camcol}" },
        { "http://h/{run}/{camcol}/{band}", "{band}", "{run}", "{camcol}" },
        { "http://h/{run}/{band}", "{band}", "{run}", NULL },
        { "http://h/{band}", "{run}-{band}", NULL, NULL },
        { "http://h/{band}", "{band}", NULL, NULL },
        { "http://h/{run}/{band}", "{run}-{band}", NULL, NULL }, /* camcol: of the mirror alone */
    };
    orr_catalogue_opts o = defaults();
    orr_archive_opts ao;
    orr_catalogue *c;
    orr_archive *a;

    (void)state;
    assert_int_equal(orr_options_read(&ao, orr_archive_options, NULL, "archive"), ORR_OK);
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
        const char *missed = i % 2 ? cases[i / 2].one : cases[i / 2].many;

        write_csv();
        if (i % 2) case_write("c.csv", one_run, strlen(one_run));
        ao.url = cases[i / 2].url;
        ao.path = cases[i / 2].path;
        ao.mirrors =
            (orr_strings){ strstr(ao.path, "{run}-") != NULL, { "http://m/{camcol}/{band}" } };
        assert_int_equal(orr_archive_create(&a, &ao), ORR_OK);
        assert_int_equal(orr_catalogue_build(plan_path, &o, orr_archive_fields(a),
                                             orr_archive_field_is_int(a), orr_archive_n_fields(a),
                                             60, 3),
                         ORR_OK);
        assert_int_equal(orr_catalogue_open(&c, plan_path), ORR_OK);
        if (missed)
            case_expect(orr_archive_check_places(a, c), ORR_ERR_OPTION, missed);
        else
            assert_int_equal(orr_archive_check_places(a, c), ORR_OK);
        orr_catalogue_close(c);
        orr_archive_destroy(a);
    }
}

static void test_bands(void **state)
{
    orr_catalogue_opts o = defaults();

    (void)state;
    assert_int_equal(orr_catalogue_bands(&o).n, 5);
    assert_string_equal(orr_catalogue_bands(&o).v[4], "z");
    o.bands = (orr_strings){ 2, { "x", "y" } };
    assert_int_equal(orr_catalogue_bands(&o).n, 2);
    assert_true(o.id.n == 1);
    assert_string_equal(o.id.v[0], "objID");
    assert_true(o.target.n == 1 && !strcmp(o.target.v[0], "auto"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading), cmocka_unit_test(test_aside),
        cmocka_unit_test(test_damage),  cmocka_unit_test(test_whole_or_not_at_all),
        cmocka_unit_test(test_bands),   cmocka_unit_test(test_places),
    };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
