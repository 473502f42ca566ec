# shellcheck shell=bash
# slurm/orrery.sh - what the batch scripts share: which program, how many ranks and threads, one launch, and how a job
# that is stopped comes back.  docs/slurm.md is the manual.
#
#   ORRERY               the program [orrery on PATH, else build/release/src/jobs/orrery]
#   ORRERY_LAUNCH        mpirun | srun (needs pmix in `srun --mpi=list`) [mpirun]
#   ORRERY_LAUNCH_ARGS   more words for the launcher
#   ORRERY_BIND          core | hwthread | none: what mpirun binds a rank's threads to [core]
#   ORRERY_MAX_REQUEUES  a job that was restarted this often is not requeued at its time limit [10]
#   ORRERY_LIMIT_MARGIN  a stop this near to the time limit, in seconds, is put down to it [180]

orrery_say() { printf '%s orrery.sh: %s\n' "$(date '+%F %T')" "$*" >&2; }

# ---- what to run ----
orrery_folder=${ORRERY_HOME:-${SLURM_SUBMIT_DIR:-.}}/slurm
orrery_find() {
    local built="${ORRERY_HOME:-${SLURM_SUBMIT_DIR:-.}}/build/release/src/jobs/orrery"
    [ -n "${ORRERY-}" ] || ORRERY=$(command -v orrery) || ORRERY=$built
    [ -x "$ORRERY" ] && return
    orrery_say "there is no program at $ORRERY; build it (CONTRIBUTING.md), or set ORRERY to where it is"
    return 1
}

orrery_environment() {
    export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1} # a job file's runtime.threads goes before it
    if [ "$(id -u)" -eq 0 ]; then # Open MPI refuses root unless told twice
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
}

orrery_dump() { # WORD ...
    printf '== %s: job %s (%s), start %d on %s\n' "$(date '+%F %T')" "$(orrery_id)" "${SLURM_JOB_NAME:-?}" \
        "$((${SLURM_RESTART_COUNT:-0} + 1))" "${SLURM_JOB_NODELIST:-$(hostname)}"
    printf '%s' "$(orrery_nodes) nodes, $(orrery_ranks) ranks, $OMP_NUM_THREADS threads a rank"
    printf ', GPUs: %s\n' "${SLURM_JOB_GPUS:-${CUDA_VISIBLE_DEVICES:-none}}"
    printf '%s\n' "$ORRERY, by ${ORRERY_LAUNCH:-mpirun}, in $PWD"
    env | grep -E '^(SLURM|SBATCH|ORRERY|OMP|OMPI|UCX|PMIX|OPENBLAS|CUDA)_?' | sort
    printf '== orrery %s\n' "$*"
}

# ---- where ----
orrery_id() { # what scontrol takes: a task of an array is not its job's number
    if [ -n "${SLURM_ARRAY_JOB_ID-}" ]; then
        printf '%s_%s' "$SLURM_ARRAY_JOB_ID" "$SLURM_ARRAY_TASK_ID"
    else
        printf '%s' "${SLURM_JOB_ID:-0}"
    fi
}
orrery_nodes() { printf '%s' "${SLURM_JOB_NUM_NODES:-1}"; }
orrery_ranks() { printf '%s' "${SLURM_NTASKS:-1}"; }

# ---- one launch ----
orrery_launcher() { # sets orrery_words
    local each=$OMP_NUM_THREADS
    case "${ORRERY_LAUNCH:-mpirun}" in
    mpirun)
        # In a session of its own, and its daemons behind a shell: a SIGTERM from Slurm must reach this script, which
        # has the ranks save, not mpirun, which kills them two seconds later and forgets their exit code.
        orrery_words=(setsid mpirun -n "$(orrery_ranks)" --mca orte_launch_agent "$orrery_folder/orted.sh")
        case "${ORRERY_BIND:-core}" in
        core) orrery_words+=(--map-by "slot:PE=$each" --bind-to core:overload-allowed) ;;
        hwthread) orrery_words+=(--use-hwthread-cpus --map-by "slot:PE=$each" --bind-to hwthread:overload-allowed) ;;
        none) orrery_words+=(--bind-to none) ;;
        *) orrery_say "ORRERY_BIND=$ORRERY_BIND: core, hwthread or none"; return 1 ;;
        esac
        ;;
    srun)
        if ! srun --mpi=list 2>&1 | grep -qw pmix; then
            orrery_say 'srun offers no pmix here (srun --mpi=list); leave ORRERY_LAUNCH out and mpirun starts the ranks'
            return 1
        fi
        orrery_words=(srun --mpi=pmix -n "$(orrery_ranks)" -c "$each" --kill-on-bad-exit=1)
        ;;
    *) orrery_say "ORRERY_LAUNCH=$ORRERY_LAUNCH: mpirun or srun"; return 1 ;;
    esac
    # shellcheck disable=SC2206 # words, on purpose
    orrery_words+=(${ORRERY_LAUNCH_ARGS-})
}

orrery_forward() { # NAME: to the ranks, once they are there
    orrery_say "got $1: the ranks save at the end of their step"
    orrery_signalled=1
    orrery_woken=1
    [ -z "$orrery_pid" ] || kill -USR1 "$orrery_pid" 2>/dev/null
}

# Runs the words; bash's wait ends early at a trapped signal, so it is asked again.  Sets orrery_code.
orrery_launch() {
    orrery_pid='' orrery_signalled='' orrery_code=0
    trap 'orrery_forward USR1' USR1
    trap 'orrery_forward TERM' TERM
    "$@" &
    orrery_pid=$!
    [ -z "$orrery_signalled" ] || kill -USR1 "$orrery_pid" 2>/dev/null
    while :; do
        orrery_woken=
        wait "$orrery_pid"
        orrery_code=$?
        [ -n "$orrery_woken" ] || break
    done
}

# ---- coming back ----
orrery_field() { # KEY: of what Slurm knows of this job, times in seconds
    printf '%s\n' "$orrery_job" | tr ' ' '\n' | sed -n "s/^$1=//p" | head -n 1
}

orrery_ask() { # what Slurm knows of this job, into orrery_job
    command -v scontrol >/dev/null &&
        orrery_job=$(SLURM_TIME_FORMAT=%s scontrol show job -o "$(orrery_id)" 2>/dev/null)
}

orrery_preempted() { case $(orrery_field PreemptTime) in '' | None | Unknown | 0) return 1 ;; esac }

orrery_timed_out() {
    local end
    end=$(orrery_field EndTime)
    [ "${end:-0}" -gt 0 ] 2>/dev/null && [ $((end - $(date +%s))) -le "${ORRERY_LIMIT_MARGIN:-180}" ]
}

# Brings the job back, unless Slurm is ending it or there is no more of it to be had.  Sets orrery_code.
orrery_requeue() { # WHAT: stopped and saved ...
    local state restarts=${SLURM_RESTART_COUNT:-0}
    orrery_code=75
    if [ -z "$orrery_job" ]; then
        orrery_say "$1; there is no scontrol that knows this job: exit 75, start again to go on"
        return
    fi
    state=$(orrery_field JobState)
    if [ "$state" != RUNNING ]; then # scancel, or Slurm brings it back by itself
        orrery_say "$1; Slurm is ending the job ($state): not requeued from here"
    elif ! orrery_preempted && orrery_timed_out && [ "$restarts" -ge "${ORRERY_MAX_REQUEUES:-10}" ]; then
        orrery_say "$1 at the time limit; restarted $restarts times already: not requeued, submit it again to go on"
        orrery_code=124
    elif scontrol requeue "$(orrery_id)"; then
        orrery_say "$1; job $(orrery_id) is requeued"
    else
        orrery_say "$1; job $(orrery_id) could not be requeued: exit 75, start again to go on"
    fi
}

# By the exit code of the launch: see docs/slurm.md.
orrery_end() {
    # What died of the signal had not begun to listen: nothing was done yet, nothing is lost.
    [ "$orrery_code" -ne $((128 + $(kill -l USR1))) ] || orrery_code=75
    case $orrery_code in 0 | 2) return ;; esac
    orrery_job=
    orrery_ask
    if [ "$orrery_code" -eq 75 ]; then
        orrery_requeue 'stopped and saved'
    elif orrery_preempted; then
        orrery_requeue "ended with $orrery_code while being preempted, after what was saved last"
    fi
}

# orrery_run COMMAND [FILE] [key=value ...]: launches orrery on all ranks of the allocation; ends the script.
orrery_run() {
    orrery_environment
    { orrery_find && orrery_launcher; } || exit 2
    orrery_dump "$@"
    orrery_launch "${orrery_words[@]}" "$ORRERY" "$@"
    trap '' USR1 TERM # requeued, this script is told to end
    orrery_end
    orrery_say "exit $orrery_code"
    exit "$orrery_code"
}
