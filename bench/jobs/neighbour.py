"""What a busy neighbour on the same cores costs a training of two threads:
/usr/bin/python3 bench/jobs/neighbour.py NEW [OLD] [rounds=3]
[nets=kepler-cnn,moons,inception] [neighbours=0,1]

NEW and OLD are two builds of orrery.  In each round every one trains every net with 2 threads, and
with 1, on two cores, without a neighbour and beside NEIGHBOURS processes that only spin and may use
the same two cores.  Printed: wall milliseconds a step (the median of the epochs in timing.csv, its
median over the rounds) and processor milliseconds a step (of the whole command, less that of one
without steps), and for the wall time beside a neighbour its ratio to a fair share: k spinning
processes and 2 threads share 2 cores, so that 2 / (2 + k) of them are ours; the time of 1 thread
divided by that many cores, or the time of 2 threads without a neighbour where that is longer.

Sets are made of random numbers; nets are those of the examples."""
import csv
import os
import resource
import statistics
import subprocess
import sys
import tempfile

import numpy as np

MOONS = "layers: [flatten, linear: {units: 64}, tanh, linear: {units: 32}, tanh, linear: {units: 1}]"
# net: shape of a sample, classes, what the job says, batch, steps an epoch, epochs
NETS = {"kepler-cnn": ((3197, 2), 2, "name: kepler-cnn", 24, 30, 5), "moons": ((2,), 2, MOONS, 64, 2000, 5),
        "inception": ((32, 32, 5), 100, "{name: inception, outputs: 100}", 32, 5, 5)}


def make_set(program, folder, net):
    shape, classes, _, batch, _, _ = NETS[net]
    rng, n = np.random.default_rng(0), 4 * batch
    np.savez(os.path.join(folder, net + ".npz"), x=rng.normal(size=(n, *shape)).astype("f4"), y=np.arange(n) % classes)
    words = [f"input.files={net}.npz", "input.label=y", "input.classes=numbers", f"out={net}", "runtime.progress=false"]
    subprocess.run([program, "import", *words], cwd=folder, check=True, capture_output=True)


def write_job(folder, net):
    _, classes, model, batch, steps, epochs = NETS[net]
    with open(os.path.join(folder, net + ".yaml"), "w") as f:
        model = model if model.startswith("{") else "{" + model + "}"
        f.write(f"run: run\ndata: {{train: {net}, epoch_length: {batch * steps}, validation_fraction: 0}}\nmodel: {model}\n"
                f"train: {{epochs: {epochs}, batch: {batch}, lr: 0.0001, clip_norm: 1}}\n")


def train(program, folder, net, threads, run):
    """(wall, processor) milliseconds a step."""
    _, _, _, _, steps, epochs = NETS[net]
    used = []
    for more in (["train.max_steps=1"], []):
        subprocess.run(["rm", "-rf", os.path.join(folder, run)], check=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["taskset", "-c", "0,1", program, "train", net + ".yaml", "run=" + run, f"runtime.threads={threads}", "runtime.progress=false", *more],
                       cwd=folder, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    with open(os.path.join(folder, run, "timing.csv")) as f:
        seconds = [float(row["seconds"]) for row in csv.DictReader(f)][1:]
    return 1e3 * statistics.median(seconds) / steps, 1e3 * (used[1] - used[0]) / (steps * epochs)


def main():
    programs = [os.path.abspath(a) for a in sys.argv[1:] if "=" not in a]
    options = dict(a.split("=") for a in sys.argv[1:] if "=" in a)
    rounds, nets = int(options.get("rounds", 3)), options.get("nets", ",".join(NETS)).split(",")
    counts = [int(k) for k in options.get("neighbours", "0,1").split(",")]
    names = ["new", "old"][:len(programs)]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for net in nets:
            make_set(programs[0], folder, net)
            write_job(folder, net)
        for _ in range(rounds):
            for k in counts:
                others = [subprocess.Popen(["taskset", "-c", "0,1", "sh", "-c", "while :; do :; done"]) for _ in range(k)]
                try:
                    for net in nets:
                        for name, program in zip(names, programs):
                            for threads in (1, 2):
                                found.setdefault((net, name, threads, k), []).append(train(program, folder, net, threads, "run"))
                finally:
                    for p in others:
                        p.kill()
                        p.wait()
    print("| net | program | threads | neighbours | wall, ms a step | processor, ms a step | of a fair share |\n|---|---|---|---|---|---|---|")
    middle = {key: [statistics.median(x) for x in zip(*v)] for key, v in found.items()}
    for (net, name, threads, k), (wall, processor) in middle.items():
        ratio = ""
        if k and (net, name, 1, 0) in middle:
            one, two = middle[net, name, 1, 0][0], middle[net, name, 2, 0][0]
            cores = 2 * threads / (threads + k)
            fair = one / min(1, cores) if threads == 1 else max(two, one / cores)
            ratio = f"{wall / fair:.2f}"
        print(f"| {net} | {name} | {threads} | {k} | {wall:.3f} | {processor:.3f} | {ratio} |")


if __name__ == "__main__":
    main()
