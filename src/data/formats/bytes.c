/* data/formats/bytes.c - mapping and unpacking of input files.
 * gzip is zlib's: libarchive looks at neither the checksum nor the length at a member's end
 * (RFC 1952, section 2.3.1).  The others are libarchive's, which hands blocks to libbz2, liblzma
 * and libzstd with their checksums, and checks those of a zip itself. */
#include "data/formats/bytes.h"
#include "core/mapped.h"
#include "core/stop.h"
#include "core/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

static const size_t FIRST_GRANT = (size_t)1 << 20, LEAST_LIMIT = (size_t)256 << 20;
enum { READ_BLOCK = 1 << 18, PASSED_BLOCK = 8 << 20, MOST_LAYERS = 8, USUAL_RATIO = 100 };

void orr_bytes_close(orr_bytes *b)
{
    if (b->is_file)
        orr_mapped_close(b->p, b->mapped);
    else if (b->mapped)
        munmap((void *)b->p, b->mapped);
    *b = (orr_bytes){ 0 };
}

void orr_bytes_passed(orr_bytes *b, const char *p)
{
    size_t to = (size_t)(p - b->p) / PASSED_BLOCK * PASSED_BLOCK;

    if (!b->is_file || to <= b->passed) return;
    madvise((char *)b->p + b->passed, to - b->passed, MADV_DONTNEED);
    b->passed = to;
}

size_t orr_unpacked_most(size_t packed, int64_t asked)
{
    size_t most;

    if (asked > 0) return (size_t)asked;
    if (__builtin_mul_overflow(packed, USUAL_RATIO, &most)) return SIZE_MAX / 2;
    return most > LEAST_LIMIT ? most : LEAST_LIMIT;
}

static orr_status map_file(orr_bytes *out, const char *path)
{
    const void *p;
    size_t n;

    ORR_TRY(orr_mapped_open(&p, &n, path));
    madvise((void *)(uintptr_t)p, n, MADV_WILLNEED);
    *out = (orr_bytes){ .p = p, .n = n, .mapped = n, .is_file = 1 };
    return ORR_OK;
}

/* Rows, and the filter of libarchive that reads each; NULL: gunzip. */
static const struct {
    orr_packing row;
    int (*filter)(struct archive *a);
} packings[] = {
    { { "gzip", ".gz", "\x1f\x8b", 2 }, NULL },
    { { "xz", ".xz", "\xfd\x37zXZ\0", 6 }, archive_read_support_filter_xz },
    { { "bzip2", ".bz2", "BZh", 3 }, archive_read_support_filter_bzip2 },
    { { "zstd", ".zst", "\x28\xb5\x2f\xfd", 4 }, archive_read_support_filter_zstd },
};
enum { N_PACKINGS = sizeof packings / sizeof *packings };

const orr_packing *orr_packing_at(int i)
{
    return i >= 0 && i < N_PACKINGS ? &packings[i].row : NULL;
}

size_t orr_packing_name(const char *name)
{
    size_t n = strlen(name);

    for (int i = 0; i < N_PACKINGS; i++) {
        size_t e = strlen(packings[i].row.ending);

        if (n >= e && !strcasecmp(name + n - e, packings[i].row.ending)) return n - e;
    }
    return n;
}

/* Does what is left of the bytes begin as the packing does? */
static int begins(const orr_packing *p, const char *bytes, size_t n)
{
    return n >= p->n_magic && memcmp(bytes, p->magic, p->n_magic) == 0;
}

/* Number of the packing that a file begins as, -1 for none. */
static int packed_as(const orr_bytes *b)
{
    for (int i = 0; i < N_PACKINGS; i++)
        if (begins(&packings[i].row, b->p, b->n)) return i;
    return -1;
}

/* What is being unpacked: into out, to its end or beyond `enough` bytes, and never beyond most. */
typedef struct {
    orr_bytes *out;
    const char *path;
    size_t packed, enough, most; /* packed: bytes of the file */
} unpacking;

static orr_status check_most(const unpacking *u)
{
    if (u->out->n <= u->most) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: %zu bytes unpack to more than the %zu that are allowed for it: unpack it "
                    "on the disk when that is meant (import: or raise input.max_unpacked)",
                    u->path, u->packed, u->most);
}

/* Makes room for at least one more block; memory is remapped, not copied. */
static orr_status grow(const unpacking *u)
{
    orr_bytes *b = u->out;
    size_t want = b->mapped ? b->mapped * 2 : FIRST_GRANT;
    void *p;

    ORR_TRY(check_most(u));
    ORR_TRY(orr_stop_check(u->path));
    if (b->mapped - b->n >= READ_BLOCK) return ORR_OK;
    p = b->mapped ? mremap((void *)b->p, b->mapped, want, MREMAP_MAYMOVE)
                  : mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: %zu bytes to unpack it", u->path, want);
    b->p = p;
    b->mapped = want;
    return ORR_OK;
}

/* The data of the current entry. */
static orr_status unpack(const unpacking *u, struct archive *a, const char *kind)
{
    orr_bytes *b = u->out;

    for (;;) {
        la_ssize_t got;

        if (b->n >= u->enough) return ORR_OK;
        ORR_TRY(grow(u));
        got = archive_read_data(a, (char *)(size_t)b->p + b->n, READ_BLOCK);
        if (got == 0) return check_most(u);
        if (got < 0) {
            const char *why = archive_error_string(a);
            return orr_fail(
                ORR_ERR_FORMAT,
                "%s: the %s data is truncated or damaged after %zu unpacked bytes (%s); "
                "fetch the file again",
                u->path, kind, b->n, why ? why : "no reason given");
        }
        b->n += (size_t)got;
    }
}

static orr_status fail_archive(struct archive *a, const char *path, const char *kind)
{
    const char *why = archive_error_string(a);

    return orr_fail(ORR_ERR_FORMAT,
                    "%s: the %s data is truncated or damaged (%s); fetch the file again", path,
                    kind, why ? why : "no reason given");
}

/* Behind a stream's end at byte `at` nothing may stand but zeros, which tapes leave. */
static orr_status check_behind(const orr_bytes *packed, size_t at, const char *path,
                               const char *kind)
{
    for (size_t i = at; i < packed->n; i++)
        if (packed->p[i])
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: %zu bytes that are no %s data follow its end at byte %zu: they "
                            "are damaged, or do not belong there; fetch the file again, or unpack "
                            "it to use what stands before them",
                            path, packed->n - at, kind, at);
    return ORR_OK;
}

static orr_status unpack_archive(const unpacking *u, const orr_bytes *packed, int packing)
{
    const char *kind = packings[packing].row.name, *path = u->path;
    struct archive_entry *entry;
    struct archive *a = archive_read_new();
    orr_status st = ORR_OK;
    la_int64_t taken;

    if (!a) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    packings[packing].filter(a);
    archive_read_support_format_raw(a);
    if (archive_read_open_memory(a, packed->p, packed->n) != ARCHIVE_OK ||
        archive_read_next_header(a, &entry) != ARCHIVE_OK)
        ORR_TRY_GOTO(st, done, fail_archive(a, path, kind));
    if (archive_filter_count(a) < 2) /* the raw bytes themselves: the filter refused the header */
        ORR_TRY_GOTO(st, done, fail_archive(a, path, kind));
    ORR_TRY_GOTO(st, done, unpack(u, a, kind));
    taken = archive_filter_bytes(a, -1);
    if (u->out->n < u->enough && taken >= 0) st = check_behind(packed, (size_t)taken, path, kind);
done:
    archive_read_free(a);
    return st;
}

static orr_status fail_gzip(const z_stream *z, int r, const char *path, size_t n)
{
    const char *why = r == Z_BUF_ERROR || r == Z_OK ? "cut off"
                      : z->msg                      ? z->msg
                                                    : "no reason given";

    if (r == Z_MEM_ERROR) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: the gzip data is truncated or damaged after %zu unpacked bytes (%s); "
                    "fetch the file again",
                    path, n, why);
}

/* One call of the library: *taken of the packed bytes, and out->n, move on. */
static int inflate_block(z_stream *z, const orr_bytes *packed, size_t *taken, orr_bytes *out)
{
    static const size_t most = (size_t)1 << 30;
    size_t left = packed->n - *taken;
    unsigned in = (unsigned)(left < most ? left : most);
    int r;

    z->next_in = (unsigned char *)(size_t)(packed->p + *taken); /* only read */
    z->avail_in = in;
    z->next_out = (unsigned char *)(size_t)out->p + out->n;
    z->avail_out = READ_BLOCK;
    r = inflate(z, Z_NO_FLUSH);
    *taken += in - z->avail_in;
    out->n += READ_BLOCK - z->avail_out;
    return r == Z_OK && *taken == packed->n && z->avail_out > 0 ? Z_BUF_ERROR : r;
}

/* All members; zlib compares each one's checksum and length. */
static orr_status gunzip(const unpacking *u, const orr_bytes *packed, int packing)
{
    const orr_packing *gzip = &packings[packing].row;
    const char *path = u->path;
    orr_bytes *out = u->out;
    z_stream z = { 0 };
    orr_status st = ORR_OK;
    size_t taken = 0;

    if (inflateInit2(&z, 15 + 16) != Z_OK) /* 16: gzip's header and trailer */
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    while (begins(gzip, packed->p + taken, packed->n - taken) && out->n < u->enough) {
        int r = Z_OK;

        inflateReset(&z);
        while (r == Z_OK && out->n < u->enough) {
            ORR_TRY_GOTO(st, done, grow(u));
            r = inflate_block(&z, packed, &taken, out);
        }
        if (r != Z_OK && r != Z_STREAM_END) ORR_TRY_GOTO(st, done, fail_gzip(&z, r, path, out->n));
    }
    ORR_TRY_GOTO(st, done, check_most(u));
    if (out->n < u->enough) st = check_behind(packed, taken, path, gzip->name);
done:
    inflateEnd(&z);
    return st;
}

/* On failure nothing is held. */
static orr_status unpack_layer(const unpacking *u, const orr_bytes *packed)
{
    int packing = packed_as(packed);
    orr_status st;

    *u->out = (orr_bytes){ 0 };
    st = packings[packing].filter ? unpack_archive(u, packed, packing) : gunzip(u, packed, packing);
    if (packed->is_file && (st == ORR_OK || st == ORR_ERR_FORMAT)) {
        orr_status shrunk = orr_mapped_check();

        if (shrunk != ORR_OK) st = shrunk;
    }
    if (st == ORR_OK && u->out->n == 0)
        st = orr_fail(ORR_ERR_FORMAT, "%s: the file is empty", u->path);
    if (st != ORR_OK) orr_bytes_close(u->out);
    return st;
}

/* Packings may lie one within the other: all but the innermost are unpacked whole. */
static orr_status open_content(orr_bytes *out, const char *path, size_t enough,
                               const orr_trust *trust)
{
    orr_bytes content = { 0 };
    unpacking u = { .out = &content, .path = path };

    ORR_TRY(map_file(out, path));
    u.packed = out->n;
    u.most = orr_unpacked_most(out->n, trust ? trust->max_unpacked : 0);
    for (int layer = 0; packed_as(out) >= 0; layer++) {
        orr_status st;

        u.enough = enough;
        if (layer == MOST_LAYERS)
            st = orr_fail(ORR_ERR_UNSUPPORTED, "%s: packed more than %d times over; unpack it",
                          path, MOST_LAYERS);
        else
            st = unpack_layer(&u, out);
        if (st == ORR_OK && enough < SIZE_MAX && packed_as(&content) >= 0) {
            orr_bytes_close(&content);
            u.enough = SIZE_MAX;
            st = unpack_layer(&u, out);
        }
        orr_bytes_close(out);
        *out = content;
        content = (orr_bytes){ 0 };
        ORR_TRY(st);
    }
    return ORR_OK;
}

orr_status orr_bytes_open(orr_bytes *out, const char *path, const orr_trust *trust)
{
    return open_content(out, path, SIZE_MAX, trust);
}

orr_status orr_bytes_open_head(orr_bytes *out, const char *path, size_t n)
{
    return open_content(out, path, n, NULL);
}

/* Walks a zip to the member; found tells whether it is there, names (may be NULL) receives what is.
 */
static orr_status seek_member(struct archive *a, const orr_bytes *file, const char *path,
                              const char *name, int *found, orr_text *names)
{
    struct archive_entry *entry;

    *found = 0;
    archive_read_support_format_zip_seekable(
        a); /* wants the directory at the end: a cut file has none */
    if (archive_read_open_memory(a, file->p, file->n) != ARCHIVE_OK)
        return fail_archive(a, path, "zip");
    for (;;) {
        int r = archive_read_next_header(a, &entry);
        const char *is;

        if (r == ARCHIVE_EOF) return ORR_OK;
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN) return fail_archive(a, path, "zip");
        is = archive_entry_pathname(entry);
        if (is && strcmp(is, name) == 0) {
            *found = 1;
            return ORR_OK;
        }
        if (names) orr_text_printf(names, "%s%s", names->len ? ", " : "", is ? is : "?");
    }
}

orr_status orr_bytes_member(orr_bytes *out, const char *path, const char *name,
                            const orr_trust *trust)
{
    struct archive *a = archive_read_new();
    unpacking u = { .out = out, .path = path, .enough = SIZE_MAX };
    orr_text names = { .max = 4096 };
    orr_status st = ORR_OK;
    orr_bytes file = { 0 };
    int found;

    *out = (orr_bytes){ 0 };
    if (!a) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    ORR_TRY_GOTO(st, done, map_file(&file, path));
    u.packed = file.n;
    u.most = orr_unpacked_most(file.n, trust ? trust->max_unpacked : 0);
    ORR_TRY_GOTO(st, done, seek_member(a, &file, path, name, &found, &names));
    if (!found)
        ORR_TRY_GOTO(st, done,
                     orr_fail(ORR_ERR_FORMAT, "%s: no array %s; it holds: %.700s", path, name,
                              names.s ? names.s : "nothing"));
    ORR_TRY_GOTO(st, done, unpack(&u, a, "zip"));
    st = orr_mapped_check();
done:
    orr_text_free(&names);
    archive_read_free(a);
    orr_bytes_close(&file);
    if (st != ORR_OK) orr_bytes_close(out);
    return st;
}

int orr_bytes_has_member(const char *path, const char *name)
{
    struct archive *a = archive_read_new();
    orr_bytes file = { 0 };
    int found = 0;

    if (a && (map_file(&file, path) != ORR_OK ||
              seek_member(a, &file, path, name, &found, NULL) != ORR_OK))
        orr_error_clear();
    archive_read_free(a);
    orr_bytes_close(&file);
    return found;
}
