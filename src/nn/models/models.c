/* nn/models/models.c - the built-in models by name. */
#include "nn/models/models.h"

#include "core/options.h"
#include "nn/graph.h"

#include <string.h>

static const orr_model *const models[] = { &orr_model_kepler_cnn, &orr_model_kepler_cnn2,
                                           &orr_model_moons };
enum { N_MODELS = sizeof models / sizeof *models };
static const char *const names[N_MODELS] = { "kepler-cnn", "kepler-cnn2", "moons" };

const char *const *orr_model_names(int *n)
{
    *n = N_MODELS;
    return names;
}

orr_status orr_model_build(orr_graph **out, const char *name, orr_shape input)
{
    const char *near;

    *out = NULL;
    for (int i = 0; i < N_MODELS; i++) {
        orr_status st;
        if (strcmp(models[i]->name, name) != 0) continue;
        st = orr_graph_parse_text(out, input, models[i]->layers);
        return st == ORR_OK ? st : orr_fail_prefix(st, "model %s: ", name);
    }
    near = orr_nearest(name, names, N_MODELS);
    return orr_fail(ORR_ERR_OPTION,
                    "there is no model \"%s\"%s%s%s; known are kepler-cnn, kepler-cnn2, moons",
                    name, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}
