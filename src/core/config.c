/* core/config.c - YAML text to a tree with places, and overrides into it.
 * libyaml loads a document; it is copied into nodes that the tree owns, aliases as copies of their
 * own, so that an override changes one place only.  What a tree allocates stays until it goes:
 * readers borrow its text.
 *
 * And back: libyaml writes every scalar and every collection on one line.  Only the lines of block
 * collections are put one below the other here: libyaml does not indent a list below its key, and a
 * run that an earlier version began knows its job by this text. */
#include "core/config.h"
#include "core/file.h"
#include "core/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

/* ---- reading ---- */
/* Bounds that a job file never meets.  libyaml has none of its own, and takes time that grows with
 * the square of the depth and of the number of anchors: so a text is looked at event by event
 * before it is loaded (check_events).  Aliases of aliases are counted where they are copied. */
enum {
    MAX_FILE = 4 << 20,
    MAX_DEPTH = 64,
    MAX_NODES = 1 << 16,
    MAX_ANCHORS = 1024,
    MAX_KEYS = 4096,
    MAX_KEY_BYTES = 255
};

typedef struct block {
    struct block *next;
    max_align_t data[];
} block;

struct orr_config {
    orr_node *root;
    block *blocks;
    int n_nodes;
};

/* One document on its way into a tree. */
typedef struct {
    orr_config *c;
    yaml_document_t *doc;
    const char *file;       /* owned by the tree */
    const char *assignment; /* of the command line; NULL: a text with lines */
} builder;

static void *tree_alloc(orr_config *c, size_t n, size_t size)
{
    size_t bytes;
    block *b = NULL;

    if (!__builtin_mul_overflow(n, size, &bytes) &&
        !__builtin_add_overflow(bytes, sizeof(block), &bytes))
        b = orr_alloc(1, bytes);
    if (!b) {
        (void)orr_fail(ORR_ERR_NOMEM, "out of memory: %zu items of a job file", n);
        return NULL;
    }
    b->next = c->blocks;
    c->blocks = b;
    return b->data;
}

static char *tree_text(orr_config *c, const char *s, size_t n)
{
    char *copy = tree_alloc(c, n + 1, 1);

    if (copy) memcpy(copy, s, n);
    return copy;
}

static orr_node *tree_node(orr_config *c, orr_node_type type, const char *file, int line)
{
    orr_node *node;

    if (c->n_nodes >= MAX_NODES) {
        (void)orr_fail(ORR_ERR_OPTION, "%s: more than %d values; are there aliases within aliases?",
                       file, (int)MAX_NODES);
        return NULL;
    }
    if (!(node = tree_alloc(c, 1, sizeof *node))) return NULL;
    c->n_nodes++;
    *node = (orr_node){ .type = type, .scalar = "", .file = file, .line = line };
    return node;
}

/* The code that goes with a failed tree_node: memory, or too many. */
static orr_status tree_full(const orr_config *c)
{
    return c->n_nodes >= MAX_NODES ? ORR_ERR_OPTION : ORR_ERR_NOMEM;
}

/* As orr_fail does, so that the compiler knows the code. */
#define fail_mark(...) orr_fail_is(ORR_ERR_OPTION, fail_mark_at(__VA_ARGS__))

static orr_status fail_mark_at(const builder *b, yaml_mark_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static orr_status fail_mark_at(const builder *b, yaml_mark_t at, const char *format, ...)
{
    char text[ORR_ERROR_MAX / 2];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (b->assignment)
        return orr_fail(ORR_ERR_OPTION, "%s: \"%.200s\": %s", b->file, b->assignment, text);
    return orr_fail(ORR_ERR_OPTION, "%s:%zu:%zu: %s", b->file, at.line + 1, at.column + 1, text);
}

static int is_null_word(const char *s, size_t n)
{
    return n == 0 || (n == 1 && *s == '~') ||
           (n == 4 && (!memcmp(s, "null", n) || !memcmp(s, "Null", n) || !memcmp(s, "NULL", n)));
}

static orr_status build(builder *b, orr_node **out, const yaml_node_t *y, int depth);

static orr_status build_scalar(builder *b, orr_node *node, const yaml_node_t *y)
{
    const char *s = (const char *)y->data.scalar.value;

    if (strlen(s) != y->data.scalar.length)
        return fail_mark(b, y->start_mark, "text with a NUL character in it");
    node->quoted = y->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (!node->quoted && is_null_word(s, strlen(s))) return ORR_OK;
    node->type = ORR_NODE_SCALAR;
    node->scalar = tree_text(b->c, s, y->data.scalar.length);
    return node->scalar ? ORR_OK : ORR_ERR_NOMEM;
}

static orr_status build_list(builder *b, orr_node *node, const yaml_node_t *y, int depth)
{
    yaml_node_item_t *first = y->data.sequence.items.start, *end = y->data.sequence.items.top;

    node->type = ORR_NODE_LIST;
    if (first == end) return ORR_OK;
    node->items = tree_alloc(b->c, (size_t)(end - first), sizeof *node->items);
    if (!node->items) return ORR_ERR_NOMEM;
    for (yaml_node_item_t *i = first; i < end; i++) {
        ORR_TRY(build(b, &node->items[node->n_items], yaml_document_get_node(b->doc, *i), depth));
        node->n_items++;
    }
    return ORR_OK;
}

/* Checks a key and gives its text, owned by the tree. */
static orr_status build_key(builder *b, const orr_node *map, const char **out, const yaml_node_t *y)
{
    const char *s = (const char *)y->data.scalar.value;
    const orr_node *twin;

    if (y->type != YAML_SCALAR_NODE || strlen(s) != y->data.scalar.length ||
        y->data.scalar.length > MAX_KEY_BYTES)
        return fail_mark(b, y->start_mark, "a key must be a word of at most %d bytes",
                         (int)MAX_KEY_BYTES);
    if ((twin = orr_node_get(map, s))) {
        if (b->assignment) return fail_mark(b, y->start_mark, "key \"%s\" is given twice", s);
        return fail_mark(b, y->start_mark, "key \"%s\" is given twice, first on line %d", s,
                         twin->line);
    }
    *out = tree_text(b->c, s, y->data.scalar.length);
    return *out ? ORR_OK : ORR_ERR_NOMEM;
}

static orr_status build_map(builder *b, orr_node *node, const yaml_node_t *y, int depth)
{
    yaml_node_pair_t *first = y->data.mapping.pairs.start, *end = y->data.mapping.pairs.top;

    node->type = ORR_NODE_MAP;
    if (first == end) return ORR_OK;
    if (end - first > MAX_KEYS)
        return fail_mark(b, y->start_mark, "a map of more than %d keys", (int)MAX_KEYS);
    node->items = tree_alloc(b->c, (size_t)(end - first), sizeof *node->items);
    if (!node->items) return ORR_ERR_NOMEM;
    for (yaml_node_pair_t *p = first; p < end; p++) {
        const yaml_node_t *k = yaml_document_get_node(b->doc, p->key);
        orr_node **item = &node->items[node->n_items];
        const char *key = NULL;

        ORR_TRY(build_key(b, node, &key, k));
        ORR_TRY(build(b, item, yaml_document_get_node(b->doc, p->value), depth));
        (*item)->key = key;
        if (!b->assignment) (*item)->line = (int)k->start_mark.line + 1; /* where a reader looks */
        node->n_items++;
    }
    return ORR_OK;
}

static orr_status build(builder *b, orr_node **out, const yaml_node_t *y, int depth)
{
    int line = !b->assignment ? (int)y->start_mark.line + 1 : 0;
    const char *tag = (const char *)y->tag;
    orr_node *node;

    if (depth >= MAX_DEPTH)
        return fail_mark(b, y->start_mark,
                         "nested more than %d deep; does an alias contain itself?", (int)MAX_DEPTH);
    if (tag && strcmp(tag, YAML_STR_TAG) != 0 && strcmp(tag, YAML_SEQ_TAG) != 0 &&
        strcmp(tag, YAML_MAP_TAG) != 0)
        return fail_mark(b, y->start_mark, "tag \"%.80s\": tags have no meaning here, remove it",
                         tag);
    if (!(node = tree_node(b->c, ORR_NODE_NULL, b->file, line))) return tree_full(b->c);
    *out = node;
    switch (y->type) {
    case YAML_SCALAR_NODE:
        return build_scalar(b, node, y);
    case YAML_SEQUENCE_NODE:
        return build_list(b, node, y, depth + 1);
    case YAML_MAPPING_NODE:
        return build_map(b, node, y, depth + 1);
    case YAML_NO_NODE:
        break;
    }
    return orr_fail(ORR_ERR_INTERNAL, "%s: a YAML node of no type", b->file);
}

static orr_status fail_parser(const builder *b, const yaml_parser_t *p)
{
    const char *problem = p->problem ? p->problem : "cannot be read as YAML";

    if (p->error == YAML_MEMORY_ERROR)
        return orr_fail(ORR_ERR_NOMEM, "out of memory while reading %s", b->file);
    if (p->error == YAML_READER_ERROR) {
        if (b->assignment) return fail_mark(b, p->mark, "%s", problem);
        return orr_fail(ORR_ERR_OPTION, "%s:%zu:%zu: %s (byte %zu)", b->file, p->mark.line + 1,
                        p->mark.column + 1, problem, p->problem_offset);
    }
    return fail_mark(b, p->problem_mark, "%s%s%s", problem, p->context ? " " : "",
                     p->context ? p->context : "");
}

/* Refuses a second document. */
static orr_status expect_end(builder *b, yaml_parser_t *parser)
{
    yaml_document_t more;
    orr_status st = ORR_OK;

    if (!yaml_parser_load(parser, &more)) return fail_parser(b, parser);
    if (yaml_document_get_root_node(&more))
        st = fail_mark(b, more.start_mark, "a second document; one file holds one");
    yaml_document_delete(&more);
    return st;
}

/* The byte behind the first n characters of a text. */
static const char *behind(const char *text, size_t n)
{
    for (; *text && (n > 0 || ((unsigned char)*text & 0xc0) == 0x80); text++)
        n -= ((unsigned char)*text & 0xc0) != 0x80;
    return text;
}

/* A value that ends with its bracket or quote: YAML takes what stands behind for a comment. */
static orr_status expect_whole(const builder *b, const yaml_node_t *root, const char *text)
{
    const char *rest = behind(text, root->end_mark.index);

    if (!b->assignment || !strchr("[{\"'", *text) || rest[strspn(rest, " \t\r\n")] == '\0')
        return ORR_OK;
    return fail_mark(b, root->end_mark, "\"%.60s\" stands behind the %s; put it all in quotes",
                     rest, strchr("[{", *text) ? "list or map" : "text in quotes");
}

static yaml_char_t *anchor_of(const yaml_event_t *e)
{
    return e->type == YAML_SCALAR_EVENT           ? e->data.scalar.anchor
           : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.anchor
           : e->type == YAML_MAPPING_START_EVENT  ? e->data.mapping_start.anchor
                                                  : NULL;
}

/* What a text has had so far. */
typedef struct {
    int depth, nodes, anchors;
} tally;

static orr_status count_event(const builder *b, const yaml_event_t *e, tally *t)
{
    int opens = e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_MAPPING_START_EVENT;

    t->depth += opens;
    t->depth -= e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT;
    t->nodes += opens || e->type == YAML_SCALAR_EVENT || e->type == YAML_ALIAS_EVENT;
    t->anchors += anchor_of(e) != NULL;
    if (t->depth > MAX_DEPTH)
        return fail_mark(b, e->start_mark, "lists and maps nested more than %d deep",
                         (int)MAX_DEPTH);
    if (t->nodes > 2 * MAX_NODES) /* of a map each value has its key */
        return fail_mark(b, e->start_mark, "more than %d keys and values", 2 * MAX_NODES);
    if (t->anchors > MAX_ANCHORS)
        return fail_mark(b, e->start_mark, "more than %d anchors", (int)MAX_ANCHORS);
    return ORR_OK;
}

/* Are the bounds kept?  What is no YAML at all is left to the parser that builds the document,
 * which stops at the same place. */
static orr_status check_events(const builder *b, const char *text)
{
    orr_status st = ORR_OK;
    yaml_parser_t parser;
    tally t = { 0 };
    int over = 0;

    if (!yaml_parser_initialize(&parser))
        return orr_fail(ORR_ERR_NOMEM, "out of memory while reading %s", b->file);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    while (st == ORR_OK && !over) {
        yaml_event_t e;

        if (!yaml_parser_parse(&parser, &e)) break;
        over = e.type == YAML_STREAM_END_EVENT;
        st = count_event(b, &e, &t);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&parser);
    return st;
}

/* Text to a node of tree c; *out is a NULL node when the text says nothing. */
static orr_status parse_node(orr_config *c, orr_node **out, const char *text, const char *name,
                             const char *assignment)
{
    orr_status st = ORR_OK;
    yaml_parser_t parser;
    yaml_document_t doc;
    builder b = { .c = c, .doc = &doc, .assignment = assignment };
    const yaml_node_t *root;

    if (!(b.file = tree_text(c, name, strlen(name)))) return ORR_ERR_NOMEM;
    ORR_TRY(check_events(&b, text));
    if (!yaml_parser_initialize(&parser))
        return orr_fail(ORR_ERR_NOMEM, "out of memory while reading %s", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    if (!yaml_parser_load(&parser, &doc)) {
        st = fail_parser(&b, &parser);
        goto done;
    }
    if ((root = yaml_document_get_root_node(&doc))) {
        st = build(&b, out, root, 0);
        if (st == ORR_OK) st = expect_end(&b, &parser);
        if (st == ORR_OK) st = expect_whole(&b, root, text);
    } else if (!(*out = tree_node(c, ORR_NODE_NULL, b.file, assignment ? 0 : 1))) {
        st = tree_full(c);
    }
    yaml_document_delete(&doc);
done:
    yaml_parser_delete(&parser);
    return st;
}

orr_status orr_config_parse(orr_config **out, const char *text, const char *name)
{
    orr_status st = ORR_OK;
    orr_config *c = orr_alloc(1, sizeof *c);

    *out = NULL;
    if (!c) return orr_fail(ORR_ERR_NOMEM, "out of memory while reading %s", name);
    ORR_TRY_GOTO(st, done, parse_node(c, &c->root, text, name, NULL));
    if (c->root->type == ORR_NODE_NULL) c->root->type = ORR_NODE_MAP;
    if (c->root->type != ORR_NODE_MAP) {
        st = orr_fail(ORR_ERR_OPTION, "%s:%d: a job file is a map of \"key: value\" lines",
                      c->root->file, c->root->line);
        goto done;
    }
    *out = c;
    c = NULL;
done:
    orr_config_destroy(c);
    return st;
}

orr_status orr_config_load(orr_config **out, const char *path)
{
    orr_status st = ORR_OK;
    char *text = NULL;
    size_t bytes = 0;

    *out = NULL;
    ORR_TRY(orr_read_file_or_pipe(&text, &bytes, path, MAX_FILE));
    if (strlen(text) != bytes)
        st = orr_fail(ORR_ERR_OPTION, "%s: has NUL bytes in it; is it a YAML file?", path);
    else
        st = orr_config_parse(out, text, path);
    orr_free(text);
    return st;
}

orr_status orr_config_empty(orr_config **out)
{
    orr_config *c = orr_alloc(1, sizeof *c);

    *out = NULL;
    if (!c || !(c->root = tree_node(c, ORR_NODE_MAP, "command line", 0))) {
        orr_config_destroy(c);
        return orr_fail(ORR_ERR_NOMEM, "out of memory for a configuration");
    }
    *out = c;
    return ORR_OK;
}

const orr_node *orr_config_root(const orr_config *c)
{
    return c->root;
}

void orr_config_destroy(orr_config *c)
{
    if (!c) return;
    for (block *b = c->blocks, *next; b; b = next) {
        next = b->next;
        orr_free(b);
    }
    orr_free(c);
}

orr_status orr_node_copy(orr_config *c, orr_node **out, const orr_node *n,
                         const orr_node *(*swap)(void *ctx, const orr_node *scalar), void *ctx)
{
    const orr_node *other = n->type == ORR_NODE_SCALAR && !n->quoted ? swap(ctx, n) : NULL;
    const orr_node *source = other ? other : n;
    orr_node *copy = tree_node(c, source->type, source->file, source->line);

    if (!copy) return tree_full(c);
    *copy = *source;
    copy->key = n->key;
    *out = copy;
    if (other || !n->n_items) return ORR_OK;
    if (!(copy->items = tree_alloc(c, (size_t)n->n_items, sizeof *copy->items)))
        return ORR_ERR_NOMEM;
    for (int i = 0; i < n->n_items; i++)
        ORR_TRY(orr_node_copy(c, &copy->items[i], n->items[i], swap, ctx));
    return ORR_OK;
}

static orr_node *find(const orr_node *map, const char *key)
{
    if (!map || map->type != ORR_NODE_MAP) return NULL;
    for (int i = 0; i < map->n_items; i++)
        if (!strcmp(map->items[i]->key, key)) return map->items[i];
    return NULL;
}

const orr_node *orr_node_get(const orr_node *map, const char *key)
{
    return find(map, key);
}

const char *orr_node_where(const orr_node *n, char *buf, size_t bytes)
{
    if (n->line > 0)
        snprintf(buf, bytes, "%s:%d", n->file, n->line);
    else
        snprintf(buf, bytes, "%s", n->file);
    return buf;
}

/* ---- overrides ---- */

/* Puts an empty item called key at the end of a map. */
static orr_status append(orr_config *c, orr_node *map, orr_node **out, const char *key)
{
    orr_node **items, *item;

    if (map->n_items >= MAX_KEYS)
        return orr_fail(ORR_ERR_OPTION, "command line: a map of more than %d keys", (int)MAX_KEYS);
    if (!(item = tree_node(c, ORR_NODE_NULL, "command line", 0))) return tree_full(c);
    if (!(item->key = tree_text(c, key, strlen(key)))) return ORR_ERR_NOMEM;
    items = tree_alloc(c, (size_t)map->n_items + 1, sizeof(orr_node *));
    if (!items) return ORR_ERR_NOMEM;
    if (map->n_items) memcpy(items, map->items, (size_t)map->n_items * sizeof(orr_node *));
    items[map->n_items] = item;
    map->items = items;
    map->n_items++;
    *out = item;
    return ORR_OK;
}

/* The item of a list that a number names, NULL when there is none. */
static orr_node *list_item(const orr_node *list, const char *word)
{
    size_t n = strspn(word, "0123456789");
    int i = 0;

    if (!n || n > 6 || word[n]) return NULL;
    for (; *word; word++)
        i = 10 * i + (*word - '0');
    return i < list->n_items ? list->items[i] : NULL;
}

/* One step along the path: the item called word of *at, made when it is not there. */
static orr_status step(orr_config *c, orr_node **at, const char *word, const char *assignment)
{
    orr_node *node = *at, *next;

    if (node->type == ORR_NODE_NULL) node->type = ORR_NODE_MAP;
    if (node->type == ORR_NODE_LIST) {
        if (!(next = list_item(node, word)))
            return orr_fail(ORR_ERR_OPTION,
                            "command line: \"%s\": the list has %d items, counted from 0; \"%s\" "
                            "is not one of them",
                            assignment, node->n_items, word);
    } else if (node->type == ORR_NODE_SCALAR) {
        return orr_fail(ORR_ERR_OPTION,
                        "command line: \"%s\": \"%s\" lies within the single value \"%.60s\"",
                        assignment, word, node->scalar);
    } else if (!(next = find(node, word))) {
        ORR_TRY(append(c, node, &next, word));
    }
    *at = next;
    return ORR_OK;
}

/* Walks "a.b.c" (cut into words in place) from the root. */
static orr_status walk(orr_config *c, orr_node **at, char *path, const char *assignment)
{
    *at = c->root;
    for (char *word = path, *dot; word; word = dot ? dot + 1 : NULL) {
        if ((dot = strchr(word, '.'))) *dot = '\0';
        if (!*word || strlen(word) > MAX_KEY_BYTES)
            return orr_fail(
                ORR_ERR_OPTION,
                "command line: \"%s\": write keys joined by dots before the =", assignment);
        ORR_TRY(step(c, at, word, assignment));
    }
    return ORR_OK;
}

/* Anything but a list, a map and quotes is what it says, character by character: libyaml, asked for
 * it as a quoted text, only looks whether it is UTF-8. */
static orr_status read_plain(orr_config *c, orr_node **out, const char *text, size_t n,
                             const char *assignment)
{
    orr_text quoted = ORR_TEXT_INIT;
    orr_status st;

    orr_text_add(&quoted, "'");
    for (size_t i = 0; i < n; i++)
        orr_text_addn(&quoted, text[i] == '\'' ? "''" : &text[i], text[i] == '\'' ? 2 : 1);
    orr_text_add(&quoted, "'");
    st = orr_text_status(&quoted);
    if (st == ORR_OK) st = parse_node(c, out, quoted.s, "command line", assignment);
    orr_text_free(&quoted);
    if (st == ORR_OK && *out) (*out)->quoted = strspn(text, " \t") >= n;
    return st;
}

/* Blanks around a value are no part of it, unless it is nothing but blanks. */
static orr_status read_value(orr_config *c, orr_node **out, const char *assignment)
{
    const char *text = strchr(assignment, '=') + 1;
    size_t blanks = strspn(text, " \t"), n = strlen(text);

    if (blanks < n) {
        text += blanks;
        for (n -= blanks; text[n - 1] == ' ' || text[n - 1] == '\t';)
            n--;
        if (strchr("[{\"'", *text) || memchr(text, '\n', n) || is_null_word(text, n))
            return parse_node(c, out, text, "command line", assignment);
    }
    if (n) return read_plain(c, out, text, n, assignment);
    return (*out = tree_node(c, ORR_NODE_NULL, "command line", 0)) ? ORR_OK : tree_full(c);
}

orr_status orr_config_set(orr_config *c, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    orr_node *value = NULL, *at = NULL;
    const char *key;
    char *path;

    if (!equals) return orr_fail(ORR_ERR_ARG, "command line: \"%s\" is not key=value", assignment);
    if (!(path = tree_text(c, assignment, (size_t)(equals - assignment)))) return ORR_ERR_NOMEM;
    ORR_TRY(read_value(c, &value, assignment));
    ORR_TRY(walk(c, &at, path, assignment));
    if (!value) return orr_fail(ORR_ERR_INTERNAL, "command line: a value without a node");
    key = at->key;
    *at = *value;
    at->key = key;
    return ORR_OK;
}

void orr_config_remove(orr_config *c, const char *key)
{
    orr_node *root = c->root;
    int n = 0;

    if (root->type != ORR_NODE_MAP) return;
    for (int i = 0; i < root->n_items; i++)
        if (strcmp(root->items[i]->key, key) != 0) root->items[n++] = root->items[i];
    root->n_items = n;
}

/* ---- writing ---- */
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
