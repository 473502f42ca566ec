/* data/formats/fits_file.h - the HDUs of a FITS file in memory, one after the other.
 *
 * cfitsio reads an HDU, and where the next one begins is worked out here: it counts the room
 * between a table and its heap (THEAP) twice, and so loses what follows and takes the file for a
 * cut one.  What follows such a table is opened as a file of its own.
 *
 * CHECKSUM and DATASUM (FITS 4.0, section 4.4.2.7 and appendix J) are compared by orr_fits_sums.
 * Programs that edit a file often leave them as they were, the header's oftener than the data's.
 *
 * Borrows the bytes.  Not collective; one thread a file (and fits_is_reentrant decides who may open
 * one meanwhile).   Errors: cfitsio's own status, which callers put into words. */
#ifndef ORR_DATA_FORMATS_FITS_FILE_H
#define ORR_DATA_FORMATS_FITS_FILE_H

#include <fitsio.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_FITS_BLOCK = 2880 };

typedef struct orr_fits_file {
    const char *bytes; /* the caller's: the file, or as much of it as is there */
    size_t n;
    fitsfile *hdu;    /* the one that is looked at; NULL: none */
    int number, type; /* from 1; IMAGE_HDU (an image in tiles, too), BINARY_TBL or ASCII_TBL */
    int tiled;
    /* Bytes of the file: the first one of its header and of its data, and behind the data without
     * and with what fills the last block (of an image both are the latter). */
    int64_t at, data, used, end;
    int64_t start; /* where what cfitsio takes for the file begins, */
    int index;     /* and which of its HDUs this is */
    void *base;    /* what cfitsio reads: bytes + start */
    size_t size;
} orr_fits_file;

/* Looks at the first HDU (f->bytes and f->n are set), and at the next one.  0, or cfitsio's status:
 * END_OF_FILE when the header is not whole, or there is none any more. */
int orr_fits_first(orr_fits_file *f);
int orr_fits_next(orr_fits_file *f);
/* Looks again at the HDU, of which more bytes are there now. */
int orr_fits_again(orr_fits_file *f, const char *bytes, size_t n);
/* The bytes were put elsewhere, and are the same as far as they had come. */
void orr_fits_moved(orr_fits_file *f, const char *bytes);
/* Copes with one that looks at nothing. */
void orr_fits_close(orr_fits_file *f);

/* Does the HDU note sums?  And are they right: 1 yes, 0 it notes none, -1 no (hdu: of header and
 * data)?  Its bytes up to f->end are there, but for zeros that fill the last block. */
typedef struct orr_fits_sums {
    int data, hdu;
} orr_fits_sums;
int orr_fits_has_sums(const orr_fits_file *f);
orr_fits_sums orr_fits_check_sums(const orr_fits_file *f);

#ifdef __cplusplus
}
#endif
#endif
