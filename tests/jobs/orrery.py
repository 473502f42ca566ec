"""What the tests of whole commands share: running orrery, small surveys, comparing runs."""
import atexit
import concurrent.futures
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ORRERY = os.environ["ORRERY"]
MPIRUN = os.environ.get("ORRERY_MPIRUN") or ""
SOURCE = os.environ["ORRERY_SOURCE_DIR"]
KERNELS = "kernels=" + os.environ.get("ORRERY_KERNELS", "cpu")
DEADLINE = 240  # seconds: a command that takes longer hangs

_tmp = tempfile.mkdtemp(prefix="orrery-test-")
atexit.register(shutil.rmtree, _tmp, ignore_errors=True)


def tmp(name=""):
    return os.path.join(_tmp, name)


def shared_data():
    """The folder of real data, or None (a user's machine has none)."""
    for path in (os.environ.get("ORRERY_DATA"), os.path.join(SOURCE, "..", "shared", "data")):
        if path and os.path.isdir(path):
            return os.path.abspath(path)
    return None


class Beside(unittest.TestSuite):
    """The tests of a class, AT_ONCE at a time: for those that mostly wait, in folders of their
    own."""
    AT_ONCE = 3

    def run(self, result, debug=False):
        cases = list(self)
        if not cases or not all(isinstance(c, unittest.TestCase) for c in cases):
            return super().run(result, debug)
        kind = type(cases[0])
        kind.setUpClass()
        with concurrent.futures.ThreadPoolExecutor(self.AT_ONCE) as pool:
            list(pool.map(lambda case: case.run(result), cases))
        kind.tearDownClass()
        kind.doClassCleanups()
        return result


def main_beside(argv=None):
    """unittest.main, with tests of a class beside one another."""
    loader = unittest.TestLoader()
    loader.suiteClass = Beside
    unittest.main(argv=argv, testLoader=loader)


def skip(reason):
    print("skipped:", reason)
    sys.exit(77)


def argv(ranks, *args):
    words = [ORRERY, *map(str, args)]
    if ranks:
        words = [MPIRUN, "--oversubscribe", "--bind-to", "none", "-n", str(ranks), *words]
    return words


HOLD = None  # hold.c, for scripts that hold files


def holding(env=None):
    """The environment of a process that waits where a file is held."""
    return {**os.environ, **(env or {}), "LD_PRELOAD": HOLD}


class Hold:
    """Holds a file: a process of holding() that opens it waits there until it is released."""

    def __init__(self, path):
        self.path = path
        open(path + ".hold", "wb").close()

    def wait(self, process):
        """Returns when somebody waits."""
        end = time.monotonic() + 60
        while not os.path.exists(self.path + ".held"):
            assert process.poll() is None and time.monotonic() < end, "nobody opens the file"
            time.sleep(0.01)

    def release(self):
        for name in (self.path + ".hold", self.path + ".held"):
            if os.path.exists(name):
                os.remove(name)

    restore = release


class Result:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds


def orrery(*args, ranks=0, code=0, env=None, cwd=None, deadline=DEADLINE):
    """Runs a command (ranks 0: without mpirun) and checks its exit code; a hang is a failure."""
    begin = time.monotonic()
    # mpirun need not give the other ranks of one that failed a second between SIGTERM and SIGKILL
    if ranks and code != 0:
        env = {"OMPI_MCA_odls_base_sigkill_timeout": "0", **(env or {})}
    p = subprocess.Popen(argv(ranks, *args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd or _tmp,
                         env={**os.environ, **(env or {})}, start_new_session=True)
    try:
        out, err = p.communicate(timeout=deadline)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        out, err = p.communicate()
        raise AssertionError(f"hangs: orrery {args} on {ranks} ranks\n{out}\n{err}")
    r = Result(p.returncode, out, err, time.monotonic() - begin)
    if code is not None and r.code != code:
        raise AssertionError(f"orrery {' '.join(map(str, args))} on {ranks} ranks: exit code {r.code}, not {code}\n{out}\n{err}")
    return r


def sha(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def tree(folder):
    """{name: sha256} of the files in a folder."""
    return {n: sha(os.path.join(folder, n)) for n in sorted(os.listdir(folder)) if os.path.isfile(os.path.join(folder, n))}


# What of a run must not depend on ranks, stops or clocks.
RESULTS = ["job.yaml", "metrics.jsonl", "history.csv", "checkpoint-last.h5", "checkpoint-best.h5", "model.h5", "report.json",
           "predictions-validation.csv", "predictions-test.csv"]


def results(run):
    return {n: sha(os.path.join(run, n)) for n in RESULTS if os.path.exists(os.path.join(run, n))}


def write(name, text):
    path = tmp(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    return path


def edit(path, old, new):
    with open(path) as f:
        text = f.read()
    assert old in text
    with open(path, "w") as f:
        f.write(text.replace(old, new))
    return path


def small_kepler(stars=240, samples=300, positives=0.3):
    """A small stand-in survey as shard sets; returns (train, test)."""
    if not os.path.exists(tmp("survey")):
        orrery("synth", "kepler", "out=" + tmp("survey"), f"stars={stars}", "test_stars=60", f"samples={samples}",
               f"positives={positives}")
        for part in ("train", "test"):
            orrery("import", os.path.join(SOURCE, "examples/kepler/import.yaml"), f"input.files={tmp('survey')}/{part}.csv",
                   "out=" + tmp(part), "shard_mib=0.05")
    return tmp("train"), tmp("test")


# Convolutions (one whose gradient is finished after the reduction), both kinds of batch norm,
# dropout, a branch and a sum: everything that could see the number of ranks.
LAYERS = """
    - conv1d: {filters: 8, size: 5}
    - batch_norm
    - relu
    - max_pool1d: {size: 4, name: trunk}
    - conv1d: {filters: 8, size: 3, padding: same, symmetric: true, name: left}
    - conv1d: {filters: 8, size: 1, input: trunk, name: right}
    - add: {inputs: [left, right]}
    - batch_norm: {over: batch}
    - prelu
    - flatten
    - dropout: {rate: 0.25}
    - linear: {units: 20}
    - relu
    - linear: {units: 1}
"""


def job(name, train, test, extra="", layers=LAYERS, data=""):
    return write(name, f"""
run: runs/unset
data:
  train: {train}
  test: {test}
  validation_fraction: 0.2
  transforms:
    - standardise: {{per: sample}}
    - moving_average: {{window: 20}}
  augment:
    - roll: {{max: 0}}
    - noise: {{sigma: 0.01}}
{data}
model:
  layers: {layers}
  kernels: {KERNELS[8:]}
train:
  epochs: 3
  batch: 22
  leaves: 8
  lr: 0.002
  clip_norm: 1.0
  select: auc
{extra}
runtime: {{threads: 1, progress: false}}
""")
