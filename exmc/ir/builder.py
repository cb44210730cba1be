"""Building a model in Python, one call a variable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Distribution, Given, Parameter
from exmc.errors import DataError, ExpressionError, ModelError, brief, suggest
from exmc.ir.check import check
from exmc.ir.declarations import Label
from exmc.ir.expressions import Constant, Expression, Reference, as_operand
from exmc.ir.infer import resolve_expressions
from exmc.ir.inputs import DimsLike, as_dims, as_labelled, as_labels, as_length, as_name, as_shape
from exmc.ir.lengths import Length, Lengths
from exmc.ir.loops import Collect, OdeBody, make_ode, make_scan, with_length
from exmc.ir.model import Model
from exmc.ir.nodes import Argument as Parsed
from exmc.ir.nodes import Call, Centering, Data, Deterministic, Node, Observation, RandomVariable
from exmc.ir.parse import parse_expression

Argument: TypeAlias = Any
LengthLike: TypeAlias = int | str | Expression
ShapeLike: TypeAlias = LengthLike | Sequence[LengthLike] | None

_KEYS = frozenset({"dims", "shape", "observed", "weight", "mask", "transform", "centering"})
"""What a variable is told beside the parameters of its distribution."""


class Builder:
    """Collects variables, data and coordinates; `build` checks them and returns the `Model`.

    Every method returns the builder itself, so that calls chain. A parameter may be a number, an expression, the
    text of an expression (``"a[county] + b * floor"``; a bare name is a reference) or an array-like: nested sequences,
    numpy arrays, pandas series and tables (their index is not used), or an `xarray.DataArray`, which brings its dims
    and labels with it.
    """

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._data: dict[str, Data] = {}
        self._coords: dict[str, tuple[Label, ...]] = {}
        self._shapes: dict[str, tuple[Length, ...]] = {}
        self._steps: dict[str, Length] = {}

    def coords(self, **labels: Sequence[Label]) -> Builder:
        """Give dims their coordinate labels: ``coords(school=["Choate", "Deerfield"])``."""
        for dim, values in labels.items():
            self._add_coords(dim, as_labels(dim, values))
        return self

    def data(self, name: str, values: Any, dims: DimsLike = None, source: str = "") -> Builder:
        """Name constant values, an array-like of numbers (NaN or None where one is missing) with one dim per axis.

        Raises `DataError` for values that are no numbers or have other axes, `ModelError` for a name used twice.
        """
        name = as_name(name, ("data",))
        self._add_data(name, values, dims, source, ("data", name))
        return self

    def rv(
        self,
        name: str,
        distribution: Distribution | Given | str,
        *,
        dims: DimsLike = None,
        shape: ShapeLike = None,
        observed: Argument = None,
        weight: Argument = None,
        mask: Argument = None,
        transform: str | None = None,
        centering: Centering = "auto",
        **parameters: Argument,
    ) -> Builder:
        """A random variable; with `observed` (values, the name of data, or an expression of data) a likelihood.

        The distribution comes with its parameters, ``rv("x", Normal("mu", 1))``, or before them,
        ``rv("x", Normal, mu="mu", sigma=1)``. A parameter may be a distribution itself:
        ``Truncated(Normal(0, 1), lower=0)``. `weight` and `mask` have one entry an event. A `transform` of vectors, as
        "ordered", restricts a vector of real variables to its support, without normalising their density anew. A length
        in `shape` may be an expression of data, ``shape="J - 1"``.

        Raises a `ModelError` for an argument that cannot be read, or is not for such a variable; whether they fit each
        other is checked by `build`.
        """
        name = as_name(name, ("variables",))
        where = ("variables", name)
        call = self._call(where, distribution, parameters)
        _refuse_names([key for key, _ in call.parameters], _KEYS, where)
        named = as_dims(dims, (*where, "dims"))
        lengths = as_shape(shape, (*where, "shape"))
        if observed is not None:
            for key, used in (
                ("transform", transform is not None),
                ("centering", centering != "auto"),
                ("shape", shape is not None),
            ):
                if used:
                    raise ModelError(f"{key} is for free variables, not observed ones.", where=(*where, key))
            self._observe(name, call, observed, weight, mask, dims)
            return self
        for key, given in (("weight", weight), ("mask", mask)):
            if given is not None:
                raise ModelError(f"{key} is for observed variables.", where=(*where, key))
        if transform is not None:
            transform = as_name(transform, (*where, "transform"))
        as_name(centering, (*where, "centering"))
        if lengths is not None:
            self._shapes[name] = lengths
        self._nodes.append(RandomVariable(name, call, named, None, transform, centering))
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
        name = as_name(name, ("variables",))
        self._observe(name, Reference(as_name(target, ("variables", name, "target"))), values, weight, mask, dims)
        return self

    def det(self, name: str, expression: Argument, *, dims: DimsLike = None, keep: bool = True) -> Builder:
        """A named expression; stored with the posterior if `keep`."""
        name = as_name(name, ("variables",))
        named = as_dims(dims, ("variables", name, "dims"))
        made = self._expression(("variables", name, "expr"), expression)
        self._nodes.append(Deterministic(name, made, named, bool(keep)))
        return self

    def potential(self, name: str, expression: Argument, *, dims: DimsLike = None, keep: bool = False) -> Builder:
        """A named expression whose sum is added to the log density; stored with the posterior if `keep`.

        It is neither prior nor likelihood: ``log_prior`` and ``log_likelihood`` leave it out.
        """
        name = as_name(name, ("variables",))
        named = as_dims(dims, ("variables", name, "dims"))
        made = self._expression(("variables", name, "potential"), expression)
        self._nodes.append(Deterministic(name, made, named, bool(keep), potential=True))
        return self

    def scan(
        self,
        name: str,
        *,
        carry: Mapping[str, Argument],
        step: Mapping[str, Argument],
        sequences: Mapping[str, Argument] | None = None,
        output: str | None = None,
        collect: Collect = "steps",
        length: LengthLike | None = None,
        dims: DimsLike = None,
        keep: bool = True,
    ) -> Builder:
        """A deterministic whose elements follow from one another, such as a variance that remembers.

        Parameters
        ----------
        carry
            The values that are handed from step to step, each with its first value.
        step
            The next value of each carry, and any other definitions: formulas of the carries (their values before the
            step), the elements of the sequences, the definitions above, and names of the model.
        sequences
            Their first axes are run along together; in the formulas, a name means the element of the step.
        output
            The carry (its value after the step) or definition that is the result; the only carry, if there is one.
        collect
            "steps" keeps the outputs of all steps, "all" also the carry's first value before them, "last" the last.
        length
            The number of steps, where there are no sequences.
        """
        sections = {"carry": carry, "sequences": sequences or {}, "step": step}
        read = {key: self._formulas(name, "scan", key, given) for key, given in sections.items()}
        steps = None if length is None else as_length(length, ("variables", name, "scan", "length"))
        if isinstance(steps, Expression):
            self._steps[name], steps = steps, 1
        made = partial(make_scan, read["carry"], read["sequences"], read["step"])
        return self._add_loop(name, "scan", lambda: made(output=output, collect=collect, length=steps), dims, keep)

    def ode(
        self,
        name: str,
        *,
        state: Mapping[str, Argument],
        derivative: Mapping[str, Argument],
        times: Argument,
        start: Argument = 0.0,
        time: str | None = None,
        dims: DimsLike = None,
        keep: bool = True,
        **control: Any,
    ) -> Builder:
        """A deterministic that solves a differential equation: a row for each time, a column for each state.

        Parameters
        ----------
        state
            Each state with its value at `start`. One alone keeps its shape; several are flattened side by side.
        derivative
            The derivative of each state, and any other definitions: formulas of the states, the definitions above, and
            names of the model.
        times
            Where the states are wanted, increasing; the first may be `start`.
        time
            The name of the time in the formulas, if they use it.
        control
            `method` ("dormand_prince", or "rodas" for stiff equations), `relative_tolerance`, `absolute_tolerance` and
            `max_steps`, as in `exmc.compile.ode.ode`. Where there is no solution the log density is -inf.
        """
        known = [f.name for f in fields(OdeBody) if f.default is not MISSING and f.name != "time"]
        for key in control:
            if key not in known:
                raise ModelError(f"unknown key {key!r}.", where=("variables", name, "ode"), remedy=suggest(key, known))
        start_state, formulas = (
            self._formulas(name, "ode", key, given) for key, given in (("state", state), ("derivative", derivative))
        )
        where = ("variables", as_name(name, ("variables",)), "ode")
        ends = [self._expression((*where, key), value) for key, value in (("times", times), ("start", start))]
        plain = {key: _plain(value, key.endswith("tolerance")) for key, value in control.items()}
        made = partial(make_ode, start_state, formulas, *ends, time=time, **plain)
        return self._add_loop(name, "ode", made, dims, keep)

    def _formulas(self, name: str, kind: str, section: str, given: Mapping[str, Argument]) -> dict[str, Expression]:
        where = ("variables", as_name(name, ("variables",)), kind, section)
        if not isinstance(given, Mapping):
            raise ModelError(f"{brief(given)} is no mapping of names to formulas.", where=where)
        return {as_name(key, where): self._expression((*where, as_name(key, where)), v) for key, v in given.items()}

    def _add_loop(self, name: str, kind: str, make: Callable[[], Expression], dims: DimsLike, keep: bool) -> Builder:
        name = as_name(name, ("variables",))
        try:
            made = make()
        except ModelError as error:
            raise error.within("variables", name, kind) from None
        self._nodes.append(Deterministic(name, made, as_dims(dims, ("variables", name, "dims")), bool(keep)))
        return self

    def build(self) -> Model:
        """The checked model; raises `ModelError`, `DataError` or `ExpressionError` at the first fault."""
        lengths = Lengths(self._data, self._nodes)
        model = Model(tuple(self._sized(lengths, node) for node in self._nodes), self._data, self._coords)
        check(model)
        return resolve_expressions(model)

    def _sized(self, lengths: Lengths, node: Node) -> Node:
        """`node` with all that follows from the lengths of data as numbers."""
        where = ("variables", node.name)
        if isinstance(node, RandomVariable) and node.name in self._shapes:
            shape = (lengths.number(n, (*where, "shape")) for n in self._shapes[node.name])
            node = replace(node, shape=tuple(shape))
        elif isinstance(node, Deterministic) and node.name in self._steps:
            steps = lengths.number(self._steps[node.name], (*where, "scan", "length"))
            node = replace(node, expression=with_length(node.expression, steps))
        return lengths.in_node(node)

    def _observe(
        self,
        name: str,
        target: Reference | Call,
        values: Argument,
        weight: Argument,
        mask: Argument,
        dims: DimsLike,
    ) -> None:
        where = ("variables", name)
        seen = self._expression((*where, "observed"), values, dims)
        self._nodes.append(
            Observation(
                name,
                target,
                seen,
                None if weight is None else self._expression((*where, "weight"), weight),
                None if mask is None else self._expression((*where, "mask"), mask),
                dims=as_dims(dims, (*where, "dims")),
            )
        )

    def _add_data(self, name: str, values: Any, dims: DimsLike, source: str, where: tuple[str, ...]) -> None:
        if name in self._data:
            raise ModelError(f"the name {name!r} is used twice.", where=("data", name))
        labelled = as_labelled(values, as_dims(dims, (*where, "dims")), where)
        for dim, labels in labelled.coords.items():
            self._add_coords(dim, labels)
        try:
            self._data[name] = Data(name, labelled.values, labelled.dims or (), source)
        except DataError as error:
            raise DataError(error.message, where=where, remedy=error.remedy) from None

    def _add_coords(self, dim: str, labels: tuple[Label, ...]) -> None:
        if self._coords.setdefault(dim, labels) != labels:
            raise ModelError(f"the dim {dim!r} is given coordinates twice, not the same.", where=("coords", dim))

    def _call(
        self, where: tuple[str, ...], distribution: Distribution | Given | str, parameters: dict[str, Argument]
    ) -> Call:
        """The call of `distribution`, a nested one too, which stands at the path `where`."""
        if isinstance(distribution, Given):
            given = dict(distribution.arguments)
            if twice := sorted(parameters.keys() & given.keys()):
                raise ModelError(f"{twice[0]!r} is given twice.", where=(*where, twice[0]))
            distribution, parameters = distribution.distribution, given | parameters
        spelled = distribution.name if isinstance(distribution, Distribution) else distribution
        if not isinstance(spelled, str):
            raise ModelError(f"{brief(spelled)} is no distribution.", where=(*where, "dist"), remedy="Use a name.")
        row = distribution if isinstance(distribution, Distribution) else DISTRIBUTIONS.get(spelled)
        known = {p.name: p for p in row.parameters} if row is not None else {}
        defaults: dict[str, Argument] = {key: p.default for key, p in known.items() if p.default is not None}
        written = defaults | parameters
        _refuse_names(parameters, frozenset({"dist"}), where)
        ranked = sorted(written, key=lambda k: list(known).index(k) if k in known else len(known))
        made = ((key, self._argument((*where, key), written[key], known.get(key))) for key in ranked)
        return Call(spelled, tuple(made))

    def _argument(self, where: tuple[str, ...], value: Argument, parameter: Parameter | None) -> Parsed:
        """A parameter of a call as it stands in a model."""
        if isinstance(value, Given | Distribution):
            return self._call(where, value, {})
        if parameter is not None and parameter.takes in ("text", "size") and isinstance(value, str | int):
            return str(value)
        if isinstance(value, list | tuple) and value and all(isinstance(v, Given | Distribution) for v in value):
            return tuple(self._call((*where, str(i)), component, {}) for i, component in enumerate(value))
        return self._expression(where, value)

    def _expression(self, where: tuple[str, ...], value: Argument, dims: DimsLike = None) -> Expression:
        try:
            if isinstance(value, str):
                return parse_expression(value)
            if isinstance(value, Expression):
                return value
            if isinstance(value, list | tuple) or np.ndim(value) > 0:
                label = "_".join(where[1:])
                self._add_data(label, value, dims, "", where)
                return Reference(label)
            plain = as_labelled(value, None, where).values
            # A single value seen, or a single mask, may well be true; in a formula it would be a mistake.
            if where[-1] in ("observed", "mask") and isinstance(plain, bool | np.bool_):
                return Constant(bool(plain))
            return as_operand(plain)
        except ExpressionError as error:
            raise error.within(*where) from None


def _refuse_names(given: Iterable[str], keys: frozenset[str], where: tuple[str, ...]) -> None:
    """Raise for parameters of one's own density that are called as a key of a config is."""
    for name in given:
        if name in keys:
            raise ModelError(f"a parameter cannot be called {name!r}.", where=(*where, name), remedy="Rename it.")


def _plain(value: Any, to_float: bool) -> Any:
    """A number as Python has it: of a tolerance, 1 is the same as 1.0."""
    value = value.item() if isinstance(value, np.generic) else value
    return float(value) if to_float and isinstance(value, int) and not isinstance(value, bool) else value
