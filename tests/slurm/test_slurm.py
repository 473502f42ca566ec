"""The shipped batch scripts in a real Slurm: whatever stops a job, it goes on where it was and ends
with the bytes of a run that nothing stopped.

One cluster; tests run side by side, each on nodes that it has to itself.  Jobs wait at their first
checkpoint (gate.c) while something is done to them, so nothing depends on how fast the machine is.
 test_slurm.py GATE.so [NAME ...]"""
import concurrent.futures
import functools
import glob
import http.server
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(1, os.path.join(os.environ["ORRERY_SOURCE_DIR"], "tests", "jobs"))
import cluster  # noqa: E402
import orrery as o  # noqa: E402

SCRIPTS = os.path.join(o.SOURCE, "slurm")
CV_RESULTS = ["job.yaml", "oof.h5", "oof.csv", "test.csv", "report.json"]
SIDE_BY_SIDE = 6
FIRST = ["time_limit", "signal", "signals_to_all_processes", "batch_host_lost", "node_lost", "cv_array", "machine_faults", "srun", "rank_lost",
         # take longest, or many nodes
         "grace_of_all_processes", "preemption_with_grace", "signal_to_steps", "requeued_by_hand", "preemption"]
CV = """
run: unset
job: {shared}
cv: {{folds: 3, seed: 7}}
train: {{epochs: 1, select: auc}}
runtime: {{threads: 1, progress: false}}
"""


NO_NODES = "no namespaces here (unshare --uts --pid --mount-proc takes root): ranks on nodes of one host name take one another for neighbours"


def required(what):
    """Is it a failure where that is lacking: slurm (what packages and the build give) or namespaces
    (a right)?"""
    return bool(os.environ.get("CI")) or what in os.environ.get("ORRERY_REQUIRE", "").split()


def lacking():
    """What keeps all of this from running, in a sentence; None: nothing."""
    if not o.MPIRUN:
        return "this build has no MPI"
    if cluster.missing():
        return f"no Slurm on this machine: {', '.join(cluster.missing())} (scripts/setup.sh installs it)"
    return NO_NODES if required("namespaces") and not cluster.namespaces() else None


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def cv_results(run):
    return {n: o.sha(os.path.join(run, n)) for n in CV_RESULTS if os.path.exists(os.path.join(run, n))}


def text(path):
    with open(path, errors="replace") as f:
        return f.read()


def needs(n, trees=False):
    """Nodes of a test's own, all taken before it begins: tests that wait for more while they have
    some would wait for each other."""
    def mark(test):
        test.needs, test.trees = n, trees
        return test
    return mark


class Nodes:
    """Who has which; plain ones and those with proctrack/linuxproc.  First come, first served: who
    wants many would else wait for long."""

    def __init__(self, slurm):
        self.free, self.trees, self.changed = [n for n in slurm.nodes if n not in slurm.trees], list(slurm.trees), threading.Condition()
        self.queues = {False: [], True: []}

    def take(self, n, trees=False):
        pool, queue, me = self.trees if trees else self.free, self.queues[trees], object()
        with self.changed:
            queue.append(me)
            self.changed.wait_for(lambda: n == 0 or queue[0] is me and len(pool) >= n)
            queue.remove(me)
            self.changed.notify_all()
            taken, pool[:] = pool[:n], pool[n:]
        return taken

    def give(self, taken, trees=False):
        with self.changed:
            (self.trees if trees else self.free).extend(taken)
            self.changed.notify_all()


class Slurm(unittest.TestCase):
    gate = slurm = nodes = None
    seen = {}  # what was measured

    @classmethod
    def prepare(cls, gate):
        train, test = o.small_kepler()
        cls.gate = gate
        cls.job = o.job("slurm.yaml", train, test, "  checkpoint_steps: 100", data="  epoch_length: 6000")
        cls.folds = o.write("cv.yaml", CV.format(shared=cls.job))
        o.orrery("train", cls.job, "run=" + o.tmp("whole"))
        o.orrery("cv", cls.folds, "run=" + o.tmp("cv-whole"))
        cls.whole, cls.whole_cv = o.results(o.tmp("whole")), cv_results(o.tmp("cv-whole"))
        cls.env = {"ORRERY": o.ORRERY, "ORRERY_BIND": "none", "ORRERY_LAUNCH_ARGS": "--oversubscribe"}
        cls.slurm = cluster.Cluster(nodes=11, trees=2)
        cls.nodes = Nodes(cls.slurm)

    def setUp(self):
        test = getattr(self, self._testMethodName)
        self.jobs, self.used = [], 0
        self.mine = self.nodes.take(getattr(test, "needs", 0), getattr(test, "trees", False))
        self.addCleanup(self.nodes.give, self.mine, getattr(test, "trees", False))

    def some(self, n):
        """The next of the test's nodes, from the first one again when all were used."""
        if self.used + n > len(self.mine):
            self.used = 0
        self.used += n
        return self.mine[self.used - n:self.used]

    def tearDown(self):
        for number in self.jobs:
            self.slurm.run("scancel", "--full", "--signal=KILL", number, code=None)
            self.slurm.run("scancel", number, code=None)
        for number in self.jobs:
            self.slurm.until(lambda: not self.slurm.run("squeue", "-h", "-j", number, code=None), 120, f"job {number} stays in the queue")
            self.slurm.until(lambda: not self.slurm.processes(number, o.ORRERY), 60, f"ranks of job {number} stay behind")

    def need_nodes(self):
        if not self.slurm.isolated:
            self.lacks("namespaces", NO_NODES)

    def lacks(self, what, why):
        (self.fail if required(what) else self.skipTest)(why)

    # ---- one job ----
    def submit(self, script, *words, nodes=1, ranks=2, on=None, name=None, hold=False, options=(), env=None, cwd=None):
        """sbatch as a user does it, with other resources; returns the job's number.  Its output:
        NAME.out.  hold: until release(name)."""
        name = name or self._testMethodName
        if not self.slurm.isolated:
            nodes, ranks = 1, min(2, nodes * ranks)
        if hold:
            self.close(name)
            env = {"LD_PRELOAD": self.gate, "ORRERY_TEST_GATE": o.tmp(name + ".gate"), **(env or {})}
        number = self.slurm.submit(f"--nodes={nodes}", f"--ntasks-per-node={ranks}", "--output=" + o.tmp(name + ".out"),
                                   "--nodelist=" + ",".join((on or self.some(nodes))[:nodes]), *options, os.path.join(SCRIPTS, script), *words, cwd=cwd or o.tmp(),
                                   env={**self.env, **(env or {})})
        self.jobs.append(number)
        return number

    def train(self, name, **more):
        return self.submit("train.sbatch", self.job, "run=" + o.tmp(name), name=name, **more)

    def close(self, name):
        o.write(name + ".gate", "")
        if os.path.exists(o.tmp(name + ".gate.reached")):
            os.remove(o.tmp(name + ".gate.reached"))

    def held(self, *names, ends=0):
        """Until each, having ended so often before, has its first checkpoint and waits."""
        for name in names:
            def there():
                self.assertEqual(self.log(name).count("orrery.sh: exit"), ends, self.log(name))
                return os.path.exists(o.tmp(name + ".gate.reached"))
            self.slurm.until(there, 120, lambda: f"{name}: no checkpoint; {self.log(name)}")
        time.sleep(0.4)  # a rank says four times a second where it is

    def release(self, *names):
        for name in names:
            os.remove(o.tmp(name + ".gate"))

    def log(self, name):
        path = o.tmp(name + ".out")
        return text(path) if os.path.exists(path) else ""

    def has(self, name, words, seconds=120):
        self.slurm.until(lambda: re.search(words, self.log(name)), seconds, lambda: f"{name}: no '{words}' in its output {self.log(name)}")

    def stopped(self, *names):
        """The ranks were told; they go on to the end of their step."""
        for name in names:
            self.has(name, "a signal: the ranks save and end")
        self.release(*names)

    def ended(self, number, name, state, code, restarts):
        end = self.slurm.wait(number)
        self.assertEqual((end["JobState"], end["ExitCode"], end["Restarts"]), (state, f"{code}:0", str(restarts)), self.log(name))

    def same_as_undisturbed(self, number, name, restarts, saved=True):
        self.ended(number, name, "COMPLETED", 0, restarts)
        log = self.log(name)
        self.assertEqual(o.results(o.tmp(name)), self.whole, log)
        self.assertEqual(log.count(", start "), restarts + 1, log)
        self.assertEqual("stopped and saved" in log, saved, log)

    def goes_on(self, name):
        """What was stopped for good is the run that nothing stopped, when somebody goes on with
        it."""
        o.orrery("train", self.job, "run=" + o.tmp(name))
        self.assertEqual(o.results(o.tmp(name)), self.whole)

    def ranks(self, number):
        """{host name: pids of orrery} of a job; launch is none of them."""
        found = {}
        for pid in self.slurm.processes(number, o.ORRERY):
            with open(f"/proc/{pid}/environ", "rb") as f:
                env = dict(line.split(b"=", 1) for line in f.read().split(b"\0") if b"=" in line)
            if b"OMPI_COMM_WORLD_RANK" in env:
                found.setdefault(int(env[b"OMPI_COMM_WORLD_RANK"]), (pid, env))
        return found

    # ---- what stops a job ----
    @needs(2)
    def test_undisturbed(self):
        """From another folder, with spaces in every path, a relative job file, GPUs, two nodes."""
        home, there = o.tmp("a copy/slurm"), o.tmp("some where")
        shutil.copytree(SCRIPTS, home)
        os.mkdir(there)
        shutil.copy(self.job, os.path.join(there, "a job.yaml"))
        self.close("plain")
        number = self.submit(home + "/train.sbatch", "a job.yaml", "run=" + o.tmp("plain run"), name="plain", nodes=2, hold=True, cwd=there, options=["--gres=gpu:1"])
        self.held("plain")
        for _, env in self.ranks(number).values():
            self.assertEqual(env[b"CUDA_VISIBLE_DEVICES"], b"0")
            self.assertEqual(env[b"OMP_NUM_THREADS"], b"1")
        self.release("plain")
        self.ended(number, "plain", "COMPLETED", 0, 0)
        log = self.log("plain")
        self.assertEqual({k: v for k, v in o.results(o.tmp("plain run")).items()}, self.whole)
        self.assertIn("4 ranks on 2 nodes" if self.slurm.isolated else "2 ranks on 1 nodes", log)
        for words in ("SLURM_JOB_NODELIST=node", "CUDA_VISIBLE_DEVICES=0", "GPUs: 0", "== orrery train a job.yaml run="):
            self.assertIn(words, log)

    @needs(2)
    def test_bare(self):
        """Nothing of the user's environment, a job's name of the user's, the program where it is
        built: what stands at the top of the script is enough."""
        home = o.tmp("home")
        shutil.copytree(SCRIPTS, home + "/slurm")
        os.makedirs(home + "/build/release/src/jobs")
        os.symlink(o.ORRERY, home + "/build/release/src/jobs/orrery")
        number = self.submit(home + "/slurm/train.sbatch", self.job, "run=" + o.tmp("bare"), name="bare", nodes=2, ranks=1, options=["--export=NONE", "--job-name=it's mine"])
        self.same_as_undisturbed(number, "bare", 0, saved=False)

    @needs(2)
    def test_threads_and_binding(self):
        """As shipped: ranks bound to their own cores."""
        number = self.train("threads", nodes=2, ranks=1, hold=True, options=["--cpus-per-task=2"], env={"ORRERY_BIND": "core", "ORRERY_LAUNCH_ARGS": ""})
        self.held("threads")
        for pid, env in self.ranks(number).values():
            self.assertEqual(env[b"OMP_NUM_THREADS"], b"2")
            self.assertEqual(len(os.sched_getaffinity(pid)), min(2, os.cpu_count()))
        self.release("threads")
        self.same_as_undisturbed(number, "threads", 0, saved=False)

    @needs(4)
    def test_signal(self):
        """scancel --signal to the script, to all processes (which hear it from Slurm and from the
        script), to a task of an array; another signal."""
        jobs = {"batch": ["--batch", "--signal=USR1"], "array": ["--batch", "--signal=USR1"], "full": ["--full", "--signal=USR1"], "two": ["--batch", "--signal=USR2"]}
        numbers = {}
        for name in jobs:
            numbers[name] = self.train(name, hold=True, ranks=1 + (name == "full"), options=["--array=3"] if name == "array" else [])
        numbers["array"] += "_3"
        self.held(*jobs)
        for name, options in jobs.items():
            self.slurm.run("scancel", *options, numbers[name])
        self.stopped(*jobs)
        for name, number in numbers.items():
            self.same_as_undisturbed(number, name, 1)
            self.assertIn(f"job {number} is requeued", self.log(name))

    @needs(2)
    def test_signal_to_steps(self):
        self.need_nodes()
        number = self.train("steps", nodes=2, ranks=1, hold=True)
        self.held("steps")
        self.slurm.run("scancel", "--signal=USR1", number)
        # the ranks say nothing before the end of their step; a later signal stops them all the same
        time.sleep(1)
        self.release("steps")
        self.same_as_undisturbed(number, "steps", 1)

    def suspend(self, name):
        """scontrol suspend and resume, for longer than ranks wait for a word from their launch,
        over two nodes."""
        self.need_nodes()
        number = self.train(name, nodes=2, ranks=1, hold=True, on=self.mine, env={"ORRERY_SUPERVISE": "grace=3"})
        self.held(name)

        def states():
            found = []
            for pid, _ in self.ranks(number).values():
                with open(f"/proc/{pid}/stat") as f:
                    found.append(f.read().rpartition(")")[2].split()[0])
            return found

        self.slurm.run("scontrol", "suspend", number)
        self.slurm.until(lambda: states() == ["T", "T"], 30, lambda: f"{name}: {states()}")
        time.sleep(7)
        self.assertEqual(states(), ["T", "T"])
        self.slurm.run("scontrol", "resume", number)
        self.release(name)
        self.same_as_undisturbed(number, name, 0, saved=False)
        self.assertNotIn("starts again", self.log(name))

    @needs(2, trees=True)
    def test_suspended(self):
        """Slurm stops all processes."""
        self.suspend("suspended")

    @needs(2)
    def test_suspended_group(self):
        """Slurm stops the script's process group and the first process of each step."""
        self.suspend("suspended-group")

    @needs(1)
    def test_requeued_by_hand(self):
        """scontrol requeue: Slurm ends the job and brings it back, the script does not requeue it
        once more."""
        number = self.train("hand", hold=True)
        self.held("hand")
        self.slurm.run("scontrol", "requeue", number)
        self.stopped("hand")
        self.same_as_undisturbed(number, "hand", 1)

    def crowd_out(self, number, on):
        """By a job in a higher partition that wants the nodes for itself."""
        urgent = self.slurm.submit("--partition=urgent", f"--nodes={len(on)}", "--nodelist=" + ",".join(on), "--ntasks-per-node=2", "--output=/dev/null", "--wrap", "sleep 1")
        self.jobs.append(urgent)
        return urgent

    def preempt(self, number, name, words, on, told):
        self.held(name)
        urgent = self.crowd_out(number, on)
        if told:
            self.has(name, told)
        else:
            self.slurm.until(lambda: self.slurm.job(number)["PreemptTime"] not in ("None", "Unknown"), 60, "no preemption")
            time.sleep(1)
        self.release(name)
        self.ended(number, name, "COMPLETED", 0, 1)
        self.assertEqual(o.results(o.tmp(name)), self.whole, self.log(name))
        self.assertEqual(self.slurm.wait(urgent)["JobState"], "COMPLETED")
        self.assertIn(words, self.log(name))

    @needs(1)
    def test_preemption(self):
        """At once: SIGTERM, and SIGKILL after KillWait."""
        on = self.mine
        self.preempt(self.train("hard", on=on, hold=True), "hard", "stopped and saved; Slurm is ending the job", on, "got TERM")

    @needs(2)
    def test_preemption_with_grace(self):
        """Ranks save, and the job leaves its nodes long before the grace ends."""
        self.need_nodes()
        on = self.mine
        number = self.train("soft", nodes=2, ranks=1, on=on, hold=True, options=["--partition=lenient"])
        self.preempt(number, "soft", "stopped and saved", on, None)
        self.assertIn(f"job {number} is requeued", self.log("soft"))

    @needs(2, trees=True)
    def test_grace_of_all_processes(self):
        """Slurm signals every process of each step, Open MPI's daemons too: they have SIGTERM
        blocked."""
        self.need_nodes()
        on = self.mine
        number = self.train("all", nodes=2, ranks=1, on=on, hold=True, options=["--partition=lenient"])
        self.preempt(number, "all", f"job {number} is requeued", on, None)
        self.assertNotIn("starts again on", self.log("all"))

    @needs(2, trees=True)
    def test_signals_to_all_processes(self):
        """scancel --full, twice each time, as the impatient do: one stop, saved, and one requeue.
        Launch, which Slurm tells, too, hears the script alone; a second word to it would end the
        ranks without saving."""
        self.need_nodes()
        on, names = self.mine, ("shield", "shield-fold")
        fold = self.submit("cv-array.sbatch", self.folds, "run=" + o.tmp(names[1]), on=on, hold=True, ranks=1, options=["--array=0"], name=names[1])
        numbers = [self.train(names[0], nodes=2, ranks=1, on=on, hold=True), fold + "_0"]
        for ends, signals in enumerate((("USR1", "TERM"), ("TERM", "USR1"))):
            self.held(*names, ends=ends)
            for pause in (2.5, 0.5):  # more than supervisors take for one
                for number, word in zip(numbers, signals):
                    self.slurm.run("scancel", "--full", "--signal=" + word, number)
                time.sleep(pause)
            self.release(*names)
            for name, number in zip(names, numbers):
                self.slurm.until(lambda: self.log(name).count("orrery.sh: exit 75") == ends + 1, 60, lambda: self.log(name))
                for words in ("a signal: the ranks save and end", "orrery.sh: got ", "stopped and saved", f"job {number} is requeued"):
                    self.assertEqual(self.log(name).count(words), ends + 1, words + self.log(name))
                if ends == 0:
                    self.close(name)
        self.assertNotRegex(self.log(names[0]) + self.log(names[1]), "signalled again|starts again on")
        self.same_as_undisturbed(numbers[0], names[0], 2)
        self.ended(numbers[1], names[1], "COMPLETED", 0, 2)
        result = glob.glob(o.tmp("cv-whole/tasks/*-f0"))[0]
        self.assertTrue(o.results(result))
        self.assertEqual(o.results(os.path.join(o.tmp(names[1]), "tasks", os.path.basename(result))), o.results(result))

    @needs(1)
    def test_time_limit(self):
        """Twice; the second time is once too often."""
        number = self.train("limit", ranks=1, hold=True, options=["--time=1", "--signal=B:USR1@50"], env={"ORRERY_MAX_REQUEUES": "1"})
        self.held("limit")
        self.has("limit", "got USR1")
        self.release("limit")
        self.has("limit", f"job {number} is requeued, counted: 1 of 1")
        self.close("limit")
        self.slurm.until(lambda: os.path.exists(o.tmp("limit.gate.reached")), 180, lambda: "no second start: " + self.log("limit"))
        self.slurm.until(lambda: self.log("limit").count("got USR1") == 2, 120, lambda: "no second limit: " + self.log("limit"))
        self.release("limit")
        self.ended(number, "limit", "FAILED", 124, 1)
        self.assertIn("requeued 1 times already: not requeued, submit it again to go on", self.log("limit"))
        self.goes_on("limit")

    @needs(2)
    def test_cancelled(self):
        """scancel is the last word, though the ranks save and end with 75."""
        number = self.train("cancelled", nodes=2, ranks=1, hold=True)
        self.held("cancelled")
        self.slurm.run("scancel", number)
        self.stopped("cancelled")
        self.has("cancelled", "exit 75")
        self.slurm.until(lambda: self.slurm.job(number)["JobState"] == "CANCELLED" and not self.slurm.run("squeue", "-h", "-j", number), 60, "not cancelled")
        self.assertEqual(self.slurm.job(number)["Restarts"], "0")
        self.assertIn("stopped and saved; Slurm is ending the job", self.log("cancelled"))
        self.goes_on("cancelled")

    # ---- faults ----
    @needs(2)
    def test_rank_lost(self):
        """Killed, stopped: named, and gone on with inside the allocation."""
        for name, sig, words in (("killed", signal.SIGKILL, "was killed or crashed in"), ("frozen", signal.SIGSTOP, "is stopped in")):
            number = self.train(name, nodes=2, ranks=1, hold=True)
            self.held(name)
            ranks = self.ranks(number)
            os.kill(ranks[max(ranks)][0], sig)
            began = time.monotonic()
            self.has(name, words)
            named = time.monotonic() - began
            self.release(name)
            self.has(name, "starts again on 2 ranks")
            self.seen[f"rank {name}"] = f"named after {named:.1f} s"
            self.same_as_undisturbed(number, name, 0, saved=False)

    def lose(self, name, which):
        on = self.mine
        number = self.train(name, nodes=3, ranks=1, on=on, hold=True)
        self.held(name)
        batch = self.slurm.job(number)["BatchHost"]
        lost = batch if which == "batch" else [n for n in on if n != batch][0]
        hosts = {rank: env[b"SLURMD_NODENAME"].decode() for rank, (_, env) in self.ranks(number).items()}
        self.assertEqual(sorted(hosts.values()), sorted(on))
        began = time.monotonic()
        self.slurm.fail_node(lost)
        self.addCleanup(self.bring_back, lost)
        return number, lost, began, hosts

    def bring_back(self, node):
        if node in self.slurm.daemons:
            return
        self.slurm.start_node(node)
        self.slurm.run("scontrol", "update", "nodename=" + node, "state=resume", code=None)
        self.slurm.until(lambda: self.slurm.states().get(node, "") in ("idle", "mixed", "allocated"), 90, node + " does not come back")

    @needs(3)
    def test_node_lost(self):
        """All that runs on a node ends at once: the job goes on with the others, before Slurm
        knows; and stays when it does.  The script names that node and no other.  The rank that
        launch names is where it says, not always there: mpirun ends the others at once."""
        self.need_nodes()
        number, lost, began, hosts = self.lose("node", "other")
        self.has("node", "error launch: rank ")
        named = time.monotonic() - began
        said = re.search(r"error launch: rank (\d) on (\w+) was killed or crashed in (?:save|train), step \d+(?:; so (?:is rank|are ranks) [\d, ]+)?\n", self.log("node"))
        self.assertTrue(said, self.log("node"))
        # which one: docs/slurm.md
        self.assertEqual(said[2], hosts[int(said[1])], "a rank is said to be on another node than it is")
        self.has("node", "; goes on with .*\n")
        on = " ".join(sorted(set(self.mine) - {lost}))
        for words in (f"orrery.sh: nothing starts any more on {lost}\n", f"orrery.sh: lost: {lost}; goes on with {on}\n"):
            self.assertEqual(self.log("node").count(words), 1, words + self.log("node"))
        self.assertEqual(len(re.findall("nothing starts any more on|orrery.sh: lost:", self.log("node"))), 2, self.log("node"))
        self.slurm.run("scontrol", "update", "nodename=" + lost, "state=down", "reason=test")
        self.slurm.until(lambda: lost not in self.slurm.run("scontrol", "show", "hostnames", self.slurm.job(number)["NodeList"]), 60, "Slurm keeps the node")
        self.release("node")
        self.has("node", "2 ranks on 2 nodes")
        self.bring_back(lost)
        self.seen["node lost"] = f"named after {named:.1f} s, gone on with after {time.monotonic() - began:.1f} s"
        self.same_as_undisturbed(number, "node", 0, saved=False)

    @needs(3)
    def test_batch_host_lost(self):
        """The node of the script itself: what watches on the others has the job requeued."""
        self.need_nodes()
        number, lost, began, _ = self.lose("host", "batch")
        self.slurm.run("scontrol", "update", "nodename=" + lost, "state=down", "reason=test")
        self.slurm.until(lambda: self.slurm.job(number)["Restarts"] == "1", 90, lambda: "the job is not requeued; " + self.log("host"))
        self.seen["batch host lost"] = f"requeued {time.monotonic() - began:.1f} s after Slurm knew"
        self.release("host")
        self.slurm.until(lambda: not self.slurm.processes(number, o.ORRERY), 90, "ranks of a lost launch stay behind")
        self.slurm.run("scontrol", "update", "job=" + number, "nodelist=", "numnodes=2", "numtasks=2", code=None)
        self.bring_back(lost)
        self.same_as_undisturbed(number, "host", 1, saved=False)

    def stub(self, name, script, **more):
        """Slurm runs what stands in for orrery."""
        path = o.write(name, "#!/bin/sh\n" + script)
        os.chmod(path, 0o755)
        return self.submit("train.sbatch", self.job, name=name[:-3], env={"ORRERY": path, "ORRERY_MAX_REQUEUES": "2"}, **more)

    @needs(3)
    def test_machine_faults(self):
        """Exit codes 76 and 77 come back, so often, also where each start has an output of its own;
        1 does not."""
        seventy7, fresh = self.stub("c77.sh", "exit 77\n"), self.stub("d77.sh", "exit 77\n", options=["--open-mode=truncate"])
        once = self.stub("c76.sh", f"[ -e {o.tmp('been')} ] && exit 0; : >{o.tmp('been')}; exit 76\n")
        one = self.stub("c1.sh", "exit 1\n")
        self.ended(one, "c1", "FAILED", 1, 0)
        self.ended(once, "c76", "COMPLETED", 0, 1)
        self.ended(seventy7, "c77", "FAILED", 77, 2)
        self.ended(fresh, "d77", "FAILED", 77, 2)
        for name in ("c77", "d77"):
            self.assertIn("requeued 2 times already", self.log(name))
        self.assertRegex(self.log("c1"), "exit 1: it failed, as told above.*\n$")

    @needs(2)
    def test_failing(self):
        """A job file with a mistake, no program, a launcher that is not there, a run folder that
        cannot be made or is another job's: told, not tried again."""
        first = self.train("first", hold=True, ranks=1)
        on = self.mine[1:]
        self.held("first")
        jobs = [(2, "epochz", self.submit("train.sbatch", self.job, "run=" + o.tmp("wrong"), "train.epochz=1", name="wrong", on=on), "wrong"),
                (2, "there is no program", self.train("without", on=on, env={"ORRERY": o.tmp("nowhere")}), "without"),
                (2, "nowhere.yaml: ", self.submit("train.sbatch", "nowhere.yaml", name="no file", on=on), "no file"),
                (2, "cv.only: 3 is not a fold; they are 0 to 2", self.submit("cv-array.sbatch", self.folds, "run=" + o.tmp("fourth"), name="fourth", on=on,
                                                                             options=["--array=3"]), "fourth"),
                (2, "set ORRERY_HOME", self.submit(shutil.copy(os.path.join(SCRIPTS, "train.sbatch"), o.tmp("mine.sh")), self.job, name="copied", on=on), "copied"),
                (2, "mpirun or srun", self.train("unknown", on=on, env={"ORRERY_LAUNCH": "aprun"}), "unknown"),
                (1, "/proc/nowhere", self.submit("train.sbatch", self.job, "run=/proc/nowhere/run", name="closed", on=on), "closed"),
                (1, "another job is running here", self.submit("train.sbatch", self.job, "run=" + o.tmp("first"), name="second", on=on), "second")]
        for code, words, number, name in jobs:
            self.ended(number, name, "FAILED", code, 0)
            self.assertIn(words, self.log(name))
            # those began nothing, and have said it last
            if name not in ("without", "copied", "unknown"):
                self.assertRegex(self.log(name), f"orrery.sh: exit {code}: .*as told above.*\n$")
        self.release("first")
        self.same_as_undisturbed(first, "first", 0, saved=False)

    @needs(3)
    def test_srun(self):
        """Ranks as tasks of a step: Slurm's signals reach them, and their exit code comes back."""
        self.need_nodes()
        if "pmix" not in self.slurm.run("srun", "--mpi=list"):
            self.lacks("slurm", "this Slurm has no pmix (srun --mpi=list)")
        env = {"ORRERY_LAUNCH": "srun", "ORRERY_LAUNCH_ARGS": "--cpu-bind=none"}
        steps, batch = self.train("srun", nodes=2, ranks=1, hold=True, env=env), self.train("srun-batch", ranks=1, hold=True, env=env)
        self.held("srun", "srun-batch")
        self.assertIn("2 ranks on 2 nodes", self.log("srun"))
        self.slurm.run("scancel", "--signal=TERM", steps)
        self.slurm.run("scancel", "--batch", "--signal=USR1", batch)
        self.stopped("srun-batch")
        time.sleep(1)
        self.release("srun")
        self.same_as_undisturbed(steps, "srun", 1)
        self.same_as_undisturbed(batch, "srun-batch", 1)

    # ---- the other commands ----
    @needs(3)
    def test_cv(self):
        """On one node and stopped; on two, where groups take trainings from one counter, by
        messages."""
        one = self.submit("cv.sbatch", self.folds, "run=" + o.tmp("cv"), hold=True, name="cv")
        two = self.submit("cv.sbatch", self.folds, "run=" + o.tmp("cv-two"), nodes=2, name="cv-two")
        self.held("cv")
        self.slurm.run("scancel", "--batch", "--signal=USR1", one)
        self.stopped("cv")
        self.ended(one, "cv", "COMPLETED", 0, 1)
        self.ended(two, "cv-two", "COMPLETED", 0, 0)
        for run in ("cv", "cv-two"):
            self.assertEqual(cv_results(o.tmp(run)), self.whole_cv, self.log(run))

    @needs(1)
    def test_cv_array(self):
        """A fold to a task, one of them stopped, one of them submitted later; a second job
        gathers."""
        run, on, out = "run=" + o.tmp("folds"), self.mine, "--output=" + o.tmp("fold-%a.out")
        number = self.submit("cv-array.sbatch", self.folds, run, hold=True, on=on, options=["--array=0-1", out], ranks=1, name="fold-1")
        self.slurm.until(lambda: glob.glob(o.tmp("folds/tasks/*-f1/checkpoint-last.h5")), 120, lambda: "fold 1 does not begin; " + self.log("fold-1"))
        self.slurm.run("scancel", "--batch", "--signal=USR1", number + "_1")
        self.has("fold-1", "a signal: the ranks save and end")
        self.release("fold-1")
        late = self.submit("cv-array.sbatch", self.folds, run, on=on, options=["--array=2", out], ranks=1, name="fold-2")
        gather = self.submit("cv.sbatch", self.folds, run, on=on, options=[f"--dependency=afterok:{number}:{late}"], name="gather")
        self.ended(gather, "gather", "COMPLETED", 0, 0)
        self.assertEqual([self.slurm.job(n)["Restarts"] for n in (number + "_0", number + "_1", late + "_2")], ["0", "1", "0"])
        self.assertEqual(cv_results(o.tmp("folds")), self.whole_cv)

    @needs(2)
    def test_fetch_and_crop(self):
        """Frames of a small sky by way of a server, then its stamps."""
        o.orrery("synth", "sdss", "out=" + o.tmp("sky"), "fields=2", "objects=12", "width=256", "height=192")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=o.tmp("sky")))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        catalogue = "catalogue.file=" + o.tmp("sky/catalogue.csv")
        path = "{rerun}/{run}/{camcol}/frame-{band}-{run:06d}-{camcol}-{field:04d}.fits.bz2"
        examples, on = os.path.join(o.SOURCE, "examples/sdss"), self.mine
        fetch = self.submit("fetch.sbatch", examples + "/fetch.yaml", catalogue, f"archive.url=http://127.0.0.1:{server.server_port}/{path}",
                            "archive.folder=" + o.tmp("frames"), name="fetch", nodes=2, ranks=1, on=on, env={"no_proxy": "127.0.0.1"})
        crop = self.submit("crop.sbatch", examples + "/crop.yaml", catalogue, "archive.folder=" + o.tmp("frames"), "out=" + o.tmp("cubes"), name="crop", nodes=2, ranks=1,
                           on=on, options=["--dependency=afterok:" + fetch])
        self.ended(fetch, "fetch", "COMPLETED", 0, 0)
        self.ended(crop, "crop", "COMPLETED", 0, 0)
        o.orrery("crop", examples + "/crop.yaml", catalogue, "archive.folder=" + o.tmp("sky"), "out=" + o.tmp("cubes-here"))
        self.assertEqual(o.tree(o.tmp("cubes")), o.tree(o.tmp("cubes-here")))

    def test_resources(self):
        """Slurm takes the scripts as they are shipped."""
        for script in sorted(glob.glob(SCRIPTS + "/*.sbatch")):
            shipped = text(script)
            for line in ("--requeue", "--no-kill", "--signal=B:USR1@90", "--open-mode=append", "--time="):
                self.assertIn("\n#SBATCH " + line, shipped, script)
            self.slurm.run("sbatch", "--test-only", "--ntasks-per-node=2", script, "job.yaml", cwd=o.tmp())

    def test_without_scontrol(self):
        """75 for whoever started the script."""
        tools = o.tmp("tools")
        os.mkdir(tools)
        for name in ("bash", "cat", "date", "env", "grep", "head", "hostname", "id", "sed", "setsid", "sort", "tr"):
            os.symlink(shutil.which(name), os.path.join(tools, name))
        o.write("tools/orrery", "#!/bin/bash\nkill -USR1 $PPID\nexit 75\n")
        os.chmod(o.tmp("tools/orrery"), 0o755)
        p = subprocess.run([tools + "/bash", SCRIPTS + "/train.sbatch", self.job], capture_output=True, text=True, check=False,
                           env={**self.env, "PATH": tools, "ORRERY": tools + "/orrery", "ORRERY_HOME": o.SOURCE, "SLURM_JOB_ID": "1"})
        self.assertEqual(p.returncode, 75, p.stderr)
        self.assertIn("there is no scontrol", p.stderr)


def run_one(name):
    """(name, seconds, what went wrong, why it was skipped)"""
    began, result = time.monotonic(), unittest.TestResult()
    Slurm("test_" + name).run(result)
    wrong = "\n".join(trace for _, trace in result.errors + result.failures)
    return name, time.monotonic() - began, wrong, "".join(reason for _, reason in result.skipped)


def end(*_):
    if Slurm.slurm:
        Slurm.slurm.stop()
    os._exit(1)  # the threads may be waiting for what will not come


def main(gate, *names):
    names = list(names) or [n[5:] for n in unittest.defaultTestLoader.getTestCaseNames(Slurm)]
    names.sort(key=lambda n: FIRST.index(n) if n in FIRST else len(FIRST))
    bad = 0
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    Slurm.prepare(os.path.abspath(gate))
    try:
        with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            for done in concurrent.futures.as_completed([pool.submit(run_one, n) for n in names]):
                name, seconds, wrong, skipped = done.result()
                print(f"{'FAILED' if wrong else 'skipped' if skipped else 'ok':7} {seconds:6.1f} s  {name} {skipped}\n{wrong}".rstrip(), flush=True)
                bad += bool(wrong)
    finally:
        Slurm.slurm.stop()
    for what, figures in Slurm.seen.items():
        print(f"{what}: {figures}")
    return 1 if bad else 0


if __name__ == "__main__":
    why = lacking()
    if why and (required("slurm") or why == NO_NODES):
        sys.exit(why)
    if why:
        o.skip(why)
    sys.exit(main(*sys.argv[1:]))
