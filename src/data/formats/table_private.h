/* data/formats/table_private.h - what tables of samples share, be their rows text, records or
 * arrays (tables_private.h).   Not collective. */
#ifndef ORR_DATA_FORMATS_TABLE_PRIVATE_H
#define ORR_DATA_FORMATS_TABLE_PRIVATE_H

#include "data/formats/bytes.h"
#include "data/formats/classes.h"
#include "data/formats/table.h"
#include "data/formats/where.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_choice orr_choice;

/* One kind of table.  Rows here count from the first of the files: the table has added skip_rows.
 */
typedef struct orr_table_ops {
    const char *name;
    orr_status (*read)(const orr_table *t, int64_t first, int64_t n, orr_rows *rows, int threads);
    orr_status (*label_range)(const orr_table *t, int64_t first, int64_t n, int32_t *max_label,
                              int *max_id_bytes);
    void (*destroy)(orr_table *t); /* also frees t */
    void (*column_name)(const orr_table *t, orr_values_kind kind, size_t column, char *buf,
                        size_t bytes);
    /* Adds the labels of the rows, those that are none aside, to values. */
    orr_status (*learn)(const orr_table *t, int64_t first, int64_t n, orr_classes *values);
    /* Columns only: of the features' values [n][n_x] those that are whole numbers; wanted[n_x]: for
     * which it is asked. */
    orr_status (*whole)(const orr_table *t, int64_t first, int64_t n, const char *wanted,
                        int64_t *values, char *is_whole);
    /* text only */
    orr_status (*scan_part)(const orr_table *t, int part, orr_scan *out);
    orr_status (*scan_end)(orr_table *t, const orr_scan *parts);
} orr_table_ops;

/* A table of any kind begins with this. */
struct orr_table {
    const orr_table_ops *ops;
    int n_parts;
    char **inputs;
    int n_inputs;
    int64_t all_rows; /* of the files that pass where, before skip_rows and max_rows; -1 = not known
                     before the scan */
    int64_t file_rows;  /* of the files, whether they pass or not */
    int64_t skip, rows; /* what of them is the table */
    int64_t max_rows;   /* as asked */
    int64_t id_start;
    int has_id;  /* ids come from the input */
    int text_id; /* ... and at least one of them is no integer */
    int has_label;
    int zscore, names_features;
    int learns;               /* classes are what the labels are: nobody listed them */
    const orr_choice *choice; /* of columns; NULL: arrays */
    char axes_said[400];      /* of arrays: what was taken for what, where that may be wrong */
    int n_names;              /* class_names given */
    orr_classes classes;      /* given; none: labels are class numbers */
    orr_where where; /* what rows must be like; with it, rows are those that pass, and the format
                            says which ids row numbers make */
    orr_missing_lists missing;
    orr_where shift_of;     /* by name; which the choice finds */
    orr_value_rule rule[3]; /* by orr_values_kind */
    orr_missing label_missing;
    orr_schema schema;
    orr_trust trust; /* in who made the files */
};

/* Fills what all share from o (defaults for NULL strings) and opens nothing. */
orr_status orr_table_init(orr_table *t, const orr_table_ops *ops, const orr_table_opts *o,
                          const char *dir);
void orr_table_free(orr_table *t); /* what orr_table_init made, and t itself */
/* Cuts all_rows, those of file_rows that pass where, down to [skip, skip + rows). */
orr_status orr_table_set_rows(orr_table *t, int64_t file_rows, int64_t all_rows);
/* Sets the sample's dimensions (n_dims 1..3, channels last). */
orr_status orr_table_set_dims(orr_table *t, const int64_t *dims, int n_dims, const char *where);
/* Sets dims from o->shape, which must hold n_values values. */
orr_status orr_table_set_shape(orr_table *t, const orr_reals *shape, int64_t n_values,
                               const char *where);

/* Rules of n columns of that kind: one for all columns, and room for losses.  named: there are
 * columns to tell apart by name, whose `of` and `shift` the caller fills. */
orr_status orr_table_make_rule(orr_table *t, orr_values_kind kind, size_t n, int named);
static inline orr_missing_policy orr_table_policy(const orr_table *t)
{
    return t->rule[ORR_VALUES_X].policy;
}

/* aux_names, which only arrays (and a csv without header) have. */
orr_status orr_table_set_aux_names(orr_table *t, const orr_strings *names);
/* What is said when more than ORR_MAX_AUX are asked for. */
orr_status orr_table_check_aux(int64_t n);

/* Calls take for each of the words between the commas of input.features, blanks before them gone.
 */
orr_status orr_table_each_word(const char *features,
                               orr_status (*take)(void *ctx, const char *word), void *ctx);
/* Is an id asked for?  id: "" is none. */
int orr_table_wants_id(const orr_table_opts *o);
/* s, or fallback when it is NULL. */
const char *orr_or(const char *s, const char *fallback);

#ifdef __cplusplus
}
#endif
#endif
