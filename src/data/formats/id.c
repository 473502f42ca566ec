/* data/formats/id.c - the rule of an id. */
#include "data/formats/id.h"
#include "data/formats/number.h"
#include "data/formats/text_value.h"

#include <math.h>
#include <string.h>

/* What to do about digits that are gone. */
#define GET_AGAIN                                                                                  \
    "different objects may share one; get them again as integers or texts (pandas: dtype=str; "    \
    "SkyServer: cast(objID as varchar(20)))"

int orr_id_integer(const char *p, size_t n, int64_t *out)
{
    int minus = n > 0 && *p == '-';
    size_t digits = n - (size_t)minus;
    int64_t v = 0;

    p += minus;
    if (digits == 0 || digits > 19 || (*p == '0' && (digits > 1 || minus))) return 0;
    for (size_t i = 0; i < digits; i++) {
        int64_t d = p[i] - '0';

        if (d < 0 || d > 9) return 0;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, d, &v)) return 0;
    }
    if (!minus && v == INT64_MIN) return 0;
    *out = minus ? v : -v; /* counted downwards, where there is one more */
    return 1;
}

/* Why a text that is a float as programs print them, of 2^53 or more, is no id. */
static const char *rounded(const char *p, size_t n)
{
    const char *e = memchr(p, 'e', n), *point = memchr(p, '.', n);
    double v;

    if (!e) e = memchr(p, 'E', n);
    if (!point && !(e && memchr(e, '+', n - (size_t)(e - p)))) return NULL;
    if (!orr_number_parse(p, p + n, &v) || fabs(v) < 0x1p53) return NULL;
    return e ? "has an exponent: ids were rounded when the table was exported, and " GET_AGAIN
             : "has a decimal point: it went through a float, which keeps 15 digits, "
               "and " GET_AGAIN;
}

const char *orr_id_fault(const char *p, size_t n)
{
    if (n == 0) return "is empty";
    if (orr_text_is_null(p, n)) return "is null";
    if (n > ORR_ID_TEXT_MAX) return "is longer than 64 bytes";
    if (memchr(p, '\0', n)) return "has a zero byte in it";
    return rounded(p, n);
}

const char *orr_id_real_fault(double v, int bits)
{
    if (!(fabs(v) < INFINITY)) return "is infinite";
    if (v != floor(v)) return "is a float and not whole; ids are whole numbers or texts";
    if (fabs(v) < ldexp(1, bits)) return NULL;
    return bits > 24 ? "is a float64, which keeps 15 digits: it was rounded, and " GET_AGAIN
                     : "is a float32 or float16, which keep 7 digits and 3: it was rounded, "
                       "and " GET_AGAIN;
}

const char *orr_id_join(char out[ORR_ID_TEXT_MAX + 1], size_t *n, const char *part,
                        size_t part_bytes)
{
    const char *why = orr_id_fault(part, part_bytes);

    if (why) return why;
    if (memchr(part, ORR_ID_JOINT, part_bytes))
        return "has a : in it, which joins the columns of an id";
    if (*n + (*n > 0) + part_bytes > ORR_ID_TEXT_MAX)
        return "makes the id longer than 64 bytes, with the columns before it";
    if (*n > 0) out[(*n)++] = ORR_ID_JOINT;
    memcpy(out + *n, part, part_bytes);
    *n += part_bytes;
    out[*n] = '\0';
    return NULL;
}

/* ---- ids together ---- */

void orr_id_tally_integer(orr_id_tally *t, int64_t v)
{
    static const int64_t exact = (int64_t)1 << 53;

    t->n_minus_one += v == -1;
    if (v > -exact && v < exact) return;
    t->n_long++;
    t->n_zeros += v % 1000 == 0;
}

void orr_id_tally_add(orr_id_tally *t, const char *p, size_t n)
{
    int64_t v;

    if (orr_id_integer(p, n, &v)) {
        orr_id_tally_integer(t, v);
        return;
    }
    if (n < 19) return; /* unsigned, beyond an int64 */
    for (size_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9') return;
    t->n_long++;
    t->n_zeros += memcmp(p + n - 3, "000", 3) == 0;
}

int orr_id_tally_is_rounded(const orr_id_tally *t)
{
    return t->n_zeros >= 3 && 2 * t->n_zeros > t->n_long;
}
