/* nn/losses/kinds.h - every loss, one row each; kinds.c lists them.   Not collective. */
#ifndef ORR_NN_LOSSES_KINDS_H
#define ORR_NN_LOSSES_KINDS_H

#include "nn/loss_kind_private.h"

extern const orr_loss_kind orr_loss_bce, orr_loss_ce, orr_loss_mse, orr_loss_binned_ce,
    orr_loss_expected_mse, orr_loss_crps;

#endif
