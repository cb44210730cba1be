"""The forward and the backward recursion over the values of a block with Markov chains, as scans.

A combination of values is a state: chains that meet in a density move together. With B[t, c] the log density of what
depends on place t in state c, the forward recursion gives log p(state c at t | what is seen before t), the backward
one log p(what is seen after t | state c at t) (Rabiner 1989, scaled at each step, in logarithms throughout: states that
were next to impossible may be all that explains what comes). Arrays have the axes time, those of the series in reverse,
and states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exmc.ir.expressions import Constant, Expression, Reference, Slice, apply, indexed
from exmc.ir.loops import make_scan
from exmc.ir.model import Model
from exmc.ir.nodes import Deterministic, RandomVariable
from exmc.ir.operations import infer_type
from exmc.ir.types import ArrayType
from exmc.rewrite.algebra import plus
from exmc.rewrite.blocks import Block
from exmc.rewrite.changes import unused_name

_ALL, _BACK = Slice(), Slice(step=-1)
_LEAST = Constant(-1e300)  # instead of -inf, which less itself is no number

Add = Callable[[str, NDArray[np.int64]], Reference]


@dataclass(frozen=True, slots=True)
class Recursions:
    """The deterministics of the recursions, and references to their values, each of shape (time, *series, states).

    Attributes
    ----------
    nodes
        All of them.
    predicted
        The log probability of each state given what is seen before.
    seen
        The log density of what depends on the place.
    after
        The log density of what is seen later.
    """

    nodes: tuple[Deterministic, ...]
    predicted: Reference
    seen: Reference
    after: Reference


def in_time(terms: Sequence[Expression]) -> Expression:
    """`terms`, one of the block's shape a state, as an array of the recursions' axes."""
    return apply("transpose", apply("stack", *terms))


def keys_of(block: Block) -> list[NDArray[np.int64]]:
    """The indices into an array of the recursions' axes of each element of the block, in order."""
    places = [axis.ravel() for axis in np.indices(block.shape)]
    return [places[-1], *places[-2::-1]]


def recursions(block: Block, model: Model, types: Mapping[str, ArrayType], seen: Expression, add: Add) -> Recursions:
    """The recursions over the states of `block`, where `seen` has the log densities by place and state.

    `add` makes data of an array under a label.
    """

    def node(what: str, expression: Expression) -> Deterministic:
        return Deterministic(unused_name(f"{block.variables[0].name}_{what}", model), expression, keep=False)

    tables = [_Table(v, block, types, add) for v in block.chains]
    emission = node("seen", seen)
    here = Reference(emission.name)
    start = _total([table.start() for table in tables])
    nothing = apply("zeros", *block.shape[-2::-1], len(block.combinations))
    if block.shape[-1] == 1:
        first = node("predicted", indexed(start, [None]))
        last = node("after", indexed(nothing, [None]))
        return Recursions((emission, first, last), Reference(first.name), here, Reference(last.name))
    moves = node("moves", _total([table.moves() for table in tables]))
    scans = _Scans(here, Reference(moves.name), any(table.changes for table in tables), len(block.shape) - 1)
    forward = node("predicted", scans.forward(start))
    backward = node("backward", scans.backward(nothing))
    after = node("after", indexed(Reference(backward.name), [_BACK]))
    nodes = (emission, moves, forward, backward, after)
    return Recursions(nodes, Reference(forward.name), here, Reference(after.name))


def _total(parts: Sequence[Expression]) -> Expression:
    total = parts[0]
    for part in parts[1:]:
        total = plus(total, part)
    return total


@dataclass(frozen=True, slots=True)
class _Scans:
    """The two scans: `seen` by place, transitions, whether these have an axis of time, how many axes series have."""

    seen: Reference
    moves: Reference
    changing: bool
    series: int

    def forward(self, start: Expression) -> Expression:
        """The log probability of each state given what is seen before its place."""
        series = [_ALL] * self.series
        total = apply("maximum", apply("logsumexp", Reference("joint"), axis=self.series), _LEAST)
        scale = indexed(Reference("total"), [*series, None]) if series else Reference("total")
        paths = indexed(Reference("filtered"), [*series, _ALL, None]) + self._move
        step = {
            "joint": Reference("predicted") + Reference("here"),
            "total": total,
            "filtered": Reference("joint") - scale,
            "predicted": apply("logsumexp", paths, axis=self.series),
        }
        sequences = self._sequences(Slice(stop=-1), _ALL)
        return make_scan({"predicted": start}, sequences, step, output="predicted", collect="all")

    def backward(self, nothing: Expression) -> Expression:
        """The log density of what is seen after each place, given its state; the last place first."""
        later = Reference("after") + Reference("here")
        paths = self._move + indexed(Reference("later"), [*[_ALL] * self.series, None])
        step = {"later": later, "after": apply("logsumexp", paths, axis=self.series + 1)}
        sequences = self._sequences(Slice(stop=0, step=-1), _BACK)
        return make_scan({"after": nothing}, sequences, step, output="after", collect="all")

    @property
    def _move(self) -> Expression:
        return Reference("move") if self.changing else self.moves

    def _sequences(self, places: Slice, steps: Slice) -> dict[str, Expression]:
        found: dict[str, Expression] = {"here": indexed(self.seen, [places])}
        return found | {"move": indexed(self.moves, [steps])} if self.changing else found


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The log probabilities of a chain, by the states of a block."""

    chain: RandomVariable
    block: Block
    types: Mapping[str, ArrayType]
    add: Add

    def start(self) -> Expression:
        """Those of its first value, shape (*series, states)."""
        logs, shape = self._logs("initial")
        rank = len(self.block.shape)
        keys = [*self._series(shape[:-1], rank, 0), self._along(self._values, rank - 1, rank)]
        sizes = (*self.block.shape[-2::-1], len(self._values))
        return self._indexed(logs, "start", [np.broadcast_to(key, sizes) for key in keys])

    def moves(self) -> Expression:
        """Those of each value after each, shape ([time,] *series or 1, states, states)."""
        logs, shape = self._logs("transition")
        rank = len(self.block.shape) + 1 + self.changes
        keys = self._series(shape[:-3], rank, int(self.changes))
        if len(shape) > 2:
            keys.append(self._along(np.arange(shape[-3]), 0, rank))
        keys += [self._along(self._values, rank - 2, rank), self._along(self._values, rank - 1, rank)]
        return self._indexed(logs, "moves", keys)

    @property
    def changes(self) -> bool:
        """Whether transitions differ from step to step."""
        _, shape = self._logs("transition")
        return len(shape) > 2 and shape[-3] > 1

    @property
    def _values(self) -> NDArray[np.int64]:
        """The chain's value in each state."""
        return np.array([chosen[self.chain.name] for chosen in self.block.combinations])

    def _logs(self, what: str) -> tuple[Expression, tuple[int, ...]]:
        """The logarithms of the probabilities called `what`, and their shape."""
        given = self.chain.call.arguments
        value = given.get(what, given.get(f"{what}_logits"))
        assert value is not None
        shape = infer_type(value, self.types).shape
        logs = apply("xlogy", 1.0, value) if what in given else apply("log_softmax", value, axis=len(shape) - 1)
        return logs, shape

    def _series(self, sizes: tuple[int, ...], rank: int, first: int) -> list[NDArray[np.int64]]:
        """Indices into the axes of series of a parameter, the last ones of the block's, where those are in reverse."""
        last = first + len(sizes) - 1
        return [self._along(np.arange(size), last - i, rank) for i, size in enumerate(sizes)]

    @staticmethod
    def _along(numbers: NDArray[np.int64], axis: int, rank: int) -> NDArray[np.int64]:
        """`numbers` along one of `rank` axes."""
        return numbers.reshape([-1 if i == axis else 1 for i in range(rank)])

    def _indexed(self, value: Expression, what: str, keys: list[NDArray[np.int64]]) -> Expression:
        names = [self.add(f"{self.chain.name}_{what}_{axis}", key) for axis, key in enumerate(keys)]
        return indexed(value, names)
