/* data/storage/read.c - what files hold, believed only as far as their size goes. */
#include "core/guard.h"
#include "core/memory.h"
#include "data/storage/hdf5_access.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    CHUNK_CACHE_BYTES = 32 << 20, /* chunks cut by a range come again */
    TEXT_MAX_BYTES = 1 << 30,
    PACKED_MOST = 1032 /* deflate makes a byte of at most so many; shuffle adds none */
};

struct orr_store_reader {
    orr_h5_file file;
    hid_t id;     /* the file's */
    hid_t within; /* access to datasets: external links are not followed */
    char path[ORR_PATH_MAX];
    uint64_t bytes; /* of the file */
    orr_sha256 *sum;
    /* the array whose rows were read last */
    char *name;
    hid_t rows;
};

const char *orr_store_reader_path(const orr_store_reader *r)
{
    return r->path;
}

static void close_rows(orr_store_reader *r)
{
    if (r->rows >= 0) H5Dclose(r->rows);
    orr_free(r->name);
    r->rows = -1;
    r->name = NULL;
}

void orr_store_close(orr_store_reader *r)
{
    if (!r) return;
    orr_h5_silence();
    close_rows(r);
    if (r->within > 0) H5Pclose(r->within);
    orr_h5_close(&r->file);
    orr_sha256_destroy(r->sum);
    orr_free(r);
}

static orr_status check_format(orr_store_reader *r, const char *format)
{
    char found[64];
    orr_status st = orr_h5_has(r->id, "format")
                        ? orr_h5_get_text(r->id, r->path, "format", found, sizeof found)
                        : ORR_ERR_FORMAT;

    if (st == ORR_ERR_NOMEM) return st;
    if (st != ORR_OK)
        return orr_fail(ORR_ERR_FORMAT, "%s: an HDF5 file, but not one of Orrery's (%s expected)",
                        r->path, format);
    if (strcmp(found, format) != 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: its format is %s; %s is expected here", r->path, found,
                        format);
    return ORR_OK;
}

/* ---- a first look ---- */

typedef struct walk walk;
static orr_status look_at_group(hid_t group, walk *w);

/* What libhdf5 must survive before a file is read here: everything that it is asked to interpret,
 * but for the values. */
static herr_t look_at_attribute(hid_t object, const char *name, const H5A_info_t *info, void *ctx)
{
    enum { MOST = 1 << 20 };
    hid_t attr = H5Aopen(object, name, H5P_DEFAULT), type = attr < 0 ? -1 : H5Aget_type(attr);
    hsize_t n = attr < 0 ? 0 : H5Aget_storage_size(attr);
    void *data = n > 0 && n <= MOST ? orr_alloc(n, 1) : NULL;

    (void)info;
    (void)ctx;
    if (data && type >= 0 && H5Tget_class(type) != H5T_VLEN && H5Tis_variable_str(type) == 0)
        (void)H5Aread(attr, type, data);
    orr_free(data);
    if (type >= 0) H5Tclose(type);
    if (attr >= 0) H5Aclose(attr);
    return 0;
}

struct walk {
    const char *path;
    int depth;
    orr_status st;
};

/* Links that lead out of the file, or nowhere, are not followed. */
static herr_t look_at_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
    enum { MOST_DEPTH = 16 };
    walk *w = ctx, below = { w->path, w->depth + 1, ORR_OK };
    hid_t object =
        info->type == H5L_TYPE_HARD ? H5Oopen(group, name, H5P_DEFAULT) : H5I_INVALID_HID;
    int64_t pieces;

    if (info->type != H5L_TYPE_HARD) return 0;
    if (object < 0) {
        w->st = orr_h5_fail(ORR_ERR_FORMAT, "%s: damaged: %.80s, an object of it, cannot be opened",
                            w->path, name);
        return -1;
    }
    (void)H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, look_at_attribute, NULL);
    if (H5Iget_type(object) == H5I_DATASET) (void)orr_h5_unwritten(object, &pieces);
    if (H5Iget_type(object) == H5I_GROUP && w->depth < MOST_DEPTH)
        w->st = look_at_group(object, &below);
    H5Oclose(object);
    return w->st == ORR_OK ? 0 : -1;
}

static orr_status look_at_group(hid_t group, walk *w)
{
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, look_at_link, w) >= 0) return ORR_OK;
    if (w->st != ORR_OK) return w->st;
    return orr_h5_fail(ORR_ERR_FORMAT, "%s: damaged: what is in it cannot be listed", w->path);
}

/* Files `first`, `stride` bytes apart, in dir. */
typedef struct {
    const char *dir, *first;
    size_t stride;
    int n;
} files;

static orr_status file_path(const files *f, int i, char path[ORR_PATH_MAX])
{
    return orr_path_join(path, f->dir, f->first + (size_t)i * f->stride);
}

static orr_status look_over(void *ctx)
{
    const files *f = ctx;
    orr_status st = ORR_OK;

    for (int i = 0; i < f->n && st == ORR_OK; i++) {
        char path[ORR_PATH_MAX];
        walk w = { .path = path };
        orr_h5_file file;

        ORR_TRY(file_path(f, i, path));
        ORR_TRY(orr_h5_open(&file, path));
        (void)H5Aiterate2(file.id, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, look_at_attribute, NULL);
        st = look_at_group(file.id, &w);
        orr_h5_close(&file);
    }
    return st;
}

static orr_status look_first(files f)
{
    char path[ORR_PATH_MAX];
    int64_t bytes = 0;
    orr_status st;

    for (int i = 0; i < f.n; i++) {
        struct stat info;

        ORR_TRY(file_path(&f, i, path));
        if (stat(path, &info) == 0) bytes += info.st_size;
    }
    if (f.n > 1) ORR_TRY(orr_path_join(path, f.dir, "")); /* all of them, or the folder */
    st = orr_guard(path, orr_guard_bounds_of(bytes), look_over, &f);
    if (st == ORR_OK || f.n < 2 || !orr_is_data_fault(st)) return st;
    for (int i = 0; i < f.n; i++) /* which one? */
        ORR_TRY(look_first((files){ f.dir, f.first + (size_t)i * f.stride, f.stride, 1 }));
    return ORR_OK;
}

orr_status orr_store_check(const char *dir, const char *first, size_t stride, int n)
{
    orr_h5_silence();
    return n > 0 ? look_first((files){ dir, first, stride, n }) : ORR_OK;
}

orr_status orr_store_open(orr_store_reader **out, const char *path, const char *format)
{
    *out = NULL;
    ORR_TRY(orr_check_input(path));
    ORR_TRY(orr_store_check("", path, 0, 1));
    return orr_store_open_checked(out, path, format);
}

orr_status orr_store_open_checked(orr_store_reader **out, const char *path, const char *format)
{
    orr_store_reader *r = orr_alloc(1, sizeof *r);
    struct stat info;
    orr_status st;

    *out = NULL;
    if (!r) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", path);
    orr_h5_silence();
    r->rows = -1;
    ORR_TRY_GOTO(st, done, orr_path_join(r->path, "", path));
    ORR_TRY_GOTO(st, done, orr_sha256_begin(&r->sum));
    ORR_TRY_GOTO(st, done, orr_h5_open(&r->file, path));
    r->id = r->file.id;
    r->within = orr_h5_within(NULL);
    r->bytes = stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
    if (format) ORR_TRY_GOTO(st, done, check_format(r, format));
    *out = r;
    r = NULL; /* handed over */
done:
    orr_store_close(r);
    return st;
}

/* ---- arrays ---- */
/* Can that many bytes lie in the file?  A virtual array lies elsewhere. */
static int fits(const orr_store_reader *r, hid_t set, const orr_store_array *a)
{
    hid_t dcpl = H5Dget_create_plist(set);
    H5D_layout_t layout = dcpl >= 0 ? H5Pget_layout(dcpl) : H5D_LAYOUT_ERROR;
    uint64_t n = a->type.bytes;
    int whole = 1;

    if (dcpl >= 0) H5Pclose(dcpl);
    for (int i = 0; i < a->n_dims; i++)
        whole &= !__builtin_mul_overflow(n, (uint64_t)a->dims[i], &n) && a->dims[i] >= 0;
    if (!whole || n > INT64_MAX) return 0;
    if (layout == H5D_VIRTUAL) return 1;
    return layout == H5D_CHUNKED ? n / PACKED_MOST <= r->bytes : n <= r->bytes;
}

static orr_status look_at(orr_store_reader *r, hid_t set, const char *name, orr_store_array *a)
{
    hsize_t dims[ORR_STORE_DIMS];
    hid_t space = H5Dget_space(set), type = H5Dget_type(set);
    int n = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);

    if (type >= 0) a->type = orr_h5_type_of(type);
    if (type >= 0 && n >= 1 && n <= ORR_STORE_DIMS &&
        H5Sget_simple_extent_dims(space, dims, NULL) == n) {
        a->n_dims = n;
        for (int i = 0; i < n; i++)
            a->dims[i] = (int64_t)dims[i];
    }
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    if (a->n_dims == 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: dataset /%s has %d dimensions", r->path, name, n);
    if (fits(r, set, a)) return ORR_OK;
    *a = (orr_store_array){ 0 };
    return orr_fail(ORR_ERR_FORMAT, "%s: dataset /%s says that it is larger than its file can hold",
                    r->path, name);
}

/* HDF5 gives zeros for what nobody wrote. */
static orr_status check_written(const orr_store_reader *r, hid_t set, const char *name)
{
    int64_t pieces, unwritten = orr_h5_unwritten(set, &pieces);

    if (unwritten == 0) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: dataset /%s was never written whole (%" PRId64 " of its %" PRId64
                    " pieces are missing); make the file again",
                    r->path, name, unwritten, pieces);
}

orr_status orr_store_look(orr_store_reader *r, const char *name, orr_store_array *a)
{
    orr_status st;
    hid_t set;

    *a = (orr_store_array){ 0 };
    orr_h5_silence();
    if (H5Lexists(r->id, name, r->within) <= 0) return ORR_OK;
    if ((set = H5Dopen2(r->id, name, r->within)) < 0) return ORR_OK;
    st = look_at(r, set, name, a);
    if (st == ORR_OK) st = check_written(r, set, name);
    if (st != ORR_OK) *a = (orr_store_array){ 0 };
    H5Dclose(set);
    return st;
}

static int64_t elements(const orr_store_array *a)
{
    int64_t n = a->n_dims > 0 ? 1 : -1;

    for (int i = 0; i < a->n_dims; i++)
        n *= a->dims[i];
    return n;
}

int64_t orr_store_count(orr_store_reader *r, const char *name)
{
    orr_store_array a;

    return orr_store_look(r, name, &a) == ORR_OK ? elements(&a) : -1;
}

/* Values of a virtual array lie in files that nobody has looked at, and that a stranger may have
 * named: those that are gone read as zeros. */
static int is_elsewhere(hid_t set)
{
    hid_t dcpl = H5Dget_create_plist(set);
    int yes = dcpl < 0 || H5Pget_layout(dcpl) == H5D_VIRTUAL || H5Pget_external_count(dcpl) != 0;

    if (dcpl >= 0) H5Pclose(dcpl);
    return yes;
}

static orr_status refuse_elsewhere(const orr_store_reader *r, const char *name)
{
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: the values of /%s lie in other files; copy them into this one", r->path,
                    name);
}

static orr_status read_all(orr_store_reader *r, const char *name, orr_store_type type, size_t count,
                           void *data)
{
    hid_t set = H5Dopen2(r->id, name, r->within), as = orr_h5_type(type);
    herr_t bad = set < 0 || as < 0 ? -1 : 0;
    orr_status st = ORR_OK;

    if (!bad && count && is_elsewhere(set))
        st = refuse_elsewhere(r, name);
    else if (!bad && count)
        bad = H5Dread(set, as, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    if (bad < 0)
        st = orr_h5_fail(ORR_ERR_FORMAT, "%s: %s cannot be read; the file is damaged", r->path,
                         name);
    if (set >= 0) H5Dclose(set);
    if (as >= 0) H5Tclose(as);
    return st;
}

orr_status orr_store_expect(orr_store_reader *r, const char *name, size_t count)
{
    orr_store_array a;

    ORR_TRY(orr_store_look(r, name, &a));
    if (a.n_dims == 0) return orr_fail(ORR_ERR_FORMAT, "%s: has no dataset %s", r->path, name);
    if ((size_t)elements(&a) != count)
        return orr_fail(ORR_ERR_FORMAT, "%s: %s holds %" PRId64 " numbers, %zu expected", r->path,
                        name, elements(&a), count);
    return ORR_OK;
}

orr_status orr_store_get(orr_store_reader *r, const char *name, orr_store_type type, size_t count,
                         void *data)
{
    ORR_TRY(orr_store_expect(r, name, count));
    ORR_TRY(read_all(r, name, type, count, data));
    ORR_TRY(orr_sha256_add(r->sum, name, strlen(name) + 1));
    return orr_sha256_add(r->sum, data, count * type.bytes);
}

orr_status orr_store_dup(orr_store_reader *r, const char *name, orr_store_type type, size_t count,
                         void *out)
{
    void **to = out, *data;
    orr_status st;

    *to = NULL;
    ORR_TRY(orr_store_expect(r, name, count));
    if (!(data = orr_alloc(count + 1, type.bytes)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", r->path);
    st = orr_store_get(r, name, type, count, data);
    if (st == ORR_OK)
        *to = data;
    else
        orr_free(data);
    return st;
}

orr_status orr_store_get_text(orr_store_reader *r, const char *name, char **out)
{
    orr_store_array a;
    orr_status st;
    char *text;

    *out = NULL;
    ORR_TRY(orr_store_look(r, name, &a));
    if (elements(&a) != 1) return orr_fail(ORR_ERR_FORMAT, "%s: has no text %s", r->path, name);
    if (a.type.kind != ORR_STORE_TEXT || a.type.bytes >= TEXT_MAX_BYTES)
        return orr_fail(ORR_ERR_FORMAT, "%s: %s is not a text", r->path, name);
    if (!(text = orr_alloc(a.type.bytes + 1, 1)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %zu bytes of text", a.type.bytes);
    st = orr_store_get(r, name, a.type, 1, text);
    if (st == ORR_OK)
        *out = text;
    else
        orr_free(text);
    return st;
}

orr_status orr_store_pass(orr_store_reader *r, const char *name)
{
    orr_store_array a;
    orr_status st;
    void *data;

    ORR_TRY(orr_store_look(r, name, &a));
    if (a.n_dims == 0) return ORR_OK;
    if (!(data = orr_alloc((size_t)elements(&a) + 1, a.type.bytes)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", r->path);
    st = orr_store_get(r, name, a.type, (size_t)elements(&a), data);
    orr_free(data);
    return st;
}

orr_status orr_store_verify(orr_store_reader *r)
{
    char sum[ORR_SHA256_HEX], stored[ORR_SHA256_HEX];
    orr_sha256 *ended = r->sum;

    orr_h5_silence();
    r->sum = NULL;
    ORR_TRY(orr_sha256_end(ended, sum));
    ORR_TRY(orr_h5_get_text(r->id, r->path, "sha256", stored, sizeof stored));
    if (strcmp(sum, stored) != 0)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: its content does not match its checksum; the file is damaged",
                        r->path);
    return ORR_OK;
}

/* ---- rows ---- */
static orr_status open_rows(orr_store_reader *r, const char *name)
{
    hid_t dapl;

    if (r->name && strcmp(r->name, name) == 0) return ORR_OK;
    close_rows(r);
    if (!(r->name = orr_strdup(name)))
        return orr_fail(ORR_ERR_NOMEM, "%s: no memory to read /%s", r->path, name);
    dapl = orr_h5_within(NULL);
    H5Pset_chunk_cache(dapl, 1009, CHUNK_CACHE_BYTES, 1.0);
    r->rows = H5Dopen2(r->id, name, dapl);
    H5Pclose(dapl);
    if (r->rows >= 0 && !is_elsewhere(r->rows)) return ORR_OK;
    if (r->rows >= 0)
        (void)refuse_elsewhere(r, name);
    else
        orr_h5_fail(ORR_ERR_FORMAT, "%s: cannot open /%s", r->path, name);
    close_rows(r);
    return ORR_ERR_FORMAT;
}

/* A row of the file has as many elements as one of a, whatever its axes. */
static int same_rows(const orr_store_array *have, const orr_store_array *a)
{
    orr_store_array one = *a, other = *have;

    one.dims[0] = other.dims[0] = 1;
    return elements(&one) == elements(&other);
}

static orr_status read_rows(orr_store_reader *r, const char *name, const orr_store_array *a,
                            int64_t first, int64_t n, void *data)
{
    orr_store_array have = { 0 };
    hsize_t start[ORR_STORE_DIMS] = { (hsize_t)first }, count[ORR_STORE_DIMS];
    hid_t type = orr_h5_type(a->type), space = H5Dget_space(r->rows), memory;
    orr_status st = look_at(r, r->rows, name, &have);
    int bad = st != ORR_OK || !same_rows(&have, a) || first < 0 || first > have.dims[0] - n;

    have.dims[0] = n;
    orr_h5_dims(count, &have);
    memory = bad ? -1 : H5Screate_simple(have.n_dims, count, NULL);
    if (bad || H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dread(r->rows, type, memory, space, H5P_DEFAULT, data) < 0)
        st = orr_h5_fail(ORR_ERR_FORMAT, "%s: cannot read rows %" PRId64 " to %" PRId64 " of /%s",
                         r->path, first, first + n - 1, name);
    if (memory >= 0) H5Sclose(memory);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return st;
}

orr_status orr_store_get_rows(orr_store_reader *r, const char *name, const orr_store_array *a,
                              int64_t first, int64_t n, void *data)
{
    orr_h5_silence();
    if (n < 1) return ORR_OK;
    ORR_TRY(open_rows(r, name));
    return read_rows(r, name, a, first, n, data);
}

int64_t orr_store_place(orr_store_reader *r, const char *name, const orr_store_array *a)
{
    haddr_t at = HADDR_UNDEF;
    uint64_t bytes = orr_store_row_bytes(a) * (uint64_t)a->dims[0];
    hid_t set, dcpl, type, want;

    orr_h5_silence();
    if ((set = H5Dopen2(r->id, name, r->within)) < 0) return -1;
    dcpl = H5Dget_create_plist(set);
    type = H5Dget_type(set);
    want = orr_h5_type(a->type);
    if (H5Pget_layout(dcpl) == H5D_CONTIGUOUS && H5Pget_external_count(dcpl) == 0 &&
        H5Tequal(type, want) > 0)
        at = H5Dget_offset(set);
    H5Tclose(want);
    H5Tclose(type);
    H5Pclose(dcpl);
    H5Dclose(set);
    return at == HADDR_UNDEF || bytes > r->bytes || at > r->bytes - bytes ? -1 : (int64_t)at;
}

/* ---- attributes ---- */
int orr_store_has(orr_store_reader *r, const char *name)
{
    orr_h5_silence();
    return orr_h5_has(r->id, name);
}

orr_status orr_store_attr_int(orr_store_reader *r, const char *name, int64_t *value)
{
    orr_h5_silence();
    return orr_h5_get_int(r->id, r->path, name, value);
}

orr_status orr_store_attr_text(orr_store_reader *r, const char *name, char *buf, size_t bytes)
{
    orr_h5_silence();
    return orr_h5_get_text(r->id, r->path, name, buf, bytes);
}

orr_status orr_store_attr_texts(orr_store_reader *r, const char *name, char *first, size_t stride,
                                int n)
{
    orr_h5_silence();
    return orr_h5_get_texts(r->id, r->path, name, first, stride, n);
}

orr_status orr_store_attr_dup(orr_store_reader *r, const char *name, char **out)
{
    orr_h5_silence();
    return orr_h5_dup_text(r->id, r->path, name, out);
}
