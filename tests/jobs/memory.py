"""The samples of a set lie in memory once a node, however many ranks train on them: the
proportional share (PSS) of all ranks together grows by the set's size, not by ranks times it."""
import os
import subprocess
import time
import unittest

import numpy as np
import orrery as o

MEBI = 1 << 20


def pss(name):
    """{pid: bytes} of the processes whose command line holds name."""
    out = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as f:
                words = f.read().split("\0")
            if words[0] != o.ORRERY or name not in words:
                continue
            with open(f"/proc/{pid}/smaps_rollup") as f:
                out[pid] = sum(int(line.split()[1]) << 10 for line in f if line.startswith("Pss:"))
        except OSError:
            pass
    return out


class Memory(unittest.TestCase):
    def memory_of(self, data, ranks, command="train"):
        """Bytes of all ranks together once training goes on."""
        text = f"""
run: runs/unset
data: {{train: {data}, validation_fraction: 0, overlap: allow}}
model: {{layers: [linear: {{units: 2}}]}}
train: {{epochs: 100000, batch: 16, leaves: 4}}
runtime: {{threads: 1, progress: false}}
"""
        if command == "cv":  # a fold for each rank, trained at the same time
            text += f"cv: {{folds: {ranks}}}\n"
        job = o.write("memory.yaml", text)
        run = f"run={o.tmp('memory-run')}-{os.path.basename(data)}-{ranks}-{command}"
        env = {**os.environ, "ORR_LOG": "info,train:info"}  # a group's trainings speak, too
        p = subprocess.Popen(o.argv(ranks, command, job, run), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=o.tmp(), env=env)
        try:
            started = 0
            for line in p.stderr:
                started += "first step" in line
                if started == (ranks if command == "cv" else 1):
                    break
            return self.settled(run, ranks)
        finally:
            p.terminate()
            p.communicate(timeout=60)

    def settled(self, run, ranks):
        """What the ranks hold once it grows no more: on a busy machine the first pass over the
        samples takes seconds."""
        last, looks = 0, 0
        deadline = time.monotonic() + 60
        while looks < 4 and time.monotonic() < deadline:  # without more than 2 MiB between them
            time.sleep(0.3)
            found = pss(run)
            self.assertEqual(len(found), ranks)
            now = sum(found.values())
            looks = looks + 1 if now <= last + 2 * MEBI else 0
            last = max(last, now)
        return last

    def test_once_a_node(self):
        sizes = {}
        for name, rows in (("small", 64), ("large", 64 + 300)):
            np.save(o.tmp(name + ".npy"), np.random.default_rng(1).random((rows, MEBI // 4), dtype="f4"))
            np.save(o.tmp(name + "-y.npy"), np.arange(rows) % 2)
            o.orrery("import", "input.files=" + o.tmp(name + ".npy"), "input.label=" + o.tmp(name + "-y.npy"), "out=" + o.tmp(name))
            os.remove(o.tmp(name + ".npy"))
            sizes[name] = [self.memory_of(o.tmp(name), 4), self.memory_of(o.tmp(name), 8, "cv")]
        for i, what in enumerate(("4 ranks that train together", "8 ranks that cross-validate, one fold each")):
            grown = (sizes["large"][i] - sizes["small"][i]) / MEBI
            print(f"300 MiB more of data: {grown:.0f} MiB more on {what}")
            self.assertGreater(grown, 250)
            self.assertLess(grown, 450)


if __name__ == "__main__":
    if not o.MPIRUN:
        o.skip("this build has no MPI")
    unittest.main()
