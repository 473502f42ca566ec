"""The number of ranks changes the speed, never the result: after 200 steps weights, optimiser
state, metrics and predictions are byte-equal on 1, 2, 3, 4 and 8 ranks, with batch norm (leaf and
batch), dropout, augmentation and clipping on."""
import os
import unittest

import h5py
import numpy as np

import orrery as o


class WorldSize(unittest.TestCase):
    def compare(self, name, jobfile, ranks=(2, 3, 4, 8), extra=()):
        one = None
        for n in (0, *ranks):
            run = o.tmp(f"{name}-{n}")
            o.orrery("train", jobfile, "run=" + run, *extra, ranks=n)
            got = o.results(run)
            self.assertIn("checkpoint-last.h5", got)
            self.assertIn("predictions-test.csv", got)
            if one is None:
                one = got
            else:
                self.assertEqual(got, one, f"{name}: {n} ranks differ from one")
        return one

    def test_200_steps(self):
        train, test = o.small_kepler()
        job = o.job("job.yaml", train, test, "  max_steps: 200\n  patience: 0", data="  epoch_length: 1200")
        self.compare("steps", job, extra=("train.epochs=4",))

    def test_balanced_and_sgd(self):
        train, test = o.small_kepler()
        job = o.job("balanced.yaml", train, test, "  optimiser: {kind: sgd, momentum: 0.9}\n  leaves: 6", data="  sampling: balanced")
        job = o.edit(job, "  leaves: 8\n", "")
        self.compare("balanced", job, ranks=(2, 3, 5))

    def test_fitted_transform(self):
        train, test = o.small_kepler()
        job = o.job("fitted.yaml", train, test, "  max_steps: 20")
        o.edit(job, "{per: sample}", "{per: feature}")
        self.compare("fitted", job, ranks=(3,))

    def test_seed_matters(self):
        """The comparison above can fail: another seed gives other bytes."""
        train, test = o.small_kepler()
        job = o.job("seed.yaml", train, test, "  max_steps: 5")
        got = []
        for seed in (1, 2):
            o.orrery("train", job, f"run={o.tmp(f'seed-{seed}')}", f"train.seed={seed}")
            got.append(o.results(o.tmp(f"seed-{seed}")))
        self.assertNotEqual(got[0]["checkpoint-last.h5"], got[1]["checkpoint-last.h5"])

    def test_groups(self):
        """Groups of tensors: their numbers, what is left out of decay, and that a rate of 0 leaves
        tensors as they were."""
        train, test = o.small_kepler()
        job = o.job("groups.yaml", train, test, "  max_steps: 20\n  optimiser: {kind: adamw, weight_decay: 0.1, no_decay: [vectors], "
                    "groups: [{match: [left.*, prelu1.weight], rate: 0}, {match: linear2.*, rate: 10, weight_decay: 0}]}")
        self.compare("groups", job, ranks=(2, 3))
        before, after = self.weights(job, "groups-before", "train.lr=0", "train.max_steps=1"), self.weights(job, "groups-after")
        self.assertEqual({k for k in before if np.array_equal(before[k], after[k])}, {"left.weight", "left.bias", "prelu1.weight"})

    def weights(self, job, name, *more):
        run = o.tmp(name)
        o.orrery("train", job, "run=" + run, *more)
        with h5py.File(run + "/model.h5") as f:
            return {k: v[()] for k, v in f["weights"].items() if "running" not in k}

    def test_clipping_is_of_the_finished_gradient(self):
        """One step of sgd at rate 1 moves the weights by clip_norm: the norm is of what the
        optimiser gets, not of the taps' gradient."""
        train, test = o.small_kepler()
        job = o.job("clip.yaml", train, test, "  max_steps: 1\n  optimiser: {kind: sgd}")
        o.edit(job, "clip_norm: 1.0", "clip_norm: 1.0e-2")
        before, after = self.weights(job, "unmoved", "train.lr=0"), self.weights(job, "moved", "train.lr=1")
        moved = np.sqrt(sum(((after[k].astype(float) - before[k]) ** 2).sum() for k in before))
        self.assertAlmostEqual(moved, 1e-2, delta=1e-6)

    def test_fast_is_close(self):
        train, test = o.small_kepler()
        job = o.job("fast.yaml", train, test, "  reduce: fast\n  max_steps: 30")
        losses = []
        for n in (1, 3):
            run = o.tmp(f"fast-{n}")
            o.orrery("train", job, "run=" + run, ranks=n)
            with open(os.path.join(run, "history.csv")) as f:
                losses.append([float(line.split(",")[3]) for line in f.readlines()[1:]])
        self.assertGreater(len(losses[0]), 0)
        for a, b in zip(*losses):
            self.assertAlmostEqual(a, b, delta=1e-3 * abs(a))


if __name__ == "__main__":
    if not o.MPIRUN:
        o.skip("this build has no MPI")
    unittest.main()
