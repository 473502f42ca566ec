/* data/formats/list.c - the rows of formats, and ways to one of them. */
#include "data/formats/list.h"
#include "core/rows.h"

#include <string.h>
#include <strings.h>

extern const orr_format orr_format_csv, orr_format_fits, orr_format_npy, orr_format_npz,
    orr_format_hdf5, orr_format_idx;

static const orr_format *const rows[] = { &orr_format_csv, &orr_format_fits, &orr_format_npy,
                                          &orr_format_npz, &orr_format_hdf5, &orr_format_idx };
enum { N = sizeof rows / sizeof *rows, HEAD_BYTES = 1 << 16 };

const orr_format *orr_format_at(int i)
{
    return i >= 0 && i < N ? rows[i] : NULL;
}

const orr_format *orr_format_named(const char *word)
{
    return orr_format_at(orr_row_named(rows, N, word, NULL));
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

const char *orr_format_choice(int i)
{
    return i == 0 ? "auto" : orr_row_name(rows, N, i - 1);
}

int orr_format_kind_help(int i, orr_kind_help *out)
{
    if (i < 0 || i >= N) return 0;
    *out = (orr_kind_help){ .name = rows[i]->name, .help = rows[i]->help };
    return 1;
}
