/* data/survey/download_private.h - one engine, its slots, and the parts that share them.
 * download.c decides what is asked when; download_try.c makes one request of a slot;
 * download_part.c keeps what arrives; download_commit.c proves it and gives it its name, in threads
 * of its own. */
#ifndef ORR_DATA_SURVEY_DOWNLOAD_PRIVATE_H
#define ORR_DATA_SURVEY_DOWNLOAD_PRIVATE_H

#include "data/survey/download.h"
#include "data/survey/proof.h"

#include <curl/curl.h>
#include <pthread.h>

enum { ORR_VALIDATOR_MAX = 256, ORR_HOSTS_MAX = 16 };

/* What has arrived of a body, in PATH.part or in memory. */
typedef struct orr_download_part {
    char path[ORR_PATH_MAX]; /* final; "" = memory */
    int fd;                  /* of PATH.part; -1 */
    char *memory;
    size_t room;
    int64_t have, total;               /* total -1: not known */
    char validator[ORR_VALIDATOR_MAX]; /* for If-Range; "" none */
    int noted;                         /* PATH.part.etag is there */
} orr_download_part;

orr_status orr_download_part_open(orr_download_part *p,
                                  const char *path); /* finds what an earlier process left */
/* Ready to write at `have`: opened, locked, cut to `have`.  ORR_ERR_EXISTS: somebody else writes.
 */
orr_status orr_download_part_begin(orr_download_part *p);
orr_status orr_download_part_write(orr_download_part *p, const void *bytes, size_t n);
orr_status orr_download_part_restart(orr_download_part *p); /* forgets what has arrived */
void orr_download_part_discard(orr_download_part *p);       /* removes it */
void orr_download_part_close(orr_download_part *p);         /* keeps it (memory goes) */
orr_status orr_download_part_name(char out[ORR_PATH_MAX], const orr_download_part *p,
                                  const char *tail);

typedef enum {
    ORR_SLOT_FREE,
    ORR_SLOT_WAITING,
    ORR_SLOT_RUNNING,
    ORR_SLOT_COMMITTING
} orr_slot_state;

/* How a try ended. */
typedef enum {
    ORR_TRY_WHOLE,   /* all bytes are there: to the proof */
    ORR_TRY_GONE,    /* 404, 410 */
    ORR_TRY_REFUSED, /* this URL will not give it */
    ORR_TRY_AGAIN,   /* later, or elsewhere */
    ORR_TRY_AT_ONCE  /* the same URL, from the beginning: our range was wrong */
} orr_try_end;

typedef struct orr_engine orr_engine;

typedef struct orr_slot {
    orr_engine *engine;
    struct orr_slot *next; /* in the committers' lists */
    orr_slot_state state;
    orr_download_task task;
    orr_download_part part;
    double started, due, not_before[ORR_DOWNLOAD_URLS];
    int tries, failures, url; /* url: the one to ask next, or being asked */
    unsigned gone, refused;   /* bits of URLs */
    int64_t resumed;
    char reason[256];
    /* of the request under way */
    CURL *easy;
    struct curl_slist *headers;
    int began, ignoring, paused, asked_range;
    int64_t ignored;
    char error[CURL_ERROR_SIZE];
    double retry_after, paused_at; /* seconds, 0 = not said; the clock */
    long http;
    /* of the proof */
    orr_error proved, stored; /* what the bytes are worth; what the system says */
} orr_slot;

typedef struct orr_committers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t *threads;
    int n_threads, quit, n_queued;
    orr_slot *queued, **last, *finished;
    orr_proof_opts proof;
    CURLM *multi;
} orr_committers;

orr_status orr_committers_start(orr_committers *c, CURLM *multi, orr_proof_opts proof);
void orr_commit(orr_committers *c, orr_slot *s);
orr_slot *orr_committers_finished(orr_committers *c); /* a list by next; NULL none */
void orr_committers_end(orr_committers *c);           /* after all that is queued */

typedef struct orr_host {
    char name[256];
    double hold, down; /* not before; passed over until */
    int unreached;     /* in a row */
} orr_host;

struct orr_engine {
    const orr_download_opts *o;
    const orr_download_calls *calls;
    CURLM *multi;
    CURL **idle; /* handles not in use */
    orr_slot *slots;
    int n_slots, n_idle, n_running, n_committing, n_waiting, n_paused;
    int n_held; /* bodies in memory that are being proved */
    int no_more, ask_again;
    orr_status failed;        /* of the engine: disk full, memory */
    double request_at;        /* the next one not before */
    double tokens, tokens_at; /* bytes that may be taken now */
    long buffer;
    orr_host hosts[ORR_HOSTS_MAX];
    int n_hosts;
    orr_committers committers;
};

/* download_try.c */
orr_status orr_try_begin(orr_slot *s);
orr_try_end orr_try_finish(orr_slot *s, CURLcode code); /* fills reason, retry_after */
/* download.c: bytes may be taken now (and are counted). */
int orr_engine_take(orr_engine *e, size_t bytes);

#endif
