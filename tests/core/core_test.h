/* tests/core/core_test.h - cmocka, and the checks that the tests of core share. */
#ifndef ORR_TESTS_CORE_TEST_H
#define ORR_TESTS_CORE_TEST_H

#include "core/status.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_ok(expr)                                                                            \
    do {                                                                                           \
        orr_status test_st_ = (expr);                                                              \
        if (test_st_ != ORR_OK)                                                                    \
            fail_msg("%s: %s: %s", #expr, orr_status_name(test_st_), orr_error_text());            \
    } while (0)

/* The call fails with this code and exactly this sentence. */
#define assert_failure(expr, code, text)                                                           \
    do {                                                                                           \
        assert_int_equal((expr), (code));                                                          \
        assert_string_equal(orr_error_text(), (text));                                             \
    } while (0)

/* What stderr received between these two, NUL at the end; for the caller to free. */
typedef struct {
    int saved;
    FILE *file;
} captured;

static inline captured capture_begin(void)
{
    captured c = { .saved = dup(STDERR_FILENO), .file = tmpfile() };

    if (!c.file || c.saved < 0 || dup2(fileno(c.file), STDERR_FILENO) < 0) fail();
    return c;
}

static inline char *capture_end(captured c)
{
    long n = lseek(fileno(c.file), 0, SEEK_END);
    char *text = calloc(1, (size_t)n + 1);

    dup2(c.saved, STDERR_FILENO);
    close(c.saved);
    if (!text || pread(fileno(c.file), text, (size_t)n, 0) != n) fail();
    fclose(c.file);
    return text;
}

#endif
