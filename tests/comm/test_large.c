/* Beyond 2^31 bytes, where MPI's int counts end. */
#include "comm/ranks.h"

static const size_t bytes = 2200000008;

static uint64_t word(uint64_t seed, size_t i)
{
    return (seed + i) * 0x9E3779B97F4A7C15u;
}

static void fill(uint64_t *buf, uint64_t seed, size_t first, size_t last)
{
    for (size_t i = first; i < last; i++)
        buf[i] = word(seed, i);
}

static void check(const uint64_t *buf, uint64_t seed)
{
    for (size_t i = 0; i < bytes / 8; i++)
        if (buf[i] != word(seed, i)) fail_msg("word %zu", i);
}

static void test_large(void **state)
{
    orr_comm *c = ranks_comm(0);
    int rank = orr_comm_rank(c), size = orr_comm_size(c);
    uint64_t *buf = orr_alloc(bytes, 1);
    size_t *share = orr_alloc((size_t)size, sizeof *share);
    size_t words = bytes / 8, begin = words / (size_t)size * (size_t)rank;
    size_t end = rank + 1 == size ? words : begin + words / (size_t)size;

    (void)state;
    assert_non_null(buf);
    if (rank == 0) fill(buf, 1, 0, words);
    ranks_ok(orr_comm_bcast(c, buf, bytes, 0));
    check(buf, 1);

    for (int r = 0; r < size; r++)
        share[r] =
            8 * (r + 1 == size ? words - words / (size_t)size * (size_t)r : words / (size_t)size);
    memset(buf, 0, bytes);
    fill(buf, 2, begin, end);
    ranks_ok(orr_comm_allgather(c, buf + begin, buf, share));
    check(buf, 2);

    if (rank == 0) memset(buf + end, 0, bytes - 8 * end);
    ranks_ok(orr_comm_gather(c, buf + begin, rank == 0 ? buf : NULL, share, 0));
    check(buf, 2);

    memset(buf, 1, bytes); /* more elements than an int holds */
    ranks_ok(orr_comm_allreduce(c, buf, bytes, ORR_U8, ORR_SUM));
    for (size_t i = 0; i < words; i++)
        if (buf[i] != 0x0101010101010101u * (uint64_t)size) fail_msg("word %zu", i);
    orr_free(buf);
    orr_free(share);
    orr_comm_destroy(c);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(test_large) };

RANKS_MAIN(tests, 280)
