"""Survey frames that a fuzzer found (../shared/damaged/frame: each leaked 1.3 to 1.8 kB): pixels
and places are given, or refused in a sentence, and nothing is lost (in a build with the address
sanitizer).  usage: damaged_frames.py frame_dump"""
import os
import struct
import subprocess
import sys
import tempfile

FOLDER = os.path.join(os.environ["ORRERY_SOURCE_DIR"], "..", "shared", "damaged", "frame")


def main(dump):
    if not os.path.isdir(FOLDER):
        print("skipped: no ../shared/damaged/frame")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as tmp:
        out, sky = os.path.join(tmp, "out"), os.path.join(tmp, "sky")
        with open(sky, "wb") as f:
            f.write(struct.pack("<4d", 10, 200, 5, -89))
        for name in sorted(os.listdir(FOLDER)):
            path = os.path.join(FOLDER, name)
            for words in (["image", out, path], ["places", sky, out, path]):
                p = subprocess.run([dump, *words], capture_output=True, text=True, timeout=20, check=False)
                assert p.returncode in (0, 1), f"{words}: exit {p.returncode}\n{p.stderr}"
                assert (p.stderr.count("\n") == 1 and name in p.stderr) == (p.returncode == 1), f"{words}: {p.stderr}"


main(sys.argv[1])
