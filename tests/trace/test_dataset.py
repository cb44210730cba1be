from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from exmc.errors import StoreError
from exmc.trace.dataset import build_datatree, standard_attributes
from exmc.trace.store import RunStore
from tests.trace.models import SCHOOLS, schema, segment
from tests.trace.writer import write_missing


def arrays(chains: int = 3, draws: int = 25) -> dict[str, dict[str, np.ndarray]]:
    found = schema()
    parts = [segment(found, c, 0, draws) for c in range(chains)]
    return {g: {v.name: np.stack([p[g][v.name] for p in parts]) for v in vs} for g, vs in found.sampled()}


def test_a_tree_has_dims_labels_and_attributes() -> None:
    groups = arrays() | {"observed_data": {"y": np.array([28.0, 8.0, -3.0])}}
    tree = build_datatree(schema(), groups, {"seed": 3}, chains=[0, 2, 5])
    assert tree.posterior.theta.dims == ("chain", "draw", "school")
    assert tree.posterior.chain.values.tolist() == [0, 2, 5]
    assert tree.posterior.school.values.tolist() == list(SCHOOLS)
    assert list(tree.posterior.data_vars) == ["mu", "tau", "theta", "noise", "gap"]
    assert tree.attrs["seed"] == 3
    assert set(standard_attributes()) <= set(tree.attrs)
    assert set(standard_attributes()) | {"sample_dims"} == set(tree.posterior.attrs)
    assert set(standard_attributes()) == set(tree.observed_data.attrs)
    np.testing.assert_array_equal(tree.posterior.theta, groups["posterior"]["theta"])


def test_it_is_what_the_store_reads(tmp_path: Path) -> None:
    store = RunStore.create(tmp_path / "run", schema(), 10, {"created_at": "then"})
    for chain in range(3):
        write_missing(store.journal, chain, 20)
    store.finalise()
    tree = build_datatree(schema(), arrays(), {"created_at": "then", "complete": True, "failed_chains": []})
    for group in tree.children:
        left, right = tree[group].to_dataset(), store.read()[group].to_dataset()
        xr.testing.assert_equal(left, right)
        assert left.attrs == right.attrs
        assert list(left.data_vars) == list(right.data_vars)
    assert tree.attrs == store.read().attrs


def test_what_does_not_fit_is_refused() -> None:
    good = arrays()
    for groups, message in [
        (good | {"posteriors": {}}, "no group 'posteriors'.*posterior"),
        ({"posterior": {"thetas": np.zeros((3, 25, 3))}}, "Did you mean 'theta'"),
        ({"posterior": {"theta": np.zeros((3, 25, 4))}}, "shape"),
        ({"posterior": {"mu": np.zeros((3, 25)), "tau": np.zeros((3, 24))}}, "different numbers"),
    ]:
        with pytest.raises(StoreError, match=message):
            build_datatree(schema(), groups)
