from __future__ import annotations

import math
import pickle
from typing import Any

import pytest

from exmc.errors import SamplingError
from exmc.nuts.metric import METRICS
from exmc.sampling.options import AUTO, METRIC_NAMES, SamplerOptions, defaults_of


def test_the_defaults() -> None:
    options = SamplerOptions(seed=1)
    assert (options.draws, options.warmup, options.chains) == (1000, 400, 4)
    assert (options.target_accept, options.max_treedepth) == ("auto", 10)
    assert (options.metric, options.adaptation) == ("auto", "fisher")


def test_the_defaults_are_those_of_the_default_adaptation() -> None:
    options = SamplerOptions(seed=1)
    assert (options.warmup, options.metric, options.target_accept) == defaults_of(options.adaptation)


def test_stans_adaptation_brings_what_stan_does() -> None:
    assert defaults_of("stan") == (1000, "diagonal", 0.8)


def test_every_metric_can_be_chosen() -> None:
    assert (AUTO, *METRICS) == METRIC_NAMES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("seed", 2**128),
        ("seed", 1.0),
        ("seed", True),
        ("draws", 0),
        ("warmup", -1),
        ("chains", 0),
        ("target_accept", 0.0),
        ("target_accept", 1.0),
        ("target_accept", math.nan),
        ("target_accept", "0.8"),
        ("target_accept", None),
        ("max_treedepth", 0),
        ("max_treedepth", 31),
        ("metric", "diag"),
        ("adaptation", "nuts-rs"),
        ("initial_radius", -1.0),
        ("initial_radius", math.inf),
        ("initial_attempts", 0),
        ("step_size", 0.0),
        ("step_size", math.nan),
    ],
)
def test_an_option_out_of_bounds_is_named_with_its_value(name: str, value: Any) -> None:
    with pytest.raises(SamplingError) as caught:
        SamplerOptions(**{"seed": 1, name: value})
    assert caught.value.where == (name,)
    assert repr(value) in caught.value.message
    assert caught.value.remedy


def test_options_pickle() -> None:
    options = SamplerOptions(seed=1, metric="dense")
    assert pickle.loads(pickle.dumps(options)) == options
