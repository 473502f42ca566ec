"""The file of out-of-fold predictions for sizes around every step in which its image grows in
memory (1 MiB and its multiples): rows x columns x bins, on one to four ranks, with and without a
test set; stack and predict go on from it.  What it holds is compared with the CSV beside it."""
import csv
import os
import unittest

import h5py
import numpy as np
import orrery as o

MIB = 1 << 20
QUIET = "runtime.progress=false"


def table(name, n, seed, target="y"):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 1, (2, n))
    y = (a + b > 1).astype(int) if target == "y" else 0.2 * (a + b)
    text = "id,y,a,b\n" + "".join(f"{seed * 10**7 + i},{y[i]:.9g},{a[i]:.9g},{b[i]:.9g}\n" for i in range(n))
    path = o.write(name + ".csv", text)
    kind = "input.label=y" if target == "y" else "input.target=y"
    o.orrery("import", "input.files=" + path, "input.id=id", kind, "input.features='a,b'", "out=" + o.tmp(name), QUIET)
    return o.tmp(name)


def job(name, train, test, columns, bins=0):
    loss = f", loss: crps, bins: {{count: {bins}, min: 0, max: 0.4}}" if bins else ""
    o.write(name + "-shared.yaml", f"""
run: unset
data: {{train: {train}, {f"test: {test}, " if test else ""}validation_fraction: 0.2}}
model: {{layers: [flatten, linear: {{units: {bins or 1}}}], {o.KERNELS.replace("=", ": ")}}}
train: {{epochs: 1, batch: 256, lr: 0.05{loss}}}
runtime: {{progress: false, threads: 1}}
""")
    models = ", ".join(f"m{i}: {{train: {{lr: {0.05 / (i + 1):.4f}}}}}" for i in range(columns))
    return o.write(name + ".yaml", f"""
run: unset
job: {name}-shared.yaml
cv: {{folds: 2}}
configurations: {{{models}}}
runtime: {{progress: false, threads: 1}}
""")


class Sizes(unittest.TestCase):
    def check(self, name, n, columns, ranks=0, n_test=0, bins=0):
        target = "z" if bins else "y"
        train = table(f"train-{target}-{n}", n, 1, target) if not os.path.exists(o.tmp(f"train-{target}-{n}")) else o.tmp(f"train-{target}-{n}")
        test = table(f"test-{name}", n_test, 2, target) if n_test else None
        run = o.tmp("run-" + name)
        o.orrery("cv", job(name, train, test, columns, bins), "run=" + run, ranks=ranks)
        with h5py.File(os.path.join(run, "oof.h5")) as f:
            p, ids = f["p"][:], [i.rstrip(b"\0").decode() for i in f["id"][:]]
            self.assertEqual(p.shape, (columns, n, bins or 2))
            self.assertEqual(f["test_p"].shape if n_test else None, (columns, n_test, bins or 2) if n_test else None)
            self.assertTrue(np.isfinite(p).all() and (np.abs(p).sum(2) > 0).all(), "rows of zeros: never written")
            if n_test:
                self.assertTrue((np.abs(f["test_p"][:]).sum(2) > 0).all())
        self.assertEqual(len(set(ids)), n)
        if not bins and columns == 1:
            with open(os.path.join(run, "oof.csv")) as f:
                rows = {r["id"]: float(r["m0"]) for r in csv.DictReader(f)}
            self.assertLess(max(abs(rows[i] - v) for i, v in zip(ids, p[0, :, 1])), 1e-7)
        return run

    def test_around_one_step(self):
        """The column alone crosses 1 MiB, and so do the ids (65 bytes a row) before it: every part
        of the file meets the step once."""
        for n, columns, ranks in [(6000, 1, 1), (12000, 1, 0), (10000, 2, 2), (7000, 3, 3), (MIB // (65 + 4 + 4 + 8) - 30, 1, 2),
                                  (MIB // (65 + 4 + 4 + 8) + 30, 1, 0), (16200, 1, 4), (26500, 2, 2)]:
            with self.subTest(n=n, columns=columns, ranks=ranks):
                self.check(f"c{n}-{columns}-{ranks}", n, columns, ranks)

    def test_densities(self):
        for n, bins, columns, ranks, n_test in [(1000, 180, 1, 0, 0), (728, 180, 1, 2, 0), (1456, 180, 2, 4, 729)]:
            with self.subTest(n=n, bins=bins, ranks=ranks):
                self.check(f"d{n}-{bins}-{columns}-{ranks}", n, columns, ranks, n_test, bins)

    def test_with_test_set_then_stack_and_predict(self):
        for ranks, n_test in [(0, 10000), (3, 60000)]:
            with self.subTest(ranks=ranks, n_test=n_test):
                run = self.check(f"t{ranks}", 10000, 2, ranks, n_test)
                o.orrery("stack", "oof=" + run, "run=" + run + "-stack", QUIET, ranks=ranks)
                for source in (run, run + "-stack"):
                    out = o.tmp(f"p{ranks}.csv")
                    o.orrery("predict", source, o.tmp(f"test-t{ranks}"), "out=" + out, "overwrite=true", QUIET, ranks=ranks)
                    with open(out) as f:
                        self.assertEqual(sum(1 for _ in f), n_test + 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
