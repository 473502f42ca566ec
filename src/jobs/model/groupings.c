/* jobs/model/groupings.c - redshift metrics in groups of samples. */
#include "core/memory.h"
#include "jobs/model/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int aux_column(const orr_schema *s, const char *name)
{
    for (int i = 0; i < s->n_aux; i++)
        if (strcmp(s->aux_names[i], name) == 0) return i;
    return -1;
}

/* The numbers that samples are grouped by. */
static orr_status take_numbers(double *by, const char *name, const orr_scores *s,
                               const orr_samples *samples, const int64_t *rows)
{
    const orr_schema *schema = orr_dataset_schema(samples->set);
    int column = aux_column(schema, name);

    if (column < 0 && strcmp(name, "target") != 0)
        return orr_fail(ORR_ERR_OPTION,
                        "by: %s has no aux number \"%s\"; give target, or one of those that orrery "
                        "info shows",
                        orr_dataset_path(samples->set), name);
    for (int64_t i = 0; i < s->n; i++) {
        by[i] = column < 0 ? (double)s->truth[i] + orr_schema_target_shift(schema, 0)
                           : (double)orr_samples_aux(samples, rows[i])[column];
        if (!isfinite(by[i]))
            return orr_fail(ORR_ERR_FORMAT,
                            "by: %s: \"%s\" is none (NaN or infinite) for some samples; import the "
                            "table again with input.nan: drop",
                            orr_dataset_path(samples->set), name);
    }
    return ORR_OK;
}

static orr_status make_grouping(orr_grouping *g, const orr_scores *s, const orr_samples *samples,
                                const int64_t *rows, const char *name, int n_groups, double outlier)
{
    double *by = orr_alloc((size_t)s->n + 1, sizeof *by);
    const double *density = s->output_type == ORR_OUTPUT_DENSITY ? s->p : NULL;
    orr_status st = ORR_OK;

    *g = (orr_grouping){ .n = n_groups };
    snprintf(g->name, sizeof g->name, "%s", name);
    g->edges = orr_alloc((size_t)n_groups + 1, sizeof *g->edges);
    g->groups = orr_alloc((size_t)n_groups + 1, sizeof *g->groups);
    if (!by || !g->edges || !g->groups)
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: %d groups", n_groups);
    if (st == ORR_OK) st = take_numbers(by, name, s, samples, rows);
    if (st == ORR_OK) st = orr_quantile_edges(by, s->n, n_groups, g->edges);
    if (st == ORR_OK)
        st = orr_redshift_by(orr_scores_point(s), s->truth, s->n, density, &s->bins,
                             s->is_redshift ? outlier : ORR_NO_REDSHIFT, by, g->edges, n_groups,
                             g->groups);
    orr_free(by);
    return st;
}

/* By the default alone nobody asked for groups. */
static orr_status check_unasked(const orr_strings *by)
{
    if (by->n == 0 || (by->n == 1 && strcmp(by->v[0], "target") == 0)) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION,
                    "by: \"%s\": redshifts and densities are scored in groups, and this model "
                    "answers with neither; leave by out",
                    by->v[0]);
}

orr_status orr_groupings_create(orr_groupings *out, const orr_scores *s, const orr_samples *samples,
                                const int64_t *rows, const orr_strings *by, int n_groups,
                                double outlier)
{
    orr_status st = ORR_OK;

    *out = (orr_groupings){ 0 };
    if (!s->has_truth) return ORR_OK;
    if (!s->is_redshift && s->output_type != ORR_OUTPUT_DENSITY) return check_unasked(by);
    if (by->n > ORR_MAX_GROUPINGS)
        return orr_fail(ORR_ERR_OPTION, "by: at most %d names", ORR_MAX_GROUPINGS);
    for (int i = 0; st == ORR_OK && i < by->n; i++) {
        st = make_grouping(&out->g[i], s, samples, rows, by->v[i], n_groups, outlier);
        out->n = i + 1;
    }
    if (st != ORR_OK) orr_groupings_free(out);
    return st;
}

void orr_groupings_free(orr_groupings *g)
{
    for (int i = 0; i < g->n; i++) {
        orr_free(g->g[i].edges);
        orr_free(g->g[i].groups);
    }
    g->n = 0;
}
