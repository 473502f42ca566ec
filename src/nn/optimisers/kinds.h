/* nn/optimisers/kinds.h - every optimiser, one row each; kinds.c lists them.   Not collective. */
#ifndef ORR_NN_OPTIMISERS_KINDS_H
#define ORR_NN_OPTIMISERS_KINDS_H

#include "nn/optimiser_kind_private.h"

extern const orr_optimiser_kind orr_optimiser_adam, orr_optimiser_adamw, orr_optimiser_sgd;

#endif
