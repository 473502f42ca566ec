"""What the shipped job files reach on real data: python3 bench/science/science.py ORRERY DATA
[kepler koi mnist moons] [seeds=5]

DATA is a folder with kepler/, mnist/ (the published files).  Each workload is imported, trained by
its job file with seeds 1..N (split and initialisation both), and its test part evaluated once.
Prints one line a seed, then mean and standard deviation, beside what a constant answer scores."""
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "..", "examples")


class Bench:
    def __init__(self, orrery, data, folder):
        self.program, self.data, self.folder = os.path.abspath(orrery), os.path.abspath(data), folder

    def orrery(self, *args):
        p = subprocess.run([self.program, *args], cwd=self.folder, capture_output=True, text=True)
        if p.returncode != 0:
            raise SystemExit(f"orrery {' '.join(args)}\n{p.stdout}{p.stderr}")
        return p.stdout

    def train(self, job, run, *args):
        """Test scores of one run."""
        self.orrery("train", job, "run=" + run, "runtime.progress=false", *args)
        with open(os.path.join(self.folder, run, "report.json")) as f:
            return json.load(f)["test"]

    def kepler(self):
        columns = "label: LABEL, classes: [1, 2], class_names: [none, planet]"
        with open(os.path.join(self.folder, "kepler.yaml"), "w") as f:
            f.write(f"out: kepler\ninputs:\n  - {{files: [{self.data}/kepler/exotest-zscored.csv.xz], {columns}}}\n"
                    f"  - {{files: [{self.data}/kepler/exo-positives-raw.csv.xz], {columns}, scale_rows: zscore, max_rows: 37}}\n")
        self.orrery("import", "kepler.yaml")
        return lambda s: self.train(os.path.join(EXAMPLES, "kepler/train.yaml"), f"kepler-{s}", "data.train=kepler", "data.test_fraction=0.25",
                                    "data.validation_fraction=0", f"train.seed={s}", f"data.split_seed={s}")

    def koi(self):
        self.orrery("import", os.path.join(EXAMPLES, "koi/import.yaml"), f"input.files={self.data}/kepler/koi-folded-201.npz", "out=koi")
        return lambda s: self.train(os.path.join(EXAMPLES, "koi/train.yaml"), f"koi-{s}", "data.train=koi", f"train.seed={s}",
                                    f"data.split_seed={s}")

    def mnist(self):
        for part, name in (("train", "train"), ("test", "t10k")):
            self.orrery("import", os.path.join(EXAMPLES, "mnist/import.yaml"), f"input.files={self.data}/mnist/{name}-images-idx3-ubyte.gz",
                        f"input.label={self.data}/mnist/{name}-labels-idx1-ubyte.gz", "out=mnist-" + part)
        return lambda s: self.train(os.path.join(EXAMPLES, "mnist/train.yaml"), f"mnist-{s}", "data.train=mnist-train", "data.test=mnist-test",
                                    f"train.seed={s}", f"data.split_seed={s}")

    def moons(self):
        self.orrery("synth", "moons", "out=moons-csv")
        for part in ("train", "test"):
            self.orrery("import", os.path.join(EXAMPLES, "moons/import.yaml"), f"input.files=moons-csv/{part}.csv", "out=moons-" + part)
        return lambda s: self.train(os.path.join(EXAMPLES, "moons/train.yaml"), f"moons-{s}", "data.train=moons-train", "data.test=moons-test",
                                    f"train.seed={s}")


METRICS = ("accuracy", "auc", "recall", "precision", "f1")


def line(name, values):
    print(f"{name:<22}" + "".join(f"{v:>11.4f}" if isinstance(v, float) else f"{'-':>11}" for v in values), flush=True)


def main():
    words = [a for a in sys.argv[1:] if "=" not in a]
    seeds = int(dict(a.split("=") for a in sys.argv[1:] if "=" in a).get("seeds", 5))
    if len(words) < 2:
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(words[0], words[1], folder)
        for name in words[2:] or ["moons", "kepler", "koi", "mnist"]:
            train = getattr(bench, name)()
            print(f"{name:<22}" + "".join(f"{m:>11}" for m in METRICS))
            rows = []
            for seed in range(1, seeds + 1):
                scores = train(seed)
                rows.append([None if scores.get(m) is None else float(scores[m]) for m in METRICS])
                line(f"  seed {seed} ({scores['samples']:.0f} test)", rows[-1])
            columns = [[v for v in c if v is not None] for c in zip(*rows)]
            line("  mean", [statistics.mean(c) if c else None for c in columns])
            line("  standard deviation", [statistics.pstdev(c) if c else None for c in columns])
            line("  constant answer", [float(scores["baseline_accuracy"]), 0.5, 0.0, 0.0, 0.0])


if __name__ == "__main__":
    main()
