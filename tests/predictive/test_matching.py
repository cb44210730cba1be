"""Draws meet the entries of their labels, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.ir.renew import with_new_data
from exmc.predictive.matching import Match, match_draws


def matched(source: Builder, coords: dict[str, Any], data: dict[str, Any] | None = None) -> Match:
    built = source.build()
    return match_draws(built, with_new_data(built, data or {}, coords, ["t"]).model)["t"]


def groups() -> Builder:
    return Builder().coords(g=["a", "b", "c"], h=[1, 2])


def test_draws_are_taken_by_label() -> None:
    found = matched(groups().rv("t", "Normal", mu=0, sigma=1, dims=["g", "h"]), {"g": ["c", "z", "a"], "h": [2.0, 7]})
    draws = np.arange(12.0).reshape(2, 3, 2)
    taken, known = found.take(draws), found.known
    assert known is not None
    np.testing.assert_array_equal(known, [[True, False], [False, False], [True, False]])
    np.testing.assert_array_equal(taken[:, 0, 0], draws[:, 2, 1])
    np.testing.assert_array_equal(taken[:, 2, 0], draws[:, 0, 1])
    assert found.new == {"g": ("z",), "h": (7,)}


def test_the_same_labels_take_the_draws_themselves() -> None:
    found = matched(groups().rv("t", "Normal", mu=0, sigma=1, dims="g"), {})
    draws = np.arange(6.0).reshape(2, 3)
    assert found.take(draws) is draws
    assert found.known is None


def test_entries_without_labels_are_those_of_their_places() -> None:
    source = Builder().data("x", [1.0, 2.0], dims="g").rv("t", "Normal", mu="x", sigma=1)
    found = matched(source, {"g": [1, 2]}, {"x": [5.0, 6.0]})
    assert [axis.tolist() for axis in found.places] == [[1, -1]]
    assert matched(source, {}, {"x": [5.0, 6.0]}).known is None


def test_an_axis_without_a_dim_cannot_change() -> None:
    source = Builder().data("x", [1.0, 2.0]).rv("t", "Normal", mu="x", sigma=1)
    with pytest.raises(ModelError, match=r"variables.t: axis 0 has 3 entries now and had 2"):
        matched(source, {}, {"x": [5.0, 6.0, 7.0]})


def dependent() -> dict[str, Builder]:
    return {
        "vectors": groups().rv("t", "ZeroSumNormal", sigma=1, dims="g"),
        "restricted": groups().rv("t", "Normal", mu=0, sigma=1, dims="g", transform="ordered"),
        "a potential": groups().rv("t", "Normal", mu=0, sigma=1, dims="g").det("s", "sum(t)").potential("p", "-s ** 2"),
    }


@pytest.mark.parametrize("case", dependent())
def test_entries_that_depend_on_each_other_cannot_be_new(case: str) -> None:
    source = dependent()[case]
    with pytest.raises(ModelError, match=r"variables.t: 'z' is a new label of 'g', and .* cannot be drawn"):
        matched(source, {"g": ["a", "b", "c", "z"]})
    # Those that are there can be told apart still.
    assert [axis.tolist() for axis in matched(source, {"g": ["c", "a"]}).places] == [[2, 0]]


def test_new_vectors_are_independent_of_the_others() -> None:
    found = matched(groups().rv("t", "ZeroSumNormal", sigma=1, dims=["h", "g"]), {"h": [9, 2]})
    assert found.known is not None
    assert found.known[:, 0].tolist() == [False, True]


def test_variables_that_are_not_needed_are_not_matched() -> None:
    source: Model = groups().rv("t", "Normal", mu=0, sigma=1, dims="g").rv("s", "Normal", mu=0, sigma=1).build()
    assert set(match_draws(source, with_new_data(source, {}, {}, ["s"]).model)) == {"s"}
