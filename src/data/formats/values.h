/* data/formats/values.h - a row of doubles becomes what a shard stores, by way of float32.   Not
 * collective. */
#ifndef ORR_DATA_FORMATS_VALUES_H
#define ORR_DATA_FORMATS_VALUES_H

#include "data/shard.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* n, or the index of the first nan or inf. */
size_t orr_values_first_nonfinite(const double *v, size_t n);
/* v minus its mean over its population deviation, in double; a constant row becomes zeros. */
void orr_values_zscore(double *v, size_t n);
/* Stores v[n] at dst.  Returns n, or the index of the first value that cannot stand: nan or inf
 * (unless keep_nan), or what does not fit the type (a finite value too large; for uint8, anything
 * but the integers 0..255). */
size_t orr_values_store(void *dst, orr_x_type type, const double *v, size_t n, int keep_nan);
/* Why orr_values_store refused v: "is nan; fix the file or set nan: keep", "is 300, not an integer
 * from 0 to 255" ... */
void orr_values_fault(char *buf, size_t bytes, orr_x_type type, double v);

#ifdef __cplusplus
}
#endif
#endif
