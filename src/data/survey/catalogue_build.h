/* data/survey/catalogue_build.h - what building a plan file hands from reading rows
 * (catalogue_rows.c) to sorting them (catalogue_build.c).   Not collective. */
#ifndef ORR_DATA_SURVEY_CATALOGUE_BUILD_H
#define ORR_DATA_SURVEY_CATALOGUE_BUILD_H

#include "core/file.h"
#include "data/formats/classes.h"
#include "data/survey/catalogue_private.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ORR_BUILD_ADD_ROW,
    ORR_BUILD_CHANGE_ROW,
    ORR_BUILD_DROP_ROW,
    ORR_BUILD_GET_ROW,
    ORR_BUILD_ADD_ASIDE,
    ORR_BUILD_ADD_FIELD,
    ORR_BUILD_ADD_PART,
    ORR_BUILD_ADD_OBJECT,
    ORR_BUILD_STATEMENTS
};

/* A catalogue on its way into a plan. */
typedef struct orr_build {
    const orr_catalogue_opts *o;
    const char *const *fields;
    const int *is_int;
    int n_fields, n_y, n_aux;
    int64_t max_objects, max_fields;
    orr_classes classes;
    orr_columns *columns;
    char tmp[ORR_PATH_MAX], work[ORR_PATH_MAX];
    sqlite3 *db;
    sqlite3_stmt *st[ORR_BUILD_STATEMENTS];
    orr_sha256 *sha;
    orr_catalogue_counts counts;
    int32_t max_label;
    int text_ids, id_bytes; /* of the objects: is one a text? the longest */
    char first_reason[200]; /* of a row that was set aside */
} orr_build;

/* One of the statements with what is bound to it: blobs and texts live until then. */
orr_status orr_build_step(orr_build *b, int which);
orr_status orr_build_aside(orr_build *b, int64_t row, const char *id, const char *reason);
/* All rows of the catalogue, into the work table or aside. */
orr_status orr_build_read_rows(orr_build *b);

#ifdef __cplusplus
}
#endif
#endif
