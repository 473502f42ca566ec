/* core/text.c - bounded growing text, and CSV fields. */
#include "core/text.h"
#include "core/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Makes room for n more bytes and the end; false when the buffer has failed. */
static int reserve(orr_text *t, size_t n)
{
    size_t max = t->max ? t->max : (size_t)64 << 20;
    size_t need, cap = t->cap ? t->cap : 256;
    char *s;

    if (t->status != ORR_OK) return 0;
    if (__builtin_add_overflow(t->len + 1, n, &need) || need > max) {
        t->status = orr_fail(ORR_ERR_NOMEM, "text of more than %zu bytes", max);
        return 0;
    }
    if (need <= t->cap) return 1;
    while (cap < need)
        cap *= 2;
    if (!(s = orr_realloc(t->s, t->cap, cap, 1))) {
        t->status = orr_fail(ORR_ERR_NOMEM, "out of memory: %zu bytes of text", cap);
        return 0;
    }
    t->s = s;
    t->cap = cap;
    return 1;
}

void orr_text_addn(orr_text *t, const char *s, size_t n)
{
    if (!reserve(t, n)) return;
    memcpy(t->s + t->len, s, n);
    t->len += n;
    t->s[t->len] = '\0';
}

void orr_text_add(orr_text *t, const char *s)
{
    orr_text_addn(t, s, strlen(s));
}

void orr_text_printf(orr_text *t, const char *format, ...)
{
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n < 0 && t->status == ORR_OK)
        t->status = orr_fail(ORR_ERR_ARG, "text that printf refuses: \"%.80s\"", format);
    if (n < 0 || !reserve(t, (size_t)n)) return;
    va_start(ap, format);
    vsnprintf(t->s + t->len, (size_t)n + 1, format, ap);
    va_end(ap);
    t->len += (size_t)n;
}

/* Bytes of the word at s; of one that fits no line of `room`, what ends in its last bar that does.
 */
static int word_length(const char *s, int room)
{
    int n = (int)strcspn(s, " \n");

    if (n <= room) return n;
    for (int i = room; i > 0; i--)
        if (s[i - 1] == '|') return i;
    return n;
}

int orr_text_wrap(orr_text *t, const char *s, int at, int indent, int width)
{
    int fresh = 0; /* a line was begun, and nothing stands on it yet */

    while (*s) {
        int blanks = (int)strspn(s, " "), word = word_length(s + blanks, width - indent);

        if (s[blanks] == '\n') {
            orr_text_add(t, "\n");
            s += blanks + 1;
            fresh = 1;
            continue;
        }
        if (!fresh && at > indent && at + blanks + word > width && word > 0) {
            orr_text_add(t, "\n");
            s += blanks;
            blanks = 0;
            fresh = 1;
        }
        if (fresh) orr_text_printf(t, "%*s", at = indent, "");
        if (word > 0) orr_text_addn(t, s, (size_t)blanks + (size_t)word);
        at += blanks + word;
        s += blanks + word;
        fresh = 0;
    }
    return at;
}

/* Piece by piece; each ends in a quote, which is then doubled. */
static void put_csv(void (*put)(void *to, const char *s, size_t n), void *to, const char *s)
{
    size_t plain = strcspn(s, ",\"\r\n");

    if (s[plain] == '\0') {
        put(to, s, plain);
        return;
    }
    put(to, "\"", 1);
    for (const char *quote; (quote = strchr(s, '"')); s = quote + 1) {
        put(to, s, (size_t)(quote + 1 - s));
        put(to, "\"", 1);
    }
    put(to, s, strlen(s));
    put(to, "\"", 1);
}

static void put_to_text(void *to, const char *s, size_t n)
{
    orr_text_addn(to, s, n);
}

static void put_to_file(void *to, const char *s, size_t n)
{
    (void)fwrite(s, 1, n, to); /* ferror tells */
}

void orr_text_csv(orr_text *t, const char *s)
{
    put_csv(put_to_text, t, s);
}

void orr_csv_put(FILE *f, const char *s)
{
    put_csv(put_to_file, f, s);
}

orr_status orr_text_status(const orr_text *t)
{
    return t->status;
}

void orr_text_free(orr_text *t)
{
    orr_free(t->s);
    *t = (orr_text){ .max = t->max };
}
