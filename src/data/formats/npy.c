/* data/formats/npy.c - NumPy arrays: npy format versions 1, 2 and 3, alone or as a member of an
 * npz, of plain types or (alone) of a structured one.  Source: NEP 1 and numpy.lib.format.  The
 * header is a Python dict literal with exactly the keys descr, fortran_order and shape; it is
 * parsed strictly and never evaluated. */
#include "core/memory.h"
#include "data/formats/format.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char MAGIC[] = "\x93NUMPY";
enum { MAGIC_BYTES = 6, DESCR_MAX = 64, MEMBER_MAX = 256 };

typedef struct {
    const char *p, *end;
    const char *what;
    orr_records *records; /* takes the fields of a structured type; NULL = none are wanted */
    int cap, structured;
} parser;

static orr_status bad_header(const parser *s, const char *expected)
{
    return orr_fail(ORR_ERR_FORMAT, "%s: bad npy header: %s", s->what, expected);
}

static void blanks(parser *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t'))
        s->p++;
}

/* Takes c, after blanks. */
static int take(parser *s, char c)
{
    blanks(s);
    if (s->p >= s->end || *s->p != c) return 0;
    s->p++;
    return 1;
}

static orr_status read_string(parser *s, char *out, size_t bytes)
{
    char quote;
    size_t n = 0;

    blanks(s);
    if (s->p >= s->end || (*s->p != '\'' && *s->p != '"'))
        return bad_header(s, "a text in quotes is expected");
    for (quote = *s->p++; s->p < s->end && *s->p != quote; s->p++) {
        if (n + 1 == bytes || *s->p == '\\') return bad_header(s, "a text is too long or odd");
        out[n++] = *s->p;
    }
    if (!take(s, quote)) return bad_header(s, "a text is not closed");
    out[n] = '\0';
    return ORR_OK;
}

static int take_word(parser *s, const char *word)
{
    size_t n = strlen(word);

    blanks(s);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0) return 0;
    s->p += n;
    return 1;
}

static orr_status read_axis(parser *s, int64_t *axis)
{
    int64_t v = 0;
    int digits = 0;

    for (blanks(s); s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++, digits++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s->p - '0', &v))
            return bad_header(s, "an axis is too long");
    if (!digits) return bad_header(s, "shape has something else than numbers");
    if (s->p < s->end && *s->p == 'L') s->p++; /* as Python 2 wrote them */
    *axis = v;
    return ORR_OK;
}

static orr_status read_shape(parser *s, orr_array *a)
{
    if (!take(s, '(')) return bad_header(s, "shape is a tuple");
    while (!take(s, ')')) {
        if (a->n_dims == ORR_ARRAY_DIMS) return bad_header(s, "more than 8 axes");
        ORR_TRY(read_axis(s, &a->dims[a->n_dims++]));
        if (!take(s, ',') && !(s->p < s->end && *s->p == ')'))
            return bad_header(s, "shape is not closed");
    }
    return ORR_OK;
}

/* What a dtype that we do not read is called. */
static const char *kind_of(char kind)
{
    switch (kind) {
    case 'O':
        return "Python objects";
    case 'U':
        return "unicode text";
    case 'S':
    case 'a':
        return "text";
    case 'c':
        return "complex numbers";
    case 'M':
        return "dates";
    case 'm':
        return "time differences";
    case 'V':
        return "records or raw bytes";
    default:
        return "of a kind that is not read";
    }
}

/* "<f4" and the like; 0 when it is no plain number. */
static int is_number_type(const char *d, orr_elem *elem, size_t *bytes, int *swap)
{
    static const struct {
        const char *name;
        orr_elem elem;
        size_t bytes;
    } known[] = { { "f2", ORR_ELEM_F2, 2 }, { "f4", ORR_ELEM_F4, 4 }, { "f8", ORR_ELEM_F8, 8 },
                  { "i1", ORR_ELEM_I1, 1 }, { "i2", ORR_ELEM_I2, 2 }, { "i4", ORR_ELEM_I4, 4 },
                  { "i8", ORR_ELEM_I8, 8 }, { "u1", ORR_ELEM_U1, 1 }, { "u2", ORR_ELEM_U2, 2 },
                  { "u4", ORR_ELEM_U4, 4 }, { "u8", ORR_ELEM_U8, 8 }, { "b1", ORR_ELEM_U1, 1 } };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(d, known[i].name)) {
            *elem = known[i].elem;
            *bytes = known[i].bytes;
            if (*bytes == 1) *swap = 0;
            return 1;
        }
    return 0;
}

/* The type without its byte order, which goes to *swap. */
static const char *skip_order(const char *d, int *swap)
{
    *swap = 0;
    if (*d != '<' && *d != '>' && *d != '|' && *d != '=') return d;
    *swap = *d == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '>' : '<');
    return d + 1;
}

/* The number behind a kind's letter, up to 9999; 0 when there is none. */
static size_t size_of(const char *d)
{
    size_t n = strlen(d);

    return n <= 5 && strspn(d + 1, "0123456789") == n - 1 ? (size_t)strtol(d + 1, NULL, 10) : 0;
}

static orr_status set_dtype(orr_array *a, const char *descr)
{
    const char *d = skip_order(descr, &a->swap);

    if (is_number_type(d, &a->elem, &a->elem_bytes, &a->swap)) return ORR_OK;
    if (*d == 'S' && size_of(d) > 0) {
        a->elem = ORR_ELEM_TEXT;
        a->elem_bytes = size_of(d);
        a->swap = 0;
        return ORR_OK;
    }
    if (*d == 'U' && size_of(d) > 0) {
        a->elem = ORR_ELEM_TEXT;
        a->elem_bytes = size_of(d) * 4;
        a->is_ucs4 = 1;
        return ORR_OK;
    }
    return orr_fail(
        ORR_ERR_UNSUPPORTED,
        "%s: dtype \"%s\" is %s; save the array with a plain number type such as float32", a->what,
        descr, kind_of(*d));
}

/* ---- structured types: a list of (name, type) or (name, type, shape) ---- */

static orr_status set_field_type(const parser *s, orr_field *f, const char *descr)
{
    const char *d = skip_order(descr, &f->swap);

    if (is_number_type(d, &f->elem, &f->bytes, &f->swap)) return ORR_OK;
    if (*d == 'O')
        return orr_fail(ORR_ERR_UNSUPPORTED,
                        "%s: field %s holds Python objects; save it as numbers or text", s->what,
                        f->name);
    f->elem = ORR_ELEM_TEXT;
    f->kind = *d == 'S' || *d == 'a' ? ORR_FIELD_TEXT8
              : *d == 'U'            ? ORR_FIELD_UCS4
                                     : ORR_FIELD_OTHER;
    f->bytes = *d == 'M' || *d == 'm' ? 8 : size_of(d) * (*d == 'U' ? 4 : 1);
    f->kind_name = kind_of(*d);
    if (f->bytes == 0 && f->kind == ORR_FIELD_OTHER)
        return orr_fail(ORR_ERR_UNSUPPORTED, "%s: field %s has the dtype \"%s\"", s->what, f->name,
                        descr);
    return ORR_OK;
}

/* The name, or the second of (title, name). */
static orr_status read_name(parser *s, char *name, size_t bytes)
{
    if (!take(s, '(')) return read_string(s, name, bytes);
    ORR_TRY(read_string(s, name, bytes));
    if (!take(s, ',')) return bad_header(s, "a title without a name");
    ORR_TRY(read_string(s, name, bytes));
    return take(s, ')') ? ORR_OK : bad_header(s, "a field's title is not closed");
}

/* The values that a field's shape gives it: "5" or "(5, 3)". */
static orr_status read_count(parser *s, int64_t *count)
{
    orr_array shape = { 0 };

    blanks(s);
    if (s->p < s->end && *s->p == '(') {
        ORR_TRY(read_shape(s, &shape));
    } else {
        ORR_TRY(read_axis(s, &shape.dims[0]));
        shape.n_dims = 1;
    }
    for (int i = 0; i < shape.n_dims; i++)
        if (__builtin_mul_overflow(*count, shape.dims[i], count) || *count > INT_MAX)
            return bad_header(s, "a field has too many values");
    return ORR_OK;
}

/* The list's fields at the end of the records'; *at moves behind them. */
static orr_status read_fields(parser *s, size_t *at, int depth)
{
    if (depth > 8) return bad_header(s, "records within records within records");
    if (!take(s, '[')) return bad_header(s, "a list of fields is expected");
    while (!take(s, ']')) {
        char descr[DESCR_MAX] = "";
        orr_field *f;
        size_t bytes;

        if (!take(s, '(')) return bad_header(s, "a field is a tuple");
        ORR_TRY(orr_records_add(s->records, &f, &s->cap));
        ORR_TRY(read_name(s, f->name, sizeof f->name));
        if (!take(s, ',')) return bad_header(s, "a field has no type");
        f->offset = *at;
        blanks(s);
        if (s->p < s->end && *s->p == '[') {
            int i = s->records->n_fields;
            size_t end = 0;

            ORR_TRY(read_fields(s, &end, depth + 1));
            s->records->n_fields = i; /* only how long they are matters */
            f = &s->records->fields[i - 1];
            f->kind = ORR_FIELD_OTHER;
            f->bytes = end;
            f->kind_name = "a record of its own";
        } else {
            ORR_TRY(read_string(s, descr, sizeof descr));
            ORR_TRY(set_field_type(s, f, descr));
        }
        if (take(s, ',')) ORR_TRY(read_count(s, &f->count));
        if (!take(s, ')')) return bad_header(s, "a field is not closed");
        if (__builtin_mul_overflow((size_t)f->count, f->bytes, &bytes) ||
            __builtin_add_overflow(*at, bytes, at) || *at > (size_t)1 << 40)
            return bad_header(s, "a field is too long");
        if (!f->name[0]) s->records->n_fields--; /* room between fields */
        if (!take(s, ',') && !(s->p < s->end && *s->p == ']'))
            return bad_header(s, "a comma is missing between fields");
    }
    return ORR_OK;
}

static orr_status read_structure(parser *s)
{
    if (s->records) return read_fields(s, &s->records->stride, 0);
    return orr_fail(ORR_ERR_UNSUPPORTED,
                    "%s: a structured array (records with named fields); save it alone as npy, or "
                    "its fields as plain arrays",
                    s->what);
}

static orr_status read_dict(parser *s, orr_array *a, char *descr, int *fortran)
{
    char key[32];
    int seen = 0;

    if (!take(s, '{')) return bad_header(s, "a dict is expected");
    while (!take(s, '}')) {
        int which;

        ORR_TRY(read_string(s, key, sizeof key));
        which = !strcmp(key, "descr")           ? 1
                : !strcmp(key, "fortran_order") ? 2
                : !strcmp(key, "shape")         ? 4
                                                : 0;
        if (!which) return bad_header(s, "a key other than descr, fortran_order and shape");
        if (seen & which) return bad_header(s, "a key stands twice");
        seen |= which;
        if (!take(s, ':')) return bad_header(s, "a colon is missing");
        if (which == 1) {
            blanks(s);
            if ((s->structured = s->p < s->end && *s->p == '['))
                ORR_TRY(read_structure(s));
            else
                ORR_TRY(read_string(s, descr, DESCR_MAX));
        } else if (which == 2) {
            *fortran = take_word(s, "True");
            if (!*fortran && !take_word(s, "False"))
                return bad_header(s, "fortran_order is True or False");
        } else {
            ORR_TRY(read_shape(s, a));
        }
        if (!take(s, ',') && !(s->p < s->end && *s->p == '}'))
            return bad_header(s, "a comma is missing");
    }
    if (seen != 7) return bad_header(s, "descr, fortran_order or shape is missing");
    blanks(s);
    return s->p == s->end ? ORR_OK : bad_header(s, "something stands after the dict");
}

/* Everything before the data, which begins at s->end then. */
static orr_status read_head(parser *s, const orr_bytes *bytes, orr_array *a, char *descr,
                            int *fortran)
{
    const unsigned char *b = (const unsigned char *)bytes->p;
    size_t n = bytes->n, start = MAGIC_BYTES + 4, length;

    if (n < MAGIC_BYTES || memcmp(b, MAGIC, MAGIC_BYTES) != 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: not an npy file (it does not begin with \\x93NUMPY)",
                        s->what);
    if (n < start + 2) return orr_fail(ORR_ERR_FORMAT, "%s: truncated within the header", s->what);
    if (b[6] < 1 || b[6] > 3 || b[7] != 0)
        return orr_fail(ORR_ERR_UNSUPPORTED, "%s: npy version %d.%d; 1.0, 2.0 and 3.0 are read",
                        s->what, b[6], b[7]);
    length = b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) {
        length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
        start += 2;
    }
    if (n - start < length)
        return orr_fail(ORR_ERR_FORMAT, "%s: truncated within the header", s->what);
    s->p = bytes->p + start;
    s->end = s->p + length;
    return read_dict(s, a, descr, fortran);
}

static size_t bytes_behind(const orr_bytes *b, const char *p)
{
    return b->n - (size_t)(p - b->p);
}

static orr_status read_header(orr_array *a)
{
    parser s = { .what = a->what };
    char descr[DESCR_MAX] = "";
    int fortran = 0;

    ORR_TRY(read_head(&s, &a->bytes, a, descr, &fortran));
    ORR_TRY(set_dtype(a, descr));
    a->data = s.end;
    return orr_array_layout(a, fortran, bytes_behind(&a->bytes, s.end));
}

static orr_status read_records(orr_records *r, const char *path, const char *table)
{
    orr_array shape = { .what = r->what };
    parser s = { .what = r->what, .records = r };
    char descr[DESCR_MAX] = "";
    int fortran = 0;

    (void)path;
    (void)table;
    ORR_TRY(read_head(&s, &r->bytes, &shape, descr, &fortran));
    if (!s.structured)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: a plain array, which has no named columns; a structured one has",
                        r->what);
    if (shape.n_dims != 1)
        return orr_fail(ORR_ERR_SHAPE, "%s: records along %d axes; a table has one", r->what,
                        shape.n_dims);
    if (r->n_fields == 0 || r->stride == 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: records without fields", r->what);
    r->data = s.end;
    r->rows = shape.dims[0];
    shape.elem_bytes = r->stride;
    return orr_array_layout(&shape, fortran, bytes_behind(&r->bytes, s.end));
}

/* Whatever else is wrong with the header: opening the file says it. */
static int holds_records(const orr_bytes *b, const char *path)
{
    orr_records r = { .what = (char *)path };
    orr_array shape = { 0 };
    parser s = { .what = path, .records = &r };
    char descr[DESCR_MAX] = "";
    int fortran = 0;

    if (read_head(&s, b, &shape, descr, &fortran) != ORR_OK) orr_error_clear();
    orr_free(r.fields);
    return s.structured;
}

static orr_status open_npy(orr_array *a, const char *path, const char *name, const orr_trust *trust)
{
    (void)name;
    return orr_array_open_file(a, path, trust, read_header);
}

static orr_status open_npz(orr_array *a, const char *path, const char *name, const orr_trust *trust)
{
    char member[MEMBER_MAX];
    orr_status st;

    *a = (orr_array){ 0 };
    if ((size_t)snprintf(member, sizeof member, "%s.npy", name) >= sizeof member)
        return orr_fail(ORR_ERR_OPTION, "%s: the array name \"%.60s...\" is too long", path, name);
    ORR_TRY_GOTO(st, done, orr_array_name(a, path, name));
    ORR_TRY_GOTO(st, done, orr_bytes_member(&a->bytes, path, member, trust));
    ORR_TRY_GOTO(st, done, read_header(a));
done:
    if (st != ORR_OK) orr_array_close(a);
    return st;
}

static const char *find_npz(const char *path, const char *const *names, const orr_trust *trust)
{
    char member[MEMBER_MAX];

    (void)trust;
    for (; *names; names++) {
        snprintf(member, sizeof member, "%s.npy", *names);
        if (orr_bytes_has_member(path, member)) return *names;
    }
    return NULL;
}

static int sniff_npy(const orr_bytes *b)
{
    return b->n >= MAGIC_BYTES && !memcmp(b->p, MAGIC, MAGIC_BYTES);
}

static int sniff_npz(const orr_bytes *b)
{
    return b->n >= 4 && !memcmp(b->p, "PK\3\4", 4);
}

const orr_format orr_format_npy = {
    .name = "npy",
    .endings = (const char *const[]){ ".npy", NULL },
    .help = ".npy: a NumPy array; of a structured type, a table of named columns",
    .sniff = sniff_npy,
    .read_records = read_records,
    .holds_records = holds_records,
    .open_array = open_npy,
};

const orr_format orr_format_npz = {
    .name = "npz",
    .endings = (const char *const[]){ ".npz", NULL },
    .help = ".npz: NumPy arrays by name",
    .sniff = sniff_npz,
    .is_container = 1,
    .open_array = open_npz,
    .find_array = find_npz,
};
