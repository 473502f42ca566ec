/* jobs/model.c - models from jobs and from files. */
#include "jobs/model.h"
#include "core/memory.h"
#include "jobs/h5_parts.h"

#include <stdio.h>
#include <string.h>

static const char format[] = "orrery-model-1";

int orr_model_n_classes(const orr_model *m)
{
    switch (m->loss.kind) {
    case ORR_LOSS_BCE:
        return 2;
    case ORR_LOSS_CE:
        return m->outputs;
    case ORR_LOSS_MSE:
        break;
    }
    return 0;
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

/* loss "auto" becomes what the data and the net's output call for. */
static orr_status choose_loss(orr_model *m, const char *name, double pos_weight)
{
    orr_shape out = orr_graph_output(m->graph);
    int n_classes = m->schema.y_type == ORR_Y_CLASS ? m->schema.n_classes : 0;

    if (strcmp(name, "auto") == 0)
        name = n_classes == 0 ? "mse" : n_classes == 2 && orr_shape_count(out) == 1 ? "bce" : "ce";
    if (name != m->loss_name) snprintf(m->loss_name, sizeof m->loss_name, "%s", name);
    m->outputs = (int)orr_shape_count(out);
    return orr_loss_init(&m->loss, name, out, n_classes, m->schema.y_width, pos_weight);
}

orr_status orr_model_create(orr_model *m, const orr_train_job *job, const orr_schema *schema)
{
    orr_status st;

    *m = (orr_model){ .schema = *schema, .threshold = job->train.threshold };
    ORR_TRY_GOTO(st, failed, orr_kernels_find(&m->kernels, job->model.kernels));
    ORR_TRY_GOTO(st, failed, orr_transform_create(&m->transform, job->data.transforms, schema));
    if (job->model.layers)
        st = orr_graph_parse(&m->graph, input_shape(m->transform), job->model.layers);
    else
        st = orr_model_build(&m->graph, job->model.name, input_shape(m->transform));
    if (st != ORR_OK) goto failed;
    ORR_TRY_GOTO(st, failed, choose_loss(m, job->train.loss, job->train.pos_weight));
    return ORR_OK;
failed:
    orr_model_destroy(m);
    return st;
}

void orr_model_destroy(orr_model *m)
{
    orr_transform_destroy(m->transform);
    orr_graph_destroy(m->graph);
    orr_config_destroy(m->texts);
    orr_free(m->weights);
    orr_free(m->job);
    cJSON_Delete(m->record);
    memset(m, 0, sizeof *m);
}

orr_status orr_model_accepts(const orr_model *m, const orr_schema *s, const char *what)
{
    static const char *const types[] = { "float32", "float16", "uint8" };
    const orr_schema *want = &m->schema;

    if (s->h != want->h || s->w != want->w || s->c != want->c)
        return orr_fail(
            ORR_ERR_SHAPE,
            "%s: samples are %d x %d x %d (height, width, channels), the model takes %d x %d x %d",
            what, s->h, s->w, s->c, want->h, want->w, want->c);
    if (s->x_type != want->x_type)
        return orr_fail(ORR_ERR_SHAPE,
                        "%s: samples are %s, the model takes %s; import them as that type", what,
                        types[s->x_type], types[want->x_type]);
    if (s->y_type == ORR_Y_CLASS && orr_model_n_classes(m) && s->n_classes > orr_model_n_classes(m))
        return orr_fail(ORR_ERR_SHAPE, "%s: %d classes, the model knows %d", what, s->n_classes,
                        orr_model_n_classes(m));
    return ORR_OK;
}

/* ---- files ---- */
static void put_names(cJSON *o, const char *key, const char names[][ORR_DATA_NAME_MAX], int n)
{
    cJSON *list = cJSON_AddArrayToObject(o, key);

    for (int i = 0; i < n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(names[i]));
}

/* What the samples looked like, and how the answer is read. */
static char *describe(const orr_model *m)
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
    cJSON_AddStringToObject(o, "loss", m->loss_name);
    cJSON_AddNumberToObject(o, "pos_weight", m->loss.pos_weight);
    cJSON_AddNumberToObject(o, "threshold", m->threshold);
    text = cJSON_Print(o);
    cJSON_Delete(o);
    return text;
}

static orr_status save_weights(const orr_net *net, orr_h5_file *f)
{
    orr_status st = ORR_OK;
    hid_t plist = H5Pcreate(H5P_GROUP_CREATE), group = -1;

    if (plist >= 0 && H5Pset_obj_track_times(plist, 0) >= 0)
        group = H5Gcreate2(f->id, "weights", H5P_DEFAULT, plist, H5P_DEFAULT);
    if (plist >= 0) H5Pclose(plist);
    if (group < 0) return orr_h5_fail(ORR_ERR_IO, "%s: could not be written", f->path);
    H5Gclose(group);
    for (int i = 0; st == ORR_OK && i < orr_net_n_tensors(net); i++) {
        char name[2 * ORR_NAME_MAX + 16];
        orr_net_tensor t;
        hsize_t dims[4];
        orr_real *file;
        orr_net_tensor_info(net, i, &t);
        if (!(file = orr_alloc(t.count, sizeof *file)))
            return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", t.name);
        for (int d = 0; d < t.n_dims; d++)
            dims[d] = (hsize_t)t.dims[d];
        orr_net_export(net, i,
                       t.is_state ? orr_net_state((orr_net *)net) : orr_net_params((orr_net *)net),
                       file);
        snprintf(name, sizeof name, "weights/%s", t.name);
        st = orr_h5_put_array(f, name, H5T_NATIVE_FLOAT, sizeof *file, t.n_dims, dims, file);
        orr_free(file);
    }
    return st;
}

orr_status orr_model_save(const orr_model *m, const orr_net *net, const char *path,
                          const cJSON *record)
{
    orr_text graph = ORR_TEXT_INIT, transform = ORR_TEXT_INIT;
    size_t n = orr_transform_n_numbers(m->transform);
    hsize_t dims = n;
    double *numbers = orr_alloc(n + 1, sizeof *numbers);
    char *samples = describe(m), *printed = cJSON_Print(record);
    orr_h5_file f;
    orr_status st = orr_h5_begin(&f, path, format);

    if (st == ORR_OK && (!numbers || !samples || !printed))
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: %s", path);
    if (st != ORR_OK) goto done;
    orr_transform_get_numbers(m->transform, numbers);
    orr_transform_dump(m->transform, &transform);
    ORR_TRY_GOTO(st, done, orr_graph_dump(m->graph, &graph));
    ORR_TRY_GOTO(st, done, orr_text_status(&transform));
    ORR_TRY_GOTO(st, done, orr_h5_put_string(&f, "graph", graph.s ? graph.s : ""));
    ORR_TRY_GOTO(st, done, orr_h5_put_string(&f, "samples", samples));
    ORR_TRY_GOTO(st, done, orr_h5_put_string(&f, "transforms", transform.s ? transform.s : ""));
    ORR_TRY_GOTO(st, done,
                 orr_h5_put_array(&f, "transform_numbers", H5T_NATIVE_DOUBLE, sizeof *numbers, 1,
                                  &dims, numbers));
    ORR_TRY_GOTO(st, done, orr_h5_put_string(&f, "job", m->job ? m->job : ""));
    ORR_TRY_GOTO(st, done, orr_h5_put_string(&f, "record", printed));
    ORR_TRY_GOTO(st, done, save_weights(net, &f));
done:
    st = orr_h5_commit(&f, st);
    orr_text_free(&graph);
    orr_text_free(&transform);
    orr_free(numbers);
    cJSON_free(samples);
    cJSON_free(printed);
    return st;
}

static double number(const cJSON *o, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static void get_names(const cJSON *o, const char *key, char names[][ORR_DATA_NAME_MAX], int max)
{
    const cJSON *item;
    int i = 0;

    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(o, key))
        if (i < max && cJSON_IsString(item))
            snprintf(names[i++], ORR_DATA_NAME_MAX, "%s", item->valuestring);
}

static orr_status read_description(orr_model *m, const char *text, const char *path,
                                   double *pos_weight)
{
    cJSON *o = cJSON_Parse(text);
    orr_schema *s = &m->schema;
    const cJSON *loss = cJSON_GetObjectItemCaseSensitive(o, "loss");

    if (!o || !cJSON_IsString(loss)) {
        cJSON_Delete(o);
        return orr_fail(ORR_ERR_FORMAT, "%s: its description of samples is not readable", path);
    }
    s->h = (int)number(o, "height");
    s->w = (int)number(o, "width");
    s->c = (int)number(o, "channels");
    s->n_dims = (int)number(o, "dims");
    s->x_type = (orr_x_type)number(o, "x_type");
    s->y_type = (orr_y_type)number(o, "y_type");
    s->n_classes = (int)number(o, "classes");
    s->y_width = (int)number(o, "y_width");
    m->threshold = number(o, "threshold");
    *pos_weight = number(o, "pos_weight");
    get_names(o, "class_names", s->class_names, ORR_MAX_CLASSES);
    get_names(o, "channel_names", s->channel_names, ORR_MAX_CHANNELS);
    snprintf(m->loss_name, sizeof m->loss_name, "%s", loss->valuestring);
    cJSON_Delete(o);
    if (s->h < 1 || s->w < 1 || s->c < 1 || s->x_type > ORR_X_U8 || s->y_type > ORR_Y_VALUE)
        return orr_fail(ORR_ERR_FORMAT, "%s: its description of samples makes no sense", path);
    return ORR_OK;
}

/* The transforms' text is a YAML list; its tree lives as long as the model. */
static orr_status read_texts(orr_model *m, const char *graph, const char *transforms,
                             const char *path)
{
    orr_text text = ORR_TEXT_INIT;
    orr_status st;

    orr_text_printf(&text, "transforms:\n%s", transforms);
    ORR_TRY_GOTO(st, done, orr_text_status(&text));
    ORR_TRY_GOTO(st, done, orr_config_parse(&m->texts, text.s, path));
    ORR_TRY_GOTO(st, done,
                 orr_transform_create(&m->transform,
                                      orr_node_get(orr_config_root(m->texts), "transforms"),
                                      &m->schema));
    ORR_TRY_GOTO(st, done, orr_graph_parse_text(&m->graph, input_shape(m->transform), graph));
done:
    orr_text_free(&text);
    return st;
}

/* All tensors in the order a net numbers them: parameters in graph order, then state. */
static orr_status read_weights(orr_model *m, orr_h5_file *f)
{
    size_t total = 0, at = 0;
    orr_status st = ORR_OK;

    for (int pass = 0; st == ORR_OK && pass < 2; pass++) {
        for (int state = 0; st == ORR_OK && state < 2; state++)
            for (int i = 0; st == ORR_OK && i < orr_graph_n_layers(m->graph); i++) {
                const orr_layer *l = orr_graph_layer(m->graph, i);
                const orr_tensor_info *t = state ? l->states : l->params;
                for (int k = 0; st == ORR_OK && k < (state ? l->n_states : l->n_params); k++) {
                    char name[2 * ORR_NAME_MAX + 16];
                    snprintf(name, sizeof name, "weights/%s.%s", l->name, t[k].name);
                    if (pass == 0) {
                        total += t[k].count;
                        continue;
                    }
                    st = orr_h5_get_array(f, name, H5T_NATIVE_FLOAT, sizeof(float), t[k].count,
                                          m->weights + at);
                    at += t[k].count;
                }
            }
        if (pass == 0 && !(m->weights = orr_alloc(total + 1, sizeof *m->weights)))
            st = orr_fail(ORR_ERR_NOMEM, "out of memory: %zu weights", total);
    }
    return st;
}

static orr_status load_parts(orr_model *m, orr_h5_file *f)
{
    char *graph = NULL, *samples = NULL, *transforms = NULL, *record = NULL;
    double *numbers = NULL, pos_weight = 1;
    size_t n;
    orr_status st;

    ORR_TRY_GOTO(st, done, orr_h5_get_string(f, "graph", &graph));
    ORR_TRY_GOTO(st, done, orr_h5_get_string(f, "samples", &samples));
    ORR_TRY_GOTO(st, done, orr_h5_get_string(f, "transforms", &transforms));
    ORR_TRY_GOTO(st, done, read_description(m, samples, f->path, &pos_weight));
    ORR_TRY_GOTO(st, done, read_texts(m, graph, transforms, f->path));
    n = orr_transform_n_numbers(m->transform);
    if (!(numbers = orr_alloc(n + 1, sizeof *numbers))) {
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: %s", f->path);
        goto done;
    }
    ORR_TRY_GOTO(
        st, done,
        orr_h5_get_array(f, "transform_numbers", H5T_NATIVE_DOUBLE, sizeof *numbers, n, numbers));
    ORR_TRY_GOTO(st, done, orr_transform_set_numbers(m->transform, numbers, n));
    ORR_TRY_GOTO(st, done, orr_h5_get_string(f, "job", &m->job));
    ORR_TRY_GOTO(st, done, orr_h5_get_string(f, "record", &record));
    m->record = cJSON_Parse(record);
    ORR_TRY_GOTO(st, done, choose_loss(m, m->loss_name, pos_weight));
    ORR_TRY_GOTO(st, done, read_weights(m, f));
done:
    orr_free(graph);
    orr_free(samples);
    orr_free(transforms);
    orr_free(record);
    orr_free(numbers);
    return st;
}

orr_status orr_model_load(orr_model *m, const char *path, const char *kernels)
{
    char file[ORR_PATH_MAX];
    orr_h5_file f;
    orr_status st;

    memset(m, 0, sizeof *m);
    ORR_TRY(orr_path_join(file, orr_path_is_dir(path) ? path : "",
                          orr_path_is_dir(path) ? "model.h5" : path));
    ORR_TRY(orr_kernels_find(&m->kernels, kernels));
    st = orr_h5_load_begin(&f, file, format);
    if (st == ORR_OK) st = load_parts(m, &f);
    st = orr_h5_load_end(&f, st, 1);
    if (st != ORR_OK) orr_model_destroy(m);
    return st;
}

orr_status orr_model_net(orr_net **out, orr_model *m, const orr_limits *limits)
{
    size_t at = 0;

    ORR_TRY(orr_net_create(out, m->graph, m->kernels, limits));
    for (int i = 0; i < orr_net_n_tensors(*out); i++) {
        orr_net_tensor t;
        orr_net_tensor_info(*out, i, &t);
        orr_net_import(*out, i, m->weights + at,
                       t.is_state ? orr_net_state(*out) : orr_net_params(*out));
        at += t.count;
    }
    return ORR_OK;
}
