/* jobs/model/predictions_read.c - predictions that were written as HDF5. */
#include "core/memory.h"
#include "jobs/model/h5_parts.h"
#include "jobs/model/report.h"

#include <string.h>

void orr_predictions_free(orr_predictions *p)
{
    orr_free(p->id);
    orr_free(p->p);
    *p = (orr_predictions){ 0 };
}

/* A dataset that is read for the checksum alone. */
static orr_status pass_over(orr_h5_file *f, const char *name, hid_t type, size_t bytes)
{
    int64_t n = orr_h5_count(f, name);
    void *data;
    orr_status st;

    if (n < 0) return ORR_OK;
    if (!(data = orr_alloc((size_t)n + 1, bytes)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", f->path);
    st = orr_h5_get_array(f, name, type, bytes, (size_t)n, data);
    orr_free(data);
    return st;
}

static orr_status read_truth(orr_h5_file *f)
{
    hid_t d = orr_h5_count(f, "y") < 0 ? -1 : H5Dopen2(f->id, "y", H5P_DEFAULT),
          type = d < 0 ? -1 : H5Dget_type(d);
    int is_label = type >= 0 && H5Tget_class(type) == H5T_INTEGER;

    if (type >= 0) H5Tclose(type);
    if (d < 0) return ORR_OK;
    H5Dclose(d);
    return is_label ? pass_over(f, "y", H5T_NATIVE_INT32, sizeof(int32_t))
                    : pass_over(f, "y", H5T_NATIVE_FLOAT, sizeof(float));
}

static orr_status read_all(orr_h5_file *f, orr_predictions *out)
{
    hid_t text = orr_h5_string_type(sizeof *out->id);
    int64_t count = orr_h5_count(f, "p");
    orr_status st = ORR_OK;

    out->n = orr_h5_count(f, "id");
    if (out->n < 1 || count < 1 || count % out->n != 0)
        st = orr_fail(ORR_ERR_FORMAT, "%s: it holds no predictions", f->path);
    if (st == ORR_OK) {
        out->width = (int)(count / out->n);
        out->id = orr_alloc((size_t)out->n, sizeof *out->id);
        out->p = orr_alloc((size_t)count, sizeof *out->p);
        if (!out->id || !out->p) st = orr_fail(ORR_ERR_NOMEM, "out of memory: %s", f->path);
    }
    if (st == ORR_OK)
        st = orr_h5_get_array(f, "id", text, sizeof *out->id, (size_t)out->n, out->id);
    H5Tclose(text);
    ORR_TRY(st);
    ORR_TRY(read_truth(f));
    ORR_TRY(pass_over(f, "value", H5T_NATIVE_DOUBLE, sizeof(double)));
    ORR_TRY(pass_over(f, "bin_edges", H5T_NATIVE_DOUBLE, sizeof(double)));
    return orr_h5_get_array(f, "p", H5T_NATIVE_DOUBLE, sizeof *out->p, (size_t)count, out->p);
}

orr_status orr_predictions_read(orr_predictions *out, const char *path)
{
    orr_h5_file f;
    orr_status st = orr_h5_load_begin(&f, path, "orrery-predictions-1");

    *out = (orr_predictions){ 0 };
    if (st == ORR_OK) st = read_all(&f, out);
    st = orr_h5_load_end(&f, st, 1);
    if (st != ORR_OK) orr_predictions_free(out);
    return st;
}
