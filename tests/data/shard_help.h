/* tests/data/shard_help.h - small shard sets for tests, in a folder of their own that is removed
 * afterwards. */
#ifndef ORR_TESTS_DATA_SHARD_HELP_H
#define ORR_TESTS_DATA_SHARD_HELP_H

#include "core/file.h"
#include "core/memory.h"
#include "data/shard.h"

/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define assert_ok(expr) assert_ok_at((expr), __FILE__, __LINE__)
static inline void assert_ok_at(orr_status st, const char *file, int line)
{
    if (st != ORR_OK) {
        print_error("%s (%s)\n", orr_error_text(), orr_error_where());
        _fail(file, line);
    }
}

/* The call fails with this status and a sentence that holds this word. */
#define assert_fails(expr, status, word)                                                           \
    assert_fails_at((expr), (status), (word), __FILE__, __LINE__)
static inline void assert_fails_at(orr_status st, orr_status want, const char *word,
                                   const char *file, int line)
{
    if (st != want || !strstr(orr_error_text(), word)) {
        print_error("status %d, \"%s\"; expected %d with \"%s\"\n", st, orr_error_text(), want,
                    word);
        _fail(file, line);
    }
}

static inline void temp_dir(char dir[ORR_PATH_MAX])
{
    const char *base = getenv("TMPDIR");

    snprintf(dir, ORR_PATH_MAX, "%s/orrery-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(dir));
}

static inline int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

/* dir and all that is in it. */
static inline void remove_tree(const char *dir)
{
    assert_int_equal(nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline orr_schema series_schema(orr_x_type type, int w, int c)
{
    return (orr_schema){ .x_type = type,
                         .n_dims = 2,
                         .h = 1,
                         .w = w,
                         .c = c,
                         .y_type = ORR_Y_CLASS,
                         .n_classes = 3,
                         .id_type = ORR_ID_INT,
                         .class_names = { "quiet", "planet", "binary" },
                         .units = "e-/s" };
}

/* What number k of row `row` is: different everywhere, exact in float32 and (modulo 2048) float16.
 */
static inline float cell(int64_t row, size_t k)
{
    return (float)((row * 131 + (int64_t)k * 7) % 2048);
}

/* Aux number k of row `row`, exact in float32. */
static inline float aux_cell(int64_t row, int k)
{
    return 14 + (float)row / 64 - 100 * (float)k;
}

/* Rows [first, first + n) of the set in memory; ids are 1000 + 3 * row (or "star-<row>"), labels
 * row % 3. */
static inline orr_rows make_rows(const orr_schema *s, int64_t first, int64_t n)
{
    size_t numbers = (size_t)s->h * (size_t)s->w * (size_t)s->c;
    orr_rows r = { .n = n,
                   .x = orr_alloc((size_t)n, orr_schema_x_bytes(s)),
                   .y = orr_alloc((size_t)n, 4 + orr_schema_y_bytes(s)),
                   .id = orr_alloc((size_t)n, orr_schema_id_bytes(s)),
                   .aux = s->n_aux > 0 ? orr_alloc((size_t)n, orr_schema_aux_bytes(s)) : NULL };

    for (int64_t i = 0; i < n; i++) {
        for (size_t k = 0; k < numbers; k++) {
            size_t at = (size_t)i * numbers + k;
            if (s->x_type == ORR_X_F32) ((float *)r.x)[at] = cell(first + i, k);
            if (s->x_type == ORR_X_U8) ((uint8_t *)r.x)[at] = (uint8_t)cell(first + i, k);
            if (s->x_type == ORR_X_F16) ((uint16_t *)r.x)[at] = (uint16_t)(first * 31 + (int64_t)k);
        }
        for (int k = 0; k < s->n_aux; k++)
            r.aux[i * s->n_aux + k] = aux_cell(first + i, k);
        if (s->y_type == ORR_Y_CLASS) ((int32_t *)r.y)[i] = (int32_t)((first + i) % s->n_classes);
        for (int k = 0; s->y_type == ORR_Y_VALUE && k < s->y_width; k++)
            ((float *)r.y)[i * s->y_width + k] = (float)(first + i) + 0.25f * (float)k;
        if (s->id_type == ORR_ID_INT)
            ((int64_t *)r.id)[i] = 1000 + 3 * (first + i);
        else {
            char text[ORR_ID_TEXT_MAX + 1];
            snprintf(text, sizeof text, "star-%lld", (long long)first + i);
            memcpy((char *)r.id + (size_t)i * (size_t)s->id_bytes, text,
                   strnlen(text, (size_t)s->id_bytes));
        }
    }
    return r;
}

static inline void free_rows(orr_rows *r)
{
    orr_free(r->x);
    orr_free(r->y);
    orr_free(r->id);
    orr_free(r->aux);
}

static inline orr_provenance a_provenance(void)
{
    static const char *const inputs[] = { "exoTrain.csv" }, *const sha[] = { "00ff" };

    return (orr_provenance){ "import", "name: test\n", 1, inputs, sha, NULL };
}

/* A whole set of n rows in dir (made anew), `per` rows a shard. */
static inline void write_set(const char *dir, const orr_schema *s, int64_t n, int64_t per,
                             int compression)
{
    orr_provenance p = a_provenance();
    orr_shard_opts o = { compression };
    int number = 0;

    assert_ok(orr_set_create(dir, 0));
    for (int64_t first = 0; first < n; first += per, number++) {
        orr_rows r = make_rows(s, first, n - first < per ? n - first : per);
        assert_ok(orr_shard_write(dir, number, s, &r, &p, &o));
        free_rows(&r);
    }
    assert_ok(orr_index_write(dir, number, s, &p));
}

static inline void in_dir(char out[ORR_PATH_MAX], const char *dir, const char *name)
{
    assert_ok(orr_path_join(out, dir, name));
}

#endif
