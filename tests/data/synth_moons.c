/* tests/data/synth_moons.c - writes moons for synth.py: FOLDER samples noise test_size seed
 * split_seed. */
#include "data/synth/synth.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    orr_synth_moons_opts o = { 0 };
    orr_status st;

    if (argc != 7) return 2;
    o.out = argv[1];
    ORR_TRY_GOTO(st, done, orr_parse_int64(&o.samples, argv[2]));
    ORR_TRY_GOTO(st, done, orr_parse_real(&o.noise, argv[3]));
    ORR_TRY_GOTO(st, done, orr_parse_real(&o.test_size, argv[4]));
    ORR_TRY_GOTO(st, done, orr_parse_int64(&o.seed, argv[5]));
    ORR_TRY_GOTO(st, done, orr_parse_int64(&o.split_seed, argv[6]));
    ORR_TRY_GOTO(st, done, orr_synth_moons(&o));
done:
    if (st != ORR_OK) fprintf(stderr, "%s\n", orr_error_text());
    return st != ORR_OK;
}
