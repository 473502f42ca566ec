"""L2 logistic regression: Orrery beside scikit-learn, in turn: PYTHON bench/peers/logistic.py
BENCH_STATS_LOGISTIC [rounds=5] [what=grid,fit] [threads=1,2]

PYTHON has the current scikit-learn.  Data are made from a seed and read by both sides from the same
file:
    grid   60,000 x 3 sigmoids such as out-of-fold predictions, 10% positives; 50 values C = 10^(2 -
    4k/49), 5 stratified folds, ROC-AUC:
           GridSearchCV(LogisticRegression(), n_jobs=-1, scoring="roc_auc", refit=False) with the
           same folds
    fit    500,000 x 20, 10% positives, C = 1: LogisticRegression().fit on float64 in C order, its
    default tolerance and solver
A figure is the median of its rounds, the ratio that of the medians.  Answers are compared, too:
with the peer as timed, and with its optimum (newton-cholesky and lbfgs at tol=1e-12).  Claims: grid
>= 20 x, fit <= 0.2 of the peer's time."""
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
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold

warnings.simplefilter("ignore")


def predictions(n, d, seed):
    """Sigmoids of d models that share most of what they know; 10% positives."""
    r = np.random.RandomState(seed)
    y = (r.uniform(size=n) < 0.1).astype(np.int32)
    shared = r.normal(size=n)
    x = 1 / (1 + np.exp(2 - 1.6 * y[:, None] - shared[:, None] - 0.8 * r.normal(size=(n, d)) * np.linspace(0.7, 1.4, d)))
    return np.ascontiguousarray(x), y


def write(path, x, y, fold, c):
    with open(path, "wb") as f:
        np.array([*x.shape, 2, fold.max() + 1, len(c)], np.int64).tofile(f)
        for a in (x, y.astype(np.int32), fold.astype(np.int32), np.asarray(c, float)):
            a.tofile(f)


class Ours:
    def __init__(self, program, path):
        self.process = subprocess.Popen([program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return np.array(self.process.stdout.readline().split(), float)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def show(name, seconds, base):
    print(f"  {name:<46}{1e3 * statistics.median(seconds):10.2f} ms ({1e3 * min(seconds):.2f} to {1e3 * max(seconds):.2f})"
          f"   {statistics.median(base) / statistics.median(seconds):8.2f} x as fast")


def grid(program, rounds, threads, folder):
    x, y = predictions(60000, 3, 1)
    c = 10 ** (2 - 4 * np.arange(50) / 49)
    splits = list(StratifiedKFold(5, shuffle=True, random_state=1).split(x, y))
    fold = np.zeros(len(y), int)
    for k, (_, test) in enumerate(splits):
        fold[test] = k
    path = os.path.join(folder, "grid.bin")
    write(path, x, y, fold, c)
    ours, theirs, mine = Ours(program, path), [], {t: [] for t in threads}
    for i in range(rounds + 1):  # the first warms both up
        for t in threads:
            a = ours.ask(f"grid {t}")
            mine[t].append(a[0])
        search = GridSearchCV(LogisticRegression(), {"C": list(c)}, n_jobs=-1, scoring="roc_auc", cv=splits, refit=False)
        start = time.perf_counter()
        search.fit(x, y)
        theirs.append(time.perf_counter() - start)
    ours.end()
    print(f"grid search 60,000 x 3, 50 C, 5 folds; {rounds} rounds in turn; scikit-learn {sklearn.__version__}, {os.cpu_count()} cores")
    show("GridSearchCV(n_jobs=-1)", theirs[1:], theirs[1:])
    for t in threads:
        show(f"orrery, {t} threads ({int(a[2])} steps in all)", mine[t][1:], theirs[1:])
    auc = a[3:253].reshape(50, 5)
    peer = np.array([search.cv_results_[f"split{k}_test_score"] for k in range(5)]).T
    print(f"  best C: orrery {c[int(a[1])]:.6g}, peer {search.best_params_['C']:.6g}; largest difference of a fold's AUC {np.abs(auc - peer).max():.2e}, "
          f"of a mean {np.abs(auc.mean(1) - peer.mean(1)).max():.2e}")
    pair = 1 / (y[splits[0][1]].sum() * (y[splits[0][1]] == 0).sum())
    for solver, every in (("lbfgs", 5), ("newton-cholesky", 1)):
        at = np.arange(0, 50, every)
        tight = np.array([[roc_auc_score(y[test], LogisticRegression(C=c[i], solver=solver, tol=1e-12, max_iter=10000).fit(x[train], y[train])
                                         .decision_function(x[test])) for train, test in splits] for i in at])
        off = np.abs(auc[at] - tight)
        print(f"  {len(at)} C against {solver} at tol=1e-12: best {c[at[tight.mean(1).argmax()]]:.6g} (orrery {c[at[auc[at].mean(1).argmax()]]:.6g}); largest difference "
              f"of a fold's AUC {off.max():.2e} ({off.max() / pair:.1f} pairs of rows), of a mean {np.abs(auc[at].mean(1) - tight.mean(1)).max():.2e}")


def fit(program, rounds, threads, folder):
    x, y = predictions(500000, 20, 2)
    path = os.path.join(folder, "fit.bin")
    write(path, x, y, np.zeros(len(y), int), [1.0])
    ours, theirs, mine = Ours(program, path), [], {t: [] for t in threads}
    for i in range(rounds + 1):
        for t in threads:
            a = ours.ask(f"fit 1 0 {t}")
            mine[t].append(a[0])
        start = time.perf_counter()
        peer = LogisticRegression().fit(x, y)
        theirs.append(time.perf_counter() - start)
    ours.end()
    print(f"fit 500,000 x 20, C = 1; {rounds} rounds in turn")
    show(f"LogisticRegression() ({int(peer.n_iter_[0])} iterations)", theirs[1:], theirs[1:])
    for t in threads:
        show(f"orrery, {t} threads ({int(a[1])} steps, gradient {a[4]:.1e})", mine[t][1:], theirs[1:])
    w = a[5:]
    for name, m in {"as timed": peer, "lbfgs, tol=1e-12": LogisticRegression(tol=1e-12, max_iter=10000).fit(x, y),
                    "newton-cholesky, tol=1e-12": LogisticRegression(tol=1e-12, solver="newton-cholesky").fit(x, y)}.items():
        print(f"  largest difference of a coefficient from the peer's, {name}: {np.abs(w - np.append(m.coef_[0], m.intercept_)).max():.2e}")


def main():
    options = dict(a.split("=") for a in sys.argv[2:])
    threads = options.get("threads", "1,2").split(",")
    with tempfile.TemporaryDirectory() as folder:
        for what in options.get("what", "grid,fit").split(","):
            {"grid": grid, "fit": fit}[what](sys.argv[1], int(options.get("rounds", 5)), threads, folder)


if __name__ == "__main__":
    main()
