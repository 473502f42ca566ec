/* data/formats/id_columns.c - ids of one column or several. */
#include "data/formats/id_columns.h"
#include "core/memory.h"

#include <string.h>

void orr_id_columns_close(orr_id_columns *q)
{
    for (int k = 0; k < q->n; k++)
        if (q->part[k] != q->id) orr_free(q->part[k]);
    orr_free(q->id);
    *q = (orr_id_columns){ 0 };
}

orr_status orr_id_columns_open(orr_id_columns *q, const orr_columns *c, const orr_strings *names,
                               const char *option, int64_t max_rows)
{
    *q = (orr_id_columns){ 0 };
    if (names->n < 1 || names->n > ORR_ID_PARTS)
        return orr_fail(ORR_ERR_OPTION, "%s: %d columns; an id is made of 1 to %d", option,
                        names->n, ORR_ID_PARTS);
    q->id = orr_alloc((size_t)max_rows, sizeof *q->id);
    for (int k = 0; k < names->n; k++) {
        q->part[k] = names->n == 1 ? q->id : orr_alloc((size_t)max_rows, sizeof *q->id);
        q->n = k + 1;
        if (!q->id || !q->part[k])
            return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: %lld ids", option,
                            (long long)max_rows);
        q->request[k] = (orr_column_request){ .type = ORR_VALUE_ID, .values = q->part[k] };
        ORR_TRY(orr_columns_find(c, names->v[k], option, &q->request[k].column));
    }
    return ORR_OK;
}

/* Row i of those that were read; NULL, or why it has no id. */
static const char *join_row(const orr_id_columns *q, int64_t i, int *part)
{
    const char *why = NULL;
    size_t n = 0;

    q->id[i][0] = '\0';
    for (*part = 0; *part < q->n; ++*part)
        if (!q->part[*part][i][0]) return NULL;
    for (*part = 0; *part < q->n && !why; ++*part)
        why = orr_id_join(q->id[i], &n, q->part[*part][i], strlen(q->part[*part][i]));
    --*part;
    return why;
}

orr_status orr_id_columns_join(const orr_id_columns *q, const orr_columns *c, int64_t first,
                               int64_t n)
{
    for (int64_t i = 0; q->n > 1 && i < n; i++) {
        int part;
        const char *why = join_row(q, i, &part);

        if (!why) continue;
        return orr_fail(ORR_ERR_FORMAT, "%s: row %lld: column %s: \"%s\" %s", orr_columns_path(c),
                        (long long)(first + i + 1), orr_columns_name(c, q->request[part].column),
                        q->part[part][i], why);
    }
    return ORR_OK;
}
