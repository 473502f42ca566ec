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
#include "data/formats/hdf5_written_private.h"
#include "data/storage/hdf5_access.h"

#include <stdio.h>
#include <string.h>
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

/* How links are followed, and which one was not; must not move until it was closed. */
typedef struct {
    hid_t list; /* of link access; H5P_DEFAULT: all are followed */
    char refused[ORR_H5_LINK_MAX];
} links;

static void open_links(links *l, const orr_trust *trust)
{
    *l = (links){ .list = H5P_DEFAULT };
    if (!trust || !trust->other_files) l->list = orr_h5_within(l->refused);
}

static void close_links(links *l)
{
    if (l->list != H5P_DEFAULT) H5Pclose(l->list);
}

static orr_status fail_missing(hid_t file, const char *path, const char *dataset, const links *l)
{
    orr_text names = { .max = 4096 };
    char what[320];
    orr_status st;

    if (l->refused[0]) {
        snprintf(what, sizeof what, "an external link leads to %s", l->refused);
        return orr_hdf5_refuse_other(path, dataset, what);
    }
    H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, NULL, add_name, &names);
    st = orr_fail(ORR_ERR_FORMAT, "%s: no dataset %.200s; it holds: %.500s", path, dataset,
                  names.s ? names.s : "nothing");
    orr_text_free(&names);
    return st;
}

/* ---- reading ---- */
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
    if (!orr_hdf5_is_dataset(s->file.id, dataset, l.list))
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

    if (!s) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    if (trust) s->trust = *trust;
    a->ops = &ops;
    a->source = s;
    ORR_TRY(orr_h5_open(&s->file, path));
    ORR_TRY(find_dataset(s, path, dataset));
    ORR_TRY(set_type(a, s));
    ORR_TRY(orr_hdf5_check_written(s->file.id, s->dataset, path, dataset, s->trust.other_files));
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
        if (orr_hdf5_is_dataset(file.id, *name, access.list)) l->found = *name;
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
