/* nn/losses/kinds.h - every loss: a file with its row, a word here.   Not collective. */
#ifndef ORR_NN_LOSSES_KINDS_H
#define ORR_NN_LOSSES_KINDS_H

#include "nn/loss_kind_private.h"

/* In the order of the help, and of `auto`. */
/* clang-format off */
#define ORR_LOSS_KINDS(KIND) \
    KIND(bce) KIND(ce) KIND(mse) KIND(binned_ce) KIND(crps) KIND(expected_mse)
/* clang-format on */

#define ORR_LOSS_KIND(NAME) extern const orr_loss_kind orr_loss_##NAME;
ORR_LOSS_KINDS(ORR_LOSS_KIND)
#undef ORR_LOSS_KIND

#endif
