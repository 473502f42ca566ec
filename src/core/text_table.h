/* core/text_table.h - tables for people: columns of a given width, one line a row, indented by two
 * blanks, no blanks at a line's end.
 *
 *   orr_text_table t = { .out = &text, .gap = 1 };
 *   orr_text_table_column(&t, "class", 16, ORR_LEFT);
 *   orr_text_table_column(&t, "recall", 9, ORR_RIGHT);
 *   orr_text_table_head(&t);
 *   orr_text_table_cell(&t, "%s", "star");
 *   orr_text_table_cell(&t, "%.4f", 0.75);
 *   orr_text_table_end_row(&t);
 *
 * A title is cut to its column; a cell that is too long moves the rest of its line.  Failures stick
 * in the text (core/text.h).  Widths and gap in characters.   Not collective. */
#ifndef ORR_CORE_TEXT_TABLE_H
#define ORR_CORE_TEXT_TABLE_H

#include "core/text.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_TABLE_COLUMNS = 32, ORR_TABLE_TITLE = 64 };
typedef enum { ORR_LEFT, ORR_RIGHT } orr_text_side;

typedef struct orr_text_table {
    orr_text *out; /* the caller's */
    int gap;       /* blanks between columns */
    int n, at;     /* columns, and the one that is next in the row at hand */
    struct {
        char title[ORR_TABLE_TITLE];
        int width;
        orr_text_side side;
    } column[ORR_TABLE_COLUMNS];
} orr_text_table;

/* One more column; beyond ORR_TABLE_COLUMNS the table stays as it is. */
void orr_text_table_column(orr_text_table *t, const char *title, int width, orr_text_side side);
void orr_text_table_head(orr_text_table *t);
/* The next cell of the row; beyond the last column it is left out. */
void orr_text_table_cell(orr_text_table *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void orr_text_table_end_row(orr_text_table *t);

#ifdef __cplusplus
}
#endif
#endif
