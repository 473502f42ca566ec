/* Model files: what was saved answers the same after loading; one that is damaged, cut, of another
 * format or version, or that describes what cannot be, is refused with the file's name. */
#include "jobs/model/model.h"

#include "core/log.h"
#include "core/memory.h"
#include "data/shard_help.h"
#include "data/storage/storage.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { SAMPLES = 3, W = 6, C = 2 };
static char dir[ORR_PATH_MAX];
static const char job_text[] =
    "run: x\n"
    "data: {train: y, transforms: [{standardise: {}}]}\n"
    "model: {kernels: check, layers: [{conv1d: {filters: 3, size: 3}}, batch_norm, relu, "
    "flatten, {linear: {units: 2}}]}\n"
    "train: {loss: ce}\n";

static const char *in(const char *name)
{
    static char paths[4][ORR_PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];

    assert_ok(orr_path_join(path, dir, name));
    return path;
}

static void make(orr_model *m, orr_config **config)
{
    orr_schema s = series_schema(ORR_X_F32, W, C);
    orr_train_job job = { 0 };
    double numbers[64];

    s.n_classes = 2;
    snprintf(s.channel_names[1], sizeof s.channel_names[1], "error");
    assert_ok(orr_config_parse(config, job_text, "job"));
    assert_ok(orr_train_job_read(&job, *config));
    assert_ok(orr_model_create(m, &job, &s));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        numbers[i] = 1 + (double)i / 8;
    assert_true(orr_transform_n_numbers(m->transform) <= sizeof numbers / sizeof *numbers);
    assert_ok(
        orr_transform_set_numbers(m->transform, numbers, orr_transform_n_numbers(m->transform)));
}

static const orr_limits limits = { .max_samples = SAMPLES,
                                   .max_leaves = 1,
                                   .max_segments = 1,
                                   .n_leaf_sizes = 1,
                                   .leaf_sizes = (const int[]){ SAMPLES } };

static void save(const char *path)
{
    cJSON *record = cJSON_Parse("{\"epoch\": 7}");
    orr_config *config;
    orr_model m;
    orr_net *net;

    make(&m, &config);
    assert_ok(orr_net_create(&net, m.graph, m.backend, &limits));
    orr_net_init(net, 5);
    assert_ok(orr_model_save(&m, net, path, record));
    orr_net_destroy(net);
    orr_model_destroy(&m);
    orr_config_destroy(config);
    cJSON_Delete(record);
}

static void test_save_and_load(void **state)
{
    orr_config *config;
    orr_model m, back;
    orr_net *net;
    char one[ORR_SHA256_HEX], other[ORR_SHA256_HEX];

    (void)state;
    save(in("model.h5"));
    assert_ok(orr_model_load(&back, dir, "check")); /* a run's folder */
    make(&m, &config);
    assert_int_equal(back.outputs, 2);
    assert_int_equal(orr_model_n_classes(&back), 2);
    assert_string_equal(back.schema.class_names[1], "planet");
    assert_string_equal(back.schema.channel_names[1], "error");
    assert_true(cJSON_GetObjectItem(back.record, "epoch")->valueint == 7);
    assert_ok(orr_model_accepts(&back, &m.schema, "set"));
    assert_ok(orr_model_net(&net, &back, &limits));
    assert_ok(orr_model_save(&back, net, in("again.h5"), back.record));
    assert_ok(orr_sha256_file(one, in("model.h5")));
    assert_ok(orr_sha256_file(other, in("again.h5")));
    assert_string_equal(one, other); /* weights, fitted numbers, names: all of it */
    orr_net_destroy(net);
    orr_model_destroy(&back);
    orr_model_destroy(&m);
    orr_config_destroy(config);
}

/* Options of the loss are kept. */
static void test_loss_options(void **state)
{
    char text[sizeof job_text + 64];
    orr_schema s = series_schema(ORR_X_F32, W, C);
    orr_train_job job = { 0 };
    orr_config *config;
    orr_text options = ORR_TEXT_INIT;
    cJSON *record = cJSON_CreateObject();
    orr_model m, back;
    orr_net *net;

    (void)state;
    s.n_classes = 2;
    snprintf(text, sizeof text, "%.*s{loss: {ce: {smoothing: 0.125}}}\n",
             (int)(strstr(job_text, "{loss") - job_text), job_text);
    assert_ok(orr_config_parse(&config, text, "job"));
    assert_ok(orr_train_job_read(&job, config));
    assert_ok(orr_model_create(&m, &job, &s));
    assert_ok(orr_net_create(&net, m.graph, m.backend, &limits));
    assert_ok(orr_model_save(&m, net, in("smooth.h5"), record));
    cJSON_Delete(record);
    orr_net_destroy(net);
    assert_ok(orr_model_load(&back, in("smooth.h5"), "check"));
    assert_ok(orr_loss_dump_options(&back.loss, &options));
    assert_string_equal(options.s, "{smoothing: 0.125}");
    orr_text_free(&options);
    orr_model_destroy(&back);
    orr_model_destroy(&m);
    orr_config_destroy(config);
}

/* A net that an older program allowed: read, and said. */
static void test_squashed_twice(void **state)
{
    orr_config *config;
    orr_model m, back;
    orr_net *net;
    cJSON *record = cJSON_CreateObject();
    char *log;
    size_t n;

    (void)state;
    make(&m, &config);
    assert_ok(orr_graph_add(m.graph, "softmax", "squash", NULL, NULL, 0, NULL));
    assert_ok(orr_net_create(&net, m.graph, m.backend, &limits));
    assert_ok(orr_model_save(&m, net, in("squashed.h5"), record));
    cJSON_Delete(record);
    orr_net_destroy(net);
    assert_ok(orr_log_file(in("log.txt")));
    assert_ok(orr_model_load(&back, in("squashed.h5"), "check"));
    assert_ok(orr_log_file(NULL));
    assert_ok(orr_read_file(&log, &n, in("log.txt"), 1 << 16));
    assert_non_null(strstr(log, "squashed.h5 was trained with answers that are squashed twice"));
    assert_non_null(strstr(log, "squash (softmax)"));
    orr_free(log);
    orr_model_destroy(&back);
    orr_model_destroy(&m);
    orr_config_destroy(config);
}

static void refused(const char *path, const char *word)
{
    orr_model m;

    assert_fails(orr_model_load(&m, path, "check"), ORR_ERR_FORMAT, word);
    assert_non_null(strstr(orr_error_text(), orr_path_name(path)));
    assert_null(m.graph);
}

static void test_damaged(void **state)
{
    const char *path = in("damaged.h5");
    struct stat info;
    char *bytes, *at;
    size_t n;

    (void)state;
    save(path);
    assert_int_equal(stat(path, &info), 0);
    assert_ok(orr_read_file(&bytes, &n, path, 1 << 24));
    at = memmem(bytes, n, "filters", 7); /* of the graph's text: still readable, another net */
    assert_non_null(at);
    at = memmem(at, 40, "3", 1);
    assert_non_null(at);
    *at = '4';
    assert_ok(orr_write_file(path, bytes, n));
    refused(path, "");
    *at = '3';
    at = memmem(bytes, n, "\"epoch\"", 7);
    assert_non_null(at);
    at[1] = 'E';
    assert_ok(orr_write_file(path, bytes, n));
    refused(path, "does not match its checksum");
    for (int tenth = 9; tenth >= 0; tenth--) {
        assert_int_equal(truncate(path, info.st_size * tenth / 10), 0);
        refused(path, "truncated");
    }
    orr_free(bytes);
}

/* A graph whose weights the file does not hold. */
static void test_made_up(void **state)
{
    static const char samples[] =
        "{\"loss\": \"mse\", \"height\": 1, \"width\": 6, \"channels\": 2, \"dims\": 2, "
        "\"y_type\": 2, \"y_width\": 60000, \"pos_weight\": 1}";
    float one = 0;
    orr_store_writer *w;

    (void)state;
    assert_ok(orr_store_begin(&w, in("made-up.h5"), "orrery-model-1"));
    assert_ok(orr_store_put_text(w, "graph", "layers: [flatten, {linear: {units: 60000}}]"));
    assert_ok(orr_store_put_text(w, "samples", samples));
    assert_ok(orr_store_put_text(w, "transforms", "[]"));
    assert_ok(orr_store_put_text(w, "aux_transforms", "[]"));
    assert_ok(orr_store_put(w, "transform_numbers", orr_store_vector(ORR_STORE_F64, 0), &one));
    assert_ok(orr_store_put(w, "aux_transform_numbers", orr_store_vector(ORR_STORE_F64, 0), &one));
    assert_ok(orr_store_put_text(w, "job", ""));
    assert_ok(orr_store_put_text(w, "record", "{}"));
    assert_ok(orr_store_put_group(w, "weights"));
    assert_ok(orr_store_put(w, "weights/linear1.weight", orr_store_vector(ORR_STORE_F32, 1), &one));
    assert_ok(orr_store_commit(w, ORR_OK));
    refused(in("made-up.h5"), "weights/linear1.weight holds 1 numbers, 720000 expected");
}

/* Files of other formats, and whole ones whose content cannot be. */
static void test_other_files(void **state)
{
    static const char sense[] = "{\"loss\": \"ce\", \"height\": 1, \"width\": 6, \"channels\": 2, "
                                "\"dims\": 2, \"y_type\": 1, \"classes\": 2}";
    static const struct {
        const char *format, *graph, *samples, *word;
    } files[] = {
        { "orrery-model-2", "[]", "{}",
          "its format is orrery-model-2; orrery-model-1 is expected" },
        { "orrery-stack-1", "[]", "{}", "its format is orrery-stack-1" },
        { "orrery-model-1", NULL, "{}", "has no text graph" },
        { "orrery-model-1", "[]", "{", "not readable" },
        { "orrery-model-1", "[]", "{\"loss\": \"ce\"}", "makes no sense" },
        { "orrery-model-1", "[]", sense, "has no text transforms" },
    };
    orr_model m;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        orr_store_writer *w;

        assert_ok(orr_store_begin(&w, in("other.h5"), files[i].format));
        if (files[i].graph) assert_ok(orr_store_put_text(w, "graph", files[i].graph));
        assert_ok(orr_store_put_text(w, "samples", files[i].samples));
        assert_ok(orr_store_commit(w, ORR_OK));
        refused(in("other.h5"), files[i].word);
    }
    assert_ok(orr_write_file(in("other.h5"), "hello", 5));
    refused(in("other.h5"), "not an HDF5 file");
    assert_int_not_equal(orr_model_load(&m, in("none.h5"), "check"), ORR_OK);
}

/* ---- what may stand where a model is wanted ---- */
static void make_empty(const char *name)
{
    assert_ok(orr_write_file(in(name), "", 0));
}

static void chooses(const char *state, const char *name)
{
    char file[ORR_PATH_MAX];

    assert_ok(orr_model_file(file, dir, state));
    assert_string_equal(orr_path_name(file), name);
}

static void test_states(void **state)
{
    char file[ORR_PATH_MAX];

    (void)state;
    (void)remove(in("model.h5"));
    assert_false(orr_model_is_there(dir));
    assert_int_equal(orr_model_file(file, dir, "auto"), ORR_ERR_IO);
    assert_int_equal(orr_model_file(file, dir, "best"), ORR_ERR_IO);
    assert_int_equal(orr_model_file(file, dir, "last"), ORR_ERR_IO);
    make_empty("checkpoint-last.h5"); /* nothing chose an epoch yet */
    assert_true(orr_model_is_there(dir));
    chooses("auto", "checkpoint-last.h5");
    chooses("last", "checkpoint-last.h5");
    assert_int_equal(orr_model_file(file, dir, "best"), ORR_ERR_IO);
    make_empty("checkpoint-best.h5");
    chooses("auto", "checkpoint-best.h5");
    chooses("best", "checkpoint-best.h5");
    chooses("last", "checkpoint-last.h5");
    make_empty("model.h5"); /* calibrated, perhaps */
    chooses("auto", "model.h5");
    chooses("best", "model.h5");
    chooses("last", "checkpoint-last.h5");
    assert_ok(orr_model_file(file, in("model.h5"), "auto"));
    assert_int_equal(orr_model_file(file, in("model.h5"), "last"), ORR_ERR_ARG);
}

static int make_folder(void **state)
{
    (void)state;
    temp_dir(dir);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return orr_remove_dir(dir) == ORR_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save_and_load),  cmocka_unit_test(test_loss_options),
        cmocka_unit_test(test_squashed_twice), cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_made_up),        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_states),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
