/* data/transform_fit.c - means and deviations over the training rows.
 * Two passes for each fitted step: sums give the means, then sums of squares about them give the
 * deviations.  One pass over sums of x and x^2 would lose every digit of the deviation of raw
 * fluxes (mean 1e6, deviation 10), and partial sums could not simply be added up by ranks if blocks
 * were centred each on its own mean. */
#include "data/transform_steps.h"

#include <math.h>

int orr_transform_n_fits(const orr_transform *t)
{
    int n = 0;

    for (int i = 0; i < t->n_steps; i++)
        n += t->step[i].n_stats > 0 ? 2 : 0;
    return n - t->passes;
}

/* Index of the step that the present pass fits; n_steps when there is none. */
static int fitting(const orr_transform *t)
{
    int left = t->passes / 2;

    for (int i = 0; i < t->n_steps; i++)
        if (t->step[i].n_stats > 0 && left-- == 0) return i;
    return t->n_steps;
}

size_t orr_transform_fit_size(const orr_transform *t)
{
    int i = fitting(t);

    return i < t->n_steps ? t->step[i].n_stats : 0;
}

orr_status orr_transform_fit_block(const orr_transform *t, const void *x, int n, double *sums,
                                   void *scratch)
{
    const int at = fitting(t), squares = t->passes % 2;
    const orr_step *s = &t->step[at];
    const char *from = x;
    size_t bytes, numbers;

    if (at == t->n_steps || n < 0 || n > ORR_FIT_BLOCK)
        return orr_fail(ORR_ERR_ARG, "transforms: nothing left to fit, or a block of %d rows", n);
    bytes = orr_sample_elements(t->in) * (t->x_type == ORR_X_F32   ? 4
                                          : t->x_type == ORR_X_F16 ? 2
                                                                   : 1);
    numbers = orr_sample_elements(s->in);
    for (size_t k = 0; k < s->n_stats; k++)
        sums[k] = 0;
    for (int row = 0; row < n; row++) {
        const double *v = orr_steps_apply(t, at, from + (size_t)row * bytes, scratch);
        for (size_t i = 0; i < numbers; i += s->n_stats)
            for (size_t k = 0; k < s->n_stats; k++) {
                double d = squares ? v[i + k] - s->mean[k] : v[i + k];
                sums[k] += squares ? d * d : d;
            }
    }
    return ORR_OK;
}

orr_status orr_transform_fit_end(orr_transform *t, const double *total, int64_t rows)
{
    orr_step *s = &t->step[fitting(t)];
    size_t each; /* numbers of a row that one statistic is over */
    double n;

    if (fitting(t) == t->n_steps || rows < 1)
        return orr_fail(ORR_ERR_ARG, "transforms: nothing left to fit, or no training rows");
    each = orr_sample_elements(s->in) / s->n_stats;
    n = (double)rows * (double)each;
    for (size_t k = 0; k < s->n_stats; k++) {
        if (!isfinite(total[k]))
            return orr_fail(ORR_ERR_NUMERIC,
                            "transform %s: number %zu of the training rows sums up to %g; look for "
                            "NaN or infinity in the data",
                            s->kind->name, k, total[k]);
        if (t->passes % 2 == 0) {
            s->mean[k] = total[k] / n;
        } else {
            double variance = total[k] / n;
            s->dev[k] = orr_is_constant(variance, s->mean[k], n) ? 1 : sqrt(variance);
            s->inverse[k] = 1 / s->dev[k];
        }
    }
    t->passes++;
    return ORR_OK;
}
