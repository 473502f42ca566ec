"""What a run says of itself: the timeline of 1 and 3 ranks holds every span of every step, nested and adding up; a rank that is made slow is named, with
the right cause, every time; `orrery status` of runs that run, were killed, have ended, of files that were cut, of cv, fetch and crop.  None of it changes
a result.   status.py DELAY (the shared object of delay.c)"""
import csv
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

import orrery as o
import web

DELAY = os.path.abspath(sys.argv[1])
SPANS = ["load", "forward", "loss", "backward", "reduce-wait", "optimiser"]
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"


def slow(point, rank, ms):
    return {"LD_PRELOAD": DELAY, "ORR_DELAY": f"{point}:{rank}:{ms}"}


def start(ranks, *args, env=None):
    return subprocess.Popen(o.argv(ranks, *args), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=o.tmp(), text=True, start_new_session=True,
                            env={**os.environ, **(env or {})})


def kill(p):
    p.kill()
    p.communicate()


def status(path, **more):
    """[{path, stale, status}] and all else of format=json."""
    return json.loads(o.orrery("status", path, "format=json", **more).out)


def one(path):
    return status(path)["runs"][0]


def wait_until(process, what, seconds=90):
    """Calls what until it is true; no file yet is not an error."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = what()
        except AssertionError as e:
            assert "exit code 1" in str(e), e
            found = None
        if found:
            return found
        assert process.poll() is None, "ended too early: " + process.communicate()[1]
        assert time.monotonic() < end, "does not come"
        time.sleep(0.05)


def timeline(path):
    with open(path) as f:
        return json.load(f)["traceEvents"]


def check_nesting(events):
    """On a lane a span lies within another or beside it.  Returns [(span, its direct children)]."""
    lanes, found = {}, []
    for e in events:
        if e["ph"] == "X":
            lanes.setdefault((e["pid"], e["tid"]), []).append(e)
    for spans in lanes.values():
        stack = []
        for e in sorted(spans, key=lambda e: (e["ts"], -e["dur"])):
            end = e["ts"] + e["dur"]
            while stack and e["ts"] >= stack[-1][0]["ts"] + stack[-1][0]["dur"] - 2e-3:
                stack.pop()
            assert not stack or end <= stack[-1][0]["ts"] + stack[-1][0]["dur"] + 2e-3, (e, stack[-1][0])
            entry = (e, [])
            found.append(entry)
            if stack:
                stack[-1][1].append(e)
            stack.append(entry)
    return found


class Status(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.train, cls.test = o.small_kepler()
        cls.job = o.job("status.yaml", cls.train, cls.test, data="  epoch_length: 660")  # 30 steps an epoch, 90 in all
        o.orrery("train", cls.job, "run=" + o.tmp("whole"))
        cls.whole = o.results(o.tmp("whole"))

    # ---- the timeline ----
    def test_timeline(self):
        for ranks in (0, 3) if o.MPIRUN else (0,):
            with self.subTest(ranks=ranks):
                run, folder = o.tmp(f"traced-{ranks}"), o.tmp(f"timeline-{ranks}")
                o.orrery("train", self.job, "run=" + run, "runtime.timeline=" + folder, ranks=ranks)
                self.assertEqual(o.results(run), self.whole, "tracing changed a result")
                events = timeline(os.path.join(folder, "timeline.json"))
                names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
                processes = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
                self.assertEqual(sorted(processes), list(range(ranks or 1)))
                for rank, name in processes.items():
                    self.assertTrue(name.startswith(f"rank {rank} ("), name)
                    alone = os.path.join(folder, f"rank-{rank:04d}.json")
                    with open(alone) as f:
                        self.assertEqual(len([e for e in json.load(f)]), len([e for e in events if e["pid"] == rank]))
                    self.check_rank([e for e in events if e["pid"] == rank], names, rank)
                self.assertTrue(all(e["ts"] >= 0 and e["dur"] >= 0 for e in events if e["ph"] == "X"))
                self.check_overlap([e for e in events if e["name"] == "reduce-wait"], ranks)

    def check_rank(self, events, names, rank):
        found = check_nesting(events)
        for name in ["step", *SPANS]:
            steps = [e["args"]["number"] for e, _ in found if e["name"] == name and names[rank, e["tid"]] == "main"]
            self.assertEqual(sorted(set(steps)), list(range(90)), name)
        for name in ("rows", "transform"):
            steps = [e["args"]["number"] for e, _ in found if e["name"] == name and names[rank, e["tid"]] == "loader 0"]
            self.assertEqual(sorted(steps), list(range(90)), name)
        self.assertEqual(sum(e["name"] == "evaluate" for e, _ in found), 5)  # three epochs, and both parts at the end
        self.assertGreaterEqual(sum(e["name"] == "save" for e, _ in found), 3)
        self.assertEqual(sum(e["name"] == "train" for e, _ in found), 1)
        whole = parts = 0
        for e, children in found:
            if e["name"] != "step":
                continue
            self.assertTrue(set(SPANS) <= {c["name"] for c in children}, children)
            self.assertTrue(all(c["args"]["number"] == e["args"]["number"] for c in children))
            whole += e["dur"]
            parts += sum(c["dur"] for c in children)
        self.assertLessEqual(parts, whole * 1.0001)
        self.assertGreater(parts, 0.8 * whole, "the spans of a step do not add up to it")

    def check_overlap(self, waits, ranks):
        """Clocks agree: a sum over all ranks is not over for one before it has begun for each."""
        for number in range(90):
            last = {}
            for e in waits:
                if e["args"]["number"] == number:
                    last[e["pid"]] = max(last.get(e["pid"], (0, 0)), (e["ts"], e["ts"] + e["dur"]))
            self.assertEqual(len(last), ranks or 1)
            self.assertGreater(min(end for _, end in last.values()), max(begin for begin, _ in last.values()), number)

    def test_timeline_of_a_killed_rank(self):
        run, folder = o.tmp("killed-run"), o.tmp("killed-timeline")
        args = ("train", self.job, "run=" + run, "runtime.timeline=" + folder, "train.epochs=1000")
        p = start(0, *args, env=slow("train", 0, 2))
        path = os.path.join(folder, "rank-0000.json")
        wait_until(p, lambda: os.path.exists(path) and os.path.getsize(path) > 20000)
        kill(p)
        with open(path) as f:
            text = f.read()
        self.assertNotIn("]", text)
        events = json.loads(text + "]")
        self.assertGreater(sum(e["name"] == "step" for e in events), 10)
        check_nesting(events)
        o.orrery(*args[:-1], "train.epochs=1000", "train.max_steps=1", code=2)  # another job: refused, and the trace of the killed one is kept
        self.assertTrue(os.path.exists(os.path.join(folder, "rank-0000.before.json")))

    def test_a_timeline_that_is_full_or_impossible(self):
        folder = o.tmp("full")
        r = o.orrery("train", self.job, "run=" + o.tmp("full-run"), "runtime.timeline=" + folder, "runtime.timeline_mib=1", "train.epochs=300")
        self.assertIn("spans are not in", r.err)
        self.assertLessEqual(os.path.getsize(os.path.join(folder, "rank-0000.json")), 1 << 20)
        events = timeline(os.path.join(folder, "timeline.json"))
        self.assertGreater([e for e in events if e["name"] == "dropped"][0]["args"]["spans"], 0)
        o.write("a-file", "")
        r = o.orrery("train", self.job, "run=" + o.tmp("full-run-2"), "runtime.timeline=" + o.tmp("a-file"), code=1)
        self.assertIn("a-file", r.err)

    # ---- who is slow ----
    def test_every_single_cause_is_named(self):
        if not o.MPIRUN:
            self.skipTest("this build has no MPI")
        right = tried = 0
        causes = [("gradients", "compute"), ("batch", "input"), ("train", "compute")]
        for ranks in (2, 3):
            for victim in range(ranks):
                for point, cause in causes if ranks == 3 else causes[:2]:
                    run = o.tmp(f"slow-{ranks}-{victim}-{point}")
                    r = o.orrery("train", self.job, "run=" + run, ranks=ranks, env=slow(point, victim, 25))
                    what = f"{point} of rank {victim} of {ranks}"
                    self.assertEqual(o.results(run), self.whole, what)
                    with open(os.path.join(run, "timing.csv")) as f:
                        rows = list(csv.DictReader(f))
                    s = one(run)["status"]
                    named = [(row["straggler"], row["cause"]) for row in rows]
                    told = [line for line in r.err.splitlines() if "is slow in its" in line]
                    tried += 1
                    right += named == 3 * [(str(victim), cause)]
                    self.assertEqual(named, 3 * [(str(victim), cause)], what)
                    self.assertEqual(len(told), 3, r.err)
                    self.assertTrue(all(f"rank {victim} on" in line and cause in line for line in told), told)
                    self.assertEqual((s["straggler"]["rank"], s["straggler"]["cause"]), (victim, cause), what)
                    for row in rows:  # the slow one works, the others wait
                        self.assertGreater(float(row[cause + "_max"]), 3 * float(row[cause + "_median"]))
                        self.assertGreater(float(row["wait_max"]), 0.2)
                        self.assertLess(float(row["wait_min"]), float(row["wait_max"]))
                    page = o.orrery("status", run).out
                    self.assertIn("slow: the others wait for its " + cause, page)
        print(f"{right} of {tried} single causes named rightly")

    # ---- the life of a run ----
    def test_running_killed_gone_on_with_ended(self):
        run = o.tmp("life")
        args = ("train", self.job, "run=" + run, "train.checkpoint_steps=5")
        p = start(0, *args, env=slow("train", 0, 30))
        s = wait_until(p, lambda: (lambda f: f if f["status"].get("done", 0) > 12 else None)(one(run)))
        self.assertFalse(s["stale"])
        s = s["status"]
        self.assertEqual((s["state"], s["command"], s["pid"], s["size"], s["total"], s["unit"]), ("running", "train", p.pid, 1, 90, "steps"))
        self.assertEqual(s["checkpoint"]["step"] % 5, 0)
        page = wait_until(p, lambda: (lambda t: t if "left" in t and "milliseconds" in t else None)(o.orrery("status", run).out))
        for words in ("train, running", "%", "of 90 steps", "epoch", "samples a second", "last checkpoint: step", "faults so far: none"):
            self.assertIn(words, page)
        kill(p)
        s = wait_until(start_nothing(), lambda: one(run) if one(run)["stale"] else None)
        self.assertIn("gone without a last word", s["sentence"])
        self.assertIn(f"process {p.pid}", s["sentence"])
        p = start(0, *args, env=slow("train", 0, 20))
        wait_until(p, lambda: one(run)["status"]["starts"] == 2 and one(run)["status"].get("done", 0) > 20)
        p.send_signal(signal.SIGTERM)
        p.communicate()
        s = one(run)["status"]
        self.assertEqual((s["state"], s["exit_code"]), ("interrupted", 75))
        self.assertIn("stopped by a signal", s["sentence"])
        o.orrery(*args)
        s = one(run)["status"]
        self.assertEqual((s["state"], s["exit_code"], s["done"], s["starts"]), ("ended", 0, 90, 3))
        self.assertEqual([e["state"] for e in s["earlier"]], ["running", "interrupted"])
        self.assertEqual(s["best"]["metric"], "auc")
        page = o.orrery("status", run).out
        self.assertIn("was killed at", page)
        self.assertIn("100%", page)
        self.assertEqual({n: h for n, h in o.results(run).items() if n in ("history.csv", "metrics.jsonl")},
                         {n: h for n, h in self.whole.items() if n in ("history.csv", "metrics.jsonl")})

    def test_stopped_process(self):
        """Alive, but it does not write: said after 30 s, by the file's own time, which is set back here."""
        run = o.tmp("stopped")
        p = start(0, "train", self.job, "run=" + run, env=slow("train", 0, 50))
        wait_until(p, lambda: one(run)["status"].get("done", 0) > 1)
        p.send_signal(signal.SIGSTOP)
        path = os.path.join(run, "status.json")
        with open(path) as f:
            s = json.load(f)
        s["updated"] = "2020-01-01T00:00:00Z"
        with open(path, "w") as f:
            json.dump(s, f)
        found = one(run)
        self.assertTrue(found["stale"])
        self.assertIn("stopped, cut off or gone", found["sentence"])
        kill(p)

    def test_failed(self):
        run = o.tmp("failed")
        o.orrery("train", self.job, "run=" + run, "train.lr=1000", "train.clip_norm=0", "train.nonfinite_limit=1", "train.optimiser.kind=sgd", code=None)
        s = one(run)["status"]
        self.assertEqual(s["state"], "failed", s)
        self.assertEqual(s["exit_code"], 1)
        self.assertIn("not finite", s["sentence"])
        self.assertIn("not finite", o.orrery("status", run).out)

    def test_a_status_that_cannot_be_written(self):
        run = o.tmp("no-room")
        os.makedirs(os.path.join(run, "status.json"))
        r = o.orrery("train", self.job, "run=" + run, env=slow("train", 0, 20))
        self.assertEqual(r.err.count("its status is old"), 1, r.err)
        self.assertEqual(o.results(run), self.whole)

    def test_bad_input(self):
        os.makedirs(o.tmp("empty"), exist_ok=True)
        for path, words in ((o.tmp("empty"), "no run of train, cv, fetch or crop"), (o.tmp("is-not"), "no such run")):
            r = o.orrery("status", path, code=1)
            self.assertIn(words, r.err)
            self.assertEqual(len(r.err.strip().splitlines()), 1, r.err)
        with open(os.path.join(o.tmp("whole"), "status.json")) as f:
            text = f.read()
        for bad in (text[:-20], text[:1], "", "[]", "{}", "null", '{"format": 3}', text.replace("orrery-status-1", "orrery-status-9"), "\0" * 50, "{" * 5000):
            path = o.write("bad/status.json", bad)
            r = o.orrery("status", os.path.dirname(path), code=1)
            self.assertIn("is not a status file", r.err)
        strange = {"format": "orrery-status-1", "state": 7, "pid": -5, "ranks": {"a": 1}, "faults": [], "earlier": 3, "straggler": [1], "best": 2,
                   "checkpoint": "x", "done": 1e300, "total": -1, "updated": "never"}
        path = o.write("strange/status.json", json.dumps(strange))
        o.orrery("status", path)
        o.orrery("status", path, "format=json")
        for args in ((), ("a", "b"), (o.tmp("whole"), "format=xml"), (o.tmp("whole"), "json=1")):
            o.orrery("status", *args, code=2)

    def test_launch_beside(self):
        run = o.tmp("launched")
        shutil.copytree(o.tmp("whole"), run)
        with open(os.path.join(run, "launch.json"), "w") as f:
            json.dump({"command": "train", "state": "ended", "restarts": 2, "faults": [{"what": "rank 1 was killed", "when": 1.0}], "ranks": []}, f)
        page = o.orrery("status", run).out
        self.assertIn("2 restarts", page)
        self.assertIn("rank 1 was killed", page)

    # ---- other commands ----
    def test_cv(self):
        with open(self.job) as f:
            o.write("shared.yaml", f.read().replace("epochs: 3", "epochs: 1"))
        job = o.write("cv.yaml", "run: unset\njob: shared.yaml\ncv: {folds: 3}\nconfigurations:\n  small: {}\nruntime: {threads: 1, progress: false}\n")
        run, folder = o.tmp("cv"), o.tmp("cv-timeline")
        p = start(2 if o.MPIRUN else 0, "cv", job, "run=" + run, "runtime.timeline=" + folder, env=slow("batch", -1, 25))
        found = wait_until(p, lambda: (lambda f: f if f.get("trainings", {}).get("under way", 0) > 0 else None)(status(run)))
        t = found["trainings"]
        self.assertEqual(t["done"] + t["under way"] + t["left"], 3)
        self.assertIn("under way", o.orrery("status", run).out)
        self.assertEqual(p.wait(timeout=o.DEADLINE), 0, p.communicate()[1])
        p.stderr.close()
        found = status(run)
        self.assertEqual((found["trainings"]["done"], found["trainings"]["left"], found["runs"][0]["status"]["done"]), (3, 0, 3))
        for path in glob.glob(os.path.join(run, "tasks", "*")):
            self.assertEqual(one(path)["status"]["state"], "ended")
        events = timeline(os.path.join(folder, "timeline.json"))
        check_nesting(events)
        self.assertEqual(sum(e["name"] == "task" for e in events), 3)
        self.assertTrue(all("small" in e["args"]["of"] for e in events if e["name"] == "task"))

    @unittest.skipUnless(web.NGINX, "nginx is not on this machine")
    def test_fetch_and_crop(self):
        ranks = 2 if o.MPIRUN else 0
        root = o.tmp("archive")
        frames, catalogue = web.survey(root, random.Random(3), fields=20)
        gone = sorted(frames)[7]
        os.remove(os.path.join(root, gone))
        folder, line = o.tmp("frames"), o.tmp("fetch-timeline")
        with web.Nginx(root) as server:
            p = start(ranks, "fetch", "archive.url=" + server.url + web.TEMPLATE, "archive.folder=" + folder, "catalogue.file=" + catalogue, "archive.rate_mib=0.3",
                      "runtime.progress=false", "runtime.timeline=" + line)
            wait_until(p, lambda: 0 < one(folder)["status"].get("done", 0) < 100 and one(folder)["status"]["state"] == "running")
            self.assertEqual(p.wait(timeout=o.DEADLINE), 0, p.communicate()[1])
            p.stderr.close()
        s = one(folder)["status"]
        self.assertEqual((s["command"], s["state"], s["done"], s["total"], s["faults"]["missing"]), ("fetch", "ended", 100, 100, 1))
        self.assertIn("1 missing", o.orrery("status", folder).out)
        events = timeline(os.path.join(line, "timeline.json"))
        check_nesting(events)
        self.assertEqual(sorted(e["args"]["of"] for e in events if e["name"] == "frame"), sorted(n[-79:] for n in frames))


def start_nothing():
    class Nothing:
        def poll(self):
            return None
    return Nothing()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
