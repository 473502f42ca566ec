"""A shard set as h5py sees it: virtual datasets over all shards, also after the folder was moved,
and from elsewhere."""
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


def check_aux(f, kind, n, first):
    """Rows from `first` on; a set without aux numbers has nothing that older ones did not have."""
    if kind < 3:
        known = {"x", "y", "id", "shards"} if f["x"].is_virtual else {"x", "y", "id"}
        assert set(f) == known, list(f)
        assert not {"aux_names", "y_names"} & set(f.attrs), list(f.attrs)
        return
    aux = f["aux"]
    assert aux.is_virtual == f["x"].is_virtual and aux.dtype == np.float32 and aux.chunks is None
    rows = np.arange(first, first + n)[:, None]
    assert np.array_equal(aux[:], 14 + rows / 64 - 100 * np.arange(3)), aux[:]
    assert ("aux_names" in f.attrs) == ("y_names" in f.attrs) == (kind == 3)
    if kind == 3:
        assert [a.decode() for a in f.attrs["aux_names"]] == ["", "mag_g", "mag_r"]
        assert [a.decode() for a in f.attrs["y_names"]] == ["z", ""]


# Sets without aux numbers keep the bytes they had before there were any: sha256 of the first shard
# and of the index that Orrery 0.1.0 wrote with HDF5 1.10.8.  Another version of either says so in
# the file or lays it out differently.
BEFORE = {
    0: ("ff55d600eb6fe8d7fa55653f2e3c0fad7345df0eb81a435e51a23a9beaa5dee0",
        "402a50a823b6a8ab0373ac774d0fa46bdeebd9ac7cfe5f041e27e05e9ba710bc"),
    1: ("a35a6220117d0d59f73eca47691849c1d166ff9cd2b14fded8522d303b0d9881",
        "a1e322968506ffa05a618df627c932a5e4b716cbd87bd816f2123e7f4c24076c"),
}


def check_bytes(folder, kind):
    with h5py.File(os.path.join(folder, "index.h5"), "r") as f:
        version = json.loads(f.attrs["provenance"])["version"]
    if kind not in BEFORE or (version, h5py.version.hdf5_version) != ("0.1.0", "1.10.8"):
        return False
    for name, sha in zip(("shard-00000.h5", "index.h5"), BEFORE[kind]):
        data = open(os.path.join(folder, name), "rb").read()
        assert hashlib.sha256(data).hexdigest() == sha, (kind, name)
    return True


def check(folder, kind):
    with h5py.File(os.path.join(folder, "index.h5"), "r") as f:
        assert f.attrs["format"] == b"orrery-index-1", f.attrs["format"]
        assert f["x"].is_virtual and f["x"].shape == (23, 50, 2), f["x"]
        assert [a.decode() for a in f.attrs["axes"]] == ["n", "w", "c"]
        assert [a.decode() for a in f.attrs["channel_names"]] == ["", "error"]
        assert f.attrs["units"] == b"e-/s"
        x, y, ids = f["x"][:], f["y"][:], f["id"][:]
        assert x.dtype == [np.float32, np.float16, np.uint8, np.float32, np.float16][kind], x.dtype
        if x.dtype != np.float16:
            assert np.array_equal(x, expected(23, (50, 2), x.dtype))
        else:  # bit patterns: 31 per first row of the shard and 1 per number
            first = (np.arange(23) // 7 * 7)[:, None]
            assert np.array_equal(x.view(np.uint16).reshape(23, 100), first * 31 + np.arange(100))
        if kind in (2, 3):
            assert np.array_equal(y, np.arange(23)[:, None] + 0.25 * np.arange(2)), y
        else:
            assert np.array_equal(y, np.arange(23) % 3) and f.attrs["n_classes"] == 3
            assert [a.decode() for a in f.attrs["class_names"]] == ["quiet", "planet", "binary"]
        if kind == 1:
            assert [i.decode() for i in ids] == ["star-%d" % i for i in range(23)]
        else:
            assert np.array_equal(ids, 1000 + 3 * np.arange(23))
        check_aux(f, kind, 23, 0)
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
        assert (f["x"].compression == "gzip") == (kind in (2, 4)), f["x"].compression
        assert kind in (2, 4) or f["x"].chunks is None
        check_aux(f, kind, 2, 21)


with tempfile.TemporaryDirectory() as top:
    compared = 0
    for kind in range(5):
        a, b = os.path.join(top, "a%d" % kind), os.path.join(top, "moved%d" % kind)
        subprocess.run([program, "write", a, str(kind)], check=True)
        check(a, kind)
        compared += check_bytes(a, kind)
        os.rename(a, b)
        os.chdir(top)
        check(b, kind)
        check("moved%d" % kind, kind)
print("five sets, read by h5py %s; %d compared with hashes of older ones" % (h5py.__version__, compared))
