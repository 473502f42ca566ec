"""What import takes for a column, a class, an axis: put right, refused by name, or said in one
line, in every form of file. numpy, h5py and astropy write the files and read the sets."""
import gzip
import itertools
import json
import os
import unittest

import h5py
import numpy as np
import orrery as o
from astropy.io import fits
from astropy.table import Table


def contents(out):
    with h5py.File(os.path.join(out, "index.h5")) as f:
        s = {k: f[k][:] for k in ("x", "y", "id", "aux") if k in f}
        s["classes"] = [c.decode() if isinstance(c, bytes) else c for c in f.attrs.get("class_names", [])]
        s["n_classes"] = int(f.attrs.get("n_classes", 0))
        s["provenance"] = json.loads(f.attrs["provenance"])
    s["x"] = s["x"].reshape(len(s["x"]), -1) if s["x"].ndim < 4 else s["x"]
    return s


class Importing(unittest.TestCase):
    def setUp(self):
        self.dir = o.tmp(self.id().rsplit(".", 1)[1])
        os.makedirs(self.dir, exist_ok=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def file(self, name, text):
        with open(self.path(name), "w", newline="", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def run_import(self, *line, ranks=0, code=0):
        return o.orrery("import", *line, "out=" + self.path("set"), "overwrite=true", ranks=ranks, code=code)

    def imported(self, *line, says=(), ranks=(0, 3)):
        """The set that is made, the same on one rank and several; `says` stand in what was
        printed."""
        trees = []
        for n in ranks if o.MPIRUN else (0,):
            r = self.run_import(*line, ranks=n)
            for word in says:
                self.assertIn(word, r.out + r.err)
            trees.append(o.tree(self.path("set")))
            self.assertEqual(trees[0], trees[-1])
        return contents(self.path("set"))

    def refused(self, *words, line, ranks=(0,)):
        for n in ranks:
            r = self.run_import(*line, ranks=n, code=None)
            self.assertIn(r.code, (1, 2), r.out + r.err)
            for word in words:
                self.assertIn(word, r.err)

    # ---- files of another kind than they seem ----

    def test_image_as_table(self):
        image = np.arange(600, dtype="f4").reshape(20, 30)
        fits.writeto(self.path("a.fits"), image, overwrite=True)
        with open(self.path("a.fits"), "rb") as f:
            data = f.read()
        with gzip.open(self.path("a.fits.gz"), "wb") as f:
            f.write(data)
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, name="SCI")]).writeto(self.path("b.fits"), overwrite=True)
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image.astype("i2"), name="SCI")]).writeto(self.path("c.fits.fz"), overwrite=True)
        for name in ("a.fits", "a.fits.gz", "b.fits", "c.fits.fz"):
            self.refused(name, "no binary table", "an image of 30 x 20", line=["input.files=" + self.path(name)])
        fits.HDUList([fits.PrimaryHDU(image), fits.BinTableHDU(Table({"a": [0.5, 2], "b": [3, 4.5]}))]).writeto(self.path("d.fits"), overwrite=True)
        self.assertEqual(self.imported("input.files=" + self.path("d.fits"))["x"].tolist(), [[0.5, 3], [2, 4.5]])
        self.refused("no binary table \"0\"; there are: 1; and an image of 30 x 20 in extension 0", line=["input.files=" + self.path("d.fits"), "input.table=0"])

    def test_sums_of_a_fits_table(self):
        """A table that has not the sums it notes is read, and said."""
        table = fits.BinTableHDU(Table({"a": [0.5, 2, 7], "b": [3, 4.5, 9]}))
        heap = fits.BinTableHDU.from_columns([fits.Column("v", "PE()", array=np.array([np.arange(3.0), np.arange(5.0)], dtype=object))], name="OTHER")
        fits.HDUList([fits.PrimaryHDU(), heap, table]).writeto(self.path("t.fits"), overwrite=True, checksum=True)
        with open(self.path("t.fits"), "rb") as f:
            raw = f.read()
        at = raw.rindex(np.array([0.5], ">f8").tobytes())
        variants = {"": raw, "does not have the DATASUM": raw[:at] + np.array([0.25], ">f8").tobytes() + raw[at + 8:],
                    "edited since its CHECKSUM": raw.replace(b"'b       '", b"'c       '")}
        for what, content in variants.items():
            with open(self.path("v.fits"), "wb") as f:
                f.write(content)
            r = self.run_import("input.files=" + self.path("v.fits"), "input.table=2")
            self.assertEqual("SUM" in r.err, bool(what), r.err)
            self.assertIn(what, r.err)
            self.assertEqual(contents(self.path("set"))["x"].shape, (3, 2))

    def test_other_ending(self):
        fits.BinTableHDU(Table({"a": [0.5, 2]})).writeto(self.path("a.fits"), overwrite=True)
        np.save(self.path("a.npy"), np.ones((3, 2)))
        np.savez(self.path("a.npz"), x=np.ones((3, 2)))
        with h5py.File(self.path("a.h5"), "w") as f:
            f["x"] = np.ones((3, 2))
        for name, format in (("a.fits", "fits"), ("a.npy", "npy"), ("a.npz", "npz"), ("a.h5", "hdf5")):
            for ending in {".csv", ".fits", ".npy", ".npz", ".h5"} - {name[1:]}:
                other = self.path("other" + ending)
                with open(self.path(name), "rb") as a, open(other, "wb") as b:
                    b.write(a.read())
                self.refused(other, "its first bytes are those of " + format, line=["input.files=" + other])
                self.imported("input.files=" + other, "input.format=" + format, ranks=(0,))

    # ---- headers ----

    def test_comments_before_the_header(self):
        rows = "objID,z,ra\n1237648704577142785,0.25,150.5\n1237648704577142786,0.5,150.25\n"
        for top, mark, end in itertools.product(("#Table1\n", "#Table1\n# more, of, it\n", "\n  # Table1\n\n", "#\n", "#Table1,,\n", ""), ("", "\ufeff"), ("\n", "\r\n")):
            s = self.imported("input.files=" + self.file("t.csv", mark + (top + rows).replace("\n", end)), "input.id=objID", "input.target=z", ranks=(0,))
            self.assertEqual(s["id"].tolist(), [1237648704577142785, 1237648704577142786])
            self.assertEqual((s["x"].tolist(), s["y"].reshape(-1).tolist()), ([[150.5], [150.25]], [0.25, 0.5]))
        for top in ("Table1", "\"#Table1\"", "// Table 1", "%Table1", "! Table1", "sep=,"):
            self.refused("no column \"objID\" for input.id; the columns are \"" + top.split(",")[0].replace('"', ""),
                         line=["input.files=" + self.file("t.csv", top + "\n" + rows), "input.id=objID", "input.target=z"])

    # ---- what rest takes ----

    def forms(self, table):
        """The same columns in every form: csv, packed csv, FITS, npy of a structured type."""
        table.write(self.path("t.csv"), overwrite=True)
        with open(self.path("t.csv"), "rb") as f, gzip.open(self.path("t.tsv.gz"), "wb") as g:
            g.write(f.read().replace(b",", b"\t"))
        fits.BinTableHDU(table).writeto(self.path("t.fits"), overwrite=True)
        np.save(self.path("t.npy"), table.as_array())
        for name in ("t.csv", "t.tsv.gz", "t.fits", "t.npy"):
            yield ["input.files=" + self.path(name), "input.delimiter=" + ("\\t" if "tsv" in name else ",")]

    def test_id_among_the_rest(self):
        r, n = np.random.default_rng(3), 60
        y, a, b = np.arange(n) % 2, r.normal(size=n), r.integers(0, 9, n)
        ids = 1237648704577142785 + np.arange(n) * 7
        cases = {"step": (np.arange(n), "column 1 (step) counts the rows"), "star": (100 + r.permutation(n), "column 1 (star) holds whole numbers, each once"),
                 "big": (ids, "column 1 (big) holds whole numbers, each once"), "objID": (ids // 1000, "column 1 (objID) looks like an id"),
                 "source_id": (b, "column 1 (source_id) looks like an id"), "float": (100.0 + r.permutation(n), "column 1 (float) holds whole numbers, each once")}
        for name, (values, why) in cases.items():
            for line in self.forms(Table({name: values, "y": y, "a": a, "b": b})):
                self.refused(why, "features are the rest", line=line + ["input.label=y"], ranks=(0, 2) if name == "step" else (0,))
                self.refused(why, line=line + ["input.label=y", "input.shape=[3]"])
                for features in ("1,3,4", "a,b," + name, "3-", "a,b"):  # named: taken or left out
                    s = self.imported(*line, "input.label=y", "input.features=" + features, ranks=(0,))
                    self.assertEqual(s["x"].shape[1], len(features.split(",")) if "-" not in features else 2)
                s = self.imported(*line, "input.label=y", "input.id=1", ranks=(0,)) if len(set(values)) == n and values.dtype.kind == "i" else None
                if s:
                    self.assertEqual(s["id"].tolist(), values.tolist())
        for name in ("centroid", "grid", "asteroid", "void"):  # no ids
            for line in self.forms(Table({name: b, "y": y, "a": a})):
                self.imported(*line, "input.label=y", ranks=(0,))

    def test_further_columns_are_said(self):
        n = np.arange(30)
        for line in self.forms(Table({"a": n / 7, "y": n % 2, "step": n * 3})):
            self.imported(*line, "input.label=y", says=["warn", "column 3 (step): whole numbers, each once"], ranks=(0,))

    def test_columns_without_names(self):
        for name in ("", "Unnamed: 0", "Unnamed: 0.1"):
            line = ["input.files=" + self.file("t.csv", f"{name},y,a\n0.5,0,1.5\n0.5,0,2.5\n7.25,1,1.75\n"), "input.label=y"]
            self.refused("column 1 has no name", "input.features", line=line)
            self.refused("column 1 has no name", line=line + ["input.shape=[2]"])
            self.assertEqual(self.imported(*line, "input.features=3", ranks=(0,))["x"].tolist(), [[1.5], [2.5], [1.75]])
            self.assertEqual(self.imported(*line, "input.features=1,3", ranks=(0,))["x"].tolist(), [[0.5, 1.5], [0.5, 2.5], [7.25, 1.75]])
        names = Table({"a": [0.5, 1.5, 2.5], "y": [0, 1, 0]})
        fits.BinTableHDU(names).writeto(self.path("t.fits"), overwrite=True)
        with open(self.path("t.fits"), "rb+") as f:
            data = f.read()
            self.assertEqual(data.count(b"TTYPE1  = 'a "), 1)
            f.seek(0)
            f.write(data.replace(b"TTYPE1  = 'a ", b"TTYPE1  = '  "))
        self.refused("column 1 has no name", line=["input.files=" + self.path("t.fits"), "input.label=y"])

    def test_few_rows_are_said(self):
        for line in self.forms(Table({"n": [4, 7, 5, 6], "y": [0, 1, 0, 1], "a": [0.5, 0.25, 2, 1]})):
            self.imported(*line, "input.label=y", says=["warn", "column 1 (n): whole numbers, each once"], ranks=(0,))
            self.imported(*line, "input.label=y", "input.features=n,a", ranks=(0,))

    def test_whole_numbers_everywhere(self):
        """Where most columns look so, it is said: they may well be measurements."""
        line = ["input.files=" + self.file("t.csv", "y,a,b\n" + "".join(f"{i % 2},{i * i + 3},{7 * i}\n" for i in range(30))), "input.label=y"]
        self.imported(*line, says=["warn", "column 2 (a), column 3 (b): whole numbers, each once"])
        self.imported("input.files=" + self.file("t.csv", "y,a\n0,1\n1,2\n"), "input.label=y", ranks=(0,))

    def test_rest_says_what_it_took(self):
        r = np.random.default_rng(1)
        t = Table({"y": np.arange(20) % 2, **{f"flux{i}": r.normal(size=20) for i in range(200)}})
        for line in self.forms(t):
            s = self.imported(*line, "input.label=y", says=["features are the rest of the columns: flux0 to flux199 (columns 2-201)"])
            self.assertEqual(s["provenance"]["features"], "flux0 to flux199 (columns 2-201)")
            s = self.imported(*line, "input.label=y", "input.aux=[flux3, flux198]", "input.target=[]", ranks=(0,),
                              says=["flux0, flux1, flux2, flux4 to flux197 (columns 6-199), flux199"])
            s = self.imported(*line, "input.label=y", "input.features=flux3", ranks=(0,))
            self.assertNotIn("features", s["provenance"])
        t = Table({f"a{i}": r.normal(size=5) for i in range(900)})
        line = next(self.forms(t)) + ["input.aux=[" + ",".join(f"a{i}" for i in range(1, 100, 2)) + "]"]
        took = [x for x in self.run_import(*line).err.splitlines() if "rest of the columns" in x]
        self.assertTrue(len(took) == 1 and len(took[0]) < 300 and "more columns" in took[0], took)

    # ---- classes that nobody listed ----

    def labels(self, values):
        """The labels in every form: columns, and arrays beside others."""
        v, n = np.asarray(values), len(values)
        a = np.random.default_rng(2).normal(size=n)
        yield from ((line + ["input.label=y", "input.features=a"], a) for line in self.forms(Table({"y": v, "a": a})))
        np.save(self.path("x.npy"), a)
        np.save(self.path("y.npy"), v)
        yield ["input.files=" + self.path("x.npy"), "input.label=" + self.path("y.npy")], a
        np.savez(self.path("t.npz"), x=a, y=v)
        yield ["input.files=" + self.path("t.npz"), "input.label=y"], a
        with h5py.File(self.path("t.h5"), "w") as f:
            f["x"], f["y"] = a, v.astype("S") if v.dtype.kind == "U" else v
        yield ["input.files=" + self.path("t.h5"), "input.label=y"], a

    def test_labels_without_classes(self):
        for given, names in (([1, 2], ["1", "2"]), ([-1, 1], ["-1", "1"]), ([0, 2], ["0", "2"]), ([1.0, 2.0], ["1", "2"]), ([10, 9, 100], ["9", "10", "100"]),
                             ([1237648704577142785, 1237648704577142786], None), (["STAR", "QSO"], ["QSO", "STAR"]), (["b", "10", "9"], ["9", "10", "b"]),
                             ([0, 1], []), ([0, 1, 2], []), ([1, 0], []), ([0.0, 1.0], []), (["0", "1"], []), ([False, True], [])):
            values = np.array([given[i % len(given)] for i in range(24)])
            names = [str(g) for g in given] if names is None else names
            order = names or sorted({str(int(float(g))) if g not in (False, True) else str(int(g)) for g in given})
            for line, a in self.labels(values):
                if values.dtype.kind == "b" and line[0].endswith(("csv", "gz")):
                    continue  # texts there
                s = self.imported(*line, ranks=(0, 3) if given == [1, 2] else (0,), says=["warn", f"{names[0]} is class 0, {names[1]} is class 1"] if names else [])
                self.assertEqual((s["n_classes"], s["classes"] if any(s["classes"]) else []), (len(given), names), (given, line))
                text = [str(int(float(v))) if isinstance(v, (int, float, bool)) and not abs(v) > 2 ** 53 else str(v) for v in values.tolist()]
                self.assertEqual(s["y"].tolist(), [order.index(v) for v in text])
                self.assertTrue(np.array_equal(s["x"].reshape(-1), a.astype("f4")))

    def test_labels_that_are_no_classes(self):
        r = np.random.default_rng(4)
        for values, why in ((np.arange(24), "24 different values in 24 rows"), (r.permutation(24) + 1000, "24 different values in 24 rows"),
                            (r.normal(size=24), "is no whole number"), ([f"star{i}" for i in range(24)], "24 different values in 24 rows"),
                            (np.arange(24) // 2 * 2 % 22 + np.arange(24) % 2 * 100, "different values in 24 rows")):
            for line, _ in self.labels(values):
                self.refused("input.label", why, "target", line=line, ranks=(0, 2) if why.startswith("24") and line[0].endswith("csv") else (0,))
        for line, _ in self.labels(np.arange(24)):
            self.assertEqual(self.imported(*line, "input.classes=numbers", ranks=(0,))["n_classes"], 24)
        for line, _ in self.labels(np.arange(24) % 2 * 2):
            s = self.imported(*line, "input.classes=numbers", ranks=(0,))
            self.assertEqual((s["n_classes"], set(s["y"].tolist()), [c for c in s["classes"] if c]), (3, {0, 2}, []))
            s = self.imported(*line, "input.class_names=[a, b, c]", ranks=(0,))
            self.assertEqual((s["n_classes"], set(s["y"].tolist()), s["classes"]), (3, {0, 2}, ["a", "b", "c"]))

    def test_classes_of_several_tables(self):
        a = self.file("a.csv", "y,u\n" + "".join(f"{1 + i % 2},{i / 4}\n" for i in range(20)))
        b = self.file("b.csv", "y,u\n" + "".join(f"{2 + i % 2},{i / 4}\n" for i in range(20)))
        one = [f"inputs=[{{files: {a}, label: y}}, {{files: {b}, label: y}}]"]
        s = self.imported(*one, says=["1 is class 0, 2 is class 1, 3 is class 2"])
        self.assertEqual(s["y"].tolist(), [i % 2 for i in range(20)] + [1 + i % 2 for i in range(20)])
        self.refused("its classes are \"3\", \"2\"", line=[f"inputs=[{{files: {a}, label: y, classes: [1, 2]}}, {{files: {b}, label: y, classes: [3, 2]}}]"])
        self.refused("its classes \"2\", \"1\" stand in another order", line=[f"inputs=[{{files: {a}, label: y, classes: [1, 2]}}, {{files: {a}, label: y, classes: [2, 1]}}]"])

    # ---- axes ----

    def arrays(self, x):
        """The same array in every form; idx holds bytes."""
        np.save(self.path("c.npy"), x)
        np.save(self.path("f.npy"), np.asfortranarray(x))
        np.savez(self.path("a.npz"), x=x)
        with h5py.File(self.path("a.h5"), "w") as f:
            f["x"] = x
        with open(self.path("a.idx"), "wb") as f:
            f.write(bytes([0, 0, 8, x.ndim]) + np.array(x.shape, ">u4").tobytes() + x.tobytes())
        return ["input.files=" + self.path(n) for n in ("c.npy", "f.npy", "a.npz", "a.h5", "a.idx")]

    def test_shape_goes_along_the_axes(self):
        x = np.random.default_rng(7).integers(0, 255, (5, 3, 8, 6), dtype="u1")
        for file in self.arrays(x):
            for shape in ("[3,8,6]", "[6,8,3]", "[8,3,6]", "[9,16]"):
                self.refused("does not go along the axes", "3 x 8 x 6 in the file and 8 x 6 x 3 as it is stored",
                             line=[file, "input.axes=chw", "input.shape=" + shape])
            self.refused("does not go along the axes", line=[file, "input.shape=[8,6,3]"])
            for shape in ("[8,6,3]", "[48,3]", "[144]"):
                s = self.imported(file, "input.axes=chw", "input.shape=" + shape, ranks=(0,))
                self.assertTrue(np.array_equal(s["x"].reshape(5, -1), x.transpose(0, 2, 3, 1).reshape(5, -1)))
            s = self.imported(file, "input.shape=[3,8,6]", ranks=(0,))
            self.assertTrue(np.array_equal(s["x"].reshape(5, -1), x.reshape(5, -1)))

    def test_axes_nobody_gave_are_said(self):
        x = np.random.default_rng(7).integers(0, 255, (6, 27, 25), dtype="u1")
        for name in ("a", "b"):
            np.save(self.path(name + ".npy"), x)
        files = f"input.files=[{self.path('a.npy')}, {self.path('b.npy')}]"
        self.imported(files, says=["warn", "6 x 27 x 25, the first of several, is read as 12 samples of 27 x 25 (width x channels)"])
        r = self.run_import(files, "input.shape=[27, 25, 1]")
        self.assertNotIn("is read as", r.err)
        np.save(self.path("c.npy"), np.zeros((4, 3, 8, 8), "f4") + np.arange(4).reshape(4, 1, 1, 1))
        self.assertIn("is read as 4 samples of 3 x 8 x 8 (height x width x channels)", self.run_import("input.files=" + self.path("c.npy")).err)


if __name__ == "__main__":
    unittest.main()
