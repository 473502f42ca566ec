/* core/json.c - numbers in and out of cJSON, and files of it. */
#include "core/json.h"
#include "core/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void orr_json_put(cJSON *o, const char *key, double v)
{
    if (isfinite(v))
        cJSON_AddNumberToObject(o, key, v);
    else
        cJSON_AddNullToObject(o, key);
}

double orr_json_get(const cJSON *o, const char *key, double fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNumber(item) && isfinite(item->valuedouble) ? item->valuedouble : fallback;
}

const char *orr_json_text(const cJSON *o, const char *key, const char *fallback)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

    return text ? text : fallback;
}

void orr_json_put_lines(cJSON *o, const char *key, const char *text)
{
    cJSON *list = text && *text ? cJSON_AddArrayToObject(o, key) : NULL;
    char line[ORR_ERROR_MAX];

    for (const char *s = text; list && *s; s += strcspn(s, "\n"), s += *s != '\0') {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(s, "\n"), s);
        cJSON_AddItemToArray(list, cJSON_CreateString(line));
    }
}

orr_status orr_json_write(const cJSON *o, const char *dir, const char *name)
{
    char path[ORR_PATH_MAX];
    char *text = cJSON_Print(o);
    orr_status st = text ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %s", name);

    if (st == ORR_OK) st = orr_path_join(path, dir, name);
    if (st == ORR_OK) st = orr_write_file(path, text, strlen(text));
    cJSON_free(text);
    return st;
}
