"""Effective sample sizes and R-hat of arrays of draws.

Vehtari, Gelman, Simpson, Carpenter & Bürkner, "Rank-normalization, folding, and localization: an improved R-hat for
assessing convergence of MCMC" (2021). The numbers are those of arviz-stats, for all scalars at once and without the
half second that importing it takes.

Draws have shape (scalar, chain, draw), with at least four draws; results have shape (scalar,). Ranks want finite draws;
where draws are not finite, `ess_mean` is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exmc.diagnostics.normal_quantile import normal_quantile

FloatArray = NDArray[np.float64]

# Blom (1958): the normal score of a rank.
_OFFSET = 3.0 / 8.0
# Draws that differ by less are one value, and as good as independent.
_RESOLUTION = np.finfo(np.float64).resolution


def ess_bulk(draws: FloatArray) -> FloatArray:
    """The effective sample size of the bulk: that of the mean of the normal scores of the split chains."""
    return _ess(_normal_scores(_split(draws)))


def ess_tail(draws: FloatArray) -> FloatArray:
    """The effective sample size of the tails: the smaller of those of the 5 % and the 95 % quantile."""
    bounds = np.quantile(draws.reshape(len(draws), -1), [0.05, 0.95], axis=1)
    both = [_ess(_split((draws <= bound[:, np.newaxis, np.newaxis]).astype(np.float64))) for bound in bounds]
    return np.minimum(*both)


def ess_mean(draws: FloatArray) -> FloatArray:
    """The effective sample size of the mean."""
    return _ess(_split(draws))


def mcse_mean(draws: FloatArray) -> FloatArray:
    """The Monte Carlo standard error of the mean."""
    deviations: FloatArray = draws.reshape(len(draws), -1).std(axis=1, ddof=1)
    return deviations / np.sqrt(ess_mean(draws))


def r_hat(draws: FloatArray) -> FloatArray:
    """Rank-normalised split R-hat: the larger of those of location and of spread.

    Where there is no spread to compare (two values, equally far from their median), that of location.
    """
    halves = _split(draws)
    medians = np.median(halves.reshape(len(halves), -1), axis=1)
    folded = np.abs(halves - medians[:, np.newaxis, np.newaxis])
    return np.fmax(_r_hat(_normal_scores(halves)), _r_hat(_normal_scores(folded)))


def bfmi(energy: FloatArray) -> FloatArray:
    """The estimated Bayesian fraction of missing information of each chain: energy (chain, draw) to (chain,).

    Betancourt, "Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo" (2016), equation 9.
    """
    found: FloatArray = np.square(np.diff(energy, axis=1)).mean(axis=1) / energy.var(axis=1, ddof=1)
    return found


def _split(draws: FloatArray) -> FloatArray:
    """Each chain as two, without the middle draw of an odd number."""
    half = draws.shape[2] // 2
    return np.concatenate([draws[:, :, :half], draws[:, :, -half:]], axis=1)


def _normal_scores(draws: FloatArray) -> FloatArray:
    """The normal quantiles of the ranks among all draws of a scalar; equal draws share the mean of their ranks."""
    flat = draws.reshape(len(draws), -1)
    count = flat.shape[1]
    order = np.argsort(flat, axis=1)
    ascending = np.take_along_axis(flat, order, axis=1)
    places = np.broadcast_to(np.arange(count), flat.shape)
    begins = np.ones(flat.shape, dtype=bool)
    begins[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    ends = np.ones(flat.shape, dtype=bool)
    ends[:, :-1] = begins[:, 1:]
    first = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, places, count)[:, ::-1], axis=1)[:, ::-1]
    # Ranks, whole or half, are the same for all scalars: each has its score once, and is known by its double here.
    doubles = np.empty(flat.shape, dtype=np.int64)
    np.put_along_axis(doubles, order, first + last, axis=1)
    ranks = 1.0 + 0.5 * np.arange(2 * count - 1, dtype=np.float64)
    scores = normal_quantile((ranks - _OFFSET) / (count - 2.0 * _OFFSET + 1.0))
    return scores[doubles].reshape(draws.shape)


def _r_hat(draws: FloatArray) -> FloatArray:
    """The square root of the ratio of the whole variance to that within chains; NaN if the latter is 0."""
    count = draws.shape[2]
    between = count * draws.mean(axis=2).var(axis=1, ddof=1)
    within = draws.var(axis=2, ddof=1).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = np.sqrt((between / within + count - 1) / count)
    return found


def _ess(draws: FloatArray) -> FloatArray:
    """The effective sample size of the mean of chains, by Geyer's initial monotone sequence (1992)."""
    scalars, chains, count = draws.shape
    covariances = _autocovariances(draws)
    within = covariances[:, 0] * count / (count - 1.0)
    whole = covariances[:, 0].copy()
    if chains > 1:
        whole += draws.mean(axis=2).var(axis=1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        still = draws.max(axis=(1, 2)) - draws.min(axis=(1, 2)) < _RESOLUTION
        correlations = 1.0 - (within[:, np.newaxis] - covariances) / whole[:, np.newaxis]
    correlations[:, 0] = 1.0
    even, odd = correlations[:, 0 : count - 1 : 2], correlations[:, 1:count:2]
    # The sums of neighbours are positive and fall in theory. They are summed up to the first that is not positive, or
    # to the last but one that there is, each no larger than the one before.
    candidates = max(count - 3, 0) // 2 + 1
    pairs = (even + odd)[:, :candidates]
    stops = ~(pairs > 0.0)
    used = np.where(stops.any(axis=1), stops.argmax(axis=1), candidates - 1)
    falling = np.minimum.accumulate(pairs, axis=1)
    total = np.where(np.arange(candidates) < used[:, np.newaxis], falling, 0.0).sum(axis=1)
    rows = np.arange(scalars)
    following = even[rows, used]
    following = np.where((following > 0.0) | (pairs[rows, used] >= 0.0), following, 0.0)
    size = chains * count
    times = np.maximum(-1.0 + 2.0 * total + following, 1.0 / np.log10(size))
    return np.where(still, size, np.where(np.isnan(whole), np.nan, size / times))


def _autocovariances(draws: FloatArray) -> FloatArray:
    """The autocovariance at each lag, shape (scalar, draw), averaged over chains."""
    count = draws.shape[2]
    # A power of two is fast, and at least twice the length keeps the ends apart.
    length = 1 << (2 * count - 1).bit_length()
    spectrum = np.fft.rfft(draws - draws.mean(axis=2, keepdims=True), n=length, axis=2)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    covariances: FloatArray = np.fft.irfft(power, n=length, axis=1)[:, :count] / count
    return covariances
