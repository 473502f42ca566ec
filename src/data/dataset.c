/* data/dataset.c - a shard set opened for reading.
 * Labels, ids and aux numbers are held in memory.  Samples are read by pread where a shard stores
 * them contiguously and in this machine's form, which takes HDF5 out of the hot path; otherwise
 * (compressed, foreign byte order) by the store. */
#include "data/shard_private.h"

#include "core/memory.h"
#include "data/schema_match.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct shard {
    char file[ORR_SHARD_NAME_MAX];
    char sha[ORR_SHA256_HEX];
    int64_t rows, bytes, first; /* first: row in the set */
    off_t x_offset;             /* of rows that lie as in memory; -1: read by the store */
} shard;

struct orr_dataset {
    char path[ORR_PATH_MAX]; /* as given */
    char dir[ORR_PATH_MAX];
    orr_schema schema;
    int n_shards;
    shard *shards;
    int64_t rows;
    void *y; /* int32 or float */
    char *ids;
    float *aux; /* NULL without */
    uint64_t *keys;
    char *provenance;
    int32_t *x_from; /* [n_x]: where the numbers of a sample, or of a pixel, come from; NULL: as
                        they lie */
    int n_x;
    int open_shard; /* whose file is open below; -1 none */
    int fd;
    orr_store_reader *reader;
};

static void close_shard(orr_dataset *d)
{
    if (d->fd >= 0) close(d->fd);
    orr_store_close(d->reader);
    d->fd = -1;
    d->reader = NULL;
    d->open_shard = -1;
}

void orr_dataset_close(orr_dataset *d)
{
    if (!d) return;
    close_shard(d);
    orr_free(d->shards);
    orr_free(d->y);
    orr_free(d->ids);
    orr_free(d->aux);
    orr_free(d->keys);
    orr_free(d->provenance);
    orr_free(d->x_from);
    orr_free(d);
}

/* ---- the index ---- */
/* Column `name` of /shards: n elements. */
static orr_status manifest_column(orr_store_reader *r, const char *name, orr_store_type type,
                                  int64_t n, void *out)
{
    if (orr_store_count(r, name) == n && orr_store_get(r, name, type, (size_t)n, out) == ORR_OK)
        return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: the manifest's column /%s is missing or has another length",
                    orr_store_reader_path(r), name);
}

static orr_status check_manifest(orr_dataset *d, const char *path, int64_t index_rows)
{
    for (int i = 0; i < d->n_shards; i++) {
        shard *s = &d->shards[i];
        char want[ORR_SHARD_NAME_MAX];

        orr_shard_name(want, i);
        if (strcmp(s->file, want) != 0 || s->rows < 1 || s->rows > INT64_MAX / 2 - d->rows)
            return orr_fail(ORR_ERR_FORMAT, "%s: entry %d of the manifest is not %s with its rows",
                            path, i, want);
        s->first = d->rows;
        d->rows += s->rows;
    }
    if (d->rows != index_rows)
        return orr_fail(ORR_ERR_FORMAT, "%s: the manifest has %" PRId64 " rows, /x has %" PRId64,
                        path, d->rows, index_rows);
    return ORR_OK;
}

static orr_status read_manifest(orr_dataset *d, orr_store_reader *r, int64_t index_rows)
{
    const orr_store_type name = ORR_STORE_TEXT_OF(ORR_SHARD_NAME_MAX),
                         sha = ORR_STORE_TEXT_OF(ORR_SHA256_HEX - 1);
    const char *path = orr_store_reader_path(r);
    orr_status st = ORR_ERR_NOMEM;
    int64_t n = orr_store_count(r, "shards/rows"), *numbers = NULL;
    char *texts = NULL;

    if (n < 1 || n > 10000000) return orr_fail(ORR_ERR_FORMAT, "%s: has no manifest /shards", path);
    d->n_shards = (int)n;
    d->shards = orr_alloc((size_t)n, sizeof *d->shards);
    numbers = orr_alloc((size_t)n, sizeof *numbers);
    texts = orr_alloc((size_t)n, ORR_SHA256_HEX);
    if (!d->shards || !numbers || !texts) {
        orr_fail(st, "%s: no memory for the manifest of %d shards", path, d->n_shards);
        goto done;
    }
    ORR_TRY_GOTO(st, done, manifest_column(r, "shards/rows", ORR_STORE_I64, n, numbers));
    for (int i = 0; i < d->n_shards; i++)
        d->shards[i].rows = numbers[i];
    ORR_TRY_GOTO(st, done, manifest_column(r, "shards/bytes", ORR_STORE_I64, n, numbers));
    for (int i = 0; i < d->n_shards; i++)
        d->shards[i].bytes = numbers[i];
    ORR_TRY_GOTO(st, done, manifest_column(r, "shards/sha256", sha, n, texts));
    for (int i = 0; i < d->n_shards; i++)
        memcpy(d->shards[i].sha, texts + i * (ORR_SHA256_HEX - 1), ORR_SHA256_HEX - 1);
    ORR_TRY_GOTO(st, done, manifest_column(r, "shards/file", name, n, texts));
    for (int i = 0; i < d->n_shards; i++)
        memcpy(d->shards[i].file, texts + i * ORR_SHARD_NAME_MAX, ORR_SHARD_NAME_MAX - 1);
    st = check_manifest(d, path, index_rows);
done:
    orr_free(numbers);
    orr_free(texts);
    return st;
}

static orr_status read_index(orr_dataset *d)
{
    orr_status st;
    char path[ORR_PATH_MAX];
    int64_t rows;
    orr_store_reader *r = NULL;

    ORR_TRY(orr_path_join(path, d->dir, ORR_INDEX_NAME));
    if (!orr_path_exists(path))
        return orr_fail(
            ORR_ERR_IO,
            "%s: no shard set here, or one whose writing did not finish (there is no %s)", d->path,
            ORR_INDEX_NAME);
    ORR_TRY(orr_store_open(&r, path, NULL));
    ORR_TRY_GOTO(st, done, orr_schema_get(r, ORR_INDEX_FORMAT, &d->schema, &rows));
    ORR_TRY_GOTO(st, done, orr_store_attr_dup(r, "provenance", &d->provenance));
    st = read_manifest(d, r, rows);
done:
    orr_store_close(r);
    return st;
}

/* ---- the shards ---- */
static orr_status shard_path(const orr_dataset *d, int i, char path[ORR_PATH_MAX])
{
    return orr_path_join(path, d->dir, d->shards[i].file);
}

static orr_status check_shard_file(const orr_dataset *d, int i, const char *path, int verify)
{
    const shard *s = &d->shards[i];
    const size_t y_bytes = orr_schema_y_bytes(&d->schema);
    struct stat info;
    char sha[ORR_SHA256_HEX];

    if (stat(path, &info) != 0)
        return orr_fail(errno == ENOENT ? ORR_ERR_FORMAT : ORR_ERR_IO,
                        "%s: shard %d of the set's %d: %s", path, i, d->n_shards,
                        errno == ENOENT ? "is missing" : strerror(errno));
    /* Ids and labels are never packed: rows that the file cannot hold get no memory. */
    if (s->rows > info.st_size / (int64_t)(orr_schema_id_bytes(&d->schema) + y_bytes))
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: has %lld bytes, too few for the %" PRId64 " rows that the index says",
                        path, (long long)info.st_size, s->rows);
    if (info.st_size != s->bytes)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: has %lld bytes, the index says %" PRId64 ": truncated or replaced",
                        path, (long long)info.st_size, s->bytes);
    if (!verify) return ORR_OK;
    ORR_TRY(orr_sha256_file(sha, path));
    if (strcmp(sha, s->sha) != 0)
        return orr_fail(
            ORR_ERR_FORMAT,
            "%s: its content is not what the index says (sha256 %.12s..., not %.12s...)", path, sha,
            s->sha);
    return ORR_OK;
}

static orr_status read_shard_columns(orr_dataset *d, int i, orr_store_reader *r)
{
    orr_status st;
    shard *s = &d->shards[i];
    const char *path = orr_store_reader_path(r);
    const size_t first = (size_t)s->first;
    orr_schema *have = orr_alloc(1, sizeof *have);
    orr_store_array x;
    int64_t rows;

    if (!have) return orr_fail(ORR_ERR_NOMEM, "%s: no memory for a schema", path);
    ORR_TRY_GOTO(st, done, orr_schema_get(r, ORR_SHARD_FORMAT, have, &rows));
    ORR_TRY_GOTO(st, done, orr_schema_same(&d->schema, have, path));
    if (rows != s->rows) {
        st = orr_fail(ORR_ERR_FORMAT, "%s: has %" PRId64 " rows, the index says %" PRId64, path,
                      rows, s->rows);
        goto done;
    }
    ORR_TRY_GOTO(
        st, done,
        orr_shard_load(r, have, 0, rows,
                       &(orr_rows){ .y = (char *)d->y + first * orr_schema_y_bytes(have),
                                    .id = d->ids + first * orr_schema_id_bytes(have),
                                    .aux = d->aux ? d->aux + first * (size_t)have->n_aux : NULL }));
    x = orr_shard_column_array(have, ORR_COLUMN_X, rows);
    s->x_offset = (off_t)orr_store_place(r, "x", &x);
done:
    orr_free(have);
    return st;
}

static orr_status read_shards(orr_dataset *d, int verify)
{
    size_t n = (size_t)d->rows, y_bytes = orr_schema_y_bytes(&d->schema);
    char path[ORR_PATH_MAX];

    for (int i = 0; i < d->n_shards; i++) {
        ORR_TRY(shard_path(d, i, path));
        ORR_TRY(check_shard_file(d, i, path, verify));
    }
    d->y = orr_alloc(n, y_bytes ? y_bytes : 1);
    d->ids = orr_alloc(n, orr_schema_id_bytes(&d->schema));
    d->keys = orr_alloc(n, sizeof *d->keys);
    if (d->schema.n_aux > 0) d->aux = orr_alloc(n, orr_schema_aux_bytes(&d->schema));
    if (!d->y || !d->ids || !d->keys || (d->schema.n_aux > 0 && !d->aux))
        return orr_fail(ORR_ERR_NOMEM, "%s: no memory for labels and ids of %" PRId64 " rows",
                        d->path, d->rows);
    ORR_TRY(orr_store_check(d->dir, d->shards[0].file, sizeof d->shards[0], d->n_shards));
    for (int i = 0; i < d->n_shards; i++) {
        orr_store_reader *r;
        orr_status st;

        ORR_TRY(shard_path(d, i, path));
        ORR_TRY(orr_store_open_checked(&r, path, NULL));
        st = read_shard_columns(d, i, r);
        orr_store_close(r);
        ORR_TRY(st);
    }
    return ORR_OK;
}

static size_t id_length(const orr_dataset *d, int64_t row)
{
    return strnlen(d->ids + (size_t)row * (size_t)d->schema.id_bytes, (size_t)d->schema.id_bytes);
}

static orr_status make_keys(orr_dataset *d)
{
    if (d->schema.id_type == ORR_ID_INT) {
        memcpy(d->keys, d->ids, (size_t)d->rows * sizeof *d->keys);
        return ORR_OK;
    }
    for (int64_t i = 0; i < d->rows; i++) {
        char hex[ORR_SHA256_HEX];
        orr_sha256 *h = NULL;
        orr_status st;

        ORR_TRY(orr_sha256_begin(&h));
        st = orr_sha256_add(h, d->ids + (size_t)i * (size_t)d->schema.id_bytes, id_length(d, i));
        if (st != ORR_OK) {
            orr_sha256_destroy(h);
            return st;
        }
        ORR_TRY(orr_sha256_end(h, hex));
        hex[16] = '\0';
        d->keys[i] = strtoull(hex, NULL, 16);
    }
    return ORR_OK;
}

static orr_status find_dir(orr_dataset *d, const char *path)
{
    size_t len = strlen(path), tail = strlen(ORR_INDEX_NAME);

    if (len >= ORR_PATH_MAX)
        return orr_fail(ORR_ERR_ARG, "path of a shard set: %zu bytes are too long", len);
    memcpy(d->path, path, len + 1);
    if (len >= tail && strcmp(path + len - tail, ORR_INDEX_NAME) == 0 && !orr_path_is_dir(path))
        return orr_path_dir(d->dir, path);
    memcpy(d->dir, path, len + 1);
    return ORR_OK;
}

orr_status orr_dataset_open(orr_dataset **out, const char *path, int verify)
{
    orr_status st;
    orr_dataset *d;

    *out = NULL;
    if (!(d = orr_alloc(1, sizeof *d))) return orr_fail(ORR_ERR_NOMEM, "%s: no memory", path);
    d->open_shard = d->fd = -1;
    ORR_TRY_GOTO(st, done, find_dir(d, path));
    ORR_TRY_GOTO(st, done, read_index(d));
    ORR_TRY_GOTO(st, done, read_shards(d, verify));
    ORR_TRY_GOTO(st, done, make_keys(d));
    *out = d;
    d = NULL; /* handed over */
done:
    orr_dataset_close(d);
    return st;
}

/* ---- what a set holds ---- */
const orr_schema *orr_dataset_schema(const orr_dataset *d)
{
    return &d->schema;
}

const char *orr_dataset_path(const orr_dataset *d)
{
    return d->path;
}

int64_t orr_dataset_rows(const orr_dataset *d)
{
    return d->rows;
}

int orr_dataset_n_shards(const orr_dataset *d)
{
    return d->n_shards;
}

const int32_t *orr_dataset_labels(const orr_dataset *d)
{
    return d->schema.y_type == ORR_Y_CLASS ? d->y : NULL;
}

const float *orr_dataset_values(const orr_dataset *d)
{
    return d->schema.y_type == ORR_Y_VALUE ? d->y : NULL;
}

const float *orr_dataset_aux(const orr_dataset *d)
{
    return d->aux;
}

const uint64_t *orr_dataset_keys(const orr_dataset *d)
{
    return d->keys;
}

const char *orr_dataset_provenance(const orr_dataset *d)
{
    return d->provenance;
}

void orr_dataset_id(const orr_dataset *d, int64_t row, char *buf, size_t bytes)
{
    if (d->schema.id_type == ORR_ID_INT)
        snprintf(buf, bytes, "%" PRId64, (int64_t)d->keys[row]);
    else
        snprintf(buf, bytes, "%.*s", (int)id_length(d, row),
                 d->ids + (size_t)row * (size_t)d->schema.id_bytes);
}

/* ---- samples ---- */
static orr_status open_shard(orr_dataset *d, int i, const char *path)
{
    if (d->open_shard == i) return ORR_OK;
    close_shard(d);
    if (d->shards[i].x_offset >= 0) {
        ORR_TRY(orr_open_input(&d->fd, NULL, path));
    } else {
        ORR_TRY(orr_store_open_checked(&d->reader, path, NULL));
    }
    d->open_shard = i;
    return ORR_OK;
}

static orr_status read_at(int fd, const char *path, off_t at, size_t bytes, char *out)
{
    size_t done = 0;

    while (done < bytes) {
        size_t want = bytes - done < (size_t)1 << 30 ? bytes - done : (size_t)1 << 30;
        ssize_t n = pread(fd, out + done, want, at + (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return orr_fail(ORR_ERR_IO, "%s: cannot read /x: %s", path, strerror(errno));
        if (n == 0) return orr_fail(ORR_ERR_FORMAT, "%s: ends within /x: truncated", path);
        done += (size_t)n;
    }
    return ORR_OK;
}

static int find_shard(const orr_dataset *d, int64_t row)
{
    int lo = 0, hi = d->n_shards - 1;

    while (lo < hi) {
        int mid = (lo + hi + 1) / 2;
        if (d->shards[mid].first <= row)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

static orr_status read_rows(orr_dataset *d, int64_t first, int64_t n, char *out)
{
    const size_t bytes = orr_schema_x_bytes(&d->schema);

    for (int i = find_shard(d, first); n > 0; i++) {
        const shard *s = &d->shards[i];
        int64_t at = first - s->first, here = s->rows - at < n ? s->rows - at : n;
        orr_store_array x = orr_shard_column_array(&d->schema, ORR_COLUMN_X, here);
        char path[ORR_PATH_MAX];

        ORR_TRY(shard_path(d, i, path));
        ORR_TRY(open_shard(d, i, path));
        if (d->fd >= 0)
            ORR_TRY(read_at(d->fd, path, s->x_offset + (off_t)at * (off_t)bytes,
                            (size_t)here * bytes, out));
        else
            ORR_TRY(orr_store_get_rows(d->reader, "x", &x, at, here, out));
        out += (size_t)here * bytes;
        first += here;
        n -= here;
    }
    return ORR_OK;
}

/* ---- in another order than they lie in ---- */
#define ARRANGE(type)                                                                              \
    static void arrange_##type(type *x, int64_t n_groups, const int32_t *from, int n, type *was)   \
    {                                                                                              \
        for (int64_t g = 0; g < n_groups; g++, x += n) {                                           \
            memcpy(was, x, (size_t)n * sizeof *x);                                                 \
            for (int i = 0; i < n; i++)                                                            \
                x[i] = was[from[i]];                                                               \
        }                                                                                          \
    }
ARRANGE(uint8_t)
ARRANGE(uint16_t)
ARRANGE(uint32_t)

/* n groups of d->n_x numbers of as many bytes. */
static orr_status arrange(void *x, int64_t n_groups, size_t bytes, const int32_t *from, int n)
{
    void *was = orr_alloc((size_t)n, bytes);

    if (!was) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d numbers of a sample", n);
    if (bytes == 1)
        arrange_uint8_t(x, n_groups, from, n, was);
    else if (bytes == 2)
        arrange_uint16_t(x, n_groups, from, n, was);
    else
        arrange_uint32_t(x, n_groups, from, n, was);
    orr_free(was);
    return ORR_OK;
}

/* What came from from[i] before comes from there still, whatever was done before. */
static orr_status take_order(orr_dataset *d, const int32_t *from, int n)
{
    int32_t *joined = orr_alloc((size_t)n, sizeof *joined);

    if (!joined) return orr_fail(ORR_ERR_NOMEM, "%s: no memory for an order", d->path);
    for (int i = 0; i < n; i++)
        joined[i] = d->x_from ? d->x_from[from[i]] : from[i];
    orr_free(d->x_from);
    d->x_from = joined;
    d->n_x = n;
    return ORR_OK;
}

static void take_names(orr_schema *s, const orr_schema *want)
{
    memcpy(s->channel_names, want->channel_names, sizeof s->channel_names);
    memcpy(s->feature_names, want->feature_names, sizeof s->feature_names);
    if (s->y_type != want->y_type) return;
    memcpy(s->class_names, want->class_names, sizeof s->class_names);
    memcpy(s->y_names, want->y_names, sizeof s->y_names);
    memcpy(s->y_units, want->y_units, sizeof s->y_units);
    memcpy(s->y_shift, want->y_shift, sizeof s->y_shift);
}

static void relabel(orr_dataset *d, const int32_t *number, int n)
{
    int32_t *y = d->y;

    for (int64_t i = 0; i < d->rows; i++)
        y[i] = number[y[i]];
    for (int k = 0; k < n; k++)
        if (number[k] >= d->schema.n_classes) d->schema.n_classes = number[k] + 1;
}

orr_status orr_dataset_arrange(orr_dataset *d, const orr_schema_match *m, const orr_schema *want)
{
    if (m->x) ORR_TRY(take_order(d, m->x, m->n_x));
    if (m->label) relabel(d, m->label, m->n_labels);
    if (m->y) ORR_TRY(arrange(d->y, d->rows, sizeof(float), m->y, m->n_y));
    take_names(&d->schema, want);
    return ORR_OK;
}

orr_status orr_dataset_read_x(orr_dataset *d, int64_t first, int64_t n, void *x)
{
    if (first < 0 || n < 0 || first > d->rows - n)
        return orr_fail(ORR_ERR_ARG,
                        "%s: rows %" PRId64 " to %" PRId64 " asked of a set of %" PRId64, d->path,
                        first, first + n - 1, d->rows);
    ORR_TRY(read_rows(d, first, n, x));
    if (!d->x_from) return ORR_OK;
    return arrange(x, n * (orr_schema_numbers(&d->schema) / d->n_x),
                   orr_schema_x_bytes(&d->schema) / (size_t)orr_schema_numbers(&d->schema),
                   d->x_from, d->n_x);
}
