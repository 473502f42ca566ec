/* jobs/apply.c - load, predict, score. */
#include "jobs/apply.h"
#include "core/memory.h"

#include <string.h>

static orr_status plan_net(orr_net **net, orr_predictor **predictor, orr_app *app, orr_applied *a)
{
    int sizes[2];
    orr_limits limits = { .max_samples = ORR_EVAL_CHUNK,
                          .max_leaves = 1,
                          .max_runs = 1,
                          .leaf_sizes = sizes,
                          .n_leaf_sizes =
                              orr_predict_leaf_sizes(orr_dataset_rows(a->samples.set), sizes) };

    ORR_TRY(orr_model_accepts(&a->model, orr_dataset_schema(a->samples.set),
                              orr_dataset_path(a->samples.set)));
    ORR_TRY(orr_model_net(net, &a->model, &limits));
    return orr_predictor_create(predictor, app, &a->model, *net);
}

orr_status orr_apply(orr_applied *a, orr_app *app, const char *model, const char *data,
                     const char *kernels, double threshold)
{
    orr_net *net = NULL;
    orr_predictor *predictor = NULL;
    orr_real *logits = NULL;
    int64_t n;
    orr_status st;

    memset(a, 0, sizeof *a);
    ORR_TRY_GOTO(st, done, orr_app_agree(app, orr_model_load(&a->model, model, kernels)));
    if (threshold >= 0) a->model.threshold = threshold;
    ORR_TRY_GOTO(st, done, orr_samples_open(&a->samples, app, data, 0));
    n = orr_dataset_rows(a->samples.set);
    st = plan_net(&net, &predictor, app, a);
    a->rows = orr_alloc((size_t)n + 1, sizeof *a->rows);
    logits = orr_alloc((size_t)n * (size_t)a->model.outputs + 1, sizeof *logits);
    if (st == ORR_OK && (!a->rows || !logits))
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: answers for %lld samples", (long long)n);
    ORR_TRY_GOTO(st, done, orr_app_agree(app, st));
    for (int64_t i = 0; i < n; i++)
        a->rows[i] = i;
    ORR_TRY_GOTO(st, done,
                 orr_predictor_run(predictor, &a->samples, a->rows, n, logits, "predict"));
    st = orr_app_agree(app, orr_scores_create(&a->scores, &a->model, &a->samples, a->rows, n,
                                              logits, a->model.threshold));
done:
    orr_free(logits);
    orr_predictor_destroy(predictor);
    orr_net_destroy(net);
    if (st != ORR_OK) orr_applied_free(a);
    return st;
}

void orr_applied_free(orr_applied *a)
{
    orr_scores_free(&a->scores);
    orr_free(a->rows);
    orr_samples_close(&a->samples);
    orr_model_destroy(&a->model);
    memset(a, 0, sizeof *a);
}
