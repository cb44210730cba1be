"""Whether the data or the steps determine the values of a series better.

A series of normal steps has the prior precision B'B / sigma^2, with B the matrix that makes steps of values. Where the
data tell each value with information I, and so r = I sigma^2 in units of a step's, a component of frequency w has the
share r / (r + p(w)) of what is known of it from the data, with p(w) = |1 - sum_k rho_k exp(-i k w)|^2 the eigenvalues
of B'B: slow components come from the data, fast ones from the steps. What a draw costs follows from three numbers.

1. Centred, values have precisions from I + min p / sigma^2 to I + max p / sigma^2, non-centred, innovations from
   1 + r / max p to 1 + r / min p. Trajectories have about the square root of their ratio in steps.
2. Centred, a scale that is not known moves, from draw to draw, by what the steps alone leave open, 1 / (2 n) in
   log(sigma)'s variance; the data leave open 1 / (2 n m), with m the mean of (r / (r + p))^2. So 1 / m draws make an
   effective one, however long trajectories are: kinetic energy bounds the movement.
3. Non-centred, log(sigma) has the precision n mean(r / p) given the innovations, and 2 n m else: one more direction,
   which trajectories follow along.

The series is centred if

    m^2 (1 + max(r / min p, mean(r / p) / (2 m))) / (1 + r / max p) > (r + max p) / (r + min p)

and non-centred otherwise, the logarithm of the ratio of both sides averaged over the scales that are likely; with a
known scale m is 1, and the second term of the maximum is left out. I is the mean over time, from the fit without
pooling; rho is the most probable, given the estimates and errors 1 / I of the values, and so is what scales are
likely: the marginal likelihood, in which the first values have a flat prior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.distributions.base import Recurrence
from exmc.ir.calls import form_of, law_at
from exmc.ir.nodes import RandomVariable
from exmc.late import Late
from exmc.rewrite.block import Block, gathered, improved, likelihood_moments, settled_difference
from exmc.rewrite.series import scale_of
from exmc.rewrite.surface import FloatArray, Free, Surface, Values
from exmc.rewrite.unpooled import NEGLIGIBLE, climbed, limit_of
from exmc.rewrite.verdict import Verdict

if TYPE_CHECKING:
    from scipy import linalg
else:
    linalg = Late("scipy.linalg")

_ALL = slice(None)
_ROUNDS = 8
_SCALARS = 8
_FACTORS = np.exp2(np.linspace(-8.0, 4.0, 49))


class Steps(NamedTuple):
    """How each series goes on: drift and scale, shape (series,), and coefficients, shape (series, order)."""

    drift: FloatArray
    scale: FloatArray
    coefficients: FloatArray


class Estimates(NamedTuple):
    """Values of series and their information, as the data alone tell them, each of shape (series, time)."""

    values: FloatArray
    information: FloatArray


def series_verdict(
    variable: RandomVariable, recurrence: Recurrence, known: bool, block: Block, surface: Surface, free: Free
) -> Verdict:
    """The verdict on a series, whose estimates then stand for its data in `surface`; `known`: its scale is constant."""
    if block.owner is None:
        return Verdict(False, "rows of data depend on several of its values")
    series = _Series(variable, recurrence, block, surface)
    order = series.steps(surface.values(free)).coefficients.shape[-1]
    # As many unknown first values need more values than that to tell anything of steps.
    looked_at = np.bincount(block.places, minlength=block.count)
    told = np.sum(series.by_series(looked_at), axis=-1) > order + 1
    if not told.any():
        return Verdict(False, "the data tell too few of its values")
    free = _most_probable(series, told, free)
    for _ in range(4):
        free = improved(block, surface, free)
    values, variance = likelihood_moments(block, surface, free)
    usable = np.isfinite(variance) & (variance > 0.0)
    information = np.where(usable, 1.0 / np.where(usable, variance, 1.0), 0.0)
    seen = Estimates(*(series.by_series(a)[told] for a in (values, information)))
    if not np.all(np.any(seen.information > 0.0, axis=-1)):
        return Verdict(False, "the data do not tell its values")
    surface.extra.append(lambda values: log_evidence(seen, series.steps(values, told)))
    return _judged(seen, series.steps(surface.values(free), told), known)


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """A series variable, the block of its values, and the rows of data about them."""

    variable: RandomVariable
    recurrence: Recurrence
    block: Block
    surface: Surface

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the variable."""
        return self.surface.types[self.variable.name].shape

    @property
    def time(self) -> int:
        """The axis of time."""
        return len(self.shape) - form_of(self.variable.call).rank

    def by_series(self, elements: NDArray[Any]) -> NDArray[Any]:
        """`elements` as an array of shape (series, time); of vectors, each component is a series."""
        return np.moveaxis(elements.reshape(self.shape), self.time, -1).reshape(-1, self.shape[self.time])

    def steps(self, values: Values, chosen: NDArray[np.bool_] | slice = _ALL) -> Steps:
        """The steps of the `chosen` series; of vectors, those of each component on its own."""
        recurrence, parameters = self.recurrence, law_at(self.variable.call, values).parameters
        key = scale_of(self.variable, recurrence)
        batch, scale = self.shape[: self.time], np.asarray(parameters[key], float)
        if form_of(self.variable.call).rank > 1:
            batch, scale = self.shape[-1:], _deviations(key, scale)
        rho = np.asarray(parameters[recurrence.coefficients], float) if recurrence.coefficients else np.ones(1)
        count = math.prod(batch)
        return Steps(
            np.broadcast_to(np.asarray(parameters[recurrence.drift], float), batch).reshape(count)[chosen],
            np.broadcast_to(scale, batch).reshape(count)[chosen],
            np.broadcast_to(rho, (*batch, rho.shape[-1])).reshape(count, -1)[chosen],
        )

    def log_posterior(self, name: str, chosen: NDArray[np.bool_], free: Free) -> float:
        """The log density of the data and of the variable `name`, the series integrated out by Laplace's method."""
        slope, information = settled_difference(self.block, self.surface, free)
        told = information > 0.0
        information = np.where(told, information, 0.0)
        shift = np.where(told, slope / np.where(told, information, 1.0), 0.0)
        values = gathered(self.block, free) + shift
        seen = Estimates(*(self.by_series(a)[chosen] for a in (values, information)))
        marginal = np.sum(log_evidence(seen, self.steps(self.surface.values(free), chosen)))
        quadratic = 0.5 * np.sum(information * shift**2) - 0.5 * np.sum(seen.information * seen.values**2)
        total = np.sum(self.surface.rows(free)) + quadratic + marginal + self.surface.prior(name, free)
        return float(total) if np.isfinite(total) else -np.inf


def _deviations(key: str, matrix: FloatArray) -> FloatArray:
    """The standard deviation of each component, by the matrix that MvNormal calls `key`."""
    if key == "chol":
        return np.asarray(np.sqrt(np.sum(matrix**2, axis=-1)))
    inverted = key == "precision" and bool(np.isfinite(matrix).all())
    return np.asarray(np.sqrt(np.diagonal(np.linalg.pinv(matrix) if inverted else matrix)))


def _most_probable(series: _Series, chosen: NDArray[np.bool_], free: Free) -> dict[str, FloatArray]:
    """`free` with what steps and rows depend on at the most probable values, one number at a time.

    They start anew: without pooling, a scale of errors may have gone to 0, where each value explains its row.
    """
    surface = series.surface
    sizes: dict[tuple[str, int], float] = {}
    found, origin, here = dict(free), surface.origin(), surface.rows(free)
    for name in surface.free:
        if name == series.variable.name or len(sizes) + found[name].size > _SCALARS:
            continue
        nowhere = found | {name: np.full(found[name].shape, np.nan)}
        moves = any(np.isnan(part).any() for part in series.steps(surface.values(nowhere)))
        if moves or np.any(np.isnan(surface.rows(nowhere)) & ~np.isnan(here)):
            found[name] = origin[name]
            sizes |= {(name, place): 1.0 for place in range(found[name].size)}
    limit = limit_of(surface, found)
    for _ in range(_ROUNDS):
        before = found
        found = improved(series.block, surface, found)
        for (name, place), size in sizes.items():
            objective = partial(series.log_posterior, name, chosen)
            found, sizes[name, place] = climbed(objective, name, place, size, found)
        calm = all(np.all(np.abs(found[name] - before[name]) < np.sqrt(NEGLIGIBLE)) for name, _ in sizes)
        if calm or surface.evaluations > limit:
            break
    return found


def _judged(seen: Estimates, steps: Steps, known: bool) -> Verdict:
    """Compare what draws are expected to cost, centred and not."""
    factors, weights = np.ones(1), np.ones(1)
    if not known:
        factors = _FACTORS
        heights = np.array([np.sum(log_evidence(seen, steps._replace(scale=steps.scale * f))) for f in factors])
        if not np.isfinite(heights).any():
            return Verdict(False, "the data do not tell its steps")
        # A scale is as likely as any other before the data are seen, and the grid is one of logarithms.
        weights = np.exp(heights - np.nanmax(heights)) * factors
        weights = np.where(np.isfinite(weights), weights, 0.0)
    information = np.mean(seen.information, axis=-1)
    gains = []
    for factor in factors:
        shares = zip(information * (steps.scale * factor) ** 2, steps.coefficients, strict=True)
        gains.append(np.mean([log_gain(r, rho, seen.values.shape[-1], known) for r, rho in shares]))
    ratio = float(np.exp(np.average(gains, weights=weights)))
    scale = np.average(factors, weights=weights) * np.median(steps.scale)
    errors = 1.0 / np.sqrt(np.median(information))
    figures = f"standard error {errors:.2g}, steps of {scale:.2g}"
    if ratio > 1.0:
        return Verdict(True, f"non-centred, a draw would cost some {ratio:.2g} times as much ({figures})")
    return Verdict(False, f"centred, a draw would cost some {1.0 / ratio:.2g} times as much ({figures})")


def log_gain(r: float, coefficients: FloatArray, length: int, known: bool) -> float:
    """The logarithm of what a draw costs non-centred by what it costs centred, for one series of `length` values.

    `r` is the information about a value times the variance of a step; `known` says whether that variance is.
    """
    frequencies = np.pi * (2.0 * np.arange(length) + 1.0) / (2.0 * length + 1.0)
    lags = np.arange(1, coefficients.size + 1)
    powers = np.abs(1.0 - np.exp(-1j * np.outer(frequencies, lags)) @ coefficients) ** 2
    least, largest = max(float(np.min(powers)), 1e-12), float(np.max(powers))
    with np.errstate(divide="ignore"):
        if not r > 0.0:
            return -np.inf
        share, widest = 1.0, r / least
        if not known:
            share = float(np.mean((r / (r + powers)) ** 2))
            widest = max(widest, float(np.mean(r / np.maximum(powers, 1e-12))) / (2.0 * share))
    noncentred, centred = (1.0 + widest) / (1.0 + r / largest), (r + largest) / (r + least)
    return float(np.log(share) + 0.5 * np.log(noncentred / centred))


def log_evidence(seen: Estimates, steps: Steps) -> FloatArray:
    """The log marginal likelihood of each series, up to a constant, shape (series,); NaN for impossible steps.

    Steps and errors are normal, so that all there is to it is the Cholesky factor of a banded precision.
    """
    (count, length), order = seen.values.shape, steps.coefficients.shape[-1]
    if not all(np.isfinite(part).all() for part in steps) or np.any(steps.scale <= 0.0):
        return np.full(count, np.nan)
    taps = np.concatenate([np.ones((count, 1)), -steps.coefficients], axis=1)[..., None] / steps.scale[:, None, None]
    bands, drifts = np.zeros((order + 1, count, length)), np.zeros((count, length))
    # A step that comes to value t has the tap k on value t - k; the first `order` values come by none.
    for k in range(order + 1):
        drifts[:, order - k : length - k] += taps[:, k] * (steps.drift / steps.scale)[:, None]
        for later in range(k, order + 1):
            bands[later - k, :, order - later : length - later] += taps[:, k] * taps[:, later]
    bands[0] += seen.information
    towards = seen.information * seen.values + drifts
    try:
        # Series one after the other are one banded matrix.
        factor = linalg.cholesky_banded(bands.reshape(order + 1, -1), lower=True)
    except np.linalg.LinAlgError:
        return np.full(count, np.nan)
    means = linalg.cho_solve_banded((factor, True), towards.ravel()).reshape(count, length)
    log_scale = np.sum(np.log(factor[0]).reshape(count, length), axis=1) + (length - order) * np.log(steps.scale)
    drifted = (length - order) * (steps.drift / steps.scale) ** 2
    return np.asarray(0.5 * np.sum(towards * means, axis=1) - 0.5 * drifted - log_scale)
