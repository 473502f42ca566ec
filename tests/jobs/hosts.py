"""orrery launch over two "hosts" (network namespaces with a cable between them): a cable that is
pulled, a host that is frozen, a link that is slow or down for a moment.  What is said is what is
seen, nothing stays behind on either side, and the job goes on to the same bytes."""
import concurrent.futures
import json
import os
import random
import signal
import statistics
import subprocess
import time
import unittest

import cv as validation
import fetch as fetching
import orrery as o
import web
from supervised import PLACE, Lag, TwoHosts, check_named, no_namespaces, processes, send, validation_progress


class Hosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        why = no_namespaces()
        if why:
            raise unittest.SkipTest(why)
        cls.two = TwoHosts()
        cls.addClassCleanup(cls.two.close)
        train, test = o.small_kepler()
        cls.job = o.job("hosts.yaml", train, test, "  checkpoint_steps: 17\nrestart: {max: 6}", data="  epoch_length: 12000")
        o.orrery("train", cls.job, "run=" + o.tmp("whole"))
        cls.whole = o.results(o.tmp("whole"))

    def setUp(self):
        self.addCleanup(self.two.cable, "up")

    def train(self, name, *own, slots=(1, 1)):
        return self.two.launch("run=" + o.tmp(name), slots, "train", self.job, "run=" + o.tmp(name), own=own)

    def check_whole(self, j, frozen=()):
        self.assertEqual(j.wait(), 0, j.err())
        self.assertEqual(o.results(j.word[4:]), self.whole)
        self.assertEqual(set(processes(j.word)) - set(frozen), set())

    def left_behind(self):
        return [p for p in self.two.pids(self.two.b) if p]

    def others(self):
        """Makes ready a cv and a fetch over the two hosts; what is returned launches both, and
        gives {job: (progress, result, what it has to be)}"""
        train, test = o.small_kepler()
        o.write("shared.yaml", validation.SHARED.format(train=train, test=test, kernels=o.KERNELS[8:]))
        cv = ["cv", o.write("cv.yaml", validation.JOB.format(folds=3, more="", kernels=o.KERNELS[8:])), "data.epoch_length=60000",
              "train.checkpoint_steps=20"]
        run, folder = o.tmp("cv"), o.tmp("fetched")
        o.orrery(*cv, "run=" + o.tmp("cv-whole"))
        frames, catalogue = web.survey(o.tmp("archive"), random.Random(2), fields=12)
        server = subprocess.Popen(["ip", "netns", "exec", self.two.a, "/usr/bin/python3", "-m", "http.server", "8000", "--bind", self.two.net + ".1",
                                   "--directory", o.tmp("archive")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        fetch = fetching.words(f"http://{self.two.net}.1:8000", catalogue, folder, **{"archive.rate_mib": 0.06, "archive.retries": 8})

        def begin():
            return {
                self.two.launch("run=" + run, (1, 1), *cv, "run=" + run, own=["grace=4"]):
                (lambda: validation_progress(run), lambda: validation.results(run), validation.results(o.tmp("cv-whole"))),
                self.two.launch("archive.folder=" + folder, (1, 1), *fetch, own=["grace=4"]):
                (lambda: len(fetching.frames_in(folder)), lambda: fetching.frames_in(folder), frames)}

        return begin

    def test_cable_pulled(self):
        """Of three jobs: a training that may not go on alone, a cross-validation and a fetch that
        may."""
        begin = self.others()  # none may be done when the last one starts
        j = self.train("cable", "min_ranks=3", "grace=4", slots=(1, 2))
        found = begin()
        progress = {j: None, **{job: p for job, (p, _, _) in found.items()}}
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for ready in [pool.submit(j.training, 3)] + [pool.submit(job.at_work, 2, p) for job, p in progress.items() if p]:
                ready.result()
        self.assertEqual(len([p for p in self.two.here(j.word, self.two.b) if p in j.ranks().values()]), 2)
        cut = rf"rank [12] on {self.two.b} is cut off {PLACE}: neither it nor its host has answered for \d\.\d s(; so is rank [12])?$"
        since = check_named(self, [j, *found], cut, lambda: self.two.cable("down"), alone=False)
        begin, lag = time.monotonic(), Lag()
        while self.left_behind() and time.monotonic() < begin + 30:
            time.sleep(0.05)
        left = time.monotonic() - since
        self.assertEqual(self.left_behind(), [], "stay behind on the host that was cut off")
        self.assertLess(left, 4 + 1 + 1.5 + lag.stop())
        self.assertEqual(j.wait(), 1, j.err())
        self.assertIn("1 ranks are left, min_ranks is 3", j.err())
        for job, (_, result, whole) in found.items():
            self.assertEqual(job.wait(), 0, job.err())
            self.assertIn("starts again on 1 ranks, without the lost host", job.err())
            self.assertGreater(job.said("starts again", since)[0], left, "started again beside ranks that still lived")
            self.assertEqual(result(), whole)
            self.assertEqual(processes(job.word), {})
        self.two.cable("up")
        self.check_whole(self.train("cable", slots=(1, 2)))  # the same command later

    def test_host_frozen(self):
        """All processes there are stopped, Open MPI's too; the kernel there answers, and that is
        what is said.  Woken up they find that they are not wanted any more."""
        j = self.train("frozen", "grace=3", slots=(1, 2))
        j.training(3)
        frozen = self.left_behind()
        check_named(self, j, rf"rank [12] on {self.two.b} is stopped {PLACE}: its host answers, it has not for [23]\.\d s(; so is rank [12])?$",
                    lambda: send(signal.SIGSTOP, *frozen), alone=False)
        self.check_whole(j, frozen)
        self.assertIn("starts again on 3 ranks (", j.err())
        self.assertLessEqual(set(frozen), set(self.left_behind()))
        send(signal.SIGCONT, *frozen)
        begin = time.monotonic()
        while self.left_behind() and time.monotonic() < begin + 60:
            time.sleep(0.05)
        self.assertEqual(self.left_behind(), [])
        self.assertEqual(o.results(o.tmp("frozen")), self.whole)

    def test_slow_link(self):
        """And one that is down for less than the deadline: nobody is lost."""
        j = self.train("slow")
        j.training(2)
        why = self.two.slow_link("100mbit")
        self.addCleanup(self.two.slow_link, "")
        j.training(2)
        self.two.cable("down")
        time.sleep(1)
        self.two.cable("up")
        begin = time.monotonic()
        self.check_whole(j)
        self.assertNotRegex(j.err(), "error launch|starts again|is (stopped|cut off)|crashed")
        print(f"test_slow_link: to the end in {time.monotonic() - begin:.1f} s", flush=True)
        if why:
            self.skipTest("down for a moment was tried, a slow link cannot be made: " + why)

    def test_two_clocks(self):
        """The second host's clock is an hour ahead.  In the picture all is in the first one's time:
        a reduction ends on both at once."""
        ahead = 3600
        clock = ["--time", "--monotonic", str(ahead), "--fork"]
        made = subprocess.run(["unshare", *clock, "true"], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            self.skipTest("no time namespace can be made: " + made.stderr.strip())
        self.two.clock = clock
        self.addCleanup(setattr, self.two, "clock", [])
        run, folder = o.tmp("clocks"), o.tmp("clocks-timeline")
        j = self.two.launch("run=" + run, (1, 1), "train", self.job, "run=" + run, "train.max_steps=300", "runtime.timeline=" + folder, "runtime.timeline_share=1")
        self.assertEqual(j.wait(), 0, j.err())
        with open(os.path.join(folder, "timeline.json")) as f:
            events = json.load(f)["traceEvents"]
        clocks = {e["pid"]: e["args"] for e in events if e["name"] == "clock"}
        self.assertEqual(clocks[0], {"offset_us": 0, "error_us": 0})
        error = clocks[1]["error_us"]
        self.assertTrue(0 < error < 50000, error)
        # both are this machine's
        self.assertAlmostEqual(clocks[1]["offset_us"], -ahead * 1e6, delta=error + 1)
        ends = {0: {}, 1: {}}
        for e in events:
            if e["name"] == "reduce-wait":
                number = e["args"]["number"]
                ends[e["pid"]][number] = max(e["ts"] + e["dur"], ends[e["pid"]].get(number, 0))
        apart = [ends[1][n] - ends[0][n] for n in ends[0] if n in ends[1]]
        self.assertEqual(len(apart), 300)
        self.assertLess(abs(statistics.median(apart)), error + 5000)
        print(f"test_two_clocks: offset {clocks[1]['offset_us'] / 1e6:.6f} s, wrong by {error:.0f} us at most; a reduction's ends are {statistics.median(apart):.0f} us apart",
              flush=True)


if __name__ == "__main__":
    if not o.MPIRUN:
        o.skip("this build has no MPI")
    unittest.main()
