"""What rewriting makes of a model, as text, as drawings and as a page."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from exmc.errors import ConfigError, suggest
from exmc.ir.drawing import FONT, Drawing, dot, draw_model, svg
from exmc.ir.html import drawing_html
from exmc.ir.mathematics import model_latex, model_mathml
from exmc.ir.model import Model
from exmc.ir.text import mermaid, model_text
from exmc.late import Late
from exmc.rewrite.run import Rewriting, report_text

if TYPE_CHECKING:
    from exmc.viz import model_figure
    from pipelines import pages
else:
    # A text needs neither matplotlib nor Jinja2.
    model_figure, pages = Late("exmc.viz.model_figure"), Late("pipelines.pages")

ENDINGS = ("html", "svg", "png", "pdf")
_FORMS: dict[str, Callable[[Model], str]] = {"mermaid": mermaid, "dot": dot, "latex": model_latex, "text": model_text}
_HEADING = 30


class Stage(NamedTuple):
    """A model on its way through rewriting: its heading, what was changed to come to it and why, and the model."""

    heading: str
    changes: tuple[tuple[str, str, str], ...]
    model: Model


class StageView(NamedTuple):
    """A stage as a page shows it; the drawing and the mathematics are HTML, and empty where they are as before."""

    heading: str
    changes: tuple[tuple[str, str, str], ...]
    drawing: str
    mathematics: str


def stages_of(rewriting: Rewriting) -> list[Stage]:
    """The model as written, and as it is after each pass that changed anything."""
    found = [Stage("As written", (), rewriting.source)]
    for step in rewriting.steps:
        if step.changes:
            changes = tuple((c.variable, c.what, c.why) for c in step.changes)
            found.append(Stage(f"After {step.name}", changes, step.model))
    return found


def views_of(rewriting: Rewriting) -> list[StageView]:
    """The stages for a page; a pass that changes nothing one could draw, such as a transform, is told in words."""
    views: list[StageView] = []
    before = ""
    for stage in stages_of(rewriting):
        mathematics = model_mathml(stage.model)
        same = mathematics == before
        drawn = "" if same else drawing_html(stage.model)
        views.append(StageView(stage.heading, stage.changes, drawn, "" if same else mathematics))
        before = mathematics
    return views


def as_text(rewriting: Rewriting, form: str, after: str | None) -> str:
    """The model as text in one of the forms ``text``, ``mermaid``, ``dot`` and ``latex``, `after` a pass."""
    if form == "text" and after is None:
        return report_text(rewriting)
    return _FORMS[form](_model_after(rewriting, after))


def as_file(rewriting: Rewriting, name: str, file: str, after: str | None) -> bytes:
    """The drawings of the model before and after each pass that changed it, or `after` one, as the bytes of a file.

    Raises `ConfigError` for a file that is no picture, and a pass that is not known.
    """
    ending = file.rpartition(".")[2].lower()
    if ending not in ENDINGS:
        known = ", ".join(f".{each}" for each in ENDINGS)
        raise ConfigError(f"{file}: a drawing cannot be written there.", remedy=f"Its name ends in {known}.")
    if ending == "html":
        return pages.render("explain.html", title=name, stages=views_of(rewriting)).encode()
    if after is not None:
        drawings = [(f"{name}, after {after}", draw_model(_model_after(rewriting, after)))]
    else:
        drawings = _different([(stage.heading, draw_model(stage.model)) for stage in stages_of(rewriting)])
    return _stacked(drawings, name).encode() if ending == "svg" else model_figure.model_picture(drawings, ending)


def _different(drawings: list[tuple[str, Drawing]]) -> list[tuple[str, Drawing]]:
    """Those that differ from the one before."""
    return [
        (heading, drawing)
        for place, (heading, drawing) in enumerate(drawings)
        if place == 0 or drawing.boxes != drawings[place - 1][1].boxes
    ]


def _model_after(rewriting: Rewriting, name: str | None) -> Model:
    if name is None:
        return rewriting.source
    models = {step.name: step.model for step in rewriting.steps}
    if name not in models:
        raise ConfigError(f"there is no rewrite pass {name!r}.", remedy=suggest(name, models))
    return models[name]


def _stacked(drawings: list[tuple[str, Drawing]], title: str) -> str:
    """`drawings` below each other, each under its heading, in one SVG."""
    width = max(drawing.layout.width for _, drawing in drawings)
    parts, top = [], 0.0
    for heading, drawing in drawings:
        parts.append(
            f'<text x="8" y="{top + _HEADING * 0.7:.0f}" font-size="{FONT + 2:g}" font-weight="bold">'
            f'{escape(heading)}</text><g transform="translate(0 {top + _HEADING:.0f})">{svg(drawing, heading)}</g>'
        )
        top += _HEADING + drawing.layout.height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {top:.0f}" width="{width:.0f}" '
        f'height="{top:.0f}" font-family="Helvetica, Arial, sans-serif"><title>{escape(title)}</title>'
        f"{''.join(parts)}</svg>\n"
    )
