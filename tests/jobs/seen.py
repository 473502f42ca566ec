"""Scores on samples that made the model are said to be too good: counted by id or by content,
whole sets and parts of them, one model, a cross-validation, a stack; an honest set is left
alone."""
import json
import unittest

import h5py
import numpy as np
import orrery as o

N = 120
COLUMNS = ["a", "b", "c"]


def table(name, rows, *args, columns=None, ids=True, label=True):
    """Rows by number: the same numbers, the same sample."""
    text = ("id," if ids else "") + ",".join(columns or COLUMNS) + (",kind" if label else "") + "\n"
    for i in rows:
        v = dict(zip(COLUMNS, np.random.default_rng(i).normal(size=3)))
        kind = int(v["a"] + v["b"] > 0)
        text += (f"obj{i}," if ids else "") + ",".join(f"{v[c]:.9g}" for c in columns or COLUMNS) + (f",{kind}" if label else "") + "\n"
    o.orrery("import", "input.files=" + o.write(name + ".csv", text), "out=" + o.tmp(name), "input.shape=[3]", "input.features='" + ",".join(columns or COLUMNS) + "'",
             *(["input.id=id"] if ids else []), *(["input.label=kind"] if label else []), *args)
    return o.tmp(name)


class Seen(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.train = table("train", range(N))
        cls.fresh = table("fresh", range(1000, 1060))
        cls.some = table("some", [*range(40), *range(2000, 2030)])
        body = f"""
data: {{train: {cls.train}, validation_fraction: 0.25}}
model: {{layers: [linear: {{units: 1}}], {o.KERNELS.replace("=", ": ")}}}
train: {{epochs: 2, batch: 16, leaves: 2, lr: 0.05}}
runtime: {{threads: 1, progress: false}}
"""
        o.orrery("train", o.write("run.yaml", f"run: {o.tmp('run')}" + body))
        o.orrery("cv", o.write("cv.yaml", f"run: {o.tmp('cv')}" + body + "cv: {folds: 3, seeds: [1, 2]}\n"))
        o.orrery("stack", o.write("stack.yaml", f"run: {o.tmp('stack')}\noof: [{o.tmp('cv')}]\nseeds: separate\ngrid: {{from: 1, to: 0.1, count: 3}}\nruntime: {{progress: false}}\n"))
        with h5py.File(o.tmp("train/index.h5")) as f:
            ids = [i.decode() for i in f["id"][:]]
        cls.validation = set()
        with open(o.tmp("run/predictions-validation.csv")) as f:
            cls.validation = {line.split(",")[0] for line in f.readlines()[1:]}
        cls.trained = set(ids) - cls.validation

    def evaluate(self, model, data, *args, ranks=0):
        r = o.orrery("evaluate", o.tmp(model), data, "format=json", o.KERNELS, "runtime.progress=false", *args, ranks=ranks)
        lines = [line for line in r.err.splitlines() if " warn " in line and "too good" in line]
        return json.loads(r.out).get("seen_in_training"), lines

    def test_own_training_set(self):
        seen, lines = self.evaluate("run", self.train)
        self.assertEqual(seen, {"trained": len(self.trained), "chose_epoch": len(self.validation), "estimated": False})
        self.assertEqual(len(lines), 1)
        self.assertIn(f"{len(self.trained)} of its {N} samples trained the model of", lines[0])
        self.assertIn(f"{len(self.validation)} chose the epoch", lines[0])

    def test_some_rows(self):
        want = {f"obj{i}" for i in range(40)}
        counts = {"trained": len(want & self.trained), "chose_epoch": len(want & self.validation), "estimated": False}
        for ranks in (0, 2) if o.MPIRUN else (0,):
            seen, lines = self.evaluate("run", self.some, ranks=ranks)
            self.assertEqual(seen, counts)
            self.assertEqual(len(lines), 1)
        # known again by what is in them: without ids, in another order, under other ids
        for name, more in (("no-ids", {"ids": False}), ("turned", {"columns": ["c", "a", "b"]}), ("turned-no-ids", {"columns": ["b", "c", "a"], "ids": False})):
            self.assertEqual(self.evaluate("run", table(name, [*range(40), *range(2000, 2030)], **more), "names=match")[0], counts, name)

    def test_same_objects_with_other_numbers(self):
        """The id is enough: the same objects, measured anew."""
        text = "id,a,b,c,kind\n" + "".join(f"obj{i},{i % 7},{i % 5},1,{i % 2}\n" for i in range(30))
        o.orrery("import", "input.files=" + o.write("anew.csv", text), "out=" + o.tmp("anew"), "input.shape=[3]", "input.features='a,b,c'", "input.id=id", "input.label=kind")
        seen, _ = self.evaluate("run", o.tmp("anew"))
        self.assertEqual(seen["trained"] + seen["chose_epoch"], 30)

    def test_honest(self):
        for model in ("run", "cv", "stack"):
            self.assertEqual(self.evaluate(model, self.fresh), (None, []))

    def test_cross_validation_and_stack(self):
        """Each row made two of three folds' models: trained them, or chose their epochs."""
        trained = None
        for model in ("cv", "stack"):
            for ranks in (0, 3) if o.MPIRUN else (0,):
                seen, lines = self.evaluate(model, self.some, ranks=ranks)
                self.assertEqual(seen["trained"] + seen["chose_epoch"], 40)
                trained = trained or seen["trained"]
                self.assertEqual(seen["trained"], trained)
                self.assertIn(f"{trained} of its 70 samples trained its models of", lines[0])

    def test_predict(self):
        r = o.orrery("predict", o.tmp("run"), self.some, "out=" + o.tmp("p.csv"), o.KERNELS)
        self.assertIn("too good", r.err)
        bare = table("bare", range(40), label=False)
        r = o.orrery("predict", o.tmp("run"), bare, "out=" + o.tmp("q.csv"), o.KERNELS)
        self.assertNotIn("too good", r.err)

    def test_the_file_does_not_depend_on_ranks(self):
        if o.MPIRUN:
            o.orrery("train", o.tmp("run.yaml"), "run=" + o.tmp("two"), ranks=2)
            self.assertEqual(o.sha(o.tmp("two/model.h5")), o.sha(o.tmp("run/model.h5")))
        with h5py.File(o.tmp("run/model.h5")) as f:
            self.assertEqual([f["seen"][k].shape[0] for k in ("trained_ids", "chose_ids", "trained_content", "chose_content")],
                             [len(self.trained), len(self.validation)] * 2)


if __name__ == "__main__":
    unittest.main()
