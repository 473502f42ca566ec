/* core/memory.c - aligned, counted allocation. */
#include "core/memory.h"
#include "core/cgroup.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int_fast64_t alloc_calls;
static atomic_int_fast64_t fail_at = -1; /* -1: the environment was not read yet; 0: never */

/* True when this call is the one that was asked to fail. */
static int must_fail(int64_t call)
{
    int64_t at = atomic_load(&fail_at);

    if (at < 0) {
        const char *text = getenv("ORR_ALLOC_FAIL");
        at = text ? strtoll(text, NULL, 10) : 0;
        atomic_store(&fail_at, at > 0 ? at : 0);
    }
    return at > 0 && call == at;
}

/* "max", or bytes. */
static void look_at(void *ctx, const char *folder, int is_old)
{
    size_t *most = ctx;
    char line[64], *end;
    unsigned long long v;

    if (!orr_cgroup_line(folder, is_old ? "memory.limit_in_bytes" : "memory.max", line)) return;
    v = strtoull(line, &end, 10);
    if (end != line && v > 0 && v < *most) *most = (size_t)v;
}

size_t orr_memory_limit(const char *root)
{
    long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
    size_t most = pages > 0 && bytes > 0 ? (size_t)pages * (size_t)bytes : SIZE_MAX;

    orr_cgroup_each(root, "memory", look_at, &most);
    return most;
}

size_t orr_memory_most(void)
{
    static atomic_size_t known; /* 0: not asked yet */
    size_t most = atomic_load(&known);

    if (most) return most;
    most = orr_memory_limit("");
    atomic_store(&known, most);
    return most;
}

void *orr_alloc(size_t n, size_t size)
{
    int64_t call = atomic_fetch_add(&alloc_calls, 1) + 1;
    size_t bytes;
    void *p;

    if (must_fail(call) || __builtin_mul_overflow(n, size, &bytes)) return NULL;
    if (__builtin_add_overflow(bytes, ORR_ALIGN - 1, &bytes)) return NULL;
    bytes &= ~(size_t)(ORR_ALIGN - 1);
    if (bytes > orr_memory_most()) return NULL;
    if (bytes == 0) bytes = ORR_ALIGN;
    if (!(p = aligned_alloc(ORR_ALIGN, bytes))) return NULL;
    return memset(p, 0, bytes);
}

void *orr_realloc(void *p, size_t old_n, size_t n, size_t size)
{
    void *q = orr_alloc(n, size);

    if (!q) return NULL;
    if (p) memcpy(q, p, (old_n < n ? old_n : n) * size);
    free(p);
    return q;
}

char *orr_strdup(const char *s)
{
    size_t n;
    char *copy;

    if (!s) return NULL;
    n = strlen(s) + 1;
    if ((copy = orr_alloc(n, 1))) memcpy(copy, s, n);
    return copy;
}

void orr_free(void *p)
{
    free(p);
}

int64_t orr_alloc_count(void)
{
    return atomic_load(&alloc_calls);
}

void orr_alloc_fail_at(int64_t n)
{
    atomic_store(&fail_at, n > 0 ? atomic_load(&alloc_calls) + n : 0);
}
