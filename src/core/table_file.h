/* core/table_file.h - a csv file that appears whole or not at all, written row by row.
 * Fields go into `row` (orr_text_csv, orr_text_printf, with the commas), then the row ends.   Not
 * collective. */
#ifndef ORR_CORE_TABLE_FILE_H
#define ORR_CORE_TABLE_FILE_H

#include "core/out_file.h"
#include "core/text.h"

typedef struct orr_table_file {
    orr_out_file out;
    orr_text row;
} orr_table_file;

/* Replaces what is there, at the end.  ORR_ERR_IO; ORR_ERR_EXISTS: another job is writing it. */
orr_status orr_table_file_open(orr_table_file *t, const char *path);
/* Writes the row and empties it; failures are told at the close. */
void orr_table_file_end_row(orr_table_file *t);
/* Gives the file its name, or with an earlier failure removes it; that failure, or its own. */
orr_status orr_table_file_close(orr_table_file *t, orr_status so_far);

#endif
