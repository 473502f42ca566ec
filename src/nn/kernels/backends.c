/* nn/kernels/backends.c - the list of back ends, and making them by name. */
#include "nn/backend.h"

#include "core/memory.h"
#include "core/rows.h"
#include "core/text.h"

#if !defined ORR_REAL_F64 && !defined ORR_NO_CPU_KERNELS
#include "nn/kernels/cpu/bf16.h"
#endif

static const orr_backend_ops *const list[] = {
#if !defined ORR_REAL_F64 && !defined ORR_NO_CPU_KERNELS
    &orr_backend_cpu,
    &orr_backend_cpu_bf16,
#endif
    &orr_backend_check,
    &orr_backend_fenced,
};
enum { N_BACKENDS = sizeof list / sizeof *list };

/* A back end that the processor cannot run is refused; no other takes its place. */
static orr_status usable(const orr_backend_ops *ops)
{
#if !defined ORR_REAL_F64 && !defined ORR_NO_CPU_KERNELS
    if (ops == &orr_backend_cpu_bf16 && !orr_bf16_supported())
        return orr_fail(ORR_ERR_UNSUPPORTED, "kernels cpu-bf16: this processor has neither "
                                             "AVX512-BF16 nor AMX: use cpu, which is fp32");
#endif
    (void)ops;
    return ORR_OK;
}

const char *orr_backend_name(int i)
{
    return orr_row_name(list, N_BACKENDS, i);
}

static orr_status find(const orr_backend_ops **out, const char *name)
{
    int i = orr_row_named(list, N_BACKENDS, name, NULL);
    orr_text words = { .max = 256 };

    if (i >= 0) {
        *out = list[i];
        return usable(list[i]);
    }
    for (int k = 0; k < N_BACKENDS; k++)
        orr_text_printf(&words, "%s%s", k ? ", " : "", list[k]->name);
    orr_fail(ORR_ERR_OPTION, "no kernels are called \"%s\": this build has %s", name,
             words.s ? words.s : "");
    orr_text_free(&words);
    return ORR_ERR_OPTION;
}

orr_status orr_backend_create(orr_backend **out, const char *name)
{
    const orr_backend_ops *ops = NULL;
    orr_backend *be;
    orr_status st;

    *out = NULL;
    ORR_TRY(find(&ops, name));
    if (!(be = orr_alloc(1, sizeof *be)))
        return orr_fail(ORR_ERR_NOMEM, "back end %s: %zu bytes", name, sizeof *be);
    be->ops = ops;
    st = ops->create ? ops->create(be) : ORR_OK;
    if (st == ORR_OK)
        *out = be;
    else
        orr_backend_destroy(be);
    return st;
}

static orr_status reached(void *ctx, int64_t mark)
{
    orr_backend *be = ctx;

    return be->ops->reached(be, mark);
}

static orr_status download(void *ctx, void *host, const void *from, size_t bytes)
{
    orr_backend *be = ctx;

    be->ops->download(be, host, from, bytes);
    return be->ops->synchronise(be);
}

static orr_status upload(void *ctx, void *to, const void *host, size_t bytes)
{
    orr_backend *be = ctx;

    be->ops->upload(be, to, host, bytes);
    return be->ops->synchronise(be);
}

orr_memory orr_backend_memory(orr_backend *be)
{
    return (orr_memory){ be->ops->memory, be, reached, download, upload };
}

void orr_backend_destroy(orr_backend *be)
{
    if (!be) return;
    if (be->ops->destroy) be->ops->destroy(be);
    orr_free(be);
}
