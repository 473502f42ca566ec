/* data/augment.h - random changes to a training sample, after the transforms, keyed by (seed,
 * epoch, sample id, place, op).
 *
 *   augment:
 *     - roll: {max: 0}        # circular shift along w by 0..max-1 samples; 0 = the full length
 *     - flip: {axis: w, probability: 0.5}  # w, h, or time (= w)
 *     - rotate90: {}          # a quarter turn 0..3 times, square images
 *     - noise: {sigma: 0.01}  # + N(0, sigma) each number; relative: true = times the deviation of
 *                             # the sample itself
 *     - scale: {min: 0.9, max: 1.1}        # times one uniform number
 *
 * All channels move together.  A step without options may be written by its name alone.
 * Not collective; apply is thread-safe. */
#ifndef ORR_DATA_AUGMENT_H
#define ORR_DATA_AUGMENT_H

#include "core/config.h"
#include "core/options.h"
#include "core/status.h"
#include "core/text.h"
#include "data/transform.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_augment orr_augment;

/* The i-th kind for help, 0 past the last. */
int orr_augment_kind_help(int i, orr_kind_help *out);

orr_status orr_augment_create(orr_augment **out, const orr_node *list, orr_sample_shape shape);
void orr_augment_destroy(orr_augment *a);
int orr_augment_n_ops(const orr_augment *a);
/* In place on one sample.  key names this draw of this sample (orr_draw_key); scratch: one sample.
 */
void orr_augment_apply(const orr_augment *a, uint64_t key, float *x, float *scratch);
/* orr_rng_key(seed, ORR_RNG_AUGMENT, epoch, sample key, place): also what nn's dropout is keyed by.
 */
uint64_t orr_draw_key(uint64_t seed, int64_t epoch, uint64_t sample_key, int64_t place);

#ifdef __cplusplus
}
#endif
#endif
