/* data/schema.c - what all samples of a set have in common: sizes, checks, and its place in an HDF5
 * file. */
#include "data/shard_file.h"

#include "core/memory.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "shards are written as they lie in memory");

static const size_t x_bytes_of[] = { [ORR_X_F32] = 4, [ORR_X_F16] = 2, [ORR_X_U8] = 1 };
static const char *const x_names[] = { "float32", "float16", "uint8" };
static const char *const y_names[] = { "none", "class", "value" };
static const char *const id_names[] = { "integers", "text" };

size_t orr_schema_x_bytes(const orr_schema *s)
{
    return (size_t)s->h * (size_t)s->w * (size_t)s->c * x_bytes_of[s->x_type];
}

size_t orr_schema_y_bytes(const orr_schema *s)
{
    if (s->y_type == ORR_Y_NONE) return 0;
    return s->y_type == ORR_Y_CLASS ? sizeof(int32_t) : (size_t)s->y_width * sizeof(float);
}

size_t orr_schema_id_bytes(const orr_schema *s)
{
    return s->id_type == ORR_ID_INT ? sizeof(int64_t) : (size_t)s->id_bytes;
}

int64_t orr_schema_rows_per_shard(const orr_schema *s, double mib)
{
    double rows = mib * 1048576.0 / (double)orr_schema_x_bytes(s);

    if (!(rows >= 1)) return 1;
    return rows < 1e15 ? (int64_t)rows : (int64_t)1e15;
}

static orr_status check_shape(const orr_schema *s)
{
    int64_t n;

    if (s->n_dims < 1 || s->n_dims > 3)
        return orr_fail(ORR_ERR_SHAPE,
                        "a sample has %d dimensions; 1 (c), 2 (w, c) or 3 (h, w, c) are possible",
                        s->n_dims);
    if (s->h < 1 || s->w < 1 || s->c < 1 || (s->n_dims < 3 && s->h != 1) ||
        (s->n_dims < 2 && s->w != 1))
        return orr_fail(ORR_ERR_SHAPE,
                        "a sample of %d dimensions cannot have the shape (%d, %d, %d)", s->n_dims,
                        s->h, s->w, s->c);
    if (__builtin_mul_overflow((int64_t)s->h * s->w, (int64_t)s->c, &n) || n > INT32_MAX)
        return orr_fail(ORR_ERR_SHAPE, "a sample of (%d, %d, %d) numbers is too large", s->h, s->w,
                        s->c);
    return ORR_OK;
}

orr_status orr_schema_check(const orr_schema *s)
{
    if ((unsigned)s->x_type > ORR_X_U8 || (unsigned)s->y_type > ORR_Y_VALUE ||
        (unsigned)s->id_type > ORR_ID_TEXT)
        return orr_fail(ORR_ERR_ARG, "schema: unknown type of x, y or id");
    ORR_TRY(check_shape(s));
    if (s->y_type == ORR_Y_CLASS && (s->n_classes < 1 || s->n_classes > ORR_MAX_CLASSES))
        return orr_fail(ORR_ERR_SHAPE, "%d classes; 1 to %d are possible", s->n_classes,
                        ORR_MAX_CLASSES);
    if (s->y_type == ORR_Y_VALUE && (s->y_width < 1 || s->y_width > 65536))
        return orr_fail(ORR_ERR_SHAPE, "targets of %d numbers; 1 to 65536 are possible",
                        s->y_width);
    if (s->id_type == ORR_ID_TEXT && (s->id_bytes < 1 || s->id_bytes > ORR_ID_TEXT_MAX))
        return orr_fail(ORR_ERR_SHAPE, "ids of %d bytes; 1 to %d are possible", s->id_bytes,
                        ORR_ID_TEXT_MAX);
    return ORR_OK;
}

void orr_shard_name(char out[ORR_SHARD_NAME_MAX], int number)
{
    snprintf(out, ORR_SHARD_NAME_MAX, "shard-%05d.h5", number);
}

int orr_shard_number(const char *name, int tmp)
{
    static const char start[] = "shard-";
    char stem[ORR_SHARD_NAME_MAX], full[ORR_SHARD_NAME_MAX + 4];
    long number;

    if (strncmp(name, start, sizeof start - 1) != 0) return -1;
    number = strtol(name + sizeof start - 1, NULL, 10); /* anything odd is no match below */
    if (number < 0 || number > 999999999) return -1;
    orr_shard_name(stem, (int)number);
    snprintf(full, sizeof full, "%s.tmp", stem);
    return strcmp(name, stem) == 0 || (tmp && strcmp(name, full) == 0) ? (int)number : -1;
}

hid_t orr_schema_x_type(const orr_schema *s)
{
    if (s->x_type == ORR_X_F16) return orr_h5_half_type();
    return H5Tcopy(s->x_type == ORR_X_F32 ? H5T_IEEE_F32LE : H5T_STD_U8LE);
}

hid_t orr_schema_y_type(const orr_schema *s)
{
    return H5Tcopy(s->y_type == ORR_Y_CLASS ? H5T_STD_I32LE : H5T_IEEE_F32LE);
}

hid_t orr_schema_id_type(const orr_schema *s)
{
    return s->id_type == ORR_ID_INT ? H5Tcopy(H5T_STD_I64LE)
                                    : orr_h5_string_type((size_t)s->id_bytes);
}

int orr_schema_x_dims(const orr_schema *s, int64_t n, hsize_t dims[4])
{
    const int all[3] = { s->h, s->w, s->c };

    dims[0] = (hsize_t)n;
    for (int i = 0; i < s->n_dims; i++)
        dims[1 + i] = (hsize_t)all[3 - s->n_dims + i];
    return 1 + s->n_dims;
}

int orr_schema_y_dims(const orr_schema *s, int64_t n, hsize_t dims[2])
{
    dims[0] = (hsize_t)n;
    dims[1] = (hsize_t)s->y_width;
    return s->y_type == ORR_Y_VALUE && s->y_width > 1 ? 2 : 1;
}

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

static int any_name(const char names[][ORR_DATA_NAME_MAX], int n)
{
    for (int i = 0; i < n; i++)
        if (names[i][0]) return 1;
    return 0;
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
    ORR_TRY(orr_h5_put_text(file, "y", y_names[s->y_type]));
    if (s->y_type == ORR_Y_CLASS) {
        ORR_TRY(orr_h5_put_int(file, "n_classes", s->n_classes));
        if (any_name(s->class_names, s->n_classes))
            ORR_TRY(orr_h5_put_texts(file, "class_names", s->class_names[0], ORR_DATA_NAME_MAX,
                                     s->n_classes));
    }
    if (s->c <= ORR_MAX_CHANNELS && any_name(s->channel_names, s->c))
        ORR_TRY(
            orr_h5_put_texts(file, "channel_names", s->channel_names[0], ORR_DATA_NAME_MAX, s->c));
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
    return check_shape(s) == ORR_OK ? ORR_OK : orr_fail_prefix(ORR_ERR_FORMAT, "%s: ", path);
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
        if (orr_h5_has(file, "class_names"))
            return orr_h5_get_texts(file, path, "class_names", s->class_names[0], ORR_DATA_NAME_MAX,
                                    s->n_classes);
        return ORR_OK;
    }
    if (strcmp(kind, "value") != 0 || class != H5T_FLOAT || rank > 2 ||
        (rank == 2 && (dims[1] < 1 || dims[1] > 65536)))
        return disagree(path, "y", rows);
    s->y_type = ORR_Y_VALUE;
    s->y_width = rank == 2 ? (int)dims[1] : 1;
    return ORR_OK;
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
    if (s->c <= ORR_MAX_CHANNELS && orr_h5_has(file, "channel_names"))
        ORR_TRY(orr_h5_get_texts(file, path, "channel_names", s->channel_names[0],
                                 ORR_DATA_NAME_MAX, s->c));
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

orr_status orr_schema_same(const orr_schema *set, const orr_schema *s, const char *path)
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
                        y_names[s->y_type], y_names[set->y_type]);
    if (set->id_type != s->id_type || !set->id_is_row != !s->id_is_row ||
        (s->id_type == ORR_ID_TEXT && set->id_bytes != s->id_bytes))
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: its ids are %s, the set's %s, or of another length or source", path,
                        id_names[s->id_type], id_names[set->id_type]);
    if ((s->y_type == ORR_Y_CLASS && !same_names(set->class_names, s->class_names, s->n_classes)) ||
        (s->c <= ORR_MAX_CHANNELS && !same_names(set->channel_names, s->channel_names, s->c)) ||
        strcmp(set->units, s->units) != 0)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: its class names, channel names or units differ from the set's", path);
    return ORR_OK;
}

static orr_status read_column(hid_t file, const char *path, const char *name, hid_t type, void *out)
{
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    orr_status st = ORR_OK;

    if (set < 0 || H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        st = orr_h5_fail(ORR_ERR_FORMAT, "%s: cannot read /%s", path, name);
    if (set >= 0) H5Dclose(set);
    return st;
}

orr_status orr_shard_columns(hid_t file, const char *path, const orr_schema *s, int64_t rows,
                             void *y, void *id)
{
    orr_status st = ORR_OK;
    hid_t type = orr_schema_id_type(s);

    st = read_column(file, path, "id", type, id);
    H5Tclose(type);
    if (st != ORR_OK || s->y_type == ORR_Y_NONE) return st;
    type = orr_schema_y_type(s);
    st = read_column(file, path, "y", type, y);
    H5Tclose(type);
    for (int64_t i = 0; st == ORR_OK && s->y_type == ORR_Y_CLASS && i < rows; i++) {
        int32_t label = ((const int32_t *)y)[i];
        if (label < 0 || label >= s->n_classes)
            st =
                orr_fail(ORR_ERR_FORMAT, "%s: row %lld has the label %d; there are classes 0 to %d",
                         path, (long long)i, label, s->n_classes - 1);
    }
    return st;
}
