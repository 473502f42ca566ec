/* bench/data/csv_import.c - a survey's csv becomes a shard of float32: scan, parse, store; and the
 * parsers alone.
 *
 *   bench_data_csv_import FOLDER [threads=2] [repeats=5]
 *
 * FOLDER/train.csv is read (5087 synthetic light curves of 3197 samples are made when it is not
 * there) and FOLDER/set/ is written anew each time.  One CSV line a repeat: rows, bytes, seconds of
 * scan, parse and store, GB/s of parsing. bench/peers/csv_import.py does the same work with pandas,
 * beside this, and prints the ratio. */
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/threads.h"
#include "data/formats/table.h"
#include "data/synth/synth.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    double scan, parse, store;
    int64_t rows;
} times;

static orr_status scan(orr_table *t, int threads)
{
    int n = orr_table_n_parts(t);
    orr_scan *parts = orr_alloc((size_t)n, sizeof *parts);
    orr_status st = parts ? ORR_OK : ORR_ERR_NOMEM;
    int32_t max_label = 0;
    int max_id_bytes = 0;

    (void)threads;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int i = 0; i < n; i++)
        if (st == ORR_OK && orr_table_scan_part(t, i, &parts[i]) != ORR_OK) st = ORR_ERR_FORMAT;
    if (st == ORR_OK) st = orr_table_scan_end(t, parts);
    if (st == ORR_OK)
        st = orr_table_label_range(t, 0, orr_table_rows(t), &max_label, &max_id_bytes);
    if (st == ORR_OK) st = orr_table_set_label_range(t, max_label, max_id_bytes);
    orr_free(parts);
    return st;
}

static orr_status import(times *out, const char *folder, int threads)
{
    orr_table_opts o = { .files = { 1, { "train.csv" } },
                         .label = "LABEL",
                         .classes = { 2, { "1", "2" } } };
    orr_provenance p = { .command = "bench", .job = "" };
    orr_shard_opts so = { 0 };
    orr_rows rows = { 0 };
    orr_table *t = NULL;
    char set[ORR_PATH_MAX];
    orr_status st = ORR_OK;
    double t0 = orr_now(), t1, t2;
    const orr_schema *s;

    ORR_TRY_GOTO(st, done, orr_path_join(set, folder, "set"));
    if (orr_path_exists(set)) ORR_TRY_GOTO(st, done, orr_remove_dir(set));
    ORR_TRY_GOTO(st, done, orr_make_dirs(set));
    ORR_TRY_GOTO(st, done, orr_table_open(&t, &o, folder));
    ORR_TRY_GOTO(st, done, scan(t, threads));
    t1 = orr_now();
    s = orr_table_schema(t);
    out->rows = orr_table_rows(t);
    rows.x = orr_alloc((size_t)out->rows, orr_schema_x_bytes(s));
    rows.y = orr_alloc((size_t)out->rows, orr_schema_y_bytes(s));
    rows.id = orr_alloc((size_t)out->rows, orr_schema_id_bytes(s));
    if (!rows.x || !rows.y || !rows.id)
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "out of memory: rows"));
    ORR_TRY_GOTO(st, done, orr_table_read(t, 0, out->rows, &rows, threads));
    t2 = orr_now();
    ORR_TRY_GOTO(st, done, orr_shard_write(set, 0, s, &rows, &p, &so));
    *out = (times){ t1 - t0, t2 - t1, orr_now() - t2, out->rows };
done:
    orr_table_close(t);
    orr_free(rows.x);
    orr_free(rows.y);
    orr_free(rows.id);
    return st;
}

static orr_status prepare(const char *folder, int64_t *bytes)
{
    orr_synth_kepler_opts o = {
        .out = folder, .stars = 5087, .samples = 3197, .positives = 0.00727
    };
    char path[ORR_PATH_MAX];
    struct stat st;

    ORR_TRY(orr_path_join(path, folder, "train.csv"));
    if (!orr_path_exists(path)) ORR_TRY(orr_synth_kepler(&o));
    if (stat(path, &st) != 0) return orr_fail(ORR_ERR_IO, "%s", path);
    *bytes = st.st_size;
    return ORR_OK;
}

int main(int argc, char **argv)
{
    int64_t threads = 2, repeats = 5, bytes = 0;
    orr_status st =
        argc < 2 ? orr_fail(ORR_ERR_ARG, "usage: bench_data_csv_import FOLDER [threads] [repeats]")
                 : ORR_OK;

    if (st == ORR_OK && argc > 2) st = orr_parse_int64(&threads, argv[2]);
    if (st == ORR_OK && argc > 3) st = orr_parse_int64(&repeats, argv[3]);
    if (st == ORR_OK) st = prepare(argv[1], &bytes);
    if (st == ORR_OK) printf("threads,rows,bytes,scan_s,parse_s,store_s,total_s,parse_gb_s\n");
    for (int64_t i = 0; i < repeats && st == ORR_OK; i++) {
        times t = { 0 };

        st = import(&t, argv[1], (int)threads);
        if (st != ORR_OK) break;
        printf("%lld,%lld,%lld,%.4f,%.4f,%.4f,%.4f,%.3f\n", (long long)threads, (long long)t.rows,
               (long long)bytes, t.scan, t.parse, t.store, t.scan + t.parse + t.store,
               (double)bytes / t.parse / 1e9);
        fflush(stdout);
    }
    if (st != ORR_OK) fprintf(stderr, "%s\n", orr_error_text());
    return st != ORR_OK;
}
