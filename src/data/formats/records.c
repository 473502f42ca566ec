/* data/formats/records.c - fields of records, and their values. */
#include "data/formats/records.h"
#include "core/memory.h"
#include "data/formats/names.h"
#include "data/formats/number.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void orr_records_close(orr_records *r)
{
    orr_free(r->what);
    orr_free(r->fields);
    orr_free(r->names);
    orr_bytes_close(&r->bytes);
    *r = (orr_records){ 0 };
}

static orr_status set_names(orr_records *r)
{
    if (!(r->names = orr_alloc((size_t)r->n_fields + 1, sizeof *r->names)))
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: names of columns", r->what);
    for (int i = 0; i < r->n_fields; i++)
        r->names[i] = r->fields[i].name;
    return ORR_OK;
}

orr_status orr_records_open(orr_records *r, orr_bytes *bytes, const char *path, const char *table,
                            orr_status (*read)(orr_records *r, const char *path, const char *table))
{
    orr_status st = ORR_OK;

    *r = (orr_records){ .bytes = *bytes };
    *bytes = (orr_bytes){ 0 };
    if (!(r->what = orr_strdup(path)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path));
    ORR_TRY_GOTO(st, done, read(r, path, table));
    ORR_TRY_GOTO(st, done, set_names(r));
done:
    if (st != ORR_OK) orr_records_close(r);
    return st;
}

orr_status orr_records_add(orr_records *r, orr_field **field, int *cap)
{
    int want = *cap ? 2 * *cap : 64;
    orr_field *more;

    if (r->n_fields == *cap) {
        if (!(more = orr_realloc(r->fields, (size_t)*cap, (size_t)want, sizeof *more)))
            return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: %d fields", r->what, want);
        r->fields = more;
        *cap = want;
    }
    *field = &r->fields[r->n_fields++];
    **field = (orr_field){ .scale = 1, .count = 1 };
    return ORR_OK;
}

/* ---- names ---- */

orr_status orr_records_pick(const orr_records *r, const char *word, const char *option,
                            int by_number, int *field, int64_t *element)
{
    const orr_names names = { r->what, r->names, r->n_fields, by_number };
    size_t n = strlen(word), before;
    const char *open = strrchr(word, '[');
    char name[ORR_FIELD_NAME];

    *element = -1;
    if ((*field = orr_names_find(&names, word)) >= 0) return ORR_OK;
    before = open ? (size_t)(open - word) : n;
    if (!open || n < before + 3 || word[n - 1] != ']' || before >= sizeof name ||
        orr_integer_parse(open + 1, n - 2 - before, element))
        return orr_names_pick(&names, word, option, field);
    snprintf(name, sizeof name, "%.*s", (int)before, word);
    ORR_TRY(orr_names_pick(&names, name, option, field));
    if (*element < 0 || *element >= r->fields[*field].count)
        return orr_fail(ORR_ERR_OPTION, "%s: %s is %.60s; the values of %s go from 0 to %lld",
                        r->what, option, word, r->fields[*field].name,
                        (long long)r->fields[*field].count - 1);
    return ORR_OK;
}

orr_status orr_field_check(const orr_records *r, const orr_field *f, const char *option)
{
    if (f->kind == ORR_FIELD_OTHER)
        return orr_fail(ORR_ERR_UNSUPPORTED, "%s: column %s (%s) is %s, which is not read", r->what,
                        f->name, option, f->kind_name);
    if (f->count < 1)
        return orr_fail(ORR_ERR_FORMAT, "%s: column %s (%s) holds no values", r->what, f->name,
                        option);
    return ORR_OK;
}

orr_value_type orr_field_type(const orr_field *f)
{
    if (f->kind == ORR_FIELD_TEXT8 || f->kind == ORR_FIELD_UCS4) return ORR_VALUE_TEXT;
    if (f->kind == ORR_FIELD_LOGICAL) return ORR_VALUE_INT;
    if (f->elem < ORR_ELEM_I1 || f->scale != 1 || f->zero != floor(f->zero) ||
        fabs(f->zero) > 18446744073709551616.0)
        return ORR_VALUE_REAL;
    return ORR_VALUE_INT;
}

/* ---- values ---- */

static const char *value_at(const orr_field *f, const char *record, int64_t element)
{
    return record + f->offset + (size_t)element * f->bytes;
}

/* The integer as it is stored. */
static __int128 raw_integer(const orr_field *f, const char *p)
{
    uint64_t b;
    double v;
    int64_t i;

    if (f->elem != ORR_ELEM_I8 && f->elem != ORR_ELEM_U8) { /* exact as a double */
        orr_elem_read(&v, f->elem, f->swap, p, 1, f->bytes);
        return (__int128)v;
    }
    memcpy(&b, p, sizeof b);
    if (f->swap) b = __builtin_bswap64(b);
    if (f->elem == ORR_ELEM_U8) return b;
    memcpy(&i, &b, sizeof i);
    return i;
}

static int is_null(const orr_field *f, const char *p)
{
    return f->has_null && raw_integer(f, p) == f->null;
}

/* A text without its padding, as UTF-8; what does not fit is counted and left out. */
static size_t plain_text(const char *p, size_t room, char out[ORR_FIELD_TEXT])
{
    size_t n = strnlen(p, room);

    while (n > 0 && p[n - 1] == ' ')
        n--;
    while (n > 0 && *p == ' ') {
        p++;
        n--;
    }
    memmove(out, p, n < ORR_FIELD_TEXT ? n : ORR_FIELD_TEXT - 1);
    out[n < ORR_FIELD_TEXT ? n : ORR_FIELD_TEXT - 1] = '\0';
    return n;
}

static size_t utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | (c >> 18 & 7));
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

static size_t unicode_text(const orr_field *f, const char *p, char out[ORR_FIELD_TEXT])
{
    size_t n = 0;

    out[ORR_FIELD_TEXT - 1] = '\0';
    for (size_t i = 0; i + 4 <= f->bytes; i += 4) {
        char code[4];
        uint32_t c;
        size_t k;

        memcpy(&c, p + i, sizeof c);
        if (f->swap) c = __builtin_bswap32(c);
        if (c == 0) break;
        k = utf8(c, code);
        if (n + k < ORR_FIELD_TEXT) memcpy(out + n, code, k);
        n += k;
    }
    return n < ORR_FIELD_TEXT ? plain_text(out, n, out) : n;
}

static int is_text(const orr_field *f)
{
    return f->kind == ORR_FIELD_TEXT8 || f->kind == ORR_FIELD_UCS4;
}

static size_t raw_text(const orr_field *f, const char *p, char out[ORR_FIELD_TEXT])
{
    return f->kind == ORR_FIELD_UCS4 ? unicode_text(f, p, out) : plain_text(p, f->bytes, out);
}

static double one_real(const orr_field *f, const char *p)
{
    char text[ORR_FIELD_TEXT];
    size_t n;
    double v;

    if (f->kind == ORR_FIELD_LOGICAL) return *p == 'T' ? 1 : *p == 'F' ? 0 : NAN;
    if (is_text(f)) {
        n = raw_text(f, p, text);
        return n < ORR_FIELD_TEXT && !orr_text_is_null(text, n) &&
                       orr_number_parse(text, text + n, &v)
                   ? v
                   : NAN;
    }
    if (is_null(f, p)) return NAN;
    if (f->is_scaled && f->elem == ORR_ELEM_I8 &&
        orr_field_type(f) == ORR_VALUE_INT) /* rounded once */
        return (double)(raw_integer(f, p) + (__int128)f->zero);
    orr_elem_read(&v, f->elem, f->swap, p, 1, f->bytes);
    return f->is_scaled ? v * f->scale + f->zero : v;
}

void orr_field_reals(const orr_field *f, const char *record, int64_t element, int64_t n,
                     double *out)
{
    const char *p = value_at(f, record, element);

    if (f->kind == ORR_FIELD_NUMBER && !f->is_scaled && !f->has_null) {
        orr_elem_read(out, f->elem, f->swap, p, (size_t)n, f->bytes);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        out[i] = one_real(f, p + (size_t)i * f->bytes);
}

const char *orr_field_int(const orr_field *f, const char *record, int64_t element, int64_t *out)
{
    const char *p = value_at(f, record, element);
    char text[ORR_FIELD_TEXT];
    double v;

    if (is_text(f)) {
        size_t n = raw_text(f, p, text);

        return n < ORR_FIELD_TEXT ? orr_integer_parse(text, n, out) : "is not a whole number";
    }
    if (f->kind == ORR_FIELD_NUMBER && is_null(f, p)) return "is null";
    if (orr_field_type(f) == ORR_VALUE_INT && f->kind == ORR_FIELD_NUMBER) {
        __int128 sum = raw_integer(f, p) + (__int128)f->zero;

        if (sum > INT64_MAX || sum < INT64_MIN) return "does not fit into 64 bits with a sign";
        *out = (int64_t)sum;
        return NULL;
    }
    v = one_real(f, p);
    if (isnan(v)) return "is null";
    if (v != floor(v)) return "is not a whole number";
    if (fabs(v) >= 9007199254740992.0)
        return "is too large for a float64 to hold all its digits; store it as an integer or a "
               "text";
    *out = (int64_t)v;
    return NULL;
}

/* Any whole number, those beyond an int64, too. */
static size_t print_integer(__int128 v, char *out)
{
    char digits[48];
    unsigned __int128 left = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
    size_t n = sizeof digits;

    do
        digits[--n] = (char)('0' + (int)(left % 10));
    while ((left /= 10) > 0);
    if (v < 0) digits[--n] = '-';
    memcpy(out, digits + n, sizeof digits - n);
    return sizeof digits - n;
}

size_t orr_field_text(const orr_field *f, const char *record, int64_t element,
                      char out[ORR_FIELD_TEXT])
{
    const char *p = value_at(f, record, element);
    double v;
    size_t n;

    if (is_text(f)) {
        n = raw_text(f, p, out);
        if (n < ORR_FIELD_TEXT && orr_text_is_null(out, n)) n = 0;
    } else if (orr_field_type(f) == ORR_VALUE_INT && f->kind == ORR_FIELD_NUMBER) {
        n = is_null(f, p) ? 0 : print_integer(raw_integer(f, p) + (__int128)f->zero, out);
    } else {
        v = one_real(f, p);
        n = isnan(v)                                  ? 0
            : f->elem <= ORR_ELEM_F4 && !f->is_scaled ? orr_number_print_float(out, (float)v)
                                                      : orr_number_print_double(out, v);
    }
    if (n < ORR_FIELD_TEXT) out[n] = '\0';
    return n;
}

/* Whole numbers below 2^bits are exact in the field's floats. */
static int exact_bits(const orr_field *f)
{
    if (f->bits) return f->bits;
    return f->elem == ORR_ELEM_F4 ? 24 : f->elem == ORR_ELEM_F2 ? 11 : 53;
}

const char *orr_field_id(const orr_field *f, const char *record, int64_t element,
                         char out[ORR_FIELD_TEXT], size_t *n)
{
    double v;

    *n = orr_field_text(f, record, element, out);
    if (*n == 0) return NULL;
    if (orr_field_type(f) == ORR_VALUE_REAL) {
        const char *why;

        v = one_real(f, value_at(f, record, element));
        if ((why = orr_id_real_fault(v, exact_bits(f)))) return why;
        *n = print_integer((__int128)v, out);
        out[*n] = '\0';
    }
    return orr_id_fault(out, *n < ORR_FIELD_TEXT ? *n : ORR_FIELD_TEXT - 1);
}
