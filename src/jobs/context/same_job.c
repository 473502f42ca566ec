/* jobs/context/same_job.c - two resolved jobs, line by line. */
#include "jobs/context/same_job.h"
#include "core/text.h"

#include <string.h>

/* The next line of *text without blanks before it; NULL after the last. */
static const char *next_line(const char **text, int *n)
{
    const char *s = *text, *end = strchrnul(s, '\n');

    if (*s == '\0') return NULL;
    *text = *end ? end + 1 : end;
    while (*s == ' ')
        s++;
    *n = (int)(end - s);
    return s;
}

/* Appends the lines in which they differ. */
static void add_differences(const char *now, const char *then, orr_text *out)
{
    const char *a, *b;
    int n = 0, m = 0;

    do {
        a = next_line(&now, &n);
        b = next_line(&then, &m);
        if (a && b && n == m && memcmp(a, b, (size_t)n) == 0) continue;
        if (a || b)
            orr_text_printf(out, "%s\"%.*s\" was \"%.*s\"", out->len ? "; " : "", a ? n : 0,
                            a ? a : "", b ? m : 0, b ? b : "");
    } while (a || b);
}

orr_status orr_same_job(const char *now, const char *then, const char *dir, const char *what,
                        const char *advice)
{
    orr_text diff = { .max = 600 };
    orr_status st = ORR_OK;

    add_differences(now, then, &diff);
    if (diff.len || diff.status != ORR_OK)
        st = orr_fail(ORR_ERR_OPTION, "%s holds %s of another job: %s; %s", dir, what,
                      diff.s ? diff.s : "much differs", advice);
    orr_text_free(&diff);
    return st;
}
