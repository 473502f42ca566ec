"""train.seeds: the same training several times, over groups of ranks; killed and gone on with; one
folder that answers with the mean; plain runs taken together.  numpy and scikit-learn say what is
right."""
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

import h5py
import numpy as np
import orrery as o
from ensemble import answers, mean, net, table
from sklearn import metrics

FILES = ["job.yaml", "seeds.h5", "report.json", "predictions-validation.csv", "predictions-test.csv"]


def job(name, train, test, more="", outputs=1, data="", split=0.3):
    return o.write(name + ".yaml", f"run: {o.tmp(name)}\ndata: {{train: {train}, test: {test}, validation_fraction: {split}{data}}}\n"
                   f"model: {net(6, outputs)}\ntrain: {{epochs: 2, batch: 32, lr: 0.02{more}}}\nruntime: {{threads: 1, progress: false}}\n")


def sums(run, seeds):
    return [o.sha(os.path.join(run, f)) for f in [*FILES, *(f"tasks/seed-{s}/model.h5" for s in seeds)]]


class Seeds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.train, cls.test = table("st", 240, 1, classes=2, names=("galaxy", "star")), table("se", 90, 2, classes=2, names=("galaxy", "star"))
        cls.job = job("three", cls.train, cls.test, ", seeds: 3")
        cls.folder = o.tmp("three")
        cls.said = o.orrery("train", cls.job)

    def fails(self, words, *args, command="evaluate"):
        err = o.orrery(command, *args, o.KERNELS, code=None)
        self.assertNotEqual(err.code, 0)
        for word in words:
            self.assertIn(word, err.err)

    def test_mean_and_spread(self):
        single = [answers(os.path.join(self.folder, f"tasks/seed-{s}"), self.test) for s in (1, 2, 3)]
        self.assertTrue(np.array_equal(answers(self.folder, self.test), mean(single)))
        self.assertTrue(np.array_equal(answers(os.path.join(self.folder, "seeds.h5"), self.test), mean(single)))
        with h5py.File(os.path.join(self.folder, "seeds.h5")) as f:
            self.assertTrue(np.array_equal(f["test_p"][:], single))
            y, p = f["y"][:], f["p"][:]
            self.assertEqual(json.loads(f["description"][0])["folds"], 1)
        self.assertEqual(p.shape, (3, 72, 2))
        with open(os.path.join(self.folder, "report.json")) as f:
            report = json.load(f)
        self.assertEqual(report["seeds"], [1, 2, 3])
        each = [metrics.roc_auc_score(y, q[:, 1]) for q in p]
        self.assertAlmostEqual(report["validation"]["auc"], metrics.roc_auc_score(y, mean(list(p))[:, 1]), places=12)
        self.assertAlmostEqual(report["validation"]["spread"]["auc"]["mean"], np.mean(each), places=12)
        self.assertAlmostEqual(report["validation"]["spread"]["auc"]["deviation"], np.std(each), places=12)
        told = json.loads(o.orrery("evaluate", self.folder, self.test, "format=json", o.KERNELS).out)
        self.assertEqual(told["auc"], report["test"]["auc"])
        self.assertEqual(told["spread"], report["test"]["spread"])
        self.assertEqual([m["auc"] for m in told["models"]], [m["auc"] for m in report["test"]["models"]])
        self.assertIn("over the 3 models", o.orrery("evaluate", self.folder, self.test, o.KERNELS).out)
        # a seed's training is the plain one
        plain = o.tmp("plain-2")
        o.orrery("train", job("plain-2", self.train, self.test, ", seed: 2"))
        self.assertEqual(o.sha(os.path.join(plain, "model.h5")), o.sha(os.path.join(self.folder, "tasks/seed-2/model.h5")))

    def test_ranks_kill_resume(self):
        want = sums(self.folder, (1, 2, 3))
        for n in (2, 4) if o.MPIRUN else ():
            o.orrery("train", self.job, f"run={o.tmp(f'ranks-{n}')}", ranks=n)
            self.assertEqual(sums(o.tmp(f"ranks-{n}"), (1, 2, 3)), want)
        run = o.tmp("killed")
        p = subprocess.Popen(o.argv(0, "train", self.job, "run=" + run), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not os.path.exists(os.path.join(run, "tasks/seed-1/checkpoint-last.h5")) and p.poll() is None:
            time.sleep(0.002)
        p.send_signal(signal.SIGKILL)
        p.wait()
        o.orrery("train", self.job, "run=" + run, ranks=2 if o.MPIRUN else 0)
        self.assertEqual(sums(run, (1, 2, 3)), want)
        # what is done is not done again; a seed that is gone is
        shutil.rmtree(os.path.join(run, "tasks/seed-2"))
        self.fails(["seed-2", "seed 2", "orrery train JOB again"], run, self.test)
        said = o.orrery("train", self.job, "run=" + run).err
        self.assertIn("1 of 3 trainings are left", said)
        self.assertEqual(sums(run, (1, 2, 3)), want)
        os.remove(os.path.join(run, "seeds.h5"))
        self.fails([run, "has not ended", "train"], run, self.test)

    def test_plain_runs_together(self):
        a, b = os.path.join(self.folder, "tasks/seed-1"), os.path.join(self.folder, "tasks/seed-3/model.h5")
        p = [answers(q, self.test) for q in (a, b)]
        out = o.tmp("two.h5")
        for ranks in (0, 2) if o.MPIRUN else (0,):
            o.orrery("predict", a, b, self.test, "out=" + out, "overwrite=true", o.KERNELS, ranks=ranks)
            with h5py.File(out) as f:
                self.assertTrue(np.array_equal(f["p"][:], mean(p)))
        # all that is named counts alike: the run with seeds is one of two
        o.orrery("predict", self.folder, b, self.test, "out=" + out, "overwrite=true", o.KERNELS)
        with h5py.File(out) as f:
            self.assertTrue(np.array_equal(f["p"][:], mean([answers(self.folder, self.test), p[1]])))
        # rows that trained them are said
        self.assertIn("168 of its 240 samples trained its models", o.orrery("evaluate", a, b, self.train, o.KERNELS).err)
        self.fails(["are the same", "counts once"], a, os.path.join(a, "model.h5"), self.test)
        self.fails(["model=small", "here are 2"], a, b, self.test, "model=small")
        # other classes, channels
        other = table("ot", 120, 3, classes=2, names=("star", "galaxy"))
        o.orrery("train", job("other", other, other, data=", overlap: allow"))
        self.fails(["class 0", "galaxy", "star", "other"], a, o.tmp("other"), self.test)
        three = table("th", 120, 4, classes=2, features=3, names=("galaxy", "star"))
        o.orrery("train", job("wide", three, three, data=", overlap: allow"))
        self.fails(["wide", "x2"], a, o.tmp("wide"), self.test)
        values = table("va", 120, 5, targets=("u", "v"))
        o.orrery("train", job("values", values, values, outputs=2, data=", overlap: allow"))
        self.fails(["no mean", "classes", "values"], a, o.tmp("values"), self.test)

    def test_no_validation_no_test(self):
        o.orrery("train", job("test-alone", self.train, self.test, ", seeds: 2", split=0))
        with h5py.File(o.tmp("test-alone/seeds.h5")) as f:
            self.assertEqual((f["test_p"].shape, "p" in f), ((2, 90, 2), False))
        bare = o.write("bare.yaml", f"run: {o.tmp('bare')}\ndata: {{train: {self.train}, validation_fraction: 0}}\nmodel: {net(6, 1)}\n"
                       "train: {epochs: 1, seeds: [9, 4]}\nruntime: {threads: 1, progress: false}\n")
        o.orrery("train", bare, ranks=2 if o.MPIRUN else 0)
        p = [answers(o.tmp(f"bare/tasks/seed-{s}"), self.test) for s in (9, 4)]
        self.assertTrue(np.array_equal(answers(o.tmp("bare"), self.test), mean(p)))

    def test_refusals(self):
        for value, word in (("0", "is not 1 to 64"), ("2.5", "no whole number"), ("[1, 1]", "twice"), ("[1, -2]", "no whole number"),
                            ("[]", "1 to 64"), ("many", "no whole number")):
            r = o.orrery("train", self.job, "run=" + o.tmp("bad"), "train.seeds=" + value, code=2)
            self.assertIn(word, r.err)
            self.assertIn("train.seeds", r.err)
        self.assertIn("another job", o.orrery("train", self.job, "train.seeds=4", code=2).err)

    def test_cv(self):
        """Each configuration, fold and seed; cv.seeds wins; all have as many."""
        text = f"run: {o.tmp('cv')}\ndata: {{train: {self.train}}}\nmodel: {net(4, 1)}\ntrain: {{epochs: 1, seeds: 2}}\ncv: {{folds: 2}}\n" \
               "runtime: {threads: 1, progress: false}\n"
        o.orrery("cv", o.write("cv.yaml", text))
        self.assertEqual(sorted(os.listdir(o.tmp("cv/tasks"))), [f"model-s{s}-f{f}" for s in (1, 2) for f in (0, 1)])
        o.orrery("cv", o.tmp("cv.yaml"), "cv.seeds=[7]", "run=" + o.tmp("cv7"))
        self.assertEqual(sorted(os.listdir(o.tmp("cv7/tasks"))), ["model-s7-f0", "model-s7-f1"])
        uneven = text + "configurations: {a: {}, b: {train: {seeds: 3}}}\n"
        self.assertIn("configuration b: its train.seeds are 3, those of a 2", o.orrery("cv", o.write("uneven.yaml", uneven), code=2).err)


if __name__ == "__main__":
    unittest.main()
