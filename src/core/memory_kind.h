/* core/memory_kind.h - where numbers lie: memory that the host reads and writes as its own, or
 * memory that belongs to a device, which the host may hand on but never look into.
 *
 * Who moves numbers that somebody else allocated (comm's reductions of nn's gradients) gets an
 * orr_memory beside the pointers.  A device works on its own time: a mark is a place in what it was
 * asked to do, and what was asked before the mark may be read once the mark is reached.
 * Not collective. */
#ifndef ORR_CORE_MEMORY_KIND_H
#define ORR_CORE_MEMORY_KIND_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

typedef enum orr_memory_kind { ORR_MEM_HOST, ORR_MEM_DEVICE } orr_memory_kind;

/* All of one owner's memory; the owner outlives it.  With ORR_MEM_HOST the rest is not looked at.
 */
typedef struct orr_memory {
    orr_memory_kind kind;
    void *ctx;
    /* ORR_OK when the mark is reached, ORR_PENDING, or what went wrong on the device. */
    orr_status (*reached)(void *ctx, int64_t mark);
    /* Between the host's memory and the device's.  Both wait until host may be used again. */
    orr_status (*download)(void *ctx, void *host, const void *from, size_t bytes);
    orr_status (*upload)(void *ctx, void *to, const void *host, size_t bytes);
} orr_memory;

#endif
