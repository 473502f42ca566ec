/* tests/core/test_log.c - levels by component, the form of a line, ranks that write at once, the
 * log file. */
#include "core/core_test.h"
#include "core/log.h"

#include <errno.h>
#include <pthread.h>
#include <regex.h>
#include <sys/wait.h>

static int matches(const char *text, const char *pattern)
{
    regex_t re;
    int found;

    assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    found = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return found;
}

static void levels_by_component(void **state)
{
    (void)state;
    assert_ok(orr_log_init("warn,comm:debug,data:off", 0, 1));
    assert_true(orr_log_on(ORR_WARN, "nn") && !orr_log_on(ORR_INFO, "nn"));
    assert_true(orr_log_on(ORR_DEBUG, "comm"));
    assert_false(orr_log_on(ORR_ERROR, "data"));
    assert_false(orr_log_on(ORR_LOG_OFF, "comm"));
    assert_ok(orr_log_init("", 0, 1));
    assert_true(orr_log_on(ORR_INFO, "nn") && !orr_log_on(ORR_DEBUG, "nn"));
    assert_ok(orr_log_init("off", 0, 1));
    assert_false(orr_log_on(ORR_ERROR, "nn"));
}

static void environment(void **state)
{
    (void)state;
    setenv("ORR_LOG", "error", 1);
    assert_ok(orr_log_init(NULL, 0, 1));
    assert_false(orr_log_on(ORR_WARN, "nn"));
    unsetenv("ORR_LOG");
    assert_ok(orr_log_init(NULL, 0, 1));
    assert_true(orr_log_on(ORR_INFO, "nn") && !orr_log_on(ORR_DEBUG, "nn"));
}

static void refuses(void **state)
{
    (void)state;
    assert_ok(orr_log_init("debug", 0, 1));
    assert_failure(orr_log_init("inof", 0, 1), ORR_ERR_OPTION,
                   "log setting \"inof\": \"inof\" is no level; levels are off, error, warn, info, "
                   "debug; did you mean \"info\"?");
    assert_failure(
        orr_log_init("info,comm:7", 0, 1), ORR_ERR_OPTION,
        "log setting \"info,comm:7\": \"7\" is no level; levels are off, error, warn, info, "
        "debug");
    assert_failure(orr_log_init(":info", 0, 1), ORR_ERR_OPTION,
                   "log setting \":info\": no component before \":info\"");
    assert_int_equal(orr_log_init("a_component_of_many_letters:info", 0, 1), ORR_ERR_OPTION);
    assert_int_equal(
        orr_log_init("a:off,b:off,c:off,d:off,e:off,f:off,g:off,h:off,i:off,j:off,k:off,"
                     "l:off,m:off,n:off,o:off,p:off,q:off",
                     0, 1),
        ORR_ERR_OPTION);
    assert_true(orr_log_on(ORR_DEBUG, "a")); /* a refused setting changes nothing */
}

static void lines(void **state)
{
    captured c = capture_begin();
    char *text;

    (void)state;
    assert_ok(orr_log_init("info", 0, 1));
    errno = ERANGE;
    orr_log(ORR_INFO, "comm", "%d ranks", 3);
    assert_int_equal(errno, ERANGE);
    orr_log(ORR_DEBUG, "comm", "silent");
    orr_log(ORR_WARN, "data", "two\nlines\n");
    assert_ok(orr_log_init("info", 2, 4));
    orr_log(ORR_ERROR, "nn", "here");
    orr_log0(ORR_ERROR, "nn", "not here");
    assert_ok(orr_log_init("info", 0, 4));
    orr_log0(ORR_INFO, "nn", "rank 0 speaks");
    text = capture_end(c);
    assert_true(matches(text, "^[0-2][0-9]:[0-5][0-9]:[0-6][0-9] info comm: 3 ranks\n"
                              "[0-9:]{8} warn data: two lines\n"
                              "[0-9:]{8} error nn: rank 2: here\n"
                              "[0-9:]{8} info nn: rank 0: rank 0 speaks\n$"));
    free(text);
}

static void long_lines_are_cut(void **state)
{
    char words[5000], *text;
    captured c = capture_begin();
    size_t n;

    (void)state;
    memset(words, 'x', sizeof words);
    words[sizeof words - 1] = '\0';
    assert_ok(orr_log_init("info", 0, 1));
    orr_log(ORR_INFO, "nn", "%s", words);
    text = capture_end(c);
    n = strlen(text);
    assert_true(n > 1500 && n <= 2048);
    assert_string_equal(text + n - 5, "x...\n");
    free(text);
}

/* Threads and processes write to one place: every line is whole. */
static void *speak(void *name)
{
    for (int i = 0; i < 200; i++)
        orr_log(ORR_INFO, "nn", "%s says a sentence of some length, number %03d, to the end.",
                (const char *)name, i);
    return NULL;
}

static void lines_do_not_mix(void **state)
{
    static char one[] = "one", two[] = "two";
    static const char form[] =
        "^[0-9:]{8} info nn: rank [0-2]: (one|two) says a sentence of some length, "
        "number [0-9]{3}, to the end\\.$";
    captured c = capture_begin();
    int n = 0, flags = fcntl(STDERR_FILENO, F_GETFL), bad = 0;
    char *text;

    (void)state;
    fcntl(STDERR_FILENO, F_SETFL, flags | O_APPEND);
    for (int rank = 0; rank < 3; rank++) {
        if (fork() != 0) continue;
        pthread_t other;
        if (orr_log_init("info", rank, 3) != ORR_OK) _exit(1);
        if (pthread_create(&other, NULL, speak, two) != 0) _exit(1);
        speak(one);
        pthread_join(other, NULL);
        _exit(0);
    }
    for (int rank = 0; rank < 3; rank++) {
        int status = 0;

        wait(&status);
        bad += status != 0;
    }
    text = capture_end(c);
    assert_int_equal(bad, 0);
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; n++) {
        assert_true(matches(line, form));
        line = strtok_r(NULL, "\n", &save);
    }
    assert_int_equal(n, 3 * 2 * 200);
    free(text);
}

static void log_file(void **state)
{
    char path[] = ORRERY_BINARY_DIR "/log-XXXXXX", got[512] = "";
    int fd = mkstemp(path);
    captured c = capture_begin();
    char *text;

    (void)state;
    assert_ok(orr_log_init("warn", 0, 1));
    assert_ok(orr_log_file(path));
    assert_true(orr_log_on(ORR_INFO, "nn"));
    orr_log(ORR_INFO, "nn", "for the file");
    orr_log(ORR_DEBUG, "nn", "for nobody");
    orr_log(ORR_WARN, "nn", "for both");
    assert_ok(orr_log_file(path)); /* again: goes on at the end */
    orr_log(ORR_INFO, "nn", "more");
    assert_ok(orr_log_file(NULL));
    orr_log(ORR_INFO, "nn", "too late");
    text = capture_end(c);
    assert_true(matches(text, "^[0-9:]{8} warn nn: for both\n$"));
    assert_true(read(fd, got, sizeof got - 1) > 0);
    assert_true(matches(got, "^[0-9:]{8} info nn: for the file\n"
                             "[0-9:]{8} warn nn: for both\n"
                             "[0-9:]{8} info nn: more\n$"));
    free(text);
    close(fd);
    unlink(path);
    assert_failure(orr_log_file(ORRERY_SOURCE_DIR "/no/such/folder"), ORR_ERR_IO,
                   ORRERY_SOURCE_DIR
                   "/no/such/folder: cannot open the log file: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_by_component),
        cmocka_unit_test(environment),
        cmocka_unit_test(refuses),
        cmocka_unit_test(lines),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(lines_do_not_mix),
        cmocka_unit_test(log_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
