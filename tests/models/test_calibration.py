"""The configs for simulation-based calibration: each can be replicated, and is calibrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exmc.calibration import RANKED_DRAWS, replicate
from pipelines.checking import build, check_config, sampler_options
from pipelines.config import load_config, with_out
from pipelines.sbc import calibrate

FOLDER = Path(__file__).parents[2] / "configs/calibration"
CONFIGS = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def test_there_are_seven() -> None:
    assert len(CONFIGS) == 7


@pytest.mark.parametrize("name", CONFIGS)
def test_a_replication_has_ranks(name: str) -> None:
    config = load_config(FOLDER / f"{name}.yaml")
    found = replicate(build(config), sampler_options(config), 1)
    assert found.failure == ""
    assert all(np.all((ranks >= 0) & (ranks <= RANKED_DRAWS)) for ranks in found.ranks.values())
    assert found.r_hat < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_ranks_are_uniform(name: str, tmp_path: Path) -> None:
    config = with_out(load_config(FOLDER / f"{name}.yaml"), tmp_path / "out")
    verdict = calibrate(check_config(config), 60)
    assert verdict.passed, verdict.text
