/* tests/data/synth_sdss.c - makes a synthetic sky survey for synth_sdss.py: PARTS key=value ...
 * PARTS 0: the catalogue alone; else the fields as that many parts, last part first. */
#include "core/config.h"
#include "data/synth/synth.h"

#include <stdio.h>

static orr_status make(const orr_synth_sdss_opts *o, int64_t parts)
{
    for (int64_t part = parts - 1; part >= 0; part--)
        ORR_TRY(orr_synth_sdss_fields(o, part, parts));
    return orr_synth_sdss_catalogue(o);
}

int main(int argc, char **argv)
{
    orr_config *config = NULL;
    orr_synth_sdss_opts o = { 0 };
    orr_status st;
    int64_t parts;

    if (argc < 2) return 2;
    ORR_TRY_GOTO(st, done, orr_parse_int64(&parts, argv[1]));
    ORR_TRY_GOTO(st, done, orr_config_empty(&config));
    for (int i = 2; i < argc; i++)
        ORR_TRY_GOTO(st, done, orr_config_set(config, argv[i]));
    ORR_TRY_GOTO(st, done,
                 orr_options_read(&o, orr_synth_sdss_options, orr_config_root(config), "synth"));
    st = make(&o, parts);
done:
    if (st != ORR_OK) fprintf(stderr, "%s\n", orr_error_text());
    orr_config_destroy(config);
    return st != ORR_OK;
}
