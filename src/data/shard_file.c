/* data/shard_file.c - how a schema and its rows lie in an HDF5 file: attributes out and in, whether two
 * files agree, and reading rows of one shard. */
#include "data/shard_file.h"

#include "core/memory.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <string.h>

static const char *const x_names[] = { "float32", "float16", "uint8" };
static const char *const y_kinds[] = { "none", "class", "value" };
static const char *const id_names[] = { "integers", "text" };

/* {"program": "orrery", "version": ..., "command": ..., "job": ..., "inputs": [{"file": ...,
 * "sha256": ...}]} */
static orr_status put_provenance(hid_t file, const orr_provenance *p)
{
    orr_status st = ORR_ERR_NOMEM;
    cJSON *root = cJSON_CreateObject();
    cJSON *inputs = root ? cJSON_AddArrayToObject(root, "inputs") : NULL;
    char *text = NULL;

    if (!inputs || !cJSON_AddStringToObject(root, "program", "orrery") ||
        !cJSON_AddStringToObject(root, "version", ORRERY_VERSION))
        goto done;
    if (p && p->command && !cJSON_AddStringToObject(root, "command", p->command)) goto done;
    if (p && p->job && !cJSON_AddStringToObject(root, "job", p->job)) goto done;
    for (int i = 0; p && i < p->n_inputs; i++) {
        cJSON *in = cJSON_CreateObject();
        if (!cJSON_AddItemToArray(inputs, in) ||
            !cJSON_AddStringToObject(in, "file", p->inputs[i]) ||
            (p->input_sha256 && p->input_sha256[i] &&
             !cJSON_AddStringToObject(in, "sha256", p->input_sha256[i])))
            goto done;
    }
    if ((text = cJSON_PrintUnformatted(root))) st = orr_h5_put_text(file, "provenance", text);
done:
    if (st == ORR_ERR_NOMEM) orr_fail(st, "no memory for the provenance of a shard");
    cJSON_free(text);
    cJSON_Delete(root);
    return st;
}

orr_status orr_names_put(hid_t file, const char *attribute, const char names[][ORR_DATA_NAME_MAX],
                         int n)
{
    for (int i = 0; i < n; i++)
        if (names[i][0]) return orr_h5_put_texts(file, attribute, names[0], ORR_DATA_NAME_MAX, n);
    return ORR_OK;
}

static orr_status get_names(hid_t file, const char *path, const char *attribute,
                            char names[][ORR_DATA_NAME_MAX], int n)
{
    if (!orr_h5_has(file, attribute)) return ORR_OK;
    return orr_h5_get_texts(file, path, attribute, names[0], ORR_DATA_NAME_MAX, n);
}

static int n_channel_names(const orr_schema *s)
{
    return s->c <= ORR_MAX_CHANNELS ? s->c : 0;
}

static int n_class_names(const orr_schema *s)
{
    return s->y_type == ORR_Y_CLASS ? s->n_classes : 0;
}

static int n_target_names(const orr_schema *s)
{
    if (s->y_type != ORR_Y_VALUE) return 0;
    return s->y_width < ORR_MAX_TARGET_NAMES ? s->y_width : ORR_MAX_TARGET_NAMES;
}

orr_status orr_schema_put(hid_t file, const char *format, const orr_schema *s,
                          const orr_provenance *p)
{
    static const char axes[][2] = { "n", "h", "w", "c" };
    char used[4][2] = { "n" };

    for (int i = 0; i < s->n_dims; i++)
        memcpy(used[1 + i], axes[4 - s->n_dims + i], 2);
    ORR_TRY(orr_h5_put_text(file, "format", format));
    ORR_TRY(orr_h5_put_texts(file, "axes", used[0], 2, 1 + s->n_dims));
    ORR_TRY(orr_h5_put_text(file, "id_source", s->id_is_row ? "row" : "column"));
    ORR_TRY(orr_h5_put_text(file, "y", y_kinds[s->y_type]));
    if (s->y_type == ORR_Y_CLASS) ORR_TRY(orr_h5_put_int(file, "n_classes", s->n_classes));
    ORR_TRY(orr_names_put(file, "class_names", s->class_names, n_class_names(s)));
    ORR_TRY(orr_names_put(file, "y_names", s->y_names, n_target_names(s)));
    ORR_TRY(orr_names_put(file, "channel_names", s->channel_names, n_channel_names(s)));
    ORR_TRY(orr_names_put(file, "aux_names", s->aux_names, s->n_aux));
    ORR_TRY(orr_h5_put_text(file, "units", s->units));
    return put_provenance(file, p);
}

/* Opens a dataset and reads its type and extent; *rank = 0 when it is absent. */
static orr_status column_shape(hid_t file, const char *path, const char *name, hid_t *type,
                               int *rank, hsize_t dims[4])
{
    hid_t set = H5Lexists(file, name, H5P_DEFAULT) > 0 ? H5Dopen2(file, name, H5P_DEFAULT) : -1;
    hid_t space;

    *rank = 0;
    *type = -1;
    if (set < 0) return ORR_OK;
    space = H5Dget_space(set);
    *rank = H5Sget_simple_extent_ndims(space);
    if (*rank >= 1 && *rank <= 4) {
        H5Sget_simple_extent_dims(space, dims, NULL);
        *type = H5Dget_type(set);
    }
    H5Sclose(space);
    H5Dclose(set);
    if (*rank < 1 || *rank > 4)
        return orr_fail(ORR_ERR_FORMAT, "%s: dataset /%s has %d dimensions", path, name, *rank);
    return ORR_OK;
}

static orr_status get_x(hid_t file, const char *path, orr_schema *s, int64_t *rows)
{
    hid_t type;
    int rank, hwc[3] = { 1, 1, 1 };
    hsize_t dims[4] = { 0 };
    H5T_class_t class;
    size_t size;

    ORR_TRY(column_shape(file, path, "x", &type, &rank, dims));
    if (rank < 2) return orr_fail(ORR_ERR_FORMAT, "%s: has no dataset /x of samples", path);
    class = H5Tget_class(type);
    size = H5Tget_size(type);
    H5Tclose(type);
    if (class == H5T_FLOAT && (size == 4 || size == 2))
        s->x_type = size == 4 ? ORR_X_F32 : ORR_X_F16;
    else if (class == H5T_INTEGER && size == 1)
        s->x_type = ORR_X_U8;
    else
        return orr_fail(ORR_ERR_FORMAT, "%s: /x is not float32, float16 or uint8", path);
    s->n_dims = rank - 1;
    for (int i = 1; i < rank; i++) {
        if (dims[i] < 1 || dims[i] > INT32_MAX)
            return orr_fail(ORR_ERR_FORMAT, "%s: /x has an axis of %llu", path,
                            (unsigned long long)dims[i]);
        hwc[3 - rank + i] = (int)dims[i];
    }
    s->h = hwc[0];
    s->w = hwc[1];
    s->c = hwc[2];
    *rows = (int64_t)dims[0];
    return orr_schema_check_shape(s) == ORR_OK ? ORR_OK
                                               : orr_fail_prefix(ORR_ERR_FORMAT, "%s: ", path);
}

static orr_status disagree(const char *path, const char *name, int64_t rows)
{
    return orr_fail(
        ORR_ERR_FORMAT,
        "%s: /%s does not have the %lld rows of /x, or another shape or type than the format says",
        path, name, (long long)rows);
}

static orr_status get_y(hid_t file, const char *path, orr_schema *s, int64_t rows)
{
    hid_t type;
    int rank;
    int64_t n_classes = 0;
    hsize_t dims[4] = { 0 };
    char kind[16];
    H5T_class_t class;

    ORR_TRY(orr_h5_get_text(file, path, "y", kind, sizeof kind));
    if (strcmp(kind, "none") == 0) return ORR_OK;
    ORR_TRY(column_shape(file, path, "y", &type, &rank, dims));
    if (type < 0) return disagree(path, "y", rows);
    class = H5Tget_class(type);
    H5Tclose(type);
    if ((int64_t)dims[0] != rows) return disagree(path, "y", rows);
    if (strcmp(kind, "class") == 0 && class == H5T_INTEGER && rank == 1) {
        s->y_type = ORR_Y_CLASS;
        ORR_TRY(orr_h5_get_int(file, path, "n_classes", &n_classes));
        if (n_classes < 1 || n_classes > ORR_MAX_CLASSES)
            return orr_fail(ORR_ERR_FORMAT, "%s: %lld classes; 1 to %d are possible", path,
                            (long long)n_classes, ORR_MAX_CLASSES);
        s->n_classes = (int)n_classes;
        return get_names(file, path, "class_names", s->class_names, s->n_classes);
    }
    if (strcmp(kind, "value") != 0 || class != H5T_FLOAT || rank > 2 ||
        (rank == 2 && (dims[1] < 1 || dims[1] > 65536)))
        return disagree(path, "y", rows);
    s->y_type = ORR_Y_VALUE;
    s->y_width = rank == 2 ? (int)dims[1] : 1;
    return get_names(file, path, "y_names", s->y_names, n_target_names(s));
}

static orr_status get_aux(hid_t file, const char *path, orr_schema *s, int64_t rows)
{
    hid_t type;
    int rank;
    hsize_t dims[4] = { 0 };
    H5T_class_t class;

    ORR_TRY(column_shape(file, path, "aux", &type, &rank, dims));
    if (type < 0) return ORR_OK;
    class = H5Tget_class(type);
    H5Tclose(type);
    if (class != H5T_FLOAT || rank != 2 || (int64_t)dims[0] != rows)
        return disagree(path, "aux", rows);
    if (dims[1] < 1 || dims[1] > ORR_MAX_AUX)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: %llu aux numbers beside a sample; 1 to %d are possible", path,
                        (unsigned long long)dims[1], ORR_MAX_AUX);
    s->n_aux = (int)dims[1];
    return get_names(file, path, "aux_names", s->aux_names, s->n_aux);
}

static orr_status get_id(hid_t file, const char *path, orr_schema *s, int64_t rows)
{
    hid_t type;
    int rank, variable;
    char source[16] = "";
    hsize_t dims[4] = { 0 };
    H5T_class_t class;
    size_t size;

    if (orr_h5_has(file, "id_source"))
        ORR_TRY(orr_h5_get_text(file, path, "id_source", source, sizeof source));
    s->id_is_row = strcmp(source, "row") == 0;
    ORR_TRY(column_shape(file, path, "id", &type, &rank, dims));
    if (type < 0) return disagree(path, "id", rows);
    class = H5Tget_class(type);
    size = H5Tget_size(type);
    variable = class == H5T_STRING && H5Tis_variable_str(type) != 0;
    H5Tclose(type);
    if (rank != 1 || (int64_t)dims[0] != rows) return disagree(path, "id", rows);
    if (class == H5T_INTEGER && size <= 8) return ORR_OK;
    if (class != H5T_STRING || variable || size > ORR_ID_TEXT_MAX)
        return disagree(path, "id", rows);
    s->id_type = ORR_ID_TEXT;
    s->id_bytes = (int)size;
    return ORR_OK;
}

orr_status orr_schema_get(hid_t file, const char *path, const char *format, orr_schema *s,
                          int64_t *rows)
{
    char have[64] = "";

    memset(s, 0, sizeof *s);
    *rows = 0;
    if (!orr_h5_has(file, "format"))
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: an HDF5 file, but not of Orrery (it has no attribute format)", path);
    ORR_TRY(orr_h5_get_text(file, path, "format", have, sizeof have));
    if (strcmp(have, format) != 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: its format is %s; this program reads %s", path, have,
                        format);
    ORR_TRY(get_x(file, path, s, rows));
    ORR_TRY(get_y(file, path, s, *rows));
    ORR_TRY(get_id(file, path, s, *rows));
    ORR_TRY(get_aux(file, path, s, *rows));
    ORR_TRY(get_names(file, path, "channel_names", s->channel_names, n_channel_names(s)));
    return orr_h5_has(file, "units")
               ? orr_h5_get_text(file, path, "units", s->units, ORR_DATA_NAME_MAX)
               : ORR_OK;
}

static int same_names(const char a[][ORR_DATA_NAME_MAX], const char b[][ORR_DATA_NAME_MAX], int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(a[i], b[i]) != 0) return 0;
    return 1;
}

orr_status orr_schema_same_layout(const orr_schema *set, const orr_schema *s, const char *path)
{
    if (set->x_type != s->x_type)
        return orr_fail(ORR_ERR_FORMAT, "%s: /x is %s, the set's is %s", path, x_names[s->x_type],
                        x_names[set->x_type]);
    if (set->n_dims != s->n_dims || set->h != s->h || set->w != s->w || set->c != s->c)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: its samples are (%d, %d, %d), the set's are (%d, %d, %d)", path, s->h,
                        s->w, s->c, set->h, set->w, set->c);
    if (set->y_type != s->y_type || (s->y_type == ORR_Y_CLASS && set->n_classes != s->n_classes) ||
        (s->y_type == ORR_Y_VALUE && set->y_width != s->y_width))
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: its /y (%s) has another kind or size than the set's (%s)", path,
                        y_kinds[s->y_type], y_kinds[set->y_type]);
    if (set->id_type != s->id_type || !set->id_is_row != !s->id_is_row ||
        (s->id_type == ORR_ID_TEXT && set->id_bytes != s->id_bytes))
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: its ids are %s, the set's %s, or of another length or source", path,
                        id_names[s->id_type], id_names[set->id_type]);
    if (set->n_aux != s->n_aux)
        return orr_fail(ORR_ERR_FORMAT, "%s: it has %d aux numbers beside a sample, the set has %d",
                        path, s->n_aux, set->n_aux);
    return ORR_OK;
}

orr_status orr_schema_same(const orr_schema *set, const orr_schema *s, const char *path)
{
    ORR_TRY(orr_schema_same_layout(set, s, path));
    if (!same_names(set->class_names, s->class_names, n_class_names(s)) ||
        !same_names(set->channel_names, s->channel_names, n_channel_names(s)) ||
        strcmp(set->units, s->units) != 0)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: its class names, channel names or units differ from the set's", path);
    if (!same_names(set->y_names, s->y_names, n_target_names(s)) ||
        !same_names(set->aux_names, s->aux_names, s->n_aux))
        return orr_fail(ORR_ERR_FORMAT, "%s: its target names or aux names differ from the set's",
                        path);
    return ORR_OK;
}

/* ---- rows ---- */
static orr_status load_column(hid_t file, const char *path, const orr_schema *s, orr_shard_column c,
                              int64_t first, int64_t n, void *out)
{
    orr_status st = ORR_OK;
    hsize_t start[4] = { (hsize_t)first }, count[4];
    int rank = orr_shard_column_dims(s, c, n, count);
    hid_t type = orr_shard_column_type(s, c), memory = H5Screate_simple(rank, count, NULL);
    hid_t set = H5Dopen2(file, orr_shard_column_name(c), H5P_DEFAULT);
    hid_t space = set < 0 ? -1 : H5Dget_space(set);

    if (set < 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dread(set, type, memory, space, H5P_DEFAULT, out) < 0)
        st = orr_h5_fail(ORR_ERR_FORMAT, "%s: cannot read rows %" PRId64 " to %" PRId64 " of /%s",
                         path, first, first + n - 1, orr_shard_column_name(c));
    if (space >= 0) H5Sclose(space);
    if (set >= 0) H5Dclose(set);
    H5Sclose(memory);
    H5Tclose(type);
    return st;
}

orr_status orr_shard_load(hid_t file, const char *path, const orr_schema *s, int64_t first,
                          int64_t n, const orr_rows *rows)
{
    for (int c = 0; c < ORR_N_COLUMNS; c++)
        if (orr_rows_column(rows, c) && orr_shard_column_bytes(s, c) > 0)
            ORR_TRY(load_column(file, path, s, c, first, n, orr_rows_column(rows, c)));
    for (int64_t i = 0; s->y_type == ORR_Y_CLASS && rows->y && i < n; i++) {
        int32_t label = ((const int32_t *)rows->y)[i];
        if (label < 0 || label >= s->n_classes)
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: row %lld has the label %d; there are classes 0 to %d", path,
                            (long long)(first + i), label, s->n_classes - 1);
    }
    return ORR_OK;
}

/* Opens a shard and says how many rows it has, if it is one of schema s. */
static orr_status open_alone(hid_t *file, const char *path, const orr_schema *s, int64_t *rows)
{
    orr_status st;
    orr_schema *have = orr_alloc(1, sizeof *have);

    *file = -1;
    *rows = 0;
    if (!have) return orr_fail(ORR_ERR_NOMEM, "%s: no memory for a schema", path);
    ORR_TRY_GOTO(st, done, orr_h5_open(file, path));
    ORR_TRY_GOTO(st, done, orr_schema_get(*file, path, ORR_SHARD_FORMAT, have, rows));
    st = orr_schema_same_layout(s, have, path);
done:
    if (st != ORR_OK && *file >= 0) {
        H5Fclose(*file);
        *file = -1;
    }
    orr_free(have);
    return st;
}

orr_status orr_shard_rows(const char *path, const orr_schema *s, int64_t *rows)
{
    orr_status st;
    orr_h5_quiet quiet;
    hid_t file;

    orr_h5_quiet_begin(&quiet);
    st = open_alone(&file, path, s, rows);
    if (st == ORR_OK) H5Fclose(file);
    orr_h5_quiet_end(&quiet);
    return st;
}

orr_status orr_shard_read(const char *path, const orr_schema *s, int64_t first, int64_t n,
                          orr_rows *rows)
{
    orr_status st;
    orr_h5_quiet quiet;
    int64_t have;
    hid_t file;

    orr_h5_quiet_begin(&quiet);
    ORR_TRY_GOTO(st, done, open_alone(&file, path, s, &have));
    if (first < 0 || n < 0 || first > have - n)
        st = orr_fail(ORR_ERR_ARG,
                      "%s: rows %" PRId64 " to %" PRId64 " asked of a shard of %" PRId64, path,
                      first, first + n - 1, have);
    else if (n > 0)
        st = orr_shard_load(file, path, s, first, n, rows);
    H5Fclose(file);
    if (st == ORR_OK) rows->n = n;
done:
    orr_h5_quiet_end(&quiet);
    return st;
}
