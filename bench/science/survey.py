"""What the survey examples reach, peers in the same call:

    python3 bench/science/survey.py ORRERY DATA [end-to-end colours star-galaxy galaxy-zoo]
    [key=value ...]

end-to-end   a synthetic survey, served by nginx, fetched, cropped and trained on by several ranks:
images, images and magnitudes, and the
             same net trained by squared error; against the constant answer, with the calibration of
             the densities, on the branch where two redshifts look alike, too; before and after
             train.calibrate.  Without nginx the frames are cropped where the survey was made (it
             says so).
colours      redshifts from five magnitudes (DATA/photoz), beside a quadratic fit and scikit-learn's
random forest star-galaxy  and galaxy-zoo: small conv nets (DATA/galaxies), beside ridge regression

DATA is a folder of published files.  Peers train on the samples that the run did not test on.
Keys, with their defaults: fields=60 objects=150 width=1024 height=745 epochs=24 ranks=2 seed=1
kernels=cpu threads=0 calibrate=pit mpirun=mpirun keep= (a folder for everything; what is there is
not made again)."""
import csv
import importlib.util
import json
import lzma
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from science import EXAMPLES, Bench  # noqa: E402

KEYS = {"fields": "60", "objects": "150", "width": "1024", "height": "745", "epochs": "24", "ranks": "2", "seed": "1", "kernels": "cpu", "threads": "0",
        "calibrate": "pit", "mpirun": "mpirun", "keep": ""}
TEMPLATE = "/{rerun}/{run}/{camcol}/frame-{band}-{run:06d}-{camcol}-{field:04d}.fits.bz2"


def nginx():
    """The tests' server, or None where there is no nginx."""
    spec = importlib.util.spec_from_file_location("web", os.path.join(HERE, "..", "..", "tests", "jobs", "web.py"))
    web = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(web)
    return web.Nginx if web.NGINX else None


def sigma_mad(found, z):
    dz = (found - z) / (1 + z)
    return 1.4826 * np.median(np.abs(dz - np.median(dz)))


def redshift_line(name, found, z, more=""):
    dz = (found - z) / (1 + z)
    print(f"  {name:<28}{sigma_mad(found, z):>11.5f}{np.mean(np.abs(dz) > 0.05):>9.4f}{dz.mean():>10.5f}{np.mean((found - z) ** 2):>11.6f}{more}",
          flush=True)


def cumulative(p):
    return np.minimum(np.concatenate([np.zeros((len(p), 1)), np.cumsum(p, 1)], 1), 1)


def pits(p, z, edges):
    return np.array([np.interp(b, edges, a) for a, b in zip(cumulative(p), z)])


def mean_crps(p, z, edges):
    """On a fine grid: independent of orrery's own."""
    x = np.linspace(edges[0], edges[-1], 4001)
    return np.mean([np.trapz((np.interp(x, edges, a) - (x >= b)) ** 2, x) for a, b in zip(cumulative(p), z)])


def flatness(pit, bins=20):
    """Chi-square a degree of freedom of the PIT histogram, and its p-value."""
    from scipy.stats import chisquare

    chi2, p = chisquare(np.histogram(pit, bins, (0, 1))[0])
    return chi2 / (bins - 1), p


class Survey(Bench):
    def __init__(self, orrery, data, folder, keys):
        super().__init__(orrery, data, folder)
        self.keys, self.ranks = keys, int(keys["ranks"])

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def on_ranks(self, *args):
        """One command on all ranks; seconds."""
        begin = time.monotonic()
        words = [self.program, *args]
        if self.ranks > 1:
            words = [self.keys["mpirun"], "--oversubscribe", "--bind-to", "none", "-n", str(self.ranks), *words]
        p = subprocess.run(words, cwd=self.folder, capture_output=True, text=True)
        if p.returncode != 0:
            raise SystemExit(f"{' '.join(words)}\n{p.stdout}{p.stderr}")
        print(f"  {args[0]:<12}{time.monotonic() - begin:>8.1f} s  {(p.stdout.strip().splitlines() or [''])[-1][:120]}", flush=True)

    def has(self, *names):
        return os.path.exists(self.path(*names))

    def test_scores(self, run):
        with open(self.path(run, "report.json")) as f:
            return json.load(f)["test"]

    def test_ids(self, run):
        with open(self.path(run, "predictions-test.csv")) as f:
            return [r["id"] for r in csv.DictReader(f)]

    # ---- a survey from end to end ----

    def make_cubes(self):
        size = [f"{k}={self.keys[k]}" for k in ("fields", "objects", "width", "height", "seed")]
        if not self.has("archive", "catalogue.csv"):
            self.on_ranks("synth", "sdss", "out=archive", "overwrite=true", *size)
        if self.has("cubes", "index.h5"):
            return
        catalogue, server = "catalogue.file=" + self.path("archive", "catalogue.csv"), nginx()
        frames = self.path("frames") if server else self.path("archive")
        if server:
            with server(self.path("archive")) as web:
                self.on_ranks("fetch", catalogue, "catalogue.bands=[u, g, r, i, z]", f"archive.url={web.url}{TEMPLATE}", "archive.folder=" + frames)
        else:
            print("  no nginx here: the frames are read where the survey was made")
        self.on_ranks("crop", os.path.join(EXAMPLES, "sdss", "crop.yaml"), catalogue, "archive.folder=" + frames, "out=cubes")

    def train_net(self, job, run):
        if not self.has(run, "report.json"):
            self.on_ranks("train", os.path.join(EXAMPLES, "photoz", job), "run=" + run, "data.train=cubes", "train.epochs=" + self.keys["epochs"],
                          "train.seed=" + self.keys["seed"], "train.calibrate=" + self.keys["calibrate"], "model.kernels=" + self.keys["kernels"], "runtime.threads=" + self.keys["threads"],
                          "runtime.progress=false")

    def densities(self, run):
        """ids, p, z, mean, edges of the run's test samples."""
        import h5py

        if not self.has(run, "all.h5"):
            self.orrery("predict", run, "cubes", f"out={run}/all.h5")
        with h5py.File(self.path(run, "all.h5")) as f:
            ids, p, z, value, edges = (f[k][:] for k in ("id", "p", "y", "value", "bin_edges"))
        ids = np.array([i.decode() if isinstance(i, bytes) else str(i) for i in ids.tolist()])
        row = {i: k for k, i in enumerate(ids.tolist())}
        rows = [row[i] for i in self.test_ids(run)]
        return ids[rows], p[rows].astype(float), z[rows].astype(float).reshape(-1), value[rows].astype(float).reshape(-1), edges

    def as_trained(self, run, p, edges):
        """The densities before calibration, by the inverse of the model's map; and the chi-square
        that calibrated ones are expected to have."""
        import h5py

        with h5py.File(self.path(run, "model.h5")) as f:
            knots = f["calibration"][:] if "calibration" in f else np.array([[0.0, 0.0], [1.0, 1.0]])
        with open(self.path(run, "report.json")) as f:
            fit = json.load(f).get("calibration", {"samples": 1, "degrees": 0})
        raw = np.diff(np.interp(cumulative(p), knots[:, 1], knots[:, 0]), axis=1)
        return raw, raw @ ((edges[1:] + edges[:-1]) / 2), 1 + len(p) / fit["samples"] * fit["degrees"] / 19

    def density_line(self, name, p, z, value, edges, expected):
        chi2, chance = flatness(pits(p, z, edges))
        mse = np.mean((value - z) ** 2)
        redshift_line(name, value, z, f"{z.var() / mse:>7.1f}{mean_crps(p, z, edges):>10.5f}{chi2:>14.2f}{chance:>8.3f}{expected:>10.2f}")

    def end_to_end(self):
        print(f"end to end, {self.ranks} ranks", flush=True)
        self.make_cubes()
        with open(self.path("archive", "catalogue.csv")) as f:
            kind = {r["objID"]: r["subClass"] for r in csv.DictReader(f)}
        answers = []
        for name, job in (("images, crps", "train.yaml"), ("images + magnitudes, crps", "train-mixed.yaml"), ("images, squared error", "train-mse.yaml")):
            run = "photoz-" + job.split(".")[0]
            self.train_net(job, run)
            ids, p, z, value, edges = self.densities(run)
            raw, mean, expected = self.as_trained(run, p, edges)
            answers.append((name, ids, raw, z, mean, edges, 1))
            if self.keys["calibrate"] != "none":
                answers.append(("  calibrated", ids, p, z, value, edges, expected))
        z = answers[0][3]
        print(f"  {len(z)} test galaxies; the constant answer has an MSE of {z.var():.6f}")
        print(f"  {'':<28}{'sigma_MAD':>11}{'eta':>9}{'bias':>10}{'MSE':>11}{'gain':>7}{'CRPS':>10}{'PIT chi2/dof':>14}{'p':>8}{'expected':>10}")
        for name, _, *answer in answers:
            self.density_line(name, *answer)
        print("  the degenerate branch alone")
        for name, ids, p, z, value, edges, _ in answers:
            branch = np.array([kind[i] == "STARFORMING" for i in ids.tolist()])
            chi2, chance = flatness(pits(p[branch], z[branch], edges), 10)
            redshift_line(name, value[branch], z[branch], f"{'':>7}{mean_crps(p[branch], z[branch], edges):>10.5f}{chi2:>14.2f}{chance:>8.3f}")

    # ---- magnitudes ----

    def colours(self):
        from sklearn.ensemble import RandomForestRegressor

        source = os.path.join(self.data, "photoz", "sdss_galaxy_colors.npy")
        begin = time.monotonic()
        if not self.has("colours", "index.h5"):
            self.orrery("import", os.path.join(EXAMPLES, "photoz", "import-colours.yaml"), "input.files=" + source, "out=colours")
        if not self.has("photoz-colours", "report.json"):
            self.train(os.path.join(EXAMPLES, "photoz", "train-colours.yaml"), "photoz-colours", "data.train=colours", "train.seed=" + self.keys["seed"])
        seconds = time.monotonic() - begin
        with open(self.path("photoz-colours", "predictions-test.csv")) as f:
            rows = list(csv.DictReader(f))
        table = np.load(source)
        galaxy = table["spec_class"] == b"GALAXY"
        test = np.zeros(len(table), bool)
        test[[int(r["id"]) for r in rows]] = True
        assert galaxy[test].all() and np.allclose(table["redshift"][[int(r["id"]) for r in rows]], [float(r["target_redshift"]) for r in rows], atol=1e-6)
        train = galaxy & ~test
        m = np.stack([table[b] for b in "ugriz"], 1)
        c = np.concatenate([m[:, :-1] - m[:, 1:], m[:, 2:3]], 1)
        products = np.stack([np.ones(len(c)), *c.T, *(c[:, i] * c[:, j] for i in range(5) for j in range(i, 5))], 1)
        z = table["redshift"]
        print(f"colours: {test.sum()} test galaxies\n  {'':<28}{'sigma_MAD':>11}{'eta':>9}{'bias':>10}{'MSE':>11}{'seconds':>9}")
        target, mean, median = (np.array([float(r[k]) for r in rows]) for k in ("target_redshift", "value_redshift", "q50_redshift"))
        redshift_line("orrery, mean of the density", mean, target, f"{seconds:>9.1f}")
        redshift_line("orrery, median", median, target)
        begin = time.monotonic()
        fit = np.linalg.lstsq(products[train], z[train], rcond=None)[0]
        redshift_line("quadratic fit", products[test] @ fit, z[test], f"{time.monotonic() - begin:>9.1f}")
        for name, options in (("random forest, defaults", {}), ("random forest, tuned", {"min_samples_leaf": 3, "max_features": 0.6})):
            begin = time.monotonic()
            forest = RandomForestRegressor(100, random_state=0, n_jobs=-1, **options).fit(c[train], z[train])
            redshift_line(name, forest.predict(c[test]), z[test], f"{time.monotonic() - begin:>9.1f}")

    # ---- images with classes ----

    def ridge(self, images, labels, test, block):
        """Accuracy of ridge regression on block x block averages, its strength chosen on the
        training part."""
        from sklearn.linear_model import RidgeClassifierCV

        n, s = len(images), images.shape[1] // block
        x = images.reshape(n, images.shape[1], images.shape[2], -1)[:, :s * block, :s * block].astype("f4") / 255
        x = x.reshape(n, s, block, s, block, -1).mean((2, 4)).reshape(n, -1)
        model = RidgeClassifierCV(np.logspace(-1, 4, 8)).fit(x[~test], labels[~test])
        return model.score(x[test], labels[test])

    def classes(self, name, images, labels, ids, *args):
        begin = time.monotonic()
        if not self.has(name, "index.h5"):
            self.orrery("import", os.path.join(EXAMPLES, name, "import.yaml"), "out=" + name, *args)
        run = "run-" + name
        if not self.has(run, "report.json"):
            self.train(os.path.join(EXAMPLES, name, "train.yaml"), run, "data.train=" + name, "train.seed=" + self.keys["seed"],
                       "runtime.threads=" + self.keys["threads"])
        seconds, scores = time.monotonic() - begin, self.test_scores(run)
        test = np.isin(ids, np.array([int(i) for i in self.test_ids(run)]))
        assert test.sum() == scores["samples"]
        auc = f", AUC {scores['auc']:.4f}" if scores.get("auc") is not None else ""
        print(f"{name}: {test.sum()} test images\n  {'orrery':<28}{scores['accuracy']:>11.4f}{auc}  ({seconds:.0f} s)")
        print(f"  {'ridge regression':<28}{self.ridge(images, labels, test, 3):>11.4f}\n  {'majority':<28}{scores['baseline_accuracy']:>11.4f}", flush=True)

    def star_galaxy(self):
        source = os.path.join(self.data, "galaxies", "star-galaxy-64-")
        with lzma.open(source + "images.npy.xz") as f:
            images = np.load(f)
        np.save(self.path("star-galaxy-images.npy"), images)
        labels = np.load(source + "labels.npy")
        self.classes("star-galaxy", images, labels, np.arange(len(labels)), "input.files=" + self.path("star-galaxy-images.npy"),
                     "input.label=" + source + "labels.npy")

    def galaxy_zoo(self):
        import h5py

        source = os.path.join(self.data, "galaxies", "gz4-69x69.h5")
        with h5py.File(source) as f:
            images, labels, ids = f["images"][:], f["ans"][:], f["id"][:]
        self.classes("galaxy-zoo", images, labels, ids, "input.files=" + source)


def main():
    words = [a for a in sys.argv[1:] if "=" not in a]
    given = dict(a.split("=", 1) for a in sys.argv[1:] if "=" in a)
    if len(words) < 2 or set(given) - set(KEYS):
        raise SystemExit(__doc__)
    keys = {**KEYS, **given}
    with tempfile.TemporaryDirectory() as folder:
        if keys["keep"]:
            folder = os.path.abspath(keys["keep"])
            os.makedirs(folder, exist_ok=True)
        survey = Survey(words[0], words[1], folder, keys)
        for name in words[2:] or ["end-to-end", "colours", "star-galaxy", "galaxy-zoo"]:
            getattr(survey, name.replace("-", "_"))()


if __name__ == "__main__":
    main()
