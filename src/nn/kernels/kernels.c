/* nn/kernels/kernels.c - the tables by name. */
#include "nn/kernels.h"

#include <string.h>

static const orr_kernels *const tables[] = {
#if !defined ORR_REAL_F64 && !defined ORR_NO_CPU_KERNELS
    &orr_kernels_cpu,
#endif
    &orr_kernels_check,
};

orr_status orr_kernels_find(const orr_kernels **out, const char *name)
{
    const int n = (int)(sizeof tables / sizeof *tables);

    *out = NULL;
    for (int i = 0; i < n; i++) {
        if (strcmp(tables[i]->name, name) == 0) *out = tables[i];
    }
    if (*out) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION, "no kernels are called \"%s\": this build has %s", name,
                    n == 1 ? "check" : "cpu and check");
}
