"""Finding out which rows depend on which element, differences, and the Newton search."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.ir.builder import Builder
from exmc.ir.infer import infer_types
from exmc.rewrite.block import SAMPLED, block_of, difference, gathered, improved, likelihood_moments, scattered
from exmc.rewrite.surface import Surface


def surface_of(build: Builder) -> Surface:
    model = build.build()
    return Surface(model, infer_types(model))


def by_index(count: int, owners: list[int]) -> Builder:
    build = Builder().data("i", owners).rv("a", "Normal", shape=count)
    return build.rv("y", "Normal", mu="a[i]", sigma=2.0, observed=np.arange(float(len(owners))))


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 100])
def test_owners_are_found_in_logarithmically_many_evaluations(count: int) -> None:
    owners = list(np.random.default_rng(count).integers(0, count, 50))
    surface = surface_of(by_index(count, owners))
    block = block_of(("a",), surface, surface.origin())
    assert block.owner is not None
    assert block.owner.tolist() == owners
    assert block.places.tolist() == sorted(set(owners))
    assert surface.evaluations == 2 + 2 * (count - 1).bit_length()


def test_rows_without_and_rows_with_several_elements() -> None:
    build = Builder().rv("a", "Normal", shape=2).rv("b", "Normal").rv("x", "Normal", mu="a", observed=[1.0, 2.0])
    surface = surface_of(build.rv("z", "Normal", mu="b", observed=3.0))
    free = surface.origin()
    assert block_of(("a",), surface, free).owner.tolist() == [0, 1, -1]
    assert block_of(("a", "b"), surface, free).owner.tolist() == [0, 1, 2]
    shared = surface_of(Builder().rv("a", "Normal", shape=2).rv("y", "Normal", mu="sum(a)", observed=[1.0, 2.0]))
    block = block_of(("a",), shared, shared.origin())
    assert block.owner is None
    assert block.places.tolist() == [0, 1]


def test_of_many_elements_in_shared_rows_some_are_looked_at() -> None:
    surface = surface_of(Builder().rv("a", "Normal", shape=1000).rv("y", "Normal", mu="sum(a)", observed=1.0))
    block = block_of(("a",), surface, surface.origin())
    assert block.places.size == SAMPLED
    assert (block.places[0], block.places[-1]) == (0, 999)


def test_gather_and_scatter() -> None:
    surface = surface_of(
        Builder().rv("a", "Normal", shape=(2, 2)).rv("b", "Normal").rv("y", "Normal", mu="a", observed=np.ones((2, 2)))
    )
    free = surface.origin()
    block = block_of(("a", "b"), surface, free)
    moved = scattered(block, np.arange(5.0), free)
    assert moved["a"].tolist() == [[0.0, 1.0], [2.0, 3.0]]
    assert moved["b"].shape == ()
    assert gathered(block, moved).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert free["a"].tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_differences_and_newton_are_exact_for_normal_rows() -> None:
    """Mean and precision of each group in closed form: rows / 4 at noise 2."""
    owners = [0, 0, 0, 1, 1, 3]
    surface = surface_of(by_index(4, owners))
    free = surface.origin()
    block = block_of(("a",), surface, free)
    slope, information = difference(block, surface, free)
    assert np.allclose(slope, np.array([0 + 1 + 2, 3 + 4, 0, 5]) / 4.0, rtol=1e-9)
    assert np.allclose(information, np.array([3, 2, 0, 1]) / 4.0, rtol=1e-9)
    assert np.allclose(gathered(block, improved(block, surface, free)), [1.0, 3.5, 0.0, 5.0], rtol=1e-9)


def test_the_search_never_lowers_the_likelihood_of_a_group() -> None:
    """A Poisson count far from its starting mean, where a full Newton step overflows."""
    counts = np.array([1000, 3, 0])
    surface = surface_of(Builder().rv("a", "Normal", shape=3).rv("y", "Poisson", mu="exp(a)", observed=counts))
    free = surface.origin()
    block = block_of(("a",), surface, free)
    for _ in range(25):
        before = surface.rows(free)
        free = improved(block, surface, free)
        assert np.all(surface.rows(free) >= before)
    # Differences over half a standard error move the maximum of a skew likelihood by a few thousandths of one.
    errors = 1.0 / np.sqrt(counts[:2])
    assert np.all(np.abs(free["a"][:2] - np.log(counts[:2])) < 0.01 * errors)


def test_moments_of_a_skew_likelihood() -> None:
    """One normal observation of a log scale: log|y| - s is log of a chi variable, with variance pi^2 / 8."""
    surface = surface_of(Builder().rv("a", "Normal", shape=2).rv("y", "Normal", sigma="exp(a)", observed=[2.0, 0.01]))
    free = surface.origin()
    block = block_of(("a",), surface, free)
    for _ in range(30):
        free = improved(block, surface, free)
    mean, variance = likelihood_moments(block, surface, free)
    # The tail beyond twelve standard errors is left out: about one part in a hundred of the variance.
    assert np.allclose(variance, np.pi**2 / 8.0, rtol=0.03)
    assert np.allclose(mean, np.log([2.0, 0.01]) + 0.5 * (np.log(2.0) + np.euler_gamma), atol=0.02)
    assert np.allclose(block.information, 2.0, rtol=0.05)


def test_moments_of_normal_rows_are_exact() -> None:
    surface = surface_of(by_index(3, [0, 0, 1]))
    free = surface.origin()
    block = block_of(("a",), surface, free)
    for _ in range(3):
        free = improved(block, surface, free)
    mean, variance = likelihood_moments(block, surface, free)
    assert np.allclose(mean[:2], [0.5, 2.0], rtol=1e-8)
    assert np.allclose(variance[:2], [2.0, 4.0], rtol=1e-6)
    assert np.isinf(variance[2])


def test_a_likelihood_without_a_maximum_tells_nothing() -> None:
    """Successes alone: the search runs off, to where differences are denormal numbers."""
    build = Builder().rv("a", "Normal", shape=3).rv("y", "Bernoulli", logit="a", observed=[1, 0, 1])
    surface = surface_of(build)
    free = surface.origin()
    block = block_of(("a",), surface, free)
    for start in (0.0, 300.0, 700.0, 740.0, 800.0):
        _, variance = likelihood_moments(block, surface, {"a": np.array([start, -start, start])})
        assert np.all(variance > 1.0)
        assert start < 100.0 or np.all(np.isinf(variance))
