/* jobs/model/finite.c - rows with a value that is none. */
#include "jobs/model/finite.h"
#include "core/memory.h"
#include "data/half.h"
#include "jobs/context/phase.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The first of n stored numbers that is not finite, or n. */
static int64_t first_none(orr_x_type type, const void *x, int64_t n)
{
    int64_t i = 0;

    if (type == ORR_X_U8) return n;
    if (type == ORR_X_F16) {
        for (; i < n; i++)
            if ((((const uint16_t *)x)[i] & 0x7c00u) == 0x7c00u) break;
        return i;
    }
    for (; i < n; i++)
        if (!isfinite(((const float *)x)[i])) break;
    return i;
}

/* What a row was found to lack. */
typedef enum { NONE, IN_SAMPLE, IN_AUX, IN_TARGET } lack;

/* all: also what the transforms fill. */
static lack row_lacks(const orr_split *p, int64_t row, const orr_finite_use *u, int all, int64_t *k)
{
    const orr_schema *s = orr_dataset_schema(p->samples->set);
    const float *aux = orr_samples_aux(p->samples, row), *y = orr_dataset_values(p->samples->set);
    int64_t n = orr_schema_numbers(s);
    int looks_at_aux = u->aux_transform && (all || !orr_transform_fills(u->aux_transform));

    if ((all || !orr_transform_fills(u->transform)) &&
        (*k = first_none(s->x_type, orr_samples_row(p->samples, row), n)) < n)
        return IN_SAMPLE;
    for (int i = 0; looks_at_aux && i < u->n_aux; i++)
        if (!isfinite(aux[ *k = u->columns[i]])) return IN_AUX;
    for (int i = 0; u->targets && y && i < s->y_width; i++)
        if (!isfinite(y[row * s->y_width + (*k = i)])) return IN_TARGET;
    return NONE;
}

/* Rows of a part that lack something: how many, and the first. */
typedef struct {
    int64_t rows, first; /* place in the part */
} findings;

typedef int (*judge)(const orr_split *p, int64_t row, const orr_finite_use *u, void *ctx);

static orr_status look(orr_context *context, const orr_split *p, const orr_finite_use *u,
                       judge is_bad, void *ctx, findings *out)
{
    int64_t count = 0, first = -INT64_MAX, from = p->n * context->rank / context->size,
            to = p->n * (context->rank + 1) / context->size;

    for (int64_t i = from; i < to; i++)
        if (is_bad(p, p->rows[i], u, ctx) && count++ == 0) first = -i;
    ORR_TRY(orr_comm_allreduce(context->world, &count, 1, ORR_I64, ORR_SUM));
    ORR_TRY(orr_comm_allreduce(context->world, &first, 1, ORR_I64, ORR_MAX));
    *out = (findings){ count, -first };
    return ORR_OK;
}

static int is_unfilled(const orr_split *p, int64_t row, const orr_finite_use *u, void *ctx)
{
    int64_t k;

    (void)ctx;
    return row_lacks(p, row, u, 0, &k) != NONE;
}

static orr_status refuse(const orr_split *p, const findings *f, const orr_finite_use *u)
{
    const orr_schema *s = orr_dataset_schema(p->samples->set);
    char id[ORR_ID_TEXT_MAX + 1], name[96];
    int64_t row = p->rows[f->first], k;
    lack l = row_lacks(p, row, u, 0, &k);

    orr_dataset_id(p->samples->set, row, id, sizeof id);
    if (l == IN_SAMPLE)
        orr_schema_number_name(s, k, name, sizeof name);
    else if (l == IN_AUX)
        snprintf(name, sizeof name, "%s", s->aux_names[k][0] ? s->aux_names[k] : "an aux number");
    else
        snprintf(name, sizeof name, "its target");
    return orr_fail(
        ORR_ERR_FORMAT,
        "%s: %lld of %lld %s samples have a value that is none (NaN or infinite), such as sample "
        "%s: %s; %s",
        orr_dataset_path(p->samples->set), (long long)f->rows, (long long)p->n, p->name, id, name,
        l == IN_TARGET ? "import the table again with input.nan: drop"
        : l == IN_AUX
            ? "fill it (data.aux_transforms: [nan: {fill: median}] first, for a model that is "
              "trained), or import the table again with input.nan: drop"
            : "fill it (data.transforms: [nan: {fill: median}] first, for a model that is "
              "trained), or import the table again with input.nan: drop");
}

orr_status orr_split_check_stored(orr_context *context, const orr_split *part,
                                  const orr_finite_use *use)
{
    findings f;

    if (part->n == 0) return ORR_OK;
    ORR_TRY(look(context, part, use, is_unfilled, NULL, &f));
    return orr_phase(context, NULL, f.rows ? refuse(part, &f, use) : ORR_OK);
}

/* ---- what comes out ---- */

typedef struct {
    float *out, *picked;
    void *scratch;
} room;

static int all_finite(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return 0;
    return 1;
}

static int comes_out_bad(const orr_split *p, int64_t row, const orr_finite_use *u, void *ctx)
{
    room *r = ctx;
    int64_t k;

    if (row_lacks(p, row, u, 1, &k) == NONE) return 0;
    orr_transform_apply(u->transform, orr_samples_row(p->samples, row), r->out, r->scratch);
    if (!all_finite(r->out, orr_sample_elements(orr_transform_shape(u->transform)))) return 1;
    if (!u->aux_transform) return 0;
    orr_transform_pick_aux(orr_samples_aux(p->samples, row), u->columns, u->n_aux, r->picked);
    orr_transform_apply(u->aux_transform, r->picked, r->out, r->scratch);
    return !all_finite(r->out, orr_sample_elements(orr_transform_shape(u->aux_transform)));
}

static orr_status make_room(room *r, const orr_finite_use *u)
{
    size_t n = orr_sample_elements(orr_transform_shape(u->transform)),
           scratch = orr_transform_scratch_bytes(u->transform), aux = 0, aux_scratch = 0;

    if (u->aux_transform) {
        aux = orr_sample_elements(orr_transform_shape(u->aux_transform));
        aux_scratch = orr_transform_scratch_bytes(u->aux_transform);
    }
    r->out = orr_alloc((n > aux ? n : aux) + 1, sizeof *r->out);
    r->picked = orr_alloc((size_t)u->n_aux + 1, sizeof *r->picked);
    r->scratch = orr_alloc((scratch > aux_scratch ? scratch : aux_scratch) + 1, 1);
    return r->out && r->picked && r->scratch
               ? ORR_OK
               : orr_fail(ORR_ERR_NOMEM, "out of memory: a sample of %zu numbers", n);
}

static orr_status refuse_filled(const orr_split *p, const findings *f)
{
    char id[ORR_ID_TEXT_MAX + 1];

    orr_dataset_id(p->samples->set, p->rows[f->first], id, sizeof id);
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: %lld of %lld %s samples, such as %s, still hold a value that is none "
                    "behind the transforms; let the transform nan stand before the others",
                    orr_dataset_path(p->samples->set), (long long)f->rows, (long long)p->n, p->name,
                    id);
}

orr_status orr_split_check_filled(orr_context *context, const orr_split *part,
                                  const orr_finite_use *use)
{
    room r = { 0 };
    findings f;
    orr_status st;

    if (part->n == 0) return ORR_OK;
    ORR_TRY_GOTO(st, done, orr_phase(context, NULL, make_room(&r, use)));
    ORR_TRY_GOTO(st, done, look(context, part, use, comes_out_bad, &r, &f));
    st = orr_phase(context, NULL, f.rows ? refuse_filled(part, &f) : ORR_OK);
done:
    orr_free(r.out);
    orr_free(r.picked);
    orr_free(r.scratch);
    return st;
}
