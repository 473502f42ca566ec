/* data/formats/choice.h - which column of a table is what: one choice for texts and for records.
 *
 * A column is a feature, a target, the label or (a part of) the id, and nothing else beside; any
 * but the id may be an aux number, too, which is then a copy.  Words name columns as names.h says;
 * where a column holds several values a row (records), its name means all of them and "NAME[3]"
 * one.  "rest" are the columns that nothing else took; one without a name (a table of pandas has
 * its row numbers in such a one) must be named or numbered to be a feature.
 *
 * A pick is a run of values of one column, and a row of samples is its picks one after the other:
 * place 0 is the first value of the first pick.  Values that are none (values.h) are told by
 * column: the table's rules are made here, too.   Not collective. Errors: ORR_ERR_OPTION (no such
 * column, one that cannot be both), ORR_ERR_UNSUPPORTED (a column of a kind that is not read),
 * ORR_ERR_SHAPE, ORR_ERR_NOMEM. */
#ifndef ORR_DATA_FORMATS_CHOICE_H
#define ORR_DATA_FORMATS_CHOICE_H

#include "data/formats/names.h"
#include "data/formats/records.h"
#include "data/formats/table_private.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values [element, element + n) of a column. */
typedef struct orr_pick {
    int column;
    int64_t element, n;
} orr_pick;

typedef struct orr_picks {
    orr_pick *list;
    int n, cap;
    int64_t values; /* in all */
} orr_picks;

/* What there is to choose from. */
typedef struct orr_choice_from {
    orr_names names;            /* of the first file; what is missing in one goes by number */
    const orr_records *records; /* NULL: a text, one value a column, whose kind nobody knows yet */
} orr_choice_from;

struct orr_choice {
    orr_picks x, y, aux;
    orr_pick label;            /* when the table has_label */
    orr_pick id[ORR_ID_PARTS]; /* n_id of them, when it has_id: joined, they are the id */
    int n_id;
    orr_names names; /* of the first file, which they live as long as */
    int is_rest;     /* nobody named the features */
};

/* Chooses as o says: fills c, has_label, has_id, the columns of where and the rules in t, and t's
 * schema (kind of y, names, dimensions of a sample); t keeps c.  Whatever happens, c is freed by
 * orr_choice_free. */
orr_status orr_choice_make(orr_choice *c, orr_table *t, const orr_choice_from *from,
                           const orr_table_opts *o);
void orr_choice_free(orr_choice *c);
/* "BJD", "CMODELMAG[2]", "column 5": what place `column` of that kind came from. */
void orr_choice_column_name(const orr_choice *c, const orr_choice_from *from, orr_values_kind kind,
                            size_t column, char *buf, size_t bytes);
/* The pick that place `place` lies in, and which value of its column that is. */
const orr_pick *orr_picks_at(const orr_picks *p, int64_t place, int64_t *element);

#ifdef __cplusplus
}
#endif
#endif
