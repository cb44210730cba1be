"""The plots of one scalar and those of all: each made once, and given new numbers at every moment."""

from __future__ import annotations

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.models.annotations import Span
from bokeh.plotting import figure
from numpy.typing import NDArray

from exmc.diagnostics.live.chain import ENERGY, ENERGY_CHANGE, ChainSummary
from exmc.diagnostics.live.posterior import LivePosterior
from exmc.viz.live import curves
from exmc.viz.live.style import (
    BAD,
    CHAIN_COLOURS,
    HEIGHT,
    INK,
    PALE,
    count_by_thousands,
    heading,
    plain_legend,
    plot,
    span_of,
)
from exmc.viz.live.view import View

FloatArray = NDArray[np.float64]
_POOLED_POINTS = 1200


def shown_chains(posterior: LivePosterior) -> list[tuple[int, ChainSummary]]:
    """The chains that are drawn: of those that have draws, the first few."""
    counted = [(n, c) for n, c in enumerate(posterior.chains) if c.draws and c.shown is not None]
    return counted[: len(CHAIN_COLOURS)]


def column(chain: ChainSummary, place: int) -> FloatArray:
    """The draws of one scalar that are kept to be shown, or energies."""
    assert chain.shown is not None
    return chain.shown.column(place).astype(np.float64)


class ScalarPanel:
    """The trace, the density and the ranks of one scalar, a colour a chain."""

    def __init__(self) -> None:
        self._title = heading("")
        self._highest, self._rows = span_of(0.0, 1.0), span_of(0.0, 1.0)
        self.trace = plot(self._title, x_axis_label="draw")
        count_by_thousands(self.trace.xaxis)
        self.density = plot(heading("density"), scale=False, y_range=self._highest)
        self.ranks = plot(heading("ranks by chain"), scale=False, x_range=span_of(0.0, 1.0), y_range=self._rows)
        self._lines = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        self._curves = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        self._bars = ColumnDataSource({"x": [], "top": [], "bottom": [], "colour": []})
        self.trace.multi_line("xs", "ys", color="colour", line_width=0.8, line_alpha=0.75, source=self._lines)
        self.density.multi_line("xs", "ys", color="colour", line_width=1.6, source=self._curves)
        self.ranks.vbar("x", width=1 / 16, top="top", bottom="bottom", color="colour", alpha=0.75, source=self._bars)
        self.ranks.xaxis.visible = False

    @property
    def figures(self) -> tuple[figure, figure, figure]:
        """The three plots."""
        return self.trace, self.density, self.ranks

    def update(self, posterior: LivePosterior, place: int, label: str) -> None:
        """Show the scalar at `place`."""
        self._title.text = label
        with posterior.lock:
            chains = [
                (n, chain.shown.numbers, column(chain, place)) for n, chain in shown_chains(posterior) if chain.shown
            ]
        colours = [CHAIN_COLOURS[n % len(CHAIN_COLOURS)] for n, *_ in chains]
        points = [curves.thinned(numbers, values) for _, numbers, values in chains]
        self._lines.data = {"xs": [x for x, _ in points], "ys": [y for _, y in points], "colour": colours}
        values = [found for *_, found in chains]
        self._draw_densities(values, colours)
        self._draw_ranks(values, colours)

    def _draw_densities(self, values: list[FloatArray], colours: list[str]) -> None:
        span = curves.span(values)
        enough = [(v[np.isfinite(v)], c) for v, c in zip(values, colours, strict=True) if np.isfinite(v).sum() > 4]
        if span is None or not enough:
            self._curves.data = {"xs": [], "ys": [], "colour": []}
            return
        found = [curves.density(chain, *span) for chain, _ in enough]
        self._highest.end = 1.08 * max(float(y.max()) for _, y in found) or 1.0
        self._curves.data = {"xs": [x for x, _ in found], "ys": [y for _, y in found], "colour": [c for _, c in enough]}

    def _draw_ranks(self, values: list[FloatArray], colours: list[str]) -> None:
        shares = curves.rank_counts(values)
        rows, bins = shares.shape
        bottoms = np.repeat(np.arange(rows)[::-1], bins)
        self._rows.end = float(max(rows, 1))
        self._bars.data = {
            "x": np.tile((np.arange(bins) + 0.5) / bins, rows),
            "bottom": bottoms.astype(np.float64),
            "top": bottoms + np.minimum(0.5 * shares.ravel(), 0.95),
            "colour": [colour for colour in colours for _ in range(bins)],
        }


class ConvergencePanel:
    """R-hat and effective sample sizes against draws: of the scalars that are shown, and of the worst of all.

    Lines mark an R-hat of 1.01 and the effective sample size that is `enough`.
    """

    def __init__(self, enough: float) -> None:
        self._highest = (span_of(0.995, 1.05), span_of(0.0, 500.0))
        self.r_hat, self.ess = (
            plot(heading(title), HEIGHT + 32, x_axis_label="draws of all chains", y_range=highest)
            for title, highest in zip(("R-hat", "effective sample size"), self._highest, strict=True)
        )
        count_by_thousands(self.r_hat.xaxis, self.ess.xaxis, self.ess.yaxis)
        self._enough = enough
        self._sources = []
        for panel, bound in ((self.r_hat, 1.01), (self.ess, float(enough))):
            source = ColumnDataSource({"xs": [], "ys": [], "colour": [], "label": []})
            panel.add_layout(Span(location=bound, dimension="width", line_color=BAD, line_dash="dotted", line_width=1))
            panel.multi_line("xs", "ys", color="colour", line_width=1.6, legend_field="label", source=source)
            panel.scatter("x", "y", color="colour", size=4, source=(ends := ColumnDataSource(_NO_ENDS)))
            plain_legend(panel, "above")
            self._sources.append((source, ends))

    def update(self, view: View, places: list[int], labels: list[str]) -> None:
        """Show the scalars at `places`."""
        history = view.history
        count = len(history.draws)
        draws = np.array(history.draws, dtype=np.float64)
        tables = (history.r_hat[:count], history.ess[:count])
        for (source, ends), table, extreme in zip(self._sources, tables, (np.max, np.min), strict=True):
            known = np.isfinite(table).any(axis=1)
            worst = np.array([extreme(row[np.isfinite(row)]) for row in table[known]])
            lines = [(draws[known], worst, PALE, "worst of all")] if len(worst) else []
            for rank, place in enumerate(places):
                finite = np.isfinite(table[:, place])
                if finite.any():
                    lines.append((draws[finite], table[finite, place], LINE_COLOURS[rank], labels[place]))
            colours = [colour for *_, colour, _ in lines]
            source.data = {
                "xs": [x for x, *_ in lines], "ys": [y for _, y, *_ in lines], "colour": colours,
                "label": [label for *_, label in lines],
            }  # fmt: skip
            # A line of one point is none.
            ends.data = {"x": [x[-1] for x, *_ in lines], "y": [y[-1] for _, y, *_ in lines], "colour": colours}
        newest = view.r_hat[np.isfinite(view.r_hat)]
        self._highest[0].end = float(np.clip(1.0 + 1.6 * (newest.max() - 1.0), 1.03, 4.0)) if len(newest) else 1.05
        most = [float(view.ess[p]) for p in places if np.isfinite(view.ess[p])]
        self._highest[1].end = max(1.25 * self._enough, 1.3 * max(most, default=0.0))


_NO_ENDS: dict[str, list[float]] = {"x": [], "y": [], "colour": []}
LINE_COLOURS = (INK, "#2f6fdf", "#e8853a")
"""A colour a scalar that is shown."""


class EnergyPanel:
    """The energies of draws about their mean, and how they change from one draw to the next: both should be as wide."""

    def __init__(self) -> None:
        self._title, self._highest = heading("energy"), span_of(0.0, 1.0)
        self.figure = plot(self._title, height=366, scale=False, y_range=self._highest)
        self._sources = []
        for name, colour in (("energy of draws", "#2f6fdf"), ("change between draws", "#e8853a")):
            source = ColumnDataSource({"x": [], "y": []})
            self.figure.varea("x", y1=0, y2="y", color=colour, alpha=0.35, legend_label=name, source=source)
            self._sources.append(source)
        plain_legend(self.figure, "within")

    def update(self, posterior: LivePosterior) -> None:
        """Show all chains together."""
        with posterior.lock:
            chains = [chain for chain in posterior.counted() if chain.shown is not None][:64]
            energies = [column(chain, ENERGY) for chain in chains]
            changes = np.concatenate([np.empty(0), *(column(chain, ENERGY_CHANGE) for chain in chains)])
            fractions = [chain.bfmi for chain in chains if np.isfinite(chain.bfmi)]
        centred = np.concatenate([np.empty(0), *(found - found.mean() for found in energies)])
        changes = changes[np.isfinite(changes)]
        span = curves.span([centred, changes])
        if span is None or len(changes) < 5:
            return
        highest = 0.0
        for source, values in zip(self._sources, (centred, changes), strict=True):
            x, y = curves.density(values, *span)
            source.data = {"x": x, "y": y}
            highest = max(highest, float(y.max()))
        self._highest.end = 1.1 * highest
        if fractions:
            self._title.text = f"energy; least BFMI of a chain {min(fractions):.2f} (too low below 0.3)"


class PairPanel:
    """Two scalars against each other, divergent draws marked."""

    def __init__(self) -> None:
        self._title = heading("pairs")
        self.figure = plot(self._title, height=300)
        self._draws = ColumnDataSource({"x": [], "y": []})
        self._divergent = ColumnDataSource({"x": [], "y": []})
        self.figure.scatter("x", "y", size=3.5, color="#2f6fdf", alpha=0.3, line_color=None, source=self._draws)
        self.figure.scatter("x", "y", size=7, marker="x", color=BAD, line_width=1.6, source=self._divergent)

    def update(self, posterior: LivePosterior, x: int, y: int, labels: list[str]) -> None:
        """Show the scalars at `x` and `y`."""
        with posterior.lock:
            chains = [chain for chain in posterior.counted() if chain.shown is not None][:64]
            pairs = [np.stack([column(chain, x), column(chain, y)]) for chain in chains]
            marked = [[row[x], row[y]] for chain in chains for row in chain.divergent]
        points = np.concatenate([np.empty((2, 0)), *pairs], axis=1)
        points = points[:, :: max(1, points.shape[1] // _POOLED_POINTS)]
        crosses = np.array(marked, dtype=np.float64).reshape(-1, 2)[-200:]
        self._draws.data = {"x": points[0], "y": points[1]}
        self._divergent.data = {"x": crosses[:, 0], "y": crosses[:, 1]}
        self.figure.xaxis.axis_label, self.figure.yaxis.axis_label = labels[x], labels[y]
        self._title.text = f"pairs, {len(crosses)} divergent draws marked" if len(crosses) else "pairs"
