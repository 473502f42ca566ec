/* comm/reduce_net.c - ordered sums through messages.
 *
 * The elements are cut into one part a rank.  Exchange: every rank sends each part of each of its
 * segments to the part's owner, who adds them along the tree.  Share: every owner sends its sum to
 * all. With one segment a rank that is 2 (N-1)/N n elements each way, what a ring moves.  Short
 * reductions send all segments to all ranks, packed, and every rank adds everything: one step
 * instead of two. Messages rather than MPI_Ialltoallv and MPI_Iallgatherv: segments need no packing
 * into one buffer, counts no int, and a rank that stays away can be named. */
#include "comm/reduce_private.h"

#include "core/memory.h"

#include <string.h>

enum { SHORT_BYTES = 16 << 10 /* of one segment */ };

static int pieces_of(size_t bytes)
{
    return (int)((bytes + ORR_PIECE - 1) / ORR_PIECE);
}

static size_t round_up(size_t bytes)
{
    return (bytes + ORR_ALIGN - 1) / ORR_ALIGN * ORR_ALIGN;
}

static size_t part_bytes(const orr_reduction *r, int rank)
{
    return (orr_part_begin(r->n, rank + 1, r->c->size) - orr_part_begin(r->n, rank, r->c->size)) *
           r->width;
}

/* Enough for the longest and for many short ones: see the arena's use in orr_net_begin. */
size_t orr_net_arena_bytes(const orr_reduce_tree *t, int rank, size_t bytes)
{
    size_t slots = ORR_MAX_REDUCTIONS, segments = (size_t)t->n_segments;
    size_t in_parts = bytes / (size_t)t->size + slots * 33 * sizeof(double);
    size_t in_short = bytes < slots * SHORT_BYTES ? bytes : slots * SHORT_BYTES;
    size_t own = (size_t)(t->first_segment[rank + 1] - t->first_segment[rank]);

    return segments * (in_parts + in_short) + own * in_short + slots * (segments + 2) * ORR_ALIGN;
}

int orr_net_max_requests(const orr_reduce_tree *t, int rank, size_t bytes)
{
    int pieces = pieces_of(bytes / (size_t)t->size + 33 * sizeof(double)) + 1;
    int own = t->first_segment[rank + 1] - t->first_segment[rank];
    int exchange = pieces * ((t->size - 1) * own + t->n_segments);
    int share = 2 * pieces * (t->size - 1);
    int fast = pieces_of(bytes) + 1;

    if (exchange < share) exchange = share;
    return exchange < fast ? fast : exchange;
}

static char *take(orr_reducer *red, size_t bytes)
{
    char *p = red->arena + red->arena_used;

    bytes = round_up(bytes);
    if (bytes > red->arena_bytes - red->arena_used) return NULL;
    red->arena_used += bytes;
    return p;
}

typedef orr_status post(orr_comm *c, void *buf, size_t bytes, int peer, int tag, void *requests,
                        int i);

static orr_status post_send(orr_comm *c, void *buf, size_t bytes, int peer, int tag, void *requests,
                            int i)
{
    return c->ops->isend(c, buf, bytes, peer, tag, requests, i);
}

static orr_status post_receive(orr_comm *c, void *buf, size_t bytes, int peer, int tag,
                               void *requests, int i)
{
    return c->ops->irecv(c, buf, bytes, peer, tag, requests, i);
}

static orr_status post_pieces(orr_reduction *r, post *one, const char *buf, size_t bytes, int peer)
{
    while (bytes > 0) {
        size_t n = bytes < ORR_PIECE ? bytes : ORR_PIECE;
        r->peer[r->n_requests] = peer;
        ORR_TRY(one(r->c, (char *)(uintptr_t)buf, n, peer, r->tag, r->requests, r->n_requests));
        r->n_requests++;
        buf += n;
        bytes -= n;
    }
    return ORR_OK;
}

static int segments_of(const orr_reduction *r, int rank)
{
    return r->tree->first_segment[rank + 1] - r->tree->first_segment[rank];
}

/* Bytes of one segment that this rank receives. */
static size_t segment_bytes(const orr_reduction *r)
{
    return r->small ? r->n * r->width : part_bytes(r, r->c->rank);
}

/* Runs of one rank lie one after the other, ranks in order, each rank's at a fresh line. */
static orr_status receive_segments(orr_reduction *r)
{
    size_t one = segment_bytes(r);
    char *at = r->received;

    for (int rank = 0; rank < r->c->size; rank++) {
        if (rank == r->c->rank) continue;
        if (r->small) { /* they come packed, in one message */
            ORR_TRY(post_pieces(r, post_receive, at, (size_t)segments_of(r, rank) * one, rank));
        } else {
            for (int i = 0; i < segments_of(r, rank); i++)
                ORR_TRY(post_pieces(r, post_receive, at + (size_t)i * one, one, rank));
        }
        at += round_up((size_t)segments_of(r, rank) * one);
    }
    return ORR_OK;
}

/* Each rank starts with its neighbour, so that not all send to rank 0 first. */
static orr_status send_segments(orr_reduction *r, const char *packed)
{
    int size = r->c->size;

    for (int k = 1; k < size; k++) {
        int to = (r->c->rank + k) % size;
        size_t first = orr_part_begin(r->n, to, size) * r->width;
        if (r->small) {
            ORR_TRY(post_pieces(r, post_send, packed, (size_t)r->n_segments * r->n * r->width, to));
            continue;
        }
        for (int i = 0; i < r->n_segments; i++)
            ORR_TRY(post_pieces(r, post_send, (const char *)r->segments[i] + first,
                                part_bytes(r, to), to));
    }
    return ORR_OK;
}

orr_status orr_net_begin(orr_reduction *r, orr_reducer *red)
{
    size_t total = 0;
    char *packed = NULL;

    r->phase = NET_EXCHANGE;
    r->n_requests = 0;
    r->small = r->n * r->width <= SHORT_BYTES;
    for (int rank = 0; rank < r->c->size; rank++)
        if (rank != r->c->rank) total += round_up((size_t)segments_of(r, rank) * segment_bytes(r));
    r->received = take(red, total);
    if (r->small) packed = take(red, (size_t)r->n_segments * r->n * r->width);
    if (!r->received || (r->small && !packed))
        return orr_fail(ORR_ERR_INTERNAL, "reduce: %zu elements do not fit what was set aside",
                        r->n);
    for (int i = 0; r->small && i < r->n_segments; i++)
        memcpy(packed + (size_t)i * r->n * r->width, r->segments[i], r->n * r->width);
    ORR_TRY(receive_segments(r));
    return send_segments(r, packed);
}

static void add_segments(orr_reduction *r, orr_reducer *red)
{
    size_t one = segment_bytes(r);
    size_t first = r->small ? 0 : orr_part_begin(r->n, r->c->rank, r->c->size) * r->width;
    const char *at = r->received;

    for (int rank = 0; rank < r->c->size; rank++) {
        const void **source = red->source + r->tree->first_segment[rank];
        for (int i = 0; i < segments_of(r, rank); i++)
            source[i] =
                rank == r->c->rank ? (const char *)r->segments[i] + first : at + (size_t)i * one;
        if (rank != r->c->rank) at += round_up((size_t)segments_of(r, rank) * one);
    }
    orr_reduce_tree_fold(r->tree, red->source, red->scratch, r->result + first, one / r->width,
                         r->type);
}

static orr_status share(orr_reduction *r)
{
    int size = r->c->size, rank = r->c->rank;

    r->n_requests = 0;
    for (int k = 1; k < size; k++) {
        int from = (rank + size - k) % size;
        ORR_TRY(post_pieces(r, post_receive,
                            r->result + orr_part_begin(r->n, from, size) * r->width,
                            part_bytes(r, from), from));
    }
    for (int k = 1; k < size; k++)
        ORR_TRY(post_pieces(r, post_send, r->result + orr_part_begin(r->n, rank, size) * r->width,
                            part_bytes(r, rank), (rank + k) % size));
    return ORR_OK;
}

orr_status orr_net_advance(orr_reduction *r, orr_reducer *red, int *missing)
{
    for (;;) {
        int pending = -1;
        ORR_TRY(r->c->ops->test(r->c, r->requests, r->n_requests, &pending));
        if (pending >= 0) {
            *missing = r->peer[pending];
            return ORR_OK;
        }
        if (r->phase == NET_SHARE) break;
        add_segments(r, red);
        if (r->small) break;
        r->phase = NET_SHARE;
        ORR_TRY(share(r));
    }
    r->path = REDUCE_DONE;
    return ORR_OK;
}
