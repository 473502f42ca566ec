"""orrery crop against astropy, and against itself: ranks, kills, single file, stream, bad frames.

Frames are small: a 160 x 120 TAN image a field and band, every band shifted and turned a little
against the others, packed with bzip2. Kills are made at a known place: a frame is
held (hold.c), and whoever opens it waits."""
import bz2
import csv
import http.server
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest
import warnings

import h5py
import numpy as np
import orrery as o
import web
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS

BANDS = "gri"
WIDTH, HEIGHT, SIZE = 160, 120, 16
FIELDS = [(run, camcol, field) for run in (94, 1033) for camcol in (1, 2) for field in (12, 112)]
TEMPLATE = "/{run}/{camcol}/frame-{band}-{run:06d}-{camcol}-{field:04d}.fits.bz2"
HEADER = ["objID", "ra", "dec", "run", "rerun", "camcol", "field", "z", "mag_r", "class"]


def frame_path(field, band, folder="frames"):
    run, camcol, number = field
    return o.tmp(f"{folder}/{run}/{camcol}/frame-{band}-{run:06d}-{camcol}-{number:04d}.fits.bz2")


def header(field, band, width=WIDTH, height=HEIGHT):
    k, b = FIELDS.index(field), BANDS.index(band)
    turn = np.radians(20 * k + 0.3 * b)
    h = fits.Header()
    h["CTYPE1"], h["CTYPE2"] = "RA---TAN", "DEC--TAN"
    h["CRVAL1"], h["CRVAL2"] = 10 + 7.0 * k, -1 + 2.0 * k
    h["CRPIX1"], h["CRPIX2"] = width / 2 + 3.3 * b, height / 2 - 1.7 * b
    scale = 1.1e-4
    h["CD1_1"], h["CD1_2"] = -scale * np.cos(turn), scale * np.sin(turn)
    h["CD2_1"], h["CD2_2"] = scale * np.sin(turn), scale * np.cos(turn)
    h["BUNIT"] = "nanomaggy"
    return h


def write_frame(field, band, pixels, folder="frames", path=None):
    path = path or frame_path(field, band, folder)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    hdu = fits.PrimaryHDU(pixels.astype("f4"), header(field, band, pixels.shape[1], pixels.shape[0]))
    plain = o.tmp("frame.fits")
    hdu.writeto(plain, overwrite=True)
    with open(plain, "rb") as f, open(path, "wb") as out:
        out.write(bz2.compress(f.read(), 1))


def read_frame(path):
    with open(path, "rb") as f, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hdus = fits.HDUList.fromstring(bz2.decompress(f.read()))
        return hdus[0].data.astype("f4"), WCS(hdus[0].header)


def make_survey():
    """Frames, and a catalogue with everything in it that may go wrong: returns its rows."""
    random = np.random.default_rng(11)
    rows, number = [], 5000000000000000000
    for field in FIELDS:
        for band in BANDS:
            write_frame(field, band, random.normal(size=(HEIGHT, WIDTH)).round(2))
        w = WCS(header(field, "g"))
        # edges, and some outside
        x, y = random.uniform(-3, WIDTH + 2, 22), random.uniform(-3, HEIGHT + 2, 22)
        for ra, dec in zip(*w.all_pix2world(x, y, 0)):
            rows.append([number, repr(ra), repr(dec), field[0], 301, field[1], field[2], round(random.uniform(0, 0.4), 4),
                         round(random.uniform(14, 18), 3), random.choice(["STAR", "GALAXY"])])
            number += int(random.integers(1, 1000))
    for i, j in ((3, 50), (3, 90), (70, 120)):  # once more, with almost the same z
        rows.append(list(rows[i]))
        rows[-1][7] = round(rows[i][7] + random.uniform(0.001, 0.009), 4)
    random.shuffle(rows)
    rows.insert(9, [42, "400.5", "0", 94, 301, 1, 12, 0.1, 15.0, "STAR"])  # no place on the sky
    return rows


def write_catalogue(name, rows):
    with open(o.tmp(name), "w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(HEADER)
        w.writerows(rows)
    return o.tmp(name)


def stamp(data, x, y, size):
    """Cutout2D, moved inwards at edges; None when the object's pixel lies outside."""
    h, w = data.shape
    if not (-0.5 < x <= w - 0.5 and -0.5 < y <= h - 0.5):
        return None
    if not 0 <= np.ceil(x - size / 2) <= w - size:
        x = min(max(x, size / 2), w - size / 2)
    if not 0 <= np.ceil(y - size / 2) <= h - size:
        y = min(max(y, size / 2), h - size / 2)
    return Cutout2D(data, (x, y), size, mode="strict").data


def expected(rows, size=SIZE, folder="frames"):
    """What a crop must give: ids, cubes, z, magnitudes in order; rows of the objects that are
    listed."""
    objects = {}
    for number, r in enumerate(rows):
        if float(r[1]) < 360:
            objects.setdefault(int(r[0]), []).append(number)
    ids, cubes, z, mag, listed = [], [], [], [], []
    for field in sorted(FIELDS):
        frames = [read_frame(frame_path(field, b, folder)) for b in BANDS]
        of = [(n[0], i) for i, n in objects.items() if (rows[n[0]][3], rows[n[0]][5], rows[n[0]][6]) == field]
        for first, i in sorted(of):
            ra, dec = float(rows[first][1]), float(rows[first][2])
            stamps = [stamp(d, *w.all_world2pix([[ra, dec]], 0)[0], size) for d, w in frames]
            if any(s is None for s in stamps):
                listed.append(first)
                continue
            ids.append(i)
            cubes.append(np.stack(stamps, -1))
            z.append(np.mean([float(rows[n][7]) for n in objects[i]]))
            mag.append(float(rows[first][8]))
    return np.array(ids), np.array(cubes), np.array(z, "f4"), np.array(mag, "f4"), listed


def job(name, out, extra="", **keys):
    return o.write(name, f"""
catalogue: {{file: {o.tmp('survey.csv')}, target: [z], aux: [mag_r], bands: [g, r, i]}}
archive: {{folder: {o.tmp('frames')}, url: "http://127.0.0.1:9{TEMPLATE}"}}
crop: {{size: {SIZE}}}
out: {o.tmp(out)}
shard_mib: 0.1
part_fields: 2
runtime: {{threads: 1, progress: false}}
{extra}""")


def quarantine(out):
    with open(os.path.join(o.tmp(out), "quarantine.csv"), newline="") as f:
        return list(csv.DictReader(f))


def records(out):
    folder = o.tmp(out) + ".tmp/parts"
    if not os.path.isdir(folder):
        return {}
    names = [n for n in os.listdir(folder) if n.endswith(".csv")]
    return {n: (os.stat(os.path.join(folder, n)).st_ino, os.stat(os.path.join(folder, n)).st_mtime_ns) for n in names}


def wait_for(condition, process):
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "ended too early: " + str(process.communicate())
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.01)


def start(ranks, *args):
    return subprocess.Popen(o.argv(ranks, *args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=o.tmp(), start_new_session=True, env=o.holding())


def kill(p):
    """mpirun and its ranks, which are in groups of their own."""
    pids = [p.pid, *children(p.pid)]
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    p.communicate()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(word) for word in f.read().split()]


def peak_memory(pid):
    """KiB; what getrusage tells would hold this interpreter's own peak, too."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
    except OSError:
        return 0


class Crop(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = make_survey()
        write_catalogue("survey.csv", cls.rows)
        cls.job = job("crop.yaml", "whole")
        cls.log = o.orrery("crop", cls.job)
        cls.whole = o.tree(o.tmp("whole"))
        cls.want = expected(cls.rows)

    def same(self, out, want=None):
        self.assertEqual(o.tree(o.tmp(out)), want or self.whole)
        self.assertFalse(os.path.exists(o.tmp(out) + ".tmp"))

    def test_equals_astropy(self):
        ids, cubes, z, mag, listed = self.want
        with h5py.File(o.tmp("whole/index.h5")) as f:
            self.assertTrue(np.array_equal(f["id"][:], ids))
            self.assertTrue(np.array_equal(f["x"][:], cubes))
            self.assertTrue(np.allclose(f["y"][:], z, rtol=1e-6))
            self.assertTrue(np.array_equal(f["aux"][:, 0], mag))
            self.assertEqual([s.decode() for s in f.attrs["channel_names"]], list(BANDS))
            self.assertEqual(f.attrs["units"].decode(), "nanomaggy")
            came_from = json.loads(f.attrs["provenance"])
        self.assertGreater(len([n for n in self.whole if n.startswith("shard-")]), 3)
        self.assertEqual(came_from["inputs"], [{"file": "survey.csv", "sha256": o.sha(o.tmp("survey.csv"))}])
        self.assertNotIn(o.tmp(), json.dumps(came_from))
        q = quarantine("whole")
        self.assertEqual([int(r["row"]) for r in q], [9] + listed)
        self.assertEqual(q[0]["id"], "42")
        for r in q[1:]:
            self.assertEqual(int(r["id"]), self.rows[int(r["row"])][0])
            self.assertIn("outside the frame", r["reason"])
        self.assertGreater(len(listed), 5)
        self.assertIn(f"{len(ids)} cubes + 3 merged + {len(q)} listed", self.log.out)
        self.assertEqual(len(self.rows), len(ids) + 3 + len(q))
        self.assertIn("3 rows merged", self.log.err)
        self.assertIn("moved inwards", self.log.err)

    def test_ranks_parts_and_threads(self):
        for ranks, *more in ((1,), (2, "part_fields=1"), (3, "part_fields=3"), (5, "part_fields=1"), (0, "runtime.threads=3"), (2, "part_fields=100")):
            out = f"ranks-{ranks}-{len(more)}-{more[0] if more else ''}"
            o.orrery("crop", self.job, f"out={o.tmp(out)}", *more, ranks=ranks)
            self.same(out)

    def test_single(self):
        trees = []
        for ranks in (0, 2, 3, 5):
            o.orrery("crop", self.job, f"out={o.tmp(f'single-{ranks}')}", "output=single", "part_fields=1", ranks=ranks)
            trees.append(o.tree(o.tmp(f"single-{ranks}")))
            self.assertEqual(trees[-1], trees[0])
        self.assertEqual(sorted(trees[0]), ["index.h5", "quarantine.csv", "shard-00000.h5"])
        with h5py.File(o.tmp("whole/index.h5")) as a, h5py.File(o.tmp("single-0/shard-00000.h5")) as b:
            for name in ("x", "y", "id", "aux"):
                self.assertTrue(np.array_equal(a[name][:], b[name][:]), name)
        r = o.orrery("crop", self.job, f"out={o.tmp('no')}", "output=single", "compression=3", code=2)
        self.assertIn("output: shards", r.err)

    def test_compressed(self):
        o.orrery("crop", self.job, f"out={o.tmp('packed')}", "compression=2", ranks=2)
        with h5py.File(o.tmp("packed/index.h5")) as f:
            self.assertTrue(np.array_equal(f["x"][:], self.want[1]))

    def test_killed_twice(self):
        for before, after, output in ((0, 0, "shards"), (2, 3, "single")):
            name, out = f"killed-{before}.yaml", f"killed-{before}"
            path = job(name, out, f"output: {output}").replace("part_fields: 2", "part_fields: 1")
            seen = {}
            for field in (FIELDS[3], FIELDS[6]):
                held = o.Hold(frame_path(field, "r"))
                try:
                    p = start(before, "crop", path, "part_fields=1")
                    # alone: all parts before it; two ranks: all parts but it
                    wait_for(lambda: len(records(out)) >= (sorted(FIELDS).index(field) if before == 0 else len(FIELDS) - 1), p)
                    kill(p)
                finally:
                    held.restore()
                now = records(out)
                # finished parts are not done again
                self.assertEqual({n: now[n] for n in seen}, seen)
                seen = now
            self.assertFalse(os.path.exists(o.tmp(out)))
            r = o.orrery("crop", path, "part_fields=1", ranks=after)
            self.assertIn(f"{len(seen)} of {len(FIELDS)} parts were finished by an earlier start", r.err)
            if output == "shards":
                self.same(out)
            else:
                o.orrery("crop", self.job, f"out={o.tmp('not-killed')}", "output=single")
                self.same(out, o.tree(o.tmp("not-killed")))

    def test_killed_while_assembling(self):
        """What assembly had begun goes; parts stay."""
        out = "half"
        held = o.Hold(frame_path(FIELDS[7], "i"))
        p = start(0, "crop", self.job, f"out={o.tmp(out)}", "part_fields=1")
        wait_for(lambda: len(records(out)) == 7, p)
        kill(p)
        held.restore()
        # as if it was stopped between a part's cubes and its record
        os.remove(o.tmp(out) + ".tmp/parts/part-00003.csv")
        os.mkdir(o.tmp(out) + ".tmp/set")
        shutil.copy(o.tmp("whole/shard-00000.h5"), o.tmp(out) + ".tmp/set/shard-00000.h5.tmp")
        o.orrery("crop", self.job, f"out={o.tmp(out)}", "part_fields=1", ranks=2)
        self.same(out)

    def test_signal(self):
        for ranks in (0, 2):
            out = f"signal-{ranks}"
            held = o.Hold(frame_path(FIELDS[5], "g"))
            try:
                p = start(ranks, "crop", self.job, f"out={o.tmp(out)}", "part_fields=1")
                held.wait(p)
                for pid in children(p.pid) if ranks else [p.pid]:
                    os.kill(pid, signal.SIGTERM)
                held.release()
                err = p.communicate(timeout=60)[1]
            finally:
                held.restore()
            self.assertEqual(p.returncode, 75, err)
            self.assertIn("start again to resume", err)
            self.assertFalse(os.path.exists(o.tmp(out)))
            o.orrery("crop", self.job, f"out={o.tmp(out)}", "part_fields=1")
            self.same(out)

    def test_two_at_once(self):
        held = o.Hold(frame_path(FIELDS[0], "g"))
        try:
            p = start(0, "crop", self.job, f"out={o.tmp('both')}")
            held.wait(p)
            r = o.orrery("crop", self.job, f"out={o.tmp('both')}", code=1)
            self.assertIn("another orrery crop is at work", r.err)
            held.release()
            self.assertEqual(p.wait(timeout=60), 0)
            p.communicate()
        finally:
            held.restore()
        self.same("both")

    def test_another_job(self):
        out = f"out={o.tmp('other')}"
        held = o.Hold(frame_path(FIELDS[4], "g"))
        p = start(0, "crop", self.job, out)
        wait_for(lambda: len(records("other")) >= 2, p)
        kill(p)
        held.restore()
        before = records("other")
        r = o.orrery("crop", self.job, out, "crop.edge=pad", code=2, ranks=2)
        self.assertIn('"edge: pad" was "edge: clamp"', r.err)
        write_catalogue("changed.csv", self.rows[1:])
        r = o.orrery("crop", self.job, out, f"catalogue.file={o.tmp('changed.csv')}", code=2)
        self.assertIn("catalogue_sha256", r.err)
        self.assertIn("remove the folder", r.err)
        # another order of fields
        r = o.orrery("crop", self.job, out, "archive.url=http://127.0.0.1:9/{rerun}" + TEMPLATE, code=2)
        self.assertIn("fields: [rerun, run, camcol, field]", r.err)
        self.assertEqual(records("other"), before)
        # what does not decide about cubes may change
        o.orrery("crop", self.job, out, "shard_mib=1", "archive.user_agent=me")
        with h5py.File(o.tmp("other/index.h5")) as f:
            self.assertTrue(np.array_equal(f["x"][:], self.want[1]))

    def test_bad_frames(self):
        """Frames that are missing, cut, empty, of another size: their objects are listed, each with
        a reason."""
        shutil.copytree(o.tmp("frames"), o.tmp("bad"))
        missing, cut, empty, small, html = (frame_path(FIELDS[i], b, "bad") for i, b in ((0, "i"), (1, "r"), (2, "g"), (3, "r"), (4, "i")))
        os.remove(missing)
        with open(cut, "r+b") as f:
            f.truncate(os.path.getsize(cut) // 2)
        open(empty, "w").close()
        write_frame(FIELDS[3], "r", np.zeros((HEIGHT, WIDTH // 2)), path=small)
        with open(html, "w") as f:
            f.write("<html>404</html>")
        bad = f"archive.folder={o.tmp('bad')}"
        r = o.orrery("crop", self.job, bad, f"out={o.tmp('bad-1')}")
        q = quarantine("bad-1")
        reasons = {}
        for row in q[1:]:
            reasons.setdefault(tuple(self.rows[int(row["row"])][3:7:1]), set()).add(row["reason"])
        for i, word in ((0, os.path.basename(missing)), (1, os.path.basename(cut)), (2, os.path.basename(empty)), (3, "80 x 120"), (4, os.path.basename(html))):
            run, camcol, field = FIELDS[i]
            found = reasons[(run, 301, camcol, field)]
            self.assertEqual(len(found), 1)
            self.assertIn(word, found.pop())
        kept = [n for n in range(len(self.want[0])) if self.field_of(self.want[0][n]) in FIELDS[5:]]
        with h5py.File(o.tmp("bad-1/index.h5")) as f:
            self.assertTrue(np.array_equal(f["id"][:], self.want[0][kept]))
            self.assertTrue(np.array_equal(f["x"][:], self.want[1][kept]))
            self.assertEqual(len(self.rows), len(f["id"]) + 3 + len(q))
        self.assertIn("24 frames wanted, 4 of them bad", r.err)
        for ranks in (2, 3):
            o.orrery("crop", self.job, bad, f"out={o.tmp(f'bad-{ranks}')}", "part_fields=1", ranks=ranks)
            self.same(f"bad-{ranks}", o.tree(o.tmp("bad-1")))
        r = o.orrery("crop", self.job, bad, f"out={o.tmp('bad-fail')}", "on_bad_frame=fail", "part_fields=1", code=1, ranks=2)
        self.assertIn("on_bad_frame: list", r.err)
        self.assertIn("fits.bz2", r.err)

    def field_of(self, number):
        r = next(r for r in self.rows if r[0] == number)
        return r[3], r[5], r[6]

    def test_nothing_left(self):
        os.makedirs(o.tmp("nothing"), exist_ok=True)
        r = o.orrery("crop", self.job, f"archive.folder={o.tmp('nothing')}", f"out={o.tmp('none')}", code=1, ranks=2)
        self.assertIn("none of its 180 rows gave a cube", r.err)
        with open(o.tmp("none-quarantine.csv")) as f:
            self.assertEqual(len(f.readlines()), 1 + 177)  # a header; merged rows are not listed
        self.assertFalse(os.path.exists(o.tmp("none.tmp")))
        self.assertFalse(os.path.exists(o.tmp("none")))

    def test_nan_pixels(self):
        shutil.copytree(o.tmp("frames"), o.tmp("nan"))
        path = frame_path(FIELDS[0], "r", "nan")
        data, w = read_frame(path)
        data = data.copy()
        r = next(r for r in self.rows if r[0] in self.want[0] and (r[3], r[5], r[6]) == FIELDS[0])
        x, y = w.all_world2pix([[float(r[1]), float(r[2])]], 0)[0].astype(int)
        data[max(y - 2, 0):y + 2, max(x - 5, 0):x + 5] = np.nan
        marked = data.copy()  # infinities stand for none as NaN does
        marked[max(y - 2, 0):y, max(x - 5, 0):x + 5] = -np.inf
        write_frame(FIELDS[0], "r", data, path=path)
        want = expected(self.rows, folder="nan")[1]
        write_frame(FIELDS[0], "r", marked, path=path)
        touched = np.isnan(want).any((1, 2, 3))
        self.assertGreater(touched.sum(), 0)
        for rule, cubes in (("drop", want[~touched]), ("zero", np.nan_to_num(want)), ("keep", want)):
            r = o.orrery("crop", self.job, f"archive.folder={o.tmp('nan')}", f"out={o.tmp('nan-' + rule)}", f"crop.nan={rule}")
            with h5py.File(o.tmp(f"nan-{rule}/index.h5")) as f:
                self.assertTrue(np.array_equal(f["x"][:], cubes, equal_nan=True), rule)
            if rule == "drop":
                self.assertIn(f"{touched.sum()} objects set aside with pixels that are not numbers", r.err)
            else:
                self.assertIn(f"{np.isnan(want).sum()} NaN pixels in {touched.sum()} cubes", r.err)

    def test_targets_and_aux_that_stand_for_none(self):
        with open(o.tmp("survey.csv")) as f:
            header_line, *lines = f.read().splitlines()
        mag, z = header_line.split(",").index("mag_r"), header_line.split(",").index("z")
        good = [n for n, line in enumerate(lines) if int(line.split(",")[0] or -1) in self.want[0]]
        for k, (at, value) in enumerate(((mag, "-9999"), (mag, "-9999"), (z, "99.99"), (mag, "99"))):
            cells = lines[good[3 * k]].split(",")
            cells[at] = value
            lines[good[3 * k]] = ",".join(cells)
        path = o.write("none.csv", "\n".join([header_line, *lines]) + "\n")
        r = o.orrery("crop", self.job, "catalogue.file=" + path, f"out={o.tmp('none-1')}")
        self.assertRegex(r.err, "look like they stand for none: mag_r -9999 [12] times?, 99 1 time;")
        for ranks, missing in ((0, "[-9999, 99, 99.99]"), (2, "{mag_r: [-9999, 99], z: 99.99}")):
            r = o.orrery("crop", self.job, "catalogue.file=" + path, f"out={o.tmp('none-%d' % (ranks + 2))}",
                         "catalogue.missing=" + missing, ranks=ranks)
            self.assertNotIn("look like", r.err)
            with h5py.File(o.tmp("none-%d/index.h5" % (ranks + 2))) as f, h5py.File(o.tmp("none-1/index.h5")) as whole:
                aux, y = whole["aux"][:].ravel(), whole["y"][:].ravel()
                keep = (aux != -9999) & (aux != 99) & (y != np.float32(99.99))
                np.testing.assert_array_equal(f["id"][:], whole["id"][:][keep])
                self.assertLess(keep.sum(), len(keep))
        r = o.orrery("crop", self.job, f"out={o.tmp('none-9')}", "catalogue.missing={mag_x: 1}", code=None)
        self.assertIn("catalogue.missing: mag_x", r.err)

    def test_classes(self):
        o.orrery("crop", self.job, f"out={o.tmp('classes')}", "catalogue.target=[]", "catalogue.label=class", "catalogue.classes=[STAR, GALAXY]")
        names = {r[0]: r[9] for r in self.rows}
        with h5py.File(o.tmp("classes/index.h5")) as f:
            self.assertTrue(np.array_equal(f["y"][:], [["STAR", "GALAXY"].index(names[i]) for i in f["id"][:]]))
            self.assertTrue(np.array_equal(f["x"][:], self.want[1]))

    def test_more_objects_than_fit(self):
        """A field whose cubes do not fit into memory at once: several pieces, frames unpacked
        once."""
        random = np.random.default_rng(5)
        w = WCS(header(FIELDS[0], "g"))
        x, y = random.uniform(5, WIDTH - 6, 700), random.uniform(5, HEIGHT - 6, 700)
        rows = [[10 + i, repr(ra), repr(dec), *FIELDS[0][:1], 301, *FIELDS[0][1:], 0.1, 15.0, "STAR"]
                for i, (ra, dec) in enumerate(zip(*w.all_pix2world(x, y, 0)))]
        many = write_catalogue("many.csv", rows)
        size = 100  # 120 kB a cube: 209 of them at a time, 70 of one field
        args = ("crop", self.job, f"catalogue.file={many}", f"crop.size={size}", "shard_mib=30")
        held = o.Hold(frame_path(FIELDS[0], "i"))
        try:
            p = start(0, *args, f"out={o.tmp('many')}")
            held.wait(p)
            held.release()
            out, err = p.communicate(timeout=60)
            self.assertEqual(p.returncode, 0, err)
        finally:
            held.restore()
        want = expected(rows, size)
        with h5py.File(o.tmp("many/index.h5")) as f:
            self.assertTrue(np.array_equal(f["id"][:], want[0]))
            self.assertTrue(np.array_equal(f["x"][:], want[1]))
        o.orrery(*args, f"out={o.tmp('many-2')}", "runtime.threads=2", ranks=2)
        self.assertEqual(o.tree(o.tmp("many")), o.tree(o.tmp("many-2")))
        for n in ("many", "many-2"):
            shutil.rmtree(o.tmp(n))

    def test_refused(self):
        made = o.sha(o.tmp("whole/index.h5"))
        self.assertIn("nothing is done", o.orrery("crop", self.job, ranks=2).out)
        self.assertEqual(o.sha(o.tmp("whole/index.h5")), made)
        r = o.orrery("crop", self.job, "crop.size=8", code=1, ranks=2)
        self.assertIn("overwrite", r.err)
        r = o.orrery("crop", self.job, f"archive.folder={o.tmp('no-such')}", f"out={o.tmp('r1')}", code=1)
        self.assertIn("orrery fetch", r.err)
        r = o.orrery("crop", self.job, "catalogue.ra=rah", f"out={o.tmp('r2')}", code=1, ranks=2)
        self.assertIn("rah", r.err)
        self.assertIn("ra", r.err)
        r = o.orrery("crop", self.job, f"out={o.tmp('r3')}", "crop.sise=3", code=2)
        self.assertIn("size", r.err)
        o.write("file", "no folder")
        r = o.orrery("crop", self.job, f"out={o.tmp('file/out')}", code=1, ranks=2)
        self.assertIn("file", r.err)
        os.makedirs(o.tmp("r4.tmp"))
        o.write("r4.tmp/precious", "")
        r = o.orrery("crop", self.job, f"out={o.tmp('r4')}", code=1)
        self.assertIn("no unfinished crop", r.err)
        self.assertTrue(os.path.exists(o.tmp("r4.tmp/precious")))
        o.orrery("crop", self.job, f"out={o.tmp('r5')}", "crop.size=8")
        o.orrery("crop", self.job, f"out={o.tmp('r5')}", "overwrite=true")
        self.same("r5")

    def test_path_without_a_field(self):
        """A path that leaves out in what fields differ would give the objects of one field
        another's frame: refused, but for a stream, which does not look there."""
        run = FIELDS[0][0]
        # what would be taken for those of the other run, too
        for field in (f for f in FIELDS if f[0] == run):
            for band in BANDS:
                shutil.copy(frame_path(field, band), o.tmp(f"frames/any-{field[1]}-{field[2]}-{band}.fits.bz2"))
        path = "archive.path=any-{camcol}-{field}-{band}.fits.bz2"
        for ranks in (0, 2):
            r = o.orrery("crop", self.job, path, f"out={o.tmp('places')}", code=2, ranks=ranks)
            self.assertIn("archive.path does not name {run}", r.err)
            self.assertEqual(r.err.count("orrery crop:"), 1, r.err)
            self.assertFalse(os.path.exists(o.tmp("places")))
            self.assertEqual(records("places"), {})
        # of one run: the path says enough
        few = write_catalogue("few.csv", [r for r in self.rows if r[3] == run])
        o.orrery("crop", self.job, path, f"catalogue.file={few}", f"out={o.tmp('few-any')}")
        o.orrery("crop", self.job, f"catalogue.file={few}", f"out={o.tmp('few')}")
        with h5py.File(o.tmp("few-any/index.h5")) as a, h5py.File(o.tmp("few/index.h5")) as b:
            self.assertGreater(len(a["id"]), 20)
            for name in ("x", "y", "id", "aux"):
                self.assertTrue(np.array_equal(a[name][:], b[name][:]), name)
        with serve(o.tmp("frames")) as url:
            self.stream(url, "places-stream", path)
        with h5py.File(o.tmp("places-stream/index.h5")) as f:
            self.assertTrue(np.array_equal(f["x"][:], self.want[1]))

    def test_no_room(self):
        """A file size limit stands for a full disk: nothing is lost, the next start goes on."""
        args = o.argv(0, "crop", self.job, f"out={o.tmp('full')}", "shard_mib=16")

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            # room for parts, not for the set
            resource.setrlimit(resource.RLIMIT_FSIZE, (1300000, 1300000))

        p = subprocess.run(args, preexec_fn=limit, capture_output=True, text=True, cwd=o.tmp())
        self.assertEqual(p.returncode, 1, p.stderr)
        self.assertIn("limit", p.stderr)
        self.assertEqual(len(records("full")), 4)
        o.orrery("crop", self.job, f"out={o.tmp('full')}")
        self.same("full")

    # ---- over the network ----
    def stream(self, url, out, *more, ranks=0, code=0):
        return o.orrery("crop", self.job, "stream=true", f"archive.url={url}{TEMPLATE}", "archive.folder=nowhere", "archive.backoff=0.01", "archive.retries=3",
                        f"out={o.tmp(out)}", *more, ranks=ranks, code=code)

    def test_stream(self):
        with serve(o.tmp("frames")) as url:
            for ranks, threads in ((0, 1), (0, 3), (2, 1), (3, 2)):
                out = f"stream-{ranks}-{threads}"
                self.stream(url, out, "part_fields=1", f"runtime.threads={threads}", ranks=ranks)
                self.same(out)
            # the second rank has no connection
            self.stream(url, "stream-few", "archive.connections=1", ranks=2)
            self.same("stream-few")
        self.assertFalse(os.path.exists(o.tmp("nowhere")))

    def test_stream_missing_frame(self):
        shutil.copytree(o.tmp("frames"), o.tmp("holes"))
        os.remove(frame_path(FIELDS[2], "r", "holes"))
        os.remove(frame_path(FIELDS[7], "i", "holes"))
        o.orrery("crop", self.job, f"archive.folder={o.tmp('holes')}", f"out={o.tmp('holes-disk')}")
        with serve(o.tmp("holes")) as url:
            self.stream(url, "holes-stream", ranks=2)
        self.same("holes-stream", o.tree(o.tmp("holes-disk")))
        # nobody there: every object listed
        r = self.stream("http://127.0.0.1:9", "no-server", "archive.retries=1", code=1)
        self.assertIn("no-server-quarantine.csv says why", r.err)

    def test_stream_stopped_and_killed(self):
        with serve(o.tmp("frames"), hold=os.path.basename(frame_path(FIELDS[4], "r"))) as url:
            args = ("crop", self.job, "stream=true", f"archive.url={url}{TEMPLATE}", "part_fields=1", f"out={o.tmp('stream-kill')}")
            p = start(0, *args)
            wait_for(lambda: len(records("stream-kill")) >= 2, p)
            p.send_signal(signal.SIGTERM)
            err = p.communicate(timeout=30)[1]
            self.assertEqual(p.returncode, 75, err)
            self.assertIn("start again to resume", err)
            before = records("stream-kill")
            p = start(0, *args)
            wait_for(lambda: len(records("stream-kill")) >= 2, p)
            time.sleep(0.2)
            kill(p)
            now = records("stream-kill")
            self.assertEqual({n: now[n] for n in before}, before)
        # and to the end from disk
        o.orrery("crop", self.job, f"out={o.tmp('stream-kill')}", "part_fields=1")
        self.same("stream-kill")


class serve:
    """Serves a folder: nginx, or Python's own server where there is none (or a file is to be held
    back)."""

    def __init__(self, folder, hold=None):
        self.folder, self.hold = folder, hold

    def __enter__(self):
        if web.NGINX and not self.hold:
            self.nginx = web.Nginx(self.folder)
            return self.nginx.url
        self.nginx = None
        hold, folder = self.hold, self.folder

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __init__(self, *a):
                super().__init__(*a, directory=folder)

            def do_GET(self):
                if hold and self.path.endswith(hold):
                    time.sleep(1000)
                super().do_GET()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # clients that are killed hang up
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_):
        if self.nginx:
            self.nginx.close()
        else:
            self.server.shutdown()
            self.server.server_close()


class RealField(unittest.TestCase):
    """SDSS field 94-1-12: every object of its catalogue against astropy, and against SDSS's own
    pixel positions."""

    def setUp(self):
        data = o.shared_data()
        self.folder = data and os.path.join(data, "sdss", "field-000094-1-0012")
        if not self.folder or not os.path.isdir(self.folder):
            self.skipTest("real data (ORRERY_DATA or ../shared/data) is not on this machine")

    def test_objects(self):
        with open(os.path.join(self.folder, "objects.csv"), newline="") as f:
            rows = list(csv.DictReader(f))
        with open(o.tmp("real.csv"), "w", newline="") as f:
            w = csv.DictWriter(f, [*rows[0], "run", "rerun", "camcol", "field"], lineterminator="\n")
            w.writeheader()
            for r in rows:
                w.writerow({**r, "run": 94, "rerun": 301, "camcol": 1, "field": 12})
        made = o.write("real.yaml", f"""
catalogue: {{file: {o.tmp('real.csv')}, id: objid, target: [cmodelmag_r], aux: [cmodelmag_g, cmodelmag_r]}}
archive: {{folder: {self.folder}, path: "frame-{{band}}-{{run:06d}}-{{camcol}}-{{field:04d}}.fits.bz2"}}
out: {o.tmp('real')}
runtime: {{threads: 2, progress: false}}
""")
        p = subprocess.Popen(o.argv(0, "crop", made), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peak = 0
        while p.poll() is None:
            peak = max(peak, peak_memory(p.pid))
            time.sleep(0.01)
        self.assertEqual(p.returncode, 0)
        print(f"field 94-1-12: peak memory {peak / 1024:.0f} MiB")
        self.assertGreater(peak, 20 * 1024)  # it was looked at
        self.assertLess(peak, 200 * 1024)
        with h5py.File(o.tmp("real/index.h5")) as f:
            ids, cubes = f["id"][:], f["x"][:]
        by_id = {int(r["objid"]): r for r in rows}
        self.assertEqual(len(rows), len(ids) + len(quarantine("real")))
        self.assertGreater(len(ids), 980)
        off = 0
        for b, band in enumerate("ugriz"):
            data, wcs = read_frame(os.path.join(self.folder, f"frame-{band}-000094-1-0012.fits.bz2"))
            sky = np.array([[float(by_id[i]["ra"]), float(by_id[i]["dec"])] for i in ids])
            for k, (x, y) in enumerate(wcs.all_world2pix(sky, 0)):
                self.assertTrue(np.array_equal(cubes[k, :, :, b], stamp(data, x, y, 32)), (ids[k], band))
                col, row = float(by_id[ids[k]]["colc_" + band]) - 0.5, float(by_id[ids[k]]["rowc_" + band]) - 0.5
                off += abs(col - x) < 1 and abs(row - y) < 1
        # the measured centres agree with the catalogue's positions
        self.assertGreater(off, 0.9 * 5 * len(ids))


if __name__ == "__main__":
    if not o.MPIRUN:
        o.skip("this build has no MPI")
    o.HOLD = sys.argv.pop(1)
    unittest.main()
