/* data/schema.c - what all samples of a set have in common: sizes, checks, names of shards, the
 * columns that a shard stores; how it lies in a file, and whether two files agree. */
#include "data/shard_private.h"

#include "core/memory.h"
#include "core/options.h"
#include "core/text.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "shards are written as they lie in memory");

static const size_t x_bytes_of[] = { [ORR_X_F32] = 4, [ORR_X_F16] = 2, [ORR_X_U8] = 1 };

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

size_t orr_schema_aux_bytes(const orr_schema *s)
{
    return (size_t)s->n_aux * sizeof(float);
}

int64_t orr_schema_numbers(const orr_schema *s)
{
    return (int64_t)s->h * s->w * s->c;
}

int64_t orr_schema_rows_per_shard(const orr_schema *s, double mib)
{
    double rows = mib * 1048576.0 / (double)orr_schema_x_bytes(s);

    if (!(rows >= 1)) return 1;
    return rows < 1e15 ? (int64_t)rows : (int64_t)1e15;
}

orr_status orr_schema_check_shape(const orr_schema *s)
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
    ORR_TRY(orr_schema_check_shape(s));
    if (s->y_type == ORR_Y_CLASS && (s->n_classes < 1 || s->n_classes > ORR_MAX_CLASSES))
        return orr_fail(ORR_ERR_SHAPE, "%d classes; 1 to %d are possible", s->n_classes,
                        ORR_MAX_CLASSES);
    if (s->y_type == ORR_Y_VALUE && (s->y_width < 1 || s->y_width > ORR_MAX_TARGETS))
        return orr_fail(ORR_ERR_SHAPE, "targets of %d numbers; 1 to %d are possible", s->y_width,
                        ORR_MAX_TARGETS);
    if (s->id_type == ORR_ID_TEXT && (s->id_bytes < 1 || s->id_bytes > ORR_ID_TEXT_MAX))
        return orr_fail(ORR_ERR_SHAPE, "ids of %d bytes; 1 to %d are possible", s->id_bytes,
                        ORR_ID_TEXT_MAX);
    if (s->n_aux < 0 || s->n_aux > ORR_MAX_AUX)
        return orr_fail(ORR_ERR_SHAPE, "%d aux numbers beside a sample; 0 to %d are possible",
                        s->n_aux, ORR_MAX_AUX);
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

/* ---- names of a sample's numbers ---- */
static const char *clean_name(const char *name, char out[ORR_DATA_NAME_MAX])
{
    snprintf(out, ORR_DATA_NAME_MAX, "%s", name);
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < ' ') *p = ' ';
    return out;
}

/* The names in all are too long: what is left of them is their sum. */
static orr_status keep_sum(orr_schema *s, const orr_text *names)
{
    char sum[ORR_SHA256_HEX];
    orr_sha256 *h = NULL;

    ORR_TRY(orr_sha256_begin(&h));
    if (orr_sha256_add(h, names->s, names->len) != ORR_OK) {
        orr_sha256_destroy(h);
        return ORR_ERR_INTERNAL;
    }
    ORR_TRY(orr_sha256_end(h, sum));
    snprintf(s->feature_names, sizeof s->feature_names, "sha256:%s", sum);
    return ORR_OK;
}

orr_status orr_schema_name_features(orr_schema *s,
                                    const char *(*name)(const void *ctx, int64_t i, char *buf,
                                                        size_t bytes),
                                    const void *ctx)
{
    const int64_t n = orr_schema_numbers(s);
    const int vector = s->n_dims == 1 && s->c <= ORR_MAX_CHANNELS;
    char buf[ORR_DATA_NAME_MAX], one[ORR_DATA_NAME_MAX];
    orr_text all = ORR_TEXT_INIT;
    orr_status st;

    for (int64_t i = 0; i < n; i++) {
        clean_name(name(ctx, i, buf, sizeof buf), one);
        if (vector) {
            memcpy(s->channel_names[i], one, strlen(one) + 1);
            continue;
        }
        if (i) orr_text_add(&all, "\n");
        orr_text_add(&all, one);
    }
    st = orr_text_status(&all);
    if (st == ORR_OK && all.s && all.len < sizeof s->feature_names)
        memcpy(s->feature_names, all.s, all.len + 1);
    else if (st == ORR_OK && all.s)
        st = keep_sum(s, &all);
    orr_text_free(&all);
    return st;
}

const char *orr_shift_suffix(double shift, char buf[32])
{
    buf[0] = '\0';
    if (shift != 0) snprintf(buf, 32, "%+.15g", -shift);
    return buf;
}

double orr_schema_target_shift(const orr_schema *s, int k)
{
    return s->y_type == ORR_Y_VALUE && k < ORR_MAX_TARGET_NAMES ? s->y_shift[k] : 0;
}

int orr_schema_is_shifted(const orr_schema *s)
{
    for (int k = 0; k < s->y_width && k < ORR_MAX_TARGET_NAMES; k++)
        if (orr_schema_target_shift(s, k) != 0) return 1;
    return 0;
}

const char *orr_schema_target_name(const orr_schema *s, int k, char *buf, size_t bytes)
{
    const char *name = s->y_type == ORR_Y_VALUE && k < ORR_MAX_TARGET_NAMES ? s->y_names[k] : "";
    char suffix[32];
    size_t n = strlen(name), end = strlen(orr_shift_suffix(orr_schema_target_shift(s, k), suffix));

    if (end < n && strcmp(name + n - end, suffix) == 0) n -= end;
    snprintf(buf, bytes, "%.*s", (int)n, name);
    return buf;
}

static const char *const target_kinds[] = { "", "value", "redshift" };

const char *orr_target_kind_name(orr_target_kind kind)
{
    return target_kinds[kind];
}

orr_target_kind orr_target_kind_of(const char *word)
{
    for (int k = ORR_TARGET_VALUE; word && k <= ORR_TARGET_REDSHIFT; k++)
        if (strcmp(word, target_kinds[k]) == 0) return (orr_target_kind)k;
    return ORR_TARGET_UNSAID;
}

/* ---- columns ---- */
const char *orr_shard_column_name(orr_shard_column c)
{
    static const char *const names[ORR_N_COLUMNS] = { "id", "y", "aux", "x" };

    return names[c];
}

size_t orr_shard_column_bytes(const orr_schema *s, orr_shard_column c)
{
    if (c == ORR_COLUMN_ID) return orr_schema_id_bytes(s);
    if (c == ORR_COLUMN_Y) return orr_schema_y_bytes(s);
    return c == ORR_COLUMN_AUX ? orr_schema_aux_bytes(s) : orr_schema_x_bytes(s);
}

static orr_store_array x_array(const orr_schema *s, int64_t n)
{
    static const orr_store_type types[] = { [ORR_X_F32] = { ORR_STORE_FLOAT, 4 },
                                            [ORR_X_F16] = { ORR_STORE_FLOAT, 2 },
                                            [ORR_X_U8] = { ORR_STORE_UINT, 1 } };
    const int all[3] = { s->h, s->w, s->c };
    orr_store_array a = { types[s->x_type], 1 + s->n_dims, { n } };

    for (int i = 0; i < s->n_dims; i++)
        a.dims[1 + i] = all[3 - s->n_dims + i];
    return a;
}

orr_store_array orr_shard_column_array(const orr_schema *s, orr_shard_column c, int64_t n)
{
    if (c == ORR_COLUMN_X) return x_array(s, n);
    if (c == ORR_COLUMN_AUX) return orr_store_matrix(ORR_STORE_F32, n, s->n_aux);
    if (c == ORR_COLUMN_ID)
        return orr_store_vector(
            s->id_type == ORR_ID_INT ? ORR_STORE_I64 : ORR_STORE_TEXT_OF((size_t)s->id_bytes), n);
    if (s->y_type == ORR_Y_CLASS) return orr_store_vector(ORR_STORE_I32, n);
    return s->y_width > 1 ? orr_store_matrix(ORR_STORE_F32, n, s->y_width)
                          : orr_store_vector(ORR_STORE_F32, n);
}

void *orr_rows_column(const orr_rows *r, orr_shard_column c)
{
    if (c == ORR_COLUMN_ID) return r->id;
    if (c == ORR_COLUMN_Y) return r->y;
    return c == ORR_COLUMN_AUX ? r->aux : r->x;
}

/* ---- in a file ---- */
static const char *const x_names[] = { "float32", "float16", "uint8" };
static const char *const y_kinds[] = { "none", "class", "value" };
static const char *const id_names[] = { "integers", "text" };

/* {"program": "orrery", "version": ..., "command": ..., "job": ..., "features": ..., "inputs":
 * [{"file": ..., "sha256": ...}]} */
static orr_status put_provenance(orr_store_writer *w, const orr_provenance *p)
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
    if (p && p->features && !cJSON_AddStringToObject(root, "features", p->features)) goto done;
    for (int i = 0; p && i < p->n_inputs; i++) {
        cJSON *in = cJSON_CreateObject();
        if (!cJSON_AddItemToArray(inputs, in) ||
            !cJSON_AddStringToObject(in, "file", p->inputs[i]) ||
            (p->input_sha256 && p->input_sha256[i] &&
             !cJSON_AddStringToObject(in, "sha256", p->input_sha256[i])))
            goto done;
    }
    if ((text = cJSON_PrintUnformatted(root))) st = orr_store_set_text(w, "provenance", text);
done:
    if (st == ORR_ERR_NOMEM) orr_fail(st, "no memory for the provenance of a shard");
    cJSON_free(text);
    cJSON_Delete(root);
    return st;
}

orr_status orr_names_put(orr_store_writer *w, const char *attribute,
                         const char names[][ORR_DATA_NAME_MAX], int n)
{
    for (int i = 0; i < n; i++)
        if (names[i][0]) return orr_store_set_texts(w, attribute, names[0], ORR_DATA_NAME_MAX, n);
    return ORR_OK;
}

static orr_status get_names(orr_store_reader *r, const char *attribute,
                            char names[][ORR_DATA_NAME_MAX], int n)
{
    if (!orr_store_has(r, attribute)) return ORR_OK;
    return orr_store_attr_texts(r, attribute, names[0], ORR_DATA_NAME_MAX, n);
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

/* Shifts are texts of 17 digits, an empty one where nothing was taken off. */
static orr_status put_shifts(orr_store_writer *w, const orr_schema *s)
{
    char text[ORR_MAX_TARGET_NAMES][ORR_DATA_NAME_MAX] = { "" };

    for (int k = 0; k < n_target_names(s); k++)
        if (s->y_shift[k] != 0) snprintf(text[k], sizeof text[k], "%.17g", s->y_shift[k]);
    return orr_names_put(w, "y_shift", text, n_target_names(s));
}

static orr_status get_shifts(orr_store_reader *r, orr_schema *s)
{
    char text[ORR_MAX_TARGET_NAMES][ORR_DATA_NAME_MAX] = { "" };

    ORR_TRY(get_names(r, "y_shift", text, n_target_names(s)));
    for (int k = 0; k < n_target_names(s); k++)
        if (text[k][0] && orr_parse_real(&s->y_shift[k], text[k]) != ORR_OK)
            return orr_fail(ORR_ERR_FORMAT, "%s: y_shift of target %d makes no sense",
                            orr_store_reader_path(r), k);
    return ORR_OK;
}

orr_status orr_schema_put(orr_store_writer *w, const char *format, const orr_schema *s,
                          const orr_provenance *p)
{
    static const char axes[][2] = { "n", "h", "w", "c" };
    char used[4][2] = { "n" };

    for (int i = 0; i < s->n_dims; i++)
        memcpy(used[1 + i], axes[4 - s->n_dims + i], 2);
    ORR_TRY(orr_store_set_text(w, "format", format));
    ORR_TRY(orr_store_set_texts(w, "axes", used[0], 2, 1 + s->n_dims));
    ORR_TRY(orr_store_set_text(w, "id_source", s->id_is_row ? "row" : "column"));
    ORR_TRY(orr_store_set_text(w, "y", y_kinds[s->y_type]));
    if (s->y_type == ORR_Y_CLASS) ORR_TRY(orr_store_set_int(w, "n_classes", s->n_classes));
    ORR_TRY(orr_names_put(w, "class_names", s->class_names, n_class_names(s)));
    ORR_TRY(orr_names_put(w, "y_names", s->y_names, n_target_names(s)));
    ORR_TRY(orr_names_put(w, "y_units", s->y_units, n_target_names(s)));
    ORR_TRY(put_shifts(w, s));
    if (s->y_type == ORR_Y_VALUE && s->target_kind)
        ORR_TRY(orr_store_set_text(w, "target_kind", orr_target_kind_name(s->target_kind)));
    ORR_TRY(orr_names_put(w, "channel_names", s->channel_names, n_channel_names(s)));
    if (s->feature_names[0]) ORR_TRY(orr_store_set_text(w, "feature_names", s->feature_names));
    ORR_TRY(orr_names_put(w, "aux_names", s->aux_names, s->n_aux));
    ORR_TRY(orr_store_set_text(w, "units", s->units));
    return put_provenance(w, p);
}

static orr_status get_x(orr_store_reader *r, orr_schema *s, int64_t *rows)
{
    const char *path = orr_store_reader_path(r);
    orr_store_array x;
    int hwc[3] = { 1, 1, 1 };

    ORR_TRY(orr_store_look(r, "x", &x));
    if (x.n_dims < 2) return orr_fail(ORR_ERR_FORMAT, "%s: has no dataset /x of samples", path);
    if (x.type.kind == ORR_STORE_FLOAT && (x.type.bytes == 4 || x.type.bytes == 2))
        s->x_type = x.type.bytes == 4 ? ORR_X_F32 : ORR_X_F16;
    else if ((x.type.kind == ORR_STORE_INT || x.type.kind == ORR_STORE_UINT) && x.type.bytes == 1)
        s->x_type = ORR_X_U8;
    else
        return orr_fail(ORR_ERR_FORMAT, "%s: /x is not float32, float16 or uint8", path);
    s->n_dims = x.n_dims - 1;
    for (int i = 1; i < x.n_dims; i++) {
        if (x.dims[i] < 1 || x.dims[i] > INT32_MAX)
            return orr_fail(ORR_ERR_FORMAT, "%s: /x has an axis of %" PRId64, path, x.dims[i]);
        hwc[3 - x.n_dims + i] = (int)x.dims[i];
    }
    s->h = hwc[0];
    s->w = hwc[1];
    s->c = hwc[2];
    *rows = x.dims[0];
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

static int is_integer(const orr_store_array *a)
{
    return a->type.kind == ORR_STORE_INT || a->type.kind == ORR_STORE_UINT;
}

static orr_status get_classes(orr_store_reader *r, orr_schema *s)
{
    int64_t n = 0;

    s->y_type = ORR_Y_CLASS;
    ORR_TRY(orr_store_attr_int(r, "n_classes", &n));
    if (n < 1 || n > ORR_MAX_CLASSES)
        return orr_fail(ORR_ERR_FORMAT, "%s: %" PRId64 " classes; 1 to %d are possible",
                        orr_store_reader_path(r), n, ORR_MAX_CLASSES);
    s->n_classes = (int)n;
    return get_names(r, "class_names", s->class_names, s->n_classes);
}

static orr_status get_y(orr_store_reader *r, orr_schema *s, int64_t rows)
{
    const char *path = orr_store_reader_path(r);
    orr_store_array y;
    char kind[16];

    ORR_TRY(orr_store_attr_text(r, "y", kind, sizeof kind));
    if (strcmp(kind, "none") == 0) return ORR_OK;
    ORR_TRY(orr_store_look(r, "y", &y));
    if (y.n_dims == 0 || y.dims[0] != rows) return disagree(path, "y", rows);
    if (strcmp(kind, "class") == 0 && is_integer(&y) && y.n_dims == 1) return get_classes(r, s);
    if (strcmp(kind, "value") != 0 || y.type.kind != ORR_STORE_FLOAT || y.n_dims > 2 ||
        (y.n_dims == 2 && (y.dims[1] < 1 || y.dims[1] > 65536)))
        return disagree(path, "y", rows);
    s->y_type = ORR_Y_VALUE;
    s->y_width = y.n_dims == 2 ? (int)y.dims[1] : 1;
    if (orr_store_has(r, "target_kind"))
        ORR_TRY(orr_store_attr_text(r, "target_kind", kind, sizeof kind));
    else
        kind[0] = '\0';
    s->target_kind = orr_target_kind_of(kind);
    ORR_TRY(get_names(r, "y_names", s->y_names, n_target_names(s)));
    ORR_TRY(get_names(r, "y_units", s->y_units, n_target_names(s)));
    return get_shifts(r, s);
}

static orr_status get_aux(orr_store_reader *r, orr_schema *s, int64_t rows)
{
    const char *path = orr_store_reader_path(r);
    orr_store_array aux;

    ORR_TRY(orr_store_look(r, "aux", &aux));
    if (aux.n_dims == 0) return ORR_OK;
    if (aux.type.kind != ORR_STORE_FLOAT || aux.n_dims != 2 || aux.dims[0] != rows)
        return disagree(path, "aux", rows);
    if (aux.dims[1] < 1 || aux.dims[1] > ORR_MAX_AUX)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: %" PRId64 " aux numbers beside a sample; 1 to %d are possible", path,
                        aux.dims[1], ORR_MAX_AUX);
    s->n_aux = (int)aux.dims[1];
    return get_names(r, "aux_names", s->aux_names, s->n_aux);
}

static orr_status get_id(orr_store_reader *r, orr_schema *s, int64_t rows)
{
    const char *path = orr_store_reader_path(r);
    char source[16] = "";
    orr_store_array id;

    if (orr_store_has(r, "id_source"))
        ORR_TRY(orr_store_attr_text(r, "id_source", source, sizeof source));
    s->id_is_row = strcmp(source, "row") == 0;
    ORR_TRY(orr_store_look(r, "id", &id));
    if (id.n_dims != 1 || id.dims[0] != rows) return disagree(path, "id", rows);
    if (is_integer(&id) && id.type.bytes <= 8) return ORR_OK;
    if (id.type.kind != ORR_STORE_TEXT || id.type.bytes > ORR_ID_TEXT_MAX)
        return disagree(path, "id", rows);
    s->id_type = ORR_ID_TEXT;
    s->id_bytes = (int)id.type.bytes;
    return ORR_OK;
}

orr_status orr_schema_get(orr_store_reader *r, const char *format, orr_schema *s, int64_t *rows)
{
    const char *path = orr_store_reader_path(r);
    char have[64] = "";

    memset(s, 0, sizeof *s);
    *rows = 0;
    if (!orr_store_has(r, "format"))
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: an HDF5 file, but not of Orrery (it has no attribute format)", path);
    ORR_TRY(orr_store_attr_text(r, "format", have, sizeof have));
    if (strcmp(have, format) != 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: its format is %s; this program reads %s", path, have,
                        format);
    ORR_TRY(get_x(r, s, rows));
    ORR_TRY(get_y(r, s, *rows));
    ORR_TRY(get_id(r, s, *rows));
    ORR_TRY(get_aux(r, s, *rows));
    ORR_TRY(get_names(r, "channel_names", s->channel_names, n_channel_names(s)));
    if (orr_store_has(r, "feature_names"))
        ORR_TRY(orr_store_attr_text(r, "feature_names", s->feature_names, sizeof s->feature_names));
    return orr_store_has(r, "units") ? orr_store_attr_text(r, "units", s->units, ORR_DATA_NAME_MAX)
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

static int same_shifts(const orr_schema *a, const orr_schema *b)
{
    for (int i = 0; i < ORR_MAX_TARGET_NAMES; i++)
        if (a->y_shift[i] != b->y_shift[i]) return 0;
    return 1;
}

orr_status orr_schema_same(const orr_schema *set, const orr_schema *s, const char *path)
{
    ORR_TRY(orr_schema_same_layout(set, s, path));
    if (!same_names(set->class_names, s->class_names, n_class_names(s)) ||
        !same_names(set->channel_names, s->channel_names, n_channel_names(s)) ||
        strcmp(set->feature_names, s->feature_names) != 0 || strcmp(set->units, s->units) != 0)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: its names of classes, channels or columns, or units, differ from the "
                        "set's",
                        path);
    if (set->target_kind != s->target_kind ||
        !same_names(set->y_names, s->y_names, n_target_names(s)) ||
        !same_names(set->y_units, s->y_units, n_target_names(s)) || !same_shifts(set, s) ||
        !same_names(set->aux_names, s->aux_names, s->n_aux))
        return orr_fail(
            ORR_ERR_FORMAT,
            "%s: its target names, units, what they are, or aux names differ from the set's", path);
    return ORR_OK;
}

void orr_schema_number_name(const orr_schema *s, int64_t k, char *buf, size_t bytes)
{
    const char *line = s->feature_names;
    int length;

    if (s->n_dims == 1 && k < ORR_MAX_CHANNELS && s->channel_names[k][0]) {
        snprintf(buf, bytes, "%s", s->channel_names[k]);
        return;
    }
    for (int64_t i = 0; i < k && line; i++)
        if ((line = strchr(line, '\n'))) line++;
    length = line && strncmp(s->feature_names, "sha256:", 7) != 0 ? (int)strcspn(line, "\n") : 0;
    if (length)
        snprintf(buf, bytes, "%.*s", length, line);
    else
        snprintf(buf, bytes, "number %lld", (long long)k);
}
