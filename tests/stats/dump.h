/* tests/stats/dump.h - reading the raw case files that the oracles write: int64 {kind, n, k},
 * double parameter, then what the kind needs. */
#ifndef ORR_TESTS_STATS_DUMP_H
#define ORR_TESTS_STATS_DUMP_H

#include "core/status.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct head {
    int64_t kind, n, k;
    double parameter;
} head;

static inline void *take(FILE *f, int64_t n, size_t size)
{
    void *p = calloc(n > 0 ? (size_t)n : 1, size);

    if (!p || fread(p, size, (size_t)n, f) != (size_t)n) {
        fprintf(stderr, "the case file is cut short\n");
        exit(2);
    }
    return p;
}

static inline int failed(orr_status st)
{
    if (st != ORR_OK) printf("error %d %s\n", (int)st, orr_error_text());
    return st != ORR_OK;
}

#endif
