/* jobs/train/lr_range_report.c - the keys of a sweep, and what is said of one: a plot, JSON. */
#include "core/file.h"
#include "core/json.h"
#include "jobs/context/phase.h"
#include "jobs/train/cautions.h"
#include "jobs/train/lr_range.h"
#include "jobs/train/warm_start.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const orr_option orr_lr_range_options[] = {
    ORR_OPTION_REAL(orr_lr_range_opts, from, "1e-7", 1e-30, 1e30, "first rate"),
    ORR_OPTION_REAL(orr_lr_range_opts, to, "10", 1e-30, 1e30, "last rate"),
    ORR_OPTION_INT(orr_lr_range_opts, steps, "100", 2, 100000,
                   "rates between them, equally far apart in their logarithm; one training step "
                   "each"),
    ORR_OPTION_REAL(orr_lr_range_opts, smoothing, "0.9", 0, 0.9999,
                    "weight of the losses before in the running mean; 0 = losses as they are"),
    ORR_OPTION_REAL(orr_lr_range_opts, stop, "4", 0, 1e30,
                    "the sweep ends when the smoothed loss is above this many times its lowest; 0 "
                    "= at no height"),
    ORR_OPTION_INT(orr_lr_range_opts, skip, "-1", -1, 100000,
                   "first rates, whose mean is of few losses: nothing is concluded from them; -1 = "
                   "a tenth of steps"),
    ORR_OPTION_CHOICE(orr_lr_range_opts, format, "plot", "plot|json", "what standard output gets"),
    ORR_OPTION_STRING(orr_lr_range_opts, out, "", "also write the JSON to this file"),
    ORR_OPTION_BOOL(orr_lr_range_opts, overwrite, "false", "replace out when it exists"),
    ORR_OPTION_END,
};

orr_status orr_lr_range_read(orr_lr_range_opts *o, const orr_config *c)
{
    ORR_TRY(orr_options_read(o, orr_lr_range_options, orr_config_root(c), ""));
    if (!(o->from < o->to))
        return orr_fail(ORR_ERR_OPTION, "from=%g is not below to=%g: the rates grow", o->from,
                        o->to);
    if (o->stop > 0 && o->stop < 1)
        return orr_fail(ORR_ERR_OPTION, "stop=%g: give 1 or more, or 0 to stop at no height",
                        o->stop);
    if (o->skip >= o->steps)
        return orr_fail(ORR_ERR_OPTION, "skip=%d leaves nothing of steps=%d", o->skip, o->steps);
    return ORR_OK;
}

/* A sweep is long: better to know before it that its result has no place. */
orr_status orr_lr_range_check_out(const orr_lr_range_opts *o)
{
    char dir[ORR_PATH_MAX];

    if (o->out[0] == '\0') return ORR_OK;
    if (!o->overwrite && orr_path_exists(o->out))
        return orr_fail(ORR_ERR_EXISTS, "%s exists; remove it or say overwrite=true", o->out);
    ORR_TRY(orr_path_dir(dir, o->out));
    if (!orr_path_is_dir(dir) || orr_path_is_dir(o->out))
        return orr_fail(ORR_ERR_IO, "out=%s: %s", o->out,
                        orr_path_is_dir(dir) ? "that is a folder" : "its folder does not exist");
    return ORR_OK;
}

/* ---- the result ---- */
static void add_list(cJSON *o, const char *key, const double *v, int n)
{
    cJSON *list = cJSON_AddArrayToObject(o, key);

    for (int i = 0; i < n; i++)
        cJSON_AddItemToArray(list, isfinite(v[i]) ? cJSON_CreateNumber(v[i]) : cJSON_CreateNull());
}

static cJSON *json_of(const orr_lr_range *r, const orr_lr_range_opts *o, const orr_training *t)
{
    static const char *const ends[] = { "complete", "diverged", "nonfinite" };
    const orr_train_opts *train = &t->job->train;
    cJSON *top = cJSON_CreateObject(), *lowest;

    cJSON_AddStringToObject(top, "orrery", ORRERY_VERSION);
    orr_json_put(top, "suggestion", r->suggested >= 0 ? r->rates[r->suggested] : NAN);
    if (r->suggested < 0) cJSON_AddStringToObject(top, "no_suggestion", r->reason);
    lowest = cJSON_AddObjectToObject(top, "minimum");
    orr_json_put(lowest, "rate", r->lowest >= 0 ? r->rates[r->lowest] : NAN);
    orr_json_put(lowest, "smoothed", r->lowest >= 0 ? r->smoothed[r->lowest] : NAN);
    orr_json_put(lowest, "rate_tenth", r->lowest >= 0 ? r->rates[r->lowest] / 10 : NAN);
    cJSON_AddStringToObject(top, "ended", ends[r->end]);
    orr_json_put_lines(top, "cautions", t->cautions.s);
    orr_json_put(top, "from", o->from);
    orr_json_put(top, "to", o->to);
    orr_json_put(top, "steps", o->steps);
    orr_json_put(top, "smoothing", o->smoothing);
    orr_json_put(top, "stop", o->stop);
    orr_json_put(top, "skip", r->skip);
    orr_json_put(top, "fall", r->fall);
    orr_json_put(top, "noise", r->noise);
    orr_json_put(top, "batch", (double)train->batch);
    orr_json_put(top, "seed", (double)train->seed);
    orr_json_put(top, "steps_per_epoch", (double)t->steps_per_epoch);
    add_list(top, "rates", r->rates, r->n);
    add_list(top, "losses", r->loss, r->n);
    add_list(top, "smoothed", r->smoothed, r->n);
    cJSON_AddStringToObject(top, "training_data", t->parts->identity);
    orr_json_put(top, "training_samples", (double)t->parts->part[ORR_TRAIN].n);
    cJSON_AddStringToObject(top, "job", t->job_text.s);
    return top;
}

/* Smoothed loss against the logarithm of the rate, for the eye, from the first rate that is judged;
 * what lies far above the losses before the lowest is drawn on the top line. */
static void plot(const orr_lr_range *r, orr_text *out)
{
    enum { ROWS = 12, COLUMNS = 60 };
    char grid[ROWS][COLUMNS], under[COLUMNS], last[24];
    const double *y = r->smoothed + r->skip, *rates = r->rates + r->skip;
    int n = r->n_smoothed - r->skip, steps = n > 1 ? n - 1 : 1;
    double low = r->smoothed[r->lowest], high = low, top = low;

    for (int i = 0; i < n; i++) {
        top = fmax(top, y[i]);
        if (i <= r->lowest - r->skip) high = top;
    }
    top = fmin(top, high + 0.5 * (high - low));
    if (!(top > low)) top = low + fmax(fabs(low), 1e-30);
    memset(grid, ' ', sizeof grid);
    memset(under, ' ', sizeof under);
    for (int c = 0; c < COLUMNS; c++) {
        int i = (int)((double)c * steps / (COLUMNS - 1) + 0.5) % n;
        grid[(int)(fmax((top - y[i]) / (top - low), 0) * (ROWS - 1) + 0.5)][c] = '*';
    }
    if (r->suggested >= 0)
        under[(int)((double)(r->suggested - r->skip) * (COLUMNS - 1) / steps + 0.5)] = '^';
    snprintf(last, sizeof last, "%.2g", rates[n - 1]);
    orr_text_add(out, "smoothed loss against learning rate\n");
    for (int i = 0; i < ROWS; i++) {
        if (i % (ROWS - 1) == 0)
            orr_text_printf(out, "%10.4g |%.*s\n", i ? low : top, COLUMNS, grid[i]);
        else
            orr_text_printf(out, "%10s |%.*s\n", "", COLUMNS, grid[i]);
    }
    orr_text_printf(out, "%10s +------------------------------------------------------------\n",
                    "");
    orr_text_printf(out, "%10s  %.*s\n%10s  %-*.2g%s\n", "", COLUMNS, under, "",
                    COLUMNS - (int)strlen(last), rates[0], last);
}

/* Why it ended, the lowest loss, and last the line that counts. */
static void describe(const orr_lr_range *r, const orr_lr_range_opts *o, orr_text *out)
{
    double last = r->rates[r->n - 1];

    if (r->lowest >= 0) plot(r, out);
    if (r->end == ORR_SWEEP_COMPLETE)
        orr_text_printf(out, "all %d rates tried%s\n", r->n,
                        r->lowest == r->n - 1 ? "; the loss was still falling: try a larger to"
                                              : "");
    else if (r->end == ORR_SWEEP_DIVERGED)
        orr_text_printf(out, "ended at lr %.3g, rate %d of %d: loss above %g times its lowest\n",
                        last, r->n, o->steps, o->stop);
    else
        orr_text_printf(out, "ended at lr %.3g, rate %d of %d: loss or gradient not finite\n", last,
                        r->n, o->steps);
    if (r->lowest >= 0)
        orr_text_printf(out, "lowest smoothed loss %.4g at lr %.3g; a tenth of that: %.3g\n",
                        r->smoothed[r->lowest], r->rates[r->lowest], r->rates[r->lowest] / 10);
    if (r->suggested >= 0)
        orr_text_printf(out, "suggestion: train.lr=%.3g (where the loss falls fastest)\n",
                        r->rates[r->suggested]);
    else
        orr_text_printf(out, "no suggestion: %s\n", r->reason);
}

/* On rank 0. */
static orr_status output(const orr_lr_range *r, const orr_lr_range_opts *o, const orr_training *t)
{
    orr_text said = ORR_TEXT_INIT;
    cJSON *json = json_of(r, o, t);
    char *text = cJSON_Print(json);
    orr_status st = text ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: result");

    describe(r, o, &said);
    if (st == ORR_OK) st = orr_text_status(&said);
    if (st == ORR_OK && o->out[0]) st = orr_write_file(o->out, text, strlen(text));
    if (st == ORR_OK && strcmp(o->format, "json") == 0)
        orr_context_print(t->context, "%s\n", text);
    else if (st == ORR_OK)
        orr_context_print(t->context, "%s", said.s);
    orr_text_free(&said);
    cJSON_free(text);
    cJSON_Delete(json);
    return st;
}

orr_status orr_lr_range_test(orr_context *context, const orr_train_job *job,
                             const orr_lr_range_opts *o)
{
    orr_splits parts = { 0 };
    orr_training t = { 0 };
    orr_lr_range r = { 0 };
    cJSON *weights = NULL;
    orr_status st;

    ORR_TRY_GOTO(st, done, orr_splits_open(&parts, context, &job->data));
    ORR_TRY_GOTO(st, done, orr_training_open(&t, context, job, &parts));
    if (job->model.weights[0]) ORR_TRY_GOTO(st, done, orr_warm_start(&t, &weights));
    orr_cautions_say(&t.cautions, "lr-range");
    ORR_TRY_GOTO(st, done, orr_lr_range_run(&r, &t, o));
    st = orr_phase_root(context, NULL, output(&r, o, &t));
done:
    cJSON_Delete(weights);
    orr_lr_range_free(&r);
    orr_training_close(&t);
    orr_splits_close(&parts);
    return st;
}
