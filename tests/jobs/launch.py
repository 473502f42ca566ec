"""orrery launch: a rank that is killed, stopped or cut off is named within 3 seconds, nothing stays behind, and the job goes on to the same
bytes.  launch.py --measure N prints the table of docs/faults.md: every fault N times under launch, and once under mpirun alone."""
import atexit
import glob
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import orrery as o

NAMED = 3.0  # seconds within which a fault has to be named


def environ(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            return dict(x.split("=", 1) for x in f.read().decode(errors="replace").split("\0") if "=" in x)
    except OSError:
        return {}


def processes(run):
    """{pid: command line} of all processes of this machine that name a run folder, but for this one's children of other kinds."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                words = f.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "run=" + run in words:
            found[int(path.split("/")[2])] = " ".join(words)
    return found


def ranks(run):
    """{rank: pid} of a run's ranks that have begun."""
    found = {}
    for pid in processes(run):
        e = environ(pid)
        if "OMPI_COMM_WORLD_RANK" in e:
            found[int(e["OMPI_COMM_WORLD_RANK"])] = pid
    return found


def mpirun_of(run):
    for pid, words in processes(run).items():
        if os.path.basename(words.split()[0]) == "mpirun":
            return pid
    return None


def step_of(run):
    """How far the run's last checkpoint is, roughly: its time."""
    try:
        return os.stat(os.path.join(run, "checkpoint-last.h5")).st_mtime_ns
    except OSError:
        return 0


class Job:
    """A command that runs, with the time of every line that it says on stderr."""

    def __init__(self, words, run, env=None):
        self.run, self.lines = run, []
        self.p = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=o.tmp(),
                                  env={**os.environ, **(env or {})}, start_new_session=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        atexit.register(lambda: self.p.poll() is None and self.end())  # of a test that failed

    def read(self):
        for line in self.p.stderr:
            self.lines.append((time.monotonic(), line.rstrip()))

    def err(self):
        return "\n".join(line for _, line in self.lines)

    def wait(self, deadline=120):
        try:
            code = self.p.wait(deadline)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError(f"hangs: {self.p.args}\n{self.err()}") from None
        self.reader.join(5)
        self.p.stderr.close()
        return code

    def end(self):
        """Everything, also what is stopped."""
        for pid in {self.p.pid, *processes(self.run)}:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.p.wait()
        self.reader.join(5)
        self.p.stderr.close()

    def until(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end or self.p.poll() is not None:
                self.end()
                raise AssertionError(f"{what} does not come about\n{self.err()}")
            time.sleep(0.02)

    def training(self, n):
        """Until n ranks train and have saved since now; then a little longer."""
        before = step_of(self.run)
        self.until(lambda: step_of(self.run) > before and len(ranks(self.run)) == n)
        time.sleep(random.uniform(0.3, 0.6))  # a rank speaks four times a second

    def said(self, pattern, since=0):
        """Seconds from `since` until a line was said, and the line."""
        for t, line in self.lines:
            if t >= since and re.search(pattern, line):
                return t - since, line
        return None, None


def launch(run, job, *own, n=2, words=(), env=None):
    return Job([o.ORRERY, "launch", f"ranks={n}", *own, "train", job, "run=" + run, *words], run, env)


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        random.seed(7)
        train, test = o.small_kepler()
        cls.job = o.job("launch.yaml", train, test, "  checkpoint_steps: 17", data="  epoch_length: 12000")
        o.orrery("train", cls.job, "run=" + o.tmp("whole"))
        cls.whole = o.results(o.tmp("whole"))

    def check_recovered(self, j, since, pattern, restarts=1, within=NAMED):
        """Named in time, started again, ended well: the same bytes, and nothing left."""
        code = j.wait()
        self.assertEqual(code, 0, j.err())
        seconds, line = j.said("error launch: ", since)
        self.assertIsNotNone(seconds, j.err())
        self.assertRegex(line, pattern)
        self.assertLess(seconds, within, line)
        self.assertEqual(len(re.findall("warn launch: starts again", j.err())), restarts, j.err())
        self.assertEqual(o.results(j.run), self.whole)
        self.assertEqual(processes(j.run), {})
        print(f"{self.id().split('.')[-1]}: {seconds:.2f} s: {line}")

    def test_rank_killed(self):
        j = launch(o.tmp("killed"), self.job, n=3)
        j.training(3)
        since = time.monotonic()
        os.kill(ranks(j.run)[1], signal.SIGKILL)
        self.check_recovered(j, since, r"rank 1 on \S+ was killed or crashed in \w+, step \d+$")

    def test_rank_stopped(self):
        status = o.tmp("stopped.json")
        j = launch(o.tmp("stopped"), self.job, "status=" + status)
        j.training(2)
        since = time.monotonic()
        os.kill(ranks(j.run)[0], signal.SIGSTOP)
        self.check_recovered(j, since, r"rank 0 on \S+ is stopped in \w+, step \d+: its host answers, it has not for 2\.\d s$")
        with open(status) as f:
            s = json.load(f)
        self.assertEqual((s["state"], s["restarts"], len(s["faults"])), ("ended", 1, 1))
        self.assertIn("rank 0", s["faults"][0]["what"])
        self.assertEqual([(r["rank"], r["verdict"], r["code"]) for r in s["ranks"]], [(0, "done", 0), (1, "done", 0)])

    def test_mpirun_stopped(self):
        j = launch(o.tmp("mpirun-stopped"), self.job)
        j.training(2)
        since = time.monotonic()
        os.kill(mpirun_of(j.run), signal.SIGSTOP)
        self.check_recovered(j, since, r"mpirun \(process \d+\) is stopped")

    def test_mpirun_killed(self):
        """With a rank that it cannot take along, being stopped."""
        j = launch(o.tmp("mpirun-killed"), self.job)
        j.training(2)
        since = time.monotonic()
        os.kill(ranks(j.run)[1], signal.SIGSTOP)
        os.kill(mpirun_of(j.run), signal.SIGKILL)
        self.check_recovered(j, since, r"mpirun was ended by signal 9|rank \d on \S+ was killed or crashed")

    def test_launch_killed(self):
        j = launch(o.tmp("launch-killed"), self.job, "grace=3")
        j.training(2)
        since = time.monotonic()
        j.p.kill()
        j.wait()
        while processes(j.run) and time.monotonic() < since + 30:
            time.sleep(0.05)
        seconds = time.monotonic() - since
        self.assertEqual(processes(j.run), {}, j.err())
        self.assertLess(seconds, 3 + 2)
        print(f"test_launch_killed: nothing left after {seconds:.2f} s")
        self.assertEqual(launch(j.run, self.job).wait(), 0)
        self.assertEqual(o.results(j.run), self.whole)

    def test_launch_killed_and_mpirun_stopped(self):
        j = launch(o.tmp("both"), self.job, "grace=2", words=["train.epochs=60"])
        j.training(2)
        since = time.monotonic()
        os.kill(mpirun_of(j.run), signal.SIGSTOP)
        j.p.kill()
        j.wait()
        while processes(j.run) and time.monotonic() < since + 30:
            time.sleep(0.05)
        seconds = time.monotonic() - since
        self.assertEqual(processes(j.run), {}, j.err())
        self.assertLess(seconds, 2 + 3)
        print(f"test_launch_killed_and_mpirun_stopped: nothing left after {seconds:.2f} s")

    def test_launch_stopped(self):
        """Who did not listen cannot say that nobody spoke."""
        j = launch(o.tmp("launch-paused"), self.job, words=["train.epochs=60"])
        j.training(2)
        pid = ranks(j.run)[1]
        for p in (j.p.pid, pid):
            os.kill(p, signal.SIGSTOP)
        time.sleep(3.5)
        j.p.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        os.kill(pid, signal.SIGCONT)
        time.sleep(1)
        self.assertNotIn("error launch", j.err())
        j.p.send_signal(signal.SIGTERM)
        self.assertEqual(j.wait(), 75, j.err())

    def test_launch_silent(self):
        """Ranks that nobody speaks to end by themselves."""
        j = launch(o.tmp("launch-silent"), self.job, "grace=2", words=["train.epochs=60"])
        j.training(2)
        since = time.monotonic()
        j.p.send_signal(signal.SIGSTOP)
        j.until(lambda: not ranks(j.run), 2 + 3)
        print(f"test_launch_silent: no rank left after {time.monotonic() - since:.2f} s")
        self.assertIn("no word from its supervisor", j.err())
        j.p.send_signal(signal.SIGCONT)
        j.training(2)
        self.assertRegex(j.err(), "error launch: .*(was killed or crashed|mpirun ended)")
        j.p.send_signal(signal.SIGTERM)
        self.assertEqual(j.wait(), 75, j.err())

    def test_signal_saves(self):
        for number in (signal.SIGTERM, signal.SIGUSR1):
            j = launch(o.tmp(f"signal-{number}"), self.job)
            j.training(2)
            j.p.send_signal(number)
            self.assertEqual(j.wait(), 75, j.err())
            self.assertIn("saved", j.err())
            self.assertNotIn("starts again", j.err())
            self.assertEqual(processes(j.run), {})
            self.assertEqual(launch(j.run, self.job, n=3 if number == signal.SIGTERM else 1).wait(), 0)
            self.assertEqual(o.results(j.run), self.whole)

    @unittest.skip("open: on a busy machine mpirun may fall over its own abort (PMIx_Finalize) and the job ends with 1 instead of starting again")
    def test_gives_up(self):
        """A rank that passes its own deadline has lost another one: a fault, too, though it says so itself."""
        j = launch(o.tmp("gave-up"), self.job, "silence=60", env={"ORR_WAIT": "2"})
        j.training(2)
        since = time.monotonic()
        os.kill(ranks(j.run)[0], signal.SIGSTOP)
        self.check_recovered(j, since, r"rank 1 on \S+ gave up, having lost the others, in \w+, step \d+", within=2 + NAMED)

    def test_signal_during_a_fault(self):
        """A rank that cannot save any more: the job ends all the same, to go on later."""
        j = launch(o.tmp("signal-fault"), self.job)
        j.training(2)
        os.kill(ranks(j.run)[1], signal.SIGSTOP)
        j.p.send_signal(signal.SIGTERM)
        self.assertEqual(j.wait(), 75, j.err())
        self.assertIn("is stopped", j.err())
        self.assertEqual(processes(j.run), {})

    def test_restarts_used_up(self):
        j = launch(o.tmp("used-up"), self.job, "restarts=1")
        for _ in range(2):
            j.training(2)
            pid = ranks(j.run)[1]
            os.kill(pid, signal.SIGKILL)
            j.until(lambda: not os.path.exists(f"/proc/{pid}"))
        self.assertEqual(j.wait(), 1, j.err())
        self.assertRegex(j.err(), r"orrery launch: 1 restarts are used up")
        self.assertEqual(processes(j.run), {})

    def test_slow_rank(self):
        status = o.tmp("slow.json")
        j = launch(o.tmp("slow"), self.job, "status=" + status, words=["train.epochs=60"])
        j.training(2)
        pid = ranks(j.run)[1]

        def named():
            os.kill(pid, signal.SIGSTOP)
            time.sleep(1.2)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.3)
            with open(status) as f:
                return [r["verdict"] for r in json.load(f)["ranks"]] == ["fine", "slow"]

        j.until(named, 40)
        self.assertRegex(j.err(), r"warn launch: rank 1 on \S+ is slow in \w+, step \d+")
        self.assertNotIn("starts again", j.err())
        j.p.send_signal(signal.SIGTERM)
        self.assertEqual(j.wait(), 75, j.err())


def namespaces():
    """Why two hosts cannot be made here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if any(not shutil.which(p) for p in ("ip", "unshare")):
        return "network namespaces need the programs ip and unshare"
    made = subprocess.run(["ip", "netns", "add", Hosts.b], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return "no network namespace can be made: " + made.stderr.strip()
    subprocess.run(["ip", "netns", "del", Hosts.b], check=True)
    return None


# What mpirun calls to reach the other host: hands the words over to a process that is in no way below it, as sshd is not.
AGENT = """#!/bin/sh
host=$1; shift
exec /usr/bin/python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode()); s.shutdown(socket.SHUT_WR); s.recv(1)' {socket} "$*"
"""


class Hosts(unittest.TestCase):
    """Two "hosts": network, host name and processes of their own, a cable between them."""
    a, b = f"orr{os.getpid()}a", f"orr{os.getpid()}b"
    net = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"

    @classmethod
    def setUpClass(cls):
        why = namespaces()
        if why:
            raise unittest.SkipTest(why)
        for name in (cls.a, cls.b):
            cls.ip("netns", "add", name)
            cls.addClassCleanup(subprocess.run, ["ip", "netns", "del", name], check=False)
            cls.ip("-n", name, "link", "set", "lo", "up")
        cls.ip("link", "add", "cable", "netns", cls.a, "type", "veth", "peer", "name", "cable", "netns", cls.b)
        for i, name in enumerate((cls.a, cls.b)):
            cls.ip("-n", name, "addr", "add", f"{cls.net}.{i + 1}/24", "dev", "cable")
        cls.cable("up")
        train, test = o.small_kepler()
        cls.job = o.job("hosts.yaml", train, test, "  checkpoint_steps: 17", data="  epoch_length: 6000")
        o.orrery("train", cls.job, "run=" + o.tmp("hosts-whole"))
        cls.whole = o.results(o.tmp("hosts-whole"))
        cls.remote = []
        cls.serve()

    @staticmethod
    def ip(*words):
        subprocess.run(["ip", *words], check=True)

    @classmethod
    def cable(cls, how):
        for name in (cls.b, cls.a):
            cls.ip("-n", name, "link", "set", "cable", how)

    @classmethod
    def serve(cls):
        """The other host's sshd."""
        path = o.tmp("sshd")
        cls.agent = o.write("agent.sh", AGENT.format(socket=path))
        os.chmod(cls.agent, 0o755)
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ORR_PULSE", "OMPI_COMM", "PMIX"))}

        def work():
            while True:
                try:
                    s, _ = server.accept()
                except OSError:
                    return
                words = b""
                while part := s.recv(65536):
                    words += part
                cls.remote.append(subprocess.Popen(
                    ["ip", "netns", "exec", cls.b, "unshare", "--uts", "sh", "-c", f"hostname {cls.b}; {words.decode()}"], env=clean,
                    cwd=o.tmp(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True))
                threading.Thread(target=lambda: (cls.remote[-1].wait(), s.close()), daemon=True).start()

        threading.Thread(target=work, daemon=True).start()
        cls.addClassCleanup(server.close)

    @classmethod
    def mpirun(cls):
        return (f"{o.MPIRUN} --oversubscribe --bind-to none --mca plm rsh --mca plm_rsh_agent {cls.agent} --mca ras ^slurm --mca btl tcp,self "
                f"--mca btl_tcp_if_include {cls.net}.0/24 --mca oob_tcp_if_include {cls.net}.0/24")

    @classmethod
    def on_a(cls, run, *words):
        """On the first host, which sees no process of the second."""
        inner = " ".join("'" + str(w).replace("'", "'\\''") + "'" for w in words)
        return Job(["ip", "netns", "exec", cls.a, "unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
                    f"hostname {cls.a}; {inner}; exit $?"], run)

    def here(self, run, name):
        """A run's processes in the network of a host."""
        inode = os.stat(f"/run/netns/{name}").st_ino
        found = {}
        for pid, words in processes(run).items():
            try:
                if os.stat(f"/proc/{pid}/ns/net").st_ino == inode:
                    found[pid] = words
            except OSError:
                pass
        return found

    def daemons(self):
        """MPI's own processes on the second host."""
        found = subprocess.run(["ip", "netns", "pids", self.b], capture_output=True, text=True, check=True).stdout.split()
        return [p for p in found if os.path.exists(f"/proc/{p}")]

    def test_cable_pulled(self):
        run = o.tmp("cable")
        j = self.on_a(run, o.ORRERY, "launch", "ranks=3", f"hosts={self.a}:1,{self.b}:2", f"address={self.net}.1", "mpirun=" + self.mpirun(),
                      "train", self.job, "run=" + run, "train.checkpoint_steps=17")
        j.training(3)
        self.assertEqual(len([p for p, w in self.here(run, self.b).items() if "OMPI_COMM_WORLD_RANK" in environ(p)]), 2)
        since = time.monotonic()
        self.cable("down")
        try:
            j.until(lambda: not self.here(run, self.b), 30)
            left = time.monotonic() - since
            code = j.wait()
            self.assertEqual(self.daemons(), [], "stay behind on the host that was cut off")
        finally:
            self.cable("up")
        seconds, line = j.said("error launch: ", since)
        print(f"test_cable_pulled: {seconds:.2f} s: {line}; the ranks on the other side ended after {left:.2f} s")
        self.assertEqual(code, 0, j.err())
        self.assertLess(seconds, NAMED)
        self.assertRegex(line, rf"rank [12] on {self.b} is cut off in \w+, step \d+: neither it nor its host .*; so is rank [12]$")
        self.assertLess(left, 10 + 1.5)
        self.assertRegex(j.err(), "starts again on 1 ranks, without the lost host")
        again = j.said("starts again", since)[0]
        self.assertGreater(again, left, "started again beside ranks that still lived")
        self.assertEqual(o.results(run), self.whole)
        self.assertEqual(processes(run), {})


class Ends(unittest.TestCase):
    """What ends by itself is left alone."""

    def check(self, code, said, *words, own=(), n=2):
        j = Job([o.ORRERY, "launch", f"ranks={n}", *own, *words], "none")
        self.assertEqual(j.wait(), code, j.err())
        self.assertIn(said, j.err())
        self.assertNotIn("starts again", j.err())

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

    def test_failure(self):
        self.check(1, "absent", "info", o.tmp("absent"))

    def test_failure_of_one_rank(self):
        """It aborts the job, which kills the others: no fault of theirs."""
        path = o.write("mpirun-1", """#!/bin/sh
own="$1 $2 $3 $4 $5 $6 $7 $8"
shift 8
exec mpirun --oversubscribe --bind-to none $own sh -c 'if [ $OMPI_COMM_WORLD_RANK = 1 ]; then export ORR_LOG=loud; fi; exec "$@"' x "$@"
""")
        os.chmod(path, 0o755)
        self.check(2, "rank 1 (", "info", o.tmp(), own=["mpirun=" + path])

    def test_leftovers(self):
        """What the launcher leaves behind is ended, wherever it hides."""
        pid = o.tmp("leftover")
        path = o.write("mpirun-2", f"#!/bin/sh\nsetsid sh -c 'echo $$ > {pid}; exec sleep 300' &\nexec mpirun --oversubscribe --bind-to none \"$@\"\n")
        os.chmod(path, 0o755)
        j = Job([o.ORRERY, "launch", "ranks=2", "mpirun=" + path, "info", os.path.join(o.small_kepler()[0])], "none")
        self.assertEqual(j.wait(), 0, j.err())
        with open(pid) as f:
            self.assertEqual(environ(f.read().strip()), {})  # a zombie may be left, where init does not mind

    def test_launch_under_mpirun(self):
        r = o.orrery("launch", "train", ranks=1, code=2)
        self.assertIn("not under mpirun", r.err)

    def test_launcher_of_another_mpi(self):
        """One that starts so many jobs of one rank each."""
        path = o.write("sprint", '#!/bin/sh\n[ "$1 $2" = "-n 2" ] || exit 9\nshift 8\nSLURM_PROCID=1 "$@" & "$@"; wait\n')
        os.chmod(path, 0o755)
        train, test = o.small_kepler()
        job = o.job("apart.yaml", train, test, data="  epoch_length: 90000")
        self.check(2, "the ranks are no job of 2: rank 0 is one of 1", "train", job, "run=" + o.tmp("apart"), own=["mpirun=" + path])

    def test_one_rank_without_mpi(self):
        j = Job([o.ORRERY, "launch", "mpirun=none", "synth", "kepler", "out=" + o.tmp("alone"), "stars=10", "test_stars=5", "samples=50"], "none")
        self.assertEqual(j.wait(), 0, j.err())
        self.assertTrue(os.path.exists(o.tmp("alone/train.csv")))

    def test_supervisor_never_there(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        train, test = o.small_kepler()
        job = o.job("lost.yaml", train, test, data="  epoch_length: 9000000")
        j = Job([o.ORRERY, "train", job, "run=" + o.tmp("lost")], o.tmp("lost"),
                {"ORR_PULSE": f"127.0.0.1:{port}", "ORR_PULSE_KEY": "x", "ORR_PULSE_GRACE": "1.5"})
        begin = time.monotonic()
        self.assertEqual(j.wait(30), 76, j.err())
        self.assertLess(time.monotonic() - begin, 5)
        self.assertIn("no word from its supervisor", j.err())

    def test_bad_environment(self):
        for env, said in (({"ORR_PULSE": "nowhere", "ORR_PULSE_KEY": "x"}, "is not host:port"),
                          ({"ORR_PULSE": "127.0.0.1:4"}, "ORR_PULSE_KEY is not"),
                          ({"ORR_PULSE": "127.0.0.1:4", "ORR_PULSE_KEY": "x", "ORR_PULSE_GRACE": "0"}, "ORR_PULSE_GRACE=0")):
            self.assertIn(said, o.orrery("info", o.tmp(), env=env, code=2).err)

    def test_strangers(self):
        """Who does not know the key is not listened to."""
        train, test = o.small_kepler()
        run = o.tmp("strangers")
        j = launch(run, o.job("strangers.yaml", train, test, "  checkpoint_steps: 17", data="  epoch_length: 30000"))
        j.training(2)
        host, port = environ(ranks(run)[0])["ORR_PULSE"].rsplit(":", 1)
        for said in (b"GET / HTTP/1.0\r\n\r\n", b'{"key": "x", "rank": 0, "done": 1, "code": 1}\n', b"[" * 900 + b"\n", b"x" * 5000, b"{}\n", b"\0\n"):
            with socket.create_connection((host, int(port))) as s:
                s.sendall(said)
                s.settimeout(5)
                try:
                    self.assertEqual(s.recv(10), b"")
                except ConnectionResetError:
                    pass
        idle = [socket.create_connection((host, int(port))) for _ in range(40)]  # more than it keeps
        j.p.send_signal(signal.SIGTERM)
        self.assertEqual(j.wait(), 75, j.err())
        for s in idle:
            s.close()


# ---- the table ----
def fault_kill(j):
    os.kill(ranks(j.run)[1], signal.SIGKILL)


def fault_stop(j):
    os.kill(ranks(j.run)[1], signal.SIGSTOP)


def fault_mpirun_kill(j):
    os.kill(mpirun_of(j.run), signal.SIGKILL)


def fault_mpirun_stop(j):
    os.kill(mpirun_of(j.run), signal.SIGSTOP)


def fault_cable(_):
    Hosts.cable("down")


def on_two_hosts(run, job, *words):
    return Hosts.on_a(run, *words, "train", job, "run=" + run)


def start_alone(run, job, fault):
    if fault is fault_cable:
        return on_two_hosts(run, job, *Hosts.mpirun().split(), "-n", "2", "--host", f"{Hosts.a}:1,{Hosts.b}:1", o.ORRERY)
    return Job(o.argv(2, "train", job, "run=" + run), run)


def start_launched(run, job, fault):
    if fault is fault_cable:
        return on_two_hosts(run, job, o.ORRERY, "launch", f"hosts={Hosts.a}:1,{Hosts.b}:1", f"address={Hosts.net}.1",
                            "mpirun=" + Hosts.mpirun())
    return launch(run, job)


def steps_of(text):
    m = re.search(r"step (\d+)", text or "")
    return int(m[1]) if m else None


def try_launched(job, whole, fault, i):
    j = start_launched(o.tmp(f"{fault.__name__}-{i}"), job, fault)
    j.training(2)
    since = time.monotonic()
    fault(j)
    code = j.wait()
    if fault is fault_cable:
        Hosts.cable("up")
    named, line = j.said("error launch: ", since)
    gone = j.said("starts again", since)[0]
    first = j.said("first step", since)[0]
    same = code == 0 and o.results(j.run) == whole and not processes(j.run)
    return {"named": named, "gone": gone, "again": first, "same": same, "line": line}


def try_alone(job, fault, deadline):
    j = start_alone(o.tmp(f"{fault.__name__}-alone"), job, fault)
    j.training(2)
    since = time.monotonic()
    fault(j)
    try:
        code = j.p.wait(deadline)
        end = f"ends after {time.monotonic() - since:.1f} s, exit code {code}"
    except subprocess.TimeoutExpired:
        end = f"nothing said or ended in {deadline} s"
    j.end()
    if fault is fault_cable:
        Hosts.cable("up")
    said = [line for t, line in j.lines if t > since and "epoch" not in line and line.strip("- ")]
    return end, said


def spread(values):
    values = sorted(v for v in values if v is not None)
    return f"{values[len(values) // 2]:.2f} ({values[0]:.2f}-{values[-1]:.2f})" if values else "-"


def measure(n, deadline=60):
    Hosts.setUpClass()
    train, test = o.small_kepler()
    job = o.job("measure.yaml", train, test, "  checkpoint_steps: 17", data="  epoch_length: 12000")
    o.orrery("train", job, "run=" + o.tmp("measured"))
    whole = o.results(o.tmp("measured"))
    for fault in (fault_kill, fault_stop, fault_mpirun_kill, fault_mpirun_stop, fault_cable):
        tries = [try_launched(job, whole, fault, i) for i in range(n)]
        end, said = try_alone(job, fault, deadline)
        print(f"| {fault.__name__} | {spread(t['named'] for t in tries)} | {spread(t['gone'] for t in tries)} | {spread(t['again'] for t in tries)} "
              f"| {sum(t['same'] for t in tries)} of {n} | {end} |", flush=True)
        print("   ", tries[0]["line"], "|| alone:", said[:3], flush=True)
    Hosts.doClassCleanups()


if __name__ == "__main__":
    if not o.MPIRUN:
        o.skip("this build has no MPI")
    if "--measure" in sys.argv:
        measure(int(sys.argv[-1]))
    else:
        unittest.main()
