/* nn/kernels/cpu/cpu.c - the tables cpu and cpu-bf16. */
#include "nn/kernels/cpu/cpu.h"
#include "nn/kernels/host.h"

#include "core/memory.h"

static void *cpu_alloc(orr_backend *be, size_t bytes)
{
    (void)be;
    return orr_alloc(bytes, 1);
}

static void cpu_free(orr_backend *be, void *p)
{
    (void)be;
    orr_free(p);
}

/* All slots but the name and conv_plan: a plan knows its precision. */
#define SLOTS                                                                                      \
    ORR_HOST_OPS,                                                                                  \
        .alloc = cpu_alloc, .free = cpu_free, .linear_forward = orr_cpu_linear_forward,            \
        .linear_backward_data = orr_cpu_linear_backward_data,                                      \
        .linear_backward_params = orr_cpu_linear_backward_params,                                  \
        .conv_forward = orr_cpu_conv_forward, .conv_backward_data = orr_cpu_conv_backward_data,    \
        .conv_backward_params = orr_cpu_conv_backward_params, .conv_unplan = orr_cpu_conv_unplan,  \
        .max_pool_forward = orr_cpu_max_pool_forward,                                              \
        .max_pool_backward = orr_cpu_max_pool_backward,                                            \
        .avg_pool_forward = orr_cpu_avg_pool_forward,                                              \
        .avg_pool_backward = orr_cpu_avg_pool_backward, .act_forward = orr_cpu_act_forward,        \
        .act_backward = orr_cpu_act_backward, .prelu_forward = orr_cpu_prelu_forward,              \
        .prelu_backward = orr_cpu_prelu_backward, .softmax_forward = orr_cpu_softmax_forward,      \
        .softmax_backward = orr_cpu_softmax_backward, .dropout = orr_cpu_dropout,                  \
        .norm_moments = orr_cpu_norm_moments, .norm_forward = orr_cpu_norm_forward,                \
        .norm_backward_sums = orr_cpu_norm_backward_sums,                                          \
        .norm_backward_data = orr_cpu_norm_backward_data, .add = orr_cpu_add,                      \
        .copy_channels = orr_cpu_copy_channels, .transpose = orr_cpu_transpose

const orr_backend_ops orr_backend_cpu = { .name = "cpu", .conv_plan = orr_cpu_conv_plan, SLOTS };
const orr_backend_ops orr_backend_cpu_bf16 = { .name = "cpu-bf16",
                                               .conv_plan = orr_cpu_conv_plan_bf16,
                                               SLOTS };
