"""orrery launch on one machine: a rank or launcher that is killed or stopped is named within 3
seconds, nothing stays behind, and the job goes on to the same bytes; what ends by itself is left
alone.  bench/jobs/faults.py measures, hosts.py has two hosts."""
import concurrent.futures
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import unittest

import crop as cropping
import cv as validation
import fetch as fetching
import orrery as o
import web
from supervised import PLACE, Job, check_named, environ, launch, launch_json, mpirun_of, processes, ranks, saved, send, validation_progress

KILL, STOP, CONT = signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT
DELAY = os.path.abspath(sys.argv.pop(1))


def slow_start(rank):
    """The environment in which a rank, once it can be heard, takes a second and a half before it
    begins with MPI."""
    return {"LD_PRELOAD": DELAY, "ORR_DELAY": f"MPI_Init_thread:{rank}:1500"}


def listening(pid):
    """The addresses at which a process listens, in numbers as the kernel writes them."""
    own = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    found = []
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}") as f:
            rows = [line.split() for line in f][1:]
        found += [r[1].rpartition(":")[0] for r in rows if r[3] == "0A" and f"socket:[{r[9]}]" in own]
    return found


class Ports(unittest.TestCase):
    def test_one_machine(self):
        """Nothing of ours can be reached from outside when all ranks are here.  (mpirun of Open MPI
        4 has ports of its own.)"""
        train, test = o.small_kepler()
        job = o.job("ports.yaml", train, test, "  checkpoint_steps: 17", data="  epoch_length: 72000")
        for own in (["ranks=2"], ["hosts=localhost:2"], [f"hosts={socket.gethostname()}:1,127.0.0.1:1"]):
            j = launch(o.tmp("ports"), job, *own, n=2)
            j.training(2)
            self.assertEqual([listening(pid) for pid in j.ranks().values()], [[], []], own)
            self.assertEqual(listening(j.p.pid), ["0100007F"], own)
            j.p.send_signal(signal.SIGTERM)
            self.assertEqual(j.wait(), 75, j.err())


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        train, test = o.small_kepler()
        cls.job = o.job("launch.yaml", train, test, "  checkpoint_steps: 17\nrestart: {max: 6}", data="  epoch_length: 72000")
        o.orrery("train", cls.job, "run=" + o.tmp("whole"))
        cls.whole = o.results(o.tmp("whole"))

    def check_whole(self, j, restarts=None, whole=None):
        self.assertEqual(j.wait(), 0, j.err())
        if restarts is not None:
            self.assertEqual(len(re.findall("warn launch: starts again", j.err())), restarts, j.err())
        self.assertEqual(o.results(j.word[4:]), whole or self.whole)
        self.assertEqual(processes(j.word), {})

    def test_one_after_the_other(self):
        run = o.tmp("faults")
        j = launch(run, self.job, n=3)
        # first, since the ranks go on meanwhile: the training must be long enough for that and for
        # the rest
        j.training(3)
        check_named(self, j, r"mpirun \(process \d+\) is stopped", lambda: send(STOP, mpirun_of(j.word)))
        j.training(3)
        check_named(self, j, rf"rank 1 on \S+ was killed or crashed {PLACE}", lambda: send(KILL, j.ranks()[1]))
        j.training(3)
        check_named(self, j, rf"rank 0 on \S+ is stopped {PLACE}: its host answers, it has not for [23]\.\d s$", lambda: send(STOP, j.ranks()[0]))
        j.training(3)  # and with a rank that it cannot take along, being stopped

        def both():
            send(STOP, j.ranks()[1])
            send(KILL, mpirun_of(j.word))

        check_named(self, j, r"mpirun was ended by signal 9|rank \d on \S+ was killed or crashed", both)
        self.check_whole(j, 4)
        s = launch_json(run)
        self.assertEqual((s["command"], s["state"], s["restarts"], len(s["faults"])), ("train", "ended", 4, 4))
        self.assertIn("rank 0", s["faults"][2]["what"])
        self.assertEqual([(r["rank"], r["verdict"], r["code"]) for r in s["ranks"]], [(r, "done", 0) for r in range(3)])

    def check_gone(self, j, patience):
        """That long after launch was killed nothing is left of it."""
        j.p.kill()
        since = time.monotonic()
        j.wait()
        while processes(j.word) and time.monotonic() < since + 60:
            time.sleep(0.05)
        self.assertEqual(processes(j.word), {}, j.err())
        print(f"{self.id().split('.')[-1]}: nothing left after {time.monotonic() - since:.2f} s, {patience} s and more are allowed", flush=True)

    def test_launch_killed(self):
        """By itself; then with mpirun stopped, which no rank can hear from."""
        j = launch(o.tmp("launch-killed"), self.job, "grace=2")
        j.training(2)
        self.check_gone(j, 2)
        j = launch(o.tmp("launch-killed"), self.job, "grace=2")
        j.training(2)
        send(STOP, mpirun_of(j.word))
        self.check_gone(j, 3)
        self.check_whole(launch(o.tmp("launch-killed"), self.job), 0)

    def test_launch_stopped(self):
        """Who did not listen cannot say that nobody spoke; ranks that nobody speaks to end by
        themselves."""
        run = o.tmp("launch-stopped")
        j = launch(run, self.job, "grace=4", words=["train.epochs=60"])
        j.training(2)
        one = j.ranks()[1]
        send(STOP, j.p.pid, one)
        time.sleep(3)
        send(CONT, j.p.pid)
        time.sleep(0.5)
        send(CONT, one)
        j.training(2)
        self.assertNotIn("error launch", j.err())
        send(STOP, j.p.pid)
        j.until(lambda: not j.ranks(), 60)
        send(CONT, j.p.pid)
        j.training(2)
        self.assertRegex(j.err(), "error launch: .*(was killed or crashed|mpirun ended)")
        # one order to stop, as Slurm's --full gives it
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM):
            j.p.send_signal(number)
        self.assertEqual(j.wait(), 75, j.err())
        self.assertIn("saved", j.err())
        self.assertEqual(processes(j.word), {})

    def test_suspended(self):
        """For longer than `grace`: all processes (as Slurm does it), and by ^Z to launch.  Nothing
        is lost but time."""
        def states(j):
            found = {}
            for pid in processes(j.word):
                with open(f"/proc/{pid}/stat") as f:
                    found[pid] = f.read().rpartition(")")[2].split()[0]
            return found

        deaf = o.write("deaf-mpirun", "#!/bin/sh\ntrap '' TSTP\nmpirun --oversubscribe --bind-to none \"$@\" &\nwait\n")
        os.chmod(deaf, 0o755)
        o.orrery("train", self.job, "run=" + o.tmp("short"), "train.epochs=1")
        jobs = {name: launch(o.tmp("suspended-" + name), self.job, "grace=2", *own, n=n, words=["train.epochs=1"]) for name, own, n in
                (("all", [], 2), ("key", [], 2), ("alone", ["mpirun=none"], 1), ("deaf", ["mpirun=" + deaf], 2))}
        for name, j in jobs.items():
            j.until(lambda: saved(o.tmp("suspended-" + name)))
        send(STOP, *processes(jobs["all"].word))
        for name in ("key", "alone", "deaf"):
            send(signal.SIGTSTP, jobs[name].p.pid)
        for name in ("key", "alone"):
            jobs[name].until(lambda: states(jobs[name])[jobs[name].p.pid] == "T")
            self.assertEqual([s for pid, s in states(jobs[name]).items() if o.ORRERY in processes(jobs[name].word)[pid][0]], ["T"] * (3 if name == "key" else 2))
        time.sleep(4)
        stopped = {name: saved(o.tmp("suspended-" + name)) for name in ("all", "key", "alone")}
        time.sleep(1)
        for name, before in stopped.items():
            self.assertEqual(saved(o.tmp("suspended-" + name)), before)
        send(CONT, *processes(jobs["all"].word))
        send(CONT, jobs["key"].p.pid, jobs["alone"].p.pid)
        for name, j in jobs.items():
            self.check_whole(j, 0, o.results(o.tmp("short")))
            (self.assertIn if name in ("key", "alone") else self.assertNotIn)("info launch: goes on after", j.err())
        self.assertIn("deaf-mpirun cannot suspend its ranks", jobs["deaf"].err())

    def test_suspended_and_given_up(self):
        """A rank that was stopped while its launch went on, or went, must not work on when it
        wakes."""
        j = launch(o.tmp("woken"), self.job, "grace=2", "mpirun=none", n=1)
        j.until(lambda: saved(o.tmp("woken")))
        rank = next(pid for pid in processes(j.word) if pid != j.p.pid)
        send(STOP, rank)
        j.p.kill()
        j.p.wait()
        time.sleep(3)
        before = saved(o.tmp("woken"))
        send(CONT, rank)
        began = time.monotonic()
        while rank in processes(j.word) and time.monotonic() < began + 30:
            time.sleep(0.02)
        self.assertNotIn(rank, processes(j.word))
        print(f"woken without a supervisor: ended after {time.monotonic() - began:.2f} s, {'a' if saved(o.tmp('woken')) != before else 'no'} checkpoint later", flush=True)

    def test_gives_up(self):
        """A rank that passes its own deadline has lost another one: a fault, too, though it says so
        itself."""
        j = launch(o.tmp("gave-up"), self.job, "silence=60", "restarts=1", env={"ORR_WAIT": "3"})
        j.training(2)
        send(STOP, j.ranks()[0])
        j.until(lambda: j.said("error launch: ")[0] is not None)
        self.assertRegex(j.said("error launch: ")[1], rf"rank 1 on \S+ gave up, having lost the others, {PLACE}")
        self.check_whole(j, 1)

    def test_signal_during_a_fault(self):
        """A rank that cannot save any more: the job ends all the same, to go on later."""
        j = launch(o.tmp("signal-fault"), self.job)
        j.training(2)
        send(STOP, j.ranks()[1])
        j.p.send_signal(signal.SIGTERM)
        self.assertEqual(j.wait(), 75, j.err())
        self.assertIn("is stopped", j.err())
        self.assertEqual(processes(j.word), {})

    def test_restarts_used_up(self):
        j = launch(o.tmp("used-up"), self.job, words=["restart.max=1"])
        for _ in range(2):
            j.training(2)
            one = j.ranks()[1]
            send(KILL, one)
            j.until(lambda pid=one: not os.path.exists(f"/proc/{pid}"))
        self.assertEqual(j.wait(), 1, j.err())
        self.assertRegex(j.err(), r"orrery launch: 1 restarts are used up")
        self.assertEqual(processes(j.word), {})
        self.check_whole(launch(o.tmp("used-up"), self.job, n=3), 0)

    def test_slow_rank(self):
        run = o.tmp("slow")
        j = launch(run, self.job, words=["train.epochs=60"])
        j.training(2)
        one = j.ranks()[1]

        def named():
            send(STOP, one)
            time.sleep(1.2)
            send(CONT, one)
            time.sleep(0.3)
            return j.said(r"warn launch: rank 1 on \S+ is slow in \w+, step \d+")[0] is not None

        j.until(named)
        self.assertNotIn("starts again", j.err())
        j.p.send_signal(signal.SIGTERM)
        self.assertEqual(j.wait(), 75, j.err())
        self.assertIn("saved", j.err())


class Commands(unittest.TestCase):
    """A rank killed and a rank stopped in the middle of every command that runs long, all at
    once."""

    @classmethod
    def setUpClass(cls):
        if not web.NGINX:
            raise unittest.SkipTest("nginx is not on this machine: nothing to fetch from")

    def jobs(self):
        """{name: (job at work, its progress, the bytes it makes, those of an undisturbed one)}"""
        found = {}
        train, test = o.small_kepler()
        o.write("shared.yaml", validation.SHARED.format(train=train, test=test, kernels=o.KERNELS[8:]) + "restart: {max: 6}\n")
        path = o.write("cv.yaml", validation.JOB.format(folds=4, more=", seeds: [1, 5]", kernels=o.KERNELS[8:]) + "restart: {max: 6}\n")
        words, more = ["cv", path], ["data.epoch_length=9000", "train.checkpoint_steps=20"]
        o.orrery(*words, *more, "run=" + o.tmp("cv-whole"))
        found["cv"] = ([*words, *more, "run=" + o.tmp("cv")], lambda: validation_progress(o.tmp("cv")), lambda: validation.results(o.tmp("cv")),
                       validation.results(o.tmp("cv-whole")))

        frames, catalogue = web.survey(o.tmp("archive"), random.Random(2), fields=40)
        archive = web.Nginx(o.tmp("archive"))
        self.addCleanup(archive.close)
        words = fetching.words(archive.url, catalogue, o.tmp("fetched"), **{"archive.rate_mib": 0.15, "restart.max": 6})
        found["fetch"] = (words, lambda: len(fetching.frames_in(o.tmp("fetched"))), lambda: fetching.frames_in(o.tmp("fetched")), frames)

        cropping.write_catalogue("survey.csv", cropping.make_survey())
        job = cropping.job("crop.yaml", "cropped", "restart: {max: 6}")
        o.orrery("crop", job, "part_fields=1", "out=" + o.tmp("crop-whole"))
        frames = web.Nginx(o.tmp("frames"))
        self.addCleanup(frames.close)
        words = ["crop", job, "part_fields=1", "out=" + o.tmp("cropped"), "stream=true", f"archive.url={frames.url}{cropping.TEMPLATE}", "archive.rate_mib=0.1"]
        found["crop"] = (words, lambda: len(cropping.records("cropped")), lambda: o.tree(o.tmp("cropped")), o.tree(o.tmp("crop-whole")))
        return found

    def test_long_commands(self):
        found = self.jobs()
        marks = {"cv": "run=" + o.tmp("cv"), "fetch": "archive.folder=" + o.tmp("fetched"), "crop": "out=" + o.tmp("cropped")}

        def disturb(name):
            words, progress, result, whole = found[name]
            j = Job([o.ORRERY, "launch", "ranks=2", *words], marks[name])
            for number, said in ((KILL, "was killed or crashed"), (STOP, "is stopped")):
                j.at_work(2, progress)
                check_named(self, j, rf"rank 1 on \S+ {said} {PLACE}", lambda: send(number, j.ranks()[1]))
            self.assertEqual(j.wait(), 0, j.err())
            made = result()
            self.assertEqual({n: len(made[n]) for n in made if made[n] != whole.get(n)}, {}, name + j.err())
            self.assertEqual(sorted(made), sorted(whole), name)
            self.assertEqual(processes(j.word), {})
            self.assertEqual(len(re.findall("starts again", j.err())), 2, j.err())

        with concurrent.futures.ThreadPoolExecutor() as pool:
            for done in [pool.submit(disturb, name) for name in found]:
                done.result()
        self.assertEqual(launch_json(o.tmp("cv"))["restarts"], 2)

    def test_short_commands(self):
        """Those that have nothing to go on with begin anew."""
        train, test = o.small_kepler()
        o.orrery("train", o.job("short.yaml", train, test), "train.epochs=1", "run=" + o.tmp("model"))
        for command, out in (("evaluate", []), ("predict", ["out=" + o.tmp("predicted.csv")])):
            words = [command, o.tmp("model/model.h5"), train, *out]
            if out:
                o.orrery(*words[:-1], "out=" + o.tmp("predicted-whole.csv"))
            j = Job([o.ORRERY, "launch", "ranks=2", "start=10", *words], train, slow_start(1))
            # the one that speaks for it; MPI has not begun yet
            j.until(lambda j=j: threads(j.ranks().get(1)) > 1)
            time.sleep(0.05)
            send(STOP, j.ranks()[1])
            self.assertEqual(j.wait(), 0, j.err())
            self.assertRegex(j.err(), "is stopped|has not come")
            self.assertEqual(processes(j.word), {})
        self.assertEqual(o.sha(o.tmp("predicted.csv")), o.sha(o.tmp("predicted-whole.csv")))


def threads(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


class Ends(unittest.TestCase):
    """What ends by itself is left alone."""

    def check(self, code, said, *words, own=(), n=2, again=False):
        j = Job([o.ORRERY, "launch", f"ranks={n}", *own, *words])
        self.assertEqual(j.wait(), code, j.err())
        self.assertIn(said, j.err())
        self.assertEqual("starts again" in j.err(), again, j.err())

    def test_usage(self):
        self.check(2, "launch needs a command")
        self.check(2, "unknown command", "trian")
        self.check(2, "rnaks", "train", own=["rnaks=3"])
        self.check(2, "min_ranks", "train", own=["min_ranks=3"])
        self.check(2, "no number of slots", "train", own=["hosts=a:x"])
        self.check(2, "does not launch itself", "launch", "train")
        self.check(2, "cannot be started", "train", own=["mpirun=/no/such/mpirun"])
        self.check(1, "cannot listen", "train", own=["address=192.0.2.1"])
        self.check(2, "does not read as words", "train", own=["mpirun=mpirun $(date)"])
        self.check(2, "data.train", "train", "run=" + o.tmp("nothing"))
        self.assertFalse(os.path.exists(o.tmp("nothing")), "a status file where there is no run")

    def test_restart_in_the_job(self):
        """Launch reads it, its own keys win, and the command refuses what it does not know."""
        job = o.write("restart.yaml", "run: unset\ndata: {train: nowhere}\nrestart: {max: 2, min_ranks: 3}\n")
        self.check(2, "ranks=2 is less than min_ranks=3", "train", job)
        self.check(2, "ranks=2 is less than min_ranks=4", "train", job, "restart.min_ranks=4")
        self.check(2, "model", "train", job, own=["min_ranks=1"])
        r = o.orrery("train", job, "restart.mix=2", code=2)
        self.assertIn('unknown key "mix" in restart; did you mean "max"?', r.err)
        self.assertIn("restart.max", o.orrery("fetch", "restart.max=-1", code=2).err)

    def test_failure(self):
        self.check(1, "absent", "info", o.tmp("absent"))

    def script(self, name, text):
        path = o.write(name, "#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def test_failure_of_one_rank(self):
        """It aborts the job, which kills the others: no fault of theirs."""
        path = self.script("mpirun-1", """own="$1 $2 $3 $4 $5 $6 $7 $8"
shift 8
exec mpirun --oversubscribe --bind-to none $own sh -c 'if [ $OMPI_COMM_WORLD_RANK = 1 ]; then export ORR_LOG=loud; fi; exec "$@"' x "$@"
""")
        self.check(2, "rank 1 (", "info", o.tmp(), own=["mpirun=" + path])

    # Of the first start ranks 0 and 1 alone say a word; then rank 2 does "dies".
    UNHEARD = """own="$1 $2 $3 $4 $5 $6 $7 $8"
shift 8
export once={once} status={status} dies={dies}
exec mpirun --oversubscribe --bind-to none $own sh -c 'if [ $OMPI_COMM_WORLD_RANK -ge 2 ] && mkdir $once-$OMPI_COMM_WORLD_RANK; then
    until [ "$(grep -c \\"host\\" $status)" = 2 ]; do sleep 0.05; done
    [ $OMPI_COMM_WORLD_RANK = 2 ] && $dies
    sleep 100
fi 2>&-
exec "$@"' x "$@"
"""

    def check_unheard(self, name, dies, said, n=3):
        status = o.tmp(name + ".json")
        path = self.script("mpirun-" + name, self.UNHEARD.format(once=o.tmp(name + "-once"), status=status, dies=dies))
        j = Job([o.ORRERY, "launch", f"ranks={n}", "status=" + status, "mpirun=" + path, "info", o.small_kepler()[0]])
        self.assertEqual(j.wait(), 0, j.err())
        named = [line for _, line in j.lines if "error launch: " in line]
        self.assertEqual(len(named), 1, j.err())
        self.assertRegex(named[0], "error launch: " + said)
        with open(status) as f:
            self.assertRegex(json.load(f)["faults"][0]["what"], said)

    def test_killed_before_its_first_word(self):
        """What launch sees is that the others end, which mpirun kills: it must not blame one of
        them."""
        self.check_unheard("silent", "'eval kill -9 $$'", r"a rank that had not said its first word yet was killed or crashed \(rank 2 of 3 is the one "
                           r"missing\), or rank [01] on \S+ in start, the first that was seen to end$")
        self.check_unheard("two", "'eval kill -9 $$'", r"a rank that had not .* \(ranks 2, 3 of 4 are missing\)", n=4)
        call = o.write("call.py", "import os, signal, socket\nhost, port = os.environ['ORR_HEARTBEAT'].rsplit(':', 1)\n"
                       "s = socket.create_connection((host, int(port)))\nos.kill(os.getpid(), signal.SIGKILL)\n")
        path = self.script("mpirun-3", f"[ -e {o.tmp('three')} ] && exec mpirun --oversubscribe --bind-to none \"$@\"; touch {o.tmp('three')}; exit 3\n")
        self.check(0, "mpirun-3 ended with code 3 before its ranks did (2 of 2 had not said a word yet)", "info", o.small_kepler()[0], own=["mpirun=" + path], again=True)
        self.check_unheard("called", f"'exec {sys.executable} {call}'", "rank 2 of 3 was killed or crashed before its first word$")

    def test_ended_before_it_was_heard(self):
        """Its first word, its end and that of the other one all wait for a launch that is
        stopped."""
        go = o.tmp("go")
        path = self.script("mpirun-late", f"""own="$1 $2 $3 $4 $5 $6 $7 $8"
shift 8
exec mpirun --oversubscribe --bind-to none $own sh -c 'if [ $OMPI_COMM_WORLD_RANK = 1 ]; then until [ -e {go} ]; do sleep 0.05; done; fi; exec "$@"' x "$@"
""")
        train, test = o.small_kepler()
        run = o.tmp("late")
        j = launch(run, o.job("late.yaml", train, test), "mpirun=" + path, words=["train.max_steps=3"], env=slow_start(1))
        j.until(lambda: threads(j.ranks().get(0)) > 1 and 1 in j.ranks())
        time.sleep(0.5)
        send(STOP, j.p.pid)
        before = j.ranks()[1]
        o.write("go", "")
        j.until(lambda: threads(j.ranks().get(1)) > 1 and j.ranks()[1] == before)
        time.sleep(0.1)
        send(KILL, before)
        j.until(lambda: not j.ranks())
        send(CONT, j.p.pid)
        self.assertEqual(j.wait(), 0, j.err())
        self.assertRegex(j.said("error launch: ")[1], r"one of ranks 0, 1 was killed or crashed in start|rank 1 on \S+ was killed or crashed in start(; so is rank 0)?$")

    def test_fault_of_the_machine(self):
        """Exit code 77 is no end, unless the restarts are used up."""
        path = self.script("mpirun-77", f"[ -e {o.tmp('once')} ] && exec mpirun --oversubscribe --bind-to none \"$@\"; touch {o.tmp('once')}; exit 77\n")
        self.check(0, "the ranks saw a fault of the machine", "info", o.small_kepler()[0], own=["mpirun=" + path], again=True)
        os.remove(o.tmp("once"))
        self.check(1, "0 restarts are used up", "info", o.small_kepler()[0], own=["mpirun=" + path, "restarts=0"])

    def test_leftovers(self):
        """What the launcher leaves behind is ended, wherever it hides."""
        pid = o.tmp("leftover")
        path = self.script("mpirun-2", f"setsid sh -c 'echo $$ > {pid}; exec sleep 300' &\nexec mpirun --oversubscribe --bind-to none \"$@\"\n")
        self.check(0, "", "info", o.small_kepler()[0], own=["mpirun=" + path])
        with open(pid) as f:
            # a zombie may be left, where init does not mind
            self.assertEqual(environ(f.read().strip()), {})

    def test_launch_under_mpirun(self):
        r = o.orrery("launch", "train", ranks=1, code=2)
        self.assertIn("not under mpirun", r.err)

    def test_launcher_of_another_mpi(self):
        """One that starts so many jobs of one rank each."""
        path = self.script("sprint", '[ "$1 $2" = "-n 2" ] || exit 9\nshift 8\nSLURM_PROCID=1 "$@" & "$@"; wait\n')
        train, test = o.small_kepler()
        job = o.job("apart.yaml", train, test, data="  epoch_length: 90000")
        self.check(2, "the ranks are no job of 2: rank 0 is one of 1", "train", job, "run=" + o.tmp("apart"), own=["mpirun=" + path])

    def test_one_rank_without_mpi(self):
        self.check(0, "", "synth", "kepler", "out=" + o.tmp("alone"), "stars=10", "test_stars=5", "samples=50", own=["mpirun=none"])
        self.assertTrue(os.path.exists(o.tmp("alone/train.csv")))

    def test_supervisor_never_there(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        train, test = o.small_kepler()
        job = o.job("lost.yaml", train, test, data="  epoch_length: 9000000")
        j = Job([o.ORRERY, "train", job, "run=" + o.tmp("lost")], "run=" + o.tmp("lost"),
                {"ORR_HEARTBEAT": f"127.0.0.1:{port}", "ORR_HEARTBEAT_KEY": "x", "ORR_HEARTBEAT_GRACE": "1.5"})
        self.assertEqual(j.wait(30), 76, j.err())
        # the latter when the machine let it wait
        self.assertRegex(j.err(), r"no word from its supervisor \(127\.0\.0\.1 port|its supervisor is gone")

    def test_bad_environment(self):
        for env, said in (({"ORR_HEARTBEAT": "nowhere", "ORR_HEARTBEAT_KEY": "x"}, "is not host:port"),
                          ({"ORR_HEARTBEAT": "127.0.0.1:4"}, "ORR_HEARTBEAT_KEY is not"),
                          ({"ORR_HEARTBEAT": "127.0.0.1:4", "ORR_HEARTBEAT_KEY": "x", "ORR_HEARTBEAT_GRACE": "0"}, "ORR_HEARTBEAT_GRACE=0")):
            self.assertIn(said, o.orrery("info", o.tmp(), env=env, code=2).err)

    def test_strangers(self):
        """Who does not know the key is not listened to; a status file may lie anywhere, or
        nowhere."""
        train, test = o.small_kepler()
        run, status = o.tmp("strangers"), o.tmp("strangers.json")
        j = launch(run, o.job("strangers.yaml", train, test, "  checkpoint_steps: 17", data="  epoch_length: 90000"), "status=" + status)
        j.training(2)
        host, port = environ(ranks(j.word)[0])["ORR_HEARTBEAT"].rsplit(":", 1)
        for said in (b"GET / HTTP/1.0\r\n\r\n", b'{"key": "x", "rank": 0, "done": 1, "code": 1}\n', b"[" * 900 + b"\n", b"x" * 5000, b"{}\n", b"\0\n"):
            with socket.create_connection((host, int(port))) as s:
                s.sendall(said)
                s.settimeout(30)
                try:
                    self.assertEqual(s.recv(10), b"")
                except ConnectionResetError:
                    pass
        # more than it keeps
        idle = [socket.create_connection((host, int(port))) for _ in range(40)]
        j.until(lambda: os.path.exists(status))
        j.p.send_signal(signal.SIGTERM)
        self.assertEqual(j.wait(), 75, j.err())
        self.assertFalse(os.path.exists(os.path.join(run, "launch.json")))
        for s in idle:
            s.close()


if __name__ == "__main__":
    if not o.MPIRUN:
        o.skip("this build has no MPI")
    unittest.main()
