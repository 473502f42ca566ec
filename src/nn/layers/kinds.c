/* nn/layers/kinds.c - the list of layer kinds. */
#include "nn/layers/kinds.h"

#include "core/rows.h"

#define ROW(NAME) &orr_kind_##NAME,
static const orr_layer_kind *const kinds[] = { ORR_LAYER_KINDS(ROW) };
enum { N_KINDS = sizeof kinds / sizeof *kinds };

const orr_layer_kind *const *orr_layer_kinds(int *n)
{
    *n = N_KINDS;
    return kinds;
}

const orr_layer_kind *orr_layer_kind_find(const char *kind)
{
    int i = orr_row_named(kinds, N_KINDS, kind, NULL);

    return i < 0 ? NULL : kinds[i];
}
