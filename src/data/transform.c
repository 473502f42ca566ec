/* data/transform.c - a chain of steps: from the job file, over a sample, into the model file.
 * Numbers stay double from the stored sample to the end of the chain and are rounded to float32
 * once. */
#include "data/transform_steps.h"

#include "core/memory.h"
#include "data/half.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static orr_status alloc_stats(orr_step *s)
{
    if (s->n_stats == 0) return ORR_OK;
    s->mean = orr_alloc(s->n_stats, sizeof *s->mean);
    s->dev = orr_alloc(s->n_stats, sizeof *s->dev);
    s->inverse = orr_alloc(s->n_stats, sizeof *s->inverse);
    if (!s->mean || !s->dev || !s->inverse)
        return orr_fail(ORR_ERR_NOMEM, "transform %s: no memory for %zu means and deviations",
                        s->kind->name, s->n_stats);
    for (size_t i = 0; i < s->n_stats; i++)
        s->dev[i] = s->inverse[i] = 1; /* until it is fitted, the step changes nothing */
    return ORR_OK;
}

static const orr_step_kind *find_kind(const char *name)
{
    for (const orr_step_kind *k = orr_step_kinds; k->name; k++)
        if (strcmp(k->name, name) == 0) return k;
    return NULL;
}

static orr_status unknown_step(const char *name, const char *where)
{
    const char *names[16];
    const char *near;
    int n = 0;

    for (const orr_step_kind *k = orr_step_kinds; k->name; k++)
        names[n++] = k->name;
    near = orr_nearest(name, names, n);
    return orr_fail(ORR_ERR_OPTION, "%s: there is no transform %s%s%s%s", where, name,
                    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
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
    if (!(s->kind = find_kind(name))) return unknown_step(name, where);
    if (options && options->type == ORR_NODE_NULL) options = NULL;
    if (options && options->type != ORR_NODE_MAP)
        return orr_fail(ORR_ERR_OPTION, "%s: the options of %s are a map {name: value}", where,
                        name);
    snprintf(what, sizeof what, "transform %s", name);
    ORR_TRY(orr_options_read(&s->o, s->kind->options, options, what));
    s->in = s->out = in;
    if (s->kind->init) ORR_TRY(s->kind->init(s, where));
    t->n_steps++;
    return alloc_stats(s);
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
        orr_free(t->step[i].mean);
        orr_free(t->step[i].dev);
        orr_free(t->step[i].inverse);
    }
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

double *orr_steps_apply(const orr_transform *t, int n, const void *x, void *scratch)
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
    y = orr_steps_apply(t, t->n_steps, x, scratch);
    for (size_t i = 0, n = orr_sample_elements(orr_transform_shape(t)); i < n; i++)
        out[i] = (float)y[i];
}

/* ---- the model file ---- */
void orr_transform_dump(const orr_transform *t, orr_text *out)
{
    if (t->n_steps == 0) orr_text_add(out, "[]\n");
    for (int i = 0; i < t->n_steps; i++) {
        orr_text_printf(out, "- %s: ", t->step[i].kind->name);
        orr_options_dump_flow(&t->step[i].o, t->step[i].kind->options, out);
        orr_text_add(out, "\n");
    }
}

size_t orr_transform_n_numbers(const orr_transform *t)
{
    size_t n = 0;

    for (int i = 0; i < t->n_steps; i++)
        n += 2 * t->step[i].n_stats;
    return n;
}

void orr_transform_get_numbers(const orr_transform *t, double *out)
{
    for (int i = 0; i < t->n_steps; i++) {
        const orr_step *s = &t->step[i];
        if (s->n_stats == 0) continue;
        memcpy(out, s->mean, s->n_stats * sizeof *out);
        memcpy(out + s->n_stats, s->dev, s->n_stats * sizeof *out);
        out += 2 * s->n_stats;
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
        for (size_t k = 0; k < s->n_stats; k++) {
            s->mean[k] = in[k];
            s->dev[k] = in[s->n_stats + k];
            s->inverse[k] = 1 / s->dev[k];
            if (!isfinite(s->mean[k]) || !isfinite(s->dev[k]) || !(s->dev[k] > 0))
                return orr_fail(
                    ORR_ERR_FORMAT,
                    "transforms: mean %g and deviation %g of number %zu of %s are not usable",
                    s->mean[k], s->dev[k], k, s->kind->name);
        }
        in += 2 * s->n_stats;
        t->passes += s->n_stats > 0 ? 2 : 0;
    }
    return ORR_OK;
}
