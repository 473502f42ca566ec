/* jobs/cmd/main.c - orrery COMMAND [FILE] [key=value ...] */
#include "core/text.h"
#include "core/threads.h"
#include "jobs/cmd/help.h"
#include "jobs/context/ending.h"

#include <stdio.h>
#include <string.h>

static orr_status unknown_command(const char *name, const char *near)
{
    return near ? orr_fail(ORR_ERR_ARG, "unknown command \"%s\"; did you mean \"%s\"?", name, near)
                : orr_fail(ORR_ERR_ARG, "unknown command \"%s\"; orrery --help lists them", name);
}

static orr_status read_args(orr_args *a, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (orr_is_assignment(argv[i])) {
            if (a->n_assignments == (int)(sizeof a->assignments / sizeof *a->assignments))
                return orr_fail(ORR_ERR_ARG, "more than %d assignments; put them in a job file",
                                a->n_assignments);
            a->assignments[a->n_assignments++] = argv[i];
        } else if (argv[i][0] == '-' && argv[i][1] != '\0') {
            return orr_fail(ORR_ERR_ARG, "unknown option \"%s\"; settings are key=value", argv[i]);
        } else {
            if (a->n_words == (int)(sizeof a->words / sizeof *a->words))
                return orr_fail(ORR_ERR_ARG, "too many arguments at \"%s\"", argv[i]);
            a->words[a->n_words++] = argv[i];
        }
    }
    return ORR_OK;
}

/* As many words as the command has arguments, none missing that it needs. */
static orr_status check_words(const orr_command *c, const orr_args *a)
{
    int n = 0, several = 0;

    for (; c->arguments[n].name; n++) {
        several |= c->arguments[n].several;
        if (n >= a->n_words && !c->arguments[n].optional)
            return orr_fail(ORR_ERR_ARG, "%s needs %s: %s", c->name, c->arguments[n].name,
                            c->arguments[n].help);
    }
    if (a->n_words <= n || several) return ORR_OK;
    return orr_fail(ORR_ERR_ARG, "%s takes %s%s%s; \"%s\" is one too many", c->name,
                    n ? c->arguments[0].name : "no word", n > 1 ? " and " : "",
                    n > 1 ? c->arguments[1].name : "", a->words[n]);
}

static int wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return 1;
    return 0;
}

/* Whoever gives nothing asks for this rather than for the first key that is missing. */
static void say_usage(const orr_command *c, orr_status st)
{
    orr_text usage = ORR_TEXT_INIT;

    orr_command_usage(c, &usage);
    orr_fail_more(st, "\nusage: %s", usage.s ? usage.s : c->usage);
    orr_text_free(&usage);
}

static int run_raw(const orr_command *c, int argc, char **argv)
{
    int code = c->raw(argc, argv);

    if (code != ORR_EXIT_OK || orr_flush_output() == ORR_OK) return code;
    fprintf(stderr, "orrery %s: %s\n", c->name, orr_error_text());
    return ORR_EXIT_FAILED;
}

/* What the program says of itself, when the line asks for that: 1, and *code is how it ends. */
static int says_of_itself(int argc, char **argv, const orr_command *command, int *code)
{
    orr_text said = ORR_TEXT_INIT;
    orr_status st = ORR_OK;

    *code = ORR_EXIT_OK;
    if (argc < 2 || (argc == 2 && strcmp(argv[1], "help") == 0)) {
        orr_overview(&said);
        if (argc < 2) *code = ORR_EXIT_USAGE;
    } else if (strcmp(argv[1], "--version") == 0) {
        orr_text_printf(&said, "orrery %s\n", ORRERY_VERSION);
    } else if (strcmp(argv[1], "--man") == 0) {
        orr_man_page(&said);
    } else if (strcmp(argv[1], "--completion") == 0) {
        st = orr_completion(argc > 2 ? argv[2] : "bash", &said);
    } else if (wants_help(argc, argv)) {
        if (command)
            orr_command_help(command, &said);
        else
            orr_overview(&said);
    } else {
        return 0;
    }
    if (st == ORR_OK) st = orr_text_status(&said);
    if (st == ORR_OK) printf("%s", said.s);
    if (st == ORR_OK) st = orr_flush_output();
    if (st != ORR_OK) {
        fprintf(stderr, "orrery: %s\n", orr_error_text());
        *code = orr_exit_code(st);
    }
    orr_text_free(&said);
    return 1;
}

int main(int argc, char **argv)
{
    const char *near = NULL;
    const orr_command *command = argc > 1 ? orr_command_find(argv[1], &near) : NULL;
    orr_args args = { 0 };
    orr_context context;
    orr_status st;
    int code;

    if (says_of_itself(argc, argv, command, &code)) return code;
    if (command && command->raw) return run_raw(command, argc - 2, argv + 2);
    orr_threads_wait_briefly(argv);
    st = orr_context_start(&context, &argc, &argv);
    if (st == ORR_OK) {
        /* The same arguments everywhere: what is wrong with them is known to all without asking. */
        st = command ? read_args(&args, argc - 2, argv + 2) : unknown_command(argv[1], near);
        if (command && st == ORR_OK) st = check_words(command, &args);
        context.agreed = st;
        if (command && st == ORR_OK) st = command->run(&context, &args);
        if (command && argc == 2 && orr_exit_code(st) == ORR_EXIT_USAGE) say_usage(command, st);
    }
    return orr_context_finish(&context, command ? command->name : NULL, st);
}
