/* data/formats/classes.h - a list of values that a column may have: classes in their order, or what
 * a filter lets through.
 * Whole numbers compare exactly, other numbers as numbers ("2" is "2.0"), else texts do; no value
 * (text_value.h) is "".   Not collective. */
#ifndef ORR_DATA_FORMATS_CLASSES_H
#define ORR_DATA_FORMATS_CLASSES_H

#include "core/options.h"
#include "core/status.h"
#include "data/shard.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_class {
    char text[ORR_DATA_NAME_MAX];
    double number;
    int64_t integer;
    int is_number, is_integer;
} orr_class;

typedef struct orr_classes {
    orr_class *list; /* NULL: none were given */
    int n;
} orr_classes;

/* option names the list in messages ("input.classes"); a value that stands twice is an error.
 * On failure nothing is held. */
orr_status orr_classes_init(orr_classes *c, const orr_strings *values, const char *option);
void orr_classes_free(orr_classes *c);
/* Another value, unless it is there or ORR_MAX_CLASSES + 1 are.  Its text is the same however it
 * was written ("1.0": "1"); one that is too long for a class is ORR_ERR_FORMAT. */
orr_status orr_classes_add(orr_classes *c, const char *text, size_t n);
/* Numbers by size, then texts byte by byte. */
void orr_classes_sort(orr_classes *c);
orr_status orr_classes_copy(orr_classes *out, const orr_classes *c);
/* The place of a value in the list, -1 when it is not there. */
int orr_classes_find(const orr_classes *c, const char *text, size_t n);
/* The class of a label: its place in the list, or, without one, the class number that it is; -1. */
int32_t orr_classes_label(const orr_classes *c, const char *text, size_t n);
/* The same where the number is all there is. */
int32_t orr_classes_label_number(const orr_classes *c, double v);
/* What to say after -1: "is not one of classes: [1, 2]" or "is not a class number ...". */
void orr_classes_fault(const orr_classes *c, char *buf, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
