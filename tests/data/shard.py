"""A shard set as h5py sees it: virtual datasets over all shards, also after the folder was moved, and from elsewhere."""
import hashlib
import json
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np

program = os.path.abspath(sys.argv[1])


def expected(n, shape, dtype):
    """What tests/data/shard_help.h puts into number k of a row."""
    size = int(np.prod(shape))
    rows, k = np.arange(n)[:, None], np.arange(size)[None, :]
    return ((rows * 131 + k * 7) % 2048).astype(dtype).reshape((n,) + shape)


def check(folder, kind):
    with h5py.File(os.path.join(folder, "index.h5"), "r") as f:
        assert f.attrs["format"] == b"orrery-index-1", f.attrs["format"]
        assert f["x"].is_virtual and f["x"].shape == (23, 50, 2), f["x"]
        assert [a.decode() for a in f.attrs["axes"]] == ["n", "w", "c"]
        assert [a.decode() for a in f.attrs["channel_names"]] == ["", "error"]
        assert f.attrs["units"] == b"e-/s"
        x, y, ids = f["x"][:], f["y"][:], f["id"][:]
        assert x.dtype == [np.float32, np.float16, np.uint8][kind], x.dtype
        if kind != 1:
            assert np.array_equal(x, expected(23, (50, 2), x.dtype))
        else:  # bit patterns: 31 per first row of the shard and 1 per number
            first = (np.arange(23) // 7 * 7)[:, None]
            assert np.array_equal(x.view(np.uint16).reshape(23, 100), first * 31 + np.arange(100))
        if kind == 2:
            assert np.array_equal(y, np.arange(23)[:, None] + 0.25 * np.arange(2)), y
        else:
            assert np.array_equal(y, np.arange(23) % 3) and f.attrs["n_classes"] == 3
            assert [a.decode() for a in f.attrs["class_names"]] == ["quiet", "planet", "binary"]
        if kind == 1:
            assert [i.decode() for i in ids] == ["star-%d" % i for i in range(23)]
        else:
            assert np.array_equal(ids, 1000 + 3 * np.arange(23))
        made = json.loads(f.attrs["provenance"])
        assert made["command"] == "import" and made["job"] == "name: test\n"
        assert made["inputs"] == [{"file": "exoTrain.csv", "sha256": "00ff"}], made
        shards = f["shards"]
        assert list(shards["rows"]) == [7, 7, 7, 2]
        for name, size, sha in zip(shards["file"], shards["bytes"], shards["sha256"]):
            data = open(os.path.join(folder, name.decode()), "rb").read()
            assert len(data) == size and hashlib.sha256(data).hexdigest() == sha.decode()
    with h5py.File(os.path.join(folder, "shard-00003.h5"), "r") as f:
        assert f.attrs["format"] == b"orrery-shard-1" and f["x"].shape == (2, 50, 2)
        assert (f["x"].compression == "gzip") == (kind == 2), f["x"].compression
        assert kind == 2 or (f["x"].chunks is None)


with tempfile.TemporaryDirectory() as top:
    for kind in range(3):
        a, b = os.path.join(top, "a%d" % kind), os.path.join(top, "moved%d" % kind)
        subprocess.run([program, "write", a, str(kind)], check=True)
        check(a, kind)
        os.rename(a, b)
        os.chdir(top)
        check(b, kind)
        check("moved%d" % kind, kind)
print("three sets, read by h5py %s" % h5py.__version__)
