"""orr_train_test_split against scikit-learn's train_test_split: the same indices in the same order,
or both refuse."""
import sys

import numpy as np
from sklearn.model_selection import train_test_split

import cases

rng = np.random.RandomState(20240607)


def labels_for(n):
    kind = rng.randint(6)
    k = rng.randint(2, 11)
    if kind == 0:  # equal counts: ties everywhere
        y = np.arange(n) % k
    elif kind == 1:  # pairs of equal counts
        y = rng.permutation(np.repeat(np.arange(k), rng.choice([3, 5, 8], k)[rng.randint(0, k, k)]))
        y = np.resize(y, n)
    elif kind == 2:  # 1 in 1000
        y = (rng.random_sample(n) < 0.001).astype(int)
        y[: min(n, 3)] = 1
    elif kind == 3:  # two rows a class
        y = rng.permutation(np.arange(n) // 2)
    else:
        y = rng.choice(k, n, p=rng.dirichlet(np.full(k, 0.7)))
    return (y * 7 - 9).astype(np.int32)  # labels need not start at 0


def reference(n, test_size, seed, y):
    try:
        train, test = train_test_split(np.arange(n), test_size=test_size, random_state=seed, stratify=y)
    except ValueError:
        return None
    return np.concatenate([[len(train), len(test)], train, test])


def main():
    asked, packed = [], []
    sizes = [1, 2, 3, 4, 5, 10, 37, 100, 101, 600, 999, 5087, 20000]
    for i in range(1200):
        n = int(sizes[i % len(sizes)] if i % 2 else rng.randint(1, 20001 if i % 20 == 0 else 400))
        test_size = [0.25, 0.2, 0.1, 0.5, 1 / 3, 0.3, 0.9, rng.uniform(0.001, 0.999)][rng.randint(8)]
        seed = int([0, 1, 42, 2**32 - 1, rng.randint(2**31)][rng.randint(5)])
        y = labels_for(n) if i % 4 else None
        asked.append((n, test_size, seed, y))
        kind = cases.SPLIT if y is None else cases.STRATIFIED
        packed.append(cases.case(kind, n, seed, test_size, *([] if y is None else [y])))
    wrong = refused = 0
    for (n, test_size, seed, y), ours in zip(asked, cases.run(sys.argv[1], packed)):
        theirs = reference(n, test_size, seed, y)
        refused += theirs is None
        same = isinstance(ours, str) if theirs is None else (
            not isinstance(ours, str) and np.array_equal(theirs, ours))
        if not same:
            wrong += 1
            print(f"n={n} test_size={test_size} seed={seed} stratified={y is not None}: differs;"
                  f" ours {str(ours)[:120]}, theirs {theirs if theirs is None else theirs[:12]}")
    print(f"{len(asked)} splits, {refused} refused by both, {wrong} differ")
    assert refused < len(asked) / 2, "too few cases that split"
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
