/* core/file.h - files that appear whole or not at all, checksums, and paths.   Not collective. */
#ifndef ORR_CORE_FILE_H
#define ORR_CORE_FILE_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_PATH_MAX = 4096, ORR_SHA256_HEX = 65 /* 64 digits and the end */ };

/* dir/name (or name alone when it is absolute or dir is ""); ORR_ERR_ARG when it does not fit. */
orr_status orr_path_join(char out[ORR_PATH_MAX], const char *dir, const char *name);
/* Everything before the last slash ("." when there is none). */
orr_status orr_path_dir(char out[ORR_PATH_MAX], const char *path);
/* Everything behind the last slash (all of it when there is none), within path; "" when path ends
 * in a slash. */
const char *orr_path_name(const char *path);
/* path without slashes at its end ("/" stays), for names beside it: path + ".tmp". */
orr_status orr_path_trim(char out[ORR_PATH_MAX], const char *path);
int orr_path_exists(const char *path);
int orr_path_is_dir(const char *path);
/* mkdir -p.  */
orr_status orr_make_dirs(const char *path);
/* Final name of a file under construction: path + ".tmp". */
orr_status orr_tmp_path(char out[ORR_PATH_MAX], const char *path);
/* fsync(tmp), rename(tmp, path), fsync of the directory.  The only way a result gets its name. */
orr_status orr_commit_file(const char *tmp, const char *path);
/* Whole small file at once, by way of a .tmp and orr_commit_file. */
orr_status orr_write_file(const char *path, const void *data, size_t bytes);
/* Opens an input for reading.  Plain files alone: a folder, a pipe, a device or a socket is refused
 * with what it is (ORR_ERR_IO), and nothing of it can make the open wait.  The one way in which a
 * file that somebody names is opened.  bytes (may be NULL): its size. */
orr_status orr_open_input(int *fd, int64_t *bytes, const char *path);
/* The same question for a library that opens by name itself. */
orr_status orr_check_input(const char *path);
/* Reads a whole file; *out (NUL after the last byte) is the caller's to orr_free.  Refuses more
 * than max bytes. */
orr_status orr_read_file(char **out, size_t *bytes, const char *path, size_t max);
/* The same of a file or of what comes out of a pipe, since a program may write a job file.
 * ORR_ERR_TIMEOUT when nothing does for ten seconds, ORR_ERR_INTERRUPTED when a stop is asked for
 * meanwhile. */
orr_status orr_read_file_or_pipe(char **out, size_t *bytes, const char *path, size_t max);
/* Removes a folder of plain files (one level), for a half-made output. */
orr_status orr_remove_dir(const char *path);

/* sha256 (OpenSSL) as lower-case hex. */
orr_status orr_sha256_file(char out[ORR_SHA256_HEX], const char *path);
typedef struct orr_sha256 orr_sha256;
orr_status orr_sha256_begin(orr_sha256 **out);
orr_status orr_sha256_add(orr_sha256 *h, const void *data, size_t bytes);
orr_status orr_sha256_end(orr_sha256 *h, char out[ORR_SHA256_HEX]); /* also frees h */
void orr_sha256_destroy(orr_sha256 *h);                             /* for a caller that gives up */

#ifdef __cplusplus
}
#endif
#endif
