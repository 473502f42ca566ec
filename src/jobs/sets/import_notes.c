/* jobs/sets/import_notes.c - censuses and losses of all ranks, put together and said. */
#include "jobs/sets/import_notes.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/text.h"
#include "jobs/context/phase.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 3, MOST_SAMPLES = 1 << 25 };

/* Equal blocks of every rank, one after the other, on all ranks. */
static orr_status gather(const orr_import_notes *n, const void *mine, size_t bytes, char **all)
{
    int size = n->context->size;
    size_t *counts = orr_alloc((size_t)size, sizeof *counts);
    orr_status st;

    *all = orr_alloc((size_t)size * bytes + 1, 1);
    ORR_TRY_GOTO(
        st, done,
        orr_phase(n->context, NULL,
                  counts && *all ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: notes")));
    for (int r = 0; r < size; r++)
        counts[r] = bytes;
    st = orr_comm_allgather(n->context->world, mine, *all, counts);
done:
    orr_free(counts);
    return st;
}

/* ---- columns ---- */

static orr_status merge_columns(const orr_import_notes *n)
{
    orr_census *c = n->census;
    size_t bytes = c->n_columns * sizeof *c->columns;
    char *all = NULL;
    orr_status st = gather(n, c->columns, bytes, &all);

    for (int r = 0; st == ORR_OK && r < n->context->size; r++)
        if (r != n->context->rank)
            orr_census_merge_columns(c->columns,
                                     (const orr_census_column *)(void *)(all + (size_t)r * bytes),
                                     c->n_columns);
    orr_free(all);
    return st;
}

/* The census's column k: its kind, and its place among those of the table. */
static orr_values_kind kind_of(const orr_census *c, size_t *k)
{
    size_t width = c->schema.y_type == ORR_Y_VALUE ? (size_t)c->schema.y_width : 0;

    if (*k < c->n_x) return ORR_VALUES_X;
    *k -= c->n_x;
    if (*k < width) return ORR_VALUES_Y;
    *k -= width;
    return ORR_VALUES_AUX;
}

static void name_column(const orr_import_notes *n, size_t k, char *buf, size_t bytes)
{
    const orr_census *c = n->census;
    size_t place = k;
    orr_values_kind kind = kind_of(c, &place);

    if (kind != ORR_VALUES_X || orr_table_n_columns(n->tables[0], kind) == c->n_x)
        orr_table_column_name(n->tables[0], kind, place, buf, bytes);
    else
        snprintf(buf, bytes, "channel %zu", place);
}

/* Adds an item to a list of which only the first few are shown. */
static void list(orr_text *t, int *items, const char *item)
{
    if (++*items <= SHOWN) orr_text_printf(t, "%s%s", *items > 1 ? "; " : "", item);
}

static void end_list(orr_text *t, int items)
{
    if (items > SHOWN) orr_text_printf(t, "; and %d more columns", items - SHOWN);
}

static void say_missing(const orr_import_notes *n)
{
    const orr_census *c = n->census;
    orr_text t = ORR_TEXT_INIT;
    char name[96], item[192];
    int items = 0;

    for (size_t k = 0; k < c->n_columns; k++) {
        if (!c->columns[k].none) continue;
        name_column(n, k, name, sizeof name);
        snprintf(item, sizeof item, "%s %lld%s", name, (long long)c->columns[k].none,
                 c->columns[k].n_end[0][0] ? "" : " (all)");
        list(&t, &items, item);
    }
    end_list(&t, items);
    if (items && t.s)
        orr_log0(ORR_WARN, "import",
                 "values that are none are kept as NaN: %s; train with the transform nan", t.s);
    orr_text_free(&t);
}

static void say_sentinels(const orr_import_notes *n)
{
    const orr_census *c = n->census;
    orr_text t = ORR_TEXT_INIT;
    char name[96], item[256];
    int items = 0;

    for (size_t k = 0; k < c->n_columns; k++) {
        name_column(n, k, name, sizeof name);
        if (!orr_census_describe(&c->columns[k], name, item, sizeof item)) continue;
        list(&t, &items, item);
    }
    end_list(&t, items);
    if (items && t.s)
        orr_log0(ORR_WARN, "import",
                 "values that look like they stand for none: %s; if so, list them under "
                 "input.missing and set input.nan",
                 t.s);
    orr_text_free(&t);
}

/* ---- digits ---- */

static orr_status merge_losses(const orr_import_notes *n, orr_values_kind kind, orr_value_loss *all)
{
    size_t columns = orr_table_n_columns(n->tables[0], kind), bytes = columns * sizeof *all;
    orr_value_loss *mine = orr_alloc(columns + 1, sizeof *mine);
    char *gathered = NULL;
    orr_status st = orr_phase(n->context, NULL,
                              mine ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: notes"));

    for (int i = 0; st == ORR_OK && i < n->n_tables; i++) {
        orr_table_losses(n->tables[i], kind, mine);
        for (size_t k = 0; k < columns; k++)
            orr_value_loss_merge(&all[k], &mine[k]);
    }
    if (st == ORR_OK) st = gather(n, all, bytes, &gathered);
    for (int r = 0; st == ORR_OK && r < n->context->size; r++)
        for (size_t k = 0; k < columns; k++)
            orr_value_loss_merge(
                &all[k], (const orr_value_loss *)(void *)(gathered + (size_t)r * bytes) + k);
    orr_free(gathered);
    orr_free(mine);
    return st;
}

/* Greatest minus least, without the outermost few of a column that has more: they may stand for
 * none. */
static double spread_of(const orr_census_column *c)
{
    enum { LAST = ORR_CENSUS_ENDS - 1 };
    float least, greatest;
    double core = (double)c->end[0][LAST] + (double)c->end[1][LAST];

    if (c->n_end[0][LAST] && c->n_end[1][LAST] && core > 0) return core;
    return orr_census_range(c, &least, &greatest) ? (double)greatest - (double)least : 0;
}

/* An error that matters is more than a millionth of the column's spread, or is of whole numbers. */
static int matters(const orr_value_loss *l, const orr_census_column *c)
{
    if (l->error == 0) return 0;
    return l->error > 1e-6 * spread_of(c) ||
           (l->value == floor(l->value) && fabs(l->value) < 9223372036854775808.0);
}

static orr_status say_losses(const orr_import_notes *n)
{
    const orr_census *c = n->census;
    orr_text t = ORR_TEXT_INIT;
    orr_status st = ORR_OK;
    size_t at = 0;
    int items = 0;

    for (int kind = 0; kind < 3; kind++) {
        size_t columns = orr_table_n_columns(n->tables[0], (orr_values_kind)kind);
        orr_value_loss *all = orr_alloc(columns + 1, sizeof *all);
        char name[96], item[256];

        ORR_TRY_GOTO(st, next,
                     orr_phase(n->context, NULL,
                               all ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: notes")));
        ORR_TRY_GOTO(st, next, merge_losses(n, (orr_values_kind)kind, all));
        for (size_t k = 0; k < columns && (kind || columns == c->n_x); k++) {
            if (!matters(&all[k], &c->columns[at + k])) continue;
            orr_table_column_name(n->tables[0], (orr_values_kind)kind, k, name, sizeof name);
            snprintf(item, sizeof item, "%s (%.17g becomes %.9g, %.2g off)", name, all[k].value,
                     (double)(float)all[k].value, all[k].error);
            list(&t, &items, item);
        }
        at += kind ? columns : c->n_x;
    next:
        orr_free(all);
        if (st != ORR_OK) break;
    }
    end_list(&t, items);
    if (st == ORR_OK && items && t.s)
        orr_log0(ORR_WARN, "import",
                 "digits are lost that float32 does not hold: %s; input.shift takes an origin off",
                 t.s);
    orr_text_free(&t);
    return st;
}

/* ---- samples as a whole ---- */

static orr_status say_rows(const orr_import_notes *n, const orr_census_rows *mine, const char *what)
{
    char id[ORR_ID_TEXT_MAX + 1] = "";
    int64_t count = mine->n, first = -mine->first;
    orr_status st;

    ORR_TRY(orr_comm_allreduce(n->context->world, &count, 1, ORR_I64, ORR_SUM));
    ORR_TRY(orr_comm_allreduce(n->context->world, &first, 1, ORR_I64, ORR_MAX));
    if (count == 0) return ORR_OK;
    st = n->context->rank == 0 ? n->id(n->ctx, -first, id, sizeof id) : ORR_OK;
    ORR_TRY(orr_phase(n->context, NULL, st));
    orr_log0(ORR_WARN, "import", "%lld of %lld samples are %s, such as %s", (long long)count,
             (long long)n->census->rows, what, id);
    return ORR_OK;
}

static orr_status gather_samples(const orr_import_notes *n, orr_census_sample **all)
{
    const orr_census *c = n->census;
    size_t *bytes = orr_alloc((size_t)n->context->size, sizeof *bytes);
    int64_t *counts = orr_alloc((size_t)n->context->size, sizeof *counts);
    orr_status st;

    *all = n->context->rank == 0 ? orr_alloc((size_t)c->rows + 1, sizeof **all) : NULL;
    ORR_TRY_GOTO(st, done,
                 orr_phase(n->context, NULL,
                           bytes && counts && (*all || n->context->rank)
                               ? ORR_OK
                               : orr_fail(ORR_ERR_NOMEM, "out of memory: notes on %lld samples",
                                          (long long)c->rows)));
    for (int r = 0; r < n->context->size; r++)
        bytes[r] = sizeof *counts;
    ORR_TRY_GOTO(st, done, orr_comm_allgather(n->context->world, &c->n_samples, counts, bytes));
    for (int r = 0; r < n->context->size; r++)
        bytes[r] = (size_t)counts[r] * sizeof **all;
    st = orr_comm_gather(n->context->world, c->samples ? c->samples : (void *)counts, *all, bytes,
                         0);
done:
    orr_free(bytes);
    orr_free(counts);
    return st;
}

static orr_status say_doubles(const orr_import_notes *n, orr_census_sample *all)
{
    char a[ORR_ID_TEXT_MAX + 1], b[ORR_ID_TEXT_MAX + 1];
    int64_t first, second, doubles = orr_census_doubles(all, n->census->rows, &first, &second);

    if (doubles == 0) return ORR_OK;
    ORR_TRY(n->id(n->ctx, first, a, sizeof a));
    ORR_TRY(n->id(n->ctx, second, b, sizeof b));
    orr_log0(ORR_WARN, "import",
             "%lld of %lld samples are the same as an earlier one, such as %s as %s; "
             "data.overlap of train says what becomes of them",
             (long long)doubles, (long long)n->census->rows, b, a);
    return ORR_OK;
}

static orr_status look_for_doubles(const orr_import_notes *n)
{
    orr_census_sample *all = NULL;
    orr_status st = gather_samples(n, &all);

    if (st == ORR_OK)
        st = orr_phase(n->context, NULL, n->context->rank == 0 ? say_doubles(n, all) : ORR_OK);
    orr_free(all);
    return st;
}

static orr_status say_ids(const orr_import_notes *n)
{
    int64_t sums[] = { n->ids.n_long, n->ids.n_zeros, n->ids.n_minus_one };
    orr_id_tally all;

    ORR_TRY(orr_comm_allreduce(n->context->world, sums, 3, ORR_I64, ORR_SUM));
    all = (orr_id_tally){ .n_long = sums[0], .n_zeros = sums[1], .n_minus_one = sums[2] };
    if (orr_id_tally_is_rounded(&all))
        orr_log0(ORR_WARN, "import",
                 "%lld of %lld long ids end in 000, as numbers do that were rounded (in a "
                 "spreadsheet, say): they may be no other table's; get them again as texts "
                 "(docs/formats.md)",
                 (long long)all.n_zeros, (long long)all.n_long);
    if (all.n_minus_one > 0)
        orr_log0(ORR_WARN, "import", "%lld rows have the id -1, which often stands for none",
                 (long long)all.n_minus_one);
    return ORR_OK;
}

orr_status orr_import_say(const orr_import_notes *n)
{
    orr_census *c = n->census;
    int values = c->schema.h * c->schema.w * c->schema.c;

    ORR_TRY(orr_comm_allreduce(n->context->world, &c->rows, 1, ORR_I64, ORR_SUM));
    ORR_TRY(merge_columns(n));
    ORR_TRY(say_ids(n));
    say_missing(n);
    say_sentinels(n);
    ORR_TRY(say_losses(n));
    if (values < 2) return ORR_OK;
    ORR_TRY(say_rows(n, &c->blank, "blank (every value 0 or none)"));
    ORR_TRY(say_rows(n, &c->constant, "constant (every value the same)"));
    return c->rows <= MOST_SAMPLES ? look_for_doubles(n) : ORR_OK;
}
