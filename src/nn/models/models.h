/* nn/models/models.h - the built-in models: a name, and the layers in the language of job files.
 * Not collective. */
#ifndef ORR_NN_MODELS_MODELS_H
#define ORR_NN_MODELS_MODELS_H

typedef struct orr_model {
    const char *name;
    const char *layers; /* for orr_graph_parse_text */
} orr_model;

extern const orr_model orr_model_kepler_cnn, orr_model_kepler_cnn2, orr_model_moons;

#endif
