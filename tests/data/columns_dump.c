/* tests/data/columns_dump.c - prints named columns for the Python oracle: a line of names, then a
 * line a row, values with tabs between, reals in hexadecimal,
 * texts with their tabs, line ends and backslashes as octal numbers.
 * columns_dump FILE TABLE BATCH NAME:int|real|text ...   With no names: the names that there are.
 * A failure prints its sentence to stderr and exits 1. */
#include "core/memory.h"
#include "data/formats/columns.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 64 };

static orr_status ask(orr_columns *c, char *word, int64_t batch, orr_column_request *r)
{
    char *colon = strrchr(word, ':');
    orr_value_type guess;

    if (!colon) return orr_fail(ORR_ERR_ARG, "%s: no type", word);
    *colon = '\0';
    r->type = !strcmp(colon + 1, "int")    ? ORR_VALUE_INT
              : !strcmp(colon + 1, "real") ? ORR_VALUE_REAL
                                           : ORR_VALUE_TEXT;
    ORR_TRY(orr_columns_find(c, word, "test.column", &r->column));
    ORR_TRY(orr_columns_type(c, r->column, &guess));
    printf("%s:%s ", word,
           guess == ORR_VALUE_INT    ? "int"
           : guess == ORR_VALUE_REAL ? "real"
                                     : "text");
    if (!(r->values = orr_alloc((size_t)batch, sizeof(orr_column_text)))) return ORR_ERR_NOMEM;
    return ORR_OK;
}

static void print(const orr_column_request *r, int64_t i)
{
    if (r->type == ORR_VALUE_INT)
        printf("%" PRId64, ((const int64_t *)r->values)[i]);
    else if (r->type == ORR_VALUE_REAL)
        printf("%a", ((const double *)r->values)[i]);
    else
        for (const char *p = ((orr_column_text *)r->values)[i]; *p; p++)
            printf(strchr("\t\n\r\\", *p) ? "\\%03o" : "%c", (unsigned)(unsigned char)*p);
}

static orr_status dump(orr_columns *c, orr_column_request *r, int n, int64_t batch)
{
    int64_t first, rows, at = 0;

    do {
        ORR_TRY(orr_columns_next(c, r, n, batch, &first, &rows));
        if (first != at) return orr_fail(ORR_ERR_INTERNAL, "first is %" PRId64, first);
        at += rows;
        for (int64_t i = 0; i < rows; i++)
            for (int k = 0; k < n; k++) {
                print(&r[k], i);
                printf(k + 1 < n ? "\t" : "\n");
            }
    } while (rows > 0);
    return ORR_OK;
}

int main(int argc, char **argv)
{
    orr_column_request r[MAX] = { 0 };
    orr_columns *c = NULL;
    int64_t batch = argc > 3 ? strtoll(argv[3], NULL, 10) : 0;
    orr_status st;
    int n = argc - 4;

    if (argc < 4 || n > MAX) return 2;
    ORR_TRY_GOTO(st, done, orr_columns_open(&c, argv[1], argv[2]));
    for (int i = 0; n == 0 && i < orr_columns_n(c); i++)
        printf("%s\n", orr_columns_name(c, i));
    for (int i = 0; i < n; i++)
        ORR_TRY_GOTO(st, done, ask(c, argv[4 + i], batch, &r[i]));
    if (n > 0) {
        printf("\n");
        ORR_TRY_GOTO(st, done, dump(c, r, n, batch));
    }
done:
    if (st != ORR_OK) fprintf(stderr, "%s\n", orr_error_text());
    for (int i = 0; i < n; i++)
        orr_free(r[i].values);
    orr_columns_close(c);
    return st != ORR_OK;
}
