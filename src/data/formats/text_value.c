/* data/formats/text_value.c - the meaning of texts. */
#include "data/formats/text_value.h"
#include "data/formats/number.h"

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
