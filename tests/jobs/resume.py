"""Stopping is boring: kill -9 of all ranks at a random moment, then go on with the same or another
number of ranks: same bytes as no stop. SIGTERM and SIGHUP save and exit with 75.  A run whose files
are removed under it says so.  What a kill leaves in the folder goes; a run that another version
began goes on in its tables. resume.py SHIM (the shared object of tests/faults/shim.c)"""
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

import h5py
import orrery as o

SHIM = os.path.abspath(sys.argv[1])


def start(ranks, *args, **more):
    return subprocess.Popen(o.argv(ranks, *args), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=o.tmp(), start_new_session=True, text=True, **more)


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
        cls.job = o.job("resume.yaml", train, test, "  checkpoint_steps: 17\n  optimiser: {kind: adamw, weight_decay: 0.01, no_decay: [vectors], "
                        "groups: [{match: linear*, rate: 0.5}]}", data="  epoch_length: 9000")
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

    def test_saves_by_time(self):
        """Short epochs are not saved one by one, long ones within themselves; what was the best
        epoch in memory alone is found again after a kill."""
        train, test = o.small_kepler()
        with open(o.job("short.yaml", train, test, data="  epoch_length: 44")) as f:
            job = o.write("short.yaml", f.read().replace("epochs: 3", "epochs: 40"))

        def calls(run, *words):
            log = run + ".csv"
            o.orrery("train", job, "run=" + run, *words, env={"LD_PRELOAD": SHIM, "ORR_SHIM_DIR": run, "ORR_SHIM_LOG": log})
            with open(log) as f:
                return [(call, name) for _, call, name in csv.reader(f)]

        def saves(calls):
            return sum(call == "rename" and name == "checkpoint-last.h5" for call, name in calls)

        each, seldom, often = (calls(o.tmp(f"every-{s}"), f"runtime.checkpoint_seconds={s}") for s in ("0", "1000", "1e-9"))
        self.assertEqual(saves(each), 40)
        self.assertEqual(saves(seldom), 2, "after the first epoch, and at the end")
        self.assertEqual(saves(often), 80, "after each step")
        self.assertLess(sum(call == "fsync" for call, _ in seldom), 40)
        whole = o.results(o.tmp("every-0"))
        self.assertEqual(o.results(o.tmp("every-1000")), whole)
        self.assertEqual(o.results(o.tmp("every-1e-9")), whole)
        with open(os.path.join(o.tmp("every-0"), "report.json")) as f:
            best = json.load(f)["epoch"]
        self.assertGreater(best, 3, "the best epoch is never in memory alone")
        lines = [i + 1 for i, (_, name) in enumerate(seldom) if name == "metrics.jsonl"]
        many = sum(name == "metrics.jsonl" for _, name in seldom) // 40  # calls a line
        for ranks, seconds, at in ((0, "1000", lines[many * (best + 1)]), (2, "1000", lines[many * best]), (2, "0.02", 90)):
            run = o.tmp(f"short-{at}-{ranks}")
            o.orrery("train", job, "run=" + run, f"runtime.checkpoint_seconds={seconds}", "runtime.checkpoint_async=true", ranks=ranks, code=None,
                     env={"LD_PRELOAD": SHIM, "ORR_SHIM_DIR": run, "ORR_SHIM_AT": str(at), "ORR_SHIM_KIND": "kill"})
            self.assertFalse(os.path.exists(os.path.join(run, "report.json")), "it was not killed")
            o.orrery("train", job, "run=" + run)
            self.assertEqual(o.results(run), whole, (ranks, seconds))

    def test_diverged(self):
        """The best epoch before it is not lost with the memory it was in."""
        train, test = o.small_kepler()
        run = o.tmp("diverged")
        job = o.job("diverged.yaml", train, test, "  nonfinite_limit: 1\n  schedule: {kind: onecycle, pct: 1, div: 1.0e8}\n  optimiser: {kind: sgd}",
                    layers="[flatten, linear: {units: 8}, linear: {units: 8}, linear: {units: 1}]")
        o.orrery("train", job, "run=" + run, "train.epochs=600", "train.lr=1000", "train.clip_norm=0", "train.select=loss", code=1)
        with open(os.path.join(run, "history.csv")) as f:
            best = [int(row["epoch"]) for row in csv.DictReader(f) if row["best"] == "1"][-1]
        self.assertGreater(best, 1, "the best epoch was saved anyhow")
        with h5py.File(os.path.join(run, "checkpoint-best.h5")) as f:
            self.assertEqual(f["counts"][0], best)

    def saves_at(self, number, run):
        p = start(0, "train", self.job, "run=" + run)
        wait_for(os.path.join(run, "checkpoint-last.h5"))
        p.send_signal(number)
        err = p.communicate()[1]
        self.assertEqual(p.returncode, 75, err)
        self.assertIn("saved", err)

    def test_sigterm_saves(self):
        run = o.tmp("term")
        self.saves_at(signal.SIGTERM, run)
        o.orrery("train", self.job, "run=" + run)
        self.assertEqual(o.results(run), self.whole)

    def test_sighup(self):
        """The terminal is gone: as SIGTERM, but not for who was told by nohup to ignore it."""
        run = o.tmp("hup")
        self.saves_at(signal.SIGHUP, run)
        before = os.stat(os.path.join(run, "checkpoint-last.h5")).st_mtime_ns
        p = start(0, "train", self.job, "run=" + run, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        while os.stat(os.path.join(run, "checkpoint-last.h5")).st_mtime_ns == before:
            self.assertIsNone(p.poll())
            time.sleep(0.01)
        self.assertIsNone(p.poll(), "the training was over too early")
        p.send_signal(signal.SIGHUP)
        err = p.communicate()[1]
        self.assertEqual(p.returncode, 0, err)
        self.assertEqual(o.results(run), self.whole)

    def test_removed_under_the_run(self):
        """rm -r that loses a race with it: the folder stays, since new files come."""
        for names, ranks in ((["job.yaml", ".lock", "metrics.jsonl", "history.csv"], 2), (["metrics.jsonl"], 0), (["history.csv"], 0), ([".lock"], 0)):
            with self.subTest(names=names):
                run = o.tmp("removed-" + names[-1])
                p = start(ranks, "train", self.job, "run=" + run)
                wait_for(os.path.join(run, "checkpoint-last.h5"))
                for name in names:
                    os.remove(os.path.join(run, name))
                err = p.communicate()[1]
                self.assertEqual(p.returncode, 1, err)
                self.assertRegex(err, rf"{run}/({'|'.join(names)}) was removed under this run; .* remove all of {run}, and start again")
                shutil.rmtree(run)
        run = o.tmp("removed-.lock")
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

    def test_leftovers_of_a_kill(self):
        """A start that dies while it writes job.yaml leaves a file with a name of its own: who has
        the folder alone removes it."""
        run, left = o.tmp("left"), []
        for call in range(1, 20):  # of those that change files there
            env = {"LD_PRELOAD": SHIM, "ORR_SHIM_DIR": run, "ORR_SHIM_AT": str(call), "ORR_SHIM_KIND": "kill"}
            o.orrery("train", self.job, "run=" + run, env=env, code=-signal.SIGKILL)
            here = os.listdir(run) if os.path.exists(run) else []
            if "job.yaml" in here:
                break
            self.assertLessEqual(sum(n.startswith("job.yaml.") for n in here), 1, "what the start before has left is still there")
            left += [n for n in here if n.startswith("job.yaml.")]
        self.assertEqual({n.endswith(".tmp") for n in left}, {True, False}, "the kills did not hit that write")
        shutil.rmtree(run)
        os.makedirs(run)
        names = [left[0], left[-1], "job.yaml.4711-123", "job.yaml.4711-123456789.tmp"]
        others = ["job.yaml.old", "job.yaml.4711-x.tmp", "job.yaml.4711-.tmp", "job.yaml.-1", "job.yaml.1-2.tmp.tmp", "old.job.yaml.1-2.tmp"]

        def here():
            for name in (*names, *others):
                o.write(os.path.join(run, name), "x")

        here()
        p = start(0, "train", self.job, "run=" + run)
        wait_for(os.path.join(run, "checkpoint-last.h5"))
        self.assertEqual([n for n in (*names, *others) if os.path.exists(os.path.join(run, n))], others)
        here()
        # it is at work: nothing of it is anybody's to remove
        r = o.orrery("train", self.job, "run=" + run, code=1)
        self.assertIn("another job is running here", r.err)
        self.assertIsNone(p.poll(), "the training was over too early")
        self.assertTrue(all(os.path.exists(os.path.join(run, n)) for n in (*names, *others)))
        kill(p)
        o.orrery("train", self.job, "run=" + run)
        self.assertEqual([n for n in (*names, *others) if os.path.exists(os.path.join(run, n))], others)
        self.assertEqual(o.results(run), self.whole)

    def test_leftovers_in_a_shared_folder(self):
        """With cv.only others may be in that write just now; the last one, which waits until it is
        alone, removes what is left."""
        with open(self.job) as f:
            o.write("shared.yaml", f.read().replace("epochs: 3", "epochs: 1").replace("epoch_length: 9000", "epoch_length: 200"))
        job = o.write("cv.yaml", "run: unset\njob: shared.yaml\ncv: {folds: 2}\nconfigurations:\n  small: {}\nruntime: {threads: 1, progress: false}\n")
        run, left = o.tmp("cv"), o.write("cv/job.yaml.4711-123456789.tmp", "x")
        o.orrery("cv", job, "run=" + run, "cv.only=[0]")
        self.assertTrue(os.path.exists(left))
        o.orrery("cv", job, "run=" + run, "cv.only=[1]")
        self.assertTrue(os.path.exists(os.path.join(run, "oof.h5")))
        self.assertFalse(os.path.exists(left))

    def test_tables_of_another_version(self):
        """Columns under other names, in another order, fewer; a last line that was cut."""
        run = o.tmp("tables")
        p = start(0, "train", self.job, "run=" + run)
        wait_for(os.path.join(run, "metrics.jsonl"))
        while os.path.getsize(os.path.join(run, "metrics.jsonl")) == 0:
            time.sleep(0.01)
        p.send_signal(signal.SIGTERM)
        err = p.communicate()[1]
        self.assertEqual(p.returncode, 75, err)
        history, timing = os.path.join(run, "history.csv"), os.path.join(run, "timing.csv")
        o.edit(history, "train_loss,train_accuracy", "train_accuracy,train_loss")
        o.edit(history, "validation_crps", "validation_dots")
        with open(history) as f:
            header = f.readline()
        with open(timing) as f:
            now = f.readline()
            row = f.readline()
        old = ",".join(now.split(",")[:6]) + "\n" + ",".join(row.split(",")[:6]) + "\n"
        o.write(timing, old)
        o.write(os.path.join(run, "timing.1.csv"), "taken\n")
        o.orrery("train", self.job, "run=" + run)
        for name in ("model.h5", "metrics.jsonl", "report.json", "predictions-test.csv"):
            self.assertEqual(o.sha(os.path.join(run, name)), self.whole[name], name)
        with open(history) as f:
            self.assertEqual(f.readline(), header)
            rows = list(csv.DictReader(f, header.strip().split(",")))
        with open(os.path.join(run, "metrics.jsonl")) as f:
            truth = [json.loads(line) for line in f]
        self.assertEqual(len(rows), 3)
        for have, true in list(zip(rows, truth))[1:]:
            self.assertEqual(float(have["train_loss"]), float(f"{true['train_loss']:.9g}"))
            self.assertEqual(float(have["train_accuracy"]), float(f"{true['train_accuracy']:.9g}"))
            self.assertEqual((have["validation_dots"], have["best"]), ("", str(int(true["best"]))))
        with open(timing) as f:
            self.assertEqual(f.readline(), now)
            lines = f.readlines()
        self.assertEqual([len(line.split(",")) for line in lines], [len(now.split(","))] * 2)
        with open(os.path.join(run, "timing.2.csv")) as f:
            self.assertEqual(f.read(), old)
        with open(timing, "a") as f:
            f.write("3,1,1,0.")
        o.orrery("train", self.job, "run=" + run)
        with open(timing) as f:
            self.assertEqual(f.readlines()[1:], lines)

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
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
