"""npy, npz, hdf5 and idx tables equal numpy's and h5py's, for random shapes, dtypes, byte orders,
layouts and cuts."""

import bz2
import gzip
import itertools
import lzma
import os
import random
import struct
import tempfile

import h5py
import numpy as np
from reader_oracle import Table, same

DTYPES = ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "i1", "<i2", ">i4", "<i8", "u1", ">u2", "<u4", ">u8", "?"]


def random_array(rng, dtype, shape):
    raw = np.random.RandomState(rng.randrange(1 << 30)).normal(0, 50, shape)
    return np.abs(raw).astype(dtype) if np.dtype(dtype).kind in "ub" else raw.astype(dtype)


def stored(x, axes):
    """What a shard should hold of x."""
    if x.dtype == np.uint8 or x.dtype == np.bool_:
        y = x.astype(np.uint8)
    else:
        y = x.astype(np.float64).astype(np.float32) if x.dtype.kind == "f" else x.astype(np.float32)
    y = y.reshape(len(x), -1) if x.ndim == 1 else y
    return np.moveaxis(y, 1, -1) if axes in ("cw", "chw") else y


def read(path, axes, rng, *options):
    return Table(f"files=[{path}]", f"axes={axes}", *options, threads=rng.randrange(1, 4), block=rng.randrange(1, 12))


def check_npy(folder, rng):
    for dtype, dims, fortran in itertools.product(DTYPES, range(1, 5), (False, True)):
        x = random_array(rng, dtype, (rng.randrange(1, 20), *(rng.randrange(1, 6) for _ in range(dims - 1))))
        x = np.asfortranarray(x) if fortran else x
        axes = {3: rng.choice(["auto", "wc", "cw"]), 4: rng.choice(["auto", "hwc", "chw"])}.get(dims, "auto")
        path = os.path.join(folder, "x.npy")
        with open(path, "wb") as file:
            np.lib.format.write_array(file, x, version=rng.choice([(1, 0), (2, 0), (3, 0)]))
        t = read(path, axes, rng)
        assert t.code == 0, f"{dtype} {x.shape}: {t.error}"
        same(t.x, stored(x, axes), f"npy {dtype} {x.shape} fortran {fortran} {axes}")


def check_npz(folder, rng):
    path = os.path.join(folder, "x.npz")
    for save in (np.savez, np.savez_compressed):
        x, y = random_array(rng, ">f4", (50, 3, 4)), np.arange(50) % 4
        names = np.array([f"star {i}" for i in range(50)], "S")
        save(path, x=x, y=y, names=names)
        t = read(path, "cw", rng, "label=y", "id=names")
        assert t.code == 0, t.error
        same(t.x, stored(x, "cw"), "npz x")
        same(t.y, y.astype(np.int32), "npz y")
        assert list(t.id) == list(names) and t.classes == 4
        whole = open(path, "rb").read()
        for cut in sorted(rng.randrange(1, len(whole)) for _ in range(12)):
            with open(path, "wb") as file:
                file.write(whole[:cut])
            t = read(path, "cw", rng, "label=y", "id=names")
            assert t.code == 1 and path in t.error, f"npz cut at {cut} of {len(whole)}: {t.code} {t.error}"


def check_hdf5(folder, rng):
    path = os.path.join(folder, "x.h5")
    for dtype, chunk in itertools.product([d for d in DTYPES if d != "?"], (None, 1, 7)):
        x = random_array(rng, dtype, (23, 4, 3))
        with h5py.File(path, "w") as file:
            file.create_dataset("images", data=x, chunks=chunk and (chunk, 2, 3), compression=chunk and "gzip", shuffle=bool(chunk))
            file["ans"] = (np.arange(23) % 5).astype("u1")
            file["flag"] = np.arange(23) % 2 == 0
            file["deep/id"] = [f"J{i}" for i in range(23)]
            file["z"] = np.linspace(0, 1, 46).reshape(23, 2)
        t = read(path, "auto", rng, "label=ans", "id=deep/id")
        assert t.code == 0, f"{dtype}: {t.error}"
        same(t.x, stored(x, "auto"), f"hdf5 {dtype} {chunk}")
        same(t.y, np.arange(23, dtype=np.int32) % 5, "hdf5 y")
        assert [i.decode() for i in t.id] == [f"J{i}" for i in range(23)]
        t = read(path, "cw", rng, "label=flag", "features=/images")
        same(t.x, stored(x, "cw"), "hdf5 cw")
        same(t.y, 1 - np.arange(23, dtype=np.int32) % 2, "hdf5 bool labels")
        t = read(path, "auto", rng, "label=z", "label_kind=value")
        same(t.y, np.linspace(0, 1, 46).reshape(23, 2).astype(np.float32), "hdf5 targets")


def check_types(folder, rng):
    path = os.path.join(folder, "x.npy")
    x = np.concatenate([[0, -0.0, 1e-8, 6e-8, 3e-8, 65504, 65519, 1 / 3], np.random.RandomState(0).normal(0, 1, 1000)])
    np.save(path, x.astype(np.float32))
    same(read(path, "auto", rng, "type=float16").x, x.astype(np.float32).astype(np.float16).reshape(-1, 1), "float16")
    np.save(path, np.array([1, 65520], np.float32))
    t = read(path, "auto", rng, "type=float16")
    assert t.code == 1 and "[1] is 65520, too large for float16" in t.error, t.error
    x = np.random.RandomState(1).normal(5, 3, (30, 50)).astype(np.float32)
    np.save(path, x)
    x = x.astype(np.float64)
    want = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    assert np.abs(read(path, "auto", rng, "scale_rows=zscore").x - want).max() < 1e-6


def check_idx(folder, rng):
    path = os.path.join(folder, "x.idx")
    for code, dtype in ((8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")):
        for shape in ((9,), (9, 4), (9, 3, 5), (9, 3, 5, 2)):
            x = random_array(rng, dtype, shape)
            with open(path, "wb") as file:
                file.write(bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + x.tobytes())
            want = stored(x, "auto")
            same(read(path, "auto", rng).x, want[..., None] if len(shape) == 3 else want, f"idx {dtype} {shape}")


def check_packed(folder, rng):
    """Every packing gives the same rows; every cut is refused."""
    text = "a,b\n" + "".join(f"{i},{i * .37:.3f}\n" for i in range(4000))
    plain = os.path.join(folder, "t.csv")
    with open(plain, "w", encoding="ascii") as file:
        file.write(text)
    want = Table(f"files=[{plain}]").x
    for end, pack in ((".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)):
        whole, path = pack(text.encode()), plain + end
        with open(path, "wb") as file:
            file.write(whole)
        same(Table(f"files=[{path}]", parts=1000, block=7).x, want, end)
        cuts = {len(whole) - 1, len(whole) - 5, *(rng.randrange(8, len(whole)) for _ in range(15))}
        for cut in sorted(cuts):
            with open(path, "wb") as file:
                file.write(whole[:cut])
            t = Table(f"files=[{path}]")
            assert t.code == 1 and path in t.error and "truncated or damaged" in t.error, f"{end} cut at {cut} of {len(whole)}: {t.code} {t.error}"
    x = np.arange(24, dtype="u1").reshape(4, 6)
    np.save(os.path.join(folder, "p.npy"), x)
    with open(os.path.join(folder, "p.npy"), "rb") as a, lzma.open(os.path.join(folder, "p.npy.xz"), "wb") as b:
        b.write(a.read())
    same(Table(f"files=[{folder}/p.npy.xz]").x, x, "npy.xz")


def check_real():
    folder = os.environ.get("ORRERY_DATA", os.path.join(os.environ.get("ORRERY_SOURCE_DIR", "."), "..", "shared", "data"))
    if not os.path.isdir(folder):
        print(f"real arrays are left out: no {folder}")
        return
    koi = np.load(f"{folder}/kepler/koi-folded-201.npz")
    t = Table(f"files=[{folder}/kepler/koi-folded-201.npz]", "label=y", "axes=cw", threads=2)
    same(t.x, np.ascontiguousarray(np.moveaxis(koi["X"], 1, 2)), "koi")
    same(t.y, koi["y"].astype(np.int32), "koi y")
    assert t.x.shape == (4993, 201, 1)
    t = Table(f"files=[{folder}/galaxies/gz4-69x69.h5]", "label=ans", "id=id", block=100)
    with h5py.File(f"{folder}/galaxies/gz4-69x69.h5") as file:
        same(t.x, file["images"][()], "gz4")
        same(t.y, file["ans"][()].astype(np.int32), "gz4 ans")
        same(t.id, file["id"][()].astype(np.int64), "gz4 id")


def main():
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        for check in (check_npy, check_npz, check_hdf5, check_types, check_idx, check_packed):
            check(folder, rng)
    check_real()


main()
