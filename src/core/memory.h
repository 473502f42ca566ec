/* core/memory.h - the one allocator: zeroed, 64-byte aligned, countable, and able to fail on
 * purpose.  ORR_ALLOC_FAIL=n in the environment makes the n-th orr_alloc of the process (from 1)
 * fail, for tests that walk every out-of-memory path.  The count is what "no allocation inside a
 * step" is asserted with.  Thread-safe.   Not collective. */
#ifndef ORR_CORE_MEMORY_H
#define ORR_CORE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_ALIGN = 64 }; /* bytes: a cache line and an AVX-512 register */

/* n * size zeroed bytes for the caller to orr_free; NULL when there are none, n * size overflows,
 * or is more than orr_memory_most: the system would promise that, and end the process later.  n = 0
 * gives a block that may be freed. */
void *orr_alloc(size_t n, size_t size);
/* Grows (or shrinks) a block from old_n to n elements, new ones zeroed; on failure NULL and the old
 * block stays. */
void *orr_realloc(void *p, size_t old_n, size_t n, size_t size);
/* Bytes of memory that this machine has, or that the control groups of this process may have, if
 * that is less; and the same as it was when first asked.  root: as core/cgroup.h has it. */
size_t orr_memory_limit(const char *root);
size_t orr_memory_most(void);
char *orr_strdup(const char *s);   /* s NULL gives NULL */
void orr_free(void *p);            /* NULL is fine */
int64_t orr_alloc_count(void);     /* orr_alloc and orr_realloc calls of this process so far */
void orr_alloc_fail_at(int64_t n); /* for tests: the n-th call from now fails; 0 = none */

#ifdef __cplusplus
}
#endif
#endif
