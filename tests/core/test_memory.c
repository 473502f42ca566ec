/* tests/core/test_memory.c - zeroed, aligned, counted, and failing on demand. */
#include "core/core_test.h"
#include "core/memory.h"

#include <sys/wait.h>

static void zeroed_and_aligned(void **state)
{
    enum { BLOCKS = 32 };
    unsigned char *p[BLOCKS];

    (void)state;
    for (size_t n = 0; n < 300; n += 7)
        for (int round = 0; round < 2; round++) { /* the second meets what the first left behind */
            for (int k = 0; k < BLOCKS; k++) {
                assert_non_null(p[k] = orr_alloc(n, 3));
                assert_int_equal((uintptr_t)p[k] % ORR_ALIGN, 0);
                for (size_t i = 0; i < 3 * n; i++)
                    assert_int_equal(p[k][i], 0);
            }
            for (int k = 0; k < BLOCKS; k++) {
                memset(p[k], 0xAB, 3 * n);
                orr_free(p[k]);
            }
        }
    orr_free(NULL);
}

static void sizes_that_do_not_exist(void **state)
{
    (void)state;
    assert_null(orr_alloc(SIZE_MAX, 2));
    assert_null(orr_alloc(SIZE_MAX, 1));
    assert_null(orr_alloc(SIZE_MAX / 16 + 1, 16));
    assert_null(orr_realloc(NULL, 0, SIZE_MAX / 2, 4));
}

/* The system would promise it. */
static void more_than_the_machine_has(void **state)
{
    size_t most = orr_memory_most();

    (void)state;
    assert_in_range(most, (size_t)64 << 20, (size_t)1 << 50);
    assert_null(orr_alloc(most + 1, 1));
    assert_null(orr_alloc(most / 8 + 9, 8));
}

static void grows_and_shrinks(void **state)
{
    int *p = orr_alloc(3, sizeof *p), *q;

    (void)state;
    for (int i = 0; i < 3; i++)
        p[i] = i + 1;
    q = orr_realloc(p, 3, 100, sizeof *p);
    assert_non_null(q);
    for (int i = 0; i < 100; i++)
        assert_int_equal(q[i], i < 3 ? i + 1 : 0);
    p = orr_realloc(q, 100, 2, sizeof *p);
    assert_non_null(p);
    assert_int_equal(p[1], 2);
    assert_null(orr_realloc(p, 2, SIZE_MAX, sizeof *p)); /* the old block stays */
    assert_int_equal(p[1], 2);
    orr_free(p);
    p = orr_realloc(NULL, 0, 4, sizeof *p);
    assert_int_equal(p[3], 0);
    orr_free(p);
}

static void copies_text(void **state)
{
    char *s = orr_strdup("kepler");

    (void)state;
    assert_string_equal(s, "kepler");
    orr_free(s);
    assert_null(orr_strdup(NULL));
}

static void counts(void **state)
{
    int64_t before = orr_alloc_count();
    void *p = orr_alloc(1, 1);

    (void)state;
    p = orr_realloc(p, 1, 2, 1);
    assert_int_equal(orr_alloc_count() - before, 2);
    orr_free(p);
    assert_int_equal(orr_alloc_count() - before, 2);
}

static void fails_once_where_asked(void **state)
{
    (void)state;
    orr_alloc_fail_at(3);
    for (int i = 1; i <= 5; i++) {
        void *p = orr_alloc(1, 8);

        if (i == 3)
            assert_null(p);
        else
            assert_non_null(p);
        orr_free(p);
    }
    orr_alloc_fail_at(1);
    orr_alloc_fail_at(0);
    void *p = orr_alloc(1, 8);
    assert_non_null(p);
    orr_free(p);
}

/* The environment is read at the first call, so a process of its own. */
static void environment_asks(const char *value, int failing)
{
    char me[4096];
    ssize_t n = readlink("/proc/self/exe", me, sizeof me - 1);
    int status = 0;
    pid_t pid;

    assert_true(n > 0);
    me[n] = '\0';
    pid = fork();
    if (pid == 0) {
        setenv("ORR_ALLOC_FAIL", value, 1);
        execl(me, me, "probe", (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), failing);
}

static void environment(void **state)
{
    (void)state;
    environment_asks("2", 2);
    environment_asks("1", 1);
    environment_asks("0", 0);
    environment_asks("rubbish", 0);
    environment_asks("-3", 0);
}

/* The number of the first failing call, 0 when none of four fails. */
static int probe(void)
{
    for (int i = 1; i <= 4; i++) {
        void *p = orr_alloc(1, 1);

        if (!p) return i;
        orr_free(p);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_and_aligned),
        cmocka_unit_test(sizes_that_do_not_exist),
        cmocka_unit_test(more_than_the_machine_has),
        cmocka_unit_test(grows_and_shrinks),
        cmocka_unit_test(copies_text),
        cmocka_unit_test(counts),
        cmocka_unit_test(fails_once_where_asked),
        cmocka_unit_test(environment),
    };

    if (argc == 2 && !strcmp(argv[1], "probe")) return probe();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
