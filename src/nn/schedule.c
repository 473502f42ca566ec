/* nn/schedule.c - learning rates, written as torch writes them so that the numbers agree to the
 * last digits. */
#include "nn/schedule.h"

#include <math.h>
#include <string.h>

/* One schedule.  A slot that is NULL: nothing to check, or to do. */
typedef struct orr_schedule_kind {
    const char *name, *help;
    int by_step; /* a step past the last one has the last one's rate; there must be a step */
    orr_status (*check)(const orr_schedule_opts *o, double lr, int64_t steps);
    double (*lr)(const orr_schedule *s, double step);
    void (*epoch_end)(orr_schedule *s, double metric);
} orr_schedule_kind;

const orr_option orr_schedule_options[] = {
    ORR_OPTION_WORD(orr_schedule_opts, kind, "constant", orr_schedule_name,
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

/* From a at q = 0 to b at q = 1. */
static double cos_anneal(double a, double b, double q)
{
    return b + (a - b) / 2.0 * (cos(M_PI * q) + 1);
}

/* ---- constant ---- */
static double constant(const orr_schedule *s, double step)
{
    (void)step;
    return s->lr;
}

/* ---- onecycle ---- */
static orr_status check_onecycle(const orr_schedule_opts *o, double lr, int64_t steps)
{
    (void)lr;
    (void)steps;
    if (o->pct <= 1 && o->div != 0 && o->final_div != 0) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION,
                    "schedule onecycle: pct %g must lie in [0, 1], div %g and final_div %g above 0",
                    o->pct, o->div, o->final_div);
}

static double onecycle(const orr_schedule *s, double step)
{
    double total = (double)s->steps, up = s->opts.pct * total - 1, down = total - 1 - up;
    double first = s->lr / s->opts.div, last = first / s->opts.final_div;

    if (up > 0 && step <= up) return cos_anneal(first, s->lr, step / up);
    return cos_anneal(s->lr, last, down > 0 ? (step - up) / down : 1);
}

/* ---- cosine ---- */
static orr_status check_cosine(const orr_schedule_opts *o, double lr, int64_t steps)
{
    if (o->warmup < 0 || o->warmup >= steps)
        return orr_fail(ORR_ERR_OPTION,
                        "schedule cosine: warmup of %lld steps, of %lld in all: make it shorter",
                        (long long)o->warmup, (long long)steps);
    if (o->lr_min > lr)
        return orr_fail(ORR_ERR_OPTION, "schedule cosine: lr_min %g is above the learning rate %g",
                        o->lr_min, lr);
    return ORR_OK;
}

static double cosine(const orr_schedule *s, double step)
{
    double warmup = (double)s->opts.warmup;

    if (step < warmup) return s->lr * (step + 1) / (warmup + 1);
    return cos_anneal(s->lr, s->opts.lr_min, (step - warmup) / ((double)s->steps - warmup));
}

/* ---- plateau ---- */
static orr_status check_plateau(const orr_schedule_opts *o, double lr, int64_t steps)
{
    (void)lr;
    (void)steps;
    if (o->factor < 1 && o->patience >= 0) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION,
                    "schedule plateau: factor %g must be below 1, patience %d at least 0",
                    o->factor, o->patience);
}

static double plateau(const orr_schedule *s, double step)
{
    (void)step;
    return s->state.lr;
}

static void plateau_epoch_end(orr_schedule *s, double metric)
{
    orr_schedule_state *t = &s->state;
    const orr_schedule_opts *o = &s->opts;

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

static const orr_schedule_kind kinds[] = {
    { .name = "constant", .help = "the rate stays as it is", .lr = constant },
    { .name = "onecycle",
      .help = "up to the rate and down to nothing, along cosines, over all steps",
      .by_step = 1,
      .check = check_onecycle,
      .lr = onecycle },
    { .name = "cosine",
      .help = "linear warm-up, then down along half a cosine",
      .by_step = 1,
      .check = check_cosine,
      .lr = cosine },
    { .name = "plateau",
      .help = "down by a factor when the watched metric does not get better",
      .check = check_plateau,
      .lr = plateau,
      .epoch_end = plateau_epoch_end },
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

const char *orr_schedule_name(int i)
{
    return i < N_KINDS ? kinds[i].name : NULL;
}

int orr_schedule_kind_help(int i, orr_kind_help *out)
{
    if (i >= N_KINDS) return 0;
    *out = (orr_kind_help){ kinds[i].name, kinds[i].help, NULL };
    return 1;
}

static const orr_schedule_kind *find_kind(const char *name)
{
    for (int i = 0; i < N_KINDS; i++)
        if (strcmp(name, kinds[i].name) == 0) return &kinds[i];
    return NULL;
}

static orr_status check(const orr_schedule_opts *o, const orr_schedule_kind *k, double lr,
                        int64_t steps)
{
    const double numbers[] = { o->pct, o->div, o->final_div, o->lr_min, o->factor, o->threshold };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!isfinite(numbers[i]) || numbers[i] < 0)
            return orr_fail(ORR_ERR_OPTION, "schedule %s: an option is %g, give numbers from 0 up",
                            o->kind, numbers[i]);
    }
    if (!isfinite(lr) || lr < 0)
        return orr_fail(ORR_ERR_OPTION, "learning rate %g: give a number from 0 up", lr);
    if (steps < 1 && k->by_step)
        return orr_fail(ORR_ERR_OPTION, "schedule %s over %lld steps: there must be one", o->kind,
                        (long long)steps);
    return k->check ? k->check(o, lr, steps) : ORR_OK;
}

orr_status orr_schedule_init(orr_schedule *s, const orr_schedule_opts *o, double lr,
                             int64_t total_steps, int maximise)
{
    const orr_schedule_kind *kind = find_kind(o->kind);

    *s = (orr_schedule){ 0 };
    if (!kind) return orr_fail(ORR_ERR_OPTION, "no schedule is called \"%s\"", o->kind);
    ORR_TRY(check(o, kind, lr, total_steps));
    *s = (orr_schedule){
        .kind = kind, .opts = *o, .lr = lr, .steps = total_steps, .maximise = maximise
    };
    s->opts.kind = kind->name; /* lives as long as the program, unlike the job file's word */
    s->state.lr = lr;
    s->state.best = maximise ? -INFINITY : INFINITY;
    return ORR_OK;
}

double orr_schedule_lr(const orr_schedule *s, int64_t step)
{
    if (s->kind->by_step && step >= s->steps) step = s->steps - 1;
    return s->kind->lr(s, (double)step);
}

void orr_schedule_epoch_end(orr_schedule *s, double metric)
{
    if (s->kind->epoch_end) s->kind->epoch_end(s, metric);
}
