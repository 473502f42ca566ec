/* data/formats/fits_table.c - FITS binary tables: cfitsio reads the header, rows are read where
 * they lie.  Source: FITS standard 4.0, section 7.3. */
#include "core/log.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/formats/fits_file.h"
#include "data/formats/format.h"
#include "data/formats/text_value.h"

#include <fitsio.h>
#include <stdio.h>
#include <string.h>

static orr_status fail_fits(const char *path, const char *doing, int status)
{
    char text[FLEN_STATUS], line[FLEN_ERRMSG];

    fits_get_errstatus(status, text);
    while (fits_read_errmsg(line)) { /* cfitsio keeps them for whoever asks */
    }
    return orr_fail(ORR_ERR_FORMAT, "%s: %s: %s (cfitsio %d)", path, doing, text, status);
}

static void name_of(fitsfile *f, char name[FLEN_VALUE])
{
    int status = 0;

    fits_write_errmark();
    *name = '\0';
    if (fits_read_key(f, TSTRING, "EXTNAME", name, NULL, &status)) *name = '\0';
    fits_clear_errmark();
}

/* "an image of 2048 x 1489", "a text table": what an extension holds; "" for nothing. */
static void say_what(fitsfile *f, int type, char *out, size_t bytes)
{
    LONGLONG axes[9] = { 0 };
    int n = 0, status = 0, values = 1;
    size_t used;

    *out = '\0';
    if (type == ASCII_TBL) snprintf(out, bytes, "a table of text (ASCII)");
    if (type != IMAGE_HDU || fits_get_img_dim(f, &n, &status) ||
        fits_get_img_sizell(f, n < 9 ? n : 9, axes, &status))
        return;
    for (int i = 0; i < n && i < 9; i++)
        values &= axes[i] > 0;
    if (n == 0 || !values) return;
    used = (size_t)snprintf(out, bytes, "an image of ");
    for (int i = 0; i < n && i < 9 && used < bytes; i++)
        used += (size_t)snprintf(out + used, bytes - used, "%s%lld", i ? " x " : "",
                                 (long long)axes[i]);
}

/* Is it a table?  An image packed into tiles is kept as one, and cfitsio does not always see it. */
static int is_table(fitsfile *f, int type)
{
    int packed = 0, status = 0;

    if (type != BINARY_TBL) return 0;
    fits_write_errmark();
    if (fits_read_key(f, TLOGICAL, "ZIMAGE", &packed, NULL, &status)) packed = 0;
    fits_clear_errmark();
    return !packed;
}

/* What there is, for the sentence that says the table asked for is not. */
static orr_status fail_no_table(orr_fits_file *f, const char *path, const char *table)
{
    orr_text tables = { .max = 600 }, others = { .max = 600 };
    char name[FLEN_VALUE], what[160];
    orr_status st;

    for (int status = orr_fits_first(f); !status; status = orr_fits_next(f)) {
        int packed = f->type == BINARY_TBL && !is_table(f->hdu, f->type);
        orr_text *list = f->type == BINARY_TBL && !packed ? &tables : &others;

        say_what(f->hdu, f->type, what, sizeof what);
        if (packed) snprintf(what, sizeof what, "an image in tiles");
        name_of(f->hdu, name);
        if (list == &others && !*what) continue;
        orr_text_printf(list, "%s%s%s%d%s%s%s", list->len ? ", " : "", list == &others ? what : "",
                        list == &others ? " in extension " : "", f->number - 1, *name ? " (" : "",
                        name, *name ? ")" : "");
    }
    fits_clear_errmsg();
    if (tables.len == 0)
        st = orr_fail(ORR_ERR_FORMAT,
                      "%s: the FITS file has no binary table, which is what is read here%s%s", path,
                      others.len ? "; it holds " : "", others.s ? others.s : "");
    else
        st = orr_fail(ORR_ERR_OPTION, "%s: no binary table \"%.60s\"; there are: %s%s%s", path,
                      table, tables.s, others.len ? "; and " : "", others.s ? others.s : "");
    orr_text_free(&tables);
    orr_text_free(&others);
    return st;
}

/* Moves to the table that was asked for. */
static orr_status find_table(orr_fits_file *f, const char *path, const char *table)
{
    int wanted = 0;
    int64_t number;

    if (*table && !orr_integer_parse(table, strlen(table), &number))
        wanted = number > 0 && number < 100000 ? (int)number + 1 : -1;
    for (int status = orr_fits_next(f); !status; status = orr_fits_next(f)) {
        char name[FLEN_VALUE];

        if (!is_table(f->hdu, f->type)) continue;
        name_of(f->hdu, name);
        if (!*table || f->number == wanted || (*name && !strcasecmp(name, table))) return ORR_OK;
    }
    fits_clear_errmsg();
    return fail_no_table(f, path, table);
}

/* Type codes of cfitsio, and how values lie in the file. */
static const struct {
    int code;
    orr_field_kind kind;
    orr_elem elem;
    size_t bytes;
    const char *name;
} kinds[] = {
    { TBYTE, ORR_FIELD_NUMBER, ORR_ELEM_U1, 1, "" },
    { TSHORT, ORR_FIELD_NUMBER, ORR_ELEM_I2, 2, "" },
    { TLONG, ORR_FIELD_NUMBER, ORR_ELEM_I4, 4, "" },
    { TINT32BIT, ORR_FIELD_NUMBER, ORR_ELEM_I4, 4, "" },
    { TLONGLONG, ORR_FIELD_NUMBER, ORR_ELEM_I8, 8, "" },
    { TFLOAT, ORR_FIELD_NUMBER, ORR_ELEM_F4, 4, "" },
    { TDOUBLE, ORR_FIELD_NUMBER, ORR_ELEM_F8, 8, "" },
    { TLOGICAL, ORR_FIELD_LOGICAL, ORR_ELEM_U1, 1, "" },
    { TCOMPLEX, ORR_FIELD_OTHER, ORR_ELEM_F4, 8, "complex numbers" },
    { TDBLCOMPLEX, ORR_FIELD_OTHER, ORR_ELEM_F8, 16, "complex numbers" },
};

static void read_null(fitsfile *f, int i, orr_field *out)
{
    char key[FLEN_KEYWORD];
    LONGLONG null = 0;
    int status = 0;

    snprintf(key, sizeof key, "TNULL%d", i + 1);
    fits_write_errmark();
    out->has_null = !fits_read_key(f, TLONGLONG, key, &null, NULL, &status);
    fits_clear_errmark();
    out->null = null;
}

/* A keyword of the table as text, cut to what fits; "" when it is not there. */
static void read_word(fitsfile *f, const char *key, char out[ORR_UNIT_MAX])
{
    char value[FLEN_VALUE] = "";
    int status = 0;

    fits_write_errmark();
    if (fits_read_key(f, TSTRING, key, value, NULL, &status)) *value = '\0';
    fits_clear_errmark();
    snprintf(out, ORR_UNIT_MAX, "%.*s", ORR_UNIT_MAX - 1, value);
}

/* Bytes that column i takes in a row are added to *at. */
static orr_status read_column(fitsfile *f, const char *path, int i, LONGLONG row_bytes,
                              orr_field *out, size_t *at)
{
    char type[FLEN_VALUE], key[FLEN_KEYWORD], form[FLEN_VALUE] = "";
    LONGLONG repeat = 0, width = 0;
    int code = 0, status = 0;
    size_t k = 0;

    fits_get_bcolparmsll(f, i + 1, out->name, NULL, type, &repeat, &out->scale, &out->zero, NULL,
                         NULL, &status);
    fits_get_coltypell(f, i + 1, &code, &repeat, &width, &status);
    snprintf(key, sizeof key, "TFORM%d", i + 1);
    fits_read_key(f, TSTRING, key, form, NULL, &status);
    if (status || repeat < 0) return fail_fits(path, "a column of the table", status);
    if (repeat / 8 > row_bytes) /* bits are the smallest; then no product of it overflows */
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: column %s has %lld values, more than a row of %lld bytes can hold",
                        path, out->name, (long long)repeat, (long long)row_bytes);
    snprintf(key, sizeof key, "TUNIT%d", i + 1);
    read_word(f, key, out->unit);
    out->offset = *at;
    out->count = repeat;
    if (code < 0 || code == TBIT) {
        int is_bits = code == TBIT;

        out->kind = ORR_FIELD_OTHER;
        out->kind_name = is_bits ? "bits" : "of variable length";
        *at += is_bits ? ((size_t)repeat + 7) / 8 : (strchr(form, 'Q') ? 16u : 8u);
        return ORR_OK;
    }
    if (code == TSTRING) {
        out->kind = ORR_FIELD_TEXT8;
        out->elem = ORR_ELEM_TEXT;
        out->bytes = width > 0 ? (size_t)width : 0;
        out->count = width > 0 ? repeat / width : 0;
        *at += (size_t)repeat;
        return ORR_OK;
    }
    while (k < sizeof kinds / sizeof *kinds && kinds[k].code != code)
        k++;
    if (k == sizeof kinds / sizeof *kinds)
        return orr_fail(ORR_ERR_UNSUPPORTED, "%s: column %s has the FITS type %.20s", path,
                        out->name, form);
    out->kind = kinds[k].kind;
    out->elem = kinds[k].elem;
    out->bytes = kinds[k].bytes;
    out->kind_name = kinds[k].name;
    out->swap = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    out->is_scaled = out->scale != 1 || out->zero != 0;
    if (out->kind == ORR_FIELD_NUMBER && out->elem >= ORR_ELEM_I1) read_null(f, i, out);
    *at += (size_t)repeat * out->bytes;
    return ORR_OK;
}

/* The sums that the table notes, over rows and heap.  Programs that edit a file often leave them as
 * they were, so that a wrong one is said and no more. */
static void check_sums(const orr_fits_file *f, const char *path)
{
    orr_fits_sums sums = orr_fits_check_sums(f);

    if (sums.data < 0 || (sums.hdu < 0 && sums.data == 0))
        orr_log0(ORR_WARN, "data",
                 "%s: its table in extension %d does not have the %s it notes: it is damaged, or "
                 "was edited since; fetch the file again if it should be as it was made",
                 path, f->number - 1, sums.data < 0 ? "DATASUM" : "CHECKSUM");
    else if (sums.hdu < 0)
        orr_log0(ORR_WARN, "data",
                 "%s: the header of the table in extension %d was edited since its CHECKSUM was "
                 "noted (its DATASUM is right)",
                 path, f->number - 1);
}

static orr_status read_table(orr_records *r, const orr_fits_file *file, const char *path)
{
    fitsfile *f = file->hdu;
    LONGLONG rows = 0, row_bytes = 0;
    int64_t start = file->data;
    int status = 0, n = 0, cap = 0, packed = 0;
    size_t at = 0;

    fits_get_num_rowsll(f, &rows, &status);
    fits_get_num_cols(f, &n, &status);
    fits_read_key(f, TLONGLONG, "NAXIS1", &row_bytes, NULL, &status);
    if (status) return fail_fits(path, "the header of the table", status);
    fits_read_key(f, TLOGICAL, "ZTABLE", &packed, NULL, &status);
    fits_clear_errmsg();
    if (packed)
        return orr_fail(ORR_ERR_UNSUPPORTED,
                        "%s: the table is packed column by column (ZTABLE); unpack it with funpack",
                        path);
    read_word(f, "RADESYS", r->radesys);
    if (!*r->radesys) read_word(f, "RADECSYS", r->radesys);
    read_word(f, "EQUINOX", r->equinox);
    read_word(f, "EPOCH", r->epoch);
    if (row_bytes <= 0 || (size_t)row_bytes > r->bytes.n)
        return orr_fail(ORR_ERR_FORMAT, "%s: a row of the table has %lld bytes, the file %zu", path,
                        (long long)row_bytes, r->bytes.n);
    for (int i = 0; i < n; i++) {
        orr_field *field;

        ORR_TRY(orr_records_add(r, &field, &cap));
        ORR_TRY(read_column(f, path, i, row_bytes, field, &at));
    }
    if (n == 0 || (size_t)row_bytes != at)
        return orr_fail(ORR_ERR_FORMAT, "%s: the columns take %zu bytes, and a row has %lld", path,
                        at, (long long)row_bytes);
    if (rows <= 0) return orr_fail(ORR_ERR_FORMAT, "%s: the table has no rows", path);
    if ((size_t)start > r->bytes.n || (size_t)rows > (r->bytes.n - (size_t)start) / at)
        return orr_fail(
            ORR_ERR_FORMAT,
            "%s: truncated: %zu bytes, and the table's %lld rows end behind them; fetch "
            "the file again",
            path, r->bytes.n, (long long)rows);
    check_sums(file, path);
    r->data = r->bytes.p + start;
    r->stride = at;
    r->rows = rows;
    return ORR_OK;
}

static orr_status read_header(orr_records *r, const char *path, const char *table)
{
    orr_fits_file f = { .bytes = r->bytes.p, .n = r->bytes.n };
    int status = orr_fits_first(&f);
    orr_status st;

    if (status) return fail_fits(path, "not a FITS file that can be read", status);
    st = find_table(&f, path, table);
    if (st == ORR_OK) st = read_table(r, &f, path);
    orr_fits_close(&f);
    fits_clear_errmsg();
    return st;
}

static int sniff(const orr_bytes *b)
{
    return b->n >= 9 && !memcmp(b->p, "SIMPLE  =", 9);
}

const orr_format orr_format_fits = {
    .name = "fits",
    .endings = (const char *const[]){ ".fits", ".fit", ".fts", NULL },
    .help =
        ".fits, .fit, .fts: a binary table, the first or that of input.table; NAME[0] is the first "
        "value of a column of vectors",
    .sniff = sniff,
    .read_records = read_header,
};
