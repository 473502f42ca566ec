"""The transform steps against NumPy, SciPy and scikit-learn.  Results are float32, so agreement is
to one unit of its last place; the moving mean is compared more closely by feeding it windows whose
means float32 holds exactly."""
import subprocess
import sys
import tempfile

import numpy as np
from scipy.ndimage import uniform_filter1d
from sklearn.preprocessing import StandardScaler

program = sys.argv[1]
rng = np.random.RandomState(5)


def ours(x, steps, shape=None):
    """x (n, h, w, c) float32 through the chain."""
    n, h, w, c = x.shape
    with tempfile.NamedTemporaryFile() as f:
        f.write(np.ascontiguousarray(x, np.float32).tobytes())
        f.flush()
        out = subprocess.run([program, "serve", f.name, str(h), str(w), str(c), steps], check=True, stdout=subprocess.PIPE)
    return np.frombuffer(out.stdout, np.float32).reshape(n, h, w, -1)


def near(got, want, what):
    """Within one step of float32 (want is rounded the same way, its own double error may tip
    it)."""
    want = np.asarray(want, np.float64)
    step = np.spacing(np.maximum(np.abs(want), 1e-30).astype(np.float32)).astype(np.float64)
    worst = np.max(np.abs(got.astype(np.float64) - want) / step)
    assert worst <= 0.5 + 1e-4, "%s: %.6f units of the last place" % (what, worst)


series = (rng.standard_normal((3, 1, 3197, 2)) * 1e3 + np.array([1e6, -50])).astype(np.float32)
image = rng.standard_normal((4, 7, 9, 3)).astype(np.float32)
for x in (series, image):
    wide = x.astype(np.float64)
    for window in (1, 2, 3, 8, 9, 18, 19, 40, 200, 201, 3196, 3197, 3198, 7001):
        mean = uniform_filter1d(wide, window, axis=2, mode="reflect")
        got = ours(x, "- moving_average: {window: %d}\n" % window)
        assert np.array_equal(got[..., : x.shape[3]], x)
        scale = np.abs(wide).max()
        assert np.max(np.abs(got[..., x.shape[3] :] - mean.astype(np.float32))) <= 2e-7 * scale, window
    for axis, per in (((1, 2, 3), "sample"), ((1, 2), "channel")):
        want = (wide - wide.mean(axis, keepdims=True)) / wide.std(axis, keepdims=True)
        got = ours(x, "- standardise: {per: %s}\n" % per)
        assert np.max(np.abs(got - want)) <= 1e-6, per
    near(ours(x, "- affine: {scale: 0.3, shift: 0.7}\n"), wide * 0.3 + 0.7, "affine")
    near(ours(x, "- log: {floor: -1}\n"), np.log1p(np.maximum(wide, -1) + 1), "log")
    near(ours(x, "- asinh: {scale: 0.5}\n"), np.arcsinh(wide / 0.5), "asinh")
    for scale in (1e-8, 1, 1e12):
        stretched = wide.astype(np.float32) * np.float32(scale)
        size = np.abs(stretched).astype(np.longdouble)
        near(ours(stretched, "- sqrt\n"), np.sign(stretched) * (np.sqrt(size + 1) - 1), "sqrt")

# means in double to 1e-12: the difference between the series and its mean keeps what float32 would
# round away
steps = "- moving_average: {window: 200}\n- affine: {scale: 1, shift: %r}\n- affine: {scale: 1e6}\n"
flat = (1000 + rng.standard_normal((1, 1, 3197, 1))).astype(np.float32)
mean = uniform_filter1d(flat.astype(np.float64), 200, axis=2, mode="reflect")
for place in (0, 99, 100, 1598, 3196):
    shift = -float(mean[0, 0, place, 0])
    got = ours(flat, steps % shift)[0, 0, place, 1] / 1e6
    assert abs(got) <= 1e-12 * 1000, (place, got)

# fitted: 600 rows, three blocks; raw fluxes, and one feature that never varies
rows = (rng.standard_normal((600, 1, 50, 2)) * 3 + 1e5).astype(np.float32)
rows[:, 0, 7, 1] = 0.1
scaler = StandardScaler().fit(rows.reshape(600, -1).astype(np.float64))
want = scaler.transform(rows.reshape(600, -1).astype(np.float64)).reshape(rows.shape)
assert np.max(np.abs(ours(rows, "- standardise: {per: feature}\n") - want)) <= 1e-6
wide = rows.astype(np.float64)
want = (wide - wide.mean((0, 1, 2))) / wide.std((0, 1, 2))
assert np.max(np.abs(ours(rows, "- standardise: {per: train_channel}\n") - want)) <= 1e-5
want = (wide - wide.mean(2, keepdims=True)) / wide.std(2, keepdims=True)
want = (want - want.mean(0)) / np.where(want.std(0) < 1e-12, 1, want.std(0))
got = ours(rows, "- standardise: {per: channel}\n- standardise: {per: feature}\n")
assert np.max(np.abs(got - want)) <= 1e-5
print("agrees with NumPy, SciPy and scikit-learn")
