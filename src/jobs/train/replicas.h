/* jobs/train/replicas.h - do all ranks still hold the same weights?
 *
 * Every rank makes the same updates from the same sums, so weights, running moments and the
 * optimiser's state are equal bit for bit; what makes them differ is a fault of a machine (a bit
 * that flipped in memory).  Compared by their sha256, before a checkpoint is written: a fault costs
 * the steps since the last one.  Where the faulty rank's digest is outvoted the sentence names it;
 * of two that differ it names both.  What flipped before the sums were taken is in all of them, and
 * is not seen, unless it has made weights or moments that are not finite: with these there would be
 * no going on.  *not_finite says so, since a job may bring that about, too (a rate too large): then
 * it comes again.   ORR_ERR_MACHINE, the same on all ranks.   Collective. */
#ifndef ORR_JOBS_TRAIN_REPLICAS_H
#define ORR_JOBS_TRAIN_REPLICAS_H

#include "jobs/context/context.h"
#include "nn/net.h"
#include "nn/optimiser.h"

orr_status orr_replicas_check(orr_context *context, orr_net *net, orr_optimiser *optimiser,
                              int64_t step, int *not_finite);

#endif
