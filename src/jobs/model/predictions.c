/* jobs/model/predictions.c - one row a sample, as csv, npy or HDF5; and HDF5 read back. */
#include "core/memory.h"
#include "core/options.h"
#include "core/out_file.h"
#include "core/text.h"
#include "data/storage/storage.h"
#include "jobs/model/report.h"

#include <stdio.h>
#include <string.h>

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

/* What was taken off target k is given back in files: column k of values, or the one value of a
 * density.  0 of classes. */
static double shift_of(const orr_model *m, int k)
{
    return orr_schema_target_shift(&m->schema, k);
}

/* "value_z", by its number where it has no name; of one density "value" then. */
static void put_named(FILE *f, const orr_model *m, const char *what, int k)
{
    char name[ORR_DATA_NAME_MAX], column[ORR_DATA_NAME_MAX + 32];

    orr_schema_target_name(&m->schema, k, name, sizeof name);
    if (name[0])
        snprintf(column, sizeof column, "%s_%s", what, name);
    else if (is_density(m))
        snprintf(column, sizeof column, "%s", what);
    else
        snprintf(column, sizeof column, "%s_%d", what, k);
    fputc(',', f);
    orr_csv_put(f, column);
}

static void classes_header(FILE *f, const orr_model *m, int truth)
{
    char name[ORR_DATA_NAME_MAX], column[ORR_DATA_NAME_MAX + 16];
    int n = columns(m);

    fputs(truth ? ",label,predicted" : ",predicted", f);
    if (n == 2) fputs(",probability", f);
    for (int i = 0; n > 2 && i < n; i++) {
        snprintf(column, sizeof column, "probability_%s",
                 orr_class_name(&m->schema, i, name, sizeof name));
        fputc(',', f);
        orr_csv_put(f, column);
    }
}

static void csv_header(FILE *f, const orr_model *m, int truth)
{
    static const char *const of_density[] = { "value", "q16", "q50", "q84" };
    int n = is_density(m) ? 1 : columns(m);

    fputs("id", f);
    if (orr_model_n_classes(m)) {
        classes_header(f, m, truth);
        fputc('\n', f);
        return;
    }
    for (int i = 0; truth && i < n; i++)
        put_named(f, m, "target", i);
    for (int i = 0; !is_density(m) && i < n; i++)
        put_named(f, m, "value", i);
    for (int i = 0; is_density(m) && i < 4; i++)
        put_named(f, m, of_density[i], 0);
    fputs(is_density(m) && truth ? ",pit\n" : "\n", f);
}

/* As float32, so that the 9 digits are exactly what the npy form holds; in the origin of before a
 * shift as double, whose digits a float32 would lose. */
static void put_number(FILE *f, double v, double shift)
{
    if (shift != 0)
        fprintf(f, ",%.17g", v + shift);
    else
        fprintf(f, ",%.9g", (double)(float)v);
}

/* Mean, quantiles and, where the truth is known, where in the density it lies. */
static void csv_density(FILE *f, const orr_model *m, const double *p, const float *truth)
{
    const orr_bins *bins = &m->loss.bins;
    const double shift = shift_of(m, 0);
    double pit, crps;

    if (truth) put_number(f, (double)*truth, shift);
    put_number(f, orr_bins_mean(bins, p), shift);
    put_number(f, orr_density_quantile(bins, p, 0.16), shift);
    put_number(f, orr_density_quantile(bins, p, 0.5), shift);
    put_number(f, orr_density_quantile(bins, p, 0.84), shift);
    if (!truth) return;
    orr_pit_crps(bins, p, (double)*truth, &pit, &crps);
    put_number(f, pit, 0);
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
            put_number(f, p[i], 0);
    } else if (is_density(m)) {
        csv_density(f, m, p, truth ? orr_dataset_values(samples->set) + row : NULL);
    } else {
        for (int i = 0; truth && i < n; i++)
            put_number(f, (double)orr_dataset_values(samples->set)[row * n + i], shift_of(m, i));
        for (int i = 0; i < n; i++)
            put_number(f, p[i], shift_of(m, i));
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
    const int wide =
        !is_density(m) && orr_schema_is_shifted(&m->schema); /* float32 is too coarse */
    int n = snprintf(header, sizeof header,
                     "{'descr': '<f%d', 'fortran_order': False, 'shape': (%lld, %d), }",
                     wide ? 8 : 4, (long long)s->n, columns(m));
    int padded = (10 + n + 1 + 63) / 64 * 64 - 10;

    fwrite("\x93NUMPY\x01\x00", 1, 8, f);
    fputc(padded & 255, f);
    fputc(padded >> 8, f);
    fprintf(f, "%s%*s\n", header, padded - n - 1, "");
    for (int64_t i = 0; i < s->n * columns(m) && !ferror(f); i++) {
        const double v = s->p[i] + (wide ? shift_of(m, (int)(i % columns(m))) : 0);
        const float narrow = (float)v;
        fwrite(wide ? (const void *)&v : &narrow, wide ? sizeof v : sizeof narrow, 1, f);
    }
}

static orr_status write_stream(const char *path, kind k, const orr_model *m,
                               const orr_samples *samples, const int64_t *rows, const orr_scores *s,
                               double threshold)
{
    orr_out_file out;

    ORR_TRY(orr_out_file_open(&out, path));
    if (k == AS_CSV)
        write_csv(out.f, m, samples, rows, s, threshold);
    else
        write_npy(out.f, m, s);
    return orr_out_file_close(&out, ORR_OK);
}

/* ---- HDF5: all numbers, and who they are of ---- */
static orr_status put_edges(orr_store_writer *w, const orr_bins *bins, double shift)
{
    int64_t n = (int64_t)bins->count + 1;
    double *edges = orr_alloc((size_t)n, sizeof *edges);
    orr_status st;

    if (!edges) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", orr_store_writer_path(w));
    for (int k = 0; k <= bins->count; k++)
        edges[k] = bins->min + k * orr_bin_width(bins) + shift;
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

/* v[n][width] with the shifts back, as double.  truth: v is it, else p. */
static orr_status put_shifted(orr_store_writer *w, const char *name, const orr_model *m,
                              const float *truth, const double *p, int64_t n, int width)
{
    double *v = orr_alloc((size_t)n * (size_t)width + 1, sizeof *v);
    orr_status st;

    if (!v) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", orr_store_writer_path(w));
    for (int64_t i = 0; i < n * width; i++)
        v[i] = (truth ? (double)truth[i] : p[i]) + shift_of(m, (int)(i % width));
    st = orr_store_put(w, name,
                       width == 1 && (truth || is_density(m))
                           ? orr_store_vector(ORR_STORE_F64, n)
                           : orr_store_matrix(ORR_STORE_F64, n, width),
                       v);
    orr_free(v);
    return st;
}

static orr_status put_values(orr_store_writer *w, const orr_model *m, const orr_scores *s)
{
    const int width = is_density(m) ? 1 : columns(m);

    if (orr_schema_is_shifted(&m->schema))
        return put_shifted(w, "y", m, s->truth, NULL, s->n, width);
    return orr_store_put(w, "y",
                         width == 1 ? orr_store_vector(ORR_STORE_F32, s->n)
                                    : orr_store_matrix(ORR_STORE_F32, s->n, width),
                         s->truth);
}

/* Numbers that have a name: those of p, or the one value of a density. */
static int n_named(const orr_model *m)
{
    return is_density(m) ? 1 : columns(m);
}

static int n_shifts(const orr_model *m)
{
    return n_named(m) < ORR_MAX_TARGET_NAMES ? n_named(m) : ORR_MAX_TARGET_NAMES;
}

static orr_status set_names(orr_store_writer *w, const orr_model *m,
                            char (*text)[ORR_DATA_NAME_MAX])
{
    const int n = n_named(m);

    for (int i = 0; i < n; i++)
        if (orr_model_n_classes(m))
            orr_class_name(&m->schema, i, text[i], sizeof text[i]);
        else if (!*orr_schema_target_name(&m->schema, i, text[i], sizeof text[i]))
            snprintf(text[i], sizeof text[i], "%d", i);
    return orr_store_set_texts(w, is_density(m) ? "value_names" : "p_names", text[0],
                               sizeof text[0], n);
}

static orr_status set_units(orr_store_writer *w, const orr_model *m)
{
    const orr_schema *s = &m->schema;
    int known = 0;

    for (int i = 0; s->y_type == ORR_Y_VALUE && i < n_shifts(m); i++)
        known |= s->y_units[i][0] != '\0';
    if (!known) return ORR_OK;
    return orr_store_set_texts(w, is_density(m) ? "value_units" : "p_units", s->y_units[0],
                               sizeof s->y_units[0], n_shifts(m));
}

/* Attributes: what the numbers are called, in which units they are, and what was added to them
 * because it had been taken off the targets ("0" = nothing). */
static orr_status put_names(orr_store_writer *w, const orr_model *m)
{
    char(*text)[ORR_DATA_NAME_MAX];
    orr_status st;

    if (n_named(m) > ORR_MAX_CLASSES) return ORR_OK; /* too many for an attribute */
    if (!(text = orr_alloc((size_t)n_named(m), sizeof *text)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", orr_store_writer_path(w));
    st = set_names(w, m, text);
    if (st == ORR_OK) st = set_units(w, m);
    for (int i = 0; i < n_shifts(m); i++)
        snprintf(text[i], sizeof text[i], "%.17g", shift_of(m, i));
    if (st == ORR_OK && orr_schema_is_shifted(&m->schema))
        st = orr_store_set_texts(w, "shift", text[0], sizeof text[0], n_shifts(m));
    orr_free(text);
    return st;
}

static orr_status put_all(orr_store_writer *w, const orr_model *m, const orr_samples *samples,
                          const int64_t *rows, const orr_scores *s)
{
    const int shifted = orr_schema_is_shifted(&m->schema);

    ORR_TRY(put_names(w, m));
    ORR_TRY(put_ids(w, samples, rows, s->n));
    if (orr_has_truth(m, samples) && orr_model_n_classes(m))
        ORR_TRY(put_labels(w, samples, rows, s->n));
    if (s->truth) ORR_TRY(put_values(w, m, s));
    if (s->point) ORR_TRY(put_shifted(w, "value", m, NULL, s->point, s->n, 1));
    if (is_density(m)) ORR_TRY(put_edges(w, &m->loss.bins, shift_of(m, 0)));
    if (shifted && !is_density(m)) return put_shifted(w, "p", m, NULL, s->p, s->n, columns(m));
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

/* p as the model answered, before its shift was given back. */
static orr_status take_shifts_off(orr_store_reader *r, orr_predictions *out)
{
    const int n = out->width < ORR_MAX_TARGET_NAMES ? out->width : ORR_MAX_TARGET_NAMES;
    char text[ORR_MAX_TARGET_NAMES][ORR_DATA_NAME_MAX];
    double shift;

    if (!orr_store_has(r, "shift") || orr_store_count(r, "bin_edges") >= 0) return ORR_OK;
    ORR_TRY(orr_store_attr_texts(r, "shift", text[0], sizeof text[0], n));
    for (int k = 0; k < n; k++) {
        if (orr_parse_real(&shift, text[k]) != ORR_OK)
            return orr_fail(ORR_ERR_FORMAT, "%s: its shift makes no sense",
                            orr_store_reader_path(r));
        for (int64_t i = 0; i < out->n; i++)
            out->p[i * out->width + k] -= shift;
    }
    return ORR_OK;
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
    ORR_TRY(orr_store_get(r, "p", ORR_STORE_F64, (size_t)count, out->p));
    return take_shifts_off(r, out);
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
