/* tests/data/table_dump.c - prints a table for the Python oracles: one line of text with the
 * schema, one with the names of aux numbers and targets, then x, y, id and aux as bytes.
 * table_dump PARTS_BYTES THREADS BLOCK_ROWS key=value ... (of an import job's input section)
 * A failure prints its sentence to stderr and exits 1. */
#include "core/config.h"
#include "core/memory.h"
#include "data/formats/tables_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static orr_status dump(const orr_table *t, int threads, int64_t block)
{
    const orr_schema *s = orr_table_schema(t);
    int64_t n = orr_table_rows(t);
    size_t xb = orr_schema_x_bytes(s), ib = orr_schema_id_bytes(s);
    size_t yb = s->y_type == ORR_Y_NONE ? 0 : orr_schema_y_bytes(s);
    char *x = orr_alloc((size_t)n, xb), *y = orr_alloc((size_t)n, yb),
         *id = orr_alloc((size_t)n, ib);
    size_t ab = (size_t)s->n_aux * sizeof(float);
    char *aux = orr_alloc((size_t)n, ab + 1);
    orr_status st = x && y && id && aux ? ORR_OK : ORR_ERR_NOMEM;

    for (int64_t at = 0; at < n && st == ORR_OK; at += block) {
        size_t k = (size_t)at;
        orr_rows rows = { .x = x + k * xb,
                          .y = y + k * yb,
                          .id = id + k * ib,
                          .aux = (float *)(void *)(aux + k * ab) };

        st = orr_table_read(t, at, n - at < block ? n - at : block, &rows, threads);
    }
    if (st == ORR_OK) {
        printf("%lld %d %d %d %d %d %d %d %d %d %d", (long long)n, (int)s->x_type, s->n_dims, s->h,
               s->w, s->c, (int)s->y_type, s->n_classes, s->y_width, (int)s->id_type, (int)ib);
        for (int i = 0; i < s->n_classes; i++)
            printf(" [%s]", s->class_names[i]);
        printf("\n");
        for (int i = 0; i < s->n_aux; i++)
            printf("[%s] ", s->aux_names[i]);
        for (int i = 0; i < s->y_width && i < ORR_MAX_TARGET_NAMES; i++)
            printf("<%s> ", s->y_names[i]);
        printf("\n");
        fwrite(x, xb, (size_t)n, stdout);
        fwrite(y, yb ? yb : 1, yb ? (size_t)n : 0, stdout);
        fwrite(id, ib, (size_t)n, stdout);
        fwrite(aux, ab ? ab : 1, ab ? (size_t)n : 0, stdout);
    }
    orr_free(x);
    orr_free(y);
    orr_free(id);
    orr_free(aux);
    return st;
}

int main(int argc, char **argv)
{
    orr_table_opts o = { 0 };
    orr_config *c = NULL;
    orr_table *t = NULL;
    orr_status st;

    if (argc < 5) return 2;
    ORR_TRY_GOTO(st, done, orr_config_empty(&c));
    for (int i = 4; i < argc; i++)
        ORR_TRY_GOTO(st, done, orr_config_set(c, argv[i]));
    ORR_TRY_GOTO(st, done, orr_options_read(&o, orr_table_options, orr_config_root(c), "input"));
    ORR_TRY_GOTO(st, done, orr_table_open_parts(&t, &o, "", (size_t)strtoull(argv[1], NULL, 10)));
    ORR_TRY_GOTO(st, done, orr_table_scan(t));
    ORR_TRY_GOTO(st, done, dump(t, (int)strtol(argv[2], NULL, 10), strtoll(argv[3], NULL, 10)));
done:
    if (st != ORR_OK) fprintf(stderr, "%s\n", orr_error_text());
    orr_table_close(t);
    orr_config_destroy(c);
    return st != ORR_OK;
}
