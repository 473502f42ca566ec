/* data/storage/shared_file.c - one file, many writers: rows go through H5Dwrite, collectively.  A
 * process that fails remembers why, selects nothing from then on and tells it when the file is
 * closed: HDF5's collective calls never miss anybody. */
#include "data/storage/shared_file.h"

#include "core/memory.h"
#include "data/storage/hdf5_access.h"

struct orr_store_shared {
    char tmp[ORR_PATH_MAX];
    hid_t file, transfer, sets[ORR_STORE_SHARED_MAX];
    const char *names[ORR_STORE_SHARED_MAX]; /* for messages; borrowed */
    int n;
    orr_error failed; /* this process's first failure */
};

orr_status orr_store_shared_fail(orr_store_shared *s, orr_status st)
{
    orr_error_keep(&s->failed, st);
    return orr_error_raise(&s->failed);
}

static orr_status open_arrays(orr_store_shared *s)
{
    for (int i = 0; i < s->n; i++)
        if ((s->sets[i] = H5Dopen2(s->file, s->names[i], H5P_DEFAULT)) < 0)
            return orr_h5_fail(ORR_ERR_IO, "%s: cannot open /%s", s->tmp, s->names[i]);
    return ORR_OK;
}

orr_status orr_store_shared_create(orr_store_shared **out, const char *path,
                                   const char *const *names, int n)
{
    orr_store_shared *s = *out = orr_alloc(1, sizeof *s);

    if (!s) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", path);
    s->file = s->transfer = -1;
    s->n = n;
    for (int i = 0; i < n; i++) {
        s->sets[i] = -1;
        s->names[i] = names[i];
    }
    return orr_tmp_path(s->tmp, path);
}

orr_status orr_store_shared_open(orr_store_shared *s, const orr_store_ranks *ranks)
{
    orr_status st;

    orr_h5_silence();
    st = orr_h5_open_write(&s->file, &s->transfer, s->tmp, ranks);
    if (st == ORR_OK) st = open_arrays(s);
    return orr_store_shared_fail(s, st);
}

/* n = 0 selects nothing and is written all the same. */
static orr_status write_rows(const orr_store_shared *s, int i, int64_t first, int64_t n,
                             const void *rows)
{
    hsize_t dims[ORR_STORE_DIMS] = { 0 }, start[ORR_STORE_DIMS] = { (hsize_t)first };
    hid_t space = H5Dget_space(s->sets[i]), type = H5Dget_type(s->sets[i]), memory;
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    char nothing[16] = { 0 };
    herr_t bad;

    dims[0] = n > 0 ? (hsize_t)n : 1;
    memory = H5Screate_simple(rank, dims, NULL);
    if (n > 0) {
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dims, NULL);
    } else {
        H5Sselect_none(space);
        H5Sselect_none(memory);
    }
    bad = H5Dwrite(s->sets[i], type, memory, space, s->transfer, n > 0 ? rows : nothing);
    H5Tclose(type);
    H5Sclose(memory);
    H5Sclose(space);
    return bad < 0 ? orr_h5_fail(ORR_ERR_IO, "%s: cannot write /%s (is the disk full?)", s->tmp,
                                 s->names[i])
                   : ORR_OK;
}

static orr_status check_rows(const orr_store_shared *s, int i, int64_t first, int64_t n)
{
    hsize_t dims[ORR_STORE_DIMS] = { 0 };
    hid_t space = H5Dget_space(s->sets[i]);

    H5Sget_simple_extent_dims(space, dims, NULL);
    H5Sclose(space);
    if (n < 0 || first < 0 || first > (int64_t)dims[0] - n)
        return orr_fail(ORR_ERR_ARG, "%s: rows %lld to %lld of %llu of /%s", s->tmp,
                        (long long)first, (long long)(first + n), (unsigned long long)dims[0],
                        s->names[i]);
    return ORR_OK;
}

orr_status orr_store_shared_write(orr_store_shared *s, int i, int64_t first, int64_t n,
                                  const void *rows)
{
    orr_h5_silence();
    if (s->failed.code == ORR_OK) orr_store_shared_fail(s, check_rows(s, i, first, n));
    if (s->failed.code != ORR_OK) n = 0;
    return orr_store_shared_fail(s, write_rows(s, i, first, n, rows));
}

orr_status orr_store_shared_close(orr_store_shared *s)
{
    orr_status st;

    if (!s) return ORR_OK;
    orr_h5_silence();
    for (int i = 0; i < s->n; i++)
        if (s->sets[i] >= 0) H5Dclose(s->sets[i]);
    if (s->file >= 0 && H5Fclose(s->file) < 0)
        orr_store_shared_fail(s, orr_h5_fail(ORR_ERR_IO,
                                             "%s: cannot finish the file (is the disk "
                                             "full?)",
                                             s->tmp));
    if (s->transfer >= 0) H5Pclose(s->transfer);
    st = orr_error_raise(&s->failed);
    orr_free(s);
    return st;
}
