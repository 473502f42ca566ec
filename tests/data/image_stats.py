"""statistics.h5 against NumPy: every pixel and every channel, for each stored type, with NaN and
infinite pixels left out."""
import os
import subprocess
import sys
import tempfile
import warnings

import h5py
import numpy as np

program = sys.argv[1]
rng = np.random.RandomState(3)


def near(got, want, tolerance, what):
    assert got.shape == want.shape and got.dtype == np.float64, (what, got.shape, got.dtype)
    assert np.array_equal(np.isnan(got), np.isnan(want)), what
    scale = np.maximum(np.abs(want), 1e-300)
    worst = np.nanmax(np.abs(got - want) / scale)
    assert worst <= tolerance, "%s: %.2e" % (what, worst)


def check(f, wide, axis):
    """wide: longdouble, NaN where a value does not count."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a pixel that is never finite has no mean
        near(f["mean"][:], np.nanmean(wide, axis).astype(np.float64), 1e-12, "mean")
        near(f["variance"][:], np.nanvar(wide, axis).astype(np.float64), 1e-10, "variance")
        assert np.array_equal(f["min"][:], np.nanmin(wide, axis).astype(np.float64), equal_nan=True)
        assert np.array_equal(f["max"][:], np.nanmax(wide, axis).astype(np.float64), equal_nan=True)
    assert np.array_equal(f["missing"][:], np.isnan(wide).sum(axis))
    assert f["missing"].dtype == np.int64


count = 0
with tempfile.TemporaryDirectory() as top:
    for kind, dtype in enumerate((np.float32, np.float16, np.uint8)):
        for n, shape in ((1, (2, 3, 3)), (256, (5, 4, 3)), (700, (9, 31, 5)), (513, (1, 700, 3))):
            x = rng.standard_normal((n,) + shape) * 20 + rng.uniform(-900, 900, shape)
            if kind == 2:
                x = rng.randint(0, 256, (n,) + shape)
            x = x.astype(dtype)
            if kind < 2:
                x[rng.uniform(size=x.shape) < 0.01] = np.nan
                x[rng.uniform(size=x.shape) < 0.01] = -np.inf
                x[:, 0, 1, 2] = np.nan
                x[:300, 0, 2, 1] = np.inf
            data, out = os.path.join(top, "x"), os.path.join(top, "statistics.h5")
            x.tofile(data)
            subprocess.run([program, "write", data, str(kind)] + [str(v) for v in shape] + [out], check=True)
            wide = x.astype(np.longdouble)
            wide[~np.isfinite(wide)] = np.nan
            with h5py.File(out, "r") as f:
                assert f.attrs["format"] == b"orrery-statistics-1" and f.attrs["rows"] == n
                assert f.attrs["units"] == b"nmgy"
                names = [v.decode() for v in f.attrs["channel_names"]]
                assert names == ["g", "r", "i"] + [""] * (shape[2] - 3), names
                assert set(f) == {"mean", "variance", "min", "max", "missing", "channels"}
                check(f, wide, 0)
                check(f["channels"], wide, (0, 1, 2))
            count += 1
print("%d files agree with NumPy" % count)
