"""The node kinds of a model (random variable, observation, deterministic) and its data."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from exmc.errors import DataError
from exmc.ir.expressions import Constant, Expression, Reference
from exmc.ir.types import ArrayType, Dims, Kind

Centering: TypeAlias = Literal["auto", "centered", "noncentered"]
CENTERINGS: tuple[Centering, ...] = ("auto", "centered", "noncentered")


NO_JACOBIAN = Constant(0.0)


Argument: TypeAlias = Union[Expression, "Call", tuple["Call", ...], str]
"""What a parameter may be: a value, a distribution, several of them, or a literal text."""


@dataclass(frozen=True, slots=True)
class Call:
    """A distribution of the table `DISTRIBUTIONS` with its parameters, which may be calls themselves."""

    distribution: str
    parameters: tuple[tuple[str, Argument], ...]

    @property
    def arguments(self) -> dict[str, Expression]:
        """The parameters that are values, by name."""
        return {name: a for name, a in self.parameters if isinstance(a, Expression)}

    @property
    def expressions(self) -> dict[str, Expression]:
        """Every expression by its path: ``sigma``, ``of.sigma``, ``components.0.mu``."""
        found: dict[str, Expression] = {}

        def note(path: str, expression: Expression) -> Expression:
            found[path] = expression
            return expression

        self.map(note)
        return found

    def map(self, change: Callable[[str, Expression], Expression], prefix: str = "") -> Call:
        """The same with ``change(path, expression)`` in the place of each expression."""

        def changed(path: str, argument: Argument) -> Argument:
            if isinstance(argument, Call):
                return argument.map(change, f"{path}.")
            if isinstance(argument, tuple):
                return tuple(call.map(change, f"{path}.{i}.") for i, call in enumerate(argument))
            return argument if isinstance(argument, str) else change(path, argument)

        return Call(self.distribution, tuple((name, changed(f"{prefix}{name}", a)) for name, a in self.parameters))


@dataclass(frozen=True, slots=True)
class RandomVariable:
    """A variable drawn from a distribution; free (sampled) unless an observation targets it.

    `dims` has one entry per axis (None: an axis without a name). `shape` None means: that of the coordinates of
    `dims`, or, without dims, that of the parameters broadcast together. `transform` None means: not chosen yet
    (the default-transforms pass chooses). `auxiliary` variables come from rewriting and are no user's.
    """

    name: str
    call: Call
    dims: Dims | None = None
    shape: tuple[int, ...] | None = None
    transform: str | None = None
    centering: Centering = "auto"
    auxiliary: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """Values seen of `target`: a reference to a variable of the model, or a distribution of its own.

    `value` is an expression of data alone at the start; a lifting pass may make it depend on variables, and then
    `log_jacobian`, `NO_JACOBIAN` until then, holds the log absolute derivative of that change (pointwise, or one
    number when `joint`, where the elements are no longer independent observations). `weight` multiplies the pointwise
    log likelihood; entries where `mask` is false are left out; both have one entry an event. `dims` None
    means: those of the values.
    """

    name: str
    target: Reference | Call
    value: Expression
    weight: Expression | None = None
    mask: Expression | None = None
    log_jacobian: Expression = NO_JACOBIAN
    joint: bool = False
    dims: Dims | None = None


@dataclass(frozen=True, slots=True)
class Deterministic:
    """A named expression of other variables. `keep` False leaves it out of the posterior.

    The sum of a `potential` is a term of the log density: neither prior nor likelihood, and of no pointwise group.
    """

    name: str
    expression: Expression
    dims: Dims | None = None
    keep: bool = True
    potential: bool = False


Node: TypeAlias = RandomVariable | Observation | Deterministic


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Named constant values: a float64, int64 or bool array, read-only, with a dim (or None) per axis.

    NaN is a missing value; only data that are observed may have any.

    `source` says where the values were read from, for people.
    """

    name: str
    values: NDArray[Any]
    dims: Dims = ()
    source: str = ""
    kind: Kind = field(init=False)

    def __post_init__(self) -> None:
        values = as_data_array(self.values, self.name)
        dims = self.dims or (None,) * values.ndim
        if len(dims) != values.ndim:
            raise DataError(
                f"the values have {values.ndim} axes {values.shape}, the dims are {list(dims)}.",
                where=("data", self.name),
                remedy="Give one dim per axis.",
            )
        kinds: dict[str, Kind] = {"f": "float", "i": "int", "b": "bool"}
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "dims", tuple(dims))
        object.__setattr__(self, "kind", kinds[values.dtype.kind])

    @property
    def type(self) -> ArrayType:
        """Shape, dims and kind."""
        return ArrayType(self.values.shape, self.dims, self.kind)


def as_data_array(values: Any, name: str) -> NDArray[Any]:
    """`values` as a read-only float64, int64 or bool array; raises `DataError` for anything else.

    What is missing (None, pandas.NA) becomes NaN.
    """
    where = ("data", name)
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        remedy = "Put any legal number in the masked places, and pass the mask of what counts as `mask`."
        raise DataError("a masked array would lose its mask.", where=where, remedy=remedy)
    try:
        array = np.asarray(values)
    except ValueError:
        raise DataError("the rows have different lengths.", where=where) from None
    if array.dtype.kind == "O":
        array = _of_objects(array, where)
    if array.dtype.kind not in "fiub":
        sample = array.reshape(-1)[0] if array.size else array.dtype.name
        raise DataError(f"{str(sample)!r} is not a number.", where=where, remedy="Data must be numeric.")
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise DataError(f"{array.max()} is beyond 64 bits.", where=where, remedy="Make it a float.")
    dtype = {"f": np.float64, "i": np.int64, "u": np.int64, "b": np.bool_}[array.dtype.kind]
    array = np.array(array, dtype=dtype, order="C")
    if array.dtype.kind == "f":
        # Computed NaNs differ in their sign, and a missing value is one thing: digests are of bytes.
        array[np.isnan(array)] = np.nan
    array.flags.writeable = False
    return array


def _of_objects(array: NDArray[Any], where: tuple[str, ...]) -> NDArray[Any]:
    """An array of Python objects (columns of a table with different types) as one of numbers, if they all are."""
    values = [math.nan if _is_nothing(value) else value for value in array.reshape(-1).tolist()]
    for value in values:
        if isinstance(value, Expression):
            remedy = "To put expressions side by side, use exmc.math.concatenate."
            raise DataError(f"{value!r} is an expression, not a number.", where=where, remedy=remedy)
        if not isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating):
            raise DataError(f"{value!r} is not a number.", where=where, remedy="Data must be numeric.")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise DataError(f"{value} is beyond 64 bits.", where=where, remedy="Make it a float.")
    return np.array(values).reshape(array.shape)


def _is_nothing(value: Any) -> bool:
    """Whether `value` stands for one that is missing: None, or pandas.NA of those who have imported pandas."""
    pandas = sys.modules.get("pandas")
    return value is None or (pandas is not None and (value is pandas.NA or value is pandas.NaT))
