"""A model as HTML: its drawing, its mathematics and its data, for a page or a notebook."""

from __future__ import annotations

from html import escape

from exmc.ir.declarations import Declarations
from exmc.ir.drawing import MOST, draw_model, svg
from exmc.ir.mathematics import model_mathml

_LONGEST_TABLE = 30


def model_html(model: Declarations) -> str:
    """The drawing and the mathematics of `model`, and a table of its data; everything is in it, and nothing runs."""
    return (
        '<div style="max-width: 100%; overflow-x: auto">'
        f"{drawing_html(model)}{model_mathml(model)}{data_html(model)}</div>"
    )


def drawing_html(model: Declarations) -> str:
    """The drawing of `model`, or a sentence where it has too many boxes for one."""
    drawing = draw_model(model)
    if len(drawing.boxes) > MOST:
        return f"<p>{len(drawing.boxes)} variables and data are too many to draw.</p>"
    return svg(drawing)


def data_html(model: Declarations) -> str:
    """A table of the data of `model`: name, kind, shape with dims, and source."""
    if not model.data:
        return ""
    rows = []
    for data in list(model.data.values())[:_LONGEST_TABLE]:
        axes = (f"{dim or 'unnamed'}: {n}" for dim, n in zip(data.dims, data.values.shape, strict=True))
        cells = (data.name, data.kind, ", ".join(axes) or "one number", data.source)
        rows.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    left = len(model.data) - len(rows)
    more = f'<tr><td colspan="4">and {left} more</td></tr>' if left > 0 else ""
    head = "<tr><th>data</th><th>kind</th><th>shape</th><th>from</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}{more}</tbody></table>"
