#!/bin/bash
# slurm/orted.sh - Open MPI's daemon on a node.  Slurm signals the first process of a job step,
# which is this shell, or all of them (ProctrackType=proctrack/linuxproc): at SIGTERM the daemon
# would end and take its ranks with it.  Its ranks, which unblock what it has blocked, are told to
# save instead; the rest of the job then ends with them, and mpirun ends the daemon by a message.
orted=
tell_ranks() {
    # shellcheck disable=SC2046 # numbers
    [ -z "$orted" ] || kill -USR1 $(cat "/proc/$orted/task/$orted/children") 2>/dev/null
    woken=1
}
trap tell_ranks TERM USR1 USR2
shield=()
if env --block-signal=TERM true 2>/dev/null; then shield=(env --block-signal=TERM); fi
setsid "${shield[@]}" orted "$@" &
orted=$!
while :; do
    woken=
    wait "$orted"
    code=$?
    [ -n "$woken" ] || exit "$code"
done
