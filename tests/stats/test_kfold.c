/* tests/stats/test_kfold.c - folds as scikit-learn prints them (1.9.1, and 1.2.1 where it differs),
 * what is refused, and what holds for folds of any rows; kfold.py compares many more. */
#include "stats/kfold.h"

#include "stats/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_ROWS = 600, MAX_CLASSES = 6, MAX_FOLDS = 16 };

static const orr_kfold_opts plain3 = { .kind = ORR_FOLDS_PLAIN, .k = 3 };
static const orr_kfold_opts stratified3 = { .kind = ORR_FOLDS_STRATIFIED, .k = 3 };
static const orr_kfold_opts group3 = { .kind = ORR_FOLDS_GROUP, .k = 3 };
static const orr_kfold_opts balanced3 = { .kind = ORR_FOLDS_STRATIFIED_GROUP, .k = 3 };

static orr_kfold_opts shuffled(orr_kfold_opts o)
{
    o.shuffle = 1;
    return o;
}

static orr_kfold_opts as_1_2(orr_kfold_opts o)
{
    o.like = ORR_SKLEARN_1_2;
    return o;
}

/* expected: the folds as digits. */
static void folds_are(const char *expected, const int32_t *labels, const int64_t *groups,
                      orr_kfold_opts o, orr_numpy_random *rng)
{
    int32_t fold[64];
    char text[65] = "";
    int64_t n = (int64_t)strlen(expected);

    assert_int_equal(orr_kfold(fold, n, labels, groups, &o, rng), ORR_OK);
    for (int64_t i = 0; i < n; i++)
        text[i] = (char)('0' + fold[i]);
    assert_string_equal(text, expected);
}

static void test_plain(void **state)
{
    orr_numpy_random rng;

    (void)state;
    folds_are("0000111222", NULL, NULL, plain3, NULL);
    orr_numpy_seed(&rng, 42);
    folds_are("0012202101", NULL, NULL, shuffled(plain3), &rng);
    folds_are("0021102102", NULL, NULL, shuffled(plain3), &rng); /* the next repeat */
}

static void test_stratified(void **state)
{
    static const int32_t y[] = { 8, 8, 5, 5, 5, -3, 8, 5, -3, -3, 5, 8, 5 };
    int32_t far[13];
    orr_numpy_random rng;

    (void)state;
    folds_are("0000101112222", y, NULL, stratified3, NULL);
    orr_numpy_seed(&rng, 7);
    folds_are("1010000212221", y, NULL, shuffled(stratified3), &rng);
    folds_are("1201220010201", y, NULL, shuffled(stratified3), &rng);
    for (int i = 0; i < 13; i++) /* names far apart, in another order: no matter */
        far[i] = y[i] == 8 ? INT32_MIN : y[i] == 5 ? INT32_MAX : 17;
    folds_are("0000101112222", far, NULL, stratified3, NULL);
}

static void test_group(void **state)
{
    static const int64_t g[] = { 7, 7, 7, -2, -2, 9, 9, 9, 9, 0, 0, 0 };
    static const int64_t far[] = { 7,         7,         7,         INT64_MIN, INT64_MIN, INT64_MAX,
                                   INT64_MAX, INT64_MAX, INT64_MAX, 0,         0,         0 };
    int64_t ties[34]; /* of 17 groups: the fewest that numpy leaves in an order of its own */
    orr_numpy_random rng;

    (void)state;
    folds_are("111110000222", NULL, g, group3, NULL);
    folds_are("111110000222", NULL, far, group3, NULL);
    for (int i = 0; i < 34; i++)
        ties[i] = i / 2;
    folds_are("1100221100221100221100221100221100", NULL, ties, group3, NULL);
    folds_are("1122001122001111221122001122000000", NULL, ties, as_1_2(group3), NULL);
    orr_numpy_seed(&rng, 3);
    folds_are("222110000000", NULL, g, shuffled(group3), &rng);
}

static void test_stratified_group(void **state)
{
    static const int64_t g[] = { 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7 };
    static const int32_t y[] = { 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0 };
    orr_numpy_random rng;

    (void)state;
    folds_are("0000112200221111", y, g, balanced3, NULL);
    orr_numpy_seed(&rng, 1);
    folds_are("2222001100111100", y, g, shuffled(balanced3), &rng);
    orr_numpy_seed(&rng, 1);
    folds_are("0000221122001111", y, g, as_1_2(shuffled(balanced3)), &rng);
    orr_numpy_seed(&rng, 2);
    folds_are("0022001100112211", y, g, as_1_2(shuffled(balanced3)), &rng);
    folds_are("0000112200221111", y, g, as_1_2(balanced3), NULL);
}

/* As many classes and groups as there can be. */
static void test_many(void **state)
{
    enum { ROWS = 1000000 };
    int32_t *y = calloc(ROWS, sizeof *y), *fold = calloc(ROWS, sizeof *fold);
    int64_t *g = calloc(ROWS, sizeof *g), held[2] = { 0 };

    (void)state;
    for (int i = 0; y && g && i < ROWS; i++) {
        y[i] = i / 2 * 4000;
        g[i] = (int64_t)((uint64_t)i * 0x5851F42D4C957F2D); /* all different, in no order */
    }
    assert_int_equal(orr_kfold(fold, ROWS, y, NULL,
                               &(orr_kfold_opts){ .kind = ORR_FOLDS_STRATIFIED, .k = 2 }, NULL),
                     ORR_OK);
    for (int i = 0; i < ROWS; i += 2)
        assert_int_equal(fold[i] + fold[i + 1], 1);
    assert_int_equal(
        orr_kfold(fold, ROWS, NULL, g, &(orr_kfold_opts){ .kind = ORR_FOLDS_GROUP, .k = 2 }, NULL),
        ORR_OK);
    for (int i = 0; i < ROWS; i++)
        held[fold[i]]++;
    assert_int_equal(held[0], ROWS / 2);
    free(y);
    free(g);
    free(fold);
}

static void refused(int64_t n, const int32_t *labels, const int64_t *groups, orr_kfold_opts o,
                    const char *words)
{
    int32_t fold[] = { 77, 77, 77, 77, 77, 77, 77, 77, 77, 77 };
    orr_numpy_random rng;

    orr_numpy_seed(&rng, 1);
    assert_fails(orr_kfold(fold, n, labels, groups, &o, &rng), ORR_ERR_ARG, words);
    for (int i = 0; i < 10; i++)
        assert_int_equal(fold[i], 77);
}

static void test_bad_input(void **state)
{
    static const int32_t rare[] = { 4, 4, 4, 4, 4, 4, -9, 4, 4, -9 };
    static const int32_t lone[] = { 4, 4, 4, 4, 4, 4, -9, 4, 4, 4 };
    static const int64_t one[] = { 6, 6, 6, 6, 6, 6, 6, 6, 6, 6 };
    static const int64_t two[] = { 6, 6, 6, 6, 6, 6, 6, 6, 6, -6 };
    static const int64_t five[] = { 1, 1, 2, 2, 3, 3, 4, 4, 5, 5 };
    static const int32_t clumped[] = { 1, 1, 1, 1, 0, 0, 0, 0, 0, 0 };
    static const int32_t uneven[] = { 1, 1, 1, 1, 0, 1, 0, 1, 0, 0 };
    static const int64_t four[] = { 1, 1, 1, 1, 2, 2, 3, 3, 4, 4 };
    orr_kfold_opts o = plain3;

    (void)state;
    refused(0, NULL, NULL, o, "no rows to make 3 folds of");
    refused(-1, NULL, NULL, o, "no rows");
    refused(2, NULL, NULL, o, "3 folds of 2 rows");
    o.k = 1;
    refused(10, NULL, NULL, o, "1 folds of 10 rows: take 2 or more");
    o.k = -3;
    refused(10, NULL, NULL, o, "-3 folds");
    o.k = 11;
    refused(10, NULL, NULL, o, "at most one per row");
    o = (orr_kfold_opts){ .kind = (orr_fold_kind)9, .k = 3 };
    refused(10, NULL, NULL, o, "9 is not a kind");
    refused(10, NULL, NULL, stratified3, "without labels");
    refused(10, NULL, five, balanced3, "without labels");
    refused(10, NULL, NULL, group3, "without groups");
    refused(10, rare, NULL, balanced3, "without groups");
    refused(10, rare, NULL, stratified3, "class -9 has 2 rows, and 3 folds need one each");
    refused(10, lone, NULL, shuffled(stratified3), "class -9 has 1 row,");
    refused(10, NULL, one, group3, "one group spans all 10 rows");
    refused(10, rare, one, balanced3, "at least 3 values");
    refused(10, NULL, two, shuffled(group3), "2 groups cannot fill 3 folds");
    refused(10, NULL, five, as_1_2(shuffled(group3)), "1.2 does not shuffle; that of 1.9 does");
    refused(10, clumped, two, balanced3, "use at most 2 folds");
    refused(10, rare, five, balanced3, "class -9 has 2 rows, and 3 folds need one each");
    refused(10, clumped, five, balanced3, "got no row of class 1, which is in 2 groups");
    refused(10, clumped, five, shuffled(balanced3), "got no row of class 1");
    refused(10, uneven, four, balanced3, "of 3, counted from 0, got no row of class");
    o = shuffled(plain3);
    assert_fails(orr_kfold(NULL, 10, NULL, NULL, &o, NULL), ORR_ERR_ARG, "random state");
}

static void test_no_memory(void **state)
{
    static const int32_t y[] = { 1, 1000, 1, 1000, 1, 1000, 1, 1000 };
    static const int64_t g[] = { 1, 1, 1, 1, 900, 900, 900, 900 };
    static const int expected[] = { 1, 6, 7, 20 };
    orr_numpy_random rng;
    int32_t fold[8] = { 77 };

    (void)state;
    orr_numpy_seed(&rng, 1);
    for (int kind = 0; kind < 4; kind++) {
        orr_kfold_opts o = { .kind = (orr_fold_kind)kind, .k = 2, .shuffle = 1 };
        int failures = 0;
        orr_status st;

        while (orr_alloc_fail_at(failures + 1),
               (st = orr_kfold(fold, 8, y, g, &o, &rng)) != ORR_OK) {
            assert_int_equal(st, ORR_ERR_NOMEM);
            assert_non_null(strstr(orr_error_text(), "no memory for 8 rows"));
            assert_int_equal(fold[0], 77);
            failures++;
        }
        orr_alloc_fail_at(0);
        assert_int_equal(failures, expected[kind]);
        fold[0] = 77;
    }
}

/* Rows of a random number and kind, and what orr_kfold is to say of them. */
typedef struct sample {
    int64_t n;
    orr_kfold_opts o;
    int32_t y[MAX_ROWS], fold[MAX_ROWS]; /* y: 0 .. MAX_CLASSES-1 */
    int64_t g[MAX_ROWS];                 /* 0 .. n-1 */
    int32_t label[MAX_ROWS];             /* their names */
    int64_t group[MAX_ROWS];
    int64_t rows[MAX_FOLDS], of_class[MAX_CLASSES], held[MAX_FOLDS][MAX_CLASSES];
} sample;

static int64_t below(orr_numpy_random *r, int64_t n)
{
    return (int64_t)orr_numpy_interval(r, (uint64_t)(n - 1));
}

static void draw(sample *s, orr_numpy_random *r)
{
    int64_t classes = 1 + below(r, MAX_CLASSES), groups;
    int32_t a = 1 + 2 * (int32_t)below(r, 1000), wide = below(r, 2) ? 1 << 20 : 1;
    int64_t far = below(r, 2) ? INT64_C(0x123456789ABCD) : 3;

    *s = (sample){ .n = 2 + below(r, below(r, 8) ? 80 : MAX_ROWS - 2) };
    s->o.kind = (orr_fold_kind)below(r, 4);
    s->o.k = 2 + (int)below(r, below(r, 3) ? 4 : MAX_FOLDS - 1);
    if (s->o.k > s->n) s->o.k = (int)s->n;
    s->o.shuffle = (int)below(r, 2);
    groups = 1 + below(r, below(r, 2) ? s->n : s->n / 4 + 1);
    for (int64_t i = 0; i < s->n; i++) {
        s->y[i] = (int32_t)below(r, 1 + below(r, classes));
        s->g[i] = below(r, groups);
        s->label[i] = (s->y[i] * a % MAX_CLASSES * 7 + s->y[i] - 20) * wide;
        s->group[i] = (groups / 2 - s->g[i]) * far;
    }
}

/* Counts rows; fails on a row without a fold. */
static void count(sample *s)
{
    memset(s->rows, 0, sizeof s->rows);
    memset(s->held, 0, sizeof s->held);
    memset(s->of_class, 0, sizeof s->of_class);
    for (int64_t i = 0; i < s->n; i++) {
        assert_in_range(s->fold[i], 0, s->o.k - 1);
        s->rows[s->fold[i]]++;
        s->held[s->fold[i]][s->y[i]]++;
        s->of_class[s->y[i]]++;
    }
}

static int64_t groups_of(const sample *s)
{
    int8_t seen[MAX_ROWS] = { 0 };
    int64_t found = 0;

    for (int64_t i = 0; i < s->n; i++) {
        found += !seen[s->g[i]];
        seen[s->g[i]] = 1;
    }
    return found;
}

static int grouped(const sample *s)
{
    return s->o.kind == ORR_FOLDS_GROUP || s->o.kind == ORR_FOLDS_STRATIFIED_GROUP;
}

static void check_shares(const sample *s)
{
    int by_class = s->o.kind == ORR_FOLDS_STRATIFIED;

    for (int c = 0; c < (by_class ? MAX_CLASSES : 0); c++)
        for (int f = 0; f < s->o.k; f++) {
            int64_t share = s->of_class[c] / s->o.k;
            assert_in_range(s->held[f][c], share, share + (s->of_class[c] % s->o.k > 0));
        }
    for (int f = 0; f < s->o.k && !grouped(s); f++)
        assert_in_range(s->rows[f], s->n / s->o.k, s->n / s->o.k + (s->n % s->o.k > 0));
}

static void check_accepted(sample *s)
{
    int32_t fold_of[MAX_ROWS];

    count(s);
    for (int f = 0; f < s->o.k; f++)
        assert_true(s->rows[f] > 0);
    memset(fold_of, -1, sizeof fold_of);
    for (int64_t i = 0; i < s->n && grouped(s); i++) {
        assert_true(fold_of[s->g[i]] == -1 || fold_of[s->g[i]] == s->fold[i]);
        fold_of[s->g[i]] = s->fold[i];
    }
    check_shares(s);
    for (int c = 0; c < MAX_CLASSES; c++)
        for (int f = 0; f < s->o.k && s->of_class[c] > 0; f++)
            assert_true(s->held[f][c] > 0 || s->o.kind == ORR_FOLDS_PLAIN ||
                        s->o.kind == ORR_FOLDS_GROUP);
}

/* The reason must be one that the rows show. */
static void check_refused(sample *s)
{
    int64_t rarest = s->n;

    memset(s->fold, 0, sizeof s->fold);
    count(s);
    for (int c = 0; c < MAX_CLASSES; c++)
        if (s->of_class[c] > 0 && s->of_class[c] < rarest) rarest = s->of_class[c];
    assert_int_not_equal(s->o.kind, ORR_FOLDS_PLAIN);
    if (s->o.kind == ORR_FOLDS_STRATIFIED)
        assert_true(rarest < s->o.k);
    else if (strstr(orr_error_text(), "need one each"))
        assert_true(s->o.kind == ORR_FOLDS_STRATIFIED_GROUP && rarest < s->o.k);
    else if (!strstr(orr_error_text(), "got no row of class"))
        assert_true(groups_of(s) < s->o.k);
    else
        assert_int_equal(s->o.kind, ORR_FOLDS_STRATIFIED_GROUP);
}

static void test_any_rows(void **state)
{
    static sample s;
    static int32_t again[MAX_ROWS];
    orr_numpy_random r, draws;
    int64_t accepted[4] = { 0 };

    (void)state;
    orr_numpy_seed(&r, 2718);
    for (int i = 0; i < 10000; i++) {
        orr_status st;

        draw(&s, &r);
        orr_numpy_seed(&draws, (uint32_t)i);
        st = orr_kfold(s.fold, s.n, s.label, s.group, &s.o, &draws);
        if (st == ORR_OK) {
            check_accepted(&s);
            accepted[s.o.kind]++;
            orr_numpy_seed(&draws, (uint32_t)i);
            assert_int_equal(orr_kfold(again, s.n, s.label, s.group, &s.o, &draws), ORR_OK);
            assert_memory_equal(again, s.fold, (size_t)s.n * sizeof *again);
        } else {
            assert_int_equal(st, ORR_ERR_ARG);
            check_refused(&s);
        }
    }
    for (int kind = 0; kind < 4; kind++)
        assert_true(accepted[kind] > 300);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),     cmocka_unit_test(test_stratified),
        cmocka_unit_test(test_group),     cmocka_unit_test(test_stratified_group),
        cmocka_unit_test(test_many),      cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_any_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
