/* nn/kernels/cpu/openblas.h - dense layers by OpenBLAS, leaf by leaf, and which leaves it gets.
 *
 * A leaf is multiplied by itself, in blocks of the result that the layer alone cuts, and each block
 * by one thread: its bits depend on the leaf's size and the layer, not on the leaves beside it, the
 * ranks or the threads.  The choices below must not look at more than that either, or the bits of a
 * sample would change with the number of ranks.   Not collective. */
#ifndef ORR_NN_KERNELS_CPU_OPENBLAS_H
#define ORR_NN_KERNELS_CPU_OPENBLAS_H

/* Whether a leaf of n samples is OpenBLAS's; else it belongs to the tiles of linear.c. */
int orr_blas_takes_forward(int n, int in, int out);
int orr_blas_takes_backward_data(int n, int in, int out);

/* All samples of n_leaves leaves; leaf i = rows [leaf[i], leaf[i+1]) of x and y (dy and dx). */
void orr_blas_forward(int n_leaves, const int *leaf, int in, int out, const float *x,
                      const float *w, const float *bias, float *y);
void orr_blas_backward_data(int n_leaves, const int *leaf, int in, int out, const float *dy,
                            const float *w, float *dx);

#endif
