/* data/formats/names.c - columns by name. */
#include "data/formats/names.h"
#include "core/memory.h"
#include "core/options.h"
#include "data/formats/id.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* How many names are the word, and the first of them. */
static int count(const orr_names *s, const char *word, int (*compare)(const char *, const char *),
                 int *first)
{
    int found = 0;

    *first = -1;
    for (int i = s->n - 1; s->list && i >= 0; i--)
        if (!compare(s->list[i], word)) {
            *first = i;
            found++;
        }
    return found;
}

int orr_names_find(const orr_names *s, const char *word)
{
    int column, found = count(s, word, strcmp, &column);

    if (found == 0) found = count(s, word, strcasecmp, &column);
    return found == 1 ? column : -1;
}

/* Without regard to case; NULL when no name is near. */
static const char *nearest(const char *word, const char *const *names, int n)
{
    char **lower = orr_alloc((size_t)n + 1, sizeof *lower);
    const char *near = NULL;
    int ready = lower != NULL;

    for (int i = 0; ready && i <= n; i++) {
        ready = (lower[i] = orr_strdup(i < n ? names[i] : word)) != NULL;
        for (char *p = lower[i]; ready && *p; p++)
            if (*p >= 'A' && *p <= 'Z') *p = (char)(*p - 'A' + 'a');
    }
    if (ready) near = orr_nearest(lower[n], (const char *const *)lower, n);
    for (int i = 0; ready && near && i < n; i++)
        if (near == lower[i]) {
            near = names[i];
            break;
        }
    for (int i = 0; lower && i <= n; i++)
        orr_free(lower[i]);
    orr_free(lower);
    return near;
}

static orr_status fail_twice(const orr_names *s, const char *word, const char *option, int exact)
{
    int first, n = count(s, word, exact ? strcmp : strcasecmp, &first);

    return orr_fail(ORR_ERR_OPTION, "%s: %d columns are called \"%.60s\"%s (%s)%s", s->what, n,
                    word, exact ? "" : " but for upper and lower case", option,
                    s->by_number ? "; use the number" : "");
}

/* A number that fills [p, p + n); -1 when it is none. */
static int64_t number_of(const char *p, size_t n)
{
    int64_t v;

    return orr_id_integer(p, n, &v) && v >= 0 ? v : -1;
}

/* Nothing is near: what the columns are called tells what was taken for a header. */
static orr_status fail_missing(const orr_names *s, const char *word, const char *option)
{
    char names[160] = "";
    size_t used = 0;

    for (int i = 0; i < s->n && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s\"%.40s\"", i ? ", " : "",
                                 s->list[i]);
    return orr_fail(ORR_ERR_OPTION, "%s: no column \"%.60s\" for %s; the columns are %s%s", s->what,
                    word, option, names, used < sizeof names ? "" : "...");
}

orr_status orr_names_pick(const orr_names *s, const char *word, const char *option, int *column)
{
    int64_t number = s->by_number ? number_of(word, strlen(word)) : -1;
    const char *near;
    int first;

    if ((*column = orr_names_find(s, word)) >= 0) return ORR_OK;
    if (count(s, word, strcmp, &first)) return fail_twice(s, word, option, 1);
    if (count(s, word, strcasecmp, &first)) return fail_twice(s, word, option, 0);
    if (number >= 0 && (number < 1 || number > s->n))
        return orr_fail(ORR_ERR_OPTION, "%s: %s is column %lld; there are 1 to %d", s->what, option,
                        (long long)number, s->n);
    if (number >= 0) {
        *column = (int)number - 1;
        return ORR_OK;
    }
    if (!s->list)
        return orr_fail(ORR_ERR_OPTION,
                        "%s: %s is \"%.60s\", and the file has no header; use a column number",
                        s->what, option, word);
    if ((near = nearest(word, s->list, s->n)))
        return orr_fail(ORR_ERR_OPTION, "%s: no column \"%.60s\" for %s; did you mean \"%s\"?",
                        s->what, word, option, near);
    return fail_missing(s, word, option);
}

orr_status orr_names_range(const orr_names *s, const char *word, const char *option, int *from,
                           int *to)
{
    const char *dash = strchr(word, '-');
    int64_t first = dash ? number_of(word, (size_t)(dash - word)) : -1, last = s->n;

    *from = -1;
    if (dash && dash[1]) last = number_of(dash + 1, strlen(dash + 1));
    if (first < 1 || last < 0 || orr_names_find(s, word) >= 0) return ORR_OK;
    if (first > last || last > s->n)
        return orr_fail(ORR_ERR_OPTION, "%s: %s %s; there are columns 1 to %d", s->what, option,
                        word, s->n);
    *from = (int)first - 1;
    *to = (int)last;
    return ORR_OK;
}
