/* stats/metric.h - a metric is a row: its name, what it is defined for, which way is better, how it
 * follows from what was computed, and where it is shown.  train.select, history.csv, metrics.jsonl,
 * reports and tables visit the rows; no metric is known elsewhere.
 *
 * A new one: a function and a row in stats/metric_rows.c, its line in docs/metrics.md and its
 * oracle in tests/stats/ (test_metric.c demands both).
 *
 * What was predicted is one of six cases, and each row says for which it is defined.  A name may
 * have several rows when its definition (f1: of class 1, or the mean over classes) or the places
 * where it is shown differ from case to case; in one case it has one row at most.  A quantity that
 * is not defined is NaN.   Not collective; nothing here fails. */
#ifndef ORR_STATS_METRIC_H
#define ORR_STATS_METRIC_H

#include "core/output_type.h"
#include "stats/metrics.h"
#include "stats/redshift.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum orr_metric_case {
    ORR_CASE_BINARY,
    ORR_CASE_MULTICLASS,
    ORR_CASE_VALUES,
    ORR_CASE_DENSITIES,
    ORR_CASE_REDSHIFTS,          /* values */
    ORR_CASE_REDSHIFT_DENSITIES, /* densities of a redshift */
    ORR_N_METRIC_CASES
} orr_metric_case;
orr_metric_case orr_metric_case_of(orr_output_type type, int n_classes, int is_redshift);

/* Where metrics are shown.  A row has a place in each list, from 1; 0 = it is not there. */
typedef enum orr_metric_list {
    ORR_IN_SELECT,        /* train.select may name it */
    ORR_IN_HISTORY,       /* a column of history.csv */
    ORR_IN_LINE,          /* metrics.jsonl, and what a report says first */
    ORR_IN_REPORT,        /* what a report says beyond that */
    ORR_IN_TABLE,         /* the table for people */
    ORR_IN_LOG,           /* a training's log; the first two that are defined */
    ORR_IN_FOLDS,         /* means and deviations over folds; the first three in cv's table */
    ORR_IN_DENSITY_FOLDS, /* the same of densities */
    ORR_IN_CLASSES,       /* of each class */
    ORR_IN_GROUPS,        /* groups of redshifts or densities */
    ORR_N_METRIC_LISTS
} orr_metric_list;

/* What was computed of one set of predictions. */
typedef struct orr_metric_input {
    int has_truth;                     /* 0: all but the loss is NaN, and nothing below is read */
    double loss;                       /* the net's; NaN when it is not known */
    const orr_classification *classes; /* classes; NULL in the other cases */
    const orr_regression *values;      /* values and densities, of the point estimates */
    const orr_redshift *redshift;      /* dz of redshifts; PIT and CRPS of densities */
} orr_metric_input;

typedef enum { ORR_SMALLER = -1, ORR_NEITHER, ORR_LARGER } orr_better;

typedef struct orr_metric {
    const char *name;  /* in JSON, history.csv and train.select */
    const char *title; /* in tables for people */
    struct {
        char style; /* 'f' or 'g' as printf has them; 0 = it is never a narrow column */
        char digits, width;
    } format;
    const char *definition; /* one line, as docs/metrics.md has it */
    unsigned cases;         /* bits 1 << orr_metric_case */
    orr_better better;
    double (*value)(const orr_metric_input *in);            /* NULL: of classes alone */
    double (*of_class)(const orr_class_metrics *one_class); /* NULL: not of a class */
    unsigned char place[ORR_N_METRIC_LISTS];
} orr_metric;

enum { ORR_MAX_METRICS = 64 };
/* All rows. */
extern const orr_metric orr_metric_rows[];
extern const int orr_n_metric_rows;

/* The rows of a list for one case, by place; returns their number. */
int orr_metrics_in(orr_metric_list list, orr_metric_case c, const orr_metric *out[ORR_MAX_METRICS]);
/* The i-th name of a list over all cases, by place; NULL behind the last. */
const char *orr_metric_name(orr_metric_list list, int i);
/* A row by its name (or "auto": the loss); NULL when the name is not defined in that case. */
const orr_metric *orr_metric_find(const char *name, orr_metric_case c);
/* The one that needs no truth. */
int orr_metric_is_loss(const orr_metric *m);
/* NaN for m NULL. */
double orr_metric_value(const orr_metric *m, const orr_metric_input *in);
/* Is there such a metric in any case? */
int orr_metric_is_known(const char *name);
/* Is a larger value of the metric of this name (or "auto") better? */
int orr_metric_larger(const char *name);
/* The i-th word of train.select: auto and the names; NULL behind the last. */
const char *orr_metric_word(int i);

#ifdef __cplusplus
}
#endif
#endif
