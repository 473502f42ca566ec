"""A checkpoint at every moment: python3 bench/faults/checkpoint.py ORRERY [every=1]
[kinds=kill,half,enospc,eio]

A training of one rank with several checkpoints is started once for every call of it that changes a
file (open, write, fsync, rename, ...), which is where it is killed, is killed half way through a
write, or finds the disk full or failing from then on.  Each time every file that has its final name
must load, the checkpoint must be the newest or the one before it, and the same command must go on
to the bytes of an undisturbed run.  Prints a table; exit code 1 at the first that is not so."""
import collections
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.abspath(os.path.join(HERE, "..", ".."))
SAYS = {"kill": "SIGKILL instead of the call", "half": "SIGKILL after half of a write", "enospc": "disk full from this call on",
        "eio": "disk fails from this call on"}


def row(name, trials):
    n = collections.Counter(t.ended for t in trials)
    left = [t for t in trials if t.ended != "nothing"]
    none = sum(t.left == 0 for t in left)
    return f"| {name} | {len(trials)} | {n['killed']} | {n['failed']} | {none} | {len(left) - none} | {len(left)} of {len(left)} |"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    given = dict(word.split("=", 1) for word in sys.argv[2:])
    os.environ.update({"OMP_NUM_THREADS": "1", **os.environ, "ORRERY": os.path.abspath(sys.argv[1]), "ORRERY_SOURCE_DIR": SOURCE})
    sys.path[:0] = [os.path.join(SOURCE, "tests", folder) for folder in ("faults", "jobs")]
    import checkpoint
    import orrery as o
    trials, by = checkpoint.Trials(checkpoint.build_shim()), {}
    for kind in given.get("kinds", "kill,half,enospc,eio").split(","):
        by[kind] = [trials.one(kind, k, o.tmp("faulty")) for k in range(1, len(trials.calls) + 1, int(given.get("every", 1)))]
        trials.check(by[kind])
        print(f"{kind}: {len(by[kind])} of {len(trials.calls)} calls", file=sys.stderr, flush=True)
    print("| what | calls tried | killed | ended with a sentence | no checkpoint yet | newest or previous, loads | went on to the same bytes |")
    print("|---|---|---|---|---|---|---|")
    for kind, tried in by.items():
        print(row(SAYS[kind], tried))
    print("\nSIGKILL instead of the call, by call:")
    for call in sorted({t.call for t in by.get("kill", [])}):
        print(row(call, [t for t in by["kill"] if t.call == call]))


if __name__ == "__main__":
    main()
