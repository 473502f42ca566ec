/* Verdicts over ranks at made-up times: what is a fault, which one, when, and in what words. */
#include "jobs/launch/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N = 4 };
static const orr_verdict_opts opts = ORR_VERDICT_OPTS_INIT;

/* Ranks that all spoke at `now`, in step 120. */
static void healthy(orr_rank_view v[N], double now)
{
    memset(v, 0, N * sizeof *v);
    for (int r = 0; r < N; r++) {
        v[r] = (orr_rank_view){ .came = 1,
                                .heard = now,
                                .acked = now,
                                .closed = -1,
                                .gap = 0.25,
                                .lockstep = 1,
                                .pid = 100 + r,
                                .step = 120,
                                .phase = "train" };
        snprintf(v[r].host, sizeof v[r].host, "node%d", r / 2);
    }
}

static void expect(const orr_rank_view v[N], double now, orr_verdict a, orr_verdict b,
                   orr_verdict c, orr_verdict d)
{
    const orr_verdict want[N] = { a, b, c, d };
    orr_verdict got[N];

    orr_verdict_judge(got, v, N, &opts, now);
    for (int r = 0; r < N; r++)
        assert_string_equal(orr_verdict_name(got[r]), orr_verdict_name(want[r]));
}

static void expect_said(const orr_rank_view v[N], double now, int rank, const char *said)
{
    orr_verdict got[N];
    orr_text t = ORR_TEXT_INIT;

    orr_verdict_judge(got, v, N, &opts, now);
    assert_int_equal(orr_verdict_first(got, v, N), rank);
    orr_verdict_tell(&t, got, v, N, &opts, now);
    assert_string_equal(t.s ? t.s : "", said);
    orr_text_free(&t);
}

#define FINE   ORR_RANK_FINE
#define ALL(x) x, x, x, x

static void test_fine(void **state)
{
    orr_rank_view v[N];

    (void)state;
    healthy(v, 50);
    expect(v, 50, ALL(FINE));
    expect(v, 52.5, ALL(FINE)); /* silence is more than 2.5 s */
    expect_said(v, 50, -1, "");
    for (int r = 0; r < N; r++)
        v[r].acked = 40; /* who speaks is there, whatever the kernel says */
    expect(v, 52, ALL(FINE));
}

static void test_dead(void **state)
{
    orr_rank_view v[N];

    (void)state;
    healthy(v, 50);
    v[2].closed = 50.1;
    expect(v, 50.3, ALL(FINE)); /* it may come back */
    expect(v, 50.45, FINE, FINE, ORR_RANK_DEAD, FINE);
    expect_said(v, 50.45, 2, "rank 2 on node1 was killed or crashed in train, step 120");
    v[2].done = 1; /* it had said so */
    expect(v, 51, FINE, FINE, ORR_RANK_DONE, FINE);
}

static void test_stopped_or_cut_off(void **state)
{
    orr_rank_view v[N];

    (void)state;
    healthy(v, 52.6);
    v[1].heard = 50;
    expect(v, 52.6, FINE, ORR_RANK_STOPPED, FINE, FINE);
    expect_said(v, 52.6, 1,
                "rank 1 on node0 is stopped in train, step 120: its host answers, it has not for "
                "2.6 s");
    v[1].acked = 51.7; /* the last ping is on its way */
    expect(v, 52.6, FINE, ORR_RANK_STOPPED, FINE, FINE);
    v[1].acked = 50.1;
    expect(v, 52.6, FINE, ORR_RANK_CUT_OFF, FINE, FINE);
    expect_said(v, 52.6, 1,
                "rank 1 on node0 is cut off in train, step 120: neither it nor its host has "
                "answered for 2.6 s");
    /* Its connection ended for want of an answer, which is no word of its host: still cut off. */
    expect(v, 70, ORR_RANK_CUT_OFF, ORR_RANK_CUT_OFF, ORR_RANK_CUT_OFF, ORR_RANK_CUT_OFF);
}

static void test_first_of_many(void **state)
{
    orr_rank_view v[N];

    (void)state;
    healthy(v, 54);
    v[3].heard = 51.0; /* a host of two ranks */
    v[2].heard = 50.9;
    v[3].acked = v[2].acked = 51;
    v[0].heard = 50.8;
    v[0].closed = 53.5; /* a survivor that MPI took along */
    expect(v, 54, ORR_RANK_DEAD, FINE, ORR_RANK_CUT_OFF, ORR_RANK_CUT_OFF);
    expect_said(v, 54, 2,
                "rank 2 on node1 is cut off in train, step 120: neither it nor its host has "
                "answered for 3.1 s; so is rank 3");
    v[1].heard = 51.2;
    v[1].acked = 51.2;
    expect_said(v, 54, 2,
                "rank 2 on node1 is cut off in train, step 120: neither it nor its host has "
                "answered for 3.1 s; so are ranks 1, 3");
}

static void test_slow(void **state)
{
    orr_rank_view v[N];

    (void)state;
    healthy(v, 50);
    v[3].gap = 0.6; /* its words come late, the others' do not */
    expect(v, 50, FINE, FINE, FINE, ORR_RANK_SLOW);
    expect_said(v, 50, -1, ""); /* no fault */
    for (int r = 0; r < N; r++)
        v[r].gap = 0.6; /* all of them: it is the supervisor, or the machine */
    expect(v, 50, ALL(FINE));
    healthy(v, 50);
    v[1].step = 119;
    expect(v, 50, ALL(FINE)); /* for a moment */
    v[1].idle = 2.6;
    expect(v, 50, FINE, ORR_RANK_SLOW, FINE, FINE);
    v[1].lockstep = 0; /* tasks of their own */
    expect(v, 50, ALL(FINE));
}

static void test_start_and_end(void **state)
{
    orr_rank_view v[N];

    (void)state;
    healthy(v, 50);
    v[1].came = 0;
    expect(v, 50, FINE, ORR_RANK_AWAITED, FINE, FINE);
    v[0].heard = v[2].heard = v[3].heard = 60.1;
    expect(v, 60.1, FINE, ORR_RANK_ABSENT, FINE, FINE);
    expect_said(v, 60.1, 1, "rank 1 has not come within 60 s of the start");
    healthy(v, 50);
    for (int r = 0; r < N; r++)
        v[r].done = 1;
    expect(v, 90, ALL(ORR_RANK_DONE)); /* what is left is the launcher's to end */
    v[2].gave_up = 1;
    expect(v, 90, ORR_RANK_DONE, ORR_RANK_DONE, ORR_RANK_GAVE_UP, ORR_RANK_DONE);
    expect_said(v, 90, 2, "rank 2 on node1 gave up, having lost the others, in train, step 120");
    v[2].phase[0] = '\0';
    expect_said(v, 90, 2, "rank 2 on node1 gave up, having lost the others,");
    v[2].ended = 80;
    v[1].done = 0; /* what rank 2 took along, by a coarse clock; then one that it had lost */
    v[1].closed = 79.99;
    expect_said(v, 90, 2, "rank 2 on node1 gave up, having lost the others,");
    v[1].closed = 70;
    expect_said(v, 90, 1, "rank 1 on node0 was killed or crashed in train, step 120");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fine),          cmocka_unit_test(test_dead),
        cmocka_unit_test(test_slow),          cmocka_unit_test(test_stopped_or_cut_off),
        cmocka_unit_test(test_first_of_many), cmocka_unit_test(test_start_and_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
