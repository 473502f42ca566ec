"""Checkpoints survive everything: SIGKILL at every call that changes a file of the run (open,
write, the half of a write, fsync, rename), a disk that is full from some call on, and one that
fails.  After each there is the newest checkpoint or the one before it, never a damaged one, and the
run goes on to the bytes of an undisturbed one.

CI tries every STRIDE-th call; bench/faults/checkpoint.py all of them, and prints what was found."""
import collections
import csv
import os
import shutil
import subprocess
import sys
import unittest

import h5py

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "jobs"))
import orrery as o  # noqa: E402

STRIDE = 5
FIRST = {"kill": 1, "half": 4, "enospc": 7, "eio": 10}  # the first call that CI tries
CHECKPOINTS = ("checkpoint-last.h5", "checkpoint-best.h5")

# One call: what was tried, at which file; "killed", "failed" or "nothing" (a call that is no write
# has no half); the step of the checkpoint that was left (0: none).
Trial = collections.namedtuple("Trial", "kind number call file ended left")


def build_shim():
    """shim.c as a shared object, where CMake has not made it."""
    path = o.tmp("shim.so")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-std=gnu11", "-D_GNU_SOURCE", "-o", path, os.path.join(HERE, "shim.c"), "-ldl"],
                   check=True)
    return path


class Trials:
    """A small training; each call of it that changes a file may be tried.  Its second epoch is the
    best so far, and is written with the save after it."""

    def __init__(self, shim):
        train, test = o.small_kepler(stars=60, samples=100)
        self.job = o.job("checkpoint.yaml", train, test, "  checkpoint_steps: 3\n  max_steps: 10", data="  epoch_length: 88")
        self.shim, self.run = shim, o.tmp("undisturbed")
        log = o.tmp("calls.csv")
        p = self.start(self.run, ORR_SHIM_LOG=log)
        assert p.returncode == 0, p.stderr
        with open(log) as f:
            self.calls = [(call, name) for _, call, name in csv.reader(f)]
        assert len(self.calls) > 40, self.calls
        self.whole = o.results(self.run)

    def start(self, run, ranks=0, **env):
        return subprocess.run(o.argv(ranks, "train", self.job, "run=" + run), capture_output=True, text=True, cwd=o.tmp(), timeout=120, check=False,
                              env={**os.environ, "LD_PRELOAD": self.shim, "ORR_SHIM_DIR": run, **env})

    def left(self, run):
        """The step of the checkpoint that a next start would take; all that has a final name
        loads."""
        for name in (*CHECKPOINTS, "model.h5"):
            if os.path.exists(os.path.join(run, name)):
                o.orrery("info", os.path.join(run, name))
        path = os.path.join(run, CHECKPOINTS[0])
        if not os.path.exists(path):
            return 0
        with h5py.File(path) as f:
            return int(f["counts"][2])

    def go_on(self, run, what):
        """The run ends as if nothing had happened."""
        o.orrery("train", self.job, "run=" + run)
        assert o.results(run) == self.whole, what
        left = [n for n in os.listdir(run) if n.endswith(".tmp") and not n.startswith("job.yaml")]
        assert left == [], f"{what}: {left}"

    def one(self, kind, number, run):
        shutil.rmtree(run, ignore_errors=True)
        p = self.start(run, ORR_SHIM_AT=str(number), ORR_SHIM_KIND=kind)
        call, name = self.calls[number - 1]
        what = f"{kind} at call {number} of {len(self.calls)} ({call} of {name}): exit code {p.returncode}: {p.stderr}"
        if kind in ("kill", "half"):
            assert p.returncode == -9 or (kind == "half" and p.returncode == 0), what
        # what people read does not end a run
        elif name not in ("timing.csv", "log.txt") or p.returncode != 0:
            assert p.returncode == 1, what
            said = [line for line in p.stderr.splitlines() if line.startswith("orrery train: ")]
            assert len(said) == 1 and any(w in said[0] for w in ("No space left", "Input/output error", "disk")), what
        trial = Trial(kind, number, call, name, {-9: "killed", 0: "nothing"}.get(p.returncode, "failed"), self.left(run))
        self.go_on(run, what)
        return trial

    def newest(self, number):
        """Steps of the checkpoint that was written by then, and of the one before it, as the
        undisturbed run wrote them."""
        return sum(call == "rename" and name == CHECKPOINTS[0] for call, name in self.calls[:number - 1])

    def check(self, trials):
        """The newest or the one before: what is left follows the renames of the undisturbed run."""
        steps = [0, *sorted({t.left for t in trials} - {0})]
        for t in trials:
            if t.kind in ("kill", "half") and t.ended == "killed":
                n = self.newest(t.number)
                assert steps.index(t.left) >= min(n, len(steps) - 1) - 1, f"{t}: an older checkpoint than the one before the newest ({steps}, {n})"


class Checkpoint(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.trials = Trials(os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else build_shim())

    def each(self, kind):
        numbers = range(FIRST[kind], len(self.trials.calls) + 1, STRIDE)
        tried = [self.trials.one(kind, k, o.tmp("faulty")) for k in numbers]
        self.trials.check(tried)
        print(f"{kind}: {len(tried)} of {len(self.trials.calls)} calls")

    def test_full_disk_on_two_ranks(self):
        """The rank that writes fails; both end, with one sentence and no crash on the way out."""
        if not o.MPIRUN:
            self.skipTest("this build has no MPI")
        for number in (9, 25, 44):
            run = o.tmp("faulty")
            shutil.rmtree(run, ignore_errors=True)
            p = self.trials.start(run, ranks=2, ORR_SHIM_AT=str(number), ORR_SHIM_KIND="enospc")
            self.assertEqual(p.returncode, 1, p.stderr)
            self.assertEqual(p.stderr.count("orrery train: "), 1, p.stderr)
            self.assertNotIn("signal", p.stderr)
            self.trials.go_on(run, f"two ranks, call {number}")

    def test_kill(self):
        self.each("kill")

    def test_half_a_write(self):
        self.each("half")

    def test_full_disk(self):
        self.each("enospc")

    def test_failing_disk(self):
        self.each("eio")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
