/* data/synth/out.h - text files of a synthetic survey: written under another name, renamed when
 * whole.   Not collective. */
#ifndef ORR_DATA_SYNTH_OUT_H
#define ORR_DATA_SYNTH_OUT_H

#include "core/file.h"
#include "core/lock.h"
#include "core/status.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_synth_out {
    FILE *file;
    char path[ORR_PATH_MAX], tmp[ORR_PATH_MAX];
    orr_lock lock; /* of tmp */
} orr_synth_out;

/* Makes the folder; ORR_ERR_EXISTS when one of the names (NULL-ended) is there and overwrite is not
 * set. */
orr_status orr_synth_folder(const char *dir, const char *const *names, int overwrite);
orr_status orr_synth_out_open(orr_synth_out *out, const char *dir, const char *name);
orr_status orr_synth_out_add(orr_synth_out *out, const char *text, size_t n);
/* Closes; with st ORR_OK gives the file its name, else removes it and returns st. */
orr_status orr_synth_out_close(orr_synth_out *out, orr_status st);

#ifdef __cplusplus
}
#endif
#endif
