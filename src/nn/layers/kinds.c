/* nn/layers/kinds.c - the list of layer kinds. */
#include "nn/layers/kinds.h"

#include <string.h>

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
    for (int i = 0; i < N_KINDS; i++)
        if (!strcmp(kinds[i]->kind, kind)) return kinds[i];
    return NULL;
}
