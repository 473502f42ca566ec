"""50 steps of each optimiser, with clip_grad_norm_, against torch.optim:  optimiser.py
DUMP_TRAINING float32|float64 Keras's form, which torch has not, is compared with its formula in
numpy."""
import sys

import numpy as np
import torch

import cases

N, STEPS = 1003, 50
KINDS = ["adam", "adamw", "sgd"]


def variants():
    base = dict(kind="adam", keras=0, nesterov=0, beta1=0.9, beta2=0.999, eps=1e-8, wd=0.0, momentum=0.0, lr=1e-2, clip=0.0)
    for change in (
        dict(),
        dict(eps=1.0),
        dict(wd=0.1, beta1=0.8, beta2=0.95),
        dict(clip=1.0),
        dict(kind="adamw", wd=0.05),
        dict(kind="adamw", wd=0.3, clip=30.0),
        dict(kind="sgd"),
        dict(kind="sgd", wd=0.1, clip=1.0),
        dict(kind="sgd", momentum=0.9),
        dict(kind="sgd", momentum=0.9, wd=0.02),
        dict(kind="sgd", momentum=0.9, nesterov=1, wd=0.02, clip=5.0),
        dict(keras=1),
        dict(keras=1, eps=1.0, wd=0.1),
        dict(kind="adamw", keras=1, eps=0.1, wd=0.1),
    ):
        yield {**base, **change}


def torch_steps(v, w, grads):
    p = torch.nn.Parameter(w.clone())
    if v["kind"] == "sgd":
        opt = torch.optim.SGD([p], v["lr"], v["momentum"], weight_decay=v["wd"], nesterov=bool(v["nesterov"]))
        slabs = ["momentum_buffer"] if v["momentum"] else []
    else:
        make = torch.optim.Adam if v["kind"] == "adam" else torch.optim.AdamW
        opt = make([p], v["lr"], (v["beta1"], v["beta2"]), v["eps"], v["wd"])
        slabs = ["exp_avg", "exp_avg_sq"]
    norms = []
    for g in grads:
        p.grad = g.clone()
        norms.append(float(torch.linalg.norm(g.double())))
        if v["clip"]:
            torch.nn.utils.clip_grad_norm_([p], v["clip"])
        opt.step()
    return [p.detach(), norms] + [opt.state[p][s] for s in slabs]


def keras_steps(v, w, grads):
    w, m, s, norms = w.double().numpy().copy(), 0, 0, []
    for t, g in enumerate(grads.double().numpy(), 1):
        norms.append(np.linalg.norm(g))
        if v["kind"] == "adamw":
            w *= 1 - v["lr"] * v["wd"]
        else:
            g = g + v["wd"] * w
        m = v["beta1"] * m + (1 - v["beta1"]) * g
        s = v["beta2"] * s + (1 - v["beta2"]) * g * g
        rate = v["lr"] * np.sqrt(1 - v["beta2"] ** t) / (1 - v["beta1"] ** t)
        w -= rate * m / (np.sqrt(s) + v["eps"])
    return [w, norms, m, s]


# in the order of the slab; each tensor at a multiple of 16
LAYERS = {"head": (2, 3), "fc2": (3, 5), "bn": (5,), "fc1": (5, 7)}


def places():
    """Name, shape and place of each tensor of dump_training.c's net with groups, and the slab's
    length."""
    found, end = [], 0
    for layer, shape in LAYERS.items():
        for part, dims in (("weight", shape), ("bias", shape[:1])):
            found.append((f"{layer}.{part}", dims, end))
            end += -(-int(np.prod(dims)) // 16) * 16
    return found, end


def group_of(name):
    """Rate factor and weight decay, as dump_training.c's job text has them: the first group that
    matches; vectors do not decay."""
    decay = 0.1 if name.endswith("weight") and not name.startswith("bn") else 0.0
    if name.startswith("head."):
        return 10.0, decay
    if name == "fc1.weight":
        return 0.5, 0.3
    if name == "bn.bias":
        return 0.0, decay
    if name == "fc2.bias":
        return 1.0, 0.2
    return 1.0, decay


def group_steps(kind, lr, w, grads):
    found, n = places()
    tensors = {name: torch.nn.Parameter(w[at:at + int(np.prod(dims))].clone()) for name, dims, at in found}
    groups = [dict(params=[p], lr=lr * group_of(name)[0], weight_decay=group_of(name)[1]) for name, p in tensors.items()]
    opt = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[kind](groups, lr, **({"momentum": 0.9} if kind == "sgd" else {}))
    for g in grads:
        for name, dims, at in found:
            tensors[name].grad = g[at:at + int(np.prod(dims))].clone()
        opt.step()
    after, moment = torch.zeros(n, dtype=w.dtype), torch.zeros(n, dtype=w.dtype)
    for name, dims, at in found:
        p = tensors[name]
        after[at:at + p.numel()] = p.detach()
        moment[at:at + p.numel()] = opt.state[p]["momentum_buffer" if kind == "sgd" else "exp_avg"]
    return [after, moment]


def group_cases(dtype):
    found, n = places()
    inside = torch.zeros(n, dtype=dtype)
    for _, dims, at in found:
        inside[at:at + int(np.prod(dims))] = 1
    for kind in KINDS:
        w, grads = torch.randn(n).to(dtype) * inside, torch.randn(STEPS, n).to(dtype) * inside
        yield kind, w, grads, group_steps(kind, 1e-3, w, grads)


def main():
    program, precision = sys.argv[1], sys.argv[2]
    dtype, tolerance = (torch.float32, 2e-6) if precision == "float32" else (torch.float64, 1e-12)
    torch.manual_seed(5)
    asked, wants, names = [], [], []
    for v in variants():
        w = torch.randn(N).to(dtype)
        grads = (torch.randn(STEPS, N) * torch.logspace(-6, 1, N)).to(dtype)
        ints = [KINDS.index(v["kind"]), v["keras"], v["nesterov"], N, STEPS]
        reals = [v[k] for k in ("beta1", "beta2", "eps", "wd", "momentum", "lr", "clip")]
        asked.append(cases.case("optimiser", ints, reals, [w, grads]))
        wants.append((keras_steps if v["keras"] else torch_steps)(v, w, grads))
        changed = " ".join(f"{k}={x:g}" for k, x in v.items() if k != "kind" and x)
        names.append(f"{v['kind']} {changed}")
    for kind, w, grads, want in group_cases(dtype):
        asked.append(cases.case("groups", [KINDS.index(kind), STEPS], [1e-3], [w, grads]))
        wants.append(want)
        names.append(f"{kind} groups")
    verdict = cases.Verdict()
    for name, arrays, want in zip(names, cases.ask(program, asked, [len(w) for w in wants]), wants):
        for part, a, b in zip(("w", "moment" if "groups" in name else "norm", "slab0", "slab1"), arrays, want):
            verdict.near(f"{name}.{part}", a, np.asarray(b), tolerance)
    return verdict.report()


sys.exit(main())
