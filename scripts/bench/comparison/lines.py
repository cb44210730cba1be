"""Medians of single runs, one line a problem, library and setting, and how exmc stands beside its best peer."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from comparison.judge import LARGEST_Z, TARGETS

OURS = "exmc"
SHORT_SECONDS = 10.0
"""Goals of whole runs are for problems whose sampling takes exmc less."""


class Key(NamedTuple):
    """What one line of the table is about."""

    problem: str
    peer: str
    setting: str


Row = dict[str, Any]
"""A run: `problem`, `peer`, `setting`, `seed` (0: with empty caches), and `failed`, or `version`, `warmup`, `draws`,
`clock` and what `Figures` has."""


@dataclass(frozen=True, slots=True)
class Line:
    """Medians over the runs whose means are right, or over all if few are. NaN where there is nothing to say.

    `seconds_to` are whole seconds from process start to so many effective draws, NaN where half of the runs did not
    get there; `extrapolated` says that some needed more draws than they had. `cold` are the same with empty caches.
    """

    key: Key
    warmup: int
    draws: int
    version: str
    right: int
    runs: int
    start_up: float
    cold_start_up: float
    sampling: float
    ess_bulk: float
    ess_tail: float
    gradients_per_draw: float
    gradients_per_draw_whole: float
    divergences: float
    r_hat: float
    largest_z: float
    worst: str
    seconds: float
    seconds_to: dict[int, float]
    cold_seconds_to: dict[int, float]
    extrapolated: dict[int, bool]

    @property
    def counts(self) -> bool:
        """Whether most runs are right: a wrong result has no speed."""
        return 2 * self.right > self.runs

    def reached(self, target: int) -> bool:
        """Whether it is right, and came to so many effective draws with R-hat under its bound."""
        return self.counts and math.isfinite(self.seconds_to[target])

    @property
    def ess_per_second(self) -> float:
        """Of sampling, warm-up included."""
        return self.ess_bulk / self.sampling

    @property
    def ess_per_second_whole(self) -> float:
        """From process start until the user has the draws."""
        return self.ess_bulk / self.seconds


def key_of(row: Row) -> Key:
    """What the row is a run of."""
    return Key(row["problem"], row["peer"], row["setting"])


def failures(rows: Iterable[Row]) -> dict[Key, str]:
    """Why there is nothing of a library on a problem, by its first failure."""
    found: dict[Key, str] = {}
    for row in rows:
        if "failed" in row:
            found.setdefault(key_of(row), row["failed"])
    return found


def lines(rows: Sequence[Row]) -> list[Line]:
    """A line for each key that has runs with warm caches, in the order of the rows."""
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        if "failed" not in row:
            groups.setdefault(key_of(row), []).append(row)
    return [made for key, group in groups.items() if (made := _line(key, group)) is not None]


def _line(key: Key, rows: Sequence[Row]) -> Line | None:
    cold = [row for row in rows if row["seed"] == 0]
    warm = [row for row in rows if row["seed"] != 0]
    if not warm:
        return None
    right = [row for row in warm if row["largest_z"] < LARGEST_Z]
    used = right if 2 * len(right) > len(warm) else warm

    def median(value: Callable[[Row], float], of: Sequence[Row] = used) -> float:
        return float(statistics.median(map(value, of))) if of else math.nan

    def overhead(row: Row) -> float:
        start_up, _, returning = row["clock"]
        return float(start_up + returning)

    seconds_to = {target: median(partial(_seconds, target)) for target in TARGETS}
    # NaN is the worst of all.
    furthest = max(warm, key=lambda row: math.inf if math.isnan(row["largest_z"]) else row["largest_z"])
    return Line(
        key,
        warmup=warm[0]["warmup"],
        draws=warm[0]["draws"],
        version=warm[0]["version"],
        right=len(right),
        runs=len(warm),
        start_up=median(lambda row: row["clock"][0]),
        cold_start_up=median(lambda row: row["clock"][0], cold),
        sampling=median(lambda row: row["clock"][1]),
        ess_bulk=median(lambda row: row["ess_bulk"]),
        ess_tail=median(lambda row: row["ess_tail"]),
        gradients_per_draw=median(lambda row: row["gradients"] / row["ess_bulk"]),
        gradients_per_draw_whole=median(lambda row: (row["gradients"] + row["warmup_gradients"]) / row["ess_bulk"]),
        divergences=median(lambda row: row["divergences"]),
        r_hat=median(lambda row: row["r_hat"]),
        largest_z=furthest["largest_z"],
        worst=furthest["worst"],
        seconds=median(lambda row: sum(row["clock"])),
        seconds_to=seconds_to,
        cold_seconds_to={t: seconds_to[t] + median(overhead, cold) - median(overhead) for t in TARGETS},
        extrapolated={t: any(row["enough"][str(t)] and row["enough"][str(t)][2] for row in used) for t in TARGETS},
    )


def _seconds(target: int, row: Row) -> float:
    """Infinite where R-hat stayed over its bound, so that medians know it."""
    enough = row["enough"][str(target)]
    return math.inf if enough is None else float(enough[0])


class Standing(NamedTuple):
    """exmc beside its best peer at one problem and setting; ratios over 1 say that exmc is better, NaN unknown.

    `gradients` is exmc's gradients an effective draw over nutpie's: under 1 is better.
    """

    problem: str
    setting: str
    verdict: str
    seconds: float
    rate: float
    gradients: float
    short: bool


def standings(table: Sequence[Line], peers: Sequence[str]) -> list[Standing]:
    """How exmc stands at each problem and setting that it has a line for; only right runs are compared."""
    found = []
    for ours in (line for line in table if line.key.peer == OURS):
        others = [line for line in table if line.key[::2] == ours.key[::2] and line.key.peer in peers]
        found.append(_standing(ours, [line for line in others if line.key.peer != OURS and line.reached(TARGETS[0])]))
    return found


def _standing(ours: Line, others: Sequence[Line]) -> Standing:
    target = TARGETS[0]
    problem, _, setting = ours.key
    short = ours.sampling < SHORT_SECONDS
    if not ours.reached(target):
        return Standing(problem, setting, "peers alone" if others else "nobody", math.nan, math.nan, math.nan, short)
    if not others:
        return Standing(problem, setting, "exmc alone", math.nan, math.nan, math.nan, short)
    theirs = {line.key.peer: line.gradients_per_draw for line in others}
    return Standing(
        problem,
        setting,
        "compared",
        seconds=min(line.seconds_to[target] for line in others) / ours.seconds_to[target],
        rate=ours.ess_per_second / max(line.ess_per_second for line in others),
        gradients=ours.gradients_per_draw / theirs.get("nutpie", math.nan),
        short=short,
    )


def geometric_mean(ratios: Iterable[float]) -> float:
    """Of the ratios that are known; NaN if none is."""
    known = [ratio for ratio in ratios if not math.isnan(ratio)]
    return math.exp(statistics.fmean(map(math.log, known))) if known else math.nan
