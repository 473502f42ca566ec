/* data/set_create.c - the folder of a new shard set. */
#include "data/shard_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ORR_QUARANTINE_NAME "quarantine.csv"

/* What a set may hold beside its index: shards, the list of what was set aside when it was made,
 * and what a writer that was killed left of these. */
static int is_set_file(const char *name)
{
    return orr_shard_number(name, 1) >= 0 || strcmp(name, ORR_INDEX_NAME ".tmp") == 0 ||
           strcmp(name, ORR_QUARANTINE_NAME) == 0 || strcmp(name, ORR_QUARANTINE_NAME ".tmp") == 0;
}

/* Looks at every entry: *foreign gets the first name that is not of a set, *n counts
 * the others. */
static orr_status look(const char *dir, char foreign[256], int *n, int remove)
{
    orr_status st = ORR_OK;
    struct dirent *e;
    DIR *d = opendir(dir);

    foreign[0] = '\0';
    *n = 0;
    if (!d) return orr_fail(ORR_ERR_IO, "%s: cannot list: %s", dir, strerror(errno));
    while (st == ORR_OK && (e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (!is_set_file(e->d_name) && strcmp(e->d_name, ORR_INDEX_NAME) != 0) {
            memcpy(foreign, e->d_name, strlen(e->d_name) + 1);
            break;
        }
        ++*n;
        if (remove && unlinkat(dirfd(d), e->d_name, 0) != 0)
            st = orr_fail(ORR_ERR_IO, "%s/%s: cannot remove: %s", dir, e->d_name, strerror(errno));
    }
    closedir(d);
    return st;
}

orr_status orr_set_create(const char *dir, int overwrite)
{
    char foreign[256], index[ORR_PATH_MAX];
    int n;

    ORR_TRY(orr_make_dirs(dir));
    ORR_TRY(orr_path_join(index, dir, ORR_INDEX_NAME));
    if (orr_path_exists(index))
        return orr_fail(ORR_ERR_EXISTS,
                        "%s: holds a finished shard set; remove it or choose another folder", dir);
    ORR_TRY(look(dir, foreign, &n, 0));
    if (foreign[0])
        return orr_fail(ORR_ERR_EXISTS, "%s: is not empty (it holds %s); choose another folder",
                        dir, foreign);
    if (n > 0 && !overwrite)
        return orr_fail(
            ORR_ERR_EXISTS,
            "%s: holds %d files of an unfinished shard set; remove them or ask to overwrite", dir,
            n);
    return n > 0 ? look(dir, foreign, &n, 1) : ORR_OK;
}

orr_status orr_set_check_output(const char *path, int overwrite)
{
    char foreign[256];
    int n;

    if (!orr_path_exists(path)) return ORR_OK;
    if (!orr_path_is_dir(path))
        return orr_fail(ORR_ERR_EXISTS, "%s: is a file; a shard set is a folder", path);
    ORR_TRY(look(path, foreign, &n, 0));
    if (foreign[0])
        return orr_fail(ORR_ERR_EXISTS, "%s: is not empty (it holds %s); choose another folder",
                        path, foreign);
    if (n > 0 && !overwrite)
        return orr_fail(ORR_ERR_EXISTS,
                        "%s: holds a shard set; remove it, say overwrite=true, or choose another "
                        "folder",
                        path);
    return ORR_OK;
}

orr_status orr_set_publish(const char *tmp, const char *path, int overwrite)
{
    char old[ORR_PATH_MAX];

    ORR_TRY(orr_set_check_output(path, overwrite));
    if (rename(tmp, path) == 0) return ORR_OK; /* nothing there, or an empty folder */
    if (!overwrite || !orr_path_exists(path))
        return orr_fail(ORR_ERR_IO, "%s: cannot be named %s: %s", tmp, path, strerror(errno));
    if ((size_t)snprintf(old, sizeof old, "%s.old", path) >= sizeof old)
        return orr_fail(ORR_ERR_ARG, "%s: the path is too long", path);
    ORR_TRY(orr_set_check_output(old, 1));
    if (orr_path_is_dir(old)) ORR_TRY(orr_remove_dir(old)); /* a replacement that was killed */
    if (rename(path, old) != 0 || rename(tmp, path) != 0)
        return orr_fail(ORR_ERR_IO, "%s: cannot be replaced: %s", path, strerror(errno));
    return orr_remove_dir(old);
}
