/* data/formats/classes.c - values that a column may have. */
#include "data/formats/classes.h"
#include "core/memory.h"
#include "data/formats/id_text.h"
#include "data/formats/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void orr_classes_free(orr_classes *c)
{
    orr_free(c->list);
    *c = (orr_classes){ 0 };
}

static orr_status add_value(orr_classes *c, const char *text, const char *option)
{
    orr_class *to = &c->list[c->n];
    size_t n = strlen(text);

    if (n >= sizeof to->text)
        return orr_fail(ORR_ERR_OPTION, "%s: \"%.80s\" is longer than %d bytes", option, text,
                        ORR_DATA_NAME_MAX - 1);
    memcpy(to->text, text, n + 1);
    to->is_number = orr_number_parse(text, text + n, &to->number);
    to->is_integer = orr_id_integer(text, n, &to->integer);
    if (orr_classes_find(c, text, n, to->number, to->is_number) >= 0)
        return orr_fail(ORR_ERR_OPTION, "%s: \"%s\" stands twice", option, text);
    c->n++;
    return ORR_OK;
}

orr_status orr_classes_init(orr_classes *c, const orr_strings *values, const char *option)
{
    orr_status st = ORR_OK;

    *c = (orr_classes){ 0 };
    if (values->n == 0) return ORR_OK;
    if (!(c->list = orr_alloc((size_t)values->n, sizeof *c->list)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d values of %s", values->n, option);
    for (int i = 0; st == ORR_OK && i < values->n; i++)
        st = add_value(c, values->v[i], option);
    if (st != ORR_OK) orr_classes_free(c);
    return st;
}

int orr_classes_find(const orr_classes *c, const char *text, size_t n, double number, int is_number)
{
    int64_t integer = 0;
    int is_integer = text && is_number && orr_id_integer(text, n, &integer);

    for (int i = 0; i < c->n; i++) {
        const orr_class *is = &c->list[i];

        if (is->is_integer && is_integer ? is->integer == integer
            : is->is_number && is_number
                ? is->number == number
                : text && strlen(is->text) == n && !memcmp(is->text, text, n))
            return i;
    }
    return -1;
}

int32_t orr_classes_label(const orr_classes *c, const char *text, size_t n, double number,
                          int is_number)
{
    if (c->list) return orr_classes_find(c, text, n, number, is_number);
    return is_number && number >= 0 && number < ORR_MAX_CLASSES && number == floor(number)
               ? (int32_t)number
               : -1;
}

void orr_classes_fault(const orr_classes *c, char *buf, size_t bytes)
{
    char list[200] = "";
    size_t used = 0;

    for (int i = 0; i < c->n && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                 c->list[i].text);
    if (c->list)
        snprintf(buf, bytes, "is not one of classes: [%s]", list);
    else
        snprintf(buf, bytes, "is not a class number from 0 to %d; list the labels in classes",
                 ORR_MAX_CLASSES - 1);
}
