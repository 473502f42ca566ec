/* tests/nn/cases.h - what the oracle scripts ask the dump_* programs, and the answers: see
 * cases.py. */
#ifndef ORR_TESTS_NN_CASES_H
#define ORR_TESTS_NN_CASES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CASE_INTS = 128, CASE_REALS = 64, CASE_ARRAYS = 8 };

typedef struct test_case {
    char op[32];
    int64_t n_ints, n_reals, n_arrays;
    int64_t i[CASE_INTS];
    double r[CASE_REALS];
    double *a[CASE_ARRAYS];
    int64_t len[CASE_ARRAYS];
} test_case;

int case_read(FILE *in,
              test_case *c); /* 1; 0 at the end or when the file is broken, then nothing is held */
void case_free(test_case *c);
int case_write(FILE *out, const double *x, size_t n); /* 1 unless the file refused */

/* main() of a dump program: for each case of argv[1] calls answer, which writes arrays to out; 0
 * when all went well. */
int case_main(int argc, char **argv, int (*answer)(const test_case *c, FILE *out));

#endif
