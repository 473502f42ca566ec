"""golden.py DUMP TABLE [MODEL ...] - the built-in models against PyTorch: same weights, batch and
dropout masks.

DUMP (dump_golden.c) trains each model for 20 Adam steps (the image models on stamps smaller than
the published ones, with sides that do not halve evenly among them) and leaves everything in a
folder.  Here the same is done by PyTorch in double precision from the same float32 numbers:
outputs, every gradient to 1e-5 of the tensor's largest number, the loss of each step within 1e-4
(of the first one when that is below 1), the running moments after them, and the evaluation after
training.
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
    """Between two numbers closer than float's rounding the maximum may fall on either, and both
    gradients are right."""
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


def average(x, stride):
    """TensorFlow's SAME: what hangs over at the bottom and the right is not in the mean."""
    over = [max(0, (-(-n // stride) - 1) * stride + 2 - n) for n in x.shape[2:]]
    pad = (0, over[1], 0, over[0])
    return F.avg_pool2d(F.pad(x, pad), 2, stride) / F.avg_pool2d(F.pad(torch.ones_like(x[:1, :1]), pad), 2, stride)


def conv(p, name, x):
    w = p[name + ".weight"]
    x = F.conv2d(x, w, p[name + ".bias"], padding=w.shape[-1] // 2)
    return F.prelu(x, p[name + "_act.weight"]) if name + "_act.weight" in p else F.leaky_relu(x, 0.3)


def inception_block(p, name, x, parts):
    ways = {
        "1x1": lambda: conv(p, name + "_1x1", x),
        "3x3": lambda: conv(p, name + "_3x3", conv(p, name + "_3x3_reduce", x)),
        "5x5": lambda: conv(p, name + "_5x5", conv(p, name + "_5x5_reduce", x)),
        "pool": lambda: average(conv(p, name + "_pool_reduce", x), 1),
    }
    return torch.cat([ways[part]() for part in parts.split()], 1)


def features(x):
    """Channels last."""
    return x.permute(0, 2, 3, 1).flatten(1)


def seed_features(p, x):
    x = average(conv(p, "conv1", x), 2)
    x = average(inception_block(p, "inception1", x, "1x1 3x3 5x5 pool"), 2)
    x = average(inception_block(p, "inception2", x, "1x1 3x3 5x5 pool"), 2)
    return features(inception_block(p, "inception3", x, "1x1 3x3 pool"))


def inception(p, x, masks, aux):
    return linear(p, "out", seed_features(p, x))


def inception_mixed(p, x, masks, aux):
    return linear(p, "out", F.relu(linear(p, "fc1", torch.cat([seed_features(p, x), aux], 1))))


def pasquet(p, x, masks, aux):
    x = average(conv(p, "conv1", x), 2)
    x = inception_block(p, "inception1", x, "1x1 5x5 3x3 pool")
    x = average(inception_block(p, "inception2", x, "1x1 5x5 3x3 pool"), 2)
    x = inception_block(p, "inception3", x, "1x1 5x5 3x3 pool")
    x = average(inception_block(p, "inception4", x, "1x1 5x5 3x3 pool"), 2)
    x = features(inception_block(p, "inception5", x, "1x1 3x3 pool"))
    x = F.relu(linear(p, "fc1", torch.cat([x, aux], 1)))
    return linear(p, "out", F.relu(linear(p, "fc2", x)))


def bce(y, labels):
    return F.binary_cross_entropy_with_logits(y[:, 0], labels)


def binned_ce(y, z):
    return F.cross_entropy(y, (z / 0.4 * y.shape[1]).long())


def expected_mse(y, z):
    centres = (torch.arange(y.shape[1], dtype=torch.float64) + 0.5) * 0.4 / y.shape[1]
    return ((F.softmax(y, 1) @ centres - z) ** 2).mean()


def crps(y, z):
    """E|Z - z| - E|Z - Z'| / 2 of the density's Z and Z', both uniform inside their bins."""
    n, w = y.shape[1], 0.4 / y.shape[1]
    p, start = F.softmax(y, 1), torch.arange(n, dtype=torch.float64) * w
    t = ((z[:, None] - start) / w).clamp(0, 1)
    near = (z[:, None] - start - w / 2).abs()
    to_truth = torch.where((t > 0) & (t < 1), w * (t ** 2 + (1 - t) ** 2) / 2, near)
    between = (start[:, None] - start[None, :]).abs() + torch.eye(n, dtype=torch.float64) * w / 3
    return ((p * to_truth).sum(1) - ((p @ between) * p).sum(1) / 2).mean()


MODELS = {"kepler-cnn": (kepler_cnn, bce), "kepler-cnn2": (kepler_cnn2, bce), "moons": (moons, bce),
          "inception": (inception, crps), "inception-mixed": (inception_mixed, expected_mse),
          "pasquet": (pasquet, binned_ce)}
SEED = 1436000 - 556900  # parameters without the last, and without the first dense layer
PASQUET = 27596372 - 22273 * 1096


def published(model, n_features):
    """Parameters: the published number, less what a smaller image leaves out of the first dense
    layer."""
    return {"kepler-cnn": 2865019, "kepler-cnn2": 632851, "moons": 81, "inception": SEED + 100 * (n_features + 1),
            "inception-mixed": SEED + 128 * (n_features + 6 + 1) + 100 * 129,
            "pasquet": PASQUET + 1096 * (n_features + 1)}[model]


def check(what, ours, theirs, tolerance):
    scale = theirs.abs().max().item()
    error = (ours - theirs).abs().max().item() / scale
    if ours.shape != theirs.shape or not error <= tolerance:
        failures.append(f"{what}: {error:.3g} of its largest number, allowed {tolerance:g}")
    return error


def compare(model, t):
    forward, loss_of = MODELS[model]
    p = {k: v.clone() for k, v in part(t, "before").items()}
    trained = [k for k in p if "running" not in k]
    for k in trained:
        p[k].requires_grad_(True)
    count = sum(p[k].numel() for k in trained)
    x, labels = t["batch.x"], t["batch.labels"]
    side = 1
    for n in x.shape[2:] if x.dim() == 4 else ():
        side *= -(-n // 8)
    if count != published(model, 348 * side):
        failures.append(f"{model}: {count} parameters instead of {published(model, 348 * side)}")
    beside = [t["batch.aux"]] if "batch.aux" in t else [None] if x.dim() == 4 else []
    adam = torch.optim.Adam([p[k] for k in trained], lr=float(f"{t['batch.lr'].item():.6g}"))
    losses, worst = [], 0.0
    closest[0] = float("inf")
    for step in range(len(t["train.losses"])):
        y = forward(p, x, part(t, f"mask{step}"), *beside)
        loss = loss_of(y, labels)
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
    allowed = 1e-4 * min(1, losses[0])
    if not off <= allowed:
        failures.append(f"{model}: the losses of {len(losses)} steps are off by {off:.3g}, allowed {allowed:.3g}")
    after = part(t, "after")
    for k in p:
        if "running" in k:
            check(f"{model}: {k} after training", after[k], p[k], 1e-3)
    with torch.no_grad():
        check(f"{model}: evaluation", t["last.output"], forward(after, x, None, *beside), 1e-5)
    print(f"{model}: worst gradient {worst:.2e} of its tensor's largest, losses {losses[0]:.4g} to {losses[-1]:.4g}, "
          f"off by at most {off:.2e}")


dump, table, *models = sys.argv[1:]
for model in models or MODELS:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([dump, model, table, folder], check=True)
        compare(model, load(folder))
for failure in failures:
    print("FAILED", failure)
sys.exit(1 if failures else 0)
