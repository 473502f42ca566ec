/* data/synth/moons.c - scikit-learn's make_moons and train_test_split, draw by draw.
 * Order of draws: the shuffle of the 2 x n/2 points, then the noise, point by point; the split has
 * a generator of its own. */
#include "core/memory.h"
#include "core/numpy_random.h"
#include "data/formats/number.h"
#include "data/synth/out.h"
#include "data/synth/synth.h"

#include <math.h>
#include <string.h>

#define T orr_synth_moons_opts
const orr_option orr_synth_moons_options[] = {
    ORR_OPTION_STRING(T, out, NULL, "folder to write train.csv and test.csv to"),
    ORR_OPTION_INT64(T, samples, "600", 2, 1e9, "points of both moons"),
    ORR_OPTION_REAL(T, noise, "0.25", 0, 1e6, "standard deviation of the Gaussian noise"),
    ORR_OPTION_REAL(T, test_size, "0.25", 0, 0.99, "share of points in test.csv; 0 = no such file"),
    ORR_OPTION_INT64(T, seed, "0", 0, UINT32_MAX, "of the points (numpy's RandomState)"),
    ORR_OPTION_INT64(T, split_seed, "1", 0, UINT32_MAX, "of the split (numpy's RandomState)"),
    ORR_OPTION_BOOL(T, overwrite, "false", "replace files that are there"),
    ORR_OPTION_END
};
#undef T

typedef struct {
    double x, y;
    int label;
} point;

/* numpy.linspace(0, pi, n)[i] */
static double angle(int64_t i, int64_t n)
{
    if (n == 1) return 0;
    return i == n - 1 ? M_PI : (double)i * (M_PI / (double)(n - 1));
}

static point clean_point(int64_t i, int64_t n)
{
    int64_t outer = n / 2;
    double t = i < outer ? angle(i, outer) : angle(i - outer, n - outer);

    if (i < outer) return (point){ cos(t), sin(t), 0 };
    return (point){ 1 - cos(t), 1 - sin(t) - 0.5, 1 };
}

static void make_points(const orr_synth_moons_opts *o, point *points, int64_t *order)
{
    orr_numpy_random r;

    orr_numpy_seed(&r, (uint32_t)o->seed);
    orr_numpy_permutation(&r, order, o->samples);
    for (int64_t i = 0; i < o->samples; i++) {
        points[i] = clean_point(order[i], o->samples);
        points[i].x += o->noise * orr_numpy_normal(&r);
        points[i].y += o->noise * orr_numpy_normal(&r);
    }
}

static orr_status write_points(const orr_synth_moons_opts *o, const char *name, const point *points,
                               const int64_t *order, int64_t n)
{
    orr_out_file out;
    orr_status st = ORR_OK;

    ORR_TRY(orr_synth_open(&out, o->out, name));
    for (int64_t i = 0; i < n && st == ORR_OK; i++) {
        const point *p = &points[order[i]];
        char line[2 * ORR_NUMBER_TEXT + 8], *end = line;

        *end++ = (char)('0' + p->label);
        *end++ = ',';
        end += orr_number_print_double(end, p->x);
        *end++ = ',';
        end += orr_number_print_double(end, p->y);
        *end++ = '\n';
        st = orr_out_file_add(&out, line, (size_t)(end - line));
    }
    return orr_out_file_close(&out, st);
}

orr_status orr_synth_moons(const orr_synth_moons_opts *o)
{
    int64_t n = o->samples, n_test = (int64_t)ceil((double)n * o->test_size);
    const char *const names[] = { "train.csv", n_test ? "test.csv" : NULL, NULL };
    orr_numpy_random r;
    point *points = NULL;
    int64_t *order = NULL;
    orr_status st = ORR_OK;

    if (n < 2 || n_test < 0 || n_test >= n)
        return orr_fail(ORR_ERR_ARG, "synth moons: %lld points, %lld of them for the test",
                        (long long)n, (long long)n_test);
    ORR_TRY(orr_synth_folder(o->out, names, o->overwrite));
    points = orr_alloc((size_t)n, sizeof *points);
    order = orr_alloc((size_t)n, sizeof *order);
    if (!points || !order)
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "out of memory: %lld points", (long long)n));
    make_points(o, points, order);
    orr_numpy_seed(&r, (uint32_t)o->split_seed);
    orr_numpy_permutation(&r, order, n);
    ORR_TRY_GOTO(st, done, write_points(o, "train.csv", points, order + n_test, n - n_test));
    if (n_test) ORR_TRY_GOTO(st, done, write_points(o, "test.csv", points, order, n_test));
done:
    orr_free(points);
    orr_free(order);
    return st;
}
