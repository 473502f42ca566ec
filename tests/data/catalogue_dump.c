/* tests/data/catalogue_dump.c - builds a plan file and prints all of it for the Python oracle.
 * catalogue_dump PLAN MAX_OBJECTS MAX_FIELDS URL key=value ... (of the catalogue section)
 * URL: the archive's template, which says the fields; "" = the default.
 * A failure prints its sentence to stderr and exits 1. */
#include "core/config.h"
#include "core/memory.h"
#include "data/survey/archive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static orr_status print_aside(void *ctx, int64_t row, const char *id, const char *reason)
{
    (void)ctx;
    printf("aside\t%" PRId64 "\t%s\t%s\n", row, id, reason);
    return ORR_OK;
}

static orr_status print_objects(orr_catalogue *c, const orr_schema *s, int64_t first, int64_t n)
{
    orr_survey_object *o = orr_alloc((size_t)n, sizeof *o);
    orr_status st = o ? orr_catalogue_objects(c, first, n, o) : ORR_ERR_NOMEM;

    for (int64_t i = 0; st == ORR_OK && i < n; i++) {
        printf("object\t%" PRId64 "\t%" PRId64 "\t%s\t%a\t%a\t%d", o[i].row, o[i].id, o[i].id_text,
               o[i].ra, o[i].dec, (int)o[i].label);
        for (int k = 0; k < s->y_width && s->y_type == ORR_Y_VALUE; k++)
            printf("\t%a", (double)o[i].y[k]);
        for (int k = 0; k < s->n_aux; k++)
            printf("\t%a", (double)o[i].aux[k]);
        printf("\n");
    }
    orr_free(o);
    return st;
}

static orr_status dump(const char *plan, const orr_archive *a)
{
    orr_catalogue *c = NULL;
    orr_catalogue_counts n;
    static orr_schema s;
    orr_status st;

    ORR_TRY_GOTO(st, done, orr_catalogue_open(&c, plan));
    n = orr_catalogue_count(c);
    orr_catalogue_schema(c, &s);
    printf("counts\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\n",
           n.rows, n.objects, n.merged, n.aside, n.fields, n.parts);
    printf("identity\t%s\nschema\t%d\t%d\t%d\t%d\t%d\t%d\n", orr_catalogue_identity(c),
           (int)s.y_type, s.n_classes, s.y_width, (int)s.id_type, s.id_bytes, s.n_aux);
    for (int64_t p = 0; p < n.parts; p++) {
        int64_t first, count;

        ORR_TRY_GOTO(st, done, orr_catalogue_part(c, p, &first, &count));
        printf("part\t%" PRId64 "\t%" PRId64 "\n", first, count);
    }
    for (int64_t i = 0; i < n.fields; i++) {
        orr_survey_field f;
        char url[ORR_URL_MAX];

        ORR_TRY_GOTO(st, done, orr_catalogue_field(c, i, &f));
        ORR_TRY_GOTO(st, done, orr_archive_url(a, 0, &f, "r", url));
        printf("field\t%" PRId64 "\t%" PRId64 "\t%s\n", f.first_object, f.n_objects, url);
        ORR_TRY_GOTO(st, done, print_objects(c, &s, f.first_object, f.n_objects));
    }
    ORR_TRY_GOTO(st, done, orr_catalogue_aside(c, print_aside, NULL));
done:
    orr_catalogue_close(c);
    return st;
}

int main(int argc, char **argv)
{
    orr_catalogue_opts o = { 0 };
    orr_archive_opts ao = { 0 };
    orr_archive *a = NULL;
    orr_config *c = NULL;
    orr_status st;

    if (argc < 5) return 2;
    ORR_TRY_GOTO(st, done, orr_config_empty(&c));
    for (int i = 5; i < argc; i++)
        ORR_TRY_GOTO(st, done, orr_config_set(c, argv[i]));
    ORR_TRY_GOTO(st, done,
                 orr_options_read(&o, orr_catalogue_options, orr_config_root(c), "catalogue"));
    ORR_TRY_GOTO(st, done, orr_options_read(&ao, orr_archive_options, NULL, "archive"));
    if (*argv[4]) ao.url = argv[4];
    ORR_TRY_GOTO(st, done, orr_archive_create(&a, &ao));
    ORR_TRY_GOTO(st, done,
                 orr_catalogue_build(argv[1], &o, orr_archive_fields(a),
                                     orr_archive_field_is_int(a), orr_archive_n_fields(a),
                                     strtoll(argv[2], NULL, 10), strtoll(argv[3], NULL, 10)));
    ORR_TRY_GOTO(st, done, dump(argv[1], a));
done:
    if (st != ORR_OK) fprintf(stderr, "%s\n", orr_error_text());
    orr_archive_destroy(a);
    orr_config_destroy(c);
    return st != ORR_OK;
}
