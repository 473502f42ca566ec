"""Losses, gradients and links against torch:  loss.py DUMP_TRAINING TOLERANCE"""
import sys

import torch
import torch.nn.functional as F

import cases

torch.manual_seed(3)
N = 37


def double(t):
    return t.float().double()


def asked(kind, x, y, n_classes, pos_weight):
    """The mean is over a batch twice as large as the samples here, as on two ranks."""
    return cases.case("loss", [kind, N, x.shape[1], n_classes, 2 * N], [pos_weight], [x.detach(), y])


def wanted(each, x, link):
    (dx,) = torch.autograd.grad(each.sum() / (2 * N), x)
    sums = torch.stack([each[: N // 3].sum(), each[N // 3 :].sum()])
    return [("sums", sums), ("each", each), ("dx", dx), ("link", link)]


def bce(scale, pos_weight):
    x = double(scale * torch.randn(N, 1)).requires_grad_()
    y = torch.randint(0, 2, (N, 1)).double()
    weight = torch.tensor([pos_weight], dtype=torch.float64)
    each = F.binary_cross_entropy_with_logits(x, y, reduction="none", pos_weight=weight)[:, 0]
    return f"bce {scale} {pos_weight}", asked(0, x, y, 2, pos_weight), wanted(each, x, torch.sigmoid(x))


def ce(scale, n_classes):
    x = double(scale * torch.randn(N, n_classes)).requires_grad_()
    y = torch.randint(0, n_classes, (N,))
    each = F.cross_entropy(x, y, reduction="none")
    return f"ce {scale} {n_classes}", asked(1, x, y, n_classes, 1), wanted(each, x, F.softmax(x, 1))


def mse(width):
    x = double(torch.randn(N, width)).requires_grad_()
    y = double(torch.randn(N, width))
    each = F.mse_loss(x, y, reduction="none").mean(1)
    return f"mse {width}", asked(2, x, y, 0, 1), wanted(each, x, x)


def main():
    program, tolerance = sys.argv[1], float(sys.argv[2])
    suite = [bce(1, 1), bce(5, 1), bce(3, 7.5), bce(1e4, 1), bce(1e4, 0.3), ce(1, 2), ce(3, 10), ce(1e4, 4)]
    suite += [mse(1), mse(3)]
    verdict = cases.Verdict()
    got = cases.ask(program, [c for _, c, _ in suite], [4] * len(suite))
    for (name, _, wants), arrays in zip(suite, got):
        for a, (part, want) in zip(arrays, wants):
            verdict.near(f"{name}.{part}", a, want.detach().numpy(), tolerance)
    return verdict.report()


sys.exit(main())
