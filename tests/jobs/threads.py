"""How many threads a training uses, and how they wait: both change its speed alone."""
import os
import subprocess
import time
import unittest

import orrery as o

CORES = len(os.sched_getaffinity(0))
if CORES < 2:
    o.skip("one core: there are no threads to be waited for")


class Threads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        train, test = o.small_kepler()
        cls.job = o.job("threads.yaml", train, test, data="  epoch_length: 6000")
        o.orrery("train", cls.job, "run=" + o.tmp("alone"), "runtime.threads=1")
        cls.alone = o.results(o.tmp("alone"))

    def environment(self, run, **more):
        """What a training has in its environment, and its name, once it is at work."""
        env = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
        p = subprocess.Popen(o.argv(0, "train", self.job, "run=" + o.tmp(run)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=o.tmp(), env={**env, **more})
        while not os.path.exists(o.tmp(run + "/log.txt")):
            self.assertIsNone(p.poll())
            time.sleep(0.005)
        with open(f"/proc/{p.pid}/environ") as f:
            found = dict(line.split("=", 1) for line in f.read().split("\0") if "=" in line)
        with open(f"/proc/{p.pid}/comm") as f:
            name = f.read().strip()
        p.terminate()
        p.communicate()
        return found, name

    def test_short_waits(self):
        found, name = self.environment("short")
        self.assertGreater(int(found["GOMP_SPINCOUNT"]), 0)
        self.assertEqual(name, os.path.basename(o.ORRERY))
        found, _ = self.environment("policy", OMP_WAIT_POLICY="active")
        self.assertNotIn("GOMP_SPINCOUNT", found)
        found, _ = self.environment("count", GOMP_SPINCOUNT="7")
        self.assertEqual(found["GOMP_SPINCOUNT"], "7")

    def test_a_neighbour(self):
        """Every core has other work: fewer threads, the same bytes."""
        others = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(CORES)]
        try:
            r = o.orrery("train", self.job, "run=" + o.tmp("beside"), f"runtime.threads={CORES}")
            fixed = o.orrery("train", self.job, "run=" + o.tmp("fixed"), f"runtime.threads={CORES}", "train.epochs=1", env={"OMP_DYNAMIC": "false"})
        finally:
            for p in others:
                p.kill()
                p.wait()
        self.assertRegex(r.err, rf"others keep [\d.]+ of the {CORES} cores busy: fewer threads")
        self.assertNotIn("others keep", fixed.err)
        self.assertEqual(o.results(o.tmp("beside")), self.alone)


if __name__ == "__main__":
    unittest.main(verbosity=2)
