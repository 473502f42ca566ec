/* data/formats/hdf5_reader.c - datasets of HDF5 files that other programs wrote: any float or
 * integer type by HDF5's own conversion, any layout and filter the library knows; text (for ids) of
 * fixed or variable length. */
#include "core/memory.h"
#include "core/text.h"
#include "data/formats/format.h"
#include "data/storage/hdf5_access.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if H5_VERSION_GE(1, 13, 2)
#include <H5FDdevelop.h>
#endif

enum { TEXT_MAX = 4096 };

/* ---- files that are not trusted ---- */

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
    struct stat st;

    (void)fapl;
    (void)max;
    if (!b) return NULL;
    if ((b->fd = open(name, O_RDONLY | O_CLOEXEC)) >= 0 && fstat(b->fd, &st) == 0) {
        b->eof = (haddr_t)st.st_size;
        return &b->base;
    }
    if (b->fd >= 0) close(b->fd);
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

/* An open file and its driver, which the library still reads while it closes the file. */
typedef struct {
    hid_t id, driver; /* 0 = none */
} foreign_file;

static void close_file(foreign_file *f)
{
    if (f->id > 0) H5Fclose(f->id);
    if (f->driver > 0) H5FDunregister(f->driver);
    *f = (foreign_file){ 0 };
}

/* On failure nothing is held. */
static orr_status open_file(foreign_file *f, const char *path)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    *f = (foreign_file){ .driver = H5FDregister(&bounded_class) };
    if (fapl >= 0 && f->driver >= 0 && H5Pset_driver(fapl, f->driver, NULL) >= 0)
        f->id = H5Fopen(path, H5F_ACC_RDONLY, fapl);
    if (f->id <= 0) orr_h5_fail(ORR_ERR_FORMAT, "%s: not an HDF5 file, or a truncated one", path);
    if (fapl >= 0) H5Pclose(fapl);
    if (f->id > 0) return ORR_OK;
    close_file(f);
    return ORR_ERR_FORMAT;
}

/* ---- datasets ---- */

typedef struct {
    foreign_file file;
    hid_t dataset, type; /* 0 = none; type: what values are read as */
} source;

static void close_source(orr_array *a)
{
    source *s = a->source;

    if (!s) return;
    if (s->type > 0) H5Tclose(s->type);
    if (s->dataset > 0) H5Dclose(s->dataset);
    close_file(&s->file);
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
        if (n > 0 && H5Pget_layout(dcpl) == H5D_CHUNKED && H5Pget_chunk(dcpl, n, chunk) == n)
            a->chunk_rows = (int64_t)chunk[0];
        H5Pclose(dcpl);
    }
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

static orr_status fail_missing(hid_t file, const char *path, const char *dataset)
{
    orr_text names = { .max = 4096 };
    orr_status st;

    H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, NULL, add_name, &names);
    st = orr_fail(ORR_ERR_FORMAT, "%s: no dataset %.200s; it holds: %.500s", path, dataset,
                  names.s ? names.s : "nothing");
    orr_text_free(&names);
    return st;
}

/* Does the path lead to a dataset?  H5Lexists wants every step of it to be there. */
static int is_dataset(hid_t file, const char *dataset)
{
    char path[1024];
    H5O_info_t info;

    if (strlen(dataset) >= sizeof path) return 0;
    memcpy(path, dataset, strlen(dataset) + 1);
    for (char *slash = path + 1; *path && (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (H5Lexists(file, path, H5P_DEFAULT) <= 0) return 0;
        *slash = '/';
    }
    if (!*path || H5Lexists(file, path, H5P_DEFAULT) <= 0) return 0;
    return H5Oget_info_by_name(file, path, &info, H5P_DEFAULT) >= 0 &&
           info.type == H5O_TYPE_DATASET;
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

static orr_status open_dataset(orr_array *a, const char *path, const char *dataset)
{
    source *s = orr_alloc(1, sizeof *s);

    if (!s) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    a->ops = &ops;
    a->source = s;
    ORR_TRY(open_file(&s->file, path));
    if (!is_dataset(s->file.id, dataset)) return fail_missing(s->file.id, path, dataset);
    s->dataset = H5Dopen2(s->file.id, dataset, H5P_DEFAULT);
    if (s->dataset < 0) return orr_h5_fail(ORR_ERR_FORMAT, "%s: cannot be opened", a->what);
    ORR_TRY(set_type(a, s));
    return a->elem_bytes ? set_dims(a, s) : load_text(a, s);
}

static orr_status open_array(orr_array *a, const char *path, const char *dataset)
{
    orr_status st;

    *a = (orr_array){ 0 };
    if (access(path, R_OK) != 0) return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    ORR_TRY(orr_array_name(a, path, dataset));
    orr_h5_silence();
    st = open_dataset(a, path, dataset);
    if (st != ORR_OK) orr_array_close(a);
    return st;
}

static const char *find_array(const char *path, const char *const *names)
{
    const char *found = NULL;
    foreign_file file;

    orr_h5_silence();
    if (open_file(&file, path) == ORR_OK) {
        for (; *names && !found; names++)
            if (is_dataset(file.id, *names)) found = *names;
        close_file(&file);
    } else {
        orr_error_clear();
    }
    return found;
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
