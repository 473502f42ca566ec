"""Samples that stand twice in one set, and samples of one group: where train and cv put them."""
import csv
import json
import os
import unittest

import h5py
import numpy as np
import orrery as o

LAYERS = "[flatten, linear: {units: 4}, relu, linear: {units: 1}]"
N = 300


def rows_of(path):
    with open(path) as f:
        return [int(r["id"]) for r in csv.DictReader(f)]


def job(name, more="", train="", data=None):
    return o.write(name + ".yaml", f"""
run: {o.tmp(name)}
data: {{train: {data or o.tmp("twice")}{more}}}
model: {{layers: {LAYERS}, {o.KERNELS.replace("=", ": ")}}}
train: {{epochs: 1, batch: 32, lr: 0.01, leaves: 4}}
runtime: {{threads: 1, progress: false}}
""")


def report(name):
    with open(o.tmp(name) + "/report.json") as f:
        return json.load(f)


class Overlap(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rng = np.random.default_rng(7)
        cls.x = rng.normal(0, 1, (N, 5)).astype("f4")
        for a, b in rng.choice(N, (25, 2), replace=False):
            cls.x[a] = cls.x[b]
        cls.x[[5, 105, 205, 299]] = 0
        cls.y = np.arange(N) % 2
        cls.twin = np.array([np.flatnonzero((cls.x == row).all(1))[0] for row in cls.x])
        cls.group = rng.permutation(np.arange(N) // 4)
        text = "id,a,b,c,d,e,field,l\n" + "".join("%d,%s,%d,%d\n" % (i, ",".join(map(repr, map(float, row))), cls.group[i], cls.y[i])
                                              for i, row in enumerate(cls.x))
        o.orrery("import", "input.files=" + o.write("twice.csv", text), "input.id=id", "input.label=l", "input.aux=[field]",
                 "input.features='a,b,c,d,e'", "out=" + o.tmp("twice"))
        cls.side = o.write("groups.csv", "id,field\n" + "".join("%d,%d\n" % (i, g) for i, g in enumerate(cls.group)))

    def split(self, name, more, ranks=0):
        o.orrery("train", job(name, more), ranks=ranks)
        held = rows_of(o.tmp(name) + "/predictions-validation.csv")
        return held, report(name)["training_samples"]

    def test_refused_with_the_ways_on(self):
        r = o.orrery("train", job("refused"), code=None)
        self.assertRegex(r.err, "identical samples stand in more than one of the splits.*drop, together")

    def test_together(self):
        for ranks in (0, 2, 3):
            held, trained = self.split("together%d" % ranks, ", overlap: together", ranks)
            sides = {t: {i in held for i in np.flatnonzero(self.twin == t)} for t in self.twin}
            self.assertTrue(all(len(s) == 1 for s in sides.values()))
            self.assertEqual(len(held) + trained, N)
            self.assertAlmostEqual(len(held) / N, 0.2, delta=0.03)
            self.assertEqual(o.sha(o.tmp("together%d" % ranks) + "/model.h5"), o.sha(o.tmp("together0") + "/model.h5"))

    def test_drop(self):
        whole, _ = self.split("allow", ", overlap: allow")
        for ranks in (0, 2):
            held, trained = self.split("drop%d" % ranks, ", overlap: drop", ranks)
            train = [i for i in range(N) if i not in whole]
            twins = set(self.twin[train])
            self.assertEqual(sorted(held), sorted(i for i in whole if self.twin[i] not in twins))
            self.assertEqual(trained, len(train))
            self.assertLess(len(held), len(whole))
            self.assertEqual(o.sha(o.tmp("drop%d" % ranks) + "/model.h5"), o.sha(o.tmp("drop0") + "/model.h5"))

    def test_drop_over_sets(self):
        whole, _ = self.split("allow", ", overlap: allow")
        o.orrery("import", "input.files=[" + o.tmp("twice.csv") + "]", "input.id=id", "input.label=l", "input.aux=[field]",
                 "input.features='a,b,c,d,e'", "input.max_rows=60", "input.skip_rows=200", "out=" + o.tmp("test"), "overwrite=true")
        r = o.orrery("train", job("sets", f", overlap: drop, test: {o.tmp('test')}"), code=None)
        self.assertRegex(r.err, "drop leaves nothing of 60 test samples")
        r = o.orrery("train", job("sets", f", overlap: together, test: {o.tmp('test')}"), code=None)
        self.assertRegex(r.err, "60 ids stand in more than one")

    def test_groups(self):
        for name, groups in (("aux", "field"), ("side", self.side + ", group_column: field")):
            for ranks in (0, 2):
                run = "groups-%s-%d" % (name, ranks)
                held, trained = self.split(run, ", overlap: allow, test_fraction: 0.1, groups: " + groups, ranks)
                tested = rows_of(o.tmp(run) + "/predictions-test.csv")
                self.assertEqual(len(held) + trained + len(tested), N)
                self.assertFalse(set(self.group[held]) & set(self.group[tested]))
                rest = [i for i in range(N) if i not in held and i not in tested]
                self.assertFalse(set(self.group[held]) & set(self.group[rest]) | set(self.group[tested]) & set(self.group[rest]))
                self.assertAlmostEqual(len(held) / N, 0.18, delta=0.04)
                self.assertEqual(o.sha(o.tmp(run) + "/predictions-validation.csv"), o.sha(o.tmp("groups-aux-0") + "/predictions-validation.csv"))
        held, _ = self.split("both", ", overlap: together, groups: field")
        rest = [i for i in range(N) if i not in held]
        self.assertFalse(set(self.group[held]) & set(self.group[rest]))
        self.assertFalse(set(self.twin[held]) & set(self.twin[rest]))
        r = o.orrery("train", job("none", ", groups: nowhere.csv"), code=None)
        self.assertIn("nowhere.csv", r.err)

    def folds(self, name, more, ranks=0):
        o.orrery("cv", o.write(name + "-cv.yaml", f"run: {o.tmp(name)}\njob: {job(name + '-job', more)}\ncv: {{folds: 3, seed: 1}}\n"
                               "runtime: {threads: 1, progress: false}\n"), ranks=ranks)
        with h5py.File(o.tmp(name) + "/oof.h5") as f:
            return np.ravel(f["fold"][:]), o.sha(o.tmp(name) + "/oof.h5")

    def test_cv(self):
        for ranks in (0, 2):
            fold, _ = self.folds("cvt%d" % ranks, ", overlap: together", ranks)
            for t in set(self.twin):
                self.assertEqual(len(set(fold[self.twin == t])), 1)
            fold, _ = self.folds("cvg%d" % ranks, ", overlap: allow, groups: field", ranks)
            for g in set(self.group):
                self.assertEqual(len(set(fold[self.group == g])), 1)
            plain, _ = self.folds("cva%d" % ranks, ", overlap: allow", ranks)
            fold, _ = self.folds("cvd%d" % ranks, ", overlap: drop", ranks)
            np.testing.assert_array_equal(fold, plain)  # every row is answered, out of its fold
            for k in range(3):
                trained = held = 0
                with open(o.tmp("cvd%d" % ranks) + "/tasks/" + sorted(n for n in self.tasks("cvd%d" % ranks))[k] + "/report.json") as f:
                    trained = json.load(f)["training_samples"]
                with open(o.tmp("cva%d" % ranks) + "/tasks/" + sorted(n for n in self.tasks("cva%d" % ranks))[k] + "/report.json") as f:
                    held = json.load(f)["training_samples"]
                self.assertLess(trained, held)
        for name in ("cvt", "cvg", "cvd"):
            self.assertEqual(o.sha(o.tmp(name + "0") + "/oof.h5"), o.sha(o.tmp(name + "2") + "/oof.h5"))

    def tasks(self, name):
        return os.listdir(o.tmp(name) + "/tasks")


if __name__ == "__main__":
    unittest.main()
