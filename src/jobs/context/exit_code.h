/* jobs/context/exit_code.h - what a rank's exit code says to whoever started it: 0 done; 1 failed;
 * 2 usage or job file; 75 stopped by a signal after saving, start again to go on; 76 a rank was
 * ended by its supervisor, or has lost it (jobs/context/heartbeat.h); 77 a fault of the machine was
 * seen (jobs/train/replicas.h), start again to go on from the last checkpoint.   Not collective. */
#ifndef ORR_JOBS_CONTEXT_EXIT_CODE_H
#define ORR_JOBS_CONTEXT_EXIT_CODE_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ORR_EXIT_OK = 0,
    ORR_EXIT_FAILED = 1,
    ORR_EXIT_USAGE = 2,
    ORR_EXIT_REQUEUE = 75,
    ORR_EXIT_LOST = 76,
    ORR_EXIT_MACHINE = 77
};

int orr_exit_code(orr_status st);

#ifdef __cplusplus
}
#endif
#endif
