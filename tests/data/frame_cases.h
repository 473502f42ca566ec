/* tests/data/frame_cases.h - FITS images made in memory, packed in all ways, and what is in
 * them. */
#ifndef ORR_TESTS_DATA_FRAME_CASES_H
#define ORR_TESTS_DATA_FRAME_CASES_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "core/memory.h"
#include "core/status.h"

#include <bzlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CASE_BLOCK = 2880 };

typedef struct {
    unsigned char *p;
    size_t n;
} case_bytes;

static inline case_bytes case_take(size_t n)
{
    case_bytes b = { orr_alloc(n + 1, 1), n };

    assert_non_null(b.p);
    return b;
}

static inline void case_drop(case_bytes *b)
{
    orr_free(b->p);
    *b = (case_bytes){ 0 };
}

/* A pixel's value: hard to pack, so that an image has many blocks. */
static inline float case_pixel(int x, int y)
{
    uint32_t h = (uint32_t)x * 2654435761u ^ ((uint32_t)y + 77) * 2246822519u;

    h ^= h >> 15;
    h *= 2654435761u;
    h ^= h >> 13;
    return (float)(h >> 8) / 4096.0f - 2048.0f;
}

static inline void case_card(case_bytes *b, size_t *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline void case_card(case_bytes *b, size_t *at, const char *format, ...)
{
    char text[81];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_true(n > 0 && n <= 80 && *at + 80 <= b->n);
    memset(b->p + *at, ' ', 80);
    memcpy(b->p + *at, text, (size_t)n);
    *at += 80;
}

/* width x height float32 pixels, TAN about (150, 2), one block of header; extra: a card or NULL. */
static inline case_bytes case_fits(int width, int height, const char *extra)
{
    size_t data = (size_t)width * (size_t)height * 4, at = 0;
    case_bytes b = case_take(CASE_BLOCK + (data + CASE_BLOCK - 1) / CASE_BLOCK * CASE_BLOCK);
    unsigned char *p = b.p + CASE_BLOCK;

    case_card(&b, &at, "SIMPLE  =                    T");
    case_card(&b, &at, "BITPIX  =                  -32");
    case_card(&b, &at, "NAXIS   =                    2");
    case_card(&b, &at, "NAXIS1  = %20d", width);
    case_card(&b, &at, "NAXIS2  = %20d", height);
    case_card(&b, &at, "CTYPE1  = 'RA---TAN'");
    case_card(&b, &at, "CTYPE2  = 'DEC--TAN'");
    case_card(&b, &at, "CRVAL1  =                150.0");
    case_card(&b, &at, "CRVAL2  =                  2.0");
    case_card(&b, &at, "CRPIX1  = %20.3f", width / 2.0);
    case_card(&b, &at, "CRPIX2  = %20.3f", height / 2.0);
    case_card(&b, &at, "CD1_1   =              -0.0001");
    case_card(&b, &at, "CD2_2   =               0.0001");
    case_card(&b, &at, "FILTER  = 'r   '               / the band");
    case_card(&b, &at, "RUN     =                   94");
    if (extra) case_card(&b, &at, "%s", extra);
    case_card(&b, &at, "END");
    memset(b.p + at, ' ', CASE_BLOCK - at);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, p += 4) {
            float v = case_pixel(x, y);
            uint32_t u;

            memcpy(&u, &v, sizeof u);
            u = __builtin_bswap32(u);
            memcpy(p, &u, sizeof u);
        }
    return b;
}

static inline void case_append(case_bytes *to, const void *p, size_t n)
{
    case_bytes b = case_take(to->n + n);

    if (to->n) memcpy(b.p, to->p, to->n);
    if (n) memcpy(b.p + to->n, p, n);
    case_drop(to);
    *to = b;
}

/* A bzip2 stream with blocks of 100 kB. */
static inline case_bytes case_bz2(const void *p, size_t n)
{
    case_bytes b = case_take(n + n / 50 + 1000);
    unsigned bytes = (unsigned)b.n;

    assert_int_equal(
        BZ2_bzBuffToBuffCompress((char *)b.p, &bytes, (char *)(size_t)p, (unsigned)n, 1, 0, 0),
        BZ_OK);
    b.n = bytes;
    return b;
}

/* A gzip member. */
static inline case_bytes case_gz(const void *p, size_t n)
{
    case_bytes b = case_take(n + n / 50 + 1000);
    z_stream s = { .next_in = (unsigned char *)(size_t)p, .avail_in = (unsigned)n };

    assert_int_equal(deflateInit2(&s, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    s.next_out = b.p;
    s.avail_out = (unsigned)b.n;
    assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
    b.n = s.total_out;
    deflateEnd(&s);
    return b;
}

/* Every `piece` bytes a stream (or member) of their own. */
static inline case_bytes case_pieces(case_bytes b, size_t piece,
                                     case_bytes (*pack)(const void *, size_t))
{
    case_bytes all = { 0 };

    for (size_t at = 0; at < b.n; at += piece) {
        case_bytes one = pack(b.p + at, b.n - at < piece ? b.n - at : piece);

        case_append(&all, one.p, one.n);
        case_drop(&one);
    }
    return all;
}

#endif
