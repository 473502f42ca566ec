/* data/formats/tables_private.h - the tables of samples that there are: one for each thing that a
 * format opens as.   Not collective. */
#ifndef ORR_DATA_FORMATS_TABLES_PRIVATE_H
#define ORR_DATA_FORMATS_TABLES_PRIVATE_H

#include "data/formats/format.h"
#include "data/formats/table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Files are those of o, of format f, relative to dir.  On failure *out is untouched. */
orr_status orr_csv_table_open(orr_table **out, const orr_table_opts *o, const char *dir,
                              size_t part_bytes);
orr_status orr_record_table_open(orr_table **out, const orr_table_opts *o, const char *dir,
                                 const orr_format *f);
orr_status orr_array_table_open(orr_table **out, const orr_table_opts *o, const char *dir,
                                const orr_format *f);
/* As orr_table_open, with text in parts of part_bytes: for tests that cut small files. */
orr_status orr_table_open_parts(orr_table **out, const orr_table_opts *o, const char *dir,
                                size_t part_bytes);

#ifdef __cplusplus
}
#endif
#endif
