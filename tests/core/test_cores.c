/* tests/core/test_cores.c - the mask, bounds of pretended control groups, and others' work as a
 * pretended /proc/stat tells it. */
#include "core/core_test.h"
#include "core/cores.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"

#include <math.h>
#include <sys/stat.h>

static char root[] = "/tmp/orrery-cores-XXXXXX";

/* A file below the pretended root, with its folders. */
static void put(const char *path, const char *text)
{
    char full[ORR_PATH_MAX], dir[ORR_PATH_MAX];
    FILE *f;

    (void)snprintf(full, sizeof full, "%s%s", root, path);
    assert_ok(orr_path_dir(dir, full));
    assert_ok(orr_make_dirs(dir));
    f = fopen(full, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Each test begins with an empty root. */
static int empty(void **state)
{
    char command[ORR_PATH_MAX];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command) || mkdir(root, 0700);
}

static double quota(const char *want_in)
{
    char where[ORR_PATH_MAX], want[ORR_PATH_MAX];
    double q = orr_cores_quota(root, where);

    (void)snprintf(want, sizeof want, "%s%s", *want_in ? root : "", want_in);
    assert_string_equal(where, want);
    return q;
}

static void cores_follow_the_mask(void **state)
{
    cpu_set_t all, one;
    uint64_t key;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_int_equal(orr_cores_allowed(), CPU_COUNT(&all));
    key = orr_affinity_key();
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(orr_cores_allowed(), 1);
    assert_int_equal(orr_cores_usable(), 1);
    if (CPU_COUNT(&all) > 1) assert_true(orr_affinity_key() != key);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_true(orr_affinity_key() == key);
}

static void no_quota(void **state)
{
    (void)state;
    assert_true(isinf(quota(""))); /* no control groups */
    put("/proc/self/cgroup", "0::/job\n");
    assert_true(isinf(quota("")));
    put("/sys/fs/cgroup/job/cpu.max", "max 100000\n");
    assert_true(isinf(quota("")));
    put("/sys/fs/cgroup/job/cpu.max", "nonsense\n");
    assert_true(isinf(quota("")));
    put("/sys/fs/cgroup/job/cpu.max", "100000 0\n");
    assert_true(isinf(quota("")));
    put("/proc/self/cgroup", "what is this\n\n5:\n5:cpu\n3:cpuset:/job\n");
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "100000\n");
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
    assert_true(isinf(quota(""))); /* cpuset is another controller */
    put("/proc/self/cgroup", "4:cpu:/job\n");
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1\n");
    assert_true(isinf(quota("")));
}

static void quotas_of_version_2(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/slurm/job_7/step_0\n");
    put("/sys/fs/cgroup/slurm/job_7/step_0/cpu.max", "350000 100000\n");
    assert_true(quota("/sys/fs/cgroup/slurm/job_7/step_0/cpu.max") == 3.5);
    put("/sys/fs/cgroup/slurm/cpu.max", "50000 20000\n"); /* a parent's is narrower */
    assert_true(quota("/sys/fs/cgroup/slurm/cpu.max") == 2.5);
    put("/sys/fs/cgroup/slurm/job_7/cpu.max", "max 100000\n");
    assert_true(quota("/sys/fs/cgroup/slurm/cpu.max") == 2.5);
    put("/sys/fs/cgroup/cpu.max", "40000 100000\n"); /* a container's top */
    assert_true(quota("/sys/fs/cgroup/cpu.max") == 0.4);
}

static void quotas_of_version_1(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "9:name=systemd:/\n4:cpu,cpuacct:/docker/af39\n0::/\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/af39/cpu.cfs_quota_us", "150000\n");
    assert_true(isinf(quota(""))); /* no period */
    put("/sys/fs/cgroup/cpu,cpuacct/docker/af39/cpu.cfs_period_us", "100000\n");
    assert_true(quota("/sys/fs/cgroup/cpu,cpuacct/docker/af39/cpu.cfs_quota_us") == 1.5);
    /* within the container the tree begins at its top */
    put("/proc/self/cgroup", "1:cpu:/not/here\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_true(quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") == 2);
}

static char *threads(int cores, int wanted, int on_cores, int on_node, int *n)
{
    captured c = capture_begin();

    *n = orr_threads_init(&(orr_thread_place){ .wanted = wanted,
                                               .cores = cores,
                                               .ranks_on_cores = on_cores,
                                               .ranks_on_node = on_node,
                                               .root = root });
    return capture_end(c);
}

static void threads_follow_the_quota(void **state)
{
    /* quota 2.5 cores */
    static const struct {
        int cores, wanted, on_cores, on_node, n;
        const char *says; /* "": nothing */
    } rows[] = {
        { 8, 0, 1, 1, 3, "3 threads a rank: the quota of its control group (" },
        { 8, 0, 2, 2, 1, "is 2.5 of 8 cores" },
        { 2, 0, 1, 1, 2, "" },
        { 4, 0, 4, 4, 1, "" },
        { 2, 0, 1, 8, 1, "1 threads a rank" }, /* bound to cores of their own */
        { 8, 3, 1, 1, 3, "3 threads a rank" },
        { 8, 4, 1, 1, 4, "is 2.5 cores: expect it to be slow; ask for fewer threads" },
        { 2, 4, 1, 1, 4, "4 threads on 2 of the 2 cores" },
    };
    int n;

    (void)state;
    unsetenv("OMP_NUM_THREADS");
    assert_ok(orr_log_init("info", 0, 1));
    put("/proc/self/cgroup", "0::/a\n");
    put("/sys/fs/cgroup/a/cpu.max", "250000 100000\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = threads(rows[i].cores, rows[i].wanted, rows[i].on_cores, rows[i].on_node, &n);
        if (n != rows[i].n || (*rows[i].says ? !strstr(text, rows[i].says) : *text != '\0'))
            fail_msg("row %zu: %d threads, \"%s\"", i, n, text);
        free(text);
    }
}

/* Four cores' times in ticks: `each` seconds of user and system time, more of what is nice, the
 * rest idle. */
static void put_stat(const double each[4])
{
    const double tick = (double)sysconf(_SC_CLK_TCK);
    char text[1024] = "cpu  1 2 3 4 5 6 7 8 9 10\n";

    for (int i = 0; i < 4; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                       "cpu%d %.0f %.0f %.0f 99999 777 0 0 0 %.0f 0\n", i, each[i] / 2 * tick,
                       7 * each[i] * tick, each[i] / 2 * tick, each[i] * tick);
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "intr 1 2 3\n");
    put("/proc/stat", text);
}

static orr_core_room four_cores(void)
{
    orr_core_room r;

    orr_core_room_start(&r, root);
    CPU_ZERO_S(sizeof r.mask, r.mask.set);
    for (int i = 0; i < 4; i++)
        CPU_SET_S(i, sizeof r.mask, r.mask.set);
    r.cores = r.room = 4;
    r.is_nice = 0;
    return r;
}

static void others_take_cores(void **state)
{
    /* busy seconds of each core and own seconds within one second; what is left then */
    static const struct {
        double busy[4], own;
        int room;
    } rows[] = {
        { { 1, 1, 1, 1 }, 4, 4 },
        { { 1, 0.2, 0, 0 }, 0.8, 4 },
        { { 1, 1, 1, 1 }, 3, 3 },
        { { 1, 1, 1, 0.5 }, 3, 3 }, /* half a core more: not worth it */
        { { 1, 1, 1, 1 }, 2.2, 2 },
        { { 1, 1, 1, 1 }, 0, 1 },
        { { 0.1, 0.1, 0, 0 }, 0.1, 4 },
        { { 0.5, 0.5, 0.5, 0.5 }, 3, 4 }, /* clocks that do not agree */
    };
    orr_core_room r = four_cores();
    double busy[4] = { 0 }, own = 10, now = orr_now();

    (void)state;
    put_stat(busy);
    assert_int_equal(orr_core_room_at(&r, now, own), 4);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int room;

        for (int k = 0; k < 4; k++)
            busy[k] += rows[i].busy[k];
        own += rows[i].own;
        put_stat(busy);
        r.next = 0;
        r.at = now; /* the look before was a second ago */
        room = orr_core_room_at(&r, now + 1, own);
        if (room != rows[i].room) fail_msg("row %zu: room %d, not %d", i, room, rows[i].room);
        assert_true(r.next >= now + 1.2);
        assert_int_equal(orr_core_room_at(&r, now + 1.1, 0), room); /* it does not look yet */
    }
}

/* Who is nice has to count the nice ones, too. */
static void one_of_the_nice(void **state)
{
    orr_core_room r = four_cores();
    double busy[4] = { 0 }, now = orr_now();

    (void)state;
    r.is_nice = 1;
    put_stat(busy);
    assert_int_equal(orr_core_room_at(&r, now, 0), 4);
    busy[0] = 0.125; /* and 7 times as much that is nice */
    put_stat(busy);
    assert_int_equal(orr_core_room_at(&r, now + 1, 0), 3);
}

static void times_that_cannot_be_read(void **state)
{
    orr_core_room r = four_cores();

    (void)state;
    assert_int_equal(orr_core_room_at(&r, orr_now(), 1), 4); /* there is no such file */
    assert_int_equal(orr_core_room_at(&r, orr_now() + 9, 1), 4);
    put("/proc/stat", "cpu0 1 2 3 4 5 6 7 8\ncpu1 1 2\nintr 5\n"); /* of two cores alone */
    r = four_cores();
    assert_int_equal(orr_core_room_at(&r, orr_now(), 1), 4);
    assert_true(isinf(r.next));
    orr_core_room_start(&r, ""); /* this machine's own */
    assert_int_equal(r.room, orr_cores_allowed());
    assert_int_equal(orr_core_room_at(&r, orr_now(), 0), r.cores);
    assert_true(r.busy > 0);
}

/* Bytes that the groups allow: least of the group's and its parents', of both versions. */
static void memory_of_groups(void **state)
{
    const size_t machine = orr_memory_limit(root);

    (void)state;
    put("/proc/self/cgroup", "9:cpu:/job\n5:memory:/job/step\n0::/job\n");
    assert_true(orr_memory_limit(root) == machine); /* none says anything */
    put("/sys/fs/cgroup/memory/job/step/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/unified/job/memory.max", "max\n");
    assert_true(orr_memory_limit(root) == machine);
    put("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "3000000\n");
    put("/sys/fs/cgroup/cpu/job/memory.limit_in_bytes", "7\n"); /* another controller's tree */
    assert_int_equal(orr_memory_limit(root), 3000000);
    put("/sys/fs/cgroup/unified/job/memory.max", "2000000\n");
    assert_int_equal(orr_memory_limit(root), 2000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cores_follow_the_mask),
        cmocka_unit_test_setup(no_quota, empty),
        cmocka_unit_test_setup(quotas_of_version_2, empty),
        cmocka_unit_test_setup(quotas_of_version_1, empty),
        cmocka_unit_test_setup(memory_of_groups, empty),
        cmocka_unit_test_setup(threads_follow_the_quota, empty),
        cmocka_unit_test_setup(others_take_cores, empty),
        cmocka_unit_test_setup(one_of_the_nice, empty),
        cmocka_unit_test_setup(times_that_cannot_be_read, empty),
    };
    int failed;

    if (!mkdtemp(root)) return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (empty(NULL) != 0 || rmdir(root) != 0) return 1;
    return failed;
}
