"""orr_stats' redshift metrics against NumPy and SciPy, written from the definitions of Pasquet et
al. 2019 and Hersbach 2000: the CRPS by numerical integration of (F(t) - step(t - z))^2 on a fine
grid, the chi-square p-value by scipy.stats.chisquare."""
import sys

import numpy as np
from scipy import stats

import cases

PIT_BINS = 20
rng = np.random.RandomState(11)
wanted, given = [], []


def cumulative(edges, p, t):
    """F, linear between the edges, 0 below and 1 above."""
    return np.interp(t, edges, np.concatenate([[0], np.cumsum(p)]))


def crps_by_integration(edges, p, z, n=200001):
    """Gauss-Legendre with 4 nodes on each of n cells, which are cut at the truth and the edges:
    exact for pieces of a cubic, and it knows nothing of the closed form."""
    lo, hi = min(edges[0], z), max(edges[-1], z)
    cuts = np.unique(np.concatenate([edges, [z], np.linspace(lo, hi, n)]))
    nodes, weights = np.polynomial.legendre.leggauss(4)
    half = np.diff(cuts)[:, None] / 2
    t = (cuts[:-1] + cuts[1:])[:, None] / 2 + half * nodes
    return np.sum(half * weights * (cumulative(edges, p, t) - (t >= z)) ** 2)


def density(n_bins):
    p = rng.dirichlet(np.full(n_bins, [0.02, 0.3, 5.0][rng.randint(3)]))
    if rng.randint(4) == 0:
        p = np.eye(n_bins)[rng.randint(n_bins)]
    return p / p.sum()


def all_metrics(z_phot, z_spec, outlier, p=None, edges=None, true_crps=None):
    z = z_spec.astype(np.float64)
    n, error = len(z), z_phot - z
    if n == 0:
        return [0] + [np.nan] * 10 + [0] * PIT_BINS
    dz = error / (1 + z)
    head = [n, dz.mean(), 1.4826 * np.median(np.abs(dz - np.median(dz))), np.mean(np.abs(dz) > outlier)]
    head += [np.sqrt(np.mean(error**2)), np.abs(error).mean()]
    if p is None:
        return head + [np.nan] * 5 + [0] * PIT_BINS
    pit = np.array([cumulative(edges, q, v) for q, v in zip(p, z)])
    counts = np.histogram(np.minimum(pit, 1), PIT_BINS, (0, 1))[0]  # cumsum may end just above 1
    chi2, p_value = stats.chisquare(counts)
    return head + [np.mean(true_crps), pit.mean(), pit.std(), chi2, p_value] + list(counts)


def add(case, want, what, tolerance=1e-12):
    given.append(case)
    wanted.append((want, what, tolerance))


# every row's PIT and CRPS: inside, outside, on edges
for n_bins, lo, hi in ((1, 0, 1), (7, -1, 2), (100, 0, 0.4), (180, 0, 0.4)):
    edges = np.linspace(lo, hi, n_bins + 1)
    w = hi - lo
    z = np.concatenate([rng.uniform(lo, hi, 6), [lo, hi, lo - 0.3 * w, hi + 0.7 * w, edges[n_bins // 2]]])
    p = np.array([density(n_bins) for _ in z])
    want = [(cumulative(edges, q, v), crps_by_integration(edges, q, v)) for q, v in zip(p, z)]
    case = cases.case(cases.DENSITIES, len(z), n_bins, 0, np.array([lo, hi], np.float64), z, p)
    add(case, np.ravel(want), "densities of %d bins" % n_bins)
golden = np.array([np.full(180, 1 / 180), np.eye(180)[45]])
case = cases.case(cases.DENSITIES, 2, 180, 0, np.array([0, 0.4]), np.array([0.1, 0.101]), golden)
add(case, [0.25, 0.35 / 6, 0.45, 0.4 / 180 * (0.45**3 + 0.55**3) / 3], "golden numbers")

# whole sets
for n in (0, 1, 2, 3, 10, 500):
    for n_bins in (0, 1, 30):
        edges = np.linspace(0, 0.5, n_bins + 1)
        z_spec = np.where(rng.uniform(size=n) < 0.03, 0.6, rng.uniform(0, 0.5, n)).astype(np.float32)
        z_phot = z_spec + rng.standard_cauchy(n) * 0.02
        outlier = [0.05, 0.02][rng.randint(2)]
        p = np.array([density(n_bins) for _ in range(n)]).reshape(n, n_bins) if n_bins else None
        crps = [crps_by_integration(edges, q, v, 2001) for q, v in zip(p, z_spec.astype(np.float64))] if n_bins else None
        want = all_metrics(z_phot, z_spec, outlier, p, edges, crps)
        ends = np.array([0, 0.5])
        case = cases.case(cases.REDSHIFT, n, n_bins, outlier, ends, z_phot, z_spec, *([p] if n_bins else []))
        add(case, want, "%d rows, %d bins" % (n, n_bins))

# histograms from flat to hopeless: one bin of density 1, where PIT is the truth itself
smallest = 1
for n, spread in ((40, 0.1), (400, 0.1), (4000, 0.05), (4000, 0.3), (4000, 1), (100000, 0), (20, 30)):
    counts = rng.multinomial(n, rng.dirichlet(np.full(PIT_BINS, 1 / (spread + 1e-9))))
    if spread == 0:
        counts[:] = n // PIT_BINS
    z_spec = np.repeat((np.arange(PIT_BINS) + 0.5) / PIT_BINS, counts).astype(np.float32)
    n = len(z_spec)
    chi2, p_value = stats.chisquare(counts)
    smallest = min(smallest, p_value)
    assert abs(p_value - stats.chi2.sf(chi2, 19)) <= 1e-12
    case = cases.case(cases.REDSHIFT, n, 1, 0.05, np.array([0.0, 1.0]), np.full(n, 0.5), z_spec, np.ones((n, 1)))
    add(case, (chi2, p_value, counts), "chi-square %.3g, p %.3g" % (chi2, p_value))
assert smallest < 1e-100, smallest

# groups
for n, k in ((50, 1), (1000, 7), (999, 20), (30, 40)):
    edges = np.linspace(0, 1, 11)
    z_spec = rng.uniform(0, 1, n).astype(np.float32)
    z_phot = z_spec + rng.normal(0, 0.05, n)
    by = rng.normal(17, 1, n)
    if n == 999:
        by = np.round(by * 4) / 4
    by[rng.uniform(size=n) < 0.05] = np.nan
    by[0] = np.inf
    p = np.array([density(10) for _ in range(n)])
    crps = np.array([crps_by_integration(edges, q, v, 2001) for q, v in zip(p, z_spec.astype(np.float64))])
    known = np.sort(by[np.isfinite(by)])
    cuts = np.append(known[(np.arange(k) * len(known)) // k], known[-1])
    group = np.minimum(np.searchsorted(cuts, by, side="right") - 1, k - 1)
    group[~np.isfinite(by)] = -1
    if n == 1000:
        sizes = np.bincount(group[group >= 0], minlength=k)
        assert sizes.max() - sizes.min() <= 1, sizes
    want = list(cuts)
    for g in range(k):
        i = group == g
        want += all_metrics(z_phot[i], z_spec[i], 0.05, p[i], edges, crps[i])
    add(cases.case(cases.GROUPS, n, k, 0.05, z_phot, z_spec, p, by), want, "%d rows in %d groups" % (n, k))


def far(a, b):
    """Relative, and absolute below 1."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape, (a.shape, b.shape)
    assert np.array_equal(np.isnan(a), np.isnan(b)), (a, b)
    return np.nanmax(np.append(np.abs(a - b) / np.maximum(1, np.abs(b)), 0))


worst = 0
for got, (want, what, tolerance) in zip(cases.run(sys.argv[1], given), wanted):
    assert not isinstance(got, str), (what, got)
    if isinstance(want, tuple):
        chi2, p_value, counts = want
        assert list(counts) == got[11:], what
        assert abs(got[9] - chi2) <= 1e-12 * max(chi2, 1), (what, got[9])
        assert abs(got[10] - p_value) <= 1e-12 * p_value, (what, got[10])  # relative: tails, too
        continue
    error = far(got, want)
    assert error <= tolerance, (what, error)
    worst = max(worst, error)
print("%d cases agree with NumPy and SciPy, the farthest by %.1e" % (len(wanted), worst))
