/* data/survey/proof.c - the levels of proof, and FITS itself.
 * Standard: FITS 4.0 (2018), sections 4 (headers) and J (CHECKSUM, DATASUM; cfitsio's work). */
#include "data/survey/proof.h"
#include "core/file.h"
#include "core/memory.h"
#include "data/formats/bytes.h"
#include "data/formats/fits_file.h"
#include "data/survey/fits_lock_private.h"
#include "data/survey/proof_bzip2.h"
#include "data/survey/unpack.h"

#include <fitsio.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { CARD = 80, MOST_HEADER = 128 * ORR_FITS_BLOCK };

/* ---- the first header ---- */
/* What cfitsio says of bytes that begin with a header; the data need not be there.  END_OF_FILE:
 * nor is the header's end. */
static int read_header(const char *bytes, size_t n, int *simple, int *has_sum)
{
    fitsfile *f = NULL;
    void *p = (void *)(uintptr_t)bytes; /* read only, says the mode */
    char card[FLEN_CARD];
    int status = 0, none = 0, ignored = 0;

    orr_fits_lock(0);
    if (fits_open_memfile(&f, "frame", READONLY, &p, &n, 0, NULL, &status) == 0) {
        fits_read_key(f, TLOGICAL, "SIMPLE", simple, NULL, &status);
        *has_sum = fits_read_card(f, "CHECKSUM", card, &none) == 0;
        none = 0;
        *has_sum |= fits_read_card(f, "DATASUM", card, &none) == 0;
        fits_close_file(f, &ignored);
    }
    fits_clear_errmsg();
    orr_fits_unlock(0);
    return status;
}

/* The card that cfitsio's word is about.  Its own messages tell that too, but there is one stack of
 * them for all threads. */
static const char *guilty_card(const char *header, int status)
{
    switch (status) {
    case BAD_SIMPLE:
        return header;
    case NO_BITPIX:
    case BAD_BITPIX:
        return header + CARD;
    case NO_NAXIS:
    case BAD_NAXIS:
        return header + 2 * CARD;
    default:
        return "";
    }
}

static orr_status check_header(const char *bytes, size_t n, int *has_sum, const char *name)
{
    char words[FLEN_STATUS];
    const char *card;
    int status, simple = 0;

    if (n > MOST_HEADER) n = MOST_HEADER;
    if (n < 9 || memcmp(bytes, "SIMPLE  =", 9) != 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: not FITS inside: it begins with \"%.*s\"", name,
                        n < 8 ? (int)n : 8, bytes);
    status = read_header(bytes, n, &simple, has_sum);
    if (status == MEMORY_ALLOCATION) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", name);
    if (status == END_OF_FILE)
        return orr_fail(ORR_ERR_FORMAT, "%s: damaged FITS header: no END in its first %zu bytes",
                        name, n);
    fits_get_errstatus(status, words);
    card = guilty_card(bytes, status);
    if (status)
        return orr_fail(ORR_ERR_FORMAT, "%s: damaged FITS header: %s%s%.30s", name, words,
                        *card ? ": " : "", card);
    if (simple) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT, "%s: not FITS inside: it says SIMPLE = F", name);
}

/* ---- all of it, in memory ---- */
static orr_status refused_by_cfitsio(int status, const char *name, int hdu)
{
    char words[FLEN_STATUS];

    if (status == MEMORY_ALLOCATION) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", name);
    fits_get_errstatus(status, words);
    return orr_fail(ORR_ERR_FORMAT, "%s: damaged FITS: HDU %d: %s", name, hdu, words);
}

static orr_status check_hdu(const orr_fits_file *f, int sums, const char *name)
{
    orr_fits_sums found;

    if ((uint64_t)f->end > f->n)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: cut off: HDU %d goes to byte %lld, the file to byte %zu", name,
                        f->number, (long long)f->end, f->n);
    if (!sums) return ORR_OK;
    found = orr_fits_check_sums(f);
    if (found.data < 0 || found.hdu < 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: damaged: HDU %d does not have the %s it notes", name,
                        f->number, found.data < 0 ? "DATASUM" : "CHECKSUM");
    return ORR_OK;
}

/* Every HDU to its end. */
static orr_status walk(const char *bytes, size_t n, int sums, const char *name)
{
    orr_fits_file f = { .bytes = bytes, .n = n };
    orr_status st = ORR_OK;
    int status;

    orr_fits_lock(0);
    for (status = orr_fits_first(&f); !status && st == ORR_OK; status = orr_fits_next(&f))
        if ((st = check_hdu(&f, sums, name)) != ORR_OK) break;
    if (status && status != END_OF_FILE) st = refused_by_cfitsio(status, name, f.number);
    orr_fits_close(&f);
    fits_clear_errmsg();
    orr_fits_unlock(0);
    return st;
}

static orr_status check_plain(const char *bytes, size_t n, orr_proof level, const char *name)
{
    int has_sum = 0;

    ORR_TRY(check_header(bytes, n, &has_sum, name));
    return walk(bytes, n, level == ORR_PROOF_FULL || has_sum, name);
}

static orr_status check_unpacked(const void *bytes, size_t n, orr_proof_opts o, const char *name)
{
    orr_unpack *u = NULL;
    size_t most = orr_unpacked_most(n, o.max_unpacked);
    orr_status st;

    ORR_TRY(orr_unpack_open(&u, bytes, n, most, name));
    st = orr_unpack_to(u, most + 1); /* fails: they end before, or become too many */
    if (st == ORR_ERR_FORMAT && orr_unpack_whole(u)) {
        orr_error_clear();
        st = o.level < ORR_PROOF_STRUCTURE
                 ? ORR_OK
                 : check_plain(orr_unpack_bytes(u), orr_unpack_ready(u), o.level, name);
    }
    orr_unpack_close(u);
    return st;
}

/* ---- levels ---- */
static int header_is_there(const char *bytes, size_t n)
{
    int simple, has_sum;

    return read_header(bytes, n, &simple, &has_sum) != END_OF_FILE;
}

/* Only as much of the first block as the header needs is put out. */
static orr_status check_packed_header(const unsigned char *p, size_t n, int *has_sum,
                                      const char *name)
{
    char *header = orr_alloc(MOST_HEADER, 1);
    size_t got = 0;
    orr_status st = header ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "%s: out of memory", name);

    if (st == ORR_OK)
        st = orr_bzip2_head(p, n, header, ORR_FITS_BLOCK, MOST_HEADER, header_is_there, &got, name);
    if (st == ORR_OK) st = check_header(header, got, has_sum, name);
    orr_free(header);
    return st;
}

static orr_status prove_bzip2(const unsigned char *p, size_t n, orr_proof_opts o, const char *name)
{
    const orr_proof_opts full = { ORR_PROOF_FULL, o.max_unpacked };
    orr_error e;
    int has_sum = 0;
    orr_status st = o.level == ORR_PROOF_FULL ? ORR_OK : orr_bzip2_chain(p, n, name);

    if (st != ORR_OK) { /* what the decoder says decides; the chain says it better */
        orr_error decoder;
        if (!orr_is_data_fault(st)) return st;
        orr_error_take(&e, st);
        orr_error_take(&decoder, check_unpacked(p, n, o, name));
        return orr_is_data_fault(decoder.code) ? orr_error_raise(&e) : orr_error_raise(&decoder);
    }
    if (o.level == ORR_PROOF_STRUCTURE) ORR_TRY(check_packed_header(p, n, &has_sum, name));
    if (o.level == ORR_PROOF_FULL || has_sum) st = check_unpacked(p, n, full, name);
    return st;
}

/* Where nothing is gained by looking at less. */
static orr_proof_opts at_least_structure(orr_proof_opts o)
{
    if (o.level < ORR_PROOF_STRUCTURE) o.level = ORR_PROOF_STRUCTURE;
    return o;
}

orr_status orr_prove(const void *bytes, size_t n, orr_proof_opts o, const char *name)
{
    const unsigned char *p = bytes;

    if (o.level == ORR_PROOF_LENGTH) return ORR_OK;
    if (n >= 3 && memcmp(p, "BZh", 3) == 0) return prove_bzip2(p, n, o, name);
    if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b)
        return check_unpacked(p, n, at_least_structure(o), name);
    if (n >= 8 && memcmp(p, "SIMPLE  ", 8) == 0)
        return check_plain(bytes, n, at_least_structure(o).level, name);
    return orr_fail(ORR_ERR_FORMAT, "%s: not FITS: %s", name, orr_unpack_looks(bytes, n));
}

orr_status orr_prove_file(const char *path, orr_proof_opts o)
{
    char *bytes = NULL;
    size_t n = 0;
    orr_status st = orr_read_file(&bytes, &n, path, SIZE_MAX / 4);

    if (st == ORR_OK) st = orr_prove(bytes, n, o, path);
    orr_free(bytes);
    return st;
}

orr_status orr_proof_from_name(orr_proof *out, const char *name)
{
    static const char *const names[] = { "length", "stream", "structure", "full" };

    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (orr_proof)i;
            return ORR_OK;
        }
    return orr_fail(ORR_ERR_OPTION,
                    "archive.proof: \"%s\" is not length, stream, structure or full", name);
}
