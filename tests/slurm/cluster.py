"""A Slurm of its own: munged, slurmctld and a few slurmd on loopback, in a folder that goes with it.

As root each slurmd lives in a UTS namespace of its own, so that the "nodes" have host names of their own: launchers tell nodes apart by them.  Spool
folders and TmpFS, where PMIx keeps its sockets, are a node's own too.  Nothing is read from /etc/slurm, nothing is left running."""
import atexit
import os
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
AuthInfo=socket={folder}/munge.socket,cred_expire=5
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
SchedulerParameters=bf_interval=1,sched_interval=1{scheduler}
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
{nodes}
PartitionName=work Nodes=ALL Default=YES PriorityTier=1
PartitionName=lenient Nodes=ALL PriorityTier=1 GraceTime={grace}
PartitionName=urgent Nodes=ALL PriorityTier=10 PreemptMode=OFF
"""


def missing():
    """The programs of Slurm that this machine does not have."""
    return [p for p in PROGRAMS if not shutil.which(p, path=path())]


def path():
    return os.environ["PATH"] + ":/usr/sbin:/sbin"


def free_ports(n):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def namespaces():
    """The words that give a command its own mounts and host name; none where that is not allowed."""
    words = ["unshare", "--uts"]
    try:
        return words if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0 else []
    except FileNotFoundError:
        return []


class Cluster:
    def __init__(self, nodes=3, cpus=2, grace=60, kill_wait=10, scheduler="", proctrack="linuxproc"):
        self.folder = tempfile.mkdtemp(prefix="orrery-slurm-")
        atexit.register(self.stop)
        self.nodes = [f"node{i}" for i in range(nodes)]
        self.daemons = {}
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_", "SRUN_"))}
        self.env.update(SLURM_CONF=self.file("slurm.conf"), PATH=path(), ORRERY_TEST_CLUSTER=self.folder)
        self.isolated = namespaces()
        ports = free_ports(nodes + 1)
        os.chmod(self.folder, 0o755)
        os.mkdir(self.file("state"))
        lines = [f"NodeName={n} NodeAddr=127.0.0.1 Port={p} CPUs={cpus} State=UNKNOWN" for n, p in zip(self.nodes, ports)]
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        with open(self.file("slurm.conf"), "w") as f:
            f.write(CONFIG.format(host=socket.gethostname(), port=ports[-1], user=user, folder=self.folder, nodes="\n".join(lines), grace=grace,
                                  kill_wait=kill_wait, proctrack=proctrack, scheduler="," + scheduler if scheduler else ""))
        with open(self.file("cgroup.conf"), "w") as f:
            f.write("CgroupAutomount=no\n")
        try:
            self.start()
        except Exception:
            self.stop()
            raise

    def file(self, name):
        return os.path.join(self.folder, name)

    # ---- daemons ----
    def daemon(self, name, *words):
        with open(self.file(name + ".out"), "ab") as out:
            self.daemons[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env, cwd=self.folder,
                                                  start_new_session=True)

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
        words = ["slurmd", "-D", "-N", node]
        os.makedirs(self.file("tmp." + node), exist_ok=True)
        if self.isolated:
            words = [*self.isolated, "sh", "-c", f"hostname {node} && exec {shlex.join(words)}"]
        self.daemon(node, *words)

    def stop(self):
        """Every process that was started here, also those of jobs: their environment names the cluster."""
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
            assert time.monotonic() < end, f"{what} within {seconds} s\n{self.tail()}"
            time.sleep(0.1)

    def wait(self, number, seconds=120):
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
