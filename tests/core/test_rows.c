/* Rows by name, whatever they are rows of; the nearest name of those that are missed. */
#include "core/options.h"
#include "core/rows.h"

/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

typedef struct thing {
    const char *name;
    int value;
} thing;

enum { MANY = 100 };

static void rows_by_name(void **state)
{
    static const thing one = { "one", 1 }, three = { "three", 3 }, five = { "five", 5 };
    static const thing *const things[] = { &one, &three, &five };
    const char *near = "unset";

    (void)state;
    assert_int_equal(orr_row_named(things, 3, "three", &near), 1);
    assert_null(near);
    assert_int_equal(orr_row_named(things, 3, "five", NULL), 2);
    assert_int_equal(orr_row_named(things, 2, "five", NULL), -1);
    assert_int_equal(orr_row_named(things, 3, "threee", &near), -1);
    assert_string_equal(near, "three");
    assert_int_equal(orr_row_named(things, 3, "nothing like it", &near), -1);
    assert_null(near);
    assert_string_equal(orr_row_name(things, 3, 0), "one");
    assert_null(orr_row_name(things, 3, 3));
    assert_null(orr_row_name(things, 3, -1));
}

/* The last of a long table is found, and is near. */
static void long_tables(void **state)
{
    static char names[MANY][24];
    static thing things[MANY];
    const thing *rows[MANY];
    const char *near;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "%c%c%c%c%c%c", 'a' + i / 10, 'a' + i % 10,
                 'a' + i / 10, 'a' + i % 10, 'a' + i / 10, 'a' + i % 10);
        things[i] = (thing){ names[i], i };
        rows[i] = &things[i];
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(orr_row_named(rows, MANY, names[i], NULL), i);
    assert_int_equal(orr_row_named(rows, MANY, "jjjjjx", &near), -1);
    assert_string_equal(near, names[MANY - 1]);
}

/* One at a time as all at once. */
static void nearer(void **state)
{
    static const char *const words[] = { "linear", "conv1d", "conv2d", "concat", "flatten" };
    static const char *const asked[] = { "conv1", "conv3d", "liner", "flat", "zzz", "concta" };

    (void)state;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        const char *near = NULL, *want = orr_nearest(asked[i], words, 5);

        for (int k = 0; k < 5; k++)
            near = orr_nearer(asked[i], near, words[k]);
        assert_ptr_equal(near, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rows_by_name),
                                        cmocka_unit_test(long_tables), cmocka_unit_test(nearer) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
