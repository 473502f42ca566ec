/* jobs/train/training.c - from a job and its parts to the first step. */
#include "jobs/train/training.h"
#include "core/memory.h"
#include "jobs/context/phase.h"
#include "jobs/model/finite.h"
#include "jobs/model/predictor.h"
#include "jobs/model/scores.h"
#include "jobs/train/cautions.h"
#include "nn/graph.h"

#include <string.h>

/* train.calibrate needs enough samples, and none that answers are wanted of out of the fold. */
static orr_status check_calibration(const orr_training *t)
{
    const orr_split *p = t->parts->part;

    if (strcmp(t->job->train.calibrate, "none") == 0) return ORR_OK;
    if (p[ORR_FOLD].n && p[ORR_FOLD].rows == p[ORR_VALIDATION].rows)
        return orr_fail(ORR_ERR_OPTION,
                        "train.calibrate is fitted on the validation split, which here is what the "
                        "fold holds out: give data.validation_fraction");
    if (p[ORR_VALIDATION].n < ORR_CALIBRATION_FEWEST)
        return orr_fail(
            ORR_ERR_OPTION,
            "train.calibrate is fitted on the validation split, which has %lld samples; "
            "%d or more are needed",
            (long long)p[ORR_VALIDATION].n, ORR_CALIBRATION_FEWEST);
    return ORR_OK;
}

/* The metrics that train.select may name here, beside the loss: "rmse, mae". */
static void list_metrics(orr_metric_case c, orr_text *out)
{
    const orr_metric *m[ORR_MAX_METRICS];
    int n = orr_metrics_in(ORR_IN_SELECT, c, m);

    for (int i = 0; i < n; i++)
        if (!orr_metric_is_loss(m[i]))
            orr_text_printf(out, "%s%s", out->len ? ", " : "", m[i]->name);
}

/* train.select must be defined for what the model predicts. */
static orr_status check_select(const orr_training *t)
{
    static const char *const what[] = { "classes", "values", "densities" };
    const char *select = t->job->train.select;
    orr_output_type type = orr_loss_output_type(&t->model.loss);
    orr_metric_case c = orr_model_metric_case(&t->model),
                    redshift = orr_metric_case_of(type, orr_model_n_classes(&t->model), 1);
    orr_text names = ORR_TEXT_INIT;
    orr_status st;

    if (orr_metric_find(select, c)) return ORR_OK;
    list_metrics(c, &names);
    st = orr_fail(
        ORR_ERR_OPTION, "train.select is %s, which is not defined for %s (%s and loss are)%s%s%s",
        select, what[type], names.s ? names.s : "", orr_metric_find(select, redshift) ? "; " : "",
        orr_metric_find(select, redshift) ? select : "",
        orr_metric_find(select, redshift) ? " needs a redshift: say data.target_kind: redshift"
                                          : "");
    orr_text_free(&names);
    return st;
}

/* Targets must lie where the model's outputs can. */
static orr_status check_job(orr_training *t)
{
    ORR_TRY(check_select(t));
    ORR_TRY(check_calibration(t));
    ORR_TRY(orr_cautions_model(t->job, &t->model, &t->cautions));
    ORR_TRY(orr_cautions_parts(t->job, &t->model, t->parts, &t->cautions));
    return orr_splits_check_targets(t->parts, &t->model.loss.bins);
}

static orr_status check_sets(orr_training *t)
{
    orr_split used[ORR_N_SPLITS];
    int n_used = 0;

    for (int i = 0; i < ORR_N_SPLITS; i++)
        if (t->parts->part[i].n &&
            (i != ORR_FOLD || t->parts->part[i].rows != t->parts->part[ORR_VALIDATION].rows))
            used[n_used++] = t->parts->part[i];
    return orr_splits_check_overlap(t->context, used, n_used, t->job->data.overlap);
}

/* ---- what is trained ---- */
static orr_status make_order(orr_training *t)
{
    const orr_data_opts *d = &t->job->data;
    const orr_split *train = &t->parts->part[ORR_TRAIN];
    const orr_schema *schema = orr_dataset_schema(train->samples->set);
    const int32_t *labels = orr_dataset_labels(train->samples->set);
    orr_order_opts o = { .seed = (uint64_t)t->job->train.seed,
                         .n_rows = train->n,
                         .rows = train->rows,
                         .epoch_length = d->epoch_length };

    o.kind = strcmp(d->sampling, "file") == 0       ? ORR_ORDER_FILE
             : strcmp(d->sampling, "balanced") == 0 ? ORR_ORDER_BALANCED
                                                    : ORR_ORDER_SHUFFLED;
    if (o.kind == ORR_ORDER_BALANCED) {
        if (!labels)
            return orr_fail(ORR_ERR_OPTION, "data.sampling balanced needs classes; %s has none",
                            d->train);
        if (d->shares.n && d->shares.n != schema->n_classes)
            return orr_fail(ORR_ERR_OPTION, "data.shares has %d numbers, the set %d classes",
                            d->shares.n, schema->n_classes);
        t->train_labels = orr_alloc((size_t)o.n_rows + 1, sizeof *t->train_labels);
        if (!t->train_labels)
            return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld labels", (long long)o.n_rows);
        for (int64_t i = 0; i < o.n_rows; i++)
            t->train_labels[i] = labels[train->rows[i]];
        o.labels = t->train_labels;
        o.n_classes = schema->n_classes;
        o.shares = d->shares.n ? d->shares.v : NULL;
    }
    return orr_order_create(&t->order, &o);
}

static orr_status make_net(orr_training *t)
{
    const orr_train_opts *o = &t->job->train;
    int sizes[2 * ORR_N_SPLITS + 8], n_sizes = 0;
    int64_t length = orr_order_length(t->order), tail = length % o->batch;
    orr_limits limits = { .max_leaves = t->plan.last - t->plan.first,
                          .max_segments = t->plan.n_segments,
                          .training = 1,
                          .leaf_sizes = sizes };

    orr_step_leaf_sizes(&t->plan, o->batch, sizes, &n_sizes);
    orr_step_leaf_sizes(&t->plan, tail, sizes, &n_sizes);
    for (int i = 1; i < ORR_N_SPLITS; i++) {
        int more[2], n = orr_predict_leaf_sizes(t->parts->part[i].n, more);
        for (int k = 0; k < n; k++)
            sizes[n_sizes++] = more[k];
    }
    limits.max_samples = (int)(orr_leaf_begin(o->batch, t->plan.n_leaves, t->plan.last) -
                               orr_leaf_begin(o->batch, t->plan.n_leaves, t->plan.first)) +
                         1; /* leaves of a short batch that join may have one more */
    if (limits.max_samples < ORR_EVAL_CHUNK) limits.max_samples = ORR_EVAL_CHUNK;
    limits.n_leaf_sizes = n_sizes;
    ORR_TRY(orr_net_create(&t->net, t->model.graph, t->model.backend, &limits));
    ORR_TRY(orr_net_init(t->net, (uint64_t)o->seed));
    return orr_optimiser_create_for(&t->optimiser, &o->optimiser, t->net);
}

static orr_status make_schedule(orr_training *t)
{
    const orr_train_opts *o = &t->job->train;

    t->steps_per_epoch = orr_loader_steps_per_epoch(&t->loader);
    if (t->steps_per_epoch == 0)
        return orr_fail(ORR_ERR_OPTION,
                        "train.drop_last leaves nothing of %lld samples in batches of %lld",
                        (long long)orr_order_length(t->order), (long long)o->batch);
    return orr_schedule_init(&t->schedule, &o->schedule, o->lr, t->steps_per_epoch * o->epochs,
                             orr_metric_larger(o->select));
}

/* Everything that needs no other rank. */
static orr_status make_local(orr_training *t)
{
    const orr_train_opts *o = &t->job->train;
    const orr_samples *train = t->parts->part[ORR_TRAIN].samples;
    const orr_layer *wants;

    t->plan.fewest = orr_fewest_samples(orr_graph_leaf_values(t->model.graph, &wants));
    ORR_TRY(make_order(t));
    ORR_TRY(make_net(t));
    ORR_TRY(orr_augment_create(&t->augment, t->job->data.augment,
                               orr_transform_shape(t->model.transform)));
    t->loader = (orr_loader_opts){ .set = train->set,
                                   .cache = train->cache,
                                   .order = t->order,
                                   .transform = t->model.transform,
                                   .augment = t->augment,
                                   .n_aux = t->model.n_aux,
                                   .aux_columns = t->aux_columns,
                                   .aux_transform = t->model.aux_transform,
                                   .seed = (uint64_t)o->seed,
                                   .batch = o->batch,
                                   .n_leaves = o->leaves,
                                   .first_leaf = t->plan.first,
                                   .last_leaf = t->plan.last,
                                   .fewest = t->plan.fewest,
                                   .drop_last = o->drop_last,
                                   .last_epoch = o->epochs,
                                   .depth = 2,
                                   .threads = 1 };
    return make_schedule(t);
}

static orr_status make_plan(orr_training *t)
{
    const orr_train_opts *o = &t->job->train;

    if (t->context->size > o->leaves)
        return orr_fail(ORR_ERR_OPTION,
                        "%d ranks for train.leaves %d: some would have nothing to do; use at most "
                        "%d ranks, or more leaves (a different sum)",
                        t->context->size, o->leaves, o->leaves);
    return orr_leaf_plan_init(&t->plan, o->leaves, t->context->rank, t->context->size);
}

/* Every part's values are numbers, as they are stored or behind the transforms. */
static orr_status check_values(orr_training *t, int fitted)
{
    orr_finite_use use = { .transform = t->model.transform,
                           .aux_transform = t->model.aux_transform,
                           .n_aux = t->model.n_aux,
                           .targets = 1 };

    for (int i = 0; i < ORR_N_SPLITS; i++) {
        const orr_split *p = &t->parts->part[i];
        int columns[ORR_MAX_AUX];

        if (p->n == 0) continue;
        if (use.aux_transform)
            ORR_TRY(orr_model_aux_columns(&t->model, orr_dataset_schema(p->samples->set),
                                          orr_dataset_path(p->samples->set), columns));
        use.columns = columns;
        ORR_TRY(fitted ? orr_split_check_filled(t->context, p, &use)
                       : orr_split_check_stored(t->context, p, &use));
    }
    return ORR_OK;
}

/* What the transforms must learn of the training rows. */
static orr_status fit(orr_training *t)
{
    const orr_split *train = &t->parts->part[ORR_TRAIN];
    orr_fit_rows f = { .samples = train->samples, .rows = train->rows, .n = train->n };

    ORR_TRY(orr_samples_fit(t->context, &f, t->model.transform));
    if (!t->model.aux_transform) return ORR_OK;
    f.n_aux = t->model.n_aux;
    f.columns = t->aux_columns;
    return orr_samples_fit(t->context, &f, t->model.aux_transform);
}

static orr_status make_stepper(orr_training *t)
{
    const orr_train_opts *o = &t->job->train;
    orr_step_opts so = { .leaves = o->leaves,
                         .clip_norm = o->clip_norm,
                         .batch = o->batch,
                         .bucket_bytes = (size_t)(o->bucket_mib * 1048576.0),
                         .mode = strcmp(o->reduce, "fast") == 0 ? ORR_REDUCE_FAST
                                                                : ORR_REDUCE_ORDERED };

    return orr_stepper_create(&t->stepper, t->context, &t->model, t->net, t->optimiser, &t->plan,
                              &so);
}

/* What the loss must learn of the training rows. */
static orr_status fit_loss(orr_training *t)
{
    int n = orr_model_n_classes(&t->model);
    int64_t *counts = orr_alloc((size_t)n + 1, sizeof *counts);
    orr_status st;

    if (!counts) return orr_fail(ORR_ERR_NOMEM, "out of memory: counts of %d classes", n);
    orr_split_count_classes(&t->parts->part[ORR_TRAIN], n, counts);
    st = orr_loss_fit(&t->model.loss, n ? counts : NULL);
    orr_free(counts);
    return st;
}

static orr_status make_model(orr_training *t)
{
    ORR_TRY(orr_train_job_dump(t->job, &t->job_text));
    ORR_TRY(orr_text_status(&t->job_text));
    ORR_TRY(orr_model_create(&t->model, t->job,
                             orr_dataset_schema(t->parts->part[ORR_TRAIN].samples->set)));
    t->model.job = orr_strdup(t->job_text.s);
    ORR_TRY(check_job(t));
    return fit_loss(t);
}

orr_status orr_training_open(orr_training *t, orr_context *context, const orr_train_job *job,
                             const orr_splits *parts)
{
    *t = (orr_training){ .context = context, .job = job, .parts = parts };
    ORR_TRY(orr_phase(context, NULL, make_plan(t)));
    ORR_TRY(orr_phase(context, NULL, make_model(t)));
    ORR_TRY(check_sets(t));
    if (t->model.aux_transform)
        ORR_TRY(orr_model_aux_columns(&t->model,
                                      orr_dataset_schema(parts->part[ORR_TRAIN].samples->set),
                                      job->data.train, t->aux_columns));
    ORR_TRY(check_values(t, 0));
    ORR_TRY(fit(t));
    ORR_TRY(check_values(t, 1));
    ORR_TRY(orr_phase(context, NULL, make_local(t)));
    return make_stepper(t);
}

void orr_training_close(orr_training *t)
{
    orr_stepper_destroy(t->stepper);
    orr_optimiser_destroy(t->optimiser);
    orr_net_destroy(t->net);
    orr_order_destroy(t->order);
    orr_augment_destroy(t->augment);
    orr_model_destroy(&t->model);
    orr_seen_free(&t->earlier);
    orr_free(t->train_labels);
    orr_text_free(&t->job_text);
    orr_text_free(&t->cautions);
    *t = (orr_training){ 0 };
}
