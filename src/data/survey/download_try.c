/* data/survey/download_try.c - one request of a slot: how it is put, what of the answer is kept,
 * and what its end means.   Ranges: RFC 9110, sections 13.1.5 (If-Range) and 14 (Range,
 * Content-Range). */
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"
#include "data/survey/download_private.h"
#include "data/survey/unpack.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_REDIRECTS = 5, SLOWEST = 1000 /* bytes/s */, MOST_IGNORED = 1 << 20 };

__attribute__((format(printf, 2, 3))) static void say(orr_slot *s, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(s->reason, sizeof s->reason, format, ap);
    va_end(ap);
}

/* ---- the answer ---- */
/* A header of the last answer; "" when it is not there. */
static const char *answer_header(orr_slot *s, const char *name)
{
    struct curl_header *h;

    return curl_easy_header(s->easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : "";
}

/* A whole number at *text, which moves behind it; 0 when there is none. */
static int take_number(const char **text, long long *out)
{
    char *end;

    if (**text < '0' || **text > '9') return 0;
    errno = 0;
    *out = strtoll(*text, &end, 10);
    *text = end;
    return errno == 0;
}

/* "bytes 100-199/1000", or a star for the total (then -1); 0 when it says something else. */
static int read_range(const char *text, long long *first, long long *total)
{
    long long last;

    *total = -1;
    if (strncmp(text, "bytes ", 6) != 0) return 0;
    text += 6;
    if (!take_number(&text, first) || *text++ != '-' || !take_number(&text, &last)) return 0;
    if (*text++ != '/' || last < *first) return 0;
    if (strcmp(text, "*") == 0) return 1;
    return take_number(&text, total) && *text == '\0';
}

/* A strong ETag, or else the date. */
static void keep_validator(orr_slot *s)
{
    const char *etag = answer_header(s, "ETag"), *date = answer_header(s, "Last-Modified");
    const char *best = etag[0] == '"' ? etag : date;

    s->part.validator[0] = '\0';
    if (strlen(best) < sizeof s->part.validator) memcpy(s->part.validator, best, strlen(best) + 1);
}

/* The engine cannot go on: disk full, no memory. */
static int break_engine(orr_slot *s, orr_status st)
{
    if (st == ORR_ERR_EXISTS || st == ORR_ERR_SHAPE) {
        say(s, "%s", orr_error_text());
        orr_error_clear();
        return 0;
    }
    s->engine->failed = st;
    return 0;
}

static int begin_whole(orr_slot *s, const char *bytes, size_t n)
{
    curl_off_t length = -1;
    const char *looks = orr_unpack_looks(bytes, n);
    orr_status st;

    if (strncasecmp(answer_header(s, "Content-Type"), "text/html", 9) == 0 ||
        strstr(looks, "HTML")) {
        say(s, "HTML: a web page came in the file's stead");
        return 0;
    }
    if ((st = orr_download_part_restart(&s->part)) != ORR_OK) return break_engine(s, st);
    curl_easy_getinfo(s->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    s->part.total = length;
    keep_validator(s);
    s->resumed = 0;
    st = orr_download_part_begin(&s->part);
    return st == ORR_OK ? 1 : break_engine(s, st);
}

static int begin_rest(orr_slot *s)
{
    long long first = 0, total = -1;
    const char *range = answer_header(s, "Content-Range");
    orr_status st;

    if (!s->asked_range || !read_range(range, &first, &total) || first != s->part.have ||
        (total >= 0 && s->part.total >= 0 && total != s->part.total)) {
        say(s, "wrong range: \"%.60s\" in answer to bytes from %lld on", range,
            (long long)s->part.have);
        if ((st = orr_download_part_restart(&s->part)) != ORR_OK) return break_engine(s, st);
        return 0;
    }
    if (total >= 0) s->part.total = total;
    s->resumed = s->part.have;
    st = orr_download_part_begin(&s->part);
    return st == ORR_OK ? 1 : break_engine(s, st);
}

static int begin_answer(orr_slot *s, const char *bytes, size_t n)
{
    s->began = 1;
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &s->http);
    if (s->http == 200) return begin_whole(s, bytes, n);
    if (s->http == 206) return begin_rest(s);
    s->ignoring = 1; /* the text of an error page */
    return 1;
}

static size_t take_bytes(char *bytes, size_t size, size_t n, void *ctx)
{
    orr_slot *s = ctx;
    orr_status st;

    (void)size; /* 1 */
    if (!s->began && !begin_answer(s, bytes, n)) return CURL_WRITEFUNC_ERROR;
    if (s->ignoring) {
        s->ignored += (int64_t)n;
        return s->ignored < MOST_IGNORED ? n : CURL_WRITEFUNC_ERROR;
    }
    if (!orr_engine_take(s->engine, n)) {
        if (!s->paused) s->engine->n_paused++;
        s->paused = 1;
        s->paused_at = orr_now();
        return CURL_WRITEFUNC_PAUSE;
    }
    if ((st = orr_download_part_write(&s->part, bytes, n)) == ORR_OK) return n;
    break_engine(s, st);
    return CURL_WRITEFUNC_ERROR;
}

/* ---- the question ---- */
static orr_status set_range(orr_slot *s)
{
    char line[ORR_VALIDATOR_MAX + 16], range[32];

    s->asked_range = s->part.have > 0 && s->part.validator[0];
    if (!s->asked_range) return ORR_OK;
    snprintf(range, sizeof range, "%lld-", (long long)s->part.have);
    snprintf(line, sizeof line, "If-Range: %s", s->part.validator);
    s->headers = curl_slist_append(NULL, line);
    if (!s->headers || curl_easy_setopt(s->easy, CURLOPT_RANGE, range) != CURLE_OK ||
        curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->headers) != CURLE_OK)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: request of a range");
    return ORR_OK;
}

orr_status orr_try_begin(orr_slot *s)
{
    const orr_download_opts *o = s->engine->o;
    CURL *c = s->easy;
    double stall = ceil(o->stall);

    s->began = s->ignoring = s->paused = 0;
    s->ignored = 0;
    s->http = 0;
    s->retry_after = 0;
    s->error[0] = s->reason[0] = '\0';
    curl_easy_reset(c);
    curl_easy_setopt(c, CURLOPT_PRIVATE, s);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->error);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)MOST_REDIRECTS);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect_timeout * 1000));
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)SLOWEST);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)stall);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, s->engine->buffer);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
    if (curl_easy_setopt(c, CURLOPT_USERAGENT, o->user_agent) != CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_URL, s->task.urls[s->url]) != CURLE_OK)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: request");
    ORR_TRY(set_range(s));
    if (curl_multi_add_handle(s->engine->multi, c) != CURLM_OK)
        return orr_fail(ORR_ERR_NOMEM, "libcurl takes no further transfer");
    s->tries++;
    return ORR_OK;
}

/* ---- the end ---- */
/* Our range was wrong: or all of it was there already ("bytes * / 1000"). */
static orr_try_end end_416(orr_slot *s)
{
    const char *range = answer_header(s, "Content-Range");
    long long total;

    if (!s->asked_range) {
        say(s, "HTTP 416: though no range was asked for");
        return ORR_TRY_AGAIN;
    }
    range = strncmp(range, "bytes */", 8) == 0 ? range + 8 : "";
    if (take_number(&range, &total) && total == s->part.have && s->part.have > 0) {
        s->resumed = s->part.have;
        return ORR_TRY_WHOLE;
    }
    say(s, "HTTP 416: the rest from byte %lld on is not there", (long long)s->part.have);
    return ORR_TRY_AT_ONCE;
}

static orr_try_end end_body(orr_slot *s)
{
    const orr_download_part *p = &s->part;

    if (!s->began) {
        say(s, "empty: HTTP %ld without a body", s->http);
        return ORR_TRY_AGAIN;
    }
    if (p->total < 0 || p->have == p->total) return ORR_TRY_WHOLE;
    say(s, "wrong length: %lld bytes, %lld were promised", (long long)p->have, (long long)p->total);
    return ORR_TRY_AGAIN;
}

static orr_try_end end_answer(orr_slot *s)
{
    curl_off_t after = 0;

    if (s->http == 200 || s->http == 206) return end_body(s);
    if (s->http == 416) return end_416(s);
    say(s, "HTTP %ld", s->http);
    if (s->http == 404 || s->http == 410) return ORR_TRY_GONE;
    if (s->http == 429 || s->http == 503) {
        curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &after);
        s->retry_after = (double)after;
        return ORR_TRY_AGAIN;
    }
    if (s->http == 408 || s->http == 425 || s->http >= 500 || s->http < 300) return ORR_TRY_AGAIN;
    return ORR_TRY_REFUSED;
}

static orr_try_end end_broken(orr_slot *s, CURLcode code)
{
    const char *words = s->error[0] ? s->error : curl_easy_strerror(code);

    switch (code) {
    case CURLE_TOO_MANY_REDIRECTS:
        say(s, "too many redirects: more than %d", MOST_REDIRECTS);
        return ORR_TRY_REFUSED;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        if (strstr(words, "HTTP/0.9")) { /* libcurl's name for an answer without a status line */
            say(s, "not an answer: it has no status line");
            return ORR_TRY_AGAIN;
        }
        say(s, "not http or https: %s", words);
        return ORR_TRY_REFUSED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        say(s, "no connection: %s", words);
        return ORR_TRY_AGAIN;
    case CURLE_OPERATION_TIMEDOUT:
        say(s, "%s: %s", s->began || strstr(words, "slow") ? "stalled" : "no connection", words);
        return ORR_TRY_AGAIN;
    case CURLE_PARTIAL_FILE:
        say(s, "cut off: %lld bytes have come", (long long)s->part.have);
        return ORR_TRY_AGAIN;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
        say(s, "connection lost: %s", words);
        return ORR_TRY_AGAIN;
    default:
        say(s, "transfer failed: %s", words);
        return ORR_TRY_AGAIN;
    }
}

orr_try_end orr_try_finish(orr_slot *s, CURLcode code)
{
    orr_try_end end;

    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &s->http);
    if (code == CURLE_OK || s->ignoring)
        end = end_answer(s);
    else if (code == CURLE_WRITE_ERROR && s->reason[0])
        end = ORR_TRY_AGAIN; /* take_bytes gave it up and said why */
    else
        end = end_broken(s, code);
    curl_slist_free_all(s->headers);
    s->headers = NULL;
    if (end == ORR_TRY_AT_ONCE) orr_download_part_discard(&s->part);
    return end;
}
