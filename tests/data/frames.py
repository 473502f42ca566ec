"""Frames and cutouts equal astropy's: pixel positions within 1e-6 pixel, pixels and stamps bit for
bit.

Oracles: astropy.wcs all_world2pix, astropy.io.fits, astropy.nddata.Cutout2D; and for the field
whose catalogue has them the pixel positions that the survey measured itself, which no WCS code had
a part in.
"""

import bz2
import gzip
import io
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from astropy.io import fits
from astropy.nddata import Cutout2D, NoOverlapError, PartialOverlapError
from astropy.wcs import WCS

warnings.simplefilter("ignore")
DUMP = sys.argv[1]
BANDS = "ugriz"
FIELDS = ("000094-1-0012", "002583-2-0136", "008162-6-0080")
DATA = os.path.join(os.environ.get("ORRERY_DATA") or os.path.join(os.path.dirname(__file__), "..", "..", "..", "shared", "data"),
                    "sdss")


def run(*args):
    done = subprocess.run([DUMP, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, args, done.stderr)
    return done


def dump_image(folder, path):
    out = os.path.join(folder, "image")
    run("image", out, path)
    raw = open(out, "rb").read()
    width, height = np.frombuffer(raw[:8], np.int32)
    return np.frombuffer(raw[8:], np.float32).reshape(height, width)


def dump_cubes(folder, paths, ra, dec, size, fill=0.0, nan="keep"):
    """[x], [y] of each frame; {edge: (aside, moved, nans [frames][n], cubes)}."""
    sky, out = os.path.join(folder, "sky"), os.path.join(folder, "cubes")
    np.concatenate([ra, dec]).astype(np.float64).tofile(sky)
    run("cubes", sky, out, size, fill, nan, *paths)
    n, bands = len(ra), len(paths)
    with open(out, "rb") as file:
        places = np.fromfile(file, np.float64, 2 * n * bands).reshape(bands, 2, n)
        rules = {}
        for edge in ("clamp", "drop", "pad"):
            flags = np.fromfile(file, np.int32, 3 * n * bands).reshape(bands, n, 3)
            rules[edge] = flags, np.fromfile(file, np.float32, n * size * size * bands).reshape(n, size, size, bands)
        assert not file.read()
    return places, rules


def stamp(data, x, y, size, edge, fill):
    """Cutout2D's answer, or None when the object is set aside."""
    height, width = data.shape
    if not (-0.5 < x <= width - 0.5 and -0.5 < y <= height - 0.5):
        return None
    try:
        if edge != "clamp":
            return Cutout2D(data, (x, y), size, mode="partial" if edge == "pad" else "strict", fill_value=fill).data
        if min(width, height) < size:
            return None
        cut = Cutout2D(data, (x, y), size, mode="partial", fill_value=fill)
        shift = [min(max(low, 0), n - size) - low for low, n in zip(cut_origin(cut, x, y, size), (width, height))]
        return Cutout2D(data, (x + shift[0], y + shift[1]), size, mode="strict").data
    except (NoOverlapError, PartialOverlapError):
        return None


def cut_origin(cut, x, y, size):
    """First column and row of the full stamp: what astropy kept lies at slices_cutout of it."""
    rows, columns = cut.slices_original
    inner_rows, inner_columns = cut.slices_cutout
    return columns.start - inner_columns.start, rows.start - inner_rows.start


def same(a, b):
    return a.shape == b.shape and np.array_equal(a.view(np.uint32), b.view(np.uint32))


def native(data):
    return np.ascontiguousarray(data).astype(np.float32)


def check_cubes(folder, name, paths, opened, ra, dec, size=32, fill=0.0):
    """opened: (data, wcs) of each path."""
    places, rules = dump_cubes(folder, paths, ra, dec, size, fill)
    worst, ties, counts = 0.0, 0, {}
    for b, (data, wcs) in enumerate(opened):
        xy = np.array(wcs.all_world2pix(ra, dec, 0, ra_dec_order=True, tolerance=1e-9))
        worst = max(worst, np.abs(places[b] - xy).max())
        assert worst < 1e-6, (name, b, worst)
        first = xy - size / 2
        tied = np.abs(first - np.round(first)) < 1e-6  # a rounding error decides: ours
        ties += tied.sum()
        xy[tied] = places[b][tied]
        for edge, (flags, cubes) in rules.items():
            for i in range(len(ra)):
                expected = stamp(data, xy[0, i], xy[1, i], size, edge, np.float32(fill))
                count = counts.setdefault(edge, [0, 0, 0])
                count[0] += 1
                assert flags[b, i, 0] == (expected is None), (name, b, edge, i, xy[:, i])
                if expected is None:
                    count[1] += 1
                    assert not cubes[i, :, :, b].any()
                    continue
                count[2] += int(flags[b, i, 1])
                expected = native(expected)
                expected[np.isinf(expected)] = np.nan  # no value
                assert same(cubes[i, :, :, b], expected), (name, b, edge, i, xy[:, i])
    print(f"{name}: {len(ra)} objects, {len(paths)} frames, worst place {worst:.1e} px, {ties} ties; "
          + ", ".join(f"{edge} {c[0]} stamps, {c[1]} aside, {c[2]} moved" for edge, c in counts.items()))
    return places, counts


def edge_positions(rng, width, height, size=32):
    """Pixel positions at all edges and corners, just inside and outside of every limit, and at
    random."""
    def axis(n):
        half = size / 2
        limits = [-0.5, half - 0.5, half, n - half - 1, n - half, n - 0.5]
        return [-40, n + 40, n / 3 + 0.3] + [v + d for v in limits for d in (-1.25, -0.01, 0.01)]
    xs, ys = np.meshgrid(axis(width), axis(height))
    random = rng.uniform(-30, 30, (2, 50)) + np.array([[width], [height]]) * rng.random((2, 50))
    return np.concatenate([xs.ravel(), random[0]]), np.concatenate([ys.ravel(), random[1]])


def read(path):
    data = open(path, "rb").read()
    with fits.open(io.BytesIO(bz2.decompress(data))) as hdus:
        return native(hdus[0].data), WCS(hdus[0].header)


def check_real(folder, field):
    paths = [os.path.join(DATA, f"field-{field}", f"frame-{b}-{field}.fits.bz2") for b in BANDS]
    opened = [read(path) for path in paths]
    rng = np.random.default_rng(int(field[:6]))
    x, y = edge_positions(rng, opened[2][0].shape[1], opened[2][0].shape[0])
    ra, dec = opened[2][1].all_pix2world(x, y, 0, ra_dec_order=True)
    _, counts = check_cubes(folder, field + " edges", paths, opened, ra, dec, fill=-1.5)
    assert counts["clamp"][2] > 500 and counts["drop"][1] > counts["pad"][1] + 500 > 1000
    check_cubes(folder, field + " 65 pixels", paths[:1], opened[:1], ra[::7], dec[::7], size=65)
    return paths, opened


def check_catalogue(folder, paths, opened):
    table = np.genfromtxt(os.path.join(DATA, "field-" + FIELDS[0], "objects.csv"), delimiter=",", names=True)
    places, _ = check_cubes(folder, "objects.csv", paths, opened, table["ra"], table["dec"])
    assert len(table) == 999
    for b, band in enumerate(BANDS):
        bright = table["cmodelmag_" + band] < 18
        dx = (places[b, 0] - (table["colc_" + band] - 0.5))[bright]
        dy = (places[b, 1] - (table["rowc_" + band] - 0.5))[bright]
        print(f"{band}: {bright.sum()} brighter than 18 mag, median dx {np.median(dx):+.3f}, dy {np.median(dy):+.3f} px, "
              f"|dx| {np.median(np.abs(dx)):.3f}, |dy| {np.median(np.abs(dy)):.3f}")
        assert bright.sum() > 50 and abs(np.median(dx)) < 0.1 and abs(np.median(dy)) < 0.1, band
        assert np.median(np.abs(dx)) < 0.15 and np.median(np.abs(dy)) < 0.15, band


def tan(width, height, ra=150.0, dec=2.0, kind="TAN", angle=0.3, swapped=False):
    h = fits.Header()
    names = [f"RA---{kind}", f"DEC--{kind}"]
    c, s, step = np.cos(angle), np.sin(angle), 1.1e-4
    for i, j in enumerate((1, 0) if swapped else (0, 1)):
        h[f"CTYPE{i + 1}"] = names[j]
        h[f"CRVAL{i + 1}"] = (ra, dec)[j]
        h[f"CRPIX{i + 1}"] = (width / 2 + 3.25, height / 2 - 1.75)[i]
        h[f"CUNIT{i + 1}"] = "deg"
        h[f"CD{i + 1}_1"] = step * ((-c, s)[j])
        h[f"CD{i + 1}_2"] = step * ((s, c)[j])
    return h


def sip(header):
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    header["A_ORDER"], header["B_ORDER"] = 2, 2
    header["A_2_0"], header["A_1_1"], header["B_0_2"], header["B_2_0"] = 2e-6, -1e-6, 3e-6, 1e-6
    return header


def check_synthetic(folder):
    rng = np.random.default_rng(3)
    width, height = 211, 167
    image = rng.normal(0, 1, (height, width)).astype(np.float32)
    image[3, 4], image[100, 50], image[0, 0] = np.nan, 1e-41, np.inf
    long = tan(width, height)
    for i in range(300):
        long[f"KEY{i}"] = i
    axes3 = fits.PrimaryHDU(np.zeros((2, 40, 50), np.float32))
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.arange(2000.0))])
    cases = {
        "tan": [fits.PrimaryHDU(image, tan(width, height))],
        "pole": [fits.PrimaryHDU(image, tan(width, height, 10, 89.999))],
        "south": [fits.PrimaryHDU(image, tan(width, height, 200, -89.9))],
        "zero": [fits.PrimaryHDU(image, tan(width, height, 0.001, -3))],
        "sin": [fits.PrimaryHDU(image, tan(width, height, kind="SIN"))],
        "zea": [fits.PrimaryHDU(image, tan(width, height, kind="ZEA"))],
        "swapped": [fits.PrimaryHDU(image, tan(width, height, swapped=True))],
        "sip": [fits.PrimaryHDU(image, sip(tan(width, height)))],
        "long header": [fits.PrimaryHDU(image, long)],
        "second HDU": [fits.PrimaryHDU(), fits.ImageHDU(image, tan(width, height))],
        "after a cube and a table": [axes3, table, fits.ImageHDU(image, tan(width, height))],
        "float64": [fits.PrimaryHDU(np.where(np.isinf(image), 7, image).astype(np.float64), tan(width, height))],
        "rice": [fits.PrimaryHDU(), fits.CompImageHDU((np.nan_to_num(image, posinf=9) * 1000).astype(np.int32), tan(width, height))],
    }
    for name, hdus in cases.items():
        buffer = io.BytesIO()
        fits.HDUList(hdus).writeto(buffer, checksum=name == "tan")
        raw = buffer.getvalue()
        with fits.open(io.BytesIO(raw)) as opened:
            hdu = next(h for h in opened if h.is_image and h.header["NAXIS"] == 2)
            data, wcs = native(hdu.data), WCS(hdu.header)
        half = len(raw) // 2880 // 2 * 2880
        packed = {"fits": raw, "fits.gz": gzip.compress(raw), "fits.bz2": bz2.compress(raw, 1),
                  "streams.bz2": b"".join(bz2.compress(raw[i:i + 2880]) for i in range(0, len(raw), 2880)),
                  "members.gz": gzip.compress(raw[:half]) + gzip.compress(raw[half:])}
        paths = []
        for ending, content in packed.items():
            paths.append(os.path.join(folder, f"frame.{ending}"))
            with open(paths[-1], "wb") as file:
                file.write(content)
            assert same(dump_image(folder, paths[-1]), data), (name, ending)
        x, y = edge_positions(rng, width, height, 20)
        ra, dec = wcs.all_pix2world(x, y, 0, ra_dec_order=True)
        step = 1 if name == "tan" else 3
        check_cubes(folder, name, paths[2:3], [(data, wcs)], ra[::step], dec[::step], size=20, fill=2.5)


def check_integers(folder):
    """BITPIX, BSCALE, BZERO, BLANK: in double, then rounded once, blanks NaN."""
    rng = np.random.default_rng(4)
    for dtype, low, high in ((np.uint8, 0, 255), (np.int16, -32768, 32767), (np.int32, -2**31, 2**31 - 1)):
        raw = rng.integers(low, high, (60, 70), endpoint=True).astype(dtype)
        for scale, zero, blank in ((1, 0, None), (0.01, 3.25, None), (0.01, -1e3, int(raw[5, 6])), (1, 0, int(raw[7, 8]))):
            hdu = fits.PrimaryHDU(raw, tan(70, 60))
            buffer = io.BytesIO()
            hdu.writeto(buffer)
            with fits.open(io.BytesIO(buffer.getvalue()), do_not_scale_image_data=True) as hdus:
                if (scale, zero) != (1, 0):
                    hdus[0].header["BSCALE"], hdus[0].header["BZERO"] = scale, zero
                if blank is not None:
                    hdus[0].header["BLANK"] = blank
                out = io.BytesIO()
                hdus.writeto(out)
            path = os.path.join(folder, "integers.fits")
            with open(path, "wb") as file:
                file.write(out.getvalue())
            expected = (raw.astype(np.float64) * scale + zero).astype(np.float32)
            if blank is not None:
                expected[raw == blank] = np.nan
            got = dump_image(folder, path)
            np.testing.assert_array_equal(got, expected, err_msg=f"{dtype} {scale} {zero} {blank}")
    print("integers: equal")


def check_refused(folder):
    image = np.zeros((50, 60), np.float32)
    helio = tan(60, 50)
    helio["CTYPE1"], helio["CTYPE2"] = "HLON-TAN", "HLAT-TAN"
    cases = {
        "no celestial world coordinates": [fits.PrimaryHDU(image)],
        "last image has 3 axes": [fits.PrimaryHDU(np.zeros((2, 50, 60), np.float32))],
        "no image": [fits.PrimaryHDU()],
        "HLON and HLAT": [fits.PrimaryHDU(image, helio)],
    }
    path = os.path.join(folder, "refused.fits")
    for words, hdus in cases.items():
        fits.HDUList(hdus).writeto(path, overwrite=True)
        done = subprocess.run([DUMP, "image", os.path.join(folder, "out"), path], capture_output=True, text=True)
        assert done.returncode == 1 and words in done.stderr and "refused.fits: " in done.stderr, done.stderr
        print(done.stderr.strip())


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_synthetic(folder)
        check_integers(folder)
        check_refused(folder)
        if not os.path.isdir(DATA):
            print("skipped in part: no survey fields (ORRERY_DATA or ../shared/data)")
            sys.exit(77)
        for field in FIELDS:
            paths, opened = check_real(folder, field)
            if field == FIELDS[0]:
                check_catalogue(folder, paths, opened)


main()
