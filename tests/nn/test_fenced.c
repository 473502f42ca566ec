/* tests/nn/test_fenced.c - the back end fenced: host code that looks into its memory dies, memory
 * of the wrong side is refused, and operations between stay as they are. */
#include "nn_cases.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(expr)                                                                                   \
    do {                                                                                           \
        if ((expr) != ORR_OK) fail_msg("%s: %s", #expr, orr_error_text());                         \
    } while (0)

/* Does a read (or a write) of p by the host end the process by SIGSEGV? */
static int dies(volatile orr_real *p, int writes)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        if (writes)
            *p = 1;
        else
            (void)*p;
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void the_host_cannot_touch_a_slab(void **state)
{
    const nn_case c = { .input = { 1, 1, 4 }, .layers = " - linear: {units: 3}\n - relu\n" };
    orr_backend *be = nn_backend("fenced");
    orr_graph *g;
    orr_net *net;
    nn_batch batch;
    const orr_real *y;
    orr_real x[36], out[27], one;

    (void)state;
    assert_non_null(be);
    OK(nn_case_graph(&g, &c));
    OK(nn_case_net(&net, g, be, 1));
    OK(nn_batch_init(&batch, 0, 1));
    nn_fill(x, 36, 1);
    OK(orr_net_forward(net, &batch.b, x, NULL, 1, &y));
    assert_true(dies(orr_net_params(net), 0));
    assert_true(dies(orr_net_params(net), 1));
    assert_true(dies(orr_net_grads(net, 1), 0));
    assert_true(dies((orr_real *)(uintptr_t)y, 0));
    assert_false(dies(x, 1)); /* the host's own */
    OK(orr_net_read(net, ORR_SLAB_PARAMS, 0, 1, &one));
    OK(orr_net_output(net, out));
    for (int i = 0; i < 27; i++)
        assert_true(out[i] >= 0);
    OK(orr_net_verify(net));
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

static void memory_of_the_wrong_side_is_refused(void **state)
{
    orr_backend *be = nn_backend("fenced");
    orr_real host[4] = { 1, 2, 3, 4 }, *p = nn_upload(be, host, 4), back[4];

    (void)state;
    assert_non_null(p);
    be->ops->add(be, 4, host, p, p); /* an input of the host's: nothing is done */
    assert_int_equal(be->ops->synchronise(be), ORR_ERR_INTERNAL);
    assert_non_null(strstr(orr_error_text(), "add"));
    OK(be->ops->synchronise(be)); /* said once */
    OK(nn_download(be, p, back, 4));
    assert_memory_equal(back, host, sizeof host);
    be->ops->upload(be, p, p, sizeof host);
    assert_int_equal(be->ops->synchronise(be), ORR_ERR_INTERNAL);
    be->ops->free(be, p);
}

static void new_memory_is_not_a_number(void **state)
{
    orr_backend *be = nn_backend("fenced");
    orr_real *p = be->ops->alloc(be, 4 * sizeof *p), back[4];

    (void)state;
    OK(nn_download(be, p, back, 4));
    for (int i = 0; i < 4; i++)
        assert_true(isnan(back[i]));
    assert_true(dies(p, 0));
    be->ops->free(be, p);
    assert_null(be->ops->alloc(be, SIZE_MAX - 10));
}

/* The same bits as check's, for every case: a step and its answers. */
static void answers_are_checks(void **state)
{
    static nn_answer a, b;

    (void)state;
    for (int i = 0; i < n_nn_cases; i++) {
        OK(nn_case_answer(&a, &nn_cases[i], (uint64_t)i, nn_backend("check")));
        OK(nn_case_answer(&b, &nn_cases[i], (uint64_t)i, nn_backend("fenced")));
        assert_int_equal(a.n_parts, b.n_parts);
        assert_memory_equal(a.v, b.v, a.begin[a.n_parts] * sizeof *a.v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_cannot_touch_a_slab),
        cmocka_unit_test(memory_of_the_wrong_side_is_refused),
        cmocka_unit_test(new_memory_is_not_a_number),
        cmocka_unit_test(answers_are_checks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
