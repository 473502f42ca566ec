"""orrery launch over two "hosts" (network namespaces with a cable between them): a cable that is pulled, a host that is frozen, a link that is slow or
down for a moment.  What is said is what is seen, nothing stays behind on either side, and the job goes on to the same bytes."""
import concurrent.futures
import os
import random
import signal
import subprocess
import time
import unittest

import cv as validation
import fetch as fetching
import orrery as o
import web
from launch import validation_progress
from supervised import PLACE, Lag, TwoHosts, check_named, no_namespaces, processes, send


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
        """cv and fetch over the two hosts: {job: (progress, result, what it has to be)}"""
        train, test = o.small_kepler()
        o.write("shared.yaml", validation.SHARED.format(train=train, test=test, kernels=o.KERNELS[8:]))
        words = ["cv", o.write("cv.yaml", validation.JOB.format(folds=3, more="", kernels=o.KERNELS[8:])), "data.epoch_length=9000",
                 "train.checkpoint_steps=20"]
        run, folder = o.tmp("cv"), o.tmp("fetched")
        o.orrery(*words, "run=" + o.tmp("cv-whole"))
        j = self.two.launch("run=" + run, (1, 1), *words, "run=" + run, own=["grace=4"])
        found = {j: (lambda: validation_progress(run), lambda: validation.results(run), validation.results(o.tmp("cv-whole")))}

        frames, catalogue = web.survey(o.tmp("archive"), random.Random(2), fields=12)
        server = subprocess.Popen(["ip", "netns", "exec", self.two.a, "/usr/bin/python3", "-m", "http.server", "8000", "--bind", self.two.net + ".1",
                                   "--directory", o.tmp("archive")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        words = fetching.words(f"http://{self.two.net}.1:8000", catalogue, folder, **{"archive.rate_mib": 0.06, "archive.retries": 8})
        j = self.two.launch("archive.folder=" + folder, (1, 1), *words, own=["grace=4"])
        found[j] = (lambda: len(fetching.frames_in(folder)), lambda: fetching.frames_in(folder), frames)
        return found

    def test_cable_pulled(self):
        """Of three jobs: a training that may not go on alone, a cross-validation and a fetch that may."""
        j = self.train("cable", "min_ranks=3", "grace=4", slots=(1, 2))
        found = self.others()
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
        """All processes there are stopped, Open MPI's too; the kernel there answers, and that is what is said.  Woken up they find that they are not
        wanted any more."""
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


if __name__ == "__main__":
    if not o.MPIRUN:
        o.skip("this build has no MPI")
    unittest.main()
