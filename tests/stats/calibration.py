"""orr_calibration against SciPy, written from the words of its header: the penalised likelihood is
that of a multinomial here, made largest by a general minimiser, and its effective numbers are
counted by finite differences of the fitted shares.  Then what a map does to samples that it was not
fitted on."""
import sys

import numpy as np
from scipy import optimize, stats

import cases

CELLS, WEIGHTS, FEWEST = 20, 10.0 ** np.arange(-1, 6), 100
D = np.diff(np.eye(CELLS - 2), 2, axis=0)
rng = np.random.RandomState(5)


def smoothed(h, weight):
    """Shares of the inner cells among themselves."""
    def minus(t):
        top = t.max()
        w = np.exp(t - top)
        d = D @ t
        return -(h @ t) + h.sum() * (top + np.log(w.sum())) + weight / 2 * d @ d, -h + h.sum() * w / w.sum() + weight * D.T @ d

    t = np.zeros(len(h))
    for _ in range(200):  # Newton, the constant held down
        w = np.exp(t - t.max())
        w /= w.sum()
        hess = h.sum() * (np.diag(w) - np.outer(w, w)) + weight * D.T @ D + 1
        step = np.linalg.solve(hess, -minus(t)[1])
        t = optimize.minimize_scalar(lambda a: minus(t + a * step)[0], bounds=(0, 2), method="bounded").x * step + t
        if np.abs(minus(t)[1]).max() < 1e-7:
            break
    t = optimize.minimize(minus, t, jac=True, method="L-BFGS-B", options={"ftol": 1e-16, "gtol": 1e-9}).x
    w = np.exp(t - t.max())
    w /= w.sum()
    fisher = h.sum() * (np.diag(w) - np.outer(w, w))
    return w, np.trace(np.linalg.pinv(fisher + weight * D.T @ D, rcond=1e-12) @ fisher)


def fitted(u):
    n = len(u)
    h = np.histogram(u, np.arange(CELLS + 1) / CELLS)[0].astype(float)
    best = (0, 0, None)
    for weight in WEIGHTS:
        inner, numbers = smoothed(h[1:-1], weight) if h[1:-1].sum() else (np.zeros(CELLS - 2), 0)
        mu = np.concatenate([h[:1], h[1:-1].sum() * inner, h[-1:]])
        share = (mu + 1 / CELLS) / (n + 1)
        score = h @ np.log(CELLS * share) - numbers - 2
        if score > best[0]:
            best = (score, numbers + 2, share)
    if best[2] is None:
        return 0, np.array([[0, 0], [1, 1]])
    at, to = np.arange(CELLS + 1) / CELLS, np.concatenate([[0], np.cumsum(best[2])])
    knots = list(zip(at, to))
    knots[-1] = (1, 1)
    for upper in (False, True):
        v, width = 1 - u if upper else u, 1 / CELLS
        for _ in range(24):
            if np.sum(v < width) <= n / CELLS:
                break
            width /= 2
            mass = (np.sum(v < width) + width) / (n + 1)
            knots.append((1 - width, 1 - mass) if upper else (width, mass))
    ends = best[2][[0, -1]] * CELLS
    return best[1] + np.sum(np.maximum(ends - 1, 0)), np.array(sorted(knots))


def chi2(u):
    return stats.chisquare(np.histogram(u, 20, (0, 1))[0])[0] / 19


samples = [rng.uniform(size=n) for n in (100, 700, 3000)]
samples += [rng.beta(a, b, n) for a, b, n in ((2, 2, 700), (0.5, 0.5, 700), (1, 1.5, 300), (3, 1, 5000), (6, 6, 400), (0.2, 1, 1000), (1, 0.15, 700))]
samples += [np.concatenate([rng.uniform(size=600), np.full(60, 1e-7), 1 - np.full(40, 1e-12), [0, 1, 0.05, 0.95]])]
samples += [np.repeat([0.0, 1.0], 80), np.full(150, 0.52), np.concatenate([np.zeros(90), rng.uniform(size=30)])]
given, p = [], rng.dirichlet(np.full(30, 0.3))
for u in samples:
    given.append(cases.case(0, len(u), 30, 0, u, p))
worst, identities = 0, 0
for u, got in zip(samples, cases.run(sys.argv[1], given)):
    degrees, knots = fitted(u)
    n = int(got[0])
    identities += n == 0
    mine = np.array(got[2:2 + 2 * n]).reshape(n, 2) if n else np.array([[0, 0], [1, 1]])
    assert mine.shape == knots.shape, (len(u), mine.shape, knots.shape)
    error = np.abs(mine - knots).max()
    assert error < 1e-7, (len(u), error, mine, knots)
    assert abs(got[1] - degrees) < 1e-5, (len(u), got[1], degrees)
    q = np.diff(np.interp(np.concatenate([[0], np.cumsum(p)[:-1], [1]]), *knots.T))
    assert np.abs(np.array(got[2 + 2 * n:]) - q).max() < 1e-7
    assert abs(sum(got[2 + 2 * n:]) - 1) < 1e-14 and min(got[2 + 2 * n:]) >= 0
    worst = max(worst, error)
assert identities >= 2, identities

# maps of half a sample, on the other half: as flat as the header says
kinds = ((1, 1), (2, 2), (0.5, 0.7), (1, 1.6))
given, others = [], []
for a, b in kinds * 25:
    u = rng.beta(a, b, 2000)
    given.append(cases.case(0, 1000, 0, 0, u[:1000]))
    others.append(u[1000:])
before, after, expected = [], [], []
for v, got in zip(others, cases.run(sys.argv[1], given)):
    n = int(got[0])
    before.append(chi2(v))
    after.append(chi2(np.interp(v, *np.array(got[2:]).reshape(n, 2).T)) if n else before[-1])
    expected.append(1 + got[1] / 19)
for k, (a, b) in enumerate(kinds):
    means = [np.mean(x[k::len(kinds)]) for x in (before, after, expected)]
    print("beta(%g, %g): chi-square a degree %.2f, calibrated %.2f, expected %.2f" % (a, b, *means))
    assert means[1] < means[2] + 0.25, (a, b, means)
    assert k == 0 or means[0] > 3, means
print("%d maps agree with SciPy, the farthest by %.1e" % (len(samples), worst))
