"""predict with submission=sample_submission.csv: the sample's header, ids and order with the
numbers that predict writes without it, and a refusal of every sample that does not fit, before any
work and with nothing written."""
import csv
import os
import unittest

import h5py
import numpy as np
import orrery as o

NAMES = ["star", "galaxy", "qso, faint"]


def rows_of(path):
    with open(path, newline="") as f:
        return list(csv.reader(f))


def put(name, rows):
    path = o.tmp(name)
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows(rows)
    return path


def dataset(name, n, y, *args, ids="t", given=True):
    rng = np.random.default_rng(len(name))
    text = "name,a,b" + "".join(f",y{k}" for k in range(y.shape[1])) + "\n"
    for i in range(n):
        text += f"{ids}{i * 37 % 1000 + 1}," + ",".join(f"{v:.9g}" for v in [*rng.normal(size=2), *y[i]]) + "\n"
    o.orrery("import", "input.files=" + o.write(name + ".csv", text), "input.features='a,b'", "input.shape=[2]", "out=" + o.tmp(name),
             *(["input.id=name"] if given else []), *args)
    return o.tmp(name)


def train(name, data, outputs, extra=""):
    job = o.write(name + ".yaml", f"""
run: {o.tmp(name)}
data: {{train: {data}}}
model: {{layers: [linear: {{units: {outputs}}}], {o.KERNELS.replace('=', ': ')}}}
train: {{epochs: 1, batch: 16{extra}}}
runtime: {{progress: false}}
""")
    o.orrery("train", job)
    return o.tmp(name)


class Submission(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rng = np.random.default_rng(1)
        cls.n = 90
        label = (np.arange(cls.n) % 3)[:, None]
        cls.two = dataset("two", cls.n, label % 2, "input.label=y0", "input.class_names=[planet, nothing]")
        cls.three = dataset("three", cls.n, label, "input.label=y0", f"input.class_names=[{NAMES[0]}, {NAMES[1]}, '{NAMES[2]}']")
        cls.plain = dataset("plain", cls.n, label, "input.label=y0", ids="")
        cls.values = dataset("values", cls.n, rng.uniform(0.1, 0.9, (cls.n, 2)), "input.target=[y0, y1]")
        cls.redshift = dataset("redshift", cls.n, rng.uniform(0.1, 0.9, (cls.n, 1)), "input.target=[y0]")
        cls.ids = [f"t{i * 37 % 1000 + 1}" for i in range(cls.n)]
        cls.runs = {"two": train("run-two", cls.two, 1), "three": train("run-three", cls.three, 3), "plain": train("run-plain", cls.plain, 3),
                    "values": train("run-values", cls.values, 2),
                    "redshift": train("run-redshift", cls.redshift, 10, ", bins: {count: 10, min: 0, max: 1}")}

    def shuffled(self, ids=None):
        ids = list(self.ids if ids is None else ids)
        np.random.default_rng(7).shuffle(ids)
        return ids

    def sample(self, header, ids=None, name="sample.csv"):
        return put(name, [header, *([i, *["0.5"] * (len(header) - 1)] for i in (self.shuffled() if ids is None else ids))])

    def submit(self, kind, sample, *args, ranks=0):
        """(header, {id: texts}, log), with the sample's order checked."""
        out = o.tmp("submission.csv")
        r = o.orrery("predict", self.runs[kind], getattr(self, kind), "out=" + out, "submission=" + sample, "overwrite=true", o.KERNELS, *args, ranks=ranks)
        have, want = rows_of(out), rows_of(sample)
        self.assertEqual(have[0], want[0])
        self.assertEqual([row[0] for row in have], [row[0] for row in want])
        self.assertFalse(os.path.exists(out + ".tmp"))
        with open(out, newline="") as f:
            self.assertNotIn("\r", f.read())
        return {row[0]: row[1:] for row in have[1:]}, r.err

    def answers(self, kind):
        """{id: row} of predict's own csv, and its p."""
        for form in ("csv", "h5"):
            o.orrery("predict", self.runs[kind], getattr(self, kind), "out=" + o.tmp("own." + form), "overwrite=true", o.KERNELS)
        rows = rows_of(o.tmp("own.csv"))
        with h5py.File(o.tmp("own.h5")) as f:
            p, ids = f["p"][:], [i.decode() for i in f["id"][:]]
        self.assertEqual([r[0] for r in rows[1:]], ids)
        return {r[0]: dict(zip(rows[0], r)) for r in rows[1:]}, dict(zip(ids, p))

    def refused(self, words, sample, *args, kind="two", code=1, out="refused.csv"):
        path = o.tmp(out)
        for n in (0, 2) if o.MPIRUN else (0,):
            r = o.orrery("predict", self.runs[kind], getattr(self, kind), "out=" + path, "submission=" + sample, o.KERNELS, *args, ranks=n, code=code)
            lines = [line for line in r.err.splitlines() if line.startswith("orrery")]
            self.assertEqual(len(lines), 1, r.err)
            for word in words:
                self.assertIn(word, lines[0])
            self.assertNotIn("predict: ", r.err.replace(lines[0], ""), "refused before the work")
            self.assertFalse(os.path.exists(path) or os.path.exists(path + ".tmp"))
        return lines[0]

    # ---- what is written ----
    def test_two_classes(self):
        own, p = self.answers("two")
        got, log = self.submit("two", self.sample(["kepid", "P(planet), \"calibrated\""]))
        self.assertEqual(got, {i: [own[i]["probability"]] for i in self.ids})
        self.assertEqual({i: np.float32(v[0]) for i, v in got.items()}, {i: np.float32(p[i][1]) for i in self.ids})
        self.assertGreater(len({v[0] for v in got.values()}), self.n // 2)
        self.assertNotIn("class", log)
        # a column that bears the name of the other class
        got, log = self.submit("two", self.sample(["kepid", "planet"]))
        self.assertEqual({i: np.float32(v[0]) for i, v in got.items()}, {i: np.float32(p[i][0]) for i in self.ids})
        self.assertIn("probability of class planet", log)
        got, _ = self.submit("two", self.sample(["kepid", "nothing"]))
        self.assertEqual(got, {i: [own[i]["probability"]] for i in self.ids})
        # both
        got, _ = self.submit("two", self.sample(["kepid", "nothing", "Planet"]))
        self.assertEqual({i: [np.float32(v) for v in row] for i, row in got.items()}, {i: [np.float32(p[i][1]), np.float32(p[i][0])] for i in self.ids})

    def test_three_classes(self):
        _, p = self.answers("three")
        for header, order, log in ((["id", "galaxy", NAMES[2], "star"], [1, 2, 0], None), (["id", "GALAXY", "Star", NAMES[2]], [1, 0, 2], None),
                                   (["id", "c0", "c1", "c2"], [0, 1, 2], "order of the classes: star, galaxy, qso, faint"),
                                   (["id", "galaxy"], [1], "probability of class galaxy")):
            got, said = self.submit("three", self.sample(header))
            self.assertEqual({i: [np.float32(v) for v in row] for i, row in got.items()},
                             {i: [np.float32(p[i][k]) for k in order] for i in self.ids}, header)
            self.assertIn(log or "", said)
            self.assertEqual("order of the classes" in said, log is not None and "order" in log)

    def test_named_class(self):
        own, _ = self.answers("three")
        got, _ = self.submit("three", self.sample(["id", "class"]), "submission_as=class")
        self.assertEqual(got, {i: [own[i]["predicted"]] for i in self.ids})
        for threshold in ("0.3", "0.5", "0.7"):
            o.orrery("predict", self.runs["two"], self.two, "out=" + o.tmp("t.csv"), "overwrite=true", "threshold=" + threshold, o.KERNELS)
            rows = rows_of(o.tmp("t.csv"))
            got, _ = self.submit("two", self.sample(["id", "class"]), "submission_as=class", "threshold=" + threshold)
            self.assertEqual(got, {r[0]: [r[rows[0].index("predicted")]] for r in rows[1:]})

    def test_values_and_densities(self):
        own, _ = self.answers("values")
        for header, order, log in ((["id", "y1", "y0"], [1, 0], False), (["id", "u", "v"], [0, 1], True)):
            got, said = self.submit("values", self.sample(header))
            self.assertEqual(got, {i: [own[i][f"value_y{k}"] for k in order] for i in self.ids})
            self.assertEqual("order of the targets: y0, y1" in said, log)
        own, _ = self.answers("redshift")
        got, _ = self.submit("redshift", self.sample(["id", "z"]))
        self.assertEqual(got, {i: [own[i]["value_y0"]] for i in self.ids})

    def test_ids_that_are_numbers(self):
        ids = [i[1:] for i in self.ids]
        own, p = self.answers("plain")
        got, _ = self.submit("plain", self.sample(["ImageId", "2", "1", "0"], self.shuffled(ids)))
        self.assertEqual({i: [np.float32(v) for v in row] for i, row in got.items()}, {i: [np.float32(v) for v in p[i][::-1]] for i in ids})
        got, _ = self.submit("plain", self.sample(["ImageId", "Label"], self.shuffled(ids)), "submission_as=class")
        self.assertEqual(got, {i: [own[i]["predicted"]] for i in ids})

    def test_ranks_and_line_ends(self):
        sample = self.sample(["id", "p"])
        self.submit("two", sample)
        first = o.sha(o.tmp("submission.csv"))
        for n in (1, 2, 3) if o.MPIRUN else ():
            self.submit("two", sample, ranks=n)
            self.assertEqual(o.sha(o.tmp("submission.csv")), first)
        with open(sample, newline="") as f:
            text = f.read()
        for other in (text.replace("\r\n", "\n"), "\ufeff" + text, text.rstrip(), text + "\r\n\r\n"):
            with open(o.tmp("other.csv"), "w", newline="", encoding="utf-8") as f:
                f.write(other)
            o.orrery("predict", self.runs["two"], self.two, "out=" + o.tmp("submission.csv"), "submission=" + o.tmp("other.csv"), "overwrite=true", o.KERNELS)
            self.assertEqual(o.sha(o.tmp("submission.csv")), first)

    def test_many_ids(self):
        """More rows than are read at a time."""
        n = 9000
        rng = np.random.default_rng(4)
        x = rng.normal(size=(n, 2))
        text = "name,a,b\n" + "".join(f"m{i},{x[i, 0]:.6g},{x[i, 1]:.6g}\n" for i in range(n))
        o.orrery("import", "input.files=" + o.write("many.csv", text), "input.features='a,b'", "input.shape=[2]", "input.id=name", "out=" + o.tmp("many"))
        self.many, self.runs["many"] = o.tmp("many"), self.runs["two"]
        own, _ = self.answers("many")
        got, _ = self.submit("many", self.sample(["id", "p"], self.shuffled(f"m{i}" for i in range(n))))
        self.assertEqual(got, {i: [r["probability"]] for i, r in own.items()})
        self.refused(["8192 (m", ", ...)"], self.sample(["id", "p"], [f"m{i}" for i in range(n - 8192)]), kind="many")

    # ---- what is refused ----
    def test_ids_that_differ(self):
        ids = self.shuffled()
        said = self.refused(["ids of", "missing in it: 2 (", "sample.csv", "two"], self.sample(["id", "p"], [i for i in ids if i not in ("t1", "t38")]))
        self.assertIn("(t1, t38)", said)
        self.assertNotIn("does not have", said)
        said = self.refused(["does not have: 1 (x9)"], self.sample(["id", "p"], ids[:5] + ["x9"] + ids[5:]))
        self.assertNotIn("missing in it", said)
        # as many, others
        said = self.refused(["missing in it: 5 (", "does not have: 5 (n0, n1, n2, ...)"], self.sample(["id", "p"], [f"n{i}" for i in range(5)] + ids[5:]))
        self.refused(["id t38 stands twice", "rows 90 and 91"], self.sample(["id", "p"], [i for i in ids if i != "t38"] + ["t38", "t38"]))
        # one id twice instead of another
        self.refused(["id t1 stands twice"], self.sample(["id", "p"], [i if i != "t38" else "t1" for i in ids]))
        self.refused(["row 3 has no id", "kepid"], self.sample(["kepid", "p"], ids[:2] + [""] + ids[2:]))
        rows = dataset("numbered", 30, np.zeros((30, 1)) + np.arange(30)[:, None] % 2, "input.label=y0", given=False)
        self.numbered, self.runs["numbered"] = rows, self.runs["two"]
        self.refused(["row numbers", "input.id", "missing in it: 30 (0, 1, 2, ...)"], self.sample(["id", "p"]), kind="numbered")

    def test_columns_that_do_not_fit(self):
        self.refused(["one column"], self.sample(["id"]))
        self.refused(["3 columns", "2 (probabilities", "one for the positive class"], self.sample(["id", "a", "b", "c"]))
        self.refused(["probabilities of 3 classes", "submission_as=class"], self.sample(["id", "p"]), kind="three")
        self.refused(["2 columns", "3 (probabilities"], self.sample(["id", "star", "galaxy"]), kind="three")
        self.refused(["\"galxy\"", "no class"], self.sample(["id", "star", "galxy", NAMES[2]]), kind="three")
        self.refused(["\"star\" and \"STAR\"", "same class"], self.sample(["id", "star", "STAR", "galaxy"]), kind="three")
        self.refused(["\"y2\"", "no target"], self.sample(["id", "y1", "y2"]), kind="values")
        self.refused(["1 columns", "2 (its values)"], self.sample(["id", "y1"]), kind="values")
        self.refused(["10 columns", "mean of its density"], self.sample(["id", *(f"b{i}" for i in range(10))]), kind="redshift")
        self.refused(["3 columns", "the named class"], self.sample(["id", *NAMES]), "submission_as=class", kind="three")
        self.refused(["submission_as=class", "values"], self.sample(["id", "z"]), "submission_as=class", kind="redshift", code=2)

    def test_samples_that_are_none(self):
        self.refused(["no rows"], o.write("header.csv", "id,p\n"))
        self.refused(["empty.csv"], o.write("empty.csv", ""))
        self.refused(["nowhere.csv"], o.tmp("nowhere.csv"))
        self.refused(["ragged.csv:3"], o.write("ragged.csv", "id,p\nt1,0\nt38\n"))
        self.refused(["no names of columns"], o.write("nameless.csv", "1,0\n2,0\n"))

    def test_output(self):
        sample = self.sample(["id", "p"])
        for name in ("refused.npy", "refused.h5"):
            self.refused([name, ".csv"], sample, code=2, out=name)
        before = o.sha(sample)
        args = ["predict", self.runs["two"], self.two, "out=" + sample, "submission=" + sample, o.KERNELS]
        self.assertIn("sample submission itself", o.orrery(*args, "overwrite=true", code=2).err)
        self.assertIn("exists", o.orrery(*args, code=1).err)
        self.assertEqual(o.sha(sample), before)
        there = o.write("there.csv", "mine")
        self.assertIn("exists", o.orrery("predict", self.runs["two"], self.two, "out=" + there, "submission=" + sample, o.KERNELS, code=1).err)
        # a refusal leaves what was there
        bad = self.sample(["id", "p"], self.ids[1:], "bad.csv")
        o.orrery("predict", self.runs["two"], self.two, "out=" + there, "submission=" + bad, "overwrite=true", o.KERNELS, code=1)
        with open(there) as f:
            self.assertEqual(f.read(), "mine")
        self.assertIn("needs submission", o.orrery("predict", self.runs["two"], self.two, "out=" + o.tmp("n.csv"), "submission_as=class", code=2).err)


if __name__ == "__main__":
    unittest.main()
