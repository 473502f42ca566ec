"""What ordered sums cost: python3 bench/jobs/ordered.py ORRERY [ranks=2] [runs=5]

Trains kepler-cnn (2.9 million parameters, batch 32) for two epochs of 40 steps with reduce: ordered
and reduce: fast in turn, on RANKS ranks of one thread, and compares the second epoch's seconds
(timing.csv).  Also ordered with 1 leaf a rank, which is how coarse the fast mode's work is."""
import csv
import os
import statistics
import subprocess
import sys
import tempfile


def main():
    options = dict(a.split("=") for a in sys.argv[2:])
    ranks, runs = int(options.get("ranks", 2)), int(options.get("runs", 5))
    program = os.path.abspath(sys.argv[1])
    examples = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "kepler")
    kinds = {"ordered, 8 leaves": ("ordered", 8), f"ordered, {ranks} leaves": ("ordered", ranks), f"fast, {ranks} leaves": ("fast", ranks)}
    seconds = {k: [] for k in kinds}
    with tempfile.TemporaryDirectory() as folder:
        def orrery(*args, launcher=()):
            subprocess.run([*launcher, program, *args], cwd=folder, check=True, capture_output=True)

        orrery("synth", "kepler", "out=csv", "stars=600", "test_stars=10")
        orrery("import", os.path.join(examples, "import.yaml"), "input.files=csv/train.csv", "out=train")
        launcher = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]
        for i in range(runs):
            for k, (mode, leaves) in kinds.items():
                run = f"run-{mode}-{leaves}-{i}"
                orrery("train", os.path.join(examples, "cnn.yaml"), "data.train=train", f"run={run}", "train.epochs=2", "data.epoch_length=1280",
                       "data.validation_fraction=0", f"train.reduce={mode}", f"train.leaves={leaves}", "runtime.progress=false", "runtime.threads=1",
                       launcher=launcher)
                with open(os.path.join(folder, run, "timing.csv")) as f:
                    seconds[k].append(float(list(csv.DictReader(f))[-1]["seconds"]))
    fast = statistics.median(seconds[f"fast, {ranks} leaves"])
    for k, s in seconds.items():
        m = statistics.median(s)
        print(f"{k:<22} {1e3 * m / 40:8.3f} ms a step (from {1e3 * min(s) / 40:.3f} to {1e3 * max(s) / 40:.3f}), {m / fast:.3f} of fast")


if __name__ == "__main__":
    main()
