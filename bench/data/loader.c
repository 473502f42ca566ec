/* bench/data/loader.c - random 12 KiB float32 samples a second through orr_loader_next, warm,
 * beside PyTorch's DataLoader over h5py on the very same shard set.
 *
 *   bench_data_loader [ROWS [PYTHON PEER]]      20000 python3 bench/peers/loader.py
 *
 * Repeats take turns (ours with 1 and 2 threads, then the peer with 0 and 2 workers), medians of
 * REPEATS are printed, and the ratio of the best of either side. */
#include "data/loader.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 3072, BATCH = 256, REPEATS = 5, SHARD_ROWS = 4096, EPOCHS = 4 };

static orr_schema schema_of(void)
{
    return (orr_schema){ .x_type = ORR_X_F32,
                         .n_dims = 2,
                         .h = 1,
                         .w = WIDTH,
                         .c = 1,
                         .y_type = ORR_Y_CLASS,
                         .n_classes = 2 };
}

static orr_status write_set(const char *dir, int64_t rows)
{
    orr_schema s = schema_of();
    orr_rows r = { .x = orr_alloc(SHARD_ROWS, orr_schema_x_bytes(&s)),
                   .y = orr_alloc(SHARD_ROWS, 4),
                   .id = orr_alloc(SHARD_ROWS, 8) };
    orr_status st = r.x && r.y && r.id ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "no memory for a shard");
    int number = 0;

    for (int64_t first = 0; st == ORR_OK && first < rows; first += SHARD_ROWS) {
        r.n = rows - first < SHARD_ROWS ? rows - first : SHARD_ROWS;
        for (int64_t i = 0; i < r.n; i++) {
            ((int64_t *)r.id)[i] = first + i;
            for (int k = 0; k < WIDTH; k++)
                ((float *)r.x)[i * WIDTH + k] = (float)(first + i + k);
        }
        st = orr_shard_write(dir, number++, &s, &r, NULL, NULL);
    }
    if (st == ORR_OK) st = orr_index_write(dir, number, &s, NULL);
    orr_free(r.x);
    orr_free(r.y);
    orr_free(r.id);
    return st;
}

/* Samples a second over EPOCHS epochs, the first of them not counted. */
static orr_status run_loader(orr_loader_opts *o, int threads, double *rate)
{
    orr_status st = ORR_OK;
    orr_loader *l = NULL;
    const orr_loaded *b = NULL;
    double begin = 0;
    int64_t n = 0;
    volatile float sum = 0;

    o->threads = threads;
    ORR_TRY(orr_loader_create(&l, o));
    while ((st = orr_loader_next(l, &b)) == ORR_OK && b) {
        if (b->epoch == 1 && begin == 0) begin = orr_now();
        if (b->epoch >= 1) n += b->n;
        sum += b->x[(size_t)b->n * WIDTH - 1];
    }
    *rate = (double)n / (orr_now() - begin);
    orr_loader_destroy(l);
    return st;
}

static double run_peer(const char *python, const char *peer, const char *dir, int workers)
{
    char command[2 * ORR_PATH_MAX];
    double rate = 0;
    FILE *p;

    snprintf(command, sizeof command, "%s %s %s %d %d", python, peer, dir, BATCH, workers);
    if (!(p = popen(command, "r"))) return 0;
    if (fscanf(p, "%lf", &rate) != 1) rate = 0;
    pclose(p);
    return rate;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, REPEATS, sizeof *v, by_value);
    return v[REPEATS / 2];
}

static orr_status measure(const char *dir, const char *python, const char *peer)
{
    orr_status st;
    orr_schema s = schema_of();
    orr_dataset *d = NULL;
    orr_order *order = NULL;
    orr_transform *t = NULL;
    void *cache = NULL;
    double ours[2][REPEATS], theirs[2][REPEATS], o1, o2, p0, p2;

    ORR_TRY_GOTO(st, done, orr_dataset_open(&d, dir, 0));
    if (!(cache = orr_alloc(orr_cache_bytes(d), 1))) {
        st = orr_fail(ORR_ERR_NOMEM, "no memory for the cache");
        goto done;
    }
    o1 = orr_now();
    ORR_TRY_GOTO(st, done, orr_cache_fill(d, cache, 0, 1));
    printf("cache filled at %.2f GB/s (page cache warm)\n",
           1e-9 * (double)orr_cache_bytes(d) / (orr_now() - o1));
    ORR_TRY_GOTO(st, done,
                 orr_order_create(&order, &(orr_order_opts){ .kind = ORR_ORDER_SHUFFLED,
                                                             .n_rows = orr_dataset_rows(d) }));
    ORR_TRY_GOTO(st, done, orr_transform_create(&t, NULL, &s));
    for (int i = 0; i < REPEATS; i++)
        for (int k = 0; k < 2; k++) {
            orr_loader_opts o = { .set = d,
                                  .cache = cache,
                                  .order = order,
                                  .transform = t,
                                  .batch = BATCH,
                                  .n_leaves = 1,
                                  .last_leaf = 1,
                                  .last_epoch = EPOCHS,
                                  .depth = 2 };
            ORR_TRY_GOTO(st, done, run_loader(&o, 1 + k, &ours[k][i]));
            theirs[k][i] = python ? run_peer(python, peer, dir, 2 * k) : 0;
        }
    o1 = median(ours[0]), o2 = median(ours[1]), p0 = median(theirs[0]), p2 = median(theirs[1]);
    printf("orrery  1 thread   %9.0f samples/s (%.2f GB/s)\n", o1, o1 * WIDTH * 4e-9);
    printf("orrery  2 threads  %9.0f samples/s (%.2f GB/s)\n", o2, o2 * WIDTH * 4e-9);
    if (python) {
        printf("pytorch 0 workers  %9.0f samples/s\npytorch 2 workers  %9.0f samples/s\n", p0, p2);
        printf("ratio of the best  %9.1f\n", (o1 > o2 ? o1 : o2) / (p0 > p2 ? p0 : p2));
    }
done:
    orr_free(cache);
    orr_transform_destroy(t);
    orr_order_destroy(order);
    orr_dataset_close(d);
    return st;
}

int main(int argc, char **argv)
{
    char dir[ORR_PATH_MAX];
    const char *base = getenv("TMPDIR");
    long rows = argc > 1 ? strtol(argv[1], NULL, 10) : 20000;
    orr_status st;

#ifndef __OPTIMIZE__
    fprintf(stderr, "this is not an optimised build: its figures mean nothing\n");
#endif
    snprintf(dir, sizeof dir, "%s/orrery-bench-XXXXXX", base ? base : "/tmp");
    if (rows < 1 || !mkdtemp(dir)) return 2;
    st = write_set(dir, rows);
    if (st == ORR_OK) st = measure(dir, argc > 3 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL);
    if (st != ORR_OK) fprintf(stderr, "%s\n", orr_error_text());
    orr_remove_dir(dir);
    return st == ORR_OK ? 0 : 1;
}
