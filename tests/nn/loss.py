"""Losses, gradients and links against torch:  loss.py DUMP_TRAINING TOLERANCE"""
import sys

import torch
import torch.nn.functional as F

import cases

torch.manual_seed(3)
N = 37


def double(t):
    return t.float().double()


def asked(kind, x, y, n_classes, pos_weight, bins=(0, 0, 0), smoothing=0):
    """The mean is over a batch twice as large as the samples here, as on two ranks."""
    ints = [kind, N, x.shape[1], n_classes, 2 * N, bins[0]]
    return cases.case("loss", ints, [pos_weight, *bins[1:], smoothing], [x.detach(), y])


def wanted(each, x, link):
    (dx,) = torch.autograd.grad(each.sum() / (2 * N), x)
    sums = torch.stack([each[: N // 3].sum(), each[N // 3 :].sum()])
    return [("sums", sums), ("each", each), ("dx", dx), ("link", link)]


def bce(scale, pos_weight, smoothing=0):
    x = double(scale * torch.randn(N, 1)).requires_grad_()
    y = torch.randint(0, 2, (N, 1)).double()
    weight = torch.tensor([pos_weight], dtype=torch.float64)
    soft = y * (1 - smoothing) + smoothing / 2
    each = F.binary_cross_entropy_with_logits(x, soft, reduction="none", pos_weight=weight)[:, 0]
    return f"bce {scale} {pos_weight} {smoothing}", asked(0, x, y, 2, pos_weight, smoothing=smoothing), wanted(each, x, torch.sigmoid(x))


def ce(scale, n_classes, smoothing=0):
    x = double(scale * torch.randn(N, n_classes)).requires_grad_()
    y = torch.randint(0, n_classes, (N,))
    each = F.cross_entropy(x, y, reduction="none", label_smoothing=smoothing)
    return f"ce {scale} {n_classes} {smoothing}", asked(1, x, y, n_classes, 1, smoothing=smoothing), wanted(each, x, F.softmax(x, 1))


def mse(width):
    x = double(torch.randn(N, width)).requires_grad_()
    y = double(torch.randn(N, width))
    each = F.mse_loss(x, y, reduction="none").mean(1)
    return f"mse {width}", asked(2, x, y, 0, 1), wanted(each, x, x)


def targets(lo, hi, n_bins):
    """Within the bins, on some edges of theirs, and at both ends."""
    z = double(lo + (hi - lo) * torch.rand(N))
    edges = torch.linspace(lo, hi, n_bins + 1).double()
    z[:4] = double(edges[torch.tensor([0, 1, n_bins // 2, n_bins])])
    return z.clamp(lo, hi)


def binned_ce(scale, lo, hi, n_bins):
    x = double(scale * torch.randn(N, n_bins)).requires_grad_()
    z = targets(lo, hi, n_bins)
    bins = ((z - lo) / (hi - lo) * n_bins).long().clamp(max=n_bins - 1)
    each = F.cross_entropy(x, bins, reduction="none")
    return f"binned ce {scale} {n_bins}", asked(1, x, z, 0, 1, (n_bins, lo, hi)), wanted(each, x, F.softmax(x, 1))


def expected_mse(scale, lo, hi, n_bins):
    x = double(scale * torch.randn(N, n_bins)).requires_grad_()
    z = targets(lo, hi, n_bins)
    edges = torch.linspace(lo, hi, n_bins + 1, dtype=torch.float64)
    centres = (edges[1:] + edges[:-1]) / 2
    p = F.softmax(x, 1)
    each = (z - p @ centres) ** 2
    return f"expected mse {scale} {n_bins}", asked(3, x, z, 0, 1, (n_bins, lo, hi)), wanted(each, x, p)


def simpson(a, b, f):
    """Exact for the squares of a straight line."""
    return (b - a) / 6 * (f(a) ** 2 + 4 * f((a + b) / 2) ** 2 + f(b) ** 2)


def crps(scale, lo, hi, n_bins):
    """The integral itself, bin for bin and split at z, with the cumulative density as a function of
    place."""
    x = double(scale * torch.randn(N, n_bins)).requires_grad_()
    z = targets(lo, hi, n_bins)
    p = F.softmax(x, 1)
    start = lo + (hi - lo) / n_bins * torch.arange(n_bins, dtype=torch.float64)[None, :]
    stop = start + (hi - lo) / n_bins
    below = F.pad(torch.cumsum(p, 1), (1, 0))[:, :-1]
    above = torch.flip(F.pad(torch.cumsum(torch.flip(p, (1,)), 1), (1, 0))[:, :-1], (1,))
    split = torch.maximum(start, torch.minimum(stop, z[:, None]))
    left = simpson(start, split, lambda t: below + p * (t - start) / (stop - start))
    right = simpson(split, stop, lambda t: above + p * (stop - t) / (stop - start))
    each = (left + right).sum(1)
    return f"crps {scale} {n_bins}", asked(4, x, z, 0, 1, (n_bins, lo, hi)), wanted(each, x, p)


def main():
    program, tolerance = sys.argv[1], float(sys.argv[2])
    suite = [bce(1, 1), bce(5, 1), bce(3, 7.5), bce(1e4, 1), bce(1e4, 0.3), ce(1, 2), ce(3, 10), ce(1e4, 4)]
    suite += [bce(3, 1, 0.1), bce(5, 7.5, 0.3), ce(3, 10, 0.1), ce(5, 2, 1)]
    suite += [mse(1), mse(3)]
    for density in binned_ce, expected_mse, crps:
        suite += [density(1, 0, 0.4, 180), density(5, 0, 0.4, 100), density(30, -1, 3, 7), density(2, 5, 6, 2)]
        suite.append(density(60, 0, 1, 16))
    suite.append(binned_ce(1e4, 0, 1, 16))
    verdict = cases.Verdict()
    got = cases.ask(program, [c for _, c, _ in suite], [4] * len(suite))
    for (name, _, wants), arrays in zip(suite, got):
        for a, (part, want) in zip(arrays, wants):
            verdict.near(f"{name}.{part}", a, want.detach().numpy(), tolerance)
    return verdict.report()


sys.exit(main())
