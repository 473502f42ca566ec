/* data/readers/npy.c - NumPy arrays: npy format versions 1, 2 and 3, alone or as a member of an
 * npz. Source: NEP 1 and numpy.lib.format.  The header is a Python dict literal with exactly the
 * keys descr, fortran_order and shape; it is parsed strictly and never evaluated. */
#include "core/memory.h"
#include "data/readers/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char MAGIC[] = "\x93NUMPY";
enum { MAGIC_BYTES = 6, DESCR_MAX = 64, MEMBER_MAX = 256 };

typedef struct {
    const char *p, *end;
    const char *what;
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

static orr_status read_shape(parser *s, orr_array *a)
{
    if (!take(s, '(')) return bad_header(s, "shape is a tuple");
    while (!take(s, ')')) {
        int64_t v = 0;
        int digits = 0;

        if (a->n_dims == ORR_ARRAY_DIMS) return bad_header(s, "more than 8 axes");
        for (blanks(s); s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++, digits++)
            if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s->p - '0', &v))
                return bad_header(s, "an axis is too long");
        if (!digits) return bad_header(s, "shape has something else than numbers");
        if (s->p < s->end && *s->p == 'L') s->p++; /* as Python 2 wrote them */
        a->dims[a->n_dims++] = v;
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

static orr_status set_dtype(orr_array *a, const char *descr)
{
    static const struct {
        const char *name;
        orr_elem elem;
        size_t bytes;
    } known[] = { { "f2", ORR_ELEM_F2, 2 }, { "f4", ORR_ELEM_F4, 4 }, { "f8", ORR_ELEM_F8, 8 },
                  { "i1", ORR_ELEM_I1, 1 }, { "i2", ORR_ELEM_I2, 2 }, { "i4", ORR_ELEM_I4, 4 },
                  { "i8", ORR_ELEM_I8, 8 }, { "u1", ORR_ELEM_U1, 1 }, { "u2", ORR_ELEM_U2, 2 },
                  { "u4", ORR_ELEM_U4, 4 }, { "u8", ORR_ELEM_U8, 8 }, { "b1", ORR_ELEM_U1, 1 } };
    const char *d = descr;

    if (*d == '<' || *d == '>' || *d == '|' || *d == '=') {
        a->swap = *d == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '>' : '<');
        d++;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(d, known[i].name)) {
            a->elem = known[i].elem;
            a->elem_bytes = known[i].bytes;
            if (a->elem_bytes == 1) a->swap = 0;
            return ORR_OK;
        }
    if (*d == 'S' && strlen(d) <= 5 && strspn(d + 1, "0123456789") == strlen(d + 1) &&
        strtol(d + 1, NULL, 10) > 0) {
        a->elem = ORR_ELEM_TEXT;
        a->elem_bytes = (size_t)strtol(d + 1, NULL, 10);
        a->swap = 0;
        return ORR_OK;
    }
    return orr_fail(
        ORR_ERR_UNSUPPORTED,
        "%s: dtype \"%s\" is %s; save the array with a plain number type such as float32", a->what,
        descr, kind_of(*d));
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
            if (s->p < s->end && *s->p == '[')
                return orr_fail(ORR_ERR_UNSUPPORTED,
                                "%s: a structured array (records with named fields); "
                                "save the fields as plain arrays",
                                s->what);
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

static orr_status read_header(orr_array *a)
{
    const unsigned char *b = (const unsigned char *)a->bytes.p;
    size_t n = a->bytes.n, start = MAGIC_BYTES + 4, length;
    parser s = { .what = a->what };
    char descr[DESCR_MAX];
    int fortran = 0;

    if (n < MAGIC_BYTES || memcmp(b, MAGIC, MAGIC_BYTES) != 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: not an npy file (it does not begin with \\x93NUMPY)",
                        a->what);
    if (n < start + 2) return orr_fail(ORR_ERR_FORMAT, "%s: truncated within the header", a->what);
    if (b[6] < 1 || b[6] > 3 || b[7] != 0)
        return orr_fail(ORR_ERR_UNSUPPORTED, "%s: npy version %d.%d; 1.0, 2.0 and 3.0 are read",
                        a->what, b[6], b[7]);
    length = b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) {
        length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
        start += 2;
    }
    if (n - start < length)
        return orr_fail(ORR_ERR_FORMAT, "%s: truncated within the header", a->what);
    s.p = a->bytes.p + start;
    s.end = s.p + length;
    ORR_TRY(read_dict(&s, a, descr, &fortran));
    ORR_TRY(set_dtype(a, descr));
    a->data = s.end;
    return orr_array_layout(a, fortran, n - start - length);
}

orr_status orr_npy_open(orr_array *a, const char *path)
{
    return orr_array_open_file(a, path, read_header);
}

orr_status orr_npz_open(orr_array *a, const char *path, const char *name)
{
    char member[MEMBER_MAX];
    orr_status st;

    *a = (orr_array){ 0 };
    if ((size_t)snprintf(member, sizeof member, "%s.npy", name) >= sizeof member)
        return orr_fail(ORR_ERR_OPTION, "%s: the array name \"%.60s...\" is too long", path, name);
    ORR_TRY_GOTO(st, done, orr_array_name(a, path, name));
    ORR_TRY_GOTO(st, done, orr_bytes_member(&a->bytes, path, member));
    ORR_TRY_GOTO(st, done, read_header(a));
done:
    if (st != ORR_OK) orr_array_close(a);
    return st;
}

const char *orr_npz_find(const char *path, const char *const *names)
{
    char member[MEMBER_MAX];

    for (; *names; names++) {
        snprintf(member, sizeof member, "%s.npy", *names);
        if (orr_bytes_has_member(path, member)) return *names;
    }
    return NULL;
}
