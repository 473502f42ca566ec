/* data/survey/catalogue.c - options of a catalogue, and its plan file as ranks read it. */
#include "data/survey/catalogue.h"
#include "core/file.h"
#include "core/memory.h"
#include "data/formats/id.h"
#include "data/survey/catalogue_private.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what a plan's columns hold ---- */
orr_status orr_plan_fail(sqlite3 *db, const char *file, int code)
{
    const char *why = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    int system = db ? sqlite3_system_errno(db) : 0;

    if (code == SQLITE_NOMEM) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", file);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: not a plan file, or damaged (%s); remove it and start again", file,
                        why);
    return orr_fail(ORR_ERR_IO, "%s: %s%s%s (SQLite %d)", file, why, system ? ": " : "",
                    system ? strerror(system) : "", code);
}

orr_status orr_plan_prepare(sqlite3 *db, const char *file, sqlite3_stmt **out, const char *sql)
{
    int code = sqlite3_prepare_v2(db, sql, -1, out, NULL);

    return code == SQLITE_OK ? ORR_OK : orr_plan_fail(db, file, code);
}

static char *put(char *to, const void *from, size_t n)
{
    memcpy(to, from, n);
    return to + n;
}

size_t orr_plan_pack(const orr_plan_object *o, int n_y, int n_aux, char *data)
{
    char *p = data;

    p = put(p, &o->row, sizeof o->row);
    p = put(p, &o->ra, sizeof o->ra);
    p = put(p, &o->dec, sizeof o->dec);
    p = put(p, &o->label, sizeof o->label);
    p = put(p, o->y, (size_t)n_y * sizeof *o->y);
    p = put(p, o->aux, (size_t)n_aux * sizeof *o->aux);
    p = put(p, o->id, strlen(o->id));
    return (size_t)(p - data);
}

static const char *get(const char *from, void *to, size_t n)
{
    memcpy(to, from, n);
    return from + n;
}

int orr_plan_unpack(orr_plan_object *o, int n_y, int n_aux, const void *data, size_t n)
{
    const char *p = data, *end = p ? p + n : p;
    size_t fixed = 28 + (size_t)n_y * sizeof *o->y + (size_t)n_aux * sizeof *o->aux;

    *o = (orr_plan_object){ 0 };
    if (!p || n < fixed || n - fixed > ORR_ID_TEXT_MAX) return 0;
    p = get(p, &o->row, sizeof o->row);
    p = get(p, &o->ra, sizeof o->ra);
    p = get(p, &o->dec, sizeof o->dec);
    p = get(p, &o->label, sizeof o->label);
    p = get(p, o->y, (size_t)n_y * sizeof *o->y);
    p = get(p, o->aux, (size_t)n_aux * sizeof *o->aux);
    get(p, o->id, (size_t)(end - p));
    return 1;
}

/* Whole numbers: eight bytes, the highest first, with the sign turned, so that bytes sort as the
 * numbers do; texts: their bytes and a zero. */
size_t orr_plan_key(const orr_template_value *values, int n, unsigned char *key)
{
    unsigned char *p = key;

    for (int i = 0; i < n; i++) {
        uint64_t v = (uint64_t)values[i].number ^ (uint64_t)1 << 63;
        size_t bytes = strlen(values[i].text) + 1;

        if (values[i].is_int) {
            for (int k = 7; k >= 0; k--)
                *p++ = (unsigned char)(v >> (8 * k));
        } else {
            memcpy(p, values[i].text, bytes);
            p += bytes;
        }
    }
    return (size_t)(p - key);
}

int orr_plan_values(orr_template_value *values, const int *is_int, int n, const unsigned char *key,
                    size_t bytes)
{
    const unsigned char *p = key, *end = key + bytes;

    for (int i = 0; i < n; i++) {
        uint64_t v = 0;
        size_t length;

        values[i] = (orr_template_value){ .is_int = is_int[i] };
        if (is_int[i]) {
            if (end - p < 8) return 0;
            for (int k = 0; k < 8; k++)
                v = v << 8 | *p++;
            v ^= (uint64_t)1 << 63;
            memcpy(&values[i].number, &v, sizeof v);
            continue;
        }
        length = strnlen((const char *)p, (size_t)(end - p));
        if (p + length == end || length > ORR_ID_TEXT_MAX) return 0;
        memcpy(values[i].text, p, length);
        p += length + 1;
    }
    return p == end;
}

/* ---- reading a plan ---- */
#define T orr_catalogue_opts
const orr_option orr_catalogue_options[] = {
    ORR_OPTION_STRING(T, file, NULL,
                      "csv with a header (also packed), FITS binary table, or npy of a structured "
                      "type"),
    ORR_OPTION_STRING(T, table, "", "FITS: name or number of the extension; none: the first table"),
    ORR_OPTION_STRINGS(T, id, "objID",
                       "column of ids, integers or texts; several make one, joined by a colon: "
                       "[run, rerun, camcol, field, id]"),
    ORR_OPTION_STRING(T, ra, "ra", "column of right ascensions (or longitudes), degrees"),
    ORR_OPTION_STRING(T, dec, "dec", "column of declinations (or latitudes), degrees"),
    ORR_OPTION_STRING(T, sky, "",
                      "system of ra and dec: ICRS, FK5, FK4, FK4-NO-E, galactic, supergalactic, "
                      "ecliptic, with an equinox as in \"FK4 B1950\"; none: RADESYS and EQUINOX of "
                      "a FITS table, else ICRS"),
    ORR_OPTION_STRINGS(
        T, target, "auto",
        "columns of float targets; [] = none; auto: none with label, else z where no "
        "column of redshifts and no u, g, r and i stand beside it"),
    ORR_OPTION_CHOICE(T, target_kind, "unsaid", "unsaid|value|redshift",
                      "what the target is; redshift: scores are those of dz = (z - truth) / (1 + "
                      "truth)"),
    ORR_OPTION_STRING(T, label, "", "or a column of classes"),
    ORR_OPTION_STRINGS(T, classes, "[]",
                       "values of the label that become class 0, 1, ...; none: labels are class "
                       "numbers"),
    ORR_OPTION_STRINGS(T, class_names, "[]", "names of the classes; none: the values in classes"),
    ORR_OPTION_STRINGS(T, aux, "[]",
                       "columns of numbers to keep beside each sample (magnitudes, E(B-V)); a FITS "
                       "vector's value is NAME[0]"),
    ORR_OPTION_NODE(T, missing,
                    "values that stand for none, such as [-9999, 99], in targets, aux and label, "
                    "whose rows are set aside: a list, or {column: value or [values]}"),
    ORR_OPTION_STRINGS(T, no_id, "[]",
                       "ids that stand for none, whose rows are set aside; none: -1 and 0 (where 0 "
                       "is an object's, list another word)"),
    ORR_OPTION_REAL(T, merge_radius, "1", 0, 3600,
                    "rows of one id within this many arcseconds are one object; farther ones are "
                    "set aside"),
    ORR_OPTION_REAL(T, merge_tolerance, "0.01", 0, INFINITY,
                    "targets of rows of one id that differ by up to this times 1 + the first one's "
                    "size are averaged; rows that differ more are set aside"),
    ORR_OPTION_STRINGS(T, bands, "[]",
                       "what {band} stands for, in the order of channels; none: u, g, r, i, z"),
    ORR_OPTION_END
};
#undef T

orr_strings orr_catalogue_bands(const orr_catalogue_opts *o)
{
    return o->bands.n ? o->bands : (orr_strings){ .n = 5, .v = { "u", "g", "r", "i", "z" } };
}

enum { FIELD, PART, OBJECTS, STATEMENTS };
static const char *const sql[STATEMENTS] = {
    [FIELD] = "SELECT key, first, count FROM field WHERE n = ?1",
    [PART] = "SELECT first, count FROM part WHERE n = ?1",
    [OBJECTS] = "SELECT n, data FROM object WHERE n >= ?1 ORDER BY n LIMIT ?2",
};

struct orr_catalogue {
    char *file;
    sqlite3 *db;
    sqlite3_stmt *st[STATEMENTS];
    orr_catalogue_counts counts;
    char identity[ORR_SHA256_HEX];
    int n_y, n_aux, n_columns;
    int is_int[ORR_TEMPLATE_FIELDS];
    orr_schema schema;
};

void orr_catalogue_close(orr_catalogue *c)
{
    if (!c) return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(c->st[i]);
    sqlite3_close(c->db);
    orr_free(c->file);
    orr_free(c);
}

static orr_status fail_damaged(const orr_catalogue *c)
{
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: not a plan file of this version, or damaged; remove it and "
                    "start again",
                    c->file);
}

/* The file as it is, without locks: it does not change once it has its name. */
static orr_status open_db(orr_catalogue *c)
{
    char *path = curl_easy_escape(NULL, c->file, 0), uri[3 * ORR_PATH_MAX + 32];
    int code;

    if (!path) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", c->file);
    snprintf(uri, sizeof uri, "file:%s?immutable=1", path);
    curl_free(path);
    code = sqlite3_open_v2(uri, &c->db,
                           SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    return code == SQLITE_OK ? ORR_OK : orr_plan_fail(c->db, c->file, code);
}

static void take_number(orr_catalogue *c, const char *key, int64_t v)
{
    const struct {
        const char *key;
        int64_t *to;
    } counts[] = { { "rows", &c->counts.rows },      { "objects", &c->counts.objects },
                   { "merged", &c->counts.merged },  { "aside", &c->counts.aside },
                   { "fields", &c->counts.fields },  { "parts", &c->counts.parts },
                   { "rounded", &c->counts.rounded } };
    const struct {
        const char *key;
        int *to;
        int most;
    } sizes[] = { { "targets", &c->n_y, ORR_MAX_TARGET_NAMES },
                  { "aux", &c->n_aux, ORR_MAX_AUX },
                  { "columns", &c->n_columns, ORR_TEMPLATE_FIELDS },
                  { "classes", &c->schema.n_classes, ORR_MAX_CLASSES },
                  { "id_bytes", &c->schema.id_bytes, ORR_ID_TEXT_MAX } };

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (!strcmp(key, counts[i].key)) *counts[i].to = v;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!strcmp(key, sizes[i].key) && v >= 0 && v <= sizes[i].most) *sizes[i].to = (int)v;
    if (!strcmp(key, "text_ids")) c->schema.id_type = v ? ORR_ID_TEXT : ORR_ID_INT;
}

static orr_status read_meta(orr_catalogue *c)
{
    sqlite3_stmt *s = NULL;
    int code, known = 0;

    ORR_TRY(orr_plan_prepare(c->db, c->file, &s, "SELECT key, value FROM meta"));
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(s, 0),
                   *text = (const char *)sqlite3_column_text(s, 1);

        if (!key || !text) continue;
        if (!strcmp(key, "version"))
            known = !strcmp(text, ORR_PLAN_VERSION);
        else if (!strcmp(key, "identity"))
            snprintf(c->identity, sizeof c->identity, "%s", text);
        else
            take_number(c, key, sqlite3_column_int64(s, 1));
    }
    sqlite3_finalize(s);
    if (code != SQLITE_DONE) return orr_plan_fail(c->db, c->file, code);
    return known && strlen(c->identity) + 1 == ORR_SHA256_HEX ? ORR_OK : fail_damaged(c);
}

static void take_name(orr_catalogue *c, const char *kind, int n, const char *name)
{
    orr_schema *s = &c->schema;
    char *to = !strcmp(kind, "target") && n < ORR_MAX_TARGET_NAMES ? s->y_names[n]
               : !strcmp(kind, "aux") && n < ORR_MAX_AUX           ? s->aux_names[n]
               : !strcmp(kind, "class") && n < ORR_MAX_CLASSES     ? s->class_names[n]
                                                                   : NULL;

    if (to) snprintf(to, ORR_DATA_NAME_MAX, "%s", name);
    if (!strcmp(kind, "integer") && n < ORR_TEMPLATE_FIELDS) c->is_int[n] = 1;
}

static orr_status read_names(orr_catalogue *c)
{
    sqlite3_stmt *s = NULL;
    int code;

    ORR_TRY(orr_plan_prepare(c->db, c->file, &s, "SELECT kind, n, name FROM name"));
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        const char *kind = (const char *)sqlite3_column_text(s, 0),
                   *name = (const char *)sqlite3_column_text(s, 2);
        int n = sqlite3_column_int(s, 1);

        if (kind && name && n >= 0) take_name(c, kind, n, name);
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? ORR_OK : orr_plan_fail(c->db, c->file, code);
}

static void finish_schema(orr_catalogue *c)
{
    orr_schema *s = &c->schema;

    s->y_type = s->n_classes ? ORR_Y_CLASS : c->n_y ? ORR_Y_VALUE : ORR_Y_NONE;
    s->y_width = c->n_y;
    s->n_aux = c->n_aux;
    if (s->id_type == ORR_ID_INT) s->id_bytes = 0;
}

orr_status orr_catalogue_open(orr_catalogue **out, const char *file)
{
    orr_catalogue *c = orr_alloc(1, sizeof *c);
    orr_status st = ORR_OK;

    *out = NULL;
    if (!c || !(c->file = orr_strdup(file))) {
        orr_free(c);
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", file);
    }
    ORR_TRY_GOTO(st, done, open_db(c));
    ORR_TRY_GOTO(st, done, read_meta(c));
    ORR_TRY_GOTO(st, done, read_names(c));
    finish_schema(c);
    for (int i = 0; i < STATEMENTS; i++)
        ORR_TRY_GOTO(st, done, orr_plan_prepare(c->db, c->file, &c->st[i], sql[i]));
    *out = c;
    c = NULL;
done:
    orr_catalogue_close(c);
    return st;
}

orr_catalogue_counts orr_catalogue_count(const orr_catalogue *c)
{
    return c->counts;
}

void orr_catalogue_schema(const orr_catalogue *c, orr_schema *s)
{
    *s = c->schema;
}

const char *orr_catalogue_identity(const orr_catalogue *c)
{
    return c->identity;
}

/* Row n of a table; the statement stands on it. */
static orr_status seek(orr_catalogue *c, int which, const char *what, int64_t n)
{
    int code;

    sqlite3_reset(c->st[which]);
    sqlite3_bind_int64(c->st[which], 1, n);
    code = sqlite3_step(c->st[which]);
    if (code == SQLITE_DONE)
        return orr_fail(ORR_ERR_ARG, "%s: there is no %s %" PRId64, c->file, what, n);
    return code == SQLITE_ROW ? ORR_OK : orr_plan_fail(c->db, c->file, code);
}

orr_status orr_catalogue_field(orr_catalogue *c, int64_t field, orr_survey_field *out)
{
    sqlite3_stmt *s = c->st[FIELD];
    orr_status st;

    *out = (orr_survey_field){ 0 };
    ORR_TRY_GOTO(st, done, seek(c, FIELD, "field", field));
    out->first_object = sqlite3_column_int64(s, 1);
    out->n_objects = sqlite3_column_int64(s, 2);
    if (!orr_plan_values(out->values, c->is_int, c->n_columns, sqlite3_column_blob(s, 0),
                         (size_t)sqlite3_column_bytes(s, 0)))
        st = fail_damaged(c);
done:
    sqlite3_reset(s);
    return st;
}

orr_status orr_catalogue_part(orr_catalogue *c, int64_t part, int64_t *first, int64_t *n)
{
    sqlite3_stmt *s = c->st[PART];
    orr_status st;

    *first = *n = 0;
    ORR_TRY_GOTO(st, done, seek(c, PART, "part", part));
    *first = sqlite3_column_int64(s, 0);
    *n = sqlite3_column_int64(s, 1);
done:
    sqlite3_reset(s);
    return st;
}

static orr_status take_object(const orr_catalogue *c, sqlite3_stmt *s, orr_survey_object *out)
{
    orr_plan_object o;

    if (!orr_plan_unpack(&o, c->n_y, c->n_aux, sqlite3_column_blob(s, 1),
                         (size_t)sqlite3_column_bytes(s, 1)))
        return fail_damaged(c);
    *out = (orr_survey_object){ .row = o.row, .ra = o.ra, .dec = o.dec, .label = o.label };
    memcpy(out->id_text, o.id, sizeof o.id);
    if (c->schema.id_type == ORR_ID_INT && !orr_id_integer(o.id, strlen(o.id), &out->id))
        return fail_damaged(c);
    for (int i = 0; i < c->n_y; i++)
        out->y[i] = (float)o.y[i];
    memcpy(out->aux, o.aux, sizeof o.aux);
    return ORR_OK;
}

orr_status orr_catalogue_objects(orr_catalogue *c, int64_t first, int64_t n, orr_survey_object *out)
{
    sqlite3_stmt *s = c->st[OBJECTS];
    orr_status st = ORR_OK;
    int64_t i = 0;
    int code = SQLITE_DONE;

    if (first < 0 || n < 0 || first > c->counts.objects - n)
        return orr_fail(ORR_ERR_ARG, "%s: objects %" PRId64 " to %" PRId64 " of %" PRId64, c->file,
                        first, first + n, c->counts.objects);
    sqlite3_reset(s);
    sqlite3_bind_int64(s, 1, first);
    sqlite3_bind_int64(s, 2, n);
    for (; i < n && (code = sqlite3_step(s)) == SQLITE_ROW; i++) {
        if (sqlite3_column_int64(s, 0) != first + i) ORR_TRY_GOTO(st, done, fail_damaged(c));
        ORR_TRY_GOTO(st, done, take_object(c, s, &out[i]));
    }
    if (i < n) st = code == SQLITE_DONE ? fail_damaged(c) : orr_plan_fail(c->db, c->file, code);
done:
    sqlite3_reset(s);
    return st;
}

orr_status orr_catalogue_aside(orr_catalogue *c,
                               orr_status (*take)(void *ctx, int64_t row, const char *id,
                                                  const char *reason),
                               void *ctx)
{
    sqlite3_stmt *s = NULL;
    orr_status st = ORR_OK;
    int code = SQLITE_DONE;

    ORR_TRY(orr_plan_prepare(c->db, c->file, &s, "SELECT row, id, reason FROM aside ORDER BY row"));
    while (st == ORR_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(s, 1),
                   *reason = (const char *)sqlite3_column_text(s, 2);

        st = take(ctx, sqlite3_column_int64(s, 0), id ? id : "", reason ? reason : "");
    }
    if (st == ORR_OK && code != SQLITE_DONE) st = orr_plan_fail(c->db, c->file, code);
    sqlite3_finalize(s);
    return st;
}
