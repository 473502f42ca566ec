/* data/formats/text_value.c - the meaning of texts. */
#include "data/formats/text_value.h"
#include "data/formats/number.h"
#include "data/shard.h"

#include <math.h>
#include <string.h>
#include <strings.h>

int orr_text_is_null(const char *p, size_t n)
{
    return n == 0 || (n == 4 && strncasecmp(p, "null", 4) == 0) ||
           (n == 3 && strncasecmp(p, "nan", 3) == 0);
}

int orr_text_real(const char *p, size_t n, double *out)
{
    if (!orr_text_is_null(p, n)) return orr_number_parse(p, p + n, out);
    *out = NAN;
    return 1;
}

/* ---- whole numbers ---- */

static size_t count_digits(const char *p, size_t n)
{
    size_t i = 0;

    while (i < n && p[i] >= '0' && p[i] <= '9')
        i++;
    return i;
}

/* What is left behind the digits of a text that is no integer. */
static const char *not_whole(const char *p, size_t n, size_t digits)
{
    size_t dot = n > 0 && *p == '.', part = count_digits(p + dot, n - dot);
    const char *e = p + dot + part;

    if (digits + part > 0 && n > dot + part && (*e == 'e' || *e == 'E'))
        return "has an exponent: it was rounded when the table was exported; export it again as an "
               "integer or a text";
    return "is not a whole number";
}

const char *orr_integer_parse(const char *p, size_t n, int64_t *out)
{
    static const int64_t exact = (int64_t)1 << 53;
    int sign = n > 0 && (*p == '-' || *p == '+'), minus = n > 0 && *p == '-';
    size_t digits, zeros;
    int64_t v = 0;

    if (orr_text_is_null(p, n)) return n ? "is null" : "is empty";
    p += sign;
    n -= (size_t)sign;
    digits = count_digits(p, n);
    if (digits == 0) return not_whole(p, n, 0);
    for (size_t i = 0; i < digits; i++) /* counted downwards, where there is one more */
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, p[i] - '0', &v))
            return "does not fit into 64 bits";
    if (!minus && v == INT64_MIN) return "does not fit into 64 bits";
    *out = minus ? v : -v;
    if (digits == n) return NULL;
    for (zeros = digits + 1; zeros < n && p[zeros] == '0'; zeros++) {
    }
    if (p[digits] != '.' || zeros < n) return not_whole(p + digits, n - digits, digits);
    return v > -exact ? NULL
                      : "is too long for a number with a point, and may have been rounded; export "
                        "it again as an integer or a text";
}

/* ---- ids ---- */

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

/* "1.2e+18", "1E18" with a point or a sign in it, as programs print floats ("123e4567" is a text).
 * Below 2^53 no digit was lost. */
static int is_rounded(const char *p, size_t n)
{
    const char *e = memchr(p, 'e', n);
    double v;

    if (!e) e = memchr(p, 'E', n);
    if (!e || (!memchr(p, '.', n) && !memchr(e, '+', n - (size_t)(e - p)))) return 0;
    return orr_number_parse(p, p + n, &v) && fabs(v) >= 9007199254740992.0;
}

const char *orr_id_fault(const char *p, size_t n)
{
    if (n == 0) return "is empty";
    if (orr_text_is_null(p, n)) return "is null";
    if (n > ORR_ID_TEXT_MAX) return "is longer than 64 bytes";
    if (memchr(p, '\0', n)) return "has a zero byte in it";
    if (is_rounded(p, n))
        return "has an exponent: ids were rounded when the table was exported, and different "
               "objects share one; export them again as integers or texts";
    return NULL;
}
