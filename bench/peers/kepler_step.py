"""One training step of the Kepler CNN in PyTorch on the CPU: eager and torch.compile, median and best milliseconds, and the
median processor time, which a busy machine disturbs least (one thread).

    kepler_step.py [--threads N] [--batch 24] [--steps 60] [--no-compile]

Conv1d 2-6 k3, ReLU, MaxPool 3, BN6; Conv1d 6-16 k3, ReLU, MaxPool 3, BN16; 5664-500-64-1.  Adam (lr 1e-5), gradient clipped to
norm 1, binary cross-entropy on logits: the same work as bench_nn_step.
"""
import argparse
import statistics
import time

import torch
from torch import nn


def model():
    return nn.Sequential(
        nn.Conv1d(2, 6, 3), nn.ReLU(), nn.MaxPool1d(3), nn.BatchNorm1d(6),
        nn.Conv1d(6, 16, 3), nn.ReLU(), nn.MaxPool1d(3), nn.BatchNorm1d(16),
        nn.Flatten(), nn.Linear(5664, 500), nn.ReLU(), nn.Linear(500, 64), nn.ReLU(), nn.Linear(64, 1))


def stepper(net, batch):
    x, t = torch.randn(batch, 2, 3197), torch.randint(0, 2, (batch, 1)).float()
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-5)
    loss_of = nn.BCEWithLogitsLoss()

    def step():
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of(net(x), t)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        return loss

    return step


def timing(step, n):
    for _ in range(10):
        step()
    times, cpu = [], []
    for _ in range(n):
        start, busy = time.perf_counter(), time.process_time()
        step()
        times.append(time.perf_counter() - start)
        cpu.append(time.process_time() - busy)
    return f"median {1e3 * statistics.median(times):.3f} ms   best {1e3 * min(times):.3f} ms   " \
        f"processor time: median {1e3 * statistics.median(cpu):.3f} ms"


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--batch", type=int, default=24)
    p.add_argument("--steps", type=int, default=60)
    p.add_argument("--no-compile", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {a.threads} threads, batch {a.batch}")
    print(f"eager    {timing(stepper(model(), a.batch), a.steps)}")
    if not a.no_compile:
        step = torch.compile(stepper(model(), a.batch))
        print(f"compiled {timing(step, a.steps)}")


if __name__ == "__main__":
    main()
