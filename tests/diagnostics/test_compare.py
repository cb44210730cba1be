from __future__ import annotations

import warnings

import arviz_stats
import numpy as np
import pytest
import xarray as xr

from exmc.diagnostics.compare import compare
from exmc.diagnostics.elpd import loo
from exmc.errors import ModelError, StoreError
from tests.diagnostics.trees import conjugate


def test_models_are_ranked_with_the_spread_of_their_differences() -> None:
    trees = {"tight": conjugate(0, 0.05), "wide": conjugate(1, 5.0), "mid": conjugate(2, 0.3)}
    ranking = compare(trees)
    assert [r.rank for r in ranking] == [0, 1, 2]
    assert [r.elpd for r in ranking] == sorted((loo(t).elpd for t in trees.values()), reverse=True)
    best = loo(trees[ranking[0].name])
    assert ranking[0].difference == ranking[0].difference_se == 0.0
    for row in ranking[1:]:
        gaps = [a - b for a, b in zip(best.pointwise, loo(trees[row.name]).pointwise, strict=True)]
        mean = sum(gaps) / len(gaps)
        assert row.difference == pytest.approx(sum(gaps))
        assert row.difference_se == pytest.approx(np.sqrt(20 * sum((g - mean) ** 2 for g in gaps) / 19))
        assert row.points == 20


def test_the_ranking_is_arvizs() -> None:
    trees = {"tight": conjugate(0, 0.05), "wide": conjugate(1, 5.0), "mid": conjugate(2, 0.3)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = arviz_stats.compare(trees)
        # The table of ArviZ 1 is rounded.
        found = [arviz_stats.loo(trees[name]) for name in theirs.index]
    ours = compare(trees)
    assert [r.name for r in ours] == theirs.index.tolist()
    np.testing.assert_allclose([r.elpd for r in ours], [float(t.elpd) for t in found], rtol=1e-10)
    np.testing.assert_allclose([r.p for r in ours], [float(t.p) for t in found], rtol=1e-10)


def test_waic_ranks_too() -> None:
    trees = {"tight": conjugate(0, 0.05), "wide": conjugate(1, 5.0)}
    assert [r.name for r in compare(trees, "waic")] == [r.name for r in compare(trees, "loo")]


def test_what_cannot_be_compared_is_refused() -> None:
    one, two = conjugate(0, 1.0), conjugate(1, 2.0)
    data = two.observed_data.to_dataset()
    other_values = two.assign({"observed_data": xr.DataTree(data + 1)})
    with pytest.raises(ModelError, match="'a' and 'b' observed different values of 'y'"):
        compare({"a": one, "b": other_values})
    with pytest.raises(ModelError, match="'b' did not observe 'y'"):
        compare({"a": one, "b": two.assign({"observed_data": xr.DataTree(data.rename(y="z"))})})
    shorter = two.log_likelihood.to_dataset().isel(row=slice(5))
    with pytest.raises(ModelError, match="not of the same points"):
        compare({"a": one, "b": two.assign({"log_likelihood": xr.DataTree(shorter)})})
    with pytest.raises(ModelError, match="needs two models"):
        compare({"a": one})
    with pytest.raises(ModelError, match="Did you mean 'loo'"):
        compare({"a": one, "b": two}, "looo")
    bare = xr.DataTree.from_dict({"posterior": two["posterior"].to_dataset()})
    with pytest.raises(StoreError, match=r"'b' has no log_likelihood and no observed_data.*observes nothing"):
        compare({"a": one, "b": bare})
    bare.attrs["skipped_groups"] = {"log_likelihood": "it would take 3.0 GiB."}
    with pytest.raises(StoreError, match=r"'b' has no log_likelihood.*left out: it would take 3\.0 GiB"):
        compare({"a": one, "b": bare})
