"""Numbers beside a sample, and nets that answer with a density over bins: import, train, evaluate,
predict, info.  Reports are compared with numpy on the predictions, the formulas written here once
more from their definitions."""
import csv
import hashlib
import json
import os
import unittest

import h5py
import numpy as np
import orrery as o

BINS, LOW, HIGH = 40, 0.0, 0.4
LAYERS = "[flatten: {name: x}, aux: {name: colours}, concat: {inputs: [x, colours]}, linear: {units: 32}, relu, linear: {units: UNITS}]"


def survey(name, n, seed):
    """Three pixels of pure noise, two colours that know the redshift up to noise, and a
    magnitude."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(0.02, 0.38, n)
    colours = np.stack([z * 3 + rng.normal(0, 0.03, n), 1 - z + rng.normal(0, 0.03, n)], 1)
    mag = rng.uniform(14, 18, n)
    rows = np.concatenate([rng.normal(0, 1, (n, 3)), colours, mag[:, None], z[:, None]], 1)
    text = "id,a,b,c,gr,ri,mag,z\n" + "".join(f"{seed * 100000 + i}," + ",".join(f"{v:.9g}" for v in r) + "\n" for i, r in enumerate(rows))
    path = o.write(name + ".csv", text)
    o.orrery("import", "input.files=" + path, "input.id=id", "input.target=z", "input.target_kind=redshift", "input.features='a,b,c'", "input.aux=[gr, ri, mag]",
             "input.shape=[3]", "out=" + o.tmp(name), "shard_mib=0.001")
    return o.tmp(name)


def job(name, train, test, loss, units=BINS, layers=LAYERS, more="", bins=BINS, aux="[gr, ri]"):
    return o.write(name + ".yaml", f"""
run: unset
data:
  train: {train}
  test: {test}
  aux: {aux}
  aux_transforms: [standardise: {{per: feature}}]
model: {{layers: {layers.replace("UNITS", str(units))}, {o.KERNELS.replace("=", ": ")}}}
train: {{epochs: 12, batch: 32, lr: 0.01, loss: {loss}, bins: {{count: {bins}, min: {LOW}, max: {HIGH}}}{more}}}
runtime: {{threads: 1, progress: false}}
""")


def crps(p, z):
    """By adding up narrow slices of the piecewise linear distribution."""
    fine = 20000
    x = LOW + (np.arange(fine) + 0.5) * (HIGH - LOW) / fine
    cdf = np.interp(x, np.linspace(LOW, HIGH, BINS + 1), np.concatenate([[0], np.cumsum(p)]))
    return np.sum((cdf - (x >= z)) ** 2) * (HIGH - LOW) / fine


def cumulative(p):
    return np.minimum(np.concatenate([np.zeros((len(p), 1)), np.cumsum(p, 1)], 1), 1)


SEEN = ["seen/" + k for k in ("thinning", "trained_ids", "trained_content", "chose_ids", "chose_content")]


class Density(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.train, cls.test, cls.held_out = survey("train", 600, 1), survey("test", 200, 2), survey("held-out", 1500, 3)
        cls.trained = o.tmp("run-crps")
        o.orrery("train", job("crps", cls.train, cls.test, "crps", more=", select: sigma_mad"), "run=" + cls.trained)

    def test_import(self):
        with h5py.File(os.path.join(self.train, "index.h5")) as f:
            table = np.genfromtxt(o.tmp("train.csv"), delimiter=",", skip_header=1)
            self.assertTrue(np.array_equal(f["aux"][:], table[:, 4:7].astype("f4")))
            self.assertTrue(np.array_equal(f["y"][:].ravel(), table[:, 7].astype("f4")))
            self.assertTrue(np.array_equal(f["x"][:].reshape(600, 3), table[:, 1:4].astype("f4")))
        if o.MPIRUN:
            o.orrery("import", "input.files=" + o.tmp("train.csv"), "input.id=id", "input.target=z", "input.target_kind=redshift", "input.features='a,b,c'",
                     "input.aux=[gr, ri, mag]", "input.shape=[3]", "out=" + o.tmp("again"), "shard_mib=0.001", ranks=3)
            self.assertEqual(o.tree(o.tmp("again")), o.tree(self.train))
        out = o.orrery("info", self.train).out
        for word in ("target z", "aux    gr", "aux    mag", "###"):
            self.assertIn(word, out)

    def test_learns(self):
        with open(os.path.join(self.trained, "report.json")) as f:
            report = json.load(f)["test"]
        constant = 0.36 / 12 ** 0.5
        self.assertLess(report["rmse"], constant / 4)
        self.assertLess(report["sigma_mad"], 0.02)
        self.assertLess(report["crps"], 0.012)
        with open(os.path.join(self.trained, "history.csv")) as f:
            rows = list(csv.DictReader(f))
        self.assertEqual(len(rows), 12)
        self.assertEqual(rows[0]["validation_accuracy"], "nan")
        self.assertGreater(float(rows[0]["validation_crps"]), float(rows[-1]["validation_crps"]))
        self.assertIn("40 bins from 0 to 0.4", o.orrery("info", self.trained).out)

    def test_report_is_numpy(self):
        path = o.tmp("p.h5")
        o.orrery("predict", self.trained, self.test, "out=" + path, o.KERNELS)
        report = json.loads(o.orrery("evaluate", self.trained, self.test, "format=json", "by=[target, mag]", "groups=4", o.KERNELS).out)
        with h5py.File(path) as f:
            p, z, value, edges = f["p"][:], f["y"][:].astype(float), f["value"][:], f["bin_edges"][:]
        self.assertTrue(np.allclose(edges, np.linspace(LOW, HIGH, BINS + 1)))
        self.assertTrue(np.allclose(p.sum(1), 1))
        self.assertTrue(np.allclose(value, p @ ((edges[1:] + edges[:-1]) / 2)))
        dz = (value - z) / (1 + z)
        for key, want in (("bias", dz.mean()), ("sigma_mad", 1.4826 * np.median(np.abs(dz - np.median(dz)))), ("eta", np.mean(np.abs(dz) > 0.05)),
                          ("rmse", np.sqrt(np.mean((value - z) ** 2))), ("loss", np.mean([crps(a, b) for a, b in zip(p, z)])),
                          ("crps", np.mean([crps(a, b) for a, b in zip(p, z)]))):
            self.assertAlmostEqual(report[key], want, places=5 if key in ("loss", "crps") else 9, msg=key)
        pit = np.array([np.interp(b, edges, np.concatenate([[0], np.cumsum(a)])) for a, b in zip(p, z)])
        self.assertEqual(report["pit"], np.histogram(pit, 20, (0, 1))[0].tolist())
        with open(os.path.join(o.tmp("test.csv"))) as f:
            mag = np.array([float(r["mag"]) for r in csv.DictReader(f)], "f4").astype(float)
        for name, by in (("target", z), ("mag", mag)):
            groups = report["by"][name]
            self.assertEqual([g["samples"] for g in groups], [50] * 4)
            for k, g in enumerate(groups):
                inside = (by >= g["from"]) & ((by < g["to"]) if k < 3 else (by <= g["to"]))
                self.assertAlmostEqual(g["bias"], dz[inside].mean(), places=9)
        table = o.orrery("evaluate", self.trained, self.test, o.KERNELS).out
        for word in ("sigma_mad of dz", "PIT", "crps", "target"):
            self.assertIn(word, table)

    def test_predict_csv(self):
        path = o.tmp("p.csv")
        o.orrery("predict", self.trained, self.test, "out=" + path, o.KERNELS)
        with open(path) as f:
            rows = list(csv.DictReader(f))
        self.assertEqual(list(rows[0]), ["id", "target_z", "value_z", "q16_z", "q50_z", "q84_z", "pit"])
        self.assertEqual(rows[0]["id"], "200000")
        q = np.array([[float(r[k + "_z"]) for k in ("q16", "q50", "q84")] for r in rows])
        z = np.array([float(r["target_z"]) for r in rows])
        self.assertTrue(np.all(np.diff(q, axis=1) >= 0))
        inside = np.mean((z > q[:, 0]) & (z < q[:, 2]))
        # 0.68 when sharp; few epochs leave it too broad
        self.assertTrue(0.5 < inside < 0.98, inside)

    def test_ranks(self):
        if not o.MPIRUN:
            return
        for loss in ("ce", "expected_mse"):
            runs = []
            for n in (1, 2, 3):
                runs.append(o.tmp(f"run-{loss}-{n}"))
                o.orrery("train", job("ranks-" + loss, self.train, self.test, loss), "run=" + runs[-1], "train.epochs=2",
                         "data.statistics=true", ranks=n)
            for n in (1, 2):
                self.assertEqual(o.results(runs[n]), o.results(runs[0]))
                self.assertEqual(o.sha(os.path.join(runs[n], "statistics.h5")), o.sha(os.path.join(runs[0], "statistics.h5")))

    # ---- calibration ----

    def trained_twice(self):
        """Runs without and with calibration of a net whose densities say nothing (squared error of
        the mean)."""
        runs = [o.tmp("run-" + kind) for kind in ("none", "pit")]
        for run in runs:
            if not os.path.exists(run):
                o.orrery("train", job("calibrated", self.train, self.test, "expected_mse", more=", select: rmse"), "run=" + run,
                         "data.validation=" + self.held_out, "train.calibrate=" + run.rsplit("-", 1)[1])
        return runs

    def test_calibrated(self):
        none, pit = self.trained_twice()
        reports, models, answers = [], [], []
        for run in (none, pit):
            with open(os.path.join(run, "report.json")) as f:
                reports.append(json.load(f))
            with h5py.File(os.path.join(run, "model.h5")) as f:
                models.append({k: f[k][()] for k in f if k not in ("weights", "seen")})
            path = run + ".h5"
            o.orrery("predict", run, self.test, "out=" + path, o.KERNELS)
            with h5py.File(path) as f:
                answers.append({k: f[k][:] for k in f})
        # the same net
        self.assertEqual(o.sha(os.path.join(none, "history.csv")), o.sha(os.path.join(pit, "history.csv")))
        self.assertNotIn("calibration", models[0])
        self.assertNotIn("calibration", reports[0])
        # its cumulative densities through the map
        knots = models[1]["calibration"]
        self.assertTrue(np.all(np.diff(knots, axis=0) > 0) and knots[0].tolist() == [0, 0] and knots[-1].tolist() == [1, 1])
        want = np.diff(np.interp(cumulative(answers[0]["p"]), *knots.T), axis=1)
        self.assertLess(np.abs(answers[1]["p"] - want).max(), 1e-12)
        self.assertGreater(np.abs(answers[1]["p"] - answers[0]["p"]).max(), 0.01)
        edges = answers[1]["bin_edges"]
        self.assertTrue(np.allclose(answers[1]["value"], answers[1]["p"] @ ((edges[1:] + edges[:-1]) / 2)))
        # flat on the part that it was fitted on, much flatter on one that nothing was fitted on
        self.assertEqual(reports[1]["calibration"]["samples"], 1500)
        self.assertGreater(reports[0]["validation"]["pit_chi2"], 19 * 10)
        self.assertLess(reports[1]["validation"]["pit_chi2"], 19 * 1.5)
        self.assertGreater(reports[0]["test"]["pit_chi2"], 19 * 3)
        self.assertLess(reports[1]["test"]["pit_chi2"], 19 * 2)
        self.assertLess(reports[1]["test"]["crps"], reports[0]["test"]["crps"])
        # evaluate and the run's own table say the same
        again = json.loads(o.orrery("evaluate", pit, self.test, "format=json", o.KERNELS).out)
        for key in ("pit", "crps", "sigma_mad", "loss"):
            self.assertEqual(again[key], reports[1]["test"][key], key)
        self.assertEqual(reports[0]["test"]["loss"], reports[1]["test"]["loss"])

    def test_calibrated_csv(self):
        pit = self.trained_twice()[1]
        for form in ("csv", "h5"):
            o.orrery("predict", pit, self.test, "out=" + o.tmp("calibrated." + form), o.KERNELS)
        with h5py.File(o.tmp("calibrated.h5")) as f:
            p, z, edges = f["p"][:], f["y"][:].astype(float), f["bin_edges"][:]
        with open(o.tmp("calibrated.csv")) as f:
            rows = list(csv.DictReader(f))
        for row, c, truth in zip(rows, cumulative(p), z):
            self.assertAlmostEqual(float(row["pit"]), np.interp(truth, edges, c), places=6)
            for key, q in (("q16_z", 0.16), ("q50_z", 0.5), ("q84_z", 0.84)):
                self.assertAlmostEqual(float(row[key]), np.interp(q, c + np.arange(len(c)) * 1e-13, edges), places=6)
        q = np.array([[float(r[k + "_z"]) for k in ("q16", "q84")] for r in rows])
        self.assertLess(abs(np.mean((z > q[:, 0]) & (z < q[:, 1])) - 0.68), 0.1)
        self.assertEqual(o.sha(o.tmp("calibrated.csv")), o.sha(os.path.join(pit, "predictions-test.csv")))

    def test_calibrated_ranks(self):
        if not o.MPIRUN:
            return
        runs = [o.tmp(f"run-calibrated-{n}") for n in (1, 2, 3)]
        for n, run in enumerate(runs):
            o.orrery("train", job("calibrated-ranks", self.train, self.test, "crps"), "run=" + run, "train.epochs=2", "train.calibrate=pit", ranks=n + 1)
            self.assertEqual(o.results(run), o.results(runs[0]))
        with h5py.File(os.path.join(runs[0], "model.h5")) as f:
            self.assertIn("calibration", f)

    def test_damaged_calibration(self):
        """A calibration that is gone is noticed by the checksum, one that is no map by what it
        is."""
        def checksum(f):
            sum = hashlib.sha256()
            layers = [f"weights/{k}.{part}" for k in ("linear1", "linear2") for part in ("weight", "bias")]
            for name in ("graph", "samples", "transforms", "aux_transforms", "transform_numbers", "aux_transform_numbers", "job", "record",
                         "calibration", *SEEN, *layers):
                data = f[name][:]
                sum.update(name.encode() + b"\0" + (data.tobytes() if data.dtype.kind != "S" else data[0].ljust(data.dtype.itemsize, b"\0")))
            return sum.hexdigest()

        def damaged(name, change):
            path = o.tmp(name + ".h5")
            with open(os.path.join(self.trained_twice()[1], "model.h5"), "rb") as f, open(path, "wb") as g:
                g.write(f.read())
            with h5py.File(path, "r+") as f:
                self.assertEqual(checksum(f).encode(), np.bytes_(f.attrs["sha256"]))
                change(f)
                if "calibration" in f:
                    f.attrs["sha256"] = np.bytes_(checksum(f))
            return o.orrery("predict", path, self.test, "out=" + o.tmp("damaged.csv"), o.KERNELS, code=1).err

        def gone(f):
            del f["calibration"]

        def falling(f):
            f["calibration"][3, 1] = 0

        def early(f):
            f["calibration"][0, 0] = -0.5

        def odd(f):
            del f["calibration"]
            f["calibration"] = np.linspace(0, 1, 5)

        self.assertIn("does not match its checksum", damaged("gone", gone))
        self.assertIn("knot 3 of its calibration", damaged("falling", falling))
        self.assertIn("not from 0 to 1", damaged("early", early))
        self.assertIn("calibration holds 5 numbers", damaged("odd", odd))
        self.assertFalse(os.path.exists(o.tmp("damaged.csv")))

    def test_values(self):
        """A target that is said to be a redshift gets the metrics of one from a plain regression,
        too."""
        run = o.tmp("run-mse")
        o.orrery("train", job("mse", self.train, self.test, "mse", units=1, bins=0), "run=" + run, "train.epochs=3", "train.select=eta")
        report = json.loads(o.orrery("evaluate", run, self.test, "format=json", o.KERNELS).out)
        self.assertIn("eta", report)
        self.assertNotIn("crps", report)
        as_value = json.loads(o.orrery("evaluate", run, self.test, "format=json", "target_kind=value", o.KERNELS).out)
        self.assertNotIn("eta", as_value)
        z = np.genfromtxt(o.tmp("test.csv"), delimiter=",", skip_header=1)[:, 7].astype("f4").astype(float)
        o.orrery("predict", run, self.test, "out=" + o.tmp("mse.npy"), o.KERNELS)
        d = np.load(o.tmp("mse.npy"))[:, 0].astype(float) - z
        self.assertAlmostEqual(as_value["bias"], d.mean(), places=6)
        self.assertAlmostEqual(report["bias"], (d / (1 + z)).mean(), places=6)

    def test_statistics(self):
        run = o.tmp("run-statistics")
        o.orrery("train", job("statistics", self.train, self.test, "ce"), "run=" + run, "train.epochs=1", "data.statistics=true",
                 "data.validation=" + self.test, "data.test=''")
        with h5py.File(os.path.join(run, "statistics.h5")) as f, h5py.File(os.path.join(self.train, "index.h5")) as d:
            x = d["x"][:].reshape(600, -1).astype(float)
            self.assertTrue(np.allclose(f["mean"][:].ravel(), x.mean(0), atol=1e-12))
            self.assertTrue(np.allclose(f["variance"][:].ravel(), x.var(0), rtol=1e-12))
            self.assertTrue(np.array_equal(f["min"][:].ravel(), x.min(0)) and np.array_equal(f["max"][:].ravel(), x.max(0)))

    def refuses(self, sentence, *args, **kw):
        r = o.orrery("train", job("bad", self.train, self.test, **kw), "run=" + o.tmp("bad"), *args, code=None)
        self.assertIn(sentence, r.err)
        self.assertNotEqual(r.code, 0)
        self.assertEqual(len([line for line in r.err.splitlines() if line]), 1, r.err)
        self.assertFalse(os.path.exists(o.tmp("bad/model.h5")))

    def test_bad_jobs(self):
        self.refuses("targets lie outside train.bins", "train.bins.max=0.2", loss="crps")
        self.refuses("did you mean \"mag\"", loss="crps", aux="[magn, ri]")
        self.refuses("that the net does not read", loss="crps", layers="[flatten, linear: {units: UNITS}]")
        self.refuses("aux", loss="crps", aux="[]")
        self.refuses("train.select is auc", "train.select=auc", loss="crps")
        self.refuses("bins", loss="crps", bins=0)
        self.refuses("max 0.4 is not above min 0.5", "train.bins.min=0.5", loss="crps")
        self.refuses("1 x 1 x 40", loss="crps", units=7)
        self.refuses("which is for densities", "train.calibrate=pit", loss="mse", units=1, bins=0)
        self.refuses("and there is none", "train.calibrate=pit", "data.validation_fraction=0", loss="crps")
        self.refuses("60 samples", "train.calibrate=pit", "data.validation_fraction=0.1", loss="crps")

    def test_other_data(self):
        """A set without the numbers that the model takes is refused by name."""
        path = o.write("plain.csv", "id,a,b,c,gr\n1,1,2,3,4\n")
        o.orrery("import", "input.files=" + path, "input.id=id", "input.features='a,b,c'", "input.aux=gr", "input.shape=[3]",
                 "out=" + o.tmp("plain"))
        self.assertIn("\"ri\"", o.orrery("predict", self.trained, o.tmp("plain"), "out=" + o.tmp("x.csv"), code=1).err)
        self.assertFalse(os.path.exists(o.tmp("x.csv")))


if __name__ == "__main__":
    unittest.main()
