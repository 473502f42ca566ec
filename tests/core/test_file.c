/* tests/core/test_file.c - whole or not at all, also when the disk is full; paths; checksums. */
#include "core/memory.h"
#include "core/stop.h"
#include "core/test_folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static void check_content(const char *path, const char *text)
{
    size_t n = 99;
    char *got = NULL;

    assert_ok(orr_read_file(&got, &n, path, 1 << 20));
    assert_int_equal(n, strlen(text));
    assert_string_equal(got, text);
    orr_free(got);
}

static void no_tmp_left(const char *path)
{
    char tmp[ORR_PATH_MAX];

    assert_ok(orr_tmp_path(tmp, path));
    assert_false(orr_path_exists(tmp));
}

static void paths(void **state)
{
    static const struct {
        const char *dir, *name, *joined;
    } joins[] = { { "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "", "b", "b" },
                  { "/", "b", "/b" },  { "a", "/b", "/b" },  { "a/b", "c/d", "a/b/c/d" } };
    static const struct {
        const char *path, *dir;
    } dirs[] = { { "a/b", "a" }, { "a", "." }, { "/a", "/" }, { "/a/b/c", "/a/b" }, { "a/", "a" } };
    static const struct {
        const char *path, *name, *trimmed;
    } names[] = { { "a/b.csv", "b.csv", "a/b.csv" },
                  { "a", "a", "a" },
                  { "/a", "a", "/a" },
                  { "a/b/", "", "a/b" },
                  { "a//", "", "a" },
                  { "//a//b///", "", "//a//b" },
                  { "/", "", "/" },
                  { "///", "", "/" },
                  { ".", ".", "." },
                  { "", "", "" } };
    char out[ORR_PATH_MAX], longest[ORR_PATH_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof joins / sizeof *joins; i++) {
        assert_ok(orr_path_join(out, joins[i].dir, joins[i].name));
        assert_string_equal(out, joins[i].joined);
    }
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        assert_ok(orr_path_dir(out, dirs[i].path));
        assert_string_equal(out, dirs[i].dir);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_string_equal(orr_path_name(names[i].path), names[i].name);
        assert_ok(orr_path_trim(out, names[i].path));
        assert_string_equal(out, names[i].trimmed);
    }
    assert_ok(orr_tmp_path(out, "a/model.h5"));
    assert_string_equal(out, "a/model.h5.tmp");
    memset(longest, 'x', sizeof longest);
    longest[ORR_PATH_MAX] = '\0';
    assert_int_equal(orr_path_join(out, "", longest), ORR_ERR_ARG);
    assert_string_equal(out, "");
    assert_int_equal(orr_path_trim(out, longest), ORR_ERR_ARG);
    longest[ORR_PATH_MAX - 1] = '\0';
    assert_ok(orr_path_join(out, "", longest));
    assert_int_equal(orr_path_join(out, "a", longest), ORR_ERR_ARG);
    assert_int_equal(orr_tmp_path(out, longest), ORR_ERR_ARG);
}

static void folders(void **state)
{
    char path[ORR_PATH_MAX], file[ORR_PATH_MAX], message[2 * ORR_PATH_MAX];

    (void)state;
    assert_ok(orr_make_dirs(in_folder(path, "a/b//c/")));
    assert_true(orr_path_is_dir(in_folder(path, "a/b/c")));
    assert_ok(orr_make_dirs(path)); /* again */
    assert_ok(orr_make_dirs("/"));
    assert_ok(orr_write_file(in_folder(file, "a/b/c/one"), "1", 1));
    assert_ok(orr_write_file(in_folder(file, "a/b/c/two"), "2", 1));
    assert_true(orr_path_exists(file) && !orr_path_is_dir(file));
    snprintf(message, sizeof message, "%s: cannot make the folder: File exists", file);
    assert_failure(orr_make_dirs(file), ORR_ERR_IO, message);
    assert_int_equal(orr_make_dirs(in_folder(file, "a/b/c/one/x")), ORR_ERR_IO);
    assert_ok(orr_remove_dir(path));
    assert_false(orr_path_exists(path));
    assert_int_equal(orr_remove_dir(path), ORR_ERR_IO);
    assert_int_equal(orr_remove_dir(in_folder(path, "a")), ORR_ERR_IO); /* holds a folder */
    assert_true(orr_path_is_dir(in_folder(path, "a/b")));
    assert_ok(orr_remove_dir(path));
    assert_ok(orr_remove_dir(in_folder(path, "a")));
    assert_int_equal(orr_make_dirs(""), ORR_ERR_IO);
}

static void writes_and_reads(void **state)
{
    char path[ORR_PATH_MAX], message[2 * ORR_PATH_MAX];
    size_t n = 0;
    char *got = NULL;

    (void)state;
    assert_ok(orr_write_file(in_folder(path, "f"), "first", 5));
    check_content(path, "first");
    assert_ok(orr_write_file(path, "second version", 14));
    check_content(path, "second version");
    no_tmp_left(path);
    assert_ok(orr_write_file(path, NULL, 0));
    check_content(path, "");
    assert_ok(orr_write_file(path, "12345", 5));
    assert_ok(orr_read_file(&got, &n, path, 5));
    orr_free(got);
    snprintf(message, sizeof message, "%s: 5 bytes, more than the 4 that make sense here", path);
    assert_failure(orr_read_file(&got, &n, path, 4), ORR_ERR_FORMAT, message);
    assert_null(got);
    orr_alloc_fail_at(1);
    assert_int_equal(orr_read_file(&got, &n, path, 5), ORR_ERR_NOMEM);
    orr_alloc_fail_at(0);
    unlink(path);
}

/* Files of the system say that they have no bytes, and have some. */
static void reads_what_has_no_size(void **state)
{
    size_t n = 0;
    char *got = NULL;

    (void)state;
    assert_ok(orr_read_file(&got, &n, "/proc/self/status", 1 << 20));
    assert_true(n > 100 && strlen(got) == n);
    assert_int_equal(memcmp(got, "Name:", 5), 0);
    orr_free(got);
    assert_int_equal(orr_read_file(&got, &n, "/proc/self/status", 100), ORR_ERR_FORMAT);
    assert_failure(orr_read_file(&got, &n, "/dev/zero", 1000), ORR_ERR_IO,
                   "/dev/zero: is a device, not a plain file");
}

/* None of them makes an open wait; a job file may come out of a pipe. */
static void opens_plain_files_alone(void **state)
{
    char path[ORR_PATH_MAX], message[2 * ORR_PATH_MAX], sum[ORR_SHA256_HEX];
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int sock = socket(AF_UNIX, SOCK_STREAM, 0), fd = 99, writer;
    char *got = NULL;
    size_t n = 0;
    int64_t bytes = 0;

    (void)state;
    assert_failure(orr_open_input(&fd, NULL, "/dev/zero"), ORR_ERR_IO,
                   "/dev/zero: is a device, not a plain file");
    assert_int_equal(fd, -1);
    snprintf(message, sizeof message, "%s: is a folder, not a plain file", folder);
    assert_failure(orr_check_input(folder), ORR_ERR_IO, message);
    assert_int_equal(mkfifo(in_folder(path, "pipe"), 0600), 0);
    snprintf(message, sizeof message, "%s: is a pipe, not a plain file", path);
    assert_failure(orr_open_input(&fd, NULL, path), ORR_ERR_IO, message);
    assert_failure(orr_sha256_file(sum, path), ORR_ERR_IO, message);
    assert_true((writer = open(path, O_RDWR | O_CLOEXEC)) >= 0);
    assert_int_equal(write(writer, "0123456789", 10), 10);
    assert_failure(orr_read_file(&got, &n, path, 4), ORR_ERR_IO, message);
    assert_int_equal(orr_read_file_or_pipe(&got, &n, path, 4), ORR_ERR_FORMAT);
    assert_int_equal(write(writer, "a: 1\n", 5), 5);
    if (fork() == 0) { /* its end is the end of the file */
        usleep(20000);
        _exit(0);
    }
    close(writer);
    assert_ok(orr_read_file_or_pipe(&got, &n, path, 100));
    assert_string_equal(got + n - 5, "a: 1\n");
    orr_free(got);
    wait(NULL);
    unlink(path);
    assert_ok(orr_write_file(in_folder(path, "plain"), "abc", 3));
    assert_ok(orr_open_input(&fd, &bytes, path));
    assert_int_equal(bytes, 3);
    close(fd);
    unlink(path);
    if (strlen(in_folder(path, "s")) >= sizeof name.sun_path) return;
    memcpy(name.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(sock, (struct sockaddr *)&name, sizeof name), 0);
    snprintf(message, sizeof message, "%s: is a socket or a device, not a plain file", path);
    assert_failure(orr_check_input(path), ORR_ERR_IO, message);
    close(sock);
    unlink(path);
}

/* Last of all: what is asked for stays asked for. */
static void a_pipe_that_says_nothing_is_stopped(void **state)
{
    char path[ORR_PATH_MAX], message[2 * ORR_PATH_MAX];
    char *got = NULL;
    size_t n = 0;

    (void)state;
    assert_ok(orr_stop_check("x"));
    assert_int_equal(mkfifo(in_folder(path, "pipe"), 0600), 0);
    orr_stop_request();
    snprintf(message, sizeof message, "%s: stopped by a signal", path);
    assert_failure(orr_read_file_or_pipe(&got, &n, path, 100), ORR_ERR_INTERRUPTED, message);
    unlink(path);
}

/* The name under which the file is written leads to a device that is always full. */
static void disk_full(void **state)
{
    char path[ORR_PATH_MAX], tmp[ORR_PATH_MAX], message[2 * ORR_PATH_MAX];

    (void)state;
    if (!orr_path_exists("/dev/full")) skip();
    assert_ok(orr_write_file(in_folder(path, "g"), "old", 3));
    assert_ok(orr_tmp_path(tmp, path));
    assert_int_equal(symlink("/dev/full", tmp), 0);
    snprintf(message, sizeof message, "%s: cannot write: No space left on device", tmp);
    assert_failure(orr_write_file(path, "new", 3), ORR_ERR_IO, message);
    check_content(path, "old");
    no_tmp_left(path);
    unlink(path);
}

/* The disk takes the first part of the file and no more. */
static void disk_full_half_way(void **state)
{
    enum { LIMIT = 10000 };
    static char data[5 * LIMIT];
    char path[ORR_PATH_MAX];
    struct rlimit old, small;
    void (*handler)(int);
    orr_status st;

    (void)state;
    assert_ok(orr_write_file(in_folder(path, "h"), "old", 3));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = LIMIT;
    handler = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    st = orr_write_file(path, data, sizeof data);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    assert_int_equal(st, ORR_ERR_IO);
    assert_non_null(strstr(orr_error_text(), "h.tmp: cannot write: File too large"));
    check_content(path, "old");
    no_tmp_left(path);
    unlink(path);
}

static void refused_writes(void **state)
{
    char path[ORR_PATH_MAX], tmp[ORR_PATH_MAX], message[3 * ORR_PATH_MAX];

    (void)state;
    snprintf(message, sizeof message, "%s/no/f.tmp: cannot create: No such file or directory",
             folder);
    assert_failure(orr_write_file(in_folder(path, "no/f"), "x", 1), ORR_ERR_IO, message);
    assert_ok(orr_make_dirs(in_folder(path, "taken")));
    assert_int_equal(orr_write_file(path, "x", 1), ORR_ERR_IO); /* a folder has the name */
    assert_true(orr_path_is_dir(path));
    no_tmp_left(path);
    assert_ok(orr_remove_dir(path));
    assert_ok(orr_tmp_path(tmp, in_folder(path, "nothing")));
    snprintf(message, sizeof message, "%s: cannot open: No such file or directory", tmp);
    assert_failure(orr_commit_file(tmp, path), ORR_ERR_IO, message);
    assert_false(orr_path_exists(path));
}

static void checksums(void **state)
{
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    static const char none[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    static const char million[] =
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    char out[ORR_SHA256_HEX], path[ORR_PATH_MAX];
    orr_sha256 *h = NULL;
    char *a = orr_alloc(1000000, 1);

    (void)state;
    assert_ok(orr_sha256_begin(&h));
    assert_ok(orr_sha256_end(h, out));
    assert_string_equal(out, none);
    assert_ok(orr_sha256_begin(&h));
    assert_ok(orr_sha256_add(h, "a", 1));
    assert_ok(orr_sha256_add(h, "bc", 2));
    assert_ok(orr_sha256_end(h, out));
    assert_string_equal(out, abc);
    assert_ok(orr_sha256_begin(&h));
    orr_sha256_destroy(h);
    orr_sha256_destroy(NULL);
    memset(a, 'a', 1000000);
    assert_ok(orr_write_file(in_folder(path, "million"), a, 1000000));
    assert_ok(orr_sha256_file(out, path));
    assert_string_equal(out, million);
    for (int n = 1; n <= 2; n++) {
        orr_alloc_fail_at(n);
        assert_int_equal(orr_sha256_file(out, path), ORR_ERR_NOMEM);
        orr_alloc_fail_at(0);
        assert_string_equal(out, "");
    }
    unlink(path);
    assert_int_equal(orr_sha256_file(out, path), ORR_ERR_IO);
    assert_int_equal(orr_sha256_file(out, folder), ORR_ERR_IO);
    orr_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(folders),
        cmocka_unit_test(writes_and_reads),
        cmocka_unit_test(reads_what_has_no_size),
        cmocka_unit_test(opens_plain_files_alone),
        cmocka_unit_test(disk_full),
        cmocka_unit_test(disk_full_half_way),
        cmocka_unit_test(refused_writes),
        cmocka_unit_test(checksums),
        cmocka_unit_test(a_pipe_that_says_nothing_is_stopped),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
