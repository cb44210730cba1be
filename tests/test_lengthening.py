"""`exmc.sample` with an aim draws as much as that takes: the draws of a call that asked for that number."""

from __future__ import annotations

from typing import Any

import pytest
import xarray as xr

import exmc
from exmc.errors import SamplingError
from tests.test_inference import seed_example

AIM = {"ess": 1000, "rhat": 1.02, "max_draws": 3000}


def sample(**options: Any) -> xr.DataTree:
    return exmc.sample(seed_example(), **{"draws": 200, "warmup": 300, "chains": 2, "seed": 5} | options)


def test_chains_draw_until_they_have_what_was_asked_for() -> None:
    tree = sample(until=AIM)
    total = tree["posterior"].sizes["draw"]
    assert total > 200
    assert tree.attrs["until"] == AIM | {"max_seconds": None, "reached": True} | {
        "reason": "every scalar has what was asked for"
    }
    plain = sample(draws=total)
    assert "until" not in plain.attrs
    assert [group.path for group in tree.subtree] == [group.path for group in plain.subtree]
    for group in plain.children:
        assert tree[group].to_dataset().equals(plain[group].to_dataset()), group


@pytest.mark.parametrize(
    ("cost", "draws", "named"), [({"max_draws": 250}, 250, "max_draws"), ({"max_seconds": 1e-9}, 200, "max_seconds")]
)
def test_those_that_cannot_reach_it_end_and_say_so(cost: dict[str, Any], draws: int, named: str) -> None:
    tree = sample(until={"ess": 1e7} | cost, predictive=False)
    assert tree["posterior"].sizes["draw"] == draws
    assert tree.attrs["until"]["reached"] is False
    assert f"{named} is reached, and the effective sample size of" in tree.attrs["until"]["reason"]


@pytest.mark.parametrize(
    ("until", "named"),
    [
        ({"max_draws": 300}, "until: nothing is asked of the draws"),
        ({"ess": 400, "max_draws": 100}, "begin with 200 draws, and may have 100"),
        ({"ess": 400, "max_draws": 1e3}, r"until\.max_draws: 1000.0 is not a whole number"),
        ({"ess": 400, "max_draws": None}, r"until\.max_draws: None is not a whole number"),
        ({"ess": -1}, r"until\.ess: -1 is not a number above 0"),
        ({"ess": "many"}, "'many' is not a number"),
        ({"rhat": 1}, r"until\.rhat: 1 is not a number above 1"),
        ({"es": 400}, "'es' is nothing to be reached.*'ess'"),
    ],
)
def test_an_aim_that_means_nothing_is_refused(until: dict[str, Any], named: str) -> None:
    with pytest.raises(SamplingError, match=named):
        sample(until=until)


def test_only_chains_of_nuts_have_an_aim() -> None:
    with pytest.raises(SamplingError, match=r"until: the method laplace draws no further"):
        sample(until=AIM, method="laplace")
