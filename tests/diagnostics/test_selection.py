from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from exmc.diagnostics.selection import flattened, named_scalars, scalars_of, worst_first
from exmc.diagnostics.summary import stacked, summarise
from exmc.errors import StoreError
from tests.diagnostics.trees import healthy


def group() -> xr.Dataset:
    """mu, theta[school] and corr[a, b] with labels that are hard to tell apart."""
    values = np.arange(2 * 3 * 2 * 3.0).reshape(2, 3, 2, 3)
    return xr.Dataset(
        {
            "mu": (("chain", "draw"), values[..., 0, 0]),
            "theta": (("chain", "draw", "school"), values[..., 0, :]),
            "corr": (("chain", "draw", "a", "b"), values),
        },
        coords={"school": ["St. Paul's", "A, B", "x=y"], "b": [1, 2, 30]},
    )


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["mu"], ["mu"]),
        (["theta"], ["theta[St. Paul's]", "theta[A, B]", "theta[x=y]"]),
        (["theta[A, B]"], ["theta[A, B]"]),
        (["theta[x=y]", "mu", "theta[x=y]"], ["theta[x=y]", "mu"]),
        (["theta[school=St. Paul's]"], ["theta[St. Paul's]"]),
        (["corr[*, 30]"], ["corr[0, 30]", "corr[1, 30]"]),
        (["corr[1]"], ["corr[1, 1]", "corr[1, 2]", "corr[1, 30]"]),
        (["corr[b=2]"], ["corr[0, 2]", "corr[1, 2]"]),
        (["corr[:, :]"], [s.label for s in scalars_of(group())][4:]),
        ([], [s.label for s in scalars_of(group())]),
    ],
)
def test_scalars_are_found_by_name_and_labels(wanted: list[str], expected: list[str]) -> None:
    assert [scalar.label for scalar in named_scalars(group(), wanted)] == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("thta", "no variable 'thta'. Did you mean 'theta'"),
        ("thta[1]", "no variable 'thta'"),
        ("corr[1, 3]", "b has no label '3'. Did you mean '30'|b has no label '3'"),
        ("corr[1, 2, 3]", "has dims a, b"),
        ("mu[0]", "has no dims"),
    ],
)
def test_a_name_that_is_nobodys_is_refused(name: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        named_scalars(group(), [name])


def test_flattened_scalars_are_those_of_the_summary() -> None:
    found = flattened(group(), scalars_of(group()))
    np.testing.assert_array_equal(stacked(list(found.values())), stacked(list(group().values())))


def test_the_worst_come_first_and_constants_last() -> None:
    tree = healthy(draws=100)
    posterior = tree["posterior"].to_dataset()
    apart = posterior["mu"].copy(deep=True)
    apart[0] += 5.0
    broken = posterior["mu"].copy(deep=True)
    broken[0, 0] = np.nan
    worse = posterior.assign(apart=apart, broken=broken)
    table = summarise(xr.DataTree.from_dict({"posterior": worse}))
    ordered = table["scalar"].values[worst_first(table)].tolist()
    assert ordered[:2] == ["broken", "apart"]
    assert ordered[-2:] == ["one", "total"]
    between = table.isel(scalar=worst_first(table))[["ess_bulk", "ess_tail"]].to_array().min("variable").values[2:-2]
    assert np.all(np.diff(between) >= 0)
