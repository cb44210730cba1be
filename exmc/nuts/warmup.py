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

USUAL_TARGET, CAREFUL_TARGET = 0.8, 0.95
"""The acceptance that step sizes are tuned for, unless one is asked for: where few trajectories diverge, and else."""


class Adaptation(NamedTuple):
    """The tuning of the sampler and what is needed to improve it.

    Attributes
    ----------
    step_size : float
        In use now.
    target_accept : float
        The mean acceptance rate that it is tuned for.
    inverse_mass_matrix : ndarray
        In use now: variances for the diagonal metric, shape (dimension,), covariances for the dense one, shape
        (dimension, dimension); for that of low rank k see `exmc.nuts.metric`, shape (k + 2, dimension).
    averaging : DualAveraging
        Where the search for the step size stands.
    window : Window
        What the next metric is learnt from; once warm-up is over, without rows and columns.
    """

    step_size: float
    target_accept: float
    inverse_mass_matrix: FloatArray
    averaging: DualAveraging
    window: Window


def init(metric: Metric, variances: FloatArray, step_size: float, target_accept: float = USUAL_TARGET) -> Adaptation:
    """The metric with these variances and no correlations, and nothing learnt yet."""
    window = variance.empty(variances.size)
    averaging = step_sizes.init(step_size)
    return Adaptation(step_size, target_accept, metric.with_variances(variances), averaging, window)


def replaces_metric(stage: Stage, adaptation: Adaptation) -> bool:
    """Whether the end of `stage` replaces the metric."""
    window = adaptation.window
    return stage.adapt_metric and window.older.draws + window.newer.draws >= 2


def replace_metric(metric: Metric, scheme: Scheme, adaptation: Adaptation, ending: Ending) -> Adaptation:
    """The metric estimated from the window, and the window without what `ending` says to forget."""
    present = metric.variances(adaptation.inverse_mass_matrix)
    return adopt_metric(adaptation, estimate(metric, scheme, adaptation.window, present), ending)


def estimate(metric: Metric, scheme: Scheme, window: Window, present: FloatArray) -> FloatArray:
    """The inverse mass matrix that `window` gives; `present` are the variances in use."""
    return metric.estimate(scheme.estimators, window, scheme.estimators.variances(window.moments, present))


def adopt_metric(adaptation: Adaptation, inverse_mass_matrix: FloatArray, ending: Ending) -> Adaptation:
    """Another metric, wherever that was learnt, and the window without what `ending` says to forget."""
    window = adaptation.window
    if ending is Ending.SWITCH:
        window = window.switched()
    elif ending is Ending.RESTART:
        window = variance.empty(window.newer.rows.shape[1])
    return adaptation._replace(inverse_mass_matrix=inverse_mass_matrix, window=window)


def careful(adaptation: Adaptation) -> Adaptation:
    """For the rest of warm-up, and all draws, steps that are short enough for a density that has narrow regions."""
    return restart_averaging(adaptation._replace(target_accept=CAREFUL_TARGET), adaptation.step_size)


def restart_averaging(adaptation: Adaptation, step_size: float) -> Adaptation:
    """Dual averaging begun anew around a step size of about the right magnitude."""
    return adaptation._replace(step_size=step_size, averaging=step_sizes.init(step_size))


def final(adaptation: Adaptation) -> Adaptation:
    """What sampling uses: the averaged step size and the last metric. There is nothing more to learn."""
    step_size = step_sizes.final(adaptation.averaging, adaptation.step_size)
    return adaptation._replace(step_size=step_size, window=variance.empty(0))
