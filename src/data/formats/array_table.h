/* data/formats/array_table.h - arrays of samples, labels and ids as one table: what opening leaves
 * to reading. Not collective. */
#ifndef ORR_DATA_FORMATS_ARRAY_TABLE_H
#define ORR_DATA_FORMATS_ARRAY_TABLE_H

#include "data/formats/array.h"
#include "data/formats/table_private.h"

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Arrays of several files, one after the other along the rows. */
typedef struct {
    orr_array *arrays;
    int n;
    int64_t rows;
} orr_array_column;

typedef struct {
    orr_table base;
    orr_array_column x, y, id, aux;
    int n_axes;               /* of a sample, in the file */
    int axis[ORR_ARRAY_DIMS]; /* stored axis i is the file's axis axis[i], 1 = first after the rows
                               */
    pthread_mutex_t hdf5;     /* the library is not safe for threads */
    int has_mutex;
} orr_arrays;

orr_status orr_arrays_read(const orr_table *t, int64_t first, int64_t n, orr_rows *rows,
                           int threads);
orr_status orr_arrays_label_range(const orr_table *t, int64_t first, int64_t n, int32_t *max_label,
                                  int *max_id_bytes);

#ifdef __cplusplus
}
#endif
#endif
