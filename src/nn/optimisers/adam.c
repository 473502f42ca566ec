/* nn/optimisers/adam.c - Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019).
 * Both epsilon forms are  theta <- decay theta - rate m / (sqrt(v) root + eps):
 *   torch  rate = lr / (1 - b1^t), root = 1 / sqrt(1 - b2^t)
 *   keras  rate = lr sqrt(1 - b2^t) / (1 - b1^t), root = 1 */
#include "nn/optimisers/kinds.h"

#include <float.h>
#include <math.h>
#include <string.h>

static int two(const orr_optimiser_opts *o)
{
    (void)o;
    return 2;
}

static orr_status check(const orr_optimiser_opts *o)
{
    if (!(o->beta1 >= 0 && o->beta1 < 1) || !(o->beta2 >= 0 && o->beta2 < 1))
        return orr_fail(ORR_ERR_OPTION, "optimiser %s: beta1 %g and beta2 %g must lie in [0, 1)",
                        o->kind, o->beta1, o->beta2);
    if (!((float)o->epsilon >= FLT_MIN) || isinf(o->epsilon)) /* a weight without gradients: 0/0 */
        return orr_fail(ORR_ERR_OPTION, "optimiser %s: epsilon %g must be 1e-37 at least", o->kind,
                        o->epsilon);
    if (strcmp(o->epsilon_form, "torch") != 0 && strcmp(o->epsilon_form, "keras") != 0)
        return orr_fail(ORR_ERR_OPTION, "optimiser %s: epsilon_form \"%s\" must be torch or keras",
                        o->kind, o->epsilon_form);
    return ORR_OK;
}

static orr_status step(const orr_optimiser_range *r, double l2, double decay)
{
    const orr_optimiser_opts *o = r->o;
    double correct1 = 1 - pow(o->beta1, (double)r->t),
           root2 = sqrt(1 - pow(o->beta2, (double)r->t));
    orr_step_numbers s = { .scale = (orr_real)r->scale,
                           .l2 = (orr_real)l2,
                           .decay = (orr_real)decay,
                           .beta1 = (orr_real)o->beta1,
                           .rest1 = (orr_real)(1 - o->beta1),
                           .beta2 = (orr_real)o->beta2,
                           .rest2 = (orr_real)(1 - o->beta2),
                           .eps = (orr_real)o->epsilon };

    s.root = (orr_real)(r->keras ? 1 : 1 / root2);
    s.rate = (orr_real)(r->keras ? r->lr * root2 / correct1 : r->lr / correct1);
    r->be->ops->adam(r->be, r->n, &s, r->w, r->g, r->moment[0], r->moment[1]);
    return ORR_OK;
}

static orr_status adam_step(const orr_optimiser_range *r)
{
    return step(r, r->weight_decay, 1);
}

static orr_status adamw_step(const orr_optimiser_range *r)
{
    return step(r, 0, 1 - r->lr * r->weight_decay);
}

const orr_optimiser_kind orr_optimiser_adam = {
    .name = "adam",
    .help = "Adam; weight_decay is an L2 penalty",
    .moments = { "exp_avg", "exp_avg_sq" },
    .n_moments = two,
    .check = check,
    .step = adam_step,
};

const orr_optimiser_kind orr_optimiser_adamw = {
    .name = "adamw",
    .help = "Adam; weight_decay is decoupled from the gradient",
    .moments = { "exp_avg", "exp_avg_sq" },
    .n_moments = two,
    .check = check,
    .step = adamw_step,
};
