/* core/lock.h - one job at a time: a lock on a folder or a file, which ends with its process.
 *
 * Every command that makes something holds one on what it makes under a name that is not yet the
 * final one (OUT.tmp, a folder or a file), or on a file in the folder that it keeps to itself
 * (.lock of a run).  A second job is refused with what is busy; what a killed one left is free.
 * Once the lock is there, the name still leads to what is locked: whoever had it before may have
 * given its work another name.  Some file systems have no locks: then nothing keeps a second job
 * out, which is logged as a warning, and users must know what they do.   Not collective: one rank
 * holds it. Errors: ORR_ERR_EXISTS when it is busy, ORR_ERR_IO. */
#ifndef ORR_CORE_LOCK_H
#define ORR_CORE_LOCK_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_lock {
    int fd;   /* -1: none is held */
    int none; /* the file system has none */
} orr_lock;
/* clang-format off */
#define ORR_LOCK_INIT { .fd = -1 }
/* clang-format on */

typedef enum {
    ORR_LOCK_FILE,  /* path is a file, made when it is not there */
    ORR_LOCK_FOLDER /* path is a folder that is there */
} orr_lock_kind;

/* shared: beside others who share it.  Waits for at most `seconds`.  busy: the end of the sentence,
 * "PATH: another job ..." */
typedef struct orr_lock_opts {
    orr_lock_kind kind;
    int shared;
    double seconds;
    const char *busy; /* NULL: "another orrery is at work on it; wait for it, or choose another
                         out" */
} orr_lock_opts;

/* *l is none on failure. */
orr_status orr_lock_take(orr_lock *l, const char *path, const orr_lock_opts *o);
/* For this process alone a lock that it shares; it goes on being held otherwise. */
orr_status orr_lock_alone(orr_lock *l, const char *path, const orr_lock_opts *o);
/* Of a file under construction (orr_tmp_path), until it has its name: written by one at a time. */
orr_status orr_lock_tmp(orr_lock *l, const char *tmp);
/* Does the name lead to what is locked (or could it, where there are no locks)? */
int orr_lock_holds(const orr_lock *l, const char *path);
/* Copes with none. */
void orr_lock_release(orr_lock *l);

#ifdef __cplusplus
}
#endif
#endif
