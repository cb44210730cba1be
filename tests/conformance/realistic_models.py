"""Models as people write them of series, areas, counts by category and correlated effects, for machine code's tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from exmc.distributions import (
    AR,
    ICAR,
    DirichletMultinomial,
    Exponential,
    GaussianRandomWalk,
    LKJCholeskyCov,
    MvGaussianRandomWalk,
    MvNormal,
    MvStudentT,
    Normal,
    OrderedProbit,
    StudentT,
)
from exmc.ir.builder import Builder
from exmc.ir.model import Model


def local_level_counts() -> Model:
    """Counts whose log rate walks, in two series."""
    counts = np.random.default_rng(1).poisson(4.0, (2, 30))
    return (
        Builder()
        .data("y", counts, dims=["shop", "week"])
        .rv("sigma", "HalfNormal", sigma=0.5, dims="shop")
        .rv("level", GaussianRandomWalk(0.0, "sigma", Normal(1.0, 1.0)), dims=["shop", "week"])
        .rv("seen", "Poisson", mu="exp(level)", observed="y")
        .build()
    )


def latent_autoregression() -> Model:
    """An AR(2) series seen with heavy-tailed noise."""
    series = np.cumsum(np.random.default_rng(2).normal(size=40)) * 0.3
    return (
        Builder()
        .data("y", series, dims="time")
        .rv("rho", "Normal", mu=0.0, sigma=0.5, shape=2)
        .rv("noise", "HalfNormal", sigma=1.0)
        .rv("x", AR("rho", 0.5, 0.1, StudentT(4.0, 0.0, 2.0)), dims="time")
        .rv("seen", StudentT(4.0, "x", "noise"), observed="y")
        .build()
    )


def varying_slopes() -> Model:
    """Intercepts and slopes that are correlated, with their correlation and spread kept."""
    rng = np.random.default_rng(3)
    return (
        Builder()
        .coords(effect=["intercept", "slope"])
        .data("x", rng.normal(size=40))
        .data("group", np.arange(40) % 5)
        .data("y", rng.normal(size=40))
        .rv("L", LKJCholeskyCov(2, 2.0, Exponential(1.0)))
        .det("correlation", "correlations(L)")
        .det("spread", "standard_deviations(L)")
        .rv("mean", "Normal", mu=0.0, sigma=2.0, dims="effect")
        .rv("b", MvNormal("mean", chol="L"), shape=(5, 2))
        .rv("seen", "Normal", mu="b[group, 0] + b[group, 1] * x", sigma=1.0, observed="y")
        .build()
    )


def mapped_risks() -> Model:
    """Besag, York and Mollie (1991): counts of areas by a smooth and an unordered part."""
    rows = np.arange(12).reshape(3, 4)
    pairs = [(rows[:, :-1], rows[:, 1:]), (rows[:-1], rows[1:])]
    return (
        Builder()
        .data("node1", np.concatenate([a.ravel() for a, _ in pairs]))
        .data("node2", np.concatenate([b.ravel() for _, b in pairs]))
        .data("y", np.random.default_rng(4).poisson(5.0, 12), dims="area")
        .rv("smooth", ICAR(node1="node1", node2="node2"), dims="area")
        .rv("rough", "Normal", mu=0.0, sigma=1.0, dims="area")
        .rv("scale", "HalfNormal", sigma=1.0, shape=2)
        .rv("seen", "Poisson", mu="exp(1.5 + scale[0] * smooth + scale[1] * rough)", observed="y")
        .build()
    )


def votes() -> Model:
    """Shares that walk on the logit scale, counted with more than multinomial spread."""
    counts = np.random.default_rng(5).multinomial(200, [0.5, 0.3, 0.2], 8)
    return (
        Builder()
        .data("y", counts)
        .rv("L", LKJCholeskyCov(eta=2.0, sd_dist=Exponential(np.ones(3) * 4.0)))
        .rv("opinion", MvGaussianRandomWalk(chol="L", init_dist=Normal(0.0, 1.0)), shape=(8, 3))
        .rv("size", "HalfNormal", sigma=100.0)
        .rv("seen", DirichletMultinomial(200, "0.1 + size * softmax(opinion, axis=1)"), observed="y")
        .build()
    )


def ratings() -> Model:
    """Ordered answers to a question, and vectors with outliers."""
    rng = np.random.default_rng(6)
    return (
        Builder()
        .data("x", rng.normal(size=30))
        .data("answer", rng.integers(0, 4, 30))
        .rv("cuts", "Normal", mu=[-1.0, 0.0, 1.0], sigma=1.0, transform="ordered")
        .rv("beta", "Normal", mu=0.0, sigma=1.0)
        .rv("seen", OrderedProbit("beta * x", "cuts"), observed="answer")
        .rv("nu", "Gamma", alpha=2.0, beta=0.1)
        .rv("pairs", MvStudentT("nu", "beta", cov=np.array([[1.0, 0.3], [0.3, 2.0]])), observed=rng.normal(size=(9, 2)))
        .build()
    )


MODELS: Mapping[str, Callable[[], Model]] = MappingProxyType(
    {f.__name__: f for f in (local_level_counts, latent_autoregression, varying_slopes, mapped_risks, votes, ratings)}
)
"""By name."""
