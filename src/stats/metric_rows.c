/* stats/metric_rows.c - the metrics. */
#include "stats/metric.h"

#include <stddef.h>

enum {
    BINARY = 1 << ORR_CASE_BINARY,
    MULTICLASS = 1 << ORR_CASE_MULTICLASS,
    CLASSES = BINARY | MULTICLASS,
    DENSITIES = 1 << ORR_CASE_DENSITIES | 1 << ORR_CASE_REDSHIFT_DENSITIES,
    PLAIN = 1 << ORR_CASE_VALUES | 1 << ORR_CASE_DENSITIES,
    REDSHIFTS = 1 << ORR_CASE_REDSHIFTS | 1 << ORR_CASE_REDSHIFT_DENSITIES,
    NUMBERS = PLAIN | REDSHIFTS,
    ALL = CLASSES | NUMBERS
};

/* static double NAME(in): a number of what was computed. */
#define VALUE_OF(name, expression)                                                                 \
    static double name(const orr_metric_input *in)                                                 \
    {                                                                                              \
        return in->expression;                                                                     \
    }
#define CLASS_VALUE_OF(name, field)                                                                \
    static double name(const orr_class_metrics *one_class)                                         \
    {                                                                                              \
        return one_class->field;                                                                   \
    }

VALUE_OF(loss, loss)

/* ---- classes ---- */
VALUE_OF(accuracy, classes->accuracy)
VALUE_OF(baseline_accuracy, classes->baseline_accuracy)
VALUE_OF(balanced_accuracy, classes->balanced_accuracy)
VALUE_OF(auc, classes->auc)
VALUE_OF(average_precision, classes->average_precision)
VALUE_OF(precision_of_one, classes->classes[1].precision)
VALUE_OF(recall_of_one, classes->classes[1].recall)
VALUE_OF(f1_of_one, classes->classes[1].f1)
VALUE_OF(macro_precision, classes->macro_precision)
VALUE_OF(macro_f1, classes->macro_f1)
VALUE_OF(log_loss, classes->log_loss)
CLASS_VALUE_OF(class_precision, precision)
CLASS_VALUE_OF(class_recall, recall)
CLASS_VALUE_OF(class_f1, f1)
CLASS_VALUE_OF(class_auc, auc)
CLASS_VALUE_OF(class_average_precision, average_precision)

/* ---- values, redshifts and densities ---- */
VALUE_OF(rmse, values->rmse)
VALUE_OF(mae, values->mae)
VALUE_OF(mse, values->mse)
VALUE_OF(r2, values->r2)
VALUE_OF(bias, values->bias)
VALUE_OF(sigma_mad, values->sigma_mad)
VALUE_OF(bias_of_dz, redshift->bias)
VALUE_OF(sigma_mad_of_dz, redshift->sigma_mad)
VALUE_OF(eta, redshift->eta)
VALUE_OF(crps, redshift->crps)
VALUE_OF(pit_mean, redshift->pit_mean)
VALUE_OF(pit_deviation, redshift->pit_deviation)
VALUE_OF(pit_p, redshift->pit_p)

/* clang-format off */
#define NONE { 0, 0, 0 }
#define SELECT(n) [ORR_IN_SELECT] = (n)
#define HISTORY(n) [ORR_IN_HISTORY] = (n)
#define LINE(n) [ORR_IN_LINE] = (n)
#define REPORT(n) [ORR_IN_REPORT] = (n)
#define TABLE(n) [ORR_IN_TABLE] = (n)
#define LOG(n) [ORR_IN_LOG] = (n)
#define FOLDS(n) [ORR_IN_FOLDS] = (n)
#define DENSITY_FOLDS(n) [ORR_IN_DENSITY_FOLDS] = (n)
#define CLASS(n) [ORR_IN_CLASSES] = (n)
#define GROUP(n) [ORR_IN_GROUPS] = (n)

const orr_metric orr_metric_rows[] = {
    { "loss", "loss", NONE, "the mean of what the net was trained on (train.loss)", ALL, ORR_SMALLER,
      loss, NULL, { SELECT(1), HISTORY(1), LINE(1), TABLE(1) } },

    { "accuracy", "accuracy", NONE, "correct / n", CLASSES, ORR_LARGER,
      accuracy, NULL, { SELECT(2), HISTORY(2), LINE(2), TABLE(2), LOG(1), FOLDS(3) } },
    { "baseline_accuracy", "  always-one-class", NONE, "largest support / n: always naming one class",
      CLASSES, ORR_NEITHER, baseline_accuracy, NULL, { REPORT(3), TABLE(3) } },
    { "balanced_accuracy", "balanced accuracy", NONE, "mean recall of the classes that occur",
      CLASSES, ORR_LARGER, balanced_accuracy, NULL, { SELECT(3), LINE(3), TABLE(4) } },
    { "auc", "ROC-AUC", { 'f', 4, 9 }, "area under the ROC curve, one class against the rest",
      CLASSES, ORR_LARGER, auc, class_auc,
      { SELECT(4), HISTORY(3), LINE(4), TABLE(9), LOG(2), FOLDS(1), CLASS(4) } },
    { "average_precision", "average precision", NONE, "sum of (R_k - R_(k-1)) P_k over scores",
      BINARY, ORR_LARGER, average_precision, class_average_precision,
      { SELECT(5), LINE(5), TABLE(8), FOLDS(2), CLASS(5) } },
    { "average_precision", "average precision", NONE, "its mean over the classes",
      MULTICLASS, ORR_LARGER, average_precision, class_average_precision,
      { SELECT(5), LINE(5), TABLE(8), FOLDS(2), CLASS(5) } },
    { "precision", "precision", { 'f', 4, 9 }, "correct / predicted, of class 1",
      BINARY, ORR_LARGER, precision_of_one, class_precision, { LINE(6), TABLE(5), CLASS(1) } },
    { "precision", "macro precision", { 'f', 4, 9 },
      "its mean over the classes that occur or are predicted", MULTICLASS, ORR_LARGER,
      macro_precision, class_precision, { LINE(6), TABLE(5), CLASS(1) } },
    { "recall", "recall", { 'f', 4, 9 }, "correct / support, of class 1",
      BINARY, ORR_LARGER, recall_of_one, class_recall,
      { SELECT(7), LINE(7), TABLE(6), CLASS(2) } },
    { "recall", "macro recall", { 'f', 4, 9 }, "its mean over the classes that occur",
      MULTICLASS, ORR_LARGER, balanced_accuracy, class_recall,
      { SELECT(7), LINE(7), TABLE(6), CLASS(2) } },
    { "f1", "F1", { 'f', 4, 9 }, "2 correct / (support + predicted), of class 1",
      BINARY, ORR_LARGER, f1_of_one, class_f1,
      { SELECT(6), HISTORY(4), LINE(8), TABLE(7), FOLDS(4), CLASS(3) } },
    { "f1", "macro F1", { 'f', 4, 9 }, "its mean over the classes that occur or are predicted",
      MULTICLASS, ORR_LARGER, macro_f1, class_f1,
      { SELECT(6), HISTORY(4), LINE(8), TABLE(7), FOLDS(4), CLASS(3) } },
    { "macro_f1", "macro F1", NONE, "mean F1 of the classes that occur or are predicted",
      CLASSES, ORR_LARGER, macro_f1, NULL, { REPORT(2) } },
    { "log_loss", "log loss", NONE, "mean of -ln p[y], p clipped by 2^-52",
      CLASSES, ORR_SMALLER, log_loss, NULL, { REPORT(1), FOLDS(5) } },

    { "rmse", "rmse", NONE, "root of the mean d^2", NUMBERS, ORR_SMALLER, rmse, NULL,
      { SELECT(8), HISTORY(5), LINE(9), TABLE(10), LOG(4), FOLDS(6), DENSITY_FOLDS(3), GROUP(4) } },
    { "mae", "mae", NONE, "mean |d|", NUMBERS, ORR_SMALLER, mae, NULL,
      { SELECT(9), LINE(10), TABLE(11), FOLDS(7), DENSITY_FOLDS(4) } },
    { "bias", "bias", { 'g', 3, 10 }, "mean d", PLAIN, ORR_NEITHER, bias, NULL,
      { LINE(11), TABLE(12), GROUP(1) } },
    { "bias", "bias of dz", { 'g', 3, 10 }, "mean dz", REDSHIFTS, ORR_NEITHER, bias_of_dz, NULL,
      { LINE(11), TABLE(12), GROUP(1) } },
    { "sigma_mad", "sigma_mad", { 'g', 4, 10 }, "1.4826 median |d - median d|",
      PLAIN, ORR_SMALLER, sigma_mad, NULL,
      { SELECT(10), HISTORY(6), LINE(12), TABLE(13), LOG(3), FOLDS(8), DENSITY_FOLDS(1), GROUP(2) } },
    { "sigma_mad", "sigma_mad of dz", { 'g', 4, 10 }, "1.4826 median |dz - median dz|",
      REDSHIFTS, ORR_SMALLER, sigma_mad_of_dz, NULL,
      { SELECT(10), HISTORY(6), LINE(12), TABLE(13), LOG(3), FOLDS(8), DENSITY_FOLDS(1), GROUP(2) } },
    { "eta", "eta", { 'f', 4, 9 }, "share of |dz| > 0.05", REDSHIFTS, ORR_SMALLER, eta, NULL,
      { SELECT(11), LINE(13), TABLE(14), GROUP(3) } },
    { "r2", "r2", NONE, "1 - sum d^2 / sum (target - mean target)^2", NUMBERS, ORR_LARGER, r2, NULL,
      { LINE(14), TABLE(15) } },
    { "mse", "mse", NONE, "mean d^2", NUMBERS, ORR_SMALLER, mse, NULL, { REPORT(4) } },
    { "crps", "crps", { 'g', 4, 9 }, "integral of F^2 below the truth and (1 - F)^2 above it",
      DENSITIES, ORR_SMALLER, crps, NULL,
      { SELECT(12), HISTORY(7), LINE(15), TABLE(16), LOG(5), DENSITY_FOLDS(2), GROUP(5) } },
    { "pit_mean", "mean PIT", NONE, "mean F(truth): 0.5 when densities are right",
      DENSITIES, ORR_NEITHER, pit_mean, NULL, { LINE(16) } },
    { "pit_deviation", "deviation of PIT", NONE, "its deviation: 0.289 when densities are right",
      DENSITIES, ORR_NEITHER, pit_deviation, NULL, { LINE(17) } },
    { "pit_p", "p of a flat PIT", NONE, "p-value of chi-square of 20 bins of PIT against flat",
      DENSITIES, ORR_NEITHER, pit_p, NULL, { LINE(18) } },
};
/* clang-format on */

const int orr_n_metric_rows = sizeof orr_metric_rows / sizeof *orr_metric_rows;

_Static_assert(sizeof orr_metric_rows / sizeof *orr_metric_rows <= ORR_MAX_METRICS,
               "more rows than ORR_MAX_METRICS");
