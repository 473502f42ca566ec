/* stats/calibration.c - a smoothed histogram of PIT, and densities passed through its cumulative.
 * Smoothing: Eilers and Marx 1996, Statistical Science 11, 89, sections 5 and 8, with splines of
 * degree 0: counts are Poisson, their logarithms have a penalty on second differences.  As that
 * leaves constants and slopes alone, the fitted counts add up to those given. */
#include "stats/calibration.h"

#include <math.h>
#include <string.h>

enum { CELLS = ORR_CALIBRATION_CELLS, INNER = CELLS - 2, WEIGHTS = 7, STEPS = 200 };

static const double lightest = 0.1; /* weight of the penalty; the others are 10 times the last */

/* ---- smoothing of the inner cells ---- */
/* A symmetric matrix of five diagonals, then its factors L D L'. */
typedef struct band {
    double d[INNER], one[INNER], two[INNER]; /* [i]: with i, i + 1 and i + 2 */
} band;

/* diag(mu) + weight D'D, D the second differences. */
static void penalised(band *a, const double *mu, double weight)
{
    for (int i = 0; i < INNER; i++) {
        a->d[i] = mu[i];
        a->one[i] = a->two[i] = 0;
    }
    for (int i = 0; i + 2 < INNER; i++) { /* the row 1 -2 1 at i */
        a->d[i] += weight;
        a->d[i + 1] += 4 * weight;
        a->d[i + 2] += weight;
        a->one[i] -= 2 * weight;
        a->one[i + 1] -= 2 * weight;
        a->two[i] += weight;
    }
}

static void factor(band *a)
{
    for (int i = 0; i < INNER; i++) {
        if (i > 0) {
            a->d[i] -= a->one[i - 1] * a->one[i - 1] * a->d[i - 1];
            a->one[i] -= a->one[i - 1] * a->two[i - 1] * a->d[i - 1];
        }
        if (i > 1) a->d[i] -= a->two[i - 2] * a->two[i - 2] * a->d[i - 2];
        a->one[i] /= a->d[i];
        a->two[i] /= a->d[i];
    }
}

static void solve(const band *a, double *x)
{
    for (int i = 0; i < INNER; i++) {
        if (i > 0) x[i] -= a->one[i - 1] * x[i - 1];
        if (i > 1) x[i] -= a->two[i - 2] * x[i - 2];
    }
    for (int i = INNER - 1; i >= 0; i--) {
        x[i] /= a->d[i];
        if (i + 1 < INNER) x[i] -= a->one[i] * x[i + 1];
        if (i + 2 < INNER) x[i] -= a->two[i] * x[i + 2];
    }
}

static double second_difference(const double *x, int i)
{
    return x[i] - 2 * x[i + 1] + x[i + 2];
}

/* What is made largest, by the logarithms x of the counts. */
static double objective(const double *h, const double *x, double weight)
{
    double sum = 0;

    for (int i = 0; i < INNER; i++)
        sum += h[i] * x[i] - exp(x[i]);
    for (int i = 0; i + 2 < INNER; i++) {
        double d = second_difference(x, i);
        sum -= weight / 2 * d * d;
    }
    return sum;
}

/* The slope of the objective; mu[i] = exp(x[i]). */
static void slope(const double *h, const double *x, const double *mu, double weight, double *g)
{
    for (int i = 0; i < INNER; i++)
        g[i] = h[i] - mu[i];
    for (int i = 0; i + 2 < INNER; i++) {
        double d = weight * second_difference(x, i);
        g[i] -= d;
        g[i + 1] += 2 * d;
        g[i + 2] -= d;
    }
}

/* One step of Newton's method, halved until it does not go down; the longest change. */
static double newton(const double *h, double *x, double weight)
{
    double mu[INNER], step[INNER], next[INNER], have = objective(h, x, weight), longest = 0;
    double share = 1;
    band a;

    for (int i = 0; i < INNER; i++)
        mu[i] = exp(x[i]);
    slope(h, x, mu, weight, step);
    penalised(&a, mu, weight);
    factor(&a);
    solve(&a, step);
    for (int halvings = 0; halvings < 60; halvings++) {
        for (int i = 0; i < INNER; i++)
            next[i] = x[i] + share * step[i];
        if (objective(h, next, weight) >= have) break; /* NaN is not */
        if (halvings == 59) return 0;
        share /= 2;
    }
    for (int i = 0; i < INNER; i++) {
        longest = fmax(longest, fabs(next[i] - x[i]));
        x[i] = next[i];
    }
    return longest;
}

/* mu[INNER], counts smoothed with this weight; the numbers that they are worth: the trace of
 * (diag(mu) + weight D'D)^-1 diag(mu), less one for their sum. */
static double smooth(const double *h, double weight, double *mu)
{
    double x[INNER], total = 0, trace = 0, column[INNER];
    band a;

    for (int i = 0; i < INNER; i++)
        total += h[i];
    if (total == 0) { /* nothing lies between the outer cells */
        for (int i = 0; i < INNER; i++)
            mu[i] = 0;
        return 0;
    }
    for (int i = 0; i < INNER; i++)
        x[i] = log(total / INNER);
    for (int k = 0; k < STEPS && newton(h, x, weight) > 1e-12; k++)
        ;
    for (int i = 0; i < INNER; i++)
        mu[i] = exp(x[i]);
    penalised(&a, mu, weight);
    factor(&a);
    for (int k = 0; k < INNER; k++) {
        for (int i = 0; i < INNER; i++)
            column[i] = i == k ? mu[k] : 0;
        solve(&a, column);
        trace += column[k];
    }
    return trace - 1;
}

/* ---- the histogram ---- */
static int cell_of(double u)
{
    int k = (int)(u * CELLS);

    return k < CELLS ? k : CELLS - 1;
}

/* Shares of the cells from their counts, one value more spread over all of them. */
static void shares_of(const double *mu, double n, double *share)
{
    for (int k = 0; k < CELLS; k++)
        share[k] = (mu[k] + 1.0 / CELLS) / (n + 1);
}

/* The best shares by AIC, half of it, with its degrees; 0 when the flat ones are. */
static double best_shares(const double *h, double n, double *share)
{
    double most = 0, degrees = 0, weight = lightest, mu[CELLS], tried[CELLS];

    mu[0] = h[0];
    mu[CELLS - 1] = h[CELLS - 1];
    for (int w = 0; w < WEIGHTS; w++) {
        double numbers = 2 + smooth(h + 1, weight, mu + 1), score = -numbers;
        weight *= 10;
        shares_of(mu, n, tried);
        for (int k = 0; k < CELLS; k++)
            score += h[k] * log(CELLS * tried[k]);
        if (score <= most) continue;
        most = score;
        degrees = numbers;
        memcpy(share, tried, sizeof tried);
    }
    return degrees;
}

/* ---- knots ---- */
/* Distance of a PIT from the end that is looked at. */
static double from_end(double u, int upper)
{
    return upper ? 1 - u : u;
}

/* Places of the cuts of an outer cell, by their distance from the end, the outermost last: how
 * many. mass[i] is the share beyond cut i. */
static int cut_end(const double *pit, int64_t n, int upper, double *place, double *mass)
{
    double width = 1.0 / CELLS;
    int cuts = 0;

    for (; cuts < ORR_CALIBRATION_CUTS; cuts++) {
        int64_t beyond = 0;
        for (int64_t i = 0; i < n; i++)
            beyond += from_end(pit[i], upper) < width;
        if (!((double)beyond > (double)n / CELLS)) break;
        width /= 2;
        beyond = 0;
        for (int64_t i = 0; i < n; i++)
            beyond += from_end(pit[i], upper) < width;
        place[cuts] = width;
        mass[cuts] = ((double)beyond + width) / (double)(n + 1);
    }
    return cuts;
}

static void add_knot(orr_calibration *c, double at, double to)
{
    double last = c->n > 0 ? c->to[c->n - 1] : 0;

    c->at[c->n] = at;
    c->to[c->n] = fmin(fmax(to, last), 1);
    c->n++;
}

static void put_knots(orr_calibration *c, const double *pit, int64_t n, const double *share)
{
    double place[ORR_CALIBRATION_CUTS], mass[ORR_CALIBRATION_CUTS], sum = 0;
    int cuts = cut_end(pit, n, 0, place, mass);

    add_knot(c, 0, 0);
    for (int i = cuts - 1; i >= 0; i--)
        add_knot(c, place[i], mass[i]);
    for (int k = 0; k + 1 < CELLS; k++) {
        sum += share[k];
        add_knot(c, (double)(k + 1) / CELLS, sum);
    }
    cuts = cut_end(pit, n, 1, place, mass);
    for (int i = 0; i < cuts; i++)
        add_knot(c, 1 - place[i], 1 - mass[i]);
    add_knot(c, 1, 1);
}

orr_status orr_calibration_fit(orr_calibration *c, const double *pit, int64_t n)
{
    double h[CELLS] = { 0 }, share[CELLS];

    memset(c, 0, sizeof *c);
    if (n < ORR_CALIBRATION_FEWEST)
        return orr_fail(ORR_ERR_ARG,
                        "calibration: %lld samples to fit on; it takes at least %d (five for each "
                        "of %d cells)",
                        (long long)n, ORR_CALIBRATION_FEWEST, CELLS);
    for (int64_t i = 0; i < n; i++) {
        if (!(pit[i] >= 0 && pit[i] <= 1))
            return orr_fail(ORR_ERR_NUMERIC, "calibration: the PIT of row %lld is %g", (long long)i,
                            pit[i]);
        h[cell_of(pit[i])]++;
    }
    c->degrees = best_shares(h, (double)n, share);
    if (c->degrees == 0) return ORR_OK;
    put_knots(c, pit, n, share);
    c->degrees += fmax(CELLS * share[0] - 1, 0) + fmax(CELLS * share[CELLS - 1] - 1, 0);
    return ORR_OK;
}

orr_status orr_calibration_check(const orr_calibration *c, const char *what)
{
    if (c->n == 0) return ORR_OK;
    if (c->n < 2 || c->n > ORR_CALIBRATION_KNOTS)
        return orr_fail(ORR_ERR_FORMAT, "%s: a calibration of %d knots; 2 to %d are possible", what,
                        c->n, ORR_CALIBRATION_KNOTS);
    for (int i = 1; i < c->n; i++)
        if (!(c->at[i] > c->at[i - 1] && c->to[i] >= c->to[i - 1]))
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: knot %d of its calibration, (%g, %g), does not rise from (%g, %g)",
                            what, i, c->at[i], c->to[i], c->at[i - 1], c->to[i - 1]);
    if (c->at[0] != 0 || c->to[0] != 0 || c->at[c->n - 1] != 1 || c->to[c->n - 1] != 1)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: its calibration goes from (%g, %g) to (%g, %g), not from 0 to 1", what,
                        c->at[0], c->to[0], c->at[c->n - 1], c->to[c->n - 1]);
    return ORR_OK;
}

/* R(u) for u >= at[*from], where *from is moved on to the piece that u lies on. */
static double map_from(const orr_calibration *c, double u, int *from)
{
    int i = *from;
    double share;

    while (i + 2 < c->n && u >= c->at[i + 1])
        i++;
    *from = i;
    share = (u - c->at[i]) / (c->at[i + 1] - c->at[i]);
    return fmin(c->to[i] + share * (c->to[i + 1] - c->to[i]), c->to[i + 1]);
}

double orr_calibration_map(const orr_calibration *c, double u)
{
    int from = 0;

    return c->n ? map_from(c, u, &from) : u;
}

void orr_calibration_apply(const orr_calibration *c, double *p, int bins)
{
    double below = 0, mapped = 0;
    int from = 0;

    if (c->n == 0) return;
    for (int k = 0; k < bins; k++) {
        double next;
        below += p[k];
        next = k + 1 < bins ? map_from(c, fmin(below, 1), &from) : 1;
        p[k] = fmax(next - mapped, 0);
        mapped = fmax(next, mapped);
    }
}
