/* jobs/model/model.h - everything that turns a stored sample into an answer: transforms, graph,
 * weights, loss, class names. One object is made by training (from the job) and by predicting (from
 * a model file), so that what trained is what serves. Model file "orrery-model-1": docs/formats.md.
 * Not collective: jobs loads on every rank and saves on one. */
#ifndef ORR_JOBS_MODEL_MODEL_H
#define ORR_JOBS_MODEL_MODEL_H

#include "core/config.h"
#include "data/schema_match.h"
#include "data/shard.h"
#include "data/transform.h"
#include "jobs/model/seen.h"
#include "jobs/model/train_job.h"
#include "nn/loss.h"
#include "nn/net.h"
#include "stats/calibration.h"

#include <cjson/cJSON.h>

typedef struct orr_model {
    orr_schema schema; /* of the samples it was made for */
    orr_transform *transform;
    int n_aux; /* numbers beside a sample that the net takes */
    char aux_names[ORR_MAX_AUX][ORR_DATA_NAME_MAX];
    orr_transform *aux_transform; /* of the vector of them; NULL without */
    orr_graph *graph;
    orr_backend *backend; /* nets of it are made with it, and go first */
    orr_loss loss;
    orr_calibration calibration; /* of densities: what their cumulative is passed through */
    int outputs;
    double threshold;  /* binary: probability above which the positive class is named */
    orr_config *texts; /* trees the parts above were read from (model file) */
    float
        *weights; /* loaded: all tensors in file order, until a net takes them; NULL in training */
    char *job;    /* resolved job file; "" if unknown */
    orr_text remarks; /* what is allowed and seldom meant, for those who train it; "" */
    cJSON *record;    /* provenance and metrics, as saved; may be NULL */
    orr_seen seen;    /* which samples made it */
} orr_model;

/* From a job, for samples of this schema.  The transform is created, not fitted. */
orr_status orr_model_create(orr_model *m, const orr_train_job *job, const orr_schema *schema);
void orr_model_destroy(orr_model *m);
/* Model file, or a run's folder (its model.h5). */
orr_status orr_model_load(orr_model *m, const char *path, const char *kernels);
/* Writes path atomically with the net's present weights. record: JSON object, borrowed. */
orr_status orr_model_save(const orr_model *m, const orr_net *net, const char *path,
                          const cJSON *record);
/* The net of a loaded model, with its weights. */
orr_status orr_model_net(orr_net **out, orr_model *m, const orr_limits *limits);
/* What the model wants of a set, as data/schema_match.h takes it; whose: what it is called. */
orr_schema_side orr_model_side(const orr_model *m, const char *whose);
/* ORR_ERR_SHAPE unless samples of this schema are what the model takes, in its order or in another
 * (orr_samples_arrange); says what differs.  what: name of the data. */
orr_status orr_model_accepts(const orr_model *m, const orr_schema *s, const char *what);
/* Where each of the model's aux numbers stands in sets of this schema: columns[n_aux].
 * ORR_ERR_SHAPE naming the one that is missing or there twice. */
orr_status orr_model_aux_columns(const orr_model *m, const orr_schema *s, const char *what,
                                 int *columns);
/* Numbers that the net takes of it, after the transform; 0 without. */
int orr_model_aux_width(const orr_model *m);
/* Classes the answer distinguishes: 2 for bce, C for ce, 0 for values and densities. */
int orr_model_n_classes(const orr_model *m);
/* Says what the target is, over what the set said: "value" or "redshift"; any other word leaves it.
 * ORR_ERR_OPTION where there is not one target. */
orr_status orr_model_set_target_kind(orr_model *m, const char *word, const char *option);
/* A warning where the target has the name of a redshift and nobody has said what it is.  option:
 * how to say it. */
void orr_model_tell_target(const orr_model *m, const char *component, const char *option);
/* Is the target a redshift, as whoever made the set or the job has said? */
int orr_schema_is_redshift(const orr_schema *s);
/* "planet", or "1" when it has no name. */
const char *orr_class_name(const orr_schema *s, int i, char *buf, size_t bytes);

#endif
