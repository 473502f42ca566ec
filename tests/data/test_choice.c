/* tests/data/test_choice.c - the same columns as text and as records are chosen alike: the same
 * samples, or the same sentence. */
#include "core/config.h"
#include "reader_cases.h"

enum { ROWS = 6, FIELDS = 5 };
static const char *const names[FIELDS] = { "id", "kind", "u", "g", "r" };

static double value(int row, int column)
{
    return column == 0 ? 100 + 7 * row : column == 1 ? row % 2 : row * row + column / 4.0;
}

static void write_text(void)
{
    char text[2048];
    int n = snprintf(text, sizeof text, "id,kind,u,g,r\n");

    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < FIELDS; k++)
            n += snprintf(text + n, sizeof text - (size_t)n, "%g%s", value(i, k),
                          k + 1 < FIELDS ? "," : "\n");
    case_write("t.csv", text, (size_t)n);
}

static void write_records(void)
{
    char data[192 + ROWS * FIELDS * 8];
    size_t at = 10;

    memset(data, ' ', 192);
    memcpy(data, "\x93NUMPY\1\0\xb6\0{'descr': [", at + 11);
    at += 11;
    for (int k = 0; k < FIELDS; k++)
        at += (size_t)snprintf(data + at, sizeof data - at, "('%s', '<%s'), ", names[k],
                               k < 2 ? "i8" : "f8");
    at += (size_t)snprintf(data + at, sizeof data - at,
                           "], 'fortran_order': False, 'shape': (%d,)}", ROWS);
    data[at] = ' ';
    data[191] = '\n';
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < FIELDS; k++) {
            double v = value(i, k);
            int64_t whole = (int64_t)v;

            memcpy(data + 192 + 8 * (FIELDS * i + k), k < 2 ? (void *)&whole : (void *)&v, 8);
        }
    case_write("t.npy", data, sizeof data);
}

/* Reads a file with the options; the sentence begins with the file's name, which is cut off. */
static orr_status read_file(case_rows *r, const char *file, const char *options, const char **why)
{
    orr_table_opts o;
    orr_config *c = NULL;
    orr_status st;
    char text[512];

    snprintf(text, sizeof text, "{files: [%s]%s%s}", file, *options ? ", " : "", options);
    assert_int_equal(orr_config_parse(&c, text, "job"), ORR_OK);
    st = orr_options_read(&o, orr_table_options, orr_config_root(c), "input");
    if (st == ORR_OK) st = case_read(r, &o, 1 << 20, 4, 2);
    orr_config_destroy(c);
    *why = st == ORR_OK ? "" : orr_error_text();
    if (strstr(*why, file)) *why = strstr(*why, file) + strlen(file);
    return st;
}

static void expect_same(const char *options)
{
    const char *why;
    char kept[1024];
    case_rows a = { 0 }, b = { 0 };
    orr_status st = read_file(&a, "t.csv", options, &why);

    snprintf(kept, sizeof kept, "%s", why);
    assert_int_equal(read_file(&b, "t.npy", options, &why), st);
    assert_string_equal(why, kept);
    if (st != ORR_OK || !a.x || !b.x) return;
    assert_memory_equal(&a.schema, &b.schema, sizeof a.schema);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.x, b.x, (size_t)a.n * orr_schema_x_bytes(&a.schema));
    if (a.schema.y_type != ORR_Y_NONE)
        assert_memory_equal(a.y, b.y, (size_t)a.n * orr_schema_y_bytes(&a.schema));
    assert_memory_equal(a.id, b.id, (size_t)a.n * orr_schema_id_bytes(&a.schema));
    assert_memory_equal(a.aux, b.aux, (size_t)a.n * (size_t)a.schema.n_aux * sizeof *a.aux);
    case_free(&a);
    case_free(&b);
}

static void test_same(void **state)
{
    static const char *const jobs[] = {
        "id: id, label: kind, features: 'u,g,r'",
        "id: ID, label: Kind, features: '3-'",
        "label: kind, features: '5,3-4', aux: [kind, u, id]",
        "label: kind, features: 'r', aux: kind",
        "id: id, target: [g, u], features: r, aux: [g, r], shape: [1]",
        "id: id, label: u, label_kind: value, features: 'g,r', shape: [2]",
        "id: id, features: 'u,g,r', where: {kind: 1, g: [1.75, 9.75]}",
        "id: id, label: kind, scale_rows: zscore, features: 'u,g,r', aux: g",
        "id: id, aux: id, features: u",
        "id: id, label: id, features: u",
        "id: id, label: kind, features: 'u,kind'",
        "features: u, target: u",
        "features: 'u,3'",
        "features: '2-9'",
        "features: u, aux: [g, g]",
        "features: v",
        "features: u, where: {v: 1}",
        "features: u, axes: cw",
        "features: 'u,g', shape: [3]",
        "features: u, label: kind, target: g",
        "features: u, aux: g, aux_names: [a]",
    };

    (void)state;
    write_text();
    write_records();
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        print_message("%s\n", jobs[i]);
        expect_same(jobs[i]);
    }
}

static void test_label_as_aux(void **state)
{
    const char *why;
    case_rows r = { 0 };

    (void)state;
    assert_int_equal(read_file(&r, "t.csv", "label: kind, features: r, aux: [r, kind]", &why),
                     ORR_OK);
    if (!r.x || !r.y) fail();
    for (int i = 0; i < ROWS; i++) {
        assert_true(((int32_t *)r.y)[i] == i % 2 && r.aux[2 * i + 1] == (float)(i % 2));
        assert_true(r.aux[2 * i] == ((float *)r.x)[i]);
    }
    case_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_label_as_aux),
    };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
