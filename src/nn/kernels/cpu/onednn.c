/* nn/kernels/cpu/onednn.c - the one file that knows oneDNN's API (2.x; 3.x renames it). */
#include "nn/kernels/cpu/onednn.h"

#include "core/memory.h"

#include <dnnl.h>
#include <omp.h>
#include <string.h>

enum { MAX_PARTS = 4 };

/* A primitive for one thread, with one set of memory objects and one scratchpad for every thread. */
typedef struct job {
    int samples;
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t w_desc;  /* the weights as the primitive wants them */
    dnnl_memory_t *memory;      /* [threads][3]: src, weights, dst (or their gradients) */
    dnnl_memory_t *bias;        /* [threads] or NULL */
    dnnl_memory_t *scratch;     /* [threads] */
    void *scratch_bytes;
} job;

struct orr_dnnl_conv {
    orr_conv_shape s;
    int threads, n_weights;     /* leaf sizes */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_memory_desc_t plain;   /* [k][r][s][c] */
    job forward, data, *weights;
    float *packed;              /* weights in blocks; one block a thread for gradients */
    size_t packed_floats;       /* of one */
    float *no_bias;
    dnnl_primitive_t pack[2], *unpack; /* plain -> forward's, data's; each leaf size's -> plain */
    dnnl_memory_t plain_memory, packed_memory[2], *unpack_memory; /* [n_weights][threads][2] */
};

#define TRY_DNNL(CALL)                                                                             \
    do {                                                                                           \
        dnnl_status_t dnnl_ = (CALL);                                                              \
        if (dnnl_ != dnnl_success)                                                                 \
            return orr_fail(dnnl_ == dnnl_out_of_memory ? ORR_ERR_NOMEM : ORR_ERR_UNSUPPORTED,     \
                            "convolution: oneDNN refused with status %d", (int)dnnl_);             \
    } while (0)
