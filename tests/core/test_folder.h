/* tests/core/test_folder.h - a folder of the test program's own, made before its tests and removed
 * after them: cmocka_run_group_tests(tests, make_folder, remove_folder). */
#ifndef ORR_TESTS_CORE_TEST_FOLDER_H
#define ORR_TESTS_CORE_TEST_FOLDER_H

#include "core/core_test.h"
#include "core/file.h"

static char folder[] = ORRERY_BINARY_DIR "/test-XXXXXX";

static const char *in_folder(char buf[ORR_PATH_MAX], const char *name)
{
    assert_ok(orr_path_join(buf, folder, name));
    return buf;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test left something */
}

#endif
