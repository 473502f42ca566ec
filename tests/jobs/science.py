"""The shipped job files on real data (one seed, short): far above a constant answer and above what
the sources report.  The full tables are bench/science."""
import os
import sys
import unittest

import orrery as o

sys.path.insert(0, os.path.join(o.SOURCE, "bench", "science"))
from science import Bench  # noqa: E402


class Science(unittest.TestCase):
    def setUp(self):
        os.makedirs(o.tmp("science"), exist_ok=True)
        self.data = o.shared_data()
        self.bench = Bench(o.ORRERY, self.data or "", o.tmp("science"))

    def needs_data(self):
        if not self.data:
            self.skipTest("real data (ORRERY_DATA or ../shared/data) is not on this machine")

    def test_moons(self):
        """The Bayes limit is 0.947, the majority 0.527."""
        self.assertGreaterEqual(self.bench.moons()(1)["accuracy"], 0.92)

    def test_kepler(self):
        self.needs_data()
        scores = self.bench.kepler()(1)
        self.assertEqual(scores["samples"], 152)
        self.assertGreater(scores["auc"], 0.9)
        self.assertGreaterEqual(scores["recall"], 0.6)
        self.assertGreater(scores["precision"], 0.3)

    def test_koi(self):
        self.needs_data()
        scores = self.bench.koi()(1)
        self.assertEqual(scores["samples"], 999)
        self.assertGreater(scores["accuracy"], 0.84)
        self.assertGreater(scores["auc"], 0.90)

    def test_mnist(self):
        self.needs_data()
        self.bench.mnist()
        scores = self.bench.train(os.path.join(o.SOURCE, "examples/mnist/train.yaml"), "mnist-short", "data.train=mnist-train",
                                  "data.test=mnist-test", "train.epochs=1")
        self.assertGreater(scores["accuracy"], 0.975)


if __name__ == "__main__":
    unittest.main()
