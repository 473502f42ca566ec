"""Several targets, their names and units, and what input.shift took off them, through train,
evaluate, predict, cv and submission; scikit-learn and numpy say what is right."""
import csv
import json
import os
import unittest

import h5py
import numpy as np
import orrery as o
from ensemble import net
from sklearn import metrics

ORIGIN = 2454833.0
KEYS = "runtime: {threads: 1, progress: false}\n"


def table(name, n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    y = np.stack([ORIGIN + 40 * x[:, 0] + rng.normal(size=n), 5 + x[:, 1] + 0.1 * rng.normal(size=n)], 1)
    text = "name,BJD,mag,a,b\n" + "".join(f"s{seed}-{i},{v[0]!r},{v[1]!r},{u[0]!r},{u[1]!r}\n" for i, (u, v) in enumerate(zip(x.tolist(), y.tolist())))
    return o.write(name + ".csv", text), y


def imported(path, name, *more):
    o.orrery("import", "input.files=" + path, "input.id=name", "input.features=a,b", "input.shape=[2]", "out=" + o.tmp(name), *more)
    return o.tmp(name)


def rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def numbers(table, column):
    return np.array([float(r[column]) for r in table])


def texts(values):
    return [v.decode() for v in values]


class Targets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        (train, cls.y), (test, cls.y_test) = table("train", 160, 1), table("test", 60, 2)
        both = ("input.target=[BJD, mag]", "input.shift={BJD: 2454833}")
        cls.train, cls.test = imported(train, "two-train", *both), imported(test, "two-test", *both)
        one = ("input.target=BJD", "input.shift={BJD: 2454833}")
        cls.one = imported(train, "one-train", *one), imported(test, "one-test", *one)
        cls.job = o.write("two.yaml", f"run: {o.tmp('two')}\ndata: {{train: {cls.train}, test: {cls.test}}}\nmodel: {net(8, 2)}\n"
                          "train: {epochs: 4, batch: 16, lr: 0.02}\n" + KEYS)
        cls.log = o.orrery("train", cls.job).err

    def scores(self, report, p, y):
        """Per target, and their mean (uniform_average)."""
        self.assertEqual([t["name"] for t in report["targets"]], ["BJD", "mag"])
        for k, t in enumerate(report["targets"]):
            self.assertAlmostEqual(t["mae"], metrics.mean_absolute_error(y[:, k], p[:, k]), delta=1e-5)
            self.assertAlmostEqual(t["r2"], metrics.r2_score(y[:, k], p[:, k]), delta=1e-6)
            self.assertAlmostEqual(t["rmse"], np.sqrt(metrics.mean_squared_error(y[:, k], p[:, k])), delta=1e-5)
        self.assertAlmostEqual(report["r2"], metrics.r2_score(y, p), delta=1e-6)
        self.assertAlmostEqual(report["mae"], metrics.mean_absolute_error(y, p), delta=1e-5)
        self.assertAlmostEqual(report["rmse"], metrics.mean_squared_error(y, p, squared=False), delta=1e-5)

    def test_predictions(self):
        out = o.tmp("two-p.h5")
        o.orrery("predict", o.tmp("two"), self.test, "out=" + out, "overwrite=true", o.KERNELS)
        with h5py.File(out) as f:
            p, y = f["p"][:], f["y"][:]
            self.assertEqual(texts(f.attrs["p_names"]), ["BJD", "mag"])
            self.assertEqual([float(v) for v in texts(f.attrs["shift"])], [ORIGIN, 0])
            self.assertEqual((p.dtype, y.dtype), (np.float64, np.float64))
        self.assertLess(np.abs(y[:, 0] - self.y_test[:, 0]).max(), 1e-5)  # a float32 of up to 200
        self.assertTrue(np.array_equal(y[:, 1], self.y_test[:, 1].astype("f4")))
        self.assertLess(np.abs(p[:, 0] - self.y_test[:, 0]).max(), 200)
        o.orrery("predict", o.tmp("two"), self.test, "out=" + o.tmp("two-p.csv"), o.KERNELS)
        table = rows(o.tmp("two-p.csv"))
        self.assertEqual(list(table[0]), ["id", "target_BJD", "target_mag", "value_BJD", "value_mag"])
        self.assertTrue(np.array_equal(numbers(table, "value_BJD"), p[:, 0]))
        self.assertTrue(np.array_equal(numbers(table, "target_BJD"), y[:, 0]))
        self.assertTrue(np.array_equal(numbers(table, "value_mag").astype("f4"), p[:, 1].astype("f4")))
        o.orrery("predict", o.tmp("two"), self.test, "out=" + o.tmp("two-p.npy"), o.KERNELS)
        array = np.load(o.tmp("two-p.npy"))
        self.assertTrue(array.dtype == np.float64 and np.array_equal(array, p))
        report = json.loads(o.orrery("evaluate", o.tmp("two"), self.test, "format=json", o.KERNELS).out)
        self.scores(report, p, y)
        shown = o.orrery("evaluate", o.tmp("two"), self.test, o.KERNELS).out
        for word in ("means over 2 targets", "BJD", "mag"):
            self.assertIn(word, shown)
        # the run's own table, and a submission by names
        self.assertEqual(rows(os.path.join(o.tmp("two"), "predictions-test.csv")), table)
        sample = o.write("sample.csv", "name,mag,BJD\n" + "".join(f"s2-{i},0,0\n" for i in range(60)))
        o.orrery("predict", o.tmp("two"), self.test, "out=" + o.tmp("mine.csv"), "submission=" + sample, o.KERNELS)
        self.assertTrue(np.array_equal(numbers(rows(o.tmp("mine.csv")), "BJD"), p[:, 0]))

    def test_history(self):
        header = rows(os.path.join(o.tmp("two"), "history.csv"))
        for name in ("validation_rmse_BJD", "validation_rmse_mag", "validation_sigma_mad_mag"):
            self.assertIn(name, header[0])
        self.assertAlmostEqual(numbers(header, "validation_rmse")[-1],
                               (numbers(header, "validation_rmse_BJD")[-1] + numbers(header, "validation_rmse_mag")[-1]) / 2, places=6)
        with open(os.path.join(o.tmp("two"), "metrics.jsonl")) as f:
            last = json.loads(f.readlines()[-1])
        self.assertEqual([t["name"] for t in last["validation"]["targets"]], ["BJD", "mag"])
        self.assertIn("(BJD ", self.log)
        with open(os.path.join(o.tmp("two"), "report.json")) as f:
            self.scores(json.load(f)["test"], *(np.array([[float(r[f"{k}_{t}"]) for t in ("BJD", "mag")]
                                                            for r in rows(os.path.join(o.tmp("two"), "predictions-test.csv"))]) for k in ("value", "target")))

    def test_cv(self):
        job = o.write("cv.yaml", f"run: {o.tmp('cv')}\ndata: {{train: {self.train}, test: {self.test}}}\nmodel: {net(8, 2)}\n"
                      "train: {epochs: 2, batch: 16, lr: 0.02}\ncv: {folds: 3, kind: plain}\n" + KEYS)
        o.orrery("cv", job, ranks=2 if o.MPIRUN else 0)
        with h5py.File(o.tmp("cv/oof.h5")) as f:
            p, y, d = f["p"][0], f["y"][:], json.loads(f["description"][0])
            test_p = f["test_p"][0]
        self.assertEqual((d["target_names"], d["target_shift"]), (["BJD", "mag"], [ORIGIN, 0]))
        self.assertLess(np.abs(y[:, 0] - self.y[:, 0]).max(), 1e-5)
        self.assertLess(np.abs(p[:, 0] - self.y[:, 0]).max(), 300)
        table = rows(o.tmp("cv/oof.csv"))
        self.assertEqual(list(table[0]), ["id", "target_BJD", "target_mag", "fold", "model/BJD", "model/mag"])
        self.assertLess(np.abs(numbers(table, "model/BJD") - p[:, 0]).max(), 1e-8)
        with open(o.tmp("cv/report.json")) as f:
            self.scores(json.load(f)["models"][0]["pooled"], p, y)
        o.orrery("predict", o.tmp("cv"), self.test, "out=" + o.tmp("cv-p.npy"), o.KERNELS)
        self.assertLess(np.abs(np.load(o.tmp("cv-p.npy")) - test_p).max(), 1e-8)
        self.assertIn("values", o.orrery("stack", "run=" + o.tmp("st"), "oof=" + o.tmp("cv"), code=1).err)
        # several seeds, too
        o.orrery("train", self.job, "run=" + o.tmp("seeds"), "train.seeds=2", "train.epochs=1")
        table = rows(o.tmp("seeds/predictions-test.csv"))
        self.assertLess(np.abs(numbers(table, "target_BJD") - self.y_test[:, 0]).max(), 1e-5)
        with h5py.File(o.tmp("seeds/seeds.h5")) as f:
            self.assertLess(np.abs(numbers(table, "value_BJD") - f["test_p"][:, :, 0].mean(0)).max(), 1e-8)

    def test_density(self):
        train, test = self.one
        job = o.write("density.yaml", f"run: {o.tmp('density')}\ndata: {{train: {train}, test: {test}}}\nmodel: {net(8, 30)}\n"
                      "train: {epochs: 2, batch: 16, lr: 0.02, bins: {count: 30, min: -250, max: 250}}\n" + KEYS)
        o.orrery("train", job)
        out = o.tmp("density.h5")
        o.orrery("predict", o.tmp("density"), test, "out=" + out, o.KERNELS)
        with h5py.File(out) as f:
            p, value, edges, y = (f[k][:] for k in ("p", "value", "bin_edges", "y"))
            self.assertEqual(texts(f.attrs["value_names"]), ["BJD"])
        self.assertTrue(np.allclose(p.sum(1), 1))
        self.assertLess(np.abs(value - p @ ((edges[1:] + edges[:-1]) / 2)).max(), 1e-6)
        self.assertEqual((edges[0], edges[-1]), (ORIGIN - 250, ORIGIN + 250))
        self.assertLess(np.abs(y - self.y_test[:, 0]).max(), 1e-5)
        o.orrery("predict", o.tmp("density"), test, "out=" + o.tmp("density.csv"), o.KERNELS)
        table = rows(o.tmp("density.csv"))
        self.assertEqual(list(table[0]), ["id", "target_BJD", "value_BJD", "q16_BJD", "q50_BJD", "q84_BJD", "pit"])
        self.assertTrue(np.array_equal(numbers(table, "value_BJD"), value))
        self.assertLess(np.abs(numbers(table, "q50_BJD") - ORIGIN).max(), 250)
        shown = json.loads(o.orrery("evaluate", o.tmp("density"), test, "format=json", o.KERNELS).out)
        group = shown["by"]["target"][0]
        inside = (y >= group["from"]) & (y < group["to"])
        self.assertGreater(group["from"], ORIGIN - 250)
        self.assertNotIn("eta", group)  # no redshift
        self.assertAlmostEqual(group["bias"], (value - y)[inside].mean(), places=6)
        # a redshift must be itself
        self.assertIn("input.shift", o.orrery("train", job, "run=" + o.tmp("z"), "data.target_kind=redshift", code=2).err)

    def test_units_of_fits(self):
        from astropy.table import Table
        names = {"a": np.arange(40.0), "v": 3 + np.sin(np.arange(40.0)), "name": [f"f{i}" for i in range(40)]}
        t = Table(names)
        t["v"].unit = "km/s"
        t.write(o.tmp("v.fits"))
        data = o.tmp("fits")
        o.orrery("import", "input.files=" + o.tmp("v.fits"), "input.id=name", "input.features=a", "input.shape=[1]", "input.target=v", "out=" + data)
        o.orrery("train", o.write("fits.yaml", f"run: {o.tmp('fits-run')}\ndata: {{train: {data}}}\nmodel: {net(2, 1)}\ntrain: {{epochs: 1}}\n" + KEYS))
        o.orrery("predict", o.tmp("fits-run"), data, "out=" + o.tmp("fits.h5"), o.KERNELS)
        with h5py.File(o.tmp("fits.h5")) as f:
            self.assertEqual((texts(f.attrs["p_names"]), texts(f.attrs["p_units"])), (["v"], ["km s-1"]))
        # the same target in other units is said
        t["v"] = t["v"] * 1000
        t["v"].unit = "m/s"
        t.write(o.tmp("m.fits"))
        o.orrery("import", "input.files=" + o.tmp("m.fits"), "input.id=name", "input.features=a", "input.shape=[1]", "input.target=v", "out=" + o.tmp("m"))
        self.assertIn("its target v is in m s-1", o.orrery("evaluate", o.tmp("fits-run"), o.tmp("m"), o.KERNELS).err)

    def test_names_of_classes(self):
        x = np.arange(60) % 3
        text = "name,k,a\n" + "".join(f"c{i},{'spiral elliptical odd'.split()[k]},{k + 0.1 * i}\n" for i, k in enumerate(x))
        data = o.tmp("classes")
        o.orrery("import", "input.files=" + o.write("classes.csv", text), "input.id=name", "input.features=a", "input.shape=[1]", "input.label=k",
                 "input.classes=[spiral, elliptical, odd]", "out=" + data)
        o.orrery("train", o.write("classes.yaml", f"run: {o.tmp('classes-run')}\ndata: {{train: {data}}}\nmodel: {net(2, 3)}\ntrain: {{epochs: 1}}\n" + KEYS))
        o.orrery("predict", o.tmp("classes-run"), data, "out=" + o.tmp("classes.h5"), o.KERNELS)
        with h5py.File(o.tmp("classes.h5")) as f:
            self.assertEqual(texts(f.attrs["p_names"]), ["spiral", "elliptical", "odd"])


if __name__ == "__main__":
    unittest.main()
