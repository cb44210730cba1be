"""What a user may decide about sampling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from exmc.errors import SamplingError, brief, suggest

AUTO: Final = "auto"
METRIC_NAMES = (AUTO, "diagonal", "dense", "low_rank")
INITS = ("uniform", "prior", "pathfinder")
_MAX_SEED = 2**128 - 1
_MAX_TREEDEPTH = 30


TargetAccept: TypeAlias = float | Literal["auto"]


class Defaults(NamedTuple):
    """What an adaptation is used with, unless something else is asked for: iterations, a metric, an acceptance."""

    warmup: int
    metric: str
    target_accept: TargetAccept


ADAPTATIONS = {
    "fisher": Defaults(warmup=400, metric=AUTO, target_accept=AUTO),
    "stan": Defaults(warmup=1000, metric="diagonal", target_accept=0.8),
}
"""What there is, and how each is used."""

ADAPTATION = "fisher"
"""The one that is used, unless another is asked for."""


def defaults_of(adaptation: str) -> Defaults:
    """Those of the adaptation of this name; raises `SamplingError` if there is none."""
    check_one_of("adaptation", adaptation, tuple(ADAPTATIONS))
    return ADAPTATIONS[adaptation]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerOptions:
    """The options of a run of NUTS, checked once.

    Attributes
    ----------
    seed : int
        Together with a chain's number it decides every random number of the run. At most 128 bits.
    draws, warmup, chains : int
        Counts; `draws` and `warmup` are per chain.
    target_accept : float or "auto"
        The mean acceptance rate that warm-up tunes the step size for, in (0, 1); ``"auto"``: 0.8, or 0.95 for a chain
        that is careful, as more than 2 % of its trajectories diverged. ``"fisher"`` learns metrics at 0.8 at most,
        unless the chain is careful.
    max_treedepth : int
        A trajectory has at most ``2 ** max_treedepth`` points.
    metric : str
        ``"diagonal"``, ``"dense"``, ``"low_rank"`` (a diagonal and as many directions as it leaves too long or too
        short), or ``"auto"``: of low rank where these directions do not bend, and where the draws of warm-up, from
        which they are learnt, are small enough to keep.
    adaptation : str
        ``"fisher"``, which learns from gradients too, or ``"stan"``, whose `warmup` and `metric` would be others
        (`defaults_of`).
    pool_metric : bool
        Whether chains learn the metric together (`exmc.sampling.pooling`): at the ends of long warm-up windows each
        waits for the others, and all go on with one. Draws then depend on how many chains there are.
    init : str or mapping
        Where chains start (`exmc.starts`): ``"uniform"``, ``"prior"`` or ``"pathfinder"``; or values by the names of
        variables, the others being uniform.
    initial_radius : float
        Initial points are uniform on (-radius, radius) in each unconstrained coordinate.
    initial_attempts : int
        How many initial points are tried before the chain gives up.
    warm_start : str
        The digest of what chains take over from an earlier run (`exmc.sampling.chain.Carried`); empty if nothing. Their
        warm-up then adapts the step size alone.
    step_size : float or None
        Where adaptation starts, or, without warm-up, the step size itself. None: searched.

    Raises
    ------
    SamplingError
        Naming the option, its value and what is allowed.
    """

    seed: int
    draws: int = 1000
    warmup: int = ADAPTATIONS[ADAPTATION].warmup
    chains: int = 4
    target_accept: TargetAccept = ADAPTATIONS[ADAPTATION].target_accept
    max_treedepth: int = 10
    metric: str = ADAPTATIONS[ADAPTATION].metric
    adaptation: str = ADAPTATION
    pool_metric: bool = False
    init: str | Mapping[str, Any] = "uniform"
    initial_radius: float = 2.0
    initial_attempts: int = 100
    warm_start: str = ""
    step_size: float | None = None

    def __post_init__(self) -> None:
        check_integer("seed", self.seed, 0, _MAX_SEED)
        check_integer("draws", self.draws, 1)
        check_integer("warmup", self.warmup, 0)
        check_integer("chains", self.chains, 1)
        if isinstance(self.target_accept, str):
            check_one_of("target_accept", self.target_accept, (AUTO,))
        else:
            check_between("target_accept", self.target_accept, 0.0, 1.0)
        check_integer("max_treedepth", self.max_treedepth, 1, _MAX_TREEDEPTH)
        check_one_of("metric", self.metric, METRIC_NAMES)
        check_one_of("adaptation", self.adaptation, tuple(ADAPTATIONS))
        check_truth("pool_metric", self.pool_metric)
        if not isinstance(self.init, Mapping):
            check_one_of("init", self.init, INITS)
        check_between("initial_radius", self.initial_radius, 0.0, math.inf, lower_allowed=True)
        check_integer("initial_attempts", self.initial_attempts, 1)
        if self.step_size is not None:
            check_between("step_size", self.step_size, 0.0, math.inf)


def check_one_of(name: str, value: Any, names: tuple[str, ...]) -> None:
    """Raise `SamplingError` unless `value`, that of the option `name`, is one of `names`."""
    if value not in names:
        raise SamplingError(f"There is no {name} {value!r}.", where=(name,), remedy=suggest(str(value), names))


def check_truth(name: str, value: Any) -> None:
    """Raise `SamplingError` unless `value`, that of the option `name`, is true or false."""
    if not isinstance(value, bool):
        raise SamplingError(f"{brief(value)} is not true or false.", where=(name,), remedy=f"Set {name} to one.")


def check_integer(name: str, value: Any, lowest: int, highest: int | None = None) -> None:
    """Raise `SamplingError` unless `value`, that of the option `name`, is an integer within the limits."""
    integer = isinstance(value, int) and not isinstance(value, bool)
    if integer and value >= lowest and (highest is None or value <= highest):
        return
    allowed = f"at least {lowest}" if highest is None else f"from {lowest} to {highest}"
    raise SamplingError(f"{value!r} is not an integer {allowed}.", where=(name,), remedy=f"Set {name} to one.")


def check_between(name: str, value: Any, low: float, high: float, *, lower_allowed: bool = False) -> None:
    """Raise `SamplingError` unless `value`, that of the option `name`, is a number within the limits."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and (low < value or (lower_allowed and low == value)) and value < high:
        return
    bound = "at least" if lower_allowed else "above"
    raise SamplingError(
        f"{value!r} is not a number {bound} {low:g} and below {high:g}.",
        where=(name,),
        remedy=f"Set {name} to one.",
    )
