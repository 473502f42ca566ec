/* data/survey/download.h - many files from an archive over HTTP, a few at a time, each of them
 * proved.
 *
 * One engine a process: libcurl multi with keep-alive, at most `connections` transfers at once, a
 * rate limit, and no more requests a second than asked (redirects are not counted).  The caller is
 * asked for the next task whenever there is room, and told the outcome of each.  A task goes to a
 * file or to memory.
 *
 * A try fails on: no connection, reset, stall (less than 1000 bytes/s for `stall` seconds, rounded
 * up to whole ones), a body shorter or longer than Content-Length says or empty, a status other
 * than 200 or 206, HTML where a file should be, a body whose proof fails.  The next try goes to the
 * next of its URLs (mirrors, in order, round and round): at once while there are some that this
 * round has not asked, else after backoff * 2^(rounds - 1) seconds, up to backoff_max, with a share
 * drawn from the task's number.  A URL that answered 429 or 503 with Retry-After (seconds or date)
 * is not asked again before that, nor, with 429, any other of its host; at most retry_after_max.  A
 * host that cannot be reached several times in a row is passed over for a while where there are
 * mirrors.  404 and 410 from every mirror: missing.  Other 4xx, too many redirects: that URL is not
 * asked again; failed when none is left.  After `retries` tries (those that a 404 answered not
 * counted): failed.  Redirects are followed (at most 5, http and https alone).
 * A file is written as PATH.part, locked; a try that breaks off leaves it, and the next one, also
 * in a later process, asks for the rest (Range and If-Range with the ETag or date noted in
 * PATH.part.etag; without either, or when the answer is not that rest, it begins again).  Proof,
 * fsync, rename, fsync of the folder, by threads of the engine's own while transfers go on: what
 * has its final name is whole.  A file whose proof fails is thrown away.
 *
 * Proof (data/survey/proof.h): `length` alone, `stream` (the whole chain of bzip2 blocks),
 * `structure` (also a FITS header that fits), `full` (decoded, every checksum).
 *
 * Not collective; callbacks come from the thread that runs the engine.   Errors of the engine
 * itself (no memory, disk full: ORR_ERR_IO) end the run; transfers in flight keep their .part.
 * Every wait has an end: connect_timeout, stall, and backoff bound each try.  Needs memory for
 * `connections` buffers of 256 KiB and for the bodies of tasks to memory: at most connections + 8
 * of those that are under way or being proved, and those that wait for their next try. */
#ifndef ORR_DATA_SURVEY_DOWNLOAD_H
#define ORR_DATA_SURVEY_DOWNLOAD_H

#include "core/file.h"
#include "core/options.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_DOWNLOAD_URLS = 8 };

/* How to ask: part of the `archive:` section. */
typedef struct orr_download_opts {
    int connections; /* at once; of the whole job: jobs gives each rank its share */
    double rate_mib; /* MiB/s; of the whole job; 0 = no limit */
    double requests; /* a second, of the whole job; 0 = no limit */
    int retries;     /* tries in all */
    double backoff, backoff_max, retry_after_max; /* seconds */
    double connect_timeout, stall;                /* seconds */
    const char *proof;                            /* length | stream | structure | full */
    int64_t max_unpacked;   /* bytes that a packed frame may become; 0: data/formats/bytes.h says */
    const char *user_agent; /* who asks: archives want to know */
} orr_download_opts;
extern const orr_option orr_download_options[];

/* A rank's share of the job's limits: connections 0 = it has none and does not download. */
orr_download_opts orr_download_share(const orr_download_opts *job, int rank, int size);

typedef struct orr_download_task {
    int64_t number;
    int n_urls;
    const char *urls[ORR_DOWNLOAD_URLS]; /* mirrors in order; valid until the task is done */
    const char *path;                    /* final name, whose folder is there; NULL: into memory */
    void *ctx;                           /* the caller's */
} orr_download_task;

typedef enum { ORR_DOWNLOAD_DONE, ORR_DOWNLOAD_MISSING, ORR_DOWNLOAD_FAILED } orr_download_end;

typedef struct orr_download_outcome {
    orr_download_end end;
    int tries;
    int64_t bytes, resumed; /* of the file; of them those that an earlier try had brought */
    double seconds;
    /* Why it failed, or is missing: of the last try.  Up to ":" the kind of reason, for tables. */
    char reason[256];
    void *body; /* memory tasks, DONE: bytes of it, the callback's to orr_free */
} orr_download_outcome;

typedef struct orr_download_calls {
    /* Fills *task; *more = 0 when there is none at the moment: with `wait` set to 1 the engine asks
     * again soon, with 0 it finishes what is in flight and ends. */
    orr_status (*next)(void *ctx, orr_download_task *task, int *more, int *wait);
    orr_status (*done)(void *ctx, const orr_download_task *task, orr_download_outcome *outcome);
    /* Asked several times a second: not zero = stop now (parts are kept).  May be NULL. */
    int (*stop)(void *ctx);
    void *ctx;
} orr_download_calls;

/* Runs until there are no more tasks; ORR_ERR_INTERRUPTED when stopped. */
orr_status orr_download_run(const orr_download_opts *o, const orr_download_calls *calls);
/* Once a process, before the first run and any thread of it; and at its end. */
orr_status orr_download_start(void);
void orr_download_end_all(void);

#ifdef __cplusplus
}
#endif
#endif
