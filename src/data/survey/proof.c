/* data/survey/proof.c - the levels of proof, and FITS itself.
 * Standard: FITS 4.0 (2018), sections 4 (headers) and J (CHECKSUM, DATASUM; cfitsio's work). */
#include "data/survey/proof.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"
#include "data/survey/proof_bzip2.h"
#include "data/survey/unpack.h"

#include <fitsio.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { CARD = 80, FITS_BLOCK = 2880, MOST_HEADER = 128 * FITS_BLOCK };
static const size_t most_unpacked = (size_t)1 << 32;

/* ---- the first header ---- */
typedef struct header {
    const char *name, *cards;
    size_t n; /* whole cards that are there */
    int has_sum;
} header;

/* The value of a card with a fixed place: columns 11 to 30, right-justified. */
static int card_is(const char *card, const char *key)
{
    char want[11];

    snprintf(want, sizeof want, "%-8s= ", key);
    return memcmp(card, want, 10) == 0;
}

static orr_status card_number(const header *h, size_t i, const char *key, int64_t *out)
{
    char text[21];
    const char *card = h->cards + i * CARD, *p = text;

    if (i >= h->n || !card_is(card, key))
        return orr_fail(ORR_ERR_FORMAT, "%s: not FITS: card %zu of its header is not %s", h->name,
                        i + 1, key);
    memcpy(text, card + 10, 20);
    text[20] = '\0';
    for (size_t k = 20; k > 0 && text[k - 1] == ' '; k--)
        text[k - 1] = '\0';
    while (*p == ' ')
        p++;
    if (orr_parse_int64(out, p) == ORR_OK) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT, "%s: damaged FITS header: %s = \"%s\"", h->name, key, p);
}

static orr_status check_header(header *h)
{
    int64_t bitpix, naxis;

    if (h->n == 0 || !card_is(h->cards, "SIMPLE") || h->cards[29] != 'T')
        return orr_fail(ORR_ERR_FORMAT, "%s: not FITS inside: it begins with \"%.8s\"", h->name,
                        h->n ? h->cards : "");
    ORR_TRY(card_number(h, 1, "BITPIX", &bitpix));
    ORR_TRY(card_number(h, 2, "NAXIS", &naxis));
    if (bitpix != 8 && bitpix != 16 && bitpix != 32 && bitpix != 64 && bitpix != -32 &&
        bitpix != -64)
        return orr_fail(ORR_ERR_FORMAT, "%s: damaged FITS header: BITPIX = %lld", h->name,
                        (long long)bitpix);
    if (naxis < 0 || naxis > 999)
        return orr_fail(ORR_ERR_FORMAT, "%s: damaged FITS header: NAXIS = %lld", h->name,
                        (long long)naxis);
    for (size_t i = 3; i < h->n; i++) {
        const char *card = h->cards + i * CARD;

        if (memcmp(card, "END     ", 8) == 0) return ORR_OK;
        h->has_sum |= card_is(card, "CHECKSUM") || card_is(card, "DATASUM");
    }
    return orr_fail(ORR_ERR_FORMAT, "%s: damaged FITS header: no END in its first %zu cards",
                    h->name, h->n);
}

/* ---- all of it, in memory ---- */
static orr_status refused_by_cfitsio(int status, const char *name, int hdu)
{
    char words[FLEN_STATUS];

    fits_get_errstatus(status, words);
    fits_clear_errmsg();
    return orr_fail(ORR_ERR_FORMAT, "%s: damaged FITS: HDU %d: %s", name, hdu, words);
}

static orr_status check_hdu(fitsfile *f, size_t n, int sums, int hdu, const char *name)
{
    LONGLONG head, data, end;
    int status = 0, data_ok = 0, hdu_ok = 0;

    if (fits_get_hduaddrll(f, &head, &data, &end, &status))
        return refused_by_cfitsio(status, name, hdu);
    if (end < 0 || (uint64_t)end > n)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: cut off: HDU %d goes to byte %lld, the file to byte %zu", name, hdu,
                        (long long)end, n);
    if (!sums) return ORR_OK;
    if (fits_verify_chksum(f, &data_ok, &hdu_ok, &status))
        return refused_by_cfitsio(status, name, hdu);
    if (data_ok < 0 || hdu_ok < 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: damaged: HDU %d does not have the %s it notes", name,
                        hdu, data_ok < 0 ? "DATASUM" : "CHECKSUM");
    return ORR_OK;
}

/* Every HDU to its end. */
static orr_status walk(const char *bytes, size_t n, int sums, const char *name)
{
    fitsfile *f = NULL;
    void *p = (void *)(uintptr_t)bytes; /* read only, says the mode */
    orr_status st = ORR_OK;
    int status = 0, ignored = 0, hdu = 1;

    if (fits_open_memfile(&f, "frame", READONLY, &p, &n, 0, NULL, &status))
        return refused_by_cfitsio(status, name, 1);
    while (st == ORR_OK) {
        st = check_hdu(f, n, sums, hdu, name);
        if (st == ORR_OK && fits_movrel_hdu(f, 1, NULL, &status)) {
            if (status != END_OF_FILE) st = refused_by_cfitsio(status, name, hdu + 1);
            fits_clear_errmsg();
            break;
        }
        hdu++;
    }
    fits_close_file(f, &ignored);
    return st;
}

static orr_status check_plain(const char *bytes, size_t n, orr_proof level, const char *name)
{
    header h = { .name = name, .cards = bytes, .n = n / CARD };

    if (h.n > MOST_HEADER / CARD) h.n = MOST_HEADER / CARD;
    ORR_TRY(check_header(&h));
    return walk(bytes, n, level == ORR_PROOF_FULL || h.has_sum, name);
}

static orr_status check_unpacked(const void *bytes, size_t n, orr_proof level, const char *name)
{
    static const char *const whole[] = { "the bzip2 data end", "the gzip data end" };
    orr_unpack *u = NULL;
    orr_status st;

    ORR_TRY(orr_unpack_open(&u, bytes, n, name));
    st = orr_unpack_to(u, most_unpacked);
    if (st == ORR_OK) {
        st = orr_fail(ORR_ERR_FORMAT, "%s: more than %zu bytes unpacked", name, most_unpacked);
    } else if (st == ORR_ERR_FORMAT && orr_unpack_taken(u) == n &&
               (strncmp(orr_unpack_why(u), whole[0], strlen(whole[0])) == 0 ||
                strncmp(orr_unpack_why(u), whole[1], strlen(whole[1])) == 0)) {
        orr_error_clear();
        st = level < ORR_PROOF_STRUCTURE
                 ? ORR_OK
                 : check_plain(orr_unpack_bytes(u), orr_unpack_ready(u), level, name);
    }
    orr_unpack_close(u);
    return st;
}

/* ---- levels ---- */
static int has_end(const char *last, size_t bytes)
{
    for (size_t i = 0; i + CARD <= bytes; i += CARD)
        if (memcmp(last + i, "END     ", 8) == 0) return 1;
    return 0;
}

/* Only as much of the first block as the header needs is put out. */
static orr_status check_packed_header(const unsigned char *p, size_t n, int *has_sum,
                                      const char *name)
{
    char *cards = orr_alloc(MOST_HEADER, 1);
    header h = { .name = name, .cards = cards };
    size_t got = 0;
    orr_status st = cards ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "%s: out of memory", name);

    if (st == ORR_OK)
        st = orr_bzip2_head(p, n, cards, FITS_BLOCK, MOST_HEADER, has_end, &got, name);
    h.n = got / CARD;
    if (st == ORR_OK) st = check_header(&h);
    *has_sum = h.has_sum;
    orr_free(cards);
    return st;
}

static orr_status prove_bzip2(const unsigned char *p, size_t n, orr_proof level, const char *name)
{
    char why[ORR_ERROR_MAX];
    int has_sum = 0;
    orr_status st = level == ORR_PROOF_FULL ? ORR_OK : orr_bzip2_chain(p, n, name);

    if (st != ORR_OK) { /* what the decoder says decides; the chain says it better */
        snprintf(why, sizeof why, "%s", orr_error_text());
        if (check_unpacked(p, n, level, name) == ORR_OK) return ORR_OK;
        return orr_fail(st, "%s", why);
    }
    if (level == ORR_PROOF_STRUCTURE) ORR_TRY(check_packed_header(p, n, &has_sum, name));
    if (level == ORR_PROOF_FULL || has_sum) st = check_unpacked(p, n, ORR_PROOF_FULL, name);
    return st;
}

/* Where nothing is gained by looking at less. */
static orr_proof at_least_structure(orr_proof level)
{
    return level > ORR_PROOF_STRUCTURE ? level : ORR_PROOF_STRUCTURE;
}

orr_status orr_prove(const void *bytes, size_t n, orr_proof level, const char *name)
{
    const unsigned char *p = bytes;

    if (level == ORR_PROOF_LENGTH) return ORR_OK;
    if (n >= 3 && memcmp(p, "BZh", 3) == 0) return prove_bzip2(p, n, level, name);
    if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b)
        return check_unpacked(p, n, at_least_structure(level), name);
    if (n >= 8 && memcmp(p, "SIMPLE  ", 8) == 0)
        return check_plain(bytes, n, at_least_structure(level), name);
    return orr_fail(ORR_ERR_FORMAT, "%s: not FITS: %s", name, orr_unpack_looks(bytes, n));
}

orr_status orr_prove_file(const char *path, orr_proof level)
{
    char *bytes = NULL;
    size_t n = 0;
    orr_status st = orr_read_file(&bytes, &n, path, SIZE_MAX / 4);

    if (st == ORR_OK) st = orr_prove(bytes, n, level, path);
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
