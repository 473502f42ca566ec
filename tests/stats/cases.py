"""Writes cases for dump_stats, runs it, and answers its lines as lists of numbers (or the text of
an error)."""
import os
import struct
import subprocess
import tempfile

import numpy as np

ROC, CLASSES, REGRESSION, SPLIT, STRATIFIED, REDSHIFT, GROUPS, DENSITIES = range(8)


def case(kind, n, k, parameter, *arrays):
    return struct.pack("=qqqd", kind, n, k, parameter) + b"".join(
        np.ascontiguousarray(a).tobytes() for a in arrays
    )


def run(program, cases):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cases.bin")
        with open(path, "wb") as f:
            f.writelines(cases)
        out = subprocess.run([program, path], check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = out.splitlines()
    assert len(lines) == len(cases), f"{len(cases)} cases, {len(lines)} answers"
    return [line if line.startswith("error") else [float(v) for v in line.split()] for line in lines]
