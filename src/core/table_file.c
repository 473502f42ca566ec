/* core/table_file.c - rows into a .tmp. */
#include "core/table_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

orr_status orr_table_file_open(orr_table_file *t, const char *path)
{
    *t = (orr_table_file){ .lock = ORR_LOCK_INIT };
    ORR_TRY(orr_path_join(t->path, "", path));
    ORR_TRY(orr_tmp_path(t->tmp, path));
    ORR_TRY(orr_lock_tmp(&t->lock, t->tmp));
    if ((t->f = fopen(t->tmp, "wb"))) return ORR_OK;
    (void)orr_fail(ORR_ERR_IO, "%s: %s", t->tmp, strerror(errno));
    orr_lock_release(&t->lock);
    return ORR_ERR_IO;
}

void orr_table_file_end_row(orr_table_file *t)
{
    orr_text_add(&t->row, "\n");
    if (t->row.status == ORR_OK && !ferror(t->f)) fwrite(t->row.s, 1, t->row.len, t->f);
    t->row.len = 0;
}

orr_status orr_table_file_close(orr_table_file *t, orr_status so_far)
{
    orr_status st = so_far == ORR_OK ? orr_text_status(&t->row) : so_far;
    int bad;

    orr_text_free(&t->row);
    if (!t->f) return st;
    bad = ferror(t->f) | (fflush(t->f) != 0);
    if (st == ORR_OK && bad)
        st = orr_fail(ORR_ERR_IO, "%s: %s; nothing was written", t->path, strerror(errno));
    if (fclose(t->f) != 0 && st == ORR_OK)
        st = orr_fail(ORR_ERR_IO, "%s: %s; nothing was written", t->path, strerror(errno));
    t->f = NULL;
    if (st == ORR_OK) st = orr_commit_file(t->tmp, t->path);
    if (st != ORR_OK) unlink(t->tmp);
    orr_lock_release(&t->lock);
    return st;
}
