/* tests/nn/cases.c - reads cases, writes arrays. */
#include "cases.h"

#include "core/memory.h"
#include "core/status.h"

#include <string.h>

static int read_all(FILE *in, void *p, size_t size, int64_t n)
{
    return n == 0 || (n > 0 && fread(p, size, (size_t)n, in) == (size_t)n);
}

int case_read(FILE *in, test_case *c)
{
    memset(c, 0, sizeof *c);
    if (!read_all(in, c->op, 1, sizeof c->op) || c->op[sizeof c->op - 1] != 0) return 0;
    if (!read_all(in, &c->n_ints, sizeof(int64_t), 3)) return 0;
    if (c->n_ints > CASE_INTS || c->n_reals > CASE_REALS || c->n_arrays > CASE_ARRAYS) return 0;
    if (!read_all(in, c->i, sizeof *c->i, c->n_ints) ||
        !read_all(in, c->r, sizeof *c->r, c->n_reals))
        return 0;
    for (int j = 0; j < c->n_arrays; j++) {
        if (read_all(in, &c->len[j], sizeof(int64_t), 1) && c->len[j] >= 0 &&
            (c->a[j] = orr_alloc((size_t)c->len[j], sizeof(double))) &&
            read_all(in, c->a[j], sizeof(double), c->len[j]))
            continue;
        case_free(c);
        return 0;
    }
    return 1;
}

void case_free(test_case *c)
{
    for (int j = 0; j < CASE_ARRAYS; j++)
        orr_free(c->a[j]);
}

int case_write(FILE *out, const double *x, size_t n)
{
    int64_t count = (int64_t)n;

    return fwrite(&count, sizeof count, 1, out) == 1 && fwrite(x, sizeof *x, n, out) == n;
}

int case_main(int argc, char **argv, int (*answer)(const test_case *c, FILE *out))
{
    test_case c;
    int ok = 1;

    if (argc < 3) {
        fprintf(stderr, "usage: %s CASES ANSWERS [...]\n", argv[0]);
        return 2;
    }
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
    if (!in || !out) {
        fprintf(stderr, "cannot open %s or %s\n", argv[1], argv[2]);
        ok = 0;
    }
    while (ok && case_read(in, &c)) {
        ok = answer(&c, out);
        if (!ok) fprintf(stderr, "%s: %s\n", c.op, orr_error_text());
        case_free(&c);
    }
    if (in) fclose(in);
    if (out && fclose(out) != 0) ok = 0;
    return ok ? 0 : 1;
}
