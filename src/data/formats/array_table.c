/* data/formats/array_table.c - arrays of samples, labels and ids as one table: opening. */
#include "data/formats/array_table.h"
#include "core/file.h"
#include "core/memory.h"

#include <string.h>

typedef orr_status (*opener)(orr_array *a, const char *path, const char *name);

static orr_status open_npy(orr_array *a, const char *path, const char *name)
{
    (void)name;
    return orr_npy_open(a, path);
}

static orr_status open_idx(orr_array *a, const char *path, const char *name)
{
    (void)name;
    return orr_idx_open(a, path);
}

/* ---- opening ---- */

static void close_column(orr_array_column *c)
{
    for (int i = 0; i < c->n; i++)
        orr_array_close(&c->arrays[i]);
    orr_free(c->arrays);
}

static void arrays_destroy(orr_table *t)
{
    orr_arrays *s = (orr_arrays *)t;

    close_column(&s->x);
    close_column(&s->y);
    close_column(&s->id);
    close_column(&s->aux);
    if (s->has_mutex) pthread_mutex_destroy(&s->hdf5);
    orr_table_free(t);
}

/* Opens `name` in each of n files. */
static orr_status open_column(orr_array_column *c, opener open, char *const *paths, int n,
                              const char *name)
{
    if (!(c->arrays = orr_alloc((size_t)n, sizeof *c->arrays)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d arrays", n);
    for (; c->n < n; c->n++) {
        orr_array *a = &c->arrays[c->n];

        ORR_TRY(open(a, paths[c->n], name));
        c->rows += a->dims[0];
    }
    return ORR_OK;
}

/* Another input file, after those that hold x: for labels and ids in files of their own. */
static orr_status add_input(orr_table *t, const char *dir, const char *name)
{
    size_t n = (size_t)t->n_inputs;
    char path[ORR_PATH_MAX];
    char **more;

    ORR_TRY(orr_path_join(path, orr_or(dir, ""), name));
    if (!(more = orr_realloc(t->inputs, n, n + 1, sizeof *more)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: name of input %s", name);
    t->inputs = more;
    if (!(t->inputs[n] = orr_strdup(path)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: name of input %s", name);
    t->n_inputs++;
    return ORR_OK;
}

/* "a.npy, b.npy" in files of their own. */
static orr_status open_files(orr_array_column *c, orr_table *t, opener open, const char *list,
                             const char *dir)
{
    char *copy = orr_strdup(list), *comma;
    int first = t->n_inputs;
    orr_status st = ORR_OK;

    if (!copy) return orr_fail(ORR_ERR_NOMEM, "out of memory: names of files");
    for (char *name = copy; name; name = comma ? comma + 1 : NULL) {
        if ((comma = strchr(name, ','))) *comma = '\0';
        while (*name == ' ')
            name++;
        ORR_TRY_GOTO(st, done, add_input(t, dir, name));
    }
    ORR_TRY_GOTO(st, done, open_column(c, open, t->inputs + first, t->n_inputs - first, NULL));
done:
    orr_free(copy);
    return st;
}

/* Labels or ids: as many rows as x, in memory. */
static orr_status finish_side(orr_array_column *c, const orr_array_column *x, const char *option)
{
    for (int i = 0; i < c->n; i++)
        ORR_TRY(orr_array_load(&c->arrays[i]));
    if (c->rows != x->rows)
        return orr_fail(ORR_ERR_SHAPE, "%s: %lld rows for %s, and %lld samples in %s",
                        c->arrays[0].what, (long long)c->rows, option, (long long)x->rows,
                        x->arrays[0].what);
    return ORR_OK;
}

static orr_status check_label_types(const orr_arrays *s, int64_t width)
{
    for (int i = 0; i < s->y.n; i++) {
        const orr_array *a = &s->y.arrays[i];

        if (a->elem == ORR_ELEM_TEXT)
            return orr_fail(ORR_ERR_UNSUPPORTED, "%s: labels are text; save them as numbers",
                            a->what);
        if (orr_array_row_values(a) != width)
            return orr_fail(ORR_ERR_SHAPE, "%s: %lld labels for each sample, %lld expected",
                            a->what, (long long)orr_array_row_values(a), (long long)width);
    }
    return ORR_OK;
}

static orr_status set_labels(orr_arrays *s, const orr_table_opts *o)
{
    orr_schema *schema = &s->base.schema;
    int64_t width;

    if (s->y.n == 0) return ORR_OK;
    ORR_TRY(finish_side(&s->y, &s->x, "label"));
    s->base.has_label = 1;
    if (!strcmp(orr_or(o->label_kind, "class"), "class")) {
        schema->y_type = ORR_Y_CLASS;
        return check_label_types(s, 1);
    }
    width = orr_array_row_values(&s->y.arrays[0]);
    if (width > 1 << 20)
        return orr_fail(ORR_ERR_SHAPE, "%s: %lld targets for each sample", s->y.arrays[0].what,
                        (long long)width);
    schema->y_type = ORR_Y_VALUE;
    schema->y_width = (int)width;
    return check_label_types(s, width);
}

static orr_status set_aux(orr_arrays *s, const orr_table_opts *o)
{
    int64_t width;

    if (s->aux.n == 0) return orr_table_set_aux_names(&s->base, &o->aux_names);
    ORR_TRY(finish_side(&s->aux, &s->x, "aux"));
    width = orr_array_row_values(&s->aux.arrays[0]);
    ORR_TRY(orr_table_check_aux(width));
    for (int i = 0; i < s->aux.n; i++) {
        const orr_array *a = &s->aux.arrays[i];

        if (a->elem == ORR_ELEM_TEXT)
            return orr_fail(ORR_ERR_UNSUPPORTED, "%s: aux numbers are text; save them as numbers",
                            a->what);
        if (orr_array_row_values(a) != width)
            return orr_fail(ORR_ERR_SHAPE, "%s: %lld aux numbers for each sample, %lld expected",
                            a->what, (long long)orr_array_row_values(a), (long long)width);
    }
    s->base.schema.n_aux = (int)width;
    return orr_table_set_aux_names(&s->base, &o->aux_names);
}

/* What only tables of columns have. */
static orr_status refuse_columns(const orr_table_opts *o, const char *format)
{
    if (o->target.n)
        return orr_fail(ORR_ERR_OPTION, "input.target is for tables of columns (csv, fits, "
                                        "structured npy); give label and label_kind: value");
    if (o->where)
        return orr_fail(ORR_ERR_OPTION,
                        "input.where is for tables of columns (csv, fits, structured npy), and "
                        "these files are %s arrays",
                        format);
    if (o->aux.n > 1)
        return orr_fail(ORR_ERR_OPTION,
                        "input.aux: %d names; for arrays it is one array of k columns", o->aux.n);
    return ORR_OK;
}

static orr_status set_ids(orr_arrays *s)
{
    if (s->id.n == 0) return ORR_OK;
    ORR_TRY(finish_side(&s->id, &s->x, "id"));
    s->base.has_id = 1;
    for (int i = 0; i < s->id.n; i++) {
        const orr_array *a = &s->id.arrays[i];

        if (a->elem < ORR_ELEM_I1)
            return orr_fail(ORR_ERR_UNSUPPORTED, "%s: ids are floats; save them as integers",
                            a->what);
        if (orr_array_row_values(a) != 1)
            return orr_fail(ORR_ERR_SHAPE, "%s: %lld ids for each sample", a->what,
                            (long long)orr_array_row_values(a));
        if ((a->elem == ORR_ELEM_TEXT) != (s->id.arrays[0].elem == ORR_ELEM_TEXT))
            return orr_fail(ORR_ERR_FORMAT, "%s: ids are text in some files and integers in others",
                            a->what);
    }
    return ORR_OK;
}

static orr_status set_axes(orr_arrays *s, const char *axes, const orr_array *a)
{
    int wanted = !strcmp(axes, "auto") ? s->n_axes : (int)strlen(axes);

    if (wanted != s->n_axes)
        return orr_fail(ORR_ERR_SHAPE,
                        "%s: axes %s, and a sample has %d axes; set shape, or axes as they are",
                        a->what, axes, s->n_axes);
    for (int i = 0; i < s->n_axes; i++)
        s->axis[i] = i + 1;
    if (!strcmp(axes, "chw") || !strcmp(axes, "cw")) {
        for (int i = 0; i + 1 < s->n_axes; i++)
            s->axis[i] = i + 2;
        s->axis[s->n_axes - 1] = 1;
    }
    return ORR_OK;
}

static orr_status set_sample(orr_arrays *s, const orr_table_opts *o, int is_idx)
{
    const orr_array *a = &s->x.arrays[0];
    int64_t dims[ORR_ARRAY_DIMS];

    s->n_axes = a->n_dims - 1;
    for (int i = 0; i < s->x.n; i++) {
        const orr_array *b = &s->x.arrays[i];

        if (b->elem == ORR_ELEM_TEXT)
            return orr_fail(ORR_ERR_UNSUPPORTED, "%s: samples are text", b->what);
        if (b->n_dims != a->n_dims ||
            memcmp(b->dims + 1, a->dims + 1, (size_t)s->n_axes * sizeof *a->dims) != 0)
            return orr_fail(ORR_ERR_SHAPE, "%s: samples of another shape than in %s", b->what,
                            a->what);
    }
    ORR_TRY(set_axes(s, orr_or(o->axes, "auto"), a));
    if (o->shape.n)
        return orr_table_set_shape(&s->base, &o->shape, orr_array_row_values(a), a->what);
    for (int i = 0; i < s->n_axes; i++)
        dims[i] = a->dims[s->axis[i]];
    if (s->n_axes == 0) return orr_table_set_dims(&s->base, (int64_t[]){ 1 }, 1, a->what);
    if (is_idx && s->n_axes == 2)
        return orr_table_set_dims(&s->base, (int64_t[]){ dims[0], dims[1], 1 }, 3, a->what);
    return orr_table_set_dims(&s->base, dims, s->n_axes, a->what);
}

static orr_status set_type(orr_arrays *s, const orr_table_opts *o)
{
    int all_u8 = 1;

    for (int i = 0; i < s->x.n; i++)
        all_u8 &= s->x.arrays[i].elem == ORR_ELEM_U1;
    if (all_u8 && !s->base.zscore && !strcmp(orr_or(o->type, "auto"), "auto"))
        s->base.schema.x_type = ORR_X_U8;
    return ORR_OK;
}

/* npz and hdf5: the name of x when none is given. */
static orr_status name_of_x(const char **name, const orr_table_opts *o, const orr_table *t,
                            int is_hdf5)
{
    static const char *const usual[] = { "x", "X", "images", "data", "arr_0", NULL };

    *name = orr_or(o->features, "rest");
    if (strcmp(*name, "rest") != 0) return ORR_OK;
    *name = is_hdf5 ? orr_hdf5_find(t->inputs[0], usual) : orr_npz_find(t->inputs[0], usual);
    if (!*name) *name = "x"; /* opening it says what is wrong, or what there is */
    return ORR_OK;
}

static orr_status open_all(orr_arrays *s, const orr_table_opts *o, const char *dir,
                           const char *format)
{
    static const struct {
        const char *format;
        opener open;
        int named;
    } kinds[] = { { "npy", open_npy, 0 },
                  { "idx", open_idx, 0 },
                  { "npz", orr_npz_open, 1 },
                  { "hdf5", orr_hdf5_open, 1 } };
    const char *sides[] = { orr_or(o->label, ""), orr_or(o->id, ""), o->aux.n ? o->aux.v[0] : "" };
    orr_array_column *columns[] = { &s->y, &s->id, &s->aux };
    const char *name = NULL;
    orr_table *t = &s->base;
    int k = 0, n = t->n_inputs;

    while (strcmp(kinds[k].format, format) != 0)
        k++;
    if (kinds[k].named)
        ORR_TRY(name_of_x(&name, o, t, !strcmp(format, "hdf5")));
    else if (strcmp(orr_or(o->features, "rest"), "rest") != 0)
        return orr_fail(ORR_ERR_OPTION, "input.features: %s files are listed under files", format);
    ORR_TRY(open_column(&s->x, kinds[k].open, t->inputs, n, name));
    for (int i = 0; i < 3; i++)
        if (*sides[i])
            ORR_TRY(kinds[k].named ? open_column(columns[i], kinds[k].open, t->inputs, n, sides[i])
                                   : open_files(columns[i], t, kinds[k].open, sides[i], dir));
    return ORR_OK;
}

static const orr_table_ops arrays_ops = { .name = "arrays",
                                          .read = orr_arrays_read,
                                          .label_range = orr_arrays_label_range,
                                          .destroy = arrays_destroy };

orr_status orr_arrays_open(orr_table **out, const orr_table_opts *o, const char *dir,
                           const char *format)
{
    orr_arrays *s = orr_alloc(1, sizeof *s);
    orr_status st = ORR_OK;

    if (!s) return orr_fail(ORR_ERR_NOMEM, "out of memory: table of arrays");
    ORR_TRY_GOTO(st, done, orr_table_init(&s->base, &arrays_ops, o, dir));
    ORR_TRY_GOTO(st, done, refuse_columns(o, format));
    if (pthread_mutex_init(&s->hdf5, NULL) != 0)
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_INTERNAL, "arrays: no mutex"));
    s->has_mutex = 1;
    ORR_TRY_GOTO(st, done, open_all(s, o, dir, format));
    ORR_TRY_GOTO(st, done, set_sample(s, o, !strcmp(format, "idx")));
    ORR_TRY_GOTO(st, done, set_type(s, o));
    ORR_TRY_GOTO(st, done, set_labels(s, o));
    ORR_TRY_GOTO(st, done, set_ids(s));
    ORR_TRY_GOTO(st, done, set_aux(s, o));
    ORR_TRY_GOTO(st, done, orr_table_set_rows(&s->base, s->x.rows, s->x.rows));
    *out = &s->base;
    s = NULL;
done:
    if (s) arrays_destroy(&s->base);
    return st;
}
