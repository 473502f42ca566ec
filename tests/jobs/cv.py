"""orrery cv: folds as scikit-learn deals them, the same bytes for any ranks and groups and after
any kill, predictions keyed by id, metrics of held-out samples, and refusals that say what to do."""
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import time
import unittest

import h5py
import numpy as np
import orrery as o
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedGroupKFold, StratifiedKFold, train_test_split

RESULTS = ["job.yaml", "oof.h5", "oof.csv", "test.csv", "report.json"]
SHARED = """
run: unset
data: {{train: {train}, test: {test}, validation_fraction: 0.2, transforms: [standardise: {{per: sample}}]}}
model:
  layers: [conv1d: {{filters: 4, size: 7}}, relu, max_pool1d: {{size: 8}}, flatten, linear: {{units: 1}}]
  kernels: {kernels}
train: {{epochs: 3, batch: 20, leaves: 4, lr: 0.003, select: auc}}
"""
JOB = """
run: unset
job: shared.yaml
cv: {{folds: {folds}, seed: 7{more}}}
configurations:
  small: {{}}
  dense: {{model: {{layers: [flatten, linear: {{units: 8}}, tanh, linear: {{units: 1}}], kernels: {kernels}}}, train: {{lr: 0.01}}}}
runtime: {{threads: 1, progress: false}}
"""


def results(run):
    return {n: o.sha(os.path.join(run, n)) for n in RESULTS if os.path.exists(os.path.join(run, n))}


def models(run):
    return {t: o.sha(os.path.join(run, "tasks", t, "model.h5")) for t in sorted(os.listdir(os.path.join(run, "tasks")))}


def kill(p):
    subprocess.run(["pkill", "-KILL", "-f", o.tmp("")], check=False)
    p.wait()


def rows(path):
    with open(path) as f:
        return list(csv.DictReader(f))


def load(path):
    with open(path) as f:
        return json.load(f)


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.train, cls.test = o.small_kepler(stars=120, samples=120)
        o.write("shared.yaml", SHARED.format(train=cls.train, test=cls.test, kernels=o.KERNELS[8:]))

    def job(self, name, folds=3, more=""):
        return o.write(name, JOB.format(folds=folds, more=more, kernels=o.KERNELS[8:]))


class Bytes(Base):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.path = o.write("bytes.yaml", JOB.format(folds=3, more=", seeds: [1, 5]", kernels=o.KERNELS[8:]))
        cls.run_ = o.tmp("one")
        begin = time.monotonic()
        cls.out = o.orrery("cv", cls.path, "run=" + cls.run_).out
        cls.seconds = time.monotonic() - begin
        cls.whole, cls.models = results(cls.run_), models(cls.run_)

    def test_any_ranks_and_groups(self):
        self.assertEqual(len(self.models), 12)
        for ranks, group in [(2, 0), (3, 2), (4, 1), (8, 3), (8, 0)]:
            run = o.tmp(f"ranks-{ranks}-{group}")
            r = o.orrery("cv", self.path, "run=" + run, f"cv.ranks={group}", ranks=ranks)
            self.assertEqual(results(run), self.whole, f"{ranks} ranks in groups of {group}\n{r.err}")
            self.assertEqual(models(run), self.models)
            self.assertEqual(r.out.replace(run, self.run_).strip(), self.out.strip())

    def test_kill_9_and_go_on(self):
        random.seed(3)
        kills = 0
        for trial, (before, after) in enumerate([(2, 3), (4, 0)]):
            run = o.tmp(f"killed-{trial}")
            for _ in range(2):
                p = subprocess.Popen(o.argv(before, "cv", self.path, "run=" + run), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                     cwd=o.tmp(), start_new_session=True)
                end = time.monotonic() + 60
                while not os.path.exists(os.path.join(run, "tasks")) and time.monotonic() < end:
                    time.sleep(0.01)
                time.sleep(random.uniform(0, 0.5 * self.seconds))
                kills += p.poll() is None
                kill(p)
            o.orrery("cv", self.path, "run=" + run, ranks=after)
            self.assertEqual(results(run), self.whole)
            self.assertEqual(models(run), self.models)
        self.assertGreater(kills, 0, "every run ended before it was killed: the test tests nothing")

    def test_only_what_is_missing_runs(self):
        run = o.tmp("missing")
        shutil.copytree(self.run_, run)
        shutil.rmtree(os.path.join(run, "tasks", "dense-s5-f1"))
        os.remove(os.path.join(run, "oof.h5"))
        kept = os.stat(os.path.join(run, "tasks", "small-s1-f0", "model.h5")).st_mtime_ns
        r = o.orrery("cv", self.path, "run=" + run, ranks=2)
        self.assertIn("1 of 12 trainings are left", r.err)
        self.assertEqual(os.stat(os.path.join(run, "tasks", "small-s1-f0", "model.h5")).st_mtime_ns, kept)
        self.assertEqual(results(run), self.whole)

    def test_signal(self):
        """A signal to one rank stops all groups; nothing is lost."""
        run = o.tmp("signal")
        p = subprocess.Popen(o.argv(3, "cv", self.path, "run=" + run, "train.epochs=400"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             cwd=o.tmp(), start_new_session=True, text=True)
        end = time.monotonic() + 60
        while len(os.listdir(os.path.join(run, "tasks")) if os.path.isdir(os.path.join(run, "tasks")) else []) < 3 and time.monotonic() < end:
            time.sleep(0.02)
        pids = subprocess.run(["pgrep", "-f", f"^{o.ORRERY} cv .*{run}"], capture_output=True, text=True, check=True).stdout.split()
        self.assertEqual(len(pids), 3)
        time.sleep(0.5)
        os.kill(int(pids[1]), signal.SIGUSR1)
        err = p.communicate(timeout=60)[1]
        self.assertEqual(p.returncode, 75, err)
        self.assertIn("stopped by a signal", err)
        self.assertTrue(any(os.path.exists(os.path.join(run, "tasks", t, "checkpoint-last.h5")) for t in os.listdir(os.path.join(run, "tasks"))))

    def test_out_of_fold(self):
        """Every sample once, by the model that did not see it; the files say the same."""
        with h5py.File(os.path.join(self.run_, "oof.h5")) as f:
            ids, fold, p, y = f["id"][:], f["fold"][0], f["p"][:], f["y"][:]
            test_p, columns = f["test_p"][:], json.loads(f["description"][0])["columns"]
        self.assertEqual(p.shape, (4, 120, 2))
        self.assertEqual([(c["model"], c["seed"]) for c in columns], [("small", 1), ("small", 5), ("dense", 1), ("dense", 5)])
        table = rows(os.path.join(self.run_, "oof.csv"))
        self.assertEqual([r["id"] for r in table], [i.decode() for i in ids])
        np.testing.assert_array_equal([float(r["dense/seed 5"]) for r in table], p[3, :, 1])
        report = load(os.path.join(self.run_, "report.json"))
        for c in range(4):
            self.assertAlmostEqual(report["models"][c]["pooled"]["auc"], roc_auc_score(y, p[c, :, 1]), places=12)
            folds = [roc_auc_score(y[fold == f], p[c, fold == f, 1]) for f in range(3)]
            np.testing.assert_allclose([k["auc"] for k in report["models"][c]["folds"]], folds, rtol=1e-12)
            self.assertAlmostEqual(report["models"][c]["mean"]["auc"], np.mean(folds), places=12)
            self.assertAlmostEqual(report["models"][c]["deviation"]["auc"], np.std(folds), places=12)
        # each fold's model, asked again, says what stands in the file; the test set gets their mean
        total = np.zeros(60)
        for f in range(3):
            model = os.path.join(self.run_, "tasks", f"small-s5-f{f}")
            for data, name in ((self.train, "held"), (self.test, "test")):
                o.orrery("predict", model, data, "out=" + o.tmp(f"again-{name}.h5"), "overwrite=true", *([] if o.KERNELS == "kernels=cpu" else [o.KERNELS]))
            with h5py.File(o.tmp("again-held.h5")) as h:
                np.testing.assert_array_equal(h["p"][:][fold == f], p[1][fold == f])
            with h5py.File(o.tmp("again-test.h5")) as h:
                total += h["p"][:, 1]
        np.testing.assert_allclose(test_p[1, :, 1], total / 3, rtol=1e-14)

    def test_folds_in_jobs_of_their_own(self):
        """As an array job does it: each start one fold, at the same time; whoever is last
        gathers."""
        run = o.tmp("array")
        starts = [subprocess.Popen(o.argv(0, "cv", self.path, "run=" + run, f"cv.only={f}"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   cwd=o.tmp(), text=True) for f in range(2)]
        for p in starts:
            out, err = p.communicate(timeout=120)
            self.assertEqual(p.returncode, 0, err)
            self.assertIn("left to others", out)
        self.assertFalse(os.path.exists(os.path.join(run, "oof.h5")))
        o.orrery("cv", self.path, "run=" + run, "cv.only=[2]", ranks=2)
        self.assertEqual(results(run), self.whole)
        self.assertEqual(models(run), self.models)
        o.orrery("cv", self.path, "run=" + run, "cv.only=3", code=2)

    def test_damaged_task(self):
        run = o.tmp("damaged")
        shutil.copytree(self.run_, run)
        path = os.path.join(run, "tasks", "small-s1-f2", "predictions-fold.h5")
        with open(path, "r+b") as f:
            f.truncate(1000)
        r = o.orrery("cv", self.path, "run=" + run, code=1)
        self.assertIn("small-s1-f2", r.err)
        self.assertIn("start again", r.err)
        os.remove(path)
        self.assertIn("small-s1-f2", o.orrery("cv", self.path, "run=" + run, ranks=2, code=1).err)


class Folds(Base):
    def fold_of(self, run):
        with h5py.File(os.path.join(run, "oof.h5")) as f:
            return f["id"][:], f["y"][:], f["fold"][:]

    def run_cv(self, name, *args, folds=3, more=""):
        run = o.tmp(name)
        o.orrery("cv", self.job(name + ".yaml", folds, more), "run=" + run, "train.epochs=1", *args)
        return self.fold_of(run)

    def test_stratified_as_scikit_learn(self):
        _, y, fold = self.run_cv("stratified", folds=4)
        for f, (_, test) in enumerate(StratifiedKFold(4, shuffle=True, random_state=7).split(y, y)):
            np.testing.assert_array_equal(np.flatnonzero(fold[0] == f), test)

    def test_repeats_as_scikit_learn(self):
        _, y, fold = self.run_cv("repeats", more=", repeats: 2")
        splits = list(RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=7).split(y, y))
        for i, (_, test) in enumerate(splits):
            np.testing.assert_array_equal(np.flatnonzero(fold[i // 3] == i % 3), test)

    def test_transforms_are_fitted_on_training_rows_alone(self):
        """What a fold's model has learned of the data is the mean of the rows that are neither held
        out nor choose the epoch."""
        with h5py.File(os.path.join(self.train, "index.h5")) as f:
            x, y = f["x"][:].reshape(120, -1).astype(float), f["y"][:]
        _, _, fold = self.run_cv("fitted", "data.transforms=[standardise: {per: feature}]")
        for k in range(3):
            rest = np.flatnonzero(fold[0] != k)
            rows = rest[train_test_split(np.arange(len(rest)), test_size=0.2, random_state=1, stratify=y[rest])[0]]
            with h5py.File(o.tmp(f"fitted/tasks/small-s1-f{k}/model.h5")) as f:
                numbers = f["transform_numbers"][:]
            np.testing.assert_allclose(numbers[:x.shape[1]], x[rows].mean(axis=0), rtol=1e-9, atol=1e-9)

    def test_values_and_densities(self):
        """Regression has out-of-fold predictions as well: values, and densities with their mean in
        the csv."""
        rng = np.random.default_rng(4)
        x = rng.random((150, 3))
        z = 0.3 * x[:, 0] + 0.1 * x[:, 1] ** 2
        o.write("z.csv", "a,b,c,z\n" + "".join(f"{a[0]:.6f},{a[1]:.6f},{a[2]:.6f},{b:.6f}\n" for a, b in zip(x, z)))
        o.orrery("import", "input={files: [" + o.tmp("z.csv") + "], target: z, features: 'a,b,c'}", "out=" + o.tmp("z"))
        job = o.write("z.yaml", f"""
run: unset
data: {{train: {o.tmp("z")}, validation_fraction: 0.2}}
train: {{epochs: 30, batch: 20, leaves: 4, lr: 0.01}}
model: {{layers: [flatten, linear: {{units: 8}}, tanh, linear: {{units: 1}}], kernels: {o.KERNELS[8:]}}}
cv: {{folds: 3}}
runtime: {{threads: 1, progress: false}}
""")
        o.orrery("cv", job, "run=" + o.tmp("z-cv"))
        with h5py.File(o.tmp("z-cv/oof.h5")) as f:
            y, p = f["y"][:], f["p"][0, :, 0]
        report = load(o.tmp("z-cv/report.json"))
        self.assertAlmostEqual(report["models"][0]["pooled"]["rmse"], np.sqrt(np.mean((p - y) ** 2)), places=9)
        self.assertLess(np.mean((p - y) ** 2), 0.3 * np.var(y))
        layers = "model.layers=[flatten, linear: {units: 8}, tanh, linear: {units: 20}]"
        for run, ranks in (("z-density", 0), ("z-density-2", 2)):
            o.orrery("cv", job, "run=" + o.tmp(run), layers, "train.loss=crps", "train.bins={count: 20, min: 0, max: 0.5}", ranks=ranks)
        with h5py.File(o.tmp("z-density/oof.h5")) as f:
            p = f["p"][0]
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
        table = rows(o.tmp("z-density/oof.csv"))
        np.testing.assert_allclose([float(r["model"]) for r in table], p @ ((np.arange(20) + 0.5) * 0.025), rtol=1e-12)
        self.assertEqual(results(o.tmp("z-density")), results(o.tmp("z-density-2")))

    def test_groups(self):
        ids, y, _ = self.run_cv("plain")
        groups = np.random.RandomState(0).randint(0, 30, len(ids))
        o.write("groups.csv", "field,id\n" + "".join(f"field {g},{i.decode()}\n" for g, i in zip(groups, ids)))
        _, _, fold = self.run_cv("grouped", more=f", groups: {o.tmp('groups.csv')}, group_column: field, shuffle: false")
        names = np.array([f"field {g}" for g in groups])
        for f, (_, test) in enumerate(StratifiedGroupKFold(3).split(y, y, names)):
            np.testing.assert_array_equal(np.flatnonzero(fold[0] == f), test)
        # the share that chooses the epoch does not split groups either: the task's training rows
        # and its validation rows share none
        report = load(o.tmp("grouped/tasks/small-s1-f0/report.json"))
        self.assertLess(report["training_samples"], np.sum(fold[0] != 0))

    def test_folds_from_a_file(self):
        ids, _, _ = self.run_cv("for-ids")
        want = np.arange(len(ids)) % 3
        order = np.random.RandomState(1).permutation(len(ids))
        o.write("folds.csv", "id,part\n" + "".join(f"{ids[i].decode()},{want[i]}\n" for i in order) + "not-of-this-set,1\n")
        _, _, fold = self.run_cv("from-file", more=f", file: {o.tmp('folds.csv')}, fold_column: part")
        np.testing.assert_array_equal(fold[0], want)


class Refusals(Base):
    def refused(self, *args, code, words, more="", job=None, ranks=0):
        run = o.tmp("refused")
        shutil.rmtree(run, ignore_errors=True)
        r = o.orrery("cv", job or self.job("refused.yaml", more=more), "run=" + run, *args, code=code, ranks=ranks)
        for w in words:
            self.assertIn(w, r.err)
        self.assertFalse(os.path.exists(os.path.join(run, "oof.h5")))

    def test_jobs(self):
        self.refused("cv.folds=60", code=2, words=["class", "60"])  # a class with fewer members
        self.refused("cv.folds=60", code=2, words=["class", "60"], ranks=2)
        self.refused("cv.foldz=3", code=2, words=["foldz", "folds"])
        self.refused("data.test_fraction=0.1", code=2, words=["test_fraction", "fold"])
        self.refused("cv.kind=group", code=2, words=["cv.groups"])
        self.refused("cv.seeds=[1, 1]", code=2, words=["twice"])
        self.refused("configurations.small.train.epochz=1", code=2, words=["epochz", "small"])
        self.refused("configurations.dense.data.train=elsewhere", code=2, words=["dense", "data.train"])
        self.refused("configurations.dense.model.layers=[flatten, linear: {units: 3}]", code=1, words=["dense", "2 units"])
        self.refused("configurations.dense.model.layers=[flatten, linea: {units: 2}]", code=2, words=["dense", "linear"])

    def test_tables(self):
        with h5py.File(os.path.join(self.train, "index.h5")) as f:
            ids = [str(i) if not isinstance(i, bytes) else i.decode() for i in f["id"][:]]
        table = lambda name, pairs: o.write(name, "id,group\n" + "".join(f"{i},{g}\n" for i, g in pairs))
        spans = table("spans.csv", [(i, "all") for i in ids])
        self.refused(f"cv.groups={spans}", code=2, words=["group"])
        self.refused(f"cv.groups={table('short.csv', [(i, 'a') for i in ids[:-1]])}", code=1, words=["short.csv", ids[-1]])
        self.refused(f"cv.groups={table('twice.csv', [(i, n) for n, i in enumerate(ids + ids[:1])])}", code=1, words=["twice", ids[0]])
        self.refused(f"cv.file={spans}", "cv.fold_column=group", code=1, words=["all", "fold"])
        self.refused("cv.groups=nowhere.csv", code=1, words=["nowhere.csv"])

    def test_leak(self):
        """The same sample under two ids, in two folds."""
        with open(o.tmp("survey/train.csv")) as f:
            lines = f.readlines()
        o.write("leak/train.csv", "".join(lines + lines[1:2]))
        o.orrery("import", os.path.join(o.SOURCE, "examples/kepler/import.yaml"), f"input.files={o.tmp('leak/train.csv')}", "out=" + o.tmp("leak/set"))
        for seed in range(1, 20):  # until the folds part the two
            r = o.orrery("cv", self.job("leak.yaml"), f"data.train={o.tmp('leak/set')}", "run=" + o.tmp(f"leak/run-{seed}"), f"cv.seed={seed}",
                         "train.epochs=1", code=None)
            if r.code:
                break
        self.assertEqual(r.code, 1)
        self.assertIn("identical", r.err)
        self.assertIn("fold", r.err)
        o.orrery("cv", self.job("leak.yaml"), f"data.train={o.tmp('leak/set')}", "run=" + o.tmp("leak/allowed"), f"cv.seed={seed}", "train.epochs=1",
                 "data.overlap=allow")

    def test_a_failing_task_does_not_stop_the_others(self):
        run = o.tmp("blocked")
        os.makedirs(os.path.join(run, "tasks"))
        o.write("blocked/tasks/dense-s1-f1", "a file where a folder should be")
        for ranks in (0, 2):
            r = o.orrery("cv", self.job("blocked.yaml"), "run=" + run, code=1, ranks=ranks)
            self.assertIn("fold 1 of dense", r.err)
            self.assertIn("is a file", r.err)
        self.assertTrue(os.path.exists(os.path.join(run, "tasks", "small-s1-f2", "model.h5")))
        os.remove(os.path.join(run, "tasks", "dense-s1-f1"))
        r = o.orrery("cv", self.job("blocked.yaml"), "run=" + run)
        self.assertIn("1 of 6 trainings are left", r.err)

    def test_another_job_is_refused(self):
        run = o.tmp("same")
        o.orrery("cv", self.job("same.yaml"), "run=" + run, "train.epochs=1")
        r = o.orrery("cv", self.job("same.yaml"), "run=" + run, "train.epochs=2", code=2)
        self.assertIn("epochs", r.err)


if __name__ == "__main__":
    if not o.MPIRUN:
        o.skip("this build has no MPI")
    unittest.main()
