/* data/shard_set.c - making a shard set: its folder, its index.h5 over the shards that are there,
 * and the name under which it appears.
 *
 * In the index, /shards is a group with one array a column (file, rows, bytes, sha256).  The
 * virtual arrays name their sources by file name alone, which HDF5 looks for beside the index, so
 * that a set may be moved as a folder. */
#include "data/shard_private.h"

#include "core/memory.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the folder ---- */
#define ORR_QUARANTINE_NAME "quarantine.csv"

/* What a set may hold beside its index: shards, the list of what was set aside when it was made,
 * and what a writer that was killed left of these. */
static int is_set_file(const char *name)
{
    return orr_shard_number(name, 1) >= 0 || strcmp(name, ORR_INDEX_NAME ".tmp") == 0 ||
           strcmp(name, ORR_QUARANTINE_NAME) == 0 || strcmp(name, ORR_QUARANTINE_NAME ".tmp") == 0;
}

/* Looks at every entry: *foreign gets the first name that is not of a set, *n counts
 * the others. */
static orr_status look(const char *dir, char foreign[256], int *n, int remove)
{
    orr_status st = ORR_OK;
    struct dirent *e;
    DIR *d = opendir(dir);

    foreign[0] = '\0';
    *n = 0;
    if (!d) return orr_fail(ORR_ERR_IO, "%s: cannot list: %s", dir, strerror(errno));
    while (st == ORR_OK && (e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (!is_set_file(e->d_name) && strcmp(e->d_name, ORR_INDEX_NAME) != 0) {
            memcpy(foreign, e->d_name, strlen(e->d_name) + 1);
            break;
        }
        ++*n;
        if (remove && unlinkat(dirfd(d), e->d_name, 0) != 0)
            st = orr_fail(ORR_ERR_IO, "%s/%s: cannot remove: %s", dir, e->d_name, strerror(errno));
    }
    closedir(d);
    return st;
}

orr_status orr_set_create(const char *dir, int overwrite)
{
    char foreign[256], index[ORR_PATH_MAX];
    int n;

    ORR_TRY(orr_make_dirs(dir));
    ORR_TRY(orr_path_join(index, dir, ORR_INDEX_NAME));
    if (orr_path_exists(index))
        return orr_fail(ORR_ERR_EXISTS,
                        "%s: holds a finished shard set; remove it or choose another folder", dir);
    ORR_TRY(look(dir, foreign, &n, 0));
    if (foreign[0])
        return orr_fail(ORR_ERR_EXISTS, "%s: is not empty (it holds %s); choose another folder",
                        dir, foreign);
    if (n > 0 && !overwrite)
        return orr_fail(
            ORR_ERR_EXISTS,
            "%s: holds %d files of an unfinished shard set; remove them or ask to overwrite", dir,
            n);
    return n > 0 ? look(dir, foreign, &n, 1) : ORR_OK;
}

orr_status orr_set_clear(const char *dir)
{
    char foreign[256];
    int n;

    ORR_TRY(look(dir, foreign, &n, 0));
    if (foreign[0])
        return orr_fail(ORR_ERR_EXISTS, "%s: is not empty (it holds %s); choose another folder",
                        dir, foreign);
    return look(dir, foreign, &n, 1);
}

orr_status orr_set_check_output(const char *path, int overwrite)
{
    char foreign[256];
    int n;

    if (!orr_path_exists(path)) return ORR_OK;
    if (!orr_path_is_dir(path))
        return orr_fail(ORR_ERR_EXISTS, "%s: is a file; a shard set is a folder", path);
    ORR_TRY(look(path, foreign, &n, 0));
    if (foreign[0])
        return orr_fail(ORR_ERR_EXISTS, "%s: is not empty (it holds %s); choose another folder",
                        path, foreign);
    if (n > 0 && !overwrite)
        return orr_fail(ORR_ERR_EXISTS,
                        "%s: holds a shard set; remove it, say overwrite=true, or choose another "
                        "folder",
                        path);
    return ORR_OK;
}

orr_status orr_set_publish(const char *tmp, const char *path, int overwrite)
{
    char old[ORR_PATH_MAX];

    ORR_TRY(orr_set_check_output(path, overwrite));
    if (rename(tmp, path) == 0) return ORR_OK; /* nothing there, or an empty folder */
    if (!overwrite || !orr_path_exists(path))
        return orr_fail(ORR_ERR_IO, "%s: cannot be named %s: %s", tmp, path, strerror(errno));
    if ((size_t)snprintf(old, sizeof old, "%s.old", path) >= sizeof old)
        return orr_fail(ORR_ERR_ARG, "%s: the path is too long", path);
    ORR_TRY(orr_set_check_output(old, 1));
    if (orr_path_is_dir(old)) ORR_TRY(orr_remove_dir(old)); /* a replacement that was killed */
    if (rename(path, old) != 0 || rename(tmp, path) != 0)
        return orr_fail(ORR_ERR_IO, "%s: cannot be replaced: %s", path, strerror(errno));
    return orr_remove_dir(old);
}

/* ---- the index ---- */
/* Manifest and ids of a set in memory. */
typedef struct manifest {
    int n;
    int64_t total;
    int64_t *rows, *bytes, *first; /* first row of each shard in the set */
    char (*file)[ORR_SHARD_NAME_MAX];
    char (*sha)[ORR_SHA256_HEX - 1]; /* 64 digits, no end */
    char *ids;
} manifest;

static void manifest_free(manifest *m)
{
    orr_free(m->rows);
    orr_free(m->bytes);
    orr_free(m->first);
    orr_free(m->file);
    orr_free(m->sha);
    orr_free(m->ids);
}

static orr_status manifest_alloc(manifest *m, int n)
{
    size_t count = (size_t)n;

    m->n = n;
    m->rows = orr_alloc(count, sizeof *m->rows);
    m->bytes = orr_alloc(count, sizeof *m->bytes);
    m->first = orr_alloc(count, sizeof *m->first);
    m->file = orr_alloc(count, sizeof *m->file);
    m->sha = orr_alloc(count, sizeof *m->sha);
    if (m->rows && m->bytes && m->first && m->file && m->sha) return ORR_OK;
    return orr_fail(ORR_ERR_NOMEM, "no memory for the manifest of %d shards", n);
}

/* Opens shard i and compares its schema with the set's. */
static orr_status open_shard(const char *dir, const manifest *m, int i, const orr_schema *s,
                             orr_store_reader **r, int64_t *rows)
{
    char path[ORR_PATH_MAX];
    orr_status st;
    orr_schema *have = NULL;

    *r = NULL;
    ORR_TRY(orr_path_join(path, dir, m->file[i]));
    if (!orr_path_exists(path)) return orr_fail(ORR_ERR_FORMAT, "%s: is missing", path);
    if (!(have = orr_alloc(1, sizeof *have)))
        return orr_fail(ORR_ERR_NOMEM, "no memory for a schema");
    ORR_TRY_GOTO(st, done, orr_store_open_checked(r, path, NULL));
    ORR_TRY_GOTO(st, done, orr_schema_get(*r, ORR_SHARD_FORMAT, have, rows));
    ORR_TRY_GOTO(st, done, orr_schema_same(s, have, path));
done:
    if (st != ORR_OK) {
        orr_store_close(*r);
        *r = NULL;
    }
    orr_free(have);
    return st;
}

static orr_status survey(manifest *m, const char *dir, const orr_schema *s)
{
    for (int i = 0; i < m->n; i++) {
        char path[ORR_PATH_MAX], sha[ORR_SHA256_HEX];
        struct stat info;
        orr_store_reader *r;

        orr_shard_name(m->file[i], i);
        ORR_TRY(orr_path_join(path, dir, m->file[i]));
        ORR_TRY(open_shard(dir, m, i, s, &r, &m->rows[i]));
        orr_store_close(r);
        ORR_TRY(orr_sha256_file(sha, path));
        memcpy(m->sha[i], sha, sizeof m->sha[i]);
        if (stat(path, &info) != 0) return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
        m->bytes[i] = info.st_size;
        m->first[i] = m->total;
        m->total += m->rows[i];
    }
    return ORR_OK;
}

static orr_status read_ids(manifest *m, const char *dir, const orr_schema *s)
{
    orr_status st = ORR_OK;
    size_t id_bytes = orr_schema_id_bytes(s), y_bytes = orr_schema_y_bytes(s);
    int64_t most = 0;
    void *y = NULL;

    for (int i = 0; i < m->n; i++)
        if (m->rows[i] > most) most = m->rows[i];
    m->ids = orr_alloc((size_t)m->total, id_bytes);
    y = orr_alloc((size_t)most, y_bytes ? y_bytes : 1);
    if (!m->ids || !y) {
        st = orr_fail(ORR_ERR_NOMEM, "no memory for %" PRId64 " ids", m->total);
        goto done;
    }
    for (int i = 0; st == ORR_OK && i < m->n; i++) {
        orr_store_reader *r;
        int64_t rows;

        ORR_TRY_GOTO(st, done, open_shard(dir, m, i, s, &r, &rows));
        st = rows != m->rows[i]
                 ? orr_fail(ORR_ERR_FORMAT, "%s: changed while the index was being written",
                            orr_store_reader_path(r))
                 : orr_shard_load(
                       r, s, 0, rows,
                       &(orr_rows){ .y = y, .id = m->ids + (size_t)m->first[i] * id_bytes });
        orr_store_close(r);
    }
done:
    orr_free(y);
    return st;
}

/* ---- unique ids ---- */
typedef struct tagged {
    uint64_t key;
    int64_t row;
} tagged; /* key: the integer, or the first 8 bytes of the text */
typedef struct id_table {
    const char *ids;
    size_t bytes;
    int text;
} id_table;

static uint64_t id_prefix(const id_table *t, int64_t row)
{
    uint64_t key = 0;

    memcpy(&key, t->ids + (size_t)row * t->bytes, t->bytes < 8 ? t->bytes : 8);
    return key;
}

static int same_rest(const id_table *t, int64_t a, int64_t b)
{
    return memcmp(t->ids + (size_t)a * t->bytes, t->ids + (size_t)b * t->bytes, t->bytes);
}

static int by_id(const void *pa, const void *pb, void *payload)
{
    const tagged *a = pa, *b = pb;
    const id_table *t = payload;
    int rest;

    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    rest = t->text ? same_rest(t, a->row, b->row) : 0;
    if (rest != 0) return rest;
    return a->row < b->row ? -1 : a->row > b->row;
}

static int shard_of(const manifest *m, int64_t row)
{
    int i = m->n - 1;

    while (m->first[i] > row)
        i--;
    return i;
}

static orr_status twice(const manifest *m, const id_table *t, int64_t a, int64_t b)
{
    int sa = shard_of(m, a), sb = shard_of(m, b);
    char id[ORR_ID_TEXT_MAX + 1] = "";

    if (t->text)
        snprintf(id, sizeof id, "%.*s", (int)t->bytes, t->ids + (size_t)a * t->bytes);
    else
        snprintf(id, sizeof id, "%" PRId64, (int64_t)id_prefix(t, a));
    return orr_fail(ORR_ERR_FORMAT,
                    "id %s stands twice in the set: rows %" PRId64 " (%s, row %" PRId64
                    ") and %" PRId64 " (%s, row %" PRId64 "); ids must be unique: leave one of "
                    "the rows out, or let further columns be part of the id",
                    id, a, m->file[sa], a - m->first[sa], b, m->file[sb], b - m->first[sb]);
}

static orr_status check_unique(const manifest *m, const orr_schema *s)
{
    orr_status st = ORR_OK;
    id_table t = { m->ids, orr_schema_id_bytes(s), s->id_type == ORR_ID_TEXT };
    tagged *order = orr_alloc((size_t)m->total, sizeof *order);

    if (!order) return orr_fail(ORR_ERR_NOMEM, "no memory to sort %" PRId64 " ids", m->total);
    for (int64_t i = 0; i < m->total; i++)
        order[i] = (tagged){ id_prefix(&t, i), i };
    qsort_r(order, (size_t)m->total, sizeof *order, by_id, &t);
    for (int64_t i = 1; st == ORR_OK && i < m->total; i++)
        if (order[i].key == order[i - 1].key &&
            (!t.text || same_rest(&t, order[i].row, order[i - 1].row) == 0))
            st = twice(m, &t, order[i - 1].row, order[i].row);
    orr_free(order);
    return st;
}

/* ---- the file ---- */
static orr_status put_manifest(orr_store_writer *w, const manifest *m)
{
    ORR_TRY(orr_store_put_group(w, "shards"));
    ORR_TRY(orr_store_put(w, "shards/file",
                          orr_store_vector(ORR_STORE_TEXT_OF(ORR_SHARD_NAME_MAX), m->n), m->file));
    ORR_TRY(orr_store_put(w, "shards/rows", orr_store_vector(ORR_STORE_I64, m->n), m->rows));
    ORR_TRY(orr_store_put(w, "shards/bytes", orr_store_vector(ORR_STORE_I64, m->n), m->bytes));
    return orr_store_put(w, "shards/sha256",
                         orr_store_vector(ORR_STORE_TEXT_OF(sizeof m->sha[0]), m->n), m->sha);
}

static orr_status put_columns(orr_store_writer *w, const manifest *m, const orr_schema *s)
{
    static const orr_shard_column order[ORR_N_COLUMNS] = { ORR_COLUMN_X, ORR_COLUMN_Y,
                                                           ORR_COLUMN_ID, ORR_COLUMN_AUX };
    const orr_store_parts parts = { m->n, m->file[0], sizeof m->file[0], m->rows };

    for (int k = 0; k < ORR_N_COLUMNS; k++)
        if (orr_shard_column_bytes(s, order[k]) > 0)
            ORR_TRY(orr_store_put_virtual(w, orr_shard_column_name(order[k]),
                                          orr_shard_column_array(s, order[k], m->total), &parts));
    return ORR_OK;
}

static size_t room_for(const manifest *m, const orr_provenance *p)
{
    size_t n = p && p->job ? strlen(p->job) : 0;

    for (int i = 0; p && i < p->n_inputs; i++)
        n += strlen(p->inputs[i]) + 128;
    return ((size_t)1 << 19) + (size_t)m->n * 1024 + 2 * n;
}

static orr_status write_index(const char *path, const manifest *m, const orr_schema *s,
                              const orr_provenance *p)
{
    orr_store_writer *w;
    orr_status st = orr_store_begin_plain(&w, path, room_for(m, p));

    if (st == ORR_OK) st = orr_schema_put(w, ORR_INDEX_FORMAT, s, p);
    if (st == ORR_OK) st = put_manifest(w, m);
    if (st == ORR_OK) st = put_columns(w, m, s);
    return orr_store_commit(w, st);
}

orr_status orr_index_write(const char *dir, int n_shards, const orr_schema *s,
                           const orr_provenance *p)
{
    orr_status st;
    manifest m = { 0 };
    char path[ORR_PATH_MAX];

    if (n_shards < 1) return orr_fail(ORR_ERR_ARG, "%s: a set needs at least one shard", dir);
    ORR_TRY(orr_schema_check(s));
    ORR_TRY(orr_path_join(path, dir, ORR_INDEX_NAME));
    if (orr_path_exists(path)) return orr_fail(ORR_ERR_EXISTS, "%s: exists already", path);
    ORR_TRY_GOTO(st, done, manifest_alloc(&m, n_shards));
    ORR_TRY_GOTO(st, done, survey(&m, dir, s));
    ORR_TRY_GOTO(st, done, read_ids(&m, dir, s));
    ORR_TRY_GOTO(st, done, check_unique(&m, s));
    st = write_index(path, &m, s, p);
done:
    manifest_free(&m);
    return st;
}
