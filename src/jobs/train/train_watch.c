/* jobs/train/train_watch.c - a training's seconds, standing and stragglers. */
#include "jobs/train/train_watch.h"
#include "core/log.h"
#include "core/threads.h"
#include "core/timeline.h"
#include "jobs/context/phase.h"

#include <math.h>
#include <string.h>

/* A rank is called slow, once an epoch, when that cost more than so many seconds. */
static const double worth_naming = 0.2;

static void tell(orr_train_watch *w)
{
    orr_standing *s = &w->standing;

    if (!w->status) return;
    s->done = w->state->steps;
    if (w->state->has_best) {
        s->best = w->state->best;
        s->best_epoch = w->state->best_epoch;
    }
    orr_run_status_set(w->status, s);
}

void orr_train_watch_enter(orr_train_watch *w, const char *phase)
{
    w->phase_span = orr_timeline_now();
    w->phase = phase;
    orr_phase_at(w->context, phase, w->state->steps);
    tell(w);
}

void orr_train_watch_leave(orr_train_watch *w)
{
    orr_timeline_span(w->phase, w->phase_span, w->state->steps);
}

orr_status orr_train_watch_open(orr_train_watch *w, const orr_training *t, const orr_run *run,
                                const orr_train_state *state, int resumed)
{
    const orr_train_opts *o = &t->job->train;
    int64_t total = t->steps_per_epoch * o->epochs;
    orr_standing *s = &w->standing;
    char path[ORR_PATH_MAX];

    *w = (orr_train_watch){
        .context = t->context, .stepper = t->stepper, .state = state, .put = -1
    };
    *s = (orr_standing)ORR_STANDING_INIT;
    ORR_TRY(orr_skew_create(&w->skew, t->context));
    if (t->context->rank != 0) return ORR_OK;
    s->done = state->steps;
    s->total = o->max_steps && o->max_steps < total ? o->max_steps : total;
    s->epochs = o->epochs;
    s->epoch = state->epoch < o->epochs ? state->epoch + 1 : o->epochs;
    s->amount = s->skipped = s->recomputed = 0;
    s->best_metric = strcmp(o->select, "auto") == 0 ? "loss" : o->select;
    s->saved = resumed ? state->steps : -1;
    ORR_TRY(orr_run_path(run, path, ORR_STATUS_FILE));
    orr_run_status_open(&w->status, t->context, path, "train", "steps", "samples");
    tell(w);
    return ORR_OK;
}

void orr_train_watch_begin(orr_train_watch *w, double input)
{
    w->span = orr_timeline_unit(w->state->steps);
    w->began = orr_now();
    w->input = input;
    if (orr_run_status_is_due(w->status, w->began)) orr_step_ask(w->stepper, ORR_ASKS_SECONDS);
}

/* Rank 0 shows what came since it last did. */
static orr_status show(orr_train_watch *w)
{
    orr_skew *k = &w->skew;

    ORR_TRY(orr_skew_gather(k));
    if (!w->status) return ORR_OK;
    orr_run_status_loads(w->status, k, orr_skew_since(k, k->shown), k->gathered - k->shown_steps);
    orr_skew_mark(k, k->shown, &k->shown_steps);
    return ORR_OK;
}

orr_status orr_train_watch_step(orr_train_watch *w, const orr_step_result *r, double input)
{
    orr_standing *s = &w->standing;
    double seconds = orr_now() - w->began, waited = input - w->input;

    orr_timeline_unit_end("step", w->span, w->state->steps - 1);
    orr_skew_add(&w->skew, seconds - waited - r->wait, r->wait, waited);
    s->epoch = w->state->epoch + 1;
    s->amount += (double)r->samples;
    s->skipped += r->skipped;
    s->recomputed += r->again;
    if (isfinite(r->loss)) s->loss = r->loss / (double)r->samples;
    tell(w);
    return r->asked & ORR_ASKS_SECONDS ? show(w) : ORR_OK;
}

orr_status orr_train_watch_gather(orr_train_watch *w)
{
    return orr_skew_gather(&w->skew);
}

void orr_train_watch_epoch(orr_train_watch *w, orr_text *timing)
{
    static const size_t columns[] = { offsetof(orr_load, compute), offsetof(orr_load, wait),
                                      offsetof(orr_load, input) };
    orr_skew *k = &w->skew;
    const orr_load *load = orr_skew_since(k, k->epoch);
    orr_straggler s;

    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        orr_spread v = orr_spread_of(load, w->context->size, columns[i], k->room);
        orr_text_printf(timing, ",%.6f,%.6f,%.6f", v.max, v.median, v.min);
    }
    orr_straggler_find(&s, load, w->context->size, worth_naming, k->room);
    orr_skew_mark(k, k->epoch, &k->epoch_steps);
    if (s.rank < 0) {
        orr_text_add(timing, ",,");
        return;
    }
    orr_text_printf(timing, ",%d,%s", s.rank, s.cause);
    orr_log(ORR_WARN, "train",
            "epoch %lld: rank %d on %s is slow in its %s: compute and input took it %.3g s, the "
            "median of the ranks is %.3g s",
            (long long)w->state->epoch + 1, s.rank, k->host[s.rank], s.cause, s.seconds, s.median);
}

void orr_train_watch_saved(orr_train_watch *w, int settled)
{
    if (w->put >= 0) w->standing.saved = w->put;
    w->put = settled ? -1 : w->state->steps;
    if (settled) w->standing.saved = w->state->steps;
    tell(w);
}

void orr_train_watch_settled(orr_train_watch *w)
{
    if (w->put >= 0) w->standing.saved = w->put;
    w->put = -1;
    tell(w);
}

void orr_train_watch_close(orr_train_watch *w, orr_status st)
{
    orr_timeline_unit_end(NULL, 0, -1); /* a step that failed */
    orr_run_status_end(w->status, st);
    orr_skew_free(&w->skew);
    w->status = NULL;
}
