/* data/synth/out.c - text files that appear whole. */
#include "data/synth/out.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

orr_status orr_synth_folder(const char *dir, const char *const *names, int overwrite)
{
    char path[ORR_PATH_MAX];

    for (; *names; names++) {
        ORR_TRY(orr_path_join(path, dir, *names));
        if (orr_path_exists(path) && !overwrite)
            return orr_fail(ORR_ERR_EXISTS,
                            "%s exists; set overwrite: true or choose another folder", path);
    }
    return orr_make_dirs(dir);
}

orr_status orr_synth_out_open(orr_synth_out *out, const char *dir, const char *name)
{
    *out = (orr_synth_out){ .lock = ORR_LOCK_INIT };
    ORR_TRY(orr_path_join(out->path, dir, name));
    ORR_TRY(orr_tmp_path(out->tmp, out->path));
    ORR_TRY(orr_lock_tmp(&out->lock, out->tmp));
    if ((out->file = fopen(out->tmp, "we"))) return ORR_OK;
    (void)orr_fail(ORR_ERR_IO, "%s: cannot be written: %s", out->tmp, strerror(errno));
    orr_lock_release(&out->lock);
    return ORR_ERR_IO;
}

orr_status orr_synth_out_add(orr_synth_out *out, const char *text, size_t n)
{
    if (fwrite(text, 1, n, out->file) == n) return ORR_OK;
    return orr_fail(ORR_ERR_IO, "%s: cannot be written: %s", out->tmp, strerror(errno));
}

orr_status orr_synth_out_close(orr_synth_out *out, orr_status st)
{
    if (!out->file) return st;
    if (fclose(out->file) != 0 && st == ORR_OK)
        st = orr_fail(ORR_ERR_IO, "%s: cannot be written: %s", out->tmp, strerror(errno));
    out->file = NULL;
    if (st == ORR_OK) st = orr_commit_file(out->tmp, out->path);
    if (st != ORR_OK) unlink(out->tmp);
    orr_lock_release(&out->lock);
    return st;
}
