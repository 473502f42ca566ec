/* data/formats/values.c - what is no value, rounding, checks and row scaling. */
#include "data/formats/values.h"
#include "core/memory.h"
#include "data/formats/number.h"
#include "data/formats/text_value.h"
#include "data/half.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

orr_missing_policy orr_missing_policy_of(const char *word)
{
    return !strcmp(word, "keep")   ? ORR_MISSING_KEEP
           : !strcmp(word, "drop") ? ORR_MISSING_DROP
                                   : ORR_MISSING_REFUSE;
}

/* ---- what is no value ---- */

static orr_status read_list(orr_classes *all, const orr_node *node, const char *option)
{
    orr_strings values = { .n = node->type == ORR_NODE_LIST ? node->n_items : 1 };
    char where[256];

    if (values.n > ORR_LIST_MAX)
        return orr_fail(ORR_ERR_OPTION, "%s: %s: at most %d values",
                        orr_node_where(node, where, sizeof where), option, ORR_LIST_MAX);
    for (int i = 0; i < values.n; i++) {
        const orr_node *v = node->type == ORR_NODE_LIST ? node->items[i] : node;

        if (v->type != ORR_NODE_SCALAR)
            return orr_fail(ORR_ERR_OPTION,
                            "%s: %s is a list of values, or a map of \"column: value\" or "
                            "\"column: [values]\"",
                            orr_node_where(v, where, sizeof where), option);
        values.v[i] = v->scalar;
    }
    return orr_classes_init(all, &values, option);
}

orr_status orr_missing_lists_init(orr_missing_lists *l, const orr_node *node, const char *option)
{
    *l = (orr_missing_lists){ 0 };
    if (!node || node->type == ORR_NODE_NULL) return ORR_OK;
    return node->type == ORR_NODE_MAP ? orr_where_init(&l->of, node, option)
                                      : read_list(&l->all, node, option);
}

void orr_missing_lists_free(orr_missing_lists *l)
{
    orr_classes_free(&l->all);
    orr_where_free(&l->of);
}

orr_missing orr_missing_named(const orr_missing_lists *l, const char *name)
{
    orr_missing m = { .all = l->all.n ? &l->all : NULL };

    for (int i = 0; i < l->of.n; i++)
        if (strcmp(l->of.list[i].name, name) == 0) m.own = &l->of.list[i].values;
    return m;
}

static int is_listed(const orr_classes *c, double v)
{
    for (int i = 0; c && i < c->n; i++) {
        const orr_class *k = &c->list[i];

        if (k->is_number && (k->number == v || (v == (double)(float)v && (float)k->number == v)))
            return 1;
    }
    return 0;
}

int orr_is_missing(const orr_missing *m, double v)
{
    return !isfinite(v) || is_listed(m->all, v) || is_listed(m->own, v);
}

int orr_is_missing_text(const orr_missing *m, const char *text, size_t n)
{
    double v;

    if (orr_text_is_null(text, n) || (orr_number_parse(text, text + n, &v) && !isfinite(v)))
        return 1;
    return (m->all && orr_classes_find(m->all, text, n) >= 0) ||
           (m->own && orr_classes_find(m->own, text, n) >= 0);
}

int orr_value_rule_is_plain(const orr_value_rule *r)
{
    return !r->of && !r->shift && !r->for_all.all && !r->for_all.own;
}

static int all_finite(const double *v, size_t n)
{
    int bad = 0;

    for (size_t i = 0; i < n; i++)
        bad |= !(fabs(v[i]) <= DBL_MAX);
    return !bad;
}

size_t orr_values_clean(const orr_value_rule *r, double *v, size_t n, int *gaps)
{
    if (orr_value_rule_is_plain(r) && all_finite(v, n)) return n;
    for (size_t i = 0, k = 0; i < n; i++, k = k + 1 == r->n ? 0 : k + 1) {
        if (orr_is_missing(r->of ? &r->of[k] : &r->for_all, v[i])) {
            if (r->policy == ORR_MISSING_REFUSE) return i;
            v[i] = NAN;
            ++*gaps;
        } else if (r->shift) {
            v[i] -= r->shift[k];
        }
    }
    return n;
}

/* ---- what rounding costs ---- */

struct orr_value_losses {
    pthread_mutex_t lock;
    size_t n;
    _Atomic double *worst, *value; /* of each, to be looked at without the lock */
    orr_value_loss *list;
};

orr_status orr_value_losses_create(orr_value_losses **out, size_t n)
{
    orr_value_losses *l = orr_alloc(1, sizeof *l);

    *out = NULL;
    if (l && pthread_mutex_init(&l->lock, NULL) != 0) {
        orr_free(l);
        return orr_fail(ORR_ERR_INTERNAL, "values: no mutex");
    }
    if (!l || !(l->worst = orr_alloc(n + 1, sizeof *l->worst)) ||
        !(l->value = orr_alloc(n + 1, sizeof *l->value)) ||
        !(l->list = orr_alloc(n + 1, sizeof *l->list))) {
        orr_value_losses_destroy(l);
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %zu columns", n);
    }
    l->n = n;
    *out = l;
    return ORR_OK;
}

void orr_value_losses_destroy(orr_value_losses *l)
{
    if (!l) return;
    pthread_mutex_destroy(&l->lock);
    orr_free(l->worst);
    orr_free(l->value);
    orr_free(l->list);
    orr_free(l);
}

void orr_value_losses_get(const orr_value_losses *l, orr_value_loss *out)
{
    memcpy(out, l->list, l->n * sizeof *out);
}

void orr_value_loss_merge(orr_value_loss *into, const orr_value_loss *from)
{
    if (from->error > into->error ||
        (from->error > 0 && from->error == into->error && from->value < into->value))
        *into = *from;
}

static void note(orr_value_losses *l, size_t k, double error, double value)
{
    const orr_value_loss now = { error, value };

    pthread_mutex_lock(&l->lock);
    orr_value_loss_merge(&l->list[k], &now);
    atomic_store_explicit(&l->worst[k], l->list[k].error, memory_order_relaxed);
    atomic_store_explicit(&l->value[k], l->list[k].value, memory_order_relaxed);
    pthread_mutex_unlock(&l->lock);
}

static void note_losses(orr_value_losses *l, const double *v, size_t n)
{
    for (size_t i = 0, k = 0; i < n; i++, k = k + 1 == l->n ? 0 : k + 1) {
        double error = fabs(v[i] - (double)(float)v[i]),
               worst = atomic_load_explicit(&l->worst[k], memory_order_relaxed);

        if (!(error > 0) || error < worst) continue;
        if (error > worst || v[i] < atomic_load_explicit(&l->value[k], memory_order_relaxed))
            note(l, k, error, v[i]);
    }
}

/* ---- storing ---- */

void orr_values_zscore(double *v, size_t n)
{
    double sum = 0, squares = 0, mean, scale;
    size_t values = 0;

    for (size_t i = 0; i < n; i++)
        values += !isnan(v[i]);
    for (size_t i = 0; i < n; i++)
        sum += isnan(v[i]) ? 0 : v[i];
    mean = sum / (double)values;
    for (size_t i = 0; i < n; i++)
        squares += isnan(v[i]) ? 0 : (v[i] - mean) * (v[i] - mean);
    scale = sqrt(squares / (double)values);
    if (scale == 0) scale = 1;
    for (size_t i = 0; i < n; i++)
        v[i] = (v[i] - mean) / scale;
}

/* The loop has no exit so that it vectorises; the faulty one, if any, is looked for afterwards. */
static size_t store_f32(float *dst, const double *v, size_t n)
{
    int bad = 0;

    for (size_t i = 0; i < n; i++) {
        float f = (float)v[i];
        bad |= fabsf(f) > FLT_MAX;
        dst[i] = f;
    }
    if (!bad) return n;
    for (size_t i = 0; i < n; i++)
        if (isinf(dst[i])) return i;
    return n;
}

static size_t store_f16(uint16_t *dst, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float f = (float)v[i];

        orr_float_to_half(&dst[i], &f, 1);
        if ((dst[i] & 0x7fffu) == 0x7c00u) return i;
    }
    return n;
}

static size_t store_u8(uint8_t *dst, const double *v, size_t n, orr_missing_policy policy)
{
    for (size_t i = 0; i < n; i++) {
        double w = isnan(v[i]) && policy == ORR_MISSING_DROP ? 0 : v[i];

        if (!(w >= 0 && w <= 255) || w != (double)(uint8_t)w) return i;
        dst[i] = (uint8_t)w;
    }
    return n;
}

size_t orr_values_store(const orr_value_rule *r, void *dst, orr_x_type type, const double *v,
                        size_t n)
{
    if (r->losses && type != ORR_X_U8) note_losses(r->losses, v, n);
    if (type == ORR_X_F32) return store_f32(dst, v, n);
    if (type == ORR_X_F16) return store_f16(dst, v, n);
    return store_u8(dst, v, n, r->policy);
}

void orr_values_fault(char *buf, size_t bytes, orr_x_type type, double v)
{
    if (!isfinite(v) && type == ORR_X_U8)
        snprintf(buf, bytes, "is %s, which uint8 does not hold; set nan: drop or type: float32",
                 isnan(v) ? "nan" : (v < 0 ? "-inf" : "inf"));
    else if (!isfinite(v))
        snprintf(buf, bytes, "is %s; fix the file, or set nan: drop or keep",
                 isnan(v) ? "nan" : (v < 0 ? "-inf" : "inf"));
    else if (type == ORR_X_U8)
        snprintf(buf, bytes, "is %g, not an integer from 0 to 255; set type: float32", v);
    else
        snprintf(buf, bytes, "is %g, too large for %s; fix the file, or list it under missing", v,
                 type == ORR_X_F16 ? "float16" : "float32");
}
