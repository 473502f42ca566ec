/* nn/models/models.h - the built-in models: a name, and the layers in the language of job files.
 * The last layer, a linear one called "out", is models.c's, for a caller may choose its units.
 * Not collective. */
#ifndef ORR_NN_MODELS_MODELS_H
#define ORR_NN_MODELS_MODELS_H

#include "core/text.h"

typedef struct orr_model_recipe {
    const char *name;
    const char *layers;           /* all but the last, for orr_graph_parse_text; or NULL: */
    void (*write)(orr_text *out); /* appends them */
    int outputs;                  /* units of the last layer, as published */
    const char *last;             /* its further options, ", init: glorot"; NULL = none */
    const char *without_aux; /* a model that reads aux: what to do when there are none; else NULL */
} orr_model_recipe;

extern const orr_model_recipe orr_model_kepler_cnn, orr_model_kepler_cnn2, orr_model_moons,
    orr_model_inception, orr_model_inception_mixed, orr_model_pasquet;

#endif
