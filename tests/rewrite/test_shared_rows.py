"""How much of the information about an element is left where others share its rows: closed forms for normal rows."""

from __future__ import annotations

import numpy as np

from exmc.ir.builder import Builder
from exmc.ir.infer import infer_types
from exmc.rewrite.block import block_of, improved
from exmc.rewrite.shared_rows import information_left
from exmc.rewrite.surface import Surface

GROUP = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3])
X = np.array([0.0, 1.0, 3.0, 1.0, 1.0, -1.0, 1.0, -1.0, 1.0, 2.0])


def left(build: Builder, name: str, *others: str) -> np.ndarray:
    model = build.build()
    surface = Surface(model, infer_types(model))
    free = surface.origin()
    block = block_of((name,), surface, free)
    for _ in range(4):
        free = improved(block, surface, free)
    return information_left(block, [(other,) for other in others], surface, free)


def lines(**extra: str) -> Builder:
    build = Builder().data("g", GROUP).data("x", X).rv("a", "Normal", shape=5).rv("b", "Normal", shape=4)
    mean = " + ".join(["a[g]", "b[g] * x", *extra.values()])
    return build.rv("y", "Normal", mu=mean, sigma=0.7, observed=np.arange(10.0))


def test_intercepts_and_slopes_of_the_same_rows() -> None:
    """1 - (sum x)^2 / (n sum x^2) of both; nothing where all x are alike, all where they are balanced or absent."""
    rows, total, squares = (np.bincount(GROUP, X**power) for power in range(3))
    correlation = 1.0 - total**2 / (rows * squares)
    assert correlation[2] == 1.0
    np.testing.assert_allclose(left(lines(), "a", "b"), [*correlation, 1.0], atol=1e-6)
    np.testing.assert_allclose(left(lines(), "b", "a"), correlation, atol=1e-6)


def test_crossed_elements_take_from_each_other_in_turn() -> None:
    person, item = (axis.ravel() for axis in np.mgrid[:6, :3])
    build = Builder().data("i", person).data("j", item).rv("a", "Normal", shape=6).rv("b", "Normal", shape=3)
    build.rv("y", "Normal", mu="a[i] - b[j]", sigma=2.0, observed=np.ones(18))
    # A person has 3 rows, each of an item with 6.
    np.testing.assert_allclose(left(build, "a", "b"), np.full(6, 1.0 - 3 * (1.0 / 6.0) / 3.0), rtol=1e-6)
    np.testing.assert_allclose(left(build, "b", "a"), np.full(3, 1.0 - 6 * (1.0 / 3.0) / 6.0), atol=1e-6)


def test_nobody_takes_from_rows_of_ones_own() -> None:
    build = Builder().rv("a", "Normal", shape=3).rv("b", "Normal").rv("y", "Normal", mu="a", observed=[1.0, 2.0, 3.0])
    build.rv("z", "Normal", mu="b", observed=1.0)
    assert left(build, "a", "b").tolist() == [1.0, 1.0, 1.0]


def test_blocks_with_several_elements_in_a_row_do_not_count() -> None:
    build = Builder().rv("a", "Normal", shape=2).rv("b", "Normal", shape=2)
    build.rv("y", "Normal", mu="a + sum(b)", observed=[1.0, 2.0])
    assert left(build, "a", "b").tolist() == [1.0, 1.0]
    assert left(build, "b", "a").tolist() == [1.0, 1.0]
