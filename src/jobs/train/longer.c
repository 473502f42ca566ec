/* jobs/train/longer.c - which job asks for more of the same. */
#include "jobs/train/longer.h"
#include "core/config.h"
#include "core/log.h"
#include "core/options.h"
#include "core/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *value_of(const orr_config *c, const char *key)
{
    const orr_node *n = orr_node_get(orr_config_root(c), "train");

    if (n) n = orr_node_get(n, key);
    return n && n->type == ORR_NODE_SCALAR ? n->scalar : "";
}

static int64_t count_of(const orr_config *c, const char *key)
{
    int64_t n;

    if (orr_parse_int64(&n, value_of(c, key)) == ORR_OK) return n;
    orr_error_clear();
    return -1;
}

/* Is the bound `key` further away now?  0 may mean that there is none.  -1: it is nearer. */
static int further(const orr_config *now, const orr_config *then, const char *key, int zero_is_none)
{
    int64_t a = count_of(now, key), b = count_of(then, key);

    if (a == b) return 0;
    if (a < 0 || b < 0) return -1;
    if (zero_is_none && (a == 0 || b == 0)) return a == 0 ? 1 : -1;
    return a > b ? 1 : -1;
}

/* Do they say the same, but for the bounds? */
static orr_status same_else(const orr_config *now, orr_config *then, int *same)
{
    static const char *const bounds[] = { "epochs", "max_steps", "patience" };
    orr_text a = ORR_TEXT_INIT, b = ORR_TEXT_INIT;
    char set[128];
    orr_status st = ORR_OK;

    for (size_t i = 0; st == ORR_OK && i < sizeof bounds / sizeof *bounds; i++) {
        snprintf(set, sizeof set, "train.%s=%s", bounds[i], value_of(now, bounds[i]));
        st = orr_config_set(then, set);
    }
    orr_node_dump_flow(orr_config_root(now), &a);
    orr_node_dump_flow(orr_config_root(then), &b);
    if (st == ORR_OK) st = orr_text_status(&a);
    if (st == ORR_OK) st = orr_text_status(&b);
    *same = st == ORR_OK && strcmp(a.s, b.s) == 0;
    orr_text_free(&a);
    orr_text_free(&b);
    return st;
}

static int is_spread(const orr_config *c)
{
    const orr_node *n = orr_node_get(orr_config_root(c), "train");
    const orr_node *s = n ? orr_node_get(n, "schedule") : NULL,
                   *kind = s && s->type == ORR_NODE_MAP ? orr_node_get(s, "kind") : NULL;

    return kind && (strcmp(kind->scalar, "onecycle") == 0 || strcmp(kind->scalar, "cosine") == 0);
}

static orr_status judge(const orr_config *now, orr_config *then, const char *dir, int *goes_on)
{
    const int64_t before = count_of(then, "epochs"), every = count_of(now, "evaluate_every");
    const int epochs = further(now, then, "epochs", 0), steps = further(now, then, "max_steps", 1),
              patience = further(now, then, "patience", 1);
    int same;

    if (epochs < 0 || steps < 0 || patience < 0) return ORR_OK;
    ORR_TRY(same_else(now, then, &same));
    if (!same) return ORR_OK;
    if (epochs > 0 && is_spread(now))
        return orr_fail(ORR_ERR_OPTION,
                        "%s: train.epochs was %lld and is %s, but train.schedule is spread over "
                        "all epochs, so the run would have gone otherwise from its start; give "
                        "another run folder",
                        dir, (long long)before, value_of(now, "epochs"));
    if (epochs > 0 && every > 1 && before % every)
        orr_log(ORR_WARN, "train",
                "%s: epoch %lld may have been evaluated as the last one; a run of %s epochs from "
                "the start would not have looked there",
                dir, (long long)before, value_of(now, "epochs"));
    *goes_on = 1;
    return ORR_OK;
}

orr_status orr_train_goes_on(const char *now, const char *then, const char *dir, int *goes_on)
{
    orr_config *a = NULL, *b = NULL;
    orr_status st = ORR_OK;

    *goes_on = 0;
    if (orr_config_parse(&a, now, "job.yaml") == ORR_OK &&
        orr_config_parse(&b, then, "job.yaml") == ORR_OK)
        st = judge(a, b, dir, goes_on);
    else
        orr_error_clear(); /* a text that does not read is like no other */
    orr_config_destroy(a);
    orr_config_destroy(b);
    return st;
}
