/* data/survey/proof_bzip2.c - bzip2 streams: the chain of blocks from the bits alone, and the first
 * bytes decoded.
 *
 * A stream is "BZh", a digit, blocks, an end; it begins at a byte, blocks at any bit.  A block is
 * 48 bits of magic (pi), 32 bits of checksum, data; the end is 48 bits (square root of pi), 32 bits
 * of combined checksum: for each block, rotated left by one, then exclusive-or with the block's;
 * then bits up to the next byte.  Source: J. Seward's bzip2 1.0.8, decompress.c and compress.c.
 *
 * Search: of 48 bits that begin anywhere, five consecutive whole bytes are known for each of the 8
 * shifts.  Of every four neighbouring pairs of bytes one lies within those five, so it is enough to
 * look up every fourth pair in a table of 65536 bytes, 64 of which are set. */
#include "data/survey/proof_bzip2.h"

#include <bzlib.h>
#include <endian.h>
#include <stdint.h>
#include <string.h>

static const uint64_t block_magic = 0x314159265359u, end_magic = 0x177245385090u;
enum { MAGIC_BITS = 48, MAGIC_AND_SUM_BITS = 80, HEADER_BYTES = 4, PAIRS = 65536 };

typedef struct chain {
    const unsigned char *p;
    size_t n;
    uint64_t next;   /* no magic number before this bit */
    uint64_t expect; /* the next one must stand here: behind a stream's header; 0 = anywhere */
    uint32_t combined;
    int blocks, closed; /* of this stream; the last end was that of the file */
    const char *name;
} chain;

/* 57 bits and more from any bit on, at the top of the word; zeros behind the end. */
static inline uint64_t load_bits(const unsigned char *p, size_t n, uint64_t bit)
{
    size_t at = (size_t)(bit >> 3);
    uint64_t word = 0;

    if (at + sizeof word <= n)
        memcpy(&word, p + at, sizeof word);
    else if (at < n)
        memcpy(&word, p + at, n - at);
    return be64toh(word) << (bit & 7);
}

static uint32_t load_sum(const chain *c, uint64_t bit)
{
    return (uint32_t)(load_bits(c->p, c->n, bit + MAGIC_BITS) >> 32);
}

static int is_stream_header(const unsigned char *p, size_t n)
{
    return n >= HEADER_BYTES && memcmp(p, "BZh", 3) == 0 && p[3] >= '1' && p[3] <= '9';
}

static orr_status meet_block(chain *c, uint64_t bit)
{
    c->combined = (c->combined << 1 | c->combined >> 31) ^ load_sum(c, bit);
    c->blocks++;
    c->next = bit + MAGIC_AND_SUM_BITS;
    return ORR_OK;
}

static orr_status meet_end(chain *c, uint64_t bit)
{
    size_t end = (size_t)((bit + MAGIC_AND_SUM_BITS + 7) / 8);

    if (end > c->n)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: cut off within the end of its bzip2 stream, at byte %zu", c->name,
                        c->n);
    if (load_sum(c, bit) != c->combined)
        return orr_fail(
            ORR_ERR_FORMAT,
            "%s: damaged: the checksum of its bzip2 stream is not that of its %d blocks", c->name,
            c->blocks);
    c->closed = end == c->n;
    if (!c->closed && !is_stream_header(c->p + end, c->n - end))
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: %zu bytes follow the end of its bzip2 stream at byte %zu", c->name,
                        c->n - end, end);
    c->combined = 0;
    c->blocks = 0;
    c->expect = c->next = (uint64_t)(end + HEADER_BYTES) * 8;
    return ORR_OK;
}

static orr_status meet(chain *c, uint64_t bit, int is_end)
{
    if (c->expect && bit != c->expect)
        return orr_fail(ORR_ERR_FORMAT, "%s: damaged: no bzip2 block at byte %zu", c->name,
                        (size_t)(c->expect / 8));
    c->expect = 0;
    return is_end ? meet_end(c, bit) : meet_block(c, bit);
}

/* Magic numbers whose second to fifth byte is that at i: they begin in one of four bytes. */
static orr_status look_closely(chain *c, size_t i)
{
    for (uint64_t bit = (uint64_t)(i - 4) * 8; bit < (uint64_t)i * 8; bit++) {
        uint64_t word = load_bits(c->p, c->n, bit) >> (64 - MAGIC_BITS);

        if (bit < c->next || (word != block_magic && word != end_magic)) continue;
        ORR_TRY(meet(c, bit, word == end_magic));
        if (c->closed) return ORR_OK;
    }
    return ORR_OK;
}

static inline uint16_t load_pair(const unsigned char *p)
{
    uint16_t pair;

    memcpy(&pair, p, sizeof pair);
    return pair;
}

static void fill_table(unsigned char table[PAIRS])
{
    const uint64_t magics[2] = { block_magic, end_magic };

    memset(table, 0, PAIRS);
    for (int m = 0; m < 2; m++)
        for (int shift = 0; shift < 8; shift++) {
            uint64_t word = htobe64(magics[m] << (64 - MAGIC_BITS - shift));
            unsigned char bytes[8];
            memcpy(bytes, &word, sizeof word);
            for (int k = 1; k <= 4; k++)
                table[load_pair(bytes + k)] = 1;
        }
}

static inline int probe(const unsigned char *table, const unsigned char *p)
{
    return table[load_pair(p)];
}

static orr_status search(chain *c)
{
    enum { STEP = 4, AT_ONCE = 4 };
    unsigned char table[PAIRS];
    size_t i = HEADER_BYTES + 4; /* the first magic number begins at byte 4 */

    fill_table(table);
    for (; i + AT_ONCE * STEP + 1 < c->n; i += AT_ONCE * STEP) {
        const unsigned char *p = c->p + i;

        if (__builtin_expect(!(probe(table, p) | probe(table, p + STEP) |
                               probe(table, p + 2 * STEP) | probe(table, p + 3 * STEP)),
                             1))
            continue;
        for (int k = 0; k < AT_ONCE && !c->closed; k++)
            if (probe(table, p + k * STEP)) ORR_TRY(look_closely(c, i + (size_t)(k * STEP)));
        if (c->closed) return ORR_OK;
    }
    for (; i < c->n && !c->closed; i += STEP)
        ORR_TRY(look_closely(c, i));
    return ORR_OK;
}

orr_status orr_bzip2_chain(const unsigned char *p, size_t n, const char *name)
{
    chain c = {
        .p = p, .n = n, .next = HEADER_BYTES * 8, .expect = HEADER_BYTES * 8, .name = name
    };

    if (!is_stream_header(p, n))
        return orr_fail(ORR_ERR_FORMAT, "%s: does not begin like a bzip2 file", name);
    ORR_TRY(search(&c));
    if (c.closed) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: cut off: no end of the bzip2 stream after %d blocks, %zu bytes", name,
                    c.blocks, n);
}

/* ---- decoding ---- */
static orr_status refused(int code, const char *name, const bz_stream *s)
{
    uint64_t in = (uint64_t)s->total_in_hi32 << 32 | s->total_in_lo32;

    if (code == BZ_MEM_ERROR) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory for bzip2", name);
    return orr_fail(ORR_ERR_FORMAT, "%s: damaged: bzip2 refuses it near byte %llu", name,
                    (unsigned long long)in);
}

orr_status orr_bzip2_head(const unsigned char *p, size_t n, char *out, size_t step, size_t room,
                          int (*enough)(const char *out, size_t bytes), size_t *got,
                          const char *name)
{
    bz_stream s = { 0 };
    orr_status st = ORR_OK;
    int code = BZ2_bzDecompressInit(&s, 0, 0);

    *got = 0;
    if (code != BZ_OK) return refused(code, name, &s);
    s.next_in = (char *)(uintptr_t)p; /* only read */
    s.avail_in = n > (1u << 30) ? 1u << 30 : (unsigned)n;
    while (code == BZ_OK && *got + step <= room) {
        s.next_out = out + *got;
        s.avail_out = (unsigned)step;
        while (code == BZ_OK && s.avail_out > 0 && s.avail_in > 0)
            code = BZ2_bzDecompress(&s);
        *got += step - s.avail_out;
        if (s.avail_out > 0 || enough(out, *got)) break;
    }
    if (code != BZ_OK && code != BZ_STREAM_END) st = refused(code, name, &s);
    BZ2_bzDecompressEnd(&s);
    return st;
}
