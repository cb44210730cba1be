"""The configs for simulation-based calibration: each can be replicated, and is calibrated."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.stats

from exmc.calibration import RANKED_DRAWS, replicate
from exmc.imports import import_function
from pipelines.checking import build, check_config, sampler_options
from pipelines.config import load_config, with_out
from pipelines.sbc import calibrate

FOLDER = Path(__file__).parents[2] / "configs/calibration"
CONFIGS = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def test_there_are_six() -> None:
    assert len(CONFIGS) == 6


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


def test_the_hidden_states_are_summed_out() -> None:
    build(load_config(FOLDER / "hidden_markov.yaml"))
    value, level, stay, sigma = np.array([0.3, -1.0, 2.0, 0.1, 0.9]), np.array([-0.5, 1.2]), np.array([0.9, 0.6]), 0.7
    total = 0.0
    for states in product((0, 1), repeat=5):
        moves = [stay[a] if a == b else 1.0 - stay[a] for a, b in pairwise(states)]
        total += 0.5 * np.prod(moves) * np.prod(scipy.stats.norm(level[list(states)], sigma).pdf(value))
    log_density = import_function("hidden_markov:log_density", ())
    assert log_density(value, level=level, stay=stay, sigma=anp.array(sigma)) == pytest.approx(np.log(total), rel=1e-12)
