/* data/survey/catalogue_sky.c - which system a catalogue's positions are in: what the job says,
 * what the table says, and what the columns' names and units give away. */
#include "core/options.h"
#include "data/survey/catalogue_private.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

/* Names of columns that hold no ICRS degrees: `sky` is what to write instead, NULL for what is no
 * degrees at all. */
static const struct {
    const char *word;
    enum { HAS, BEGINS, ENDS, IS } how;
    const char *sky;
} hints[] = {
    { "1950", HAS, "FK4 B1950" },
    { "glon", BEGINS, "galactic" },
    { "glat", BEGINS, "galactic" },
    { "gal_", BEGINS, "galactic" },
    { "l", IS, "galactic" },
    { "b", IS, "galactic" },
    { "elon", BEGINS, "ecliptic" },
    { "elat", BEGINS, "ecliptic" },
    { "ecl", BEGINS, "ecliptic" },
    { "slon", BEGINS, "supergalactic" },
    { "slat", BEGINS, "supergalactic" },
    { "sgl", BEGINS, "supergalactic" },
    { "sgb", BEGINS, "supergalactic" },
    { "hour", HAS, NULL },
    { "radian", HAS, NULL },
    { "_h", ENDS, NULL },
    { "_hr", ENDS, NULL },
    { "_hms", ENDS, NULL },
    { "_dms", ENDS, NULL },
    { "_rad", ENDS, NULL },
    { "rah", IS, NULL },
    { "ram", IS, NULL },
    { "ras", IS, NULL },
    { "dem", IS, NULL },
    { "des", IS, NULL },
};

static int fits_hint(size_t i, const char *name)
{
    size_t n = strlen(name), m = strlen(hints[i].word);

    switch (hints[i].how) {
    case HAS:
        return strcasestr(name, hints[i].word) != NULL;
    case BEGINS:
        return strncasecmp(name, hints[i].word, m) == 0;
    case ENDS:
        return n >= m && strcasecmp(name + n - m, hints[i].word) == 0;
    default:
        return strcasecmp(name, hints[i].word) == 0;
    }
}

static orr_status check_name(const orr_catalogue_opts *o, const char *name, const char *option)
{
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        if (!fits_hint(i, name)) continue;
        if (hints[i].sky)
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: %s: column %s looks like positions that are not ICRS; say what "
                            "they are with catalogue.sky: %s (or ICRS)",
                            o->file, option, name, hints[i].sky);
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: %s: column %s does not look like degrees; give a column of decimal "
                        "degrees (if it is one, say so with catalogue.sky: ICRS)",
                        o->file, option, name);
    }
    return ORR_OK;
}

static orr_status check_unit(const orr_catalogue_opts *o, const orr_columns *c, int column,
                             const char *option)
{
    static const char *const degrees[] = { "", "deg", "degree", "degrees", "degs", "Angle[deg]" };
    const char *unit = orr_columns_unit(c, column);

    for (size_t i = 0; i < sizeof degrees / sizeof *degrees; i++)
        if (strcasecmp(unit, degrees[i]) == 0) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: %s: column %s is in \"%s\" (TUNIT), and positions are decimal degrees; "
                    "give a column of degrees",
                    o->file, option, orr_columns_name(c, column), unit);
}

/* "2000.0", "J2000", "B1950": *year stays NaN when there is none; *era J, B or 0. */
static orr_status read_year(const char *file, const char *key, const char *text, double *year,
                            char *era)
{
    *year = NAN;
    *era = (char)toupper((unsigned char)*text);
    if (*era == 'J' || *era == 'B')
        text++;
    else
        *era = 0;
    if (!*text || orr_parse_real(year, text) == ORR_OK) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: %s is '%.20s', which is no year; say the system of ra and dec with "
                    "catalogue.sky",
                    file, key, text);
}

/* A table's EPOCH is when its objects were where it says they are, or an old word for EQUINOX. */
static orr_status read_table(orr_sky *out, const orr_catalogue_opts *o, const orr_columns *c)
{
    const char *radesys = orr_columns_keyword(c, "RADESYS"),
               *equinox = orr_columns_keyword(c, "EQUINOX"),
               *epoch = orr_columns_keyword(c, "EPOCH");
    double year, old;
    char era, ignored;
    orr_status st;

    ORR_TRY(read_year(o->file, "EQUINOX", equinox, &year, &era));
    if (!*radesys && !*equinox && *epoch) {
        ORR_TRY(read_year(o->file, "EPOCH", epoch, &old, &ignored));
        if (old < 1984)
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: EPOCH is %g, and neither RADESYS nor EQUINOX says the system of "
                            "its positions; say it with catalogue.sky: FK4 B%g (or ICRS)",
                            o->file, old, old);
    }
    if (!*radesys && era) radesys = era == 'J' ? "FK5" : "FK4";
    st = orr_sky_equatorial(out, radesys, year);
    if (st == ORR_OK) return st;
    orr_fail_prefix(st, "%s: ", o->file);
    return orr_fail_more(st, "; say the system of ra and dec with catalogue.sky");
}

orr_status orr_catalogue_sky(orr_sky *out, const orr_catalogue_opts *o, const orr_columns *c,
                             int ra, int dec)
{
    if (*o->sky) {
        ORR_TRY(orr_sky_parse(out, o->sky, "catalogue.sky"));
    } else {
        ORR_TRY(read_table(out, o, c));
        ORR_TRY(check_name(o, o->ra, "catalogue.ra"));
        ORR_TRY(check_name(o, o->dec, "catalogue.dec"));
    }
    ORR_TRY(check_unit(o, c, ra, "catalogue.ra"));
    return check_unit(o, c, dec, "catalogue.dec");
}
