/* data/survey/unpack.c - bzip2 block by block, gzip piece by piece.
 * A bzip2 block's checksum comes to light when its last byte was put out, so the library is led to
 * the end of each block it has begun: one byte of room and all the input there is make it read a
 * block and no further; then room and no input make it put out that block and stop before the next.
 * That costs two calls a block of 900 kB. */
#include "data/survey/unpack.h"

#include "core/memory.h"

#include <bzlib.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum {
    PIECE = 65536, /* bytes: first buffer, gzip's piece, and where unwanted bytes go */
    AT_ONCE =
        1 << 26 /* bytes of a limit that are allocated before they are needed: a header may lie */
};

typedef enum { PLAIN, BZIP2, GZIP } packing;

struct orr_unpack {
    const unsigned char *packed;
    size_t n, taken; /* packed bytes, of them read */
    size_t most;     /* unpacked bytes that are allowed */
    const char *name;
    packing kind;
    unsigned char *own;   /* unpacked, room for cap; NULL: plain bytes, borrowed */
    size_t cap, ready;    /* ready <= limit */
    size_t done, limit;   /* done: also bytes behind the limit */
    size_t proved;        /* of gzip: done at the end of the last whole member */
    unsigned char *waste; /* PIECE bytes for those */
    int open;             /* of bz or gz: a stream is under way */
    int whole;            /* all of it came, and nothing follows */
    bz_stream bz;
    z_stream gz;
    orr_status end; /* FORMAT or NOMEM: there are no more bytes, why says the reason */
    char why[160];
};

static void *bz_take(void *ctx, int n, int size)
{
    (void)ctx;
    return orr_alloc((size_t)n, (size_t)size);
}

static void *gz_take(void *ctx, unsigned n, unsigned size)
{
    (void)ctx;
    return orr_alloc(n, size);
}

static void give(void *ctx, void *p)
{
    (void)ctx;
    orr_free(p);
}

/* No more bytes, for this reason. */
__attribute__((format(printf, 3, 4))) static void stop(orr_unpack *u, orr_status code,
                                                       const char *format, ...)
{
    va_list args;

    u->end = code;
    va_start(args, format);
    vsnprintf(u->why, sizeof u->why, format, args);
    va_end(args);
}

const char *orr_unpack_looks(const void *bytes, size_t n)
{
    const char *p = bytes, *end = p + n;

    if (n == 0) return "empty";
    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) p += 3;
    while (p < end && strchr(" \t\r\n", *p) && *p)
        p++;
    if (end - p >= 5 && (strncasecmp(p, "<!doc", 5) == 0 || strncasecmp(p, "<html", 5) == 0))
        return "an HTML page";
    if (p < end && *p == '<') return "an HTML or XML page";
    return "other data";
}

orr_status orr_unpack_open(orr_unpack **out, const void *bytes, size_t n, size_t most,
                           const char *name)
{
    const unsigned char *p = bytes;
    orr_unpack *u = orr_alloc(1, sizeof *u);

    *out = NULL;
    if (!u) return orr_fail(ORR_ERR_NOMEM, "out of memory: unpacking %s", name);
    *u = (orr_unpack){ .packed = p, .n = n, .most = most, .name = name, .limit = SIZE_MAX };
    if (n >= 3 && memcmp(p, "BZh", 3) == 0)
        u->kind = BZIP2;
    else if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b)
        u->kind = GZIP;
    else {
        u->ready = u->done = u->taken = n;
        u->whole = 1;
        stop(u, ORR_ERR_FORMAT, "the file ends after %zu bytes", n);
    }
    *out = u;
    return ORR_OK;
}

/* Behind the last stream, where tapes may leave zeros. */
static void stop_at_end(orr_unpack *u, const char *what)
{
    size_t at = u->taken;

    while (at < u->n && !u->packed[at])
        at++;
    u->whole = at == u->n;
    stop(u, ORR_ERR_FORMAT, "the %s data end at packed byte %zu of %zu, after %zu bytes", what,
         u->taken, u->n, u->done);
}

static void end_stream(orr_unpack *u)
{
    if (u->open && u->kind == BZIP2) BZ2_bzDecompressEnd(&u->bz);
    if (u->open && u->kind == GZIP) inflateEnd(&u->gz);
    u->open = 0;
}

void orr_unpack_close(orr_unpack *u)
{
    if (!u) return;
    end_stream(u);
    orr_free(u->own);
    orr_free(u->waste);
    orr_free(u);
}

static orr_status resize(orr_unpack *u, size_t cap)
{
    unsigned char *p = orr_realloc(u->own, u->cap, cap, 1);

    if (!p) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s unpacked, %zu bytes", u->name, cap);
    u->own = p;
    u->cap = cap;
    return ORR_OK;
}

/* Where the byte after `done` unchecked ones goes, and how many fit there. */
static orr_status room(orr_unpack *u, size_t done, unsigned char **at, size_t *space)
{
    if (done >= u->limit) {
        if (!u->waste && !(u->waste = orr_alloc(PIECE, 1)))
            return orr_fail(ORR_ERR_NOMEM, "out of memory: unpacking %s", u->name);
        *at = u->waste;
        *space = PIECE;
        return ORR_OK;
    }
    if (done >= u->cap) {
        size_t more = u->cap ? 2 * u->cap : 16 * PIECE;

        if (u->limit != SIZE_MAX && more < AT_ONCE) more = AT_ONCE;
        ORR_TRY(resize(u, more < u->limit ? more : u->limit));
    }
    *at = u->own + done;
    *space = u->cap - done;
    return ORR_OK;
}

static unsigned at_most(size_t n)
{
    return n < INT_MAX ? (unsigned)n : INT_MAX;
}

static void accept(orr_unpack *u, size_t done)
{
    u->done = done;
    u->ready = done < u->limit ? done : u->limit;
    if (done > u->most)
        stop(u, ORR_ERR_FORMAT,
             "%zu packed bytes become more than the %zu that are allowed (archive.max_unpacked)",
             u->n, u->most);
}

/* The next stream: what stands behind the last one may also be its end. */
static void bz_begin(orr_unpack *u)
{
    if (u->taken > 0 && (u->n - u->taken < 3 || memcmp(u->packed + u->taken, "BZh", 3) != 0)) {
        stop_at_end(u, "bzip2");
        return;
    }
    u->bz = (bz_stream){ .bzalloc = bz_take, .bzfree = give };
    u->open = BZ2_bzDecompressInit(&u->bz, 0, 0) == BZ_OK;
    if (!u->open) stop(u, ORR_ERR_NOMEM, "out of memory");
}

static void bz_bad(orr_unpack *u, int r, size_t at)
{
    if (r == BZ_MEM_ERROR)
        stop(u, ORR_ERR_NOMEM, "out of memory");
    else if (r == BZ_DATA_ERROR_MAGIC)
        stop(u, ORR_ERR_FORMAT, "no bzip2 stream at packed byte %zu", at);
    else if (r == BZ_OK)
        stop(u, ORR_ERR_FORMAT,
             "the bzip2 data are cut short at packed byte %zu, in the block from byte %zu on", u->n,
             at);
    else
        stop(u, ORR_ERR_FORMAT, "the bzip2 data are damaged from packed byte %zu on", at);
}

/* One call of the library, which may take the packed bytes or not; *done moves on. */
static orr_status bz_call(orr_unpack *u, size_t most, int feed, size_t *done, int *r, int *full)
{
    unsigned char *at;
    size_t space;
    unsigned in, out;

    ORR_TRY(room(u, *done, &at, &space));
    in = feed ? at_most(u->n - u->taken) : 0;
    out = at_most(space < most ? space : most);
    u->bz.next_in = (char *)(size_t)(u->packed + u->taken);
    u->bz.avail_in = in;
    u->bz.next_out = (char *)at;
    u->bz.avail_out = out;
    *r = BZ2_bzDecompress(&u->bz);
    u->taken += in - u->bz.avail_in;
    *done += out - u->bz.avail_out;
    *full = u->bz.avail_out == 0;
    return ORR_OK;
}

/* A block, or the end of a stream. */
static orr_status bz_block(orr_unpack *u)
{
    size_t begin, done = u->done, taken;
    int r, full;

    if (!u->open) bz_begin(u);
    if (!u->open) return ORR_OK;
    begin = u->taken;
    do {
        taken = u->taken;
        ORR_TRY(bz_call(u, 1, 1, &done, &r, &full));
    } while (r == BZ_OK && !full && u->taken > taken);
    if (r == BZ_STREAM_END) {
        end_stream(u);
        accept(u, done);
        return ORR_OK;
    }
    if (r == BZ_OK && full) do {
            ORR_TRY(bz_call(u, SIZE_MAX, 0, &done, &r, &full));
        } while (r == BZ_OK && full);
    else if (r == BZ_OK)
        r = BZ_UNEXPECTED_EOF;
    if (r == BZ_OK)
        accept(u, done);
    else
        bz_bad(u, r == BZ_UNEXPECTED_EOF ? BZ_OK : r, begin);
    return ORR_OK;
}

static void gz_begin(orr_unpack *u)
{
    const unsigned char *p = u->packed + u->taken;

    if (u->taken > 0 && (u->n - u->taken < 2 || p[0] != 0x1f || p[1] != 0x8b)) {
        stop_at_end(u, "gzip");
        return;
    }
    u->gz = (z_stream){ .zalloc = gz_take, .zfree = give };
    u->open = inflateInit2(&u->gz, 15 + 16) == Z_OK; /* 16: gzip's header and trailer */
    if (!u->open) stop(u, ORR_ERR_NOMEM, "out of memory");
}

/* A piece, or the end of a member. */
static orr_status gz_piece(orr_unpack *u)
{
    unsigned char *at;
    size_t space;
    unsigned in, out;
    int r;

    if (!u->open) gz_begin(u);
    if (!u->open) return ORR_OK;
    ORR_TRY(room(u, u->done, &at, &space));
    in = at_most(u->n - u->taken);
    out = space < PIECE ? (unsigned)space : PIECE;
    u->gz.next_in = (unsigned char *)(size_t)(u->packed + u->taken);
    u->gz.avail_in = in;
    u->gz.next_out = at;
    u->gz.avail_out = out;
    r = inflate(&u->gz, Z_NO_FLUSH);
    u->taken += in - u->gz.avail_in;
    accept(u, u->done + (out - u->gz.avail_out));
    if (r == Z_STREAM_END) {
        end_stream(u);
        u->proved = u->done;
    } else if (r == Z_MEM_ERROR)
        stop(u, ORR_ERR_NOMEM, "out of memory");
    else if (r == Z_BUF_ERROR || (r == Z_OK && u->gz.avail_out > 0 && u->taken == u->n))
        stop(u, ORR_ERR_FORMAT, "the gzip data are cut short at packed byte %zu", u->n);
    else if (r != Z_OK)
        stop(u, ORR_ERR_FORMAT, "the gzip data are damaged near packed byte %zu (%s)", u->taken,
             u->gz.msg ? u->gz.msg : "no reason given");
    return ORR_OK;
}

orr_status orr_unpack_to(orr_unpack *u, size_t want)
{
    if (want > u->limit)
        return orr_fail(ORR_ERR_ARG, "%s: byte %zu is behind the limit of %zu", u->name, want,
                        u->limit);
    while (u->ready < want && u->end == ORR_OK) {
        orr_status st = u->kind == BZIP2 ? bz_block(u) : gz_piece(u);

        if (st != ORR_OK) stop(u, st, "out of memory");
    }
    if (u->ready >= want) return ORR_OK;
    return orr_fail(u->end, "%s: %s", u->name, u->why);
}

orr_status orr_unpack_prove(orr_unpack *u, size_t want)
{
    if (u->kind != GZIP) return ORR_OK;
    while (u->proved < want && u->end == ORR_OK) {
        orr_status st = gz_piece(u);

        if (st != ORR_OK) stop(u, st, "out of memory");
    }
    if (u->proved >= want || u->proved == u->done) return ORR_OK;
    return orr_fail(u->end, "%s: %s", u->name, u->why);
}

const void *orr_unpack_bytes(const orr_unpack *u)
{
    return u->own || u->kind != PLAIN ? u->own : u->packed;
}

size_t orr_unpack_ready(const orr_unpack *u)
{
    return u->ready;
}

orr_status orr_unpack_limit(orr_unpack *u, size_t limit)
{
    size_t cap = limit < AT_ONCE ? limit : AT_ONCE;

    if (u->kind != PLAIN && u->cap != cap && (u->cap > limit || u->cap < cap))
        ORR_TRY(resize(u, cap));
    u->limit = limit;
    if (u->ready > limit) u->ready = limit;
    return ORR_OK;
}

orr_status orr_unpack_pad(orr_unpack *u, size_t size)
{
    if (size <= u->ready) return ORR_OK;
    if (size > u->limit)
        return orr_fail(ORR_ERR_ARG, "%s: byte %zu is behind the limit of %zu", u->name, size,
                        u->limit);
    if (size > u->cap) {
        int copy = u->kind == PLAIN && !u->own;

        ORR_TRY(resize(u, size));
        if (copy) memcpy(u->own, u->packed, u->ready);
    }
    memset(u->own + u->ready, 0, size - u->ready);
    return ORR_OK;
}

size_t orr_unpack_done(const orr_unpack *u)
{
    return u->done;
}

size_t orr_unpack_taken(const orr_unpack *u)
{
    return u->taken;
}

int orr_unpack_whole(const orr_unpack *u)
{
    return u->whole;
}

const char *orr_unpack_why(const orr_unpack *u)
{
    return u->why;
}
