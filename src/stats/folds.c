/* stats/folds.c - scikit-learn's train_test_split, index for index.
 * Source: scikit-learn 1.2.1, model_selection/_split.py (ShuffleSplit, StratifiedShuffleSplit) and
 * _approximate_mode in utils.  The order of draws is part of the contract: so are the rounding of
 * each product and the draws that a tie of one member consumes (none). */
#include "stats/folds.h"

#include "core/memory.h"
#include "core/numpy_random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The rows of each class, classes by rising label. */
typedef struct strata {
    int64_t n_classes;
    int64_t *count;    /* [n_classes] */
    int64_t *train;    /* [n_classes] rows of the class that go to train */
    int64_t *test;     /* [n_classes] */
    int64_t *rows;     /* [n] grouped by class, in file order inside one */
    int64_t *order;    /* [n] scratch: a permutation, or the members of a tie */
    double *remainder; /* [n_classes] expected rows beyond the whole ones */
    int32_t *labels;   /* [n] sorted, then the distinct ones first */
} strata;

static int rising(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a;
    int32_t y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

static void strata_destroy(strata *s)
{
    orr_free(s->count);
    orr_free(s->train);
    orr_free(s->test);
    orr_free(s->rows);
    orr_free(s->order);
    orr_free(s->remainder);
    orr_free(s->labels);
}

static orr_status no_memory(int64_t n)
{
    return orr_fail(ORR_ERR_NOMEM, "split: no memory for %lld rows", (long long)n);
}

static int64_t class_of(const strata *s, int32_t label)
{
    const int32_t *at = bsearch(&label, s->labels, (size_t)s->n_classes, sizeof label, rising);

    return at - s->labels;
}

/* Sorted distinct labels to the front of s->labels. */
static orr_status find_classes(strata *s, const int32_t *labels, int64_t n)
{
    if (!(s->labels = orr_alloc((size_t)n, sizeof *s->labels))) return no_memory(n);
    memcpy(s->labels, labels, (size_t)n * sizeof *labels);
    qsort(s->labels, (size_t)n, sizeof *s->labels, rising);
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || s->labels[i] != s->labels[s->n_classes - 1])
            s->labels[s->n_classes++] = s->labels[i];
    return ORR_OK;
}

static orr_status strata_create(strata *s, const int32_t *labels, int64_t n)
{
    size_t k;
    int64_t start = 0;

    ORR_TRY(find_classes(s, labels, n));
    k = (size_t)s->n_classes;
    if (!(s->count = orr_alloc(k, sizeof *s->count)) ||
        !(s->train = orr_alloc(k, sizeof *s->train)) ||
        !(s->test = orr_alloc(k, sizeof *s->test)) ||
        !(s->remainder = orr_alloc(k, sizeof *s->remainder)) ||
        !(s->rows = orr_alloc((size_t)n, sizeof *s->rows)) ||
        !(s->order = orr_alloc((size_t)n, sizeof *s->order)))
        return no_memory(n);
    for (int64_t i = 0; i < n; i++)
        s->count[class_of(s, labels[i])]++;
    for (int64_t c = 0; c < s->n_classes; start += s->count[c++])
        s->train[c] = start; /* for now: where the next row of the class goes */
    for (int64_t i = 0; i < n; i++)
        s->rows[s->train[class_of(s, labels[i])]++] = i;
    return ORR_OK;
}

/* The largest of remainder[] below limit; negative when there is none. */
static double next_value(const double *remainder, int64_t k, double limit)
{
    double best = -1;

    for (int64_t c = 0; c < k; c++)
        if (remainder[c] < limit && remainder[c] > best) best = remainder[c];
    return best;
}

/* Of the classes that share a remainder, "need" or all get one row more: which of them, chance
 * says, and it draws even when all do.  Answers how many. */
static int64_t add_tied(strata *s, double value, int64_t need, orr_numpy_random *rng,
                        int64_t *drawn)
{
    int64_t *members = s->order + s->n_classes; /* fits: a class has two rows or more */
    int64_t tied = 0;

    for (int64_t c = 0; c < s->n_classes; c++)
        if (s->remainder[c] == value) members[tied++] = c;
    orr_numpy_permutation(rng, s->order, tied);
    if (need > tied) need = tied;
    for (int64_t j = 0; j < need; j++)
        drawn[members[s->order[j]]]++;
    return need;
}

/* _approximate_mode: how many of "draws" rows come from class c, which has available[c]. */
static void approximate_mode(strata *s, const int64_t *available, int64_t draws,
                             orr_numpy_random *rng, int64_t *drawn)
{
    int64_t total = 0, need = draws;
    double value = 2; /* above every remainder */

    for (int64_t c = 0; c < s->n_classes; c++)
        total += available[c];
    for (int64_t c = 0; c < s->n_classes; c++) {
        double expected = (double)available[c] / (double)total * (double)draws;
        drawn[c] = (int64_t)floor(expected);
        s->remainder[c] = expected - floor(expected);
        need -= drawn[c];
    }
    while (need > 0 && (value = next_value(s->remainder, s->n_classes, value)) >= 0)
        need -= add_tied(s, value, need, rng, drawn);
}

/* Rows per class, in the order in which they are drawn: train, then test from what is left. */
static void share_out(strata *s, int64_t n_train, int64_t n_test, orr_numpy_random *rng)
{
    approximate_mode(s, s->count, n_train, rng, s->train);
    for (int64_t c = 0; c < s->n_classes; c++)
        s->count[c] -= s->train[c];
    approximate_mode(s, s->count, n_test, rng, s->test);
    for (int64_t c = 0; c < s->n_classes; c++)
        s->count[c] += s->train[c];
}

/* Fills train and test class by class, each class in an order of its own, then shuffles both. */
static void deal(strata *s, orr_numpy_random *rng, int64_t *train, int64_t *n_train, int64_t *test,
                 int64_t *n_test)
{
    const int64_t *rows = s->rows;

    *n_train = *n_test = 0;
    for (int64_t c = 0; c < s->n_classes; rows += s->count[c++]) {
        orr_numpy_permutation(rng, s->order, s->count[c]);
        for (int64_t i = 0; i < s->count[c]; i++) {
            int64_t row = rows[s->order[i]];
            if (i < s->train[c])
                train[(*n_train)++] = row;
            else if (i < s->train[c] + s->test[c])
                test[(*n_test)++] = row;
        }
    }
    orr_numpy_shuffle(rng, train, *n_train);
    orr_numpy_shuffle(rng, test, *n_test);
}

static orr_status check_classes(const strata *s, int64_t n_train, int64_t n_test)
{
    for (int64_t c = 0; c < s->n_classes; c++)
        if (s->count[c] < 2)
            return orr_fail(ORR_ERR_ARG,
                            "split: class %d has a single row, and needs one for each part",
                            (int)s->labels[c]);
    if (n_train < s->n_classes || n_test < s->n_classes)
        return orr_fail(ORR_ERR_ARG, "split: %lld %s rows are fewer than the %lld classes",
                        (long long)(n_test < s->n_classes ? n_test : n_train),
                        n_test < s->n_classes ? "test" : "training", (long long)s->n_classes);
    return ORR_OK;
}

static orr_status split_stratified(const int32_t *labels, int64_t n, orr_numpy_random *rng,
                                   int64_t *train, int64_t *n_train, int64_t *test, int64_t *n_test)
{
    orr_status st = ORR_OK;
    strata s = { .n_classes = 0 };

    ORR_TRY_GOTO(st, done, strata_create(&s, labels, n));
    ORR_TRY_GOTO(st, done, check_classes(&s, *n_train, *n_test));
    share_out(&s, *n_train, *n_test, rng);
    deal(&s, rng, train, n_train, test, n_test);
done:
    strata_destroy(&s);
    return st;
}

static orr_status split_plain(int64_t n, orr_numpy_random *rng, int64_t *train, int64_t n_train,
                              int64_t *test, int64_t n_test)
{
    int64_t *order = orr_alloc((size_t)n, sizeof *order);

    if (!order) return no_memory(n);
    orr_numpy_permutation(rng, order, n);
    memcpy(test, order, (size_t)n_test * sizeof *test);
    memcpy(train, order + n_test, (size_t)n_train * sizeof *train);
    orr_free(order);
    return ORR_OK;
}

orr_status orr_train_test_split(const int32_t *labels, int64_t n, double test_size, uint32_t seed,
                                int64_t *train, int64_t *n_train, int64_t *test, int64_t *n_test)
{
    orr_status st;
    orr_numpy_random rng;

    *n_train = *n_test = 0;
    if (!(test_size > 0 && test_size < 1))
        return orr_fail(ORR_ERR_ARG, "split: test_size %g is not between 0 and 1", test_size);
    if (n < 2 || ceil(test_size * (double)n) >= (double)n)
        return orr_fail(ORR_ERR_ARG, "split: test_size %g of %lld rows leaves none for training",
                        test_size, (long long)n);
    orr_numpy_seed(&rng, seed);
    *n_test = (int64_t)ceil(test_size * (double)n);
    *n_train = n - *n_test;
    if (labels)
        st = split_stratified(labels, n, &rng, train, n_train, test, n_test);
    else
        st = split_plain(n, &rng, train, *n_train, test, *n_test);
    if (st != ORR_OK) *n_train = *n_test = 0;
    return st;
}
