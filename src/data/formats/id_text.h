/* data/formats/id_text.h - which texts are integer ids: those an int64 prints as.  "007" and "+7"
 * are texts, so that no two different ids of a file become one.   Not collective. */
#ifndef ORR_DATA_FORMATS_ID_TEXT_H
#define ORR_DATA_FORMATS_ID_TEXT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline int orr_id_integer(const char *p, size_t n, int64_t *out)
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

#ifdef __cplusplus
}
#endif
#endif
