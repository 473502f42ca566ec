/* tests/stats/check.h - what the unit tests of this folder share. */
#ifndef ORR_TESTS_STATS_CHECK_H
#define ORR_TESTS_STATS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/memory.h"
#include "core/status.h"

/* Bitwise the value that the formula gives; NaN equals NaN. */
#define assert_number(a, b)                                                                        \
    do {                                                                                           \
        double check_a_ = (a), check_b_ = (b);                                                     \
        if (!(check_a_ == check_b_ || (check_a_ != check_a_ && check_b_ != check_b_)))             \
            fail_msg("%s is %.17g, expected %.17g", #a, check_a_, check_b_);                       \
    } while (0)

#define assert_near(a, b)                                                                          \
    do {                                                                                           \
        double check_a_ = (a), check_b_ = (b);                                                     \
        if (!(check_a_ - check_b_ < 1e-14 && check_b_ - check_a_ < 1e-14))                         \
            fail_msg("%s is %.17g, expected %.17g", #a, check_a_, check_b_);                       \
    } while (0)

/* The code, and that the sentence names what is wrong. */
#define assert_fails(call, code, words)                                                            \
    do {                                                                                           \
        assert_int_equal((call), (code));                                                          \
        if (!strstr(orr_error_text(), words))                                                      \
            fail_msg("\"%s\" does not say \"%s\"", orr_error_text(), words);                       \
    } while (0)

#endif
