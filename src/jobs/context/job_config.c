/* jobs/context/job_config.c - file, assignments, and the section that only orrery launch reads. */
#include "jobs/context/job_config.h"

#include <string.h>

const orr_option orr_restart_options[] = {
    ORR_OPTION_INT(orr_restart_opts, max, "3", 0, 1000000, "new starts after faults"),
    ORR_OPTION_INT(orr_restart_opts, min_ranks, "1", 1, 100000,
                   "fewer are not started when hosts are lost"),
    ORR_OPTION_END,
};

int orr_is_assignment(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");

    return n > 0 && s[n] == '=';
}

orr_status orr_job_config_restart(orr_config **out, orr_restart_opts *restart, const char *file,
                                  const orr_args *args)
{
    orr_config *c = NULL;
    orr_status st = file ? orr_config_load(&c, file) : orr_config_empty(&c);

    if (file && (st == ORR_ERR_IO || st == ORR_ERR_FORMAT)) st = ORR_ERR_OPTION; /* no job file */
    for (int i = 0; st == ORR_OK && i < args->n_assignments; i++)
        st = orr_config_set(c, args->assignments[i]);
    if (st == ORR_OK)
        st = orr_options_read(restart, orr_restart_options,
                              orr_node_get(orr_config_root(c), "restart"), "restart");
    if (st == ORR_OK) {
        orr_config_remove(c, "restart");
    } else {
        orr_config_destroy(c);
        c = NULL;
    }
    *out = c;
    return st;
}

orr_status orr_job_config(orr_config **out, const char *file, const orr_args *args)
{
    orr_restart_opts restart;

    return orr_job_config_restart(out, &restart, file, args);
}
