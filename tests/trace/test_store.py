from __future__ import annotations

import os
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arviz_stats
import numpy as np
import pytest
import xarray as xr

from exmc.diagnostics.summary import summarise
from exmc.errors import StoreError
from exmc.trace import store as store_module
from exmc.trace.schema import GROUPS
from exmc.trace.store import RunStore
from tests.trace.models import SCHOOLS, schema, segment
from tests.trace.writer import contents, write_missing

CREATED = {"created_at": "2020-01-01T00:00:00+00:00", "seed": 1}


def make(directory: Path, draws: int = 25, until: int | None = None, **options: Any) -> RunStore:
    store = RunStore.create(directory, schema(draws=draws, **options), 10, CREATED)
    for chain in range(store.schema.chains):
        write_missing(store.journal, chain, 20, until)
    return store


def derived(store: RunStore) -> dict[str, dict[str, np.ndarray]]:
    chains, draws = len(store.kept_chains()), store.draws_done()
    rng = np.random.default_rng(0)
    return {
        "log_likelihood": {"y": 0.1 * rng.normal(size=(chains, draws, 3))},
        "posterior_predictive": {"y": rng.normal(size=(chains, draws, 3))},
        "prior": {"mu": rng.normal(size=(1, 7)), "theta": rng.normal(size=(1, 7, 3))},
        "observed_data": {"y": np.array([28.0, 8.0, -3.0])},
        "constant_data": {"error": np.array([15.0, 10.0, 16.0])},
    }


def expected(store: RunStore, group: str, name: str, chains: list[int], draws: int) -> np.ndarray:
    return np.stack([segment(store.schema, c, 0, draws)[group][name] for c in chains])


def test_a_live_run_shows_what_all_chains_have_committed(tmp_path: Path) -> None:
    store = RunStore.create(tmp_path / "run", schema(), 10, CREATED)
    assert store.read().posterior.sizes["draw"] == 0
    for chain, until in enumerate([20, 25, 20]):
        write_missing(store.journal, chain, 10, until)
    tree = RunStore.open(tmp_path / "run").read(loaded=False)
    assert dict(tree.posterior.sizes) == {"chain": 3, "draw": 20, "school": 3, "noise_dim_0": 2}
    assert list(tree.posterior.data_vars) == ["mu", "tau", "theta", "noise", "gap"]
    np.testing.assert_array_equal(tree.posterior.theta, expected(store, "posterior", "theta", [0, 1, 2], 20))
    assert not store.complete


def test_a_live_store_opens_in_full_size(tmp_path: Path) -> None:
    make(tmp_path / "run", until=20)
    tree = xr.open_datatree(tmp_path / "run" / "run.zarr", engine="zarr", consolidated=False)
    assert tree.posterior.sizes["draw"] == 25
    assert np.isfinite(tree.posterior.theta[:, :20]).all()
    assert np.isnan(tree.posterior.theta[:, 20:]).all()
    assert (tree.sample_stats.tree_depth[:, 20:] == -1).all()
    assert not tree.sample_stats.diverging[:, 20:].any()
    assert tree.posterior.school.values.tolist() == list(SCHOOLS)


def test_a_failed_chain_does_not_hold_back_the_others(tmp_path: Path) -> None:
    store = RunStore.create(tmp_path / "run", schema(), 10, CREATED)
    for chain, until in enumerate([25, 10, 25]):
        write_missing(store.journal, chain, 10, until)
    store.fail(1, "it broke")
    assert store.read().posterior.chain.values.tolist() == [0, 2]
    assert store.read().posterior.sizes["draw"] == 25


def test_a_finished_store_is_plain_and_complete(tmp_path: Path) -> None:
    store = make(tmp_path / "run", save_warmup=True)
    groups = derived(store)
    store.finalise(groups, {"elapsed": "no part of a run's bytes"})
    tree = xr.open_datatree(tmp_path / "run" / "run.zarr", engine="zarr")
    assert list(tree.children) == [g for g in GROUPS if g in tree.children]
    assert set(tree.children) == set(groups) | set(dict(store.schema.sampled()))
    for group, variables in store.schema.sampled():
        warm = GROUPS[group] == "warmup"
        for variable in variables:
            found = tree[group][variable.name]
            wanted = [segment(store.schema, c, 0, 10 if warm else 25, warm)[group][variable.name] for c in range(3)]
            np.testing.assert_array_equal(found, np.stack(wanted))
            assert found.dtype == variable.dtype
            assert found.dims == store.schema.dims(group, variable)
    for group, arrays in groups.items():
        for name, values in arrays.items():
            np.testing.assert_array_equal(tree[group][name], values)
    assert tree.attrs["complete"] is True
    assert tree.attrs["failed_chains"] == []
    assert tree.attrs["seed"] == 1
    assert tree.posterior.attrs["created_at"] == CREATED["created_at"]
    assert tree.posterior.attrs["sample_dims"] == ["chain", "draw"]
    assert "sample_dims" not in tree.observed_data.attrs
    assert RunStore.open(tmp_path / "run").complete
    xr.testing.assert_identical(RunStore.open(tmp_path / "run").read(), tree.load())
    assert sorted(p.name for p in (tmp_path / "run" / "state").iterdir()) == [
        ".finished.json.spare",
        ".store.json.spare",
        "chain-00000",
        "chain-00001",
        "chain-00002",
        "finished.json",
        "store.json",
    ]


def test_the_ecosystem_reads_a_finished_store(tmp_path: Path) -> None:
    store = make(tmp_path / "run", draws=200, until=200)
    store.finalise(derived(store))
    tree = xr.open_datatree(tmp_path / "run" / "run.zarr", engine="zarr")
    table = arviz_stats.summary(tree, round_to="none")
    assert "theta[Choate]" in table.index
    np.testing.assert_allclose(table.loc["mu", "mean"], tree.posterior.mu.mean())
    assert np.isfinite(arviz_stats.loo(tree, pointwise=True).elpd)
    assert summarise(tree).scalar.values.tolist() == table.index.tolist()
    with warnings.catch_warnings():
        # What arviz-plots and matplotlib deprecate among themselves is not ours.
        warnings.simplefilter("ignore")
        import arviz_plots

        arviz_plots.plot_dist(tree, var_names=["theta"], backend="none")
        arviz_plots.plot_forest(tree, backend="none")
    assert str(tree.posterior.theta.sel(school="Choate").values.dtype) == "float64"


def test_two_runs_with_the_same_draws_have_the_same_bytes(tmp_path: Path) -> None:
    one, two = make(tmp_path / "one"), RunStore.create(tmp_path / "two", schema(), 10, CREATED)
    for chain in (2, 0, 1):
        write_missing(two.journal, chain, 20)
    for store in (one, two):
        store.finalise(derived(store))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_failed_and_short_chains_are_left_out_and_kept_for_later(tmp_path: Path) -> None:
    store = RunStore.create(tmp_path / "run", schema(), 10, CREATED)
    for chain, until in enumerate([20, 10, 25]):
        write_missing(store.journal, chain, 10, until)
    store.fail(1, "it broke")
    store.finalise(derived(store))
    tree = xr.open_datatree(tmp_path / "run" / "run.zarr", engine="zarr")
    assert tree.posterior.chain.values.tolist() == [0, 2]
    assert tree.log_likelihood.chain.values.tolist() == [0, 2]
    assert tree.prior.chain.values.tolist() == [0]
    np.testing.assert_array_equal(tree.posterior.theta, expected(store, "posterior", "theta", [0, 2], 20))
    assert tree.attrs["failed_chains"] == [{"chain": 1, "traceback": "it broke"}]
    assert store.journal.damage() == ()

    again = store.reopen()
    again.journal.forgive(1)
    for chain in range(3):
        write_missing(again.journal, chain, 10)
    again.finalise(derived(again))
    whole = RunStore.create(tmp_path / "whole", schema(), 10, CREATED)
    for chain in range(3):
        write_missing(whole.journal, chain, 10)
    whole.finalise(derived(whole))
    assert contents(tmp_path / "run" / ".").keys() == contents(tmp_path / "whole").keys()
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


@pytest.mark.parametrize("finalised", [True, False])
def test_an_extended_run_is_the_longer_run(tmp_path: Path, finalised: bool) -> None:
    short = make(tmp_path / "short", draws=25)
    if finalised:
        short.finalise(derived(short))
    longer = short.reopen(45)
    # The segment that ended at draw 25, within a chunk, is to be drawn again.
    assert [longer.journal.draws_done(c) for c in range(3)] == [20, 20, 20]
    assert not RunStore.open(tmp_path / "short").complete
    for chain in range(3):
        write_missing(longer.journal, chain, 20)
    longer.finalise(derived(longer))
    whole = make(tmp_path / "whole", draws=45)
    whole.finalise(derived(whole))
    left, right = contents(tmp_path / "short"), contents(tmp_path / "whole")
    assert left == right
    with pytest.raises(StoreError, match="cannot be shortened"):
        longer.reopen(10)


class Killed(BaseException):
    """Stands for SIGKILL."""


class Fuse:
    """Counts what changes the file system at once, and kills at the given count."""

    def __init__(self, patch: pytest.MonkeyPatch, left: int = 1 << 60) -> None:
        self.burnt = 0
        self.left = left
        for name in ("rename", "replace", "link"):
            patch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            if self.burnt == self.left:
                raise Killed
            self.burnt += 1
            return function(*arguments)

        return counted


def finalise(directory: Path) -> None:
    store = RunStore.open(directory)
    store.finalise(derived(store))


def extend(directory: Path) -> None:
    RunStore.open(directory).reopen(45)


@pytest.mark.parametrize("action", [finalise, extend])
@pytest.mark.parametrize("left_out", [False, True])
def test_killed_at_any_step_it_can_be_called_again(
    tmp_path: Path, action: Callable[[Path], None], left_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = make(tmp_path / "start", until=20 if left_out else None)
    if left_out:
        start.fail(1, "it broke")
    if action is extend:
        start.finalise(derived(start))
    shutil.copytree(tmp_path / "start", tmp_path / "undisturbed")
    with monkeypatch.context() as patch:
        fuse = Fuse(patch)
        action(tmp_path / "undisturbed")
    wanted = contents(tmp_path / "undisturbed")
    # The last steps put the new store in the place of the old one.
    for step in (0, fuse.burnt // 2, *range(fuse.burnt - 5, fuse.burnt)):
        directory = tmp_path / str(step)
        shutil.copytree(tmp_path / "start", directory)
        with monkeypatch.context() as patch:
            Fuse(patch, step)
            with pytest.raises(Killed):
                action(directory)
        assert RunStore.open(directory).read().posterior.sizes["draw"] in (20, 25)
        action(directory)
        assert contents(directory) == wanted


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    make(tmp_path / "run")
    before = contents(tmp_path / "run")
    with pytest.raises(StoreError, match="something is there"):
        RunStore.create(tmp_path / "run", schema(), 10)
    assert contents(tmp_path / "run") == before
    (tmp_path / "other" / "run.zarr").mkdir(parents=True)
    with pytest.raises(StoreError, match="something is there"):
        RunStore.create(tmp_path / "other", schema(), 10)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="something is there"):
        RunStore.create(tmp_path / "file", schema(), 10)


def test_other_files_of_a_run_directory_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("name: x")
    make(tmp_path / "run").finalise()
    assert (tmp_path / "run" / "config.yaml").read_text() == "name: x"


@pytest.mark.parametrize("finalised", [False, True])
def test_draws_are_what_zarr_reads(tmp_path: Path, finalised: bool) -> None:
    store = RunStore.create(tmp_path / "run", schema(save_warmup=True), 10, CREATED)
    for chain, until in enumerate([20, 10, 25]):
        write_missing(store.journal, chain, 10, until)
    store.fail(1, "it broke")
    if finalised:
        store.finalise(derived(store))
    sampled = list(dict(store.schema.sampled()))
    oracle = store.read(loaded=False)
    xr.testing.assert_identical(store.draws(), oracle.filter(lambda node: node.name in (None, *sampled)).load())
    assert list(store.draws(["posterior"]).children) == ["posterior"]
    assert store.draws().posterior.chain.values.tolist() == [0, 2]


def test_reading_draws_takes_a_fraction_of_zarrs_time(tmp_path: Path) -> None:
    store = make(tmp_path / "run", draws=2000)
    store.finalise(derived(store))

    def seconds(read: Callable[[], Any]) -> float:
        began = time.process_time()
        read()
        return time.process_time() - began

    ours = min(seconds(store.draws) for _ in range(3))
    assert 3 * ours < min(seconds(lambda: _open(store)) for _ in range(2))


def _open(store: RunStore) -> xr.DataTree:
    return xr.open_datatree(store.zarr_path, engine="zarr").load()


@pytest.mark.parametrize("finalised", [False, True])
def test_draws_of_a_damaged_store_are_refused(tmp_path: Path, finalised: bool) -> None:
    store = make(tmp_path / "run")
    if finalised:
        store.finalise()
    path = store.zarr_path / "posterior" / "theta" / "c.1.0.0"
    content = path.read_bytes()
    for damaged, fault in ((content[:8] + bytes([content[8] ^ 1]) + content[9:], "flipped"), (b"", "0 bytes")):
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match=rf"theta/c\.1\.0\.0: the chunk .*{fault}"):
            store.draws()
    path.unlink()
    with pytest.raises(StoreError, match="is missing"):
        store.draws(["posterior"])
    assert "sample_stats" in store.draws(["sample_stats"]).children


def test_an_interrupted_creation_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "write_description", killed)
        with pytest.raises(Killed):
            RunStore.create(tmp_path / "run", schema(), 10)
    with pytest.raises(StoreError, match=r"interrupted.*delete the directory"):
        RunStore.open(tmp_path / "run")


def test_results_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    store = make(tmp_path / "run")
    bad = [
        ({"log_likelihood": {"z": np.zeros((3, 25, 3))}}, "not in the schema"),
        ({"log_likelihood": {"y": np.zeros((2, 25, 3))}}, "shape"),
        ({"observed_data": {"y": np.zeros(4)}}, "shape"),
    ]
    for groups, message in bad:
        with pytest.raises(StoreError, match=message):
            store.finalise(groups)
        assert not store.complete
    store.finalise(derived(store))
    assert store.complete


def test_a_run_without_draws_has_no_result(tmp_path: Path) -> None:
    store = RunStore.create(tmp_path / "run", schema(), 10)
    with pytest.raises(StoreError, match="0 draws in common"):
        store.finalise()
    for chain in range(3):
        store.fail(chain, "no")
    with pytest.raises(StoreError, match="0 of 3 chains"):
        store.finalise()


def test_a_damaged_store_says_so(tmp_path: Path) -> None:
    store = make(tmp_path / "run")
    store.finalise()
    path = store.zarr_path / "posterior" / "mu" / "c.0.0"
    content = path.read_bytes()
    path.write_bytes(content[:8] + bytes([content[8] ^ 1]) + content[9:])
    with pytest.raises(StoreError, match="cannot be read"):
        store.read()
    (store.zarr_path / "zarr.json").write_bytes(b"{")
    with pytest.raises(StoreError, match="metadata cannot be read"):
        store.read()
