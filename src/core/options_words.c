/* core/options_words.c - checked numbers, and the word that was meant. */
#include "core/options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 64 };

orr_status orr_parse_int64(int64_t *out, const char *text)
{
    char *end;
    long long v;

    if (!*text || strspn(text, "+-0123456789") != strlen(text))
        return orr_fail(ORR_ERR_OPTION, "\"%.60s\" is not a whole number", text);
    errno = 0;
    v = strtoll(text, &end, 10);
    if (*end || end == text)
        return orr_fail(ORR_ERR_OPTION, "\"%.60s\" is not a whole number", text);
    if (errno == ERANGE)
        return orr_fail(ORR_ERR_OPTION, "\"%.60s\" does not fit into 64 bits", text);
    *out = v;
    return ORR_OK;
}

orr_status orr_parse_real(double *out, const char *text)
{
    char *end;
    double v;

    /* The characters decide first: no nan, no inf, no hexadecimal, no blanks. */
    if (!*text || strspn(text, "+-.0123456789eE") != strlen(text))
        return orr_fail(ORR_ERR_OPTION, "\"%.60s\" is not a number", text);
    v = strtod(text, &end);
    if (*end || end == text) return orr_fail(ORR_ERR_OPTION, "\"%.60s\" is not a number", text);
    if (!isfinite(v)) return orr_fail(ORR_ERR_OPTION, "\"%.60s\" is too large a number", text);
    *out = v;
    return ORR_OK;
}

/* Edits (one character put, taken, changed, or two neighbours swapped) from a to b; both shorter
 * than WORD_MAX. */
static int distance(const char *a, const char *b)
{
    int rows[3][WORD_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2];
    int n = (int)strlen(b);

    for (int j = 0; j <= n; j++)
        above[j] = before[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int *spare = before;

        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int best = above[j - 1] + (a[i - 1] != b[j - 1]);

            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[n];
}

const char *orr_nearest(const char *word, const char *const *words, int n)
{
    const char *found = NULL;
    size_t length = strlen(word);
    int best = INT_MAX;

    if (length >= WORD_MAX) return NULL;
    for (int i = 0; i < n; i++) {
        size_t other = strlen(words[i]), longest = other > length ? other : length;
        int d;

        if (other >= WORD_MAX) continue;
        d = distance(word, words[i]);
        if (d < best && 3 * (size_t)d <= longest) {
            best = d;
            found = words[i];
        }
    }
    return found;
}
