/* data/formats/records.h - records of fixed length with named fields, in memory: a FITS binary
 * table, or a npy array of a structured type.
 *
 * cfitsio reads the header of a table and says where its rows lie; they are then read where they
 * are, so that any thread may read any row.  A field holds `count` values of one type; scale, zero
 * and null are those of FITS (TSCALn, TZEROn, TNULLn).  Fields whose kind is not read (variable
 * length, complex, bits, Python objects) are known by name and refused when asked for.
 * Not collective; read only after opening.   Errors: ORR_ERR_IO, ORR_ERR_FORMAT (no table, damaged,
 * truncated), ORR_ERR_OPTION (no such table or column), ORR_ERR_UNSUPPORTED. */
#ifndef ORR_DATA_FORMATS_RECORDS_H
#define ORR_DATA_FORMATS_RECORDS_H

#include "data/formats/array.h"
#include "data/formats/id.h"
#include "data/formats/text_value.h"
#include "data/shard.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_FIELD_NAME = 72, ORR_FIELD_TEXT = 4 * ORR_ID_TEXT_MAX };

typedef enum {
    ORR_FIELD_NUMBER,  /* elem */
    ORR_FIELD_LOGICAL, /* 'T', 'F' or 0 */
    ORR_FIELD_TEXT8,   /* bytes, padded with blanks or zeros */
    ORR_FIELD_UCS4,    /* numpy's unicode text, padded with zeros */
    ORR_FIELD_OTHER    /* not read */
} orr_field_kind;

enum { ORR_UNIT_MAX = 24 };
typedef struct orr_field {
    char name[ORR_FIELD_NAME];
    char unit[ORR_UNIT_MAX]; /* as the file says it (FITS's TUNITn); "" = not */
    const char *kind_name;   /* ORR_FIELD_OTHER: what it is */
    orr_field_kind kind;
    orr_elem elem;
    int swap;
    size_t offset, bytes; /* in the record; of one value (a text: its room) */
    int bits; /* of a float: whole numbers below 2^bits are exact in it; 0: elem says it */
    int64_t count;
    double scale, zero; /* value = raw * scale + zero */
    int is_scaled, has_null;
    int64_t null;
} orr_field;

typedef struct orr_records {
    char *what; /* path, and the table's name: for messages */
    orr_bytes bytes;
    const char *data;
    size_t stride;
    int64_t rows;
    orr_field *fields;
    int n_fields;
    const char **names; /* of the fields */
    /* FITS: keywords about the system of positions; "" = not there. */
    char radesys[ORR_UNIT_MAX], equinox[ORR_UNIT_MAX], epoch[ORR_UNIT_MAX];
} orr_records;

/* Takes over bytes, whose header `read` (of a format's row) understands.  On failure nothing is
 * held, bytes neither. */
orr_status orr_records_open(orr_records *r, orr_bytes *bytes, const char *path, const char *table,
                            orr_status (*read)(orr_records *r, const char *path,
                                               const char *table));
void orr_records_close(orr_records *r);
/* For the formats: another field at the end, zeroed; *cap grows. */
orr_status orr_records_add(orr_records *r, orr_field **field, int *cap);

/* "NAME" or "NAME[3]": the field (names.h) and the value of it; *element = -1 when none is picked.
 */
orr_status orr_records_pick(const orr_records *r, const char *word, const char *option,
                            int by_number, int *field, int64_t *element);
/* ORR_ERR_UNSUPPORTED when values of it cannot be read. */
orr_status orr_field_check(const orr_records *r, const orr_field *f, const char *option);

static inline const char *orr_record(const orr_records *r, int64_t row)
{
    return r->data + (size_t)row * r->stride;
}
/* Number `element` of the field as a real (a null: NaN); n of them from there on. */
void orr_field_reals(const orr_field *f, const char *record, int64_t element, int64_t n,
                     double *out);
/* As a whole number: NULL, or why it is none. */
const char *orr_field_int(const orr_field *f, const char *record, int64_t element, int64_t *out);
/* As a text, without the padding (nulls: ""); returns its length, which may be more than fits. */
size_t orr_field_text(const orr_field *f, const char *record, int64_t element,
                      char out[ORR_FIELD_TEXT]);
/* As an id (id.h); *n = 0 when there is none.  NULL, or why it cannot be one. */
const char *orr_field_id(const orr_field *f, const char *record, int64_t element,
                         char out[ORR_FIELD_TEXT], size_t *n);
orr_value_type orr_field_type(const orr_field *f);

#ifdef __cplusplus
}
#endif
#endif
