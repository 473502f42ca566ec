"""Kernels against torch.nn.functional:  kernels.py DUMP_KERNELS TABLE TOLERANCE
The inputs are rounded to float32, so that both precisions of the program are asked the same."""
import sys

import torch
import torch.nn.functional as F

import cases

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
BATCH = (6, [0, 2, 2, 3, 5, 6], [0, 3, 5])  # samples, leaves (one is empty), runs
SLOPE = {"relu": 0, "leaky_relu": 0.1, "elu": 0.7, "silu": 1, "sigmoid": 1, "tanh": 1}
ACT = {
    "relu": F.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, SLOPE["leaky_relu"]),
    "elu": lambda x: F.elu(x, SLOPE["elu"]),
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


def rand(*shape):
    return torch.randn(*shape).float().double()


def nhwc(t):
    return t.permute(0, 2, 3, 1)


def batch_ints():
    n, leaves, runs = BATCH
    return [n, len(leaves) - 1, len(runs) - 1, *leaves, *runs]


def run_slices():
    _, leaves, runs = BATCH
    return [slice(leaves[a], leaves[b]) for a, b in zip(runs, runs[1:])]


class Suite:
    def __init__(self):
        self.cases, self.wants = [], []

    def add(self, name, op, ints, reals, arrays, wants):
        self.cases.append(cases.case(op, ints, reals, [a.detach().numpy() for a in arrays]))
        self.wants.append([(f"{name}.{k}", v.detach().numpy()) for k, v in wants])

    def run(self, program, table, tolerance):
        verdict = cases.Verdict()
        got = cases.ask(program, self.cases, [len(w) for w in self.wants], table)
        for arrays, wants in zip(got, self.wants):
            for a, (name, want) in zip(arrays, wants):
                verdict.near(name, a, want, tolerance)
        return verdict.report()


def per_run(f, x, parameters, dy, to_memory):
    """Gradients of the parameters over the samples of each run."""
    out = []
    for s in run_slices():
        grads = torch.autograd.grad(f(x[s]), parameters, dy[s])
        out += [("dw", to_memory(grads[0])), ("db", grads[1])]
    return out


def linear(suite, n_in, n_out, bias=True):
    x, w, b = rand(BATCH[0], n_in).requires_grad_(), rand(n_out, n_in).requires_grad_(), rand(n_out).requires_grad_()
    f = (lambda t: F.linear(t, w, b)) if bias else (lambda t: F.linear(t, w) + 0 * b)
    y = f(x)
    dy = rand(*y.shape)
    (dx,) = torch.autograd.grad(y, x, dy)
    wants = [("y", y), ("dx", dx)]
    wants += per_run(lambda t: F.linear(t, w, b), x.detach(), (w, b), dy, lambda g: g)
    suite.add("linear", "linear", batch_ints() + [n_in, n_out], [], [x, w, b if bias else rand(0), dy], wants)


def conv(suite, name, hw, c, k, rs, stride, dilation, pad, groups, bias=True):
    """pad: top, left, bottom, right"""
    x = rand(BATCH[0], c, *hw).requires_grad_()
    w, b = rand(k, c // groups, *rs).requires_grad_(), rand(k).requires_grad_()

    def f(t):
        t = F.pad(t, (pad[1], pad[3], pad[0], pad[2]))
        return F.conv2d(t, w, b, stride, 0, dilation, groups)

    y = f(x)
    dy = rand(*y.shape)
    (dx,) = torch.autograd.grad(y, x, dy)
    wants = [("y", nhwc(y if bias else y - b[:, None, None])), ("dx", nhwc(dx))]
    wants += per_run(f, x.detach(), (w, b), dy, nhwc)
    shape = [*hw, c, k, *rs, *stride, *dilation, *pad, groups, *y.shape[2:]]
    suite.add(name, "conv", batch_ints() + shape, [], [nhwc(x), nhwc(w), b if bias else rand(0), nhwc(dy)], wants)


def conv1d(suite):
    """The series layout: height 1, by conv1d itself."""
    x = rand(BATCH[0], 4, 31).requires_grad_()
    w, b = rand(6, 2, 5).requires_grad_(), rand(6).requires_grad_()

    def f(t):
        return F.conv1d(t, w, b, 2, 3, 2, 2)

    y = f(x)
    dy = rand(*y.shape)
    (dx,) = torch.autograd.grad(y, x, dy)
    last = lambda t: t.permute(0, 2, 1)
    wants = [("y", last(y)), ("dx", last(dx))] + per_run(f, x.detach(), (w, b), dy, last)
    shape = [1, 31, 4, 6, 1, 5, 1, 2, 1, 2, 0, 3, 0, 3, 2, 1, y.shape[2]]
    suite.add("conv1d", "conv", batch_ints() + shape, [], [last(x), last(w), b, last(dy)], wants)


def pools(suite, hw, c, rs, stride, pad, ceil=False):
    x = rand(3, c, *hw).requires_grad_()
    # ties: few different values
    xm = (torch.randint(0, 3, (3, c, *hw)).double() - 1).requires_grad_()
    for inputs in (x, xm):
        y = F.max_pool2d(inputs, rs, stride, pad, ceil_mode=ceil)
        dy = rand(*y.shape)
        (dx,) = torch.autograd.grad(y, inputs, dy)
        shape = [3, *hw, c, *rs, *stride, *pad, *y.shape[2:], 0]
        suite.add("max_pool", "max_pool", shape, [], [nhwc(inputs), nhwc(dy)], [("y", nhwc(y)), ("dx", nhwc(dx))])
    for count in (0, 1):
        if ceil and count:
            continue  # torch then cuts windows at the padded border
        y = F.avg_pool2d(x, rs, stride, pad, ceil_mode=ceil, count_include_pad=bool(count))
        dy = rand(*y.shape)
        (dx,) = torch.autograd.grad(y, x, dy)
        shape = [3, *hw, c, *rs, *stride, *pad, *y.shape[2:], count]
        wants = [("y", nhwc(y)), ("dx", nhwc(dx))]
        suite.add(f"avg_pool count={count}", "v_avg_pool", shape, [], [nhwc(x), nhwc(dy)], wants)


def activations(suite):
    for number, (name, f) in enumerate(ACT.items()):
        x = torch.cat([3 * rand(500), torch.tensor([0.0, -30.0, 30.0, -90.0, 80.0])]).requires_grad_()
        y = f(x)
        dy = rand(*y.shape)
        (dx,) = torch.autograd.grad(y, x, dy)
        suite.add(name, "act", [number], [SLOPE[name]], [x, dy], [("y", y), ("dx", dx)])


def prelu(suite, shared):
    rows, c = 5, 7
    x = rand(BATCH[0], c, rows).requires_grad_()
    with torch.no_grad():
        x[0, 0, 0] = 0
    w = rand(1 if shared else c).requires_grad_()
    y = F.prelu(x, w)
    dy = rand(*y.shape)
    (dx,) = torch.autograd.grad(y, x, dy)
    last = lambda t: t.permute(0, 2, 1)
    wants = [("y", last(y)), ("dx", last(dx))]
    for s in run_slices():
        wants.append(("dw", torch.autograd.grad(F.prelu(x[s].detach(), w), w, dy[s])[0]))
    suite.add("prelu", "prelu", batch_ints() + [rows, c, int(shared)], [], [last(x), w, last(dy)], wants)


def softmax(suite, rows, c, scale):
    x = (scale * rand(rows, c)).float().double().requires_grad_()
    y = F.softmax(x, 1)
    dy = rand(rows, c)
    (dx,) = torch.autograd.grad(y, x, dy)
    suite.add("softmax", "softmax", [rows, c], [], [x, dy], [("y", y), ("dx", dx)])


def norm(suite, n, c, pixels):
    x = (2 * rand(n, c, pixels) + 3).float().double().requires_grad_()
    g, b = rand(c).requires_grad_(), rand(c).requires_grad_()
    mean, var = torch.zeros(c), torch.zeros(c)
    y = F.batch_norm(x, mean, var, g, b, training=True, momentum=1.0, eps=1e-5)
    dy = rand(*y.shape)
    dx, dg, db = torch.autograd.grad(y, (x, g, b), dy)
    last = lambda t: t.permute(0, 2, 1)
    rows = n * pixels
    wants = [("y", last(y)), ("dx", last(dx)), ("dgamma", dg), ("dbeta", db)]
    wants += [("mean", mean), ("variance", var * (rows - 1) / rows)]
    suite.add("batch_norm", "norm", [rows, c], [1e-5], [last(x), g, b, last(dy)], wants)


def main():
    program, table, tolerance = sys.argv[1], sys.argv[2], float(sys.argv[3])
    suite = Suite()
    linear(suite, 13, 5)
    linear(suite, 1, 1, bias=False)
    conv(suite, "conv3x3", (7, 9), 3, 4, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 1)
    conv(suite, "conv1x1", (5, 4), 6, 5, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0), 1, bias=False)
    conv(suite, "strided", (11, 8), 2, 3, (3, 5), (2, 3), (1, 1), (0, 1, 1, 2), 1)
    conv(suite, "dilated", (12, 10), 2, 3, (3, 2), (1, 2), (2, 3), (2, 0, 1, 3), 1)
    conv(suite, "grouped", (8, 8), 6, 4, (3, 3), (2, 1), (1, 2), (1, 2, 0, 1), 2)
    conv(suite, "depthwise", (9, 6), 4, 8, (5, 3), (1, 1), (1, 1), (2, 1, 2, 1), 4)
    conv1d(suite)
    pools(suite, (9, 8), 3, (3, 3), (3, 3), (0, 0))
    pools(suite, (9, 7), 2, (3, 2), (2, 1), (1, 1))
    pools(suite, (8, 8), 2, (3, 3), (2, 2), (0, 0), ceil=True)
    pools(suite, (1, 20), 4, (1, 3), (1, 3), (0, 1))
    activations(suite)
    prelu(suite, False)
    prelu(suite, True)
    softmax(suite, 9, 10, 1)
    norm(suite, 6, 5, 11)
    if tolerance < 1e-9:  # gradients that cancel nearly in full: nothing to compare in float
        softmax(suite, 4, 3, 200)
        norm(suite, 2, 1, 1)
    return suite.run(program, table, tolerance)


sys.exit(main())
