"""The drawing of a model as a figure of matplotlib: a PNG or a PDF without other programs."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path

from exmc.ir.drawing import ARROW, COLOURS, FONT, Box, Drawing, arrowhead, curve

_DOTS_PER_INCH = 200
_PIXELS = 72.0
_HEADING = 26.0


def model_picture(drawings: Sequence[tuple[str, Drawing]], ending: str) -> bytes:
    """`drawings` below each other, each under its heading, as a file with the `ending` png or pdf."""
    width = max(drawing.layout.width for _, drawing in drawings)
    height = sum(drawing.layout.height + _HEADING for _, drawing in drawings)
    figure = Figure(figsize=(width / _PIXELS, height / _PIXELS))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    top = 0.0
    for heading, drawing in drawings:
        axes.text(8, top + _HEADING / 2, heading, fontsize=FONT, weight="bold", va="center")
        top += _HEADING
        for points in drawing.layout.paths.values():
            moved = tuple((x, y + top) for x, y in points)
            through = curve(moved)
            codes = [Path.MOVETO, *[Path.CURVE4] * (len(through) - 1)]
            axes.add_patch(PathPatch(Path(through, codes), fill=False, edgecolor=ARROW, linewidth=1.0))
            axes.add_patch(Polygon(arrowhead(moved), facecolor=ARROW))
        for name, box in drawing.boxes.items():
            x, y = drawing.layout.centres[name]
            _add_box(axes, box, x, y + top)
        top += drawing.layout.height
    target = io.BytesIO()
    figure.savefig(target, format=ending, dpi=_DOTS_PER_INCH)
    return target.getvalue()


def _add_box(axes, box: Box, x: float, y: float) -> None:  # type: ignore[no-untyped-def]
    fill, line = COLOURS[box.role]
    width, height = box.size
    rounding = height / 2 if box.role in ("free", "observed") else 3
    style = f"round,pad=0,rounding_size={rounding}"
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, facecolor=fill, edgecolor=line))
    shift = 8.0 if box.detail else 0.0
    axes.text(x, y - shift, box.heading, fontsize=FONT - 2, weight="bold", ha="center", va="center")
    if box.detail:
        axes.text(x, y + shift, box.detail, fontsize=FONT - 3, color="#555555", ha="center", va="center")
