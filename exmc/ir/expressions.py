"""Expressions as data: small trees of constants, references and operations of a closed set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from exmc.errors import ExpressionError, brief

Scalar: TypeAlias = bool | int | float


class Expression:
    """A formula over named variables and data. Python operators on expressions build larger ones."""

    __slots__ = ()
    # numpy must hand `array + expression` to our operators instead of looping over the array.
    __array_ufunc__ = None

    def __add__(self, other: Any) -> Expression:
        return apply("add", self, other)

    def __radd__(self, other: Any) -> Expression:
        return apply("add", other, self)

    def __sub__(self, other: Any) -> Expression:
        return apply("subtract", self, other)

    def __rsub__(self, other: Any) -> Expression:
        return apply("subtract", other, self)

    def __mul__(self, other: Any) -> Expression:
        return apply("multiply", self, other)

    def __rmul__(self, other: Any) -> Expression:
        return apply("multiply", other, self)

    def __truediv__(self, other: Any) -> Expression:
        return apply("divide", self, other)

    def __rtruediv__(self, other: Any) -> Expression:
        return apply("divide", other, self)

    def __floordiv__(self, other: Any) -> Expression:
        return apply("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Expression:
        return apply("floor_divide", other, self)

    def __mod__(self, other: Any) -> Expression:
        return apply("mod", self, other)

    def __rmod__(self, other: Any) -> Expression:
        return apply("mod", other, self)

    def __pow__(self, other: Any) -> Expression:
        return apply("power", self, other)

    def __rpow__(self, other: Any) -> Expression:
        return apply("power", other, self)

    def __matmul__(self, other: Any) -> Expression:
        return apply("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Expression:
        return apply("matmul", other, self)

    def __neg__(self) -> Expression:
        return apply("negative", self)

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        return apply("abs", self)

    def __lt__(self, other: Any) -> Expression:
        return apply("less", self, other)

    def __le__(self, other: Any) -> Expression:
        return apply("less_equal", self, other)

    def __gt__(self, other: Any) -> Expression:
        return apply("greater", self, other)

    def __ge__(self, other: Any) -> Expression:
        return apply("greater_equal", self, other)

    def __and__(self, other: Any) -> Expression:
        return apply("logical_and", self, other)

    def __or__(self, other: Any) -> Expression:
        return apply("logical_or", self, other)

    def __invert__(self) -> Expression:
        return apply("logical_not", self)

    @property
    def T(self) -> Expression:  # noqa: N802, numpy's name
        """The transpose."""
        return apply("transpose", self)

    def __getitem__(self, key: Any) -> Expression:
        keys = key if isinstance(key, tuple) else (key,)
        if not keys:
            raise ExpressionError("an index is missing between [ and ].")
        return indexed(self, [_index_operand(k) for k in keys])

    def __iter__(self) -> Iterator[Expression]:
        raise ExpressionError("An expression cannot be iterated over.", remedy="Index it, or use a reduction.")

    def __bool__(self) -> bool:
        raise ExpressionError(
            "The truth of an expression is not known while the model is built.",
            remedy="Use where(condition, a, b) instead of a Python branch.",
        )


@dataclass(frozen=True, slots=True)
class Constant(Expression):
    """A literal number; raises `ExpressionError` for one that is not finite or beyond 64 bits."""

    value: Scalar

    def __post_init__(self) -> None:
        if isinstance(self.value, int) and abs(self.value) >= 2**63:
            raise ExpressionError("a whole number beyond 64 bits.", remedy="Write it with a point.")
        if not math.isfinite(self.value):
            raise ExpressionError(f"{self.value} is no finite number.")


@dataclass(frozen=True, slots=True)
class Reference(Expression):
    """The value of a variable or of data, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Slice(Expression):
    """``start:stop:step`` with literal bounds; stands only among the operands of an ``index``."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Span(Expression):
    """A slice whose bounds are expressions of data; what builds a model puts a `Slice` in its place."""

    start: Expression | None = None
    stop: Expression | None = None
    step: Expression | None = None

    @property
    def bounds(self) -> tuple[Expression | None, Expression | None, Expression | None]:
        """Start, stop and step."""
        return self.start, self.stop, self.step


@dataclass(frozen=True, slots=True)
class Apply(Expression):
    """An operation of the table `exmc.ir.operations.OPERATIONS`, applied to operands.

    `options` are literal keyword arguments in sorted order, such as ``(("axis", 0),)``.
    """

    operation: str
    operands: tuple[Expression, ...]
    options: tuple[tuple[str, Any], ...] = ()


def ref(name: str) -> Reference:
    """A reference to the variable or data called `name`."""
    if not isinstance(name, str):
        raise ExpressionError(f"{name!r} is no name.", remedy="A reference is made of a text.")
    return Reference(name)


def apply(operation: str, *operands: Any, **options: Any) -> Expression:
    """`operation` applied to `operands`, which may be expressions or numbers. An option that is None is not given."""
    plain = {key: _plain_option(value) for key, value in options.items() if value is not None}
    return Apply(operation, tuple(as_operand(o) for o in operands), tuple(sorted(plain.items())))


def _plain_option(value: Any) -> Any:
    """An option as Python has it; what is listed becomes a tuple, which compares and hashes."""
    if isinstance(value, list | tuple):
        return tuple(_plain_option(v) for v in value)
    return int(value) if isinstance(value, np.integer | bool) else value


def as_operand(value: Any) -> Expression:
    """`value` as an expression: numbers become constants. Strings are not parsed here."""
    if isinstance(value, Expression):
        return value
    # np.float64 is a float to Python, and must become a plain one.
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if isinstance(value, bool):
        # Whoever writes `ref("age") == 2` compares two trees, and would get a constant without noticing.
        raise ExpressionError(
            f"{value} cannot stand in an expression.",
            remedy="== and != compare formulas, not values: use exmc.math.equal or not_equal. Else write 1 or 0.",
        )
    if isinstance(value, int | float):
        return Constant(value)
    raise ExpressionError(
        f"{brief(value)} ({type(value).__name__}) cannot stand in an expression.",
        remedy="Use a number or a reference; give arrays a name with Builder.data(name, values).",
    )


def names_in(expression: Expression) -> list[str]:
    """Names that `expression` refers to, each once, in order of appearance."""
    return list(dict.fromkeys(e.name for e in walk(expression) if isinstance(e, Reference)))


def walk(expression: Expression) -> Iterator[Expression]:
    """`expression` and all its parts, parents before children."""
    pending = [expression]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(_parts(current)))


def extent(expression: Expression, deepest: int, largest: int) -> tuple[int, int]:
    """Levels and parts of `expression`, counted no further than one past `deepest` or `largest`."""
    depth = parts = 0
    pending = [(expression, 1)]
    while pending and depth <= deepest and parts <= largest:
        current, level = pending.pop()
        depth, parts = max(depth, level), parts + 1
        pending.extend((o, level + 1) for o in _parts(current))
    return depth, parts


def _parts(expression: Expression) -> Sequence[Expression]:
    """What `expression` is made of."""
    if isinstance(expression, Span):
        return [bound for bound in expression.bounds if bound is not None]
    return expression.operands if isinstance(expression, Apply) else ()


def transform_bottom_up(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """`expression` with `change` applied to each part, children first."""
    if isinstance(expression, Apply):
        operands = tuple(transform_bottom_up(o, change) for o in expression.operands)
        # By identity: Constant(1) equals Constant(1.0) and Constant(True), as the numbers do in Python.
        if any(new is not old for new, old in zip(operands, expression.operands, strict=True)):
            expression = replace(expression, operands=operands)
    elif isinstance(expression, Span):
        expression = Span(*(None if b is None else transform_bottom_up(b, change) for b in expression.bounds))
    return change(expression)


def substitute(expression: Expression, replacements: dict[str, Expression]) -> Expression:
    """`expression` with each reference to a key of `replacements` replaced by its value."""

    def change(part: Expression) -> Expression:
        return replacements.get(part.name, part) if isinstance(part, Reference) else part

    return transform_bottom_up(expression, change)


def indexed(base: Expression, keys: Sequence[Expression | None]) -> Expression:
    """``base[keys]``, where None stands for a new axis of length 1."""
    taken = tuple(key for key in keys if key is not None)
    result = base if len(taken) < len(keys) and set(taken) <= {Slice()} else Apply("index", (base, *taken))
    if len(taken) < len(keys) and not all(isinstance(key, Slice | Span | Constant) for key in taken):
        raise ExpressionError(
            "a new axis cannot stand beside an index that is data.", remedy="Index first: x[i][:, None]."
        )
    axis = 0
    for key in keys:
        if key is None:
            result = apply("expand_dims", result, axis=axis)
        if not isinstance(key, Constant):
            axis += 1
    return result


def _index_operand(key: Any) -> Expression | None:
    if key is None:
        return None
    if isinstance(key, slice):
        return make_slice(*(None if b is None else _slice_bound(b) for b in (key.start, key.stop, key.step)))
    if isinstance(key, bool | float) or key is Ellipsis:
        raise ExpressionError(f"{key!r} cannot be an index.", remedy="Use integers, slices or integer data.")
    return as_operand(key)


def make_slice(start: Expression | None, stop: Expression | None, step: Expression | None) -> Slice | Span:
    """``start:stop:step``; raises `ExpressionError` for literal bounds that are no bounds."""
    bounds = (start, stop, step)
    for bound in bounds:
        if isinstance(bound, Constant) and type(bound.value) is not int:
            raise ExpressionError(f"the slice bound {bound.value!r} is not a whole number.")
    if step == Constant(0):
        raise ExpressionError("a slice cannot have step 0.")
    if all(bound is None or isinstance(bound, Constant) for bound in bounds):
        return Slice(*(int(bound.value) if isinstance(bound, Constant) else None for bound in bounds))
    return Span(*bounds)


def _slice_bound(bound: Any) -> Expression:
    if isinstance(bound, bool) or not isinstance(bound, int | np.integer | Expression):
        raise ExpressionError(f"the slice bound {bound!r} is not a whole number.")
    return as_operand(bound)
