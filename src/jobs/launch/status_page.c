/* jobs/launch/status_page.c - what was found of a run, as a page of text. */
#include "core/json.h"
#include "jobs/context/run_status.h"
#include "jobs/launch/status_view.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BAR = 30, RANKS_SHOWN = 16, TASKS_SHOWN = 12 };

static const char *span(double seconds, char *buf, size_t bytes)
{
    long long s = seconds > 0 ? (long long)(seconds + 0.5) : 0;

    if (s < 90)
        snprintf(buf, bytes, "%lld s", s);
    else if (s < 5400)
        snprintf(buf, bytes, "%lld min %lld s", s / 60, s % 60);
    else if (s < 48 * 3600)
        snprintf(buf, bytes, "%lld h %lld min", s / 3600, s / 60 % 60);
    else
        snprintf(buf, bytes, "%lld d %lld h", s / 86400, s / 3600 % 24);
    return buf;
}

static void page_head(const orr_found *f, orr_text *t)
{
    const cJSON *o = f->json;
    int64_t size = orr_status_count(o, "size"), code = orr_status_count(o, "exit_code"),
            pid = orr_status_count(o, "pid");
    double written = orr_status_age(o, "updated");
    char buf[32];

    orr_text_printf(t, "%s: %s, %s", f->path, orr_json_text(o, "command", "?"), f->state);
    if (code >= 0) orr_text_printf(t, " with code %lld", (long long)code);
    if (size >= 0) orr_text_printf(t, "; %lld rank%s", (long long)size, size == 1 ? "" : "s");
    if (pid >= 0)
        orr_text_printf(t, "%s rank 0 %s process %lld on %s", size >= 0 ? "," : ";",
                        code >= 0 || f->stale ? "was" : "is", (long long)pid,
                        orr_json_text(o, "host", "?"));
    orr_text_printf(t, "\n  started %s, last written ", orr_json_text(o, "started", "?"));
    if (isnan(written))
        orr_text_add(t, "at an unknown time\n");
    else if (written < -ORR_STATUS_AHEAD)
        orr_text_printf(t, "at %s\n", orr_json_text(o, "updated", "?"));
    else
        orr_text_printf(t, "%s ago\n", span(written, buf, sizeof buf));
    if (f->sentence[0]) orr_text_printf(t, "  %s\n", f->sentence);
    if (orr_json_text(o, "sentence", "")[0])
        orr_text_printf(t, "  %s\n", orr_json_text(o, "sentence", ""));
}

/* What the file says of speed is of the time when it was written. */
static void page_rate(const orr_found *f, orr_text *t)
{
    double rate = orr_json_get(f->json, "per_second", -1),
           left = orr_json_get(f->json, "seconds_left", -1);
    char buf[32];

    if (f->stale || strcmp(f->state, "running") != 0 || (rate < 0 && left < 0)) return;
    orr_text_add(t, " ");
    if (rate >= 0) orr_text_printf(t, " %.4g %s a second", rate, orr_json_text(f->json, "of", ""));
    if (left >= 0)
        orr_text_printf(t, "%s about %s left", rate >= 0 ? "," : "", span(left, buf, sizeof buf));
    orr_text_add(t, "\n");
}

static void page_progress(const orr_found *f, orr_text *t)
{
    const cJSON *o = f->json;
    int64_t done = orr_status_count(o, "done"), total = orr_status_count(o, "total"),
            epoch = orr_status_count(o, "epoch"), epochs = orr_status_count(o, "epochs");
    const char *comma = "";
    char buf[32];

    orr_text_add(t, "  ");
    if (done < 0 && total > 0) done = 0;
    if (done >= 0 && total > 0) {
        int64_t most = done < total ? done : total;
        int filled = (int)((double)BAR * (double)most / (double)total);
        comma = ", ";
        orr_text_printf(t, "[%.*s%.*s] %3.0f%%  %lld of %lld %s", filled,
                        "##############################", BAR - filled,
                        "..............................",
                        floor(100.0 * (double)most / (double)total), (long long)done,
                        (long long)total, orr_json_text(o, "unit", ""));
    } else if (done >= 0) {
        orr_text_printf(t, "%lld %s", (long long)done, orr_json_text(o, "unit", ""));
        comma = ", ";
    }
    if (epoch > 0) {
        orr_text_printf(t, "%sepoch %lld", comma, (long long)epoch);
        if (epochs > 0) orr_text_printf(t, " of %lld", (long long)epochs);
        comma = ", ";
    }
    orr_text_printf(t, "%sphase: %s", *comma ? "; " : "", orr_json_text(o, "phase", "?"));
    if (!f->stale && strcmp(f->state, "running") == 0 &&
        orr_status_age(o, "phase_since") >= -ORR_STATUS_AHEAD)
        orr_text_printf(t, " on rank %lld, for %s", (long long)orr_status_count(o, "phase_rank"),
                        span(orr_status_age(o, "phase_since"), buf, sizeof buf));
    orr_text_add(t, "\n");
}

static void page_training(const cJSON *o, orr_text *t)
{
    const cJSON *best = cJSON_GetObjectItemCaseSensitive(o, "best"),
                *saved = cJSON_GetObjectItemCaseSensitive(o, "checkpoint");
    double loss = orr_json_get(o, "loss", NAN), value = orr_json_get(best, "value", NAN);
    char buf[32];

    if (isfinite(loss)) orr_text_printf(t, "  loss %.5g (of the last batch)", loss);
    if (isfinite(value)) {
        orr_text_printf(t, "%sbest %s %.5g", isfinite(loss) ? "; " : "  ",
                        orr_json_text(best, "metric", "?"), value);
        if (orr_status_count(best, "epoch") >= 0)
            orr_text_printf(t, ", epoch %lld", (long long)orr_status_count(best, "epoch"));
    }
    if (isfinite(loss) || isfinite(value)) orr_text_add(t, "\n");
    if (orr_status_count(saved, "step") >= 0) {
        orr_text_printf(t, "  last checkpoint: step %lld",
                        (long long)orr_status_count(saved, "step"));
        if (orr_status_age(saved, "time") >= -ORR_STATUS_AHEAD)
            orr_text_printf(t, ", %s ago", span(orr_status_age(saved, "time"), buf, sizeof buf));
        orr_text_add(t, "\n");
    } else if (strcmp(orr_json_text(o, "command", ""), "train") == 0)
        orr_text_add(t, "  no checkpoint yet\n");
}

static double busy(const cJSON *rank)
{
    return orr_json_get(rank, "compute", 0) + orr_json_get(rank, "input", 0);
}

/* How busy the last of those is that are shown, of many ranks the busiest; and how many as busy as
 * that there is room for. */
static double least_shown(const cJSON *ranks, int *room)
{
    double top[RANKS_SHOWN], b;
    const cJSON *r;
    int n = 0, at;

    cJSON_ArrayForEach (r, ranks) {
        b = busy(r);
        if (n == RANKS_SHOWN && b <= top[n - 1]) continue;
        if (n < RANKS_SHOWN) n++;
        for (at = n - 1; at > 0 && top[at - 1] < b; at--)
            top[at] = top[at - 1];
        top[at] = b;
    }
    *room = 0;
    for (at = 0; at < n; at++)
        *room += top[at] == top[n - 1];
    return n ? top[n - 1] : 0;
}

static void put_ms(orr_text *t, const cJSON *rank, const char *key)
{
    double v = orr_json_get(rank, key, NAN);

    if (isfinite(v))
        orr_text_printf(t, " %10.3f", 1e3 * v);
    else
        orr_text_printf(t, " %10s", "?");
}

static void page_ranks(const cJSON *o, orr_text *t)
{
    const cJSON *ranks = cJSON_GetObjectItemCaseSensitive(o, "ranks"), *r,
                *slow = cJSON_GetObjectItemCaseSensitive(o, "straggler");
    int n = cJSON_IsArray(ranks) ? cJSON_GetArraySize(ranks) : 0, room;
    double least = least_shown(ranks, &room);

    if (n == 0) return;
    orr_text_printf(t, "  milliseconds a step%s\n  %6s  %-20s %10s %10s %10s\n",
                    n > RANKS_SHOWN ? ", of the busiest ranks" : "", "rank", "host", "compute",
                    "wait", "input");
    cJSON_ArrayForEach (r, ranks) {
        if (!cJSON_IsObject(r) || busy(r) < least || (busy(r) == least && room-- <= 0)) continue;
        orr_text_printf(t, "  %6lld  %-20s", (long long)orr_status_count(r, "rank"),
                        orr_json_text(r, "host", "?"));
        put_ms(t, r, "compute");
        put_ms(t, r, "wait");
        put_ms(t, r, "input");
        if (cJSON_IsObject(slow) && orr_status_count(slow, "rank") == orr_status_count(r, "rank"))
            orr_text_printf(t, "   slow: the others wait for its %s",
                            orr_json_text(slow, "cause", "?"));
        orr_text_add(t, "\n");
    }
}

static void page_faults(const cJSON *o, orr_text *t)
{
    static const struct {
        const char *key, *words;
    } rows[] = { { "skipped_steps", "steps skipped, not finite" },
                 { "recomputed_steps", "steps computed again" },
                 { "retries", "tries beyond the first" },
                 { "failed", "failed" },
                 { "missing", "missing" },
                 { "quarantined", "set aside" } };
    const cJSON *faults = cJSON_GetObjectItemCaseSensitive(o, "faults"), *e,
                *earlier = cJSON_GetObjectItemCaseSensitive(o, "earlier");
    int n = 0;

    orr_text_add(t, "  faults so far:");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (orr_status_count(faults, rows[i].key) > 0)
            orr_text_printf(t, "%s %lld %s", n++ ? "," : "",
                            (long long)orr_status_count(faults, rows[i].key), rows[i].words);
    orr_text_add(t, n ? "\n" : " none\n");
    if (cJSON_GetArraySize(earlier) > 0)
        orr_text_printf(t, "  this is start %lld; before:\n",
                        (long long)orr_status_count(o, "starts"));
    cJSON_ArrayForEach (e, earlier) {
        const char *state = orr_json_text(e, "state", "?");
        orr_text_printf(t, "    %s to %s: %s", orr_json_text(e, "started", "?"),
                        orr_json_text(e, "updated", "?"),
                        strcmp(state, "running") == 0 ? "was killed" : state);
        if (orr_status_count(e, "done") >= 0)
            orr_text_printf(t, " at %lld", (long long)orr_status_count(e, "done"));
        if (orr_json_text(e, "sentence", "")[0])
            orr_text_printf(t, ": %s", orr_json_text(e, "sentence", ""));
        orr_text_add(t, "\n");
    }
}

static void page_tasks(const cJSON *tasks, orr_text *t)
{
    const cJSON *e;
    int shown = 0;

    if (!tasks) return;
    orr_text_printf(t, "  trainings: %lld done, %lld under way",
                    (long long)orr_status_count(tasks, "done"),
                    (long long)orr_status_count(tasks, "under way"));
    if (orr_status_count(tasks, "left") >= 0)
        orr_text_printf(t, ", %lld left", (long long)orr_status_count(tasks, "left"));
    if (orr_status_count(tasks, "failed") > 0)
        orr_text_printf(t, " (%lld of them failed)", (long long)orr_status_count(tasks, "failed"));
    orr_text_add(t, "\n");
    cJSON_ArrayForEach (e, cJSON_GetObjectItemCaseSensitive(tasks, "tasks")) {
        const char *state = orr_json_text(e, "state", "");
        if (strcmp(state, orr_task_states[ORR_TASK_DONE]) == 0 || shown++ >= TASKS_SHOWN) continue;
        orr_text_printf(t, "    %-32s %s", orr_json_text(e, "name", "?"), state);
        if (orr_status_count(e, "done") >= 0 && orr_status_count(e, "total") >= 0)
            orr_text_printf(t, ", step %lld of %lld", (long long)orr_status_count(e, "done"),
                            (long long)orr_status_count(e, "total"));
        if (orr_json_text(e, "sentence", "")[0])
            orr_text_printf(t, ": %s", orr_json_text(e, "sentence", ""));
        orr_text_add(t, "\n");
    }
    if (shown > TASKS_SHOWN) orr_text_printf(t, "    and %d more\n", shown - TASKS_SHOWN);
}

/* launch.json: its times are seconds since 1970. */
static void page_launch(const orr_view *v, orr_text *t)
{
    const cJSON *o = v->launch, *e;
    double written;
    char buf[32];

    if (!o) return;
    written = (double)time(NULL) - orr_json_get(o, "updated", NAN);
    if (v->n == 0)
        orr_text_printf(t, "%s: %s; no rank has left a status yet\n", v->folder,
                        orr_json_text(o, "command", "?"));
    orr_text_printf(t, "  launch: %s", orr_json_text(o, "state", "?"));
    if (orr_status_count(o, "restarts") >= 0)
        orr_text_printf(t, ", %lld restart%s", (long long)orr_status_count(o, "restarts"),
                        orr_status_count(o, "restarts") == 1 ? "" : "s");
    if (strcmp(orr_json_text(o, "state", ""), "ended") != 0 && orr_status_is_gone(o))
        orr_text_add(t, "; it is gone without a last word");
    else if (written > ORR_STATUS_OLD && strcmp(orr_json_text(o, "state", ""), "ended") != 0)
        orr_text_printf(t, "; it has not written for %s: it is gone, stopped or cut off",
                        span(written, buf, sizeof buf));
    orr_text_add(t, "\n");
    cJSON_ArrayForEach (e, cJSON_GetObjectItemCaseSensitive(o, "faults")) {
        time_t when = (time_t)orr_status_count(e, "when");
        struct tm utc;
        orr_text_add(t, "    ");
        if (when >= 0 && gmtime_r(&when, &utc) && strftime(buf, sizeof buf, "%FT%TZ", &utc) > 0)
            orr_text_printf(t, "%s: ", buf);
        orr_text_printf(t, "%s\n", orr_json_text(e, "what", "?"));
    }
}

void orr_view_page(const orr_view *v, const cJSON *tasks, orr_text *t)
{
    for (int i = 0; i < v->n; i++) {
        page_head(&v->files[i], t);
        page_progress(&v->files[i], t);
        page_rate(&v->files[i], t);
        page_training(v->files[i].json, t);
        page_ranks(v->files[i].json, t);
        page_faults(v->files[i].json, t);
    }
    page_tasks(tasks, t);
    page_launch(v, t);
    for (char *c = t->s; c && *c; c++) /* whoever wrote the file: a terminal is not to obey it */
        if (iscntrl((unsigned char)*c) && *c != '\n') *c = '?';
}
