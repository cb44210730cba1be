"""Latent values whose scale the data hardly tell, since other variables make up for it: chains must not run away."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from arviz_stats.base import array_stats

import exmc
from exmc import Builder
from tests.rewrite.models import ability, factors

LARGEST_Z = 4.5
MODELS = {"item response": ability(40, 10, 0), "factors": factors(60)}


def scalars(tree: xr.DataTree) -> dict[str, np.ndarray]:
    """The draws of each variable's elements, shape (chain, draw)."""
    found = {}
    for name, draws in tree["posterior"].to_dataset().items():
        flat = draws.values.reshape(*draws.shape[:2], -1)
        # Logarithms of what is positive: a scale may have no mean.
        found |= {f"{name}[{j}]": np.log(x) if (x := flat[..., j]).min() > 0 else x for j in range(flat.shape[-1])}
    return found


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_the_usual_sampler_agrees_with_stans(build: Builder) -> None:
    usual = scalars(exmc.sample(build, seed=1, predictive=False))
    stans = scalars(exmc.sample(build, seed=2, predictive=False, adaptation="stan"))
    for name in usual:
        pair = [usual[name], stans[name]]
        assert max(float(array_stats.rhat(draws)) for draws in pair) < 1.05, name
        errors = [float(array_stats.mcse(draws, method="mean")) for draws in pair]
        assert abs(pair[0].mean() - pair[1].mean()) < LARGEST_Z * np.hypot(*errors), name
