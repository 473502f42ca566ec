/* nn/kernels/kernels.c - the tables by name. */
#include "nn/kernels.h"

#if !defined ORR_REAL_F64 && !defined ORR_NO_CPU_KERNELS
#include "nn/kernels/cpu/bf16.h"
#endif

#include <string.h>

static const orr_kernels *const tables[] = {
#if !defined ORR_REAL_F64 && !defined ORR_NO_CPU_KERNELS
    &orr_kernels_cpu,
    &orr_kernels_cpu_bf16,
#endif
    &orr_kernels_check,
};

/* A table that the processor cannot run is refused; no other takes its place. */
static orr_status usable(const orr_kernels **out)
{
#if !defined ORR_REAL_F64 && !defined ORR_NO_CPU_KERNELS
    if (*out == &orr_kernels_cpu_bf16 && !orr_bf16_supported()) {
        *out = NULL;
        return orr_fail(ORR_ERR_UNSUPPORTED, "kernels cpu-bf16: this processor has neither "
                                             "AVX512-BF16 nor AMX: use cpu, which is fp32");
    }
#endif
    (void)out;
    return ORR_OK;
}

orr_status orr_kernels_find(const orr_kernels **out, const char *name)
{
    const int n = (int)(sizeof tables / sizeof *tables);

    *out = NULL;
    for (int i = 0; i < n; i++) {
        if (strcmp(tables[i]->name, name) == 0) *out = tables[i];
    }
    if (!*out)
        return orr_fail(ORR_ERR_OPTION, "no kernels are called \"%s\": this build has %s", name,
                        n == 1 ? "check" : "cpu, cpu-bf16 and check");
    return usable(out);
}
