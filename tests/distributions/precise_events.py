"""Log densities of vectors, and of categories, at 50 digits, each with laws and values to try, extreme ones too."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf

from exmc.distributions import (
    AR,
    CAR,
    ICAR,
    Categorical,
    Dirichlet,
    DirichletMultinomial,
    GaussianRandomWalk,
    LKJCholesky,
    MarkovChain,
    Multinomial,
    MvNormal,
    MvStudentT,
    Normal,
    OrderedLogistic,
    OrderedProbit,
    ZeroSumNormal,
)
from exmc.distributions.base import Given

DIGITS = 50


@dataclass(frozen=True)
class Precise:
    """A law and values of it; `reference` takes one value and the parameters, arrays of numbers of 50 digits."""

    given: Given
    values: tuple[Any, ...]
    reference: Callable[..., Any]

    def expected(self) -> list[float]:
        """The log density of each value, correctly rounded."""
        with mpmath.workdps(DIGITS):
            parameters = {name: _exact(value) for name, value in self.given.arguments}
            return [float(self.reference(_exact(value), **parameters)) for value in self.values]


def _exact(value: Any) -> Any:
    if isinstance(value, Given):
        return {name: _exact(inner) for name, inner in value.arguments}
    array = np.vectorize(mpf, otypes=[object])(np.asarray(value, float))
    return array if np.ndim(value) else array.item()


def solve(matrix: Any, right: Any) -> Any:
    """The solution of a linear system."""
    return np.array(mp.lu_solve(mp.matrix(matrix.tolist()), mp.matrix(right.tolist())).T.tolist()[0], object)


def logdet(matrix: Any) -> Any:
    """The logarithm of a determinant."""
    return mp.log(mp.det(mp.matrix(matrix.tolist())))


def _mv_normal(x, mu, cov):
    residual = x - mu
    return -(residual @ solve(cov, residual) + logdet(cov) + len(x) * mp.log(2 * mp.pi)) / 2


def _zero_sum(x, sigma):
    freedom = len(x) - 1
    return -(x @ x / sigma**2 + freedom * mp.log(2 * mp.pi)) / 2 - freedom * mp.log(sigma)


def _dirichlet(x, alpha):
    terms = ((a - 1) * mp.log(share) - mp.loggamma(a) for share, a in zip(x, alpha, strict=True))
    return sum(terms) + mp.loggamma(sum(alpha))


def _lkj_cholesky(x, eta):
    """Lewandowski, Kurowicka and Joe 2009, equation 16, and the Jacobian of the factor."""
    n = len(x)
    constant = sum(
        mp.loggamma(eta + mpf(n - 1) / 2) - mp.loggamma(eta + mpf(n - 1 - k) / 2) - k * mp.log(mp.pi) / 2
        for k in range(1, n)
    )
    return constant + sum((n - k + 2 * eta - 3) * mp.log(x[k, k]) for k in range(1, n))


def _chain(x, initial, transition):
    places = [int(place) for place in x]
    moves = (transition[a, b] / sum(transition[a]) for a, b in itertools.pairwise(places))
    return mp.log(initial[places[0]] / sum(initial)) + sum(mp.log(move) for move in moves)


def _categorical(x, logits):
    return logits[int(x)] - mp.log(sum(mp.exp(t) for t in logits))


def _student(x, nu, mu, cov):
    n, residual = len(x), x - mu
    scale = mp.loggamma((nu + n) / 2) - mp.loggamma(nu / 2) - mpf(n) / 2 * mp.log(nu * mp.pi) - logdet(cov) / 2
    return scale - (nu + n) / 2 * mp.log1p(residual @ solve(cov, residual) / nu)


def _multinomial(x, n, p=None, logits=None):
    if p is None:
        log_p = [t - mp.log(sum(mp.exp(u) for u in logits)) for t in logits]
    else:
        log_p = [mp.log(q / sum(p)) if q else mpf(0) for q in p]
    ways = mp.loggamma(n + 1) - sum(mp.loggamma(count + 1) for count in x)
    return ways + sum(count * q for count, q in zip(x, log_p, strict=True))


def _dirichlet_multinomial(x, n, alpha):
    total = sum(alpha)
    each = (mp.loggamma(c + a) - mp.loggamma(a) - mp.loggamma(c + 1) for c, a in zip(x, alpha, strict=True))
    return sum(each) + mp.loggamma(total) + mp.loggamma(n + 1) - mp.loggamma(n + total)


def _between(tail: Callable[[Any], Any], k: Any, eta: Any, cutpoints: Any, sigma: Any) -> Any:
    """log P(cut < Z <= next cut), given ``tail(z)`` = P(Z > z) of a symmetric variable."""
    cuts = [mpf("-inf"), *cutpoints, mpf("inf")]
    with mpmath.workdps(1500):
        low, high = ((cuts[int(k) + i] - eta) / sigma for i in (0, 1))
        return mp.log(tail(low) - tail(high))


def _ordered_probit(k, eta, cutpoints, sigma):
    return _between(lambda z: mp.erfc(z / mp.sqrt(2)) / 2, k, eta, cutpoints, sigma)


def _ordered_logistic(k, eta, cutpoints):
    return _between(lambda z: 1 / (1 + mp.exp(z)), k, eta, cutpoints, mpf(1))


def _normal(x, mu, sigma):
    return -(((x - mu) / sigma) ** 2) / 2 - mp.log(sigma) - mp.log(2 * mp.pi) / 2


def _walk(x, sigma, init_dist):
    return _normal(x[0], **init_dist) + sum(_normal(b, a, sigma) for a, b in itertools.pairwise(x))


def _series(x, rho, sigma, intercept, init_dist):
    means = (intercept + rho[0] * x[t - 1] + rho[1] * x[t - 2] for t in range(2, len(x)))
    later = sum(_normal(value, mean, sigma) for value, mean in zip(x[2:], means, strict=True))
    return later + sum(_normal(value, **init_dist) for value in x[:2])


def _laplacian(size, W=None, node1=None, node2=None, alpha=1):
    if W is None:
        W = np.zeros((size, size), object) + mpf(0)
        for a, b in zip(node1, node2, strict=True):
            W[int(a), int(b)] += 1
            W[int(b), int(a)] += 1
    return np.diag(W.sum(0)) - alpha * W


def _car(x, alpha, tau, **graph):
    precision = tau * _laplacian(len(x), alpha=alpha, **graph)
    return (logdet(precision) - x @ precision @ x - len(x) * mp.log(2 * mp.pi)) / 2


def _icar(x, sigma, **graph):
    laplacian, n = _laplacian(len(x), **graph), len(x)
    # The matrix-tree theorem: the product of the positive eigenvalues is n times any first minor.
    log_det = logdet(laplacian[1:, 1:]) + mp.log(n)
    return (log_det - x @ laplacian @ x / sigma**2) / 2 - (n - 1) * (mp.log(sigma) + mp.log(2 * mp.pi) / 2)


_RING = {"node1": np.array([0, 1, 2, 3]), "node2": np.array([1, 2, 3, 0])}
_WEIGHTS = np.array([[0.0, 1e-6, 2.0, 0.0], [1e-6, 0.0, 0.0, 1e3], [2.0, 0.0, 0.0, 1.0], [0.0, 1e3, 1.0, 0.0]])
_MAPS = ([0.5, -1.0, 0.25, 0.25], [1e4, -1e4, 2e4, -2e4])

_SCALE = np.array([[2.0, 0.6], [0.6, 0.5]])
_CLOSE = np.array([[1.0, 1.0 - 1e-4], [1.0 - 1e-4, 1.0]])
_LEFT = ([0.0, 0.0], [1.5, -2.0], [1e6, -1e6])
_CATEGORIES = (0, 1, 2, 3)

_FACTOR = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [-0.48, 0.64, 0.6]])
_RARE = np.array([[1.0 - 1e-8, 1e-8], [0.5, 0.5]])

PRECISE = (
    *(Precise(MvNormal(np.array([1.0, -2.0]), cov=scale**2 * _SCALE), _LEFT, _mv_normal) for scale in (1e-8, 1.0, 1e8)),
    Precise(MvNormal(np.zeros(2), cov=_CLOSE), ([0.5, 0.4], [1.0, -1.0]), _mv_normal),
    *(Precise(ZeroSumNormal(sigma), ([0.5, -1.0, 0.5], [1e4, -1e4, 0.0]), _zero_sum) for sigma in (1e-8, 1.5, 1e8)),
    *(
        Precise(Dirichlet(np.array(alpha)), ([0.25, 0.5, 0.25], [2.0**-30, 1.0 - 2.0**-29, 2.0**-30]), _dirichlet)
        for alpha in ([0.7, 2.0, 3.5], [1e-8, 1e-8, 1.0], [1e8, 2e8, 1e8], [1e8, 1.0, 1e-8])
    ),
    *(Precise(LKJCholesky(eta), (np.eye(3), _FACTOR), _lkj_cholesky) for eta in (1e-8, 0.5, 1.0, 4.0, 1e8)),
    Precise(MarkovChain(np.array([1e-300, 1.0]), _RARE), ([0, 0, 0], [0, 1, 0], [1, 1, 1]), _chain),
    Precise(Categorical(logits=np.array([-800.0, 0.0, 700.0])), (0, 1, 2), _categorical),
    Precise(Categorical(logits=np.array([1e-8, 0.0, -1e-8])), (0, 1, 2), _categorical),
    *(Precise(MvStudentT(nu, np.array([1.0, -2.0]), cov=_SCALE), _LEFT, _student) for nu in (1e-8, 0.3, 4.5, 1e8)),
    Precise(MvStudentT(3.0, np.zeros(2), cov=_CLOSE), ([0.5, 0.4], [1.0, -1.0]), _student),
    *(
        Precise(CAR(alpha=alpha, tau=tau, **graph), _MAPS, _car)
        for alpha in (-0.9, 0.0, 0.6, 1.0 - 1e-6)
        for tau in (1e-8, 1.5, 1e8)
        for graph in (_RING, {"W": _WEIGHTS})
    ),
    *(
        Precise(ICAR(sigma=sigma, **graph), _MAPS, _icar)
        for sigma in (1e-8, 1.5, 1e8)
        for graph in (_RING, {"W": np.where(_WEIGHTS == 1e-6, 0.5, _WEIGHTS)})
    ),
    *(
        Precise(GaussianRandomWalk(sigma=sigma, init_dist=Normal(0.5, 2.0)), ([0.1, 0.3, -2.0], [1e8, 1e8, 1.0]), _walk)
        for sigma in (1e-8, 0.7, 1e8)
    ),
    *(
        Precise(AR(np.array(rho), sigma, 0.3, Normal(0.5, 2.0)), ([0.1, 0.3, -2.0, 1.0], [1e8, 1e8, 1.0, 0.0]), _series)
        for rho in ([0.5, -0.2], [2.0, -1.0], [1e8, 1e-8])
        for sigma in (1e-8, 0.7, 1e8)
    ),
    Precise(Multinomial(10, np.array([0.2, 0.5, 0.3])), ([2, 5, 3], [10, 0, 0]), _multinomial),
    Precise(Multinomial(10, np.array([0.0, 0.5, 0.5])), ([0, 5, 5], [0, 10, 0]), _multinomial),
    Precise(Multinomial(4, np.array([1e-300, 0.5, 0.5])), ([4, 0, 0], [0, 3, 1]), _multinomial),
    Precise(
        Multinomial(100_000_000, np.array([0.25, 0.5, 0.25])),
        ([25_000_000, 50_000_000, 25_000_000], [25_001_000, 49_999_500, 24_999_500], [0, 0, 100_000_000]),
        _multinomial,
    ),
    Precise(Multinomial(7, logits=np.array([-800.0, 0.0, 700.0])), ([7, 0, 0], [0, 1, 6], [0, 0, 7]), _multinomial),
    Precise(Multinomial(0, np.array([0.2, 0.8])), ([0, 0],), _multinomial),
    *(
        Precise(DirichletMultinomial(n, np.array(alpha)), values, _dirichlet_multinomial)
        for alpha in ([0.7, 2.0, 3.5], [1e-8, 1e-8, 1.0], [1e8, 2e8, 1e8], [1e8, 1.0, 1e-8])
        for n, values in (
            (0, ([0, 0, 0],)),
            (7, ([1, 2, 4], [7, 0, 0], [0, 0, 7])),
            (40_000_000, ([10_000_000, 20_000_000, 10_000_000], [0, 40_000_000, 0])),
        )
    ),
    *(
        Precise(OrderedProbit(eta, np.array(cuts), sigma), _CATEGORIES, _ordered_probit)
        for eta, cuts, sigma in (
            (0.4, [-1.0, 0.3, 2.0], 1.0),
            (0.0, [30.0, 30.0 + 1e-8, 31.0], 1.0),
            (50.0, [-1.0, -1.0 + 1e-9, 40.0], 1.0),
            (0.0, [-1e-8, 1e-8, 1e-5], 1e3),
            (3.0, [1.0, 1.5, 2.6], 0.1),
            (0.0, [1.0, 1.9, 2.3], 1.0),
        )
    ),
    *(
        Precise(OrderedLogistic(eta, np.array(cuts)), _CATEGORIES, _ordered_logistic)
        for eta, cuts in ((0.4, [-1.0, 0.3, 2.0]), (0.0, [30.0, 30.0 + 1e-8, 600.0]), (500.0, [-1.0, -1.0 + 1e-9, 4.0]))
    ),
)
