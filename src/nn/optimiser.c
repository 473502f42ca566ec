/* nn/optimiser.c - Adam, AdamW and SGD: their options, their moments, and the numbers of a step.  The
 * passes over the slabs are operations of the back end.
 *
 * Both epsilon forms of Adam are  theta <- decay theta - rate m / (sqrt(v) root + eps):
 *   torch  rate = lr / (1 - b1^t), root = 1 / sqrt(1 - b2^t);   keras  rate = lr sqrt(1 - b2^t) /
 * (1 - b1^t), root = 1. */
#include "nn/optimiser.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>

typedef enum { ADAM, ADAMW, SGD, N_KINDS } optimiser_kind;
static const char *const kind_names[] = { "adam", "adamw", "sgd" };

struct orr_optimiser {
    orr_backend *be;
    optimiser_kind kind;
    int keras;
    orr_optimiser_opts o;
    size_t n;
    int64_t t;
    int n_slabs;
    orr_real *slab[2];
};

const orr_option orr_optimiser_options[] = {
    ORR_OPTION_CHOICE(orr_optimiser_opts, kind, "adam", "adam|adamw|sgd", "the rule for a step"),
    ORR_OPTION_REAL(orr_optimiser_opts, beta1, "0.9", 0, 1,
                    "adam, adamw: memory of the gradient's mean, below 1"),
    ORR_OPTION_REAL(orr_optimiser_opts, beta2, "0.999", 0, 1,
                    "adam, adamw: memory of its square, below 1"),
    ORR_OPTION_REAL(orr_optimiser_opts, epsilon, "1e-8", 0, 1e6,
                    "adam, adamw: added to the denominator"),
    ORR_OPTION_CHOICE(
        orr_optimiser_opts, epsilon_form, "torch", "torch|keras",
        "adam, adamw: add epsilon after (torch) or before (keras) the bias correction"),
    ORR_OPTION_REAL(orr_optimiser_opts, weight_decay, "0", 0, 1e6,
                    "L2 penalty (adam, sgd) or decoupled decay (adamw)"),
    ORR_OPTION_REAL(orr_optimiser_opts, momentum, "0", 0, 1, "sgd: memory of the gradient"),
    ORR_OPTION_BOOL(orr_optimiser_opts, nesterov, "false", "sgd: look ahead along the momentum"),
    ORR_OPTION_END
};

static orr_status check(const orr_optimiser_opts *o, optimiser_kind *kind)
{
    int k = 0;

    while (k < N_KINDS && strcmp(o->kind, kind_names[k]) != 0)
        k++;
    if (k == N_KINDS)
        return orr_fail(ORR_ERR_OPTION,
                        "no optimiser is called \"%s\": there are adam, adamw and sgd", o->kind);
    *kind = (optimiser_kind)k;
    if (!(o->weight_decay >= 0) || isinf(o->weight_decay))
        return orr_fail(ORR_ERR_OPTION, "optimiser %s: weight_decay %g must not be below 0",
                        o->kind, o->weight_decay);
    if (k == SGD) {
        if (!(o->momentum >= 0 && o->momentum <= 1))
            return orr_fail(ORR_ERR_OPTION, "optimiser sgd: momentum %g must lie in [0, 1]",
                            o->momentum);
        if (o->nesterov && o->momentum == 0)
            return orr_fail(ORR_ERR_OPTION, "optimiser sgd: nesterov needs a momentum above 0");
        return ORR_OK;
    }
    if (!(o->beta1 >= 0 && o->beta1 < 1) || !(o->beta2 >= 0 && o->beta2 < 1))
        return orr_fail(ORR_ERR_OPTION, "optimiser %s: beta1 %g and beta2 %g must lie in [0, 1)",
                        o->kind, o->beta1, o->beta2);
    if (!(o->epsilon >= 0) || isinf(o->epsilon))
        return orr_fail(ORR_ERR_OPTION, "optimiser %s: epsilon %g must not be below 0", o->kind,
                        o->epsilon);
    if (strcmp(o->epsilon_form, "torch") != 0 && strcmp(o->epsilon_form, "keras") != 0)
        return orr_fail(ORR_ERR_OPTION, "optimiser %s: epsilon_form \"%s\" must be torch or keras",
                        o->kind, o->epsilon_form);
    return ORR_OK;
}

/* n zeros in the back end's memory */
static orr_real *zeros(orr_backend *be, size_t n)
{
    size_t bytes;
    orr_real *x = __builtin_mul_overflow(n, sizeof *x, &bytes) ? NULL : be->ops->alloc(be, bytes);

    if (x) be->ops->clear(be, x, bytes);
    return x;
}

orr_status orr_optimiser_create(orr_optimiser **out, orr_backend *be, const orr_optimiser_opts *o,
                                size_t n)
{
    orr_status st = ORR_OK;
    orr_optimiser *opt = NULL;
    optimiser_kind kind = ADAM;

    *out = NULL;
    ORR_TRY(check(o, &kind));
    if (!(opt = orr_alloc(1, sizeof *opt)))
        return orr_fail(ORR_ERR_NOMEM, "optimiser: %zu bytes", sizeof *opt);
    *opt = (orr_optimiser){ .be = be, .kind = kind, .o = *o, .n = n };
    opt->keras = kind != SGD && strcmp(o->epsilon_form, "keras") == 0;
    opt->o.kind = opt->o.epsilon_form = NULL; /* borrowed from the caller */
    opt->n_slabs = kind != SGD ? 2 : o->momentum > 0 ? 1 : 0;
    for (int i = 0; i < opt->n_slabs; i++) {
        if ((opt->slab[i] = zeros(be, n))) continue;
        st = orr_fail(ORR_ERR_NOMEM, "optimiser %s: %zu parameters of %zu bytes", kind_names[kind],
                      n, sizeof(orr_real));
        goto done;
    }
    *out = opt;
    opt = NULL;
done:
    orr_optimiser_destroy(opt);
    return st;
}

void orr_optimiser_destroy(orr_optimiser *opt)
{
    if (!opt) return;
    for (int i = 0; i < opt->n_slabs; i++)
        if (opt->slab[i]) opt->be->ops->free(opt->be, opt->slab[i]);
    orr_free(opt);
}

static orr_step_numbers numbers_of(const orr_optimiser *opt, double lr, double scale)
{
    const orr_optimiser_opts *o = &opt->o;
    orr_step_numbers s = { .scale = (orr_real)scale, .decay = 1, .rate = (orr_real)lr };

    if (opt->kind == ADAMW)
        s.decay = (orr_real)(1 - lr * o->weight_decay);
    else
        s.l2 = (orr_real)o->weight_decay;
    if (opt->kind == SGD) {
        s.momentum = (orr_real)o->momentum;
        s.look = o->nesterov ? s.momentum : 0;
        return s;
    }
    double correct1 = 1 - pow(o->beta1, (double)opt->t),
           root2 = sqrt(1 - pow(o->beta2, (double)opt->t));
    s.beta1 = (orr_real)o->beta1;
    s.rest1 = (orr_real)(1 - o->beta1);
    s.beta2 = (orr_real)o->beta2;
    s.rest2 = (orr_real)(1 - o->beta2);
    s.eps = (orr_real)o->epsilon;
    s.root = (orr_real)(opt->keras ? 1 : 1 / root2);
    s.rate = (orr_real)(opt->keras ? lr * root2 / correct1 : lr / correct1);
    return s;
}

void orr_optimiser_step(orr_optimiser *opt, orr_real *w, const orr_real *g, double lr, double scale)
{
    const orr_backend_ops *ops = opt->be->ops;
    orr_real *const a = opt->slab[0], *const b = opt->slab[1];

    opt->t++;
    const orr_step_numbers s = numbers_of(opt, lr, scale);
    if (opt->kind != SGD)
        ops->adam(opt->be, opt->n, &s, w, g, a, b);
    else if (a)
        ops->momentum(opt->be, opt->n, &s, w, g, a);
    else
        ops->sgd(opt->be, opt->n, &s, w, g);
}

double orr_clip_scale(double norm, double max_norm)
{
    double c = max_norm / (norm + 1e-6);

    return max_norm == 0 || c > 1 ? 1 : c;
}

int64_t orr_optimiser_steps(const orr_optimiser *opt)
{
    return opt->t;
}

void orr_optimiser_set_steps(orr_optimiser *opt, int64_t t)
{
    opt->t = t;
}

int orr_optimiser_n_slabs(const orr_optimiser *opt)
{
    return opt->n_slabs;
}

const char *orr_optimiser_slab_name(const orr_optimiser *opt, int i)
{
    static const char *const adam_names[] = { "exp_avg", "exp_avg_sq" };

    return opt->kind == SGD ? "momentum_buffer" : adam_names[i];
}

orr_status orr_optimiser_read(const orr_optimiser *opt, int i, size_t first, size_t n,
                              orr_real *out)
{
    opt->be->ops->download(opt->be, out, opt->slab[i] + first, n * sizeof *out);
    return opt->be->ops->synchronise(opt->be);
}

orr_status orr_optimiser_write(orr_optimiser *opt, int i, size_t first, size_t n,
                               const orr_real *in)
{
    opt->be->ops->upload(opt->be, opt->slab[i] + first, in, n * sizeof *in);
    return opt->be->ops->synchronise(opt->be);
}
