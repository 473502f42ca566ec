/* data/formats/values.h - numbers as a table holds them become what a shard stores.  The one place
 * that says what is no value, for all formats and for features, targets and aux numbers alike.
 *
 * No value is NaN (what an empty field, a null, FITS's TNULL and BLANK are read as), an infinity
 * ("inf", 1e999), and what input.missing lists: for all columns, or for one by its name.  A listed
 * number is met when it is equal, or when the value is one that float32 holds and the listed number
 * rounds to it (99.99 in a float32 column); a listed text is met by a field of that text.  What is
 * met is NaN from there on, whatever it was: infinities are never stored.  input.nan says what
 * happens then:
 *   refuse  the table is refused, with the place
 *   keep    NaN is stored
 *   drop    the row is left out (orr_rows.gaps marks it)
 * A finite number that the type cannot hold (1e300) is refused under each of them, unless it is
 * listed.
 *
 * Then input.shift takes a column's origin off, in double, before the one rounding to float32: what
 * a float32 cannot hold of 2454833.12 it holds of 0.12.  The schema says it in the
 * column's name: BJD-2454833.
 *
 * What rounding to float32 costs is noted for each column (orr_value_loss).
 * Not collective.  A rule is read by any number of threads. */
#ifndef ORR_DATA_FORMATS_VALUES_H
#define ORR_DATA_FORMATS_VALUES_H

#include "data/formats/classes.h"
#include "data/formats/where.h"
#include "data/shard.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { ORR_MISSING_REFUSE, ORR_MISSING_KEEP, ORR_MISSING_DROP } orr_missing_policy;
/* "refuse", "keep" or "drop". */
orr_missing_policy orr_missing_policy_of(const char *word);

/* The values that a column's `missing` lists name. */
typedef struct orr_missing {
    const orr_classes *all, *own; /* of every column, of this one; NULL: none */
} orr_missing;
/* What a job file lists: a value or a list of them for all columns, or a map of column: value or
 * [values].  option names it in messages ("input.missing").  ORR_ERR_OPTION with file:line. */
typedef struct orr_missing_lists {
    orr_classes all;
    orr_where of;
} orr_missing_lists;
orr_status orr_missing_lists_init(orr_missing_lists *l, const orr_node *node, const char *option);
void orr_missing_lists_free(orr_missing_lists *l);
/* Those of the column of that name. */
orr_missing orr_missing_named(const orr_missing_lists *l, const char *name);
int orr_is_missing(const orr_missing *m, double v);
/* The same of a field or a label: a null, a number that is not finite, or what is listed. */
int orr_is_missing_text(const orr_missing *m, const char *text, size_t n);

/* The worst that rounding to float32 did to a column: `value` became one that is `error` away.
 * Of equal errors the smaller value stands, so that no order of rows or threads matters. */
typedef struct orr_value_loss {
    double error, value;
} orr_value_loss;
void orr_value_loss_merge(orr_value_loss *into, const orr_value_loss *from);
/* Losses of n columns that threads note together. */
typedef struct orr_value_losses orr_value_losses;
orr_status orr_value_losses_create(orr_value_losses **out, size_t n);
void orr_value_losses_destroy(orr_value_losses *l);
void orr_value_losses_get(const orr_value_losses *l, orr_value_loss *out); /* [n] */

/* How the values of one kind (features, targets, aux numbers) are treated.  Value number i of a row
 * is of column i % n. */
typedef struct orr_value_rule {
    orr_missing_policy policy;
    orr_missing for_all;      /* where columns are not told apart */
    orr_missing *of;          /* [n]; NULL: for_all */
    double *shift;            /* [n]; NULL: none */
    orr_value_losses *losses; /* NULL: nobody asks */
    size_t n;
} orr_value_rule;
/* Does it leave finite numbers as they are? */
int orr_value_rule_is_plain(const orr_value_rule *r);
/* v[n] as read becomes what it means.  *gaps counts values that are none.  Returns n, or under
 * refuse the index of the first of them, which is as it was read. */
size_t orr_values_clean(const orr_value_rule *r, double *v, size_t n, int *gaps);
/* v minus its mean over its population deviation, in double, over what is no NaN; a constant row
 * becomes zeros. */
void orr_values_zscore(double *v, size_t n);
/* Stores cleaned v[n] at dst.  Returns n, or the index of the first value that does not fit the
 * type: a finite value too large; for uint8, anything but the integers 0..255 (a NaN under drop is
 * 0 there: its row goes). */
size_t orr_values_store(const orr_value_rule *r, void *dst, orr_x_type type, const double *v,
                        size_t n);
/* Why v was refused: "is nan; fix the file, or set nan: drop or keep", "is 300, not an integer
 * from 0 to 255" ... */
void orr_values_fault(char *buf, size_t bytes, orr_x_type type, double v);

#ifdef __cplusplus
}
#endif
#endif
