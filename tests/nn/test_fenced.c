/* tests/nn/test_fenced.c - the back end fenced: host code that looks into its memory dies, memory
 * of the wrong side is refused, and operations between stay as they are. */
#include "core/memory.h"
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

/* ---- samples on loan from forward to backward ---- */

typedef struct loan {
    orr_graph *g;
    orr_net *net;
    nn_batch batch;
    size_t n_x, n_y, n_slab;
    orr_real *x, *dy, *aux, *grads[2]; /* of a step undisturbed, and of one whose caller writes */
} loan;

static void loan_open(loan *l, const nn_case *c, orr_backend *be)
{
    *l = (loan){ 0 };
    OK(nn_batch_init(&l->batch, 0, 1));
    OK(nn_case_graph(&l->g, c));
    OK(nn_case_net(&l->net, l->g, be, 1));
    l->n_x = (size_t)l->batch.b.n * orr_shape_count(c->input);
    l->n_y = (size_t)l->batch.b.n * orr_shape_count(orr_graph_output(l->g));
    l->n_slab = orr_net_slab_count(l->net);
    l->x = orr_alloc(l->n_x, sizeof *l->x);
    l->dy = orr_alloc(l->n_y, sizeof *l->dy);
    l->aux = (orr_real *)(uintptr_t)nn_batch_aux(&l->batch, c->n_aux);
    for (int i = 0; i < 2; i++)
        l->grads[i] = orr_alloc(l->n_x + l->n_slab, sizeof *l->x);
    nn_fill(l->x, l->n_x, 1);
    nn_fill(l->dy, l->n_y, 2);
}

static void loan_close(loan *l)
{
    orr_free(l->x);
    orr_free(l->dy);
    orr_free(l->grads[0]);
    orr_free(l->grads[1]);
    orr_net_destroy(l->net);
    orr_graph_destroy(l->g);
}

/* A step; between its halves the caller adds 1 to number `changed` of x or of aux. */
static orr_status loan_step(loan *l, orr_real *changed, orr_real *grads)
{
    const orr_real *y;
    orr_status st;

    OK(orr_net_forward(l->net, &l->batch.b, l->x, l->aux, 1, &y));
    if (changed) *changed += 1;
    st = nn_backward(l->net, &l->batch.b, l->dy, l->n_y);
    if (changed) *changed -= 1;
    OK(nn_download(orr_net_backend(l->net), orr_net_input_grad(l->net), grads, l->n_x));
    OK(orr_net_read(l->net, 0, 0, l->n_slab, grads + l->n_x));
    return st;
}

static int same_grads(const loan *l)
{
    return memcmp(l->grads[0], l->grads[1], (l->n_x + l->n_slab) * sizeof *l->x) == 0;
}

/* The caller's write is told, and no operation has seen it: what forward took is what counts. */
static void samples_are_on_loan_until_backward(void **state)
{
    loan l;

    (void)state;
    for (int i = 0; i < n_nn_cases; i++) {
        loan_open(&l, &nn_cases[i], nn_backend("fenced"));
        OK(loan_step(&l, NULL, l.grads[0]));
        for (int aux = 0; aux <= (l.aux != NULL); aux++) {
            orr_real *last = aux ? &l.aux[l.batch.b.n * nn_cases[i].n_aux - 1] : &l.x[l.n_x - 1];
            assert_int_equal(loan_step(&l, last, l.grads[1]), ORR_ERR_INTERNAL);
            assert_non_null(strstr(orr_error_text(), "changed while they were on loan"));
            if (!same_grads(&l)) fail_msg("case %d, %s", i, nn_cases[i].kind);
        }
        OK(loan_step(&l, NULL, l.grads[1]));
        assert_true(same_grads(&l));
        loan_close(&l);
    }
}

/* An operation that goes back to the host's samples in backward: what the test above is there to
 * see.  Its upload hides it from the comparison, but not its gradient. */
static struct {
    const orr_real *host;
    void *own;
    size_t bytes;
} first_upload;

static void noted_upload(orr_backend *be, void *to, const void *host, size_t bytes)
{
    if (host == first_upload.host) first_upload.own = to, first_upload.bytes = bytes;
    orr_backend_fenced.upload(be, to, host, bytes);
}

static void late_backward_params(orr_backend *be, const orr_batch *b, int in, int out,
                                 const orr_real *x, const orr_real *dy, orr_real *const *dw,
                                 orr_real *const *db)
{
    orr_backend_fenced.upload(be, first_upload.own, first_upload.host, first_upload.bytes);
    orr_backend_fenced.linear_backward_params(be, b, in, out, x, dy, dw, db);
}

static void an_operation_that_reads_late_is_seen(void **state)
{
    const nn_case c = { .input = { 1, 1, 4 }, .layers = " - linear: {units: 3}\n" };
    orr_backend_ops late = orr_backend_fenced;
    orr_backend be = { .ops = &late };
    loan l;

    (void)state;
    OK(late.create(&be));
    loan_open(&l, &c, &be);
    late.upload = noted_upload;
    late.linear_backward_params = late_backward_params;
    first_upload.host = l.x;
    OK(loan_step(&l, NULL, l.grads[0]));
    OK(loan_step(&l, &l.x[2], l.grads[1]));
    assert_false(same_grads(&l));
    loan_close(&l);
    late.destroy(&be);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_cannot_touch_a_slab),
        cmocka_unit_test(memory_of_the_wrong_side_is_refused),
        cmocka_unit_test(new_memory_is_not_a_number),
        cmocka_unit_test(answers_are_checks),
        cmocka_unit_test(samples_are_on_loan_until_backward),
        cmocka_unit_test(an_operation_that_reads_late_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
