/* jobs/train/lr_range.c - the sweep over learning rates, and what it suggests. */
#include "jobs/train/lr_range.h"
#include "core/memory.h"
#include "core/progress.h"
#include "jobs/context/phase.h"

#include <math.h>
#include <stdio.h>

/* A fall of the smoothed loss that is less than so many deviations of its noise is none. */
static const double fall_deviations = 3;

/* ---- the sweep ---- */
static double rate_of(const orr_lr_range_opts *o, int i)
{
    if (i == o->steps - 1) return o->to;
    return o->from * pow(o->to / o->from, (double)i / (o->steps - 1));
}

/* Exponential mean so far, with the weight that its start lacks given back (as Adam does). */
static double smooth(const orr_lr_range_opts *o, double *mean, int i, double loss)
{
    *mean = o->smoothing * *mean + (1 - o->smoothing) * loss;
    return *mean / (1 - pow(o->smoothing, i + 1));
}

/* Writes down what the next rate gave; true when it was the last. */
static int account(orr_lr_range *r, const orr_lr_range_opts *o, const orr_step_result *s,
                   double *mean)
{
    int i = r->n++;

    r->rates[i] = rate_of(o, i);
    r->loss[i] = s->loss / (double)s->samples;
    r->smoothed[i] = NAN;
    if (s->skipped) {
        r->end = ORR_SWEEP_NONFINITE;
        return 1;
    }
    r->smoothed[i] = smooth(o, mean, i, r->loss[i]);
    r->n_smoothed++;
    if (i < r->skip) return 0;
    if (r->lowest < 0 || r->smoothed[i] < r->smoothed[r->lowest]) r->lowest = i;
    if (o->stop > 0 && r->smoothed[i] > o->stop * r->smoothed[r->lowest]) {
        r->end = ORR_SWEEP_DIVERGED;
        return 1;
    }
    return r->n == o->steps;
}

static orr_status interrupted(orr_training *t, const orr_lr_range *r, const orr_lr_range_opts *o)
{
    orr_phase_same(t->context, ORR_ERR_INTERRUPTED); /* every rank saw the same control word */
    return orr_fail(ORR_ERR_INTERRUPTED,
                    "stopped by a signal after %d of %d rates; nothing was written; the same "
                    "command begins anew",
                    r->n, o->steps);
}

static orr_status sweep(orr_lr_range *r, orr_training *t, const orr_lr_range_opts *o)
{
    const orr_loaded *batch;
    orr_loader *loader = NULL;
    orr_progress *progress = NULL;
    orr_step_result s;
    double mean = 0;
    char note[64];
    int ended = 0;
    orr_status st;

    t->loader.first_epoch = t->loader.first_step = 0;
    t->loader.last_epoch = 1 + o->steps / t->steps_per_epoch;
    ORR_TRY_GOTO(st, done, orr_phase(t->context, NULL, orr_loader_create(&loader, &t->loader)));
    if (t->context->rank == 0 && t->job->runtime.progress)
        (void)orr_progress_create(&progress, "lr-range", "rates", o->steps);
    while (!ended) {
        ORR_TRY_GOTO(st, done, orr_loader_next(loader, &batch));
        if (!batch) {
            st = orr_fail(ORR_ERR_INTERNAL, "the loader ended before the sweep did");
            goto done;
        }
        ORR_TRY_GOTO(st, done, orr_step(t->stepper, batch, rate_of(o, r->n), &s));
        ended = account(r, o, &s, &mean);
        if (progress) {
            snprintf(note, sizeof note, "lr %.3g, loss %.4g", r->rates[r->n - 1],
                     r->loss[r->n - 1]);
            orr_progress_update(progress, r->n, note);
        }
        if (s.stop && !ended) {
            st = interrupted(t, r, o);
            goto done;
        }
    }
done:
    orr_progress_end(progress, NULL);
    orr_loader_destroy(loader);
    return st;
}

/* ---- the suggestion ---- */
/* Deviation that batches' own scatter gives a mean smoothed like this; the scatter is read off
 * successive losses, where a trend counts least. */
static double noise_of(const orr_lr_range *r, double smoothing)
{
    double sum = 0;

    for (int i = 1; i <= r->lowest; i++)
        sum += (r->loss[i] - r->loss[i - 1]) * (r->loss[i] - r->loss[i - 1]);
    if (r->lowest < 1) return 0;
    return sqrt(sum / (2.0 * r->lowest) * (1 - smoothing) / (1 + smoothing));
}

/* Change a rate of the smoothed loss around place i, over a twentieth of the rates to each side;
 * rates are equally far apart in their logarithm.  The next neighbours alone, as with
 * numpy.gradient, would find the luckiest batch. */
static double slope(const orr_lr_range *r, int i, int side)
{
    int before = i - side, after = i + side;

    if (before < r->skip) before = r->skip;
    if (after > r->n_smoothed - 1) after = r->n_smoothed - 1;
    return (r->smoothed[after] - r->smoothed[before]) / (after - before);
}

/* The steepest fall between the first judged rate and the lowest loss. */
static void suggest(orr_lr_range *r, const orr_lr_range_opts *o)
{
    int judged = r->n_smoothed - r->skip, side = o->steps / 20 > 1 ? o->steps / 20 : 1;

    r->suggested = -1;
    if (r->n_smoothed == 0) {
        snprintf(
            r->reason, sizeof r->reason,
            "the first batch, before any step, gave a loss or gradient that is not finite; look "
            "at the samples named in the log");
        return;
    }
    if (judged < 3) {
        snprintf(r->reason, sizeof r->reason,
                 "%d rates gave a loss after the first %d, and 3 are needed; %s",
                 judged > 0 ? judged : 0, r->skip,
                 r->end == ORR_SWEEP_COMPLETE ? "take more steps" : "begin from a lower rate");
        return;
    }
    r->fall = r->smoothed[r->skip] - r->smoothed[r->lowest];
    r->noise = noise_of(r, o->smoothing);
    if (r->lowest == r->skip) {
        snprintf(r->reason, sizeof r->reason,
                 "the loss never fell below the first that is judged; begin from a lower rate, or "
                 "take more steps");
        return;
    }
    if (r->fall <= fall_deviations * r->noise) {
        snprintf(
            r->reason, sizeof r->reason,
            "the loss fell by %.3g, which its noise alone could do (%.3g); take more steps or a "
            "larger train.batch",
            r->fall, r->noise);
        return;
    }
    r->suggested = r->skip;
    for (int i = r->skip + 1; i < r->lowest; i++)
        if (slope(r, i, side) < slope(r, r->suggested, side)) r->suggested = i;
}

/* ---- both ---- */
static orr_status allocate(orr_lr_range *r, const orr_lr_range_opts *o)
{
    size_t n = (size_t)o->steps;

    *r = (orr_lr_range){ .lowest = -1,
                         .suggested = -1,
                         .skip = o->skip >= 0 ? o->skip : o->steps / 10,
                         .rates = orr_alloc(n, sizeof *r->rates),
                         .loss = orr_alloc(n, sizeof *r->loss),
                         .smoothed = orr_alloc(n, sizeof *r->smoothed) };
    if (!r->rates || !r->loss || !r->smoothed)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: a sweep of %d rates", o->steps);
    return ORR_OK;
}

orr_status orr_lr_range_run(orr_lr_range *r, orr_training *t, const orr_lr_range_opts *o)
{
    ORR_TRY(orr_phase(t->context, NULL, allocate(r, o)));
    ORR_TRY(sweep(r, t, o));
    suggest(r, o);
    return ORR_OK;
}

void orr_lr_range_free(orr_lr_range *r)
{
    orr_free(r->rates);
    orr_free(r->loss);
    orr_free(r->smoothed);
    *r = (orr_lr_range){ 0 };
}
