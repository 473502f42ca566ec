"""Numbers that are no values, in every kind of file: what import refuses, drops, keeps and says;
against numpy."""
import os
import struct
import unittest

import h5py
import numpy as np
import orrery as o
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split

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

    def test_tables_have_rules_of_their_own(self):
        a, b = o.write("k1.csv", "a,b\n1,2\n,3\n"), o.write("k2.csv", "a,b\n4,\n5,-9\n6,7\n")
        job = o.write("k.yaml", f"out: {o.tmp('k')}\ninputs:\n  - {{files: [{a}], nan: keep}}\n  - {{files: [{b}], nan: drop, missing: -9}}\n")
        o.orrery("import", job)
        np.testing.assert_array_equal(read(o.tmp("k"))[0], np.array([[1, 2], [np.nan, 3], [6, 7]]))

    def test_images_and_integers(self):
        x = np.random.default_rng(1).normal(100, 5, (40, 6, 6, 2)).astype("f4")
        x[3, 2, 2, 1] = x[9, 0, 0, 1] = -9999
        np.save(o.tmp("im.npy"), x)
        *_, err = load(o.tmp("im.npy"), [])
        self.assertIn("channel 1 -9999 2 times;", err)
        x = np.random.default_rng(1).integers(10, 500, (60, 3)).astype("i4")
        x[[1, 2, 3], 0] = -999
        np.save(o.tmp("in.npy"), x)
        *_, err = load(o.tmp("in.npy"), [])
        self.assertIn("value 0 -999 3 times;", err)

    def test_labels_that_are_none(self):
        path = o.write("l.csv", "a,b,l\n" + "".join("%d,2,%s\n" % (i, "" if i == 7 else i % 2) for i in range(20)))
        self.assertIn("the label is empty", o.orrery("import", "input.files=[" + path + "]", "input.label=l", "input.features=a,b",
                                                     "out=" + o.tmp("no"), code=None).err)
        for ranks in (0, 2):
            gx, gy, gid, _ = load(path, ["input.label=l", "input.features=a,b", "input.nan=drop"], ranks=ranks)
            np.testing.assert_array_equal(gid, [i for i in range(20) if i != 7])
        y = np.arange(20.0) % 3
        y[3] = np.inf
        np.save(o.tmp("lx.npy"), np.zeros((20, 2), "f4") + np.arange(20)[:, None])
        np.save(o.tmp("ly.npy"), y)
        self.assertIn("is none; fix", o.orrery("import", "input.files=[" + o.tmp("lx.npy") + "]", "input.label=" + o.tmp("ly.npy"),
                                               "input.nan=keep", "out=" + o.tmp("no"), code=None).err)
        y[3] = np.nan
        np.save(o.tmp("lx.npy"), np.zeros((20, 2), "f4") + np.arange(20)[:, None])
        np.save(o.tmp("ly.npy"), y)
        gx, gy, *_ = load(o.tmp("lx.npy"), ["input.label=" + o.tmp("ly.npy"), "input.nan=drop", "input.classes=numbers"])
        np.testing.assert_array_equal(gy, np.delete(np.arange(20) % 3, 3))

    def test_netcdf_says_what_is_none(self):
        x = table()
        x[[3, 9], 1], x[5, 0] = -32767, 1e36
        with h5py.File(o.tmp("nc.h5"), "w") as f:
            d = f.create_dataset("x", data=x)
            d.attrs["_FillValue"], d.attrs["missing_value"] = np.float32(-32767), np.array([1e36], "f4")
            f.create_dataset("y", data=np.where(np.arange(300) == 7, -1, np.arange(300) % 2)).attrs["_FillValue"] = -1
        self.assertIn("is nan", o.orrery("import", "input.files=[" + o.tmp("nc.h5") + "]", "out=" + o.tmp("no"), code=None).err)
        gx, *_ = load(o.tmp("nc.h5"), ["input.nan=keep"])
        np.testing.assert_array_equal(gx, np.where((x == -32767) | (x == np.float32(1e36)), np.nan, x))
        gx, gy, gid, _ = load(o.tmp("nc.h5"), ["input.nan=drop", "input.label=y"])
        np.testing.assert_array_equal(gid, [i for i in range(300) if i not in (3, 5, 7, 9)])

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
        gx, _, _, err = load(path, ["input.label=l", "input.features=BJD,b"])
        self.assertRegex(err, r"digits are lost that float32 does not hold: BJD \(24548\d\d\.\d+ becomes 24548\d\d(\.\d+)?, 0\.1\d off\)")
        gx, _, _, err = load(path, ["input.label=l", "input.features=BJD,b", "input.shift={BJD: 2454833}", "input.shape=[2]"])
        self.assertNotIn("digits", err)
        np.testing.assert_array_equal(gx[:, 0], (np.round(t, 5) - 2454833).astype("f4"))
        with h5py.File(o.tmp("set") + "/index.h5") as f:
            self.assertIn("BJD-2454833", str(dict(f.attrs)))
        o.orrery("train", train_job("shifted", o.tmp("set"), "[]"))
        load(path, ["input.label=l", "input.shape=[2]"], "plain")
        self.assertIn("BJD-2454833", o.orrery("evaluate", o.tmp("shifted"), o.tmp("plain"), code=None).err)
        self.assertIn("header", o.orrery("import", "input.files=[" + o.write("nohead.csv", rows) + "]", "input.label=3",
                                         "input.shift={1: 2454833}", "out=" + o.tmp("no"), code=None).err)
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


LAYERS = "[flatten, linear: {units: 8}, relu, linear: {units: 1}]"


def train_job(name, data, transforms, more=""):
    return o.write(name + ".yaml", f"""
run: {o.tmp(name)}
data: {{train: {data}, transforms: {transforms}, overlap: allow{more}}}
model: {{layers: {LAYERS}, {o.KERNELS.replace("=", ": ")}}}
train: {{epochs: 3, batch: 32, lr: 0.01, leaves: 4}}
runtime: {{threads: 1, progress: false}}
""")


def weights(run):
    with h5py.File(run + "/model.h5") as f:
        out = {}
        f.visititems(lambda n, d: out.update({n: d[:]}) if isinstance(d, h5py.Dataset) and "weight" in n or "bias" in n else None)
        return {k: v for k, v in out.items() if isinstance(v, np.ndarray)}


class Filled(unittest.TestCase):
    """A table with NaN, infinities and sentinels, and the one that scikit-learn cleaned."""

    @classmethod
    def setUpClass(cls):
        rng = np.random.default_rng(4)
        cls.x = np.round(rng.normal(20, 1, (401, 3)), 3).astype("f4")
        cls.y = (cls.x[:, 0] + cls.x[:, 1] > 40).astype(int)
        for k, bad in enumerate([np.nan, np.inf, -9999.0]):
            cls.x[rng.choice(401, 30, replace=False), k] = bad
        np.save(o.tmp("f.npy"), cls.x.astype("f4"))
        np.save(o.tmp("fy.npy"), cls.y)
        load(o.tmp("f.npy"), ["input.label=" + o.tmp("fy.npy"), "input.nan=keep", "input.missing=[-9999]"], "dirty")
        cls.dirty = np.where(np.isfinite(cls.x) & (cls.x != -9999), cls.x, np.nan)

    def clean(self, name, strategy, **more):
        rows = train_test_split(np.arange(401), test_size=0.2, random_state=1, stratify=self.y)[0]
        fill = SimpleImputer(strategy=strategy, **more).fit(self.dirty[rows].astype(np.float64))
        np.save(o.tmp(name + ".npy"), fill.transform(self.dirty.astype(np.float64)).astype("f4"))
        load(o.tmp(name + ".npy"), ["input.label=" + o.tmp("fy.npy")], name)

    def test_same_model_as_cleaned_by_hand(self):
        for fill, strategy in (("median", "median"), ("mean", "mean"), ("value, value: -1", "constant")):
            self.clean("hand", strategy, **({"fill_value": -1} if strategy == "constant" else {}))
            name = strategy
            o.orrery("train", train_job("hand-" + name, o.tmp("hand"), "[standardise: {per: feature}]"))
            for ranks in (0, 2, 3):
                run = "own-%s-%d" % (name, ranks)
                o.orrery("train", train_job(run, o.tmp("dirty"), "[nan: {fill: %s}, standardise: {per: feature}]" % fill), ranks=ranks)
                own, hand = weights(o.tmp(run)), weights(o.tmp("hand-" + name))
                self.assertGreater(len(own), 0)
                for k in hand:
                    np.testing.assert_array_equal(own[k], hand[k], (fill, ranks, k))
        p = o.orrery("predict", o.tmp("own-median-0"), o.tmp("dirty"), "out=" + o.tmp("p.csv"))
        with open(o.tmp("p.csv")) as f:
            self.assertNotIn("nan", f.read())

    def test_each_fold_learns_its_own(self):
        shared = train_job("fold-job", o.tmp("dirty"), "[nan: {fill: median}, standardise: {per: feature}]")
        for ranks in (0, 3):
            o.orrery("cv", o.write("fold-cv.yaml", f"run: {o.tmp('folds%d' % ranks)}\njob: {shared}\ncv: {{folds: 3}}\n"
                                   "runtime: {threads: 1, progress: false}\n"), ranks=ranks)
        self.assertEqual(o.sha(o.tmp("folds0/oof.h5")), o.sha(o.tmp("folds3/oof.h5")))
        with h5py.File(o.tmp("folds0/oof.h5")) as f:
            fold = np.ravel(f["fold"][:])
        for k, task in enumerate(sorted(os.listdir(o.tmp("folds0/tasks")))):
            rows = np.flatnonzero(fold != k)
            rows = train_test_split(rows, test_size=0.2, random_state=1, stratify=self.y[rows])[0]
            want = SimpleImputer(strategy="median").fit(self.dirty[rows].astype(np.float64)).statistics_.astype("f4")
            with h5py.File(o.tmp("folds0/tasks/" + task + "/model.h5")) as f:
                np.testing.assert_array_equal(f["transform_numbers"][:3].astype("f4"), want)

    def test_nan_never_reaches_a_net(self):
        r = o.orrery("train", train_job("no-1", o.tmp("dirty"), "[]"), code=None)
        self.assertNotEqual(r.code, 0)
        self.assertRegex(r.err, r"dirty: \d+ of 320 train samples have a value that is none .* such as sample \d+: number \d; fill it")
        r = o.orrery("train", train_job("no-2", o.tmp("dirty"), "[standardise: {per: sample}, nan]"), code=0)
        r = o.orrery("train", train_job("no-3", o.tmp("dirty"), "[reshape: {shape: [3, 1]}, moving_average: {window: 2}]"), ranks=2, code=None)
        self.assertIn("have a value that is none", r.err)
        o.orrery("train", train_job("good", self.finite(), "[]"))
        for command in ("predict", "evaluate"):
            for ranks in (0, 2):
                r = o.orrery(command, o.tmp("good"), o.tmp("dirty"), *(["out=" + o.tmp("q.csv")] if command == "predict" else []),
                             ranks=ranks, code=None)
                self.assertNotEqual(r.code, 0)
                self.assertRegex(r.err, "sample \\d+ has a value that is none")

    def text_of(self, path):
        with open(path) as f:
            return f.read()

    def finite(self):
        np.save(o.tmp("g.npy"), np.nan_to_num(self.dirty))
        load(o.tmp("g.npy"), ["input.label=" + o.tmp("fy.npy")], "finite")
        return o.tmp("finite")

    def test_a_column_without_values_is_refused(self):
        x = self.dirty.copy()
        x[:, 1] = np.nan
        text = "u,g,r,l\n" + "".join(",".join(["" if np.isnan(v) else repr(float(v)) for v in row] + [str(l)]) + "\n"
                                     for row, l in zip(x, self.y))
        *_, err = load(o.write("e.csv", text), ["input.label=l", "input.nan=keep"], "empty")
        self.assertIn("g 401 (all)", err)
        for fill in ("median", "mean"):
            r = o.orrery("train", train_job("no-" + fill, o.tmp("empty"), "[nan: {fill: %s}]" % fill), code=None)
            self.assertRegex(r.err, "g has no value in any of the")
        o.orrery("train", train_job("yes", o.tmp("empty"), "[nan: {fill: value}]"))

    def test_targets_and_aux(self):
        t = np.arange(401.0)
        t[[5, 6]] = np.nan
        x = np.nan_to_num(self.dirty)
        text = "a,b,c,m,t\n" + "".join("%g,%g,%g,%s,%s\n" % (*x[i], "" if i % 9 == 0 else "%g" % i, "inf" if i == 5 else i)
                                       for i in range(401))
        path = o.write("ta.csv", text)
        options = ["input.target=t", "input.aux=[m]", "input.nan=keep", "input.features='a,b,c'"]
        load(path, options, "ta")
        job = train_job("no-t", o.tmp("ta"), "[]")
        self.assertRegex(o.orrery("train", job, code=None).err, "(train|validation) samples have a value that is none .*: its target; import")
        load(path, options[:2] + ["input.nan=drop", "input.features='a,b,c'"], "ta")
        o.orrery("train", job)
        load(path, options, "tb")
        self.assertRegex(o.orrery("evaluate", o.tmp("no-t"), o.tmp("tb"), code=None).err, "some of its targets are none")
        o.orrery("predict", o.tmp("no-t"), o.tmp("tb"), "out=" + o.tmp("tb.csv"))
        load(o.write("aux.csv", text.replace("inf", "5")), options, "ta2")
        layers = LAYERS.replace("[flatten,", "[flatten: {name: x}, aux: {name: m}, concat: {inputs: [x, m]},")
        job = o.write("aux.yaml", self.text_of(train_job("no-a", o.tmp("ta2"), "[]", ", aux: [m]")).replace(LAYERS, layers))
        self.assertRegex(o.orrery("train", job, code=None).err, "sample \\d+: m; fill it .data.aux_transforms")
        o.orrery("train", job, "data.aux_transforms=[nan: {fill: mean}]")


if __name__ == "__main__":
    unittest.main()
