/* tests/nn/dump_layers.c - the check kernels' answers to every case, as raw doubles on standard
 * output; linked with the double build, for test_layers_parity.c. */
#include "nn_cases.h"

#include <stdio.h>

int main(void)
{
    static nn_answer a;
    orr_backend *be = nn_backend("check");

    if (!be) return 1;
    for (int i = 0; i < n_nn_cases; i++) {
        if (nn_case_answer(&a, &nn_cases[i], (uint64_t)i, be) != ORR_OK) {
            fprintf(stderr, "case %d: %s\n", i, orr_error_text());
            return 1;
        }
        if (fwrite(a.v, sizeof *a.v, a.begin[a.n_parts], stdout) != a.begin[a.n_parts]) return 1;
    }
    return fflush(stdout) ? 1 : 0;
}
