/* comm/self/self_comm.c - one rank and no library: every collective is a copy or nothing. */
#include "comm/comm_private.h"

#include "core/memory.h"

#include <string.h>
#include <unistd.h>

typedef struct {
    orr_counter base;
    int64_t value;
} self_counter;

static orr_status self_split(orr_comm **out, orr_comm *c, int color, int key)
{
    (void)c;
    (void)key;
    return color < 0 ? ORR_OK : orr_comm_self_create(out);
}

static void self_destroy(orr_comm *c)
{
    orr_free(c);
}

static orr_status self_barrier(orr_comm *c)
{
    (void)c;
    return ORR_OK;
}

static orr_status self_bcast(orr_comm *c, void *buf, size_t bytes, int root)
{
    (void)c, (void)buf, (void)bytes, (void)root;
    return ORR_OK;
}

static orr_status self_allreduce(orr_comm *c, void *buf, size_t n, orr_dtype t, orr_reduce_op op)
{
    (void)c, (void)buf, (void)n, (void)t, (void)op;
    return ORR_OK;
}

static orr_status self_exscan(orr_comm *c, int64_t value, int64_t *out, int64_t *total)
{
    (void)c;
    *out = 0;
    *total = value;
    return ORR_OK;
}

static orr_status self_allgather(orr_comm *c, const void *in, void *out, const size_t *bytes)
{
    (void)c;
    if (bytes[0] > 0 && in != out) memmove(out, in, bytes[0]);
    return ORR_OK;
}

static orr_status self_gather(orr_comm *c, const void *in, void *out, const size_t *bytes, int root)
{
    (void)root;
    return self_allgather(c, in, out, bytes);
}

static orr_status self_window_create(orr_comm_window **out, orr_comm *c, size_t bytes)
{
    orr_comm_window *w = orr_alloc(1, sizeof *w);

    if (!w || !(w->base = orr_alloc(bytes, 1))) {
        orr_free(w);
        return orr_fail(ORR_ERR_NOMEM, "window of %zu bytes", bytes);
    }
    w->comm = c;
    w->bytes = bytes;
    *out = w;
    return ORR_OK;
}

static orr_status self_window_fence(orr_comm_window *w)
{
    (void)w;
    return ORR_OK;
}

static void self_window_destroy(orr_comm_window *w)
{
    orr_free(w->base);
    orr_free(w);
}

static orr_status self_counter_create(orr_counter **out, orr_comm *c)
{
    self_counter *k = orr_alloc(1, sizeof *k);

    if (!k) return orr_fail(ORR_ERR_NOMEM, "counter: %zu bytes", sizeof *k);
    k->base.comm = c;
    *out = &k->base;
    return ORR_OK;
}

static orr_status self_counter_next(orr_counter *k, int64_t n, int64_t *first)
{
    self_counter *s = (self_counter *)k;

    *first = s->value;
    s->value += n;
    return ORR_OK;
}

static void self_counter_destroy(orr_counter *k)
{
    orr_free(k);
}

/* isend and the rest stay NULL: a reduction over one rank sends nothing. */
static const orr_comm_ops self_ops = {
    .name = "self",
    .request_bytes = 1,
    .split = self_split,
    .destroy = self_destroy,
    .barrier = self_barrier,
    .bcast = self_bcast,
    .allreduce = self_allreduce,
    .exscan = self_exscan,
    .allgather = self_allgather,
    .gather = self_gather,
    .window_create = self_window_create,
    .window_fence = self_window_fence,
    .window_destroy = self_window_destroy,
    .counter_create = self_counter_create,
    .counter_next = self_counter_next,
    .counter_destroy = self_counter_destroy,
};

orr_status orr_comm_self_create(orr_comm **out)
{
    orr_comm_opts opts;
    orr_comm *c;

    *out = NULL;
    ORR_TRY(orr_comm_opts_read(&opts, NULL));
    if (!(c = orr_alloc(1, sizeof *c)))
        return orr_fail(ORR_ERR_NOMEM, "communicator: %zu bytes", sizeof *c);
    c->ops = &self_ops;
    c->size = c->n_nodes = c->node_size = 1;
    c->opts = opts;
    if (gethostname(c->host, sizeof c->host - 1) != 0)
        memcpy(c->host, "localhost", sizeof "localhost");
    *out = c;
    return ORR_OK;
}
