"""Results of every awkward form for the tests of pictures, by their names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from exmc.trace.dataset import standard_attributes

DRAWS = 120


def small(
    chains: int = 4, draws: int = DRAWS, schools: int = 3, seed: int = 0, failed: tuple[int, ...] = ()
) -> xr.DataTree:
    """Results as a finished run has them: mu, tau and theta[school], and y, observed in each school."""
    rng = np.random.default_rng(seed)
    shape = (chains, draws)
    labels = np.array([f"school {i}/{schools}" for i in range(schools)], dtype=object)
    left = [c for c in range(chains + len(failed)) if c not in failed]
    coords = {"chain": np.array(left), "draw": np.arange(draws)}
    schooled = coords | {"school": labels}
    mu, tau = rng.normal(size=shape), rng.gamma(2.0, size=shape)
    theta = mu[..., None] + tau[..., None] * rng.normal(size=(*shape, schools))
    y = rng.normal(size=schools)
    dims, each = ("chain", "draw"), ("chain", "draw", "school")
    prior = {"chain": [0], "draw": np.arange(50)}
    groups = {
        "posterior": xr.Dataset({"mu": (dims, mu), "tau": (dims, tau), "theta": (each, theta)}, schooled),
        "sample_stats": xr.Dataset(
            {"energy": (dims, rng.normal(size=shape)), "diverging": (dims, rng.random(shape) < 0.02)}, coords
        ),
        "log_likelihood": xr.Dataset({"y": (each, -0.5 * (y - theta) ** 2)}, schooled),
        "posterior_predictive": xr.Dataset({"y": (each, theta + rng.normal(size=theta.shape))}, schooled),
        "prior": xr.Dataset(
            {
                "mu": (dims, rng.normal(size=(1, 50))),
                "tau": (dims, np.abs(rng.standard_cauchy(size=(1, 50)))),
                "theta": (each, rng.normal(size=(1, 50, schools))),
            },
            prior | {"school": labels},
        ),
        "observed_data": xr.Dataset({"y": (("school",), y)}, {"school": labels}),
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = standard_attributes("2026-01-01") | {"failed_chains": [{"chain": c} for c in failed]}
    return tree


def one_variable() -> xr.DataTree:
    """One scalar and nothing else."""
    tree = small()
    mu = tree["posterior"].to_dataset()[["mu"]]
    return tree.assign(posterior=xr.DataTree(mu), prior=xr.DataTree(tree["prior"].to_dataset()[["mu"]]))


def with_nan() -> xr.DataTree:
    """One scalar has NaN, one is infinite once, and one never changes."""
    tree = small(schools=4)
    theta = tree["posterior"]["theta"].copy(deep=True)
    theta[1, 3, 0], theta[0, 0, 1], theta[:, :, 2] = np.nan, np.inf, 1.0
    return tree.assign(posterior=xr.DataTree(tree["posterior"].to_dataset().assign(theta=theta)))


RUNS: dict[str, Callable[[], xr.DataTree]] = {
    "small": small,
    "one variable": one_variable,
    "2,000 scalars": lambda: small(schools=1998),
    "one chain": lambda: small(chains=1),
    "failed chains": lambda: small(chains=2, failed=(0, 2)),
    "NaN and constants": with_nan,
}
"""What every kind of plot must be drawn of."""
