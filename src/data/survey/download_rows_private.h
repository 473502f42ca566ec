/* data/survey/download_rows_private.h - the rows of orr_download_opts' table, for a struct S in
 * which the options stand under AT: ORR_DOWNLOAD_ROWS(orr_archive_opts, download.), so that the
 * keys of one struct can stand in the section of another.   Not collective. */
#ifndef ORR_DATA_SURVEY_DOWNLOAD_ROWS_PRIVATE_H
#define ORR_DATA_SURVEY_DOWNLOAD_ROWS_PRIVATE_H

#include "core/options.h"

#include <math.h>

/* clang-format off */
#define ORR_DOWNLOAD_ROW(key, kind, S, at, def, lo, hi, choices, help) \
    { #key, kind, offsetof(S, at key), def, lo, hi, choices, 0, help, 0 }
#define ORR_DOWNLOAD_ROWS(S, AT) \
    ORR_DOWNLOAD_ROW(connections, ORR_OPT_INT, S, AT, "8", 1, 1024, 0, \
                     "transfers at once, of the whole job"), \
    ORR_DOWNLOAD_ROW(rate_mib, ORR_OPT_REAL, S, AT, "0", 0, INFINITY, 0, \
                     "MiB/s at most, of the whole job; 0 = no limit"), \
    ORR_DOWNLOAD_ROW(requests, ORR_OPT_REAL, S, AT, "0", 0, INFINITY, 0, \
                     "requests a second at most, of the whole job; 0 = no limit"), \
    ORR_DOWNLOAD_ROW(retries, ORR_OPT_INT, S, AT, "6", 1, 1000, 0, "tries of a file, in all"), \
    ORR_DOWNLOAD_ROW(backoff, ORR_OPT_REAL, S, AT, "1", 0, 3600, 0, \
                     "seconds to wait before the second try; doubled for each after it"), \
    ORR_DOWNLOAD_ROW(backoff_max, ORR_OPT_REAL, S, AT, "60", 0, 86400, 0, "but at most, seconds"), \
    ORR_DOWNLOAD_ROW(retry_after_max, ORR_OPT_REAL, S, AT, "300", 0, 86400, 0, \
                     "longest wait that a server's Retry-After is granted, seconds"), \
    ORR_DOWNLOAD_ROW(connect_timeout, ORR_OPT_REAL, S, AT, "20", 0.01, 3600, 0, \
                     "seconds to reach the server"), \
    ORR_DOWNLOAD_ROW(stall, ORR_OPT_REAL, S, AT, "30", 0.01, 3600, 0, \
                     "seconds without progress after which a try ends"), \
    ORR_DOWNLOAD_ROW(proof, ORR_OPT_CHOICE, S, AT, "structure", 0, 0, "length|stream|structure|full", \
                     "the integrity check that a file must pass before it gets its name"), \
    ORR_DOWNLOAD_ROW(max_unpacked, ORR_OPT_INT64, S, AT, "0", 0, INFINITY, 0, \
                     "bytes that a packed frame may become; 0 = 100 times its own, and at least " \
                     "256 MiB"), \
    ORR_DOWNLOAD_ROW(user_agent, ORR_OPT_STRING, S, AT, "orrery/" ORRERY_VERSION, 0, 0, 0, \
                     "who asks, as the archive sees it")
/* clang-format on */

#endif
