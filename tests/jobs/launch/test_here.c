/* Which hosts are this machine, and what the others call it. */
#include "jobs/launch/here.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_here(const char *want, const char *const *names, int n)
{
    char here[ORR_HOST_MAX];

    orr_here(here, names, n);
    assert_string_equal(here, want);
}

static void this_machine(void **state)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "127.3.2.1" };

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(orr_is_here(names[i]));
    assert_here("127.0.0.1", names, 3);
    assert_here("127.0.0.1", names, 1);
}

static void other_machines(void **state)
{
    static const char *const names[] = { "localhost", "192.0.2.77", "no-such-host.invalid" };
    char name[ORR_HOST_MAX] = "", here[ORR_HOST_MAX];

    (void)state;
    assert_int_equal(gethostname(name, sizeof name - 1), 0);
    assert_false(orr_is_here(names[1])); /* of a net for examples */
    assert_false(orr_is_here(names[2]));
    assert_here(name, NULL, 0);
    assert_here(name, names, 3);
    assert_here(name, names + 2, 1);
    orr_here(here, names, 2); /* an address when there is a route, else the name */
    assert_string_not_equal(here, "127.0.0.1");
    if (strcmp(here, name) != 0) assert_true(orr_is_here(here));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_machine),
        cmocka_unit_test(other_machines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
