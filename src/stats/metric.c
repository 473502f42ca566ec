/* stats/metric.c - rows found by name, by case and by list. */
#include "stats/metric.h"

#include <math.h>
#include <string.h>

orr_metric_case orr_metric_case_of(orr_output_type type, int n_classes, int is_redshift)
{
    if (type == ORR_OUTPUT_CLASSES) return n_classes == 2 ? ORR_CASE_BINARY : ORR_CASE_MULTICLASS;
    if (type == ORR_OUTPUT_DENSITY)
        return is_redshift ? ORR_CASE_REDSHIFT_DENSITIES : ORR_CASE_DENSITIES;
    return is_redshift ? ORR_CASE_REDSHIFTS : ORR_CASE_VALUES;
}

/* Inserts by place, behind those of equal place; returns the number. */
static int insert(const orr_metric *out[ORR_MAX_METRICS], int n, const orr_metric *m,
                  orr_metric_list list)
{
    int at = n;

    if (n == ORR_MAX_METRICS) return n;
    for (; at > 0 && out[at - 1]->place[list] > m->place[list]; at--)
        out[at] = out[at - 1];
    out[at] = m;
    return n + 1;
}

int orr_metrics_in(orr_metric_list list, orr_metric_case c, const orr_metric *out[ORR_MAX_METRICS])
{
    int n = 0;

    for (int i = 0; i < orr_n_metric_rows; i++) {
        const orr_metric *m = &orr_metric_rows[i];
        if (m->place[list] && m->cases >> c & 1) n = insert(out, n, m, list);
    }
    return n;
}

const char *orr_metric_name(orr_metric_list list, int i)
{
    const orr_metric *out[ORR_MAX_METRICS];
    int n = 0;

    for (int k = 0; k < orr_n_metric_rows; k++) {
        const orr_metric *m = &orr_metric_rows[k];
        int seen = 0;
        for (int j = 0; j < n; j++)
            seen |= strcmp(out[j]->name, m->name) == 0;
        if (m->place[list] && !seen) n = insert(out, n, m, list);
    }
    return i < n ? out[i]->name : NULL;
}

static int is_called(const orr_metric *m, const char *name)
{
    return strcmp(m->name, strcmp(name, "auto") == 0 ? "loss" : name) == 0;
}

const orr_metric *orr_metric_find(const char *name, orr_metric_case c)
{
    for (int i = 0; i < orr_n_metric_rows; i++)
        if (orr_metric_rows[i].cases >> c & 1 && is_called(&orr_metric_rows[i], name))
            return &orr_metric_rows[i];
    return NULL;
}

int orr_metric_is_loss(const orr_metric *m)
{
    return is_called(m, "loss");
}

double orr_metric_value(const orr_metric *m, const orr_metric_input *in)
{
    if (!m || !m->value) return NAN;
    return in->has_truth || orr_metric_is_loss(m) ? m->value(in) : NAN;
}

int orr_metric_is_known(const char *name)
{
    for (int i = 0; i < orr_n_metric_rows; i++)
        if (is_called(&orr_metric_rows[i], name)) return 1;
    return 0;
}

int orr_metric_larger(const char *name)
{
    for (int i = 0; i < orr_n_metric_rows; i++)
        if (is_called(&orr_metric_rows[i], name)) return orr_metric_rows[i].better == ORR_LARGER;
    return 0;
}

const char *orr_metric_word(int i)
{
    return i == 0 ? "auto" : orr_metric_name(ORR_IN_SELECT, i - 1);
}
