"""A Slurm of its own: munged, slurmctld and a few slurmd on loopback, in a folder that goes with
it.

As root each slurmd lives in UTS, PID and mount namespaces of its own: "nodes" have host names of
their own, see their own processes alone, and end with all that runs on them when their first
process is killed.  Spool folders and TmpFS, where PMIx keeps its sockets, are a node's own too.
Nothing is read from /etc/slurm.  Nothing is left running, also when the test is killed: the kernel
ends the daemons then."""
import atexit
import ctypes
import glob
import os
import random
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROGRAMS = ["munged", "mungekey", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "squeue", "srun"]
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY"}

CONFIG = """
ClusterName=orrery-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire={requeue_delay}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
TmpFS={folder}/tmp.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/{proctrack}
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MailProg=/bin/true
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
KillWait={kill_wait}
SlurmctldTimeout=60
SlurmdTimeout=60
MessageTimeout=60
InactiveLimit=0
MinJobAge=3600
ReturnToService=1
SlurmdParameters=config_overrides
GresTypes=gpu
{nodes}
PartitionName=work Nodes=ALL Default=YES PriorityTier=1
PartitionName=lenient Nodes=ALL PriorityTier=1 GraceTime=600
PartitionName=urgent Nodes=ALL PriorityTier=10 PreemptMode=OFF
"""


def missing():
    """The programs of Slurm that this machine does not have."""
    return [p for p in PROGRAMS if not shutil.which(p, path=path())]


def path():
    return os.environ["PATH"] + ":/usr/sbin:/sbin"


def free_ports(n):
    """Below those that the kernel gives to connections; nobody else's tests should look for theirs
    in the same order."""
    found = []
    while len(found) < n:
        port = random.randrange(12000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def namespaces():
    """The words that make a command the first of a node; none where that is not allowed."""
    words = ["unshare", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child=KILL"]
    try:
        return words if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0 else []
    except FileNotFoundError:
        return []


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Cluster:
    """trees: so many of the nodes, the last ones, signal every process of a job
    (proctrack/linuxproc), the others the first one's group alone, as with proctrack/cgroup.
    requeue_delay: seconds that Slurm waits before a requeued job may start, and credentials
    hold."""

    def __init__(self, nodes=3, trees=0, cpus=2, kill_wait=30, requeue_delay=10):
        # two of these may run: Open MPI's folders in /tmp have the host's name
        tag = "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=5))
        self.nodes = [f"node{tag}{i}" for i in range(nodes)]
        self.trees = self.nodes[nodes - trees:]
        self.isolated = namespaces()
        for left in reversed(range(3)):  # somebody else may have taken a port meanwhile
            self.folder = tempfile.mkdtemp(prefix="orrery-slurm-")
            atexit.register(self.stop)
            self.daemons = {}
            self.env = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_", "SRUN_"))}
            self.env.update(SLURM_CONF=self.file("slurm.conf"), PATH=path(), ORRERY_TEST_CLUSTER=self.folder)
            os.chmod(self.folder, 0o755)
            os.mkdir(self.file("state"))
            self.configure(cpus, kill_wait, requeue_delay)
            try:
                self.start()
                return
            except Exception:
                self.stop()
                if not left:
                    raise

    def configure(self, cpus, kill_wait, requeue_delay):
        ports = free_ports(len(self.nodes) + 1)
        lines = [f"NodeName={n} NodeAddr=127.0.0.1 Port={p} CPUs={cpus} Gres=gpu:1 State=UNKNOWN" for n, p in zip(self.nodes, ports)]
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        for name, proctrack in (("slurm.conf", "pgid"), ("trees/slurm.conf", "linuxproc")):
            os.makedirs(os.path.dirname(self.file(name)), exist_ok=True)
            with open(self.file(name), "w") as f:
                f.write(CONFIG.format(host=socket.gethostname(), port=ports[-1], user=user, folder=self.folder, nodes="\n".join(lines),
                                      kill_wait=kill_wait, proctrack=proctrack, requeue_delay=requeue_delay))
            for other, text in (("cgroup.conf", "CgroupAutomount=no\n"), ("gres.conf", "Name=gpu File=/dev/null\n")):
                with open(os.path.join(os.path.dirname(self.file(name)), other), "w") as f:
                    f.write(text)

    def file(self, name):
        return os.path.join(self.folder, name)

    # ---- daemons ----
    def daemon(self, name, *words):
        with open(self.file(name + ".out"), "ab") as out:
            self.daemons[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env, cwd=self.folder,
                                                  start_new_session=True, preexec_fn=die_with_parent)

    def start(self):
        key, sock = self.file("munge.key"), self.file("munge.socket")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
            f.write(secrets.token_bytes(128))
        self.daemon("munged", "munged", "--foreground", "--force", "--key-file=" + key, "--socket=" + sock, "--pid-file=" + self.file("munge.pid"),
                    "--seed-file=" + self.file("munge.seed"), "--log-file=" + self.file("munge.log"))
        self.until(lambda: os.path.exists(sock), 30, "munged does not start")
        self.daemon("slurmctld", "slurmctld", "-D", "-c")
        for node in self.nodes:
            self.start_node(node)
        self.until(lambda: self.states() and all(s == "idle" for s in self.states().values()), 90, "the nodes do not come up")

    def start_node(self, node):
        words = ["slurmd", "-D", "-N", node, "-f", self.file("trees/slurm.conf" if node in self.trees else "slurm.conf")]
        os.makedirs(self.file("tmp." + node), exist_ok=True)
        if self.isolated:  # the shell stays: somebody has to wait for orphans
            words = [*self.isolated, "sh", "-c", f"hostname {node} && {shlex.join(words)}; exit"]
        self.daemon(node, *words)

    def fail_node(self, node):
        """As when its power is cut, but that connections are closed."""
        self.daemons[node].kill()
        self.daemons.pop(node).wait()

    def stop(self):
        """Every process that was started here, also those of jobs: their environment names the
        cluster."""
        atexit.unregister(self.stop)
        for sig, seconds in ((signal.SIGTERM, 3), (signal.SIGKILL, 20)):
            end = time.monotonic() + seconds
            for pid in self.processes():
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
            while self.processes() and time.monotonic() < end:
                time.sleep(0.1)
        left = self.processes()
        for p in self.daemons.values():
            p.wait()
        self.daemons = {}
        for node in self.nodes:
            for path in glob.glob(f"/tmp/ompi.{node}.*") + glob.glob(f"/dev/shm/*{node}*"):
                (shutil.rmtree if os.path.isdir(path) else os.remove)(path)
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not left, f"processes of the test cluster do not end: {left}"

    def processes(self, job=None, program=None):
        """Those of this cluster; of one job; that run one program."""
        marks = [f"ORRERY_TEST_CLUSTER={self.folder}".encode()] + ([f"SLURM_JOB_ID={job}".encode()] if job else [])
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    ours = set(marks) <= set(f.read().split(b"\0"))
                ours = ours and (not program or os.path.samefile(f"/proc/{pid}/exe", program))
                with open(f"/proc/{pid}/stat") as f:
                    state = f.read().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if ours and state != "Z" and int(pid) != os.getpid():
                found.append(int(pid))
        return found

    # ---- what a user types ----
    def run(self, *words, code=0, cwd=None, env=None):
        p = subprocess.run(list(map(str, words)), capture_output=True, text=True, env={**self.env, **(env or {})}, cwd=cwd, timeout=120, check=False)
        assert code is None or p.returncode == code, f"{words}: exit code {p.returncode}\n{p.stdout}\n{p.stderr}"
        return p.stdout.strip()

    def states(self):
        lines = self.run("sinfo", "-h", "-N", "-o", "%N %T", code=None).split("\n")
        return {n: s.rstrip("*") for n, s in (line.split() for line in lines if line)}

    def submit(self, *words, cwd=None, env=None):
        """The job's number."""
        return self.run("sbatch", "--parsable", *words, cwd=cwd, env=env)

    def job(self, number):
        """What scontrol says of a job: {key: value}."""
        text = self.run("scontrol", "show", "job", "-o", number)
        return dict(re.findall(r"(\S+?)=(\S*)", text))

    def until(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{what() if callable(what) else what} within {seconds} s\n{self.tail()}"
            time.sleep(0.25)

    def wait(self, number, seconds=300):
        """Until the job has ended for good; what scontrol says of it."""
        self.until(lambda: self.job(number)["JobState"] in ENDED, seconds, f"job {number} does not end")
        return self.job(number)

    def tail(self, bytes=2000):
        """The end of the controller's log."""
        try:
            with open(self.file("slurmctld.log"), errors="replace") as f:
                return f.read()[-bytes:]
        except OSError as e:
            return str(e)
