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

static orr_status digest(char out[ORR_SHA256_HEX], orr_net *net, orr_optimiser *optimiser)
{
    size_t n = orr_net_param_count(net);
    orr_sha256 *sum;
    const char *name;
    orr_status st;

    ORR_TRY(orr_sha256_begin(&sum));
    st = orr_sha256_add(sum, orr_net_params(net), n * sizeof(orr_real));
    if (st == ORR_OK)
        st = orr_sha256_add(sum, orr_net_state(net), orr_net_state_count(net) * sizeof(orr_real));
    for (int i = 0; i < orr_optimiser_n_slabs(optimiser) && st == ORR_OK; i++)
        st = orr_sha256_add(sum, orr_optimiser_slab(optimiser, i, &name), n * sizeof(orr_real));
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
                  "the machine (memory); nothing of it was saved, the same command goes on from "
                  "the last checkpoint",
                  (long long)step, who.s ? who.s : "some ranks");
    orr_text_free(&who);
    return st;
}

static int64_t count_nonfinite(const orr_real *x, size_t n)
{
    int64_t bad = 0;

    for (size_t i = 0; i < n; i++)
        bad += !isfinite(x[i]);
    return bad;
}

/* Steps that are not finite are skipped: what is here came in another way. */
static orr_status check_finite(orr_net *net, int64_t step)
{
    int64_t weights = count_nonfinite(orr_net_params(net), orr_net_param_count(net)),
            moments = count_nonfinite(orr_net_state(net), orr_net_state_count(net));

    if (weights == 0 && moments == 0) return ORR_OK;
    return orr_fail(ORR_ERR_MACHINE,
                    "after step %lld %lld weights and %lld running moments are not finite, though "
                    "all steps were: a fault of the machine (memory), or values too large for "
                    "float32; nothing of it was saved, the same command goes on from the last "
                    "checkpoint",
                    (long long)step, (long long)weights, (long long)moments);
}

orr_status orr_replicas_check(orr_context *context, orr_net *net, orr_optimiser *optimiser,
                              int64_t step)
{
    replica mine = { 0 }, *all = orr_alloc((size_t)context->size, sizeof *all);
    size_t *bytes = orr_alloc((size_t)context->size, sizeof *bytes);
    orr_status st;

    snprintf(mine.host, sizeof mine.host, "%s", orr_comm_host(context->world));
    ORR_TRY_GOTO(st, done,
                 orr_phase(context, NULL,
                           !all || !bytes
                               ? orr_fail(ORR_ERR_NOMEM, "out of memory: %d ranks", context->size)
                           : context->size > 1 ? digest(mine.digest, net, optimiser)
                                               : ORR_OK));
    for (int r = 0; r < context->size; r++)
        bytes[r] = sizeof mine;
    ORR_TRY_GOTO(st, done, orr_comm_allgather(context->world, &mine, all, bytes));
    st = judge(all, context->size, step);
    if (st == ORR_OK) st = check_finite(net, step);
    if (st != ORR_OK) orr_phase_same(context, st); /* all saw the same digests */
done:
    orr_free(bytes);
    orr_free(all);
    return st;
}
