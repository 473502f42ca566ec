"""The synthetic sky survey against astropy and scikit-learn: frames that open whole, world
coordinates that lead to the light, shares as asked, bytes that do not depend on who makes a field,
and the physics that the photometric-redshift examples rest on.

    synth_sdss.py SYNTH_SDSS     the program makes a survey: PARTS key=value ... (PARTS 0: the
    catalogue alone)
"""

import csv
import hashlib
import os
import subprocess
import sys
import tempfile
import unittest
import warnings

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import gaussian_filter, map_coordinates
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

warnings.simplefilter("ignore")  # RADECSYS is what the archive writes
PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else ""
TMP = tempfile.TemporaryDirectory()
BANDS = "ugriz"
EXTINCTION = np.array([4.239, 3.303, 2.285, 1.698, 1.263])
SMALL = ("width=256", "height=192", "objects=8")


def survey(name, parts, *args):
    out = os.path.join(TMP.name, name)
    subprocess.run([PROGRAM, str(parts), "out=" + out, *args], check=True)
    with open(os.path.join(out, "catalogue.csv")) as f:
        return out, list(csv.DictReader(f))


def column(rows, name):
    return np.array([float(r[name]) for r in rows])


def positions(rows, band):
    """0-based pixels, from SDSS's convention."""
    return column(rows, "colc_" + band) - 0.5, column(rows, "rowc_" + band) - 0.5


def frame_path(out, row, band):
    run, camcol, field = (int(row[k]) for k in ("run", "camcol", "field"))
    return f"{out}/{row['rerun']}/{run}/{camcol}/frame-{band}-{run:06d}-{camcol}-{field:04d}.fits.bz2"


def by_field(rows):
    fields = {}
    for r in rows:
        fields.setdefault((r["run"], r["camcol"], r["field"]), []).append(r)
    return list(fields.values())


def tree(folder):
    sums = {}
    for where, _, names in os.walk(folder):
        for n in names:
            with open(os.path.join(where, n), "rb") as f:
                sums[os.path.relpath(os.path.join(where, n), folder)] = hashlib.sha256(f.read()).hexdigest()
    return sums


def sigma_mad(found, z):
    d = (found - z) / (1 + z)
    return 1.4826 * np.median(np.abs(d - np.median(d)))


class Files(unittest.TestCase):
    def test_parts(self):
        """Bytes depend on seed and field alone."""
        args = ("fields=7", *SMALL)
        one = tree(survey("one", 1, *args)[0])
        self.assertEqual(len(one), 7 * 5 + 1)
        for parts in (2, 3, 7):
            self.assertEqual(tree(survey(f"parts{parts}", parts, *args)[0]), one)
        more = tree(survey("more", 1, "fields=8", *SMALL)[0])
        self.assertEqual({k: v for k, v in more.items() if k in one and k != "catalogue.csv"},
                         {k: v for k, v in one.items() if k != "catalogue.csv"})
        other = tree(survey("seed", 1, "seed=1", *args)[0])
        self.assertEqual(other.keys(), one.keys())
        self.assertFalse(set(other.values()) & set(one.values()))

    def test_frames(self):
        """Every HDU, the header, and counts that come back from calibration and sky."""
        out, rows = survey("frames", 1, "fields=3", "width=250", "height=187", "objects=5")
        for field in by_field(rows):
            for band in BANDS:
                with fits.open(frame_path(out, field[0], band)) as f:
                    f.verify("exception")
                    self.assertEqual(len(f), 4)
                    image, header = f[0].data, f[0].header
                    self.assertEqual((image.shape, image.dtype.str, header["BITPIX"]), ((187, 250), ">f4", -32))
                    want = {"FILTER": band, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "BUNIT": "nanomaggy", "RUN": int(field[0]["run"]),
                            "CAMCOL": int(field[0]["camcol"]), "FRAME": int(field[0]["field"]), "RERUN": "301", "CRPIX1": 126.0, "CRPIX2": 94.0}
                    self.assertEqual({k: header[k] for k in want}, want)
                    self.assertTrue(np.isfinite(image).all())
                    self.assertFalse((image.astype("<f4").view(np.uint32) & 0x1FFF).any(), "more than 10 mantissa bits")
                    sky = f[2].data
                    y, x = np.meshgrid(sky["YINTERP"][0], sky["XINTERP"][0], indexing="ij")
                    counts = image / f[1].data[None, :] + map_coordinates(sky["ALLSKY"][0], [y, x], order=1)
                    self.assertLess(np.median(np.abs(counts - np.rint(counts))), 0.01)
                    trans = f[3].data[0]
                    self.assertEqual(len(f[3].columns), 31)
                    self.assertEqual((trans["RERUN"], trans["FILTER"], list(trans["NAXIS"])), ("301", band, [250, 187]))

    def test_world_coordinates(self):
        """The catalogue's place is where astropy finds it, and where the light is."""
        out, rows = survey("places", 1, "fields=14", "saturated=0", "edges=0.3", "duplicates=0", *SMALL)
        checked = 0
        for field in by_field(rows):
            ra, dec, r = column(field, "ra"), column(field, "dec"), column(field, "cModelMag_r")
            self.assertTrue(((ra >= 0) & (ra < 360)).all())
            for band in BANDS:
                with fits.open(frame_path(out, field[0], band)) as f:
                    image, wcs = f[0].data.astype(float), WCS(f[0].header)
                x, y = positions(field, band)
                got = wcs.all_world2pix(ra, dec, 0)
                self.assertLess(np.abs(np.array(got) - [x, y]).max(), 1e-4)
                noise = 1.4826 * np.median(np.abs(image - np.median(image)))
                for k in range(len(field)):
                    near = np.hypot(x - x[k], y - y[k])
                    cx, cy = int(round(x[k])), int(round(y[k]))
                    if r[k] > 17 or np.sort(near)[1] < 30 or not (6 <= cx < 250 and 6 <= cy < 186):
                        continue
                    box = image[cy - 6:cy + 7, cx - 6:cx + 7]
                    if box.max() < 30 * noise:
                        continue
                    box = gaussian_filter(box, 1)  # flat tops have noise
                    py, px = np.unravel_index(box.argmax(), box.shape)
                    self.assertLessEqual(max(abs(px + cx - 6 - x[k]), abs(py + cy - 6 - y[k])), 1.0)
                    checked += 1
        self.assertGreater(checked, 60)
        x, y = positions(rows, "r")
        for band in "ugiz":
            dx, dy = (a - b for a, b in zip(positions(rows, band), (x, y)))
            self.assertTrue(2 < np.abs(dx).max() < 8 and 2 < np.abs(dy).max() < 8, "the bands' offsets")
        ra = column(by_field(rows)[0], "ra")
        self.assertTrue((ra > 359).any() and (ra < 1).any(), "the first field crosses right ascension 0")

    def test_light(self):
        """The pixels hold the flux of the catalogue's magnitudes."""
        out, rows = survey("light", 1, "fields=12", "objects=1", "saturated=0", "edges=0", "duplicates=0", "width=256", "height=256")
        for b, band in enumerate("gri"):
            ratios = []
            for r in rows:
                image = fits.getdata(frame_path(out, r, band)).astype(float)
                x, y = positions([r], band)
                yy, xx = np.mgrid[:256, :256]
                light = (image[np.hypot(xx - x, yy - y) < 45]).sum()
                ratios.append(light / 10 ** (0.4 * (22.5 - float(r["cModelMag_" + band]))))
            self.assertLess(abs(np.median(ratios) - 1), 0.06, f"{band}: {ratios}")

    def test_saturated(self):
        """A neighbour whose core is flat at the full well, or none at all."""
        for share in (0, 1):
            out, rows = survey(f"saturated{share}", 1, "fields=2", f"saturated={share}", "edges=0", *SMALL)
            clipped = 0
            for field in by_field(rows):
                image = fits.getdata(frame_path(out, field[0], "r"))
                full = image > (64000 - 250) * 0.0048 * 0.99
                for x, y in zip(*positions(field, "r")):
                    cx, cy = int(x), int(y)
                    clipped += full[max(cy - 18, 0):cy + 19, max(cx - 18, 0):cx + 19].sum() >= 4
            if share:
                # the others' stars lie outside the frame
                self.assertGreater(clipped, 0.7 * len(rows))
            else:
                self.assertEqual(clipped, 0)


class Catalogue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.all = survey("catalogue", 0, "fields=48", "objects=250", "edges=0.15", "duplicates=0.02")[1]
        seen, cls.rows, cls.twins = {}, [], []
        for r in cls.all:
            if r["objID"] in seen:
                cls.twins.append((seen[r["objID"]], r))
            else:
                seen[r["objID"]] = r
                cls.rows.append(r)
        cls.z = column(cls.rows, "z")
        cls.branch = np.array([r["subClass"] == "STARFORMING" for r in cls.rows])
        cls.mags = np.stack([column(cls.rows, "cModelMag_" + b) for b in BANDS], 1)

    def looks(self, mags):
        return np.concatenate([mags[:, :-1] - mags[:, 1:], mags[:, 2:3]], 1)

    def test_identity(self):
        self.assertEqual(len(self.rows), 48 * 250)
        for r in self.rows[::97]:
            number = int(r["objID"])
            self.assertEqual(len(r["objID"]), 19)
            self.assertEqual((number >> 59, number >> 48 & 0x7FF, number >> 32 & 0xFFFF, number >> 29 & 7, number >> 16 & 0xFFF),
                             (2, int(r["rerun"]), int(r["run"]), int(r["camcol"]), int(r["field"])))
            self.assertEqual(r["class"], "GALAXY")
        fields = [(r["run"], r["camcol"], r["field"]) for r in self.rows]
        self.assertFalse(any(a == b for a, b in zip(fields, fields[1:64])), "rows are not sorted by field")

    def test_shares(self):
        x, y = positions(self.rows, "r")
        edge = np.min([x, y, 2047 - x, 1488 - y], axis=0)
        self.assertAlmostEqual(np.mean(edge <= 16), 0.15, delta=0.012)
        self.assertFalse(((edge > 16.001) & (edge < 19.99)).any())
        self.assertGreater(edge.min(), 0)
        self.assertAlmostEqual(self.branch.mean(), 0.15, delta=0.01)
        self.assertAlmostEqual(len(self.twins) / len(self.rows), 0.02, delta=0.004)
        for a, b in self.twins:
            self.assertLess(abs(float(a["z"]) - float(b["z"])), 0.003)
            self.assertEqual({k: v for k, v in a.items() if k != "z"}, {k: v for k, v in b.items() if k != "z"})
        self.assertGreater(np.mean([a["z"] != b["z"] for a, b in self.twins]), 0.95)

    def test_ranges(self):
        self.assertTrue(self.z.min() > 0 and self.z.max() < 0.4)
        true_r = self.mags[:, 2] - EXTINCTION[2] * column(self.rows, "e_bv_sfd")
        self.assertTrue(14.3 < true_r.min() < 15 and 17.5 < true_r.max() < 18)
        self.assertLess(abs(np.median(column(self.rows, "petroMag_r") - self.mags[:, 2])), 0.1)

    def test_redshift_from_colours(self):
        """A forest finds z; with the reddening taken off it finds it better: what the pixels cannot
        know."""
        train = np.arange(len(self.z)) % 4 != 0
        errors = []
        for mags in (self.mags, self.mags - column(self.rows, "e_bv_sfd")[:, None] * EXTINCTION):
            x = self.looks(mags)
            forest = RandomForestRegressor(40, min_samples_leaf=5, max_features=0.6, random_state=0, n_jobs=2).fit(x[train], self.z[train])
            found = forest.predict(x[~train])
            errors.append(sigma_mad(found[~self.branch[~train]], self.z[~train][~self.branch[~train]]))
            self.assertGreater(self.z.var() / np.mean((found - self.z[~train]) ** 2), 8)
        print(f"sigma_MAD as observed {errors[0]:.4f}, dereddened {errors[1]:.4f}")
        self.assertTrue(0.008 < errors[1] < 0.018, errors)
        self.assertGreater(errors[0], 1.25 * errors[1])

    def test_degenerate_branch(self):
        """The branch is known by its colours; which of its two redshifts a galaxy has, nothing
        tells."""
        x = self.looks(self.mags - column(self.rows, "e_bv_sfd")[:, None] * EXTINCTION)
        classifier = RandomForestClassifier(40, min_samples_leaf=5, random_state=0, n_jobs=2)
        known = cross_val_predict(classifier, x, self.branch, cv=4, method="predict_proba")[:, 1]
        self.assertGreater(roc_auc_score(self.branch, known), 0.99)
        x, z = x[self.branch], self.z[self.branch]
        forest = RandomForestRegressor(100, min_samples_leaf=20, random_state=0, n_jobs=2)
        middle = cross_val_predict(forest, x, z, cv=4)  # tends to a + 0.05
        self.assertGreater(np.sqrt(np.mean((z - middle) ** 2)), 0.045)
        self.assertLess(np.mean(np.abs(z - middle) < 0.02), 0.06, "two peaks with a gap between them")
        upper = z > middle
        self.assertAlmostEqual(upper.mean(), 0.5, delta=0.04)
        told = cross_val_predict(classifier, np.column_stack([x, middle]), upper, cv=4, method="predict_proba")[:, 1]
        auc = roc_auc_score(upper, told)
        print(f"upper or lower redshift: AUC {auc:.3f}")
        self.assertTrue(0.45 < auc < 0.55)


if __name__ == "__main__":
    unittest.main()
