/* jobs/model/predictions.c - one row a sample, as csv, npy or HDF5; and HDF5 read back. */
#include "core/file.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/storage/storage.h"
#include "jobs/model/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char format[] = "orrery-predictions-1";
enum { ID_BYTES = ORR_ID_TEXT_MAX + 1 };
typedef enum { AS_CSV, AS_NPY, AS_H5 } kind;

static orr_status kind_of(kind *out, const char *path)
{
    const char *dot = strrchr(path, '.');

    if (dot && strcmp(dot, ".csv") == 0)
        *out = AS_CSV;
    else if (dot && strcmp(dot, ".npy") == 0)
        *out = AS_NPY;
    else if (dot && (strcmp(dot, ".h5") == 0 || strcmp(dot, ".hdf5") == 0))
        *out = AS_H5;
    else
        return orr_fail(
            ORR_ERR_ARG,
            "%s: predictions are written as .csv, .npy or .h5; give one of these endings", path);
    return ORR_OK;
}

orr_status orr_predictions_check(const char *path, int overwrite)
{
    kind k = AS_CSV;

    ORR_TRY(kind_of(&k, path));
    if (!overwrite && orr_path_exists(path))
        return orr_fail(ORR_ERR_EXISTS, "%s exists; remove it or say overwrite=true", path);
    return ORR_OK;
}

static int columns(const orr_model *m)
{
    return orr_model_n_classes(m) ? orr_model_n_classes(m) : m->outputs;
}

static int is_density(const orr_model *m)
{
    return orr_loss_output_type(&m->loss) == ORR_OUTPUT_DENSITY;
}

static void csv_header(FILE *f, const orr_model *m, int truth)
{
    char name[ORR_DATA_NAME_MAX], column[ORR_DATA_NAME_MAX + 16];
    int n = columns(m), classes = orr_model_n_classes(m);

    fputs("id", f);
    if (classes) {
        fputs(truth ? ",label,predicted" : ",predicted", f);
        if (n == 2) {
            fputs(",probability", f);
        } else {
            for (int i = 0; i < n; i++) {
                snprintf(column, sizeof column, "probability_%s",
                         orr_class_name(&m->schema, i, name, sizeof name));
                fputc(',', f);
                orr_csv_put(f, column);
            }
        }
    } else if (is_density(m)) {
        fputs(truth ? ",target,value,q16,q50,q84,pit" : ",value,q16,q50,q84", f);
    } else {
        for (int i = 0; truth && i < n; i++)
            fprintf(f, ",target_%d", i);
        for (int i = 0; i < n; i++)
            fprintf(f, ",value_%d", i);
    }
    fputc('\n', f);
}

/* As float32, so that the 9 digits are exactly what the npy form holds. */
static void put_number(FILE *f, double v)
{
    fprintf(f, ",%.9g", (double)(float)v);
}

/* Mean, quantiles and, where the truth is known, where in the density it lies. */
static void csv_density(FILE *f, const orr_bins *bins, const double *p, const float *truth)
{
    double pit, crps;

    if (truth) put_number(f, (double)*truth);
    put_number(f, orr_bins_mean(bins, p));
    put_number(f, orr_density_quantile(bins, p, 0.16));
    put_number(f, orr_density_quantile(bins, p, 0.5));
    put_number(f, orr_density_quantile(bins, p, 0.84));
    if (!truth) return;
    orr_pit_crps(bins, p, (double)*truth, &pit, &crps);
    put_number(f, pit);
}

static void csv_row(FILE *f, const orr_model *m, const orr_samples *samples, int64_t row,
                    const double *p, double threshold, int truth)
{
    char id[ORR_ID_TEXT_MAX + 1], name[ORR_DATA_NAME_MAX];
    int n = columns(m);

    orr_dataset_id(samples->set, row, id, sizeof id);
    orr_csv_put(f, id);
    if (orr_model_n_classes(m)) {
        if (truth) {
            fputc(',', f);
            orr_csv_put(f, orr_class_name(&m->schema, orr_dataset_labels(samples->set)[row], name,
                                          sizeof name));
        }
        fputc(',', f);
        orr_csv_put(
            f, orr_class_name(&m->schema, orr_named_class(p, n, threshold), name, sizeof name));
        for (int i = n == 2 ? 1 : 0; i < n; i++)
            put_number(f, p[i]);
    } else if (is_density(m)) {
        csv_density(f, &m->loss.bins, p, truth ? orr_dataset_values(samples->set) + row : NULL);
    } else {
        for (int i = 0; truth && i < n; i++)
            put_number(f, (double)orr_dataset_values(samples->set)[row * n + i]);
        for (int i = 0; i < n; i++)
            put_number(f, p[i]);
    }
    fputc('\n', f);
}

static void write_csv(FILE *f, const orr_model *m, const orr_samples *samples, const int64_t *rows,
                      const orr_scores *s, double threshold)
{
    int truth = orr_has_truth(m, samples);

    csv_header(f, m, truth);
    for (int64_t i = 0; i < s->n && !ferror(f); i++)
        csv_row(f, m, samples, rows[i], s->p + i * columns(m), threshold, truth);
}

/* The npy header is fixed text: version 1.0, padded to 64 bytes, as numpy.save writes it. */
static void write_npy(FILE *f, const orr_model *m, const orr_scores *s)
{
    char header[256];
    int n = snprintf(header, sizeof header,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %d), }",
                     (long long)s->n, columns(m));
    int padded = (10 + n + 1 + 63) / 64 * 64 - 10;

    fwrite("\x93NUMPY\x01\x00", 1, 8, f);
    fputc(padded & 255, f);
    fputc(padded >> 8, f);
    fprintf(f, "%s%*s\n", header, padded - n - 1, "");
    for (int64_t i = 0; i < s->n * columns(m) && !ferror(f); i++) {
        float v = (float)s->p[i];
        fwrite(&v, sizeof v, 1, f);
    }
}

static orr_status write_stream(const char *path, kind k, const orr_model *m,
                               const orr_samples *samples, const int64_t *rows, const orr_scores *s,
                               double threshold)
{
    char tmp[ORR_PATH_MAX];
    FILE *f;
    int bad;

    ORR_TRY(orr_tmp_path(tmp, path));
    if (!(f = fopen(tmp, "wb"))) return orr_fail(ORR_ERR_IO, "%s: %s", tmp, strerror(errno));
    if (k == AS_CSV)
        write_csv(f, m, samples, rows, s, threshold);
    else
        write_npy(f, m, s);
    bad = ferror(f) | (fflush(f) != 0);
    if (bad) orr_fail(ORR_ERR_IO, "%s: %s; nothing was written", path, strerror(errno));
    if (fclose(f) != 0 && !bad)
        bad = orr_fail(ORR_ERR_IO, "%s: %s; nothing was written", path, strerror(errno));
    if (!bad && orr_commit_file(tmp, path) == ORR_OK) return ORR_OK;
    unlink(tmp);
    return ORR_ERR_IO;
}

/* ---- HDF5: all numbers, and who they are of ---- */
static orr_status put_edges(orr_store_writer *w, const orr_bins *bins)
{
    int64_t n = (int64_t)bins->count + 1;
    double *edges = orr_alloc((size_t)n, sizeof *edges);
    orr_status st;

    if (!edges) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", orr_store_writer_path(w));
    for (int k = 0; k <= bins->count; k++)
        edges[k] = bins->min + k * orr_bin_width(bins);
    st = orr_store_put(w, "bin_edges", orr_store_vector(ORR_STORE_F64, n), edges);
    orr_free(edges);
    return st;
}

static orr_status put_ids(orr_store_writer *w, const orr_samples *samples, const int64_t *rows,
                          int64_t n)
{
    char(*ids)[ID_BYTES] = orr_alloc((size_t)n + 1, sizeof *ids);
    orr_status st;

    if (!ids) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", orr_store_writer_path(w));
    for (int64_t i = 0; i < n; i++)
        orr_dataset_id(samples->set, rows[i], ids[i], ID_BYTES);
    st = orr_store_put(w, "id", orr_store_vector(ORR_STORE_TEXT_OF(ID_BYTES), n), ids);
    orr_free(ids);
    return st;
}

static orr_status put_labels(orr_store_writer *w, const orr_samples *samples, const int64_t *rows,
                             int64_t n)
{
    int32_t *labels = orr_alloc((size_t)n + 1, sizeof *labels);
    orr_status st;

    if (!labels) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", orr_store_writer_path(w));
    for (int64_t i = 0; i < n; i++)
        labels[i] = orr_dataset_labels(samples->set)[rows[i]];
    st = orr_store_put(w, "y", orr_store_vector(ORR_STORE_I32, n), labels);
    orr_free(labels);
    return st;
}

static orr_status put_all(orr_store_writer *w, const orr_model *m, const orr_samples *samples,
                          const int64_t *rows, const orr_scores *s)
{
    const orr_store_array one = orr_store_vector(ORR_STORE_F32, s->n),
                          many = orr_store_matrix(ORR_STORE_F32, s->n, columns(m));

    ORR_TRY(put_ids(w, samples, rows, s->n));
    if (orr_has_truth(m, samples) && orr_model_n_classes(m))
        ORR_TRY(put_labels(w, samples, rows, s->n));
    if (s->truth)
        ORR_TRY(orr_store_put(w, "y", is_density(m) || columns(m) == 1 ? one : many, s->truth));
    if (s->point)
        ORR_TRY(orr_store_put(w, "value", orr_store_vector(ORR_STORE_F64, s->n), s->point));
    if (is_density(m)) ORR_TRY(put_edges(w, &m->loss.bins));
    return orr_store_put(w, "p", orr_store_matrix(ORR_STORE_F64, s->n, columns(m)), s->p);
}

static orr_status write_h5(const char *path, const orr_model *m, const orr_samples *samples,
                           const int64_t *rows, const orr_scores *s)
{
    orr_store_writer *w;
    orr_status st = orr_store_begin(&w, path, format);

    if (st == ORR_OK) st = put_all(w, m, samples, rows, s);
    return orr_store_commit(w, st);
}

orr_status orr_predictions_write(const char *path, int overwrite, const orr_model *m,
                                 const orr_samples *samples, const int64_t *rows,
                                 const orr_scores *s, double threshold)
{
    kind k = AS_CSV;

    ORR_TRY(kind_of(&k, path));
    ORR_TRY(orr_predictions_check(path, overwrite));
    return k == AS_H5 ? write_h5(path, m, samples, rows, s)
                      : write_stream(path, k, m, samples, rows, s, threshold);
}

/* ---- read back ---- */
void orr_predictions_free(orr_predictions *p)
{
    orr_free(p->id);
    orr_free(p->p);
    *p = (orr_predictions){ 0 };
}

static orr_status read_all(orr_store_reader *r, orr_predictions *out)
{
    const char *path = orr_store_reader_path(r);
    int64_t count = orr_store_count(r, "p");

    out->n = orr_store_count(r, "id");
    if (out->n < 1 || count < 1 || count % out->n != 0 || count / out->n > INT32_MAX)
        return orr_fail(ORR_ERR_FORMAT, "%s: it holds no predictions", path);
    out->width = (int)(count / out->n);
    out->id = orr_alloc((size_t)out->n, sizeof *out->id);
    out->p = orr_alloc((size_t)count, sizeof *out->p);
    if (!out->id || !out->p) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", path);
    ORR_TRY(orr_store_get(r, "id", ORR_STORE_TEXT_OF(sizeof *out->id), (size_t)out->n, out->id));
    ORR_TRY(orr_store_pass(r, "y"));
    ORR_TRY(orr_store_pass(r, "value"));
    ORR_TRY(orr_store_pass(r, "bin_edges"));
    return orr_store_get(r, "p", ORR_STORE_F64, (size_t)count, out->p);
}

orr_status orr_predictions_read(orr_predictions *out, const char *path)
{
    orr_store_reader *r;
    orr_status st = orr_store_open(&r, path, format);

    *out = (orr_predictions){ 0 };
    if (st == ORR_OK) st = read_all(r, out);
    if (st == ORR_OK) st = orr_store_verify(r);
    orr_store_close(r);
    if (st != ORR_OK) orr_predictions_free(out);
    return st;
}

orr_status orr_predictions_take(const char *path, int64_t n, int width, const orr_id *id,
                                const int64_t *rows, double *p)
{
    orr_predictions have;
    orr_status st;

    ORR_TRY(orr_predictions_read(&have, path));
    st = have.n == n && have.width == width
             ? ORR_OK
             : orr_fail(ORR_ERR_FORMAT,
                        "%s holds %lld predictions of %d numbers; %lld of %d are expected", path,
                        (long long)have.n, have.width, (long long)n, width);
    for (int64_t i = 0; st == ORR_OK && i < n; i++)
        if (strcmp(have.id[i], id[rows ? rows[i] : i]) != 0)
            st = orr_fail(ORR_ERR_FORMAT, "%s: prediction %lld is of sample %s, not of %s", path,
                          (long long)i + 1, have.id[i], id[rows ? rows[i] : i]);
    if (st == ORR_OK) memcpy(p, have.p, (size_t)n * (size_t)width * sizeof *p);
    orr_predictions_free(&have);
    return st;
}
