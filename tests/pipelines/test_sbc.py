"""A calibration goes on where it stopped, finds what is wrong, and leaves ranks and a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import exmc.calibration
from exmc.ir.model import Model
from pipelines.checking import check_config
from pipelines.cli import main
from pipelines.config import load_config, with_out
from pipelines.places import LocatedError
from pipelines.sbc import PICTURE, ZARR, Verdict, calibrate

CONFIG = """\
model:
  coords: {site: [a, b]}
  variables:
    mu: {dist: Normal, mu: 0, sigma: 1, dims: site}
    sigma: {dist: HalfNormal, sigma: 1}
    y: {dist: Normal, mu: mu, sigma: sigma, observed: [1.0, 2.0]}
sampler: {draws: 100, warmup: 150, chains: 2, seed: 1}
"""


def run(folder: Path, replications: int, name: str = "out", text: str = CONFIG) -> Verdict:
    path = folder / "c.yaml"
    path.write_text(text)
    return calibrate(check_config(with_out(load_config(path), folder / name)), replications)


def test_it_goes_on_and_its_results_do_not_tell(tmp_path: Path) -> None:
    whole = run(tmp_path, 12)
    interrupted = run(tmp_path, 10, "again")
    (tmp_path / "again" / "replications" / "000004.json").unlink()
    interrupted = run(tmp_path, 12, "again")
    trees = [xr.open_datatree(v.directory / ZARR, engine="zarr") for v in (whole, interrupted)]
    for group in ("sbc_ranks", "prior_sbc", "sbc_stats"):
        xr.testing.assert_identical(trees[0][group].to_dataset(), trees[1][group].to_dataset())
    assert trees[0]["sbc_ranks"]["mu"].dims == ("chain", "draw", "site")
    assert trees[0]["sbc_ranks"]["mu"].coords["site"].values.tolist() == ["a", "b"]
    assert interrupted.text == whole.text
    assert [row.scalar for row in whole.rows] == ["mu[a]", "mu[b]", "sigma", "log_likelihood"]
    assert (whole.directory / PICTURE).stat().st_size > 5000


def test_another_model_is_refused(tmp_path: Path) -> None:
    run(tmp_path, 10)
    with pytest.raises(LocatedError, match="another model") as raised:
        run(tmp_path, 10, text=CONFIG.replace("HalfNormal, sigma: 1}", "HalfNormal, sigma: 2}"))
    assert raised.value.where == ("run", "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").touch()
    with pytest.raises(LocatedError, match="is not empty"):
        run(tmp_path, 10, "full")


def test_a_wrong_posterior_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fitted data are not those that the parameters made: every rank is pulled to one side."""
    whole = exmc.calibration.with_observed

    def shifted(source: Model, values: dict[str, np.ndarray]) -> Model:
        return whole(source, values | {"y": values["y"] + 3.0})

    monkeypatch.setattr(exmc.calibration, "with_observed", shifted)
    verdict = run(tmp_path, 25)
    assert not verdict.passed
    assert "NOT calibrated" in verdict.text


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    assert main(["sbc", str(path), "--replications", "10", "--out", str(tmp_path / "o")]) == 0
    printed = capsys.readouterr()
    assert "10 replications, 4 scalars: calibrated." in printed.out
    assert "replications 10/10" in printed.err
    assert main(["sbc", str(path), "--replications", "3", "--out", str(tmp_path / "o")]) == 2
    path.write_text(CONFIG.replace(", observed: [1.0, 2.0]", ", dims: site"))
    assert main(["sbc", str(path), "--out", str(tmp_path / "p")]) == 2
    assert "no observed variable" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()
