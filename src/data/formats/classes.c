/* data/formats/classes.c - values that a column may have. */
#include "data/formats/classes.h"
#include "core/memory.h"
#include "data/formats/id.h"
#include "data/formats/number.h"
#include "data/formats/text_value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void orr_classes_free(orr_classes *c)
{
    orr_free(c->list);
    *c = (orr_classes){ 0 };
}

/* What a text compares as. */
static orr_class read_value(const char *text, size_t n)
{
    orr_class v = { 0 };

    if (orr_text_is_null(text, n)) return v;
    v.is_number = orr_number_parse(text, text + n, &v.number);
    v.is_integer = orr_id_integer(text, n, &v.integer);
    return v;
}

static orr_status add_value(orr_classes *c, const char *text, const char *option)
{
    size_t n = strlen(text);
    orr_class v = read_value(text, n);

    if (n >= sizeof v.text)
        return orr_fail(ORR_ERR_OPTION, "%s: \"%.80s\" is longer than %d bytes", option, text,
                        ORR_DATA_NAME_MAX - 1);
    if (orr_classes_find(c, text, n) >= 0)
        return orr_fail(ORR_ERR_OPTION, "%s: \"%s\" stands twice", option, text);
    memcpy(v.text, text, n + 1);
    c->list[c->n++] = v;
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

static int is_same(const orr_class *a, const char *text, size_t n, const orr_class *b)
{
    size_t length = strlen(a->text);

    if (a->is_integer && b->is_integer) return a->integer == b->integer;
    if (a->is_number && b->is_number && fabs(a->number) < 0x1p53) return a->number == b->number;
    if (orr_text_is_null(text, n)) return orr_text_is_null(a->text, length);
    return length == n && !memcmp(a->text, text, n);
}

int orr_classes_find(const orr_classes *c, const char *text, size_t n)
{
    const orr_class v = read_value(text, n);

    for (int i = 0; i < c->n; i++)
        if (is_same(&c->list[i], text, n, &v)) return i;
    return -1;
}

static int32_t class_number(double v)
{
    return v >= 0 && v < ORR_MAX_CLASSES && v == floor(v) ? (int32_t)v : -1;
}

int32_t orr_classes_label(const orr_classes *c, const char *text, size_t n)
{
    orr_class v;

    if (c->list) return orr_classes_find(c, text, n);
    v = read_value(text, n);
    return v.is_number ? class_number(v.number) : -1;
}

int32_t orr_classes_label_number(const orr_classes *c, double v)
{
    if (!c->list) return class_number(v);
    for (int i = 0; i < c->n; i++)
        if (c->list[i].is_number && c->list[i].number == v) return i;
    return -1;
}

orr_status orr_classes_add(orr_classes *c, const char *text, size_t n)
{
    enum { MOST = ORR_MAX_CLASSES + 1 };
    orr_class v = read_value(text, n);
    int whole = v.is_number && v.number == floor(v.number) && fabs(v.number) < 9007199254740992.0;

    if (c->n == MOST || orr_classes_find(c, text, n) >= 0) return ORR_OK;
    if (!c->list && !(c->list = orr_alloc(MOST, sizeof *c->list)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d classes", MOST);
    if (n >= sizeof v.text)
        return orr_fail(ORR_ERR_FORMAT, "label \"%.*s...\" is longer than %d bytes", 40, text,
                        ORR_DATA_NAME_MAX - 1);
    memcpy(v.text, text, n);
    if (whole && !v.is_integer) {
        v.integer = (int64_t)v.number;
        v.is_integer = 1;
    }
    if (v.is_integer) snprintf(v.text, sizeof v.text, "%lld", (long long)v.integer);
    c->list[c->n++] = v;
    return ORR_OK;
}

static int in_order(const void *a, const void *b)
{
    const orr_class *x = a, *y = b;

    if (x->is_number != y->is_number) return y->is_number - x->is_number;
    if (x->is_integer && y->is_integer)
        return (x->integer > y->integer) - (x->integer < y->integer);
    if (x->is_number) return (x->number > y->number) - (x->number < y->number);
    return strcmp(x->text, y->text);
}

void orr_classes_sort(orr_classes *c)
{
    if (c->n) qsort(c->list, (size_t)c->n, sizeof *c->list, in_order);
}

orr_status orr_classes_copy(orr_classes *out, const orr_classes *c)
{
    orr_class *list = orr_alloc((size_t)c->n + 1, sizeof *list);

    if (!list) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d classes", c->n);
    if (c->n) memcpy(list, c->list, (size_t)c->n * sizeof *list);
    orr_classes_free(out);
    *out = (orr_classes){ .list = list, .n = c->n };
    return ORR_OK;
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
