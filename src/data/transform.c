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
        orr_free(t->step[i].o);
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

/* ---- fitting ----
 * Two passes for each fitted step: sums give the means, then sums of squares about them give the
 * deviations.  One pass over sums of x and x^2 would lose every digit of the deviation of raw
 * fluxes (mean 1e6, deviation 10), and partial sums could not simply be added up by ranks if blocks
 * were centred each on its own mean. */
int orr_is_constant(double variance, double mean, double n)
{
    double bound = (n < 1e7 ? n : 1e7) * DBL_EPSILON * mean; /* stays below float32's own step */

    return variance <= bound * bound;
}

int orr_transform_n_fits(const orr_transform *t)
{
    int n = 0;

    for (int i = 0; i < t->n_steps; i++)
        n += t->step[i].n_stats > 0 ? 2 : 0;
    return n - t->passes;
}

/* Index of the step that the present pass fits; n_steps when there is none. */
static int fitting(const orr_transform *t)
{
    int left = t->passes / 2;

    for (int i = 0; i < t->n_steps; i++)
        if (t->step[i].n_stats > 0 && left-- == 0) return i;
    return t->n_steps;
}

size_t orr_transform_fit_size(const orr_transform *t)
{
    int i = fitting(t);

    return i < t->n_steps ? t->step[i].n_stats : 0;
}

orr_status orr_transform_fit_block(const orr_transform *t, const void *x, int n, double *sums,
                                   void *scratch)
{
    const int at = fitting(t), squares = t->passes % 2;
    const orr_step *s = &t->step[at];
    const char *from = x;
    size_t bytes, numbers;

    if (at == t->n_steps || n < 0 || n > ORR_FIT_BLOCK)
        return orr_fail(ORR_ERR_ARG, "transforms: nothing left to fit, or a block of %d rows", n);
    bytes = orr_sample_elements(t->in) * (t->x_type == ORR_X_F32   ? 4
                                          : t->x_type == ORR_X_F16 ? 2
                                                                   : 1);
    numbers = orr_sample_elements(s->in);
    for (size_t k = 0; k < s->n_stats; k++)
        sums[k] = 0;
    for (int row = 0; row < n; row++) {
        const double *v = steps_apply(t, at, from + (size_t)row * bytes, scratch);
        for (size_t i = 0; i < numbers; i += s->n_stats)
            for (size_t k = 0; k < s->n_stats; k++) {
                double d = squares ? v[i + k] - s->mean[k] : v[i + k];
                sums[k] += squares ? d * d : d;
            }
    }
    return ORR_OK;
}

orr_status orr_transform_fit_end(orr_transform *t, const double *total, int64_t rows)
{
    orr_step *s = &t->step[fitting(t)];
    size_t each; /* numbers of a row that one statistic is over */
    double n;

    if (fitting(t) == t->n_steps || rows < 1)
        return orr_fail(ORR_ERR_ARG, "transforms: nothing left to fit, or no training rows");
    each = orr_sample_elements(s->in) / s->n_stats;
    n = (double)rows * (double)each;
    for (size_t k = 0; k < s->n_stats; k++) {
        if (!isfinite(total[k]))
            return orr_fail(ORR_ERR_NUMERIC,
                            "transform %s: number %zu of the training rows sums up to %g; look for "
                            "NaN or infinity in the data",
                            s->kind->name, k, total[k]);
        if (t->passes % 2 == 0) {
            s->mean[k] = total[k] / n;
        } else {
            double variance = total[k] / n;
            s->dev[k] = orr_is_constant(variance, s->mean[k], n) ? 1 : sqrt(variance);
            s->inverse[k] = 1 / s->dev[k];
        }
    }
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
