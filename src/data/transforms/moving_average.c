/* data/transforms/moving_average.c - appends the centred mean of each channel along w.
 * Van Herk's and Gil and Werman's scheme (1992, 1993) for sums: blocks of the window's length,
 * prefix sums and suffix sums within each; a window is one suffix plus one prefix.  Unlike a
 * running sum nothing is ever subtracted, so no rounding error (and no NaN) travels along the
 * series. */
#include "data/transform_private.h"

typedef struct moving_average_opts {
    int window;
} moving_average_opts;

static const orr_option moving_average_options[] = {
    ORR_OPTION_INT(moving_average_opts, window, NULL, 1, 1000000,
                   "places along w that are averaged"),
    ORR_OPTION_END
};

static orr_status moving_average_init(orr_step *s, const char *where)
{
    const moving_average_opts *o = s->o;
    size_t padded = (size_t)s->in.w + (size_t)o->window - 1;

    if (s->in.c > INT32_MAX / 2 || 2 * orr_sample_elements(s->in) > INT32_MAX)
        return orr_fail(ORR_ERR_SHAPE, "%s: moving_average: too many channels", where);
    s->out.c = 2 * s->in.c;
    s->work = 2 * padded * (size_t)s->in.c;
    return ORR_OK;
}

/* Place j of the series d c b a | a b c d | d c b a ... */
static size_t reflect(int64_t j, int64_t w)
{
    int64_t i = j % (2 * w);

    if (i < 0) i += 2 * w;
    return (size_t)(i < w ? i : 2 * w - 1 - i);
}

/* One row of w places and c channels: pre and suf hold w + window - 1 places each. */
static void moving_row(const double *x, double *y, size_t w, size_t c, size_t window, double *pre,
                       double *suf)
{
    const size_t n = w + window - 1;

    for (size_t j = 0; j < n; j++) {
        const double *from = x + reflect((int64_t)j - (int64_t)(window / 2), (int64_t)w) * c;
        int begins = j % window == 0;
        for (size_t k = 0; k < c; k++) {
            pre[j * c + k] = begins ? from[k] : pre[(j - 1) * c + k] + from[k];
            suf[j * c + k] = from[k];
        }
    }
    for (size_t j = n - 1; j-- > 0;)
        if ((j + 1) % window != 0)
            for (size_t k = 0; k < c; k++)
                suf[j * c + k] += suf[(j + 1) * c + k];
    for (size_t i = 0; i < w; i++)
        for (size_t k = 0; k < c; k++) {
            double sum = suf[i * c + k];
            if (i % window != 0) sum += pre[(i + window - 1) * c + k];
            y[i * 2 * c + k] = x[i * c + k];
            y[i * 2 * c + c + k] = sum / (double)window;
        }
}

static void moving_average(const orr_step *s, const double *x, double *y, double *work)
{
    const moving_average_opts *o = s->o;
    const size_t w = (size_t)s->in.w, c = (size_t)s->in.c;

    for (size_t row = 0; row < (size_t)s->in.h; row++)
        moving_row(x + row * w * c, y + row * w * 2 * c, w, c, (size_t)o->window, work,
                   work + s->work / 2);
}

const orr_transform_kind orr_transform_moving_average = {
    .name = "moving_average",
    .help = "appends the centred mean of each channel, edges reflected; an even window leans left "
            "by half a sample",
    .options = moving_average_options,
    .opts_bytes = sizeof(moving_average_opts),
    .init = moving_average_init,
    .make = moving_average,
};
