/* tests/core/test_guard.c - what a call in a child may do, and how its end is told. */
#include "core/core_test.h"
#include "core/guard.h"
#include "core/memory.h"

#include <signal.h>
#include <time.h>

static const orr_guard_bounds small = { .seconds = 0.2, .bytes = (size_t)64 << 20 };

static orr_status comes_back(void *ctx)
{
    *(int *)ctx = 7;
    fprintf(stderr, "not seen\n");
    return ORR_OK;
}

static orr_status fails(void *ctx)
{
    (void)ctx;
    return orr_fail(ORR_ERR_SHAPE, "x.h5: three axes");
}

static orr_status crashes(void *ctx)
{
    (void)ctx;
    raise(SIGSEGV);
    return ORR_OK;
}

static orr_status recurses(volatile int depth)
{
    volatile char room[4096] = { 0 };

    room[depth % 4096] = (char)depth;
    return depth < 0 || recurses(depth + 1) != ORR_OK ? ORR_OK : (orr_status)(room[1] * 0);
}

static orr_status overflows(void *ctx)
{
    (void)ctx;
    return recurses(0);
}

static orr_status loops(void *ctx)
{
    (void)ctx;
    for (volatile unsigned i = 0;; i++) {
    }
    return ORR_OK;
}

static orr_status takes_longer(void *ctx)
{
    (void)ctx;
    orr_guard_extend(5);
    while (clock() < 2 * CLOCKS_PER_SEC / 5) { /* of the processor, of this child */
    }
    return ORR_OK;
}

static orr_status takes_memory(void *ctx)
{
    size_t n = (size_t)1 << 40;
    void *p = orr_alloc(n, 1);

    (void)ctx;
    orr_free(p);
    return p ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %zu bytes", n);
}

static void verdicts(void **state)
{
    captured c = capture_begin();
    char *said;
    int x = 0;

    (void)state;
    assert_ok(orr_guard("x.h5", small, comes_back, &x));
    said = capture_end(c);
    assert_string_equal(said, "");
    free(said);
    assert_int_equal(x, 0); /* the child's */
    assert_failure(orr_guard("x.h5", small, fails, NULL), ORR_ERR_SHAPE, "x.h5: three axes");
    assert_int_equal(orr_guard("x.h5", small, takes_memory, NULL), ORR_ERR_NOMEM);
}

static void bounds(void **state)
{
    (void)state;
    assert_failure(orr_guard("x.h5", small, crashes, NULL), ORR_ERR_FORMAT,
                   "x.h5: damaged: the library that reads it crashed on it (Segmentation fault, in "
                   "a process of its own); fetch or make the file again");
    assert_int_equal(orr_guard("x.h5", small, overflows, NULL), ORR_ERR_FORMAT);
    assert_ok(orr_guard("x.h5", small, takes_longer, NULL));
    assert_failure(orr_guard("x.h5", small, loops, NULL), ORR_ERR_FORMAT,
                   "x.h5: damaged: the library that reads it found no end in 0.2 s; fetch or make "
                   "the file again");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(verdicts), cmocka_unit_test(bounds) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
