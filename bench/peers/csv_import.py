"""A csv of light curves becomes float32 in HDF5: Orrery beside pandas, in the same call.

    csv_import.py BENCH_DATA_CSV_IMPORT FOLDER [REPEATS]

Ways: pandas.read_csv + DataFrame.to_hdf; the same with dtype float32; read_csv + to_numpy + h5py;
Orrery with 1 and 2 threads (scan, parse, checked, written as a synced shard).  Median seconds of
all; ratio = to_hdf's median over this one's.
"""

import csv
import os
import subprocess
import sys
import time

import h5py
import numpy as np
import pandas as pd


def to_hdf(path, out):
    pd.read_csv(path).to_hdf(out, key="data", mode="w")


def to_hdf32(path, out):
    pd.read_csv(path, dtype=np.float32).to_hdf(out, key="data", mode="w")


def to_h5py(path, out):
    frame = pd.read_csv(path)
    with h5py.File(out, "w") as file:
        file["y"] = frame["LABEL"].to_numpy(np.int32) - 1
        file["x"] = frame.iloc[:, 1:].to_numpy(np.float32)


def pandas_seconds(way, path, out):
    begin = time.perf_counter()
    way(path, out)
    return time.perf_counter() - begin


def orrery_seconds(bench, folder, threads):
    lines = subprocess.run([bench, folder, str(threads), "1"], check=True, capture_output=True, text=True).stdout
    return float(next(csv.DictReader(lines.splitlines()))["total_s"])


def main():
    bench, folder = sys.argv[1:3]
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    # makes the file, warms the cache
    subprocess.run([bench, folder, "2", "1"], check=True, capture_output=True)
    path, out = os.path.join(folder, "train.csv"), os.path.join(folder, "peer.h5")
    ways = {
        "pandas read_csv + to_hdf": lambda: pandas_seconds(to_hdf, path, out),
        "pandas read_csv float32 + to_hdf": lambda: pandas_seconds(to_hdf32, path, out),
        "pandas read_csv + to_numpy + h5py": lambda: pandas_seconds(to_h5py, path, out),
        "orrery 1 thread": lambda: orrery_seconds(bench, folder, 1),
        "orrery 2 threads": lambda: orrery_seconds(bench, folder, 2),
    }
    seconds = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            seconds[name].append(way())
    first = np.median(seconds["pandas read_csv + to_hdf"])
    print("way,median_s,min_s,ratio")
    for name, values in seconds.items():
        print(f"{name},{np.median(values):.3f},{min(values):.3f},{first / np.median(values):.2f}")


main()
