"""The models on which machine code is compared with autograd: every config, and every distribution in both roles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from exmc.distributions import DISTRIBUTIONS, Distribution
from exmc.distributions.base import Given
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from pipelines.checking import build
from pipelines.config import load_config
from tests.conformance.realistic_models import MODELS
from tests.distributions.examples import EXAMPLES, Example
from tests.distributions.rows import SCALAR, law
from tests.distributions.scipy_cases import CASES

CONFIGS = Path(__file__).parents[2] / "configs"
ROWS = 23
"""Observations of a distribution: more than one vector register holds, and not a multiple of one."""


class Subject(NamedTuple):
    """A model by name: a config's path below configs/, one of `MODELS`, or a distribution and its role."""

    name: str

    def build(self) -> Model:
        """The model, as its user would have written it."""
        if self.name.endswith(".yaml"):
            return build(load_config(CONFIGS / self.name))
        if self.name in MODELS:
            return MODELS[self.name]()
        name, number, role = self.name.split(" ")
        if name not in SCALAR:
            return _example_model(EXAMPLES[name][int(number)], role)
        return _distribution_model(DISTRIBUTIONS[name], CASES[name].parameters[int(number)], role)


def subjects() -> Iterator[Subject]:
    """All of them; what is new under configs/ or in the table of distributions is among them."""
    for path in sorted(CONFIGS.rglob("*.yaml")):
        yield Subject(str(path.relative_to(CONFIGS)))
    yield from map(Subject, MODELS)
    for name, examples in EXAMPLES.items():
        for number, example in enumerate(examples):
            if law(example.given).form.transform:
                yield Subject(f"{name} {number} free")
            if example.proper:
                yield Subject(f"{name} {number} observed")
    for name, distribution in SCALAR.items():
        # A distribution without a case fails in its own suite, which says what to add.
        for number, _ in enumerate(CASES[name].parameters if name in CASES else ()):
            if not distribution.discrete:
                yield Subject(f"{name} {number} free")
            if CASES[name].reference is not None:
                yield Subject(f"{name} {number} observed")


def _example_model(example: Example, role: str) -> Model:
    """The example with each of its numbers and arrays, those of its parts too, a function of a free variable."""
    builder = Builder()
    count = 0

    def moved(given: Given) -> Given:
        nonlocal builder, count
        row, arguments = given.distribution, []
        assert isinstance(row, Distribution)
        for key, value in given.arguments:
            if isinstance(value, Given):
                value = moved(value)
            elif isinstance(value, tuple):
                value = [moved(part) for part in value]
            elif not isinstance(value, str):
                text = _moved(row, key, f"start_{count}", f"free_{count}")
                if text:
                    builder = builder.data(f"start_{count}", np.asarray(value, float))
                    builder = builder.rv(f"free_{count}", "Normal", mu=0.0, sigma=0.5)
                    builder = builder.det(f"moved_{count}", text)
                    value = f"moved_{count}"
                    count += 1
            arguments.append((key, value))
        return Given(row, tuple(arguments))

    given = moved(example.given)
    if role == "free":
        return builder.rv("x", given, shape=(2, *example.event)).build()
    seen = np.resize(example.seen, ROWS)
    if not example.seen:
        seen = law(example.given).draw(np.random.default_rng(5), (ROWS, *example.event))
    return builder.rv("x", given, observed=seen.tolist()).build()


def _moved(row: Distribution, key: str, start: str, free: str) -> str:
    """An expression of `start`, a datum, and of a free variable that stays where the parameter may be; "" if none."""
    if key in (*row.bounds, "lower", "upper") or (not row.open and row.parameter(key).takes == "size"):
        return ""  # data lie between them, or a length is no number
    known = {p.name: p.support.name for p in row.parameters}
    return {
        "real": f"{start} + {free}",
        "positive": f"{start} * exp({free})",
        "nonnegative": f"{start} * exp({free})",
        "covariance": f"{start} * exp({free})",
        "cholesky_cov": f"{start} * exp({free})",
        "ordered": f"{start} * exp({free})",
        "signed_unit_interval": f"tanh(arctanh({start}) + {free})",
        "unit_interval": f"sigmoid(log({start} / (1 - {start})) + {free})",
        "simplex": f"{start} ** exp({free}) / sum({start} ** exp({free}))",
    }.get(known.get(key, "positive"), "")


def _distribution_model(distribution: Distribution, parameters: dict[str, float], role: str) -> Model:
    """The distribution with each parameter a function of a free variable, which is 0 at the parameter's value."""
    builder, arguments = Builder(), {}
    for name, value in parameters.items():
        text = _around(distribution, name, value, parameters)
        if text is not None:
            builder = builder.rv(f"free_{name}", "Normal", mu=0.0, sigma=0.5).det(name, text)
        arguments[name] = value if text is None else name
    if role == "free":
        return builder.rv("x", distribution.name, shape=3, **arguments).build()
    draws = distribution.random(np.random.default_rng(5), (ROWS,), **parameters)
    return builder.rv("x", distribution.name, observed=draws.tolist(), **arguments).build()


def _around(distribution: Distribution, name: str, value: float, parameters: dict[str, Any]) -> str | None:
    """An expression of the free variable for one parameter; None for one that must be a whole number."""
    support = distribution.parameter(name).support
    if support.discrete:
        return None
    if name in distribution.bounds:
        # The bounds move apart, so that what was between them still is.
        width = max(parameters[b] for b in distribution.bounds) - min(parameters[b] for b in distribution.bounds)
        sign = "-" if value == min(parameters[b] for b in distribution.bounds) else "+"
        return f"{value!r} {sign} {0.1 * width!r} * exp(free_{name})"
    if support.contains(-1.0):
        return f"{value!r} + free_{name}"
    if support.contains(2.0):
        return f"{value!r} * exp(free_{name})"
    return f"sigmoid({math.log(value / (1.0 - value))!r} + free_{name})"
