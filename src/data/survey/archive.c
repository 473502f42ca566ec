/* data/survey/archive.c - URLs and paths of frames, from templates. */
#include "data/survey/archive.h"
#include "core/memory.h"
#include "data/survey/download_rows_private.h"

#include <stdio.h>
#include <string.h>

enum { MAX_URLS = ORR_DOWNLOAD_URLS, BAND = -1 };

#define T orr_archive_opts
const orr_option orr_archive_options[] = {
    ORR_OPTION_STRING(T, url,
                      "https://data.sdss.org/sas/dr17/eboss/photoObj/frames/{rerun}/{run}/{camcol}/"
                      "frame-{band}-{run:06d}-{camcol}-{field:04d}.fits.bz2",
                      "where a frame is: a template over columns of the catalogue and {band}; "
                      "{run:06d} asks for digits"),
    ORR_OPTION_STRINGS(T, mirrors, "[]", "further templates, tried in order when url fails"),
    ORR_OPTION_STRING(T, folder, "frames", "of the frames on disk"),
    ORR_OPTION_STRING(
        T, path, "",
        "a frame's place in folder: a template; none: url from its first part with a field on"),
    ORR_DOWNLOAD_ROWS(T, download.),
    ORR_OPTION_END
};
#undef T

/* A template, and which of the archive's fields each of its own is. */
typedef struct {
    orr_template *t;
    int field[ORR_TEMPLATE_FIELDS]; /* or BAND */
} form;

struct orr_archive {
    int n_urls, n_fields;
    form urls[MAX_URLS], path;
    char *folder;
    const char *fields[ORR_TEMPLATE_FIELDS]; /* the templates' own names */
    int is_int[ORR_TEMPLATE_FIELDS];
};

void orr_archive_destroy(orr_archive *a)
{
    if (!a) return;
    for (int i = 0; i < a->n_urls; i++)
        orr_template_destroy(a->urls[i].t);
    orr_template_destroy(a->path.t);
    orr_free(a->folder);
    orr_free(a);
}

static orr_status add_fields(orr_archive *a, form *f, const char *option)
{
    for (int i = 0; i < orr_template_n_fields(f->t); i++) {
        const char *name = orr_template_field(f->t, i);
        int is_int = orr_template_field_is_int(f->t, i), k = 0;

        if (!strcmp(name, "band")) {
            if (is_int)
                return orr_fail(ORR_ERR_OPTION, "%s: {band} is a text; it has no digits", option);
            f->field[i] = BAND;
            continue;
        }
        while (k < a->n_fields && strcmp(a->fields[k], name) != 0)
            k++;
        if (k == ORR_TEMPLATE_FIELDS)
            return orr_fail(ORR_ERR_OPTION, "archive: more than %d different fields in all",
                            ORR_TEMPLATE_FIELDS);
        if (k == a->n_fields) a->fields[a->n_fields++] = name;
        a->is_int[k] |= is_int;
        f->field[i] = k;
    }
    return ORR_OK;
}

/* field: one of the archive's, or BAND. */
static int names(const form *f, int field)
{
    for (int i = 0; i < orr_template_n_fields(f->t); i++)
        if (f->field[i] == field) return 1;
    return 0;
}

static orr_status add_url(orr_archive *a, const char *text, const char *option)
{
    form *f = &a->urls[a->n_urls];

    if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
        return orr_fail(ORR_ERR_OPTION, "%s: \"%.80s\" does not begin with http:// or https://",
                        option, text);
    ORR_TRY(orr_template_create(&f->t, text, option));
    a->n_urls++;
    return add_fields(a, f, option);
}

/* The url from its first part that holds a field on, but never its host: two frames of one url then
 * never share a file. */
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://") + 3, *p = strchr(host, '/'), *brace;

    if (!p || !(brace = strchr(p, '{'))) return "";
    while (brace > p && *brace != '/')
        brace--;
    return brace + 1;
}

static orr_status set_path(orr_archive *a, const orr_archive_opts *o)
{
    const char *text = o->path && *o->path ? o->path : path_of(o->url);

    if (!*text || *text == '/' || text[strlen(text) - 1] == '/')
        return orr_fail(ORR_ERR_OPTION,
                        "archive.path: \"%.80s\" is no name of a file within the folder", text);
    ORR_TRY(orr_template_create(&a->path.t, text, "archive.path"));
    ORR_TRY(add_fields(a, &a->path, "archive.path"));
    if (names(&a->urls[0], BAND) && !names(&a->path, BAND))
        return orr_fail(ORR_ERR_OPTION,
                        "archive.path: \"%.200s\" has no {band}: all bands would be one file",
                        text);
    if (!(a->folder = orr_strdup(o->folder ? o->folder : "")))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: archive.folder");
    return ORR_OK;
}

orr_status orr_archive_create(orr_archive **out, const orr_archive_opts *o)
{
    orr_archive *a = orr_alloc(1, sizeof *a);
    orr_status st = ORR_OK;

    *out = NULL;
    if (!a) return orr_fail(ORR_ERR_NOMEM, "out of memory: archive");
    if (o->mirrors.n >= MAX_URLS)
        ORR_TRY_GOTO(st, done,
                     orr_fail(ORR_ERR_OPTION, "archive.mirrors: %d; at most %d are possible",
                              o->mirrors.n, MAX_URLS - 1));
    ORR_TRY_GOTO(st, done, add_url(a, o->url, "archive.url"));
    for (int i = 0; i < o->mirrors.n; i++) {
        char option[32];

        snprintf(option, sizeof option, "archive.mirrors[%d]", i);
        ORR_TRY_GOTO(st, done, add_url(a, o->mirrors.v[i], option));
    }
    ORR_TRY_GOTO(st, done, set_path(a, o));
    *out = a;
    a = NULL;
done:
    orr_archive_destroy(a);
    return st;
}

int orr_archive_n_fields(const orr_archive *a)
{
    return a->n_fields;
}

const char *const *orr_archive_fields(const orr_archive *a)
{
    return a->fields;
}

const int *orr_archive_field_is_int(const orr_archive *a)
{
    return a->is_int;
}

int orr_archive_n_urls(const orr_archive *a)
{
    return a->n_urls;
}

static orr_status fill(const form *p, const orr_survey_field *f, const char *band, int url,
                       char *buf, size_t bytes)
{
    orr_template_value values[ORR_TEMPLATE_FIELDS];

    for (int i = 0; i < orr_template_n_fields(p->t); i++) {
        if (p->field[i] != BAND) {
            values[i] = f->values[p->field[i]];
            continue;
        }
        values[i] = (orr_template_value){ 0 };
        if ((size_t)snprintf(values[i].text, sizeof values[i].text, "%s", band) >=
            sizeof values[i].text)
            return orr_fail(ORR_ERR_FORMAT, "band: \"%.64s...\" is longer than %d bytes", band,
                            ORR_ID_TEXT_MAX);
    }
    return orr_template_expand(p->t, values, url, buf, bytes);
}

orr_status orr_archive_url(const orr_archive *a, int i, const orr_survey_field *f, const char *band,
                           char out[ORR_URL_MAX])
{
    if (i < 0 || i >= a->n_urls)
        return orr_fail(ORR_ERR_ARG, "archive: url %d of %d", i, a->n_urls);
    return fill(&a->urls[i], f, band, 1, out, ORR_URL_MAX);
}

orr_status orr_archive_path(const orr_archive *a, const orr_survey_field *f, const char *band,
                            char out[ORR_PATH_MAX])
{
    char name[ORR_PATH_MAX];

    ORR_TRY(fill(&a->path, f, band, 0, name, sizeof name));
    return orr_path_join(out, a->folder, name);
}

/* ---- places ---- */
static int same_value(const orr_template_value *a, const orr_template_value *b)
{
    return a->is_int ? a->number == b->number : strcmp(a->text, b->text) == 0;
}

orr_status orr_archive_check_places(const orr_archive *a, orr_catalogue *c)
{
    int64_t n = orr_catalogue_count(c).fields;
    int unnamed[ORR_TEMPLATE_FIELDS], any = 0;
    orr_survey_field first, one;

    for (int i = 0; i < a->n_fields; i++)
        any |= unnamed[i] = names(&a->urls[0], i) && !names(&a->path, i);
    if (!any || n == 0) return ORR_OK;
    ORR_TRY(orr_catalogue_field(c, 0, &first));
    for (int64_t k = 1; k < n; k++) {
        ORR_TRY(orr_catalogue_field(c, k, &one));
        for (int i = 0; i < a->n_fields; i++)
            if (unnamed[i] && !same_value(&first.values[i], &one.values[i]))
                return orr_fail(
                    ORR_ERR_OPTION,
                    "archive.path does not name {%s}, in which the catalogue's fields differ: "
                    "different frames would be one file; name it there",
                    a->fields[i]);
    }
    return ORR_OK;
}
