"""Ids from the first reader to the last table: unsigned 64-bit ones survive import, predict, a
submission, a cross-validation and a stack digit for digit; what was rounded on its way is refused
wherever an id enters."""
import csv
import os
import shutil
import unittest

import h5py
import numpy as np
import orrery as o
import pandas
import sklearn
from astropy.table import Table
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

N = 40
QUIET = "runtime.progress=false"


def write_csv(name, rows):
    path = o.tmp(name)
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows(rows)
    return path


def read_csv(path):
    with open(path, newline="") as f:
        return list(csv.reader(f))


def survey(seed=1):
    rng = np.random.default_rng(seed)
    ids = (np.uint64(10255738055396171776) + np.arange(N, dtype=np.uint64) * np.uint64(1024)) | np.uint64(1)
    ids[::3] -= np.uint64(1 << 63)  # some fit an int64
    return rng.permutation(ids), rng.normal(size=(N, 2)).astype("f4"), np.arange(N) % 2


def files(ids, x, y, stem):
    """The same table in every form that holds unsigned ids; options of import for each."""
    t = Table({"objID": ids, "a": x[:, 0], "b": x[:, 1], "label": y.astype("i4")})
    t.write(o.tmp(stem + ".fits"), overwrite=True)
    write_csv(stem + ".csv", [["objID", "a", "b", "label"]] + [[i, f"{a:.9g}", f"{b:.9g}", k] for i, (a, b), k in zip(ids, x, y)])
    np.save(o.tmp(stem + "-rec.npy"), t.as_array())
    np.save(o.tmp(stem + "-x.npy"), x)
    np.save(o.tmp(stem + "-y.npy"), y)
    np.save(o.tmp(stem + "-id.npy"), ids)
    np.savez(o.tmp(stem + ".npz"), x=x, y=y, id=ids)
    with h5py.File(o.tmp(stem + ".h5"), "w") as f:
        f["x"], f["y"], f["id"] = x, y, ids
    columns = ["input.id=objID", "input.label=label", "input.features='a,b'", "input.shape=[2]"]
    named = ["input.id=id", "input.label=y"]
    return {".fits": columns, ".csv": columns, "-rec.npy": columns, ".npz": named, ".h5": named,
            "-x.npy": [f"input.id={o.tmp(stem + '-id.npy')}", f"input.label={o.tmp(stem + '-y.npy')}"]}


def ids_of(folder):
    with h5py.File(os.path.join(folder, "index.h5")) as f:
        return [i.decode() if isinstance(i, bytes) else str(i) for i in f["id"][:]]


class Unsigned(unittest.TestCase):
    def test_every_reader(self):
        ids, x, y = survey()
        for name, options in files(ids, x, y, "u").items():
            o.orrery("import", f"input.files={o.tmp('u' + name)}", *options, "out=" + o.tmp("set" + name), QUIET, ranks=2)
            self.assertEqual(ids_of(o.tmp("set" + name)), [str(i) for i in ids], name)

    def test_chain(self):
        ids, x, y = survey()
        want = [str(i) for i in ids]
        files(ids, x, y, "c")
        o.orrery("import", f"input.files={o.tmp('c.fits')}", "input.id=objID", "input.label=label", "input.features='a,b'", "input.shape=[2]",
                 "out=" + o.tmp("chain"), QUIET)
        groups = write_csv("groups.csv", [["id", "group"]] + [[i, k // 4] for k, i in enumerate(want)])
        job = o.write("cv.yaml", f"""
run: {o.tmp('cv')}
data: {{train: {o.tmp('chain')}, test: {o.tmp('chain')}, validation_fraction: 0, overlap: allow}}
model: {{layers: [linear: {{units: 1}}], {o.KERNELS.replace('=', ': ')}}}
train: {{epochs: 1, batch: 8, lr: 0.01}}
cv: {{folds: 2, kind: group, shuffle: false, groups: {groups}}}
runtime: {{progress: false, threads: 1}}
""")
        o.orrery("cv", job)
        with h5py.File(o.tmp("cv/oof.h5")) as f:
            self.assertEqual([i.decode() for i in f["id"][:]], want)
            self.assertEqual([i.decode() for i in f["test_id"][:]], want)
        self.assertEqual([r[0] for r in read_csv(o.tmp("cv/oof.csv"))[1:]], want)
        sample = write_csv("sample.csv", [["objID", "target"]] + [[i, 0] for i in want[::-1]])
        o.orrery("predict", o.tmp("cv"), o.tmp("chain"), "out=" + o.tmp("p.csv"), QUIET)
        self.assertEqual([r[0] for r in read_csv(o.tmp("p.csv"))[1:]], want)
        o.orrery("predict", o.tmp("cv"), o.tmp("chain"), "out=" + o.tmp("sub.csv"), "submission=" + sample, QUIET)
        got = read_csv(o.tmp("sub.csv"))
        self.assertEqual([r[0] for r in got[1:]], want[::-1])
        by_id = dict(read_csv(o.tmp("p.csv"))[k][::3] for k in range(1, N + 1))
        self.assertEqual([r[1] for r in got[1:]], [by_id[i] for i in want[::-1]])
        stack = o.write("stack.yaml", f"run: {o.tmp('stack')}\noof: [{o.tmp('cv')}]\nruntime: {{progress: false, threads: 1}}\n")
        o.orrery("stack", stack)
        self.assertEqual([r[0] for r in read_csv(o.tmp("stack/stack-oof.csv"))[1:]], want)
        self.assertEqual([r[0] for r in read_csv(o.tmp("stack/test.csv"))[1:]], want)


class Shared(unittest.TestCase):
    """Inputs of several files and tables: one id in two of them is refused; kinds of ids agree."""

    def test_inputs(self):
        for name, rows in (("s1", [[1, 1], [2, 2]]), ("s2", [["x", 3], [2, 4]]), ("s3", [["z", 3], ["10255738055396171776", 4]])):
            write_csv(name + ".csv", [["id", "a"]] + rows)

        def tables(*names):
            return "inputs=[" + ", ".join(f"{{files: {o.tmp(n + '.csv')}, id: id}}" for n in names) + "]"

        for how in (["input.files=[" + o.tmp("s1.csv") + ", " + o.tmp("s2.csv") + "]", "input.id=id"], [tables("s1", "s2")]):
            self.assertIn("id 2 stands twice in the set", o.orrery("import", *how, "out=" + o.tmp("no4"), QUIET, code=None, ranks=2).err)
        o.orrery("import", tables("s1", "s3"), "out=" + o.tmp("s13"), QUIET)
        self.assertEqual(ids_of(o.tmp("s13")), ["1", "2", "z", "10255738055396171776"])


class Overlap(unittest.TestCase):
    def test_other_types(self):
        """An id in two sets is the same whether they hold integers or, for another id's sake,
        texts."""
        rng = np.random.default_rng(5)
        for name, first in (("oa", 100), ("ob", 139)):  # 139 is in both
            ids = [str(first + i) for i in range(40)]
            if name == "ob":
                ids[7] = "10255738055396171776"
            path = write_csv(name + ".csv", [["id", "a", "b", "label"]] + [[i, *rng.normal(size=2), k % 2] for k, i in enumerate(ids)])
            o.orrery("import", f"input.files={path}", "input.id=id", "input.label=label", "input.features='a,b'", "input.shape=[2]", "out=" + o.tmp(name), QUIET)
        with h5py.File(o.tmp("oa/index.h5")) as a, h5py.File(o.tmp("ob/index.h5")) as b:
            self.assertEqual((a["id"].dtype.kind, b["id"].dtype.kind), ("i", "S"))
        job = o.write("ov.yaml", f"run: {o.tmp('ovrun')}\ndata: {{train: {o.tmp('oa')}, validation: {o.tmp('ob')}}}\n"
                      "model: {layers: [linear: {units: 1}]}\ntrain: {epochs: 1, batch: 8}\nruntime: {progress: false}\n")
        for ranks in (0, 2):
            self.assertIn("1 ids stand in more than one of the splits: 139", o.orrery("train", job, ranks=ranks, code=None).err)


class Rounded(unittest.TestCase):
    """Two of these share an id once they are float64."""
    IDS = np.array([1237600000000000123, 1237600000000000124, 1237600000000000900], dtype="i8")

    def setUp(self):
        self.x = np.arange(6, dtype="f4").reshape(3, 2)

    def refused(self, file, *options):
        err = o.orrery("import", f"input.files={file}", *options, "out=" + o.tmp("no"), QUIET, code=None)
        self.assertNotEqual(err.code, 0, file)
        self.assertIn("dtype=str", err.err, file)
        self.assertFalse(os.path.exists(o.tmp("no")))

    def test_import(self):
        columns = ["input.id=objID", "input.features='a,b'"]
        forms = {"d": self.IDS.astype("f8"), "e": self.IDS.astype("f4"), "small-e": np.array([1, 2, 2 ** 24], "f4")}
        for name, ids in forms.items():
            Table({"objID": ids, "a": self.x[:, 0], "b": self.x[:, 1]}).write(o.tmp(name + ".fits"), overwrite=True)
            self.refused(o.tmp(name + ".fits"), *columns)
            np.save(o.tmp(name + "-x.npy"), self.x)
            np.save(o.tmp(name + "-id.npy"), ids)
            self.refused(o.tmp(name + "-x.npy"), f"input.id={o.tmp(name + '-id.npy')}")
            np.savez(o.tmp(name + ".npz"), x=self.x, id=ids)
            self.refused(o.tmp(name + ".npz"), "input.id=id")
            with h5py.File(o.tmp(name + ".h5"), "w") as f:
                f["x"], f["id"] = self.x, ids
            self.refused(o.tmp(name + ".h5"), "input.id=id")
        for name, text in {"point": "{:.1f}", "exponent": "{:.2E}", "repr": "{!r}"}.items():
            for mark, ending in ((",", "csv"), ("\t", "tsv")):
                rows = [mark.join(["objID", "a", "b"])] + [mark.join([text.format(float(i)), "1", "2"]) for i in self.IDS]
                self.refused(o.write(f"{name}.{ending}", "\n".join(rows) + "\n"), *columns, "input.delimiter=auto")

    def test_said(self):
        """Whole numbers that a spreadsheet rounded are kept, and said; so is -1."""
        exact = [1237648704577142785 + 37 * i for i in range(30)]
        rounded = [int(f"{i:.14e}".replace("e+18", "").replace(".", "").ljust(19, "0")) for i in (float(e + 10 ** 6 * k) for k, e in enumerate(exact))]
        # specObjID: ten bits of zero, nothing lost
        spec = [299489677444933632 + 1024 * i for i in range(30)]
        for name, ids, said in (("exact", exact, False), ("rounded", rounded, True), ("spec", spec, False)):
            path = write_csv(f"said-{name}.csv", [["objID", "ra", "dec", "run", "camcol", "field", "rerun", "z"]] + [[i, 10 + k, 1, 1, 1, 1, 1, 0.1 * k] for k, i in enumerate(ids)])
            err = o.orrery("import", f"input.files={path}", "input.id=objID", "input.features='ra,dec'", "out=" + o.tmp("said-" + name), QUIET, ranks=2).err
            self.assertEqual("30 of 30 long ids end in 000" in err, said, name + err)
            self.assertEqual(ids_of(o.tmp("said-" + name)), [str(i) for i in ids])
            job = o.write("said.yaml", f"catalogue: {{file: {path}, target: z, bands: [r]}}\narchive: {{folder: {o.tmp('fr')}, url: 'http://127.0.0.1:9/{{field}}-{{band}}', retries: 1, backoff: 0}}\n")
            self.assertEqual("30 ids end in 000" in o.orrery("fetch", job, QUIET, code=None).err, said)
        path = write_csv("minus.csv", [["objID", "a"], [-1, 1], [5, 2]])
        self.assertIn("1 rows have the id -1", o.orrery("import", f"input.files={path}", "input.id=objID", "out=" + o.tmp("minus"), QUIET).err)

    def test_side_files(self):
        """Groups and sample submissions: a rounded id is named, not missed."""
        ids = [str(i) for i in self.IDS]
        set_csv = write_csv("exact.csv", [["objID", "a", "b", "label"]] + [[i, 1 + k, 2, k % 2] for k, i in enumerate(ids)])
        o.orrery("import", f"input.files={set_csv}", "input.id=objID", "input.label=label", "input.features='a,b'", "input.shape=[2]", "out=" + o.tmp("exact"), QUIET)
        Table({"id": self.IDS.astype("f8"), "group": [1, 2, 3]}).write(o.tmp("g.fits"), overwrite=True)
        job = o.write("g.yaml", f"""
run: {o.tmp('grun')}
data: {{train: {o.tmp('exact')}, validation_fraction: 0}}
model: {{layers: [linear: {{units: 1}}]}}
train: {{epochs: 1, batch: 2, leaves: 2}}
cv: {{folds: 2, kind: group, shuffle: false, groups: {o.tmp('g.fits')}}}
runtime: {{progress: false}}
""")
        self.assertIn("is a float64", o.orrery("cv", job, code=None).err)
        train = o.write("t.yaml", f"run: {o.tmp('trun')}\ndata: {{train: {o.tmp('exact')}, validation_fraction: 0}}\n"
                        "model: {layers: [linear: {units: 1}]}\ntrain: {epochs: 1, batch: 2, leaves: 2}\nruntime: {progress: false}\n")
        o.orrery("train", train)
        for cell, said in ((f"{float(self.IDS[0]):.1f}", "has a decimal point"), ("1.2376E+18", "has an exponent")):
            sample = write_csv("rounded.csv", [["objID", "y"]] + [[i, 0] for i in [cell] + ids[1:]])
            r = o.orrery("predict", o.tmp("trun"), o.tmp("exact"), "out=" + o.tmp("s.csv"), "submission=" + sample, code=None)
            self.assertIn(said, r.err)
            self.assertFalse(os.path.exists(o.tmp("s.csv")))


class Composite(unittest.TestCase):
    """Ids of several columns: in every reader, and carried to predictions, submissions and
    groups."""
    KEYS = ["run", "rerun", "camcol", "field", "id"]

    def setUp(self):
        rng = np.random.default_rng(4)
        self.keys = {"run": rng.integers(94, 96, N).astype("i4"), "rerun": np.full(N, 301, "i2"), "camcol": rng.integers(1, 7, N).astype("u1"),
                     "field": rng.integers(11, 13, N).astype("i2"), "id": np.arange(N, dtype="i8") - 3}
        self.want = [":".join(str(self.keys[k][i]) for k in self.KEYS) for i in range(N)]
        self.x, self.y = rng.normal(size=(N, 2)).astype("f4"), (np.arange(N) % 2).astype("i4")

    def tables(self, stem):
        t = Table({**self.keys, "a": self.x[:, 0], "b": self.x[:, 1], "label": self.y})
        t.write(o.tmp(stem + ".fits"), overwrite=True)
        t.write(o.tmp(stem + ".csv"), overwrite=True)
        t["id", "a", "label", "run", "field", "b", "camcol", "rerun"].write(o.tmp(stem + "-order.csv"), format="csv", overwrite=True)
        np.save(o.tmp(stem + "-rec.npy"), t.as_array())
        np.savez(o.tmp(stem + ".npz"), x=self.x, y=self.y, **self.keys)
        with h5py.File(o.tmp(stem + ".h5"), "w") as f:
            f["x"], f["y"] = self.x, self.y
            for k, v in self.keys.items():
                f[k] = v
        np.save(o.tmp(stem + "-x.npy"), self.x)
        for k, v in self.keys.items():
            np.save(o.tmp(f"{stem}-{k}.npy"), v)
        key = "input.id=[" + ", ".join(self.KEYS) + "]"
        columns = [key, "input.label=label", "input.features='a,b'", "input.shape=[2]"]
        return {".fits": columns, ".csv": columns, "-order.csv": columns, "-rec.npy": columns, ".npz": [key, "input.label=y"], ".h5": [key, "input.label=y"],
                "-x.npy": ["input.id=[" + ", ".join(o.tmp(f"{stem}-{k}.npy") for k in self.KEYS) + "]"]}

    def test_every_reader(self):
        for name, options in self.tables("k").items():
            o.orrery("import", f"input.files={o.tmp('k' + name)}", *options, "out=" + o.tmp("kset" + name), QUIET, ranks=2)
            self.assertEqual(ids_of(o.tmp("kset" + name)), self.want, name)

    def test_chain(self):
        options = self.tables("kc")[".fits"]
        o.orrery("import", f"input.files={o.tmp('kc.fits')}", *options, "out=" + o.tmp("kchain"), QUIET)
        Table({**self.keys, "group": np.arange(N) // 4}).write(o.tmp("kgroups.fits"), overwrite=True)
        job = o.write("kcv.yaml", f"""
run: {o.tmp('kcv')}
data: {{train: {o.tmp('kchain')}, validation_fraction: 0}}
model: {{layers: [linear: {{units: 1}}]}}
train: {{epochs: 1, batch: 8, lr: 0.01}}
cv: {{folds: 2, kind: group, shuffle: false, groups: {o.tmp('kgroups.fits')}, id_column: [run, rerun, camcol, field, id]}}
runtime: {{progress: false, threads: 1}}
""")
        o.orrery("cv", job)
        self.assertEqual([r[0] for r in read_csv(o.tmp("kcv/oof.csv"))[1:]], self.want)
        sample = write_csv("ksample.csv", [["key", "target"]] + [[i, 0] for i in self.want[::-1]])
        o.orrery("predict", o.tmp("kcv"), o.tmp("kchain"), "out=" + o.tmp("ksub.csv"), "submission=" + sample, QUIET)
        self.assertEqual([r[0] for r in read_csv(o.tmp("ksub.csv"))[1:]], self.want[::-1])

    def test_refused(self):
        def err(rows, *options):
            path = write_csv("part.csv", [["p", "q", "a"]] + rows)
            return o.orrery("import", f"input.files={path}", "input.features=a", *options, "out=" + o.tmp("no3"), QUIET, code=None).err

        self.assertIn("part.csv:3: column 2 (q): the id is empty", err([[1, 2, 3], [1, "", 3]], "input.id=[p, q]"))
        self.assertIn('column 1 (p): the id "1:2" has a : in it', err([["1:2", 2, 3]], "input.id=[p, q]"))
        self.assertIn("has a decimal point", err([["1237645876861337601.0", 2, 3]], "input.id=[p, q]"))
        self.assertIn("further columns be part of the id", err([[1, 2, 3], [1, 5, 4]], "input.id=p"))
        self.assertIn("id 1:2 stands twice", err([[1, 2, 3], [1, 2, 4]], "input.id=[p, q]"))
        self.assertIn("stands twice", err([[1, 2, 3]], "input.id=[p, p]"))
        self.assertIn('no column "r"', err([[1, 2, 3]], "input.id=[p, r]"))


class Groups(unittest.TestCase):
    """Groups rank as the columns that pandas reads: folds are scikit-learn's for them."""
    N = 150

    @classmethod
    def setUpClass(cls):
        cls.x = np.arange(2 * cls.N, dtype="f4").reshape(cls.N, 2)
        cls.y = np.arange(cls.N) % 2
        np.save(o.tmp("gx.npy"), cls.x)
        np.save(o.tmp("gy.npy"), cls.y)
        o.orrery("import", "input.files=" + o.tmp("gx.npy"), "input.label=" + o.tmp("gy.npy"), "out=" + o.tmp("gset"), QUIET)

    def folds(self, table, kind, shuffle="false", like="1.2", ranks=0):
        shutil.rmtree(o.tmp("gcv"), ignore_errors=True)
        job = o.write("gcv.yaml", f"""
run: {o.tmp('gcv')}
data: {{train: {o.tmp('gset')}, validation_fraction: 0}}
model: {{layers: [linear: {{units: 1}}]}}
train: {{epochs: 1, batch: 64, lr: 0.01}}
cv: {{folds: 3, kind: {kind}, shuffle: {shuffle}, seed: 5, groups: {table}, sklearn: {like}}}
runtime: {{progress: false, threads: 1}}
""")
        done = o.orrery("cv", job, ranks=ranks, code=None)
        if done.code:
            return done.err
        with h5py.File(o.tmp("gcv/oof.h5")) as f:
            have = np.empty(self.N, int)
            have[[int(i) for i in f["id"][:]]] = f["fold"][0]
        return have

    def names(self):
        rng = np.random.default_rng(3)
        g = rng.integers(0, 24, self.N)
        return {"integers": g, "negative": g - 12, "unsigned": np.uint64(2 ** 63 - 5) + g.astype("u8"), "floats": g / 4,
                "padded": np.array([f"{k:04d}" for k in g]), "texts": np.array([f"f{k}" for k in g]),
                "mixed": np.array([str(k) if k % 5 else f"x{k}" for k in g])}

    @unittest.skipUnless(sklearn.__version__.startswith("1.2."), "the oracle is scikit-learn 1.2")
    def test_against_sklearn(self):
        for what, g in self.names().items():
            path = o.tmp(what + ".csv")
            pandas.DataFrame({"id": np.arange(self.N), "group": g}).to_csv(path, index=False)
            for kind, cv in (("group", GroupKFold(3)), ("stratified-group", StratifiedGroupKFold(3)),
                             ("stratified-group", StratifiedGroupKFold(3, shuffle=True, random_state=5))):
                read = pandas.read_csv(path)["group"]
                want = np.empty(self.N, int)
                for f, (_, rows) in enumerate(cv.split(self.x, self.y, read)):
                    want[rows] = f
                have = self.folds(path, kind, "true" if cv.shuffle else "false", ranks=2 if what == "integers" else 0) if hasattr(cv, "shuffle") else self.folds(path, kind)
                np.testing.assert_array_equal(have, want, f"{what} {cv}")
            if what in ("integers", "unsigned", "texts"):
                Table({"id": np.arange(self.N), "group": g}).write(o.tmp(what + ".fits"), overwrite=True)
                np.testing.assert_array_equal(self.folds(o.tmp(what + ".fits"), "stratified-group", "true"), have, what)

    def test_versions(self):
        """Without a word, the folds are those of 1.9: ties by their rank, backwards."""
        g = np.arange(self.N) // 5
        path = o.tmp("ties.csv")
        pandas.DataFrame({"id": np.arange(self.N), "group": g}).to_csv(path, index=False)
        have = self.folds(path, "group", like="1.9")
        np.testing.assert_array_equal(have, (29 - g) % 3)
        self.assertIn("does not shuffle", self.folds(path, "group", "true", "1.2"))
        said = " ".join(o.orrery("cv", "--help").out.split())
        self.assertIn("index for index as scikit-learn (1.9, or what cv.sklearn says)", said)

    def test_two_ways(self):
        g = ["7" if k % 3 else "07" for k in range(self.N)]
        path = o.tmp("ways.csv")
        pandas.DataFrame({"id": np.arange(self.N), "group": g}).to_csv(path, index=False)
        self.assertIn("are one number, written in two ways", self.folds(path, "group"))


class Texts(unittest.TestCase):
    def test_as_written(self):
        """Ids that look alike stay apart and are printed as they were read."""
        ids = ["7", "007", "+7", "7.0", "-7", " x y ", "12e45", "1e18", "J0012.5+31", "18446744073709551616"]
        want = [i.strip() for i in ids]
        path = write_csv("texts.csv", [["id", "a", "b"]] + [[i, k, 1] for k, i in enumerate(ids)])
        o.orrery("import", f"input.files={path}", "input.id=id", "out=" + o.tmp("texts"), QUIET)
        self.assertEqual(ids_of(o.tmp("texts")), want)
        x = np.arange(20, dtype="f4").reshape(10, 2)
        for kind in ("U", "S"):
            np.savez(o.tmp(kind + ".npz"), x=x, id=np.array(ids, dtype=kind))
            o.orrery("import", f"input.files={o.tmp(kind + '.npz')}", "input.id=id", "out=" + o.tmp("set-" + kind), QUIET)
            self.assertEqual(ids_of(o.tmp("set-" + kind)), want)
        path = write_csv("twice.csv", [["id", "a"], ["7", 1], [" 7", 2]])
        self.assertIn("id 7 stands twice", o.orrery("import", f"input.files={path}", "input.id=id", "out=" + o.tmp("no2"), QUIET, code=None).err)

    def test_floats_that_lost_nothing(self):
        """A whole float below 2^53 is the whole number, in every binary form."""
        x = np.arange(6, dtype="f4").reshape(3, 2)
        ids = np.array([5, 2 ** 53 - 1, -3], "f8")
        Table({"objID": ids, "a": x[:, 0], "b": x[:, 1]}).write(o.tmp("whole.fits"), overwrite=True)
        np.savez(o.tmp("whole.npz"), x=x, id=ids)
        o.orrery("import", f"input.files={o.tmp('whole.fits')}", "input.id=objID", "out=" + o.tmp("w1"), QUIET)
        o.orrery("import", f"input.files={o.tmp('whole.npz')}", "input.id=id", "out=" + o.tmp("w2"), QUIET)
        for s in ("w1", "w2"):
            self.assertEqual(ids_of(o.tmp(s)), ["5", "9007199254740991", "-3"])


if __name__ == "__main__":
    unittest.main()
