/* core/config_dump.c - nodes and texts back to YAML that reads as the same. */
#include "core/config.h"

#include <string.h>
#include <strings.h>

static int is_word_char(unsigned char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '_';
}

/* True when YAML reads s, in block and in flow context, as a plain scalar of these very characters.
 */
static int is_plain(const char *s)
{
    size_t n = strlen(s);

    if (!n || s[n - 1] == ' ' || !strncmp(s, "...", 3)) return 0;
    if (!is_word_char((unsigned char)s[0]) && s[0] != '/' && s[0] != '.' &&
        !(strchr("+-", s[0]) && (is_word_char((unsigned char)s[1]) || s[1] == '.')))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!is_word_char((unsigned char)s[i]) && !strchr(" ./+-()=%@*~", s[i])) return 0;
    return 1;
}

/* True when s could be taken for something other than a string: a number, a date, a truth value,
 * nothing. */
static int is_ambiguous(const char *s)
{
    static const char *const words[] = { "true", "false", "yes", "no", "on", "off", "null" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(s, words[i])) return 1;
    return (s[0] >= '0' && s[0] <= '9') || strchr("+-", s[0]) ||
           (s[0] == '.' && strncmp(s, "./", 2) != 0 && strncmp(s, "../", 3) != 0);
}

/* Bytes of the character at s that YAML wants escaped (0: none), and its code point. */
static int must_escape(const unsigned char *s, unsigned *code)
{
    *code = s[0];
    if (s[0] < 0x20 || s[0] == 0x7F) return 1;
    if (s[0] == 0xC2 && s[1] >= 0x80 && s[1] <= 0x9F) {
        *code = s[1];
        return 2;
    }
    if ((s[0] == 0xE2 && s[1] == 0x80 && (s[2] == 0xA8 || s[2] == 0xA9)) ||
        (s[0] == 0xEF && ((s[1] == 0xBB && s[2] == 0xBF) || (s[1] == 0xBF && s[2] >= 0xBE)))) {
        *code = (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
        return 3;
    }
    return 0;
}

static void add_quoted(orr_text *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned code;
    int n;

    orr_text_add(out, "\"");
    while (*s) {
        if (*s == '"' || *s == '\\') {
            orr_text_printf(out, "\\%c", *s++);
        } else if (*s == '\n') {
            orr_text_add(out, "\\n");
            s++;
        } else if ((n = must_escape(s, &code))) {
            orr_text_printf(out, "\\u%04X", code);
            s += n;
        } else {
            orr_text_addn(out, (const char *)s++, 1);
        }
    }
    orr_text_add(out, "\"");
}

void orr_yaml_string(orr_text *out, const char *s)
{
    if (is_plain(s) && !is_ambiguous(s))
        orr_text_add(out, s);
    else
        add_quoted(out, s);
}

static void add_scalar(orr_text *out, const orr_node *n)
{
    if (n->type == ORR_NODE_NULL)
        orr_text_add(out, "null");
    else if (!n->quoted && is_plain(n->scalar))
        orr_text_add(out, n->scalar);
    else
        add_quoted(out, n->scalar);
}

static int is_container(const orr_node *n)
{
    return (n->type == ORR_NODE_LIST || n->type == ORR_NODE_MAP) && n->n_items > 0;
}

void orr_node_dump(const orr_node *n, orr_text *out, int indent)
{
    if (!is_container(n)) {
        orr_node_dump_flow(n, out);
        return;
    }
    for (int i = 0; i < n->n_items; i++) {
        const orr_node *item = n->items[i];

        if (i) orr_text_printf(out, "\n%*s", indent, "");
        if (n->type == ORR_NODE_LIST) {
            orr_text_add(out, "- ");
        } else {
            orr_yaml_string(out, item->key);
            if (is_container(item))
                orr_text_printf(out, ":\n%*s", indent + 2, "");
            else
                orr_text_add(out, ": ");
        }
        orr_node_dump(item, out, indent + 2);
    }
}

void orr_node_dump_flow(const orr_node *n, orr_text *out)
{
    int is_map = n->type == ORR_NODE_MAP;

    if (n->type != ORR_NODE_LIST && !is_map) {
        add_scalar(out, n);
        return;
    }
    orr_text_add(out, is_map ? "{" : "[");
    for (int i = 0; i < n->n_items; i++) {
        if (i) orr_text_add(out, ", ");
        if (is_map) {
            orr_yaml_string(out, n->items[i]->key);
            orr_text_add(out, ": ");
        }
        orr_node_dump_flow(n->items[i], out);
    }
    orr_text_add(out, is_map ? "}" : "]");
}
