"""Files that are made to do harm, or are damaged so that they do: a sentence each, exit code 1,
nothing left, and no end of time, memory or disk in sight but one that is near.

../shared/damaged holds files that a fuzzer found (README.md there); without it they are skipped."""
import bz2
import gzip
import io
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest
import zipfile
import zlib

import h5py
import numpy as np
import orrery as o

GIB = 1 << 30
DAMAGED = os.path.join(o.SOURCE, "..", "shared", "damaged")
X = np.arange(80, dtype=np.float32).reshape(20, 4)


def is_watched():
    """A sanitizer maps terabytes."""
    with open(o.ORRERY, "rb") as f:
        return b"__asan_init" in f.read()


WATCHED = is_watched()


def bounded(*args, memory=2 * GIB, disk=1 << 28, seconds=20):
    """A command that may take so much and no more."""
    def limits():
        if not WATCHED:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (disk, disk))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    begin = time.monotonic()
    p = subprocess.run([o.ORRERY, *map(str, args)], capture_output=True, text=True, check=False, timeout=seconds, preexec_fn=limits, cwd=o.tmp())
    return o.Result(p.returncode, p.stdout, p.stderr, time.monotonic() - begin)


class Hostile(unittest.TestCase):
    def refused(self, r, *words, code=1):
        self.assertEqual(r.code, code, r.err)
        last = r.err.splitlines()[-1]
        self.assertTrue(last.startswith("orrery"), r.err)
        for word in words:
            self.assertIn(word, last)
        self.assertFalse(os.path.exists(o.tmp("out")) or os.path.exists(o.tmp("out.tmp")))

    def imports(self, path, *args, **limits):
        return bounded("import", "out=" + o.tmp("out"), f"input.files={path}", *args, **limits)

    # ---- what is no file ----
    def test_no_files(self):
        os.mkfifo(o.tmp("pipe"))
        with socket.socket(socket.AF_UNIX) as s:
            there = os.getcwd()
            os.chdir(o.tmp())  # such names are short
            s.bind("socket")
            os.chdir(there)
        os.makedirs(o.tmp("folder"), exist_ok=True)
        for name, what in (("pipe", "is a pipe, not a plain file"), ("socket", "is a socket"), ("folder", "is a folder"), ("/dev/zero", "is a device")):
            for kind in ("csv", "npy", "npz", "hdf5", "fits", "idx"):
                self.refused(self.imports(o.tmp(name), "input.format=" + kind), name, what)
            self.refused(bounded("info", o.tmp(name)) if name != "folder" else self.imports(o.tmp(name)), name)
        for command in ("evaluate", "predict"):
            self.refused(bounded(command, o.tmp("pipe"), o.tmp("pipe"), *(["out=x.csv"] if command == "predict" else [])), "pipe")

    def test_job_file_is_a_pipe(self):
        """A program may write it; one that nobody writes can be given up."""
        os.mkfifo(o.tmp("job.yaml"))
        p = subprocess.Popen([o.ORRERY, "import", o.tmp("job.yaml")], stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)
        self.assertIsNone(p.poll())
        p.send_signal(signal.SIGINT)
        self.assertIn("job.yaml", p.communicate(timeout=10)[1])
        self.assertIn(p.returncode, (75, -signal.SIGINT))
        csv = o.write("few.csv", "a,b,y\n" + "".join(f"{i},{i % 5},{i % 2}\n" for i in range(30)))
        p = subprocess.Popen([o.ORRERY, "import", "/dev/stdin"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=o.tmp())
        err = p.communicate(f"out: piped\ninput: {{files: [{csv}], label: y, features: \"a,b\"}}\n", timeout=20)[1]
        self.assertEqual(p.returncode, 0, err)

    # ---- more than it looks ----
    def bombs(self):
        text = b"1" * (300 << 20)
        npy = io.BytesIO()
        np.lib.format.write_array_header_1_0(npy, {"descr": "<f4", "fortran_order": False, "shape": (75 << 20, 1)})
        with open(o.tmp("b.csv.gz"), "wb") as f:
            f.write(gzip.compress(text, 1))
        with open(o.tmp("b.csv.bz2"), "wb") as f:
            f.write(bz2.compress(text, 1))
        with zipfile.ZipFile(o.tmp("b.npz"), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as f:
            f.writestr("x.npy", npy.getvalue() + bytes(300 << 20))
        with h5py.File(o.tmp("b.h5"), "w") as f:
            f.create_dataset("x", (75 << 20, 1), "f4", chunks=(1 << 18, 1), compression="gzip", fillvalue=1)

    def test_unpacks_without_end(self):
        self.bombs()
        with h5py.File(o.tmp("chunk.h5"), "w") as f:
            d = f.create_dataset("x", (4096, 4), "f4", chunks=(2048, 4), compression="gzip")
            d[:2048] = 1
            d.id.write_direct_chunk((2048, 0), zlib.compress(bytes(100 << 20), 1))
        self.refused(self.imports(o.tmp("chunk.h5")), "chunk.h5: x", "packed bytes, that are to become 32768")
        for name in ("b.csv.gz", "b.csv.bz2", "b.npz", "b.h5"):
            r = self.imports(o.tmp(name))
            self.refused(r, name, "more than the 268435456 that are allowed", "max_unpacked")
        r = self.imports(o.tmp("b.csv.gz"), "input.max_unpacked=1000")
        self.refused(r, "more than the 1000 that are allowed")
        with gzip.open(o.tmp("small.csv.gz"), "wt") as f:
            f.write("a,b\n" + "1,2\n" * 10)
        self.assertEqual(bounded("import", "out=" + o.tmp("small"), "input.files=" + o.tmp("small.csv.gz"), "input.max_unpacked=44").code, 0)

    def test_headers_that_lie(self):
        """Sizes are held against the bytes that are there before they are believed."""
        for shape in ((1 << 40, 4), (1 << 62, 4), (2, 1 << 31)):
            npy = io.BytesIO()
            np.lib.format.write_array_header_1_0(npy, {"descr": "<f4", "fortran_order": False, "shape": shape})
            with open(o.tmp("lie.npy"), "wb") as f:
                f.write(npy.getvalue() + bytes(64))
            self.refused(self.imports(o.tmp("lie.npy")), "lie.npy")
        with open(o.tmp("lie.idx"), "wb") as f:
            f.write(b"\0\0\x08\x03" + b"\x7f\xff\xff\xff" * 3 + bytes(64))
        self.refused(self.imports(o.tmp("lie.idx")), "lie.idx")
        card = "{:<8}= {:>20}".format
        head = [card("SIMPLE", "T"), card("BITPIX", 8), card("NAXIS", 0), "END"]
        table = ["XTENSION= 'BINTABLE'", card("BITPIX", 8), card("NAXIS", 2), card("NAXIS1", 4), card("NAXIS2", 1 << 60), card("PCOUNT", 0), card("GCOUNT", 1),
                 card("TFIELDS", 1), "TFORM1  = 'E'", "TTYPE1  = 'a'", "END"]
        with open(o.tmp("lie.fits"), "wb") as f:
            for cards in (head, table):
                f.write("".join(c.ljust(80) for c in cards).ljust(2880).encode())
        self.refused(self.imports(o.tmp("lie.fits")), "lie.fits")
        with h5py.File(o.tmp("text.h5"), "w") as f:
            f["x"], f["long"], f["longer"] = X, np.array([b"a"] * 20, "S5000"), np.array(["a" * 5000] * 20, h5py.string_dtype())
        for name in ("long", "longer"):
            self.refused(self.imports(o.tmp("text.h5"), "input.id=" + name), "text.h5: " + name, "4096")

    def test_models_that_lie(self):
        """What a model says of its samples takes no memory before the numbers for it are there."""
        csv = o.write("lie.csv", "id,a,b,y\n" + "".join(f"{i},{i * 7 % 13},{i % 5}.5,{i % 2}\n" for i in range(60)))
        o.orrery("import", "out=" + o.tmp("lie-set"), "input.files=" + csv, "input.id=id", "input.label=y")
        run = o.tmp("lie-run")
        job = o.write("lie.yaml", f"run: {run}\ndata: {{train: {o.tmp('lie-set')}, validation_fraction: 0.25, transforms: [standardise: {{per: train_channel}}]}}\n"
                                  "model: {layers: [flatten, linear: {units: 1}]}\ntrain: {epochs: 1, batch: 48}\nruntime: {threads: 1, progress: false}\n")
        o.orrery("train", job)
        for keys, value in ((("channels",), 2**31 - 1), (("height", "width", "channels"), 2**31 - 1), (("width",), 2**30), (("y_width",), 2**31 - 1),
                            (("bins",), 2**31 - 1), (("channels",), 2**40), (("classes",), 2**31 - 1)):
            path = o.tmp("lie.h5")
            shutil.copyfile(run + "/model.h5", path)
            with h5py.File(path, "r+") as f:
                samples = json.loads(f["samples"][0])
                samples.update({k: value for k in keys})
                del f["samples"]
                f["samples"] = np.array([json.dumps(samples).encode()])
            r = bounded("evaluate", path, o.tmp("lie-set"))
            self.refused(r, "lie.h5")
            self.assertLess(r.seconds, 5)
        for name, value in (("epoch", 2**62), ("steps", -(2**62))):
            shutil.copyfile(run + "/checkpoint-last.h5", run + "/kept")
            with h5py.File(run + "/checkpoint-last.h5", "r+") as f:
                f["counts"][0 if name == "epoch" else 2] = value
            self.refused(bounded("train", job), "checkpoint-last.h5", "make no sense")
            os.rename(run + "/kept", run + "/checkpoint-last.h5")

    def test_yaml(self):
        for text in ("[" * (4 << 20), "{a: " * (1 << 20), "- " * (2 << 20), "- &a x\n" * 600000):
            r = bounded("import", o.write("deep.yaml", text))
            self.refused(r, "deep.yaml:", code=2)
            self.assertLess(r.seconds, 6)
        with open(o.tmp("huge.yaml"), "wb") as f:
            f.truncate(GIB)
        self.refused(bounded("import", o.tmp("huge.yaml")), "huge.yaml: 1073741824 bytes", code=2)

    # ---- HDF5 that leads elsewhere ----
    def test_other_files(self):
        """Values of other files, any of the system, are read when the user says so."""
        with h5py.File(o.tmp("source.h5"), "w") as f:
            f["x"] = X
        X.tofile(o.tmp("raw.bin"))
        layout = h5py.VirtualLayout(X.shape, "f4")
        layout[:] = h5py.VirtualSource("source.h5", "x", X.shape)
        with h5py.File(o.tmp("leads.h5"), "w") as f:
            f.create_virtual_dataset("virtual", layout)
            f.create_dataset("raw", X.shape, "f4", external=[("raw.bin", 0, X.nbytes)])
            f["link"] = h5py.ExternalLink("source.h5", "/x")
            f["group/root"] = h5py.ExternalLink("source.h5", "/")
            f["soft"] = h5py.SoftLink("/group/root/x")
        for name, words in (("virtual", "it is virtual"), ("raw", "raw files"), ("link", "/x in source.h5"), ("group/root/x", "/ in source.h5"),
                            ("soft", "/ in source.h5")):
            self.refused(self.imports(o.tmp("leads.h5"), "input.features=" + name), "leads.h5: " + name, words, "input.other_files: true")
            out = o.tmp("led-" + name.replace("/", "-"))
            r = bounded("import", "out=" + out, "input.files=" + o.tmp("leads.h5"), "input.features=" + name, "input.other_files=true")
            self.assertEqual(r.code, 0, r.err)
            with h5py.File(out + "/shard-00000.h5") as f:
                self.assertTrue(np.array_equal(f["x"][:].reshape(X.shape), X), name)

    def test_virtual_of_itself(self):
        for name, k in (("self.h5", 1), ("wide.h5", 40)):
            layout = h5py.VirtualLayout((20 * k, 4), "f4")
            for i in range(k):
                layout[20 * i:20 * i + 20] = h5py.VirtualSource(".", "x", (20 * k, 4))[:20]
            with h5py.File(o.tmp(name), "w") as f:
                f.create_virtual_dataset("x", layout)
            for more in ((), ("input.other_files=true",)):
                self.refused(self.imports(o.tmp(name), *more), name)

    # ---- files that change ----
    def test_shrinks(self):
        """A mapped file that becomes shorter is named, on all ranks; it would be SIGBUS."""
        big, small = o.tmp("shrinks.csv"), o.tmp("waits.csv")
        row = "1,2.5,0\n2,3.5,1\n"
        for ranks in (0, 2) if o.MPIRUN else (0,):
            for kind in ("csv", "npy"):
                if kind == "csv":
                    big, small = o.write("shrinks.csv", "a,b,y\n" + row * (1 << 18)), o.write("waits.csv", "a,b,y\n" + row)
                    more = ", label: y, features: \"a,b\""
                else:
                    big, small, more = o.tmp("shrinks.npy"), o.tmp("waits.npy"), ""
                    np.save(big, np.ones((1 << 18, 4), np.float32))
                    np.save(small, np.ones((2, 4), np.float32))
                held = o.Hold(small)
                self.addCleanup(held.restore)
                p = subprocess.Popen(o.argv(ranks, "import", "out=" + o.tmp("out"), "inputs=[" + ", ".join(f"{{files: [{path}]{more}}}" for path in (big, small)) + "]"), stderr=subprocess.PIPE,
                                     stdout=subprocess.DEVNULL, text=True, cwd=o.tmp(), env=o.holding())
                held.wait(p)
                time.sleep(0.3 if ranks else 0)  # both ranks have mapped the first
                os.truncate(big, 1 << 16)
                held.release()
                err = p.communicate(timeout=60)[1]
                self.assertEqual(p.returncode, 1, err)
                self.assertIn(os.path.basename(big) + ": became shorter while it was read", err)
                self.assertFalse(os.path.exists(o.tmp("out")) or os.path.exists(o.tmp("out.tmp")))

    def test_close_fails(self):
        """Each close of a file that is written may say that it is not: a sentence, and no crash at
        the end of the process."""
        csv = o.write("close.csv", "id,a,b,y\n" + "".join(f"{i},{i * 7 % 13},{i % 5}.5,{i % 2}\n" for i in range(60)))
        words = ["import", "input.files=" + csv, "input.id=id", "input.label=y"]
        o.orrery(*words, "out=" + o.tmp("close-set"))
        job = o.write("close.yaml", f"run: {o.tmp('close-run')}\ndata: {{train: {o.tmp('close-set')}, validation_fraction: 0.25}}\n"
                                    "model: {layers: [flatten, linear: {units: 1}]}\ntrain: {epochs: 1, batch: 48}\nruntime: {threads: 1, progress: false}\n")
        for command, end in ((words + ["out=" + o.tmp("out")], "shard-00000.h5.tmp"), (words + ["out=" + o.tmp("out")], "index.h5.tmp"),
                             (["train", job], ".h5.tmp"), (["train", job], "report.json.tmp")):
            for k in range(1, 12):
                shutil.rmtree(o.tmp("close-run"), ignore_errors=True)
                shutil.rmtree(o.tmp("out"), ignore_errors=True)
                r = o.orrery(*command, code=None, env={"LD_PRELOAD": o.HOLD, "ORR_CLOSE_FAILS": end, "ORR_CLOSE_FROM": str(k)})
                if r.code == 0:
                    break
                self.refused(r, end[:-4])
            self.assertEqual(r.code, 0)
            self.assertGreater(k, 1)
        shutil.rmtree(o.tmp("out"), ignore_errors=True)

    # ---- numbers that pass an end ----
    def test_row_numbers(self):
        """Ids that int64 cannot hold are refused; they would be negative."""
        csv = o.write("ids.csv", "a,b,y\n" + "".join(f"{i},{i % 5}.5,{i % 2}\n" for i in range(10)))
        last = 2**63 - 1
        for more in ((), ("input.where={a: [1, 9]}",), ("input.skip_rows=2",)):
            r = self.imports(csv, "input.label=y", "input.features=a,b", f"input.id_start={last - 9}", *more)
            self.refused(r, "input.id_start", code=2)
        out = o.tmp("ids")
        self.assertEqual(bounded("import", "out=" + out, "input.files=" + csv, "input.label=y", "input.features=a,b", f"input.id_start={last - 10}").code, 0)
        with h5py.File(out + "/shard-00000.h5") as f:
            self.assertEqual(f["id"][:].tolist(), list(range(last - 10, last)))
        two = o.write("two.yaml", f"out: {o.tmp('out')}\ninputs:\n" + "".join(
            f"  - {{files: [{csv}], label: y, features: \"a,b\", id_start: {last - 15}}}\n" for _ in range(2)))
        self.refused(bounded("import", two), "more than an id can be", code=2)

    def test_a_job_is_no_machine(self):
        """What a job brings about by itself is not a fault of the machine for ever."""
        csv = o.write("moons.csv", "a,b,y\n" + "".join(f"{i * 7 % 11}e36,{i * 5 % 13},{i % 2}\n" for i in range(64)))
        o.orrery("import", "out=" + o.tmp("moons"), "input.files=" + csv, "input.label=y", "input.features=a,b")
        job = o.write("rate.yaml", f"run: {o.tmp('rate')}\ndata: {{train: {o.tmp('moons')}, validation_fraction: 0.25}}\n"
                                   "model: {layers: [flatten, linear: {units: 1}]}\ntrain: {epochs: 1, batch: 48, optimiser: {kind: sgd}, lr: 1000, max_steps: 20}\n"
                                   "runtime: {threads: 1, progress: false}\n")
        self.refused(bounded("train", job, "train.optimiser={kind: adam, epsilon: 0}"), "epsilon", code=2)
        first, again = bounded("train", job), bounded("train", job)
        self.assertEqual(first.code, 77, first.err)
        self.refused(again, "weights are not finite", "it is the job, not a machine", "train.lr")

    # ---- two at once ----
    def test_two_into_one(self):
        """The second is refused and harms nothing; what a killed one left is in nobody's way."""
        csv = o.write("two.csv", "a,b,y\n" + "".join(f"{i},{i % 5}.5,{i % 2}\n" for i in range(200)))
        words = ("import", "out=" + o.tmp("two"), "input.files=" + csv, "input.label=y", "input.features=a,b", "shard_mib=0.001")
        held = o.Hold(csv)
        self.addCleanup(held.restore)
        def start():
            return subprocess.Popen(o.argv(0, *words), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=o.tmp(), env=o.holding())
        p = start()
        held.wait(p)
        p.kill()
        p.communicate()
        held.restore()
        held = o.Hold(csv)
        p = start()
        held.wait(p)
        for ranks in (0, 2) if o.MPIRUN else (0,):
            for more in ((), ("overwrite=true",)):
                r = o.orrery(*words, *more, ranks=ranks, code=1)
                self.assertIn("two.tmp: another orrery is at work on it", r.err.splitlines()[-1] if not ranks else r.err)
        held.release()
        self.assertEqual(p.wait(timeout=60), 0, p.stderr.read())
        p.stderr.close()
        o.orrery("info", o.tmp("two"))
        for both in range(6):  # whoever comes first makes it whole; the other is refused
            shutil.rmtree(o.tmp("two"))
            pair = [subprocess.Popen(o.argv(0, *words), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=o.tmp()) for _ in range(2)]
            errors = [p.communicate(timeout=60)[1] for p in pair]
            self.assertEqual(sorted(p.returncode for p in pair), [0, 1], errors)
            self.assertIn("200 in", o.orrery("info", o.tmp("two")).out)

    # ---- what a fuzzer found ----
    def damaged(self, folder):
        where = os.path.join(DAMAGED, folder)
        if not os.path.isdir(where):
            self.skipTest("no ../shared/damaged/" + folder)
        return [os.path.join(where, n) for n in sorted(os.listdir(where))]

    def test_damaged_hdf5(self):
        for path in self.damaged("hdf5"):
            for name in ("x", "y", "id", "aux", "X"):
                r = self.imports(path, "input.format=hdf5", "input.features=" + name)
                self.refused(r, os.path.basename(path))
                self.assertLess(r.seconds, 6)

    def test_damaged_index(self):
        """In the place of an index, of a shard, of a model."""
        csv = o.write("set.csv", "id,a,b,y\n" + "".join(f"{i},{i * 7 % 13},{i % 5}.5,{i % 2}\n" for i in range(60)))
        o.orrery("import", "out=" + o.tmp("set"), "input.files=" + csv, "input.id=id", "input.label=y")
        for path in self.damaged("index"):
            for place in ("index.h5", "shard-00000.h5"):
                shutil.rmtree(o.tmp("hurt"), ignore_errors=True)
                shutil.copytree(o.tmp("set"), o.tmp("hurt"))
                shutil.copyfile(path, os.path.join(o.tmp("hurt"), place))
                r = bounded("info", o.tmp("hurt"))
                self.refused(r, place)
                self.assertLess(r.seconds, 6)  # of which 0.3 s are the processor's
            r = bounded("evaluate", path, o.tmp("set"))
            self.refused(r)
            self.assertLess(r.seconds, 6)


if __name__ == "__main__":
    o.HOLD = sys.argv.pop(1)
    unittest.main()
