/* core/rows.c - rows by name. */
#include "core/rows.h"
#include "core/options.h"

#include <stddef.h>
#include <string.h>

/* Copied, as the compiler may take pointers of different types for different memory. */
static const char *name_of(const void *rows, int i)
{
    const void *row;
    const char *name;

    memcpy(&row, (const char *)rows + (size_t)i * sizeof row, sizeof row);
    memcpy(&name, row, sizeof name);
    return name;
}

int orr_row_named(const void *rows, int n, const char *name, const char **near)
{
    if (near) *near = NULL;
    for (int i = 0; i < n; i++)
        if (strcmp(name_of(rows, i), name) == 0) return i;
    for (int i = 0; near && i < n; i++)
        *near = orr_nearer(name, *near, name_of(rows, i));
    return -1;
}

const char *orr_row_name(const void *rows, int n, int i)
{
    return i >= 0 && i < n ? name_of(rows, i) : NULL;
}
