/* data/survey/catalogue_build.c - a catalogue becomes a plan file: merged, sorted, cut.
 *
 * Rows go to a table of a second file beside the plan, which is removed at the end; SQLite sorts
 * them by id (duplicates are neighbours then), and again by field.  What is held in memory is a
 * batch of rows and SQLite's caches. */
#include "core/file.h"
#include "core/memory.h"
#include "data/formats/classes.h"
#include "data/formats/id_columns.h"
#include "data/formats/text_value.h"
#include "data/formats/values.h"
#include "data/survey/catalogue.h"
#include "data/survey/catalogue_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    BUILD_ADD_ROW,
    BUILD_CHANGE_ROW,
    BUILD_DROP_ROW,
    BUILD_GET_ROW,
    BUILD_ADD_ASIDE,
    BUILD_ADD_FIELD,
    BUILD_ADD_PART,
    BUILD_ADD_OBJECT,
    BUILD_STATEMENTS
};

/* A catalogue on its way into a plan. */
typedef struct plan_build {
    const orr_catalogue_opts *o; /* own, with the target that is meant */
    orr_catalogue_opts own;
    const char *const *fields;
    const int *is_int;
    int n_fields, n_y, n_aux;
    int64_t max_objects, max_fields;
    orr_classes classes;
    orr_missing_lists missing;
    orr_columns *columns;
    orr_sky_way way; /* of the catalogue's positions */
    char tmp[ORR_PATH_MAX], work[ORR_PATH_MAX];
    sqlite3 *db;
    sqlite3_stmt *st[BUILD_STATEMENTS];
    orr_sha256 *sha;
    orr_catalogue_counts counts;
    int32_t max_label;
    orr_id_tally ids;
    int text_ids, id_bytes; /* of the objects: is one a text? the longest */
    char first_reason[200]; /* of a row that was set aside */
} plan_build;

static orr_status run(plan_build *b, int code)
{
    return code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW
               ? ORR_OK
               : orr_plan_fail(b->db, b->tmp, code);
}

/* Binds blobs and texts without copies: they live until the step. */
static orr_status run_statement(plan_build *b, int which)
{
    int code = sqlite3_step(b->st[which]);

    sqlite3_reset(b->st[which]);
    return run(b, code);
}

/* The row becomes no object. */
static orr_status set_aside(plan_build *b, int64_t row, const char *id, const char *reason)
{
    sqlite3_stmt *s = b->st[BUILD_ADD_ASIDE];

    if (!b->counts.aside++)
        snprintf(b->first_reason, sizeof b->first_reason, "row %" PRId64 ", id \"%.64s\": %.100s",
                 row + 1, id, reason);
    sqlite3_bind_int64(s, 1, row);
    sqlite3_bind_text(s, 2, id, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, reason, -1, SQLITE_STATIC);
    return run_statement(b, BUILD_ADD_ASIDE);
}

/* ---- rows of the catalogue, into the work table or aside ---- */
enum {
    BATCH = 2048,
    REASON = 400,
    MAX_REQUESTS = 4 + ORR_ID_PARTS + ORR_MAX_TARGET_NAMES + ORR_MAX_AUX + ORR_TEMPLATE_FIELDS
};

typedef struct {
    orr_column_request requests[MAX_REQUESTS];
    int n; /* requests, without those of the ids, which follow */
    orr_id_columns ids;
    orr_column_text *id, *label, *field[ORR_TEMPLATE_FIELDS];
    double *ra, *dec, *y[ORR_MAX_TARGET_NAMES], *aux[ORR_MAX_AUX];
} batch;

static orr_status want(plan_build *b, batch *q, const char *name, const char *option,
                       orr_value_type type, void *values)
{
    orr_column_request *r = &q->requests[q->n];
    size_t bytes = type == ORR_VALUE_REAL ? sizeof(double) : sizeof(orr_column_text);

    ORR_TRY(orr_columns_find(b->columns, name, option, &r->column));
    if (!(r->values = orr_alloc(BATCH, bytes)))
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", b->o->file);
    r->type = type;
    q->n++;
    memcpy(values, &r->values, sizeof r->values);
    return ORR_OK;
}

static orr_status make_batch(plan_build *b, batch *q)
{
    const orr_catalogue_opts *o = b->o;
    orr_sky sky;

    ORR_TRY(want(b, q, o->ra, "catalogue.ra", ORR_VALUE_REAL, &q->ra));
    ORR_TRY(want(b, q, o->dec, "catalogue.dec", ORR_VALUE_REAL, &q->dec));
    ORR_TRY(orr_catalogue_sky(&sky, o, b->columns, q->requests[q->n - 2].column,
                              q->requests[q->n - 1].column));
    orr_sky_find_way(&b->way, &sky);
    if (*o->label) ORR_TRY(want(b, q, o->label, "catalogue.label", ORR_VALUE_TEXT, &q->label));
    for (int i = 0; i < b->n_y; i++)
        ORR_TRY(want(b, q, o->target.v[i], "catalogue.target", ORR_VALUE_REAL, &q->y[i]));
    for (int i = 0; i < b->n_aux; i++)
        ORR_TRY(want(b, q, o->aux.v[i], "catalogue.aux", ORR_VALUE_REAL, &q->aux[i]));
    for (int i = 0; i < b->n_fields; i++)
        ORR_TRY(want(b, q, b->fields[i], "the archive's templates", ORR_VALUE_TEXT, &q->field[i]));
    ORR_TRY(orr_id_columns_open(&q->ids, b->columns, &o->id, "catalogue.id", BATCH));
    memcpy(q->requests + q->n, q->ids.request, (size_t)q->ids.n * sizeof *q->requests);
    q->id = q->ids.id;
    return ORR_OK;
}

static void free_batch(batch *q)
{
    for (int i = 0; i < q->n; i++)
        orr_free(q->requests[i].values);
    orr_id_columns_close(&q->ids);
}

/* Does the id stand for none?  As a float that one is "-1.0". */
static int is_no_id(const plan_build *b, const char *id)
{
    const orr_strings usual = { 2, { "-1", "0" } }, *list = &b->o->no_id;
    double v, none;

    if (!list->n) list = &usual;
    for (int i = 0; i < list->n; i++) {
        const char *word = list->v[i];

        if (!strcmp(word, id)) return 1;
        if (strchr(id, '.') && orr_text_real(id, strlen(id), &v) &&
            orr_text_real(word, strlen(word), &none) && v == none)
            return 1;
    }
    return 0;
}

/* A target or an aux number that is none. */
static void judge_number(const orr_missing_lists *lists, const char *what, const char *name,
                         double v, char reason[REASON])
{
    const orr_missing m = orr_missing_named(lists, name);

    if (!isfinite((float)v))
        snprintf(reason, REASON, "%s %s is %g", what, name, v);
    else if (orr_is_missing(&m, v))
        snprintf(reason, REASON, "%s %s is %g, which stands for none (catalogue.missing)", what,
                 name, v);
}

/* Row i of the batch as an object with its field; reason is "" when it can be one. */
static void judge(const plan_build *b, const batch *q, int64_t i, orr_plan_object *out,
                  orr_template_value *values, char reason[REASON])
{
    size_t bytes = REASON;
    const char *label = q->label ? q->label[i] : "", *why;
    const orr_missing label_missing = orr_missing_named(&b->missing, b->o->label);
    char text[256];

    *reason = '\0';
    if (!q->id[i][0])
        snprintf(reason, bytes, "the id is empty");
    else if (is_no_id(b, q->id[i]))
        snprintf(reason, bytes, "the id %s stands for none (catalogue.no_id)", q->id[i]);
    if (!(out->ra >= 0 && out->ra < 360))
        snprintf(reason, bytes, "right ascension %.15g is not in [0, 360)", out->ra);
    else if (!(out->dec >= -90 && out->dec <= 90))
        snprintf(reason, bytes, "declination %.15g is not in [-90, 90]", out->dec);
    for (int k = 0; k < b->n_y; k++)
        judge_number(&b->missing, "target", b->o->target.v[k], out->y[k] = q->y[k][i], reason);
    for (int k = 0; k < b->n_aux; k++)
        judge_number(&b->missing, "aux", b->o->aux.v[k], out->aux[k] = (float)q->aux[k][i], reason);
    if (q->label) {
        out->label = orr_classes_label(&b->classes, label, strlen(label));
        if (orr_is_missing_text(&label_missing, label, strlen(label)))
            snprintf(reason, bytes, "label \"%s\" stands for none (catalogue.missing)", label);
        else if (out->label < 0) {
            orr_classes_fault(&b->classes, text, sizeof text);
            snprintf(reason, bytes, "label \"%s\" %s", label, text);
        }
    }
    for (int k = 0; k < b->n_fields; k++) {
        const char *s = q->field[k][i];

        values[k] = (orr_template_value){ .is_int = b->is_int[k] };
        if (b->is_int[k]) {
            if ((why = orr_integer_parse(s, strlen(s), &values[k].number)))
                snprintf(reason, bytes, "%s: \"%s\" %s", b->fields[k], s, why);
        } else {
            memcpy(values[k].text, s, sizeof values[k].text);
            if (orr_template_check(b->fields[k], s) != ORR_OK) {
                snprintf(reason, bytes, "%s", orr_error_text());
                orr_error_clear();
            }
        }
    }
}

static orr_status add_row(plan_build *b, const batch *q, int64_t i, int64_t row)
{
    orr_plan_object out = { .row = row, .ra = q->ra[i], .dec = q->dec[i] };
    orr_template_value values[ORR_TEMPLATE_FIELDS];
    unsigned char key[ORR_PLAN_KEY_MAX];
    char data[ORR_PLAN_DATA_MAX], reason[REASON];
    sqlite3_stmt *s = b->st[BUILD_ADD_ROW];
    size_t n = strlen(q->id[i]);
    int64_t number;

    memcpy(out.id, q->id[i], sizeof out.id);
    judge(b, q, i, &out, values, reason);
    if (*reason) return set_aside(b, row, out.id, reason);
    orr_sky_to_icrs(&b->way, out.ra, out.dec, &out.ra, &out.dec);
    sqlite3_bind_int64(s, 1, row);
    if (orr_id_integer(out.id, n, &number))
        sqlite3_bind_int64(s, 2, number);
    else
        sqlite3_bind_text(s, 2, out.id, (int)n, SQLITE_STATIC);
    sqlite3_bind_blob(s, 3, key, (int)orr_plan_key(values, b->n_fields, key), SQLITE_STATIC);
    sqlite3_bind_blob(s, 4, data, (int)orr_plan_pack(&out, b->n_y, b->n_aux, data), SQLITE_STATIC);
    return run_statement(b, BUILD_ADD_ROW);
}

static orr_status read_rows(plan_build *b)
{
    batch q = { 0 };
    orr_status st;
    int64_t first, n;

    ORR_TRY_GOTO(st, done, make_batch(b, &q));
    do {
        ORR_TRY_GOTO(st, done,
                     orr_columns_next(b->columns, q.requests, q.n + q.ids.n, BATCH, &first, &n));
        ORR_TRY_GOTO(st, done, orr_id_columns_join(&q.ids, b->columns, first, n));
        for (int64_t i = 0; i < n; i++)
            ORR_TRY_GOTO(st, done, add_row(b, &q, i, first + i));
        b->counts.rows += n;
    } while (n > 0);
done:
    free_batch(&q);
    return st;
}

/* ---- the plan ---- */
static const char *const sql[BUILD_STATEMENTS] = {
    [BUILD_ADD_ROW] = "INSERT INTO work.raw(row, id, key, data) VALUES(?1, ?2, ?3, ?4)",
    [BUILD_CHANGE_ROW] = "UPDATE work.raw SET data = ?2 WHERE row = ?1",
    [BUILD_DROP_ROW] = "DELETE FROM work.raw WHERE row = ?1",
    [BUILD_GET_ROW] = "SELECT key, data FROM work.raw WHERE row = ?1",
    [BUILD_ADD_ASIDE] = "INSERT INTO aside(row, id, reason) VALUES(?1, ?2, ?3)",
    [BUILD_ADD_FIELD] = "INSERT INTO field(n, key, first, count) VALUES(?1, ?2, ?3, ?4)",
    [BUILD_ADD_PART] = "INSERT INTO part(n, first, count) VALUES(?1, ?2, ?3)",
    [BUILD_ADD_OBJECT] = "INSERT INTO object(n, data) VALUES(?1, ?2)",
};
static const char tables[] =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
    "PRAGMA cache_size = -8000; PRAGMA work.journal_mode = OFF; PRAGMA work.synchronous = OFF;"
    "PRAGMA work.cache_size = -16000; BEGIN;"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE name(kind TEXT, n INTEGER, name TEXT);"
    "CREATE TABLE field(n INTEGER PRIMARY KEY, key BLOB, first INTEGER, count INTEGER);"
    "CREATE TABLE part(n INTEGER PRIMARY KEY, first INTEGER, count INTEGER);"
    "CREATE TABLE object(n INTEGER PRIMARY KEY, data BLOB);"
    "CREATE TABLE aside(row INTEGER PRIMARY KEY, id TEXT, reason TEXT);"
    "CREATE TABLE work.raw(row INTEGER PRIMARY KEY, id, key BLOB, data BLOB);";

/* ---- small helpers around SQLite ---- */

static orr_status execute(plan_build *b, const char *text)
{
    return run(b, sqlite3_exec(b->db, text, NULL, NULL, NULL));
}

static void digest(plan_build *b, orr_status *st, const void *data, size_t n)
{
    if (*st == ORR_OK) *st = orr_sha256_add(b->sha, data, n);
}

/* ---- duplicates ---- */

/* Rows of one id: the first, with the sum of the targets, and the first one's own. */
typedef struct {
    int64_t row, n;
    double y[ORR_MAX_TARGET_NAMES];
    int is_int;
    int64_t number;
    orr_column_text text;
    orr_plan_object first;
    unsigned char key[ORR_PLAN_KEY_MAX];
    size_t key_n;
} group;

static orr_status load(plan_build *b, int64_t row, orr_plan_object *o, unsigned char *key,
                       size_t *key_n)
{
    sqlite3_stmt *s = b->st[BUILD_GET_ROW];
    orr_status st = ORR_OK;
    int code;

    sqlite3_bind_int64(s, 1, row);
    code = sqlite3_step(s);
    if (code != SQLITE_ROW) {
        st = code == SQLITE_DONE ? orr_fail(ORR_ERR_INTERNAL, "%s: a row is gone", b->tmp)
                                 : orr_plan_fail(b->db, b->tmp, code);
    } else {
        *key_n = (size_t)sqlite3_column_bytes(s, 0);
        if (*key_n) memcpy(key, sqlite3_column_blob(s, 0), *key_n);
        if (!orr_plan_unpack(o, b->n_y, b->n_aux, sqlite3_column_blob(s, 1),
                             (size_t)sqlite3_column_bytes(s, 1)))
            st = orr_fail(ORR_ERR_INTERNAL, "%s: a row is damaged", b->tmp);
    }
    sqlite3_reset(s);
    return st;
}

static orr_status end_group(plan_build *b, group *g)
{
    char data[ORR_PLAN_DATA_MAX];

    if (g->n < 2) return ORR_OK;
    for (int k = 0; k < b->n_y; k++)
        g->first.y[k] /= (double)g->n;
    b->counts.merged += g->n - 1;
    sqlite3_bind_int64(b->st[BUILD_CHANGE_ROW], 1, g->row);
    sqlite3_bind_blob(b->st[BUILD_CHANGE_ROW], 2, data,
                      (int)orr_plan_pack(&g->first, b->n_y, b->n_aux, data), SQLITE_STATIC);
    return run_statement(b, BUILD_CHANGE_ROW);
}

/* Between two places on the sky, in arcseconds: exact for small ones, at the poles and across 0
 * hours (the haversine formula). */
static double separation(const orr_plan_object *a, const orr_plan_object *b)
{
    const double degree = M_PI / 180;
    double dec = sin((b->dec - a->dec) / 2 * degree), ra = sin((b->ra - a->ra) / 2 * degree);
    double h = dec * dec + cos(a->dec * degree) * cos(b->dec * degree) * ra * ra;

    return 2 * asin(sqrt(h < 1 ? h : 1)) / degree * 3600;
}

/* Why a row with the group's id is not the group's object; reason is "" when it is. */
static void tell_apart(const plan_build *b, const group *g, const orr_plan_object *o,
                       int same_field, char reason[REASON])
{
    double far = separation(&g->first, o);

    *reason = '\0';
    if (!same_field || o->label != g->first.label) {
        snprintf(reason, REASON,
                 "the %s differs from that of row %" PRId64
                 ", which has the same id (it lies %.4g arcsec from there)",
                 same_field ? "label" : "field", g->row + 1, far);
        return;
    }
    if (far > b->o->merge_radius) {
        snprintf(reason, REASON,
                 "it lies %.4g arcsec from row %" PRId64
                 ", which has the same id; one object's lie within %g (catalogue.merge_radius)",
                 far, g->row + 1, b->o->merge_radius);
        return;
    }
    for (int k = 0; k < b->n_y; k++) {
        double most = b->o->merge_tolerance * (1 + fabs(g->y[k]));

        if (fabs(o->y[k] - g->y[k]) <= most) continue;
        snprintf(reason, REASON,
                 "target %s is %.9g, and %.9g in row %" PRId64
                 ", which has the same id and lies %.4g arcsec from it; one object's differ by up "
                 "to %.4g (catalogue.merge_tolerance)",
                 b->o->target.v[k], o->y[k], g->y[k], g->row + 1, far, most);
        return;
    }
}

/* Another row with the group's id. */
static orr_status join_group(plan_build *b, group *g, int64_t row)
{
    unsigned char key[ORR_PLAN_KEY_MAX];
    orr_plan_object o = { 0 };
    char reason[REASON];
    size_t key_n = 0;

    if (g->n == 1) {
        ORR_TRY(load(b, g->row, &g->first, g->key, &g->key_n));
        memcpy(g->y, g->first.y, sizeof g->y);
    }
    ORR_TRY(load(b, row, &o, key, &key_n));
    tell_apart(b, g, &o, key_n == g->key_n && memcmp(key, g->key, key_n) == 0, reason);
    if (*reason) {
        ORR_TRY(set_aside(b, row, o.id, reason));
    } else {
        for (int k = 0; k < b->n_y; k++)
            g->first.y[k] += o.y[k];
        g->n++;
    }
    sqlite3_bind_int64(b->st[BUILD_DROP_ROW], 1, row);
    return run_statement(b, BUILD_DROP_ROW);
}

static int same_id(const group *g, sqlite3_stmt *s)
{
    const char *text;

    if (g->n == 0 || g->is_int != (sqlite3_column_type(s, 0) == SQLITE_INTEGER)) return 0;
    if (g->is_int) return g->number == sqlite3_column_int64(s, 0);
    text = (const char *)sqlite3_column_text(s, 0);
    return text && strcmp(g->text, text) == 0;
}

static void begin_group(group *g, sqlite3_stmt *s)
{
    const unsigned char *text;

    g->n = 1;
    g->row = sqlite3_column_int64(s, 1);
    g->is_int = sqlite3_column_type(s, 0) == SQLITE_INTEGER;
    g->number = sqlite3_column_int64(s, 0);
    text = g->is_int ? NULL : sqlite3_column_text(s, 0);
    snprintf(g->text, sizeof g->text, "%s", text ? (const char *)text : "");
}

static orr_status merge(plan_build *b)
{
    sqlite3_stmt *s = NULL;
    orr_status st;
    group g = { 0 };
    int code;

    /* Sorted without an index, all rows are read before the first comes out, so they may change. */
    ORR_TRY_GOTO(
        st, done,
        orr_plan_prepare(b->db, b->tmp, &s, "SELECT id, row FROM work.raw ORDER BY id, row"));
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        if (same_id(&g, s)) {
            ORR_TRY_GOTO(st, done, join_group(b, &g, sqlite3_column_int64(s, 1)));
            continue;
        }
        ORR_TRY_GOTO(st, done, end_group(b, &g));
        begin_group(&g, s);
    }
    ORR_TRY_GOTO(st, done, run(b, code));
    ORR_TRY_GOTO(st, done, end_group(b, &g));
done:
    sqlite3_finalize(s);
    return st;
}

/* ---- fields and parts ---- */

typedef struct {
    unsigned char key[ORR_PLAN_KEY_MAX];
    size_t key_n;
    int64_t first, n;                              /* objects of the field */
    int64_t part_first, part_fields, part_objects; /* of the part before it */
} layout;

static orr_status end_part(plan_build *b, layout *l)
{
    sqlite3_stmt *s = b->st[BUILD_ADD_PART];

    if (l->part_fields == 0) return ORR_OK;
    sqlite3_bind_int64(s, 1, b->counts.parts++);
    sqlite3_bind_int64(s, 2, l->part_first);
    sqlite3_bind_int64(s, 3, l->part_fields);
    l->part_first += l->part_fields;
    l->part_fields = l->part_objects = 0;
    return run_statement(b, BUILD_ADD_PART);
}

/* Fields that the present part may hold.  Small parts keep many ranks busy, large ones are few:
 * a catalogue of many fields, which is read to its end only now, begins with small ones. */
static int64_t part_limit(const plan_build *b, const layout *l)
{
    int64_t grown = 1 + l->part_first / ORR_PART_GROWTH;

    if (b->max_fields) return b->max_fields;
    return grown < ORR_PART_FIELDS_MAX ? grown : ORR_PART_FIELDS_MAX;
}

static orr_status end_field(plan_build *b, layout *l)
{
    sqlite3_stmt *s = b->st[BUILD_ADD_FIELD];

    if (l->n == 0) return ORR_OK;
    if (l->part_fields == part_limit(b, l) || l->part_objects + l->n > b->max_objects)
        ORR_TRY(end_part(b, l));
    l->part_fields++;
    l->part_objects += l->n;
    sqlite3_bind_int64(s, 1, b->counts.fields++);
    sqlite3_bind_blob(s, 2, l->key, (int)l->key_n, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, l->first);
    sqlite3_bind_int64(s, 4, l->n);
    l->first += l->n;
    l->n = 0;
    return run_statement(b, BUILD_ADD_FIELD);
}

static orr_status add_object(plan_build *b, layout *l, sqlite3_stmt *row)
{
    const void *key = sqlite3_column_blob(row, 0), *data = sqlite3_column_blob(row, 1);
    size_t key_n = (size_t)sqlite3_column_bytes(row, 0), n = (size_t)sqlite3_column_bytes(row, 1);
    orr_plan_object o;
    orr_status st = ORR_OK;
    int64_t number;
    size_t id;

    if (key_n > sizeof l->key || !orr_plan_unpack(&o, b->n_y, b->n_aux, data, n))
        return orr_fail(ORR_ERR_INTERNAL, "%s: a row is damaged", b->tmp);
    if (l->n == 0 || key_n != l->key_n || (key_n && memcmp(key, l->key, key_n) != 0)) {
        ORR_TRY(end_field(b, l));
        l->key_n = key_n;
        if (key_n) memcpy(l->key, key, key_n);
        digest(b, &st, &key_n, sizeof key_n);
        digest(b, &st, l->key, key_n);
    }
    digest(b, &st, &n, sizeof n);
    digest(b, &st, data, n);
    ORR_TRY(st);
    l->n++;
    id = strlen(o.id);
    if (!orr_id_integer(o.id, id, &number)) b->text_ids = 1;
    orr_id_tally_add(&b->ids, o.id, id);
    if ((int)id > b->id_bytes) b->id_bytes = (int)id;
    if (o.label > b->max_label) b->max_label = o.label;
    sqlite3_bind_int64(b->st[BUILD_ADD_OBJECT], 1, b->counts.objects++);
    sqlite3_bind_blob(b->st[BUILD_ADD_OBJECT], 2, data, (int)n, SQLITE_STATIC);
    return run_statement(b, BUILD_ADD_OBJECT);
}

static orr_status sort(plan_build *b)
{
    layout *l = orr_alloc(1, sizeof *l);
    sqlite3_stmt *s = NULL;
    orr_status st = ORR_OK;
    int code;

    if (!l) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", b->tmp);
    ORR_TRY_GOTO(
        st, done,
        orr_plan_prepare(b->db, b->tmp, &s, "SELECT key, data FROM work.raw ORDER BY key, row"));
    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        ORR_TRY_GOTO(st, done, add_object(b, l, s));
    ORR_TRY_GOTO(st, done, run(b, code));
    ORR_TRY_GOTO(st, done, end_field(b, l));
    ORR_TRY_GOTO(st, done, end_part(b, l));
    if (b->counts.objects == 0)
        ORR_TRY_GOTO(st, done,
                     b->counts.rows == 0
                         ? orr_fail(ORR_ERR_FORMAT, "%s: the catalogue has no rows", b->o->file)
                         : orr_fail(ORR_ERR_FORMAT,
                                    "%s: none of %" PRId64 " rows can be used; the first, %s",
                                    b->o->file, b->counts.rows, b->first_reason));
done:
    sqlite3_finalize(s);
    orr_free(l);
    return st;
}

/* ---- what the schema is made of, and the identity ---- */

static orr_status put_meta(plan_build *b, const char *key, int64_t value, const char *text)
{
    sqlite3_stmt *s = NULL;
    int code;

    ORR_TRY(orr_plan_prepare(b->db, b->tmp, &s, "INSERT INTO meta(key, value) VALUES(?1, ?2)"));
    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    if (text)
        sqlite3_bind_text(s, 2, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_int64(s, 2, value);
    code = sqlite3_step(s);
    sqlite3_finalize(s);
    return run(b, code);
}

static orr_status put_name(plan_build *b, const char *kind, int n, const char *name)
{
    orr_status st = ORR_OK;
    sqlite3_stmt *s = NULL;
    int code;

    digest(b, &st, kind, strlen(kind) + 1);
    digest(b, &st, name, strlen(name) + 1);
    ORR_TRY(st);
    ORR_TRY(
        orr_plan_prepare(b->db, b->tmp, &s, "INSERT INTO name(kind, n, name) VALUES(?1, ?2, ?3)"));
    sqlite3_bind_text(s, 1, kind, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, n);
    sqlite3_bind_text(s, 3, name, -1, SQLITE_STATIC);
    code = sqlite3_step(s);
    sqlite3_finalize(s);
    return run(b, code);
}

static orr_status put_names(plan_build *b)
{
    const orr_strings *classes = b->o->class_names.n ? &b->o->class_names : &b->o->classes;
    orr_strings bands = orr_catalogue_bands(b->o);

    for (int i = 0; i < b->n_y; i++)
        ORR_TRY(put_name(b, "target", i, b->o->target.v[i]));
    for (int i = 0; i < b->n_aux; i++)
        ORR_TRY(put_name(b, "aux", i, b->o->aux.v[i]));
    for (int i = 0; i < classes->n && *b->o->label; i++)
        ORR_TRY(put_name(b, "class", i, classes->v[i]));
    for (int i = 0; i < bands.n; i++)
        ORR_TRY(put_name(b, "band", i, bands.v[i]));
    for (int i = 0; i < b->n_fields; i++)
        ORR_TRY(put_name(b, b->is_int[i] ? "integer" : "text", i, b->fields[i]));
    return ORR_OK;
}

static orr_status digest_asides(plan_build *b)
{
    sqlite3_stmt *s = NULL;
    orr_status st;
    int code;

    ORR_TRY(orr_plan_prepare(b->db, b->tmp, &s, "SELECT row, id, reason FROM aside ORDER BY row"));
    st = ORR_OK;
    while (st == ORR_OK && (code = sqlite3_step(s)) == SQLITE_ROW)
        for (int i = 0; i < 3; i++) {
            const unsigned char *text = sqlite3_column_text(s, i);

            if (text) digest(b, &st, text, strlen((const char *)text) + 1);
        }
    sqlite3_finalize(s);
    return st == ORR_OK ? run(b, code) : st;
}

static orr_status put_all_meta(plan_build *b)
{
    const int *given = &b->o->class_names.n;
    int n_classes = !*b->o->label  ? 0
                    : *given       ? *given
                    : b->classes.n ? b->classes.n
                                   : b->max_label + 1;
    int64_t sizes[] = { b->max_objects, b->max_fields, b->counts.rows, b->counts.merged };
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = { { "rows", b->counts.rows },
                    { "objects", b->counts.objects },
                    { "merged", b->counts.merged },
                    { "aside", b->counts.aside },
                    { "fields", b->counts.fields },
                    { "parts", b->counts.parts },
                    { "targets", b->n_y },
                    { "aux", b->n_aux },
                    { "classes", n_classes },
                    { "columns", b->n_fields },
                    { "rounded", orr_id_tally_is_rounded(&b->ids) ? b->ids.n_zeros : 0 },
                    { "text_ids", b->text_ids },
                    { "id_bytes", b->id_bytes } };
    char identity[ORR_SHA256_HEX];
    orr_status st = ORR_OK;

    if (*b->o->label && b->max_label >= n_classes)
        return orr_fail(ORR_ERR_OPTION, "catalogue.class_names: %d names, and labels go up to %d",
                        n_classes, b->max_label);
    ORR_TRY(put_names(b));
    ORR_TRY(digest_asides(b));
    digest(b, &st, sizes, sizeof sizes);
    ORR_TRY(st);
    st = orr_sha256_end(b->sha, identity);
    b->sha = NULL;
    ORR_TRY(st);
    ORR_TRY(put_meta(b, "version", 0, ORR_PLAN_VERSION));
    ORR_TRY(put_meta(b, "identity", 0, identity));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        ORR_TRY(put_meta(b, numbers[i].key, numbers[i].value, NULL));
    return ORR_OK;
}

/* ---- which target is meant ---- */
static const char *column_called(const orr_columns *c, const char *name)
{
    for (int i = 0; i < orr_columns_n(c); i++)
        if (orr_columns_name(c, i) && strcasecmp(orr_columns_name(c, i), name) == 0)
            return orr_columns_name(c, i);
    return NULL;
}

/* z is a redshift, or the magnitude of a band: what stands beside it may tell, and then z is not
 * taken in silence. */
static orr_status check_z(const plan_build *b)
{
    static const char *const redshifts[] = { "redshift", "z_spec", "zspec", "spec_z", "specz" };
    static const char *const bands[] = { "u", "g", "r", "i" };
    const char *other = NULL;
    size_t n = 0;

    if (!column_called(b->columns, "z")) return ORR_OK;
    for (size_t i = 0; !other && i < sizeof redshifts / sizeof *redshifts; i++)
        other = column_called(b->columns, redshifts[i]);
    while (n < sizeof bands / sizeof *bands && column_called(b->columns, bands[n]))
        n++;
    if (other)
        return orr_fail(
            ORR_ERR_OPTION,
            "%s: has columns z and %s: say which is the target, catalogue.target: [%s], "
            "[z], or [] for none",
            b->o->file, other, other);
    if (n == sizeof bands / sizeof *bands)
        return orr_fail(ORR_ERR_OPTION,
                        "%s: column z stands beside u, g, r and i, so it may be a magnitude; say "
                        "catalogue.target: [z] when it is the target, or [] for none",
                        b->o->file);
    return ORR_OK;
}

static orr_status choose_target(plan_build *b)
{
    orr_strings *t = &b->own.target;

    if (t->n != 1 || strcmp(t->v[0], "auto") != 0) return ORR_OK;
    if (*b->o->label) {
        t->n = 0;
    } else {
        ORR_TRY(check_z(b));
        t->v[0] = "z";
    }
    b->n_y = t->n;
    return ORR_OK;
}

/* A column that nothing is taken of was mistyped. */
static orr_status check_missing(const plan_build *b)
{
    const orr_where *w = &b->missing.of;

    for (int i = 0; i < w->n; i++) {
        int known = strcmp(w->list[i].name, b->o->label) == 0;

        for (int k = 0; k < b->n_y; k++)
            known |= strcmp(w->list[i].name, b->o->target.v[k]) == 0;
        for (int k = 0; k < b->n_aux; k++)
            known |= strcmp(w->list[i].name, b->o->aux.v[k]) == 0;
        if (!known)
            return orr_fail(ORR_ERR_OPTION,
                            "catalogue.missing: %s is no target, aux number or label here",
                            w->list[i].name);
    }
    return ORR_OK;
}

/* ---- all of it ---- */

static orr_status check_options(plan_build *b)
{
    const orr_catalogue_opts *o = b->o;

    if (*o->label && o->target.n)
        return orr_fail(ORR_ERR_OPTION,
                        "catalogue: label and target (%s) cannot both be given; set target: []",
                        o->target.v[0]);
    if (orr_target_kind_of(o->target_kind) && o->target.n != 1)
        return orr_fail(ORR_ERR_OPTION,
                        "catalogue.target_kind is %s, which is said of one target; here are %d",
                        o->target_kind, o->target.n);
    if (o->target.n > ORR_MAX_TARGET_NAMES)
        return orr_fail(ORR_ERR_OPTION, "catalogue.target: %d columns; at most %d are possible",
                        o->target.n, ORR_MAX_TARGET_NAMES);
    if (o->class_names.n && o->classes.n && o->class_names.n != o->classes.n)
        return orr_fail(ORR_ERR_OPTION, "catalogue.class_names: %d names for %d classes",
                        o->class_names.n, o->classes.n);
    if (b->n_fields < 0 || b->n_fields > ORR_TEMPLATE_FIELDS || b->max_objects < 1 ||
        b->max_fields < 0)
        return orr_fail(ORR_ERR_ARG, "catalogue: %d fields, parts of %" PRId64 " objects",
                        b->n_fields, b->max_objects);
    for (int i = 0; i < o->target.n + o->aux.n; i++) {
        const char *name = i < o->target.n ? o->target.v[i] : o->aux.v[i - o->target.n];

        if (strlen(name) >= ORR_DATA_NAME_MAX)
            return orr_fail(ORR_ERR_OPTION, "catalogue: column \"%.80s\" has a name longer than %d",
                            name, ORR_DATA_NAME_MAX - 1);
    }
    ORR_TRY(orr_missing_lists_init(&b->missing, o->missing, "catalogue.missing"));
    ORR_TRY(check_missing(b));
    return orr_classes_init(&b->classes, &o->classes, "catalogue.classes");
}

static orr_status open_files(plan_build *b, const char *file)
{
    sqlite3_stmt *s = NULL;
    int code;

    ORR_TRY(orr_tmp_path(b->tmp, file));
    ORR_TRY(orr_tmp_path(b->work, b->tmp));
    if ((unlink(b->tmp) && orr_path_exists(b->tmp)) ||
        (unlink(b->work) && orr_path_exists(b->work)))
        return orr_fail(ORR_ERR_IO, "%s: cannot be removed", b->tmp);
    code = sqlite3_open_v2(b->tmp, &b->db,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    ORR_TRY(run(b, code));
    ORR_TRY(orr_plan_prepare(b->db, b->tmp, &s, "ATTACH ?1 AS work"));
    sqlite3_bind_text(s, 1, b->work, -1, SQLITE_STATIC);
    code = sqlite3_step(s);
    sqlite3_finalize(s);
    ORR_TRY(run(b, code));
    ORR_TRY(execute(b, tables));
    for (int i = 0; i < BUILD_STATEMENTS; i++)
        ORR_TRY(orr_plan_prepare(b->db, b->tmp, &b->st[i], sql[i]));
    return orr_sha256_begin(&b->sha);
}

static void close_files(plan_build *b)
{
    for (int i = 0; i < BUILD_STATEMENTS; i++)
        sqlite3_finalize(b->st[i]);
    sqlite3_close(b->db);
    b->db = NULL;
    if (*b->work) unlink(b->work);
}

orr_status orr_catalogue_build(const char *file, const orr_catalogue_opts *o,
                               const char *const *fields, const int *is_int, int n_fields,
                               int64_t max_objects, int64_t max_fields)
{
    plan_build *b = orr_alloc(1, sizeof *b);
    orr_status st = ORR_OK;

    if (!b) return orr_fail(ORR_ERR_NOMEM, "out of memory: catalogue");
    *b = (plan_build){ .own = *o,
                       .fields = fields,
                       .is_int = is_int,
                       .n_fields = n_fields,
                       .n_y = o->target.n,
                       .n_aux = o->aux.n,
                       .max_objects = max_objects,
                       .max_fields = max_fields,
                       .max_label = -1 };
    b->o = &b->own;
    ORR_TRY_GOTO(st, done, orr_columns_open(&b->columns, o->file, o->table));
    ORR_TRY_GOTO(st, done, choose_target(b));
    ORR_TRY_GOTO(st, done, check_options(b));
    ORR_TRY_GOTO(st, done, open_files(b, file));
    ORR_TRY_GOTO(st, done, read_rows(b));
    ORR_TRY_GOTO(st, done, merge(b));
    ORR_TRY_GOTO(st, done, sort(b));
    ORR_TRY_GOTO(st, done, put_all_meta(b));
    ORR_TRY_GOTO(st, done, execute(b, "COMMIT"));
    close_files(b);
    ORR_TRY_GOTO(st, done, orr_commit_file(b->tmp, file));
done:
    if (b->db) close_files(b);
    if (st != ORR_OK && *b->tmp) unlink(b->tmp);
    orr_sha256_destroy(b->sha);
    orr_columns_close(b->columns);
    orr_classes_free(&b->classes);
    orr_missing_lists_free(&b->missing);
    orr_free(b);
    return st;
}
