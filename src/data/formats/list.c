/* data/formats/list.c - the rows of formats, and ways to one of them. */
#include "data/formats/list.h"

#include <string.h>
#include <strings.h>

#define ADDRESS(name) &orr_format_##name,
static const orr_format *const rows[] = { ORR_FORMAT_LIST(ADDRESS) };
#undef ADDRESS
enum { N = sizeof rows / sizeof *rows, HEAD_BYTES = 1 << 16 };

const orr_format *orr_format_at(int i)
{
    return i >= 0 && i < N ? rows[i] : NULL;
}

const orr_format *orr_format_named(const char *word)
{
    for (int i = 0; i < N; i++)
        if (!strcmp(rows[i]->name, word)) return rows[i];
    return NULL;
}

static int ends_with(const char *s, size_t n, const char *end)
{
    size_t e = strlen(end);

    return n >= e && strncasecmp(s + n - e, end, e) == 0;
}

const orr_format *orr_format_of_name(const char *file)
{
    size_t n = orr_packing_name(file);

    for (int i = 0; i < N; i++)
        for (const char *const *end = rows[i]->endings; *end; end++)
            if (ends_with(file, n, *end)) return rows[i];
    return NULL;
}

/* Text is what is nothing else: it has no mark of its own. */
const orr_format *orr_format_of_bytes(const orr_bytes *b)
{
    for (int text = 0; text < 2; text++)
        for (int i = 0; i < N; i++)
            if (rows[i]->is_text == text && rows[i]->sniff(b)) return rows[i];
    return NULL;
}

void orr_format_words(orr_text *out, int (*wanted)(const orr_format *f))
{
    int n = 0;

    for (int i = 0; i < N; i++)
        if (!wanted || wanted(rows[i]))
            orr_text_printf(out, "%s%s", n++ ? ", " : "", rows[i]->name);
}

orr_status orr_format_of_file(const orr_format **out, const char *path)
{
    orr_text words = { .max = 512 };
    orr_bytes head;

    if ((*out = orr_format_of_name(path))) return ORR_OK;
    ORR_TRY(orr_bytes_open_head(&head, path, HEAD_BYTES));
    *out = orr_format_of_bytes(&head);
    orr_bytes_close(&head);
    if (*out) return ORR_OK;
    orr_format_words(&words, NULL);
    orr_fail(ORR_ERR_OPTION,
             "%s: neither its name nor its first bytes tell the format; set format: %s", path,
             words.s ? words.s : "");
    orr_text_free(&words);
    return ORR_ERR_OPTION;
}

/* ---- reference ---- */

static void print_words(orr_text *out, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        orr_text_printf(out, "%s`%s`", i ? " " : "", words[i]);
}

static void print_row(orr_text *out, const orr_format *f)
{
    orr_text_printf(out, "| `%s` | ", f->name);
    print_words(out, f->endings);
    orr_text_printf(out, " | %s | ",
                    f->is_text                         ? "named columns"
                    : f->read_records && f->open_array ? "named columns, or an array"
                    : f->read_records                  ? "named columns"
                    : f->find_array                    ? "arrays by name"
                                                       : "an array");
    orr_text_printf(out, "%s | ", f->is_container ? "no" : "yes");
    print_words(out, f->options);
    orr_text_printf(out, " | %s |\n", f->help);
}

void orr_formats_print(orr_text *out)
{
    const orr_packing *p;

    orr_text_add(
        out,
        "| format | names end in | opens as | may be packed | options of its own | what it is |\n"
        "|---|---|---|---|---|---|\n");
    for (int i = 0; i < N; i++)
        print_row(out, rows[i]);
    orr_text_add(out, "\nPacked files are known by their first bytes:");
    for (int i = 0; (p = orr_packing_at(i)); i++)
        orr_text_printf(out, "%s %s (`%s`)", i ? "," : "", p->name, p->ending);
    orr_text_add(out, ".\n");
}
