"""orr_kfold against scikit-learn's KFold, StratifiedKFold, GroupKFold, StratifiedGroupKFold and the
repeated ones: the same test rows in every fold, or a refusal for a reason that is checked here.
Folds like those of 1.2 are compared with the scikit-learn that runs this, where it is of that
version (Debian's); those like 1.9 with kfold-1.9.1.txt, a digest of each case's folds, which

    python kfold.py --write kfold-1.9.1.txt

wrote with scikit-learn 1.9.1 and numpy 2.4.6 (the cases do not depend on numpy's version)."""
import hashlib
import os
import sys
import warnings

import numpy as np
import sklearn
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)

import cases

KFOLD = 8
PLAIN, STRATIFIED, GROUP, STRATIFIED_GROUP = range(4)
NAMES = ["plain", "stratified", "group", "stratified group"]
LIKE = ["1.9", "1.2"]
RUNS = ".".join(sklearn.__version__.split(".")[:2])

rng = np.random.RandomState(20250301)


def folds_of(splits, n):
    fold = np.full(n, -1)
    for f, (train, test) in enumerate(splits):
        test = np.asarray(test, dtype=int)
        assert (fold[test] == -1).all() and (np.diff(test) > 0).all() and len(train) + len(test) == n
        fold[test] = f
    return fold


def folds(c):
    """The repeats as the scikit-learn that runs this has them; None: to be refused."""
    n, k, y, groups = c["n"], c["k"], c["y"], c["groups"]
    if not 2 <= k <= n:
        return None
    if groups is not None and len(np.unique(groups)) < k:
        return None
    if y is not None and np.unique(y, return_counts=True)[1].min() < k:
        return None
    if c["kind"] == GROUP and c["shuffle"] and RUNS == "1.2":
        return None  # it has no such option
    x, times = np.empty(n), range(c["repeats"])
    random = {"shuffle": True, "random_state": np.random.RandomState(c["seed"])} if c["shuffle"] else {}
    if c["kind"] == PLAIN:
        return repeated(RepeatedKFold, c) if c["shuffle"] else [folds_of(KFold(k).split(x), n) for _ in times]
    if c["kind"] == STRATIFIED:
        return repeated(RepeatedStratifiedKFold, c) if c["shuffle"] else [folds_of(StratifiedKFold(k).split(x, y), n) for _ in times]
    if c["kind"] == GROUP:
        cv = GroupKFold(k, **random)
        return [folds_of(cv.split(x, None, groups), n) for _ in times]
    cv = StratifiedGroupKFold(k, **random)
    said = [folds_of(cv.split(x, y, groups), n) for _ in times]
    for fold in said:
        if any(len(np.unique(fold[y == label])) < k for label in np.unique(y)):
            return None
    return said


def repeated(cv, c):
    splits = list(cv(n_splits=c["k"], n_repeats=c["repeats"], random_state=c["seed"]).split(np.empty(c["n"]), c["y"]))
    return [folds_of(splits[r * c["k"]: (r + 1) * c["k"]], c["n"]) for r in range(c["repeats"])]


def some_labels(n, k):
    kind = rng.randint(6)
    classes = rng.choice([1, 2, 2, 3, 3, 5, 9, 20])
    if kind == 0:
        y = np.arange(n) % classes  # equal counts
    elif kind == 1:
        y = np.sort(rng.randint(classes, size=n))[::-1]  # blocks, the last label first
    elif kind == 2:
        y = (rng.random_sample(n) < 0.1).astype(int)
    elif kind == 3:
        # classes of just k rows, the last smaller perhaps
        y = rng.permutation(np.arange(n) // max(k, n // 5))
    else:
        y = rng.choice(classes, n, p=rng.dirichlet(np.full(classes, 2.0)))
    if rng.randint(4) == 0:
        # names far apart, in no order
        return rng.randint(-(2**31), 2**31, size=max(y) + 1)[y].astype(np.int32)
    return (y * 7 - 9).astype(np.int32)


def some_groups(n):
    kind = rng.randint(6)
    if kind == 0:
        groups = np.arange(n) // rng.randint(1, 5)  # equal sizes: ties everywhere
    elif kind == 1:
        groups = rng.permutation(np.arange(n) // 3)
    elif kind == 2:
        groups = rng.randint(rng.randint(1, 30), size=n)
    elif kind == 3:
        groups = np.floor(np.sqrt(np.arange(n))).astype(int)  # all sizes differ
    else:
        groups = rng.randint(max(1, n // rng.randint(2, 12)), size=n)
    if rng.randint(3) == 0:
        return rng.randint(-(2**63), 2**63 - 1, size=max(groups) + 1)[groups].astype(np.int64)
    return (groups * 3 - 40).astype(np.int64)


def median_killer():
    """Sizes of groups on which median-of-3 quicksort goes wrong, so that numpy turns to its
    heapsort, with ties."""
    sizes = np.full(64, 27)
    sizes[0:26:2], sizes[31:44] = np.arange(1, 27, 2), np.arange(2, 27, 2)
    return np.repeat(np.arange(64), sizes)


def make(kind, shuffle, n, k, y=None, groups=None, repeats=1):
    stratified, grouped = kind in (STRATIFIED, STRATIFIED_GROUP), kind in (GROUP, STRATIFIED_GROUP)
    seed = int(rng.choice([0, 1, 42, 2**32 - 1, rng.randint(2**31)]))
    return dict(kind=kind, shuffle=shuffle, n=n, k=k, seed=seed, repeats=repeats,
                y=(some_labels(n, k) if y is None else y) if stratified else None,
                groups=(some_groups(n) if groups is None else groups) if grouped else None)


def all_cases():
    out = []
    for i in range(1400):
        kind, shuffle = i % 4, i // 4 % 2
        most = 200 if kind == STRATIFIED_GROUP else 5000 if i % 10 == 0 else 400
        n = int(rng.choice([1, 3, 10, rng.randint(1, 40)] + list(rng.randint(4, most, size=6))))
        k = int(rng.choice([2, 3, 5, 5, 10, rng.randint(1, 20)]))
        few = rng.randint(rng.randint(1, 5), size=n).astype(np.int32) if i % 3 == 0 else None
        out.append(make(kind, shuffle, n, k, y=few, repeats=rng.randint(1, 4)))
    for k in (2, 3, 7):
        out.append(make(GROUP, 0, 1377, k, groups=median_killer()))
        out.append(make(GROUP, 0, 40000, k, groups=rng.randint(9000, size=40000)))
        for shuffle in (0, 1):  # classes enough for each way in which numpy adds up
            y = rng.permutation(np.arange(12000) % 300).astype(np.int32)
            out.append(make(STRATIFIED_GROUP, shuffle, 12000, k, y=y, groups=rng.randint(60, size=12000)))
            y = np.zeros(300, np.int32)
            out.append(make(STRATIFIED_GROUP, shuffle, 300, 4 * k, y=y, groups=rng.randint(90, size=300)))
            y = (rng.random_sample(1500) < 0.4).astype(np.int32)
            out.append(make(STRATIFIED_GROUP, shuffle, 1500, k, y=y, groups=np.arange(1500) // 3))
    return out


def packed(c, like):
    arrays = [np.array([c["kind"], c["shuffle"], c["repeats"], like], dtype=np.int64)]
    arrays += [a for a in (c["y"], c["groups"]) if a is not None]
    return cases.case(KFOLD, c["n"], c["k"], float(c["seed"]), *arrays)


def digest(said):
    if said is None or isinstance(said, str):
        return "refused"
    return hashlib.sha256(np.concatenate(said).astype("<i4").tobytes()).hexdigest()[:16]


def write(path):
    assert RUNS == "1.9", f"these would be the folds of scikit-learn {sklearn.__version__}"
    with open(path, "w") as f:
        f.writelines(digest(folds(c)) + "\n" for c in all_cases())


def compare(program, asked, like, want):
    wrong, tally = 0, {}
    for c, ours, theirs in zip(asked, cases.run(program, [packed(c, like) for c in asked]), want):
        counts = tally.setdefault((c["kind"], c["shuffle"]), [0, 0])
        counts[theirs == "refused"] += 1
        if digest(ours if isinstance(ours, str) else [ours]) != theirs:
            wrong += 1
            print(f"like {LIKE[like]}, {NAMES[c['kind']]} n={c['n']} k={c['k']} shuffle={c['shuffle']} seed={c['seed']} repeats={c['repeats']}: "
                  f"differs; ours {str(ours)[:150]}")
    for (kind, shuffle), (same, refused) in sorted(tally.items()):
        print(f"like {LIKE[like]}, {NAMES[kind]}{' shuffled' if shuffle else ''}: {same} compared, {refused} to be refused")
        assert same >= 60 or (like, kind, shuffle) == (1, GROUP, 1), "too few cases that fold"
    print(f"{len(asked)} cases, {wrong} differ")
    return wrong


def main():
    warnings.simplefilter("ignore")
    if sys.argv[1] == "--write":
        write(sys.argv[2])
        return 0
    asked = all_cases()
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "kfold-1.9.1.txt")) as f:
        stored = f.read().split()
    assert len(stored) == len(asked)
    wrong = compare(sys.argv[1], asked, 0, stored)
    if RUNS in LIKE:
        now = [digest(folds(c)) for c in asked]
        wrong += compare(sys.argv[1], asked, LIKE.index(RUNS), now)
        print(f"{sum(a != b for a, b in zip(now, stored))} of {len(now)} differ between scikit-learn {sklearn.__version__} and 1.9.1")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
