/* bench/data/crop.c - one field from packed frames to cubes, beside what libbz2 alone needs for it.
 *
 *   bench_data_crop OBJECTS.csv N REPEATS OUT.h5 FRAME.bz2 ...
 *
 * OBJECTS.csv has columns objid, ra, dec, ...; N of them, spread over the file, are taken (0: all).
 * Each repeat runs these, one after the other:
 *   libbz2  every frame, already in memory, from its first byte to its last into one buffer, and
 *           nothing else
 *   crop    frames read from disk and opened, sky to pixel, stamps of 32 x 32 in every band
 *   write   the cubes into one HDF5 file
 * Processor seconds of the one thread, medians, one CSV line; ratio = libbz2 / crop.
 * bench/peers/crop.py does the same work in Python, beside this. */
#include "core/file.h"
#include "core/memory.h"
#include "data/survey/cutout.h"

#include <bzlib.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIZE = 32, MAX_BANDS = 8, MAX_REPEATS = 99, IMAGE_MAX = 64 << 20 };

typedef struct {
    int n, n_bands;
    char *const *paths;
    double *ra, *dec;
    char *bytes[MAX_BANDS]; /* packed, for libbz2 alone */
    size_t n_bytes[MAX_BANDS];
    char *image;
    float *cubes;
    orr_band_result *results;
    size_t whole, unpacked; /* bytes of all frames, and how many of them crop unpacked */
    int64_t aside;
} work;

static double processor_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static orr_status read_objects(work *w, const char *path, int n)
{
    orr_status st = ORR_OK;
    char *text = NULL, *line;
    size_t bytes;
    int rows = 0;

    ORR_TRY(orr_read_file(&text, &bytes, path, IMAGE_MAX));
    for (char *p = strchr(text, '\n'); p && p[1]; p = strchr(p + 1, '\n'))
        rows++;
    w->ra = orr_alloc((size_t)rows + 1, sizeof *w->ra);
    w->dec = orr_alloc((size_t)rows + 1, sizeof *w->dec);
    if (!w->ra || !w->dec) ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "positions"));
    if (n < 1 || n > rows) n = rows;
    line = strchr(text, '\n');
    for (int row = 0; row < rows; row++, line = strchr(line + 1, '\n')) {
        char *at = strchr(line, ',');

        if ((int64_t)row * n / rows + 1 != ((int64_t)row + 1) * n / rows) continue;
        if (!at) ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_FORMAT, "%s: row %d", path, row));
        w->ra[w->n] = strtod(at + 1, &at);
        w->dec[w->n++] = strtod(at + 1, NULL);
    }
done:
    orr_free(text);
    return st;
}

static orr_status libbz2(work *w)
{
    w->whole = 0;
    for (int b = 0; b < w->n_bands; b++) {
        bz_stream s = { .next_in = w->bytes[b], .avail_in = (unsigned)w->n_bytes[b] };
        int r = BZ2_bzDecompressInit(&s, 0, 0);

        s.next_out = w->image;
        s.avail_out = IMAGE_MAX;
        if (r == BZ_OK) r = BZ2_bzDecompress(&s);
        w->whole += IMAGE_MAX - s.avail_out;
        BZ2_bzDecompressEnd(&s);
        if (r != BZ_STREAM_END) return orr_fail(ORR_ERR_FORMAT, "%s: bzip2 %d", w->paths[b], r);
    }
    return ORR_OK;
}

static orr_status crop(work *w)
{
    const orr_cutout_opts o = { .size = SIZE, .edge = "clamp", .nan = "drop" };
    orr_status st = ORR_OK;

    w->unpacked = 0;
    w->aside = 0;
    for (int b = 0; b < w->n_bands && st == ORR_OK; b++) {
        orr_frame *f = NULL;
        char *bytes = NULL;
        size_t n;

        st = orr_read_file(&bytes, &n, w->paths[b], IMAGE_MAX);
        if (st == ORR_OK) st = orr_frame_open(&f, bytes, n, NULL, w->paths[b]);
        if (st == ORR_OK)
            st = orr_cutout_band(&o, f, w->n, w->ra, w->dec, b, w->n_bands, w->cubes, w->results);
        if (st == ORR_OK) w->unpacked += orr_frame_unpacked(f);
        for (int i = 0; st == ORR_OK && i < w->n; i++)
            w->aside += w->results[i].aside;
        orr_frame_close(f);
        orr_free(bytes);
    }
    return st;
}

static orr_status write_cubes(const work *w, const char *path)
{
    hsize_t shape[4] = { (hsize_t)w->n, SIZE, SIZE, (hsize_t)w->n_bands };
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(4, shape, NULL);
    hid_t data =
        H5Dcreate2(file, "x", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    herr_t e = H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, w->cubes);

    H5Dclose(data);
    H5Sclose(space);
    if (H5Fclose(file) < 0 || e < 0) return orr_fail(ORR_ERR_IO, "%s: not written", path);
    return ORR_OK;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_size);
    return v[n / 2];
}

static orr_status measure(work *w, int repeats, const char *out)
{
    double t[3][MAX_REPEATS], bare, ours;

    for (int i = 0; i < repeats; i++) {
        double t0 = processor_seconds(), t1, t2;

        ORR_TRY(libbz2(w));
        t1 = processor_seconds();
        ORR_TRY(crop(w));
        t2 = processor_seconds();
        ORR_TRY(write_cubes(w, out));
        t[0][i] = t1 - t0;
        t[1][i] = t2 - t1;
        t[2][i] = processor_seconds() - t2;
    }
    bare = median(t[0], repeats);
    ours = median(t[1], repeats);
    printf("objects,stamps_aside,frames,bytes,unpacked,libbz2_s,crop_s,write_s,ratio\n");
    printf("%d,%lld,%d,%zu,%zu,%.4f,%.4f,%.4f,%.3f\n", w->n, (long long)w->aside, w->n_bands,
           w->whole, w->unpacked, bare, ours, median(t[2], repeats), bare / ours);
    return ORR_OK;
}

int main(int argc, char **argv)
{
    work w = { .n_bands = argc - 5, .paths = argv + 5 };
    int64_t n = 0, repeats = 0;
    orr_status st = ORR_OK;

    if (argc < 6 || w.n_bands > MAX_BANDS || orr_parse_int64(&n, argv[2]) != ORR_OK ||
        orr_parse_int64(&repeats, argv[3]) != ORR_OK || repeats < 1 || repeats > MAX_REPEATS) {
        fprintf(stderr, "usage: %s OBJECTS.csv N REPEATS OUT.h5 FRAME.bz2 ...\n", argv[0]);
        return 2;
    }
    ORR_TRY_GOTO(st, done, read_objects(&w, argv[1], (int)n));
    for (int b = 0; b < w.n_bands; b++)
        ORR_TRY_GOTO(st, done, orr_read_file(&w.bytes[b], &w.n_bytes[b], w.paths[b], IMAGE_MAX));
    w.image = orr_alloc(IMAGE_MAX, 1);
    w.results = orr_alloc((size_t)w.n, sizeof *w.results);
    w.cubes = orr_alloc((size_t)w.n * SIZE * SIZE * (size_t)w.n_bands, sizeof *w.cubes);
    if (!w.image || !w.results || !w.cubes)
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "cubes"));
    ORR_TRY_GOTO(st, done, measure(&w, (int)repeats, argv[4]));
done:
    if (st != ORR_OK) fprintf(stderr, "%s\n", orr_error_text());
    for (int b = 0; b < w.n_bands && b < MAX_BANDS; b++)
        orr_free(w.bytes[b]);
    orr_free(w.image);
    orr_free(w.results);
    orr_free(w.cubes);
    orr_free(w.ra);
    orr_free(w.dec);
    return st != ORR_OK;
}
