"""Stamps of a field's objects out of its packed frames: Orrery beside astropy + Cutout2D + h5py, in
the same call.

    crop.py BENCH_DATA_CROP OBJECTS.csv N REPEATS FRAME.bz2 ...

OBJECTS.csv has columns objid, ra, dec, ...; N of them, spread over the file, are taken (0: all).
Ways:
    each object opens the frames   for every object the frames are opened, cut, and the cube
    appended to an HDF5 file: what the
                                   published pipeline does; measured on 3 of the objects, at most,
                                   and taken times N / 3
    each frame is opened once      and all its objects cut; one h5py write
    each frame is unpacked first   the same, with bz2.decompress before astropy, which else decodes
    a packed frame twice: the most
                                   that can be had in Python with these libraries
    orrery                         bench_data_crop's crop and write
Processor seconds of one core (all ways use one), medians; ratio = a way's median over Orrery's.
Cubes are compared, too.
"""

import bz2
import csv
import io
import os
import subprocess
import sys
import tempfile
import time
import warnings

import h5py
import numpy as np
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS

SIZE, SAMPLE = 32, 3
warnings.simplefilter("ignore")


def cut(data, wcs, ra, dec):
    """The stamp, moved inwards at an edge, or None when the object is not on the frame."""
    x, y = wcs.all_world2pix(ra, dec, 0)
    height, width = data.shape
    if not (-0.5 < x <= width - 0.5 and -0.5 < y <= height - 0.5):
        return None
    half = SIZE / 2
    x, y = min(max(x, half), width - half), min(max(y, half), height - half)
    return Cutout2D(data, (x, y), SIZE, mode="strict").data


def each_object(paths, objects, out):
    with h5py.File(out, "w") as file:
        x = file.create_dataset("x", (0, SIZE, SIZE, len(paths)), np.float32, maxshape=(None, SIZE, SIZE, len(paths)))
        for ra, dec in objects:
            stamps = []
            for path in paths:
                with fits.open(path) as hdus:
                    stamps.append(cut(hdus[0].data, WCS(hdus[0].header), ra, dec))
            if all(s is not None for s in stamps):
                x.resize(len(x) + 1, axis=0)
                x[-1] = np.stack(stamps, axis=-1)


def unpacked(path):
    with open(path, "rb") as file:
        return io.BytesIO(bz2.decompress(file.read()))


def each_frame(paths, objects, out, source=str):
    cubes = np.zeros((len(objects), SIZE, SIZE, len(paths)), np.float32)
    for band, path in enumerate(paths):
        with fits.open(source(path)) as hdus:
            data, wcs = hdus[0].data, WCS(hdus[0].header)
            for i, (ra, dec) in enumerate(objects):
                stamp = cut(data, wcs, ra, dec)
                if stamp is not None:
                    cubes[i, :, :, band] = stamp
    with h5py.File(out, "w") as file:
        file["x"] = cubes


def seconds(way, *args):
    begin = time.process_time()
    way(*args)
    return time.process_time() - begin


def orrery(bench, objects, n, out, paths):
    lines = subprocess.run([bench, objects, str(n), "1", out, *paths], check=True, capture_output=True, text=True).stdout
    row = next(csv.DictReader(lines.splitlines()))
    return float(row["crop_s"]) + float(row["write_s"])


def main():
    bench, table, n, repeats, paths = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]
    with open(table, newline="") as file:
        objects = np.array([(float(row["ra"]), float(row["dec"])) for row in csv.DictReader(file)])
    rows = len(objects)
    n = min(n, rows) if n > 0 else rows
    objects = objects[[i for i in range(rows) if i * n // rows + 1 == (i + 1) * n // rows]]
    sample = objects[:: -(-n // SAMPLE)]
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = os.path.join(folder, "ours.h5"), os.path.join(folder, "theirs.h5")
        ways = {
            "each object opens the frames": lambda: seconds(each_object, paths, sample, theirs) * n / len(sample),
            "each frame is opened once": lambda: seconds(each_frame, paths, objects, theirs),
            "each frame is unpacked first": lambda: seconds(each_frame, paths, objects, theirs, unpacked),
            "orrery": lambda: orrery(bench, table, n, ours, paths),
        }
        times = {name: [] for name in ways}
        for _ in range(repeats):
            for name, way in ways.items():
                times[name].append(way())
        with h5py.File(ours) as a, h5py.File(theirs) as b:
            assert np.array_equal(a["x"][:], b["x"][:]), "the cubes differ"
    last = np.median(times["orrery"])
    print("way,objects,median_s,min_s,ratio")
    for name, values in times.items():
        print(f"{name},{n},{np.median(values):.3f},{min(values):.3f},{np.median(values) / last:.2f}")


main()
