/* jobs/sets/info.c - what is in a shard set, checkpoint, model or run. */
#include "jobs/sets/info.h"
#include "core/bins.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/storage/storage.h"
#include "jobs/model/model.h"
#include "jobs/train/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { INFO_BINS = 10 };

static void print_class_counts(const orr_dataset *d, orr_text *t)
{
    const orr_schema *s = orr_dataset_schema(d);
    const int32_t *labels = orr_dataset_labels(d);
    int64_t rows = orr_dataset_rows(d), counts[ORR_MAX_CLASSES] = { 0 };
    char name[ORR_DATA_NAME_MAX];

    for (int64_t i = 0; i < rows; i++)
        counts[labels[i]]++;
    for (int i = 0; i < s->n_classes; i++)
        orr_text_printf(t, "  class %-14s %lld (%.4g%%)\n", orr_class_name(s, i, name, sizeof name),
                        (long long)counts[i],
                        rows ? 100.0 * (double)counts[i] / (double)rows : 0.0);
}

/* Range, mean and a histogram of ten equal bins of n numbers, `step` apart. */
static void print_numbers(const float *v, int64_t n, int step, const char *kind, const char *name,
                          int bars, orr_text *t)
{
    double low = INFINITY, high = -INFINITY, sum = 0;
    int64_t counts[INFO_BINS] = { 0 }, finite = 0, most = 1;
    orr_bins bins = { .count = INFO_BINS };

    for (int64_t i = 0; i < n; i++) {
        double x = (double)v[i * step];
        if (!isfinite(x)) continue;
        finite++;
        low = x < low ? x : low;
        high = x > high ? x : high;
        sum += x;
    }
    orr_text_printf(t, "  %-6s %-13s ", kind, name);
    if (finite == 0) {
        orr_text_add(t, "no number in it\n");
        return;
    }
    orr_text_printf(t, "%g to %g, mean %g", low, high, sum / (double)finite);
    if (finite < n) orr_text_printf(t, ", %lld are not numbers", (long long)(n - finite));
    orr_text_add(t, "\n");
    if (!bars || !(high > low)) return;
    bins.min = low;
    bins.max = high;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(v[i * step])) counts[orr_bin_of(&bins, (double)v[i * step])]++;
    for (int k = 0; k < INFO_BINS; k++)
        most = counts[k] > most ? counts[k] : most;
    for (int k = 0; k < INFO_BINS; k++) {
        orr_text_printf(t, "    %10.4g to %-10.4g %9lld ", low + k * orr_bin_width(&bins),
                        low + (k + 1) * orr_bin_width(&bins), (long long)counts[k]);
        for (int64_t i = 0; i < 40 * counts[k] / most; i++)
            orr_text_add(t, "#");
        orr_text_add(t, "\n");
    }
}

static void print_values(const orr_dataset *d, orr_text *t)
{
    const orr_schema *s = orr_dataset_schema(d);
    char number[16];

    for (int k = 0; k < s->y_width; k++) {
        const char *name = k < ORR_MAX_TARGET_NAMES ? s->y_names[k] : "";
        snprintf(number, sizeof number, "%d", k);
        print_numbers(orr_dataset_values(d) + k, orr_dataset_rows(d), s->y_width, "target",
                      name[0] ? name : number, k < 4, t);
    }
}

static void print_aux(const orr_dataset *d, orr_text *t)
{
    const orr_schema *s = orr_dataset_schema(d);

    for (int k = 0; k < s->n_aux; k++)
        print_numbers(orr_dataset_aux(d) + k, orr_dataset_rows(d), s->n_aux, "aux", s->aux_names[k],
                      0, t);
}

static orr_status info_set(const char *path, int verify, orr_text *t)
{
    static const char *const types[] = { "float32", "float16", "uint8" };
    orr_dataset *d;
    const orr_schema *s;
    char id[ORR_ID_TEXT_MAX + 1];

    ORR_TRY(orr_dataset_open(&d, path, verify));
    s = orr_dataset_schema(d);
    orr_text_printf(t, "%s: a shard set\n  samples              %lld in %d shards%s\n", path,
                    (long long)orr_dataset_rows(d), orr_dataset_n_shards(d),
                    verify ? ", every sha256 right" : "");
    orr_text_printf(
        t, "  sample               %d x %d x %d (height, width, channels), %s, %zu bytes\n", s->h,
        s->w, s->c, types[s->x_type], orr_schema_x_bytes(s));
    if (s->units[0]) orr_text_printf(t, "  units                %s\n", s->units);
    if (orr_dataset_rows(d) > 0) {
        orr_dataset_id(d, 0, id, sizeof id);
        orr_text_printf(t, "  ids                  %s, the first is %s\n",
                        s->id_type == ORR_ID_INT ? "integers" : "texts", id);
    }
    if (orr_dataset_labels(d))
        print_class_counts(d, t);
    else if (orr_dataset_values(d))
        print_values(d, t);
    else
        orr_text_add(t, "  no labels\n");
    print_aux(d, t);
    orr_text_printf(t, "  provenance           %s\n", orr_dataset_provenance(d));
    orr_dataset_close(d);
    return ORR_OK;
}

static orr_status info_model(const char *path, orr_text *t)
{
    orr_model m;
    char *record;
    orr_status st;

    ORR_TRY(orr_model_load(&m, path, "check"));
    orr_text_printf(t,
                    "%s: a model\n  takes                %d x %d x %d (height, width, channels)\n  "
                    "answers              %d outputs, loss %s\n",
                    path, m.schema.h, m.schema.w, m.schema.c, m.outputs, orr_loss_name(&m.loss));
    if (orr_model_is_interim(&m)) {
        orr_text_add(t, "  training             had not ended: this is the net ");
        orr_model_describe_state(&m, t);
        orr_text_add(t, "\n");
    }
    if (m.loss.bins.count)
        orr_text_printf(t, "  density              %d bins from %g to %g\n", m.loss.bins.count,
                        m.loss.bins.min, m.loss.bins.max);
    for (int i = 0; i < m.n_aux; i++)
        orr_text_printf(t, "%s%s%s", i ? ", " : "  beside a sample      ", m.aux_names[i],
                        i == m.n_aux - 1 ? "\n" : "");
    orr_text_add(t, "  transforms\n");
    orr_transform_dump(m.transform, t);
    if (m.aux_transform) {
        orr_text_add(t, "  transforms of aux\n");
        orr_transform_dump(m.aux_transform, t);
    }
    st = orr_graph_summary(m.graph, t);
    record = cJSON_Print(m.record);
    orr_text_printf(t, "\nrecord\n%s\n", record ? record : "none");
    cJSON_free(record);
    orr_model_destroy(&m);
    return st;
}

static orr_status info_checkpoint(const char *path, orr_text *t)
{
    orr_train_state state = { 0 };
    int64_t n_params = 0;
    char *job = NULL;
    orr_status st = orr_checkpoint_peek(path, &state, &job, &n_params);

    if (st == ORR_OK) {
        orr_text_printf(t,
                        "%s: a checkpoint\n  stands before        epoch %lld, step %lld of it\n  "
                        "steps done           %lld\n",
                        path, (long long)state.epoch + 1, (long long)state.epoch_step + 1,
                        (long long)state.steps);
        if (state.has_best)
            orr_text_printf(t, "  best so far          %.9g, epoch %lld\n", state.best,
                            (long long)state.best_epoch);
        orr_text_printf(t,
                        "  finished             %s\n  parameters           %lld numbers, gaps "
                        "included\n\njob\n%s",
                        state.finished ? "yes" : "no", (long long)n_params, job);
    }
    orr_free(job);
    return st;
}

/* The format attribute decides; a folder is a shard set when it has an index, a run when it has a
 * job. */
orr_status orr_info(const char *given, int verify, orr_text *t)
{
    char path[ORR_PATH_MAX], inner[ORR_PATH_MAX], format[64] = "";
    orr_store_reader *f;
    orr_status st;

    ORR_TRY(orr_path_join(path, "", given));
    if (!orr_path_exists(path)) return orr_fail(ORR_ERR_IO, "%s: no such file or folder", path);
    if (orr_path_is_dir(path)) {
        ORR_TRY(orr_path_join(inner, path, "index.h5"));
        if (orr_path_exists(inner)) return info_set(path, verify, t);
        ORR_TRY(orr_path_join(inner, path, "model.h5"));
        if (orr_path_exists(inner)) return info_model(inner, t);
        ORR_TRY(orr_path_join(inner, path, "checkpoint-last.h5"));
        if (orr_path_exists(inner)) return info_checkpoint(inner, t);
        return orr_fail(
            ORR_ERR_FORMAT,
            "%s: neither a shard set (no index.h5) nor a run (no model.h5 or checkpoint)", path);
    }
    st = orr_store_open(&f, path, NULL);
    if (st == ORR_OK && orr_store_has(f, "format"))
        st = orr_store_attr_text(f, "format", format, sizeof format);
    orr_store_close(f);
    ORR_TRY(st);
    if (strncmp(format, "orrery-index", 12) == 0) return info_set(path, verify, t);
    if (strncmp(format, "orrery-model", 12) == 0) return info_model(path, t);
    if (strncmp(format, "orrery-checkpoint", 17) == 0) return info_checkpoint(path, t);
    if (format[0])
        return orr_fail(
            ORR_ERR_UNSUPPORTED,
            "%s: its format is %s; info shows shard sets (index.h5), models and checkpoints", path,
            format);
    return orr_fail(ORR_ERR_FORMAT, "%s: an HDF5 file, but not one of Orrery's", path);
}
