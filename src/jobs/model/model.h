/* jobs/model/model.h - everything that turns a stored sample into an answer: transforms, graph,
 * weights, loss, class names. One object is made by training (from the job) and by predicting (from
 * a model file), so that what trained is what serves. Model file "orrery-model-1": docs/formats.md.
 * Not collective: jobs loads on every rank and saves on one. */
#ifndef ORR_JOBS_MODEL_MODEL_H
#define ORR_JOBS_MODEL_MODEL_H

#include "core/config.h"
#include "core/file.h"
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
    char *file;       /* it was loaded from; NULL in training */
    cJSON *record;    /* provenance and metrics, as saved; may be NULL */
    orr_seen seen;    /* which samples made it */
} orr_model;

/* From a job, for samples of this schema.  The transform is created, not fitted. */
orr_status orr_model_create(orr_model *m, const orr_train_job *job, const orr_schema *schema);
void orr_model_destroy(orr_model *m);
/* Writes path atomically with the net's present weights. record: JSON object, borrowed. */
orr_status orr_model_save(const orr_model *m, const orr_net *net, const char *path,
                          const cJSON *record);
/* A host copy of the weights: whole slabs, as orr_net_read gives them. */
typedef struct orr_net_copy {
    const orr_real *params, *state;
} orr_net_copy;
/* The same file in memory, for orr_store_image_write (path is for messages), with the weights that
 * were kept, or the net's (NULL). */
orr_status orr_model_image(const orr_model *m, const orr_net *net, const orr_net_copy *kept,
                           const char *path, const cJSON *record, orr_store_image **image);

/* ---- what may stand where a model is wanted ----
 *   model.h5              the end of a training; while it goes on, the best epoch so far
 *   a checkpoint          of any name: the state that it holds
 *   a training's folder   state auto: its model.h5, else its best checkpoint, else its last one;
 *                         best: the best epoch (once the training has ended, its model.h5);
 *                         last: checkpoint-last.h5
 * (Folders of seeds, cross-validations and stacks: jobs/predict/ensemble.h.)  What is not the end
 * of a training has in its record {"checkpoint": {"epoch", "step", "epochs", "best"}}: epochs that
 * were complete, steps of the next one, epochs asked for. */
extern const char orr_checkpoint_format[];
/* Which file that is; does not look into it.  ORR_ERR_IO: none; ORR_ERR_ARG: a state of a file. */
orr_status orr_model_file(char file[ORR_PATH_MAX], const char *path, const char *state);
/* Is path a file, or a folder with one of these? */
int orr_model_is_there(const char *path);
orr_status orr_model_load_state(orr_model *m, const char *path, const char *state,
                                const char *kernels);
orr_status orr_model_load(orr_model *m, const char *path, const char *kernels); /* state auto */
/* Is it another state of a training than its end? */
int orr_model_is_interim(const orr_model *m);
/* "as it stood after epoch 3 of 10, the best so far"; nothing for an end. */
void orr_model_describe_state(const orr_model *m, orr_text *out);
void orr_model_tell_state(const orr_model *m, const char *component); /* a warning, if so */
/* A checkpoint holds a model file's parts but job, calibration and weights, in one place; reading
 * it to go on passes them over (older ones have none). */
orr_status orr_model_put_parts(const orr_model *m, const cJSON *record, orr_store_writer *f);
/* *record and *seen: the caller's, also after a failure; either may be NULL. */
orr_status orr_model_pass_parts(orr_store_reader *f, cJSON **record, orr_seen *seen);

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
