"""One training step, Orrery and PyTorch in turn: python3 bench/step.py BENCH_NN_STEP PYTHON
[model=kepler-cnn] [batch=24] [threads=1] [rounds=9] [precision=fp32] [variants=a,b] [clock=wall]

BENCH_NN_STEP is the program of bench/nn/step.c, PYTHON an interpreter with the current torch.  Each
round runs some steps of every contestant, one after the other; a contestant's figure is the median
of its rounds' medians, the ratio that of the medians. clock=processor counts processor time
instead: the better figure of one thread on a busy machine. precision=bf16: Orrery's kernels
"cpu-bf16" against torch.autocast, with Orrery in fp32 beside them. Claims (same batch, same
threads): Kepler CNN >= 3 x eager and >= 1.5 x torch.compile; moons >= 20 x; inception >= 1.3 x
eager in channels-last and >= 1.0 x torch.compile."""
import os
import re
import statistics
import subprocess
import sys

VARIANTS = ["eager", "eager-fused", "compile", "compile-fused", "compile-all"]
IMAGES = ["eager", "channels-last", "compile", "compile-fused"]
BATCH = {"moons": 64, "inception": 32, "pasquet": 32}
STEPS = {"moons": 400, "inception": 8, "pasquet": 2}


def main():
    words = [a for a in sys.argv[1:] if "=" not in a]
    options = dict(a.split("=") for a in sys.argv[1:] if "=" in a)
    name, threads, rounds = options.get("model", "kepler-cnn"), options.get("threads", "1"), int(options.get("rounds", 9))
    precision, clock = options.get("precision", "fp32"), options.get("clock", "wall")
    batch, steps = options.get("batch", str(BATCH.get(name, 24))), STEPS.get(name, 20)
    variants = IMAGES if name in ("inception", "pasquet") else VARIANTS
    if "variants" in options:
        variants = options["variants"].split(",")
    env = {**os.environ, "OMP_NUM_THREADS": threads}
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers", "step.py")
    peer = subprocess.Popen([words[1], script, name, batch, threads, precision, clock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    ours = {"orrery, 8 leaves": ["8", "1", "cpu"], "orrery, 1 leaf": ["1", "1", "cpu"]}
    if precision == "bf16":
        ours = {"orrery, bf16": ["8", "1", "cpu-bf16"], "orrery, fp32": ["8", "1", "cpu"]}
    line = r"^processor +median +([\d.]+)" if clock == "processor" else r"^step +median +([\d.]+)"
    figures = {k: [] for k in [*ours, *variants]}
    for _ in range(rounds):
        for k, arguments in ours.items():
            out = subprocess.run([words[0], name, batch, threads, *arguments], capture_output=True, text=True, check=True, env=env).stdout
            figures[k].append(float(re.search(line, out, re.M)[1]))
        for k in variants:
            peer.stdin.write(f"{k} {steps}\n")
            peer.stdin.flush()
            figures[k].append(statistics.median(float(t) for t in peer.stdout.readline().split()))
    peer.stdin.close()
    peer.wait()
    base = figures[next(iter(ours))]
    print(f"{name}, {precision}, batch {batch}, {threads} threads, {rounds} rounds in turn, {clock} time")
    for k, v in figures.items():
        m = statistics.median(v)
        ratios = statistics.median(a / b for a, b in zip(v, base))
        print(f"  {k:<18}{m:10.4f} ms a step (rounds {min(v):.4f} to {max(v):.4f})   {m / statistics.median(base):7.2f} x "
              f"{next(iter(ours))}'s; round by round {ratios:.2f}, of the best {min(v) / min(base):.2f}")


if __name__ == "__main__":
    main()
