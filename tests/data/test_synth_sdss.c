/* tests/data/test_synth_sdss.c - the synthetic sky survey's files: whole or not at all, never
 * replaced by accident, and every way of failing said in a sentence.  What is in them:
 * synth_sdss.py. */
#include "reader_cases.h"

#include "core/file.h"
#include "data/synth/synth.h"

#include <sys/stat.h>

static char out_dir[256];

static orr_synth_sdss_opts small_survey(const char *name)
{
    case_path(out_dir, sizeof out_dir, name);
    return (orr_synth_sdss_opts){ .out = out_dir,
                                  .fields = 2,
                                  .objects = 3,
                                  .width = 64,
                                  .height = 50,
                                  .edges = 0.5,
                                  .saturated = 0.5,
                                  .degenerate = 0.5,
                                  .duplicates = 1,
                                  .noise = 0.03,
                                  .bits = 10 };
}

static int files_called(const char *pattern)
{
    char command[512];
    int n = -1;
    FILE *p;

    snprintf(command, sizeof command, "find %s -name '%s' | wc -l", out_dir, pattern);
    assert_non_null(p = popen(command, "r"));
    assert_int_equal(fscanf(p, "%d", &n), 1);
    pclose(p);
    return n;
}

static void test_files(void **state)
{
    orr_synth_sdss_opts o = small_survey("survey");
    char path[512], before[ORR_SHA256_HEX], after[ORR_SHA256_HEX], *text;
    size_t bytes;
    int lines = 0;

    (void)state;
    assert_int_equal(orr_synth_sdss_fields(&o, 1, 2), ORR_OK);
    assert_int_equal(files_called("*.fits.bz2"), 5);
    assert_int_equal(orr_synth_sdss_fields(&o, 0, 2), ORR_OK);
    assert_int_equal(files_called("*.fits.bz2"), 10);
    assert_int_equal(files_called("catalogue.csv"), 0);
    assert_int_equal(orr_synth_sdss_catalogue(&o), ORR_OK);
    assert_int_equal(files_called("*.tmp"), 0);
    snprintf(path, sizeof path, "%s/catalogue.csv", out_dir);
    assert_int_equal(orr_read_file(&text, &bytes, path, 1 << 20), ORR_OK);
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    orr_free(text);
    assert_int_equal(lines, 1 + 2 * 6); /* every galaxy has a twin */
    snprintf(path, sizeof path, "%s/301/1000/2/frame-z-001000-2-0011.fits.bz2", out_dir);
    assert_int_equal(orr_sha256_file(before, path), ORR_OK);
    case_expect(orr_synth_sdss_fields(&o, 0, 1), ORR_ERR_EXISTS,
                "@/survey/catalogue.csv exists; set overwrite: true or choose another folder");
    case_expect(orr_synth_sdss_catalogue(&o), ORR_ERR_EXISTS, "@/survey/catalogue.csv exists");
    o.overwrite = 1;
    o.seed = 7;
    assert_int_equal(orr_synth_sdss_fields(&o, 0, 1), ORR_OK);
    assert_int_equal(orr_sha256_file(after, path), ORR_OK);
    assert_string_not_equal(before, after);
}

/* What an interrupted start left is not mixed with another survey's frames. */
static void test_frames_there(void **state)
{
    orr_synth_sdss_opts o = small_survey("half");

    (void)state;
    assert_int_equal(orr_synth_sdss_fields(&o, 1, 2), ORR_OK);
    case_expect(orr_synth_sdss_fields(&o, 0, 1), ORR_ERR_EXISTS,
                "@/half/301/1000/2/frame-u-001000-2-0011.fits.bz2 exists");
    assert_int_equal(files_called("*.fits.bz2"), 5); /* nothing of field 0 */
}

static void test_bad_options(void **state)
{
    orr_synth_sdss_opts o = small_survey("bad");

    (void)state;
    assert_int_equal(orr_synth_sdss_fields(&o, 2, 2), ORR_ERR_ARG);
    assert_int_equal(orr_synth_sdss_fields(&o, -1, 2), ORR_ERR_ARG);
    o.fields = 0;
    case_expect(orr_synth_sdss_fields(&o, 0, 1), ORR_ERR_ARG, "0 fields of 3 objects");
    o = small_survey("bad");
    o.width = 40;
    case_expect(orr_synth_sdss_catalogue(&o), ORR_ERR_ARG, "40 x 50 pixels");
    o = small_survey("bad");
    o.objects = 65536;
    assert_int_equal(orr_synth_sdss_catalogue(&o), ORR_ERR_ARG);
    o = small_survey("bad");
    o.out = "/proc/none";
    assert_int_equal(orr_synth_sdss_fields(&o, 0, 1), ORR_ERR_IO);
    assert_int_equal(orr_synth_sdss_catalogue(&o), ORR_ERR_IO);
}

/* A folder where a frame should be: the sentence comes from the thread that met it. */
static void test_frame_fails(void **state)
{
    orr_synth_sdss_opts o = small_survey("blocked");
    char path[512];

    (void)state;
    snprintf(path, sizeof path, "%s/301/1000/1/frame-i-001000-1-0011.fits.bz2.tmp", out_dir);
    assert_int_equal(orr_make_dirs(path), ORR_OK);
    case_expect(orr_synth_sdss_fields(&o, 0, 2), ORR_ERR_IO,
                "frame-i-001000-1-0011.fits.bz2.tmp: cannot create");
    assert_int_equal(files_called("frame-i-*.bz2"), 0);
}

static void test_no_memory(void **state)
{
    orr_synth_sdss_opts o = small_survey("memory");
    orr_status st = ORR_ERR_NOMEM;
    int n;

    (void)state;
    o.overwrite = 1;
    for (n = 1; n < 100 && st == ORR_ERR_NOMEM; n++) {
        orr_alloc_fail_at(n);
        st = orr_synth_sdss_fields(&o, 0, 1);
        if (st == ORR_OK) st = orr_synth_sdss_catalogue(&o);
        orr_alloc_fail_at(0);
        if (st != ORR_OK) case_expect(st, ORR_ERR_NOMEM, "out of memory");
        assert_int_equal(files_called("*.tmp"), 0);
    }
    assert_int_equal(st, ORR_OK);
    assert_true(n > 30); /* three a frame, and the fields' */
    assert_int_equal(files_called("*.fits.bz2"), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_files),
                                        cmocka_unit_test(test_frames_there),
                                        cmocka_unit_test(test_bad_options),
                                        cmocka_unit_test(test_frame_fails),
                                        cmocka_unit_test(test_no_memory) };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
