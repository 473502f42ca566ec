/* jobs/model/samples.c - caching, fitting and leak checks over a shard set. */
#include "jobs/model/samples.h"
#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/rng.h"
#include "data/census.h"
#include "data/formats/id.h"
#include "data/loader.h"
#include "jobs/context/phase.h"

#include <stdlib.h>
#include <string.h>

static orr_status open_set(orr_samples *s, const char *path, int verify)
{
    ORR_TRY(orr_dataset_open(&s->set, path, verify));
    if (orr_dataset_rows(s->set) == 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: the set is empty; nothing to do with it", path);
    return ORR_OK;
}

/* A line each. */
static void say(orr_log_level level, const orr_text *notes, const char *more)
{
    const char *at = notes->s ? notes->s : "";

    for (const char *end; (end = strchr(at, '\n')); at = end + 1)
        orr_log0(level, "data", "%.*s%s", (int)(end - at), at, more);
}

/* Logs what a match has to say, or refuses what stands in another order. */
static orr_status judge(const orr_schema_match *m, const orr_samples_want *want)
{
    const char *moved = m->notes.infos.s ? m->notes.infos.s : "";

    if (orr_schema_match_moves(m) && !want->match)
        return orr_fail(ORR_ERR_SHAPE, "%.*s; say %s to have them put into it",
                        (int)strcspn(moved, "\n"), moved, want->option);
    say(ORR_WARN, &m->notes.warnings, "");
    say(ORR_INFO, &m->notes.infos, "; they are put into it");
    return ORR_OK;
}

/* The set in the wanted order, all but what is cached of it already; *moves: that must be filled
 * anew. */
static orr_status put_in_order(orr_samples *s, const orr_schema_side *want,
                               const orr_samples_want *aloud, int *moves)
{
    const orr_schema_side have = { orr_dataset_schema(s->set), orr_dataset_path(s->set), 0 };
    orr_schema_match m;
    orr_status st = orr_schema_match_make(&m, want, &have);

    if (st == ORR_OK && aloud) st = judge(&m, aloud);
    if (st == ORR_OK) st = orr_dataset_arrange(s->set, &m, want->schema);
    *moves = m.x != NULL;
    orr_schema_match_free(&m);
    return st;
}

static orr_status fill(orr_samples *s, orr_context *context)
{
    return orr_cache_fill(s->set, orr_comm_window_base(s->window),
                          orr_comm_node_rank(context->world), orr_comm_node_size(context->world));
}

orr_status orr_samples_open(orr_samples *s, orr_context *context, const char *path, int verify,
                            const orr_samples_want *want)
{
    int moves;
    orr_status st;

    *s = (orr_samples){ 0 };
    /* One rank hashes when asked to; all of them would read the same bytes. */
    ORR_TRY_GOTO(st, failed,
                 orr_phase(context, NULL, open_set(s, path, verify && context->rank == 0)));
    if (want)
        ORR_TRY_GOTO(st, failed,
                     orr_phase(context, NULL, put_in_order(s, &want->side, want, &moves)));
    ORR_TRY_GOTO(st, failed,
                 orr_phase_joint(context, orr_comm_window_create(&s->window, context->world,
                                                                 orr_cache_bytes(s->set))));
    ORR_TRY_GOTO(st, failed, orr_phase(context, NULL, fill(s, context)));
    ORR_TRY_GOTO(st, failed, orr_comm_window_fence(s->window));
    s->cache = orr_comm_window_base(s->window);
    return ORR_OK;
failed:
    orr_samples_close(s);
    return st;
}

orr_status orr_samples_arrange(orr_samples *s, orr_context *context, const orr_schema_side *want)
{
    int moves = 0;

    ORR_TRY(orr_phase(context, NULL, put_in_order(s, want, NULL, &moves)));
    if (!moves) return ORR_OK;
    ORR_TRY(orr_phase(context, NULL, fill(s, context)));
    return orr_comm_window_fence(s->window);
}

void orr_samples_close(orr_samples *s)
{
    orr_comm_window_destroy(s->window);
    orr_dataset_close(s->set);
    *s = (orr_samples){ 0 };
}

const void *orr_samples_row(const orr_samples *s, int64_t row)
{
    return (const char *)s->cache + (size_t)row * orr_schema_x_bytes(orr_dataset_schema(s->set));
}

const float *orr_samples_aux(const orr_samples *s, int64_t row)
{
    const float *aux = orr_dataset_aux(s->set);

    return aux ? aux + row * orr_dataset_schema(s->set)->n_aux : NULL;
}

/* Bytes of what is fitted over, for one row. */
static size_t fit_bytes(const orr_fit_rows *f)
{
    return f->n_aux ? (size_t)f->n_aux * sizeof(float)
                    : orr_schema_x_bytes(orr_dataset_schema(f->samples->set));
}

/* Rows of block `block`, gathered into x: stored rows need not be neighbours.  Returns how many. */
static int gather_block(const orr_fit_rows *f, int64_t block, char *x)
{
    size_t bytes = fit_bytes(f);
    int64_t first = block * ORR_FIT_BLOCK,
            last = first + ORR_FIT_BLOCK < f->n ? first + ORR_FIT_BLOCK : f->n;

    for (int64_t i = first; i < last; i++) {
        char *to = x + (size_t)(i - first) * bytes;
        if (f->n_aux)
            orr_transform_pick_aux(orr_samples_aux(f->samples, f->rows[i]), f->columns, f->n_aux,
                                   (float *)(void *)to);
        else
            memcpy(to, orr_samples_row(f->samples, f->rows[i]), bytes);
    }
    return (int)(last - first);
}

/* What is done with blocks of rows: `of` makes one block's numbers, `merge` takes them in block
 * order. */
typedef struct block_work {
    size_t size; /* doubles of a block */
    orr_status (*of)(void *ctx, const void *x, int n, double *block);
    void (*merge)(void *ctx, const double *block);
    void *ctx;
} block_work;

/* Ranks take blocks in turn; everyone merges all of them in block order. */
static orr_status share_blocks(orr_context *context, const orr_fit_rows *f, const block_work *w)
{
    int64_t n_blocks = (f->n + ORR_FIT_BLOCK - 1) / ORR_FIT_BLOCK;
    double *mine = orr_alloc(w->size + 1, sizeof(double)),
           *all = orr_alloc(w->size * (size_t)context->size + 1, sizeof(double));
    size_t *counts = orr_alloc((size_t)context->size, sizeof(size_t));
    char *x = orr_alloc(ORR_FIT_BLOCK, fit_bytes(f));
    orr_status st;

    ORR_TRY_GOTO(st, done,
                 orr_phase(context, NULL,
                           mine && all && counts && x
                               ? ORR_OK
                               : orr_fail(ORR_ERR_NOMEM, "out of memory: statistics of %zu numbers",
                                          w->size)));
    for (int64_t at = 0; at < n_blocks; at += context->size) {
        int here = (int)(n_blocks - at < context->size ? n_blocks - at : context->size);
        for (int r = 0; r < context->size; r++)
            counts[r] = r < here ? w->size * sizeof(double) : 0;
        ORR_TRY_GOTO(st, done,
                     orr_phase(context, NULL,
                               context->rank < here
                                   ? w->of(w->ctx, x, gather_block(f, at + context->rank, x), mine)
                                   : ORR_OK));
        ORR_TRY_GOTO(st, done, orr_comm_allgather(context->world, mine, all, counts));
        for (int b = 0; b < here; b++)
            w->merge(w->ctx, all + (size_t)b * w->size);
    }
done:
    orr_free(mine);
    orr_free(all);
    orr_free(counts);
    orr_free(x);
    return st;
}

/* ---- fitting: plain sums ---- */
typedef struct fit_ctx {
    const orr_transform *transform;
    size_t size;
    double *total;
    void *scratch;
} fit_ctx;

static orr_status fit_block(void *ctx, const void *x, int n, double *block)
{
    fit_ctx *c = ctx;

    return orr_transform_fit_block(c->transform, x, n, block, c->scratch);
}

static void fit_merge(void *ctx, const double *block)
{
    fit_ctx *c = ctx;

    for (size_t j = 0; j < c->size; j++)
        c->total[j] += block[j];
}

static orr_status fit_pass(orr_context *context, const orr_fit_rows *f, orr_transform *t)
{
    size_t size = orr_transform_fit_size(t);
    fit_ctx c = { .transform = t,
                  .size = size,
                  .total = orr_alloc(size + 1, sizeof(double)),
                  .scratch = orr_alloc(orr_transform_scratch_bytes(t), 1) };
    block_work w = { .size = size, .of = fit_block, .merge = fit_merge, .ctx = &c };
    orr_status st =
        orr_phase(context, NULL,
                  c.total && c.scratch
                      ? ORR_OK
                      : orr_fail(ORR_ERR_NOMEM, "out of memory: statistics of %zu numbers", size));

    if (st == ORR_OK) st = share_blocks(context, f, &w);
    if (st == ORR_OK) st = orr_phase(context, NULL, orr_transform_fit_end(t, c.total, f->n));
    orr_free(c.total);
    orr_free(c.scratch);
    return st;
}

orr_status orr_samples_fit(orr_context *context, const orr_fit_rows *f, orr_transform *t)
{
    while (orr_transform_n_fits(t) > 0)
        ORR_TRY(fit_pass(context, f, t));
    return ORR_OK;
}

/* ---- statistics ---- */
typedef struct stats_ctx {
    const orr_schema *schema;
    double *total;
} stats_ctx;

static orr_status stats_block(void *ctx, const void *x, int n, double *block)
{
    return orr_image_stats_block(((stats_ctx *)ctx)->schema, x, n, block);
}

static void stats_merge(void *ctx, const double *block)
{
    stats_ctx *c = ctx;

    orr_image_stats_merge(c->schema, c->total, block);
}

orr_status orr_samples_statistics(orr_context *context, const orr_fit_rows *f,
                                  orr_image_stats **out)
{
    const orr_schema *schema = orr_dataset_schema(f->samples->set);
    size_t size = orr_image_stats_size(schema);
    stats_ctx c = { .schema = schema, .total = orr_alloc(size + 1, sizeof(double)) };
    block_work w = { .size = size, .of = stats_block, .merge = stats_merge, .ctx = &c };
    orr_status st;

    *out = NULL;
    st = orr_phase(context, NULL,
                   c.total
                       ? ORR_OK
                       : orr_fail(ORR_ERR_NOMEM, "out of memory: statistics of %zu numbers", size));
    if (st == ORR_OK) st = share_blocks(context, f, &w);
    if (st == ORR_OK)
        st = orr_phase(context, NULL, orr_image_stats_create(out, schema, c.total, f->n));
    orr_free(c.total);
    return st;
}

/* ---- overlap ---- */
typedef struct mark {
    uint64_t hash; /* of the id, or of the stored sample */
    int32_t part;
    int32_t pad;
    int64_t row;
} mark;

static int by_hash(const void *a, const void *b)
{
    const mark *x = a, *y = b;

    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    if (x->part != y->part) return x->part < y->part ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Are the two really the same?  Hashes of contents and of text ids may meet by chance. */
static int same(const orr_split *a, int64_t row_a, const orr_split *b, int64_t row_b, int ids)
{
    const orr_schema *s = orr_dataset_schema(a->samples->set),
                     *t = orr_dataset_schema(b->samples->set);
    char id_a[ORR_ID_TEXT_MAX + 1], id_b[ORR_ID_TEXT_MAX + 1];

    if (ids) {
        orr_dataset_id(a->samples->set, row_a, id_a, sizeof id_a);
        orr_dataset_id(b->samples->set, row_b, id_b, sizeof id_b);
        return strcmp(id_a, id_b) == 0;
    }
    return orr_schema_x_bytes(s) == orr_schema_x_bytes(t) &&
           memcmp(orr_samples_row(a->samples, row_a), orr_samples_row(b->samples, row_b),
                  orr_schema_x_bytes(s)) == 0;
}

/* Of equal ids equal, whether their sets hold integers or texts. */
static uint64_t id_hash(const orr_samples *s, int64_t row)
{
    char id[ORR_ID_TEXT_MAX + 1];
    int64_t v;

    orr_dataset_id(s->set, row, id, sizeof id);
    if (orr_id_integer(id, strlen(id), &v)) return (uint64_t)v;
    return orr_dataset_keys(s->set)[row];
}

static orr_status report_overlap(const orr_split *parts, const mark *marks, int64_t n, int ids,
                                 const char *policy)
{
    int64_t shared = 0;
    const mark *first = NULL;
    char id_a[ORR_ID_TEXT_MAX + 1], id_b[ORR_ID_TEXT_MAX + 1];

    for (int64_t i = 0; i + 1 < n; i++)
        if (marks[i].hash == marks[i + 1].hash && marks[i].part != marks[i + 1].part &&
            same(&parts[marks[i].part], marks[i].row, &parts[marks[i + 1].part], marks[i + 1].row,
                 ids)) {
            if (!first) first = &marks[i];
            shared++;
        }
    if (!first) return ORR_OK;
    orr_dataset_id(parts[first[0].part].samples->set, first[0].row, id_a, sizeof id_a);
    orr_dataset_id(parts[first[1].part].samples->set, first[1].row, id_b, sizeof id_b);
    if (strcmp(policy, "warn") == 0) {
        orr_log0(ORR_WARN, "data",
                 "%lld %s stand in more than one of the splits, such as %s in %s and %s in %s",
                 (long long)shared, ids ? "ids" : "samples", id_a, parts[first[0].part].name, id_b,
                 parts[first[1].part].name);
        return ORR_OK;
    }
    return orr_fail(ORR_ERR_FORMAT,
                    "%lld %s stand in more than one of the splits: %s in %s and %s in %s; a score "
                    "would be too good; mend the sets, or set data.overlap to drop, together (of "
                    "one set), warn or allow",
                    (long long)shared, ids ? "ids" : "identical samples", id_a,
                    parts[first[0].part].name, id_b, parts[first[1].part].name);
}

/* Marks of rows [n*part/size, ...) of the concatenated parts; all ranks then hold all of them. */
static orr_status gather_marks(orr_context *context, const orr_split *parts, int n_parts, int64_t n,
                               int ids, mark *marks)
{
    size_t *bytes = orr_alloc((size_t)context->size, sizeof *bytes);
    int64_t first = n * context->rank / context->size,
            last = n * (context->rank + 1) / context->size, at = 0;
    mark *mine = orr_alloc((size_t)(last - first) + 1, sizeof *mine);
    orr_status st;

    ORR_TRY_GOTO(st, done,
                 orr_phase(context, NULL,
                           bytes && mine ? ORR_OK
                                         : orr_fail(ORR_ERR_NOMEM,
                                                    "out of memory: leak check of %lld samples",
                                                    (long long)n)));
    for (int p = 0; p < n_parts; p++) {
        size_t x_bytes = orr_schema_x_bytes(orr_dataset_schema(parts[p].samples->set));
        for (int64_t i = 0; i < parts[p].n; i++, at++) {
            if (at < first || at >= last) continue;
            int64_t row = parts[p].rows[i];
            mine[at - first] =
                (mark){ .part = p,
                        .row = row,
                        .hash = ids ? id_hash(parts[p].samples, row)
                                    : orr_content_hash(orr_samples_row(parts[p].samples, row),
                                                       x_bytes) };
        }
    }
    for (int r = 0; r < context->size; r++)
        bytes[r] = (size_t)(n * (r + 1) / context->size - n * r / context->size) * sizeof *marks;
    st = orr_comm_allgather(context->world, mine, marks, bytes);
done:
    orr_free(bytes);
    orr_free(mine);
    return st;
}

/* Row numbers given as ids say nothing about two sets; ids from a column do, and so do those of one
 * set. */
static int ids_comparable(const orr_split *parts, int n_parts)
{
    for (int i = 0; i < n_parts; i++)
        if (parts[i].samples != parts[0].samples &&
            (orr_dataset_schema(parts[i].samples->set)->id_is_row ||
             orr_dataset_schema(parts[0].samples->set)->id_is_row))
            return 0;
    return 1;
}

/* Room for a mark of each sample.  Collective; what it made is to be freed whatever it returns. */
static orr_status make_marks(mark **marks, int64_t *n, orr_context *context, const orr_split *parts,
                             int n_parts)
{
    *n = 0;
    for (int p = 0; p < n_parts; p++)
        *n += parts[p].n;
    *marks = orr_alloc((size_t)*n + 1, sizeof **marks);
    return orr_phase(context, NULL,
                     *marks ? ORR_OK
                            : orr_fail(ORR_ERR_NOMEM, "out of memory: leak check of %lld samples",
                                       (long long)*n));
}

orr_status orr_splits_check_overlap(orr_context *context, const orr_split *parts, int n_parts,
                                    const char *policy)
{
    int64_t n;
    mark *marks;
    orr_status st;

    if (strcmp(policy, "allow") == 0 || n_parts < 2) return ORR_OK;
    ORR_TRY_GOTO(st, done, make_marks(&marks, &n, context, parts, n_parts));
    for (int ids = ids_comparable(parts, n_parts); ids >= 0; ids--) {
        ORR_TRY_GOTO(st, done, gather_marks(context, parts, n_parts, n, ids, marks));
        qsort(marks, (size_t)n, sizeof *marks, by_hash);
        ORR_TRY_GOTO(st, done,
                     orr_phase(context, NULL, report_overlap(parts, marks, n, ids, policy)));
    }
done:
    orr_free(marks);
    return st;
}

/* ---- samples that are the same: found, left out ---- */

static orr_status twins_of(int64_t *twin, const orr_split *all, const mark *marks)
{
    for (int64_t i = 0; i < all->n; i++)
        twin[i] = i;
    for (int64_t i = 1; i < all->n; i++)
        for (int64_t k = i - 1; k >= 0 && marks[k].hash == marks[i].hash; k--)
            if (same(all, marks[k].row, all, marks[i].row, 0)) {
                twin[marks[i].row] = twin[marks[k].row];
                break;
            }
    return ORR_OK;
}

orr_status orr_samples_twins(orr_context *context, const orr_samples *s, int64_t **twin)
{
    int64_t n = orr_dataset_rows(s->set), *rows = orr_alloc((size_t)n + 1, sizeof *rows);
    mark *marks = orr_alloc((size_t)n + 1, sizeof *marks);
    orr_split all = { .name = "train", .samples = s, .rows = rows, .n = n };
    orr_status st;

    *twin = orr_alloc((size_t)n + 1, sizeof **twin);
    ORR_TRY_GOTO(st, done,
                 orr_phase(context, NULL,
                           marks && rows && *twin
                               ? ORR_OK
                               : orr_fail(ORR_ERR_NOMEM, "out of memory: content of %lld samples",
                                          (long long)n)));
    for (int64_t i = 0; i < n; i++)
        rows[i] = i;
    ORR_TRY_GOTO(st, done, gather_marks(context, &all, 1, n, 0, marks));
    qsort(marks, (size_t)n, sizeof *marks, by_hash);
    st = twins_of(*twin, &all, marks);
done:
    orr_free(marks);
    orr_free(rows);
    if (st != ORR_OK) {
        orr_free(*twin);
        *twin = NULL;
    }
    return st;
}

static int by_part(const void *a, const void *b)
{
    const mark *x = a, *y = b;

    if (x->part != y->part) return x->part < y->part ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Marks that a part before has, too, come first, sorted by part and row; returns how many. */
static int64_t find_later(const orr_split *parts, mark *marks, int64_t n, int ids)
{
    int64_t found = 0;

    for (int64_t i = n - 1; i > 0; i--)
        for (int64_t k = i - 1; k >= 0 && marks[k].hash == marks[i].hash; k--)
            if (marks[k].part != marks[i].part && same(&parts[marks[k].part], marks[k].row,
                                                       &parts[marks[i].part], marks[i].row, ids)) {
                marks[i].pad = 1;
                break;
            }
    for (int64_t i = 0; i < n; i++)
        if (marks[i].pad) marks[found++] = marks[i];
    qsort(marks, (size_t)found, sizeof *marks, by_part);
    return found;
}

/* Takes the marked rows out of their parts. */
static orr_status leave_out(orr_split *parts, int64_t *const *rows, int n_parts, const mark *marks,
                            int64_t n, int ids)
{
    for (int p = 0; p < n_parts; p++) {
        int64_t before = parts[p].n, kept = 0, first = -1;
        char id[ORR_ID_TEXT_MAX + 1];

        for (int64_t i = 0; i < before; i++) {
            mark key = { .part = p, .row = rows[p][i] };

            if (n && bsearch(&key, marks, (size_t)n, sizeof key, by_part))
                first = first < 0 ? rows[p][i] : first;
            else
                rows[p][kept++] = rows[p][i];
        }
        if (kept == before) continue;
        parts[p].n = kept;
        orr_dataset_id(parts[p].samples->set, first, id, sizeof id);
        if (kept == 0)
            return orr_fail(
                ORR_ERR_FORMAT,
                "data.overlap: drop leaves nothing of %lld %s samples: another split has "
                "all of them, too",
                (long long)before, parts[p].name);
        orr_log0(ORR_WARN, "data",
                 "data.overlap: %lld of %lld %s samples are left out, whose %s another split has, "
                 "too, such as %s",
                 (long long)(before - kept), (long long)before, parts[p].name,
                 ids ? "ids" : "content", id);
    }
    return ORR_OK;
}

orr_status orr_splits_drop_overlap(orr_context *context, orr_split *parts, int64_t *const *rows,
                                   int n_parts)
{
    int64_t n;
    mark *marks;
    orr_status st;

    ORR_TRY_GOTO(st, done, make_marks(&marks, &n, context, parts, n_parts));
    for (int ids = ids_comparable(parts, n_parts); ids >= 0; ids--) {
        int64_t found;

        n = 0;
        for (int p = 0; p < n_parts; p++)
            n += parts[p].n;
        ORR_TRY_GOTO(st, done, gather_marks(context, parts, n_parts, n, ids, marks));
        qsort(marks, (size_t)n, sizeof *marks, by_hash);
        found = find_later(parts, marks, n, ids);
        ORR_TRY_GOTO(st, done,
                     orr_phase(context, NULL, leave_out(parts, rows, n_parts, marks, found, ids)));
    }
done:
    orr_free(marks);
    return st;
}
