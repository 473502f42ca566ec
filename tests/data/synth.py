"""Moons equal scikit-learn's make_moons and train_test_split, point by point.

    synth.py TABLE_DUMP SYNTH_MOONS     the second writes the files: FOLDER samples noise test_size
    seed split_seed
"""

import os
import subprocess
import sys
import tempfile

import numpy as np
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split


def check(folder, samples, noise, test_size, seed, split_seed):
    out = os.path.join(folder, f"m{samples}-{seed}")
    subprocess.run([sys.argv[2], out, *map(str, (samples, noise, test_size, seed, split_seed))], check=True)
    np.random.seed(seed)  # as published: the global generator
    x, y = make_moons(samples, noise=noise)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=test_size, random_state=split_seed)
    for name, want_x, want_y in (("train.csv", x_train, y_train), ("test.csv", x_test, y_test)):
        got = np.loadtxt(os.path.join(out, name), delimiter=",", ndmin=2)
        assert got.shape == (len(want_x), 3), f"{name}: {got.shape}"
        assert np.array_equal(got[:, 0].astype(int), want_y), f"{name}: labels"
        # numpy's vector sine and cosine differ from libm's in the last places, on machines that
        # have them
        assert np.abs(got[:, 1:] - want_x).max() < 2e-15, f"{name}: {np.abs(got[:, 1:] - want_x).max()}"
        same = np.mean(got[:, 1:].astype(np.float32) == want_x.astype(np.float32))
        assert same > 0.999, f"{name}: only {same} equal as float32"


def main():
    with tempfile.TemporaryDirectory() as folder:
        check(folder, 600, 0.25, 0.25, 0, 1)
        check(folder, 601, 0.1, 0.33, 7, 42)
        check(folder, 2, 1.5, 0.5, 3, 0)
        check(folder, 5001, 0.0, 0.001, 12345, 4294967295)


main()
