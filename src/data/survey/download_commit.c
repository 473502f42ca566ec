/* data/survey/download_commit.c - from whole bytes to a file with its name: proof, fsync, rename,
 * fsync of the folder.
 *
 * All of it takes longer than a transfer on a fast line, so threads of their own do it.  A thread
 * takes its share of what waits and does it in steps, each for all of the share: a file system puts
 * the later fsyncs of such a run into one write of its journal. */
#include "core/cores.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"
#include "data/survey/download_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AT_ONCE = 8, MOST_THREADS = 8 };

static void cannot_store(orr_slot *s, orr_status st)
{
    orr_error_keep(&s->stored, st);
}

/* What the proof says; what kept it from saying anything is no news about the bytes. */
static void judged(orr_slot *s, orr_status st)
{
    orr_error_keep(orr_is_data_fault(st) ? &s->proved : &s->stored, st);
}

/* The file is seen where it lies in the page cache: a copy would cost more than the proof. It is
 * ours, locked, and was written just now. */
static void prove_file(orr_slot *s, orr_proof_opts o)
{
    const orr_download_part *p = &s->part;
    void *bytes = mmap(NULL, (size_t)p->have, PROT_READ, MAP_PRIVATE | MAP_POPULATE, p->fd, 0);
    struct stat now;

    if (bytes == MAP_FAILED || fstat(p->fd, &now) != 0)
        cannot_store(
            s, orr_fail(ORR_ERR_IO, "%s.part: cannot read it back: %s", p->path, strerror(errno)));
    else if (now.st_size != p->have)
        cannot_store(s, orr_fail(ORR_ERR_IO, "%s.part: %lld bytes, %lld were written", p->path,
                                 (long long)now.st_size, (long long)p->have));
    else
        judged(s, orr_prove(bytes, (size_t)p->have, o, p->path));
    if (bytes != MAP_FAILED) munmap(bytes, (size_t)p->have);
}

static void prove(orr_slot *s, orr_proof_opts o)
{
    const orr_download_part *p = &s->part;

    s->proved = s->stored = (orr_error){ 0 };
    if (p->path[0] && p->fd < 0) cannot_store(s, orr_download_part_begin(&s->part));
    if (s->stored.code != ORR_OK || o.level <= ORR_PROOF_LENGTH) return;
    if (p->path[0])
        prove_file(s, o);
    else
        judged(s, orr_prove(p->memory, (size_t)p->have, o, s->task.urls[0]));
}

static int is_file_to_store(const orr_slot *s)
{
    return s->part.path[0] && s->proved.code == ORR_OK && s->stored.code == ORR_OK;
}

static void sync_file(orr_slot *s)
{
    if (fsync(s->part.fd) == 0) return;
    cannot_store(s, orr_fail(ORR_ERR_IO, "%s.part: cannot write to disk: %s", s->part.path,
                             strerror(errno)));
}

/* The note goes first: whoever is killed between the two begins this one file again, where a note
 * without its file would stay for ever. */
static void rename_file(orr_slot *s)
{
    char from[ORR_PATH_MAX], note[ORR_PATH_MAX];
    orr_status st;

    if (s->part.noted && orr_download_part_name(note, &s->part, ".part.etag") == ORR_OK)
        (void)unlink(note);
    st = orr_download_part_name(from, &s->part, ".part");
    if (st == ORR_OK && rename(from, s->part.path) != 0)
        st = orr_fail(ORR_ERR_IO, "%s: cannot rename it to %s: %s", from, s->part.path,
                      strerror(errno));
    cannot_store(s, st);
    close(s->part.fd);
    s->part.fd = -1;
}

static void sync_folder(orr_slot *s, const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP))
        cannot_store(s,
                     orr_fail(ORR_ERR_IO, "%s: cannot write to disk: %s", folder, strerror(errno)));
    if (fd >= 0) close(fd);
}

static void sync_folders(orr_slot *list)
{
    char folder[ORR_PATH_MAX], last[ORR_PATH_MAX] = "";

    for (orr_slot *s = list; s; s = s->next) {
        if (!is_file_to_store(s) || orr_path_dir(folder, s->part.path) != ORR_OK) continue;
        if (strcmp(folder, last) == 0) continue;
        sync_folder(s, folder);
        memcpy(last, folder, strlen(folder) + 1);
    }
}

static void commit_all(orr_slot *list, orr_proof_opts o)
{
    for (orr_slot *s = list; s; s = s->next)
        prove(s, o);
    for (orr_slot *s = list; s; s = s->next)
        if (is_file_to_store(s)) sync_file(s);
    for (orr_slot *s = list; s; s = s->next)
        if (is_file_to_store(s)) rename_file(s);
    sync_folders(list);
}

/* Takes a thread's share of what waits, in the order it came.  With the lock. */
static orr_slot *take(orr_committers *c)
{
    int n = (c->n_queued + c->n_threads - 1) / c->n_threads;
    orr_slot *first = c->queued, *last = first;

    if (n > AT_ONCE) n = AT_ONCE;
    for (int i = 1; i < n; i++)
        last = last->next;
    c->queued = last->next;
    if (!c->queued) c->last = &c->queued;
    last->next = NULL;
    c->n_queued -= n;
    return first;
}

static void put_finished(orr_committers *c, orr_slot *list)
{
    while (list) {
        orr_slot *next = list->next;

        list->next = c->finished;
        c->finished = list;
        list = next;
    }
}

static void *work(void *ctx)
{
    orr_committers *c = ctx;

    pthread_mutex_lock(&c->lock);
    for (;;) {
        orr_slot *list;

        while (!c->queued && !c->quit)
            pthread_cond_wait(&c->wake, &c->lock);
        if (!c->queued) break;
        list = take(c);
        pthread_mutex_unlock(&c->lock);
        commit_all(list, c->proof);
        pthread_mutex_lock(&c->lock);
        put_finished(c, list);
        curl_multi_wakeup(c->multi);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static int wanted_threads(orr_proof level)
{
    int cores = orr_cores_usable();

    if (level < ORR_PROOF_STRUCTURE) return 2; /* one waits for the disk, one reads */
    return cores < 2 ? 2 : cores > MOST_THREADS ? MOST_THREADS : cores;
}

orr_status orr_committers_start(orr_committers *c, CURLM *multi, orr_proof_opts proof)
{
    int n = wanted_threads(proof.level), error = 0;

    *c = (orr_committers){ .proof = proof, .multi = multi };
    c->last = &c->queued;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    if (!(c->threads = orr_alloc((size_t)n, sizeof *c->threads)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d threads", n);
    while (!error && c->n_threads < n)
        if (!(error = orr_thread_start(&c->threads[c->n_threads], work, c))) c->n_threads++;
    if (c->n_threads > 0) return ORR_OK;
    return orr_fail(ORR_ERR_NOMEM, "cannot start a thread for proofs: %s", strerror(error));
}

void orr_commit(orr_committers *c, orr_slot *s)
{
    pthread_mutex_lock(&c->lock);
    s->next = NULL;
    *c->last = s;
    c->last = &s->next;
    c->n_queued++;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

orr_slot *orr_committers_finished(orr_committers *c)
{
    orr_slot *list;

    pthread_mutex_lock(&c->lock);
    list = c->finished;
    c->finished = NULL;
    pthread_mutex_unlock(&c->lock);
    return list;
}

void orr_committers_end(orr_committers *c)
{
    if (!c->multi) return; /* never started */
    pthread_mutex_lock(&c->lock);
    c->quit = 1;
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < c->n_threads; i++)
        pthread_join(c->threads[i], NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    orr_free(c->threads);
}
