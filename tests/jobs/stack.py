"""orrery stack against scikit-learn: the same best C, scores and coefficients; columns and rows by
key; every bad input by name; the same bytes on any number of ranks.  Out-of-fold files are made
here with h5py, as docs/formats.md describes them."""
import csv
import hashlib
import json
import os
import shutil
import unittest
import warnings

import h5py
import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold

import orrery as o

ID = "S65"
RESULTS = ["job.yaml", "stack.h5", "report.json", "grid.csv", "stack-oof.csv", "test.csv"]
QUIET = "runtime={threads: 1, progress: false}"


def oof(path, ids, y, p, columns, fold, test_ids=None, test_p=None, class_names=None, n_folds=5, **description):
    """p[column][row][class]; columns [(model, seed, repeat)].  description: keys to overwrite."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    p = np.asarray(p, float)
    fold = np.atleast_2d(np.asarray(fold, np.int32))
    names = class_names or [f"c{k}" for k in range(p.shape[2])]
    text = json.dumps({**dict(samples=len(ids), test_samples=0 if test_ids is None else len(test_ids), folds=n_folds, repeats=len(fold), width=p.shape[2],
                              classes=p.shape[2], y_width=1, bins=0, bins_min=0, bins_max=0, class_names=names,
                              columns=[dict(model=m, seed=s, repeat=r) for m, s, r in columns]), **description}).encode() + b"\0"
    parts = [("description", np.frombuffer(text, f"S{len(text)}")), ("id", np.asarray(ids, ID)), ("fold", fold)]
    if y is not None:
        parts.append(("y", np.asarray(y)))
    if test_ids is not None:
        parts.append(("test_id", np.asarray(test_ids, ID)))
    parts.append(("p", p))
    if test_ids is not None:
        parts.append(("test_p", np.asarray(test_p, float)))
    total = hashlib.sha256()
    with h5py.File(path, "w") as f:
        for name, a in parts:
            f.create_dataset(name, data=a)
            total.update(name.encode() + b"\0" + (text if name == "description" else np.ascontiguousarray(a).tobytes()))
        f.attrs["format"] = np.bytes_("orrery-oof-1")
        f.attrs["orrery"] = np.bytes_("test")
        f.attrs["sha256"] = np.bytes_(total.hexdigest())
    return path


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Survey:
    """Truth, ids and models of different strength, as float32 probabilities that nets give."""

    def __init__(self, n=1500, classes=2, models=3, n_test=80, seed=1):
        r = np.random.RandomState(seed)
        self.n, self.classes = n, classes
        self.y = np.asarray(r.permutation(np.arange(n) % classes), np.int32)
        self.ids = [f"obj-{i:06d}" for i in r.permutation(10 * n)[:n]]
        self.test_ids = [f"test-{i}" for i in r.permutation(n_test)]
        truth = np.eye(classes)[np.concatenate([self.y, r.randint(0, classes, n_test)])]
        p = np.stack([softmax((0.4 + 0.3 * m) * truth + (1 + 0.1 * m) * r.randn(n + n_test, classes)) for m in range(models)]).astype(np.float32).astype(float)
        if classes == 2:
            p[:, :, 0] = 1 - p[:, :, 1]
        self.p, self.test_p = p[:, :n], p[:, n:]
        self.fold = np.arange(n) % 5
        self.names = ["wide", "small", "deep", "extra"][:models]

    def write(self, run, models, shuffle=None, test=True, seeds=None, **more):
        """One cross-validation: models by number, rows in an order of their own."""
        order = np.arange(self.n) if shuffle is None else np.random.RandomState(shuffle).permutation(self.n)
        columns = [(self.names[m], 1 if seeds is None else seeds[i], 0) for i, m in enumerate(models)]
        given = dict(ids=[self.ids[i] for i in order], y=self.y[order], p=self.p[models][:, order], columns=columns, fold=self.fold[order])
        if test:
            back = np.arange(len(self.test_ids)) if shuffle is None else np.arange(len(self.test_ids))[::-1]
            given.update(test_ids=[self.test_ids[i] for i in back], test_p=self.test_p[models][:, back])
        return os.path.dirname(oof(o.tmp(f"{run}/oof.h5"), **{**given, **more}))

    def features(self, columns, p=None, logit=False):
        p = self.p if p is None else p
        x = np.concatenate([p[c][:, 1:] if self.classes == 2 else p[c] for c in columns], 1)
        if logit:
            x = np.clip(x, 1e-7, 1 - 1e-7)
            x = np.log(x / (1 - x))
        return x


def job(run, runs, *extra):
    return o.write(f"{os.path.basename(run)}.yaml", "\n".join([f"run: {run}", f"oof: [{', '.join(runs)}]", *extra, ""]))


def read_csv(path):
    with open(path) as f:
        return list(csv.DictReader(f))


def report(run):
    with open(os.path.join(run, "report.json")) as f:
        return json.load(f)


def hashes(run):
    return {n: o.sha(os.path.join(run, n)) for n in RESULTS if os.path.exists(os.path.join(run, n))}


def auc(y, p):
    return np.mean([roc_auc_score(y == k, p[:, k]) for k in range(1 if p.shape[1] == 2 else 0, p.shape[1])])


def logistic(c=1.0):
    """Solved to nine digits or more.  lbfgs of scikit-learn 1.2 stops where its loss changes by
    less than 2e-9 of itself whatever tol says, with coefficients right to five or six digits; the
    objective is the same."""
    return LogisticRegression(C=c, solver="newton-cg", tol=1e-8, max_iter=1000)


def mixture(p, y):
    """Weights that minimise the log loss of the mean, by EM: slow and sure."""
    q = np.stack([c[np.arange(len(y)), y] for c in p], 1)
    w = np.full(len(p), 1 / len(p))
    for _ in range(20000):
        new = (q * w / (q @ w)[:, None]).mean(0)
        if np.abs(new - w).max() < 1e-14:
            break
        w = new
    return w


class Oracle(unittest.TestCase):
    """The whole table, by scikit-learn."""

    def check(self, name, s, columns, runs, *extra, logit=False, grid=(2, -2, 50), splits=None):
        run = o.tmp("stack-" + name)
        out = o.orrery("stack", job(run, runs, *extra), QUIET)
        x, y = s.features(columns, logit=logit), s.y
        splits = splits or list(StratifiedKFold(5, shuffle=True, random_state=1).split(x, y))
        cs = np.logspace(*grid)
        warnings.simplefilter("ignore")  # newton-cg's line search ends at rounding
        search = GridSearchCV(logistic(), {"C": cs}, cv=splits, scoring="roc_auc" if s.classes == 2 else "roc_auc_ovr").fit(x, y)
        r, rows = report(run), read_csv(os.path.join(run, "grid.csv"))
        # the grid
        np.testing.assert_allclose([float(c["C"]) for c in rows], cs, rtol=1e-15)
        for k in range(len(splits)):
            got = [float(c[f"fold_{k}"]) for c in rows]
            np.testing.assert_allclose(got, search.cv_results_[f"split{k}_test_score"], rtol=0, atol=1e-8)
        np.testing.assert_allclose([float(c["mean"]) for c in rows], search.cv_results_["mean_test_score"], rtol=0, atol=1e-8)
        np.testing.assert_allclose([float(c["sd"]) for c in rows], search.cv_results_["std_test_score"], rtol=0, atol=1e-8)
        self.assertAlmostEqual(r["fit"]["C"] / search.best_params_["C"], 1, delta=1e-15)
        # the fit on all rows
        best = search.best_estimator_
        with h5py.File(os.path.join(run, "stack.h5")) as f:
            self.assertAlmostEqual(f["c"][0] / search.best_params_["C"], 1, delta=1e-15)
            np.testing.assert_allclose(f["w"][:], best.coef_, rtol=0, atol=1e-6)
            np.testing.assert_allclose(f["b"][:], best.intercept_, rtol=0, atol=1e-6)
        np.testing.assert_allclose(r["fit"]["coefficients"], best.coef_, rtol=0, atol=1e-6)
        # the candidates, fold by fold
        stack, mean, ranks, weighted = (np.zeros((s.n, s.classes)) for _ in range(4))
        for train, test in splits:
            model = logistic(best.C).fit(x[train], y[train])
            stack[test] = model.predict_proba(x[test])
            mean[test] = s.p[columns][:, test].mean(0)
            # exact: many rows tie
            ranks[test] = rankdata(s.p[columns][:, test], axis=1).sum(0) / (len(columns) * len(test))
            if s.classes == 2:
                ranks[test, 0] = 1 - ranks[test, 1]
            w = mixture(s.p[columns][:, train], y[train])
            weighted[test] = np.tensordot(w, s.p[columns][:, test], 1)
        want = {**{c["name"]: s.p[i] for c, i in zip(r["candidates"], columns)}, "mean": mean, "rank mean": ranks, "weighted mean": weighted, "stack": stack}
        self.assertEqual([c["name"] for c in r["candidates"]], list(want))
        for c in r["candidates"]:
            p, loose = want[c["name"]], 2e-6 if c["name"] == "weighted mean" else 1e-8
            folds = [auc(y[test], p[test]) for _, test in splits]
            np.testing.assert_allclose(c["auc"], folds, rtol=0, atol=loose, err_msg=c["name"])
            self.assertAlmostEqual(c["mean"], np.mean(folds), delta=loose)
            self.assertAlmostEqual(c["sd"], np.std(folds), delta=loose)
            self.assertAlmostEqual(c["pooled"], auc(y, p), delta=loose, msg=c["name"])
            if c["name"] == "rank mean":
                self.assertIsNone(c["log_loss"])
            else:
                self.assertAlmostEqual(c["log_loss"], log_loss(y, p), delta=loose, msg=c["name"])
        np.testing.assert_allclose(r["weights_of_mean"], mixture(s.p[columns], y), rtol=0, atol=1e-5)
        by_name = {c["name"]: np.array(c["auc"]) for c in r["candidates"]}
        single = max(list(want)[:len(columns)], key=lambda n: by_name[n].mean())
        self.assertEqual(r["over_best_single"]["name"], single)
        for key, other in (("over_best_single", single), ("over_mean", "mean")):
            d = by_name["stack"] - by_name[other]
            self.assertAlmostEqual(r[key]["difference"], d.mean(), delta=1e-14)
            self.assertAlmostEqual(r[key]["sd"], d.std(), delta=1e-14)
            self.assertEqual(r[key]["folds_better"], (d > 0).sum())
            error = d.std() / np.sqrt(len(d) - 1)
            self.assertEqual(r[key]["stack"], "better" if d.mean() > error else "worse" if d.mean() < -error else "level")
        # rows as files have them
        table = read_csv(os.path.join(run, "stack-oof.csv"))
        self.assertEqual([t["id"] for t in table], s.ids)
        self.assertEqual([t["label"] for t in table], [f"c{k}" for k in y])
        of_fold = np.zeros(s.n, int)
        for k, (_, test) in enumerate(splits):
            of_fold[test] = k
        self.assertEqual([int(t["fold"]) for t in table], of_fold.tolist())
        fields = ["stack"] if s.classes == 2 else [f"stack/c{k}" for k in range(s.classes)]
        got = np.array([[float(t[f]) for f in fields] for t in table])
        np.testing.assert_allclose(got, stack[:, -len(fields):], rtol=0, atol=1e-7)
        first = r["columns"][0]["name"]
        got = [float(t[first if s.classes == 2 else first + "/c1"]) for t in table]
        np.testing.assert_array_equal(got, s.p[columns[0]][:, 1])
        tests = read_csv(os.path.join(run, "test.csv"))
        self.assertEqual([t["id"] for t in tests], s.test_ids)
        fields = ["probability"] if s.classes == 2 else fields
        got = np.array([[float(t[f]) for f in fields] for t in tests])
        p = best.predict_proba(s.features(columns, s.test_p, logit))
        np.testing.assert_allclose(got, p[:, -len(fields):], rtol=0, atol=1e-7)
        self.assertIn(r["sentence"], out.out)
        return run, r, out

    def test_binary(self):
        s = Survey()
        run, r, out = self.check("binary", s, [2, 1, 0], [s.write("a", [0, 1, 2])])
        self.assertEqual([c["name"] for c in r["columns"]], ["deep", "small", "wide"])
        print("\n" + out.out)

    def test_three_classes(self):
        s = Survey(classes=3, n=900)
        self.check("three", s, [1, 0], [s.write("three", [0, 1])], "grid: {from: 10, to: 0.1, count: 9}", grid=(1, -1, 9))

    def test_logits(self):
        s = Survey(seed=3)
        s.p[0, 5] = [1, 0]  # a logit that must be clipped
        self.check("logit", s, [1, 0], [s.write("logit", [0, 1])], "features: logit", "grid: {from: 1, to: 0.001, count: 7}", logit=True, grid=(0, -3, 7))

    def test_joined_by_key(self):
        """Two files, rows of the second in another order, models in an order that is not the
        columns'."""
        s = Survey(models=4, seed=5)
        runs = [s.write("b-cv", [3, 0]), s.write("a-cv", [2, 1], shuffle=4)]
        self.check("key", s, [2, 1, 3, 0], runs, "grid: {from: 100, to: 0.01, count: 5}", grid=(2, -2, 5))

    def test_constant_and_collinear(self):
        s = Survey(models=4, seed=6)
        s.p[1], s.test_p[1] = s.p[0], s.test_p[0]
        s.p[3], s.test_p[3] = 0.5, 0.5
        self.check("flat", s, [2, 3, 1, 0], [s.write("flat", [0, 1, 2, 3])], "grid: {from: 100, to: 0.01, count: 5}", grid=(2, -2, 5))

    def test_own_folds(self):
        s = Survey(n=700, seed=7)
        splits = [(np.flatnonzero(s.fold != k), np.flatnonzero(s.fold == k)) for k in range(5)]
        self.check("own", s, [1, 0], [s.write("own", [0, 1])], "folds: {kind: own}", "grid: {from: 100, to: 0.01, count: 5}", grid=(2, -2, 5), splits=splits)

    def test_models_and_seeds(self):
        """A subset by name; seeds of a model as one column or several, repeats always as one."""
        s = Survey(models=4, seed=8)
        columns = [("one", 7, 1), ("two", 1, 0), ("one", 7, 0), ("one", 3, 0)]
        run = s.write("seeds", [0, 1, 2, 3], columns=columns, fold=[s.fold, s.fold[::-1]])
        grid = "grid: {from: 1, to: 1, count: 1}"
        self.assertEqual(self.seeds("mean", s, run, "models: [one]", grid), {"one": s.p[[3, 2, 0]].sum(0)[:, 1] / 3})
        self.assertEqual(self.seeds("separate", s, run, "seeds: separate", grid),
                         {"one/seed 3": s.p[3][:, 1], "one/seed 7": (s.p[2] + s.p[0])[:, 1] / 2, "two": s.p[1][:, 1]})

    def test_names(self):
        """Models of one name in several files; files of other names than oof.h5; models taken by
        folder and name."""
        s = Survey(n=300, seed=9)
        a, b = s.write("names-a", [0], columns=[("net", 1, 0)]), s.write("deep/names-b", [1], columns=[("net", 1, 0)], shuffle=1)
        c = oof(o.tmp("names-a/made.h5"), s.ids, s.y, s.p[[2]], [("net", 1, 0)], s.fold)
        grid = "grid: {from: 1, to: 1, count: 1}"
        got = self.seeds("names", s, f"{c}, {b}/, {a}/oof.h5", grid)
        # by resolved path
        self.assertEqual(list(got), ["names-b/net", "made.h5/net", "names-a/net"])
        self.assertEqual(got, {"names-b/net": s.p[1][:, 1], "made.h5/net": s.p[2][:, 1], "names-a/net": s.p[0][:, 1]})
        two = s.write("names-c", [0, 1], columns=[("net", 1, 0), ("other", 1, 0)])
        self.assertEqual(list(self.seeds("names-2", s, f"{two}, {b}", "models: [names-b/net, other]", grid)), ["net", "other"])

    def seeds(self, name, s, cv, *extra):
        run = o.tmp("seeds-" + name)
        o.orrery("stack", job(run, [cv], *extra), QUIET)
        table = read_csv(os.path.join(run, "stack-oof.csv"))
        return {k: Exactly([float(t[k]) for t in table]) for k in table[0] if k not in ("id", "label", "fold", "stack")}


class Exactly(list):
    def __eq__(self, other):
        return np.array_equal(np.asarray(self), np.asarray(other))


class Ranks(unittest.TestCase):
    @unittest.skipUnless(o.MPIRUN, "this build has no MPI")
    def test_same_bytes(self):
        s = Survey(n=600, classes=3, models=3)
        file = job(o.tmp("unset"), [s.write("w1", [0, 1]), s.write("w2", [2], shuffle=2)], "grid: {from: 10, to: 0.01, count: 25}")
        one = None
        for ranks, threads in ((0, 1), (1, 2), (2, 1), (3, 1), (8, 1)):
            run = o.tmp(f"same/stack-{ranks}")
            r = o.orrery("stack", file, "run=" + run, f"runtime.threads={threads}", ranks=ranks)
            got = {**hashes(run), "table": r.out.split("\n", 1)[1]}
            self.assertEqual(len(got), len(RESULTS) + 1)
            one = one or got
            self.assertEqual(got, one, f"{ranks} ranks, {threads} threads")

    @unittest.skipUnless(o.MPIRUN, "this build has no MPI")
    def test_rows_over_ranks(self):
        """From 200,000 rows on the last fit is made by all ranks together: the same bytes."""
        s = Survey(n=210000, models=2, n_test=5)
        file = job(o.tmp("unset"), [s.write("large", [0, 1])], "grid: {from: 1, to: 0.1, count: 2}", "folds: {count: 2}")
        got = []
        for ranks in (0, 2, 3):
            run = o.tmp(f"large-{ranks}/stack")
            o.orrery("stack", file, "run=" + run, "runtime.threads=1", ranks=ranks)
            got.append(hashes(run))
        self.assertEqual(got[1], got[0])
        self.assertEqual(got[2], got[0])


class Chain(unittest.TestCase):
    def test_from_cv_to_predict(self):
        """What cv writes is what stack reads, and predict on the stack's folder says what test.csv
        says."""
        train, test = o.small_kepler()
        cv = o.write("chain/cv.yaml", f"""
run: runs/cv
cv: {{folds: 3, seed: 7, seeds: [1, 2]}}
data: {{train: {train}, test: {test}, validation_fraction: 0.2, transforms: [standardise: {{per: sample}}]}}
train: {{epochs: 2, batch: 20, leaves: 4, lr: 0.003, select: auc}}
configurations:
  small: {{model: {{layers: [conv1d: {{filters: 4, size: 7}}, relu, max_pool1d: {{size: 8}}, flatten, linear: {{units: 1}}], {o.KERNELS.replace("=", ": ")}}}}}
  dense: {{model: {{layers: [flatten, linear: {{units: 8}}, tanh, linear: {{units: 1}}], {o.KERNELS.replace("=", ": ")}}}}}
""")
        here = o.tmp("chain")
        o.orrery("cv", cv, QUIET, cwd=here)
        for seeds, names in (("mean", ["dense", "small"]), ("separate", ["dense/seed 1", "dense/seed 2", "small/seed 1", "small/seed 2"])):
            o.orrery("stack", "oof=runs/cv", "run=runs/" + seeds, "seeds=" + seeds, "folds.kind=own", QUIET, cwd=here)
            self.assertEqual([c["name"] for c in report(here + "/runs/" + seeds)["columns"]], names)
            o.orrery("predict", "runs/" + seeds, test, f"out={seeds}.csv", "kernels=" + o.KERNELS[8:], cwd=here)
            want = {r["id"]: float(r["probability"]) for r in read_csv(f"{here}/runs/{seeds}/test.csv")}
            got = {r["id"]: float(r["probability"]) for r in read_csv(f"{here}/{seeds}.csv")}
            self.assertEqual(set(got), set(want))
            for k in want:
                self.assertAlmostEqual(got[k], want[k], delta=1e-7 * want[k])  # printed as float32


class Folder(unittest.TestCase):
    def test_again_and_overwrite(self):
        s = Survey(n=300)
        cv, run = s.write("again-cv", [0, 1, 2]), o.tmp("again")
        file = job(run, [cv], "grid: {from: 1, to: 0.1, count: 3}")
        o.orrery("stack", file, QUIET)
        first = hashes(run)
        self.assertEqual(set(first), set(RESULTS))
        o.orrery("stack", file, QUIET)
        self.assertEqual(hashes(run), first)
        r = o.orrery("stack", file, QUIET, "features=logit", code=2)
        self.assertIn('again holds a stack of another job: "features: logit" was "features: probability"; give another folder, or say overwrite=true', r.err)
        self.assertEqual(hashes(run), first)
        o.orrery("stack", file, QUIET, "features=logit", "overwrite=true")
        second = hashes(run)
        self.assertNotEqual(second["stack.h5"], first["stack.h5"])
        o.orrery("stack", file, QUIET, "overwrite=true")
        self.assertEqual(hashes(run), first)
        # other predictions under the same name; without a test set the old test.csv goes
        s.write("again-cv", [0, 1, 2], test=False)
        r = o.orrery("stack", file, QUIET, code=2)
        self.assertIn("sha256", r.err)
        o.orrery("stack", file, QUIET, "overwrite=true")
        self.assertEqual(set(hashes(run)), set(RESULTS) - {"test.csv"})
        # its job file is a job file
        o.orrery("stack", os.path.join(run, "job.yaml"), "run=" + o.tmp("again-2"), QUIET)
        self.assertEqual(hashes(o.tmp("again-2")), hashes(run))

    def test_moved(self):
        """Runs are named relative to the stack: folders that move together give the same stack."""
        s = Survey(n=300)
        for place in ("here", "there/deeper"):
            s.write(place + "/runs/cv", [0, 1])
            o.orrery("stack", "oof=runs/cv", "run=runs/stack", "grid.count=3", QUIET, cwd=o.tmp(place))
        self.assertEqual(hashes(o.tmp("here/runs/stack")), hashes(o.tmp("there/deeper/runs/stack")))
        with h5py.File(o.tmp("here/runs/stack/stack.h5")) as f:
            self.assertEqual([c["run"] for c in json.loads(f["description"][0])["columns"]], ["../cv", "../cv"])
            self.assertEqual(f.attrs["format"], b"orrery-stack-1")

    def test_other_runs_stay(self):
        s = Survey(n=300)
        cv = s.write("keep", [0, 1])
        o.write("keep/job.yaml", "cv: {folds: 5}\n")
        r = o.orrery("stack", f"oof={cv}", f"run={cv}", "overwrite=true", QUIET, code=1)
        self.assertIn("keep holds a run of another command; give the stack a folder of its own", r.err)
        with open(o.tmp("keep/job.yaml")) as f:
            self.assertEqual(f.read(), "cv: {folds: 5}\n")

    def test_test_sets(self):
        """Test predictions by id; where files do not agree a warning says why there are none."""
        s = Survey(n=300)
        a, b = s.write("t-a", [0]), s.write("t-b", [1], test=False)
        for runs, who in (([a, b], "t-b/oof.h5 has no test predictions"), ([b, a], "t-b/oof.h5 has no test predictions")):
            r = o.orrery("stack", job(o.tmp("t-stack"), runs, "grid: {count: 3}"), QUIET, "overwrite=true")
            self.assertIn("no test.csv is written", r.err)
            self.assertIn(who, r.err)
        c = s.write("t-c", [1], test_ids=s.test_ids[:-2] + ["new-1", "new-2"])
        r = o.orrery("stack", job(o.tmp("t-stack"), [a, c], "grid: {count: 3}"), QUIET, "overwrite=true")
        self.assertIn(f"test sets differ: model small of {c}/oof.h5 has no prediction for sample {s.test_ids[-2]}, and 1 more", r.err)
        self.assertFalse(os.path.exists(o.tmp("t-stack/test.csv")))


class BadInput(unittest.TestCase):
    def setUp(self):
        self.s = Survey(n=300, models=4)
        self.good = self.s.write("good", [0, 1])

    def refuse(self, runs, words, *extra, code=1):
        for ranks in (0, 2) if o.MPIRUN else (0,):
            run = o.tmp("refused")
            shutil.rmtree(run, ignore_errors=True)
            r = o.orrery("stack", job(run, runs), "grid.count=3", QUIET, *extra, ranks=ranks, code=code)
            self.assertIn(words, r.err)
            self.assertEqual(r.err.count("orrery stack: "), 1, r.err)
            self.assertFalse(os.path.exists(os.path.join(run, "stack.h5")))

    def test_ids_missing(self):
        s, less = self.s, slice(0, 290)
        b = s.write("less", [2], ids=s.ids[less], y=s.y[less], p=s.p[[2]][:, less], fold=s.fold[less])
        self.refuse([self.good, b], f"model deep of {b}/oof.h5 has no prediction for sample {s.ids[290]}, and 9 more")
        self.refuse([b, self.good], f"model deep of {b}/oof.h5 has no prediction for sample {s.ids[290]}, and 9 more")

    def test_other_ids(self):
        s = self.s
        b = s.write("other", [2], ids=s.ids[:-1] + ["strange"])
        self.refuse([self.good, b], f"model deep of {b}/oof.h5 has no prediction for sample {s.ids[-1]}")

    def test_id_twice(self):
        s = self.s
        b = s.write("twice", [2], ids=s.ids[:-1] + [s.ids[3]])
        for runs in ([self.good, b], [b, self.good], [b]):
            self.refuse(runs, f"id {s.ids[3]} stands twice, in rows 4 and 300")

    def test_two_labels(self):
        y = self.s.y.copy()
        y[[7, 9]] = 1 - y[[7, 9]]
        b = self.s.write("labels", [2], shuffle=1)
        c = self.s.write("labels-2", [2], y=y)
        self.refuse([b, c], "is of class c")
        self.refuse([self.good, c], f"sample {self.s.ids[7]} is of class c{self.s.y[7]} in {self.good}/oof.h5 and of class c{y[7]} in {c}/oof.h5, "
                    "and 1 more differ")
        y[7] = 2
        self.refuse([self.s.write("labels-3", [2], y=y)], f"the class of sample {self.s.ids[7]} is 2; classes are 0 to 1")

    def test_predictions(self):
        s, p = self.s, self.s.p[[2]].copy()
        p[0, 11] = np.nan
        self.refuse([self.good, s.write("nan", [2], p=p)], f"the prediction of model deep for sample {s.ids[11]} is not a number")
        p[0, 11] = [1.5, -0.5]
        self.refuse([s.write("range", [2], p=p)], f"what model deep says of sample {s.ids[11]} (fold 1) is no probability")
        p[0, 11] = s.p[2, 11]
        p[0, s.fold == 3] = 0
        self.refuse([self.good, s.write("absent", [2], p=p)], f"probabilities of model deep for sample {s.ids[3]} (fold 3) sum to 0, not to 1; was it predicted?")

    def test_folds(self):
        s, fold = self.s, self.s.fold.copy()
        fold[8] = 5
        self.refuse([self.good, s.write("fold", [2], fold=fold)], f"sample {s.ids[8]} is in fold 5; folds are 0 to 4")
        fold[:] = s.fold % 4
        self.refuse([self.good, s.write("fold-4", [2], fold=fold)], "no sample is in fold 4 of 0 to 4")

    def test_few_of_a_class(self):
        y = np.zeros_like(self.s.y)
        y[:3] = 1
        cv = self.s.write("few", [0], y=y)
        self.refuse([cv], "folds: ", code=2)
        self.refuse([cv], "no sample of class c1 is in fold 1, so there is no ROC-AUC of that fold", "folds.kind=plain", "folds.shuffle=false", code=2)

    def test_files(self):
        s = self.s
        self.refuse([self.good, self.good + "/oof.h5"], "is listed twice", code=2)
        shutil.copytree(self.good, o.tmp("copy"), dirs_exist_ok=True)
        self.refuse([self.good, o.tmp("copy")], "hold the same predictions", code=2)
        self.refuse([o.tmp("nowhere")], "there is no such file")

        b = s.write("damaged", [2])
        with h5py.File(b + "/oof.h5", "r+") as f:
            f["p"][0, 0] = f["p"][0, 1]
        self.refuse([self.good, b], "does not match its checksum")
        b = s.write("double", [2, 3], columns=[("deep", 1, 0), ("deep", 1, 0)])
        self.refuse([self.good, b], "model deep with seed 1, repeat 0, stands there twice")

    def test_classes(self):
        s = self.s
        three = Survey(n=300, classes=3)
        self.refuse([self.good, three.write("three-classes", [0])], "a stack needs the same")
        self.refuse([self.good, s.write("names", [2], class_names=["c0", "galaxy"])], 'class 1 is "c1" in')
        self.refuse([self.good, s.write("values", [2], classes=0, class_names=[], y=s.y.astype(np.float32))], "holds values; a stack joins probabilities")
        self.refuse([self.good, s.write("density", [2], classes=0, bins=2, bins_max=1, class_names=[], y=s.y.astype(np.float32))], "holds densities")
        self.refuse([self.good, s.write("no-truth", [2], y=None)], "holds no classes of its samples")

    def test_options(self):
        self.refuse([self.good], 'models: no file of oof has a model "smal"; did you mean "small"?', "models=[smal]", code=2)
        self.refuse([self.good], 'no file of oof has a model "xyz"; there are wide, small', "models=[xyz]", code=2)
        self.refuse([self.good, self.s.write("unused", [2])], "leave that file out of oof", "models=[wide]", code=2)
        self.refuse([self.good], "folds: ", "folds.count=200", code=2)
        self.refuse([self.good], "grid.from", "grid.from=0", code=2)
        self.refuse([self.good], "kind", "folds.kind=group", code=2)

    def test_separable(self):
        """Warned, finite, and scored."""
        s = self.s
        p = s.p[[0, 1]].copy()
        p[0] = np.where(np.eye(2)[s.y] > 0, 0.9, 0.1) + np.where(np.eye(2)[s.y] > 0, 1, -1) * 0.05 * np.linspace(0, 1, s.n)[:, None]
        cv = s.write("separable", [0, 1], p=p)
        run = o.tmp("separable-stack")
        r = o.orrery("stack", job(run, [cv]), QUIET)
        self.assertIn("the classes are separable", r.err)
        got = report(run)
        self.assertTrue(got["fit"]["separable"])
        self.assertTrue(np.isfinite(got["fit"]["coefficients"]).all())
        self.assertEqual(got["candidates"][-1]["mean"], 1)


if __name__ == "__main__":
    unittest.main()
