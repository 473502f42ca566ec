/* tests/jobs/cmd/test_commands.c - every command's row is whole, and all that is made of the rows
 * holds every command, argument, key and kind. */
#include "core/core_test.h"
#include "jobs/cmd/help.h"

enum { WIDTH = 80 };

/* Lines of at most 80 columns, but where one word is longer; printable, no blanks at ends. */
static void check_lines(const char *who, const char *text)
{
    for (const char *line = text, *end; *line; line = end + 1) {
        int n, margin = (int)strspn(line, " ");

        assert_non_null(end = strchr(line, '\n'));
        n = (int)(end - line);
        if (n > WIDTH && memchr(line + margin, ' ', (size_t)(n - margin)))
            fail_msg("%s: %d columns: %.*s", who, n, n, line);
        if (n > 0 && end[-1] == ' ') fail_msg("%s: blanks at the end of: %.*s", who, n, line);
        for (int i = 0; i < n; i++)
            if (line[i] < ' ' || line[i] > '~') fail_msg("%s: no plain text: %.*s", who, n, line);
    }
}

/* Does text hold word with no word's character on either side? */
static int has_word(const char *text, const char *word)
{
    static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    size_t n = strlen(word);

    for (const char *s = text; (s = strstr(s, word)); s++)
        if ((s == text || !strchr(inner, s[-1])) && (!s[n] || !strchr(inner, s[n]))) return 1;
    return 0;
}

static void check_table(const orr_command *c, const char *help, const orr_option *table,
                        const char *prefix)
{
    for (const orr_option *row = table; row && row->type != ORR_OPT_END; row++) {
        char name[256];

        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", row->key);
        if (!row->help || strlen(row->help) < 4) fail_msg("%s: %s says nothing", c->name, name);
        if (!has_word(help, name)) fail_msg("%s: --help lacks %s", c->name, name);
        for (const orr_option *twin = row + 1; twin->type != ORR_OPT_END; twin++)
            if (strcmp(row->key, twin->key) == 0) fail_msg("%s: %s twice", c->name, name);
        if (row->type == ORR_OPT_SECTION) check_table(c, help, row->table, name);
    }
}

static void check_more(const orr_command *c, const char *help)
{
    for (const orr_more_keys *m = c->more; m && m->title; m++) {
        orr_kind_help kind;

        check_table(c, help, m->options, m->prefix);
        for (int i = 0; m->kind && m->kind(i, &kind); i++) {
            if (!kind.help || strlen(kind.help) < 4)
                fail_msg("%s: %s says nothing", c->name, kind.name);
            if (!has_word(help, kind.name)) fail_msg("%s: --help lacks %s", c->name, kind.name);
            check_table(c, help, kind.options, "");
        }
    }
}

/* Is the word a key of the table, or the beginning of one within a node? */
static int is_key(const orr_option *table, const char *word, size_t n)
{
    for (const orr_option *row = table; row && row->type != ORR_OPT_END; row++) {
        size_t m = strlen(row->key);

        if (n < m || strncmp(row->key, word, m) != 0) continue;
        if (n == m || (word[m] == '.' && row->type == ORR_OPT_NODE)) return 1;
        if (word[m] == '.' && row->type == ORR_OPT_SECTION)
            return is_key(row->table, word + m + 1, n - m - 1);
    }
    return 0;
}

static int is_key_of(const orr_command *c, const char *word, size_t n)
{
    int found = is_key(c->options, word, n);
    orr_kind_help kind;

    for (const orr_more_keys *m = c->more; m && m->title; m++)
        for (int i = 0; m->on_line && m->kind && m->kind(i, &kind); i++)
            found |= is_key(kind.options, word, n);
    /* lr-range takes the keys of a training, too, launch those of its command */
    return found || strcmp(c->name, "launch") == 0;
}

/* An example calls the command and uses keys that it has. */
static void check_examples(const orr_command *c)
{
    if (!c->examples || !c->examples->line) fail_msg("%s: no example", c->name);
    for (const orr_example *e = c->examples; e && e->line; e++) {
        char call[64];

        snprintf(call, sizeof call, "orrery %s ", c->name);
        if (!strstr(e->line, call)) fail_msg("%s: %s", c->name, e->line);
        if (strncmp(e->line, "mpirun", 6) == 0) assert_true(c->on_ranks);
        assert_true(e->what && *e->what);
        for (const char *w = strstr(e->line, call) + strlen(call), *end; *w;
             w = *end ? end + 1 : end) {
            size_t n = strcspn(w, "= ");

            end = w + strcspn(w, " ");
            if (w[n] == '=' && !is_key_of(c, w, n)) fail_msg("%s: no key: %s", c->name, w);
        }
    }
}

static void rows_are_whole(void **state)
{
    int n;
    const orr_command *const *all = orr_commands(&n);

    (void)state;
    assert_true(n >= 13);
    for (int i = 0; i < n; i++) {
        const orr_command *c = all[i];

        assert_ptr_equal(orr_command_find(c->name, NULL), c);
        if (!c->summary || strlen(c->summary) < 8) fail_msg("%s: no summary", c->name);
        if (!c->run == !c->raw) fail_msg("%s: runs nothing, or two things", c->name);
        if (c->options && !c->options_title) fail_msg("%s: keys without a title", c->name);
        for (const orr_argument *a = c->arguments; a->name; a++) {
            if (!has_word(c->usage, a->name)) fail_msg("%s: usage lacks %s", c->name, a->name);
            if (!a->help || strlen(a->help) < 4) fail_msg("%s: %s says nothing", c->name, a->name);
        }
        check_examples(c);
    }
    assert_null(orr_command_find("no-such-command", NULL));
}

static void help_holds_every_key(void **state)
{
    int n;
    const orr_command *const *all = orr_commands(&n);
    orr_text t = ORR_TEXT_INIT;

    (void)state;
    for (int i = 0; i < n; i++) {
        orr_command_help(all[i], &t);
        assert_ok(orr_text_status(&t));
        assert_memory_equal(t.s, "usage: ", 7);
        check_lines(all[i]->name, t.s);
        check_table(all[i], t.s, all[i]->options, "");
        check_more(all[i], t.s);
        for (const orr_exit *e = all[i]->exits; e && e->meaning; e++)
            assert_non_null(strstr(t.s, "Exit codes"));
        orr_text_free(&t);
    }
    orr_overview(&t);
    check_lines("--help", t.s);
    for (int i = 0; i < n; i++)
        if (!has_word(t.s, all[i]->name)) fail_msg("--help lacks %s", all[i]->name);
    orr_text_free(&t);
}

static void check_man(const orr_command *c, const char *page, const orr_option *table)
{
    for (const orr_option *row = table; row && row->type != ORR_OPT_END; row++) {
        if (!has_word(page, row->key)) fail_msg("%s: the manual page lacks %s", c->name, row->key);
        if (row->type == ORR_OPT_SECTION) check_man(c, page, row->table);
    }
}

static void man_page_has_all(void **state)
{
    int n;
    const orr_command *const *all = orr_commands(&n);
    orr_text t = ORR_TEXT_INIT;

    (void)state;
    orr_man_page(&t);
    assert_ok(orr_text_status(&t));
    assert_memory_equal(t.s, ".TH ORRERY 1 ", 13);
    for (int i = 0; i < n; i++) {
        char usage[64];

        snprintf(usage, sizeof usage, "orrery %s ", all[i]->name);
        for (char *dash = usage; (dash = strchr(dash, '-')); dash += 2) { /* roff's \- */
            memmove(dash + 1, dash, strlen(dash) + 1);
            *dash = '\\';
        }
        if (!strstr(t.s, usage)) fail_msg("the manual page lacks %s", usage);
        check_man(all[i], t.s, all[i]->options);
    }
    for (const char *s = t.s; (s = strchr(s, '\n')) && s[1];
         s++) /* no line is a request by chance */
        if (s[1] == '.' && strncmp(s + 1, ".SH ", 4) != 0 && strncmp(s + 1, ".nf", 3) != 0 &&
            strncmp(s + 1, ".fi", 3) != 0)
            fail_msg("roff: %.40s", s + 1);
    orr_text_free(&t);
}

static void check_completion(const orr_command *c, const char *script, const orr_option *table,
                             const char *prefix)
{
    for (const orr_option *row = table; row && row->type != ORR_OPT_END; row++) {
        char name[256];

        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", row->key);
        if (row->type == ORR_OPT_SECTION) {
            check_completion(c, script, row->table, name);
            continue;
        }
        if (!strstr(script, name)) fail_msg("%s: completion lacks %s", c->name, name);
    }
}

static void completion_has_all(void **state)
{
    int n;
    const orr_command *const *all = orr_commands(&n);
    orr_text t = ORR_TEXT_INIT;

    (void)state;
    assert_ok(orr_completion("bash", &t));
    for (int i = 0; i < n; i++) {
        char label[64];
        const char *own, *end;
        char *part;

        snprintf(label, sizeof label, "\n    %s)\n", all[i]->name);
        assert_non_null(own = strstr(t.s, label));
        end = strstr(own, "esac ;;");
        assert_non_null(part = strndup(own, (size_t)(end - own)));
        check_completion(all[i], part, all[i]->options, "");
        free(part);
    }
    orr_text_free(&t);
    assert_int_equal(orr_completion("tcsh", &t), ORR_ERR_ARG);
    orr_text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(help_holds_every_key),
        cmocka_unit_test(man_page_has_all),
        cmocka_unit_test(completion_has_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
