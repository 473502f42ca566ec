/* tests/data/reader_cases.h - files made on the spot, and a table of rows opened from options. Not
 * collective. */
#ifndef ORR_TESTS_DATA_READER_CASES_H
#define ORR_TESTS_DATA_READER_CASES_H

#include "core/memory.h"
#include "data/formats/tables_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder for one program's files, removed by case_folder_remove. */
static char case_dir[64];

static inline int case_folder_make(void **state)
{
    (void)state;
    snprintf(case_dir, sizeof case_dir, "readers-XXXXXX");
    return mkdtemp(case_dir) ? 0 : 1;
}

static inline int case_folder_remove(void **state)
{
    char command[96];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", case_dir);
    return system(command);
}

static inline void case_path(char *path, size_t bytes, const char *name)
{
    snprintf(path, bytes, "%s/%s", case_dir, name);
}

static inline void case_write(const char *name, const void *data, size_t n)
{
    char path[256];
    FILE *f;

    case_path(path, sizeof path, name);
    assert_non_null(f = fopen(path, "wb"));
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* A whole table in memory. */
typedef struct {
    orr_schema schema;
    int64_t n;
    void *x, *y, *id;
    float *aux;
} case_rows;

static inline void case_free(case_rows *r)
{
    orr_free(r->x);
    orr_free(r->y);
    orr_free(r->id);
    orr_free(r->aux);
}

/* Opens, scans and reads a table in blocks of `block` rows.  On failure the sentence is the
 * answer's. */
static inline orr_status case_read(case_rows *out, const orr_table_opts *o, size_t part_bytes,
                                   int64_t block, int threads)
{
    orr_table *t = NULL;
    orr_status st;
    size_t xb, yb, ib, na;

    memset(out, 0, sizeof *out);
    ORR_TRY_GOTO(st, done, orr_table_open_parts(&t, o, case_dir, part_bytes));
    ORR_TRY_GOTO(st, done, orr_table_scan(t));
    out->schema = *orr_table_schema(t);
    out->n = orr_table_rows(t);
    xb = orr_schema_x_bytes(&out->schema);
    yb = out->schema.y_type == ORR_Y_NONE ? 0 : orr_schema_y_bytes(&out->schema);
    ib = orr_schema_id_bytes(&out->schema);
    out->x = orr_alloc((size_t)out->n, xb);
    out->y = orr_alloc((size_t)out->n, yb);
    out->id = orr_alloc((size_t)out->n, ib);
    na = (size_t)out->schema.n_aux;
    out->aux = orr_alloc((size_t)out->n * na + 1, sizeof *out->aux);
    if (!out->x || !out->y || !out->id || !out->aux) {
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: rows of a test");
        goto done;
    }
    for (int64_t at = 0; at < out->n; at += block) {
        size_t k = (size_t)at;
        orr_rows rows = { .x = (char *)out->x + k * xb,
                          .y = (char *)out->y + k * yb,
                          .id = (char *)out->id + k * ib,
                          .aux = out->aux + k * na };

        ORR_TRY_GOTO(
            st, done,
            orr_table_read(t, at, out->n - at < block ? out->n - at : block, &rows, threads));
    }
done:
    if (st != ORR_OK) {
        case_free(out);
        memset(out, 0, sizeof *out);
    }
    orr_table_close(t);
    return st;
}

/* The answer is a failure whose sentence has `expected` in it; @ in it stands for the folder. */
static inline void case_expect(orr_status st, orr_status code, const char *expected)
{
    char full[1024];
    const char *at = strchr(expected, '@');

    if (at)
        snprintf(full, sizeof full, "%.*s%s%s", (int)(at - expected), expected, case_dir, at + 1);
    else
        snprintf(full, sizeof full, "%s", expected);
    if (st != code || !strstr(orr_error_text(), full))
        fail_msg("got %d \"%s\", expected %d \"%s\"", (int)st, st == ORR_OK ? "" : orr_error_text(),
                 (int)code, full);
}

/* Real data beside the repository, or in ORRERY_DATA; NULL (skip) when it is not there. */
static inline const char *case_real(char *path, size_t bytes, const char *name)
{
    const char *dir = getenv("ORRERY_DATA");

    snprintf(path, bytes, "%s/%s", dir ? dir : ORRERY_SOURCE_DIR "/../shared/data", name);
    if (access(path, R_OK) == 0) return path;
    print_message("skipped: no %s\n", path);
    return NULL;
}

#endif
