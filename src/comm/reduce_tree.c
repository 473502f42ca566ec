/* comm/reduce_tree.c - the sequence of additions above the segments, and carrying it out block by
 * block. */
#include "comm/reduce_tree.h"

#include "core/memory.h"

#include <string.h>

typedef struct {
    int begin[ORR_MAX_LEAVES], end[ORR_MAX_LEAVES]; /* of each segment, in leaves */
    int at[ORR_MAX_LEAVES];                         /* segment that begins at a leaf */
} run_table;

/* Numbers the segments of all ranks; there are at most as many as leaves. */
static orr_status list_runs(orr_reduce_tree *t, run_table *table)
{
    for (int r = 0; r < t->size; r++) {
        orr_leaf_plan p;
        ORR_TRY(orr_leaf_plan_init(&p, t->n_leaves, r, t->size));
        t->first_segment[r] = t->n_segments;
        for (int i = 0; i < p.n_segments; i++) {
            table->begin[t->n_segments] = p.segment[i];
            table->end[t->n_segments] = p.segment[i + 1];
            table->at[p.segment[i]] = t->n_segments++;
        }
        if (p.n_segments > t->max_segments) t->max_segments = p.n_segments;
    }
    t->first_segment[t->size] = t->n_segments;
    return ORR_OK;
}

/* Steps for the node over leaves [a, b). */
static void list_steps(orr_reduce_tree *t, const run_table *table, int a, int b)
{
    int segment = table->at[a];
    int mid;

    if (table->begin[segment] == a && table->end[segment] == b) {
        t->op[t->n_ops++] = (int16_t)segment;
        return;
    }
    mid = a + orr_leaf_split(b - a);
    list_steps(t, table, a, mid);
    list_steps(t, table, mid, b);
    t->op[t->n_ops++] = -1;
}

orr_status orr_reduce_tree_create(orr_reduce_tree **out, int n_leaves, int size)
{
    orr_status st = ORR_OK;
    orr_reduce_tree *t = orr_alloc(1, sizeof *t);
    run_table *table = orr_alloc(1, sizeof *table);

    *out = NULL;
    if (t && table) {
        t->n_leaves = n_leaves;
        t->size = size;
        t->first_segment = orr_alloc((size_t)size + 1, sizeof *t->first_segment);
        t->op = orr_alloc(2 * (size_t)ORR_MAX_LEAVES, sizeof *t->op);
    }
    if (!t || !table || !t->first_segment || !t->op) {
        st = orr_fail(ORR_ERR_NOMEM, "sum of %d leaves over %d ranks", n_leaves, size);
        goto done;
    }
    ORR_TRY_GOTO(st, done, list_runs(t, table));
    list_steps(t, table, 0, n_leaves);
    *out = t;
    t = NULL;
done:
    orr_free(table);
    orr_reduce_tree_destroy(t);
    return st;
}

void orr_reduce_tree_destroy(orr_reduce_tree *t)
{
    if (!t) return;
    orr_free(t->first_segment);
    orr_free(t->op);
    orr_free(t);
}

/* sum = a + b element by element; sum may be a or b itself, hence no restrict. */
#define DEFINE_FOLD(NAME, TYPE)                                                                    \
    static void NAME##_add(TYPE *sum, const TYPE *a, const TYPE *b, size_t n)                      \
    {                                                                                              \
        _Pragma("GCC ivdep") for (size_t j = 0; j < n; j++) sum[j] = a[j] + b[j];                  \
    }                                                                                              \
    static void NAME(const orr_reduce_tree *t, const void *const *source, TYPE *scratch,           \
                     TYPE *out, size_t first, size_t n)                                            \
    {                                                                                              \
        const TYPE *stack[ORR_TREE_DEPTH] = { out };                                               \
        int top = 0;                                                                               \
        for (int i = 0; i < t->n_ops; i++) {                                                       \
            if (t->op[i] >= 0) {                                                                   \
                stack[top++] = (const TYPE *)source[t->op[i]] + first;                             \
                continue;                                                                          \
            }                                                                                      \
            top--;                                                                                 \
            /* only the last sum goes to out, which may be a source that is still needed before */ \
            TYPE *sum = i + 1 == t->n_ops                                                          \
                            ? out                                                                  \
                            : scratch + (size_t)(top - 1) * (ORR_TREE_BLOCK / sizeof *sum);        \
            NAME##_add(sum, stack[top - 1], stack[top], n);                                        \
            stack[top - 1] = sum;                                                                  \
        }                                                                                          \
        if (stack[0] != out) memcpy(out, stack[0], n * sizeof *out);                               \
    }

DEFINE_FOLD(fold_f32, float)
DEFINE_FOLD(fold_f64, double)

void orr_reduce_tree_fold(const orr_reduce_tree *t, const void *const *source, void *scratch,
                          void *out, size_t n, orr_dtype dt)
{
    size_t block = ORR_TREE_BLOCK / (dt == ORR_F32 ? sizeof(float) : sizeof(double));

    for (size_t first = 0; first < n; first += block) {
        size_t m = n - first < block ? n - first : block;
        if (dt == ORR_F32)
            fold_f32(t, source, scratch, (float *)out + first, first, m);
        else
            fold_f64(t, source, scratch, (double *)out + first, first, m);
    }
}

void orr_reduce_add(void *sum, const void *a, const void *b, size_t n, orr_dtype dt)
{
    if (dt == ORR_F32)
        fold_f32_add(sum, a, b, n);
    else
        fold_f64_add(sum, a, b, n);
}
