/* tests/core/test_config.c - job files as trees with places: what is read, what is refused and how,
 * overrides, dumps. */
#include "core/config.h"
#include "core/core_test.h"
#include "core/memory.h"

static orr_config *parse(const char *text)
{
    orr_config *c = NULL;

    assert_ok(orr_config_parse(&c, text, "job.yaml"));
    assert_non_null(c);
    return c;
}

/* The node at "a.b.0". */
static const orr_node *at(const orr_config *c, const char *path)
{
    const orr_node *n = orr_config_root(c);
    char word[64];

    while (*path) {
        size_t len = strcspn(path, ".");

        snprintf(word, sizeof word, "%.*s", (int)len, path);
        if (n->type == ORR_NODE_LIST)
            n = n->items[strtol(word, NULL, 10)];
        else
            n = orr_node_get(n, word);
        assert_non_null(n);
        path += len + (path[len] == '.');
    }
    return n;
}

static void check_scalar(const orr_config *c, const char *path, const char *text, int quoted,
                         int line)
{
    const orr_node *n = at(c, path);

    assert_int_equal(n->type, ORR_NODE_SCALAR);
    assert_string_equal(n->scalar, text);
    assert_int_equal(n->quoted, quoted);
    assert_int_equal(n->line, line);
    assert_string_equal(n->file, line ? "job.yaml" : "command line");
}

static void reads_every_kind(void **state)
{
    orr_config *c = parse("# a job\n"
                          "name: kepler\n"
                          "lr: 0.1\n"
                          "text: \"0.1\"\n"
                          "single: 'it''s'\n"
                          "block: |\n"
                          "  two\n"
                          "  lines\n"
                          "nothing:\n"
                          "tilde: ~\n"
                          "nulled: null\n"
                          "empty: \"\"\n"
                          "train:\n"
                          "  epochs: 3\n"
                          "  betas: [0.9,\n"
                          "    0.999]\n"
                          "layers:\n"
                          "  - conv1d: {filters: 16}\n"
                          "  - relu\n");
    char where[64];

    (void)state;
    check_scalar(c, "name", "kepler", 0, 2);
    check_scalar(c, "lr", "0.1", 0, 3);
    check_scalar(c, "text", "0.1", 1, 4);
    check_scalar(c, "single", "it's", 1, 5);
    check_scalar(c, "block", "two\nlines\n", 1, 6);
    for (int i = 0; i < 3; i++) {
        const orr_node *n = at(c, (const char *[]){ "nothing", "tilde", "nulled" }[i]);

        assert_int_equal(n->type, ORR_NODE_NULL);
        assert_string_equal(n->scalar, "");
        assert_int_equal(n->line, 9 + i);
    }
    check_scalar(c, "empty", "", 1, 12);
    assert_int_equal(at(c, "train")->line, 13); /* the key's line, not the first line within */
    check_scalar(c, "train.epochs", "3", 0, 14);
    check_scalar(c, "train.betas.1", "0.999", 0, 16);
    check_scalar(c, "layers.0.conv1d.filters", "16", 0, 18);
    check_scalar(c, "layers.1", "relu", 0, 19);
    assert_null(at(c, "layers.1")->key);
    assert_string_equal(at(c, "layers.0.conv1d")->key, "conv1d");
    assert_int_equal(orr_config_root(c)->type, ORR_NODE_MAP);
    assert_null(orr_node_get(orr_config_root(c), "nam"));
    assert_null(orr_node_get(at(c, "lr"), "x"));
    assert_null(orr_node_get(NULL, "x"));
    assert_string_equal(orr_node_where(at(c, "train.epochs"), where, sizeof where), "job.yaml:14");
    orr_config_destroy(c);
    orr_config_destroy(NULL);
}

static void empty_files_are_empty_maps(void **state)
{
    static const char *const texts[] = { "", "\n\n", "# only words\n", "---\n", "null\n", "{}" };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        orr_config *c = parse(texts[i]);

        assert_int_equal(orr_config_root(c)->type, ORR_NODE_MAP);
        assert_int_equal(orr_config_root(c)->n_items, 0);
        assert_ok(orr_config_set(c, "a=1"));
        check_scalar(c, "a", "1", 0, 0);
        orr_config_destroy(c);
    }
}

/* An alias is a copy: an override of one place leaves the other alone. */
static void aliases_are_copies(void **state)
{
    orr_config *c = parse("base: &b {lr: 1, list: [1, 2]}\n"
                          "other: *b\n"
                          "third: *b\n");

    (void)state;
    check_scalar(c, "other.lr", "1", 0, 1);
    assert_int_equal(at(c, "other")->line, 2);
    assert_ok(orr_config_set(c, "other.list.1=5"));
    check_scalar(c, "other.list.1", "5", 0, 0);
    check_scalar(c, "base.list.1", "2", 0, 1);
    check_scalar(c, "third.list.1", "2", 0, 1);
    orr_config_destroy(c);
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        { "a: 1\nb: 2\na: 3\n", "job.yaml:3:1: key \"a\" is given twice, first on line 1" },
        { "t:\n  lr: 1\n  k: 2\n  lr: 1\n",
          "job.yaml:4:3: key \"lr\" is given twice, first on line 2" },
        { "t: {x: 1, x: 2}", "job.yaml:1:11: key \"x\" is given twice, first on line 1" },
        { "a: [1, 2\nb: 3\n",
          "job.yaml:2:2: did not find expected ',' or ']' while parsing a flow sequence" },
        { "a: 1\n b: 2\n", "job.yaml:2:3: mapping values are not allowed in this context" },
        { "a:\n\tb: 1\n", "job.yaml:2:1: found character that cannot start any token while "
                          "scanning for the next token" },
        { "a: \"x\n",
          "job.yaml:2:1: found unexpected end of stream while scanning a quoted scalar" },
        { "a: *nowhere\n", "job.yaml:1:4: found undefined alias" },
        { "a: 1\n--- \nb: 2\n", "job.yaml:2:1: a second document; one file holds one" },
        { "- 1\n- 2\n", "job.yaml:1: a job file is a map of \"key: value\" lines" },
        { "\njust words\n", "job.yaml:2: a job file is a map of \"key: value\" lines" },
        { "a: &x [*x]\n", "job.yaml:1:4: nested more than 64 deep; does an alias contain itself?" },
        { "[a]: 1\n", "job.yaml:1:1: a key must be a word of at most 255 bytes" },
        { "a: !!int 3\n",
          "job.yaml:1:4: tag \"tag:yaml.org,2002:int\": tags have no meaning here, remove it" },
        { "a: \"\\0\"\n", "job.yaml:1:4: text with a NUL character in it" },
        { "a: \x01\n", "job.yaml:1:1: control characters are not allowed (byte 3)" },
        { "a: \xff\xfe\n", "job.yaml:1:1: invalid leading UTF-8 octet (byte 3)" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        orr_config *c = (orr_config *)&bad;

        assert_failure(orr_config_parse(&c, bad[i].text, "job.yaml"), ORR_ERR_OPTION,
                       bad[i].message);
        assert_null(c);
    }
}

/* Nine levels of nine aliases each are 400 million values. */
static void refuses_a_billion_laughs(void **state)
{
    orr_text t = ORR_TEXT_INIT;
    orr_config *c = NULL;

    (void)state;
    orr_text_add(&t, "a0: &a0 x\n");
    for (int i = 1; i < 10; i++) {
        orr_text_printf(&t, "a%d: &a%d [", i, i);
        for (int j = 0; j < 9; j++)
            orr_text_printf(&t, "%s*a%d", j ? ", " : "", i - 1);
        orr_text_add(&t, "]\n");
    }
    assert_failure(orr_config_parse(&c, t.s, "job.yaml"), ORR_ERR_OPTION,
                   "job.yaml: more than 65536 values; are there aliases within aliases?");
    assert_null(c);
    orr_text_free(&t);
}

/* Before libyaml builds anything of it: it would take hours. */
static void refuses_what_has_no_end(void **state)
{
    enum { BYTES = 4 << 20 };
    static const struct {
        const char *unit, *message;
    } texts[] = {
        { "[", "job.yaml:1:65: lists and maps nested more than 64 deep" },
        { "{a: ", "job.yaml:1:257: lists and maps nested more than 64 deep" },
        { "- ", "job.yaml:1:129: lists and maps nested more than 64 deep" },
        { "- &a x\n", "job.yaml:1025:3: more than 1024 anchors" },
        { "- x\n", "job.yaml:131072:3: more than 131072 keys and values" },
    };
    char *text = malloc(BYTES + 1);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t n = strlen(texts[i].unit), at;
        orr_config *c = NULL;

        for (at = 0; at + n <= BYTES; at += n)
            memcpy(text + at, texts[i].unit, n);
        text[at] = '\0';
        assert_failure(orr_config_parse(&c, text, "job.yaml"), ORR_ERR_OPTION, texts[i].message);
        assert_null(c);
    }
    free(text);
}

static void reads_files(void **state)
{
    char path[] = ORRERY_BINARY_DIR "/config-XXXXXX", message[256];
    int fd = mkstemp(path);
    orr_config *c = NULL;

    (void)state;
    assert_true(fd >= 0 && write(fd, "a: 1\nb: {}\n", 11) == 11);
    assert_ok(orr_config_load(&c, path));
    assert_string_equal(at(c, "b")->file, path);
    orr_config_destroy(c);
    assert_true(pwrite(fd, "\0", 1, 4) == 1);
    snprintf(message, sizeof message, "%s: has NUL bytes in it; is it a YAML file?", path);
    assert_failure(orr_config_load(&c, path), ORR_ERR_OPTION, message);
    assert_null(c);
    assert_int_equal(ftruncate(fd, 5 << 20), 0);
    assert_int_equal(orr_config_load(&c, path), ORR_ERR_FORMAT); /* too large for a job file */
    close(fd);
    unlink(path);
    snprintf(message, sizeof message, "%s: No such file or directory", path);
    assert_failure(orr_config_load(&c, path), ORR_ERR_IO, message);
    assert_failure(orr_config_load(&c, "."), ORR_ERR_IO, ".: is a folder, not a plain file");
}

static void overrides(void **state)
{
    orr_config *c =
        parse("train:\n  lr: 1\n  opt:\nlayers:\n  - conv: {k: 3}\n  - relu\nflat: 7\n");
    const orr_node *borrowed = at(c, "train.lr");
    const char *text = borrowed->scalar;
    char where[64];

    (void)state;
    assert_ok(orr_config_set(c, "train.lr=2"));
    check_scalar(c, "train.lr", "2", 0, 0);
    assert_string_equal(text, "1"); /* what was read before stays readable */
    assert_string_equal(at(c, "train.lr")->key, "lr");
    assert_string_equal(orr_node_where(at(c, "train.lr"), where, sizeof where), "command line");
    assert_ok(orr_config_set(c, "train.opt.name=sgd")); /* an empty value becomes a map */
    check_scalar(c, "train.opt.name", "sgd", 0, 0);
    assert_ok(orr_config_set(c, "new.deep.path=[1, {a: b}]"));
    check_scalar(c, "new.deep.path.1.a", "b", 0, 0);
    assert_ok(orr_config_set(c, "layers.0.conv.k=5"));
    check_scalar(c, "layers.0.conv.k", "5", 0, 0);
    assert_ok(orr_config_set(c, "layers.1={dropout: {rate: 0.5}}"));
    check_scalar(c, "layers.1.dropout.rate", "0.5", 0, 0);
    assert_null(at(c, "layers.1")->key);
    assert_ok(orr_config_set(c, "expr=a=b"));
    check_scalar(c, "expr", "a=b", 0, 0);
    assert_ok(orr_config_set(c, "quoted='12'"));
    check_scalar(c, "quoted", "12", 1, 0);
    assert_ok(orr_config_set(c, "flat="));
    assert_int_equal(at(c, "flat")->type, ORR_NODE_NULL);
    assert_int_equal(orr_config_root(c)->n_items, 6); /* replaced, not added */
    orr_config_destroy(c);
    assert_ok(orr_config_empty(&c));
    assert_ok(orr_config_set(c, "a.b=1"));
    check_scalar(c, "a.b", "1", 0, 0);
    orr_config_destroy(c);
}

/* What YAML would take for something else, or for nothing. */
static void values_as_they_stand(void **state)
{
    static const char *const texts[] = {
        "my #1.csv", ",",    "@b",      "*b",  "%",   "&a",  "!t a",    "|",    ">",
        "`x`",       "a: b", "a:",      "- a", "? a", "no",  "007",     "1e5",  "#a",
        "a\tb",      "it's", "a]",      "}",   "---", "...", "x #",     "= #1", "\xc3\xa9 #2",
        "a\"b",      "\\n",  "!!int 3", "<<",  "=",   ":",   "a b # c",
    };
    orr_config *c = parse("a: 1\n");
    char assignment[64];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        snprintf(assignment, sizeof assignment, "a=%s", texts[i]);
        assert_ok(orr_config_set(c, assignment));
        check_scalar(c, "a", texts[i], 0, 0);
        snprintf(assignment, sizeof assignment, "a=\t%s ", texts[i]); /* blanks around it */
        assert_ok(orr_config_set(c, assignment));
        check_scalar(c, "a", texts[i], 0, 0);
    }
    assert_ok(orr_config_set(c, "a=\t"));
    check_scalar(c, "a", "\t", 1, 0);
    assert_ok(orr_config_set(c, "a= 'b #1' "));
    check_scalar(c, "a", "b #1", 1, 0);
    assert_ok(orr_config_set(c, "a=['x #1', \"y, z\"]"));
    check_scalar(c, "a.1", "y, z", 1, 0);
    assert_ok(orr_config_set(c, "a=~"));
    assert_int_equal(at(c, "a")->type, ORR_NODE_NULL);
    assert_ok(orr_config_set(c, "a=b: 1\nc: [2]"));
    check_scalar(c, "a.c.0", "2", 0, 0);
    orr_config_destroy(c);
}

static void refuses_overrides(void **state)
{
    static const struct {
        const char *assignment;
        orr_status code;
        const char *message;
    } bad[] = {
        { "train.lr", ORR_ERR_ARG, "command line: \"train.lr\" is not key=value" },
        { "=3", ORR_ERR_OPTION, "command line: \"=3\": write keys joined by dots before the =" },
        { "a..b=3", ORR_ERR_OPTION,
          "command line: \"a..b=3\": write keys joined by dots before the =" },
        { "list.2=1", ORR_ERR_OPTION,
          "command line: \"list.2=1\": the list has 2 items, counted from 0; \"2\" is not one of "
          "them" },
        { "list.x=1", ORR_ERR_OPTION,
          "command line: \"list.x=1\": the list has 2 items, counted from 0; \"x\" is not one of "
          "them" },
        { "lr.x=1", ORR_ERR_OPTION,
          "command line: \"lr.x=1\": \"x\" lies within the single value \"0.5\"" },
        { "lr=[1", ORR_ERR_OPTION,
          "command line: \"lr=[1\": did not find expected ',' or ']' while parsing a flow "
          "sequence" },
        { "lr={a: 1, a: 2}", ORR_ERR_OPTION,
          "command line: \"lr={a: 1, a: 2}\": key \"a\" is given twice" },
        { "lr=1\n---\n2", ORR_ERR_OPTION,
          "command line: \"lr=1\n---\n2\": a second document; one file holds one" },
        { "lr=[\xc3\xa9] #1", ORR_ERR_OPTION,
          "command line: \"lr=[\xc3\xa9] #1\": \" #1\" stands behind the list or map; put it all "
          "in "
          "quotes" },
        { "lr=[x #1, 2]", ORR_ERR_OPTION,
          "command line: \"lr=[x #1, 2]\": did not find expected ',' or ']' while parsing a flow "
          "sequence" },
        { "lr='a' # b", ORR_ERR_OPTION,
          "command line: \"lr='a' # b\": \" # b\" stands behind the text in quotes; put it all in "
          "quotes" },
        { "lr=[*a]", ORR_ERR_OPTION, "command line: \"lr=[*a]\": found undefined alias" },
        { "lr=[!t a]", ORR_ERR_OPTION,
          "command line: \"lr=[!t a]\": tag \"!t\": tags have no meaning here, remove it" },
        { "lr=a\xff", ORR_ERR_OPTION, "command line: \"lr=a\xff\": invalid leading UTF-8 octet" },
    };
    orr_config *c = parse("lr: 0.5\nlist: [1, 2]\n");

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_failure(orr_config_set(c, bad[i].assignment), bad[i].code, bad[i].message);
    check_scalar(c, "lr", "0.5", 0, 1);
    check_scalar(c, "list.1", "2", 0, 2);
    orr_config_destroy(c);
}

static void same_tree(const orr_node *a, const orr_node *b)
{
    assert_int_equal(a->type, b->type);
    assert_string_equal(a->scalar, b->scalar);
    assert_int_equal(a->n_items, b->n_items);
    if (a->quoted != b->quoted) assert_true(b->quoted); /* see orr_node_dump */
    for (int i = 0; i < a->n_items; i++) {
        assert_int_equal(!a->items[i]->key, !b->items[i]->key);
        if (a->items[i]->key) assert_string_equal(a->items[i]->key, b->items[i]->key);
        same_tree(a->items[i], b->items[i]);
    }
}

static void dumps_read_back(void **state)
{
    static const char *const texts[] = {
        "a: 1\nb: {c: [], d: {}, e: null, f: \"\"}\ng: [[1, [2]], [{h: i, j: [k]}], [~]]\n",
        "\"odd key: x\": 1\n\"\": 2\n\"yes\": 3\n\"# no\": 4\n'- a': 5\n\"n\\nl\": 6\n",
        "s: [\"0.1\", '~', \"null\", \"true\", \"a: b\", \"a #b\", \" x\", \"x \", \"-\", \"- a\", "
        "\"?\"]\n",
        "s: [0.1, -5, +.5, .5, 1e-3, true, ~, abc def, a/b.c, ../x, ./x, \"...\", '---', 'a,b']\n",
        "s: [\"\\x01\\x7f\\e\", \"\\u0085\\u00a0\\u2028\\u2029\\ufeff\", \"tab\\there\", "
        "\"cr\\r\"]\n",
        "s: \"\\\"quotes\\\" and \\\\ slashes\"\nu: \xc3\xa4\xe2\x82\xac\xf0\x9f\x94\xad\n",
        "b: |\n  two\n    lines\n\nf: >\n  folded\n  text\np: plain\n  over\n  lines\nl: |+\n  "
        "keep\n\n",
        "url: https://x.y/z?a=b&c\ntime: 12:30:00\ndate: 2020-01-01\nat: a@b\npct: 50%\nstar: "
        "a*b\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int flow = 0; flow < 2; flow++) {
            orr_config *c = parse(texts[i]), *again = NULL;
            orr_text t = ORR_TEXT_INIT;

            orr_text_add(&t, "k:\n    ");
            if (flow)
                orr_node_dump_flow(orr_config_root(c), &t);
            else
                orr_node_dump(orr_config_root(c), &t, 4);
            assert_ok(orr_text_status(&t));
            assert_int_equal(flow, strchr(t.s + 3, '\n') == NULL);
            assert_ok(orr_config_parse(&again, t.s, "dump"));
            same_tree(orr_config_root(c), at(again, "k"));
            orr_config_destroy(again);
            orr_config_destroy(c);
            orr_text_free(&t);
        }
}

static void dump_looks_like_this(void **state)
{
    orr_config *c = parse("a: {x: 1, l: [p, {q: r, s: [1, 2]}, []]}\nb: \"1\"\nc:\n");
    orr_text t = ORR_TEXT_INIT;

    (void)state;
    orr_node_dump(orr_config_root(c), &t, 0);
    assert_string_equal(t.s, "a:\n"
                             "  x: 1\n"
                             "  l:\n"
                             "    - p\n"
                             "    - q: r\n"
                             "      s:\n"
                             "        - 1\n"
                             "        - 2\n"
                             "    - []\n"
                             "b: \"1\"\n"
                             "c: null");
    orr_text_free(&t);
    orr_node_dump_flow(orr_config_root(c), &t);
    assert_string_equal(t.s, "{a: {x: 1, l: [p, {q: r, s: [1, 2]}, []]}, b: \"1\", c: null}");
    orr_text_free(&t);
    orr_config_destroy(c);
}

/* Every allocation fails once; each time there is a clean error and nothing is held (a sanitizer
 * watches). */
static void memory_runs_out(void **state)
{
    orr_config *c = NULL;
    int n;

    (void)state;
    for (n = 1; n < 1000; n++) {
        orr_status st;

        orr_alloc_fail_at(n);
        st = orr_config_parse(&c, "a: [1, {b: c}]\nd: \"e\"\n", "job.yaml");
        if (st == ORR_OK) st = orr_config_set(c, "x.y=[z]");
        orr_alloc_fail_at(0);
        if (st == ORR_OK) break;
        assert_int_equal(st, ORR_ERR_NOMEM);
        assert_non_null(strstr(orr_error_text(), "out of memory"));
        orr_config_destroy(c);
        c = NULL;
    }
    assert_true(n > 15 && n < 1000);
    orr_config_destroy(c);
    orr_alloc_fail_at(2);
    assert_int_equal(orr_config_empty(&c), ORR_ERR_NOMEM);
    orr_alloc_fail_at(0);
    assert_null(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_kind),
        cmocka_unit_test(empty_files_are_empty_maps),
        cmocka_unit_test(aliases_are_copies),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_a_billion_laughs),
        cmocka_unit_test(refuses_what_has_no_end),
        cmocka_unit_test(reads_files),
        cmocka_unit_test(overrides),
        cmocka_unit_test(values_as_they_stand),
        cmocka_unit_test(refuses_overrides),
        cmocka_unit_test(dumps_read_back),
        cmocka_unit_test(dump_looks_like_this),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
