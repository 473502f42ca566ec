"""Schedules against torch.optim.lr_scheduler, every step:  schedule.py DUMP_TRAINING"""
import sys
import warnings

import numpy as np
import torch
from torch.optim import lr_scheduler as sched

import cases

warnings.filterwarnings("ignore")  # "scheduler before optimizer": no optimiser steps here
CONSTANT, ONECYCLE, COSINE, PLATEAU = range(4)


def optimiser(lr):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr)


def rates(opt, s, n, feed=None):
    """The rate of each step; of a plateau, after each epoch."""
    out = []
    for t in range(n):
        if feed is not None:
            s.step(feed[t])
        out.append(opt.param_groups[0]["lr"])
        if feed is None and t + 1 < n:
            s.step()
    return out


def onecycle(lr, steps, pct, div, final_div):
    opt = optimiser(lr)
    s = sched.OneCycleLR(opt, lr, steps, pct_start=pct, div_factor=div, final_div_factor=final_div, cycle_momentum=False)
    asked = cases.case("schedule", [ONECYCLE, steps, 0, 0, 0], [lr, pct, div, final_div, 0, 0.1, 0])
    return f"onecycle {steps} {pct}", asked, rates(opt, s, steps)


def cosine(lr, steps, warmup, lr_min):
    opt = optimiser(lr)
    s = sched.CosineAnnealingLR(opt, steps - warmup, lr_min)
    if warmup:
        opt = optimiser(lr)
        up = sched.LinearLR(opt, 1 / (warmup + 1), 1, warmup)
        s = sched.SequentialLR(opt, [up, sched.CosineAnnealingLR(opt, steps - warmup, lr_min)], [warmup])
    asked = cases.case("schedule", [COSINE, steps, warmup, 0, 0], [lr, 0.3, 25, 1e4, lr_min, 0.1, 0])
    return f"cosine {steps} {warmup}", asked, rates(opt, s, steps)


def plateau(lr, feed, maximise, factor, patience, threshold, lr_min):
    opt = optimiser(lr)
    mode = "max" if maximise else "min"
    s = sched.ReduceLROnPlateau(opt, mode, factor, patience, threshold, min_lr=lr_min)
    ints = [PLATEAU, len(feed), 0, patience, int(maximise)]
    asked = cases.case("schedule", ints, [lr, 0.3, 25, 1e4, lr_min, factor, threshold], [feed])
    return f"plateau {mode} {factor} {patience}", asked, rates(opt, s, len(feed), feed)


def main():
    rng = np.random.default_rng(2)
    suite = [
        onecycle(6e-4, 15000, 0.1, 6, 1e4),
        onecycle(0.1, 1000, 0.3, 25, 1e4),
        onecycle(1, 37, 0.45, 3, 10),
        cosine(0.1, 500, 0, 1e-4),
        cosine(0.5, 200, 20, 0),
    ]
    slow = np.r_[np.linspace(1, 0.5, 30), 0.5 + 0.01 * rng.standard_normal(170)]
    for maximise in (False, True):
        feed = -slow + 2 if maximise else slow
        suite.append(plateau(1e-2, feed, maximise, 0.1, 10, 1e-4, 0))
        suite.append(plateau(1e-2, feed, maximise, 0.5, 2, 1e-2, 1e-5))
        suite.append(plateau(1e-7, feed, maximise, 0.5, 0, 1e-4, 0))
        # negative metrics: torch's rule as it is
        suite.append(plateau(1, -feed, maximise, 0.9, 1, 1e-3, 0))
        feed = feed.copy()
        feed[::7] = np.nan
        suite.append(plateau(1, feed, maximise, 0.9, 1, 1e-3, 0))
    verdict = cases.Verdict()
    for (name, _, want), (got,) in zip(suite, cases.ask(sys.argv[1], [c for _, c, _ in suite], [1] * len(suite))):
        # each rate by itself, not against the largest
        verdict.near(name, got / np.asarray(want), np.ones(len(want)), 1e-9 if "cosine" in name else 1e-12)
        assert len(set(want)) > 3 or "plateau" in name, name
    return verdict.report()


sys.exit(main())
