/* data/shard.h - shard files and shard sets: how samples lie on disk.
 *
 * A shard set is a folder of shard-00000.h5, shard-00001.h5, ... and index.h5
 * (docs/formats.md).  A shard ("orrery-shard-1") holds datasets /x (n, shape...) float32 |
 * float16 | uint8, channels last; /y (n) int32 class labels, or (n) or (n, k) float32 targets,
 * or absent; /id (n) int64 or fixed-length string; optional /aux (n, k) float32, numbers beside a
 * sample (magnitudes, E(B-V)).  Contiguous unless compression is asked for.  Attributes of the
 * root: format, axes, channel names or feature names, class names, target names (y_names) and what
 * targets are, aux names, units, provenance (command, version, inputs with sha256). index.h5 holds
 * the manifest (/shards: file, rows, bytes, sha256) and virtual datasets /x /y /id /aux over all
 * shards, so h5py.File("index.h5")["x"] reads the whole set.
 *
 * Shards are written as .tmp and renamed when complete; the index is written last, so a folder with
 * an index is a whole set.  Which rows go to which shard depends on the schema's rows_per_shard
 * alone; bytes on disk do not depend on ranks, time of day or host (no HDF5 timestamps).
 * Not collective: jobs deals shards to ranks.
 *
 * Errors: ORR_ERR_IO (disk full included: the .tmp is removed), ORR_ERR_FORMAT naming file and what
 * is wrong (foreign HDF5, truncated, sha256 that differs), ORR_ERR_EXISTS. */
#ifndef ORR_DATA_SHARD_H
#define ORR_DATA_SHARD_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { ORR_X_F32, ORR_X_F16, ORR_X_U8 } orr_x_type;
typedef enum { ORR_Y_NONE, ORR_Y_CLASS, ORR_Y_VALUE } orr_y_type;
typedef enum { ORR_ID_INT, ORR_ID_TEXT } orr_id_type;
/* What a target is, as whoever made the set has said: metrics of redshifts are of such alone. */
typedef enum { ORR_TARGET_UNSAID, ORR_TARGET_VALUE, ORR_TARGET_REDSHIFT } orr_target_kind;

enum {
    ORR_MAX_CLASSES = 1000,
    ORR_MAX_CHANNELS = 64,
    ORR_MAX_AUX = 64,
    ORR_MAX_TARGETS = 65536, /* numbers of a sample */
    ORR_MAX_TARGET_NAMES = 16,
    ORR_DATA_NAME_MAX = 64,
    ORR_FEATURE_NAMES_MAX = 60000, /* bytes; a text attribute holds less than 64 KiB */
    ORR_ID_TEXT_MAX = 64
};

/* What all samples of a set have in common.  A value; copy it freely. */
typedef struct orr_schema {
    orr_x_type x_type;
    int n_dims;  /* of one sample as stored: 1 (c), 2 (w, c) or 3 (h, w, c) */
    int h, w, c; /* of one sample; h = 1 for series, h = w = 1 for vectors */
    orr_y_type y_type;
    int n_classes; /* ORR_Y_CLASS */
    int y_width;   /* ORR_Y_VALUE: numbers a target has, >= 1 */
    orr_id_type id_type;
    int id_bytes;  /* ORR_ID_TEXT: fixed length, zero padded */
    int id_is_row; /* ids are row numbers, not names from the survey (stored as attribute id_source:
                      "row" or "column") */
    char class_names[ORR_MAX_CLASSES][ORR_DATA_NAME_MAX]; /* "" = its number */
    char channel_names[ORR_MAX_CHANNELS][ORR_DATA_NAME_MAX];
    /* What the numbers of a sample are called, in their order, a line each ("u\ng\nr"), where
     * channel_names cannot say it: numbers from columns that are no vector of ORR_MAX_CHANNELS or
     * fewer.  Names that are too long for it in all are known by "sha256:..." of them alone; "" =
     * they have none. */
    char feature_names[ORR_FEATURE_NAMES_MAX];
    char units[ORR_DATA_NAME_MAX];
    int n_aux; /* numbers beside a sample; 0 = none */
    char aux_names[ORR_MAX_AUX][ORR_DATA_NAME_MAX];
    /* ORR_Y_VALUE: of the first targets; "" = its number */
    char y_names[ORR_MAX_TARGET_NAMES][ORR_DATA_NAME_MAX];
    char y_units[ORR_MAX_TARGET_NAMES][ORR_DATA_NAME_MAX]; /* "" = not known */
    /* What was taken off them (input.shift); their names end in it ("BJD-2454833"), and answers get
     * it back.  0 = nothing. */
    double y_shift[ORR_MAX_TARGET_NAMES];
    orr_target_kind target_kind; /* ORR_Y_VALUE */
} orr_schema;

size_t orr_schema_x_bytes(const orr_schema *s);   /* of one sample */
size_t orr_schema_y_bytes(const orr_schema *s);   /* int32 or y_width float32 */
size_t orr_schema_id_bytes(const orr_schema *s);  /* 8 or id_bytes */
size_t orr_schema_aux_bytes(const orr_schema *s); /* n_aux float32; 0 without */
int64_t orr_schema_numbers(const orr_schema *s);  /* of one sample: h w c */
/* Names the numbers of a sample, in channel_names where they fit: name(ctx, i, buf, bytes) gives
 * that of number i.  A name is cut to what the schema holds; control characters become blanks.
 * ORR_ERR_NOMEM, ORR_ERR_ARG. */
orr_status orr_schema_name_features(orr_schema *s,
                                    const char *(*name)(const void *ctx, int64_t i, char *buf,
                                                        size_t bytes),
                                    const void *ctx);
/* What number k of a sample is called: "u", or "number 3" where it has no name. */
void orr_schema_number_name(const orr_schema *s, int64_t k, char *buf, size_t bytes);
/* What target k is called where its answers are in its own origin again: "BJD", not "BJD-2454833";
 * "" when it has no name. */
const char *orr_schema_target_name(const orr_schema *s, int k, char *buf, size_t bytes);
/* What was taken off target k, and whether anything was taken off any. */
double orr_schema_target_shift(const orr_schema *s, int k);
int orr_schema_is_shifted(const orr_schema *s);
/* How a shift stands at the end of a name: "-2454833"; "" for 0. */
const char *orr_shift_suffix(double shift, char buf[32]);
/* "redshift", "value", "" when nobody has said it; and the kind of a word, which is one of these.
 */
const char *orr_target_kind_name(orr_target_kind kind);
orr_target_kind orr_target_kind_of(const char *word);
/* Rows so that a shard holds about mib mebibytes of x; at least 1. */
int64_t orr_schema_rows_per_shard(const orr_schema *s, double mib);

/* Where a set came from: written into every shard and the index. */
typedef struct orr_provenance {
    const char *command; /* "import" */
    const char *job;     /* the resolved job file, YAML */
    int n_inputs;
    const char *const *inputs;       /* file names */
    const char *const *input_sha256; /* hex */
    const char *features;            /* columns that nobody named one by one; NULL: all were */
} orr_provenance;

typedef struct orr_shard_opts {
    int compression; /* 0 = contiguous; 1..9 = chunked (about 1 MiB) with shuffle and deflate */
} orr_shard_opts;

/* Rows in memory, as a shard stores them: x[n][x_bytes], y[n][y_bytes], id[n][id_bytes],
 * aux[n][n_aux]. */
typedef struct orr_rows {
    int64_t n;
    void *x, *y, *id;
    float *aux;          /* NULL when the schema has none (reading: when it is not wanted) */
    unsigned char *gaps; /* tables only (data/formats/table.h): [n], 1 where a value of the row is
                            none; NULL = not wanted */
} orr_rows;

/* Zeroed room for n rows of the schema; n is not set.  ORR_ERR_NOMEM: nothing is held. */
orr_status orr_rows_alloc(orr_rows *rows, const orr_schema *s, int64_t n);
void orr_rows_free(orr_rows *rows); /* all zero is fine, and what it is afterwards */
/* Writes shard number `number` of the set in dir, under its final name only when it is whole and
 * synced.  Takes the room first (posix file systems that can), so a full disk is met before a byte
 * is written.  ORR_ERR_FORMAT: a label outside its range.  The process should ignore SIGXFSZ where
 * file sizes are limited. */
orr_status orr_shard_write(const char *dir, int number, const orr_schema *s, const orr_rows *rows,
                           const orr_provenance *p, const orr_shard_opts *o);
/* Writes dir/index.h5 over n_shards shards that are there (opens and hashes each): checks that
 * schemas agree and that ids are unique in the set (ORR_ERR_FORMAT names the id and both rows). */
orr_status orr_index_write(const char *dir, int n_shards, const orr_schema *s,
                           const orr_provenance *p);
/* Makes dir for a new set: ORR_ERR_EXISTS when it holds an index (or anything else, unless it is an
 * unfinished set and overwrite is set: then its shards are removed). */
orr_status orr_set_create(const char *dir, int overwrite);
/* Removes the files of a set from dir; ORR_ERR_EXISTS, and nothing is removed, when it holds
 * others.
 */
orr_status orr_set_clear(const char *dir);
/* May a set appear under path?  ORR_ERR_EXISTS unless nothing is there, or an empty folder, or
 * (overwrite) a folder that holds a set and nothing else. */
orr_status orr_set_check_output(const char *path, int overwrite);
/* Gives the finished set in folder tmp the name path, in one rename; a set that was there
 * (overwrite) goes. */
orr_status orr_set_publish(const char *tmp, const char *path, int overwrite);

/* ---- one shard alone, without an index: how an unfinished set is gone on with ---- */
/* ORR_ERR_FORMAT unless it is whole and of schema s (names and units aside). */
orr_status orr_shard_rows(const char *path, const orr_schema *s, int64_t *rows);
/* Rows [first, first + n) into the members of rows that are not NULL; sets rows->n.  ORR_ERR_ARG:
 * the shard has no such rows. */
orr_status orr_shard_read(const char *path, const orr_schema *s, int64_t first, int64_t n,
                          orr_rows *rows);

/* ---- reading ---- */
typedef struct orr_dataset orr_dataset;

/* path: the folder, or its index.h5.  Reads manifest, schema, all labels and ids (not x).  With
 * verify, hashes every shard against the manifest. */
orr_status orr_dataset_open(orr_dataset **out, const char *path, int verify);
void orr_dataset_close(orr_dataset *d);
const orr_schema *orr_dataset_schema(const orr_dataset *d);
const char *orr_dataset_path(const orr_dataset *d);
int64_t orr_dataset_rows(const orr_dataset *d);
int orr_dataset_n_shards(const orr_dataset *d);
const int32_t *orr_dataset_labels(const orr_dataset *d); /* rows; NULL unless ORR_Y_CLASS */
const float *orr_dataset_values(const orr_dataset *d); /* rows * y_width; NULL unless ORR_Y_VALUE */
const float *orr_dataset_aux(const orr_dataset *d);    /* rows * n_aux; NULL without */
/* 64-bit key of each row's id, for random streams: the integer itself, or the first 16 hexadecimal
 * digits of the text's sha256. */
const uint64_t *orr_dataset_keys(const orr_dataset *d);
/* The id of a row as text into buf (ORR_ID_TEXT_MAX + 1 bytes are enough). */
void orr_dataset_id(const orr_dataset *d, int64_t row, char *buf, size_t bytes);
const char *orr_dataset_provenance(const orr_dataset *d); /* JSON text */
/* Rows [first, first + n) of x as stored, in large sequential reads, crossing shards.  Thread-safe
 * for one reader. */
orr_status orr_dataset_read_x(orr_dataset *d, int64_t first, int64_t n, void *x);

#ifdef __cplusplus
}
#endif
#endif
