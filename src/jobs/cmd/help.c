/* jobs/cmd/help.c - overview, --help and the manual page. */
#include "jobs/cmd/help.h"
#include "jobs/context/exit_code.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 80, WORD_COLUMN = 14 };

/* "  WORD        text", the text wrapped. */
static void add_row(orr_text *out, const char *word, const char *text)
{
    int at = (int)strlen(word) + 2;

    orr_text_printf(out, "  %s", word);
    if (at + 1 > WORD_COLUMN) {
        orr_text_add(out, "\n");
        at = 0;
    }
    orr_text_printf(out, "%*s", WORD_COLUMN - at, "");
    orr_text_wrap(out, text, WORD_COLUMN, WORD_COLUMN, WIDTH);
    orr_text_add(out, "\n");
}

void orr_command_usage(const orr_command *c, orr_text *out)
{
    orr_text_printf(out, "%sorrery %s %s", c->on_ranks ? "[mpirun -n N] " : "", c->name, c->usage);
}

static void add_arguments(const orr_command *c, orr_text *out)
{
    if (c->arguments[0].name) orr_text_add(out, "\n");
    for (const orr_argument *a = c->arguments; a->name; a++)
        add_row(out, a->name, a->help);
}

static void add_more(const orr_more_keys *more, orr_text *out)
{
    for (; more && more->title; more++) {
        orr_kind_help kind;

        orr_text_add(out, "\n");
        orr_text_wrap(out, more->title, 0, 0, WIDTH);
        orr_text_add(out, "\n");
        if (more->options) orr_options_help(more->options, out, more->prefix);
        for (int i = 0; more->kind && more->kind(i, &kind); i++)
            orr_kind_help_add(&kind, out);
    }
}

static void add_examples(const orr_command *c, orr_text *out)
{
    if (c->examples) orr_text_add(out, "\nExamples:\n");
    for (const orr_example *e = c->examples; e && e->line; e++) {
        orr_text_printf(out, "  %s\n      ", e->line);
        orr_text_wrap(out, e->what, 6, 6, WIDTH);
        orr_text_add(out, "\n");
    }
}

static void add_exits(const orr_exit *exits, const char *title, orr_text *out)
{
    char code[16];

    if (exits) orr_text_add(out, title);
    for (; exits && exits->meaning; exits++) {
        snprintf(code, sizeof code, "%d", exits->code);
        add_row(out, code, exits->meaning);
    }
}

void orr_command_help(const orr_command *c, orr_text *out)
{
    orr_text_add(out, "usage: ");
    orr_command_usage(c, out);
    orr_text_add(out, "\n\n");
    orr_text_wrap(out, c->details ? c->details : c->summary, 0, 0, WIDTH);
    orr_text_add(out, "\n");
    add_arguments(c, out);
    if (c->options) {
        orr_text_printf(out, "\n%s\n", c->options_title);
        orr_options_help(c->options, out, "");
    }
    add_more(c->more, out);
    add_examples(c, out);
    add_exits(c->exits, "\nExit codes (others as in orrery --help):\n", out);
}

/* ---- the whole program ---- */
static const orr_exit common_exits[] = {
    { ORR_EXIT_OK, "done" },
    { ORR_EXIT_FAILED, "failed" },
    { ORR_EXIT_USAGE, "usage or job file" },
    { ORR_EXIT_REQUEUE, "stopped by a signal after saving (start again)" },
    { ORR_EXIT_LOST, "ended by its launch, or without it" },
    { ORR_EXIT_MACHINE, "a fault of the machine was seen (start again)" },
    { 0, NULL },
};

static void add_commands(orr_text *out)
{
    int n;
    const orr_command *const *c = orr_commands(&n);

    for (int i = 0; i < n; i++)
        add_row(out, c[i]->name, c[i]->summary);
}

void orr_overview(orr_text *out)
{
    orr_text_add(out, "usage: orrery COMMAND [FILE] [key=value ...]\n\n"
                      "Trains neural networks on survey astronomy data, on one rank or on many\n"
                      "(mpirun -n N orrery ...).\n\n");
    add_commands(out);
    orr_text_add(out, "\n"
                      "  orrery COMMAND --help      what it takes, every key with its default\n"
                      "  orrery --version           version\n"
                      "  orrery --completion bash   what bash reads to complete commands and keys\n"
                      "  orrery --man               the manual page\n\n"
                      "Any key of a job file can be set on the line:\n"
                      "  orrery train job.yaml train.epochs=20 train.lr=1e-4\n\n"
                      "Environment:\n"
                      "  ORR_LOG=info,comm:debug    log levels\n"
                      "  ORR_WAIT=seconds           deadline of every wait\n");
    add_exits(common_exits, "\nExit codes:\n", out);
}

/* Text as roff takes it: no line of it is a request, no dash becomes a hyphen. */
static void add_roff(orr_text *out, const char *s)
{
    for (int fresh = 1; *s; s++) {
        if (fresh && (*s == '.' || *s == '\'')) orr_text_add(out, "\\&");
        if (*s == '\\')
            orr_text_add(out, "\\e");
        else if (*s == '-')
            orr_text_add(out, "\\-");
        else
            orr_text_addn(out, s, 1);
        fresh = *s == '\n';
    }
}

static void add_section(orr_text *out, const char *title, orr_text *said)
{
    orr_text_add(out, ".SH ");
    for (const char *s = title; *s; s++) {
        char up = (char)(*s >= 'a' && *s <= 'z' ? *s - 'a' + 'A' : *s);
        orr_text_addn(out, &up, 1);
    }
    orr_text_add(out, "\n.nf\n");
    add_roff(out, said->s ? said->s : "");
    orr_text_add(out, ".fi\n");
    if (said->status != ORR_OK) out->status = said->status;
    orr_text_free(said);
}

void orr_man_page(orr_text *out)
{
    int n;
    const orr_command *const *c = orr_commands(&n);
    orr_text said = ORR_TEXT_INIT;

    orr_text_printf(out, ".TH ORRERY 1 \"\" \"orrery %s\"\n", ORRERY_VERSION);
    orr_text_add(out, ".SH NAME\norrery \\- train neural networks on survey astronomy data\n");
    orr_overview(&said);
    add_section(out, "SYNOPSIS", &said);
    for (int i = 0; i < n; i++) {
        orr_command_help(c[i], &said);
        add_section(out, c[i]->name, &said);
    }
}
