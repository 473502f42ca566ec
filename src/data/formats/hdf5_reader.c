/* data/formats/hdf5_reader.c - datasets of HDF5 files that other programs wrote: any float or
 * integer type by HDF5's own conversion, any layout and filter the library knows; text (for ids) of
 * fixed or variable length.
 *
 * Their makers are strangers.  A file is opened by a process of its own first (core/guard.h), read
 * within its bounds (hdf5_access.h), and what it says of its sizes is held against the bytes that
 * it has.  Other files that it names (virtual and external datasets, external links) are read when
 * the user says so: any file of the system could be named there. */
#include "core/file.h"
#include "core/guard.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/formats/format.h"
#include "data/storage/hdf5_access.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 4096 };

/* ---- datasets ---- */

typedef struct {
    orr_h5_file file;
    orr_trust trust;
    hid_t dataset, type; /* 0 = none; type: what values are read as */
} source;

static void close_source(orr_array *a)
{
    source *s = a->source;

    if (!s) return;
    if (s->type > 0) H5Tclose(s->type);
    if (s->dataset > 0) H5Dclose(s->dataset);
    orr_h5_close(&s->file);
    orr_free(s);
}

static orr_status set_integer(orr_array *a, const source *s, hid_t type)
{
    static const orr_elem elems[2][9] = {
        { [1] = ORR_ELEM_U1, [2] = ORR_ELEM_U2, [4] = ORR_ELEM_U4, [8] = ORR_ELEM_U8 },
        { [1] = ORR_ELEM_I1, [2] = ORR_ELEM_I2, [4] = ORR_ELEM_I4, [8] = ORR_ELEM_I8 },
    };
    size_t bytes = H5Tget_size(s->type);

    if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
        return orr_fail(ORR_ERR_UNSUPPORTED, "%s: integers of %zu bytes", a->what, bytes);
    a->elem = elems[H5Tget_sign(type) == H5T_SGN_2][bytes];
    a->elem_bytes = bytes;
    return ORR_OK;
}

static orr_status set_float(orr_array *a, source *s, hid_t type)
{
    int wide = H5Tget_size(type) > 4;

    s->type = H5Tcopy(wide ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT);
    a->elem = wide ? ORR_ELEM_F8 : ORR_ELEM_F4;
    a->bits = H5Tget_size(type) == 2 ? 11 : 0;
    a->elem_bytes = wide ? 8 : 4;
    return ORR_OK;
}

static orr_status set_enum(orr_array *a, source *s, hid_t type)
{
    hid_t super = H5Tget_super(type);
    orr_status st;

    s->type = H5Tget_native_type(type, H5T_DIR_ASCEND);
    st =
        super < 0 ? orr_h5_fail(ORR_ERR_FORMAT, "%s: bad type", a->what) : set_integer(a, s, super);
    if (super >= 0) H5Tclose(super);
    return st;
}

/* Text of fixed length is read as it lies; of variable length, by load_text. */
static orr_status set_text(orr_array *a, source *s, hid_t type)
{
    a->elem = ORR_ELEM_TEXT;
    s->type = H5Tcopy(type);
    a->elem_bytes = H5Tis_variable_str(type) > 0 ? 0 : H5Tget_size(type);
    if (a->elem_bytes > TEXT_MAX)
        return orr_fail(ORR_ERR_UNSUPPORTED, "%s: texts of %zu bytes; up to %d are read", a->what,
                        a->elem_bytes, TEXT_MAX);
    return ORR_OK;
}

static orr_status set_type(orr_array *a, source *s)
{
    hid_t type = H5Dget_type(s->dataset);
    orr_status st;

    if (type < 0) return orr_h5_fail(ORR_ERR_FORMAT, "%s: bad type", a->what);
    switch (H5Tget_class(type)) {
    case H5T_FLOAT:
        st = set_float(a, s, type);
        break;
    case H5T_INTEGER:
        s->type = H5Tget_native_type(type, H5T_DIR_ASCEND);
        st = set_integer(a, s, type);
        break;
    case H5T_ENUM:
        st = set_enum(a, s, type);
        break;
    case H5T_STRING:
        st = set_text(a, s, type);
        break;
    case H5T_COMPOUND:
        st = orr_fail(
            ORR_ERR_UNSUPPORTED,
            "%s: a compound type (records with named fields); save the fields as plain datasets",
            a->what);
        break;
    default:
        st = orr_fail(ORR_ERR_UNSUPPORTED,
                      "%s: neither numbers nor text; save the dataset as float32", a->what);
    }
    H5Tclose(type);
    if (st == ORR_OK && s->type <= 0) st = orr_h5_fail(ORR_ERR_FORMAT, "%s: bad type", a->what);
    return st;
}

/* Chunks of `chunk` values each cover dims[n]: the bytes that all of them have unpacked, which must
 * be what those that the file holds may become. */
static orr_status check_unpacked(const orr_array *a, const source *s, int n, const hsize_t *dims,
                                 const hsize_t *chunk)
{
    hsize_t stored = H5Dget_storage_size(s->dataset);
    size_t bytes = a->elem_bytes, most = orr_unpacked_most(stored, s->trust.max_unpacked);
    int fits = 1;

    for (int i = 0; i < n && chunk[i]; i++) {
        hsize_t chunks = dims[i] / chunk[i] + (dims[i] % chunk[i] != 0);

        fits &= !__builtin_mul_overflow(bytes, (size_t)chunks, &bytes) &&
                !__builtin_mul_overflow(bytes, (size_t)chunk[i], &bytes);
    }
    if (fits && bytes <= most) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: %llu packed bytes become more than the %zu that are allowed for them; "
                    "raise input.max_unpacked when that is right",
                    a->what, (unsigned long long)stored, most);
}

/* libhdf5 unpacks a chunk to its end before it compares what came with what the chunk should have:
 * packed bytes that are more than those are no chunk of it, and could become a thousand times as
 * many. */
static orr_status check_chunk(const char *what, hid_t dataset, const hsize_t *at, hsize_t bytes)
{
    hsize_t stored = 0;

#if H5_VERSION_GE(1, 10, 5)
    haddr_t where;
    unsigned mask;

    if (H5Dget_chunk_info_by_coord(dataset, at, &mask, &where, &stored) < 0) return ORR_OK;
#else
    (void)dataset;
    (void)at;
#endif
    if (stored <= bytes + bytes / 8 + 4096) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: damaged: a chunk of %llu packed bytes, that are to become %llu; fetch or "
                    "make the file again",
                    what, (unsigned long long)stored, (unsigned long long)bytes);
}

static orr_status check_chunks_of(const char *what, hid_t dataset, hid_t dcpl, hid_t type, int n,
                                  const hsize_t *dims)
{
    hsize_t chunk[ORR_ARRAY_DIMS], at[ORR_ARRAY_DIMS] = { 0 }, bytes = H5Tget_size(type);
    int axis = 0;

    if (n < 1 || H5Pget_layout(dcpl) != H5D_CHUNKED || H5Pget_nfilters(dcpl) < 1 ||
        H5Pget_chunk(dcpl, n, chunk) != n)
        return ORR_OK;
    for (int i = 0; i < n; i++)
        bytes *= chunk[i];
    while (axis >= 0) { /* the last axis the fastest */
        ORR_TRY(check_chunk(what, dataset, at, bytes));
        for (axis = n - 1; axis >= 0 && (at[axis] += chunk[axis]) >= dims[axis]; axis--)
            at[axis] = 0;
    }
    return ORR_OK;
}

/* Each chunk of the dataset; the first look alone takes the time. */
static orr_status check_stored(const orr_array *a)
{
    const source *s = a->source;
    hsize_t dims[ORR_ARRAY_DIMS];
    hid_t dcpl = H5Dget_create_plist(s->dataset), type = H5Dget_type(s->dataset);
    orr_status st = ORR_OK;

    for (int i = 0; i < a->n_dims; i++)
        dims[i] = (hsize_t)a->dims[i];
    if (dcpl >= 0 && type >= 0)
        st = check_chunks_of(a->what, s->dataset, dcpl, type, a->n_dims, dims);
    if (type >= 0) H5Tclose(type);
    if (dcpl >= 0) H5Pclose(dcpl);
    return st;
}

static orr_status set_dims(orr_array *a, const source *s)
{
    hsize_t dims[ORR_ARRAY_DIMS], chunk[ORR_ARRAY_DIMS];
    hid_t space = H5Dget_space(s->dataset), dcpl;
    int n = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    orr_status st = ORR_OK;
    size_t bytes = a->elem_bytes;

    if (n < 0)
        st = orr_h5_fail(ORR_ERR_FORMAT, "%s: bad dataspace", a->what);
    else if (n > ORR_ARRAY_DIMS)
        st = orr_fail(ORR_ERR_UNSUPPORTED, "%s: %d axes; up to %d are read", a->what, n,
                      ORR_ARRAY_DIMS);
    else if (H5Sget_simple_extent_dims(space, dims, NULL) < 0)
        st = orr_h5_fail(ORR_ERR_FORMAT, "%s: bad dataspace", a->what);
    if (space >= 0) H5Sclose(space);
    if (st != ORR_OK) return st;
    a->n_dims = n;
    for (int i = 0; i < n; i++) {
        a->dims[i] = (int64_t)dims[i];
        if (__builtin_mul_overflow(bytes, (size_t)dims[i], &bytes)) bytes = 0;
    }
    a->chunk_rows = 1;
    if ((dcpl = H5Dget_create_plist(s->dataset)) >= 0) {
        if (n > 0 && H5Pget_layout(dcpl) == H5D_CHUNKED && H5Pget_chunk(dcpl, n, chunk) == n) {
            a->chunk_rows = (int64_t)chunk[0];
            st = check_unpacked(a, s, n, dims, chunk);
        }
        H5Pclose(dcpl);
    }
    if (st != ORR_OK) return st;
    return orr_array_layout(a, 0, bytes);
}

/* Texts of variable length into fixed places of the longest one. */
static orr_status load_text(orr_array *a, const source *s)
{
    size_t n, longest = 1;
    hid_t space = -1;
    char **texts = NULL;
    orr_status st = ORR_OK;

    a->elem_bytes = sizeof *texts;
    ORR_TRY(set_dims(a, s));
    n = (size_t)(a->dims[0] * orr_array_row_values(a));
    space = H5Dget_space(s->dataset);
    if (!(texts = orr_alloc(n, sizeof *texts)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "%s: out of memory: %zu texts", a->what, n));
    if (H5Dread(s->dataset, s->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts) < 0)
        ORR_TRY_GOTO(
            st, done,
            orr_h5_fail(ORR_ERR_FORMAT, "%s: cannot be read; fetch the file again", a->what));
    for (size_t i = 0; i < n; i++) {
        size_t bytes = texts[i] ? strnlen(texts[i], TEXT_MAX + 1) : 0;

        if (bytes > TEXT_MAX)
            ORR_TRY_GOTO(st, done,
                         orr_fail(ORR_ERR_UNSUPPORTED, "%s: a text of more than %d bytes", a->what,
                                  TEXT_MAX));
        longest = bytes > longest ? bytes : longest;
    }
    if (!(a->owned = orr_alloc(n, longest)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "%s: out of memory: %zu texts", a->what, n));
    for (size_t i = 0; i < n; i++)
        if (texts[i]) memcpy((char *)a->owned + i * longest, texts[i], strlen(texts[i]));
    a->elem_bytes = longest;
    a->data = a->owned;
done:
    if (texts && space >= 0) H5Dvlen_reclaim(s->type, space, H5P_DEFAULT, texts);
    if (space >= 0) H5Sclose(space);
    orr_free(texts);
    return st;
}

/* Names of what the root holds, for a message. */
static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *to)
{
    orr_text *text = to;

    (void)group;
    (void)info;
    orr_text_printf(text, "%s%s", text->len ? ", " : "", name);
    return 0;
}

/* ---- external links ---- */

/* How links are followed, and which one was not. */
typedef struct {
    hid_t list; /* of link access; H5P_DEFAULT: all are followed */
    char refused[256];
} links;

/* Called before an external link is followed: a negative answer ends it. */
/* NOLINTBEGIN(readability-non-const-parameter): as the library declares it */
static herr_t refuse_link(const char *file, const char *group, const char *other_file,
                          const char *object, unsigned *flags, hid_t fapl, void *ctx)
{
    links *l = ctx;

    (void)file;
    (void)group;
    (void)flags;
    (void)fapl;
    snprintf(l->refused, sizeof l->refused, "%s in %.120s", object, other_file);
    return -1;
}
/* NOLINTEND(readability-non-const-parameter) */

/* l must not move until it was closed. */
static void open_links(links *l, const orr_trust *trust)
{
    *l = (links){ .list = H5P_DEFAULT };
    if (trust && trust->other_files) return;
    l->list = H5Pcreate(H5P_DATASET_ACCESS); /* is one of link access, too */
    H5Pset_elink_cb(l->list, refuse_link, l);
}

static void close_links(links *l)
{
    if (l->list != H5P_DEFAULT) H5Pclose(l->list);
}

static orr_status refuse_other_file(const char *path, const char *dataset, const char *what)
{
    return orr_fail(ORR_ERR_UNSUPPORTED,
                    "%s: %s: %s: files that a file names are not read, unless "
                    "input.other_files: true says so (or copy all of it into one file)",
                    path, dataset, what);
}

static orr_status fail_missing(hid_t file, const char *path, const char *dataset, const links *l)
{
    orr_text names = { .max = 4096 };
    char what[320];
    orr_status st;

    if (l->refused[0]) {
        snprintf(what, sizeof what, "an external link leads to %s", l->refused);
        return refuse_other_file(path, dataset, what);
    }

    H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, NULL, add_name, &names);
    st = orr_fail(ORR_ERR_FORMAT, "%s: no dataset %.200s; it holds: %.500s", path, dataset,
                  names.s ? names.s : "nothing");
    orr_text_free(&names);
    return st;
}

/* Does the path lead to a dataset?  H5Lexists wants every step of it to be there. */
static int is_dataset(hid_t file, const char *dataset, hid_t access)
{
    char path[1024];
    H5O_info_t info;

    if (strlen(dataset) >= sizeof path) return 0;
    memcpy(path, dataset, strlen(dataset) + 1);
    for (char *slash = path + 1; *path && (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (H5Lexists(file, path, access) <= 0) return 0;
        *slash = '/';
    }
    if (!*path || H5Lexists(file, path, access) <= 0) return 0;
    return H5Oget_info_by_name(file, path, &info, access) >= 0 && info.type == H5O_TYPE_DATASET;
}

/* ---- what the library would fill in ---- */

/* HDF5 reads a fill value, and says nothing, where a source of a virtual dataset is not there or is
 * shorter than it was, where no source was named, where a raw file is short, and where chunks were
 * never written.  A source may be virtual itself. */
enum { DEPTH_MOST = 8, SOURCES_MOST = 1 << 20, LOOK_AHEAD = 16 };

typedef struct {
    hid_t file, set;
    const char *path, *dataset;
    int depth; /* datasets that lead to it */
    int *left; /* sources that may still be looked at */
    int other_files;
} place;

static orr_status check_written(const place *at);

/* How a missing value reads, when whoever made the file chose it; 0 when nobody did. */
static int chosen_fill(hid_t set, char *text, size_t bytes)
{
    hid_t dcpl = H5Dget_create_plist(set), type = H5Dget_type(set);
    H5D_fill_value_t fill = H5D_FILL_VALUE_ERROR;
    H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    double v = 0;

    if (dcpl >= 0) H5Pfill_value_defined(dcpl, &fill);
    snprintf(text, bytes, "of the file's own");
    if (fill == H5D_FILL_VALUE_USER_DEFINED && (class == H5T_FLOAT || class == H5T_INTEGER) &&
        H5Pget_fill_value(dcpl, H5T_NATIVE_DOUBLE, &v) >= 0)
        snprintf(text, bytes, "%g", v);
    if (dcpl >= 0) H5Pclose(dcpl);
    if (type >= 0) H5Tclose(type);
    return fill == H5D_FILL_VALUE_USER_DEFINED;
}

/* Whoever named a fill value meant it for what is not there: said.  Else the zeros are nobody's. */
static orr_status missing_part(const place *at, const char *what)
{
    char fill[64];

    if (chosen_fill(at->set, fill, sizeof fill)) {
        orr_log0(ORR_WARN, "data", "%s: %s: %s, and read as the fill value (%s) that it names",
                 at->path, at->dataset, what, fill);
        return ORR_OK;
    }
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: %s: %s, and HDF5 would give zeros for them: fetch or make the file again "
                    "(where zeros are meant, write them, or name them as its fill value)",
                    at->path, at->dataset, what);
}

/* The raw files of an external dataset: HDF5 reads zeros behind the end of one. */
static orr_status check_raw_files(const place *at, hid_t dcpl, int n)
{
    const char *prefix = getenv("HDF5_EXTFILE_PREFIX");
    hid_t space = H5Dget_space(at->set), type = H5Dget_type(at->set);
    hsize_t left = (hsize_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type);
    orr_status st = ORR_OK;

    H5Sclose(space);
    H5Tclose(type);
    for (int i = 0; i < n && left > 0 && st == ORR_OK; i++) {
        char name[ORR_PATH_MAX], path[ORR_PATH_MAX];
        hsize_t size = 0, wanted;
        off_t begin = 0;
        struct stat info;

        if (H5Pget_external(dcpl, (unsigned)i, sizeof name, name, &begin, &size) < 0)
            return orr_h5_fail(ORR_ERR_FORMAT, "%s: %s: its raw files cannot be told", at->path,
                               at->dataset);
        name[sizeof name - 1] = '\0';
        ORR_TRY(orr_path_join(path, prefix ? prefix : "", name));
        wanted = size < left ? size : left;
        if (stat(path, &info) != 0)
            st = orr_fail(ORR_ERR_IO, "%s: %s: its values lie in the raw file %s: %s", at->path,
                          at->dataset, path, strerror(errno));
        else if (begin < 0 || info.st_size < begin || (hsize_t)(info.st_size - begin) < wanted)
            st = orr_fail(ORR_ERR_FORMAT,
                          "%s: %s: its values lie in the raw file %s, which has %lld bytes, not "
                          "%llu: fetch the file again",
                          at->path, at->dataset, path, (long long)info.st_size,
                          (unsigned long long)begin + wanted);
        left -= wanted;
    }
    return st;
}

/* Indices below dim that a regular selection takes along one axis. */
static hsize_t taken(hsize_t start, hsize_t stride, hsize_t count, hsize_t block, hsize_t dim)
{
    hsize_t begins, last;

    if (start >= dim || count == 0 || block == 0) return 0;
    if (block == H5S_UNLIMITED) return dim - start;
    if (stride == 0) stride = 1;
    begins = (dim - start - 1) / stride + 1; /* blocks that begin below dim */
    if (count < begins) begins = count;
    last = dim - start - (begins - 1) * stride;
    return (begins - 1) * block + (last < block ? last : block);
}

/* Values of the selection that lie within dims[n]; of one that goes on without end, those that
 * there are.  *endless: the axis along which it does, or -1. */
static hsize_t values_within(hid_t selection, int n, const hsize_t *dims, int *endless)
{
    hsize_t start[H5S_MAX_RANK], stride[H5S_MAX_RANK], count[H5S_MAX_RANK], block[H5S_MAX_RANK];
    hsize_t low[H5S_MAX_RANK], high[H5S_MAX_RANK], all = 1;

    *endless = -1;
    if (H5Sget_select_type(selection) == H5S_SEL_ALL) {
        for (int i = 0; i < n; i++)
            all *= dims[i];
        return all;
    }
    if (H5Sis_regular_hyperslab(selection) > 0 &&
        H5Sget_regular_hyperslab(selection, start, stride, count, block) >= 0) {
        for (int i = 0; i < n; i++) {
            all *= taken(start[i], stride[i], count[i], block[i], dims[i]);
            if (count[i] == H5S_UNLIMITED || block[i] == H5S_UNLIMITED) *endless = i;
        }
        return all;
    }
    if (H5Sget_select_bounds(selection, low, high) < 0) return 0;
    for (int i = 0; i < n; i++)
        if (high[i] >= dims[i]) return 0;
    return (hsize_t)H5Sget_select_npoints(selection);
}

/* Adds what lies within dims[n] of the selection to `to`. */
static void add_covered(hid_t to, hid_t selection, int n, const hsize_t *dims)
{
    hsize_t start[H5S_MAX_RANK], stride[H5S_MAX_RANK], count[H5S_MAX_RANK], block[H5S_MAX_RANK];

    if (H5Sget_select_type(selection) == H5S_SEL_ALL) {
        H5Sselect_all(to);
        return;
    }
    if (H5Sis_regular_hyperslab(selection) > 0 &&
        H5Sget_regular_hyperslab(selection, start, stride, count, block) >= 0) {
        for (int i = 0; i < n; i++) { /* no block passes the end but one that has none */
            if (start[i] >= dims[i]) return;
            if (block[i] == H5S_UNLIMITED) block[i] = dims[i] - start[i];
            if (count[i] == H5S_UNLIMITED) count[i] = (dims[i] - start[i] - 1) / stride[i] + 1;
        }
        H5Sselect_hyperslab(to, H5S_SELECT_OR, start, stride, count, block);
        return;
    }
    for (hssize_t i = 0, k = H5Sget_select_hyper_nblocks(selection); i < k; i++) {
        hsize_t corners[2 * H5S_MAX_RANK];

        if (H5Sget_select_hyper_blocklist(selection, (hsize_t)i, 1, corners) < 0) return;
        for (int d = 0; d < n; d++)
            count[d] = corners[n + d] - corners[d] + 1;
        H5Sselect_hyperslab(to, H5S_SELECT_OR, corners, NULL, count, NULL);
    }
}

/* A name of a source with its pattern filled in: %b is the number of the block, %% a percent. */
static orr_status fill_pattern(char *out, size_t bytes, const char *pattern, hsize_t block)
{
    orr_text text = { .max = bytes };
    orr_status st = ORR_OK;

    for (const char *p = pattern; *p; p++) {
        if (p[0] == '%' && p[1] == 'b')
            orr_text_printf(&text, "%llu", (unsigned long long)block);
        else
            orr_text_printf(&text, "%c", *p);
        if (p[0] == '%' && (p[1] == 'b' || p[1] == '%')) p++;
    }
    if ((size_t)snprintf(out, bytes, "%s", text.s ? text.s : "") >= bytes || text.len >= bytes)
        st = orr_fail(ORR_ERR_UNSUPPORTED, "%.200s...: a name of more than %zu bytes", pattern,
                      bytes - 1);
    orr_text_free(&text);
    return st;
}

static int has_pattern(const char *name)
{
    for (; *name; name++)
        if (*name == '%' && *++name == 'b') return 1;
    return 0;
}

/* One place where HDF5 looks for a source.  0: it is not there. */
static int open_source_at(orr_h5_file *f, char path[ORR_PATH_MAX], const char *folder,
                          const char *name)
{
    if (orr_path_join(path, folder, name) == ORR_OK && orr_h5_open(f, path) == ORR_OK) return 1;
    orr_error_clear();
    return 0;
}

/* Opens the source where HDF5 does: as an absolute name, in the folders of HDF5_VDS_PREFIX, beside
 * the file, from the folder that the program runs in, beside the file that a link leads to.  0: in
 * none of them. */
static int open_source(orr_h5_file *f, char path[ORR_PATH_MAX], const char *of, const char *name)
{
    const char *prefix = getenv("HDF5_VDS_PREFIX"), *slash = strrchr(of, '/');
    char folder[ORR_PATH_MAX], real[PATH_MAX];

    if (*name == '/') {
        if (open_source_at(f, path, "", name)) return 1;
        name = strrchr(name, '/') + 1;
    }
    for (size_t n; prefix && *prefix; prefix += n + (prefix[n] == ':')) {
        n = strcspn(prefix, ":");
        if (n && n < sizeof folder) {
            snprintf(folder, sizeof folder, "%.*s", (int)n, prefix);
            if (open_source_at(f, path, folder, name)) return 1;
        }
    }
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - of) : 0, of);
    if (open_source_at(f, path, folder, name)) return 1;
    if (open_source_at(f, path, "", name)) return 1;
    if (!realpath(of, real) || !(slash = strrchr(real, '/'))) return 0;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - real), real);
    return open_source_at(f, path, folder, name);
}

/* A source: whether it is there, holds the values that are taken from it, and was written. */
static orr_status check_source_set(const place *at, const place *from, hid_t selection,
                                   hsize_t wanted)
{
    hsize_t dims[H5S_MAX_RANK];
    hid_t space = H5Dget_space(from->set);
    int n = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL), endless;
    hsize_t have = n < 0 ? 0 : values_within(selection, n, dims, &endless);

    if (space >= 0) H5Sclose(space);
    if (have < wanted)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: %s: it takes %llu values from %s: %s, which has %llu of them, and "
                        "HDF5 would fill in the rest: fetch or make the file again",
                        at->path, at->dataset, (unsigned long long)wanted, from->path,
                        from->dataset, (unsigned long long)have);
    return check_written(from);
}

static orr_status check_source(const place *at, const char *file, const char *dataset,
                               hid_t selection, hsize_t wanted, int *there)
{
    char path[ORR_PATH_MAX] = "";
    orr_h5_file opened = { 0 };
    place from = { .path = path,
                   .dataset = dataset,
                   .depth = at->depth + 1,
                   .left = at->left,
                   .other_files = at->other_files };
    orr_status st = ORR_OK;

    if (--*at->left < 0)
        return orr_fail(ORR_ERR_UNSUPPORTED, "%s: %s: a virtual dataset of more than %d sources",
                        at->path, at->dataset, SOURCES_MOST);

    *there = !strcmp(file, ".") || open_source(&opened, path, at->path, file);
    if (!strcmp(file, ".")) from.path = at->path;
    from.file = opened.id > 0 ? opened.id : at->file;
    *there = *there && is_dataset(from.file, dataset, H5P_DEFAULT);
    if (*there && (from.set = H5Dopen2(from.file, dataset, H5P_DEFAULT)) >= 0) {
        st = check_source_set(at, &from, selection, wanted);
        H5Dclose(from.set);
    } else if (*there) {
        st = orr_h5_fail(ORR_ERR_FORMAT, "%s: %s: cannot be opened", from.path, dataset);
    }
    orr_h5_close(&opened);
    return st;
}

static orr_status fail_source(const place *at, const char *file, const char *dataset)
{
    return orr_fail(ORR_ERR_IO,
                    "%s: %s: its values lie in %s: %s, which is not there or no HDF5 dataset, and "
                    "HDF5 would fill in zeros: bring it back, or make the virtual dataset again",
                    at->path, at->dataset, file, dataset);
}

/* One mapping of a virtual dataset of dims[n]. */
typedef struct {
    char file[ORR_PATH_MAX], dataset[ORR_PATH_MAX];
    hid_t here, there; /* selections */
} mapping;

/* Block after block, each of a file or dataset of its own. */
static orr_status check_blocks(const place *at, const mapping *m, int n, const hsize_t *dims)
{
    hsize_t start[H5S_MAX_RANK], stride[H5S_MAX_RANK], count[H5S_MAX_RANK], block[H5S_MAX_RANK];
    char file[ORR_PATH_MAX], dataset[ORR_PATH_MAX];
    hsize_t blocks = 0, wanted = 1;
    int there;

    if (H5Sget_regular_hyperslab(m->here, start, stride, count, block) < 0)
        return orr_h5_fail(ORR_ERR_FORMAT, "%s: %s: bad mapping", at->path, at->dataset);
    for (int i = 0; i < n; i++) {
        if (count[i] == H5S_UNLIMITED && dims[i] > start[i])
            blocks = (dims[i] - start[i] - 1) / stride[i] + 1;
        wanted *= block[i] * (count[i] == H5S_UNLIMITED ? 1 : count[i]);
    }
    for (hsize_t k = 0, gap = 0; k < blocks + LOOK_AHEAD; k++) {
        ORR_TRY(fill_pattern(file, sizeof file, m->file, k));
        ORR_TRY(fill_pattern(dataset, sizeof dataset, m->dataset, k));
        ORR_TRY(check_source(at, file, dataset, m->there, wanted, &there));
        if (!there && k < blocks) return fail_source(at, file, dataset);
        if (there && gap) {
            ORR_TRY(fill_pattern(file, sizeof file, m->file, gap));
            ORR_TRY(fill_pattern(dataset, sizeof dataset, m->dataset, gap));
            return fail_source(at, file, dataset);
        }
        if (!there && !gap) gap = k ? k : 1;
    }
    orr_log0(ORR_INFO, "data", "%s: %s: of sources %s: %s the first %llu are there", at->path,
             at->dataset, m->file, m->dataset, (unsigned long long)blocks);
    return ORR_OK;
}

static orr_status check_mapping(const place *at, const mapping *m, int n, const hsize_t *dims,
                                hid_t covered)
{
    char file[ORR_PATH_MAX], dataset[ORR_PATH_MAX];
    int endless, there;
    hsize_t wanted = values_within(m->here, n, dims, &endless);

    add_covered(covered, m->here, n, dims);
    if (endless >= 0 && (has_pattern(m->file) || has_pattern(m->dataset)))
        return check_blocks(at, m, n, dims);
    ORR_TRY(fill_pattern(file, sizeof file, m->file, 0));
    ORR_TRY(fill_pattern(dataset, sizeof dataset, m->dataset, 0));
    ORR_TRY(check_source(at, file, dataset, m->there, wanted, &there));
    return there ? ORR_OK : fail_source(at, file, dataset);
}

static orr_status get_mapping(const place *at, hid_t dcpl, size_t i, mapping *m)
{
    m->here = H5Pget_virtual_vspace(dcpl, i);
    m->there = H5Pget_virtual_srcspace(dcpl, i);
    if (m->here < 0 || m->there < 0 ||
        H5Pget_virtual_filename(dcpl, i, m->file, sizeof m->file) >= (ssize_t)sizeof m->file ||
        H5Pget_virtual_dsetname(dcpl, i, m->dataset, sizeof m->dataset) >=
            (ssize_t)sizeof m->dataset)
        return orr_h5_fail(ORR_ERR_FORMAT, "%s: %s: bad mapping", at->path, at->dataset);
    return ORR_OK;
}

static orr_status check_mappings(const place *at, hid_t dcpl, hid_t space)
{
    hsize_t dims[H5S_MAX_RANK];
    int n = H5Sget_simple_extent_dims(space, dims, NULL);
    hssize_t all = H5Sget_simple_extent_npoints(space);
    char what[96];
    mapping *m;
    size_t k = 0;
    orr_status st = ORR_OK;

    if (n < 1 || H5Pget_virtual_count(dcpl, &k) < 0)
        return orr_h5_fail(ORR_ERR_FORMAT, "%s: %s: bad mappings", at->path, at->dataset);
    if (!(m = orr_alloc(1, sizeof *m)))
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", at->path);
    H5Sselect_none(space);
    for (size_t i = 0; i < k && st == ORR_OK; i++) {
        st = get_mapping(at, dcpl, i, m);
        if (st == ORR_OK) st = check_mapping(at, m, n, dims, space);
        if (m->here >= 0) H5Sclose(m->here);
        if (m->there >= 0) H5Sclose(m->there);
    }
    orr_free(m);
    if (st != ORR_OK || H5Sget_select_npoints(space) >= all) return st;
    snprintf(what, sizeof what, "%lld of its %lld values are mapped to no source",
             (long long)(all - H5Sget_select_npoints(space)), (long long)all);
    return missing_part(at, what);
}

static orr_status check_chunks(const place *at)
{
    int64_t pieces, unwritten = orr_h5_unwritten(at->set, &pieces);
    char what[96];

    if (unwritten == 0) return ORR_OK;
    if (unwritten < 0)
        return orr_h5_fail(ORR_ERR_FORMAT, "%s: %s: its chunks cannot be counted", at->path,
                           at->dataset);
    if (pieces == 1)
        snprintf(what, sizeof what, "its values were never written");
    else
        snprintf(what, sizeof what, "%lld of its %lld chunks were never written",
                 (long long)unwritten, (long long)pieces);
    return missing_part(at, what);
}

/* Is every value of the dataset one that somebody wrote? */
static orr_status check_written(const place *at)
{
    hid_t dcpl = H5Dget_create_plist(at->set), space = H5Dget_space(at->set);
    H5D_layout_t layout = dcpl < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(dcpl);
    int raw = dcpl < 0 ? 0 : H5Pget_external_count(dcpl);
    orr_status st;

    if (at->depth > DEPTH_MOST)
        st = orr_fail(ORR_ERR_UNSUPPORTED, "%s: %s: virtual datasets of virtual datasets, %d deep",
                      at->path, at->dataset, at->depth);
    else if (!at->other_files && layout == H5D_VIRTUAL)
        st = refuse_other_file(at->path, at->dataset,
                               "its values lie in other datasets (it is virtual)");
    else if (!at->other_files && raw > 0)
        st = refuse_other_file(at->path, at->dataset, "its values lie in raw files (external)");
    else if (layout == H5D_LAYOUT_ERROR || space < 0)
        st = orr_h5_fail(ORR_ERR_FORMAT, "%s: %s: cannot be opened", at->path, at->dataset);
    else if (layout == H5D_VIRTUAL)
        st = check_mappings(at, dcpl, space);
    else if (raw > 0)
        st = check_raw_files(at, dcpl, raw);
    else
        st = check_chunks(at);
    if (space >= 0) H5Sclose(space);
    if (dcpl >= 0) H5Pclose(dcpl);
    return st;
}

static orr_status read_rows(const orr_array *a, int64_t first, int64_t n, void *buf)
{
    hsize_t start[ORR_ARRAY_DIMS] = { (hsize_t)first }, count[ORR_ARRAY_DIMS] = { (hsize_t)n };
    const source *s = a->source;
    hid_t file_space, memory_space;
    orr_status st = ORR_OK;

    for (int i = 1; i < a->n_dims; i++)
        count[i] = (hsize_t)a->dims[i];
    orr_h5_silence();
    file_space = H5Dget_space(s->dataset);
    memory_space = H5Screate_simple(a->n_dims, count, NULL);
    if (file_space < 0 || memory_space < 0 ||
        H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dread(s->dataset, s->type, memory_space, file_space, H5P_DEFAULT, buf) < 0)
        st = orr_h5_fail(ORR_ERR_FORMAT,
                         "%s: rows %lld to %lld cannot be read; fetch the file again", a->what,
                         (long long)first, (long long)(first + n - 1));
    if (memory_space >= 0) H5Sclose(memory_space);
    if (file_space >= 0) H5Sclose(file_space);
    return st;
}

static const orr_array_ops ops = { .read = read_rows, .close = close_source };

/* Filters whose bounds libhdf5 does not watch as it watches deflate's: those that pack numbers, and
 * plugins. */
static int has_odd_filter(hid_t dataset)
{
    hid_t dcpl = H5Dget_create_plist(dataset);
    int odd = 0;

    for (int i = 0, n = dcpl < 0 ? 0 : H5Pget_nfilters(dcpl); i < n; i++) {
        size_t n_values = 0;
        unsigned flags, config;
        H5Z_filter_t filter =
            H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, NULL, 0, NULL, &config);

        odd |= filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
               filter != H5Z_FILTER_FLETCHER32;
    }
    if (dcpl >= 0) H5Pclose(dcpl);
    return odd;
}

/* What only reading shows: all rows once, as they will be read; of a dataset that is not large. */
static orr_status try_rows(const orr_array *a)
{
    enum { MOST_BYTES = 256 << 20, SECONDS = 4 };
    const source *s = a->source;
    size_t row = (size_t)orr_array_row_values(a) * a->elem_bytes;
    int64_t step = a->chunk_rows > 0 && a->chunk_rows < a->dims[0] ? a->chunk_rows : a->dims[0];
    orr_status st = ORR_OK;
    void *buf;

    if (a->data || !has_odd_filter(s->dataset) || row > MOST_BYTES / (size_t)a->dims[0])
        return ORR_OK;
    orr_guard_extend(SECONDS);
    buf = orr_alloc((size_t)step, row);
    if (!buf) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", a->what);
    for (int64_t at = 0; st == ORR_OK && at < a->dims[0]; at += step)
        st = read_rows(a, at, a->dims[0] - at < step ? a->dims[0] - at : step, buf);
    orr_free(buf);
    return st;
}

/* netCDF's way to say that a number stands for none. */
static void find_nulls(orr_array *a, hid_t dataset)
{
    static const char *const names[] = { "_FillValue", "missing_value" };

    for (int i = 0; i < 2; i++) {
        hid_t attr, space = -1, type = -1;
        double v;

        if (H5Aexists(dataset, names[i]) <= 0 ||
            (attr = H5Aopen(dataset, names[i], H5P_DEFAULT)) < 0)
            continue;
        space = H5Aget_space(attr);
        type = H5Aget_type(attr);
        if (space >= 0 && type >= 0 && H5Sget_simple_extent_npoints(space) == 1 &&
            (H5Tget_class(type) == H5T_INTEGER || H5Tget_class(type) == H5T_FLOAT) &&
            H5Aread(attr, H5T_NATIVE_DOUBLE, &v) >= 0)
            a->nulls[a->n_nulls++] = v;
        if (type >= 0) H5Tclose(type);
        if (space >= 0) H5Sclose(space);
        H5Aclose(attr);
    }
}

/* The dataset in its open file. */
static orr_status find_dataset(source *s, const char *path, const char *dataset)
{
    orr_status st = ORR_OK;
    links l;

    open_links(&l, &s->trust);
    if (!is_dataset(s->file.id, dataset, l.list))
        st = fail_missing(s->file.id, path, dataset, &l);
    else if ((s->dataset = H5Dopen2(s->file.id, dataset, l.list)) < 0)
        st = orr_h5_fail(ORR_ERR_FORMAT, "%s: %s: cannot be opened", path, dataset);
    close_links(&l);
    return st;
}

static orr_status open_dataset(orr_array *a, const char *path, const char *dataset,
                               const orr_trust *trust)
{
    source *s = orr_alloc(1, sizeof *s);
    int left = SOURCES_MOST;

    if (!s) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    if (trust) s->trust = *trust;
    a->ops = &ops;
    a->source = s;
    ORR_TRY(orr_h5_open(&s->file, path));
    ORR_TRY(find_dataset(s, path, dataset));
    ORR_TRY(set_type(a, s));
    ORR_TRY(check_written(&(place){ .file = s->file.id,
                                    .set = s->dataset,
                                    .path = path,
                                    .dataset = dataset,
                                    .left = &left,
                                    .other_files = s->trust.other_files }));
    find_nulls(a, s->dataset);
    return a->elem_bytes ? set_dims(a, s) : load_text(a, s);
}

/* ---- what others call: after a first look by a process of its own ---- */

typedef struct {
    const char *path, *dataset, *const *names;
    const orr_trust *trust;
    const char *found; /* of names */
    orr_array *a;
    int is_first; /* in the process of its own */
} look;

static orr_status first_look(look *l, orr_status (*call)(void *ctx))
{
    const double other_files = 60; /* seconds: nobody knows how large they are */
    orr_guard_bounds bounds;
    int64_t bytes;
    int fd;

    ORR_TRY(orr_open_input(&fd, &bytes, l->path));
    close(fd);
    bounds = orr_guard_bounds_of(bytes);
    if (l->trust && l->trust->other_files) bounds.seconds += other_files;
    orr_h5_silence();
    l->is_first = 1;
    ORR_TRY(orr_guard(l->path, bounds, call, l));
    l->is_first = 0;
    return call(l);
}

static orr_status open_it(void *ctx)
{
    look *l = ctx;
    orr_status st;

    *l->a = (orr_array){ 0 };
    ORR_TRY(orr_array_name(l->a, l->path, l->dataset));
    st = open_dataset(l->a, l->path, l->dataset, l->trust);
    if (st == ORR_OK && l->is_first) st = check_stored(l->a);
    if (st == ORR_OK && l->is_first) st = try_rows(l->a);
    if (st != ORR_OK) orr_array_close(l->a);
    return st;
}

static orr_status open_array(orr_array *a, const char *path, const char *dataset,
                             const orr_trust *trust)
{
    look l = { .path = path, .dataset = dataset, .trust = trust, .a = a };

    *a = (orr_array){ 0 };
    return first_look(&l, open_it);
}

static orr_status find_it(void *ctx)
{
    look *l = ctx;
    orr_h5_file file;
    links access;

    ORR_TRY(orr_h5_open(&file, l->path));
    open_links(&access, l->trust);
    for (const char *const *name = l->names; *name && !l->found; name++)
        if (is_dataset(file.id, *name, access.list)) l->found = *name;
    close_links(&access);
    orr_h5_close(&file);
    return ORR_OK;
}

static const char *find_array(const char *path, const char *const *names, const orr_trust *trust)
{
    look l = { .path = path, .names = names, .trust = trust };

    if (first_look(&l, find_it) != ORR_OK) orr_error_clear(); /* opening it says why */
    return l.found;
}

static int sniff(const orr_bytes *b)
{
    return b->n >= 8 && !memcmp(b->p, "\x89HDF\r\n\x1a\n", 8);
}

const orr_format orr_format_hdf5 = {
    .name = "hdf5",
    .endings = (const char *const[]){ ".h5", ".hdf5", ".hdf", NULL },
    .help =
        ".h5, .hdf5, .hdf: datasets of numbers by name, of any layout and filter; ids may be text",
    .sniff = sniff,
    .is_container = 1,
    .open_array = open_array,
    .find_array = find_array,
};
