/* data/formats/values.c - rounding, checks and row scaling. */
#include "data/formats/values.h"
#include "data/half.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

size_t orr_values_first_nonfinite(const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return i;
    return n;
}

void orr_values_zscore(double *v, size_t n)
{
    double sum = 0, squares = 0, mean, scale;

    for (size_t i = 0; i < n; i++)
        sum += v[i];
    mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (v[i] - mean) * (v[i] - mean);
    scale = sqrt(squares / (double)n);
    if (scale == 0) scale = 1;
    for (size_t i = 0; i < n; i++)
        v[i] = (v[i] - mean) / scale;
}

/* The loop has no exit so that it vectorises; the faulty one, if any, is looked for afterwards. */
static size_t store_f32(float *dst, const double *v, size_t n, int keep_nan)
{
    int bad = 0;

    for (size_t i = 0; i < n; i++) {
        float f = (float)v[i];
        bad |= !(fabsf(f) <= FLT_MAX);
        dst[i] = f;
    }
    if (!bad || keep_nan) return n;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(dst[i])) return i;
    return n;
}

static size_t store_f16(uint16_t *dst, const double *v, size_t n, int keep_nan)
{
    for (size_t i = 0; i < n; i++) {
        float f = (float)v[i];

        orr_float_to_half(&dst[i], &f, 1);
        if ((dst[i] & 0x7c00u) == 0x7c00u && !keep_nan) return i;
    }
    return n;
}

static size_t store_u8(uint8_t *dst, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!(v[i] >= 0 && v[i] <= 255) || v[i] != (double)(uint8_t)v[i]) return i;
        dst[i] = (uint8_t)v[i];
    }
    return n;
}

size_t orr_values_store(void *dst, orr_x_type type, const double *v, size_t n, int keep_nan)
{
    if (type == ORR_X_F32) return store_f32(dst, v, n, keep_nan);
    if (type == ORR_X_F16) return store_f16(dst, v, n, keep_nan);
    return store_u8(dst, v, n);
}

void orr_values_fault(char *buf, size_t bytes, orr_x_type type, double v)
{
    if (type == ORR_X_U8)
        snprintf(buf, bytes, "is %g, not an integer from 0 to 255; set type: float32", v);
    else if (!isfinite(v))
        snprintf(buf, bytes, "is %s; fix the file or set nan: keep",
                 isnan(v) ? "nan" : (v < 0 ? "-inf" : "inf"));
    else
        snprintf(buf, bytes, "is %g, too large for %s", v,
                 type == ORR_X_F16 ? "float16" : "float32");
}
