"""The tables of docs/faults.md: python3 bench/jobs/faults.py ORRERY [tries=10] [alone=60]
[only=WORD]

Every fault is made TRIES times in a job under `orrery launch`, with a little time to work before
it, and once under mpirun alone, which is given ALONE seconds to end.  Seconds from the fault,
median (least - most): until launch names it, until all of the job is gone (launch starts again),
until the job gets on (training: the first step; else what it has made grows).  Steps lost: of a
training, since its last checkpoint.  Two hosts need root. only= : just the rows whose name holds
that word."""
import importlib
import os
import random
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIRST = "first step"
LENGTH, BATCH = 24000, 22  # samples of an epoch and of a step


def set_up(program):
    os.environ.update({"ORRERY": os.path.abspath(program), "ORRERY_SOURCE_DIR": ROOT, "ORRERY_MPIRUN": os.environ.get("ORRERY_MPIRUN", "mpirun"),
                       "OMPI_MCA_mpi_yield_when_idle": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMP_NUM_THREADS": "1",
                       "OMP_WAIT_POLICY": "passive", "no_proxy": "127.0.0.1"})
    if os.geteuid() == 0:
        os.environ.update({"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"})
    sys.path.insert(0, os.path.join(ROOT, "tests", "jobs"))
    return [importlib.import_module(name) for name in ("orrery", "supervised", "web", "fetch", "crop", "cv", "launch")]


class Work:
    """A command with a folder of its own for every try."""

    def __init__(self, words, word, progress, result, whole):
        self.words, self.word, self.progress, self.result, self.whole = words, word, progress, result, whole


def trainings():
    train, test = o.small_kepler()
    job = o.job("measured.yaml", train, test, "  checkpoint_steps: 17\nrestart: {max: 9}", data=f"  epoch_length: {LENGTH}")
    o.orrery("train", job, "run=" + o.tmp("whole"))
    whole = o.results(o.tmp("whole"))
    return lambda run: Work(["train", job, "run=" + run], "run=" + run, lambda: s.saved(run), lambda: o.results(run), whole)


def validations():
    train, test = o.small_kepler()
    o.write("shared.yaml", cv.SHARED.format(train=train, test=test, kernels=o.KERNELS[8:]))
    words = ["cv", o.write("cv.yaml", cv.JOB.format(folds=4, more=", seeds: [1, 5]", kernels=o.KERNELS[8:])), "data.epoch_length=9000",
             "train.checkpoint_steps=20"]
    o.orrery(*words, "run=" + o.tmp("cv-whole"))
    whole = cv.results(o.tmp("cv-whole"))
    return lambda run: Work([*words, "run=" + run], "run=" + run, lambda: tests.validation_progress(run), lambda: cv.results(run), whole)


def fetches(url=None, rate=0.15):
    frames, catalogue = web.survey(o.tmp("archive"), random.Random(2), fields=30)
    url = url or web.Nginx(o.tmp("archive")).url
    return lambda folder: Work(fetch.words(url, catalogue, folder, **{"archive.rate_mib": rate}), "archive.folder=" + folder,
                               lambda: len(fetch.frames_in(folder)), lambda: fetch.frames_in(folder), frames)


def crops():
    crop.write_catalogue("survey.csv", crop.make_survey())
    job = crop.job("crop.yaml", "unset")
    o.orrery("crop", job, "part_fields=1", "out=" + o.tmp("crop-whole"))
    whole, server = o.tree(o.tmp("crop-whole")), web.Nginx(o.tmp("frames"))

    def work(out):
        words = ["crop", job, "part_fields=1", "out=" + out, "stream=true", f"archive.url={server.url}{crop.TEMPLATE}", "archive.rate_mib=0.1"]
        return Work(words, "out=" + out, lambda: len(crop.records(out)), lambda: o.tree(out), whole)
    return work


# ---- one try ----
def wait_until(what, seconds):
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.01)
    return time.monotonic()


def lost(line, j):
    """Steps of a training between the one that the sentence names and the one it goes on from."""
    at, on = re.search(r"in (?:train|save), step (\d+)", line or ""), re.search(r"going on from epoch (\d+), step (\d+)", j.err())
    if not re.search(r"(^|[ '])train($|[ '])", " ".join(j.p.args)) or not at or not on:
        return None
    return max(0, int(at[1]) - (int(on[1]) - 1) * -(-LENGTH // BATCH) - int(on[2]) + 1)


def try_launched(start, work, fault, mend):
    j = start(work)
    j.at_work(2, work.progress)
    since = time.monotonic()
    fault(j)
    wait_until(lambda: j.said("starts again", since)[0] is not None or j.p.poll() is not None, 60)
    named, line = j.said("error launch: ", since)
    gone = j.said("starts again", since)[0]
    before = work.progress()
    on = wait_until(lambda: j.said(FIRST, since)[0] is not None or work.progress() != before or j.p.poll() is not None, 60) - since
    first = j.said(FIRST, since)[0]
    code = j.wait(300)
    mend()
    same = code == 0 and work.result() == work.whole
    return {"named": named, "gone": gone, "on": first if first is not None else on, "same": same, "line": line, "lost": lost(line, j)}


def try_alone(start, work, fault, mend, seconds):
    j = start(work)
    j.at_work(2, work.progress)
    since = time.monotonic()
    fault(j)
    try:
        code = j.p.wait(seconds)
        said = f"ends after {time.monotonic() - since:.1f} s, exit code {code}"
        if code == 0:
            said += ", same bytes" if work.result() == work.whole else ", other bytes"
    except subprocess.TimeoutExpired:
        said = f"not ended after {seconds} s"
    j.end()
    mend()
    return said


def spread(values):
    values = sorted(v for v in values if v is not None)
    return f"{values[len(values) // 2]:.2f} ({values[0]:.2f} - {values[-1]:.2f})" if values else "-"


def row(name, make, tries, seconds, start, start_alone, fault, mend=lambda: None):
    where = name.replace(" ", "-").replace(",", "")
    got = [try_launched(start, make(o.tmp(f"{where}-{i}")), fault, mend) for i in range(tries)]
    alone = try_alone(start_alone, make(o.tmp(f"{where}-alone")), fault, mend, seconds)
    steps = [g["lost"] for g in got if g["lost"] is not None]
    print(f"| {name} | {spread([g['named'] for g in got])} | {spread([g['gone'] for g in got])} | {spread([g['on'] for g in got])} | {max(steps) if steps else '-'} | "
          f"same bytes, {sum(g['same'] for g in got)} of {tries} | {alone} |", flush=True)
    print(f"    {got[0]['line']}", file=sys.stderr, flush=True)


# ---- the tables ----
def main():
    tries, seconds, only = int(options.get("tries", 10)), float(options.get("alone", 60)), options.get("only", "")
    kill, stop = signal.SIGKILL, signal.SIGSTOP
    print("| fault | named after | all gone after | gets on after | steps lost, most | outcome | `mpirun` alone, once |\n|---|---|---|---|---|---|---|")

    def launched(work):
        return s.Job([o.ORRERY, "launch", "ranks=2", *work.words], work.word)

    def alone(work):
        return s.Job(o.argv(2, *work.words), work.word)

    faults = [("SIGKILL of a rank", lambda j: s.send(kill, j.ranks()[1])), ("SIGSTOP of a rank", lambda j: s.send(stop, j.ranks()[1]))]
    more = [("SIGKILL of `mpirun`", lambda j: s.send(kill, s.mpirun_of(j.word))), ("SIGSTOP of `mpirun`", lambda j: s.send(stop, s.mpirun_of(j.word)))]
    for command, make, list_ in (("train", trainings, faults + more), ("cv", validations, faults), ("fetch", fetches, faults), ("crop", crops, faults)):
        wanted = [(f"{command}: {name}", fault) for name, fault in list_ if only in f"{command}: {name}"]
        made = make() if wanted else None
        for name, fault in wanted:
            row(name, made, tries, seconds, launched, alone, fault)
    why = s.no_namespaces()
    if why:
        print("no rows about two hosts:", why, file=sys.stderr)
        return
    on_two_hosts(tries, seconds, only)


def on_two_hosts(tries, seconds, only):
    two = s.TwoHosts()

    def launched(work):
        return two.launch(work.word, (1, 1), *work.words)

    def alone(work):
        return two.start(work.word, *two.mpirun().split(), "-n", "2", "--host", f"{two.a}:1,{two.b}:1", o.ORRERY, *work.words)

    def freeze(_):
        s.send(signal.SIGSTOP, *two.pids(two.b))

    def thaw():
        s.send(signal.SIGCONT, *two.pids(two.b))
        wait_until(lambda: not two.pids(two.b), 30)
        two.cable("up")

    def served():
        server.append(subprocess.Popen(["ip", "netns", "exec", two.a, sys.executable, "-m", "http.server", "8000", "--bind", two.net + ".1", "--directory",
                                        o.tmp("archive")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return fetches(f"http://{two.net}.1:8000")

    server = []
    try:
        for name, make, fault in (("train: cable pulled", trainings, lambda _: two.cable("down")), ("cv: cable pulled", validations, lambda _: two.cable("down")),
                                  ("fetch: cable pulled", served, lambda _: two.cable("down")), ("train: host frozen", trainings, freeze)):
            if only in name:
                row(name, make(), tries, seconds, launched, alone, fault, thaw)
    finally:
        for p in server:
            p.kill()
            p.wait()
        two.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    options = dict(a.split("=", 1) for a in sys.argv[2:])
    o, s, web, fetch, crop, cv, tests = set_up(sys.argv[1])
    main()
