/* stats/logistic/kernels_private.h - the loops of logistic regression over one block of rows, for
 * the instruction set at hand.  Private to this folder.
 *
 * A block holds up to ORR_LOGIT_ROWS rows as z[row / 8][p][8], so that it is read from end to end:
 * p - 1 columns and one of ones.  Two classes: all p of a row are times its sign, +1 (class 1) or
 * -1, which makes theta z the margin, and the sign its last column.  Rows past the block's end are
 * zeros up to whole lanes.  labels (more classes): the class's number, -1 past the end.  Row r is
 * added to lane r % 8 of every sum, in every instruction set.  n is rounded up to whole lanes.
 * Other arrays of a block are [ORR_LOGIT_ROWS].   Not collective. */
#ifndef ORR_STATS_LOGISTIC_KERNELS_PRIVATE_H
#define ORR_STATS_LOGISTIC_KERNELS_PRIVATE_H

enum { ORR_LOGIT_ROWS = 256, ORR_LOGIT_LANES = 8 };

typedef struct orr_logit_kernels {
    /* z from x[n][d], d = p - 1, each column less its centre; sign NULL: all +1 */
    void (*columns)(const double *x, int d, int n, const double *centre, const double *sign,
                    double *z);
    /* eta = sum_j theta[j] z[j], p columns */
    void (*logits)(const double *z, int p, const double *theta, int n, double *eta);
    /* Of each row with this margin: r = d loss / d margin, weight = d r / d margin, loss = line +
     * log(factor), 1 <= factor <= 2, line 0 exactly where the margin is not negative.  Past the
     * end: factor 1, line 0. */
    void (*binary)(const double *margin, int n, double *r, double *weight, double *line,
                   double *factor);
    /* eta[k][ROWS] becomes probabilities; r[k][ROWS] by eta; 1 <= factor <= k; line 0 exactly where
     * the label's logit is the largest.  r, line and factor NULL: probabilities alone. */
    void (*softmax)(double *eta, int k, const double *label, int n, double *r, double *line,
                    double *factor);
    /* weight = d r_a / d eta_b from the probabilities of the classes a and b (same: a = b) */
    void (*pair)(const double *a, const double *b, int same, const double *label, int n,
                 double *weight);
    void (*sigmoid)(double *eta, int n);
    /* acc[j][lane] += r z[j] */
    void (*dots)(const double *z, int p, const double *r, int n, double *acc);
    /* acc[i][j][lane] += weight z[i] z[j], i <= j (others may be written, too) */
    void (*gram)(const double *z, int p, const double *weight, int n, double *acc);
} orr_logit_kernels;

const orr_logit_kernels *orr_logit_kernels_get(void);

#endif
