/* data/survey/catalogue_rows.c - rows of a catalogue: which columns are read, and what a row must
 * be like to become an object. */
#include "core/memory.h"
#include "data/formats/text_value.h"
#include "data/survey/catalogue_build.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    BATCH = 2048,
    REASON = 400,
    MAX_REQUESTS = 4 + ORR_MAX_TARGET_NAMES + ORR_MAX_AUX + ORR_TEMPLATE_FIELDS
};

typedef struct {
    orr_column_request requests[MAX_REQUESTS];
    int n;
    orr_column_text *id, *label, *field[ORR_TEMPLATE_FIELDS];
    double *ra, *dec, *y[ORR_MAX_TARGET_NAMES], *aux[ORR_MAX_AUX];
} batch;

static orr_status want(orr_build *b, batch *q, const char *name, const char *option,
                       orr_value_type type, void *values)
{
    orr_column_request *r = &q->requests[q->n];
    size_t bytes = type == ORR_VALUE_TEXT ? sizeof(orr_column_text) : sizeof(double);

    ORR_TRY(orr_columns_find(b->columns, name, option, &r->column));
    if (!(r->values = orr_alloc(BATCH, bytes)))
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", b->o->file);
    r->type = type;
    q->n++;
    memcpy(values, &r->values, sizeof r->values);
    return ORR_OK;
}

static orr_status make_batch(orr_build *b, batch *q)
{
    const orr_catalogue_opts *o = b->o;

    ORR_TRY(want(b, q, o->id, "catalogue.id", ORR_VALUE_TEXT, &q->id));
    ORR_TRY(want(b, q, o->ra, "catalogue.ra", ORR_VALUE_REAL, &q->ra));
    ORR_TRY(want(b, q, o->dec, "catalogue.dec", ORR_VALUE_REAL, &q->dec));
    if (*o->label) ORR_TRY(want(b, q, o->label, "catalogue.label", ORR_VALUE_TEXT, &q->label));
    for (int i = 0; i < b->n_y; i++)
        ORR_TRY(want(b, q, o->target.v[i], "catalogue.target", ORR_VALUE_REAL, &q->y[i]));
    for (int i = 0; i < b->n_aux; i++)
        ORR_TRY(want(b, q, o->aux.v[i], "catalogue.aux", ORR_VALUE_REAL, &q->aux[i]));
    for (int i = 0; i < b->n_fields; i++)
        ORR_TRY(want(b, q, b->fields[i], "the archive's templates", ORR_VALUE_TEXT, &q->field[i]));
    return ORR_OK;
}

static void free_batch(batch *q)
{
    for (int i = 0; i < q->n; i++)
        orr_free(q->requests[i].values);
}

/* An empty id is set aside; one that cannot be an id stops the build. */
static orr_status check_id(const orr_build *b, int64_t row, const char *id)
{
    const char *why = *id ? orr_id_fault(id, strlen(id)) : NULL;

    if (!why) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT, "%s: row %" PRId64 ": the id \"%.64s\" %s (column %s)",
                    b->o->file, row + 1, id, why, b->o->id);
}

/* Row i of the batch as an object with its field; reason is "" when it can be one. */
static void judge(const orr_build *b, const batch *q, int64_t i, orr_plan_object *out,
                  orr_template_value *values, char reason[REASON])
{
    size_t bytes = REASON;
    const char *label = q->label ? q->label[i] : "", *why;
    char text[256];

    *reason = '\0';
    if (!q->id[i][0]) snprintf(reason, bytes, "the id is empty");
    if (!(out->ra >= 0 && out->ra < 360))
        snprintf(reason, bytes, "right ascension %.15g is not in [0, 360)", out->ra);
    else if (!(out->dec >= -90 && out->dec <= 90))
        snprintf(reason, bytes, "declination %.15g is not in [-90, 90]", out->dec);
    for (int k = 0; k < b->n_y; k++)
        if (!isfinite((float)(out->y[k] = q->y[k][i])))
            snprintf(reason, bytes, "target %s is %g", b->o->target.v[k], q->y[k][i]);
    for (int k = 0; k < b->n_aux; k++)
        if (!isfinite(out->aux[k] = (float)q->aux[k][i]))
            snprintf(reason, bytes, "aux %s is %g", b->o->aux.v[k], q->aux[k][i]);
    if (q->label) {
        out->label = orr_classes_label(&b->classes, label, strlen(label));
        if (out->label < 0) {
            orr_classes_fault(&b->classes, text, sizeof text);
            snprintf(reason, bytes, "label \"%s\" %s", label, text);
        }
    }
    for (int k = 0; k < b->n_fields; k++) {
        const char *s = q->field[k][i];

        values[k] = (orr_template_value){ .is_int = b->is_int[k] };
        if (b->is_int[k]) {
            if ((why = orr_integer_parse(s, strlen(s), &values[k].number)))
                snprintf(reason, bytes, "%s: \"%s\" %s", b->fields[k], s, why);
        } else {
            memcpy(values[k].text, s, sizeof values[k].text);
            if (orr_template_check(b->fields[k], s) != ORR_OK) {
                snprintf(reason, bytes, "%s", orr_error_text());
                orr_error_clear();
            }
        }
    }
}

static orr_status add_row(orr_build *b, const batch *q, int64_t i, int64_t row)
{
    orr_plan_object out = { .row = row, .ra = q->ra[i], .dec = q->dec[i] };
    orr_template_value values[ORR_TEMPLATE_FIELDS];
    unsigned char key[ORR_PLAN_KEY_MAX];
    char data[ORR_PLAN_DATA_MAX], reason[REASON];
    sqlite3_stmt *s = b->st[ORR_BUILD_ADD_ROW];
    size_t n = strlen(q->id[i]);
    int64_t number;

    ORR_TRY(check_id(b, row, q->id[i]));
    memcpy(out.id, q->id[i], sizeof out.id);
    judge(b, q, i, &out, values, reason);
    if (*reason) return orr_build_aside(b, row, out.id, reason);
    sqlite3_bind_int64(s, 1, row);
    if (orr_id_integer(out.id, n, &number))
        sqlite3_bind_int64(s, 2, number);
    else
        sqlite3_bind_text(s, 2, out.id, (int)n, SQLITE_STATIC);
    sqlite3_bind_blob(s, 3, key, (int)orr_plan_key(values, b->n_fields, key), SQLITE_STATIC);
    sqlite3_bind_blob(s, 4, data, (int)orr_plan_pack(&out, b->n_y, b->n_aux, data), SQLITE_STATIC);
    return orr_build_step(b, ORR_BUILD_ADD_ROW);
}

orr_status orr_build_read_rows(orr_build *b)
{
    batch q = { 0 };
    orr_status st;
    int64_t first, n;

    ORR_TRY_GOTO(st, done, make_batch(b, &q));
    do {
        ORR_TRY_GOTO(st, done, orr_columns_next(b->columns, q.requests, q.n, BATCH, &first, &n));
        for (int64_t i = 0; i < n; i++)
            ORR_TRY_GOTO(st, done, add_row(b, &q, i, first + i));
        b->counts.rows += n;
    } while (n > 0);
done:
    free_batch(&q);
    return st;
}
