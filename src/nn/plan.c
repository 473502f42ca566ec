/* nn/plan.c - lives of activations and gradients, and slots for them. */
#include "nn/plan.h"

#include "core/memory.h"
#include "nn/graph_private.h"

#include <stdlib.h>

/* One stretch of memory: a value with all that is written in place over it. */
typedef struct life {
    int id;
    size_t count; /* elements a sample */
    int start, end;
    int slot;
} life;

typedef struct planner {
    const orr_graph *g;
    const orr_limits *limits;
    orr_plan *p;
    int n;       /* layers */
    life *lives; /* until slots are dealt, y[], y_grad[] and dx[].slot hold numbers of lives */
    int n_lives;
} planner;

static const orr_layer *layer_of(const planner *s, int node)
{
    return s->g->layers[node - 1];
}

static int backward_time(const planner *s, int node)
{
    return 2 * s->n + 1 - node;
}

static int new_life(planner *s, size_t count, int start, int end)
{
    s->p->unshared += count;
    s->lives[s->n_lives] = (life){ .id = s->n_lives, .count = count, .start = start, .end = end };
    return s->n_lives++;
}

/* Last time that the value of a node is read. */
static int last_read(const planner *s, int node)
{
    int training = s->limits->training;
    int end =
        node == s->n ? 2 * s->n + 2 : node; /* the output is the caller's until the next forward */

    if (node > 0 && training && layer_of(s, node)->keeps_y) end = backward_time(s, node);
    if (node == s->n) return 2 * s->n + 2;
    for (int i = node + 1; i <= s->n; i++) {
        const orr_layer *l = layer_of(s, i);
        for (int k = 0; k < l->n_in; k++) {
            int when = training && l->keeps_x ? backward_time(s, i) : i;
            if (l->inputs[k] == node && when > end) end = when;
        }
    }
    return end;
}

/* May layer `node` write over its first input? */
static int can_overwrite(const planner *s, int node)
{
    const orr_layer *l = layer_of(s, node);
    int x = l->inputs[0];

    if (l->n_in == 0 || !l->in_place || x == 0 || last_read(s, x) > node) return 0;
    for (int k = 1; k < l->n_in; k++)
        if (l->inputs[k] == x) return 0;
    return 1;
}

static void plan_values(planner *s)
{
    orr_plan *p = s->p;

    p->y[0] = -1;
    for (int i = 1; i <= s->n; i++) {
        const orr_layer *l = layer_of(s, i);
        int end = last_read(s, i);
        p->y_in_place[i] = can_overwrite(s, i);
        if (p->y_in_place[i]) {
            p->y[i] = p->y[l->inputs[0]];
            p->unshared += orr_shape_count(l->out);
            if (end > s->lives[p->y[i]].end) s->lives[p->y[i]].end = end;
        } else {
            p->y[i] = new_life(s, orr_shape_count(l->out), i, end);
        }
    }
}

static void find_wanted(planner *s)
{
    orr_plan *p = s->p;

    if (!s->limits->training) return; /* nothing is wanted */
    p->wants_grad[0] = s->limits->input_grad;
    for (int i = 1; i <= s->n; i++) {
        const orr_layer *l = layer_of(s, i);
        p->wants_grad[i] = l->n_params > 0;
        for (int k = 0; k < l->n_in; k++)
            p->wants_grad[i] |= p->wants_grad[l->inputs[k]];
    }
}

/* Where layer i leaves the gradient of its input k: in the input's own gradient when it is the
 * first to write it, over its own gradient when it may, else in memory that is added afterwards. */
static void plan_dx(planner *s, int i, int k)
{
    orr_plan *p = s->p;
    const orr_layer *l = layer_of(s, i);
    int x = l->inputs[k], now = backward_time(s, i);
    int end = x == 0 ? 2 * s->n + 2 : backward_time(s, x);
    size_t count = orr_shape_count(l->in[k]);
    orr_plan_dx *dx = &p->dx[i - 1][k];

    *dx = (orr_plan_dx){ .slot = -1 };
    if (!p->wants_grad[x]) return;
    if (p->y_grad[x] >= 0) {
        *dx = (orr_plan_dx){ .slot = new_life(s, count, now, now), .add = 1 };
        return;
    }
    if (k == 0 && l->in_place && p->y_grad[i] >= 0) {
        dx->slot = p->y_grad[i];
        p->unshared += count;
        s->lives[dx->slot].end = end;
    } else {
        dx->slot = new_life(s, count, now, end);
    }
    p->y_grad[x] = dx->slot;
}

static void plan_gradients(planner *s)
{
    for (int i = 0; i <= s->n; i++)
        s->p->y_grad[i] = -1;
    for (int i = s->n; i >= 1; i--)
        for (int k = 0; k < layer_of(s, i)->n_in; k++)
            plan_dx(s, i, k);
}

/* What a layer saves counts in the elements of a slot. */
static void plan_saved(planner *s)
{
    for (int i = 1; i <= s->n; i++) {
        const orr_layer *l = layer_of(s, i);
        int end = s->limits->training ? backward_time(s, i) : i;
        for (int k = 0; k < l->n_saved; k++)
            s->p->saved[i - 1][k] = new_life(s, orr_plan_saved_reals(&l->saved[k]), i, end);
    }
}

static int by_size(const void *a, const void *b)
{
    const life *x = a, *y = b;

    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return x->id - y->id;
}

static int fits(const planner *s, int slot, const life *l, int n_dealt)
{
    for (int i = 0; i < n_dealt; i++) {
        const life *o = &s->lives[i];
        if (o->slot == slot && l->start <= o->end && o->start <= l->end) return 0;
    }
    return 1;
}

/* The largest life first, each into the first slot where it meets nobody. */
static void deal_slots(planner *s, int *slot_of)
{
    orr_plan *p = s->p;

    qsort(s->lives, (size_t)s->n_lives, sizeof *s->lives, by_size);
    for (int i = 0; i < s->n_lives; i++) {
        life *l = &s->lives[i];
        l->slot = 0;
        while (l->slot < p->n_slots && !fits(s, l->slot, l, i))
            l->slot++;
        if (l->slot == p->n_slots) p->slot[p->n_slots++] = l->count;
        slot_of[l->id] = l->slot;
    }
}

static void use_slots(planner *s, const int *slot_of)
{
    orr_plan *p = s->p;

    for (int i = 0; i <= s->n; i++) {
        if (p->y[i] >= 0) p->y[i] = slot_of[p->y[i]];
        if (p->y_grad[i] >= 0) p->y_grad[i] = slot_of[p->y_grad[i]];
    }
    for (int i = 0; i < s->n; i++) {
        for (int k = 0; k < s->g->layers[i]->n_in; k++)
            if (p->dx[i][k].slot >= 0) p->dx[i][k].slot = slot_of[p->dx[i][k].slot];
        for (int k = 0; k < s->g->layers[i]->n_saved; k++)
            p->saved[i][k] = slot_of[p->saved[i][k]];
    }
}

orr_status orr_plan_make(orr_plan *p, const orr_graph *g, const orr_limits *limits)
{
    orr_status st = ORR_OK;
    planner s = { .g = g, .limits = limits, .p = p, .n = g->n };
    size_t nodes = (size_t)g->n + 1, lives = nodes;
    int *slot_of = NULL;

    *p = (orr_plan){ 0 };
    for (int i = 0; i < g->n; i++)
        lives += (size_t)g->layers[i]->n_in + (size_t)g->layers[i]->n_saved;
    s.lives = orr_alloc(lives, sizeof *s.lives);
    slot_of = orr_alloc(lives, sizeof *slot_of);
    p->slot = orr_alloc(lives, sizeof *p->slot);
    p->y = orr_alloc(nodes, sizeof *p->y);
    p->y_in_place = orr_alloc(nodes, sizeof *p->y_in_place);
    p->y_grad = orr_alloc(nodes, sizeof *p->y_grad);
    p->wants_grad = orr_alloc(nodes, sizeof *p->wants_grad);
    p->dx = orr_alloc(nodes, sizeof *p->dx);
    p->saved = orr_alloc(nodes, sizeof *p->saved);
    if (!s.lives || !slot_of || !p->slot || !p->y || !p->y_in_place || !p->y_grad ||
        !p->wants_grad || !p->dx || !p->saved) {
        st = orr_fail(ORR_ERR_NOMEM, "memory plan of %d layers", g->n);
        goto done;
    }
    plan_values(&s);
    find_wanted(&s);
    plan_gradients(&s);
    plan_saved(&s);
    deal_slots(&s, slot_of);
    use_slots(&s, slot_of);
done:
    orr_free(s.lives);
    orr_free(slot_of);
    if (st != ORR_OK) orr_plan_free(p);
    return st;
}

void orr_plan_free(orr_plan *p)
{
    orr_free(p->slot);
    orr_free(p->y);
    orr_free(p->y_in_place);
    orr_free(p->y_grad);
    orr_free(p->wants_grad);
    orr_free(p->dx);
    orr_free(p->saved);
    *p = (orr_plan){ 0 };
}
