"""Checkpoints survive everything: SIGKILL at every call that changes a file of the run (open, write, the half of a write, fsync, rename), a disk
that is full from some call on, and one that fails.  After each there is the newest checkpoint or the one before it, never a damaged one, and the run
goes on to the bytes of an undisturbed one.

CI tries every STRIDE-th call; `checkpoint.py SHIM all` all of them, in about three minutes."""
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "jobs"))
import orrery as o  # noqa: E402

SHIM = os.path.abspath(sys.argv[1])
STRIDE = 1 if sys.argv[2:] == ["all"] else 5


class Checkpoint(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        train, test = o.small_kepler(stars=60, samples=100)
        cls.job = o.job("checkpoint.yaml", train, test, "  checkpoint_steps: 2\n  max_steps: 7", data="  epoch_length: 88")
        cls.run_ = o.tmp("whole")
        count = o.tmp("count")
        cls.start(cls.run_, ORR_SHIM_COUNT=count)
        with open(count) as f:
            cls.calls = int(f.read())
        cls.whole = o.results(cls.run_)
        assert cls.calls > 40, cls.calls

    @classmethod
    def start(cls, run, code=0, ranks=0, **env):
        p = subprocess.run(o.argv(ranks, "train", cls.job, "run=" + run), capture_output=True, text=True, cwd=o.tmp(), timeout=120,
                           env={**os.environ, "LD_PRELOAD": SHIM, "ORR_SHIM_DIR": run, **env})
        if code is not None:
            assert p.returncode == code, f"exit code {p.returncode}, not {code}: {p.stderr}"
        return p

    def go_on(self, run, what):
        """What is there loads, and the run ends as if nothing had happened."""
        for name in ("checkpoint-last.h5", "checkpoint-best.h5", "model.h5"):
            path = os.path.join(run, name)
            if os.path.exists(path):
                o.orrery("info", path)
        o.orrery("train", self.job, "run=" + run)
        self.assertEqual(o.results(run), self.whole, what)
        left = [n for n in os.listdir(run) if n.endswith(".tmp")]
        self.assertEqual(left, [], what)

    def each(self, kind, first):
        tried = 0
        for k in range(first, self.calls + 1, STRIDE):
            run = o.tmp("faulty")
            shutil.rmtree(run, ignore_errors=True)
            p = self.start(run, code=None, ORR_SHIM_AT=str(k), ORR_SHIM_KIND=kind)
            what = f"{kind} at call {k} of {self.calls}"
            if kind in ("kill", "half"):
                self.assertIn(p.returncode, (-9, 0), f"{what}: {p.stderr}")  # 0: that call was no write
            else:
                self.assertEqual(p.returncode, 1, f"{what}: {p.stderr}")
                said = [line for line in p.stderr.splitlines() if line.startswith("orrery train: ")]
                self.assertEqual(len(said), 1, f"{what}: {p.stderr}")
                self.assertTrue("No space left" in said[0] or "Input/output error" in said[0] or "disk" in said[0], f"{what}: {said[0]}")
            self.go_on(run, what)
            tried += 1
        print(f"{kind}: {tried} of {self.calls} calls")

    def test_full_disk_on_two_ranks(self):
        """The rank that writes fails; both end, with one sentence and no crash on the way out."""
        if not o.MPIRUN:
            self.skipTest("this build has no MPI")
        for k in (9, 25, 44):
            run = o.tmp("faulty")
            shutil.rmtree(run, ignore_errors=True)
            p = self.start(run, code=1, ranks=2, ORR_SHIM_AT=str(k), ORR_SHIM_KIND="enospc")
            self.assertEqual(p.stderr.count("orrery train: "), 1, p.stderr)
            self.assertNotIn("signal", p.stderr)
            self.go_on(run, f"two ranks, call {k}")

    def test_kill(self):
        self.each("kill", 1)

    def test_half_a_write(self):
        self.each("half", 4)

    def test_full_disk(self):
        self.each("enospc", 7)

    def test_failing_disk(self):
        self.each("eio", 10)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
