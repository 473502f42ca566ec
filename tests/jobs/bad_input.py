"""Bad input gets one clear sentence, a non-zero exit on every rank, and leaves nothing
half-written."""
import os
import resource
import shutil
import subprocess
import unittest

import h5py
import numpy as np
import orrery as o

RANKS = (0, 2) if o.MPIRUN else (0,)


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.train, cls.test = o.small_kepler()
        cls.job = o.job("bad.yaml", cls.train, cls.test, "  max_steps: 2")

    def fails(self, words, *args, ranks=RANKS, code=None, absent=()):
        """The command fails with all the words in one sentence, on one rank and on two; files named
        `absent` do not appear."""
        for n in ranks:
            r = o.orrery(*args, ranks=n, code=None)
            self.assertNotEqual(r.code, 0, args)
            if code is not None:
                self.assertEqual(r.code, code, r.err)
            lines = [line for line in r.err.splitlines() if line.startswith("orrery")]
            self.assertEqual(len(lines), 1, f"one sentence, from one rank:\n{r.err}")
            for word in words:
                self.assertIn(word, lines[0])
            for path in absent:
                self.assertFalse(os.path.exists(path), path)

    def imports(self, words, text, *args, name="bad.csv"):
        path = o.write(name, text)
        self.fails(words, "import", f"input.files={path}", "input.label=label", "out=" + o.tmp("bad-out"), *args,
                   absent=[o.tmp("bad-out")])

    # ---- import ----
    def test_missing_file(self):
        self.fails(["nowhere.csv"], "import", "input.files=nowhere.csv", "out=" + o.tmp("x"), absent=[o.tmp("x")])
        self.fails(["nowhere.yaml"], "import", "nowhere.yaml")

    def test_unreadable_file(self):
        path = o.tmp("folder.csv")
        os.makedirs(path, exist_ok=True)
        self.fails(["folder.csv"], "import", "input.files=" + path, "out=" + o.tmp("x"), absent=[o.tmp("x")])
        if os.geteuid() != 0:
            path = o.write("secret.csv", "label,x\n0,1\n")
            os.chmod(path, 0)
            self.fails(["secret.csv", "ermission"], "import", "input.files=" + path, "out=" + o.tmp("x"), absent=[o.tmp("x")])

    def test_ragged_row(self):
        self.imports(["bad.csv:3"], "label,a,b\n0,1,2\n1,2\n0,3,4\n")

    def test_not_a_number(self):
        self.imports(["bad.csv:3", "column 3", "b", "4x"], "label,a,b\n0,1,2\n1,3,4x\n")

    def test_nan(self):
        self.imports(["bad.csv:2", "nan"], "label,a,b\n0,1,nan\n1,3,4\n")
        self.imports(["bad.csv:3", "inf"], "label,a,b\n0,1,2\n1,3,inf\n")

    def test_wrong_label(self):
        self.imports(["bad.csv:3", "7"], "label,a\n1,1\n7,2\n", "input.classes=[1, 2]")

    def test_empty(self):
        self.imports(["bad.csv"], "")
        self.imports(["bad.csv", "no rows"], "label,a\n")

    def test_duplicate_ids(self):
        self.imports(["5", "id"], "label,id,a\n0,5,1\n1,6,2\n0,5,3\n", "input.id=id")

    def test_npy(self):
        np.save(o.tmp("text.npy"), np.array(["a", "b"]))
        self.fails(["text.npy"], "import", "input.files=" + o.tmp("text.npy"), "out=" + o.tmp("x"), absent=[o.tmp("x")])
        x = np.arange(12, dtype="f4").reshape(4, 3)
        np.save(o.tmp("fortran.npy"), np.asfortranarray(x))
        r = o.orrery("import", "input.files=" + o.tmp("fortran.npy"), "out=" + o.tmp("fortran"), code=None)
        if r.code == 0:
            with h5py.File(o.tmp("fortran/index.h5")) as f:
                self.assertTrue(np.array_equal(f["x"][:], x))
        else:
            self.assertIn("ortran", r.err)
        np.save(o.tmp("cut.npy"), np.zeros((100, 100), "f4"))
        with open(o.tmp("cut.npy"), "r+b") as f:
            f.truncate(20000)
        self.fails(["cut.npy"], "import", "input.files=" + o.tmp("cut.npy"), "out=" + o.tmp("x"), absent=[o.tmp("x")])

    def test_foreign_hdf5(self):
        with h5py.File(o.tmp("foreign.h5"), "w") as f:
            f["a"] = [1, 2, 3]
        self.fails(["foreign.h5"], "info", o.tmp("foreign.h5"))
        self.fails(["foreign.h5"], "evaluate", o.tmp("foreign.h5"), self.test, o.KERNELS)
        self.fails(["foreign.h5"], "train", self.job, "run=" + o.tmp("r0"), "data.train=" + o.tmp("foreign.h5"), absent=[o.tmp("r0")])

    def test_truncated_shard(self):
        copy = o.tmp("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.train, copy)
        with open(os.path.join(copy, "shard-00001.h5"), "r+b") as f:
            f.truncate(os.path.getsize(f.name) // 2)
        self.fails(["shard-00001.h5"], "train", self.job, "run=" + o.tmp("r1"), "data.train=" + copy, absent=[o.tmp("r1")])
        os.remove(os.path.join(copy, "shard-00001.h5"))
        self.fails(["shard-00001.h5"], "train", self.job, "run=" + o.tmp("r1"), "data.train=" + copy, absent=[o.tmp("r1")])

    def test_changed_shard(self):
        copy = o.tmp("changed")
        shutil.copytree(self.train, copy)
        with open(os.path.join(copy, "shard-00001.h5"), "r+b") as f:
            f.seek(-64, os.SEEK_END)
            byte = f.read(1)
            f.seek(-64, os.SEEK_END)
            f.write(bytes([byte[0] ^ 1]))
        self.fails(["shard-00001.h5", "sha256"], "train", self.job, "run=" + o.tmp("r2"), "data.train=" + copy, "data.verify=true",
                   absent=[o.tmp("r2")])

    def test_output_exists(self):
        self.fails([self.train, "holds a shard set"], "import", os.path.join(o.SOURCE, "examples/kepler/import.yaml"),
                   f"input.files={o.tmp('survey')}/train.csv", "out=" + self.train)
        self.assertIn("240", o.orrery("info", self.train, "verify=true").out)
        folder = o.tmp("mine")
        os.makedirs(folder, exist_ok=True)
        path = o.write("mine/notes.txt", "keep me")
        self.fails(["mine", "notes.txt"], "import", os.path.join(o.SOURCE, "examples/kepler/import.yaml"),
                   f"input.files={o.tmp('survey')}/train.csv", "out=" + folder, "overwrite=true")
        self.assertTrue(os.path.exists(path))
        # where import would make its set lies somebody's file
        path = o.write("other.tmp/notes.txt", "keep me")
        self.fails(["other.tmp", "notes.txt"], "import", os.path.join(o.SOURCE, "examples/kepler/import.yaml"),
                   f"input.files={o.tmp('survey')}/train.csv", "out=" + o.tmp("other"), absent=[o.tmp("other")])
        self.assertTrue(os.path.exists(path))
        self.fails(["exist"], "synth", "kepler", "out=" + o.tmp("survey"))

    # ---- job files ----
    def test_unknown_keys(self):
        self.fails(["\"epoch\"", "\"epochs\""], "train", self.job, "run=" + o.tmp("r3"), "train.epoch=3", code=2)
        with open(self.job) as f:
            path = o.write("typo.yaml", f.read().replace("  batch: 22", "  btach: 22"))
        self.fails(["typo.yaml:", "btach", "batch"], "train", path, "run=" + o.tmp("r3"), code=2)
        self.fails(["convd1", "conv1d"], "train", self.job, "run=" + o.tmp("r3"), "model.layers=[convd1: {filters: 3}]", code=2)
        self.fails(["train.lr", "-1"], "train", self.job, "run=" + o.tmp("r3"), "train.lr=-1", code=2)
        self.fails(["train.epochs", "many"], "train", self.job, "run=" + o.tmp("r3"), "train.epochs=many", code=2)
        self.fails(["nosuch.yaml", "No such file"], "train", "nosuch.yaml", code=2)
        self.fails(["broken.yaml:"], "train", o.write("broken.yaml", "run: [1, 2\ndata: {"), code=2)

    def test_impossible_shapes(self):
        self.fails(["conv1d"], "train", self.job, "run=" + o.tmp("r4"), "model.layers=[conv1d: {filters: 3, size: 500}, flatten, linear: {units: 1}]",
                   absent=[o.tmp("r4")])
        self.fails(["2", "output"], "train", self.job, "run=" + o.tmp("r4"), "train.loss=bce", "model.layers=[flatten, linear: {units: 2}]",
                   absent=[o.tmp("r4")])

    def test_metric_that_is_not_defined(self):
        self.fails(["train.select", "rmse"], "train", self.job, "run=" + o.tmp("r8"), "train.select=rmse", code=2, absent=[o.tmp("r8")])

    def test_batch_smaller_than_ranks(self):
        if o.MPIRUN:
            self.fails(["ranks", "leaves"], "train", self.job, "run=" + o.tmp("r5"), "train.leaves=2", ranks=(3,), absent=[o.tmp("r5")])
        self.fails(["batch", "leaves"], "train", self.job, "run=" + o.tmp("r5"), "train.batch=3", absent=[o.tmp("r5")])

    def test_overlapping_splits(self):
        self.fails(["more than one of the splits"], "train", self.job, "run=" + o.tmp("r6"), "data.test=" + self.train, absent=[o.tmp("r6")])
        o.orrery("train", self.job, "run=" + o.tmp("r6"), "data.test=" + self.train, "data.overlap=allow")

    def test_other_shape_at_prediction(self):
        o.orrery("train", self.job, "run=" + o.tmp("r7"))
        o.orrery("import", "input.files=" + o.write("short.csv", "label,a,b\n0,1,2\n1,3,4\n"), "input.label=label", "out=" + o.tmp("short"))
        self.fails(['"a", "b"', '"FLUX.1", "FLUX.2"', 'it has no "FLUX.1"'], "evaluate", o.tmp("r7"), o.tmp("short"), o.KERNELS)
        self.fails(["p.txt"], "predict", o.tmp("r7"), self.test, "out=" + o.tmp("p.txt"), o.KERNELS, code=2)

    def test_every_rank_fails(self):
        """Seen from within: each rank's own exit code, for a fault that all meet and for one that a
        single rank meets."""
        if not o.MPIRUN:
            return
        rows = "label,a,b\n" + "0,1,2\n" * 5000 + "0,1\n"
        ragged = o.write("ragged.csv", rows)
        for args in (["train", "nowhere.yaml"], ["import", "input.files=" + ragged, "input.label=label", "out=" + o.tmp("x")],
                     ["evaluate", o.tmp("none"), self.test]):
            script = '"$@"; echo "exit $?"'
            p = subprocess.run([o.MPIRUN, "--oversubscribe", "--bind-to", "none", "-n", "3", "sh", "-c", script, "sh", o.ORRERY, *args],
                               capture_output=True, text=True, timeout=o.DEADLINE)
            codes = [line for line in p.stdout.splitlines() if line.startswith("exit")]
            self.assertEqual(len(codes), 3, p.stdout + p.stderr)
            self.assertNotIn("exit 0", codes)

    def test_diverging_training(self):
        """NaN and Inf change nothing, are logged with the rows, and end the run after a while, on
        every rank alike."""
        layers = "model.layers=[flatten, linear: {units: 50}, relu, linear: {units: 50}, relu, linear: {units: 1}]"
        for n in RANKS:
            run = o.tmp(f"nan-{n}")
            r = o.orrery("train", self.job, "run=" + run, layers, "train.max_steps=0", "train.epochs=50", "train.lr=1000", "train.clip_norm=0",
                         "train.optimiser.kind=sgd", "train.optimiser.momentum=0.99", ranks=n, code=1)
            self.assertIn("not finite", r.err)
            self.assertIn("train.lr", r.err)

    # ---- disk full ----
    def disk_full(self, *args, ranks=0, megabytes):
        """A small file size limit stands for a full disk: the write fails in the middle."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (megabytes << 20, megabytes << 20))
        p = subprocess.run(o.argv(ranks, *args), capture_output=True, text=True, preexec_fn=limit, timeout=o.DEADLINE)
        self.assertNotEqual(p.returncode, 0)
        return p.stderr

    def test_disk_full_import(self):
        rows = "\n".join("0," + ",".join(["1.5"] * 2000) for _ in range(300))
        path = o.write("big.csv", "label," + ",".join(f"f{i}" for i in range(2000)) + "\n" + rows + "\n")
        err = self.disk_full("import", "input.files=" + path, "input.label=label", "out=" + o.tmp("full"), megabytes=1)
        self.assertIn("shard-00000.h5", err)
        self.assertFalse(os.path.exists(o.tmp("full")))

    def test_disk_full_checkpoint(self):
        layers = "[flatten, linear: {units: 2000}, relu, linear: {units: 1}]"
        run = o.tmp("full-run")
        err = self.disk_full("train", self.job, "run=" + run, "train.max_steps=1", "model.layers=" + layers, megabytes=2)
        self.assertIn("checkpoint-last.h5", err)
        self.assertFalse([n for n in os.listdir(run) if n.startswith("checkpoint") or n.endswith(".tmp")])

    def test_full_output(self):
        """Nobody reads half of an answer for all of it; who closed the output does not want one."""
        self.assertEqual(subprocess.run([o.ORRERY, "info", self.train], stdout=subprocess.DEVNULL, check=False).returncode, 0)
        for args in (["info", self.train], ["status", o.tmp("full-run")]):
            with open("/dev/full", "w") as full:
                r = subprocess.run([o.ORRERY, *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(r.returncode, 1, args)
            self.assertRegex(r.stderr, f"orrery {args[0]}: .*")
        self.assertEqual(subprocess.run(["sh", "-c", '"$@" >&-', "sh", o.ORRERY, "info", self.train], check=False).returncode, 0)

    def test_little_shared_memory(self):
        """A container's /dev/shm is small."""
        own = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=128k tmpfs /dev/shm && exec "$@"', "sh"]
        why = "mount namespaces need root and unshare" if os.geteuid() != 0 or not shutil.which("unshare") else None
        why = why or subprocess.run([*own, "true"], capture_output=True, text=True, check=False).stderr
        if why or not o.MPIRUN:
            self.skipTest(why or "built without MPI")
        words = [*own, *o.argv(2, "train", self.job, "run=" + o.tmp("shared-memory"))]
        r = subprocess.run(words, capture_output=True, text=True, timeout=o.DEADLINE, check=False)
        self.assertNotEqual(r.returncode, 0)
        said = [line for line in r.stderr.splitlines() if line.startswith("orrery")]
        self.assertEqual(len(said), 1, r.stderr)
        self.assertRegex(said[0], r"^orrery train: rank 0 .*MiB to share among the ranks of .*, but /dev/shm has .* MiB free; give it more")


if __name__ == "__main__":
    unittest.main()
