/* nn/optimiser.c - Adam, AdamW and SGD as one pass that reads and writes each number once, and the
 * gradient's norm.
 *
 * Threads divide the slab into blocks; every element's arithmetic is its own.  This file is
 * compiled without contraction of a*b + c into one rounding, so that every instruction set gives
 * the same bits (memory is the limit, not arithmetic).
 *
 * Both epsilon forms of Adam are  theta <- decay theta - rate m / (sqrt(v) root + eps):
 *   torch  rate = lr / (1 - b1^t), root = 1 / sqrt(1 - b2^t);   keras  rate = lr sqrt(1 - b2^t) /
 * (1 - b1^t), root = 1. */
#include "nn/optimiser.h"

#include "core/leaves.h"
#include "core/memory.h"

#include <math.h>
#include <string.h>

/* One body, compiled for what the processor has.  Sanitizers cannot run the resolver, which comes
 * before they start. */
#if defined __x86_64__ && !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
#define EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EACH_PROCESSOR
#endif

enum { BLOCK = 16384, PARALLEL_FROM = 4 * BLOCK, LANES = 16, NORM_PARTS = 1024 };

typedef enum { ADAM, ADAMW, SGD, N_KINDS } optimiser_kind;
static const char *const kind_names[] = { "adam", "adamw", "sgd" };

struct orr_optimiser {
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

orr_status orr_optimiser_create(orr_optimiser **out, const orr_optimiser_opts *o, size_t n)
{
    orr_status st = ORR_OK;
    orr_optimiser *opt = NULL;
    optimiser_kind kind = ADAM;

    *out = NULL;
    ORR_TRY(check(o, &kind));
    if (!(opt = orr_alloc(1, sizeof *opt)))
        return orr_fail(ORR_ERR_NOMEM, "optimiser: %zu bytes", sizeof *opt);
    *opt = (orr_optimiser){ .kind = kind, .o = *o, .n = n };
    opt->keras = kind != SGD && strcmp(o->epsilon_form, "keras") == 0;
    opt->o.kind = opt->o.epsilon_form = NULL; /* borrowed from the caller */
    opt->n_slabs = kind != SGD ? 2 : o->momentum > 0 ? 1 : 0;
    for (int i = 0; i < opt->n_slabs; i++) {
        if ((opt->slab[i] = orr_alloc(n, sizeof(orr_real)))) continue;
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
        orr_free(opt->slab[i]);
    orr_free(opt);
}

typedef struct step_numbers {
    orr_real scale, l2, decay;           /* g <- scale g + l2 w;  w <- decay w ... */
    orr_real beta1, rest1, beta2, rest2; /* rest = 1 - beta */
    orr_real rate, root, eps;
    orr_real momentum, look; /* sgd: step along look b + g, or along b */
} step_numbers;

EACH_PROCESSOR
static void adam_block(size_t n, const step_numbers *k, orr_real *restrict w,
                       const orr_real *restrict g, orr_real *restrict m, orr_real *restrict v)
{
    const step_numbers s = *k;

    for (size_t i = 0; i < n; i++) {
        orr_real d = s.scale * g[i] + s.l2 * w[i];
        orr_real mi = s.beta1 * m[i] + s.rest1 * d;
        orr_real vi = s.beta2 * v[i] + s.rest2 * d * d;
#ifdef ORR_REAL_F64
        orr_real below = sqrt(vi) * s.root + s.eps;
#else
        orr_real below = sqrtf(vi) * s.root + s.eps;
#endif
        w[i] = s.decay * w[i] - s.rate * mi / below;
        m[i] = mi;
        v[i] = vi;
    }
}

EACH_PROCESSOR
static void momentum_block(size_t n, const step_numbers *k, orr_real *restrict w,
                           const orr_real *restrict g, orr_real *restrict b)
{
    const step_numbers s = *k;
    const orr_real own = s.look > 0 ? 1 : 0, along = s.look > 0 ? s.look : 1;

    for (size_t i = 0; i < n; i++) {
        orr_real d = s.scale * g[i] + s.l2 * w[i];
        orr_real bi = s.momentum * b[i] + d;
        w[i] -= s.rate * (own * d + along * bi);
        b[i] = bi;
    }
}

EACH_PROCESSOR
static void sgd_block(size_t n, const step_numbers *k, orr_real *restrict w,
                      const orr_real *restrict g)
{
    const step_numbers s = *k;

    for (size_t i = 0; i < n; i++)
        w[i] -= s.rate * (s.scale * g[i] + s.l2 * w[i]);
}

static step_numbers numbers_of(const orr_optimiser *opt, double lr, double scale)
{
    const orr_optimiser_opts *o = &opt->o;
    step_numbers s = { .scale = (orr_real)scale, .decay = 1, .rate = (orr_real)lr };

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
    opt->t++;
    const step_numbers s = numbers_of(opt, lr, scale);
    const size_t n = opt->n, n_blocks = (n + BLOCK - 1) / BLOCK;
    orr_real *const a = opt->slab[0], *const b = opt->slab[1];

#pragma omp parallel for schedule(static) if (n >= PARALLEL_FROM)
    for (size_t i = 0; i < n_blocks; i++) {
        size_t at = i * BLOCK, len = n - at < BLOCK ? n - at : BLOCK;
        if (opt->kind != SGD)
            adam_block(len, &s, w + at, g + at, a + at, b + at);
        else if (a)
            momentum_block(len, &s, w + at, g + at, a + at);
        else
            sgd_block(len, &s, w + at, g + at);
    }
}

/* Sum of squares in LANES running sums, folded in order. */
EACH_PROCESSOR
static double sum_of_squares(const orr_real *g, size_t n)
{
    double lane[LANES] = { 0 }, sum = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        for (int l = 0; l < LANES; l++)
            lane[l] += (double)g[i + (size_t)l] * (double)g[i + (size_t)l];
    }
    for (int l = 0; i < n; i++, l++)
        lane[l] += (double)g[i] * (double)g[i];
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

/* The slab in at most NORM_PARTS blocks whose borders depend on n alone. */
double orr_grad_norm(const orr_real *g, size_t n)
{
    const size_t least = 4096, even = (n + NORM_PARTS - 1) / NORM_PARTS;
    const size_t block = even > least ? even : least, n_blocks = (n + block - 1) / block;
    double part[NORM_PARTS], sum;

#pragma omp parallel for schedule(static) if (n >= PARALLEL_FROM)
    for (size_t i = 0; i < n_blocks; i++) {
        size_t at = i * block;
        part[i] = sum_of_squares(g + at, n - at < block ? n - at : block);
    }
    orr_leaf_sum_f64(&sum, part, 1, (int)n_blocks, 1);
    return sqrt(sum);
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

orr_real *orr_optimiser_slab(orr_optimiser *opt, int i, const char **name)
{
    static const char *const adam_names[] = { "exp_avg", "exp_avg_sq" };

    if (name) *name = opt->kind == SGD ? "momentum_buffer" : adam_names[i];
    return opt->slab[i];
}
