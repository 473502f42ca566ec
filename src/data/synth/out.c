/* data/synth/out.c - the folder of a synthetic survey. */
#include "data/synth/out.h"

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

orr_status orr_synth_open(orr_out_file *out, const char *dir, const char *name)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(path, dir, name));
    return orr_out_file_open(out, path);
}
