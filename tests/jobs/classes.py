"""Scores of more than two classes: what two classes have is not missing there, in JSON, table and
cross-validation, against scikit-learn on the predictions that the program writes."""
import json
import os
import unittest
import warnings

import h5py
import numpy as np
import orrery as o
from sklearn import metrics

NAMES = ["star", "galaxy", "qso", "junk"]


def dataset(name, seed, n=240, k=4):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    y = (x[:, :k] + rng.normal(0, 0.8, (n, k))).argmax(1)
    np.save(o.tmp(name + "-x.npy"), x.astype("f4"))
    np.save(o.tmp(name + "-y.npy"), y.astype("i4"))
    o.orrery("import", f"input.files={o.tmp(name)}-x.npy", f"input.label={o.tmp(name)}-y.npy", f"input.id_start={1000 * seed}",
             f"input.class_names=[{', '.join(NAMES[:k])}]", "out=" + o.tmp(name))
    return o.tmp(name), y


class Classes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.train, _ = dataset("train", 1)
        cls.test, cls.y = dataset("test", 2)
        cls.job = o.write("job.yaml", f"""
run: {o.tmp('run')}
data: {{train: {cls.train}, validation_fraction: 0.3}}
model: {{layers: [linear: {{units: 4}}], {o.KERNELS.replace('=', ': ')}}}
train: {{epochs: 3, batch: 24, lr: 0.02, select: average_precision}}
runtime: {{progress: false}}
""")
        o.orrery("train", cls.job)
        o.orrery("predict", o.tmp("run"), cls.test, "out=" + o.tmp("p.h5"), o.KERNELS)
        with h5py.File(o.tmp("p.h5")) as f:
            cls.p = f["p"][:]

    def oracle(self):
        one = np.eye(4)[self.y]
        named = self.p.argmax(1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {
                "average_precision": metrics.average_precision_score(one, self.p, average="macro"),
                "auc": metrics.roc_auc_score(self.y, self.p, multi_class="ovr"),
                "precision": metrics.precision_score(self.y, named, average="macro"),
                "recall": metrics.recall_score(self.y, named, average="macro"),
                "f1": metrics.f1_score(self.y, named, average="macro"),
                "log_loss": metrics.log_loss(self.y, self.p),
            }

    def test_json_is_sklearn(self):
        got = json.loads(o.orrery("evaluate", o.tmp("run"), self.test, "format=json", o.KERNELS).out)
        for name, want in self.oracle().items():
            self.assertAlmostEqual(got[name], want, places=12, msg=name)
        for k, one in enumerate(got["classes"]):
            self.assertAlmostEqual(one["average_precision"], metrics.average_precision_score(self.y == k, self.p[:, k]), places=12)

    def test_table(self):
        table = o.orrery("evaluate", o.tmp("run"), self.test, o.KERNELS).out
        self.assertRegex(table, rf"\n  average precision +{self.oracle()['average_precision']:.6g}\n")
        self.assertRegex(table, rf"\n  macro precision +{self.oracle()['precision']:.6g}\n")
        self.assertRegex(table, rf"\n  macro recall +{self.oracle()['recall']:.6g}\n")

    def test_every_name_of_two_classes_is_there(self):
        """A report of two classes names nothing that one of four leaves out."""
        two, _ = dataset("two", 3, k=2)
        edited = o.write("two.yaml", open(self.job).read().replace("units: 4", "units: 2").replace(self.train, two).replace(o.tmp("run"), o.tmp("run2")))
        o.orrery("train", edited)
        with open(o.tmp("run2/report.json")) as f, open(o.tmp("run/report.json")) as g:
            two, four = json.load(f), json.load(g)
        self.assertEqual(set(two["validation"]), set(four["validation"]))
        self.assertEqual(set(two["validation"]["classes"][0]), set(four["validation"]["classes"][0]))

    def test_folds(self):
        cv = o.write("cv.yaml", open(self.job).read().replace("run: " + o.tmp("run"), "run: " + o.tmp("cv")) +
                     "cv: {folds: 3}\n")
        o.orrery("cv", cv)
        with open(o.tmp("cv/report.json")) as f:
            pooled = json.load(f)["models"][0]["pooled"]
        with h5py.File(o.tmp("cv/oof.h5")) as f:
            p, y = f["p"][0], f["y"][:]
        self.assertAlmostEqual(pooled["average_precision"], metrics.average_precision_score(np.eye(4)[y], p, average="macro"), places=12)


if __name__ == "__main__":
    unittest.main()
