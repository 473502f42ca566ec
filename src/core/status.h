/* core/status.h - what a function answers, and the one sentence that goes with a failure.
 * A function returns ORR_OK (0), an error (< 0), or ORR_PENDING (> 0, only where the prototype says
 * so).  orr_fail() stores the sentence and where it was detected in thread-local memory and returns
 * the code.  The sentence says what, where, and what to do; it is set where the fault is detected,
 * passed up untouched, and printed once, by jobs.  Control characters but line ends become '?'.  No
 * allocation, so that reporting out-of-memory cannot fail.
 *
 * Who has something to do between a failure and its return (give back, go on beside others, hand it
 * to another thread) makes it a value: orr_error_take, and orr_error_raise where it goes on. Nobody
 * copies sentences by hand: the place would be lost.
 *
 * Some failures are news about the input (orr_is_data_fault): a file that is damaged may be set
 * aside and the work go on.  All others are about the program, the machine or the job, and are
 * never turned into such news: they go up as they are.   Not collective. */
#ifndef ORR_CORE_STATUS_H
#define ORR_CORE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum orr_status {
    ORR_OK = 0,
    ORR_PENDING = 1,           /* not an error: ask again */
    ORR_ERR_NOMEM = -1,        /* memory */
    ORR_ERR_ARG = -2,          /* a caller's mistake, also on the command line */
    ORR_ERR_IO = -3,           /* the system refused: missing file, permission, disk full */
    ORR_ERR_FORMAT = -4,       /* input whose content is wrong: ragged row, bad magic, truncated */
    ORR_ERR_SHAPE = -5,        /* sizes that do not fit together */
    ORR_ERR_OPTION = -6,       /* job file: unknown key, out of range, missing */
    ORR_ERR_EXISTS = -7,       /* output that is already there */
    ORR_ERR_UNSUPPORTED = -8,  /* known, and not available in this build or for this kind */
    ORR_ERR_COMM = -9,         /* MPI */
    ORR_ERR_TIMEOUT = -10,     /* a wait passed its deadline */
    ORR_ERR_NUMERIC = -11,     /* NaN or Inf where there must be none */
    ORR_ERR_INTERRUPTED = -12, /* a signal asked to stop; state was saved */
    ORR_ERR_INTERNAL = -13,    /* an Orrery defect */
    ORR_ERR_MACHINE = -14      /* memory or processor did what they must not; start again */
} orr_status;

enum { ORR_ERROR_MAX = 1024 }; /* bytes of a sentence, with its end */

/* The code is told to the compiler too: it then knows that a function that fails does not say
 * ORR_OK. */
#define orr_fail(code, ...)                                                                        \
    orr_fail_is((code), orr_fail_at(__FILE__, __LINE__, (code), __VA_ARGS__))

/* Stores "text" and file:line for this thread; returns code. */
orr_status orr_fail_at(const char *file, int line, orr_status code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static inline orr_status orr_fail_is(orr_status code, orr_status said)
{
    (void)said;
    return code;
}
/* Puts words before the stored sentence ("data/a.csv: " ...): for a caller who knows what the
 * callee cannot.  Returns code. */
orr_status orr_fail_prefix(orr_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same behind it. */
orr_status orr_fail_more(orr_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

const char *orr_error_text(void);  /* of this thread, "" if none; until its next orr_fail */
const char *orr_error_where(void); /* "file.c:123" of the sentence, "" if none */
void orr_error_clear(void);        /* for a caller that swallows an error */
const char *orr_status_name(orr_status st); /* "out of memory", "bad input", ... */

/* Is st what data can be guilty of: FORMAT, SHAPE, NUMERIC, UNSUPPORTED (a kind of file that nobody
 * here reads), IO (a file that cannot be read)?  Not so memory, a caller's mistake, a defect, a
 * machine, other ranks, a signal. */
int orr_is_data_fault(orr_status st);

/* ---- a failure as a value ---- */
enum { ORR_WHERE_MAX = 96 };
/* Plain bytes: may be copied, compared by code, sent to another rank; zeroed: no failure. */
typedef struct orr_error {
    orr_status code;
    char where[ORR_WHERE_MAX], text[ORR_ERROR_MAX];
} orr_error;

/* Moves this thread's sentence into *out, with st as its code; the thread has none then.  st
 * ORR_OK: *out holds no failure, the thread keeps what it has. */
void orr_error_take(orr_error *out, orr_status st);
/* Makes *e this thread's failure, with its own place, and returns its code.  Without a failure in
 * it: ORR_OK, and the thread keeps what it has. */
orr_status orr_error_raise(const orr_error *e);
/* Of several failures the first one: takes st's when *first holds none yet, forgets it otherwise.
 * Returns first->code.  Threads that share *first hold a lock. */
orr_status orr_error_keep(orr_error *first, orr_status st);

/* Only where nothing is held: returns at once. */
#define ORR_TRY(expr)                                                                              \
    do {                                                                                           \
        orr_status orr_try_st_ = (expr);                                                           \
        if (orr_try_st_ != ORR_OK) return orr_try_st_;                                             \
    } while (0)

/* Where something is held: st receives the answer, control goes to the label on failure. */
#define ORR_TRY_GOTO(st, label, expr)                                                              \
    do {                                                                                           \
        (st) = (expr);                                                                             \
        if ((st) != ORR_OK) goto label;                                                            \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
