#!/bin/bash
# slurm/start.sh NOTE mpirun ... --host A:1,B:1 ...: what orrery launch starts and starts again.
# The first time it is mpirun; from then on the nodes are looked at first, because mpirun waits long
# for one that is gone: such nodes are written to NOTE, nothing is started any more, and
# slurm/orrery.sh goes on without them. shellcheck source=slurm/orrery.sh
. "${BASH_SOURCE[0]%/*}/orrery.sh" || exit 1
note=$1
shift
[ ! -s "$note" ] || exit 1 # launch tries as often as it may: what is lost was looked for, which takes its time
if [ -e "$note" ]; then
    before=
    for word; do
        if [ "$before" = --host ]; then
            mapfile -t names < <(printf '%s\n' "${word//,/$'\n'}" | cut -d : -f 1)
            orrery_silent "${names[@]}" >"$note"
        fi
        before=$word
    done
    if [ -s "$note" ]; then
        orrery_say "nothing starts any more on $(paste -sd ' ' "$note")"
        exit 1
    fi
fi
: >"$note"
exec "$@"
