"""Forward simulation of a model as its user wrote it: some variables given, the others drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exmc.distributions.law import Law
from exmc.errors import ModelError
from exmc.ir.calls import law_of, restricted_to
from exmc.ir.declarations import in_order
from exmc.ir.expressions import Reference
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Node, Observation, RandomVariable
from exmc.ir.types import ArrayType
from exmc.predictive.batch import Batch, Loops, Value, evaluate, take
from exmc.transforms import Support

# Words that set these random numbers apart from the chains' own, which have `spawn_key=(chain,)`.
_PREDICTIVE = 0x70726564
_ELEMENTS_AT_ONCE = 1 << 22
_REJECTIONS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Which samples to simulate, by chain and draw: two integer arrays of the same length."""

    chains: NDArray[np.int64]
    draws: NDArray[np.int64]

    @classmethod
    def grid(cls, chains: ArrayLike, draws: int) -> Samples:
        """Draws 0, 1, … of each of the chains so labelled, chain by chain."""
        labels = np.asarray(chains, dtype=np.int64)
        return cls(np.repeat(labels, draws), np.tile(np.arange(draws), len(labels)))

    @classmethod
    def one(cls, draw: int) -> Samples:
        """The single sample numbered `draw` of chain 0."""
        return cls(np.zeros(1, dtype=np.int64), np.array([draw], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.chains)

    def __getitem__(self, part: slice) -> Samples:
        return Samples(self.chains[part], self.draws[part])


def simulate(
    source: Model,
    seed: int,
    purpose: str,
    samples: Samples,
    given: Mapping[str, NDArray[Any]] | None = None,
    loops: Loops | None = None,
    known: Mapping[str, NDArray[np.bool_]] | None = None,
) -> dict[str, NDArray[Any]]:
    """Every variable of `source` in each sample, shape (samples, ...).

    Parameters
    ----------
    source
        The model before any rewriting, so that results are the same in distribution whatever was rewritten.
        Observations are simulated in full, masked and weighted entries included; one of a deterministic variable has
        its value.
    seed, purpose
        Two purposes ("prior", "posterior") have independent random numbers.
    samples
        A sample's values depend on `seed`, `purpose`, the variable's name, chain and draw alone: not on which others
        are simulated with it, nor by how many workers.
    given
        Values of random variables and observations, shape (samples, ...); the others are drawn.
    loops
        What evaluates scans and differential equations for many samples; one after the other without.
    known
        For variables of which `given` holds a part only: which entries, shape (...). The others are drawn.

    Raises
    ------
    ModelError
        If a variable cannot be drawn: an improper distribution, or parameters outside their support.
    """
    types = infer_types(source)
    nodes = in_order(source)
    size = sum(types[node.name].size for node in nodes)
    step = max(1, _ELEMENTS_AT_ONCE // max(size, 1))
    parts: list[dict[str, NDArray[Any]]] = []
    for part in _slices(len(samples), step):
        chosen = {name: values[part] for name, values in (given or {}).items()}
        parts.append(_Simulation(source, types, seed, purpose, samples[part], loops, known or {}).run(nodes, chosen))
    return {node.name: np.concatenate([p[node.name] for p in parts]) for node in nodes} if parts else {}


def _slices(count: int, step: int) -> Iterator[slice]:
    return (slice(first, min(first + step, count)) for first in range(0, count, step))


@dataclass(frozen=True, slots=True)
class _Simulation:
    """One part of the samples."""

    source: Model
    types: Mapping[str, ArrayType]
    seed: int
    purpose: str
    samples: Samples
    loops: Loops | None
    known: Mapping[str, NDArray[np.bool_]]

    def run(self, nodes: tuple[Node, ...], given: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        # numpy's warnings would name neither variable nor draw: a NaN that matters is refused as a parameter, by name,
        # and one that is but a deterministic's value is seen in the results.
        with np.errstate(all="ignore"):
            return self._run(nodes, given)

    def _run(self, nodes: tuple[Node, ...], given: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        values: dict[str, Value] = {name: data.values for name, data in self.source.data.items()}
        for node in nodes:
            values[node.name] = Batch(self._value(node, values, given))
        return {node.name: values[node.name].values for node in nodes}

    def _value(self, node: Node, values: Mapping[str, Value], given: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        if isinstance(node, Deterministic):
            return self._filled(evaluate(node.expression, values, len(self.samples), self.loops), node.name)
        if node.name in given and node.name not in self.known:
            return given[node.name]
        if isinstance(node, RandomVariable):
            return self._draw(node, node.call, values, given.get(node.name))
        if isinstance(node.target, Reference):
            return self._filled(values[node.target.name], node.name)
        return self._draw(node, node.target, values)

    def _draw(
        self,
        node: RandomVariable | Observation,
        call: Call,
        values: Mapping[str, Value],
        given: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """Draws of what `node` is; those entries are kept that are known of the values `given`."""
        name = node.name
        count, shape = len(self.samples), self.types[name].shape
        laws = law_of(call, lambda e: evaluate(e, values, count))
        region = restricted_to(node) if isinstance(node, RandomVariable) else None
        out = np.empty((count, *shape), dtype=np.int64 if laws.form.discrete else np.float64)
        try:
            laws.map(lambda p: p.values if isinstance(p, Batch) else p).check()
            for i, generator in enumerate(_generators(self.seed, self.purpose, name, self.samples)):
                law = laws.map(partial(take, sample=i))
                found = law.draw(generator, shape) if region is None else _within(region, law, generator, shape)
                out[i] = found if given is None else law.complete(found, given[i], self.known[name])
        except ModelError as error:
            raise error.within("variables", name) from None
        except ValueError as error:
            raise ModelError(
                f"{call.distribution} cannot be drawn with these parameters: {error}.", where=("variables", name)
            ) from error
        return out

    def _filled(self, value: Value, name: str) -> NDArray[Any]:
        """`value` in the full shape of the variable `name`, for every sample."""
        shape = (len(self.samples), *self.types[name].shape)
        if not isinstance(value, Batch):
            return np.broadcast_to(value, shape).copy()
        inner = value.values.shape[1:]
        aligned = value.values.reshape(shape[0], *(1,) * (len(shape) - 1 - len(inner)), *inner)
        return np.broadcast_to(aligned, shape).copy()


def _within(region: Support, law: Law, generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Draws restricted to `region`, by rejection."""
    found = law.draw(generator, shape)
    for _ in range(_REJECTIONS):
        outside = ~region.contains(found)
        if not outside.any():
            return found
        found[outside] = law.draw(generator, shape)[outside]
    raise ModelError(
        f"fewer than one in {_REJECTIONS} draws of {law.distribution.name} is {region.description}.",
        remedy="Draws under this restriction cannot be simulated; those from the posterior are not affected.",
    )


def _generators(seed: int, purpose: str, name: str, samples: Samples) -> Iterator[np.random.Generator]:
    """A generator per sample: Philox (Salmon et al. 2011) keyed by purpose and variable, its counter at chain and draw.

    It is one object whose counter is set anew, which takes a microsecond; a generator of its own takes twenty. A
    sample has 2^128 blocks of numbers before it meets the next one's.
    """
    words = (_PREDICTIVE, *purpose.encode(), 0, *name.encode())
    key = np.random.SeedSequence(seed, spawn_key=words).generate_state(2, np.uint64)
    bits = np.random.Philox(key=key)
    generator = np.random.Generator(bits)
    start: Any = bits.state
    for chain, draw in zip(samples.chains.tolist(), samples.draws.tolist(), strict=True):
        start["state"]["counter"] = np.array((0, 0, draw, chain), dtype=np.uint64)
        bits.state = start
        yield generator
