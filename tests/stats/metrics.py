"""orr_stats against scikit-learn and numpy, to 1e-12, over random cases with ties, rare classes and
clipped scores."""
import sys
import warnings

import numpy as np
from sklearn import metrics as sk
from sklearn.preprocessing import label_binarize

import cases

TOLERANCE = 1e-12
SIZES = [1, 2, 3, 5, 17, 100, 1000, 20000]
rng = np.random.RandomState(7)


def ties(x):
    """Few distinct values, many, or all equal."""
    levels = [None, 3, 10, 100, 1][rng.randint(5)]
    return x if levels is None else np.round(x * levels) / levels


def roc_case(n):
    rate = [0.5, 0.1, 0.001][rng.randint(3)]
    y = (rng.random_sample(n) < rate).astype(np.int32)
    y[:1] = 1
    score = ties(rng.random_sample(n) + 0.3 * y)
    both = 0 < y.sum() < n
    expected = [
        sk.roc_auc_score(y, score) if both else np.nan,
        sk.average_precision_score(y, score),
    ]
    return cases.case(cases.ROC, n, 0, 0, y, score), expected


def probabilities(y, n, k):
    p = rng.dirichlet(np.full(k, [0.05, 1.0, 20][rng.randint(3)]), n)
    p[np.arange(n), y] += rng.uniform(0, 1)
    p /= p.sum(axis=1, keepdims=True)
    if rng.randint(2):
        p = np.round(p * 10) / 10  # ties, zeros and ones; rows no longer sum to 1
    if k == 2:
        p[:, 0] = 1 - p[:, 1]
    return p


def classes_case(n):
    k = int(rng.randint(2, 11))
    weights = rng.dirichlet(np.full(k, [0.3, 5][rng.randint(2)]))
    y = rng.choice(k, n, p=weights).astype(np.int32)
    p = probabilities(y, n, k)
    threshold = [0.5, 0.3, rng.uniform()][rng.randint(3)]
    hit = (p[:, 1] > threshold).astype(int) if k == 2 else p.argmax(axis=1)
    labels = np.arange(k)
    counts = np.bincount(y, minlength=k)
    one_hot = np.equal.outer(y, labels).astype(int)
    auc = [sk.roc_auc_score(one_hot[:, c], p[:, c]) if 0 < counts[c] < n else np.nan for c in labels]
    ap = [sk.average_precision_score(one_hot[:, c], p[:, c]) if counts[c] else np.nan for c in labels]
    if k > 2 and counts.min() > 0:
        assert abs(np.mean(auc) - sk.roc_auc_score(y, p / p.sum(1, keepdims=True), multi_class="ovr")
                   if np.allclose(p.sum(1), 1) else 0) < 1e-9
    expected = [
        sk.accuracy_score(y, hit), sk.balanced_accuracy_score(y, hit),
        sk.log_loss(y, p, labels=labels), sk.f1_score(y, hit, average="macro", zero_division=0),
        auc[1] if k == 2 else np.mean(auc), ap[1] if k == 2 else np.mean(ap), counts.max() / n,
    ]
    confusion = sk.confusion_matrix(y, hit, labels=labels)
    expected += list(confusion.ravel())
    report = sk.precision_recall_fscore_support(y, hit, labels=labels, zero_division=0)
    for c in labels:
        expected += [report[3][c], confusion[:, c].sum(), confusion[c, c],
                     report[0][c], report[1][c], report[2][c], auc[c]]
    return cases.case(cases.CLASSES, n, k, threshold, y, p), expected


def regression_case(n):
    width = int(rng.randint(1, 4))
    y = (rng.normal(size=(n, width)) * rng.choice([1e-3, 1, 50])).astype(np.float32)
    if rng.randint(5) == 0:
        y[:] = 0.5  # constant target
    p = y + rng.normal(size=(n, width)) * rng.choice([0, 0.1, 2])
    if rng.randint(3) == 0:
        p = np.round(p, 1)
    t, d = y.astype(float), p - y.astype(float)
    expected = [  # several targets: the mean of each metric over them
        sk.mean_squared_error(t, p), sk.mean_squared_error(t, p, squared=False),
        sk.mean_absolute_error(t, p), sk.r2_score(t, p) if n > 1 else np.nan,
        d.mean(), np.mean(1.4826 * np.median(np.abs(d - np.median(d, 0)), 0)),
    ]
    return cases.case(cases.REGRESSION, n, width, 0, y, p.astype(float)), expected


def error(ours, theirs):
    if isinstance(ours, str) or len(ours) != len(theirs):
        return np.inf
    a, b = np.array(ours), np.array(theirs, dtype=float)
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return np.inf
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    # relative to 1 or to the value; a bias near 0 is a cancelled sum
    return np.max(np.abs(a - b) / np.maximum(1, np.abs(b)), initial=0)


def main():
    wrong, worst, total = 0, 0.0, 0
    for make, per_size in ((roc_case, 40), (classes_case, 25), (regression_case, 25)):
        made = [make(n) for n in SIZES for _ in range(per_size)]
        for (_, theirs), ours in zip(made, cases.run(sys.argv[1], [packed for packed, _ in made])):
            e = error(ours, theirs)
            worst, total = max(worst, e), total + 1
            if not e <= TOLERANCE:
                wrong += 1
                print(f"{make.__name__}: off by {e}: ours {str(ours)[:200]}, theirs {str(theirs)[:200]}")
    print(f"{total} cases, largest difference {worst:.2e}, {wrong} beyond {TOLERANCE}")
    return wrong != 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
