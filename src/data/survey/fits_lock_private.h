/* data/survey/fits_lock_private.h - one lock for all who call libraries that are not thread-safe:
 * WCSLIB's header parsing and wcsset() in some releases, and a cfitsio built without locks of its
 * own. Private to this folder. */
#ifndef ORR_DATA_SURVEY_FITS_LOCK_PRIVATE_H
#define ORR_DATA_SURVEY_FITS_LOCK_PRIVATE_H

/* always 0: only where cfitsio is not reentrant. */
void orr_fits_lock(int always);
void orr_fits_unlock(int always);

#endif
