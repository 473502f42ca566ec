/* data/synth/sdss.c - the synthetic sky survey as files: frames packed with bzip2, and the
 * catalogue. */
#include "data/synth/sdss.h"
#include "core/memory.h"
#include "data/synth/out.h"

#include <bzlib.h>
#include <math.h>
#include <string.h>

enum { DEALT = 64, LINE = 1024, MOST_FIELDS = 1000000, MOST_OBJECTS = 65535, MOST_PIXELS = 16384 };

#define T orr_synth_sdss_opts
const orr_option orr_synth_sdss_options[] = {
    ORR_OPTION_STRING(T, out, NULL, "folder of the survey: frames and catalogue.csv"),
    ORR_OPTION_INT64(T, fields, "12", 1, MOST_FIELDS, "fields, of five frames each"),
    ORR_OPTION_INT64(T, objects, "250", 1, MOST_OBJECTS, "galaxies a field"),
    ORR_OPTION_INT(T, width, "2048", 48, MOST_PIXELS, "of a frame, pixels"),
    ORR_OPTION_INT(T, height, "1489", 48, MOST_PIXELS, "of a frame, pixels"),
    ORR_OPTION_REAL(T, edges, "0.1", 0, 1, "share of galaxies within 16 pixels of an edge"),
    ORR_OPTION_REAL(T, saturated, "0.05", 0, 1, "share with a saturated star beside them"),
    ORR_OPTION_REAL(T, degenerate, "0.15", 0, 1, "share whose looks fit two redshifts"),
    ORR_OPTION_REAL(T, duplicates, "0.01", 0, 1, "share with a second row of another z"),
    ORR_OPTION_REAL(T, noise, "0.03", 0, 100, "sky noise of r, nanomaggies a pixel"),
    ORR_OPTION_INT(T, bits, "10", 0, 23, "mantissa bits kept, as the archive does; 0 = all"),
    ORR_OPTION_INT64(T, seed, "0", 0, INFINITY, "of all that is random"),
    ORR_OPTION_BOOL(T, overwrite, "false", "replace files that are there"),
    ORR_OPTION_END
};
#undef T

static orr_status check(const orr_synth_sdss_opts *o)
{
    if (o->fields >= 1 && o->fields <= MOST_FIELDS && o->objects >= 1 &&
        o->objects <= MOST_OBJECTS && o->width >= 48 && o->height >= 48 && o->bits >= 0 &&
        o->width <= MOST_PIXELS && o->height <= MOST_PIXELS)
        return ORR_OK;
    return orr_fail(ORR_ERR_ARG, "synth sdss: %lld fields of %lld objects, %d x %d pixels",
                    (long long)o->fields, (long long)o->objects, o->width, o->height);
}

/* ---- frames ---- */

static orr_status frame_path(char path[ORR_PATH_MAX], const orr_synth_sdss_opts *o,
                             const orr_sdss_field *f, int band)
{
    char name[128];

    snprintf(name, sizeof name, "%d/%d/%d/frame-%c-%06d-%d-%04d.fits.bz2", ORR_SDSS_RERUN, f->run,
             f->camcol, orr_sdss_bands[band].name, f->run, f->camcol, f->field);
    return orr_path_join(path, o->out, name);
}

static orr_status pack(const char *plain, size_t n, char **out, size_t *bytes)
{
    unsigned room = (unsigned)(n + n / 100 + 600), used = room; /* bzip2's own bound */
    char *packed = orr_alloc(room, 1);

    if (!packed) return orr_fail(ORR_ERR_NOMEM, "out of memory: a packed frame of %u bytes", room);
    if (BZ2_bzBuffToBuffCompress(packed, &used, (char *)(uintptr_t)plain, (unsigned)n, 9, 0, 0) !=
        BZ_OK) {
        orr_free(packed);
        return orr_fail(ORR_ERR_NOMEM, "out of memory: bzip2");
    }
    *out = packed;
    *bytes = used;
    return ORR_OK;
}

static orr_status make_frame(const orr_synth_sdss_opts *o, const orr_sdss_field *f, int band)
{
    size_t pixels = (size_t)o->width * (size_t)o->height, plain_bytes, packed_bytes;
    float *image = orr_alloc(pixels, sizeof *image);
    char path[ORR_PATH_MAX], *plain = NULL, *packed = NULL;
    orr_status st = ORR_OK;

    if (!image) return orr_fail(ORR_ERR_NOMEM, "out of memory: a frame of %zu pixels", pixels);
    orr_sdss_paint(o, f, band, image);
    ORR_TRY_GOTO(st, done, orr_sdss_fits(o, f, band, image, &plain, &plain_bytes));
    ORR_TRY_GOTO(st, done, pack(plain, plain_bytes, &packed, &packed_bytes));
    ORR_TRY_GOTO(st, done, frame_path(path, o, f, band));
    ORR_TRY_GOTO(st, done, orr_write_file(path, packed, packed_bytes));
done:
    orr_free(image);
    orr_free(plain);
    orr_free(packed);
    return st;
}

/* The first failure of any thread. */
static orr_status make_frames(const orr_synth_sdss_opts *o, const orr_sdss_field *f)
{
    orr_error first = { 0 };

#pragma omp parallel for schedule(dynamic)
    for (int b = 0; b < ORR_SDSS_BANDS; b++) {
        orr_status one = make_frame(o, f, b);

        if (one == ORR_OK) continue;
#pragma omp critical(orr_sdss_status)
        orr_error_keep(&first, one);
    }
    return orr_error_raise(&first);
}

static orr_status make_field(const orr_synth_sdss_opts *o, int64_t number)
{
    char path[ORR_PATH_MAX], folder[ORR_PATH_MAX];
    orr_sdss_field f;
    orr_status st = ORR_OK;

    ORR_TRY(orr_sdss_field_make(&f, o, number));
    ORR_TRY_GOTO(st, done, frame_path(path, o, &f, 0));
    ORR_TRY_GOTO(st, done, orr_path_dir(folder, path));
    ORR_TRY_GOTO(st, done, orr_make_dirs(folder));
    st = make_frames(o, &f);
done:
    orr_sdss_field_free(&f);
    return st;
}

static orr_status none_there(const orr_synth_sdss_opts *o, int64_t part, int64_t n_parts)
{
    orr_synth_sdss_opts empty = *o;
    char path[ORR_PATH_MAX];

    empty.objects = 0;
    for (int64_t number = part; number < o->fields && !o->overwrite; number += n_parts) {
        orr_sdss_field f;
        orr_status st;

        ORR_TRY(orr_sdss_field_make(&f, &empty, number));
        st = frame_path(path, o, &f, 0);
        orr_sdss_field_free(&f);
        ORR_TRY(st);
        if (orr_path_exists(path))
            return orr_fail(ORR_ERR_EXISTS,
                            "%s exists; set overwrite: true or choose another folder", path);
    }
    return ORR_OK;
}

orr_status orr_synth_sdss_fields(const orr_synth_sdss_opts *o, int64_t part, int64_t n_parts)
{
    const char *const names[] = { "catalogue.csv", NULL };

    ORR_TRY(check(o));
    if (part < 0 || part >= n_parts)
        return orr_fail(ORR_ERR_ARG, "synth sdss: part %lld of %lld", (long long)part,
                        (long long)n_parts);
    ORR_TRY(orr_synth_folder(o->out, names, o->overwrite));
    ORR_TRY(none_there(o, part, n_parts));
    for (int64_t number = part; number < o->fields; number += n_parts)
        ORR_TRY(make_field(o, number));
    return ORR_OK;
}

/* ---- catalogue ---- */

static const char HEADER[] =
    "objID,ra,dec,run,rerun,camcol,field,z,zErr,class,subClass,"
    "cModelMag_u,cModelMag_g,cModelMag_r,cModelMag_i,cModelMag_z,"
    "cModelMagErr_u,cModelMagErr_g,cModelMagErr_r,cModelMagErr_i,cModelMagErr_z,"
    "petroMag_r,e_bv_sfd,rowc_u,rowc_g,rowc_r,rowc_i,rowc_z,colc_u,colc_g,colc_r,colc_i,colc_z\n";

typedef struct {
    char text[LINE];
    size_t n;
} line;

static void add(line *l, int decimals, double value)
{
    l->n += (size_t)snprintf(l->text + l->n, LINE - l->n, ",%.*f", decimals, value);
}

static void add_bands(line *l, int decimals, const double *values, double plus)
{
    for (int b = 0; b < ORR_SDSS_BANDS; b++)
        add(l, decimals, values[b] + plus);
}

static orr_status add_row(orr_out_file *out, const orr_sdss_field *f, const orr_sdss_object *q,
                          double z)
{
    line l;

    l.n = (size_t)snprintf(l.text, LINE, "%lld,%.10f,%.10f,%d,%d,%d,%d,%.7f,%.7f,GALAXY,%s",
                           (long long)q->id, q->ra, q->dec, f->run, ORR_SDSS_RERUN, f->camcol,
                           f->field, z, 1e-5 + 1e-4 * q->z,
                           q->starforming ? "STARFORMING" : "QUIESCENT");
    add_bands(&l, 5, q->mag, 0);
    add_bands(&l, 5, q->mag_error, 0);
    add(&l, 5, q->petro_r);
    add(&l, 6, q->e_bv);
    add_bands(&l, 4, q->y, 0.5);
    add_bands(&l, 4, q->x, 0.5);
    l.text[l.n++] = '\n';
    return orr_out_file_add(out, l.text, l.n);
}

/* One object of each field in turn: the rows of a table that was never sorted by field. */
static orr_status deal(orr_out_file *out, const orr_sdss_field *fields, int n, int64_t objects,
                       int twins)
{
    for (int64_t i = 0; i < objects; i++)
        for (int k = 0; k < n; k++) {
            const orr_sdss_object *q = &fields[k].objects[i];

            if (!twins) ORR_TRY(add_row(out, &fields[k], q, q->z));
            if (twins && !isnan(q->twin_z)) ORR_TRY(add_row(out, &fields[k], q, q->twin_z));
        }
    return ORR_OK;
}

static orr_status add_fields(orr_out_file *out, const orr_synth_sdss_opts *o, int64_t first, int n)
{
    orr_sdss_field fields[DEALT];
    orr_status st = ORR_OK;
    int made = 0;

    for (; made < n; made++)
        ORR_TRY_GOTO(st, done, orr_sdss_field_make(&fields[made], o, first + made));
    for (int twins = 0; twins < 2; twins++)
        ORR_TRY_GOTO(st, done, deal(out, fields, n, o->objects, twins));
done:
    for (int k = 0; k < made; k++)
        orr_sdss_field_free(&fields[k]);
    return st;
}

orr_status orr_synth_sdss_catalogue(const orr_synth_sdss_opts *o)
{
    const char *const names[] = { "catalogue.csv", NULL };
    orr_out_file out;
    orr_status st;

    ORR_TRY(check(o));
    ORR_TRY(orr_synth_folder(o->out, names, o->overwrite));
    ORR_TRY(orr_synth_open(&out, o->out, names[0]));
    st = orr_out_file_add(&out, HEADER, sizeof HEADER - 1);
    for (int64_t at = 0; st == ORR_OK && at < o->fields; at += DEALT)
        st = add_fields(&out, o, at, o->fields - at < DEALT ? (int)(o->fields - at) : DEALT);
    return orr_out_file_close(&out, st);
}
