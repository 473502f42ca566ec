/* jobs/model/seen.c - fingerprints of samples: made, kept, and looked for. */
#include "jobs/model/seen.h"

#include "core/memory.h"
#include "data/census.h"
#include "jobs/context/phase.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_LOG2 = 20 };
static const char *const names[ORR_N_SEEN] = { "trained", "chose" };

void orr_seen_free(orr_seen *s)
{
    for (int i = 0; i < ORR_N_SEEN; i++) {
        orr_free(s->list[i].ids);
        orr_free(s->list[i].content);
    }
    *s = (orr_seen){ .known = 0 };
}

void orr_seen_keys_free(orr_seen_keys *k)
{
    orr_free(k->ids);
    orr_free(k->content);
    *k = (orr_seen_keys){ .n = 0 };
}

/* ---- the bits of samples ---- */
static uint64_t id_bits(const orr_dataset *set, int64_t row)
{
    char id[ORR_ID_TEXT_MAX + 1];

    orr_dataset_id(set, row, id, sizeof id);
    return orr_content_hash(id, strlen(id));
}

/* Ranks take a share each, [n * rank / size, ...), and then all have all. */
static orr_status gather(orr_context *context, uint64_t *all, int64_t n, size_t *bytes)
{
    int64_t first = n * context->rank / context->size,
            count = n * (context->rank + 1) / context->size - first;
    uint64_t *mine = orr_alloc((size_t)count + 1, sizeof *mine);
    orr_status st = orr_phase(
        context, NULL,
        mine ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %lld samples", (long long)n));

    for (int r = 0; r < context->size; r++)
        bytes[r] = (size_t)(n * (r + 1) / context->size - n * r / context->size) * sizeof *all;
    if (st == ORR_OK) {
        memcpy(mine, all + first, (size_t)count * sizeof *mine);
        st = orr_comm_allgather(context->world, mine, all, bytes);
    }
    orr_free(mine);
    return st;
}

static void hash_share(orr_seen_keys *k, const orr_context *context, const orr_split *part)
{
    const orr_dataset *set = part->samples->set;
    const size_t x_bytes = orr_schema_x_bytes(orr_dataset_schema(set));
    const int64_t first = k->n * context->rank / context->size,
                  last = k->n * (context->rank + 1) / context->size;

    for (int64_t i = first; i < last; i++) {
        k->content[i] = orr_content_hash(orr_samples_row(part->samples, part->rows[i]), x_bytes);
        if (k->has_ids) k->ids[i] = id_bits(set, part->rows[i]);
    }
}

orr_status orr_seen_keys_make(orr_seen_keys *k, orr_context *context, const orr_split *part)
{
    size_t *bytes = orr_alloc((size_t)context->size, sizeof *bytes);
    orr_status st;

    *k = (orr_seen_keys){ .n = part->n };
    k->content = orr_alloc((size_t)k->n + 1, sizeof *k->content);
    k->ids = orr_alloc((size_t)k->n + 1, sizeof *k->ids);
    if (k->n) k->has_ids = !orr_dataset_schema(part->samples->set)->id_is_row;
    ORR_TRY_GOTO(
        st, done,
        orr_phase(context, NULL,
                  bytes && k->content && k->ids
                      ? ORR_OK
                      : orr_fail(ORR_ERR_NOMEM, "out of memory: %lld samples", (long long)k->n)));
    if (k->n == 0) goto done;
    hash_share(k, context, part);
    ORR_TRY_GOTO(st, done, gather(context, k->content, k->n, bytes));
    if (k->has_ids) st = gather(context, k->ids, k->n, bytes);
done:
    orr_free(bytes);
    return st;
}

/* ---- what a model keeps ---- */
static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int is_kept(uint64_t bits, int thinning)
{
    return thinning == 0 || bits >> (64 - thinning) == 0;
}

/* The kept ones in front, sorted; returns how many. */
static int64_t thin(uint64_t *v, int64_t n, int thinning)
{
    int64_t kept = 0;

    for (int64_t i = 0; i < n; i++)
        if (is_kept(v[i], thinning)) v[kept++] = v[i];
    qsort(v, (size_t)kept, sizeof *v, by_value);
    return kept;
}

orr_status orr_seen_make(orr_seen *s, orr_context *context, const orr_split *train,
                         const orr_split *validation)
{
    const orr_split *parts[ORR_N_SEEN] = { train, validation };

    orr_seen_free(s);
    while (train->n >> s->thinning > (int64_t)1 << MOST_LOG2)
        s->thinning++;
    for (int i = 0; i < ORR_N_SEEN; i++) {
        orr_seen_list *l = &s->list[i];
        orr_seen_keys k;
        orr_status st = orr_seen_keys_make(&k, context, parts[i]);
        if (st != ORR_OK) {
            orr_seen_keys_free(&k);
            return st;
        }
        *l = (orr_seen_list){ .ids = k.ids, .content = k.content }; /* handed over */
        l->n_content = thin(l->content, k.n, s->thinning);
        if (k.has_ids) l->n_ids = thin(l->ids, k.n, s->thinning);
    }
    s->known = 1;
    return ORR_OK;
}

/* Both lists in one, each number once. */
static orr_status unite(uint64_t **v, int64_t *n, const uint64_t *more, int64_t n_more)
{
    uint64_t *all = orr_alloc((size_t)(*n + n_more) + 1, sizeof *all);
    int64_t kept = 0, total = *n + n_more;

    if (!all) return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld samples", (long long)total);
    if (*n) memcpy(all, *v, (size_t)*n * sizeof *all);
    if (n_more) memcpy(all + *n, more, (size_t)n_more * sizeof *all);
    qsort(all, (size_t)total, sizeof *all, by_value);
    for (int64_t i = 0; i < total; i++)
        if (i == 0 || all[i] != all[i - 1]) all[kept++] = all[i];
    orr_free(*v);
    *v = all;
    *n = kept;
    return ORR_OK;
}

static void thin_all(orr_seen *s, int thinning)
{
    s->thinning = thinning;
    for (int i = 0; i < ORR_N_SEEN; i++) {
        orr_seen_list *l = &s->list[i];
        l->n_ids = thin(l->ids, l->n_ids, thinning);
        l->n_content = thin(l->content, l->n_content, thinning);
    }
}

orr_status orr_seen_add(orr_seen *s, const orr_seen *more)
{
    int thinning = more->thinning > s->thinning ? more->thinning : s->thinning;

    if (!s->known || !more->known) return ORR_OK;
    for (int i = 0; i < ORR_N_SEEN; i++) {
        orr_seen_list *l = &s->list[i];
        const orr_seen_list *m = &more->list[i];
        ORR_TRY(unite(&l->ids, &l->n_ids, m->ids, m->n_ids));
        ORR_TRY(unite(&l->content, &l->n_content, m->content, m->n_content));
    }
    thin_all(s, thinning);
    while (s->list[ORR_SEEN_TRAINED].n_content > (int64_t)1 << MOST_LOG2)
        thin_all(s, s->thinning + 1);
    return ORR_OK;
}

/* ---- in a file ---- */
static orr_status put(orr_store_writer *f, int how, const char *what, const uint64_t *v, int64_t n)
{
    char name[64];

    snprintf(name, sizeof name, "seen/%s_%s", names[how], what);
    return orr_store_put(f, name, orr_store_vector(ORR_STORE_I64, n), v);
}

size_t orr_seen_bytes(const orr_seen *s)
{
    size_t n = 0;

    for (int i = 0; i < ORR_N_SEEN; i++)
        n += (size_t)(s->list[i].n_ids + s->list[i].n_content);
    return n * sizeof(uint64_t);
}

orr_status orr_seen_write(const orr_seen *s, orr_store_writer *f)
{
    const int64_t thinning = s->thinning;

    if (!s->known) return ORR_OK;
    ORR_TRY(orr_store_put_group(f, "seen"));
    ORR_TRY(orr_store_put(f, "seen/thinning", orr_store_vector(ORR_STORE_I64, 1), &thinning));
    for (int i = 0; i < ORR_N_SEEN; i++) {
        ORR_TRY(put(f, i, "ids", s->list[i].ids, s->list[i].n_ids));
        ORR_TRY(put(f, i, "content", s->list[i].content, s->list[i].n_content));
    }
    return ORR_OK;
}

static orr_status get(orr_store_reader *f, int how, const char *what, uint64_t **v, int64_t *n)
{
    char name[64];
    int64_t *numbers;

    snprintf(name, sizeof name, "seen/%s_%s", names[how], what);
    *n = orr_store_count(f, name);
    if (*n < 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: /%s is missing", orr_store_reader_path(f), name);
    ORR_TRY(orr_store_dup(f, name, ORR_STORE_I64, (size_t)*n, &numbers));
    *v = (uint64_t *)numbers;
    return ORR_OK;
}

orr_status orr_seen_read(orr_seen *s, orr_store_reader *f)
{
    int64_t thinning;

    *s = (orr_seen){ .known = 0 };
    if (orr_store_count(f, "seen/thinning") != 1) return ORR_OK;
    ORR_TRY(orr_store_get(f, "seen/thinning", ORR_STORE_I64, 1, &thinning));
    if (thinning < 0 || thinning > 63)
        return orr_fail(ORR_ERR_FORMAT, "%s: /seen/thinning makes no sense",
                        orr_store_reader_path(f));
    s->thinning = (int)thinning;
    for (int i = 0; i < ORR_N_SEEN; i++) {
        orr_seen_list *l = &s->list[i];
        ORR_TRY(get(f, i, "ids", &l->ids, &l->n_ids));
        ORR_TRY(get(f, i, "content", &l->content, &l->n_content));
    }
    s->known = 1;
    return ORR_OK;
}

/* ---- looking ---- */
static int holds(const uint64_t *v, int64_t n, uint64_t bits)
{
    return n > 0 && bsearch(&bits, v, (size_t)n, sizeof *v, by_value) != NULL;
}

void orr_seen_mark(const orr_seen *s, const orr_seen_keys *k, unsigned char *mark)
{
    for (int how = 0; how < ORR_N_SEEN; how++) {
        const orr_seen_list *l = &s->list[how];
        for (int64_t i = 0; i < k->n; i++)
            if (holds(l->content, l->n_content, k->content[i]) ||
                (k->has_ids && holds(l->ids, l->n_ids, k->ids[i])))
                mark[i] |= (unsigned char)(1 << how);
    }
}
