"""orrery crop where a pixel's value says where it lies: frames of all systems and distortions,
catalogues of all systems, against astropy, on several ranks; and what is refused, by which
keyword."""
import csv
import os
import unittest
import warnings

import h5py
import numpy as np
import orrery as o
from astropy.coordinates import FK4, FK5, ICRS, BarycentricMeanEcliptic, FK4NoETerms, Galactic, SkyCoord, Supergalactic
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame

warnings.simplefilter("ignore")
N, SIZE, EACH = 256, 8, 20
SIP = dict(A_ORDER=2, B_ORDER=2, A_2_0=2e-5, A_1_1=-1e-5, B_0_2=3e-5, B_2_0=1e-5)
PV = {"PV1_0": 1e-4, "PV1_1": 1.01, "PV1_2": 0.003, "PV1_5": -0.2, "PV2_0": -2e-4, "PV2_1": 0.99, "PV2_2": -0.004, "PV2_6": 0.8}


def header(kind="RA---TAN", at=(150.0, 2.0), step=1.5e-4, **more):
    h = fits.Header()
    lat = "DEC--" + kind[5:] if kind.startswith("RA") else kind[0] + "LAT" + kind[4:]
    h.update(CTYPE1=kind, CTYPE2=lat, CRVAL1=at[0], CRVAL2=at[1], CRPIX1=130.25, CRPIX2=121.5,
             CD1_1=-step * 0.9, CD1_2=step * 0.4, CD2_1=step * 0.4, CD2_2=step * 0.9)
    h.update(more)
    return h


# name: header, astropy's header, the system when astropy's own guess is not it
FRAMES = {
    "icrs": (header(), None, None),
    "fk5": (header(RADESYS="FK5", EQUINOX=2000.0), None, None),
    "fk5_1975": (header(RADESYS="FK5", EQUINOX=1975.0), None, None),
    "fk4": (header(RADESYS="FK4"), None, None),
    "equinox1950": (header(EQUINOX=1950.0), None, None),
    "epoch1950": (header(EPOCH=1950.0), None, None),
    "fk4_noe": (header(RADESYS="FK4-NO-E", EQUINOX=1950.0), None, None),
    "fk4_1900": (header(RADECSYS="FK4", EQUINOX=1900.0), None, None),
    "galactic": (header("GLON-TAN", (236.2, 42.0)), None, None),
    "ecliptic": (header("ELON-TAN", (151.3, -9.4)), None, BarycentricMeanEcliptic()),
    "supergalactic": (header("SLON-TAN", (100.0, -40.0)), None, Supergalactic()),
    "zero": (header(at=(0.0, 0.0), EQUINOX=1950.0), None, None),
    "pole": (header(at=(10.0, 89.999)), None, None),
    "south": (header(at=(10.0, -89.9999), RADESYS="FK5", EQUINOX=2015.0), None, None),
    "sip": (header("RA---TAN-SIP", **SIP), None, None),
    "sip_unsaid": (header("RA---TAN", **SIP), header("RA---TAN-SIP", **SIP), None),
    "scamp": (header("RA---TAN", **PV), header("RA---TPV", **PV), None),
    "tpv": (header("RA---TPV", **PV), None, None),
    "axes3": (header(WCSAXES=3, CTYPE3="FREQ", CRVAL3=1e9, CRPIX3=1.0, CD3_3=1.0), header(), None),
}
REFUSED = {
    "CPDIS1": header(CPDIS1="LOOKUP"), "D2IMDIS1": header(D2IMDIS1="Lookup"), "RADESYS": header(RADESYS="GAPPT"), "CUNIT2": header(CUNIT2="m/s"),
    "CTYPE1": header("HLON-TAN"), "PV1_5": header("RA---SIN", PV1_5=0.1), "CRVAL1": header(CRVAL1="150"), "EQUINOX": header(EQUINOX=0.0),
}


def write_frames():
    image = (np.arange(N)[:, None] * 1000 + np.arange(N)).astype("f4")
    os.makedirs(o.tmp("frames"))
    for name, h in [*((n, f[0]) for n, f in FRAMES.items()), *REFUSED.items()]:
        fits.PrimaryHDU(image, h).writeto(o.tmp(f"frames/{name}.fits"), output_verify="ignore")


def frame_of(name):
    h, other, frame = FRAMES[name]
    wcs = WCS(other or h)
    return wcs, wcs_to_celestial_frame(wcs) if frame is None else frame


def make_rows():
    """(id, ICRS, frame, corner of the stamp or None when the object is not in the frame)."""
    rng, rows = np.random.default_rng(2), []
    for k, name in enumerate(FRAMES):
        wcs, frame = frame_of(name)
        x, y = rng.uniform(6, N - 7, (2, EACH))
        x[:6] = [4.3, N - 5.2, -0.8, N + 0.4, -30, 100]  # edges: in, in, out, out, out
        x -= (np.abs(x - np.round(x)) < 0.02) * 0.05  # the place is good to 0.01 pixel
        y -= (np.abs(y - np.round(y)) < 0.02) * 0.05
        lon, lat = wcs.all_pix2world(x, y, 0)
        icrs = SkyCoord(lon, lat, unit="deg", frame=frame).icrs
        icrs = SkyCoord(icrs.ra, icrs.dec)  # without the equinox that it remembers
        for i in range(EACH):
            inside = -0.5 < x[i] < N - 0.5 and -0.5 < y[i] < N - 0.5
            corner = [int(np.clip(np.ceil(v - SIZE / 2), 0, N - SIZE)) for v in (y[i], x[i])]
            rows.append((1000 * k + i + 1, icrs[i], name, corner if inside else None))
        # the other side of the sky, a quarter away, and the same numbers in the frame's own system
        for i, (lon, lat) in enumerate(((icrs[9].ra.deg + 180, -icrs[9].dec.deg), (icrs[9].ra.deg + 90, 0.0))):
            rows.append((1000 * k + 501 + i, SkyCoord(lon, lat, unit="deg"), name, None))
    return rows


def write_catalogue(path, rows, frame, names=("ra", "dec"), **keys):
    table = [(i, *angles(sky, frame), name) for i, sky, name, _ in rows]
    if path.endswith(".csv"):
        with open(path, "w", newline="") as f:
            out = csv.writer(f)
            out.writerow(("objID", *names, "n", "z"))
            out.writerows((i, repr(a), repr(b), n, 0.5) for i, a, b, n in table)
        return path
    ids, lon, lat, n = zip(*table)
    columns = [fits.Column("objID", "K", array=ids), fits.Column(names[0], "D", array=lon, unit="deg"), fits.Column(names[1], "D", array=lat, unit="deg"),
               fits.Column("n", "16A", array=n), fits.Column("z", "E", array=np.full(len(n), 0.5))]
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header.update(keys)
    hdu.writeto(path)
    return path


def angles(sky, frame):
    s = sky.transform_to(frame).spherical
    return float(s.lon.deg) % 360, float(s.lat.deg)


def job(name, catalogue, more="", crop=""):
    return o.write(f"{name}.yaml", f"""
out: {o.tmp(name)}
catalogue: {{file: {catalogue}, bands: [r]{more}}}
archive: {{folder: {o.tmp('frames')}, url: "http://127.0.0.1:9/{{n}}.fits", path: "{{n}}.fits"}}
crop: {{size: {SIZE}{crop}}}
part_fields: 3
runtime: {{progress: false, threads: 1}}
""")


def corners(name):
    with h5py.File(o.tmp(f"{name}/index.h5")) as f:
        return {int(i): [int(v) // 1000, int(v) % 1000] for i, v in zip(f["id"][:], f["x"][:, 0, 0, 0])}


def quarantine(path):
    with open(path, newline="") as f:
        return {int(r["id"]): r["reason"] for r in csv.DictReader(f)}


class CropSky(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        write_frames()
        cls.rows = make_rows()
        cls.want = {i: corner for i, _, _, corner in cls.rows if corner}
        cls.catalogue = write_catalogue(o.tmp("c.csv"), cls.rows, ICRS())
        cls.log = o.orrery("crop", job("whole", cls.catalogue)).err

    def test_frames(self):
        self.assertEqual(corners("whole"), self.want)
        listed = quarantine(o.tmp("whole/quarantine.csv"))
        self.assertEqual(set(listed), {i for i, _, _, corner in self.rows if not corner})
        for why in listed.values():
            self.assertIn("outside the frame", why)
        self.assertIn("frames differ in the system of their coordinates: ", self.log)

    def test_ranks(self):
        want = o.tree(o.tmp("whole"))
        for ranks in (1, 2, 3):
            self.assertIn("frames differ in the system", o.orrery("crop", job(f"ranks{ranks}", self.catalogue), ranks=ranks).err)
            self.assertEqual(o.tree(o.tmp(f"ranks{ranks}")), want)

    def test_catalogues(self):
        cases = {"fk5": (FK5(), "FK5"), "fk5_1975": (FK5(equinox="J1975"), "FK5 J1975"), "fk4": (FK4(), "B1950"), "noe": (FK4NoETerms(equinox="B1975"), "FK4-NO-E B1975"),
                 "gal": (Galactic(), "galactic"), "sgal": (Supergalactic(), "supergalactic"), "ecl": (BarycentricMeanEcliptic(), "ecliptic")}
        for name, (frame, word) in cases.items():
            path = write_catalogue(o.tmp(f"{name}.csv"), self.rows, frame, ("lon", "lat"))
            o.orrery("crop", job("of_" + name, path, f', ra: lon, dec: lat, sky: "{word}"'), ranks=2)
            got = corners("of_" + name)
            self.assertEqual({i: (got.get(i), self.want.get(i)) for i in {*got, *self.want} if got.get(i) != self.want.get(i)}, {}, name)
        path = write_catalogue(o.tmp("table.fits"), self.rows, FK4(), EQUINOX=1950.0)
        o.orrery("crop", job("of_table", path))
        self.assertEqual(corners("of_table"), self.want)

    def test_catalogues_refused(self):
        for names, words in ((("RAB1950", "DEB1950"), "catalogue.sky: FK4 B1950"), (("GLON", "GLAT"), "catalogue.sky: galactic"), (("ra_hours", "dec"), "does not look like degrees")):
            path = write_catalogue(o.tmp("refused.csv"), self.rows[:3], ICRS(), names)
            file = job("refused", path, f", ra: {names[0]}, dec: {names[1]}")
            self.assertIn(words, o.orrery("crop", file, code=1, ranks=2).err)
            fetch = o.write("fetch.yaml", f"""
catalogue: {{file: {path}, ra: {names[0]}, dec: {names[1]}, bands: [r]}}
archive: {{folder: {o.tmp('fetched')}, url: "http://127.0.0.1:9/{{n}}.fits", path: "{{n}}.fits"}}
""")
            self.assertIn(words, o.orrery("fetch", fetch, code=1).err)
        for more in (', sky: "FK6"', ', sky: "FK5 B1950"'):
            self.assertIn("catalogue.sky", o.orrery("crop", job("refused", self.catalogue, more), code=2).err)
        self.assertIn("crop.sky", o.orrery("crop", job("refused", self.catalogue, crop=', sky: "here"'), code=2).err)

    def test_frames_refused(self):
        rows = [(i, SkyCoord(150.0, 2.0, unit="deg"), name, None) for i, name in enumerate(REFUSED, 1)]
        path = write_catalogue(o.tmp("bad.csv"), rows, ICRS())
        o.orrery("crop", job("bad", path), code=1, ranks=2)
        listed = quarantine(o.tmp("bad-quarantine.csv"))
        for i, name in enumerate(REFUSED, 1):
            self.assertTrue(listed[i].startswith(f"{name}.fits: "), listed[i])
            self.assertIn(name, listed[i].split(": ", 1)[1])

    def test_hours(self):
        """Right ascensions in hours, and radians: nothing is cut, and what may be wrong is
        asked."""
        rows = [r for r in self.rows if r[2] == "icrs" and r[3]]
        for name, factor in (("hours", 1 / 15), ("radians", np.pi / 180)):
            path = o.tmp(f"{name}.csv")
            with open(path, "w", newline="") as f:
                out = csv.writer(f)
                out.writerow(("objID", "ra", "dec", "n", "z"))
                out.writerows((i, sky.ra.deg * factor, sky.dec.deg * (1 if name == "hours" else factor), n, 0.5) for i, sky, n, _ in rows)
            self.assertIn("are ra and dec decimal degrees, and ICRS (else catalogue.sky)?", o.orrery("crop", job(name, path), code=1, ranks=2).err)

    def test_said(self):
        """One system that is not today's is told; crop.sky says what the headers do not."""
        rows = [r for r in self.rows if r[2] == "equinox1950"]
        path = write_catalogue(o.tmp("one.csv"), rows, ICRS())
        log = o.orrery("crop", job("one", path), ranks=2).err
        self.assertIn("the frames' coordinates are FK4 B1950; positions were taken to that", log)
        self.assertEqual(corners("one"), {i: c for i, _, _, c in rows if c})
        wcs = WCS(FRAMES["equinox1950"][0])
        lon, lat = wcs.all_pix2world(100.2, 50.7, 0)
        rows = [(1, SkyCoord(lon, lat, unit="deg"), "equinox1950", None), (2, SkyCoord(lon, lat, unit="deg"), "RADESYS", None)]
        path = write_catalogue(o.tmp("right.csv"), rows, ICRS())
        log = o.orrery("crop", job("right", path, crop=", sky: ICRS")).err
        self.assertNotIn("coordinates are", log)
        self.assertEqual(corners("right"), {1: [47, 97], 2: [47, 97]})


if __name__ == "__main__":
    unittest.main()
