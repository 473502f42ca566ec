/* data/formats/bytes.c - mapping and unpacking of input files. */
#include "data/formats/bytes.h"
#include "core/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t MAX_UNPACKED = (size_t)64
                                   << 30; /* of one file: a decompression bomb ends here */
static const size_t FIRST_GRANT = (size_t)1 << 20;
enum { READ_BLOCK = 1 << 18, PASSED_BLOCK = 8 << 20 };

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

/* Name of the compression a file begins with, NULL for none. */
static const char *packed_as(const orr_bytes *b)
{
    static const struct {
        const char *name, *magic;
        size_t n;
    } kinds[] = {
        { "gzip", "\x1f\x8b", 2 },
        { "xz",
          "\xfd"
          "7zXZ\0",
          6 },
        { "bzip2", "BZh", 3 },
        { "zstd", "\x28\xb5\x2f\xfd", 4 },
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (b->n >= kinds[i].n && memcmp(b->p, kinds[i].magic, kinds[i].n) == 0)
            return kinds[i].name;
    return NULL;
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

/* The data of the current entry into memory, to its end. */
static orr_status unpack(orr_bytes *b, struct archive *a, const char *path, const char *kind)
{
    for (;;) {
        la_ssize_t got;

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

static orr_status unpack_raw(orr_bytes *out, const orr_bytes *packed, const char *path,
                             const char *kind)
{
    struct archive_entry *entry;
    struct archive *a = archive_read_new();
    orr_status st = ORR_OK;

    if (!a) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_raw(a);
    if (archive_read_open_memory(a, packed->p, packed->n) != ARCHIVE_OK ||
        archive_read_next_header(a, &entry) != ARCHIVE_OK)
        ORR_TRY_GOTO(st, done, fail_archive(a, path, kind));
    if (archive_filter_count(a) < 2) /* the raw bytes themselves: the filter refused the header */
        ORR_TRY_GOTO(st, done, fail_archive(a, path, kind));
    ORR_TRY_GOTO(st, done, unpack(out, a, path, kind));
    if (out->n == 0)
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_FORMAT, "%s: the file is empty", path));
done:
    archive_read_free(a);
    if (st != ORR_OK) orr_bytes_close(out);
    return st;
}

orr_status orr_bytes_open(orr_bytes *out, const char *path)
{
    orr_bytes file;
    const char *kind;
    orr_status st;

    *out = (orr_bytes){ 0 };
    ORR_TRY(map_file(&file, path));
    if (!(kind = packed_as(&file))) {
        *out = file;
        return ORR_OK;
    }
    st = unpack_raw(out, &file, path, kind);
    orr_bytes_close(&file);
    return st;
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
    ORR_TRY_GOTO(st, done, unpack(out, a, path, "zip"));
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
