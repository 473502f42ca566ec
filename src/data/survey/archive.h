/* data/survey/archive.h - where a survey keeps its frames, and where we do: the `archive:` section
 * of fetch and crop jobs, and the names made from it.
 * url (and each mirror) is a template over the catalogue's columns and {band}; path, relative to
 * folder, likewise, by default url from its first part with a field on (rerun, run, camcol and file
 * for SDSS), so that frames of two URLs never share a file.  A path needs {band} when url has it.
 * The keys of `download` stand in the same section, beside url
 * (data/survey/download_rows_private.h). Not collective.   Errors: ORR_ERR_OPTION naming the
 * option, ORR_ERR_FORMAT (a value). */
#ifndef ORR_DATA_SURVEY_ARCHIVE_H
#define ORR_DATA_SURVEY_ARCHIVE_H

#include "core/file.h"
#include "core/options.h"
#include "data/survey/catalogue.h"
#include "data/survey/download.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_URL_MAX = 2048 };

typedef struct orr_archive_opts {
    const char *url;     /* SDSS DR17 frames by default */
    orr_strings mirrors; /* further templates, tried in order after url */
    const char *folder;  /* of the frames on disk */
    const char *path;    /* template; "" = from url */
    orr_download_opts download;
} orr_archive_opts;
extern const orr_option orr_archive_options[];

typedef struct orr_archive orr_archive;
orr_status orr_archive_create(orr_archive **out, const orr_archive_opts *o);
void orr_archive_destroy(orr_archive *a);
/* Columns that the templates want, without "band", for orr_catalogue_build: at most
 * ORR_TEMPLATE_FIELDS. */
int orr_archive_n_fields(const orr_archive *a);
const char *const *orr_archive_fields(const orr_archive *a);
const int *orr_archive_field_is_int(const orr_archive *a);
int orr_archive_n_urls(const orr_archive *a);
/* URL i (0 = url, then mirrors) and the file of one band of a field. */
orr_status orr_archive_url(const orr_archive *a, int i, const orr_survey_field *f, const char *band,
                           char out[ORR_URL_MAX]);
orr_status orr_archive_path(const orr_archive *a, const orr_survey_field *f, const char *band,
                            char out[ORR_PATH_MAX]);
/* May the catalogue's fields be told apart by the places of their frames?  ORR_ERR_OPTION when path
 * leaves out what url names and in which they differ: one file would stand for several frames. */
orr_status orr_archive_check_places(const orr_archive *a, orr_catalogue *c);

#ifdef __cplusplus
}
#endif
#endif
