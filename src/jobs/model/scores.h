/* jobs/model/scores.h - what is known of a set's predictions: their numbers, loss, metrics.
 * By the model's output type (core/output_type.h) they are probabilities of classes, values, or
 * densities over bins of one value, whose mean is the point estimate; a calibrated model's
 * densities are calibrated here, while `loss` is that of the net.  A value that is a redshift by
 * its name (orr_schema_is_redshift) also gets the metrics of photometric redshifts
 * (stats/redshift.h); a density gets PIT and CRPS whatever its value is. Not collective: every rank
 * computes the same. */
#ifndef ORR_JOBS_MODEL_SCORES_H
#define ORR_JOBS_MODEL_SCORES_H

#include "jobs/model/model.h"
#include "jobs/model/samples.h"
#include "stats/metric.h"

typedef struct orr_scores {
    int64_t n;
    orr_output_type output_type;
    orr_metric_case kind; /* what metrics are defined */
    int n_classes;        /* classes */
    int n_columns;        /* of p */
    orr_bins bins;        /* densities */
    int has_truth;        /* the set says what is right: what follows p and point is defined */
    int is_redshift;
    double loss;
    double *p;                          /* [n][n_columns]: probabilities, values, or the density */
    double *point;                      /* [n]: mean of the density; else NULL */
    float *truth;                       /* [n][width] values */
    orr_classification *classification; /* classes */
    orr_regression regression; /* values (the mean over targets), densities: of the point */
    int n_targets;             /* values: how many; 0 = not several */
    orr_regression *targets;   /* [n_targets] */
    orr_redshift redshift;     /* densities: pit and crps; dz if is_redshift */
} orr_scores;

/* Without labels (or targets) in the set only p and point are filled. */
orr_status orr_scores_create(orr_scores *s, const orr_model *m, const orr_samples *samples,
                             const int64_t *rows, int64_t n, const orr_real *logits,
                             double threshold);
/* The same of predictions that are known already, p[n][n_columns]: averages of several models, or
 * read from a file.  The loss stays NaN. */
orr_status orr_scores_of_predictions(orr_scores *s, const orr_model *m, const orr_samples *samples,
                                     const int64_t *rows, int64_t n, const double *p,
                                     double threshold);
void orr_scores_free(orr_scores *s);
/* The map that makes the PIT of these densities flat (stats/calibration.h): they must come from a
 * model that has none yet, and the set must say what is right.  ORR_ERR_ARG for too few samples. */
orr_status orr_scores_calibration(const orr_scores *s, orr_calibration *out);
/* The point estimates of values and densities, [n] (values: of width 1). */
const double *orr_scores_point(const orr_scores *s);
/* What stats/metric.h computes from; it points into s.  That of one target of several: metrics of
 * values. */
orr_metric_input orr_scores_input(const orr_scores *s);
orr_metric_input orr_scores_target_input(const orr_scores *s, int target);
/* A metric by its name, or auto; NaN when it is not defined here. */
double orr_scores_metric(const orr_scores *s, const char *name);
/* Which metrics are defined for what this model predicts. */
orr_metric_case orr_model_metric_case(const orr_model *m);
/* The class that probabilities p[n_classes] name: the largest, of two classes the second when it
 * exceeds the threshold. */
int orr_named_class(const double *p, int n_classes, double threshold);
/* Have the set's samples a truth to compare with? */
int orr_has_truth(const orr_model *m, const orr_samples *samples);
/* The q quantile of a density p[bins->count], linear inside a bin. */
double orr_density_quantile(const orr_bins *bins, const double *p, double q);

#endif
