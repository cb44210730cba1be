"""What is missing in an observation, and the distribution of some of its entries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from exmc.distributions import Mixture, Normal, Truncated
from exmc.ir.builder import Builder
from exmc.ir.infer import infer_types
from exmc.ir.missing import imputed_call, missing_in
from exmc.ir.nodes import RandomVariable, as_data_array
from exmc.ir.text import call_text

NAN = np.nan


def test_nothing_is_missing_without_nan() -> None:
    assert missing_in(Builder().rv("y", "Normal", observed=[1.0]).build()) == {}


def test_only_what_is_seen_of_the_data_counts() -> None:
    model = Builder().data("v", [NAN, 1.0, 2.0]).rv("y", "Normal", observed="v[1:]").rv("z", "Normal", observed="-v")
    found = missing_in(model.build())
    assert list(found) == ["z"]
    assert found["z"].imputed.tolist() == [True, False, False]


@pytest.mark.parametrize("values", [[1, None], pd.array([1, None], dtype="Int64"), pd.Series([1.0, None])])
def test_nothing_becomes_nan(values: object) -> None:
    found = as_data_array(values, "y")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [1.0, NAN])


def test_vectors_are_missing_whole_or_in_part() -> None:
    whole = Builder().rv("v", "MvNormal", cov=np.eye(2), observed=[[NAN, NAN], [0.0, 1.0]]).build()
    part = Builder().rv("v", "MvNormal", cov=np.eye(2), observed=[[NAN, 2.0], [0.0, 1.0]]).build()
    assert [missing_in(m)["v"].whole for m in (whole, part)] == [True, False]
    assert [missing_in(m)["v"].places.shape for m in (whole, part)] == [(2,), (2, 2)]


def test_each_parameter_is_indexed_by_the_axes_it_has() -> None:
    model = (
        Builder()
        .data("i", [0, 1])
        .data("j", [2, 0])
        .rv("row", "Normal", shape=(2, 1))
        .rv("column", "Normal", shape=3)
        .rv("share", "Dirichlet", alpha=[1.0, 1.0], shape=(3, 2))
        .rv("x", Mixture("share", [Normal("row", 1.0), Truncated(Normal(0.0, "exp(column)"), lower=0.0)]), shape=(2, 3))
    ).build()
    variable = model["x"]
    assert isinstance(variable, RandomVariable)
    assert call_text(imputed_call(variable.call, (2, 3), ("i", "j"), infer_types(model))) == (
        "Mixture(weights=share[j], components=[Normal(mu=row[i, 0], sigma=1.0), "
        "Truncated(of=Normal(mu=0.0, sigma=exp(column)[j]), lower=0.0)])"
    )
