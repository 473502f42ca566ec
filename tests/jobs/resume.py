"""Stopping is boring: kill -9 of all ranks at a random moment, then go on with the same or another number of ranks: same bytes as no stop.
SIGTERM saves and exits with 75."""
import os
import random
import signal
import subprocess
import time
import unittest

import orrery as o


def start(ranks, *args):
    return subprocess.Popen(o.argv(ranks, *args), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=o.tmp(), start_new_session=True, text=True)


def kill(p):
    """SIGKILL to mpirun and to every rank: they are in sessions of their own."""
    subprocess.run(["pkill", "-KILL", "-f", o.tmp("")], check=False)
    p.wait()
    p.stderr.close()


def wait_for(path, seconds=60):
    end = time.monotonic() + seconds
    while not os.path.exists(path):
        assert time.monotonic() < end, f"{path} does not appear"
        time.sleep(0.01)


class Resume(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        train, test = o.small_kepler()
        cls.job = o.job("resume.yaml", train, test, "  checkpoint_steps: 17", data="  epoch_length: 9000")
        cls.seconds = o.orrery("train", cls.job, "run=" + o.tmp("whole")).seconds
        cls.whole = o.results(o.tmp("whole"))

    def test_kill_9_and_go_on(self):
        random.seed(5)
        kills = 0
        for trial, (before, after) in enumerate([(2, 2), (3, 1), (1, 4)]):
            run = o.tmp(f"killed-{trial}")
            for _ in range(2):  # killed twice, at random moments after the first checkpoint
                p = start(before, "train", self.job, "run=" + run)
                wait_for(os.path.join(run, "checkpoint-last.h5"))
                time.sleep(random.uniform(0, 0.4 * self.seconds))
                kills += p.poll() is None
                kill(p)
            r = o.orrery("train", self.job, "run=" + run, ranks=after)
            self.assertEqual(o.results(run), self.whole, f"killed on {before}, gone on with {after} ranks\n{r.err}")
        self.assertGreater(kills, 0, "every run ended before it was killed: the test tests nothing")

    def test_sigterm_saves(self):
        run = o.tmp("term")
        p = start(0, "train", self.job, "run=" + run)
        wait_for(os.path.join(run, "checkpoint-last.h5"))
        p.send_signal(signal.SIGTERM)
        err = p.communicate()[1]
        self.assertEqual(p.returncode, 75, err)
        self.assertIn("saved", err)
        o.orrery("train", self.job, "run=" + run)
        self.assertEqual(o.results(run), self.whole)

    def test_finished_run_is_left_alone(self):
        run = o.tmp("again")
        o.orrery("train", self.job, "run=" + run)
        o.orrery("train", self.job, "run=" + run, ranks=2 if o.MPIRUN else 0)
        self.assertEqual(o.results(run), self.whole)

    def test_another_job_is_refused(self):
        run = o.tmp("other")
        o.orrery("train", self.job, "run=" + run, "train.max_steps=3")
        before = o.tree(run)
        r = o.orrery("train", self.job, "run=" + run, "train.max_steps=3", "train.lr=0.5", code=2)
        self.assertIn("lr: 0.5", r.err)
        self.assertEqual({n: s for n, s in o.tree(run).items() if n != "log.txt"}, {n: s for n, s in before.items() if n != "log.txt"})

    def test_damaged_checkpoint(self):
        run = o.tmp("damaged")
        o.orrery("train", self.job, "run=" + run, "train.max_steps=3")
        path = os.path.join(run, "checkpoint-last.h5")
        with open(path, "rb") as f:
            whole = f.read()
        middle = len(whole) // 2
        for data in (whole[:-100], whole[:1000], whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1:]):
            with open(path, "wb") as f:
                f.write(data)
            r = o.orrery("train", self.job, "run=" + run, "train.max_steps=3", code=1)
            self.assertIn("checkpoint-last.h5", r.err)


if __name__ == "__main__":
    if not o.MPIRUN:
        o.skip("this build has no MPI")
    unittest.main()
