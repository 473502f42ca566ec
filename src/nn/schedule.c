/* nn/schedule.c - learning rates, written as torch writes them so that the numbers agree to the
 * last digits. */
#include "nn/schedule.h"

#include <math.h>
#include <string.h>

static const char *const kinds[] = { "constant", "onecycle", "cosine", "plateau" };
enum { CONSTANT, ONECYCLE, COSINE, PLATEAU, N_KINDS };

const orr_option orr_schedule_options[] = {
    ORR_OPTION_CHOICE(orr_schedule_opts, kind, "constant", "constant|onecycle|cosine|plateau",
                      "how the learning rate moves"),
    ORR_OPTION_REAL(orr_schedule_opts, pct, "0.3", 0, 1,
                    "onecycle: share of the steps in which the rate grows"),
    ORR_OPTION_REAL(orr_schedule_opts, div, "25", 1, 1e12, "onecycle: first rate = lr / div"),
    ORR_OPTION_REAL(orr_schedule_opts, final_div, "1e4", 1, 1e12,
                    "onecycle: last rate = lr / div / final_div"),
    ORR_OPTION_INT64(orr_schedule_opts, warmup, "0", 0, 1e15, "cosine: steps of linear warm-up"),
    ORR_OPTION_REAL(orr_schedule_opts, lr_min, "0", 0, 1e6, "cosine, plateau: the lowest rate"),
    ORR_OPTION_REAL(orr_schedule_opts, factor, "0.1", 0, 1,
                    "plateau: what the rate is multiplied by"),
    ORR_OPTION_REAL(orr_schedule_opts, threshold, "1e-4", 0, 1,
                    "plateau: relative change that is an improvement"),
    ORR_OPTION_INT(orr_schedule_opts, patience, "10", 0, 1000000,
                   "plateau: epochs without improvement that pass"),
    ORR_OPTION_END
};

static int kind_of(const char *name)
{
    for (int i = 0; i < N_KINDS; i++) {
        if (strcmp(name, kinds[i]) == 0) return i;
    }
    return -1;
}

static orr_status check(const orr_schedule_opts *o, int kind, double lr, int64_t steps)
{
    const double numbers[] = { o->pct, o->div, o->final_div, o->lr_min, o->factor, o->threshold };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!isfinite(numbers[i]) || numbers[i] < 0)
            return orr_fail(ORR_ERR_OPTION, "schedule %s: an option is %g, give numbers from 0 up",
                            o->kind, numbers[i]);
    }
    if (!isfinite(lr) || lr < 0)
        return orr_fail(ORR_ERR_OPTION, "learning rate %g: give a number from 0 up", lr);
    if (steps < 1 && (kind == ONECYCLE || kind == COSINE))
        return orr_fail(ORR_ERR_OPTION, "schedule %s over %lld steps: there must be one", o->kind,
                        (long long)steps);
    if (kind == ONECYCLE && (o->pct > 1 || o->div == 0 || o->final_div == 0))
        return orr_fail(
            ORR_ERR_OPTION,
            "schedule onecycle: pct %g must lie in [0, 1], div %g and final_div %g above 0", o->pct,
            o->div, o->final_div);
    if (kind == COSINE && (o->warmup < 0 || o->warmup >= steps))
        return orr_fail(ORR_ERR_OPTION,
                        "schedule cosine: warmup of %lld steps in a run of %lld: make it shorter",
                        (long long)o->warmup, (long long)steps);
    if (kind == COSINE && o->lr_min > lr)
        return orr_fail(ORR_ERR_OPTION, "schedule cosine: lr_min %g is above the learning rate %g",
                        o->lr_min, lr);
    if (kind == PLATEAU && (o->factor >= 1 || o->patience < 0))
        return orr_fail(ORR_ERR_OPTION,
                        "schedule plateau: factor %g must be below 1, patience %d at least 0",
                        o->factor, o->patience);
    return ORR_OK;
}

orr_status orr_schedule_init(orr_schedule *s, const orr_schedule_opts *o, double lr,
                             int64_t total_steps, int maximise)
{
    int kind = kind_of(o->kind);

    *s = (orr_schedule){ 0 };
    if (kind < 0)
        return orr_fail(
            ORR_ERR_OPTION,
            "no schedule is called \"%s\": there are constant, onecycle, cosine and plateau",
            o->kind);
    ORR_TRY(check(o, kind, lr, total_steps));
    *s = (orr_schedule){ .opts = *o, .lr = lr, .steps = total_steps, .maximise = maximise };
    s->opts.kind = kinds[kind]; /* lives as long as the program, unlike the job file's word */
    s->state.lr = lr;
    s->state.best = maximise ? -INFINITY : INFINITY;
    return ORR_OK;
}

/* From a at q = 0 to b at q = 1. */
static double cos_anneal(double a, double b, double q)
{
    return b + (a - b) / 2.0 * (cos(M_PI * q) + 1);
}

static double onecycle(const orr_schedule *s, double step)
{
    double total = (double)s->steps, up = s->opts.pct * total - 1, down = total - 1 - up;
    double first = s->lr / s->opts.div, last = first / s->opts.final_div;

    if (up > 0 && step <= up) return cos_anneal(first, s->lr, step / up);
    return cos_anneal(s->lr, last, down > 0 ? (step - up) / down : 1);
}

static double cosine(const orr_schedule *s, double step)
{
    double warmup = (double)s->opts.warmup;

    if (step < warmup) return s->lr * (step + 1) / (warmup + 1);
    return cos_anneal(s->lr, s->opts.lr_min, (step - warmup) / ((double)s->steps - warmup));
}

double orr_schedule_lr(const orr_schedule *s, int64_t step)
{
    int kind = kind_of(s->opts.kind);

    if (kind == ONECYCLE || kind == COSINE) step = step < s->steps ? step : s->steps - 1;
    switch (kind) {
    case ONECYCLE:
        return onecycle(s, (double)step);
    case COSINE:
        return cosine(s, (double)step);
    case PLATEAU:
        return s->state.lr;
    default:
        return s->lr;
    }
}

void orr_schedule_epoch_end(orr_schedule *s, double metric)
{
    orr_schedule_state *t = &s->state;
    const orr_schedule_opts *o = &s->opts;

    if (kind_of(o->kind) != PLATEAU) return;
    if (s->maximise ? metric > t->best * (1 + o->threshold)
                    : metric < t->best * (1 - o->threshold)) {
        t->best = metric;
        t->has_best = 1;
        t->bad_epochs = 0;
        return;
    }
    if (++t->bad_epochs <= o->patience) return;
    double lower = fmax(t->lr * o->factor, o->lr_min);
    if (t->lr - lower > 1e-8) t->lr = lower;
    t->bad_epochs = 0;
}
