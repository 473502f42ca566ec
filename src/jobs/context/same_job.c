/* jobs/context/same_job.c - two resolved jobs: their trees decide, their lines tell. */
#include "jobs/context/same_job.h"
#include "core/config.h"
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

static int same_node(const orr_node *a, const orr_node *b)
{
    if (a->type != b->type || a->n_items != b->n_items || strcmp(a->scalar, b->scalar) != 0 ||
        (!a->key) != (!b->key) || (a->key && strcmp(a->key, b->key) != 0))
        return 0;
    for (int i = 0; i < a->n_items; i++)
        if (!same_node(a->items[i], b->items[i])) return 0;
    return 1;
}

/* The next line that is a comment; NULL after the last. */
static const char *next_comment(const char **text, int *n)
{
    const char *line;

    while ((line = next_line(text, n)) && *line != '#')
        ;
    return line;
}

/* Comments say what a job was done with. */
static int same_comments(const char *now, const char *then)
{
    const char *a, *b;
    int n = 0, m = 0;

    do {
        a = next_comment(&now, &n);
        b = next_comment(&then, &m);
        if ((!a) != (!b) || (a && (n != m || memcmp(a, b, (size_t)n) != 0))) return 0;
    } while (a);
    return 1;
}

static int says_the_same(const char *now, const char *then)
{
    orr_config *a = NULL, *b = NULL;
    int same = strcmp(now, then) == 0;

    if (!same && same_comments(now, then) && orr_config_parse(&a, now, "job.yaml") == ORR_OK &&
        orr_config_parse(&b, then, "job.yaml") == ORR_OK)
        same = same_node(orr_config_root(a), orr_config_root(b));
    orr_config_destroy(a);
    orr_config_destroy(b);
    return same;
}

orr_status orr_same_job(const char *now, const char *then, const char *dir, const char *what,
                        const char *advice)
{
    orr_text diff = { .max = 600 };
    orr_status st;

    if (says_the_same(now, then)) return ORR_OK;
    add_differences(now, then, &diff);
    st = orr_fail(ORR_ERR_OPTION, "%s holds %s of another job: %s; %s", dir, what,
                  diff.s ? diff.s : "much differs", advice);
    orr_text_free(&diff);
    return st;
}
