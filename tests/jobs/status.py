"""What a run says of itself: the timeline of 1 and 3 ranks holds every span of every step, nested
and adding up; a rank that is made slow is named, with the right cause, every time; `orrery status`
of runs that run, were killed, have ended, of files that were cut, of cv, fetch and crop;
launch.json, which keeps what earlier launches said and belongs to one that lives.  None of it
changes a result.  And what only reads ends at a signal.   status.py DELAY (the shared object of
delay.c)"""
import csv
import glob
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import unittest

import crop as cropping
import orrery as o
import web
from supervised import Job, launch, launch_json, send

DELAY, o.HOLD = map(os.path.abspath, sys.argv[1:3])
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


def signals(pid, which, number):
    """Does the process catch (SigCgt), or ignore (SigIgn), this signal?"""
    with open(f"/proc/{pid}/status") as f:
        line = next(line for line in f if line.startswith(which + ":"))
    return int(line.split()[1], 16) >> (number - 1) & 1


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
        # 30 steps an epoch, 90 in all
        cls.job = o.job("status.yaml", cls.train, cls.test, data="  epoch_length: 660")
        o.orrery("train", cls.job, "run=" + o.tmp("whole"))
        cls.whole = o.results(o.tmp("whole"))

    # ---- the timeline ----
    def test_timeline(self):
        for ranks in (0, 3) if o.MPIRUN else (0,):
            with self.subTest(ranks=ranks):
                run, folder = o.tmp(f"traced-{ranks}"), o.tmp(f"timeline-{ranks}")
                o.orrery("train", self.job, "run=" + run, "runtime.timeline=" + folder, "runtime.timeline_share=1", "runtime.checkpoint_seconds=0",
                         ranks=ranks)
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
        # three epochs, and both parts at the end
        self.assertEqual(sum(e["name"] == "evaluate" for e, _ in found), 5)
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
        # another job: refused, and the trace of the killed one is kept
        o.orrery(*args[:-1], "train.epochs=1000", "train.max_steps=1", code=2)
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
                    r = o.orrery("train", self.job, "run=" + run, ranks=ranks, env=slow(point, victim, 15))
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
        """Alive, but it does not write: said after 30 s, by the file's own time, which is set back
        here."""
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
        os.makedirs(o.tmp("pipe"), exist_ok=True)
        os.mkfifo(o.tmp("pipe/status.json"))
        for path in (o.tmp("pipe"), o.tmp("pipe/status.json"), "/dev/zero"):
            self.assertIn("is no file", o.orrery("status", path, code=1, deadline=20).err)
        os.makedirs(o.tmp("none/status.json"), exist_ok=True)
        self.assertIn("is no file", o.orrery("status", o.tmp("none"), code=1).err)
        with open("/dev/full", "w") as full:
            self.assertEqual(subprocess.run(o.argv(0, "status", o.tmp("whole")), stdout=full, stderr=subprocess.DEVNULL, check=False).returncode, 1)
        strange = {"format": "orrery-status-1", "state": 7, "pid": -5, "ranks": {"a": 1}, "faults": [], "earlier": 3, "straggler": [1], "best": 2,
                   "checkpoint": "x", "done": 1e300, "total": -1, "updated": "never"}
        path = o.write("strange/status.json", json.dumps(strange))
        page = o.orrery("status", path).out
        self.assertFalse(set(page.split()) & {"-1", "nan", "inf", "(null)"}, page)
        o.orrery("status", path, "format=json")
        for args in ((), ("a", "b"), (o.tmp("whole"), "format=xml"), (o.tmp("whole"), "json=1")):
            o.orrery("status", *args, code=2)

    def test_what_is_said_of_other_files(self):
        """Of another host, of a clock that is ahead, without a time, half and foreign ones, of many
        ranks."""
        with open(os.path.join(o.tmp("whole"), "status.json")) as f:
            ended = json.load(f)

        def page(name, code=0, **more):
            path = o.write(name + "/status.json", json.dumps({**ended, **more}))
            r = o.orrery("status", os.path.dirname(path), code=code)
            return r.out

        def ago(seconds):
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))

        running = {"state": "running", "host": "elsewhere", "pid": 1, "per_second": 5.0, "seconds_left": 90.0, "updated": ago(0), "moved": ago(0)}
        del ended["exit_code"]
        text = page("r1", **running)
        self.assertIn("train, running", text)
        self.assertIn("5 samples a second, about 1 min 30 s left", text)
        # nobody here can tell whether its process lives
        text = page("r2", **{**running, "updated": ago(40)})
        self.assertIn("train, silent", text)
        self.assertIn("stopped, cut off or gone", text)
        self.assertNotIn("left", text)
        text = page("r3", **{**running, "updated": ago(-7200)})
        self.assertIn("ahead of this machine's", text)
        self.assertIn("last written at 20", text)
        text = page("r3", **{**running, "host": ended["host"], "pid": ended["pid"], "updated": ago(-7200)})
        self.assertIn("train, gone", text)
        text = page("r4", **{**running, "updated": "2026-01-01T00:00:00+02:00"})
        self.assertIn("train, unknown", text)
        self.assertIn("at an unknown time", text)
        text = page("r5", **{**running, "per_second": -3.0, "seconds_left": -8.0, "done": 200, "total": 90})
        self.assertNotIn("a second", text)
        self.assertNotIn("left", text)
        self.assertIn("100%", text)
        text = page("r6", **{**running, "host": "a\x1b[2Jb\rc", "loss": "x", "best": {"metric": "auc", "value": 0.5, "epoch": 2}})
        self.assertIn("a?[2Jb?c", text)
        self.assertIn("  best auc 0.5, epoch 2", text)
        ranks = [{"rank": i, "host": "h", "compute": (i * 7919 % 1000) * 1e-3, "wait": 0.001, "input": 0} for i in range(20000)]
        text = page("r7", **{**running, "ranks": ranks})
        shown = [int(line.split()[0]) for line in text.splitlines() if line.split()[1:2] == ["h"]]
        self.assertEqual(len(shown), 16)
        self.assertEqual(shown, sorted(sorted(range(20000), key=lambda i: (-ranks[i]["compute"], i))[:16]))
        # the reader's zone is nobody's business
        for name, zone in (("Pacific/Auckland", -13), ("America/Los_Angeles", 8)):
            r = o.orrery("status", os.path.dirname(o.write("r8/status.json", json.dumps({**ended, **running, "updated": ago(1)}))), env={"TZ": name})
            self.assertIn("train, running", r.out, zone)
        # one file of several is damaged: the others are told, and then that
        shutil.copytree(o.tmp("whole"), o.tmp("several"))
        shutil.copy(o.tmp("several/status.json"), o.tmp("several/status-fold-0.json"))
        for name in ("status-fold-1.json", "launch.json"):
            o.write("several/" + name, '{"format": "orrery-st')
            for how in ("page", "json"):
                r = o.orrery("status", o.tmp("several"), "format=" + how, code=1)
                self.assertIn(name + ": is not a status file", r.err)
                self.assertEqual(r.out.count("fold-0.json"), 1, r.out)
            os.remove(o.tmp("several/" + name))
        self.assertEqual(len(status(o.tmp("several"))["runs"]), 2)

    def test_launch_beside(self):
        run = o.tmp("launched")
        shutil.copytree(o.tmp("whole"), run)
        with open(os.path.join(run, "launch.json"), "w") as f:
            json.dump({"command": "train", "state": "ended", "restarts": 2, "faults": [{"what": "rank 1 was killed", "when": 1.0}], "ranks": []}, f)
        page = o.orrery("status", run).out
        self.assertIn("launch: ended, 2 restarts", page)
        self.assertIn("1970-01-01T00:00:01Z: rank 1 was killed", page)
        os.remove(os.path.join(run, "status.json"))  # before any rank has written
        with open(os.path.join(run, "launch.json"), "w") as f:
            json.dump({"command": "train", "state": "running", "updated": time.time() - 100, "restarts": 0, "faults": [], "ranks": []}, f)
        page = o.orrery("status", run).out
        self.assertIn("no rank has left a status yet", page)
        self.assertRegex(page, r"launch: running, 0 restarts; it has not written for \d min \d+ s: it is gone, stopped or cut off\n")

    def test_under_launch(self):
        """A real one: a rank is killed, and the next start says so."""
        if not o.MPIRUN:
            self.skipTest("this build has no MPI")
        run = o.tmp("supervised")
        j = launch(run, self.job, words=["train.checkpoint_steps=5"], env=slow("train", 0, 30))
        j.until(lambda: all(os.path.exists(os.path.join(run, n)) for n in ("status.json", "launch.json")) and one(run)["status"].get("done", 0) > 7)
        self.assertTrue(one(run)["status"]["supervised"])
        self.assertIn("launch: running, 0 restarts", o.orrery("status", run).out)
        send(signal.SIGKILL, j.ranks()[1])
        self.assertEqual(j.wait(), 0, j.err())
        found, page = status(run), o.orrery("status", run).out
        self.assertEqual((found["launch"]["restarts"], found["runs"][0]["status"]["starts"], found["runs"][0]["status"]["size"]), (1, 2, 2))
        self.assertEqual(found["launch"], launch_json(run))
        self.assertRegex(page, r"launch: ended, 1 restart\n +20\d\d-\d\d-\d\dT[\d:]{8}Z: rank 1 on \S+ was killed or crashed")
        self.assertIn("was killed at", page)
        self.assertEqual(o.results(run)["metrics.jsonl"], self.whole["metrics.jsonl"])

    def launch_again(self, run, code=0, **there):
        """(what launch said, launch.json afterwards) of a launch of the whole run, with `there` as
        launch.json before."""
        host, pid = socket.gethostname(), os.getpid()
        with open("/proc/self/stat") as f:
            began = int(f.read().rsplit(")", 1)[1].split()[19])
        said = {"state": "running", "updated": time.time() - 100, "launch_host": host, "pid": pid, "process_started": began, "faults": [], "starts": 1, **there}
        with open(os.path.join(run, "launch.json"), "w") as f:
            json.dump({k: v for k, v in said.items() if v is not None}, f)
        r = o.orrery("launch", "mpirun=none", "train", self.job, "run=" + run, code=code)
        return r.err, launch_json(run)

    def test_launch_json_of_others(self):
        """One whose writer lives is left alone; of one that does not the faults are kept."""
        run = o.tmp("relaunched")
        shutil.copytree(o.tmp("whole"), run)
        faults = [{"what": f"fault {i}", "when": float(i)} for i in range(70)]
        now = time.time
        for lives, there in [(True, {}), (True, {"process_started": None}), (True, {"launch_host": "elsewhere", "updated": now()}), (True, {"pid": None, "updated": now()}),
                             (False, {"state": "ended"}), (False, {"process_started": 7}), (False, {"pid": 2**22 + 5}), (False, {"launch_host": "elsewhere"}),
                             (False, {"pid": None, "updated": None, "starts": None}), (False, {"launch_host": "elsewhere", "updated": now() + 7200})]:
            with self.subTest(**there):
                if "updated" in there and lives:
                    there["updated"] = now()
                err, found = self.launch_again(run, faults=faults[:3], **there)
                self.assertEqual(err.count("keeps no status file"), int(lives), err)
                if lives:
                    self.assertEqual((found["state"], found["starts"]), ("running", 1))
                else:
                    self.assertEqual((found["state"], found["faults"], found["starts"], found["run"]), ("ended", faults[:3], 2, run))
                    self.assertNotEqual(found["pid"], os.getpid())
        _, found = self.launch_again(run, state="ended", faults=faults, starts=9)
        self.assertEqual((found["faults"], found["starts"]), (faults[-64:], 10))
        for bad in ("fault", {"what": 1}, None):
            _, found = self.launch_again(run, state="ended", faults=bad, starts="many")
            self.assertEqual((found["faults"], found["starts"]), ([], 2))
        o.write(os.path.join(run, "launch.json"), '{"state": "runn')
        o.orrery("launch", "mpirun=none", "train", self.job, "run=" + run)
        self.assertEqual((launch_json(run)["faults"], launch_json(run)["starts"]), ([], 1))
        # a file of its own is of whatever run was launched with it last
        words, path = ("launch", "mpirun=none", "status=" + o.tmp("own.json"), "train", self.job), o.tmp("own.json")
        for of, kept in ((run, 1), ("another", 0), ("", 0)):
            o.write("own.json", json.dumps({"state": "ended", "run": of, "faults": faults[:1]}))
            o.orrery(*words, "run=" + run)
            with open(path) as f:
                self.assertEqual(len(json.load(f)["faults"]), kept)

    def test_second_launch(self):
        """It is refused, and must not hide the first one; whoever starts after that knows of its
        faults."""
        run = o.tmp("twice")
        j = launch(run, self.job, "mpirun=none", words=["train.checkpoint_steps=5"], env=slow("train", 0, 100))

        def rank():
            return launch_json(run)["ranks"][0] if os.path.exists(os.path.join(run, "launch.json")) else {}

        j.until(lambda: rank().get("step", 0) > 7)
        second = launch(run, self.job, "mpirun=none")
        self.assertEqual(second.wait(), 1, second.err())
        self.assertIn("another job is running here", second.err())
        self.assertEqual(second.err().count("keeps no status file"), 1, second.err())
        self.assertEqual((launch_json(run)["pid"], launch_json(run)["state"]), (j.p.pid, "running"))
        send(signal.SIGKILL, rank()["pid"])
        j.until(lambda: launch_json(run)["restarts"] == 1 and rank().get("phase") == "train")
        send(signal.SIGTERM, j.p.pid)
        self.assertEqual(j.wait(), 75, j.err())
        o.orrery("launch", "mpirun=none", "train", self.job, "run=" + run, "train.checkpoint_steps=5")
        s = launch_json(run)
        self.assertEqual((s["restarts"], s["starts"], len(s["faults"])), (0, 2, 1))
        self.assertIn("ended by signal 9", s["faults"][0]["what"])
        self.assertIn("ended by signal 9", o.orrery("status", run).out)

    def test_launch_json_cannot_be_written(self):
        os.mkfifo(o.tmp("fifo"))
        for path, why in ((o.tmp("no/such/dir/x.json"), "No such file"), (o.tmp("fifo"), "not supported"), (o.tmp(), "directory")):
            r = o.orrery("launch", "mpirun=none", "status=" + path, "train", self.job, "run=" + o.tmp("whole"))
            self.assertEqual(r.err.count("warn launch"), 1, r.err)
            self.assertRegex(r.err, f"warn launch: {path}: .*{why}.*; the job goes on")
        self.assertTrue(stat.S_ISFIFO(os.stat(o.tmp("fifo")).st_mode))

    def test_launch_of_a_parent_that_ignores_children(self):
        words = ["ranks=2"] if o.MPIRUN else ["mpirun=none"]
        for _ in range(2):
            p = subprocess.run([o.ORRERY, "launch", *words, "info", self.train], capture_output=True, text=True, timeout=60, check=False,
                               preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
            self.assertEqual(p.returncode, 0, p.stderr)

    # ---- what only reads ----
    def check_interrupted(self, command, model, number, ranks, name):
        """By way of launch, whose file says when the work has begun."""
        path, out = o.tmp(name + "-launch.json"), o.tmp(name + "-answers.csv")
        own = [f"ranks={ranks}"] if ranks else ["mpirun=none"]
        j = Job([o.ORRERY, "launch", *own, "status=" + path, command, model, self.large(), "out=" + out, o.KERNELS], "out=" + out, slow("predict", -1, 1000))

        def begun():
            if not os.path.exists(path):
                return False
            with open(path) as f:
                found = json.load(f)["ranks"]
            return len(found) == (ranks or 1) and all(r.get("phase") == "predict" for r in found)

        j.until(begun)
        send(number, j.p.pid)
        self.assertEqual(j.wait(), 75, j.err())
        self.assertEqual(j.err().count("stopped by a signal; nothing was written; start again"), 1, j.err())
        self.assertFalse(os.path.exists(out))

    def large(self):
        """1000 samples: 16 chunks."""
        if not os.path.exists(o.tmp("large-set")):
            o.orrery("synth", "kepler", "out=" + o.tmp("large"), "stars=1000", "test_stars=10", "samples=300")
            o.orrery("import", os.path.join(o.SOURCE, "examples/kepler/import.yaml"), "input.files=" + o.tmp("large/train.csv"), "out=" + o.tmp("large-set"))
        return o.tmp("large-set")

    def test_predictions_are_interrupted(self):
        self.check_interrupted("predict", o.tmp("whole"), signal.SIGTERM, 2 if o.MPIRUN else 0, "two")
        self.check_interrupted("evaluate", o.tmp("whole"), signal.SIGINT, 0, "one")
        p = start(0, "predict", o.tmp("whole"), self.large(), "out=" + o.tmp("never.csv"), o.KERNELS, env=slow("predict", -1, 1000))
        wait_until(p, lambda: signals(p.pid, "SigCgt", signal.SIGINT))
        p.send_signal(signal.SIGINT)
        err = p.communicate()[1]
        self.assertEqual(p.returncode, 75, err)
        self.assertFalse(os.path.exists(o.tmp("never.csv")))

    def test_predictions_of_a_training_are_not(self):
        """Its steps are what looks for signals: at the end there is no more to save."""
        run = o.tmp("ending")
        p = start(0, "train", self.job, "run=" + run, env=slow("evaluate", 0, 1500))
        wait_until(p, lambda: (lambda s: s.get("done") == 90 and s["phase"] == "evaluate")(one(run)["status"]))
        p.send_signal(signal.SIGTERM)
        err = p.communicate()[1]
        self.assertEqual(p.returncode, 0, err)
        self.assertEqual(o.results(run), self.whole)

    def test_info_ends_at_a_signal(self):
        held = o.Hold(o.write("waits.h5", ""))
        p = start(0, "info", o.tmp("waits.h5"), env=o.holding())
        self.addCleanup(p.kill)
        wait_until(p, lambda: signals(p.pid, "SigIgn", signal.SIGPIPE) and not signals(p.pid, "SigCgt", signal.SIGTERM))
        p.send_signal(signal.SIGTERM)
        p.communicate(timeout=30)
        self.assertEqual(p.returncode, -signal.SIGTERM)

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
        self.check_ensemble(run)
        self.check_cv_only(job)

    def check_ensemble(self, run):
        """Each model of it is a span with its number, and its parts are within."""
        folder = o.tmp("ensemble-timeline")
        o.orrery("predict", run, self.test, "out=" + o.tmp("ensemble.csv"), "runtime.timeline=" + folder)
        found = check_nesting(timeline(os.path.join(folder, "timeline.json")))
        models = [(e["args"]["number"], [c["name"] for c in children]) for e, children in found if e["name"] == "model"]
        self.assertEqual([i for i, _ in models], [0, 1, 2])
        for i, names in models:
            self.assertEqual(names, [*(["load model"] if i else []), "plan", "batches", "gather", "score"])
        self.check_interrupted("predict", run, signal.SIGTERM, 0, "ensemble")

    def check_cv_only(self, job):
        """A file for each start that shares the run; the trainings of all."""
        run = o.tmp("cv-only")
        o.orrery("cv", job, "run=" + run, "cv.only=[2]")
        found, page = status(run), o.orrery("status", run).out
        self.assertEqual([os.path.basename(r["path"]) for r in found["runs"]], ["status-fold-2.json"])
        self.assertEqual((found["trainings"]["done"], found["trainings"]["left"], found["runs"][0]["status"]["state"]), (1, 2, "ended"))
        self.assertIn("trainings: 1 done, 0 under way, 2 left", page)
        o.orrery("cv", job, "run=" + run, "cv.only=[0, 1]")
        found = status(run)
        self.assertEqual([os.path.basename(r["path"]) for r in found["runs"]], ["status-fold-0.json", "status-fold-2.json"])
        self.assertEqual((found["trainings"]["done"], found["trainings"]["left"]), (3, 0))

    @unittest.skipUnless(web.NGINX, "nginx is not on this machine")
    def test_fetch_and_crop(self):
        ranks = 2 if o.MPIRUN else 0
        root = o.tmp("archive")
        frames, catalogue = web.survey(root, random.Random(3), fields=20)
        gone = sorted(frames)[7]
        os.remove(os.path.join(root, gone))
        folder, line = o.tmp("fetched"), o.tmp("fetch-timeline")
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
        self.check_crop(ranks)

    def check_crop(self, ranks):
        """It is beside OUT, which is not there before the end."""
        cropping.write_catalogue("survey.csv", cropping.make_survey())
        job, out, line = cropping.job("crop.yaml", "cropped"), o.tmp("cropped"), o.tmp("crop-timeline")
        held = o.Hold(cropping.frame_path(cropping.FIELDS[5], "r"))
        p = start(ranks, "crop", job, "part_fields=1", "runtime.timeline=" + line, env=o.holding())
        held.wait(p)
        self.assertFalse(os.path.exists(out))
        s = wait_until(p, lambda: (lambda s: s if s.get("done", 0) > 0 else None)(one(out)["status"]))
        self.assertEqual((s["command"], s["state"], s["size"], s["total"], s["unit"]), ("crop", "running", ranks or 1, 24, "frames"))
        self.assertLess(s["done"], 24)
        for path in (out, out + "/", out + ".status.json"):
            self.assertIn("crop, running", o.orrery("status", path).out)
        held.release()
        self.assertEqual(p.wait(timeout=o.DEADLINE), 0, p.communicate()[1])
        p.stderr.close()
        s, page = one(out)["status"], o.orrery("status", out).out
        self.assertEqual((s["state"], s["done"], s["total"], s["exit_code"]), ("ended", 24, 24, 0))
        self.assertEqual(s["faults"]["quarantined"], len(cropping.quarantine("cropped")))
        self.assertIn(f"{s['faults']['quarantined']} set aside", page)
        self.assertIn("100%  24 of 24 frames", page)
        events = timeline(os.path.join(line, "timeline.json"))
        check_nesting(events)
        self.assertEqual(sorted(e["args"]["number"] for e in events if e["name"] == "part"), list(range(8)))


def start_nothing():
    class Nothing:
        def poll(self):
            return None
    return Nothing()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
