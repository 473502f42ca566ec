"""What the timeline and the status file cost: /usr/bin/python3 bench/jobs/timeline.py ORRERY
[runs=9] [ranks=1] [nets=kepler-cnn,tiny]

Two trainings: kepler-cnn on 3197 samples a curve (batch 32, 2.9 million weights), and a net so
small that its step is mostly overhead (a linear layer on the same curves, batch 8).  Each is
trained in turn with the timeline off and on, the order changing every time, on RANKS ranks of one
thread; then with the status file off (an unwritable place for it: RUN/status.json is a folder, so
that the thread runs but each write fails at once) and on. Compared: processor seconds (user +
system, all threads: what steals from a step even when the machine is busy) and wall seconds of the
second epoch (timing.csv), as medians of the pairs' ratios, with the quartiles, since a busy machine
moves both by percents; and, where valgrind is, instructions a step, which are exact: those of a
long training less those of one of a single step, on one rank, all threads. The timeline keeps to a
share of the time that it records (runtime.timeline_share): of tiny's steps it takes every 8th or
16th, and this says how many; under valgrind, which slows steps and spans down unequally, their
share is another one. Claim: with the timeline on, either net takes at most 1% more processor time a
step (kepler-cnn: 1% more instructions), and so it is with the status file."""
import csv
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

STEPS = {"kepler-cnn": 150, "tiny": 200000}
COUNTED = {"kepler-cnn": 5, "tiny": 1000}  # steps under valgrind
VALGRIND = shutil.which("valgrind")


def main():
    options = dict(a.split("=") for a in sys.argv[2:])
    runs, ranks = int(options.get("runs", 9)), int(options.get("ranks", 1))
    program = os.path.abspath(sys.argv[1])
    examples = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "kepler")
    with tempfile.TemporaryDirectory() as folder:
        def orrery(*args):
            subprocess.run([program, *args], cwd=folder, check=True, capture_output=True)

        def words(net, run, batches, *more):
            job, size = (os.path.join(examples, "cnn.yaml"), 32) if net == "kepler-cnn" else ("tiny.yaml", 8)
            return [program, "train", job, "data.train=train", "run=" + run, f"data.epoch_length={batches * size}", "data.validation_fraction=0",
                    "runtime.threads=1", "runtime.progress=false", *more]

        def fresh(no_status):
            run = os.path.join(folder, "run")
            shutil.rmtree(run, ignore_errors=True)
            if no_status:
                os.makedirs(os.path.join(run, "status.json"))
            return run

        left_out = set()

        def measure(net, more, no_status):
            """(processor seconds, wall seconds of the second epoch)"""
            run = fresh(no_status)
            launcher = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks > 1 else []
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            r = subprocess.run([*launcher, *words(net, run, STEPS[net] // 2, "train.epochs=2", *more)], cwd=folder, check=True, capture_output=True, text=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            left_out.update(re.findall(r"\d+ of \d+ short steps and batches are not in", r.stderr))
            with open(os.path.join(run, "timing.csv")) as f:
                wall = float(list(csv.DictReader(f))[-1]["seconds"])
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall

        def count(net, steps, more, no_status):
            """GOMP_SPINCOUNT: without it the program starts itself once more, and valgrind not."""
            r = subprocess.run([VALGRIND, "--tool=callgrind", "--callgrind-out-file=/dev/null",
                                *words(net, fresh(no_status), steps, "train.epochs=1", *more)], cwd=folder, check=True, capture_output=True, text=True,
                               env={**os.environ, "GOMP_SPINCOUNT": "10000"})
            return int(re.search(r"Collected : (\d+)", r.stderr)[1])

        def compare(net, what, on, off):
            found = {"processor": [], "wall": []}
            for i in range(runs):
                pair = {}
                for kind in ("on", "off") if i % 2 else ("off", "on"):
                    pair[kind] = measure(net, *(on if kind == "on" else off))
                for k, name in enumerate(found):
                    found[name].append((pair["on"][k], pair["off"][k]))
            said = []
            for name, pairs in found.items():
                a, b = (statistics.median(p[j] for p in pairs) for j in (0, 1))
                low, middle, high = statistics.quantiles([p[0] / p[1] for p in pairs], n=4) if runs > 1 else 3 * [a / b]
                said.append(f"{name} {a:.3f} against {b:.3f} s ({100 * (middle - 1):+.2f}%, quartiles {100 * (low - 1):+.2f}% to {100 * (high - 1):+.2f}%)")
            if VALGRIND:
                a, b = ((count(net, COUNTED[net], *kind) - count(net, 1, *kind)) / (COUNTED[net] - 1) for kind in (on, off))
                said.append(f"{a:.0f} against {b:.0f} instructions a step ({100 * (a / b - 1):+.3f}%)")
            said += [text + " it" for text in sorted(left_out)[:1]]
            left_out.clear()
            print(f"{net:<11} {what:<9} on against off, {STEPS[net]} steps on {ranks} ranks, {runs} pairs: " + "; ".join(said), flush=True)

        orrery("synth", "kepler", "out=csv", "stars=600", "test_stars=10")
        orrery("import", os.path.join(examples, "import.yaml"), "input.files=csv/train.csv", "out=train")
        with open(os.path.join(folder, "tiny.yaml"), "w") as f:
            f.write("run: unset\ndata: {train: train}\nmodel: {layers: [flatten, linear: {units: 1}]}\ntrain: {batch: 8, leaves: 8, lr: 0.001}\n")
        for net in options.get("nets", ",".join(STEPS)).split(","):
            timeline = ["runtime.timeline=" + os.path.join(folder, "timeline")]
            compare(net, "timeline", (timeline, False), ([], False))
            compare(net, "status", ([], False), ([], True))


if __name__ == "__main__":
    main()
