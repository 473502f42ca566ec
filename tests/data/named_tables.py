"""Tables of named columns (csv, FITS, structured npy) equal numpy's, astropy's and pandas':
features, targets, aux numbers, ids, labels, and rows that a filter lets through, however they are
cut."""

import bz2
import os
import random
import tempfile

import numpy as np
import pandas as pd
from astropy.io import fits
from reader_oracle import Table, same

KINDS = ["STAR", "GALAXY", "QSO", "GALAXY, odd", 'say "hi"', "two\nlines"]


def make(folder, rng, n, extra):
    """The same table as csv, FITS and npy."""
    state = np.random.RandomState(rng.randrange(1 << 30))
    kinds = KINDS if extra else KINDS[:3]
    x = np.zeros(n, [("objid", "<i8"), ("kind", "S12"), ("u", "<f8"), ("g", "<f8"), ("run", "<i4"), ("mag", "<f4", (3,)), ("z", "<f8"), ("e", "<f8")])
    x["objid"] = 1237645876861337601 + np.arange(n)
    x["kind"] = [rng.choice(kinds) for _ in range(n)]
    for name in ("u", "g", "z", "e"):
        x[name] = state.normal(0, 10, n)
    x["run"], x["mag"] = state.randint(94, 99, n), state.normal(20, 1, (n, 3))
    paths = {k: os.path.join(folder, f"t.{k}") for k in ("csv", "npy", "fits")}
    np.save(paths["npy"], x)
    frame = pd.DataFrame({"objid": x["objid"], "kind": [k.decode() for k in x["kind"]], **{k: x[k] for k in ("u", "g", "run")},
                          **{f"mag{i}": x["mag"][:, i].astype(float) for i in range(3)}, "z": x["z"], "e": x["e"]})
    frame.to_csv(paths["csv"], index=False, lineterminator=rng.choice(["\n", "\r\n"]))
    if "two\nlines" in kinds:
        del paths["fits"]  # where texts have no line ends
    else:
        columns = [fits.Column("OBJID", "K", array=x["objid"]), fits.Column("KIND", "12A", array=x["kind"]), fits.Column("U", "D", array=x["u"]), fits.Column("G", "D", array=x["g"]),
                   fits.Column("RUN", "J", array=x["run"]), fits.Column("MAG", "3E", array=x["mag"]), fits.Column("Z", "D", array=x["z"]), fits.Column("E", "D", array=x["e"])]
        fits.BinTableHDU.from_columns(columns).writeto(paths["fits"], overwrite=True)
        with open(paths["fits"], "rb") as a, open(paths["fits"] + ".bz2", "wb") as b:
            b.write(bz2.compress(a.read()))
        paths["fits.bz2"] = paths["fits"] + ".bz2"
    return x, paths


def f32(x):
    return np.ascontiguousarray(x, np.float64).astype(np.float32)


def check(folder, seed):
    rng = random.Random(seed)
    n = rng.randrange(20, 400)
    x, paths = make(folder, rng, n, seed % 2)
    kinds, runs = [k.decode() for k in x["kind"]], x["run"].tolist()
    take_kind, take_run = rng.sample(KINDS[:3], rng.randrange(1, 3)), rng.sample(range(94, 99), rng.randrange(1, 4))
    where = [k in take_kind and r in take_run for k, r in zip(kinds, runs)]
    kept = np.flatnonzero(where)
    for kind, path in paths.items():
        cut = {"parts": rng.choice([1 << 24, rng.randrange(30, 900)]), "threads": rng.randrange(1, 4), "block": rng.randrange(1, 60)}
        mags = "mag0,mag1,mag2" if kind == "csv" else "mag"
        a = Table(f"files=[{path}]", f"features=\"{mags},u\"", "target=[z, e]", "aux=[g, u, run, z]", "id=objid", **cut)
        assert a.code == 0, f"{kind}: {a.error}"
        same(a.x[:, :, 0], np.hstack([x["mag"], f32(x["u"])[:, None]]), f"{kind} x")
        same(a.y, f32(np.stack([x["z"], x["e"]], 1)), f"{kind} y")
        same(a.aux, f32(np.stack([x["g"], x["u"], x["run"], x["z"]], 1)), f"{kind} aux")
        same(a.id, x["objid"], f"{kind} id")
        assert [s.lower() for s in a.aux_names] == ["g", "u", "run", "z"] and [s.lower() for s in a.y_names] == ["z", "e"], (a.aux_names, a.y_names)
        filters = [f"where.kind=[{', '.join(take_kind)}]", f"where.run={take_run}"]
        rng.shuffle(filters)
        b = Table(f"files=[{path}]", "features=\"u,g\"", "shape=[2]", "label=kind", "classes=[STAR, GALAXY, QSO]", "aux=[run]", "id_start=1000", *filters, **cut)
        if len(kept) == 0:
            assert b.code == 1 and "no row passes input.where" in b.error, b.error
            continue
        assert b.code == 0, f"{kind}: {b.error}"
        same(b.x, f32(np.stack([x["u"], x["g"]], 1))[kept], f"{kind} filtered x")
        same(b.y, np.array([KINDS.index(kinds[i]) for i in kept], np.int32), f"{kind} filtered y")
        same(b.id, 1000 + kept.astype(np.int64), f"{kind}: ids are the rows of the whole file")
        same(b.aux[:, 0], x["run"][kept].astype(np.float32), f"{kind} filtered aux")
        skip, most = rng.randrange(0, len(kept)), rng.randrange(1, len(kept) + 1)
        c = Table(f"files=[{path}]", "features=u", "id=objid", f"skip_rows={skip}", f"max_rows={most}", *filters, **cut)
        assert c.code == 0, f"{kind}: {c.error}"
        same(c.id, x["objid"][kept][skip:skip + most], f"{kind} skip {skip}, at most {most}")
        # 19 digits: a double does not tell neighbours apart
        one = int(x["objid"][rng.randrange(n)])
        d = Table(f"files=[{path}, {path}]", "features=u", f"where.objid={one}", **cut)
        assert d.code == 0, f"{kind}: {d.error}"
        at = one - 1237645876861337601
        assert list(d.id) == [at, n + at], f"{kind}: {list(d.id)}, expected {at} and {n + at}"


def check_scaled(folder):
    """A feature that is an aux number too stays as it was."""
    x = np.random.RandomState(2).normal(5, 2, (40, 4))
    path = os.path.join(folder, "s.csv")
    pd.DataFrame(x, columns=list("abcd")).to_csv(path, index=False)
    t = Table(f"files=[{path}]", "features=\"a,b,c\"", "aux=[b, d]", "scale_rows=zscore")
    same(t.aux, f32(x[:, [1, 3]]), "aux of scaled rows")
    assert np.abs(t.x[:, :, 0] - (x[:, :3] - x[:, :3].mean(1, keepdims=True)) / x[:, :3].std(1, keepdims=True)).max() < 1e-5
    y = np.zeros(40, [("v", "<f8", (3,)), ("d", "<f8")])
    y["v"], y["d"] = x[:, :3], x[:, 3]
    np.save(path + ".npy", y)
    u = Table(f"files=[{path}.npy]", "features=v", "aux=[\"v[1]\", d]", "scale_rows=zscore", threads=2)
    same(u.aux, t.aux, "aux of scaled records")
    same(u.x, t.x, "scaled records")
    assert u.aux_names == ["v[1]", "d"]


def check_arrays(folder):
    """Aux numbers of arrays: a file, or a member or dataset, of k columns."""
    import h5py
    x, aux = np.random.RandomState(3).normal(0, 1, (50, 6)).astype(np.float32), np.random.RandomState(4).normal(0, 1, (50, 3))
    np.save(f"{folder}/x.npy", x)
    np.save(f"{folder}/aux.npy", aux)
    np.savez(f"{folder}/x.npz", x=x, extra=aux)
    with h5py.File(f"{folder}/x.h5", "w") as file:
        file["x"], file["extra"], file["flat"] = x, aux, aux[:, 0]
    for path, name in (("x.npy", f"{folder}/aux.npy"), ("x.npz", "extra"), ("x.h5", "extra")):
        t = Table(f"files=[{folder}/{path}]", f"aux=[{name}]", "aux_names=[u, g, r]", block=7, threads=2)
        assert t.code == 0, t.error
        same(t.x, x, path)
        same(t.aux, aux.astype(np.float32), f"aux of {path}")
        assert t.aux_names == ["u", "g", "r"]
    t = Table(f"files=[{folder}/x.h5]", "aux=[flat]")
    same(t.aux[:, 0], aux[:, 0].astype(np.float32), "one aux number")
    for options, sentence in ((["aux=[extra]", "aux_names=[a]"], "input.aux_names: 1 names for 3 aux numbers"), (["aux=[extra, flat]"], "for arrays it is one array of k columns"),
                              (["where.x=1"], "input.where is for tables of named columns"), (["target=[x]"], "input.target is for tables of named columns")):
        t = Table(f"files=[{folder}/x.h5]", *options)
        assert t.code == 1 and sentence in t.error, f"{options}: {t.error}"


def check_real():
    folder = os.environ.get("ORRERY_DATA", os.path.join(os.environ.get("ORRERY_SOURCE_DIR", "."), "..", "shared", "data"))
    if not os.path.isdir(folder):
        print(f"real tables are left out: no {folder}")
        return
    colors = np.load(f"{folder}/photoz/sdss_galaxy_colors.npy")
    t = Table(f"files=[{folder}/photoz/sdss_galaxy_colors.npy]", "features=1-5", "shape=[5]", "target=redshift", "aux=[r, redshift_err]", "where.spec_class=GALAXY", threads=2, block=10000)
    kept = np.flatnonzero(colors["spec_class"] == b"GALAXY")
    same(t.x, f32(np.stack([colors[b] for b in "ugriz"], 1))[kept], "galaxies")
    same(t.y[:, 0], f32(colors["redshift"][kept]), "redshifts")
    same(t.aux, f32(np.stack([colors["r"], colors["redshift_err"]], 1))[kept], "aux of galaxies")
    same(t.id, kept, "row numbers of galaxies")
    path = f"{folder}/sdss/field-000094-1-0012/photoObj-000094-1-0012.fits"
    photo = fits.open(path)[1].data
    t = Table(f"files=[{path}]", "features=\"cmodelmag,EXTINCTION[2]\"", "id=objid", "label=objc_type", "classes=[3, 6]", "where.objc_type=[3, 6]", "where.nchild=0", "nan=keep")
    kept = np.isin(photo["OBJC_TYPE"], [3, 6]) & (photo["NCHILD"] == 0)
    same(t.x[:, :, 0], np.hstack([photo["CMODELMAG"], photo["EXTINCTION"][:, 2:3]]).astype(np.float32)[kept], "photoObj")
    same(t.id, np.array([int(v) for v in photo["OBJID"][kept]]), "photoObj ids")
    t = Table(f"files=[{path}]", "label=objc_type", "id=objid")
    assert t.code == 1 and "column PARENTID is text, and features are the rest of the columns" in t.error, t.error


def main():
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(16):
            check(folder, seed)
        check_scaled(folder)
        check_arrays(folder)
    check_real()


main()
