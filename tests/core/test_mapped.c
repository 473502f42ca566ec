/* tests/core/test_mapped.c - a file that shrinks under its pages. */
#include "core/core_test.h"
#include "core/file.h"
#include "core/mapped.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { BYTES = 5 << 20 };
static char path[] = ORRERY_BINARY_DIR "/mapped-XXXXXX";

static void make(size_t bytes)
{
    char *text = malloc(bytes + 1);

    assert_non_null(text);
    memset(text, 'x', bytes);
    assert_ok(orr_write_file(path, text, bytes));
    free(text);
}

static size_t count(const char *p, size_t n, char c)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        k += p[i] == c;
    return k;
}

typedef struct {
    const char *p;
    size_t x;
} reader;

static void *read_all(void *ctx)
{
    reader *r = ctx;

    r->x = count(r->p, BYTES, 'x');
    return NULL;
}

static void shrinks(void **state)
{
    reader r[4] = { { 0 } };
    pthread_t thread[4];
    char message[512];
    const void *p, *q;
    size_t n, m;

    (void)state;
    make(BYTES);
    snprintf(message, sizeof message,
             "%s: became shorter while it was read; start again when nobody writes it", path);
    assert_ok(orr_mapped_open(&q, &m, ORRERY_SOURCE_DIR "/README.md"));
    assert_ok(orr_mapped_open(&p, &n, path));
    assert_int_equal(n, BYTES);
    assert_ok(orr_mapped_check());
    assert_int_equal(truncate(path, BYTES / 2 + 1), 0);
    for (int i = 0; i < 4; i++) {
        r[i].p = p;
        assert_int_equal(pthread_create(&thread[i], NULL, read_all, &r[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(r[i].x, BYTES / 2 + 1);
    }
    assert_failure(orr_mapped_check(), ORR_ERR_IO, message);
    assert_failure(orr_mapped_check(), ORR_ERR_IO, message); /* as long as it is open */
    orr_mapped_close(p, n);
    assert_ok(orr_mapped_check());
    assert_true(count(q, m, 'O') > 0);
    orr_mapped_close(q, m);
    orr_mapped_close(NULL, 0);
    assert_ok(orr_mapped_open(&p, &n, path)); /* an entry that is used again */
    assert_int_equal(count(p, n, 'x'), n);
    assert_ok(orr_mapped_check());
    orr_mapped_close(p, n);
}

static void refuses(void **state)
{
    char message[512];
    const void *p = path;
    size_t n = 1;

    (void)state;
    make(0);
    snprintf(message, sizeof message, "%s: the file is empty", path);
    assert_failure(orr_mapped_open(&p, &n, path), ORR_ERR_FORMAT, message);
    assert_null(p);
    assert_int_equal(orr_mapped_open(&p, &n, "/dev/zero"), ORR_ERR_IO);
    assert_int_equal(orr_mapped_open(&p, &n, "no/such"), ORR_ERR_IO);
}

/* A fault that is none of ours ends the process as before. */
static void others(void **state)
{
    int status;
    pid_t child;

    (void)state;
    make(10);
    if ((child = fork()) == 0) {
        int fd = open(path, O_RDONLY);
        const char *p = mmap(NULL, 1 << 16, PROT_READ, MAP_PRIVATE, fd, 0);
        const void *mine;
        size_t n;

        signal(SIGBUS, SIG_DFL); /* the test's library catches it */
        if (orr_mapped_open(&mine, &n, path) != ORR_OK) _exit(2);
        _exit(count(p, 1 << 16, 'y') > 0);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static int make_name(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(others), cmocka_unit_test(refuses),
                                        cmocka_unit_test(shrinks) };

    return cmocka_run_group_tests(tests, make_name, remove_file);
}
