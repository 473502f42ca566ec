"""What checkpoints cost: python3 bench/jobs/checkpoint.py ORRERY [ranks=2] [runs=5] [every=4]
[steps=80] [other=ORRERY2]

Trains kepler-cnn (2.9 million parameters, a state of 34 MB with Adam's moments) and the small net
of examples/kepler/train.yaml, with a checkpoint every EVERY steps written by the step
(synchronous), by a thread beside the steps (asynchronous), and none but the epoch's: in turn, RUNS
times, on RANKS ranks of one thread each.  Compared are the seconds of the second epoch of STEPS
steps (timing.csv): medians, and what a save and a step cost more than without checkpoints.  With
more than one rank a save holds the comparison of the ranks' weights (jobs/train/replicas.h); its
work, a sha256 of the state on every rank at once, is timed by itself.  other= : another build,
synchronous, in the same turn."""
import csv
import hashlib
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time


def digest(n):
    data = bytes(n)
    begin = time.perf_counter()
    for _ in range(5):
        hashlib.sha256(data).digest()
    return (time.perf_counter() - begin) / 5


def measure(folder, program, options, name, yaml, other):
    ranks, runs, every, steps = (int(options.get(k, d)) for k, d in (("ranks", 2), ("runs", 5), ("every", 4), ("steps", 80)))
    launcher = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks > 1 else []
    kinds = {"none": (program, 0, "false"), "synchronous": (program, every, "false"), "asynchronous": (program, every, "true")}
    if other:
        kinds["other build"] = (other, every, None)
    seconds = {k: [] for k in kinds}
    for i in range(runs):
        for k, (binary, n, beside) in kinds.items():
            run = f"{name}-{k.replace(' ', '-')}-{i}"
            words = [*launcher, binary, "train", yaml, "data.train=train", "run=" + run, "train.epochs=2", f"data.epoch_length={32 * steps}",
                     "data.validation_fraction=0", "train.batch=32", "train.select=auto", f"train.checkpoint_steps={n}", "runtime.progress=false",
                     "runtime.threads=1"]
            subprocess.run(words + ([f"runtime.checkpoint_async={beside}"] if beside else []), cwd=folder, check=True, capture_output=True)
            with open(os.path.join(folder, run, "timing.csv")) as f:
                seconds[k].append(float(list(csv.DictReader(f))[-1]["seconds"]))
    size = os.path.getsize(os.path.join(folder, f"{name}-none-0", "checkpoint-last.h5"))
    base = statistics.median(seconds["none"])
    saves = steps // every - 1  # the epoch's last is saved in any case
    print(f"{name}: checkpoints of {size / 1e6:.2f} MB, {ranks} ranks, one every {every} steps, {runs} runs")
    for k, s in seconds.items():
        m = statistics.median(s)
        print(f"  {k:<13} {1e3 * m / steps:8.3f} ms a step (from {1e3 * min(s) / steps:.3f} to {1e3 * max(s) / steps:.3f})"
              + (f", a save costs {1e3 * (m - base) / saves:7.2f} ms, {100 * (m - base) / base * every:6.1f} % of a step each" if k != "none" else ""))
    if ranks > 1:
        with multiprocessing.Pool(ranks) as pool:
            took = max(pool.map(digest, [size] * ranks, chunksize=1))
        print(f"  of it the ranks' comparison, a sha256 of {size / 1e6:.2f} MB on {ranks} ranks at once: {1e3 * took:.2f} ms")


def main():
    options = dict(a.split("=") for a in sys.argv[2:])
    program = os.path.abspath(sys.argv[1])
    other = os.path.abspath(options["other"]) if "other" in options else None
    examples = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "kepler")
    with tempfile.TemporaryDirectory() as folder:
        def orrery(*args):
            subprocess.run([program, *args], cwd=folder, check=True, capture_output=True)

        orrery("synth", "kepler", "out=csv", "stars=600", "test_stars=10")
        orrery("import", os.path.join(examples, "import.yaml"), "input.files=csv/train.csv", "out=train")
        for name, file in (("kepler-cnn", "cnn.yaml"), ("small", "train.yaml")):
            measure(folder, program, options, name, os.path.join(examples, file), other)


if __name__ == "__main__":
    main()
