/* data/synth/out.h - where a synthetic survey goes: its folder, and the text files in it, which
 * appear whole (core/out_file.h).   Not collective. */
#ifndef ORR_DATA_SYNTH_OUT_H
#define ORR_DATA_SYNTH_OUT_H

#include "core/out_file.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes the folder; ORR_ERR_EXISTS when one of the names (NULL-ended) is there and overwrite is not
 * set. */
orr_status orr_synth_folder(const char *dir, const char *const *names, int overwrite);
/* dir/name, for orr_out_file_close. */
orr_status orr_synth_open(orr_out_file *out, const char *dir, const char *name);

#ifdef __cplusplus
}
#endif
#endif
