/* data/survey/manifest.h - what has become of each frame in a folder, through stops and kills.
 *
 * FOLDER/manifest.csv is for people: path,state,tries,bytes,reason; one line a frame that was ever
 * asked for, in the order of paths.  State: done, missing (the archive has none), failed.  Behind
 * it FOLDER/.orrery holds the same as an SQLite file, and journals: each rank appends what it
 * learns to its own, one line with one write, so that a kill loses at most the last line.  One
 * process merges the journals while no other has the manifest open; merging twice changes nothing.
 * Memory does not grow with the number of frames. A manifest tells what happened; whether a frame
 * is there, the folder tells.
 *
 * Not collective; a handle belongs to one thread.   Errors: ORR_ERR_IO, ORR_ERR_FORMAT (a damaged
 * file of .orrery: removing that folder loses nothing but the history), ORR_ERR_EXISTS (lock). */
#ifndef ORR_DATA_SURVEY_MANIFEST_H
#define ORR_DATA_SURVEY_MANIFEST_H

#include "core/file.h"
#include "core/lock.h"
#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    ORR_FRAME_UNKNOWN, /* never noted */
    ORR_FRAME_DONE,
    ORR_FRAME_MISSING,
    ORR_FRAME_FAILED
} orr_frame_state;

typedef struct orr_frame_note {
    orr_frame_state state;
    int64_t tries, bytes; /* tries: of all starts */
    char reason[256];
} orr_frame_note;

typedef struct orr_manifest orr_manifest;

/* FOLDER/.orrery/name, making that folder.  */
orr_status orr_manifest_path(char out[ORR_PATH_MAX], const char *folder, const char *name);
/* One job at a time in a folder: ORR_ERR_EXISTS when another has it.  The lock ends with the
 * process. */
orr_status orr_manifest_lock(orr_lock *lock, const char *folder);
/* Takes all journals in and writes manifest.csv anew if that changed anything. */
orr_status orr_manifest_merge(const char *folder);
/* After a merge.  Each rank once, with its own number. */
orr_status orr_manifest_open(orr_manifest **out, const char *folder, int rank);
void orr_manifest_close(orr_manifest *m);
/* What the last merge knew of a path (relative to folder). */
orr_status orr_manifest_find(orr_manifest *m, const char *path, orr_frame_note *out);
orr_status orr_manifest_note(orr_manifest *m, const char *path, const orr_frame_note *note);

#ifdef __cplusplus
}
#endif
#endif
