"""Every row of the metrics, in every case that it is defined for, against scikit-learn, SciPy or
its definition in numpy.  A row without an oracle here is a failure, and so is an oracle without a
row."""
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from scipy import stats
from sklearn import metrics as sk

import cases

BINARY, MULTICLASS, VALUES, DENSITIES, REDSHIFTS, REDSHIFT_DENSITIES = range(6)
LOW, HIGH, THRESHOLD = 0.0, 0.5, 0.4
rng = np.random.RandomState(3)


def named(p):
    return (p[:, 1] > THRESHOLD).astype(int) if p.shape[1] == 2 else p.argmax(1)


def over_classes(score, y, p):
    return np.mean([score(y == c, p[:, c]) for c in range(p.shape[1])])


def mad(d):
    return 1.4826 * np.median(np.abs(d - np.median(d)))


def point(p):
    centres = LOW + (np.arange(p.shape[1]) + 0.5) * (HIGH - LOW) / p.shape[1]
    return p @ centres if p.shape[1] > 1 else p[:, 0]


def of_d(f):
    return lambda y, p: f(point(p) - y)


def of_dz(f):
    return lambda y, p: f((point(p) - y) / (1 + y))


def cumulative(p, t):
    return np.interp(t, np.linspace(LOW, HIGH, len(p) + 1), np.concatenate([[0], np.cumsum(p)]))


def of_pit(f):
    return lambda y, p: f(np.array([cumulative(q, v) for q, v in zip(p, y)]))


def flat(pit):
    return stats.chisquare(np.histogram(np.minimum(pit, 1), 20, (0, 1))[0])[1]


def crps(y, p):
    """By Gauss-Legendre with 4 nodes on each piece between edges and truth."""
    nodes, weights = np.polynomial.legendre.leggauss(4)
    sums = []
    for q, v in zip(p, y):
        cuts = np.unique(np.append(np.linspace(LOW, HIGH, len(q) + 1), v))
        half = np.diff(cuts)[:, None] / 2
        t = (cuts[:-1] + cuts[1:])[:, None] / 2 + half * nodes
        sums.append(np.sum(half * weights * (cumulative(q, t) - (t >= v)) ** 2))
    return np.mean(sums)


CLASSES = {
    "accuracy": lambda y, p: sk.accuracy_score(y, named(p)),
    "baseline_accuracy": lambda y, p: np.bincount(y).max() / len(y),
    "balanced_accuracy": lambda y, p: sk.balanced_accuracy_score(y, named(p)),
    "macro_f1": lambda y, p: sk.f1_score(y, named(p), average="macro"),
    "log_loss": sk.log_loss,
}
ONE = {
    "auc": lambda y, p: sk.roc_auc_score(y, p[:, 1]),
    "average_precision": lambda y, p: sk.average_precision_score(y, p[:, 1]),
    "precision": lambda y, p: sk.precision_score(y, named(p)),
    "recall": lambda y, p: sk.recall_score(y, named(p)),
    "f1": lambda y, p: sk.f1_score(y, named(p)),
}
MANY = {
    "auc": lambda y, p: sk.roc_auc_score(y, p, multi_class="ovr"),
    "average_precision": lambda y, p: over_classes(sk.average_precision_score, y, p),
    "precision": lambda y, p: sk.precision_score(y, named(p), average="macro"),
    "recall": lambda y, p: sk.recall_score(y, named(p), average="macro"),
    "f1": lambda y, p: sk.f1_score(y, named(p), average="macro"),
}
NUMBERS = {
    "rmse": lambda y, p: np.sqrt(sk.mean_squared_error(y, point(p))),
    "mae": lambda y, p: sk.mean_absolute_error(y, point(p)),
    "mse": lambda y, p: sk.mean_squared_error(y, point(p)),
    "r2": lambda y, p: sk.r2_score(y, point(p)),
}
PLAIN = {"bias": of_d(np.mean), "sigma_mad": of_d(mad)}
DZ = {"bias": of_dz(np.mean), "sigma_mad": of_dz(mad), "eta": of_dz(lambda d: np.mean(np.abs(d) > 0.05))}
DENSITY = {"crps": crps, "pit_mean": of_pit(np.mean), "pit_deviation": of_pit(np.std), "pit_p": of_pit(flat)}
UNKNOWN = {"loss": lambda y, p: np.nan}  # a net's; here is none
ORACLES = {
    BINARY: {**UNKNOWN, **CLASSES, **ONE}, MULTICLASS: {**UNKNOWN, **CLASSES, **MANY},
    VALUES: {**UNKNOWN, **NUMBERS, **PLAIN}, DENSITIES: {**UNKNOWN, **NUMBERS, **PLAIN, **DENSITY},
    REDSHIFTS: {**UNKNOWN, **NUMBERS, **DZ}, REDSHIFT_DENSITIES: {**UNKNOWN, **NUMBERS, **DZ, **DENSITY},
}


def make(kind, n):
    """Truth and predictions that know something of it."""
    if kind in (BINARY, MULTICLASS):
        k = 2 if kind == BINARY else 4
        y = np.concatenate([np.arange(k), rng.choice(k, n - k, p=np.arange(1, k + 1) / (k * (k + 1) / 2))]).astype(np.int32)
        p = rng.dirichlet(np.ones(k), n) + 0.3 * np.eye(k)[y]
        return y, p / p.sum(1, keepdims=True)
    y = rng.uniform(0.02, 0.48, n).astype(np.float32)
    if kind in (VALUES, REDSHIFTS):
        return y, (y + rng.normal(0, 0.05, n))[:, None]
    centres = LOW + (np.arange(30) + 0.5) * (HIGH - LOW) / 30
    p = np.exp(-((centres - y[:, None] - rng.normal(0, 0.04, (n, 1))) ** 2) / (2 * 0.05**2)) + 1e-6
    return y, p / p.sum(1, keepdims=True)


def main():
    made = [(kind, *make(kind, n)) for kind in ORACLES for n in (60, 700)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cases.bin")
        with open(path, "wb") as f:
            for kind, y, p in made:
                f.write(cases.case(kind, len(y), p.shape[1], THRESHOLD, np.array([LOW, HIGH]), y, p))
        lines = subprocess.run([sys.argv[1], path], check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")[:-1]
    wrong = []
    for i, (kind, y, p) in enumerate(made):
        truth = y.astype(np.float64) if y.dtype == np.float32 else y
        got = {name: float(v) for number, name, v in map(str.split, lines) if int(number) == i}
        if got.keys() != ORACLES[kind].keys():
            wrong.append(f"case {kind}: {sorted(got.keys() ^ ORACLES[kind].keys())} of rows and oracles have no partner")
            continue
        for name, oracle in ORACLES[kind].items():
            want = oracle(truth, p)
            if not (np.isnan(want) and np.isnan(got[name])) and not abs(got[name] - want) <= 1e-11 * max(1, abs(want)):
                wrong.append(f"case {kind}, {name}: {got[name]!r}, the oracle has {want!r}")
    print(*wrong, sep="\n")
    print(f"{len(lines)} numbers, {len(wrong)} wrong")
    return len(wrong) != 0 or not lines


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
