/* jobs/model/h5_parts.c - checksummed datasets. */
#include "jobs/model/h5_parts.h"
#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#ifdef ORRERY_MPI
#include <mpi.h>
#endif

hid_t orr_h5_access(const orr_context *context)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);

#if defined(ORRERY_MPI) && defined(H5_HAVE_PARALLEL)
    if (context->size > 1) H5Pset_fapl_mpio(access, MPI_COMM_WORLD, MPI_INFO_NULL);
#else
    (void)context;
#endif
    return access;
}

enum { COPY_BYTES = 1 << 20, COMPARE_BYTES = 1 << 16 };

static orr_status add_to_sum(orr_h5_file *f, const char *name, const void *data, size_t bytes)
{
    ORR_TRY(orr_sha256_add(f->sum, name, strlen(name) + 1));
    return orr_sha256_add(f->sum, data, bytes);
}

orr_status orr_h5_begin_large(orr_h5_file *f, const char *path, const char *format, size_t bytes,
                              orr_h5_memory *block)
{
    *f = (orr_h5_file){ .id = -1, .path = path };
    if (block) {
        f->memory = *block;
        *block = (orr_h5_memory){ 0 };
    }
    f->memory.least = bytes;
    orr_h5_quiet_begin(&f->quiet);
    ORR_TRY(orr_tmp_path(f->tmp, path));
    ORR_TRY(orr_sha256_begin(&f->sum));
    ORR_TRY(orr_h5_create_in_memory(&f->id, path, &f->memory));
    f->in_memory = 1;
    ORR_TRY(orr_h5_put_text(f->id, "format", format));
    return orr_h5_put_text(f->id, "orrery", ORRERY_VERSION);
}

orr_status orr_h5_begin(orr_h5_file *f, const char *path, const char *format)
{
    return orr_h5_begin_large(f, path, format, 0, NULL);
}

orr_status orr_h5_put_array(orr_h5_file *f, const char *name, hid_t type, size_t element_bytes,
                            int n_dims, const hsize_t *dims, const void *data)
{
    orr_h5_extent extent = { .bytes = element_bytes };

    for (int i = 0; i < n_dims; i++)
        extent.bytes *= (size_t)dims[i];
    ORR_TRY(add_to_sum(f, name, data, (size_t)extent.bytes));
    ORR_TRY(orr_h5_write_column(f->id, name, type, n_dims, dims, data));
    if (extent.bytes) ORR_TRY(orr_h5_place(f->id, name, &extent.offset));
    orr_text_addn(&f->names, name, strlen(name) + 1);
    orr_text_addn(&f->extents, (const char *)&extent, sizeof extent);
    return ORR_OK;
}

orr_status orr_h5_put_string(orr_h5_file *f, const char *name, const char *text)
{
    size_t bytes = strlen(text) + 1;
    hsize_t one = 1;
    hid_t type = orr_h5_string_type(bytes);
    orr_status st = orr_h5_put_array(f, name, type, bytes, 1, &one, text);

    H5Tclose(type);
    return st;
}

static orr_status not_written(const char *path)
{
    return orr_fail(ORR_ERR_IO, "%s: could not be written: %s", path, strerror(errno));
}

static orr_status write_all(int fd, const orr_h5_memory *m, const char *path)
{
    const char *data = m->data;
    size_t left = m->bytes;

    while (left > 0) {
        ssize_t n = write(fd, data, left < COPY_BYTES ? left : COPY_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return not_written(path);
        data += n;
        left -= (size_t)n;
    }
    return ORR_OK;
}

/* Puts the bytes on the disk as tmp; path is for messages. */
static orr_status write_memory(const orr_h5_memory *m, const char *tmp, const char *path)
{
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    orr_status st;

    if (fd < 0) return not_written(path);
    st = write_all(fd, m, path);
    if (close(fd) != 0 && st == ORR_OK) st = not_written(path);
    return st;
}

static orr_status close_memory(orr_h5_file *f)
{
    hid_t id = f->id;

    f->id = -1;
    f->in_memory = 0;
    return orr_h5_close_in_memory(id, f->path, &f->memory);
}

static void free_memory(orr_h5_memory *m)
{
    orr_free(m->data);
    *m = (orr_h5_memory){ 0 };
}

static void give_back(orr_h5_file *f)
{
    if (f->id >= 0) H5Fclose(f->id);
    free_memory(&f->memory);
    orr_sha256_destroy(f->sum);
    orr_text_free(&f->names);
    orr_text_free(&f->extents);
    orr_text_free(&f->laid_out);
    orr_h5_quiet_end(&f->quiet);
    f->id = -1;
    f->sum = NULL;
}

static orr_status not_the_same(const char *path)
{
    return orr_fail(ORR_ERR_IO,
                    "%s: what was read back is not what was written; is the disk full or broken?",
                    path);
}

/* Adds one dataset, as it now lies on disk, to a sum. */
static orr_status sum_dataset(const orr_h5_file *f, hid_t id, const char *name, orr_sha256 *sum)
{
    hid_t d = H5Dopen2(id, name, H5P_DEFAULT), type = d >= 0 ? H5Dget_type(d) : -1,
          space = d >= 0 ? H5Dget_space(d) : -1;
    size_t bytes = type >= 0 && space >= 0
                       ? H5Tget_size(type) * (size_t)H5Sget_simple_extent_npoints(space)
                       : 0;
    void *data = orr_alloc(bytes, 1);
    orr_status st = ORR_OK;

    if (!data)
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: %zu bytes to read back", bytes);
    else if (type < 0 || space < 0 ||
             (bytes && H5Dread(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0))
        st = orr_h5_fail(ORR_ERR_IO, "%s: %s cannot be read back after writing", f->path, name);
    if (st == ORR_OK) st = orr_sha256_add(sum, name, strlen(name) + 1);
    if (st == ORR_OK) st = orr_sha256_add(sum, data, bytes);
    orr_free(data);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (d >= 0) H5Dclose(d);
    return st;
}

/* The closed .tmp opens again and holds what was put into it. */
static orr_status check_on_disk(const orr_h5_file *f, const char *want)
{
    char have[ORR_SHA256_HEX];
    orr_sha256 *sum = NULL;
    hid_t id = -1;
    orr_status st = orr_sha256_begin(&sum);

    if (st == ORR_OK) st = orr_h5_open(&id, f->tmp);
    for (size_t at = 0; st == ORR_OK && at < f->names.len; at += strlen(f->names.s + at) + 1)
        st = sum_dataset(f, id, f->names.s + at, sum);
    if (id >= 0) H5Fclose(id);
    if (st == ORR_OK) {
        st = orr_sha256_end(sum, have);
        sum = NULL;
    }
    orr_sha256_destroy(sum);
    if (st == ORR_OK && strcmp(have, want) != 0) st = not_the_same(f->path);
    return st;
}

orr_status orr_h5_lay_out(orr_h5_file *f, const char *name, hid_t type, int n_dims,
                          const hsize_t *dims)
{
    hid_t d = -1;

    orr_text_addn(&f->laid_out, name, strlen(name) + 1);
    ORR_TRY(orr_h5_dataset(&d, f->id, name, type, n_dims, dims, -1));
    H5Dclose(d);
    return orr_text_status(&f->laid_out);
}

orr_status orr_h5_pause(orr_h5_file *f)
{
    orr_status st = close_memory(f);

    if (st == ORR_OK) st = write_memory(&f->memory, f->tmp, f->path);
    free_memory(&f->memory);
    return st;
}

orr_status orr_h5_go_on(orr_h5_file *f)
{
    hid_t transfer = -1;
    orr_status st = orr_h5_open_write(&f->id, &transfer, f->tmp, H5P_DEFAULT);

    if (transfer >= 0) H5Pclose(transfer);
    ORR_TRY(st);
    for (size_t at = 0; at < f->laid_out.len; at += strlen(f->laid_out.s + at) + 1) {
        const char *name = f->laid_out.s + at;
        ORR_TRY(sum_dataset(f, f->id, name, f->sum));
        orr_text_addn(&f->names, name, strlen(name) + 1);
    }
    return ORR_OK;
}

/* The sum into f's attribute sha256 and to sum. */
static orr_status end_sum(orr_h5_file *f, char sum[ORR_SHA256_HEX])
{
    orr_status st = orr_text_status(&f->names);

    if (st == ORR_OK) st = orr_text_status(&f->extents);
    if (st == ORR_OK) {
        st = orr_sha256_end(f->sum, sum);
        f->sum = NULL;
    }
    return st == ORR_OK ? orr_h5_put_text(f->id, "sha256", sum) : st;
}

orr_status orr_h5_take(orr_h5_file *f, orr_status so_far, orr_h5_image *image)
{
    orr_status st = so_far;

    *image = (orr_h5_image){ 0 };
    if (st == ORR_OK) st = end_sum(f, image->sum);
    if (st == ORR_OK) st = close_memory(f);
    if (st == ORR_OK) st = orr_sha256_begin(&image->check);
    if (st == ORR_OK) {
        image->memory = f->memory;
        image->names = f->names;
        image->extents = f->extents;
        f->memory = (orr_h5_memory){ 0 };
        f->names = f->extents = (orr_text)ORR_TEXT_INIT;
    }
    give_back(f);
    return st;
}

void orr_h5_image_free(orr_h5_image *image)
{
    free_memory(&image->memory);
    orr_sha256_destroy(image->check);
    image->check = NULL;
    orr_text_free(&image->names);
    orr_text_free(&image->extents);
}

/* Are the bytes of fd those of the image, and no more? */
static orr_status compare(const orr_h5_image *image, int fd, const char *path)
{
    const char *want = image->memory.data;
    size_t left = image->memory.bytes;
    char buffer[COMPARE_BYTES];

    for (;;) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            return orr_fail(ORR_ERR_IO, "%s: cannot be read back after writing: %s", path,
                            strerror(errno));
        if (n == 0) return left == 0 ? ORR_OK : not_the_same(path);
        if ((size_t)n > left || memcmp(buffer, want, (size_t)n) != 0) return not_the_same(path);
        want += n;
        left -= (size_t)n;
    }
}

/* The sum over the image's datasets is the one that was taken of what went into them. */
static orr_status check_sum(orr_h5_image *image, const char *path)
{
    const char *bytes = image->memory.data;
    orr_sha256 *sum = image->check;
    char have[ORR_SHA256_HEX];

    if (!sum) return ORR_OK; /* under its first name */
    for (size_t at = 0, i = 0; at < image->names.len; i++) {
        const char *name = image->names.s + at;
        orr_h5_extent e;

        memcpy(&e, image->extents.s + i * sizeof e, sizeof e);
        if (e.offset > image->memory.bytes || e.bytes > image->memory.bytes - e.offset)
            return not_the_same(path);
        ORR_TRY(orr_sha256_add(sum, name, strlen(name) + 1));
        ORR_TRY(orr_sha256_add(sum, bytes + e.offset, (size_t)e.bytes));
        at += strlen(name) + 1;
    }
    image->check = NULL;
    ORR_TRY(orr_sha256_end(sum, have));
    return strcmp(have, image->sum) == 0 ? ORR_OK : not_the_same(path);
}

static orr_status check_written(orr_h5_image *image, const char *tmp, const char *path)
{
    int fd = open(tmp, O_RDONLY | O_CLOEXEC);
    orr_status st;

    if (fd < 0)
        return orr_fail(ORR_ERR_IO, "%s: cannot be read back after writing: %s", path,
                        strerror(errno));
    st = compare(image, fd, path);
    close(fd);
    return st == ORR_OK ? check_sum(image, path) : st;
}

orr_status orr_h5_image_write(orr_h5_image *image, const char *path)
{
    char tmp[ORR_PATH_MAX];
    orr_status st;

    ORR_TRY(orr_tmp_path(tmp, path));
    st = write_memory(&image->memory, tmp, path);
    if (st == ORR_OK) st = check_written(image, tmp, path);
    if (st == ORR_OK) st = orr_commit_file(tmp, path);
    if (st != ORR_OK) unlink(tmp);
    return st;
}

/* A file that was paused lies on the disk. */
static orr_status commit_on_disk(orr_h5_file *f, orr_status so_far)
{
    char sum[ORR_SHA256_HEX] = "";
    orr_status st = so_far == ORR_OK ? end_sum(f, sum) : so_far;

    if (st == ORR_OK) {
        herr_t closed = H5Fclose(f->id);
        f->id = -1;
        if (closed < 0)
            st = orr_h5_fail(ORR_ERR_IO, "%s: could not be written (is the disk full?)", f->path);
    }
    if (st == ORR_OK) st = check_on_disk(f, sum);
    if (st == ORR_OK) st = orr_commit_file(f->tmp, f->path);
    if (st != ORR_OK && f->tmp[0]) unlink(f->tmp);
    give_back(f);
    return st;
}

orr_status orr_h5_commit(orr_h5_file *f, orr_status so_far)
{
    const char *path = f->path;
    orr_h5_image image;
    orr_status st;

    if (!f->in_memory) return commit_on_disk(f, so_far);
    st = orr_h5_take(f, so_far, &image);
    if (st == ORR_OK) st = orr_h5_image_write(&image, path);
    orr_h5_image_free(&image);
    return st;
}

orr_status orr_h5_load_begin(orr_h5_file *f, const char *path, const char *format)
{
    char found[64];
    orr_status st;

    *f = (orr_h5_file){ .id = -1, .path = path };
    orr_h5_quiet_begin(&f->quiet);
    ORR_TRY(orr_sha256_begin(&f->sum));
    ORR_TRY(orr_h5_open(&f->id, path));
    st = orr_h5_has(f->id, "format") ? orr_h5_get_text(f->id, path, "format", found, sizeof found)
                                     : ORR_ERR_FORMAT;
    if (st == ORR_ERR_NOMEM) return st;
    if (st != ORR_OK)
        return orr_fail(ORR_ERR_FORMAT, "%s: an HDF5 file, but not one of Orrery's (%s expected)",
                        path, format);
    if (strcmp(found, format) != 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: its format is %s; %s is expected here", path, found,
                        format);
    return ORR_OK;
}

int64_t orr_h5_count(orr_h5_file *f, const char *name)
{
    hid_t d = -1, space = -1;
    int64_t n = -1;

    if (H5Lexists(f->id, name, H5P_DEFAULT) <= 0) return -1;
    d = H5Dopen2(f->id, name, H5P_DEFAULT);
    if (d >= 0) space = H5Dget_space(d);
    if (space >= 0) n = H5Sget_simple_extent_npoints(space);
    if (space >= 0) H5Sclose(space);
    if (d >= 0) H5Dclose(d);
    return n;
}

orr_status orr_h5_get_array(orr_h5_file *f, const char *name, hid_t type, size_t element_bytes,
                            size_t count, void *data)
{
    int64_t n = orr_h5_count(f, name);
    hid_t d;
    herr_t ok;

    if (n < 0) return orr_fail(ORR_ERR_FORMAT, "%s: has no dataset %s", f->path, name);
    if ((size_t)n != count)
        return orr_fail(ORR_ERR_FORMAT, "%s: %s holds %lld numbers, %zu expected", f->path, name,
                        (long long)n, count);
    d = H5Dopen2(f->id, name, H5P_DEFAULT);
    ok = count ? H5Dread(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) : 0;
    if (d >= 0) H5Dclose(d);
    if (d < 0 || ok < 0)
        return orr_h5_fail(ORR_ERR_FORMAT, "%s: %s cannot be read; the file is damaged", f->path,
                           name);
    return add_to_sum(f, name, data, count * element_bytes);
}

orr_status orr_h5_get_string(orr_h5_file *f, const char *name, char **out)
{
    hid_t d, type;
    size_t bytes;
    char *text;
    orr_status st;

    *out = NULL;
    if (orr_h5_count(f, name) != 1)
        return orr_fail(ORR_ERR_FORMAT, "%s: has no text %s", f->path, name);
    d = H5Dopen2(f->id, name, H5P_DEFAULT);
    type = H5Dget_type(d);
    bytes = H5Tget_size(type);
    st = H5Tget_class(type) == H5T_STRING && bytes < ((size_t)1 << 30)
             ? ORR_OK
             : orr_fail(ORR_ERR_FORMAT, "%s: %s is not a text", f->path, name);
    if (st == ORR_OK && !(text = orr_alloc(bytes + 1, 1)))
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: %zu bytes of text", bytes);
    if (st == ORR_OK) {
        hid_t read_as = orr_h5_string_type(bytes);
        st = orr_h5_get_array(f, name, read_as, bytes, 1, text);
        H5Tclose(read_as);
        if (st == ORR_OK)
            *out = text;
        else
            orr_free(text);
    }
    H5Tclose(type);
    H5Dclose(d);
    return st;
}

orr_status orr_h5_load_end(orr_h5_file *f, orr_status so_far, int check)
{
    char sum[ORR_SHA256_HEX], stored[ORR_SHA256_HEX];
    orr_status st = so_far;

    if (st == ORR_OK && check) {
        st = orr_sha256_end(f->sum, sum);
        f->sum = NULL;
        if (st == ORR_OK) st = orr_h5_get_text(f->id, f->path, "sha256", stored, sizeof stored);
        if (st == ORR_OK && strcmp(sum, stored) != 0)
            st = orr_fail(ORR_ERR_FORMAT,
                          "%s: its content does not match its checksum; the file is damaged",
                          f->path);
    }
    give_back(f);
    return st;
}
