/* nn/kernels/cpu/tile.h - the register tiles that dense layers are made of.   Not collective.
 *
 * Every element of a tile is one sum in one fixed order that depends on the length alone, so a
 * tile's height changes speed and never a bit. */
#ifndef ORR_NN_KERNELS_CPU_TILE_H
#define ORR_NN_KERNELS_CPU_TILE_H

#include <stddef.h>

enum { ORR_TILE_ROWS = 6, ORR_TILE_MAX_WIDE = 4, ORR_TILE_MAX_LANES = 16 };

/* acc[s][o] (vectors of `lanes` partial sums, o fastest) += x[s][0..k) * w[o][0..k); k is a
 * multiple of lanes. */
typedef void (*orr_dot_tile)(int k, const float *w, size_t ldw, const float *x, size_t ldx,
                             float *acc);
/* out[i] = the sum of the lanes of vector i of acc: halves are added until one lane is left. */
typedef void (*orr_fold)(int n, const float *acc, float *out);
/* c[i][v] = tree over the leaves of (sum over j in [leaf[l], leaf[l+1]) of a[i*ai + j*aj] * b[j*ldb
 * + v]); m >= 1. stack: room for ORR_LEAF_DEPTH tiles when m > 1.  ahead: 0, or rows of b to
 * prefetch before they are read. */
typedef struct orr_outer_args {
    int m;
    const int *leaf;
    const float *a;
    size_t ai, aj;
    const float *b;
    size_t ldb;
    int ahead;
    float *stack, *c;
    size_t ldc;
} orr_outer_args;
typedef void (*orr_outer_tile)(const orr_outer_args *p);

typedef struct orr_tiles {
    int lanes, wide; /* floats in a vector; vectors (outer) or outputs (dot) of a wide tile */
    orr_dot_tile dot[2][4];     /* [1 or `wide` outputs][1, 2, 4 or 6 samples] */
    orr_outer_tile outer[2][4]; /* [1 or `wide` vectors][1, 2, 4 or 6 rows] */
    orr_fold fold;
} orr_tiles;

const orr_tiles *orr_tiles_get(void); /* for the machine at hand */

/* Which tile height suits `left` rows: an index into [4]. */
static inline int orr_tile_pick(int left, int *rows)
{
    static const int heights[4] = { 1, 2, 4, 6 };
    int i = left >= 6 ? 3 : left >= 4 ? 2 : left >= 2 ? 1 : 0;

    *rows = heights[i];
    return i;
}

#endif
