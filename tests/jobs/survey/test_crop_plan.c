/* The plan of a crop, on one rank: what it makes of a catalogue, what a second start of the same
 * job finds and keeps, and what it refuses rather than mix: another job's folder, a crop at work,
 * a folder that is none of ours, a set that is there. */
#include "data/shard_help.h"
#include "jobs/survey/crop.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { SIZE = 16 };
static char dir[ORR_PATH_MAX];

static const char *in(const char *name)
{
    static char paths[8][ORR_PATH_MAX];
    static int next;
    char *path = paths[next++ % 8];

    in_dir(path, dir, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    assert_ok(orr_write_file(in(name), text, strlen(text)));
}

/* Five objects in three fields, one row without a place. */
static const char catalogue[] = "objID,ra,dec,run,field,z\n"
                                "11,10.0,0.5,2,7,0.1\n"
                                "12,10.1,0.5,1,9,0.2\n"
                                "13,10.2,0.5,2,7,0.3\n"
                                "14,10.3,0.5,1,8,0.4\n"
                                "15,10.4,0.5,2,7,0.5\n"
                                "16,,0.5,2,7,0.6\n";

/* ---- a job, as a command would read it ---- */
typedef struct job {
    orr_context context;
    orr_config *config;
    orr_crop_opts opts;
    orr_crop crop;
} job;

static void set(orr_config *config, const char *key, const char *value)
{
    char text[ORR_PATH_MAX + 64];

    snprintf(text, sizeof text, "%s=%s", key, value);
    assert_ok(orr_config_set(config, text));
}

/* changes: "key", "value", ..., NULL over the job of these tests. */
static void job_open(job *j, const char *const *changes)
{
    *j = (job){ .context = { .size = 1, .threads = 1 } };
    assert_ok(orr_comm_self_create(&j->context.world));
    assert_ok(orr_config_empty(&j->config));
    set(j->config, "catalogue.file", in("catalogue.csv"));
    set(j->config, "catalogue.target", "z");
    set(j->config, "catalogue.bands", "[g, r]");
    set(j->config, "archive.url", "'http://survey/{run}/{field}-{band}.fits'");
    set(j->config, "archive.folder", in("frames"));
    set(j->config, "crop.size", "16");
    set(j->config, "out", in("set/"));
    for (; changes && *changes; changes += 2)
        set(j->config, changes[0], changes[1]);
    assert_ok(orr_options_read(&j->opts, orr_crop_options, orr_config_root(j->config), ""));
    j->crop = (orr_crop){ .context = &j->context, .o = &j->opts, .lock = ORR_LOCK_INIT };
}

static void job_close(job *j)
{
    orr_catalogue_close(j->crop.catalogue);
    orr_archive_destroy(j->crop.archive);
    orr_text_free(&j->crop.job);
    orr_lock_release(&j->crop.lock);
    orr_config_destroy(j->config);
    orr_comm_destroy(j->context.world);
}

static void plan(job *j, const char *const *changes)
{
    job_open(j, changes);
    assert_ok(orr_crop_plan(&j->crop));
}

static void refused(const char *const *changes, orr_status code, const char *word)
{
    job j;

    job_open(&j, changes);
    assert_fails(orr_crop_plan(&j.crop), code, word);
    job_close(&j);
}

/* ---- what is planned ---- */
static void test_plan(void **state)
{
    orr_survey_field field;
    orr_survey_object object[5];
    char path[ORR_PATH_MAX];
    job j;

    (void)state;
    plan(&j, NULL);
    assert_string_equal(j.crop.out, in("set")); /* without the slash */
    assert_string_equal(j.crop.tmp, in("set.tmp"));
    assert_false(orr_path_exists(in("set")));
    assert_int_equal(j.crop.counts.rows, 6);
    assert_int_equal(j.crop.counts.objects, 5);
    assert_int_equal(j.crop.counts.aside, 1);
    assert_int_equal(j.crop.counts.fields, 3);
    assert_int_equal(j.crop.counts.parts, 3); /* of one field, the first ones */
    assert_int_equal(j.crop.schema.h, SIZE);
    assert_int_equal(j.crop.schema.c, 2);
    assert_string_equal(j.crop.schema.channel_names[1], "r");
    assert_string_equal(j.crop.schema.y_names[0], "z");
    assert_int_equal(j.crop.max_objects, (24 << 20) / (SIZE * SIZE * 2 * 4));
    /* fields by their values, objects by their field: runs 1 (fields 8, 9) and 2 */
    assert_ok(orr_catalogue_field(j.crop.catalogue, 2, &field));
    assert_int_equal(field.n_objects, 3);
    assert_ok(orr_catalogue_objects(j.crop.catalogue, 0, 5, object));
    for (int i = 0; i < 5; i++)
        assert_int_equal(object[i].id, ((const int[]){ 14, 12, 11, 13, 15 })[i]);
    assert_ok(orr_crop_piece_path(&j.crop, 3, path));
    assert_string_equal(path, in("set.tmp/parts/shard-00003.h5"));
    assert_ok(orr_crop_record_path(&j.crop, 12, path));
    assert_string_equal(path, in("set.tmp/parts/part-00012.csv"));
    job_close(&j);
}

/* What is remembered of a job in a set says nothing of where things lie, and all of what decides
 * about bytes. */
static void test_job_without_places(void **state)
{
    job a, b;

    (void)state;
    assert_ok(orr_make_dirs(in("elsewhere/frames")));
    write_text("elsewhere/catalogue.csv", catalogue);
    plan(&a, NULL);
    plan(&b, (const char *const[]){ "catalogue.file", in("elsewhere/catalogue.csv"), "out",
                                    in("elsewhere/set"), "archive.folder", in("elsewhere/frames"),
                                    "shard_mib", "3", NULL });
    assert_string_equal(a.crop.job.s, b.crop.job.s);
    assert_string_equal(a.crop.catalogue_sha, b.crop.catalogue_sha);
    assert_null(strstr(a.crop.job.s, dir));
    job_close(&b);
    remove_tree(in("elsewhere/set.tmp"));
    plan(&b,
         (const char *const[]){ "catalogue.bands", "[r, g]", "out", in("elsewhere/set"), NULL });
    assert_string_not_equal(a.crop.job.s, b.crop.job.s); /* another order of channels */
    job_close(&a);
    job_close(&b);
}

/* ---- a second start ---- */
static void test_second_start_keeps(void **state)
{
    struct stat first, second;
    job j;

    (void)state;
    plan(&j, NULL);
    job_close(&j);
    assert_int_equal(stat(in("set.tmp/plan.sqlite"), &first), 0);
    write_text("set.tmp/parts/part-00000.csv", "left\n");
    assert_ok(orr_make_dirs(in("set.tmp/set"))); /* an assembly that was stopped */
    write_text("set.tmp/set/shard-00000.h5", "half");
    plan(&j, NULL);
    assert_int_equal(stat(in("set.tmp/plan.sqlite"), &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
    assert_int_equal(j.crop.counts.objects, 5);
    assert_true(orr_path_exists(in("set.tmp/parts/part-00000.csv")));
    assert_false(orr_path_exists(in("set.tmp/set")));
    job_close(&j);
}

static void test_another_job(void **state)
{
    job j;

    (void)state;
    plan(&j, NULL);
    job_close(&j);
    write_text("set.tmp/parts/part-00000.csv", "done\n");
    refused((const char *const[]){ "crop.size", "18", NULL }, ORR_ERR_OPTION, "size: ");
    refused((const char *const[]){ "on_bad_frame", "fail", NULL }, ORR_ERR_OPTION, "on_bad_frame");
    refused((const char *const[]){ "part_fields", "2", NULL }, ORR_ERR_OPTION, "part_fields");
    write_text("catalogue.csv", "objID,ra,dec,run,field,z\n11,10.0,0.5,2,7,0.2\n"); /* other rows */
    refused(NULL, ORR_ERR_OPTION, "catalogue_sha256");
    write_text("catalogue.csv", catalogue);
    plan(&j, (const char *const[]){ "shard_mib", "2", NULL }); /* shards are cut at the end */
    job_close(&j);
    assert_int_equal(unlink(in("set.tmp/parts/part-00000.csv")),
                     0); /* nothing is lost: it may go */
    plan(&j, (const char *const[]){ "crop.size", "18", NULL });
    job_close(&j);
}

/* ---- whose folder is it? ---- */
static void test_crop_at_work(void **state)
{
    int lock;
    job j;

    (void)state;
    plan(&j, NULL);
    lock = open(in("set.tmp"), O_RDONLY | O_DIRECTORY);
    assert_true(lock >= 0);
    assert_int_not_equal(flock(lock, LOCK_EX | LOCK_NB), 0); /* while the crop lasts */
    job_close(&j);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    refused(NULL, ORR_ERR_EXISTS, "another orrery crop is at work");
    close(lock);
}

static void test_foreign_folder(void **state)
{
    job j;

    (void)state;
    assert_ok(orr_make_dirs(in("set.tmp")));
    write_text("set.tmp/thesis.tex", "mine");
    refused(NULL, ORR_ERR_EXISTS, "is there and is no unfinished crop");
    assert_true(orr_path_exists(in("set.tmp/thesis.tex")));
    assert_int_equal(unlink(in("set.tmp/thesis.tex")), 0);
    plan(&j, NULL); /* an empty one may be taken */
    job_close(&j);
}

/* ---- what stands under the name already ---- */
static void put_set(const job *made, const char *command)
{
    const char *input = "catalogue.csv", *sha = made->crop.catalogue_sha;
    orr_provenance p = { command, made->crop.job.s, 1, &input, &sha, NULL };
    orr_schema s = made->crop.schema;
    orr_rows rows;

    s.id_type = ORR_ID_INT;
    assert_ok(orr_rows_alloc(&rows, &s, 1));
    rows.n = 1;
    if (orr_path_is_dir(in("set"))) assert_ok(orr_remove_dir(in("set")));
    assert_ok(orr_set_create(in("set"), 0));
    assert_ok(orr_shard_write(in("set"), 0, &s, &rows, &p, &(orr_shard_opts){ 0 }));
    assert_ok(orr_index_write(in("set"), 1, &s, &p));
    orr_rows_free(&rows);
}

static void test_set_is_there(void **state)
{
    job j, other;

    (void)state;
    plan(&j, NULL);
    put_set(&j, "crop");
    job_close(&j);
    plan(&other, NULL);
    assert_true(other.crop.made);
    assert_false(orr_path_exists(in("set.tmp"))); /* what a killed start had left */
    refused((const char *const[]){ "crop.size", "18", NULL }, ORR_ERR_EXISTS, "holds a shard set");
    plan(&j, (const char *const[]){ "overwrite", "true", NULL });
    assert_false(j.crop.made);
    assert_true(orr_path_exists(in("set/index.h5"))); /* until the new one is whole */
    put_set(&j, "import");
    job_close(&j);
    job_close(&other);
    refused(NULL, ORR_ERR_EXISTS, "holds a shard set");
    write_text("set/index.h5", "damaged");
    refused(NULL, ORR_ERR_EXISTS, "holds a shard set");
}

/* ---- options ---- */
/* What was wrong in the job at first may be put right: nothing has been done for it. */
static void test_options(void **state)
{
    job j;

    (void)state;
    refused((const char *const[]){ "output", "single", "compression", "4", NULL }, ORR_ERR_OPTION,
            "does not go with output: single");
    refused((const char *const[]){ "archive.folder", in("nowhere"), NULL }, ORR_ERR_IO,
            "no such folder; fetch the frames first");
    refused((const char *const[]){ "catalogue.id", "objid2", NULL }, ORR_ERR_FORMAT,
            "catalogue.id");
    refused((const char *const[]){ "archive.path", "'{band}.fits'", NULL }, ORR_ERR_OPTION, "path");
    assert_false(orr_path_exists(in("set")));
    plan(&j, NULL);
    assert_int_equal(j.crop.counts.objects, 5);
    job_close(&j);
}

static int make_folder(void **state)
{
    (void)state;
    temp_dir(dir);
    write_text("catalogue.csv", catalogue);
    return orr_make_dirs(in("frames")) == ORR_OK ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    remove_tree(dir);
    return 0;
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(test_plan),         in_folder(test_job_without_places),
        in_folder(test_options),      in_folder(test_second_start_keeps),
        in_folder(test_another_job),  in_folder(test_crop_at_work),
        in_folder(test_set_is_there), in_folder(test_foreign_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
