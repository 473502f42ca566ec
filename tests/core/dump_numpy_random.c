/* tests/core/dump_numpy_random.c - prints what numpy_random.py compares: "name value value ..."
 * lines for one seed. */
#include "core/numpy_random.h"
#include "core/options.h"

#include <inttypes.h>
#include <stdio.h>

static void print_ints(const char *name, const int64_t *x, int n)
{
    printf("%s", name);
    for (int i = 0; i < n; i++)
        printf(" %" PRId64, x[i]);
    printf("\n");
}

static void print_reals(const char *name, orr_numpy_random *r, int n,
                        double (*draw)(orr_numpy_random *))
{
    printf("%s", name);
    for (int i = 0; i < n; i++)
        printf(" %a", draw(r));
    printf("\n");
}

int main(int argc, char **argv)
{
    orr_numpy_random r;
    int64_t seed = 0, x[1000];

    if (argc != 2 || orr_parse_int64(&seed, argv[1]) != ORR_OK || seed < 0 || seed > UINT32_MAX) {
        fprintf(stderr, "usage: dump_numpy_random SEED\n");
        return 2;
    }
    orr_numpy_seed(&r,
                   (uint32_t)seed); /* one state throughout: the number of draws is compared too */
    print_reals("doubles", &r, 2000, orr_numpy_double);
    print_reals("normals", &r, 1001, orr_numpy_normal);
    orr_numpy_permutation(&r, x, 10);
    print_ints("permutation10", x, 10);
    orr_numpy_permutation(&r, x, 1000);
    print_ints("permutation1000", x, 1000);
    for (int i = 0; i < 100; i++)
        x[i] = i * i;
    orr_numpy_shuffle(&r, x, 100);
    print_ints("shuffle", x, 100);
    for (int i = 0; i < 50; i++)
        x[i] = (int64_t)(orr_numpy_interval(&r, UINT64_MAX) >> 1);
    print_ints("wide", x, 50);
    print_reals("more_normals", &r, 4, orr_numpy_normal);
    return 0;
}
