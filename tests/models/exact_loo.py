"""Leave-one-out cross-validation without sampling: each point's predictive density given the others, by quadrature."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

FloatArray = NDArray[np.float64]
NODES = 4001
"""Of a trapezoid rule over the logarithm of a scale, whose integrands vanish at both ends: exact to ten digits."""


class Exact(NamedTuple):
    """log p(y_i | the others) and log p(a second y_i | y) of each point, shape (points,)."""

    left_out: FloatArray
    within: FloatArray

    @property
    def elpd(self) -> float:
        """The expected log predictive density."""
        return float(self.left_out.sum())

    @property
    def p(self) -> float:
        """The effective number of parameters."""
        return float((self.within - self.left_out).sum())

    @property
    def se(self) -> float:
        """The standard error of `elpd` over data sets."""
        return float(np.sqrt(len(self.left_out) * self.left_out.var(ddof=1)))


def _integral(log_integrand: FloatArray, grid: FloatArray) -> FloatArray:
    """The logarithm of an integral over a scale, whose logarithms are the evenly spaced `grid`; along the last axis."""
    return np.asarray(logsumexp(log_integrand + grid, axis=-1) + np.log(grid[1] - grid[0]))


def linear(x: FloatArray, y: FloatArray, log_prior: Callable[[FloatArray], FloatArray]) -> Exact:
    """y ~ Normal(x beta, sigma), beta flat, sigma of density exp(log_prior(sigma)); x of shape (n, k).

    With beta integrated out, log p(y | sigma) is -(n - k) log(sigma) - rss / (2 sigma^2) - log|x'x| / 2 but for
    constants; a point left out, or seen twice, changes rss and |x'x| by its residual and leverage (Sherman and
    Morrison).
    """
    n, k = x.shape
    grid = np.linspace(-3.0, 3.0, NODES) + np.log(y.std())
    q, _ = np.linalg.qr(x)
    residual, leverage = y - q @ (q.T @ y), np.sum(q**2, axis=1)
    rss = float(residual @ residual)

    def evidence(count: int, rss: FloatArray, determinant: FloatArray) -> FloatArray:
        free, sigma = count - k, np.exp(grid)
        terms = -free * (0.5 * np.log(2 * np.pi) + grid) - 0.5 * rss[:, None] / sigma**2 + log_prior(sigma)
        return _integral(terms, grid) - 0.5 * np.log(determinant)

    whole = evidence(n, np.full(n, rss), np.ones(n))
    without = evidence(n - 1, rss - residual**2 / (1 - leverage), 1 - leverage)
    twice = evidence(n + 1, rss + residual**2 / (1 + leverage), 1 + leverage)
    return Exact(whole - without, twice - whole)


def schools(y: FloatArray, error: FloatArray, mu_sd: float, log_prior: Callable[[FloatArray], FloatArray]) -> Exact:
    """y ~ Normal(theta, error), theta ~ Normal(mu, tau), mu ~ Normal(0, mu_sd), tau of density exp(log_prior(tau)).

    Left out, a school's theta is a new one; seen twice, it has two measurements, which are one of half the variance.
    """
    grid = np.linspace(-14.0, 14.0, NODES)
    tau = np.exp(grid)

    def evidence(y: FloatArray, error: FloatArray) -> FloatArray:
        # Given tau, y ~ Normal(0, diag(v) + mu_sd^2 11'), by the matrix determinant lemma and Sherman-Morrison.
        v = error[:, None] ** 2 + tau**2
        precision = np.sum(1.0 / v, axis=0)
        spread = 1.0 + mu_sd**2 * precision
        quadratic = np.sum(y[:, None] ** 2 / v, axis=0) - mu_sd**2 * np.sum(y[:, None] / v, axis=0) ** 2 / spread
        terms = -0.5 * (len(y) * np.log(2 * np.pi) + np.sum(np.log(v), axis=0) + np.log(spread) + quadratic)
        return _integral(terms + log_prior(tau), grid)

    whole, points = evidence(y, error), range(len(y))
    without = np.array([evidence(np.delete(y, i), np.delete(error, i)) for i in points])
    # N(a | t, s) N(a | t, s) = N(a | t, s / sqrt(2)) / (2 s sqrt(pi)).
    twice = np.array([evidence(y, np.where(np.arange(len(y)) == i, error / np.sqrt(2), error)) for i in points])
    return Exact(whole - without, twice - np.log(2 * error * np.sqrt(np.pi)) - whole)


def draw_schools(
    y: FloatArray, error: FloatArray, mu_sd: float, log_prior: Callable[[FloatArray], FloatArray],
    shape: tuple[int, ...], generator: np.random.Generator,
) -> FloatArray:  # fmt: skip
    """Independent draws of theta from the posterior of `schools`, shape (*shape, points)."""
    grid = np.linspace(-14.0, 14.0, NODES)
    tau = np.exp(grid)
    v = error[:, None] ** 2 + tau**2
    precision, weighted = np.sum(1.0 / v, axis=0), np.sum(y[:, None] / v, axis=0)
    spread = 1.0 + mu_sd**2 * precision
    quadratic = np.sum(y[:, None] ** 2 / v, axis=0) - mu_sd**2 * weighted**2 / spread
    log_weight = -0.5 * (np.sum(np.log(v), axis=0) + np.log(spread) + quadratic) + log_prior(tau) + grid
    weight = np.exp(log_weight - log_weight.max())
    node = generator.choice(NODES, shape, p=weight / weight.sum())
    variance = 1.0 / (precision + mu_sd**-2)
    mu = (variance * weighted)[node] + np.sqrt(variance[node]) * generator.normal(size=shape)
    own = 1.0 / (1.0 / error**2 + 1.0 / tau[node][..., None] ** 2)
    mean = own * (y / error**2 + mu[..., None] / tau[node][..., None] ** 2)
    return np.asarray(mean + np.sqrt(own) * generator.normal(size=(*shape, len(y))))
