/* comm/reduce.c - sums over the leaves of a batch: the public calls, the memory, the fast mode, and
 * sums of a few values. Which way an ordered sum takes (shared memory or messages) changes its
 * speed, never its bits. */
#include "comm/reduce_private.h"

#include "core/memory.h"

#include <string.h>

enum { LEAF_SLOT = ORR_MAX_REDUCTIONS };

/* ---- the reducer of a communicator ---- */

static int on_one_node(const orr_comm *c)
{
    return c->n_nodes == 1 && c->size > 1 && !c->opts.no_shared_reduce;
}

void orr_reducer_destroy(orr_reducer *red)
{
    if (!red) return;
    orr_node_pipe_destroy(red->pipe);
    while (red->trees) {
        orr_reduce_tree *t = red->trees;
        red->trees = t->next;
        orr_reduce_tree_destroy(t);
    }
    orr_free(red->source);
    orr_free(red->scratch);
    orr_free(red->arena);
    orr_free(red->stage);
    orr_free(red->requests);
    orr_free(red->peer);
    orr_free(red->leaf_scratch);
    orr_free(red);
}

static orr_status create_reducer(orr_comm *c)
{
    orr_status st = ORR_OK;
    orr_reducer *red = orr_alloc(1, sizeof *red);

    if (red) {
        red->c = c;
        red->source = orr_alloc(ORR_MAX_LEAVES, sizeof *red->source);
        red->scratch = orr_alloc(ORR_TREE_DEPTH, ORR_TREE_BLOCK);
    }
    if (!red || !red->source || !red->scratch)
        st = orr_fail(ORR_ERR_NOMEM, "reduction: memory for its steps");
    ORR_TRY_GOTO(st, done, orr_comm_agree(c, st));
    if (on_one_node(c)) ORR_TRY_GOTO(st, done, orr_node_pipe_create(&red->pipe, c));
    c->reducer = red;
    red = NULL;
done:
    orr_reducer_destroy(red);
    return st;
}

/* The reducer with the tree for n_leaves.  Collective the first time. */
static orr_status prepare(orr_comm *c, int n_leaves, const orr_reduce_tree **tree)
{
    orr_reduce_tree *t;
    orr_status st;

    if (!c->reducer) ORR_TRY(create_reducer(c));
    for (t = c->reducer->trees; t && t->n_leaves != n_leaves; t = t->next)
        ;
    if (!t) {
        st = orr_reduce_tree_create(&t, n_leaves, c->size);
        if (c->size > 1) st = orr_comm_agree(c, st);
        if (st != ORR_OK) {
            orr_reduce_tree_destroy(t);
            return st;
        }
        t->next = c->reducer->trees;
        c->reducer->trees = t;
    }
    *tree = t;
    return ORR_OK;
}

static orr_status check_plan(const orr_comm *c, const orr_leaf_plan *plan)
{
    orr_leaf_plan p;

    ORR_TRY(orr_leaf_plan_init(&p, plan->n_leaves, c->rank, c->size));
    if (p.first != plan->first || p.last != plan->last || p.n_segments != plan->n_segments)
        return orr_fail(ORR_ERR_ARG,
                        "reduce: the plan gives leaves %d to %d, rank %d of %d has %d to %d",
                        plan->first, plan->last, c->rank, c->size, p.first, p.last);
    return ORR_OK;
}

static orr_status check_type(orr_dtype t)
{
    if (t != ORR_F32 && t != ORR_F64)
        return orr_fail(ORR_ERR_ARG, "reduce: type %d is neither f32 nor f64", (int)t);
    return ORR_OK;
}

/* ---- memory set aside ---- */

static orr_status grow(orr_reducer *red, const orr_reduce_tree *t, size_t bytes)
{
    int rank = red->c->rank;
    size_t slots = ORR_MAX_REDUCTIONS;
    size_t arena_bytes = red->pipe ? 0 : orr_net_arena_bytes(t, rank, bytes);
    int slot_requests = orr_net_max_requests(t, rank, bytes);

    if (arena_bytes > red->arena_bytes) {
        orr_free(red->arena);
        red->arena_bytes = 0;
        if (!(red->arena = orr_alloc(arena_bytes, 1)))
            return orr_fail(ORR_ERR_NOMEM, "reduce: %zu bytes for other ranks' sums", arena_bytes);
        red->arena_bytes = arena_bytes;
    }
    if (slot_requests > red->slot_requests) {
        orr_free(red->requests);
        orr_free(red->peer);
        red->slot_requests = 0;
        red->requests = orr_alloc(slots * (size_t)slot_requests, red->c->ops->request_bytes);
        red->peer = orr_alloc(slots * (size_t)slot_requests, sizeof *red->peer);
        if (!red->requests || !red->peer)
            return orr_fail(ORR_ERR_NOMEM, "reduce: %zu requests", slots * (size_t)slot_requests);
        red->slot_requests = slot_requests;
    }
    if (bytes > red->reserved) red->reserved = bytes;
    return ORR_OK;
}

/* What one rank can find wrong by itself. */
static orr_status check_reserve(const orr_comm *c, const orr_leaf_plan *plan, size_t n, orr_dtype t)
{
    ORR_TRY(check_type(t));
    ORR_TRY(check_plan(c, plan));
    if (n > SIZE_MAX / 8 / ORR_MAX_LEAVES) return orr_fail(ORR_ERR_ARG, "reduce: %zu elements", n);
    if (c->reducer && c->reducer->n_active > 0)
        return orr_fail(ORR_ERR_ARG,
                        "reduce: memory is set aside while %d reductions are in flight",
                        c->reducer->n_active);
    return ORR_OK;
}

orr_status orr_comm_reduce_reserve(orr_comm *c, const orr_leaf_plan *plan, size_t n, orr_dtype t)
{
    static const char *const what[] = { "the number of elements", "the type",
                                        "the number of leaves" };
    int64_t value[] = { (int64_t)n, (int64_t)t, plan->n_leaves };
    const orr_reduce_tree *tree = NULL;

    if (c->broken)
        return orr_fail(ORR_ERR_COMM, "reduce: on a communicator that has failed before");
    ORR_TRY(orr_comm_agree(c, check_reserve(c, plan, n, t)));
    ORR_TRY(orr_comm_same(c, "reduce", what, value, 3));
    ORR_TRY(prepare(c, plan->n_leaves, &tree));
    return orr_comm_agree(c, grow(c->reducer, tree, n * orr_dtype_bytes(t)));
}

/* ---- one reduction ---- */

static orr_reduction *free_slot(orr_reducer *red)
{
    for (int i = 0; i < ORR_MAX_REDUCTIONS; i++) {
        orr_reduction *r = &red->slot[i];
        if (r->path != REDUCE_FREE) continue;
        r->requests =
            red->requests + (size_t)i * (size_t)red->slot_requests * red->c->ops->request_bytes;
        r->peer = red->peer + (size_t)i * (size_t)red->slot_requests;
        return r;
    }
    return NULL;
}

/* This rank's own sum, segment after segment, in result. */
static void add_own_segments(orr_reduction *r)
{
    if (r->n_segments == 0)
        memset(r->result, 0, r->n * r->width);
    else if (r->result != r->segments[0])
        memcpy(r->result, r->segments[0], r->n * r->width);
    for (int i = 1; i < r->n_segments; i++)
        orr_reduce_add(r->result, r->result, r->segments[i], r->n, r->type);
}

static orr_status begin_fast(orr_reduction *r)
{
    r->path = REDUCE_FAST;
    r->n_requests = 0;
    add_own_segments(r);
    for (size_t first = 0; first < r->n; first += ORR_PIECE) {
        size_t m = r->n - first < ORR_PIECE ? r->n - first : ORR_PIECE;
        r->peer[r->n_requests] = -1;
        ORR_TRY(r->c->ops->iallreduce(r->c, r->result + first * r->width, m, r->type, r->requests,
                                      r->n_requests));
        r->n_requests++;
    }
    return ORR_OK;
}

static orr_status start_waiting(orr_reducer *red);

static orr_status advance(orr_reducer *red, orr_reduction *r, int *missing)
{
    int pending = -1;

    switch (r->path) {
    case REDUCE_WAITING:
        return start_waiting(red);
    case REDUCE_NODE:
        return orr_node_pipe_advance(red->pipe, red);
    case REDUCE_NET:
        return orr_net_advance(r, red, missing);
    case REDUCE_FAST:
        ORR_TRY(r->c->ops->test(r->c, r->requests, r->n_requests, &pending));
        if (pending < 0) r->path = REDUCE_DONE;
        return ORR_OK;
    case REDUCE_FREE:
    case REDUCE_DONE:
        break;
    }
    return ORR_OK;
}

/* Sends r on its way; the plan has been checked. */
static orr_status launch(orr_reducer *red, orr_reduction *r, orr_reduce_mode mode)
{
    int missing;

    if (r->n == 0 || red->c->size == 1) { /* all leaves are here: one segment */
        r->path = REDUCE_DONE;
        if (r->n > 0 && r->result != r->segments[0])
            memcpy(r->result, r->segments[0], r->n * r->width);
        return ORR_OK;
    }
    if (red->pipe) { /* the fast mode too: nothing measured is quicker */
        r->path = REDUCE_NODE;
        orr_node_pipe_add(red->pipe, r);
        return advance(red, r, &missing);
    }
    if (mode == ORR_REDUCE_FAST) return begin_fast(r);
    r->path = REDUCE_NET;
    r->tag = red->next_tag;
    red->next_tag = (red->next_tag + 1) % ORR_TAGS;
    return orr_net_begin(r, red);
}

/* ---- a device's memory ---- */

static size_t stage_room(size_t bytes)
{
    return (bytes + ORR_ALIGN - 1) / ORR_ALIGN * ORR_ALIGN;
}

static char *take_stage(orr_reducer *red, size_t bytes)
{
    char *p = red->stage + red->stage_used;

    bytes = stage_room(bytes);
    if (bytes > red->stage_bytes - red->stage_used) return NULL;
    red->stage_used += bytes;
    return p;
}

/* r's segments and result, which are the device's, become copies of the host's. */
static orr_status stage(orr_reducer *red, orr_reduction *r)
{
    size_t bytes = r->n * r->width, used = red->stage_used;
    int ok = 1;

    r->device_result = r->result;
    for (int i = 0; i < r->n_segments; i++) {
        char *copy = take_stage(red, bytes);
        ok &= copy != NULL;
        r->device_segments[i] = (void *)(uintptr_t)r->segments[i]; /* only read */
        if (r->result == r->segments[i]) r->result = copy;
        r->segments[i] = copy;
    }
    if (r->result == r->device_result) ok &= (r->result = take_stage(red, bytes)) != NULL;
    if (!ok) red->stage_used = used;
    return ok ? ORR_OK
              : orr_fail(ORR_ERR_ARG,
                         "reduce: %zu elements of a device: orr_comm_reduce_stage set "
                         "aside %zu bytes",
                         r->n, red->stage_bytes);
}

static orr_status fetch(const orr_reduction *r)
{
    for (int i = 0; r->memory && r->n && i < r->n_segments; i++)
        ORR_TRY(r->memory->download(r->memory->ctx, (void *)(uintptr_t)r->segments[i],
                                    r->device_segments[i], r->n * r->width));
    return ORR_OK;
}

/* Launches those whose marks are reached, in the order in which all ranks began them. */
static orr_status start_waiting(orr_reducer *red)
{
    while (red->waiting) {
        orr_reduction *r = red->waiting;
        orr_status st = r->memory ? r->memory->reached(r->memory->ctx, r->mark) : ORR_OK;
        if (st == ORR_PENDING) return ORR_OK;
        if (st == ORR_OK) st = fetch(r);
        if (st != ORR_OK) {
            red->c->broken = 1; /* the other ranks wait for what does not come */
            return st;
        }
        red->waiting = r->next_waiting;
        ORR_TRY(launch(red, r, r->mode));
    }
    return ORR_OK;
}

static orr_status wait_in_turn(orr_reducer *red, orr_reduction *r)
{
    r->path = REDUCE_WAITING;
    r->next_waiting = NULL;
    if (red->waiting)
        red->last_waiting->next_waiting = r;
    else
        red->waiting = r;
    red->last_waiting = r;
    return start_waiting(red);
}

/* Until none waits: what follows must come after them on every rank. */
static orr_status start_all(orr_reducer *red)
{
    orr_wait wait = orr_wait_start(red->c);

    while (red->waiting) {
        ORR_TRY(start_waiting(red));
        if (red->waiting && !orr_wait_again(&wait))
            return orr_comm_timeout(red->c, "reduce: a device's numbers", red->c->rank);
    }
    return ORR_OK;
}

orr_status orr_comm_reduce_stage(orr_comm *c, const orr_leaf_plan *plan, size_t n, orr_dtype t)
{
    orr_reducer *red = c->reducer;
    size_t copies = (size_t)plan->n_segments + 1, bytes;

    if (!red || red->n_active)
        return orr_fail(ORR_ERR_ARG, "reduce: room for a device's numbers is set aside after "
                                     "orr_comm_reduce_reserve, while nothing is in flight");
    bytes = copies * (n * orr_dtype_bytes(t) + (size_t)ORR_MAX_REDUCTIONS * ORR_ALIGN);
    if (bytes <= red->stage_bytes) return ORR_OK;
    orr_free(red->stage);
    red->stage_bytes = 0;
    if (!(red->stage = orr_alloc(bytes, 1)))
        return orr_fail(ORR_ERR_NOMEM, "reduce: %zu bytes for a device's numbers", bytes);
    red->stage_bytes = bytes;
    return ORR_OK;
}

/* ---- begin, test, end ---- */

static void describe(orr_reduction *r, orr_comm *c, const orr_reduce_tree *t, void *const *segments,
                     int n_segments)
{
    r->c = c;
    r->tree = t;
    r->memory = NULL;
    r->n_segments = n_segments;
    for (int i = 0; i < n_segments; i++)
        r->segments[i] = segments[i];
}

orr_status orr_comm_reduce_begin(orr_reduction **out, orr_comm *c, const orr_leaf_plan *plan,
                                 orr_reduce_mode mode, void *const *segments, void *result,
                                 size_t n, orr_dtype t)
{
    return orr_comm_reduce_begin_on(out, c, plan, mode, NULL, 0, segments, result, n, t);
}

orr_status orr_comm_reduce_begin_on(orr_reduction **out, orr_comm *c, const orr_leaf_plan *plan,
                                    orr_reduce_mode mode, const orr_memory *memory, int64_t mark,
                                    void *const *segments, void *result, size_t n, orr_dtype t)
{
    orr_reducer *red = c->reducer;
    orr_reduce_tree *tree;
    orr_reduction *r;
    size_t bytes = n * orr_dtype_bytes(t);

    *out = NULL;
    if (c->broken)
        return orr_fail(ORR_ERR_COMM, "reduce: on a communicator that has failed before");
    ORR_TRY(check_type(t));
    ORR_TRY(check_plan(c, plan));
    for (tree = red ? red->trees : NULL; tree && tree->n_leaves != plan->n_leaves;
         tree = tree->next)
        ;
    if (!tree || red->reserved - red->in_flight < bytes)
        return orr_fail(ORR_ERR_ARG,
                        "reduce: %zu elements of %d leaves, %zu bytes in flight: "
                        "orr_comm_reduce_reserve set aside %zu bytes",
                        n, plan->n_leaves, red ? red->in_flight : 0, red ? red->reserved : 0);
    if (!(r = free_slot(red)))
        return orr_fail(ORR_ERR_ARG, "reduce: more than %d reductions at once", ORR_MAX_REDUCTIONS);
    describe(r, c, tree, segments, plan->n_segments);
    r->result = result;
    r->n = n;
    r->type = t;
    r->width = orr_dtype_bytes(t);
    r->memory = memory && memory->kind == ORR_MEM_DEVICE ? memory : NULL;
    r->mark = mark;
    r->mode = mode;
    if (r->memory) ORR_TRY(stage(red, r));
    red->in_flight += bytes;
    red->n_active++;
    *out = r;
    return r->memory || red->waiting ? wait_in_turn(red, r) : launch(red, r, mode);
}

/* Drives all reductions, so that one left alone meanwhile does not hold up the other ranks. */
static orr_status drive(orr_reducer *red, orr_reduction *wanted, int *missing)
{
    int other;

    for (int i = 0, left = red->n_active; i < ORR_MAX_REDUCTIONS && left > 0; i++) {
        orr_reduction *r = &red->slot[i];
        if (r->path == REDUCE_FREE) continue;
        left--;
        if (r != wanted) ORR_TRY(advance(red, r, &other));
    }
    return advance(red, wanted, missing);
}

orr_status orr_comm_reduce_test(orr_reduction *r)
{
    int missing = -1;

    if (r->c->broken)
        return orr_fail(ORR_ERR_COMM, "reduce: on a communicator that has failed before");
    if (r->path != REDUCE_DONE) ORR_TRY(drive(r->c->reducer, r, &missing));
    return r->path == REDUCE_DONE ? ORR_OK : ORR_PENDING;
}

static orr_status wait_for(orr_reduction *r)
{
    orr_wait wait = orr_wait_start(r->c);
    orr_reducer *red = r->c->reducer;
    int missing = -1;

    if (r->c->broken)
        return orr_fail(ORR_ERR_COMM, "reduce: on a communicator that has failed before");
    while (r->path != REDUCE_DONE) {
        ORR_TRY(drive(red, r, &missing));
        if (r->path == REDUCE_DONE || orr_wait_again(&wait)) continue;
        if (r->path == REDUCE_NODE) missing = orr_node_pipe_missing(red->pipe);
        return orr_comm_timeout(r->c, "reduce", missing);
    }
    return ORR_OK;
}

orr_status orr_comm_reduce_end(orr_reduction *r)
{
    orr_reducer *red = r->c->reducer;

    ORR_TRY(
        wait_for(r)); /* on failure it stays taken: MPI or other ranks may still use its buffers */
    if (r->memory && r->n)
        ORR_TRY(r->memory->upload(r->memory->ctx, r->device_result, r->result, r->n * r->width));
    r->path = REDUCE_FREE;
    if (--red->n_active == 0) red->in_flight = red->arena_used = red->stage_used = 0;
    return ORR_OK;
}

/* ---- a few values a leaf ---- */

/* All ranks' segments to all ranks in one blocking call; for communicators over several nodes. */
static orr_status leaf_sum_net(orr_reducer *red, const orr_reduce_tree *t,
                               const orr_leaf_plan *plan, const double *in, double *out, size_t n)
{
    orr_comm *c = red->c;
    orr_status st = ORR_OK;
    size_t own = (size_t)plan->n_segments, size = (size_t)c->size;
    size_t want = (own + (size_t)t->n_segments) * n +
                  size; /* doubles: own segments, everyone's, and a byte count a rank */
    double *mine, *all;
    size_t *bytes;

    if (want > red->leaf_scratch_n) {
        double *more = orr_alloc(want, sizeof *more);
        if (!more) st = orr_fail(ORR_ERR_NOMEM, "leaf sum: %zu bytes", want * sizeof *more);
        orr_free(more ? red->leaf_scratch : NULL);
        red->leaf_scratch = more ? more : red->leaf_scratch;
        red->leaf_scratch_n = more ? want : red->leaf_scratch_n;
    }
    /* No agreement here, it would cost as much as the sum: the other ranks run into the deadline.
     */
    if (st != ORR_OK) return st;
    bytes = (size_t *)red->leaf_scratch;
    mine = red->leaf_scratch + size;
    all = mine + own * n;
    for (int i = 0; i < plan->n_segments; i++)
        memcpy(mine + (size_t)i * n, in + (size_t)(plan->segment[i] - plan->first) * n,
               n * sizeof *mine);
    for (int r = 0; r < c->size; r++)
        bytes[r] = (size_t)(t->first_segment[r + 1] - t->first_segment[r]) * n * sizeof *all;
    ORR_TRY(c->ops->allgather(c, mine, all, bytes));
    for (int g = 0; g < t->n_segments; g++)
        red->source[g] = all + (size_t)g * n;
    orr_reduce_tree_fold(t, red->source, red->scratch, out, n, ORR_F64);
    return ORR_OK;
}

static orr_status leaf_sum_node(orr_reducer *red, const orr_reduce_tree *t,
                                const orr_leaf_plan *plan, double *in, double *out, size_t n)
{
    orr_reduction *r = &red->slot[LEAF_SLOT];
    void *segments[ORR_MAX_SEGMENTS];

    for (int i = 0; i < plan->n_segments; i++)
        segments[i] = in + (size_t)(plan->segment[i] - plan->first) * n;
    describe(r, red->c, t, segments, plan->n_segments);
    r->result = (char *)out;
    r->n = n;
    r->type = ORR_F64;
    r->width = sizeof *out;
    ORR_TRY(launch(red, r, ORR_REDUCE_ORDERED));
    ORR_TRY(wait_for(r));
    r->path = REDUCE_FREE;
    return ORR_OK;
}

orr_status orr_comm_leaf_sum(orr_comm *c, const orr_leaf_plan *plan, double *in, double *out,
                             size_t n)
{
    const orr_reduce_tree *t = NULL;

    if (c->broken)
        return orr_fail(ORR_ERR_COMM, "leaf sum: on a communicator that has failed before");
    ORR_TRY(check_plan(c, plan));
    if (n == 0) return ORR_OK;
    ORR_TRY(prepare(c, plan->n_leaves, &t));
    ORR_TRY(start_all(c->reducer));
    for (int i = 0; i < plan->n_segments; i++) {
        double *segment = in + (size_t)(plan->segment[i] - plan->first) * n;
        orr_leaf_sum_f64(segment, segment, n, plan->segment[i + 1] - plan->segment[i], n);
    }
    return c->size > 1 && !c->reducer->pipe ? leaf_sum_net(c->reducer, t, plan, in, out, n)
                                            : leaf_sum_node(c->reducer, t, plan, in, out, n);
}
