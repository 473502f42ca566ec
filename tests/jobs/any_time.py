"""A model at any time: checkpoints and runs that go on answer like the model file of that epoch;
model.h5 is there from the first epoch on."""
import json
import os
import shutil
import subprocess
import time
import unittest

import h5py
import numpy as np
import orrery as o
from ensemble import answers, net, table


def job(name, train, test, epochs, more="", split=0.3, runtime=""):
    return o.write(name + ".yaml", f"run: {o.tmp(name)}\ndata: {{train: {train}, test: {test}, validation_fraction: {split}, "
                   f"transforms: [standardise: {{per: feature}}]}}\nmodel: {net(6, 1)}\n"
                   f"train: {{epochs: {epochs}, batch: 32, lr: 0.02{more}}}\nruntime: {{threads: 1, progress: false{runtime}}}\n")


def wait_for(ready, process, seconds=60):
    end = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waits for ever"
        time.sleep(0.005)


def start(*args, ranks=0):
    return subprocess.Popen(o.argv(ranks, *args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=o.tmp(), start_new_session=True)


def epochs_of(run):
    try:
        with open(os.path.join(run, "metrics.jsonl")) as f:
            return [json.loads(line) for line in f.read().split("\n")[:-1]]
    except FileNotFoundError:
        return []


class AnyTime(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.train, cls.test = table("at", 200, 1, classes=2, names=("galaxy", "star")), table("ae", 60, 2, classes=2, names=("galaxy", "star"))

    def test_states_of_a_run_that_ended(self):
        run = o.tmp("ended")
        o.orrery("train", job("ended", self.train, self.test, 4))
        model = answers(run, self.test)
        for path, *state in ((f"{run}/model.h5",), (f"{run}/checkpoint-best.h5",), (run, "state=best")):
            self.assertTrue(np.array_equal(answers(path, self.test, *state), model), path)
        self.assertFalse(np.array_equal(answers(run, self.test, "state=last"), model) and epochs_of(run)[-1]["best"] is False)
        # without a validation split the last epoch is the model
        plain = o.tmp("plain")
        o.orrery("train", job("plain", self.train, self.test, 4, split=0))
        for path, *state in ((plain, "state=last"), (f"{plain}/checkpoint-last.h5",)):
            self.assertTrue(np.array_equal(answers(path, self.test, *state), answers(plain, self.test)), path)
        self.assertIn("state=last", answers(plain, self.test, "state=best", code=1))
        self.assertIn("leave state out", answers(f"{run}/model.h5", self.test, "state=last", code=2))
        told = o.orrery("evaluate", f"{run}/checkpoint-last.h5", self.test, o.KERNELS, "format=json")
        self.assertEqual(json.loads(told.out)["checkpoint"], {"epoch": 4, "step": 0, "epochs": 4, "best": epochs_of(run)[-1]["best"]})
        self.assertIn("after epoch 4 of 4", told.err)
        self.assertNotIn("checkpoint", json.loads(o.orrery("evaluate", run, self.test, o.KERNELS, "format=json").out))

    def test_run_that_goes_on(self):
        whole, run = o.tmp("whole"), o.tmp("killed")
        job("whole", self.train, self.test, 300)
        o.orrery("train", o.tmp("whole.yaml"))
        p = start("train", job("killed", self.train, self.test, 300, runtime=", checkpoint_seconds: 0"))
        wait_for(lambda: os.path.exists(f"{run}/model.h5"), p)
        with h5py.File(f"{run}/model.h5") as f:  # before the end
            self.assertIn("checkpoint", json.loads(f["record"][0]))
        os.killpg(p.pid, 9)
        p.communicate()
        copy = o.tmp("copy")
        shutil.copytree(run, copy)
        with h5py.File(f"{copy}/model.h5") as f:
            record = json.loads(f["record"][0])
        self.assertTrue(record["checkpoint"]["best"])
        epoch = record["checkpoint"]["epoch"]
        # the same net as that of a run that had been over then
        short = o.tmp("short")
        o.orrery("train", job("short", self.train, self.test, epoch))
        self.assertTrue(np.array_equal(answers(copy, self.test), answers(short, self.test)))
        r = o.orrery("evaluate", copy, self.test, o.KERNELS)
        self.assertRegex(r.err, rf"after epoch {epoch} of 300, the best so far")
        self.assertIn("had not ended", o.orrery("info", copy).out)
        self.assertIn("seen_in_training", json.loads(o.orrery("evaluate", copy, self.train, o.KERNELS, "format=json").out))
        # the checkpoint alone does
        os.remove(f"{copy}/model.h5")
        self.assertTrue(np.array_equal(answers(copy, self.test, "state=best"), answers(f"{copy}/checkpoint-best.h5", self.test)))
        answers(copy, self.test)
        # and on, to the same bytes
        o.orrery("train", o.tmp("killed.yaml"), ranks=2 if o.MPIRUN else 0)
        self.assertEqual(o.results(run), o.results(whole))


if __name__ == "__main__":
    unittest.main(argv=["any_time"])
