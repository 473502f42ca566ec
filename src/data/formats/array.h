/* data/formats/array.h - an n-dimensional array in a file, whatever wrote it; its first axis counts
 * rows.
 *
 * Most arrays are in memory, mapped or unpacked.  One that stays in its file (an hdf5 dataset) has
 * a source, which reads ranges of rows; small ones are brought into memory by orr_array_load.
 * Elements are plain numbers, or texts of fixed length (ids).  Not collective; read only after
 * opening, from any thread (a source: one thread of the process at a time).
 * Errors: ORR_ERR_IO, ORR_ERR_FORMAT (a header or length that does not fit), ORR_ERR_UNSUPPORTED (a
 * type, by name), ORR_ERR_SHAPE (no rows), ORR_ERR_NOMEM. */
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
    ORR_ELEM_TEXT /* fixed length, zero padded, of bytes or of UCS-4: ids only */
} orr_elem;

typedef struct orr_array orr_array;

/* What stands behind an array that stays in its file. */
typedef struct orr_array_ops {
    /* Rows [first, first + n), C order, into buf. */
    orr_status (*read)(const orr_array *a, int64_t first, int64_t n, void *buf);
    void (*close)(orr_array *a); /* frees a->source; copes with a half-opened one */
} orr_array_ops;

struct orr_array {
    char *what; /* for messages: "koi.npz: X" */
    orr_elem elem;
    size_t elem_bytes;
    int swap;        /* bytes in the other order than this machine's */
    int is_ucs4;     /* of a text */
    int bits;        /* of a float: as of orr_field (records.h) */
    double nulls[2]; /* numbers that its file says stand for no value */
    int n_nulls;
    int n_dims;
    int64_t dims[ORR_ARRAY_DIMS];
    int64_t strides[ORR_ARRAY_DIMS]; /* in elements: C order or Fortran's */
    const char *data;                /* first element; NULL: in its file */
    orr_bytes bytes;                 /* what data points into, */
    void *owned;                     /* or this */
    const orr_array_ops *ops;        /* of the source; NULL: none */
    void *source;
    int64_t chunk_rows; /* of the source: rows that are unpacked together; 1 when none are */
};

void orr_array_close(orr_array *a);

/* For the formats.  A whole file in memory, whose header read_header understands; closed again when
 * it does not. */
orr_status orr_array_open_file(orr_array *a, const char *path, const orr_trust *trust,
                               orr_status (*read_header)(orr_array *a));
/* Sets what. */
orr_status orr_array_name(orr_array *a, const char *path, const char *name);
/* Once elem, elem_bytes and dims are known: sets the strides; checks that n_bytes of data are what
 * the dims say. */
orr_status orr_array_layout(orr_array *a, int fortran, size_t n_bytes);

/* Brings an array into memory (labels, ids). */
orr_status orr_array_load(orr_array *a);

/* Values of an array in memory.  flat: index within the row, C order. */
/* Which of v[n], values of a, its file says are none become NaN. */
void orr_array_mark_nulls(const orr_array *a, double *v, size_t n);
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
