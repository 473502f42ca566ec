/* nn/kernels/check.c - the check table, and memory that notices who writes beside it or reads
 * before writing.
 *
 * A block is [header][guard][payload][guard].  The guards are 64 bytes of a pattern; the payload
 * starts as 0xFF bytes, which is a NaN in float and double alike. */
#include "nn/kernels/check.h"
#include "nn/kernels/host.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>

enum { GUARD = ORR_ALIGN, HEADER = ORR_ALIGN, PATTERN = 0xA5 };

static const char block_magic[16] = "orrery check";

typedef struct block_header {
    char magic[sizeof block_magic];
    size_t bytes;
} block_header;

_Static_assert(sizeof(block_header) <= HEADER, "the payload stays aligned");

static void *check_alloc(orr_backend *be, size_t bytes)
{
    (void)be;
    size_t total;
    unsigned char *base;

    if (__builtin_add_overflow(bytes, (size_t)HEADER + 2 * GUARD, &total)) return NULL;
    if (!(base = orr_alloc(total, 1))) return NULL;
    block_header *h = (block_header *)base;
    memcpy(h->magic, block_magic, sizeof block_magic);
    h->bytes = bytes;
    memset(base + HEADER, PATTERN, GUARD);
    memset(base + HEADER + GUARD, 0xFF, bytes);
    memset(base + HEADER + GUARD + bytes, PATTERN, GUARD);
    return base + HEADER + GUARD;
}

static orr_status check_verify(orr_backend *be, const void *p)
{
    (void)be;
    if (!p) return ORR_OK;
    const unsigned char *payload = p;
    const block_header *h = (const block_header *)(payload - GUARD - HEADER);

    if (memcmp(h->magic, block_magic, sizeof block_magic) != 0)
        return orr_fail(ORR_ERR_INTERNAL,
                        "not a block of the check kernels, or its header was overwritten");
    for (int i = 0; i < GUARD; i++) {
        if (payload[-1 - i] != PATTERN)
            return orr_fail(ORR_ERR_INTERNAL,
                            "a block of %zu bytes was written %d bytes before its start", h->bytes,
                            i + 1);
        if (payload[h->bytes + (size_t)i] != PATTERN)
            return orr_fail(ORR_ERR_INTERNAL,
                            "a block of %zu bytes was written %d bytes past its end", h->bytes,
                            i + 1);
    }
    return ORR_OK;
}

/* A broken guard leaves its sentence behind.  A block whose header is gone is not freed: its start
 * is not known. */
static void check_free(orr_backend *be, void *p)
{
    if (!p) return;
    unsigned char *base = (unsigned char *)p - GUARD - HEADER;
    int known = memcmp(base, block_magic, sizeof block_magic) == 0;

    (void)check_verify(be, p);
    if (!known) return;
    memset(base, 0, sizeof(block_header));
    orr_free(base);
}

static void check_poison(orr_backend *be, orr_real *x, size_t n)
{
    (void)be;
    for (size_t i = 0; i < n; i++)
        x[i] = (orr_real)NAN;
}

const orr_backend_ops orr_backend_check = {
    .name = "check",
    ORR_HOST_OPS,
    .alloc = check_alloc,
    .free = check_free,
    .verify = check_verify,
    .poison = check_poison,
    .linear_forward = orr_check_linear_forward,
    .linear_backward_data = orr_check_linear_backward_data,
    .linear_backward_params = orr_check_linear_backward_params,
    .conv_plan = orr_check_conv_plan,
    .conv_forward = orr_check_conv_forward,
    .conv_backward_data = orr_check_conv_backward_data,
    .conv_backward_params = orr_check_conv_backward_params,
    .conv_unplan = orr_check_conv_unplan,
    .max_pool_forward = orr_check_max_pool_forward,
    .max_pool_backward = orr_check_max_pool_backward,
    .avg_pool_forward = orr_check_avg_pool_forward,
    .avg_pool_backward = orr_check_avg_pool_backward,
    .act_forward = orr_check_act_forward,
    .act_backward = orr_check_act_backward,
    .prelu_forward = orr_check_prelu_forward,
    .prelu_backward = orr_check_prelu_backward,
    .softmax_forward = orr_check_softmax_forward,
    .softmax_backward = orr_check_softmax_backward,
    .dropout = orr_check_dropout,
    .norm_moments = orr_check_norm_moments,
    .norm_forward = orr_check_norm_forward,
    .norm_backward_sums = orr_check_norm_backward_sums,
    .norm_backward_data = orr_check_norm_backward_data,
    .add = orr_check_add,
    .copy_channels = orr_check_copy_channels,
    .transpose = orr_check_transpose,
};
