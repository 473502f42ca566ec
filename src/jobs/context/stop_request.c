/* jobs/context/stop_request.c - a small file that asks. */
#include "jobs/context/stop_request.h"
#include "core/file.h"

#include <string.h>
#include <unistd.h>

static orr_status path_of(char path[ORR_PATH_MAX], const char *dir)
{
    return orr_path_join(path, dir, "stop.json");
}

orr_status orr_stop_request_write(const char *dir)
{
    static const char text[] = "{\"end\": \"after the epoch in hand\"}\n";
    char path[ORR_PATH_MAX];

    ORR_TRY(path_of(path, dir));
    return orr_write_file(path, text, strlen(text));
}

int orr_stop_request_stands(const char *dir)
{
    char path[ORR_PATH_MAX];

    return path_of(path, dir) == ORR_OK && access(path, F_OK) == 0;
}

void orr_stop_request_remove(const char *dir)
{
    char path[ORR_PATH_MAX];

    if (path_of(path, dir) == ORR_OK) (void)unlink(path);
}
