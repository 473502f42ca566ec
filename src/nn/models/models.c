/* nn/models/models.c - the built-in models by name. */
#include "nn/models/models.h"

#include "core/options.h"
#include "nn/graph.h"

#include <string.h>

static const orr_model_recipe *const models[] = { &orr_model_inception,  &orr_model_inception_mixed,
                                                  &orr_model_kepler_cnn, &orr_model_kepler_cnn2,
                                                  &orr_model_moons,      &orr_model_pasquet };
enum { N_MODELS = sizeof models / sizeof *models };
static const char *const names[N_MODELS] = { "inception",   "inception-mixed", "kepler-cnn",
                                             "kepler-cnn2", "moons",           "pasquet" };

const char *const *orr_model_names(int *n)
{
    *n = N_MODELS;
    return names;
}

static orr_status build(orr_graph **out, const orr_model_recipe *m, orr_shape input, int n_aux,
                        int outputs)
{
    orr_text text = ORR_TEXT_INIT;
    orr_status st;

    if (m->layers)
        orr_text_add(&text, m->layers);
    else
        m->write(&text);
    orr_text_printf(&text, "  - linear: {units: %d, name: out%s}\n", outputs ? outputs : m->outputs,
                    m->last ? m->last : "");
    st = orr_text_status(&text);
    if (st == ORR_OK) st = orr_graph_parse_text(out, input, n_aux, text.s);
    orr_text_free(&text);
    return st == ORR_OK ? st : orr_fail_prefix(st, "model %s: ", m->name);
}

orr_status orr_model_build(orr_graph **out, const char *name, orr_shape input, int n_aux,
                           int outputs)
{
    const char *near;

    *out = NULL;
    if (outputs < 0)
        return orr_fail(ORR_ERR_OPTION, "model %s: %d outputs: give a number above 0", name,
                        outputs);
    for (int i = 0; i < N_MODELS; i++) {
        if (strcmp(models[i]->name, name) != 0) continue;
        if (models[i]->without_aux && n_aux < 1)
            return orr_fail(
                ORR_ERR_OPTION,
                "model %s reads numbers beside each sample (aux), and there are none: %s", name,
                models[i]->without_aux);
        return build(out, models[i], input, n_aux, outputs);
    }
    near = orr_nearest(name, names, N_MODELS);
    return orr_fail(ORR_ERR_OPTION,
                    "there is no model \"%s\"%s%s%s; known are inception, inception-mixed, "
                    "kepler-cnn, kepler-cnn2, moons, pasquet",
                    name, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}
