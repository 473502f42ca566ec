// data/formats/number.cc - fast_float and std::to_chars behind C names.
#include "data/formats/number.h"

#include <charconv>
#include <cstdint>
#include <cstring>
#include <fast_float/fast_float.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace
{
#if defined(__SSE2__)
// The value of n <= 8 digits at p, of which 8 bytes can be read: all places at once (three
// multiplications that pair digits, pairs and fours).
inline uint64_t few_digits(const char *p, unsigned n)
{
    uint64_t v;

    std::memcpy(&v, p, sizeof v);
    v = n ? (v - 0x3030303030303030u) << (64 - 8 * n) : 0; // zeros before the digits
    v = v * 10 + (v >> 8);
    return (((v & 0x000000FF000000FFu) * 0x000F424000000064u) +
            (((v >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u)) >>
           32;
}

// Plain decimals such as -1234.56, which is what surveys print: an optional minus, 1 to 8 digits,
// and up to 7 more after a point, then a delimiter or the end of the line within 16 bytes.  Where
// the field ends is known from one comparison, before its value is; so the processor works on
// several fields at a time. An integer below 2^53 over a power of ten up to 10^22 is correctly
// rounded by one division (Clinger 1990): the bits are those of the library, which reads all other
// fields.  Returns the field's length, or -1 when it is not of this kind.
inline int read_short(const char *p, const char *end, char delimiter, double *out)
{
    static const double power[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7 }, sign[] = { 1, -1 };
    static const uint64_t shift[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000 };

    if (end - p <= 32) return -1;
    const __m128i c = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
    const unsigned ends = (unsigned)_mm_movemask_epi8(_mm_or_si128(
        _mm_cmpeq_epi8(c, _mm_set1_epi8(delimiter)), _mm_cmpeq_epi8(c, _mm_set1_epi8('\n'))));
    if (ends == 0) return -1;

    const unsigned length = (unsigned)__builtin_ctz(ends), minus = *p == '-';
    const __m128i above = _mm_add_epi8(c, _mm_set1_epi8(127 - '9')); // digits: 118 to 127
    const unsigned digit =
        (unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(above, _mm_set1_epi8(117))) >> minus;
    const unsigned dot =
        (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(c, _mm_set1_epi8('.'))) >> minus;
    const unsigned whole = (unsigned)__builtin_ctz(~digit), point = (dot >> whole) & 1;
    const unsigned part = length - minus - whole - point; // huge when the field ends before that
    if (whole - 1 > 7 || part > 7 || point != (part > 0) ||
        __builtin_ctz(~(digit >> (whole + point))) < (int)part)
        return -1;

    const char *q = p + minus;
    const uint64_t digits = few_digits(q, whole) * shift[part] + few_digits(q + whole + 1, part);
    // Both signs come as often: a product is quicker than a branch that is guessed wrong half the
    // time.
    *out = (double)(int64_t)digits / power[part] * sign[minus];
    return (int)length;
}
#else
inline int read_short(const char *, const char *, char, double *)
{
    return -1;
}
#endif

// The end of the number at p, p itself when there is none.
inline const char *read_number(const char *p, const char *end, double *out)
{
    auto r = fast_float::from_chars(p, end, *out);

    return r.ec == std::errc::invalid_argument ? p : r.ptr;
}
} // namespace

int orr_number_parse(const char *p, const char *end, double *out)
{
    if (p < end && *p == '+') {
        p++;
        if (p < end && *p == '-') return 0;
    }
    return p < end && read_number(p, end, out) == end;
}

size_t orr_number_fields(orr_cursor *c, char delimiter, double *out, size_t n)
{
    const char *p = c->p, *const end = c->end;
    const bool blanks = delimiter != ' ';
    size_t i = 0;

    while (i < n && !c->ended) {
        const char *start = p, *stop;
        const int length = read_short(p, end, delimiter, &out[i]);

        if (length >= 0) {
            c->ended = p[length] == '\n' && delimiter != '\n';
            p += length + !c->ended;
            i++;
            continue;
        }
        while (blanks && start < end && *start == ' ')
            start++;
        stop = read_number(start, end, &out[i]);
        if (stop == start) break;
        if (stop < end && *stop == delimiter) {
            p = stop + 1;
        } else if (stop == end || *stop == '\n' ||
                   (*stop == '\r' && (stop + 1 == end || stop[1] == '\n'))) {
            p = stop;
            c->ended = 1;
        } else {
            break;
        }
        i++;
    }
    c->p = p;
    return i;
}

size_t orr_number_print_float(char *buf, float v)
{
    return (size_t)(std::to_chars(buf, buf + ORR_NUMBER_TEXT, v).ptr - buf);
}

size_t orr_number_print_double(char *buf, double v)
{
    return (size_t)(std::to_chars(buf, buf + ORR_NUMBER_TEXT, v).ptr - buf);
}
