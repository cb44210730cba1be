"""The live posterior is the batch one, labelled, at any moment."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import xarray as xr

from exmc.diagnostics.live.chain import Detail
from exmc.diagnostics.live.posterior import LivePosterior, Variable
from exmc.diagnostics.summary import scalar_labels, summarise
from exmc.errors import StoreError

SCHOOLS = np.array(["Choate", "Deerfield", "St. Paul's"], dtype=object)
VARIABLES = (
    Variable("mu", (), ()),
    Variable("theta", (3,), ("school",)),
    Variable("corr", (2, 2), ("row", "column")),
)
CHAINS, DRAWS = 4, 600
RNG = np.random.default_rng(3)
VALUES: dict[str, Any] = {v.name: RNG.normal(1.0, 2.0, (CHAINS, DRAWS, *v.shape)) for v in VARIABLES}
ENERGY, DIVERGING = RNG.gamma(2.0, size=(CHAINS, DRAWS)), RNG.random((CHAINS, DRAWS)) < 0.01


def empty(detail: Detail | None = None) -> LivePosterior:
    coords = {"school": SCHOOLS, "row": np.arange(2), "column": np.array(["a", "b"], dtype=object)}
    return LivePosterior(VARIABLES, coords, CHAINS, detail)


def add(live: LivePosterior, chain: int, first: int, end: int) -> int:
    span = slice(first, end)
    statistics = {"energy": ENERGY[chain, span], "diverging": DIVERGING[chain, span]}
    return live.add(chain, first, {name: values[chain, span] for name, values in VALUES.items()}, statistics)


@pytest.fixture(scope="module")
def live() -> LivePosterior:
    found = empty()
    for first in range(0, DRAWS, 100):
        for chain in range(CHAINS):
            assert add(found, chain, first, first + 100) == 100
    return found


def test_its_numbers_are_those_of_all_draws(live: LivePosterior) -> None:
    for name, values in VALUES.items():
        found = live[name]
        np.testing.assert_allclose(found.mean, values.mean(axis=(0, 1)), rtol=1e-12)
        np.testing.assert_allclose(found.sd, values.std(axis=(0, 1), ddof=1), rtol=1e-12)
        np.testing.assert_allclose(found.chain_mean, values.mean(axis=1), rtol=1e-12)
        np.testing.assert_allclose(found.chain_sd, values.std(axis=1, ddof=1), rtol=1e-12)
        for place in (0.05, 0.5):
            for quantile, axes in ((found.quantile(place), (0, 1)), (found.chain_quantile(place), (1,))):
                error = quantile.attrs["error"] + 1 / DRAWS
                low, high = (np.quantile(values, place + sign * error, axis=axes) for sign in (-1, 1))
                assert ((low <= quantile) & (quantile <= high)).all()
    assert live.draws == CHAINS * DRAWS
    assert live.divergences == DIVERGING.sum()


def test_it_is_labelled(live: LivePosterior) -> None:
    theta = live["theta"]
    assert theta.mean.sel(school="Choate").item() == pytest.approx(VALUES["theta"][..., 0].mean())
    assert live["mu"].mean.dims == ()
    assert theta.chain_mean.dims == ("chain", "school")
    assert theta.quantile([0.1, 0.9]).dims == ("quantile", "school")
    assert theta.chain_quantile([0.1, 0.9]).dims == ("quantile", "chain", "school")
    assert theta.quantile(0.1).dims == ("school",)
    assert live["corr"].r_hat.sel(row=1, column="a").item() == live["corr"].r_hat.values[1, 0]


def test_the_summary_has_the_labels_and_numbers_of_the_final_one(live: LivePosterior) -> None:
    dims = {"mu": (), "theta": ("school",), "corr": ("row", "column")}
    coords = {"school": SCHOOLS, "row": np.arange(2), "column": ["a", "b"]}
    data = xr.Dataset({n: (("chain", "draw", *dims[n]), v) for n, v in VALUES.items()}, coords=coords)
    final = summarise(xr.DataTree.from_dict({"posterior": data}))
    assert live.labels() == [label for name in dims for label in scalar_labels(data[name])]
    found = live.summary()
    assert list(np.sort(found["r_hat"].values)[::-1]) == list(found["r_hat"].values)
    same = found.sel(scalar=final["scalar"].values)
    np.testing.assert_allclose(same["mean"], final["mean"], rtol=1e-12)
    np.testing.assert_allclose(same["sd"], final["sd"], rtol=1e-12)
    assert np.abs(same["r_hat"] - final["r_hat"]).max() < 0.01
    chains = live.by_chain()
    assert chains["draws"].values.tolist() == [DRAWS] * CHAINS
    assert int(chains["divergences"].sum()) == DIVERGING.sum()


def test_failed_chains_are_left_out_until_they_are_tried_again(live: LivePosterior) -> None:
    partial = empty(Detail(batches=64))
    for chain in range(CHAINS):
        add(partial, chain, 0, 100 * (chain + 1))
    partial.leave_out([3])
    assert partial.draws == 600
    assert partial.by_chain()["failed"].values.tolist() == [False, False, False, True]
    expected = np.concatenate([VALUES["mu"][c, : 100 * (c + 1)] for c in range(3)]).mean()
    assert partial["mu"].mean.item() == pytest.approx(expected)
    partial.leave_out([])
    assert partial.draws == 1000


def test_without_draws_there_is_nothing_to_say() -> None:
    live = empty()
    assert np.isnan(live["theta"].mean).all()
    assert np.isnan(live["theta"].sd).all()
    assert np.isnan(live["mu"].quantile(0.5))
    assert np.isnan(live["mu"].chain_quantile(0.5)).all()
    assert np.isnan(live.summary()["r_hat"]).all()
    assert np.isnan(live["mu"].ess_bulk)


def test_what_cannot_be_answered_is_an_error() -> None:
    with pytest.raises(StoreError, match="no variable 'teta'") as error:
        empty()["teta"]
    assert "theta" in str(error.value)
    with pytest.raises(StoreError, match="keeps no quantiles"):
        empty(Detail(batches=16))["mu"].quantile(0.5)
    with pytest.raises(StoreError, match="asked for at"):
        empty()["mu"].quantile(5)


def test_it_is_read_while_it_is_added_to() -> None:
    live, faults = empty(), []

    def read() -> None:
        drawn = 0
        while drawn < CHAINS * DRAWS:
            drawn = live.draws
            found = live["theta"].mean.values
            faults.extend([found] if drawn and not np.isfinite(found).all() else [])

    reader = threading.Thread(target=read)
    reader.start()
    for first in range(0, DRAWS, 10):
        for chain in range(CHAINS):
            add(live, chain, first, first + 10)
    reader.join()
    assert not faults
