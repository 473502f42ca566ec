/* core/out_file.c - a stream into a .tmp. */
#include "core/out_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

orr_status orr_out_file_open(orr_out_file *o, const char *path)
{
    *o = (orr_out_file){ .lock = ORR_LOCK_INIT };
    ORR_TRY(orr_path_join(o->path, "", path));
    ORR_TRY(orr_tmp_path(o->tmp, path));
    ORR_TRY(orr_lock_tmp(&o->lock, o->tmp));
    if ((o->f = fopen(o->tmp, "we"))) return ORR_OK;
    (void)orr_fail(ORR_ERR_IO, "%s: %s", o->tmp, strerror(errno));
    orr_lock_release(&o->lock);
    return ORR_ERR_IO;
}

static orr_status fail_write(const orr_out_file *o)
{
    return orr_fail(ORR_ERR_IO, "%s: %s; nothing was written", o->path, strerror(errno));
}

orr_status orr_out_file_add(orr_out_file *o, const void *data, size_t bytes)
{
    return fwrite(data, 1, bytes, o->f) == bytes ? ORR_OK : fail_write(o);
}

orr_status orr_out_file_close(orr_out_file *o, orr_status so_far)
{
    orr_status st = so_far;
    int bad;

    if (!o->f) return st;
    bad = ferror(o->f) | (fflush(o->f) != 0);
    if (st == ORR_OK && bad) st = fail_write(o);
    if (fclose(o->f) != 0 && st == ORR_OK) st = fail_write(o);
    o->f = NULL;
    if (st == ORR_OK) st = orr_commit_file(o->tmp, o->path);
    if (st != ORR_OK) (void)unlink(o->tmp);
    orr_lock_release(&o->lock);
    return st;
}
