/* core/file.c - paths, whole-file reads, and writes that appear whole or not at all. */
#include "core/file.h"
#include "core/lock.h"
#include "core/memory.h"
#include "core/stop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct orr_sha256 {
    EVP_MD_CTX *ctx;
};

static orr_status fail_errno(const char *what, const char *path)
{
    return orr_fail(ORR_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

/* printf into a path; ORR_ERR_ARG when it does not fit. */
static orr_status put_path(char out[ORR_PATH_MAX], const char *a, const char *b, const char *c)
{
    int n = snprintf(out, ORR_PATH_MAX, "%s%s%s", a, b, c);

    if (n >= 0 && n < ORR_PATH_MAX) return ORR_OK;
    out[0] = '\0';
    return orr_fail(ORR_ERR_ARG, "%.80s...: a path of more than %d bytes", *a ? a : c,
                    ORR_PATH_MAX - 1);
}

orr_status orr_path_join(char out[ORR_PATH_MAX], const char *dir, const char *name)
{
    size_t n = strlen(dir);

    if (name[0] == '/' || n == 0) return put_path(out, "", "", name);
    return put_path(out, dir, dir[n - 1] == '/' ? "" : "/", name);
}

orr_status orr_path_dir(char out[ORR_PATH_MAX], const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash) return put_path(out, ".", "", "");
    if (slash == path) return put_path(out, "/", "", "");
    ORR_TRY(put_path(out, path, "", ""));
    out[slash - path] = '\0';
    return ORR_OK;
}

const char *orr_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

orr_status orr_path_trim(char out[ORR_PATH_MAX], const char *path)
{
    ORR_TRY(put_path(out, path, "", ""));
    for (size_t n = strlen(out); n > 1 && out[n - 1] == '/'; n--)
        out[n - 1] = '\0';
    return ORR_OK;
}

int orr_path_exists(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0;
}

int orr_path_is_dir(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static orr_status make_one_dir(const char *path)
{
    int error;

    if (mkdir(path, 0777) == 0) return ORR_OK;
    error = errno; /* EEXIST, or whatever a read-only parent says of a folder that is there */
    if (orr_path_is_dir(path)) return ORR_OK;
    errno = error;
    return fail_errno("cannot make the folder", path);
}

orr_status orr_make_dirs(const char *path)
{
    char part[ORR_PATH_MAX];

    ORR_TRY(put_path(part, path, "", ""));
    for (char *p = part + 1; part[0] && *p; p++) {
        if (*p != '/') continue;
        *p = '\0';
        ORR_TRY(make_one_dir(part));
        *p = '/';
    }
    return make_one_dir(part);
}

orr_status orr_tmp_path(char out[ORR_PATH_MAX], const char *path)
{
    return put_path(out, path, ".tmp", "");
}

/* fsync of a file or folder by name.  Some file systems cannot sync a folder and say EINVAL;
 * nothing is lost by that. */
static orr_status sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC), ok;

    if (fd < 0) return fail_errno("cannot open", path);
    ok = fsync(fd) == 0 || ((flags & O_DIRECTORY) && (errno == EINVAL || errno == ENOTSUP));
    if (!ok) (void)fail_errno("cannot write to disk", path);
    close(fd);
    return ok ? ORR_OK : ORR_ERR_IO;
}

orr_status orr_commit_file(const char *tmp, const char *path)
{
    char dir[ORR_PATH_MAX];

    ORR_TRY(orr_path_dir(dir, path));
    ORR_TRY(sync_path(tmp, O_RDONLY));
    if (rename(tmp, path) != 0)
        return orr_fail(ORR_ERR_IO, "%s: cannot rename it to %s: %s", tmp, path, strerror(errno));
    return sync_path(dir, O_RDONLY | O_DIRECTORY);
}

static orr_status write_all(int fd, const char *path, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, data, bytes);

        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("cannot write", path);
        data += n;
        bytes -= (size_t)n;
    }
    return ORR_OK;
}

orr_status orr_write_file(const char *path, const void *data, size_t bytes)
{
    orr_lock lock = ORR_LOCK_INIT;
    orr_status st = ORR_OK;
    char tmp[ORR_PATH_MAX];
    int fd;

    ORR_TRY(orr_tmp_path(tmp, path));
    ORR_TRY(orr_lock_tmp(&lock, tmp));
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    st = fd < 0 ? fail_errno("cannot create", tmp) : write_all(fd, tmp, data, bytes);
    if (fd >= 0 && close(fd) != 0 && st == ORR_OK) st = fail_errno("cannot write", tmp);
    if (st == ORR_OK) st = orr_commit_file(tmp, path);
    if (st != ORR_OK) (void)unlink(tmp);
    orr_lock_release(&lock);
    return st;
}

/* ---- inputs ---- */

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a folder"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

/* O_NONBLOCK: a pipe that nobody writes, a device that is not there would make the open wait; to
 * plain files it is nothing. */
static orr_status open_any(int *fd, struct stat *s, const char *path)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0 && errno == ENXIO)
        return orr_fail(ORR_ERR_IO, "%s: is a socket or a device, not a plain file", path);
    if (*fd < 0) return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    if (fstat(*fd, s) == 0) return ORR_OK;
    (void)fail_errno("cannot stat", path);
    close(*fd);
    *fd = -1;
    return ORR_ERR_IO;
}

orr_status orr_open_input(int *fd, int64_t *bytes, const char *path)
{
    struct stat s;

    ORR_TRY(open_any(fd, &s, path));
    if (bytes) *bytes = s.st_size;
    if (S_ISREG(s.st_mode)) return ORR_OK;
    close(*fd);
    *fd = -1;
    return orr_fail(ORR_ERR_IO, "%s: is %s, not a plain file", path, kind_of(s.st_mode));
}

orr_status orr_check_input(const char *path)
{
    int fd;

    ORR_TRY(orr_open_input(&fd, NULL, path));
    close(fd);
    return ORR_OK;
}

/* Bytes of what may be read whole. */
static orr_status size_of(const struct stat *s, size_t *bytes, const char *path, size_t max)
{
    if (!S_ISREG(s->st_mode))
        return orr_fail(ORR_ERR_IO, "%s: is %s, not a plain file", path, kind_of(s->st_mode));
    if (s->st_size < 0 || (uintmax_t)s->st_size > max)
        return orr_fail(ORR_ERR_FORMAT, "%s: %jd bytes, more than the %zu that make sense here",
                        path, (intmax_t)s->st_size, max);
    *bytes = (size_t)s->st_size;
    return ORR_OK;
}

/* Until there is something to read, or the writer has gone. */
static orr_status wait_for_pipe(int fd, const char *path)
{
    enum { PATIENCE_MS = 10000, LOOK_MS = 100 };
    struct pollfd p = { .fd = fd, .events = POLLIN };

    for (int waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
        ORR_TRY(orr_stop_check(path));
        if (poll(&p, 1, LOOK_MS) > 0) return ORR_OK;
    }
    return orr_fail(ORR_ERR_TIMEOUT,
                    "%s: nothing came out of this pipe for %d s; give a plain file", path,
                    PATIENCE_MS / 1000);
}

/* Reads to the end; a pipe tells no size beforehand, and a file may grow meanwhile. */
static orr_status read_all(int fd, int is_pipe, char **buf, size_t *len, size_t cap,
                           const char *path, size_t max)
{
    for (;;) {
        ssize_t n;

        if (*len == cap) {
            char *more = orr_realloc(*buf, cap + 1, 2 * cap + 1, 1);

            if (!more)
                return orr_fail(ORR_ERR_NOMEM, "%s: out of memory after %zu bytes", path, *len);
            *buf = more;
            cap *= 2;
        }
        if (is_pipe) ORR_TRY(wait_for_pipe(fd, path));
        n = read(fd, *buf + *len, cap - *len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n < 0) return fail_errno("cannot read", path);
        if (n == 0) break;
        *len += (size_t)n;
        if (*len > max)
            return orr_fail(ORR_ERR_FORMAT, "%s: more than the %zu bytes that make sense here",
                            path, max);
    }
    (*buf)[*len] = '\0';
    return ORR_OK;
}

static orr_status read_whole(char **out, size_t *bytes, const char *path, size_t max, int pipes)
{
    enum { PIPE_ROOM = 4096 };
    orr_status st = ORR_OK;
    char *buf = NULL;
    size_t size = 0, len = 0, cap;
    struct stat s;
    int fd, is_pipe;

    *out = NULL;
    *bytes = 0;
    ORR_TRY(open_any(&fd, &s, path));
    is_pipe = pipes && S_ISFIFO(s.st_mode);
    if (!is_pipe) ORR_TRY_GOTO(st, done, size_of(&s, &size, path, max));
    cap = is_pipe ? PIPE_ROOM : size + 1; /* one more, so that the end is met without growing */
    if (!(buf = orr_alloc(cap + 1, 1))) {
        st = orr_fail(ORR_ERR_NOMEM, "%s: out of memory for %zu bytes", path, size);
        goto done;
    }
    ORR_TRY_GOTO(st, done, read_all(fd, is_pipe, &buf, &len, cap, path, max));
    *out = buf;
    *bytes = len;
    buf = NULL;
done:
    orr_free(buf);
    close(fd);
    return st;
}

orr_status orr_read_file(char **out, size_t *bytes, const char *path, size_t max)
{
    return read_whole(out, bytes, path, max, 0);
}

orr_status orr_read_file_or_pipe(char **out, size_t *bytes, const char *path, size_t max)
{
    return read_whole(out, bytes, path, max, 1);
}

orr_status orr_remove_dir(const char *path)
{
    orr_status st = ORR_OK;
    char name[ORR_PATH_MAX];
    struct dirent *e;
    DIR *dir = opendir(path);

    if (!dir) return fail_errno("cannot open the folder", path);
    while ((e = readdir(dir))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        ORR_TRY_GOTO(st, done, orr_path_join(name, path, e->d_name));
        if (unlink(name) != 0 && errno != ENOENT) {
            st = fail_errno("cannot remove", name);
            goto done;
        }
    }
    if (rmdir(path) != 0) st = fail_errno("cannot remove the folder", path);
done:
    closedir(dir);
    return st;
}

/* Checksums. */

orr_status orr_sha256_begin(orr_sha256 **out)
{
    orr_sha256 *h = orr_alloc(1, sizeof *h);

    *out = NULL;
    if (!h) return orr_fail(ORR_ERR_NOMEM, "out of memory for a checksum");
    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1) {
        orr_sha256_destroy(h);
        return orr_fail(ORR_ERR_NOMEM, "OpenSSL cannot start a sha256 checksum");
    }
    *out = h;
    return ORR_OK;
}

orr_status orr_sha256_add(orr_sha256 *h, const void *data, size_t bytes)
{
    if (EVP_DigestUpdate(h->ctx, data, bytes) == 1) return ORR_OK;
    return orr_fail(ORR_ERR_INTERNAL, "OpenSSL refuses %zu bytes for a sha256 checksum", bytes);
}

orr_status orr_sha256_end(orr_sha256 *h, char out[ORR_SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int ok = EVP_DigestFinal_ex(h->ctx, sum, &n) == 1 && n == 32;

    out[0] = '\0';
    orr_sha256_destroy(h);
    if (!ok) return orr_fail(ORR_ERR_INTERNAL, "OpenSSL gives no sha256 checksum");
    for (unsigned i = 0; i < n; i++) {
        out[2 * i] = digits[sum[i] >> 4];
        out[2 * i + 1] = digits[sum[i] & 15];
    }
    out[2 * n] = '\0';
    return ORR_OK;
}

void orr_sha256_destroy(orr_sha256 *h)
{
    if (!h) return;
    EVP_MD_CTX_free(h->ctx);
    orr_free(h);
}

orr_status orr_sha256_file(char out[ORR_SHA256_HEX], const char *path)
{
    enum { CHUNK = 1 << 20 };
    orr_status st = ORR_OK;
    orr_sha256 *h = NULL;
    char *buf = NULL;
    int fd;
    ssize_t n;

    out[0] = '\0';
    ORR_TRY(orr_open_input(&fd, NULL, path));
    if (!(buf = orr_alloc(CHUNK, 1))) {
        st = orr_fail(ORR_ERR_NOMEM, "%s: out of memory for %d bytes", path, (int)CHUNK);
        goto done;
    }
    ORR_TRY_GOTO(st, done, orr_sha256_begin(&h));
    while ((n = read(fd, buf, CHUNK)) != 0) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            st = fail_errno("cannot read", path);
            goto done;
        }
        ORR_TRY_GOTO(st, done, orr_sha256_add(h, buf, (size_t)n));
    }
    st = orr_sha256_end(h, out);
    h = NULL;
done:
    orr_sha256_destroy(h);
    orr_free(buf);
    close(fd);
    return st;
}
