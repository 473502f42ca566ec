/* data/formats/bytes.c - mapping and unpacking of input files.
 * gzip is zlib's: libarchive looks at neither the checksum nor the length at a member's end
 * (RFC 1952, section 2.3.1).  The others are libarchive's, which hands blocks to libbz2, liblzma
 * and libzstd with their checksums, and checks those of a zip itself. */
#include "data/formats/bytes.h"
#include "core/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const size_t MAX_UNPACKED = (size_t)64
                                   << 30; /* of one file: a decompression bomb ends here */
static const size_t FIRST_GRANT = (size_t)1 << 20;
enum { READ_BLOCK = 1 << 18, PASSED_BLOCK = 8 << 20, MOST_LAYERS = 8 };

void orr_bytes_close(orr_bytes *b)
{
    if (b->mapped) munmap((void *)b->p, b->mapped);
    *b = (orr_bytes){ 0 };
}

void orr_bytes_passed(orr_bytes *b, const char *p)
{
    size_t to = (size_t)(p - b->p) / PASSED_BLOCK * PASSED_BLOCK;

    if (!b->is_file || to <= b->passed) return;
    madvise((char *)b->p + b->passed, to - b->passed, MADV_DONTNEED);
    b->passed = to;
}

static orr_status open_file(int *fd, size_t *size, const char *path)
{
    struct stat st;

    if ((*fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        *size = (size_t)st.st_size;
        return ORR_OK;
    }
    close(*fd);
    if (S_ISREG(st.st_mode)) return orr_fail(ORR_ERR_FORMAT, "%s: the file is empty", path);
    return orr_fail(ORR_ERR_IO, "%s: not a plain file", path);
}

static orr_status map_file(orr_bytes *out, const char *path)
{
    size_t size = 0;
    void *p;
    int fd;

    ORR_TRY(open_file(&fd, &size, path));
    p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return orr_fail(ORR_ERR_IO, "%s: cannot map %zu bytes: %s", path, size, strerror(errno));
    madvise(p, size, MADV_WILLNEED);
    *out = (orr_bytes){ .p = p, .n = size, .mapped = size, .is_file = 1 };
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

/* Makes room for at least one more block; memory is remapped, not copied. */
static orr_status grow(orr_bytes *b, const char *path)
{
    size_t want = b->mapped ? b->mapped * 2 : FIRST_GRANT;
    void *p;

    if (b->mapped - b->n >= READ_BLOCK) return ORR_OK;
    if (want > MAX_UNPACKED)
        return orr_fail(ORR_ERR_NOMEM, "%s: unpacks to more than %zu GiB; unpack it on disk first",
                        path, MAX_UNPACKED >> 30);
    p = b->mapped ? mremap((void *)b->p, b->mapped, want, MREMAP_MAYMOVE)
                  : mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: %zu bytes to unpack it", path, want);
    b->p = p;
    b->mapped = want;
    return ORR_OK;
}

/* The data of the current entry into memory, to its end or beyond `enough` bytes. */
static orr_status unpack(orr_bytes *b, struct archive *a, const char *path, const char *kind,
                         size_t enough)
{
    for (;;) {
        la_ssize_t got;

        if (b->n >= enough) return ORR_OK;
        ORR_TRY(grow(b, path));
        got = archive_read_data(a, (char *)b->p + b->n, READ_BLOCK);
        if (got == 0) return ORR_OK;
        if (got < 0) {
            const char *why = archive_error_string(a);
            return orr_fail(
                ORR_ERR_FORMAT,
                "%s: the %s data is truncated or damaged after %zu unpacked bytes (%s); "
                "fetch the file again",
                path, kind, b->n, why ? why : "no reason given");
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

static orr_status unpack_archive(orr_bytes *out, const orr_bytes *packed, const char *path,
                                 int packing, size_t enough)
{
    const char *kind = packings[packing].row.name;
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
    ORR_TRY_GOTO(st, done, unpack(out, a, path, kind, enough));
    taken = archive_filter_bytes(a, -1);
    if (out->n < enough && taken >= 0) st = check_behind(packed, (size_t)taken, path, kind);
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
static orr_status gunzip(orr_bytes *out, const orr_bytes *packed, const char *path, int packing,
                         size_t enough)
{
    const orr_packing *gzip = &packings[packing].row;
    z_stream z = { 0 };
    orr_status st = ORR_OK;
    size_t taken = 0;

    if (inflateInit2(&z, 15 + 16) != Z_OK) /* 16: gzip's header and trailer */
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    while (begins(gzip, packed->p + taken, packed->n - taken) && out->n < enough) {
        int r = Z_OK;

        inflateReset(&z);
        while (r == Z_OK && out->n < enough) {
            ORR_TRY_GOTO(st, done, grow(out, path));
            r = inflate_block(&z, packed, &taken, out);
        }
        if (r != Z_OK && r != Z_STREAM_END) ORR_TRY_GOTO(st, done, fail_gzip(&z, r, path, out->n));
    }
    if (out->n < enough) st = check_behind(packed, taken, path, gzip->name);
done:
    inflateEnd(&z);
    return st;
}

/* On failure nothing is held. */
static orr_status unpack_layer(orr_bytes *out, const orr_bytes *packed, const char *path,
                               size_t enough)
{
    int packing = packed_as(packed);
    orr_status st;

    *out = (orr_bytes){ 0 };
    st = packings[packing].filter ? unpack_archive(out, packed, path, packing, enough)
                                  : gunzip(out, packed, path, packing, enough);
    if (st == ORR_OK && out->n == 0) st = orr_fail(ORR_ERR_FORMAT, "%s: the file is empty", path);
    if (st != ORR_OK) orr_bytes_close(out);
    return st;
}

/* Packings may lie one within the other: all but the innermost are unpacked whole. */
static orr_status open_content(orr_bytes *out, const char *path, size_t enough)
{
    ORR_TRY(map_file(out, path));
    for (int layer = 0; packed_as(out) >= 0; layer++) {
        orr_bytes content = { 0 };
        orr_status st;

        if (layer == MOST_LAYERS)
            st = orr_fail(ORR_ERR_UNSUPPORTED, "%s: packed more than %d times over; unpack it",
                          path, MOST_LAYERS);
        else
            st = unpack_layer(&content, out, path, enough);
        if (st == ORR_OK && enough < SIZE_MAX && packed_as(&content) >= 0) {
            orr_bytes_close(&content);
            st = unpack_layer(&content, out, path, SIZE_MAX);
        }
        orr_bytes_close(out);
        *out = content;
        ORR_TRY(st);
    }
    return ORR_OK;
}

orr_status orr_bytes_open(orr_bytes *out, const char *path)
{
    return open_content(out, path, SIZE_MAX);
}

orr_status orr_bytes_open_head(orr_bytes *out, const char *path, size_t n)
{
    return open_content(out, path, n);
}

/* Walks a zip to the member; found tells whether it is there, names (may be NULL) receives what is.
 */
static orr_status seek_member(struct archive *a, const char *path, const char *name, int *found,
                              orr_text *names)
{
    struct archive_entry *entry;

    *found = 0;
    archive_read_support_format_zip_seekable(
        a); /* wants the directory at the end: a cut file has none */
    if (archive_read_open_filename(a, path, READ_BLOCK) != ARCHIVE_OK)
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

orr_status orr_bytes_member(orr_bytes *out, const char *path, const char *name)
{
    struct archive *a = archive_read_new();
    orr_text names = { .max = 4096 };
    orr_status st = ORR_OK;
    orr_bytes file;
    int found;

    *out = (orr_bytes){ 0 };
    if (!a) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    ORR_TRY_GOTO(st, done,
                 map_file(&file, path)); /* says in plain words when it is missing or empty */
    orr_bytes_close(&file);
    ORR_TRY_GOTO(st, done, seek_member(a, path, name, &found, &names));
    if (!found)
        ORR_TRY_GOTO(st, done,
                     orr_fail(ORR_ERR_FORMAT, "%s: no array %s; it holds: %.700s", path, name,
                              names.s ? names.s : "nothing"));
    ORR_TRY_GOTO(st, done, unpack(out, a, path, "zip", SIZE_MAX));
done:
    orr_text_free(&names);
    archive_read_free(a);
    if (st != ORR_OK) orr_bytes_close(out);
    return st;
}

int orr_bytes_has_member(const char *path, const char *name)
{
    struct archive *a = archive_read_new();
    int found = 0;

    if (a && seek_member(a, path, name, &found, NULL) != ORR_OK) orr_error_clear();
    archive_read_free(a);
    return found;
}
