/* jobs/model/model.c - models from jobs and from files. */
#include "jobs/model/model.h"
#include "core/json.h"
#include "core/log.h"
#include "core/memory.h"
#include "data/storage/storage.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char format[] = "orrery-model-1";
const char orr_checkpoint_format[] = "orrery-checkpoint-1";

int orr_model_n_classes(const orr_model *m)
{
    return orr_loss_n_classes(&m->loss);
}

int orr_schema_is_redshift(const orr_schema *s)
{
    return s->y_type == ORR_Y_VALUE && s->y_width == 1 && s->target_kind == ORR_TARGET_REDSHIFT;
}

const char *orr_class_name(const orr_schema *s, int i, char *buf, size_t bytes)
{
    if (i < ORR_MAX_CLASSES && s->class_names[i][0])
        snprintf(buf, bytes, "%s", s->class_names[i]);
    else
        snprintf(buf, bytes, "%d", i);
    return buf;
}

static orr_shape input_shape(const orr_transform *t)
{
    orr_sample_shape s = orr_transform_shape(t);

    return (orr_shape){ .h = s.h, .w = s.w, .c = s.c };
}

/* What the loss needs to know of the data and of the net's output. */
static orr_status choose_loss(orr_model *m, const orr_kind_choice *loss, double pos_weight,
                              const orr_bins *bins)
{
    orr_loss_spec spec = { .name = loss->name,
                           .options = loss->options,
                           .output = orr_graph_output(m->graph),
                           .n_classes = m->schema.y_type == ORR_Y_CLASS ? m->schema.n_classes : 0,
                           .width = m->schema.y_width,
                           .pos_weight = pos_weight,
                           .bins = *bins };

    m->outputs = (int)orr_shape_count(spec.output);
    return orr_loss_init(&m->loss, &spec);
}

/* ---- numbers beside a sample ---- */
orr_status orr_model_aux_columns(const orr_model *m, const orr_schema *s, const char *what,
                                 int *columns)
{
    const char *wanted[ORR_MAX_AUX], *names[ORR_MAX_AUX];
    const orr_name_list want = { "the model", m->n_aux, wanted },
                        have = orr_schema_aux_list(s, what, names);
    int32_t at[ORR_MAX_AUX];
    orr_match_notes notes = { .warnings = ORR_TEXT_INIT };
    orr_status st;

    for (int i = 0; i < m->n_aux; i++)
        wanted[i] = m->aux_names[i];
    st = orr_names_match(&want, &have, ORR_NAMES_AUX, ORR_MATCH_MORE, at, &notes);
    if (st == ORR_OK && notes.warnings.s) /* they are picked by name, so they need one */
        st = orr_fail(ORR_ERR_SHAPE, "%s: its aux numbers have no names; import it with aux_names",
                      what);
    for (int i = 0; st == ORR_OK && i < m->n_aux; i++)
        columns[i] = at[i];
    orr_match_notes_free(&notes);
    return st;
}

int orr_model_aux_width(const orr_model *m)
{
    return m->aux_transform ? orr_transform_shape(m->aux_transform).c : 0;
}

static orr_status make_aux(orr_model *m, const orr_node *steps)
{
    orr_schema s;
    orr_sample_shape shape;

    if (m->n_aux == 0)
        return steps ? orr_fail(ORR_ERR_OPTION,
                                "data.aux_transforms without data.aux: name the numbers first")
                     : ORR_OK;
    orr_transform_aux_schema(&s, m->n_aux);
    ORR_TRY(orr_transform_create(&m->aux_transform, steps, &s));
    shape = orr_transform_shape(m->aux_transform);
    if (shape.h != 1 || shape.w != 1)
        return orr_fail(ORR_ERR_SHAPE, "data.aux_transforms: the result must be a vector");
    return ORR_OK;
}

static orr_status take_aux(orr_model *m, const orr_data_opts *d)
{
    int columns[ORR_MAX_AUX];

    if (d->aux.n > ORR_MAX_AUX)
        return orr_fail(ORR_ERR_OPTION, "data.aux: at most %d names", ORR_MAX_AUX);
    m->n_aux = d->aux.n;
    for (int i = 0; i < d->aux.n; i++)
        snprintf(m->aux_names[i], sizeof m->aux_names[i], "%s", d->aux.v[i]);
    ORR_TRY(orr_model_aux_columns(m, &m->schema, d->train, columns));
    return make_aux(m, d->aux_transforms);
}

/* The job's aux numbers must go somewhere. */
static orr_status check_aux(const orr_model *m, const orr_model_opts *o)
{
    if (m->n_aux == 0 || orr_graph_n_aux(m->graph)) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION, "data.aux names numbers that the net does not read: %s",
                    o->layers ? "add a layer \"aux\" and join it with concat, or leave data.aux out"
                              : "choose inception-mixed or pasquet, or leave data.aux out");
}

/* dz is divided by 1 + z, so z must be the redshift itself. */
static orr_status check_redshift(const orr_schema *s)
{
    if (!orr_schema_is_redshift(s) || !orr_schema_is_shifted(s)) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION,
                    "the target %s is a redshift, but the set was made with an input.shift of it: "
                    "import it without, or say target_kind: value",
                    s->y_names[0]);
}

orr_status orr_model_set_target_kind(orr_model *m, const char *word, const char *option)
{
    const orr_target_kind kind = orr_target_kind_of(word);

    if (!kind) return ORR_OK;
    if (m->schema.y_type != ORR_Y_VALUE || m->schema.y_width != 1)
        return orr_fail(ORR_ERR_OPTION, "%s is %s, which is said of one target of numbers; here %s",
                        option, word, m->schema.y_type == ORR_Y_VALUE ? "are several" : "is none");
    m->schema.target_kind = kind;
    return check_redshift(&m->schema);
}

void orr_model_tell_target(const orr_model *m, const char *component, const char *option)
{
    static const char *const names[] = { "z", "redshift", "z_spec", "zspec", "specz", "spec_z" };
    const orr_schema *s = &m->schema;

    if (s->y_type != ORR_Y_VALUE || s->y_width != 1 || s->target_kind) return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(s->y_names[0], names[i]) == 0)
            orr_log0(ORR_WARN, component,
                     "the target is called %s and is scored as a value; when it is a redshift, say "
                     "%s=redshift for scores of dz, else %s=value",
                     s->y_names[0], option, option);
}

orr_status orr_model_create(orr_model *m, const orr_train_job *job, const orr_schema *schema)
{
    int width;
    orr_status st;

    *m = (orr_model){ .schema = *schema, .threshold = job->train.threshold };
    ORR_TRY_GOTO(st, failed,
                 orr_model_set_target_kind(m, job->data.target_kind, "data.target_kind"));
    ORR_TRY_GOTO(st, failed, check_redshift(&m->schema));
    ORR_TRY_GOTO(st, failed, orr_backend_create(&m->backend, job->model.kernels));
    ORR_TRY_GOTO(st, failed, orr_transform_create(&m->transform, job->data.transforms, schema));
    ORR_TRY_GOTO(st, failed, take_aux(m, &job->data));
    width = orr_model_aux_width(m);
    if (job->model.layers)
        st = orr_graph_parse(&m->graph, input_shape(m->transform), width, job->model.blocks,
                             job->model.layers);
    else
        st = orr_model_build(&m->graph, job->model.name, input_shape(m->transform), width,
                             job->model.outputs);
    if (st != ORR_OK) goto failed;
    ORR_TRY_GOTO(st, failed, check_aux(m, &job->model));
    ORR_TRY_GOTO(st, failed,
                 choose_loss(m, &job->train.loss, job->train.pos_weight, &job->train.bins));
    ORR_TRY_GOTO(st, failed, orr_loss_check_net(&m->loss, m->graph, &m->remarks));
    return ORR_OK;
failed:
    orr_model_destroy(m);
    return st;
}

void orr_model_destroy(orr_model *m)
{
    orr_transform_destroy(m->transform);
    orr_transform_destroy(m->aux_transform);
    orr_graph_destroy(m->graph);
    orr_backend_destroy(m->backend);
    orr_config_destroy(m->texts);
    orr_seen_free(&m->seen);
    orr_free(m->weights);
    orr_free(m->job);
    orr_free(m->file);
    orr_text_free(&m->remarks);
    cJSON_Delete(m->record);
    memset(m, 0, sizeof *m);
}

orr_schema_side orr_model_side(const orr_model *m, const char *whose)
{
    return (orr_schema_side){ &m->schema, whose, orr_model_n_classes(m) };
}

orr_status orr_model_accepts(const orr_model *m, const orr_schema *s, const char *what)
{
    static const char *const types[] = { "float32", "float16", "uint8" };
    const orr_schema_side want = orr_model_side(m, "the model"), have = { s, what, 0 };
    orr_schema_match match;
    int columns[ORR_MAX_AUX];
    orr_status st = orr_schema_match_make(&match, &want, &have);

    orr_schema_match_free(&match);
    ORR_TRY(st);
    if (s->x_type != want.schema->x_type)
        return orr_fail(ORR_ERR_SHAPE,
                        "%s: samples are %s, the model takes %s; import them as that type", what,
                        types[s->x_type], types[want.schema->x_type]);
    return orr_model_aux_columns(m, s, what, columns);
}

/* ---- files ---- */
static void put_names(cJSON *o, const char *key, const char names[][ORR_DATA_NAME_MAX], int n)
{
    cJSON *list = cJSON_AddArrayToObject(o, key);

    for (int i = 0; i < n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(names[i]));
}

static int named_targets(const orr_schema *s)
{
    return s->y_width < ORR_MAX_TARGET_NAMES ? s->y_width : ORR_MAX_TARGET_NAMES;
}

/* Units and shifts of targets, where any has them. */
static void put_targets(cJSON *o, const orr_schema *s)
{
    const int n = s->y_type == ORR_Y_VALUE ? named_targets(s) : 0;
    int units = 0;

    for (int i = 0; i < n; i++)
        units |= s->y_units[i][0] != '\0';
    if (units) put_names(o, "y_units", s->y_units, n);
    if (orr_schema_is_shifted(s))
        cJSON_AddItemToObject(o, "y_shift", cJSON_CreateDoubleArray(s->y_shift, n));
}

/* What the samples looked like, and how the answer is read. */
static char *describe(const orr_model *m, const char *loss_options)
{
    const orr_schema *s = &m->schema;
    cJSON *o = cJSON_CreateObject();
    char *text;

    cJSON_AddNumberToObject(o, "height", s->h);
    cJSON_AddNumberToObject(o, "width", s->w);
    cJSON_AddNumberToObject(o, "channels", s->c);
    cJSON_AddNumberToObject(o, "dims", s->n_dims);
    cJSON_AddNumberToObject(o, "x_type", s->x_type);
    cJSON_AddNumberToObject(o, "y_type", s->y_type);
    cJSON_AddNumberToObject(o, "classes", s->n_classes);
    cJSON_AddNumberToObject(o, "y_width", s->y_width);
    cJSON_AddStringToObject(o, "units", s->units);
    put_names(o, "class_names", s->class_names, s->y_type == ORR_Y_CLASS ? s->n_classes : 0);
    put_names(o, "channel_names", s->channel_names,
              s->c < ORR_MAX_CHANNELS ? s->c : ORR_MAX_CHANNELS);
    if (s->feature_names[0]) cJSON_AddStringToObject(o, "feature_names", s->feature_names);
    if (s->y_type == ORR_Y_VALUE && s->target_kind)
        cJSON_AddStringToObject(o, "target_kind", orr_target_kind_name(s->target_kind));
    put_names(o, "y_names", s->y_names, s->y_type == ORR_Y_VALUE ? named_targets(s) : 0);
    put_targets(o, s);
    put_names(o, "aux_names", m->aux_names, m->n_aux);
    cJSON_AddStringToObject(o, "loss", orr_loss_name(&m->loss));
    if (strcmp(loss_options, "{}") != 0) cJSON_AddStringToObject(o, "loss_options", loss_options);
    cJSON_AddNumberToObject(o, "bins", m->loss.bins.count);
    cJSON_AddNumberToObject(o, "bins_min", m->loss.bins.min);
    cJSON_AddNumberToObject(o, "bins_max", m->loss.bins.max);
    cJSON_AddNumberToObject(o, "pos_weight", m->loss.pos_weight);
    cJSON_AddNumberToObject(o, "threshold", m->threshold);
    text = cJSON_Print(o);
    cJSON_Delete(o);
    return text;
}

static orr_status save_weights(const orr_net *net, const orr_net_copy *kept, orr_store_writer *f)
{
    orr_status st = orr_store_put_group(f, "weights");

    for (int i = 0; st == ORR_OK && i < orr_net_n_tensors(net); i++) {
        char name[2 * ORR_NAME_MAX + 16];
        orr_net_tensor t;
        orr_store_array a = { .type = ORR_STORE_F32 };
        orr_real *file;
        orr_net_tensor_info(net, i, &t);
        if (!(file = orr_alloc(t.count, sizeof *file)))
            return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", t.name);
        a.n_dims = t.n_dims;
        for (int d = 0; d < t.n_dims; d++)
            a.dims[d] = t.dims[d];
        if (kept)
            orr_net_tensor_of(net, i, t.is_state ? kept->state : kept->params, file);
        else
            st = orr_net_read_tensor(net, i, file);
        snprintf(name, sizeof name, "weights/%s", t.name);
        if (st == ORR_OK) st = orr_store_put(f, name, a, file);
        orr_free(file);
    }
    return st;
}

/* A chain of transforms is its text and its fitted numbers; NULL is an empty one. */
static orr_status save_steps(const orr_transform *t, orr_store_writer *f, const char *name)
{
    orr_text text = ORR_TEXT_INIT;
    orr_status st;

    if (t) orr_transform_dump(t, &text);
    st = orr_text_status(&text);
    if (st == ORR_OK) st = orr_store_put_text(f, name, text.s ? text.s : "");
    orr_text_free(&text);
    return st;
}

static orr_status save_numbers(const orr_transform *t, orr_store_writer *f, const char *name)
{
    size_t n = t ? orr_transform_n_numbers(t) : 0;
    double *numbers = orr_alloc(n + 1, sizeof *numbers);
    orr_status st;

    if (!numbers) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", orr_store_writer_path(f));
    if (t) orr_transform_get_numbers(t, numbers);
    st = orr_store_put(f, name, orr_store_vector(ORR_STORE_F64, (int64_t)n), numbers);
    orr_free(numbers);
    return st;
}

/* Knots as rows (at, to); without any there is no dataset, as in files older than it. */
static orr_status save_calibration(const orr_calibration *c, orr_store_writer *f)
{
    double knots[ORR_CALIBRATION_KNOTS][2];

    if (c->n == 0) return ORR_OK;
    for (int i = 0; i < c->n; i++) {
        knots[i][0] = c->at[i];
        knots[i][1] = c->to[i];
    }
    return orr_store_put(f, "calibration", orr_store_matrix(ORR_STORE_F64, c->n, 2), knots);
}

static orr_status read_calibration(orr_model *m, orr_store_reader *f)
{
    double knots[ORR_CALIBRATION_KNOTS][2];
    const int64_t n = orr_store_count(f, "calibration");
    orr_calibration *c = &m->calibration;

    if (n < 0) return ORR_OK;
    if (orr_loss_output_type(&m->loss) != ORR_OUTPUT_DENSITY)
        return orr_fail(ORR_ERR_FORMAT, "%s: holds a calibration, but answers with no density",
                        orr_store_reader_path(f));
    if (n < 4 || n > 2 * ORR_CALIBRATION_KNOTS || n % 2)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: calibration holds %lld numbers; 2 to %d pairs expected",
                        orr_store_reader_path(f), (long long)n, ORR_CALIBRATION_KNOTS);
    ORR_TRY(orr_store_get(f, "calibration", ORR_STORE_F64, (size_t)n, knots));
    c->n = (int)(n / 2);
    for (int i = 0; i < c->n; i++) {
        c->at[i] = knots[i][0];
        c->to[i] = knots[i][1];
    }
    return orr_calibration_check(c, orr_store_reader_path(f));
}

/* What the samples are, what is done to them, and the graph. */
static orr_status put_description(const orr_model *m, orr_store_writer *f)
{
    orr_text graph = ORR_TEXT_INIT, loss = ORR_TEXT_INIT;
    char *samples = NULL;
    orr_status st;

    ORR_TRY_GOTO(st, done, orr_loss_dump_options(&m->loss, &loss));
    if (!(samples = describe(m, loss.s))) {
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: %s", orr_store_writer_path(f));
        goto done;
    }
    ORR_TRY_GOTO(st, done, orr_graph_dump(m->graph, &graph));
    ORR_TRY_GOTO(st, done, orr_store_put_text(f, "graph", graph.s ? graph.s : ""));
    ORR_TRY_GOTO(st, done, orr_store_put_text(f, "samples", samples));
    ORR_TRY_GOTO(st, done, save_steps(m->transform, f, "transforms"));
    ORR_TRY_GOTO(st, done, save_steps(m->aux_transform, f, "aux_transforms"));
    ORR_TRY_GOTO(st, done, save_numbers(m->transform, f, "transform_numbers"));
    st = save_numbers(m->aux_transform, f, "aux_transform_numbers");
done:
    orr_text_free(&graph);
    orr_text_free(&loss);
    cJSON_free(samples);
    return st;
}

static orr_status put_record(orr_store_writer *f, const cJSON *record)
{
    char *printed = cJSON_Print(record);
    orr_status st = printed
                        ? orr_store_put_text(f, "record", printed)
                        : orr_fail(ORR_ERR_NOMEM, "out of memory: %s", orr_store_writer_path(f));

    cJSON_free(printed);
    return st;
}

static orr_status put_all(const orr_model *m, const orr_net *net, const orr_net_copy *kept,
                          const cJSON *record, orr_store_writer *f)
{
    ORR_TRY(put_description(m, f));
    ORR_TRY(orr_store_put_text(f, "job", m->job ? m->job : ""));
    ORR_TRY(put_record(f, record));
    ORR_TRY(save_calibration(&m->calibration, f));
    ORR_TRY(orr_seen_write(&m->seen, f));
    return save_weights(net, kept, f);
}

orr_status orr_model_save(const orr_model *m, const orr_net *net, const char *path,
                          const cJSON *record)
{
    orr_store_writer *f;
    orr_status st = orr_store_begin(&f, path, format);

    if (st == ORR_OK) st = put_all(m, net, NULL, record, f);
    return orr_store_commit(f, st);
}

orr_status orr_model_image(const orr_model *m, const orr_net *net, const orr_net_copy *kept,
                           const char *path, const cJSON *record, orr_store_image **image)
{
    orr_store_writer *f;
    orr_status st = orr_store_begin(&f, path, format);

    if (st == ORR_OK) st = put_all(m, net, kept, record, f);
    return orr_store_take(f, st, image);
}

/* ---- within a checkpoint ---- */
orr_status orr_model_put_parts(const orr_model *m, const cJSON *record, orr_store_writer *f)
{
    ORR_TRY(put_description(m, f));
    ORR_TRY(put_record(f, record));
    return orr_seen_write(&m->seen, f);
}

orr_status orr_model_pass_parts(orr_store_reader *f, cJSON **record, orr_seen *seen)
{
    orr_seen passed;
    orr_status st;

    static const char *const parts[] = {
        "graph",          "samples",           "transforms",
        "aux_transforms", "transform_numbers", "aux_transform_numbers"
    };
    char *text = NULL;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        ORR_TRY(orr_store_pass(f, parts[i]));
    if (record) *record = NULL;
    if (seen) *seen = (orr_seen){ .known = 0 };
    if (orr_store_count(f, "record") < 0) return ORR_OK; /* older than this */
    ORR_TRY(orr_store_get_text(f, "record", &text));
    if (record) *record = cJSON_Parse(text);
    orr_free(text);
    st = orr_seen_read(seen ? seen : &passed, f);
    if (!seen) orr_seen_free(&passed);
    return st;
}

static void get_names(const cJSON *o, const char *key, char names[][ORR_DATA_NAME_MAX], int max)
{
    const cJSON *item;
    int i = 0;

    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(o, key))
        if (i < max && cJSON_IsString(item))
            snprintf(names[i++], ORR_DATA_NAME_MAX, "%s", item->valuestring);
}

static void get_shifts(const cJSON *o, orr_schema *s)
{
    const cJSON *item;
    int i = 0;

    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(o, "y_shift")) {
        if (i < ORR_MAX_TARGET_NAMES && cJSON_IsNumber(item) && isfinite(item->valuedouble))
            s->y_shift[i] = item->valuedouble;
        i++;
    }
}

/* A whole number of the description, 0 without; -1 when it is none or more than `most`. */
static int whole(const cJSON *o, const char *key, int most)
{
    double v = orr_json_get(o, key, 0);

    return v >= 0 && v <= most ? (int)v : -1;
}

/* What the description says of the loss. */
typedef struct orr_read_loss {
    char name[32];
    char *options; /* "{key: value}"; NULL: none */
    double pos_weight;
    orr_bins bins;
} orr_read_loss;

static orr_status read_description(orr_model *m, const char *text, const char *path,
                                   orr_read_loss *l)
{
    cJSON *o = cJSON_Parse(text);
    orr_schema *s = &m->schema;
    const char *loss = orr_json_text(o, "loss", NULL);
    int x_type, y_type;

    if (!loss) {
        cJSON_Delete(o);
        return orr_fail(ORR_ERR_FORMAT, "%s: its description of samples is not readable", path);
    }
    s->h = whole(o, "height", INT32_MAX);
    s->w = whole(o, "width", INT32_MAX);
    s->c = whole(o, "channels", INT32_MAX);
    s->n_dims = whole(o, "dims", 3);
    x_type = whole(o, "x_type", ORR_X_U8);
    y_type = whole(o, "y_type", ORR_Y_VALUE);
    s->n_classes = whole(o, "classes", ORR_MAX_CLASSES);
    s->y_width = whole(o, "y_width", ORR_MAX_TARGETS);
    m->threshold = orr_json_get(o, "threshold", 0);
    l->pos_weight = orr_json_get(o, "pos_weight", 0);
    l->bins = (orr_bins){ whole(o, "bins", INT32_MAX), orr_json_get(o, "bins_min", 0),
                          orr_json_get(o, "bins_max", 0) };
    m->n_aux = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(o, "aux_names"));
    if (m->n_aux > ORR_MAX_AUX) m->n_aux = ORR_MAX_AUX;
    get_names(o, "aux_names", m->aux_names, ORR_MAX_AUX);
    get_names(o, "y_names", s->y_names, ORR_MAX_TARGET_NAMES);
    get_names(o, "y_units", s->y_units, ORR_MAX_TARGET_NAMES);
    get_shifts(o, s);
    get_names(o, "class_names", s->class_names, ORR_MAX_CLASSES);
    get_names(o, "channel_names", s->channel_names, ORR_MAX_CHANNELS);
    snprintf(s->feature_names, sizeof s->feature_names, "%s",
             orr_json_text(o, "feature_names", ""));
    s->target_kind = orr_target_kind_of(orr_json_text(o, "target_kind", ""));
    snprintf(s->units, sizeof s->units, "%s", orr_json_text(o, "units", ""));
    snprintf(l->name, sizeof l->name, "%s", loss);
    if (orr_json_text(o, "loss_options", NULL))
        l->options = orr_strdup(orr_json_text(o, "loss_options", NULL));
    cJSON_Delete(o);
    if (s->h < 1 || s->w < 1 || s->c < 1 || s->n_dims < 0 || x_type < 0 || y_type < 0 ||
        s->n_classes < 0 || s->y_width < 0 || l->bins.count < 0 ||
        (int64_t)s->h * s->w > INT32_MAX / s->c) /* as orr_schema_check_shape has it */
        return orr_fail(ORR_ERR_FORMAT, "%s: its description of samples makes no sense", path);
    s->x_type = (orr_x_type)x_type;
    s->y_type = (orr_y_type)y_type;
    return ORR_OK;
}

/* An empty list is written as [], which stands on the line of its key. */
static void add_steps(orr_text *text, const char *key, const char *list)
{
    orr_text_printf(text, "%s:%s%s\n", key, list[0] == '[' ? " " : "\n", list);
}

/* What a job file would be told is wrong with the file here, and named with it. */
static orr_status of_file(orr_status st, const char *path)
{
    if (st != ORR_ERR_OPTION) return st;
    if (strncmp(orr_error_text(), path, strlen(path)) == 0)
        return orr_fail_prefix(ORR_ERR_FORMAT, "%s", "");
    return orr_fail_prefix(ORR_ERR_FORMAT, "%s: ", path);
}

/* The transforms' texts are YAML lists; their trees live as long as the model. */
static orr_status read_texts(orr_model *m, const char *graph, const char *transforms,
                             const char *aux_transforms, const char *path)
{
    orr_text text = ORR_TEXT_INIT;
    const orr_node *root;
    orr_status st;

    add_steps(&text, "transforms", transforms);
    add_steps(&text, "aux_transforms", aux_transforms);
    ORR_TRY_GOTO(st, done, orr_text_status(&text));
    ORR_TRY_GOTO(st, done, orr_config_parse(&m->texts, text.s, path));
    root = orr_config_root(m->texts);
    ORR_TRY_GOTO(st, done,
                 orr_transform_create(&m->transform, orr_node_get(root, "transforms"), &m->schema));
    ORR_TRY_GOTO(st, done, make_aux(m, m->n_aux ? orr_node_get(root, "aux_transforms") : NULL));
    st = orr_graph_parse_text(&m->graph, input_shape(m->transform), orr_model_aux_width(m), graph);
done:
    orr_text_free(&text);
    return st;
}

static orr_status read_numbers(orr_transform *t, orr_store_reader *f, const char *name)
{
    size_t n = t ? orr_transform_n_numbers(t) : 0;
    double *numbers;
    orr_status st = orr_store_dup(f, name, ORR_STORE_F64, n, &numbers);

    if (st == ORR_OK && t) st = orr_transform_set_numbers(t, numbers, n);
    orr_free(numbers);
    return st;
}

/* One tensor at place *at of the weights; while they have no memory, only whether the file has it.
 */
static orr_status read_tensor(orr_model *m, orr_store_reader *f, const orr_layer *l,
                              const orr_tensor_info *t, size_t *at)
{
    char name[2 * ORR_NAME_MAX + 16];

    snprintf(name, sizeof name, "weights/%s.%s", l->name, t->name);
    if (m->weights)
        ORR_TRY(orr_store_get(f, name, ORR_STORE_F32, t->count, m->weights + *at));
    else
        ORR_TRY(orr_store_expect(f, name, t->count));
    *at += t->count;
    return ORR_OK;
}

/* All tensors in the order a net numbers them: parameters in graph order, then state. */
static orr_status read_tensors(orr_model *m, orr_store_reader *f, size_t *total)
{
    *total = 0;
    for (int state = 0; state < 2; state++)
        for (int i = 0; i < orr_graph_n_layers(m->graph); i++) {
            const orr_layer *l = orr_graph_layer(m->graph, i);
            const orr_tensor_info *t = state ? l->states : l->params;
            for (int k = 0; k < (state ? l->n_states : l->n_params); k++)
                ORR_TRY(read_tensor(m, f, l, &t[k], total));
        }
    return ORR_OK;
}

static orr_status read_weights(orr_model *m, orr_store_reader *f)
{
    size_t total;

    ORR_TRY(read_tensors(m, f, &total));
    if (!(m->weights = orr_alloc(total + 1, sizeof *m->weights)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %zu weights", total);
    return read_tensors(m, f, &total);
}

/* A net whose last layer squashes logits was allowed once: what it answers is what it learned, but
 * its probabilities are flat, and its reader should know. */
static orr_status read_loss(orr_model *m, const orr_read_loss *l, const char *path)
{
    orr_kind_choice kind = { .name = l->name };
    orr_config *config = NULL;
    orr_status st = ORR_OK;

    if (l->options) st = orr_config_parse(&config, l->options, path);
    ORR_TRY_GOTO(st, done, of_file(st, path));
    if (config) kind.options = orr_config_root(config);
    st = choose_loss(m, &kind, l->pos_weight, &l->bins);
    ORR_TRY_GOTO(st, done, of_file(st, path));
    st = orr_loss_check_net(&m->loss, m->graph, &m->remarks);
    if (st == ORR_ERR_OPTION) {
        orr_log0(ORR_WARN, "model", "%s was trained with answers that are squashed twice: %s", path,
                 orr_error_text());
        st = ORR_OK;
    }
done:
    orr_config_destroy(config);
    return st;
}

/* The parts that put_description wrote. */
static orr_status read_parts(orr_model *m, orr_store_reader *f, orr_read_loss *l)
{
    char *graph = NULL, *samples = NULL, *transforms = NULL, *aux = NULL;
    orr_status st;

    ORR_TRY_GOTO(st, done, orr_store_get_text(f, "graph", &graph));
    ORR_TRY_GOTO(st, done, orr_store_get_text(f, "samples", &samples));
    ORR_TRY_GOTO(st, done, read_description(m, samples, orr_store_reader_path(f), l));
    ORR_TRY_GOTO(st, done, orr_store_get_text(f, "transforms", &transforms));
    ORR_TRY_GOTO(st, done, orr_store_get_text(f, "aux_transforms", &aux));
    st = read_texts(m, graph, transforms, aux, orr_store_reader_path(f));
    ORR_TRY_GOTO(st, done, of_file(st, orr_store_reader_path(f)));
    ORR_TRY_GOTO(st, done, read_numbers(m->transform, f, "transform_numbers"));
    st = read_numbers(m->aux_transform, f, "aux_transform_numbers");
done:
    orr_free(graph);
    orr_free(samples);
    orr_free(transforms);
    orr_free(aux);
    return st;
}

static orr_status read_record(orr_model *m, orr_store_reader *f)
{
    char *record = NULL;
    orr_status st = orr_store_get_text(f, "record", &record);

    if (st == ORR_OK) m->record = cJSON_Parse(record);
    orr_free(record);
    return st;
}

static orr_status load_parts(orr_model *m, orr_store_reader *f)
{
    orr_read_loss l = { .pos_weight = 1 };
    orr_status st;

    ORR_TRY_GOTO(st, done, read_parts(m, f, &l));
    ORR_TRY_GOTO(st, done, orr_store_get_text(f, "job", &m->job));
    ORR_TRY_GOTO(st, done, read_record(m, f));
    ORR_TRY_GOTO(st, done, read_loss(m, &l, orr_store_reader_path(f)));
    ORR_TRY_GOTO(st, done, read_calibration(m, f));
    ORR_TRY_GOTO(st, done, orr_seen_read(&m->seen, f));
    ORR_TRY_GOTO(st, done, read_weights(m, f));
done:
    orr_free(l.options);
    return st;
}

/* ---- from a checkpoint ---- */
/* A slab as it lies in memory, into the net that knows where its tensors are. */
static orr_status read_slab(orr_net *net, int slab, const char *name, orr_store_reader *f)
{
    size_t n = slab == ORR_SLAB_STATE ? orr_net_state_count(net) : orr_net_param_count(net);
    orr_real *x;
    orr_status st = orr_store_dup(f, name, ORR_STORE_F32, n, &x);

    if (st == ORR_OK) st = orr_net_write(net, slab, 0, n, x);
    orr_free(x);
    return st;
}

/* All tensors of a net in file order. */
static orr_status take_weights(orr_model *m, const orr_net *net)
{
    size_t total = 0, at = 0;
    orr_net_tensor t;

    for (int i = 0; i < orr_net_n_tensors(net); i++) {
        orr_net_tensor_info(net, i, &t);
        total += t.count;
    }
    if (!(m->weights = orr_alloc(total + 1, sizeof *m->weights)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %zu weights", total);
    for (int i = 0; i < orr_net_n_tensors(net); i++) {
        orr_net_tensor_info(net, i, &t);
        ORR_TRY(orr_net_read_tensor(net, i, m->weights + at));
        at += t.count;
    }
    return ORR_OK;
}

static orr_status read_slabs(orr_model *m, orr_store_reader *f)
{
    char *names = NULL, *rest = NULL, *name;
    orr_net *net;
    orr_status st;

    ORR_TRY(orr_net_create(&net, m->graph, m->backend, &orr_limits_least));
    ORR_TRY_GOTO(st, done, orr_store_get_text(f, "optimiser_slabs", &names));
    ORR_TRY_GOTO(st, done, orr_store_pass(f, "counts"));
    ORR_TRY_GOTO(st, done, orr_store_pass(f, "numbers"));
    ORR_TRY_GOTO(st, done, orr_store_pass(f, "transform"));
    ORR_TRY_GOTO(st, done, read_slab(net, ORR_SLAB_PARAMS, "params", f));
    ORR_TRY_GOTO(st, done, read_slab(net, ORR_SLAB_STATE, "state", f));
    ORR_TRY_GOTO(st, done, orr_store_pass(f, "optimiser_steps"));
    for (name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        ORR_TRY_GOTO(st, done, orr_store_pass(f, name));
    st = take_weights(m, net);
done:
    orr_net_destroy(net);
    orr_free(names);
    return st;
}

static orr_status load_checkpoint(orr_model *m, orr_store_reader *f)
{
    orr_read_loss l = { .pos_weight = 1 };
    orr_status st;

    if (orr_store_count(f, "graph") < 0)
        return orr_fail(ORR_ERR_UNSUPPORTED,
                        "%s: a checkpoint of an earlier version, which cannot answer by itself; go "
                        "on with its run for a moment (orrery train JOB), then it can",
                        orr_store_reader_path(f));
    ORR_TRY_GOTO(st, done, orr_store_get_text(f, "job", &m->job));
    ORR_TRY_GOTO(st, done, orr_store_pass(f, "data"));
    ORR_TRY_GOTO(st, done, read_parts(m, f, &l));
    ORR_TRY_GOTO(st, done, read_record(m, f));
    ORR_TRY_GOTO(st, done, read_loss(m, &l, orr_store_reader_path(f)));
    ORR_TRY_GOTO(st, done, orr_seen_read(&m->seen, f));
    st = read_slabs(m, f);
done:
    orr_free(l.options);
    return st;
}

/* By the format that the file says it has. */
static orr_status load_file(orr_model *m, const char *file)
{
    char is[64] = "";
    orr_store_reader *f;
    orr_status st = orr_store_open(&f, file, NULL);

    if (st == ORR_OK && orr_store_attr_text(f, "format", is, sizeof is) != ORR_OK)
        orr_error_clear(); /* said better below */
    if (st == ORR_OK && strcmp(is, orr_checkpoint_format) == 0) {
        st = load_checkpoint(m, f);
    } else if (st == ORR_OK) {
        orr_store_close(f);
        st = orr_store_open(&f, file, format);
        if (st == ORR_OK) st = load_parts(m, f);
    }
    if (st == ORR_OK) st = orr_store_verify(f);
    orr_store_close(f);
    return st;
}

orr_status orr_model_load(orr_model *m, const char *path, const char *kernels)
{
    return orr_model_load_state(m, path, "auto", kernels);
}

orr_status orr_model_load_state(orr_model *m, const char *path, const char *state,
                                const char *kernels)
{
    char file[ORR_PATH_MAX];
    orr_status st;

    memset(m, 0, sizeof *m);
    ORR_TRY(orr_model_file(file, path, state));
    ORR_TRY(orr_backend_create(&m->backend, kernels));
    st = load_file(m, file);
    if (st == ORR_OK && !(m->file = orr_strdup(file)))
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: %s", file);
    if (st != ORR_OK) orr_model_destroy(m);
    return st;
}

orr_status orr_model_net(orr_net **out, orr_model *m, const orr_limits *limits)
{
    size_t at = 0;

    ORR_TRY(orr_net_create(out, m->graph, m->backend, limits));
    for (int i = 0; i < orr_net_n_tensors(*out); i++) {
        orr_net_tensor t;
        orr_net_tensor_info(*out, i, &t);
        ORR_TRY(orr_net_write_tensor(*out, i, m->weights + at));
        at += t.count;
    }
    return ORR_OK;
}
