/* jobs/survey/crop_record.c - records of finished parts, in and out. */
#include "jobs/survey/crop_record.h"
#include "core/file.h"
#include "core/json.h"
#include "core/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const count_names[ORR_CROP_COUNTS] = { "objects",   "cubes",  "missing",
                                                          "damaged",   "size",   "place",
                                                          "nan",       "moved",  "nan_pixels",
                                                          "nan_cubes", "frames", "bad_frames" };

void orr_crop_record_free(orr_crop_record *r)
{
    orr_free(r->pieces);
    orr_text_free(&r->list);
    *r = (orr_crop_record){ 0 };
}

orr_status orr_crop_record_add_piece(orr_crop_record *r, int64_t first, int64_t rows)
{
    orr_crop_piece *more =
        orr_realloc(r->pieces, (size_t)r->n_pieces, (size_t)r->n_pieces + 1, sizeof *more);

    if (!more) return orr_fail(ORR_ERR_NOMEM, "out of memory: pieces of a part");
    r->pieces = more;
    r->pieces[r->n_pieces++] = (orr_crop_piece){ first, rows };
    return ORR_OK;
}

/* An object has one line: line ends within a field become blanks. */
static void add_field(orr_text *out, const char *s)
{
    size_t from = out->len;

    orr_text_csv(out, s);
    for (size_t i = from; i < out->len; i++)
        if (out->s[i] == '\n' || out->s[i] == '\r') out->s[i] = ' ';
}

void orr_crop_list_add(orr_text *list, const char *id, int64_t row, const char *reason)
{
    add_field(list, id);
    orr_text_printf(list, ",%" PRId64 ",", row);
    add_field(list, reason);
    orr_text_add(list, "\n");
}

void orr_crop_note(orr_crop_word *w, const char *found)
{
    if (!*found) return;
    if (!*w->first)
        snprintf(w->first, sizeof w->first, "%s", found);
    else if (!*w->other && strcmp(w->first, found) != 0)
        snprintf(w->other, sizeof w->other, "%s", found);
}

/* ---- out ---- */
static orr_status head_text(const orr_crop_record *r, char **out)
{
    const int64_t *counts = &r->counts.objects;
    cJSON *root = cJSON_CreateObject(), *pieces;
    int ok = root && cJSON_AddNumberToObject(root, "part", (double)r->part) &&
             cJSON_AddStringToObject(root, "units", r->units.first) &&
             cJSON_AddStringToObject(root, "other_units", r->units.other) &&
             cJSON_AddStringToObject(root, "sky", r->sky.first) &&
             cJSON_AddStringToObject(root, "other_sky", r->sky.other);

    for (int i = 0; ok && i < ORR_CROP_COUNTS; i++)
        ok = cJSON_AddNumberToObject(root, count_names[i], (double)counts[i]) != NULL;
    pieces = ok ? cJSON_AddArrayToObject(root, "pieces") : NULL;
    for (int i = 0; pieces && i < r->n_pieces; i++) {
        const double pair[2] = { (double)r->pieces[i].first, (double)r->pieces[i].rows };

        ok = ok && cJSON_AddItemToArray(pieces, cJSON_CreateDoubleArray(pair, 2));
    }
    *out = ok && pieces ? cJSON_PrintUnformatted(root) : NULL;
    cJSON_Delete(root);
    return *out ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: the record of a part");
}

orr_status orr_crop_record_write(const orr_crop_record *r, const char *path)
{
    orr_text all = ORR_TEXT_INIT;
    char *head;
    orr_status st;

    ORR_TRY(orr_text_status(&r->list));
    ORR_TRY(head_text(r, &head));
    orr_text_printf(&all, "%s\n%s", head, r->list.s ? r->list.s : "");
    cJSON_free(head);
    st = orr_text_status(&all);
    if (st == ORR_OK) st = orr_write_file(path, all.s, all.len);
    orr_text_free(&all);
    return st;
}

/* ---- in ---- */
static int get_int(const cJSON *root, const char *name, int64_t *out)
{
    double v = orr_json_get(root, name, -1);

    if (!(v >= 0 && v < 9e15)) return 0;
    *out = (int64_t)v;
    return 1;
}

static int get_text(const cJSON *root, const char *name, char out[ORR_DATA_NAME_MAX])
{
    const char *s = orr_json_text(root, name, NULL);

    if (s) snprintf(out, ORR_DATA_NAME_MAX, "%s", s);
    return s != NULL;
}

static orr_status get_pieces(const cJSON *root, orr_crop_record *r, int *ok)
{
    const cJSON *pieces = cJSON_GetObjectItemCaseSensitive(root, "pieces"), *p;

    *ok = cJSON_IsArray(pieces);
    cJSON_ArrayForEach (p, pieces) {
        const cJSON *first = cJSON_GetArrayItem(p, 0), *rows = cJSON_GetArrayItem(p, 1);

        *ok = *ok && cJSON_IsNumber(first) && cJSON_IsNumber(rows);
        if (!*ok) break;
        ORR_TRY(
            orr_crop_record_add_piece(r, (int64_t)first->valuedouble, (int64_t)rows->valuedouble));
    }
    return ORR_OK;
}

static orr_status read_head(orr_crop_record *r, const char *path, const char *text, size_t n)
{
    int64_t *counts = &r->counts.objects, part = -1;
    cJSON *root = cJSON_ParseWithLength(text, n);
    int ok = root && get_int(root, "part", &part) && part == r->part &&
             get_text(root, "units", r->units.first) &&
             get_text(root, "other_units", r->units.other) && get_text(root, "sky", r->sky.first) &&
             get_text(root, "other_sky", r->sky.other),
        pieces = 0;
    orr_status st = ORR_OK;

    for (int i = 0; ok && i < ORR_CROP_COUNTS; i++)
        ok = get_int(root, count_names[i], &counts[i]);
    if (ok) st = get_pieces(root, r, &pieces);
    cJSON_Delete(root);
    if (st != ORR_OK) return st;
    return ok && pieces
               ? ORR_OK
               : orr_fail(ORR_ERR_FORMAT, "%s: is not the record of part %" PRId64, path, r->part);
}

orr_status orr_crop_record_read(orr_crop_record *r, const char *path)
{
    char *text = NULL, *end;
    size_t bytes;
    orr_status st;

    ORR_TRY(orr_read_file(&text, &bytes, path, (size_t)1 << 30));
    if (!(end = memchr(text, '\n', bytes))) {
        st = orr_fail(ORR_ERR_FORMAT, "%s: is not the record of a part", path);
        goto done;
    }
    ORR_TRY_GOTO(st, done, read_head(r, path, text, (size_t)(end - text)));
    orr_text_addn(&r->list, end + 1, bytes - (size_t)(end + 1 - text));
    st = orr_text_status(&r->list);
done:
    orr_free(text);
    return st;
}
