/* core/status.c - thread-local error sentence. */
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char error_text[ORR_ERROR_MAX];
static _Thread_local char error_where[ORR_WHERE_MAX];

/* A sentence quotes names out of strangers' files: they do not speak to the terminal. */
static void make_printable(char *s)
{
    for (; *s; s++)
        if (((unsigned char)*s < ' ' && *s != '\n') || *s == 0x7f) *s = '?';
}

orr_status orr_fail_at(const char *file, int line, orr_status code, const char *format, ...)
{
    char text[ORR_ERROR_MAX] = ""; /* the arguments may point into error_text */
    const char *slash = strrchr(file, '/');
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    make_printable(text);
    memcpy(error_text, text, sizeof text);
    snprintf(error_where, sizeof error_where, "%s:%d", slash ? slash + 1 : file, line);
    return code;
}

orr_status orr_fail_prefix(orr_status code, const char *format, ...)
{
    char text[ORR_ERROR_MAX] = "";
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (n < 0) n = 0;
    if ((size_t)n < sizeof text) snprintf(text + n, sizeof text - (size_t)n, "%s", error_text);
    memcpy(error_text, text, sizeof text);
    return code;
}

orr_status orr_fail_more(orr_status code, const char *format, ...)
{
    char more[ORR_ERROR_MAX] = "";
    size_t n = strlen(error_text);
    va_list ap;

    va_start(ap, format);
    vsnprintf(more, sizeof more, format, ap);
    va_end(ap);
    snprintf(error_text + n, sizeof error_text - n, "%s", more);
    return code;
}

const char *orr_error_text(void)
{
    return error_text;
}

const char *orr_error_where(void)
{
    return error_where;
}

void orr_error_clear(void)
{
    error_text[0] = error_where[0] = '\0';
}

/* ---- a failure as a value ---- */
void orr_error_take(orr_error *out, orr_status st)
{
    *out = (orr_error){ .code = st };
    if (st == ORR_OK) return;
    memcpy(out->text, error_text, sizeof out->text);
    memcpy(out->where, error_where, sizeof out->where);
    orr_error_clear();
}

orr_status orr_error_raise(const orr_error *e)
{
    if (e->code == ORR_OK) return ORR_OK;
    memcpy(error_text, e->text, sizeof error_text);
    memcpy(error_where, e->where, sizeof error_where);
    return e->code;
}

orr_status orr_error_keep(orr_error *first, orr_status st)
{
    if (first->code == ORR_OK)
        orr_error_take(first, st);
    else if (st != ORR_OK)
        orr_error_clear();
    return first->code;
}

/* ---- codes ---- */
int orr_is_data_fault(orr_status st)
{
    return st == ORR_ERR_FORMAT || st == ORR_ERR_SHAPE || st == ORR_ERR_NUMERIC ||
           st == ORR_ERR_UNSUPPORTED || st == ORR_ERR_IO;
}

const char *orr_status_name(orr_status st)
{
    switch (st) {
    case ORR_OK:
        return "ok";
    case ORR_PENDING:
        return "pending";
    case ORR_ERR_NOMEM:
        return "out of memory";
    case ORR_ERR_ARG:
        return "bad argument";
    case ORR_ERR_IO:
        return "input/output error";
    case ORR_ERR_FORMAT:
        return "bad input";
    case ORR_ERR_SHAPE:
        return "bad shape";
    case ORR_ERR_OPTION:
        return "bad job file";
    case ORR_ERR_EXISTS:
        return "output exists";
    case ORR_ERR_UNSUPPORTED:
        return "not supported";
    case ORR_ERR_COMM:
        return "communication error";
    case ORR_ERR_TIMEOUT:
        return "deadline passed";
    case ORR_ERR_NUMERIC:
        return "not a finite number";
    case ORR_ERR_INTERRUPTED:
        return "interrupted";
    case ORR_ERR_INTERNAL:
        return "internal error";
    case ORR_ERR_MACHINE:
        return "fault of the machine";
    }
    return "unknown status";
}
