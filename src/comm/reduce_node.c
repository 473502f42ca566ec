/* comm/reduce_node.c - ordered sums among ranks that share memory.
 *
 * The elements of all reductions, in the order in which they were begun, form one stream that is
 * cut into chunks.  A chunk passes three stages on every rank: in   the rank copies its segments of
 * the chunk into the window, but for the part that it adds itself; sum  when every rank's segments
 * are in, it adds its part along the tree into its result and into the window; out  when every
 * rank's part is summed, it copies the other parts into its result. The window has a few chunks of
 * room, so that ranks need not move in step; a chunk's room is used again once every rank has
 * passed its out stage.  A chunk is small enough to stay in the cache from the first stage to the
 * last: main memory sees each segment read once and each result written once.  Short reductions
 * skip the out stage: every rank brings all of its segments in and adds everything.
 *
 * The stages are driven by begin, test and end; the ranks meet in counters in the window alone, no
 * MPI call is made. */
#include "comm/reduce_private.h"

#include "core/memory.h"

#include <stdatomic.h>
#include <string.h>

enum {
    N_ROOMS = 4,
    CHUNK_BYTES = 256 << 10, /* of one rank: its segments of one chunk */
    SHORT_BYTES = 16 << 10   /* all ranks' segments together: below this everyone adds everything */
};

/* Chunks that a rank has finished with, by stage; a line of its own for each, since others poll it.
 */
typedef struct {
    _Alignas(64) _Atomic int64_t in;
    _Alignas(64) _Atomic int64_t sum;
    _Alignas(64) _Atomic int64_t out;
} progress;

/* What a rank believes the chunk to be: ranks that began different reductions find out here. */
typedef struct {
    _Alignas(64) int64_t n, first;
    int32_t n_leaves, type;
} label;

typedef struct {
    orr_reduction *r; /* NULL: at the end of the stream */
    size_t first;     /* element */
    int64_t chunk;    /* number in the stream */
} cursor;

struct orr_node_pipe {
    orr_comm *c;
    orr_comm_window *window;
    progress *done; /* of each rank */
    label *labels;  /* of each room and rank */
    char *rooms;    /* of each room: size + 1 areas of CHUNK_BYTES, the last for the sum */
    orr_reduction *last;
    cursor in, sum, out;
};

static char *area(const orr_node_pipe *p, int64_t chunk, int rank)
{
    return p->rooms +
           ((size_t)(chunk % N_ROOMS) * (size_t)(p->c->size + 1) + (size_t)rank) * CHUNK_BYTES;
}

orr_status orr_node_pipe_create(orr_node_pipe **out, orr_comm *c)
{
    orr_status st = ORR_OK;
    size_t size = (size_t)c->size;
    size_t bytes =
        size * sizeof(progress) + N_ROOMS * (size * sizeof(label) + (size + 1) * CHUNK_BYTES);
    orr_node_pipe *p = orr_alloc(1, sizeof *p);

    *out = NULL;
    st = orr_comm_agree(c, p ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "reduction: %zu bytes", sizeof *p));
    if (st != ORR_OK) goto done;
    ORR_TRY_GOTO(st, done, orr_comm_window_create(&p->window, c, bytes));
    p->c = c;
    p->done = orr_comm_window_base(p->window);
    p->labels = (label *)(p->done + size);
    p->rooms = (char *)(p->labels + N_ROOMS * size);
    *out = p;
    p = NULL;
done:
    orr_free(p);
    return st;
}

void orr_node_pipe_destroy(orr_node_pipe *p)
{
    if (!p) return;
    orr_comm_window_destroy(p->window);
    orr_free(p);
}

void orr_node_pipe_add(orr_node_pipe *p, orr_reduction *r)
{
    cursor *all[] = { &p->in, &p->sum, &p->out };

    r->next = NULL;
    r->chunk = CHUNK_BYTES / ((size_t)r->tree->max_segments * r->width) / 16 * 16;
    r->small = r->n * r->width * (size_t)r->tree->n_segments <= SHORT_BYTES;
    if (p->last) p->last->next = r;
    p->last = r;
    for (int i = 0; i < 3; i++)
        if (!all[i]->r) {
            all[i]->r = r;
            all[i]->first = 0;
        }
}

static size_t chunk_size(const cursor *at)
{
    size_t left = at->r->n - at->first;

    return left < at->r->chunk ? left : at->r->chunk;
}

static void step(cursor *at)
{
    at->chunk++;
    at->first += chunk_size(at);
    if (at->first < at->r->n) return;
    at->r = at->r->next;
    at->first = 0;
}

/* True when every rank has finished more than `chunk` chunks of the stage whose counter lies at
 * offset `stage`. */
static int all_passed(const orr_node_pipe *p, size_t stage, int64_t chunk)
{
    for (int r = 0; r < p->c->size; r++) {
        const _Atomic int64_t *count = (const void *)((const char *)&p->done[r] + stage);
        if (atomic_load_explicit(count, memory_order_acquire) <= chunk) return 0;
    }
    return 1;
}

static void stage_in(orr_node_pipe *p)
{
    const orr_reduction *r = p->in.r;
    size_t w = r->width, n = chunk_size(&p->in);
    size_t mine = r->small ? n : orr_part_begin(n, p->c->rank, p->c->size);
    size_t after = r->small ? n : orr_part_begin(n, p->c->rank + 1, p->c->size);
    char *to = area(p, p->in.chunk, p->c->rank);

    p->labels[(size_t)(p->in.chunk % N_ROOMS) * (size_t)p->c->size + (size_t)p->c->rank] =
        (label){ (int64_t)r->n, (int64_t)p->in.first, r->tree->n_leaves, (int32_t)r->type };
    for (int i = 0; i < r->n_segments; i++) {
        const char *from = (const char *)r->segments[i] + p->in.first * w;
        memcpy(to, from, mine * w);
        memcpy(to + after * w, from + after * w, (n - after) * w);
        to += r->chunk * w;
    }
    step(&p->in);
    atomic_store_explicit(&p->done[p->c->rank].in, p->in.chunk, memory_order_release);
}

static orr_status check_labels(const orr_node_pipe *p)
{
    const label *all = p->labels + (size_t)(p->sum.chunk % N_ROOMS) * (size_t)p->c->size;
    const label *mine = &all[p->c->rank];

    for (int r = 0; r < p->c->size; r++) {
        if (all[r].n == mine->n && all[r].first == mine->first &&
            all[r].n_leaves == mine->n_leaves && all[r].type == mine->type)
            continue;
        p->c->broken = 1;
        return orr_fail(ORR_ERR_ARG,
                        "rank %d of %d (%s): reduce: ranks began different reductions: %lld "
                        "elements of %d leaves here, "
                        "%lld of %d on rank %d",
                        p->c->rank, p->c->size, p->c->host, (long long)mine->n, mine->n_leaves,
                        (long long)all[r].n, all[r].n_leaves, r);
    }
    return ORR_OK;
}

static void stage_sum(orr_node_pipe *p, orr_reducer *red)
{
    const orr_reduction *r = p->sum.r;
    const orr_reduce_tree *t = r->tree;
    size_t w = r->width, n = chunk_size(&p->sum);
    size_t begin = r->small ? 0 : orr_part_begin(n, p->c->rank, p->c->size);
    size_t end = r->small ? n : orr_part_begin(n, p->c->rank + 1, p->c->size);
    char *result = r->result + (p->sum.first + begin) * w;

    for (int rank = 0; rank < p->c->size; rank++)
        for (int g = t->first_segment[rank]; g < t->first_segment[rank + 1]; g++) {
            size_t i = (size_t)(g - t->first_segment[rank]);
            red->source[g] = rank == p->c->rank
                                 ? (const char *)r->segments[i] + (p->sum.first + begin) * w
                                 : area(p, p->sum.chunk, rank) + (i * r->chunk + begin) * w;
        }
    orr_reduce_tree_fold(t, red->source, red->scratch, result, end - begin, r->type);
    if (!r->small) memcpy(area(p, p->sum.chunk, p->c->size) + begin * w, result, (end - begin) * w);
    step(&p->sum);
    atomic_store_explicit(&p->done[p->c->rank].sum, p->sum.chunk, memory_order_release);
}

static void stage_out(orr_node_pipe *p)
{
    orr_reduction *r = p->out.r;
    size_t w = r->width, n = chunk_size(&p->out);

    if (!r->small) {
        size_t begin = orr_part_begin(n, p->c->rank, p->c->size) * w;
        size_t end = orr_part_begin(n, p->c->rank + 1, p->c->size) * w;
        const char *sum = area(p, p->out.chunk, p->c->size);
        char *result = r->result + p->out.first * w;
        memcpy(result, sum, begin);
        memcpy(result + end, sum + end, n * w - end);
    }
    step(&p->out);
    atomic_store_explicit(&p->done[p->c->rank].out, p->out.chunk, memory_order_release);
    if (p->out.r == r) return;
    r->path = REDUCE_DONE;
    if (p->last == r) p->last = NULL;
}

/* Out before sum before in: what lies in the cache first. */
orr_status orr_node_pipe_advance(orr_node_pipe *p, orr_reducer *red)
{
    for (;;) {
        /* a short chunk needs nobody else for its out stage */
        if (p->out.chunk < p->sum.chunk &&
            (p->out.r->small || all_passed(p, offsetof(progress, sum), p->out.chunk))) {
            stage_out(p);
        } else if (p->sum.chunk < p->in.chunk &&
                   all_passed(p, offsetof(progress, in), p->sum.chunk)) {
            ORR_TRY(check_labels(p));
            stage_sum(p, red);
        } else if (p->in.r && all_passed(p, offsetof(progress, out), p->in.chunk - N_ROOMS)) {
            stage_in(p);
        } else {
            return ORR_OK;
        }
    }
}

int orr_node_pipe_missing(const orr_node_pipe *p)
{
    int missing = -1;
    int64_t least = p->in.chunk;

    for (int r = 0; r < p->c->size; r++) {
        int64_t in = atomic_load(&p->done[r].in);
        if (in < least) {
            least = in;
            missing = r;
        }
    }
    return missing;
}
