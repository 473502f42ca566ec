/* core/log.h - leveled log by component, to stderr (and to a file once one is given).
 * ORR_LOG=info,comm:debug,data:off sets the default level and levels by component; unset means
 * info.  A line is "HH:MM:SS level component: text" with the rank before the text when there is
 * more than one; it is written with one write(2), so lines of several ranks do not mix.  orr_log0
 * speaks on rank 0 alone.  Thread-safe.   Not collective. */
#ifndef ORR_CORE_LOG_H
#define ORR_CORE_LOG_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { ORR_LOG_OFF, ORR_ERROR, ORR_WARN, ORR_INFO, ORR_DEBUG } orr_log_level;

/* Reads the setting (NULL = from ORR_LOG) and remembers who speaks.  ORR_ERR_OPTION names what is
 * wrong in it. */
orr_status orr_log_init(const char *setting, int rank, int size);
/* Appends every line at ORR_INFO and above to path as well (rank 0's log.txt); NULL closes it. */
orr_status orr_log_file(const char *path);
/* Within a group of a larger job: orr_log0 speaks on the group's rank 0 (is_leader), and only
 * warnings, errors and lines of `component` (a literal) reach stderr; the file gets all. */
void orr_log_group(int is_leader, const char *component);
void orr_log_group_end(void);
int orr_log_on(orr_log_level level, const char *component);
void orr_log(orr_log_level level, const char *component, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void orr_log0(orr_log_level level, const char *component, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif
#endif
