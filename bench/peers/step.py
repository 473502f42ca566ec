"""Training steps of the Kepler nets and the moons net in PyTorch on the CPU, on request: bench/step.py talks to this.

    step.py MODEL BATCH THREADS     then, a line each on standard input: VARIANT STEPS; answers with the steps' milliseconds

Variants: eager (Adam as it comes), eager-fused (Adam(fused=True)), compile (torch.compile of the model), compile-fused (both), compile-all (loss, backward
and optimiser within torch.compile, too).  Adam lr 1e-5, gradient clipped to norm 1, binary cross-entropy on logits."""
import sys
import time

import torch
from torch import nn


def block(a, b):
    return [nn.Conv1d(a, b, 3), nn.ReLU(), nn.MaxPool1d(3), nn.BatchNorm1d(b)]


def model(name):
    if name == "kepler-cnn":
        return nn.Sequential(*block(2, 6), *block(6, 16), nn.Flatten(), nn.Linear(5664, 500), nn.ReLU(), nn.Linear(500, 64), nn.ReLU(),
                             nn.Linear(64, 1))
    if name == "kepler-cnn2":
        return nn.Sequential(*block(2, 8), *block(8, 16), *block(16, 32), *block(32, 64), nn.Flatten(), nn.Dropout(0.5), nn.Linear(2432, 250),
                             nn.ReLU(), nn.Dropout(0.25), nn.Linear(250, 64), nn.ReLU(), nn.Linear(64, 1))
    return nn.Sequential(nn.Linear(2, 20), nn.ReLU(), nn.Dropout(0.3), nn.Linear(20, 1))


def stepper(name, batch, variant):
    net = model(name)
    x = torch.randn(batch, 2) if name == "moons" else torch.randn(batch, 2, 3197)
    target = (torch.arange(batch) % 2).float()[:, None]
    adam = torch.optim.Adam(net.parameters(), lr=1e-5, fused=True if variant.endswith("fused") else None)
    loss_of = nn.BCEWithLogitsLoss()
    run = torch.compile(net) if variant.startswith("compile") and variant != "compile-all" else net

    def step():
        adam.zero_grad(set_to_none=True)
        loss = loss_of(run(x), target)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()

    return torch.compile(step) if variant == "compile-all" else step


def main():
    name, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    steps = {}
    for line in sys.stdin:
        variant, n = line.split()
        if variant not in steps:
            steps[variant] = stepper(name, batch, variant)
            for _ in range(5):
                steps[variant]()
        times = []
        for _ in range(int(n)):
            start = time.perf_counter()
            steps[variant]()
            times.append(1e3 * (time.perf_counter() - start))
        print(*times, flush=True)


if __name__ == "__main__":
    main()
