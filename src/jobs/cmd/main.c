/* jobs/cmd/main.c - orrery COMMAND [FILE] [key=value ...] */
#include "core/text.h"
#include "jobs/cmd/command.h"

#include <stdio.h>
#include <string.h>

static const orr_command *const commands[] = {
    &orr_cmd_synth,   &orr_cmd_import,   &orr_cmd_fetch,  &orr_cmd_crop,  &orr_cmd_info,
    &orr_cmd_train,   &orr_cmd_lr_range, &orr_cmd_cv,     &orr_cmd_stack, &orr_cmd_evaluate,
    &orr_cmd_predict, &orr_cmd_launch,   &orr_cmd_status,
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_overview(void)
{
    printf("usage: orrery COMMAND [FILE] [key=value ...]\n\n"
           "Trains neural networks on survey astronomy data, on one rank or on many (mpirun -n N "
           "orrery ...).\n\n");
    for (int i = 0; i < N_COMMANDS; i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    printf(
        "\n  orrery COMMAND --help   what it takes, every key with its default\n"
        "  orrery --version        version\n\n"
        "Any key of a job file can be set on the line: orrery train job.yaml train.epochs=20 "
        "train.lr=1e-4\n"
        "Environment: ORR_LOG=info,comm:debug (log levels), ORR_WAIT=seconds (deadline of every "
        "wait).\n"
        "Exit codes: 0 done; 1 failed; 2 usage or job file; 75 stopped by a signal after saving "
        "(start again);\n76 ended by its launch, or without it; 77 a fault of the machine was seen "
        "(start again).\n");
}

static void print_help(const orr_command *c)
{
    orr_text t = ORR_TEXT_INIT;

    orr_text_printf(&t, "usage: %s\n\n%s\n", c->usage, c->details);
    if (c->options) {
        orr_text_printf(&t, "\n%s\n", c->options_title);
        orr_options_help(c->options, &t, "");
    }
    if (c->more_help) c->more_help(&t);
    printf("%s", t.s ? t.s : "");
    orr_text_free(&t);
}

static const orr_command *find_command(const char *name)
{
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    return NULL;
}

static orr_status unknown_command(const char *name)
{
    const char *names[N_COMMANDS], *near;

    for (int i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i]->name;
    near = orr_nearest(name, names, N_COMMANDS);
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

static int wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return 1;
    return 0;
}

/* Whoever gives nothing asks for this rather than for the first key that is missing. */
static void say_usage(const orr_command *c, orr_status st)
{
    orr_fail_more(st, "\nusage: %s", c->usage);
}

static int run_raw(const orr_command *c, int argc, char **argv)
{
    int code = c->raw(argc, argv);

    if (code != ORR_EXIT_OK || orr_context_flush() == ORR_OK) return code;
    fprintf(stderr, "orrery %s: %s\n", c->name, orr_error_text());
    return ORR_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    const orr_command *command = argc > 1 ? find_command(argv[1]) : NULL;
    orr_args args = { 0 };
    orr_context context;
    orr_status st;

    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("orrery %s\n", ORRERY_VERSION);
        return ORR_EXIT_OK;
    }
    if (wants_help(argc, argv) || (argc == 2 && strcmp(argv[1], "help") == 0)) {
        if (command)
            print_help(command);
        else
            print_overview();
        return ORR_EXIT_OK;
    }
    if (argc < 2) {
        print_overview();
        return ORR_EXIT_USAGE;
    }
    if (command && command->raw) return run_raw(command, argc - 2, argv + 2);
    st = orr_context_start(&context, &argc, &argv);
    if (st == ORR_OK) {
        /* The same arguments everywhere: what is wrong with them is known to all without asking. */
        context.agreed = command ? read_args(&args, argc - 2, argv + 2) : unknown_command(argv[1]);
        st = context.agreed;
        if (command && st == ORR_OK) st = command->run(&context, &args);
        if (command && argc == 2 && orr_exit_code(st) == ORR_EXIT_USAGE) say_usage(command, st);
    }
    return orr_context_finish(&context, command ? command->name : NULL, st);
}
