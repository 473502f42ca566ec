"""Cross-validation and stacking on real data: python3 bench/science/crossval.py ORRERY DATA [koi
star-galaxy star-galaxy-exposures] [ranks=2] [epochs=N] [keep=FOLDER]

DATA is a folder with kepler/koi-folded-201.npz and galaxies/star-galaxy-64-* (the published files).
 Each set is imported, cross-validated by its shipped job file (five folds, three nets) and stacked;
 printed are the tables of both commands.  star-galaxy-exposures is the same with the cut-outs of
one exposure kept on one side (the exposure is what the file name begins with, before its last three
numbers)."""
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples")


class Bench:
    def __init__(self, orrery, data, folder, ranks, extra):
        self.program, self.data, self.folder, self.ranks, self.extra = os.path.abspath(orrery), os.path.abspath(data), folder, ranks, extra

    def orrery(self, *args, ranks=1):
        launcher = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks > 1 else []
        p = subprocess.run([*launcher, self.program, *args], cwd=self.folder, capture_output=True, text=True)
        if p.returncode != 0:
            raise SystemExit(f"orrery {' '.join(args)}\n{p.stdout}{p.stderr}")
        return p.stdout

    def both(self, name, label, *args, stack=()):
        begin = time.monotonic()
        print(f"== {label}: five folds of three nets on {self.ranks} ranks", flush=True)
        print(self.orrery("cv", os.path.join(EXAMPLES, name, "cv.yaml"), "run=cv-" + label, f"data.train={name}", "runtime.progress=false", "runtime.threads=1",
                          *self.extra, *args, ranks=self.ranks), end="")
        print(f"   {time.monotonic() - begin:.0f} s", flush=True)
        begin = time.monotonic()
        print(self.orrery("stack", os.path.join(EXAMPLES, name, "stack.yaml"), "run=stack-" + label, "oof=cv-" + label, *stack), end="")
        print(f"   {time.monotonic() - begin:.1f} s", flush=True)

    def koi(self):
        self.orrery("import", os.path.join(EXAMPLES, "koi/import.yaml"), f"input.files={self.data}/kepler/koi-folded-201.npz", "out=koi")
        self.both("koi", "koi")

    def import_images(self):
        if os.path.exists(os.path.join(self.folder, "star-galaxy")):
            return
        with lzma.open(f"{self.data}/galaxies/star-galaxy-64-images.npy.xz") as f, open(os.path.join(self.folder, "images.npy"), "wb") as g:
            shutil.copyfileobj(f, g)
        self.orrery("import", os.path.join(EXAMPLES, "star-galaxy/import.yaml"), "input.files=images.npy",
                    f"input.label={self.data}/galaxies/star-galaxy-64-labels.npy", "out=star-galaxy")

    def star_galaxy(self):
        self.import_images()
        self.both("star-galaxy", "star-galaxy", "data.overlap=warn")

    def star_galaxy_exposures(self):
        self.import_images()
        with lzma.open(f"{self.data}/galaxies/star-galaxy-64-names.txt.xz", "rt") as f:
            exposures = [re.sub(r"(_\d+){3}\.jpg$", "", line.strip()) for line in f]
        print(f"{len(exposures)} cut-outs of {len(set(exposures))} exposures")
        with open(os.path.join(self.folder, "exposures.csv"), "w") as f:
            f.write("id,group\n" + "".join(f"{i},{e}\n" for i, e in enumerate(exposures)))
        self.both("star-galaxy", "star-galaxy-exposures", "cv.groups=exposures.csv", "data.overlap=warn", stack=["folds.kind=own"])


def main():
    options = dict(a.split("=", 1) for a in sys.argv[3:] if "=" in a)
    names = [a for a in sys.argv[3:] if "=" not in a] or ["koi", "star-galaxy", "star-galaxy-exposures"]
    extra = [f"train.epochs={options['epochs']}"] if "epochs" in options else []
    with tempfile.TemporaryDirectory() as folder:
        b = Bench(sys.argv[1], sys.argv[2], options.get("keep") or folder, int(options.get("ranks", 2)), extra)
        for name in names:
            getattr(b, name.replace("-", "_"))()


if __name__ == "__main__":
    main()
