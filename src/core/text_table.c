/* core/text_table.c - rows of padded cells. */
#include "core/text_table.h"

#include <stdarg.h>

enum { CELL = 512 };

void orr_text_table_column(orr_text_table *t, const char *title, int width, orr_text_side side)
{
    int i = t->n;

    if (i == ORR_TABLE_COLUMNS) return;
    t->column[i].width = width;
    t->column[i].side = side;
    snprintf(t->column[i].title, sizeof t->column[i].title, "%.*s", width, title);
    t->n++;
}

static void put(orr_text_table *t, const char *cell)
{
    if (t->at >= t->n) return;
    orr_text_printf(t->out, "%*s", t->at ? t->gap : 2, "");
    orr_text_printf(
        t->out, "%*s",
        t->column[t->at].side == ORR_LEFT ? -t->column[t->at].width : t->column[t->at].width, cell);
    t->at++;
}

void orr_text_table_head(orr_text_table *t)
{
    for (int i = 0; i < t->n; i++)
        put(t, t->column[i].title);
    orr_text_table_end_row(t);
}

void orr_text_table_cell(orr_text_table *t, const char *format, ...)
{
    char cell[CELL];
    va_list args;

    va_start(args, format);
    vsnprintf(cell, sizeof cell, format, args);
    va_end(args);
    put(t, cell);
}

void orr_text_table_end_row(orr_text_table *t)
{
    orr_text *out = t->out;

    while (out->len && out->s[out->len - 1] == ' ')
        out->s[--out->len] = '\0';
    orr_text_add(out, "\n");
    t->at = 0;
}
