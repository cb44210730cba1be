"""What warm-up has learnt so far, and what changes at the end of each warm-up stage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.nuts import step_size as step_sizes
from exmc.nuts import variance
from exmc.nuts.metric import METRICS
from exmc.nuts.stages import Stage
from exmc.nuts.step_size import DualAveraging
from exmc.nuts.variance import Welford

FloatArray = NDArray[np.float64]


class Adaptation(NamedTuple):
    """The tuning of the sampler and what is needed to improve it.

    Attributes
    ----------
    step_size : float
        In use now.
    inverse_mass_matrix : ndarray, shape (dimension,) or (dimension, dimension)
        In use now: variances for the diagonal metric, covariances for the dense one.
    averaging : DualAveraging
        Where the search for the step size stands.
    window : Welford
        Moments of the positions seen in the present slow stage.
    """

    step_size: float
    inverse_mass_matrix: FloatArray
    averaging: DualAveraging
    window: Welford


def init(metric: str, dimension: int, step_size: float) -> Adaptation:
    """The unit metric, and nothing learnt yet."""
    kind = METRICS[metric]
    window = variance.init(dimension, kind.rows(dimension))
    return Adaptation(step_size, kind.unit(dimension), step_sizes.init(step_size), window)


def replaces_metric(stage: Stage, adaptation: Adaptation) -> bool:
    """Whether the end of `stage` replaces the metric, so that the step size must be searched again."""
    return stage.adapt_metric and adaptation.window.draws >= 2


def replace_metric(metric: str, adaptation: Adaptation) -> Adaptation:
    """The metric estimated from the window, and an empty window."""
    kind, dimension = METRICS[metric], adaptation.window.mean.size
    return adaptation._replace(
        inverse_mass_matrix=kind.estimate(adaptation.window),
        window=variance.init(dimension, kind.rows(dimension)),
    )


def restart_averaging(adaptation: Adaptation, step_size: float) -> Adaptation:
    """Dual averaging begun anew around a step size that was just searched."""
    return adaptation._replace(step_size=step_size, averaging=step_sizes.init(step_size))


def final(adaptation: Adaptation) -> Adaptation:
    """What sampling uses: the averaged step size and the last metric."""
    return adaptation._replace(step_size=step_sizes.final(adaptation.averaging, adaptation.step_size))
