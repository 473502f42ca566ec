/* jobs/survey/crop_assemble.c - parts to a shard set.
 * Rows keep the order of objects (fields in the order of their values); which of them make a shard
 * depends on their number and the schema alone. */
#include "core/log.h"
#include "core/memory.h"
#include "core/out_file.h"
#include "core/progress.h"
#include "data/shard_shared.h"
#include "jobs/context/deadline.h"
#include "jobs/context/exit_code.h"
#include "jobs/context/phase.h"
#include "jobs/context/signals.h"
#include "jobs/survey/crop.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 8 << 20 /* of a rank in one round of a shared shard */ };

typedef struct assembly {
    orr_crop *c;
    const orr_crop_result *r;
    int64_t *before; /* [n_pieces + 1]: rows in front of each piece */
    orr_provenance provenance;
    const char *inputs[1], *sums[1];
} assembly;

/* ---- rows of the set, wherever they lie ---- */
static orr_status count_rows(assembly *a)
{
    a->before = orr_alloc((size_t)a->r->n_pieces + 1, sizeof *a->before);
    if (!a->before)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %" PRId64 " pieces", a->r->n_pieces);
    for (int64_t i = 0; i < a->r->n_pieces; i++)
        a->before[i + 1] = a->before[i] + a->r->pieces[i].rows;
    if (a->before[a->r->n_pieces] != a->r->counts.cubes)
        return orr_fail(ORR_ERR_INTERNAL, "%" PRId64 " cubes in pieces, %" PRId64 " counted",
                        a->before[a->r->n_pieces], a->r->counts.cubes);
    return ORR_OK;
}

/* The piece that row lies in. */
static int64_t find_piece(const assembly *a, int64_t row)
{
    int64_t low = 0, high = a->r->n_pieces;

    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;

        if (a->before[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static orr_status alloc_rows(orr_rows *rows, const orr_schema *s, int64_t n)
{
    if (orr_rows_alloc(rows, s, n) == ORR_OK) return ORR_OK;
    return orr_fail(ORR_ERR_NOMEM, "out of memory: a shard of %" PRId64 " rows; lower shard_mib",
                    n);
}

/* Rows [first, first + n), n > 0, of the set. */
static orr_status read_rows(const assembly *a, int64_t first, int64_t n, orr_rows *rows)
{
    const orr_schema *s = &a->c->schema;
    size_t done = 0;
    char path[ORR_PATH_MAX];

    rows->n = n;
    for (int64_t i = find_piece(a, first); (int64_t)done < n; i++) {
        int64_t from = first + (int64_t)done - a->before[i], left = n - (int64_t)done,
                have = a->r->pieces[i].rows - from, take = have < left ? have : left;
        orr_rows part = { .n = take,
                          .x = (char *)rows->x + done * orr_schema_x_bytes(s),
                          .y = s->y_type == ORR_Y_NONE
                                   ? NULL
                                   : (char *)rows->y + done * orr_schema_y_bytes(s),
                          .id = (char *)rows->id + done * orr_schema_id_bytes(s),
                          .aux = s->n_aux ? rows->aux + done * (size_t)s->n_aux : NULL };

        if (take <= 0) continue; /* a piece without cubes */
        ORR_TRY(orr_crop_piece_path(a->c, a->r->pieces[i].first, path));
        ORR_TRY(orr_shard_read(path, s, from, take, &part));
        done += (size_t)take;
    }
    return ORR_OK;
}

/* ---- many shards: each by whoever takes it next ---- */
static orr_status stop_check(const assembly *a)
{
    return orr_stop_requested()
               ? orr_fail(ORR_ERR_INTERRUPTED,
                          "stopped by a signal; all cubes are kept in %s, start again to resume",
                          a->c->tmp)
               : ORR_OK;
}

static orr_status write_shards(assembly *a, orr_counter *counter, int64_t per_shard,
                               int64_t n_shards)
{
    const orr_crop *c = a->c;
    const orr_shard_opts so = { .compression = c->o->compression };
    int64_t rows = a->r->counts.cubes, shard;
    orr_rows buffer = { 0 };
    orr_progress *progress = NULL;
    orr_status st = alloc_rows(&buffer, &c->schema, rows < per_shard ? rows : per_shard);

    if (c->context->rank == 0 && c->o->runtime.progress)
        (void)orr_progress_create(&progress, "write", "shards", n_shards);
    while (st == ORR_OK && (st = orr_counter_next(counter, 1, &shard)) == ORR_OK &&
           shard < n_shards) {
        int64_t first = shard * per_shard;

        st = read_rows(a, first, rows - first < per_shard ? rows - first : per_shard, &buffer);
        if (st == ORR_OK)
            st = orr_shard_write(c->set, (int)shard, &c->schema, &buffer, &a->provenance, &so);
        if (st == ORR_OK) st = stop_check(a);
        orr_progress_update(progress, shard + 1, NULL);
    }
    orr_progress_end(progress, NULL);
    orr_rows_free(&buffer);
    return st;
}

static orr_status make_shards(assembly *a, int *n_shards)
{
    int64_t per = orr_schema_rows_per_shard(&a->c->schema, a->c->o->shard_mib),
            n = (a->r->counts.cubes + per - 1) / per;
    orr_counter *counter = NULL;
    orr_status st;

    if (n > 99999)
        return orr_phase_same(a->c->context, orr_fail(ORR_ERR_OPTION,
                                                      "shard_mib %g would make %" PRId64
                                                      " shards, more than 99999; raise it",
                                                      a->c->o->shard_mib, n));
    *n_shards = (int)n;
    ORR_TRY(orr_phase_joint(a->c->context, orr_counter_create(&counter, a->c->context->world)));
    st = orr_phase(a->c->context, NULL, write_shards(a, counter, per, n));
    orr_counter_destroy(counter);
    return st;
}

/* ---- one shard: by all ranks together ---- */
/* In each round every rank writes the block that is its turn, or none. */
static orr_status write_rounds(assembly *a, orr_shared_shard *f, orr_rows *buffer, int64_t block,
                               orr_deadline *limit)
{
    orr_context *context = a->c->context;
    int64_t rows = a->r->counts.cubes;
    orr_progress *progress = NULL;
    orr_error failed = { 0 };

    if (context->rank == 0 && a->c->o->runtime.progress)
        (void)orr_progress_create(&progress, "write", "cubes", rows);
    for (int64_t round = 0; round < rows; round += block * context->size) {
        int64_t first = round + block * context->rank, left = rows - first,
                n = left < block ? left : block;

        buffer->n = 0;
        if (failed.code == ORR_OK && n > 0) orr_error_keep(&failed, read_rows(a, first, n, buffer));
        if (failed.code != ORR_OK) buffer->n = 0;
        orr_error_keep(&failed, orr_shared_shard_write(f, n > 0 ? first : 0, buffer));
        orr_deadline_again(limit);
        orr_progress_update(progress, round, NULL);
    }
    orr_progress_update(progress, rows, NULL);
    orr_progress_end(progress, NULL);
    return orr_error_raise(&failed);
}

static orr_status lay_out(assembly *a, orr_rows *buffer, int64_t block)
{
    const orr_crop *c = a->c;
    int64_t rows = a->r->counts.cubes;

    if (c->context->rank == 0)
        ORR_TRY(orr_shared_shard_lay_out(c->set, 0, &c->schema, rows, &a->provenance));
    return alloc_rows(buffer, &c->schema, rows < block ? rows : block);
}

/* A file that some could not open is closed by those who could. */
static orr_status write_together(assembly *a, orr_rows *buffer, int64_t block)
{
    orr_crop *c = a->c;
    orr_shared_shard *f = NULL;
    orr_deadline limit;
    orr_error first = { 0 };

    orr_deadline_start(&limit, "writing the set with all ranks", ORR_EXIT_FAILED, 1);
    orr_error_keep(
        &first, orr_phase(c->context, NULL,
                          orr_shared_shard_create(&f, c->set, 0, &c->schema, a->r->counts.cubes)));
    if (first.code == ORR_OK)
        orr_error_keep(
            &first,
            orr_phase_joint(c->context, orr_shared_shard_open(f, orr_context_writers(c->context))));
    if (first.code == ORR_OK) orr_error_keep(&first, write_rounds(a, f, buffer, block, &limit));
    orr_error_keep(&first, orr_shared_shard_close(f));
    orr_deadline_stop(&limit);
    if (first.code == ORR_OK) orr_error_keep(&first, stop_check(a));
    return orr_error_raise(&first);
}

/* Rank 0: the file gets its name when all is well, and goes when it is not. */
static orr_status commit_single(const orr_crop *c, orr_status st)
{
    orr_error first;

    orr_error_take(&first, st);
    orr_error_keep(&first, orr_shared_shard_commit(c->set, 0, st == ORR_OK));
    return orr_error_raise(&first);
}

static orr_status make_single(assembly *a, int *n_shards)
{
    orr_crop *c = a->c;
    int64_t block = orr_schema_rows_per_shard(&c->schema, BLOCK_BYTES / 1048576.0);
    orr_rows buffer = { 0 };
    orr_status st;

    *n_shards = 1;
    st = orr_phase(c->context, NULL, lay_out(a, &buffer, block));
    if (st == ORR_OK) {
        st = orr_phase_joint(c->context, write_together(a, &buffer, block));
        st = orr_phase(c->context, NULL, c->context->rank == 0 ? commit_single(c, st) : st);
    }
    orr_rows_free(&buffer);
    return st;
}

/* ---- what was set aside ---- */
static orr_status list_row(void *ctx, int64_t row, const char *id, const char *reason)
{
    orr_text line = ORR_TEXT_INIT;
    FILE *f = ctx;
    orr_status st;

    orr_crop_list_add(&line, id, row, reason);
    st = orr_text_status(&line);
    if (st == ORR_OK && fputs(line.s, f) == EOF)
        st = orr_fail(ORR_ERR_IO, "cannot write the list of what was set aside");
    orr_text_free(&line);
    return st;
}

static orr_status copy_lists(const orr_crop *c, FILE *f)
{
    for (int64_t part = 0; part < c->counts.parts; part++) {
        orr_crop_record r = { .part = part };
        char path[ORR_PATH_MAX];
        orr_status st = orr_crop_record_path(c, part, path);

        if (st == ORR_OK) st = orr_crop_record_read(&r, path);
        if (st == ORR_OK && r.list.len > 0 && fwrite(r.list.s, 1, r.list.len, f) != r.list.len)
            st = orr_fail(ORR_ERR_IO, "cannot write the list of what was set aside");
        orr_crop_record_free(&r);
        ORR_TRY(st);
    }
    return ORR_OK;
}

static orr_status write_list(const orr_crop *c)
{
    static const char head[] = "id,row,reason\n";
    char path[ORR_PATH_MAX];
    orr_out_file out;
    orr_status st;

    ORR_TRY(orr_path_join(path, c->set, "quarantine.csv"));
    ORR_TRY(orr_out_file_open(&out, path));
    st = orr_out_file_add(&out, head, sizeof head - 1);
    if (st == ORR_OK) st = orr_catalogue_aside(c->catalogue, list_row, out.f);
    if (st == ORR_OK) st = copy_lists(c, out.f);
    return orr_out_file_close(&out, st);
}

/* ---- all of it ---- */
static orr_status check_counts(const orr_crop *c, const orr_crop_result *r)
{
    int64_t listed = c->counts.aside;

    for (int i = 0; i < ORR_N_ASIDE; i++)
        listed += r->counts.aside[i];
    if (c->counts.rows != r->counts.cubes + c->counts.merged + listed)
        return orr_fail(ORR_ERR_INTERNAL,
                        "%" PRId64 " rows of the catalogue, but %" PRId64 " cubes, %" PRId64
                        " merged and %" PRId64 " listed",
                        c->counts.rows, r->counts.cubes, c->counts.merged, listed);
    return ORR_OK;
}

/* Rank 0.  Without a single cube there is no set; the list tells why, and the next start begins
 * anew. */
static orr_status no_cubes(const orr_crop *c, const orr_crop_result *r)
{
    /* Not one of them in its own frame: more than a few wrong rows. */
    int elsewhere = r->counts.objects > 0 && r->counts.aside[ORR_ASIDE_PLACE] == r->counts.objects;

    char from[ORR_PATH_MAX], to[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(from, c->set, "quarantine.csv"));
    if ((size_t)snprintf(to, sizeof to, "%s-quarantine.csv", c->out) >= sizeof to)
        return orr_fail(ORR_ERR_ARG, "%s: the path is too long", c->out);
    ORR_TRY(orr_commit_file(from, to));
    ORR_TRY(orr_remove_dir(c->set));
    ORR_TRY(orr_remove_dir(c->parts));
    ORR_TRY(orr_remove_dir(c->tmp));
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: none of its %" PRId64 " rows gave a cube; %s says why for each%s",
                    c->o->catalogue.file, c->counts.rows, to,
                    elsewhere ? "; all lie outside their frames: are ra and dec decimal degrees, "
                                "and ICRS (else catalogue.sky)?"
                              : "");
}

static orr_status finish_set(assembly *a, int n_shards)
{
    orr_crop *c = a->c;

    ORR_TRY(orr_index_write(c->set, n_shards, &c->schema, &a->provenance));
    ORR_TRY(orr_set_publish(c->set, c->out, c->o->overwrite));
    if (orr_remove_dir(c->parts) != ORR_OK || orr_remove_dir(c->tmp) != ORR_OK) {
        orr_log(ORR_WARN, "crop", "%s: what is left of the work could not be removed: %s", c->tmp,
                orr_error_text());
        orr_error_clear();
    }
    return ORR_OK;
}

static orr_status begin(assembly *a)
{
    ORR_TRY(count_rows(a));
    a->inputs[0] = orr_path_name(a->c->o->catalogue.file);
    a->sums[0] = a->c->catalogue_sha;
    a->provenance = (orr_provenance){ .command = "crop",
                                      .job = a->c->job.s,
                                      .n_inputs = 1,
                                      .inputs = a->inputs,
                                      .input_sha256 = a->sums };
    memcpy(a->c->schema.units, a->r->units.first, sizeof a->c->schema.units);
    ORR_TRY(check_counts(a->c, a->r));
    if (a->c->context->rank != 0) return ORR_OK;
    ORR_TRY(orr_set_create(a->c->set, 0));
    ORR_TRY(write_list(a->c));
    return a->r->counts.cubes == 0 ? no_cubes(a->c, a->r) : ORR_OK;
}

orr_status orr_crop_assemble(orr_crop *c, const orr_crop_result *r)
{
    assembly a = { .c = c, .r = r };
    int n_shards = 0;
    orr_status st = orr_phase(c->context, NULL, begin(&a));

    if (st == ORR_OK)
        st = strcmp(c->o->output, "single") == 0 ? make_single(&a, &n_shards)
                                                 : make_shards(&a, &n_shards);
    if (st == ORR_OK) st = orr_phase_root(c->context, NULL, finish_set(&a, n_shards));
    orr_free(a.before);
    return st;
}
