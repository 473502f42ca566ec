/* tests/data/test_download.c - the engine against a server that answers from a script, so that each
 * question it puts can be read.  tests/jobs/fetch.py has real servers and many connections. */
#include "core/memory.h"
#include "core/threads.h"
#include "data/survey/download.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the server: one connection at a time, one line of the script a request ---- */
enum { ASKED_MAX = 16, ASKED_BYTES = 1024 };
static struct {
    int listener, port, n_answers, n_asked;
    const char *const *answers; /* raw; one that begins with '!' ends the connection */
    char asked[ASKED_MAX][ASKED_BYTES];
    pthread_t thread;
} server;

static int read_request(int fd, char *text)
{
    size_t n = 0;

    while (n < ASKED_BYTES - 1) {
        ssize_t got = recv(fd, text + n, ASKED_BYTES - 1 - n, 0);
        if (got <= 0) return 0;
        n += (size_t)got;
        text[n] = '\0';
        if (strstr(text, "\r\n\r\n")) return 1;
    }
    return 0;
}

static void *serve(void *ctx)
{
    int fd;

    (void)ctx;
    while ((fd = accept(server.listener, NULL, NULL)) >= 0) {
        while (server.n_asked < ASKED_MAX && read_request(fd, server.asked[server.n_asked])) {
            int i = server.n_asked++;
            const char *a = i < server.n_answers ? server.answers[i] : "!";
            int last = a[0] == '!';
            (void)!send(fd, a + last, strlen(a + last), MSG_NOSIGNAL);
            if (last) break;
        }
        shutdown(fd, SHUT_RDWR);
        close(fd);
    }
    return NULL;
}

static void start_server(const char *const *answers)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;

    memset(&server, 0, sizeof server);
    server.answers = answers;
    while (answers[server.n_answers])
        server.n_answers++;
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(server.listener, 16), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&a, &n), 0);
    server.port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void stop_server(void)
{
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
}

/* ---- one task ---- */
typedef struct run {
    const char *path;
    int n_urls, given, ended, stop_after;
    char urls[2][128];
    orr_download_outcome outcome;
    char body[4096];
} run;

static const orr_download_opts quick = { .connections = 1,
                                         .retries = 3,
                                         .backoff = 0.01,
                                         .backoff_max = 0.05,
                                         .retry_after_max = 0.2,
                                         .connect_timeout = 5,
                                         .stall = 1,
                                         .proof = "length",
                                         .user_agent = "tester/1" };

static orr_status next(void *ctx, orr_download_task *task, int *more, int *wait)
{
    run *r = ctx;

    *wait = 0;
    *more = !r->given++;
    if (!*more) return ORR_OK;
    *task = (orr_download_task){ .number = 1, .n_urls = r->n_urls, .path = r->path, .ctx = r };
    for (int i = 0; i < r->n_urls; i++)
        task->urls[i] = r->urls[i];
    return ORR_OK;
}

static orr_status done(void *ctx, const orr_download_task *task, orr_download_outcome *o)
{
    run *r = ctx;

    assert_ptr_equal(task->ctx, r);
    r->ended++;
    r->outcome = *o;
    if (o->body) {
        assert_true(o->bytes < (int64_t)sizeof r->body);
        memcpy(r->body, o->body, (size_t)o->bytes);
        orr_free(o->body);
    }
    return ORR_OK;
}

static int stop(void *ctx)
{
    run *r = ctx;

    return r->stop_after > 0 && server.n_asked >= r->stop_after;
}

static orr_status fetch_with(run *r, const char *const *answers, const orr_download_opts *o)
{
    orr_download_calls calls = { .next = next, .done = done, .stop = stop, .ctx = r };
    orr_status st;

    start_server(answers);
    if (!r->n_urls) r->n_urls = 1;
    for (int i = 0; i < r->n_urls; i++)
        snprintf(r->urls[i], sizeof r->urls[i], "http://127.0.0.1:%d/f%d.fits", server.port, i);
    st = orr_download_run(o, &calls);
    stop_server();
    return st;
}

static orr_status fetch(run *r, const char *const *answers)
{
    return fetch_with(r, answers, &quick);
}

#define LENGTH(n) "Content-Length: " #n "\r\n"
#define OK200     "HTTP/1.1 200 OK\r\n"
#define TAG       "ETag: \"v1\"\r\n"
#define REST(a)   "HTTP/1.1 206 Partial\r\nContent-Range: bytes " a "\r\n" TAG
static const char *const none[] = { NULL };

static void expect_done(const run *r, const char *body, int tries, int resumed)
{
    assert_int_equal(r->ended, 1);
    if (r->outcome.end != ORR_DOWNLOAD_DONE) fail_msg("%s", r->outcome.reason);
    assert_int_equal(r->outcome.bytes, (int)strlen(body));
    assert_int_equal(r->outcome.tries, tries);
    assert_int_equal(r->outcome.resumed, resumed);
    if (!r->path) assert_memory_equal(r->body, body, strlen(body));
}

static void expect_end(const run *r, orr_download_end end, int tries, const char *says)
{
    assert_int_equal(r->ended, 1);
    assert_int_equal(r->outcome.end, end);
    assert_int_equal(r->outcome.tries, tries);
    assert_null(r->outcome.body);
    if (!strstr(r->outcome.reason, says)) fail_msg("\"%s\" not in \"%s\"", says, r->outcome.reason);
}

static int asked(int i, const char *words)
{
    return i < server.n_asked && strstr(server.asked[i], words) != NULL;
}

/* ---- to memory ---- */
static void test_memory_task(void **state)
{
    static const char *const answers[] = { OK200 LENGTH(5) "\r\nhello", NULL };
    run r = { 0 };

    (void)state;
    assert_int_equal(fetch(&r, answers), ORR_OK);
    expect_done(&r, "hello", 1, 0);
    assert_true(asked(0, "User-Agent: tester/1\r\n"));
    assert_true(asked(0, "GET /f0.fits "));
    assert_false(asked(0, "Range"));
}

static void test_memory_resumes(void **state)
{
    static const char *const answers[] = { "!" OK200 TAG LENGTH(10) "\r\n01234",
                                           "!" REST("5-9/10") LENGTH(5) "\r\n56",
                                           REST("7-9/10") LENGTH(3) "\r\n789", NULL };
    run r = { 0 };

    (void)state;
    assert_int_equal(fetch(&r, answers), ORR_OK);
    expect_done(&r, "0123456789", 3, 7);
    assert_true(asked(1, "Range: bytes=5-\r\n"));
    assert_true(asked(1, "If-Range: \"v1\"\r\n"));
    assert_true(asked(2, "Range: bytes=7-\r\n"));
}

/* What cannot be trusted as the rest is not: everything begins again. */
static void test_ranges_that_do_not_fit(void **state)
{
    static const char *const bad[] = { REST("4-9/10") LENGTH(6) "\r\n456789",
                                       REST("5-10/11") LENGTH(6) "\r\n56789x",
                                       "HTTP/1.1 206 Partial\r\n" LENGTH(5) "\r\n56789",
                                       REST("5-9") LENGTH(5) "\r\n56789",
                                       "HTTP/1.1 416 No\r\nContent-Range: bytes */7\r\n" LENGTH(
                                           0) "\r\n",
                                       "HTTP/1.1 416 No\r\n" LENGTH(0) "\r\n" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *answers[] = { "!" OK200 TAG LENGTH(10) "\r\n01234", bad[i],
                                  OK200 TAG LENGTH(10) "\r\nabcdefghij", NULL };
        run r = { 0 };
        assert_int_equal(fetch(&r, answers), ORR_OK);
        expect_done(&r, "abcdefghij", 3, 0);
        assert_false(asked(2, "Range"));
    }
    { /* the server has something else now: 200, all of it */
        const char *answers[] = { "!" OK200 TAG LENGTH(10) "\r\n01234",
                                  OK200 "ETag: \"v2\"\r\n" LENGTH(4) "\r\nnew!", NULL };
        run r = { 0 };
        assert_int_equal(fetch(&r, answers), ORR_OK);
        expect_done(&r, "new!", 2, 0);
    }
    { /* weak tags do for nothing; a date does */
        const char *answers[] = {
            "!" OK200
            "ETag: W/\"v\"\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n" LENGTH(4) "\r\nab",
            "HTTP/1.1 206 P\r\nContent-Range: bytes 2-3/4\r\n" LENGTH(2) "\r\ncd", NULL
        };
        run r = { 0 };
        assert_int_equal(fetch(&r, answers), ORR_OK);
        expect_done(&r, "abcd", 2, 2);
        assert_true(asked(1, "If-Range: Wed, 21 Oct 2015 07:28:00 GMT\r\n"));
    }
    { /* without either: from the beginning */
        const char *answers[] = { "!" OK200 LENGTH(4) "\r\nab", OK200 LENGTH(4) "\r\nabcd", NULL };
        run r = { 0 };
        assert_int_equal(fetch(&r, answers), ORR_OK);
        expect_done(&r, "abcd", 2, 0);
        assert_false(asked(1, "Range"));
    }
}

static void test_whole_already(void **state)
{
    static const char *const answers[] = {
        "!" OK200 TAG LENGTH(9) "\r\n01234", /* it lies about the length */
        "HTTP/1.1 416 No\r\nContent-Range: bytes */5\r\n" LENGTH(0) "\r\n", NULL
    };
    run r = { 0 };

    (void)state;
    assert_int_equal(fetch(&r, answers), ORR_OK);
    expect_done(&r, "01234", 2, 5);
}

static void test_ends(void **state)
{
    static const struct {
        const char *answer;
        orr_download_end end;
        int tries;
        const char *says;
    } cases[] = {
        { "HTTP/1.1 404 No\r\n" LENGTH(3) "\r\nno\n", ORR_DOWNLOAD_MISSING, 1,
          "not there: HTTP 404" },
        { "HTTP/1.1 410 No\r\n" LENGTH(0) "\r\n", ORR_DOWNLOAD_MISSING, 1, "HTTP 410" },
        { "HTTP/1.1 403 No\r\n" LENGTH(0) "\r\n", ORR_DOWNLOAD_FAILED, 1, "HTTP 403" },
        { "HTTP/1.1 500 No\r\n" LENGTH(0) "\r\n", ORR_DOWNLOAD_FAILED, 3, "HTTP 500" },
        { "HTTP/1.1 204 No\r\n\r\n", ORR_DOWNLOAD_FAILED, 3, "HTTP 204" },
        { "HTTP/1.1 416 No\r\n" LENGTH(0) "\r\n", ORR_DOWNLOAD_FAILED, 3, "HTTP 416" },
        { OK200 LENGTH(0) "\r\n", ORR_DOWNLOAD_FAILED, 3, "empty" },
        { "!", ORR_DOWNLOAD_FAILED, 3, "connection lost" },
        { "!nonsense\r\n\r\n", ORR_DOWNLOAD_FAILED, 3, "not an answer" },
        { OK200 "Content-Type: text/html\r\n" LENGTH(5) "\r\nhello", ORR_DOWNLOAD_FAILED, 3,
          "HTML" },
        { OK200 LENGTH(21) "\r\n<html><body>x</body>\n", ORR_DOWNLOAD_FAILED, 3, "HTML" },
        { "HTTP/1.1 302 F\r\nLocation: /x\r\n" LENGTH(0) "\r\n", ORR_DOWNLOAD_FAILED, 1,
          "redirects" },
        { "HTTP/1.1 302 F\r\nLocation: file:///etc/hostname\r\n" LENGTH(0) "\r\n",
          ORR_DOWNLOAD_FAILED, 1, "not http" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *a = cases[i].answer;
        const char *answers[] = { a, a, a, a, a, a, a, NULL };
        run r = { 0 };
        assert_int_equal(fetch(&r, answers), ORR_OK);
        expect_end(&r, cases[i].end, cases[i].tries, cases[i].says);
    }
}

static void test_mirrors_in_turn(void **state)
{
    static const char *const answers[] = { "HTTP/1.1 404 No\r\n" LENGTH(0) "\r\n",
                                           "HTTP/1.1 500 No\r\n" LENGTH(0) "\r\n",
                                           "HTTP/1.1 500 No\r\n" LENGTH(0) "\r\n",
                                           OK200 LENGTH(2) "\r\nok", NULL };
    run r = { .n_urls = 2 }, gone = { .n_urls = 2 };
    static const char *const no[] = { "HTTP/1.1 404 No\r\n" LENGTH(0) "\r\n",
                                      "HTTP/1.1 404 No\r\n" LENGTH(0) "\r\n", NULL };

    (void)state;
    assert_int_equal(fetch(&r, answers), ORR_OK);
    expect_done(&r, "ok", 4, 0);
    assert_true(asked(0, "/f0.fits") && asked(1, "/f1.fits") && asked(2, "/f1.fits"));
    assert_int_equal(fetch(&gone, no), ORR_OK);
    expect_end(&gone, ORR_DOWNLOAD_MISSING, 2, "HTTP 404");
}

static void test_proof(void **state)
{
    static const char *const answers[] = { OK200 LENGTH(5) "\r\nhello", OK200 LENGTH(5) "\r\nhello",
                                           OK200 LENGTH(5) "\r\nhello", NULL };
    orr_download_opts o = quick;
    run r = { .path = "download-test.fits" };

    (void)state;
    o.proof = "structure";
    assert_int_equal(fetch_with(&r, answers, &o), ORR_OK);
    expect_end(&r, ORR_DOWNLOAD_FAILED, 3, "proof failed: download-test.fits: not FITS");
    assert_false(orr_path_exists("download-test.fits"));
    assert_false(orr_path_exists("download-test.fits.part"));
}

/* ---- to a file ---- */
static void expect_file(const char *path, const char *want)
{
    char *text = NULL;
    size_t n;

    assert_int_equal(orr_read_file(&text, &n, path, 1 << 20), ORR_OK);
    assert_string_equal(text, want);
    orr_free(text);
}

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static const char *const name = "download-test.fits", *const part = "download-test.fits.part",
                         *const note = "download-test.fits.part.etag";

static int clean(void **state)
{
    (void)state;
    unlink(name);
    unlink(part);
    unlink(note);
    return 0;
}

static void test_file_task(void **state)
{
    static const char *const answers[] = { OK200 TAG LENGTH(5) "\r\nhello", NULL };
    run r = { .path = name };

    (void)state;
    assert_int_equal(fetch(&r, answers), ORR_OK);
    expect_done(&r, "hello", 1, 0);
    expect_file(name, "hello");
    assert_false(orr_path_exists(part));
    assert_false(orr_path_exists(note));
}

/* A run is stopped (as a kill would stop it); the next one goes on. */
static void test_part_is_kept(void **state)
{
    static const char *const begin[] = { OK200 TAG LENGTH(10) "\r\n01234", NULL };
    static const char *const end[] = { REST("5-9/10") LENGTH(5) "\r\n56789", NULL };
    run r = { .path = name, .stop_after = 1 }, again = { .path = name };
    orr_download_opts o = quick;

    (void)state;
    o.stall = 10;
    assert_int_equal(fetch_with(&r, begin, &o), ORR_ERR_INTERRUPTED);
    assert_int_equal(r.ended, 0);
    expect_file(part, "01234");
    expect_file(note, "\"v1\"\n10\n");
    assert_int_equal(fetch(&again, end), ORR_OK);
    assert_true(asked(0, "Range: bytes=5-\r\n") && asked(0, "If-Range: \"v1\"\r\n"));
    expect_done(&again, "0123456789", 1, 5);
    expect_file(name, "0123456789");
    assert_false(orr_path_exists(part) || orr_path_exists(note));
}

/* A note never stands beside bytes of another answer. */
static void test_stale_note(void **state)
{
    static const char *const begin[] = { OK200 LENGTH(10) "\r\n01234", NULL };
    run r = { .path = name, .stop_after = 1 };
    orr_download_opts o = quick;

    (void)state;
    o.stall = 10;
    put_file(part, "");
    put_file(note, "\"v1\"\n10\n");
    assert_int_equal(fetch_with(&r, begin, &o), ORR_ERR_INTERRUPTED);
    expect_file(part, "01234");
    assert_false(orr_path_exists(note));
}

static void test_parts_of_an_earlier_process(void **state)
{
    static const struct {
        const char *part, *note;
        int resumes;
    } cases[] = { { "01234", "\"v1\"\n10\n", 1 },
                  { "01234", "\"v1\"\n-1\n", 1 },
                  { "01234", NULL, 0 },
                  { "", "\"v1\"\n10\n", 0 },
                  { "01234", "", 0 },
                  { "01234", "\"v1\"\n", 0 },
                  { "01234", "\"v1\"\nten\n", 0 },
                  { "01234", "\n10\n", 0 },
                  { "0123456789ab", "\"v1\"\n10\n", 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *answers[] = { cases[i].resumes ? REST("5-9/10") LENGTH(5) "\r\n56789"
                                                   : OK200 LENGTH(10) "\r\nabcdefghij",
                                  NULL };
        run r = { .path = name };
        put_file(part, cases[i].part);
        if (cases[i].note) put_file(note, cases[i].note);
        assert_int_equal(fetch(&r, answers), ORR_OK);
        assert_int_equal(asked(0, "Range:"), cases[i].resumes);
        expect_file(name, cases[i].resumes ? "0123456789" : "abcdefghij");
        assert_false(orr_path_exists(part) || orr_path_exists(note));
        clean(NULL);
    }
}

/* All bytes were there when the earlier process ended: nobody is asked. */
static void test_only_the_name_was_missing(void **state)
{
    run r = { .path = name };

    (void)state;
    put_file(part, "0123456789");
    put_file(note, "\"v1\"\n10\n");
    assert_int_equal(fetch(&r, none), ORR_OK);
    expect_done(&r, "0123456789", 0, 10);
    assert_int_equal(server.n_asked, 0);
    expect_file(name, "0123456789");
}

static void test_part_in_use(void **state)
{
    static const char *const answers[] = { OK200 LENGTH(2) "\r\nok", OK200 LENGTH(2) "\r\nok",
                                           OK200 LENGTH(2) "\r\nok", NULL };
    run r = { .path = name };
    FILE *f = fopen(part, "w");

    (void)state;
    assert_non_null(f);
    assert_int_equal(flock(fileno(f), LOCK_EX), 0);
    assert_int_equal(fetch(&r, answers), ORR_OK);
    expect_end(&r, ORR_DOWNLOAD_FAILED, 3, "in use");
    fclose(f);
}

static void test_engine_errors(void **state)
{
    static const char *const answers[] = { OK200 LENGTH(2) "\r\nok", NULL };
    run r = { .path = "no/such/folder/a.fits" }, many = { 0 };
    orr_download_opts o = quick;

    (void)state;
    assert_int_equal(fetch(&r, answers), ORR_ERR_IO);
    assert_non_null(strstr(orr_error_text(), "no/such/folder/a.fits.part: cannot create"));
    assert_int_equal(r.ended, 0);
    o.proof = "some";
    assert_int_equal(fetch_with(&many, answers, &o), ORR_ERR_OPTION);
    many.n_urls = 0;
}

static void test_allocations(void **state)
{
    static const char *const answers[] = { "!" OK200 TAG LENGTH(10) "\r\n01234",
                                           REST("5-9/10") LENGTH(5) "\r\n56789", NULL };
    (void)state;
    for (int k = 1;; k++) {
        run r = { .path = k % 2 ? name : NULL };
        orr_status st;
        orr_alloc_fail_at(k);
        st = fetch(&r, answers);
        orr_alloc_fail_at(0);
        clean(NULL);
        if (st == ORR_OK && k > 1) break;
        assert_int_equal(st, ORR_ERR_NOMEM);
        assert_true(k < 100);
    }
}

/* 20000 bytes at 20000 bytes/s, in one transfer that is paused again and again. */
static void test_rate(void **state)
{
    static char body[20100];
    const char *answers[] = { body, NULL };
    orr_download_opts o = quick;
    run r = { .path = name };
    double begin;
    int n = snprintf(body, sizeof body, "%s", OK200 LENGTH(20000) "\r\n");

    (void)state;
    memset(body + n, 'x', 20000);
    o.rate_mib = 20000.0 / 1048576;
    begin = orr_now();
    assert_int_equal(fetch_with(&r, answers, &o), ORR_OK);
    assert_int_equal(r.outcome.end, ORR_DOWNLOAD_DONE);
    assert_int_equal(r.outcome.bytes, 20000);
    assert_true(orr_now() - begin > 0.75);
    expect_file(name, body + n);
}

static int start_all(void **state)
{
    (void)state;
    setenv("no_proxy", "127.0.0.1", 1);
    return orr_download_start() == ORR_OK ? 0 : 1;
}

static int end_all(void **state)
{
    (void)state;
    orr_download_end_all();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_task),
        cmocka_unit_test(test_memory_resumes),
        cmocka_unit_test(test_ranges_that_do_not_fit),
        cmocka_unit_test(test_whole_already),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_mirrors_in_turn),
        cmocka_unit_test_setup_teardown(test_proof, clean, clean),
        cmocka_unit_test_setup_teardown(test_file_task, clean, clean),
        cmocka_unit_test_setup_teardown(test_part_is_kept, clean, clean),
        cmocka_unit_test_setup_teardown(test_stale_note, clean, clean),
        cmocka_unit_test_setup_teardown(test_parts_of_an_earlier_process, clean, clean),
        cmocka_unit_test_setup_teardown(test_only_the_name_was_missing, clean, clean),
        cmocka_unit_test_setup_teardown(test_part_in_use, clean, clean),
        cmocka_unit_test_setup_teardown(test_engine_errors, clean, clean),
        cmocka_unit_test_setup_teardown(test_allocations, clean, clean),
        cmocka_unit_test_setup_teardown(test_rate, clean, clean),
    };

    return cmocka_run_group_tests(tests, start_all, end_all);
}
