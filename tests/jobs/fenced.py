"""A job on memory that the host cannot touch: training (one rank and several, stopped in the middle
and resumed), prediction and cross-validation with kernels: fenced give the bytes that check
gives."""
import os
import signal
import subprocess
import time
import unittest

import h5py
import numpy as np

import cv
import orrery as o


def weights(run):
    with h5py.File(os.path.join(run, "model.h5")) as f:
        return {k: v[()] for k, v in f["weights"].items()}


class Fenced(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        train, test = o.small_kepler(stars=60, samples=60)
        o.KERNELS = "kernels=fenced"
        cls.train_set, cls.test = train, test
        cls.job = o.job("fenced.yaml", train, test, "  max_steps: 8")

    def train(self, name, *more, ranks=0):
        o.orrery("train", self.job, "run=" + o.tmp(name), *more, ranks=ranks)
        return o.tmp(name)

    def same(self, a, b):
        a, b = weights(a), weights(b)
        self.assertEqual(a.keys(), b.keys())
        for name, values in a.items():
            np.testing.assert_array_equal(values, b[name], name)

    def test_train_and_predict(self):
        fenced, check = self.train("fenced"), self.train("check", "model.kernels=check")
        self.same(fenced, check)
        for kernels in ("fenced", "check"):
            o.orrery("predict", fenced, self.test, "kernels=" + kernels, f"out={o.tmp(kernels)}.csv")
        self.assertEqual(o.sha(o.tmp("fenced.csv")), o.sha(o.tmp("check.csv")))

    def test_cross_validation(self):
        got = []
        for kernels in ("fenced", "check"):
            o.write(f"{kernels}/shared.yaml", cv.SHARED.format(train=self.train_set, test=self.test, kernels=kernels))
            path = o.write(f"{kernels}/cv.yaml", cv.JOB.format(folds=2, more="", kernels=kernels))
            o.orrery("cv", path, "run=" + o.tmp("cv-" + kernels), "train.epochs=1", "data.epoch_length=44")
            got.append(o.sha(os.path.join(o.tmp("cv-" + kernels), "oof.csv")))
        self.assertEqual(*got)

    @unittest.skipUnless(o.MPIRUN, "one process")
    def test_ranks_and_resume(self):
        # three ranks: several segments, and a reduction
        one, three = self.train("one"), self.train("three", ranks=3)
        self.assertEqual(o.results(one), o.results(three))
        with open(os.path.join(one, "metrics.jsonl")) as f:
            before = f.read()
        self.train("one")  # on a finished run: nothing is to do
        with open(os.path.join(one, "metrics.jsonl")) as f:
            self.assertEqual(f.read(), before)

    def stop(self, job, run, number, code):
        """As soon as there is a checkpoint, which is long before the end."""
        p = subprocess.Popen(o.argv(0, "train", job, "run=" + run), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=o.tmp())
        while not os.path.exists(os.path.join(run, "checkpoint-last.h5")) and p.poll() is None:
            time.sleep(0.005)
        p.send_signal(number)
        err = p.communicate()[1]
        self.assertEqual(p.returncode, code, err)
        self.assertFalse(os.path.exists(os.path.join(run, "model.h5")))

    def test_stopped_in_the_middle(self):
        job = o.job("stopped.yaml", self.train_set, self.test, "  checkpoint_steps: 3", data="  epoch_length: 880")
        o.orrery("train", job, "run=" + o.tmp("whole"))
        whole = o.results(o.tmp("whole"))
        for name, number, code, ranks in ("term", signal.SIGTERM, 75, 0), ("kill", signal.SIGKILL, -9, 2 if o.MPIRUN else 0):
            run = o.tmp("stopped-" + name)
            self.stop(job, run, number, code)
            o.orrery("train", job, "run=" + run, ranks=ranks)
            self.assertEqual(o.results(run), whole, name)


if __name__ == "__main__":
    unittest.main()
