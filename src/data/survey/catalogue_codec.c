/* data/survey/catalogue_codec.c - objects and fields as bytes of the plan file. */
#include "core/memory.h"
#include "data/survey/catalogue_private.h"

#include <string.h>

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
