"""Crop against the libbz2 time of the same bytes, and stream mode against its two halves:
python3 bench/jobs/crop.py ORRERY FRAMES [runs=3] [copies=1] [objects=100] [threads=1] [stream=1]

FRAMES holds packed SDSS frames, frame-B-RRRRRR-C-FFFF.fits.bz2, five bands a field.  A catalogue of
OBJECTS a field is made, some of them in the last rows, so that every frame is unpacked to its end;
with copies=K each field stands K times in it (under other numbers, by links). In turn, RUNS times:
libbz2 alone on all frames (BZ2_bzBuffToBuffDecompress, one thread); the whole command `orrery crop`
on one rank; and with stream=1, from an nginx on loopback: `orrery fetch` alone, `orrery crop
stream=true`; then fetch and stream again with archive.rate_mib set to half of what crop takes, so
that the network is the slower half. Claims (medians): libbz2 / crop >= 0.9 with threads=1; stream
<= 1.1 times the slower of fetch and crop."""
import csv
import ctypes
import ctypes.util
import glob
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "jobs"))
import web  # noqa: E402

NAME = re.compile(r"frame-([ugriz])-(\d{6})-(\d)-(\d{4})\.fits\.bz2$")


def find_fields(folder):
    """{(run, camcol, field): {band: path}} of the fields that have all five bands."""
    fields = {}
    for path in glob.glob(os.path.join(folder, "**", "frame-*.fits.bz2"), recursive=True):
        m = NAME.search(path)
        if m:
            fields.setdefault((int(m[2]), int(m[3]), int(m[4])), {})[m[1]] = path
    return {f: bands for f, bands in fields.items() if len(bands) == 5}


def make_survey(fields, copies, objects, root):
    """Links under root/frames and root/catalogue.csv; returns the frames' paths."""
    random, paths, number = np.random.default_rng(3), [], 1
    with open(os.path.join(root, "catalogue.csv"), "w", newline="") as out:
        w = csv.writer(out, lineterminator="\n")
        w.writerow("objID ra dec run rerun camcol field z".split())
        for (run, camcol, field), bands in sorted(fields.items()):
            with warnings.catch_warnings(), fits.open(bands["r"]) as h:
                warnings.simplefilter("ignore")
                wcs, (height, width) = WCS(h[0].header), h[0].shape
            for k in range(copies):
                folder = os.path.join(root, "frames", str(run + 10000 * k), str(camcol))
                os.makedirs(folder, exist_ok=True)
                for band, path in bands.items():
                    link = os.path.join(folder, f"frame-{band}-{run + 10000 * k:06d}-{camcol}-{field:04d}.fits.bz2")
                    os.symlink(os.path.abspath(path), link)
                    paths.append(link)
                x, y = random.uniform(20, width - 20, objects), random.uniform(20, height - 20, objects)
                y[:3] = height - 20  # whatever the bands' shifts, clamped stamps reach the last row
                for ra, dec in zip(*wcs.all_pix2world(x, y, 0)):
                    w.writerow([number, repr(ra), repr(dec), run + 10000 * k, 301, camcol, field, 0.1])
                    number += 1
    return paths


def libbz2(paths):
    """Seconds (wall, CPU) that the library alone takes; reading the files is not counted."""
    lib = ctypes.CDLL(ctypes.util.find_library("bz2"))
    out = ctypes.create_string_buffer(64 << 20)
    wall = cpu = 0
    for path in paths:
        with open(path, "rb") as f:
            data = f.read()
        n = ctypes.c_uint(len(out))
        w, c = time.perf_counter(), time.process_time()
        if lib.BZ2_bzBuffToBuffDecompress(out, ctypes.byref(n), data, len(data), 0, 0) != 0:
            raise SystemExit(path + ": libbz2 refuses it")
        wall, cpu = wall + time.perf_counter() - w, cpu + time.process_time() - c
    return wall, cpu


def command(*args):
    """Seconds (wall, CPU) of a whole command, and its peak memory in MiB (looked at now and
    then)."""
    peak, w = 0, time.perf_counter()
    with tempfile.TemporaryFile() as err:
        p = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=err)
        while True:
            try:
                with open(f"/proc/{p.pid}/status") as f:
                    peak = max(peak, sum(int(line.split()[1]) for line in f if line.startswith("VmHWM:")))
            except OSError:
                pass
            pid, status, usage = os.wait4(p.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.01)
        if status != 0:
            err.seek(0)
            raise SystemExit(err.read().decode())
    return time.perf_counter() - w, usage.ru_utime + usage.ru_stime, peak / 1024


def main():
    options = dict(a.split("=") for a in sys.argv[3:])
    program, runs, threads = os.path.abspath(sys.argv[1]), int(options.get("runs", 3)), options.get("threads", "1")
    with tempfile.TemporaryDirectory() as root:
        paths = make_survey(find_fields(sys.argv[2]), int(options.get("copies", 1)), int(options.get("objects", 100)), root)
        if not paths:
            raise SystemExit(sys.argv[2] + ": no field with five bands")
        mib = sum(os.path.getsize(p) for p in paths) / 2**20
        print(f"{len(paths)} frames, {mib:.0f} MiB packed, {runs} runs, threads {threads}")
        times, peak, out = {}, {}, os.path.join(root, "out")

        def note(name, wall, cpu, rss=None):
            times.setdefault(name, []).append((wall, cpu))
            peak[name] = max(peak.get(name, 0), rss or 0)

        def run(name, word, folder, url, *more):
            shutil.rmtree(out, ignore_errors=True)
            if word == "fetch":
                shutil.rmtree(folder, ignore_errors=True)
            else:
                more = ("out=" + out, *more)
            note(name, *command(program, word, f"catalogue.file={root}/catalogue.csv", "archive.folder=" + folder,
                                "archive.url=" + url + "/{run}/{camcol}/frame-{band}-{run:06d}-{camcol}-{field:04d}.fits.bz2",
                                "runtime.progress=false", *([] if word == "fetch" else ["runtime.threads=" + threads]), *more))

        frames, brought = os.path.join(root, "frames"), os.path.join(root, "brought")
        with web.Nginx(frames, log=False) as server:
            for _ in range(runs):
                note("libbz2", *libbz2(paths))
                run("crop", "crop", frames, server.url)
                if options.get("stream", "1") == "1":
                    run("fetch", "fetch", brought, server.url)
                    run("stream", "crop", "none", server.url, "stream=true")
            if options.get("stream", "1") == "1":
                rate = f"archive.rate_mib={mib / statistics.median(w for w, _ in times['crop']) / 2:.3f}"
                for _ in range(runs):
                    run("slow fetch", "fetch", brought, server.url, rate)
                    run("slow stream", "crop", "none", server.url, "stream=true", rate)
    wall = {n: statistics.median(w for w, _ in t) for n, t in times.items()}
    cpu = {n: statistics.median(c for _, c in t) for n, t in times.items()}
    for n in times:
        print(f"{n:12} wall {wall[n]:7.2f} s, CPU {cpu[n]:7.2f} s, {mib / wall[n]:6.1f} MiB/s packed" + (f", peak {peak[n]:.0f} MiB" if peak[n] else ""))
    print(f"libbz2 / crop: wall {wall['libbz2'] / wall['crop']:.2f}, CPU {cpu['libbz2'] / cpu['crop']:.2f}")
    for kind in ("", "slow "):
        if kind + "stream" in wall:
            print(f"{kind}stream / slower half: {wall[kind + 'stream'] / max(wall[kind + 'fetch'], wall['crop']):.2f}")


if __name__ == "__main__":
    main()
