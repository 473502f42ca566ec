/* core/table_file.c - rows of text into a file that appears whole. */
#include "core/table_file.h"

orr_status orr_table_file_open(orr_table_file *t, const char *path)
{
    t->row = (orr_text)ORR_TEXT_INIT;
    return orr_out_file_open(&t->out, path);
}

void orr_table_file_end_row(orr_table_file *t)
{
    orr_text_add(&t->row, "\n");
    if (t->row.status == ORR_OK && !ferror(t->out.f)) fwrite(t->row.s, 1, t->row.len, t->out.f);
    t->row.len = 0;
}

orr_status orr_table_file_close(orr_table_file *t, orr_status so_far)
{
    orr_status st = so_far == ORR_OK ? orr_text_status(&t->row) : so_far;

    orr_text_free(&t->row);
    return orr_out_file_close(&t->out, st);
}
