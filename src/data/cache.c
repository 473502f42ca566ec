/* data/cache.c - all rows of a set in memory, as stored, filled in large reads. */
#include "data/loader.h"

static const size_t READ_BYTES =
    (size_t)64 << 20; /* of one read: large, and a signal is not kept waiting for long */

size_t orr_cache_bytes(const orr_dataset *d)
{
    return (size_t)orr_dataset_rows(d) * orr_schema_x_bytes(orr_dataset_schema(d));
}

orr_status orr_cache_fill(orr_dataset *d, void *base, int part, int n_parts)
{
    const size_t bytes = orr_schema_x_bytes(orr_dataset_schema(d));
    int64_t rows = orr_dataset_rows(d), step = (int64_t)(READ_BYTES / bytes), first, last;

    if (part < 0 || part >= n_parts)
        return orr_fail(ORR_ERR_ARG, "cache: part %d of %d", part, n_parts);
    first = (int64_t)((__int128)rows * part / n_parts);
    last = (int64_t)((__int128)rows * (part + 1) / n_parts);
    if (step < 1) step = 1;
    for (int64_t at = first; at < last; at += step) {
        int64_t n = last - at < step ? last - at : step;
        ORR_TRY(orr_dataset_read_x(d, at, n, (char *)base + (size_t)at * bytes));
    }
    return ORR_OK;
}
