"""Logistic regression, its grid search and the blends against scikit-learn and scipy.

scikit-learn's optimum is its own answer at tol=1e-12 (newton-cholesky where that takes the case,
else lbfgs), improved by Newton steps in numpy until the gradient is rounding: lbfgs stops some 1e-6
short of it.  Coefficients must agree to 1e-6, grid scores to 1e-8 with the same best C."""
import sys
import warnings

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, softmax
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold

import cases

FIT, GRID, MEAN, RANKS, WEIGHTS = range(5)
rng = np.random.RandomState(11)
wrong = []


def polish(w, b, x, y, c, k):
    """Newton steps on 0.5 w'w + C sum loss, on centred columns in their own units; binary or
    softmax with intercepts that sum to 0."""
    centre, unit = x.mean(0), x.std(0)
    unit[unit <= 1e-14 * np.abs(centre)] = 1
    z = np.column_stack([(x - centre) / unit, np.ones(len(x))])
    p, v = z.shape[1], len(w)
    theta = np.column_stack([w * unit, b + w @ centre])
    pen = np.append(1 / unit**2, 0)
    for _ in range(8):
        eta = z @ theta.T
        prob = expit(eta) if v == 1 else softmax(eta, axis=1)
        hot = y[:, None] if v == 1 else np.eye(k)[y]
        g = c * (prob - hot).T @ z + pen * theta
        h = np.zeros((v, p, v, p))
        for i in range(v):
            for j in range(v):
                weight = prob[:, i] * ((i == j) - prob[:, j])
                h[i, :, j, :] = c * (z * weight[:, None]).T @ z
            h[i, :, i, :] += np.diag(pen)
        if v > 1:
            h[:, -1, :, -1] += c * len(x) / v
        theta = theta - np.linalg.lstsq(h.reshape(v * p, v * p), g.ravel(), rcond=1e-15)[0].reshape(v, p)
    w = theta[:, :-1] / unit
    return w, theta[:, -1] - w @ centre


def optimum(x, y, c, k):
    try:
        if k > 2:
            raise ValueError("newton-cholesky is one against the rest here")
        m = LogisticRegression(C=c, tol=1e-12, max_iter=10000, solver="newton-cholesky").fit(x, y)
    except ValueError:
        m = LogisticRegression(C=c, tol=1e-12, max_iter=10000).fit(x, y)
    return m, *polish(m.coef_, m.intercept_, x, y, c, k)


def summed_loss(y, p):
    return -np.sum(np.log(np.maximum(p[np.arange(len(y)), y], 1e-300)))


def features(n, d, k, strength):
    y = rng.randint(k, size=n).astype(np.int32)
    if k == 2:
        y = (rng.uniform(size=n) < rng.choice([0.5, 0.1])).astype(np.int32)
    y[:k] = np.arange(k)
    return rng.normal(size=(n, d)) + strength * rng.normal(size=(k, d))[y], y


def fit_cases():
    out = []
    add = lambda name, x, y, c, k: out.append((name, np.ascontiguousarray(x, float), y, c, k))
    for n, d, k, c in [(40, 1, 2, 1), (9, 3, 2, 1), (300, 3, 2, 1e-4), (300, 3, 2, 1e4), (1000, 20, 2, 1), (257, 7, 3, 1), (2000, 5, 10, 0.1), (5000, 9, 3, 100),
                       (255, 4, 4, 1e-3), (20000, 8, 2, 1), (800, 70, 2, 1), (300, 30, 12, 1), (70000, 3, 2, 1), (300, 600, 2, 0.1), (400, 60, 10, 0.01)]:
        add(f"{n} x {d}, {k} classes, C={c}", *features(n, d, k, 0.7), c, k)
    x, y = features(400, 4, 2, 0.5)
    add("constant columns", np.column_stack([x, np.full(400, 3.0), np.zeros(400), np.full(400, 1e6)]), y, 1, 2)
    add("huge", x * 1e6, y, 1, 2)
    add("huge offset", x + 1e6, y, 1, 2)
    add("tiny", x * 1e-6, y, 1, 2)
    add("tiny, C=1e9", x * 1e-6, y, 1e9, 2)
    add("mixed", x * [1e6, 1, 1e-6, 1e3], y, 10, 2)
    add("one column twice", np.column_stack([x, x[:, 0]]), y, 1, 2)
    add("nearly one column twice", np.column_stack([x, x[:, 0] + 1e-4 * x[:, 1]]), y, 100, 2)
    x, y = features(300, 3, 2, 0)
    add("separable", x + 20 * y[:, None], y, 1, 2)
    add("separable, C=1e6", x + 20 * y[:, None], y, 1e6, 2)
    x, y = features(300, 3, 4, 30)
    add("separable, 4 classes", x, y, 1, 4)
    x, y = features(500, 6, 3, 0.5)
    add("huge, 3 classes", x * [1e6, 1, 1, 1, 1e-3, 1], y, 1, 3)
    return out


def note(name, off, limit):
    if not off <= limit:
        wrong.append(name)
        print(f"{name}: off by {off:.3e}, allowed {limit:g}")
    return off


def check_fits(program):
    made, worst = fit_cases(), 0
    lines = cases.run(program, [cases.case(FIT, len(y), k, c, np.array([x.shape[1]], np.int64), x, y) for _, x, y, c, k in made])
    for (name, x, y, c, k), line in zip(made, lines):
        if isinstance(line, str):
            wrong.append(name)
            print(name, line)
            continue
        converged, separable, _, objective, _ = line[:5]
        v, d = (1 if k == 2 else k), x.shape[1]
        w, b = np.reshape(line[5:5 + v * d], (v, d)), np.array(line[5 + v * d:5 + v * d + v])
        p = np.reshape(line[5 + v * (d + 1):], (len(y), k))
        m, tw, tb = optimum(x, y, c, k)
        # weights in the units of their columns' effect, but never finer than 1
        worst = max(worst, note(name + ": weights", np.max(np.abs(w - tw) / np.maximum(1, np.abs(tw))), 1e-6))
        note(name + ": intercepts", np.max(np.abs(b - tb) / np.maximum(1, np.abs(tb))), 1e-6)
        note(name + ": effects", np.max(np.abs(w - tw) * x.std(0)), 1e-6)
        raw = x @ w.T + b
        ours = np.column_stack([1 - expit(raw), expit(raw)]) if k == 2 else softmax(raw, axis=1)
        note(name + ": predict", np.max(np.abs(p - ours)), 1e-12 * max(1, np.max(np.abs(x)) * np.max(np.abs(w))))
        # a probability near 1 holds its row's loss to 1e-16
        allowed, reached = 1e-9 * max(1, abs(objective)) + c * len(y) * 1e-15, 0.5 * np.sum(w * w) + c * summed_loss(y, p)
        note(name + ": objective", abs(objective - reached), allowed)
        note(name + ": no worse than the peer", reached - 0.5 * np.sum(m.coef_**2) - c * summed_loss(y, m.predict_proba(x)), allowed)
        note(name + ": converged", 1 - converged, 0)
        note(name + ": separable", abs(separable - np.all(p.argmax(1) == y)), 0)
        if v > 1:
            note(name + ": sum of intercepts", abs(b.sum()), 1e-9 * max(1, np.abs(b).max()))
        if " x " in name:  # and without our help
            note(name + ": the peer's own weights", np.max(np.abs(w - m.coef_) / np.maximum(1, np.abs(m.coef_))), 1e-6 if m.solver != "lbfgs" else 1e-3)
    print(f"{len(made)} fits, largest difference of a weight {worst:.2e}")


def check_grids(program):
    worst = 0
    for n, d, k, folds, n_c in [(3000, 3, 2, 5, 23), (900, 4, 3, 4, 12), (200, 2, 2, 10, 3)]:
        x, y = features(n, d, k, 0.4)
        x = expit(x)
        c = 10 ** np.linspace(2, -2, n_c)
        fold = np.zeros(n, np.int32)
        splits = list(StratifiedKFold(folds, shuffle=True, random_state=1).split(x, y))
        for f, (_, test) in enumerate(splits):
            fold[test] = f
        line = cases.run(program, [cases.case(GRID, n, k, 0, np.array([d, folds, n_c], np.int64), x, y, fold, c)])[0]
        name = f"grid {n} x {d}, {k} classes"
        if isinstance(line, str):
            wrong.append(name)
            print(name, line)
            continue
        ours = np.reshape(line[1:], (2, n_c, folds))
        theirs = np.zeros_like(ours)
        for i, v in enumerate(c):
            for f, (train, test) in enumerate(splits):
                _, w, b = optimum(x[train], y[train], v, k)
                raw = x[test] @ w.T + b
                p = np.column_stack([1 - expit(raw), expit(raw)]) if k == 2 else softmax(raw, axis=1)
                theirs[0, i, f] = roc_auc_score(y[test], raw[:, 0]) if k == 2 else roc_auc_score(y[test], p, multi_class="ovr")
                theirs[1, i, f] = log_loss(y[test], p, labels=range(k))
        worst = max(worst, note(name + ": AUC", np.abs(ours[0] - theirs[0]).max(), 1e-8), note(name + ": log loss", np.abs(ours[1] - theirs[1]).max(), 1e-8))
        note(name + ": best", abs(line[0] - theirs[0].mean(1).argmax()) if np.ptp(theirs[0].mean(1)) > 1e-9 else 0, 0)
    print(f"grids, largest difference of a score {worst:.2e}")


def check_blends(program):
    for n, m, k in [(1, 1, 1), (50, 3, 1), (400, 4, 5), (3000, 2, 1)]:
        x = np.round(rng.uniform(size=(n, m, k)), rng.choice([1, 2, 15]))
        mean, ranks = cases.run(program, [cases.case(kind, n, k, 0, np.array([m], np.int64), x) for kind in (MEAN, RANKS)])
        note("mean", np.abs(np.reshape(mean, (n, k)) - x.mean(1)).max(), 1e-15)
        theirs = np.mean([[rankdata(x[:, j, c]) / n for c in range(k)] for j in range(m)], axis=0).T
        note("ranks", np.abs(np.reshape(ranks, (n, k)) - theirs).max(), 1e-14)
    for n, m, k in [(300, 2, 1), (2000, 5, 1), (1000, 4, 3), (500, 1, 1), (60, 8, 4)]:
        y = rng.randint(2 if k == 1 else k, size=n).astype(np.int32)
        noise = rng.uniform(0.5, 4, m)
        if k == 1:
            x = expit((2 * y[:, None] - 1) + noise * rng.normal(size=(n, m)))[:, :, None]
            true = np.where(y[:, None] == 1, x[:, :, 0], 1 - x[:, :, 0])
        else:
            x = softmax(2 * np.eye(k)[y][:, None, :] + noise[:, None] * rng.normal(size=(n, m, k)), axis=2)
            true = x[np.arange(n), :, y]
        loss, *weight = cases.run(program, [cases.case(WEIGHTS, n, k, 0, np.array([m], np.int64), x, y)])[0]
        weight = np.array(weight)
        f = lambda a: -np.mean(np.log(true @ a))
        note("weights: simplex", abs(weight.sum() - 1) + max(0, -weight.min()), 1e-12)
        note("weights: loss", abs(loss - f(weight)), 1e-13)
        best = min((minimize(f, start, method="SLSQP", bounds=[(0, 1)] * m, tol=1e-14,
                             constraints={"type": "eq", "fun": lambda a: a.sum() - 1}, options={"maxiter": 1000})
                    for start in (np.full(m, 1 / m), rng.dirichlet(np.ones(m)))), key=lambda r: r.fun)
        note("weights: as good as SLSQP's", loss - best.fun, 1e-11)
        note("weights: SLSQP's weights", np.abs(weight - best.x).max(), 1e-4)
        gradient = (true / (true @ weight)[:, None]).mean(0)
        note("weights: optimal", gradient.max() - 1, 1e-8)
    print("blends compared")


def main():
    check_fits(sys.argv[1])
    check_grids(sys.argv[1])
    check_blends(sys.argv[1])
    print(f"{len(wrong)} beyond their tolerance")
    return len(wrong) != 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
