"""The plot of a comparison: seconds from process start to enough effective draws, a row a problem, a mark a library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from comparison.judge import TARGETS
from comparison.report import Line
from matplotlib.figure import Figure

STYLES = {
    "exmc": ("o", "#d1495b"),
    "nutpie": ("s", "#00798c"),
    "pymc": ("^", "#edae49"),
    "numpyro": ("D", "#66a182"),
}
"""Mark and colour by library."""


def draw(table: Sequence[Line], setting: str, path: Path) -> None:
    """Write the plot of one setting as PNG. Hollow marks need more draws than the run had; crosses are wrong or never."""
    target = TARGETS[0]
    here = [line for line in table if line.key.setting == setting]
    problems = list(dict.fromkeys(line.key.problem for line in here))
    figure = Figure(figsize=(8, 0.36 * len(problems) + 1.4), layout="constrained")
    axes = figure.add_subplot()
    reached = [line.seconds_to[target] for line in here if _reached(line, target)]
    never = 3.0 * max(reached, default=1.0)
    for line in here:
        mark, colour = STYLES[line.key.peer]
        good = _reached(line, target)
        seconds = line.seconds_to[target] if good else never
        style = {
            "marker": mark if good else "x",
            "color": colour,
            "markerfacecolor": "none" if good and line.extrapolated[target] else colour,
        }
        axes.plot([seconds], [problems.index(line.key.problem)], linestyle="none", markersize=7, alpha=0.85, **style)
    for peer in dict.fromkeys(line.key.peer for line in here):
        mark, colour = STYLES[peer]
        axes.plot([], [], linestyle="none", marker=mark, color=colour, label=peer)
    axes.set_xscale("log")
    axes.set_yticks(range(len(problems)), problems)
    axes.invert_yaxis()
    axes.grid(axis="both", alpha=0.25)
    if len(reached) < len(here):
        axes.axvline(never, color="0.8", zorder=0)
        axes.annotate("wrong or never", (never, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    axes.set_xlabel(f"seconds from process start to a least bulk ESS of {target} with R-hat under 1.01 ({setting})")
    figure.legend(loc="outside upper center", ncols=len(STYLES), frameon=False)
    figure.savefig(path, dpi=150)


def _reached(line: Line, target: int) -> bool:
    return line.counts and math.isfinite(line.seconds_to[target])
