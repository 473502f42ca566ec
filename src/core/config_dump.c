/* core/config_dump.c - nodes and texts back to YAML that reads as the same.
 * libyaml writes every scalar and every collection on one line.  Only the lines of block collections
 * are put one below the other here: libyaml does not indent a list below its key, and a run that an
 * earlier version began knows its job by this text. */
#include "core/config.h"

#include <string.h>
#include <strings.h>
#include <yaml.h>

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

/* ---- libyaml's emitter ---- */
static int to_text(void *out, unsigned char *bytes, size_t n)
{
    orr_text_addn(out, (const char *)bytes, n);
    return orr_text_status(out) == ORR_OK;
}

/* An event that was not made (no memory) is an error as one that is not taken. */
static int emit(yaml_emitter_t *e, yaml_event_t *event, int made)
{
    return made && yaml_emitter_emit(e, event);
}

static int emit_scalar(yaml_emitter_t *e, const char *s, int plain)
{
    yaml_event_t event;

    return emit(e, &event,
                yaml_scalar_event_initialize(
                    &event, NULL, NULL, (const yaml_char_t *)s, (int)strlen(s), 1, 1,
                    plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE));
}

static int emit_string(yaml_emitter_t *e, const char *s)
{
    return emit_scalar(e, s, is_plain(s) && !is_ambiguous(s));
}

static int emit_node(yaml_emitter_t *e, const orr_node *n);

static int emit_list(yaml_emitter_t *e, const orr_node *n)
{
    yaml_event_t event;
    int ok =
        emit(e, &event,
             yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_FLOW_SEQUENCE_STYLE));

    for (int i = 0; ok && i < n->n_items; i++)
        ok = emit_node(e, n->items[i]);
    return ok && emit(e, &event, yaml_sequence_end_event_initialize(&event));
}

static int emit_map(yaml_emitter_t *e, const orr_node *n)
{
    yaml_event_t event;
    int ok =
        emit(e, &event,
             yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_FLOW_MAPPING_STYLE));

    for (int i = 0; ok && i < n->n_items; i++)
        ok = emit_string(e, n->items[i]->key) && emit_node(e, n->items[i]);
    return ok && emit(e, &event, yaml_mapping_end_event_initialize(&event));
}

static int emit_node(yaml_emitter_t *e, const orr_node *n)
{
    switch (n->type) {
    case ORR_NODE_LIST:
        return emit_list(e, n);
    case ORR_NODE_MAP:
        return emit_map(e, n);
    case ORR_NODE_NULL:
        return emit_scalar(e, "null", 1);
    default:
        return emit_scalar(e, n->scalar, !n->quoted && is_plain(n->scalar));
    }
}

static int emit_document(yaml_emitter_t *e, const orr_node *n)
{
    yaml_event_t event;

    return emit(e, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
           emit(e, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
           emit_node(e, n) && emit(e, &event, yaml_document_end_event_initialize(&event, 1)) &&
           emit(e, &event, yaml_stream_end_event_initialize(&event));
}

/* The node as a document of one line, with its end. */
static void write_document(orr_text *out, const orr_node *n)
{
    yaml_emitter_t e;

    if (out->status != ORR_OK) return;
    if (!yaml_emitter_initialize(&e)) {
        out->status = orr_fail(ORR_ERR_NOMEM, "out of memory: writing YAML");
        return;
    }
    yaml_emitter_set_output(&e, to_text, out);
    yaml_emitter_set_unicode(&e, 1);
    yaml_emitter_set_width(&e, -1);
    if (!emit_document(&e, n) && out->status == ORR_OK)
        out->status = e.error == YAML_MEMORY_ERROR
                          ? orr_fail(ORR_ERR_NOMEM, "out of memory: writing YAML")
                          : orr_fail(ORR_ERR_FORMAT, "what is to be written is no YAML: %s",
                                     e.problem ? e.problem : "an event could not be made");
    yaml_emitter_delete(&e);
}

/* ---- nodes ---- */
void orr_node_dump_flow(const orr_node *n, orr_text *out)
{
    int is_scalar = n->type != ORR_NODE_LIST && n->type != ORR_NODE_MAP;
    orr_node *item = (orr_node *)n; /* a list of it alone: read only */
    const orr_node list = { .type = ORR_NODE_LIST, .items = &item, .n_items = 1 };
    orr_text line = ORR_TEXT_INIT;

    /* A scalar goes as the one of a list, and without its brackets: libyaml puts marks of a
     * document's end behind some that stand alone. */
    write_document(&line, is_scalar ? &list : n);
    if (orr_text_status(&line) != ORR_OK && out->status == ORR_OK) out->status = line.status;
    if (orr_text_status(&line) == ORR_OK && line.len > 2)
        orr_text_addn(out, line.s + is_scalar, line.len - 1 - 2 * (size_t)is_scalar);
    orr_text_free(&line);
}

void orr_yaml_string(orr_text *out, const char *s)
{
    orr_node_dump_flow(
        &(orr_node){ .type = ORR_NODE_SCALAR, .scalar = s, .quoted = is_ambiguous(s) }, out);
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
