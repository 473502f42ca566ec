/* data/storage/hdf5.c - quiet, deterministic HDF5 with one sentence for each failure. */
#include "data/storage/hdf5_access.h"

#include "core/file.h"
#include "core/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#if H5_VERSION_GE(1, 13, 2)
#include <H5FDdevelop.h>
#endif

/* First of all, the library is told to leave the end of the process alone: it would close what
 * could not be closed once more there, and crash.  What is open by then was given up. */
void orr_h5_silence(void)
{
    (void)H5dont_atexit(); /* counts before the first call that begins to use the library */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

enum { REASON_BYTES = 512 };

/* Keeps the description of the innermost frame, which names the cause.  That of a failed read or
 * write is two lines of times, names and addresses; the system's own words in it are enough. */
static herr_t first_reason(unsigned n, const H5E_error2_t *frame, void *payload)
{
    static const char mark[] = "error message = '";
    char *reason = payload;
    const char *words;

    if (n > 0 || !frame->desc) return 0;
    words = strstr(frame->desc, mark);
    snprintf(reason, REASON_BYTES, "%s", words ? words + strlen(mark) : frame->desc);
    reason[words ? strcspn(reason, "'\n") : strcspn(reason, "\n")] = '\0';
    return 0;
}

orr_status orr_h5_fail_at(const char *file, int line, orr_status code, const char *format, ...)
{
    char text[ORR_ERROR_MAX], reason[REASON_BYTES] = "";
    va_list ap;

    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first_reason, reason);
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return orr_fail_at(file, line, code, "%s%s%s%s", text, reason[0] ? " (HDF5: " : "", reason,
                       reason[0] ? ")" : "");
}

/* Access properties for every file: format bounds that do not follow the library's version, and no
 * locks, which network file systems may lack and which a renamed-when-whole file does not need. */
static hid_t access_list(void)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    if (fapl < 0) return fapl;
    H5Pset_libver_bounds(fapl, H5F_LIBVER_V18, H5F_LIBVER_V110);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(fapl, 0, 1);
#endif
    return fapl;
}

/* Closes fapl. */
static orr_status create(hid_t *out, const char *path, hid_t fapl)
{
    orr_status st = ORR_OK;
    hid_t fcpl = H5Pcreate(H5P_FILE_CREATE);

    *out = -1;
    H5Pset_obj_track_times(fcpl, 0);
    H5Pset_alignment(fapl, 65536, 4096); /* large datasets begin on a page */
    *out = H5Fcreate(path, H5F_ACC_TRUNC, fcpl, fapl);
    if (*out < 0) st = orr_h5_fail(ORR_ERR_IO, "%s: cannot create the file", path);
    H5Pclose(fcpl);
    H5Pclose(fapl);
    return st;
}

orr_status orr_h5_create(hid_t *out, const char *path)
{
    return create(out, path, access_list());
}

/* The core driver's memory is ours: what the caller brought is used first, it grows by more than is
 * asked for, and at the close it is kept instead of freed. */
static void *image_malloc(size_t size, H5FD_file_image_op_t op, void *m)
{
    orr_h5_memory *memory = m;
    void *p = memory->data;

    (void)op;
    memory->data = NULL;
    memory->held = size;
    if (p && size <= memory->room) return p;
    orr_free(p);
    memory->room = size > memory->least ? size : memory->least;
    return orr_alloc(memory->room, 1);
}

static void *image_realloc(void *p, size_t size, H5FD_file_image_op_t op, void *m)
{
    orr_h5_memory *memory = m;
    size_t room = size + size / 2;
    void *grown;

    if (!p) return image_malloc(size, op, m);
    grown = size <= memory->room ? p : orr_realloc(p, memory->room, room, 1);
    if (!grown) return NULL;
    if (grown != p) memory->room = room;
    memory->held = size;
    return grown;
}

static void *image_memcpy(void *to, const void *from, size_t size, H5FD_file_image_op_t op, void *m)
{
    (void)op;
    (void)m;
    return memcpy(to, from, size);
}

static herr_t image_free(void *p, H5FD_file_image_op_t op, void *m)
{
    if (op == H5FD_FILE_IMAGE_OP_FILE_CLOSE)
        ((orr_h5_memory *)m)->data = p;
    else
        orr_free(p);
    return 0;
}

static void *same_memory(void *m)
{
    return m;
}

static herr_t leave_memory(void *m)
{
    (void)m;
    return 0;
}

orr_status orr_h5_create_in_memory(hid_t *out, const char *name, orr_h5_memory *m)
{
    H5FD_file_image_callbacks_t callbacks = {
        image_malloc, image_memcpy, image_realloc, image_free, same_memory, leave_memory, m
    };
    hid_t fapl = access_list();

    m->bytes = m->held = 0;
    H5Pset_fapl_core(fapl, 1 << 20, 0);
    H5Pset_file_image_callbacks(fapl, &callbacks);
    return create(out, name, fapl);
}

/* Where a closed file ends, as its superblock says: the driver's own size is rounded up, or falls
 * short of space that was reserved and never written.  HDF5 File Format Specification 3.0, II.A:
 * version 2 (which access_list asks for), offsets of 8 bytes. */
static orr_status end_of_file(const orr_h5_memory *m, const char *name, size_t *bytes)
{
    enum { VERSION = 8, OFFSET_BYTES = 9, END = 28, LEAST = 48 };
    const unsigned char *p = m->data;
    uint64_t end = 0;

    if (m->room < LEAST || p[VERSION] != 2 || p[OFFSET_BYTES] != 8)
        return orr_fail(ORR_ERR_INTERNAL, "%s: this HDF5 library writes another superblock", name);
    for (int i = 7; i >= 0; i--)
        end = end << 8 | p[END + i];
    if (end > SIZE_MAX / 2)
        return orr_fail(ORR_ERR_NOMEM, "%s: %llu bytes do not fit into memory", name,
                        (unsigned long long)end);
    *bytes = (size_t)end;
    return ORR_OK;
}

/* Makes the block hold all of the file: on a disk there are zeros where nothing was written, here
 * there may be what an earlier file left. */
static orr_status complete(orr_h5_memory *m, const char *name)
{
    if (m->bytes > m->room) {
        void *grown = orr_realloc(m->data, m->held, m->bytes, 1);

        if (!grown)
            return orr_fail(ORR_ERR_NOMEM, "out of memory: %s needs %zu bytes", name, m->bytes);
        m->data = grown;
        m->room = m->bytes;
    } else if (m->bytes > m->held) {
        memset((char *)m->data + m->held, 0, m->bytes - m->held);
    }
    return ORR_OK;
}

orr_status orr_h5_close_in_memory(hid_t file, const char *name, orr_h5_memory *m)
{
    if (H5Fclose(file) < 0 || !m->data)
        return orr_h5_fail(ORR_ERR_NOMEM, "%s: its content could not be made in memory", name);
    ORR_TRY(end_of_file(m, name, &m->bytes));
    return complete(m, name);
}

/* Chunks that a dataset of these axes has; -1: too many to count. */
static int64_t chunks_of(hid_t dcpl, int n, const hsize_t *dims)
{
    hsize_t chunk[H5S_MAX_RANK];
    int64_t all = 1;

    if (n < 1 || H5Pget_chunk(dcpl, n, chunk) != n) return -1;
    for (int i = 0; i < n; i++)
        if (chunk[i] == 0 ||
            __builtin_mul_overflow(all, (int64_t)((dims[i] + chunk[i] - 1) / chunk[i]), &all))
            return -1;
    return all;
}

static int64_t written_chunks(hid_t set, hid_t space)
{
    hsize_t n = 0;

#if H5_VERSION_GE(1, 10, 5)
    if (H5Dget_num_chunks(set, space, &n) < 0) return -1;
    return (int64_t)n;
#else
    H5D_space_status_t status;

    (void)n;
    (void)space;
    if (H5Dget_space_status(set, &status) < 0) return -1;
    return status == H5D_SPACE_STATUS_NOT_ALLOCATED ? 0 : INT64_MAX;
#endif
}

int64_t orr_h5_unwritten(hid_t set, int64_t *pieces)
{
    hsize_t dims[H5S_MAX_RANK];
    hid_t space = H5Dget_space(set), dcpl = H5Dget_create_plist(set);
    int n = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);
    hssize_t values = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
    H5D_layout_t layout = dcpl < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(dcpl);
    H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
    int64_t written = -1;

    *pieces = values == 0 ? 0 : 1;
    if (n >= 0 && layout == H5D_CHUNKED) {
        *pieces = values == 0 ? 0 : chunks_of(dcpl, n, dims);
        written = *pieces < 0 ? -1 : written_chunks(set, space);
    } else if (n >= 0 && layout == H5D_CONTIGUOUS && H5Pget_external_count(dcpl) == 0) {
        H5Dget_space_status(set, &status);
        written = status == H5D_SPACE_STATUS_ERROR ? -1 : status != H5D_SPACE_STATUS_NOT_ALLOCATED;
    } else if (n >= 0 && layout != H5D_LAYOUT_ERROR) {
        written = *pieces;
    }
    if (space >= 0) H5Sclose(space);
    if (dcpl >= 0) H5Pclose(dcpl);
    if (written < 0) return -1;
    return *pieces > written ? *pieces - written : 0;
}

orr_status orr_h5_place(hid_t loc, const char *name, uint64_t *offset)
{
    hid_t set = H5Dopen2(loc, name, H5P_DEFAULT);
    haddr_t place = set >= 0 ? H5Dget_offset(set) : HADDR_UNDEF;

    if (set >= 0) H5Dclose(set);
    *offset = place;
    if (place == HADDR_UNDEF)
        return orr_h5_fail(ORR_ERR_INTERNAL, "dataset /%s has no place in its file", name);
    return ORR_OK;
}

/* ---- reading: files are not trusted ---- */

/* A driver that reads within the file and nowhere else.  The library's own ones keep a block of
 * what they read last and copy from it by addresses that a damaged file may have made up; this one
 * asks for no such block, and refuses what lies outside. */
typedef struct {
    H5FD_t base;
    int fd;
    haddr_t eoa, eof;
} bounded;

static H5FD_t *bounded_open(const char *name, unsigned flags, hid_t fapl, haddr_t max)
{
    bounded *b = flags & H5F_ACC_RDWR ? NULL : orr_alloc(1, sizeof *b);
    int64_t bytes;

    (void)fapl;
    (void)max;
    if (!b) {
        (void)orr_fail(ORR_ERR_NOMEM, "%s: out of memory", name); /* for orr_h5_open */
        return NULL;
    }
    if (orr_open_input(&b->fd, &bytes, name) == ORR_OK) {
        b->eof = (haddr_t)bytes;
        return &b->base;
    }
    orr_error_clear();
    orr_free(b);
    return NULL;
}

static herr_t bounded_close(H5FD_t *f)
{
    close(((bounded *)f)->fd);
    orr_free(f);
    return 0;
}

static herr_t bounded_query(const H5FD_t *f, unsigned long *flags)
{
    (void)f;
    *flags = H5FD_FEAT_DATA_SIEVE;
    return 0;
}

static haddr_t bounded_eoa(const H5FD_t *f, H5FD_mem_t type)
{
    (void)type;
    return ((const bounded *)f)->eoa;
}

static herr_t bounded_set_eoa(H5FD_t *f, H5FD_mem_t type, haddr_t at)
{
    (void)type;
    ((bounded *)f)->eoa = at;
    return 0;
}

static haddr_t bounded_eof(const H5FD_t *f, H5FD_mem_t type)
{
    (void)type;
    return ((const bounded *)f)->eof;
}

static herr_t bounded_read(H5FD_t *f, H5FD_mem_t type, hid_t dxpl, haddr_t at, size_t n, void *buf)
{
    const bounded *b = (const bounded *)f;
    char *to = buf;

    (void)type;
    (void)dxpl;
    if (at > b->eof || n > b->eof - at) return -1;
    while (n > 0) {
        ssize_t got = pread(b->fd, to, n, (off_t)at);

        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return -1;
        to += got;
        at += (haddr_t)got;
        n -= (size_t)got;
    }
    return 0;
}

static herr_t bounded_write(H5FD_t *f, H5FD_mem_t type, hid_t dxpl, haddr_t at, size_t n,
                            const void *buf)
{
    (void)f;
    (void)type;
    (void)dxpl;
    (void)at;
    (void)n;
    (void)buf;
    return -1;
}

static const H5FD_class_t bounded_class = {
#if H5_VERSION_GE(1, 13, 2)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)600, /* of those that nobody else has */
#endif
    .name = "orrery_bounded",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .open = bounded_open,
    .close = bounded_close,
    .query = bounded_query,
    .get_eoa = bounded_eoa,
    .set_eoa = bounded_set_eoa,
    .get_eof = bounded_eof,
    .read = bounded_read,
    .write = bounded_write,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/* NOLINTBEGIN(readability-non-const-parameter): as the library declares it */
static herr_t refuse_link(const char *file, const char *group, const char *other_file,
                          const char *object, unsigned *flags, hid_t fapl, void *ctx)
{
    char *refused = ctx;

    (void)file;
    (void)group;
    (void)flags;
    (void)fapl;
    if (refused) snprintf(refused, ORR_H5_LINK_MAX, "%s in %.120s", object, other_file);
    return -1;
}
/* NOLINTEND(readability-non-const-parameter) */

hid_t orr_h5_within(char *refused)
{
    hid_t list = H5Pcreate(H5P_DATASET_ACCESS); /* is one of access to links, too */

    if (refused) refused[0] = '\0';
    if (list >= 0) H5Pset_elink_cb(list, refuse_link, refused);
    return list;
}

void orr_h5_close(orr_h5_file *f)
{
    if (f->id > 0) H5Fclose(f->id);
    if (f->driver > 0) H5FDunregister(f->driver); /* read by the library while it closes the file */
    *f = (orr_h5_file){ 0 };
}

orr_status orr_h5_open(orr_h5_file *f, const char *path)
{
    orr_status st = ORR_ERR_FORMAT;
    hid_t fapl;

    *f = (orr_h5_file){ 0 };
    ORR_TRY(orr_check_input(path)); /* says in plain words what is no file */
    orr_error_clear();
    fapl = H5Pcreate(H5P_FILE_ACCESS);
    f->driver = H5FDregister(&bounded_class);
    if (fapl >= 0 && f->driver >= 0 && H5Pset_driver(fapl, f->driver, NULL) >= 0)
        f->id = H5Fopen(path, H5F_ACC_RDONLY, fapl);
    if (f->id <= 0 && *orr_error_text())
        st = ORR_ERR_NOMEM; /* the driver's own */
    else if (f->id <= 0)
        orr_h5_fail(st, "%s: not an HDF5 file, or a truncated one", path);
    if (fapl >= 0) H5Pclose(fapl);
    if (f->id > 0) return ORR_OK;
    orr_h5_close(f);
    return st;
}

orr_status orr_h5_open_write(hid_t *out, hid_t *transfer, const char *path,
                             const orr_store_ranks *ranks)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    orr_status st = ORR_OK;

    *transfer = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_libver_bounds(fapl, H5F_LIBVER_V18, H5F_LIBVER_V110);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(fapl, 0, 1); /* the writer has a lock of its own on it (core/lock.h) */
#endif
#ifdef H5_HAVE_PARALLEL
    if (ranks) {
        H5Pset_fapl_mpio(fapl, *(const MPI_Comm *)ranks->comm, *(const MPI_Info *)ranks->info);
        H5Pset_dxpl_mpio(*transfer, H5FD_MPIO_COLLECTIVE);
    }
#else
    (void)ranks;
#endif
    *out = H5Fopen(path, H5F_ACC_RDWR, fapl);
    if (*out < 0) st = orr_h5_fail(ORR_ERR_IO, "%s: cannot open the file", path);
    H5Pclose(fapl);
    return st;
}

/* Without times, with early allocation and no fill. */
static hid_t plain_dcpl(void)
{
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_obj_track_times(dcpl, 0);
    H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
    return dcpl;
}

orr_status orr_h5_dataset(hid_t *out, hid_t loc, const char *name, hid_t type, int rank,
                          const hsize_t *dims, hid_t dcpl)
{
    orr_status st = ORR_OK;
    hid_t own = dcpl < 0 ? plain_dcpl() : -1;
    hid_t space = H5Screate_simple(rank, dims, NULL);

    *out = H5Dcreate2(loc, name, type, space, H5P_DEFAULT, dcpl < 0 ? own : dcpl, H5P_DEFAULT);
    if (*out < 0) st = orr_h5_fail(ORR_ERR_IO, "cannot create dataset /%s", name);
    if (space >= 0) H5Sclose(space);
    if (own >= 0) H5Pclose(own);
    return st;
}

orr_status orr_h5_write_column(hid_t loc, const char *name, hid_t type, int rank,
                               const hsize_t *dims, const void *data)
{
    orr_status st;
    hid_t set = -1;

    ORR_TRY(orr_h5_dataset(&set, loc, name, type, rank, dims, -1));
    st = H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0
             ? orr_h5_fail(ORR_ERR_IO, "cannot write dataset /%s", name)
             : ORR_OK;
    H5Dclose(set);
    return st;
}

/* Fixed length, zero padded. */
static hid_t string_type(size_t bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, bytes ? bytes : 1);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    return type;
}

hid_t orr_h5_half_type(void)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);

    H5Tset_fields(type, 15, 10, 5, 0, 10); /* sign, exponent and its bits, fraction and its bits */
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}

hid_t orr_h5_type(orr_store_type type)
{
    const int log = type.bytes == 1   ? 0
                    : type.bytes == 2 ? 1
                    : type.bytes == 4 ? 2
                    : type.bytes == 8 ? 3
                                      : -1;
    const hid_t ints[] = { H5T_STD_I8LE, H5T_STD_I16LE, H5T_STD_I32LE, H5T_STD_I64LE };
    const hid_t uints[] = { H5T_STD_U8LE, H5T_STD_U16LE, H5T_STD_U32LE, H5T_STD_U64LE };

    if (type.kind == ORR_STORE_TEXT) return string_type(type.bytes);
    if (log < 0) return -1;
    if (type.kind == ORR_STORE_INT) return H5Tcopy(ints[log]);
    if (type.kind == ORR_STORE_UINT) return H5Tcopy(uints[log]);
    if (type.kind != ORR_STORE_FLOAT || log == 0) return -1;
    if (log == 1) return orr_h5_half_type();
    return H5Tcopy(log == 2 ? H5T_IEEE_F32LE : H5T_IEEE_F64LE);
}

orr_store_type orr_h5_type_of(hid_t type)
{
    orr_store_type t = { ORR_STORE_OTHER, H5Tget_size(type) };
    H5T_class_t class = H5Tget_class(type);

    if (class == H5T_FLOAT)
        t.kind = ORR_STORE_FLOAT;
    else if (class == H5T_INTEGER)
        t.kind = H5Tget_sign(type) == H5T_SGN_NONE ? ORR_STORE_UINT : ORR_STORE_INT;
    else if (class == H5T_STRING && H5Tis_variable_str(type) == 0)
        t.kind = ORR_STORE_TEXT;
    return t;
}

void orr_h5_dims(hsize_t dims[ORR_STORE_DIMS], const orr_store_array *a)
{
    for (int i = 0; i < ORR_STORE_DIMS; i++)
        dims[i] = i < a->n_dims ? (hsize_t)a->dims[i] : 0;
}

/* One attribute of n elements (n < 0: a scalar). */
static orr_status put(hid_t loc, const char *name, hid_t type, int n, const void *data)
{
    orr_status st = ORR_OK;
    hsize_t dim = n < 0 ? 0 : (hsize_t)n;
    hid_t space = n < 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &dim, NULL);
    hid_t attr = H5Acreate2(loc, name, type, space, H5P_DEFAULT, H5P_DEFAULT);

    if (attr < 0 || H5Awrite(attr, type, data) < 0)
        st = orr_h5_fail(ORR_ERR_IO, "cannot write attribute %s", name);
    if (attr >= 0) H5Aclose(attr);
    if (space >= 0) H5Sclose(space);
    return st;
}

orr_status orr_h5_put_int(hid_t loc, const char *name, int64_t value)
{
    return put(loc, name, H5T_STD_I64LE, -1, &value);
}

orr_status orr_h5_put_text(hid_t loc, const char *name, const char *text)
{
    hid_t type = string_type(strlen(text));
    orr_status st = put(loc, name, type, -1, text);

    H5Tclose(type);
    return st;
}

orr_status orr_h5_put_texts(hid_t loc, const char *name, const char *first, size_t stride, int n)
{
    orr_status st = ORR_OK;
    size_t width = 1;
    char *packed = NULL;
    hid_t type = -1;

    for (int i = 0; i < n; i++) {
        size_t len = strnlen(first + (size_t)i * stride, stride);
        if (len > width) width = len;
    }
    if (!(packed = orr_alloc((size_t)n, width)))
        return orr_fail(ORR_ERR_NOMEM, "attribute %s: no memory for %d names", name, n);
    for (int i = 0; i < n; i++) {
        const char *s = first + (size_t)i * stride;
        memcpy(packed + (size_t)i * width, s, strnlen(s, stride));
    }
    type = string_type(width);
    st = put(loc, name, type, n, packed);
    H5Tclose(type);
    orr_free(packed);
    return st;
}

int orr_h5_has(hid_t loc, const char *name)
{
    return H5Aexists(loc, name) > 0;
}

orr_status orr_h5_get_int(hid_t loc, const char *path, const char *name, int64_t *value)
{
    orr_status st = ORR_OK;
    hid_t attr = H5Aopen(loc, name, H5P_DEFAULT), space = attr < 0 ? -1 : H5Aget_space(attr);

    if (attr < 0)
        st = orr_fail(ORR_ERR_FORMAT, "%s: attribute %s is missing", path, name);
    else if (H5Sget_simple_extent_npoints(space) != 1 || H5Aread(attr, H5T_NATIVE_INT64, value) < 0)
        st = orr_fail(ORR_ERR_FORMAT, "%s: attribute %s is not one integer", path, name);
    if (space >= 0) H5Sclose(space);
    if (attr >= 0) H5Aclose(attr);
    return st;
}

/* Can n elements lie in the file?  (An attribute is never packed.) */
static int fits(hid_t file, uint64_t n, size_t width)
{
    hsize_t all = 0;

    return H5Fget_filesize(file, &all) >= 0 && width > 0 && n <= all / width;
}

/* All strings of an attribute as they lie in the file, n of `width` bytes each, without ends. */
static orr_status get_strings(hid_t loc, const char *path, const char *name, char **out,
                              size_t *width, int64_t *n)
{
    orr_status st = ORR_OK;
    hid_t attr = H5Aopen(loc, name, H5P_DEFAULT), type = -1, space = -1;

    *out = NULL;
    if (attr < 0) return orr_fail(ORR_ERR_FORMAT, "%s: attribute %s is missing", path, name);
    type = H5Aget_type(attr);
    space = H5Aget_space(attr);
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type)) {
        st = orr_fail(ORR_ERR_FORMAT, "%s: attribute %s is not a string of fixed length", path,
                      name);
        goto done;
    }
    *width = H5Tget_size(type);
    *n = H5Sget_simple_extent_npoints(space);
    if (*n < 0 || !fits(loc, (uint64_t)*n, *width))
        st = orr_fail(ORR_ERR_FORMAT, "%s: attribute %s is longer than its file", path, name);
    else if (!(*out = orr_alloc((size_t)*n + 1, *width)))
        st = orr_fail(ORR_ERR_NOMEM, "%s: no memory for attribute %s", path, name);
    else if (H5Aread(attr, type, *out) < 0)
        st = orr_h5_fail(ORR_ERR_FORMAT, "%s: cannot read attribute %s", path, name);
    if (st != ORR_OK) {
        orr_free(*out);
        *out = NULL;
    }
done:
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    H5Aclose(attr);
    return st;
}

orr_status orr_h5_get_texts(hid_t loc, const char *path, const char *name, char *first,
                            size_t stride, int n)
{
    orr_status st;
    char *raw;
    size_t width = 0;
    int64_t have = 0;

    ORR_TRY(get_strings(loc, path, name, &raw, &width, &have));
    st = have == n ? ORR_OK
                   : orr_fail(ORR_ERR_FORMAT, "%s: attribute %s has %lld strings instead of %d",
                              path, name, (long long)have, n);
    for (int i = 0; st == ORR_OK && i < n; i++) {
        size_t len = strnlen(raw + (size_t)i * width, width);
        if (len >= stride) {
            st = orr_fail(ORR_ERR_FORMAT, "%s: string %d of attribute %s is longer than %zu bytes",
                          path, i, name, stride - 1);
            break;
        }
        memset(first + (size_t)i * stride, 0, stride);
        memcpy(first + (size_t)i * stride, raw + (size_t)i * width, len);
    }
    orr_free(raw);
    return st;
}

orr_status orr_h5_get_text(hid_t loc, const char *path, const char *name, char *buf, size_t bytes)
{
    return orr_h5_get_texts(loc, path, name, buf, bytes, 1);
}

orr_status orr_h5_dup_text(hid_t loc, const char *path, const char *name, char **out)
{
    size_t width = 0;
    int64_t n = 0;

    return get_strings(loc, path, name, out, &width,
                       &n); /* one zeroed element more: always ended */
}
