/* data/formats/array.c - elements and layout of arrays. */
#include "data/formats/array.h"
#include "core/memory.h"
#include "data/half.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

orr_status orr_array_name(orr_array *a, const char *path, const char *name)
{
    size_t n = strlen(path) + (name ? strlen(name) : 0) + 3;

    if (!(a->what = orr_alloc(n, 1))) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    snprintf(a->what, n, "%s%s%s", path, name ? ": " : "", name ? name : "");
    return ORR_OK;
}

void orr_array_close(orr_array *a)
{
    if (a->ops) a->ops->close(a);
    orr_bytes_close(&a->bytes);
    orr_free(a->owned);
    orr_free(a->what);
    *a = (orr_array){ 0 };
}

orr_status orr_array_layout(orr_array *a, int fortran, size_t n_bytes)
{
    int64_t n = 1;
    size_t bytes;

    if (a->n_dims < 1)
        return orr_fail(ORR_ERR_SHAPE, "%s: a single value, not an array with rows", a->what);
    for (int i = 0; i < a->n_dims; i++) {
        int k = fortran ? i : a->n_dims - 1 - i;

        a->strides[k] = n;
        if (a->dims[k] < 0 || __builtin_mul_overflow(n, a->dims[k], &n))
            return orr_fail(ORR_ERR_FORMAT, "%s: the header gives an impossible size", a->what);
    }
    if (__builtin_mul_overflow((size_t)n, a->elem_bytes, &bytes))
        return orr_fail(ORR_ERR_FORMAT, "%s: the header gives an impossible size", a->what);
    if (n == 0) return orr_fail(ORR_ERR_FORMAT, "%s: the array is empty", a->what);
    if (bytes > n_bytes)
        return orr_fail(
            ORR_ERR_FORMAT,
            "%s: truncated: %zu bytes of data, the header asks for %zu; fetch the file again",
            a->what, n_bytes, bytes);
    if (bytes < n_bytes)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: %zu bytes stand after the %zu that the header asks for", a->what,
                        n_bytes - bytes, bytes);
    return ORR_OK;
}

int64_t orr_array_row_values(const orr_array *a)
{
    int64_t n = 1;

    for (int i = 1; i < a->n_dims; i++)
        n *= a->dims[i];
    return n;
}

orr_status orr_array_load(orr_array *a)
{
    size_t bytes;

    if (a->data) return ORR_OK;
    bytes = (size_t)a->dims[0] * (size_t)orr_array_row_values(a) * a->elem_bytes;
    if (!(a->owned = orr_alloc(bytes, 1)))
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: %zu bytes", a->what, bytes);
    ORR_TRY(a->ops->read(a, 0, a->dims[0], a->owned));
    a->data = a->owned;
    return ORR_OK;
}

/* One loop for each element type; the inner copy is what the compiler turns into a plain (swapped)
 * load. */
#define LOADER(name, bits, type, swapped)                                                          \
    static void load_##name(double *dst, const char *p, size_t n, size_t step, int swap)           \
    {                                                                                              \
        for (size_t i = 0; i < n; i++, p += step) {                                                \
            bits b;                                                                                \
            type v;                                                                                \
            memcpy(&b, p, sizeof b);                                                               \
            if (swap) b = swapped(b);                                                              \
            memcpy(&v, &b, sizeof v);                                                              \
            dst[i] = (double)v;                                                                    \
        }                                                                                          \
    }
#define SAME(b) (b)
LOADER(f4, uint32_t, float, __builtin_bswap32)
LOADER(f8, uint64_t, double, __builtin_bswap64)
LOADER(i1, uint8_t, int8_t, SAME)
LOADER(i2, uint16_t, int16_t, __builtin_bswap16)
LOADER(i4, uint32_t, int32_t, __builtin_bswap32)
LOADER(i8, uint64_t, int64_t, __builtin_bswap64)
LOADER(u1, uint8_t, uint8_t, SAME)
LOADER(u2, uint16_t, uint16_t, __builtin_bswap16)
LOADER(u4, uint32_t, uint32_t, __builtin_bswap32)
LOADER(u8, uint64_t, uint64_t, __builtin_bswap64)
#undef LOADER
#undef SAME

static void load_f2(double *dst, const char *p, size_t n, size_t step, int swap)
{
    for (size_t i = 0; i < n; i++, p += step) {
        uint16_t b;
        float f;

        memcpy(&b, p, sizeof b);
        if (swap) b = __builtin_bswap16(b);
        orr_half_to_float(&f, &b, 1);
        dst[i] = f;
    }
}

void orr_elem_read(double *dst, orr_elem elem, int swap, const char *p, size_t n, size_t step)
{
    static void (*const loaders[])(double *, const char *, size_t, size_t, int) = {
        [ORR_ELEM_F2] = load_f2, [ORR_ELEM_F4] = load_f4, [ORR_ELEM_F8] = load_f8,
        [ORR_ELEM_I1] = load_i1, [ORR_ELEM_I2] = load_i2, [ORR_ELEM_I4] = load_i4,
        [ORR_ELEM_I8] = load_i8, [ORR_ELEM_U1] = load_u1, [ORR_ELEM_U2] = load_u2,
        [ORR_ELEM_U4] = load_u4, [ORR_ELEM_U8] = load_u8,
    };

    loaders[elem](dst, p, n, step, swap);
}

void orr_elem_load(double *dst, const orr_array *a, const char *p, size_t n, int64_t stride)
{
    orr_elem_read(dst, a->elem, a->swap, p, n, (size_t)stride * a->elem_bytes);
}

static const char *element(const orr_array *a, int64_t row, int64_t flat)
{
    int64_t at = row * a->strides[0];

    for (int i = a->n_dims - 1; i > 0; i--) {
        at += flat % a->dims[i] * a->strides[i];
        flat /= a->dims[i];
    }
    return a->data + (size_t)at * a->elem_bytes;
}

void orr_array_mark_nulls(const orr_array *a, double *v, size_t n)
{
    for (int k = 0; k < a->n_nulls; k++)
        for (size_t i = 0; i < n; i++)
            if (v[i] == a->nulls[k]) v[i] = NAN;
}

double orr_array_number(const orr_array *a, int64_t row, int64_t flat)
{
    double v;

    orr_elem_load(&v, a, element(a, row, flat), 1, 1);
    orr_array_mark_nulls(a, &v, 1);
    return v;
}

int orr_array_integer(const orr_array *a, int64_t row, int64_t *out)
{
    const char *p = element(a, row, 0);
    uint64_t b;
    double v;

    if (a->elem < ORR_ELEM_I1 || a->elem > ORR_ELEM_U8) return 0;
    if (a->elem != ORR_ELEM_I8 && a->elem != ORR_ELEM_U8) { /* exact as a double */
        orr_elem_load(&v, a, p, 1, 1);
        *out = (int64_t)v;
        return 1;
    }
    memcpy(&b, p, sizeof b);
    if (a->swap) b = __builtin_bswap64(b);
    memcpy(out, &b, sizeof *out);
    return a->elem == ORR_ELEM_I8 || *out >= 0;
}

orr_status orr_array_open_file(orr_array *a, const char *path, const orr_trust *trust,
                               orr_status (*read_header)(orr_array *a))
{
    orr_status st;

    *a = (orr_array){ 0 };
    ORR_TRY_GOTO(st, done, orr_array_name(a, path, NULL));
    ORR_TRY_GOTO(st, done, orr_bytes_open(&a->bytes, path, trust));
    ORR_TRY_GOTO(st, done, read_header(a));
done:
    if (st != ORR_OK) orr_array_close(a);
    return st;
}
