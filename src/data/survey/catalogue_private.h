/* data/survey/catalogue_private.h - the plan file, as building and reading know it.
 *
 * A SQLite file, "orrery-plan-1":
 *   meta(key, value)              version, counts, identity, and what the schema has
 *   name(kind, n, name)           class, target and aux names; fields with is_int as "run:int"
 *   field(n, key, first, count)   key: the field's values, so coded that bytes sort as values do
 *   part(n, first, count)         runs of fields
 *   object(n, data)               field after field; data as orr_plan_pack makes it
 *   aside(row, id, reason)
 * Only this program on this kind of machine reads it: numbers in blobs are the machine's own.
 * Not collective. */
#ifndef ORR_DATA_SURVEY_CATALOGUE_PRIVATE_H
#define ORR_DATA_SURVEY_CATALOGUE_PRIVATE_H

#include "data/formats/columns.h"
#include "data/survey/catalogue.h"
#include "data/survey/sky.h"

#include <sqlite3.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_PLAN_VERSION "orrery-plan-1"

enum {
    ORR_PLAN_KEY_MAX = ORR_TEMPLATE_FIELDS * (ORR_ID_TEXT_MAX + 1),
    ORR_PLAN_DATA_MAX = 32 + 8 * ORR_MAX_TARGET_NAMES + 4 * ORR_MAX_AUX + ORR_ID_TEXT_MAX
};

/* An object on its way: targets still double, so that they can be averaged. */
typedef struct orr_plan_object {
    int64_t row;
    double ra, dec;
    int32_t label;
    double y[ORR_MAX_TARGET_NAMES];
    float aux[ORR_MAX_AUX];
    orr_column_text id;
} orr_plan_object;

/* Into data (ORR_PLAN_DATA_MAX bytes); returns the length. */
size_t orr_plan_pack(const orr_plan_object *o, int n_y, int n_aux, char *data);
int orr_plan_unpack(orr_plan_object *o, int n_y, int n_aux, const void *data, size_t n);
/* A field's values as a key (ORR_PLAN_KEY_MAX bytes) and back; lengths, 0 when damaged. */
size_t orr_plan_key(const orr_template_value *values, int n, unsigned char *key);
int orr_plan_values(orr_template_value *values, const int *is_int, int n, const unsigned char *key,
                    size_t bytes);

/* The system of the positions in columns ra and dec (numbers of c): what o->sky says, else a FITS
 * table's RADESYS and EQUINOX, else ICRS.  ORR_ERR_FORMAT when names or units speak of another
 * system, or of no degrees. */
orr_status orr_catalogue_sky(orr_sky *out, const orr_catalogue_opts *o, const orr_columns *c,
                             int ra, int dec);

/* SQLite's answer as a sentence about the file. */
orr_status orr_plan_fail(sqlite3 *db, const char *file, int code);
orr_status orr_plan_prepare(sqlite3 *db, const char *file, sqlite3_stmt **out, const char *sql);

#ifdef __cplusplus
}
#endif
#endif
