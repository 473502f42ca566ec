"""Plan files hold what pandas finds in the catalogue: merged, set aside, sorted by field, cut into
parts."""

import math
import os
import random
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
from astropy import units as u
from astropy.coordinates import FK4, FK5, BarycentricMeanEcliptic, FK4NoETerms, Galactic, SkyCoord, Supergalactic
from astropy.io import fits

DUMP = sys.argv[1]
URL = "http://a/{rerun}/{run}/{camcol}/f-{band}-{run:06d}-{camcol}-{field:04d}.fits"


def build(plan, *options, objects=50, fields=7, url=URL, fails=None):
    done = subprocess.run([DUMP, plan, str(objects), str(fields), url, *options], capture_output=True, timeout=120, check=False)
    error = done.stderr.decode()
    if fails is not None:
        assert done.returncode == 1 and fails in error, f"{options}: expected \"{fails}\", got {done.returncode} {error}"
        assert not os.path.exists(plan) and not os.path.exists(plan + ".tmp") and not os.path.exists(plan + ".tmp.tmp"), "left behind"
        return None
    assert done.returncode == 0, error
    lines = [line.split("\t") for line in done.stdout.decode().split("\n")[:-1]]
    out = {word: [line[1:] for line in lines if line[0] == word] for word in ("counts", "identity", "schema", "part", "field", "object", "aside")}
    out["counts"] = dict(zip(("rows", "objects", "merged", "aside", "fields", "parts"), map(int, out["counts"][0])))
    return out


def place(r):
    return SkyCoord(r["ra"] * u.deg, r["dec"] * u.deg)


def apart(o, r):
    return place(o).separation(place(r)).arcsec > 1 or abs(r["z"] - o["z"][0]) > 0.01 * (1 + abs(o["z"][0]))


def expected(frame, int_ids):
    """What should become of each row, by the rules in catalogue.h."""
    objects, aside, merged = {}, [], 0
    for row, r in enumerate(frame.to_dict("records")):
        bad = r["objID"] in ("", "-1", "0", "-1.0", "0.0") or not (0 <= r["ra"] < 360) or not (-90 <= r["dec"] <= 90) or not math.isfinite(r["z"]) or not math.isfinite(r["u"])
        bad = bad or not r["run"].lstrip("-").isdigit() or not r["field"].lstrip("-").isdigit()
        bad = bad or any(not r[k] or "/" in r[k] or r[k][0] == "." or any(not 33 <= ord(c) <= 126 for c in r[k]) for k in ("rerun", "camcol"))
        if bad:
            aside.append(row)
            continue
        key = (r["rerun"], int(r["run"]), r["camcol"], int(r["field"]))
        ident = r["objID"]
        if ident not in objects:
            objects[ident] = {"row": row, "key": key, "z": [r["z"]], "ra": r["ra"], "dec": r["dec"], "u": r["u"], "id": ident}
        elif objects[ident]["key"] != key or apart(objects[ident], r):
            aside.append(row)
        else:
            objects[ident]["z"].append(r["z"])
            merged += 1
    ordered = sorted(objects.values(), key=lambda o: (o["key"], o["row"]))
    return ordered, sorted(aside), merged


def make(path, rng, n, dirt, text_ids):
    ids = [f"{1237645876861337601 + rng.randrange(n * 2)}" for _ in range(n)]
    if text_ids:
        ids = [i if rng.random() < 0.9 else rng.choice(["J12", "007", "007", "+7", "x y"]) for i in ids]
    runs = {i: (rng.choice([94, 752, 8162, 1000]), rng.choice(["301", "40", "x-1"]), rng.randrange(1, 7), rng.randrange(1, 900) // 100) for i in ids}
    # at the poles and where right ascension begins, too; most rows of an object lie near its first
    places = {i: SkyCoord(rng.choice([0, 359.9999, rng.uniform(0, 360)]) * u.deg, rng.choice([89.9999, -90, rng.uniform(-90, 90)]) * u.deg) for i in ids}
    z = {i: rng.random() for i in ids}
    rows = []
    for i in ids:
        run, rerun, camcol, field = runs[i]
        at = places[i].directional_offset_by(rng.uniform(0, 360) * u.deg, rng.choice([0, 0.4, 0.4, 0.4, 30]) * u.arcsec)
        r = {"objID": i, "ra": f"{at.ra.deg % 360:.9f}", "dec": f"{at.dec.deg:.9f}", "run": str(run), "rerun": rerun, "camcol": str(camcol), "field": str(field),
             "z": f"{z[i] + rng.choice([0, 0.002, -0.004, 0.004, 0.3]):.5f}", "u": f"{rng.gauss(20, 1):.3f}"}
        if rng.random() < dirt:
            k, v = rng.choice([("objID", ""), ("objID", "-1"), ("objID", "0"), ("objID", "-1.0"), ("ra", "360"), ("ra", "-1"), ("ra", "nan"), ("dec", "90.5"), ("dec", ""), ("z", "null"), ("z", "inf"), ("u", "nan"), ("run", ""), ("run", "x"),
                               ("rerun", "../.."), ("rerun", ".x"), ("rerun", "a b"), ("rerun", ""), ("rerun", "a/b"), ("rerun", "é"), ("field", "7"), ("camcol", "9"), ("run", "-5")])
            r[k] = v
        rows.append(r)
    frame = pd.DataFrame(rows)
    frame.to_csv(path, index=False)
    for k in ("ra", "dec", "z", "u"):
        frame[k] = pd.to_numeric(frame[k], errors="coerce")
    return frame


def check(folder, seed):
    rng = random.Random(seed)
    path, plan, n = os.path.join(folder, "c.csv"), os.path.join(folder, "plan"), rng.randrange(5, 900)
    frame = make(path, rng, n, rng.choice([0, 0.2]), seed % 2)
    most, most_fields = rng.randrange(1, 60), rng.randrange(1, 12)
    got = build(plan, f"file={path}", "target=[z]", "aux=[u]", objects=most, fields=most_fields)
    want, aside, merged = expected(frame, not seed % 2)
    counts = got["counts"]
    assert counts["rows"] == n == counts["objects"] + counts["merged"] + counts["aside"], counts
    assert counts["objects"] == len(want) and counts["merged"] == merged, (counts, len(want), merged)
    assert [int(a[0]) for a in got["aside"]] == aside, "rows set aside"
    assert all(a[1] == frame["objID"][int(a[0])] and a[2] for a in got["aside"])
    is_text = any(not o["id"].isdigit() or (len(o["id"]) > 1 and o["id"][0] == "0") for o in want)
    assert int(got["schema"][0][3]) == is_text, f"text ids {is_text}: {got['schema']}"
    for o, g in zip(want, got["object"]):
        assert int(g[0]) == o["row"] and g[2] == o["id"], (o, g)
        assert is_text or int(g[1]) == int(o["id"])
        assert float.fromhex(g[3]) == o["ra"] and float.fromhex(g[4]) == o["dec"]
        assert np.float32(sum(o["z"]) / len(o["z"])) == np.float32(float.fromhex(g[6])), (o, g)
        assert np.float32(o["u"]) == np.float32(float.fromhex(g[7]))
    keys = sorted({o["key"] for o in want})
    assert counts["fields"] == len(keys) == len(got["field"])
    at = 0
    for key, f in zip(keys, got["field"]):
        assert int(f[0]) == at and int(f[1]) == sum(o["key"] == key for o in want), (key, f)
        assert f[2] == f"http://a/{key[0]}/{key[1]}/{key[2]}/f-r-{key[1]:06d}-{key[2]}-{key[3]:04d}.fits", f
        at += int(f[1])
    at = 0
    for first, count in got["part"]:
        assert int(first) == at and 1 <= int(count) <= most_fields
        assert int(count) == 1 or sum(int(f[1]) for f in got["field"][at:at + int(count)]) <= most
        at += int(count)
    assert at == counts["fields"] and len(got["part"]) == counts["parts"], "parts cover the fields once"
    again = build(plan, f"file={path}", "target=[z]", "aux=[u]", objects=most, fields=most_fields)
    assert again == got, "deterministic"
    frame.loc[:, "z"] = frame["z"].astype(object)
    other = build(plan, f"file={path}", "target=[z]", objects=most, fields=most_fields)
    assert other["identity"] != got["identity"], "another schema is another plan"
    other = build(plan, f"file={path}", "target=[z]", "aux=[u]", objects=most + 1, fields=most_fields)
    assert other["identity"] != got["identity"], "other parts are another plan"


def check_labels(folder):
    path, plan = os.path.join(folder, "l.csv"), os.path.join(folder, "plan")
    base = {"ra": 1, "dec": 2, "run": 3, "rerun": 4, "camcol": 5, "field": 6}
    rows = [{"objID": i, **base, "kind": k} for i, k in ((1, "STAR"), (2, "GALAXY"), (3, "QSO"), (2, "GALAXY"), (1, "GALAXY"), (4, "STAR"))]
    pd.DataFrame(rows).to_csv(path, index=False)
    got = build(plan, f"file={path}", "target=[]", "label=kind", "classes=[GALAXY, STAR]")
    assert got["counts"] == {"rows": 6, "objects": 3, "merged": 1, "aside": 2, "fields": 1, "parts": 1}, got["counts"]
    assert [(o[2], o[5]) for o in got["object"]] == [("1", "1"), ("2", "0"), ("4", "1")], got["object"]
    assert [a[2] for a in got["aside"]] == ['label "QSO" is not one of classes: [GALAXY, STAR]', "the label differs from that of row 1, which has the same id (it lies 0 arcsec from there)"], got["aside"]
    assert got["schema"][0][:2] == ["1", "2"]
    os.unlink(plan)
    build(plan, f"file={path}", "label=kind", "target=z", fails="label and target (z) cannot both be given; set target: []")
    build(plan, f"file={path}", "label=kind", "target_kind=redshift", "classes=[GALAXY, STAR]", fails="target_kind is redshift, which is said of one target; here are 0")
    build(plan, f"file={path}", "target=[]", "aux=[rra]", fails="no column \"rra\" for catalogue.aux; did you mean \"ra\"?")
    build(plan, f"file={path}", fails="no column \"z\" for catalogue.target")
    two = os.path.join(folder, "two.csv")  # z of an SDSS table is a magnitude
    pd.DataFrame([{"objID": 1, **base, **{b: 17.0 for b in "ugriz"}}]).to_csv(two, index=False)
    build(plan, f"file={two}", fails="column z stands beside u, g, r and i, so it may be a magnitude; say catalogue.target: [z]")
    pd.DataFrame([{"objID": 1, **base, "Z": 17.0, "Redshift": 0.1}]).to_csv(two, index=False)
    build(plan, f"file={two}", fails="has columns z and Redshift: say which is the target, catalogue.target: [Redshift]")
    build(plan, f"file={two}", "target=[Redshift]")
    os.unlink(plan)
    pd.DataFrame([{"objID": 1, **base, "z": 0.1}]).to_csv(two, index=False)
    assert build(plan, f"file={two}")["object"], "a z alone is taken"
    os.unlink(plan)
    build(plan, f"file={path}", "target=[]", "label=kind", "classes=[x]", fails="none of 6 rows can be used; the first, row 1, id \"1\": label \"STAR\" is not one of")
    build(plan, f"file={path}.none", fails="No such file")
    build(plan, f"file={path}", "target=[]", url="http://a/{nofield}/{band}", fails="no column \"nofield\" for the archive's templates")
    for ident in ("1.23764870457714E+018", "1237645876861337601.5E1"):
        pd.DataFrame([{"objID": ident, **base}]).to_csv(path, index=False)
        build(plan, f"file={path}", "target=[]", fails="ids were rounded when the table was exported")
    with open(path, "w", encoding="ascii") as f:
        f.write("objID,ra,dec,run,rerun,camcol,field\n")
    build(plan, f"file={path}", "target=[]", fails="the catalogue has no rows")
    with open(path, "a", encoding="ascii") as f:
        f.write("1,2,3,4,5,6,7\n1,2,3,4,5,6\n")
    build(plan, f"file={path}", "target=[]", fails="l.csv:3: 6 fields, 7 expected")


def check_sky(folder):
    """Positions of any system become ICRS as astropy takes them; the system comes from the job, or
    from a FITS table's keywords; columns that speak of another one, or of no degrees, are
    refused."""
    plan = os.path.join(folder, "plan")
    n, rng = 200, np.random.default_rng(6)
    lon, lat = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    lon[:6], lat[:6] = [0, 359.9999999, 10, 20, 180, 0.000001], [0, 0, 90, -90, 45, -45]
    rest = {"run": 3, "rerun": 4, "camcol": 5, "field": 6, "z": 0.5}

    def write(ending, names=("ra", "dec"), units=None, text=None, **keys):
        path = os.path.join(folder, "s." + ending)
        table = {"objID": np.arange(n) + 1, names[0]: text or lon, names[1]: lat, **{k: np.full(n, v) for k, v in rest.items()}}
        if ending == "csv":
            pd.DataFrame(table).to_csv(path, index=False)
            return path
        columns = [fits.Column(k, "K" if np.asarray(v).dtype.kind == "i" else "D", array=v, unit=units if k in names else None) for k, v in table.items()]
        hdu = fits.BinTableHDU.from_columns(columns)
        hdu.header.update(keys)
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)
        return path

    def check_one(path, frame, *options):
        got = build(plan, f"file={path}", *options)
        ours = np.array([[float.fromhex(o[3]), float.fromhex(o[4])] for o in got["object"]])
        if frame is None:
            assert np.array_equal(ours, np.transpose([lon, lat])), "ICRS stays as it is"
        else:
            sky = SkyCoord(ours[:, 0], ours[:, 1], unit="deg")
            apart = sky.separation(SkyCoord(lon, lat, unit="deg", frame=frame).icrs).arcsec.max()
            assert len(ours) == n and apart < 1e-4 and (ours[:, 0] >= 0).all() and (ours[:, 0] < 360).all(), (path, options, apart)
            print(f"{os.path.basename(path)} {options}: within {apart:.1e} arcsec of astropy's {type(frame).__name__}")
        return got["identity"]

    for path in (write("csv"), write("fits")):
        plain = check_one(path, None)
        check_one(path, None, "sky=ICRS")
        for word, frame in (("FK5", FK5()), ("FK5 J1975", FK5(equinox="J1975")), ("FK4", FK4()), ("B1950", FK4()), ("FK4 B1900", FK4(equinox="B1900")), ("FK4-NO-E B1950", FK4NoETerms()),
                            ("galactic", Galactic()), ("supergalactic", Supergalactic()), ("ecliptic", BarycentricMeanEcliptic()), ("J2000", FK5())):
            assert check_one(path, frame, f"sky={word}") != plain, "another system is another plan"
        os.unlink(plan)
        build(plan, f"file={path}", "sky=FK6", fails='catalogue.sky: "FK6" is no system of positions')
    for keys, frame in (({"RADESYS": "ICRS", "EQUINOX": 2000.0}, None), ({"EQUINOX": 1950.0}, FK4()), ({"RADESYS": "FK5", "EQUINOX": 1975.0}, FK5(equinox="J1975")), ({"RADECSYS": "FK4"}, FK4()),
                        ({"EQUINOX": "J2000"}, FK5()), ({"EQUINOX": "1950.0"}, FK4()), ({"EPOCH": 2016.0}, None), ({"EPOCH": 2000.0}, None)):
        check_one(write("fits", **keys), frame)
    check_one(write("fits", EQUINOX=1950.0), None, "sky=ICRS")
    check_one(write("fits", ("RAB1950", "DEB1950")), FK4(), "sky=FK4", "ra=RAB1950", "dec=DEB1950")
    check_one(write("fits", units="deg"), None)
    check_one(write("csv", ("l", "b")), Galactic(), "sky=galactic", "ra=l", "dec=b")
    os.unlink(plan)
    for keys, words in (({"RADESYS": "GAPPT"}, "RADESYS is 'GAPPT'"), ({"EQUINOX": "old"}, "EQUINOX is 'old'"), ({"EPOCH": 1950.0}, "catalogue.sky: FK4 B1950"), ({"EQUINOX": 0.0}, "EQUINOX is 0")):
        build(plan, f"file={write('fits', **keys)}", fails=words)
    for unit in ("hourangle", "h", "rad", "arcsec", "hms"):
        build(plan, f"file={write('fits', units=unit)}", fails=f'column ra is in "{unit}"')
    for names, words in ((("RAB1950", "DEB1950"), "catalogue.sky: FK4 B1950"), (("_RAB1950", "_DEB1950"), "catalogue.sky"), (("GLON", "GLAT"), "catalogue.sky: galactic"), (("l", "b"), "galactic"),
                         (("ELON", "ELAT"), "catalogue.sky: ecliptic"), (("SGL", "SGB"), "supergalactic"), (("ra_hours", "dec"), "column ra_hours does not look like degrees"), (("RAh", "DEd"), "column RAh"),
                         (("ra_rad", "dec_rad"), "column ra_rad")):
        for ending in ("csv", "fits"):
            build(plan, f"file={write(ending, names)}", f"ra={names[0]}", f"dec={names[1]}", fails=words)
    for text in ("10:20:30.5", "10 20 30.5", "10h20m30.5s", "1.5h"):
        build(plan, f"file={write('csv', text=[text] * n)}", fails=f'column ra: "{text}"')
    for bad in (90.0000001, -91.0, np.nan, np.inf):
        keep, lat[:] = lat.copy(), bad
        build(plan, f"file={write('csv')}", "sky=galactic", fails="declination")
        lat[:] = keep


def check_merging(folder):
    """What makes two rows one object, by each of its options; ids of several columns."""
    path, plan = os.path.join(folder, "m.csv"), os.path.join(folder, "plan")
    first = {"objID": 7, "ra": 359.99995, "dec": 60.0, "run": 1, "rerun": 301, "camcol": 1, "field": 5, "z": 0.1}

    def of(*rows, options=()):
        pd.DataFrame([{**first, **r} for r in rows]).to_csv(path, index=False)
        got = build(plan, f"file={path}", *options)
        return got, got["counts"]["merged"], [a[2] for a in got["aside"]]

    # 0.18 arcsec, across 0 hours
    got, merged, aside = of({}, {"ra": 0.00005}, {"ra": 0.00005, "z": 0.104})
    assert merged == 2 and not aside and np.float32(float.fromhex(got["object"][0][6])) == np.float32(0.304 / 3), got
    # 0.72 arcsec over the pole
    assert of({"dec": 89.9999, "ra": 10}, {"dec": 89.9999, "ra": 190})[1] == 1
    got, merged, aside = of({}, {"ra": 0.0015})
    assert merged == 0 and aside == ["it lies 2.79 arcsec from row 1, which has the same id; one object's lie within 1 (catalogue.merge_radius)"], aside
    assert of({}, {"ra": 0.0015}, options=["merge_radius=3"])[1] == 1
    assert of({}, {"ra": 0.00005}, options=["merge_radius=0.1"])[1] == 0
    got, merged, aside = of({}, {"z": 0.5})
    assert merged == 0 and len(aside) == 1 and aside[0].startswith("target z is 0.5, and 0.1 in row 1, which has the same id and lies 0 arcsec from it"), aside
    assert "catalogue.merge_tolerance" in aside[0]
    assert of({}, {"z": 0.5}, options=["merge_tolerance=1"])[1] == 1
    assert of({}, {"z": 0.101}, options=["merge_tolerance=0"])[1] == 0
    assert of({}, {"field": 6})[2] == ["the field differs from that of row 1, which has the same id (it lies 0 arcsec from there)"]
    for none in ("-1", "0", "", "NULL", "nan", "-1.0", "0.0"):
        got, merged, aside = of({"objID": none}, {"objID": none}, {"objID": "7"})
        assert got["counts"]["objects"] == 1 and merged == 0 and len(aside) == 2, (none, got)
        assert all(a == ("the id is empty" if none in ("", "NULL", "nan") else f"the id {none} stands for none (catalogue.no_id)") for a in aside), aside
    got, merged, aside = of({"objID": 0}, {"objID": 1}, {"objID": 999}, options=["no_id=[999]"])
    assert [o[2] for o in got["object"]] == ["0", "1"] and len(aside) == 1, got
    # FITS: a null of a column of integers, and of floats
    for column in (fits.Column("objID", "K", array=np.array([-99, 7, -99]), null=-99), fits.Column("objID", "D", array=np.array([np.nan, 7, np.nan]))):
        columns = [column] + [fits.Column(k, "D", array=np.full(3, first[k])) for k in ("ra", "dec", "z")]
        columns += [fits.Column(k, "J", array=np.full(3, first[k])) for k in ("run", "rerun", "camcol", "field")]
        fits.BinTableHDU.from_columns(columns).writeto(os.path.join(folder, "m.fits"), overwrite=True)
        got = build(plan, f"file={folder}/m.fits")
        assert [o[2] for o in got["object"]] == ["7"] and [a[2] for a in got["aside"]] == ["the id is empty"] * 2, got
    # one object is what run, camcol, field and objID say together
    together = ["id=[run, rerun, camcol, field, objID]"]
    got, merged, aside = of({}, {"field": 6}, {"field": 6, "ra": 0.00005}, {"objID": ""}, options=together)
    assert [o[2] for o in got["object"]] == ["1:301:1:5:7", "1:301:1:6:7"] and merged == 1 and aside == ["the id is empty"], got
    assert int(got["schema"][0][3]) == 1
    pd.DataFrame([{**first, "rerun": "3:1"}]).to_csv(path, index=False)
    build_fails = "m.csv: row 1: column rerun: \"3:1\" has a : in it, which joins the columns of an id"
    os.unlink(plan)
    build(plan, f"file={path}", *together, fails=build_fails)
    build(plan, f"file={path}", "id=[run, nothing]", fails="no column \"nothing\" for catalogue.id")


def check_real(folder):
    data = os.environ.get("ORRERY_DATA", os.path.join(os.environ.get("ORRERY_SOURCE_DIR", "."), "..", "shared", "data"))
    plan = os.path.join(folder, "plan")
    if not os.path.isdir(data):
        print(f"real catalogues are left out: no {data}")
        return
    path = f"{data}/sdss/field-000094-1-0012/photoObj-000094-1-0012.fits"
    photo = fits.open(path)[1].data
    got = build(plan, f"file={path}", "target=[]", "aux=['CMODELMAG[2]']", url="", objects=10**6)
    assert got["counts"] == {"rows": 999, "objects": 999, "merged": 0, "aside": 0, "fields": 1, "parts": 1}, got["counts"]
    assert got["field"][0][2] == "https://data.sdss.org/sas/dr17/eboss/photoObj/frames/301/94/1/frame-r-000094-1-0012.fits.bz2"
    assert [int(o[1]) for o in got["object"]] == [int(v) for v in photo["OBJID"]]
    assert [np.float32(float.fromhex(o[6])) for o in got["object"]] == list(photo["CMODELMAG"][:, 2])
    os.unlink(plan)
    build(plan, f"file={data}/sdss/skyserver-10000.csv", "target=redshift", url="", fails="skyserver-10000.csv:2: column objid: \"1.23764870457714E+018\" has an exponent")


def main():
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(20):
            check(folder, seed)
        os.unlink(os.path.join(folder, "plan"))
        check_labels(folder)
        check_sky(folder)
        check_merging(folder)
        check_real(folder)


main()
