"""Random fault schedules: python3 bench/faults/schedules.py ORRERY [n=1000] [seed=1] [parallel=2]
[out=FILE] [only=K] [command=NAME]

Schedule K of a seed draws a command (train, cv, fetch or crop, small ones under `orrery launch` on
2 or 3 ranks), a kind of fault, its place (a step of a phase, a buffer, a call on a file) and its
rank; see tests/faults/schedules.py for the kinds and what each must end in. out= keeps a line of
JSON a schedule; what stands there is not tried again.  only=K plays one schedule and shows what was
said. Prints a table by kind; exit code 1 if any schedule ended wrong or hung."""
import collections
import concurrent.futures
import json
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.abspath(os.path.join(HERE, "..", ".."))


def environment(orrery):
    """What CTest gives the tests."""
    given = {"ORRERY": os.path.abspath(orrery), "ORRERY_SOURCE_DIR": SOURCE}
    usual = {"ORRERY_MPIRUN": "mpirun", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "OMPI_MCA_mpi_yield_when_idle": "1",
             "OMPI_MCA_btl_vader_single_copy_mechanism": "none", "OMPI_MCA_rmaps_base_oversubscribe": "1"}
    os.environ.update({**usual, **os.environ, **given})
    sys.path[:0] = [os.path.join(SOURCE, "tests", folder) for folder in ("faults", "jobs")]


def read(path):
    if not path or not os.path.exists(path):
        return {}
    with open(path) as f:
        return {r["number"]: r for r in map(json.loads, f)}


def spread(values):
    values = [v for v in values if v is not None]
    return f"{statistics.median(values):.1f} ({max(values):.1f})" if values else "-"


def counts(rows):
    n = collections.Counter(r["outcome"] for r in rows)
    return [len(rows), sum(not r["made"] for r in rows), n["same"], n["machine"], n["failed"], n["wrong"], n["hung"]]


def table(records):
    by = collections.defaultdict(list)
    for r in records:
        by[r["kind"] if r["command"] == "train" else f"{r['command']}: {r['kind']}"].append(r)
    print("| fault | tried | not reached | same bytes | fault of the machine, then same bytes | error said, then same bytes | wrong | hung "
          "| right rank named | s until said: median (worst) | s in all: median (worst) |")
    print("|---|" + "---|" * 10)
    for kind, rows in [*sorted(by.items()), ("all", records)]:
        named = [r["named"] for r in rows if r["named"] is not None]
        cells = [*counts(rows), f"{sum(named)} of {len(named)}" if named else "-", spread(r["seen"] for r in rows), spread(r["seconds"] for r in rows)]
        print(f"| {kind} | " + " | ".join(map(str, cells)) + " |")


def play(jobs, schedule, folder):
    import schedules
    try:
        return schedules.Play(jobs, schedule, folder).record()
    except Exception as e:  # of the runner: no schedule is passed over
        return {**schedule._asdict(), "made": 0, "outcome": "wrong", "why": f"the runner failed: {e!r}", "named": None, "codes": [], "seconds": 0, "seen": None}


def play_all(n, seed, parallel, path, command):
    import orrery as o
    import schedules
    jobs, done, begin = schedules.Jobs(schedules.build_shim()), read(path), time.monotonic()
    todo = [s for s in (schedules.draw(k, seed, command) for k in range(n)) if s.number not in done]
    records, out = list(done.values()), open(path, "a") if path else None
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        waiting = {pool.submit(play, jobs, s, o.tmp(f"play-{s.number}")) for s in todo}
        for i, future in enumerate(concurrent.futures.as_completed(waiting), 1):
            r = {**future.result(), "seed": seed}
            records.append(r)
            if out:
                out.write(json.dumps(r) + "\n")
                out.flush()
            bad = r["outcome"] in ("wrong", "hung")
            if bad:
                print(f"only={r['number']}: {r['command']}, {r['kind']}: {r['outcome']}: {r['why']}", flush=True)
            if bad or i % 20 == 0 or i == len(todo):
                c, each = counts(records), (time.monotonic() - begin) / i
                print(f"{len(records)} of {n}: {c[5]} wrong, {c[6]} hung; {each:.2f} s each, {each * (len(todo) - i) / 60:.0f} min left", flush=True)
    if out:
        out.close()
    return records


def play_one(number, seed, command):
    import orrery as o
    import schedules
    p = schedules.Play(schedules.Jobs(schedules.build_shim()), schedules.draw(number, seed, command), o.tmp("only"), keep=True)
    print(p.err())
    print(json.dumps(p.record(), indent=1))
    return [p.record()]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    given = dict(word.split("=", 1) for word in sys.argv[2:])
    environment(sys.argv[1])
    seed, command = int(given.get("seed", 1)), given.get("command")
    if "only" in given:
        records = play_one(int(given["only"]), seed, command)
    else:
        records = play_all(int(given.get("n", 1000)), seed, int(given.get("parallel", 2)), given.get("out"), command)
        table(records)
    return any(r["outcome"] in ("wrong", "hung") for r in records)


if __name__ == "__main__":
    sys.exit(main())
