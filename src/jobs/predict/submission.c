/* jobs/predict/submission.c - from a sample submission to a submission. */
#include "jobs/predict/submission.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/table_file.h"
#include "data/formats/columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { BLOCK = 4096, SHOWN = 3 };

void orr_submission_free(orr_submission *s)
{
    for (int i = 0; s->names && i < s->n_columns; i++)
        orr_free(s->names[i]);
    orr_free(s->names);
    orr_free(s->id);
    orr_free(s->row);
    orr_free(s->column);
    *s = (orr_submission){ 0 };
}

/* ---- the sample ---- */
static orr_status read_header(orr_submission *s, const orr_columns *c)
{
    s->n_columns = orr_columns_n(c);
    if (s->n_columns < 2)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: a sample submission has a column of ids and one of predictions or "
                        "more; this has one column",
                        s->path);
    if (!(s->names = orr_alloc((size_t)s->n_columns, sizeof *s->names)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", s->path);
    for (int i = 0; i < s->n_columns; i++)
        if (!(s->names[i] = orr_strdup(orr_columns_name(c, i))))
            return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", s->path);
    return ORR_OK;
}

static orr_status read_ids(orr_submission *s, orr_columns *c)
{
    orr_column_request want = { .column = 0, .type = ORR_VALUE_ID };
    int64_t first, n = BLOCK, room = 0;

    for (; n == BLOCK; s->n += n) {
        if (s->n + BLOCK > room) {
            int64_t more = room ? 2 * room : BLOCK;
            orr_id *grown = orr_realloc(s->id, (size_t)room, (size_t)more, sizeof *s->id);
            if (!grown) return orr_fail(ORR_ERR_NOMEM, "out of memory: ids of %s", s->path);
            s->id = grown;
            room = more;
        }
        want.values = s->id + s->n;
        ORR_TRY(orr_columns_next(c, &want, 1, BLOCK, &first, &n));
        for (int64_t i = 0; i < n; i++)
            if (s->id[s->n + i][0] == '\0')
                return orr_fail(ORR_ERR_FORMAT, "%s: row %lld has no id (column %s)", s->path,
                                (long long)(first + i + 1), s->names[0]);
    }
    return s->n ? ORR_OK : orr_fail(ORR_ERR_FORMAT, "%s: it has a header and no rows", s->path);
}

static orr_status read_sample(orr_submission *s, const char *path)
{
    orr_columns *c = NULL;
    orr_ids ids = { 0 };
    orr_status st;

    ORR_TRY(orr_path_join(s->path, "", path));
    ORR_TRY(orr_columns_open(&c, path, ""));
    st = read_header(s, c);
    if (st == ORR_OK) st = read_ids(s, c);
    orr_columns_close(c);
    if (st == ORR_OK) st = orr_ids_create(&ids, (const orr_id *)s->id, s->n, s->path);
    orr_ids_free(&ids);
    return st;
}

orr_status orr_submission_read(orr_submission *s, const char *path)
{
    orr_status st;

    *s = (orr_submission){ 0 };
    st = read_sample(s, path);
    if (st != ORR_OK) orr_submission_free(s);
    return st;
}

/* ---- its ids ---- */
/* "4 (a, b, c, ...)": those of n ids whose mark is not set. */
static const char *list_missing(const orr_id *id, const char *found, int64_t n, char *buf,
                                size_t bytes)
{
    int64_t missing = 0;
    size_t used;
    int shown = 0;

    for (int64_t i = 0; i < n; i++)
        missing += !found[i];
    used = (size_t)snprintf(buf, bytes, "%lld (", (long long)missing);
    for (int64_t i = 0; i < n && shown < SHOWN; i++)
        if (!found[i])
            used += (size_t)snprintf(buf + used, bytes - used, "%s%s", shown++ ? ", " : "", id[i]);
    snprintf(buf + used, bytes - used, "%s)", missing > shown ? ", ..." : "");
    return buf;
}

typedef struct matched {
    char *in_set, *in_sample; /* marks on the sample's ids and on the set's */
    int64_t n, n_set;         /* of each */
    int64_t both;
} matched;

static orr_status refuse(const orr_submission *s, const orr_dataset *set, const orr_id *id,
                         const matched *m)
{
    char few[2][SHOWN * (ORR_ID_TEXT_MAX + 2) + 64], *words[2] = { few[0], few[1] };
    const char *rows = orr_dataset_schema(set)->id_is_row
                           ? "; the set's ids are row numbers: import it with input.id"
                           : "";

    list_missing(id, m->in_sample, m->n_set, few[0], sizeof few[0]);
    list_missing((const orr_id *)s->id, m->in_set, m->n, few[1], sizeof few[1]);
    if (m->both == m->n)
        return orr_fail(ORR_ERR_FORMAT, "%s: ids of %s are missing in it: %s%s", s->path,
                        orr_dataset_path(set), words[0], rows);
    if (m->both == m->n_set)
        return orr_fail(ORR_ERR_FORMAT, "%s: ids in it that %s does not have: %s%s", s->path,
                        orr_dataset_path(set), words[1], rows);
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: ids of %s are missing in it: %s; ids that the set does "
                    "not have: %s%s",
                    s->path, orr_dataset_path(set), words[0], words[1], rows);
}

static orr_status match_rows(orr_submission *s, const orr_dataset *set)
{
    matched m = { .n = s->n, .n_set = orr_dataset_rows(set) };
    orr_ids ids = { 0 };
    orr_id *id = NULL;
    orr_status st;

    m.in_set = orr_alloc((size_t)m.n, 1);
    m.in_sample = orr_alloc((size_t)m.n_set, 1);
    s->row = orr_alloc((size_t)m.n, sizeof *s->row);
    st = m.in_set && m.in_sample && s->row
             ? orr_ids_of_set(&id, set)
             : orr_fail(ORR_ERR_NOMEM, "out of memory: %lld ids", (long long)m.n);
    if (st == ORR_OK) st = orr_ids_create(&ids, (const orr_id *)id, m.n_set, orr_dataset_path(set));
    for (int64_t i = 0; st == ORR_OK && i < m.n; i++) {
        if ((s->row[i] = orr_ids_find(&ids, s->id[i])) < 0) continue;
        m.in_set[i] = 1;
        m.in_sample[s->row[i]] = 1;
        m.both++;
    }
    if (st == ORR_OK && (m.both < m.n || m.both < m.n_set))
        st = refuse(s, set, (const orr_id *)id, &m);
    orr_ids_free(&ids);
    orr_free(id);
    orr_free(m.in_set);
    orr_free(m.in_sample);
    return st;
}

/* ---- its columns ---- */
/* What answer i is called; "" when it has no name. */
static const char *answer_name(const orr_model *m, int i, char *buf, size_t bytes)
{
    buf[0] = '\0';
    if (orr_model_n_classes(m)) return orr_class_name(&m->schema, i, buf, bytes);
    return orr_schema_target_name(&m->schema, i, buf, bytes);
}

/* The answer of that name, letter for letter or but for upper and lower case; -1 when none. */
static int find_answer(const orr_model *m, int n, const char *name)
{
    char have[ORR_DATA_NAME_MAX];

    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; name[0] && i < n; i++) {
            answer_name(m, i, have, sizeof have);
            if ((pass ? strcasecmp : strcmp)(have, name) == 0) return i;
        }
    return -1;
}

static orr_status take_in_order(orr_submission *s, const orr_model *m, int n)
{
    char list[256], name[ORR_DATA_NAME_MAX];
    size_t used = 0;

    list[0] = '\0';
    for (int i = 0; i < n; i++) {
        s->column[i] = i;
        answer_name(m, i, name, sizeof name);
        if (name[0] && used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", name);
    }
    orr_log0(list[0] ? ORR_WARN : ORR_INFO, "predict",
             "%s: its columns are taken in the order of the %s%s%s", s->path,
             orr_model_n_classes(m) ? "classes" : "targets", list[0] ? ": " : "", list);
    return ORR_OK;
}

/* A column for each of n answers. */
static orr_status match_names(orr_submission *s, const orr_model *m, int n)
{
    const char *what = orr_model_n_classes(m) ? "class" : "target";
    char name[ORR_DATA_NAME_MAX];
    int found = 0, in_place = 1;

    for (int i = 0; i < n; i++) {
        s->column[i] = find_answer(m, n, s->names[i + 1]);
        found += s->column[i] >= 0;
        answer_name(m, i, name, sizeof name);
        if (s->column[i] >= 0 ? s->column[i] != i : name[0] != '\0') in_place = 0;
    }
    if (found == 0 || (found < n && in_place)) return take_in_order(s, m, n);
    for (int i = 0; i < n; i++) {
        if (s->column[i] < 0)
            return orr_fail(ORR_ERR_SHAPE,
                            "%s: \"%s\" is no %s of the model, as other columns are; name them all "
                            "after one, or none",
                            s->path, s->names[i + 1], what);
        for (int k = 0; k < i; k++)
            if (s->column[k] == s->column[i])
                return orr_fail(ORR_ERR_SHAPE, "%s: columns \"%s\" and \"%s\" are the same %s",
                                s->path, s->names[k + 1], s->names[i + 1], what);
    }
    return ORR_OK;
}

/* One column for what may be more than one answer. */
static orr_status match_one(orr_submission *s, const orr_model *m, int classes)
{
    char name[ORR_DATA_NAME_MAX];
    int named;

    s->column[0] = 0;
    if (s->as_classes || classes == 0) return ORR_OK;
    named = find_answer(m, classes, s->names[1]);
    if (classes == 2) {
        s->column[0] = named == 0 ? 0 : 1;
    } else if (named >= 0) {
        s->column[0] = named;
    } else {
        return orr_fail(ORR_ERR_SHAPE,
                        "%s: one column for the probabilities of %d classes; a column for each is "
                        "needed, or submission_as=class for the named class",
                        s->path, classes);
    }
    if (s->column[0] != 1 || classes != 2)
        orr_log0(ORR_INFO, "predict", "%s: its column gets the probability of class %s", s->path,
                 orr_class_name(&m->schema, s->column[0], name, sizeof name));
    return ORR_OK;
}

static orr_status match_columns(orr_submission *s, const orr_model *m)
{
    int n = s->n_columns - 1, classes = orr_model_n_classes(m),
        density = orr_loss_output_type(&m->loss) == ORR_OUTPUT_DENSITY,
        answers = classes   ? classes
                  : density ? 1
                            : m->outputs;

    if (!(s->column = orr_alloc((size_t)n, sizeof *s->column)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", s->path);
    if (s->as_classes && !classes)
        return orr_fail(ORR_ERR_ARG,
                        "submission_as=class: the model answers with values, not with classes");
    if (n == 1 && (classes || answers == 1)) return match_one(s, m, classes);
    if (!s->as_classes && n == answers) return match_names(s, m, n);
    return orr_fail(ORR_ERR_SHAPE,
                    "%s: %d columns of predictions; the model gives %d (%s), so the sample must "
                    "have %d%s",
                    s->path, n, s->as_classes ? 1 : answers,
                    s->as_classes ? "the named class"
                    : classes     ? "probabilities of the classes"
                    : density     ? "the mean of its density"
                                  : "its values",
                    s->as_classes ? 1 : answers,
                    classes == 2 && !s->as_classes ? ", or one for the positive class" : "");
}

orr_status orr_submission_match(orr_submission *s, const orr_model *m, const orr_dataset *set,
                                int as_classes)
{
    s->as_classes = as_classes;
    ORR_TRY(match_columns(s, m));
    return match_rows(s, set);
}

/* ---- the submission ---- */
static orr_status put_row(orr_text *t, const orr_submission *s, int64_t i, const orr_model *m,
                          const orr_scores *scores)
{
    const double *p = scores->p + s->row[i] * scores->n_columns;
    char name[ORR_DATA_NAME_MAX];

    orr_text_csv(t, s->id[i]);
    for (int k = 0; k < s->n_columns - 1; k++) {
        const int target = scores->point ? 0 : s->column[k];
        const double shift = orr_schema_target_shift(&m->schema, target);
        double v = scores->point ? scores->point[s->row[i]] : p[target];
        if (!isfinite(v))
            return orr_fail(ORR_ERR_NUMERIC, "the prediction for sample %s is not a number",
                            s->id[i]);
        orr_text_add(t, ",");
        if (s->as_classes)
            orr_text_csv(t, orr_class_name(&m->schema,
                                           orr_named_class(p, scores->n_classes, m->threshold),
                                           name, sizeof name));
        else if (shift != 0) /* as the other forms of predictions, to the last digit */
            orr_text_printf(t, "%.17g", v + shift);
        else
            orr_text_printf(t, "%.9g", (double)(float)v);
    }
    return ORR_OK;
}

orr_status orr_submission_write(const orr_submission *s, const char *path, const orr_model *m,
                                const orr_scores *scores)
{
    orr_table_file t;
    orr_status st;

    ORR_TRY(orr_table_file_open(&t, path));
    for (int i = 0; i < s->n_columns; i++) {
        if (i) orr_text_add(&t.row, ",");
        orr_text_csv(&t.row, s->names[i]);
    }
    orr_table_file_end_row(&t);
    st = ORR_OK;
    for (int64_t i = 0; st == ORR_OK && i < s->n; i++) {
        st = put_row(&t.row, s, i, m, scores);
        if (st == ORR_OK) orr_table_file_end_row(&t);
    }
    return orr_table_file_close(&t, st);
}
