/* nn/losses/kinds.c - the list of losses. */
#include "nn/losses/kinds.h"

#include <stdio.h>
#include <string.h>

#define ROW(NAME) &orr_loss_##NAME,
static const orr_loss_kind *const kinds[] = { ORR_LOSS_KINDS(ROW) };
enum { N_KINDS = sizeof kinds / sizeof *kinds };

const orr_loss_kind *const *orr_loss_kinds(int *n)
{
    *n = N_KINDS;
    return kinds;
}

static int is_first(int row)
{
    for (int i = 0; i < row; i++)
        if (strcmp(kinds[i]->name, kinds[row]->name) == 0) return 0;
    return 1;
}

/* Each name once, auto before them. */
const char *orr_loss_word(int i)
{
    if (i == 0) return "auto";
    for (int row = 0; row < N_KINDS; row++)
        if (is_first(row) && --i == 0) return kinds[row]->name;
    return NULL;
}

int orr_loss_kind_help(int i, orr_kind_help *out)
{
    if (i >= N_KINDS) return 0;
    *out = (orr_kind_help){ kinds[i]->name, kinds[i]->help, kinds[i]->options };
    return 1;
}
