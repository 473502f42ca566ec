# shellcheck shell=bash
# slurm/orrery.sh - what the batch scripts share: which program, how many ranks and threads, one
# launch, and how a job that is stopped, or has lost a node, goes on.  docs/slurm.md is the manual.
#
#   ORRERY               the program [orrery on PATH, else build/release/src/jobs/orrery]
#   ORRERY_LAUNCH        mpirun | srun (needs pmix in `srun --mpi=list`) [mpirun]
#   ORRERY_LAUNCH_ARGS   more words for mpirun or srun
#   ORRERY_BIND          core | hwthread | none: what mpirun binds a rank's threads to [core]
#   ORRERY_SUPERVISE     keys of orrery launch: "restarts=3 min_ranks=4 status=FILE" []
#   ORRERY_ADDRESS       what ranks on other nodes call the first one [what Slurm calls it]
#   ORRERY_MAX_REQUEUES  so often a job is requeued at its time limit, or for a fault of a machine [10]
#   ORRERY_LIMIT_MARGIN  a stop this near to the time limit, in seconds, is put down to it [180]

orrery_say() { printf '%s orrery.sh: %s\n' "$(date '+%F %T')" "$*" >&2; }

# ---- what to run ----
orrery_folder=${ORRERY_HOME:-${SLURM_SUBMIT_DIR:-.}}/slurm
orrery_find() {
    local built="${orrery_folder%/slurm}/build/release/src/jobs/orrery"
    [ -n "${ORRERY-}" ] || ORRERY=$(command -v orrery) || ORRERY=$built
    [ -x "$ORRERY" ] && return
    orrery_say "there is no program at $ORRERY; build it (CONTRIBUTING.md), or set ORRERY to where it is"
    return 1
}

orrery_environment() {
    export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1} # a job file's runtime.threads goes before it
    export SLURM_OVERLAP=1 # a step that still waits for a lost node must not keep the next one from its cores
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
    env | grep -E '^(SLURM|SBATCH|ORRERY|OMP|OMPI|UCX|PMIX|OPENBLAS|CUDA|ROCR|HIP|GPU)_?' | sort
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
orrery_nodes() { printf '%s' "${SLURM_JOB_NUM_NODES:-${SLURM_NNODES:-1}}"; }
orrery_ranks() { printf '%s' "$orrery_n_ranks"; }

# Sets orrery_slots to the tasks of each node, of a list like 4(x2),3; fails on any other text.
orrery_expand() { # LIST
    local part times list=",${1//[[:space:]]/}"
    orrery_slots=()
    [[ $list =~ ^(,0*[1-9][0-9]*([(]x0*[1-9][0-9]*[)])?)+$ ]] || return 1
    for part in ${list//,/ }; do
        times=1
        if [[ $part == *x* ]]; then times=${part#*x} times=${times%?}; fi
        part=${part%%[(]*}
        for ((times = 10#$times; times > 0; times--)); do orrery_slots+=("$((10#$part))"); done
    done
}

# Sets orrery_n_ranks, and orrery_slots to how they lie on the nodes.  Where --ntasks-per-node alone
# leaves SLURM_NTASKS unset, the number is what was asked for on each node, else the sum of what
# Slurm put there.
orrery_count() {
    local slot each=${SLURM_NTASKS_PER_NODE-} all=${SLURM_NTASKS:-${SLURM_NPROCS-}} sum=0
    orrery_slots=()
    if [ -n "${SLURM_TASKS_PER_NODE-}" ] && ! orrery_expand "$SLURM_TASKS_PER_NODE"; then
        orrery_say "SLURM_TASKS_PER_NODE=$SLURM_TASKS_PER_NODE is no list like 4(x2),3"
        return 1
    fi
    if [ -z "$all" ] && [ -n "$each" ] && ! orrery_expand "$each(x$(orrery_nodes))"; then
        orrery_say "SLURM_NTASKS_PER_NODE=$each on $(orrery_nodes) nodes is no number of ranks"
        return 1
    fi
    for slot in "${orrery_slots[@]}"; do sum=$((sum + slot)); done
    orrery_n_ranks=${all:-$sum}
    if [[ ! $orrery_n_ranks =~ ^[0-9]+$ ]]; then
        orrery_say "SLURM_NTASKS=$orrery_n_ranks is no number of ranks"
        return 1
    fi
    if [ "$orrery_n_ranks" -eq 0 ]; then
        [ -z "${SLURM_JOB_ID-}" ] ||
            orrery_say 'Slurm does not say how many tasks there are (SLURM_NTASKS and SLURM_TASKS_PER_NODE are unset): 1 rank; sbatch --ntasks-per-node=N makes more'
        orrery_n_ranks=1
    fi
}

# Sets orrery_names and keeps orrery_slots, one a node, when there are several and Slurm can be
# asked; else empties both.
orrery_places() {
    orrery_names=()
    if [ "$(orrery_nodes)" -gt 1 ] && command -v scontrol >/dev/null; then
        mapfile -t orrery_names < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
    fi
    if [ "${#orrery_names[@]}" -ne "${#orrery_slots[@]}" ]; then orrery_names=() orrery_slots=(); fi
}

# Prints those of the nodes that start nothing any more; this one does.
orrery_silent() { # NAME ...
    # shellcheck disable=SC2016 # sh's own $1
    printf '%s\n' "$@" | grep -vxF "${SLURMD_NODENAME:-$(hostname -s)}" | xargs -r -P 32 -I '{}' sh -c \
        'timeout -k 5 30 env -u SLURM_HINT srun --overlap --mem=0 --mpi=none -Q -N 1 -n 1 -w "$1" true >/dev/null 2>&1 ||
            echo "$1"' sh '{}'
}

# Takes them out of orrery_names; fails when there are none.
orrery_leave_out() {
    local lost='' i names=() slots=()
    [ "${#orrery_names[@]}" -gt 1 ] || return 1
    [ -z "$orrery_note" ] || [ ! -s "$orrery_note" ] || lost=$(<"$orrery_note")
    [ -n "$lost" ] || lost=$(orrery_silent "${orrery_names[@]}")
    [ -n "$lost" ] || return 1
    lost=" ${lost//$'\n'/ } "
    for i in "${!orrery_names[@]}"; do
        [[ $lost != *" ${orrery_names[i]} "* ]] || continue
        names+=("${orrery_names[i]}") slots+=("${orrery_slots[i]}")
    done
    orrery_names=("${names[@]}") orrery_slots=("${slots[@]}")
    orrery_say "lost:${lost% }; goes on with ${orrery_names[*]}"
}

# Runs on other nodes.  With --no-kill Slurm goes on with a job that lost nodes, also the one that
# this script ran on.
orrery_watch() { # ID NODE
    local nodes
    trap '' USR1 USR2
    while sleep 10; do
        nodes=$(scontrol show job -o "$1" | sed -n 's/.* NodeList=\([^ ]*\) .*/\1/p')
        if [ -n "$nodes" ] && ! scontrol show hostnames "$nodes" | grep -qxF "$2"; then
            scontrol requeue "$1"
            return
        fi
    done
}

orrery_guard() { # starts it on two other nodes, or ends it
    local others
    [ -z "$orrery_guard_pid" ] || kill "$orrery_guard_pid" 2>/dev/null
    orrery_guard_pid=
    [ "$1" = start ] && [ "${#orrery_names[@]}" -gt 1 ] && [ -n "${SLURMD_NODENAME-}" ] || return 0
    mapfile -t others < <(printf '%s\n' "${orrery_names[@]}" | grep -vxF "$SLURMD_NODENAME" | head -n 2)
    env -u SLURM_HINT srun --overlap --mem=0 --gres=none --mpi=none -Q --no-kill -N "${#others[@]}" -n "${#others[@]}" \
        -w "$(IFS=,; printf '%s' "${others[*]}")" \
        bash -c "$(declare -f orrery_watch); orrery_watch '$(orrery_id)' '$SLURMD_NODENAME'" >/dev/null 2>&1 &
    orrery_guard_pid=$!
}

# ---- one launch ----
orrery_quote() { # WORD ...: as a shell reads them
    local word
    for word; do printf "'%s' " "${word//\'/\'\\\'\'}"; done
}

# A file for nodes that are lost, not there yet, where nobody else can put one: a folder of our own.
orrery_new_note() {
    if [ -n "$orrery_note" ]; then
        rm -f "$orrery_note"
        return
    fi
    orrery_note=$(mktemp -d "${TMPDIR:-/tmp}/orrery-XXXXXXXXXX")/lost || {
        orrery_note=
        orrery_say "no folder can be made in ${TMPDIR:-/tmp}"
        return 1
    }
}

orrery_forget_note() {
    [ -z "$orrery_note" ] || rm -rf "${orrery_note%/lost}"
    orrery_note=
}

orrery_mpirun() { # sets orrery_start
    local each=$OMP_NUM_THREADS
    orrery_start=(mpirun)
    if [ "${#orrery_names[@]}" -gt 1 ]; then
        orrery_new_note || return
        orrery_start=(bash "$orrery_folder/start.sh" "$orrery_note" mpirun)
    fi
    # Daemons behind a shell: a SIGTERM from Slurm to a step must have its ranks save, not kill
    # them.
    if [[ $orrery_folder == *[[:space:]]* ]]; then
        orrery_say "a path with spaces cannot be given to Open MPI: its daemons run without slurm/orted.sh"
    else
        orrery_start+=(--mca orte_launch_agent "$orrery_folder/orted.sh")
    fi
    case "${ORRERY_BIND:-core}" in
    core) orrery_start+=(--map-by "slot:PE=$each" --bind-to core:overload-allowed) ;;
    hwthread) orrery_start+=(--use-hwthread-cpus --map-by "slot:PE=$each" --bind-to hwthread:overload-allowed) ;;
    none) orrery_start+=(--bind-to none) ;;
    *) orrery_say "ORRERY_BIND=$ORRERY_BIND: core, hwthread or none"; return 1 ;;
    esac
}

orrery_srun() { # sets orrery_start
    local names
    if ! srun --mpi=list 2>&1 | grep -qw pmix; then
        orrery_say 'srun offers no pmix here (srun --mpi=list); leave ORRERY_LAUNCH out and mpirun starts the ranks'
        return 1
    fi
    orrery_start=(srun --mpi=pmix -c "$OMP_NUM_THREADS" --kill-on-bad-exit=1)
    [ "${#orrery_names[@]}" -eq 0 ] && return
    names=$(IFS=,; printf '%s' "${orrery_names[*]}")
    orrery_start+=(-N "${#orrery_names[@]}" -w "$names")
}

# Sets orrery_words: orrery launch starts the ranks, names what goes wrong with one, and starts
# again.
orrery_launcher() {
    local ranks=0 hosts='' i start address=${ORRERY_ADDRESS-}
    case "${ORRERY_LAUNCH:-mpirun}" in
    mpirun) orrery_mpirun || return ;;
    srun) orrery_srun || return ;;
    *) orrery_say "ORRERY_LAUNCH=$ORRERY_LAUNCH: mpirun or srun"; return 1 ;;
    esac
    for i in "${!orrery_names[@]}"; do
        ranks=$((ranks + orrery_slots[i]))
        hosts+=",${orrery_names[i]}:${orrery_slots[i]}"
    done
    [ "$ranks" -gt 0 ] || ranks=$(orrery_ranks)
    if [ -z "$address" ] && [ "${#orrery_names[@]}" -gt 1 ]; then
        address=$(scontrol show node "${SLURMD_NODENAME-}" 2>/dev/null | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p')
    fi
    # shellcheck disable=SC2206 # words, on purpose
    orrery_start+=(${ORRERY_LAUNCH_ARGS-})
    start=$(orrery_quote "${orrery_start[@]}")
    orrery_words=("$ORRERY" launch "ranks=$ranks" "mpirun='${start//\'/\'\'}'") # quoted as YAML has it
    [ -z "$hosts" ] || orrery_words+=("hosts=${hosts#,}")
    [ -z "$address" ] || orrery_words+=("address=$address")
    # shellcheck disable=SC2206
    orrery_words+=(${ORRERY_SUPERVISE-})
    # Slurm may signal every process of the job: what this script passes on must not be a second
    # time, which ends the ranks without saving.  Where env cannot shield launch, a session of its
    # own does for most of Slurm's ways.
    if env --block-signal=TERM true 2>/dev/null; then
        orrery_words=(env --block-signal=TERM --block-signal=INT --block-signal=USR1 "${orrery_words[@]}")
    else
        orrery_words=(setsid "${orrery_words[@]}")
    fi
}

orrery_forward() { # NAME: to launch, once it is there; once
    orrery_woken=1
    [ -z "$orrery_signalled" ] || return
    orrery_say "got $1: the ranks save at the end of their step"
    orrery_signalled=1
    [ -z "$orrery_pid" ] || kill -USR2 "$orrery_pid" 2>/dev/null
}

# Runs the words; bash's wait ends early at a trapped signal, so it is asked again.  Sets
# orrery_code.
orrery_launch() {
    orrery_pid='' orrery_code=75
    [ -z "$orrery_signalled" ] || return # nothing was begun
    "$@" &
    orrery_pid=$!
    [ -z "$orrery_signalled" ] || kill -USR2 "$orrery_pid" 2>/dev/null
    while :; do
        orrery_woken=
        wait "$orrery_pid"
        orrery_code=$?
        [ -n "$orrery_woken" ] || break
    done
    # A signal at the very moment of the end: bash then may not know how it ended (-1, or 127 when
    # asked again).
    if [ -n "$orrery_signalled" ] && { [ "$orrery_code" -lt 0 ] || [ "$orrery_code" -eq 127 ]; }; then orrery_code=75; fi
    # What died of the signal had not begun to listen: nothing was done yet, nothing is lost.
    [ "$orrery_code" -ne $((128 + $(kill -l USR2))) ] || orrery_code=75
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
    [ "$(orrery_field JobState)" = RUNNING ] || return 1 # what is being ended ends now
    end=$(orrery_field EndTime)
    [ "${end:-0}" -gt 0 ] 2>/dev/null && [ $((end - $(date +%s))) -le "${ORRERY_LIMIT_MARGIN:-180}" ]
}

# How often this job was requeued in a way that counts: its own output says it, where all its starts
# stand in it; else every restart counts.
orrery_counted() {
    local out="/proc/$$/fd/1" errors="/proc/$$/fd/2" id starts=0
    id=$(orrery_id)
    [ ! -f "$out" ] || [ ! -f "$errors" ] || starts=$(grep -acF ": job $id (" "$out")
    if [ "${starts:-0}" -gt "${SLURM_RESTART_COUNT:-0}" ]; then
        grep -acF "orrery.sh: job $id is requeued, counted" "$errors"
    else
        printf '%s' "${SLURM_RESTART_COUNT:-0}"
    fi
}

# Brings the job back, unless Slurm is ending it or there is no more of it to be had.  Sets
# orrery_code.
orrery_requeue() { # WHAT CODE: the code if it cannot be; counted: "", or the code when that was too often
    local state limit=${ORRERY_MAX_REQUEUES:-10} n word=requeued
    orrery_code=$2
    if [ -z "$orrery_job" ]; then
        orrery_say "$1; there is no scontrol that knows this job: exit $2, start again to go on"
        return
    fi
    state=$(orrery_field JobState)
    if [ "$state" != RUNNING ]; then # scancel, or Slurm brings it back by itself
        orrery_say "$1; Slurm is ending the job ($state): not requeued from here"
        return
    fi
    if [ -n "$3" ]; then
        n=$(orrery_counted)
        if [ "$n" -ge "$limit" ]; then
            orrery_say "$1; requeued $n times already: not requeued, submit it again to go on"
            orrery_code=$3
            return
        fi
        word="requeued, counted: $((n + 1)) of $limit"
    fi
    if scontrol requeue "$(orrery_id)"; then
        orrery_say "$1"
        orrery_say "job $(orrery_id) is $word"
    else
        orrery_say "$1; job $(orrery_id) could not be requeued: exit $2, start again to go on"
    fi
}

# By the exit code of the launch: see docs/slurm.md.
orrery_end() {
    case $orrery_code in 0 | 2) return ;; esac
    orrery_job=
    orrery_ask
    if [ "$orrery_code" -eq 75 ] && ! orrery_preempted && orrery_timed_out; then
        orrery_requeue 'stopped and saved at the time limit' 75 124
    elif [ "$orrery_code" -eq 75 ]; then
        orrery_requeue 'stopped and saved' 75 ''
    elif orrery_preempted; then
        orrery_requeue "ended with $orrery_code while being preempted, after what was saved last" 75 ''
    elif [ "$orrery_code" -eq 76 ] || [ "$orrery_code" -eq 77 ]; then
        orrery_requeue "ended with $orrery_code, a fault of a machine" "$orrery_code" "$orrery_code"
    fi
}

# orrery_run COMMAND [FILE] [key=value ...]: launches orrery on all ranks of the allocation; ends
# the script.
orrery_run() {
    orrery_pid='' orrery_signalled='' orrery_guard_pid=''
    trap 'orrery_forward USR1' USR1
    trap 'orrery_forward USR2' USR2
    trap 'orrery_forward TERM' TERM
    orrery_note=
    orrery_environment
    orrery_count || exit 2
    orrery_places
    { orrery_find && orrery_launcher; } || { orrery_forget_note; exit 2; }
    orrery_dump "$@"
    orrery_guard start
    orrery_launch "${orrery_words[@]}" "$@"
    # A node that is gone for good: launch cannot start there again, what is left may.
    while [ "$orrery_code" -ne 0 ] && [ "$orrery_code" -ne 2 ] && [ -z "$orrery_signalled" ] && orrery_leave_out; do
        orrery_launcher || { orrery_forget_note; exit 2; }
        orrery_guard start
        orrery_launch "${orrery_words[@]}" "$@"
        [ "$orrery_code" -ne 2 ] || orrery_code=76 # the job wants more ranks than are left
    done
    orrery_guard end
    trap '' USR1 USR2 TERM # requeued, this script is told to end
    orrery_forget_note
    orrery_end
    case $orrery_code in # the launcher, too, has its say before this
    1) orrery_say 'exit 1: it failed, as told above (by a line that begins with orrery, or by the launcher)' ;;
    2) orrery_say 'exit 2: a mistake in the line or the job file, as told above; it would fail again' ;;
    *) orrery_say "exit $orrery_code" ;;
    esac
    exit "$orrery_code"
}
