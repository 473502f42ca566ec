/* jobs/model/h5_parts.h - the parts that checkpoints and model files are made of: arrays and texts as
 * datasets, read and written whole, with a running sha256 over all that goes through, so that a
 * damaged file is known.  A file is made in memory and copied to the disk at its end: HDF5 cannot
 * take back a write that the disk refuses (it leaves the file half-closed and the process falls
 * over it), our own copy can.   Not collective. */
#ifndef ORR_JOBS_MODEL_H5_PARTS_H
#define ORR_JOBS_MODEL_H5_PARTS_H

#include "core/file.h"
#include "core/text.h"
#include "data/hdf5_util.h"
#include "jobs/context/context.h"

/* Access list for a file that all ranks of the context write together; to H5Pclose. */
hid_t orr_h5_access(const orr_context *context);

/* A dataset in a file. */
typedef struct orr_h5_extent {
    uint64_t offset, bytes;
} orr_h5_extent;

typedef struct orr_h5_file {
    hid_t id;
    int in_memory; /* else it lies on the disk */
    orr_h5_memory memory;
    const char *path;  /* the file's name in messages; borrowed */
    orr_sha256 *sum;   /* over names and contents, in the order of the calls */
    orr_text names;    /* of the datasets written, each with its NUL: what is read back */
    orr_text extents;  /* an orr_h5_extent of each */
    orr_text laid_out; /* names of those that others fill */
    orr_h5_quiet quiet;
    char tmp[ORR_PATH_MAX];
} orr_h5_file;

/* Begins path, with attributes format and version; on the disk it is path + ".tmp" until it has its
 * name. */
orr_status orr_h5_begin(orr_h5_file *f, const char *path, const char *format);
/* The same for a file of about `bytes`, in a block that an earlier image leaves (taken over; NULL:
 * none). */
orr_status orr_h5_begin_large(orr_h5_file *f, const char *path, const char *format, size_t bytes,
                              orr_h5_memory *block);
orr_status orr_h5_put_array(orr_h5_file *f, const char *name, hid_t type, size_t element_bytes,
                            int n_dims, const hsize_t *dims, const void *data);
orr_status orr_h5_put_string(orr_h5_file *f, const char *name, const char *text);
/* A dataset that others fill while the file is paused: laid out now, its room taken. */
orr_status orr_h5_lay_out(orr_h5_file *f, const char *name, hid_t type, int n_dims,
                          const hsize_t *dims);
/* Puts f->tmp on the disk and closes it for a while; then opens it again and takes what was laid out into the sum, as it
 * lies on disk. */
orr_status orr_h5_pause(orr_h5_file *f);
orr_status orr_h5_go_on(orr_h5_file *f);
/* Ends a file that was never paused and keeps its bytes instead of writing them: *image is the
 * caller's to orr_h5_image_free, also after a failure; f is freed either way. */
typedef struct orr_h5_image {
    orr_h5_memory memory;
    orr_text names, extents;
    char sum[ORR_SHA256_HEX];
    orr_sha256 *check; /* begun; NULL once the sum was found again */
} orr_h5_image;
orr_status orr_h5_take(orr_h5_file *f, orr_status so_far, orr_h5_image *image);
/* Gives an image the name path: .tmp, every byte read back and compared, the datasets' sum taken
 * again, synced, renamed; on failure the .tmp is gone and what was under path before still is.
 * Calls no HDF5 and allocates nothing, so it may be a thread's beside training steps. */
orr_status orr_h5_image_write(orr_h5_image *image, const char *path);
void orr_h5_image_free(orr_h5_image *image);
/* Writes attribute sha256, closes, reads every dataset back and compares, syncs, renames.  Frees
 * everything either way; on failure the .tmp is gone and what was under path before still is. */
orr_status orr_h5_commit(orr_h5_file *f, orr_status so_far);

/* Opens for reading; ORR_ERR_FORMAT unless attribute format says `format`. */
orr_status orr_h5_load_begin(orr_h5_file *f, const char *path, const char *format);
/* Reads a dataset of exactly `count` elements. */
orr_status orr_h5_get_array(orr_h5_file *f, const char *name, hid_t type, size_t element_bytes,
                            size_t count, void *data);
orr_status orr_h5_get_string(orr_h5_file *f, const char *name,
                             char **out); /* *out is the caller's to orr_free */
/* Elements of a dataset; -1 when there is none of that name. */
int64_t orr_h5_count(orr_h5_file *f, const char *name);
/* With check: ORR_ERR_FORMAT when the sha256 of what was read (all of it, in writing order) is not
 * the file's. */
orr_status orr_h5_load_end(orr_h5_file *f, orr_status so_far, int check);

#endif
