"""Checkpoints that a thread writes (runtime.checkpoint_async) are the synchronous ones, byte for
byte, and survive the same: SIGKILL at a call that changes a file of the run, a full disk, a failing
one, signals; the run then goes on, on another number of ranks.

usage: checkpoint_async.py SHIM [all]; CI tries every STRIDE-th call, all: each of them."""
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest

import orrery as o

SHIM = os.path.abspath(sys.argv[1])
STRIDE = 1 if sys.argv[2:] == ["all"] else 9
ASYNC = "runtime.checkpoint_async=true"


class Asynchronous(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        train, test = o.small_kepler(stars=60, samples=100)
        cls.job = o.job("async.yaml", train, test, "  checkpoint_steps: 1\n  max_steps: 7", data="  epoch_length: 88")
        cls.whole_run = o.tmp("whole")
        o.orrery("train", cls.job, "run=" + cls.whole_run)
        cls.whole = o.results(cls.whole_run)
        run, count = o.tmp("count"), o.tmp("calls")
        cls.start(run, ORR_SHIM_COUNT=count)
        assert o.results(run) == cls.whole, "asynchronous checkpoints differ from synchronous ones"
        with open(count) as f:
            cls.calls = int(f.read())
        assert cls.calls > 60, cls.calls

    @classmethod
    def start(cls, run, ranks=0, **env):
        return subprocess.run(o.argv(ranks, "train", cls.job, "run=" + run, ASYNC), capture_output=True, text=True, cwd=o.tmp(), timeout=120,
                              env={**os.environ, "LD_PRELOAD": SHIM, "ORR_SHIM_DIR": run, **env})

    def go_on(self, run, what, ranks=0):
        for name in ("checkpoint-last.h5", "checkpoint-best.h5", "model.h5"):
            path = os.path.join(run, name)
            if os.path.exists(path):
                o.orrery("info", path)
        o.orrery("train", self.job, "run=" + run, ASYNC, ranks=ranks)
        self.assertEqual(o.results(run), self.whole, what)
        self.assertEqual([n for n in os.listdir(run) if n.endswith(".tmp")], [], what)

    def each(self, kind, first):
        for k in range(first, self.calls + 1, STRIDE):
            run = o.tmp("faulty")
            shutil.rmtree(run, ignore_errors=True)
            p = self.start(run, ORR_SHIM_AT=str(k), ORR_SHIM_KIND=kind)
            what = f"{kind} at call {k} of {self.calls}"
            if kind in ("kill", "half"):
                # 0: that call was no write
                self.assertIn(p.returncode, (-9, 0), f"{what}: {p.stderr}")
            else:
                self.one_sentence(p, what)
            self.go_on(run, what)

    def one_sentence(self, p, what):
        self.assertEqual(p.returncode, 1, f"{what}: {p.stderr}")
        said = [line for line in p.stderr.splitlines() if line.startswith("orrery train: ")]
        self.assertEqual(len(said), 1, f"{what}: {p.stderr}")
        self.assertRegex(said[0], "No space left|Input/output error", what)

    def test_kill(self):
        self.each("kill", 6)

    def test_half_a_write(self):
        self.each("half", 8)

    def test_full_disk(self):
        self.each("enospc", 11)

    def test_failing_disk(self):
        self.each("eio", 14)

    @unittest.skipUnless(o.MPIRUN, "this build has no MPI")
    def test_two_ranks(self):
        """The failure of rank 0's thread is told once and ends both; three ranks go on."""
        for k in (20, 43):
            run = o.tmp("faulty")
            shutil.rmtree(run, ignore_errors=True)
            p = self.start(run, ranks=2, ORR_SHIM_AT=str(k), ORR_SHIM_KIND="enospc")
            self.one_sentence(p, f"two ranks, call {k}")
            self.assertNotIn("signal", p.stderr)
            self.go_on(run, f"two ranks, call {k}", ranks=3)

    def test_end_waits(self):
        """Nothing is made of the best epoch's weights before they are on the disk: their .tmp is a
        pipe, which holds the thread (a pipe holds 64 KiB, the checkpoint is larger) until somebody
        reads."""
        run = o.tmp("held")
        os.makedirs(run)
        pipe = os.path.join(run, "checkpoint-best.h5.tmp")
        os.mkfifo(pipe)
        words = ["train", self.job, "run=" + run, "train.max_steps=4", ASYNC, "model.layers=[flatten, linear: {units: 500}, relu, linear: {units: 1}]"]
        p = subprocess.Popen(o.argv(0, *words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             text=True, cwd=o.tmp())
        self.addCleanup(p.kill)
        with open(pipe, "rb") as f:  # once the thread has opened it
            time.sleep(0.5)
            self.assertIsNone(p.poll())
            self.assertFalse(os.path.exists(os.path.join(run, "report.json")))
            f.read(10)
        err = p.communicate(timeout=60)[1]
        self.assertEqual(p.returncode, 1, err)
        self.assertIn("checkpoint-best.h5: could not be written: Broken pipe", err.splitlines()[-1])
        self.assertFalse(os.path.exists(os.path.join(run, "model.h5")))
        o.orrery(*words)

    def test_signal(self):
        """Exit code 75 means that all is on the disk: the state of the step that the sentence
        names."""
        train, test = o.small_kepler()
        job = o.job("long.yaml", train, test, "  checkpoint_steps: 1", data="  epoch_length: 2200")
        o.orrery("train", job, "run=" + o.tmp("long"))
        run = o.tmp("term")
        p = subprocess.Popen(o.argv(0, "train", job, "run=" + run, ASYNC), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=o.tmp())
        end = time.monotonic() + 60
        while not os.path.exists(os.path.join(run, "checkpoint-last.h5")):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        p.send_signal(signal.SIGTERM)
        err = p.communicate(timeout=60)[1]
        self.assertEqual(p.returncode, 75, err)
        step = int(err.split("after step ")[1].split(";")[0])
        self.assertRegex(o.orrery("info", os.path.join(run, "checkpoint-last.h5")).out, rf"\b{step}\b")
        self.assertFalse(os.path.exists(os.path.join(run, "checkpoint-last.h5.tmp")))
        o.orrery("train", job, "run=" + run, ranks=2 if o.MPIRUN else 0)
        self.assertEqual(o.results(run), o.results(o.tmp("long")))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
