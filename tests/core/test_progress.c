/* tests/core/test_progress.c - what is shown and when, in a log and on a terminal.  The clock is
 * ours: the linker sends calls of orr_now here. */
#include "core/core_test.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/threads.h"

#include <sys/ioctl.h>

static double now;

double __wrap_orr_now(void);

double __wrap_orr_now(void)
{
    return now;
}

static void a_line_every_interval(void **state)
{
    captured c = capture_begin();
    orr_progress *p = NULL;
    char *text;

    (void)state;
    now = 1000;
    assert_ok(orr_progress_create(&p, "train", "samples", 5000));
    for (int i = 0; i <= 250; i++) { /* a tenth of a second each: lines after 10 s and 20 s */
        now = 1000 + 0.1 * i + 1e-6;
        orr_progress_update(p, 20 * i, i == 100 ? "loss 0.31" : NULL);
    }
    orr_progress_end(p, "loss 0.20");
    text = capture_end(c);
    assert_string_equal(text, "train: 2000/5000 samples, 40%, 200/s, 15 s left, loss 0.31\n"
                              "train: 4000/5000 samples, 80%, 200/s, 5.0 s left\n"
                              "train: 5000/5000 samples in 25 s, 200/s, loss 0.20\n");
    free(text);
}

static void numbers(void **state)
{
    static const struct {
        int64_t total, done;
        double seconds;
        const char *update, *end;
    } cases[] = {
        { 0, 30, 20, "x: 30 files, 1.5/s\n", "x: 30 files in 20 s, 1.5/s\n" }, /* total unknown */
        { 0, 0, 11, "x: 0 files\n", "x: 0 files in 11 s\n" },
        { 100, 0, 11, "x: 0/100 files, 0%\n", "x: 0/100 files in 11 s\n" },
        { 1000, 999, 100, "x: 999/1000 files, 99%, 10.0/s, 0.1 s left\n",
          "x: 999/1000 files in 1 min 40 s, 10.0/s\n" },
        { 1000, 1000, 10, "x: 1000/1000 files, 100%, 100/s, 0.0 s left\n",
          "x: 1000/1000 files in 10 s, 100/s\n" },
        { 100, 120, 12, "x: 120/100 files, 120%, 10.0/s, 0.0 s left\n",
          "x: 120/100 files in 12 s, 10.0/s\n" },
        { 2000000000000, 1000000000000, 7384, /* beyond 32 bits */
          "x: 1000000000000/2000000000000 files, 50%, 135427952/s, 2 h 3 min left\n",
          "x: 1000000000000/2000000000000 files in 2 h 3 min, 135427952/s\n" },
        { 100, 29, 100, "x: 29/100 files, 29%, 0.3/s, 4 min 5 s left\n",
          "x: 29/100 files in 1 min 40 s, 0.3/s\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        captured c = capture_begin();
        orr_progress *p = NULL;
        char want[512], *text;

        now = 5;
        assert_ok(orr_progress_create(&p, "x", "files", cases[i].total));
        now = 5 + cases[i].seconds;
        orr_progress_update(p, cases[i].done, "");
        orr_progress_end(p, NULL);
        text = capture_end(c);
        snprintf(want, sizeof want, "%s%s", cases[i].update, cases[i].end);
        assert_string_equal(text, want);
        free(text);
    }
}

static void null_does_nothing(void **state)
{
    captured c = capture_begin();
    orr_progress *p = NULL;
    char *text;

    (void)state;
    orr_progress_update(NULL, 3, "x");
    orr_progress_end(NULL, "x");
    orr_alloc_fail_at(1);
    assert_failure(orr_progress_create(&p, "train", "samples", 1), ORR_ERR_NOMEM,
                   "out of memory for the progress of train");
    orr_alloc_fail_at(0);
    assert_null(p);
    text = capture_end(c);
    assert_string_equal(text, "");
    free(text);
}

static void long_notes_are_cut(void **state)
{
    captured c = capture_begin();
    char note[3000], *text;
    orr_progress *p = NULL;

    (void)state;
    memset(note, 'n', sizeof note);
    note[sizeof note - 1] = '\0';
    now = 0;
    assert_ok(orr_progress_create(&p, "x", "files", 10));
    now = 20;
    orr_progress_update(p, 5, note);
    orr_progress_end(p, note);
    text = capture_end(c);
    assert_true(strlen(text) > 900 && strlen(text) < 1100);
    free(text);
}

/* On a terminal: in place, ten times a second at most, cut to its width, and a newline at the end
 * only. */
static void redraws_on_a_terminal(void **state)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave, saved = dup(STDERR_FILENO);
    struct winsize w = { .ws_col = 30, .ws_row = 5 };
    orr_progress *p = NULL;
    char got[1024] = "";

    (void)state;
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) skip();
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &w), 0);
    dup2(slave, STDERR_FILENO);
    now = 50;
    assert_ok(orr_progress_create(&p, "train", "samples", 100));
    for (int i = 0; i < 30; i++) { /* 0.01 s each: drawn at 0, 0.1 and 0.2 */
        now = 50 + 0.01 * i + 1e-6;
        orr_progress_update(p, i, NULL);
    }
    orr_progress_end(p, "done with this phase");
    dup2(saved, STDERR_FILENO);
    close(slave); /* what was written stays readable; then read fails */
    for (size_t n = 0; n < sizeof got - 1;) {
        ssize_t more = read(master, got + n, sizeof got - 1 - n);
        if (more <= 0) break;
        n += (size_t)more;
    }
    assert_string_equal(
        got, "\rtrain: 0/100 samples, 0%\033[K"
             "\rtrain: 10/100 samples, 10%, 1\033[K"
             "\rtrain: 20/100 samples, 20%, 1\033[K"
             "\rtrain: 29/100 samples in 0.3 s, 100.0/s, done with this phase\033[K\r\n");
    close(master);
    close(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_every_interval), cmocka_unit_test(numbers),
        cmocka_unit_test(null_does_nothing),     cmocka_unit_test(long_notes_are_cut),
        cmocka_unit_test(redraws_on_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
