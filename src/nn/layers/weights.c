/* nn/layers/weights.c - first values of a weight and its bias. */
#include "nn/layers/weights.h"

#include <math.h>
#include <string.h>

orr_status orr_weight_init(orr_layer *l, const char *init, const char *bias_init, double fan_in,
                           double fan_out)
{
    orr_tensor_info *weight = &l->params[0], *bias = l->n_params > 1 ? &l->params[1] : NULL;
    double number;

    if (!strcmp(init, "glorot"))
        weight->bound = sqrt(6 / (fan_in + fan_out));
    else if (!strcmp(init, "he"))
        weight->bound = sqrt(6 / fan_in);
    else
        weight->bound = 1 / sqrt(fan_in);
    if (bias && strcmp(init, "glorot") != 0 && strcmp(init, "he") != 0) bias->bound = weight->bound;
    if (!strcmp(bias_init, "auto")) return ORR_OK;
    if (!bias) return orr_fail(ORR_ERR_OPTION, "bias_init and bias: false exclude each other");
    if (orr_parse_real(&number, bias_init) != ORR_OK)
        return orr_fail(ORR_ERR_OPTION, "bias_init \"%s\": give a number, or auto", bias_init);
    bias->bound = 0;
    bias->fill = number;
    return ORR_OK;
}
