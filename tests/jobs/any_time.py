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
        # before the end; copied, since the next one may be getting its name
        with h5py.File(shutil.copy(f"{run}/model.h5", o.tmp("early.h5"))) as f:
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

    def test_overwrite(self):
        run = o.tmp("again")
        first, other = job("again", self.train, self.test, 3), job("other", self.train, self.test, 2, ", seed: 4")
        fresh, keep = o.tmp("fresh"), os.path.join(run, "notes.txt")
        o.orrery("train", other, "run=" + fresh)
        o.orrery("train", first)
        before = o.tree(run)
        with open(keep, "w") as f:
            f.write("mine")
        refused = o.orrery("train", other, "run=" + run, code=2)
        self.assertIn("overwrite=true", refused.err)
        # a job that is not valid removes nothing
        o.orrery("train", other, "run=" + run, "overwrite=true", "train.select=rmse", code=2)
        o.orrery("train", other, "run=" + run, "overwrite=true", "data.train=" + o.tmp("nowhere"), code=1)
        self.assertEqual({k: v for k, v in o.tree(run).items() if k in o.RESULTS}, {k: v for k, v in before.items() if k in o.RESULTS})
        o.orrery("train", other, "run=" + run, "overwrite=true", ranks=2 if o.MPIRUN else 0)
        self.assertEqual(o.results(run), o.results(fresh))
        with open(keep) as f:
            self.assertEqual(f.read(), "mine")
        # the same job is left as it is, another training set is another run
        o.orrery("train", other, "run=" + run, "overwrite=true")
        self.assertEqual(o.results(run), o.results(fresh))
        less = table("less", 150, 7, classes=2, names=("galaxy", "star"))
        moved = o.tmp("moved")
        shutil.copytree(less, moved)
        o.orrery("train", other, "run=" + run, "overwrite=true", "data.train=" + moved)
        shutil.rmtree(moved)
        shutil.copytree(self.train, moved)
        refused = o.orrery("train", other, "run=" + run, "data.train=" + moved, code=1)
        self.assertIn("training set has changed", refused.err)
        o.orrery("train", other, "run=" + run, "overwrite=true", "data.train=" + moved)
        self.assertNotEqual(o.results(run)["model.h5"], o.results(fresh)["model.h5"], "data.train is in it")
        self.assertTrue(np.array_equal(answers(run, self.test), answers(fresh, self.test)))
        # a live run, and what is none of train's
        p = start("train", job("live", self.train, self.test, 100000))
        wait_for(lambda: os.path.exists(o.tmp("live/model.h5")), p)
        refused = o.orrery("train", other, "run=" + o.tmp("live"), "overwrite=true", code=1)
        self.assertIn("another job is running here", refused.err)
        os.killpg(p.pid, 9)
        p.communicate()
        os.makedirs(o.tmp("cv"))
        shutil.copy(o.write("cv-job.yaml", "cv:\n  folds: 3\n"), o.tmp("cv/job.yaml"))
        refused = o.orrery("train", other, "run=" + o.tmp("cv"), "overwrite=true", code=1)
        self.assertIn("another command", refused.err)

    def test_overwrite_folds(self):
        run, fresh = o.tmp("folds"), o.tmp("folds-fresh")
        text = f"data: {{train: {self.train}, validation_fraction: 0.3}}\nmodel: {net(6, 1)}\ntrain: {{epochs: 1, batch: 32, lr: 0.02}}\nruntime: {{threads: 1, progress: false}}\n"
        cv = o.write("folds.yaml", f"run: {run}\ncv: {{folds: 3}}\n" + text)
        o.orrery("cv", cv)
        o.orrery("cv", cv, "run=" + fresh, "cv.folds=2", "train.lr=0.05")
        refused = o.orrery("cv", cv, "cv.folds=2", "train.lr=0.05", code=2)
        self.assertIn("overwrite=true", refused.err)
        o.orrery("cv", cv, "cv.folds=2", "train.lr=0.05", "overwrite=true", ranks=2 if o.MPIRUN else 0)
        self.assertEqual(sorted(os.listdir(run + "/tasks")), sorted(os.listdir(fresh + "/tasks")))
        for name in ("oof.h5", "oof.csv", "report.json"):
            self.assertEqual(o.sha(f"{run}/{name}"), o.sha(f"{fresh}/{name}"), name)

    def test_asked_to_end(self):
        run, text = o.tmp("asked"), job("asked", self.train, self.test, 100000)
        self.assertIn("there is no such run", o.orrery("stop", o.tmp("nowhere"), code=1).err)
        p = start("train", text, ranks=2 if o.MPIRUN else 0)
        wait_for(lambda: len(epochs_of(run)) > 1, p)
        self.assertIn("it ends after epoch", o.orrery("stop", run).out)
        out, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 0, err)
        lines = epochs_of(run)
        n = len(lines)
        self.assertEqual([line.get("ended_early") for line in lines], [None] * (n - 1) + ["orrery stop"])
        self.assertIn(f"ended early at epoch {n} of 100000", err)
        with open(f"{run}/report.json") as f:
            self.assertEqual(json.load(f)["ended_early"], {"epoch": n, "epochs": 100000, "by": "orrery stop"})
        self.assertFalse(os.path.exists(f"{run}/stop.json"))
        self.assertNotIn("warn", o.orrery("evaluate", run, self.test, o.KERNELS).err)
        self.assertIn("nothing is asked", o.orrery("stop", run, code=1).err)
        # the net of a run that had asked for so many epochs; and it stays ended
        short = o.tmp("just")
        o.orrery("train", job("just", self.train, self.test, n))
        self.assertTrue(np.array_equal(answers(run, self.test), answers(short, self.test)))
        before = o.results(run)
        o.orrery("train", text)
        self.assertEqual(o.results(run), before)
        # and on: one epoch more than was asked, of a job that ended at n
        o.orrery("train", text, f"train.epochs={n + 2}", "run=" + short, ranks=3 if o.MPIRUN else 0)
        whole = o.tmp("two-more")
        o.orrery("train", text, f"train.epochs={n + 2}", "run=" + whole)
        for name in ("metrics.jsonl", "history.csv", "model.h5", "report.json", "predictions-test.csv", "job.yaml", "checkpoint-last.h5"):
            self.assertEqual(o.sha(f"{short}/{name}"), o.sha(f"{whole}/{name}"), name)

    def test_longer(self):
        run, whole, text = o.tmp("stopped"), o.tmp("patient"), job("stopped", self.train, self.test, 400, ", patience: 2")
        o.orrery("train", text, "train.lr=0.1")
        n = len(epochs_of(run))
        self.assertLess(n, 400, "patience never ran out")
        o.orrery("train", text, "train.lr=0.1", "train.patience=6")
        self.assertGreater(len(epochs_of(run)), n)
        o.orrery("train", text, "train.lr=0.1", "train.patience=6", "run=" + whole)
        for name in ("metrics.jsonl", "model.h5", "report.json", "checkpoint-last.h5"):
            self.assertEqual(o.sha(f"{run}/{name}"), o.sha(f"{whole}/{name}"), name)
        # shorter, or otherwise, is another job; a schedule over all epochs cannot be stretched
        self.assertIn("another job", o.orrery("train", text, "train.lr=0.1", "train.patience=3", code=2).err)
        self.assertIn("another job", o.orrery("train", text, "train.lr=0.2", "train.patience=8", code=2).err)
        cycle = job("cycle", self.train, self.test, 2, ", schedule: {kind: onecycle}")
        o.orrery("train", cycle)
        self.assertIn("spread over all epochs", o.orrery("train", cycle, "train.epochs=3", code=2).err)

    def test_warm_start(self):
        other, first = table("wo", 160, 5, classes=2, names=("galaxy", "star")), o.tmp("first")
        o.orrery("train", job("first", other, self.test, 3))
        layers = "model.layers=[linear: {units: 6}, batch_norm, tanh, linear: {units: 1}]"
        source, run = o.tmp("source"), o.tmp("warm")
        o.orrery("train", o.tmp("first.yaml"), "run=" + source, layers)
        # no step is made at a rate of 0: what was taken is what there is, running moments included
        text = job("warm", self.train, self.test, 1, ", optimiser: {kind: sgd}")
        o.orrery("train", text, layers, "train.lr=0", "model.weights=" + source)
        with h5py.File(f"{source}/model.h5") as a, h5py.File(f"{run}/model.h5") as b:
            for name in a["weights"]:
                if "running" not in name:
                    self.assertTrue(np.array_equal(a["weights"][name][:], b["weights"][name][:]), name)
            record = json.loads(b["record"][0])["weights"]
        self.assertEqual(record["sha256"], o.sha(f"{source}/model.h5"))
        self.assertEqual(record["path"], f"{source}/model.h5")
        self.assertEqual((record["fresh"], record["left"]), ([], []))
        self.assertIn("bn1.running_mean" if "bn1.running_mean" in record["taken"] else "batch_norm1.running_mean", record["taken"])
        # the same bytes on any number of ranks; killed, it goes on without the file
        text = job("tuned", self.train, self.test, 3)
        r = o.orrery("train", text, "model.weights=" + first)
        self.assertRegex(r.err, r"weights of .*first/model.h5: 4 of 4 tensors taken, 0 fresh, 0 left")
        cold = o.tmp("cold")
        o.orrery("train", text, "run=" + cold)
        self.assertNotEqual(o.results(cold)["history.csv"], o.results(o.tmp("tuned"))["history.csv"])
        gone = shutil.copytree(first, o.tmp("gone"))
        p = start("train", job("half", self.train, self.test, 200, runtime=", checkpoint_seconds: 0"), "model.weights=" + gone, ranks=2 if o.MPIRUN else 0)
        wait_for(lambda: len(epochs_of(o.tmp("half"))) > 2, p)
        o.orrery("stop", o.tmp("half"))
        p.communicate(timeout=60)
        n = len(epochs_of(o.tmp("half")))
        shutil.rmtree(gone)
        o.orrery("train", o.tmp("half.yaml"), "model.weights=" + gone, f"train.epochs={max(201, n + 1)}")
        shutil.copytree(first, gone)
        o.orrery("train", o.tmp("half.yaml"), "model.weights=" + gone, f"train.epochs={max(201, n + 1)}", "run=" + o.tmp("all"), ranks=3 if o.MPIRUN else 0)
        for name in ("model.h5", "report.json", "predictions-test.csv"):
            self.assertEqual(o.sha(o.tmp("all/" + name)), o.sha(o.tmp("half/" + name)), name)
        # another head, and what does not fit
        three = table("wt", 150, 8, classes=3)
        r = o.orrery("train", job("three", three, "''", 1), "model.weights=" + first, "model.layers=[linear: {units: 6}, tanh, linear: {units: 3}]")
        self.assertIn("2 of 4 tensors taken, 2 fresh, 2 left", r.err)
        self.assertIn("the head: another number of classes", r.err)
        swapped = table("ws", 150, 9, classes=2, names=("star", "galaxy"))
        self.assertIn("the head: other classes", o.orrery("train", job("swapped", swapped, "''", 1), "model.weights=" + first).err)
        bad = o.tmp("bad")
        self.assertIn("none of the tensors", o.orrery("train", text, "run=" + bad, "model.weights=" + first, "model.layers=[linear: {units: 7, name: q}, tanh, linear: {units: 1, name: r}]", code=1).err)
        self.assertIn("no such file", o.orrery("train", text, "run=" + bad, "model.weights=" + o.tmp("none.h5"), code=1).err.lower())
        self.assertFalse(os.path.exists(bad))
        # what the weights have learned from, the model has, too, also after it was resumed
        for name in ("tuned", "half"):
            seen = json.loads(o.orrery("evaluate", o.tmp(name), other, o.KERNELS, "format=json").out)["seen_in_training"]
            self.assertEqual(seen["trained"], 112, name)
        # whose test is not new to the weights
        self.assertRegex(o.orrery("train", job("leaks", self.train, other, 1), "model.weights=" + first).err, r"samples of the test split trained .*first/model.h5: scores")


if __name__ == "__main__":
    unittest.main(argv=["any_time"])
