/* core/json.h - what every report does with cJSON.   Not collective. */
#ifndef ORR_CORE_JSON_H
#define ORR_CORE_JSON_H

#include "core/status.h"

#include <cjson/cJSON.h>

/* A number under key; null when it is not finite, which JSON cannot say. */
void orr_json_put(cJSON *o, const char *key, double v);
/* The finite number under key, else fallback (also for o NULL). */
double orr_json_get(const cJSON *o, const char *key, double fallback);
/* The text under key, else fallback (also for o NULL); it lives as long as o. */
const char *orr_json_text(const cJSON *o, const char *key, const char *fallback);
/* The lines of a text as a list under key; nothing when there are none. */
void orr_json_put_lines(cJSON *o, const char *key, const char *text);
/* dir/name, printed for people; whole or not at all.  ORR_ERR_IO, ORR_ERR_NOMEM. */
orr_status orr_json_write(const cJSON *o, const char *dir, const char *name);

#endif
