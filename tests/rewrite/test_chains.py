"""Markov chains are summed out: against enumeration of all paths, for all that may depend on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp, softmax, xlogy

import exmc
from exmc import Builder
from exmc.compile.logp import log_density_function
from exmc.compile.program import compile_model
from exmc.compile.record import record
from exmc.errors import DataError
from exmc.rewrite.run import rewrite

Values = dict[str, NDArray[Any]]
START = np.array([0.5, 0.3, 0.2])
MOVES = np.array([[0.8, 0.15, 0.05], [0.1, 0.6, 0.3], [0.0, 0.4, 0.6]])
Y = np.array([-1.8, 2.1, 1.5, 0.1, -2.2])
TWO = np.array([[-1.8, 2.1, 1.5, 0.1], [0.3, 0.2, -2.0, 1.0]])


def normal(seen: Any, mean: Any, sd: Any = 1.0) -> Any:
    return stats.norm.logpdf(seen, mean, sd)


def log(p: Any) -> Any:
    return xlogy(1.0, p)  # -inf at 0, without a warning


@dataclass(frozen=True)
class Case:
    """A model, and how its rows depend on a path of the chain.

    Attributes
    ----------
    builder
        The model; its chain is called z.
    rows
        ``rows(path, values)`` -> pairs of the place in a path and the log density of what is seen, by observation, in
        the order in which the model counts them; `values` are those of a draw.
    prior
        ``prior(path, values)`` -> the log probability of a path.
    shape
        That of z.
    states
        The number of values of z.
    """

    builder: Callable[[], Builder]
    rows: Callable[[Any, Values], dict[str, list[tuple[int, float]]]]
    prior: Callable[[Any, Values], float]
    shape: tuple[int, ...] = (5,)
    states: int = 3


def start_and(moves: Any, path: Any, start: Any = START) -> float:
    steps = np.broadcast_to(moves, (len(path) - 1, *np.shape(moves)[-2:]))
    found = log(start)[path[0]] + sum(log(m)[i, j] for m, i, j in zip(steps, path[:-1], path[1:], strict=True))
    return float(found)


def single(**chain: Any) -> Builder:
    return (
        Builder()
        .rv("mu", "Normal", mu=[-1.0, 0.0, 1.0], sigma=1.0)
        .rv("z", "MarkovChain", **chain, shape=5)
        .rv("y", "Normal", mu="mu[z]", sigma=1.0, observed=Y)
    )


def rows_of_single(path: Any, v: Values) -> dict[str, list[tuple[int, float]]]:
    return {"y": [(t, normal(Y[t], v["mu"][path[t]])) for t in range(len(path))]}


CHANGING = np.stack([MOVES, MOVES[::-1], MOVES, MOVES[:, ::-1]])
LOGITS = np.array([[0.3, -1.0, 2.0], [0.0, 0.5, 0.1], [-0.7, 0.2, 0.4]])


def variable() -> Builder:
    return (
        Builder()
        .rv("rows", "Dirichlet", alpha=[2.0, 1.0, 1.0], shape=(3, 3))
        .rv("first", "Dirichlet", alpha=1.0, shape=3)
        .rv("z", "MarkovChain", initial="first", transition="rows", shape=5)
        .rv("y", "Poisson", mu="where(z == 0, 1, exp(z))", observed=[0, 2, 6, 1, 3])
    )


def of_variable(path: Any, v: Values) -> dict[str, list[tuple[int, float]]]:
    means = np.where(np.array(path) == 0, 1.0, np.exp(path))
    return {"y": [(t, stats.poisson.logpmf(k, means[t])) for t, k in enumerate([0, 2, 6, 1, 3])]}


def two_kinds() -> Builder:
    """Two observations a place, one masked somewhere."""
    return (
        single(initial=START, transition=MOVES)
        .rv("rate", "Gamma", alpha=2.0, beta=1.0)
        .rv("n", "Poisson", mu="rate * (1 + z)", observed=[1, 0, 4, 2, 9], mask=[True, True, False, True, True])
    )


def of_two_kinds(path: Any, v: Values) -> dict[str, list[tuple[int, float]]]:
    n = [
        (t, float(stats.poisson.logpmf(k, v["rate"] * (1 + path[t]))) if t != 2 else 0.0)
        for t, k in enumerate([1, 0, 4, 2, 9])
    ]
    return rows_of_single(path, v) | {"n": n}


AT = np.array([0, 0, 2, 4, 2, 0])
SEEN = np.array([0.3, -0.4, 1.9, 0.2, 1.1, -2.0])


def scattered() -> Builder:
    """From no row to three a place."""
    return (
        Builder()
        .data("at", AT)
        .rv("mu", "Normal", mu=[-1.0, 0.0, 1.0], sigma=1.0)
        .rv("z", "MarkovChain", initial=START, transition=MOVES, shape=5)
        .rv("y", "Normal", mu="mu[z[at]]", sigma=1.0, observed=SEEN)
    )


def of_scattered(path: Any, v: Values) -> dict[str, list[tuple[int, float]]]:
    return {"y": [(int(t), normal(s, v["mu"][path[t]])) for t, s in zip(AT, SEEN, strict=True)]}


def mixed() -> Builder:
    """Outliers, whose chances depend on the chain: another discrete variable at each place."""
    return (
        Builder()
        .rv("mu", "Normal", mu=[-1.0, 1.0], sigma=1.0)
        .rv("z", "MarkovChain", initial=[0.4, 0.6], transition=[[0.9, 0.1], [0.3, 0.7]], shape=5)
        .rv("o", "Bernoulli", p="where(z == 0, 0.1, 0.4)", shape=5)
        .rv("y", "Normal", mu="mu[z]", sigma="where(o == 1, 5, 1)", observed=Y)
    )


def of_mixed(path: Any, v: Values) -> dict[str, list[tuple[int, float]]]:
    found = []
    for t, state in enumerate(path):
        p, m = (0.4 if state else 0.1), v["mu"][state]
        found.append((t, float(np.logaddexp(np.log(p) + normal(Y[t], m, 5.0), np.log1p(-p) + normal(Y[t], m)))))
    return {"y": found}


CASES = {
    "one observation a place": Case(
        lambda: single(initial=START, transition=MOVES), rows_of_single, lambda path, v: start_and(MOVES, path)
    ),
    "changing transitions": Case(
        lambda: single(initial=START, transition=CHANGING), rows_of_single, lambda path, v: start_and(CHANGING, path)
    ),
    "logits": Case(
        lambda: single(initial_logits=LOGITS[0], transition_logits=LOGITS),
        rows_of_single,
        lambda path, v: start_and(softmax(LOGITS, 1), path, softmax(LOGITS[0])),
    ),
    "variable probabilities": Case(variable, of_variable, lambda path, v: start_and(v["rows"], path, v["first"])),
    "two observations a place": Case(two_kinds, of_two_kinds, lambda path, v: start_and(MOVES, path)),
    "scattered rows": Case(scattered, of_scattered, lambda path, v: start_and(MOVES, path)),
    "beside another discrete variable": Case(
        mixed,
        of_mixed,
        lambda path, v: start_and(np.array([[0.9, 0.1], [0.3, 0.7]]), path, np.array([0.4, 0.6])),
        states=2,
    ),
    "one place": Case(
        lambda: (
            Builder()
            .rv("mu", "Normal", mu=[-1.0, 0.0, 1.0], sigma=1.0)
            .rv("z", "MarkovChain", initial=START, transition=MOVES, shape=1)
            .rv("y", "Normal", mu="mu[z]", sigma=1.0, observed=[0.4])
        ),
        lambda path, v: {"y": [(0, normal(0.4, v["mu"][path[0]]))]},
        lambda path, v: float(np.log(START[path[0]])),
        shape=(1,),
    ),
}


@dataclass(frozen=True)
class Enumerated:
    """Log densities of rows given those before them, by observation, and the probabilities of the values of places."""

    rows: dict[str, list[float]]
    probabilities: NDArray[np.float64]


def enumerated(case: Case, values: Values) -> Enumerated:
    """By the sum over all paths. Rows count by place, those of one place in their order."""
    paths = list(product(range(case.states), repeat=case.shape[-1]))
    terms = [case.rows(path, values) for path in paths]
    names = [(name, i) for name in terms[0] for i in range(len(terms[0][name]))]
    names.sort(key=lambda at: terms[0][at[0]][at[1]][0])
    total = np.array([case.prior(path, values) for path in paths])
    rows: dict[str, list[float]] = {name: [0.0] * len(terms[0][name]) for name in terms[0]}
    for name, i in names:
        before, total = logsumexp(total), total + [t[name][i][1] for t in terms]
        rows[name][i] = logsumexp(total) - before
    shares = softmax(total)
    at = np.array(paths)
    found = [[shares[at[:, t] == k].sum() for k in range(case.states)] for t in range(case.shape[-1])]
    return Enumerated(rows, np.array(found))


@pytest.mark.parametrize("name", CASES)
def test_the_density_is_the_sum_over_all_paths(name: str) -> None:
    case = CASES[name]
    tree = exmc.sample(case.builder(), draws=5, warmup=60, chains=1, seed=3, predictive=False)
    posterior = {str(k): v.values[0] for k, v in tree["posterior"].data_vars.items()}
    lp = sum(v.values[0].reshape(5, -1).sum(axis=1) for v in tree["log_prior"].data_vars.values())
    assert tree["posterior"]["z_probabilities"].dims[-1] == "z_value"
    for draw in range(5):
        expected = enumerated(case, {k: v[draw] for k, v in posterior.items()})
        np.testing.assert_allclose(posterior["z_probabilities"][draw], expected.probabilities, rtol=1e-9, atol=1e-12)
        for seen, terms in expected.rows.items():
            found = tree["log_likelihood"][seen].values[0, draw]
            kept = [x for t, x in enumerate(terms) if not (seen == "n" and t == 2)]
            np.testing.assert_allclose(found, kept, rtol=1e-9, atol=1e-9)
        if not posterior.keys() & {"rows", "rate"}:  # without Jacobians
            total = lp[draw] + sum(sum(terms) for terms in expected.rows.values())
            np.testing.assert_allclose(tree["sample_stats"]["lp"].values[0, draw], total, rtol=1e-9)


def draws_of(builder: Builder) -> tuple[Values, Any]:
    tree = exmc.sample(builder, draws=5, warmup=60, chains=1, seed=3, predictive=False)
    return {str(k): v.values[0] for k, v in tree["posterior"].data_vars.items()}, tree


@pytest.mark.parametrize("steps", [1, 3], ids=["constant", "changing"])
def test_series_have_probabilities_of_their_own(steps: int) -> None:
    """Two series in one variable are as two variables; transitions differ by series, and by step."""
    moves = np.stack([CHANGING[:steps], CHANGING[::-1][:steps]])
    start = np.stack([START, START[::-1]])
    builder = (
        Builder()
        .coords(unit=["a", "b"])
        .rv("mu", "Normal", mu=[-1.0, 0.0, 1.0], sigma=1.0)
        .data("moves", moves)
        .rv("z", "MarkovChain", initial=start, transition="moves", shape=(2, 4), dims=("unit", None))
        .rv("y", "Normal", mu="mu[z]", sigma=1.0, observed=TWO)
    )
    posterior, tree = draws_of(builder)
    assert tree["posterior"]["z_probabilities"].dims[2] == "unit"
    for draw, series in product(range(5), range(2)):

        def rows(path: Any, v: Values, series: int = series) -> dict[str, list[tuple[int, float]]]:
            return {"y": [(t, normal(TWO[series, t], v["mu"][k])) for t, k in enumerate(path)]}

        def prior(path: Any, v: Values, series: int = series) -> float:
            return start_and(moves[series], path, start[series])

        expected = enumerated(Case(single, rows, prior, (4,)), {k: v[draw] for k, v in posterior.items()})
        found = tree["log_likelihood"]["y"].values[0, draw, series]
        np.testing.assert_allclose(found, expected.rows["y"], rtol=1e-9)
        np.testing.assert_allclose(posterior["z_probabilities"][draw, series], expected.probabilities, rtol=1e-9)


def test_chains_that_meet_in_a_density_move_together() -> None:
    fast, slow = np.array([[0.5, 0.5], [0.4, 0.6]]), np.stack([np.array([[0.9, 0.1], [0.2, 0.8]])] * 3)
    builder = (
        Builder()
        .data("slow", slow)
        .rv("mu", "Normal", shape=3)
        .rv("z", "MarkovChain", initial=[0.5, 0.5], transition=fast, shape=4)
        .rv("w", "MarkovChain", initial=[0.3, 0.7], transition="slow", shape=4)
        .rv("y", "Normal", mu="mu[z + w]", sigma=1.0, observed=TWO[0])
    )
    posterior, tree = draws_of(builder)
    for draw in range(5):
        mu, weights = posterior["mu"][draw], {}
        for z, w in product(product((0, 1), repeat=4), repeat=2):
            means = mu[np.array(z) + np.array(w)]
            path = start_and(fast, z, np.array([0.5, 0.5])) + start_and(slow, w, np.array([0.3, 0.7]))
            weights[z, w] = path + normal(TWO[0], means).sum()
        total = logsumexp(list(weights.values()))
        assert tree["log_likelihood"]["y"].values[0, draw].sum() == pytest.approx(total, rel=1e-9)
        for which, name in enumerate(("z", "w")):
            ones = sum(np.exp(lp - total) * np.array(pair[which]) for pair, lp in weights.items())
            np.testing.assert_allclose(posterior[f"{name}_probabilities"][draw][:, 1], ones, rtol=1e-9)


def test_what_was_next_to_impossible_may_be_all_that_explains_the_rest() -> None:
    """States that never change, and evidence of thousands of nats first for one, then more of it for the other."""
    seen = np.array([-40.0, -40.0, 70.0, 0.0])
    model = (
        Builder()
        .rv("stay", "Beta", alpha=1.0, beta=1.0)
        .rv("z", "MarkovChain", initial=[0.5, 0.5], transition="eye(2) * stay / stay", shape=4)
        .rv("y", "Normal", mu="where(z == 1, 40, -40)", sigma="1 + 0 * stay", observed=seen)
        .build()
    )
    rewritten = rewrite(model).model
    value, gradient = compile_model(model, rewritten).density()(np.zeros(1))
    paths = [np.log(0.5) + normal(seen, mean).sum() for mean in (-40.0, 40.0)]
    assert value == pytest.approx(logsumexp(paths) + np.log(0.25), rel=1e-12)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-9)


def test_results_hold_series_and_what_they_predict() -> None:
    tree = exmc.sample(single(initial=START, transition=MOVES), draws=20, warmup=60, chains=1, seed=3)
    assert tree["prior"]["z"].dtype == np.int64
    assert tree["prior"]["z"].shape[2:] == (5,)
    assert tree["posterior_predictive"]["y"].shape == (1, 20, 5)
    assert "summed out" in tree.attrs["notes"][0]
    moves = np.stack([tree["prior"]["z"].values[0, :, :-1].ravel(), tree["prior"]["z"].values[0, :, 1:].ravel()])
    assert not np.any((moves[0] == 2) & (moves[1] == 0))  # which has probability 0


def test_a_visible_chain_is_a_likelihood_of_its_own() -> None:
    path = [0, 0, 1, 2, 1, 1]
    builder = (
        Builder()
        .rv("rows", "Dirichlet", alpha=[2.0, 1.0, 1.0], shape=(3, 3))
        .rv("z", "MarkovChain", initial=START, transition="rows", observed=path)
    )
    posterior, tree = draws_of(builder)
    found = tree["log_likelihood"]["z"].values[0]
    np.testing.assert_allclose(found, [start_and(rows, path) for rows in posterior["rows"]], rtol=1e-12)


def test_a_visible_chain_with_gaps_is_refused() -> None:
    gap = [[0.0, 1.0, np.nan], [0.0, 0.0, 1.0]]
    chain = Builder().rv("z", "MarkovChain", initial=START[:2] / 0.8, transition=np.full((2, 2), 0.5), observed=gap)
    with pytest.raises(DataError, match="1 of 6 values are missing, parts of series of MarkovChain") as raised:
        chain.build()
    assert "mask" in raised.value.remedy


def test_the_recorded_program_does_not_grow_with_the_series() -> None:
    lengths = []
    for steps in (40, 400):
        builder = (
            Builder()
            .rv("mu", "Normal", shape=2)
            .rv("z", "MarkovChain", initial=[0.5, 0.5], transition=[[0.9, 0.1], [0.2, 0.8]], shape=steps)
            .rv("y", "Normal", mu="mu[z]", sigma=1.0, observed=np.linspace(-1.0, 1.0, steps))
        )
        function = log_density_function(rewrite(builder.build()).model)
        lengths.append(len(record(function, 2, gradient=True).equations))
    assert lengths[0] == lengths[1]
