/* tests/data/test_schema_match.c - names of a set against those that are wanted: the same, turned,
 * missing, doubled, in other case, on one side alone; and a set that is put in order. */
#include "shard_help.h"

#include "data/schema_match.h"

static orr_schema schemas[2];

static void put(char name[ORR_DATA_NAME_MAX], const char *text)
{
    snprintf(name, ORR_DATA_NAME_MAX, "%s", text);
}

static orr_schema *vector(int i, const char *names)
{
    orr_schema *s = &schemas[i];
    char copy[256], *rest = copy;

    *s = (orr_schema){ .n_dims = 1, .h = 1, .w = 1 };
    snprintf(copy, sizeof copy, "%s", names);
    for (char *word; (word = strsep(&rest, ",")); s->c++)
        snprintf(s->channel_names[s->c], ORR_DATA_NAME_MAX, "%s", word);
    return s;
}

static orr_status make(orr_schema_match *m)
{
    const orr_schema_side want = { &schemas[0], "WANT", 0 }, have = { &schemas[1], "HAVE", 0 };

    return orr_schema_match_make(m, &want, &have);
}

static void refused(const char *word)
{
    orr_schema_match m;

    assert_fails(make(&m), ORR_ERR_SHAPE, word);
    assert_null(m.x);
    orr_schema_match_free(&m);
}

/* What is said of it; "" for nothing. */
static void accepted(int moves, const char *warning, const char *info)
{
    orr_schema_match m;

    assert_ok(make(&m));
    assert_int_equal(orr_schema_match_moves(&m), moves);
    if (*warning)
        assert_non_null(strstr(m.notes.warnings.s, warning));
    else
        assert_null(m.notes.warnings.s);
    if (*info)
        assert_non_null(strstr(m.notes.infos.s, info));
    else
        assert_null(m.notes.infos.s);
    orr_schema_match_free(&m);
}

static void vectors(void **state)
{
    orr_schema_match m;

    (void)state;
    vector(0, "u,g,r");
    vector(1, "u,g,r");
    accepted(0, "", "");
    vector(1, "r,g,u");
    accepted(1, "",
             "HAVE: its channels \"r\", \"g\", \"u\" stand in another order than those of WANT: "
             "\"u\", \"g\", "
             "\"r\"\n");
    assert_ok(make(&m));
    assert_int_equal(m.n_x, 3);
    assert_true(m.x[0] == 2 && m.x[1] == 1 && m.x[2] == 0);
    orr_schema_match_free(&m);
    vector(1, "u,G,r");
    refused("its channels are \"u\", \"G\", \"r\"; those of WANT are \"u\", \"g\", \"r\": \"G\" is "
            "not \"g\"");
    vector(1, "u,g,i");
    refused("it has no \"r\"");
    vector(1, "u,g,r,i");
    refused("\"i\" is none of these");
    vector(1, "u,g");
    refused("it has no \"r\"");
    vector(1, "r,u,u");
    refused("\"u\" stands twice in HAVE");
}

static void doubled(void **state)
{
    (void)state;
    vector(0, "u,u,r");
    vector(1, "u,u,r");
    accepted(0, "", "");
    vector(1, "r,u,g");
    refused("\"u\" stands twice in WANT");
}

static void without_names(void **state)
{
    (void)state;
    vector(0, "u,g,r");
    vector(1, ",,");
    accepted(0, "HAVE: its channels have no names; they are taken by place for those of WANT", "");
    vector(0, ",,");
    vector(1, "u,g,r");
    accepted(0, "WANT: its channels have no names; they are taken by place for those of HAVE", "");
    vector(1, ",,");
    accepted(0, "", "");
    vector(1, ",");
    refused("1 x 1 x 2");
    vector(0, "u,g,r");
    vector(1, "u,,r");
    refused("it has no \"g\"");
}

/* ---- numbers of a series, channels of an image ---- */
static const char *number_name(const void *ctx, int64_t i, char *buf, size_t bytes)
{
    const int *step = ctx;

    snprintf(buf, bytes, "flux.%d", (int)(i * *step % 101));
    return buf;
}

static void series(int i, int w, int step)
{
    schemas[i] = (orr_schema){ .n_dims = 2, .h = 1, .w = w, .c = 1 };
    assert_ok(orr_schema_name_features(&schemas[i], number_name, &step));
}

static void many_columns(void **state)
{
    orr_schema_match m;

    (void)state;
    series(0, 101, 1);
    series(1, 101, 7);
    assert_null(strchr(schemas[0].channel_names[0], 'f'));
    accepted(1, "", "HAVE: its columns \"flux.0\", \"flux.7\",");
    assert_ok(make(&m));
    for (int k = 0; k < 101; k++)
        assert_int_equal(m.x[k] * 7 % 101, k);
    orr_schema_match_free(&m);
    series(1, 100, 1);
    refused("it has no \"flux.100\"");
}

static const char *long_name(const void *ctx, int64_t i, char *buf, size_t bytes)
{
    snprintf(buf, bytes, "%s a column with a long name, number %d", (const char *)ctx, (int)i);
    return buf;
}

static void names_that_are_too_long(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        schemas[i] = (orr_schema){ .n_dims = 2, .h = 1, .w = 4000, .c = 1 };
        assert_ok(orr_schema_name_features(&schemas[i], long_name, "the"));
    }
    assert_memory_equal(schemas[0].feature_names, "sha256:", 7);
    accepted(0, "", "");
    assert_ok(orr_schema_name_features(&schemas[1], long_name, "not the"));
    refused("are not those of WANT in that order");
    schemas[1].feature_names[0] = '\0';
    accepted(0, "HAVE: its columns have no names", "");
}

static void channels_of_an_image(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        vector(i, i ? "r,g" : "g,r");
        schemas[i].n_dims = 3;
        schemas[i].h = schemas[i].w = 4;
    }
    accepted(1, "", "its channels");
    schemas[1].h = 5;
    refused("5 x 4 x 2");
}

/* ---- classes and targets ---- */
static void classes(int i, int n, const char *names)
{
    char copy[256], *rest = copy;
    int k = 0;

    vector(i, "a");
    schemas[i].y_type = ORR_Y_CLASS;
    schemas[i].n_classes = n;
    snprintf(copy, sizeof copy, "%s", names);
    for (char *word; *names && (word = strsep(&rest, ",")); k++)
        snprintf(schemas[i].class_names[k], ORR_DATA_NAME_MAX, "%s", word);
}

static void names_of_classes(void **state)
{
    orr_schema_match m;

    (void)state;
    classes(0, 3, "star,galaxy,qso");
    classes(1, 3, "qso,star,galaxy");
    accepted(1, "", "HAVE: its classes");
    assert_ok(make(&m));
    assert_true(m.n_labels == 3 && m.label[0] == 2 && m.label[1] == 0 && m.label[2] == 1);
    orr_schema_match_free(&m);
    classes(1, 1, "galaxy"); /* fewer */
    assert_ok(make(&m));
    assert_true(m.n_labels == 1 && m.label[0] == 1);
    orr_schema_match_free(&m);
    classes(1, 2, "star,Galaxy");
    refused("\"Galaxy\" is not \"galaxy\"");
    classes(1, 4, "star,galaxy,qso,junk");
    refused("\"junk\" is none of these");
    classes(1, 2, "star,star");
    refused("\"star\" stands twice in HAVE");
    classes(1, 3, "");
    accepted(0, "HAVE: its classes have no names", "");
    classes(1, 4, "");
    refused("4 classes; WANT has 3");
    classes(0, 3, "");
    classes(1, 3, "0,1,2");
    accepted(0, "WANT: its classes have no names", "");
    classes(1, 4, ""); /* a net may tell more classes apart than its set had */
    accepted(0, "", "");
    schemas[1].y_type = ORR_Y_VALUE; /* no truth: nothing to compare */
    accepted(0, "", "");
}

static void names_of_targets(void **state)
{
    orr_schema_match m;

    (void)state;
    for (int i = 0; i < 2; i++) {
        vector(i, "a");
        schemas[i].y_type = ORR_Y_VALUE;
        schemas[i].y_width = 2;
        put(schemas[i].y_names[i], "mass");
        put(schemas[i].y_names[1 - i], "age");
    }
    accepted(1, "", "HAVE: its targets \"age\", \"mass\"");
    assert_ok(make(&m));
    assert_true(m.n_y == 2 && m.y[0] == 1 && m.y[1] == 0);
    orr_schema_match_free(&m);
    put(schemas[1].y_names[0], "Age");
    refused("\"Age\" is not \"age\"");
    schemas[1].y_width = 1;
    refused("has no \"mass\"");
    schemas[1].y_width = 2;
    memset(schemas[1].y_names, 0, sizeof schemas[1].y_names);
    accepted(0, "HAVE: its targets have no names", "");
    schemas[1].y_width = 3;
    refused("3 targets; WANT has 2");
}

static void units(void **state)
{
    (void)state;
    vector(0, "u");
    vector(1, "u");
    put(schemas[0].units, "nJy");
    accepted(0, "", "");
    put(schemas[1].units, "mJy");
    accepted(0, "HAVE: its samples are in mJy, those of WANT in nJy\n", "");
}

/* ---- a set ---- */
static void a_set_in_order(void **state)
{
    char dir[ORR_PATH_MAX], set[ORR_PATH_MAX];
    orr_dataset *d = NULL;
    orr_schema_match m;
    float x[2 * 3] = { 1, 2, 3, 4, 5, 6 }, got[2 * 3];
    int32_t y[2] = { 0, 1 };
    int64_t id[2] = { 7, 8 };
    orr_rows rows = { .n = 2, .x = x, .y = y, .id = id };
    const orr_provenance p = { .command = "test" };
    const orr_shard_opts o = { 0 };

    (void)state;
    temp_dir(dir);
    snprintf(set, sizeof set, "%.3000s/set", dir);
    classes(1, 2, "star,galaxy");
    memcpy(&schemas[0], &schemas[1], sizeof schemas[0]);
    schemas[1].c = schemas[0].c = 3;
    for (int k = 0; k < 3; k++) {
        schemas[1].channel_names[k][0] = "ugr"[k];
        schemas[0].channel_names[k][0] = "rug"[k];
    }
    put(schemas[0].class_names[0], "galaxy");
    put(schemas[0].class_names[1], "star");
    assert_ok(orr_set_create(set, 0));
    assert_ok(orr_shard_write(set, 0, &schemas[1], &rows, &p, &o));
    assert_ok(orr_index_write(set, 1, &schemas[1], &p));
    assert_ok(orr_dataset_open(&d, set, 0));
    for (int again = 0; again < 3; again++) { /* r,u,g; then g,r,u; then u,g,r as it lay */
        orr_schema_side want = { &schemas[0], "WANT", 0 },
                        have = { orr_dataset_schema(d), "HAVE", 0 };
        assert_ok(orr_schema_match_make(&m, &want, &have));
        assert_ok(orr_dataset_arrange(d, &m, &schemas[0]));
        orr_schema_match_free(&m);
        assert_ok(orr_dataset_read_x(d, 0, 2, got));
        for (int i = 0; i < 6; i++)
            assert_true(got[i] == x[i / 3 * 3 + (i % 3 + 2 - again + 3) % 3]);
        assert_string_equal(orr_dataset_schema(d)->channel_names[0], schemas[0].channel_names[0]);
        assert_int_equal(orr_dataset_labels(d)[0], 1 - again % 2);
        for (int k = 0; k < 3; k++)
            schemas[0].channel_names[k][0] = "rugrug"[k + (2 - again)];
        put(schemas[0].class_names[again % 2], "star");
        put(schemas[0].class_names[1 - again % 2], "galaxy");
    }
    orr_dataset_close(d);
    assert_ok(orr_remove_dir(set));
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(doubled),
        cmocka_unit_test(without_names),
        cmocka_unit_test(many_columns),
        cmocka_unit_test(names_that_are_too_long),
        cmocka_unit_test(channels_of_an_image),
        cmocka_unit_test(names_of_classes),
        cmocka_unit_test(names_of_targets),
        cmocka_unit_test(units),
        cmocka_unit_test(a_set_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
