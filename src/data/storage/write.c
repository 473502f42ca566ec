/* data/storage/write.c - files from their first attribute to their name.
 * Cut into what all files share, plain files, summed files, and images of them. */
#include "core/lock.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/storage/hdf5_access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 20, COMPARE_BYTES = 1 << 16, MAX_LATER = 32, NAME_MAX_BYTES = 256 };

/* Where the bytes of an array lie. */
typedef struct extent {
    uint64_t offset, bytes;
} extent;

/* An array of a plain file whose bytes follow when HDF5 has closed it. */
typedef struct later {
    char name[NAME_MAX_BYTES];
    const void *data;
    extent at;
} later;

struct orr_store_writer {
    hid_t id;
    int plain, in_memory; /* neither: a summed file that was paused, on the disk */
    char path[ORR_PATH_MAX], tmp[ORR_PATH_MAX];
    orr_lock lock; /* of tmp, once there is one */
    /* summed files */
    orr_h5_memory memory;
    orr_sha256 *sum;   /* over names and contents, in the order of the calls */
    orr_text names;    /* of the arrays written, each with its NUL: what is read back */
    orr_text extents;  /* an extent of each */
    orr_text laid_out; /* names of those that others fill */
    /* plain files */
    int fd, n_later;
    later later[MAX_LATER];
};

struct orr_store_image {
    orr_h5_memory memory;
    orr_text names, extents;
    char sum[ORR_SHA256_HEX];
    orr_sha256 *check; /* begun; NULL once the sum was found again */
};

size_t orr_store_row_bytes(const orr_store_array *a)
{
    size_t bytes = a->type.bytes;

    for (int i = 1; i < a->n_dims; i++)
        bytes *= (size_t)a->dims[i];
    return bytes;
}

const char *orr_store_writer_path(const orr_store_writer *w)
{
    return w->path;
}

static void free_memory(orr_h5_memory *m)
{
    orr_free(m->data);
    *m = (orr_h5_memory){ 0 };
}

static void destroy(orr_store_writer *w)
{
    if (!w) return;
    if (w->id >= 0) H5Fclose(w->id);
    if (w->fd >= 0) close(w->fd);
    orr_lock_release(&w->lock);
    free_memory(&w->memory);
    orr_sha256_destroy(w->sum);
    orr_text_free(&w->names);
    orr_text_free(&w->extents);
    orr_text_free(&w->laid_out);
    orr_free(w);
}

static orr_status create(orr_store_writer **out, const char *path)
{
    orr_store_writer *w = orr_alloc(1, sizeof *w);
    orr_status st;

    *out = NULL;
    if (!w) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", path);
    w->id = -1;
    w->fd = -1;
    w->lock = (orr_lock)ORR_LOCK_INIT;
    st = orr_path_join(w->path, "", path);
    if (st == ORR_OK) st = orr_tmp_path(w->tmp, path);
    if (st == ORR_OK)
        *out = w;
    else
        destroy(w);
    return st;
}

/* ---- attributes, groups and datasets ---- */
orr_status orr_store_set_int(orr_store_writer *w, const char *name, int64_t value)
{
    orr_h5_silence();
    return orr_h5_put_int(w->id, name, value);
}

orr_status orr_store_set_text(orr_store_writer *w, const char *name, const char *text)
{
    orr_h5_silence();
    return orr_h5_put_text(w->id, name, text);
}

orr_status orr_store_set_texts(orr_store_writer *w, const char *name, const char *first,
                               size_t stride, int n)
{
    orr_h5_silence();
    return orr_h5_put_texts(w->id, name, first, stride, n);
}

orr_status orr_store_put_group(orr_store_writer *w, const char *name)
{
    hid_t plist, group = -1;

    orr_h5_silence();
    plist = H5Pcreate(H5P_GROUP_CREATE);
    if (plist >= 0 && H5Pset_obj_track_times(plist, 0) >= 0)
        group = H5Gcreate2(w->id, name, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (plist >= 0) H5Pclose(plist);
    if (group < 0)
        return orr_h5_fail(ORR_ERR_IO, "%s: group /%s could not be written", w->path, name);
    H5Gclose(group);
    return ORR_OK;
}

static orr_status check_array(const orr_store_writer *w, const char *name, const orr_store_array *a)
{
    int bad = a->n_dims < 1 || a->n_dims > ORR_STORE_DIMS || strlen(name) >= NAME_MAX_BYTES;

    for (int i = 0; !bad && i < a->n_dims; i++)
        bad = a->dims[i] < 0;
    return bad ? orr_fail(ORR_ERR_ARG, "%s: /%s cannot have this name or shape", w->path, name)
               : ORR_OK;
}

/* dcpl: closed here; negative: contiguous. */
static orr_status make_dataset(hid_t *set, const orr_store_writer *w, const char *name,
                               const orr_store_array *a, hid_t dcpl)
{
    hsize_t dims[ORR_STORE_DIMS];
    hid_t type = orr_h5_type(a->type);
    orr_status st;

    *set = -1;
    orr_h5_dims(dims, a);
    st = type < 0 ? orr_fail(ORR_ERR_ARG, "%s: /%s has no type that is stored", w->path, name)
                  : orr_h5_dataset(set, w->id, name, type, a->n_dims, dims, dcpl);
    if (type >= 0) H5Tclose(type);
    if (dcpl >= 0) H5Pclose(dcpl);
    return st;
}

orr_status orr_store_lay_out(orr_store_writer *w, const char *name, orr_store_array a)
{
    hid_t set;

    orr_h5_silence();
    ORR_TRY(check_array(w, name, &a));
    orr_text_addn(&w->laid_out, name, strlen(name) + 1);
    ORR_TRY(make_dataset(&set, w, name, &a, -1));
    H5Dclose(set);
    return orr_text_status(&w->laid_out);
}

static orr_status put_plain(orr_store_writer *w, const char *name, const orr_store_array *a,
                            const void *data)
{
    later *l = &w->later[w->n_later];
    hid_t set;

    if (w->n_later == MAX_LATER)
        return orr_fail(ORR_ERR_INTERNAL, "%s: more than %d arrays", w->path, MAX_LATER);
    ORR_TRY(make_dataset(&set, w, name, a, -1));
    H5Dclose(set);
    *l = (later){ .data = data, .at.bytes = orr_store_row_bytes(a) * (uint64_t)a->dims[0] };
    memcpy(l->name, name, strlen(name) + 1);
    if (l->at.bytes == 0) return ORR_OK;
    w->n_later++;
    return orr_h5_place(w->id, name, &l->at.offset);
}

static orr_status add_to_sum(orr_sha256 *sum, const char *name, const void *data, size_t bytes)
{
    ORR_TRY(orr_sha256_add(sum, name, strlen(name) + 1));
    return orr_sha256_add(sum, data, bytes);
}

static orr_status put_summed(orr_store_writer *w, const char *name, const orr_store_array *a,
                             const void *data)
{
    extent at = { .bytes = orr_store_row_bytes(a) * (uint64_t)a->dims[0] };
    hsize_t dims[ORR_STORE_DIMS];
    hid_t type = orr_h5_type(a->type);
    orr_status st;

    orr_h5_dims(dims, a);
    if (type < 0) return orr_fail(ORR_ERR_ARG, "%s: /%s has no type that is stored", w->path, name);
    st = add_to_sum(w->sum, name, data, (size_t)at.bytes);
    if (st == ORR_OK) st = orr_h5_write_column(w->id, name, type, a->n_dims, dims, data);
    if (st == ORR_OK && at.bytes) st = orr_h5_place(w->id, name, &at.offset);
    H5Tclose(type);
    orr_text_addn(&w->names, name, strlen(name) + 1);
    orr_text_addn(&w->extents, (const char *)&at, sizeof at);
    return st;
}

orr_status orr_store_put(orr_store_writer *w, const char *name, orr_store_array a, const void *data)
{
    orr_h5_silence();
    ORR_TRY(check_array(w, name, &a));
    return w->plain ? put_plain(w, name, &a, data) : put_summed(w, name, &a, data);
}

orr_status orr_store_put_text(orr_store_writer *w, const char *name, const char *text)
{
    return orr_store_put(w, name, orr_store_vector(ORR_STORE_TEXT_OF(strlen(text) + 1), 1), text);
}

/* ---- plain files ---- */
/* Takes the room a file will need, so that nothing later meets a full disk.  Its size stays as it
 * is. */
static orr_status reserve(int fd, const char *path, size_t bytes)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        bytes > limit.rlim_cur)
        return orr_fail(ORR_ERR_IO,
                        "%s: needs %zu bytes, the file size limit of this process is %llu", path,
                        bytes, (unsigned long long)limit.rlim_cur);
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) == 0 || errno == EOPNOTSUPP ||
        errno == ENOSYS || errno == EINTR)
        return ORR_OK;
    return orr_fail(ORR_ERR_IO, "%s: no room for %zu bytes: %s", path, bytes, strerror(errno));
}

/* Gives back what was reserved beyond the file's end. */
static void trim(int fd)
{
    struct stat info;

    if (fstat(fd, &info) == 0 && ftruncate(fd, info.st_size) != 0) return;
}

orr_status orr_store_begin_plain(orr_store_writer **out, const char *path, size_t room)
{
    orr_store_writer *w;
    orr_status st;

    orr_h5_silence();
    ORR_TRY(create(out, path));
    w = *out;
    w->plain = 1;
    if ((st = orr_lock_tmp(&w->lock, w->tmp)) != ORR_OK) {
        destroy(w);
        *out = NULL;
        return st;
    }
    w->fd = open(w->tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        st = orr_fail(ORR_ERR_IO, "%s: cannot create: %s", w->tmp, strerror(errno));
        destroy(w);
    } else {
        st = orr_h5_create(&w->id, w->tmp);
        if (st == ORR_OK) st = reserve(w->fd, w->tmp, room);
        if (st != ORR_OK) orr_store_commit(w, st); /* removes the .tmp */
    }
    if (st != ORR_OK) *out = NULL;
    return st;
}

orr_status orr_store_put_packed(orr_store_writer *w, const char *name, orr_store_array a,
                                int64_t rows, int level, const void *data)
{
    orr_store_array piece = a;
    hsize_t chunk[ORR_STORE_DIMS];
    hid_t set, type, dcpl;
    orr_status st;

    orr_h5_silence();
    ORR_TRY(check_array(w, name, &a));
    piece.dims[0] = rows;
    orr_h5_dims(chunk, &piece);
    dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(dcpl, 0);
    H5Pset_chunk(dcpl, a.n_dims, chunk);
    H5Pset_shuffle(dcpl);
    H5Pset_deflate(dcpl, (unsigned)level);
    H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
    ORR_TRY(make_dataset(&set, w, name, &a, dcpl));
    type = H5Dget_type(set);
    st = H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0
             ? orr_h5_fail(ORR_ERR_IO, "%s: cannot write /%s", w->tmp, name)
             : ORR_OK;
    H5Tclose(type);
    H5Dclose(set);
    return st;
}

orr_status orr_store_put_virtual(orr_store_writer *w, const char *name, orr_store_array a,
                                 const orr_store_parts *parts)
{
    hsize_t start[ORR_STORE_DIMS] = { 0 }, dims[ORR_STORE_DIMS], count[ORR_STORE_DIMS];
    hid_t dcpl, all, set = -1;
    orr_status st = ORR_OK;

    orr_h5_silence();
    ORR_TRY(check_array(w, name, &a));
    orr_h5_dims(dims, &a);
    memcpy(count, dims, sizeof count);
    dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(dcpl, 0);
    all = H5Screate_simple(a.n_dims, dims, NULL);
    for (int i = 0; st == ORR_OK && i < parts->n; i++) {
        hid_t part;

        count[0] = (hsize_t)parts->rows[i];
        part = H5Screate_simple(a.n_dims, count, NULL);
        H5Sselect_hyperslab(all, H5S_SELECT_SET, start, NULL, count, NULL);
        if (H5Pset_virtual(dcpl, all, parts->files + (size_t)i * parts->stride, name, part) < 0)
            st = orr_h5_fail(ORR_ERR_IO, "cannot make /%s a virtual dataset", name);
        H5Sclose(part);
        start[0] += count[0];
    }
    H5Sclose(all);
    if (st == ORR_OK)
        st = make_dataset(&set, w, name, &a, dcpl);
    else
        H5Pclose(dcpl);
    if (set >= 0) H5Dclose(set);
    return st;
}

static orr_status write_later(int fd, const char *path, const later *l)
{
    const char *from = l->data;
    uint64_t done = 0;

    while (done < l->at.bytes) {
        size_t want =
            l->at.bytes - done < (size_t)1 << 30 ? (size_t)(l->at.bytes - done) : (size_t)1 << 30;
        ssize_t n = pwrite(fd, from + done, want, (off_t)(l->at.offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return orr_fail(ORR_ERR_IO, "%s: cannot write /%s: %s", path, l->name,
                            n < 0 ? strerror(errno) : "nothing was written");
        done += (uint64_t)n;
    }
    return ORR_OK;
}

/* The .tmp holds all that was put. */
static orr_status finish_plain(orr_store_writer *w, orr_status so_far)
{
    hid_t id = w->id;
    orr_status st = so_far;

    w->id = -1;
    if (id >= 0 && H5Fclose(id) < 0 && st == ORR_OK)
        st = orr_h5_fail(ORR_ERR_IO, "%s: cannot finish the file", w->tmp);
    for (int i = 0; st == ORR_OK && i < w->n_later; i++)
        st = write_later(w->fd, w->tmp, &w->later[i]);
    return st;
}

static orr_status close_plain(orr_store_writer *w, orr_status so_far)
{
    int bad = close(w->fd) != 0;

    w->fd = -1;
    return bad && so_far == ORR_OK
               ? orr_fail(ORR_ERR_IO, "%s: cannot close: %s", w->tmp, strerror(errno))
               : so_far;
}

static orr_status commit_plain(orr_store_writer *w, orr_status so_far)
{
    orr_status st = finish_plain(w, so_far);

    trim(w->fd);
    st = close_plain(w, st);
    if (st == ORR_OK) st = orr_commit_file(w->tmp, w->path);
    if (st != ORR_OK) unlink(w->tmp);
    destroy(w);
    return st;
}

orr_status orr_store_leave(orr_store_writer *w, orr_status so_far)
{
    orr_status st;

    orr_h5_silence();
    if (!w) return so_far;
    st = close_plain(w, finish_plain(w, so_far));
    if (st != ORR_OK) unlink(w->tmp);
    destroy(w);
    return st;
}

orr_status orr_store_name_tmp(const char *path, int keep)
{
    char tmp[ORR_PATH_MAX];
    int fd;

    ORR_TRY(orr_tmp_path(tmp, path));
    if (!keep) {
        if (unlink(tmp) != 0 && errno != ENOENT)
            return orr_fail(ORR_ERR_IO, "%s: cannot remove: %s", tmp, strerror(errno));
        return ORR_OK;
    }
    fd = open(tmp, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        trim(fd);
        close(fd);
    }
    return orr_commit_file(tmp, path);
}

/* ---- summed files ---- */
static void take_spare(orr_store_writer *w, orr_store_image **spare)
{
    if (!spare || !*spare) return;
    w->memory = (*spare)->memory;
    (*spare)->memory = (orr_h5_memory){ 0 };
    orr_store_image_free(*spare);
    *spare = NULL;
}

orr_status orr_store_begin_large(orr_store_writer **out, const char *path, const char *format,
                                 size_t bytes, orr_store_image **spare)
{
    orr_store_writer *w;
    orr_status st;

    orr_h5_silence();
    ORR_TRY(create(out, path));
    w = *out;
    take_spare(w, spare);
    w->memory.least = bytes;
    w->in_memory = 1;
    st = orr_sha256_begin(&w->sum);
    if (st == ORR_OK) st = orr_h5_create_in_memory(&w->id, w->path, &w->memory);
    if (st == ORR_OK) st = orr_h5_put_text(w->id, "format", format);
    if (st == ORR_OK) st = orr_h5_put_text(w->id, "orrery", ORRERY_VERSION);
    if (st == ORR_OK) return ORR_OK;
    destroy(w);
    *out = NULL;
    return st;
}

orr_status orr_store_begin(orr_store_writer **out, const char *path, const char *format)
{
    return orr_store_begin_large(out, path, format, 0, NULL);
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

static orr_status close_memory(orr_store_writer *w)
{
    hid_t id = w->id;

    w->id = -1;
    w->in_memory = 0;
    return orr_h5_close_in_memory(id, w->path, &w->memory);
}

static orr_status not_the_same(const char *path)
{
    return orr_fail(ORR_ERR_IO,
                    "%s: what was read back is not what was written; is the disk full or broken?",
                    path);
}

/* Adds one array, as it now lies on the disk, to a sum. */
static orr_status sum_array(const orr_store_writer *w, hid_t id, const char *name, orr_sha256 *sum)
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
        st = orr_h5_fail(ORR_ERR_IO, "%s: %s cannot be read back after writing", w->path, name);
    if (st == ORR_OK) st = add_to_sum(sum, name, data, bytes);
    orr_free(data);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (d >= 0) H5Dclose(d);
    return st;
}

/* The closed .tmp opens again and holds what was put into it. */
static orr_status check_on_disk(const orr_store_writer *w, const char *want)
{
    char have[ORR_SHA256_HEX];
    orr_sha256 *sum = NULL;
    orr_h5_file file = { 0 };
    orr_status st = orr_sha256_begin(&sum);

    if (st == ORR_OK) st = orr_h5_open(&file, w->tmp);
    for (size_t at = 0; st == ORR_OK && at < w->names.len; at += strlen(w->names.s + at) + 1)
        st = sum_array(w, file.id, w->names.s + at, sum);
    orr_h5_close(&file);
    if (st == ORR_OK) {
        st = orr_sha256_end(sum, have);
        sum = NULL;
    }
    orr_sha256_destroy(sum);
    if (st == ORR_OK && strcmp(have, want) != 0) st = not_the_same(w->path);
    return st;
}

orr_status orr_store_pause(orr_store_writer *w)
{
    orr_status st;

    orr_h5_silence();
    st = close_memory(w);
    if (st == ORR_OK) st = orr_lock_tmp(&w->lock, w->tmp);
    if (st == ORR_OK) st = write_memory(&w->memory, w->tmp, w->path);
    free_memory(&w->memory);
    return st;
}

orr_status orr_store_go_on(orr_store_writer *w)
{
    hid_t transfer = -1;
    orr_status st;

    orr_h5_silence();
    st = orr_h5_open_write(&w->id, &transfer, w->tmp, NULL);
    if (transfer >= 0) H5Pclose(transfer);
    ORR_TRY(st);
    for (size_t at = 0; at < w->laid_out.len; at += strlen(w->laid_out.s + at) + 1) {
        const char *name = w->laid_out.s + at;
        ORR_TRY(sum_array(w, w->id, name, w->sum));
        orr_text_addn(&w->names, name, strlen(name) + 1);
    }
    return ORR_OK;
}

/* The sum into w's attribute sha256 and to sum. */
static orr_status end_sum(orr_store_writer *w, char sum[ORR_SHA256_HEX])
{
    orr_status st = orr_text_status(&w->names);

    if (st == ORR_OK) st = orr_text_status(&w->extents);
    if (st == ORR_OK) {
        st = orr_sha256_end(w->sum, sum);
        w->sum = NULL;
    }
    return st == ORR_OK ? orr_h5_put_text(w->id, "sha256", sum) : st;
}

/* A file that was paused lies on the disk. */
static orr_status commit_on_disk(orr_store_writer *w, orr_status so_far)
{
    char sum[ORR_SHA256_HEX] = "";
    orr_status st = so_far == ORR_OK ? end_sum(w, sum) : so_far;

    if (st == ORR_OK) {
        herr_t closed = H5Fclose(w->id);
        w->id = -1;
        if (closed < 0)
            st = orr_h5_fail(ORR_ERR_IO, "%s: could not be written (is the disk full?)", w->path);
    }
    if (st == ORR_OK) st = check_on_disk(w, sum);
    if (st == ORR_OK) st = orr_commit_file(w->tmp, w->path);
    if (st != ORR_OK && w->lock.fd >= 0) unlink(w->tmp); /* else it is another job's */
    destroy(w);
    return st;
}

static orr_status commit_in_memory(orr_store_writer *w, orr_status so_far)
{
    char path[ORR_PATH_MAX];
    orr_store_image *image;
    orr_status st;

    memcpy(path, w->path, sizeof path);
    st = orr_store_take(w, so_far, &image);
    if (st == ORR_OK) st = orr_store_image_write(image, path);
    orr_store_image_free(image);
    return st;
}

orr_status orr_store_commit(orr_store_writer *w, orr_status so_far)
{
    orr_h5_silence();
    if (!w) return so_far;
    if (w->plain) return commit_plain(w, so_far);
    return w->in_memory ? commit_in_memory(w, so_far) : commit_on_disk(w, so_far);
}

/* ---- images ---- */
orr_status orr_store_take(orr_store_writer *w, orr_status so_far, orr_store_image **image)
{
    orr_store_image *i;
    orr_status st = so_far;

    *image = NULL;
    orr_h5_silence();
    if (!w) return so_far;
    if (!(i = orr_alloc(1, sizeof *i)) && st == ORR_OK)
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: %s", w->path);
    if (st == ORR_OK) st = end_sum(w, i->sum);
    if (st == ORR_OK) st = close_memory(w);
    if (st == ORR_OK) st = orr_sha256_begin(&i->check);
    if (st == ORR_OK) {
        i->memory = w->memory;
        i->names = w->names;
        i->extents = w->extents;
        w->memory = (orr_h5_memory){ 0 };
        w->names = w->extents = (orr_text)ORR_TEXT_INIT;
        *image = i;
        i = NULL;
    }
    orr_store_image_free(i);
    destroy(w);
    return st;
}

void orr_store_image_free(orr_store_image *image)
{
    if (!image) return;
    free_memory(&image->memory);
    orr_sha256_destroy(image->check);
    orr_text_free(&image->names);
    orr_text_free(&image->extents);
    orr_free(image);
}

const void *orr_store_image_bytes(const orr_store_image *image, size_t *bytes)
{
    *bytes = image->memory.bytes;
    return image->memory.data;
}

/* Are the bytes of fd those of the image, and no more? */
static orr_status compare(const orr_store_image *image, int fd, const char *path)
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

/* The sum over the image's arrays is the one that was taken of what went into them. */
static orr_status check_sum(orr_store_image *image, const char *path)
{
    const char *bytes = image->memory.data;
    orr_sha256 *sum = image->check;
    char have[ORR_SHA256_HEX];

    if (!sum) return ORR_OK; /* under its first name */
    for (size_t at = 0, i = 0; at < image->names.len; i++) {
        const char *name = image->names.s + at;
        extent e;

        memcpy(&e, image->extents.s + i * sizeof e, sizeof e);
        if (e.offset > image->memory.bytes || e.bytes > image->memory.bytes - e.offset)
            return not_the_same(path);
        ORR_TRY(add_to_sum(sum, name, bytes + e.offset, (size_t)e.bytes));
        at += strlen(name) + 1;
    }
    image->check = NULL;
    ORR_TRY(orr_sha256_end(sum, have));
    return strcmp(have, image->sum) == 0 ? ORR_OK : not_the_same(path);
}

static orr_status check_written(orr_store_image *image, const char *tmp, const char *path)
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

orr_status orr_store_image_write(orr_store_image *image, const char *path)
{
    orr_lock lock = ORR_LOCK_INIT;
    char tmp[ORR_PATH_MAX];
    orr_status st;

    ORR_TRY(orr_tmp_path(tmp, path));
    ORR_TRY(orr_lock_tmp(&lock, tmp));
    st = write_memory(&image->memory, tmp, path);
    if (st == ORR_OK) st = check_written(image, tmp, path);
    if (st == ORR_OK) st = orr_commit_file(tmp, path);
    if (st != ORR_OK) unlink(tmp);
    orr_lock_release(&lock);
    return st;
}
