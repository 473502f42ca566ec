/* nn/layers/window.c - padding and length of a sliding window. */
#include "nn/layers/window.h"

#include <string.h>

static orr_status read_number(const char *text, int *out)
{
    int64_t v;

    if (orr_parse_int64(&v, text) != ORR_OK || v < 0 || v > 65535)
        return orr_fail(
            ORR_ERR_OPTION,
            "padding \"%s\": give valid, same, a number from 0 to 65535, or two of them", text);
    *out = (int)v;
    return ORR_OK;
}

orr_status orr_layer_window_fit(orr_layer_window *w, int in, const orr_strings *padding, int axis)
{
    int64_t reach = (int64_t)(w->size - 1) * w->dilation + 1; /* from the first tap to the last */
    int64_t padded;

    w->before = w->after = w->same = 0;
    if (padding->n < 1 || padding->n > 2)
        return orr_fail(ORR_ERR_OPTION, "padding: give valid, same, a number, or two numbers");
    if (padding->n == 1 && !strcmp(padding->v[0], "same")) {
        int64_t out = ((int64_t)in + w->stride - 1) / w->stride;
        int64_t total = (out - 1) * w->stride + reach - in;
        if (total < 0) total = 0;
        w->same = 1;
        w->before = (int)(total / 2);
        w->after = (int)(total - total / 2);
        w->out = (int)out;
        return ORR_OK;
    }
    if (padding->n == 2 || strcmp(padding->v[0], "valid") != 0) {
        ORR_TRY(read_number(padding->v[padding->n == 2 ? axis : 0], &w->before));
        w->after = w->before;
    }
    padded = (int64_t)in + w->before + w->after;
    if (reach > padded)
        return orr_fail(ORR_ERR_SHAPE, "a window that reaches over %lld does not fit into %lld%s",
                        (long long)reach, (long long)padded, w->before ? " (with padding)" : "");
    w->out = (int)((padded - reach) / w->stride + 1);
    return ORR_OK;
}
