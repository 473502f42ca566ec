"""golden.py DUMP TABLE - the built-in models against PyTorch: same weights, batch and dropout masks.

DUMP (dump_golden.c) trains each model for 20 Adam steps and leaves everything in a folder.  Here the same is done by
PyTorch in double precision from the same float32 numbers: outputs, every gradient to 1e-5 of the tensor's largest number,
the loss of each step within 1e-4, the running moments after them, and the evaluation after training.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
failures = []


def load(folder):
    tensors = {}
    for line in open(os.path.join(folder, "manifest")):
        name, *dims = line.split()
        data = np.fromfile(os.path.join(folder, name), dtype=np.float32)
        tensors[name] = torch.from_numpy(data.astype(np.float64)).reshape([int(d) for d in dims])
    return tensors


def part(tensors, prefix):
    return {k[len(prefix) + 1:]: v for k, v in tensors.items() if k.startswith(prefix + ".")}


closest = [float("inf")]


def note_ties(x):
    """Between two numbers closer than float's rounding the maximum may fall on either, and both gradients are right."""
    top = x.unfold(2, 3, 3).topk(2, dim=-1).values
    closest[0] = min(closest[0], (top[..., 0] - top[..., 1])[top[..., 0] > 0].min().item())


def block(p, i, x, training):
    """conv - ReLU - max pool - batch norm, as the Kepler nets have it."""
    x = F.relu(F.conv1d(x, p[f"conv{i}.weight"], p[f"conv{i}.bias"]))
    note_ties(x.detach())
    x = F.max_pool1d(x, 3)
    return F.batch_norm(x, p[f"norm{i}.running_mean"], p[f"norm{i}.running_var"], p[f"norm{i}.weight"],
                        p[f"norm{i}.bias"], training=training, momentum=0.1, eps=1e-5)


def linear(p, name, x):
    return F.linear(x, p[name + ".weight"], p[name + ".bias"])


def drop(x, masks, name, rate):
    return x if masks is None else x * masks[name] / (1 - rate)


def kepler_cnn(p, x, masks):
    training = masks is not None
    x = block(p, 2, block(p, 1, x, training), training).flatten(1)
    return linear(p, "out", F.relu(linear(p, "fc2", F.relu(linear(p, "fc1", x)))))


def kepler_cnn2(p, x, masks):
    training = masks is not None
    for i in range(1, 5):
        x = block(p, i, x, training)
    x = drop(x.flatten(1), masks, "dropout1", 0.5)
    x = drop(F.relu(linear(p, "fc1", x)), masks, "dropout2", 0.25)
    return linear(p, "out", F.relu(linear(p, "fc2", x)))


def moons(p, x, masks):
    return linear(p, "out", drop(F.relu(linear(p, "fc1", x)), masks, "dropout1", 0.3))


MODELS = {"kepler-cnn": (kepler_cnn, 2865019), "kepler-cnn2": (kepler_cnn2, 632851), "moons": (moons, 81)}


def check(what, ours, theirs, tolerance):
    scale = theirs.abs().max().item()
    error = (ours - theirs).abs().max().item() / scale
    if ours.shape != theirs.shape or not error <= tolerance:
        failures.append(f"{what}: {error:.3g} of its largest number, allowed {tolerance:g}")
    return error


def compare(model, t):
    forward, n_params = MODELS[model]
    p = {k: v.clone() for k, v in part(t, "before").items()}
    trained = [k for k in p if "running" not in k]
    for k in trained:
        p[k].requires_grad_(True)
    count = sum(p[k].numel() for k in trained)
    if count != n_params:
        failures.append(f"{model}: {count} parameters instead of {n_params}")
    x, labels = t["batch.x"], t["batch.labels"]
    adam = torch.optim.Adam([p[k] for k in trained], lr=1e-3)
    losses, worst = [], 0.0
    closest[0] = float("inf")
    for step in range(len(t["train.losses"])):
        y = forward(p, x, part(t, f"mask{step}"))[:, 0]
        loss = F.binary_cross_entropy_with_logits(y, labels)
        adam.zero_grad()
        loss.backward()
        if step == 0:
            if closest[0] < 1e-6:
                failures.append(f"{model}: two maxima {closest[0]:.2g} apart make gradients ambiguous; take another SEED")
            check(f"{model}: output", t["first.output"], y.detach(), 1e-5)
            grads = part(t, "grad")
            assert sorted(grads) == sorted(trained), (sorted(grads), sorted(trained))
            worst = max(check(f"{model}: gradient of {k}", grads[k], p[k].grad, 1e-5) for k in trained)
        losses.append(loss.item())
        adam.step()
    off = (t["train.losses"] - torch.tensor(losses, dtype=torch.float64)).abs().max().item()
    if not off <= 1e-4:
        failures.append(f"{model}: the losses of {len(losses)} steps are off by {off:.3g}, allowed 1e-4")
    after = part(t, "after")
    for k in p:
        if "running" in k:
            check(f"{model}: {k} after training", after[k], p[k], 1e-3)
    with torch.no_grad():
        check(f"{model}: evaluation", t["last.output"], forward(after, x, None)[:, 0], 1e-5)
    print(f"{model}: worst gradient {worst:.2e} of its tensor's largest, losses {losses[0]:.4f} to {losses[-1]:.4f}, "
          f"off by at most {off:.2e}")


dump, table = sys.argv[1:]
for model in MODELS:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([dump, model, table, folder], check=True)
        compare(model, load(folder))
for failure in failures:
    print("FAILED", failure)
sys.exit(1 if failures else 0)
