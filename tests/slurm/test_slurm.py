"""The shipped batch scripts in a real Slurm: whatever stops a job, it goes on where it was and ends with the bytes of a run that nothing stopped."""
import functools
import glob
import http.server
import os
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
HAS_ONLY = 'unknown key "only"' not in o.orrery("cv", "run=" + o.tmp("none"), "cv.only=[0]", code=None).err
CV = """
run: unset
job: {shared}
cv: {{folds: 3, seed: 7}}
train: {{epochs: 1, select: auc}}
runtime: {{threads: 1, progress: false}}
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def cv_results(run):
    return {n: o.sha(os.path.join(run, n)) for n in CV_RESULTS if os.path.exists(os.path.join(run, n))}


def text(path):
    with open(path, errors="replace") as f:
        return f.read()


class Slurm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        train, test = o.small_kepler()
        cls.job = o.job("slurm.yaml", train, test, "  checkpoint_steps: 100", data="  epoch_length: 30000")
        cls.folds = o.write("cv.yaml", CV.format(shared=cls.job))
        cls.seconds = o.orrery("train", cls.job, "run=" + o.tmp("whole")).seconds
        cls.whole = o.results(o.tmp("whole"))
        cls.env = {"ORRERY": o.ORRERY, "ORRERY_HOME": o.SOURCE, "ORRERY_BIND": "none", "ORRERY_LAUNCH_ARGS": "--oversubscribe"}
        cls.slurm = cluster.Cluster()
        cls.addClassCleanup(cls.slurm.stop)

    def need_nodes(self):
        if not self.slurm.isolated:
            self.skipTest("no UTS namespaces here (they take root): ranks on nodes of one host name take one another for neighbours")

    def another_cluster(self, **more):
        """For this test alone."""
        before, self.slurm = self.slurm, cluster.Cluster(**more)
        self.addCleanup(setattr, self, "slurm", before)
        self.addCleanup(self.slurm.stop)

    def tearDown(self):
        for number in self.slurm.run("squeue", "-h", "-o", "%A").split():
            self.slurm.run("scancel", "--full", "--signal=KILL", number, code=None)
        self.slurm.until(lambda: not self.slurm.run("squeue", "-h"), 60, "the queue does not empty")
        self.slurm.until(lambda: not self.slurm.processes(program=o.ORRERY), 20, "ranks stay behind")

    # ---- one job ----
    def submit(self, script, *words, nodes=1, ranks=2, name=None, options=(), env=None):
        """sbatch as a user does it, with other resources; returns the job's number.  Its output: NAME.out."""
        name = name or self._testMethodName
        if not self.slurm.isolated:
            nodes, ranks = 1, min(2, nodes * ranks)
        return self.slurm.submit(f"--nodes={nodes}", f"--ntasks-per-node={ranks}", "--output=" + o.tmp(name + ".out"), *options,
                                 os.path.join(SCRIPTS, script), *words, cwd=o.tmp(), env={**self.env, **(env or {})})

    def train(self, name, **more):
        return self.submit("train.sbatch", self.job, "run=" + o.tmp(name), name=name, **more)

    def working(self, name, log=None, place="checkpoint-last.h5"):
        """Until the run has a checkpoint of its own to go on from; it must not have ended by then, or nothing would be tested."""
        log = log or name

        def begun():
            self.assertNotIn("orrery.sh: exit", self.log(log))
            return glob.glob(o.tmp(f"{name}/{place}"))

        self.slurm.until(begun, 120, f"{name}: no checkpoint")

    def hold(self, number, sig):
        for pid in self.slurm.processes(number, o.ORRERY):
            os.kill(pid, sig)

    def log(self, name):
        path = o.tmp(name + ".out")
        return text(path) if os.path.exists(path) else ""

    def has(self, name, words, seconds=60):
        self.slurm.until(lambda: words in self.log(name), seconds, f"{name}: no '{words}' in its output")

    def same_as_undisturbed(self, number, name, restarts, saved=True):
        end = self.slurm.wait(number)
        log = self.log(name)
        self.assertEqual((end["JobState"], end["ExitCode"], end["Restarts"]), ("COMPLETED", "0:0", str(restarts)), log)
        self.assertEqual(o.results(o.tmp(name)), self.whole, log)
        self.assertEqual(log.count(", start "), restarts + 1)
        self.assertEqual("saved" in log, saved, log)

    # ---- what stops a job ----
    def test_undisturbed(self):
        number = self.train("plain", nodes=2)
        self.same_as_undisturbed(number, "plain", 0, saved=False)
        self.assertIn("4 ranks on 2 nodes" if self.slurm.isolated else "2 ranks on 1 nodes", self.log("plain"))
        self.assertIn("SLURM_JOB_NODELIST=node", self.log("plain"))

    def test_signal(self):
        """scancel --batch --signal=USR1, also to a task of an array."""
        batch, array = self.train("batch"), self.train("array", options=["--array=3"], ranks=1)
        for number, name in ((batch, "batch"), (f"{array}_3", "array")):
            self.working(name)
            self.slurm.run("scancel", "--batch", "--signal=USR1", number)
        for number, name in ((batch, "batch"), (f"{array}_3", "array")):
            self.same_as_undisturbed(number, name, 1)
            self.assertIn(f"job {number} is requeued", self.log(name))

    def test_signal_to_steps(self):
        self.need_nodes()
        number = self.train("steps", nodes=2, ranks=1)
        self.working("steps")
        self.slurm.run("scancel", "--signal=USR1", number)
        self.same_as_undisturbed(number, "steps", 1)

    def preempt(self, number, name, words):
        """By a job in a higher partition that wants all nodes."""
        self.working(name)
        urgent = self.slurm.submit("--partition=urgent", "--nodes=3", "--ntasks-per-node=2", "--output=/dev/null", "--wrap", "sleep 1")
        end = self.slurm.wait(number)
        self.assertEqual((end["JobState"], end["ExitCode"], end["Restarts"]), ("COMPLETED", "0:0", "1"), self.log(name))
        self.assertEqual(o.results(o.tmp(name)), self.whole, self.log(name))
        self.assertEqual(self.slurm.wait(urgent)["JobState"], "COMPLETED")
        self.assertIn(words, self.log(name))

    def test_preemption(self):
        """Slurm signals the first process of a step alone, as with proctrack/cgroup."""
        self.another_cluster(proctrack="pgid")
        number = self.train("hard")
        self.preempt(number, "hard", "stopped and saved; Slurm is ending the job")

    def test_preemption_with_grace(self):
        """Ranks save, and the job leaves its nodes long before the grace ends."""
        self.need_nodes()
        self.another_cluster(proctrack="pgid", grace=300)
        number = self.train("soft", nodes=2, ranks=1, options=["--partition=lenient"])
        self.preempt(number, "soft", f"stopped and saved; job {number} is requeued")

    def test_preemption_of_all_processes(self):
        """Slurm signals every process of each step, Open MPI's daemons too: what was saved last is gone on from."""
        self.need_nodes()
        number = self.train("all", nodes=2, ranks=1, options=["--partition=lenient"])
        self.preempt(number, "all", f"job {number} is requeued")

    def test_time_limit(self):
        """Ranks stand still until Slurm's warning, so that a fast machine does not end before it."""
        options = ["--time=1", "--signal=B:USR1@50"]
        again = self.train("limit", options=options, ranks=1)
        never = self.train("limited", options=options, ranks=1, env={"ORRERY_MAX_REQUEUES": "0"})
        for number, name in ((again, "limit"), (never, "limited")):
            self.working(name)
            self.hold(number, signal.SIGSTOP)
        for number, name in ((again, "limit"), (never, "limited")):
            self.has(name, "got USR1", 90)
            self.hold(number, signal.SIGCONT)
        self.same_as_undisturbed(again, "limit", 1)
        end = self.slurm.wait(never)
        self.assertEqual((end["JobState"], end["ExitCode"], end["Restarts"]), ("FAILED", "124:0", "0"), self.log("limited"))
        self.assertIn("submit it again to go on", self.log("limited"))
        o.orrery("train", self.job, "run=" + o.tmp("limited"))
        self.assertEqual(o.results(o.tmp("limited")), self.whole)

    def test_node_down(self):
        number = self.train("node", nodes=2)
        self.working("node")
        lost = self.slurm.job(number)["BatchHost"]
        self.slurm.run("scontrol", "update", "nodename=" + lost, "state=down", "reason=test")
        self.slurm.until(lambda: self.slurm.job(number)["Restarts"] == "1", 60, "the job is not requeued")
        self.slurm.until(lambda: not self.slurm.processes(number, o.ORRERY), 60, "ranks of a lost node stay behind")
        self.slurm.run("scontrol", "update", "nodename=" + lost, "state=resume")
        end = self.slurm.wait(number)
        self.assertEqual((end["JobState"], end["Restarts"]), ("COMPLETED", "1"), self.log("node"))
        self.assertEqual(o.results(o.tmp("node")), self.whole, self.log("node"))

    def test_cancelled(self):
        """scancel is the last word, though the ranks save and end with 75."""
        self.another_cluster(proctrack="pgid")
        number = self.train("cancelled", nodes=2, ranks=1)
        self.working("cancelled")
        self.slurm.run("scancel", number)
        end = self.slurm.wait(number)
        time.sleep(3)  # whatever would bring it back
        end = self.slurm.job(number)
        self.assertEqual((end["JobState"], end["Restarts"]), ("CANCELLED", "0"), self.log("cancelled"))
        self.assertIn("stopped and saved; Slurm is ending the job", self.log("cancelled"))
        o.orrery("train", self.job, "run=" + o.tmp("cancelled"))
        self.assertEqual(o.results(o.tmp("cancelled")), self.whole)

    def test_failing(self):
        """A job file with a mistake, no program, a launcher that is not there: told, and not tried again."""
        wrong = self.submit("train.sbatch", self.job, "run=" + o.tmp("wrong"), "train.epochz=1", name="wrong")
        without = self.train("without", env={"ORRERY": o.tmp("nowhere")})
        unknown = self.train("unknown", env={"ORRERY_LAUNCH": "aprun"})
        for number, name, words in ((wrong, "wrong", "epochz"), (without, "without", "there is no program"), (unknown, "unknown", "mpirun or srun")):
            end = self.slurm.wait(number)
            self.assertEqual((end["JobState"], end["ExitCode"], end["Restarts"]), ("FAILED", "2:0", "0"), self.log(name))
            self.assertIn(words, self.log(name))

    def test_srun(self):
        """Ranks as tasks of a step: Slurm's signals reach them, and their exit code comes back."""
        self.need_nodes()
        if "pmix" not in self.slurm.run("srun", "--mpi=list"):
            self.skipTest("this Slurm has no pmix")
        env = {"ORRERY_LAUNCH": "srun", "ORRERY_LAUNCH_ARGS": "--cpu-bind=none"}
        steps, batch = self.train("srun", nodes=2, ranks=1, env=env), self.train("srun-batch", ranks=1, env=env)
        for name in ("srun", "srun-batch"):
            self.working(name)
        self.assertIn("2 ranks on 2 nodes", self.log("srun"))
        self.slurm.run("scancel", "--signal=TERM", steps)
        self.slurm.run("scancel", "--batch", "--signal=USR1", batch)
        self.same_as_undisturbed(steps, "srun", 1)
        self.same_as_undisturbed(batch, "srun-batch", 1)

    # ---- the other commands ----
    def test_cv(self):
        o.orrery("cv", self.folds, "run=" + o.tmp("cv-whole"))
        number = self.submit("cv.sbatch", self.folds, "run=" + o.tmp("cv"), name="cv")
        self.working("cv", place="tasks/*/checkpoint-last.h5")
        self.slurm.run("scancel", "--batch", "--signal=USR1", number)
        self.assertEqual(self.slurm.wait(number)["JobState"], "COMPLETED", self.log("cv"))
        self.assertEqual(self.slurm.job(number)["Restarts"], "1", self.log("cv"))
        self.assertEqual(cv_results(o.tmp("cv")), cv_results(o.tmp("cv-whole")))

    def test_cv_on_two_nodes(self):
        """Groups on both nodes take trainings from one counter, by messages."""
        self.need_nodes()
        o.orrery("cv", self.folds, "run=" + o.tmp("cv-one"))
        number = self.submit("cv.sbatch", self.folds, "run=" + o.tmp("cv-two"), nodes=2, ranks=2, name="cv-two")
        self.assertEqual(self.slurm.wait(number)["JobState"], "COMPLETED", self.log("cv-two"))
        self.assertEqual(cv_results(o.tmp("cv-two")), cv_results(o.tmp("cv-one")))

    @unittest.skipUnless(HAS_ONLY, "orrery cv has no key cv.only yet")
    def test_cv_array(self):
        """A fold to a task, one of them stopped; a second job gathers."""
        o.orrery("cv", self.folds, "run=" + o.tmp("array-whole"))
        run, out = "run=" + o.tmp("folds"), o.tmp("fold-%a.out")
        number = self.submit("cv-array.sbatch", self.folds, run, options=["--array=0-2", "--output=" + out], ranks=1)
        gather = self.submit("cv.sbatch", self.folds, run, options=["--dependency=afterok:" + number], name="gather")
        self.working("folds", log="fold-1", place="tasks/*-f1/checkpoint-last.h5")
        self.slurm.run("scancel", "--batch", "--signal=USR1", number + "_1")
        self.assertEqual(self.slurm.wait(gather, 180)["JobState"], "COMPLETED", text(o.tmp("gather.out")))
        self.assertEqual([self.slurm.job(f"{number}_{f}")["Restarts"] for f in range(3)], ["0", "1", "0"])
        self.assertEqual(cv_results(o.tmp("folds")), cv_results(o.tmp("array-whole")))

    def test_fetch_and_crop(self):
        """Frames of a small sky by way of a server, then its stamps."""
        o.orrery("synth", "sdss", "out=" + o.tmp("sky"), "fields=2", "objects=12", "width=256", "height=192")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=o.tmp("sky")))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        catalogue = "catalogue.file=" + o.tmp("sky/catalogue.csv")
        path = "{rerun}/{run}/{camcol}/frame-{band}-{run:06d}-{camcol}-{field:04d}.fits.bz2"
        examples = os.path.join(o.SOURCE, "examples/sdss")
        fetch = self.submit("fetch.sbatch", examples + "/fetch.yaml", catalogue, f"archive.url=http://127.0.0.1:{server.server_port}/{path}",
                            "archive.folder=" + o.tmp("frames"), name="fetch", nodes=2, ranks=1, env={"no_proxy": "127.0.0.1"})
        crop = self.submit("crop.sbatch", examples + "/crop.yaml", catalogue, "archive.folder=" + o.tmp("frames"), "out=" + o.tmp("cubes"), name="crop", nodes=2, ranks=1,
                           options=["--dependency=afterok:" + fetch])
        self.assertEqual(self.slurm.wait(fetch)["JobState"], "COMPLETED", self.log("fetch"))
        self.assertEqual(self.slurm.wait(crop)["JobState"], "COMPLETED", self.log("crop"))
        o.orrery("crop", examples + "/crop.yaml", catalogue, "archive.folder=" + o.tmp("sky"), "out=" + o.tmp("cubes-here"))
        self.assertEqual(o.tree(o.tmp("cubes")), o.tree(o.tmp("cubes-here")))

    def test_resources(self):
        """Slurm takes the scripts as they are shipped."""
        for script in sorted(glob.glob(SCRIPTS + "/*.sbatch")):
            shipped = text(script)
            for line in ("--requeue", "--signal=B:USR1@90", "--open-mode=append", "--time="):
                self.assertIn("\n#SBATCH " + line, shipped, script)
            self.slurm.run("sbatch", "--test-only", "--ntasks-per-node=2", script, "job.yaml", cwd=o.tmp())

    def test_without_scontrol(self):
        """75 for whoever started the script."""
        tools = o.tmp("tools")
        os.mkdir(tools)
        for name in ("bash", "cat", "date", "env", "grep", "head", "hostname", "id", "sed", "setsid", "sort", "tr"):
            os.symlink(shutil.which(name), os.path.join(tools, name))
        o.write("tools/mpirun", "#!/bin/bash\nkill -USR1 $PPID\nexit 75\n")
        os.chmod(o.tmp("tools/mpirun"), 0o755)
        p = subprocess.run([tools + "/bash", SCRIPTS + "/train.sbatch", self.job], capture_output=True, text=True, check=False,
                           env={**self.env, "PATH": tools, "SLURM_JOB_ID": "1"})
        self.assertEqual(p.returncode, 75, p.stderr)
        self.assertIn("there is no scontrol", p.stderr)


if __name__ == "__main__":
    if not o.MPIRUN:
        o.skip("this build has no MPI")
    if cluster.missing():
        reason = f"no Slurm on this machine: {', '.join(cluster.missing())} (scripts/setup.sh installs it)"
        if os.environ.get("CI"):
            sys.exit(reason)
        o.skip(reason)
    unittest.main()
