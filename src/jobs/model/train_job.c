/* jobs/model/train_job.c - option tables of the training job. */
#include "jobs/model/train_job.h"
#include "core/text.h"
#include "jobs/context/runtime.h"
#include "nn/loss.h"
#include "stats/metric.h"

#include <string.h>

static const orr_option data_options[] = {
    ORR_OPTION_STRING(orr_data_opts, train, NULL, "shard set to train on"),
    ORR_OPTION_STRING(orr_data_opts, validation, "",
                      "shard set that chooses the best epoch; \"\" = a part of train"),
    ORR_OPTION_STRING(orr_data_opts, test, "",
                      "shard set evaluated once, at the end; \"\" = none, or test_fraction"),
    ORR_OPTION_REAL(orr_data_opts, validation_fraction, "0.2", 0, 0.95,
                    "share of train kept for validation when none is named (stratified); 0 = none"),
    ORR_OPTION_REAL(
        orr_data_opts, test_fraction, "0", 0, 0.95,
        "share of train kept for the final test when none is named (stratified), cut off first"),
    ORR_OPTION_INT64(orr_data_opts, split_seed, "1", 0, 4294967295.0, "seed of those splits"),
    ORR_OPTION_CHOICE(orr_data_opts, sampling, "shuffled", "shuffled|file|balanced",
                      "order of an epoch; balanced draws classes by shares"),
    ORR_OPTION_REALS(orr_data_opts, shares, "[]", 0, 1e9,
                     "balanced: share of each class, any scale; [] = equal"),
    ORR_OPTION_INT64(orr_data_opts, epoch_length, "0", 0, 1e15,
                     "samples an epoch draws; 0 = rows of the training split"),
    ORR_OPTION_CHOICE(
        orr_data_opts, overlap, "refuse", "refuse|drop|together|warn|allow",
        "when two splits share an id or a sample; drop: it is left out of the later of train, "
        "validation, test (in cv of the training rows, which come last); together: samples of "
        "train that are the same stay on one side of its splits"),
    ORR_OPTION_STRING(
        orr_data_opts, groups, "",
        "samples of train that stay on one side of its splits: the name of an aux "
        "number of it, or a table with id_column and group_column; cv takes them, too"),
    ORR_OPTION_STRING(orr_data_opts, group_column, "group", "name of the column of groups"),
    ORR_OPTION_STRINGS(orr_data_opts, id_column, "id",
                       "name of the column of ids beside it; several make one id, as in import"),
    ORR_OPTION_BOOL(orr_data_opts, verify, "false", "check every shard's sha256 before training"),
    ORR_OPTION_NODE(orr_data_opts, transforms,
                    "list of deterministic steps, saved with the model; kinds below"),
    ORR_OPTION_NODE(orr_data_opts, augment, "list of random steps, training only; kinds below"),
    ORR_OPTION_STRINGS(orr_data_opts, aux, "[]",
                       "numbers beside a sample (magnitudes) that the net takes, by name"),
    ORR_OPTION_NODE(orr_data_opts, aux_transforms,
                    "steps for the vector of them, such as - standardise: {per: feature}"),
    ORR_OPTION_CHOICE(
        orr_data_opts, names, "exact", "exact|match",
        "columns, channels, classes and targets of validation and test that are called "
        "as those of train but stand in another order: refused, or put into it"),
    ORR_OPTION_CHOICE(
        orr_data_opts, target_kind, "set", "set|value|redshift",
        "what the target is, where the set does not say it (target_kind of import and "
        "crop)"),
    ORR_OPTION_BOOL(orr_data_opts, statistics, "false",
                    "write statistics.h5: mean, variance, least and largest of each number of a "
                    "sample over the training split"),
    ORR_OPTION_END,
};

static const orr_option model_options[] = {
    ORR_OPTION_STRING(orr_model_opts, name, "",
                      "built-in model: kepler-cnn, kepler-cnn2, moons, inception, inception-mixed, "
                      "pasquet"),
    ORR_OPTION_NODE(orr_model_opts, layers, "or a list of layers of one's own (docs/job-file.md)"),
    ORR_OPTION_NODE(orr_model_opts, blocks,
                    "lists of layers with a name and parameters, for use in layers"),
    ORR_OPTION_INT(orr_model_opts, outputs, "0", 0, 1 << 20,
                   "built-in model: units of its last layer; 0 = as published"),
    ORR_OPTION_WORD(orr_model_opts, kernels, "cpu", orr_backend_name,
                    "cpu: oneDNN, OpenBLAS and own loops; cpu-bf16: products of bfloat16 numbers, "
                    "sums and weights float32; check: plain C, slow, the oracle; "
                    "fenced: check on memory that the host cannot touch, for tests"),
    ORR_OPTION_STRING(orr_model_opts, weights, "",
                      "begin with the weights of this model (a model.h5, a checkpoint or a run's "
                      "folder), layer by layer where name and shapes are the same; others, and a "
                      "head for other classes or targets, are fresh; \"\" = all are"),
    ORR_OPTION_END,
};

static const orr_option bins_options[] = {
    ORR_OPTION_INT(orr_bins, count, "0", 0, 4096, "equal bins; 0 = no density"),
    ORR_OPTION_REAL(orr_bins, min, "0", -1e30, 1e30, "lower edge of the first bin"),
    ORR_OPTION_REAL(orr_bins, max, "1", -1e30, 1e30, "upper edge of the last bin"),
    ORR_OPTION_END,
};

static const orr_option train_options[] = {
    ORR_OPTION_INT64(orr_train_opts, epochs, "10", 1, 1e9, "passes over the training split"),
    ORR_OPTION_INT64(orr_train_opts, batch, "32", 1, 1e7, "samples of a batch, over all ranks"),
    ORR_OPTION_INT(orr_train_opts, leaves, "8", 1, ORR_MAX_LEAVES,
                   "slices a batch is cut into; sums follow a tree over them, so results depend on "
                   "this and not on ranks"),
    ORR_OPTION_CHOICE(orr_train_opts, reduce, "ordered", "ordered|fast",
                      "ordered: same bytes on any number of ranks; fast: MPI's own order"),
    ORR_OPTION_INT64(orr_train_opts, seed, "1", 0, 9e15,
                     "seed of weights, order, augmentation and dropout"),
    ORR_OPTION_NODE(orr_train_opts, seeds,
                    "train the same job several times: 5 (from seed, seed + 1, ...) or a list of "
                    "seeds; the run is their mean"),
    ORR_OPTION_REAL(orr_train_opts, lr, "0.001", 0, 1000,
                    "learning rate (its maximum for onecycle and cosine)"),
    ORR_OPTION_KIND(orr_train_opts, loss, "auto", orr_loss_word,
                    "what training makes small, kinds below; auto: bce for one output and two "
                    "classes, ce for classes and bins, else mse"),
    ORR_OPTION_SECTION(orr_train_opts, bins, bins_options,
                       "the net answers with a density over bins of the target"),
    ORR_OPTION_CHOICE(
        orr_train_opts, calibrate, "none", "none|pit",
        "with bins; pit: densities are passed through a map that makes their PIT flat "
        "on the validation split; it is fitted once, on the best epoch, and saved with "
        "the model"),
    ORR_OPTION_REAL(orr_train_opts, pos_weight, "1", 0, 1e9, "bce: weight of the positive class"),
    ORR_OPTION_REAL(orr_train_opts, clip_norm, "0", 0, 1e30,
                    "largest L2 norm of the gradient over all parameters; 0 = no clipping"),
    ORR_OPTION_SECTION(orr_train_opts, optimiser, orr_optimiser_options, "how weights move"),
    ORR_OPTION_SECTION(orr_train_opts, schedule, orr_schedule_options,
                       "how the learning rate moves"),
    ORR_OPTION_WORD(orr_train_opts, select, "auto", orr_metric_word,
                    "validation metric that names the best epoch; auto = loss"),
    ORR_OPTION_INT64(orr_train_opts, patience, "0", 0, 1e9,
                     "stop after this many evaluations without a better one; 0 = never"),
    ORR_OPTION_INT64(orr_train_opts, evaluate_every, "1", 1, 1e9,
                     "epochs between evaluations of the validation split"),
    ORR_OPTION_INT64(orr_train_opts, checkpoint_steps, "0", 0, 1e15,
                     "steps between checkpoints, beside those by time; 0 = by time alone "
                     "(runtime.checkpoint_seconds)"),
    ORR_OPTION_INT64(orr_train_opts, max_steps, "0", 0, 1e15,
                     "stop after this many steps; 0 = epochs decide"),
    ORR_OPTION_BOOL(orr_train_opts, drop_last, "false",
                    "leave out the smaller last batch of an epoch"),
    ORR_OPTION_INT64(orr_train_opts, nonfinite_limit, "5", 1, 1e9,
                     "steps in a row with NaN or Inf (each is skipped) after which training stops; "
                     "it stands at its last checkpoint"),
    ORR_OPTION_REAL(orr_train_opts, bucket_mib, "4", 0.001, 4096,
                    "gradient bytes that start on their way together, MiB"),
    ORR_OPTION_REAL(orr_train_opts, threshold, "0.5", 0, 1,
                    "probability above which the positive class is named"),
    ORR_OPTION_END,
};

const orr_option orr_train_job_options[] = {
    ORR_OPTION_STRING(orr_train_job, run, NULL, "folder of the run; an existing run is resumed"),
    ORR_OPTION_BOOL(orr_train_job, overwrite, "false",
                    "replace a run of another job, or of other data, in the folder, once this one "
                    "is known to be valid; the same job is resumed"),
    ORR_OPTION_SECTION(orr_train_job, data, data_options, "samples"),
    ORR_OPTION_SECTION(orr_train_job, model, model_options, "network"),
    ORR_OPTION_SECTION(orr_train_job, train, train_options, "training"),
    ORR_OPTION_SECTION(orr_train_job, runtime, orr_runtime_options,
                       "this start only, not part of the run"),
    ORR_OPTION_END,
};

/* Only densities can be calibrated, and only on samples that the net was not trained on. */
static orr_status check_calibration(const orr_train_job *job)
{
    if (strcmp(job->train.calibrate, "none") == 0) return ORR_OK;
    if (job->train.bins.count == 0)
        return orr_fail(
            ORR_ERR_OPTION,
            "train.calibrate is %s, which is for densities: give train.bins, or leave it "
            "out",
            job->train.calibrate);
    if (job->data.validation[0] == '\0' && job->data.validation_fraction == 0)
        return orr_fail(
            ORR_ERR_OPTION,
            "train.calibrate is %s, which is fitted on the validation split, and there is "
            "none: give data.validation or data.validation_fraction",
            job->train.calibrate);
    return ORR_OK;
}

/* ---- seeds ---- */
static const int64_t largest_seed = 9000000000000000;

static orr_status bad_seeds(const orr_node *n, const char *why)
{
    char where[512];

    return orr_fail(ORR_ERR_OPTION,
                    "%s: train.seeds %s; give a number of trainings or a list of "
                    "seeds, such as 5 or [1, 2, 3]",
                    orr_node_where(n, where, sizeof where), why);
}

static orr_status count_seeds(const orr_train_opts *o, orr_seeds *out)
{
    int64_t n;

    if (orr_parse_int64(&n, o->seeds->scalar) != ORR_OK)
        return bad_seeds(o->seeds, "is no whole number");
    if (n < 1 || n > ORR_LIST_MAX) return bad_seeds(o->seeds, "is not 1 to 64");
    out->n = (int)n;
    for (int i = 0; i < out->n; i++)
        out->v[i] = o->seed + i;
    return ORR_OK;
}

orr_status orr_train_seeds(const orr_train_opts *o, orr_seeds *out)
{
    const orr_node *list = o->seeds;

    out->n = 0;
    if (!list) return ORR_OK;
    if (list->type == ORR_NODE_SCALAR) return count_seeds(o, out);
    if (list->type != ORR_NODE_LIST || list->n_items < 1 || list->n_items > ORR_LIST_MAX)
        return bad_seeds(list, "is not 1 to 64 seeds");
    for (int i = 0; i < list->n_items; i++) {
        if (list->items[i]->type != ORR_NODE_SCALAR ||
            orr_parse_int64(&out->v[i], list->items[i]->scalar) != ORR_OK || out->v[i] < 0 ||
            out->v[i] > largest_seed)
            return bad_seeds(list, "holds what is no whole number from 0 to 9e15");
        for (int k = 0; k < i; k++)
            if (out->v[k] == out->v[i]) return bad_seeds(list, "holds a seed twice");
    }
    out->n = list->n_items;
    return ORR_OK;
}

orr_status orr_train_job_read(orr_train_job *job, const orr_config *c)
{
    const orr_node *root = orr_config_root(c);
    orr_seeds seeds;
    char where[512];

    ORR_TRY(orr_options_read(job, orr_train_job_options, root, ""));
    if ((job->model.name[0] != '\0') == (job->model.layers != NULL)) {
        const orr_node *model = orr_node_get(root, "model");
        return orr_fail(ORR_ERR_OPTION, "%s: model needs either name or layers%s",
                        orr_node_where(model ? model : root, where, sizeof where),
                        job->model.layers ? ", not both" : "");
    }
    if (job->model.blocks && !job->model.layers)
        return orr_fail(ORR_ERR_OPTION,
                        "%s: model.blocks are for model.layers: write layers, too, "
                        "or take blocks out",
                        orr_node_where(job->model.blocks, where, sizeof where));
    if (job->model.layers && job->model.outputs)
        return orr_fail(ORR_ERR_OPTION, "model.outputs is for built-in models; write the units of "
                                        "the last layer in model.layers");
    if (job->train.bins.count && !(job->train.bins.max > job->train.bins.min))
        return orr_fail(ORR_ERR_OPTION, "train.bins: max %g is not above min %g",
                        job->train.bins.max, job->train.bins.min);
    ORR_TRY(check_calibration(job));
    ORR_TRY(orr_train_seeds(&job->train, &seeds));
    if (job->run[0] == '\0') return orr_fail(ORR_ERR_OPTION, "run: give the folder of the run");
    if (job->train.batch < job->train.leaves)
        return orr_fail(
            ORR_ERR_OPTION,
            "train.batch is %lld and train.leaves %d: a batch cannot have more leaves than samples",
            (long long)job->train.batch, job->train.leaves);
    return ORR_OK;
}

const char orr_train_job_mark[] = "data:\n";

orr_status orr_train_job_dump(const orr_train_job *job, orr_text *out)
{
    orr_option rows[8];
    orr_train_job j = *job;
    int n = 0;

    for (const orr_option *o = orr_train_job_options; o->type != ORR_OPT_END; o++)
        if (strcmp(o->key, "runtime") != 0 && strcmp(o->key, "run") != 0 &&
            strcmp(o->key, "overwrite") != 0)
            rows[n++] = *o;
    rows[n] = (orr_option)ORR_OPTION_END;
    if (!j.model.weights || !j.model.weights[0]) j.model.weights = NULL; /* as without the key */
    return orr_options_dump(&j, rows, out, 0);
}
