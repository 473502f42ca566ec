/* data/storage/hdf5_access.h - HDF5 as the files here want it: quiet, deterministic, one sentence
 * for each failure.
 *
 * Files are made with fixed format bounds (1.8 .. 1.10), no object times and no file locks, so that
 * the same content gives the same bytes.  HDF5 calls come from one thread at a time; MPI may be
 * initialised or not.
 * Private to this folder, and to data/formats' reader of files that other programs wrote.
 * Not collective. */
#ifndef ORR_DATA_STORAGE_HDF5_ACCESS_H
#define ORR_DATA_STORAGE_HDF5_ACCESS_H

#include "data/storage/shared_file.h"
#include "data/storage/storage.h"

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* HDF5 prints its error stack unless told otherwise, each thread anew, and does things at the end
 * of the process: first in every function that others call. */
void orr_h5_silence(void);

/* orr_fail with HDF5's own innermost reason after the text.  Call it right after the call that
 * failed. */
#define orr_h5_fail(code, ...) orr_h5_fail_at(__FILE__, __LINE__, (code), __VA_ARGS__)
orr_status orr_h5_fail_at(const char *file, int line, orr_status code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A new file (truncates what is there).  The caller closes *out with H5Fclose. */
orr_status orr_h5_create(hid_t *out, const char *path);
/* An existing file for reading, by a driver that reads within it and nowhere else.  On failure
 * nothing is held; closing copes with that, and with one that is closed. */
typedef struct orr_h5_file {
    hid_t id, driver; /* 0 = none */
} orr_h5_file;
orr_status orr_h5_open(orr_h5_file *f, const char *path);
void orr_h5_close(orr_h5_file *f);
/* A list of access to datasets that does not follow external links, to close with H5Pclose.
 * refused[ORR_H5_LINK_MAX] (NULL: nobody asks) gets where the last one that was not followed leads,
 * "" before there is one, and must stay where it is until then. */
enum { ORR_H5_LINK_MAX = 256 };
hid_t orr_h5_within(char *refused);
/* A new file in memory, and closing it: then m->data holds the bytes that orr_h5_create would have
 * left on the disk, the caller's to orr_free.  m stays where it is until then; name is for
 * messages.  A file that is given up is closed with H5Fclose, and m->data freed all the same.
 * m may come with a block to use again (data, room), and says in `least` how much room to take at
 * once, so that a large file is not copied as it grows. */
typedef struct orr_h5_memory {
    void *data;
    size_t bytes, room, least;
    size_t held; /* of the block, by the driver: what lies behind is older */
} orr_h5_memory;
orr_status orr_h5_create_in_memory(hid_t *out, const char *name, orr_h5_memory *m);
orr_status orr_h5_close_in_memory(hid_t file, const char *name, orr_h5_memory *m);
/* How many of a dataset's pieces (chunks; a contiguous one is one piece) were never written, so
 * that HDF5 answers with a fill value.  0 of a virtual dataset and of one whose bytes lie in other
 * files; -1 when the file cannot tell. */
int64_t orr_h5_unwritten(hid_t set, int64_t *pieces);
/* Where the bytes of a contiguous dataset lie in its file. */
orr_status orr_h5_place(hid_t loc, const char *name, uint64_t *offset);
/* An existing file for writing, by one process (ranks NULL) or by all of them together.  *transfer:
 * list for H5Dwrite, collective if the file is; the caller closes both, after a failure, too,
 * unless they are negative. */
orr_status orr_h5_open_write(hid_t *out, hid_t *transfer, const char *path,
                             const orr_store_ranks *ranks);

/* A new dataset without times, with early allocation and no fill: contiguous unless dcpl (borrowed)
 * says otherwise. */
orr_status orr_h5_dataset(hid_t *out, hid_t loc, const char *name, hid_t type, int rank,
                          const hsize_t *dims, hid_t dcpl);
/* Dataset creation and one write of all of it, for small columns. */
orr_status orr_h5_write_column(hid_t loc, const char *name, hid_t type, int rank,
                               const hsize_t *dims, const void *data);

/* Types to close with H5Tclose: IEEE half; any of ours (negative: there is none such); and what one
 * of HDF5's is among ours. */
hid_t orr_h5_half_type(void);
hid_t orr_h5_type(orr_store_type type);
orr_store_type orr_h5_type_of(hid_t type);
/* An array's axes as HDF5 wants them. */
void orr_h5_dims(hsize_t dims[ORR_STORE_DIMS], const orr_store_array *a);

/* Attributes of loc.  Strings are stored with fixed length (at least 1). */
orr_status orr_h5_put_int(hid_t loc, const char *name, int64_t value);
orr_status orr_h5_put_text(hid_t loc, const char *name, const char *text);
/* n strings, `stride` bytes apart. */
orr_status orr_h5_put_texts(hid_t loc, const char *name, const char *first, size_t stride, int n);

/* Reading: path names the file in messages. */
int orr_h5_has(hid_t loc, const char *name);
orr_status orr_h5_get_int(hid_t loc, const char *path, const char *name, int64_t *value);
orr_status orr_h5_get_text(hid_t loc, const char *path, const char *name, char *buf, size_t bytes);
/* The same for any length; *out is the caller's to orr_free. */
orr_status orr_h5_dup_text(hid_t loc, const char *path, const char *name, char **out);
/* At most n strings into slots of `stride` bytes; fails when there are not exactly n. */
orr_status orr_h5_get_texts(hid_t loc, const char *path, const char *name, char *first,
                            size_t stride, int n);

#ifdef __cplusplus
}
#endif
#endif
