/* stats/kfold.c - scikit-learn's KFold, StratifiedKFold, GroupKFold and StratifiedGroupKFold, row
 * for row.  Sources: scikit-learn 1.2.1 and 1.9.1, model_selection/_split.py; numpy 1.24 for the
 * order that argsort gives to ties (introsort: Musser, Software: Practice and Experience 27 (1997))
 * and for the order in which it adds up.  A fold of the last kind is chosen by comparing doubles,
 * so that each rounding counts. */
#include "stats/kfold.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>

enum { DIGIT = 11, DIGITS = 1 << DIGIT, AHEAD = 32 };

typedef struct item {
    uint64_t key;
    int64_t value;
} item;

/* ---- names of classes and groups as numbers from 0, by sorting: any names at all, in a time that
 * does not go by how many there are ---- */
static orr_status no_memory(int64_t n)
{
    return orr_fail(ORR_ERR_NOMEM, "folds: no memory for %lld rows", (long long)n);
}

/* One pass: by the digit at "shift", those of equal digit in the order they had. */
static void sort_by_digit(const item *from, item *to, int64_t n, int shift)
{
    int64_t place[DIGITS] = { 0 }, sum = 0;

    for (int64_t i = 0; i < n; i++)
        place[from[i].key >> shift & (DIGITS - 1)]++;
    for (int d = 0; d < DIGITS; d++) {
        int64_t count = place[d];
        place[d] = sum;
        sum += count;
    }
    for (int64_t i = 0; i < n; i++)
        to[place[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
}

/* By rising key, stable.  Answers which of the two, items or spare, holds the result. */
static item *sort_items(item *items, item *spare, int64_t n)
{
    uint64_t differ = 0;

    for (int64_t i = 1; i < n; i++)
        differ |= items[i].key ^ items[0].key;
    for (int shift = 0; shift < 64; shift += DIGIT) {
        item *sorted = spare;

        if (!(differ >> shift & (DIGITS - 1))) continue;
        sort_by_digit(items, sorted, n, shift);
        spare = items;
        items = sorted;
    }
    return items;
}

/* Names within a narrow range: a table of which there are. */
static orr_status rank_narrow(int64_t *name, int64_t n, int64_t low, int64_t span, int64_t *n_names)
{
    int64_t *rank = orr_alloc((size_t)span + 1, sizeof *rank);

    if (!rank) return no_memory(n);
    for (int64_t i = 0; i < n; i++)
        rank[name[i] - low] = 1;
    *n_names = 0;
    for (int64_t v = 0; v <= span; v++)
        if (rank[v]) rank[v] = (*n_names)++;
    for (int64_t i = 0; i < n; i++)
        name[i] = rank[name[i] - low];
    orr_free(rank);
    return ORR_OK;
}

static orr_status rank_wide(int64_t *name, int64_t n, int64_t low, int64_t *n_names)
{
    item *items = orr_alloc((size_t)n, sizeof *items), *spare = orr_alloc((size_t)n, sizeof *spare);
    item *sorted;
    int64_t rank = 0;

    if (!items || !spare) {
        orr_free(items);
        orr_free(spare);
        return no_memory(n);
    }
    for (int64_t i = 0; i < n; i++)
        items[i] = (item){ (uint64_t)name[i] - (uint64_t)low, i };
    sorted = sort_items(items, spare, n);
    for (int64_t i = 0; i < n; i++) {
        rank += i > 0 && sorted[i].key != sorted[i - 1].key;
        name[sorted[i].value] = rank;
    }
    *n_names = rank + 1;
    orr_free(items);
    orr_free(spare);
    return ORR_OK;
}

/* numpy.unique's inverse: each name becomes its rank, 0 .. *n_names-1, among the distinct ones. */
static orr_status rank_names(int64_t *name, int64_t n, int64_t *n_names)
{
    int64_t low = name[0], high = name[0];
    uint64_t span;

    for (int64_t i = 1; i < n; i++) {
        low = name[i] < low ? name[i] : low;
        high = name[i] > high ? name[i] : high;
    }
    span = (uint64_t)high - (uint64_t)low;
    if (span <= 2 * (uint64_t)n) return rank_narrow(name, n, low, (int64_t)span, n_names);
    return rank_wide(name, n, low, n_names);
}

/* (*class_of)[i]: the rank, 0 .. *n_classes - 1, of row i's label among the distinct ones, as
 * numpy.unique's inverse.  For the caller to free, also after a failure. */
static orr_status rank_labels(const int32_t *labels, int64_t n, int64_t **class_of,
                              int64_t *n_classes)
{
    if (!(*class_of = orr_alloc((size_t)n, sizeof **class_of))) return no_memory(n);
    for (int64_t i = 0; i < n; i++)
        (*class_of)[i] = labels[i];
    return rank_names(*class_of, n, n_classes);
}

/* The same for groups, of which k folds need k. */
static orr_status rank_groups(const int64_t *groups, int64_t n, int k, int64_t **group_of,
                              int64_t *n_groups)
{
    if (!(*group_of = orr_alloc((size_t)n, sizeof **group_of))) return no_memory(n);
    memcpy(*group_of, groups, (size_t)n * sizeof *groups);
    ORR_TRY(rank_names(*group_of, n, n_groups));
    if (*n_groups == 1)
        return orr_fail(ORR_ERR_ARG,
                        "folds: one group spans all %lld rows, and a group stays in one fold: "
                        "%d folds need a column of groups with at least %d values",
                        (long long)n, k, k);
    if (*n_groups < k)
        return orr_fail(ORR_ERR_ARG,
                        "folds: %lld groups cannot fill %d folds, as a group stays in one fold: "
                        "use at most %lld folds",
                        (long long)*n_groups, k, (long long)*n_groups);
    return ORR_OK;
}

/* The label of class c, which is there. */
static int label_of(const int32_t *labels, const int64_t *class_of, int64_t c)
{
    int64_t row = 0;

    while (class_of[row] != c)
        row++;
    return labels[row];
}

/* Rows of each of the n_ids ids, for the caller to free; NULL when there is no memory. */
static int64_t *count_rows(const int64_t *id, int64_t n, int64_t n_ids)
{
    int64_t *count = orr_alloc((size_t)n_ids, sizeof *count);

    for (int64_t i = 0; count && i < n; i++)
        count[id[i]]++;
    return count;
}

/* (*rows)[c]: rows of class c, of which k folds need k; for the caller to free, also after a
 * failure. */
static orr_status class_rows(const int32_t *labels, const int64_t *class_of, int64_t n,
                             int64_t n_classes, int k, int64_t **rows)
{
    int64_t rarest = 0, fewest;

    if (!(*rows = count_rows(class_of, n, n_classes))) return no_memory(n);
    for (int64_t c = 1; c < n_classes; c++)
        if ((*rows)[c] < (*rows)[rarest]) rarest = c;
    fewest = (*rows)[rarest];
    if (fewest >= k) return ORR_OK;
    return orr_fail(ORR_ERR_ARG,
                    "folds: class %d has %lld row%s, and %d folds need one each: use fewer folds "
                    "or leave the class out",
                    label_of(labels, class_of, rarest), (long long)fewest, fewest == 1 ? "" : "s",
                    k);
}

/* ---- rows, classes, groups ---- */
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
        if (!(order = orr_alloc((size_t)n, sizeof *order))) return no_memory(n);
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

    if (!number) return no_memory(n);
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

    ORR_TRY_GOTO(st, done, rank_labels(labels, n, &class_of, &n_classes));
    ORR_TRY_GOTO(st, done, number_by_appearance(class_of, n, n_classes));
    ORR_TRY_GOTO(st, done, class_rows(labels, class_of, n, n_classes, o->k, &count));
    if (!(lots = orr_alloc((size_t)n, sizeof *lots))) {
        st = no_memory(n);
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

static orr_status stable_argsort(const int64_t *v, int64_t *order, int64_t n)
{
    item *items = orr_alloc((size_t)n, sizeof *items), *spare = orr_alloc((size_t)n, sizeof *spare);
    const item *sorted;
    orr_status st = items && spare ? ORR_OK : no_memory(n);

    for (int64_t i = 0; st == ORR_OK && i < n; i++)
        items[i] = (item){ (uint64_t)v[i], i };
    sorted = st == ORR_OK ? sort_items(items, spare, n) : NULL;
    for (int64_t i = 0; sorted && i < n; i++)
        order[i] = sorted[i].value;
    orr_free(items);
    orr_free(spare);
    return st;
}

/* Groups by rising number of rows. */
static orr_status sort_groups(int64_t *order, const int64_t *rows, int64_t n_groups,
                              orr_sklearn like)
{
    if (like == ORR_SKLEARN_1_9) return stable_argsort(rows, order, n_groups);
    for (int64_t g = 0; g < n_groups; g++)
        order[g] = g;
    numpy_argsort(rows, order, order + n_groups - 1,
                  2 * (63 - __builtin_clzll((uint64_t)n_groups)));
    return ORR_OK;
}

/* From the last group of the order on, each to the fold that has the fewest rows so far. */
static void deal_groups(int32_t *to, const int64_t *order, const int64_t *rows, int64_t n_groups,
                        int64_t *load, int k)
{
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

    ORR_TRY_GOTO(st, done, rank_groups(groups, n, o->k, &group_of, &n_groups));
    if (!(rows = count_rows(group_of, n, n_groups)) ||
        !(order = orr_alloc((size_t)n_groups, sizeof *order)) ||
        !(load = orr_alloc((size_t)o->k, sizeof *load)) ||
        !(to = orr_alloc((size_t)n_groups, sizeof *to))) {
        st = no_memory(n);
        goto done;
    }
    if (o->shuffle) {
        orr_numpy_permutation(rng, order, n_groups);
        cut(to, order, n_groups, o->k);
    } else {
        ORR_TRY_GOTO(st, done, sort_groups(order, rows, n_groups, o->like));
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

/* ---- groups, stratified ---- */
/* Which classes the groups hold, and how the folds stand while groups are dealt out. */
typedef struct balance {
    int64_t n, n_classes, n_groups;
    int k;
    int64_t *class_of;   /* [n] */
    int64_t *group_of;   /* [n] */
    int64_t *start;      /* [n_groups + 1] into classes */
    int64_t *classes;    /* [n] of the rows of group 0, then of group 1 ... */
    item *order, *spare; /* [n_groups] value: group */
    int32_t *to;         /* [n_groups] fold of the group */
    double *rows;        /* [n_classes] rows of the class in the group at hand, else 0 */
    int64_t *touched;    /* [n_classes] the classes of the group at hand */
    int64_t *total;      /* [n_classes] rows of the class */
    double *held;        /* [n_classes][k] rows of the class in the fold */
    double *share;       /* [n_classes][k] held / total */
    double *uneven;      /* [k][n_classes] deviation of the shares, if fold f took the group */
    double *load;        /* [k] rows in the fold */
    double *scratch;     /* [max(n_classes, 3 k)] */
} balance;

static void balance_destroy(balance *b)
{
    orr_free(b->class_of);
    orr_free(b->group_of);
    orr_free(b->start);
    orr_free(b->classes);
    orr_free(b->order);
    orr_free(b->spare);
    orr_free(b->to);
    orr_free(b->rows);
    orr_free(b->touched);
    orr_free(b->total);
    orr_free(b->held);
    orr_free(b->share);
    orr_free(b->uneven);
    orr_free(b->load);
    orr_free(b->scratch);
}

static orr_status balance_create(balance *b, const int32_t *labels, const int64_t *groups)
{
    size_t c, g, k = (size_t)b->k;

    ORR_TRY(rank_groups(groups, b->n, b->k, &b->group_of, &b->n_groups));
    ORR_TRY(rank_labels(labels, b->n, &b->class_of, &b->n_classes));
    ORR_TRY(class_rows(labels, b->class_of, b->n, b->n_classes, b->k, &b->total));
    c = (size_t)b->n_classes;
    g = (size_t)b->n_groups;
    if (!(b->start = orr_alloc(g + 1, sizeof *b->start)) ||
        !(b->classes = orr_alloc((size_t)b->n, sizeof *b->classes)) ||
        !(b->order = orr_alloc(g, sizeof *b->order)) ||
        !(b->spare = orr_alloc(g, sizeof *b->spare)) || !(b->to = orr_alloc(g, sizeof *b->to)) ||
        !(b->rows = orr_alloc(c, sizeof *b->rows)) ||
        !(b->touched = orr_alloc(c, sizeof *b->touched)) ||
        !(b->held = orr_alloc(c * k, sizeof *b->held)) ||
        !(b->share = orr_alloc(c * k, sizeof *b->share)) ||
        !(b->uneven = orr_alloc(c * k, sizeof *b->uneven)) ||
        !(b->load = orr_alloc(k, sizeof *b->load)) ||
        !(b->scratch = orr_alloc(c > 3 * k ? c : 3 * k, sizeof *b->scratch)))
        return no_memory(b->n);
    for (int64_t i = 0; i < b->n; i++)
        b->start[b->group_of[i] + 1]++;
    for (int64_t j = 0; j < b->n_groups; j++)
        b->start[j + 1] += b->start[j];
    for (int64_t i = 0; i < b->n; i++)
        b->classes[b->start[b->group_of[i]]++] = b->class_of[i];
    memmove(b->start + 1, b->start, g * sizeof *b->start); /* each start had become its end */
    b->start[0] = 0;
    return ORR_OK;
}

/* Sets rows[] to what group g holds; answers how many classes are in touched[]. */
static int64_t take_up(balance *b, int64_t g)
{
    int64_t n_touched = 0;

    for (int64_t i = b->start[g]; i < b->start[g + 1]; i++)
        if (b->rows[b->classes[i]]++ == 0) b->touched[n_touched++] = b->classes[i];
    return n_touched;
}

static void put_down(balance *b, int64_t n_touched)
{
    for (int64_t j = 0; j < n_touched; j++)
        b->rows[b->touched[j]] = 0;
}

/* numpy's sum of numbers that lie side by side. */
static double pairwise_sum(const double *x, int64_t n)
{
    double sum[8] = { 0 }, all = 0;
    int64_t i = 0;

    if (n > 128) {
        int64_t half = n / 2 - n / 2 % 8;
        return pairwise_sum(x, half) + pairwise_sum(x + half, n - half);
    }
    if (n >= 8) {
        for (; i < n - n % 8; i += 8)
            for (int j = 0; j < 8; j++)
                sum[j] += x[i + j];
        all = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
    }
    for (; i < n; i++)
        all += x[i];
    return all;
}

/* numpy.std of numbers that lie side by side; squares: scratch of n. */
static double deviation(const double *x, int64_t n, double *squares)
{
    double mean = pairwise_sum(x, n) / (double)n;

    for (int64_t i = 0; i < n; i++)
        squares[i] = (x[i] - mean) * (x[i] - mean);
    return sqrt(pairwise_sum(squares, n) / (double)n);
}

/* Groups by falling deviation of their counts of classes, those of equal one in (drawn) order. */
static void order_groups(balance *b, orr_numpy_random *rng, int64_t *drawn)
{
    item *sorted;

    for (int64_t g = 0; g < b->n_groups; g++) {
        int64_t n_touched = take_up(b, g);
        double d = deviation(b->rows, b->n_classes, b->scratch);
        uint64_t bits; /* of a double that is not negative: they rise with it */

        put_down(b, n_touched);
        memcpy(&bits, &d, sizeof bits);
        b->spare[g] = (item){ ~bits, g };
    }
    if (drawn) orr_numpy_permutation(rng, drawn, b->n_groups);
    for (int64_t j = 0; j < b->n_groups; j++)
        b->order[j] = b->spare[drawn ? drawn[j] : j];
    sorted = sort_items(b->order, b->spare, b->n_groups);
    if (sorted == b->spare) {
        b->spare = b->order;
        b->order = sorted;
    }
}

/* With a single class numpy finds the shares of the folds side by side. */
static void weigh_only_class(balance *b)
{
    for (int f = 0; f < b->k; f++) {
        double kept = b->share[f];

        b->share[f] = (b->held[f] + b->rows[0]) / (double)b->total[0];
        b->uneven[f] = deviation(b->share, b->k, b->scratch);
        b->share[f] = kept;
    }
}

/* uneven[f][c] for a class that the group at hand holds: only its shares would change.  numpy adds
 * up over the folds one after the other; here for all f at once, where f's own share is another. */
static void weigh_class(balance *b, int64_t c)
{
    const double *held = b->held + c * b->k, *share = b->share + c * b->k;
    double *mean = b->scratch, *own = mean + b->k, *sum = own + b->k, n = b->k;

    for (int f = 0; f < b->k; f++) {
        own[f] = (held[f] + b->rows[c]) / (double)b->total[c];
        mean[f] = sum[f] = 0;
    }
    for (int j = 0; j < b->k; j++) {
        double with_own = mean[j] + own[j];

        for (int f = 0; f < b->k; f++)
            mean[f] += share[j];
        mean[j] = with_own;
    }
    for (int f = 0; f < b->k; f++)
        mean[f] /= n;
    for (int j = 0; j < b->k; j++) {
        double with_own = sum[j] + (own[j] - mean[j]) * (own[j] - mean[j]);

        for (int f = 0; f < b->k; f++)
            sum[f] += (share[j] - mean[f]) * (share[j] - mean[f]);
        sum[j] = with_own;
    }
    for (int f = 0; f < b->k; f++)
        b->uneven[f * b->n_classes + c] = sqrt(sum[f] / n);
}

/* scikit-learn's _find_best_fold: the most even shares; about as even, the fewer rows. */
static int best_fold(const balance *b)
{
    int best = 0;
    double least = INFINITY, fewest = INFINITY;

    for (int f = 0; f < b->k; f++) {
        double mean =
            pairwise_sum(b->uneven + f * b->n_classes, b->n_classes) / (double)b->n_classes;
        int close = fabs(mean - least) <= 1e-8 + 1e-5 * least;

        if (mean < least || (close && b->load[f] < fewest)) {
            best = f;
            least = mean;
            fewest = b->load[f];
        }
    }
    return best;
}

static void give(balance *b, int64_t n_touched, int best)
{
    for (int64_t j = 0; j < n_touched; j++) {
        int64_t c = b->touched[j], at = c * b->k + best;

        b->held[at] += b->rows[c];
        b->share[at] = b->held[at] / (double)b->total[c];
        b->load[best] += b->rows[c];
        for (int f = 0; f < b->k; f++)
            b->uneven[f * b->n_classes + c] = b->uneven[best * b->n_classes + c];
    }
}

/* Groups come in an order that jumps about memory, and so what the next AHEAD of them need is asked
 * for first: in here, as gcc drops calls of a function that does nothing else. */
static void deal_balanced(balance *b)
{
    for (int64_t i = 0; i < b->n_groups; i++) {
        int64_t end = i % AHEAD ? i : i + AHEAD, g = b->order[i].value, n_touched;

        if (end > b->n_groups) end = b->n_groups;
        for (int64_t j = i; j < end; j++) {
            __builtin_prefetch(&b->start[b->order[j].value]);
            __builtin_prefetch(&b->to[b->order[j].value], 1);
        }
        for (int64_t j = i; j < end; j++)
            __builtin_prefetch(&b->classes[b->start[b->order[j].value]]);
        n_touched = take_up(b, g);
        if (b->n_classes == 1) weigh_only_class(b);
        for (int64_t j = 0; j < n_touched && b->n_classes > 1; j++)
            weigh_class(b, b->touched[j]);
        b->to[g] = best_fold(b);
        give(b, n_touched, b->to[g]);
        put_down(b, n_touched);
    }
}

static int64_t groups_with(const balance *b, int64_t c)
{
    int64_t count = 0;

    for (int64_t g = 0; g < b->n_groups; g++)
        for (int64_t i = b->start[g]; i < b->start[g + 1]; i++)
            if (b->classes[i] == c) {
                count++;
                break;
            }
    return count;
}

static orr_status check_folds(const balance *b, const int32_t *labels)
{
    for (int64_t at = 0; at < b->n_classes * b->k; at++) {
        int64_t c = at / b->k, n_groups;

        if (b->held[at] > 0) continue;
        n_groups = groups_with(b, c);
        return orr_fail(ORR_ERR_ARG,
                        "folds: fold %d of %d, counted from 0, got no row of class %d, which is in "
                        "%lld group%s: use fewer folds or leave the class out",
                        (int)(at % b->k), b->k, label_of(labels, b->class_of, c),
                        (long long)n_groups, n_groups == 1 ? "" : "s");
    }
    return ORR_OK;
}

/* scikit-learn 1.2 shuffles the groups' counts and not their names: a group gets the fold that was
 * dealt to another. */
static orr_status mix_up(balance *b, const int64_t *drawn)
{
    int32_t *to = orr_alloc((size_t)b->n_groups, sizeof *to);

    if (!to) return no_memory(b->n);
    for (int64_t g = 0; g < b->n_groups; g++)
        to[g] = b->to[drawn[g]];
    orr_free(b->to);
    b->to = to;
    for (int64_t at = 0; at < b->n_classes * b->k; at++)
        b->held[at] = 0;
    for (int64_t i = 0; i < b->n; i++)
        b->held[b->class_of[i] * b->k + to[b->group_of[i]]]++;
    return ORR_OK;
}

static orr_status fold_balanced(int32_t *fold, int64_t n, const int32_t *labels,
                                const int64_t *groups, const orr_kfold_opts *o,
                                orr_numpy_random *rng)
{
    orr_status st = ORR_OK;
    balance b = { .n = n, .k = o->k };
    int64_t *drawn = NULL;

    ORR_TRY_GOTO(st, done, balance_create(&b, labels, groups));
    if (o->shuffle && !(drawn = orr_alloc((size_t)b.n_groups, sizeof *drawn))) {
        st = no_memory(n);
        goto done;
    }
    order_groups(&b, rng, drawn);
    deal_balanced(&b);
    if (drawn && o->like == ORR_SKLEARN_1_2) ORR_TRY_GOTO(st, done, mix_up(&b, drawn));
    ORR_TRY_GOTO(st, done, check_folds(&b, labels));
    for (int64_t i = 0; i < n; i++)
        fold[i] = b.to[b.group_of[i]];
done:
    orr_free(drawn);
    balance_destroy(&b);
    return st;
}

/* ---- which of them ---- */
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
    if (o->kind == ORR_FOLDS_GROUP && o->shuffle && o->like == ORR_SKLEARN_1_2)
        return orr_fail(ORR_ERR_ARG, "folds: GroupKFold of scikit-learn 1.2 does not shuffle; that "
                                     "of 1.9 does");
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
        return fold_balanced(fold, n, labels, groups, o, rng);
    }
    return orr_fail(ORR_ERR_ARG, "folds: %d is not a kind of folds", (int)o->kind);
}
