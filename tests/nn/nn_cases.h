/* tests/nn/nn_cases.h - small nets for every layer kind, batches with uneven and empty leaves, and
 * reproducible numbers: shared by the tests of layers and by the program that dumps the double
 * build's answers. */
#ifndef TESTS_NN_CASES_H
#define TESTS_NN_CASES_H

#include "nn/graph.h"
#include "nn/net.h"

typedef struct nn_case {
    const char *kind; /* the kind it is there for */
    orr_shape input;
    const char *layers; /* YAML, without "layers:" */
    int n_aux;
} nn_case;

extern const nn_case nn_cases[];
extern const int n_nn_cases;
/* Sizes that fill vectors and blocks and leave tails, for tables against one another. */
extern const nn_case nn_large_cases[];
extern const int n_nn_large_cases;

enum { NN_LEAVES = 6, NN_MAX_SAMPLES = 16, NN_MAX_AUX = 4 };

/* A batch of NN_LEAVES leaves, one of them empty and one of a single sample; rank's share of it. */
typedef struct nn_batch {
    orr_batch b;
    orr_leaf_plan plan;
    int leaf[NN_LEAVES + 1], segment[ORR_MAX_SEGMENTS + 1];
    uint64_t keys[NN_MAX_SAMPLES];
    int first_sample; /* in the whole batch */
    orr_real aux[NN_MAX_SAMPLES * NN_MAX_AUX];
} nn_batch;

/* Where the whole batch's leaves begin; [NN_LEAVES] = its samples. */
extern const int nn_leaf_begin[NN_LEAVES + 1];
orr_status nn_batch_init(nn_batch *t, int rank, int size);
/* Numbers beside the batch's samples, n_aux each; NULL when n_aux is 0. */
const orr_real *nn_batch_aux(nn_batch *t, int n_aux);
/* The same samples with several segments whatever the tree says: leaves 0-2, 3, 4-5. */
void nn_batch_three_segments(nn_batch *t);

/* Uniform in [-1, 1), exact in float; a function of both arguments. */
double nn_number(uint64_t stream, uint64_t i);
orr_status nn_case_graph(orr_graph **out, const nn_case *c);
/* Made once by name, and kept until the program ends; NULL with a sentence when it cannot be. */
orr_backend *nn_backend(const char *name);
/* A net for the case's batches, its parameters drawn and then moved off their special values. */
orr_status nn_case_net(orr_net **out, orr_graph *g, orr_backend *be, int training);
/* n numbers in the back end's memory: those of x (NULL: zeros), and back. */
orr_real *nn_upload(orr_backend *be, const orr_real *x, size_t n);
orr_status nn_download(orr_backend *be, const orr_real *p, orr_real *out, size_t n);
/* Backward from dy, the host's. */
orr_status nn_backward(orr_net *net, const orr_batch *b, const orr_real *dy, size_t n);
void nn_fill(orr_real *x, size_t n, uint64_t stream);

/* Everything a net answers about a case, part after part: outputs in training, gradient of the
 * input, each parameter's gradient (summed over segments, PyTorch's order), state after the update,
 * outputs in evaluation. */
enum { NN_MAX_PARTS = 48, NN_ANSWER_MAX = 1 << 19 };
typedef struct nn_answer {
    int n_parts;
    size_t begin[NN_MAX_PARTS + 1];
    char name[NN_MAX_PARTS][64];
    double v[NN_ANSWER_MAX];
} nn_answer;
orr_status nn_case_answer(nn_answer *a, const nn_case *c, uint64_t stream, orr_backend *be);

#endif
