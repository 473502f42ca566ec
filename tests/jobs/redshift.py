"""What a target is, is said by a key and by nothing else: in every form of file, with names and
without, scores of dz come with target_kind redshift, and with no name."""
import json
import os
import unittest

import h5py
import numpy as np
import orrery as o
from astropy.table import Table

N = 60
rng = np.random.default_rng(5)
X = rng.normal(size=(N, 3)).astype("f4")
Z = rng.uniform(0.1, 0.4, N).astype("f4")


def forms():
    """(name, files and keys of import); the target is called z where it has a name."""
    rows = np.column_stack([X, Z])
    np.savetxt(o.tmp("named.csv"), rows, delimiter=",", header="a,b,c,z", comments="", fmt="%.9g")
    np.savetxt(o.tmp("bare.csv"), rows, delimiter=",", fmt="%.9g")
    Table(rows, names=["a", "b", "c", "z"]).write(o.tmp("t.fits"), overwrite=True)
    np.save(o.tmp("x.npy"), X)
    np.save(o.tmp("z.npy"), Z)
    np.save(o.tmp("records.npy"), np.rec.fromarrays([*X.T, Z], names=["a", "b", "c", "z"]))
    np.savez(o.tmp("both.npz"), x=X, z=Z)
    with h5py.File(o.tmp("t.h5"), "w") as f:
        f["x"], f["z"] = X, Z
    table = ["input.features='a,b,c'", "input.target=z", "input.shape=[3]"]
    return [
        ("csv", ["input.files=" + o.tmp("named.csv"), *table]),
        ("csv-label", ["input.files=" + o.tmp("named.csv"), "input.label=z", "input.label_kind=value", "input.features='a,b,c'"]),
        ("no-header", ["input.files=" + o.tmp("bare.csv"), "input.header=no", "input.target=4", "input.features='1-3'"]),
        ("fits", ["input.files=" + o.tmp("t.fits"), *table]),
        ("records", ["input.files=" + o.tmp("records.npy"), *table]),
        ("npy", ["input.files=" + o.tmp("x.npy"), "input.label=" + o.tmp("z.npy"), "input.label_kind=value"]),
        ("npz", ["input.files=" + o.tmp("both.npz"), "input.features=x", "input.label=z", "input.label_kind=value"]),
        ("hdf5", ["input.files=" + o.tmp("t.h5"), "input.features=x", "input.label=z", "input.label_kind=value"]),
    ]


def train(data, run, *args):
    job = o.write("job.yaml", f"""
run: {run}
data: {{train: {data}, validation_fraction: 0.4}}
model: {{layers: [flatten, linear: {{units: 1}}], {o.KERNELS.replace("=", ": ")}}}
train: {{epochs: 1, batch: 12, leaves: 2, lr: 0.05, loss: mse}}
runtime: {{progress: false}}
""")
    r = o.orrery("train", job, *args)
    with open(os.path.join(run, "report.json")) as f:
        return json.load(f)["validation"], r.err


class Redshift(unittest.TestCase):
    def test_every_form(self):
        for name, keys in forms():
            for kind in ("unsaid", "value", "redshift"):
                data, run = o.tmp(f"{name}-{kind}"), o.tmp(f"run-{name}-{kind}")
                o.orrery("import", *keys, "input.target_kind=" + kind, "out=" + data)
                scores, said = train(data, run)
                with self.subTest(name=name, kind=kind):
                    self.assertEqual("eta" in scores, kind == "redshift")
                    named = name in ("csv", "csv-label", "fits", "records")
                    self.assertEqual("the target is called z and is scored as a value" in said, kind == "unsaid" and named)
                    again = json.loads(o.orrery("evaluate", run, data, "format=json", o.KERNELS).out)
                    self.assertEqual("eta" in again, kind == "redshift")

    def test_by_the_job(self):
        """Sets and models that do not say it."""
        keys = dict(forms())["csv"]
        o.orrery("import", *keys, "out=" + o.tmp("old"))
        scores, _ = train(o.tmp("old"), o.tmp("run-old"), "data.target_kind=redshift", "train.select=eta")
        self.assertIn("eta", scores)
        train(o.tmp("old"), o.tmp("run-plain"))
        plain = json.loads(o.orrery("evaluate", o.tmp("run-plain"), o.tmp("old"), "format=json", o.KERNELS).out)
        dz = json.loads(o.orrery("evaluate", o.tmp("run-plain"), o.tmp("old"), "format=json", "target_kind=redshift", o.KERNELS).out)
        o.orrery("predict", o.tmp("run-plain"), o.tmp("old"), "out=" + o.tmp("p.npy"), o.KERNELS)
        d = np.load(o.tmp("p.npy"))[:, 0].astype(float) - Z
        self.assertAlmostEqual(plain["bias"], d.mean(), places=6)
        self.assertAlmostEqual(dz["bias"], (d / (1 + Z.astype(float))).mean(), places=6)

    def test_refusals(self):
        for keys, word in ((["input.label=4", "input.classes=[x]"], "the label is a class"), (["input.target=[3, 4]"], "there are several"), ([], "there is none")):
            r = o.orrery("import", "input.files=" + o.tmp("bare.csv"), "input.header=no", "input.features='1-2'", *keys, "input.target_kind=redshift", "out=" + o.tmp("never"), code=None)
            self.assertNotEqual(r.code, 0)
            self.assertIn(word, r.err)

    @classmethod
    def setUpClass(cls):
        forms()


if __name__ == "__main__":
    unittest.main()
