/* data/formats/fits_file.c - walking HDUs, and their sums.  Source: FITS standard 4.0, sections 3,
 * 4.4 and 7.3, appendix J. */
#include "data/formats/fits_file.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

void orr_fits_close(orr_fits_file *f)
{
    int ignored = 0;

    if (f->hdu) fits_close_file(f->hdu, &ignored);
    f->hdu = NULL;
}

/* A keyword as text; 0 when it is not there. */
static int text_of(const orr_fits_file *f, const char *key, char value[FLEN_VALUE])
{
    int status = 0;

    fits_write_errmark();
    fits_read_key(f->hdu, TSTRING, key, value, NULL, &status);
    fits_clear_errmark();
    return status == 0;
}

/* Behind rows and heap: PCOUNT counts all that follows the rows. */
static int end_of_table(orr_fits_file *f, int *status)
{
    LONGLONG row = 0, rows = 0, behind = 0, bytes;

    fits_read_key(f->hdu, TLONGLONG, "NAXIS1", &row, NULL, status);
    fits_read_key(f->hdu, TLONGLONG, "NAXIS2", &rows, NULL, status);
    fits_read_key(f->hdu, TLONGLONG, "PCOUNT", &behind, NULL, status);
    if (*status) return *status;
    if (row < 0 || rows < 0 || behind < 0 || __builtin_mul_overflow(row, rows, &bytes) ||
        __builtin_add_overflow(bytes, behind, &bytes) || bytes > INT64_MAX / 4)
        return *status = BAD_NAXES;
    f->used = f->data + bytes;
    f->end = (f->used + ORR_FITS_BLOCK - 1) / ORR_FITS_BLOCK * ORR_FITS_BLOCK;
    return 0;
}

/* Where the HDU that cfitsio stands at lies. */
static int look(orr_fits_file *f)
{
    LONGLONG begin = 0, data = 0, end = 0;
    int status = 0;

    fits_get_hdu_type(f->hdu, &f->type, &status);
    fits_get_hduaddrll(f->hdu, &begin, &data, &end, &status);
    f->tiled = !status && fits_is_compressed_image(f->hdu, &status);
    f->at = f->start + begin;
    f->data = f->start + data;
    f->used = f->end = f->start + end;
    if (!status && (f->type != IMAGE_HDU || f->tiled)) end_of_table(f, &status);
    return status;
}

/* cfitsio on what begins at a byte of the file. */
static int open_at(orr_fits_file *f, int64_t at)
{
    int status = 0;

    orr_fits_close(f);
    f->start = at;
    f->index = 1;
    f->base = (void *)(size_t)(f->bytes + at); /* opened for reading alone */
    f->size = f->n - (size_t)at;
    fits_open_memfile(&f->hdu, "hdu.fits", READONLY, &f->base, &f->size, 0, NULL, &status);
    if (status) f->hdu = NULL;
    return status ? status : look(f);
}

int orr_fits_first(orr_fits_file *f)
{
    f->number = 1;
    return open_at(f, 0);
}

int orr_fits_next(orr_fits_file *f)
{
    const int64_t end = f->end;
    LONGLONG begin = -1;
    int status = 0, type;

    if (end < 0 || (uint64_t)end + ORR_FITS_BLOCK > f->n) return END_OF_FILE;
    fits_get_hduaddrll(f->hdu, NULL, NULL, &begin, &status);
    if (status || f->start + begin != end) {
        if (memcmp(f->bytes + end, "XTENSION", 8) != 0) return END_OF_FILE;
        f->number++;
        return open_at(f, end);
    }
    if (fits_movrel_hdu(f->hdu, 1, &type, &status)) return status;
    f->number++;
    f->index++;
    return look(f);
}

int orr_fits_again(orr_fits_file *f, const char *bytes, size_t n)
{
    int index = f->index, status = 0;

    f->bytes = bytes;
    f->n = n;
    if ((status = open_at(f, f->start)) || index == 1) return status;
    f->index = index;
    return fits_movabs_hdu(f->hdu, index, NULL, &status) ? status : look(f);
}

void orr_fits_moved(orr_fits_file *f, const char *bytes)
{
    f->bytes = bytes;
    f->base = (void *)(size_t)(bytes + f->start); /* where cfitsio looks for it */
}

/* The sum of big-endian words of 32 bits, in ones' complement; zeros behind the end do not count.
 */
static uint32_t sum_words(const char *p, size_t n)
{
    uint64_t sum = 0;
    uint32_t word;

    for (size_t i = 0; i + sizeof word <= n; i += sizeof word) {
        memcpy(&word, p + i, sizeof word);
        sum += be32toh(word); /* 2^32 words do not overflow it */
        if (sum >> 63) sum = (sum & UINT32_MAX) + (sum >> 32);
    }
    word = 0;
    memcpy(&word, p + n / sizeof word * sizeof word, n % sizeof word);
    sum += be32toh(word);
    while (sum >> 32)
        sum = (sum & UINT32_MAX) + (sum >> 32);
    return (uint32_t)sum;
}

static uint32_t add_sums(uint32_t a, uint32_t b)
{
    uint64_t sum = (uint64_t)a + b;

    return (uint32_t)((sum & UINT32_MAX) + (sum >> 32));
}

/* DATASUM; 0 when there is none that is a number. */
static int noted_sum(const orr_fits_file *f, unsigned long long *sum)
{
    char value[FLEN_VALUE] = "", *end;

    if (!text_of(f, "DATASUM", value)) return 0;
    *sum = strtoull(value, &end, 10);
    return end != value && strspn(end, " .0") == strlen(end);
}

/* CHECKSUM is 16 characters; others mean that there is none. */
static int has_checksum(const orr_fits_file *f)
{
    char value[FLEN_VALUE] = "";

    return text_of(f, "CHECKSUM", value) && strcspn(value, " ") == 16;
}

int orr_fits_has_sums(const orr_fits_file *f)
{
    unsigned long long ignored;

    return noted_sum(f, &ignored) || has_checksum(f);
}

orr_fits_sums orr_fits_check_sums(const orr_fits_file *f)
{
    size_t last = (uint64_t)f->end < f->n ? (size_t)f->end : f->n;
    orr_fits_sums found = { 0, 0 };
    unsigned long long noted = 0;
    int has_data = noted_sum(f, &noted), has_hdu = has_checksum(f);
    uint32_t data, all;

    if (!has_data && !has_hdu) return found;
    data = sum_words(f->bytes + f->data, last - (size_t)f->data);
    all = add_sums(data, sum_words(f->bytes + f->at, (size_t)(f->data - f->at)));
    if (has_data) found.data = data == noted ? 1 : -1;
    if (has_hdu) found.hdu = all == 0 || all == UINT32_MAX ? 1 : -1;
    return found;
}
