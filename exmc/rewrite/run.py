"""Running rewrite passes: the model is checked after each, and the result tells what changed and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exmc.errors import ExmcError
from exmc.ir.check import check
from exmc.ir.model import Model
from exmc.ir.serial import digest
from exmc.ir.text import model_text
from exmc.rewrite import DEFAULT_PASSES
from exmc.rewrite.changes import Change, Pass


class RewriteError(ExmcError):
    """A pass that broke a model: a defect of exmc, not of the model."""


@dataclass(frozen=True, slots=True)
class Step:
    """One pass as it was run: its name, its changes and the model after it."""

    name: str
    changes: tuple[Change, ...]
    model: Model


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What the passes made of `source`, step by step."""

    source: Model
    steps: tuple[Step, ...]

    @property
    def model(self) -> Model:
        """The model after the last pass, ready to be compiled."""
        return self.steps[-1].model if self.steps else self.source


def rewrite(model: Model, passes: Mapping[str, Pass] = DEFAULT_PASSES) -> Rewriting:
    """`model`, checked, after each of `passes` in order.

    Raises
    ------
    ModelError
        If the model is not valid, or a pass cannot do what it asks for.
    RewriteError
        If a pass turns a valid model into one that is not.
    """
    check(model)
    steps: list[Step] = []
    current = model
    for name, apply_pass in passes.items():
        current, changes = apply_pass(current)
        try:
            check(current)
        except ExmcError as error:
            raise RewriteError(
                f"the rewrite pass {name!r} broke the model: {error.message}",
                where=error.where,
                remedy="This is a defect of exmc; please report it with the model.",
            ) from error
        steps.append(Step(name, changes, current))
    return Rewriting(model, tuple(steps))


def report_text(rewriting: Rewriting) -> str:
    """The model before, each pass with its changes and their reasons, and the model after, as text for people."""
    parts = ["Model", _indented(model_text(rewriting.source))]
    for step in rewriting.steps:
        lines = [f"{c.variable}: {c.what}, because {c.why}." for c in step.changes]
        parts += [step.name, _indented("\n".join(lines) or "nothing to do")]
    parts += ["Model after rewriting", _indented(model_text(rewriting.model))]
    return "\n".join(parts)


def to_json(rewriting: Rewriting) -> dict[str, Any]:
    """The rewriting as JSON values: the passes with their changes, and the digest and text of each model."""
    return {
        "source": _summary(rewriting.source),
        "steps": [
            {
                "name": step.name,
                "changes": [{"variable": c.variable, "what": c.what, "why": c.why} for c in step.changes],
                "model": _summary(step.model),
            }
            for step in rewriting.steps
        ],
    }


def _summary(model: Model) -> dict[str, str]:
    return {"digest": digest(model), "text": model_text(model)}


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())
