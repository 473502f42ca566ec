/* nn/optimiser.h - how weights move: one pass over the parameter slab, by groups of tensors.
 *   adam   m, v moving averages, bias-corrected; epsilon: "torch" adds eps to sqrt(v hat), "keras"
 *          is epsilon hat: theta -= lr sqrt(1-b2^t)/(1-b1^t) m/(sqrt(v)+eps).  weight_decay is L2
 *          (added to the gradient).  Source: Kingma & Ba 2015, algorithm 1 and section 2.
 *   adamw  decoupled: theta *= 1 - lr wd first.  Source: Loshchilov & Hutter 2019.
 *   sgd    momentum buffer b = mu b + g (first step b = g), nesterov g + mu b, as torch.
 * A kind is one file and one row (nn/optimiser_kind_private.h).
 *
 * Groups: a tensor belongs to the first group one of whose patterns matches its name
 * ("conv1.weight"; * ? [] as in a shell, * matches dots, too), else to none.  A group multiplies
 * the rate (0: its tensors stay as they are) and may have a weight decay of its own.  no_decay
 * names tensors without weight decay, unless their group gives one; the word `vectors` stands for
 * all tensors of one dimension: biases, and what norms have.  A pattern that matches nothing is an
 * error.
 *   optimiser:
 *     kind: adamw
 *     weight_decay: 0.05
 *     no_decay: [vectors]
 *     groups:
 *       - {match: head.*, rate: 10}
 *       - {match: [stage1.*, stage2.*], rate: 0.1, weight_decay: 0}
 * What a group changes are scalars of a step: moments, and so checkpoints, are the same with and
 * without groups.
 *
 * The gradient is multiplied by `scale` on the way in (clipping costs no pass of its own).
 * Owns its moment slabs, which are in the back end's memory.  Results depend neither on the number
 * of threads nor on the processor's vector width.   Not collective. */
#ifndef ORR_NN_OPTIMISER_H
#define ORR_NN_OPTIMISER_H

#include "core/options.h"
#include "core/status.h"
#include "nn/backend.h"
#include "nn/real.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct orr_net;
typedef struct orr_optimiser orr_optimiser;
typedef struct orr_optimiser_opts {
    const char *kind; /* a row's name */
    double beta1, beta2, epsilon;
    const char *epsilon_form; /* torch | keras */
    double weight_decay, momentum;
    int nesterov;
    const orr_node *no_decay; /* a pattern or a list of them; NULL: none */
    const orr_node *groups;   /* a list of maps; NULL: none */
} orr_optimiser_opts;
extern const orr_option orr_optimiser_options[];       /* the rows of the struct above */
extern const orr_option orr_optimiser_group_options[]; /* of a map of `groups`, for help */

const char *orr_optimiser_name(int i); /* of row i = 0, 1, ...; NULL past the last */
int orr_optimiser_kind_help(int i, orr_kind_help *out); /* the same for --help; 0 past the last */

/* For n parameters in the memory of be, which outlives it; they have no names, so o must have
 * neither groups nor no_decay.  ORR_ERR_OPTION, ORR_ERR_NOMEM; then *out is NULL.  o may be freed
 * afterwards. */
orr_status orr_optimiser_create(orr_optimiser **out, orr_backend *be, const orr_optimiser_opts *o,
                                size_t n);
/* For the parameters of a net, by their names.  ORR_ERR_OPTION also for a pattern that matches no
 * tensor and a group that is left without one, with file:line of the group. */
orr_status orr_optimiser_create_for(orr_optimiser **out, const orr_optimiser_opts *o,
                                    const struct orr_net *net);
void orr_optimiser_destroy(orr_optimiser *opt);
/* w[n], g[n]: of the back end.  What may go wrong: what a kind waits for (norms). */
orr_status orr_optimiser_step(orr_optimiser *opt, orr_real *w, const orr_real *g, double lr,
                              double scale);
/* The factor clip_grad_norm_ applies: min(1, max_norm / (norm + 1e-6)); max_norm 0 = no clipping; a
 * NaN norm gives NaN. */
double orr_clip_scale(double norm, double max_norm);
/* What a checkpoint holds. */
int64_t orr_optimiser_steps(const orr_optimiser *opt);
void orr_optimiser_set_steps(orr_optimiser *opt, int64_t t);
int orr_optimiser_n_slabs(const orr_optimiser *opt);
/* "exp_avg", "exp_avg_sq", "momentum_buffer" */
const char *orr_optimiser_slab_name(const orr_optimiser *opt, int i);
/* Elements [first, first + n) of slab i, to and from the host. */
orr_status orr_optimiser_read(const orr_optimiser *opt, int i, size_t first, size_t n,
                              orr_real *out);
orr_status orr_optimiser_write(orr_optimiser *opt, int i, size_t first, size_t n,
                               const orr_real *in);

#ifdef __cplusplus
}
#endif
#endif
