"""Every row of DISTRIBUTIONS of vectors, of matrices and of distributions, by the examples of it."""

from __future__ import annotations

import itertools
import pickle

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.stats
from autograd import elementwise_grad, grad

from exmc import distributions
from exmc.compile.program import compile_model
from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Distribution, Given
from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.serial import digest, dumps, loads
from exmc.rewrite.run import rewrite
from exmc.transforms import SIMPLEX, TRANSFORMS
from tests.distributions.examples import EXAMPLES, Example
from tests.distributions.finite_differences import assert_derivative
from tests.distributions.rows import SCALAR, law

DRAWS = 20_000
# Two-sided, for about 200 independent claims: a false alarm of the whole suite has probability 1 %.
Z_LIMIT = scipy.stats.norm.isf(0.01 / 200 / 2)
P_LIMIT = 0.01 / 200

ROWS = [name for name in DISTRIBUTIONS if name not in SCALAR]


def examples(**wanted):
    found = []
    for name in ROWS:
        if name not in EXAMPLES:  # one row that fails, with the remedy
            found.append(pytest.param(None, id=name))
        for i, example in enumerate(EXAMPLES.get(name, ())):
            if all(getattr(example, key) == value for key, value in wanted.items()):
                found.append(pytest.param(example, id=f"{name}-{i}"))
    return found


def required(example: Example | None) -> Example:
    if example is None:
        pytest.fail("This row has no EXAMPLES in tests/distributions/examples.py: add a law with its reference.")
    return example


def values_of(example: Example, count: int = 6):
    """Values inside the support, shape (count, *event)."""
    if example.seen:
        return np.array(example.seen)
    bound = law(example.given)
    if example.proper:
        return np.asarray(bound.draw(np.random.default_rng(5), (count, *example.event)), float)
    transform = TRANSFORMS[bound.form.transform]
    return transform.constrain(np.linspace(-2.0, 2.0, count), *bound.bounds)


def parameters_of(given: Given, prefix=()):
    """The paths of the parameters that are numbers or arrays of them."""
    for name, value in given.arguments:
        if isinstance(value, Given):
            yield from parameters_of(value, (*prefix, name))
        elif isinstance(value, tuple):
            for i, component in enumerate(value):
                yield from parameters_of(component, (*prefix, name, i))
        elif not isinstance(value, str):
            yield (*prefix, name)


def replaced(given: Given, path, change):
    """`given` with ``change(value)`` at `path`."""

    def inner(value, rest):
        if not rest:
            return change(value)
        if isinstance(value, tuple):
            return tuple(inner(v, rest[1:]) if i == rest[0] else v for i, v in enumerate(value))
        return replaced(value, rest, change)

    return Given(given.distribution, tuple((n, inner(v, path[1:]) if n == path[0] else v) for n, v in given.arguments))


def moving(given: Given):
    """The paths of the parameters that a model may vary continuously."""
    for path in parameters_of(given):
        *_, name = path
        row = _row_at(given, path)
        if row.open or not row.parameter(name).support.discrete:
            yield path


def _row_at(given, path):
    for step in path[:-1]:
        given = given[step] if isinstance(given, tuple) else dict(given.arguments)[step]
    return given.distribution


@pytest.mark.parametrize("name", ROWS)
def test_row(name):
    row = DISTRIBUTIONS[name]
    assert name in EXAMPLES, "add a law with its reference to tests/distributions/examples.py"
    assert getattr(distributions, name) is row
    assert row.name == name
    assert name in distributions.__all__
    assert pickle.loads(pickle.dumps(row)) == row
    used = [{n for n, _ in example.given.arguments} for example in EXAMPLES[name]]
    for legal in row.alternatives:
        known = {p.name: p for p in row.parameters}
        needed = {n for n in legal if not known[n].optional and known[n].default is None}
        assert any(needed <= names for names in used), f"no example has {sorted(needed)}"


@pytest.mark.parametrize("example", examples())
class TestDensity:
    def test_agrees_with_its_reference(self, example):
        example = required(example)
        if example.reference is None:
            pytest.skip("is compared with its integral")
        values = values_of(example, 40)
        expected = [example.reference(value) for value in values]
        np.testing.assert_allclose(law(example.given).log_density(values), expected, rtol=1e-9, atol=1e-9)

    def test_is_of_each_event_by_itself(self, example):
        example = required(example)
        values = values_of(example, 6)
        bound = law(example.given)
        density = bound.log_density(values)
        assert np.shape(density) == (len(values),)
        for value, expected in zip(values, density, strict=True):
            assert bound.log_density(value) == pytest.approx(expected, rel=1e-12, abs=1e-12)
        stacked = bound.log_density(np.stack([values, values[::-1]]))
        np.testing.assert_allclose(stacked, [density, density[::-1]], rtol=1e-12, atol=1e-12)

    def test_is_minus_infinity_outside_with_a_gradient_of_zero(self, example):
        example = required(example)
        bound = law(example.given)
        for value in map(np.array, example.outside):
            assert bound.log_density(value) == -np.inf
            if not bound.form.discrete:
                slope = grad(lambda v: anp.sum(bound.log_density(v)) + 0.0 * anp.sum(v))(value)
                np.testing.assert_array_equal(slope, np.zeros(value.shape))
            for path in moving(example.given):
                slope = _parameter_slope(example, path, value)
                np.testing.assert_array_equal(slope, np.zeros(np.shape(slope)))

    def test_nan_stays_nan(self, example):
        example = required(example)
        value = np.array(values_of(example, 2)[0])
        if example.proper and value.ndim < 2:  # of a factor the upper triangle does not count
            value.flat[0] = np.nan
            assert np.isnan(law(example.given).log_density(value))

    def test_gradient_in_the_value(self, example):
        example = required(example)
        bound = law(example.given)
        if bound.form.discrete or example.seen:
            pytest.skip("has no gradient in the value, or a step there")
        transform = TRANSFORMS.get(bound.form.transform, TRANSFORMS["identity"])
        # Through the transform, whatever the directions in which a value may move.
        position = np.random.default_rng(3).normal(scale=0.5, size=transform.free_shape(example.event))
        direction = np.random.default_rng(4).normal(size=position.shape)

        def along(step):
            shape = (*np.shape(step), *(1,) * position.ndim)
            moved = position + anp.reshape(step, shape) * direction
            return bound.log_density(transform.constrain(moved, *bound.bounds)) + 0.0 * step

        assert_derivative(elementwise_grad(along)(np.zeros(1)), along, np.zeros(1))

    def test_gradient_in_each_parameter(self, example):
        example = required(example)
        stepped = example.seen or law(example.given).form.discrete
        for path in moving(example.given):
            if stepped and path[-1] in ("lower", "upper"):
                continue  # values lie on the bound, or it counts by whole numbers
            _check_parameter_slope(example, path)


def _parameter_slope(example, path, values):
    """The gradient of the summed log density in the parameter at `path`."""
    start: list[np.ndarray] = []
    replaced(example.given, path, lambda value: start.append(np.asarray(value, float)))

    def total(value):
        return anp.sum(law(replaced(example.given, path, lambda _: value)).log_density(values)) + 0.0 * anp.sum(value)

    return grad(total)(start[0])


def _check_parameter_slope(example, path, function="log_density"):
    values = values_of(example, 4)
    starts = []
    replaced(example.given, path, lambda value: starts.append(np.asarray(value)))
    direction = np.random.default_rng(8).normal(size=starts[0].shape)
    if direction.ndim == 2:
        direction = np.tril(direction) if path[-1] == "chol" else direction + direction.T
    row = _row_at(example.given, path)
    if not row.open and row.parameter(path[-1]).support is SIMPLEX:  # a probability more and one less
        direction -= direction.mean()

    def along(steps):
        def one(step):
            moved = replaced(example.given, path, lambda value: value + step * direction)
            return anp.sum(_finite(getattr(law(moved), function)(values))) + 0.0 * step

        flat = anp.reshape(steps, (-1,))
        return anp.reshape(anp.stack([one(flat[i]) for i in range(np.size(steps))]), np.shape(steps))

    size = float(np.max(np.abs(starts[0])))  # which is rounded when it is moved
    assert_derivative(elementwise_grad(along)(np.zeros(1)), along, np.zeros(1), magnitude=size)


def _finite(values):
    """`values` without the infinite ones: beyond the support no parameter makes a difference."""
    return anp.where(anp.isfinite(values), values, 0.0)


# --- Integrals and draws ---------------------------------------------------------------------------------------------


# By the number of dimensions, how far the axes reach and how many points each has; beyond them there is no quadrature.
_GRIDS = {1: (60.0, 24_001), 2: (30.0, 401), 3: (10.0, 61)}


def _free_size(bound, event):
    return int(np.prod(TRANSFORMS[bound.form.transform].free_shape(event)))


def _grid(dimension):
    """Points and the volume of each, for the trapezoidal rule: exact for analytic functions that vanish at the ends."""
    reach, count = _GRIDS[dimension]
    axis = np.linspace(-reach, reach, count)
    points = np.stack(np.meshgrid(*[axis] * dimension, indexing="ij"), axis=-1).reshape(-1, dimension)
    return points, (axis[1] - axis[0]) ** dimension


def _masses(bound, event):
    """Unconstrained positions and the probability of each."""
    transform = TRANSFORMS[bound.form.transform]
    shape = transform.free_shape(event)
    points, volume = _grid(int(np.prod(shape)))
    positions = points.reshape(-1, *shape)
    with np.errstate(all="ignore"):
        density = bound.log_density(transform.constrain(positions, *bound.bounds))
        jacobian = transform.log_jacobian(positions, *bound.bounds)
    jacobian = jacobian.sum(axis=tuple(range(1, jacobian.ndim)))  # of the elements of an event
    return points, np.exp(np.nan_to_num(density + jacobian, nan=-np.inf)) * volume


@pytest.mark.parametrize("example", examples(proper=True))
class TestDraws:
    def test_follow_the_density(self, example):
        example = required(example)
        bound = law(example.given)
        draws = bound.draw(np.random.default_rng(20250101), (DRAWS, *example.event))
        assert bound.form.support.contains(draws, *bound.bounds).all()
        if bound.form.discrete:
            _check_counts(bound, draws)
        elif bound.form.transform:
            check = _check_moments if _free_size(bound, example.event) in _GRIDS else _check_slopes
            check(bound, example.event, draws)

    def test_have_the_shape_and_depend_on_the_seed_alone(self, example):
        example = required(example)
        bound = law(example.given)
        for batch in ((), (3,), (2, 3)):
            shape = (*batch, *example.event)
            first = bound.draw(np.random.default_rng(1), shape)
            assert first.shape == shape
            assert first.dtype == (np.int64 if bound.form.discrete else np.float64)
            np.testing.assert_array_equal(first, bound.draw(np.random.default_rng(1), shape))


def _check_counts(bound, draws):
    event = draws.shape[1:]
    reach = 200 if not event else 1 + int(draws.sum(-1).max())
    # Whole numbers, or vectors of them, by one number each.
    places = np.indices((reach,) * draws[0].size).reshape(draws[0].size, -1).T.reshape(-1, *event)
    with np.errstate(divide="ignore"):
        expected = DRAWS * np.exp(bound.log_density(places.astype(float)))
    if bound.distribution.name != "IntervalCensored":  # its densities are of intervals
        assert expected.sum() == pytest.approx(DRAWS, rel=1e-9)
        numbers = np.ravel_multi_index(tuple(draws.astype(int).reshape(DRAWS, -1).T), (reach,) * draws[0].size)
        counts = np.bincount(numbers, minlength=len(places))
        common = expected >= 10
        rest = [counts[~common].sum()], [expected[~common].sum()]
        pooled = np.concatenate([counts[common], rest[0]]), np.concatenate([expected[common], rest[1]])
        kept = pooled[1] > 1e-9
        assert scipy.stats.chisquare(pooled[0][kept], pooled[1][kept]).pvalue > P_LIMIT


def _check_slopes(bound, event, draws):
    """Stein's identities in the unconstrained coordinates: the slopes of the log density have mean 0, and with the
    coordinates the covariance -1 or 0.
    """
    transform = TRANSFORMS[bound.form.transform]
    positions = transform.unconstrain(draws, *bound.bounds)

    def total(x):
        jacobian = transform.log_jacobian(x, *bound.bounds)
        return anp.sum(bound.log_density(transform.constrain(x, *bound.bounds))) + anp.sum(jacobian)

    slopes = grad(total)(positions).reshape(DRAWS, -1)
    positions = positions.reshape(DRAWS, -1)
    pairs = itertools.product(range(positions.shape[1]), repeat=2)
    samples = [*slopes.T, *(positions[:, i] * slopes[:, j] + (i == j) for i, j in pairs)]
    for sample in samples:
        assert abs(sample.mean()) * np.sqrt(DRAWS) / sample.std() < Z_LIMIT


def _check_moments(bound, event, draws):
    """Means of the unconstrained coordinates, their squares and products, against quadrature."""
    points, masses = _masses(bound, event)
    # Integrals of densities with kinks are less exact than those of smooth ones.
    assert masses.sum() == pytest.approx(1.0, abs=2e-3)
    masses = masses / masses.sum()
    transform = TRANSFORMS[bound.form.transform]
    seen = transform.unconstrain(draws, *bound.bounds).reshape(DRAWS, -1)
    pairs = itertools.combinations_with_replacement(range(points.shape[1]), 2)
    tests = [(points[:, i], seen[:, i]) for i in range(points.shape[1])]
    tests += [(points[:, i] * points[:, j], seen[:, i] * seen[:, j]) for i, j in pairs]
    for function, sample in tests:
        mean = np.sum(masses * function)
        error = np.sqrt(np.sum(masses * (function - mean) ** 2) / DRAWS)
        assert abs(sample.mean() - mean) / error < Z_LIMIT


SMOOTH = [p for p in examples(proper=True) if p.values[0] is None or p.values[0].given.distribution.name != "Mixture"]


@pytest.mark.parametrize("example", SMOOTH)
def test_integrates_to_one(example):
    example = required(example)
    bound = law(example.given)
    if not bound.form.transform:
        pytest.skip("has no density to integrate")
    if _free_size(bound, example.event) not in _GRIDS:
        pytest.skip("has too many dimensions, and a reference")
    np.testing.assert_allclose(_masses(bound, example.event)[1].sum(), 1.0, rtol=1e-6)


# --- Cumulative probabilities ----------------------------------------------------------------------------------------

COUNTED = [
    p
    for p in examples(proper=True, event=())
    if p.values[0] is None or (law(p.values[0].given).form.discrete and law(p.values[0].given).form.cumulative)
]


@pytest.mark.parametrize("example", COUNTED)
class TestCumulativeProbabilities:
    def test_are_sums_of_probabilities(self, example):
        bound = law(required(example).given)
        places = np.arange(-1.0, 120.0)
        below = np.cumsum(np.exp(bound.log_density(places)))
        above = np.cumsum(np.exp(bound.log_density(places))[::-1])[::-1]
        for shift in (0.0, 0.5):
            np.testing.assert_allclose(np.exp(bound.log_cdf(places + shift)), below, rtol=1e-10, atol=1e-14)
            np.testing.assert_allclose(np.exp(bound.log_ccdf(places + shift))[:-1], above[1:], rtol=1e-10, atol=1e-14)

    def test_have_gradients(self, example):
        for path in moving(required(example).given):
            if path[-1] in ("lower", "upper"):
                continue  # they count by whole numbers
            for tail in ("log_cdf", "log_ccdf"):
                _check_parameter_slope(example, path, tail)


# --- In a model ------------------------------------------------------------------------------------------------------


def _in_a_model(example):
    builder = Builder().rv("unrelated", "Normal")
    free = bool(law(example.given).form.transform)
    given = _with_lists(example.given)
    if free:
        return builder.rv("x", given, shape=(2, *example.event)).build()
    return builder.rv("x", given, observed=values_of(example, 5)).build()


def _with_lists(given):
    def listed(value):
        if isinstance(value, Given):
            return _with_lists(value)
        return [_with_lists(v) for v in value] if isinstance(value, tuple) else value

    return Given(given.distribution, tuple((name, listed(value)) for name, value in given.arguments))


@pytest.mark.parametrize("example", examples())
class TestInAModel:
    def test_comes_back_from_json(self, example):
        model = _in_a_model(required(example))
        assert digest(loads(dumps(model))) == digest(model)

    def test_has_machine_code(self, example, tmp_path):
        model = _in_a_model(required(example))
        compiled = compile_model(model, rewrite(model).model, cache=tmp_path)
        assert compiled.engine == "native", compiled.notes


def test_a_missing_component_family_is_named():
    with pytest.raises(ModelError, match=r"variables\.x\.components\.1\.dist: there is no distribution 'Norml'"):
        (
            Builder()
            .rv("x", distributions.Mixture([0.5, 0.5], [distributions.Normal(0, 1), Given("Norml", (("mu", 0),))]))
            .build()
        )


def test_rows_are_values():
    assert all(isinstance(row, Distribution) for row in DISTRIBUTIONS.values())
