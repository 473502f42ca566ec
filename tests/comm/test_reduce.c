/* Sums over leaves: the bytes must be those of core/leaves' tree over all leaves, whatever the
 * number of ranks. */
#include "comm/ranks.h"
#include "core/leaves.h"

static const int leaf_counts[] = { 1, 2, 3, 5, 8, 12, 16, 32 };
enum { N_LEAF_COUNTS = sizeof leaf_counts / sizeof *leaf_counts };

static uint64_t leaf_key(int leaf)
{
    return orr_rng_key(1, ORR_RNG_TEST, (uint64_t)leaf, 0, 0);
}

/* Numbers of very different sizes, so that any other order of adding shows. */
static double value_at(uint64_t key, size_t j)
{
    static const double scale[] = { 1e-6, 1, 3e4, 1e-3 };
    orr_philox w = orr_rng_block(key, j);
    uint64_t x = (uint64_t)w.v[0] << 32 | w.v[1];

    return ((double)(x >> 11) * 0x1p-53 - 0.5) * scale[x & 3];
}

typedef struct {
    orr_comm *c;
    orr_leaf_plan plan;
    size_t n, width;
    orr_dtype type;
    char *leaves; /* of this rank, one after the other; each segment is summed into its first */
    char *oracle; /* sum of all leaves */
    char *result; /* apart from the segments */
    void *segments[ORR_MAX_SEGMENTS];
} job;

static void put(job *b, char *to, size_t j, double v)
{
    if (b->type == ORR_F32)
        ((float *)to)[j] = (float)v;
    else
        ((double *)to)[j] = v;
}

static void tree_sum(const job *b, char *out, char *in, int m)
{
    if (b->type == ORR_F32)
        orr_leaf_sum_f32((float *)out, (float *)in, b->n, m, b->n);
    else
        orr_leaf_sum_f64((double *)out, (double *)in, b->n, m, b->n);
}

static void set_up(job *b, orr_comm *c, int n_leaves, size_t n, orr_dtype t)
{
    size_t width = t == ORR_F32 ? 4 : 8, row = n * width;
    char *all = orr_alloc((size_t)n_leaves + 1, row);

    *b = (job){ .c = c, .n = n, .width = width, .type = t };
    ranks_ok(orr_leaf_plan_init(&b->plan, n_leaves, orr_comm_rank(c), orr_comm_size(c)));
    b->leaves = orr_alloc((size_t)(b->plan.last - b->plan.first) + 1, row);
    b->oracle = orr_alloc(n + 1, width);
    b->result = orr_alloc(n + 1, width);
    for (int i = 0; i < n_leaves; i++) {
        uint64_t key = leaf_key(i);
        for (size_t j = 0; j < n; j++)
            put(b, all + (size_t)i * row, j, value_at(key, j));
    }
    if (b->plan.n_segments > 0)
        memcpy(b->leaves, all + (size_t)b->plan.first * row,
               (size_t)(b->plan.last - b->plan.first) * row);
    tree_sum(b, b->oracle, all, n_leaves);
    for (int i = 0; i < b->plan.n_segments; i++) {
        b->segments[i] = b->leaves + (size_t)(b->plan.segment[i] - b->plan.first) * row;
        tree_sum(b, b->segments[i], b->segments[i], b->plan.segment[i + 1] - b->plan.segment[i]);
    }
    memset(b->result, 0x77, (n + 1) * width);
    orr_free(all);
}

static void tear_down(job *b)
{
    orr_free(b->leaves);
    orr_free(b->oracle);
    orr_free(b->result);
}

static void check_result(const job *b, const char *result)
{
    if (memcmp(result, b->oracle, b->n * b->width) == 0) return;
    for (size_t j = 0; j < b->n; j++)
        if (memcmp(result + j * b->width, b->oracle + j * b->width, b->width) != 0)
            fail_msg("element %zu of %zu differs (%d leaves)", j, b->n, b->plan.n_leaves);
}

static void reduce_whole(job *b)
{
    int64_t allocs, copy_bytes = (int64_t)(b->n * b->width);
    char *before = b->plan.n_segments ? orr_alloc(b->n + 1, b->width) : NULL;
    orr_reduction *r = NULL;

    ranks_ok(orr_comm_reduce_reserve(b->c, &b->plan, b->n, b->type));
    if (before) memcpy(before, b->segments[0], (size_t)copy_bytes);
    allocs = orr_alloc_count();
    ranks_ok(orr_comm_reduce_begin(&r, b->c, &b->plan, ORR_REDUCE_ORDERED, b->segments, b->result,
                                   b->n, b->type));
    ranks_ok(orr_comm_reduce_end(r));
    assert_int_equal(orr_alloc_count(), allocs);
    check_result(b, b->result);
    for (size_t i = 0; i < b->width; i++)
        assert_int_equal((unsigned char)b->result[b->n * b->width + i],
                         0x77); /* not beyond its end */
    if (before) {               /* segments were only read; now into the first of them */
        assert_memory_equal(before, b->segments[0], (size_t)copy_bytes);
        orr_free(before);
    }
    char *result = b->plan.n_segments ? b->segments[0] : b->result;
    ranks_ok(orr_comm_reduce_begin(&r, b->c, &b->plan, ORR_REDUCE_ORDERED, b->segments, result,
                                   b->n, b->type));
    ranks_ok(orr_comm_reduce_end(r));
    check_result(b, result);
}

static void test_ordered(void **state)
{
    static const size_t sizes[] = { 0, 1, 15, 16, 17, 1000, 4099, 20011 };

    (void)state;
    for (int o = 0; o < 4; o++) {
        orr_comm *c = ranks_comm(o);
        for (int l = 0; l < N_LEAF_COUNTS; l++)
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
                for (int f64 = 0; f64 < 2; f64++) {
                    job b;
                    if (sizes[s] > 5000 && (l + o + f64) % 3) continue; /* keeps the test short */
                    set_up(&b, c, leaf_counts[l], sizes[s], f64 ? ORR_F64 : ORR_F32);
                    reduce_whole(&b);
                    tear_down(&b);
                }
        orr_comm_destroy(c);
    }
}

/* Many chunks through the pipe, more than it has room for. */
static void test_long(void **state)
{
    (void)state;
    for (int o = 0; o < 2; o++) {
        orr_comm *c = ranks_comm(o);
        job b;
        set_up(&b, c, 6, 700001, ORR_F32);
        reduce_whole(&b);
        tear_down(&b);
        orr_comm_destroy(c);
    }
}

/* The values above do tell orders apart: else the tests before prove nothing. */
static void test_order_matters(void **state)
{
    orr_comm *c = ranks_comm(0);
    job b;
    int differ = 0;

    (void)state;
    set_up(&b, c, 8, 1000, ORR_F32);
    for (size_t j = 0; j < b.n; j++) {
        float sum = 0;
        for (int i = 0; i < 8; i++)
            sum += (float)value_at(leaf_key(i), j);
        differ += sum != ((float *)b.oracle)[j];
    }
    assert_true(differ > 100);
    tear_down(&b);
    orr_comm_destroy(c);
}

/* ---- a device's memory: addresses that nobody may look into, and work that is done later ---- */

enum { POLLS = 3 };
static const uintptr_t far_away = (uintptr_t)1 << 46;

typedef struct device {
    int polls, downloads, uploads;
} device;

static void *far_of(void *p)
{
    return (void *)((uintptr_t)p ^ far_away);
}

/* Reached after a few questions, on each rank after another number of them. */
static orr_status device_reached(void *ctx, int64_t mark)
{
    device *d = ctx;

    return ++d->polls < (int)mark ? ORR_PENDING : ORR_OK;
}
static orr_status device_download(void *ctx, void *host, const void *from, size_t bytes)
{
    device *d = ctx;

    d->downloads++;
    memcpy(host, (const void *)((uintptr_t)from ^ far_away), bytes);
    return ORR_OK;
}
static orr_status device_upload(void *ctx, void *to, const void *host, size_t bytes)
{
    device *d = ctx;

    d->uploads++;
    memcpy(far_of(to), host, bytes);
    return ORR_OK;
}

/* Buckets of one slab, as the backward pass begins them; ended last first, with sums of a few
 * values in between. */
static void buckets(orr_comm *c, int n_leaves, orr_dtype t, int round, int on_device)
{
    enum { N = 9 };
    static const size_t edge[N + 1] = { 0, 0, 1, 100, 5000, 5016, 30000, 30001, 60000, 60007 };
    orr_reduction *r[N];
    double in[64 * 3], out[3], all[64 * 3], want[3];
    int64_t allocs;
    device d = { 0 };
    const orr_memory memory = { ORR_MEM_DEVICE, &d, device_reached, device_download,
                                device_upload };
    job b;

    set_up(&b, c, n_leaves, edge[N], t);
    ranks_ok(orr_comm_reduce_reserve(c, &b.plan, b.n, t));
    if (on_device) ranks_ok(orr_comm_reduce_stage(c, &b.plan, b.n, t));
    memset(in, 0, sizeof in);
    ranks_ok(orr_comm_leaf_sum(c, &b.plan, in, out, 3)); /* its own memory is there from now on */
    allocs = orr_alloc_count();
    for (int i = 0; i < N; i++) {
        void *segments[ORR_MAX_SEGMENTS];
        for (int k = 0; k < b.plan.n_segments; k++)
            segments[k] = (char *)b.segments[k] + edge[i] * b.width;
        void *result = b.result + edge[i] * b.width;
        int far = on_device && i % 3 != 1; /* the host's between them keep their turn */
        for (int k = 0; far && k < b.plan.n_segments; k++)
            segments[k] = far_of(segments[k]);
        ranks_ok(orr_comm_reduce_begin_on(&r[i], c, &b.plan, ORR_REDUCE_ORDERED,
                                          far ? &memory : NULL, d.polls + POLLS + orr_comm_rank(c),
                                          segments, far ? far_of(result) : result,
                                          edge[i + 1] - edge[i], t));
        orr_status st = orr_comm_reduce_test(r[(i * 5 + round) % (i + 1)]);
        assert_true(st == ORR_OK || st == ORR_PENDING);
        if (i != 5) continue;
        for (int k = 0; k < n_leaves * 3; k++)
            all[k] = value_at(leaf_key(k / 3), (size_t)(k % 3));
        memcpy(in, all + 3 * b.plan.first, (size_t)(b.plan.last - b.plan.first) * 3 * sizeof *in);
        orr_leaf_sum_f64(want, all, 3, n_leaves, 3);
        ranks_ok(orr_comm_leaf_sum(c, &b.plan, in, out, 3));
        assert_memory_equal(out, want, sizeof want);
    }
    for (int i = N - 1; i >= 0; i--)
        ranks_ok(orr_comm_reduce_end(r[i]));
    assert_int_equal(orr_alloc_count(), allocs);
    if (on_device) assert_int_equal(d.uploads, 5); /* of 6, one is empty */
    if (on_device) assert_int_equal(d.downloads, 5 * b.plan.n_segments);
    check_result(&b, b.result);
    tear_down(&b);
}

static void test_in_flight(void **state)
{
    (void)state;
    for (int o = 0; o < 4; o++) {
        orr_comm *c = ranks_comm(o);
        for (int l = 0; l < N_LEAF_COUNTS; l++)
            for (int round = 0; round < 2; round++)
                buckets(c, leaf_counts[l], round ? ORR_F32 : ORR_F64, round, 0);
        orr_comm_destroy(c);
    }
}

static void test_devices_memory(void **state)
{
    (void)state;
    for (int o = 0; o < 4; o++) {
        orr_comm *c = ranks_comm(o);
        for (int l = 0; l < N_LEAF_COUNTS; l++)
            buckets(c, leaf_counts[l], l % 2 ? ORR_F32 : ORR_F64, l % 2, 1);
        orr_comm_destroy(c);
    }
}

/* Nothing is begun without room on the host. */
static void test_no_room_for_a_device(void **state)
{
    device d = { 0 };
    const orr_memory memory = { ORR_MEM_DEVICE, &d, device_reached, device_download,
                                device_upload };
    orr_comm *c = ranks_comm(0);
    orr_reduction *r;
    job b;

    (void)state;
    set_up(&b, c, 8, 100, ORR_F32);
    ranks_ok(orr_comm_reduce_reserve(c, &b.plan, b.n, ORR_F32));
    assert_int_equal(orr_comm_reduce_begin_on(&r, c, &b.plan, ORR_REDUCE_ORDERED, &memory, 0,
                                              b.segments, b.result, b.n, ORR_F32),
                     ORR_ERR_ARG);
    assert_null(r);
    ranks_ok(orr_comm_barrier(c));
    tear_down(&b);
    orr_comm_destroy(c);
}

static void test_fast(void **state)
{
    (void)state;
    for (int o = 0; o < 3; o++) {
        orr_comm *c = ranks_comm(o);
        for (int f64 = 0; f64 < 2; f64++) {
            orr_reduction *r = NULL;
            job b;
            set_up(&b, c, 12, 3001, f64 ? ORR_F64 : ORR_F32);
            ranks_ok(orr_comm_reduce_reserve(c, &b.plan, b.n, b.type));
            ranks_ok(orr_comm_reduce_begin(&r, c, &b.plan, ORR_REDUCE_FAST, b.segments, b.result,
                                           b.n, b.type));
            ranks_ok(orr_comm_reduce_end(r));
            for (size_t j = 0; j < b.n; j++) {
                double got = f64 ? ((double *)b.result)[j] : (double)((float *)b.result)[j];
                double want = f64 ? ((double *)b.oracle)[j] : (double)((float *)b.oracle)[j];
                if (got - want > 0.05 || want - got > 0.05)
                    fail_msg("element %zu: %g, not %g", j, got, want);
            }
            tear_down(&b);
        }
        orr_comm_destroy(c);
    }
}

static void test_leaf_sum(void **state)
{
    static const size_t sizes[] = { 1, 5, 3000 };

    (void)state;
    for (int o = 0; o < RANKS_OPTS; o++) {
        orr_comm *c = ranks_comm(o);
        for (int l = 0; l < N_LEAF_COUNTS; l++)
            for (int s = 0; s < 3; s++) {
                size_t n = sizes[s], m = (size_t)leaf_counts[l];
                orr_leaf_plan plan;
                double *all = orr_alloc(m * n, sizeof *all), *want = orr_alloc(n, sizeof *want);
                double *in = orr_alloc((m + 1) * n, sizeof *in);
                for (size_t k = 0; k < m * n; k++)
                    all[k] = value_at(leaf_key((int)(k / n)), k % n);
                ranks_ok(
                    orr_leaf_plan_init(&plan, leaf_counts[l], orr_comm_rank(c), orr_comm_size(c)));
                memcpy(in, all + (size_t)plan.first * n,
                       (size_t)(plan.last - plan.first) * n * sizeof *in);
                orr_leaf_sum_f64(want, all, n, leaf_counts[l], n);
                ranks_ok(orr_comm_leaf_sum(c, &plan, in, in, n));
                assert_memory_equal(in, want, n * sizeof *want);
                orr_free(all);
                orr_free(want);
                orr_free(in);
            }
        orr_comm_destroy(c);
    }
}

static void test_mistakes(void **state)
{
    orr_comm *c = ranks_comm(0);
    int size = orr_comm_size(c), rank = orr_comm_rank(c);
    orr_reduction *r = NULL, *second = NULL;
    job b;

    (void)state;
    set_up(&b, c, 4, 100, ORR_F32);
    assert_int_equal(
        orr_comm_reduce_begin(&r, c, &b.plan, ORR_REDUCE_ORDERED, b.segments, b.result, 1, ORR_F32),
        ORR_ERR_ARG); /* nothing set aside */
    assert_int_equal(orr_comm_reduce_reserve(c, &b.plan, 100, ORR_I32), ORR_ERR_ARG);
    if (size > 1) { /* one rank differs: all are told */
        assert_int_equal(orr_comm_reduce_reserve(c, &b.plan, rank == size - 1 ? 99 : 100, ORR_F32),
                         ORR_ERR_ARG);
        assert_non_null(strstr(orr_error_text(), "number of elements"));
        orr_leaf_plan other;
        ranks_ok(orr_leaf_plan_init(&other, 4, (rank + 1) % size, size));
        assert_int_equal(orr_comm_reduce_reserve(c, rank == 0 ? &other : &b.plan, 100, ORR_F32),
                         ORR_ERR_ARG);
    }
    ranks_ok(orr_comm_reduce_reserve(c, &b.plan, 100, ORR_F32));
    ranks_ok(orr_comm_reduce_begin(&r, c, &b.plan, ORR_REDUCE_ORDERED, b.segments, b.result, 60,
                                   ORR_F32));
    assert_int_equal(orr_comm_reduce_begin(&second, c, &b.plan, ORR_REDUCE_ORDERED, b.segments,
                                           b.result, 41, ORR_F32),
                     ORR_ERR_ARG);
    assert_null(second);
    assert_int_equal(orr_comm_reduce_reserve(c, &b.plan, 200, ORR_F32), ORR_ERR_ARG);
    ranks_ok(orr_comm_reduce_end(r));
    ranks_ok(orr_comm_barrier(c));
    tear_down(&b);
    orr_comm_destroy(c);
}

/* Ranks that begin different reductions through shared memory are told so. */
static void test_mismatch(void **state)
{
    orr_comm *c = ranks_comm(0);
    orr_reduction *r = NULL;
    orr_status st;
    job b;

    (void)state;
    set_up(&b, c, 4, 100, ORR_F32);
    ranks_ok(orr_comm_reduce_reserve(c, &b.plan, 100, ORR_F32));
    st = orr_comm_reduce_begin(&r, c, &b.plan, ORR_REDUCE_ORDERED, b.segments, b.result,
                               orr_comm_rank(c) == 0 ? 50 : 49, ORR_F32);
    if (st == ORR_OK) st = orr_comm_reduce_end(r);
    assert_int_equal(st, orr_comm_size(c) > 1 ? ORR_ERR_ARG : ORR_OK);
    tear_down(&b);
    orr_comm_destroy(c);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_order_matters),  cmocka_unit_test(test_ordered),
    cmocka_unit_test(test_long),           cmocka_unit_test(test_in_flight),
    cmocka_unit_test(test_devices_memory), cmocka_unit_test(test_no_room_for_a_device),
    cmocka_unit_test(test_fast),           cmocka_unit_test(test_leaf_sum),
    cmocka_unit_test(test_mistakes),       cmocka_unit_test(test_mismatch),
};

RANKS_MAIN(tests, 110)
