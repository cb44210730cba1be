"""From a config's model section to the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from exmc.ir.nodes import RandomVariable
from pipelines.building import build_model
from pipelines.config import load_config
from tests.pipelines.running import write_config


@pytest.mark.parametrize("centering", ["centered", "noncentered", "auto"])
def test_the_default_centering_is_for_what_is_sampled(centering: str, tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path), [f"sampler.centering={centering}"])
    model = build_model(config.model, config.sampler.centering)
    assert model.observations
    variable = model["mu"]
    assert isinstance(variable, RandomVariable)
    assert variable.centering == centering
