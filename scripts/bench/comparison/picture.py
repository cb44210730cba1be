"""The plot of a comparison: seconds from process start to enough effective draws, a row a problem, a mark a library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from comparison.judge import TARGETS
from comparison.lines import Line
from matplotlib.figure import Figure

STYLES = {
    "exmc": ("o", "#d1495b"),
    "nutpie": ("s", "#00798c"),
    "pymc": ("^", "#edae49"),
    "numpyro": ("D", "#66a182"),
    "numpyro-cached": ("d", "#2e4057"),
}
"""Mark and colour by library."""
_APART = 1.15


def draw(table: Sequence[Line], setting: str, path: Path) -> None:
    """Write the plot of one setting as PNG: hollow marks need more draws than were made, crosses are wrong or never."""
    target = TARGETS[0]
    here = [line for line in table if line.key.setting == setting]
    problems = list(dict.fromkeys(line.key.problem for line in here))
    figure = Figure(figsize=(8, 0.36 * len(problems) + 1.4), layout="constrained")
    axes = figure.add_subplot()
    reached = [line.seconds_to[target] for line in here if line.reached(target)]
    never = 3.0 * max(reached, default=1.0)
    for line in here:
        mark, colour = STYLES[line.key.peer]
        good = line.reached(target)
        # Those of several libraries side by side.
        beyond = never * _APART ** list(STYLES).index(line.key.peer)
        axes.plot(
            [line.seconds_to[target] if good else beyond],
            [problems.index(line.key.problem)],
            linestyle="none",
            marker=mark if good else "x",
            color=colour,
            markerfacecolor="none" if good and line.extrapolated[target] else colour,
            markersize=7,
            alpha=0.85,
        )
    for peer in dict.fromkeys(line.key.peer for line in here):
        mark, colour = STYLES[peer]
        axes.plot([], [], linestyle="none", marker=mark, color=colour, label=peer)
    axes.set_xscale("log")
    axes.set_yticks(range(len(problems)), problems)
    axes.invert_yaxis()
    axes.grid(axis="both", alpha=0.25)
    if len(reached) < len(here):
        last = never * _APART ** (len(STYLES) - 1)
        axes.axvspan(never / _APART, last * _APART, color="0.95", zorder=0)
        middle = (never * last) ** 0.5
        axes.annotate("wrong or never", (middle, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    axes.set_xlabel(f"seconds from process start to a least bulk ESS of {target} with R-hat under 1.01 ({setting})")
    figure.legend(loc="outside upper center", ncols=len(STYLES), frameon=False)
    figure.savefig(path, dpi=150)
