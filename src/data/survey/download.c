/* data/survey/download.c - the engine: which task next, which of its URLs, when, and how it ended.
 */
#include "data/survey/download.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/rng.h"
#include "core/threads.h"
#include "data/survey/download_private.h"
#include "data/survey/download_rows_private.h"

#include <stdio.h>
#include <string.h>

enum { EXTRA = 8, UNREACHED = 3, BUFFER = 256 << 10 };
static const double passed_over = 30, longest_pause = 5; /* seconds */

const orr_option orr_download_options[] = { ORR_DOWNLOAD_ROWS(orr_download_opts, ),
                                            ORR_OPTION_END };

orr_status orr_download_start(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) return ORR_OK;
    return orr_fail(ORR_ERR_UNSUPPORTED, "libcurl does not start");
}

void orr_download_end_all(void)
{
    curl_global_cleanup();
}

/* ---- limits ---- */
orr_download_opts orr_download_share(const orr_download_opts *job, int rank, int size)
{
    orr_download_opts o = *job;
    double part;

    o.connections = job->connections / size + (rank < job->connections % size);
    part = (double)o.connections / job->connections;
    o.rate_mib *= part;
    o.requests *= part;
    return o;
}

int orr_engine_take(orr_engine *e, size_t bytes)
{
    double rate = e->o->rate_mib * 1048576, now;

    if (rate <= 0) return 1;
    now = orr_now();
    e->tokens += (now - e->tokens_at) * rate;
    e->tokens_at = now;
    if (e->tokens > rate * 0.1) e->tokens = rate * 0.1; /* what was not used is not made up for */
    if (e->tokens < 0) return 0;
    e->tokens -= (double)bytes;
    return 1;
}

static double may_take_at(const orr_engine *e)
{
    double rate = e->o->rate_mib * 1048576;

    return e->tokens >= 0 ? e->tokens_at : e->tokens_at - e->tokens / rate;
}

static int may_request(orr_engine *e, double now)
{
    if (e->n_running >= e->o->connections) return 0;
    if (e->o->requests <= 0) return 1;
    if (now < e->request_at) return 0;
    e->request_at = now + 1 / e->o->requests;
    return 1;
}

/* ---- hosts ---- */
/* The URL's host and port as one text into name; false when it has none, or a longer one. */
static int name_host(const char *url, char *name, size_t bytes)
{
    CURLU *parts = curl_url();
    char *host = NULL, *port = NULL;
    int ok = parts && curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == 0 &&
             curl_url_get(parts, CURLUPART_HOST, &host, 0) == 0 &&
             curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == 0;

    if (ok) ok = (size_t)snprintf(name, bytes, "%s:%s", host, port) < bytes;
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return ok;
}

/* The host of a URL; NULL when there are too many to remember. */
static orr_host *host_of(orr_engine *e, const char *url)
{
    char name[sizeof e->hosts[0].name];

    if (!name_host(url, name, sizeof name)) return NULL;
    for (int i = 0; i < e->n_hosts; i++)
        if (strcmp(e->hosts[i].name, name) == 0) return &e->hosts[i];
    if (e->n_hosts == ORR_HOSTS_MAX) return NULL;
    memcpy(e->hosts[e->n_hosts].name, name, sizeof name);
    return &e->hosts[e->n_hosts++];
}

static int is_open(const orr_slot *s, int url)
{
    return !((s->gone | s->refused) >> url & 1);
}

/* The URL to ask: the next one in turn, but not one of a host that is down if another is there. */
static int choose_url(orr_engine *e, const orr_slot *s, double now)
{
    int first = -1;

    for (int k = 0; k < s->task.n_urls; k++) {
        int url = (s->url + k) % s->task.n_urls;
        const orr_host *h;

        if (!is_open(s, url)) continue;
        h = host_of(e, s->task.urls[url]);
        if (!h || now >= h->down) return url;
        if (first < 0) first = url;
    }
    return first;
}

static void note_host(orr_engine *e, const orr_slot *s, orr_try_end end, double now)
{
    orr_host *h = host_of(e, s->task.urls[s->url]);

    if (!h) return;
    if (end == ORR_TRY_AGAIN && strncmp(s->reason, "no connection", 13) == 0) {
        if (++h->unreached >= UNREACHED) h->down = now + passed_over;
    } else if (s->http != 0) {
        h->unreached = 0;
        h->down = 0;
    }
    if (s->http == 429 && s->retry_after > 0) h->hold = now + s->retry_after;
}

/* ---- tasks ---- */
static orr_status report(orr_slot *s, orr_download_end end)
{
    orr_engine *e = s->engine;
    orr_download_outcome o = { .end = end,
                               .tries = s->tries,
                               .bytes = end == ORR_DOWNLOAD_DONE ? s->part.have : 0,
                               .resumed = end == ORR_DOWNLOAD_DONE ? s->resumed : 0,
                               .seconds = orr_now() - s->started };

    if (end != ORR_DOWNLOAD_DONE)
        snprintf(o.reason, sizeof o.reason, "%s", s->reason);
    else {
        o.body = s->part.memory;
        s->part.memory = NULL;
    }
    orr_download_part_close(&s->part);
    s->state = ORR_SLOT_FREE;
    return e->calls->done(e->calls->ctx, &s->task, &o);
}

static void wait_until(orr_slot *s, double when)
{
    s->state = ORR_SLOT_WAITING;
    s->due = when;
    s->engine->n_waiting++;
}

static void send_to_proof(orr_slot *s)
{
    s->state = ORR_SLOT_COMMITTING;
    s->engine->n_committing++;
    s->engine->n_held += !s->part.path[0];
    orr_commit(&s->engine->committers, s);
}

/* Between half and one and a half of it, by task and try. */
static double spread(const orr_slot *s, double seconds)
{
    uint64_t key =
        orr_rng_key((uint64_t)s->task.number, ORR_RNG_ORDER, (uint64_t)s->failures, 0, 0);

    return seconds * (0.5 + (double)orr_rng_unit(orr_rng_block(key, 0).v[0]));
}

/* After a try that failed: the next URL, when, or the end. */
static orr_status go_on(orr_slot *s, double now)
{
    const orr_download_opts *o = s->engine->o;
    double wait = o->backoff, after = s->retry_after;
    int n_open = 0, url = s->url;

    for (int i = 0; i < s->task.n_urls; i++)
        n_open += is_open(s, i);
    if (n_open == 0) {
        int missing = s->refused == 0;

        if (missing) snprintf(s->reason, sizeof s->reason, "not there: HTTP %ld", s->http);
        return report(s, missing ? ORR_DOWNLOAD_MISSING : ORR_DOWNLOAD_FAILED);
    }
    if (s->failures >= o->retries) return report(s, ORR_DOWNLOAD_FAILED);
    do
        s->url = (s->url + 1) % s->task.n_urls;
    while (!is_open(s, s->url));
    if (after > 0)
        s->not_before[url] = now + (after < o->retry_after_max ? after : o->retry_after_max);
    for (int i = 1; i < s->failures / n_open && wait < o->backoff_max; i++)
        wait *= 2;
    if (wait > o->backoff_max) wait = o->backoff_max;
    if (!is_open(s, url) || s->failures % n_open != 0 || (n_open == 1 && after > 0)) wait = 0;
    wait_until(s, now + spread(s, wait));
    orr_log(ORR_DEBUG, "fetch", "%s: %s; again in %.1f s", s->task.urls[url], s->reason,
            s->due - now);
    return ORR_OK;
}

static orr_status finish_try(orr_slot *s, CURLcode code)
{
    orr_engine *e = s->engine;
    double now = orr_now();
    orr_try_end end;

    end = orr_try_finish(s, code);
    curl_multi_remove_handle(e->multi, s->easy);
    e->idle[e->n_idle++] = s->easy;
    s->easy = NULL;
    e->n_running--;
    if (s->paused) e->n_paused--;
    s->paused = 0;
    if (e->failed != ORR_OK) {
        orr_download_part_close(&s->part);
        s->state = ORR_SLOT_FREE;
        return e->failed;
    }
    if (s->retry_after > e->o->retry_after_max) s->retry_after = e->o->retry_after_max;
    note_host(e, s, end, now);
    if (end == ORR_TRY_WHOLE) {
        send_to_proof(s);
        return ORR_OK;
    }
    if (end == ORR_TRY_AT_ONCE) {
        if (++s->failures >= e->o->retries) return report(s, ORR_DOWNLOAD_FAILED);
        wait_until(s, now);
        return ORR_OK;
    }
    if (s->part.path[0]) orr_download_part_close(&s->part);
    if (end == ORR_TRY_GONE) s->gone |= 1u << s->url;
    if (end == ORR_TRY_REFUSED) s->refused |= 1u << s->url;
    if (end != ORR_TRY_GONE) s->failures++;
    return go_on(s, now);
}

/* What the threads have proved. */
static orr_status finish_proof(orr_slot *s)
{
    orr_engine *e = s->engine;

    e->n_committing--;
    e->n_held -= !s->part.path[0];
    if (s->stored.code == ORR_OK && s->proved.code == ORR_OK) return report(s, ORR_DOWNLOAD_DONE);
    if (s->stored.code != ORR_OK && s->stored.code != ORR_ERR_EXISTS) {
        orr_download_part_close(&s->part);
        s->state = ORR_SLOT_FREE;
        return orr_error_raise(&s->stored);
    }
    if (s->stored.code == ORR_OK) {
        orr_download_part_discard(&s->part);
        snprintf(s->reason, sizeof s->reason, "proof failed: %.240s", s->proved.text);
    } else {
        snprintf(s->reason, sizeof s->reason, "%.240s", s->stored.text);
    }
    s->retry_after = 0;
    s->failures++;
    return go_on(s, orr_now());
}

static orr_status admit(orr_engine *e, orr_slot *s, const orr_download_task *task)
{
    if (task->n_urls < 1 || task->n_urls > ORR_DOWNLOAD_URLS)
        return orr_fail(ORR_ERR_ARG, "download: a task with %d URLs", task->n_urls);
    s->engine = e;
    s->task = *task;
    s->started = orr_now();
    s->tries = s->failures = s->url = 0;
    s->gone = s->refused = 0;
    s->resumed = 0;
    memset(s->not_before, 0, sizeof s->not_before);
    ORR_TRY(orr_download_part_open(&s->part, task->path));
    if (s->part.total > 0 && s->part.have == s->part.total) {
        s->resumed = s->part.have; /* an earlier process was stopped just before the proof */
        send_to_proof(s);
    } else
        wait_until(s, 0);
    return ORR_OK;
}

static orr_slot *free_slot(orr_engine *e)
{
    for (int i = 0; i < e->n_slots; i++)
        if (e->slots[i].state == ORR_SLOT_FREE) return &e->slots[i];
    return NULL;
}

/* Slots that wait for nothing but a connection. */
static int n_ready(const orr_engine *e, double now)
{
    int n = 0;

    for (int i = 0; i < e->n_slots; i++)
        n += e->slots[i].state == ORR_SLOT_WAITING && e->slots[i].due <= now;
    return n;
}

static orr_status ask_for_tasks(orr_engine *e, double now)
{
    int ready = n_ready(e, now);

    e->ask_again = 0;
    while (!e->no_more && e->n_running + ready < e->o->connections &&
           e->n_running + ready + e->n_held < e->o->connections + EXTRA) {
        orr_download_task task = { 0 };
        orr_slot *s = free_slot(e);
        int more = 0, wait = 0;

        if (!s) break;
        ORR_TRY(e->calls->next(e->calls->ctx, &task, &more, &wait));
        if (!more) {
            e->ask_again = wait;
            e->no_more = !wait;
            break;
        }
        ORR_TRY(admit(e, s, &task));
        ready += s->state == ORR_SLOT_WAITING;
    }
    return ORR_OK;
}

/* Begins what may begin; of what waits, the earliest due first. */
static orr_status begin_tries(orr_engine *e, double now)
{
    while (e->n_waiting > 0 && e->n_running < e->o->connections) {
        orr_slot *s = NULL;
        orr_host *h;

        for (int i = 0; i < e->n_slots; i++)
            if (e->slots[i].state == ORR_SLOT_WAITING && e->slots[i].due <= now &&
                (!s || e->slots[i].due < s->due))
                s = &e->slots[i];
        if (!s) break;
        s->url = choose_url(e, s, now);
        h = host_of(e, s->task.urls[s->url]);
        if (s->not_before[s->url] > now || (h && h->hold > now)) {
            s->due = s->not_before[s->url];
            if (h && h->hold > s->due) s->due = h->hold;
            continue;
        }
        if (!may_request(e, now)) break;
        s->easy = e->idle[--e->n_idle];
        s->state = ORR_SLOT_RUNNING;
        e->n_waiting--;
        e->n_running++;
        ORR_TRY(orr_try_begin(s));
    }
    return ORR_OK;
}

static orr_status take_messages(orr_engine *e)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(e->multi, &left))) {
        orr_slot *s = NULL;

        if (m->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &s);
        ORR_TRY(finish_try(s, m->data.result));
    }
    return ORR_OK;
}

static orr_status take_proofs(orr_engine *e)
{
    orr_slot *list = e->n_committing > 0 ? orr_committers_finished(&e->committers) : NULL;
    orr_status st = ORR_OK;

    while (list) { /* all of them, so that none is lost from sight */
        orr_slot *next = list->next;
        orr_status one = finish_proof(list);

        if (st == ORR_OK) st = one;
        list = next;
    }
    return st;
}

/* Of the transfers that wait for the rate's sake the one that goes on: the first begun, so that
 * files come to their ends one after another and not all at once; but none so late that its server
 * gives it up. */
static orr_slot *next_of_paused(orr_engine *e, double now)
{
    orr_slot *best = NULL;

    for (int i = 0; i < e->n_slots; i++) {
        orr_slot *s = &e->slots[i];

        if (s->state != ORR_SLOT_RUNNING || !s->paused) continue;
        if (now > s->paused_at + longest_pause) return s;
        if (!best || s->started < best->started) best = s;
    }
    return best;
}

static orr_status resume_paused(orr_engine *e)
{
    double now = orr_now();

    for (int n = e->n_paused; n > 0 && now >= may_take_at(e); n--) {
        orr_slot *s = next_of_paused(e, now);

        s->paused = 0;
        e->n_paused--;
        curl_easy_pause(s->easy,
                        CURLPAUSE_CONT); /* may call take_bytes, which may pause it again */
    }
    return ORR_OK;
}

/* How long nothing can happen but what libcurl or a proof reports, in ms. */
static int idle_ms(const orr_engine *e, double now)
{
    double until = now + 0.1; /* stop is asked */

    if (e->ask_again) until = now + 0.005;
    for (int i = 0; i < e->n_slots; i++)
        if (e->slots[i].state == ORR_SLOT_WAITING && e->slots[i].due < until) {
            double due = e->slots[i].due;

            if (e->n_running >= e->o->connections) break;
            if (e->o->requests > 0 && e->request_at > due) due = e->request_at;
            if (due < until) until = due;
        }
    if (e->n_paused > 0 && may_take_at(e) < until) until = may_take_at(e);
    return until <= now ? 1 : 1 + (int)((until - now) * 1000);
}

static orr_status turn(orr_engine *e)
{
    double now = orr_now();
    int running;

    ORR_TRY(ask_for_tasks(e, now));
    ORR_TRY(begin_tries(e, now));
    if (curl_multi_perform(e->multi, &running) != CURLM_OK)
        return orr_fail(ORR_ERR_NOMEM, "libcurl cannot go on");
    if (e->failed != ORR_OK) return e->failed;
    ORR_TRY(take_messages(e));
    ORR_TRY(take_proofs(e));
    ORR_TRY(resume_paused(e));
    return e->failed;
}

static orr_status run_all(orr_engine *e)
{
    double asked = 0;

    for (;;) {
        ORR_TRY(turn(e));
        if (e->no_more && e->n_running + e->n_waiting + e->n_committing == 0) return ORR_OK;
        if (e->calls->stop && orr_now() > asked + 0.05) {
            asked = orr_now();
            if (e->calls->stop(e->calls->ctx))
                return orr_fail(ORR_ERR_INTERRUPTED, "download stopped");
        }
        curl_multi_poll(e->multi, NULL, 0, idle_ms(e, orr_now()), NULL);
    }
}

/* ---- life ---- */
static orr_status create(orr_engine *e)
{
    int n = e->o->connections;
    orr_proof_opts proof = { .max_unpacked = e->o->max_unpacked };

    ORR_TRY(orr_proof_from_name(&proof.level, e->o->proof));
    e->n_slots = 4 * n + 4 * EXTRA;
    e->slots = orr_alloc((size_t)e->n_slots, sizeof *e->slots);
    e->idle = orr_alloc((size_t)n, sizeof *e->idle);
    e->multi = curl_multi_init();
    if (!e->slots || !e->idle || !e->multi)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d connections", n);
    for (int i = 0; i < e->n_slots; i++)
        e->slots[i].part.fd = -1;
    while (e->n_idle < n && (e->idle[e->n_idle] = curl_easy_init()))
        e->n_idle++;
    if (e->n_idle < n) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d connections", n);
    curl_multi_setopt(e->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)n);
    curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, (long)(2 * n));
    e->tokens_at = orr_now();
    e->buffer = BUFFER;
    if (e->o->rate_mib > 0 && e->o->rate_mib * 1048576 / 20 < BUFFER)
        e->buffer = (long)(e->o->rate_mib * 1048576 / 20) + 1024; /* libcurl's least is 1024 */
    return orr_committers_start(&e->committers, e->multi, proof);
}

/* What is being proved gets its name; what is under way keeps its .part. */
static void destroy(orr_engine *e)
{
    orr_committers_end(&e->committers);
    for (int i = 0; e->slots && i < e->n_slots; i++) {
        orr_slot *s = &e->slots[i];

        if (s->easy) {
            curl_multi_remove_handle(e->multi, s->easy);
            curl_easy_cleanup(s->easy);
        }
        curl_slist_free_all(s->headers);
        orr_download_part_close(&s->part);
    }
    for (int i = 0; i < e->n_idle; i++)
        curl_easy_cleanup(e->idle[i]);
    if (e->multi) curl_multi_cleanup(e->multi);
    orr_free(e->slots);
    orr_free(e->idle);
}

/* The files that were being proved when the run ended are told, too. */
static void drain(orr_engine *e)
{
    orr_error why;
    orr_slot *list;

    orr_error_take(&why, ORR_ERR_INTERRUPTED);
    orr_committers_end(&e->committers);
    e->committers.multi = NULL;
    for (list = e->committers.finished; list;) {
        orr_slot *next = list->next;

        if (list->stored.code == ORR_OK && list->proved.code == ORR_OK)
            (void)report(list, ORR_DOWNLOAD_DONE);
        else if (list->stored.code == ORR_OK)
            orr_download_part_discard(&list->part);
        list = next;
    }
    orr_error_raise(&why);
}

orr_status orr_download_run(const orr_download_opts *o, const orr_download_calls *calls)
{
    orr_engine e = { .o = o, .calls = calls };
    orr_status st = create(&e);

    if (st == ORR_OK) {
        st = run_all(&e);
        if (st != ORR_OK) drain(&e);
    }
    destroy(&e);
    return st;
}
