"""The table of a comparison, as Markdown and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from comparison.judge import TARGETS
from comparison.lines import SHORT_SECONDS, Key, Line, Row, Standing, geometric_mean, standings

KEEPING = ("numpyro-cached",)
"""Libraries asked to keep on disk what they do not keep by themselves."""
HEAD = (
    "problem", "by", "warm-up + draws", "right", "start-up s", "cold s", "sampling s", "ESS bulk", "ESS tail", "ESS/s",
    "ESS/s whole", "gradients/ESS", "with warm-up", "divergences", "R-hat", "s to 400", "s to 1000", "cold to 400",
)  # fmt: skip


def markdown(table: Sequence[Line], failed: dict[Key, str], peers: Sequence[str]) -> str:
    """The table, what could not be run, and where exmc stands."""
    # Where a library's own numbers are the equal ones, one line says both.
    distinct: dict[tuple[Any, ...], Line] = {}
    for line in table:
        distinct.setdefault((line.key.problem, line.key.peer, line.warmup, line.draws), line)
    rows = [HEAD, *map(_cells, distinct.values())]
    text = ["| " + " | ".join(row) + " |" for row in rows]
    text.insert(1, "|---|---" + "|---:" * (len(HEAD) - 2) + "|")
    versions = sorted({(line.key.peer, line.version) for line in table})
    text += ["", "Versions: " + ", ".join(f"{peer} {version}" for peer, version in versions) + "."]
    # A library that failed once and ran with other seeds has its line.
    have = {line.key for line in table}
    lost = [f"- {key.problem}, {key.peer} ({key.setting}): {why}" for key, why in failed.items() if key not in have]
    text += ["", "Without a result:", "", *lost] if lost else []
    for setting in dict.fromkeys(line.key.setting for line in table):
        text += ["", *_side_by_side([line for line in table if line.key.setting == setting], peers)]
    return "\n".join(text) + "\n"


def _side_by_side(table: Sequence[Line], peers: Sequence[str]) -> list[str]:
    """One setting in short: whole seconds by problem and library, how exmc stands, and where that leaves the goals."""
    setting, found = table[0].key.setting, {s.problem: s for s in standings(table, peers)}
    text = [f"Seconds from process start to ESS {TARGETS[0]}, {setting}, and exmc's ratios to the best right peer:", ""]
    text += [
        f"| problem | {' | '.join(peers)} | ESS/s | gradients, nutpie's |",
        "|---" + "|---:" * (len(peers) + 2) + "|",
    ]
    for problem in dict.fromkeys(line.key.problem for line in table):
        lines = {line.key.peer: line for line in table if line.key.problem == problem}
        cells = [_waited(lines[p], TARGETS[0], lines[p].seconds_to[TARGETS[0]]) if p in lines else "" for p in peers]
        stands = found.get(problem)
        cells += [_number(stands.rate), _number(stands.gradients)] if stands else ["", ""]
        text.append(f"| {problem} | {' | '.join(cells)} |")
    kept = [peer for peer in peers if peer in KEEPING]
    text += ["", *_standing_text(list(found.values()), "")]
    if kept:
        without = standings(table, [peer for peer in peers if peer not in KEEPING])
        text += ["", *_standing_text(without, f" without {', '.join(kept)}")]
    return text


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


def _standing_text(found: Sequence[Standing], beside: str) -> list[str]:
    short = [s for s in found if s.short and not math.isnan(s.seconds)]
    text = [
        f"exmc beside the best right peer{beside}:",
        "",
        f"- seconds from process start to ESS {TARGETS[0]}, best peer's over exmc's, where sampling takes under "
        f"{SHORT_SECONDS:.0f} s: {_summary([(s.problem, s.seconds) for s in short])}",
        f"- ESS a second of sampling, exmc's over best peer's: {_summary([(s.problem, s.rate) for s in found])}",
        "- gradients an effective draw, exmc's over nutpie's: "
        + _summary([(s.problem, s.gradients) for s in found], largest=True),
    ]
    for verdict in ("exmc alone", "peers alone", "nobody"):
        names = [s.problem for s in found if s.verdict == verdict]
        text += [f"- right, with R-hat under its bound: {verdict}: {', '.join(names)}"] if names else []
    return text


def _summary(ratios: Sequence[tuple[str, float]], largest: bool = False) -> str:
    known = [(ratio, name) for name, ratio in ratios if not math.isnan(ratio)]
    if not known:
        return "unknown"
    worst = max(known) if largest else min(known)
    mean = geometric_mean(ratio for ratio, _ in known)
    return f"{mean:.2f} in the geometric mean of {len(known)}, at worst {worst[0]:.2f} ({worst[1]})"


def document(
    table: Sequence[Line], failed: dict[Key, str], rows: Sequence[Row], peers: Sequence[str]
) -> dict[str, Any]:
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
