"""Posteriors with known properties for the tests of diagnostics."""

from __future__ import annotations

import numpy as np
import xarray as xr

CHAINS, DRAWS = 4, 500
Y = np.linspace(-2.0, 3.0, 20)


def healthy(seed: int = 0, chains: int = CHAINS, draws: int = DRAWS) -> xr.DataTree:
    """Independent draws and statistics without a blemish, with a constant and one that is so but for rounding."""
    rng = np.random.default_rng(seed)
    shape = (chains, draws)
    coords = {"chain": np.arange(chains), "draw": np.arange(draws), "school": ["Choate", "Exeter"]}
    parts = rng.dirichlet(np.ones(7), shape)
    posterior = xr.Dataset(
        {
            "mu": (("chain", "draw"), rng.normal(3.0, 0.1, shape)),
            "theta": (("chain", "draw", "school"), rng.normal(size=(*shape, 2))),
            "one": (("chain", "draw"), np.ones(shape)),
            "total": (("chain", "draw"), parts.sum(axis=-1)),
        },
        coords=coords,
    )
    statistics = xr.Dataset(
        {
            "diverging": (("chain", "draw"), np.zeros(shape, bool)),
            "reached_max_treedepth": (("chain", "draw"), np.zeros(shape, bool)),
            "energy": (("chain", "draw"), rng.normal(size=shape)),
        },
        coords={k: coords[k] for k in ("chain", "draw")},
    )
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": statistics})


def conjugate(seed: int, prior_sd: float, chains: int = 4, draws: int = 1000) -> xr.DataTree:
    """Exact draws of mu for Y ~ Normal(mu, 1), mu ~ Normal(0, prior_sd)."""
    rng = np.random.default_rng(seed)
    variance = 1.0 / (prior_sd**-2 + len(Y))
    mu = rng.normal(variance * Y.sum(), np.sqrt(variance), size=(chains, draws))
    terms = -0.5 * (Y - mu[..., None]) ** 2 - 0.5 * np.log(2 * np.pi)
    coords = {"chain": np.arange(chains), "draw": np.arange(draws)}
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"mu": (("chain", "draw"), mu)}, coords=coords),
            "log_likelihood": xr.Dataset({"y": (("chain", "draw", "row"), terms)}, coords=coords),
            "observed_data": xr.Dataset({"y": ("row", Y)}),
        }
    )


def with_group(tree: xr.DataTree, group: str, **variables: xr.DataArray) -> xr.DataTree:
    """`tree` with some variables of a group replaced."""
    return tree.assign({group: xr.DataTree(tree[group].to_dataset().assign(variables))})
