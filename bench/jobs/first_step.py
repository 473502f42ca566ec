"""Seconds from `mpirun` to the end of the first training step: python3 bench/jobs/first_step.py
ORRERY [ranks=2] [runs=9] [stars=600]

A Kepler-shaped survey (STARS x 3197) is made and imported; then `mpirun -n RANKS orrery train` with
kepler-cnn starts again and again, and the clock stops when the log says that the first step is
done.  Beside it, in turn: an mpirun of `orrery --version`, which trains nothing. Claim: the median
is below 0.5 s."""
import os
import statistics
import subprocess
import sys
import tempfile
import time


def main():
    options = dict(a.split("=") for a in sys.argv[2:])
    ranks, runs = int(options.get("ranks", 2)), int(options.get("runs", 9))
    program = os.path.abspath(sys.argv[1])
    examples = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "kepler")
    mpirun = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), program]
    with tempfile.TemporaryDirectory() as folder:
        def orrery(*args):
            subprocess.run([program, *args], cwd=folder, check=True, capture_output=True)

        orrery("synth", "kepler", "out=csv", "stars=" + options.get("stars", "600"), "test_stars=10")
        orrery("import", os.path.join(examples, "import.yaml"), "input.files=csv/train.csv", "out=train")
        first, empty = [], []
        for i in range(runs):
            begin = time.perf_counter()
            p = subprocess.Popen([*mpirun, "train", os.path.join(examples, "cnn.yaml"), "data.train=train", f"run=run-{i}", "train.max_steps=1",
                                  "runtime.progress=false"], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
            for line in p.stderr:
                if "first step" in line:
                    first.append(time.perf_counter() - begin)
            if p.wait() != 0:
                raise SystemExit("orrery train failed")
            begin = time.perf_counter()
            subprocess.run([*mpirun, "--version"], check=True, capture_output=True)
            empty.append(time.perf_counter() - begin)
    print(f"ranks {ranks}, {runs} runs: first step {statistics.median(first):.3f} s (from {min(first):.3f} to {max(first):.3f}), "
          f"mpirun of nothing {statistics.median(empty):.3f} s, ratio {statistics.median(first) / statistics.median(empty):.2f}")


if __name__ == "__main__":
    main()
