/* jobs/train/replicas.c - one digest a rank, compared by all; and no number that is none. */
#include "jobs/train/replicas.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/text.h"
#include "jobs/context/phase.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct replica {
    char host[64], digest[ORR_SHA256_HEX];
} replica;

enum { WINDOW = 1 << 18 /* numbers of a slab looked at together */ };

/* Slabs of the net (ORR_SLAB_PARAMS, ORR_SLAB_STATE) and, from 0 on, of the optimiser. */
typedef struct weights {
    const orr_net *net;
    const orr_optimiser *optimiser;
    orr_real *window;
} weights;

typedef orr_status look(void *ctx, const orr_real *x, size_t n);

/* Shows a slab, a window at a time. */
static orr_status visit(const weights *w, int slab, look *see, void *ctx)
{
    size_t n = slab == ORR_SLAB_STATE ? orr_net_state_count(w->net) : orr_net_param_count(w->net);

    for (size_t first = 0; first < n; first += WINDOW) {
        size_t here = n - first < WINDOW ? n - first : WINDOW;
        ORR_TRY(slab < 0 ? orr_net_read(w->net, slab, first, here, w->window)
                         : orr_optimiser_read(w->optimiser, slab, first, here, w->window));
        ORR_TRY(see(ctx, w->window, here));
    }
    return ORR_OK;
}

static orr_status add_to_digest(void *ctx, const orr_real *x, size_t n)
{
    return orr_sha256_add(ctx, x, n * sizeof *x);
}

static orr_status digest(char out[ORR_SHA256_HEX], const weights *w)
{
    orr_sha256 *sum;
    orr_status st;

    ORR_TRY(orr_sha256_begin(&sum));
    st = visit(w, ORR_SLAB_PARAMS, add_to_digest, sum);
    if (st == ORR_OK) st = visit(w, ORR_SLAB_STATE, add_to_digest, sum);
    for (int i = 0; i < orr_optimiser_n_slabs(w->optimiser) && st == ORR_OK; i++)
        st = visit(w, i, add_to_digest, sum);
    if (st == ORR_OK) return orr_sha256_end(sum, out);
    orr_sha256_destroy(sum);
    return st;
}

static int votes_of(const replica *all, int n, int rank)
{
    int votes = 0;

    for (int r = 0; r < n; r++)
        votes += strcmp(all[r].digest, all[rank].digest) == 0;
    return votes;
}

static orr_status judge(const replica *all, int n, int64_t step)
{
    orr_text who = ORR_TEXT_INIT;
    int most = 0, named = 0;
    orr_status st;

    for (int r = 0; r < n; r++)
        if (votes_of(all, n, r) > most) most = votes_of(all, n, r);
    if (most == n) return ORR_OK;
    for (int r = 0; r < n; r++)
        if (2 * most <= n || votes_of(all, n, r) < most)
            orr_text_printf(&who, "%srank %d (%s)", named++ ? ", " : "", r, all[r].host);
    st = orr_fail(ORR_ERR_MACHINE,
                  "after step %lld the weights of %s are not those of the other ranks: a fault of "
                  "the machine (memory); nothing of it was saved, the same command resumes from "
                  "the last checkpoint",
                  (long long)step, who.s ? who.s : "some ranks");
    orr_text_free(&who);
    return st;
}

static orr_status count_nonfinite(void *ctx, const orr_real *x, size_t n)
{
    int64_t *bad = ctx;

    for (size_t i = 0; i < n; i++)
        *bad += !isfinite(x[i]);
    return ORR_OK;
}

/* Steps that are not finite are skipped: what is here came in another way. */
static orr_status check_finite(const weights *w, int64_t step)
{
    int64_t params = 0, moments = 0;

    ORR_TRY(visit(w, ORR_SLAB_PARAMS, count_nonfinite, &params));
    ORR_TRY(visit(w, ORR_SLAB_STATE, count_nonfinite, &moments));
    if (params == 0 && moments == 0) return ORR_OK;
    return orr_fail(ORR_ERR_MACHINE,
                    "after step %lld %lld weights and %lld running moments are not finite, though "
                    "all steps were: a fault of the machine (memory), or values too large for "
                    "float32; nothing of it was saved, the same command resumes from the last "
                    "checkpoint",
                    (long long)step, (long long)params, (long long)moments);
}

orr_status orr_replicas_check(orr_context *context, orr_net *net, orr_optimiser *optimiser,
                              int64_t step, int *not_finite)
{
    replica mine = { 0 }, *all = orr_alloc((size_t)context->size, sizeof *all);
    size_t *bytes = orr_alloc((size_t)context->size, sizeof *bytes);
    weights w = { net, optimiser, orr_alloc(WINDOW, sizeof *w.window) };
    orr_status st;

    *not_finite = 0;
    snprintf(mine.host, sizeof mine.host, "%s", orr_comm_host(context->world));
    ORR_TRY_GOTO(st, done,
                 orr_phase(context, NULL,
                           !all || !bytes || !w.window
                               ? orr_fail(ORR_ERR_NOMEM, "out of memory: %d ranks", context->size)
                           : context->size > 1 ? digest(mine.digest, &w)
                                               : ORR_OK));
    for (int r = 0; r < context->size; r++)
        bytes[r] = sizeof mine;
    ORR_TRY_GOTO(st, done, orr_comm_allgather(context->world, &mine, all, bytes));
    st = judge(all, context->size, step);
    if (st == ORR_OK) {
        st = check_finite(&w, step);
        *not_finite = st == ORR_ERR_MACHINE;
    }
    if (st != ORR_OK) orr_phase_same(context, st); /* all saw the same digests */
done:
    orr_free(w.window);
    orr_free(bytes);
    orr_free(all);
    return st;
}
