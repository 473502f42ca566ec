"""What HDF5 fills in, and says nothing of: sources of virtual datasets that are gone, short or not
named, chunks never written, raw files that are short. It is refused with the file's name, or said,
or what is read is what h5py reads of whole files."""

import itertools
import os
import random
import shutil
import tempfile

import h5py
import numpy as np
from reader_oracle import Table, same

N, C = 24, 5
X = np.random.RandomState(7).normal(0, 9, (N, C)).astype(np.float32)


class Case:
    def __init__(self, folder):
        self.folder = folder
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name, x=X, dataset="x", **how):
        with h5py.File(self.path(name), "a", libver=how.pop("libver", "earliest")) as file:
            file.create_dataset(dataset, data=x, **how)

    def read(self, name="all.h5", dataset="x"):
        return Table(f"files=[{self.path(name)}]", f"features={dataset}", "other_files=true")

    def good(self, what, name="all.h5", expected=X, said="", dataset="x"):
        t = self.read(name, dataset)
        assert t.code == 0, f"{what}: {t.error}"
        same(t.x.reshape(expected.shape), np.ascontiguousarray(expected), what)
        assert said in t.said and ("warn" in t.said) == bool(said), f"{what}: {t.said}"

    def refused(self, what, *words, name="all.h5", dataset="x"):
        t = self.read(name, dataset)
        assert t.code == 1, f"{what}: exit {t.code}, read {t.x}"
        for word in (*([] if words and words[0].startswith("middle.h5: ") else [name]), dataset, *words):
            assert word in t.error, f"{what}: no {word} in: {t.error}"


def virtual(case, name, sources, shape=(N, C), dataset="x", fill=None, maxshape=None):
    """sources: (rows here, file, dataset, its shape, rows there)"""
    layout = h5py.VirtualLayout(shape, np.float32, maxshape)
    for here, file, inner, there_shape, there in sources:
        layout[here] = h5py.VirtualSource(file, inner, there_shape)[there]
    with h5py.File(case.path(name), "a", libver="latest") as file:
        file.create_virtual_dataset(dataset, layout, fillvalue=fill)


def parts(case, k=3, names="s{}.h5"):
    size = N // k
    for i in range(k):
        case.make(names.format(i), X[i * size:(i + 1) * size])
    return [(slice(i * size, (i + 1) * size), names.format(i), "x", (size, C), slice(None)) for i in range(k)]


def sources_gone(case_of):
    for i in range(3):
        case = case_of()
        virtual(case, "all.h5", parts(case))
        case.good("virtual")
        os.remove(case.path(f"s{i}.h5"))
        case.refused("a source gone", f"s{i}.h5")
        with open(case.path(f"s{i}.h5"), "wb") as file:
            file.write(b"no HDF5")
        case.refused("a source that is none", f"s{i}.h5")
        os.remove(case.path(f"s{i}.h5"))
        case.make(f"s{i}.h5", X[:8], "other")
        case.refused("a dataset gone", f"s{i}.h5: x")
        case.make(f"s{i}.h5", X[:7])
        case.refused("a source that is shorter", f"s{i}.h5: x", "has 35 of them")
    case = case_of()
    virtual(case, "all.h5", parts(case), fill=np.float32(3))
    os.remove(case.path("s1.h5"))
    case.refused("a source gone, with a fill value", "s1.h5")


def same_file(case_of):
    case = case_of()
    case.make("all.h5", X[:10], "a")
    case.make("all.h5", X[10:], "g/b")
    virtual(case, "all.h5", [(slice(0, 10), ".", "a", (10, C), slice(None)), (slice(10, N), ".", "g/b", (N - 10, C), slice(None))])
    case.good("sources in the same file")
    with h5py.File(case.path("all.h5"), "a") as file:
        del file["g/b"]
    case.refused("gone from the same file", "g/b")


def unmapped(case_of):
    whole = parts(case_of())
    for drop in range(3):
        case = case_of()
        parts(case)
        virtual(case, "all.h5", whole[:drop] + whole[drop + 1:])
        case.refused("rows that no source is named for", "40 of its 120 values")
        os.remove(case.path("all.h5"))
        virtual(case, "all.h5", whole[:drop] + whole[drop + 1:], fill=np.float32(-7))
        expected = X.copy()
        expected[drop * 8:drop * 8 + 8] = -7
        case.good("the same with a fill value", expected=expected, said="fill value (-7)")
    case = case_of()
    parts(case)
    # overlaps: 20 of 24 rows
    virtual(case, "all.h5", [*whole[:2], (slice(12, 20), "s2.h5", "x", (8, C), slice(None))])
    case.refused("as many rows as there are, not in every place", "20 of its 120 values")


def interleaved(case_of):
    case = case_of()
    case.make("s0.h5", X[::2])
    case.make("s1.h5", X[1::2])
    virtual(case, "all.h5", [(slice(i, N, 2), f"s{i}.h5", "x", (N // 2, C), slice(None)) for i in range(2)])
    case.good("interleaved")
    os.remove(case.path("s1.h5"))
    case.refused("interleaved, one gone", "s1.h5")


def nested(case_of):
    for gone in ("s1.h5", "middle.h5", None):
        case = case_of()
        virtual(case, "middle.h5", parts(case))
        virtual(case, "all.h5", [(slice(None), "middle.h5", "x", (N, C), slice(None))])
        if gone:
            case.good("nested")
            os.remove(case.path(gone))
            case.refused("nested, one gone", *["all.h5", gone] if gone == "middle.h5" else ["middle.h5: x: ", gone])
    os.makedirs(case.path("deep"))
    for name in ("s0.h5", "s1.h5", "s2.h5", "middle.h5"):
        os.rename(case.path(name), case.path("deep/" + name))
    os.remove(case.path("all.h5"))
    virtual(case, "all.h5", [(slice(None), "deep/middle.h5", "x", (N, C), slice(None))])
    case.good("nested, in a folder of its own")
    os.remove(case.path("deep/s2.h5"))
    case.refused("nested, in a folder of its own, one gone", "middle.h5: x: ", "s2.h5")
    case = case_of()
    case.make("s0.h5", dtype="f4")
    with h5py.File(case.path("middle.h5"), "w") as file:
        file.create_dataset("x", (N, C), "f4", chunks=(4, C))[:8] = X[:8]
    virtual(case, "all.h5", [(slice(None), "middle.h5", "x", (N, C), slice(None))])
    t = case.read()
    assert t.code == 1 and "middle.h5: x: 4 of its 6 chunks were never written" in t.error, t.error


def pattern(case, block=6):
    """Files s-0.h5, s-1.h5, ... by one name, as detectors' writers make them."""
    low = h5py.h5s.create_simple((block, C), (h5py.h5s.UNLIMITED, C))
    low.select_hyperslab((0, 0), (h5py.h5s.UNLIMITED, 1), (block, 1), (block, C))
    source = h5py.h5s.create_simple((block, C))
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_virtual(low, b"s-%b.h5", b"x", source)
    with h5py.File(case.path("all.h5"), "w", libver="latest") as file:
        h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, low, plist)


def patterns(case_of):
    for gone in range(4):
        case = case_of()
        for i in range(4):
            case.make(f"s-{i}.h5", X[6 * i:6 * i + 6])
        pattern(case)
        case.good("a pattern of names")
        os.remove(case.path(f"s-{gone}.h5"))
        if gone == 3:  # nobody says how many there were
            case.good("a pattern, fewer", expected=X[:18])
        elif gone:
            case.refused("a pattern with a gap", f"s-{gone}.h5")
        else:
            assert case.read().code == 1


def endless(case_of):
    """Sources that grow."""
    for short in (0, 1, 2):
        case = case_of()
        for i in range(2):
            case.make(f"s{i}.h5", X[i::2], maxshape=(None, C), chunks=(3, C))
        space = h5py.h5s.create_simple((N, C), (h5py.h5s.UNLIMITED, C))
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        for i in range(2):
            space.select_hyperslab((i, 0), (h5py.h5s.UNLIMITED, 1), (2, 1), (1, C))
            source = h5py.h5s.create_simple((N // 2, C), (h5py.h5s.UNLIMITED, C))
            source.select_hyperslab((0, 0), (1, 1), (1, 1), (h5py.h5s.UNLIMITED, C))
            plist.set_virtual(space, f"s{i}.h5".encode(), b"x", source)
        with h5py.File(case.path("all.h5"), "w", libver="latest") as file:
            h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, plist)
        if short == 0:
            case.good("sources that grow")
            continue
        if short == 1:
            os.remove(case.path("s1.h5"))
            case.refused("sources that grow, one gone", "s1.h5")
        else:
            with h5py.File(case.path("s1.h5"), "a") as file:
                file["x"].resize((9, C))
            case.refused("sources that grow, one behind", "s1.h5: x", "has 45 of them")


def chunks(case_of):
    rng = random.Random(3)
    for libver, how in itertools.product(("earliest", "latest", ("v110", "v110")),
                                         ({}, {"compression": "gzip"}, {"maxshape": (None, C)}, {"maxshape": (None, None)}, {"maxshape": (2 * N, C)},
                                          {"fletcher32": True})):
        for chunk in ((5, 2), (1, C), (N, C), (7, C)):
            case = case_of()
            case.make("all.h5", chunks=chunk, libver=libver, **how)
            case.good(f"chunks {chunk} {libver} {how}")
            for fill in (None, 2.5):
                os.remove(case.path("all.h5"))
                rows = rng.randrange(0, N // chunk[0] + 1) * chunk[0]
                with h5py.File(case.path("all.h5"), "w", libver=libver) as file:
                    d = file.create_dataset("x", (N, C), "f4", chunks=chunk, fillvalue=fill, **how)
                    d[:rows] = X[:rows]
                expected = X.copy()
                expected[rows:] = fill or 0
                if rows >= N:
                    case.good("all written")
                elif fill is None:
                    case.refused(f"chunks {chunk} {libver} {how}, {rows} rows written", "never written")
                else:
                    case.good("the same with a fill value", expected=expected, said="fill value (2.5)")
    case = case_of()
    with h5py.File(case.path("all.h5"), "w") as file:
        file.create_dataset("x", (N, C), "f4")
    case.refused("contiguous, never written", "its values were never written")
    case = case_of()
    with h5py.File(case.path("all.h5"), "w") as file:
        file.create_dataset("x", (N, C), "f4", fillvalue=0)
    case.good("contiguous, never written, zeros named", expected=np.zeros_like(X), said="fill value (0)")
    case = case_of()
    with h5py.File(case.path("all.h5"), "w") as file:
        file["x"] = X
        file.create_dataset("y", (N,), "i4", chunks=(4,))
    t = Table(f"files=[{case.path('all.h5')}]", "label=y")
    assert t.code == 1 and "all.h5: y: 6" in t.error, (t.code, t.error)


def raw_files(case_of):
    case = case_of()
    here = os.getcwd()
    os.chdir(case.folder)
    try:
        names = [(case.path("a.raw"), 0, 200), (case.path("b.raw"), 16, h5py.h5f.UNLIMITED)]
        with h5py.File("all.h5", "w") as file:
            file.create_dataset("x", (N, C), "f4", external=names)[...] = X
        case.good("raw files")
        size = os.path.getsize("b.raw")
        os.truncate("b.raw", size - 1)
        case.refused("a raw file cut", "b.raw")
        os.remove("b.raw")
        case.refused("a raw file gone", "b.raw")
        os.truncate("a.raw", 100)
        case.refused("the first raw file cut", "a.raw")
    finally:
        os.chdir(here)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for check in (sources_gone, same_file, unmapped, interleaved, nested, patterns, endless, chunks, raw_files):
            check(lambda: Case(folder))
            print(check.__name__, "ok")


main()
