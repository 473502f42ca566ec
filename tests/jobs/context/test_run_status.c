/* The status file of a run: phases write themselves into it, with their rank and since when;
 * numbers are the owner's; a run within a run has a file of its own; the last words; what an
 * earlier start has left. */
#include "data/shard_help.h"
#include "jobs/context/phase.h"
#include "jobs/context/run_status.h"

#include <cjson/cJSON.h>
#include <time.h>

static char dir[ORR_PATH_MAX];

static orr_context a_context(int job_rank)
{
    orr_context c = { .size = 1, .threads = 1, .job_rank = job_rank };

    assert_ok(orr_comm_self_create(&c.world));
    return c;
}

static cJSON *read_status(const char *name)
{
    char path[ORR_PATH_MAX], *text;
    size_t n;
    cJSON *o;

    in_dir(path, dir, name);
    if (orr_read_file(&text, &n, path, 1 << 20) != ORR_OK) {
        orr_error_clear();
        return NULL;
    }
    o = cJSON_ParseWithLength(text, n);
    orr_free(text);
    assert_non_null(o); /* whole at any time */
    return o;
}

static const char *text_of(const cJSON *o, const char *key)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

    return s ? s : "(none)";
}

static double number_of(const cJSON *o, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNumber(item) ? item->valuedouble : -1;
}

/* Waits until the file says this phase. */
static cJSON *wait_for(const char *name, const char *phase)
{
    for (int i = 0; i < 1000; i++) {
        cJSON *o = read_status(name);
        if (o && strcmp(text_of(o, "phase"), phase) == 0) return o;
        cJSON_Delete(o);
        usleep(10000);
    }
    fail_msg("%s does not come to phase %s", name, phase);
    return NULL;
}

static void open_status(orr_run_status **s, orr_context *c, const char *name)
{
    char path[ORR_PATH_MAX];

    in_dir(path, dir, name);
    orr_run_status_open(s, c, path, "crop", "frames", "frames");
    assert_non_null(*s);
    assert_ptr_equal(c->status, *s);
}

static orr_status seen_within(const char *name, const char *phase, int rank)
{
    cJSON *o = wait_for(name, phase);
    struct tm since = { 0 };
    time_t now = time(NULL);

    assert_int_equal(number_of(o, "phase_rank"), rank);
    assert_non_null(strptime(text_of(o, "phase_since"), "%Y-%m-%dT%H:%M:%SZ", &since));
    assert_true(timegm(&since) <= now + 1 && timegm(&since) > now - 60);
    assert_string_equal(text_of(o, "state"), "running");
    cJSON_Delete(o);
    return ORR_OK;
}

static void test_phases_write_themselves(void **state)
{
    orr_context c = a_context(3);
    orr_standing now = ORR_STANDING_INIT;
    orr_run_status *s;
    cJSON *o;

    (void)state;
    open_status(&s, &c, "a.json");
    assert_ok(orr_phase(&c, "early", ORR_OK));
    usleep(200000);
    assert_null(read_status("a.json")); /* not before anybody has said how far it is */
    now.total = 8;
    now.done = 0;
    orr_run_status_set(s, &now);
    assert_ok(orr_phase(&c, "plan", seen_within("a.json", "plan", 3)));
    assert_ok(orr_phase_root(&c, "index", seen_within("a.json", "index", 3)));
    assert_ok(orr_phase(&c, NULL, seen_within("a.json", "index", 3))); /* a part of it */
    orr_phase_at(&c, "crop", 5);
    now.done = 2;
    orr_run_status_set(s, &now);
    assert_ok(seen_within("a.json", "crop", 3));
    orr_run_status_end(s, ORR_OK);
    assert_null(c.status);
    orr_phase_at(&c, "afterwards", -1); /* nobody's */
    o = read_status("a.json");
    assert_string_equal(text_of(o, "phase"), "crop");
    assert_string_equal(text_of(o, "state"), "ended");
    assert_int_equal(number_of(o, "done"), 2);
    assert_int_equal(number_of(o, "total"), 8);
    cJSON_Delete(o);
    orr_comm_destroy(c.world);
}

/* The time of a phase is its beginning's, however often work in it says where it is. */
static void test_since(void **state)
{
    orr_context c = a_context(0);
    orr_standing now = ORR_STANDING_INIT;
    orr_run_status *s;
    cJSON *a, *b;

    (void)state;
    open_status(&s, &c, "b.json");
    orr_run_status_set(s, &now);
    orr_phase_at(&c, "train", 0);
    a = wait_for("b.json", "train");
    for (int i = 1; i < 25; i++) {
        usleep(100000);
        now.done = i;
        orr_phase_at(&c, "train", i);
        orr_run_status_set(s, &now);
    }
    b = wait_for("b.json", "train");
    assert_string_equal(text_of(a, "phase_since"), text_of(b, "phase_since"));
    assert_string_not_equal(text_of(b, "phase_since"), text_of(b, "moved"));
    cJSON_Delete(a);
    cJSON_Delete(b);
    orr_run_status_end(s, ORR_OK);
    orr_comm_destroy(c.world);
}

/* A training of a cross-validation on one rank: its phases are its own, and then the outer's. */
static void test_within_another(void **state)
{
    orr_context c = a_context(0);
    orr_standing now = ORR_STANDING_INIT;
    orr_run_status *outer, *inner;
    cJSON *o;

    (void)state;
    open_status(&outer, &c, "outer.json");
    orr_run_status_set(outer, &now);
    orr_phase_at(&c, "fold", 0);
    open_status(&inner, &c, "inner.json");
    orr_run_status_set(inner, &now);
    orr_phase_at(&c, "evaluate", 0);
    assert_ok(seen_within("inner.json", "evaluate", 0));
    orr_fail(ORR_ERR_FORMAT, "too bad");
    orr_run_status_end(inner, ORR_ERR_FORMAT);
    orr_phase_at(&c, "gather", -1);
    assert_ok(seen_within("outer.json", "gather", 0));
    orr_run_status_end(outer, ORR_OK);
    o = read_status("inner.json");
    assert_string_equal(text_of(o, "phase"), "evaluate");
    assert_string_equal(text_of(o, "state"), "failed");
    assert_string_equal(text_of(o, "sentence"), "too bad");
    cJSON_Delete(o);
    orr_comm_destroy(c.world);
}

static void test_earlier_starts(void **state)
{
    orr_context c = a_context(0);
    orr_standing now = ORR_STANDING_INIT;
    orr_run_status *s;
    cJSON *o, *first;

    (void)state;
    for (int start = 0; start < 2; start++) {
        open_status(&s, &c, "c.json");
        orr_run_status_set(s, &now);
        orr_phase_at(&c, start ? "second" : "first", -1);
        orr_run_status_end(s, start ? ORR_OK : ORR_ERR_INTERRUPTED);
    }
    o = read_status("c.json");
    assert_int_equal(number_of(o, "starts"), 2);
    first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(o, "earlier"), 0);
    assert_string_equal(text_of(first, "state"), "interrupted");
    assert_string_equal(text_of(first, "phase"), "first");
    cJSON_Delete(o);
    orr_comm_destroy(c.world);
}

static void test_other_ranks_have_none(void **state)
{
    orr_context c = { .rank = 1, .size = 2 };
    orr_run_status *s;

    (void)state;
    orr_run_status_open(&s, &c, "nowhere", "crop", "frames", "frames");
    assert_null(s);
    assert_null(c.status);
    orr_phase_at(&c, "crop", 1);
    orr_run_status_set(NULL, NULL);
    orr_run_status_end(NULL, ORR_OK);
}

static int make_folder(void **state)
{
    (void)state;
    temp_dir(dir);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    remove_tree(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phases_write_themselves), cmocka_unit_test(test_since),
        cmocka_unit_test(test_within_another),          cmocka_unit_test(test_earlier_starts),
        cmocka_unit_test(test_other_ranks_have_none),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
