"""A model as the section `model` of a config: what `model_section` and `building` read back to the same model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.errors import ExpressionError, ModelError
from exmc.ir.declarations import expressions_of
from exmc.ir.expressions import Apply, Constant, Expression, Reference, walk
from exmc.ir.loops import OdeBody, ScanBody, loop_body, parts_of
from exmc.ir.model import Model
from exmc.ir.nodes import NO_JACOBIAN, Argument, Call, Data, Deterministic, Node, Observation, RandomVariable
from exmc.ir.parse import parse_expression
from exmc.ir.text import expression_text
from exmc.ir.types import Dims
from pipelines.places import KeyPath


@dataclass(frozen=True, slots=True)
class Written:
    """A model as plain values.

    Attributes
    ----------
    section
        The section `model`, but for the values of `beside`.
    beside
        The values of the data that stand in a file, by name.
    """

    section: Mapping[str, Any]
    beside: Mapping[str, Any]


def written_model(model: Model, file: str = "", largest: int = 0) -> Written:
    """`model` as a section of a config; with `file`, data of more than `largest` values are left to that JSON file.

    Raises `ModelError` for what no config says: variables that rewriting makes, data without a single value.
    """
    if not model.nodes:
        raise ModelError("a model without variables cannot be written.", remedy="Add one.")
    for data in model.data.values():
        if not data.values.size:
            raise ModelError("a config holds no data without values.", where=("data", data.name))
    beside = {d.name: plain_values(d.values) for d in model.data.values() if file and d.values.size > largest}
    writer = _Writer(model, frozenset(_used_once(model) - beside.keys()))
    variables = {node.name: writer.entry(node) for node in model.nodes}
    section: dict[str, Any] = {"coords": {dim: list(labels) for dim, labels in model.coords.items()}}
    section["data"] = {
        d.name: _file_entry(d, file) if d.name in beside else _values_entry(d)
        for d in model.data.values()
        if d.name not in writer.inline
    }
    return Written({key: part for key, part in section.items() if part} | {"variables": variables}, beside)


def plain_values(values: NDArray[Any]) -> Any:
    """An array as nested lists of Python's numbers, None where a value is missing."""
    if values.dtype.kind == "f" and np.isnan(values).any():
        objects = values.astype(object)
        objects[np.isnan(values)] = None
        return objects.tolist()
    return values.tolist()


def _used_once(model: Model) -> set[str]:
    """The data that stand once in all formulas: an array written in a variable is one of them."""
    counts: Counter[str] = Counter()
    for node in model.nodes:
        for expression in expressions_of(node).values():
            body = loop_body(expression)
            parts = [expression, *(formula for _, formula in body.formulas)] if body is not None else [expression]
            counts.update(e.name for part in parts for e in walk(part) if isinstance(e, Reference))
    return {name for name, data in model.data.items() if counts[name] == 1 and not data.source}


def _values_entry(data: Data) -> Any:
    values = plain_values(data.values)
    named = _dims_entry(data.dims)
    if not named and not data.source:
        return values
    return {"values": values} | named | ({"source": data.source} if data.source else {})


def _file_entry(data: Data, file: str) -> dict[str, Any]:
    return {"path": file, "column": data.name} | _dims_entry(data.dims)


def _dims_entry(dims: Dims) -> dict[str, Any]:
    """The dims of data; without any names there is nothing to say."""
    return {"dims": list(dims)} if any(dim is not None for dim in dims) else {}


class _Writer:
    """Writes the nodes of one model, and notes in `inline` the data that stand in them."""

    def __init__(self, model: Model, used_once: frozenset[str]) -> None:
        self._model = model
        self._used_once = used_once
        self.inline: set[str] = set()

    def entry(self, node: Node) -> dict[str, Any]:
        """The entry of `node` in the section `variables`."""
        if isinstance(node, RandomVariable):
            return self._random(node)
        if isinstance(node, Observation):
            return self._observation(node)
        return self._deterministic(node)

    def _random(self, node: RandomVariable) -> dict[str, Any]:
        if node.auxiliary:
            raise _rewritten(node)
        entry = self._call(node.call, (node.name,)) | _named(node)
        if node.shape is not None:
            entry["shape"] = node.shape[0] if len(node.shape) == 1 else list(node.shape)
        if node.transform is not None:
            entry["transform"] = node.transform
        if node.centering != "auto":
            entry["centering"] = node.centering
        return entry

    def _observation(self, node: Observation) -> dict[str, Any]:
        if node.joint or node.log_jacobian != NO_JACOBIAN:
            raise _rewritten(node)
        entry = self._call(node.target, (node.name,)) if isinstance(node.target, Call) else {"target": node.target.name}
        for key, expression in (("observed", node.value), ("weight", node.weight), ("mask", node.mask)):
            if expression is not None:
                # Values written in a variable have its dims.
                dims = node.dims if key == "observed" else None
                entry[key] = self._value(expression, (node.name, key), dims)
        return entry | _named(node)

    def _deterministic(self, node: Deterministic) -> dict[str, Any]:
        body, expression = loop_body(node.expression), node.expression
        if body is None:
            key = "potential" if node.potential else "expr"
            entry = {key: _formula(expression, (node.name, key))}
        else:
            entry = {body.operation: self._loop(node, body)}
        kept = {} if node.keep is not node.potential else {"keep": node.keep}
        return entry | _named(node) | kept

    def _call(self, call: Call, path: KeyPath) -> dict[str, Any]:
        return {"dist": call.distribution} | {key: self._argument(a, (*path, key)) for key, a in call.parameters}

    def _argument(self, argument: Argument, path: KeyPath) -> Any:
        if isinstance(argument, Call):
            return self._call(argument, path)
        if isinstance(argument, tuple):
            return [self._call(call, (*path, str(i))) for i, call in enumerate(argument)]
        if isinstance(argument, str):
            return int(argument) if argument.isdecimal() and argument == str(int(argument)) else argument
        return self._value(argument, path)

    def _value(self, expression: Expression, path: KeyPath, dims: Dims | None = None) -> Any:
        """What stands at `path` of a variable: a formula, or the values that reading it would give the same name."""
        if isinstance(expression, Reference) and expression.name == "_".join(path):
            data = self._model.data.get(expression.name)
            if data is not None and data.name in self._used_once and data.dims == (dims or (None,) * data.values.ndim):
                self.inline.add(data.name)
                return plain_values(data.values)
        if isinstance(expression, Constant) and isinstance(expression.value, bool) and path[-1] in ("observed", "mask"):
            return expression.value
        return _formula(expression, path)

    def _loop(self, node: Deterministic, body: ScanBody | OdeBody) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for place, part in self._parts(node, body):
            path = (node.name, body.operation, *place)
            if place[0] == "captured":
                raise _rewritten(node)
            if len(place) == 1:
                found[place[0]] = self._value(part, path)
            else:
                found.setdefault(place[0], {})[place[1]] = self._value(part, path)
        given = {f.name: getattr(body, f.name) for f in fields(body) if f.name not in ("captured", *found)}
        said = {f.name: f.default for f in fields(body) if f.default is not MISSING}
        if isinstance(body, ScanBody) and body.carry == (body.output,):
            said["output"] = body.output
        return found | {key: v for key, v in given.items() if v != said.get(key, ())}

    @staticmethod
    def _parts(node: Deterministic, body: ScanBody | OdeBody) -> Iterator[tuple[KeyPath, Expression]]:
        """The parts of a loop with their keys, without what starts where it would anyway."""
        assert isinstance(node.expression, Apply)
        for place, part in parts_of(node.expression, body):
            if not (place == ("start",) and isinstance(part, Constant) and str(part.value) == "0.0"):
                yield place, part


def _named(node: Node) -> dict[str, Any]:
    return {} if node.dims is None else {"dims": list(node.dims)}


def _formula(expression: Expression, path: KeyPath) -> Any:
    """A number, or the text that is read to `expression`."""
    if isinstance(expression, Constant) and not isinstance(expression.value, bool):
        return expression.value
    text = expression_text(expression)
    try:
        if parse_expression(text) == expression:
            return text
    except ExpressionError:
        pass
    raise ModelError("this formula has no text.", where=("variables", *path), remedy="Write it in a simpler way.")


def _rewritten(node: Node) -> ModelError:
    return ModelError(
        "only rewriting makes such a variable.", where=("variables", node.name), remedy="Write its source."
    )
