/* tests/core/test_leaves.c - the deal of leaves, and sums that do not depend on it. */
#include "core/core_test.h"
#include "core/leaves.h"
#include "core/rng.h"

enum { MAX_L = 40, MAX_N = 9, WIDTH = 5 };

/* Is [a, b) a node of the tree over [lo, hi)? */
static int is_node(int lo, int hi, int a, int b)
{
    if (lo == a && hi == b) return 1;
    if (hi - lo < 2) return 0;
    int mid = lo + orr_leaf_split(hi - lo);
    return b <= mid ? is_node(lo, mid, a, b) : a >= mid && is_node(mid, hi, a, b);
}

static int is_node_within(int n_leaves, int first, int last, int a, int b)
{
    return a >= first && b <= last && is_node(0, n_leaves, a, b);
}

/* No node of the tree holds this segment and still lies within the rank's leaves. */
static int is_maximal(const orr_leaf_plan *p, int a, int b)
{
    for (int lo = p->first; lo <= a; lo++)
        for (int hi = b; hi <= p->last; hi++)
            if ((lo < a || hi > b) && is_node_within(p->n_leaves, p->first, p->last, lo, hi))
                return 0;
    return 1;
}

static void check_plan(int n_leaves, int rank, int size, int *next)
{
    orr_leaf_plan p;

    assert_ok(orr_leaf_plan_init(&p, n_leaves, rank, size));
    assert_int_equal(p.first, *next); /* no leaf lost, none doubled */
    assert_true(p.last >= p.first && p.last - p.first <= (n_leaves + size - 1) / size);
    *next = p.last;
    assert_int_equal(p.n_segments > 0, p.last > p.first);
    if (!p.n_segments) return;
    assert_int_equal(p.segment[0], p.first);
    assert_int_equal(p.segment[p.n_segments], p.last);
    for (int i = 0; i < p.n_segments; i++) {
        assert_true(p.segment[i] < p.segment[i + 1]);
        assert_true(is_node(0, n_leaves, p.segment[i], p.segment[i + 1]));
        assert_true(is_maximal(&p, p.segment[i], p.segment[i + 1]));
    }
}

static void runs_partition_the_leaves(void **state)
{
    (void)state;
    for (int l = 1; l <= MAX_L; l++)
        for (int n = 1; n <= MAX_N; n++) {
            int next = 0;

            for (int r = 0; r < n; r++)
                check_plan(l, r, n, &next);
            assert_int_equal(next, l);
        }
}

static void runs_stay_within_their_bound(void **state)
{
    int most = 0;

    (void)state;
    for (int l = 1000; l <= ORR_MAX_LEAVES; l++)
        for (int n = 1; n <= 40; n++)
            for (int r = 0; r < n; r++) {
                orr_leaf_plan p;

                assert_ok(orr_leaf_plan_init(&p, l, r, n));
                if (p.n_segments > most) most = p.n_segments;
            }
    assert_true(most > 8 && most <= ORR_MAX_SEGMENTS);
    for (int n = 1; n <= 64; n *= 2)
        for (int r = 0; r < n; r++) {
            orr_leaf_plan p;

            assert_ok(orr_leaf_plan_init(&p, 64, r, n));
            assert_int_equal(p.n_segments, 1); /* powers of two */
        }
}

static void refuses_nonsense(void **state)
{
    orr_leaf_plan p;

    (void)state;
    assert_failure(orr_leaf_plan_init(&p, 0, 0, 1), ORR_ERR_OPTION,
                   "a batch of 0 leaves: give 1 to 1024");
    assert_int_equal(orr_leaf_plan_init(&p, ORR_MAX_LEAVES + 1, 0, 1), ORR_ERR_OPTION);
    assert_failure(orr_leaf_plan_init(&p, 4, 3, 3), ORR_ERR_OPTION, "rank 3 of 3 ranks");
    assert_int_equal(orr_leaf_plan_init(&p, 4, -1, 3), ORR_ERR_OPTION);
    assert_int_equal(orr_leaf_plan_init(&p, 4, 0, 0), ORR_ERR_OPTION);
}

/* The shape of a node depends on its number of leaves alone, and a whole power of two splits into
 * halves. */
static void shape(void **state)
{
    (void)state;
    for (int m = 2; m <= 1024; m++) {
        int h = orr_leaf_split(m);

        assert_true(h < m && 2 * h >= m && (h & (h - 1)) == 0);
    }
    assert_int_equal(orr_leaf_split(2), 1);
    assert_int_equal(orr_leaf_split(3), 2);
    assert_int_equal(orr_leaf_split(5), 4);
    assert_int_equal(orr_leaf_split(8), 4);
}

static void samples_are_all_there(void **state)
{
    (void)state;
    for (int64_t batch = 0; batch < 70; batch++)
        for (int l = 1; l <= MAX_L; l++) {
            assert_int_equal(orr_leaf_begin(batch, l, 0), 0);
            assert_int_equal(orr_leaf_begin(batch, l, l), batch);
            for (int i = 0; i < l; i++) {
                int64_t n = orr_leaf_begin(batch, l, i + 1) - orr_leaf_begin(batch, l, i);

                assert_true(n == batch / l || n == (batch + l - 1) / l);
            }
        }
}

/* Short batches fill fewer leaves, none with less than it must have while there are samples. */
static void leaves_join(void **state)
{
    (void)state;
    for (int fewest = 0; fewest < 5; fewest++)
        for (int64_t batch = 0; batch < 70; batch++)
            for (int l = 1; l <= MAX_L; l++) {
                int filled = orr_leaves_filled(batch, l, fewest), seen = 0;
                assert_int_equal(orr_joined_begin(batch, l, fewest, 0), 0);
                assert_int_equal(orr_joined_begin(batch, l, fewest, l), batch);
                for (int i = 0; i < l; i++) {
                    int64_t n = orr_joined_begin(batch, l, fewest, i + 1) -
                                orr_joined_begin(batch, l, fewest, i);
                    seen += n > 0;
                    if (batch >= fewest) assert_true(n == 0 || n >= fewest);
                    if (fewest < 2 || batch >= (int64_t)fewest * l)
                        assert_int_equal(orr_joined_begin(batch, l, fewest, i),
                                         orr_leaf_begin(batch, l, i));
                }
                assert_int_equal(seen, filled);
            }
}

/* Values of many magnitudes: a sum in another order has other bits. */
static void fill(float *x, size_t n, uint64_t seed)
{
    orr_rng r = orr_rng_stream(orr_rng_key(seed, ORR_RNG_TEST, 0, 0, 0));

    for (size_t i = 0; i < n; i++) {
        double scale = (double)(1 << orr_rng_below(&r, 20));

        x[i] = (float)(scale * orr_rng_normal(&r));
    }
}

#define DEFINE_TREE(NAME, TYPE)                                                                    \
    static TYPE NAME(const TYPE *x, size_t stride, int a, int b)                                   \
    {                                                                                              \
        if (b - a == 1) return x[(size_t)a * stride];                                              \
        int mid = a + orr_leaf_split(b - a);                                                       \
        TYPE left = NAME(x, stride, a, mid), right = NAME(x, stride, mid, b);                      \
        return left + right;                                                                       \
    }

DEFINE_TREE(tree, float)
DEFINE_TREE(tree_f64, double)

/* Sums of segments, by first leaf; last[a] = 0 where no segment begins. */
typedef struct {
    int last[MAX_L];
    float sum[MAX_L][WIDTH];
} all_segments;

/* What comm does: follow the tree down to the segments, add on the way back. */
static void combine(float out[WIDTH], const all_segments *segments, int a, int b)
{
    float left[WIDTH], right[WIDTH];

    if (segments->last[a] == b) {
        memcpy(out, segments->sum[a], sizeof left);
        return;
    }
    assert_true(b - a > 1); /* else a leaf that no segment holds */
    int mid = a + orr_leaf_split(b - a);
    combine(left, segments, a, mid);
    combine(right, segments, mid, b);
    for (int j = 0; j < WIDTH; j++)
        out[j] = left[j] + right[j];
}

static void sum_segments_of_rank(all_segments *segments, const float *x, int n_leaves, int rank,
                                 int size)
{
    float mine[MAX_L * WIDTH];
    orr_leaf_plan p;

    assert_ok(orr_leaf_plan_init(&p, n_leaves, rank, size));
    for (int i = 0; i < p.n_segments; i++) {
        int a = p.segment[i], m = p.segment[i + 1] - a;

        memcpy(mine, x + (size_t)a * WIDTH, (size_t)m * WIDTH * sizeof *mine);
        orr_leaf_sum_f32(segments->sum[a], mine, WIDTH, m, WIDTH);
        segments->last[a] = a + m;
    }
}

static void ranks_do_not_change_the_sum(void **state)
{
    float x[MAX_L * WIDTH], copy[MAX_L * WIDTH], one[WIDTH], many[WIDTH];
    int other_order = 0;

    (void)state;
    for (int l = 1; l <= MAX_L; l++) {
        fill(x, (size_t)l * WIDTH, (uint64_t)l);
        memcpy(copy, x, sizeof copy);
        orr_leaf_sum_f32(one, copy, WIDTH, l, WIDTH);
        for (int n = 1; n <= MAX_N; n++) {
            all_segments segments = { 0 };

            for (int r = 0; r < n; r++)
                sum_segments_of_rank(&segments, x, l, r, n);
            combine(many, &segments, 0, l);
            assert_memory_equal(many, one, sizeof one);
        }
        float plain = 0;
        for (int i = 0; i < l; i++)
            plain += x[(size_t)i * WIDTH];
        other_order += memcmp(&plain, &one[0], sizeof plain) != 0;
    }
    assert_true(other_order > MAX_L / 2); /* the values do tell orders apart */
}

/* Widths around vectors and blocks of columns, a stride with a gap, out beside and upon the input.
 */
static void any_width(void **state)
{
    static const size_t widths[] = { 0, 1, 7, 64, 2047, 2048, 2049, 5000 };
    static float x[11 * 5003], copy[11 * 5003], out[5003];
    static double xd[11 * 5003], copyd[11 * 5003];

    (void)state;
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (int m = 1; m <= 11; m++) {
            size_t n = widths[w], stride = n + 3;

            fill(x, (size_t)m * stride, 99 + n);
            for (size_t i = 0; i < (size_t)m * stride; i++)
                xd[i] = x[i] / 3.0;
            memcpy(copy, x, sizeof copy);
            orr_leaf_sum_f32(out, copy, stride, m, n);
            for (size_t j = 0; j < n; j++)
                assert_true(out[j] == tree(x + j, stride, 0, m));
            assert_memory_equal(copy + n, x + n, 3 * sizeof *x); /* the gap is not ours */
            memcpy(copy, x, sizeof copy);
            orr_leaf_sum_f32(copy, copy, stride, m, n);
            assert_memory_equal(copy, out, n * sizeof *out);
            memcpy(copyd, xd, sizeof copyd);
            orr_leaf_sum_f64(copyd, copyd, stride, m, n);
            for (size_t j = 0; j < n; j++)
                assert_true(copyd[j] == tree_f64(xd + j, stride, 0, m));
        }
}

static void no_leaves_are_zero(void **state)
{
    float f[3] = { 1, 2, 3 };
    double d[3] = { 1, 2, 3 };

    (void)state;
    orr_leaf_sum_f32(f, NULL, 3, 0, 2);
    orr_leaf_sum_f64(d, NULL, 3, 0, 2);
    assert_true(f[0] == 0 && f[1] == 0 && f[2] == 3);
    assert_true(d[0] == 0 && d[1] == 0 && d[2] == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_partition_the_leaves),
        cmocka_unit_test(runs_stay_within_their_bound),
        cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test(shape),
        cmocka_unit_test(samples_are_all_there),
        cmocka_unit_test(leaves_join),
        cmocka_unit_test(ranks_do_not_change_the_sum),
        cmocka_unit_test(any_width),
        cmocka_unit_test(no_leaves_are_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
