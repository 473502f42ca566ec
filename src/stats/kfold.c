/* stats/kfold.c - scikit-learn's KFold, StratifiedKFold and GroupKFold, row for row.
 * Sources: scikit-learn 1.2.1 and (GroupKFold with shuffle) 1.9.1, model_selection/_split.py; numpy
 * 1.24 for the order that argsort gives to ties (introsort: Musser, Software: Practice and
 * Experience 27 (1997)). */
#include "stats/kfold_part.h"

#include "core/memory.h"

/* Cuts 0 .. n-1, or a permutation of them, into k runs, the first n % k of them one longer. */
static void cut(int32_t *fold, const int64_t *order, int64_t n, int k)
{
    int64_t at = 0;

    for (int f = 0; f < k; f++)
        for (int64_t left = n / k + (f < n % k); left > 0; left--, at++)
            fold[order ? order[at] : at] = f;
}

static orr_status fold_plain(int32_t *fold, int64_t n, const orr_kfold_opts *o,
                             orr_numpy_random *rng)
{
    int64_t *order = NULL;

    if (o->shuffle) {
        if (!(order = orr_alloc((size_t)n, sizeof *order))) return orr_kfold_no_memory(n);
        orr_numpy_permutation(rng, order, n);
    }
    cut(fold, order, n, o->k);
    orr_free(order);
    return ORR_OK;
}

/* scikit-learn numbers classes by the row in which each appears first: the shares that do not come
 * out even go by it, and so does the order of draws. */
static orr_status number_by_appearance(int64_t *class_of, int64_t n, int64_t n_classes)
{
    int64_t *number = orr_alloc((size_t)n_classes, sizeof *number), seen = 0;

    if (!number) return orr_kfold_no_memory(n);
    for (int64_t i = 0; i < n; i++) {
        if (!number[class_of[i]]) number[class_of[i]] = ++seen;
        class_of[i] = number[class_of[i]] - 1;
    }
    orr_free(number);
    return ORR_OK;
}

/* How many of the numbers start .. end-1 leave the remainder f when divided by k. */
static int64_t with_remainder(int64_t start, int64_t end, int f, int k)
{
    int64_t below_start = start > f ? (start - f - 1) / k + 1 : 0;
    int64_t below_end = end > f ? (end - f - 1) / k + 1 : 0;

    return below_end - below_start;
}

/* lots: the folds of the rows of class 0, then of class 1 ..., as if rows sorted by class were
 * dealt out one by one.  count[c] becomes the place of the first lot of class c. */
static void draw_lots(int64_t *lots, int64_t *count, int64_t n_classes, const orr_kfold_opts *o,
                      orr_numpy_random *rng)
{
    int64_t start = 0;

    for (int64_t c = 0; c < n_classes; c++) {
        int64_t end = start + count[c], at = start;

        for (int f = 0; f < o->k; f++)
            for (int64_t left = with_remainder(start, end, f, o->k); left > 0; left--)
                lots[at++] = f;
        if (o->shuffle) orr_numpy_shuffle(rng, lots + start, end - start);
        count[c] = start;
        start = end;
    }
}

static orr_status fold_stratified(int32_t *fold, int64_t n, const int32_t *labels,
                                  const orr_kfold_opts *o, orr_numpy_random *rng)
{
    orr_status st = ORR_OK;
    int64_t *class_of = NULL, *count = NULL, *lots = NULL, n_classes = 0;

    ORR_TRY_GOTO(st, done, orr_kfold_labels(labels, n, &class_of, &n_classes));
    ORR_TRY_GOTO(st, done, number_by_appearance(class_of, n, n_classes));
    ORR_TRY_GOTO(st, done, orr_kfold_class_rows(labels, class_of, n, n_classes, o->k, &count));
    if (!(lots = orr_alloc((size_t)n, sizeof *lots))) {
        st = orr_kfold_no_memory(n);
        goto done;
    }
    draw_lots(lots, count, n_classes, o, rng);
    for (int64_t i = 0; i < n; i++)
        fold[i] = (int32_t)lots[count[class_of[i]]++];
done:
    orr_free(class_of);
    orr_free(count);
    orr_free(lots);
    return st;
}

static void swap(int64_t *a, int64_t *b)
{
    int64_t kept = *a;

    *a = *b;
    *b = kept;
}

/* Lets "moved" sink into the heap order[1 .. n] from the hole at i. */
static void sink(const int64_t *v, int64_t *order, int64_t n, int64_t i, int64_t moved)
{
    for (int64_t child; (child = 2 * i) <= n; i = child) {
        if (child < n && v[order[child]] < v[order[child + 1]]) child++;
        if (v[moved] >= v[order[child]]) break;
        order[i] = order[child];
    }
    order[i] = moved;
}

static void heap_argsort(const int64_t *v, int64_t *order, int64_t n)
{
    order--; /* a heap counts from 1 */
    for (int64_t i = n / 2; i > 0; i--)
        sink(v, order, n, i, order[i]);
    for (; n > 1; n--) {
        int64_t moved = order[n];
        order[n] = order[1];
        sink(v, order, n - 1, 1, moved);
    }
}

/* Median of three to the place before the last, as a sentinel; answers where the pivot ends. */
static int64_t *partition(const int64_t *v, int64_t *first, int64_t *last)
{
    int64_t *middle = first + (last - first) / 2, *i = first, *j = last - 1, pivot;

    if (v[*middle] < v[*first]) swap(middle, first);
    if (v[*last] < v[*middle]) swap(last, middle);
    if (v[*middle] < v[*first]) swap(middle, first);
    pivot = v[*middle];
    swap(middle, j);
    for (;;) {
        while (v[*++i] < pivot)
            ;
        while (pivot < v[*--j])
            ;
        if (i >= j) break;
        swap(i, j);
    }
    swap(i, last - 1);
    return i;
}

static void insertion_argsort(const int64_t *v, int64_t *first, const int64_t *last)
{
    for (int64_t *i = first + 1; i <= last; i++) {
        int64_t moved = *i, *j = i;

        for (; j > first && v[moved] < v[j[-1]]; j--)
            *j = j[-1];
        *j = moved;
    }
}

/* numpy's argsort of integers, which leaves ties in an order of its own.  depth is looked at when a
 * part is taken up, and falls with each cut, whatever the sizes: so does numpy's. */
static void numpy_argsort(const int64_t *v, int64_t *first, int64_t *last, int depth)
{
    if (depth < 0) {
        heap_argsort(v, first, last - first + 1);
        return;
    }
    while (last - first > 15) {
        int64_t *pivot = partition(v, first, last);

        depth--;
        if (pivot - first < last - pivot) {
            numpy_argsort(v, pivot + 1, last, depth);
            last = pivot - 1;
        } else {
            numpy_argsort(v, first, pivot - 1, depth);
            first = pivot + 1;
        }
    }
    insertion_argsort(v, first, last);
}

/* Groups by falling number of rows, each to the fold that has the fewest so far. */
static void deal_groups(int32_t *to, int64_t *order, const int64_t *rows, int64_t n_groups,
                        int64_t *load, int k)
{
    for (int64_t g = 0; g < n_groups; g++)
        order[g] = g;
    numpy_argsort(rows, order, order + n_groups - 1,
                  2 * (63 - __builtin_clzll((uint64_t)n_groups)));
    for (int64_t g = n_groups - 1; g >= 0; g--) {
        int lightest = 0;

        for (int f = 1; f < k; f++)
            if (load[f] < load[lightest]) lightest = f;
        load[lightest] += rows[order[g]];
        to[order[g]] = lightest;
    }
}

static orr_status fold_groups(int32_t *fold, int64_t n, const int64_t *groups,
                              const orr_kfold_opts *o, orr_numpy_random *rng)
{
    orr_status st = ORR_OK;
    int64_t *group_of = NULL, *rows = NULL, *order = NULL, *load = NULL, n_groups = 0;
    int32_t *to = NULL;

    ORR_TRY_GOTO(st, done, orr_kfold_groups(groups, n, o->k, &group_of, &n_groups));
    if (!(rows = orr_kfold_count(group_of, n, n_groups)) ||
        !(order = orr_alloc((size_t)n_groups, sizeof *order)) ||
        !(load = orr_alloc((size_t)o->k, sizeof *load)) ||
        !(to = orr_alloc((size_t)n_groups, sizeof *to))) {
        st = orr_kfold_no_memory(n);
        goto done;
    }
    if (o->shuffle) {
        orr_numpy_permutation(rng, order, n_groups);
        cut(to, order, n_groups, o->k);
    } else {
        deal_groups(to, order, rows, n_groups, load, o->k);
    }
    for (int64_t i = 0; i < n; i++)
        fold[i] = to[group_of[i]];
done:
    orr_free(group_of);
    orr_free(rows);
    orr_free(order);
    orr_free(load);
    orr_free(to);
    return st;
}

static orr_status check_opts(int64_t n, const int32_t *labels, const int64_t *groups,
                             const orr_kfold_opts *o, const orr_numpy_random *rng)
{
    if (n <= 0) return orr_fail(ORR_ERR_ARG, "folds: there are no rows to make %d folds of", o->k);
    if (o->k < 2 || o->k > n)
        return orr_fail(ORR_ERR_ARG,
                        "folds: %d folds of %lld row%s: take 2 or more, at most one per row", o->k,
                        (long long)n, n == 1 ? "" : "s");
    if (o->shuffle && !rng) return orr_fail(ORR_ERR_ARG, "folds: shuffled without a random state");
    if ((o->kind == ORR_FOLDS_STRATIFIED || o->kind == ORR_FOLDS_STRATIFIED_GROUP) && !labels)
        return orr_fail(ORR_ERR_ARG, "folds: stratified without labels");
    if ((o->kind == ORR_FOLDS_GROUP || o->kind == ORR_FOLDS_STRATIFIED_GROUP) && !groups)
        return orr_fail(ORR_ERR_ARG, "folds: by group without groups");
    return ORR_OK;
}

orr_status orr_kfold(int32_t *fold, int64_t n, const int32_t *labels, const int64_t *groups,
                     const orr_kfold_opts *o, orr_numpy_random *rng)
{
    ORR_TRY(check_opts(n, labels, groups, o, rng));
    switch (o->kind) {
    case ORR_FOLDS_PLAIN:
        return fold_plain(fold, n, o, rng);
    case ORR_FOLDS_STRATIFIED:
        return fold_stratified(fold, n, labels, o, rng);
    case ORR_FOLDS_GROUP:
        return fold_groups(fold, n, groups, o, rng);
    case ORR_FOLDS_STRATIFIED_GROUP:
        return orr_kfold_balanced(fold, n, labels, groups, o, rng);
    }
    return orr_fail(ORR_ERR_ARG, "folds: %d is not a kind of folds", (int)o->kind);
}
