/* jobs/train/warm_start.c - weights of another model, by name and shape. */
#include "jobs/train/warm_start.h"
#include "core/log.h"
#include "core/memory.h"
#include "jobs/context/phase.h"
#include "jobs/model/scores.h"
#include "nn/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- matching ---- */
/* "conv1" of "conv1.weight". */
static size_t layer_length(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot ? (size_t)(dot - name) : strlen(name);
}

static int same_layer(const char *a, const char *b)
{
    size_t n = layer_length(a);

    return n == layer_length(b) && memcmp(a, b, n) == 0;
}

static int same_shape(const orr_net_tensor *a, const orr_net_tensor *b)
{
    if (a->n_dims != b->n_dims) return 0;
    for (int d = 0; d < a->n_dims; d++)
        if (a->dims[d] != b->dims[d]) return 0;
    return 1;
}

static orr_weight_match find(const orr_net_tensor *want, const orr_net_tensor *have, int n_have,
                             const char *fresh_layer)
{
    orr_weight_match m = { ORR_WEIGHT_MISSING, -1 };

    for (int i = 0; i < n_have && m.from < 0; i++)
        if (strcmp(want->name, have[i].name) == 0) m.from = i;
    if (m.from >= 0) m.fate = same_shape(want, &have[m.from]) ? ORR_WEIGHT_TAKEN : ORR_WEIGHT_SHAPE;
    if (fresh_layer && strlen(fresh_layer) == layer_length(want->name) &&
        strncmp(want->name, fresh_layer, strlen(fresh_layer)) == 0)
        m.fate = ORR_WEIGHT_HEAD;
    return m;
}

int orr_weights_match(const orr_net_tensor *want, int n_want, const orr_net_tensor *have,
                      int n_have, const char *fresh_layer, orr_weight_match *match, char *used)
{
    int taken = 0;

    memset(used, 0, (size_t)n_have);
    for (int i = 0; i < n_want; i++)
        match[i] = find(&want[i], have, n_have, fresh_layer);
    for (int i = 0; i < n_want; i++)
        for (int k = 0; match[i].fate == ORR_WEIGHT_TAKEN && k < n_want; k++)
            if (match[k].fate != ORR_WEIGHT_TAKEN && match[k].fate != ORR_WEIGHT_LAYER &&
                same_layer(want[i].name, want[k].name))
                match[i].fate = ORR_WEIGHT_LAYER;
    for (int i = 0; i < n_want; i++)
        if (match[i].fate == ORR_WEIGHT_TAKEN) {
            used[match[i].from] = 1;
            taken++;
        }
    return taken;
}

/* ---- what the numbers mean ---- */
static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of a list "a, b" in their sorted order, joined anew: equal for any order. */
static orr_status sorted(const char *list, orr_text *out)
{
    char *copy = orr_strdup(list), *rest = NULL, **name = NULL;
    size_t n = 0, most = strlen(list) / 2 + 2;

    name = orr_alloc(most, sizeof *name);
    if (copy && name)
        for (char *s = strtok_r(copy, ",\n", &rest); s && n < most;
             s = strtok_r(NULL, ",\n", &rest))
            name[n++] = s + strspn(s, " ");
    if (copy && name) qsort(name, n, sizeof *name, by_text);
    for (size_t i = 0; i < n; i++)
        orr_text_printf(out, "%s\n", name[i]);
    if (!copy || !name) orr_text_printf(out, "%s", list);
    orr_free(copy);
    orr_free(name);
    return orr_text_status(out);
}

/* Many names (a line each) or their sum are not printed. */
static const char *shown(const char *names)
{
    return strchr(names, '\n') || strncmp(names, "sha256:", 7) == 0 ? "many" : names;
}

/* Inputs by their names: in another order they would meet the wrong weights. */
static orr_status compare_names(const char *what, const char *now, const char *then,
                                const char *file)
{
    orr_text a = ORR_TEXT_INIT, b = ORR_TEXT_INIT;
    orr_status st;

    if (!now[0] || !then[0] || strcmp(now, then) == 0) return ORR_OK;
    st = sorted(now, &a);
    if (st == ORR_OK) st = sorted(then, &b);
    if (st == ORR_OK && a.s && b.s && strcmp(a.s, b.s) == 0)
        st = orr_fail(ORR_ERR_SHAPE,
                      "model.weights: the %s of %s stand in another order (%s) than here (%s); "
                      "import the set in that order",
                      what, file, shown(then), shown(now));
    else if (st == ORR_OK)
        orr_log0(ORR_WARN, "train", "model.weights: the %s of %s were %s, here they are %s", what,
                 file, shown(then), shown(now));
    orr_text_free(&a);
    orr_text_free(&b);
    return st;
}

static void join_names(const char names[][ORR_DATA_NAME_MAX], int n, orr_text *out)
{
    for (int i = 0; i < n && names[i][0]; i++)
        orr_text_printf(out, "%s%s", i ? ", " : "", names[i]);
}

static orr_status compare_lists(const char *what, const char now[][ORR_DATA_NAME_MAX], int n_now,
                                const char then[][ORR_DATA_NAME_MAX], int n_then, const char *file)
{
    orr_text a = ORR_TEXT_INIT, b = ORR_TEXT_INIT;
    orr_status st = ORR_OK;

    join_names(now, n_now, &a);
    join_names(then, n_then, &b);
    if (a.s && b.s) st = compare_names(what, a.s, b.s, file);
    orr_text_free(&a);
    orr_text_free(&b);
    return st;
}

/* Transforms with their fitted numbers: told, since new data are often scaled anew. */
static orr_status compare_transforms(const char *what, const orr_transform *now,
                                     const orr_transform *then, const char *file)
{
    orr_text a = ORR_TEXT_INIT, b = ORR_TEXT_INIT;
    size_t n = now ? orr_transform_n_numbers(now) : 0, m = then ? orr_transform_n_numbers(then) : 0;
    double *x = orr_alloc(n + 1, sizeof *x), *y = orr_alloc(m + 1, sizeof *y), most = 0;

    if (now) orr_transform_dump(now, &a);
    if (then) orr_transform_dump(then, &b);
    if (strcmp(a.s ? a.s : "", b.s ? b.s : "") != 0) {
        orr_log0(ORR_WARN, "train", "model.weights: %s learned on samples after other %s than here",
                 file, what);
    } else if (x && y && n == m && n > 0) {
        orr_transform_get_numbers(now, x);
        orr_transform_get_numbers(then, y);
        for (size_t i = 0; i < n; i++)
            if (x[i] != y[i]) most = fmax(most, fabs(x[i] - y[i]) / fmax(fabs(x[i]), fabs(y[i])));
        if (most > 1e-6)
            orr_log0(most > 0.2 ? ORR_WARN : ORR_INFO, "train",
                     "model.weights: %s are fitted to this training set; numbers differ from those "
                     "of %s by up to %.3g %%",
                     what, file, 100 * most);
    }
    orr_free(x);
    orr_free(y);
    orr_text_free(&a);
    orr_text_free(&b);
    return ORR_OK;
}

static orr_status compare_inputs(const orr_model *now, const orr_model *then)
{
    const orr_schema *a = &now->schema, *b = &then->schema;

    ORR_TRY(compare_lists("channels", a->channel_names, a->c < ORR_MAX_CHANNELS ? a->c : 0,
                          b->channel_names, b->c < ORR_MAX_CHANNELS ? b->c : 0, then->file));
    ORR_TRY(compare_names("features", a->feature_names, b->feature_names, then->file));
    ORR_TRY(compare_lists("aux numbers", now->aux_names, now->n_aux, then->aux_names, then->n_aux,
                          then->file));
    ORR_TRY(compare_transforms("transforms", now->transform, then->transform, then->file));
    return compare_transforms("transforms of aux numbers", now->aux_transform, then->aux_transform,
                              then->file);
}

static int same_list(const char a[][ORR_DATA_NAME_MAX], const char b[][ORR_DATA_NAME_MAX], int n)
{
    for (int i = 0; i < n; i++)
        if (a[i][0] && b[i][0] && strcmp(a[i], b[i]) != 0) return 0;
    return 1;
}

/* Why the head's numbers would mean something else; NULL: they mean the same. */
static const char *other_answer(const orr_model *now, const orr_model *then)
{
    const orr_schema *a = &now->schema, *b = &then->schema;
    int n = orr_model_n_classes(now), width = a->y_width;

    if (orr_loss_output_type(&now->loss) != orr_loss_output_type(&then->loss))
        return "another kind of answer";
    if (n != orr_model_n_classes(then)) return "another number of classes";
    if (n > ORR_MAX_CLASSES) n = ORR_MAX_CLASSES;
    if (!same_list(a->class_names, b->class_names, n)) return "other classes";
    if (now->loss.bins.count != then->loss.bins.count ||
        now->loss.bins.min != then->loss.bins.min || now->loss.bins.max != then->loss.bins.max)
        return "other bins";
    if (orr_model_n_classes(now) || width != b->y_width)
        return width != b->y_width && !orr_model_n_classes(now) ? "other targets" : NULL;
    if (width > ORR_MAX_TARGET_NAMES) width = ORR_MAX_TARGET_NAMES;
    return same_list(a->y_names, b->y_names, width) ? NULL : "other targets";
}

/* ---- taking ---- */
static orr_status tensors_of(const orr_net *net, orr_net_tensor **out)
{
    int n = orr_net_n_tensors(net);

    if (!(*out = orr_alloc((size_t)n + 1, sizeof **out)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d tensors", n);
    for (int i = 0; i < n; i++)
        orr_net_tensor_info(net, i, &(*out)[i]);
    return ORR_OK;
}

/* The last layer with parameters. */
static void head_of(const orr_net_tensor *t, int n, char *name, size_t bytes)
{
    name[0] = '\0';
    for (int i = 0; i < n; i++)
        if (!t[i].is_state) snprintf(name, bytes, "%.*s", (int)layer_length(t[i].name), t[i].name);
}

static void print_shape(const orr_net_tensor *t, orr_text *out)
{
    for (int d = 0; d < t->n_dims; d++)
        orr_text_printf(out, "%s%d", d ? " x " : "", t->dims[d]);
}

typedef struct warm {
    orr_training *t;
    orr_model model; /* the other one */
    orr_net *net;    /* and its net */
    orr_net_tensor *want, *have;
    int n_want, n_have, taken;
    orr_weight_match *match;
    char *used;
    const char *why; /* the head is fresh; NULL: it is not */
} warm;

/* A line a tensor, in the net's order, then what is left in the file. */
static void log_table(const warm *w)
{
    static const char *const fate[] = { "taken", "fresh (the file has none)", "fresh (there ",
                                        "fresh (with its layer)", "fresh (the head: " };
    orr_text table = ORR_TEXT_INIT;
    int left = 0;

    for (int i = 0; i < w->n_want; i++) {
        orr_text_printf(&table, "\n  %-28s ", w->want[i].name);
        print_shape(&w->want[i], &table);
        orr_text_printf(&table, "  %s", fate[w->match[i].fate]);
        if (w->match[i].fate == ORR_WEIGHT_SHAPE) print_shape(&w->have[w->match[i].from], &table);
        if (w->match[i].fate == ORR_WEIGHT_HEAD) orr_text_add(&table, w->why);
        if (w->match[i].fate == ORR_WEIGHT_SHAPE || w->match[i].fate == ORR_WEIGHT_HEAD)
            orr_text_add(&table, ")");
    }
    for (int i = 0; i < w->n_have; i++) {
        if (w->used[i]) continue;
        left++;
        orr_text_printf(&table, "\n  %-28s ", w->have[i].name);
        print_shape(&w->have[i], &table);
        orr_text_add(&table, "  left in the file");
    }
    orr_log0(ORR_INFO, "train", "weights of %s: %d of %d tensors taken, %d fresh, %d left%s",
             w->model.file, w->taken, w->n_want, w->n_want - w->taken, left,
             table.s && !w->t->context->quiet ? table.s : "" /* one of many: the sum */);
    orr_text_free(&table);
}

static orr_status put_weights(const warm *w)
{
    orr_status st = ORR_OK;

    for (int i = 0; st == ORR_OK && i < w->n_want; i++) {
        orr_real *x;
        if (w->match[i].fate != ORR_WEIGHT_TAKEN) continue;
        if (!(x = orr_alloc(w->want[i].count, sizeof *x)))
            return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", w->want[i].name);
        st = orr_net_read_tensor(w->net, w->match[i].from, x);
        if (st == ORR_OK) st = orr_net_write_tensor(w->t->net, i, x);
        orr_free(x);
    }
    return st;
}

/* Rank by rank the same: all read the same file. */
static orr_status make_record(const warm *w, cJSON **record)
{
    char sum[ORR_SHA256_HEX];
    cJSON *o, *taken, *fresh, *left;

    ORR_TRY(orr_sha256_file(sum, w->model.file));
    *record = o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "path", w->model.file);
    cJSON_AddStringToObject(o, "sha256", sum);
    taken = cJSON_AddArrayToObject(o, "taken");
    fresh = cJSON_AddArrayToObject(o, "fresh");
    left = cJSON_AddArrayToObject(o, "left");
    for (int i = 0; i < w->n_want; i++)
        cJSON_AddItemToArray(w->match[i].fate == ORR_WEIGHT_TAKEN ? taken : fresh,
                             cJSON_CreateString(w->want[i].name));
    for (int i = 0; i < w->n_have; i++)
        if (!w->used[i]) cJSON_AddItemToArray(left, cJSON_CreateString(w->have[i].name));
    return ORR_OK;
}

static orr_status match_all(warm *w)
{
    char head[2 * ORR_NAME_MAX];

    ORR_TRY(tensors_of(w->t->net, &w->want));
    ORR_TRY(tensors_of(w->net, &w->have));
    w->n_want = orr_net_n_tensors(w->t->net);
    w->n_have = orr_net_n_tensors(w->net);
    w->match = orr_alloc((size_t)w->n_want + 1, sizeof *w->match);
    w->used = orr_alloc((size_t)w->n_have + 1, 1);
    if (!w->match || !w->used) return orr_fail(ORR_ERR_NOMEM, "out of memory: model.weights");
    head_of(w->want, w->n_want, head, sizeof head);
    w->why = other_answer(&w->t->model, &w->model);
    w->taken = orr_weights_match(w->want, w->n_want, w->have, w->n_have, w->why ? head : NULL,
                                 w->match, w->used);
    if (w->taken) return ORR_OK;
    log_table(w);
    return orr_fail(ORR_ERR_SHAPE,
                    "model.weights: none of the tensors of %s fits this net by layer, name and "
                    "shape; name the layers (name: NAME) as they are called there",
                    w->model.file);
}

/* Not collective; every rank does the same. */
static orr_status take(warm *w, cJSON **record)
{
    const orr_train_job *job = w->t->job;

    ORR_TRY(orr_model_load(&w->model, job->model.weights, job->model.kernels));
    ORR_TRY(compare_inputs(&w->t->model, &w->model));
    ORR_TRY(orr_model_net(&w->net, &w->model, &orr_limits_least));
    ORR_TRY(match_all(w));
    ORR_TRY(put_weights(w));
    return make_record(w, record);
}

/* Scores on samples that the weights have learned from are too good. */
static orr_status tell_seen(const warm *w, const orr_split *p)
{
    orr_context *context = w->t->context;
    unsigned char *mark = orr_alloc((size_t)p->n + 1, 1);
    orr_seen_keys keys = { 0 };
    long long n = 0;
    orr_status st = orr_phase(
        context, NULL,
        mark ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %lld samples", (long long)p->n));

    if (st == ORR_OK) st = orr_seen_keys_make(&keys, context, p);
    if (st == ORR_OK) orr_seen_mark(&w->model.seen, &keys, mark);
    for (int64_t i = 0; st == ORR_OK && i < p->n; i++)
        n += (mark[i] >> ORR_SEEN_TRAINED & 1) << w->model.seen.thinning;
    if (n)
        orr_log0(ORR_WARN, "train",
                 "model.weights: about %lld of the %lld samples of the %s split trained %s: scores "
                 "on them are too good",
                 n > p->n ? (long long)p->n : n, (long long)p->n, p->name, w->model.file);
    orr_seen_keys_free(&keys);
    orr_free(mark);
    return st;
}

static orr_status start(warm *w, cJSON **record)
{
    const orr_split *part = w->t->parts->part;

    ORR_TRY(orr_phase(w->t->context, NULL, take(w, record)));
    if (w->t->context->rank == 0) orr_model_tell_state(&w->model, "train");
    log_table(w);
    for (int i = 1; w->model.seen.known && i < ORR_N_SPLITS; i++)
        if (part[i].n && (i != ORR_FOLD || part[i].rows != part[ORR_VALIDATION].rows))
            ORR_TRY(tell_seen(w, &part[i]));
    w->t->earlier = w->model.seen; /* handed over */
    w->model.seen = (orr_seen){ .known = 0 };
    return ORR_OK;
}

orr_status orr_warm_start(orr_training *t, cJSON **record)
{
    warm w = { .t = t };
    orr_status st = start(&w, record);

    orr_net_destroy(w.net);
    orr_model_destroy(&w.model);
    orr_free(w.want);
    orr_free(w.have);
    orr_free(w.match);
    orr_free(w.used);
    return st;
}
