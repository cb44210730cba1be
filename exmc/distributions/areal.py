"""Conditional and intrinsic autoregressions over the nodes of a graph, such as areas that border on each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import HALF_LOG_TWO_PI, Distribution, Parameter, masked, valid, with_axis
from exmc.graphs import adjacency, eigenvalues
from exmc.special import Array
from exmc.transforms import ADJACENCY, NONNEGATIVE_INTEGER, POSITIVE, REAL, SIGNED_UNIT_INTERVAL, SUM_TO_ZERO
from exmc.transforms.supports import TOLERANCE

_GRAPH = (
    Parameter("W", ADJACENCY, event=("n", "n")),
    Parameter("node1", NONNEGATIVE_INTEGER, event=("e",)),
    Parameter("node2", NONNEGATIVE_INTEGER, event=("e",)),
)
"""The two ways to say which nodes are neighbours: weights for all pairs of nodes, or the pairs, each once."""


def _weights(size: int, W: Array = None, node1: Array = None, node2: Array = None) -> Array:
    return adjacency(node1, node2, size) if W is None else W


def _roughness(
    value: Array,
    degrees: Array,
    W: Array = None,
    node1: Array = None,
    node2: Array = None,
) -> Array:
    """The sum over neighbours of their squared difference times their weight: a term an edge, if edges are given."""
    if W is None:
        difference = value[..., node1] - value[..., node2]
        return np.sum(difference * difference, axis=-1)
    around = np.reshape(np.matmul(W, with_axis(value)), np.shape(value))
    return np.sum(value * (degrees * value - around), axis=-1)


def _any_graph(event: tuple[int, ...], graph: Mapping[str, Any]) -> str:
    return _objection(event, graph, False)


def _connected_graph(event: tuple[int, ...], graph: Mapping[str, Any]) -> str:
    return _objection(event, graph, True)


def _objection(event: tuple[int, ...], graph: Mapping[str, Any], connected: bool) -> str:
    if not ({"W"} <= graph.keys() or {"node1", "node2"} <= graph.keys()):
        return ""
    if "W" not in graph:
        pairs = numpy.stack([graph["node1"], graph["node2"]])
        if pairs.ndim != 2:
            return "node1 and node2 are the edges of one graph, a vector each."
        if pairs.size and numpy.max(pairs) >= event[-1]:
            return f"node {numpy.max(pairs)} is none of the {event[-1]} nodes; they are counted from 0."
        if numpy.any(pairs[0] == pairs[1]):
            return f"node {pairs[0][pairs[0] == pairs[1]][0]} is its own neighbour."
    weights = _weights(event[-1], **{name: graph[name] for name in ("W", "node1", "node2") if name in graph})
    alone = numpy.argwhere(numpy.sum(weights, axis=-1) == 0.0)
    if alone.size:
        return f"node {alone[0][-1]} has no neighbours: leave it out, or give it a variable of its own."
    if connected and not _is_connected(weights.reshape(-1, *weights.shape[-2:])[0]):
        return "the graph is not connected: give each of its parts a variable of its own."
    return ""


def _is_connected(weights: NDArray[numpy.float64]) -> bool:
    reached, latest = numpy.zeros(len(weights), bool), numpy.arange(len(weights)) == 0
    while latest.any():
        reached |= latest
        latest = numpy.any(weights[latest] != 0.0, axis=0) & ~reached
    return bool(reached.all())


# --- Proper ----------------------------------------------------------------------------------------------------------


def _car_log_density(value: Array, mu: Array, alpha: Array, tau: Array, **graph: Array) -> Array:
    size = np.shape(value)[-1]
    weights = _weights(size, **graph)
    degrees = np.sum(weights, axis=-1)
    root = 1.0 / np.sqrt(degrees)
    # The determinant of D - alpha W is that of D times this, which for data is computed once. The largest eigenvalue is
    # 1, whose rounding would show where alpha is near 1.
    spectrum = eigenvalues(with_axis(root) * weights * np.expand_dims(root, -2))[..., :-1]
    smaller = np.sum(np.log1p(-with_axis(alpha) * spectrum), axis=-1)
    log_det = np.sum(np.log(degrees), axis=-1) + np.log1p(-alpha) + smaller
    residual = value - mu
    own = np.sum(degrees * residual * residual, axis=-1)
    square = (1.0 - alpha) * own + alpha * _roughness(residual, degrees, **graph)
    density = 0.5 * (size * np.log(tau) + log_det - tau * square) - size * HALF_LOG_TWO_PI
    return valid(np.logical_and(np.abs(alpha) < 1.0, tau > 0.0), density)


def _car_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, alpha: Array, tau: Array, **graph: Array
) -> NDArray[numpy.float64]:
    weights = _weights(shape[-1], **graph)
    degrees = numpy.eye(shape[-1]) * with_axis(numpy.sum(weights, axis=-1))
    factor = numpy.linalg.cholesky(degrees - numpy.asarray(alpha)[..., None, None] * weights)
    upper = numpy.broadcast_to(numpy.swapaxes(factor, -1, -2), (*shape, shape[-1]))
    standard = numpy.linalg.solve(upper, generator.standard_normal(shape)[..., None])[..., 0]
    return numpy.asarray(mu + standard / numpy.sqrt(with_axis(tau)))


CAR = Distribution(
    name="CAR",
    parameters=(
        Parameter("mu", event=("n",), default=0.0),
        _GRAPH[0],
        Parameter("alpha", SIGNED_UNIT_INTERVAL),
        Parameter("tau", POSITIVE),
        *_GRAPH[1:],
    ),
    support=REAL,
    transform="identity",
    log_density=_car_log_density,
    draw=_car_draw,
    alternatives=(("mu", "W", "alpha", "tau"), ("mu", "node1", "node2", "alpha", "tau")),
    event=("n",),
    objection=_any_graph,
)
"""Names as in PyMC, and `node1`, `node2` as in Stan's models: the precision is tau (D - alpha W), D the sums of W."""


# --- Intrinsic -------------------------------------------------------------------------------------------------------


def _icar_log_density(value: Array, sigma: Array, **graph: Array) -> Array:
    size = np.shape(value)[-1]
    weights = _weights(size, **graph)
    degrees = np.sum(weights, axis=-1)
    # Constant vectors are the one direction that the precision D - W does not see, and none that sums to zero.
    positive = eigenvalues(numpy.eye(size) * with_axis(degrees) - weights)[..., 1:]
    square = _roughness(value, degrees, **graph) / (sigma * sigma)
    density = 0.5 * (np.sum(np.log(positive), axis=-1) - square) - (size - 1) * (np.log(sigma) + HALF_LOG_TWO_PI)
    largest = 1.0 + np.max(np.abs(value), axis=-1)
    return masked(np.abs(np.sum(value, axis=-1)) > TOLERANCE * largest, density)


def _icar_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], sigma: Array, **graph: Array
) -> NDArray[numpy.float64]:
    weights = _weights(shape[-1], **graph)
    roots, vectors = numpy.linalg.eigh(numpy.eye(shape[-1]) * with_axis(numpy.sum(weights, axis=-1)) - weights)
    scaled = generator.standard_normal((*shape[:-1], shape[-1] - 1)) / numpy.sqrt(roots[..., 1:])
    found = numpy.matmul(vectors[..., 1:], scaled[..., None])[..., 0] * with_axis(sigma)
    return numpy.asarray(found - numpy.mean(found, axis=-1, keepdims=True))


ICAR = Distribution(
    name="ICAR",
    parameters=(_GRAPH[0], Parameter("sigma", POSITIVE, default=1.0), *_GRAPH[1:]),
    support=SUM_TO_ZERO,
    transform="sum_to_zero",
    log_density=_icar_log_density,
    draw=_icar_draw,
    alternatives=(("W", "sigma"), ("node1", "node2", "sigma")),
    event=("n",),
    objection=_connected_graph,
)
"""Names as in PyMC, but for `zero_sum_stdev`: values sum to zero exactly, and their density is normalised there.

Multiply a value by a scale of your own rather than give `sigma`, to sample a weakly informed map non-centred.
"""
