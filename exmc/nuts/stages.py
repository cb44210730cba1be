"""The warm-up stages: how many iterations learn what, in which order."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from enum import Enum

# Stan's schedule: a fast stage to reach the typical set, slow windows that double, a fast stage for the step size.
_FIRST, _WINDOW, _LAST = 75, 25, 50
_SHORT = _FIRST + _WINDOW + _LAST
# Below this many iterations a window would be shorter than what the estimate is shrunk by; as in Stan, the metric
# stays the unit one.
_TOO_SHORT_FOR_A_METRIC = 20
# The least that follows the last metric: as many iterations as dual averaging waits (its t0) before it trusts updates.
# It begins at ten times the step size searched, and fewer updates leave the average there, where all is rejected.
_SETTLING = 10
# The schedule of nuts-rs: windows of 10 draws at first, then of 80 and longer, then the step size alone.
_EARLY_PART, _EARLY_WINDOW, _MAIN_WINDOW, _LAST_PART = 0.3, 10, 80, 0.15
# Metrics are learnt at this acceptance or a lower one. Trajectories that diverge say that there is a region too narrow
# for their steps, and shorter ones would pass it by.
_LEARNING_ACCEPT = 0.8
# The part of warm-up that is done at this temperature: most of the early windows, but not the last of them.
_HOT_PART, _TEMPERATURE = 0.25, 2.0
# In how many coordinates, at most. There the energies of hot draws still overlap with those of cold ones: d against d/2
# of a normal. With more, chains run away along scales of what data do not hold: a normal of scale s integrates, to the
# power of a half, to the root of s, and a hundred of them favour the largest s.
_MOST_HOT = 20
_GROWTH = 1.5
# Within a window the metric is renewed after so many draws or more: few make a better metric than none.
_RENEWAL = 20
# Chains pool what they learn in so many draws or more. Shorter stages see them on their way, each on its own.
_POOLED = 20


class Ending(Enum):
    """What the end of a stage does to the metric, and to the moments that it was learnt from."""

    NOTHING = 0
    RENEW = 1
    """A metric from all moments held."""
    SWITCH = 2
    """A metric from all moments held; then those from before the last switch are forgotten."""
    RESTART = 3
    """A metric from all moments held; then all are forgotten, and the step size is searched anew."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of warm-up iterations, all of which adapt the step size.

    Attributes
    ----------
    length : int
        Iterations.
    ending : Ending
        Unless that is `NOTHING`, the stage's draws and gradients are learnt from.
    symmetric : bool
        Whether the step size is adapted by the symmetric acceptance rate (`exmc.nuts.transition.transition`), which
        has no use for draws on their way down to the typical set: each of them gains energy.
    temperature : float
        In few coordinates momenta are drawn from exp(-kinetic energy / temperature) (`spread`). As a trajectory keeps
        its energy, its draws are then from the density to the power of 1 / temperature: valleys between modes are that
        much less deep.
    most_accept : float
        The step size is tuned for the acceptance asked for, but for this at most, unless the chain is careful
        (`exmc.nuts.warmup.target_accept`).
    """

    length: int
    ending: Ending = Ending.NOTHING
    symmetric: bool = False
    temperature: float = 1.0
    most_accept: float = 1.0

    def spread(self, dimension: int) -> float:
        """How many times as wide as usual momenta of so many coordinates are drawn."""
        return math.sqrt(self.temperature) if dimension <= _MOST_HOT else 1.0

    @property
    def adapt_metric(self) -> bool:
        """Whether the stage's draws are learnt from."""
        return self.ending is not Ending.NOTHING


def stan_stages(warmup: int) -> tuple[Stage, ...]:
    """Stan's stages of a warm-up; their lengths sum to `warmup`.

    The Stan reference manual, section "Automatic parameter tuning": 75 fast iterations, slow windows of 25, 50,
    100, ... iterations, 50 fast ones. A window grows to the end of the slow part if the next, twice as long, would
    not fit. Fewer than 150 iterations are split 15 % / 75 % / 10 %, and fewer than 20 adapt the step size only. Other
    than in Stan, the last part has 10 iterations at least, at the cost of the slow one: 10 % of 20 would be two.
    """
    if warmup < _TOO_SHORT_FOR_A_METRIC:
        return step_size_stage(warmup)
    if warmup < _SHORT:
        first, last = warmup * 15 // 100, max(warmup * 10 // 100, _SETTLING)
        windows: tuple[int, ...] = (warmup - first - last,)
    else:
        first, last = _FIRST, _LAST
        windows = _doubling_windows(warmup - first - last)
    slow = tuple(Stage(length, Ending.RESTART) for length in windows)
    return (Stage(first), *slow, Stage(last))


@functools.cache
def fisher_stages(warmup: int) -> tuple[Stage, ...]:
    """The stages of nuts-rs, which learn from the first draw on; their lengths sum to `warmup`.

    Seyboldt, Carlson & Carpenter, "Preconditioning Hamiltonian Monte Carlo by minimizing Fisher divergence" (2026),
    section on warm-up: 30 % in windows of 10, which forget the way down to the typical set as fast as it is gone; then
    windows of 80, 120, 180, ...; 15 %, and 10 iterations at least, for the step size alone. The metric is that of the
    present window and the one before, renewed when those draws are half as many again, other than in nuts-rs, which
    does so at each draw. A window grows to the end if less than half of the next would fit.

    The first 25 % are hot, other than in nuts-rs, so that chains leave lesser modes while there is nothing to lose, if
    they have few coordinates (`Stage.spread`): the metric found is that of the density all the same, if it is normal,
    as positions and gradients spread alike. Whatever acceptance is asked for, steps are long enough to diverge where
    the density is narrow, until a chain is careful (`most_accept`).
    """
    if warmup < _TOO_SHORT_FOR_A_METRIC:
        return step_size_stage(warmup)
    last = max(round(_LAST_PART * warmup), _SETTLING)
    early = int(_EARLY_PART * warmup) // _EARLY_WINDOW
    hot = int(_HOT_PART * warmup) // _EARLY_WINDOW
    learning = functools.partial(Stage, most_accept=_LEARNING_ACCEPT)
    stages = [learning(_EARLY_WINDOW, Ending.SWITCH, temperature=_TEMPERATURE)] * hot
    stages += [learning(_EARLY_WINDOW, Ending.SWITCH)] * (early - hot)
    held = _EARLY_WINDOW if early else 0
    for window in _growing_windows(warmup - last - early * _EARLY_WINDOW):
        *renewals, rest = _renewals(window, held)
        stages += [learning(length, Ending.RENEW, symmetric=True) for length in renewals]
        stages.append(learning(rest, Ending.SWITCH, symmetric=True))
        held = window
    return (*stages, Stage(last, symmetric=True))


def step_size_stage(warmup: int) -> tuple[Stage, ...]:
    """A warm-up that adapts the step size alone."""
    return (Stage(warmup),) if warmup > 0 else ()


def _doubling_windows(total: int) -> tuple[int, ...]:
    windows, length = [], _WINDOW
    while total >= length + 2 * length:
        windows.append(length)
        total -= length
        length *= 2
    return (*windows, total)


def _growing_windows(total: int) -> tuple[int, ...]:
    windows, length = [], _MAIN_WINDOW
    while total >= length + length * _GROWTH / 2:
        windows.append(length)
        total -= length
        length = round(_GROWTH * length)
    return (*windows, total)


def _renewals(window: int, held: int) -> tuple[int, ...]:
    """`window` in parts, each of which adds half as many draws as are held by then, and `_RENEWAL` at least."""
    parts = []
    while window >= 2 * (length := max(_RENEWAL, held // 2)):
        parts.append(length)
        window -= length
        held += length
    return (*parts, window)


def locate(stages: tuple[Stage, ...], iteration: int) -> tuple[Stage, int] | None:
    """The stage of the iteration with this number and how many iterations it has left; None after the warm-up."""
    for stage in stages:
        if iteration < stage.length:
            return stage, stage.length - iteration
        iteration -= stage.length
    return None


def pooled_ends(stages: tuple[Stage, ...]) -> tuple[int, ...]:
    """The iterations before which chains that learn together pool: where a stage of some length ends, few in all."""
    ends, found = 0, []
    for stage in stages:
        ends += stage.length
        if stage.adapt_metric and stage.length >= _POOLED:
            found.append(ends)
    return tuple(found)
