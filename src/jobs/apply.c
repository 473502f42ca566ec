/* jobs/apply.c - load, predict, score, hand over. */
#include "jobs/apply.h"
#include "core/memory.h"

#include <string.h>

static orr_status read_job(orr_apply_opts *o, orr_config **config, const orr_args *args,
                           const orr_apply_command *c)
{
    ORR_TRY(orr_job_config(config, NULL, args));
    ORR_TRY(orr_options_read(o, c->options, orr_config_root(*config), ""));
    if (args->n_words != 2)
        return orr_fail(ORR_ERR_ARG, "a model and a shard set are needed: %s", c->usage);
    return c->check(o);
}

static orr_status plan_net(orr_net **net, orr_predictor **predictor, orr_app *app, orr_applied *a)
{
    int sizes[2];
    orr_limits limits = {
        .max_samples = ORR_EVAL_CHUNK, .max_leaves = 1, .max_runs = 1, .leaf_sizes = sizes
    };

    limits.n_leaf_sizes = orr_predict_leaf_sizes(orr_dataset_rows(a->samples.set), sizes);
    ORR_TRY(orr_model_accepts(&a->model, orr_dataset_schema(a->samples.set),
                              orr_dataset_path(a->samples.set)));
    ORR_TRY(orr_model_net(net, &a->model, &limits));
    return orr_predictor_create(predictor, app, &a->model, *net);
}

static orr_status predict(orr_applied *a, orr_app *app, const char *model, const char *data,
                          const orr_apply_opts *o)
{
    orr_net *net = NULL;
    orr_predictor *predictor = NULL;
    orr_real *logits = NULL;
    int64_t n;
    orr_status st;

    ORR_TRY_GOTO(st, done, orr_app_agree(app, orr_model_load(&a->model, model, o->kernels)));
    if (o->threshold >= 0) a->model.threshold = o->threshold;
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
                 orr_predictor_run(predictor, &a->samples, a->rows, n, logits,
                                   o->runtime.progress ? "predict" : NULL));
    st = orr_app_agree(app, orr_scores_create(&a->scores, &a->model, &a->samples, a->rows, n,
                                              logits, a->model.threshold));
done:
    orr_free(logits);
    orr_predictor_destroy(predictor);
    orr_net_destroy(net);
    return st;
}

orr_status orr_apply(orr_app *app, const orr_args *args, const orr_apply_command *c)
{
    orr_config *config = NULL;
    orr_apply_opts o = { 0 };
    orr_applied a;
    orr_status st = orr_app_agree(app, read_job(&o, &config, args, c));

    memset(&a, 0, sizeof a);
    if (st == ORR_OK) st = orr_app_runtime(app, &o.runtime);
    if (st == ORR_OK) st = predict(&a, app, args->words[0], args->words[1], &o);
    if (st == ORR_OK) st = orr_app_agree(app, app->rank == 0 ? c->output(app, &o, &a) : ORR_OK);
    orr_scores_free(&a.scores);
    orr_free(a.rows);
    orr_samples_close(&a.samples);
    orr_model_destroy(&a.model);
    orr_config_destroy(config);
    return st;
}
