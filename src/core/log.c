/* core/log.c - one line, one write.
 * The setting is the one piece of state of the process here: jobs sets it once, before there are
 * threads. */
#include "core/log.h"
#include "core/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_COMPONENTS = 16, WORD_BYTES = 24, LINE_BYTES = 2048 };

typedef struct {
    int level; /* of components that are not named */
    int n;
    struct {
        char name[WORD_BYTES];
        int level;
    } component[MAX_COMPONENTS];
    int rank, size;
} log_setting;

static const char *const level_names[] = { "off", "error", "warn", "info", "debug" };

static log_setting current = { .level = ORR_INFO, .size = 1 };
static int in_group, leads; /* speaks for a group of ranks, or is silent in it */
static const char *group_component = "";
static atomic_int file_fd = -1;

static orr_status read_level(int *level, const char *word, const char *setting)
{
    const char *near;

    for (int i = ORR_LOG_OFF; i <= ORR_DEBUG; i++) {
        if (strcmp(word, level_names[i]) != 0) continue;
        *level = i;
        return ORR_OK;
    }
    near = orr_nearest(word, level_names, ORR_DEBUG + 1);
    return orr_fail(ORR_ERR_OPTION,
                    "log setting \"%.80s\": \"%s\" is no level; levels are off, error, warn, info, "
                    "debug%s%s%s",
                    setting, word, near ? "; did you mean \"" : "", near ? near : "",
                    near ? "\"?" : "");
}

/* One word of the setting: "level" or "component:level". */
static orr_status read_word(log_setting *s, char *word, const char *setting)
{
    char *colon = strchr(word, ':');

    if (!colon) return read_level(&s->level, word, setting);
    *colon = '\0';
    if (!*word)
        return orr_fail(ORR_ERR_OPTION, "log setting \"%.80s\": no component before \":%s\"",
                        setting, colon + 1);
    if (s->n == MAX_COMPONENTS)
        return orr_fail(ORR_ERR_OPTION, "log setting \"%.80s\": more than %d components", setting,
                        (int)MAX_COMPONENTS);
    ORR_TRY(read_level(&s->component[s->n].level, colon + 1, setting));
    snprintf(s->component[s->n++].name, WORD_BYTES, "%.*s", WORD_BYTES - 1, word);
    return ORR_OK;
}

orr_status orr_log_init(const char *setting, int rank, int size)
{
    log_setting s = { .level = ORR_INFO, .rank = rank, .size = size };
    const char *text = setting ? setting : getenv("ORR_LOG");

    for (const char *p = text; p && *p;) {
        size_t n = strcspn(p, ",");
        char word[2 * WORD_BYTES];

        if (n >= WORD_BYTES)
            return orr_fail(ORR_ERR_OPTION, "log setting \"%.80s\": a word of more than %d bytes",
                            text, WORD_BYTES - 1);
        snprintf(word, sizeof word, "%.*s", (int)n, p);
        ORR_TRY(read_word(&s, word, text));
        p += n + (p[n] == ',');
    }
    current = s;
    return ORR_OK;
}

orr_status orr_log_file(const char *path)
{
    int fd = -1;

    if (path && (fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0)
        return orr_fail(ORR_ERR_IO, "%s: cannot open the log file: %s", path, strerror(errno));
    fd = atomic_exchange(&file_fd, fd);
    if (fd >= 0) close(fd);
    return ORR_OK;
}

void orr_log_group(int is_leader, const char *component)
{
    in_group = 1;
    group_component = component;
    leads = is_leader;
}

void orr_log_group_end(void)
{
    in_group = 0;
}

static int on_terminal(orr_log_level level, const char *component)
{
    for (int i = 0; i < current.n; i++)
        if (!strcmp(current.component[i].name, component))
            return (int)level <= current.component[i].level;
    if (in_group && level > ORR_WARN && strcmp(component, group_component) != 0) return 0;
    return (int)level <= current.level;
}

int orr_log_on(orr_log_level level, const char *component)
{
    if (level <= ORR_LOG_OFF || level > ORR_DEBUG) return 0;
    return on_terminal(level, component) || (level <= ORR_INFO && atomic_load(&file_fd) >= 0);
}

/* "HH:MM:SS level component: rank 3: " into line; returns its length. */
static size_t add_head(char line[LINE_BYTES], orr_log_level level, const char *component)
{
    time_t now = time(NULL);
    struct tm tm;
    char rank[32] = "";
    int n;

    localtime_r(&now, &tm);
    if (current.size > 1) snprintf(rank, sizeof rank, "rank %d: ", current.rank);
    n = snprintf(line, LINE_BYTES / 2, "%02d:%02d:%02d %s %.64s: %s", tm.tm_hour, tm.tm_min,
                 tm.tm_sec, level_names[level], component, rank);
    return n > 0 ? (size_t)n : 0;
}

/* A failed write of a log line has nowhere to be told. */
static void write_line(int fd, const char *line, size_t n)
{
    ssize_t done;

    do
        done = write(fd, line, n);
    while (done < 0 && errno == EINTR);
}

static void log_line(orr_log_level level, const char *component, const char *format, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void log_line(orr_log_level level, const char *component, const char *format, va_list ap)
{
    char line[LINE_BYTES];
    size_t head = add_head(line, level, component), n, room = sizeof line - head - 1;
    int error = errno, fd = atomic_load(&file_fd), wrote;

    wrote = vsnprintf(line + head, room, format, ap);
    n = wrote < 0 ? 0 : (size_t)wrote;
    if (n >= room) { /* cut, and seen to be cut */
        n = room - 1;
        memset(line + head + n - 3, '.', 3);
    }
    n += head;
    while (n > head && line[n - 1] == '\n')
        n--;
    for (size_t i = head; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) line[i] = ' ';
    line[n++] = '\n';
    if (on_terminal(level, component)) write_line(STDERR_FILENO, line, n);
    if (level <= ORR_INFO && fd >= 0) write_line(fd, line, n);
    errno = error;
}

void orr_log(orr_log_level level, const char *component, const char *format, ...)
{
    va_list ap;

    if (!orr_log_on(level, component)) return;
    va_start(ap, format);
    log_line(level, component, format, ap);
    va_end(ap);
}

void orr_log0(orr_log_level level, const char *component, const char *format, ...)
{
    va_list ap;

    if (!(in_group ? leads : current.rank == 0) || !orr_log_on(level, component)) return;
    va_start(ap, format);
    log_line(level, component, format, ap);
    va_end(ap);
}
