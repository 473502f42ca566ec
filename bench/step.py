"""One training step, Orrery and PyTorch in turn: python3 bench/step.py BENCH_NN_STEP PYTHON [threads=1] [rounds=9] [model=kepler-cnn] [batch=24]

BENCH_NN_STEP is the program of bench/nn/step.c, PYTHON an interpreter with the current torch.  Each round runs some steps of
every contestant, one after the other; a contestant's figure is the median of its rounds' medians, the ratio that of the medians.
Claims (same batch, same threads): Kepler CNN >= 3 x eager and >= 1.5 x torch.compile; moons >= 20 x."""
import os
import re
import statistics
import subprocess
import sys

VARIANTS = ["eager", "eager-fused", "compile", "compile-fused", "compile-all"]


def main():
    words = [a for a in sys.argv[1:] if "=" not in a]
    options = dict(a.split("=") for a in sys.argv[1:] if "=" in a)
    name, threads, rounds = options.get("model", "kepler-cnn"), options.get("threads", "1"), int(options.get("rounds", 9))
    batch = options.get("batch", "64" if name == "moons" else "24")
    steps = 400 if name == "moons" else 20
    env = {**os.environ, "OMP_NUM_THREADS": threads}
    peer = subprocess.Popen([words[1], os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers", "step.py"), name, batch, threads],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    ours = {"orrery, 8 leaves": "8", "orrery, 1 leaf": "1"}
    figures = {k: [] for k in [*ours, *VARIANTS]}
    for _ in range(rounds):
        for k, leaves in ours.items():
            out = subprocess.run([words[0], name, batch, threads, leaves, "1"], capture_output=True, text=True, check=True, env=env).stdout
            figures[k].append(float(re.search(r"^step +median +([\d.]+)", out, re.M)[1]))
        for k in VARIANTS:
            peer.stdin.write(f"{k} {steps}\n")
            peer.stdin.flush()
            figures[k].append(statistics.median(float(t) for t in peer.stdout.readline().split()))
    peer.stdin.close()
    peer.wait()
    base = statistics.median(figures["orrery, 8 leaves"])
    print(f"{name}, batch {batch}, {threads} threads, {rounds} rounds in turn")
    for k, v in figures.items():
        m = statistics.median(v)
        print(f"  {k:<18}{m:10.4f} ms a step (rounds {min(v):.4f} to {max(v):.4f})   {m / base:7.2f} x orrery's")


if __name__ == "__main__":
    main()
