"""The last stage finishes a store whatever can be derived of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from exmc import derive
from exmc.errors import ModelError
from exmc.trace.store import RunStore
from pipelines import stages
from pipelines.run import run_config
from tests.pipelines.running import write_config

FLAT = "model: {variables: {m: {dist: Flat}, y: {dist: Normal, mu: m, sigma: 1, observed: [0.1, 0.4]}}}\n"


def test_groups_that_a_model_cannot_have_are_left_out_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "flat.yaml"
    path.write_text(FLAT + "sampler: {draws: 300, warmup: 200, chains: 2, seed: 1}\n")
    tree = run_config(path, out=tmp_path / "run")
    assert "prior" not in tree.children
    assert "Flat" in tree.attrs["skipped_groups"]["prior"]
    assert stages.judge(RunStore.open(tmp_path / "run")).skipped == tree.attrs["skipped_groups"]
    assert {"posterior_predictive", "log_likelihood", "observed_data"} <= set(tree.children)


def test_groups_that_would_be_too_large_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derive, "LARGEST_GROUP_BYTES", 1000)
    tree = run_config(write_config(tmp_path), out=tmp_path / "run")
    assert "GiB" in tree.attrs["skipped_groups"]["log_likelihood"]
    assert "log_likelihood" not in tree.children
    assert "posterior_predictive" not in tree.children


def test_the_size_of_the_prior_is_that_of_its_own_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derive, "LARGEST_GROUP_BYTES", 20_000)
    tree = run_config(write_config(tmp_path), out=tmp_path / "run", overrides=["run.predictive={prior_draws: 10}"])
    assert "posterior_predictive" in tree.attrs["skipped_groups"]
    assert tree["prior"].sizes["draw"] == 10


def test_a_group_that_fails_does_not_cost_the_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> Any:
        raise ModelError("no data can be drawn.")

    monkeypatch.setattr(derive, "posterior_predictive", fail)
    tree = run_config(write_config(tmp_path), out=tmp_path / "run")
    assert tree.attrs["skipped_groups"] == {"posterior_predictive": "no data can be drawn."}
    assert tree.attrs["complete"]


def test_what_is_derived_belongs_to_the_draws(tmp_path: Path) -> None:
    tree = run_config(write_config(tmp_path), out=tmp_path / "run")
    seen = np.array([0.3, -0.2, 1.1])
    theta, mu = tree["posterior"]["theta"].values, tree["posterior"]["mu"].values
    expected = scipy.stats.norm.logpdf(seen, theta, 0.5)
    np.testing.assert_allclose(tree["log_likelihood"]["y"], expected, rtol=1e-12)
    np.testing.assert_allclose(tree["log_prior"]["mu"], scipy.stats.norm.logpdf(mu), rtol=1e-12)
    assert np.array_equal(tree["observed_data"]["y"], seen)
    assert tree["prior"]["theta"].shape == (1, 500, 3)
    assert tree["posterior_predictive"]["y"].shape == theta.shape


def test_options_leave_groups_out(tmp_path: Path) -> None:
    overrides = ["run.predictive={prior_draws: 0, posterior: false}", "run.save_warmup=true"]
    tree = run_config(write_config(tmp_path), out=tmp_path / "run", overrides=overrides)
    assert not {"prior", "prior_predictive", "posterior_predictive"} & set(tree.children)
    assert tree["warmup_posterior"].sizes["draw"] == 700
    assert np.isfinite(tree["warmup_posterior"]["theta"].values).all()
    assert tree.attrs["skipped_groups"] == {}
