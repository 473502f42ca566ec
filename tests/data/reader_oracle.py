"""What the readers' oracles share: table_dump as numpy arrays."""

import re
import subprocess
import sys

import numpy as np

DUMP = sys.argv[1] if len(sys.argv) > 1 else "table_dump"


class Table:
    """x, y, id and the schema of a table as Orrery reads it."""

    def __init__(self, *options, parts=1 << 24, threads=1, block=1 << 30):
        command = [DUMP, str(parts), str(threads), str(block), *options]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False)
        self.said = done.stderr.decode(errors="replace")
        self.code, self.error = done.returncode, self.said.strip()
        if self.code:
            return
        line, _, data = done.stdout.partition(b"\n")
        names, _, data = data.partition(b"\n")
        self.aux_names, self.y_names = re.findall(r"\[(.*?)\] ", names.decode()), re.findall("<(.*?)> ", names.decode())
        words = line.decode().split(" ", 11)
        n, xt, dims, h, w, c, yt, self.classes, width, idt, id_bytes = map(int, words[:11])
        self.names = words[11][1:-1].split("] [") if len(words) > 11 else []
        shape = (h, w, c)[3 - dims:]
        xtype = np.dtype(["<f4", "<f2", "u1"][xt])
        xn = n * h * w * c
        self.x = np.frombuffer(data, xtype, xn).reshape(n, *shape)
        at = xn * xtype.itemsize
        self.y = None
        if yt == 1:
            self.y = np.frombuffer(data, "<i4", n, at)
            at += 4 * n
        elif yt == 2:
            self.y = np.frombuffer(data, "<f4", n * width, at).reshape(n, width)
            at += 4 * n * width
        self.id = np.frombuffer(data, "<i8" if idt == 0 else f"S{id_bytes}", n, at)
        at += n * id_bytes
        self.aux = np.frombuffer(data, "<f4", n * len(self.aux_names), at).reshape(n, -1) if self.aux_names else None
        assert at + 4 * n * len(self.aux_names) == len(data)


def same(a, b, what):
    """Equal to the last bit (so that -0 is not 0), nan equal to nan."""
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
    assert a.dtype == b.dtype, f"{what}: {a.dtype}, expected {b.dtype}"
    equal = a.tobytes() == b.tobytes()
    if not equal and a.dtype.kind == "f":
        nan = np.isnan(a) & np.isnan(b)
        equal = np.array_equal(np.isnan(a), np.isnan(b)) and a[~nan].tobytes() == b[~nan].tobytes()
    assert equal, f"{what}: {np.sum(a != b)} of {a.size} values differ, first {a[a != b][:3]} {b[a != b][:3]}"
