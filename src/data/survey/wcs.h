/* data/survey/wcs.h - from a position on the sky to a pixel of an image, by the image's header.
 *
 * WCSLIB reads the header's keywords and does the mathematics: all projections of the FITS
 * standard, SIP, TPV, TNX and ZPX (WAT), plates of the DSS, polynomial and TPD distortions.  ERFA
 * takes positions to the header's system first (sky.h).  Equal to astropy's SkyCoord.to_pixel
 * within 1e-4 pixel.  What of a header is used: the primary representation, or, when that has no
 * celestial axes, the first alternate that does; of more than two axes the celestial ones.
 *
 * Said by other words than the standard's, and understood: PV keywords under -TAN as SCAMP writes
 * them are TPV; beside SIP they are left out, as astropy does; RADECSYS, EPOCH, an EQUINOX as
 * text.
 * Refused, with the keyword's name, since the place would be wrong: lookup tables (CPDISi =
 * 'LOOKUP', D2IMDISi, AXISCORR), which nothing here applies; no CRVALi or CRPIXi; CDi_j beside
 * PCi_j, a CROTAi beside PCi_j; a number that is a text; a system of positions that nobody knows;
 * and all that WCSLIB refuses (a matrix without inverse, units, projections, parameters).
 *
 * A position that does not project (far side of the sky), or whose polynomial cannot be inverted
 * there, has no pixel: never another place's.
 * Opening is done under orr_fits_lock(1) (WCSLIB's parser and messages are the process's own); then
 * one thread a handle.   Not collective.
 * Errors: ORR_ERR_FORMAT naming header and keyword, ORR_ERR_NOMEM. */
#ifndef ORR_DATA_SURVEY_WCS_H
#define ORR_DATA_SURVEY_WCS_H

#include "core/status.h"
#include "data/survey/sky.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_wcs orr_wcs;
/* header: n_cards of 80 characters, without line ends; name is for messages; both are the
 * caller's again afterwards.  sky: the system of the header's positions, whatever its keywords
 * say; NULL: as they say. */
orr_status orr_wcs_open(orr_wcs **out, const char *header, int n_cards, const orr_sky *sky,
                        const char *name);
void orr_wcs_close(orr_wcs *w);
/* The system that the header's positions are in. */
const orr_sky *orr_wcs_sky(const orr_wcs *w);
/* x[n], y[n], 0-based, of ra[n], dec[n], ICRS degrees; NaN for one that has no pixel. */
orr_status orr_wcs_to_pixel(const orr_wcs *w, int n, const double *ra, const double *dec, double *x,
                            double *y);

#ifdef __cplusplus
}
#endif
#endif
