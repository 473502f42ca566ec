/* jobs/survey/crop_plan.c - the unfinished folder, and the catalogue sorted by field in it. */
#include "core/json.h"
#include "core/log.h"
#include "core/memory.h"
#include "data/census.h"
#include "jobs/context/phase.h"
#include "jobs/context/same_job.h"
#include "jobs/survey/crop.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CUBES_BYTES = 24 << 20, /* of cubes in memory at once */
    LOCK_SECONDS = 2
};

static orr_status name_folders(orr_crop *c)
{
    ORR_TRY(orr_path_trim(c->out, c->o->out));
    ORR_TRY(orr_tmp_path(c->tmp, c->out));
    ORR_TRY(orr_path_join(c->parts, c->tmp, "parts"));
    return orr_path_join(c->set, c->tmp, "set");
}

orr_status orr_crop_piece_path(const orr_crop *c, int64_t first, char out[ORR_PATH_MAX])
{
    char name[48];

    snprintf(name, sizeof name, "shard-%05" PRId64 ".h5", first);
    return orr_path_join(out, c->parts, name);
}

orr_status orr_crop_record_path(const orr_crop *c, int64_t part, char out[ORR_PATH_MAX])
{
    char name[48];

    snprintf(name, sizeof name, "part-%05" PRId64 ".csv", part);
    return orr_path_join(out, c->parts, name);
}

/* What decides about the bytes, without places: the same catalogue and frames give the same set
 * wherever they lie and however they come. */
static orr_status describe_job(orr_crop *c)
{
    orr_catalogue_opts catalogue = c->o->catalogue;
    const char *path = c->o->archive.path;

    catalogue.file = orr_path_name(catalogue.file);
    catalogue.bands = c->bands;
    orr_text_add(&c->job, "catalogue:\n");
    ORR_TRY(orr_options_dump(&catalogue, orr_catalogue_options, &c->job, 2));
    orr_text_add(&c->job, "crop:\n");
    ORR_TRY(orr_options_dump(&c->o->crop, orr_cutout_options, &c->job, 2));
    orr_text_add(&c->job, "frames: ");
    orr_yaml_string(&c->job, orr_path_name(path && *path ? path : c->o->archive.url));
    orr_text_add(&c->job, "\nfields: [");
    for (int i = 0; i < orr_archive_n_fields(c->archive); i++) { /* the order of the cubes */
        if (i) orr_text_add(&c->job, ", ");
        orr_yaml_string(&c->job, orr_archive_fields(c->archive)[i]);
    }
    orr_text_add(&c->job, "]\n");
    return orr_text_status(&c->job);
}

/* ---- the unfinished folder: rank 0 ---- */
/* Waits a little for a start that was killed and has not ended yet. */
static orr_status lock_folder(orr_crop *c)
{
    return orr_lock_take(&c->lock, c->tmp,
                         &(orr_lock_opts){ .kind = ORR_LOCK_FOLDER,
                                           .seconds = LOCK_SECONDS,
                                           .busy = "another orrery crop is at work here; wait for "
                                                   "it, or choose another out" });
}

static int is_empty(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    int n = 0;

    while (d && (e = readdir(d)))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (d) closedir(d);
    return d && n == 0;
}

/* Makes tmp, or finds one that a crop has left. */
static orr_status make_folder(orr_crop *c)
{
    char job[ORR_PATH_MAX], half[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(job, c->tmp, "job.yaml"));
    ORR_TRY(orr_tmp_path(half, job));
    ORR_TRY(orr_make_dirs(c->tmp));
    ORR_TRY(lock_folder(c));
    if (orr_path_exists(job)) return ORR_OK;
    (void)unlink(half);
    if (is_empty(c->tmp)) return ORR_OK;
    return orr_fail(ORR_ERR_EXISTS,
                    "%s: is there and is no unfinished crop; remove it, or choose another out",
                    c->tmp);
}

/* What makes two jobs one: the catalogue's content, the crop, and how it is cut into parts. */
static orr_status identity(const orr_crop *c, orr_text *out)
{
    orr_text_printf(out,
                    "%scatalogue_sha256: %s\non_bad_frame: %s\npart_fields: %d\npart_objects: "
                    "%" PRId64 "\nversion: %s\n",
                    c->job.s, c->catalogue_sha, c->o->on_bad_frame, c->o->part_fields,
                    c->max_objects, ORRERY_VERSION);
    return orr_text_status(out);
}

/* No part has been begun: nothing is lost with the folder but a sorted catalogue. */
static int nothing_done(const orr_crop *c)
{
    return rmdir(c->parts) == 0 || errno == ENOENT;
}

/* Is what lies here this job's?  Of another one it may go as long as nothing has been done for it:
 * a start that ended at its catalogue does not stand in the way of one that puts that right. */
static orr_status check_job(const orr_crop *c, const char *plan)
{
    char path[ORR_PATH_MAX];
    orr_text now = ORR_TEXT_INIT;
    char *then = NULL;
    size_t bytes;
    orr_status st;

    ORR_TRY_GOTO(st, done, identity(c, &now));
    ORR_TRY_GOTO(st, done, orr_path_join(path, c->tmp, "job.yaml"));
    if (!orr_path_exists(path)) {
        st = orr_write_file(path, now.s, now.len);
        goto done;
    }
    ORR_TRY_GOTO(st, done, orr_read_file(&then, &bytes, path, (size_t)1 << 20));
    st = orr_same_job(now.s, then, c->tmp, "an unfinished crop",
                      "start that one again, remove the folder, or choose another out");
    if (st != ORR_ERR_OPTION || !nothing_done(c)) goto done;
    orr_error_clear();
    (void)unlink(plan);
    st = orr_write_file(path, now.s, now.len);
done:
    orr_text_free(&now);
    orr_free(then);
    return st;
}

static int says(const cJSON *o, const char *key, const char *want)
{
    return strcmp(orr_json_text(o, key, ""), want) == 0;
}

/* Does out hold what this job makes?  A set that cannot be read is not that. */
static orr_status look_for_made(orr_crop *c)
{
    orr_dataset *d = NULL;
    cJSON *from = NULL;
    orr_status st = ORR_OK;

    c->made = 0;
    if (!orr_path_is_dir(c->out)) return ORR_OK;
    st = orr_dataset_open(&d, c->out, 0);
    if (st == ORR_OK) from = cJSON_Parse(orr_dataset_provenance(d));
    if (from)
        c->made = says(from, "command", "crop") && says(from, "version", ORRERY_VERSION) &&
                  says(from, "job", c->job.s) &&
                  says(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(from, "inputs"), 0),
                       "sha256", c->catalogue_sha);
    cJSON_Delete(from);
    orr_dataset_close(d);
    if (!orr_is_data_fault(st)) return st;
    orr_error_clear();
    return ORR_OK;
}

/* A start that was killed when its set had just got its name. */
static orr_status clear_left(orr_crop *c, const char *plan)
{
    if (!orr_path_exists(c->tmp)) return ORR_OK;
    ORR_TRY(make_folder(c));
    ORR_TRY(check_job(c, plan));
    if (orr_path_is_dir(c->parts)) ORR_TRY(orr_remove_dir(c->parts));
    return orr_remove_dir(c->tmp);
}

/* A set that assembly did not finish: its rows are still in the parts. */
static orr_status drop_set(const orr_crop *c)
{
    return orr_path_is_dir(c->set) ? orr_remove_dir(c->set) : ORR_OK;
}

static orr_status build(orr_crop *c, const char *plan)
{
    ORR_TRY(orr_sha256_file(c->catalogue_sha, c->o->catalogue.file));
    if (!c->o->overwrite) ORR_TRY(look_for_made(c));
    if (c->made) return clear_left(c, plan);
    ORR_TRY(orr_set_check_output(c->out, c->o->overwrite));
    ORR_TRY(make_folder(c));
    ORR_TRY(check_job(c, plan));
    ORR_TRY(drop_set(c));
    ORR_TRY(orr_make_dirs(c->parts));
    if (orr_path_exists(plan)) return ORR_OK;
    return orr_catalogue_build(plan, &c->o->catalogue, orr_archive_fields(c->archive),
                               orr_archive_field_is_int(c->archive),
                               orr_archive_n_fields(c->archive), c->max_objects, c->o->part_fields);
}

/* ---- all ranks ---- */
static orr_status check_options(const orr_crop *c)
{
    const orr_crop_opts *o = c->o;

    if (strcmp(o->output, "single") == 0 && o->compression > 0)
        return orr_fail(ORR_ERR_OPTION,
                        "compression %d does not go with output: single, which is written by all "
                        "ranks at once; say 0, or output: shards",
                        o->compression);
    if (c->bands.n < 1 || c->bands.n > ORR_MAX_CHANNELS)
        return orr_fail(ORR_ERR_OPTION, "catalogue.bands: %d of them; give 1 to %d", c->bands.n,
                        ORR_MAX_CHANNELS);
    if (!o->stream && !orr_path_is_dir(o->archive.folder))
        return orr_fail(ORR_ERR_IO,
                        "archive.folder %s: no such folder; fetch the frames first (orrery fetch), "
                        "or say stream: true",
                        o->archive.folder);
    return ORR_OK;
}

/* x of the set, float32: what the crop makes of the bands. */
static void shape_samples(orr_crop *c)
{
    const orr_strings *bands = &c->bands;

    c->schema.x_type = ORR_X_F32;
    c->schema.n_dims = 3;
    c->schema.h = c->schema.w = c->o->crop.size;
    c->schema.c = bands->n;
    for (int b = 0; b < bands->n; b++)
        snprintf(c->schema.channel_names[b], sizeof c->schema.channel_names[b], "%s", bands->v[b]);
    c->schema.target_kind = orr_target_kind_of(c->o->catalogue.target_kind);
    c->schema.units[0] = '\0';
}

static orr_status open_plan(orr_crop *c, const char *plan)
{
    ORR_TRY(orr_catalogue_open(&c->catalogue, plan));
    c->counts = orr_catalogue_count(c->catalogue);
    orr_catalogue_schema(c->catalogue, &c->schema);
    shape_samples(c);
    if (c->counts.rounded)
        orr_log0(ORR_WARN, "crop",
                 "%" PRId64 " ids end in 000, as numbers do that were rounded (in a spreadsheet, "
                 "say): different objects may share one; get them again as texts (docs/formats.md)",
                 c->counts.rounded);
    if (c->counts.objects > 999999999)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: %" PRId64
                        " objects; a crop holds 999999999 at most, cut the catalogue",
                        c->o->catalogue.file, c->counts.objects);
    if (c->context->rank != 0 || c->o->stream) return ORR_OK;
    return orr_archive_check_places(c->archive, c->catalogue);
}

static orr_status prepare(orr_crop *c, char plan[ORR_PATH_MAX])
{
    c->bands = orr_catalogue_bands(&c->o->catalogue);
    ORR_TRY(check_options(c));
    if (*c->o->crop.sky) ORR_TRY(orr_sky_parse(&c->frame_sky, c->o->crop.sky, "crop.sky"));
    ORR_TRY(name_folders(c));
    ORR_TRY(orr_path_join(plan, c->tmp, "plan.sqlite"));
    ORR_TRY(orr_archive_create(&c->archive, &c->o->archive));
    ORR_TRY(describe_job(c));
    shape_samples(c);
    c->max_objects = (int64_t)(CUBES_BYTES / orr_schema_x_bytes(&c->schema));
    if (c->max_objects < 1) c->max_objects = 1;
    return ORR_OK;
}

/* ---- targets and aux numbers that look like they stand for none ---- */

static orr_status take_numbers(orr_census *census, const orr_survey_object *objects, int64_t n)
{
    const orr_schema *s = &census->schema;
    size_t width = s->y_type == ORR_Y_VALUE ? (size_t)s->y_width : 0, n_aux = (size_t)s->n_aux;
    orr_rows rows = { .n = n,
                      .y = orr_alloc((size_t)n * width + 1, sizeof(float)),
                      .aux = orr_alloc((size_t)n * n_aux + 1, sizeof(float)) };
    orr_status st = rows.y && rows.aux ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: census");

    for (int64_t i = 0; st == ORR_OK && i < n; i++) {
        memcpy((float *)rows.y + (size_t)i * width, objects[i].y, width * sizeof(float));
        memcpy(rows.aux + (size_t)i * n_aux, objects[i].aux, n_aux * sizeof(float));
    }
    if (st == ORR_OK) st = orr_census_add(census, &rows, 0);
    orr_free(rows.y);
    orr_free(rows.aux);
    return st;
}

static void say_sentinels(const orr_census *census)
{
    const orr_schema *s = &census->schema;
    int width = s->y_type == ORR_Y_VALUE ? s->y_width : 0;
    char item[256];

    for (int k = 0; k < width + s->n_aux; k++)
        if (orr_census_describe(&census->columns[k],
                                k < width ? s->y_names[k] : s->aux_names[k - width], item,
                                sizeof item))
            orr_log0(ORR_WARN, "crop",
                     "values that look like they stand for none: %s; if so, list them under "
                     "catalogue.missing",
                     item);
}

/* Rank 0: by data/census.h's rule, of the objects that make the set. */
static orr_status look_for_sentinels(orr_crop *c)
{
    enum { AT_ONCE = 4096 };
    orr_schema s = c->schema;
    orr_census *census = NULL;
    orr_survey_object *objects = orr_alloc(AT_ONCE, sizeof *objects);
    orr_status st = objects ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: census");

    s.x_type = ORR_X_U8; /* pixels are not looked at */
    s.n_dims = s.h = s.w = s.c = 1;
    if (st == ORR_OK) st = orr_census_create(&census, &s);
    for (int64_t i = 0; st == ORR_OK && census->n_columns && i < c->counts.objects; i += AT_ONCE) {
        int64_t n = c->counts.objects - i < AT_ONCE ? c->counts.objects - i : AT_ONCE;

        st = orr_catalogue_objects(c->catalogue, i, n, objects);
        if (st == ORR_OK) st = take_numbers(census, objects, n);
    }
    if (st == ORR_OK) say_sentinels(census);
    orr_census_destroy(census);
    orr_free(objects);
    return st;
}

orr_status orr_crop_plan(orr_crop *c)
{
    char plan[ORR_PATH_MAX];

    ORR_TRY(orr_phase(c->context, NULL, prepare(c, plan)));
    ORR_TRY(orr_phase_root(c->context, "plan", build(c, plan)));
    ORR_TRY(orr_comm_bcast(c->context->world, &c->made, sizeof c->made, 0));
    if (c->made) return ORR_OK;
    ORR_TRY(orr_comm_bcast(c->context->world, c->catalogue_sha, sizeof c->catalogue_sha, 0));
    ORR_TRY(orr_phase(c->context, NULL, open_plan(c, plan)));
    orr_log0(ORR_INFO, "crop",
             "%s: %" PRId64 " rows, %" PRId64 " objects in %" PRId64 " fields (%" PRId64
             " parts); %" PRId64 " rows merged with one of the same id and place (numbers of the "
             "target averaged), %" PRId64 " rows set aside",
             c->o->catalogue.file, c->counts.rows, c->counts.objects, c->counts.fields,
             c->counts.parts, c->counts.merged, c->counts.aside);
    return orr_phase_root(c->context, NULL, look_for_sentinels(c));
}
