"""What the tests of `orrery launch` share: its processes, what it says and when, how much of that
is the machine's fault, two "hosts"."""
import atexit
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import orrery as o

PLACE = r"in \w+(, step \d+)?"


class Lag:
    """How much later than asked for a thread woke up meanwhile, in all: what a busy machine adds to
    a limit."""

    def __init__(self):
        self.seconds, self.over = 0.0, threading.Event()
        self.thread = threading.Thread(target=self.measure, daemon=True)
        self.thread.start()

    def measure(self):
        while not self.over.is_set():
            begin = time.monotonic()
            time.sleep(0.02)
            self.seconds += time.monotonic() - begin - 0.02

    def stop(self):
        self.over.set()
        self.thread.join()
        return self.seconds


def environ(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            return dict(x.split("=", 1) for x in f.read().decode(errors="replace").split("\0") if "=" in x)
    except OSError:
        return {}


def processes(word):
    """{pid: words} of all processes of this machine that have this word on their command line
    (run=FOLDER, say)."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                words = f.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if word in words:
            found[int(path.split("/")[2])] = words
    return found


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return int(f.read().rpartition(")")[2].split()[1])
    except OSError:
        return None


def ranks(word):
    """{rank: pid} of a job's ranks, and not of what a rank has started to look at a file."""
    of = {pid: environ(pid).get("OMPI_COMM_WORLD_RANK") for pid in processes(word)}
    return {int(rank): pid for pid, rank in of.items() if rank and of.get(parent(pid)) != rank}


def mpirun_of(word):
    return next((pid for pid, words in processes(word).items() if os.path.basename(words[0]) == "mpirun"), None)


def send(number, *pids):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Job:
    """A command that runs, known by one of its words, with the time of every line that it says on
    stderr."""

    def __init__(self, words, word="", env=None):
        self.word, self.lines = str(word), []
        self.p = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=o.tmp(),
                                  env={**os.environ, **(env or {})}, start_new_session=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        atexit.register(lambda: self.p.poll() is None and self.end())  # of a test that failed

    def read(self):
        for line in self.p.stderr:
            self.lines.append((time.monotonic(), line.rstrip()))

    def err(self):
        return "\n".join(line for _, line in list(self.lines))

    def wait(self, deadline=150):
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
        send(signal.SIGKILL, self.p.pid, *(processes(self.word) if self.word else ()))
        self.p.wait()
        self.reader.join(5)
        self.p.stderr.close()

    def until(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end or self.p.poll() is not None:
                self.end()
                raise AssertionError(f"does not come about: {what}\n{self.err()}")
            time.sleep(0.02)

    def ranks(self):
        return ranks(self.word)

    def here(self, n):
        return len(self.ranks()) == n

    def at_work(self, n, progress):
        """Until n ranks run and `progress`, a function, gives another value than now; and a rank's
        next words are due."""
        before = progress()
        self.until(lambda: progress() != before and self.here(n))
        time.sleep(0.3)

    def training(self, n):
        self.at_work(n, lambda: saved(self.word.split("=", 1)[1]))

    def said(self, pattern, since=0):
        """Seconds from `since` until a line was said, and the line."""
        for t, line in list(self.lines):
            if t >= since and re.search(pattern, line):
                return t - since, line
        return None, None


def saved(run):
    """Changes with every checkpoint."""
    try:
        return os.stat(os.path.join(run, "checkpoint-last.h5")).st_mtime_ns
    except OSError:
        return 0


def launch(run, job, *own, n=2, words=(), env=None):
    return Job([o.ORRERY, "launch", f"ranks={n}", *own, "train", job, "run=" + run, *words], "run=" + run, env)


def launch_json(run):
    with open(os.path.join(run, "launch.json")) as f:
        return json.load(f)


def validation_progress(run):
    """Changes with every checkpoint of any of its trainings."""
    try:
        return sum(saved(os.path.join(run, "tasks", t)) for t in os.listdir(os.path.join(run, "tasks")))
    except OSError:
        return 0


def check_named(test, jobs, pattern, fault, alone=True):
    """Makes the fault, and waits until launch has named it in every job (how soon is printed;
    bench/jobs/faults.py measures it).  Returns when it was made."""
    jobs = jobs if isinstance(jobs, list) else [jobs]
    lag, since = Lag(), time.monotonic()
    fault()
    for j in jobs:
        j.until(lambda j=j: j.said("error launch: ", since)[0] is not None, 30)
    lag = lag.stop()
    for j in jobs:
        seconds, line = j.said("error launch: ", since)
        test.assertRegex(line, pattern)
        print(f"{test.id().split('.')[-1]}: {seconds:.2f} s (lag {lag:.2f} s): {line[9:]}", flush=True)
    if alone:
        for j in jobs:
            j.until(lambda j=j: j.said("starts again", since)[0] is not None, 30)
    return since


# ---- two hosts ----
def no_namespaces():
    """Why two hosts cannot be made here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if any(not shutil.which(p) for p in ("ip", "unshare")):
        return "network namespaces need the programs ip and unshare"
    name = f"orr{os.getpid()}x"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return "no network namespace can be made: " + made.stderr.strip()
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


# What mpirun calls to reach the other host: hands the words over to a process that is in no way
# below it, as sshd is not.
AGENT = """#!/bin/sh
host=$1; shift
exec /usr/bin/python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode()); s.shutdown(socket.SHUT_WR); s.recv(1)' {socket} "$*"
"""


class TwoHosts:
    """Network, host name and processes of their own, and a cable between them.  Made once, undone
    by close()."""

    def __init__(self):
        pid = os.getpid()
        self.a, self.b, self.net = f"orr{pid}a", f"orr{pid}b", f"10.{200 + pid % 50}.{pid // 50 % 250}"
        self.made, self.server = [], socket.socket(socket.AF_UNIX)
        self.clock = []  # words for unshare: what the second host's clock is
        for name in (self.a, self.b):
            self.ip("netns", "add", name)
            self.made.append(name)
            self.ip("-n", name, "link", "set", "lo", "up")
        self.ip("link", "add", "cable", "netns", self.a, "type", "veth", "peer", "name", "cable", "netns", self.b)
        for i, name in enumerate(self.made):
            self.ip("-n", name, "addr", "add", f"{self.net}.{i + 1}/24", "dev", "cable")
        self.cable("up")
        self.agent = o.write("agent.sh", AGENT.format(socket=o.tmp("sshd")))
        os.chmod(self.agent, 0o755)
        self.server.bind(o.tmp("sshd"))
        self.server.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.server.close()
        for name in self.made:
            subprocess.run(["ip", "netns", "del", name], check=False)

    @staticmethod
    def ip(*words):
        subprocess.run(["ip", *words], check=True)

    def cable(self, how):
        for name in (self.b, self.a):
            self.ip("-n", name, "link", "set", "cable", how)

    def slow_link(self, rate):
        """Both ways; "" takes the limit away.  Returns why that cannot be had, or None."""
        for name in (self.a, self.b):
            limit = ["root", "tbf", "rate", rate, "burst", "16kbit", "latency", "400ms"] if rate else ["root"]
            try:
                r = subprocess.run(["ip", "netns", "exec", name, "tc", "qdisc", "add" if rate else "del", "dev", "cable", *limit],
                                   capture_output=True, text=True, check=False)
            except OSError as e:
                return str(e)
            if r.returncode != 0:
                return "tc qdisc ... tbf: " + r.stderr.strip()
        return None

    def serve(self):
        """The other host's sshd."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ORR_HEARTBEAT", "OMPI_COMM", "PMIX"))}
        while True:
            try:
                s, _ = self.server.accept()
            except OSError:
                return
            words = b""
            while part := s.recv(65536):
                words += part
            p = subprocess.Popen(["ip", "netns", "exec", self.b, "unshare", "--uts", *self.clock, "sh", "-c",
                                  f"hostname {self.b}; {words.decode()}"], env=clean,
                                 cwd=o.tmp(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            threading.Thread(target=lambda p=p, s=s: (p.wait(), s.close()), daemon=True).start()

    def mpirun(self):
        return (f"{o.MPIRUN} --oversubscribe --bind-to none --mca plm rsh --mca plm_rsh_agent {self.agent} --mca ras ^slurm --mca btl tcp,self "
                f"--mca btl_tcp_if_include {self.net}.0/24 --mca oob_tcp_if_include {self.net}.0/24")

    def start(self, word, *words):
        """On the first host, which sees no process of the second."""
        inner = " ".join("'" + str(w).replace("'", "'\\''") + "'" for w in words)
        return Job(["ip", "netns", "exec", self.a, "unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
                    f"hostname {self.a}; {inner}; exit $?"], word)

    def launch(self, word, slots, *words, own=()):
        """slots: of the first host and the second."""
        hosts = ",".join(f"{name}:{n}" for name, n in zip((self.a, self.b), slots) if n)
        return self.start(word, o.ORRERY, "launch", f"ranks={sum(slots)}", "hosts=" + hosts, f"address={self.net}.1", "mpirun=" + self.mpirun(), *own, *words)

    def pids(self, name):
        found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=True).stdout.split()
        return [int(p) for p in found if os.path.exists(f"/proc/{p}")]

    def here(self, word, name):
        """A job's processes in the network of a host."""
        there = set(self.pids(name))
        return [p for p in processes(word) if p in there]
