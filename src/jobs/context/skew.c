/* jobs/context/skew.c - seconds of all ranks, and the one that the others wait for. */
#include "jobs/context/skew.h"
#include "core/memory.h"
#include "jobs/context/phase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static orr_status allocate(orr_skew *s)
{
    size_t n = (size_t)s->context->size;

    s->bytes = orr_alloc(n, sizeof *s->bytes);
    if (!s->bytes) return orr_fail(ORR_ERR_NOMEM, "out of memory: %zu ranks", n);
    if (s->context->rank != 0) return ORR_OK;
    s->host = orr_alloc(n, sizeof *s->host);
    s->all = orr_alloc(n, sizeof *s->all);
    s->epoch = orr_alloc(n, sizeof *s->epoch);
    s->shown = orr_alloc(n, sizeof *s->shown);
    s->window = orr_alloc(n, sizeof *s->window);
    s->room = orr_alloc(n, sizeof *s->room);
    if (!s->host || !s->all || !s->epoch || !s->shown || !s->window || !s->room)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %zu ranks", n);
    return ORR_OK;
}

static orr_status gather(orr_skew *s, const void *mine, void *all, size_t each)
{
    for (int r = 0; r < s->context->size; r++)
        s->bytes[r] = each;
    return orr_comm_gather(s->context->world, mine, all, s->bytes, 0);
}

orr_status orr_skew_create(orr_skew *s, orr_context *context)
{
    char host[sizeof *s->host] = "";

    *s = (orr_skew){ .context = context };
    ORR_TRY(orr_phase(context, NULL, allocate(s)));
    snprintf(host, sizeof host, "%s", orr_comm_host(context->world));
    return gather(s, host, s->host, sizeof host);
}

void orr_skew_free(orr_skew *s)
{
    orr_free(s->host);
    orr_free(s->all);
    orr_free(s->epoch);
    orr_free(s->shown);
    orr_free(s->window);
    orr_free(s->room);
    orr_free(s->bytes);
    *s = (orr_skew){ 0 };
}

orr_status orr_skew_gather(orr_skew *s)
{
    s->gathered = s->steps;
    return gather(s, &s->mine, s->all, sizeof s->mine);
}

const orr_load *orr_skew_since(orr_skew *s, const orr_load *before)
{
    for (int r = 0; r < s->context->size; r++)
        s->window[r] = (orr_load){ .compute = s->all[r].compute - before[r].compute,
                                   .wait = s->all[r].wait - before[r].wait,
                                   .input = s->all[r].input - before[r].input };
    return s->window;
}

void orr_skew_mark(orr_skew *s, orr_load *place, int64_t *steps)
{
    *steps = s->gathered;
    if (place) memcpy(place, s->all, (size_t)s->context->size * sizeof *place);
}

/* ---- of n ranks' seconds ---- */
static double busy(const orr_load *l)
{
    return l->compute + l->input;
}

static double number(const orr_load *l, size_t which)
{
    double v;

    if (which == sizeof *l) return busy(l);
    memcpy(&v, (const char *)l + which, sizeof v);
    return v;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

orr_spread orr_spread_of(const orr_load *load, int n, size_t which, double *room)
{
    for (int i = 0; i < n; i++)
        room[i] = number(&load[i], which);
    qsort(room, (size_t)n, sizeof *room, by_size);
    return (orr_spread){ .max = room[n - 1], .median = room[(n - 1) / 2], .min = room[0] };
}

/* How far a rank is above the median. */
static double above(const orr_load *load, int n, int rank, size_t which, double *room)
{
    return number(&load[rank], which) - orr_spread_of(load, n, which, room).median;
}

void orr_straggler_find(orr_straggler *out, const orr_load *load, int n, double less, double *room)
{
    orr_spread all = orr_spread_of(load, n, sizeof *load, room);
    int most = 0;

    *out = (orr_straggler){ .rank = -1, .cause = "", .median = all.median };
    for (int i = 1; i < n; i++)
        if (busy(&load[i]) > busy(&load[most])) most = i;
    if (n < 2 || all.max <= ORR_SKEW_FACTOR * all.median || all.max - all.median <= less) return;
    out->rank = most;
    out->seconds = all.max;
    out->cause = above(load, n, most, offsetof(orr_load, input), room) >
                         above(load, n, most, offsetof(orr_load, compute), room)
                     ? "input"
                     : "compute";
}
