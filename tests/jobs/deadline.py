"""Calls that nothing can interrupt: a rank that stays in one for ever (MPI_Init, MPI_Finalize,
MPI_Abort, making communicators and windows, HDF5's collective writes) ends the job all the same,
with a sentence and without leaving a process behind.   deadline.py DELAY (the shared object of
delay.c)"""
import os
import signal
import subprocess
import sys
import time
import unittest

import cv as validation
import orrery as o
from supervised import processes, ranks

DELAY = os.path.abspath(sys.argv.pop(1))
LEAST = 10  # seconds: the deadline of those that ORR_WAIT cannot make shorter (60 in use)
FOREVER = 3600 * 1000  # ms

# call, rank that stays in it, what is said, seconds until then
STUCK = [
    ("MPI_Init_thread", 1, r"MPI_Init did not come back within 10 s \(ORR_WAIT\); it ends here", LEAST),
    ("MPI_Finalize", 1, r"MPI_Finalize did not come back within 10 s \(ORR_WAIT\); it ends here", LEAST),
    ("MPI_Abort", 0, r"MPI_Abort did not come back within 10 s \(ORR_WAIT\); it ends here", LEAST),
    ("MPI_Comm_dup", 1, r"rank 0 of 2 \(.*\): making the communicator: MPI did not come back within 2 s; look for a rank that stopped", 2),
    ("MPI_Win_allocate_shared", 1, r"rank 0 of 2 \(.*\): window: MPI did not come back within 2 s", 2),
    ("MPI_File_open", 1, r"writing predictions with all ranks did not come back within 10 s \(ORR_WAIT\)", LEAST),
]


class Deadline(unittest.TestCase):
    def start(self, call, rank):
        train, test = o.small_kepler()
        run = o.tmp("stuck-" + call)
        if call == "MPI_File_open":
            o.write("shared.yaml", validation.SHARED.format(train=train, test=test, kernels=o.KERNELS[8:]))
            words = ["cv", o.write("cv.yaml", validation.JOB.format(folds=2, more="", kernels=o.KERNELS[8:])), "data.epoch_length=600"]
        else:
            words = ["train", o.job("stuck.yaml", train, test, data="  epoch_length: 300")]
        if call == "MPI_Abort":
            words += ["train.epochs=100000"]
        env = {**os.environ, "LD_PRELOAD": DELAY, "ORR_DELAY": f"{call}:{rank}:{FOREVER}", "ORR_WAIT": "2", "ORR_WAIT_LEAST": str(LEAST)}
        words = [o.MPIRUN, "--oversubscribe", "--bind-to", "none", "-n", "2", o.ORRERY, *words, "run=" + run]
        p = subprocess.Popen(words, env=env, cwd=o.tmp(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(p.kill)
        if call == "MPI_Abort":  # of rank 0, for want of rank 1
            while not os.path.exists(os.path.join(run, "history.csv")):
                time.sleep(0.1)
                self.assertIsNone(p.poll())
            os.kill(ranks("run=" + run)[1], signal.SIGSTOP)
        return p, run, time.monotonic()

    def test_stuck(self):
        jobs = [(*row, *self.start(*row[:2])) for row in STUCK]
        for call, _, said, seconds, p, run, began in jobs:
            with self.subTest(call):
                out = p.communicate(timeout=LEAST + 90)[0]
                took = time.monotonic() - began
                self.assertRegex(out, said)
                # mpirun calls an end without MPI_Finalize a failure
                self.assertGreater(p.returncode, 0, out)
                self.assertGreaterEqual(took, seconds)
                self.assertFalse(processes("run=" + run))


if __name__ == "__main__":
    o.MPIRUN or o.skip("built without MPI")
    unittest.main()
