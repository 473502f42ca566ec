/* The image of a file in memory is the file that lies on a disk, byte for byte: for sizes around
 * every step of the driver, with room that nobody has written yet, in a block that is used again.
 */
#include "core/memory.h"
#include "data/storage/hdf5_access.h"

/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIB = 1 << 20, N_SETS = 3 };

/* A small dataset with content, then `reserved` bytes in `n` datasets that nobody fills, then, when
 * asked for, a small one behind them. */
static void put(hid_t file, size_t reserved, int n, int behind)
{
    int32_t small[5] = { 1, 2, 3, 4, 5 };
    hsize_t five = 5, bytes = reserved;

    assert_int_equal(orr_h5_write_column(file, "small", H5T_STD_I32LE, 1, &five, small), ORR_OK);
    for (int i = 0; i < n; i++) {
        char name[16];
        hid_t set;

        snprintf(name, sizeof name, "room%d", i);
        assert_int_equal(orr_h5_dataset(&set, file, name, H5T_STD_U8LE, 1, &bytes, -1), ORR_OK);
        H5Dclose(set);
    }
    if (behind)
        assert_int_equal(orr_h5_write_column(file, "behind", H5T_STD_I32LE, 1, &five, small),
                         ORR_OK);
}

static char *on_disk(size_t reserved, int n, int behind, size_t *bytes)
{
    char path[] = "/tmp/orr_h5_XXXXXX";
    int fd = mkstemp(path);
    hid_t file;
    FILE *in;
    char *data;

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(orr_h5_create(&file, path), ORR_OK);
    put(file, reserved, n, behind);
    assert_true(H5Fclose(file) >= 0);
    in = fopen(path, "rb");
    assert_non_null(in);
    fseek(in, 0, SEEK_END);
    *bytes = (size_t)ftell(in);
    rewind(in);
    data = malloc(*bytes);
    assert_int_equal(fread(data, 1, *bytes, in), *bytes);
    fclose(in);
    unlink(path);
    return data;
}

static void check(size_t reserved, int n, int behind, orr_h5_memory *m)
{
    size_t bytes;
    char *want = on_disk(reserved, n, behind, &bytes);
    hid_t file;

    assert_int_equal(orr_h5_create_in_memory(&file, "image", m), ORR_OK);
    put(file, reserved, n, behind);
    assert_int_equal(orr_h5_close_in_memory(file, "image", m), ORR_OK);
    assert_int_equal(m->bytes, bytes);
    assert_true(m->room >= m->bytes);
    assert_memory_equal(m->data, want, bytes);
    free(want);
}

static const size_t around[] = { 1,           4096,        MIB / 2,        MIB - 70000,
                                 MIB - 4096,  MIB - 2048,  MIB - 1,        MIB,
                                 MIB + 1,     3 * MIB / 2, 2 * MIB - 5000, 2 * MIB,
                                 2 * MIB + 1, 5 * MIB - 3, 5 * MIB,        5 * MIB + 4097 };

static void sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof around / sizeof *around; i++)
        for (int n = 1; n <= N_SETS; n++)
            for (int behind = 0; behind < 2; behind++) {
                orr_h5_memory m = { 0 };
                check(around[i], n, behind, &m);
                orr_free(m.data);
            }
}

/* What an earlier, longer file left in the block is not in the next one. */
static void used_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        orr_h5_memory m = { 0 };

        m.room = 8 * MIB;
        m.data = orr_alloc(m.room, 1);
        assert_non_null(m.data);
        memset(m.data, 0xa5, m.room);
        check(around[i], 2, 0, &m);
        orr_free(m.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(sizes), cmocka_unit_test(used_again) };

    orr_h5_silence();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
