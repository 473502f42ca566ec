/* jobs/survey/fetch_report.c - what became of all frames, in one table. */
#include "core/memory.h"
#include "jobs/context/phase.h"
#include "jobs/survey/fetch.h"

#include <stdio.h>
#include <string.h>

static void add_reason(orr_fetch *f, const char *kind, int64_t frames)
{
    int i = 0;

    while (i < f->n_reasons && strcmp(f->reasons[i].kind, kind) != 0)
        i++;
    if (i == ORR_FETCH_REASONS) {
        i--; /* the last one stands for all others */
        snprintf(f->reasons[i].kind, sizeof f->reasons[i].kind, "other reasons");
    } else if (i == f->n_reasons) {
        snprintf(f->reasons[i].kind, sizeof f->reasons[i].kind, "%s", kind);
        f->n_reasons++;
    }
    f->reasons[i].frames += frames;
}

void orr_fetch_reason_add(orr_fetch *f, const char *reason)
{
    char kind[sizeof f->reasons[0].kind];
    size_t n = strcspn(reason, ":");

    if (n >= sizeof kind) n = sizeof kind - 1;
    memcpy(kind, reason, n);
    kind[n] = '\0';
    add_reason(f, kind, 1);
}

/* Every rank's reasons, on rank 0. */
static orr_status gather_reasons(orr_fetch *f)
{
    int size = f->context->size, root = f->context->rank == 0;
    size_t mine = sizeof f->reasons;
    orr_fetch_reason *all = orr_alloc((size_t)size, mine);
    size_t *bytes = orr_alloc((size_t)size, sizeof *bytes);
    orr_status st;

    ORR_TRY_GOTO(st, done,
                 orr_phase(f->context, NULL,
                           all && bytes ? ORR_OK
                                        : orr_fail(ORR_ERR_NOMEM,
                                                   "out of memory: report of %d ranks", size)));
    for (int r = 0; r < size; r++)
        bytes[r] = mine;
    ORR_TRY_GOTO(st, done,
                 orr_comm_gather(f->context->world, f->reasons, root ? all : NULL, bytes, 0));
    for (int i = ORR_FETCH_REASONS; root && i < size * ORR_FETCH_REASONS; i++)
        if (all[i].frames > 0) add_reason(f, all[i].kind, all[i].frames);
done:
    orr_free(all);
    orr_free(bytes);
    return st;
}

static void print_table(const orr_fetch *f)
{
    const int64_t *n = f->counts;
    double mib = (double)n[ORR_FETCH_BYTES] / 1048576,
           resumed = (double)n[ORR_FETCH_RESUMED] / 1048576, now = mib - resumed;
    int64_t done = n[ORR_FETCH_THERE] + n[ORR_FETCH_FETCHED];
    int64_t left = f->n_tasks - n[ORR_FETCH_THERE] - n[ORR_FETCH_FETCHED] - n[ORR_FETCH_MISSING] -
                   n[ORR_FETCH_FAILED];

    orr_context_print(f->context, "%s: %lld frames\n", f->folder, (long long)f->n_tasks);
    orr_context_print(f->context, "  done     %8lld  (%lld were there, %lld fetched now)\n",
                      (long long)done, (long long)n[ORR_FETCH_THERE],
                      (long long)n[ORR_FETCH_FETCHED]);
    orr_context_print(f->context, "  missing  %8lld\n  failed   %8lld\n",
                      (long long)n[ORR_FETCH_MISSING], (long long)n[ORR_FETCH_FAILED]);
    if (left > 0) orr_context_print(f->context, "  left     %8lld\n", (long long)left);
    if (n[ORR_FETCH_DAMAGED] > 0)
        orr_context_print(f->context, "  damaged  %8lld  (removed by check, and asked for again)\n",
                          (long long)n[ORR_FETCH_DAMAGED]);
    orr_context_print(f->context,
                      "  %.1f MiB in %lld tries, %.1f s, %.1f MiB/s; %.1f MiB more were resumed\n",
                      now, (long long)n[ORR_FETCH_TRIES], f->seconds,
                      f->seconds > 0 ? now / f->seconds : 0.0, resumed);
    for (int i = 0; i < f->n_reasons; i++)
        orr_context_print(f->context, "  %6lld  %s\n", (long long)f->reasons[i].frames,
                          f->reasons[i].kind);
    orr_context_print(f->context, "  %s%smanifest.csv tells of each frame\n", f->folder,
                      f->folder[strlen(f->folder) - 1] == '/' ? "" : "/");
}

orr_status orr_fetch_report(orr_fetch *f)
{
    ORR_TRY(orr_comm_allreduce(f->context->world, f->counts, ORR_FETCH_COUNTS, ORR_I64, ORR_SUM));
    ORR_TRY(orr_comm_allreduce(f->context->world, &f->seconds, 1, ORR_F64, ORR_MAX));
    ORR_TRY(gather_reasons(f));
    print_table(f);
    return ORR_OK;
}
