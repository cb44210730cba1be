"""What warm-up has learnt so far, and what changes at the end of each warm-up stage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.nuts import step_size as step_sizes
from exmc.nuts import variance
from exmc.nuts.metric import Metric
from exmc.nuts.schemes import Scheme
from exmc.nuts.stages import Ending, Stage
from exmc.nuts.step_size import DualAveraging
from exmc.nuts.variance import Window

FloatArray = NDArray[np.float64]

# The acceptance that step sizes are tuned for if none is asked for, of careful chains and others.
_CAREFUL_TARGET, _USUAL_TARGET = 0.95, 0.8
# A chain is careful once more of a window's trajectories than this part diverge. Fewer than three divergences may be
# chance, and in a shorter window it may be on its way.
_OFTEN, _FEWEST_DIVERGENCES, _FEWEST_DRAWS = 0.02, 3, 60


class Adaptation(NamedTuple):
    """The tuning of the sampler and what is needed to improve it.

    Attributes
    ----------
    step_size : float
        In use now.
    inverse_mass_matrix : ndarray
        In use now: variances for the diagonal metric, shape (dimension,), covariances for the dense one, shape
        (dimension, dimension); for that of low rank k see `exmc.nuts.metric`, shape (k + 2, dimension).
    averaging : DualAveraging
        Where the search for the step size stands.
    window : Window
        What the next metric is learnt from; once warm-up is over, without rows and columns.
    careful : bool
        Whether so many trajectories diverged that the density must have a neck, or a ridge, too narrow for the usual
        steps (`is_careful`).
    """

    step_size: float
    inverse_mass_matrix: FloatArray
    averaging: DualAveraging
    window: Window
    careful: bool


def init(metric: Metric, variances: FloatArray, step_size: float) -> Adaptation:
    """The metric with these variances and no correlations, and nothing learnt yet."""
    window = variance.empty(variances.size)
    return Adaptation(step_size, metric.with_variances(variances), step_sizes.init(step_size), window, careful=False)


def target_accept(asked: float | None, stage: Stage, careful: bool) -> float:
    """The acceptance that `stage` tunes the step size for; `asked` is None if that is left to the chain."""
    wanted = asked if asked is not None else _CAREFUL_TARGET if careful else _USUAL_TARGET
    return wanted if careful else min(wanted, stage.most_accept)


def is_careful(adaptation: Adaptation) -> bool:
    """Whether the chain is careful already, or is to be from here on, by what its window has seen."""
    older, newer = adaptation.window.older, adaptation.window.newer
    draws, divergences = older.draws + newer.draws, older.divergences + newer.divergences
    enough = draws >= _FEWEST_DRAWS and divergences >= _FEWEST_DIVERGENCES
    return adaptation.careful or (enough and divergences > _OFTEN * draws)


def replaces_metric(stage: Stage, adaptation: Adaptation) -> bool:
    """Whether the end of `stage` replaces the metric."""
    window = adaptation.window
    return stage.adapt_metric and window.older.draws + window.newer.draws >= 2


def replace_metric(metric: Metric, scheme: Scheme, adaptation: Adaptation, ending: Ending) -> Adaptation:
    """The metric estimated from the window, and the window without what `ending` says to forget."""
    present = metric.variances(adaptation.inverse_mass_matrix)
    found = estimate(metric, scheme, adaptation.window, present, is_careful(adaptation))
    return adopt_metric(adaptation, found, ending)


def estimate(metric: Metric, scheme: Scheme, window: Window, present: FloatArray, careful: bool) -> FloatArray:
    """The inverse mass matrix that `window` gives; `present` are the variances in use."""
    return metric.estimate(scheme.estimators, window, scheme.estimators.variances(window.moments, present, careful))


def adopt_metric(adaptation: Adaptation, inverse_mass_matrix: FloatArray, ending: Ending) -> Adaptation:
    """Another metric, wherever that was learnt, and the window without what `ending` says to forget."""
    window = adaptation.window
    if ending is Ending.SWITCH:
        window = window.switched()
    elif ending is Ending.RESTART:
        window = variance.empty(window.newer.rows.shape[1])
    careful = is_careful(adaptation)
    return adaptation._replace(inverse_mass_matrix=inverse_mass_matrix, window=window, careful=careful)


def restart_averaging(adaptation: Adaptation, step_size: float) -> Adaptation:
    """Dual averaging begun anew around a step size of about the right magnitude."""
    return adaptation._replace(step_size=step_size, averaging=step_sizes.init(step_size))


def final(adaptation: Adaptation) -> Adaptation:
    """What sampling uses: the averaged step size and the last metric. There is nothing more to learn."""
    step_size = step_sizes.final(adaptation.averaging, adaptation.step_size)
    return adaptation._replace(step_size=step_size, window=variance.empty(0))
