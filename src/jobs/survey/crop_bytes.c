/* jobs/survey/crop_bytes.c - packed frames from the archive's folder. */
#include "jobs/survey/crop_bytes.h"
#include "core/memory.h"

#include <stdio.h>

enum { MOST_BYTES = 1 << 30 /* of one frame */ };

void orr_crop_set_damaged(orr_crop_bytes *out)
{
    out->end = ORR_ASIDE_DAMAGED;
    snprintf(out->reason, sizeof out->reason, "%s", orr_error_text());
    orr_error_clear();
}

orr_status orr_crop_name_frame(const orr_crop *c, const orr_survey_field *f, int band,
                               char path[ORR_PATH_MAX], orr_crop_bytes *out)
{
    orr_status st = orr_archive_path(c->archive, f, c->bands.v[band], path);

    *out = (orr_crop_bytes){ .end = ORR_ASIDE_NO };
    if (st == ORR_OK) snprintf(out->name, sizeof out->name, "%.255s", orr_path_name(path));
    if (!orr_is_data_fault(st)) return st;
    orr_crop_set_damaged(out);
    return ORR_OK;
}

void orr_crop_set_missing(orr_crop_bytes *out)
{
    out->end = ORR_ASIDE_MISSING;
    snprintf(out->reason, sizeof out->reason, "%s: there is no such frame", out->name);
}

orr_status orr_crop_read(const orr_crop *c, const orr_survey_field *f, int band,
                         orr_crop_bytes *out)
{
    char path[ORR_PATH_MAX];
    char *bytes;
    orr_status st;

    ORR_TRY(orr_crop_name_frame(c, f, band, path, out));
    if (out->end != ORR_ASIDE_NO) return ORR_OK;
    if (!orr_path_exists(path)) {
        orr_crop_set_missing(out);
        return ORR_OK;
    }
    st = orr_read_file(&bytes, &out->n, path, MOST_BYTES);
    if (st == ORR_OK) {
        out->bytes = bytes;
        return ORR_OK;
    }
    if (!orr_is_data_fault(st)) return st;
    orr_crop_set_damaged(out);
    return ORR_OK;
}
