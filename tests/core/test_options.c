/* tests/core/test_options.c - tables: what is read, every refusal by its sentence, dumps that read
 * back. */
#include "core/core_test.h"
#include "core/memory.h"
#include "core/options.h"

#include <math.h>

typedef struct {
    const char *name;
    double momentum;
} optimiser;

static const orr_option optimiser_table[] = {
    ORR_OPTION_CHOICE(optimiser, name, "sgd", "sgd|adam|lamb", "the rule"),
    ORR_OPTION_REAL(optimiser, momentum, "0.9", 0, 1, "share of the last step kept"),
    ORR_OPTION_END,
};

typedef struct {
    int epochs;
    int64_t seed;
    double lr, decay;
    int nesterov;
    const char *run;
    int kernel[2];
    orr_reals milestones;
    orr_strings columns;
    const orr_node *layers;
    optimiser opt;
} train;

static const orr_option train_table[] = {
    ORR_OPTION_INT(train, epochs, NULL, 1, 1000, "passes over the data"),
    ORR_OPTION_INT64(train, seed, "0", 0, 9e18, "names every random number"),
    ORR_OPTION_REAL(train, lr, "0.1", 0, 10, "learning rate"),
    ORR_OPTION_REAL(train, decay, "1e-4", -INFINITY, INFINITY, "weight decay"),
    ORR_OPTION_BOOL(train, nesterov, "no", "look ahead"),
    ORR_OPTION_STRING(train, run, "runs/x", "output folder"),
    ORR_OPTION_PAIR(train, kernel, "3", 1, 15, "kernel, pixels"),
    ORR_OPTION_REALS(train, milestones, "[0.5, 0.75]", 0, 1, "where the rate drops"),
    ORR_OPTION_STRINGS(train, columns, "", "columns kept"),
    ORR_OPTION_NODE(train, layers, "the net"),
    ORR_OPTION_SECTION(train, opt, optimiser_table, "optimiser"),
    ORR_OPTION_END,
};

typedef struct {
    train train;
} job;

static const orr_option job_table[] = {
    ORR_OPTION_SECTION(job, train, train_table, "training"),
    ORR_OPTION_END,
};

static orr_config *parse(const char *text)
{
    orr_config *c = NULL;

    assert_ok(orr_config_parse(&c, text, "job.yaml"));
    return c;
}

static void defaults(void **state)
{
    orr_config *c = parse("epochs: 3\n");
    train t;

    (void)state;
    memset(&t, 0xAB, sizeof t);
    assert_ok(orr_options_read(&t, train_table, orr_config_root(c), "train"));
    orr_config_destroy(c);
    assert_int_equal(t.epochs, 3);
    assert_int_equal(t.seed, 0);
    assert_true(t.lr == 0.1 && t.decay == 1e-4);
    assert_int_equal(t.nesterov, 0);
    assert_string_equal(t.run, "runs/x"); /* from the table: the tree is gone */
    assert_int_equal(t.kernel[0], 3);
    assert_int_equal(t.kernel[1], 3);
    assert_int_equal(t.milestones.n, 2);
    assert_true(t.milestones.v[1] == 0.75);
    assert_int_equal(t.columns.n, 0);
    assert_null(t.layers);
    assert_string_equal(t.opt.name, "sgd");
    assert_true(t.opt.momentum == 0.9);
}

static void values(void **state)
{
    orr_config *c =
        parse("epochs: 1000\nseed: 8999999999999999999\nlr: 1e-3\ndecay: -.5\n"
              "nesterov: On\nrun: 12\nkernel: [5, 7]\nmilestones: 0.25\n"
              "columns: [u, \"0.1\"]\nlayers: [a, b]\nopt: {name: adam, momentum: 1}\n");
    train t;

    (void)state;
    assert_ok(orr_options_read(&t, train_table, orr_config_root(c), "train"));
    assert_int_equal(t.epochs, 1000);
    assert_true(t.seed == 8999999999999999999);
    assert_true(t.lr == 1e-3 && t.decay == -0.5);
    assert_int_equal(t.nesterov, 1);
    assert_string_equal(t.run, "12"); /* a number where a text is wanted is a text */
    assert_int_equal(t.kernel[0], 5);
    assert_int_equal(t.kernel[1], 7);
    assert_int_equal(t.milestones.n, 1);
    assert_true(t.milestones.v[0] == 0.25);
    assert_int_equal(t.columns.n, 2);
    assert_string_equal(t.columns.v[1], "0.1");
    assert_int_equal(t.layers->n_items, 2);
    assert_string_equal(t.opt.name, "adam");
    assert_ptr_equal(t.opt.name,
                     orr_node_get(orr_node_get(orr_config_root(c), "opt"), "name")->scalar);
    orr_config_destroy(c);
}

/* Edges of every range are in it; an empty section or subtree is an absent one. */
static void accepts(void **state)
{
    static const char *const good[] = {
        "epochs: 1",
        "epochs: +7",
        "epochs: 007",
        "epochs: 1\nlr: 0",
        "epochs: 1\nlr: 10",
        "epochs: 1\nlr: 10.0e0",
        "epochs: 1\nlr: 1.",
        "epochs: 1\ndecay: 1e-320",
        "epochs: 1\ndecay: -1e308",
        "epochs: 1\nopt:",
        "epochs: 1\nopt: {}",
        "epochs: 1\nlayers:",
        "epochs: 1\nmilestones: []",
        "epochs: 1\nkernel: 15",
        "epochs: 1\nrun: \"\"",
        "epochs: 1\nnesterov: TRUE",
        "epochs: 1\nopt: {name: \"lamb\"}",
        "epochs: 1\ncolumns: one",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        orr_config *c = parse(good[i]);
        train t;

        assert_ok(orr_options_read(&t, train_table, orr_config_root(c), "train"));
        orr_config_destroy(c);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        { "train:\n  epoch: 3\n",
          "job.yaml:2: unknown key \"epoch\" in train; did you mean \"epochs\"?" },
        { "train:\n  epochs: 3\n  zzzz: 3\n", "job.yaml:3: unknown key \"zzzz\" in train" },
        { "trian: {}\n", "job.yaml:1: unknown key \"trian\"; did you mean \"train\"?" },
        { "train:\n  epochs: 3\n  opt:\n    nam: sgd\n",
          "job.yaml:4: unknown key \"nam\" in train.opt; did you mean \"name\"?" },
        { "train: {}\n", "job.yaml:1: train.epochs is missing: passes over the data" },
        { "# nothing\n", "train.epochs is missing: passes over the data" },
        { "train:\n  epochs: 1\n  lr: -1\n",
          "job.yaml:3: train.lr is -1; it must lie between 0 and 10" },
        { "train:\n  epochs: 1\n\n  lr: 10.01\n",
          "job.yaml:4: train.lr is 10.01; it must lie between 0 and 10" },
        { "train: {epochs: 0}", "job.yaml:1: train.epochs is 0; it must lie between 1 and 1000" },
        { "train: {epochs: 99999999999}",
          "job.yaml:1: train.epochs is 99999999999; it must lie between 1 and 1000" },
        { "train: {epochs: 1.5}",
          "job.yaml:1: train.epochs is \"1.5\"; it must be a whole number" },
        { "train: {epochs: 1e3}",
          "job.yaml:1: train.epochs is \"1e3\"; it must be a whole number" },
        { "train: {epochs: 99999999999999999999}",
          "job.yaml:1: train.epochs is \"99999999999999999999\"; it must be a whole number" },
        { "train: {epochs: 0x10}",
          "job.yaml:1: train.epochs is \"0x10\"; it must be a whole number" },
        { "train: {epochs: 3 4}",
          "job.yaml:1: train.epochs is \"3 4\"; it must be a whole number" },
        { "train: {epochs: \"3\"}",
          "job.yaml:1: train.epochs is the text \"3\"; write a whole number without quotes" },
        { "train: {epochs: }", "job.yaml:1: train.epochs has no value; it must be a whole number" },
        { "train: {epochs: [1]}", "job.yaml:1: train.epochs is a list; it must be a whole number" },
        { "train: {epochs: 1, lr: {}}", "job.yaml:1: train.lr is a map; it must be a number" },
        { "train: {epochs: 1, lr: fast}",
          "job.yaml:1: train.lr is \"fast\"; it must be a finite number" },
        { "train: {epochs: 1, lr: 0.1x}",
          "job.yaml:1: train.lr is \"0.1x\"; it must be a finite number" },
        { "train: {epochs: 1, lr: .nan}",
          "job.yaml:1: train.lr is \".nan\"; it must be a finite number" },
        { "train: {epochs: 1, lr: nan}",
          "job.yaml:1: train.lr is \"nan\"; it must be a finite number" },
        { "train: {epochs: 1, decay: -inf}",
          "job.yaml:1: train.decay is \"-inf\"; it must be a finite number" },
        { "train: {epochs: 1, decay: 1e999}",
          "job.yaml:1: train.decay is \"1e999\"; it must be a finite number" },
        { "train: {epochs: 1, lr: 0x1p-3}",
          "job.yaml:1: train.lr is \"0x1p-3\"; it must be a finite number" },
        { "train: {epochs: 1, nesterov: maybe}",
          "job.yaml:1: train.nesterov is \"maybe\"; it must be true or false" },
        { "train: {epochs: 1, nesterov: 1}",
          "job.yaml:1: train.nesterov is \"1\"; it must be true or false" },
        { "train: {epochs: 1, run: }",
          "job.yaml:1: train.run has no value; it must be a text (\"\" for an empty one)" },
        { "train: {epochs: 1, run: [a]}",
          "job.yaml:1: train.run is a list; it must be a text (\"\" for an empty one)" },
        { "train: {epochs: 1, opt: {name: adan}}",
          "job.yaml:1: train.opt.name is \"adan\"; it must be one of sgd, adam, lamb; did you mean "
          "\"adam\"?" },
        { "train: {epochs: 1, opt: {name: rmsprop}}",
          "job.yaml:1: train.opt.name is \"rmsprop\"; it must be one of sgd, adam, lamb" },
        { "train: {epochs: 1, opt: {name: \"sgd|adam\"}}",
          "job.yaml:1: train.opt.name is \"sgd|adam\"; it must be one of sgd, adam, lamb" },
        { "train: {epochs: 1, opt: {name: \"\"}}",
          "job.yaml:1: train.opt.name is \"\"; it must be one of sgd, adam, lamb" },
        { "train: {epochs: 1, opt: sgd}",
          "job.yaml:1: train.opt is a single value; it must be a map of \"key: value\" lines" },
        { "train: [1]", "job.yaml:1: train is a list; it must be a map of \"key: value\" lines" },
        { "train: {epochs: 1, kernel: [3]}",
          "job.yaml:1: train.kernel has 1 items; it must be one whole number or a list of two" },
        { "train: {epochs: 1, kernel: [1, 2, 3]}",
          "job.yaml:1: train.kernel has 3 items; it must be one whole number or a list of two" },
        { "train: {epochs: 1, kernel: [1, 16]}",
          "job.yaml:1: train.kernel[1] is 16; it must lie between 1 and 15" },
        { "train: {epochs: 1, kernel: {a: 1}}",
          "job.yaml:1: train.kernel is a map; it must be one whole number or a list of two" },
        { "train:\n  epochs: 1\n  milestones:\n    - 0.5\n    - 1.5\n",
          "job.yaml:5: train.milestones[1] is 1.5; it must lie between 0 and 1" },
        { "train: {epochs: 1, milestones: [0.5, [1]]}",
          "job.yaml:1: train.milestones[1] is a list; it must be a number" },
        { "train: {epochs: 1, columns: [a, ]}", NULL }, /* a trailing comma is YAML */
        { "train: {epochs: 1, columns: [a, ~]}",
          "job.yaml:1: train.columns[1] has no value; it must be a text (\"\" for an empty one)" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        orr_config *c = parse(bad[i].text);
        job j;

        if (bad[i].message)
            assert_failure(orr_options_read(&j, job_table, orr_config_root(c), ""), ORR_ERR_OPTION,
                           bad[i].message);
        else
            assert_ok(orr_options_read(&j, job_table, orr_config_root(c), ""));
        orr_config_destroy(c);
    }
}

static void refuses_long_lists(void **state)
{
    orr_text text = ORR_TEXT_INIT;
    orr_config *c;
    train t;

    (void)state;
    orr_text_add(&text, "epochs: 1\nmilestones: [0");
    for (int i = 1; i < ORR_LIST_MAX; i++)
        orr_text_add(&text, ",0");
    orr_text_add(&text, "]\n");
    c = parse(text.s);
    assert_ok(orr_options_read(&t, train_table, orr_config_root(c), "train"));
    assert_int_equal(t.milestones.n, ORR_LIST_MAX);
    orr_config_destroy(c);
    text.s[text.len - 2] = ','; /* the bracket */
    orr_text_add(&text, " 0]");
    c = parse(text.s);
    assert_failure(orr_options_read(&t, train_table, orr_config_root(c), "train"), ORR_ERR_OPTION,
                   "job.yaml:2: train.milestones has 65 items; at most 64 are possible");
    orr_config_destroy(c);
    orr_text_free(&text);
}

static void one_sided_ranges(void **state)
{
    static const orr_option table[] = {
        ORR_OPTION_REAL(optimiser, momentum, "0", 0, INFINITY, "m"),
        ORR_OPTION_END,
    };
    static const orr_option other[] = {
        ORR_OPTION_REAL(optimiser, momentum, "0", -INFINITY, 2.5, "m"),
        ORR_OPTION_END,
    };
    orr_config *low = parse("momentum: -0.1"), *high = parse("momentum: 3");
    optimiser o;

    (void)state;
    assert_failure(orr_options_read(&o, table, orr_config_root(low), ""), ORR_ERR_OPTION,
                   "job.yaml:1: momentum is -0.1; it must be at least 0");
    assert_failure(orr_options_read(&o, other, orr_config_root(high), "layer dense"),
                   ORR_ERR_OPTION,
                   "job.yaml:1: layer dense: momentum is 3; it must be at most 2.5");
    orr_config_destroy(low);
    orr_config_destroy(high);
}

static void places_on_the_command_line(void **state)
{
    orr_config *c = parse("train:\n  epochs: 1\n");
    job j;

    (void)state;
    assert_ok(orr_config_set(c, "train.lr=-1"));
    assert_failure(orr_options_read(&j, job_table, orr_config_root(c), ""), ORR_ERR_OPTION,
                   "command line: train.lr is -1; it must lie between 0 and 10");
    assert_ok(orr_config_set(c, "train.lr=1"));
    assert_ok(orr_config_set(c, "train.epoch=2"));
    assert_failure(orr_options_read(&j, job_table, orr_config_root(c), ""), ORR_ERR_OPTION,
                   "command line: unknown key \"epoch\" in train; did you mean \"epochs\"?");
    orr_config_destroy(c);
}

static void same_train(const train *a, const train *b)
{
    assert_int_equal(a->epochs, b->epochs);
    assert_true(a->seed == b->seed && a->lr == b->lr && a->decay == b->decay);
    assert_int_equal(a->nesterov, b->nesterov);
    assert_string_equal(a->run, b->run);
    assert_memory_equal(a->kernel, b->kernel, sizeof a->kernel);
    assert_memory_equal(&a->milestones, &b->milestones, sizeof a->milestones);
    assert_int_equal(a->columns.n, b->columns.n);
    for (int i = 0; i < a->columns.n; i++)
        assert_string_equal(a->columns.v[i], b->columns.v[i]);
    assert_int_equal(!a->layers, !b->layers);
    assert_string_equal(a->opt.name, b->opt.name);
    assert_true(a->opt.momentum == b->opt.momentum);
}

/* Reads a dump and compares; the dump of what was read is the dump again. */
static void reads_back(const train *t, int flow)
{
    orr_text text = ORR_TEXT_INIT, again = ORR_TEXT_INIT;
    orr_config *c = NULL;
    job j = { .train = *t }, k;

    if (flow)
        assert_ok(orr_options_dump_flow(&j, job_table, &text));
    else
        assert_ok(orr_options_dump(&j, job_table, &text, 0));
    assert_ok(orr_config_parse(&c, text.s, "dump"));
    assert_ok(orr_options_read(&k, job_table, orr_config_root(c), ""));
    same_train(t, &k.train);
    if (flow)
        assert_ok(orr_options_dump_flow(&k, job_table, &again));
    else
        assert_ok(orr_options_dump(&k, job_table, &again, 0));
    assert_string_equal(text.s, again.s);
    orr_text_free(&text);
    orr_text_free(&again);
    orr_config_destroy(c);
}

static void dumps_read_back(void **state)
{
    static const char *const strings[] = {
        "",         "yes",          "null",         "~",          "0.1",   "1e5",     "a b",
        " a",       "a ",           "a: b",         "a#b",        "a #b",  "-",       "- a",
        "a\nb",     "\"",           "\\",           "'",          "[a",    "{a",      "a,b",
        "&a",       "*a",           "!a",           "%a",         "@a",    "`a",      "|",
        ">",        "a\tb",         "...",          "---",        "on",    "True",    "../x",
        "/a/b",     "./x",          ".5",           "+1",         "1:30",  "a:",      ":a",
        "?",        "<<",           "\x7f",         "\x01",       "=",     "\r\n",    "\xc3\xa9",
        "\xc2\x85", "\xe2\x80\xa8", "\xef\xbb\xbf", "2020-01-01", "C:\\x", "$HOME/x", "a  b",
    };
    static const double reals[] = {
        0,         0.1 + 0.2, -0.0, 0.1,   1.0 / 3, 1e-5, 1e300, 5e-324,
        123456789, 2e16,      1e22, 1e-17, 0.3,     100,  1e15,  -2.5e-8
    };
    orr_config *c = parse("epochs: 1\nlayers: [conv: {k: 3}, \"0.1\", [x]]\ncolumns: [a, \"1\"]\n");
    train t;

    (void)state;
    assert_ok(orr_options_read(&t, train_table, orr_config_root(c), "train"));
    for (int flow = 0; flow < 2; flow++) {
        for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
            train s = t;

            s.run = strings[i];
            s.columns.v[0] = strings[i];
            s.layers = i % 2 ? NULL : t.layers;
            reads_back(&s, flow);
        }
        for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
            train s = t;

            s.decay = reals[i];
            reads_back(&s, flow);
        }
        t.seed = 8999999999999999999 + flow;
        t.epochs = 1000;
        t.nesterov = 1;
        t.milestones = (orr_reals){ .n = 0 };
        reads_back(&t, flow);
    }
    orr_config_destroy(c);
}

static void dump_looks_like_this(void **state)
{
    orr_config *c = parse("epochs: 5\nrun: \"yes\"\nlayers: [{conv: {k: 3}}]\nopt: {name: adam}\n");
    orr_text text = ORR_TEXT_INIT;
    train t;

    (void)state;
    assert_ok(orr_options_read(&t, train_table, orr_config_root(c), "train"));
    assert_ok(orr_options_dump(&t, train_table, &text, 2));
    assert_string_equal(text.s, "  epochs: 5\n"
                                "  seed: 0\n"
                                "  lr: 0.1\n"
                                "  decay: 0.0001\n"
                                "  nesterov: false\n"
                                "  run: \"yes\"\n"
                                "  kernel: [3, 3]\n"
                                "  milestones: [0.5, 0.75]\n"
                                "  columns: []\n"
                                "  layers:\n"
                                "    - conv:\n"
                                "        k: 3\n"
                                "  opt:\n"
                                "    name: adam\n"
                                "    momentum: 0.9\n");
    orr_text_free(&text);
    assert_ok(orr_options_dump_flow(&t, train_table, &text));
    assert_string_equal(text.s,
                        "{epochs: 5, run: \"yes\", layers: [{conv: {k: 3}}], opt: {name: adam}}");
    orr_text_free(&text);
    t.lr = NAN;
    assert_failure(orr_options_dump(&t, train_table, &text, 0), ORR_ERR_NUMERIC,
                   "option lr holds nan, which is not a number to write down");
    orr_text_free(&text);
    orr_config_destroy(c);
}

static void help(void **state)
{
    orr_text text = ORR_TEXT_INIT;

    (void)state;
    orr_options_help(optimiser_table, &text, "train.opt");
    orr_options_help(job_table, &text, "");
    assert_ok(orr_text_status(&text));
    assert_non_null(strstr(
        text.s, "  train.opt.name          the rule (sgd|adam|lamb; default sgd)\n"
                "  train.opt.momentum      share of the last step kept (number 0..1; default "
                "0.9)\n"));
    assert_non_null(strstr(text.s, "  train                   training\n  train.epochs      "));
    assert_non_null(strstr(text.s, "passes over the data (whole number 1..1000; required)\n"));
    assert_non_null(strstr(text.s, "weight decay (number; default 1e-4)\n"));
    assert_non_null(strstr(text.s, "columns kept (texts)\n"));
    orr_text_free(&text);
}

static void nearest(void **state)
{
    static const char *const words[] = { "epochs", "lr", "batch", "momentum", "seed" };

    (void)state;
    assert_string_equal(orr_nearest("epoch", words, 5), "epochs");
    assert_string_equal(orr_nearest("epcohs", words, 5), "epochs"); /* a swap is one edit */
    assert_string_equal(orr_nearest("bacth", words, 5), "batch");
    assert_string_equal(orr_nearest("momemtun", words, 5), "momentum");
    assert_string_equal(orr_nearest("lr1", words, 5), "lr");
    assert_null(orr_nearest("rate", words, 5));
    assert_null(orr_nearest("", words, 5));
    assert_null(orr_nearest("x", words, 0));
    assert_null(orr_nearest(
        "a very long word, longer than any key that there is or ever will be, honestly", words, 5));
}

static void parsers(void **state)
{
    static const char *const not_whole[] = { "",    " 1",  "1 ",  "1.0", "one", "0x1",
                                             "1e3", "--1", "1-1", "+",   "-",   "1_000" };
    static const char *const not_real[] = {
        "",   " 1",  "1 ",    "nan", "inf", "0x1p3", "1,5",
        "1e", "1e+", "1.2.3", ".",   "-",   "1f",    "infinity"
    };
    int64_t i = 0;
    double d = 0;

    (void)state;
    assert_ok(orr_parse_int64(&i, "-9223372036854775808"));
    assert_true(i == INT64_MIN);
    assert_ok(orr_parse_int64(&i, "+9223372036854775807"));
    assert_true(i == INT64_MAX);
    assert_failure(orr_parse_int64(&i, "9223372036854775808"), ORR_ERR_OPTION,
                   "\"9223372036854775808\" does not fit into 64 bits");
    for (size_t k = 0; k < sizeof not_whole / sizeof *not_whole; k++)
        assert_int_equal(orr_parse_int64(&i, not_whole[k]), ORR_ERR_OPTION);
    assert_ok(orr_parse_real(&d, "-1.5e-3"));
    assert_true(d == -1.5e-3);
    assert_ok(orr_parse_real(&d, "5e-324"));
    assert_true(d == 5e-324);
    assert_failure(orr_parse_real(&d, "1e309"), ORR_ERR_OPTION, "\"1e309\" is too large a number");
    for (size_t k = 0; k < sizeof not_real / sizeof *not_real; k++)
        assert_int_equal(orr_parse_real(&d, not_real[k]), ORR_ERR_OPTION);
}

/* A default that its own row refuses is a defect of ours, and not the user's. */
static void wrong_tables_are_our_fault(void **state)
{
    static const orr_option table[] = {
        ORR_OPTION_REAL(optimiser, momentum, "fast", 0, 1, "m"),
        ORR_OPTION_END,
    };
    static const orr_option choice[] = {
        ORR_OPTION_CHOICE(optimiser, name, "sdg", "sgd|adam", "n"),
        ORR_OPTION_END,
    };
    static const orr_option strings[] = {
        ORR_OPTION_STRINGS(train, columns, "[a, b]", "c"),
        ORR_OPTION_END,
    };
    optimiser o;
    train t;

    (void)state;
    assert_int_equal(orr_options_read(&o, table, NULL, ""), ORR_ERR_INTERNAL);
    assert_int_equal(orr_options_read(&o, choice, NULL, ""), ORR_ERR_INTERNAL);
    assert_int_equal(orr_options_read(&t, strings, NULL, ""), ORR_ERR_INTERNAL);
}

/* Choices that are the names of another table's rows. */
static const char *shape_word(int i)
{
    static const char *const words[] = { "disc", "ring", "point" };

    return i < 3 ? words[i] : NULL;
}

static void choices_of_another_table(void **state)
{
    static const orr_option table[] = {
        ORR_OPTION_WORD(optimiser, name, "ring", shape_word, "its shape"),
        ORR_OPTION_END,
    };
    orr_config *c = parse("name: disc\n"), *wrong = parse("name: dsc\n");
    orr_text text = ORR_TEXT_INIT;
    optimiser o;

    (void)state;
    assert_ok(orr_options_read(&o, table, orr_config_root(c), ""));
    assert_string_equal(o.name, "disc");
    assert_ok(orr_options_read(&o, table, NULL, ""));
    assert_string_equal(o.name, "ring");
    assert_failure(orr_options_read(&o, table, orr_config_root(wrong), ""), ORR_ERR_OPTION,
                   "job.yaml:1: name is \"dsc\"; it must be one of disc, ring, point; did you mean "
                   "\"disc\"?");
    orr_options_help(table, &text, "");
    assert_non_null(strstr(text.s, "(disc|ring|point; default ring)"));
    orr_text_free(&text);
    orr_config_destroy(c);
    orr_config_destroy(wrong);
}

static void memory_runs_out(void **state)
{
    orr_config *c = parse("train: {epochs: 1, opt: {name: adam}, layers: [a]}\n");
    orr_text text = ORR_TEXT_INIT;
    int n;

    (void)state;
    for (n = 1; n < 1000; n++) {
        orr_status st;
        job j;

        orr_alloc_fail_at(n);
        st = orr_options_read(&j, job_table, orr_config_root(c), "");
        if (st == ORR_OK) st = orr_options_dump(&j, job_table, &text, 0);
        if (st == ORR_OK) st = orr_options_dump_flow(&j, job_table, &text);
        orr_alloc_fail_at(0);
        orr_text_free(&text);
        if (st == ORR_OK) break;
        assert_int_equal(st, ORR_ERR_NOMEM);
    }
    assert_true(n > 10 && n < 1000);
    orr_config_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(values),
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_long_lists),
        cmocka_unit_test(one_sided_ranges),
        cmocka_unit_test(places_on_the_command_line),
        cmocka_unit_test(dumps_read_back),
        cmocka_unit_test(dump_looks_like_this),
        cmocka_unit_test(help),
        cmocka_unit_test(nearest),
        cmocka_unit_test(parsers),
        cmocka_unit_test(wrong_tables_are_our_fault),
        cmocka_unit_test(choices_of_another_table),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
