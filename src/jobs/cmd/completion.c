/* jobs/cmd/completion.c - the commands' rows as a script that bash reads.
 *
 * bash cuts words at '=', so the script looks at the line itself.  A key is given with its '=', a
 * section's keys by their dotted names; after a '=' come the words that the key may have, else
 * files. */
#include "jobs/cmd/help.h"

#include <string.h>

/* Calls visit for every key of a table, dotted names. */
typedef void key_visitor(orr_text *out, const char *name, const orr_option *row);

static void visit_table(orr_text *out, const orr_option *table, const char *prefix,
                        key_visitor *visit)
{
    for (const orr_option *row = table; row && row->type != ORR_OPT_END; row++) {
        orr_text name = ORR_TEXT_INIT;

        orr_text_printf(&name, "%s%s%s", prefix, *prefix ? "." : "", row->key);
        if (name.s && row->type == ORR_OPT_SECTION)
            visit_table(out, row->table, name.s, visit);
        else if (name.s)
            visit(out, name.s, row);
        if (name.status != ORR_OK) out->status = name.status;
        orr_text_free(&name);
    }
}

static void visit_command(orr_text *out, const orr_command *c, key_visitor *visit)
{
    orr_kind_help kind;

    visit_table(out, c->options, "", visit);
    for (const orr_more_keys *m = c->more; m && m->title; m++) {
        if (m->options) visit_table(out, m->options, m->prefix, visit);
        for (int i = 0; m->on_line && m->kind && m->kind(i, &kind); i++)
            visit_table(out, kind.options, "", visit);
    }
}

static void add_key(orr_text *out, const char *name, const orr_option *row)
{
    (void)row;
    orr_text_printf(out, " %s=", name);
}

/* "name) words='a b' ;;" for a key whose values are known. */
static void add_values(orr_text *out, const char *name, const orr_option *row)
{
    if (row->type != ORR_OPT_CHOICE && row->type != ORR_OPT_BOOL) return;
    orr_text_printf(out, "        %s) words='", name);
    if (row->type == ORR_OPT_BOOL)
        orr_text_add(out, "true false");
    else
        orr_options_choices(row, " ", out);
    orr_text_add(out, "' ;;\n");
}

static void add_bash_command(orr_text *out, const orr_command *c)
{
    orr_text_printf(out, "    %s)\n        keys='", c->name);
    visit_command(out, c, add_key);
    orr_text_add(out, "'\n        case $key in\n");
    visit_command(out, c, add_values);
    orr_text_add(out, "        esac ;;\n");
}

static void add_bash(orr_text *out)
{
    int n;
    const orr_command *const *c = orr_commands(&n);

    orr_text_add(out, "# Completion of orrery for bash; made by orrery --completion bash.\n"
                      "_orrery() {\n"
                      "    local line=${COMP_LINE:0:COMP_POINT} word command= key keys= words= w\n"
                      "    local commands='");
    for (int i = 0; i < n; i++)
        orr_text_printf(out, "%s%s", i ? " " : "", c[i]->name);
    /* launch is a command before another: the last one that stands on the line counts. */
    orr_text_add(out,
                 "'\n"
                 "    word=${line##*[[:space:]]}\n"
                 "    for w in ${line%\"$word\"}; do\n"
                 "        case \" $commands \" in\n"
                 "        *\" $w \"*) [[ -z $command || $command = launch ]] && command=$w ;;\n"
                 "        esac\n"
                 "    done\n"
                 "    key=${word%%=*}\n"
                 "    case $command in\n");
    for (int i = 0; i < n; i++)
        add_bash_command(out, c[i]);
    orr_text_add(out, "    esac\n"
                      "    COMPREPLY=()\n"
                      "    if [[ $word == *=* ]]; then\n"
                      "        w=${word#*=}\n"
                      "        if [[ -n $words ]]; then\n"
                      "            COMPREPLY=($(compgen -W \"$words\" -- \"$w\"))\n"
                      "        else\n"
                      "            COMPREPLY=($(compgen -f -- \"$w\"))\n"
                      "        fi\n"
                      "        [[ $COMP_WORDBREAKS == *=* ]] ||\n"
                      "            COMPREPLY=(\"${COMPREPLY[@]/#/$key=}\")\n"
                      "        return\n"
                      "    fi\n"
                      "    [[ -n $command && $command != launch ]] ||\n"
                      "        COMPREPLY=($(compgen -W \"$commands\" -- \"$word\"))\n"
                      "    if [[ -z $command ]]; then\n"
                      "        COMPREPLY+=($(compgen -W '--help --version --completion --man' "
                      "-- \"$word\"))\n"
                      "        return\n"
                      "    fi\n"
                      "    COMPREPLY+=($(compgen -W \"$keys --help\" -- \"$word\"))\n"
                      "    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] &&\n"
                      "        compopt -o nospace 2>/dev/null\n"
                      "    COMPREPLY+=($(compgen -f -- \"$word\"))\n"
                      "}\n"
                      "complete -o filenames -F _orrery orrery\n");
}

orr_status orr_completion(const char *shell, orr_text *out)
{
    if (strcmp(shell, "bash") != 0)
        return orr_fail(ORR_ERR_ARG, "--completion knows bash, not \"%s\"", shell);
    add_bash(out);
    return orr_text_status(out);
}
