/* data/survey/download_part.c - bytes that have arrived of one file: PATH.part and its note, or
 * memory.
 * The note, PATH.part.etag, has two lines: the validator for If-Range, and the length of the whole
 * or -1.  It is written before the file could be left half-way, and removed before the file is cut
 * to nothing: a note never stands beside bytes of another file. */
#include "core/memory.h"
#include "data/survey/download_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t most_in_memory = (int64_t)1 << 30;

orr_status orr_download_part_name(char out[ORR_PATH_MAX], const orr_download_part *p,
                                  const char *tail)
{
    int n = snprintf(out, ORR_PATH_MAX, "%s%s", p->path, tail);

    if (n >= 0 && n < ORR_PATH_MAX) return ORR_OK;
    return orr_fail(ORR_ERR_ARG, "%.80s...: a path of more than %d bytes", p->path,
                    ORR_PATH_MAX - 1);
}

static orr_status fail_errno(const char *path, const char *what)
{
    return orr_fail(ORR_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

/* Cuts the first line off: returns it, *text goes to the next. */
static char *take_line(char **text)
{
    char *line = *text, *end = strchr(line, '\n');

    if (!end) return NULL;
    *end = '\0';
    *text = end + 1;
    return line;
}

static void read_note(orr_download_part *p, const char *note)
{
    char *text = NULL, *rest, *validator, *total;
    size_t n;

    if (!orr_path_exists(note)) return;
    p->noted = 1;
    if (orr_read_file(&text, &n, note, 4096) != ORR_OK) {
        orr_error_clear(); /* then it begins again */
        return;
    }
    rest = text;
    validator = take_line(&rest);
    total = validator ? take_line(&rest) : NULL;
    if (total && strlen(validator) < sizeof p->validator &&
        orr_parse_int64(&p->total, total) == ORR_OK && p->total >= -1)
        memcpy(p->validator, validator, strlen(validator) + 1);
    else
        p->total = -1;
    orr_error_clear();
    orr_free(text);
}

orr_status orr_download_part_open(orr_download_part *p, const char *path)
{
    char name[ORR_PATH_MAX];
    struct stat s;

    *p = (orr_download_part){ .fd = -1, .total = -1 };
    if (!path) return ORR_OK;
    if ((size_t)snprintf(p->path, sizeof p->path, "%s", path) >= sizeof p->path)
        return orr_fail(ORR_ERR_ARG, "%.80s...: a path of more than %d bytes", path,
                        ORR_PATH_MAX - 1);
    ORR_TRY(orr_download_part_name(name, p, ".part.etag"));
    read_note(p, name);
    ORR_TRY(orr_download_part_name(name, p, ".part"));
    if (p->validator[0] && stat(name, &s) == 0 && S_ISREG(s.st_mode)) p->have = s.st_size;
    if (p->total >= 0 && p->have > p->total) p->have = 0;
    if (p->have == 0) {
        p->validator[0] = '\0';
        p->total = -1;
    }
    return ORR_OK;
}

static orr_status drop_note(orr_download_part *p)
{
    char name[ORR_PATH_MAX];

    if (!p->noted) return ORR_OK;
    ORR_TRY(orr_download_part_name(name, p, ".part.etag"));
    if (unlink(name) != 0 && errno != ENOENT) return fail_errno(name, "cannot remove");
    p->noted = 0;
    return ORR_OK;
}

static orr_status write_note(orr_download_part *p)
{
    char name[ORR_PATH_MAX], text[ORR_VALIDATOR_MAX + 32];
    int n = snprintf(text, sizeof text, "%s\n%lld\n", p->validator, (long long)p->total), fd, ok;

    ORR_TRY(orr_download_part_name(name, p, ".part.etag"));
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return fail_errno(name, "cannot create");
    ok = write(fd, text, (size_t)n) == n;
    if (!ok) (void)fail_errno(name, "cannot write");
    close(fd);
    p->noted = ok;
    return ok ? ORR_OK : ORR_ERR_IO;
}

orr_status orr_download_part_begin(orr_download_part *p)
{
    char name[ORR_PATH_MAX];

    if (!p->path[0]) return ORR_OK;
    ORR_TRY(orr_download_part_name(name, p, ".part"));
    if (p->fd < 0) {
        p->fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (p->fd < 0) return fail_errno(name, "cannot create");
        if (flock(p->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            close(p->fd);
            p->fd = -1;
            return orr_fail(ORR_ERR_EXISTS, "in use: another process writes %s", name);
        }
    }
    if (ftruncate(p->fd, p->have) != 0) return fail_errno(name, "cannot write");
    return ORR_OK;
}

static orr_status write_memory(orr_download_part *p, const void *bytes, size_t n)
{
    size_t need = (size_t)p->have + n, room = p->room ? 2 * p->room : 65536;
    char *more;

    if (need > p->room) {
        if (p->total >= (int64_t)need) room = (size_t)p->total;
        if (room < need) room = need;
        if (room > (size_t)most_in_memory)
            return orr_fail(ORR_ERR_SHAPE, "too large: more than %lld bytes",
                            (long long)most_in_memory);
        more = p->memory ? orr_realloc(p->memory, p->room, room, 1) : orr_alloc(room, 1);
        if (!more) return orr_fail(ORR_ERR_NOMEM, "out of memory: a frame of %zu bytes", room);
        p->memory = more;
        p->room = room;
    }
    memcpy(p->memory + p->have, bytes, n);
    p->have += (int64_t)n;
    return ORR_OK;
}

orr_status orr_download_part_write(orr_download_part *p, const void *bytes, size_t n)
{
    const char *from = bytes;

    if (!p->path[0]) return write_memory(p, bytes, n);
    if (!p->noted && p->validator[0] && (p->total < 0 || p->have + (int64_t)n < p->total))
        ORR_TRY(write_note(p));
    while (n > 0) {
        ssize_t put = pwrite(p->fd, from, n, p->have);

        if (put < 0 && errno == EINTR) continue;
        if (put < 0)
            return orr_fail(ORR_ERR_IO, "%s.part: cannot write: %s", p->path, strerror(errno));
        from += put;
        n -= (size_t)put;
        p->have += put;
    }
    return ORR_OK;
}

orr_status orr_download_part_restart(orr_download_part *p)
{
    p->have = 0;
    p->total = -1;
    p->validator[0] = '\0';
    return drop_note(p);
}

void orr_download_part_close(orr_download_part *p)
{
    if (p->fd >= 0) close(p->fd);
    p->fd = -1;
    orr_free(p->memory);
    p->memory = NULL;
    p->room = 0;
}

void orr_download_part_discard(orr_download_part *p)
{
    char name[ORR_PATH_MAX];

    (void)orr_download_part_restart(p);
    if (p->path[0] && orr_download_part_name(name, p, ".part") == ORR_OK) (void)unlink(name);
    orr_download_part_close(p);
    orr_error_clear();
}
