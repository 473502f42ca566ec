/* core/mapped.c - mmap, and a list of what is mapped that a signal handler can walk: entries are
 * used again, never freed. */
#include "core/mapped.h"
#include "core/file.h"
#include "core/memory.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct entry {
    struct entry *next;
    atomic_uintptr_t begin, end; /* end 0: of no file */
    atomic_int lost;
    char path[ORR_PATH_MAX];
} entry;

static _Atomic(entry *) entries;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of who adds and removes */
static int has_handler;
static struct sigaction before;

/* Only what a handler may call: mmap is a system call and no more here. */
static void on_bus_error(int number, siginfo_t *info, void *context)
{
    uintptr_t at = (uintptr_t)info->si_addr;
    int error = errno;

    (void)context;
    for (entry *e = atomic_load(&entries); e; e = e->next) {
        uintptr_t end = atomic_load(&e->end), page;

        if (at < atomic_load(&e->begin) || at >= end) continue;
        page = at & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
        atomic_store(&e->lost, 1);
        if (mmap((void *)page, end - page, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1,
                 0) != MAP_FAILED) {
            errno = error;
            return;
        }
    }
    sigaction(number, &before, NULL); /* the fault comes again, to whom it belongs */
    errno = error;
}

/* With the lock. */
static void set_handler(void)
{
    struct sigaction a = { 0 };

    if (has_handler) return;
    a.sa_sigaction = on_bus_error;
    a.sa_flags = SA_SIGINFO;
    sigemptyset(&a.sa_mask);
    has_handler = sigaction(SIGBUS, &a, &before) == 0;
}

/* With the lock. */
static entry *free_entry(void)
{
    entry *e = atomic_load(&entries);

    while (e && atomic_load(&e->end))
        e = e->next;
    if (e || !(e = orr_alloc(1, sizeof *e))) return e;
    e->next = atomic_load(&entries);
    atomic_store(&entries, e);
    return e;
}

static orr_status note(const void *p, size_t n, const char *path)
{
    entry *e;

    pthread_mutex_lock(&lock);
    set_handler();
    if ((e = free_entry())) {
        strncpy(e->path, path, sizeof e->path - 1);
        atomic_store(&e->lost, 0);
        atomic_store(&e->begin, (uintptr_t)p);
        atomic_store(&e->end, (uintptr_t)p + n);
    }
    pthread_mutex_unlock(&lock);
    return e ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
}

orr_status orr_mapped_open(const void **p, size_t *n, const char *path)
{
    int64_t bytes = 0;
    void *pages;
    orr_status st;
    int fd;

    *p = NULL;
    *n = 0;
    ORR_TRY(orr_open_input(&fd, &bytes, path));
    pages = bytes > 0 ? mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (bytes == 0) return orr_fail(ORR_ERR_FORMAT, "%s: the file is empty", path);
    if (pages == MAP_FAILED)
        return orr_fail(ORR_ERR_IO, "%s: cannot map %lld bytes: %s", path, (long long)bytes,
                        strerror(errno));
    if ((st = note(pages, (size_t)bytes, path)) != ORR_OK) {
        munmap(pages, (size_t)bytes);
        return st;
    }
    *p = pages;
    *n = (size_t)bytes;
    return ORR_OK;
}

void orr_mapped_close(const void *p, size_t n)
{
    if (!p) return;
    pthread_mutex_lock(&lock);
    for (entry *e = atomic_load(&entries); e; e = e->next)
        if (atomic_load(&e->end) && atomic_load(&e->begin) == (uintptr_t)p) {
            atomic_store(&e->end, 0);
            break;
        }
    pthread_mutex_unlock(&lock);
    munmap((void *)(uintptr_t)p, n);
}

orr_status orr_mapped_check(void)
{
    orr_status st = ORR_OK;

    pthread_mutex_lock(&lock);
    for (entry *e = atomic_load(&entries); e && st == ORR_OK; e = e->next)
        if (atomic_load(&e->end) && atomic_load(&e->lost))
            st = orr_fail(ORR_ERR_IO,
                          "%s: became shorter while it was read; start again when nobody writes it",
                          e->path);
    pthread_mutex_unlock(&lock);
    return st;
}
