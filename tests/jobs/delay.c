/* tests/jobs/delay.c - LD_PRELOAD: makes one rank slow at one point (core/probe.h).
 *   ORR_DELAY=POINT:RANK:MILLISECONDS    each time that the rank comes there; RANK -1: all */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void orr_probe(const char *point, int64_t step, void *bytes, size_t n);
void orr_probe(const char *point, int64_t step, void *bytes, size_t n)
{
    const char *what = getenv("ORR_DELAY"), *rank = getenv("OMPI_COMM_WORLD_RANK");
    char where[64];
    int victim, ms;

    (void)step;
    (void)bytes;
    (void)n;
    if (!what || sscanf(what, "%63[^:]:%d:%d", where, &victim, &ms) != 3) return;
    if (strcmp(where, point) != 0) return;
    if (victim >= 0 && victim != (rank ? (int)strtol(rank, NULL, 10) : 0)) return;
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}
