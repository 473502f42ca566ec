/* tests/data/test_manifest.c - what is noted is found again: after merges, kills and torn lines. */
#include "core/memory.h"
#include "data/survey/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "manifest-XXXXXX");
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state)
{
    char inner[80];

    (void)state;
    snprintf(inner, sizeof inner, "%s/.orrery", folder);
    (void)orr_remove_dir(inner);
    return orr_remove_dir(folder) == ORR_OK ? 0 : 1;
}

static void note(orr_manifest *m, const char *path, orr_frame_state state, int64_t tries,
                 int64_t bytes, const char *reason)
{
    orr_frame_note n = { .state = state, .tries = tries, .bytes = bytes };

    snprintf(n.reason, sizeof n.reason, "%s", reason);
    assert_int_equal(orr_manifest_note(m, path, &n), ORR_OK);
}

static orr_manifest *start(int rank)
{
    orr_manifest *m = NULL;

    assert_int_equal(orr_manifest_open(&m, folder, rank), ORR_OK);
    return m;
}

static void merge(void)
{
    assert_int_equal(orr_manifest_merge(folder), ORR_OK);
}

static void expect_csv(const char *rows)
{
    char path[80], want[1024], *text;
    size_t n;

    snprintf(path, sizeof path, "%s/manifest.csv", folder);
    snprintf(want, sizeof want, "path,state,tries,bytes,reason\n%s", rows);
    assert_int_equal(orr_read_file(&text, &n, path, 1 << 20), ORR_OK);
    assert_string_equal(text, want);
    orr_free(text);
}

static void append(const char *name, const char *text)
{
    char path[ORR_PATH_MAX];
    FILE *f;

    assert_int_equal(orr_manifest_path(path, folder, name), ORR_OK);
    assert_non_null(f = fopen(path, "a"));
    fputs(text, f);
    fclose(f);
}

static void test_notes(void **state)
{
    orr_manifest *a, *b;
    orr_frame_note n;

    (void)state;
    merge();
    expect_csv("");
    a = start(0);
    b = start(1);
    note(a, "1/z.fits", ORR_FRAME_FAILED, 6, 0, "HTTP 503");
    note(b, "1/a.fits", ORR_FRAME_DONE, 1, 1234567890123, "");
    note(b, "1/b.fits", ORR_FRAME_MISSING, 2, 0, "said \"no\", and\twent\n");
    note(a, "1/z.fits", ORR_FRAME_DONE, 7, 5, ""); /* the later line counts */
    assert_int_equal(orr_manifest_find(a, "1/z.fits", &n), ORR_OK);
    assert_int_equal(n.state, ORR_FRAME_UNKNOWN); /* until the merge */
    orr_manifest_close(a);
    orr_manifest_close(b);
    merge();
    expect_csv("1/a.fits,done,1,1234567890123,\n"
               "1/b.fits,missing,2,0,\"said \"\"no\"\", and went \"\n"
               "1/z.fits,done,7,5,\n");
    a = start(0);
    assert_int_equal(orr_manifest_find(a, "1/b.fits", &n), ORR_OK);
    assert_int_equal(n.state, ORR_FRAME_MISSING);
    assert_int_equal(n.tries, 2);
    assert_string_equal(n.reason, "said \"no\", and went ");
    assert_int_equal(orr_manifest_find(a, "1/a.fits", &n), ORR_OK);
    assert_int_equal(n.bytes, 1234567890123);
    assert_int_equal(orr_manifest_find(a, "1/A.fits", &n), ORR_OK);
    assert_int_equal(n.state, ORR_FRAME_UNKNOWN);
    orr_manifest_close(a);
}

/* What a kill leaves: a journal with half a line, and rank numbers that the next start has not. */
static void test_torn(void **state)
{
    orr_manifest *m;

    (void)state;
    merge();
    append("journal-00007.tsv",
           "a\tdone\t1\t10\t\nb\tfailed\t3\t0\tcut off: x\nc\tfailed\t1\t0\tcut o");
    merge();
    expect_csv("a,done,1,10,\nb,failed,3,0,cut off: x\n");
    append("journal-00002.tsv",
           "nonsense\n\na\tdone\tx\t1\t\na\twell\t1\t1\t\na\tdone\t1\t1\t\textra\n"
           "d\tmissing\t1\t0\tnot there\n");
    merge();
    merge();
    expect_csv("a,done,1,10,\nb,failed,3,0,cut off: x\nd,missing,1,0,not there\n");
    m = start(3);
    note(m, "b", ORR_FRAME_DONE, 4, 20, "");
    merge(); /* as after a kill: nobody closed it */
    expect_csv("a,done,1,10,\nb,done,4,20,\nd,missing,1,0,not there\n");
    orr_manifest_close(m);
}

static void test_lock(void **state)
{
    orr_lock a, b;

    (void)state;
    assert_int_equal(orr_manifest_lock(&a, folder), ORR_OK);
    assert_int_equal(orr_manifest_lock(&b, folder), ORR_ERR_EXISTS);
    assert_int_equal(b.fd, -1);
    assert_non_null(strstr(orr_error_text(), folder));
    orr_lock_release(&a);
    assert_int_equal(orr_manifest_lock(&b, folder), ORR_OK);
    orr_lock_release(&b);
    orr_lock_release(&b);
}

static void test_bad(void **state)
{
    orr_manifest *m = NULL;
    orr_frame_note n = { .state = ORR_FRAME_DONE };
    char *long_path = malloc(ORR_PATH_MAX + 600);

    (void)state;
    assert_non_null(long_path);
    memset(long_path, 'x', ORR_PATH_MAX + 599);
    long_path[ORR_PATH_MAX + 599] = '\0';
    merge();
    m = start(0);
    assert_int_equal(orr_manifest_note(m, "tab\tin it", &n), ORR_ERR_ARG);
    assert_int_equal(orr_manifest_note(m, long_path, &n), ORR_ERR_ARG);
    orr_manifest_close(m);
    free(long_path);
    append("manifest.sqlite", "x"); /* behind its end: harmless */
    merge();
    {
        char path[ORR_PATH_MAX];
        assert_int_equal(orr_manifest_path(path, folder, "manifest.sqlite"), ORR_OK);
        assert_int_equal(orr_write_file(path, "no database at all, but long enough to be read", 46),
                         ORR_OK);
    }
    assert_int_equal(orr_manifest_merge(folder), ORR_ERR_FORMAT);
    assert_non_null(strstr(orr_error_text(), "remove it"));
    assert_int_equal(orr_manifest_open(&m, folder, 0), ORR_ERR_FORMAT);
    assert_null(m);
    assert_int_equal(orr_manifest_merge("/proc/nowhere"), ORR_ERR_IO);
}

static void test_memory(void **state)
{
    (void)state;
    append("journal-00001.tsv", "a\tdone\t1\t10\t\n");
    for (int k = 1;; k++) {
        orr_manifest *m = NULL;
        orr_status st;
        orr_alloc_fail_at(k);
        st = orr_manifest_merge(folder);
        if (st == ORR_OK) st = orr_manifest_open(&m, folder, 0);
        orr_alloc_fail_at(0);
        orr_manifest_close(m);
        if (st == ORR_OK) break;
        assert_int_equal(st, ORR_ERR_NOMEM);
    }
    expect_csv("a,done,1,10,\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_notes, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_torn, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_lock, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_bad, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_memory, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
