"""Compares core/numpy_random with numpy.random.RandomState, bit for bit.  usage: numpy_random.py
DUMPER"""
import subprocess
import sys

try:
    import numpy as np
except ImportError:
    print("numpy is not installed")
    sys.exit(77)


def expected(seed):
    r = np.random.RandomState(seed)
    interface = r._bit_generator.ctypes
    yield "doubles", [float(v).hex() for v in r.random_sample(2000)]
    yield "normals", [float(v).hex() for v in r.standard_normal(1001)]
    yield "permutation10", [int(v) for v in r.permutation(10)]
    yield "permutation1000", [int(v) for v in r.permutation(1000)]
    squares = np.arange(100) ** 2
    r.shuffle(squares)
    yield "shuffle", [int(v) for v in squares]
    yield "wide", [interface.next_uint64(interface.state) >> 1 for _ in range(50)]
    yield "more_normals", [float(v).hex() for v in r.standard_normal(4)]


def read(name, words):
    if name.endswith("s") and not name.startswith("perm"):
        return [float.fromhex(w).hex() for w in words]
    return [int(w) for w in words]


def main():
    bad = 0
    for seed in (0, 1, 42, 2**32 - 1):
        out = subprocess.run([sys.argv[1], str(seed)], check=True, capture_output=True, text=True).stdout
        got = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
        want = dict(expected(seed))
        assert set(got) == set(want), (set(got), set(want))
        for name, values in want.items():
            ours = read(name, got[name])
            assert len(ours) == len(values), (seed, name, len(ours), len(values))
            wrong = [i for i, (a, b) in enumerate(zip(ours, values)) if a != b]
            if wrong:
                i = wrong[0]
                print(f"seed {seed}: {name}: {len(wrong)} differ, first [{i}]: {ours[i]}, numpy {values[i]}")
                bad += 1
    print(f"{bad} differences from numpy {np.__version__}")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
