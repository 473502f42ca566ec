/* nn/models/inception.c - redshifts from five-band images of galaxies: nets of inception blocks
 * (Szegedy et al. 2015), as densities over redshift bins (logits; the softmax is the loss's).
 *
 * pasquet: Pasquet, Bertin, Treyer, Arnouts, Fouchez 2019, A&A 621, A26, and their released code:
 * PReLU per channel that begins as ReLU, biases 0.1, E(B-V) joined before the dense layers.
 * 27,596,372 parameters on 64 x 64 x 5 and one aux number.
 * inception: the smaller net of github.com/JuLieAlgebra/cv_final_project: LeakyReLU(0.3), Keras's
 * defaults.  1,436,000 parameters on 32 x 32 x 5.
 * inception-mixed: the same with aux numbers (magnitudes, E(B-V)) joined to the 5,568 features, and
 * a hidden dense layer of 128 ReLU after the join, without which image and numbers could only add
 * up: 1,604,832 + 128 n_aux parameters on 32 x 32 x 5.
 *
 * An inception block, on x, of f1 and f2 filters:
 *     1x1 f2 | 1x1 f1 - 5x5 f2 | 1x1 f1 - 3x3 f2 | 1x1 f1 - average pool 2x2, stride 1
 * side by side.  Every convolution is padded to the same size and followed by the activation; every
 * pooling pads as TensorFlow does and leaves the padding out of the mean. */
#include "nn/models/models.h"

typedef struct style {
    const char *init; /* of convolutions and dense layers */
    const char *activation;
    int five_before_three; /* order of the 3x3 and 5x5 parts in a block's channels */
} style;

static const style keras = { "init: glorot", "leaky_relu: {slope: 0.3", 0 };
static const style pasquet = { "init: glorot, bias_init: 0.1", "prelu: {per_channel: true, init: 0",
                               1 };

/* A convolution called BLOCK_PART and its activation, BLOCK_PART_act.  from NULL: the node before.
 */
static void conv(orr_text *t, const style *s, const char *block, const char *part, int filters,
                 int size, const char *from)
{
    orr_text_printf(t, "  - conv2d: {filters: %d, size: %d, padding: same, %s, name: %s%s%s%s}\n",
                    filters, size, s->init, block, part, from ? ", input: " : "", from ? from : "");
    orr_text_printf(t, "  - %s, name: %s%s_act}\n", s->activation, block, part);
}

static void halve(orr_text *t, const char *name)
{
    orr_text_printf(t, "  - avg_pool2d: {size: 2, padding: same, name: %s}\n", name);
}

/* A block called `name` on the node called `from`. */
static void inception(orr_text *t, const style *s, const char *name, const char *from, int f1,
                      int f2, int with_five)
{
    conv(t, s, name, "_1x1", f2, 1, from);
    conv(t, s, name, "_3x3_reduce", f1, 1, from);
    conv(t, s, name, "_3x3", f2, 3, NULL);
    if (with_five) {
        conv(t, s, name, "_5x5_reduce", f1, 1, from);
        conv(t, s, name, "_5x5", f2, 5, NULL);
    }
    conv(t, s, name, "_pool_reduce", f1, 1, from);
    orr_text_printf(t, "  - avg_pool2d: {size: 2, stride: 1, padding: same, name: %s_pool}\n",
                    name);
    orr_text_printf(t, "  - concat: {name: %s, inputs: [%s_1x1_act", name, name);
    if (with_five && s->five_before_three) orr_text_printf(t, ", %s_5x5_act", name);
    orr_text_printf(t, ", %s_3x3_act", name);
    if (with_five && !s->five_before_three) orr_text_printf(t, ", %s_5x5_act", name);
    orr_text_printf(t, ", %s_pool]}\n", name);
}

static void dense(orr_text *t, const style *s, const char *name, int units)
{
    orr_text_printf(t, "  - linear: {units: %d, %s, name: %s}\n  - relu\n", units, s->init, name);
}

static void join_aux(orr_text *t)
{
    orr_text_add(t, "  - flatten: {order: last, name: features}\n"
                    "  - aux: {name: numbers}\n"
                    "  - concat: {name: joined, inputs: [features, numbers]}\n");
}

static void write_images(orr_text *t)
{
    orr_text_add(t, "layers:\n");
    conv(t, &keras, "conv", "1", 64, 5, NULL);
    halve(t, "pool1");
    inception(t, &keras, "inception1", "pool1", 48, 64, 1);
    halve(t, "pool2");
    inception(t, &keras, "inception2", "pool2", 92, 128, 1);
    halve(t, "pool3");
    inception(t, &keras, "inception3", "pool3", 92, 128, 0);
}

static void write_inception(orr_text *t)
{
    write_images(t);
    orr_text_add(t, "  - flatten: {order: last, name: features}\n");
}

static void write_mixed(orr_text *t)
{
    write_images(t);
    join_aux(t);
    dense(t, &keras, "fc1", 128);
}

static void write_pasquet(orr_text *t)
{
    orr_text_add(t, "layers:\n");
    conv(t, &pasquet, "conv", "1", 64, 5, NULL);
    halve(t, "pool1");
    inception(t, &pasquet, "inception1", "pool1", 48, 64, 1);
    inception(t, &pasquet, "inception2", "inception1", 64, 92, 1);
    halve(t, "pool2");
    inception(t, &pasquet, "inception3", "pool2", 92, 128, 1);
    inception(t, &pasquet, "inception4", "inception3", 92, 128, 1);
    halve(t, "pool3");
    inception(t, &pasquet, "inception5", "pool3", 92, 128, 0);
    join_aux(t);
    dense(t, &pasquet, "fc1", 1096);
    dense(t, &pasquet, "fc2", 1096);
}

const orr_model_recipe orr_model_inception = {
    .name = "inception",
    .write = write_inception,
    .outputs = 100,
    .last = ", init: glorot",
};

const orr_model_recipe orr_model_inception_mixed = {
    .name = "inception-mixed",
    .write = write_mixed,
    .outputs = 100,
    .last = ", init: glorot",
    .without_aux = "take inception, or data with aux columns",
};

const orr_model_recipe orr_model_pasquet = {
    .name = "pasquet",
    .write = write_pasquet,
    .outputs = 180,
    .last = ", init: glorot, bias_init: 0.1",
    .without_aux = "take data with an aux column, E(B-V)",
};
