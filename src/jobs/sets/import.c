/* jobs/sets/import.c - survey tables to a shard set, all ranks at once.
 *
 * Phases: open; scan byte ranges (dealt over ranks); look at labels; with nan: drop, look which
 * rows have a value that is none; write shards, each by whoever takes it next from the work
 * counter; index by rank 0.  Which rows make a shard depends on the schema alone, so the bytes do
 * not depend on ranks. */
#include "jobs/sets/import.h"
#include "core/file.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/timeline.h"
#include "data/formats/table.h"
#include "data/schema_match.h"
#include "data/shard.h"
#include "jobs/context/phase.h"
#include "jobs/context/runtime.h"
#include "jobs/context/signals.h"
#include "jobs/sets/import_notes.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_TABLES = 16 };

const orr_option orr_import_options[] = {
    ORR_OPTION_STRING(orr_import_opts, out, NULL, "folder of the shard set"),
    ORR_OPTION_BOOL(orr_import_opts, overwrite, "false",
                    "replace a shard set that is there, once the new one is whole"),
    ORR_OPTION_INT(orr_import_opts, compression, "0", 0, 9,
                   "0 = contiguous (fastest to read); 1-9 = deflate"),
    ORR_OPTION_REAL(orr_import_opts, shard_mib, "16", 0.001, 65536,
                    "size of a shard, MiB of samples"),
    ORR_OPTION_NODE(orr_import_opts, input, "the table to import (keys below)"),
    ORR_OPTION_NODE(orr_import_opts, inputs,
                    "or a list of tables, one after the other (each with the keys of input)"),
    ORR_OPTION_SECTION(orr_import_opts, runtime, orr_runtime_options, "this start only"),
    ORR_OPTION_END,
};

typedef struct importer {
    orr_context *context;
    const orr_import_opts *o;
    const orr_config *config;
    int n_tables;
    orr_table_opts table_opts[MAX_TABLES];
    orr_table *tables[MAX_TABLES];
    int64_t first_row[MAX_TABLES + 1]; /* of each table in the whole */
    int64_t first_id[MAX_TABLES + 1];  /* what its row numbers are raised by */
    orr_schema schema;
    int64_t *kept;  /* rows of the whole that make the set, rising; NULL: all */
    int64_t n_rows; /* of the set */
    orr_census *census;
    orr_id_tally ids;
    int64_t rows_per_shard;
    int n_shards;
    orr_text job, features; /* features: that rest took */
    int n_inputs;
    const char *inputs[ORR_LIST_MAX * 2];
    char sums[ORR_LIST_MAX * 2][ORR_SHA256_HEX];
    const char *sum_texts[ORR_LIST_MAX * 2];
    char out[ORR_PATH_MAX]; /* the final folder, without a slash at its end */
    char tmp[ORR_PATH_MAX]; /* where the set is made, until it is whole */
    orr_lock lock;          /* rank 0: of tmp, which is made and removed under it alone */
} importer;

/* ---- phase 1: tables ---- */
static orr_status read_tables(importer *im)
{
    const orr_node *list = im->o->inputs, *one = im->o->input;
    int n = list ? list->n_items : 1;

    if ((list != NULL) == (one != NULL))
        return orr_fail(ORR_ERR_OPTION, "import: give input (one table) or inputs (a list)%s",
                        list ? ", not both" : "");
    if (list && list->type != ORR_NODE_LIST)
        return orr_fail(ORR_ERR_OPTION, "import: inputs must be a list of tables");
    if (n < 1 || n > MAX_TABLES)
        return orr_fail(ORR_ERR_OPTION, "import: %d tables; give 1 to %d", n, MAX_TABLES);
    for (int i = 0; i < n; i++) {
        int64_t span = orr_timeline_now();
        ORR_TRY(orr_options_read(&im->table_opts[i], orr_table_options, list ? list->items[i] : one,
                                 "input"));
        ORR_TRY(orr_table_open(&im->tables[i], &im->table_opts[i], ""));
        im->n_tables = i + 1;
        orr_timeline_span_of("open", span, i, orr_table_input(im->tables[i], 0));
    }
    return ORR_OK;
}

/* Ranks count rows in byte ranges in turn; everyone then knows where each row is. */
static orr_status scan_parts(orr_table *t, int first, int last, orr_scan *mine)
{
    for (int i = first; i < last; i++) {
        int64_t span = orr_timeline_now();
        ORR_TRY(orr_table_scan_part(t, i, &mine[i - first]));
        orr_timeline_span("scan", span, i);
    }
    return ORR_OK;
}

static orr_status scan_table(importer *im, orr_table *t)
{
    int n = orr_table_n_parts(t), size = im->context->size, rank = im->context->rank;
    orr_scan *mine = orr_alloc((size_t)n + 1, sizeof *mine),
             *all = orr_alloc((size_t)n + 1, sizeof *all);
    size_t *bytes = orr_alloc((size_t)size, sizeof *bytes);
    int first = (int)((int64_t)n * rank / size), last = (int)((int64_t)n * (rank + 1) / size);
    orr_status st;

    ORR_TRY_GOTO(st, done,
                 orr_phase(im->context, "scan parts",
                           mine && all && bytes
                               ? scan_parts(t, first, last, mine)
                               : orr_fail(ORR_ERR_NOMEM, "out of memory: scan of %d parts", n)));
    for (int r = 0; r < size; r++)
        bytes[r] = (size_t)((int64_t)n * (r + 1) / size - (int64_t)n * r / size) * sizeof *all;
    ORR_TRY_GOTO(st, done, orr_comm_allgather(im->context->world, mine, all, bytes));
    st = orr_phase(im->context, "scan end", n > 0 ? orr_table_scan_end(t, all) : ORR_OK);
done:
    orr_free(mine);
    orr_free(all);
    orr_free(bytes);
    return st;
}

/* Raises most[0] (class number) and most[1] (bytes of an id) to what the table holds. */
static orr_status look_at_labels(importer *im, const orr_table *t, int64_t most[2])
{
    int64_t rows = orr_table_rows(t), first = rows * im->context->rank / im->context->size,
            last = rows * (im->context->rank + 1) / im->context->size;
    int32_t label = -1;
    int id_bytes = 0;

    ORR_TRY(orr_phase(im->context, "labels",
                      orr_table_label_range(t, first, last - first, &label, &id_bytes)));
    if (label > most[0]) most[0] = label;
    if (id_bytes > most[1]) most[1] = id_bytes;
    return orr_comm_allreduce(im->context->world, most, 2, ORR_I64, ORR_MAX);
}

/* What the ranks' rows say, put together: a rank's values travel as fixed texts. */
static orr_status gather_values(importer *im, orr_classes *values)
{
    enum { MOST = ORR_MAX_CLASSES + 1 };
    typedef struct {
        int64_t n;
        char text[MOST][ORR_DATA_NAME_MAX];
    } list;
    size_t size = (size_t)im->context->size;
    list *mine = orr_alloc(1, sizeof *mine), *all = orr_alloc(size, sizeof *all);
    size_t *bytes = orr_alloc(size, sizeof *bytes);
    orr_status st;

    ORR_TRY_GOTO(
        st, done,
        orr_phase(im->context, NULL,
                  mine && all && bytes
                      ? ORR_OK
                      : orr_fail(ORR_ERR_NOMEM, "out of memory: classes of %zu ranks", size)));
    mine->n = values->n;
    for (int i = 0; i < values->n; i++)
        memcpy(mine->text[i], values->list[i].text, sizeof mine->text[i]);
    for (size_t r = 0; r < size; r++)
        bytes[r] = sizeof *all;
    ORR_TRY_GOTO(st, done, orr_comm_allgather(im->context->world, mine, all, bytes));
    for (size_t r = 0; r < size; r++)
        for (int64_t i = 0; st == ORR_OK && i < all[r].n; i++)
            st = orr_classes_add(values, all[r].text[i], strlen(all[r].text[i]));
    st = orr_phase(im->context, NULL, st);
done:
    orr_free(mine);
    orr_free(all);
    orr_free(bytes);
    return st;
}

static orr_status learn_own(importer *im, orr_classes *values)
{
    for (int i = 0; i < im->n_tables; i++) {
        int64_t rows = orr_table_rows(im->tables[i]),
                first = rows * im->context->rank / im->context->size,
                last = rows * (im->context->rank + 1) / im->context->size;

        if (orr_table_learns(im->tables[i]))
            ORR_TRY(orr_table_learn(im->tables[i], first, last - first, values));
    }
    return ORR_OK;
}

static orr_status set_classes(importer *im, orr_classes *values)
{
    int64_t rows = 0;

    for (int i = 0; i < im->n_tables; i++)
        if (orr_table_learns(im->tables[i])) rows += orr_table_rows(im->tables[i]);
    for (int i = 0; i < im->n_tables; i++)
        if (orr_table_learns(im->tables[i]))
            ORR_TRY(orr_table_set_classes(im->tables[i], values, rows));
    return ORR_OK;
}

/* Classes that nobody listed are those that the labels of all tables have. */
static orr_status learn_classes(importer *im)
{
    orr_classes values = { 0 };
    orr_text said = { .max = 400 };
    int learns = -1;
    orr_status st = ORR_OK;

    for (int i = im->n_tables - 1; i >= 0; i--)
        if (orr_table_learns(im->tables[i])) learns = i;
    if (learns < 0) return ORR_OK;
    ORR_TRY_GOTO(st, done, orr_phase(im->context, "classes", learn_own(im, &values)));
    ORR_TRY_GOTO(st, done, gather_values(im, &values));
    ORR_TRY_GOTO(st, done, orr_phase(im->context, NULL, set_classes(im, &values)));
    orr_table_say_classes(im->tables[learns], &said);
    if (said.len)
        orr_log0(ORR_WARN, "import",
                 "classes are those that the labels have: %s (input.classes lists them in another "
                 "order)",
                 said.s);
done:
    orr_text_free(&said);
    orr_classes_free(&values);
    return st;
}

/* ---- features that nobody named ---- */

static orr_status check_columns(importer *im)
{
    for (int i = 0; i < im->n_tables; i++) {
        orr_text said = { .max = 400 };
        orr_status st = orr_table_check_columns(im->tables[i], &said);

        if (st == ORR_OK && said.len)
            orr_log0(ORR_WARN, "import", "%s: %s", orr_table_input(im->tables[i], 0), said.s);
        orr_text_free(&said);
        ORR_TRY(st);
    }
    return ORR_OK;
}

static orr_status say_features(importer *im)
{
    enum { SHOWN = 100, KEPT = 16384 };
    orr_text shown = { .max = 600 };

    for (int i = 0; i < im->n_tables && im->features.len < KEPT; i++)
        orr_table_say_features(im->tables[i], KEPT, &im->features);
    orr_table_say_features(im->tables[0], SHOWN, &shown);
    if (shown.len)
        orr_log0(ORR_INFO, "import", "features are the rest of the columns: %s", shown.s);
    orr_text_free(&shown);
    return orr_text_status(&im->features);
}

/* Lines that matching had to say. */
static void say(const orr_match_notes *notes)
{
    const char *at = notes->warnings.s ? notes->warnings.s : "";

    for (const char *end; (end = strchr(at, '\n')); at = end + 1)
        orr_log0(ORR_WARN, "import", "%.*s", (int)(end - at), at);
}

/* Columns, classes, targets and aux numbers must be called alike, and stand in one order. */
static orr_status check_names(const importer *im, int i)
{
    const orr_schema *s = orr_table_schema(im->tables[i]);
    const char *first = orr_table_input(im->tables[0], 0),
               *name = orr_table_input(im->tables[i], 0), *v[2][ORR_MAX_AUX];
    const orr_schema_side want = { &im->schema, first, 0 }, have = { s, name, 0 };
    const orr_name_list a = orr_schema_aux_list(&im->schema, first, v[0]),
                        b = orr_schema_aux_list(s, name, v[1]);
    int32_t aux[ORR_MAX_AUX];
    orr_schema_match m;
    orr_status st = orr_schema_match_make(&m, &want, &have);
    const char *what = "aux numbers of the tables stand in another order";
    int moves = 0;

    if (st == ORR_OK) st = orr_names_match(&a, &b, ORR_NAMES_AUX, ORR_MATCH_EXACT, aux, &m.notes);
    for (int k = 0; st == ORR_OK && k < a.n; k++)
        moves |= aux[k] != k;
    if (st == ORR_OK && m.notes.infos.s) what = m.notes.infos.s;
    if (st == ORR_OK && (moves || orr_schema_match_moves(&m)))
        st = orr_fail(ORR_ERR_SHAPE,
                      "%.*s; list features, classes, target and aux of both in one order",
                      (int)strcspn(what, "\n"), what);
    if (st == ORR_OK && s->target_kind != im->schema.target_kind)
        st = orr_fail(ORR_ERR_OPTION, "%s: input.target_kind is not that of %s", name, first);
    if (st == ORR_OK) say(&m.notes);
    orr_schema_match_free(&m);
    return st;
}

/* Tables that follow one another must have one schema; the class count is the largest. */
static orr_status join_schemas(importer *im)
{
    im->schema = *orr_table_schema(im->tables[0]);
    for (int i = 1; i < im->n_tables; i++) {
        const orr_schema *s = orr_table_schema(im->tables[i]);
        const char *name = orr_table_input(im->tables[i], 0),
                   *first = orr_table_input(im->tables[0], 0);
        if (s->x_type != im->schema.x_type)
            return orr_fail(ORR_ERR_SHAPE, "%s: its samples are not of the type of those of %s",
                            name, first);
        if (s->y_type != im->schema.y_type)
            return orr_fail(ORR_ERR_SHAPE, "%s: its labels are of another kind than those of %s",
                            name, first);
        if (s->id_type != im->schema.id_type || s->id_is_row != im->schema.id_is_row)
            return orr_fail(ORR_ERR_SHAPE, "%s: its ids are of another kind than those of %s", name,
                            first);
        ORR_TRY(check_names(im, i));
        if (s->n_classes > im->schema.n_classes) im->schema.n_classes = s->n_classes;
        if (s->id_bytes > im->schema.id_bytes) im->schema.id_bytes = s->id_bytes;
    }
    return ORR_OK;
}

static orr_status count_rows(importer *im)
{
    int64_t rows;

    ORR_TRY(join_schemas(im));
    for (int i = 0; i < im->n_tables; i++) {
        im->first_row[i + 1] = im->first_row[i] + orr_table_rows(im->tables[i]);
        im->first_id[i + 1] = im->first_id[i] + orr_table_file_rows(im->tables[i]);
        if (im->schema.id_is_row && im->table_opts[i].id_start > INT64_MAX - im->first_id[i + 1])
            return orr_fail(ORR_ERR_OPTION,
                            "%s: row numbers from input.id_start on, after those of the tables "
                            "before it, are more than an id can be",
                            orr_table_input(im->tables[i], 0));
    }
    rows = im->n_rows = im->first_row[im->n_tables];
    if (rows == 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: no rows to import", orr_table_input(im->tables[0], 0));
    im->rows_per_shard = orr_schema_rows_per_shard(&im->schema, im->o->shard_mib);
    if ((rows + im->rows_per_shard - 1) / im->rows_per_shard > 99999)
        return orr_fail(ORR_ERR_OPTION,
                        "import.shard_mib %g would make more than 99999 shards; raise it",
                        im->o->shard_mib);
    return ORR_OK;
}

/* ---- provenance: inputs hashed by ranks in turn ---- */
static orr_status hash_own(importer *im)
{
    enum { MOST = sizeof im->inputs / sizeof *im->inputs };

    for (int i = 0; i < im->n_tables; i++)
        for (int k = 0; k < orr_table_n_inputs(im->tables[i]); k++) {
            if (im->n_inputs == MOST)
                return orr_fail(ORR_ERR_OPTION, "import: more than %d input files", MOST);
            im->inputs[im->n_inputs++] = orr_table_input(im->tables[i], k);
        }
    for (int i = im->context->rank; i < im->n_inputs; i += im->context->size) {
        int64_t span = orr_timeline_now();
        ORR_TRY(orr_sha256_file(im->sums[i], im->inputs[i]));
        orr_timeline_span_of("sha256", span, i, im->inputs[i]);
    }
    return ORR_OK;
}

static orr_status hash_inputs(importer *im)
{
    ORR_TRY(orr_phase(im->context, "hash inputs", hash_own(im)));
    for (int i = 0; i < im->n_inputs; i++) {
        ORR_TRY(orr_comm_bcast(im->context->world, im->sums[i], sizeof im->sums[i],
                               i % im->context->size));
        im->sum_texts[i] = im->sums[i];
        /* names, not places: where files lay is nobody's business */
        im->inputs[i] = orr_path_name(im->inputs[i]);
    }
    return ORR_OK;
}

static orr_provenance provenance(const importer *im)
{
    return (orr_provenance){ .command = "import",
                             .job = im->job.s ? im->job.s : "",
                             .features = im->features.s,
                             .n_inputs = im->n_inputs,
                             .inputs = im->inputs,
                             .input_sha256 = im->sum_texts };
}

/* ---- phase 2: shards ---- */
/* Rows [first, first + n) of the whole, which may lie in several tables. */
static orr_status read_rows(importer *im, int64_t first, int64_t n, orr_rows *rows)
{
    size_t x_bytes = orr_schema_x_bytes(&im->schema), y_bytes = orr_schema_y_bytes(&im->schema),
           id_bytes = orr_schema_id_bytes(&im->schema);

    for (int i = 0; i < im->n_tables; i++) {
        int64_t a = first > im->first_row[i] ? first : im->first_row[i];
        int64_t b = first + n < im->first_row[i + 1] ? first + n : im->first_row[i + 1];
        if (a >= b) continue;
        size_t at = (size_t)(a - first);
        orr_rows part = { .n = b - a,
                          .x = (char *)rows->x + at * x_bytes,
                          .y = (char *)rows->y + at * y_bytes,
                          .id = (char *)rows->id + at * id_bytes,
                          .aux = rows->aux + at * (size_t)im->schema.n_aux,
                          .gaps = rows->gaps ? rows->gaps + at : NULL };
        ORR_TRY(orr_table_read(im->tables[i], a - im->first_row[i], b - a, &part,
                               im->context->threads));
        for (int64_t k = 0; im->schema.id_is_row && k < part.n; k++)
            ((int64_t *)part.id)[k] += im->first_id[i]; /* row numbers go on over the tables */
    }
    return ORR_OK;
}

/* Row `from` of a buffer becomes its row `to`. */
static void move_row(const importer *im, orr_rows *rows, int64_t to, int64_t from)
{
    const struct {
        char *at;
        size_t bytes;
    } parts[] = { { rows->x, orr_schema_x_bytes(&im->schema) },
                  { rows->y, orr_schema_y_bytes(&im->schema) },
                  { rows->id, orr_schema_id_bytes(&im->schema) },
                  { (char *)rows->aux, orr_schema_aux_bytes(&im->schema) } };

    for (size_t i = 0; to != from && i < sizeof parts / sizeof *parts; i++)
        if (parts[i].at && parts[i].bytes)
            memmove(parts[i].at + (size_t)to * parts[i].bytes,
                    parts[i].at + (size_t)from * parts[i].bytes, parts[i].bytes);
}

/* Rows [first, first + n) of the set: those of the whole, or those that are kept of it, which are
 * read with what lies between them, as much at once as there is room behind. */
static orr_status read_set_rows(importer *im, int64_t first, int64_t n, orr_rows *rows)
{
    const size_t x_bytes = orr_schema_x_bytes(&im->schema),
                 y_bytes = orr_schema_y_bytes(&im->schema),
                 id_bytes = orr_schema_id_bytes(&im->schema);
    const int64_t *kept = im->kept + first;
    int64_t done = 0;

    if (!im->kept) return read_rows(im, first, n, rows);
    while (done < n) {
        int64_t from = kept[done], to = from + (n - done), next = done;
        orr_rows part = { .x = (char *)rows->x + (size_t)done * x_bytes,
                          .y = (char *)rows->y + (size_t)done * y_bytes,
                          .id = (char *)rows->id + (size_t)done * id_bytes,
                          .aux = rows->aux + (size_t)done * (size_t)im->schema.n_aux };

        if (to > kept[n - 1] + 1) to = kept[n - 1] + 1;
        ORR_TRY(read_rows(im, from, to - from, &part));
        for (; next < n && kept[next] < to; next++)
            move_row(im, rows, next, done + kept[next] - from);
        done = next;
    }
    return ORR_OK;
}

/* ---- nan: drop ---- */

/* A byte for each row of [first, last): 1 when a value of it is none. */
static orr_status look_for_gaps(importer *im, int64_t first, int64_t last, unsigned char *gaps)
{
    int64_t most = im->rows_per_shard < last - first ? im->rows_per_shard : last - first;
    orr_rows buffer;
    orr_status st = orr_rows_alloc(&buffer, &im->schema, most + 1);

    for (int64_t at = first; st == ORR_OK && at < last; at += most) {
        int64_t n = last - at < most ? last - at : most;

        buffer.gaps = gaps + (at - first);
        st = read_rows(im, at, n, &buffer);
    }
    buffer.gaps = NULL;
    orr_rows_free(&buffer);
    return st;
}

static orr_status keep_rows(importer *im, const unsigned char *gaps)
{
    int64_t rows = im->n_rows, kept = 0;

    if (!(im->kept = orr_alloc((size_t)rows + 1, sizeof *im->kept)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld rows", (long long)rows);
    for (int64_t i = 0; i < rows; i++)
        if (!gaps[i]) im->kept[kept++] = i;
    if (kept == 0)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: every row has a value that is none, and input.nan is drop: no row is "
                        "left; leave that column out, or set nan: keep",
                        orr_table_input(im->tables[0], 0));
    im->n_rows = kept;
    if (kept < rows)
        orr_log0(ORR_WARN, "import",
                 "input.nan drops %lld of %lld rows, which have no value somewhere",
                 (long long)(rows - kept), (long long)rows);
    return ORR_OK;
}

static int drops(const importer *im)
{
    int yes = 0;

    for (int i = 0; i < im->n_tables; i++)
        yes |= im->table_opts[i].nan && !strcmp(im->table_opts[i].nan, "drop");
    return yes;
}

/* Ranks look at shares of the rows; all of them then know which are kept. */
static orr_status drop_rows(importer *im)
{
    int size = im->context->size;
    int64_t rows = im->n_rows, first = rows * im->context->rank / size,
            last = rows * (im->context->rank + 1) / size;
    unsigned char *mine = orr_alloc((size_t)(last - first) + 1, 1),
                  *all = orr_alloc((size_t)rows + 1, 1);
    size_t *bytes = orr_alloc((size_t)size, sizeof *bytes);
    orr_status st;

    ORR_TRY_GOTO(
        st, done,
        orr_phase(im->context, "look for values that are none",
                  mine && all && bytes
                      ? look_for_gaps(im, first, last, mine)
                      : orr_fail(ORR_ERR_NOMEM, "out of memory: %lld rows", (long long)rows)));
    for (int r = 0; r < size; r++)
        bytes[r] = (size_t)(rows * (r + 1) / size - rows * r / size);
    ORR_TRY_GOTO(st, done, orr_comm_allgather(im->context->world, mine, all, bytes));
    st = orr_phase(im->context, NULL, keep_rows(im, all));
done:
    orr_free(mine);
    orr_free(all);
    orr_free(bytes);
    return st;
}

/* ---- writing ---- */

static void tally_ids(importer *im, const orr_rows *rows)
{
    const orr_schema *s = &im->schema;

    for (int64_t i = 0; !s->id_is_row && i < rows->n; i++) {
        const char *text = (const char *)rows->id + (size_t)i * orr_schema_id_bytes(s);

        if (s->id_type == ORR_ID_INT)
            orr_id_tally_integer(&im->ids, ((const int64_t *)rows->id)[i]);
        else
            orr_id_tally_add(&im->ids, text, strnlen(text, (size_t)s->id_bytes));
    }
}

static orr_status write_shards(importer *im, orr_counter *counter)
{
    orr_provenance p = provenance(im);
    orr_shard_opts so = { .compression = im->o->compression };
    int64_t rows = im->n_rows, shard;
    int64_t most = rows < im->rows_per_shard ? rows : im->rows_per_shard;
    orr_rows buffer;
    orr_progress *progress = NULL;
    orr_status st = orr_rows_alloc(&buffer, &im->schema, most);

    if (st != ORR_OK)
        orr_fail(st, "out of memory: a shard of %lld rows; lower shard_mib", (long long)most);
    if (im->context->rank == 0 && im->o->runtime.progress)
        (void)orr_progress_create(&progress, "import", "shards", im->n_shards);
    while (st == ORR_OK && (st = orr_counter_next(counter, 1, &shard)) == ORR_OK &&
           shard < im->n_shards) {
        int64_t first = shard * im->rows_per_shard, span = orr_timeline_now();
        buffer.n = rows - first < im->rows_per_shard ? rows - first : im->rows_per_shard;
        st = read_set_rows(im, first, buffer.n, &buffer);
        if (st == ORR_OK) st = orr_census_add(im->census, &buffer, first);
        if (st == ORR_OK) tally_ids(im, &buffer);
        orr_timeline_span("read", span, shard);
        span = orr_timeline_now();
        if (st == ORR_OK) st = orr_shard_write(im->tmp, (int)shard, &im->schema, &buffer, &p, &so);
        orr_timeline_span("write", span, shard);
        orr_progress_update(progress, shard + 1, NULL);
        if (st == ORR_OK && orr_stop_requested())
            st =
                orr_fail(ORR_ERR_INTERRUPTED, "stopped by a signal; nothing was kept; start again");
    }
    orr_progress_end(progress, NULL);
    orr_rows_free(&buffer);
    return st;
}

static orr_status publish(importer *im)
{
    orr_provenance p = provenance(im);

    ORR_TRY(orr_index_write(im->tmp, im->n_shards, &im->schema, &p));
    return orr_set_publish(im->tmp, im->out, im->o->overwrite);
}

/* The id of a row of the set, as text. */
static orr_status id_of(void *ctx, int64_t row, char *buf, size_t bytes)
{
    importer *im = ctx;
    orr_rows one;
    int64_t id;

    ORR_TRY(orr_rows_alloc(&one, &im->schema, 1));
    orr_status st = read_set_rows(im, row, 1, &one);
    if (im->schema.id_type == ORR_ID_INT) {
        memcpy(&id, one.id, sizeof id);
        snprintf(buf, bytes, im->schema.id_is_row ? "row %lld" : "%lld", (long long)id);
    } else {
        snprintf(buf, bytes, "%.*s", im->schema.id_bytes, (const char *)one.id);
    }
    orr_rows_free(&one);
    return st;
}

static orr_status say_notes(importer *im)
{
    const orr_import_notes n = { .context = im->context,
                                 .tables = im->tables,
                                 .n_tables = im->n_tables,
                                 .census = im->census,
                                 .ids = im->ids,
                                 .id = id_of,
                                 .ctx = im };

    return orr_import_say(&n);
}

static orr_status write_set(importer *im)
{
    orr_counter *counter = NULL;
    orr_status st;

    ORR_TRY(orr_phase_joint(im->context, orr_counter_create(&counter, im->context->world)));
    st = orr_phase(im->context, "write shards", write_shards(im, counter));
    orr_counter_destroy(counter);
    ORR_TRY(st);
    ORR_TRY(say_notes(im));
    return orr_phase_root(im->context, "index", publish(im));
}

/* The job as it was given, without where it writes: the same data give the same bytes wherever they
 * land. */
static orr_status describe_job(importer *im)
{
    const orr_node *root = orr_config_root(im->config);
    orr_node *what = (orr_node *)orr_node_get(root, im->o->inputs ? "inputs" : "input");
    const orr_node job = { .type = ORR_NODE_MAP, .items = &what, .n_items = 1 }; /* read only */

    orr_node_dump(&job, &im->job, 0);
    return orr_text_status(&im->job);
}

/* A folder beside the final one, for this job alone.  What a killed import left there goes;
 * anything else is refused. */
static orr_status make_folder(importer *im)
{
    ORR_TRY(orr_set_check_output(im->out, im->o->overwrite));
    ORR_TRY(orr_make_dirs(im->tmp));
    ORR_TRY(orr_lock_take(&im->lock, im->tmp, &(orr_lock_opts){ .kind = ORR_LOCK_FOLDER }));
    ORR_TRY(orr_set_check_output(im->out, im->o->overwrite)); /* whoever had it has ended */
    return orr_set_clear(im->tmp);
}

/* What is half made goes; a set that was there before stays until the new one is whole. */
static orr_status give_up(importer *im, orr_status st)
{
    orr_error why;

    if (im->lock.fd < 0) return st;
    orr_error_take(&why, st);
    if (orr_lock_holds(&im->lock, im->tmp) && orr_set_clear(im->tmp) == ORR_OK)
        (void)rmdir(im->tmp);
    return orr_error_raise(&why);
}

static orr_status name_folders(importer *im)
{
    ORR_TRY(orr_path_trim(im->out, im->o->out));
    return orr_tmp_path(im->tmp, im->out);
}

static orr_status make_set(importer *im)
{
    int64_t most[2] = { -1, 0 };

    ORR_TRY(orr_phase(im->context, NULL, name_folders(im)));
    /* an output that is there, or being made, is found out before the work */
    ORR_TRY(orr_phase_root(im->context, NULL, make_folder(im)));
    ORR_TRY(orr_phase(im->context, NULL, read_tables(im)));
    ORR_TRY(orr_phase(im->context, NULL, describe_job(im)));
    for (int i = 0; i < im->n_tables; i++) {
        ORR_TRY(scan_table(im, im->tables[i]));
    }
    ORR_TRY(orr_phase_root(im->context, "columns", check_columns(im)));
    ORR_TRY(orr_phase(im->context, NULL, say_features(im)));
    ORR_TRY(learn_classes(im));
    for (int i = 0; i < im->n_tables; i++)
        ORR_TRY(look_at_labels(im, im->tables[i], most));
    for (int i = 0; i < im->n_tables; i++)
        ORR_TRY(
            orr_phase(im->context, NULL,
                      orr_table_set_label_range(im->tables[i], (int32_t)most[0], (int)most[1])));
    ORR_TRY(orr_phase(im->context, NULL, count_rows(im)));
    if (drops(im)) ORR_TRY(drop_rows(im));
    im->n_shards = (int)((im->n_rows + im->rows_per_shard - 1) / im->rows_per_shard);
    ORR_TRY(orr_phase(im->context, NULL, orr_census_create(&im->census, &im->schema)));
    ORR_TRY(hash_inputs(im));
    return write_set(im);
}

orr_status orr_import(orr_context *context, const orr_import_opts *o, const orr_config *config)
{
    importer *im = orr_alloc(1, sizeof *im);
    orr_status st;

    if (!im) return orr_fail(ORR_ERR_NOMEM, "out of memory: import");
    im->context = context;
    im->o = o;
    im->config = config;
    im->lock = (orr_lock)ORR_LOCK_INIT;
    st = make_set(im);
    if (st != ORR_OK) st = give_up(im, st);
    if (st == ORR_OK)
        orr_context_print(context, "%s: %lld samples of %d x %d x %d in %d shards\n", o->out,
                          (long long)im->n_rows, im->schema.h, im->schema.w, im->schema.c,
                          im->n_shards);
    for (int i = 0; i < im->n_tables; i++)
        orr_table_close(im->tables[i]);
    orr_lock_release(&im->lock);
    orr_census_destroy(im->census);
    orr_free(im->kept);
    orr_text_free(&im->job);
    orr_text_free(&im->features);
    orr_free(im);
    return st;
}
