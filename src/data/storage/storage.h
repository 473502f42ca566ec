/* data/storage/storage.h - files of named arrays, texts and attributes, as HDF5 and without its
 * types.  Every file that Orrery writes and reads back goes through here: shards, indexes,
 * statistics, models, checkpoints, predictions, stacks.
 *
 * A file is begun, gets its attributes and arrays in the order in which they shall lie in it, and
 * is committed: synced and renamed, so that under its name it is whole or not there at all.  Until
 * then it is path + ".tmp" on the disk, or nothing.  The same calls with the same content give the
 * same bytes, on any day and host: fixed format bounds (1.8 .. 1.10), no times, no locks.
 *
 *   summed files   (orr_store_begin) are made in memory and copied to the disk at their end, since
 *                  HDF5 cannot take back a write that the disk refuses; our own copy can.  They
 *                  have attributes format, orrery (version) and sha256, over names and contents in
 *                  the order of the calls; what lies on the disk is read back and compared before
 *                  it gets its name.
 *   plain files    (orr_store_begin_plain) may be larger than memory: HDF5 lays them out, arrays
 *                  follow by pwrite where it says that they lie, so that a full disk is met by our
 *                  own call.  Their room is taken first.
 *
 * Names may be paths ("weights/dense1.weight") whose groups were put before.  Numbers are
 * little-endian, as this machine's.  Texts are of fixed length, zero padded.
 *
 * Reading believes nothing: an array whose numbers of elements do not fit into the file that it is
 * in, or an attribute longer than the file, is ORR_ERR_FORMAT before memory is asked for.
 *
 * Errors: ORR_ERR_IO (disk full, unwritable, not read back as written), ORR_ERR_FORMAT (not HDF5,
 * truncated, another format, damaged, missing), ORR_ERR_NOMEM; messages name the file.
 * One thread of the process at a time, but for orr_store_image_write.  Not collective. */
#ifndef ORR_DATA_STORAGE_STORAGE_H
#define ORR_DATA_STORAGE_STORAGE_H

#include "core/file.h"
#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what an array is ---- */
typedef enum {
    ORR_STORE_OTHER, /* met in foreign files only: texts of any length, records, ... */
    ORR_STORE_FLOAT, /* IEEE of 2, 4 or 8 bytes */
    ORR_STORE_INT,
    ORR_STORE_UINT,
    ORR_STORE_TEXT /* of fixed length */
} orr_store_kind;

typedef struct orr_store_type {
    orr_store_kind kind;
    size_t bytes; /* of an element */
} orr_store_type;

/* clang-format off */
#define ORR_STORE_F16 ((orr_store_type){ ORR_STORE_FLOAT, 2 })
#define ORR_STORE_F32 ((orr_store_type){ ORR_STORE_FLOAT, 4 })
#define ORR_STORE_F64 ((orr_store_type){ ORR_STORE_FLOAT, 8 })
#define ORR_STORE_U8  ((orr_store_type){ ORR_STORE_UINT, 1 })
#define ORR_STORE_I32 ((orr_store_type){ ORR_STORE_INT, 4 })
#define ORR_STORE_I64 ((orr_store_type){ ORR_STORE_INT, 8 })
#define ORR_STORE_TEXT_OF(n) ((orr_store_type){ ORR_STORE_TEXT, (n) })
/* clang-format on */

enum { ORR_STORE_DIMS = 4 };

/* Type and shape; the first axis counts rows. */
typedef struct orr_store_array {
    orr_store_type type;
    int n_dims; /* 1 .. ORR_STORE_DIMS; reading: 0 = there is no such array */
    int64_t dims[ORR_STORE_DIMS];
} orr_store_array;

static inline orr_store_array orr_store_vector(orr_store_type type, int64_t n)
{
    orr_store_array a = { type, 1, { n, 0, 0, 0 } };
    return a;
}
static inline orr_store_array orr_store_matrix(orr_store_type type, int64_t rows, int64_t columns)
{
    orr_store_array a = { type, 2, { rows, columns, 0, 0 } };
    return a;
}
size_t orr_store_row_bytes(const orr_store_array *a); /* of a row; no overflow is looked for */

/* ---- writing ---- */
typedef struct orr_store_writer orr_store_writer;
typedef struct orr_store_image orr_store_image;

/* Begins a summed file.  *out is NULL after a failure.  Whose .tmp another job is writing is told
 * so (ORR_ERR_EXISTS) when this one would be put on the disk. */
orr_status orr_store_begin(orr_store_writer **out, const char *path, const char *format);
/* The same for a file of about `bytes`, so that it is not copied as it grows, in the memory of an
 * earlier image: *spare is taken over and becomes NULL (spare NULL, or *spare NULL: none). */
orr_status orr_store_begin_large(orr_store_writer **out, const char *path, const char *format,
                                 size_t bytes, orr_store_image **spare);
/* Begins a plain file of at most `room` bytes, for which there must be room on the disk and in the
 * limits of this process. */
orr_status orr_store_begin_plain(orr_store_writer **out, const char *path, size_t room);
const char *orr_store_writer_path(const orr_store_writer *w);

/* Attributes of the whole file.  Texts are `stride` bytes apart. */
orr_status orr_store_set_int(orr_store_writer *w, const char *name, int64_t value);
orr_status orr_store_set_text(orr_store_writer *w, const char *name, const char *text);
orr_status orr_store_set_texts(orr_store_writer *w, const char *name, const char *first,
                               size_t stride, int n);
orr_status orr_store_put_group(orr_store_writer *w, const char *name);
/* data: all of it, C order.  A plain file borrows it until the commit. */
orr_status orr_store_put(orr_store_writer *w, const char *name, orr_store_array a,
                         const void *data);
/* Plain files: in chunks of `rows` rows, shuffled and deflated (level 1 to 9); written at once. */
orr_status orr_store_put_packed(orr_store_writer *w, const char *name, orr_store_array a,
                                int64_t rows, int level, const void *data);
/* Plain files: rows that lie in other files beside this one, in arrays of the same name and type,
 * one after another.  files: names, `stride` bytes apart. */
typedef struct orr_store_parts {
    int n;
    const char *files;
    size_t stride;
    const int64_t *rows; /* of each */
} orr_store_parts;
orr_status orr_store_put_virtual(orr_store_writer *w, const char *name, orr_store_array a,
                                 const orr_store_parts *parts);
/* A text of its own, read back by orr_store_get_text. */
orr_status orr_store_put_text(orr_store_writer *w, const char *name, const char *text);
/* An array that others fill while the file is paused (data/storage/shared_file.h). */
orr_status orr_store_lay_out(orr_store_writer *w, const char *name, orr_store_array a);
/* Puts a summed file on the disk and closes it for a while; opens it again and takes what was laid
 * out into the sum, as it lies there. */
orr_status orr_store_pause(orr_store_writer *w);
orr_status orr_store_go_on(orr_store_writer *w);
/* The end of every file: gives it its name, unless so_far is a failure, which is returned again.
 * Frees w (NULL is fine); after a failure the .tmp is gone, and what was under path before still is
 * there. */
orr_status orr_store_commit(orr_store_writer *w, orr_status so_far);
/* Another end of a plain file: the .tmp stays without its name, its room taken, for others to fill
 * and for orr_store_name_tmp.  Frees w (NULL is fine); after a failure the .tmp is gone. */
orr_status orr_store_leave(orr_store_writer *w, orr_status so_far);
/* Gives path + ".tmp" its name, less the room that it does not need (keep), or removes it. */
orr_status orr_store_name_tmp(const char *path, int keep);

/* ---- images: summed files that get their name later, or several ---- */
/* Ends a file that was never paused and keeps its bytes instead of writing them.  Frees w (NULL is
 * fine); *image is the caller's to orr_store_image_free, NULL after a failure. */
orr_status orr_store_take(orr_store_writer *w, orr_status so_far, orr_store_image **image);
/* Gives the image the name path: .tmp, every byte read back and compared, the sum taken again,
 * synced, renamed; on failure the .tmp is gone and what was under path before still is.
 * Calls no HDF5 and allocates nothing, so it may be a thread's beside other work. */
orr_status orr_store_image_write(orr_store_image *image, const char *path);
const void *orr_store_image_bytes(const orr_store_image *image, size_t *bytes);
void orr_store_image_free(orr_store_image *image); /* NULL is fine */

/* ---- reading ---- */
typedef struct orr_store_reader orr_store_reader;

/* ORR_ERR_FORMAT unless attribute format says `format` (NULL: any file).  *out is NULL after a
 * failure.  A process of its own has a first look (core/guard.h), since libhdf5 crashes on some
 * damaged files and finds no end in others. */
orr_status orr_store_open(orr_store_reader **out, const char *path, const char *format);
/* That look alone, at n files in dir whose names stand `stride` bytes apart; and opening one that
 * had it, or that this process has just written. */
orr_status orr_store_check(const char *dir, const char *first, size_t stride, int n);
orr_status orr_store_open_checked(orr_store_reader **out, const char *path, const char *format);
void orr_store_close(orr_store_reader *r); /* NULL is fine */
const char *orr_store_reader_path(const orr_store_reader *r);

/* What array `name` is; n_dims 0 when there is none.  ORR_ERR_FORMAT: of no or more than
 * ORR_STORE_DIMS axes, or larger than its file can be. */
orr_status orr_store_look(orr_store_reader *r, const char *name, orr_store_array *a);
/* Elements of an array; -1 when there is none that can be read. */
int64_t orr_store_count(orr_store_reader *r, const char *name);
/* ORR_ERR_FORMAT unless there is an array of exactly `count` elements. */
orr_status orr_store_expect(orr_store_reader *r, const char *name, size_t count);
/* An array of exactly `count` elements, as `type`, into the sum. */
orr_status orr_store_get(orr_store_reader *r, const char *name, orr_store_type type, size_t count,
                         void *data);
/* The same into memory of its own, asked for only when the array has that many elements: *out is
 * the caller's to orr_free, NULL after a failure. */
orr_status orr_store_dup(orr_store_reader *r, const char *name, orr_store_type type, size_t count,
                         void *out);
/* *out is the caller's to orr_free; into the sum. */
orr_status orr_store_get_text(orr_store_reader *r, const char *name, char **out);
/* Into the sum alone, where there is such an array. */
orr_status orr_store_pass(orr_store_reader *r, const char *name);
/* The end of a summed file of which everything was read, in writing order: ORR_ERR_FORMAT when the
 * sha256 is not the file's. */
orr_status orr_store_verify(orr_store_reader *r);
/* Rows [first, first + n), as a.type; a: what the caller takes a row to be.  Not into the sum.  One
 * array after another: what is unpacked of it is kept until another is read. */
orr_status orr_store_get_rows(orr_store_reader *r, const char *name, const orr_store_array *a,
                              int64_t first, int64_t n, void *data);
/* Where the rows of an array begin in the file when they lie there one after another exactly as in
 * memory, for pread; -1 otherwise (packed, another type). */
int64_t orr_store_place(orr_store_reader *r, const char *name, const orr_store_array *a);

/* Attributes.  ORR_ERR_FORMAT: missing, of another type, too long. */
int orr_store_has(orr_store_reader *r, const char *name);
orr_status orr_store_attr_int(orr_store_reader *r, const char *name, int64_t *value);
orr_status orr_store_attr_text(orr_store_reader *r, const char *name, char *buf, size_t bytes);
/* Exactly n texts into slots of `stride` bytes. */
orr_status orr_store_attr_texts(orr_store_reader *r, const char *name, char *first, size_t stride,
                                int n);
/* Of any length; *out is the caller's to orr_free. */
orr_status orr_store_attr_dup(orr_store_reader *r, const char *name, char **out);

#ifdef __cplusplus
}
#endif
#endif
