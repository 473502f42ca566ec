/* tests/data/test_idx.c - idx files: types, faults, and MNIST where it is there. */
#include "reader_cases.h"

#include <stdint.h>

static void test_small(void **state)
{
    static const uint8_t images[] = {
        0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 255
    };
    static const uint8_t labels[] = { 0, 0, 8, 1, 0, 0, 0, 2, 9, 0 };
    static const uint8_t shorts[] = { 0, 0, 0x0b, 1, 0, 0, 0, 2, 1, 2, 255, 255 };
    orr_table_opts o = { .files = { 1, { "i.idx" } }, .label = "l.idx" };
    case_rows r;

    (void)state;
    case_write("i.idx", images, sizeof images);
    case_write("l.idx", labels, sizeof labels);
    if (case_read(&r, &o, 1, 1, 1) != ORR_OK) fail_msg("%s", orr_error_text());
    assert_int_equal(r.schema.n_dims * 1000 + r.schema.h * 100 + r.schema.w * 10 + r.schema.c,
                     3121);
    assert_int_equal(r.schema.x_type, ORR_X_U8);
    assert_int_equal(r.schema.n_classes, 2);
    assert_memory_equal(r.x, images + 16, 4);
    assert_memory_equal(r.y, ((int32_t[]){ 1, 0 }), 8);
    case_free(&r);
    o = (orr_table_opts){ .files = { 1, { "s.idx" } } };
    case_write("s.idx", shorts, sizeof shorts);
    assert_int_equal(case_read(&r, &o, 1, 1, 1), ORR_OK);
    assert_memory_equal(r.x, ((float[]){ 258, -1 }), 8);
    case_free(&r);
}

static void test_bad(void **state)
{
    static const struct {
        const char *data;
        size_t n;
        const char *sentence;
    } bads[] = {
        { "\1\0\10\1\0\0\0\1x", 9,
          "@/a.idx: not an idx file (it does not begin with two zero bytes)" },
        { "\0\0", 2, "@/a.idx: not an idx file" },
        { "\0\0\7\1\0\0\0\1x", 9, "@/a.idx: not an idx file (type byte 0x07)" },
        { "\0\0\10\11", 4, "@/a.idx: 9 axes; 1 to 8 are read" },
        { "\0\0\10\2\0\0\0\1", 8, "@/a.idx: truncated within the header" },
        { "\0\0\10\1\0\0\0\2x", 9, "@/a.idx: truncated: 1 bytes of data, the header asks for 2" },
        { "\0\0\10\1\0\0\0\1xy", 10, "@/a.idx: 1 bytes stand after the 1" },
        { "\0\0\10\1\0\0\0\0", 8, "@/a.idx: the array is empty" },
        { "\0\0\16\3\377\377\377\377\377\377\377\377\377\377\377\377x", 17, "impossible size" },
    };
    orr_table_opts o = { .files = { 1, { "a.idx" } } };
    case_rows r;

    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        case_write("a.idx", bads[i].data, bads[i].n);
        case_expect(case_read(&r, &o, 1, 1, 1), ORR_ERR_FORMAT, bads[i].sentence);
    }
}

static void test_mnist(void **state)
{
    char images[512], labels[512];
    orr_table_opts o = { .files = { 1, { images } }, .label = labels };
    int64_t counts[10] = { 0 };
    case_rows r;

    (void)state;
    if (!case_real(images, sizeof images, "mnist/t10k-images-idx3-ubyte.gz") ||
        !case_real(labels, sizeof labels, "mnist/t10k-labels-idx1-ubyte.gz") || images[0] != '/')
        skip();
    if (case_read(&r, &o, 1, 999, 2) != ORR_OK) fail_msg("%s", orr_error_text());
    assert_int_equal(r.n, 10000);
    assert_int_equal(r.schema.h * 10000 + r.schema.w * 100 + r.schema.c, 282801);
    for (int64_t i = 0; i < r.n; i++)
        counts[((int32_t *)r.y)[i]]++;
    assert_true(counts[0] == 980 && counts[1] == 1135 && counts[5] == 892 && counts[9] == 1009);
    case_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_small), cmocka_unit_test(test_bad),
                                        cmocka_unit_test(test_mnist) };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
