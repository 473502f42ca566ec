/* data/transform.c - a chain of steps: from the job file, over a sample, into the model file.
 * Numbers stay double from the stored sample to the end of the chain and are rounded to float32
 * once. */
#include "data/transform_private.h"

#include "core/memory.h"
#include "core/rows.h"
#include "data/half.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* When there is something to put there: how many there are a model's file only says. */
static orr_status alloc_stats(orr_step *s)
{
    if (s->n_stats == 0 || s->stats) return ORR_OK;
    s->stats = orr_alloc(s->n_stats * (size_t)s->kind->n_saved, sizeof *s->stats);
    s->state = orr_alloc(s->n_stats, s->kind->state_bytes);
    if (!s->stats || !s->state)
        return orr_fail(ORR_ERR_NOMEM, "transform %s: no memory for %zu statistics", s->kind->name,
                        s->n_stats);
    return ORR_OK;
}

void orr_step_name(const orr_step *s, size_t k, char *buf, size_t bytes)
{
    if (s->schema && s->n_stats == orr_sample_elements(s->in))
        orr_schema_number_name(s->schema, (int64_t)k, buf, bytes);
    else if (s->schema && k < ORR_MAX_CHANNELS && s->schema->channel_names[k][0])
        snprintf(buf, bytes, "%s", s->schema->channel_names[k]);
    else
        snprintf(buf, bytes, "number %zu", k);
}

int orr_transform_kind_help(int i, orr_kind_help *out)
{
    int n;
    const orr_transform_kind *const *kinds = orr_transform_kinds(&n);

    if (i < 0 || i >= n) return 0;
    *out = (orr_kind_help){ kinds[i]->name, kinds[i]->help, kinds[i]->options };
    return 1;
}

static orr_status find_kind(const orr_transform_kind **out, const char *name, const char *where)
{
    int n, i;
    const orr_transform_kind *const *kinds = orr_transform_kinds(&n);
    const char *near;

    if ((i = orr_row_named(kinds, n, name, &near)) < 0)
        return orr_fail(ORR_ERR_OPTION, "%s: there is no transform %s%s%s%s", where, name,
                        near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    *out = kinds[i];
    return ORR_OK;
}

static const orr_option no_options[] = { ORR_OPTION_END };

static const orr_option *options_of(const orr_transform_kind *kind)
{
    return kind->options ? kind->options : no_options;
}

/* One entry of the list: "name: {options}" or the name alone. */
static orr_status add_step(orr_transform *t, const orr_node *item, orr_sample_shape in)
{
    char where[512], what[64];
    const orr_node *options =
        item->type == ORR_NODE_MAP && item->n_items == 1 ? item->items[0] : NULL;
    const char *name = options ? options->key : item->type == ORR_NODE_SCALAR ? item->scalar : NULL;
    orr_step *s = &t->step[t->n_steps];

    orr_node_where(item, where, sizeof where);
    if (!name || !name[0])
        return orr_fail(ORR_ERR_OPTION, "%s: a transform is written \"- name: {options}\"", where);
    if (t->n_steps == ORR_MAX_STEPS)
        return orr_fail(ORR_ERR_OPTION, "%s: more than %d transforms", where, ORR_MAX_STEPS);
    ORR_TRY(find_kind(&s->kind, name, where));
    if (options && options->type == ORR_NODE_NULL) options = NULL;
    if (options && options->type != ORR_NODE_MAP)
        return orr_fail(ORR_ERR_OPTION, "%s: the options of %s are a map {name: value}", where,
                        name);
    snprintf(what, sizeof what, "transform %s", name);
    if (s->kind->opts_bytes > 0 && !(s->o = orr_alloc(1, s->kind->opts_bytes)))
        return orr_fail(ORR_ERR_NOMEM, "transforms: no memory");
    ORR_TRY(orr_options_read(s->o, options_of(s->kind), options, what));
    s->in = s->out = in;
    s->schema = t->schema;
    for (int i = 0; i < t->n_steps; i++)
        if (t->step[i].kind->make) s->schema = NULL;
    if (s->kind->init) ORR_TRY(s->kind->init(s, where));
    t->n_steps++;
    return ORR_OK;
}

static void measure(orr_transform *t)
{
    t->widest = orr_sample_elements(t->in);
    for (int i = 0; i < t->n_steps; i++) {
        size_t n = orr_sample_elements(t->step[i].out);
        if (n > t->widest) t->widest = n;
        if (t->step[i].work > t->work) t->work = t->step[i].work;
    }
}

orr_status orr_transform_create(orr_transform **out, const orr_node *list, const orr_schema *s)
{
    orr_status st = ORR_OK;
    orr_transform *t;
    char where[512];

    *out = NULL;
    if (list && list->type == ORR_NODE_NULL) list = NULL;
    if (list && list->type != ORR_NODE_LIST)
        return orr_fail(ORR_ERR_OPTION, "%s: transforms is a list of steps",
                        orr_node_where(list, where, sizeof where));
    if (!(t = orr_alloc(1, sizeof *t))) return orr_fail(ORR_ERR_NOMEM, "transforms: no memory");
    if (!(t->schema = orr_alloc(1, sizeof *t->schema)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "transforms: no memory"));
    *t->schema = *s;
    t->x_type = s->x_type;
    t->in = (orr_sample_shape){ s->h, s->w, s->c };
    for (int i = 0; list && i < list->n_items; i++)
        ORR_TRY_GOTO(st, done, add_step(t, list->items[i], orr_transform_shape(t)));
    measure(t);
    *out = t;
    t = NULL; /* handed over */
done:
    orr_transform_destroy(t);
    return st;
}

void orr_transform_destroy(orr_transform *t)
{
    if (!t) return;
    for (int i = 0; i < ORR_MAX_STEPS; i++) { /* also a step that failed half-way */
        orr_free(t->step[i].o);
        orr_free(t->step[i].stats);
        orr_free(t->step[i].state);
    }
    orr_free(t->schema);
    orr_free(t);
}

orr_sample_shape orr_transform_shape(const orr_transform *t)
{
    return t->n_steps > 0 ? t->step[t->n_steps - 1].out : t->in;
}

void orr_transform_aux_schema(orr_schema *out, int n)
{
    memset(out, 0, sizeof *out);
    out->x_type = ORR_X_F32;
    out->n_dims = out->h = out->w = 1;
    out->c = n;
}

void orr_transform_pick_aux(const float *aux, const int *columns, int n, float *out)
{
    for (int i = 0; i < n; i++)
        out[i] = aux[columns[i]];
}

size_t orr_transform_scratch_bytes(const orr_transform *t)
{
    return t->n_steps == 0 ? 0 : (2 * t->widest + t->work) * sizeof(double);
}

static void to_double(double *restrict out, orr_x_type type, const void *x, size_t n)
{
    if (type == ORR_X_F32) {
        const float *in = x;
        for (size_t i = 0; i < n; i++)
            out[i] = in[i];
    } else if (type == ORR_X_U8) {
        const uint8_t *in = x;
        for (size_t i = 0; i < n; i++)
            out[i] = in[i];
    } else {
        float part[256];
        for (size_t i = 0; i < n; i += 256) {
            size_t m = n - i < 256 ? n - i : 256;
            orr_half_to_float(part, (const uint16_t *)x + i, m);
            for (size_t k = 0; k < m; k++)
                out[i + k] = part[k];
        }
    }
}

/* The first n steps on a stored sample; returns where in scratch the result lies. */
static double *steps_apply(const orr_transform *t, int n, const void *x, void *scratch)
{
    double *now = scratch, *other = now + t->widest, *work = other + t->widest;

    to_double(now, t->x_type, x, orr_sample_elements(t->in));
    for (int i = 0; i < n; i++) {
        const orr_step *s = &t->step[i];
        if (s->kind->change) s->kind->change(s, now);
        if (s->kind->make) {
            double *made = other;
            s->kind->make(s, now, made, work);
            other = now;
            now = made;
        }
    }
    return now;
}

/* A stored sample as float32, unchanged. */
static void to_float(float *restrict out, orr_x_type type, const void *x, size_t n)
{
    if (type == ORR_X_F32) {
        memcpy(out, x, n * sizeof *out);
    } else if (type == ORR_X_U8) {
        const uint8_t *in = x;
        for (size_t i = 0; i < n; i++)
            out[i] = in[i];
    } else {
        orr_half_to_float(out, x, n);
    }
}

void orr_transform_apply(const orr_transform *t, const void *x, float *out, void *scratch)
{
    const double *y;

    if (t->n_steps == 0) {
        to_float(out, t->x_type, x, orr_sample_elements(t->in));
        return;
    }
    y = steps_apply(t, t->n_steps, x, scratch);
    for (size_t i = 0, n = orr_sample_elements(orr_transform_shape(t)); i < n; i++)
        out[i] = (float)y[i];
}

size_t orr_transform_fewest_shared(const orr_transform *t, const char **name)
{
    size_t fewest = 0;

    *name = NULL;
    for (int i = 0; i < t->n_steps; i++) {
        const orr_step *s = &t->step[i];
        size_t n = s->kind->shares ? s->kind->shares(s) : 0;
        if (n == 0 || (fewest && n >= fewest)) continue;
        fewest = n;
        *name = s->kind->name;
    }
    return fewest;
}

/* ---- fitting ---- */
int orr_is_constant(double variance, double mean, double n)
{
    double bound = (n < 1e7 ? n : 1e7) * DBL_EPSILON * mean; /* stays below float32's own step */

    return variance <= bound * bound;
}

int orr_transform_fills(const orr_transform *t)
{
    for (int i = 0; i < t->n_steps; i++)
        if (t->step[i].fills) return 1;
    return 0;
}

int orr_transform_n_fits(const orr_transform *t)
{
    int n = 0;

    for (int i = 0; i < t->n_steps; i++)
        n += t->step[i].n_stats > 0 ? t->step[i].passes : 0;
    return n - t->passes;
}

/* Index of the step that the present pass fits, and which pass of it this is; n_steps when there is
 * none. */
static int fitting(const orr_transform *t, int *pass)
{
    *pass = t->passes;
    for (int i = 0; i < t->n_steps; i++) {
        if (t->step[i].n_stats == 0) continue;
        if (*pass < t->step[i].passes) return i;
        *pass -= t->step[i].passes;
    }
    return t->n_steps;
}

size_t orr_transform_fit_size(const orr_transform *t)
{
    int pass, i = fitting(t, &pass);

    return i < t->n_steps ? t->step[i].n_stats * t->step[i].sums : 0;
}

orr_status orr_transform_fit_block(const orr_transform *t, const void *x, int n, double *sums,
                                   void *scratch)
{
    int pass;
    const int at = fitting(t, &pass);
    const orr_step *s = &t->step[at];
    const char *from = x;
    size_t bytes;

    if (at == t->n_steps || n < 0 || n > ORR_FIT_BLOCK)
        return orr_fail(ORR_ERR_ARG, "transforms: nothing left to fit, or a block of %d rows", n);
    bytes = orr_sample_elements(t->in) * (t->x_type == ORR_X_F32   ? 4
                                          : t->x_type == ORR_X_F16 ? 2
                                                                   : 1);
    memset(sums, 0, s->n_stats * s->sums * sizeof *sums);
    for (int row = 0; row < n; row++)
        s->kind->fit_row(s, pass, steps_apply(t, at, from + (size_t)row * bytes, scratch), sums);
    return ORR_OK;
}

orr_status orr_transform_fit_end(orr_transform *t, const double *total, int64_t rows)
{
    int pass, at = fitting(t, &pass);
    orr_step *s = &t->step[at];

    if (at == t->n_steps || rows < 1)
        return orr_fail(ORR_ERR_ARG, "transforms: nothing left to fit, or no training rows");
    ORR_TRY(alloc_stats(s));
    ORR_TRY(s->kind->fit_end(s, pass, total, rows));
    if (pass == s->passes - 1) ORR_TRY(s->kind->learned(s));
    t->passes++;
    return ORR_OK;
}

/* ---- the model file ---- */
void orr_transform_dump(const orr_transform *t, orr_text *out)
{
    if (t->n_steps == 0) orr_text_add(out, "[]\n");
    for (int i = 0; i < t->n_steps; i++) {
        orr_text_printf(out, "- %s: ", t->step[i].kind->name);
        orr_options_dump_flow(t->step[i].o, options_of(t->step[i].kind), out);
        orr_text_add(out, "\n");
    }
}

static size_t saved(const orr_step *s)
{
    return s->n_stats * (size_t)s->kind->n_saved;
}

size_t orr_transform_n_numbers(const orr_transform *t)
{
    size_t n = 0;

    for (int i = 0; i < t->n_steps; i++)
        n += saved(&t->step[i]);
    return n;
}

void orr_transform_get_numbers(const orr_transform *t, double *out)
{
    for (int i = 0; i < t->n_steps; i++) {
        const orr_step *s = &t->step[i];

        if (s->n_stats == 0) continue;
        memcpy(out, s->stats, saved(s) * sizeof *out);
        out += saved(s);
    }
}

orr_status orr_transform_set_numbers(orr_transform *t, const double *in, size_t n)
{
    if (n != orr_transform_n_numbers(t))
        return orr_fail(ORR_ERR_SHAPE, "transforms: %zu fitted numbers given, the chain has %zu", n,
                        orr_transform_n_numbers(t));
    t->passes = 0;
    for (int i = 0; i < t->n_steps; i++) {
        orr_step *s = &t->step[i];

        if (s->n_stats == 0) continue;
        ORR_TRY(alloc_stats(s));
        memcpy(s->stats, in, saved(s) * sizeof *in);
        ORR_TRY(s->kind->learned(s));
        in += saved(s);
        t->passes += s->passes;
    }
    return ORR_OK;
}
