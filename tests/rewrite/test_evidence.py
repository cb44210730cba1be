"""The rule for automatic centring, on simulated data of known information: both answers for every likelihood."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.ir.builder import Builder
from exmc.ir.infer import infer_types
from exmc.rewrite.block import SAMPLED
from exmc.rewrite.evidence import Verdict, _moments, weigh
from exmc.rewrite.surface import Surface
from exmc.rewrite.unpooled import unpooled_fit
from tests.rewrite.models import ability, factors, schools


def grouped(
    groups: int, rows: int, spread: float, family: str = "Normal", scale: float = 1.0, intercept: bool = False
) -> Builder:
    """`groups` effects with deviation `spread`, `rows` observations of each with unit noise, all times `scale`."""
    generator = np.random.default_rng(5)
    group = np.repeat(np.arange(groups), rows)
    effects = spread * generator.normal(size=groups)
    build = Builder().data("group", group).rv("tau", "HalfNormal", sigma=5.0 * scale)
    build.rv("mu", "Normal", sigma=100.0 * scale)
    build.rv("theta", "Normal", mu=0.0 if intercept else "mu", sigma="tau", shape=groups)
    mean = "mu + theta[group]" if intercept else "theta[group]"
    level = 3.0 + effects[group]
    if family == "Poisson":
        return build.rv("y", "Poisson", mu=f"exp({mean})", observed=generator.poisson(np.exp(level)))
    if family == "Bernoulli":
        seen = generator.binomial(1, 1.0 / (1.0 + np.exp(3.0 - level)))
        return build.rv("y", "Bernoulli", logit=f"{mean} - 3", observed=seen)
    build.rv("noise", "HalfNormal", sigma=5.0 * scale)
    if family == "StudentT":
        seen = level + generator.standard_t(4.0, size=level.shape)
        return build.rv("y", "StudentT", nu=4.0, mu=mean, sigma="noise", observed=scale * seen)
    return build.rv(
        "y", "Normal", mu=mean, sigma="noise", observed=scale * (level + generator.normal(size=level.shape))
    )


def verdict(build: Builder, name: str = "theta") -> Verdict:
    model = build.build()
    hierarchical = [v for v in model.free if v.name in ("theta", name) or v.name.startswith("theta")]
    return weigh(model, hierarchical)[name]


def centred(found: Verdict) -> bool:
    """Whether most elements are nearer to being centred than to being non-centred."""
    return found.centred if found.weights is None else bool(np.median(found.weights.values) > 0.5)


@pytest.mark.parametrize("family", ["Normal", "StudentT", "Poisson", "Bernoulli"])
@pytest.mark.parametrize("intercept", [False, True])
def test_informative_data_centre_and_weak_data_do_not(family: str, intercept: bool) -> None:
    assert centred(verdict(grouped(20, 100, 1.0, family, intercept=intercept)))
    assert not centred(verdict(grouped(20, 4, 0.05, family, intercept=intercept)))


@pytest.mark.parametrize("scale", [1e-4, 1e4])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(("rows", "spread"), [(5, 0.3), (50, 1.0)])
def test_units_do_not_matter(scale: float, intercept: bool, rows: int, spread: float) -> None:
    """The reference values of scales and coefficients may be far off: what counts comes from the data."""
    unit = verdict(grouped(20, rows, spread, intercept=intercept))
    assert centred(verdict(grouped(20, rows, spread, scale=scale, intercept=intercept))) == centred(unit)


def test_one_row_a_group_says_nothing_about_the_spread() -> None:
    assert not centred(verdict(grouped(50, 1, 1.0)))


def test_elements_in_rows_of_their_own_and_in_shared_rows_agree() -> None:
    """The same model with indices and with a matrix of ones and zeros, where rows hold every element."""
    generator = np.random.default_rng(2)
    group = np.repeat(np.arange(10), 30)
    for spread in (0.02, 2.0):
        seen = spread * generator.normal(size=10)[group] + generator.normal(size=300)
        base = Builder().rv("tau", "HalfNormal").rv("theta", "Normal", sigma="tau", shape=10)
        base.data("group", group).data("X", np.eye(10)[group])
        by_index = base.rv("y", "Normal", mu="theta[group]", sigma=1.0, observed=seen)
        by_matrix = Builder().rv("tau", "HalfNormal").rv("theta", "Normal", sigma="tau", shape=10)
        by_matrix.data("X", np.eye(10)[group]).rv("y", "Normal", mu="X @ theta", sigma=1.0, observed=seen)
        assert centred(verdict(by_index)) == centred(verdict(by_matrix)) == (spread == 2.0)


def test_scalar_variables_with_one_scale_are_one_population() -> None:
    def two(apart: float) -> Builder:
        generator = np.random.default_rng(1)
        build = Builder().rv("mu", "Normal", sigma=10.0).rv("tau", "HalfNormal").rv("s", "HalfNormal")
        for name, level in (("theta_a", 4.0), ("theta_b", 4.0 + apart)):
            build.rv(name, "Normal", mu="mu", sigma="tau")
            build.rv(f"y_{name}", "Normal", mu=name, sigma="s", observed=level + generator.normal(size=30))
        return build

    assert centred(verdict(two(3.0), "theta_a"))
    assert not centred(verdict(two(0.1), "theta_a"))


def test_a_single_value_with_an_unknown_location() -> None:
    build = Builder().rv("mu", "Normal").rv("tau", "HalfNormal").rv("theta", "Normal", mu="mu", sigma="tau")
    found = verdict(build.rv("y", "Normal", mu="theta", sigma=0.01, observed=3.0))
    assert found == Verdict(False, "it has too few elements to tell how much they spread")


def test_a_scale_for_each_element() -> None:
    build = Builder().rv("tau", "HalfNormal", shape=3).rv("theta", "Normal", sigma="tau", shape=3)
    found = verdict(build.rv("y", "Normal", mu="theta", sigma=0.01, observed=[3.0, 1.0, 2.0]))
    assert not centred(found)
    assert "a scale of its own" in found.why


def test_without_data() -> None:
    model = Builder().rv("v", "Normal", sigma=3.0).rv("theta", "Normal", sigma="exp(v / 2)", shape=9).build()
    assert weigh(model, [model["theta"]]) == {"theta": Verdict(False, "no data bear on it")}
    other = Builder().rv("v", "Normal").rv("theta", "Normal", mu="v").rv("y", "Normal", mu="v", observed=1.0)
    assert verdict(other) == Verdict(False, "no data bear on it")


def test_a_constant_scale_needs_no_estimate() -> None:
    def model(error: float) -> Builder:
        build = Builder().rv("mu", "Normal").rv("theta", "Normal", mu="mu", sigma=1.0)
        return build.rv("y", "Normal", mu="theta", sigma=error, observed=3.0)

    assert centred(verdict(model(0.5)))
    assert not centred(verdict(model(2.0)))


def test_weights_are_what_the_data_tell_beside_the_population() -> None:
    """Of a known spread s and noise n: rows s^2 / (rows s^2 + n^2), rounded, and 0 without rows."""
    rows = np.array([0, 1, 2, 5, 40])
    group = np.repeat(np.arange(5), rows)
    build = Builder().data("g", group).rv("mu", "Normal").rv("theta", "Normal", mu="mu", sigma=0.6, shape=5)
    found = verdict(build.rv("y", "Normal", mu="theta[g]", sigma=1.5, observed=np.cos(np.arange(48.0))))
    expected = rows * 0.6**2 / (rows * 0.6**2 + 1.5**2)
    np.testing.assert_array_equal(found.weights.values, np.round(expected, 2))
    assert found.weights.typical == 0.6
    assert found.why.startswith("the data tell some of its elements better than others (standard error")


def test_weights_are_cautious_where_the_spread_is_not_known() -> None:
    """By the lower limit of the population's variance, from the same data as its estimate."""
    build = grouped(12, 8, 0.7)
    weights = verdict(build).weights
    noise, spread = 1.0 / 8.0, weights.typical**2
    assert 0.1 < np.median(weights.values) < spread / (spread + noise) - 0.1


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_weights_do_not_depend_on_units(scale: float) -> None:
    one, other = verdict(grouped(12, 8, 0.7)).weights, verdict(grouped(12, 8, 0.7, scale=scale)).weights
    # The priors are not as wide in other units by all digits, and weights are rounded.
    np.testing.assert_allclose(other.values, one.values, atol=0.011)
    assert other.typical == pytest.approx(scale * one.typical, rel=0.05)


def test_weights_come_with_where_the_population_lies() -> None:
    """Within three standard errors of its mean, and to a tenth of its spread; along a line if there is one."""
    weights = verdict(grouped(12, 8, 0.7)).weights
    assert np.ptp(weights.centre) == 0.0
    assert abs(weights.centre[0] - 3.0) < 3.0 * np.sqrt((0.7**2 + 1.0 / 8.0) / 12.0)
    x = np.arange(30.0)
    build = Builder().data("x", x).rv("a", "Normal", sigma=10.0).rv("b", "Normal", sigma=10.0).rv("tau", "HalfNormal")
    generator = np.random.default_rng(3)
    seen = 2.0 + 3.0 * x + 1.5 * generator.normal(size=30) + generator.normal(size=30)
    build.rv("theta", "Normal", mu="a + b * x", sigma="tau").rv("y", "Normal", mu="theta", sigma=1.0, observed=seen)
    weights = verdict(build).weights
    line = np.polynomial.Polynomial.fit(x, seen, 1)(x)
    np.testing.assert_allclose(weights.centre, line, atol=0.051 * weights.typical)


def test_slopes_and_intercepts_stand_in_each_others_error() -> None:
    """Where all rows of a group have one value of x, they say nothing of its slope by itself."""
    generator = np.random.default_rng(9)
    group = np.repeat(np.arange(20), 12)
    x = np.where(group < 10, 1.0, np.tile(np.repeat([0.0, 1.0], 6), 20))
    a, b = generator.normal(size=20), generator.normal(size=20)
    build = Builder().data("g", group).data("x", x)
    for name in ("theta_a", "theta_b"):
        build.rv(f"mu_{name}", "Normal", sigma=10.0).rv(f"tau_{name}", "HalfNormal", sigma=2.0)
        build.rv(name, "Normal", mu=f"mu_{name}", sigma=f"tau_{name}", shape=20)
    seen = a[group] + b[group] * x + generator.normal(size=240)
    build.rv("y", "Normal", mu="theta_a[g] + theta_b[g] * x", sigma=1.0, observed=seen)
    weights = verdict(build, "theta_b").weights.values
    assert np.all(weights[:10] == 0.0)
    assert np.all(weights[10:] > 0.3)


def test_a_location_by_regression_is_fitted_first() -> None:
    """Effects on a steep line: the spread about the line counts, not that of the effects."""
    generator = np.random.default_rng(3)
    x = np.arange(30.0)

    def line(spread: float) -> Builder:
        build = (
            Builder().data("x", x).rv("a", "Normal", sigma=10.0).rv("b", "Normal", sigma=10.0).rv("tau", "HalfNormal")
        )
        build.rv("theta", "Normal", mu="a + b * x", sigma="tau")
        seen = 2.0 + 3.0 * x + spread * generator.normal(size=30) + generator.normal(size=30)
        return build.rv("y", "Normal", mu="theta", sigma=1.0, observed=seen)

    assert centred(verdict(line(5.0)))
    assert not centred(verdict(line(0.1)))


def test_nested_populations_are_judged_from_below() -> None:
    generator = np.random.default_rng(0)

    def build(between: float, within: float) -> Builder:
        region = np.repeat(np.arange(12), 12)
        county = np.repeat(np.arange(144), 40)
        levels = (between * generator.normal(size=12))[region] + within * generator.normal(size=144)
        return (
            Builder()
            .data("region", region)
            .data("county", county)
            .rv("m", "Normal", sigma=10.0)
            .rv("t_region", "HalfNormal", sigma=3.0)
            .rv("theta_region", "Normal", mu="m", sigma="t_region", shape=12)
            .rv("t_county", "HalfNormal", sigma=3.0)
            .rv("theta_county", "Normal", mu="theta_region[region]", sigma="t_county")
            .rv("s", "HalfNormal")
            .rv(
                "y",
                "Normal",
                mu="theta_county[county]",
                sigma="s",
                observed=levels[county] + generator.normal(size=5760),
            )
        )

    for between, within in [(3.0, 1.0), (0.05, 1.0), (3.0, 0.02), (0.005, 0.02)]:
        model = build(between, within).build()
        found = weigh(model, [model["theta_region"], model["theta_county"]])
        assert (centred(found["theta_region"]), centred(found["theta_county"])) == (between > 1.0, within > 0.5)


@pytest.mark.parametrize(("noise", "expected"), [(0.05, True), (1.0, False), (20.0, False)])
def test_a_random_walk_of_scalars(noise: float, expected: bool) -> None:
    """Each location is another member of the population, known with error: at noise 1 that error decides."""
    generator = np.random.default_rng(7)
    path = np.cumsum(generator.normal(size=100))
    build = Builder().rv("tau", "HalfNormal")
    for t, value in enumerate(path + noise * generator.normal(size=100)):
        build.rv(f"theta{t}", "Normal", mu=f"theta{t - 1}" if t else 0.0, sigma="tau")
        build.rv(f"y{t}", "Normal", mu=f"theta{t}", sigma=noise, observed=value)
    found = verdict(build, "theta5")
    assert found.centred is expected
    # Each is told by its neighbours, too: there are no weights for that.
    assert found.weights is None


def test_stochastic_volatility_is_weak_data() -> None:
    """One observation a scale: its likelihood is skew and far wider than its curvature."""
    generator = np.random.default_rng(8)
    build = Builder().rv("tau", "HalfNormal", sigma=0.2)
    logs = np.cumsum(0.05 * generator.normal(size=60))
    for t, value in enumerate(np.exp(logs) * generator.normal(size=60)):
        build.rv(f"theta{t}", "Normal", mu=f"theta{t - 1}" if t else 0.0, sigma="tau")
        build.rv(f"y{t}", "Normal", sigma=f"exp(theta{t})", observed=value)
    assert not centred(verdict(build, "theta30"))


def test_elements_that_run_away_with_their_factors_tell_nothing() -> None:
    found = verdict(factors(60))
    assert not found.centred
    assert found.weights is None
    assert "how large" in found.why


@pytest.mark.parametrize("seed", range(6))
def test_likelihoods_that_are_walls_have_verdicts(seed: int) -> None:
    for name in ("theta", "theta_item"):
        assert verdict(ability(7, 4, seed), name).why


def test_the_same_answer_every_time() -> None:
    model = schools(3.0).build()
    first, second = (weigh(model, [model["theta"]])["theta"] for _ in range(2))
    assert first.why == second.why
    assert first.weights.values.tolist() == second.weights.values.tolist()


def test_moments_are_unbiased_and_the_limit_covers() -> None:
    """Over repeated data: the mean estimate within 4 standard errors, the limit below the truth 95 % of the time."""
    generator = np.random.default_rng(11)
    weights = generator.uniform(0.5, 4.0, size=15)
    columns = np.stack([np.ones(15), np.arange(15.0)], axis=1)
    truth = 3.0
    repeats = 4000
    # Unequal errors make the limit approximate; with equal ones it is exact.
    for errors, exact in ((1.0 / weights, False), (np.full(15, 0.5), True)):
        spread = np.sqrt(truth + errors)
        found = np.array(
            [
                _moments(columns @ [2.0, -1.0] + spread * generator.normal(size=15), columns, 1.0 / errors)
                for _ in range(repeats)
            ]
        )
        error = found[:, 0].std() / np.sqrt(repeats)
        # Estimates below 0 are set to 0, which at this spread happens too rarely to matter.
        assert abs(found[:, 0].mean() - truth) < 4.0 * error
        covered = np.mean(found[:, 1] <= truth)
        tolerance = 4.0 * np.sqrt(0.95 * 0.05 / repeats)
        if exact:
            assert abs(covered - 0.95) < tolerance
        else:
            assert covered > 0.9


def test_moments_need_a_degree_of_freedom() -> None:
    assert _moments(np.array([1.0, 2.0]), np.eye(2), np.ones(2)) is None
    assert _moments(np.array([1.0, 2.0]), np.ones((2, 3)), np.ones(2)) is not None


def test_large_models_stay_cheap() -> None:
    """2000 groups and 100 000 rows: the work is bounded in evaluations, not in seconds."""
    model = grouped(2000, 50, 1.0).build()
    surface = Surface(model, infer_types(model))
    unpooled_fit([("theta",)], surface)
    assert surface.evaluations < 400


def test_of_many_coefficients_that_share_rows_some_stand_for_all() -> None:
    generator = np.random.default_rng(4)
    matrix = generator.normal(size=(500, 3 * SAMPLED))
    seen = matrix @ generator.normal(size=3 * SAMPLED) + generator.normal(size=500)
    build = Builder().data("X", matrix).rv("tau", "HalfNormal").rv("theta", "Normal", sigma="tau", shape=3 * SAMPLED)
    assert centred(verdict(build.rv("y", "Normal", mu="X @ theta", sigma=1.0, observed=seen)))
