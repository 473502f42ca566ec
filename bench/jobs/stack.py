"""The whole command beside scikit-learn, in turn: PYTHON bench/jobs/stack.py ORRERY [rounds=5]
[n=60000] [models=3] [ranks=2]

PYTHON has the current scikit-learn and h5py.  One out-of-fold file of N samples x MODELS
probabilities, 10% positives; 50 values of C, 5 stratified folds.
    orrery stack     start, reading and checking, the grid, the comparison of all candidates fold by
    fold, the last fit, csv files scikit-learn     GridSearchCV(LogisticRegression(), n_jobs=-1,
    scoring="roc_auc") with refit, on arrays that are in memory already
A figure is the median of its rounds.  Both must choose C of the same mean AUC to 1e-4 (the peer's
fits end at tol=1e-4)."""
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold

HERE = os.path.dirname(os.path.abspath(__file__))
warnings.simplefilter("ignore")


def writer(program):
    """The function of tests/jobs/stack.py that writes such files."""
    tests = os.path.join(HERE, "..", "..", "tests", "jobs")
    os.environ.update(ORRERY=program, ORRERY_SOURCE_DIR=os.path.join(HERE, "..", ".."))
    sys.path.insert(0, tests)
    spec = importlib.util.spec_from_file_location("test_of_stack", os.path.join(tests, "stack.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.oof


def main():
    program = os.path.abspath(sys.argv[1])
    options = dict(a.split("=") for a in sys.argv[2:])
    rounds, n, models, ranks = (int(options.get(k, d)) for k, d in (("rounds", 5), ("n", 60000), ("models", 3), ("ranks", 2)))
    r = np.random.RandomState(1)
    y = (r.uniform(size=n) < 0.1).astype(np.int32)
    shared = r.normal(size=n)
    x = 1 / (1 + np.exp(2 - 1.6 * y[:, None] - shared[:, None] - 0.8 * r.normal(size=(n, models)) * np.linspace(0.7, 1.4, models)))
    x = x.astype(np.float32).astype(float)
    mpi = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]
    ways = {"orrery stack, 1 thread": ([], 1), "orrery stack, 2 threads": ([], 2), f"orrery stack, {ranks} ranks of 1 thread": (mpi, 1)}
    seconds, best = {w: [] for w in (*ways, "scikit-learn")}, {}
    with tempfile.TemporaryDirectory() as folder:
        writer(program)(os.path.join(folder, "cv", "oof.h5"), [f"s{i}" for i in range(n)], y, np.stack([1 - x.T, x.T], 2),
                        [(f"m{i}", 1, 0) for i in range(models)], np.arange(n) % 5)
        for i in range(rounds):
            for way, (launcher, threads) in ways.items():
                begin = time.perf_counter()
                subprocess.run([*launcher, program, "stack", "oof=cv", f"run=stack-{len(launcher)}-{threads}", f"runtime.threads={threads}"], cwd=folder,
                               check=True, capture_output=True)
                seconds[way].append(time.perf_counter() - begin)
                with open(os.path.join(folder, f"stack-{len(launcher)}-{threads}", "grid.csv")) as f:
                    best[way] = max(float(line.split(",")[1]) for line in f.readlines()[1:])
            begin = time.perf_counter()
            search = GridSearchCV(LogisticRegression(), {"C": np.logspace(2, -2, 50)}, n_jobs=-1, scoring="roc_auc",
                                  cv=StratifiedKFold(5, shuffle=True, random_state=1)).fit(x, y)
            seconds["scikit-learn"].append(time.perf_counter() - begin)
            best["scikit-learn"] = search.best_score_
    print(f"{n} samples x {models} models, 50 C x 5 folds; scikit-learn {sklearn.__version__}, {os.cpu_count()} cores; medians of {rounds}")
    peer = statistics.median(seconds["scikit-learn"])
    for way, s in seconds.items():
        m = statistics.median(s)
        print(f"  {way:<36}{m:8.3f} s ({min(s):.3f} to {max(s):.3f})  {peer / m:7.2f} x as fast   best mean AUC {best[way]:.9f}")
    assert max(best.values()) - min(best.values()) < 1e-4
    return 0


if __name__ == "__main__":
    sys.exit(main())
