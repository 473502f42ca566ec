"""Numbers that are no values, in every kind of file: what import refuses, drops, keeps and says;
against numpy."""
import gzip
import struct
import unittest

import h5py
import numpy as np
import orrery as o

NONE = [np.nan, np.inf, -np.inf]


def table(seed=1, n=300):
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(20, 1, (n, 3)), 3).astype(np.float32)


def write_csv(x, y):
    words = {"nan": ["", "nan", "NULL"], "inf": ["inf", "1e999", "+Infinity"], "-inf": ["-inf", "-1e999", "-INF"]}
    rows, k = ["id,a,b,c,t"], 0
    for i in range(len(x)):
        cells = []
        for v in [*x[i], y[i]]:
            word = repr(float(v))
            if word in words:
                word = words[word][k % 3]
                k += 1
            cells.append(word)
        rows.append(",".join([str(i + 1000), *cells]))
    return o.write("v.csv", "\n".join(rows) + "\n"), ["input.id=id", "input.target=t", "input.features='a,b,c'"]


def write_npy(x, y, dtype=np.float32):
    np.save(o.tmp("v.npy"), x.astype(dtype))
    np.save(o.tmp("vy.npy"), y.astype(dtype))
    return o.tmp("v.npy"), ["input.label=" + o.tmp("vy.npy"), "input.label_kind=value", "input.id_start=1000"]


def write_npz(x, y):
    np.savez(o.tmp("v.npz"), x=x.astype(">f8"), y=y)
    return o.tmp("v.npz"), ["input.label=y", "input.label_kind=value", "input.id_start=1000"]


def write_hdf5(x, y):
    with h5py.File(o.tmp("v.h5"), "w") as f:
        f.create_dataset("x", data=x.astype(np.float64), chunks=(7, 3), compression=4)
        f["y"] = y
    return o.tmp("v.h5"), ["input.label=y", "input.label_kind=value", "input.id_start=1000"]


def write_idx(x, y):
    for name, a in (("v.idx", x), ("vy.idx", y[:, None][:, 0])):
        with open(o.tmp(name), "wb") as f:
            f.write(bytes([0, 0, 0x0D, a.ndim]) + struct.pack(">%di" % a.ndim, *a.shape) + a.astype(">f4").tobytes())
    return o.tmp("v.idx"), ["input.label=" + o.tmp("vy.idx"), "input.label_kind=value", "input.id_start=1000"]


def write_records(x, y):
    r = np.zeros(len(x), [("id", "i8"), ("a", "f4"), ("b", "f8"), ("c", "f4"), ("t", "f4")])
    r["id"], r["t"] = np.arange(len(x)) + 1000, y
    for k, name in enumerate("abc"):
        r[name] = x[:, k]
    np.save(o.tmp("r.npy"), r)
    return o.tmp("r.npy"), ["input.id=id", "input.target=t", "input.features='a,b,c'"]


def write_fits(x, y):
    from astropy.io import fits
    columns = [fits.Column("id", "K", array=np.arange(len(x)) + 1000), fits.Column("t", "E", array=y)]
    columns += [fits.Column(name, "DEE"[k], array=x[:, k]) for k, name in enumerate("abc")]
    fits.BinTableHDU.from_columns(columns).writeto(o.tmp("v.fits"), overwrite=True)
    return o.tmp("v.fits"), ["input.id=id", "input.target=t", "input.features='a,b,c'"]


WRITERS = [write_csv, write_npy, write_npz, write_hdf5, write_idx, write_records, write_fits]


def read(folder):
    with h5py.File(folder + "/index.h5") as f:
        return f["x"][:].reshape(len(f["x"]), -1), f["y"][:] if "y" in f else None, f["id"][:]


def load(path, options, name="set", **more):
    r = o.orrery("import", "input.files=[" + path + "]", *options, "out=" + o.tmp(name), "overwrite=true", **more)
    return (*read(o.tmp(name)), r.err)


class Values(unittest.TestCase):
    def test_no_value_in_features_and_targets(self):
        for writer in WRITERS:
            for bad in NONE:
                for where in ("x", "y"):
                    x, y = table(), table(2)[:, 0]
                    (x[:, 1] if where == "x" else y)[[3, 250]] = bad
                    path, options = writer(x, y)
                    said = o.orrery("import", "input.files=[" + path + "]", *options, "out=" + o.tmp("no"), code=None)
                    self.assertNotEqual(said.code, 0, (writer, bad, where))
                    self.assertRegex(said.err, "nan: drop or keep", (writer, bad, where))
                    good = np.isfinite(x).all(1) & np.isfinite(y)
                    for ranks in (0, 3) if bad == np.inf else (0,):
                        gx, gy, gid, err = load(path, options + ["input.nan=drop", "shard_mib=0.001"], "d%d" % ranks, ranks=ranks)
                        np.testing.assert_array_equal(gx, x[good])
                        np.testing.assert_array_equal(gy, y[good])
                        np.testing.assert_array_equal(gid, 1000 + np.flatnonzero(good))
                        self.assertIn("drops 2 of 300 rows", err)
                    if bad == np.inf:
                        self.assertEqual(o.tree(o.tmp("d0")), o.tree(o.tmp("d3")))
                    gx, gy, gid, err = load(path, options + ["input.nan=keep"])
                    np.testing.assert_array_equal(gx, np.where(np.isfinite(x), x, np.nan))
                    np.testing.assert_array_equal(gy, np.where(np.isfinite(y), y, np.nan))
                    self.assertRegex(err, "values that are none are kept as NaN: [^;]* 2;")

    def test_sentinels_are_said_and_made_none(self):
        for writer in WRITERS:
            x, y = table(), table(2)[:, 0]
            x[[3, 5, 250], 1] = -9999
            x[[7, 8], 2] = np.float32(99.99)
            y[[1, 2]] = 1e20
            path, options = writer(x, y)
            *_, err = load(path, options)
            self.assertRegex(err, "look like they stand for none: .* -9999 3 times; .* 99.99 2 times; .* 1e\\+20 2 times")
            gx, gy, gid, err = load(path, options + ["input.missing=[-9999, 99.99, 1e20]", "input.nan=keep"])
            none = (x == -9999) | (x == np.float32(99.99))
            np.testing.assert_array_equal(gx, np.where(none, np.nan, x))
            np.testing.assert_array_equal(gy, np.where(y > 1e19, np.nan, y))
            self.assertNotIn("look like", err)
            gx, *_ = load(path, options + ["input.missing=[-9999, 99.99, 1e20]", "input.nan=drop"])
            np.testing.assert_array_equal(gx, x[~none.any(1) & (y < 1e19)])
            *_, err = load(*writer(table(), table(2)[:, 0]))
            self.assertNotIn("look like", err)

    def test_missing_by_column_and_as_text(self):
        path = o.write("m.csv", "a,b,l\n1,-9,0\n-9,2,1\nN/A,3,0\n4,--,1\n5,5,-9\n")
        options = ["input.label=l", "input.id_start=0", "input.nan=drop"]
        gx, gy, gid, _ = load(path, options + ["input.missing={a: [-9, N/A], b: [--, -1], l: -9}"])
        np.testing.assert_array_equal(gid, [0])
        self.assertRegex(o.orrery("import", "input.files=[" + path + "]", "input.missing={d: 1}", "input.label=l",
                                  "out=" + o.tmp("no"), code=None).err, "d")

    def test_labels_that_are_none(self):
        path = o.write("l.csv", "a,b,l\n" + "".join("%d,2,%s\n" % (i, "" if i == 7 else i % 2) for i in range(20)))
        self.assertIn("the label is empty", o.orrery("import", "input.files=[" + path + "]", "input.label=l",
                                                     "out=" + o.tmp("no"), code=None).err)
        for ranks in (0, 2):
            gx, gy, gid, _ = load(path, ["input.label=l", "input.nan=drop"], ranks=ranks)
            np.testing.assert_array_equal(gid, [i for i in range(20) if i != 7])
        y = np.arange(20.0)
        y[3] = np.nan
        np.save(o.tmp("lx.npy"), np.zeros((20, 2), "f4") + np.arange(20)[:, None])
        np.save(o.tmp("ly.npy"), y)
        gx, gy, *_ = load(o.tmp("lx.npy"), ["input.label=" + o.tmp("ly.npy"), "input.nan=drop"])
        np.testing.assert_array_equal(gy, np.delete(np.arange(20), 3))

    def test_what_a_type_cannot_hold(self):
        for dtype, value in ((np.float64, 1e300), (np.float16, np.inf)):
            x = np.ones((4, 2), dtype)
            x[2, 1] = value
            np.save(o.tmp("h.npy"), x)
            for nan in ("refuse", "keep"):
                r = o.orrery("import", "input.files=[" + o.tmp("h.npy") + "]", "out=" + o.tmp("no" + nan), "input.nan=" + nan, code=None)
                if np.isinf(value) and nan == "keep":
                    self.assertTrue(np.isnan(read(o.tmp("nokeep"))[0][2, 1]))
                else:
                    self.assertRegex(r.err, r"h.npy\[2, 1\] is (1e\+300, too large for float32|inf)")
        x = np.ones((4, 2))
        x[2, 1] = 1e300
        np.save(o.tmp("h.npy"), x)
        gx, *_ = load(o.tmp("h.npy"), ["input.missing=[1e300]", "input.nan=keep"])
        self.assertTrue(np.isnan(gx[2, 1]))

    def test_lost_digits_are_said_or_shifted(self):
        t = 2454833.12 + np.round(np.arange(200) * 0.0213, 4)
        rows = "".join("%.5f,%d,%d\n" % (v, i, i % 2) for i, v in enumerate(t))
        path = o.write("t.csv", "BJD,b,l\n" + rows)
        gx, _, _, err = load(path, ["input.label=l"])
        self.assertRegex(err, r"digits are lost that float32 does not hold: BJD \(24548\d\d\.\d+ becomes 24548\d\d(\.\d+)?, 0\.1\d off\)")
        gx, _, _, err = load(path, ["input.label=l", "input.shift={BJD: 2454833}", "input.shape=[2]"])
        self.assertNotIn("digits", err)
        np.testing.assert_array_equal(gx[:, 0], (np.round(t, 5) - 2454833).astype("f4"))
        np.save(o.tmp("big.npy"), np.array([[16777217 + i, i] for i in range(9)]))
        *_, err = load(o.tmp("big.npy"), [])
        self.assertRegex(err, r"value 0 \(167772\d\d becomes 167772\d\d, 1 off\)")

    def test_blank_constant_and_doubled_samples_are_said(self):
        x = np.random.default_rng(3).normal(0, 1, (50, 4, 4)).astype("f4")
        x[7], x[9], x[11], x[12] = 0, 0, 5, x[3]
        for ranks in (0, 2):
            np.save(o.tmp("b.npy"), x)
            *_, err = load(o.tmp("b.npy"), ["shard_mib=0.001", "input.id_start=100"], ranks=ranks)
            self.assertIn("2 of 50 samples are blank (every value 0 or none), such as row 107", err)
            self.assertIn("1 of 50 samples are constant (every value the same), such as row 111", err)
            self.assertIn("2 of 50 samples are the same as an earlier one, such as row 112 as row 103", err)


if __name__ == "__main__":
    unittest.main()
