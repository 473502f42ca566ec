/* nn/optimisers/kinds.c - the list of optimisers. */
#include "nn/optimisers/kinds.h"
#include "core/rows.h"

static const orr_optimiser_kind *const kinds[] = { &orr_optimiser_adam, &orr_optimiser_adamw,
                                                   &orr_optimiser_sgd };
enum { N_KINDS = sizeof kinds / sizeof *kinds };

const orr_optimiser_kind *const *orr_optimiser_kinds(int *n)
{
    *n = N_KINDS;
    return kinds;
}

const char *orr_optimiser_name(int i)
{
    return orr_row_name(kinds, N_KINDS, i);
}

int orr_optimiser_kind_help(int i, orr_kind_help *out)
{
    if (i >= N_KINDS) return 0;
    *out = (orr_kind_help){ kinds[i]->name, kinds[i]->help, NULL };
    return 1;
}
