/* data/shard_write.c - one shard: room first, then HDF5's metadata, then the rows, then its name.
 * HDF5 only lays the file out.  Contiguous data is written by pwrite where HDF5 says it lies: a
 * full disk is then met by our own call, and not inside H5Fclose, which could not be taken back. */
#include "data/shard_file.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20, SLACK_BYTES = 1 << 20 /* metadata and alignment */ };

typedef struct column {
    const char *name;
    const void *data;
    size_t bytes;   /* of all rows */
    haddr_t offset; /* in the file; HADDR_UNDEF: HDF5 wrote it already */
} column;

orr_status orr_rows_alloc(orr_rows *rows, const orr_schema *s, int64_t n)
{
    size_t most = (size_t)n;

    *rows = (orr_rows){ .x = orr_alloc(most, orr_schema_x_bytes(s)),
                        .y = orr_alloc(most, orr_schema_y_bytes(s)),
                        .id = orr_alloc(most, orr_schema_id_bytes(s)),
                        .aux = orr_alloc(most, orr_schema_aux_bytes(s)) };
    if (rows->x && rows->y && rows->id && rows->aux) return ORR_OK;
    orr_rows_free(rows);
    return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld samples of %zu bytes", (long long)n,
                    orr_schema_x_bytes(s));
}

void orr_rows_free(orr_rows *rows)
{
    orr_free(rows->x);
    orr_free(rows->y);
    orr_free(rows->id);
    orr_free(rows->aux);
    *rows = (orr_rows){ 0 };
}

orr_status orr_file_reserve(int fd, const char *path, size_t bytes)
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

void orr_file_trim(int fd)
{
    struct stat info;

    if (fstat(fd, &info) == 0 && ftruncate(fd, info.st_size) != 0) return;
}

static orr_status write_all(int fd, const char *path, const column *c)
{
    const char *from = c->data;
    size_t done = 0;

    while (done < c->bytes) {
        size_t want = c->bytes - done < (size_t)1 << 30 ? c->bytes - done : (size_t)1 << 30;
        ssize_t n = pwrite(fd, from + done, want, (off_t)(c->offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return orr_fail(ORR_ERR_IO, "%s: cannot write /%s: %s", path, c->name,
                            n < 0 ? strerror(errno) : "nothing was written");
        done += (size_t)n;
    }
    return ORR_OK;
}

static hid_t compressed_dcpl(const orr_schema *s, int64_t rows, int level)
{
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[4];
    int64_t per_chunk = orr_schema_rows_per_shard(s, CHUNK_BYTES / 1048576.0);
    int rank = orr_schema_x_dims(s, per_chunk < rows ? per_chunk : rows, chunk);

    H5Pset_obj_track_times(dcpl, 0);
    H5Pset_chunk(dcpl, rank, chunk);
    H5Pset_shuffle(dcpl);
    H5Pset_deflate(dcpl, (unsigned)level);
    H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
    return dcpl;
}

/* Creates c's dataset; contiguous ones get their place and are written later. */
static orr_status lay_out(hid_t file, const char *path, column *c, hid_t type, int rank,
                          const hsize_t *dims, hid_t dcpl)
{
    orr_status st;
    hid_t set = -1;

    ORR_TRY_GOTO(st, done, orr_h5_dataset(&set, file, c->name, type, rank, dims, dcpl));
    c->offset = HADDR_UNDEF;
    if (dcpl >= 0) {
        if (H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, c->data) < 0)
            st = orr_h5_fail(ORR_ERR_IO, "%s: cannot write /%s", path, c->name);
    } else if ((c->offset = H5Dget_offset(set)) == HADDR_UNDEF) {
        st = orr_h5_fail(ORR_ERR_IO, "%s: HDF5 gave no place to /%s", path, c->name);
    }
done:
    if (set >= 0) H5Dclose(set);
    H5Tclose(type);
    return st;
}

/* The HDF5 file with everything but the contiguous rows. */
static orr_status lay_out_file(const char *path, int fd, const orr_schema *s, int64_t rows,
                               column col[ORR_N_COLUMNS], const orr_provenance *p,
                               const orr_shard_opts *o)
{
    orr_status st;
    hid_t file = -1, dcpl = -1;
    hsize_t dims[4];
    size_t room = SLACK_BYTES;

    for (int c = 0; c < ORR_N_COLUMNS; c++)
        room += col[c].bytes;
    ORR_TRY_GOTO(st, done, orr_h5_create(&file, path));
    ORR_TRY_GOTO(st, done, orr_file_reserve(fd, path, room));
    ORR_TRY_GOTO(st, done, orr_schema_put(file, ORR_SHARD_FORMAT, s, p));
    if (o && o->compression > 0) dcpl = compressed_dcpl(s, rows, o->compression);
    for (int c = 0; c < ORR_N_COLUMNS; c++) {
        int rank = orr_shard_column_dims(s, c, rows, dims);
        if (col[c].bytes > 0)
            ORR_TRY_GOTO(st, done,
                         lay_out(file, path, &col[c], orr_shard_column_type(s, c), rank, dims,
                                 c == ORR_COLUMN_X ? dcpl : -1));
    }
done:
    if (dcpl >= 0) H5Pclose(dcpl);
    if (file >= 0 && H5Fclose(file) < 0 && st == ORR_OK)
        st = orr_h5_fail(ORR_ERR_IO, "%s: cannot finish the file", path);
    return st;
}

static orr_status check_rows(const orr_schema *s, const orr_rows *r, int number)
{
    if (r->n < 1) return orr_fail(ORR_ERR_ARG, "shard %d: no rows", number);
    for (int c = 0; c < ORR_N_COLUMNS; c++)
        if (orr_shard_column_bytes(s, c) > 0 && !orr_rows_column(r, c))
            return orr_fail(ORR_ERR_ARG, "shard %d: its rows have no column /%s", number,
                            orr_shard_column_name(c));
    for (int64_t i = 0; s->y_type == ORR_Y_CLASS && i < r->n; i++) {
        int32_t label = ((const int32_t *)r->y)[i];
        if (label < 0 || label >= s->n_classes)
            return orr_fail(ORR_ERR_FORMAT,
                            "shard %d: row %lld has the label %d; there are classes 0 to %d",
                            number, (long long)i, label, s->n_classes - 1);
    }
    return ORR_OK;
}

static orr_status write_tmp(const char *tmp, const orr_schema *s, const orr_rows *rows,
                            const orr_provenance *p, const orr_shard_opts *o)
{
    orr_status st;
    column col[ORR_N_COLUMNS];
    int fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd < 0) return orr_fail(ORR_ERR_IO, "%s: cannot create: %s", tmp, strerror(errno));
    for (int c = 0; c < ORR_N_COLUMNS; c++)
        col[c] = (column){ orr_shard_column_name(c), orr_rows_column(rows, c),
                           (size_t)rows->n * orr_shard_column_bytes(s, c), HADDR_UNDEF };
    ORR_TRY_GOTO(st, done, lay_out_file(tmp, fd, s, rows->n, col, p, o));
    for (int c = 0; c < ORR_N_COLUMNS; c++)
        if (col[c].offset != HADDR_UNDEF) ORR_TRY_GOTO(st, done, write_all(fd, tmp, &col[c]));
    orr_file_trim(fd);
done:
    if (close(fd) != 0 && st == ORR_OK)
        st = orr_fail(ORR_ERR_IO, "%s: cannot close: %s", tmp, strerror(errno));
    return st;
}

orr_status orr_shard_write(const char *dir, int number, const orr_schema *s, const orr_rows *rows,
                           const orr_provenance *p, const orr_shard_opts *o)
{
    orr_status st;
    orr_h5_quiet quiet;
    char name[ORR_SHARD_NAME_MAX], path[ORR_PATH_MAX], tmp[ORR_PATH_MAX];

    ORR_TRY(orr_schema_check(s));
    ORR_TRY(check_rows(s, rows, number));
    if (number < 0 || (o && (o->compression < 0 || o->compression > 9)))
        return orr_fail(ORR_ERR_ARG,
                        "shard %d: the number must not be negative, compression lies in 0..9",
                        number);
    orr_shard_name(name, number);
    ORR_TRY(orr_path_join(path, dir, name));
    ORR_TRY(orr_tmp_path(tmp, path));
    if (orr_path_exists(path)) return orr_fail(ORR_ERR_EXISTS, "%s: exists already", path);
    orr_h5_quiet_begin(&quiet);
    st = write_tmp(tmp, s, rows, p, o);
    orr_h5_quiet_end(&quiet);
    if (st == ORR_OK) st = orr_commit_file(tmp, path);
    if (st != ORR_OK) unlink(tmp);
    return st;
}
