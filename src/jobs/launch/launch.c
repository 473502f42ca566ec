/* jobs/launch/launch.c - starts after starts, until the command is done or may not be started
 * again. */
#include "jobs/launch/launch.h"
#include "core/cores.h"
#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"
#include "jobs/context/context.h"
#include "jobs/context/exit_code.h"
#include "jobs/context/job_config.h"
#include "jobs/context/signals.h"
#include "jobs/launch/attempt.h"
#include "jobs/launch/here.h"
#include "jobs/launch/launch_status.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wordexp.h>

enum { HOSTS_MAX = 1024, RANKS_MAX = 100000, TOLD_MAX = 4096 };

#ifdef ORRERY_MPI
#define default_mpirun "mpirun --oversubscribe --bind-to none"
#else
#define default_mpirun "none"
#endif

static const char loopback[] = "127.0.0.1";

const orr_option orr_launch_options[] = {
    ORR_OPTION_INT(orr_launch_opts, ranks, "0", 0, RANKS_MAX,
                   "ranks to start; 0 = the slots of hosts, else the cores of this machine"),
    ORR_OPTION_INT(orr_launch_opts, min_ranks, "1", 1, RANKS_MAX,
                   "fewer are not started when hosts are lost; default: restart.min_ranks of the "
                   "command's job"),
    ORR_OPTION_INT(orr_launch_opts, restarts, "3", 0, 1000000,
                   "new starts after faults; default: restart.max of the command's job"),
    ORR_OPTION_REAL(orr_launch_opts, grace, "10", 1, 3600,
                    "seconds after which a rank that hears nothing ends itself"),
    ORR_OPTION_REAL(orr_launch_opts, silence, "2.5", 1, 3600,
                    "seconds without a word after which a rank is stopped or cut off"),
    ORR_OPTION_REAL(orr_launch_opts, start, "60", 1, 86400,
                    "seconds in which every rank has to come"),
    ORR_OPTION_STRING(orr_launch_opts, mpirun, default_mpirun,
                      "launcher and its words, without -n; srun is known, too; none: one rank "
                      "on this machine, without MPI"),
    ORR_OPTION_STRING(orr_launch_opts, hosts, "",
                      "hosts and their slots, a:4,b:4, as mpirun's --host has them; a lost one is "
                      "left out"),
    ORR_OPTION_STRING(
        orr_launch_opts, address, "",
        "what ranks call this machine, where launch listens; default: 127.0.0.1; with "
        "hosts the address from which all of them are reached, where there is one; "
        "else, and under a batch system, its host name, and all addresses"),
    ORR_OPTION_STRING(orr_launch_opts, status, "",
                      "file that says once a second, as JSON, what every rank does; default: "
                      "launch.json in the folder of the command's run, if it makes one; none"),
    ORR_OPTION_END,
};

typedef struct host {
    char name[ORR_HOST_MAX];
    int slots;
} host;

typedef struct launch {
    orr_launch_opts o;
    int n_command; /* the command and what belongs to it */
    char **command;
    char program[ORR_PATH_MAX], here[ORR_HOST_MAX], run[ORR_PATH_MAX];
    host hosts[HOSTS_MAX];
    int n_hosts, ranks, restarts, same_place; /* same_place: faults in a row there */
    wordexp_t words;                          /* of o.mpirun */
    const char **argv;
    char *host_list; /* of this attempt */
    orr_attempt attempt;
    char last_place[ORR_ERROR_MAX];
    cJSON *faults;
    orr_launch_status *status; /* NULL: there is none */
    double told;               /* when */
    char slow[TOLD_MAX];       /* ranks that were called so */
} launch;

/* ---- signals ---- */
static volatile sig_atomic_t n_signals;

static void on_signal(int number)
{
    (void)number;
    n_signals = n_signals + 1;
}

static int count_signals(void)
{
    return n_signals;
}

static volatile sig_atomic_t n_suspends;

static void on_suspend(int number)
{
    (void)number;
    n_suspends = n_suspends + 1;
}

static int count_suspends(void)
{
    return n_suspends;
}

static void heed_signals(void)
{
    struct sigaction action = { .sa_handler = on_suspend, .sa_flags = SA_RESTART }, before;

    orr_signals_catch(on_signal);
    sigaction(SIGTSTP, NULL, &before);
    if (before.sa_handler != SIG_IGN) sigaction(SIGTSTP, &action, NULL);
    signal(SIGCHLD, SIG_DFL); /* whoever ignores it is not told how a child ended */
}

/* ---- hosts ---- */
static orr_status read_hosts(launch *l)
{
    for (const char *p = l->o.hosts; *p;) {
        size_t n = strcspn(p, ",");
        char word[ORR_HOST_MAX], *colon;
        int64_t slots = 1;
        host *h = &l->hosts[l->n_hosts];

        if (n == 0 || n >= sizeof word || l->n_hosts == HOSTS_MAX)
            return orr_fail(ORR_ERR_OPTION, "hosts=%.80s: write host:slots,host:slots (at most %d)",
                            l->o.hosts, (int)HOSTS_MAX);
        snprintf(word, sizeof word, "%.*s", (int)n, p);
        if ((colon = strrchr(word, ':'))) *colon++ = '\0';
        if (colon && (orr_parse_int64(&slots, colon) != ORR_OK || slots < 1 || slots > RANKS_MAX))
            return orr_fail(ORR_ERR_OPTION, "hosts=%.80s: \"%s\" is no number of slots", l->o.hosts,
                            colon);
        snprintf(h->name, sizeof h->name, "%s", word);
        h->slots = (int)slots;
        l->n_hosts++;
        p += n + (p[n] == ',');
    }
    return ORR_OK;
}

static int slots(const launch *l)
{
    int n = 0;

    for (int i = 0; i < l->n_hosts; i++)
        n += l->hosts[i].slots;
    return n;
}

/* "node1", "node1.site.org" and "10.0.0.1" may be one host. */
static int is_host(const host *h, const orr_rank_view *v)
{
    size_t n = strcspn(v->host, "."), m = strcspn(h->name, ".");

    return strcmp(h->name, v->host) == 0 || strcmp(h->name, v->address) == 0 ||
           (n == m && strncmp(h->name, v->host, n) == 0 && strspn(h->name, "0123456789") < m);
}

static host *host_of(launch *l, const orr_rank_view *v)
{
    for (int i = 0; i < l->n_hosts; i++)
        if (is_host(&l->hosts[i], v)) return &l->hosts[i];
    return NULL;
}

/* Where the ranks were, when nobody said where they should be. */
static void learn_hosts(launch *l)
{
    const orr_rank_view *v = orr_supervisor_views(l->attempt.supervisor);

    for (int r = 0; l->o.hosts[0] == '\0' && r < l->attempt.ranks; r++) {
        host *h = host_of(l, &v[r]);
        if (!v[r].came || (!h && l->n_hosts == HOSTS_MAX)) continue;
        if (!h) {
            h = &l->hosts[l->n_hosts++];
            *h = (host){ 0 };
            snprintf(h->name, sizeof h->name, "%s", v[r].host);
        }
        h->slots++;
    }
}

/* Hosts that are cut off are left out from now on; returns how many. */
static int lose_hosts(launch *l)
{
    const orr_rank_view *v = orr_supervisor_views(l->attempt.supervisor);
    int lost = 0;

    if (l->attempt.rank < 0 || l->attempt.verdict[l->attempt.rank] != ORR_RANK_CUT_OFF) return 0;
    if (l->n_hosts == 0) learn_hosts(l);
    for (int r = 0; r < l->attempt.ranks; r++) {
        host *h = host_of(l, &v[r]);
        if (l->attempt.verdict[r] != ORR_RANK_CUT_OFF || !h) continue;
        orr_log(ORR_WARN, "launch", "%s and its %d slot%s are left out from now on", h->name,
                h->slots, h->slots == 1 ? "" : "s");
        *h = l->hosts[--l->n_hosts];
        lost++;
    }
    if (slots(l) < l->ranks) l->ranks = slots(l);
    return lost;
}

/* ---- the status file ---- */
static cJSON *rank_json(const launch *l, int r, double now)
{
    const orr_rank_view *v = &orr_supervisor_views(l->attempt.supervisor)[r];
    cJSON *o = cJSON_CreateObject();

    cJSON_AddNumberToObject(o, "rank", r);
    cJSON_AddStringToObject(o, "verdict", orr_verdict_name(l->attempt.verdict[r]));
    if (!v->came) return o;
    cJSON_AddStringToObject(o, "host", v->host);
    cJSON_AddNumberToObject(o, "pid", v->pid);
    cJSON_AddStringToObject(o, "phase", v->phase);
    cJSON_AddNumberToObject(o, "step", (double)v->step);
    cJSON_AddNumberToObject(o, "heard", (double)(int64_t)((now - v->heard) * 1e3) * 1e-3);
    cJSON_AddNumberToObject(o, "idle", (double)(int64_t)(v->idle * 1e3) * 1e-3);
    if (v->done) cJSON_AddNumberToObject(o, "code", v->code);
    return o;
}

static void put_status(const launch *l, const char *state)
{
    cJSON *o, *ranks;

    if (!l->status) return;
    o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "command", l->command[0]);
    cJSON_AddStringToObject(o, "state", state);
    cJSON_AddStringToObject(o, "run", l->run);
    cJSON_AddNumberToObject(o, "updated", (double)time(NULL));
    cJSON_AddNumberToObject(o, "restarts", l->restarts);
    cJSON_AddItemToObject(o, "faults", cJSON_Duplicate(l->faults, 1));
    ranks = cJSON_AddArrayToObject(o, "ranks");
    for (int r = 0; l->attempt.supervisor && r < l->attempt.ranks; r++)
        cJSON_AddItemToArray(ranks, rank_json(l, r, orr_now()));
    orr_launch_status_put(l->status, o);
}

/* run: folder of the command's run; "": it has none.  A folder that never becomes a run gets no
 * file. */
static orr_status open_status(launch *l, const char *run)
{
    char path[ORR_PATH_MAX], job[ORR_PATH_MAX];

    if (strcmp(l->o.status, "none") == 0) return ORR_OK;
    if (l->o.status[0]) return orr_launch_status_create(&l->status, l->o.status, "");
    if (!run[0]) return ORR_OK;
    ORR_TRY(orr_path_join(path, run, "launch.json"));
    ORR_TRY(orr_path_join(job, run, "job.yaml"));
    return orr_launch_status_create(&l->status, path, job);
}

static void tell_slow(launch *l)
{
    const orr_rank_view *v = orr_supervisor_views(l->attempt.supervisor);

    for (int r = 0; r < l->attempt.ranks && r < TOLD_MAX; r++) {
        if (l->attempt.verdict[r] != ORR_RANK_SLOW || l->slow[r]) continue;
        l->slow[r] = 1;
        orr_log(ORR_WARN, "launch", "rank %d on %s is slow in %s, step %lld", r, v[r].host,
                v[r].phase, (long long)v[r].step);
    }
}

static void tick(void *ctx)
{
    launch *l = ctx;
    double now = orr_now();

    tell_slow(l);
    if (now < l->told + 1) return;
    l->told = now;
    put_status(l, l->attempt.over ? "ending" : "running");
}

/* ---- one start ---- */
static int is_named(const char *path, const char *name)
{
    return strcmp(orr_path_name(path), name) == 0;
}

static orr_status build_host_list(launch *l)
{
    orr_text t = ORR_TEXT_INIT;

    for (int i = 0; i < l->n_hosts; i++)
        orr_text_printf(&t, "%s%s:%d", i ? "," : "", l->hosts[i].name, l->hosts[i].slots);
    orr_free(l->host_list);
    l->host_list = orr_strdup(t.s ? t.s : "");
    orr_text_free(&t);
    return l->host_list ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: hosts");
}

/* Open MPI's mpirun hands on what it is told to; others hand on the whole environment. */
static orr_status build_argv(launch *l, char ranks[16])
{
    static const char *const exported[] = { "-x", "ORR_HEARTBEAT",      "-x", "ORR_HEARTBEAT_KEY",
                                            "-x", "ORR_HEARTBEAT_GRACE" };
    size_t n = 0, words = l->words.we_wordc;

    orr_free(l->argv);
    l->argv = orr_alloc(words + (size_t)l->n_command + 16, sizeof *l->argv);
    if (!l->argv) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d words", l->n_command);
    ORR_TRY(build_host_list(l));
    for (size_t i = 0; i < words; i++)
        l->argv[n++] = l->words.we_wordv[i];
    if (words > 0) {
        snprintf(ranks, 16, "%d", l->ranks);
        l->argv[n++] = "-n";
        l->argv[n++] = ranks;
    }
    if (words > 0 && !is_named(l->argv[0], "srun")) {
        if (l->n_hosts > 0) {
            l->argv[n++] = "--host";
            l->argv[n++] = l->host_list;
        }
        for (size_t i = 0; i < sizeof exported / sizeof *exported; i++)
            l->argv[n++] = exported[i];
    }
    l->argv[n++] = l->program;
    for (int i = 0; i < l->n_command; i++)
        l->argv[n++] = l->command[i];
    return ORR_OK;
}

static orr_status run_once(launch *l)
{
    char ranks[16];
    orr_attempt *a = &l->attempt;

    orr_attempt_free(a);
    memset(l->slow, 0, sizeof l->slow);
    ORR_TRY(build_argv(l, ranks));
    *a = (orr_attempt){ .argv = l->argv,
                        .again = l->restarts > 0,
                        .ranks = l->ranks,
                        .grace = l->o.grace,
                        .address = l->o.address[0] ? l->o.address : l->here,
                        .is_local = !l->o.address[0] && strcmp(l->here, loopback) == 0,
                        .limits = ORR_VERDICT_OPTS_INIT,
                        .signals = count_signals,
                        .is_rank = l->words.we_wordc == 0,
                        .suspends = count_suspends,
                        .suspended = n_suspends,
                        .tick = tick,
                        .ctx = l };
    a->limits.silence = l->o.silence;
    a->limits.start = l->o.start;
    return orr_attempt_run(a);
}

/* ---- again? ---- */
static double wall_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void note_fault(launch *l)
{
    const orr_attempt *a = &l->attempt;
    cJSON *o = cJSON_CreateObject();
    char place[ORR_ERROR_MAX] = "";

    cJSON_AddStringToObject(o, "what", a->why);
    cJSON_AddNumberToObject(o, "when", wall_clock() - (orr_now() - a->at));
    cJSON_AddItemToArray(l->faults, o);
    if (cJSON_GetArraySize(l->faults) > ORR_LAUNCH_FAULTS_MAX)
        cJSON_DeleteItemFromArray(l->faults, 0);
    if (a->rank >= 0) {
        const orr_rank_view *v = &orr_supervisor_views(a->supervisor)[a->rank];
        snprintf(place, sizeof place, "rank %d, %s, step %lld", a->rank, v->phase,
                 (long long)v->step);
    }
    l->same_place = place[0] && strcmp(place, l->last_place) == 0 ? l->same_place + 1 : 1;
    snprintf(l->last_place, sizeof l->last_place, "%s", place);
}

/* ORR_OK: start again. */
static orr_status try_again(launch *l)
{
    int lost;

    note_fault(l);
    if (l->attempt.signalled)
        return orr_fail(ORR_ERR_INTERRUPTED,
                        "stopped by a signal; before it could save: %s; the "
                        "same command resumes from the last checkpoint",
                        l->attempt.why);
    if (l->restarts == l->o.restarts && l->same_place > 1)
        return orr_fail(ORR_ERR_COMM,
                        "%d restarts are used up, the last %d faults at the same place (%s): look "
                        "at what happens there",
                        l->restarts, l->same_place, l->last_place);
    if (l->restarts == l->o.restarts)
        return orr_fail(ORR_ERR_COMM,
                        "%d restarts are used up; last: %s; the same command resumes from the last "
                        "checkpoint",
                        l->restarts, l->attempt.why);
    lost = lose_hosts(l);
    if (l->ranks < l->o.min_ranks)
        return orr_fail(ORR_ERR_COMM, "%d ranks are left, min_ranks is %d; lost: %s", l->ranks,
                        l->o.min_ranks, l->attempt.why);
    l->restarts++;
    orr_log(ORR_WARN, "launch", "starts again on %d ranks%s (restart %d of %d)", l->ranks,
            lost ? ", without the lost host" : "", l->restarts, l->o.restarts);
    return ORR_OK;
}

static orr_status run_all(launch *l, int *code)
{
    for (;;) {
        ORR_TRY(run_once(l));
        if (!l->attempt.fault) {
            *code = l->attempt.code;
            return ORR_OK;
        }
        ORR_TRY(try_again(l));
    }
}

/* ---- the command ---- */
/* Where it listens, unless it is told to: beyond this machine only for a job that goes there. */
static void find_here(launch *l)
{
    const char *nodes = getenv("SLURM_JOB_NUM_NODES"), *names[HOSTS_MAX];

    for (int i = 0; i < l->n_hosts; i++)
        names[i] = l->hosts[i].name;
    if (l->n_hosts > 0 || (nodes && strcmp(nodes, "1") != 0))
        orr_here(l->here, names, l->n_hosts);
    else
        snprintf(l->here, sizeof l->here, "%s", loopback);
}

static orr_status set_up(launch *l)
{
    ssize_t n = readlink("/proc/self/exe", l->program, sizeof l->program - 1);

    if (n <= 0) return orr_fail(ORR_ERR_IO, "cannot tell where this program is");
    l->faults = cJSON_CreateArray();
    ORR_TRY(read_hosts(l));
    if (strcmp(l->o.mpirun, "none") != 0 &&
        wordexp(l->o.mpirun, &l->words, WRDE_NOCMD | WRDE_UNDEF) != 0) {
        l->words = (wordexp_t){ 0 };
        return orr_fail(ORR_ERR_OPTION, "mpirun=%.200s does not read as words of a shell",
                        l->o.mpirun);
    }
    if (strcmp(default_mpirun, "none") == 0 && l->words.we_wordc > 0)
        return orr_fail(ORR_ERR_UNSUPPORTED, "this build has no MPI: mpirun=none is all it can do");
    l->ranks = l->o.ranks ? l->o.ranks : l->n_hosts ? slots(l) : orr_cores_usable();
    if (l->words.we_wordc == 0) l->ranks = 1;
    if (l->ranks < l->o.min_ranks)
        return orr_fail(ORR_ERR_OPTION, "ranks=%d is less than min_ranks=%d", l->ranks,
                        l->o.min_ranks);
    find_here(l);
    return ORR_OK;
}

/* ---- the job of the command ---- */
static orr_status default_to(orr_config *config, const char *key, int value)
{
    char text[64];

    if (orr_node_get(orr_config_root(config), key)) return ORR_OK;
    snprintf(text, sizeof text, "%s=%d", key, value);
    return orr_config_set(config, text);
}

/* What it says about starting again, and the folder of its run.  A job that does not read is the
 * command's to complain about. */
static orr_status read_job(launch *l, orr_config *config)
{
    orr_args args = { 0 };
    orr_restart_opts restart;
    const orr_node *run;
    orr_config *job = NULL;
    orr_status st = ORR_OK;

    for (int i = 1; i < l->n_command; i++) {
        if (!orr_is_assignment(l->command[i])) {
            if (args.n_words == 0) args.words[args.n_words++] = l->command[i];
        } else if (args.n_assignments < (int)(sizeof args.assignments / sizeof *args.assignments)) {
            args.assignments[args.n_assignments++] = l->command[i];
        }
    }
    if (orr_job_config_restart(&job, &restart, args.words[0], &args) != ORR_OK) return ORR_OK;
    run = orr_node_get(orr_config_root(job), "run");
    snprintf(l->run, sizeof l->run, "%s", run ? run->scalar : "");
    ORR_TRY_GOTO(st, done, default_to(config, "restarts", restart.max));
    st = default_to(config, "min_ranks", restart.min_ranks);
done:
    orr_config_destroy(job);
    return st;
}

/* Assignments before the command are ours. */
static orr_status read_line(launch *l, orr_config *config, int argc, char **argv)
{
    int i = 0;

    for (; i < argc && orr_is_assignment(argv[i]); i++)
        ORR_TRY(orr_config_set(config, argv[i]));
    if (i == argc || argv[i][0] == '-')
        return orr_fail(ORR_ERR_ARG, "launch needs a command to start: orrery launch ranks=4 train "
                                     "JOB.yaml");
    if (strcmp(argv[i], "launch") == 0)
        return orr_fail(ORR_ERR_ARG, "launch does not launch itself");
    if (getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMIX_RANK"))
        return orr_fail(ORR_ERR_ARG, "launch starts the ranks itself: not under mpirun or srun");
    l->command = argv + i;
    l->n_command = argc - i;
    ORR_TRY(read_job(l, config));
    return orr_options_read(&l->o, orr_launch_options, orr_config_root(config), "launch");
}

static void clean_up(launch *l)
{
    orr_launch_status_destroy(l->status);
    orr_attempt_free(&l->attempt);
    wordfree(&l->words);
    cJSON_Delete(l->faults);
    orr_free(l->host_list);
    orr_free(l->argv);
    orr_free(l);
}

int orr_launch(int argc, char **argv)
{
    launch *l = orr_alloc(1, sizeof *l);
    orr_config *config = NULL;
    int code = ORR_EXIT_FAILED;
    orr_status st = l ? orr_log_init(NULL, 0, 1) : orr_fail(ORR_ERR_NOMEM, "out of memory");

    heed_signals();
    if (st == ORR_OK) st = orr_config_empty(&config);
    if (st == ORR_OK) st = read_line(l, config, argc, argv);
    if (st == ORR_OK) st = set_up(l);
    if (st == ORR_OK) st = open_status(l, l->run);
    if (st == ORR_OK) st = run_all(l, &code);
    if (st != ORR_OK) {
        code = orr_exit_code(st);
        fprintf(stderr, "orrery launch: %s\n", orr_error_text());
    }
    if (l) put_status(l, "ended");
    if (l) clean_up(l);
    orr_config_destroy(config);
    return code;
}
