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


if __name__ == "__main__":
    unittest.main()
