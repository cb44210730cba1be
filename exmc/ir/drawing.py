"""A model as a drawing: data, variables and observations as boxes, and arrows from what each depends on."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Literal, TypeAlias

from exmc.ir.declarations import Declarations, in_order, parents
from exmc.ir.layered import Layout, layered
from exmc.ir.nodes import Call, Deterministic, Node, Observation
from exmc.ir.text import call_text, expression_text
from exmc.ir.types import Dims

Role: TypeAlias = Literal["data", "free", "deterministic", "observed"]

COLOURS: dict[Role, tuple[str, str]] = {
    "data": ("#f1f1ee", "#a7a79f"),
    "free": ("#ffffff", "#1f6f8b"),
    "deterministic": ("#fbf6e9", "#b98d2f"),
    "observed": ("#d5e8ee", "#1f6f8b"),
}
"""The colours within and around a box."""
ARROW = "#777777"
MOST = 150
"""Boxes beyond which a drawing is a thicket."""
FONT = 12.0
_CHARACTER = 0.56 * FONT
_LINE = 16.0
_LONGEST = 34


@dataclass(frozen=True, slots=True)
class Box:
    """One box: a role, its heading, and a line below it."""

    role: Role
    heading: str
    detail: str

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels."""
        longest = max(len(self.heading) * 1.1, len(self.detail))
        return longest * _CHARACTER + 22, _LINE * (1 + bool(self.detail)) + 12


@dataclass(frozen=True, slots=True)
class Drawing:
    """The boxes of a model by name, and where they are."""

    boxes: dict[str, Box]
    layout: Layout


def draw_model(model: Declarations) -> Drawing:
    """The drawing of `model`, each variable and datum a box; it may be larger than anybody wants beyond `MOST`."""
    targets = model.observed_targets
    used = {name for node in model.nodes for name in parents(node)}
    boxes: dict[str, Box] = {}
    above: dict[str, list[str]] = {}
    for data in model.data.values():
        if data.name in used and data.name not in model:
            shape = "×".join(map(str, data.values.shape))
            boxes[data.name] = Box("data", _named(data.name, data.dims), shape if data.values.ndim else "")
            above[data.name] = []
    for node in in_order(model):
        boxes[node.name] = _box(node, targets)
        above[node.name] = [name for name in parents(node) if name in boxes and name != node.name]
    return Drawing(boxes, layered({name: box.size for name, box in boxes.items()}, above))


def _box(node: Node, targets: frozenset[str]) -> Box:
    if isinstance(node, Deterministic):
        return Box("deterministic", _named(node.name, node.dims), _cut(f"= {expression_text(node.expression)}"))
    if isinstance(node, Observation):
        law = call_text(node.target) if isinstance(node.target, Call) else f"is {node.target.name}"
        return Box("observed", _named(node.name, node.dims), _cut(law))
    role: Role = "observed" if node.name in targets else "free"
    return Box(role, _named(node.name, node.dims), _cut(call_text(node.call)))


def _named(name: str, dims: Dims | None) -> str:
    return _cut(f"{name}[{', '.join(dim or '·' for dim in dims)}]" if dims and any(dims) else name)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def curve(points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    """`points` as control points of cubic curves, each leaving and arriving upright: one, then three a curve."""
    found = [points[0]]
    for (x, y), (to_x, to_y) in pairwise(points):
        middle = (y + to_y) / 2
        found += [(x, middle), (to_x, middle), (to_x, to_y)]
    return found


def arrowhead(points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    """The corners of the tip of an arrow along `points`, which points down."""
    x, y = points[-1]
    return [(x - 3.2, y - 7.0), (x, y), (x + 3.2, y - 7.0)]


def svg(drawing: Drawing, title: str = "The model") -> str:
    """`drawing` as an SVG element, to stand in a page or a file of its own."""
    width, height = drawing.layout.width, drawing.layout.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" font-family="Helvetica, Arial, sans-serif" font-size="{FONT:g}">',
        f"<title>{escape(title)}</title>",
    ]
    for points in drawing.layout.paths.values():
        first, *rest = (f"{x:.1f},{y:.1f}" for x, y in curve(points))
        tip = " L".join(f"{x:.1f},{y:.1f}" for x, y in arrowhead(points))
        parts.append(
            f'<path d="M{first} C{" ".join(rest)}" fill="none" stroke="{ARROW}" stroke-width="1.1"/>'
            f'<path d="M{tip} z" fill="{ARROW}"/>'
        )
    parts += [_svg_box(box, *drawing.layout.centres[name]) for name, box in drawing.boxes.items()]
    return "".join([*parts, "</svg>"])


def _svg_box(box: Box, x: float, y: float) -> str:
    fill, line = COLOURS[box.role]
    width, height = box.size
    round_ = height / 2 if box.role in ("free", "observed") else 3
    top = y - _LINE / 2 if box.detail else y
    shape = (
        f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="{round_:g}" fill="{fill}" stroke="{line}" stroke-width="1.2"/>'
    )
    heading = (
        f'<text x="{x:.1f}" y="{top + FONT * 0.36:.1f}" text-anchor="middle" font-weight="bold">'
        f"{escape(box.heading)}</text>"
    )
    if not box.detail:
        return shape + heading
    detail = (
        f'<text x="{x:.1f}" y="{top + _LINE + FONT * 0.36:.1f}" text-anchor="middle" fill="#555" '
        f'font-size="{FONT - 1:g}">{escape(box.detail)}</text>'
    )
    return shape + heading + detail


def dot(model: Declarations) -> str:
    """`model` in the DOT language of Graphviz."""
    shapes = {"data": "box", "free": "ellipse", "deterministic": "box, style=rounded", "observed": "ellipse"}
    drawing = draw_model(model)
    lines = ["digraph model {"]
    for name, box in drawing.boxes.items():
        label = "\\n".join(_quoted(line) for line in (box.heading, box.detail) if line)
        fill = f', style=filled, fillcolor="{COLOURS[box.role][0]}"' if box.role in ("data", "observed") else ""
        lines.append(f'  "{_quoted(name)}" [label="{label}", shape={shapes[box.role]}{fill}];')
    lines += [f'  "{_quoted(parent)}" -> "{_quoted(child)}";' for parent, child in drawing.layout.paths]
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
