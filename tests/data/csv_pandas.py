"""csv tables equal pandas' float64 -> float32, bit for bit, however they are cut."""

import io
import os
import random
import tempfile

import numpy as np
import pandas as pd
from reader_oracle import Table, same

ODD = ["-0", "0", "-0.0", "1e-320", "4.9e-324", "2.4703282292062327e-324", "1e-45", "7e-46", "3.4028235e38", "-1E+5", "1e-05",
       "0.1234567890123456789012345", "1234567890123456789012345", "9007199254740993", "16777217", "33554433.000000001",
       "0.30000001192092896", "1.00000005960464477539", "1.00000005960464477540", "8.5e-39", ".5", "5.", "1e1", "1e0000001"]


def number(rng):
    kind = rng.randrange(5)
    if kind == 0:
        return rng.choice(ODD)
    if kind == 1:
        return repr(rng.gauss(0, 10 ** rng.uniform(-30, 30)))
    if kind == 2:
        return f"{rng.uniform(-1e5, 1e5):.2f}"
    if kind == 3:
        return str(rng.randrange(-10**9, 10**9))
    return f"{rng.gauss(0, 1):.{rng.randrange(0, 26)}e}"


def text(rng):
    return "".join(rng.choice("ab \",\n\r;x1é") for _ in range(rng.randrange(8)))


def write(path, rng, rows, columns, delimiter, end, blank):
    out = io.StringIO()

    def put(fields):
        out.write(delimiter.join('"' + f.replace('"', '""') + '"' if set(f) & set('",\n\r;\t|') else f for f in fields) + end)

    put(["note", "label", *(f"f{i}" for i in range(columns)), "key"])
    for i in range(rows):
        values = [number(rng) if rng.random() >= blank else "" for _ in range(columns)]
        put([text(rng), rng.choice(["a", "b,b", 'c"c']), *values, f"k{i:04d}"])
        if rng.random() < 0.05:
            out.write(end)
    data = out.getvalue()
    if rng.random() < 0.5:
        data = data.rstrip("\r\n")
    if rng.random() < 0.3:
        data = "\ufeff" + data
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(data)


def check(path, seed):
    rng = random.Random(seed)
    delimiter, end = rng.choice(",;\t|"), rng.choice(["\n", "\r\n"])
    rows, columns, blank = rng.randrange(1, 60), rng.randrange(1, 30), rng.choice([0, 0.1])
    write(path, rng, rows, columns, delimiter, end, blank)
    frame = pd.read_csv(path, sep=delimiter, float_precision="round_trip", dtype={"label": str, "key": str}, encoding="utf-8-sig",
                        lineterminator=None)
    x = frame[[f"f{i}" for i in range(columns)]].to_numpy(np.float64)
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    y = frame["label"].map({"a": 0, "b,b": 1, 'c"c': 2}).to_numpy(np.int32)
    options = [f"files=[{path}]", "label=label", "id=key", f"features=3-{columns + 2}", "nan=keep",
               'classes=[a, "b,b", "c\\"c"]', 'delimiter="\\t"' if delimiter == "\t" else f'delimiter="{delimiter}"']
    for parts, threads, block in ((1 << 24, 1, 1 << 30), (rng.randrange(1, 300), 2, rng.randrange(1, 20)), (7, 3, 64)):
        t = Table(*options, parts=parts, threads=threads, block=block)
        assert t.code == 0, f"seed {seed}: {t.error}"
        same(t.x[:, :, 0], x, f"seed {seed}, parts {parts}: x")
        same(t.y, y, f"seed {seed}: y")
        assert [k.decode() for k in t.id] == list(frame["key"]), f"seed {seed}: ids"


def check_scaled(path):
    raw = np.random.RandomState(5).normal(300, 1e3, (20, 400)).round(2)
    np.savetxt(path, raw, delimiter=",", fmt="%.2f")
    t = Table(f"files=[{path}]", "scale_rows=zscore")
    want = (raw - raw.mean(1, keepdims=True)) / raw.std(1, keepdims=True)
    assert np.abs(t.x[:, :, 0] - want).max() < 1e-6, "zscore"


def check_real():
    folder = os.environ.get("ORRERY_DATA", os.path.join(os.environ.get("ORRERY_SOURCE_DIR", "."), "..", "shared", "data"))
    scaled, raw = (os.path.join(folder, "kepler", n) for n in ("exotest-zscored.csv.xz", "exo-positives-raw.csv.xz"))
    if not os.path.exists(scaled):
        print(f"real light curves are left out: no {scaled}")
        return
    a = Table(f"files=[{scaled}]", "label=LABEL", "classes=[1, 2]", parts=100000, threads=2)
    frame = pd.read_csv(scaled, float_precision="round_trip")
    same(a.x[:, :, 0], frame.to_numpy()[:, 1:].astype(np.float32), "exotest")
    same(a.y, (frame["LABEL"] - 1).to_numpy(np.int32), "exotest labels")
    assert a.names == ["1", "2"] and a.y.sum() == 5
    b = Table(f"files=[{raw}]", "label=LABEL", "classes=[1, 2]", "skip_rows=37", "scale_rows=zscore", "id_start=1000")
    assert np.abs(b.x - a.x[:5]).max() < 1e-5, "raw rows scaled are the rows of the scaled file"
    assert list(b.id) == [1037, 1038, 1039, 1040, 1041]


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "t.csv")
        for seed in range(40):
            check(path, seed)
        check_scaled(path)
    check_real()


main()
