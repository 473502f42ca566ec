/* stats/kfold_balance.c - scikit-learn's StratifiedGroupKFold, row for row.
 * Sources: scikit-learn 1.9.1, model_selection/_split.py; numpy 1.24 for the order in which it adds
 * up.  A fold is chosen by comparing doubles, so that each rounding counts. */
#include "stats/kfold_part.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>

enum { AHEAD = 32 };

/* Which classes the groups hold, and how the folds stand while groups are dealt out. */
typedef struct balance {
    int64_t n, n_classes, n_groups;
    int k;
    int64_t *class_of;             /* [n] */
    int64_t *group_of;             /* [n] */
    int64_t *start;                /* [n_groups + 1] into classes */
    int64_t *classes;              /* [n] of the rows of group 0, then of group 1 ... */
    orr_kfold_item *order, *spare; /* [n_groups] value: group */
    int32_t *to;                   /* [n_groups] fold of the group */
    double *rows;                  /* [n_classes] rows of the class in the group at hand, else 0 */
    int64_t *touched;              /* [n_classes] the classes of the group at hand */
    int64_t *total;                /* [n_classes] rows of the class */
    double *held;                  /* [n_classes][k] rows of the class in the fold */
    double *share;                 /* [n_classes][k] held / total */
    double *uneven;  /* [k][n_classes] deviation of the shares, if fold f took the group */
    double *load;    /* [k] rows in the fold */
    double *scratch; /* [max(n_classes, 3 k)] */
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

    ORR_TRY(orr_kfold_groups(groups, b->n, b->k, &b->group_of, &b->n_groups));
    ORR_TRY(orr_kfold_labels(labels, b->n, &b->class_of, &b->n_classes));
    ORR_TRY(orr_kfold_class_rows(labels, b->class_of, b->n, b->n_classes, b->k, &b->total));
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
        return orr_kfold_no_memory(b->n);
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
    orr_kfold_item *sorted;

    for (int64_t g = 0; g < b->n_groups; g++) {
        int64_t n_touched = take_up(b, g);
        double d = deviation(b->rows, b->n_classes, b->scratch);
        uint64_t bits; /* of a double that is not negative: they rise with it */

        put_down(b, n_touched);
        memcpy(&bits, &d, sizeof bits);
        b->spare[g] = (orr_kfold_item){ ~bits, g };
    }
    if (drawn) orr_numpy_permutation(rng, drawn, b->n_groups);
    for (int64_t j = 0; j < b->n_groups; j++)
        b->order[j] = b->spare[drawn ? drawn[j] : j];
    sorted = orr_kfold_sort(b->order, b->spare, b->n_groups);
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
                        (int)(at % b->k), b->k, orr_kfold_label(labels, b->class_of, c),
                        (long long)n_groups, n_groups == 1 ? "" : "s");
    }
    return ORR_OK;
}

orr_status orr_kfold_balanced(int32_t *fold, int64_t n, const int32_t *labels,
                              const int64_t *groups, const orr_kfold_opts *o, orr_numpy_random *rng)
{
    orr_status st = ORR_OK;
    balance b = { .n = n, .k = o->k };
    int64_t *drawn = NULL;

    ORR_TRY_GOTO(st, done, balance_create(&b, labels, groups));
    if (o->shuffle && !(drawn = orr_alloc((size_t)b.n_groups, sizeof *drawn))) {
        st = orr_kfold_no_memory(n);
        goto done;
    }
    order_groups(&b, rng, drawn);
    deal_balanced(&b);
    ORR_TRY_GOTO(st, done, check_folds(&b, labels));
    for (int64_t i = 0; i < n; i++)
        fold[i] = b.to[b.group_of[i]];
done:
    orr_free(drawn);
    balance_destroy(&b);
    return st;
}
