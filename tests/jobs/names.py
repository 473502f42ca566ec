"""Meaning by name: sets whose columns, channels, aux numbers, classes and targets stand in another
order than a model's are refused with both orders and, with names=match, answered like the same set
in the model's order, bit for bit; sets with other names are refused; a side without names is said.
Two hundred random pairs, and every way in: evaluate, predict, train's validation and test, cv's
test, stack, submission, import of several tables.  The oracle is the set as numpy puts it in
order."""
import csv
import json
import os
import unittest

import h5py
import numpy as np
import orrery as o

ROWS = 36
CLASSES = ["star", "galaxy", "qso"]
rng = np.random.default_rng(20261201)


class Kind:
    """A table that a model is trained on: names of everything, and numbers by name."""

    def __init__(self, name, features, shape, classes=(), targets=(), aux=()):
        self.name, self.features, self.shape, self.classes, self.targets, self.aux = name, features, shape, list(classes), list(targets), list(aux)

    def numbers(self, seed, n=ROWS):
        r = np.random.default_rng(seed)
        columns = {c: r.normal(size=n).astype("f4") for c in [*self.features, *self.targets, *self.aux]}
        if self.classes:
            score = np.stack([columns[c] for c in self.features[: len(self.classes)]], 1)
            columns["kind"] = np.array(self.classes)[score.argmax(1)]
        return {"id": np.arange(n) + 100 * seed, **columns}

    def job(self, train, **more):
        aux = ", aux: [p, q]" if self.aux else ""
        layers = "[flatten: {name: x}, aux: {name: a}, concat: {inputs: [x, a]}, linear: {units: 3}]" if self.aux else "[flatten, linear: {units: %d}]" % (len(self.classes) or len(self.targets))
        data = "".join(f", {k}: {v}" for k, v in more.items())
        return o.write(f"{self.name}-job.yaml", f"""
run: unset
data: {{train: {train}, validation_fraction: {0 if "validation" in more else 0.25}{aux}{data}, transforms: [standardise: {{per: feature}}]}}
model: {{layers: {layers}, {o.KERNELS.replace("=", ": ")}}}
train: {{epochs: 4, batch: 12, leaves: 2, lr: 0.05}}
runtime: {{threads: 1, progress: false}}
""")


KINDS = [
    Kind("vector", list("ugriz"), "[5]", classes=CLASSES, aux=["p", "q"]),
    Kind("series", [f"flux.{i}" for i in range(70)], None, targets=["mass", "age"]),
]


def write_csv(path, header, columns):
    with open(path, "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(header)
        w.writerows(zip(*[[v if isinstance(v, (str, np.str_)) else f"{v:.9g}" if isinstance(v, np.floating) else v for v in c] for c in columns]))


def store(kind, name, numbers, features=None, classes=None, targets=None, aux=None, rename=None, class_names=None, more=(), code=0):
    """A shard set with these names in this order; rename: {name: as the file has it}."""
    features, targets, aux = features or kind.features, kind.targets if targets is None else targets, kind.aux if aux is None else aux
    rename = rename or {}
    columns = ["id", *features, *[c for c in [*targets, *aux] if c not in features], *(["kind"] if kind.classes else [])]
    path = o.tmp(name + ".csv")
    write_csv(path, [rename.get(c, c) for c in columns], [numbers[c] for c in columns])
    args = ["input.files=" + path, "input.id=id", "out=" + o.tmp(name), "overwrite=true", *more]
    if kind.shape:
        args += [f"input.shape=[{len(features)}]", "input.features='" + ",".join(rename.get(c, c) for c in features) + "'"]
    if kind.classes:
        args += ["input.label=kind", f"input.classes=[{', '.join(classes or kind.classes)}]"]
    if class_names:
        args += [f"input.class_names=[{', '.join(class_names)}]"]
    if targets:
        args += [f"input.target=[{', '.join(rename.get(c, c) for c in targets)}]"]
    if aux:
        args += [f"input.aux=[{', '.join(rename.get(c, c) for c in aux)}]"]
    r = o.orrery("import", *args, code=None if code is None else code)
    return o.tmp(name) if r.code == 0 else None


def answers(run, data):
    o.orrery("predict", run, data, "out=" + o.tmp("answers.h5"), "overwrite=true", "names=match", o.KERNELS)
    with h5py.File(o.tmp("answers.h5")) as f:
        return {i.decode(): p for i, p in zip(f["id"][:], f["p"][:])}, f["y"][:]


def scores(run, data, *args):
    return json.loads(o.orrery("evaluate", run, data, "format=json", "names=match", o.KERNELS, *args).out)


def turned(names):
    return [names[i] for i in rng.permutation(len(names))]


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.runs, cls.sets = {}, {}
        for k in KINDS:
            cls.sets[k.name] = store(k, k.name + "-train", k.numbers(1))
            cls.runs[k.name] = o.tmp(k.name + "-run")
            o.orrery("train", k.job(cls.sets[k.name]), "run=" + cls.runs[k.name])

    def refused(self, words, *args, ranks=0):
        r = o.orrery(*args, code=None, ranks=ranks)
        self.assertNotEqual(r.code, 0)
        lines = [line for line in r.err.splitlines() if " warn " not in line and " info " not in line]
        self.assertEqual(len(lines), 1, r.err)
        for word in words:
            self.assertIn(word, lines[0])

    def accepted(self, kind, data, reference, numbers):
        """Answers and scores as of the set in the model's order."""
        if o.orrery("evaluate", self.runs[kind.name], data, o.KERNELS, code=None).code:
            self.refused(["in another order", data, self.runs[kind.name], "names=match"], "predict", self.runs[kind.name], data, "out=" + o.tmp("none.csv"), o.KERNELS)
        got, _ = answers(self.runs[kind.name], data)
        want, _ = answers(self.runs[kind.name], reference)
        for i in numbers["id"]:
            self.assertEqual(got[str(i)].tobytes(), want[str(i)].tobytes(), i)
        self.assertEqual(scores(self.runs[kind.name], data), scores(self.runs[kind.name], reference))

    def one_pair(self, kind, i):
        numbers = kind.numbers(2 + i % 7)
        what = dict(features=turned(kind.features), classes=turned(kind.classes) or None, targets=turned(kind.targets), aux=turned(kind.aux))
        lists = ["features", *(["classes", "aux"] if kind.classes else ["targets"])]
        fault, where = rng.choice(["none", "none", "case", "other", "missing", "doubled", "extra"]), str(rng.choice(lists))
        names = what[where]
        victim, other = names[rng.integers(len(names))], names[0]
        refused = fault != "none"
        if fault in ("case", "other"):
            new = victim.upper() if fault == "case" else "xy" + victim
            if where == "classes":
                numbers["kind"] = np.where(numbers["kind"] == victim, new, numbers["kind"])
                what["classes"] = [new if c == victim else c for c in names]
            else:
                what["rename"] = {victim: new}
        elif fault == "missing":
            what[where] = [c for c in names if c != victim]
            if where == "classes":  # a set need not have every class
                keep = numbers["kind"] != victim
                numbers = {c: v[keep] for c, v in numbers.items()}
                refused = False
        elif fault == "doubled":
            if where == "classes":
                what["class_names"] = [other if c == victim else c for c in names] if victim != other else [names[1]] + names[1:]
            else:
                what["rename"] = {victim: other if victim != other else names[1]}
        elif fault == "extra":
            numbers["more"] = numbers[kind.features[0]]
            what[where] = [*names, "more"]
            refused = where != "aux"
        data = store(kind, "variant", numbers, code=None, **what)
        told = f"{kind.name} {i}: {fault} of {where}, {what}"
        with self.subTest(told[:300]):
            if not refused:
                self.assertIsNotNone(data)
                self.accepted(kind, data, store(kind, "reference", numbers), numbers)
            elif data is not None:
                for command in (("evaluate", self.runs[kind.name], data, "names=match", o.KERNELS), ("predict", self.runs[kind.name], data, "names=match", "out=" + o.tmp("none.csv"), o.KERNELS)):
                    self.refused([data], *command)
                self.assertFalse(os.path.exists(o.tmp("none.csv")))
        return fault, data is not None

    def test_two_hundred_pairs(self):
        seen = {}
        for i in range(200):
            fault, made = self.one_pair(KINDS[i % 2], i)
            seen[fault, made] = seen.get((fault, made), 0) + 1
        for fault in ("none", "case", "other", "missing", "extra", "doubled"):
            self.assertGreater(seen.get((fault, True), 0), 3, seen)

    # ---- the other ways in ----
    def variants(self, kind):
        """(the same set, turned; one with another name, and that name)"""
        numbers = kind.numbers(9)
        same = store(kind, kind.name + "-same", numbers)
        other = store(kind, kind.name + "-turned", numbers, features=turned(kind.features)[::-1], classes=kind.classes[::-1] or None, targets=kind.targets[::-1], aux=kind.aux[::-1])
        wrong = store(kind, kind.name + "-wrong", numbers, rename={kind.features[1]: "foreign"})
        return same, other, wrong

    def test_training(self):
        for kind in KINDS:
            same, other, wrong = self.variants(kind)
            for part in ("validation", "test"):
                runs = [o.tmp(f"{kind.name}-{part}-{i}") for i in range(2)]
                for run, data in zip(runs, (same, other)):
                    o.orrery("train", kind.job(self.sets[kind.name], **{part: data}), "run=" + run, "data.names=match", ranks=2 if o.MPIRUN and data == other else 0)
                self.refused(["in another order", "data.names=match"], "train", kind.job(self.sets[kind.name], **{part: other}), "run=" + o.tmp("never"))
                with open(os.path.join(runs[0], "report.json")) as f, open(os.path.join(runs[1], "report.json")) as g:
                    self.assertEqual(json.load(f)[part], json.load(g)[part])
                self.assertEqual(o.sha(os.path.join(runs[0], f"predictions-{part}.csv")), o.sha(os.path.join(runs[1], f"predictions-{part}.csv")))
                self.refused(["foreign", kind.features[1]], "train", kind.job(self.sets[kind.name], **{part: wrong}), "run=" + o.tmp("never"))
                self.assertFalse(os.path.exists(o.tmp("never")))

    def test_cross_validation(self):
        kind = KINDS[0]
        same, other, wrong = self.variants(kind)

        def job(name, test):
            with open(kind.job(self.sets[kind.name], test=test)) as f:
                return o.write(name + ".yaml", f.read().replace("run: unset", "run: " + o.tmp(name)) + "cv: {folds: 2}\n")

        o.orrery("cv", job("cv-same", same))
        self.refused(["in another order"], "cv", job("cv-other", other))
        o.orrery("cv", job("cv-other", other), "data.names=match", ranks=2 if o.MPIRUN else 0)
        self.refused(["foreign"], "cv", job("cv-wrong", wrong))
        with h5py.File(o.tmp("cv-same/oof.h5")) as f, h5py.File(o.tmp("cv-other/oof.h5")) as g:
            self.assertEqual(f["test_p"][:].tobytes(), g["test_p"][:].tobytes())
        self.assertEqual(scores(o.tmp("cv-same"), other), scores(o.tmp("cv-same"), same))
        self.refused(["foreign"], "evaluate", o.tmp("cv-same"), wrong, o.KERNELS)

    def test_stack_of_models_with_other_orders(self):
        """Each model of a stack is asked in its own order of channels: its logistic regression by
        hand, from what the cross-validations answer alone."""
        two = Kind("two", list("ugr"), "[3]", classes=["no", "yes"])
        orders = ["ugr", "rgu"]
        for i, order in enumerate(orders):
            data = store(two, f"stack-{order}", two.numbers(1, 60), features=list(order))
            with open(two.job(data)) as f:
                o.orrery("cv", o.write("stack-cv.yaml", f.read().replace("run: unset", f"run: {o.tmp(f'cv{i}')}") + "cv: {folds: 2}\n"))
        o.orrery("stack", o.write("stack.yaml", f"run: {o.tmp('stack')}\noof: [{o.tmp('cv0')}, {o.tmp('cv1')}]\ngrid: {{from: 1, to: 0.1, count: 3}}\nruntime: {{progress: false}}\n"))
        with open(o.tmp("stack/report.json")) as f:
            report = json.load(f)
        fit, runs = report["fit"], [os.path.basename(c["run"]) for c in report["columns"]]
        numbers = two.numbers(7)
        sets = [store(two, "asked-" + order, numbers, features=list(order)) for order in orders]
        p = {f"cv{i}": answers(o.tmp(f"cv{i}"), sets[i])[0] for i in range(2)}
        for data in sets:
            got, _ = answers(o.tmp("stack"), data)
            for i in numbers["id"]:
                score = fit["intercepts"][0] + sum(w * p[run][str(i)][1] for w, run in zip(fit["coefficients"][0], runs))
                self.assertAlmostEqual(got[str(i)][1], 1 / (1 + np.exp(-score)), places=9)

    def test_cross_validation_on_a_set_that_changed(self):
        kind = KINDS[0]
        data = store(kind, "changing", kind.numbers(1))
        with open(kind.job(data)) as f:
            job = o.write("changing.yaml", f.read().replace("run: unset", "run: " + o.tmp("changing-cv")) + "cv: {folds: 2}\n")
        o.orrery("cv", job)
        o.orrery("cv", job)  # done already
        store(kind, "changing", kind.numbers(1), classes=kind.classes[::-1])
        self.refused(["another training set"], "cv", job)

    def test_without_names(self):
        kind = KINDS[1]
        numbers = kind.numbers(3)
        plain = store(kind, "plain", numbers, more=["input.feature_names=drop"])
        r = o.orrery("evaluate", self.runs[kind.name], plain, o.KERNELS, "format=json")
        self.assertIn("its columns have no names; they are taken by place for those of", r.err)
        self.assertEqual(json.loads(r.out), scores(self.runs[kind.name], store(kind, "named", numbers)))
        o.orrery("train", kind.job(plain), "run=" + o.tmp("plain-run"), "data.overlap=allow")
        r = o.orrery("evaluate", o.tmp("plain-run"), store(kind, "named", kind.numbers(4)), o.KERNELS)
        self.assertIn("plain-run: its columns have no names", r.err)

    def test_tables_of_one_import(self):
        """Tables that follow one another are one set: their names must agree."""
        for i, names in enumerate(("a,b", "b,a", "a,c")):
            o.write(f"t{i}.csv", f"id,{names},kind\n" + "".join(f"{10 * i + k},{k},{2 * k},{k % 2}\n" for k in range(4)))

        def tables(*which):
            return "inputs=[" + ", ".join(f"{{files: [{o.tmp(f't{i}.csv')}], id: id, label: kind{more}}}" for i, more in which) + "]"

        self.refused(["in another order", '"b", "a"'], "import", tables((0, ""), (1, "")), "out=" + o.tmp("t"))
        self.refused(['it has no "b"'], "import", tables((0, ""), (2, "")), "out=" + o.tmp("t"))
        self.refused(["its classes", '"y"'], "import", tables((0, ", class_names: [x, y]"), (1, ", features: 'a,b', class_names: [y, x]")), "out=" + o.tmp("t"))
        o.orrery("import", tables((0, ""), (1, ", features: 'a,b'")), "out=" + o.tmp("t"))
        with h5py.File(o.tmp("t/index.h5")) as f:
            self.assertEqual(f["x"][:].reshape(8, 2).tolist()[4:], [[0, 0], [2, 1], [4, 2], [6, 3]])
            self.assertEqual(f.attrs["feature_names"].decode() if isinstance(f.attrs["feature_names"], bytes) else str(f.attrs["feature_names"]), "a\nb")

    def test_bands_of_stamps(self):
        """Channels of images: crops with the bands in another order."""
        o.orrery("synth", "sdss", "out=" + o.tmp("sky"), "fields=1", "objects=14", "width=96", "height=96", "seed=3", "edges=0", "saturated=0", "duplicates=0")
        for name, bands in (("gri", "[g, r, i]"), ("irg", "[i, r, g]"), ("grz", "[g, r, z]")):
            o.orrery("crop", "out=" + o.tmp(name), f"catalogue.file={o.tmp('sky/catalogue.csv')}", "archive.folder=" + o.tmp("sky"), "catalogue.bands=" + bands,
                     "catalogue.target_kind=redshift", "crop.size=8", "runtime.progress=false")
        job = o.write("bands.yaml", f"""
run: {o.tmp('bands')}
data: {{train: {o.tmp('gri')}, validation_fraction: 0.3, transforms: [asinh]}}
model: {{layers: [conv2d: {{filters: 2, size: 3}}, flatten, linear: {{units: 1}}], {o.KERNELS.replace("=", ": ")}}}
train: {{epochs: 2, batch: 4, leaves: 2, loss: mse}}
runtime: {{progress: false}}
""")
        o.orrery("train", job)
        self.assertEqual(scores(o.tmp("bands"), o.tmp("irg")), scores(o.tmp("bands"), o.tmp("gri")))
        self.assertIn("sigma_mad", scores(o.tmp("bands"), o.tmp("irg")))
        self.refused(['"g", "r", "z"', '"g", "r", "i"'], "evaluate", o.tmp("bands"), o.tmp("grz"), o.KERNELS)


if __name__ == "__main__":
    unittest.main()
