/* tests/jobs/model/test_ids.c - finding samples by id; names of groups rank as numpy.unique ranks
 * the column that pandas reads. */
#include "jobs/model/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 12 };

static int64_t copy(orr_id *to, const char *const *from)
{
    int64_t n = 0;

    for (; from[n]; n++)
        memcpy(to[n], from[n], strlen(from[n]) + 1);
    return n;
}

static void test_find(void **state)
{
    static const char *const words[] = { "10", "9", "007", "7", "J12", NULL };
    static const char *const twice[] = { "7", "8", "7", NULL };
    orr_id id[MOST];
    orr_ids ids;
    int64_t n = copy(id, words);

    (void)state;
    assert_int_equal(orr_ids_create(&ids, (const orr_id *)id, n, "set"), ORR_OK);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(orr_ids_find(&ids, words[i]), i);
    assert_int_equal(orr_ids_find(&ids, "07"), -1);
    assert_int_equal(orr_ids_find(&ids, "7.0"), -1);
    orr_ids_free(&ids);
    n = copy(id, twice);
    assert_int_equal(orr_ids_create(&ids, (const orr_id *)id, n, "set"), ORR_ERR_FORMAT);
    assert_string_equal(orr_error_text(), "set: id 7 stands twice, in rows 1 and 3");
}

static void test_ranks(void **state)
{
    static const struct {
        const char *names[MOST];
        int64_t rank[MOST];
    } table[] = {
        { { "10", "2", "9", "2", "11", NULL }, { 2, 0, 1, 0, 3 } },
        { { "-1", "-10", "0", "5", "-2", NULL }, { 2, 0, 3, 4, 1 } },
        { { "010", "02", "9", NULL }, { 2, 0, 1 } },
        { { "10", "2", "x", NULL }, { 0, 1, 2 } }, /* a text: all are */
        { { "1.5", "10", "2", NULL }, { 0, 2, 1 } },
        { { "10.0", "9.0", "10.0", NULL }, { 1, 0, 1 } },
        { { "1e3", "999", "-0.5", NULL }, { 2, 1, 0 } },
        { { "18446744073709551615", "9223372036854775807", "9223372036854775808",
            "-9223372036854775808", NULL },
          { 3, 1, 2, 0 } },
        { { "1237645876861337602", "1237645876861337601", NULL }, { 1, 0 } },
        { { "18446744073709551616", "2", NULL }, { 0, 1 } }, /* beyond 64 bits: a text */
        { { "b", "B", "a", "\xc3\xa9", NULL }, { 2, 0, 1, 3 } },
        { { "+2", "1", NULL }, { 1, 0 } },
        { { "-", "1", NULL }, { 0, 1 } },
    };
    orr_id name[MOST];
    int64_t rank[MOST];

    (void)state;
    for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
        int64_t n = copy(name, table[k].names);

        assert_int_equal(orr_groups_rank((const orr_id *)name, n, "g.csv", rank), ORR_OK);
        for (int64_t i = 0; i < n; i++)
            if (rank[i] != table[k].rank[i])
                fail_msg("%s of row %zu: rank %lld, expected %lld", name[i], k, (long long)rank[i],
                         (long long)table[k].rank[i]);
    }
}

static void test_two_ways(void **state)
{
    static const char *const same[][3] = {
        { "7", "07", NULL }, { "7", "7.0", NULL }, { "+7", "7", NULL }, { "-0", "0", NULL }
    };
    static const char *const texts[] = { "7", "07", "x", NULL };
    orr_id name[MOST];
    int64_t rank[MOST];

    (void)state;
    for (size_t k = 0; k < sizeof same / sizeof *same; k++) {
        int64_t n = copy(name, same[k]);

        assert_int_equal(orr_groups_rank((const orr_id *)name, n, "g.csv", rank), ORR_ERR_FORMAT);
        assert_non_null(strstr(orr_error_text(), "are one number, written in two ways"));
    }
    assert_int_equal(orr_groups_rank((const orr_id *)name, copy(name, texts), "g.csv", rank),
                     ORR_OK);
    assert_true(rank[0] == 1 && rank[1] == 0 && rank[2] == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_find), cmocka_unit_test(test_ranks),
                                        cmocka_unit_test(test_two_ways) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
