"""How the page's plots look: colours and what they have in common."""

from __future__ import annotations

from typing import Any, Literal

from bokeh.models.annotations import Title
from bokeh.models.formatters import NumeralTickFormatter
from bokeh.models.ranges import Range1d
from bokeh.models.tickers import FixedTicker
from bokeh.plotting import figure

CHAIN_COLOURS = ("#2f6fdf", "#e8853a", "#1f9d8b", "#c7446f", "#7a5bd0", "#8a9a2b", "#46a8d1", "#9a6a45")
"""A colour a chain; of more chains these many are drawn."""
INK, PALE, BAD = "#26303c", "#8a94a3", "#d33f49"
HEIGHT = 210


def heading(text: str) -> Title:
    """The title of a plot, to be changed later."""
    return Title(
        text=text, text_font="system-ui, sans-serif", text_font_size="12px", text_font_style="normal", text_color=INK
    )


def plot(title: Title, height: int = HEIGHT, *, scale: bool = True, **options: Any) -> figure:
    """An empty figure in the page's style, as wide as there is room; without `scale` its y axis says nothing."""
    found = figure(
        title=title, height=height, sizing_mode="stretch_width", toolbar_location=None, tools="",
        min_border_left=46 if scale else 12, min_border_right=8, background_fill_color=None, border_fill_color=None,
        outline_line_color=None, **options,
    )  # fmt: skip
    for axis in (found.xaxis, found.yaxis):
        axis.axis_line_color, axis.major_tick_line_color, axis.minor_tick_line_color = "#c9d0d9", "#c9d0d9", None
        axis.major_label_text_color, axis.major_label_text_font_size = PALE, "10px"
        axis.axis_label_text_color, axis.axis_label_text_font_size = PALE, "10px"
        axis.axis_label_text_font_style = "normal"
    found.grid.grid_line_color = "#eef1f5"
    if not scale:
        found.yaxis.ticker = FixedTicker(ticks=[])
        found.yaxis.axis_line_color = None
    return found


def count_by_thousands(*axes: Any) -> None:
    """Have `axes`, of counts, say 20k instead of 20000."""
    for axis in axes:
        axis.formatter = NumeralTickFormatter(format="0.[0]a")


def plain_legend(found: figure, place: Literal["within", "above"]) -> None:
    """Make the legend of `found` as light as its axes; one of curves that go anywhere has its place above them."""
    legend = found.legend[0]
    legend.label_text_font_size, legend.label_text_color = "10px", INK
    legend.border_line_color, legend.background_fill_alpha = None, 0.6
    legend.location, legend.glyph_width = "top_right", 14
    if place == "above":
        found.center.remove(legend)
        # Four names beside one another are wider than a phone.
        legend.ncols, legend.margin = 2, 0
        found.add_layout(legend, "above")


def span_of(start: float, end: float) -> Range1d:
    """The range of an axis, to be changed later."""
    return Range1d(start=start, end=end)
