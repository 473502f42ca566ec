// data/readers/number.cc - fast_float and std::to_chars behind C names.
#include "data/readers/number.h"

#include <charconv>
#include <fast_float/fast_float.h>

namespace
{
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
