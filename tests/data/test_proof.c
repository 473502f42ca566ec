/* tests/data/test_proof.c - every level of proof on whole, cut, damaged and foreign files. */
#include "core/file.h"
#include "core/memory.h"
#include "data/survey/proof.h"

#include <bzlib.h>
#include <fitsio.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

enum { BLOCK = 2880, MOST = 1 << 21, W = 320, H = 200 };
typedef struct {
    char bytes[MOST];
    size_t n;
} file;
static file plain, packed, other;

static uint32_t next_random(void)
{
    static uint32_t x = 12345;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

/* A FITS file of one image; with sums: CHECKSUM and DATASUM by cfitsio. */
static void make_fits(file *f, int sums)
{
    fitsfile *p = NULL;
    size_t n = MOST;
    void *memory = malloc(n);
    long axes[2] = { W, H };
    static float pixels[W * H];
    int status = 0;
    LONGLONG head, data, end;

    for (int i = 0; i < W * H; i++)
        pixels[i] = (float)(next_random() % 4096) / 64;
    assert_non_null(memory);
    fits_create_memfile(&p, &memory, &n, BLOCK, realloc, &status);
    fits_create_img(p, FLOAT_IMG, 2, axes, &status);
    fits_write_img(p, TFLOAT, 1, W * H, pixels, &status);
    if (sums) fits_write_chksum(p, &status);
    fits_flush_file(p, &status);
    fits_get_hduaddrll(p, &head, &data, &end, &status);
    assert_int_equal(status, 0);
    f->n = (size_t)end;
    memcpy(f->bytes, memory, f->n);
    fits_close_file(p, &status);
    free(memory);
}

static void pack(file *to, const file *from, int level)
{
    unsigned n = MOST;

    assert_int_equal(BZ2_bzBuffToBuffCompress(to->bytes, &n, (char *)from->bytes, (unsigned)from->n,
                                              level, 0, 0),
                     BZ_OK);
    to->n = n;
}

static void pack_gzip(file *to, const file *from)
{
    z_stream z = { 0 };

    assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)from->bytes;
    z.avail_in = (unsigned)from->n;
    z.next_out = (unsigned char *)to->bytes;
    z.avail_out = MOST;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    to->n = z.total_out;
    deflateEnd(&z);
}

static orr_status prove(const file *f, orr_proof level)
{
    char *copy = malloc(f->n + 1); /* exactly as long: the sanitizer sees a byte too far */
    orr_status st;

    assert_non_null(copy);
    memcpy(copy, f->bytes, f->n);
    copy = realloc(copy, f->n ? f->n : 1);
    st = orr_prove(copy, f->n, (orr_proof_opts){ level, 0 }, "a.fits");
    free(copy);
    return st;
}

static void expect(const file *f, orr_status stream, orr_status structure, orr_status full)
{
    assert_int_equal(prove(f, ORR_PROOF_LENGTH), ORR_OK);
    assert_int_equal(prove(f, ORR_PROOF_STREAM), stream);
    assert_int_equal(prove(f, ORR_PROOF_STRUCTURE), structure);
    assert_int_equal(prove(f, ORR_PROOF_FULL), full);
}

static void expect_all(const file *f, orr_status st)
{
    expect(f, st, st, st);
}

static void expect_says(const file *f, orr_proof level, const char *words)
{
    assert_int_equal(prove(f, level), ORR_ERR_FORMAT);
    if (!strstr(orr_error_text(), words)) fail_msg("\"%s\" not in \"%s\"", words, orr_error_text());
}

static void test_whole(void **state)
{
    (void)state;
    make_fits(&plain, 0);
    expect_all(&plain, ORR_OK);
    for (int level = 1; level <= 9; level++) {
        pack(&packed, &plain, level);
        expect_all(&packed, ORR_OK);
    }
    pack_gzip(&packed, &plain);
    expect_all(&packed, ORR_OK);
}

/* Blocks that begin at every bit of a byte: the sizes of what stands before them decide. */
static void test_all_alignments(void **state)
{
    int seen = 0;

    (void)state;
    for (int k = 0; k < 64; k++) {
        make_fits(&plain, 0);
        pack(&packed, &plain, 1);
        expect(&packed, ORR_OK, ORR_OK, ORR_OK);
        seen |= 1 << (packed.n % 8);
    }
    assert_true(seen != 0);
}

static void test_streams_in_a_row(void **state)
{
    file *a = &packed, *b = &other;
    size_t first;

    (void)state;
    make_fits(&plain, 0);
    plain.n = BLOCK * 3; /* header and a part */
    pack(a, &plain, 9);
    first = a->n;
    make_fits(&plain, 0);
    memmove(plain.bytes, plain.bytes + BLOCK * 3, plain.n - BLOCK * 3);
    plain.n -= BLOCK * 3;
    pack(b, &plain, 1);
    memcpy(a->bytes + first, b->bytes, b->n);
    a->n = first + b->n;
    expect_all(a, ORR_OK);
    a->n = first; /* the second stream is missing: only decoding sees that */
    expect(a, ORR_OK, ORR_OK, ORR_ERR_FORMAT);
    a->n = first + 3;
    expect_all(a, ORR_ERR_FORMAT);
}

static void test_cut(void **state)
{
    size_t whole;

    (void)state;
    make_fits(&plain, 0);
    pack(&packed, &plain, 1);
    whole = packed.n;
    for (int k = 0; k < 10; k++) {
        packed.n = whole * (size_t)k / 10;
        expect_all(&packed, ORR_ERR_FORMAT);
    }
    for (size_t k = 1; k < 24; k++) {
        packed.n = whole - k;
        expect_all(&packed, ORR_ERR_FORMAT);
    }
    packed.n = whole / 2;
    expect_says(&packed, ORR_PROOF_STREAM, "cut off: no end of the bzip2 stream after");
    pack_gzip(&packed, &plain);
    packed.n -= 9;
    expect_all(&packed, ORR_ERR_FORMAT);
    plain.n -= BLOCK;
    expect_all(&plain, ORR_ERR_FORMAT);
    expect_says(&plain, ORR_PROOF_STRUCTURE, "cut off: HDU 1");
    pack(&packed, &plain, 9); /* whole as bzip2, cut as FITS */
    expect(&packed, ORR_OK, ORR_OK, ORR_ERR_FORMAT);
}

static void test_damage(void **state)
{
    char kept;

    (void)state;
    make_fits(&plain, 0);
    pack(&packed, &plain, 1);
    for (size_t at = packed.n - 8; at < packed.n - 2; at++) { /* end's magic and checksum */
        kept = packed.bytes[at];
        packed.bytes[at] ^= 0x18;
        expect_all(&packed, ORR_ERR_FORMAT);
        packed.bytes[at] = kept;
    }
    for (size_t at = 0; at < 14; at++) { /* header, first block's magic and checksum */
        if (at == 3) continue;           /* the digit may well be larger */
        kept = packed.bytes[at];
        packed.bytes[at] ^= 0x20;
        expect_all(&packed, ORR_ERR_FORMAT);
        packed.bytes[at] = kept;
    }
    kept = packed.bytes[packed.n / 2]; /* within a block: decoding sees it */
    packed.bytes[packed.n / 2] ^= 1;
    expect(&packed, ORR_OK, ORR_OK, ORR_ERR_FORMAT);
    packed.bytes[packed.n / 2] = kept;
    packed.bytes[packed.n] = 'x';
    packed.n++;
    expect_all(&packed, ORR_ERR_FORMAT);
    expect_says(&packed, ORR_PROOF_STREAM, "1 bytes follow the end");
}

static void test_sums(void **state)
{
    (void)state;
    make_fits(&plain, 1);
    pack(&packed, &plain, 9);
    expect_all(&packed, ORR_OK);
    plain.bytes[BLOCK + 1000] ^= 1;
    pack(&packed, &plain, 9);
    expect(&packed, ORR_OK, ORR_ERR_FORMAT, ORR_ERR_FORMAT);
    expect_says(&packed, ORR_PROOF_STRUCTURE, "DATASUM");
    expect_all(&plain, ORR_ERR_FORMAT);
    for (int i = 0; i < 2; i++) { /* one of the two is enough */
        make_fits(&plain, 1);
        memcpy(memmem(plain.bytes, BLOCK, i ? "CHECKSUM" : "DATASUM ", 8), "COMMENT ", 8);
        plain.bytes[BLOCK + 1000] ^= 1;
        pack(&packed, &plain, 9);
        expect(&packed, ORR_OK, ORR_ERR_FORMAT, ORR_ERR_FORMAT);
        expect_says(&packed, ORR_PROOF_STRUCTURE, i ? "DATASUM" : "CHECKSUM");
    }
}

static void test_not_fits(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = { { "", "empty" },
                  { "\n<!DOCTYPE html><html></html>", "HTML" },
                  { "<html><body>404</body></html>", "HTML" },
                  { "BZh9", "cut off" },
                  { "BZh0xxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "bzip2" },
                  { "objID,ra,dec\n1,2,3\n", "not FITS" } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        other.n = strlen(cases[i].text);
        memcpy(other.bytes, cases[i].text, other.n);
        expect_all(&other, ORR_ERR_FORMAT);
        expect_says(&other, ORR_PROOF_STRUCTURE, cases[i].says);
        if (i < 3 || other.n == 0) continue;
    }
    pack(&packed, &other, 9); /* csv in bzip2: the chain is whole */
    expect(&packed, ORR_OK, ORR_ERR_FORMAT, ORR_ERR_FORMAT);
    expect_says(&packed, ORR_PROOF_STRUCTURE, "not FITS inside");
}

static void test_bad_header(void **state)
{
    static const struct {
        size_t at;
        const char *text, *says;
    } cases[] = {
        { 29, "F", "not FITS inside: it says SIMPLE = F" },
        { 29, "x", "illegal SIMPLE keyword value: SIMPLE  =                    x" },
        { 0, "SIMPLU", "not FITS inside: it begins with \"SIMPLU  \"" },
        { 80, "BITPIQ", "second keyword not BITPIX: BITPIQ  =                  -32" },
        { 80 + 28, "33", "illegal BITPIX keyword value: BITPIX  =                  -33" },
        { 80 + 28, "xx", "illegal BITPIX keyword value: BITPIX  =                  -xx" },
        { 160, "NAXES", "third keyword not NAXIS: NAXES   =                    2" },
        { 160 + 26, "1000", "illegal NAXIS keyword value: NAXIS   =                 1000" },
        { 160 + 26, "  -1", "illegal NAXIS keyword value: NAXIS   =                   -1" },
        { 160 + 26, "   3", "missing NAXISn keywords" },
        { 240 + 26, "  -5", "illegal NAXISn keyword value" }
    };

    char kept[8];

    (void)state;
    make_fits(&plain, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(kept, plain.bytes + cases[i].at, 8);
        memcpy(plain.bytes + cases[i].at, cases[i].text, strlen(cases[i].text));
        pack(&packed, &plain, 9);
        expect_says(&packed, ORR_PROOF_STRUCTURE, cases[i].says);
        if (cases[i].at > 0) expect_says(&plain, ORR_PROOF_STRUCTURE, cases[i].says);
        memcpy(plain.bytes + cases[i].at, kept, 8);
    }
}

/* Headers of several blocks, of more than are looked at, and without an end. */
static void test_long_header(void **state)
{
    static const struct {
        size_t blocks;
        orr_status st;
    } cases[] = { { 2, ORR_OK }, { 36, ORR_OK }, { 128, ORR_OK }, { 129, ORR_ERR_FORMAT } };
    char *end;

    (void)state;
    make_fits(&other, 0);
    end = memmem(other.bytes, BLOCK, "END     ", 8);
    assert_non_null(end);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t more = (cases[i].blocks - 1) * BLOCK, at = (size_t)(end - other.bytes);

        memcpy(plain.bytes, other.bytes, at);
        for (size_t k = at; k < at + more; k += 80)
            memcpy(plain.bytes + k,
                   "COMMENT                         "
                   "                                                ",
                   80);
        memcpy(plain.bytes + at + more, end, other.n - at);
        plain.n = other.n + more;
        pack(&packed, &plain, 9);
        expect(&packed, ORR_OK, cases[i].st, cases[i].st);
        if (cases[i].st != ORR_OK)
            expect_says(&packed, ORR_PROOF_STRUCTURE, "no END in its first 368640 bytes");
    }
    memcpy(plain.bytes, other.bytes, BLOCK);
    plain.n = BLOCK;
    memcpy(plain.bytes + (end - other.bytes), "ENDE", 4);
    expect_all(&plain, ORR_ERR_FORMAT);
    pack(&packed, &plain, 9); /* the content ends before its header */
    expect(&packed, ORR_OK, ORR_ERR_FORMAT, ORR_ERR_FORMAT);
    expect_says(&packed, ORR_PROOF_STRUCTURE, "no END in its first 2880 bytes");
    memcpy(plain.bytes, other.bytes, BLOCK);
    plain.n = BLOCK - 1;
    pack(&packed, &plain, 9);
    expect(&packed, ORR_OK, ORR_ERR_FORMAT, ORR_ERR_FORMAT);
}

typedef struct prover {
    const file *f;
    const char *says; /* NULL: nothing is wrong */
    int wrong;
} prover;

static void *prove_often(void *ctx)
{
    prover *p = ctx;

    for (int k = 0; k < 200; k++) {
        orr_status st =
            orr_prove(p->f->bytes, p->f->n, (orr_proof_opts){ ORR_PROOF_STRUCTURE, 0 }, "a.fits");

        p->wrong +=
            p->says ? st != ORR_ERR_FORMAT || !strstr(orr_error_text(), p->says) : st != ORR_OK;
    }
    return NULL;
}

/* Each thread hears of its own file. */
static void test_threads(void **state)
{
    prover provers[4] = { { &plain, NULL, 0 },
                          { &packed, "illegal BITPIX keyword value: BITPIX", 0 },
                          { &other, "illegal NAXIS keyword value: NAXIS", 0 },
                          { &plain, NULL, 0 } };
    pthread_t threads[4];

    (void)state;
    make_fits(&plain, 1);
    packed = other = plain;
    memcpy(packed.bytes + 80 + 28, "33", 2);
    memcpy(other.bytes + 160 + 26, "1000", 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, prove_often, &provers[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(provers[i].wrong, 0);
}

/* ---- 48 bits of data that look like a block ---- */
static int get_bit(const char *p, size_t bit)
{
    return p[bit / 8] >> (7 - bit % 8) & 1;
}

static void put_bits(char *p, size_t bit, uint64_t value, int n)
{
    for (int i = 0; i < n; i++, bit++) {
        int b = (int)(value >> (n - 1 - i) & 1);
        p[bit / 8] = (char)((p[bit / 8] & ~(1 << (7 - bit % 8))) | b << (7 - bit % 8));
    }
}

static uint32_t bzip2_sum(const char *p, size_t n)
{
    uint32_t c = 0xffffffffu;

    for (size_t i = 0; i < n; i++) {
        c ^= (uint32_t)(unsigned char)p[i] << 24;
        for (int k = 0; k < 8; k++)
            c = c & 0x80000000u ? c << 1 ^ 0x04c11db7u : c << 1;
    }
    return ~c;
}

static size_t end_magic_at(const file *f)
{
    for (size_t bit = f->n * 8 - 80; bit > 0; bit--) {
        uint64_t v = 0;
        for (int k = 0; k < 48; k++)
            v = v << 1 | (uint64_t)get_bit(f->bytes, bit + (size_t)k);
        if (v == 0x177245385090u) return bit;
    }
    return 0;
}

/* Writes the magic number into the data of a one-block stream at `bit` and mends the checksums; 0
 * when what is then decoded is no stream. */
static int plant(file *f, size_t bit)
{
    static char out[1 << 20];
    bz_stream s = { 0 };
    size_t end = end_magic_at(f), n;
    uint32_t sum;
    int code = BZ_OK;

    put_bits(f->bytes, bit, 0x314159265359u, 48);
    BZ2_bzDecompressInit(&s, 0, 0);
    s.next_in = f->bytes;
    s.avail_in = (unsigned)f->n;
    s.next_out = out;
    s.avail_out = sizeof out;
    while (code == BZ_OK && s.avail_out > 0 && s.avail_in > 0)
        code = BZ2_bzDecompress(&s);
    n = sizeof out - s.avail_out;
    BZ2_bzDecompressEnd(&s);
    sum = bzip2_sum(out, n);
    put_bits(f->bytes, (4 + 6) * 8, sum, 32);
    put_bits(f->bytes, end + 48, sum, 32);
    code = BZ_OK;
    s = (bz_stream){ 0 };
    BZ2_bzDecompressInit(&s, 0, 0);
    s.next_in = f->bytes;
    s.avail_in = (unsigned)f->n;
    s.next_out = out;
    s.avail_out = sizeof out;
    while (code == BZ_OK && s.avail_out > 0 && s.avail_in > 0)
        code = BZ2_bzDecompress(&s);
    BZ2_bzDecompressEnd(&s);
    return code == BZ_STREAM_END;
}

/* Such a stream is whole, though its chain seems to be broken.  (What is in it is no FITS any more:
 * to find FITS that packs to these bits would take 2^48 tries.) */
static void test_false_magic(void **state)
{
    int planted = 0;

    (void)state;
    make_fits(&plain, 0);
    pack(&other, &plain, 9);
    for (int trial = 0; trial < 2000 && !planted; trial++) {
        packed = other;
        planted = plant(&packed, packed.n * 8 * 3 / 4 + (size_t)(7 * trial));
    }
    assert_true(planted);
    assert_int_equal(prove(&packed, ORR_PROOF_STREAM), ORR_OK);
    put_bits(packed.bytes, end_magic_at(&packed) + 48, 0, 32);
    assert_int_equal(prove(&packed, ORR_PROOF_STREAM), ORR_ERR_FORMAT);
}

static void test_file(void **state)
{
    (void)state;
    make_fits(&plain, 0);
    pack(&packed, &plain, 9);
    assert_int_equal(orr_write_file("proof.fits.bz2", packed.bytes, packed.n), ORR_OK);
    assert_int_equal(orr_prove_file("proof.fits.bz2", (orr_proof_opts){ ORR_PROOF_FULL, 0 }),
                     ORR_OK);
    assert_int_equal(orr_write_file("proof.fits.bz2", packed.bytes, packed.n - 1), ORR_OK);
    assert_int_equal(orr_prove_file("proof.fits.bz2", (orr_proof_opts){ ORR_PROOF_STREAM, 0 }),
                     ORR_ERR_FORMAT);
    assert_non_null(strstr(orr_error_text(), "proof.fits.bz2"));
    unlink("proof.fits.bz2");
    assert_int_equal(orr_prove_file("proof.fits.bz2", (orr_proof_opts){ ORR_PROOF_STREAM, 0 }),
                     ORR_ERR_IO);
}

static void test_memory(void **state)
{
    (void)state;
    make_fits(&plain, 0);
    pack(&packed, &plain, 9);
    for (orr_proof level = ORR_PROOF_STREAM; level <= ORR_PROOF_FULL; level++)
        for (int k = 1;; k++) {
            orr_status st;
            orr_alloc_fail_at(k);
            st = prove(&packed, level);
            orr_alloc_fail_at(0);
            if (st == ORR_OK) break;
            assert_int_equal(st, ORR_ERR_NOMEM);
            assert_true(k < 100);
        }
}

static void test_names(void **state)
{
    orr_proof level;

    (void)state;
    assert_int_equal(orr_proof_from_name(&level, "stream"), ORR_OK);
    assert_int_equal(level, ORR_PROOF_STREAM);
    assert_int_equal(orr_proof_from_name(&level, "none"), ORR_ERR_OPTION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_all_alignments),
        cmocka_unit_test(test_streams_in_a_row),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_not_fits),
        cmocka_unit_test(test_bad_header),
        cmocka_unit_test(test_long_header),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_false_magic),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
