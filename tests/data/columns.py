"""Named columns of csv, FITS and structured npy equal pandas', astropy's and numpy's."""

import bz2
import gzip
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from astropy.io import fits

DUMP = sys.argv[1]


def dump(path, *columns, table="", batch=7, fails=None):
    """Columns as lists of int, float or str; with fails: that sentence."""
    done = subprocess.run([DUMP, path, table, str(batch), *columns], capture_output=True, timeout=120, check=False)
    error = done.stderr.decode(errors="replace")
    if fails is not None:
        assert done.returncode == 1 and fails in error, f"{path} {columns}: expected \"{fails}\", got {done.returncode} {error}"
        return None
    assert done.returncode == 0, f"{path} {columns}: {error}"
    lines = done.stdout.decode("utf-8").split("\n")
    if not columns:
        return lines[:-1]
    types = [word.rsplit(":", 1)[1] for word in lines[0].split()]
    rows = [line.split("\t") for line in lines[1:-1]]
    read = {"int": int, "real": lambda s: float.fromhex(s) if "nan" not in s else math.nan, "text": lambda s: re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), s)}
    return types, [[read[c.rsplit(":", 1)[1]](row[i]) for row in rows] for i, c in enumerate(columns)]


def equal(a, b, what):
    assert len(a) == len(b), f"{what}: {len(a)} rows, expected {len(b)}"
    for i, (x, y) in enumerate(zip(a, b)):
        same = x == y or (isinstance(x, float) and math.isnan(x) and math.isnan(y))
        assert same, f"{what}, row {i}: {x!r}, expected {y!r}"


def check_csv(folder, rng):
    for seed in range(25):
        path, n = os.path.join(folder, "c.csv"), rng.randrange(1, 60)
        delimiter, end = rng.choice(",;\t|"), rng.choice(["\n", "\r\n"])
        ids = [rng.randrange(-2**63, 2**63) for _ in range(n)]
        reals = [rng.choice([rng.gauss(0, 1), 10 ** rng.uniform(-300, 300), math.nan]) for _ in range(n)]
        texts = ["".join(rng.choice("ab ,;\t|\"\nxé#") for _ in range(rng.randrange(0, 9))).strip() for _ in range(n)]
        quote = lambda s: '"' + s.replace('"', '""') + '"' if set(s) & set(",;\t|\"\n") else s
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(rng.choice(["", "\ufeff", "#Table1" + end, end]))
            f.write(delimiter.join(["objID", '"a_real"', "Note"]) + end)
            for i in range(n):
                number = rng.choice(["", "nan", "NULL"]) if math.isnan(reals[i]) else repr(reals[i])
                f.write(delimiter.join([str(ids[i]), number, quote(texts[i])]) + end + rng.choice(["", "", end]))
        types, got = dump(path, "OBJID:int", "A_Real:real", "note:text", "objid:text", batch=rng.randrange(1, 80))
        equal(got[0], ids, f"seed {seed}: ids")
        equal(got[1], reals, f"seed {seed}: reals")
        want = ["" if t.lower() in ("nan", "null") else t for t in texts]
        equal(got[2], want, f"seed {seed}: texts")
        assert types[0] == "int" and types[1] == "real"


def check_fits(folder, rng):
    n, path = 23, os.path.join(folder, "t.fits")
    random_state = np.random.RandomState(3)
    big = np.array([rng.randrange(-2**63, 2**63) for _ in range(n)], ">i8")
    columns = [
        fits.Column("ID", "K", array=big), fits.Column("B", "B", array=random_state.randint(0, 256, n)),
        fits.Column("I", "I", array=random_state.randint(-2**15, 2**15, n)), fits.Column("J", "J", array=random_state.randint(-2**31, 2**31, n)),
        fits.Column("UI", "I", bzero=32768, array=random_state.randint(0, 2**16, n).astype("u2")),
        fits.Column("UJ", "J", bzero=2**31, array=random_state.randint(0, 2**32, n).astype("u4")),
        fits.Column("UK", "K", bzero=2**63, array=(random_state.randint(0, 2**62, n).astype("u8") * 2 + 1)),
        fits.Column("SB", "B", array=random_state.randint(0, 256, n)),
        fits.Column("E", "E", array=random_state.normal(0, 1, n)), fits.Column("D", "D", array=random_state.normal(0, 1e200, n)),
        fits.Column("NUL", "J", null=-99, array=np.where(np.arange(n) % 3, np.arange(n), -99)),
        fits.Column("S", "I", array=random_state.randint(-100, 100, n)),
        fits.Column("NAME", "13A", array=[f"star {i}" for i in range(n)]), fits.Column("TEXTID", "19A", array=[str(v % 10**18) for v in big]),
        fits.Column("L", "L", array=np.arange(n) % 2 == 0), fits.Column("MAG", "5E", array=random_state.normal(20, 1, (n, 5))),
        fits.Column("M2", "6D", dim="(3,2)", array=random_state.normal(0, 1, (n, 2, 3))), fits.Column("WORDS", "12A", array=["ab  c   defg"] * n),
        fits.Column("C", "C", array=random_state.normal(0, 1, n) * 1j), fits.Column("P", "PJ()", array=np.array([np.arange(i % 4) for i in range(n)], object)),
        fits.Column("X", "11X", array=np.zeros((n, 11), bool)), fits.Column("LAST", "E", array=np.arange(n) / 7),
    ]
    other = fits.BinTableHDU.from_columns([fits.Column("Q", "J", array=np.arange(4))], name="OTHER")
    table = fits.BinTableHDU.from_columns(columns, name="MAIN")
    cards = [("TZERO8", -128), ("TSCAL12", 0.25), ("TZERO12", 3)]
    for i in range(3):
        table.header.add_comment(f"card {i}")
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((5, 5))), table, other]).writeto(path)
    data = fits.open(path)["MAIN"].data
    with open(path, "rb") as f:
        whole = f.read()
    # what astropy does not write: three words of four bytes, scaled numbers
    whole = whole.replace(b"'12A     '", b"'12A4    '")
    for i, (key, value) in enumerate(cards):
        whole = whole.replace(f"COMMENT card {i}".ljust(80).encode(), f"{key:8}= {value:>20}".ljust(80).encode())
    for packed in (None, bz2.compress, gzip.compress):
        name = path + (".bz2" if packed else "")
        with open(name, "wb") as f:
            f.write(packed(whole) if packed else whole)
        types, got = dump(name, "id:int", "id:text", "b:int", "i:int", "j:int", "ui:int", "uj:int", "uk:int", "sb:int")
        assert types == ["int"] * 9, types
        equal(got[0], [int(v) for v in big], "K")
        equal(got[1], [str(v) for v in big], "K as text")
        for k, column in enumerate(["B", "I", "J", "UI", "UJ", "UK", "SB"]):
            equal(got[2 + k], [int(v) - 128 * (column == "SB") for v in data[column]], column)
    types, got = dump(path, "e:real", "D:real", "s:real", "NAME:text", "textid:int", "L:int", "MAG[0]:real", "mag[4]:real", "M2[4]:real",
                      "words[2]:text", "last:real", "e:text", "D:text", "j:real", "nul:real", "nul:text", "ui:real", "uk:real", "uj:text", table="main", batch=1000)
    assert types[:4] == ["real", "real", "real", "text"], types
    for k, want in enumerate([data["E"].astype(float), data["D"], data["S"] * 0.25 + 3, [f"star {i}" for i in range(n)], [int(v) % 10**18 for v in big],
                              (np.arange(n) % 2 == 0).astype(int), data["MAG"][:, 0].astype(float), data["MAG"][:, 4].astype(float), data["M2"][:, 1, 1],
                              ["defg"] * n, data["LAST"].astype(float)]):
        equal(got[k], list(want), f"fits column {k}")
    assert [np.float32(t) for t in got[11]] == list(data["E"]) and [float(t) for t in got[12]] == list(data["D"]), "reals as texts"
    equal(got[13], [float(v) for v in data["J"]], "J as real")
    equal(got[14], [float(v) if v % 3 else math.nan for v in range(n)], "null as nan")
    equal(got[15], [str(v) if v % 3 else "" for v in range(n)], "null as text")
    equal(got[16], [float(v) for v in data["UI"]], "unsigned as real")
    equal(got[17], [float(int(v)) for v in data["UK"]], "unsigned 64 bits as real")
    equal(got[18], [str(v) for v in data["UJ"]], "unsigned as text")
    assert dump(path)[:3] == ["ID", "B", "I"]
    for table_name in ("OTHER", "other", "3"):
        equal(dump(path, "Q:int", table=table_name)[1][0], [0, 1, 2, 3], table_name)
    for column, sentence in (("C", "complex numbers, which is not read"), ("P", "of variable length, which is not read"), ("X", "bits, which is not read"),
                             ("MAG", "holds 5 values a row; say which, from MAG[0] to MAG[4]"), ("MAG[5]", "the values of MAG go from 0 to 4"),
                             ("MGA[1]", "did you mean \"MAG\"?"), ("nothing", "no column \"nothing\" for test.column")):
        dump(path, f"{column}:real", fails=sentence)
    dump(path, "nul:int", fails="row 1: column NUL: \"\" is null")
    dump(path, "e:int", fails="is not a whole number")
    dump(path, "name:real", fails="column NAME: \"star 0\" is not a number")
    dump(path, "Q:int", table="none", fails="no binary table \"none\"; there are: 2 (MAIN), 3 (OTHER)")
    dump(path, "Q:int", table="1", fails="no binary table \"1\"")
    cuts = sorted({0, 1, 80, 2879, 2880, 5760, len(whole) // 2, *(rng.randrange(1, len(whole)) for _ in range(25))})
    end = len(whole) - 2880 * 3  # the table before the last: its data end before this
    for cut in cuts:
        with open(path, "wb") as f:
            f.write(whole[:cut])
        if cut < end // 2:
            dump(path, "ID:int", fails=path)
        else:
            subprocess.run([DUMP, path, "", "10", "ID:int"], capture_output=True, timeout=60, check=False)
    fits.HDUList([fits.PrimaryHDU(np.zeros((3, 3)))]).writeto(path, overwrite=True)
    dump(path, "ID:int", fails="the FITS file has no binary table")


def check_npy(folder, rng):
    path, n = os.path.join(folder, "s.npy"), 31
    for order in "<>":
        kinds = [("id", order + "i8"), ("u8", order + "u8"), ("f2", order + "f2"), ("f4", order + "f4"), ("f8", order + "f8"), ("b", "?"), ("i1", "i1"),
                 ("s", "S6"), ("u", order + "U5"), ("mag", order + "f4", (5,)), ("deep", order + "i2", (2, 3)), (("a title", "named"), order + "u2"),
                 ("when", order + "M8[s]"), ("nested", [("a", "i4"), ("b", "f8", (2,))]), ("last", order + "f8")]
        x = np.zeros(n, np.dtype(kinds, align=rng.random() < 0.5))
        state = np.random.RandomState(1)
        x["id"] = [rng.randrange(-2**63, 2**63) for _ in range(n)]
        x["u8"] = np.arange(n)
        for name in ("f2", "f4", "f8", "mag", "last"):
            x[name] = state.normal(0, 5, x[name].shape)
        x["b"], x["i1"], x["s"], x["u"] = np.arange(n) % 2, np.arange(n) - 15, [f"s{i}" for i in range(n)], [f"é{i}ß" for i in range(n)]
        x["deep"], x["named"] = state.randint(-100, 100, (n, 2, 3)), np.arange(n) * 3
        np.save(path, x)
        columns = ["ID:int", "u8:int", "f2:real", "F4:real", "f8:real", "b:int", "i1:int", "s:text", "u:text", "mag[3]:real", "deep[4]:int", "named:int", "last:real"]
        types, got = dump(path, *columns)
        assert types == ["int", "int", "real", "real", "real", "int", "int", "text", "text", "real", "int", "int", "real"], types
        for k, want in enumerate([x["id"].tolist(), x["u8"].tolist(), x["f2"].astype(float), x["f4"].astype(float), x["f8"], x["b"].astype(int), x["i1"],
                                  [s.decode() for s in x["s"]], x["u"], x["mag"][:, 3].astype(float), x["deep"][:, 1, 1], x["named"], x["last"]]):
            equal(got[k], list(want), f"npy {columns[k]}")
        dump(path, "when:int", fails="dates, which is not read")
        dump(path, "nested:int", fails="a record of its own, which is not read")
    x["u8"][3] = 2**63
    np.save(path, x)
    dump(path, "u8:int", fails="row 4: column u8: \"9223372036854775808\" does not fit into 64 bits with a sign")
    assert dump(path, "u8:text")[1][0][3] == "9223372036854775808"
    np.save(path, np.zeros((4, 5)))
    dump(path, "id:int", fails="a plain array, which has no named columns")


def check_real():
    folder = os.environ.get("ORRERY_DATA", os.path.join(os.environ.get("ORRERY_SOURCE_DIR", "."), "..", "shared", "data"))
    if not os.path.isdir(folder):
        print(f"real catalogues are left out: no {folder}")
        return
    field = f"{folder}/sdss/field-000094-1-0012"
    photo = fits.open(f"{field}/photoObj-000094-1-0012.fits")[1].data
    _, got = dump(f"{field}/photoObj-000094-1-0012.fits", "objid:int", "ra:real", "cmodelmag[3]:real", "rerun:text", batch=100)
    equal(got[0], [int(v) for v in photo["OBJID"]], "objid")
    equal(got[1], list(photo["RA"]), "ra")
    equal(got[2], list(photo["CMODELMAG"][:, 3].astype(float)), "cmodelmag_i")
    assert set(got[3]) == {"301"}
    import pandas
    frame = pandas.read_csv(f"{field}/objects.csv", float_precision="round_trip")
    _, csv = dump(f"{field}/objects.csv", "objID:int", "ra:real", "colc_z:real", batch=100)
    equal(csv[0], frame["objid"].tolist(), "objects.csv ids")
    equal(csv[2], frame["colc_z"].tolist(), "objects.csv colc_z")
    assert csv[0] == got[0]
    coadd = fits.open(f"{field}/stripe82-coadd-catalogue.fit")[1].data
    _, got = dump(f"{field}/stripe82-coadd-catalogue.fit", "objid:int", "camcol:int", "psfmag_r:real")
    equal(got[0], coadd["objid"].tolist(), "coadd")
    equal(got[2], coadd["psfmag_r"].astype(float).tolist(), "coadd r")
    colors = np.load(f"{folder}/photoz/sdss_galaxy_colors.npy")
    _, got = dump(f"{folder}/photoz/sdss_galaxy_colors.npy", "u:real", "spec_class:text", "REDSHIFT:real", batch=4096)
    equal(got[0], colors["u"].tolist(), "colors u")
    equal(got[1], [s.decode() for s in colors["spec_class"]], "colors class")
    dump(f"{folder}/sdss/skyserver-10000.csv", "objid:int", fails="skyserver-10000.csv:2: column objid: \"1.23764870457714E+018\" has an exponent: it was rounded when the table was exported")


def main():
    warnings.simplefilter("ignore")
    rng = random.Random(11)
    with tempfile.TemporaryDirectory() as folder:
        for check in (check_csv, check_fits, check_npy):
            check(folder, rng)
    check_real()


main()
