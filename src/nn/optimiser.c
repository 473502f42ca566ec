/* nn/optimiser.c - moments, and which range of the slab moves at which rate. */
#include "nn/optimiser.h"

#include "core/memory.h"
#include "core/rows.h"
#include "nn/net.h"
#include "nn/optimiser_kind_private.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers [first, first + n) of the slab. */
typedef struct range {
    size_t first, n;
    double rate, weight_decay;
} range;

struct orr_optimiser {
    const orr_optimiser_kind *kind;
    orr_backend *be;
    int keras;
    orr_optimiser_opts o;
    size_t n;
    int64_t t;
    int n_slabs, n_ranges;
    orr_real *slab[ORR_MAX_MOMENTS];
    range *ranges;
};

typedef struct group_opts {
    orr_strings match;
    double rate, weight_decay;
} group_opts;

const orr_option orr_optimiser_group_options[] = {
    ORR_OPTION_STRINGS(
        group_opts, match, NULL,
        "names of tensors, such as head.* or *.bias; vectors = all of one dimension"),
    ORR_OPTION_REAL(group_opts, rate, "1", 0, 1e6,
                    "factor of the learning rate; 0 = the tensors stay as they are"),
    ORR_OPTION_REAL(group_opts, weight_decay, "-1", -1, 1e6,
                    "instead of the optimiser's; -1 = the optimiser's"),
    ORR_OPTION_END
};

const orr_option orr_optimiser_options[] = {
    ORR_OPTION_WORD(orr_optimiser_opts, kind, "adam", orr_optimiser_name, "the rule for a step"),
    ORR_OPTION_REAL(orr_optimiser_opts, beta1, "0.9", 0, 1,
                    "adam, adamw: memory of the gradient's mean, below 1"),
    ORR_OPTION_REAL(orr_optimiser_opts, beta2, "0.999", 0, 1,
                    "adam, adamw: memory of its square, below 1"),
    ORR_OPTION_REAL(orr_optimiser_opts, epsilon, "1e-8", 1e-37, 1e6,
                    "adam, adamw: added to the denominator"),
    ORR_OPTION_CHOICE(
        orr_optimiser_opts, epsilon_form, "torch", "torch|keras",
        "adam, adamw: add epsilon after (torch) or before (keras) the bias correction"),
    ORR_OPTION_REAL(orr_optimiser_opts, weight_decay, "0", 0, 1e6,
                    "L2 penalty (adam, sgd) or decoupled decay (adamw)"),
    ORR_OPTION_REAL(orr_optimiser_opts, momentum, "0", 0, 1, "sgd: memory of the gradient"),
    ORR_OPTION_BOOL(orr_optimiser_opts, nesterov, "false", "sgd: look ahead along the momentum"),
    ORR_OPTION_NODE(
        orr_optimiser_opts, no_decay,
        "names of tensors without weight decay (*.bias); vectors = all of one dimension: "
        "biases, norms"),
    ORR_OPTION_NODE(
        orr_optimiser_opts, groups,
        "list of {match: NAMES, rate: FACTOR, weight_decay: NUMBER}: tensors with a rate "
        "or decay of their own; the first that matches counts"),
    ORR_OPTION_END
};

/* ---- groups ---- */

/* A tensor on its way into ranges. */
typedef struct member {
    orr_net_tensor t;
    int group; /* its number, -1: none */
    double rate, weight_decay;
} member;

static int matches(const member *m, const char *pattern)
{
    if (!strcmp(pattern, "vectors")) return m->t.n_dims == 1;
    return fnmatch(pattern, m->t.name, 0) == 0;
}

static orr_status fail_no_match(const member *m, int n, const char *what, const char *pattern)
{
    const char *near = NULL;

    for (int i = 0; i < n; i++)
        near = orr_nearer(pattern, near, m[i].t.name);
    if (near)
        return orr_fail(ORR_ERR_OPTION, "%s: no tensor is called \"%.80s\"; did you mean \"%s\"?",
                        what, pattern, near);
    return orr_fail(
        ORR_ERR_OPTION,
        "%s: no tensor is called \"%.80s\"; they are called like \"%s\", and \"vectors\" "
        "is all of one dimension",
        what, pattern, n ? m[0].t.name : "");
}

static orr_status read_group(group_opts *g, const orr_node *node, member *m, int n, int number)
{
    int found = 0;

    ORR_TRY(orr_options_read(g, orr_optimiser_group_options, node, "optimiser.groups"));
    if (g->weight_decay < 0 && g->weight_decay != -1)
        return orr_fail(ORR_ERR_OPTION, "optimiser.groups: weight_decay %g must not be below 0",
                        g->weight_decay);
    if (!g->match.n) return orr_fail(ORR_ERR_OPTION, "optimiser.groups: match names no tensor");
    for (int p = 0; p < g->match.n; p++) {
        int seen = 0;
        for (int i = 0; i < n; i++) {
            if (!matches(&m[i], g->match.v[p])) continue;
            seen = 1;
            if (m[i].group >= 0) continue;
            m[i].group = number;
            m[i].rate = g->rate;
            if (g->weight_decay >= 0) m[i].weight_decay = g->weight_decay;
        }
        if (!seen) return fail_no_match(m, n, "optimiser.groups", g->match.v[p]);
    }
    for (int i = 0; i < n; i++)
        found |= m[i].group == number;
    if (!found)
        return orr_fail(ORR_ERR_OPTION,
                        "optimiser.groups: the groups before have all tensors of this one");
    return ORR_OK;
}

/* What no_decay names; the nodes are its items, or itself. */
static orr_status spare(const orr_optimiser_opts *o, member *m, int n)
{
    const orr_node *list = o->no_decay;
    int is_list = list && list->type == ORR_NODE_LIST;
    char where[ORR_ERROR_MAX / 4];

    for (int p = 0; list && p < (is_list ? list->n_items : 1); p++) {
        const orr_node *pattern = is_list ? list->items[p] : list;
        int seen = 0;
        orr_node_where(pattern, where, sizeof where);
        if (pattern->type != ORR_NODE_SCALAR)
            return orr_fail(ORR_ERR_OPTION, "%s: optimiser.no_decay is a name or a list of names",
                            where);
        for (int i = 0; i < n; i++) {
            if (!matches(&m[i], pattern->scalar)) continue;
            seen = 1;
            m[i].weight_decay = 0;
        }
        if (!seen)
            return orr_fail_prefix(fail_no_match(m, n, "optimiser.no_decay", pattern->scalar),
                                   "%s: ", where);
    }
    return ORR_OK;
}

/* no_decay first, for a group's own decay comes before it. */
static orr_status join_groups(const orr_optimiser_opts *o, member *m, int n)
{
    char where[ORR_ERROR_MAX / 4];

    ORR_TRY(spare(o, m, n));
    if (!o->groups) return ORR_OK;
    if (o->groups->type != ORR_NODE_LIST)
        return orr_fail(ORR_ERR_OPTION,
                        "%s: optimiser.groups is a list: \"- {match: head.*, rate: "
                        "10}\"",
                        orr_node_where(o->groups, where, sizeof where));
    for (int i = 0; i < o->groups->n_items; i++) {
        const orr_node *node = o->groups->items[i];
        group_opts g = { 0 };
        orr_status st = read_group(&g, node, m, n, i);
        if (st == ORR_OK) continue;
        orr_node_where(node, where, sizeof where);
        return strncmp(orr_error_text(), where, strlen(where)) == 0
                   ? st
                   : orr_fail_prefix(st, "%s: ", where);
    }
    return ORR_OK;
}

/* ---- ranges ---- */
static int by_place(const void *a, const void *b)
{
    size_t x = ((const member *)a)->t.offset, y = ((const member *)b)->t.offset;

    return (x > y) - (x < y);
}

/* The parameters of a net in the order of their slab. */
static orr_status list_members(member **out, int *n, const orr_optimiser_opts *o,
                               const orr_net *net)
{
    int all = orr_net_n_tensors(net);
    member *m = orr_alloc((size_t)all + 1, sizeof *m);

    *n = 0;
    if (!(*out = m)) return orr_fail(ORR_ERR_NOMEM, "optimiser: %d tensors", all);
    for (int i = 0; i < all; i++) {
        m[*n] = (member){ .group = -1, .rate = 1, .weight_decay = o->weight_decay };
        orr_net_tensor_info(net, i, &m[*n].t);
        *n += !m[*n].t.is_state;
    }
    qsort(m, (size_t)*n, sizeof *m, by_place);
    return ORR_OK;
}

/* What is between two tensors belongs to the first. */
static void cut_ranges(orr_optimiser *opt, const member *m, int n)
{
    for (int i = 0; i < n; i++) {
        size_t end = i + 1 < n ? m[i + 1].t.offset : opt->n;
        range *last = opt->n_ranges ? &opt->ranges[opt->n_ranges - 1] : NULL;
        if (opt->kind->by_tensor) end = m[i].t.offset + m[i].t.count;
        if (last && !opt->kind->by_tensor && last->rate == m[i].rate &&
            last->weight_decay == m[i].weight_decay)
            last->n = end - last->first;
        else
            opt->ranges[opt->n_ranges++] = (range){ .first = m[i].t.offset,
                                                    .n = end - m[i].t.offset,
                                                    .rate = m[i].rate,
                                                    .weight_decay = m[i].weight_decay };
    }
}

static orr_status make_ranges(orr_optimiser *opt, const orr_optimiser_opts *o, const orr_net *net)
{
    orr_status st = ORR_OK;
    member *m = NULL;
    int n = 0;

    ORR_TRY_GOTO(st, done, list_members(&m, &n, o, net));
    ORR_TRY_GOTO(st, done, join_groups(o, m, n));
    if (!(opt->ranges = orr_alloc((size_t)n + 1, sizeof *opt->ranges))) {
        st = orr_fail(ORR_ERR_NOMEM, "optimiser: %d ranges", n);
        goto done;
    }
    cut_ranges(opt, m, n);
done:
    orr_free(m);
    return st;
}

static orr_status one_range(orr_optimiser *opt, const orr_optimiser_opts *o)
{
    if (o->groups || o->no_decay || opt->kind->by_tensor)
        return orr_fail(ORR_ERR_ARG, "optimiser %s: groups are of tensors, and there are none",
                        opt->kind->name);
    if (!(opt->ranges = orr_alloc(1, sizeof *opt->ranges)))
        return orr_fail(ORR_ERR_NOMEM, "optimiser: a range");
    opt->ranges[0] = (range){ .n = opt->n, .rate = 1, .weight_decay = o->weight_decay };
    opt->n_ranges = 1;
    return ORR_OK;
}

/* ---- life ---- */
static orr_status find_kind(const orr_optimiser_kind **out, const char *name)
{
    int n, i;
    const orr_optimiser_kind *const *all = orr_optimiser_kinds(&n);

    if ((i = orr_row_named(all, n, name, NULL)) < 0)
        return orr_fail(ORR_ERR_OPTION, "no optimiser is called \"%s\"", name);
    *out = all[i];
    return ORR_OK;
}

static orr_status make_moments(orr_optimiser *opt)
{
    for (int i = 0; i < opt->n_slabs; i++) {
        opt->slab[i] = opt->be->ops->alloc(opt->be, opt->n * sizeof(orr_real));
        if (!opt->slab[i])
            return orr_fail(ORR_ERR_NOMEM, "optimiser %s: %zu parameters of %zu bytes",
                            opt->kind->name, opt->n, sizeof(orr_real));
        opt->be->ops->clear(opt->be, opt->slab[i], opt->n * sizeof(orr_real));
    }
    return ORR_OK;
}

/* net NULL: n numbers without names. */
static orr_status create(orr_optimiser **out, const orr_optimiser_kind *kind, orr_backend *be,
                         const orr_optimiser_opts *o, const orr_net *net, size_t n)
{
    orr_status st = ORR_OK;
    orr_optimiser *opt;

    *out = NULL;
    if (!(o->weight_decay >= 0) || isinf(o->weight_decay))
        return orr_fail(ORR_ERR_OPTION, "optimiser %s: weight_decay %g must not be below 0",
                        kind->name, o->weight_decay);
    if (kind->check) ORR_TRY(kind->check(o));
    if (!(opt = orr_alloc(1, sizeof *opt)))
        return orr_fail(ORR_ERR_NOMEM, "optimiser: %zu bytes", sizeof *opt);
    *opt = (orr_optimiser){ .kind = kind, .be = be, .o = *o, .n = n };
    opt->keras = o->epsilon_form && strcmp(o->epsilon_form, "keras") == 0;
    opt->o.kind = opt->o.epsilon_form = NULL; /* borrowed from the caller */
    opt->o.groups = opt->o.no_decay = NULL;
    opt->n_slabs = kind->n_moments ? kind->n_moments(o) : 0;
    ORR_TRY_GOTO(st, done, make_moments(opt));
    ORR_TRY_GOTO(st, done, net ? make_ranges(opt, o, net) : one_range(opt, o));
    *out = opt;
    opt = NULL;
done:
    orr_optimiser_destroy(opt);
    return st;
}

orr_status orr_optimiser_create(orr_optimiser **out, orr_backend *be, const orr_optimiser_opts *o,
                                size_t n)
{
    const orr_optimiser_kind *kind;

    *out = NULL;
    ORR_TRY(find_kind(&kind, o->kind));
    return create(out, kind, be, o, NULL, n);
}

orr_status orr_optimiser_create_kind(orr_optimiser **out, const orr_optimiser_kind *kind,
                                     const orr_optimiser_opts *o, const orr_net *net)
{
    return create(out, kind, orr_net_backend(net), o, net, orr_net_param_count(net));
}

orr_status orr_optimiser_create_for(orr_optimiser **out, const orr_optimiser_opts *o,
                                    const orr_net *net)
{
    const orr_optimiser_kind *kind;

    *out = NULL;
    ORR_TRY(find_kind(&kind, o->kind));
    return orr_optimiser_create_kind(out, kind, o, net);
}

void orr_optimiser_destroy(orr_optimiser *opt)
{
    if (!opt) return;
    for (int i = 0; i < opt->n_slabs; i++)
        if (opt->slab[i]) opt->be->ops->free(opt->be, opt->slab[i]);
    orr_free(opt->ranges);
    orr_free(opt);
}

/* ---- a step ---- */
orr_status orr_optimiser_step(orr_optimiser *opt, orr_real *w, const orr_real *g, double lr,
                              double scale)
{
    opt->t++;
    for (int i = 0; i < opt->n_ranges; i++) {
        const range *from = &opt->ranges[i];
        orr_optimiser_range r = { .be = opt->be,
                                  .o = &opt->o,
                                  .keras = opt->keras,
                                  .t = opt->t,
                                  .lr = lr * from->rate,
                                  .weight_decay = from->weight_decay,
                                  .scale = scale,
                                  .n = from->n,
                                  .g = g + from->first };
        r.w = w + from->first;
        for (int k = 0; k < opt->n_slabs; k++)
            r.moment[k] = opt->slab[k] + from->first;
        ORR_TRY(opt->kind->step(&r));
    }
    return ORR_OK;
}

double orr_clip_scale(double norm, double max_norm)
{
    double c = max_norm / (norm + 1e-6);

    return max_norm == 0 || c > 1 ? 1 : c;
}

int64_t orr_optimiser_steps(const orr_optimiser *opt)
{
    return opt->t;
}

void orr_optimiser_set_steps(orr_optimiser *opt, int64_t t)
{
    opt->t = t;
}

int orr_optimiser_n_slabs(const orr_optimiser *opt)
{
    return opt->n_slabs;
}

const char *orr_optimiser_slab_name(const orr_optimiser *opt, int i)
{
    return opt->kind->moments[i];
}

orr_status orr_optimiser_read(const orr_optimiser *opt, int i, size_t first, size_t n,
                              orr_real *out)
{
    opt->be->ops->download(opt->be, out, opt->slab[i] + first, n * sizeof *out);
    return opt->be->ops->synchronise(opt->be);
}

orr_status orr_optimiser_write(orr_optimiser *opt, int i, size_t first, size_t n,
                               const orr_real *in)
{
    opt->be->ops->upload(opt->be, opt->slab[i] + first, in, n * sizeof *in);
    return opt->be->ops->synchronise(opt->be);
}
