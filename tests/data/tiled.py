"""Tile-compressed frames read as cfitsio and astropy read them, whatever order their cards stand in
and however their heap lies: the same pixels and places; a file that is cut is refused.

Cards that the standard leaves free stand anywhere (Pence et al. 2010, FITS 4.0 section 10.1);
between table and heap, within the heap and behind it there may be room.   tiled.py frame_dump
[SEED]"""

import bz2
import gzip
import io
import os
import random
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

warnings.simplefilter("ignore")
DUMP = sys.argv[1]
rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 11)
BLOCK, CARD = 2880, 80
WIDTH, HEIGHT = 61, 47


def wcs_header():
    h = fits.Header()
    for i, (kind, value) in enumerate((("RA---TAN", 150.0), ("DEC--TAN", 2.0))):
        h[f"CTYPE{i + 1}"], h[f"CRVAL{i + 1}"], h[f"CRPIX{i + 1}"] = kind, value, 20.25 + i
        h[f"CD{i + 1}_1"], h[f"CD{i + 1}_2"] = (-1e-4, 3e-5) if i == 0 else (3e-5, 1e-4)
    h["FILTER"] = "r"
    return h


def pixels(dtype, kind):
    r = np.random.RandomState(rng.randrange(1 << 30))
    x = r.normal(100, 20, (HEIGHT, WIDTH)) + np.arange(WIDTH) * 3
    if np.dtype(dtype).kind == "f":
        x = x.astype(dtype)
        if rng.random() < 0.5:
            x[3, 4], x[20] = np.nan, np.nan
        if rng.random() < 0.3:
            x[7:9] = 0
        return x
    x = np.clip(x, 0, 255).astype(dtype)
    if x.dtype == np.int16 and kind != "PLIO_1" and rng.random() < 0.5:
        x = x * 100 - 9000
    return x


def compressed():
    """(name, bytes of a file whose second HDU is a tiled image)"""
    kind = rng.choice(["RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1"])
    dtype = rng.choice({"PLIO_1": ["i2", "i4", "u1"]}.get(kind, ["u1", "i2", "i4", "u2", "f4", "f8"]))
    words = {}
    if kind != "HCOMPRESS_1" and rng.random() < 0.6:
        words["tile_size"] = rng.choice([(WIDTH, 1), (WIDTH, HEIGHT), (16, 9), (WIDTH, 5)])
    if dtype[0] == "f":
        words["quantize_level"] = rng.choice([16.0, 4.0, -0.5] + ([0.0] if kind.startswith("GZIP") else []))
        words["quantize_method"], words["dither_seed"] = rng.choice([-1, 1, 2]), rng.choice([1, 77, 10000])
    x = pixels(dtype, kind)
    hdu = fits.CompImageHDU(x, wcs_header(), compression_type=kind, **words)
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
    return f"{kind} {dtype} {words}", buffer.getvalue()


def split(raw):
    """(what stands before the second HDU, its cards, its table, its heap)"""
    at, cards = raw.index(b"XTENSION"), []
    head = raw[:at]
    while raw[at:at + 8] != b"END     ":
        cards.append(raw[at:at + CARD])
        at += CARD
    at = -(-(at + CARD - len(head)) // BLOCK) * BLOCK + len(head)
    n = [int(value(cards, key)) for key in ("NAXIS1", "NAXIS2", "PCOUNT")]
    table = n[0] * n[1]
    return head, cards, raw[at:at + table], raw[at + table:at + table + n[2]]


def value(cards, key):
    return next(c[10:30] for c in cards if c[:8] == key.encode().ljust(8))


def put(cards, key, number, after):
    card = f"{key:8}= {number:20d}".encode().ljust(CARD)
    for i, c in enumerate(cards):
        if c[:8] == card[:8]:
            cards[i] = card
            return
    cards.insert(after, card)


def joined(head, cards, table, heap):
    text = b"".join(cards) + b"END".ljust(CARD)
    data = table + heap
    return head + text.ljust(-(-len(text) // BLOCK) * BLOCK) + data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0")


def whole_names(cards):
    """ZTENSION and its like, which astropy writes or not, by its version."""
    have = {c[:8].strip() for c in cards}
    for card in (b"ZTENSION= 'IMAGE   '", b"ZPCOUNT =                    0", b"ZGCOUNT =                    1"):
        if card[:8].strip() not in have and rng.random() < 0.7:
            cards.insert(rng.randrange(8, len(cards) + 1), card.ljust(CARD))


def shuffled(cards):
    """The first eight stay (FITS 4.0, section 7.3.1); the rest in any order."""
    rest = cards[8:]
    how = rng.randrange(4)
    if how == 0:
        rng.shuffle(rest)
    elif how == 1:  # the image's own cards before those of the tiles
        rest.sort(key=lambda c: c[:1] in b"ZT")
    elif how == 2:
        rest.sort()
    else:
        rest.reverse()
    return cards[:8] + rest


def variant(raw):
    head, cards, table, heap = split(raw)
    what = []
    if rng.random() < 0.8:
        whole_names(cards)
        cards = shuffled(cards)
        what.append("cards")
    gap = 0
    if rng.random() < 0.6:
        gap = rng.choice([1, 8, 100, BLOCK, 5000])
        put(cards, "THEAP", len(table) + gap, 8)
        heap = bytes(rng.randrange(256) for _ in range(gap)) + heap
        what.append(f"gap {gap}")
    if rng.random() < 0.4:
        heap += bytes(rng.choice([3, 3000]))
        what.append("room behind")
    put(cards, "PCOUNT", len(heap), 8)
    return ", ".join(what), joined(head, cards, table, heap), len(head) + len(table)


def dump(folder, name, raw):
    path, out = os.path.join(folder, name), os.path.join(folder, "image")
    with open(path, "wb") as file:
        file.write(raw)
    done = subprocess.run([DUMP, "image", out, path], capture_output=True, text=True, check=False)
    if done.returncode:
        return None, done.stderr.strip()
    with open(out, "rb") as file:
        content = file.read()
    width, height = np.frombuffer(content[:8], np.int32)
    return np.frombuffer(content[8:], np.float32).reshape(height, width), ""


def places(folder, path, ra, dec):
    sky, out = os.path.join(folder, "sky"), os.path.join(folder, "cubes")
    np.concatenate([ra, dec]).astype(np.float64).tofile(sky)
    done = subprocess.run([DUMP, "cubes", sky, out, "4", "0", "keep", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with open(out, "rb") as file:
        return np.fromfile(file, np.float64, 2 * len(ra)).reshape(2, -1)


def same(got, expected):
    got, expected = np.asarray(got), np.asarray(expected).astype(np.float32)
    return got.shape == expected.shape and np.array_equal(got, expected, equal_nan=True)


def sizes_that_lie(folder):
    """Tiles are unpacked by cfitsio, which takes memory for what the header says."""
    for axis in (1, 2):
        _, raw = compressed()
        card = f"ZNAXIS{axis} =".encode()
        at = raw.index(card)
        lie = f"ZNAXIS{axis} =           2147483647".ljust(CARD).encode()
        got, why = dump(folder, "lie.fits", raw[:at] + lie + raw[at + CARD:])
        assert got is None and "pixels, more than the 268435456 bytes that so small a file may become" in why, why


def main():
    refused, cut = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        sizes_that_lie(folder)
        for k in range(160):
            name, raw = compressed()
            what, changed, least = variant(raw)
            with fits.open(io.BytesIO(changed)) as hdus:
                expected, wcs = np.array(hdus[1].data), WCS(hdus[1].header)
            packed = rng.choice([("f.fits", bytes), ("f.fits.gz", gzip.compress), ("f.fits.bz2", bz2.compress)])
            got, why = dump(folder, packed[0], packed[1](changed))
            assert got is not None, f"{k} {name}: {what}: {why}"
            assert same(got, expected), f"{k} {name}: {what}: other pixels: {got[:2, :5]} {expected[:2, :5]}"
            x, y = np.array([3.0, 40.5, 60]), np.array([1.0, 20.25, 46])
            ra, dec = wcs.all_pix2world(x, y, 0)
            at = places(folder, os.path.join(folder, packed[0]), ra, dec)
            assert np.abs(at - (x, y)).max() < 1e-6, f"{k} {name}: {what}: {at}"
            for n in (least - 7, len(changed) - BLOCK - 1, rng.randrange(BLOCK, len(changed) - BLOCK)):
                got, why = dump(folder, "cut.fits", changed[:n])
                assert got is None or same(got, expected), f"{k} {name}: {what}: cut at {n} of {len(changed)}: other pixels"
                cut += got is None
                assert got is not None or "cut.fits: " in why, why
    print(f"160 variants equal astropy's, {cut} of 480 cut ones refused, the others whole")


main()
