"""From the rows of single runs to one table: medians over seeds, verdicts, and how exmc stands beside its best peer."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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
        return statistics.median(map(value, of)) if of else math.nan

    def overhead(row: Row) -> float:
        return row["clock"][0] + row["clock"][2]

    seconds_to = {target: median(lambda row: _seconds(row, target)) for target in TARGETS}
    first = max(warm, key=lambda row: row["largest_z"] if row["largest_z"] == row["largest_z"] else math.inf)
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
        largest_z=first["largest_z"],
        worst=first["worst"],
        seconds=median(lambda row: sum(row["clock"])),
        seconds_to=seconds_to,
        cold_seconds_to={t: seconds_to[t] + median(overhead, cold) - median(overhead) for t in TARGETS},
        extrapolated={t: any(row["enough"][str(t)] and row["enough"][str(t)][2] for row in used) for t in TARGETS},
    )


def _seconds(row: Row, target: int) -> float:
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
        others = [
            line
            for line in table
            if line.key.peer in peers
            and line.key.peer != OURS
            and line.key[::2] == ours.key[::2]
            and line.counts
            and line.seconds_to[TARGETS[0]] < math.inf
        ]
        reached = ours.counts and ours.seconds_to[TARGETS[0]] < math.inf
        nutpie = [line for line in others if line.key.peer == "nutpie"]
        both = bool(others) and reached
        found.append(
            Standing(
                ours.key.problem,
                ours.key.setting,
                "compared" if both else "exmc alone" if reached else "peers alone" if others else "nobody",
                seconds=min(o.seconds_to[TARGETS[0]] for o in others) / ours.seconds_to[TARGETS[0]] if both else math.nan,
                rate=ours.ess_per_second / max(o.ess_per_second for o in others) if both else math.nan,
                gradients=ours.gradients_per_draw / nutpie[0].gradients_per_draw if nutpie and reached else math.nan,
                short=ours.sampling < SHORT_SECONDS,
            )
        )
    return found


def geometric_mean(ratios: Iterable[float]) -> float:
    """Of the ratios that are known; NaN if none is."""
    known = [ratio for ratio in ratios if not math.isnan(ratio)]
    return math.exp(statistics.fmean(map(math.log, known))) if known else math.nan


HEAD = (
    "problem", "by", "warm-up + draws", "right", "start-up s", "cold s", "sampling s", "ESS bulk", "ESS tail", "ESS/s",
    "ESS/s whole", "gradients/ESS", "with warm-up", "divergences", "R-hat", "s to 400", "s to 1000", "cold to 400",
)  # fmt: skip


def markdown(table: Sequence[Line], failed: dict[Key, str], peers: Sequence[str]) -> str:
    """The table, what could not be run, and where exmc stands."""
    # Where a library's own numbers are the equal ones, one line says both.
    distinct = {(line.key.problem, line.key.peer, line.warmup, line.draws): line for line in reversed(table)}
    rows = [HEAD, *(_cells(line) for line in reversed(distinct.values()))]
    text = ["| " + " | ".join(row) + " |" for row in rows]
    text.insert(1, "|---|---" + "|---:" * (len(HEAD) - 2) + "|")
    versions = sorted({(line.key.peer, line.version) for line in table})
    text += ["", "Versions: " + ", ".join(f"{peer} {version}" for peer, version in versions) + "."]
    # A library that failed once and ran with other seeds has its line.
    have = {line.key for line in table}
    lost = [f"- {key.problem}, {key.peer} ({key.setting}): {why}" for key, why in failed.items() if key not in have]
    text += ["", "Without a result:", "", *lost] if lost else []
    return "\n".join([*text, "", *_standing_text(standings(table, peers))]) + "\n"


def _cells(line: Line) -> tuple[str, ...]:
    verdict = f"{line.right} of {line.runs}"
    if line.right < line.runs:
        distance = "not finite" if math.isnan(line.largest_z) else f"{line.largest_z:.1f} se"
        verdict += f", {'' if line.counts else '**wrong**: '}{line.worst} off by {distance}"
    return (
        line.key.problem, line.key.peer, f"{line.warmup} + {line.draws}", verdict, _number(line.start_up),
        _number(line.cold_start_up), _number(line.sampling), f"{line.ess_bulk:.0f}", f"{line.ess_tail:.0f}",
        _number(line.ess_per_second), _number(line.ess_per_second_whole), _number(line.gradients_per_draw),
        _number(line.gradients_per_draw_whole), f"{line.divergences:.0f}", f"{line.r_hat:.3f}",
        *(_waited(line, t, line.seconds_to[t]) for t in TARGETS),
        _waited(line, TARGETS[0], line.cold_seconds_to[TARGETS[0]]),
    )  # fmt: skip


def _waited(line: Line, target: int, seconds: float) -> str:
    if not line.counts:
        return "wrong"
    return _number(seconds) + ("~" if line.extrapolated[target] and seconds < math.inf else "")


def _number(value: float) -> str:
    """Three digits."""
    if math.isnan(value) or math.isinf(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _standing_text(found: Sequence[Standing]) -> list[str]:
    text = []
    for setting in dict.fromkeys(s.setting for s in found):
        here = [s for s in found if s.setting == setting]
        short = [s for s in here if s.short and not math.isnan(s.seconds)]
        text += [f"exmc beside the best right peer, {setting}:", ""]
        text += [
            f"- seconds from process start to ESS {TARGETS[0]}, best peer's over exmc's, where sampling takes under "
            f"{SHORT_SECONDS:.0f} s: {_summary([(s.problem, s.seconds) for s in short])}",
            f"- ESS a second of sampling, exmc's over best peer's: {_summary([(s.problem, s.rate) for s in here])}",
            "- gradients an effective draw, exmc's over nutpie's: "
            + _summary([(s.problem, s.gradients) for s in here], largest=True),
        ]
        for verdict in ("exmc alone", "peers alone", "nobody"):
            names = [s.problem for s in here if s.verdict == verdict]
            text += [f"- right, with R-hat under its bound: {verdict}: {', '.join(names)}"] if names else []
        text.append("")
    return text


def _summary(ratios: Sequence[tuple[str, float]], largest: bool = False) -> str:
    known = [(ratio, name) for name, ratio in ratios if not math.isnan(ratio)]
    if not known:
        return "unknown"
    worst = max(known) if largest else min(known)
    mean = geometric_mean(ratio for ratio, _ in known)
    return f"{mean:.2f} in the geometric mean of {len(known)}, at worst {worst[0]:.2f} ({worst[1]})"


def document(table: Sequence[Line], failed: dict[Key, str], rows: Sequence[Row], peers: Sequence[str]) -> dict[str, Any]:
    """The same as JSON has it: lines, failures, standings, and every run. What is unknown or never is null."""
    made = []
    for line in table:
        names = [name for name in Line.__dataclass_fields__ if name != "key"]
        made.append(line.key._asdict() | {name: _plain(getattr(line, name)) for name in names})
    return {
        "lines": made,
        "failures": [key._asdict() | {"failed": why} for key, why in failed.items()],
        "standings": [{k: _plain(v) for k, v in s._asdict().items()} for s in standings(table, peers)],
        "runs": _plain(list(rows)),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
