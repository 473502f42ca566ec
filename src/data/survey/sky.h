/* data/survey/sky.h - systems of positions on the sky, and the way from one to the other.
 *
 * All positions inside the program are ICRS, degrees: a catalogue's are taken to it when the plan
 * is made, and from it to a frame's own system when pixels are looked for.
 *
 *   ICRS                  no equinox
 *   FK5                   equinox a Julian year; 2000 when none is said
 *   FK4, FK4-NO-E         equinox a Besselian year; 1950; FK4 has the E-terms of aberration
 *   galactic, supergalactic    of FK5 J2000
 *   ecliptic              mean ecliptic and equinox of a Julian year; 2000; axes of ICRS
 *
 * Equal to astropy's ICRS, FK5, FK4, FK4NoETerms, Galactic, Supergalactic and
 * BarycentricMeanEcliptic within 1e-8 degree: objects are taken to stand still, and FK4's epoch of
 * observation is its equinox.  Sources: ERFA (IAU 2006 precession, Hipparcos' tie of FK5); Murray
 * 1989 (A&A 218, 325); Newcomb's precession and the E-terms by the Explanatory Supplement (1992);
 * Blaauw et al. 1960; Lahav et al. 2000.
 * Not collective.   Errors: ORR_ERR_OPTION for a system that has no such name. */
#ifndef ORR_DATA_SURVEY_SKY_H
#define ORR_DATA_SURVEY_SKY_H

#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    ORR_SKY_ICRS,
    ORR_SKY_FK5,
    ORR_SKY_FK4,
    ORR_SKY_FK4_NO_E,
    ORR_SKY_GALACTIC,
    ORR_SKY_SUPERGALACTIC,
    ORR_SKY_ECLIPTIC,
    ORR_N_SKY
} orr_sky_kind;

typedef struct orr_sky {
    orr_sky_kind kind;
    double equinox; /* 0 where the kind has none */
} orr_sky;

enum { ORR_SKY_TEXT = 40 };
/* "ICRS", "FK5 J1975", "FK4 B1950", "galactic": what orr_sky_parse takes, in bytes[]. */
void orr_sky_text(const orr_sky *s, char *buf, size_t bytes);
/* "FK5", "fk5 J1975", "FK5 1975", "J2000" (FK5), "B1950" (FK4) ...; option names it in messages. */
orr_status orr_sky_parse(orr_sky *out, const char *text, const char *option);
/* The kind called so (letters of either case), or ORR_N_SKY. */
orr_sky_kind orr_sky_kind_called(const char *name, size_t n);
/* What the FITS standard (4.0, section 8.3) makes of RADESYS and EQUINOX of right ascensions:
 * radesys "" and equinox NaN: not said.  ORR_ERR_FORMAT names the keyword that says what
 * nobody here knows (RADESYS 'GAPPT', an EQUINOX that is no year). */
orr_status orr_sky_equatorial(orr_sky *out, const char *radesys, double equinox);

/* The way between ICRS and a system: one rotation, and FK4's E-terms. */
typedef struct orr_sky_way {
    int none;       /* both are ICRS: positions stay as they are, to the bit */
    double m[3][3]; /* from ICRS */
    double e[3];    /* E-terms, 0 where there are none */
} orr_sky_way;
void orr_sky_find_way(orr_sky_way *out, const orr_sky *s);
/* Degrees; in place is allowed.  Longitudes come in [0, 360).  What is not finite stays so. */
void orr_sky_from_icrs(const orr_sky_way *w, double ra, double dec, double *lon, double *lat);
void orr_sky_to_icrs(const orr_sky_way *w, double lon, double lat, double *ra, double *dec);

#ifdef __cplusplus
}
#endif
#endif
