/* data/formats/hdf5_written.c - virtual datasets and their sources, raw files, chunks.  A source
 * may be virtual itself. */
#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/formats/hdf5_written_private.h"
#include "data/storage/hdf5_access.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MOST = 8, SOURCES_MOST = 1 << 20, LOOK_AHEAD = 16 };

typedef struct {
    hid_t file, set;
    const char *path, *dataset;
    int depth; /* datasets that lead to it */
    int *left; /* sources that may still be looked at */
    int other_files;
} place;

static orr_status check_written(const place *at);

orr_status orr_hdf5_refuse_other(const char *path, const char *dataset, const char *what)
{
    return orr_fail(ORR_ERR_UNSUPPORTED,
                    "%s: %s: %s: files that a file names are not read, unless "
                    "input.other_files: true says so (or copy all of it into one file)",
                    path, dataset, what);
}

/* H5Lexists wants every step of the path to be there. */
int orr_hdf5_is_dataset(hid_t file, const char *dataset, hid_t access)
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
    *there = *there && orr_hdf5_is_dataset(from.file, dataset, H5P_DEFAULT);
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
        st = orr_hdf5_refuse_other(at->path, at->dataset,
                                   "its values lie in other datasets (it is virtual)");
    else if (!at->other_files && raw > 0)
        st = orr_hdf5_refuse_other(at->path, at->dataset, "its values lie in raw files (external)");
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

orr_status orr_hdf5_check_written(hid_t file, hid_t set, const char *path, const char *dataset,
                                  int other_files)
{
    int left = SOURCES_MOST;

    return check_written(&(place){ .file = file,
                                   .set = set,
                                   .path = path,
                                   .dataset = dataset,
                                   .left = &left,
                                   .other_files = other_files });
}
