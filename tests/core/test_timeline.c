/* tests/core/test_timeline.c - what is recorded by many threads is in the file, once, whole and in
 * time; what does not fit is counted; a file that ends anywhere on a border is still one. */
#include "core/core_test.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/timeline.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>

enum { THREADS = 6, SPANS = 3000, PAGE = 4096 };

static char folder[ORR_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/orrery-timeline-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return orr_remove_dir(folder) == ORR_OK ? 0 : -1;
}

static orr_timeline_opts opts(int rank)
{
    return (orr_timeline_opts){ .folder = folder, .rank = rank, .host = "a\"host", .max_mib = 16 };
}

static char *text_of(const char *name)
{
    char path[ORR_PATH_MAX], *text;
    size_t n;

    assert_ok(orr_path_join(path, folder, name));
    assert_ok(orr_read_file(&text, &n, path, (size_t)1 << 28));
    return text;
}

static cJSON *json_of(const char *name)
{
    char *text = text_of(name);
    cJSON *o = cJSON_Parse(text);

    assert_non_null(o);
    orr_free(text);
    return o;
}

static double number(const cJSON *o, const char *key)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(o, key));
}

static const char *word(const cJSON *o, const char *key)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

    return s ? s : "";
}

static const cJSON *args(const cJSON *o)
{
    return cJSON_GetObjectItemCaseSensitive(o, "args");
}

static void *record(void *ctx)
{
    int me = *(int *)ctx;

    if (me % 2 == 0) orr_timeline_thread("worker", me);
    for (int i = 0; i < SPANS; i++) {
        int64_t began = orr_timeline_now();
        orr_timeline_span("work", began, (int64_t)me * SPANS + i);
    }
    return NULL;
}

static void every_span_of_every_thread(void **state)
{
    pthread_t threads[THREADS];
    int me[THREADS], names = 0;
    char seen[THREADS * SPANS] = { 0 };
    orr_timeline_left_out left;
    int64_t before;
    orr_timeline_opts o = opts(3);
    cJSON *all;
    const cJSON *e;

    (void)state;
    assert_ok(orr_timeline_open(&o));
    assert_int_equal(orr_timeline_open(&o), ORR_ERR_EXISTS);
    before = orr_alloc_count();
    for (int i = 0; i < THREADS; i++) {
        me[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, record, &me[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(orr_alloc_count(), before);
    orr_timeline_close(&left);
    all = json_of("rank-0003.json");
    cJSON_ArrayForEach (e, all) {
        if (strcmp(word(e, "name"), "thread_name") == 0) names++;
        if (strcmp(word(e, "name"), "process_name") == 0)
            assert_string_equal(word(args(e), "name"), "rank 3 (a\"host)");
        if (strcmp(word(e, "name"), "work") != 0) continue;
        assert_int_equal((int)number(e, "pid"), 3);
        assert_true(number(e, "dur") >= 0 && number(e, "ts") > 0);
        assert_int_equal(seen[(int)number(args(e), "number")]++, 0);
    }
    assert_int_equal(names, 1 + THREADS);
    for (int i = 0; i < THREADS * SPANS; i++)
        left.spans -= !seen[i];
    assert_int_equal(left.spans, 0); /* what is not there was counted, and nothing else */
    cJSON_Delete(all);
}

static void words_from_outside(void **state)
{
    static const char *const in[] = { "a \"quoted\"\\name\n", "\x01\x7f", "caf\xc3\xa9",
                                      "0123456789012345678901234567890123456789"
                                      "01234567890123456789012345678901234567890123456789.fits" };
    static const char *const out[] = { "a \"quoted\"\\name\n", "\x01\x7f", "caf??",
                                       "0123456789012345678901234567890123456789"
                                       "01234567890123456789012345678901234567890123456789.fits" };
    orr_timeline_opts o = opts(0);
    cJSON *all;
    int at = 0, lane;
    const cJSON *e;

    (void)state;
    o.origin = 0;
    o.offset = 5;
    assert_ok(orr_timeline_open(&o));
    lane = orr_timeline_lane("transfer", 7);
    assert_int_equal(orr_timeline_lane("transfer", 7), lane);
    assert_int_not_equal(orr_timeline_lane("transfer", 8), lane);
    for (int i = 0; i < 4; i++)
        orr_timeline_span_of("file", orr_timeline_now(), -1, in[i]);
    orr_timeline_span_in(lane, "frame", 1500, "f");
    orr_timeline_close(NULL);
    orr_timeline_close(NULL);
    all = json_of("rank-0000.json");
    cJSON_ArrayForEach (e, all) {
        if (strcmp(word(e, "name"), "file") == 0) {
            size_t n = strlen(out[at]), m = strlen(word(args(e), "of"));
            assert_true(m < ORR_TIMELINE_TEXT);
            assert_string_equal(word(args(e), "of"), out[at] + (n > m ? n - m : 0));
            assert_true(m == n || m == ORR_TIMELINE_TEXT - 1);
            at++;
        }
        if (strcmp(word(e, "name"), "frame") == 0) {
            assert_int_equal((int)number(e, "tid"), lane);
            assert_true(fabs(number(e, "ts") - 5e6 - 1.5) < 1e-3); /* the offset, in microseconds */
        }
    }
    assert_int_equal(at, 4);
    cJSON_Delete(all);
}

static void no_event_across_a_border(void **state)
{
    orr_timeline_opts o = opts(1);
    char *text, *cut;

    (void)state;
    assert_ok(orr_timeline_open(&o));
    for (int i = 0; i < 2000; i++)
        orr_timeline_span_of("file", orr_timeline_now(), i, i % 3 ? "some-name.fits" : "x");
    orr_timeline_close(NULL);
    text = text_of("rank-0001.json");
    assert_true(strlen(text) > 40 * PAGE);
    for (size_t end = PAGE; end < strlen(text); end += PAGE) {
        cJSON *all;
        assert_non_null(cut = orr_alloc(end + 2, 1));
        memcpy(cut, text, end);
        memcpy(cut + end, "]", 2);
        all = cJSON_Parse(cut);
        assert_non_null(all);
        cJSON_Delete(all);
        orr_free(cut);
    }
    orr_free(text);
}

static void what_does_not_fit_is_counted(void **state)
{
    char path[ORR_PATH_MAX];
    orr_timeline_opts o = opts(0);
    struct stat s;
    orr_timeline_left_out left;
    cJSON *all, *e;
    int there = 0;

    (void)state;
    o.max_mib = 1;
    assert_ok(orr_timeline_open(&o));
    for (int i = 0; i < 30000; i++)
        orr_timeline_span("span", orr_timeline_now(), i);
    orr_timeline_close(&left);
    assert_ok(orr_path_join(path, folder, "rank-0000.json"));
    assert_int_equal(stat(path, &s), 0);
    assert_true(s.st_size <= 1 << 20);
    all = json_of("rank-0000.json");
    cJSON_ArrayForEach (e, all)
        there += strcmp(word(e, "name"), "span") == 0;
    assert_true(left.spans > 0);
    assert_int_equal(there + left.spans, 30000);
    assert_int_equal(left.of_units, 0);
    e = cJSON_GetArrayItem(all, cJSON_GetArraySize(all) - 1);
    assert_string_equal(word(e, "name"), "dropped");
    assert_int_equal((int64_t)number(args(e), "spans"), left.spans);
    cJSON_Delete(all);
}

/* One unit: three spans and its own, in about so many ns. */
static void unit(int64_t n, int64_t ns)
{
    int64_t until = orr_timeline_clock() + ns, began = orr_timeline_unit(n);

    for (int i = 0; i < 3; i++)
        orr_timeline_span("inside", orr_timeline_now(), n);
    while (orr_timeline_clock() < until)
        continue;
    orr_timeline_unit_end("unit", began, n);
    if (n % 1000 == 0) orr_timeline_span("outside", orr_timeline_now(), n);
}

/* Which of the first n units are in a rank's file, with their spans; and what its end says. */
static int units_of(const char *name, char *seen, int n, int64_t *outside,
                    orr_timeline_left_out *said)
{
    cJSON *all = json_of(name);
    const cJSON *e;
    int units = 0, inside = 0;

    *outside = 0;
    cJSON_ArrayForEach (e, all) {
        int at = (int)number(args(e), "number");
        if (strcmp(word(e, "name"), "unit") == 0) {
            assert_true(at >= 0 && at < n);
            seen[at] = 1;
            units++;
        }
        inside += strcmp(word(e, "name"), "inside") == 0;
        *outside += strcmp(word(e, "name"), "outside") == 0;
        if (strcmp(word(e, "name"), "dropped") == 0)
            *said = (orr_timeline_left_out){ (int64_t)number(args(e), "spans"),
                                             (int64_t)number(args(e), "units"),
                                             (int64_t)number(args(e), "of_units") };
    }
    assert_int_equal(inside, 3 * units);
    cJSON_Delete(all);
    return units;
}

static void short_units_are_thinned_out(void **state)
{
    enum { N = 40000 };
    static char seen[2][N];
    orr_timeline_left_out left, said = { 0 };
    int units[2], common = 0;
    int64_t outside;

    (void)state;
    memset(seen, 0, sizeof seen);
    for (int rank = 0; rank < 2; rank++) { /* one of them half as fast */
        char name[32];
        orr_timeline_opts o = opts(rank);
        o.share = 0.005;
        assert_ok(orr_timeline_open(&o));
        for (int64_t i = 0; i < N; i++)
            unit(i, 10000 * (rank + 1));
        orr_timeline_close(&left);
        snprintf(name, sizeof name, "rank-%04d.json", rank);
        units[rank] = units_of(name, seen[rank], N, &outside, &said);
        assert_int_equal(outside, N / 1000);
        assert_int_equal(left.spans, 0);
        assert_int_equal(left.of_units, N);
        assert_int_equal(left.units, N - units[rank]);
        assert_memory_equal(&said, &left, sizeof said);
        /* 4 spans of 0.2 to 5 us, 0.5% of 10 or 20 us a unit: at least every 800th. */
        assert_true(units[rank] >= N / 800 && units[rank] < N / 2);
    }
    for (int i = 0; i < N; i++)
        common += seen[0][i] && seen[1][i];
    assert_true(2 * common > (units[0] < units[1] ? units[0] : units[1]));
}

static void long_units_are_all_there(void **state)
{
    enum { N = 100 };
    static char seen[N];
    orr_timeline_left_out left, said = { 0 };
    orr_timeline_opts o = opts(0);
    int64_t outside;

    (void)state;
    o.share = 0.005;
    assert_ok(orr_timeline_open(&o));
    for (int64_t i = 0; i < N; i++)
        unit(i, 5000000);
    orr_timeline_close(&left);
    assert_int_equal(left.units, 0);
    assert_int_equal(left.of_units, N);
    assert_int_equal(units_of("rank-0000.json", seen, N, &outside, &said), N);
    o.share = 1; /* asked for */
    assert_ok(orr_timeline_open(&o));
    for (int64_t i = 0; i < N; i++)
        unit(i, 0);
    orr_timeline_close(NULL);
    assert_int_equal(units_of("rank-0000.json", seen, N, &outside, &said), N);
}

static void ranks_in_one_file(void **state)
{
    char path[ORR_PATH_MAX], *text;
    int found, spans = 0;
    cJSON *all;
    const cJSON *e;

    (void)state;
    for (int rank = 0; rank < 3; rank++) {
        orr_timeline_opts o = opts(rank);
        assert_ok(orr_timeline_open(&o));
        orr_timeline_span("span", orr_timeline_now(), rank);
        orr_timeline_close(NULL);
    }
    text = text_of("rank-0001.json"); /* as a killed rank leaves it */
    assert_ok(orr_path_join(path, folder, "rank-0001.json"));
    assert_ok(orr_write_file(path, text, strlen(text) - 3));
    orr_free(text);
    assert_ok(orr_timeline_merge(folder, 5, &found)); /* two of five are elsewhere */
    assert_int_equal(found, 3);
    all = json_of("timeline.json");
    cJSON_ArrayForEach (e, cJSON_GetObjectItemCaseSensitive(all, "traceEvents"))
        if (strcmp(word(e, "name"), "span") == 0) assert_int_equal((int)number(e, "pid"), spans++);
    assert_int_equal(spans, 3);
    cJSON_Delete(all);
}

static void off_and_impossible(void **state)
{
    char path[ORR_PATH_MAX];
    orr_timeline_opts o = opts(0);
    int found;

    (void)state;
    assert_int_equal(orr_timeline_now(), 0);
    orr_timeline_span("span", orr_timeline_now(), 0);
    orr_timeline_thread("nobody", 1);
    assert_int_equal(orr_timeline_lane("nobody", 1), 0);
    orr_timeline_close(NULL);
    assert_ok(orr_path_join(path, folder, "file"));
    assert_ok(orr_write_file(path, "x", 1));
    o.folder = path;
    assert_int_equal(orr_timeline_open(&o), ORR_ERR_IO);
    assert_int_equal(orr_timeline_merge(path, 1, &found), ORR_ERR_IO);
    o.folder = folder;
    for (int nth = 1; nth <= 2; nth++) {
        orr_alloc_fail_at(nth);
        assert_int_equal(orr_timeline_open(&o), ORR_ERR_NOMEM);
        orr_alloc_fail_at(0);
    }
    assert_ok(orr_timeline_open(&o)); /* nothing was left half open */
    assert_int_not_equal(orr_timeline_now(), 0);
    orr_timeline_close(NULL);
    assert_ok(orr_timeline_open(&o)); /* what was there before is kept */
    orr_timeline_close(NULL);
    orr_free(text_of("rank-0000.before.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_span_of_every_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(words_from_outside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_event_across_a_border, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(short_units_are_thinned_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_units_are_all_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ranks_in_one_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(off_and_impossible, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
