"""What one run's draws are worth: effective sizes, agreement with a reference, and the seconds that were enough.

Effective sizes, R-hat and Monte Carlo errors are those of arviz-stats (Vehtari, Gelman, Simpson, Carpenter & Bürkner
2021), over all scalars of the free variables on their natural scale.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from comparison.problems import PROBLEMS
from numpy.typing import NDArray

Array = NDArray[np.float64]
Scalars = dict[str, Array]

# It carries no types of its own.
array_stats: Any = import_module("arviz_stats.base").array_stats

REFERENCES = Path(__file__).parent / "references.json"
TARGETS = (400, 1000)
LARGEST_RHAT = 1.01
LARGEST_Z = 5.0
_FEWEST_DRAWS = 20
_GROWTH = 1.04


class Clock(NamedTuple):
    """Seconds: to the first transition, from there to the last one's end, from there until the user has the draws."""

    start_up: float
    sampling: float
    returning: float


class Steps(NamedTuple):
    """Gradients of each transition, shape (chain, draw): those of warm-up, and those that gave draws."""

    warmup: Array
    draws: Array


class Enough(NamedTuple):
    """When a run would have had enough: seconds since the process started, draws a chain; beyond what it drew?"""

    seconds: float
    draws: int
    extrapolated: bool


class Reference(NamedTuple):
    """What is known of a scalar: mean, standard deviation, error of the mean (0: exact)."""

    mean: float
    sd: float
    mcse: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One run. `enough` has an entry a target, None where R-hat did not come under its bound.

    `largest_z` is the largest distance of a mean from the reference in standard errors of both, at scalar `worst`.
    """

    ess_bulk: float
    ess_tail: float
    r_hat: float
    gradients: int
    warmup_gradients: int
    divergences: int
    largest_z: float
    worst: str
    enough: dict[int, Enough | None]

    @property
    def right(self) -> bool:
        """Whether every mean is the reference's; NaN is not."""
        return self.largest_z < LARGEST_Z


def scalars_of(posterior: Mapping[str, Array]) -> Scalars:
    """Draws of shape (chain, draw) by scalar: ``mu``, ``theta[1]``, ``K[1,2]``; elements count from 1."""
    found: Scalars = {}
    for name, values in posterior.items():
        for place in np.ndindex(values.shape[2:]):
            label = f"[{','.join(str(i + 1) for i in place)}]" if place else ""
            found[name + label] = np.asarray(values[(..., *place)], dtype=np.float64)
    return found


def judged(scalars: Scalars, logged: tuple[str, ...]) -> Iterator[tuple[str, Array]]:
    """The scalars whose means are judged: as they are, or the logarithms of those of variables named in `logged`."""
    for name, draws in scalars.items():
        if re.sub(r"\[.*", "", name) in logged:
            yield f"log({name})", np.log(draws)
        else:
            yield name, draws


def bulk(draws: Array) -> float:
    """Bulk effective sample size of draws of shape (chain, draw)."""
    return float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk"))


def tail(draws: Array) -> float:
    """The smaller effective sample size of the 5 % and the 95 % quantile."""
    return float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95)))


def r_hat(draws: Array) -> float:
    """Rank-normalised split R-hat."""
    return float(array_stats.rhat(draws, chain_axis=0, draw_axis=1))


def error(draws: Array) -> float:
    """Monte Carlo standard error of the mean."""
    return float(array_stats.mcse(draws, chain_axis=0, draw_axis=1))


def z_scores(scalars: Scalars, logged: tuple[str, ...], reference: Mapping[str, Reference]) -> dict[str, float]:
    """Differences of the means from the reference in standard errors of both; NaN where draws are not finite.

    Raises `ValueError` if run and reference do not have the same scalars.
    """
    found = dict(judged(scalars, logged))
    if found.keys() != reference.keys():
        raise ValueError(f"only in one of run and reference: {sorted(found.keys() ^ reference.keys())[:5]}")
    scores = {}
    for name, draws in found.items():
        known = reference[name]
        finite = bool(np.isfinite(draws).all())
        scores[name] = (draws.mean() - known.mean) / np.hypot(error(draws), known.mcse) if finite else np.nan
    return scores


def seconds_to(target: int, scalars: Scalars, steps: Steps, clock: Clock) -> Enough | None:
    """When this run would have ended, had the fewest draws been asked for that are worth `target`, R-hat under 1.01.

    A run of n draws a chain takes its start-up, its sampling in proportion to the gradients of warm-up and of the first
    n draws of every chain, and the return of the draws. n is the least on a grid of steps of 4 % for which the first n
    draws suffice. Where even all do not suffice but R-hat is under 1.01, n follows from the effective size of one
    draw, and gradients from their mean. None if R-hat is over 1.01, or anything is not finite.
    """
    sizes = {name: bulk(draws) for name, draws in scalars.items()}
    # Most prefixes fail at the scalar that mixes worst.
    order = sorted(sizes, key=lambda name: sizes[name])
    total = next(iter(scalars.values())).shape[1]

    def suffices(n: int) -> bool:
        firsts = (scalars[name][:, :n] for name in order)
        return all(bulk(draws) >= target and r_hat(draws) < LARGEST_RHAT for draws in firsts)

    found = next((n for n in _grid(total) if suffices(n)), None)
    least = min(sizes.values())
    if found is not None:
        draws, gradients = found, float(steps.draws[:, :found].sum())
    elif least > 0 and all(r_hat(draws) < LARGEST_RHAT for draws in scalars.values()):
        draws = int(np.ceil(total * max(1.0, target / least)))
        gradients = float(steps.draws.sum()) * draws / total
    else:
        return None
    share = (steps.warmup.sum() + gradients) / (steps.warmup.sum() + steps.draws.sum())
    seconds = clock.start_up + clock.sampling * float(share) + clock.returning
    return Enough(seconds, draws, found is None)


def _grid(total: int) -> Iterator[int]:
    n = float(_FEWEST_DRAWS)
    while n < total:
        yield int(n)
        n = max(n + 1.0, n * _GROWTH)
    yield total


@cache
def references() -> dict[str, dict[str, Reference]]:
    """What is known of every problem, by scalar; made by `references.py`."""
    document = json.loads(REFERENCES.read_text(encoding="utf-8"))
    return {
        problem: {name: Reference(*row) for name, row in entry["scalars"].items()}
        for problem, entry in document.items()
    }


def judge(problem: str, posterior: Mapping[str, Array], steps: Steps, diverging: Array, clock: Clock) -> Figures:
    """The figures of a run of one of `PROBLEMS`."""
    scalars = scalars_of(posterior)
    scores = z_scores(scalars, PROBLEMS[problem].logged, references()[problem])
    # NaN is the worst of all.
    worst = max(scores, key=lambda name: np.inf if np.isnan(scores[name]) else abs(scores[name]))
    return Figures(
        ess_bulk=min(bulk(draws) for draws in scalars.values()),
        ess_tail=min(tail(draws) for draws in scalars.values()),
        r_hat=max(r_hat(draws) for draws in scalars.values()),
        gradients=int(steps.draws.sum()),
        warmup_gradients=int(steps.warmup.sum()),
        divergences=int(diverging.sum()),
        largest_z=abs(float(scores[worst])),
        worst=worst,
        enough={target: seconds_to(target, scalars, steps, clock) for target in TARGETS},
    )
