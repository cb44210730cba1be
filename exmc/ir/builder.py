"""Building a model in Python, one call a variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Distribution
from exmc.errors import ExpressionError, ModelError
from exmc.ir.check import check
from exmc.ir.expressions import Constant, Expression, Reference, as_operand
from exmc.ir.infer import resolve_expressions
from exmc.ir.model import Label, Model
from exmc.ir.nodes import Call, Centering, Data, Deterministic, Node, Observation, RandomVariable
from exmc.ir.parse import parse_expression

Argument: TypeAlias = Any
DimsLike: TypeAlias = str | Sequence[str | None] | None


class Builder:
    """Collects variables, data and coordinates; `build` checks them and returns the `Model`.

    Every method returns the builder itself, so that calls chain. A parameter may be a number, an expression, the
    text of an expression (``"a[county] + b * floor"``; a bare name is a reference) or an array.
    """

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._data: dict[str, Data] = {}
        self._coords: dict[str, tuple[Label, ...]] = {}

    def coords(self, **labels: Sequence[Label]) -> Builder:
        """Give dims their coordinate labels: ``coords(school=["Choate", "Deerfield"])``."""
        for dim, values in labels.items():
            if dim in self._coords:
                raise ModelError(f"the dim {dim!r} is given coordinates twice.", where=("coords", dim))
            self._coords[dim] = tuple(v.item() if isinstance(v, np.generic) else v for v in values)
        return self

    def data(self, name: str, values: Any, dims: DimsLike = None, source: str = "") -> Builder:
        """Name constant values, an array-like of numbers with one dim per axis. Raises `DataError`."""
        self._add_data(Data(name, values, as_dims(dims) or (), source))
        return self

    def rv(
        self,
        name: str,
        distribution: Distribution | str,
        *,
        dims: DimsLike = None,
        shape: int | Sequence[int] | None = None,
        observed: Argument = None,
        weight: Argument = None,
        mask: Argument = None,
        transform: str | None = None,
        centering: Centering = "auto",
        **parameters: Argument,
    ) -> Builder:
        """A random variable; with `observed` (values, the name of data, or an expression of data) a likelihood.

        Raises `ExpressionError` for a parameter that cannot be read; everything else is checked by `build`.
        """
        call = self._call(name, distribution, parameters)
        if observed is not None:
            for key, unused in (("transform", transform is None), ("centering", centering == "auto")):
                if not unused:
                    raise ModelError(f"{key} is for free variables, not observed ones.", where=("variables", name, key))
            value = self._expression(name, "observed", observed, as_dims(dims))
            self._nodes.append(
                Observation(
                    name,
                    call,
                    value,
                    None if weight is None else self._expression(name, "weight", weight),
                    None if mask is None else self._expression(name, "mask", mask),
                )
            )
            return self
        for key, given in (("weight", weight), ("mask", mask)):
            if given is not None:
                raise ModelError(f"{key} is for observed variables.", where=("variables", name, key))
        size = (shape,) if isinstance(shape, int) else None if shape is None else tuple(shape)
        self._nodes.append(RandomVariable(name, call, as_dims(dims), size, transform, centering))
        return self

    def obs(
        self,
        name: str,
        target: str,
        values: Argument,
        *,
        weight: Argument = None,
        mask: Argument = None,
        dims: DimsLike = None,
    ) -> Builder:
        """Values seen of the variable `target` (random, or deterministic where a lifting pass can invert it)."""
        self._nodes.append(
            Observation(
                name,
                Reference(target),
                self._expression(name, "observed", values, as_dims(dims)),
                None if weight is None else self._expression(name, "weight", weight),
                None if mask is None else self._expression(name, "mask", mask),
            )
        )
        return self

    def det(self, name: str, expression: Argument, *, dims: DimsLike = None, keep: bool = True) -> Builder:
        """A named expression; stored with the posterior if `keep`."""
        self._nodes.append(Deterministic(name, self._expression(name, "expr", expression), as_dims(dims), keep))
        return self

    def build(self) -> Model:
        """The checked model; raises `ModelError`, `DataError` or `ExpressionError` at the first fault."""
        model = Model(tuple(self._nodes), self._data, self._coords)
        check(model)
        return resolve_expressions(model)

    def _add_data(self, data: Data) -> None:
        if data.name in self._data:
            raise ModelError(f"the name {data.name!r} is used twice.", where=("data", data.name))
        self._data[data.name] = data

    def _call(self, name: str, distribution: Distribution | str, parameters: dict[str, Argument]) -> Call:
        if isinstance(distribution, Distribution):
            row, spelled = distribution, distribution.name
        else:
            row, spelled = None, distribution
        if not isinstance(spelled, str):
            raise ModelError(
                f"{spelled!r} is no distribution.", where=("variables", name, "dist"), remedy="Use a name."
            )
        arguments = {key: self._expression(name, key, value) for key, value in parameters.items()}
        if row is None:
            row = DISTRIBUTIONS.get(spelled)
        for parameter in row.parameters if row is not None else ():
            if parameter.default is not None and parameter.name not in arguments:
                arguments[parameter.name] = Constant(parameter.default)
        order = [p.name for p in row.parameters] if row is not None else []
        ranked = sorted(arguments, key=lambda k: order.index(k) if k in order else len(order))
        return Call(spelled, tuple((key, arguments[key]) for key in ranked))

    def _expression(self, name: str, key: str, value: Argument, dims: Any = None) -> Expression:
        try:
            if isinstance(value, str):
                return parse_expression(value)
            if isinstance(value, Expression):
                return value
            if np.ndim(value) > 0:
                label = f"{name}_{key}"
                self._add_data(Data(label, value, dims or ()))
                return Reference(label)
            return as_operand(value)
        except ExpressionError as error:
            raise error.within("variables", name, key) from None


def as_dims(dims: DimsLike) -> tuple[str | None, ...] | None:
    """`dims` as a tuple; a single name stands for one axis."""
    if dims is None:
        return None
    return (dims,) if isinstance(dims, str) else tuple(dims)
