"""predict and evaluate on a cross-validation and on a stack: the answers are numpy's means of what
each fold's model says alone, for classes, values and densities; the same bytes on any number of
ranks; and every way in which the models can be wrong is told."""
import csv
import hashlib
import json
import os
import shutil
import unittest

import h5py
import numpy as np
import orrery as o
from sklearn import metrics

FOLDS = 3
PARTS = ("graph", "samples", "transforms", "aux_transforms", "transform_numbers", "aux_transform_numbers", "job", "record")
SEEN = ["seen/" + k for k in ("thinning", "trained_ids", "trained_content", "chose_ids", "chose_content")]


def table(name, n, seed, classes=0, targets=(), features=2, names=()):
    """A shard set with text ids: classes that two numbers tell apart badly, or targets that they
    make."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, features))
    if classes:
        y = np.clip(np.floor(x[:, 0] + 0.5 * rng.normal(size=n) + classes / 2), 0, classes - 1).astype(int)[:, None]
    else:
        y = np.stack([0.2 * np.tanh(x[:, 0] + k) + 0.01 * rng.normal(size=n) for k in range(len(targets))], 1)
    columns = ["label"] if classes else list(targets)
    text = "name," + ",".join(columns) + "," + ",".join(f"x{k}" for k in range(features)) + "\n"
    text += "".join(f"s{seed}-{i:04d}," + ",".join(f"{v:.9g}" for v in [*y[i], *x[i]]) + "\n" for i in range(n))
    what = ["input.label=label", *([f"input.class_names=[{', '.join(names)}]"] if names else [])] if classes else [f"input.target=[{', '.join(targets)}]"]
    o.orrery("import", "input.files=" + o.write(name + ".csv", text), "input.id=name", "input.features='" + ",".join(f"x{k}" for k in range(features)) + "'",
             f"input.shape=[{features}]", "out=" + o.tmp(name), *what)
    return o.tmp(name)


def net(units, outputs):
    return f"{{layers: [linear: {{units: {units}}}, tanh, linear: {{units: {outputs}}}], {o.KERNELS.replace('=', ': ')}}}"


def cv_job(name, train, test, configurations, cv=f"folds: {FOLDS}", training=""):
    """configurations: {name: (model, keys of train)}."""
    shared = o.write(name + "-shared.yaml", f"data: {{train: {train}, validation_fraction: 0.5}}\nmodel: {next(iter(configurations.values()))[0]}\n"
                     f"train: {{epochs: 2, batch: 32, lr: 0.02{training}}}\n")
    text = f"run: {o.tmp(name)}\njob: {shared}\ndata: {{test: {test}}}\ncv: {{{cv}}}\nconfigurations:\n"
    text += "".join(f"  {k}: {{model: {m}, train: {{{t}}}}}\n" for k, (m, t) in configurations.items())
    return o.write(name + ".yaml", text + "runtime: {threads: 1, progress: false}\n")


def cross_validate(*args, **more):
    job = cv_job(*args, **more)
    o.orrery("cv", job)
    return job


def answers(path, data, *args, ranks=0, form="h5", code=0):
    """p of `orrery predict`, or the csv's rows."""
    out = o.tmp(f"answers.{form}")
    r = o.orrery("predict", path, data, "out=" + out, "overwrite=true", o.KERNELS, *args, ranks=ranks, code=code)
    if code:
        return r.err
    if form == "csv":
        with open(out, newline="") as f:
            return list(csv.DictReader(f))
    with h5py.File(out) as f:
        return f["p"][:]


def mean(arrays):
    """As documented: p / n, added in order."""
    total = arrays[0] / len(arrays)
    for a in arrays[1:]:
        total = total + a / len(arrays)
    return total


def text_bytes(dataset):
    data = dataset[:]
    return data.tobytes() if data.dtype.kind != "S" else data[0].ljust(data.dtype.itemsize, b"\0")


def sign(f, names):
    total = hashlib.sha256()
    for name in names:
        total.update(name.encode() + b"\0" + text_bytes(f[name]))
    f.attrs["sha256"] = np.bytes_(total.hexdigest())


def change_model(path, change):
    """Edits a model file as if it had been written so."""
    with h5py.File(path, "r+") as f:
        change(f)
        layers = [f"weights/{k}.{part}" for k in ("linear1", "linear2") for part in ("weight", "bias")]
        sign(f, [*PARTS, *(["calibration"] if "calibration" in f else []), *SEEN, *layers])


def put_text(f, name, text):
    if name in f:
        del f[name]
    f[name] = np.array([text.encode()], dtype=f"S{max(1, len(text.encode()))}")


def edit_description(path, change):
    def edit(f):
        d = json.loads(f["samples"][0])
        change(d)
        put_text(f, "samples", json.dumps(d))
    change_model(path, edit)


def write_stack(folder, columns, w, b, names, logits=False):
    """stack.h5 of columns (run, model, seed) with these weights."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "stack.h5")
    if os.path.exists(path):
        os.remove(path)
    with h5py.File(path, "w") as f:
        f.attrs["format"] = np.bytes_("orrery-stack-1")
        put_text(f, "description", json.dumps({
            "classes": len(names), "features": "logit" if logits else "probability", "class_names": names,
            "columns": [{"run": r, "model": m, "seed": s} for r, m, s in columns]}))
        f["c"], f["w"], f["b"] = np.array([1.0]), np.atleast_2d(np.array(w, dtype="f8")), np.atleast_1d(np.array(b, dtype="f8"))
        sign(f, ["description", "c", "w", "b"])
    return folder


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Ensemble(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.train, cls.test = table("train", 160, 1, classes=2, names=("star", "galaxy")), table("test", 150, 2, classes=2, names=("star", "galaxy"))
        cls.cv = o.tmp("cv")
        cls.models = {"small": (net(8, 1), ""), "wide": (net(16, 2), "")}
        cls.job = cross_validate("cv", cls.train, cls.test, cls.models, cv=f"folds: {FOLDS}, seeds: [1, 2], repeats: 2")
        cls.single = {}
        for name in sorted(os.listdir(os.path.join(cls.cv, "tasks"))):
            cls.single[name] = answers(os.path.join(cls.cv, "tasks", name), cls.test)
        assert len(cls.single) == 2 * 2 * 2 * FOLDS

    def column(self, model, seed, repeat):
        return mean([self.single[f"{model}-s{seed}-r{repeat}-f{f}"] for f in range(FOLDS)])

    def configuration(self, model, seeds=(1, 2)):
        return mean([self.column(model, s, r) for s in seeds for r in (0, 1)])

    def copy(self, name):
        folder = o.tmp(name)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.cv, folder)
        return folder

    def fails(self, words, path, *args, data=None, command="predict", code=1):
        """One sentence with all the words, on one rank and on two; nothing is written."""
        out = o.tmp("not-there.csv")
        for n in (0, 2) if o.MPIRUN else (0,):
            r = o.orrery(command, path, data or self.test, o.KERNELS, *(["out=" + out] if command == "predict" else []), *args, ranks=n, code=code)
            lines = [line for line in r.err.splitlines() if line.startswith("orrery")]
            self.assertEqual(len(lines), 1, r.err)
            for word in words:
                self.assertIn(word, lines[0])
            self.assertFalse(os.path.exists(out) or os.path.exists(out + ".tmp"))

    # ---- means ----
    def test_mean_of_all(self):
        want = mean([self.configuration("small"), self.configuration("wide")])
        self.assertTrue(np.array_equal(answers(self.cv, self.test), want))
        rows = answers(self.cv, self.test, form="csv")
        self.assertEqual([np.float32(r["probability"]) for r in rows], want[:, 1].astype("f4").tolist())
        self.assertEqual([r["predicted"] for r in rows], ["galaxy" if p > 0.5 else "star" for p in want[:, 1]])
        self.assertEqual([r["id"] for r in rows], [f"s2-{i:04d}" for i in range(150)])
        self.assertGreater(len({r["predicted"] for r in rows}), 1)

    def test_one_configuration(self):
        for name in ("small", "wide"):
            self.assertTrue(np.array_equal(answers(self.cv, self.test, "model=" + name), self.configuration(name)))

    def test_is_what_oof_says(self):
        with h5py.File(os.path.join(self.cv, "oof.h5")) as f:
            p, columns = f["test_p"][:], json.loads(f["description"][0])["columns"]
        for k, c in enumerate(columns):
            self.assertTrue(np.array_equal(p[k], self.column(c["model"], c["seed"], c["repeat"])))

    def test_paths(self):
        want = answers(self.cv, self.test)
        self.assertTrue(np.array_equal(answers(os.path.join(self.cv, "oof.h5"), self.test), want))
        self.assertTrue(np.array_equal(answers(self.cv + "/", self.test), want))
        for path in (".", "oof.h5"):
            out = o.tmp("here.npy")
            o.orrery("predict", path, self.test, "out=" + out, "overwrite=true", o.KERNELS, cwd=self.cv)
            self.assertTrue(np.array_equal(np.load(out), want.astype("f4")))

    def test_ranks(self):
        if not o.MPIRUN:
            return
        stack = write_stack(o.tmp("stack-ranks"), [(self.cv, "small", -1), (self.cv, "wide", 2)], [3.0, -1.5], [0.25], ["star", "galaxy"])
        for path in (self.cv, stack):
            for form in ("csv", "h5", "npy"):
                sums = set()
                for n in (0, 1, 2, 3):
                    out = o.tmp(f"ranks-{n}.{form}")
                    o.orrery("predict", path, self.test, "out=" + out, "overwrite=true", o.KERNELS, ranks=n)
                    sums.add(o.sha(out))
                self.assertEqual(len(sums), 1, (path, form))
            self.assertEqual(len({o.orrery("evaluate", path, self.test, "format=json", o.KERNELS, ranks=n).out for n in (0, 2, 3)}), 1)

    def test_evaluate(self):
        report = json.loads(o.orrery("evaluate", self.cv, self.test, "format=json", o.KERNELS).out)
        p = answers(self.cv, self.test)[:, 1]
        with open(o.tmp("test.csv"), newline="") as f:
            y = np.array([int(r["label"]) for r in csv.DictReader(f)])
        self.assertIsNone(report["loss"])
        self.assertEqual(report["samples"], 150)
        self.assertAlmostEqual(report["log_loss"], metrics.log_loss(y, p), places=12)
        self.assertAlmostEqual(report["auc"], metrics.roc_auc_score(y, p), places=12)
        self.assertEqual(report["confusion"], metrics.confusion_matrix(y, p > 0.5).tolist())
        shown = o.orrery("evaluate", self.cv, self.test, o.KERNELS).out
        for word in ("accuracy", "ROC-AUC", "galaxy", "confusion"):
            self.assertIn(word, shown)
        low = json.loads(o.orrery("evaluate", self.cv, self.test, "format=json", "threshold=0.3", o.KERNELS).out)
        self.assertEqual(low["confusion"], metrics.confusion_matrix(y, p > 0.3).tolist())

    def test_progress_is_one_line(self):
        r = o.orrery("predict", self.cv, self.test, "out=" + o.tmp("p.csv"), "overwrite=true", o.KERNELS)
        lines = [line for line in r.err.splitlines() if line.startswith("predict:")]
        self.assertEqual(len(lines), 1, r.err)
        self.assertIn("3600/3600 samples", lines[0])
        self.assertIn("24 models", r.err)
        self.assertNotIn("samples in", o.orrery("predict", self.cv, self.test, "out=" + o.tmp("p.csv"), "overwrite=true", "runtime.progress=false",
                                              o.KERNELS).err)

    def test_other_answers(self):
        """Three classes, two values, densities (calibrated ones, too)."""
        three = [table(f"three-{k}", 120, k + 10, classes=3) for k in range(2)]
        values = [table(f"values-{k}", 120, k + 20, targets=("u", "v")) for k in range(2)]
        redshift = [table(f"redshift-{k}", 320, k + 30, targets=("z",)) for k in range(2)]
        bins = ", bins: {count: 20, min: -0.3, max: 0.3}"
        for name, data, model, training, width in (
                ("three", three, net(8, 3), "", 3), ("values", values, net(8, 2), "", 2), ("density", redshift, net(8, 20), bins, 20),
                ("calibrated", redshift, net(8, 20), bins + ", loss: crps, calibrate: pit", 20)):
            cross_validate(name, *data, {"a": (model, ""), "b": (model, "lr: 0.05")}, training=training)
            run = o.tmp(name)
            single = {k: answers(os.path.join(run, "tasks", k), data[1]) for k in os.listdir(os.path.join(run, "tasks"))}
            want = mean([mean([single[f"{c}-s1-f{f}"] for f in range(FOLDS)]) for c in "ab"])
            got = answers(run, data[1])
            self.assertEqual(got.shape, (len(want), width))
            self.assertTrue(np.array_equal(got, want), name)
            report = json.loads(o.orrery("evaluate", run, data[1], "format=json", o.KERNELS).out)
            self.assertIsNone(report["loss"])
            rows = answers(run, data[1], form="csv")
            if width == 20:
                with h5py.File(o.tmp("answers.h5")) as f:
                    point, z = f["value"][:], f["y"][:]
                centres = -0.3 + (np.arange(20) + 0.5) * 0.03
                self.assertLess(np.abs(point - want @ centres).max(), 1e-15)
                self.assertEqual([np.float32(r["value_z"]) for r in rows], point.astype("f4").tolist())
                self.assertAlmostEqual(report["rmse"], np.sqrt(np.mean((point - z) ** 2)), places=12)
                self.assertIn("crps", report)
            elif width == 2:
                self.assertEqual([np.float32(r["value_v"]) for r in rows], want[:, 1].astype("f4").tolist())
            else:
                self.assertEqual([np.float32(r["probability_2"]) for r in rows], want[:, 2].astype("f4").tolist())
        # a stack of three classes: softmax, features side by side
        w, b = np.random.default_rng(3).normal(size=(3, 6)), np.array([0.1, -0.2, 0.3])
        stack = write_stack(o.tmp("stack-three"), [(o.tmp("three"), "b", -1), (o.tmp("three"), "a", 1)], w, b, ["0", "1", "2"], logits=True)
        single = {k: answers(os.path.join(o.tmp("three"), "tasks", k), three[1]) for k in os.listdir(o.tmp("three/tasks"))}
        x = np.concatenate([mean([single[f"{c}-s1-f{f}"] for f in range(FOLDS)]) for c in "ba"], 1)
        x = np.clip(x, 1e-7, 1 - 1e-7)
        score = np.exp(np.log(x / (1 - x)) @ w.T + b)
        self.assertLess(np.abs(answers(stack, three[1]) - score / score.sum(1, keepdims=True)).max(), 1e-13)
        # and what cannot be stacked or joined
        self.fails(["stack-values", "2 classes", "values"], write_stack(o.tmp("stack-values"), [(o.tmp("values"), "a", -1)], [1.0], [0], ["0", "1"]),
                   data=values[1])
        mixed = o.tmp("mixed")
        shutil.copytree(o.tmp("density"), mixed)
        task = "tasks/b-s1-f1/model.h5"
        for other, words in (("three", ["densities", "classes"]), ("values", ["densities", "values"])):
            shutil.copy(os.path.join(o.tmp(other), task), os.path.join(mixed, task))
            self.fails([task, "a-s1-f0", "there is no mean", *words], mixed, data=redshift[1])
        shutil.copy(os.path.join(o.tmp("density"), task), os.path.join(mixed, task))
        edit_description(os.path.join(mixed, task), lambda d: d.update(bins_max=0.5))
        self.fails([task, "20 bins from -0.3 to 0.3", "20 from -0.3 to 0.5"], mixed, data=redshift[1])
        shutil.copy(os.path.join(o.tmp("three"), task), os.path.join(self.copy("few"), "tasks/wide-s1-r0-f1/model.h5"))
        self.fails(["wide-s1-r0-f1", "2 classes", " 3:"], o.tmp("few"))

    # ---- stacks ----
    def test_stack(self):
        names = ["star", "galaxy"]
        columns = [(self.cv, "wide", -1), (self.cv, "small", 2), (os.path.join(self.cv, "oof.h5"), "small", -1)]
        x = np.stack([self.configuration("wide")[:, 1], self.configuration("small", (2,))[:, 1], self.configuration("small")[:, 1]], 1)
        w, b = [2.5, -1.25, 4.0], -2.75
        for logits in (False, True):
            stack = write_stack(o.tmp("stack"), columns, w, b, names, logits)
            want = sigmoid((np.log(x / (1 - x)) if logits else x) @ w + b)
            for path in (stack, os.path.join(stack, "stack.h5")):
                p = answers(path, self.test)
                self.assertLess(np.abs(p[:, 1] - want).max(), 1e-14)
                self.assertLess(np.abs(p.sum(1) - 1).max(), 1e-14)
            rows = answers(stack, self.test, form="csv")
            self.assertEqual([np.float32(r["probability"]) for r in rows], p[:, 1].astype("f4").tolist())
            self.assertEqual([r["predicted"] for r in rows], ["galaxy" if v > 0.5 else "star" for v in want])
            report = json.loads(o.orrery("evaluate", stack, self.test, "format=json", o.KERNELS).out)
            self.assertEqual([c["name"] for c in report["classes"]], names)
            self.assertIsNone(report["loss"])

    def test_stack_of_orrery(self):
        """What `orrery stack` fits answers as its own table of the test set does."""
        for seeds, columns in (("mean", 2), ("separate", 4)):
            job = o.write("fit.yaml", f"run: {o.tmp('fitted-' + seeds)}\noof: [{self.cv}]\nfeatures: logit\nseeds: {seeds}\n"
                          "grid: {count: 3}\nruntime: {progress: false}\n")
            o.orrery("stack", job)
            with open(o.tmp(f"fitted-{seeds}/test.csv"), newline="") as f:
                want = {r["id"]: float(r["probability"]) for r in csv.DictReader(f)}
            p = answers(o.tmp("fitted-" + seeds), self.test)
            self.assertEqual([want[f"s2-{i:04d}"] for i in range(150)], p[:, 1].tolist())
            self.assertIn(f"a stack of {columns} columns, 24 models", o.orrery("evaluate", o.tmp("fitted-" + seeds), self.test, o.KERNELS).err)

    def test_stack_threshold(self):
        """Models' thresholds are of their own probabilities, not of the stack's."""
        run = self.copy("cautious")
        for task in os.listdir(os.path.join(run, "tasks")):
            edit_description(os.path.join(run, "tasks", task, "model.h5"), lambda d: d.update(threshold=0.99))
        stack = write_stack(o.tmp("stack-cautious"), [(run, "small", -1)], [4.0], -2.0, ["star", "galaxy"])
        rows = answers(stack, self.test, form="csv")
        self.assertEqual([r["predicted"] for r in rows], ["galaxy" if float(r["probability"]) > 0.5 else "star" for r in rows])
        self.assertEqual({r["predicted"] for r in answers(run, self.test, form="csv")}, {"star"})

    def test_stack_faults(self):
        names = ["star", "galaxy"]
        def stack(columns, names=names, w=(1.0,)):
            return write_stack(o.tmp("stack-bad"), columns, w, [0] * (len(names) if len(names) > 2 else 1), names)
        self.fails(["stack-bad", "model tiny of", "small, wide", "orrery stack"], stack([(self.cv, "tiny", -1)]))
        self.fails(["stack-bad", "seed 7", "small, wide", "orrery stack"], stack([(self.cv, "small", 7)]))
        self.fails(["stack-bad", o.tmp("gone"), "no such file"], stack([(o.tmp("gone"), "small", -1)]))
        self.fails(["stack-bad", "3 classes", "small-s1-r0-f0/model.h5 2"],
                   stack([(self.cv, "small", -1)], ["star", "galaxy", "quasar"], np.ones((3, 3))))
        self.fails(["class 0", "\"galaxy\"", "\"star\"", "stack-bad"], stack([(self.cv, "small", -1)], names[::-1]))
        self.fails(["model=small", "stack"], stack([(self.cv, "small", -1)]), "model=small", code=2)
        path = os.path.join(stack([(self.cv, "small", -1)]), "stack.h5")
        with open(path, "r+b") as f:
            f.truncate(os.path.getsize(path) // 2)
        self.fails(["stack.h5", "truncated"], o.tmp("stack-bad"))
        write_stack(o.tmp("stack-bad"), [(self.cv, "small", -1)], [1.0], 0, names)
        with h5py.File(path, "r+") as f:
            f["w"][0, 0] = 2
        self.fails(["stack.h5", "checksum"], o.tmp("stack-bad"))

    # ---- what can be wrong ----
    def test_missing_and_damaged_models(self):
        run, before = self.copy("hurt"), answers(self.cv, self.test)
        model = os.path.join(run, "tasks/wide-s2-r1-f2/model.h5")
        os.remove(model)
        self.fails(["wide-s2-r1-f2", "is not there", "fold 2 of wide, seed 2", "orrery cv"], run)
        self.fails(["wide-s2-r1-f2", "orrery cv"], run, command="evaluate")
        self.assertTrue(np.array_equal(answers(run, self.test, "model=small"), self.configuration("small")), "those that are not asked for may miss")
        shutil.copy(os.path.join(self.cv, "tasks/wide-s2-r1-f2/model.h5"), model)
        with open(model, "r+b") as f:
            f.truncate(3000)
        self.fails([model, "fold 2 of wide, seed 2", "remove it", "orrery cv"], run)
        shutil.copy(os.path.join(self.cv, "tasks/wide-s2-r1-f2/model.h5"), model)
        with h5py.File(model, "r+") as f:
            f["weights/linear1.weight"][0, 0] += 1
        self.fails([model, "checksum", "remove it", "orrery cv"], run)
        os.remove(model)
        o.orrery("cv", self.job, "run=" + run)  # the advice
        self.assertTrue(np.array_equal(answers(run, self.test), before))

    def test_wrong_paths(self):
        self.fails(["nowhere", "no such file or folder"], o.tmp("nowhere"))
        self.fails(["this folder has no model.h5", "oof.h5", "stack.h5"], self.train)
        run = self.copy("unfinished")
        os.remove(os.path.join(run, "oof.h5"))
        self.fails(["has not ended", "orrery cv"], run)
        self.fails(["\"smal\"", "\"small\"?", "small, wide"], self.cv, "model=smal", code=2)
        self.fails(["model=small", "one model"], os.path.join(self.cv, "tasks/small-s1-r0-f0"), "model=small", code=2)
        path = os.path.join(self.copy("cut"), "oof.h5")
        with open(path, "r+b") as f:
            f.truncate(os.path.getsize(path) // 2)
        self.fails(["oof.h5", "truncated"], o.tmp("cut"))
        with open(path, "wb") as f:
            f.write(b"no HDF5 at all")
        self.fails(["oof.h5"], o.tmp("cut"))

    def test_models_that_do_not_fit(self):
        task = "tasks/wide-s1-r0-f1/model.h5"
        run = self.copy("misfit")
        edit_description(os.path.join(run, task), lambda d: d.update(class_names=["galaxy", "star"]))
        self.fails([task, "small-s1-r0-f0", "class 0", "\"star\"", "\"galaxy\""], run)
        run = self.copy("misfit")
        edit_description(os.path.join(run, task), lambda d: d.update(threshold=0.75))
        self.fails([task, "small-s1-r0-f0", "0.5", "0.75", "threshold="], run)
        self.assertTrue(np.array_equal(answers(run, self.test, "threshold=0.6"), answers(self.cv, self.test)))
        data = table("three-numbers", 20, 5, classes=2, features=3)
        self.fails(["three-numbers", '"x0", "x1", "x2"', '"x2" is none of these'], self.cv, data=data)

    def test_answers_that_are_no_numbers(self):
        run = self.copy("nan")
        task = "tasks/small-s2-r0-f1/model.h5"
        change_model(os.path.join(run, task), lambda f: f["weights/linear2.bias"].__setitem__(0, np.nan))
        self.fails([task, "not finite"], run)
        self.fails([task, "u0", "not a number"], run, data=self.unlabelled())

    def unlabelled(self):
        text = "name,x0,x1\n" + "".join(f"u{i},{i / 10},1\n" for i in range(70))
        o.orrery("import", "input.files=" + o.write("unlabelled.csv", text), "input.id=name", "input.features='x0,x1'", "input.shape=[2]",
                 "out=" + o.tmp("unlabelled"), "overwrite=true")
        return o.tmp("unlabelled")

    def test_without_labels(self):
        self.unlabelled()
        rows = answers(self.cv, o.tmp("unlabelled"), form="csv")
        self.assertEqual(list(rows[0]), ["id", "predicted", "probability"])
        self.fails(["no labels"], self.cv, data=o.tmp("unlabelled"), command="evaluate")


if __name__ == "__main__":
    unittest.main()
