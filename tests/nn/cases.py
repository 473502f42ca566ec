"""Asks a dump_* program: writes cases to a file, runs it, and reads its answers, a list of arrays a
case.

A case is: op (32 bytes, zero-padded), three int64 (how many ints, reals, arrays), the ints, the
reals, and each array as an int64 length and its doubles.  An answer is arrays of the same form; the
caller knows how many an op gives."""
import os
import struct
import subprocess
import tempfile

import numpy as np


def case(op, ints=(), reals=(), arrays=()):
    out = [struct.pack("=32sqqq", op.encode(), len(ints), len(reals), len(arrays))]
    out.append(np.asarray(ints, np.int64).tobytes())
    out.append(np.asarray(reals, np.float64).tobytes())
    for a in arrays:
        flat = np.ascontiguousarray(a, np.float64).ravel()
        out += [struct.pack("=q", flat.size), flat.tobytes()]
    return b"".join(out)


def ask(program, cases, n_answers, *args):
    """cases: bytes each; n_answers: arrays each case gives."""
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = os.path.join(folder, "cases"), os.path.join(folder, "answers")
        with open(asked, "wb") as f:
            f.writelines(cases)
        subprocess.run([program, asked, answered, *args], check=True)
        with open(answered, "rb") as f:
            data = f.read()
    at, out = 0, []
    for n in n_answers:
        arrays = []
        for _ in range(n):
            (count,) = struct.unpack_from("=q", data, at)
            arrays.append(np.frombuffer(data, np.float64, count, at + 8))
            at += 8 + 8 * count
        out.append(arrays)
    assert at == len(data), f"{len(data) - at} bytes too many in the answers"
    return out


class Verdict:
    """Collects the largest relative difference of each name and fails when one is beyond its
    bound."""

    def __init__(self):
        self.worst, self.bad = {}, 0

    def near(self, name, got, want, tolerance):
        got, want = np.asarray(got, np.float64).ravel(), np.asarray(want, np.float64).ravel()
        assert got.shape == want.shape, f"{name}: {got.shape} and not {want.shape}"
        scale = max(1e-300, np.abs(want).max(initial=0))
        # not (x <= t) so that a NaN fails
        far = float(np.abs(got - want).max(initial=0) / scale) if np.isfinite(got).all() else float("inf")
        if not far <= tolerance:
            self.bad += 1
            print(f"WRONG {name}: off by {far:.3g}, allowed {tolerance:.3g}")
        self.worst[name] = max(self.worst.get(name, 0), far)

    def report(self):
        for name, far in self.worst.items():
            print(f"{name:32s} {far:.2e}")
        return 1 if self.bad or not self.worst else 0
