"""Faults by schedule: a small job under `orrery launch`, with tests/faults/schedule.c inside its
ranks.  Whatever happens it ends with the bytes of an undisturbed one, or with the sentence that
KINDS has for it; then the same command, without the fault, ends with those bytes.

As a test: one schedule of each kind.  bench/faults/schedules.py draws a thousand."""
import atexit
import collections
import contextlib
import glob
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "jobs"))
import orrery as o  # noqa: E402

DEADLINE = 90  # seconds for one command: a small part of them where the machine is free
STEPS, SAVES = 204, 17  # of the training: steps in all, and between checkpoints
# the latter two are SQLite's
DISK = "No space left on device|Input/output error|disk is full|disk I/O error"

# What becomes of a fault.  ends: "same" (the command ends with 0; launch may have started it
# again), "machine" (a fault of the machine was seen: started again by launch, or exit code 77 and
# the same command by hand), "failed" (exit code 1, the sentence, and the same command by hand).
# says: what must be said if the fault was made; {rank} and {file} are the schedule's.
Kind = collections.namedtuple("Kind", "ends says")
DEAD = (r"error launch: rank \d (on \S+ was killed or crashed|has not come within)|error launch: .*ended with code|error launch: .*ended by signal"
        r"|error launch: (rank \d of \d|a rank that had not said its first word yet|one of ranks [\d, ]+) was killed or crashed")
KINDS = {
    "kill": Kind(["same"], DEAD),
    "exit": Kind(["same"], DEAD),
    "stop": Kind(["same"], r"error launch: rank {rank} (on \S+ is stopped|has not come within)"),
    "two in turn": Kind(["same"], r"restart 2 of"),
    "slow": Kind(["same"], ""),
    "nan in gradients": Kind(["same", "machine"], "was not finite, and is when computed again|moments are not finite"),
    "nan in sums": Kind(["same", "machine"], "was not finite, and is when computed again|a fault of the machine"),
    "nan in weights": Kind(["machine"], r"the weights of .*rank {rank} .* are not those of the other ranks"),
    "flip in weights": Kind(["machine"], r"the weights of .*rank {rank} .* are not those of the other ranks"),
    "flip in sums": Kind(["machine", "same"], ""),  # same: the bit was rounded away
    "disk full": Kind(["failed"], r"orrery \w+: .*{file}.*(" + DISK + ")"),
    "disk fails": Kind(["failed"], r"orrery \w+: .*{file}.*(" + DISK + ")"),
    "fsync fails": Kind(["failed"], r"orrery \w+: .*{file}.*(" + DISK + ")"),
    "disk full for a side file": Kind(["same"], ""),
    "input fails": Kind(["failed"], r"orrery \w+: .*{file}"),
    "short read": Kind(["same"], ""),
    "truncated input": Kind(["failed"], r"orrery \w+: .*{file}"),
}

Row = collections.namedtuple("Row", "point step rank kind a b attempt", defaults=(0, 0, 1))
Schedule = collections.namedtuple("Schedule", "number command kind ranks rows truncated", defaults=(None,))


# ---- the jobs ----
class Train:
    def __init__(self):
        self.sets = dict(zip(("train", "test"), o.small_kepler()))
        self.text = o.job("faults.yaml", "train", "test", f"  checkpoint_steps: {SAVES}", data="  epoch_length: 1500")

    def prepare(self, folder):
        """Own names for the sets: one of them may be cut, and the job file is part of the
        results."""
        shutil.copy(self.text, os.path.join(folder, "job.yaml"))
        for name, path in self.sets.items():
            os.symlink(path, os.path.join(folder, name))

    def words(self, folder, schedule):
        return ["train", "job.yaml", "run=run"]

    def cut(self, folder, name):
        """A copy of the training set, a file of which ends in its middle."""
        os.remove(os.path.join(folder, "train"))
        shutil.copytree(self.sets["train"], os.path.join(folder, "train"))
        path = os.path.join(folder, "train", name)
        os.truncate(path, os.path.getsize(path) // 2)

    def heal(self, folder):
        shutil.rmtree(os.path.join(folder, "train"))
        os.symlink(self.sets["train"], os.path.join(folder, "train"))

    def results(self, folder):
        return o.results(os.path.join(folder, "run"))

    def check(self, folder):
        """What a failed command has left under its final name is whole."""
        for path in glob.glob(os.path.join(folder, "run", "*.h5")):
            o.orrery("info", path)


class Cv(Train):
    def __init__(self):
        import cv
        train, test = o.small_kepler()
        o.write("shared.yaml", cv.SHARED.format(train=train, test=test, kernels=o.KERNELS[8:]).replace("epochs: 3", "epochs: 3, checkpoint_steps: 5"))
        self.text = o.write("cv.yaml", cv.JOB.format(folds=2, more="", kernels=o.KERNELS[8:]))

    def prepare(self, folder):
        pass

    def words(self, folder, schedule):
        together = [f"cv.ranks={schedule.ranks}"] if schedule.kind.endswith("weights") else []
        return ["cv", self.text, "run=run", *together]

    def results(self, folder):
        found = glob.glob(os.path.join(folder, "run", "*.*")) + glob.glob(os.path.join(folder, "run", "tasks", "*", "model.h5"))
        return {os.path.relpath(p, folder): o.sha(p) for p in sorted(found) if not p.endswith((".txt", ".tmp", "timing.csv", "status.json", "launch.json"))}

    def check(self, folder):
        for path in glob.glob(os.path.join(folder, "run", "tasks", "*", "checkpoint-*.h5")):
            o.orrery("info", path)


class Fetch:
    def __init__(self):
        import fault_server
        import web
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"
        self.frames, self.catalogue = web.survey(o.tmp("archive"), random.Random(1), fields=6)
        self.server = fault_server.FaultServer(o.tmp("archive"))
        self.server.__enter__()
        atexit.register(self.server.__exit__, None, None, None)
        self.url = self.server.url + web.TEMPLATE

    def prepare(self, folder):
        pass

    def words(self, folder, schedule):
        return ["fetch", f"archive.url={self.url}", "archive.folder=frames", f"catalogue.file={self.catalogue}", "archive.backoff=0.02",
                "archive.backoff_max=0.2", "runtime.progress=false"]

    def results(self, folder):
        found = {}
        for place, _, names in os.walk(os.path.join(folder, "frames")):
            for n in names:
                path = os.path.join(place, n)
                if n != "manifest.csv" and "/.orrery" not in path:
                    found[os.path.relpath(path, folder)] = o.sha(path)
        with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, "frames", "manifest.csv")) as f:
            found["manifest"] = sorted(tuple(line.split(",")[:2]) for line in f)
        return found

    def check(self, folder):
        for place, _, names in os.walk(os.path.join(folder, "frames")):
            for n in names:
                name = os.path.relpath(os.path.join(place, n), os.path.join(folder, "frames"))
                if n.endswith(".bz2"):
                    with open(os.path.join(place, n), "rb") as f:
                        assert f.read() == self.frames[name], name + " is not whole"


class Crop:
    def __init__(self):
        import crop
        crop.write_catalogue("survey.csv", crop.make_survey())
        self.job = crop.job("crop.yaml", "unset")

    def prepare(self, folder):
        pass

    def words(self, folder, schedule):
        return ["crop", self.job, f"out={folder}/set", "part_fields=1"]

    def results(self, folder):
        path = os.path.join(folder, "set")
        return o.tree(path) if os.path.isdir(path) else {}

    def check(self, folder):
        """There is no set before it is complete."""
        if os.path.exists(os.path.join(folder, "set")):
            o.orrery("info", os.path.join(folder, "set"))


class Jobs:
    """Each command's job, and what it gives undisturbed: made when it is first needed."""
    kinds = {"train": Train, "cv": Cv, "fetch": Fetch, "crop": Crop}

    def __init__(self, shim):
        self.shim, self.jobs, self.whole, self.lock = shim, {}, {}, threading.Lock()

    def get(self, command):
        with self.lock:
            if command not in self.jobs:
                self.jobs[command] = self.kinds[command]()
                folder = o.tmp("whole-" + command)
                os.makedirs(folder)
                self.jobs[command].prepare(folder)
                o.orrery(*self.jobs[command].words(folder, Schedule(0, command, "", 1, [])), cwd=folder)
                self.whole[command] = self.jobs[command].results(folder)
                assert len(self.whole[command]) > 3, self.whole
            return self.jobs[command], self.whole[command]


# ---- one schedule ----
class Command:
    """A command that runs, with the time of every line that it says on stderr."""

    def __init__(self, words, folder, env):
        self.lines = []
        self.p = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder, env=env, start_new_session=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.p.stderr:
            self.lines.append((time.monotonic(), line.rstrip()))

    def wait(self, seconds):
        """The exit code; None: it hangs."""
        try:
            code = self.p.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self.reader.join(10)
        self.p.stderr.close()
        return code


def marked(mark):
    """Processes of this machine that have the mark in what they were started with: {pid: what}."""
    found = {}
    for path in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(OSError), open(path + "/environ", "rb") as e, open(path + "/cmdline", "rb") as c:
            words = c.read()
            if mark.encode() in e.read() + words:
                found[int(path[6:])] = words.replace(b"\0", b" ").decode(errors="replace")[:200]
    return found


def end_all(mark):
    for pid in marked(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Play:
    """What became of a schedule: outcome "same", "machine", "failed" (then the same bytes), "wrong"
    or "hung"; why, if it is one of these."""

    def __init__(self, jobs, schedule, folder, keep=False):
        self.s, self.folder, self.said, self.lines, self.codes = schedule, folder, [], [], []
        self.job, self.whole = jobs.get(schedule.command)
        self.shim, self.why, self.left = jobs.shim, "", {}
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        begin = time.monotonic()
        self.outcome = self.play()
        self.seconds = time.monotonic() - begin
        if not keep and self.outcome not in ("wrong", "hung"):
            shutil.rmtree(folder, ignore_errors=True)

    def command(self):
        path, notes = os.path.join(self.folder, "schedule.csv"), os.path.join(self.folder, "notes")
        if not os.path.exists(notes):
            os.makedirs(notes)
            with open(path, "w") as f:
                f.writelines(",".join(map(str, r)) + "\n" for r in self.s.rows)
        env = {"LD_PRELOAD": self.shim, "ORR_SCHEDULE": path, "ORR_ATTEMPTS": notes}
        words = self.job.words(self.folder, self.s)
        if self.s.ranks == 1:  # alone, without launch
            return Command([o.ORRERY, *words], self.folder, {**os.environ, **env})
        mpirun = " ".join(["mpirun", "--oversubscribe", "--bind-to", "none", *(f"-x {k}={v}" for k, v in env.items())])
        return Command([o.ORRERY, "launch", f"ranks={self.s.ranks}", "start=10", "mpirun=" + mpirun, *words], self.folder, dict(os.environ))

    def run_once(self):
        c = self.command()
        code = c.wait(DEADLINE)
        if code is not None:
            self.left = marked(self.folder)
        end_all(self.folder)
        if code is None:
            c.wait(10)
        self.lines += c.lines
        self.codes.append(code)
        return code

    def play(self):
        self.job.prepare(self.folder)
        if self.s.truncated:
            self.job.cut(self.folder, self.s.truncated)
        ending = "same"
        for _ in range(3):
            code = self.run_once()
            if code is None:
                return self.bad("hung", f"no end after {DEADLINE} s")
            if self.left:
                return self.bad("wrong", f"left behind: {self.left}")
            if code == 0:
                return self.judge(ending)
            if code not in (1, 77):
                return self.bad("wrong", f"exit code {code}")
            ending = "failed" if code == 1 else "machine"
            try:
                self.job.check(self.folder)
            except AssertionError as e:
                return self.bad("wrong", f"what was left does not load: {e}")
            if self.s.truncated and len(self.codes) == 1:
                self.job.heal(self.folder)
        return self.bad("wrong", "does not go on")

    def bad(self, outcome, why):
        self.read_said()
        self.why = why
        return outcome

    def judge(self, ending):
        kind = KINDS[self.s.kind]
        self.read_said()
        if ending == "same" and re.search("a fault of the machine .*resumes from the last", self.err()):
            ending = "machine"
        now = self.job.results(self.folder)
        if now != self.whole:
            return self.bad("wrong", "other bytes: " + ", ".join(k for k in {**now, **self.whole} if now.get(k) != self.whole.get(k)))
        if self.made() and ending not in kind.ends:
            return self.bad("wrong", f"ended as \"{ending}\", not {kind.ends}")
        if self.made() >= len(self.s.rows) and not re.search(self.says(), self.err()):
            return self.bad("wrong", "not said: " + self.says())
        if not self.made() and ending != "same":
            return self.bad("wrong", "failed without a fault")
        return ending

    # ---- what was seen ----
    def read_said(self):
        path = os.path.join(self.folder, "notes", "said")
        if os.path.exists(path):
            with open(path) as f:
                self.said = [line.strip().split(",") for line in f]

    def made(self):
        """How many faults were made."""
        return len(self.said) + bool(self.s.truncated)

    def says(self):
        r = self.s.rows[0] if self.s.rows else None
        name = self.s.truncated or (r.point[1:] if r.point[0] == "/" else "")
        return KINDS[self.s.kind].says.replace("{rank}", str(r.rank) if r else "").replace("{file}", re.escape(name))

    def err(self):
        return "\n".join(line for _, line in self.lines)

    def named(self):
        """Was the rank that was killed, stopped, or ended itself, the one that was named?  None:
        nothing to name, as before a rank's first word."""
        if not self.said or self.said[0][0] not in ("kill", "stop", "exit") or self.s.rows[0].point == "start":
            return None
        m = re.search(r"error launch: (rank (\d+))?", self.err())
        return bool(m) and m[2] == self.said[0][3]

    def seen_after(self):
        """Seconds from the first fault until it was said."""
        for t, line in self.lines:
            if self.said and t > float(self.said[0][4]) and re.search(r"error launch: |^orrery \w+: |computed again|are not those of", line):
                return t - float(self.said[0][4])
        return None

    def record(self):
        return {"number": self.s.number, "command": self.s.command, "kind": self.s.kind, "ranks": self.s.ranks, "rows": [list(r) for r in self.s.rows],
                "truncated": self.s.truncated, "made": self.made(), "outcome": self.outcome, "why": self.why, "named": self.named(), "codes": self.codes,
                "seconds": round(self.seconds, 2), "seen": self.seen_after(), "said": [line for _, line in self.lines if "error" in line or "orrery " in line][:6]}


# ---- drawing schedules ----
PHASES = {"train": ["start", "train", "train", "train", "gradients", "reduced", "weights", "evaluate", "save", "end"],
          "cv": ["start", "task", "fold", "fold", "gradients", "evaluate", "save", "wait for the others", "end"],
          "fetch": ["start", "fetch", "fetch", "end"], "crop": ["start", "crop", "crop", "end"]}
# steps of a phase that most ranks come to
REACH = {"train": STEPS, "cv": 10, "fetch": 12, "crop": 6}
OUTPUT = {"train": ["checkpoint-last.h5", "checkpoint-best.h5", "metrics.jsonl", "history.csv", "model.h5", "report.json", "predictions-validation.csv",
                    "predictions-test.csv", "job.yaml"],
          "cv": ["oof.h5", "oof.csv", "test.csv", "report.json", "job.yaml"],
          "fetch": ["frames/", "manifest.csv"], "crop": ["part-0000", "shard-0000", "index.h5", "quarantine.csv"]}
CALLS = {"checkpoint-last.h5": 60, "checkpoint-best.h5": 8, "metrics.jsonl": 5, "history.csv": 6, "frames/": 60, "part-0000": 8, "shard-0000": 8}
KIND_OF = {"train": {"kill": 16, "stop": 6, "exit": 8, "two in turn": 6, "slow": 3, "nan in gradients": 6, "nan in sums": 6, "nan in weights": 6,
                     "flip in weights": 8, "flip in sums": 6, "disk full": 9, "disk fails": 7, "fsync fails": 3, "disk full for a side file": 3,
                     "input fails": 3, "short read": 4, "truncated input": 4},
           "cv": {"kill": 5, "stop": 2, "exit": 3, "disk full": 2, "disk fails": 2, "nan in weights": 1, "flip in weights": 1},
           "fetch": {"kill": 5, "stop": 2, "exit": 3, "disk full": 3, "disk fails": 3},
           "crop": {"kill": 5, "stop": 2, "exit": 3, "disk full": 3, "disk fails": 3}}
SHARES = {"train": 70, "cv": 8, "fetch": 11, "crop": 11}


def pick(rng, shares):
    return rng.choices(list(shares), list(shares.values()))[0]


def place(rng, command, ranks, kind, attempt=1, a=0, b=0):
    """A fault of a process: at a phase, at a buffer, or (one in four) in a call that changes a
    file."""
    rank = rng.randrange(ranks)
    if rng.random() < 0.25:
        name = rng.choice(OUTPUT[command])
        return Row("/" + name, rng.randint(1, CALLS.get(name, 3)), 0 if command in ("train", "cv") else rank, kind, a, b, attempt)
    point = rng.choice(PHASES[command])
    step = -1 if point in ("start", "end", "wait for the others") else rng.randrange(REACH[command])
    return Row(point, step, rank, kind, a, b, attempt)


def draw_rows(rng, command, kind, ranks):
    rank, step, number = rng.randrange(ranks), rng.randrange(REACH[command]), rng.randrange(1 << 30)
    if kind in ("kill", "stop"):
        return [place(rng, command, ranks, kind)]
    if kind == "exit":
        # launch takes a 2 at its word: a job file's mistake
        row = place(rng, command, ranks, kind, a=rng.choice([0, 1, 3, 75, 139]))
        # 1 and 75 from there may be the command's own
        return [row._replace(a=3) if row.point == "start" else row]
    if kind == "two in turn":
        return [place(rng, command, ranks, rng.choice(["kill", "exit", "stop"]), n, a=3) for n in (1, 2)]
    if kind == "slow":
        a, b = rng.choice([(20, 60), (100, 10), (3500, 1)])
        return [Row("train", min(step, 150), rank, "slow", a, b)]
    if kind.startswith(("nan in", "flip in")):
        buffer = {"sums": "reduced"}.get(kind.split()[2], kind.split()[2])
        return [Row(buffer, step, rank, kind.split()[0], number, rng.randrange(32))]
    if kind in ("disk full", "disk fails", "fsync fails", "disk full for a side file"):
        name = rng.choice(["timing.csv", "log.txt", "status.json"] if kind.endswith("side file") else OUTPUT[command])
        if kind == "fsync fails":
            name = rng.choice([n for n in OUTPUT[command] if n.endswith((".h5", ".json"))])
        word = "enospc" if kind.startswith("disk full") else "eio"
        by = rng.randrange(ranks) if command in ("fetch", "crop") else 0
        # the log is opened once, and a run without one does not begin
        first = 2 if name == "log.txt" else 1
        most = 1 if kind == "fsync fails" and name not in ("checkpoint-last.h5",) else CALLS.get(name, 2) // (6 if kind == "fsync fails" else 1)
        return [Row("/" + name, rng.randint(first, max(most, first)), by, word, kind == "fsync fails", rng.randrange(2))]
    if kind == "input fails":
        return [Row(rng.choice(["/index.h5", "/shard-00002.h5"]), rng.randint(1, 3), rank, "eio", 2, 1)]
    if kind == "short read":
        return [Row(rng.choice(["/index.h5", "/shard-0000"]), rng.randint(1, 6), rank, "short", 0, rng.randrange(2))]
    return []


def draw(number, seed, command=None, kind=None):
    rng = random.Random(f"{seed} {number}")
    command = command or pick(rng, SHARES)
    kind = kind or pick(rng, KIND_OF[command])
    ranks = rng.choice([2, 3])
    rows = draw_rows(rng, command, kind, ranks)
    rows = [r._replace(a=int(r.a)) for r in rows]
    truncated = f"shard-0000{rng.randrange(4)}.h5" if kind == "truncated input" else None
    return Schedule(number, command, kind, ranks, rows, truncated)


def build_shim():
    """schedule.c as a shared object, where CMake has not made it."""
    path, source = o.tmp("schedule.so"), os.path.join(os.path.dirname(os.path.abspath(__file__)), "schedule.c")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-std=gnu11", "-D_GNU_SOURCE", "-o", path, source, "-ldl"], check=True)
    return path


# ---- the test: one of each kind ----
def fixed():
    """Every kind once, and the other commands; drawn once, then written down."""
    rows = {
        "kill": (3, [Row("weights", 100, 1, "kill")]),
        "exit": (2, [Row("train", 60, 0, "exit", 3)]),
        "stop": (2, [Row("reduced", 130, 1, "stop")]),
        "two in turn": (2, [Row("/checkpoint-last.h5", 20, 0, "kill", 0, 0, 1), Row("start", -1, 1, "exit", 3, 0, 2)]),
        "slow": (2, [Row("train", 50, 1, "slow", 20, 20)]),
        "nan in gradients": (2, [Row("gradients", 77, 1, "nan", 12345)]),
        "nan in sums": (3, [Row("reduced", 78, 2, "nan", 12345)]),
        # two steps before an evaluation
        "nan in weights": (2, [Row("weights", 66, 1, "nan", 4321)]),
        "flip in weights": (3, [Row("weights", 110, 2, "flip", 999, 3)]),
        "flip in sums": (2, [Row("reduced", 90, 0, "flip", 3001, 22)]),
        # the line of the second epoch
        "disk full": (2, [Row("/history.csv", 5, 0, "enospc", 0, 1)]),
        "disk fails": (2, [Row("/checkpoint-best.h5", 2, 0, "eio", 0, 0)]),
        "fsync fails": (2, [Row("/checkpoint-last.h5", 5, 0, "eio", 1, 0)]),
        "disk full for a side file": (2, [Row("/timing.csv", 2, 0, "enospc", 0, 1)]),
        "input fails": (2, [Row("/shard-00002.h5", 2, 1, "eio", 2, 1)]),
        "short read": (2, [Row("/shard-0000", 1, 1, "short", 0, 1)]),  # all of them
        "truncated input": (2, []),
    }
    assert rows.keys() == KINDS.keys()
    made = [Schedule(0, "train", kind, n, r, "shard-00003.h5" if kind == "truncated input" else None) for kind, (n, r) in rows.items()]
    return made + [
        # between two parameters
        Schedule(0, "train", "nan in gradients", 2, [Row("gradients", 187, 1, "nan", 1003833643)]),
        Schedule(0, "cv", "kill", 2, [Row("fold", 5, 1, "kill")]),
        Schedule(0, "cv", "flip in weights", 2, [Row("weights", 6, 1, "flip", 77, 22)]),
        Schedule(0, "cv", "disk full", 2, [Row("/oof.h5", 2, 0, "enospc", 0, 1)]),
        Schedule(0, "fetch", "kill", 2, [Row("/frames/", 12, 1, "kill")]),
        Schedule(0, "fetch", "disk full", 2, [Row("/frames/", 20, 1, "enospc", 0, 1)]),
        Schedule(0, "crop", "exit", 2, [Row("crop", 1, 1, "exit", 3)]),
        Schedule(0, "crop", "disk fails", 2, [Row("/shard-0000", 3, 1, "eio")]),
    ]


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.jobs = Jobs(sys.argv[1] if len(sys.argv) > 1 else build_shim())

    def test_one_of_each(self):
        for s in fixed():
            with self.subTest(command=s.command, kind=s.kind):
                p = Play(self.jobs, s, o.tmp("play"))
                print(f"{s.command}: {s.kind}: {p.outcome}, {p.seconds:.1f} s", flush=True)
                self.assertNotIn(p.outcome, ("wrong", "hung"), f"{p.why}\n{p.err()}")
                self.assertGreater(p.made(), 0, "the fault was not made: the test tests nothing")
                self.assertIsNot(p.named(), False, p.err())
                if s.ranks == 3 and p.outcome == "machine":  # outvoted, and it alone
                    self.assertRegex(p.err(), rf"the weights of rank {s.rows[0].rank} \(\S+\) are not those of the other ranks")

    def test_what_nobody_can_see(self):
        """A bit of one rank's own gradients, and of the weights where there is one rank: in all
        sums alike.  Other bytes, and nothing is said."""
        for ranks, rows in ((2, [Row("gradients", 77, 1, "flip", 500, 30)]), (1, [Row("weights", 77, 0, "flip", 500, 22)])):
            p = Play(self.jobs, Schedule(0, "train", "flip in sums", ranks, rows), o.tmp("unseen"))
            self.assertEqual((p.outcome, p.codes, p.why[:11]), ("wrong", [0], "other bytes"), p.err())


if __name__ == "__main__":
    if not o.MPIRUN:
        o.skip("this build has no MPI")
    unittest.main(argv=sys.argv[:1], verbosity=2)
