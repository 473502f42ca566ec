/* core/progress.c - the progress line of a phase. */
#include "core/progress.h"
#include "core/memory.h"
#include "core/threads.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WORD_BYTES = 64, LINE_BYTES = 512 };
static const double REDRAW = 0.1, INTERVAL = 10; /* seconds: on a terminal, elsewhere */

struct orr_progress {
    char phase[WORD_BYTES], unit[WORD_BYTES];
    int64_t total, done;
    double begun, shown;
    int terminal;
};

orr_status orr_progress_create(orr_progress **out, const char *phase, const char *unit,
                               int64_t total)
{
    orr_progress *p = orr_alloc(1, sizeof *p);

    *out = NULL;
    if (!p) return orr_fail(ORR_ERR_NOMEM, "out of memory for the progress of %s", phase);
    snprintf(p->phase, sizeof p->phase, "%s", phase);
    snprintf(p->unit, sizeof p->unit, "%s", unit);
    p->total = total > 0 ? total : 0;
    p->terminal = isatty(STDERR_FILENO);
    p->begun = orr_now();
    p->shown = p->terminal ? p->begun - REDRAW : p->begun;
    *out = p;
    return ORR_OK;
}

/* printf at the end of a line; what does not fit is cut. */
static void add(char line[LINE_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(char line[LINE_BYTES], const char *format, ...)
{
    size_t n = strlen(line);
    va_list ap;

    va_start(ap, format);
    vsnprintf(line + n, LINE_BYTES - n, format, ap);
    va_end(ap);
}

static void add_duration(char line[LINE_BYTES], double seconds)
{
    double s = seconds < 1e9 ? seconds : 1e9; /* 30 years: also what a rate near 0 gives */
    long long whole = (long long)(s + 0.5);

    if (whole < 10)
        add(line, "%.1f s", s);
    else if (whole < 60)
        add(line, "%lld s", whole);
    else if (whole < 3600)
        add(line, "%lld min %lld s", whole / 60, whole % 60);
    else
        add(line, "%lld h %lld min", whole / 3600, whole / 60 % 60);
}

/* "train: 1200/5000 samples" */
static void add_count(char line[LINE_BYTES], const orr_progress *p)
{
    add(line, "%s: %lld", p->phase, (long long)p->done);
    if (p->total) add(line, "/%lld", (long long)p->total);
    add(line, " %s", p->unit);
}

static void add_rate(char line[LINE_BYTES], double rate)
{
    add(line, rate < 100 ? ", %.1f/s" : ", %.0f/s", rate);
}

/* Writes a line; on a terminal over the one before it, cut to the width, without a newline unless
 * it is the last. */
static void show(const orr_progress *p, char line[LINE_BYTES], int last)
{
    char whole[LINE_BYTES + 16];
    struct winsize w;
    ssize_t done;
    int n;

    if (p->terminal) {
        int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col - 1 : 79;

        if (!last && strlen(line) > (size_t)width) line[width] = '\0';
        n = snprintf(whole, sizeof whole, "\r%s\033[K%s", line, last ? "\n" : "");
    } else {
        n = snprintf(whole, sizeof whole, "%s\n", line);
    }
    do
        done = write(STDERR_FILENO, whole, (size_t)n);
    while (done < 0 && errno == EINTR);
}

void orr_progress_update(orr_progress *p, int64_t done, const char *note)
{
    char line[LINE_BYTES] = "";
    double now, rate;

    if (!p) return;
    p->done = done;
    now = orr_now();
    if (now - p->shown < (p->terminal ? REDRAW : INTERVAL)) return;
    p->shown = now;
    rate = now > p->begun ? (double)done / (now - p->begun) : 0;
    add_count(line, p);
    if (p->total) add(line, ", %d%%", (int)(100.0 * (double)done / (double)p->total));
    if (rate > 0) add_rate(line, rate);
    if (rate > 0 && p->total) {
        add(line, ", ");
        add_duration(line, done < p->total ? (double)(p->total - done) / rate : 0);
        add(line, " left");
    }
    if (note && *note) add(line, ", %s", note);
    show(p, line, 0);
}

void orr_progress_end(orr_progress *p, const char *note)
{
    char line[LINE_BYTES] = "";
    double took;

    if (!p) return;
    took = orr_now() - p->begun;
    add_count(line, p);
    add(line, " in ");
    add_duration(line, took);
    if (took > 0 && p->done > 0) add_rate(line, (double)p->done / took);
    if (note && *note) add(line, ", %s", note);
    show(p, line, 1);
    orr_free(p);
}
