"""Damage that a checksum shows: of every packed form of every input a bit is turned here and there,
and it is cut at every length; it is refused, or what is read is what was written.

Bits that no checksum covers (a file's name in a gzip header, padding) may turn: then the values
must be right.   damage.py table_dump columns_dump frame_dump [BITS [WORD ...]]: so many of each, of
the inputs with one of the words in their name."""

import bz2
import gzip
import io
import lzma
import os
import random
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib

import h5py
import numpy as np
from astropy.io import fits
from reader_oracle import Table

COLUMNS, FRAME = sys.argv[2], sys.argv[3]
rng = random.Random(5)


def zstd(raw):
    return subprocess.run(["zstd", "-q", "--check"], input=raw, stdout=subprocess.PIPE, check=True).stdout


def members(pack):
    """Several streams end to end, as pigz, bgzip, pbzip2 and dd leave them."""
    def packed(raw):
        third = len(raw) // 3
        return b"".join(pack(part) for part in (raw[:third], raw[third:2 * third], raw[2 * third:]))
    return packed


def named_gzip(raw):
    buffer = io.BytesIO()
    with gzip.GzipFile("a name", "wb", 6, buffer, 0) as file:
        file.write(raw)
    return buffer.getvalue()


def all_gzip(raw):
    """Every field that a header may have (RFC 1952): text, header checksum, extra, name,
    comment."""
    head = b"\x1f\x8b\x08\x1f" + b"\0" * 6 + struct.pack("<H", 8) + b"AB\4\0" + b"data" + b"name\0" + b"comment\0"
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (head + struct.pack("<H", zlib.crc32(head) & 0xffff) + z.compress(raw) + z.flush()
            + struct.pack("<II", zlib.crc32(raw), len(raw)))


PACKINGS = {
    "gz": gzip.compress, "named.gz": named_gzip, "all.gz": all_gzip, "members.gz": members(gzip.compress), "stored.gz": lambda raw: gzip.compress(raw, 0),
    "bz2": bz2.compress, "members.bz2": members(bz2.compress), "xz": lzma.compress, "members.xz": members(lzma.compress), "zst": zstd,
    "members.zst": members(zstd), "gz.bz2": lambda raw: bz2.compress(gzip.compress(raw)), "xz.gz": lambda raw: gzip.compress(lzma.compress(raw)),
}


def write(path, raw):
    with open(path, "wb") as file:
        file.write(raw)


def frame(path):
    out = path + ".image"
    done = subprocess.run([FRAME, "image", out, path], capture_output=True, check=False)
    if done.returncode:
        return done.returncode, done.stderr
    with open(out, "rb") as file:
        return 0, file.read()


def columns(*words):
    def read(path):
        done = subprocess.run([COLUMNS, path, "", "1000", *words], capture_output=True, check=False)
        return done.returncode, done.stderr if done.returncode else done.stdout
    return read


def table(*options):
    def read(path):
        t = Table(f"files=[{path}]", *options)
        if t.code:
            return t.code, t.error
        return 0, [t.x.tobytes(), None if t.y is None else t.y.tobytes(), np.asarray(t.id).tobytes()]
    return read


def damaged(whole, n):
    """(what was done, bytes): cut at n lengths and near both ends, and n single bits turned."""
    for cut in sorted({*rng.sample(range(len(whole)), n), 0, 1, 5, len(whole) - 9, len(whole) - 4, len(whole) - 1}):
        yield f"cut at {cut}", whole[:cut]
    for bit in sorted(rng.sample(range(8 * len(whole)), n)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit}", bytes(flipped)
    yield "bytes behind it", whole + b"noise"


def check(name, path, whole, read, n):
    """whole: the bytes of a good file."""
    write(path, whole)
    code, right = read(path)
    assert code == 0, (name, right)
    counts = [0, 0]
    for what, bad in damaged(whole, n):
        write(path, bad)
        code, got = read(path)
        if code == 0 and got != right:
            raise AssertionError(f"{name}: {what} of {len(whole)} bytes: other values, and no word of it")
        assert code in (0, 1), f"{name}: {what}: exit {code}: {got}"
        counts[code] += 1
    print(f"{name}: {counts[1]} refused, {counts[0]} read as they were")
    return counts


def inputs():
    """{ending: (bytes, how they are read)}: each input that may be packed."""
    x = np.random.RandomState(1).normal(0, 9, (40, 6)).astype(np.float32)
    text = "label,a,b,c\n" + "".join(f"{i % 2},{v[0]!r},{v[1]!r},{i}\n" for i, v in enumerate(x.tolist()))
    npy, sums = io.BytesIO(), io.BytesIO()
    np.save(npy, x)
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(
        [fits.Column("label", "J", array=np.arange(40) % 2), fits.Column("a", "6E", array=x)])]).writeto(sums)
    idx = b"\0\0\x0d\2" + struct.pack(">II", *x.shape) + x.astype(">f4").tobytes()
    return {
        "csv": (text.encode(), table("label=label")), "tsv": (text.replace(",", "\t").encode(), table("label=label", 'delimiter="\t"')),
        "npy": (npy.getvalue(), table()), "idx": (idx, table()), "fits": (sums.getvalue(), table("label=label")),
        "dat": (text.encode(), columns("label:int", "a:real", "c:int")),
    }


def image():
    h = fits.Header()
    for i, (kind, value) in enumerate((("RA---TAN", 150.0), ("DEC--TAN", 2.0))):
        h[f"CTYPE{i + 1}"], h[f"CRVAL{i + 1}"], h[f"CRPIX{i + 1}"], h[f"CDELT{i + 1}"] = kind, value, 10.5, 1e-4
    return np.random.RandomState(2).normal(0, 100, (20, 30)).astype(np.float32), h


def frames():
    pixels, header = image()
    buffer = io.BytesIO()
    fits.PrimaryHDU(pixels, header).writeto(buffer)
    for name in ("gz", "named.gz", "all.gz", "members.gz", "stored.gz", "bz2", "members.bz2"):
        yield name, PACKINGS[name](buffer.getvalue())


def npz(save):
    x = np.random.RandomState(3).normal(0, 9, (40, 6)).astype(np.float32)
    buffer = io.BytesIO()
    save(buffer, x=x, y=np.arange(40) % 2)
    return buffer.getvalue()


def streamed_npz():
    """Sizes and checksum behind the data, as a zip has them that was written to a pipe."""
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise io.UnsupportedOperation

        def tell(self):
            raise io.UnsupportedOperation
    pipe, member = Pipe(), io.BytesIO()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as z:
        for name, a in (("x", np.arange(240, dtype=np.float32).reshape(40, 6)), ("y", np.arange(40) % 2)):
            member = io.BytesIO()
            np.save(member, a)
            z.writestr(name + ".npy", member.getvalue())
    return pipe.getvalue()


def hdf5(**how):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
        file.create_dataset("x", data=np.random.RandomState(4).normal(0, 9, (40, 6)).astype(np.float32), chunks=(8, 6), **how)
        file.create_dataset("y", data=np.arange(40) % 2, chunks=(40,), **how)
    return buffer.getvalue()


def checks(folder):
    for ending, (raw, read) in inputs().items():
        for name, pack in PACKINGS.items():
            if ending != "csv" and name not in ("gz", "members.gz", "bz2"):
                continue
            yield f"{ending}.{name}", os.path.join(folder, f"t.{ending}.{name}"), pack(raw), read
    for name, packed in frames():
        yield f"frame.fits.{name}", os.path.join(folder, f"frame.fits.{name}"), packed, frame
    for name, whole in (("npz", npz(np.savez)), ("packed npz", npz(np.savez_compressed)), ("streamed npz", streamed_npz())):
        yield name, os.path.join(folder, "t.npz"), whole, table("features=x", "label=y")
    for name, how in (("fletcher32", {"fletcher32": True}), ("fletcher32 and gzip", {"fletcher32": True, "compression": "gzip"})):
        yield "hdf5 " + name, os.path.join(folder, "t.h5"), hdf5(**how), table("features=x", "label=y")


def main():
    n, only = int(sys.argv[4]) if len(sys.argv) > 4 else 12, sys.argv[5:]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, path, whole, read in checks(folder):
            if only and not any(word in name for word in only):
                continue
            try:
                check(name, path, whole, read, n)
            except AssertionError as e:
                bad += 1
                print("WRONG", e)
    sys.exit(bad > 0)


main()
