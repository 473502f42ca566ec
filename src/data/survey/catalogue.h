/* data/survey/catalogue.h - what a survey catalogue asks for: objects, and the fields they lie in.
 *
 * Build reads the catalogue once (formats/columns.h), merges rows with one id, sets aside rows that
 * cannot be used, sorts objects by field and writes all of it into one SQLite file, so that memory
 * stays small whatever the catalogue's size.  Any number of processes then open the file to read.
 *
 * Field: the values of the columns that the archive's templates name, without {band}.  Fields are
 * numbered in the order of their values (numbers by size, texts by bytes), objects within a field
 * in the order of their first row; all of it depends on the catalogue's content alone.
 * Positions are those of the system that `sky` names, else a FITS table's RADESYS and EQUINOX, else
 * ICRS; the plan holds them in ICRS.  Where `sky` says nothing, columns whose names speak of
 * another system or of no degrees (RAB1950, glon, RAh) are refused; units that are no degrees
 * (TUNITn) always are.
 * Duplicates: rows of one id are one object when they lie in one field and at one place, to within
 * merge_radius of the first row on the sky (across 0 hours and at the poles, too), and what is to
 * be learnt of them agrees: class labels are the same, targets differ from the first row's by no
 * more than merge_tolerance times 1 + its size.  The object has position, field and aux numbers of
 * the first row, and the mean of the targets.  The number of rows merged is kept for the log. No
 * id: an empty one, and those that no_id lists, which catalogues write where there is none. Set
 * aside, with a reason: no id; right ascension outside [0, 360), declination outside
 * [-90, 90], either not a number; a target or aux number that is none (formats/values.h); a label
 * that is no class; a field value that is no whole number where one is needed, or that a file name
 * cannot hold; a row with the id of an earlier one that is not the same object, with what differs
 * and the distance.  rows = objects + merged + aside, always. Ids: 64-bit integers when all of the
 * objects' are, else texts.  Those that were rounded (formats/id.h) are refused: ORR_ERR_FORMAT.
 * Parts: runs of whole fields with at most max_fields fields and about max_objects objects (a part
 * has at least one field; a field with more objects than max_objects is a part of its own): the
 * units that ranks take.  max_fields 0: one field in the first parts, one more for each 256 fields
 * before it, up to 32.  Parts depend on the catalogue and those two numbers alone.
 *
 * Build: one process.  Reading: every process its own handle; not thread-safe.   Not collective.
 * Errors: ORR_ERR_FORMAT (columns missing, with the nearest name; nothing usable at all),
 * ORR_ERR_IO, ORR_ERR_OPTION. */
#ifndef ORR_DATA_SURVEY_CATALOGUE_H
#define ORR_DATA_SURVEY_CATALOGUE_H

#include "core/options.h"
#include "core/status.h"
#include "data/shard.h"
#include "data/survey/template.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_PART_GROWTH = 256, ORR_PART_FIELDS_MAX = 32 };

/* The `catalogue:` section of fetch and crop jobs. */
typedef struct orr_catalogue_opts {
    const char *file, *table;         /* table: of FITS */
    orr_strings id;                   /* columns: one, or several whose values make the id */
    const char *ra, *dec;             /* columns; "ra", "dec", degrees */
    const char *sky;                  /* the system of ra and dec (sky.h); "" = see above */
    orr_strings target;               /* columns of float targets: [z]; [] = none; [auto] */
    const char *target_kind;          /* unsaid | value | redshift */
    const char *label;                /* or one column of classes; "" = none */
    orr_strings classes, class_names; /* values that become classes 0, 1, ... */
    orr_strings aux;                  /* columns of aux numbers */
    const orr_node *missing;          /* values that stand for none (formats/values.h) */
    orr_strings no_id;                /* ids that stand for none; [] = -1 and 0 */
    double merge_radius;              /* arcseconds: 1 */
    double merge_tolerance;           /* of targets, in 1 + the first one's size: 0.01 */
    orr_strings bands; /* what {band} stands for, and the order of channels; [] = u, g, r, i, z */
} orr_catalogue_opts;
extern const orr_option orr_catalogue_options[];
/* bands as they are, or the five of SDSS. */
orr_strings orr_catalogue_bands(const orr_catalogue_opts *o);

typedef struct orr_catalogue_counts {
    int64_t rows, objects, merged, aside, fields, parts;
    int64_t rounded; /* ids of objects that end in 000, when the greater part does (id.h); else 0 */
} orr_catalogue_counts;

/* Writes the file (whole or not at all; one that is there is replaced; SQLite sorts in its
 * temporary folder: SQLITE_TMPDIR, TMPDIR, else /var/tmp).  fields: the names that the templates
 * ask for, without "band"; is_int[i]: it must be a whole number. */
orr_status orr_catalogue_build(const char *file, const orr_catalogue_opts *o,
                               const char *const *fields, const int *is_int, int n_fields,
                               int64_t max_objects, int64_t max_fields);

typedef struct orr_catalogue orr_catalogue;
orr_status orr_catalogue_open(orr_catalogue **out, const char *file);
void orr_catalogue_close(orr_catalogue *c);
orr_catalogue_counts orr_catalogue_count(const orr_catalogue *c);
/* What the objects' samples will have of it: y, id, aux with their names and sizes (x is the
 * crop's). */
void orr_catalogue_schema(const orr_catalogue *c, orr_schema *s);
/* sha256 over all that was put in, hex: does an unfinished output belong to this catalogue? */
const char *orr_catalogue_identity(const orr_catalogue *c);

typedef struct orr_survey_field {
    orr_template_value values[ORR_TEMPLATE_FIELDS]; /* in the order of build's fields */
    int64_t first_object, n_objects;
} orr_survey_field;
orr_status orr_catalogue_field(orr_catalogue *c, int64_t field, orr_survey_field *out);
/* Fields [*first, *first + *n) make up the part. */
orr_status orr_catalogue_part(orr_catalogue *c, int64_t part, int64_t *first, int64_t *n);

typedef struct orr_survey_object {
    int64_t row;             /* of the catalogue, from 0 */
    int64_t id;              /* ORR_ID_INT */
    orr_column_text id_text; /* the id as it is written, always */
    double ra, dec;
    int32_t label; /* ORR_Y_CLASS */
    float y[ORR_MAX_TARGET_NAMES];
    float aux[ORR_MAX_AUX];
} orr_survey_object;
/* Objects [first, first + n), numbered field after field. */
orr_status orr_catalogue_objects(orr_catalogue *c, int64_t first, int64_t n,
                                 orr_survey_object *out);
/* Rows that were set aside, in catalogue order: calls back with id as written and the reason. */
orr_status orr_catalogue_aside(orr_catalogue *c,
                               orr_status (*take)(void *ctx, int64_t row, const char *id,
                                                  const char *reason),
                               void *ctx);

#ifdef __cplusplus
}
#endif
#endif
