"""LOO and WAIC of runs against exact values by quadrature, against published ones, and against arviz-stats."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import arviz_stats
import numpy as np
import pytest
import xarray as xr

import exmc
from exmc.diagnostics.compare import compare
from exmc.diagnostics.elpd import METHODS, Elpd, error_of_sum, loo, waic
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from pipelines.checking import build
from pipelines.config import load_config
from tests.models.exact_loo import Exact, draw_schools, linear, schools

CONFIGS = Path(__file__).parents[2] / "configs"
CHAINS, DRAWS = 8, 500
LARGEST_Z = 5.5
"""Of seven degrees of freedom: a right estimate is further off once in a thousand times."""


def half_cauchy(scale: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda value: np.log(2 / (np.pi * scale)) - np.log1p((value / scale) ** 2)


def columns(names: str) -> tuple[np.ndarray, np.ndarray]:
    """The design matrix of `names` (an interaction is one with a colon), and the children's scores."""
    document = json.loads((CONFIGS / "data" / "kidiq.json").read_text())
    known = {name: np.array(document[name], float) for name in ("kid_score", "mom_hs", "mom_iq")}
    known |= {"1": np.ones(434), "mom_hs:mom_iq": known["mom_hs"] * known["mom_iq"]}
    return np.stack([known[name] for name in names.split(" + ")], axis=1), known["kid_score"]


def regression(names: str) -> Model:
    """The model of the kidiq configs, with other predictors."""
    x, y = columns(names)
    return (
        Builder()
        .data("x", x)
        .rv("beta", exmc.Flat(), shape=x.shape[1])
        .rv("sigma", exmc.HalfCauchy(2.5))
        .rv("y", exmc.Normal("x @ beta", "sigma"), observed=y)
        .build()
    )


def config(name: str) -> Model:
    return build(load_config(CONFIGS / name))


def exact_schools() -> Exact:
    document = json.loads((CONFIGS / "data" / "eight_schools.json").read_text())
    return schools(np.array(document["y"], float), np.array(document["sigma"], float), 5.0, half_cauchy(5.0))


class Case(NamedTuple):
    """A model, its exact LOO, and what others published: elpd, p and SE, the unit they were rounded to, their draws."""

    model: Callable[[], Model]
    exact: Callable[[], Exact]
    published: tuple[float, float, float] | None = None
    unit: float = 0.1
    draws: int = 4000


def kidiq(names: str) -> Callable[[], Exact]:
    return lambda: linear(*columns(names), half_cauchy(2.5))


CASES = {
    # ArviZ's documentation of `loo`, on its data set non_centered_eight of 2000 draws; its SE divides by n.
    "schools": Case(
        lambda: config("posteriordb/eight_schools-eight_schools_noncentered.yaml"),
        exact_schools,
        (-30.78, 0.95, 1.35 * np.sqrt(8 / 7)),
        0.01,
        2000,
    ),
    # Gelman, Hill & Vehtari (2020), Regression and Other Stories, section 11.8 (with rstanarm's weak priors).
    "school": Case(lambda: regression("1 + mom_hs"), kidiq("1 + mom_hs"), (-1914.8, 3.0, 13.8)),
    "both": Case(lambda: regression("1 + mom_hs + mom_iq"), kidiq("1 + mom_hs + mom_iq"), (-1876.0, 4.0, 14.2)),
    "iq": Case(lambda: config("posteriordb/kidiq-kidscore_momiq.yaml"), kidiq("1 + mom_iq")),
    "interaction": Case(
        lambda: config("posteriordb/kidiq-kidscore_interaction.yaml"), kidiq("1 + mom_hs + mom_iq + mom_hs:mom_iq")
    ),
}


@cache
def run(name: str) -> xr.DataTree:
    options = {"draws": DRAWS, "warmup": 500, "chains": CHAINS, "seed": 11, "target_accept": 0.9, "metric": "dense"}
    return exmc.sample(CASES[name].model(), **options, predictive=False)


@cache
def chains_of(name: str, method: str) -> tuple[Elpd, ...]:
    """The estimate of each chain by itself."""
    return tuple(METHODS[method](run(name).isel(chain=[chain]), None) for chain in range(CHAINS))


def by_chain(name: str, method: str) -> np.ndarray:
    """elpd, p and SE of each chain by itself, shape (chains, 3)."""
    return np.array([(one.elpd, one.p, one.se) for one in chains_of(name, method)])


def error_at(name: str, method: str, draws: int) -> np.ndarray:
    """The Monte Carlo errors of elpd, p and SE of so many draws, from the spread of our chains."""
    return np.asarray(np.std(by_chain(name, method), axis=0, ddof=1) / np.sqrt(draws / DRAWS))


def test_loo_of_schools_is_that_of_independent_draws() -> None:
    """Whose own error is known: Pareto smoothing says 0.03 too much of 4000 draws, and less of more."""
    document = json.loads((CONFIGS / "data" / "eight_schools.json").read_text())
    y, error = np.array(document["y"], float), np.array(document["sigma"], float)
    generator = np.random.default_rng(7)

    def replica() -> Elpd:
        theta = draw_schools(y, error, 5.0, half_cauchy(5.0), (CHAINS, DRAWS), generator)
        terms = -0.5 * ((y - theta) / error) ** 2 - np.log(error * np.sqrt(2 * np.pi))
        groups = {"posterior": {"theta": theta}, "log_likelihood": {"y": terms}}
        return loo(xr.DataTree.from_dict({g: xr.Dataset({k: (("chain", "draw", "school"), a) for k, a in held.items()})
                                          for g, held in groups.items()}))  # fmt: skip

    replicas = [replica() for _ in range(40)]
    found = np.array([(one.elpd, one.p, one.se) for one in replicas])
    whole, exact = loo(run("schools")), exact_schools()
    expected, spread = found.mean(axis=0), found.std(axis=0, ddof=1)
    errors = np.hypot(error_at("schools", "loo", CHAINS * DRAWS), spread / np.sqrt(40))
    z = (np.array([whole.elpd, whole.p, whole.se]) - expected) / errors
    assert np.abs(z).max() < LARGEST_Z, z
    # One school in four sets of draws is over the limit of what can be relied on, whoever drew them.
    tails = np.array([one.pareto_k.max() for one in replicas])
    assert abs(whole.pareto_k.max() - tails.mean()) < LARGEST_Z * tails.std(ddof=1)
    # The draws are those of the quadrature: what is left of the difference is the smoothing's.
    assert np.all(np.abs(expected - [exact.elpd, exact.p, exact.se]) < 0.1)


@pytest.mark.parametrize("name", [name for name in CASES if name != "schools"])
def test_loo_is_the_exact_one(name: str) -> None:
    exact, whole = CASES[name].exact(), loo(run(name))
    z = (np.array([whole.elpd, whole.p, whole.se]) - [exact.elpd, exact.p, exact.se]) / error_at(
        name, "loo", CHAINS * DRAWS
    )
    assert np.abs(z).max() < LARGEST_Z, z
    assert not whole.unreliable.any()


@pytest.mark.parametrize("name", CASES)
def test_loo_is_arvizs_on_the_same_tree(name: str) -> None:
    tree = run(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = arviz_stats.loo(tree, pointwise=True)
    ours = loo(tree)
    # The efficiency of the draws, which smooths the tails, is computed by each in its own way.
    assert ours.elpd == pytest.approx(float(theirs.elpd), rel=1e-9)
    assert ours.p == pytest.approx(float(theirs.p), rel=1e-6)
    np.testing.assert_allclose(ours.pointwise, theirs.elpd_i.values.ravel(), rtol=1e-8)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.published])
def test_exact_values_are_the_published_ones(name: str) -> None:
    """Within the rounding of the published estimate and its Monte Carlo error, which is ours at as many draws."""
    case, exact = CASES[name], CASES[name].exact()
    off = np.array([exact.elpd, exact.p, exact.se]) - np.array(case.published)
    assert np.all(np.abs(off) < case.unit / 2 + LARGEST_Z * error_at(name, "loo", case.draws)), off


@pytest.mark.parametrize("name", ["school", "interaction"])
def test_waic_is_that_of_independent_draws(name: str) -> None:
    """Exact draws: sigma from a grid of its posterior, beta normal given sigma; WAIC from its definition."""
    names = {"school": "1 + mom_hs", "interaction": "1 + mom_hs + mom_iq + mom_hs:mom_iq"}[name]
    x, y = columns(names)
    generator = np.random.default_rng(5)
    q, _ = np.linalg.qr(x)
    centre = q.T @ y
    rss = float(np.sum((y - q @ centre) ** 2))
    grid = np.linspace(-0.3, 0.3, 4001) + np.log(y.std())
    sigmas = np.exp(grid)
    log_weight = -(len(y) - x.shape[1]) * grid - rss / (2 * sigmas**2) + half_cauchy(2.5)(sigmas) + grid
    weight = np.exp(log_weight - log_weight.max())
    replicas = []
    for _ in range(8):
        sigma = generator.choice(sigmas, DRAWS, p=weight / weight.sum())
        beta = centre + sigma[:, None] * generator.normal(size=(DRAWS, x.shape[1]))
        terms = -0.5 * ((y - beta @ q.T) / sigma[:, None]) ** 2 - np.log(sigma[:, None] * np.sqrt(2 * np.pi))
        p = terms.var(axis=0, ddof=1).sum()
        replicas.append((np.log(np.mean(np.exp(terms), axis=0)).sum() - p, p))
    ours = by_chain(name, "waic")[:, :2]
    errors = np.hypot(*(np.std(pairs, axis=0, ddof=1) / np.sqrt(8) for pairs in (ours, np.array(replicas))))
    z = (ours.mean(axis=0) - np.mean(replicas, axis=0)) / errors
    assert np.abs(z).max() < LARGEST_Z, z
    # WAIC and LOO are the same but for terms of the order of p^2 / n (Gelman, Hwang & Vehtari 2014).
    assert abs(waic(run(name)).elpd - loo(run(name)).elpd) < waic(run(name)).p ** 2 / len(y) * 3


@pytest.mark.parametrize(
    ("better", "worse", "difference", "error"), [("both", "school", 38.7, 8.4), ("interaction", "both", 3.5, 2.8)]
)
def test_the_comparison_is_the_published_one(better: str, worse: str, difference: float, error: float) -> None:
    """As `loo_compare` printed them in the same section, with rstanarm's weak priors."""
    row = compare({name: run(name) for name in (worse, better)})[1]
    assert row.name == worse
    whole = np.array([row.difference, row.difference_se])
    pairs = zip(chains_of(better, "loo"), chains_of(worse, "loo"), strict=True)
    gaps = [one.pointwise - other.pointwise for one, other in pairs]
    spread = np.std([(gap.sum(), error_of_sum(gap)) for gap in gaps], axis=0, ddof=1)
    exact = CASES[better].exact().left_out - CASES[worse].exact().left_out
    expected = np.array([exact.sum(), error_of_sum(exact)])
    z = (whole - expected) / (spread / np.sqrt(CHAINS))
    assert np.abs(z).max() < LARGEST_Z, z
    # Both have errors, of 4000 draws each.
    off = np.abs(whole - [difference, error])
    assert np.all(off < 0.05 + LARGEST_Z * spread * np.sqrt(2 / CHAINS)), off
