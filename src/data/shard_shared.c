/* data/shard_shared.c - one shard, many writers.
 * The layout is made by one process with the HDF5 calls of shard_write.c in their order (the
 * parallel driver would place small datasets elsewhere); rows then go through H5Dwrite,
 * collectively, instead of pwrite.  A rank that fails remembers why, selects nothing from then on
 * and tells it when the file is closed: HDF5's collective calls never miss anybody. */
#include "data/shard_shared.h"

#include "core/memory.h"
#include "data/shard_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLACK_BYTES = 1 << 20 /* metadata and alignment */ };

struct orr_shared_shard {
    char tmp[ORR_PATH_MAX];
    orr_schema schema;
    int64_t rows;
    hid_t file, transfer, sets[ORR_N_COLUMNS];
    orr_error failed; /* this rank's first failure */
};

static orr_status name_files(char path[ORR_PATH_MAX], char tmp[ORR_PATH_MAX], const char *dir,
                             int number)
{
    char name[ORR_SHARD_NAME_MAX];

    orr_shard_name(name, number);
    ORR_TRY(orr_path_join(path, dir, name));
    return orr_tmp_path(tmp, path);
}

/* ---- one rank: the layout ---- */
static orr_status reserve(const char *tmp, const orr_schema *s, int64_t rows)
{
    size_t bytes = SLACK_BYTES;
    orr_status st;
    int fd = open(tmp, O_RDWR | O_CLOEXEC);

    if (fd < 0) return orr_fail(ORR_ERR_IO, "%s: cannot open: %s", tmp, strerror(errno));
    for (int c = 0; c < ORR_N_COLUMNS; c++)
        bytes += (size_t)rows * orr_shard_column_bytes(s, (orr_shard_column)c);
    st = orr_file_reserve(fd, tmp, bytes);
    close(fd);
    return st;
}

static orr_status lay_out(const char *tmp, const orr_schema *s, int64_t rows,
                          const orr_provenance *p)
{
    orr_status st;
    hid_t file = -1;
    hsize_t dims[4];

    ORR_TRY_GOTO(st, done, orr_h5_create(&file, tmp));
    ORR_TRY_GOTO(st, done, reserve(tmp, s, rows));
    ORR_TRY_GOTO(st, done, orr_schema_put(file, ORR_SHARD_FORMAT, s, p));
    for (int c = 0; c < ORR_N_COLUMNS; c++) {
        int rank = orr_shard_column_dims(s, (orr_shard_column)c, rows, dims);
        hid_t set = -1, type;

        if (orr_shard_column_bytes(s, (orr_shard_column)c) == 0) continue;
        type = orr_shard_column_type(s, (orr_shard_column)c);
        st = orr_h5_dataset(&set, file, orr_shard_column_name((orr_shard_column)c), type, rank,
                            dims, -1);
        if (set >= 0) H5Dclose(set);
        H5Tclose(type);
        if (st != ORR_OK) goto done;
    }
done:
    if (file >= 0 && H5Fclose(file) < 0 && st == ORR_OK)
        st = orr_h5_fail(ORR_ERR_IO, "%s: cannot finish the file", tmp);
    return st;
}

orr_status orr_shared_shard_lay_out(const char *dir, int number, const orr_schema *s, int64_t rows,
                                    const orr_provenance *p)
{
    char path[ORR_PATH_MAX], tmp[ORR_PATH_MAX];
    orr_h5_quiet quiet;
    orr_status st;

    ORR_TRY(orr_schema_check(s));
    if (number < 0 || rows < 1)
        return orr_fail(ORR_ERR_ARG, "shard %d of %lld rows: it needs a number and a row", number,
                        (long long)rows);
    ORR_TRY(name_files(path, tmp, dir, number));
    if (orr_path_exists(path)) return orr_fail(ORR_ERR_EXISTS, "%s: exists already", path);
    orr_h5_quiet_begin(&quiet);
    st = lay_out(tmp, s, rows, p);
    orr_h5_quiet_end(&quiet);
    if (st != ORR_OK) unlink(tmp);
    return st;
}

/* ---- all ranks ---- */
static orr_status open_columns(orr_shared_shard *f)
{
    for (int c = 0; c < ORR_N_COLUMNS; c++) {
        const char *name = orr_shard_column_name((orr_shard_column)c);

        if (orr_shard_column_bytes(&f->schema, (orr_shard_column)c) == 0) continue;
        if ((f->sets[c] = H5Dopen2(f->file, name, H5P_DEFAULT)) < 0)
            return orr_h5_fail(ORR_ERR_IO, "%s: cannot open /%s", f->tmp, name);
    }
    return ORR_OK;
}

orr_status orr_shared_shard_open(orr_shared_shard **out, const char *dir, int number,
                                 const orr_schema *s, int64_t rows, hid_t access)
{
    char path[ORR_PATH_MAX];
    orr_h5_quiet quiet;
    orr_status st;
    orr_shared_shard *f = orr_alloc(1, sizeof *f);

    *out = NULL;
    if (!f) return orr_fail(ORR_ERR_NOMEM, "out of memory: a shared shard");
    f->schema = *s;
    f->rows = rows;
    f->file = f->transfer = -1;
    for (int c = 0; c < ORR_N_COLUMNS; c++)
        f->sets[c] = -1;
    orr_h5_quiet_begin(&quiet);
    ORR_TRY_GOTO(st, done, name_files(path, f->tmp, dir, number));
    ORR_TRY_GOTO(st, done, orr_h5_open_write(&f->file, &f->transfer, f->tmp, access));
    *out = f; /* from here on closing is everybody's, so it is the caller's even after a failure */
    st = orr_error_keep(&f->failed, open_columns(f));
    orr_error_raise(&f->failed);
done:
    orr_h5_quiet_end(&quiet);
    if (!*out) {
        if (f->transfer >= 0) H5Pclose(f->transfer);
        orr_free(f);
    }
    return st;
}

static orr_status check_write(const orr_shared_shard *f, int64_t first, const orr_rows *r)
{
    const int32_t *labels = r->y;

    if (r->n < 0 || first < 0 || first > f->rows - r->n)
        return orr_fail(ORR_ERR_ARG, "%s: rows %lld to %lld of %lld", f->tmp, (long long)first,
                        (long long)(first + r->n), (long long)f->rows);
    for (int c = 0; c < ORR_N_COLUMNS && r->n > 0; c++)
        if (f->sets[c] >= 0 && !orr_rows_column(r, (orr_shard_column)c))
            return orr_fail(ORR_ERR_ARG, "%s: its rows have no column /%s", f->tmp,
                            orr_shard_column_name((orr_shard_column)c));
    for (int64_t i = 0; f->schema.y_type == ORR_Y_CLASS && i < r->n; i++)
        if (labels[i] < 0 || labels[i] >= f->schema.n_classes)
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: row %lld has the label %d; there are classes 0 to %d", f->tmp,
                            (long long)(first + i), labels[i], f->schema.n_classes - 1);
    return ORR_OK;
}

/* n = 0 selects nothing and is written all the same. */
static orr_status write_column(orr_shared_shard *f, orr_shard_column c, int64_t first, int64_t n,
                               const void *data)
{
    hsize_t dims[4], start[4] = { (hsize_t)first };
    int rank = orr_shard_column_dims(&f->schema, c, n > 0 ? n : 1, dims);
    hid_t space = H5Dget_space(f->sets[c]), memory = H5Screate_simple(rank, dims, NULL),
          type = orr_shard_column_type(&f->schema, c);
    char nothing[1] = { 0 };
    herr_t bad;

    if (n > 0) {
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dims, NULL);
    } else {
        H5Sselect_none(space);
        H5Sselect_none(memory);
    }
    bad = H5Dwrite(f->sets[c], type, memory, space, f->transfer, n > 0 ? data : nothing);
    H5Tclose(type);
    H5Sclose(memory);
    H5Sclose(space);
    return bad < 0
               ? orr_h5_fail(ORR_ERR_IO, "%s: cannot write /%s", f->tmp, orr_shard_column_name(c))
               : ORR_OK;
}

orr_status orr_shared_shard_write(orr_shared_shard *f, int64_t first, const orr_rows *rows)
{
    orr_h5_quiet quiet;
    int64_t n;

    orr_h5_quiet_begin(&quiet);
    if (f->failed.code == ORR_OK) orr_error_keep(&f->failed, check_write(f, first, rows));
    n = f->failed.code == ORR_OK ? rows->n : 0;
    for (int c = 0; c < ORR_N_COLUMNS; c++)
        if (f->sets[c] >= 0)
            orr_error_keep(&f->failed,
                           write_column(f, (orr_shard_column)c, first, n,
                                        n > 0 ? orr_rows_column(rows, (orr_shard_column)c) : NULL));
    orr_h5_quiet_end(&quiet);
    return orr_error_raise(&f->failed);
}

orr_status orr_shared_shard_close(orr_shared_shard *f)
{
    orr_status st;
    orr_h5_quiet quiet;

    if (!f) return ORR_OK;
    orr_h5_quiet_begin(&quiet);
    for (int c = 0; c < ORR_N_COLUMNS; c++)
        if (f->sets[c] >= 0) H5Dclose(f->sets[c]);
    if (H5Fclose(f->file) < 0)
        orr_error_keep(&f->failed, orr_h5_fail(ORR_ERR_IO, "%s: cannot finish the file", f->tmp));
    H5Pclose(f->transfer);
    orr_h5_quiet_end(&quiet);
    st = orr_error_raise(&f->failed);
    orr_free(f);
    return st;
}

/* Gives back what was reserved and not used. */
static void trim(const char *path)
{
    struct stat info;

    if (stat(path, &info) == 0 && truncate(path, info.st_size) != 0) return;
}

orr_status orr_shared_shard_commit(const char *dir, int number, int keep)
{
    char path[ORR_PATH_MAX], tmp[ORR_PATH_MAX];

    ORR_TRY(name_files(path, tmp, dir, number));
    if (!keep) {
        if (unlink(tmp) != 0 && errno != ENOENT)
            return orr_fail(ORR_ERR_IO, "%s: cannot remove: %s", tmp, strerror(errno));
        return ORR_OK;
    }
    trim(tmp);
    return orr_commit_file(tmp, path);
}
