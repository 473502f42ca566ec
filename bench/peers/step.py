"""Training steps of the built-in nets in PyTorch on the CPU, on request: bench/step.py talks to
this.

    step.py MODEL BATCH THREADS [PRECISION [CLOCK]]     then, a line each on standard input: VARIANT
    STEPS; answers with the steps' milliseconds

Variants: eager (Adam as it comes), eager-fused (Adam(fused=True)), channels-last (the same with
memory_format=channels_last), compile (torch.compile of the model), compile-fused (both),
compile-all (loss, backward and optimiser within torch.compile, too).  precision=bf16 puts the
forward pass and the loss within torch.autocast("cpu", torch.bfloat16).  CLOCK: wall or processor.
Adam lr 1e-5, gradient clipped to norm 1, cross-entropy on logits."""
import sys
import time

import torch
from torch import nn


def block(a, b):
    return [nn.Conv1d(a, b, 3), nn.ReLU(), nn.MaxPool1d(3), nn.BatchNorm1d(b)]


class SamePool(nn.Module):
    """2x2, stride 1, output as large as the input; pixels outside do not count (TensorFlow's
    SAME)."""

    def forward(self, x):
        return nn.functional.avg_pool2d(x, 2, 1, padding=1, count_include_pad=False)[:, :, 1:, 1:]


class Inception(nn.Module):
    def __init__(self, c, a, b, act, five=True):
        super().__init__()
        conv = lambda i, o, k: nn.Sequential(nn.Conv2d(i, o, k, padding=k // 2), act(o))
        self.one = conv(c, b, 1)
        self.three = nn.Sequential(conv(c, a, 1), conv(a, b, 3))
        self.five = nn.Sequential(conv(c, a, 1), conv(a, b, 5)) if five else None
        self.pool = nn.Sequential(conv(c, a, 1), SamePool())
        self.width = b * (3 if five else 2) + a

    def forward(self, x):
        parts = [self.one(x), self.three(x), self.pool(x)] if self.five is None else [self.one(x), self.five(x), self.three(x), self.pool(x)]
        return torch.cat(parts, 1)


def trunk(act, widths):
    """widths: (a, b, five, pool after it) of the inceptions."""
    layers, c = [nn.Conv2d(5, 64, 5, padding=2), act(64), nn.AvgPool2d(2)], 64
    for a, b, five, pool in widths:
        layers.append(Inception(c, a, b, act, five))
        c = layers[-1].width
        if pool:
            layers.append(nn.AvgPool2d(2))
    return layers + [nn.Flatten()], c


class Pasquet(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [(48, 64, True, False), (64, 92, True, True), (92, 128, True, False), (92, 128, True, True), (92, 128, False, False)]
        layers, c = trunk(nn.PReLU, widths)
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(8 * 8 * c + 1, 1096), nn.ReLU(), nn.Linear(1096, 1096), nn.ReLU(), nn.Linear(1096, 180))

    def forward(self, x, aux):
        return self.head(torch.cat([self.trunk(x), aux], 1))


def model(name):
    if name == "kepler-cnn":
        return nn.Sequential(*block(2, 6), *block(6, 16), nn.Flatten(), nn.Linear(5664, 500), nn.ReLU(), nn.Linear(500, 64), nn.ReLU(),
                             nn.Linear(64, 1))
    if name == "kepler-cnn2":
        return nn.Sequential(*block(2, 8), *block(8, 16), *block(16, 32), *block(32, 64), nn.Flatten(), nn.Dropout(0.5), nn.Linear(2432, 250),
                             nn.ReLU(), nn.Dropout(0.25), nn.Linear(250, 64), nn.ReLU(), nn.Linear(64, 1))
    if name == "inception":
        layers, c = trunk(lambda _: nn.LeakyReLU(0.3), [(48, 64, True, True), (92, 128, True, True), (92, 128, False, False)])
        return nn.Sequential(*layers, nn.Linear(16 * c, 100))
    if name == "pasquet":
        return Pasquet()
    return nn.Sequential(nn.Linear(2, 20), nn.ReLU(), nn.Dropout(0.3), nn.Linear(20, 1))


SHAPES = {"kepler-cnn": (2, 3197), "kepler-cnn2": (2, 3197), "moons": (2,), "inception": (5, 32, 32), "pasquet": (5, 64, 64)}
CLASSES = {"inception": 100, "pasquet": 180}


def stepper(name, batch, variant, precision):
    net = model(name)
    inputs = [torch.randn(batch, *SHAPES[name])]
    if name == "pasquet":
        inputs.append(torch.randn(batch, 1))
    if variant.startswith("channels-last") or (variant.startswith("compile") and len(SHAPES[name]) == 3):
        net = net.to(memory_format=torch.channels_last)
        inputs[0] = inputs[0].to(memory_format=torch.channels_last)
    if name in CLASSES:
        target, loss_of = torch.arange(batch) % CLASSES[name], nn.CrossEntropyLoss()
    else:
        target, loss_of = (torch.arange(batch) % 2).float()[:, None], nn.BCEWithLogitsLoss()
    fused = True if variant.endswith("fused") or variant == "channels-last" else None
    adam = torch.optim.Adam(net.parameters(), lr=1e-5, fused=fused)
    run = torch.compile(net) if variant.startswith("compile") and variant != "compile-all" else net

    def step():
        adam.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            out = run(*inputs)
        loss = loss_of(out.float(), target)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()

    return torch.compile(step) if variant == "compile-all" else step


def main():
    name, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    precision = sys.argv[4] if len(sys.argv) > 4 else "fp32"
    clock = time.process_time if sys.argv[5:] == ["processor"] else time.perf_counter
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    steps = {}
    for line in sys.stdin:
        variant, n = line.split()
        if variant not in steps:
            steps[variant] = stepper(name, batch, variant, precision)
            for _ in range(5):
                steps[variant]()
        times = []
        for _ in range(int(n)):
            start = clock()
            steps[variant]()
            times.append(1e3 * (clock() - start))
        print(*times, flush=True)


if __name__ == "__main__":
    main()
