/* tests/data/test_bytes.c - what a packed file may become. */
#include "core/stop.h"
#include "data/formats/bytes.h"
#include "data/reader_cases.h"

#include <archive.h>
#include <archive_entry.h>
#include <bzlib.h>
#include <sys/stat.h>
#include <zlib.h>

enum { ZEROS = 3 << 20, PACKED_ROOM = 1 << 16 };
static char zeros[ZEROS];

static size_t write_gzip(const char *name)
{
    unsigned char packed[PACKED_ROOM];
    z_stream z = { .next_in = (unsigned char *)zeros,
                   .avail_in = ZEROS,
                   .next_out = packed,
                   .avail_out = sizeof packed };

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    case_write(name, packed, z.total_out);
    return z.total_out;
}

static size_t write_bzip2(const char *name)
{
    static char packed[PACKED_ROOM];
    unsigned n = sizeof packed;

    assert_int_equal(BZ2_bzBuffToBuffCompress(packed, &n, zeros, ZEROS, 9, 0, 0), BZ_OK);
    case_write(name, packed, n);
    return n;
}

/* Of one member, called "zeros". */
static size_t write_zip(const char *name)
{
    struct archive *a = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    char path[256];
    struct stat info;

    case_path(path, sizeof path, name);
    archive_write_set_format_zip(a);
    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    archive_entry_set_pathname(e, "zeros");
    archive_entry_set_size(e, ZEROS);
    archive_entry_set_filetype(e, AE_IFREG);
    assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
    assert_int_equal(archive_write_data(a, zeros, ZEROS), ZEROS);
    archive_entry_free(e);
    archive_write_free(a);
    assert_int_equal(stat(path, &info), 0);
    return (size_t)info.st_size;
}

static orr_status open_plain(orr_bytes *b, const char *path, const orr_trust *trust)
{
    return orr_bytes_open(b, path, trust);
}

static orr_status open_member(orr_bytes *b, const char *path, const orr_trust *trust)
{
    return orr_bytes_member(b, path, "zeros", trust);
}

static void test_limit(void **state)
{
    static const struct {
        const char *name;
        size_t (*write)(const char *name);
        orr_status (*open)(orr_bytes *b, const char *path, const orr_trust *trust);
    } cases[] = { { "z.gz", write_gzip, open_plain },
                  { "z.bz2", write_bzip2, open_plain },
                  { "z.zip", write_zip, open_member } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const orr_trust enough = { .max_unpacked = ZEROS }, less = { .max_unpacked = ZEROS - 1 };
        size_t packed = cases[i].write(cases[i].name);
        char path[256], message[512];
        orr_bytes b;

        case_path(path, sizeof path, cases[i].name);
        assert_int_equal(cases[i].open(&b, path, &enough), ORR_OK);
        assert_int_equal(b.n, ZEROS);
        orr_bytes_close(&b);
        assert_int_equal(cases[i].open(&b, path, NULL), ORR_OK); /* 256 MiB */
        orr_bytes_close(&b);
        snprintf(message, sizeof message,
                 "%s: %zu bytes unpack to more than the %d that are allowed for it: unpack it on "
                 "the disk when that is meant (import: or raise input.max_unpacked)",
                 path, packed, ZEROS - 1);
        assert_int_equal(cases[i].open(&b, path, &less), ORR_ERR_FORMAT);
        assert_string_equal(orr_error_text(), message);
        assert_null(b.p);
    }
}

static void test_usual(void **state)
{
    (void)state;
    assert_int_equal(orr_unpacked_most(1000, 0), 256 << 20);
    assert_int_equal(orr_unpacked_most(10 << 20, 0), (size_t)1000 << 20);
    assert_int_equal(orr_unpacked_most(10 << 20, 7), 7);
    assert_true(orr_unpacked_most(SIZE_MAX / 2, 0) >= SIZE_MAX / 2);
}

/* Last: what is asked for stays asked for. */
static void test_stop(void **state)
{
    char path[256];
    orr_bytes b;

    (void)state;
    case_path(path, sizeof path, "z.gz");
    orr_stop_request();
    assert_int_equal(orr_bytes_open(&b, path, NULL), ORR_ERR_INTERRUPTED);
    assert_null(b.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_limit), cmocka_unit_test(test_usual),
                                        cmocka_unit_test(test_stop) };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
