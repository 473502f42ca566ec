/* data/formats/array.h - an n-dimensional array in a file, whatever wrote it; its first axis counts
 * rows. npy, npz and idx arrays are in memory (mapped or unpacked); hdf5 datasets are read by row
 * ranges, except small ones that were loaded.   Not collective; read only after opening, from any
 * thread (hdf5: one thread of the process at a time). */
#ifndef ORR_DATA_FORMATS_ARRAY_H
#define ORR_DATA_FORMATS_ARRAY_H

#include "core/status.h"
#include "data/formats/bytes.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_ARRAY_DIMS = 8 };

typedef enum {
    ORR_ELEM_F2,
    ORR_ELEM_F4,
    ORR_ELEM_F8,
    ORR_ELEM_I1,
    ORR_ELEM_I2,
    ORR_ELEM_I4,
    ORR_ELEM_I8,
    ORR_ELEM_U1,
    ORR_ELEM_U2,
    ORR_ELEM_U4,
    ORR_ELEM_U8,  /* bool is U1 */
    ORR_ELEM_TEXT /* fixed length, zero padded: ids only */
} orr_elem;

typedef struct orr_array {
    char *what; /* for messages: "koi.npz: X" */
    orr_elem elem;
    size_t elem_bytes;
    int swap; /* bytes in the other order than this machine's */
    int n_dims;
    int64_t dims[ORR_ARRAY_DIMS];
    int64_t strides[ORR_ARRAY_DIMS];      /* in elements: C order or Fortran's */
    const char *data;                     /* first element; NULL: an hdf5 dataset */
    orr_bytes bytes;                      /* what data points into, */
    void *owned;                          /* or this */
    int64_t h5_file, h5_dataset, h5_type; /* 0 = none */
    int64_t h5_chunk_rows;                /* 1 when contiguous */
} orr_array;

/* A whole file in memory, whose header read_header understands; closed again when it does not. */
orr_status orr_array_open_file(orr_array *a, const char *path,
                               orr_status (*read_header)(orr_array *a));
void orr_array_close(orr_array *a);

/* A whole .npy file, member `name` (without .npy) of an .npz, an idx file, a dataset of an hdf5
 * file.  On failure nothing is held.  Errors: ORR_ERR_IO, ORR_ERR_FORMAT (magic, header, length
 * that does not fit), ORR_ERR_UNSUPPORTED (dtype, by name). */
orr_status orr_npy_open(orr_array *a, const char *path);
orr_status orr_npz_open(orr_array *a, const char *path, const char *name);
orr_status orr_idx_open(orr_array *a, const char *path);
orr_status orr_hdf5_open(orr_array *a, const char *path, const char *dataset);

/* Which of n names (NULL-ended list) the file has an array for; NULL when none. */
const char *orr_npz_find(const char *path, const char *const *names);
const char *orr_hdf5_find(const char *path, const char *const *names);

/* For the formats: sets what and, once elem, elem_bytes, dims are known, the strides; checks that
 * n_bytes of data are what the dims say. */
orr_status orr_array_name(orr_array *a, const char *path, const char *name);
orr_status orr_array_layout(orr_array *a, int fortran, size_t n_bytes);

/* Brings an hdf5 dataset into memory (labels, ids). */
orr_status orr_array_load(orr_array *a);
/* Rows [first, first + n) of an hdf5 dataset, C order, into buf. */
orr_status orr_hdf5_read(const orr_array *a, int64_t first, int64_t n, void *buf);

/* Values of an array in memory.  flat: index within the row, C order. */
double orr_array_number(const orr_array *a, int64_t row, int64_t flat);
/* 0 when it does not fit (uint64 beyond int64) or is not of an integer type. */
int orr_array_integer(const orr_array *a, int64_t row, int64_t *out);
/* n values from p, `stride` elements apart, as doubles. */
void orr_elem_load(double *dst, const orr_array *a, const char *p, size_t n, int64_t stride);
/* The same for n values of one type, `step` bytes apart. */
void orr_elem_read(double *dst, orr_elem elem, int swap, const char *p, size_t n, size_t step);
/* Values in one row. */
int64_t orr_array_row_values(const orr_array *a);

#ifdef __cplusplus
}
#endif
#endif
