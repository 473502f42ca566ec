/* nn/optimisers/sgd.c - steepest descent, with momentum as torch has it. */
#include "nn/optimisers/kinds.h"

static int n_moments(const orr_optimiser_opts *o)
{
    return o->momentum > 0;
}

static orr_status check(const orr_optimiser_opts *o)
{
    if (!(o->momentum >= 0 && o->momentum <= 1))
        return orr_fail(ORR_ERR_OPTION, "optimiser sgd: momentum %g must lie in [0, 1]",
                        o->momentum);
    if (o->nesterov && o->momentum == 0)
        return orr_fail(ORR_ERR_OPTION, "optimiser sgd: nesterov needs a momentum above 0");
    return ORR_OK;
}

static orr_status step(const orr_optimiser_range *r)
{
    orr_step_numbers s = { .scale = (orr_real)r->scale,
                           .l2 = (orr_real)r->weight_decay,
                           .decay = 1,
                           .rate = (orr_real)r->lr,
                           .momentum = (orr_real)r->o->momentum };

    s.look = r->o->nesterov ? s.momentum : 0;
    if (r->moment[0])
        r->be->ops->momentum(r->be, r->n, &s, r->w, r->g, r->moment[0]);
    else
        r->be->ops->sgd(r->be, r->n, &s, r->w, r->g);
    return ORR_OK;
}

const orr_optimiser_kind orr_optimiser_sgd = {
    .name = "sgd",
    .help = "steepest descent, with momentum; weight_decay is an L2 penalty",
    .moments = { "momentum_buffer" },
    .n_moments = n_moments,
    .check = check,
    .step = step,
};
