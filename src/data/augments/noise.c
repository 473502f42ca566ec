/* data/augments/noise.c - normal noise. */
#include "data/augment_private.h"

#include <math.h>

typedef struct noise_opts {
    double sigma;
    int relative;
} noise_opts;

static const orr_option noise_options[] = {
    ORR_OPTION_REAL(noise_opts, sigma, NULL, 0, 1e30, "deviation of the noise"),
    ORR_OPTION_BOOL(noise_opts, relative, "false", "times the sample's own deviation"),
    ORR_OPTION_END
};

static float deviation(const float *x, size_t n)
{
    double mean = 0, squares = 0;

    for (size_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return (float)sqrt(squares / (double)n);
}

/* Two normal numbers from two words: Box and Muller in float, 32 bits each. */
static void normal_pair(const uint32_t *word, float out[2])
{
    float u = ((float)word[0] + 1.0f) * 0x1p-32f; /* (0, 1] */
    float radius = sqrtf(-2.0f * logf(u > 1.0f ? 1.0f : u));
    float angle = (float)word[1] * (float)(2.0 * M_PI * 0x1p-32);

    out[0] = radius * cosf(angle);
    out[1] = radius * sinf(angle);
}

static void noise(const void *opts, const orr_augment_sample *at)
{
    const noise_opts *o = opts;
    const size_t n = orr_sample_elements(at->shape);
    float *x = at->x;
    float sigma = (float)o->sigma * (o->relative ? deviation(x, n) : 1.0f);

    for (size_t i = 0; i < n; i += 4) {
        orr_philox words = orr_rng_block(at->key, i / 4);
        float z[4];

        normal_pair(words.v, z);
        normal_pair(words.v + 2, z + 2);
        for (size_t k = 0; k < 4 && i + k < n; k++)
            x[i + k] += sigma * z[k];
    }
}

const orr_augment_kind orr_augment_noise = {
    .name = "noise",
    .help = "a normal number added to each, times sigma",
    .options = noise_options,
    .opts_bytes = sizeof(noise_opts),
    .apply = noise,
};
